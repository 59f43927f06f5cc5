"""A list by chance is one of those there could be, and as likely as it says."""

import numpy as np
import pytest

from recopersona.kernels.exploring import explore_places
from tests.naive import exploring as naive


def explored(liking, doubt, coins, draws, rate, weight):
    n = min(len(coins), len(liking))
    chosen, chances, by_chance = np.empty(n, np.int32), np.empty(n), np.empty(n, np.bool_)
    explore_places(chosen, chances, by_chance, liking, doubt, coins, draws, rate, weight)
    return tuple(chosen.tolist()), chances, by_chance


@pytest.mark.parametrize("seed", range(200))
def test_a_list_is_as_likely_as_its_twin_says(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    liking = np.sort(rng.random(n))[::-1] * (rng.random() < 0.9)
    doubt = rng.random(n) * (rng.random(n) < rng.random())
    rate, weight = rng.choice([0, rng.random(), 1]), rng.choice([0, rng.random(), 1])
    possible = naive.lists(liking, doubt, rate, weight, 4)
    for _ in range(5):
        chosen, chances, by_chance = explored(
            np.ascontiguousarray(liking), doubt, rng.random(4), rng.random(4), rate, weight
        )
        np.testing.assert_allclose(chances, possible[chosen], rtol=1e-12)
        first = [min(set(range(n)) - set(chosen[:place])) for place in range(len(chosen))]
        assert by_chance.tolist() == [row != best for row, best in zip(chosen, first, strict=True)]


def test_the_twins_lists_are_all_there_are():
    for rate, weight in ((0.2, 0.3), (1.0, 0.0), (0.0, 1.0)):
        found = naive.lists([0.9, 0.5, 0.2, 0.1], [0, 1, 0, 0.5], rate, weight, 3)
        assert np.isclose(sum(np.prod(chances) for chances in found.values()), 1)


def test_a_draw_at_the_very_end_finds_the_last_of_them():
    liking, doubt = np.array([3.0, 2.0, 1.0, 0.5]), np.array([0, 0.1, 0.2, 0])
    almost = np.nextafter(1, 0)
    chosen, _, _ = explored(liking, doubt, np.zeros(1), np.array([almost]), 0.5, 0.5)
    assert chosen == (2,)
