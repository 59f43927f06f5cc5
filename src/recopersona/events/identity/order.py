"""The order in which links count: by time, then event id, then the identifiers themselves.

It does not depend on the order in which they came, so neither do the profiles.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Mask
from recopersona.events.identity.links import Links, ProbableLinks
from recopersona.kernels.identity import date_links
from recopersona.kernels.ordering import order_of

Ranks = Callable[[Array], Array]
"""Numbers that order what codes stand for, as far as these codes go; below 2**31."""


class Order(NamedTuple):
    """Links in their order, and the age of identifiers that are first met in them.

    rows         int32 (n,), the links in order
    seen_higher  int64 (n,), in that order: the age of the identifier of higher priority
    seen_lower   int64 (n,), the age of the other
    moments      how many different (time, event id) there are
    """

    rows: Array
    seen_higher: Array
    seen_lower: Array
    moments: int


def in_order(links: Links, events: Ranks, identifiers: Ranks, first: int = 0) -> Order:
    """Put links in order.

    Parameters
    ----------
    links : Links
        Those of a row one behind the other, by priority.
    events : function
        Ranks of event ids.
    identifiers : function
        Ranks of identifiers, by priority and value.
    first : int
        The number of the first moment.
    """
    rows, same = _by_time(links)
    n = len(rows)
    fresh = ~same
    higher = lower = np.empty(0, np.int64)
    tied = _tied(same, links.row_[rows])
    if tied.any():
        places = np.flatnonzero(tied)
        one = links.take(rows[places])
        ranks = _ranks_of_both(identifiers, one.higher_, one.lower_)
        runs = np.cumsum(fresh)[places]
        event_ranks = events(one.event_)
        within = np.lexsort((ranks[1], ranks[0], event_ranks, runs))
        rows[places] = rows[places][within]
        event, higher, lower = np.zeros((3, n), np.int64)
        lower[:] = np.arange(1, n + 1)
        event[places] = event_ranks[within]
        higher[places], lower[places] = ranks[0][within], ranks[1][within]
        fresh[1:] |= event[1:] != event[:-1]
    seen_higher, seen_lower = np.empty(n, np.int64), np.empty(n, np.int64)
    moments = date_links(seen_higher, seen_lower, fresh.view(np.uint8), higher, lower, first)
    return Order(rows, seen_higher, seen_lower, moments)


def event_ranks(ids: Array, codes: Array) -> Array:
    """Return the ranks of event ids: none, then numbers by size, then texts, then all else.

    A text of digits is a number, so that ``"9"`` comes before ``"10"`` wherever it was read from.

    Examples
    --------
    >>> event_ranks(np.array(["b", "10", 9], dtype=object), np.array([0, 1, 2, -1])).tolist()
    [3, 2, 1, 0]
    """
    used, places = np.unique(codes, return_inverse=True)
    keys = [_event_key(ids[code]) if code >= 0 else (0, 0) for code in used.tolist()]
    return ranks_of(keys)[places]


def ranks_of(keys: list[Any]) -> Array:
    """Return the ranks of keys, equal ones of equal keys.

    Examples
    --------
    >>> ranks_of(["b", "a", "b"]).tolist()
    [1, 0, 1]
    """
    rank = {key: place for place, key in enumerate(sorted(set(keys)))}
    return np.fromiter(map(rank.__getitem__, keys), np.int64, count=len(keys))


def since_ever_first(times: Array) -> Array:
    """Return times in which those missing are just before all others."""
    missing = times == MISSING_TIME
    if not missing.any():
        return times
    present = times[~missing]
    return np.where(missing, present.min() - 1 if len(present) else 0, times)


def _event_key(value: Any) -> tuple[int, Any]:
    if isinstance(value, str):
        return (1, int(value)) if value.isdecimal() and value.isascii() and len(value) < 20 else (
            2, value
        )  # fmt: skip
    return (1, value) if isinstance(value, Real) else (3, repr(value))


def _by_time(links: Links) -> tuple[Array, Mask]:
    """Return the links by time, and which of them have the time of the one before."""
    times = since_ever_first(links.time_)
    if isinstance(links, ProbableLinks):
        rows = np.lexsort((times, -links.probability_)).astype(np.int32)
        falls = np.diff(links.probability_[rows]) != 0
        differs = falls | (np.diff(times[rows]) != 0)
    elif (times[1:] >= times[:-1]).all():
        rows, differs = np.arange(len(times), dtype=np.int32), times[1:] != times[:-1]
    else:
        rows, ordered = order_of(times)
        differs = ordered[1:] != ordered[:-1]
    same = np.zeros(len(rows), np.bool_)
    np.logical_not(differs, out=same[1:])
    return rows, same


def _tied(same: Mask, row: Array) -> Mask:
    """Tell the links whose time is also that of a link of another row."""
    contested = np.zeros(len(same), np.bool_)
    np.not_equal(row[1:], row[:-1], out=contested[1:])
    contested &= same
    if not contested.any():
        return contested
    run = np.cumsum(~same)
    is_tied = np.zeros(int(run[-1]) + 1, np.bool_)
    is_tied[run[contested]] = True
    tied: Mask = is_tied[run]
    return tied


def _ranks_of_both(identifiers: Ranks, higher: Array, lower: Array) -> tuple[Array, Array]:
    ranks = identifiers(np.concatenate((higher, lower)))
    return ranks[: len(higher)], ranks[len(higher) :]
