"""What session models with a sparse row per clicked item have in common."""

from __future__ import annotations

import numpy as np

from recopersona.base.parameters import param, real
from recopersona.base.recommender import require_array
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError
from recopersona.kernels.rules import ask_rules
from recopersona.models.likeness import starts
from recopersona.models.session import Opinions, SessionRecommender

_LATELY = 50  # of the latest clicks of a visit, so many speak


class ClickRows(SessionRecommender):
    r"""Score items by the sparse rows of the clicked items, the latest click's the most.

    .. math:: s_j = \sum_{d \ge 0} c_d \, (r_{i_d} B_{i_d j} + reminder \, [j = i_d])

    where :math:`i_d` is the item clicked d clicks before the last one, up to 50 clicks back. The
    reminder speaks for the clicked item itself: who looks at things returns to some of them.

    A subclass learns B, keeps it by ``_keep_rows``, and writes

    ``_fades(n)``
        Return :math:`c_0, …, c_{n-1}`, float32: what the last click counts, then the one before.
    ``_factors(clicks)``
        Return :math:`r_i` for clicked items that have a row, float32; by default 1.

    Parameters
    ----------
    reminder : float, at least 0
        What a click says for its own item.

    Attributes
    ----------
    starts_ : int64 (n_items,)
    sizes_ : int32 (n_items,)
    others_ : int32 (n_places,)
        The items that item i speaks for are the ``sizes_[i]`` ones from ``starts_[i]`` on.
    weights_ : float32 (n_places,)
    """

    reminder: float = param(real(at_least=0), default=0.2)

    def _fades(self, n: int) -> Floats:
        raise NotImplementedError(f"{type(self).__name__} must write _fades(self, n).")

    def _factors(self, clicks: Indices) -> Floats:
        return np.ones(len(clicks), np.float32)

    def _keep_rows(self, bounds: Array, others: Indices, weights: Floats) -> None:
        self.starts_, self.sizes_ = bounds[:-1], np.diff(bounds).astype(np.int32)
        self.others_, self.weights_ = others, weights

    def _opinions(self, visit: Indices, now: int | None) -> Opinions:
        clicks, shares, reminders = self._voices(visit)
        # One place for every entry of a row and every click is enough.
        n = int(self.sizes_[clicks[clicks < len(self.sizes_)]].sum()) + len(clicks)
        found, scores = np.empty(n, np.int32), np.empty(n, np.float32)
        slots = np.zeros(1 << (2 * n).bit_length(), np.int32)
        count = ask_rules(
            found, scores, slots, clicks, shares, reminders,
            self.starts_, self.sizes_, self.others_, self.weights_,
        )  # fmt: skip
        return Opinions(found[:count], scores[:count])

    def _voices(self, visit: Indices) -> tuple[Indices, Floats, Floats]:
        """Return the latest clicks, what their rows count, and what they say for themselves."""
        clicks = visit[-_LATELY:]
        fades = self._fades(len(clicks))[::-1]
        shares = np.zeros(len(clicks), np.float32)
        known = clicks < len(self.sizes_)
        shares[known] = fades[known] * self._factors(clicks[known])
        return clicks, shares, (self.reminder * fades).astype(np.float32)

    def _reasons(
        self, visit: Indices, item: int, now: int | None
    ) -> list[tuple[str, int | None, float]]:
        rows: list[tuple[str, int | None, float]] = []
        for click, share, reminder in zip(*(v.tolist() for v in self._voices(visit)), strict=True):
            weight = self._weight(click, item)
            if share * weight:
                rows.append(("click", click, share * weight))
            if reminder and click == item:
                rows.append(("reminder", click, reminder))
        return rows

    def _weight(self, click: int, item: int) -> float:
        if click >= len(self.sizes_):
            return 0.0
        row = slice(self.starts_[click], self.starts_[click] + self.sizes_[click])
        return float(self.weights_[row][self.others_[row] == item].sum())

    def _check_learned(self) -> None:
        super()._check_learned()
        n_items, owner = len(self.items_), type(self).__name__
        require_array(self.starts_, np.int64, (None,), "starts_")
        n = len(self.starts_)
        require_array(self.sizes_, np.int32, (n,), "sizes_")
        require_array(self.others_, np.int32, (None,), "others_")
        n_places = len(self.others_)
        require_array(self.weights_, np.float32, (n_places,), "weights_")
        require_rooms(self.starts_, self.sizes_, n_places, "starts_ and sizes_")
        within = not n_places or 0 <= self.others_.min() <= self.others_.max() < n_items
        if n > n_items or not within or not np.isfinite(self.weights_).all():
            raise DataError(f"{owner}: its rows do not fit the items.")


def require_rooms(starts: Array, sizes: Indices, n_places: int, name: str) -> None:
    """Refuse rows from a file that do not lie within so many places."""
    inside = (starts >= 0) & (starts <= n_places) & (sizes >= 0) & (sizes <= n_places - starts)
    if not inside.all():
        raise DataError(f"{name} must name rows within {n_places} places.")


def heaviest(bounds: Array, others: Indices, weights: Floats, most: int) -> tuple[Array, Array]:
    """Choose the ``most`` heaviest entries of each row, ties by item.

    Returns
    -------
    bounds : int64 (n_rows + 1,)
    kept : int64 (n_kept,)
        The places of the entries, row by row; within a row that is cut, the heaviest first.
    """
    sizes = np.diff(bounds)
    kept_bounds = starts(np.minimum(sizes, most))
    places = np.arange(len(others))
    rows = np.repeat(np.arange(len(sizes)), sizes)
    long = np.flatnonzero(sizes[rows] > most)
    order = np.lexsort((others[long], -weights[long], rows[long]))
    places[long] = long[order]
    return kept_bounds, places[np.arange(len(others)) - bounds[rows] < most]
