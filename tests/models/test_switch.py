import time

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.base.recommender import FALLBACK
from recopersona.errors import ArtifactError, ParameterError

EVENTS = pd.DataFrame(
    {"user_id": [1, 1, 2, 2, 3, 4], "item_id": ["tea", "honey", "tea", "honey", "tea", "salt"]}
)
USERS = pd.DataFrame({"user_id": [1, 2, 3], "country": ["AT", "DE", "AT"], "age": [30, 40, 30]})
SHOP = rp.Dataset.from_frames(EVENTS, users=USERS)


def by_hour(query):
    return "night" if query.context.get("hour", 12) < 6 else None


def switch(by, default=None, **models):
    return rp.Switch(by=by, models=models, default=default).fit(SHOP)


def answered_by(model, query):
    return model.recommend(query, n=1).sources


def test_a_column_of_the_user_decides_and_the_context_goes_before():
    model = switch("country", rp.Popularity(), AT=rp.ItemKNN())
    assert answered_by(model, 3) == ["ItemKNN"]
    assert answered_by(model, 2) == ["Popularity"]
    assert answered_by(model, rp.Query(user_id=3, context={"country": "DE"})) == ["Popularity"]
    ranking = model.recommend(rp.Query(session=["tea"], context={"country": "AT"}), n=1)
    assert ranking.effects == ("country 'AT' is answered by ItemKNN",)
    assert model.recommend("nobody", n=1).effects[-1] == (
        "no country is answered by Popularity, the default"
    )


def test_numbers_are_told_apart_as_they_are_written():
    model = rp.Switch(by="age", models={"30": rp.ItemKNN()}, default=rp.Popularity()).fit(SHOP)
    assert answered_by(model, 3) == ["ItemKNN"]
    assert answered_by(model, rp.Query(context={"age": 40})) == ["Popularity"]
    assert model.segment_of(rp.Query(context={"age": np.float32(30)})) == "30"


@pytest.mark.parametrize("value", [None, np.nan, pd.NA, pd.NaT])
def test_what_is_missing_is_no_value(value):
    model = rp.Switch(by="age", models={"30": rp.ItemKNN()}, default=rp.Popularity()).fit(SHOP)
    effects = model.recommend(rp.Query(context={"age": value}), n=1).effects
    assert effects == ("no age is answered by Popularity, the default",)


def test_what_is_known_of_the_visitor_decides():
    parts = {"known": rp.ItemKNN(), "visit": rp.RP3Beta(), "stranger": rp.Popularity()}
    model = switch("visitor", **parts)
    assert answered_by(model, 3) == ["ItemKNN"]
    for query in (rp.Query(session=["tea"]), rp.Query(seed="tea"), rp.Query(history=["tea"])):
        assert answered_by(model, query) == ["RP3Beta"]
    for query in (rp.Query(), rp.Query("nobody"), rp.Query(session=["nothing we sell"])):
        assert answered_by(model, query) == ["Popularity"]


def test_a_function_of_the_query_decides():
    model = switch(by_hour, rp.ItemKNN(), night=rp.Popularity())
    ranking = model.recommend(rp.Query(context={"hour": 3}), n=1)
    assert ranking.sources == ["Popularity"]
    assert ranking.effects == ("by_hour 'night' is answered by Popularity",)


def test_without_a_model_everybodys_favourites_answer():
    ranking = switch("country", AT=rp.ItemKNN()).recommend(2, n=1)
    assert ranking.sources == [FALLBACK]
    assert ranking.effects == ("country 'DE' has no model",)


def test_many_are_answered_as_one_is():
    model = switch("country", rp.Popularity(), AT=rp.ItemKNN())
    asked = [3, 2, "nobody", 1]
    frame = model.recommend_many(asked, n=1, seen="keep")
    assert frame["source"].tolist() == ["ItemKNN", "Popularity", "Popularity", "ItemKNN"]
    alone = [model.recommend(who, n=1, seen="keep").item_ids[0] for who in asked]
    assert frame["item_id"].tolist() == alone


def test_parameters_of_parts_are_reached():
    model = rp.Switch(by="country", models={"AT": rp.ItemKNN()}, default=rp.Popularity())
    model.set_params(AT__k=3, default__half_life="7d")
    assert model.models["AT"].k == 3
    assert model.get_params()["default__half_life"] == "7d"
    assert model.set_params(AT=rp.RP3Beta()).get_params()["AT__k"] == rp.RP3Beta().k
    assert list(model.models) == ["AT"]


def test_a_file_names_a_function_and_takes_it_again(tmp_path):
    model = switch(by_hour, rp.ItemKNN(), night=rp.Popularity())
    model.save(tmp_path / "model")
    loaded = rp.load(tmp_path / "model", functions=[by_hour])
    assert answered_by(loaded, rp.Query(context={"hour": 3})) == ["Popularity"]
    unnamed = switch(lambda query: "night", night=rp.Popularity())
    with pytest.raises(ArtifactError, match="lambda"):
        unnamed.save(tmp_path / "unnamed")


@pytest.mark.parametrize("models", [None, {}, {"AT": "ItemKNN"}, {1: rp.ItemKNN()}])
def test_what_maps_no_values_to_models_is_refused(models):
    with pytest.raises(ParameterError, match="models must be a mapping from value to model"):
        rp.Switch(by="country", models=models).fit(SHOP)


def test_a_value_that_names_a_parameter_is_refused():
    with pytest.raises(ParameterError, match="'by' cannot be a value"):
        rp.Switch(by="country", models={"by": rp.ItemKNN()}).fit(SHOP)


def test_a_long_visit_of_unknown_items_is_told_at_once():
    model = switch("country", rp.Popularity(), AT=rp.ItemKNN())
    strange = [f"x{n}" for n in range(10_000)]
    begun = time.perf_counter()
    ranking = model.recommend(rp.Query(session=strange), n=1)
    assert time.perf_counter() - begun < 2
    assert len(ranking.effects) == 10_001
