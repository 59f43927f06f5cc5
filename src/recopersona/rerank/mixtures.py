"""The orders that several arms would give to the same candidates, made together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np

from recopersona.data.ranking import Ranking
from recopersona.data.types import Array, Floats, Id, Indices, Mask, Values
from recopersona.kernels.mixing import pick_mixtures
from recopersona.rerank.arms import DIVERSITY, RELEVANCE, as_matrix


class Mix(NamedTuple):
    """The arms as numbers, all of one moment.

    names    of the arms
    alone    float64 (n_arms, n_objectives - 1), weights of what each candidate is worth by itself
    variety  float64 (n_arms,), what it is worth that an item is unlike those above it
    plain    bool (n_arms,), arms that leave the order as it is
    """

    names: list[Id]
    alone: Values
    variety: Values
    plain: Mask

    @classmethod
    def of(cls, arms: Mapping[Id, Mapping[str, float]], objectives: Sequence[str]) -> Self:
        """Return arms as numbers; the columns are in the order of the objectives."""
        matrix = as_matrix(arms, objectives)
        is_variety = np.array([name == DIVERSITY for name in objectives])
        others = np.array([name != RELEVANCE for name in objectives])
        return cls(
            list(arms),
            np.ascontiguousarray(matrix[:, ~is_variety]),
            matrix[:, is_variety].sum(axis=1),
            (matrix[:, others] == 0).all(axis=1),
        )


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
    values : float64 (n_objectives - 1, n)
        What each is worth by itself, by objective, between 0 and 1.
    vectors : float32 (n, d)
    mix : Mix

    Attributes
    ----------
    as_it_is : Order
        That of arms that leave it as it is.
    """

    def __init__(self, ranking: Ranking, values: Values, vectors: Floats, mix: Mix) -> None:
        self.ranking, self._mix = ranking, mix
        self._values, self._vectors = values, vectors
        self.as_it_is = Order(np.arange(len(ranking)), ranking.scores)

    def orders(self, arms: Sequence[int], n_chosen: int) -> list[Order]:
        """Return the order of each of some arms, so many places chosen one by one.

        Arms that choose the same places one by one get the same order, the first's.
        """
        mix, n = self._mix, len(self.ranking)
        mixed = [arm for arm in arms if not mix.plain[arm]]
        chosen = np.empty((len(mixed), min(n_chosen, n)), np.int32)
        gains = np.empty((len(mixed), n))
        if mixed:
            worth = mix.alone[mixed] @ self._values
            pick_mixtures(chosen, gains, worth, mix.variety[mixed], self._vectors)
        as_it_is = np.arange(chosen.shape[1], dtype=np.int32)
        heads = {as_it_is.tobytes(): self.as_it_is} if mix.plain.any() else {}
        rows, found = iter(zip(chosen, gains, strict=True)), []
        for arm in arms:
            if mix.plain[arm]:
                found.append(self.as_it_is)
                continue
            head, adds = next(rows)
            key = head.tobytes()
            if key not in heads:
                heads[key] = _order(head, adds)
            found.append(heads[key])
        return found

    def light(self, order: Order) -> Ranking:
        """Return an order as a ranking with nothing but what a page is made from."""
        ranking = self.ranking
        if order is self.as_it_is:
            return ranking
        return Ranking(
            ranking.items[order.places],
            order.scores[order.places],
            ranking.ids,
            ranking.source_names,
            ranking.source[order.places],
        )

    def full(self, order: Order) -> Ranking:
        """Return an order as a ranking with all that is known of the candidates."""
        return self.ranking if order is self.as_it_is else self.ranking._taken(*order)


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
