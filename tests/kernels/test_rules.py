"""Rules counted at once, added click by click and asked agree with their twins."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.rules import add_rules, ask_rules, count_rules, fill_rules
from tests.naive import rules as naive

N_ITEMS = 6
visits_of_clicks = st.lists(
    st.lists(st.integers(0, N_ITEMS - 1), min_size=1, max_size=9), min_size=1, max_size=5
)
weightings = st.sampled_from(sorted(naive.FALLS))


def falls(weighting, steps):
    return np.array([naive.FALLS[weighting](d, steps) for d in range(1, steps + 1)], np.float32)


def counted(visits, ahead, back, cut=0):
    items = np.concatenate(visits).astype(np.int32)
    bounds = np.concatenate([[0], np.cumsum([len(visit) for visit in visits])])
    owners = np.repeat(np.arange(len(visits), dtype=np.int32), np.diff(bounds))
    places = np.argsort(items, kind="stable").astype(np.int32)
    of_item = np.concatenate([[0], np.cumsum(np.bincount(items, minlength=N_ITEMS))])
    clicks = (of_item, places, items, owners, bounds)
    counts, last = np.full(N_ITEMS, 77), np.full(N_ITEMS, -1)
    for block in ((cut, N_ITEMS), (0, cut)):
        count_rules(counts, last, *clicks, len(ahead), len(back), *block)
    starts = np.concatenate([[0], np.cumsum(counts)])
    others, weights = np.full(starts[-1], 77, np.int32), np.full(starts[-1], 77, np.float32)
    totals, sums = np.full(N_ITEMS, 77.0), np.zeros(N_ITEMS, np.float32)
    last[:] = -1
    for block in ((cut, N_ITEMS), (0, cut)):
        fill_rules(others, weights, totals, sums, last, starts, *clicks, ahead, back, *block)
    assert not sums.any()
    return starts[:-1].copy(), counts.astype(np.int32), totals, others, weights


def as_dicts(starts, sizes, others, weights):
    return {
        item: dict(zip(others[a : a + n].tolist(), weights[a : a + n].tolist(), strict=True))
        for item, (a, n) in enumerate(zip(starts, sizes, strict=True))
        if n
    }


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for item, others in expected.items():
        assert found[item].keys() == others.keys()
        assert all(np.isclose(found[item][o], w, rtol=1e-5) for o, w in others.items())


@given(visits_of_clicks, st.integers(1, 4), weightings, st.sampled_from([0.0, 0.5]),
       st.integers(0, N_ITEMS))  # fmt: skip
def test_all_pairs_of_clicks_are_counted(visits, steps, weighting, backward, cut):
    ahead = falls(weighting, steps)
    back = np.float32(backward) * ahead[: steps if backward else 0]
    starts, sizes, totals, others, weights = counted(visits, ahead, back, cut)
    expected = naive.rules(visits, steps, weighting, backward)
    assert_same(as_dicts(starts, sizes, others, weights), expected)
    sums = [sum(expected.get(item, {}).values()) for item in range(N_ITEMS)]
    assert np.allclose(totals, sums)


def clicks_of(visits, width):
    """Every click with what came before it in its visit, latest first."""
    items, before, counts = [], [], []
    for visit in visits:
        for place, item in enumerate(visit):
            earlier = visit[max(0, place - width) : place][::-1]
            items.append(item)
            before.append(earlier + [77] * (width - len(earlier)))
            counts.append(len(earlier))
    columns = (np.array(part, np.int32) for part in (items, before, counts))
    return tuple(columns)


@given(visits_of_clicks, visits_of_clicks, st.integers(1, 4), weightings,
       st.sampled_from([0.0, 0.5]), st.integers(0, 40))  # fmt: skip
def test_click_by_click_is_all_at_once(old, new, steps, weighting, backward, spare):
    ahead = falls(weighting, steps)
    back = np.float32(backward) * ahead[: steps if backward else 0]
    starts, sizes, totals, others, weights = counted(old, ahead, back)
    rooms, progress = sizes.copy(), np.array([len(others), 0, 0])
    clicks, calls = clicks_of(new, 4), 0
    while True:
        others, weights = (np.append(a, np.full(spare, 77, a.dtype)) for a in (others, weights))
        calls += 1
        if add_rules(
            starts, sizes, rooms, totals, others, weights, progress, *clicks, ahead, back, 0
        ):
            break
        spare = 9
    assert progress[0] <= len(others)
    expected = naive.rules(old + new, steps, weighting, backward)
    assert_same(as_dicts(starts, sizes, others, weights), expected)
    sums = [sum(expected.get(item, {}).values()) for item in range(N_ITEMS)]
    assert np.allclose(totals, sums)


def test_of_too_many_rules_the_heavier_half_stays():
    ahead, none = np.ones(1, np.float32), np.empty(0, np.float32)
    visits = [[0, 1], [0, 2], [0, 2], [0, 3], [0, 4], [0, 4], [0, 5]]
    starts, sizes, rooms = np.zeros(6, np.int64), np.zeros(6, np.int32), np.zeros(6, np.int32)
    totals, others, weights = np.zeros(6), np.zeros(50, np.int32), np.zeros(50, np.float32)
    progress = np.zeros(3, np.int64)
    assert add_rules(
        starts, sizes, rooms, totals, others, weights, progress, *clicks_of(visits, 1),
        ahead, none, 2,
    )  # fmt: skip
    assert as_dicts(starts, sizes, others, weights)[0] == {2: 2.0, 4: 2.0, 5: 1.0}
    assert totals[0] == 7


@given(visits_of_clicks, st.lists(st.integers(0, N_ITEMS + 2), min_size=1, max_size=8),
       st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.3]))  # fmt: skip
def test_clicks_are_asked_for_what_they_say(visits, visit, decay, reminder):
    ahead = np.ones(2, np.float32)
    starts, sizes, totals, others, weights = counted(visits, ahead, ahead)
    clicks = np.array(visit, np.int32)
    fades = np.float32(decay) ** np.arange(len(visit), dtype=np.float32)[::-1]
    shares = fades / (1 + np.append(totals, [0, 0, 0])[clicks]).astype(np.float32)
    room = int(sizes.sum()) * len(visit) + len(visit)
    found, scores = np.empty(room, np.int32), np.empty(room, np.float32)
    slots = np.zeros(1 << (2 * room).bit_length(), np.int32)
    count = ask_rules(
        found, scores, slots, clicks, shares.astype(np.float32), np.float32(reminder) * fades,
        starts, sizes, others, weights,
    )  # fmt: skip
    said = dict(zip(found[:count].tolist(), scores[:count].tolist(), strict=True))
    assert len(said) == count
    expected = naive.scores(naive.rules(visits, 2, "same", 1.0), visit, decay, 1, reminder)
    assert said.keys() == expected.keys()
    assert all(np.isclose(said[item], score, rtol=1e-5) for item, score in expected.items())


def test_items_that_fall_into_one_slot_are_told_apart():
    clicks = np.random.default_rng(0).integers(0, 400, 1_000).astype(np.int32) * 1_024
    found, scores = np.empty(1_000, np.int32), np.empty(1_000, np.float32)
    none, ones = np.empty(0, np.int32), np.ones(1_000, np.float32)
    count = ask_rules(
        found, scores, np.zeros(1_024, np.int32), clicks, ones, ones,
        none.astype(np.int64), none, none, none.astype(np.float32),
    )  # fmt: skip
    items, counts = np.unique(clicks, return_counts=True)
    order = np.argsort(found[:count])
    assert np.array_equal(found[:count][order], items)
    assert np.array_equal(scores[:count][order], counts)
