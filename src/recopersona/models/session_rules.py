"""Rules of visits: who clicked this clicked that next, or a few clicks later."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from recopersona.base.forgetting import Gone
from recopersona.base.parameters import check, one_of, optional, param, real, switch, whole
from recopersona.base.recommender import require_array
from recopersona.base.searching import choice, real_range, whole_range
from recopersona.data.dataset import Dataset
from recopersona.data.event import RETURN
from recopersona.data.growing import with_room
from recopersona.data.interactions import Interactions
from recopersona.data.runs import spread
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError
from recopersona.kernels.blocks import cut_evenly, run_blocks
from recopersona.kernels.ordering import order_of
from recopersona.kernels.rules import add_rules, count_rules, fill_rules
from recopersona.models.click_rows import ClickRows, heaviest, require_rooms
from recopersona.models.likeness import starts
from recopersona.models.visits import TRAIL, Clicks, Visits, visits_in

WEIGHTINGS = ("div", "linear", "log", "quadratic", "same")

_BLOCKS = 64


class _ClickRules(ClickRows):
    """Keeps the summed weights of pairs of clicks in a visit, and adds to them click by click.

    A subclass writes ``_ahead()``, what a click weighs that comes so many clicks later, the next
    one first, and may write ``_back()``, the same for clicks that came earlier.

    Attributes
    ----------
    starts_ : int64 (n_items,)
    sizes_, rooms_ : int32 (n_items,)
    others_ : int32 (n_places,)
        The items that item i speaks for are the ``sizes_[i]`` ones from ``starts_[i]`` on; there is
        room for ``rooms_[i]``.
    weights_ : float32 (n_places,)
    totals_ : float64 (n_items,)
        The summed weights of all rules of an item, also of those not kept.
    n_taken_ : int
        Places that are in use, or were.
    traceable_ : bool
        Whether the past tells what every visit was.
    """

    decay: float = param(real(at_least=0, at_most=1), default=0.7, search=real_range(0, 1))
    shrink: float = param(real(at_least=0), default=20.0, search=real_range(1, 200, log=True))
    max_rules: int | None = param(optional(whole(at_least=1)), default=1_000)

    def _ahead(self) -> Floats:
        raise NotImplementedError(f"{type(self).__name__} must write _ahead(self).")

    def _back(self) -> Floats:
        return np.empty(0, np.float32)

    def _fades(self, n: int) -> Floats:
        return np.float32(self.decay) ** np.arange(n, dtype=np.float32)

    def _factors(self, clicks: Indices) -> Floats:
        room = np.maximum(self.totals_[clicks] + self.shrink, np.finfo(np.float32).tiny)
        return (1 / room).astype(np.float32)

    def _fit_visits(self, visits: Visits, dataset: Dataset) -> None:
        self.ahead_, self.back_ = self._ahead(), self._back()
        self.traceable_ = dataset.interactions.session is None
        bounds, others, weights, self.totals_ = _rules_of(
            visits, len(self.items_), self.ahead_, self.back_
        )
        if self.max_rules is not None and np.diff(bounds).max(initial=0) > self.max_rules:
            bounds, kept = heaviest(bounds, others, weights, self.max_rules)
            others, weights = others[kept], weights[kept]
        self._keep_rows(bounds, others, weights)
        self.rooms_, self.n_taken_ = self.sizes_.copy(), len(others)

    def _learn_clicks(self, clicks: Clicks) -> None:
        for name in ("starts_", "sizes_", "rooms_", "totals_"):
            setattr(self, name, with_room(getattr(self, name), len(self.items_)))
        progress = np.array([self.n_taken_, 0, 0], np.int64)
        places, most = len(self.others_), min(self.max_rules or 0, len(self.items_))
        while True:
            self.others_ = with_room(self.others_, places)
            self.weights_ = with_room(self.weights_, places)
            done = add_rules(
                self.starts_, self.sizes_, self.rooms_, self.totals_, self.others_, self.weights_,
                progress, clicks.items, clicks.before, clicks.counts,
                self.ahead_, self.back_, most,
            )  # fmt: skip
            if done:
                break
            places += max(1_024, places // 8, 2 * int(self.sizes_.max(initial=0)))
        self.n_taken_ = int(progress[0])

    def _learn(self, rows: Interactions) -> None:
        if self.traceable_ and (rows.session is not None or self._turns_back(rows)):
            self.traceable_ = False
        super()._learn(rows)

    def _turns_back(self, rows: Interactions) -> bool:
        """Tell whether events come in another order than that of time, which the past has."""
        if rows.timestamp is None:
            return False
        last, known = self.trails_.times_, rows.users < len(self.trails_.times_)
        before = rows.timestamp[known] < last[rows.users[known]]
        return bool(before.any() or (rows.timestamp[1:] < rows.timestamp[:-1]).any())

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        """Take their visits' weights off the rules, if the past holds all of these visits.

        It does not where events came with sessions of their own, or later than later ones: the past
        keeps neither. Nor can it be where light rules were dropped, of which some would be back.
        """
        left = "others_", "weights_", "totals_"
        rows = self._events_of(gone) if self.traceable_ else None
        if rows is None:
            return left
        visits = visits_in(rows.take((rows.weight > 0) & (rows.event != RETURN)), self.gap_ms_)
        theirs = _rules_of(visits, len(self.items_), self.ahead_, self.back_)
        return () if self._without_rules(*theirs) else left

    def _without_rules(
        self, bounds: Array, others: Indices, weights: Floats, totals: Array
    ) -> bool:
        """Subtract the weights of some rules; tell whether all of their items' rules were kept."""
        n = len(self.sizes_)
        items = np.flatnonzero(np.diff(bounds))
        places = spread(self.starts_[items], self.sizes_[items])
        owners = np.repeat(items, self.sizes_[items])
        width = max(n, int(self.others_.max(initial=0)) + 1)
        keys = owners * width + self.others_[places]
        order = np.argsort(keys)
        asked = np.repeat(np.arange(n), np.diff(bounds)[:n]) * width + others
        found = np.searchsorted(keys, asked, sorter=order)
        found = order[np.minimum(found, len(keys) - 1)]
        held = np.bincount(owners, self.weights_[places], minlength=n)[items]
        if not ((keys[found] == asked).all() and np.allclose(held, self.totals_[items], 1e-4)):
            return False
        kept = self.weights_[places].astype(np.float64)
        kept[found] -= weights
        # Less than half of the least that a pair of clicks weighs is what rounding left of nothing.
        least = np.concatenate([self.ahead_[self.ahead_ > 0], self.back_[self.back_ > 0]]).min()
        stays = kept > least / 2
        self.totals_ = self.totals_ - totals
        sizes = self.sizes_.copy()
        sizes[items] = np.bincount(owners[stays], minlength=n)[items]
        self.others_, self.weights_ = self.others_.copy(), self.weights_.copy()
        place = spread(self.starts_[items], sizes[items])
        self.others_[place], self.weights_[place] = self.others_[places[stays]], kept[stays]
        self.sizes_ = sizes
        self.totals_[items[sizes[items] == 0]] = 0
        return True

    def _check_learned(self) -> None:
        super()._check_learned()
        n, owner = len(self.starts_), type(self).__name__
        require_array(self.rooms_, np.int32, (n,), "rooms_")
        require_array(self.totals_, np.float64, (n,), "totals_")
        require_array(self.ahead_, np.float32, (None,), "ahead_")
        require_array(self.back_, np.float32, (None,), "back_")
        check(self.traceable_, switch(), owner, "traceable_")
        check(self.n_taken_, whole(0, len(self.others_)), owner, "n_taken_")
        require_rooms(self.starts_, self.rooms_, self.n_taken_, "starts_ and rooms_")
        if not all(np.isfinite(part).all() for part in (self.totals_, self.ahead_, self.back_)):
            raise DataError(f"{owner}: what its clicks weigh must be finite numbers.")
        if (self.sizes_ > self.rooms_).any():
            raise DataError(f"{owner}: sizes_ must be within rooms_.")


