"""From candidates to a page that obeys: what it lacks, and who outside the pool would serve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Array, Floats, Indices, Mask
from recopersona.pipeline.standing import Standing
from recopersona.rerank.assembly import assemble
from recopersona.rules.slots import Cap, Pinned, Quota, SlotRules

_FEW_PAGES = 16  # of the most popular, before all are put in order


class Request(NamedTuple):
    """One question on its way to a page.

    standing  the rules as they stand for it
    n         how many items the page has room for, at most the catalogue's
    seen      which kinds of events, as bits, make an item one that was seen
    allowed   bool (n_items,), what may be shown
    fill      whether popular items stand in where the models have nothing to say
    """

    query: Query
    standing: Standing
    n: int
    seen: int
    allowed: Mask
    fill: bool


class Page(NamedTuple):
    """What was tried: the page, what of the rules it does not meet, and whether any insists."""

    ranking: Ranking
    told: tuple[str, ...]
    lacking: list[Lack]
    strict: bool


class Lack(NamedTuple):
    """A rule that a page does not meet.

    kind   pins, caps or quotas
    place  its place among those
    """

    rule: str
    kind: str
    place: int


def placed(request: Request, ranking: Ranking, *, strict: bool) -> Page:
    """Fill the slots of a page from all candidates; without ``strict``, never raise.

    Raises
    ------
    UnmetRuleError
        If a STRICT rule cannot be met.
    """
    asked = request.standing.asked_of(ranking.items, request.n)
    if not asked:
        return Page(ranking.top(request.n), (), [], False)
    page, told = assemble(ranking, asked if strict else _lenient(asked), request.n)
    lacking: list[Lack] = []
    if told:
        shown = request.standing.asked_of(page.items, request.n)
        lacking.extend(lacks(shown, len(page), request.n))
    return Page(page, told, lacking, any(one.strict for one in _all_of(asked)))


def lacks(asked: SlotRules, shown: int, n: int) -> Iterator[Lack]:
    """Walk the rules that a page does not meet.

    asked  over the items shown, in their order
    shown  how many those are; ``n`` is how many there was room for
    """
    for place, pin in enumerate(asked.pins):
        due = [slot for slot in pin.slots if slot <= n]
        if not all(slot <= shown and pin.matches[slot - 1] for slot in due):
            yield Lack(pin.rule, "pins", place)
    for place, cap in enumerate(asked.caps):
        runs = _runs(cap.groups, cap.span.size, cap.span.sliding)
        if any(np.bincount(run[run >= 0]).max(initial=0) > cap.most for run in runs):
            yield Lack(cap.rule, "caps", place)
    for place, quota in enumerate(asked.quotas):
        runs = _runs(quota.matches, quota.span.size, quota.span.sliding)
        if any(run.sum() < quota.least for run in runs):
            yield Lack(quota.rule, "quotas", place)


class Outside:
    """The catalogue beyond the pool, for one question whose page does not obey."""

    def __init__(self, request: Request, excluded: Indices) -> None:
        self._n, n_items = request.n, len(request.allowed)
        self._asked = request.standing.asked_of(np.arange(n_items, dtype=np.int32), request.n)
        self._free = request.allowed.copy()
        self._free[excluded] = False

    def who_would_serve(
        self, lacking: Sequence[Lack], candidates: Indices, known: Indices
    ) -> Iterator[Mask]:
        """Walk, per rule that lacks some, the items that may be shown and would help to meet it.

        Parameters
        ----------
        lacking : sequence of Lack
        candidates : int32
            Who stood to be chosen. Where enough of them suit the rule and each other, others
            would not help.
        known : int32
            Who need not be found again.
        """
        for lack in lacking:
            rule = getattr(self._asked, lack.kind)[lack.place]
            serving = self._free if isinstance(rule, Cap) else self._free & rule.matches
            suitable = candidates if isinstance(rule, Cap) else candidates[rule.matches[candidates]]
            if _within(self._asked.caps, suitable).sum() >= self._n:
                continue
            serving = serving & ~self._full(suitable)
            serving[known] = False
            if serving.any():
                yield serving

    def first_of(self, scores: Floats, serving: Mask) -> Indices:
        """Return the best of some items, as many as fit a page, that no cap stands between."""
        items = np.flatnonzero(serving).astype(np.int32)
        few = _FEW_PAGES * self._n
        if len(items) > few:
            order = np.argpartition(-scores[items], few)[:few]
            best = self._picked(items[order], scores)
            if len(best) == self._n:
                return best
        return self._picked(items, scores)

    def _picked(self, items: Indices, scores: Floats) -> Indices:
        ordered = items[np.lexsort((items, -scores[items]))]
        return ordered[_within(self._asked.caps, ordered)][: self._n]

    def _full(self, pool: Indices) -> Mask:
        """Tell which items' groups have as many candidates as a cap lets in."""
        full = np.zeros(len(self._free), np.bool_)
        for cap in self._asked.caps:
            most = int(cap.groups.max(initial=-1)) + 2
            counts = np.bincount(cap.groups[pool] + 1, minlength=most)
            counts[0] = -1  # those that are not counted
            full |= counts[cap.groups + 1] >= cap.most
        return full


def _within(caps: Sequence[Cap], items: Indices) -> Mask:
    """Tell which items are among the first of their groups that caps let in."""
    within = np.ones(len(items), np.bool_)
    for cap in caps:
        groups = cap.groups[items]
        within &= (groups < 0) | (_places(groups) < cap.most)
    return within


def _places(groups: Indices) -> Array:
    """Number the members of each group from 0, in their order."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(groups) else order
    sizes = np.diff(np.append(starts, len(groups)))
    places = np.empty(len(groups), np.int64)
    places[order] = np.arange(len(groups)) - np.repeat(starts, sizes)
    return places


def _runs(values: Array, size: int, sliding: bool) -> Iterator[Array]:
    """Walk the runs of slots in which a rule counts."""
    last = max(1, len(values) - size + 1) if sliding else 1
    for start in range(last):
        yield values[start : start + size]


def _lenient(asked: SlotRules) -> SlotRules:
    if not any(one.strict for one in _all_of(asked)):
        return asked
    kinds = {
        kind: tuple(replace(one, strict=False) for one in getattr(asked, kind))
        for kind in ("pins", "caps", "quotas")
    }
    return SlotRules(**kinds)


def _all_of(asked: SlotRules) -> tuple[Pinned | Cap | Quota, ...]:
    return (*asked.pins, *asked.caps, *asked.quotas)
