"""Pages as they were shown become lessons."""

import numpy as np
import pandas as pd
import pytest

from recopersona.data.dataset import Dataset
from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.rankers.lessons import Lessons
from recopersona.rankers.neural import NeuralRanker
from recopersona.rankers.objectives import sigmoid
from recopersona.rankers.position_bias import ExaminationModel

SHOP = Dataset.from_frames(
    pd.DataFrame({"user_id": ["anna", "ben"], "item_id": ["tea", "salt"],
                  "timestamp": ["2026-01-01", "2026-01-02"]}),
    items=pd.DataFrame({"item_id": ["tea", "salt", "honey"], "price": [3.0, 1.0, 5.0]}),
)  # fmt: skip
SHOWN = pd.DataFrame({
    "request": [7, 7, 7, 3, 3, 3, 3],
    "user_id": ["anna", "anna", "anna", None, None, None, None],
    "timestamp": ["2026-01-05"] * 3 + ["2026-01-04"] * 4,
    "item_id": ["salt", "tea", "honey", "tea", "soap", "tea", "honey"],
    "position": [2, 1, 3, 1, 2, 3, 4],
    "clicked": [1, 0, 0, 0, 0, 1, 0],
    "bought": [True, False, False, False, False, False, False],
    "model": [0.2, 0.9, np.nan, 0.5, 0.4, 0.3, 0.6],
})  # fmt: skip


def test_pages_come_in_order_of_time_and_rows_by_position():
    lessons = Lessons.from_impressions(SHOWN, SHOP, scores=["model"])
    assert [query.user_id for query in lessons.queries] == [None, "anna"]
    assert [ranking.item_ids for ranking in lessons.rankings] == [
        ["tea", "honey"], ["tea", "salt", "honey"],
    ]  # fmt: skip
    assert lessons.labels.tolist() == [0, 0, 0, 1, 0]
    assert lessons.positions.tolist() == [1, 4, 1, 2, 3]
    assert lessons.bought.tolist() == [0, 0, 0, 1, 0]
    assert lessons.rankings[1].source_ranks[:, 0] == pytest.approx([1, 2, np.nan], nan_ok=True)
    assert lessons.counts == {
        "impressions": 7, "refused": 0, "unknown_items": 1, "repeated": 1, "pages_without_click": 1,
    }  # fmt: skip


def test_without_a_request_user_and_time_tell_pages_apart():
    lessons = Lessons.from_impressions(SHOWN.drop(columns="request"), SHOP)
    assert np.diff(lessons.bounds).tolist() == [2, 3]


def test_a_ranker_learns_from_them_and_undoes_the_places():
    random = np.random.default_rng(0)
    n, names = 600, np.array([f"i{number}" for number in range(30)])
    prices = random.random(30) * 10
    items = np.argsort(prices[None] + 3 * random.normal(size=(n, 30)), axis=1)[:, :5]
    looks = np.array([1, 0.7, 0.5, 0.35, 0.25])
    frame = pd.DataFrame({
        "request": np.repeat(np.arange(n), 5), "item_id": names[items].ravel(),
        "position": np.tile(np.arange(1, 6), n),
        "clicked": (random.random((n, 5)) < looks * (1 - prices[items] / 12)).ravel(),
    })  # fmt: skip
    shop = Dataset.from_frames(
        pd.DataFrame({"user_id": ["anna"], "item_id": ["i0"]}),
        items=pd.DataFrame({"item_id": names, "price": prices}),
    )
    lessons = Lessons.from_impressions(frame, shop)
    ranker = NeuralRanker(position_bias=True, monotone={"price": -1}, listwise=0.0)
    ranker.fit(lessons, shop)
    assert ranker.columns_.names_ == ["price"]
    assert ranker.examination_.propensities_ == pytest.approx(looks, abs=0.15)
    judged = ranker(lessons.queries[0], lessons.rankings[0])
    assert (np.diff(prices[shop.items.indices(judged.item_ids)]) >= 0).all()
    wishes = 1 - prices[np.concatenate([one.items for one in lessons.rankings])] / 12
    matrix = wishes[:, None] * -12 + 12
    assert sigmoid(ranker._logits(matrix)).mean() == pytest.approx(wishes.mean(), abs=0.05)
    told = ranker.explain(lessons.queries[0], lessons.rankings[0], judged.item_ids[0])
    assert told["contribution"].sum() == pytest.approx(float(judged.scores[0]), abs=1e-5)


def test_what_cannot_be_used_is_refused_in_a_sentence():
    with pytest.raises(ColumnError, match="no column 'clicked' among the impressions"):
        Lessons.from_impressions(SHOWN.drop(columns="clicked"), SHOP)
    with pytest.raises(ColumnError, match="'request' that tells pages apart, or user_id and"):
        Lessons.from_impressions(SHOWN.drop(columns=["request", "user_id"]), SHOP)
    with pytest.raises(DataError, match=r"clicked must be 0 or 1, got 3"):
        Lessons.from_impressions(SHOWN.assign(clicked=3), SHOP)
    with pytest.raises(DataError, match=r"whole numbers from 1 to 100,000, got 0.5"):
        Lessons.from_impressions(SHOWN.assign(position=0.5), SHOP)
    with pytest.raises(DataError, match="7 impressions have no timestamp"):
        Lessons.from_impressions(SHOWN.assign(timestamp=pd.NaT), SHOP)
    with pytest.raises(DataError, match="none of the 7 impressions is of an item that"):
        Lessons.from_impressions(SHOWN.assign(item_id="soap"), SHOP)


@pytest.mark.parametrize("place", [2**40, 2**31, np.inf, 100_001])
def test_a_place_beyond_all_pages_is_refused_before_it_fills_memory(place):
    shown = pd.DataFrame({"position": [1, place], "clicked": [0, 1]})
    with pytest.raises(DataError, match=r"position must be whole numbers from 1 to 100,000, got"):
        ExaminationModel().fit(shown)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ("model", r"must be a list of columns; write scores=\['model'\]"),
        (None, "must be a list of columns"),
        (["model", "model"], "names a column twice"),
    ],
)
def test_scores_that_are_no_list_of_columns_are_refused(scores, words):
    with pytest.raises(ParameterError, match=words):
        Lessons.from_impressions(SHOWN, SHOP, scores=scores)


def test_impressions_need_the_dataset_of_their_items():
    with pytest.raises(DataError, match="got NoneType; write"):
        Lessons.from_impressions(SHOWN, None)


def test_scores_that_are_no_numbers_are_refused():
    shop = Dataset.from_frames(pd.DataFrame({"user_id": ["u"], "item_id": ["tea"]}))
    shown = pd.DataFrame({"request": [1], "item_id": "tea", "position": 1, "clicked": 1, "x": "a"})
    with pytest.raises(DataError, match="columns of scores must hold numbers"):
        Lessons.from_impressions(shown, shop, scores=["x"])
