"""What one column says: of items, of what a visitor is drawn to, and of the shop."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np

from recopersona.base.parameters import Bound, check_parameters, param, real
from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.feature_table import CategoryColumn, Column, FeatureTable, SetColumn
from recopersona.data.growing import with_zeros
from recopersona.data.ids import UNKNOWN
from recopersona.data.interactions import Interactions
from recopersona.data.types import Array, Floats, Indices, Values
from recopersona.errors import ColumnError, DataError, ParameterError, hint
from recopersona.kernels.aspects import gather_aspects

COLUMN_NAME = Bound(
    "the name of an item column such as 'category'",
    lambda value: isinstance(value, str) and bool(value),
)


class Members(NamedTuple):
    """The aspects of some items: those of row r are ``aspects[bounds[r]:bounds[r + 1]]``."""

    bounds: Array
    aspects: Indices

    @property
    def sizes(self) -> Array:
        """How many each item has."""
        return np.diff(self.bounds)

    def shares(self, weights: Any, n_aspects: int) -> Values:
        """Divide each item's weight evenly among its aspects; return the sums, float64."""
        sizes = self.sizes
        each = np.repeat(np.asarray(weights, np.float64) / np.maximum(sizes, 1), sizes)
        summed: Values = np.bincount(self.aspects, each, n_aspects).astype(np.float64)
        return summed


