"""What is wanted, times what it is worth to the shop."""

from __future__ import annotations

import numpy as np

from recopersona.base.described import Described
from recopersona.base.parameters import Bound, param
from recopersona.data.dataset import Dataset
from recopersona.data.feature_table import NumberColumn
from recopersona.data.query import Query
from recopersona.data.types import Floats, Id, Indices
from recopersona.errors import ColumnError, hint
from recopersona.models.popularity import Popularity

_LARGEST = float(np.finfo(np.float32).max)


class ValuedPopularity(Popularity, Described):
    r"""Score an item by its popularity times a number of the catalogue, its margin to begin with.

    .. math:: s_i = v_i \sum_{(u, i, t)} w_{ui} \cdot 2^{-(t_{end} - t) / half\_life}

    With purchases as events this is what an item earned lately; with views, what the next view of
    it may earn. An item whose value is unknown counts with the mean of those known; one that loses
    money scores below 0.

    Parameters
    ----------
    value : str
        A column of numbers of the items. It may change by `update_items`, and counts at once.
    half_life : duration, optional
        Such as ``"7d"``; in place of the dataset's own.

    Attributes
    ----------
    popularity_ : float32 (n_items,)
    n_without_value_ : int
        Items of the last ``fit`` that count with the mean; all of them, and with 1, where nothing
        at all is known of the items.

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.data.event import Event
    >>> events = [Event(1, "tea"), Event(2, "tea"), Event(3, "silver")]
    >>> items = pd.DataFrame({"item_id": ["tea", "silver"], "margin": [0.5, 20.0]})
    >>> model = ValuedPopularity().fit(Dataset.from_frames(events, items=items))
    >>> model.recommend("a stranger", n=2).to_frame()
       item_id  rank  score            source
    0   silver     1   20.0  ValuedPopularity
    1      tea     2    1.0  ValuedPopularity
    """

    value: str = param(
        Bound("a column of numbers of the items", lambda name: isinstance(name, str)),
        default="margin",
    )

    def _fit(self, dataset: Dataset) -> None:
        table = dataset.item_features
        numbers = [name for name in table.names if isinstance(table.column(name), NumberColumn)]
        if table.names and self.value not in numbers:
            raise ColumnError(
                f"ValuedPopularity: no item column {self.value!r} of numbers"
                f"{hint(self.value, numbers)}"
            )
        super()._fit(dataset)
        self.n_without_value_ = int((~np.isfinite(self._known_values())).sum())

    def _prepare(self) -> None:
        self._worth: Floats | None = None

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's popularity times its value, float32 (n_items,)."""
        popularity = self._padded(self.popularity_, np.float32(0)).astype(np.float64)
        return np.clip(popularity * self._values(), -_LARGEST, _LARGEST).astype(np.float32)

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        value = self._values()[item]
        score = float(self.score_items(query)[item])
        return [(f"popularity at a {self.value} of {value:g}", None, score)]

    def _values(self) -> Floats:
        """Return what each item is worth, float32 (n_items,): the mean where that is unknown."""
        kept: Floats | None = vars(self).get("_worth")
        if kept is None or len(kept) < len(self.items_):
            values = self._known_values()
            known = np.isfinite(values)
            mean = values[known].mean() if known.any() else 1.0
            kept = np.where(known, values, mean).astype(np.float32)
            self._worth = kept
        return kept

    def _known_values(self) -> Floats:
        column = self.item_features_.columns.get(self.value)
        values = np.full(len(self.items_), np.nan)
        if isinstance(column, NumberColumn):
            values[: len(column)] = column.values
        return values

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        self._worth = None
