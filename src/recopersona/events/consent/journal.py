"""The ledger's journal on disk: a line of JSON per record, there before the record counts.

Several processes may write to one journal: whoever writes holds its lock, reads what others wrote
since, and appends with a single write. A line that was cut short, by a crash or a full disk, is
ended before anything follows it, so that it spoils no other. Erasure writes the journal anew and
puts it in the old one's place in one step; each journal begins with a line of its own, by which
whoever had read the old one notices. A link is the file that it means, so that all who keep one
journal lock one file, and an erasure reaches it.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from recopersona.base.folders import flush_folder
from recopersona.errors import ArtifactError, ParameterError, shown

try:
    import fcntl

    _LOCKS = True
except ImportError:  # Windows: one process writes
    _LOCKS = False


_LONGEST_HEAD = 4_096


class News(NamedTuple):
    """What was read from a journal.

    lines    what each line says, None where it cannot be read
    anew     whether it is the whole journal, because another was put in its place
    shorter  whether it has lost lines that were read before
    """

    lines: list[Any]
    anew: bool
    shorter: bool = False


class Journal:
    """One journal, and how far it was read.

    Parameters
    ----------
    path : path
        Made where there is none, readable by its owner alone.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = _meant_by(path)
        self._read_to = 0
        self._head = b""  # of the file that was read; each has one of its own

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other writers out; readers need no lock."""
        lock = self.path.with_name(f"{self.path.name}.lock")
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as problem:
            raise self._unusable(problem) from problem
        try:
            if _LOCKS:
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)  # which opens the lock

    def news(self) -> News:
        """Return the whole lines that were written since the last time."""
        try:
            with self.path.open("rb") as file:
                head = file.readline(_LONGEST_HEAD)
                self._require_journal(head)
                shorter = head == self._head and os.fstat(file.fileno()).st_size < self._read_to
                anew = shorter or self._head not in (b"", head)
                start = 0 if anew else self._read_to
                file.seek(start)
                content = file.read()
        except FileNotFoundError:
            if self._head:
                raise ArtifactError(
                    f"the journal {self.path} is gone; put it back, or open another."
                ) from None
            return News([], anew=False)
        except OSError as problem:
            raise self._unusable(problem) from problem
        whole = content.rpartition(b"\n")[0]
        self._head, self._read_to = head, start + len(whole) + (b"\n" in content)
        said = [_said(line) for line in whole.split(b"\n") if line]
        return News([one for one in said if not _is_head(one)], anew, shorter)

    def _require_journal(self, head: bytes) -> None:
        """Refuse a file without a first line of ours in the place of one that had it."""
        if _is_head(_said(self._head)) and not _is_head(_said(head)):
            raise ArtifactError(
                f"the journal {self.path} was emptied, or another file is in its place; put it "
                "back, or open another."
            )

    def append(self, lines: Iterable[Any]) -> None:
        """Write lines, and have them on disk before returning; for whoever is `alone`."""
        data = b"".join(map(_line, lines))
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                end = os.fstat(handle).st_size
                if end == 0:
                    data = _fresh_head() + data
                elif os.pread(handle, 1, end - 1) != b"\n":  # a line that was cut short
                    data = b"\n" + data
                if os.write(handle, data) < len(data):
                    os.ftruncate(handle, end)
                    raise OSError("the disk is full")
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as problem:
            raise self._unusable(problem) from problem

    def pass_over(self) -> None:
        """Take all that is written for read; for whoever wrote it, and is `alone`."""
        with self.path.open("rb") as file:
            self._head = file.readline(_LONGEST_HEAD)
            self._read_to = os.fstat(file.fileno()).st_size

    def replace(self, lines: Iterable[Any]) -> None:
        """Put a journal of other lines in this one's place, in one step; for whoever is `alone`."""
        fresh = self.path.with_name(f"{self.path.name}.tmp")
        try:
            fresh.unlink(missing_ok=True)  # what a crash left, or a link that somebody laid
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                if self.path.exists():  # who may read it before may read it after
                    fresh.chmod(stat.S_IMODE(self.path.stat().st_mode))
                file.write(_fresh_head())
                file.writelines(map(_line, lines))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
            flush_folder(self.path.resolve().parent)
            self.pass_over()
        except OSError as problem:
            fresh.unlink(missing_ok=True)
            raise self._unusable(problem) from problem

    def _unusable(self, problem: OSError) -> ArtifactError:
        return ArtifactError(f"the journal {self.path} cannot be used: {problem}.")


def _meant_by(path: Any) -> Path:
    """Return the file that a path means, through all links."""
    try:
        found = Path(path).resolve() if path != "" else None
    except (TypeError, ValueError, OSError, RuntimeError):  # no path, no text of one, or a ring
        found = None
    if found is None:
        raise ParameterError(f"a journal needs the path of a file, got {shown(path)}.")
    return found


def _fresh_head() -> bytes:
    """Return a first line that no other journal has: the number of a file is given again."""
    return _line({"journal": secrets.token_hex(16)})


def _is_head(said: Any) -> bool:
    return isinstance(said, dict) and "journal" in said


def _line(said: Any) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def _said(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
