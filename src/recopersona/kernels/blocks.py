"""Work in fixed blocks on our own small pool of threads: the answer never depends on how many.

A job is cut into blocks by its size alone. Each block is done by one thread: serial kernels that
release the GIL, and BLAS calls held to one thread. Which thread does which block, and how many
there are, changes nothing but the time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from recopersona.errors import ParameterError

_limit: ContextVar[int | None] = ContextVar("recopersona_threads", default=None)


def thread_count() -> int:
    """Return how many threads work: the cores this process may use, unless limited."""
    limit = _limit.get()
    if limit is not None:
        return limit
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


@contextmanager
def limit_threads(n: Any) -> Iterator[None]:
    """Work with ``n`` threads inside a ``with`` block; answers stay the same.

    Examples
    --------
    >>> with limit_threads(1):
    ...     thread_count()
    1
    """
    if not isinstance(n, int) or n < 1:
        raise ParameterError(f"limit_threads: n must be an integer of at least 1, got {n!r}.")
    token = _limit.set(n)
    try:
        yield
    finally:
        _limit.reset(token)


def cut(n_rows: int, rows_per_block: int) -> list[tuple[int, int]]:
    """Cut rows into blocks by their number alone.

    Examples
    --------
    >>> cut(5, 2)
    [(0, 2), (2, 4), (4, 5)]
    """
    return [
        (start, min(start + rows_per_block, n_rows)) for start in range(0, n_rows, rows_per_block)
    ]


def cut_evenly(bounds: np.ndarray[Any, Any], n_blocks: int) -> list[tuple[int, int]]:
    """Cut rows of unequal length into blocks of about the same number of entries.

    bounds  (n_rows + 1,) int64, where each row starts; the last is the number of entries

    A row counts as its entries and one more, so that empty rows are work too.
    """
    n_rows = len(bounds) - 1
    work = np.asarray(bounds, dtype=np.int64) + np.arange(n_rows + 1)
    marks = np.searchsorted(work, np.linspace(0, work[-1], n_blocks + 1)[1:-1])
    edges = np.unique(np.concatenate([[0], marks, [n_rows]]))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def run_blocks(do: Callable[[int, int], Any], blocks: list[tuple[int, int]]) -> list[Any]:
    """Call ``do(start, end)`` for every block and return the results in block order.

    The first error, or Ctrl-C, cancels the blocks not yet begun and is raised.
    """
    with one_blas_thread():
        if thread_count() == 1 or len(blocks) == 1:
            return [do(*block) for block in blocks]
        with ThreadPoolExecutor(thread_count(), "recopersona") as pool:
            jobs = [pool.submit(do, *block) for block in blocks]
            try:
                return [job.result() for job in jobs]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread, whatever the machine's environment says.

    The limit is the process's: the first one in sets it, and the last one out lifts it.
    """
    _held.enter()
    try:
        yield
    finally:
        _held.leave()


class _HeldBlas:
    """Counts who needs the limit; two that each restored what they found would leave it set."""

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._controller: ThreadpoolController | None = None
        self._limit: Any = None

    def enter(self) -> None:
        with self._lock:
            if not self._inside:
                self._controller = self._controller or ThreadpoolController()
                self._limit = self._controller.limit(limits=1, user_api="blas")
                self._release()
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limit.restore_original_limits()
                self._release()

    def _release(self) -> None:
        """From 3.8 on, threadpoolctl lets no other thread lift a limit unless the first lets go."""
        for library in self._controller.lib_controllers if self._controller else ():
            getattr(library, "clear_controlling_thread", lambda: None)()


_held = _HeldBlas()