class Aspects(Part):
    r"""Aspects are the values of one column of the catalogue: categories, genres, brands.

    How much a visitor is drawn to aspect a is what her items say, and where they are few, what the
    shop says:

    .. math:: p_a = \frac{m \, t_a + prior \, q_a}{m + prior}, \qquad
              t_a = \frac{\sum_j w_j \, [a \in A_j] / |A_j|}{\sum_j w_j}, \qquad
              m = \frac{(\sum_j w_j)^2}{\sum_j w_j^2}

    over the items j with a value that speak for her, with weights w: m is how many they are worth,
    if one outweighs the others. q is the same of all events of the shop, as if each item had one
    more. Items without a value say nothing.

    Parameters
    ----------
    attribute : str
        A category, a set, or yes or no.
    prior : float, at least 0
        How many items of a visitor's own the shop's opinion is worth.

    Attributes
    ----------
    counts_ : dict
        Of the ``items`` at the fit, how many were ``without`` a value; how many ``aspects``.
    weights_ : float64 (n_aspects,)
        How much each was interacted with.

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.data.ids import IdMap
    >>> shelf = pd.DataFrame({"item_id": ["tea", "salt", "oil"],
    ...                       "kind": [["drink", "leaf"], ["spice"], None]})
    >>> table = FeatureTable.from_frame(shelf, IdMap(), "item_id")
    >>> known = Aspects(attribute="kind", prior=1).fit(table, np.array([2.0, 0.0, 5.0]))
    >>> known.counts_
    {'items': 3, 'without': 1, 'aspects': 3}
    >>> known.wanted_by(np.array([1, 2]), np.ones(2, np.float32), table).round(3)
    array([0.188, 0.188, 0.625])
    """

    attribute: str = param(COLUMN_NAME, default="category")
    prior: float = param(real(at_least=0), default=5.0)

    def fit(self, table: FeatureTable, weights: Array) -> Self:
        """Read a catalogue, and how much each item was interacted with.

        Raises
        ------
        ColumnError
            If there is no such column.
        ParameterError
            If it does not hold one or several values of a few.
        """
        check_parameters(self)
        self.require(table)
        self.weights_ = np.zeros(0)
        self.weigh(table, weights)
        all_items = self.of(np.arange(len(table), dtype=np.int32), table)
        self.counts_ = {
            "items": len(table),
            "without": int(np.count_nonzero(all_items.sizes == 0)),
            "aspects": len(self.weights_),
        }
        return self

    def require(self, table: FeatureTable) -> None:
        """Refuse a catalogue without the column, or with one of another kind."""
        name = self.attribute
        if name not in table:
            raise ColumnError(f"no item column {name!r}{hint(name, table.names)}")
        kind = table.column(name).kind
        if kind not in _KINDS:
            raise ParameterError(
                f"the item column {name!r} must hold categories, sets of them, or yes and no, "
                f"got {kind}; cut numbers into bands first."
            )

    def weigh(self, table: FeatureTable, weights: Array) -> None:
        """Count afresh what the shop says: attributes have changed."""
        items = np.arange(len(table), dtype=np.int32)
        n_aspects = max(_n_aspects(table.column(self.attribute)), len(self.weights_))
        self.weights_ = self.of(items, table).shares(with_zeros(weights, len(table)) + 1, n_aspects)

    def learn(self, rows: Interactions, table: FeatureTable) -> None:
        """Take in new events."""
        n_aspects = max(_n_aspects(table.column(self.attribute)), len(self.weights_))
        more = self.of(rows.items, table).shares(rows.weight, n_aspects)
        self.weights_ = with_zeros(self.weights_, n_aspects) + more

    def of(self, items: Indices, table: FeatureTable) -> Members:
        """Return the aspects of some items, each once."""
        column = table.column(self.attribute)
        if not isinstance(column, SetColumn):
            return _members_of_one_each(column, items)
        rows = np.ascontiguousarray(items, np.int32)
        inside = rows[rows + 1 < len(column.starts)]
        size = int((column.starts[inside + 1] - column.starts[inside]).sum())
        bounds, aspects = np.empty(len(rows) + 1, np.int64), np.empty(size, np.int32)
        gather_aspects(bounds, aspects, rows, column.starts, column.codes)
        return Members(bounds, aspects[: bounds[-1]])

    def wanted_by(self, items: Indices, weights: Floats, table: FeatureTable) -> Values:
        """Return how much whoever took some items is drawn to each aspect; adds up to 1.

        Parameters
        ----------
        items : int32 (n,)
        weights : float32 (n,), above 0
        table : FeatureTable

        Returns
        -------
        float64 (n_aspects,), zeros where nobody has any aspect.
        """
        members = self.of(items, table)
        n_aspects = max(_n_aspects(table.column(self.attribute)), len(self.weights_))
        usual = with_zeros(self.weights_, n_aspects)
        told = np.where(members.sizes > 0, weights, 0).astype(np.float64)
        total, squared = told.sum(), told @ told
        wanted = members.shares(told, n_aspects)
        if squared > 0:
            wanted *= total / squared  # from the sum of weights to as many items as they are worth
        spread = usual.sum()
        if spread > 0 and (self.prior > 0 or not squared > 0):
            wanted = wanted + (self.prior or 1) * usual / spread
        summed = wanted.sum()
        return wanted / summed if summed > 0 else wanted

    def names(self, table: FeatureTable) -> list[Any]:
        """Return the aspects themselves, in the order of their numbers."""
        column = table.column(self.attribute)
        if isinstance(column, (CategoryColumn, SetColumn)):
            values: list[Any] = column.categories.ids.tolist()
            return values
        return [False, True]

    def _check_learned(self) -> None:
        held: Any = vars(self)
        require_array(held["weights_"], np.float64, (None,), "weights_")
        good = np.isfinite(self.weights_).all() and (self.weights_ >= 0).all()
        if not good or not isinstance(held["counts_"], dict):
            raise DataError("Aspects: weights_ must be finite and at least 0.")


_KINDS = ("category", "set", "flag")
_YES_OR_NO = 2


def _n_aspects(column: Column) -> int:
    if isinstance(column, (CategoryColumn, SetColumn)):
        return len(column.categories)
    return _YES_OR_NO


def _members_of_one_each(column: Any, items: Indices) -> Members:
    """Return the one aspect of each item, or none."""
    codes = np.full(len(items), UNKNOWN, np.int32)
    inside = items < len(column.values)
    codes[inside] = column.values[items[inside]]
    known = codes >= 0
    bounds = np.zeros(len(items) + 1, np.int64)
    np.cumsum(known, out=bounds[1:])
    return Members(bounds, codes[known])
