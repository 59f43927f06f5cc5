"""The orders that several arms would give to the same candidates, made together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from recopersona.data.ranking import Ranking
from recopersona.data.types import Array, Floats, Indices, Mask, Values
from recopersona.kernels.mixing import pick_mixtures


class Order(NamedTuple):
    """One order of candidates.

    places  int (n,), best first
    scores  float32 (n,), by place among the candidates; they never rise along the order
    """

    places: Array
    scores: Floats


class Mixtures:
    """Candidates under all arms.

    Parameters
    ----------
    ranking : Ranking
        The candidates, most relevant first.
    worth : float64 (n_arms, n)
        What each is worth to each arm by itself, between 0 and 1.
    variety : float64 (n_arms,)
        What it is worth to each arm that an item is unlike those above it.
    plain : bool (n_arms,)
        Arms that leave the order as it is.
    vectors : float32 (n, d)
    """

    def __init__(
        self, ranking: Ranking, worth: Values, variety: Values, plain: Mask, vectors: Floats
    ) -> None:
        self._ranking, self._worth, self._variety = ranking, worth, variety
        self._plain, self._vectors = plain, vectors

    def orders(self, arms: Sequence[int], n_chosen: int) -> list[Order]:
        """Return the order of each of some arms, so many places chosen one by one.

        Arms that choose the same places one by one get the same order, the first's.
        """
        mixed = [arm for arm in arms if not self._plain[arm]]
        n = len(self._ranking)
        chosen = np.empty((len(mixed), min(n_chosen, n)), np.int32)
        gains = np.empty((len(mixed), n))
        if mixed:
            worth = np.ascontiguousarray(self._worth[mixed])
            pick_mixtures(chosen, gains, worth, self._variety[mixed], self._vectors)
        heads: dict[bytes, Order] = {}
        as_it_is = Order(np.arange(n), self._ranking.scores)
        heads[np.arange(chosen.shape[1], dtype=np.int32).tobytes()] = as_it_is
        rows = iter(zip(chosen, gains, strict=True))
        found = []
        for arm in arms:
            if self._plain[arm]:
                found.append(as_it_is)
                continue
            head, adds = next(rows)
            key = head.tobytes()
            if key not in heads:
                heads[key] = _order(head, adds)
            found.append(heads[key])
        return found

    def light(self, order: Order) -> Ranking:
        """Return an order as a ranking with nothing but what a page is made from."""
        ranking = self._ranking
        return Ranking(
            ranking.items[order.places],
            order.scores[order.places],
            ranking.ids,
            ranking.source_names,
            ranking.source[order.places],
        )


def _order(head: Indices, gains: Values) -> Order:
    """Return the whole order: those chosen one by one, then the rest by what each would add."""
    key = -gains
    key[head] = np.arange(len(head)) - 1e9
    places = np.argsort(key)
    ordered = key[places]
    if not (ordered[1:] > ordered[:-1]).all():  # of equal ones the more relevant comes first
        places = np.argsort(key, kind="stable")
    scores = np.empty(len(gains), np.float32)
    scores[places] = np.minimum.accumulate(gains[places])
    return Order(places, scores)
