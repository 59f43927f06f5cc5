"""What is on record, in memory and in a journal: read by anybody, written by one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any, Self

import numpy as np

from recopersona.base.own_lock import OwnLock
from recopersona.base.part import Part
from recopersona.data.times import integer_to_ms, moment_ms
from recopersona.errors import DataError
from recopersona.events.consent.entries import Entries
from recopersona.events.consent.journal import Journal
from recopersona.events.consent.lines import Line, lines_of, with_lines
from recopersona.events.consent.purposes import Purposes
from recopersona.events.consent.tombstones import ALWAYS
from recopersona.events.consent.whose import Whose


class Keeping(Part):
    """The part of a `ConsentLedger` that keeps records, and their journal."""

    entries_: Entries
    counts: Counter[str]
    _purposes: Purposes
    _whose: Whose
    _lock: OwnLock
    _counting: OwnLock
    _journal: Journal | None

    def journal(self, path: str | PathLike[str]) -> Self:
        """Keep every record in a file from now on, and begin with what is in it.

        Each record is on disk before `record` returns. Several processes may keep one journal:
        whoever records reads first what the others wrote; `refresh` reads it without recording. A
        line that a crash cut short, and whatever else cannot be read, is counted
        (``"journal: unreadable line"``); so are records of somebody erased, which an old copy may
        hold (``"journal: record of somebody erased"``), and a journal that lost lines
        (``"journal: shorter than before"``). Erasure writes the file anew.

        Parameters
        ----------
        path : path
            A file of JSON lines, made where there is none; ``path.lock`` lies beside it. A link is
            the file that it means.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If the ledger has records of its own, and the file has some, too.
        ParameterError
            If it is no path.
        ArtifactError
            If the file cannot be used; later, if it is gone or emptied.

        Examples
        --------
        >>> from recopersona.events.consent.ledger import ConsentLedger
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "consent.jsonl")
        ...     ledger = ConsentLedger(unknown="denied").journal(path)
        ...     ledger.record("anna", "ads", "denied", "2026-03-01")
        ...     ConsentLedger(unknown="denied").journal(path).state_at("anna", "ads")
        'denied'
        """
        journal = Journal(path)
        with self._lock, journal.alone():
            own = lines_of(self.entries_, self._purposes)
            news = journal.news()
            if news.lines and own:
                raise DataError(
                    "this ledger has records of its own, and so has the journal; open it with a "
                    "new ConsentLedger(unknown=...).journal(path)."
                )
            self._journal = journal
            self._apply(news.lines, self.entries_)
            if own:
                journal.append(own)
                journal.pass_over()
        return self

    def refresh(self) -> Self:
        """Read what other processes wrote into the journal since.

        Raises
        ------
        DataError
            If there is no journal.
        """
        with self._lock:
            if self._journal is None:
                raise DataError("this ledger has no journal to read; call ledger.journal(path).")
            self._catch_up()
        return self

    # -- writing -------------------------------------------------------------------------------

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Be the only one who writes, in this process and in all that keep the journal."""
        with self._lock:
            if self._journal is None:
                yield
                return
            with self._journal.alone():
                self._catch_up()
                yield

    def _catch_up(self) -> None:
        assert self._journal is not None  # noqa: S101
        news = self._journal.news()
        if news.shorter:
            self._count("journal: shorter than before", 1)
        self._apply(news.lines, Entries() if news.anew else self.entries_)

    def _publish(self, lines: list[Line]) -> None:
        """Have lines count: on disk first, where there is a journal; for whoever is `_writing`."""
        if self._journal is None:
            self._apply(lines, self.entries_)
        elif lines:
            self._journal.append(lines)
            self._catch_up()

    def _apply(self, lines: Sequence[Any], entries: Entries) -> None:
        self.entries_, odd = with_lines(entries, lines, self._purposes)
        for what, n in odd.items():
            self._count(what, n)

    def _is_erased(self, name: str) -> bool:
        tombstones = self.entries_.tombstones_
        return bool(tombstones) and tombstones.until(name) == ALWAYS

    def _count(self, what: str, n: int) -> None:
        with self._counting:
            self.counts[what] += n


def said_at(at: Any) -> int:
    """Return a moment in milliseconds; an integer's size tells its unit, as that of an event."""
    if isinstance(at, (int, np.integer)) and not isinstance(at, bool):
        known = integer_to_ms(int(at))
        if known is not None:
            return known
    return moment_ms(at, "at")
