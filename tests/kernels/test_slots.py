"""The kernel that fills a page agrees with the twin that tries every page."""

import numpy as np
import pytest

from recopersona.kernels.slots import LARGE, fill_slots
from tests.naive import slots as naive

LOOKS = 200_000


def some_task(rng, m, n, hidden):
    """Draw rules over few candidates; ``hidden`` is a page that meets them all, or None."""
    levels = [rng.random(m), rng.integers(0, 4, m), 3 * rng.normal(size=m)]
    scores = np.sort(levels[rng.integers(3)])[::-1].astype(np.float32)
    pins = [(int(rng.integers(n)), rng.random(m) < 0.4) for _ in range(rng.integers(0, 3))]
    caps = [
        [rng.integers(-1, rng.integers(1, 5), m), int(rng.integers(0, 3)), *some_span(rng, n)]
        for _ in range(rng.integers(0, 4))
    ]
    quotas = [
        [rng.random(m) < rng.random(), int(rng.integers(0, 3)), *some_span(rng, n)]
        for _ in range(rng.integers(0, 3))
    ]
    if hidden is not None:
        for slot, matches in pins:
            matches[hidden[slot]] = True
        for cap in caps:
            cap[1] += naive.above(hidden, cap)[0]
        for quota in quotas:
            quota[1] -= naive.below(hidden, quota)[0]
    return scores, pins, caps, quotas


def some_span(rng, n):
    return int(rng.integers(1, n + 1)), bool(rng.random() < 0.4)


def filled(scores, pins, caps, quotas, n, looks=LOOKS, polish=1):
    """Run the kernel on what looks like lists."""
    m = len(scores)
    page, met = np.full(n, -7, np.int32), np.zeros(len(pins), np.bool_)
    codes = [groups for groups, *_ in caps] + [matches for matches, *_ in quotas]
    rows = [(size, sliding, most, most, 0 if most < size else LARGE, 0)
            for _, most, size, sliding in caps]  # fmt: skip
    rows += [(size, sliding, size - least, size - least, 0 if least > 0 else LARGE, 1)
             for _, least, size, sliding in quotas]  # fmt: skip
    left = fill_slots(
        page, met, np.array(rows, np.int64).reshape(-1, 6),
        np.array(codes, np.int32).reshape(-1, m), np.array([slot for slot, _ in pins], np.int64),
        np.array([matches for _, matches in pins], np.bool_).reshape(-1, m),
        np.asarray(scores, np.float32), looks, polish,
    )  # fmt: skip
    return left, page.tolist(), met.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_a_page_that_can_be_had_is_had_and_the_best(seed):
    rng = np.random.default_rng([6, seed])
    for _ in range(130):
        m = int(rng.integers(1, 8)) if rng.random() < 0.98 else 9
        n = int(rng.integers(1, min(m, 5) + 1))
        task = some_task(rng, m, n, rng.permutation(m)[:n].tolist())
        left, page, met = filled(*task, n)
        assert left > 0
        assert all(met)
        assert sorted(set(page)) == sorted(page)
        best, breaks, value = naive.fill_slots(task[0].tolist(), *task[1:], n)
        assert naive.broken(page, *task[1:]) == breaks
        assert [page[slot] for slot, _ in task[1]] == [best[slot] for slot, _ in task[1]]
        assert naive.value(page, naive.worth(task[0].tolist())) == pytest.approx(value, rel=1e-9)


def test_no_page_is_found_where_there_is_none():
    rng = np.random.default_rng(8)
    found = 0
    for _ in range(60):
        m = int(rng.integers(2, 7))
        n = int(rng.integers(2, min(m, 5) + 1))
        scores, pins, caps, quotas = some_task(rng, m, n, None)
        quotas = [[matches, min(least, size), size, slides]
                  for matches, least, size, slides in quotas]  # fmt: skip
        left, page, _ = filled(scores, pins, caps, quotas, n)
        _, breaks, _ = naive.fill_slots(scores.tolist(), pins, caps, quotas, n)
        held = not any(excess for excess, _ in breaks[1] + breaks[2])
        assert (left >= 0) == held
        found += held
        if not held:
            assert page == [-7] * n
    assert 10 < found < 50


def test_without_rules_the_order_of_the_scores_stays():
    assert filled([0.9, 0.9, 0.5, 0.1], [], [], [], 3)[1] == [0, 1, 2]


def test_a_lower_score_before_a_higher_one_stays_before_it():
    assert filled([0.2, 0.9, 0.5, 0.1], [], [], [], 4)[1] == [0, 1, 2, 3]


def test_scores_that_are_no_numbers_count_as_the_lowest():
    cap = [np.array([0, 0, 1, 1]), 1, 2, False]
    for scores in ([np.inf, 3, np.nan, -np.inf], [np.nan] * 4, [-np.inf] * 4):
        assert filled(scores, [], [cap], [], 4)[1] == [0, 2, 1, 3]


def test_two_slots_give_way_to_a_better_pair():
    # The best of brand 0 keeps out the only good new one: a greedy hand would have to end on 0.1.
    scores = [1.0, 0.9, 0.8, *[0.79] * 30, 0.1, 0.0]
    brands = np.array([0, 0, 1, *range(2, 32), 40, 41])
    is_new = np.array([score in (0.9, 0.1) for score in scores])
    task = scores, [], [[brands, 1, 10, False]], [[is_new, 1, 10, False]]
    assert filled(*task, 10, polish=0)[1][:2] == [0, 2]
    assert filled(*task, 10, polish=300)[1][:2] == [1, 2]


def test_a_page_costs_no_more_looks_than_are_granted():
    rng = np.random.default_rng(3)
    m, n = 300, 20
    groups = rng.integers(0, 3, m)
    caps = [[groups, 1, 3, True], [rng.integers(0, 4, m), 1, 4, True]]
    quotas = [[groups == 0, 2, 3, True]]
    assert filled(np.sort(rng.random(m))[::-1], [], caps, quotas, n, looks=5_000)[0] == -1


def test_fewer_candidates_than_slots_fill_no_page():
    assert filled([0.3], [], [], [], 2)[0] == -1


@pytest.mark.parametrize("seed", range(3))
def test_large_pages_are_found_wherever_one_was_hidden(seed):
    for turn in range(60):
        rng = np.random.default_rng([17, seed, turn])
        m, n = (500, 20) if seed else (60, 12)
        hidden = rng.permutation(m)[:n].tolist()
        scores = np.sort(rng.normal(size=m))[::-1].astype(np.float32)
        caps = [[rng.integers(-1, rng.integers(2, 30), m), 0, *some_span(rng, n)] for _ in range(3)]
        quotas = [[rng.random(m) < rng.choice([0.02, 0.3]), n, *some_span(rng, n)] for _ in "ab"]
        for cap in caps:
            cap[1] += naive.above(hidden, cap)[0]
        for quota in quotas:
            quota[0][hidden[:: int(rng.integers(1, 6))]] = True
            quota[1] -= naive.below(hidden, quota)[0]
        slot = int(rng.integers(n))
        pins = [(slot, np.arange(m) == hidden[slot])]
        left, page, met = filled(scores, pins, caps, quotas, n, polish=1_000)
        assert left > 0
        assert met == [True]
        assert len(set(page)) == n
        _, above, below = naive.broken(page, pins, caps, quotas)
        assert not any(worst for worst, _ in above + below)
