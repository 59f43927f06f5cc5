"""Who gets which variant of an experiment: by a hash, so that nobody has to remember."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from math import inf, log
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from recopersona.base.parameters import check, real, whole
from recopersona.base.several import listed
from recopersona.data.columns import as_pandas, factorized, numbers, require_columns
from recopersona.data.ids import as_ids
from recopersona.data.types import Array, Id, Values
from recopersona.errors import DataError, ParameterError, hint, shown
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.effects import Effects, effects_of
from recopersona.evaluation.keyed import text_of_id, told_apart


class Experiment:
    r"""An A/B test: which arm every unit gets, whether the split is sound, and what came of it.

    An arm is chosen by hashes alone: with :math:`h_{ua}` in (0, 1) the hash of the salt, the
    experiment's name, the arm and the unit, unit u gets

    .. math:: \arg\min_a \; -\log(h_{ua}) / w_a

    which is arm a with probability :math:`w_a / \sum_b w_b`, exactly, and independent of any other
    experiment. Nobody moves who need not: if the weight of an arm grows, units move to it and
    nowhere else; an arm that is added takes from each its share; one that is taken away, or whose
    weight becomes 0, gives its units to the others. Only ratios count: an arm ``"off"`` that
    shrinks lets all others grow, and none of them loses a unit.

    Parameters
    ----------
    name : str
        Another name is another draw.
    arms : list of str, or mapping from str to weight
        The first is what the others are compared with.
    salt : str
        Draw everybody anew, under the same name; keep it secret where units could choose their id.

    Raises
    ------
    ParameterError
        If there are fewer than two arms, or a weight is negative or not finite.

    References
    ----------
    Thaler & Ravishankar (1998), "Using name-based mappings to increase hit rates", for hashing that
    moves as few as possible; Kohavi, Tang & Xu (2020), "Trustworthy Online Controlled Experiments",
    chapters 14 and 21.

    Examples
    --------
    >>> test = Experiment("new ranker", {"old": 90, "new": 10})
    >>> test.assign("anna"), test.assign("ben")
    ('old', 'old')
    >>> half = Experiment("new ranker", {"old": 50, "new": 50})
    >>> moved = [(test.assign(unit), half.assign(unit)) for unit in range(1_000)]
    >>> sorted(set(moved))
    [('new', 'new'), ('old', 'new'), ('old', 'old')]
    """

    def __init__(
        self,
        name: str,
        arms: Iterable[str] | Mapping[str, float] = ("control", "treatment"),
        salt: str = "",
    ) -> None:
        for value, what in ((name, "name"), (salt, "salt")):
            if not isinstance(value, str):
                raise ParameterError(f"Experiment: {what} must be text, got {shown(value)}.")
        self.name, self.salt = name, salt
        self.weights = _weights(arms)
        self._started = {
            arm: blake2b(told_apart((salt, name, arm)), digest_size=8)
            for arm, weight in self.weights.items()
            if weight > 0
        }

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms, in the order given."""
        return tuple(self.weights)

    def __repr__(self) -> str:
        total = sum(self.weights.values())
        told = ", ".join(f"{arm} {weight / total:.1%}" for arm, weight in self.weights.items())
        return f"Experiment({self.name!r}: {told})"

    def assign(self, unit_id: Id) -> str:
        """Return the arm of a unit: of a visitor, usually.

        Raises
        ------
        DataError
            If the id is missing, or neither text nor a whole number; 7 and ``"7"`` are one unit.
        """
        unit = text_of_id(unit_id, "a unit's id").encode("utf-8", "surrogatepass")
        least, chosen = inf, ""
        for arm, started in self._started.items():
            digest = started.copy()
            digest.update(unit)
            share = ((int.from_bytes(digest.digest(), "little") >> 12) + 0.5) / 2.0**52
            wait = -log(share) / self.weights[arm]
            if wait < least:
                least, chosen = wait, arm
        return chosen

    def assign_many(self, unit_ids: Iterable[Id]) -> list[str]:
        """Return the arm of each of many units."""
        return [self.assign(unit) for unit in listed(unit_ids, "assign_many")]

    def mismatch(self, units: Mapping[str, int]) -> float:
        r"""Return how likely so uneven a split is by chance (sample ratio mismatch).

        With :math:`n_a` of n units in an arm whose share is :math:`q_a`,
        :math:`\chi^2 = \sum_a (n_a - n q_a)^2 / (n q_a)`. Below .001 something loses or doubles
        units of one arm, such as a redirect, a crash or a filter for bots, and no result can be
        trusted until it is found.

        Parameters
        ----------
        units : mapping from arm to number of units
            As counted where outcomes are counted: what the hash says always fits.

        Returns
        -------
        float, p of the chi-squared test

        Raises
        ------
        DataError
            If an arm does not exist, or a number is none.

        References
        ----------
        Fabijan et al. (2019), "Diagnosing sample ratio mismatch in online controlled experiments".

        Examples
        --------
        >>> test = Experiment("new ranker", ["old", "new"])
        >>> round(test.mismatch({"old": 5_050, "new": 4_950}), 2)
        0.32
        >>> test.mismatch({"old": 5_300, "new": 4_700}) < 0.001
        True
        """
        if not isinstance(units, Mapping):
            raise DataError(f"mismatch needs a mapping from arm to units, got {shown(units)}.")
        for arm, count in units.items():
            if arm not in self.weights:
                raise DataError(f"the experiment has no arm {shown(arm)}{hint(arm, self.arms)}")
            if not whole(at_least=0).holds(count):
                raise DataError(f"units of {arm!r} must be a whole number, got {shown(count)}.")
        return _mismatch(np.array([units.get(arm, 0) for arm in self.arms]), self._shares)

    def analyse(
        self,
        outcomes: Any,
        value: str,
        *,
        unit: str = "user_id",
        arm: str | None = None,
        confidence: float = 0.95,
        n_boot: int = 1_000,
        random_state: Any = 0,
    ) -> Effects:
        """Say what the arms brought, and which differences are no luck.

        Parameters
        ----------
        outcomes : dataframe
            At least a row per unit that was assigned, those without any success too: an arm that
            loses units would look better than it is.
        value : str
            The column of numbers whose means are compared. A unit with several rows counts with all
            of them, and is drawn again with all of them.
        unit : str
            The column with the unit's id.
        arm : str, optional
            The column with the arm as it was logged where it was shown; by default the hash says.
            Give it where there is one: only then can `Effects.mismatch` tell a broken split.
        confidence, n_boot, random_state
            As in `compare`.

        Returns
        -------
        Effects

        Raises
        ------
        ColumnError
            If a column is missing.
        DataError
            If ids are missing, or an arm but the first has less than two units with a value.
        ParameterError
            If an argument is out of bounds.

        Examples
        --------
        >>> test = Experiment("new ranker", ["old", "new"])
        >>> visitors = pd.DataFrame({"user_id": np.arange(4_000)})
        >>> better = np.array(test.assign_many(visitors["user_id"])) == "new"
        >>> rng = np.random.default_rng(0)
        >>> visitors["clicks"] = rng.poisson(np.where(better, 0.6, 0.5))
        >>> test.analyse(visitors, "clicks").sentences
        ['new is above old: +0.1154 (+0.0722 to +0.1618; +23.6%), p = 5e-07.']
        """
        resampling = Resampling.checked("analyse", confidence, n_boot, random_state)
        frame = as_pandas(outcomes, "outcomes")
        require_columns(frame, (unit, value) + (() if arm is None else (arm,)), "outcomes")
        units, ids = factorized(frame[unit], f"outcomes: {unit}")
        if (units < 0).any():
            raise DataError(
                f"outcomes: {int((units < 0).sum())} rows have no {unit}, the first is row "
                f"{int(np.argmax(units < 0))}; drop them or fill them."
            )
        counts: dict[str, int] = {}
        if arm is None:
            of_unit = self._places(self.assign_many(as_ids(ids).tolist()))
        else:
            of_unit, counts = _shown_arms(self._places(frame[arm]), units, len(ids))
        reached = np.bincount(of_unit[of_unit >= 0], minlength=len(self.arms))
        values = numbers(frame[value], f"outcomes: {value}")
        counts["rows_without_value"] = int((~np.isfinite(values)).sum())
        # Nobody can get an arm without weight, so there is nothing to say of it.
        open_ = np.flatnonzero(self._shares)
        place = np.append(np.where(self._shares > 0, np.cumsum(self._shares > 0) - 1, -1), -1)
        arms = place[of_unit[units]]
        good = np.isfinite(values) & (arms >= 0)
        return effects_of(
            [self.arms[number] for number in open_],
            arms[good],
            units[good],
            values[good],
            _mismatch(reached, self._shares),
            counts,
            resampling,
            value,
        )

    @property
    def _shares(self) -> Values:
        weights = np.array([*self.weights.values()], np.float64)
        shares: Values = weights / weights.sum()
        return shares

    def _places(self, arms: Iterable[Any]) -> Array:
        """Return the numbers of arms, -1 where there is no such arm."""
        known = [arm if isinstance(arm, str) else None for arm in arms]  # a list is no arm
        places: Array = pd.Index(self.arms).get_indexer(pd.Index(known, dtype=object))
        return places


