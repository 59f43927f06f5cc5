"""Losses, gradients and steps agree with the naive twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recopersona as rp
from recopersona.kernels.next_item import DISTANCES, N_KINDS, TIMES, drop
from recopersona.models.next_item import Samples, Tables, move_own, take_step
from tests.naive import next_item as naive

SCALE = 5.0


def normalized(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_items, window = draw(st.integers(2, 9)), draw(st.integers(1, 8))
    samples = [
        (rng.integers(0, n_items, rng.integers(1, window + 1)).tolist(), int(target))
        for target in rng.integers(0, n_items, draw(st.integers(1, 6)))
    ]
    others = np.flatnonzero(rng.random(n_items) < 0.7)
    return {
        "factors": normalized(rng.normal(size=(n_items, draw(st.integers(8, 11))))),
        "weights": rng.normal(size=(N_KINDS, window)),
        "repeats": rng.normal(size=(N_KINDS, DISTANCES * TIMES)),
        "samples": samples,
        "rivals": dict(zip(others.tolist(), rng.normal(size=len(others)), strict=True)),
        "kept": draw(st.sampled_from([1.0, 0.75])),
        "key": int(rng.integers(2**31)),
    }


def small(table):
    return table.astype(np.float32)


def tables_of(problem, sums=None):
    n_items = len(problem["factors"])
    return Tables(
        small(problem["factors"]),
        np.zeros(n_items, np.float32) if sums is None else small(sums),
        small(problem["weights"]),
        small(problem["repeats"]),
        np.full(n_items, -1, np.int32),
        SCALE,
    )


def samples_of(problem):
    visits = [visit for visit, _ in problem["samples"]]
    ends = np.cumsum([len(visit) for visit in visits])
    starts = ends - [len(visit) for visit in visits]
    targets = np.array([target for _, target in problem["samples"]], np.int32)
    return Samples(np.concatenate(visits).astype(np.int32), starts, ends, targets)


def rivals_of(problem):
    items = np.array(list(problem["rivals"]), np.int32)
    return items, np.array(list(problem["rivals"].values()), np.float32)


def loss(problem, **changed):
    names = ("factors", "weights", "repeats", "samples", "rivals", "kept", "key")
    given_ = {name: changed.get(name, problem[name]) for name in names}
    return naive.loss(scale=SCALE, **given_)


@settings(max_examples=30, deadline=None)
@given(problems())
def test_losses_and_gradients_are_the_twins(problem):
    tables = tables_of(problem)
    lesson = take_step(
        tables, samples_of(problem), rivals_of(problem), 0.5, problem["kept"], problem["key"]
    )
    assert lesson.loss == pytest.approx(loss(problem), rel=1e-3, abs=1e-3)
    for name, told in (("weights", lesson.shift), ("repeats", lesson.lift)):
        there = list(zip(*np.nonzero(told), strict=True))
        slope = naive.slope(
            lambda table, name=name: loss(problem, **{name: table}), problem[name], there
        )
        np.testing.assert_allclose(told, slope, rtol=2e-2, atol=2e-3)
    slope = naive.slope(lambda table: loss(problem, factors=table), problem["factors"])
    factors, sums = naive.moved(problem["factors"], np.zeros(len(tables.sums)), slope, 0.5)
    np.testing.assert_allclose(tables.factors, factors, atol=5e-3)
    np.testing.assert_allclose(tables.sums, sums, rtol=3e-2, atol=1e-3)
    assert (tables.columns == -1).all()


@settings(max_examples=20, deadline=None)
@given(problems())
def test_online_only_the_visits_own_items_move(problem):
    tables = tables_of(problem)
    move_own(tables, samples_of(problem), rivals_of(problem), 0.1)
    own = {item for visit, target in problem["samples"] for item in (*visit, target)}
    others = [item for item in range(len(tables.factors)) if item not in own]
    np.testing.assert_array_equal(tables.factors[others], small(problem["factors"])[others])


def test_a_step_with_many_samples_is_the_same_for_any_number_of_threads():
    rng = np.random.default_rng(3)
    n_items, n = 3_000, 900
    factors = normalized(rng.normal(size=(n_items, 24)))
    clicks = rng.integers(0, n_items, 4 * n).astype(np.int32)
    starts = np.arange(n) * 4
    samples = Samples(clicks, starts, starts + 3, clicks[starts + 3])
    rivals = np.arange(0, n_items, 2, dtype=np.int32), np.zeros(n_items // 2, np.float32)
    found = []
    for threads in (1, 2):
        with rp.limit_threads(threads):
            problem = {
                "factors": factors,
                "weights": np.zeros((N_KINDS, 5)),
                "repeats": np.zeros((N_KINDS, DISTANCES * TIMES)),
            }
            tables = tables_of(problem)
            lesson = take_step(tables, samples, rivals, 0.5, 0.75, 7)
            found.append((tables.factors, tables.sums, lesson.loss, lesson.lift))
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("kept", [1.0, 0.5])
def test_dropped_places_are_the_twins_and_keep_the_mean(kept):
    rows = np.ones((500, 6), np.float32)
    drop(rows, kept, 11, 0, 500)
    expected = [naive.mask(6, kept, 11, row) for row in range(500)]
    np.testing.assert_allclose(rows, expected, rtol=1e-6)
    assert rows.mean() == pytest.approx(1, abs=0.06)
