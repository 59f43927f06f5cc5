"""Steps of skip-gram agree with the naive twin, to the draws of negatives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recopersona.kernels.skip_gram import learn_click, learn_visits
from recopersona.models.item2vec import _table_of
from tests.naive import skip_gram as naive


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_items, factors = draw(st.integers(1, 8)), draw(st.integers(1, 5))
    visits = [
        rng.integers(0, n_items, rng.integers(1, 6)).tolist() for _ in range(rng.integers(1, 5))
    ]
    shares, aliases = _table_of(rng.integers(0, 9, n_items), draw(st.sampled_from([-0.5, 1.0])))
    return {
        "inputs": rng.normal(0, 0.3, (n_items, factors)),
        "outputs": rng.normal(0, 0.3, (n_items, factors)),
        "visits": visits,
        "order": rng.permutation(len(visits)),
        "kept": rng.uniform(0.3, 1.2, n_items).astype(np.float32),
        "drawn": (shares, aliases),
        "window": draw(st.integers(1, 4)),
        "negatives": draw(st.integers(0, 4)),
        "key": int(rng.integers(2**32)),
    }


def both(problem):
    ours = [problem[name].astype(np.float32) for name in ("inputs", "outputs")]
    return ours, [table.astype(np.float64) for table in ours]


@settings(max_examples=40, deadline=None)
@given(problems())
def test_passes_over_visits_are_the_twins(problem):
    ours, twins = both(problem)
    visits, order, window, negatives = (
        problem[name] for name in ("visits", "order", "window", "negatives")
    )
    bounds = np.cumsum([0, *map(len, visits)]).astype(np.int64)
    clicks = np.concatenate(visits).astype(np.int32)
    learn_visits(
        *ours, clicks, bounds, order, problem["kept"], *problem["drawn"], window, negatives,
        0.5, 0.1, problem["key"], 0, len(visits),
    )  # fmt: skip
    naive.learn_visits(
        *twins, visits, order.tolist(), problem["kept"], *problem["drawn"], window, negatives,
        0.5, 0.1, problem["key"],
    )  # fmt: skip
    for our, twin in zip(ours, twins, strict=True):
        np.testing.assert_allclose(our, twin, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(problems())
def test_single_clicks_are_the_twins(problem):
    ours, twins = both(problem)
    item, *before = problem["visits"][0]
    clicks = np.array([*before, 0], np.int32)
    key, negatives = problem["key"], problem["negatives"]
    learn_click(*ours, clicks, *problem["drawn"], negatives, 0.5, key, item, len(before))
    naive.learn_click(*twins, before, item, *problem["drawn"], negatives, 0.5, key)
    for our, twin in zip(ours, twins, strict=True):
        np.testing.assert_allclose(our, twin, atol=1e-4)


@pytest.mark.parametrize("power", [-0.5, 0.0, 0.75])
def test_a_table_draws_items_by_their_clicks_to_a_power(power):
    clicks = np.array([5, 0, 1, 20, 2])
    shares, aliases = _table_of(clicks, power)
    chances = np.zeros(5)
    for slot in range(5):
        chances[slot] += shares[slot] / 5
        chances[aliases[slot]] += (1 - shares[slot]) / 5
    wanted = np.where(clicks > 0, np.maximum(clicks, 1.0) ** power, 0)
    np.testing.assert_allclose(chances, wanted / wanted.sum(), atol=1e-6)
