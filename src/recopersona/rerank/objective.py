"""What a page may be wanted for besides relevance, one number per candidate."""

from __future__ import annotations

import numpy as np

from recopersona.base.parameters import param, real
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Values
from recopersona.errors import DataError
from recopersona.rerank.reranker import Reranker
from recopersona.rerank.scaling import scaled


class Objective(Reranker):
    r"""A re-ranker that judges every candidate by itself, and orders by that and by relevance.

    With :math:`\hat r` the scaled scores of the ranking and :math:`\hat v` the scaled values of
    the objective (see `scaled`), candidates are ordered by

    .. math:: (1 - weight) \, \hat r_i + weight \, \hat v_i

    A subclass writes ``_fit(dataset)`` and ``_values(query, ranking) -> float64 (n,)``: higher is
    better, NaN where nothing is known, which counts as the median of what is.

    Parameters
    ----------
    weight : float, from 0 to 1
        0 leaves the order as it is, 1 orders by the objective alone.

    Examples
    --------
    >>> class Cheap(Objective):
    ...     def _fit(self, dataset):
    ...         pass
    ...     def _values(self, query, ranking):
    ...         return -self.item_features_["price"].to_numpy()[ranking.items]
    >>> import recopersona as rp
    >>> shop = rp.synthetic_shop(200, 50, random_state=7)
    >>> ranking = rp.Popularity().fit(shop).recommend("u-0001", n=20)
    >>> page = Cheap(weight=1.0).fit(shop)(Query("u-0001"), ranking)
    >>> prices = shop.catalogue.set_index("item_id").price
    >>> bool(prices[page.item_ids].is_monotonic_increasing)
    True
    """

    weight: float = param(real(at_least=0, at_most=1), default=0.3)

    def _values(self, query: Query, ranking: Ranking) -> Values:
        raise NotImplementedError(
            f"{type(self).__name__} must write _values(self, query, ranking)."
        )

    def of(self, query: Query, ranking: Ranking) -> Values:
        """Return what the objective says of each candidate, scaled: float64 (n,)."""
        self._check_fitted()
        values = np.asarray(self._values(query, ranking), np.float64)
        if values.shape != ranking.items.shape:
            raise DataError(
                f"{type(self).__name__}._values must return one number for each of "
                f"{len(ranking)} candidates, got shape {values.shape}."
            )
        return scaled(values)

    def _rerank(self, query: Query, ranking: Ranking) -> Ranking:
        relevance = scaled(ranking.scores)
        mixed = (1 - self.weight) * relevance + self.weight * self.of(query, ranking)
        # Where a bound made scores equal, the scores themselves decide, and then the item.
        order = np.lexsort((ranking.items, -ranking.scores, -mixed))
        return ranking._taken(order, mixed.astype(np.float32))
