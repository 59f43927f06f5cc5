"""What users leave behind who are forgotten: what they taught that could not be taken back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from recopersona.base.parameters import check, optional, whole
from recopersona.data.history import History
from recopersona.data.times import as_text, duration_ms, moment_ms
from recopersona.data.types import Array, Indices
from recopersona.errors import DataError

REFIT_WITHIN = "30d"
"""By when a model must be fitted anew that users taught who were forgotten, unless one says."""


@dataclass(frozen=True)
class Stale:
    """What forgotten users taught and what could not be subtracted: it stays until the next fit.

    Parameters
    ----------
    since : int or None
        When the first of them was forgotten, in milliseconds; None where nobody knows the time.
    refit_by : int or None
        By when the model must be fitted anew, in milliseconds.
    n_users : int
        How many they are.
    parts : tuple of str
        What they taught, by the names of attributes; of a part inside, ``"als.item_factors_"``.

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.models.neighbors import ItemKNN
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": list("abab"),
    ...                     "timestamp": "2026-01-01"})
    >>> model = ItemKNN().fit(log)
    >>> model.forget([1], refit_within="7d")
    1
    >>> model.stale_
    Stale(since='2026-01-01T00:00:00Z', refit_by='2026-01-08T00:00:00Z', n_users=1, \
parts=('bounds_', 'neighbors_', 'weights_'))
    >>> model.stale_.is_due(moment_ms("2026-01-09"))
    True
    """

    since: int | None
    refit_by: int | None
    n_users: int
    parts: tuple[str, ...]

    @classmethod
    def after(cls, n_users: int, at: Any, refit_within: Any, parts: Iterable[str] = ()) -> Stale:
        """Say what is stale since users were forgotten at a moment, and by when to fit anew."""
        since = None if at is None else moment_ms(at, "at")
        span = duration_ms(refit_within, "refit_within")
        return cls(since, None if since is None else since + span, n_users, tuple(parts))

    def is_due(self, now: int | None) -> bool:
        """Tell whether the time for a refit is over; where nobody knows the time it never is."""
        return self.refit_by is not None and now is not None and now > self.refit_by

    def in_words(self) -> str:
        """Say by when and why the model had to be fitted anew."""
        who = "1 user was" if self.n_users == 1 else f"{self.n_users:,} users were"
        return f"this model was due to be fitted anew by {as_text(self.refit_by)}: {who} forgotten"

    def joined(self, later: Stale) -> Stale:
        """Return what is stale after others were forgotten, too: the first deadline stays."""
        return Stale(
            _earliest(self.since, later.since),
            _earliest(self.refit_by, later.refit_by),
            self.n_users + later.n_users,
            tuple(dict.fromkeys((*self.parts, *later.parts))),
        )

    def __repr__(self) -> str:
        since, refit_by = as_text(self.since), as_text(self.refit_by)
        return (
            f"{type(self).__name__}(since={since!r}, refit_by={refit_by!r}, "
            f"n_users={self.n_users}, parts={self.parts!r})"
        )


class Gone(NamedTuple):
    """Users who are being forgotten, and what they did.

    users  (n,) int32, each once
    past   of these users alone, numbered in their order
    stale  of what cannot be taken back
    """

    users: Indices
    past: History
    stale: Stale

    @classmethod
    def of(
        cls, users: Indices, past: History, at: Any, refit_within: Any, n: int | None = None
    ) -> Gone:
        """Take out what some users did; ``n`` says how many are gone, where not these.

        Raises
        ------
        ParameterError
            If ``at`` is no moment, or ``refit_within`` no duration.
        """
        stale = Stale.after(len(users) if n is None else n, at, refit_within)
        return cls(users, past.renumbered(users), stale)

    @property
    def items(self) -> Indices:
        """The items that they had to do with, int32, ascending."""
        items: Indices = np.unique(self.past.arrays()["pair_items"])
        return items

    def left_in(self, before: Stale | None, parts: Iterable[str]) -> Stale | None:
        """Return what is stale where these parts could not be taken back."""
        named = tuple(parts)
        if not named:
            return before
        now = Stale(self.stale.since, self.stale.refit_by, self.stale.n_users, named)
        return now if before is None else before.joined(now)


def require_stale(stale: Any, owner: str) -> None:
    """Refuse what was read from a file and is no account of what is stale."""
    if stale is None:
        return
    if not isinstance(stale, Stale):
        raise DataError(f"{owner}: stale_ must say what is stale, got {type(stale).__name__}.")
    moment = optional(whole(-(2**62), 2**62))
    check(stale.since, moment, owner, "stale_.since")
    check(stale.refit_by, moment, owner, "stale_.refit_by")
    check(stale.n_users, whole(1, 2**62), owner, "stale_.n_users")
    parts: Any = stale.parts
    if not isinstance(parts, tuple) or not all(isinstance(name, str) for name in parts):
        raise DataError(f"{owner}: stale_.parts must be names.")


def without_rows(table: Array, rows: Indices) -> Array:
    """Return a table with zeros in some rows, of which some may lie behind its end."""
    blank = table.copy()
    blank[rows[rows < len(blank)]] = 0
    return blank


def _earliest(one: int | None, other: int | None) -> int | None:
    known = [moment for moment in (one, other) if moment is not None]
    return min(known, default=None)
