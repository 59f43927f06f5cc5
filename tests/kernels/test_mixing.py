"""Several mixtures at once choose what each would choose alone."""

import numpy as np
import pytest

from recopersona.kernels.mixing import pick_mixtures
from tests.naive.mixing import pick_mixture


def unit_rows(rng, n, width):
    rows = rng.normal(size=(n, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("n_chosen", [1, 5, 40])
def test_every_mixture_chooses_as_its_slow_twin(n_chosen):
    rng = np.random.default_rng(n_chosen)
    vectors = unit_rows(rng, 30, 4)
    vectors[3] = 0  # like nothing
    vectors[4] = vectors[5]  # twins
    worth = rng.random((4, 30))
    variety = np.array([0.0, 0.3, 1.0, 0.3])
    chosen, gains = np.empty((4, n_chosen), np.int32), np.empty((4, 30))
    pick_mixtures(chosen, gains, worth, variety, vectors)
    for row in range(4):
        expected, adds = pick_mixture(worth[row], variety[row], vectors, n_chosen)
        assert chosen[row, : len(expected)].tolist() == expected
        assert (chosen[row, len(expected) :] == -1).all()
        assert np.allclose(gains[row], adds, atol=1e-6)


def test_gains_never_rise_along_the_list():
    rng = np.random.default_rng(0)
    chosen, gains = np.empty((3, 20), np.int32), np.empty((3, 60))
    pick_mixtures(chosen, gains, rng.random((3, 60)), np.full(3, 0.5), unit_rows(rng, 60, 8))
    for row in range(3):
        along = gains[row, chosen[row]]
        assert (np.diff(along) <= 1e-12).all()
        rest = np.delete(gains[row], chosen[row])
        assert rest.max() <= along[-1] + 1e-12


def test_of_equal_ones_the_first_comes_first():
    chosen, gains = np.empty((1, 4), np.int32), np.empty((1, 4))
    pick_mixtures(chosen, gains, np.ones((1, 4)), np.array([0.5]), np.zeros((4, 2), np.float32))
    assert chosen.tolist() == [[0, 1, 2, 3]]
