"""A row's least squares agree with the naive twins: step for step, and in the end exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.als import solve_rows
from tests.naive import als as naive

N_COLUMNS, FACTORS = 9, 4


def in_own_basis(rows):
    """Rotate rows so that their Gram matrix is diagonal."""
    return (rows @ np.linalg.eigh(rows.T @ rows)[1]).astype(np.float32)


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = draw(st.lists(st.integers(0, N_COLUMNS), min_size=1, max_size=4))
    columns = [rng.permutation(N_COLUMNS)[:length] for length in lengths]
    return {
        "start": rng.normal(size=(len(lengths), FACTORS)).astype(np.float32),
        "fixed": in_own_basis(rng.normal(size=(N_COLUMNS, FACTORS))),
        "columns": columns,
        "confidence": [rng.uniform(0.05, 8, length).astype(np.float32) for length in lengths],
        "reg": rng.uniform(0.01, 2, len(lengths)).astype(np.float32),
        "unobserved": draw(st.sampled_from([0.01, 0.1, 1.0])),
    }


def solved(problem, steps, rows=None, memory=lambda array: array, relaxation=1.0):
    fixed, start = problem["fixed"], problem["start"].copy()
    spectrum = problem["unobserved"] * np.maximum((fixed**2).sum(axis=0), np.float32(1e-7))
    lengths = [len(columns) for columns in problem["columns"]]
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    held = (
        fixed, spectrum.astype(np.float32), bounds,
        np.concatenate(problem["columns"]).astype(np.int32),
        np.concatenate(problem["confidence"]), problem["reg"],
    )  # fmt: skip
    first, last = rows or (0, len(start))
    held = [memory(np.ascontiguousarray(array)) for array in held]
    solve_rows(start, *held, problem["unobserved"], relaxation, steps, first, last)
    return start


def systems(problem):
    return [
        naive.system(problem["fixed"], columns, confidence, reg, problem["unobserved"])
        for columns, confidence, reg in zip(
            problem["columns"], problem["confidence"], problem["reg"], strict=True
        )
    ]


@given(problems(), st.integers(0, 2))
def test_every_step_agrees_with_the_twin(problem, steps):
    got = solved(problem, steps)
    for row, (matrix, wanted) in enumerate(systems(problem)):
        gram = problem["unobserved"] * (problem["fixed"] ** 2).sum(axis=0)
        expected = naive.improve(
            matrix, wanted, problem["start"][row], steps, gram + problem["reg"][row]
        )
        if not len(problem["columns"][row]):
            expected = np.zeros(FACTORS)
        assert np.allclose(got[row], expected, rtol=2e-3, atol=2e-3)


@given(problems())
def test_many_steps_lead_to_the_exact_solution(problem):
    got = solved(problem, 200)
    for row, (matrix, wanted) in enumerate(systems(problem)):
        assert np.allclose(got[row], naive.solve_exactly(matrix, wanted), rtol=1e-2, atol=1e-3)


@given(problems(), st.floats(0.5, 1.9))
def test_a_row_goes_beyond_its_solution_as_far_as_asked(problem, relaxation):
    start, plain = problem["start"], solved(problem, 3)
    got = solved(problem, 3, relaxation=relaxation)
    expected = start + relaxation * (plain - start)
    taken = np.array([len(columns) > 0 for columns in problem["columns"]])
    assert np.allclose(got[taken], expected[taken], rtol=1e-4, atol=1e-4)


@given(problems())
def test_only_the_rows_asked_for_are_written(problem):
    n_rows = len(problem["start"])
    whole = solved(problem, 3)
    last = solved(problem, 3, rows=(n_rows - 1, n_rows))
    assert (last[:-1] == problem["start"][:-1]).all()
    assert (last[-1] == whole[-1]).all()


def test_a_row_without_entries_is_zero():
    problem = {
        "start": np.ones((1, FACTORS), np.float32),
        "fixed": np.ones((N_COLUMNS, FACTORS), np.float32),
        "columns": [np.empty(0, int)], "confidence": [np.empty(0, np.float32)],
        "reg": np.ones(1, np.float32), "unobserved": 0.1,
    }  # fmt: skip
    assert not solved(problem, 3).any()


def test_items_without_factors_leave_numbers_behind():
    problem = {
        "start": np.zeros((1, FACTORS), np.float32),
        "fixed": np.zeros((N_COLUMNS, FACTORS), np.float32),
        "columns": [np.array([0, 1])], "confidence": [np.ones(2, np.float32)],
        "reg": np.zeros(1, np.float32), "unobserved": 0.1,
    }  # fmt: skip
    assert solved(problem, 3).tolist() == [[0.0] * FACTORS]


def test_a_row_too_long_for_the_buffer_is_solved_all_the_same():
    rng = np.random.default_rng(2)
    columns = np.tile(np.arange(N_COLUMNS), 1_000)
    problem = {
        "start": np.zeros((1, FACTORS), np.float32),
        "fixed": in_own_basis(rng.normal(size=(N_COLUMNS, FACTORS))),
        "columns": [columns],
        "confidence": [rng.uniform(1, 2, len(columns)).astype(np.float32)],
        "reg": np.ones(1, np.float32), "unobserved": 0.1,
    }  # fmt: skip
    ((matrix, wanted),) = systems(problem)
    assert np.allclose(solved(problem, 20)[0], naive.solve_exactly(matrix, wanted), atol=1e-3)


@pytest.mark.parametrize("kind", ["read-only", "mapped"])
def test_memory_that_cannot_be_written_is_read(kind, tmp_path):
    rng = np.random.default_rng(5)
    problem = {
        "start": np.zeros((2, FACTORS), np.float32),
        "fixed": rng.normal(size=(N_COLUMNS, FACTORS)).astype(np.float32),
        "columns": [np.array([0, 3]), np.array([1])],
        "confidence": [np.ones(2, np.float32), np.ones(1, np.float32)],
        "reg": np.ones(2, np.float32), "unobserved": 0.1,
    }  # fmt: skip
    files = iter(tmp_path / f"{number}.npy" for number in range(9))

    def memory(array):
        array = array.copy()
        array.flags.writeable = False
        if kind == "read-only":
            return array
        path = next(files)
        np.save(path, array)
        return np.load(path, mmap_mode="r")

    assert (solved(problem, 5, memory=memory) == solved(problem, 5)).all()
