"""Curves: more data, the same question; a parameter, what was learned beside what was not."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.data.dataset import Dataset
from recopersona.datasets.synthetic import synthetic_shop
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.curves import Curve, learning_curve, validation_curve
from recopersona.evaluation.evaluate import evaluate
from recopersona.evaluation.splits import Split, split_by_time, split_users


@pytest.fixture(scope="module")
def shop():
    return synthetic_shop(200, 60, random_state=5)


class Memory(rp.Recommender):
    """Notes what it was fitted on; recommends in the order of the catalogue."""

    seen_sizes: list = []  # noqa: RUF012 - shared on purpose

    def _fit(self, dataset):
        Memory.seen_sizes.append((len(dataset.log), dataset.log.timestamp))
        self.n_ = len(dataset.items)

    def score_items(self, query, items=None):
        return -np.arange(self.n_, dtype=np.float32)


def test_the_latest_events_are_learned_from(shop):
    Memory.seen_sizes.clear()
    split = split_by_time(shop, 0.2)
    curve = learning_curve(Memory(), split, sizes=[1.0, 0.25], progress=False)
    (quarter, times), (whole, _) = Memory.seen_sizes
    assert whole == len(split.train.log)
    assert quarter == round(whole / 4)
    assert times.min() >= np.sort(split.train.log.timestamp)[-quarter]
    assert curve.table.index.tolist() == [0.25, 1.0]
    assert curve.table["events"].tolist() == [quarter, whole]


def test_without_times_shares_lie_within_each_other():
    class Whose(Memory):
        pairs: list = []  # noqa: RUF012

        def _fit(self, dataset):
            super()._fit(dataset)
            Whose.pairs.append({*zip(dataset.log.users, dataset.log.items, strict=True)})

    learning_curve(Whose(), Dataset.from_matrix(np.ones((8, 8))), sizes=[0.2, 0.5, 1.0],
                   progress=False)  # fmt: skip
    assert Whose.pairs[0] < Whose.pairs[1] < Whose.pairs[2]


def test_the_whole_training_part_scores_as_in_evaluate(shop):
    split = split_by_time(shop, 0.2)
    curve = learning_curve(rp.ItemKNN(), split, sizes=[1.0], metric="recall@5", progress=False)
    table = evaluate(rp.ItemKNN(), split, metrics=["recall"], k=5, progress=False)
    assert curve.metric == "recall@5"
    for column in ("recall@5", "recall@5 low", "recall@5 high"):
        assert curve.table.loc[1.0, column] == pytest.approx(table.loc["ItemKNN", column])


def test_what_the_whole_past_saw_is_not_recommended_by_a_model_of_less():
    days = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"])
    events = pd.DataFrame({"user_id": 1, "item_id": list("abcd"), "timestamp": days})
    shop = Dataset.from_frames(events)
    split = Split(shop.take([0, 1, 2]), shop.take([3]))
    curve = learning_curve(Memory(), split, sizes=[0.3, 1.0], k=1, progress=False)
    assert curve.table["ndcg@1"].tolist() == [1.0, 1.0]  # "d" comes first: a, b, c were seen


def test_what_was_learned_is_scored_with_nothing_left_out(shop):
    curve = learning_curve(rp.EASE(reg=1.0), shop, sizes=[0.5, 1.0], progress=False)
    assert (curve.overfit > 0.3).all()
    assert curve.counts["users_asked_about_training"] <= 200


def test_a_larger_model_remembers_more(shop):
    curve = validation_curve(rp.ALS(), shop, "factors", [32, 2, 8], progress=False)
    train = curve.table["train ndcg@10"]
    assert curve.table.index.tolist() == [32, 2, 8]
    assert train[2] < train[8] < train[32]
    assert (curve.table["train ndcg@10 low"] < train).all()
    assert (curve.table["ndcg@10 low"] <= curve.table["ndcg@10"]).all()


def test_parameters_inside_a_pipeline_are_reached(shop):
    home = rp.Pipeline(candidates=[rp.ItemKNN(), rp.Popularity()])
    curve = validation_curve(home, shop, "itemknn__k", [1, 20], progress=False)
    assert curve.parameter == "itemknn__k"
    assert curve.table["ndcg@10"].nunique() == 2


def test_the_model_given_stays_as_it_is(shop):
    model = rp.ItemKNN(k=3)
    validation_curve(model, shop, "k", [1, 2], progress=False)
    assert model.k == 3
    assert not hasattr(model, "items_")


def test_strangers_are_told_about(shop):
    split = split_users(shop, users=0.3)
    curve = learning_curve(rp.ItemKNN(), split, sizes=[1.0], progress=False)
    table = evaluate(rp.ItemKNN(), split, progress=False)
    assert curve.table.loc[1.0, "ndcg@10"] == pytest.approx(table.loc["ItemKNN", "ndcg@10"])


def test_the_same_seed_gives_the_same_curve(shop):
    first, again = (
        learning_curve(rp.ALS(factors=4), shop, sizes=[0.5], users=20, progress=False).table
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(first.drop(columns="fit_s"), again.drop(columns="fit_s"))


def test_a_curve_shows_itself(shop):
    curve = validation_curve(rp.Popularity(), shop, "half_life", [None, "7d"], progress=False)
    text = repr(curve)
    assert text.startswith("ndcg@10 of Popularity by half_life (from ")
    assert "7d" in text
    assert "<table" in curve._repr_html_()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sizes": [0.0]}, "sizes must be shares above 0 and at most 1, got 0.0"),
        ({"sizes": []}, "sizes must have at least one value"),
        ({"sizes": 0.5}, r"sizes must be a list, got 0.5; write \[0.5\]"),
        ({"metric": "coverage"}, "metric must be one that has a value per user, got 'coverage'"),
        ({"k": 0}, "k must be an integer of at least 1"),
        ({"confidence": 1}, "confidence must be a number between 0 and 1"),
    ],
)
def test_curves_that_cannot_be_are_refused(shop, wrong, words):
    with pytest.raises(ParameterError, match=f"learning_curve: {words}"):
        learning_curve(rp.Popularity(), shop, **wrong)


def test_a_parameter_that_is_not_there_is_named(shop):
    with pytest.raises(ParameterError, match="ALS has no parameter 'factor'; did you mean 'facto"):
        validation_curve(rp.ALS(), shop, "factor", [1])
    with pytest.raises(DataError, match="needs a Dataset or a Split, got DataFrame"):
        validation_curve(rp.ALS(), pd.DataFrame(), "factors", [1])


def test_a_value_that_fails_is_named(shop):
    with pytest.raises(ParameterError, match="factors must be") as caught:
        validation_curve(rp.ALS(), shop, "factors", [4, 0], progress=False)
    assert "at factors = 0" in caught.value.__notes__


@pytest.mark.parametrize("model", [None, "x", rp.ItemKNN])
def test_what_is_no_model_is_refused(model):
    shop = rp.synthetic_shop(30, 10, random_state=7)
    with pytest.raises(ParameterError, match="learning_curve needs one recommender, got"):
        rp.learning_curve(model, shop)
    with pytest.raises(ParameterError, match="validation_curve needs one recommender, got"):
        rp.validation_curve(model, shop, "k", [3])


def test_the_best_point_is_the_lowest_where_less_is_better():
    table = pd.DataFrame({"arp@10": [5.0, 3.0], "train arp@10": [4.0, 1.0]}, index=[1, 2])
    curve = Curve("ALS", "arp@10", "factors", "by hand", table, {})
    assert curve.best == 2
    assert curve.overfit.tolist() == [1, 2]
