"""A file that appears when it is complete, in the place of the one that was there before."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recopersona.base.folders import flush_folder
from recopersona.errors import DataError

try:
    import fcntl

    _LOCKS = True
except ImportError:  # Windows locks no files this way
    _LOCKS = False


@contextmanager
def appearing_when_complete(target: Path) -> Iterator[Path]:
    """Give a file beside the target to write to, and put it in its place at the end.

    Who may read the file before may read it after. Whoever is killed on the way leaves what was
    there, and an unfinished file that `sweep_unfinished` takes away.
    """
    unfinished = target.parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
    try:
        with _held(unfinished):
            yield unfinished
            with unfinished.open("rb+") as handle:
                os.fsync(handle.fileno())
            if target.exists():
                _keep_rights(target, unfinished)
            unfinished.replace(target)
        flush_folder(target.parent)
    except OSError as problem:
        raise DataError(f"{target} cannot be written: {problem}.") from None
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


@contextmanager
def alone_in_replacing(target: Path) -> Iterator[None]:
    """Wait for whoever is about to put another file in the target's place, and keep others out.

    Two that take out rows at once would else each put back what the other took out.
    """
    while _LOCKS:
        handle = os.open(target, os.O_RDONLY)
        try:
            with suppress(OSError):  # a file system that knows no locks
                fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(handle), target.stat()):  # else it was replaced meanwhile
                yield
                return
        finally:
            os.close(handle)
    yield


def unfinished_beside(target: Path) -> list[Path]:
    """Return the unfinished files of a target that lie beside it."""
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{32}}\.tmp")
    return sorted(entry for entry in target.parent.iterdir() if name.fullmatch(entry.name))


def sweep_unfinished(target: Path) -> int:
    """Remove what a killed process left unfinished of a target; return how many files.

    A process that still writes holds its file's lock, and keeps it.
    """
    return sum(_removed(entry) for entry in unfinished_beside(target))


def _removed(entry: Path) -> bool:
    try:
        handle = os.open(entry, os.O_RDWR)
    except OSError:
        return False
    try:
        if _LOCKS:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        entry.unlink()
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


@contextmanager
def _held(unfinished: Path) -> Iterator[None]:
    """Make an empty file and hold its lock: it is not abandoned as long as this process lives."""
    if not _LOCKS:
        yield
        return
    handle = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with suppress(OSError):  # a file system that knows no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _keep_rights(before: Path, after: Path) -> None:
    told = before.stat()
    after.chmod(told.st_mode & 0o7777)
    with suppress(OSError, AttributeError):  # only the owner of all files may give them away
        os.chown(after, told.st_uid, told.st_gid)
