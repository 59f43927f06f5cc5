import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.data.ids import IdMap
from recopersona.data.ranking import Ranking, frame_of_lists, long_frame
from recopersona.errors import DataError

IDS = IdMap(["tea", "honey", "salt", "mug"])
scores = st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=4, max_size=4)


def three():
    return Ranking.of([2, 0, 3], [0.9, 0.5, 0.1], IDS, "ALS")


def test_a_ranking_speaks_the_shops_ids():
    assert three().item_ids == ["salt", "tea", "mug"]
    assert list(three()) == ["salt", "tea", "mug"]
    assert len(three()) == 3
    assert three().sources == ["ALS"] * 3


@given(scores)
def test_rescoring_sorts_best_first_with_ties_by_item(fresh):
    ranking = Ranking.of([3, 1, 0, 2], [4, 3, 2, 1], IDS, "ALS").rescored(fresh)
    wanted = sorted(zip(fresh, [3, 1, 0, 2], strict=True), key=lambda pair: (-pair[0], pair[1]))
    assert ranking.items.tolist() == [item for _, item in wanted]
    assert ranking.scores.tolist() == [score for score, _ in wanted]


def test_a_score_too_few_is_refused():
    with pytest.raises(DataError, match=r"a ranking of 3 items needs 3 scores, got shape \(2,\)"):
        three().rescored([1, 2])


def test_places_are_taken_with_all_that_belongs_to_them():
    merged = three().followed_by(np.array([1], np.int32), [0.05], "popularity")
    assert merged.take([3, 0]).item_ids == ["honey", "salt"]
    assert merged.take([3, 0]).sources == ["popularity", "ALS"]
    assert merged.take(merged.scores > 0.2).item_ids == ["salt", "tea"]
    assert merged.top(2).item_ids == ["salt", "tea"]
    assert merged.top(9) is merged


def test_what_follows_has_a_source_of_its_own():
    longer = three().followed_by(np.array([1], np.int32), [0.05], "popularity")
    assert longer.item_ids == ["salt", "tea", "mug", "honey"]
    assert longer.sources == ["ALS", "ALS", "ALS", "popularity"]
    assert longer.scores.dtype == np.float32
    assert three().followed_by(np.array([1], np.int32), [0.05], "ALS").source_names == ("ALS",)


@pytest.mark.parametrize("more", [[], [1]])
def test_what_follows_keeps_the_parts(more):
    parts = np.array([[0.4, 0.5], [0.5, np.nan], [np.nan, 0.1]], np.float32)
    ranking = Ranking(
        np.array([2, 0, 3], np.int32), parts[:, 0], IDS, ("a", "b"), np.zeros(3, np.int8), parts
    )
    longer = ranking.followed_by(np.array(more, np.int32), [0.05] * len(more), "popularity")
    assert longer.parts.shape == (3 + len(more), 3)
    assert np.array_equal(longer.parts[:3, :2], parts, equal_nan=True)
    assert longer.parts[3:, 2].tolist() == pytest.approx([0.05] * len(more))


def test_a_ranking_is_a_frame_with_ranks_from_one():
    frame = three().to_frame()
    assert frame.columns.tolist() == ["item_id", "rank", "score", "source"]
    assert frame["rank"].tolist() == [1, 2, 3]
    assert "salt" in three()._repr_html_()


def test_an_empty_ranking_is_a_frame_too():
    empty = three().top(0)
    assert (len(empty), len(empty.to_frame()), empty.item_ids) == (0, 0, [])


def test_parts_explain_a_place():
    parts = np.array([[0.1, 0.5], [0.3, np.nan]], np.float32)
    ranking = Ranking(
        np.array([1, 0], np.int32), [0.6, 0.3], IDS, ("a", "b"), np.array([1, 0], np.int8), parts
    )
    assert ranking.explain("honey")["component"].tolist() == ["b", "a"]
    assert ranking.explain("tea")["component"].tolist() == ["a"]


def test_without_parts_the_source_is_the_reason():
    assert three().explain("tea").to_dict("list") == {
        "component": ["ALS"], "contribution": [pytest.approx(0.5)],
    }  # fmt: skip


@pytest.mark.parametrize("item", ["honey", "gold"])
def test_an_item_that_is_not_there_has_no_reasons(item):
    with pytest.raises(
        DataError, match=f"the ranking does not hold '{item}'; see ranking.item_ids"
    ):
        three().explain(item)


def test_a_ranking_shows_its_best():
    long = Ranking.of(range(4), [4, 3, 2, 1], IDS, "ALS")
    assert repr(long) == "Ranking(4 items: 'tea' 4, 'honey' 3, 'salt' 2, …)"


@pytest.mark.parametrize("ids", [["anna", "ben", "cleo"], [7, 8, 7], [1, "one", 2]])
def test_arrays_and_rankings_make_the_same_frame(ids):
    lists = [
        three().followed_by(np.array([1], np.int32), [0.05], "popularity"),
        three(),
        three().top(0),
    ]
    items, scores = np.full((3, 4), -1, np.int32), np.full((3, 4), -np.inf, np.float32)
    source = np.zeros((3, 4), np.int8)
    for row, ranking in enumerate(lists):
        size = len(ranking)
        items[row, :size], scores[row, :size] = ranking.items, ranking.scores
        source[row, :size] = ranking.source
    frame = frame_of_lists(ids, items, scores, source, ("ALS", "popularity"), IDS)
    due = long_frame(ids, lists, IDS)
    assert frame.equals(due)
    assert (frame.dtypes == due.dtypes).all()
    assert frame["rank"].tolist() == [1, 2, 3, 4, 1, 2, 3]


def test_no_lists_make_an_empty_frame():
    nothing = np.empty((0, 3), np.int32)
    frame = frame_of_lists(
        [], nothing, nothing.astype(np.float32), nothing.astype(np.int8), ("ALS",), IDS
    )
    assert (frame.dtypes == long_frame([], [], IDS).dtypes).all()
    assert len(frame) == 0


def test_a_pickled_ranking_leaves_its_account_behind():
    ranking = replace(Ranking.of([2, 0], [0.9, 0.4], IDS, "ALS"), account=lambda: "of no file")
    came_back = pickle.loads(pickle.dumps(ranking))  # noqa: S301 - what we wrote ourselves
    assert came_back.account is None
    assert came_back.item_ids == ranking.item_ids
