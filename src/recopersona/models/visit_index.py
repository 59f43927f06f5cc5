"""Every visit by what is in it: who had an item lately, and what else she had."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from recopersona.base.holdings import as_json
from recopersona.base.parameters import whole
from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.ids import IdMap
from recopersona.data.times import MISSING_TIME, as_text
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError
from recopersona.kernels.postings import count_postings, fill_postings, forget_visits, renumber
from recopersona.kernels.session_knn import nearest_visits
from recopersona.kernels.visit_index import (
    N_CLICKS,
    N_LIVE,
    N_NUMBERS,
    N_POSTINGS,
    N_VISITS,
    append_clicks,
    comeback_rates,
    count_comebacks,
)
from recopersona.models.visits import Clicks, Visits

_WINDOW = 50  # so many of a visit's latest clicks may come back
_COMEBACKS = (16, 3)  # bins of how many others were clicked since, and times clicked
_SHRINK = 20.0

_VISIT_TABLES = ("starts_", "sizes_", "rooms_", "distinct_", "numbers_", "ends_", "owners_")
_ITEM_TABLES = ("item_starts_", "item_sizes_", "item_rooms_", "item_visits_")


class Near(NamedTuple):
    """Visits like one, the latest first, and how like it they are."""

    visits: Indices
    likeness: Array


class VisitIndex(Part):
    """An index of visits that grows click by click.

    Visits are numbered by recency. Each item has its postings: the numbers of the visits that have
    it, ascending. A visit that goes on gets a new number, and its old one becomes stale: so an
    append costs a few steps for each item of the visit, and the index answers as if it had been
    built from all visits anew.

    Memory, in bytes: ``40 V + 4 (C + P) + 20 I + 4 U`` for V visits, C clicks, P different items of
    visits, I items and U users; tables that are full grow by half.

    Attributes
    ----------
    starts_, sizes_, rooms_ : int64, int32, int32 (n_visits,)
        Where each visit's clicks start, how many they are, and how many could be.
    distinct_, numbers_, ends_, owners_ : int32, int32, int64, int32 (n_visits,)
        Its different items, its number, when its last click was, whose it is.
    clicks_ : int32 (n_clicks,)
    visit_at_ : int32 (n_numbers,)
        The visit of each number, -1 for a stale one.
    latest_ : int32 (n_users,)
        The latest visit of each user, -1 for none.
    item_starts_, item_sizes_, item_rooms_ : int64, int32, int32 (n_items,)
        Where each item's postings start, how many they are, and how many could be.
    item_visits_ : int32 (n_items,)
        How many visits have the item.
    postings_ : int32 (n_postings,)
    used_ : int64 (5,)
        How much of the tables of visits, numbers, clicks and postings is in use; and how many
        visits are not forgotten.
    back_, there_ : int64 (16, 3)
        Of the items that were in a visit, ``there_`` of them with so many others clicked since (in
        bins) and clicked so often, ``back_`` were the next click.
    max_clicks_ : int
        Of a visit so many of the latest clicks are kept.
    """

    @classmethod
    def of(cls, visits: Visits, n_users: int, n_items: int, max_clicks: int) -> VisitIndex:
        """Index visits."""
        index = cls()
        index.max_clicks_ = max_clicks
        index._keep(visits, n_users)
        index._post(n_items)
        index._count_comebacks(visits)
        return index

    def _keep(self, visits: Visits, n_users: int) -> None:
        """Keep the latest clicks of visits, and number them in their order."""
        bounds, items = _latest_clicks(visits, self.max_clicks_)
        n = len(visits)
        self.starts_, self.clicks_ = bounds[:-1].copy(), items
        self.sizes_ = np.diff(bounds).astype(np.int32)
        self.rooms_ = self.sizes_.copy()
        self.numbers_ = np.arange(n, dtype=np.int32)
        self.visit_at_: Indices = self.numbers_.copy()
        self.ends_, self.owners_ = visits.ends.copy(), visits.users.copy()
        self.latest_: Indices = np.full(n_users, -1, np.int32)
        self.latest_[visits.users] = self.numbers_  # in order: the later visit stays

    def _count_comebacks(self, visits: Visits) -> None:
        """Count what came back in visits, also where they are longer than what is kept of them."""
        self.back_: Array = np.zeros(_COMEBACKS, np.int64)
        self.there_: Array = np.zeros(_COMEBACKS, np.int64)
        count_comebacks(self.back_, self.there_, visits.bounds, visits.items, self._window)

    def _post(self, n_items: int) -> None:
        """Write down which visits have each item."""
        n, bounds = len(self.starts_), np.append(self.starts_, len(self.clicks_))
        starts, sizes = np.empty(n_items + 1, np.int64), np.empty(n_items, np.int32)
        self.distinct_ = np.empty(n, np.int32)
        count_postings(
            starts, sizes, self.distinct_, np.zeros(n_items, np.int32), bounds, self.clicks_
        )
        self.postings_: Indices = np.empty(starts[-1], np.int32)
        self.item_starts_, self.item_sizes_ = starts[:-1].copy(), np.zeros(n_items, np.int32)
        fill_postings(self.postings_, self.item_sizes_, starts, bounds, self.clicks_)
        self.item_rooms_, self.item_visits_ = sizes, sizes.copy()
        self.used_ = np.array([n, n, len(self.clicks_), len(self.postings_), n])

    @property
    def _window(self) -> int:
        return min(_WINDOW, int(self.max_clicks_))

    def __len__(self) -> int:
        return int(self.used_[N_LIVE])

    # -- questions ---------------------------------------------------------------------------

    def idf(self, items: Indices) -> Floats:
        r"""Return the items' rarity, :math:`\log(visits / visits\ with\ it)`, float64 (n,)."""
        known = items < len(self.item_visits_)
        having = np.where(known, self.item_visits_[np.where(known, items, 0)], 0)
        rarity: Floats = np.log(max(len(self), 1) / np.maximum(having, 1))
        return rarity

    def nearest(
        self, items: Indices, weights: Array, sample: int, k: int, similarity: int,
        now: int, recency: float,
    ) -> Near:  # fmt: skip
        """Return the ``k`` visits most like one, of the ``sample`` latest that share an item."""
        sample = min(sample, len(self))
        visits, likeness = np.empty(sample, np.int32), np.empty(sample)
        n = nearest_visits(
            visits, likeness, items, weights,
            self.visit_at_, self.distinct_, self.ends_,
            self.item_starts_, self.item_sizes_, self.postings_,
            sample, k, similarity, now, recency,
        )  # fmt: skip
        return Near(visits[:n], likeness[:n])

    def clicks_of(self, visit: int) -> Indices:
        """Return the items of a visit, oldest first."""
        start = self.starts_[visit]
        clicks: Indices = self.clicks_[start : start + self.sizes_[visit]]
        return clicks

    def comebacks(self, visit: Indices, n: int) -> Array:
        """Return how likely each of a visit's ``n`` items is clicked next, the latest first."""
        rates = np.empty(n)
        comeback_rates(rates, visit[-self._window :], self.back_, self.there_, _SHRINK)
        return rates

    # -- learning ----------------------------------------------------------------------------

    def append(self, clicks: Clicks, n_users: int, n_items: int) -> None:
        """Append clicks, each to its user's latest visit or to a new one."""
        self._own()
        if n_users > len(self.latest_):
            self.latest_ = grown(self.latest_, n_users, fill=-1)
        if n_items > len(self.item_starts_):
            for name in _ITEM_TABLES:
                setattr(self, name, grown(getattr(self, name), n_items))
        needed, row, n = np.zeros(4, np.int64), 0, len(clicks.users)
        while True:
            row = append_clicks(
                self.starts_, self.sizes_, self.rooms_, self.distinct_, self.numbers_, self.ends_,
                self.owners_, self.clicks_, self.visit_at_, self.latest_,
                self.item_starts_, self.item_sizes_, self.item_rooms_, self.item_visits_,
                self.postings_, self.back_, self.there_, self.used_, needed,
                clicks.users, clicks.items, clicks.times, clicks.counts,
                row, n, self.max_clicks_, self._window,
            )  # fmt: skip
            if row == n:
                return
            self._make_room(needed)

    def held_of(self, user: int, ids: IdMap) -> list[dict[str, Any]]:
        """Return the visits of one user: what was clicked, oldest first, and when last."""
        mine = np.flatnonzero(self.owners_[: self.used_[N_VISITS]] == user)
        return [
            {
                "clicks": as_json(ids.ids[self.clicks_of(visit)]),
                "last": as_text(int(self.ends_[visit])),
            }
            for visit in mine.tolist()
        ]

    def forget(self, users: Indices) -> bool:
        """Drop the visits of some users; tell whether nothing of them is left in any count.

        Of visits of which ``max_clicks`` may have left out a part, it is not known what came back
        there.
        """
        self._own()
        whole = self._uncount_comebacks(users)
        users = users[users < len(self.latest_)]
        gone = np.zeros(len(self.latest_), np.bool_)
        gone[users] = True
        self.used_[N_LIVE] -= forget_visits(
            self.sizes_, self.distinct_, self.owners_, self.numbers_, self.clicks_,
            self.visit_at_, self.item_visits_, self.starts_, gone, int(self.used_[N_VISITS]),
        )  # fmt: skip
        self.latest_[users] = -1
        # What is blank is no longer anybody's, and its last moment would still tell of her.
        self.ends_[: self.used_[N_VISITS]][self.owners_[: self.used_[N_VISITS]] < 0] = MISSING_TIME
        return whole

    def _uncount_comebacks(self, users: Indices) -> bool:
        theirs = np.flatnonzero(np.isin(self.owners_[: self.used_[N_VISITS]], users))
        sizes = self.sizes_[theirs].astype(np.int64)
        bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        rows = np.arange(bounds[-1]) + np.repeat(self.starts_[theirs] - bounds[:-1], sizes)
        back, there = np.zeros((2, *_COMEBACKS), np.int64)
        count_comebacks(back, there, bounds, self.clicks_[rows], self._window)
        self.back_, self.there_ = np.subtract(self.back_, back), np.subtract(self.there_, there)
        return bool((sizes < self.max_clicks_).all())

    def _make_room(self, needed: Array) -> None:
        """Lengthen the tables that are too short; drop stale numbers when they are most of all."""
        if needed[N_NUMBERS] > len(self.visit_at_):
            if needed[N_NUMBERS] > 2 * self.used_[N_LIVE] + 1_000:
                self._renumber()
            else:
                self.visit_at_ = grown(self.visit_at_, needed[N_NUMBERS])
        if needed[N_VISITS] > len(self.starts_):
            for name in _VISIT_TABLES:
                setattr(self, name, grown(getattr(self, name), needed[N_VISITS]))
        self.clicks_ = grown(self.clicks_, needed[N_CLICKS])
        self.postings_ = grown(self.postings_, needed[N_POSTINGS])

    def _renumber(self) -> None:
        n_numbers = int(self.used_[N_NUMBERS])
        self.used_[N_NUMBERS] = renumber(
            self.numbers_, self.visit_at_, self.item_sizes_, self.postings_,
            np.empty(n_numbers, np.int32), self.item_starts_, n_numbers, len(self.item_sizes_),
        )  # fmt: skip
        # Room that no list uses holds old numbers, which a file must not be refused for.
        np.minimum(self.postings_, max(int(self.used_[N_NUMBERS]) - 1, 0), out=self.postings_)

    def _own(self) -> None:
        """Copy what came from a file and cannot be written."""
        if not self.used_.flags.writeable:
            for name, value in list(vars(self).items()):
                if isinstance(value, np.ndarray):
                    setattr(self, name, value.copy())

    def require(self, n_items: int, owner: str) -> None:
        """Refuse an index from a file that does not fit items, or itself."""
        for name in (*_VISIT_TABLES, *_ITEM_TABLES):
            long = name in ("starts_", "ends_", "item_starts_")
            length = len(self.starts_ if name in _VISIT_TABLES else self.item_starts_)
            dtype: Any = np.int64 if long else np.int32
            require_array(getattr(self, name), dtype, (length,), f"index_.{name}")
        for name in ("clicks_", "visit_at_", "latest_", "postings_"):
            require_array(getattr(self, name), np.int32, (None,), f"index_.{name}")
        require_array(self.used_, np.int64, (5,), "index_.used_")
        for name in ("back_", "there_"):
            require_array(getattr(self, name), np.int64, _COMEBACKS, f"index_.{name}")
        if not self._holds_together(n_items):
            raise DataError(f"{owner}: the index of visits does not fit together.")

    def _holds_together(self, n_items: int) -> bool:
        lengths = [len(t) for t in (self.starts_, self.visit_at_, self.clicks_, self.postings_)]
        used = self.used_
        if (used < 0).any() or (used[:4] > lengths).any():
            return False
        n_numbers = int(used[N_NUMBERS])
        return (
            whole(at_least=1, at_most=10_000).holds(self.max_clicks_)
            and _within(self.starts_, self.sizes_, self.rooms_, int(used[N_CLICKS]))
            and _within(
                self.item_starts_, self.item_sizes_, self.item_rooms_, int(used[N_POSTINGS])
            )
            and _are_places(self.clicks_, 0, min(len(self.item_starts_), n_items))
            and _are_places(self.postings_[: used[N_POSTINGS]], 0, max(n_numbers, 1))
            and (n_numbers > 0 or not self.item_sizes_.any())
            and self._visits_hold_together()
            and bool((self.distinct_ >= 0).all())
            and bool(((self.back_ >= 0) & (self.back_ <= self.there_)).all())
        )

    def _visits_hold_together(self) -> bool:
        """Tell whether visits, their numbers and their owners lead to each other."""
        n, n_numbers = int(self.used_[N_VISITS]), int(self.used_[N_NUMBERS])
        visit_at = self.visit_at_[:n_numbers]
        if not (_are_places(visit_at, -1, n) and _are_places(self.latest_, -1, n)):
            return False
        live = np.flatnonzero(self.owners_[:n] >= 0)
        numbers, owners = self.numbers_[live], np.flatnonzero(self.latest_ >= 0)
        return (
            len(live) == self.used_[N_LIVE] == np.count_nonzero(visit_at >= 0)
            and _are_places(numbers, 0, n_numbers)
            and np.array_equal(visit_at[numbers], live)
            and np.array_equal(self.owners_[self.latest_[owners]], owners)
            and bool((self.sizes_[live] > 0).all())
        )


