"""What rules ask of the slots of one page: pins, caps and quotas over its candidates."""

from __future__ import annotations

from dataclasses import dataclass, replace

from recopersona.data.types import Array, Indices, Mask


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Where a cap or a quota counts: every run of ``size`` slots, or only the first one.

    size    slots, at least 1; at most the length of the page
    sliding whether it holds for any ``size`` slots in a row, not only for the first
    """

    size: int
    sliding: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Pinned:
    """Some slots belong to the best candidates that match.

    slots    numbers from 1, in the order in which they are filled
    matches  bool (n_candidates,)
    """

    rule: str
    slots: tuple[int, ...]
    matches: Mask
    strict: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Cap:
    """At most ``most`` candidates of each group within a span.

    groups  int32 (n_candidates,), numbered from 0; -1 for candidates that are not counted
    """

    rule: str
    groups: Indices
    most: int
    span: Span
    strict: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Quota:
    """At least ``least`` candidates that match within a span.

    matches  bool (n_candidates,)
    """

    rule: str
    matches: Mask
    least: int
    span: Span
    strict: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SlotRules:
    """All that is asked of one page; of each kind, what matters more comes first."""

    pins: tuple[Pinned, ...] = ()
    caps: tuple[Cap, ...] = ()
    quotas: tuple[Quota, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pins or self.caps or self.quotas)

    def in_order(self, places: Array) -> SlotRules:
        """Return the same over the same candidates in another order: places in this one."""
        return SlotRules(
            tuple(replace(pin, matches=pin.matches[places]) for pin in self.pins),
            tuple(replace(cap, groups=cap.groups[places]) for cap in self.caps),
            tuple(replace(quota, matches=quota.matches[places]) for quota in self.quotas),
        )
