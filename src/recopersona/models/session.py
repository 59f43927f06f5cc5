"""What models of visits have in common: the visit in the question, and the past beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from recopersona.base.lists import Best, Excluded
from recopersona.base.online import OnlineRecommender
from recopersona.base.parameters import check, duration, param, real, switch, whole
from recopersona.base.recommender import NO_OPINION
from recopersona.data.dataset import Dataset
from recopersona.data.event import RETURN
from recopersona.data.ids import UNKNOWN
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.times import MISSING_TIME, duration_ms
from recopersona.data.types import Array, Floats, Id, Indices, Mask
from recopersona.errors import DataError
from recopersona.kernels.topn import select_listed
from recopersona.models.visits import Clicks, Trails, Visits, changes, visits_of

_PAST = 50  # of her latest clicks before the visit, so many speak for a visitor
_NOTHING: Indices = np.empty(0, np.int32)


class Opinions(NamedTuple):
    """What a model says about the items it has something to say about.

    items   (n,) int32, each once
    scores  (n,) float32, finite
    """

    items: Indices
    scores: Floats


_SILENT = Opinions(_NOTHING, np.empty(0, np.float32))


class _Side(NamedTuple):
    """One of the two that speak for a visitor: her clicks, and what their scores count."""

    name: str
    clicks: Indices
    opinions: Opinions
    factor: np.float32


class SessionRecommender(OnlineRecommender):
    r"""A recommender that answers a visit, blended with what the visitor did before it.

    .. math:: s_i = a \frac{v_i}{\max v} + (1 - a) \frac{p_i}{\max p}, \qquad
              a = \frac{L}{L + profile}

    where v are the scores for the visit's L clicks and p those for her latest 50 clicks before it,
    as if they were a visit. Where one side has nothing to say, the other one's scores stand as they
    are.

    The visit is the query's ``session``, and behind it the items whose page it is. Without a
    session, it is what the visitor did last, if that was no longer than ``gap`` before the query's
    ``now``; where nothing has a time, all she did is one visit.

    A subclass writes

    ``_fit_visits(visits, dataset)``
        Learn from every visit.
    ``_learn_clicks(clicks)``
        Learn from events as they come, each with what came before it in its visit.
    ``_opinions(visit, now) -> Opinions``
        Judge items for the clicks of a visit, int32, oldest first and at least one; they may lie
        beyond what was fitted. ``now`` is in milliseconds, or None.

    and may write ``_reasons(visit, item, now)``, for `explain`.

    Parameters
    ----------
    gap : duration
        A longer pause ends a visit; where events have sessions of their own, those count.
    repeats : bool
        Whether items of the visit may be recommended again.
    profile : float, at least 0
        The past counts as much as a visit of so many clicks; 0 leaves it out while there is one.

    Attributes
    ----------
    trails_ : Trails
        The latest clicks of everybody's visit.
    """

    gap: str | timedelta = param(duration(), default="30min")
    repeats: bool = param(switch(), default=True)
    profile: float = param(real(at_least=0), default=1.0)

    # -- what a model writes -----------------------------------------------------------------

    def _fit_visits(self, visits: Visits, dataset: Dataset) -> None:
        raise NotImplementedError(f"{type(self).__name__} must write _fit_visits(self, ...).")

    def _learn_clicks(self, clicks: Clicks) -> None:
        raise NotImplementedError(f"{type(self).__name__} must write _learn_clicks(self, clicks).")

    def _opinions(self, visit: Indices, now: int | None) -> Opinions:
        raise NotImplementedError(f"{type(self).__name__} must write _opinions(self, visit, now).")

    def _reasons(
        self, visit: Indices, item: int, now: int | None
    ) -> list[tuple[str, int | None, float]]:
        """Return (component, clicked item or None, contribution) rows that add up to an opinion."""
        items, scores = self._opinions(visit, now)
        return [(type(self).__name__, None, float(scores[items == item].sum()))]

    # -- what the base asks ------------------------------------------------------------------

    def _fit(self, dataset: Dataset) -> None:
        self.gap_ms_ = duration_ms(self.gap, "gap")
        visits = visits_of(dataset, self.gap_ms_)
        self.trails_ = Trails.of(visits, len(self.users_), dataset.interactions)
        self._fit_visits(visits, dataset)

    def _learn(self, rows: Interactions) -> None:
        self._learn_clicks(self.trails_.follow(rows, len(self.users_), self.gap_ms_))

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's score, float32 (n_items,)."""
        scores = np.full(len(self.items_), NO_OPINION)
        opinions = self._blended(query)
        scores[opinions.items] = opinions.scores
        return scores

    def _best_of(self, queries: Sequence[Query], excluded: Excluded, n: int, blocked: Mask) -> Best:
        best = Best.empty(len(queries), min(n, len(blocked)))
        for row, query in enumerate(queries):
            opinions = self._blended(query)
            best.counts[row] = select_listed(
                best.items[row], best.scores[row], opinions.items, opinions.scores,
                excluded.row(row), blocked,
            )  # fmt: skip
        return best

    def _excluded(self, query: Query, seen: int) -> Indices:
        """Leave out what the base leaves out, but for what the visit itself may repeat."""
        excluded = super()._excluded(query, seen)
        if not self.repeats or not len(excluded):
            return excluded
        back = self.session_of(query) if query.session else self._in_progress(query, timely=True)
        elsewhere = self._known_items((*query.page_items, *(query.history or ())))
        return excluded[~np.isin(excluded, back) | np.isin(excluded, elsewhere)]

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        ids, now = self.items_.ids, self.now_of(query)
        return [
            (
                f"{side.name}: {component}",
                None if click is None else ids[click],
                float(side.factor * np.float32(contribution)),
            )
            for side in self._sides(query)
            if (side.opinions.items == item).any()
            for component, click, contribution in self._reasons(side.clicks, item, now)
        ]

    def _similar(self, item: int) -> Floats:
        scores = np.full(len(self.items_), NO_OPINION)
        opinions = self._opinions(np.array([item], np.int32), self.end_)
        scores[opinions.items] = opinions.scores
        return scores

    def _forget_users(self, users: Indices) -> None:
        super()._forget_users(users)
        self.trails_.forget(users)

    def _held_of(self, user: int) -> dict[str, Any]:
        trail = self.trails_.held_of(user, self.items_)
        return {**super()._held_of(user), **({"trail": trail} if trail else {})}

    def _check_learned(self) -> None:
        super()._check_learned()
        if not isinstance(self.trails_, Trails):
            raise DataError(f"{type(self).__name__}: trails_ are none.")
        self.trails_.require(len(self.users_), len(self.items_), type(self).__name__)
        check(self.gap_ms_, whole(0, 2**62), type(self).__name__, "gap_ms_")

    # -- the visit and the past --------------------------------------------------------------

    def _blended(self, query: Query) -> Opinions:
        """Return the opinions of both sides in one."""
        sides = self._sides(query)
        if not sides:
            return _SILENT
        if len(sides) == 1:
            return sides[0].opinions
        items = np.concatenate([side.opinions.items for side in sides])
        scores = np.concatenate([side.factor * side.opinions.scores for side in sides])
        order = items.argsort(kind="stable")
        ordered = items[order]
        starts = np.append(True, ordered[1:] != ordered[:-1]).nonzero()[0]
        summed = np.add.reduceat(scores[order].astype(np.float64), starts)
        return Opinions(ordered[starts], summed.astype(np.float32))

    def _sides(self, query: Query) -> list[_Side]:
        """Return what the visit and the past say, as far as they say anything."""
        now = self.now_of(query)
        visit = self._visit(query)
        past = self._past(query) if self.profile or not len(visit) else _NOTHING
        sides = []
        for name, clicks, weight in (("visit", visit, len(visit)), ("past", past, self.profile)):
            opinions = self._opinions(clicks, now) if len(clicks) else _SILENT
            if len(opinions.items):
                sides.append((_Side(name, clicks, opinions, np.float32(1)), float(weight)))
        if len(sides) < 2:
            return [side for side, _ in sides]
        total = sum(weight for _, weight in sides)
        return [
            side._replace(factor=_share(weight / total, side.opinions.scores))
            for side, weight in sides
        ]

    def _visit(self, query: Query) -> Indices:
        """Return the clicks of the visit, oldest first."""
        visit = self.session_of(query) if query.session else self._in_progress(query)
        page = self._known_items(query.page_items)
        if len(page) == 1 and len(visit) and visit[-1] == page[0]:
            return visit
        return np.concatenate([visit, page]) if len(page) else visit

    def _past(self, query: Query) -> Indices:
        """Return the visitor's latest clicks before the visit, oldest first."""
        given = query.history
        if given is not None:
            if isinstance(given, Mapping):  # what weighs nothing is what she does not like
                given = [item for item, weight in given.items() if weight > 0]
            return self._known_items(given)[-_PAST:]
        clicks, begins = self._recent(query)
        return clicks[:begins][-_PAST:]

    def _in_progress(self, query: Query, timely: bool = False) -> Indices:
        """Return the stored visit that goes on; with ``timely``, only if the clock says so."""
        if query.history is not None or (timely and self.end_ is None):
            return _NOTHING
        clicks, begins = self._recent(query)
        return clicks[begins:]

    def _recent(self, query: Query) -> tuple[Indices, int]:
        """Return a user's clicks, and where among them the visit that goes on begins.

        What is a click and what ends a visit, is as in `visits_of`.
        """
        user = self.user_of(query)
        if user == UNKNOWN:
            return _NOTHING, 0
        lately = self.past_.limit  # behind those, only the rarer kinds are remembered
        items, codes, times = (column[-lately:] for column in self.past_.recent(user))
        counts = (self.event_weights_[codes] > 0) & (codes != RETURN)
        items, codes, times = items[counts], codes[counts], times[counts]
        if not len(items):
            return items, 0
        begins = _begins(times, self.now_of(query), self.gap_ms_)
        clicks = begins[:-1] | changes(items) | ~changes(codes)
        start = int(np.flatnonzero(begins)[-1])
        return items[clicks], int(clicks[:start].sum())


def _begins(times: Array, now: int | None, gap: int) -> Mask:
    """Tell where visits begin among a user's events; the last place is of one that begins now."""
    begins = np.zeros(len(times) + 1, np.bool_)
    begins[0] = True
    last = np.maximum.accumulate(times)
    later = np.append(times[1:], MISSING_TIME if now is None else now)
    known = (last != MISSING_TIME) & (later != MISSING_TIME)
    begins[1:][known] = later[known] - last[known] > gap
    return begins


def _share(weight: float, scores: Floats) -> np.float32:
    """Return what turns scores into shares of their largest, times a weight."""
    largest = np.abs(scores).max()
    return np.float32(weight / largest) if largest > 0 else np.float32(0)
