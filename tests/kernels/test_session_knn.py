"""The kernels that index visits and ask the nearest agree with their naive twin."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recopersona.kernels.postings import count_postings, fill_postings, renumber
from recopersona.kernels.session_knn import COSINE, add_visits, nearest_visits
from recopersona.kernels.visit_index import comeback_rates, count_comebacks
from tests.naive import session_knn as naive

N_ITEMS, NO_TIME = 8, np.iinfo(np.int64).min
SETTINGS = {
    "k": 3, "sample": 5, "similarity": "cosine", "position_decay": 2.0, "score_decay": 3.0,
    "distance_decay": 1.5, "idf": 0.0, "rarity": 0.0, "speakers": "every", "echo": 0.5,
    "reminders": 1.0, "max_clicks": 50,
}  # fmt: skip
one_visit = st.lists(st.integers(0, N_ITEMS - 1), min_size=1, max_size=12)
visits = st.lists(one_visit, min_size=1, max_size=20)


def flat(lists):
    bounds = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    return bounds, np.array([item for one in lists for item in one], np.int32)


def indexed(lists):
    """Where each item's postings start, how many, the postings, and the visits' different items."""
    bounds, items = flat(lists)
    starts, sizes = np.empty(N_ITEMS + 1, np.int64), np.empty(N_ITEMS, np.int32)
    distinct = np.empty(len(lists), np.int32)
    count_postings(starts, sizes, distinct, np.zeros(N_ITEMS, np.int32), bounds, items)
    postings, filled = np.empty(starts[-1], np.int32), np.zeros(N_ITEMS, np.int32)
    fill_postings(postings, filled, starts, bounds, items)
    assert filled.tolist() == sizes.tolist()
    return starts[:-1].copy(), sizes, postings, distinct


def rows_of(starts, sizes, postings):
    return [postings[a : a + n].tolist() for a, n in zip(starts, sizes, strict=True)]


@given(visits)
def test_postings_are_the_visits_that_have_an_item(lists):
    starts, sizes, postings, distinct = indexed(lists)
    twin = naive.SessionKNN(lists, SETTINGS)
    assert rows_of(starts, sizes, postings) == [twin.having.get(i, []) for i in range(N_ITEMS)]
    assert distinct.tolist() == [len(set(one)) for one in lists]


@given(visits, one_visit, st.sets(st.integers(0, 19)))
@settings(max_examples=60)
def test_the_nearest_and_what_they_say_are_the_twins(lists, asked, stale):
    starts, sizes, postings, distinct = indexed(lists)
    live = [number for number in range(len(lists)) if number not in stale]
    visit_at = np.array([n if n in live else -1 for n in range(len(lists))], np.int32)
    steps = {item: step for step, item in reversed(list(enumerate(reversed(asked))))}
    items = np.array(list(steps), np.int32)
    found, likeness = np.empty(5, np.int32), np.empty(5)
    n = nearest_visits(
        found, likeness, items, np.exp(-np.array(list(steps.values())) / 2.0),
        visit_at, distinct, np.full(len(lists), NO_TIME), starts, sizes, postings,
        5, 3, COSINE, NO_TIME, 0.0,
    )  # fmt: skip
    twin = naive.SessionKNN([lists[number] for number in live], SETTINGS)
    near = twin.nearest(steps, len(asked), None)
    theirs = sorted(((live[number], alike) for alike, number in near), reverse=True)
    assert np.allclose(likeness[:n], [alike for _, alike in theirs])
    assert found[:n].tolist() == [number for number, _ in theirs]
    bounds, clicks = flat(lists)
    room = len(items) + int(np.diff(bounds)[found[:n]].sum())
    told, scores = np.empty(room, np.int32), np.empty(room)
    n_told = add_visits(
        told, scores, found[:n].copy(), likeness[:n].copy(), items,
        np.exp(-np.array(list(steps.values())) / 3.0), bounds[:-1].copy(),
        np.diff(bounds).astype(np.int32), clicks, n, np.exp(-1 / 1.5), 0.5, 0,
    )  # fmt: skip
    assert told[: len(items)].tolist() == items.tolist()
    expected = twin.said(near, steps, len(asked))
    ours = dict(zip(told[:n_told].tolist(), scores[:n_told].tolist(), strict=True))
    assert expected.keys() <= ours.keys()
    assert np.allclose([ours[i] for i in ours], [expected.get(i, 0.0) for i in ours])


@given(visits, st.sets(st.integers(0, 19)))
def test_numbers_without_gaps_keep_every_order(lists, stale):
    starts, sizes, postings, _ = indexed(lists)
    before = rows_of(starts, sizes, postings)
    live = [number for number in range(len(lists)) if number not in stale]
    visit_at = np.array([n if n in live else -1 for n in range(len(lists))], np.int32)
    numbers = np.arange(len(lists), dtype=np.int32)
    n = renumber(
        numbers, visit_at, sizes, postings, np.empty(len(lists), np.int32), starts,
        len(lists), N_ITEMS,
    )  # fmt: skip
    assert visit_at[:n].tolist() == live
    assert numbers[live].tolist() == list(range(n))
    assert [[live[number] for number in row] for row in rows_of(starts, sizes, postings)] == [
        [number for number in row if number in live] for row in before
    ]


@given(visits, one_visit)
def test_chances_of_coming_back_are_the_twins(lists, asked):
    back, there = np.zeros((2, 16, 3), np.int64)
    count_comebacks(back, there, *flat(lists), 50)
    twin = naive.SessionKNN(lists, SETTINGS).comebacks(asked)
    rates = np.empty(len(twin))
    comeback_rates(rates, np.array(asked, np.int32), back, there, 20.0)
    assert np.allclose(rates, list(twin.values()))


def test_bins_grow_with_the_number_of_others():
    back, there = np.zeros((2, 16, 3), np.int64)
    count_comebacks(back, there, *flat([[*range(100), 0]]), 200)
    expected = np.zeros(16, np.int64)
    for n_others in range(100):
        expected[naive.bin_of(n_others)] += 100 - n_others
    assert there[:, 0].tolist() == expected.tolist()
    assert back.sum() == back[naive.bin_of(99), 0] == 1
