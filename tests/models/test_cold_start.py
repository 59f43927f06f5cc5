import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ArtifactError, DataError, ParameterError
from recopersona.testing import recommender_checks

MODELS = {
    "als": lambda: rp.ALS(factors=8),
    "bpr": lambda: rp.Factorization(factors=8, epochs=8),
    "hybrid": lambda: rp.HybridFactorization(factors=8, epochs=8),
}


def planted(seed=0, n_users=240, n_items=120):
    """Users of two towns and items of two colours: each town wants its own colour.

    The last 20 items and the last 20 users have no event.
    """
    rng = np.random.default_rng(seed)
    users = pd.DataFrame({
        "user_id": np.arange(n_users),
        "town": np.where(np.arange(n_users) % 2, "Graz", "Linz"),
    })  # fmt: skip
    items = pd.DataFrame({
        "item_id": np.arange(n_items),
        "colour": np.where(np.arange(n_items) % 2, "green", "red"),
    })  # fmt: skip
    who = rng.integers(0, n_users - 20, 6_000)
    own = rng.random(len(who)) < 0.85
    what = 2 * rng.integers(0, (n_items - 20) // 2, len(who)) + np.where(own, who % 2, 1 - who % 2)
    events = pd.DataFrame({"user_id": who, "item_id": what})
    return rp.Dataset.from_frames(events, items=items, users=users)


def fitted(name="als", **settings):
    return rp.ColdStartMapper(model=MODELS[name](), **settings).fit(planted())


@pytest.fixture(scope="module")
def mapper():
    return fitted()


@pytest.mark.parametrize("name", ["bpr", "hybrid"])
def test_the_contract_is_kept_around_any_model_of_factors(name):
    model = rp.Factorization(factors=8, epochs=2)
    if name == "hybrid":
        model = rp.HybridFactorization(factors=8, epochs=2)
    for _, check in recommender_checks(rp.ColdStartMapper(model=model)):
        check()


@pytest.mark.parametrize("name", list(MODELS))
def test_new_items_are_known_by_their_attributes(name):
    model, new = fitted(name), np.arange(100, 120)
    for user in (0, 1, 8, 9):
        scores = model.score_items(rp.Query(user_id=user))[new]
        theirs = new % 2 == user % 2
        assert scores[theirs].min() > scores[~theirs].max()


@pytest.mark.parametrize("name", list(MODELS))
def test_new_users_and_strangers_are_known_by_theirs(name):
    model = fitted(name)
    for town, parity, user in (("Linz", 0, 230), ("Graz", 1, 231)):
        stranger = rp.Query(context={"town": town})
        offered = model.recommend(stranger, n=10)
        assert set(offered.sources) == {"ColdStartMapper"}
        assert all(item % 2 == parity for item in offered.item_ids)
        np.testing.assert_allclose(
            model.score_items(stranger), model.score_items(rp.Query(user_id=user)), atol=1e-5
        )


def test_a_row_of_many_events_is_what_the_model_learned(mapper):
    plain = rp.ALS(factors=8).fit(planted())
    sure = fitted(mix_events=1e-6)
    query = rp.Query(user_id=3)
    np.testing.assert_allclose(
        sure.score_items(query)[:100], plain.score_items(query)[:100], atol=1e-4
    )


def test_the_mix_is_the_formula(mapper):
    query = rp.Query(user_id=3)
    shares = mapper.item_map_.shares_.toarray()
    mapped = shares @ mapper.item_map_.embeddings_
    n = mapper.item_counts_[:, None]
    learned = np.column_stack([mapper.model_.item_factors_, np.zeros(120)])
    mixed = (n * learned + 2 * mapped) / (n + 2)
    own, n_own = mapper.model_._vector(query), mapper.user_counts_[3]
    expected = mapper.user_map_.shares_.toarray()[3] @ mapper.user_map_.embeddings_
    vector = (n_own * own + 2 * expected) / (n_own + 2)
    wanted = mixed[:, :-1] @ vector + mixed[:, -1]
    np.testing.assert_allclose(mapper.score_items(query), wanted, atol=1e-4)


def test_new_rows_have_factors_at_once():
    model = fitted()
    new = pd.DataFrame({"item_id": ["g", "r", "?"], "colour": ["green", "red", None]})
    scores = model.update_items(new).score_items(rp.Query(user_id=1))
    g, r, unknown = (model.items_.index(item) for item in "gr?")
    assert scores[g] > scores[unknown] > scores[r]
    model.update_items(pd.DataFrame({"item_id": ["r"], "colour": ["green"]}))
    assert model.score_items(rp.Query(user_id=1))[r] == pytest.approx(scores[g], abs=1e-5)


@pytest.mark.parametrize(("name", "item"), [("als", "new"), ("bpr", "new"), ("bpr", 101)])
def test_events_move_a_new_item_away_from_its_attributes(name, item):
    model = fitted(name)
    model.update_items(pd.DataFrame({"item_id": [item], "colour": ["green"]}))
    query, row = rp.Query(user_id=0), model.items_.index(item)
    before = model.score_items(query)[row]  # green, which Linz does not want
    model.partial_fit([rp.Event(user, item) for user in range(2, 102, 2)])
    assert model.score_items(query)[row] > before + 0.1


@pytest.mark.parametrize("name", list(MODELS))
def test_many_are_answered_as_one_whatever_came_in_between(name):
    model, users = fitted(name), range(8)

    def agree():
        together = model._score_queries([rp.Query(user) for user in users])
        alone = [model.score_items(rp.Query(user)) for user in users]
        np.testing.assert_allclose(together, alone, atol=1e-4)

    agree()
    model.update_items(pd.DataFrame({"item_id": ["new", 3], "colour": ["green", "red"]}))
    agree()
    model.partial_fit([rp.Event(user, "new") for user in range(40)])
    agree()
    model.partial_fit(rp.Event(1, "newer"))
    agree()


def test_a_strangers_history_outweighs_her_attributes_in_time(mapper):
    told = {"town": "Linz"}
    green = np.arange(120) % 2 == 1
    shares = []
    for n in (0, 1, 20):
        query = rp.Query(context=told, history=range(1, 2 * n, 2))
        scores = mapper.score_items(query)
        shares.append(scores[green].mean() - scores[~green].mean())
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0


def test_an_explanation_names_attributes_and_what_events_taught(mapper):
    for item in (3, 101):
        told = mapper.explain(1, item).set_index("component")["contribution"]
        assert {"colour=green", "every item", "learned from events"} == set(told.index)
        score = mapper.score_items(rp.Query(user_id=1))[item]
        assert told.sum() == pytest.approx(score, abs=1e-5)
    assert told["learned from events"] == pytest.approx(0, abs=1e-5)


def test_what_is_known_of_a_forgotten_user_is_gone():
    model = fitted()
    model.forget([1])
    assert model.user_map_.shares_of(1).nnz == 1
    assert model.user_counts_[1] == 0
    assert not model.model_.user_factors_[1].any()


def test_odd_attributes_are_answered(mapper):
    for context in ({"town": "Atlantis"}, {"town": float("nan")}, {"town": {}}, {"moon": 1}):
        offered = mapper.recommend(rp.Query(context=context), n=120)
        assert set(offered.sources) == {"ColdStartMapper"}


@pytest.mark.parametrize(
    "wrong", [{"model": rp.Popularity()}, {"mix_events": 0}, {"user_encoder": {}}]
)
def test_parameters_out_of_bounds_are_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        rp.ColdStartMapper(**wrong).fit(planted())


def test_parameters_of_the_model_can_be_reached():
    model = rp.ColdStartMapper(model=rp.ALS()).set_params(model__factors=5)
    assert model.fit(planted()).model_.item_factors_.shape[1] == 5


@pytest.mark.parametrize("name", ["item_counts_", "embeddings_"])
def test_files_that_do_not_fit_together_are_refused(name, tmp_path):
    model = fitted()
    if name == "embeddings_":
        model.item_map_.embeddings_ = model.item_map_.embeddings_[:, 1:].copy()
    else:
        model.item_counts_ = -np.ones(120, np.float32)
    model.save(tmp_path / "model")
    with pytest.raises((ArtifactError, DataError)):
        rp.load(tmp_path / "model")
