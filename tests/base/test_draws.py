"""Draws that depend on a seed, a key and a number alone."""

import numpy as np
import pytest
from scipy import stats

from recopersona.base.draws import key_of, normals, uniform, uniforms


def test_draws_are_normal_and_each_numbers_own():
    draws = normals(key_of(0, "d"), np.arange(50_000))
    assert abs(draws.mean()) < 0.02
    assert draws.std() == pytest.approx(1, abs=0.02)
    assert np.quantile(draws, [0.025, 0.975]) == pytest.approx([-1.96, 1.96], abs=0.05)
    assert normals(key_of(0, "d"), np.array([7, 31])).tolist() == draws[[7, 31]].tolist()


def test_draws_of_many_keys_are_uniform():
    drawn = np.array([uniform(key_of(0, f"visit {number}")) for number in range(20_000)])
    assert stats.kstest(drawn, "uniform").pvalue > 0.01
    assert stats.kstest(uniforms(key_of(3), np.arange(20_000)), "uniform").pvalue > 0.01
    assert 0 < drawn.min() < drawn.max() < 1
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.03


def test_a_key_is_of_its_seed_and_all_its_names():
    assert len({key_of(0, "d"), key_of(1, "d"), key_of(0, "e"), key_of(0, "d", "x")}) == 4
    assert key_of(0, "\ud800") == key_of(0, "\ud800")  # half a character is a name as well


def test_what_a_key_draws_stays_what_it_was():
    """Logged decisions can be drawn again by a later version."""
    assert uniform(key_of(0, "visit 1")) == 0.5834518704919295
