"""Rankings chosen one by one, each next item for its worth and for what it adds to the list."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.base.parameters import optional, param, real, whole
from recopersona.base.recommender import require_array
from recopersona.base.searching import real_range
from recopersona.data.dataset import Dataset
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Array, Floats, Indices, Values
from recopersona.errors import DataError
from recopersona.rerank.reranker import Reranker
from recopersona.rerank.scaling import scaled
from recopersona.rerank.vectors import VECTORS, ItemVectors


class Greedy(Reranker):
    """A re-ranker that compares items by vectors, and chooses the best next one again and again.

    A subclass writes ``_pick(worth, vectors, n) -> (chosen, gains)``: the places of ``n``
    candidates in the order of choice, int32 (n,), and what each candidate added when it was chosen,
    those left over at the end, float64 (n_candidates,).

    Parameters
    ----------
    vectors : list of columns, model, dataframe or array, optional
        What items are compared by, see `ItemVectors`.
    weight : float, 0 to 1
        Of variety: with 0 the order stays.
    top : int, at least 1
        How many places are chosen one by one. All others follow in the order of what each would
        add then.

    Attributes
    ----------
    item_vectors_ : ItemVectors
    """

    vectors: Any = param(optional(VECTORS), default=None)
    weight: float = param(real(at_least=0, at_most=1), default=0.3, search=real_range(0, 1))
    top: int = param(whole(at_least=1), default=50)

    def _pick(self, worth: Values, vectors: Floats, n: int) -> tuple[Indices, Values]:
        raise NotImplementedError(
            f"{type(self).__name__} must write _pick(self, worth, vectors, n)."
        )

    def _fit(self, dataset: Dataset) -> None:
        self.item_vectors_ = ItemVectors(vectors=self.vectors).fit(
            self.items_, self.item_features_, dataset.interactions
        )

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        self.item_vectors_.describe(self.item_features_, rows, names)

    def _rerank(self, query: Query, ranking: Ranking) -> Ranking:
        order, gains = self.choose(scaled(ranking.scores), ranking.items)
        scores = np.empty(len(ranking), np.float32)
        scores[order] = gains
        return ranking._taken(order, scores)

    def choose(self, worth: Values, items: Indices) -> tuple[Array, Values]:
        """Order some items by their worth and by what each adds to those before it.

        Parameters
        ----------
        worth : float64 (n,)
            Between 0 and 1, higher is better: see `scaled`.
        items : int32 (n,)
            Each once. Of two that are worth the same and add the same, the lower comes first.

        Returns
        -------
        order : int (n,), places
        gains : float64 (n,), of the places in that order; they never rise
        """
        first = _best_first(worth, items)
        ordered = worth if first is None else worth[first]
        vectors = self.item_vectors_.of(items if first is None else items[first])
        n = min(self.top, len(items))
        chosen, gains = self._pick(np.ascontiguousarray(ordered), vectors, n)
        order = with_rest(chosen, gains)
        together = np.minimum.accumulate(gains[order])
        return (order if first is None else first[order]), together

    def _check_learned(self) -> None:
        held: Any = self.item_vectors_
        if not isinstance(held, ItemVectors):
            raise DataError(f"{type(self).__name__}: item_vectors_ must be ItemVectors.")
        require_array(held.vectors_, np.float32, (None, None), "vectors_")


def _best_first(worth: Values, items: Indices) -> Array | None:
    """Return the places by worth, ties by item; None where they stand so."""
    if (worth[1:] < worth[:-1]).all():
        return None
    return np.lexsort((items, -worth))


def with_rest(chosen: Indices, gains: Values) -> Indices:
    """Return the places chosen, then all others by what each would add, int (n,).

    chosen  int32 (n_chosen,), in the order of choice
    gains   float64 (n,), of every place
    """
    left = np.ones(len(gains), np.bool_)
    left[chosen] = False
    rest = np.flatnonzero(left)
    order: Indices = np.concatenate([chosen, rest[np.argsort(-gains[rest], kind="stable")]])
    return order
