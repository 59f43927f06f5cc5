"""Groups of records made of probable pairs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recopersona.events.identity.grouping import assigned, averaged, connected


def arrays(pairs):
    first, second, chance = zip(*pairs, strict=True)
    return np.array(first), np.array(second), np.array(chance, dtype=float)


def naive(n, pairs, least):
    """Join the two groups of the largest mean probability, again and again."""
    chance = {(a, b): p for a, b, p in pairs}
    groups = [{row} for row in range(n)]
    while True:
        means = [
            (
                sum(chance.get((min(a, b), max(a, b)), 0.0) for a in one for b in other)
                / (len(one) * len(other)),
                one,
                other,
            )
            for place, one in enumerate(groups)
            for other in groups[:place]
        ]
        best = max(means, key=lambda mean: mean[0], default=(0.0, set(), set()))
        if best[0] < least:
            return sorted(map(sorted, groups))
        groups = [group for group in groups if group not in best[1:]] + [best[1] | best[2]]


def listed(groups):
    return sorted(np.flatnonzero(groups == name).tolist() for name in np.unique(groups))


def test_one_doubtful_pair_does_not_chain_two_people():
    pairs = [(0, 1, 0.9), (2, 3, 0.9), (1, 2, 0.6)]
    assert listed(connected(4, *arrays(pairs)[:2])) == [[0, 1, 2, 3]]
    assert listed(averaged(4, *arrays(pairs), 0.3)) == [[0, 1], [2, 3]]


def test_many_pairs_join_two_groups():
    pairs = [(0, 1, 0.9), (2, 3, 0.9), (0, 2, 0.6), (0, 3, 0.5), (1, 2, 0.5), (1, 3, 0.5)]
    assert listed(averaged(4, *arrays(pairs), 0.3)) == [[0, 1, 2, 3]]


def test_a_pair_of_two_needs_the_least_probability():
    assert listed(averaged(2, *arrays([(0, 1, 0.29)]), 0.3)) == [[0], [1]]
    assert listed(averaged(2, *arrays([(0, 1, 0.31)]), 0.3)) == [[0, 1]]


@given(st.data())
def test_groups_are_those_of_the_plain_way(data):
    n = data.draw(st.integers(2, 7))
    every = [(a, b) for b in range(n) for a in range(b)]
    chosen = data.draw(st.lists(st.sampled_from(every), unique=True, min_size=1))
    order = np.random.default_rng(len(chosen)).permutation(len(chosen))
    # Probabilities without ties, so that there is one answer.
    chances = (0.05 + 0.9 * (order + 0.37) / len(chosen)) ** 1.1
    pairs = [(a, b, float(p)) for (a, b), p in zip(chosen, chances, strict=True)]
    assert listed(averaged(n, *arrays(pairs), 0.31)) == naive(n, pairs, 0.31)


def test_every_record_has_at_most_one_partner_and_the_sum_is_largest():
    first, second, chance = arrays([(0, 5, 0.9), (0, 6, 0.8), (1, 5, 0.85), (2, 7, 0.2)])
    # The likeliest pair first would leave 1 without a partner.
    assert assigned(first, second, chance, 0.3).tolist() == [False, True, True, False]


def test_the_likelier_of_two_ways_to_pair_is_taken():
    first, second, chance = arrays([(0, 5, 0.4), (0, 6, 0.9), (1, 5, 0.9), (1, 6, 0.4)])
    assert assigned(first, second, chance, 0.3).tolist() == [False, True, True, False]


def test_nothing_probable_is_assigned_to_nobody():
    first, second, chance = arrays([(0, 5, 0.1)])
    assert assigned(first, second, chance, 0.3).tolist() == [False]


def test_in_a_crowd_the_likeliest_pair_comes_first():
    n = 1_100
    first = np.concatenate([np.arange(n), np.arange(n - 1)])
    second = n + np.concatenate([np.arange(n), np.arange(1, n)])
    chance = np.r_[np.full(n, 0.9), np.full(n - 1, 0.5)]
    kept = assigned(first, second, chance, 0.3)
    assert kept.tolist() == [True] * n + [False] * (n - 1)
