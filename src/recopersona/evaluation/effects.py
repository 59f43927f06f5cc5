"""What the arms of an experiment brought: means, differences, and whether those are luck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from recopersona.data.types import Array, Values
from recopersona.errors import DataError
from recopersona.evaluation.bootstrap import Resampling, bootstrap_means, edges_of
from recopersona.evaluation.power import Spread
from recopersona.evaluation.randomization import holm

MISMATCH = 0.001
"""Below this p a split is called broken: who checks every experiment must rarely cry wolf."""

_USUAL_POWER = 0.8


@dataclass(frozen=True, eq=False)
class Effects:
    """What an experiment found; made by `Experiment.analyse`.

    Parameters
    ----------
    arms : DataFrame
        A row per arm that anybody can get: ``units``, the ``mean`` with its bootstrap interval
        ``low`` and ``high``.
    differences : DataFrame
        A row per arm but the first: the ``gain`` over the first arm with ``low`` and ``high``, and
        as a share of the first arm's mean (``relative``); ``p`` of Welch's test, ``p holm``
        corrected for the number of arms; ``different``, whether that is below 1 - confidence;
        ``detectable``, the smallest difference that would be called one with a power of .8.
    mismatch : float
        How likely so uneven a split is by chance, see `Experiment.mismatch`.
    refused : str or None
        Why nothing is called different: the split is broken.
    counts : dict
        ``rows_without_value``; where arms were logged ``rows_of_no_arm`` and
        ``units_of_several_arms``. All of these are left out.
    confidence : float
    value : str
        What was compared.

    Examples
    --------
    >>> from recopersona.evaluation.assignment import Experiment
    >>> test = Experiment("new ranker", ["old", "new"])
    >>> log = pd.DataFrame({"user_id": range(1_000), "clicks": [0, 1] * 500})
    >>> found = test.analyse(log, "clicks")
    >>> found.arms["mean"].round(2).to_dict()
    {'old': 0.48, 'new': 0.52}
    >>> bool(found.differences.loc["new", "different"]), found.refused
    (False, None)
    """

    arms: pd.DataFrame
    differences: pd.DataFrame
    mismatch: float
    refused: str | None
    counts: Mapping[str, int]
    confidence: float
    value: str

    @property
    def sentences(self) -> list[str]:
        """What was found in words."""
        first = self.arms.index[0]
        told = [_told(str(first), row) for row in self.differences.itertuples()]
        return told if self.refused is None else [self.refused, *told]

    def __repr__(self) -> str:
        return "\n".join([self._title, self.arms.round(4).to_string(), *self.sentences])

    def _repr_html_(self) -> str:
        told = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.sentences)
        table: str = self.arms.round(4).to_html()
        return f"<p>{escape(self._title)}</p>{table}<ul>{told}</ul>"

    @property
    def _title(self) -> str:
        return f"{self.value} of {self.arms['units'].sum():,} units"


def effects_of(
    names: Sequence[str],
    arms: Array,
    units: Array,
    values: Values,
    mismatch: float,
    counts: Mapping[str, int],
    resampling: Resampling,
    value: str,
) -> Effects:
    """Compare the arms of rows, int (n,), of units int (n,), by values float64 (n,)."""
    sums, sizes = _per_unit(len(names), arms, units, values)
    n_units = (sizes > 0).sum(axis=0)
    if n_units.min() < 2:
        few = names[int(np.argmin(n_units))]
        raise DataError(f"the arm {few!r} has {n_units.min()} units with a value, two are needed.")
    draws = bootstrap_means(sums, sizes, resampling.n_boot, resampling.random_state)
    means = sums.sum(axis=0) / sizes.sum(axis=0)
    low, high = np.stack(
        [edges_of(draws[:, [arm]], n, resampling.confidence)[:, 0] for arm, n in enumerate(n_units)]
    ).T
    table = pd.DataFrame(
        {"units": n_units, "mean": means, "low": low, "high": high},
        index=pd.Index(names, name="arm"),
    )
    errors = Spread.of(sums.T, sizes.T).sigma
    differences = _differences(means, np.nan_to_num(errors), n_units, draws, resampling)
    differences.index = pd.Index(names[1:], name="arm")
    refused = _broken(mismatch)
    differences["different"] &= refused is None
    return Effects(
        table, differences, mismatch, refused, dict(counts), resampling.confidence, value
    )


def _per_unit(n_arms: int, arms: Array, units: Array, values: Values) -> tuple[Values, Values]:
    """Return the summed values and the number of values of each unit, float64 (n_units, n_arms)."""
    _, unit = np.unique(units, return_inverse=True)
    shape = (int(unit.max(initial=-1)) + 1, n_arms)
    cell = unit * n_arms + arms
    sums = np.bincount(cell, values, minlength=shape[0] * n_arms).astype(np.float64)
    sizes = np.bincount(cell, minlength=shape[0] * n_arms).astype(np.float64)
    return sums.reshape(shape), sizes.reshape(shape)


def _differences(
    means: Values, errors: Values, n_units: Array, draws: Values, resampling: Resampling
) -> pd.DataFrame:
    gain = means[1:] - means[0]
    error = np.hypot(errors[1:], errors[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = error**4 / (
            errors[1:] ** 4 / (n_units[1:] - 1) + errors[0] ** 4 / (n_units[0] - 1)
        )
        p = np.where(error > 0, 2 * t.sf(np.abs(gain) / error, freedom), gain == 0)
        relative = gain / np.abs(means[0])
    apart = draws[:, 1:] - draws[:, [0]]
    fewest = np.minimum(n_units[1:], n_units[0])
    edges = [
        edges_of(apart[:, [arm]], n, resampling.confidence)[:, 0] for arm, n in enumerate(fewest)
    ]
    low, high = np.stack(edges).T
    level = 1 - resampling.confidence
    spread = Spread(np.where(error > 0, error, np.nan), np.zeros(len(error)))
    corrected = holm(p)
    return pd.DataFrame({
        "gain": gain, "low": low, "high": high, "relative": relative, "p": p, "p holm": corrected,
        "different": corrected < level,
        "detectable": spread.detectable(level / len(gain), _USUAL_POWER),
    })  # fmt: skip


def _broken(mismatch: float) -> str | None:
    if mismatch >= MISMATCH:
        return None
    return (
        f"The split is broken (p = {mismatch:.1g} of a sample ratio mismatch): find out what loses "
        "units of one arm before anything below is believed."
    )


def _told(first: str, row: Any) -> str:
    arm, gain, low, high, relative, p, adjusted, different, detectable = row
    interval = f"{gain:+.4f} ({low:+.4f} to {high:+.4f}; {relative:+.1%})"
    shown = f"{adjusted:.4f}" if adjusted >= 0.001 else f"{adjusted:.1g}"
    test = f"p = {shown}" + ("" if adjusted == p else " after Holm")
    if different:
        return f"{arm} is {'above' if gain > 0 else 'below'} {first}: {interval}, {test}."
    return (
        f"{arm} and {first} are not told apart: {interval}, {test}; a difference of "
        f"{detectable:.4f} would have been found with a power of {_USUAL_POWER:.0%}."
    )