def grown(table: Array, n: int, fill: int = 0) -> Array:
    """Return a table of at least ``n`` rows: itself, or a copy longer by half.

    Examples
    --------
    >>> grown(np.ones(2), 2), grown(np.ones(2), 3)
    (array([1., 1.]), array([1., 1., 0.]))
    """
    if n <= len(table):
        return table
    longer = np.full(max(int(n), len(table) + len(table) // 2), fill, table.dtype)
    longer[: len(table)] = table
    return longer


def _latest_clicks(visits: Visits, max_clicks: int) -> tuple[Array, Indices]:
    """Return the bounds and items of visits, each cut to its latest clicks."""
    sizes = np.diff(visits.bounds)
    if len(sizes) == 0 or sizes.max() <= max_clicks:
        return visits.bounds, visits.items.copy()
    kept = np.repeat(visits.bounds[1:], sizes) - np.arange(len(visits.items)) <= max_clicks
    bounds = np.concatenate([[0], np.cumsum(np.minimum(sizes, max_clicks))]).astype(np.int64)
    return bounds, visits.items[kept]


def _within(starts: Array, sizes: Array, rooms: Array, end: int) -> bool:
    """Tell whether every run and its room lies before an end."""
    least = min(starts.min(initial=0), sizes.min(initial=0))
    before = (starts <= end) & (rooms <= end - np.minimum(starts, end)) & (sizes <= rooms)
    return bool(least >= 0 and before.all())


def _are_places(values: Array, low: int, high: int) -> bool:
    return not len(values) or bool(values.min() >= low and values.max() < high)
