"""Rules as they stand for one request: what may be shown, and what is asked of the slots."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from recopersona.data.ranking import Ranking
from recopersona.data.types import Array, Floats, Indices, Mask
from recopersona.rules.binding import accounts
from recopersona.rules.binding.bitmaps import as_mask
from recopersona.rules.binding.compiled import (
    Caps,
    Compiled,
    Filter,
    Pins,
    Quotas,
    Shift,
    log_of,
    logs_of,
)
from recopersona.rules.conditions.asked import Asked
from recopersona.rules.slots import Cap, Pinned, Quota, SlotRules

if TYPE_CHECKING:
    from recopersona.rules.binding.bound import BoundRules

_Kind = TypeVar("_Kind", bound=Compiled)


@dataclass(frozen=True, slots=True, eq=False)
class On:
    """The rules that are on, by kind.

    filters, shifts      in the order of the text
    pins, caps, quotas   what matters more comes first, then in the order of the text
    key, places          which filters are kept as bitmaps: as bits of one number, and one by one
    kept, timed          filters that the catalogue decides, and those that the moment decides, too
    at_request           filters that depend on who asks
    waiting              rules that depend on values of the request, which may be unknown
    reminded             rules that depend on what the visitor did, which may be forgotten
    """

    filters: tuple[Filter, ...]
    shifts: tuple[Shift, ...]
    pins: tuple[Pins, ...]
    caps: tuple[Caps, ...]
    quotas: tuple[Quotas, ...]
    key: int
    places: tuple[int, ...]
    kept: tuple[Filter, ...]
    timed: tuple[Filter, ...]
    at_request: tuple[Filter, ...]
    waiting: tuple[Compiled, ...]
    reminded: tuple[Compiled, ...]

    @classmethod
    def of(cls, rules: Sequence[Compiled]) -> On:
        """Sort rules, given in the order of the text, by kind."""
        filters = _of_kind(Filter, rules)
        kept = tuple(one for one in filters if one.place >= 0)
        return cls(
            filters,
            _of_kind(Shift, rules),
            _by_priority(Pins, rules),
            _by_priority(Caps, rules),
            _by_priority(Quotas, rules),
            sum(1 << one.place for one in kept),
            tuple(one.place for one in kept),
            kept,
            tuple(one for one in filters if one.timed is not None),
            tuple(one for one in filters if one.place < 0 and one.timed is None),
            tuple(one for one in rules if one.waits),
            tuple(one for one in rules if one.deeds),
        )


def _of_kind(kind: type[_Kind], rules: Sequence[Compiled]) -> tuple[_Kind, ...]:
    return tuple(one for one in rules if isinstance(one, kind))


def _by_priority(kind: type[_Kind], rules: Sequence[Compiled]) -> tuple[_Kind, ...]:
    return tuple(sorted(_of_kind(kind, rules), key=lambda one: -one.priority))


class Gone(NamedTuple):
    """How many items filters left out.

    counts  per bitmap, how many items say yes
    others  of `On.timed`, then of `On.at_request`: how many each left out
    """

    n_items: int
    counts: tuple[int, ...]
    others: list[int]


class Choice(NamedTuple):
    """What may be shown: a mask that many requests have in common, but for a few items each.

    shared  bool (n_items,)
    barred  int32, ascending
    """

    shared: Mask
    barred: Indices

    @property
    def allowed(self) -> Mask:
        """What may be shown, as one mask."""
        if not len(self.barred):
            return self.shared
        mask = self.shared.copy()
        mask[self.barred] = False
        return mask


class InForce:
    """The rules of one request; what `Ranking.account` holds.

    Attributes
    ----------
    choice : Choice
        What may be shown. Never write to it: requests with the same rules on share one mask.
    """

    __slots__ = ("_asked", "_bound", "_gone", "_said", "choice", "on")

    def __init__(
        self,
        bound: BoundRules,
        on: On,
        asked: Asked,
        choice: Choice,
        said: dict[int, str],
        gone: Gone,
    ) -> None:
        self._bound, self.on, self._asked, self._said = bound, on, asked, said
        self.choice, self._gone = choice, gone

    @property
    def allowed(self) -> Mask:
        """What may be shown, bool (n_items,): never write to it."""
        return self.choice.allowed

    @property
    def effects(self) -> tuple[str, ...]:
        """What the rules did so far, in words: who left out how many, what could not be decided.

        A line per rule, in their order; then what was odd about the values of the request.
        """
        on, (n_items, counts, others) = self.on, self._gone
        lines = dict(self._said)
        for rule in on.reminded:
            words = accounts.forgotten(rule, self._asked, n_items)
            if words:
                before = lines.get(rule.number)
                lines[rule.number] = f"{before}; {words}" if before else f"{rule.label}: {words}"
        counted = [(one, n_items - counts[one.place]) for one in on.kept]
        for one, gone in (*counted, *zip((*on.timed, *on.at_request), others, strict=True)):
            did = f"left out {gone} of {n_items} items"
            unsure = lines.get(one.number)
            if unsure is None:
                lines[one.number] = f"{one.label} {did}"
            elif gone:
                lines[one.number] = f"{unsure}; {did}"
        return (*(lines[number] for number in sorted(lines)), *self._asked.noted)

    def shifts(self, items: Indices) -> Floats | None:
        """Return what boosts add to the log-odds of some items, clipped; None if none is on.

        items  (n,) int32

        Returns float32 (n,).
        """
        if not self.on.shifts:
            return None
        total = np.zeros(len(items))
        for one in self.on.shifts:
            total += self.shift_of(one, items)
        most = math.log(self._bound.max_boost)
        return np.clip(total, -most, most, out=total).astype(np.float32)

    def shift_of(self, one: Shift, items: Indices) -> Array | float:
        """Return what one boost adds to the log-odds of some items, before all are clipped."""
        met = one.answer(items, self._asked)
        if met is False:
            return 0.0
        log: Any = one.log
        if one.by is not None:
            factors = one.by.values(items, self._asked)
            log = logs_of(factors) if isinstance(factors, np.ndarray) else log_of(factors)
            log = one.sign * log
        shift: Array | float = log if met is True else log * met
        return shift

    def slot_rules(self, items: Indices, n: int) -> SlotRules:
        """Return what is asked of a page of ``n`` slots, over these candidates in this order.

        items  (n_candidates,) int32
        """
        return self._slot_rules(
            n, lambda one: self.met(one, items), lambda cap: self.groups_of(cap, items)
        )

    def slot_rules_of_all(self, n: int) -> SlotRules:
        """Return the same over the whole catalogue: what it decides alone is known already."""
        n_items, everything = self._gone.n_items, np.arange(self._gone.n_items, dtype=np.int32)

        def met(one: Compiled) -> Mask:
            # By now, there may be more items.
            answer = self._bound.whole(one, self._asked)
            return as_mask(answer[:n_items] if isinstance(answer, np.ndarray) else answer, n_items)

        return self._slot_rules(n, met, lambda cap: self.groups_of(cap, everything))

    def _slot_rules(
        self, n: int, met: Callable[[Compiled], Mask], groups: Callable[[Caps], Indices]
    ) -> SlotRules:
        on = self.on
        pins = tuple(Pinned(pin.label, pin.slots, met(pin), pin.strict) for pin in on.pins)
        caps = []
        for cap in on.caps:
            span, most = cap.on_page(n)
            caps.append(Cap(cap.label, groups(cap), most, span, cap.strict))
        quotas = []
        for quota in on.quotas:
            span, least = quota.on_page(n)
            quotas.append(Quota(quota.label, met(quota), least, span, quota.strict))
        return SlotRules(pins, tuple(caps), tuple(quotas))

    def met(self, one: Compiled, items: Indices) -> Mask:
        """Return which of some items a rule's condition meets."""
        return as_mask(one.answer(items, self._asked), len(items))

    def groups_of(self, one: Caps, items: Indices) -> Indices:
        """Return the groups in which a LIMIT counts some items: int32, -1 where it does not."""
        return one.grouped(items, self._asked)

    def value_of(self, column: str, item: int) -> Any:
        """Return what is known of an item, in words for reports."""
        return self._bound.value_of(column, item)

    def touched(self, ranking: Ranking) -> list[tuple[int, str, str]]:
        """Return (place from 0, rule, what it did) of the items shown."""
        return accounts.touched(self, ranking)

    def hid(self, ranking: Ranking, item: int, stood: Indices) -> tuple[str, str] | None:
        """Return the first rule that kept an item out, and how; None if none did.

        Rules are asked about the catalogue as it is by now.

        stood  int32, who stood to be chosen, best first
        """
        return accounts.hid(self, self._asked, ranking, item, stood)
