"""Work cut into blocks: all of it once, in order, by however many threads."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event, current_thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from recopersona.errors import ParameterError
from recopersona.kernels.blocks import (
    cut,
    cut_evenly,
    limit_threads,
    one_blas_thread,
    run_blocks,
    thread_count,
)


def covered(blocks):
    return [row for start, end in blocks for row in range(start, end)]


def bounds_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


@given(st.integers(0, 200), st.integers(1, 50))
def test_cutting_covers_every_row_once(n_rows, rows_per_block):
    blocks = cut(n_rows, rows_per_block)
    assert covered(blocks) == list(range(n_rows))
    assert all(0 < end - start <= rows_per_block for start, end in blocks)


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 20))
def test_cutting_evenly_covers_every_row_once(lengths, n_blocks):
    blocks = cut_evenly(bounds_of(lengths), n_blocks)
    assert covered(blocks) == list(range(len(lengths)))
    assert len(blocks) <= n_blocks
    assert all(end > start for start, end in blocks)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 20))
def test_no_block_is_much_larger_than_its_share(lengths, n_blocks):
    share = (sum(lengths) + len(lengths)) / n_blocks
    for start, end in cut_evenly(bounds_of(lengths), n_blocks):
        assert sum(lengths[start:end]) + end - start <= share + max(lengths) + 1


def test_the_cut_does_not_depend_on_the_threads():
    bounds = bounds_of(range(50))
    with limit_threads(1):
        one = cut(1_000, 7), cut_evenly(bounds, 8)
    with limit_threads(3):
        assert (cut(1_000, 7), cut_evenly(bounds, 8)) == one


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_blocks(n_threads):
    def later_first(start, end):
        time.sleep(0.002 * (5 - start))
        return start, end

    with limit_threads(n_threads):
        assert run_blocks(later_first, cut(5, 1)) == cut(5, 1)


def test_no_blocks_have_no_results():
    assert run_blocks(lambda start, end: 1 / 0, []) == []


@pytest.mark.parametrize("n_threads", [1, 3])
def test_the_first_error_is_raised_and_ends_the_work(n_threads):
    done = []

    def fail_at_once(start, end):
        if start == 0:
            raise ValueError("block 0")
        time.sleep(0.01)
        done.append(start)

    with limit_threads(n_threads), pytest.raises(ValueError, match="block 0"):
        run_blocks(fail_at_once, cut(200, 1))
    assert len(done) < 100


def test_with_one_thread_no_other_is_started():
    with limit_threads(1):
        names = run_blocks(lambda start, end: current_thread().name, cut(4, 1))
    assert set(names) == {current_thread().name}


def test_with_several_threads_others_work():
    with limit_threads(2):
        names = run_blocks(lambda start, end: current_thread().name, cut(4, 1))
    assert current_thread().name not in names


def test_a_limit_holds_inside_its_block_only():
    before = thread_count()
    with limit_threads(3):
        with limit_threads(1):
            assert thread_count() == 1
        assert thread_count() == 3
    assert thread_count() == before >= 1


def test_a_limit_of_one_thread_is_not_another_threads_limit():
    with limit_threads(7), ThreadPoolExecutor(1) as pool:
        assert pool.submit(thread_count).result() != 7


def test_there_is_at_least_one_thread():
    with pytest.raises(ParameterError, match=r"limit_threads: n must be .*at least 1, got 0"):
        limit_threads(0).__enter__()


def blas_threads():
    np.ones((2, 2)) @ np.ones((2, 2))
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_blas_works_with_one_thread_inside_blocks():
    before = blas_threads()
    inside = run_blocks(lambda start, end: blas_threads(), cut(3, 1))
    assert all(threads == [1] * len(before) for threads in inside)
    assert blas_threads() == before


def test_blas_is_held_until_the_last_of_two_is_done():
    before = blas_threads()
    entered, may_leave = Event(), Event()

    def first():
        with one_blas_thread():
            entered.set()
            may_leave.wait(10)

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(first)
        entered.wait(10)
        with one_blas_thread():
            may_leave.set()
            job.result()
            assert blas_threads() == [1] * len(before)
        assert blas_threads() == before
    with one_blas_thread():
        assert blas_threads() == [1] * len(before)
    assert blas_threads() == before
