"""What a bandit chose, with what probability, and what else it might have chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recopersona.data.types import Id


@dataclass(frozen=True)
class Draw:
    """One draw of a bandit.

    Parameters
    ----------
    arm : id
        What was drawn.
    propensity : float, above 0 and at most 1
        The probability with which what was shown would be shown: the arm's own, or of all arms that
        would have shown the same.
    probabilities : mapping from arm to float
        Of every arm that stood to be chosen; they add up to 1.
    segment : id, optional
        For whom, where the bandit tells segments apart.
    same : tuple of arms
        Those that would have shown the same, ``arm`` among them; empty where nobody looked.
    refused : mapping from arm to str
        Those that did not stand to be chosen, and why.
    expected : float
        What was expected of the outcome before it was known, whatever the arm: by how much more
        than usual.
    known : tuple of float
        Of the request; what that was foretold from.
    without : tuple of item ids
        What would have been shown without the bandit; empty where nobody looked.

    Examples
    --------
    >>> draw = Draw("fresh", 0.25, {"plain": 0.75, "fresh": 0.25})
    >>> draw.arm, draw.propensity
    ('fresh', 0.25)
    """

    arm: Id
    propensity: float
    probabilities: Mapping[Id, float]
    segment: Id | None = None
    same: tuple[Id, ...] = ()
    refused: Mapping[Id, str] = field(default_factory=dict)
    expected: float = 0.0
    known: tuple[float, ...] = ()
    without: tuple[Id, ...] = ()
