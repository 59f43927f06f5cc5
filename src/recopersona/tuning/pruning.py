"""When to give a trial up: it is behind what the others had at the same place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from optuna import Study
from optuna.pruners import BasePruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

_MOST_PASSES = 1_000_000
_ENOUGH = 5  # finished trials to compare with


class BehindHalf(BasePruner):
    """Give a trial up where it is behind the median of the finished trials at the same place.

    References
    ----------
    Golovin et al. (2017), "Google Vizier: a service for black-box optimization", section 3.2
    (median stopping).
    """

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Tell whether to give a trial up at the latest place it has reported."""
        place = trial.last_step
        if place is None:
            return False
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        reached = [_value_at(other.intermediate_values, place) for other in trials]
        others = [value for value in reached if value is not None]
        if len(others) < _ENOUGH:
            return False
        value, median = trial.intermediate_values[place], float(np.median(others))
        maximize = study.direction == StudyDirection.MAXIMIZE
        return value < median if maximize else value > median


def place_of(fold: int, iteration: int) -> int:
    """Number a place in a trial: a pass within a fold.

    Examples
    --------
    >>> place_of(0, 3) < place_of(0, 10) < place_of(1, 1)
    True
    """
    return fold * _MOST_PASSES + iteration


def pass_at(place: int) -> int:
    """Return the pass of a place.

    Examples
    --------
    >>> pass_at(place_of(2, 7))
    7
    """
    return place % _MOST_PASSES


def _value_at(values: Mapping[int, float], place: int) -> float | None:
    """Return the latest value of the same fold up to a place; None where there is none."""
    begin = place - pass_at(place)
    reached = [other for other in values if begin <= other <= place]
    return values[max(reached)] if reached else None
