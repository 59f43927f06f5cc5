import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.base.recommender import FALLBACK
from recopersona.errors import ParameterError
from recopersona.testing import check_recommender

EVENTS = pd.DataFrame({
    "user_id": [1, 1, 2, 2, 3, 4, 4, 5],
    "item_id": ["tea", "honey", "tea", "honey", "salt", "salt", "oil", "mug"],
})  # fmt: skip
TEA = rp.Query(session=["tea"])


class Knows(rp.Recommender):
    """Has an opinion about some items only."""

    about: object = rp.param(default=())

    def _fit(self, dataset):
        self.fitted_ = 1

    def score_items(self, query, items=None):
        scores = np.full(len(self.items_), -np.inf, np.float32)
        for place, item in enumerate(self.about):
            scores[self.items_.index(item)] = 1e6 - place
        return scores


def fallback(*models):
    return rp.Fallback(models=list(models)).fit(EVENTS)


def test_the_first_model_comes_first_and_the_next_ones_fill_up():
    ranking = fallback(rp.ItemKNN(), Knows(about=["mug"]), rp.Popularity()).recommend(TEA, n=4)
    assert ranking.item_ids == ["honey", "mug", "salt", "oil"]
    assert ranking.sources == ["ItemKNN", "Knows", "Popularity", "Popularity"]
    assert ranking.effects == (
        "ItemKNN had 1 of 4 items", "Knows filled 1", "Popularity filled 2"
    )  # fmt: skip


def test_whoever_is_not_needed_is_not_asked():
    class Never(Knows):
        def _rank(self, *args, **options):
            raise AssertionError

    ranking = fallback(Knows(about=["mug", "oil"]), Never()).recommend(TEA, n=2)
    assert ranking.item_ids == ["mug", "oil"]
    assert ranking.effects == ()


def test_what_no_model_knows_is_filled_with_favourites():
    ranking = fallback(Knows(about=["mug"])).recommend(TEA, n=3)
    assert ranking.sources == ["Knows", FALLBACK, FALLBACK]


def test_scores_fall_along_the_list_and_agree_with_score_items():
    model = fallback(Knows(about=["mug", "tea"]), rp.ItemKNN(), rp.Popularity())
    ranking = model.recommend(TEA, n=5, seen="keep")
    assert (np.diff(ranking.scores) < 0).all()
    assert np.allclose(model.score_items(TEA)[ranking.items], ranking.scores)


def test_many_are_answered_as_one_is():
    model = fallback(rp.ItemKNN(), rp.Popularity())
    frame = model.recommend_many([TEA, rp.Query(), rp.Query(user_id=3)], n=3)
    for place, query in enumerate([TEA, rp.Query(), rp.Query(user_id=3)]):
        rows = frame[3 * place : 3 * place + 3]
        alone = model.recommend(query, n=3)
        assert rows["item_id"].tolist() == alone.item_ids
        assert rows["source"].tolist() == alone.sources
    assert frame["source"].tolist()[:2] == ["ItemKNN", "Popularity"]


def test_names_given_are_the_sources_and_reach_parameters():
    model = fallback(rp.ItemKNN(), ("lately", rp.Popularity()))
    assert model.recommend(TEA, n=2).sources == ["ItemKNN", "lately"]
    assert model.set_params(itemknn__k=3).get_params()["itemknn__k"] == 3


def test_a_fallback_within_another_keeps_its_sources():
    inner = rp.Fallback(models=[Knows(about=["oil"]), rp.ItemKNN()])
    model = fallback(inner, rp.Popularity())
    assert model.recommend(TEA, n=3).sources == ["Knows", "ItemKNN", "Popularity"]


def test_explanations_are_the_models_own_unless_its_score_was_moved():
    model = fallback(rp.ItemKNN(), rp.Popularity())
    assert model.explain(TEA, "honey")["evidence"].tolist() == ["tea"]
    assert model.explain(TEA, "salt")["component"].tolist() == ["Popularity"]
    assert model.explain(rp.Query(), "salt")["component"].tolist() == ["popularity"]


def test_parts_learn_online():
    model = fallback(Knows(about=["mug"]), rp.Popularity())
    model.partial_fit([rp.Event(9, "gold")] * 5)
    assert model.recommend(rp.Query(), n=2).item_ids == ["mug", "gold"]


def test_nothing_is_no_list_of_models():
    with pytest.raises(ParameterError, match="models must be a list of models"):
        rp.Fallback().fit(EVENTS)


def test_it_keeps_the_contract_in_a_pipeline_and_with_a_pipeline():
    home = rp.Pipeline(candidates=[rp.Popularity()])
    check_recommender(rp.Fallback(models=[rp.ItemKNN(k=2), home]))
