"""What is wanted more than it used to be, and surely so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaincinv

from recopersona.base.forgetting import Gone
from recopersona.base.holdings import as_json
from recopersona.base.online import OnlineRecommender
from recopersona.base.parameters import Bound, check, duration, optional, param, real, whole
from recopersona.base.recommender import NO_OPINION, require_array
from recopersona.base.searching import choice, real_range
from recopersona.data.dataset import Dataset
from recopersona.data.event import RETURN
from recopersona.data.growing import with_room
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.times import MISSING_TIME, as_text, duration_ms
from recopersona.data.types import Array, Floats, Id, Indices, Mask
from recopersona.errors import DataError, ParameterError
from recopersona.models.item_to_item import require_places

_STEPS = 24  # moments are told apart by this part of a window
_SHARE = Bound("a number above 0 and below 1", lambda value: 0 < value < 1)


class _Counts(NamedTuple):
    """What happened up to a moment: items' weights lately and before, float64 (n_items,)."""

    recent: Array
    before: Array
    windows: float  # how many windows long the time before is


class Trending(OnlineRecommender):
    r"""Score an item by how surely it is wanted more now than it used to be.

    Of each item, the weight :math:`r` of its events in the last ``window`` is set beside the weight
    to expect, :math:`e`: its events in the ``baseline`` before that, per window, times how busy
    everybody is now. The factor between them is uncertain where either is small, so it is drawn
    towards 1 with the weight of ``shrink`` events, and the lower end of its interval counts:

    .. math:: \lambda_i \sim Gamma(shrink + r_i, \; shrink + e_i), \qquad
              s_i = \ln Q_{1 - confidence}(\lambda_i)

    Three views after none do not beat a real trend. An item scores above 0 if it rises with that
    confidence; items without any event in the window get no opinion.

    Parameters
    ----------
    window : duration
        What "now" is.
    baseline : duration, longer than the window
        How far back an item's own past counts.
    confidence : float, above 0 and below 1
        With which the true factor is above the one that counts.
    shrink : float, above 0
        Events that say that nothing has changed.

    Attributes
    ----------
    log_users_, log_items_, log_weights_, log_times_ : int32, int32, float32, int64 (n_events,)
        The events of the last two baselines.
    unit_ : float
        What an event weighs, :math:`\sum w^2 / \sum w`: counts are in events of this weight.
    n_without_time_ : int
        Events that were left out because they have none.

    Notes
    -----
    Moments are rounded up to a 24th of the window; what happened after ``query.now`` is never
    looked at, so answers can be replayed as far back as the log reaches. Days and weeks are not
    modelled: with a window of less than a day, the usual evening rush is a trend for what is bought
    in the evening, though not for the shop as a whole, as everybody's traffic is divided out. Whole
    days or weeks as a window avoid that.

    Memory: 20 bytes for each event of the last two baselines, and 20 bytes an item. Time: constant
    per event and request, but for some passes over the items with the first request after an event;
    one pass over those events for each 24th of a window, and for each question about the past.

    References
    ----------
    Gelman et al. (2013), "Bayesian data analysis", section 2.6, for the rate and its interval;
    DuMouchel (1999), "Bayesian data mining in large frequency tables", section 3, for ranking by
    the lower end.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.to_datetime("2026-01-01") + pd.to_timedelta(range(28), unit="D")
    >>> steady = pd.DataFrame({"item_id": "tea", "timestamp": days.repeat(20)})
    >>> rising = pd.DataFrame({"item_id": "ice", "timestamp": [*days, *days[-2:].repeat(15)]})
    >>> new = pd.DataFrame({"item_id": "oil", "timestamp": days[-1:].repeat(3)})
    >>> events = pd.concat([steady, rising, new], ignore_index=True)
    >>> model = Trending(window="2d").fit(events.assign(user_id=range(len(events))))
    >>> ranking = model.recommend("a stranger", n=3)
    >>> ranking[0], (ranking.scores > 0).tolist()
    ('ice', [True, False, False])
    >>> model.explain("a stranger", "ice")["component"].tolist()
    ['lately 32.0 in 2 days', 'expected 3.6', 'caution']
    """

    window: str | timedelta = param(duration(), default="1d", search=choice("6h", "1d", "3d", "7d"))
    baseline: str | timedelta = param(duration(), default="4w", search=choice("2w", "4w", "8w"))
    confidence: float = param(_SHARE, default=0.9)
    shrink: float = param(real(above=0), default=5.0, search=real_range(1, 50, log=True))

    def _fit(self, dataset: Dataset) -> None:
        if duration_ms(self.baseline) <= duration_ms(self.window):
            raise ParameterError(
                f"Trending: baseline must be longer than window, got {self.baseline!r} and "
                f"{self.window!r}."
            )
        rows = dataset.interactions
        if rows.timestamp is None or not (rows.timestamp != MISSING_TIME).any():
            raise DataError("Trending needs a 'timestamp' column in the events; add one.")
        weight = rows.weight.astype(np.float64)
        total = float(weight.sum())
        self.unit_ = float(np.square(weight).sum() / total) if total > 0 else 1.0
        self.n_without_time_ = int((rows.timestamp == MISSING_TIME).sum())
        kept = (rows.timestamp != MISSING_TIME) & self._within_reach(rows.timestamp)
        self.log_users_ = rows.users[kept]
        self.log_items_ = rows.items[kept]
        self.log_weights_ = rows.weight[kept]
        self.log_times_ = rows.timestamp[kept]

    def _prepare(self) -> None:
        self._latest: tuple[int, _Counts] | None = None
        self._told: tuple[_Counts, Floats] | None = None
        self._n_kept = len(self.log_times_)

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return the log of every item's surely reached factor, float32 (n_items,)."""
        counts = self._counts(query)
        told = vars(self).get("_told")
        if told is None or told[0] is not counts or len(told[1]) < len(self.items_):
            told = (counts, self._scores_of(counts))
            self._told = told  # whoever asks before the next event gets the same answer
        return told[1]

    def _scores_of(self, counts: _Counts) -> Floats:
        known = np.flatnonzero(counts.recent > 0)
        expected = self._expected(counts)[known]
        scores = np.full(len(self.items_), NO_OPINION)
        scores[known] = np.log(self._lower(counts.recent[known], expected))
        scores.flags.writeable = False
        return scores

    def _expected(self, counts: _Counts) -> Array:
        """Return what a window should hold, had nothing changed but everybody's traffic."""
        before = float(counts.before.sum())
        if before == 0 or counts.windows == 0:  # the log is no longer than a window
            n_items = max(1, int((counts.recent > 0).sum()))
            return np.full(len(counts.recent), counts.recent.sum() / n_items)
        busy = float(counts.recent.sum()) / before
        return counts.before * busy

    def _lower(self, recent: Array, expected: Array) -> Array:
        distinct, place = np.unique(recent, return_inverse=True)  # few: the quantile takes time
        quantile = gammaincinv(self.shrink + distinct, 1 - self.confidence)[place]
        lower: Array = quantile / (self.shrink + expected)
        return np.maximum(lower, 1e-30)

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        counts = self._counts(query)
        recent, expected = float(counts.recent[item]), float(self._expected(counts)[item])
        if recent <= 0:
            return []
        lower = float(np.log(self._lower(np.array([recent]), np.array([expected])))[0])
        rise, fall = np.log(self.shrink + recent), -np.log(self.shrink + expected)
        days = duration_ms(self.window) / 86_400_000
        return [
            (f"lately {recent:.1f} in {days:g} days", None, float(rise)),
            (f"expected {expected:.1f}", None, float(fall)),
            ("caution", None, lower - float(rise + fall)),
        ]

    # -- counting ----------------------------------------------------------------------------

    def _counts(self, query: Query) -> _Counts:
        """Return what was counted up to a moment; the latest is kept until the next step."""
        now = self.now_of(query)
        if now is None:
            now = 0
        n_items = len(self.items_)
        if self.end_ is None or now < self.end_:
            return self._counted(now, now, n_items)
        step = self._edge(now)
        kept = vars(self).get("_latest")
        if kept is None or kept[0] != step or len(kept[1].recent) < n_items:
            kept = (step, self._counted(now, self.end_, n_items))
            self._latest = kept
        return kept[1]

    def _counted(self, now: int, last: int, n_items: int) -> _Counts:
        """Count the log's events up to ``last``, as seen from ``now``."""
        window, baseline = duration_ms(self.window), duration_ms(self.baseline)
        edge = self._edge(now)
        times, items = self.log_times_, self.log_items_
        weights = self.log_weights_.astype(np.float64) / self.unit_
        happened = times <= last
        lately = happened & (times > edge - window)
        before = happened & ~lately & (times > edge - baseline)
        first = int(times.min()) if len(times) else edge
        length = max(0, min(baseline, edge - first) - window)
        return _Counts(
            np.bincount(items[lately], weights[lately], minlength=n_items),
            np.bincount(items[before], weights[before], minlength=n_items),
            length / window,
        )

    def _edge(self, now: int) -> int:
        """Round a moment up to a step."""
        step = max(1, duration_ms(self.window) // _STEPS)
        return (now // step + 1) * step

    def _within_reach(self, times: Array) -> Mask:
        """Tell which events are of the last two baselines."""
        end = int(times.max(initial=0) if self.end_ is None else self.end_)
        within: Mask = times > end - 2 * duration_ms(self.baseline)
        return within

    # -- learning ----------------------------------------------------------------------------

    def _learn(self, rows: Interactions) -> None:
        times = np.full(len(rows), MISSING_TIME) if rows.timestamp is None else rows.timestamp
        known = (times != MISSING_TIME) & (rows.event != RETURN)
        self.n_without_time_ += int((times == MISSING_TIME).sum())
        held, more = len(self.log_times_), int(known.sum())
        if not more:
            return
        self.log_users_ = with_room(self.log_users_, held + more)
        self.log_items_ = with_room(self.log_items_, held + more)
        self.log_weights_ = with_room(self.log_weights_, held + more)
        self.log_times_ = with_room(self.log_times_, held + more)
        self.log_users_[held:] = rows.users[known]
        self.log_items_[held:] = rows.items[known]
        self.log_weights_[held:] = rows.weight[known]
        self.log_times_[held:] = times[known]
        self._count_at_once(rows.items[known], rows.weight[known], times[known])
        if held + more > 2 * self._n_kept + 1_000:
            self._drop_old()

    def _count_at_once(self, items: Indices, weights: Floats, times: Array) -> None:
        """Add events to what is counted for the latest moment, if they belong to it."""
        kept = vars(self).get("_latest")
        if kept is None or self.end_ is None:
            return
        edge, counts = kept
        window, baseline = duration_ms(self.window), duration_ms(self.baseline)
        n_items = len(self.items_)
        if self._edge(self.end_) > edge:
            self._latest = None  # time has gone on
            return
        recent, before = with_room(counts.recent, n_items), with_room(counts.before, n_items)
        shares = weights.astype(np.float64) / self.unit_
        lately = times > edge - window
        earlier = ~lately & (times > edge - baseline)
        np.add.at(recent, items[lately], shares[lately])
        np.add.at(before, items[earlier], shares[earlier])
        self._latest = (edge, _Counts(recent, before, counts.windows))

    def _forget_users(self, users: Indices) -> None:
        super()._forget_users(users)
        self._keep_events(~np.isin(self.log_users_, users))
        self._latest = None

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        alike = np.allclose(self.log_weights_, self.unit_, rtol=1e-6)
        return () if alike else ("unit_",)

    def _held_of(self, user: int) -> dict[str, Any]:
        rows = np.flatnonzero(self.log_users_ == user)
        columns = self.items_.ids[self.log_items_[rows]], self.log_weights_[rows]
        log = [
            {"item_id": as_json(item), "weight": as_json(weight), "timestamp": as_text(time)}
            for item, weight, time in zip(
                *(column.tolist() for column in (*columns, self.log_times_[rows])), strict=True
            )
        ]
        return {**super()._held_of(user), **({"log": log} if log else {})}

    def _drop_old(self) -> None:
        self._keep_events(self._within_reach(self.log_times_))

    def _keep_events(self, kept: Mask) -> None:
        self.log_users_ = self.log_users_[kept]
        self.log_items_ = self.log_items_[kept]
        self.log_weights_ = self.log_weights_[kept]
        self.log_times_ = self.log_times_[kept]
        self._n_kept = len(self.log_times_)

    def _check_learned(self) -> None:
        super()._check_learned()
        require_array(self.log_times_, np.int64, (None,), "log_times_")
        n_events = len(self.log_times_)
        require_places(self.log_users_, n_events, len(self.users_), "log_users_")
        require_places(self.log_items_, n_events, len(self.items_), "log_items_")
        require_array(self.log_weights_, np.float32, (n_events,), "log_weights_")
        weights_fit = (np.isfinite(self.log_weights_) & (self.log_weights_ >= 0)).all()
        times_fit = (np.abs(self.log_times_.astype(np.float64)) < 2**62).all()
        if not (weights_fit and times_fit):
            raise DataError("Trending: the log holds values that no log has.")
        check(self.unit_, real(above=0), "Trending", "unit_")
        check(self.n_without_time_, whole(0), "Trending", "n_without_time_")
        check(self.end_, optional(whole(-(2**62), 2**62)), "Trending", "end_")
