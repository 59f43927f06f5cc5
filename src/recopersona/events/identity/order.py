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
from recopersona.kernels.ordering import order_of

Ranks = Callable[[Array], Array]
"""Numbers that order what codes stand for, as far as these codes go; below 2**31."""


class Order(NamedTuple):
    """Links in the order in which they count.

    links  those given
    met    int32, identifiers in the order in which they are met, -1 among them for none; empty
           where that is the order of the links, of each the higher one first
    """

    links: Links
    met: Array


def in_order(links: Links, events: Ranks, identifiers: Ranks) -> Order:
    """Put links in order.

    Parameters
    ----------
    links : Links
        Those of a row one behind the other, by priority.
    events : function
        Ranks of event ids.
    identifiers : function
        Ranks of identifiers, by priority and value.
    """
    links, same = _by_time(links)
    tied = _tied(same, links.row_)
    if not tied.any():
        return Order(links, np.empty(0, np.int32))
    places = np.flatnonzero(tied)
    one = links.take(places)
    ranks = _ranks_of_both(identifiers, one.higher_, one.lower_)
    runs, event = np.cumsum(~same)[places], events(one.event_)
    within = np.lexsort((ranks[1], ranks[0], event, runs))
    rows = np.arange(len(links), dtype=np.int32)
    rows[places] = places[within]
    links = links.take(rows)
    moment = (runs[within], event[within])
    falls = np.any([part[1:] != part[:-1] for part in moment], axis=0)
    moments = np.append(0, np.cumsum(falls))
    return Order(links, _met(links, places, moments, np.column_stack(ranks)[within]))


def _met(links: Links, places: Array, moments: Array, ranks: Array) -> Array:
    """Say who is met when: of those of one moment it is the rank that says it, not the link.

    places   (n,), the links that share their moment with those of other rows
    moments  (n,), ascending
    ranks    (n, 2), of either end
    """
    met = np.column_stack((links.higher_, links.lower_))
    turn = np.lexsort((ranks.reshape(-1), np.repeat(moments, 2)))
    met[places] = met[places].reshape(-1)[turn].reshape(-1, 2)
    return met.reshape(-1)


def event_ranks(ids: Array, codes: Array) -> Array:
    """Return the ranks of event ids: none, then numbers by size, then texts, then all else.

    A text of digits is a number, so that ``"9"`` comes before ``"10"`` wherever it was read from.

    Examples
    --------
    >>> event_ranks(np.array(["b", "10", 9], dtype=object), np.array([0, 1, 2, -1])).tolist()
    [3, 2, 1, 0]
    """
    used, places = np.unique(codes, return_inverse=True)
    return ranks_of([event_key(ids, code) for code in used.tolist()])[places]


def event_key(ids: Array, code: int) -> tuple[int, Any]:
    """Return what orders events of one time: see `event_ranks`.

    Examples
    --------
    >>> event_key(np.array(["b", "10"], dtype=object), 1)
    (1, 10)
    """
    return _key_of(ids[code]) if code >= 0 else (0, 0)


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


def _key_of(value: Any) -> tuple[int, Any]:
    if isinstance(value, str):
        return (1, int(value)) if value.isdecimal() and value.isascii() and len(value) < 20 else (
            2, value
        )  # fmt: skip
    return (1, value) if isinstance(value, Real) else (3, repr(value))


def _by_time(links: Links) -> tuple[Links, Mask]:
    """Return the links by time, and which of them have the time of the one before."""
    times = since_ever_first(links.time_)
    if isinstance(links, ProbableLinks):
        rows = np.lexsort((times, -links.probability_)).astype(np.int32)
        links, times = links.take(rows), times[rows]
        differs = (np.diff(links.probability_) != 0) | (np.diff(times) != 0)
    elif (times[1:] >= times[:-1]).all():
        differs = times[1:] != times[:-1]
    else:
        rows, times = order_of(times)
        links, differs = links.take(rows), times[1:] != times[:-1]
    same = np.zeros(len(links), np.bool_)
    np.logical_not(differs, out=same[1:])
    return links, same


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
