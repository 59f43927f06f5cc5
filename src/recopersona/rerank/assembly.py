"""Assemble a page: who stands in which slot under pins, caps and quotas, and what had to yield."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recopersona.data.ranking import Ranking
from recopersona.data.types import Array, Indices, Mask
from recopersona.errors import UnmetRuleError
from recopersona.kernels.slots import (
    BASE,
    HARD,
    QUOTA,
    SIZE,
    SLIDING,
    TOTAL,
    fill_slots,
)
from recopersona.rules.slots import Cap, Quota, SlotRules, Span

_ANY = 1 << 60
_LOOKS = 200_000
import os
_POLISH = int(os.environ.get('POL','3000'))


def assemble(ranking: Ranking, asked: SlotRules, n: int) -> tuple[Ranking, tuple[str, ...]]:
    """Return the best page under the rules, and in words what could not be met."""
    m = len(ranking)
    n = min(n, m)
    if not asked:
        return ranking.top(n), ()
    problem = _Problem(ranking, asked, n)
    page = problem.page() if n else np.empty(0, np.int32)
    unmet = tuple(_unmet(asked, page)) if problem.yields or not n else ()
    for strict, sentence in unmet:
        if strict:
            raise UnmetRuleError(sentence)
    return ranking.take(page), tuple(sentence for _, sentence in unmet)


class _Problem:
    """One page to fill, in the numbers of the kernel."""

    def __init__(self, ranking: Ranking, asked: SlotRules, n: int) -> None:
        rules: tuple[Cap | Quota, ...] = (*asked.caps, *asked.quotas)
        m = len(ranking)
        self.n = n
        self.scores = np.ascontiguousarray(ranking.scores, np.float32)
        self.codes = np.empty((len(rules), m), np.int32)
        self.table = np.array([_row(rule, n) for rule in rules], np.int64).reshape(-1, QUOTA + 1)
        for row, rule in zip(self.codes, rules, strict=True):
            row[:] = rule.groups if isinstance(rule, Cap) else rule.matches
        named = [(pin, slot - 1) for pin in asked.pins for slot in pin.slots if 0 < slot <= n]
        self.pins = np.array([slot for _, slot in named], np.int64)
        self.masks = np.empty((len(named), m), np.bool_)
        for mask, (pin, _) in zip(self.masks, named, strict=True):
            mask[:] = pin.matches
        self.met = np.zeros(len(named), np.bool_)
        self.out_of_reach = any(slot > n for pin in asked.pins for slot in pin.slots) or any(
            quota.least > min(quota.span.size, n) for quota in asked.quotas
        )
        self.yields = False

    def page(self) -> Indices:
        """Return the candidate of each slot; rules that cannot be met yield as little as may be."""
        page = np.empty(self.n, np.int32)
        found = self._fill(page, self.table, _POLISH)
        self.yields = self.out_of_reach or not found or not self.met.all()
        if not found:
            self._relax(page)
        return page

    def _fill(self, page: Indices, table: Array, polish: int) -> bool:
        left = fill_slots(
            page, self.met, table, self.codes, self.pins, self.masks, self.scores, _LOOKS, polish
        )
        return bool(left >= 0)

    def _relax(self, page: Indices) -> None:
        """Take up the rules one after the other, each with as little relaxed as goes."""
        asked, table = self.table, self.table.copy()
        table[:, (BASE, HARD, TOTAL)] = _ANY
        self._fill(page, table, 0)
        for rule in range(len(table)):
            table[rule, BASE] = asked[rule, BASE]
            most = self._most(page, rule)
            lowest = int(asked[rule, HARD])
            table[rule, HARD] = lowest
            while table[rule, HARD] < most and not self._fill(page, table, 0):
                table[rule, HARD] += 1
            if table[rule, HARD] > lowest:
                self._share(page, table, rule)
        self._fill(page, table, _POLISH)

    def _share(self, page: Indices, table: Array, rule: int) -> None:
        """Let as few as may be of a relaxed rule be above what it asks, in all windows together."""
        low, high = 1, self._above(page, rule)
        while low < high:
            middle = (low + high) // 2
            table[rule, TOTAL] = middle
            if self._fill(page, table, 0):
                high = min(middle, self._above(page, rule))
            else:
                low = middle + 1
        table[rule, TOTAL] = high

    def _counts(self, page: Indices, rule: int) -> Array:
        codes = self.codes[rule, page]
        size, sliding, quota = self.table[rule, [SIZE, SLIDING, QUOTA]].tolist()
        if quota:
            codes = np.where(codes == 0, 0, -1)
        return _window_counts(codes, size, bool(sliding))

    def _most(self, page: Indices, rule: int) -> int:
        return int(self._counts(page, rule).max(initial=0))

    def _above(self, page: Indices, rule: int) -> int:
        counts = self._counts(page, rule)
        return int(np.maximum(counts - self.table[rule, BASE], 0).sum())


def _row(rule: Cap | Quota, n: int) -> tuple[int, ...]:
    size = min(rule.span.size, n)
    if isinstance(rule, Cap):
        most, quota = max(rule.most, 0), 0
    else:
        most, quota = size - min(max(rule.least, 0), size), 1
    return size, int(rule.span.sliding), most, most, 0 if most < size else _ANY, quota


def _window_counts(codes: Array, size: int, sliding: bool) -> Array:
    """Return how many of each group (columns) each window (rows) holds."""
    groups, numbers = np.unique(codes, return_inverse=True)
    shown = np.zeros((len(codes) + 1, len(groups)), np.int64)
    shown[np.arange(1, len(codes) + 1), numbers] = 1
    total = shown.cumsum(axis=0)
    last = len(codes) if sliding else size
    counts: Array = total[size : last + 1] - total[: last + 1 - size]
    return counts[:, groups >= 0]


def _unmet(asked: SlotRules, page: Indices) -> Iterator[tuple[bool, str]]:
    """Yield for each rule that the page does not meet whether it is strict, and a sentence."""
    for pin in asked.pins:
        for slot in pin.slots:
            if not (0 < slot <= len(page) and pin.matches[page[slot - 1]]):
                yield pin.strict, f"{pin.rule}: no item for slot {slot}"
    for cap in asked.caps:
        size = min(cap.span.size, len(page))
        most = int(_window_counts(cap.groups[page], size, cap.span.sliding).max(initial=0))
        if most > cap.most:
            yield cap.strict, f"{cap.rule}: at most {cap.most}, got {most} of one group"
    for quota in asked.quotas:
        size = min(quota.span.size, len(page))

        got = int(_fewest(quota.matches[page], quota.span))
        if got < quota.least:
            eligible = int(np.count_nonzero(quota.matches))
            yield (
                quota.strict,
                f"{quota.rule}: wanted {quota.least}, got {got}, only {eligible} eligible",
            )


def _fewest(shown: Mask, span: Span) -> int:
    size = min(span.size, len(shown))
    total = np.concatenate([[0], np.cumsum(shown)])
    last = len(shown) if span.sliding else size
    return int((total[size : last + 1] - total[: last + 1 - size]).min(initial=size))
