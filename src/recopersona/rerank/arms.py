"""Arms of a bandit that re-ranks: named weights of what a page may be wanted for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recopersona.base.parameters import Bound, check, real
from recopersona.data.ids import is_missing
from recopersona.data.types import Id, Values
from recopersona.errors import ParameterError, hint

RELEVANCE, DIVERSITY = "relevance", "diversity"
OBJECTIVES = (RELEVANCE, DIVERSITY, "freshness", "serendipity")
"""What a page may be wanted for, by name."""

DEFAULT_ARMS: Mapping[Id, Mapping[str, float]] = {
    "plain": {"relevance": 1.0},
    "varied": {"relevance": 0.7, "diversity": 0.3},
    "fresh": {"relevance": 0.7, "freshness": 0.3},
    "surprising": {"relevance": 0.7, "serendipity": 0.3},
    "varied and fresh": {"relevance": 0.7, "diversity": 0.15, "freshness": 0.15},
    "varied and surprising": {"relevance": 0.7, "diversity": 0.15, "serendipity": 0.15},
    "all": {"relevance": 0.55, "diversity": 0.15, "freshness": 0.15, "serendipity": 0.15},
}
"""The arms where nobody says which; those of which the shop lacks an objective are left out."""

_MOST_ARMS = 64


def _are_arms(value: Any) -> bool:
    if isinstance(value, str):
        return value == "default"
    return (
        isinstance(value, Mapping)
        and 0 < len(value) <= _MOST_ARMS
        and all(isinstance(weights, Mapping) and len(weights) > 0 for weights in value.values())
        and not any(map(is_missing, value))
    )


ARMS = Bound(
    "'default', or a mapping from the names of at most 64 arms to weights by objective", _are_arms
)
"""What a parameter of that meaning may be."""


def weights_of(arms: Any, objectives: Sequence[str]) -> dict[Id, dict[str, float]]:
    """Return the weights of each arm, adding up to 1, in the order given.

    Parameters
    ----------
    arms : "default" or mapping
    objectives : sequence of str
        Those that there are.

    Raises
    ------
    ParameterError
        If an objective is not there, or a weight is no number of at least 0.

    Examples
    --------
    >>> weights_of("default", ["relevance", "diversity"])
    {'plain': {'relevance': 1.0}, 'varied': {'relevance': 0.7, 'diversity': 0.3}}
    >>> weights_of({"bold": {"relevance": 1, "freshness": 3}}, ["relevance", "freshness"])
    {'bold': {'relevance': 0.25, 'freshness': 0.75}}
    """
    if isinstance(arms, str):
        known = set(objectives)
        return {name: dict(one) for name, one in DEFAULT_ARMS.items() if set(one) <= known}
    return {name: _weights(name, weights, objectives) for name, weights in arms.items()}


def _weights(arm: Id, weights: Mapping[str, float], objectives: Sequence[str]) -> dict[str, float]:
    for name, weight in weights.items():
        if name not in objectives:
            raise ParameterError(
                f"BanditReranker: the arm {arm!r} weighs {name!r}, which is no objective here"
                f"{hint(name, sorted({*objectives, *OBJECTIVES}))}"
            )
        check(weight, real(at_least=0), "BanditReranker", f"arms[{arm!r}][{name!r}]")
    most = max(weights.values())
    weights = {name: weight / most if most > 0 else 0.0 for name, weight in weights.items()}
    total = float(sum(weights.values()))
    if not total > 0:
        raise ParameterError(
            f"BanditReranker: the arm {arm!r} weighs nothing; give one objective a weight above 0."
        )
    return {name: weight / total for name, weight in weights.items() if weight > 0}


def as_matrix(arms: Mapping[Id, Mapping[str, float]], objectives: Sequence[str]) -> Values:
    """Return weights, float64 (n_arms, n_objectives), in the order of both."""
    return np.array(
        [[weights.get(name, 0.0) for name in objectives] for weights in arms.values()], np.float64
    ).reshape(len(arms), len(objectives))
