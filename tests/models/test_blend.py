import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ParameterError
from recopersona.testing import check_recommender, checkerboard

MODELS = [("good", rp.ALS(factors=8)), ("popular", rp.Popularity())]


class Noise(rp.Recommender):
    """Scores that mean nothing."""

    scale: float = rp.param(rp.real(above=0), default=1.0)

    def _fit(self, dataset):
        random = np.random.default_rng(0)
        self.noise_ = self.scale * random.random(len(dataset.items), dtype=np.float32)

    def score_items(self, query, items=None):
        return self.noise_


def shop(n_users=400):
    """Users of two tastes: what they lack of their half is what they will want."""
    random = np.random.default_rng(3)
    matrix = np.zeros((n_users, 40), np.float32)
    for user in range(n_users):
        liked = random.choice(20, random.integers(4, 15), replace=False) + 20 * (user % 2)
        matrix[user, liked] = 1
    return rp.Dataset.from_matrix(matrix)


def test_a_model_that_foresees_nothing_weighs_little():
    blend = rp.Blend(
        models=[("noise", Noise(scale=1e6)), ("als", rp.ALS(factors=8))], n=5, shrink=0
    )
    blend.fit(shop())
    assert (blend.weights_[:, 1] > 0.8).all()
    assert blend.validation_ndcg_["blend"] >= blend.validation_ndcg_["als"] - 1e-9
    assert blend.validation_ndcg_["als"] > 2 * blend.validation_ndcg_["noise"]


def test_scores_are_made_comparable_first():
    plain, loud = (
        rp.Blend(models=[("noise", Noise(scale=scale)), rp.Popularity()], weights={}).fit(shop())
        for scale in (1.0, 1e6)
    )
    query = rp.Query(3)
    assert np.allclose(plain.score_items(query), loud.score_items(query), atol=1e-3)


def test_learned_weights_are_drawn_towards_equal_ones():
    models = [("als", rp.ALS(factors=8)), ("knn", rp.ItemKNN()), ("noise", Noise())]
    plain, half, equal = (
        rp.Blend(models=models, segments=1, shrink=shrink).fit(shop()).weights_[0]
        for shrink in (0.0, 0.5, 1.0)
    )
    used = plain > 0
    assert np.allclose(equal, used / used.sum())
    assert np.allclose(half, (plain + equal) / 2)
    assert not equal[~used].any()


def test_given_weights_are_taken_and_nothing_is_held_out():
    blend = rp.Blend(models=MODELS, weights={"good": 3}).fit(shop())
    assert blend.weights_.tolist() == [[0.75, 0.25]]
    assert blend.validation_ndcg_ == {}
    alone = rp.Blend(models=MODELS, weights={"popular": 0}).fit(shop())
    ranking = alone.recommend(3, n=40)
    expected = rp.ALS(factors=8).fit(shop()).recommend(3, n=40)
    assert ranking.item_ids[:10] == expected.item_ids[:10]


def test_weights_are_learned_per_segment_of_activity():
    blend = rp.Blend(models=MODELS, segments=2).fit(shop(600))
    assert blend.weights_.shape == (2, 2)
    assert len(blend.edges_) == 1
    assert np.allclose(blend.weights_.sum(axis=1), 1)
    few, many = rp.Query(history=[0]), rp.Query(history=list(range(20)))
    assert (blend._segment(few), blend._segment(many)) == (0, 1)


def test_what_is_held_out_comes_last_where_there_is_time():
    """A model that sees the future would be the best: it must not."""
    days = pd.date_range("2026-01-01", periods=40, freq="D")
    events = pd.DataFrame({
        "user_id": np.repeat(np.arange(30), 40), "timestamp": np.tile(days, 30),
        "item_id": np.tile(np.arange(40), 30),
    })  # fmt: skip
    seen = []

    class Spy(rp.Popularity):
        def _fit(self, dataset):
            seen.append(dataset.end)
            super()._fit(dataset)

    dataset = rp.Dataset.from_frames(events)
    rp.Blend(models=[Spy(), rp.ItemKNN()], validation=0.25).fit(dataset)
    assert seen[0] < days[30].value // 10**6
    assert seen[-1] == dataset.end


def test_explanations_name_the_models():
    blend = rp.Blend(models=MODELS, weights={}).fit(checkerboard().events)
    frame = blend.explain("u-0", "i-0")
    assert set(frame["component"]) == {"good", "popular"}


def test_parameters_of_parts_are_reached():
    blend = rp.Blend(models=MODELS)
    assert blend.set_params(good__factors=4).get_params()["good__factors"] == 4
    with pytest.raises(ParameterError, match="Blend has no parameter 'god__factors'"):
        blend.set_params(god__factors=4)


def test_two_threads_learn_the_same_weights():
    with rp.limit_threads(1):
        one = rp.Blend(models=MODELS).fit(shop()).weights_
    with rp.limit_threads(2):
        two = rp.Blend(models=MODELS).fit(shop()).weights_
    assert (one == two).all()


def test_too_little_to_learn_from_gives_equal_weights():
    blend = rp.Blend(models=MODELS).fit([rp.Event("anna", "tea"), rp.Event("ben", "salt")])
    assert blend.weights_.tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("options", [{"weights": {}}, {"segments": 1}, {"n": 3, "users": 20}])
def test_every_setting_keeps_the_contract(options):
    check_recommender(rp.Blend(models=MODELS, **options))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"models": []}, "Blend: models must be a list of models"),
     ({"weights": {"god": 1}}, "Blend: weights name 'god', which is no model; did you mean 'good'"),
     ({"weights": {"good": -1}}, r"Blend: weights\['good'\] must be a finite number of at least 0"),
     ({"weights": {"good": 0, "popular": 0}}, "Blend: one of the weights must be above 0"),
     ({"validation": 1.0}, "Blend: validation must be a number above 0 and below 1, got 1.0"),
     ({"shrink": 1.5}, "Blend: shrink must be a finite number of at least 0 and at most 1"),
     ({"segments": 0}, "Blend: segments must be an integer of at least 1")],
)  # fmt: skip
def test_parameters_have_bounds(change, words):
    with pytest.raises(ParameterError, match=words):
        rp.Blend(**{"models": MODELS, **change}).fit(shop(20))


def test_a_model_of_weight_nothing_has_no_say_in_a_batch_either():
    """One segment gives a model weight and the other none: both in one batch, and alone."""
    events = [rp.Event(user, item) for user in range(9) for item in range(user % 3 + 1)]
    blend = rp.Blend(models=[("knn", rp.ItemKNN()), rp.Popularity()], weights={}).fit(events)
    blend.edges_, blend.weights_ = np.array([3]), np.array([[1.0, 0.0], [0.5, 0.5]])
    alone = [blend.recommend(user, n=3, seen="keep").sources for user in (0, 2)]
    together = [row.sources for row in blend.rank_many([0, 2], n=3, seen="keep")]
    assert alone == together
