"""What rules did, in words: to the items shown, to one that is not, and where they cannot tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from recopersona.data.ranking import Ranking
from recopersona.data.types import Array, Indices, Mask
from recopersona.rules.binding.bitmaps import as_mask
from recopersona.rules.binding.compiled import Caps, Compiled, Filter
from recopersona.rules.conditions.asked import Asked
from recopersona.rules.conditions.logic import Condition
from recopersona.rules.conditions.past import perhaps_done
from recopersona.rules.text.printing import print_expression

if TYPE_CHECKING:
    from recopersona.rules.binding.in_force import InForce


def touched(rules: InForce, ranking: Ranking) -> list[tuple[int, str, str]]:
    """Return (place from 0, rule, what it did) of the items shown, by place, then rule."""
    items, n = ranking.items, len(ranking)
    found: list[tuple[int, int, str, str]] = []
    for shift in rules.on.shifts:
        logs = np.broadcast_to(rules.shift_of(shift, items), n)
        found += [
            (place, shift.number, shift.label, _shifted(logs[place]))
            for place in np.flatnonzero(logs).tolist()
        ]
    for pin in rules.on.pins:
        met = rules.met(pin, items)
        for slot in pin.slots:
            if slot <= n and met[slot - 1]:
                found.append((slot - 1, pin.number, pin.label, "pinned"))
    for quota in rules.on.quotas:
        for place in np.flatnonzero(rules.met(quota, items)).tolist():
            found.append((place, quota.number, quota.label, f"counts for {quota.label}"))
    for cap in rules.on.caps:
        found += _counted(rules, cap, ranking)
    return [(place, label, what) for place, _, label, what in sorted(found)]


def hid(rules: InForce, asked: Asked, ranking: Ranking, item: int) -> tuple[str, str] | None:
    """Return the first rule that kept an item out, and how; None if none did."""
    row = np.array([item], np.int32)
    for one in rules.on.filters:
        how = _refusal(one, asked, row)
        if how is not None:
            return one.label, how
    if item in ranking.items:
        return None
    for cap in rules.on.caps:
        how = _no_room(rules, cap, ranking, row)
        if how is not None:
            return cap.label, how
    return None


def forgotten(one: Compiled, asked: Asked, n_items: int) -> list[str]:
    """Say of how many items a rule cannot tell what the visitor did, so far as it was asked."""
    lines = []
    for deed in one.deeds:
        perhaps = perhaps_done(deed, asked)
        count = _undecided(one, perhaps[perhaps < n_items], asked) if len(perhaps) else 0
        if count:
            items = "1 item" if count == 1 else f"{count} items"
            what = f"of {items} nobody can tell whether {print_expression(deed)}"
            lines.append(f"{one.label}: {what}, {one.then}")
    return lines


def _undecided(one: Compiled, items: Indices, asked: Asked) -> int:
    condition: Condition = one.condition  # type: ignore[assignment] # a DID is in it
    known = condition.true(items, asked) | condition.false(items, asked)
    return len(items) - int(np.count_nonzero(as_mask(known, len(items))))


def _refusal(one: Filter, asked: Asked, row: Indices) -> str | None:
    """How a filter leaves an item out; None if it does not."""
    if _first(one.answer(row, asked)):
        return None
    surely = _first(one.refuses(row, asked))
    return f"left out, {one.how if surely else 'its condition is unknown'}"


def _first(answer: Any) -> bool:
    return bool(answer[0]) if isinstance(answer, np.ndarray) else bool(answer)


def _shifted(log: float) -> str:
    return f"{'boosted' if log > 0 else 'buried'} x{math.exp(log):.3g}"


def _counted(rules: InForce, cap: Caps, ranking: Ranking) -> list[tuple[int, int, str, str]]:
    """Number the items that a LIMIT counts, each among those of its group in its window."""
    n = len(ranking)
    span, most = cap.on_page(max(n, 1))
    groups = rules.groups_of(cap, ranking.items)
    found = []
    for place in np.flatnonzero(groups >= 0).tolist():
        first = max(0, place - span.size + 1) if span.sliding else 0
        if not span.sliding and place >= span.size:
            continue
        so_far = int(np.count_nonzero(groups[first : place + 1] == groups[place]))
        what = f"{so_far} of at most {most}{_of(rules, cap, ranking.items[place])}"
        found.append((place, cap.number, cap.label, what))
    return found


def _no_room(rules: InForce, cap: Caps, ranking: Ranking, row: Indices) -> str | None:
    """How a LIMIT leaves no slot to an item beside those shown; None if there is one."""
    n = len(ranking)
    if not n:
        return None
    # Asked together, so that equal groups have equal numbers.
    groups = rules.groups_of(cap, np.concatenate([ranking.items, row]))
    group, shown = groups[-1], groups[:-1] == groups[-1]
    if group < 0:
        return None
    span, most = cap.on_page(n)
    if _has_room(shown, most, span.size, span.sliding):
        return None
    of = _of(rules, cap, int(row[0]))
    if span.sliding:
        return f"no room: at most {most}{of} in any {span.size} slots"
    return f"no room: {int(np.count_nonzero(shown[: span.size]))} of at most {most}{of} are shown"


def _has_room(shown: Mask, most: int, size: int, sliding: bool) -> bool:
    """Whether one more of a group could take the place of another item.

    shown  (n,) bool, the slots that the group has
    """
    if not sliding:
        return int(np.count_nonzero(shown[:size])) < most
    before = np.concatenate([[0], np.cumsum(shown)])
    counts: Array = before[size:] - before[:-size]  # of every run of slots
    full = counts >= most
    return any(
        not shown[slot] and not full[max(0, slot - size + 1) : slot + 1].any()
        for slot in range(len(shown))
    )


def _of(rules: InForce, cap: Caps, item: int) -> str:
    """What a LIMIT counts, of one item: `` of brand Ito``."""
    if cap.per is None:
        return ""
    return f" of {cap.per} {rules.value_of(cap.per, item)}"
