"""Two people of one household beside one person: what they share says little of who they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recopersona.data.types import Array

_HOUSEHOLD: Mapping[str, float] = {
    "surname": 0.9, "street": 0.95, "house_number": 0.95, "address_2": 0.95, "postcode": 0.95,
    "city": 0.95, "state": 0.95, "birth_place": 0.5, "phone": 0.7, "email": 0.3,
    "occupation": 0.1, "gender": 0.5,
}  # fmt: skip
"""How often two members of a household have a value in common as one person has it twice."""

_BESIDES: Mapping[str, Mapping[str, float]] = {
    "relatives": {},
    "twins": {"birth_date": 1.0},
    "namesakes": {"given": 1.0, "middle": 0.5},
}
"""What two people can be to each other besides strangers, and what they then have in common too."""

_FIRST_SHARE = 0.25
_ROUNDS = 200


def shares_of(names: Sequence[str]) -> Array:
    """Return how often two people of each kind share each field, float64 (n_kinds, n_fields).

    Without dates of birth twins are relatives, and nobody can tell father and son of one name.
    """
    kinds = [*_BESIDES] if "birth_date" in names else ["relatives"]
    return np.array([[{**_HOUSEHOLD, **_BESIDES[kind]}.get(name, 0.0) for name in names]
                     for kind in kinds])  # fmt: skip


def weights_of_people(weights: Array, names: Sequence[str]) -> Array:
    """Return how much likelier pairs are for two people of each kind, log2, (n_pairs, n_kinds).

    A field that they share with probability s speaks for them by s·m + (1 - s)·u, where m and u
    are how often one person's records, and strangers', look like that.

    weights  float32 (n_pairs, n_fields), log2(m / u) of each field
    """
    people = np.zeros((len(weights), len(shares_of(names))))
    for field, shares in enumerate(shares_of(names).T):
        ratio = np.exp2(weights[:, field].astype(np.float64))
        for kind in np.flatnonzero(shares):
            people[:, kind] += np.log2(shares[kind] * ratio + (1.0 - shares[kind]))
    return people


@dataclass(frozen=True)
class Shares:
    """How many of all pairs are one person, and two people of each kind.

    person  share from 0 to 1
    people  float64 (n_kinds,), shares
    """

    person: float
    people: Array

    @classmethod
    def of(cls, person: float, n_kinds: int) -> Shares:
        """Start from a guess: as many pairs of each kind as a quarter of those of one person."""
        return cls(person, np.full(n_kinds, _FIRST_SHARE * person))

    def probabilities(self, weight: Array, people: Array) -> tuple[Array, Array]:
        """Return how probable it is that pairs are one person, and two people of each kind.

        weight  float64 (n_pairs,), log2 of how much likelier they are for one person than strangers
        people  float64 (n_pairs, n_kinds), the same for two people
        """
        every = np.column_stack((weight, people)) + np.log2(np.append(self.person, self.people))
        strangers = np.log2(max(1.0 - self.person - float(self.people.sum()), 0.1))
        top = np.maximum(every.max(axis=1), strangers)
        odds = np.exp2(every - top[:, None])
        odds /= (odds.sum(axis=1) + np.exp2(strangers - top))[:, None]
        return odds[:, 0], odds[:, 1:]

    def settled(self, weight: Array, people: Array, n_all_pairs: float) -> Shares:
        """Return the shares that the scores themselves speak for.

        EM for the shares alone: each is the mean probability of all pairs, of which those not
        given have none.
        """
        smallest, largest, shares = 0.01 / n_all_pairs, 0.2, self
        for _ in range(_ROUNDS):
            before = shares
            one, two = before.probabilities(weight, people)
            sums = np.append(one.sum(), two.sum(axis=0)) / n_all_pairs
            sums = np.clip(sums, smallest, largest)
            shares = Shares(max(float(sums[0]), 1.0 / n_all_pairs), sums[1:])
            if abs(shares.person - before.person) < 1e-6 * before.person:
                break
        return shares
