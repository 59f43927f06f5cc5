"""What is chosen by aspects is what the naive twins choose, and gains never rise."""

from itertools import pairwise

import numpy as np
import pytest

from recopersona.kernels.aspects import calibrate_aspects, cover_aspects, gather_aspects
from tests.naive import aspects as naive


def a_case(seed):
    """Candidates with a few aspects each, none perhaps; worths that are never alike."""
    rng = np.random.default_rng(seed)
    n, n_aspects = int(rng.integers(1, 15)), int(rng.integers(1, 7))
    sets = [rng.permutation(n_aspects)[: rng.integers(0, n_aspects + 1)].tolist() for _ in range(n)]
    worth, chances = rng.random(n), rng.random(n)
    wanted = rng.random(n_aspects) * (rng.random(n_aspects) < 0.8)
    return rng, sets, worth, chances, wanted


def flat(sets):
    bounds = np.cumsum([0, *map(len, sets)]).astype(np.int64)
    return bounds, np.array([a for one in sets for a in one], np.int32)


def told(kernel, n, n_candidates, *arguments):
    chosen, gains = np.full(n, -1, np.int32), np.full(n_candidates, np.nan)
    kernel(chosen, gains, *arguments)
    return chosen.tolist(), gains


@pytest.mark.parametrize("seed", range(300))
def test_both_choose_what_their_twins_choose(seed):
    rng, sets, worth, chances, wanted = a_case(seed)
    n = int(rng.integers(0, len(worth) + 1))
    held = wanted * 0.1
    for kernel, adds, arguments in (
        (cover_aspects, naive.covering(worth, chances, wanted, sets), (worth, chances, wanted)),
        (calibrate_aspects, naive.calibrating(worth, wanted, held, sets), (worth, wanted, held)),
    ):
        chosen, gains = told(kernel, n, len(worth), *arguments, *flat(sets))
        expected, added = naive.choose(adds, len(worth), n)
        assert chosen == expected
        np.testing.assert_allclose(gains, added, rtol=1e-9, atol=1e-12)
        assert (np.diff(gains[chosen]) <= 1e-12).all()
        rest = np.setdiff1d(np.arange(len(worth)), chosen)
        assert not n or (gains[rest] <= gains[chosen[-1]] + 1e-12).all()


def test_of_equals_the_first_is_chosen():
    same = np.full(5, 0.5)
    bounds, aspects = flat([[0]] * 5)
    for kernel, third in ((cover_aspects, np.ones(1)), (calibrate_aspects, np.ones(1))):
        second = same if kernel is cover_aspects else np.ones(1)
        assert told(kernel, 5, 5, same, second, third, bounds, aspects)[0] == [0, 1, 2, 3, 4]


def test_an_aspect_that_is_satisfied_is_not_asked_for_again():
    worth, chances = np.zeros(4), np.ones(4)
    chosen, gains = told(
        cover_aspects, 3, 4, worth, chances, np.array([0.7, 0.3]), *flat([[0], [0], [1], []])
    )
    assert chosen == [0, 2, 1]
    assert gains.tolist() == [0.7, 0, 0.3, 0]


@pytest.mark.parametrize("seed", range(50))
def test_members_are_gathered_once_each(seed):
    rng = np.random.default_rng(seed)
    sets = [rng.integers(-1, 4, rng.integers(0, 5)).tolist() for _ in range(6)]
    rows = rng.integers(0, 9, 7).astype(np.int32)  # some beyond the sets
    starts, codes = flat(sets)
    bounds, aspects = np.empty(8, np.int64), np.empty(40, np.int32)
    gather_aspects(bounds, aspects, rows, starts, codes)
    got = [aspects[a:b].tolist() for a, b in pairwise(bounds)]
    assert got == naive.gather(rows, sets)


def test_the_most_calibrated_list_of_a_length_diverges_least():
    """Of one length, the sum that is chosen by and the divergence agree on what is better."""
    rng = np.random.default_rng(7)
    sets = [rng.permutation(5)[: rng.integers(1, 4)].tolist() for _ in range(12)]
    wanted = rng.dirichlet(np.ones(5))
    adds = naive.calibrating(np.zeros(len(sets)), wanted, 0.1 * wanted, sets)
    lists = [rng.permutation(len(sets))[:3].tolist() for _ in range(40)]
    summed = [sum(adds(row, order[:k]) for k, row in enumerate(order)) for order in lists]
    diverged = [naive.divergence(wanted, [sets[row] for row in order], 0.1) for order in lists]
    assert np.allclose(np.add(summed, diverged), summed[0] + diverged[0])