class SequentialRules(_ClickRules):
    r"""Recommend what other visits clicked a few clicks after the clicks of this one.

    .. math:: w_{ij} = \sum_{i \to_d j} f(d) + backward \sum_{j \to_d i} f(d), \qquad
              s_j = \sum_{d \ge 0} decay^d \left( \frac{w_{i_d j}}{shrink + \sum_k w_{i_d k}}
              + reminder \, [j = i_d] \right)

    where :math:`i \to_d j` are all pairs of clicks of a visit of which j came d clicks after i, up
    to ``steps``, and :math:`i_d` is the item clicked d clicks before the last one, up to 50 back.

    With ``decay=0, backward=0, reminder=0`` and ``steps`` up to 10, this is the model of the paper:
    the rules of the last click alone.

    Parameters
    ----------
    steps : int, 1 to 16
        How many clicks apart two items of a rule may be.
    weighting : "div", "linear", "log", "quadratic" or "same"
        f(d): 1/d, 1 - (d - 1)/steps, 1/lg(d + 1.7), 1/d**2 or 1.
    backward : float, at least 0
        What a pair counts for the rule the other way round.
    decay : float, 0 to 1
        What a click counts beside the next one; 0 asks the last click alone.
    shrink : float, at least 0
        So much weight counts against an item's rules: those of rare items feel it. A very large one
        leaves the order of the weights themselves.
    reminder : float, at least 0
        What a click says for its own item; nothing is said where ``repeats=False``.
    max_rules : int or None
        So many rules of an item are kept, the heaviest, and up to as many that came later; None
        keeps all.
    gap, repeats, profile : see `SessionRecommender`

    Attributes
    ----------
    starts_ : int64 (n_items,)
    sizes_, rooms_ : int32 (n_items,)
    others_ : int32 (n_places,)
        The rules of item i are the ``sizes_[i]`` ones from ``starts_[i]`` on, of ``rooms_[i]``.
    weights_ : float32 (n_places,)
    totals_ : float64 (n_items,)
        The summed weights of an item's rules, also of those not kept.

    Notes
    -----
    Each click of ``partial_fit`` adds its rules at once, as ``fit`` would have; where ``max_rules``
    is reached, an item's light rules are dropped now and then. New items have rules from their
    first click on.

    Memory: ``8 * n_rules + 24 * n_items`` bytes, with at most ``2 * steps`` rules a click. A row
    that grows online moves into half as much room again, so that up to four times as much is held
    of what was learned online. While fitting, all rules are held before the light ones go, another
    40 bytes a click, and 12 bytes an item for each thread. Time: ``2 * steps`` additions a click,
    twice; online, ``2 * steps`` looks through the rules of an item.

    References
    ----------
    Ludewig & Jannach (2018), "Evaluation of session-based recommendation algorithms", section 3.1,
    for the rules, their distances and weightings. More clicks than the last, the way back and the
    reminder are ours.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({
    ...     "user_id": [1, 1, 1, 2, 2], "item_id": ["tea", "cup", "honey", "tea", "honey"],
    ...     "session_id": [1, 1, 1, 2, 2]})
    >>> from recopersona.data.query import Query
    >>> model = SequentialRules(shrink=0).fit(events)
    >>> model.explain(Query(session=["tea"]), "honey")
      component evidence  contribution
    0     visit: click      tea           0.6
    """

    steps: int = param(whole(at_least=1, at_most=TRAIL), default=10, search=whole_range(2, TRAIL))
    weighting: str = param(one_of(*WEIGHTINGS), default="div", search=choice(*WEIGHTINGS))
    backward: float = param(real(at_least=0), default=0.5, search=real_range(0, 1))

    def _ahead(self) -> Floats:
        return distance_weights(self.weighting, self.steps)

    def _back(self) -> Floats:
        steps = self.steps if self.backward else 0
        return (self.backward * self._ahead()[:steps]).astype(np.float32)


