"""Signed sums agree with their naive twin."""

import numpy as np
import pytest

from recopersona.kernels.randomization import add_signed
from tests.naive import randomization as naive


@pytest.mark.parametrize("n_users", [1, 7, 8, 9, 24, 31])
def test_the_kernel_agrees_with_its_twin(n_users):
    rng = np.random.default_rng(n_users)
    differences = rng.integers(-9, 10, size=(3, n_users)).astype(np.float64)
    signs = rng.integers(256, size=(-(-n_users // 8), 50), dtype=np.uint8)
    sums = np.full((3, 50), 100.0)
    add_signed(sums, differences, signs)
    expected = naive.signed_sums(differences.tolist(), signs.tolist())
    np.testing.assert_array_equal(sums - 100, expected)


def test_every_combination_of_signs_is_drawn_right():
    differences = 2.0 ** np.arange(8)[None, :]
    signs = np.arange(256, dtype=np.uint8)[None, :]
    sums = np.zeros((1, 256))
    add_signed(sums, differences, signs)
    np.testing.assert_array_equal(sums[0], 2 * np.arange(256) - 255)
