"""Everything that a shop holds of people, in one place: to erase it, to tell it, to let it go."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from recopersona.base.holdings import as_json
from recopersona.data.times import as_text, duration_ms, moment_ms
from recopersona.data.types import Id
from recopersona.errors import DataError, RecopersonaError
from recopersona.events.secret import Secret
from recopersona.operations.holders import (
    Erasing,
    Holder,
    LogHolder,
    failing_aside,
    masked,
)
from recopersona.operations.logs.kept_log import KeptLog
from recopersona.operations.person import USER, Person, given_identifiers
from recopersona.operations.places import Places, the_graph, the_ledger
from recopersona.operations.receipts import ErasureReceipt, HolderReceipt, RetentionReport
from recopersona.operations.retention import let_go
from recopersona.operations.verifying import left_of, shared_by


class PersonalData:
    """Erase a person, or tell what is held of one, everywhere at once.

    Parameters
    ----------
    holders : mapping from name to object, optional
        Models, pipelines, features and streams in memory: whatever has ``forget(ids)``.
    models : iterable of paths, optional
        Saved models, or globs: each is loaded, changed and saved in one step.
    logs : iterable of paths or KeptLog, optional
        Event logs on disk, or globs: CSV, JSON lines, Parquet, ``.gz`` or not. What their columns
        are called says a `KeptLog`.
    identity : IdentityGraph, optional
        Knows all identifiers of a person, of whom one is given.
    consent : ConsentLedger, optional
        Remembers salted hashes of who was erased, and refuses late events of theirs.
    searched : iterable of paths, optional
        Further files or folders that are only searched afterwards, such as a server's own log.
    refit_within : duration
        How much later models are to be fitted anew that a person taught what cannot be subtracted.
    key : bytes or str, at least 16 bytes, optional
        Makes the references in receipts: with it, `reference` tells which receipts are a person's.
        By default they are salted at random, and nobody can tell.
    functions : iterable of functions, optional
        What `load` needs to read the saved models.

    Raises
    ------
    DataError
        If a holder has no ``forget``.
    ParameterError
        If ``refit_within`` is no duration, or the key is short.

    Notes
    -----
    Files are looked up anew at every call, so that what was rotated or saved since is seen. A link
    is the file that it means. Logs are read and written by pieces, and never while somebody else
    writes to them: that is noticed, and told as a problem. What stays keeps its bytes (CSV, JSON
    lines), or its types and compression (Parquet).

    ``recommend`` may go on in other threads meanwhile: whoever is being erased is answered as
    before or as a stranger. What learns (``fit``, ``partial_fit``, ``update``) must not.

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.models.popularity import Popularity
    >>> log = pd.DataFrame({"user_id": ["u-17", "u-18"], "item_id": ["tea", "salt"]})
    >>> home = Popularity().fit(log)
    >>> personal = PersonalData(holders={"home": home})
    >>> receipt = personal.erase("u-17", at="2026-07-01")
    >>> receipt.status, receipt.verified, receipt.held, "u-17" in home.users_
    ('complete', True, 1, False)
    """

    def __init__(
        self,
        *,
        holders: Mapping[str, Any] | None = None,
        models: Iterable[str | Path] = (),
        logs: Iterable[str | Path | KeptLog] = (),
        identity: Any = None,
        consent: Any = None,
        searched: Iterable[str | Path] = (),
        refit_within: str = "30d",
        key: bytes | str | None = None,
        functions: Iterable[Callable[..., Any]] = (),
    ) -> None:
        duration_ms(refit_within, "refit_within")
        self._places = Places(holders or {}, models, logs, searched, functions)
        self._consent, self._identity = the_ledger(consent), the_graph(identity)
        self._graph = identity
        self._refit_within = refit_within
        self._secret = Secret.of(secrets.token_bytes(32) if key is None else key, "PersonalData")

    def __repr__(self) -> str:
        places = self._places
        return (
            f"PersonalData({len(places.live)} in memory, {len(places.models)} saved, "
            f"{len(places.logs)} logs, consent={bool(self._consent)}, "
            f"identity={bool(self._identity)})"
        )

    def reference(self, subject: Any) -> str:
        """Return the word by which receipts call a subject; with a ``key``, always the same."""
        return Person(given_identifiers(subject)).reference(self._secret)

    # -- erasing -----------------------------------------------------------------------------

    def erase(self, subject: Any, *, at: Any = None) -> ErasureReceipt:
        """Remove a person, or several, from everything; say what was done.

        The ledger comes first, so that nothing new enters. Then every holder does its part; one
        that fails does not stop the others, and the receipt says why. The graph of identities goes
        last, and only when all others have done theirs: as long as anything is left to do, it knows
        what to look for. So whoever was interrupted, or got an incomplete receipt, calls `erase`
        again with the same subject; what is done already changes nothing.

        Parameters
        ----------
        subject : id, mapping from kind to identifiers, or an iterable of them
            A user id or the name of a profile; or such as ``{"email": HASH}``; or several people,
            for whom files are read once.
        at : datetime, str or int, optional
            Now; by default the latest moment that a holder in memory has heard of.

        Returns
        -------
        ErasureReceipt

        Raises
        ------
        DataError
            If nobody is named, or ``at`` is no moment.
        """
        person = self._person(subject)
        moment = self._latest() if at is None else moment_ms(at, "at")
        asked = Erasing(person, moment, self._refit_within)
        done: list[HolderReceipt] = []
        first, last = self._in_order(done)
        for holder in first:
            self._erase_one(holder, asked, done)
        if any(one.problem is not None for one in done):
            done += [holder.receipt(problem=_WAITS) for holder in last]
        else:
            for holder in last:
                self._erase_one(holder, asked, done)
        return self._receipt(subject, asked, [*first, *last], done)

    def _in_order(self, failed: list[HolderReceipt]) -> tuple[list[Holder], list[Holder]]:
        """Return all holders, those that know who is who apart: they go last."""
        found = self._places.found(failed)
        graphs = [holder for holder in found if holder.knows_identities]
        others = [holder for holder in found if not holder.knows_identities]
        return [*self._consent, *others], [*graphs, *self._identity]

    @staticmethod
    def _erase_one(holder: Holder, asked: Erasing, done: list[HolderReceipt]) -> None:
        with failing_aside(holder, done):
            done.append(holder.erase(asked))

    def _receipt(
        self, subject: Any, asked: Erasing, holders: list[Holder], done: list[HolderReceipt]
    ) -> ErasureReceipt:
        person = asked.person
        left: list[str] = []
        if all(one.problem is None for one in done):
            try:
                left = left_of(person, holders, self._places.searched)
            except RecopersonaError as problem:  # what cannot be looked into is not verified
                left = [str(problem)]
            except Exception as problem:  # noqa: BLE001 - whatever fails, the receipt tells
                left = [f"{type(problem).__name__}: {problem}"]
        return ErasureReceipt(
            subject=self.reference(subject),
            at=as_text(asked.at),
            identifiers={kind: len(own) for kind, own in person.identifiers.items()},
            holders=tuple(masked(one, person) for one in done),
            found=tuple(map(person.masked, left)),
            shared=len(shared_by(holders)),
            by_value_alone=person.needles.n_by_value_alone,
        )

    # -- telling -----------------------------------------------------------------------------

    def export(self, subject: Any) -> dict[str, Any]:
        """Return everything that is held of a person, ready for JSON; times are in UTC.

        Parameters
        ----------
        subject : id, mapping from kind to identifiers, or an iterable of them
            As in `erase`.

        Returns
        -------
        dict
            ``identifiers`` by kind; ``consent`` records; ``identity``, links and merges; of every
            holder in ``live`` and ``saved`` what it holds; of every file in ``logs`` the rows, as
            they are written. Who holds nothing is not in it.

        Raises
        ------
        DataError
            If nobody is named, or something cannot be read: half an answer would be a wrong one.

        Examples
        --------
        >>> import pandas as pd
        >>> from recopersona.models.popularity import Popularity
        >>> home = Popularity().fit(pd.DataFrame({"user_id": ["u-17"], "item_id": ["tea"]}))
        >>> told = PersonalData(holders={"home": home}).export("u-17")
        >>> told["identifiers"], list(told["live"])
        ({'user_id': ['u-17']}, ['home'])
        """
        person = self._person(subject)
        failed: list[HolderReceipt] = []
        first, last = self._in_order(failed)
        if failed:
            raise DataError(f"the export would not be complete: {failed[0].problem}")
        told: dict[str, Any] = {"identifiers": person.identifiers}
        for holder in [*first, *last]:
            held = holder.held_of(person)
            if not held:
                continue
            if holder.kind in ("consent", "identity"):
                told[holder.kind] = held
            else:
                told.setdefault(_SHELVES[holder.kind], {})[holder.name] = held
        ready: dict[str, Any] = as_json(told)
        return ready

    # -- letting go --------------------------------------------------------------------------

    def retain(self, age: Any, *, now: Any = None) -> RetentionReport:
        """Keep what is at most so old, and let all else go: rows, links, decisions, records.

        What a model learned of older events stays in it until it is fitted anew; the report says
        of which models, and by when. A row that says no time stays, and is counted.

        Parameters
        ----------
        age : duration
            Such as ``"400d"``.
        now : datetime, str or int, optional
            By default the latest moment of all logs and holders, never the clock on the wall.

        Returns
        -------
        RetentionReport

        Raises
        ------
        ParameterError
            If the age is no duration.
        DataError
            If nobody says what time it is.
        """
        span = duration_ms(age, "age")
        failed: list[HolderReceipt] = []
        first, last = self._in_order(failed)
        holders = [*first, *last]
        moment = self._end_of_data(holders) if now is None else moment_ms(now)
        if moment is None:
            raise DataError("nothing says how late it is; write retain(age, now='2026-11-01').")
        report = RetentionReport(as_text(moment - span) or "", {})
        for holder in holders:
            with failing_aside(holder, failed):
                aged = let_go(holder, moment - span)
                report.removed[holder.name] = aged.removed
                if aged.timeless:
                    report.timeless[holder.name] = aged.timeless
                if aged.learned_older:
                    due = moment + duration_ms(self._refit_within)
                    report.refit_by[holder.name] = as_text(due) or ""
        report.problems.update({one.holder: one.problem or "" for one in failed})
        return report

    # -- who and when ------------------------------------------------------------------------

    def _person(self, subject: Any) -> Person:
        """Return all identifiers of whoever is named."""
        given = given_identifiers(subject)
        if self._graph is None:
            return Person(given)
        known: dict[str, list[Id]] = {kind: list(own) for kind, own in given.items()}
        names: dict[Id, None] = {}
        lent: list[Id] = []
        for name in self._profiles(given):
            names[name] = None
            names.update(dict.fromkeys(self._graph.names_of(name)))
            members = self._members(name)
            for kind, value in members:
                known.setdefault(kind, []).append(value)
            if all(name != f"{kind}:{value}" for kind, value in members):
                lent.append(name)
        if lent:  # such a name was given of the profile, and never means the device
            known[USER] = [one for one in known.get(USER, ()) if one not in lent]
        return Person(known, names, lent)

    def _profiles(self, given: Mapping[str, list[Id]]) -> list[str]:
        """Return the names of profiles that identifiers, or names of profiles, belong to."""
        found: dict[str, None] = {}
        for kind, values in given.items():
            for value in values:
                name = self._profile_of(kind, value)
                if name is None and kind == USER and self._members(value):
                    name = str(value)
                if name is not None:
                    found[name] = None
        return list(found)

    def _profile_of(self, kind: str, value: Id) -> str | None:
        try:
            name: str | None = self._graph.profile_of(**{kind: value})
        except RecopersonaError:  # of a kind that it does not know, it knows nobody
            return None
        return name

    def _members(self, name: Id) -> list[tuple[str, Id]]:
        try:
            members: list[tuple[str, Id]] = self._graph.members(name)
        except RecopersonaError:  # there is no such profile
            return []
        return members

    def _latest(self) -> int | None:
        """Return the latest moment that a holder in memory has heard of, in milliseconds."""
        told = [
            moment
            for holder in self._places.live
            for name in ("clock_", "end_")
            if isinstance(moment := getattr(holder.held, name, None), int)
        ]
        return max(told, default=None)

    def _end_of_data(self, holders: Iterable[Holder]) -> int | None:
        logs = (holder.file.latest() for holder in holders if isinstance(holder, LogHolder))
        return max((one for one in (*logs, self._latest()) if one is not None), default=None)


_SHELVES = {"live": "live", "saved": "saved", "log": "logs"}
_WAITS = "waits until all others have done their part; call erase again"
