"""A lock that copies and pickles: each copy has one of its own, open."""

from __future__ import annotations

import threading
from typing import Any


class OwnLock:
    """A lock whoever holds it may take once more; a copy of its owner gets a fresh one.

    Examples
    --------
    >>> import copy
    >>> lock = OwnLock()
    >>> with lock, lock, copy.deepcopy(lock):
    ...     print("in")
    in
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, _: dict[str, Any]) -> None:
        self._lock = threading.RLock()
