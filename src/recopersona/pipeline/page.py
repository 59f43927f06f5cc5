"""From candidates to a page that obeys: what it lacks, and who outside the pool would serve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Array, Floats, Indices, Mask
from recopersona.pipeline.shop_rules import Standing
from recopersona.rerank.assembly import Sheet, Unmet, assemble, fill
from recopersona.rules.conditions.labels import members
from recopersona.rules.slots import Cap, Pinned, Quota, SlotRules

_FEW_PAGES = 64  # so many times a page are looked at beyond the pool
_MOST = 1 << 16  # so many of the most popular
_MOST_KINDS = 1 << 62


class Request(NamedTuple):
    """One question on its way to a page.

    standing  the rules as they stand for it
    n         how many items the page has room for, at most the catalogue's
    seen      which kinds of events, as bits, make an item one that was seen
    allowed   bool (n_items,), what may be shown, but for what the rules bar for her alone
    fill      whether popular items stand in where the models have nothing to say
    """

    query: Query
    standing: Standing
    n: int
    seen: int
    allowed: Mask
    fill: bool


class Page(NamedTuple):
    """What was tried: the page, and the rules that it does not meet.

    stood    int32, from whom it was chosen
    lacking  those of the unmet that other candidates might meet, each once
    """

    ranking: Ranking
    stood: Indices
    unmet: tuple[Unmet, ...]
    lacking: tuple[Unmet, ...]


class AskedOnce:
    """What rules ask of the same candidates in many orders, found out once."""

    def __init__(self, request: Request, items: Indices) -> None:
        self._request, self._items = request, items
        asked = request.standing.asked_of(items, request.n)
        n = min(request.n, len(items))
        self._sheet = Sheet.of(asked, n, len(items)) if asked and n else None
        self._place_of = np.empty(0, np.int32)
        self._filled: dict[tuple[bytes, bytes], tuple[Indices, tuple[Unmet, ...]]] = {}

    def page(self, ranking: Ranking) -> tuple[Ranking, tuple[Unmet, ...]]:
        """Return the best page of an order; of other candidates all is found out anew."""
        places = None if self._sheet is None else self._places(ranking.items)
        if self._sheet is None or places is None:
            asked = self._request.standing.asked_of(ranking.items, self._request.n)
            return assemble(ranking, asked, self._request.n)
        key = ranking.items.tobytes(), ranking.scores.tobytes()
        if key not in self._filled:
            self._filled[key] = fill(self._sheet.in_order(places), ranking.scores)
        page, unmet = self._filled[key]
        return ranking.take(page), unmet

    def _places(self, items: Indices) -> Indices | None:
        """Return where items stood among the candidates; None if they are not the same ones."""
        if len(items) != len(self._items):
            return None
        if not len(self._place_of):
            self._place_of = np.full(int(self._items.max()) + 1, -1, np.int32)
            self._place_of[self._items] = np.arange(len(self._items), dtype=np.int32)
        if int(items.max()) >= len(self._place_of):
            return None
        places: Indices = self._place_of[items]
        return places if places.min() >= 0 else None


def placed(request: Request, ranking: Ranking, known: AskedOnce | None = None) -> Page:
    """Fill the slots of a page from all candidates."""
    if known is None:
        asked = request.standing.asked_of(ranking.items, request.n)
        page, unmet = assemble(ranking, asked, request.n)
    else:
        page, unmet = known.page(ranking)
    return Page(page, ranking.items, unmet, lacks(unmet, request.n) if unmet else ())


def lacks(unmet: Iterable[Unmet], n: int) -> tuple[Unmet, ...]:
    """Return one entry per rule; none for slots that a page of ``n`` does not have."""
    due = {(one.kind, one.place): one for one in unmet if one.slot <= n}
    return tuple(due.values())


class Outside:
    """The catalogue beyond the pool, for one question whose page does not obey."""

    def __init__(self, request: Request, excluded: Indices) -> None:
        self._n = request.n
        self._asked = request.standing.asked_of_all(request.n)
        self._free = request.allowed.copy()
        self._free[excluded] = False

    def who_would_serve(
        self, lacking: Sequence[Unmet], candidates: Indices, pool: Indices
    ) -> Iterator[Mask]:
        """Walk, per rule that lacks some, the items beyond the pool that are surely of use.

        lacking     what the page does not meet
        candidates  int32, who stood to be chosen; where enough of them suit a rule and each other,
                    nobody else is asked for
        pool        int32, whom the models have named
        """
        for lack in lacking:
            suits = self._suits(lack)
            suitable = candidates[suits[candidates]]
            if _within(self._asked.caps, suitable).sum() < self._n:
                serving = self._free & suits & ~self._full(suitable)
                serving[pool] = False
                if serving.any():
                    yield serving

    def of_every_kind(
        self, lacking: Sequence[Unmet], candidates: Indices, scores: Floats
    ) -> Indices:
        """Return items beyond the candidates, the best of every kind that the rules tell apart.

        Whatever page could be made of the whole catalogue can be made with those: items of one kind
        (of the same groups, meeting the same conditions) can stand for each other.
        """
        free = self._free.copy()
        free[candidates] = False
        asked = self._asked
        if not (asked.caps or any((free & self._suits(lack)).any() for lack in lacking)):
            return np.empty(0, np.int32)
        items = np.flatnonzero(free).astype(np.int32)
        if len(items) > _MOST:
            items = items[np.argpartition(-scores[items], _MOST)[:_MOST]]
        items = items[np.lexsort((items, -scores[items]))]
        kinds, n_kinds = np.zeros(len(items), np.int64), 1
        for values in (*(c.groups for c in asked.caps), *(r.matches for r in _matching(asked))):
            codes = values[items].astype(np.int64)
            codes -= codes.min(initial=0)
            n_codes = int(codes.max(initial=0)) + 1
            if n_kinds * n_codes > _MOST_KINDS:  # number those that there are
                kinds = np.unique(kinds, return_inverse=True)[1]
                n_kinds = len(items) + 1
            kinds, n_kinds = kinds * n_codes + codes, n_kinds * n_codes
        best_of_each = np.argsort(_places(kinds), kind="stable")
        return items[best_of_each[: _FEW_PAGES * self._n]]

    def _suits(self, lack: Unmet) -> Mask:
        rule = getattr(self._asked, lack.kind)[lack.place]
        suits: Mask = np.ones(len(self._free), np.bool_) if lack.kind == "caps" else rule.matches
        return suits

    def _full(self, pool: Indices) -> Mask:
        """Tell which items' groups have as many candidates as a cap lets in."""
        full = np.zeros(len(self._free), np.bool_)
        for cap in self._asked.caps:
            n_groups = int(cap.groups.max(initial=-1)) + 1
            groups = cap.groups[pool]
            counts = np.bincount(groups[groups >= 0], minlength=n_groups)
            enough = np.flatnonzero(counts >= cap.most).astype(np.int32)
            full |= members(cap.groups, enough, n_groups)
        return full


def _within(caps: Sequence[Cap], items: Indices) -> Mask:
    """Tell which items are among the first of their groups that caps let in."""
    within = np.ones(len(items), np.bool_)
    for cap in caps:
        groups = cap.groups[items]
        within &= (groups < 0) | (_places(groups) < cap.most)
    return within


def _places(groups: Array) -> Array:
    """Number the members of each group from 0, in their order."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(groups) else order
    sizes = np.diff(np.append(starts, len(groups)))
    places = np.empty(len(groups), np.int64)
    places[order] = np.arange(len(groups)) - np.repeat(starts, sizes)
    return places


def _matching(asked: SlotRules) -> tuple[Pinned | Quota, ...]:
    return (*asked.pins, *asked.quotas)
