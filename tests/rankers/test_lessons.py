import numpy as np
import pytest

import recopersona as rp
from recopersona.data.ids import IdMap
from recopersona.data.ranking import Ranking
from recopersona.errors import DataError
from recopersona.rankers.lessons import Lessons, Rows

IDS = IdMap(["tea", "salt", "honey"])
PAGES = [Ranking.of([0, 1], [2, 1], IDS, ""), Ranking.of([2, 0, 1], [3, 2, 1], IDS, "")]
ASKED = [rp.Query("anna", now="2026-01-02"), rp.Query("ben", now="2026-01-03")]


def test_rows_know_their_request():
    lessons = Lessons.of(ASKED, PAGES, [[0, 1], [1, 0, 0]])
    assert lessons.request_of.tolist() == [0, 0, 1, 1, 1]
    assert lessons.weights.tolist() == [1] * 5


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([[0, 1], [1, 0]], "one value for each of the 5 rows"),
        ([[0, 2], [1, 0, 0]], "between 0 and 1"),
        ([[0, np.nan], [1, 0, 0]], "between 0 and 1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, said):
    with pytest.raises(DataError, match=said):
        Lessons.of(ASKED, PAGES, labels)


def test_a_request_without_candidates_is_refused():
    with pytest.raises(DataError, match="one ranking per query"):
        Lessons.of(ASKED, PAGES[:1], [[0, 1]])


def test_the_second_step_is_of_what_was_taken():
    lessons = Lessons.of(
        ASKED, PAGES, [[0, 1], [1, 0, 1]], positions=[[1, 2], [1, 2, 3]],
        bought=[[0, 1], [0, 0, 1]],
    )  # fmt: skip
    second = lessons.after_click()
    assert [ranking.item_ids for ranking in second.rankings] == [["salt"], ["honey", "salt"]]
    assert second.labels.tolist() == [1, 0, 1]
    assert second.positions.tolist() == [2, 1, 3]
    with pytest.raises(DataError, match="bought"):
        second.after_click()


def test_some_requests_are_rows_of_their_own():
    rows = Rows(
        np.arange(10, dtype=np.float32).reshape(5, 2), ("one", "two"), np.arange(5) / 5,
        np.full(5, 2.0), np.array([0, 2, 5]), None,
    )  # fmt: skip
    later = rows.of_requests(1, 2)
    assert later.bounds.tolist() == [0, 3]
    assert later.matrix[:, 0].tolist() == [4, 6, 8]


def test_a_request_of_much_taken_does_not_drown_the_others():
    rows = Rows(
        np.zeros((8, 1), np.float32), ("one",), np.array([1, 1, 1, 1, 1, 0, 0, 0], np.float32),
        np.full(8, 2, np.float32), np.array([0, 4, 4, 6, 8]), None,
    )  # fmt: skip
    weights = rows.evened().weights
    np.testing.assert_allclose(weights / weights[-1], [0.5] * 4 + [1] * 4)
    assert weights.mean() == pytest.approx(1)
    trust = np.arange(1, 9, dtype=np.float32)
    trusted = rows._replace(trust=trust).evened().weights / weights
    np.testing.assert_allclose(trusted / trusted[0], trust, rtol=1e-5)
