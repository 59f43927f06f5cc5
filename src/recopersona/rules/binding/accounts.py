"""What rules did, in words: to the items shown, to one that is not, and where they cannot tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from recopersona.data.ranking import Ranking
from recopersona.data.types import Indices, Mask
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


def hid(
    rules: InForce, asked: Asked, ranking: Ranking, item: int, stood: Indices
) -> tuple[str, str] | None:
    """Return the first rule that kept an item out, and how; None if none did.

    stood  int32, who stood to be chosen, best first: behind all that are shown, and without a place
           among the first as many, an item is kept out by its score
    """
    row = np.array([item], np.int32)
    for one in rules.on.filters:
        how = _refusal(one, asked, row)
        if how is not None:
            return one.label, how
    place = np.flatnonzero(stood == item)
    if item in ranking.items or not len(place):
        return None
    worse = ~np.isin(ranking.items, stood[: place[0]])
    if not worse.any():
        return None
    for cap in rules.on.caps:
        how = _no_room(rules, cap, ranking, row, worse)
        if how is not None:
            return cap.label, how
    return _who_came_first(rules, ranking, row, worse) if place[0] < len(ranking) else None


def _who_came_first(
    rules: InForce, ranking: Ranking, row: Indices, worse: Mask
) -> tuple[str, str] | None:
    """Return the rule for which something worse is shown than an item that is not."""
    for pin in rules.on.pins:
        met = rules.met(pin, ranking.items)
        for slot in pin.slots:
            if slot <= len(ranking) and worse[slot - 1] and met[slot - 1]:
                return pin.label, f"gave way to what is pinned at slot {slot}"
    for quota in rules.on.quotas:
        if not rules.met(quota, row)[0] and (worse & rules.met(quota, ranking.items)).any():
            return quota.label, f"gave way to what counts for {quota.label}"
    return None


def forgotten(one: Compiled, asked: Asked, n_items: int) -> str:
    """Say of how many items a rule cannot tell what the visitor did, so far as it was asked."""
    told = []
    for deed in one.deeds:
        perhaps = perhaps_done(deed, asked)
        count = _undecided(one, perhaps[perhaps < n_items], asked) if len(perhaps) else 0
        if count:
            items = "1 item" if count == 1 else f"{count} items"
            what = f"of {items} nobody can tell whether {print_expression(deed)}"
            told.append(f"{what}, {one.then}")
    return "; ".join(told)


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


def _no_room(rules: InForce, cap: Caps, ranking: Ranking, row: Indices, worse: Mask) -> str | None:
    """How a LIMIT leaves an item none of the slots of worse ones; None if it leaves any."""
    # Asked together, so that equal groups have equal numbers.
    groups = rules.groups_of(cap, np.concatenate([ranking.items, row]))
    group, shown = groups[-1], groups[:-1] == groups[-1]
    if group < 0:
        return None
    span, most = cap.on_page(len(ranking))
    if (worse & _free(shown, most, span.size, span.sliding)).any():
        return None
    of = _of(rules, cap, int(row[0]))
    if span.sliding:
        return f"no room: at most {most}{of} in any {span.size} slots"
    return f"no room: {int(np.count_nonzero(shown[: span.size]))} of at most {most}{of} are shown"


def _free(shown: Mask, most: int, size: int, sliding: bool) -> Mask:
    """Tell in which slots one of a group could take the place of what is shown there.

    shown  (n,) bool, the slots that the group has
    """
    before = np.concatenate([[0], np.cumsum(shown)])
    last = len(shown) if sliding else size
    full: Mask = before[size : last + 1] - before[: last + 1 - size] >= most  # per run of slots
    free = shown.copy()
    for slot in np.flatnonzero(~shown).tolist():
        free[slot] = not full[max(0, slot - size + 1) : slot + 1].any()
    return free


def _of(rules: InForce, cap: Caps, item: int) -> str:
    """What a LIMIT counts, of one item: `` of brand Ito``."""
    if cap.per is None:
        return ""
    return f" of {cap.per} {rules.value_of(cap.per, item)}"