class Markov(_ClickRules):
    r"""Recommend what other visits clicked right after the clicks of this one.

    .. math:: s_j = \sum_{d \ge 0} decay^d \left( \frac{n_{i_d j}}{shrink + \sum_k n_{i_d k}}
              + reminder \, [j = i_d] \right)

    where :math:`n_{ij}` counts how often j came right after i in a visit, and :math:`i_d` is the
    item clicked d clicks before the last one, up to 50 back. With ``decay=0, reminder=0`` this is
    the Markov chain of first order; else the earlier clicks speak where the last one is silent.

    Parameters
    ----------
    decay, shrink, reminder, max_rules : see `SequentialRules`
    gap, repeats, profile : see `SessionRecommender`

    Attributes
    ----------
    starts_, sizes_, rooms_, others_, weights_, totals_ : see `SequentialRules`

    Notes
    -----
    Each click of ``partial_fit`` counts at once, as in ``fit``. Memory and time: see
    `SequentialRules`, with a step ahead and none back.

    References
    ----------
    Ludewig & Jannach (2018), "Evaluation of session-based recommendation algorithms", section 3.1.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({
    ...     "user_id": [1, 1, 1, 2, 2], "item_id": ["tea", "cup", "honey", "tea", "cup"],
    ...     "session_id": [1, 1, 1, 2, 2]})
    >>> from recopersona.data.query import Query
    >>> Markov(reminder=0).fit(events).recommend(Query(session=["tea"]), n=1).item_ids
    ['cup']
    """

    def _ahead(self) -> Floats:
        return np.ones(1, np.float32)


