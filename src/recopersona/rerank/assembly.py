"""Assemble a page: who stands in which slot under pins, caps and quotas, and what had to yield.

A page is worth the sum over its slots of the candidate's worth / log2(1 + slot), where the worth is
the score above the lowest score of all candidates. (Where a score stands after a lower one, it
counts as that lower one: the order of the candidates is the order of the ranking.)

The page of most worth is wanted among those that are full and meet everything. What cannot be met
together yields: quotas before caps before pins, of each kind the later before the earlier, and
each by as little as may be. First by how much the worst window breaks the rule, then by how much
all windows together do. A pinned slot goes to the best candidate that matches and lets
everything else be that can be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

import numpy as np

from recopersona.data.ranking import Ranking
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import UnmetRuleError
from recopersona.kernels.slots import (
    BASE,
    HARD,
    LARGE,
    QUOTA,
    SIZE,
    SLIDING,
    TOTAL,
    fill_slots,
)
from recopersona.rules.slots import Cap, Pinned, Quota, SlotRules, Span

_LOOKS = 200_000  # to find a page that meets everything
_LOOKS_TO_RELAX = 70_000  # to find one while rules yield: all that a small page takes
_POLISH = 4_000  # to better a page where rules overlap

_SHORT = 10  # slots, of which
_FEW_PAGES = 40_000  # so many pages are all tried; where there are more,
_LOOKS_OF_MANY = 40_000  # to find one,
_LOOKS_TO_RELAX_MANY = 60_000  # for all the steps together in which rules yield,
_SHARE = 3  # for one step no more than this part of what is left,
_LOOKS_IN_THE_END = 20_000  # and at least so many for the page that is shown
_LONG = 25  # slots; a look costs more on a longer page, so it gets fewer


class Unmet(NamedTuple):
    """A rule that a page does not meet.

    strict  whether it insists
    kind    pins, caps or quotas
    place   its place among those
    slot    of a pin, from 1; else 0
    said    what could not be met, a sentence
    """

    rule: str
    strict: bool
    kind: str
    place: int
    slot: int
    said: str


def assemble(ranking: Ranking, asked: SlotRules, n: int) -> tuple[Ranking, tuple[Unmet, ...]]:
    """Return the best page under the rules, and which of them it does not meet.

    Whatever can be met together is met wherever all pages can be tried: 40,000 pages at most, as
    of 10 candidates in 5 slots. Beyond, the search is as good as its budget of looks, a candidate
    looked at for a slot: 40,000 to find a page that meets everything, 4,000 to better it, and if
    none is found 80,000 for all the steps in which rules yield; on a page of more than 25 slots
    fewer by as much. A look costs at most (rules * (quotas + window)).

    Parameters
    ----------
    ranking : Ranking
        The candidates, best first.
    asked : SlotRules
        Over these candidates, in this order.
    n : int
        Slots of the page.

    Returns
    -------
    page : Ranking
        ``n`` candidates, or all if there are fewer, with their scores and parts.
    unmet : tuple of Unmet
        The rules that could not be met, strict ones too; see `refuse_strict`.

    Examples
    --------
    >>> from recopersona.data.ids import IdMap
    >>> ids = IdMap(["tea", "coffee", "honey", "salt"])
    >>> ranking = Ranking.of([0, 1, 2, 3], [0.9, 0.8, 0.5, 0.1], ids, "Popularity")
    >>> drink = np.array([0, 0, -1, -1], np.int32)
    >>> cap = Cap("drinks", drink, most=1, span=Span(2))
    >>> page, unmet = assemble(ranking, SlotRules(caps=(cap,)), 3)
    >>> page.item_ids, unmet
    (['tea', 'honey', 'coffee'], ())
    >>> own = Quota("own_brand", np.array([False, False, False, True]), least=2, span=Span(3))
    >>> page, unmet = assemble(ranking, SlotRules(caps=(cap,), quotas=(own,)), 3)
    >>> page.item_ids, [one.said for one in unmet]
    (['tea', 'salt', 'coffee'], ['own_brand: wanted 2, got 1, only 1 eligible'])
    """
    n = min(max(n, 0), len(ranking))
    if not asked:
        return ranking.top(n), ()
    page, unmet = fill(Sheet.of(asked, n, len(ranking)), ranking.scores)
    return ranking.take(page), unmet


def fill(sheet: Sheet, scores: Floats) -> tuple[Indices, tuple[Unmet, ...]]:
    """Return the places of the candidates on the best page, and what it does not meet."""
    task = _Task(sheet, scores)
    page = task.page()
    return page, tuple(unmet_by(page, sheet.in_words)) if task.yields else ()


def refuse_strict(unmet: Iterable[Unmet]) -> None:
    """Raise for the first rule that insists.

    Raises
    ------
    UnmetRuleError
        If there is one.
    """
    for one in unmet:
        if one.strict:
            raise UnmetRuleError(
                f"{one.said}; the rule is STRICT, without it the list comes with what it lacks."
            )


class Sheet(NamedTuple):
    """What is asked of a page of some candidates, in the numbers of the kernel.

    asked   of the candidates as they were first
    places  their order since then; None where it is the first
    yields  whether something is asked that no page of this length can give
    polish  how many looks a better page is worth
    table, codes, pins, masks  see `fill_slots`
    """

    asked: SlotRules
    n: int
    table: Array
    codes: Array
    pins: Array
    masks: Array
    yields: bool
    polish: int
    places: Array | None = None

    @classmethod
    def of(cls, asked: SlotRules, n: int, m: int) -> Self:
        """Return what is asked of ``n`` slots and ``m`` candidates."""
        rules: tuple[Cap | Quota, ...] = (*asked.caps, *asked.quotas)
        codes = np.empty((len(rules), m), np.int32)
        table = np.array([_row(rule, n) for rule in rules], np.int64).reshape(-1, QUOTA + 1)
        for row, rule in zip(codes, rules, strict=True):
            row[:] = rule.groups if isinstance(rule, Cap) else rule.matches
        pinned = [(pin, slot - 1) for pin in asked.pins for slot in pin.slots if 0 < slot <= n]
        masks = np.empty((len(pinned), m), np.bool_)
        for mask, (pin, _) in zip(masks, pinned, strict=True):
            mask[:] = pin.matches
        # What no page of this length can give, whoever stands on it.
        yields = len(pinned) < sum(len(pin.slots) for pin in asked.pins) or any(
            quota.least > _most_of(quota, n) for quota in asked.quotas
        )
        pins = np.array([slot for _, slot in pinned], np.int64)
        return cls(asked, n, table, codes, pins, masks, yields, _polish_of(table, m))

    def in_order(self, places: Array) -> Self:
        """Return the same of the candidates in another order: places in the first one."""
        codes, masks = self.codes.take(places, axis=1), self.masks.take(places, axis=1)
        return self._replace(codes=codes, masks=masks, places=places)

    @property
    def in_words(self) -> SlotRules:
        """The rules over the candidates in this order."""
        return self.asked if self.places is None else self.asked.in_order(self.places)


def _polish_of(table: Array, m: int) -> int:
    """Return how many looks a better page is worth: few where the first is seldom not best."""
    if len(table) > 2 or table[:, SLIDING].any():
        return _POLISH
    return 0 if len(table) < 2 else 300 + 100_000 // max(m, 1)


class _Task:
    """One page to fill."""

    def __init__(self, sheet: Sheet, scores: Floats) -> None:
        self.n, self.yields, self.polish = sheet.n, sheet.yields, sheet.polish
        self.table, self.codes = sheet.table, sheet.codes
        self.pins, self.masks = sheet.pins, sheet.masks
        self.scores = np.ascontiguousarray(scores, np.float32)
        self.met = np.ones(len(self.pins), np.bool_)  # as far as we know
        self.looks = self._granted(_LOOKS_OF_MANY)

    def page(self) -> Indices:
        """Return the candidate of each slot; rules that cannot be met yield as little as may be."""
        page = np.empty(self.n, np.int32)
        if not self.n:
            self.yields = True
        elif not self._fill(page, self.table, _LOOKS, self.polish):
            self.yields = True
            self.looks = self._granted(_LOOKS_TO_RELAX_MANY)
            self._relax(page)
        self.yields = self.yields or not self.met.all()
        return page

    def _granted(self, looks: int) -> int:
        """Return how many looks there are: for few pages as many as it takes, else so many."""
        if self.n <= _SHORT:
            n_open = self.n - len(set(self.pins[self.met].tolist()))
            if math.perm(self.scores.size, n_open) <= _FEW_PAGES:
                return LARGE
        return looks * _LONG // max(self.n, _LONG)

    def _fill(self, page: Indices, table: Array, looks: int, polish: int = 0) -> bool:
        looks = min(looks, self.looks)
        left = fill_slots(
            page, self.met, table, self.codes, self.pins, self.masks, self.scores, looks, polish
        )
        self.looks -= looks - (left if left >= 0 else -1 - left)
        return bool(left >= 0)

    def _relax(self, page: Indices) -> None:
        """Take up the rules one after the other, each as little relaxed as may be."""
        table = self.table.copy()
        table[:, [BASE, HARD, TOTAL]] = LARGE
        self._fill(page, table, _LOOKS)
        for rule in range(len(table)):
            base = table[rule, BASE] = self.table[rule, BASE]
            if self._least(page, table, rule, HARD, base, self._most(page, rule)) > base:
                self._least(page, table, rule, TOTAL, 1, self._above(page, rule))
            elif table[rule, SIZE] > base:
                table[rule, TOTAL] = 0
        self.looks = max(self.looks, self._granted(_LOOKS_IN_THE_END))
        self._fill(page, table, _LOOKS, _POLISH)

    def _least(
        self, page: Indices, table: Array, rule: int, column: int, low: int, high: int
    ) -> int:
        """Write the least number with which there is a page; the one at hand does with ``high``."""
        high = max(high, low)
        table[rule, column] = low
        trial = page.copy()
        while low < high:
            table[rule, column] = middle = (low + high) // 2
            if self._fill(trial, table, min(_LOOKS_TO_RELAX, self.looks // _SHARE)):
                page[:] = trial
                high = middle
            else:
                low = middle + 1
        table[rule, column] = high
        return high

    def _most(self, page: Indices, rule: int) -> int:
        """Return how many of one group are shown in a window at most."""
        return int(self._counts(page, rule).max(initial=0))

    def _above(self, page: Indices, rule: int) -> int:
        """Return how many are shown above what the rule allows, over all windows."""
        return int(np.maximum(self._counts(page, rule) - self.table[rule, BASE], 0).sum())

    def _counts(self, page: Indices, rule: int) -> Array:
        codes = self.codes[rule, page]
        if self.table[rule, QUOTA]:
            codes = -codes
        return _window_counts(codes, int(self.table[rule, SIZE]), bool(self.table[rule, SLIDING]))


def _row(rule: Cap | Quota, n: int) -> tuple[int, ...]:
    """Return a rule's row in the kernel's table; a quota is a cap on what does not match."""
    size = min(max(rule.span.size, 1), n)
    quota = isinstance(rule, Quota)
    if isinstance(rule, Quota):
        most = size - min(max(rule.least, 0), _most_of(rule, n))
    else:
        most = max(rule.most, 0)
    return size, int(rule.span.sliding), most, most, LARGE if most >= size else 0, int(quota)


def _most_of(quota: Quota, n: int) -> int:
    """Return how many a window could hold at the very most: to search for more is in vain."""
    return min(quota.span.size, n, int(np.count_nonzero(quota.matches)))


def _window_counts(codes: Array, size: int, sliding: bool) -> Array:
    """Return how many of each group (columns) each window (rows) holds."""
    groups, numbers = np.unique(codes, return_inverse=True)
    shown = np.zeros((len(codes) + 1, len(groups)), np.int64)
    shown[np.arange(1, len(codes) + 1), numbers] = 1
    total = shown.cumsum(axis=0)
    last = len(codes) if sliding else size
    counts: Array = total[size : last + 1] - total[: last + 1 - size]
    return counts[:, groups >= 0]


def unmet_by(page: Indices, asked: SlotRules) -> Iterator[Unmet]:
    """Walk the rules that a page of some candidates does not meet."""
    for place, pin in enumerate(asked.pins):
        for slot in pin.slots:
            if not _is_pinned(pin, slot, page):
                said = f"{pin.rule}: {_why_no_pin(asked, pin, slot, page)}"
                yield Unmet(pin.rule, pin.strict, "pins", place, slot, said)
    for place, cap in enumerate(asked.caps):
        size = min(cap.span.size, len(page))
        got = int(_window_counts(cap.groups[page], size, cap.span.sliding).max(initial=0))
        if got > cap.most:
            said = (
                f"{cap.rule}: at most {cap.most}{_where(cap.span)}, got {got} of one group: "
                f"{_why_above(cap, size, len(page))}"
            )
            yield Unmet(cap.rule, cap.strict, "caps", place, 0, said)
    for place, quota in enumerate(asked.quotas):
        size = min(quota.span.size, len(page))
        got = _fewest(quota, page, size)
        if got < quota.least:
            said = (
                f"{quota.rule}: wanted {quota.least}{_where(quota.span)}, got {got}, "
                f"{_why_below(quota, size, len(page))}"
            )
            yield Unmet(quota.rule, quota.strict, "quotas", place, 0, said)


def _fewest(quota: Quota, page: Indices, size: int) -> int:
    """Return how many that match a window holds at least."""
    total = np.concatenate([[0], np.cumsum(quota.matches[page])])
    last = len(page) if quota.span.sliding else size
    return int((total[size : last + 1] - total[: last + 1 - size]).min())


def _is_pinned(pin: Pinned, slot: int, page: Indices) -> bool:
    return 0 < slot <= len(page) and bool(pin.matches[page[slot - 1]])


def _why_no_pin(asked: SlotRules, pin: Pinned, slot: int, page: Indices) -> str:
    if slot > len(page):
        return f"no slot {slot} in a list of {len(page)}"
    for other in asked.pins:
        if other is pin:
            break
        if slot in other.slots and _is_pinned(other, slot, page):
            return f"slot {slot} went to {other.rule}"
    return f"no item for slot {slot}"


def _where(span: Span) -> str:
    return f" in any {span.size} slots" if span.sliding else ""


def _why_above(cap: Cap, size: int, n: int) -> str:
    # One after the other, runs have no slot in common: together they are the whole page.
    runs, rest = divmod(n, size) if cap.span.sliding else (1, 0)
    slots, most = runs * size + rest, max(cap.most, 0)
    counted = cap.groups[cap.groups >= 0]
    sizes = np.unique(counted, return_counts=True)[1]
    shown = int(np.minimum(sizes, most * runs + min(most, rest)).sum())
    room = len(cap.groups) - len(counted) + shown
    if room < slots:
        return f"without, only {room} of {slots} slots could be filled"
    return "pins and rules before it leave no other full list"


def _why_below(quota: Quota, size: int, n: int) -> str:
    eligible, least = int(np.count_nonzero(quota.matches)), quota.least
    if eligible >= least > size:
        return f"only {size} slots"
    # One after the other, runs have no slot in common: each needs its own.
    runs, rest = divmod(n, max(size, 1)) if quota.span.sliding else (1, 0)
    if eligible < least * runs + max(0, least - size + rest) or eligible < least:
        return f"only {eligible} eligible"
    return f"{eligible} eligible, but pins and rules before it leave no room"
