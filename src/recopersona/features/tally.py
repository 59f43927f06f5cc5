"""What is counted, for whom, and for how long: the measures that features are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from recopersona.data.event import EVENT_TYPES, event_code
from recopersona.data.times import duration_ms
from recopersona.data.types import Array
from recopersona.errors import ParameterError, hint
from recopersona.kernels.signals import FACTS, LARGEST, SMALLEST, SUM

EVENT_PARTS = ("payment_method", "device", "page")
"""Parts of a key that an event says of itself; all others are attributes of its item."""

_KEEPS = {"sum": SUM, "largest": LARGEST, "smallest": SMALLEST}
_KEEP_WORDS = {"sum": "sum", "largest": "latest", "smallest": "first"}


@dataclass(frozen=True)
class Tally:
    r"""A sum of facts of the events that share a key, each the less the older it is.

    .. math:: T_k(t) = \sum_{e:\ key(e) = k,\ t_e < t} w_{kind(e)} \cdot x_e
        \cdot 2^{-(t - t_e) / half\_life}

    Parameters
    ----------
    *key : str
        At most two of ``"user"``, ``"item"``, ``"price_band"``, an attribute of items such as
        ``"category"``, or ``"payment_method"``, ``"device"``, ``"page"``. None at all counts the
        whole shop.
    fact : str
        What is summed: ``"events"`` (1 each), ``"weight"``, ``"quantity"``, ``"money"``,
        ``"log_price"``, ``"log_price_squared"``, ``"dwell"`` (seconds), ``"scroll"`` (0 to 1),
        ``"time"`` (days since 1970), ``"orders"``, ``"sessions"``, ``"carted"``,
        ``"cart_bought"``, ``"gap"`` (days since the user last bought the item). Events that do not
        say are left out.
    kinds : mapping from kind of event to weight, or iterable of kinds, optional
        Which kinds count; by default all but returns.
    half_life : duration, optional
        By default nothing decays.
    keep : {"sum", "largest", "smallest"}
        The extremes decay never, and are NaN where nothing was counted.
    where : (part, value), optional
        Only events of which a part, such as ``"payment_method"``, has a value.

    Raises
    ------
    ParameterError, DataError
        If a part of it is not what it should be.

    Examples
    --------
    >>> Tally("user", "category", kinds={"view": 1, "purchase": 10}, half_life="30d")
    Tally('user', 'category', events of purchase x10, view, half-life 30d)
    >>> Tally("user", fact="time", kinds=["purchase"], keep="largest")
    Tally('user', latest time of purchase)
    """

    key: tuple[str, ...]
    fact: str
    kinds: tuple[tuple[str, float], ...] | None
    half_life: str | timedelta | None
    keep: str
    where: tuple[str, Any] | None

    def __init__(
        self,
        *key: str,
        fact: str = "events",
        kinds: Mapping[str, float] | Iterable[str] | None = None,
        half_life: str | timedelta | None = None,
        keep: str = "sum",
        where: tuple[str, Any] | None = None,
    ) -> None:
        if len(key) > 2 or not all(isinstance(part, str) for part in key):
            raise ParameterError(f"a Tally has a key of at most two parts (words), got {key!r}.")
        if fact not in FACTS:
            raise ParameterError(f"unknown fact {fact!r}{hint(fact, FACTS)}")
        if keep not in list(_KEEPS):  # a list cannot be looked up, and is none of them
            raise ParameterError(f"keep must be sum, largest or smallest, got {keep!r}.")
        if half_life is not None:
            duration_ms(half_life, "half_life")
        if where is not None:
            _check_where(where)
        for name, value in {
            "key": key, "fact": fact, "kinds": _weights(kinds), "half_life": half_life,
            "keep": keep, "where": where,
        }.items():  # fmt: skip
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"Tally({', '.join([*map(repr, self.key), self.words()])})"

    def words(self) -> str:
        """Return what is counted and for how long, in words."""
        kinds = "" if self.kinds is None else " of " + ", ".join(
            kind if weight == 1 else f"{kind} x{weight:g}" for kind, weight in self.kinds
        )  # fmt: skip
        kept = "" if self.keep == "sum" else f"{_KEEP_WORDS[self.keep]} "
        where = "" if self.where is None else f" where {self.where[0]} is {self.where[1]!r}"
        half_life = "" if self.half_life is None else f", half-life {self.half_life}"
        return f"{kept}{self.fact}{kinds}{where}{half_life}"

    @property
    def rate(self) -> float:
        """The decay per millisecond, 0 for none."""
        return 0.0 if self.half_life is None else float(np.log(2)) / duration_ms(self.half_life)

    @property
    def keep_code(self) -> int:
        """What the kernel calls the way of keeping."""
        return _KEEPS[self.keep]

    def kind_weights(self) -> Array:
        """Return what an event of each kind counts, float64 (n_event_types,)."""
        if self.kinds is None:
            return _ALL_BUT_RETURNS
        weights = np.zeros(len(EVENT_TYPES))
        for kind, weight in self.kinds:
            weights[event_code(kind)] = weight
        return weights


def _check_where(where: Any) -> None:
    is_pair = isinstance(where, tuple) and len(where) == 2 and isinstance(where[0], str)
    if not is_pair or where[0] in ("user", "item", "price_band") or not _is_hashable(where[1]):
        raise ParameterError(
            "where must be an attribute of items, or what events say of themselves, and a value "
            f"of it, such as ('payment_method', 'card'), got {where!r}."
        )


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


_ALL_BUT_RETURNS = np.array([float(kind != "return") for kind in EVENT_TYPES])


def _weights(kinds: Any) -> tuple[tuple[str, float], ...] | None:
    if kinds is None:
        return None
    if isinstance(kinds, str) or not isinstance(kinds, Iterable):
        raise ParameterError(f"kinds must be a list of event types or a mapping, got {kinds!r}.")
    listed = list(kinds)
    for kind in listed:
        event_code(kind)
    weights = dict(kinds) if isinstance(kinds, Mapping) else dict.fromkeys(listed, 1.0)
    for kind, weight in weights.items():
        if not isinstance(weight, (int, float)) or not np.isfinite(weight):
            raise ParameterError(f"kinds[{kind!r}] must be a finite number, got {weight!r}.")
    return tuple(sorted((kind, float(weight)) for kind, weight in weights.items()))
