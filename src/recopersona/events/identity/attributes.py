"""Tables of attributes that come from elsewhere, keyed by an identifier: one row per profile."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.parameters import check, one_of
from recopersona.data.columns import as_pandas, like, require_columns
from recopersona.data.gate import EventGate
from recopersona.data.times import to_ms
from recopersona.data.types import Mask
from recopersona.errors import DataError
from recopersona.events.called import parted
from recopersona.events.identity.resolving import Resolving
from recopersona.kernels.identity import ANYBODY

CONFLICTS = ("recent", "first")
"""What counts where a table says two things of one person."""


class Joining(Resolving):
    """The part of an `IdentityGraph` that joins tables from elsewhere to profiles."""

    def attributes(
        self,
        table: Any,
        kind: str,
        *,
        conflicts: str = "recent",
        gate: EventGate | None = None,
        purpose: str = "third_party",
    ) -> Any:
        """Join attributes that are keyed by one kind of identifier: one row per profile.

        What comes out is ready for ``Dataset.from_frames(events, users=...)``, with events that
        `resolve` named. Each attribute of a profile is the latest that is known of it, or the
        first: by ``timestamp`` where the table has such a column, else by the order of its rows.
        Rows of identifiers that the graph never met are left out, and so are those of shared ones.
        Nothing is linked by it: to link the identifiers of a table, `update` the graph with it.

        Parameters
        ----------
        table : dataframe
            A column of identifiers, and attributes. Other columns that are identifiers, and
            ``timestamp``, are no attributes and left out. It is never changed.
        kind : str
            The column of identifiers, such as ``"ramp_id"``.
        conflicts : {"recent", "first"}
            What counts where rows of one profile say different things.
        gate : EventGate, optional
            Who may be known: each row passes it, by its identifier and its profile, at present.
        purpose : str
            What is asked of the gate. A `ConsentLedger` must know it:
            ``ConsentLedger(..., purposes=["third_party"])``.

        Returns
        -------
        dataframe
            Of the caller's kind: ``user_id``, and the attributes. What became of the rows tells
            ``counts_``, by words that begin with ``attributes:``.

        Raises
        ------
        ColumnError
            If the column is missing or there twice.
        DataError
            If there is no such kind, or a time cannot be read.
        ParameterError
            If an argument is out of its bounds.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> graph = IdentityGraph().update({"user_id": "anna", "ramp_id": "XY1"})
        >>> bought = pd.DataFrame({"ramp_id": ["XY1", "XY1", "ZZ9"], "band": ["30", "40", "20"]})
        >>> graph.attributes(bought, "ramp_id")
                user_id band
        0  user_id:anna   40
        """
        check(conflicts, one_of(*CONFLICTS), "attributes", "conflicts")
        if not isinstance(gate, EventGate | None):
            raise DataError(f"attributes: gate must be an EventGate, got {type(gate).__name__}.")
        frame = as_pandas(table, "the table")
        with self._lock:
            self._begin()
            self._kinds.code(kind)
            require_columns(frame[:0], [kind], "the table")
            own = [name for name in self.register_.kinds_ if name in frame.columns]
            counts: Counter[str] = Counter()
            names = self._profiles_of(frame[[kind]], counts)
        if gate is not None:
            names = names[_passed(gate, names, purpose, kind, counts)]
        attributes = frame.drop(columns=own).take(names.index.to_numpy())
        users, told = one_row_each(attributes, names["profile"], conflicts)
        for word, n in (counts + told).items():  # what is none is not said
            word = f"attributes: {word}"
            self.tally_[word] = self.tally_.get(word, 0) + n
        return like(users, table)

    def _profiles_of(self, column: pd.DataFrame, counts: Counter[str]) -> pd.DataFrame:
        """Return the profile and the identifier of each row that has one, by the row's number."""
        asked = self._asked(column, times=False)
        answer = self._by_profile(asked, None)
        codes = asked.codes[:, 0]
        met = np.append(self._now()[0].parent >= 0, np.zeros(len(asked.strangers) + 1, np.bool_))
        known, shared = met[codes], answer.standing == ANYBODY
        counts["rows"] = len(codes)
        counts["no identifier"] = int((codes < 0).sum())
        counts["shared"] = int((known & shared).sum())
        counts["unknown"] = int((~known & (codes >= 0)).sum())
        rows = np.flatnonzero(known & ~shared)
        names, places = self._distinct_names(asked, answer)
        listed = np.array([*names, None], object)
        own = self.register_.names_.ids.astype(object)[codes[rows]]
        return pd.DataFrame({"profile": listed[places[rows]], "identifier": own}, index=rows)


def _passed(
    gate: EventGate, names: pd.DataFrame, purpose: str, kind: str, counts: Counter[str]
) -> Mask:
    """Ask a gate about each row: by its own identifier, and by the name of its profile."""
    who = pd.DataFrame(
        {
            "user_id": names["profile"],
            kind: [parted(name)[1] for name in names["identifier"]],
        },
        index=names.index,
    )
    may: Mask = names.index.isin(gate.kept(who, purpose).index)
    counts["refused"] = int((~may).sum())
    return may


def one_row_each(
    table: pd.DataFrame, profiles: pd.Series, conflicts: str
) -> tuple[pd.DataFrame, Counter[str]]:
    """Return the known values of each profile, and in how many profiles rows say different things.

    Parameters
    ----------
    table : DataFrame (n,)
        The attributes, and the column ``timestamp`` where there is one.
    profiles : Series (n,)
        Whose each row is, none missing.
    conflicts : {"recent", "first"}
        Of several known values the latest counts, or the first: by time, else by their order.
    """
    table, profiles = _in_time(table.reset_index(drop=True), profiles.reset_index(drop=True))
    grouped = table.groupby(profiles.to_numpy(), sort=False)
    chosen = grouped.last() if conflicts == "recent" else grouped.first()
    counts = Counter(profiles=len(chosen), conflicts=_n_conflicts(table, profiles, chosen))
    return chosen.rename_axis("user_id").reset_index(), counts


def _n_conflicts(table: pd.DataFrame, profiles: pd.Series, chosen: pd.DataFrame) -> int:
    """Count the profiles of which one row says something else than another."""
    several = profiles.duplicated(keep=False).to_numpy()
    table, profiles = table[several], profiles[several]
    place = chosen.index.get_indexer(pd.Index(profiles))
    conflicting: set[str] = set()
    for name in table.columns:
        known = table[name].notna().to_numpy()
        stated = table[name][known].tolist()
        taken = chosen[name].take(place[known]).tolist()
        pairs = zip(profiles[known], stated, taken, strict=True)
        conflicting.update(whose for whose, one, other in pairs if one != other)
    return len(conflicting)


def _in_time(table: pd.DataFrame, profiles: pd.Series) -> tuple[pd.DataFrame, pd.Series]:
    """Put rows in order of time, those without one first, and leave the time out."""
    if "timestamp" not in table.columns:
        return table, profiles
    order: Any = np.argsort(to_ms(table["timestamp"]), kind="stable")
    return table.drop(columns="timestamp").take(order), profiles.take(order)
