"""Folders that several processes write into: locked as a whole, and flushed to disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl

    _LOCKS = True
except ImportError:  # Windows locks no directories
    _LOCKS = False


class _Saving(threading.local):
    """The folders that this thread is writing into."""

    def __init__(self) -> None:
        self.folders: set[Path] = set()


_saving = _Saving()


@contextmanager
def alone_in(target: Path) -> Iterator[None]:
    """Wait until nobody else writes; who saves while saving cannot wait for itself."""
    folder = target.resolve()
    if folder in _saving.folders:
        yield
        return
    _saving.folders.add(folder)
    try:
        with locked(folder):
            yield
    finally:
        _saving.folders.remove(folder)


@contextmanager
def locked(folder: Path, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold a folder's lock, which needs no file in it; say if somebody else has it.

    Where folders cannot be locked, or this one is gone, nobody waits for anybody.
    """
    handle = _opened(folder)
    if handle is None:
        yield True
        return
    try:
        yield _lock(handle, shared, wait)
    finally:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)  # closing would not do: a fork holds it too
        os.close(handle)


def _opened(folder: Path) -> int | None:
    try:
        return os.open(folder, os.O_RDONLY) if _LOCKS else None
    except OSError:
        return None


def _lock(handle: int, shared: bool, wait: bool) -> bool:
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(handle, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system that knows no locks
        return True
    return True


def flush_folder(folder: Path) -> None:
    """Have the names in a folder on disk, too."""
    if os.name == "nt":  # Windows opens no directories
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
