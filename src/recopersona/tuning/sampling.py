"""What to try next: it follows from the seed, the number of the trial and the trials before."""

from __future__ import annotations

import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from recopersona.data.types import Array
from recopersona.errors import ParameterError
from recopersona.tuning.space import Space

Point = dict[str, Any]

_GRID_VALUES = 3  # of a range, where a grid is asked for and nobody says which values
_MOST_POINTS = 1_000_000
_STARTUP = 10  # trials drawn at random before those that learn from the ones before
_REDRAWS = 20  # where a point was tried before


class Proposals(ABC):
    """Proposes the points of a search, in Optuna's words; keeps nothing from trial to trial."""

    n_points: float
    """How many points there are to propose."""

    @abstractmethod
    def point(self, study: Study, trial: FrozenTrial, number: int, tried: set[str]) -> Point:
        """Return the point of a trial: the number counts from 0, and the first is the default."""


class Grid(Proposals):
    """All points of a grid in a drawn order, so that a part of it is a part of everything.

    Where the model as it was given is one of the points, it comes first.
    """

    def __init__(self, space: Space, first: Point, seed: int, most: float = _GRID_VALUES) -> None:
        self._axes = space.axes(most)
        self._shape = [len(values) for values in self._axes.values()]
        self.n_points = prod(self._shape)
        if self.n_points > _MOST_POINTS:
            raise ParameterError(
                f"tune: the grid has {self.n_points:,} points, more than {_MOST_POINTS:,}; "
                "name fewer values in space, or use search='tpe'."
            )
        order = np.random.default_rng(seed).permutation(self.n_points)
        self._order = np.concatenate([begin := self._place(first), order[~np.isin(order, begin)]])

    def point(self, study: Study, trial: FrozenTrial, number: int, tried: set[str]) -> Point:
        """Return the next point of the order."""
        return self._point(self._order[number])

    def points(self) -> Iterator[Point]:
        """Walk the points in their order."""
        return map(self._point, self._order)

    def _point(self, place: Any) -> Point:
        if not self._axes:
            return {}
        places = np.unravel_index(int(place), self._shape)
        values = zip(self._axes.items(), places, strict=True)
        return {name: axis[int(at)] for (name, axis), at in values}

    def _place(self, point: Point) -> Array:
        """Return where a point is, or nothing where it is none of the grid."""
        if any(value not in self._axes[name] for name, value in point.items()):
            return np.empty(0, np.int64)
        places = [[axis.index(point[name])] for name, axis in self._axes.items()]
        return np.ravel_multi_index(places, self._shape) if places else np.zeros(1, np.int64)


class Drawn(Proposals):
    """Points drawn by a sampler that is made anew for each, seeded by the trial's number.

    A point that was tried is drawn again; where everything near was tried, the rest follows in a
    drawn order.
    """

    def __init__(self, space: Space, first: Point, seed: int) -> None:
        self._distributions = space.distributions
        self._first, self._seed = first, seed
        self.n_points = space.n_points
        few = self.n_points <= _MOST_POINTS
        self._all = Grid(space, first, seed, np.inf) if few else None

    def point(self, study: Study, trial: FrozenTrial, number: int, tried: set[str]) -> Point:
        """Return a point that was not tried yet, or where there is none, any."""
        if not number:
            return self._first
        for draw in range(_REDRAWS):
            seed = _keyed(self._seed, number, draw)
            drawn = self._drawn(self._sampler(seed), study, trial)
            if point_key(drawn) not in tried:
                return drawn
        rest = self._all.points() if self._all else iter(())
        return next((point for point in rest if point_key(point) not in tried), drawn)

    def _sampler(self, seed: int) -> BaseSampler:
        return RandomSampler(seed)

    def _drawn(self, sampler: BaseSampler, study: Study, trial: FrozenTrial) -> Point:
        """Draw all parameters at once."""
        varied = {name: where for name, where in self._distributions.items() if not where.single()}
        point = sampler.sample_relative(study, trial, varied)
        for name, where in self._distributions.items():
            if name not in point:
                point[name] = sampler.sample_independent(study, trial, name, where)
        return {name: point[name] for name in self._distributions}


class Estimated(Drawn):
    """Points where the good ones of the trials before lie close and the bad ones do not.

    References
    ----------
    Bergstra, Bardenet, Bengio & Kégl (2011), "Algorithms for hyper-parameter optimization",
    section 4 (TPE).
    """

    def _sampler(self, seed: int) -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # of multivariate, before 5.0
            return TPESampler(
                seed=seed, multivariate=True, constant_liar=False, n_startup_trials=_STARTUP
            )


SEARCHES: Mapping[str, Callable[[Space, Point, int], Proposals]] = {
    "tpe": Estimated,
    "random": Drawn,
    "grid": Grid,
}
"""How a search goes on, by name."""


class OneTrial(BaseSampler):
    """Optuna's view of what is proposed for one trial."""

    def __init__(self, proposals: Proposals, space: Space, number: int, tried: set[str]) -> None:
        self._proposals, self._space = proposals, space
        self._number, self._tried = number, tried

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the whole space: its parameters are drawn together."""
        return self._space.distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> Point:
        """Return the point to try."""
        return self._proposals.point(study, trial, self._number, self._tried)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return one parameter of the point to try."""
        return self.sample_relative(study, trial, {})[param_name]


def point_key(point: Mapping[str, Any]) -> str:
    """Return a point as text, to know it again.

    Examples
    --------
    >>> point_key({"reg": 0.1, "factors": 8})
    '{"factors": 8, "reg": 0.1}'
    """
    return json.dumps(point, sort_keys=True)


def _keyed(*numbers: int) -> int:
    """Return a seed that follows from numbers alone."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