def _weights(arms: Any) -> dict[str, float]:
    named = dict(arms) if isinstance(arms, Mapping) else {}
    if not named:
        names = listed(arms, "Experiment: arms") if not isinstance(arms, Mapping) else []
        if len(set(map(str, names))) < len(names):
            raise ParameterError(f"Experiment: arms must be distinct, got {shown(names)}.")
        if not all(isinstance(arm, str) for arm in names):
            raise ParameterError(f"Experiment: arms must be text, got {shown(names)}.")
        named = dict.fromkeys(names, 1.0)
    if not all(isinstance(arm, str) for arm in named):
        raise ParameterError(f"Experiment: arms must be text, got {shown(list(named))}.")
    for arm, weight in named.items():
        check(weight, real(at_least=0), "Experiment", f"the weight of {arm!r}")
    if len(named) < 2 or not any(named.values()):
        raise ParameterError(
            f"Experiment needs at least two arms, one of them with a weight, got {shown(named)}."
        )
    return {arm: float(weight) for arm, weight in named.items()}


def _mismatch(counts: Array, shares: Values) -> float:
    """Return p of the chi-squared test; of an arm that nobody should be in, one unit is enough."""
    open_ = shares > 0
    if counts[~open_].any():
        return 0.0
    expected = counts.sum() * shares[open_]
    if open_.sum() < 2 or not expected.all():
        return 1.0
    statistic = ((counts[open_] - expected) ** 2 / expected).sum()
    return float(chi2.sf(statistic, open_.sum() - 1))


def _shown_arms(rows: Array, units: Array, n_units: int) -> tuple[Array, dict[str, int]]:
    """Return each unit's arm, -1 for those that saw several or none, and how many those are."""
    known = rows >= 0
    least = np.full(n_units, np.iinfo(np.int64).max)
    most = np.full(n_units, -1, np.int64)
    np.minimum.at(least, units[known], rows[known])
    np.maximum.at(most, units[known], rows[known])
    several = (most >= 0) & (least != most)
    return np.where(several, -1, most), {
        "rows_of_no_arm": int((~known).sum()),
        "units_of_several_arms": int(several.sum()),
    }