def distance_weights(weighting: str, steps: int) -> Floats:
    """Return what two clicks weigh that are 1, 2, … ``steps`` clicks apart, float32 (steps,).

    Examples
    --------
    >>> distance_weights("linear", 4).tolist()
    [1.0, 0.75, 0.5, 0.25]
    """
    d = np.arange(1, steps + 1)
    weights = {
        "div": 1 / d,
        "linear": 1 - (d - 1) / steps,
        "log": 1 / np.log10(d + 1.7),
        "quadratic": 1 / d**2,
        "same": np.ones(steps),
    }[weighting]
    falling: Floats = weights.astype(np.float32)
    return falling


def _rules_of(
    visits: Visits, n_items: int, ahead: Floats, back: Floats
) -> tuple[Array, Indices, Floats, Array]:
    """Return each item's rules as bounds, items and weights, and their summed weights."""
    places = order_of(visits.items.astype(np.int64))[0]
    of_item = starts(np.bincount(visits.items, minlength=n_items))
    owners = np.repeat(np.arange(len(visits), dtype=np.int32), np.diff(visits.bounds))
    clicks = (of_item, places, visits.items, owners, visits.bounds)
    blocks = cut_evenly(of_item, _BLOCKS)
    counts = np.empty(n_items, np.int64)

    def count(start: int, end: int) -> None:
        count_rules(counts, np.full(n_items, -1), *clicks, len(ahead), len(back), start, end)

    run_blocks(count, blocks)
    bounds = starts(counts)
    # Made with room for what comes: the first click after a fit need not move them all.
    others = with_room(np.empty(0, np.int32), int(bounds[-1]))
    weights = with_room(np.empty(0, np.float32), int(bounds[-1]))
    totals = np.empty(n_items)

    def fill(start: int, end: int) -> None:
        sums, last = np.zeros(n_items, np.float32), np.full(n_items, -1)
        fill_rules(others, weights, totals, sums, last, bounds, *clicks, ahead, back, start, end)

    run_blocks(fill, blocks)
    return bounds, others, weights, totals
