"""A log as arrays: what was done, how likely that was, what came of it; bad rows counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, factorized, numbers, require_columns
from recopersona.data.types import Array, Mask, Values
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.offpolicy.reasons import (
    first_reasons,
    of_probabilities,
    of_rewards,
    told,
)

_FEW, _SAMPLE = 1 << 16, 1 << 17


@dataclass(frozen=True)
class Names:
    """Which column of a log is what."""

    action: str = "arm"
    reward: str = "reward"
    propensity: str | None = "propensity"
    context: tuple[str, ...] = ()
    position: str | None = None
    cluster: str | None = None

    @property
    def situation(self) -> tuple[str, ...]:
        """The columns that say in what situation an action was chosen, the position first."""
        return (() if self.position is None else (self.position,)) + self.context

    @property
    def required(self) -> list[str]:
        """Every column that must be there."""
        one = (self.action, self.reward, self.propensity, self.cluster)
        return [name for name in (*one, *self.situation) if name is not None]


@dataclass(frozen=True, eq=False)
class Log:
    """The usable rows of a log, by situation, in an order that no order of the frame changes.

    Attributes
    ----------
    actions : int (n,)
        Which of ``action_ids``.
    situations : int (n,)
        Which row of ``situation``: the distinct positions and contexts.
    rewards, propensities : float64 (n,)
    clusters : int (n,) or None
    said : float64 (n,) or None
        The target's probability of the logged action, where a column says it.
    counts : dict from str to int
        Rows read, used, and dropped by reason.
    """

    names: Names
    actions: Array
    action_ids: Array
    situations: Array
    situation: pd.DataFrame
    rewards: Values
    propensities: Values
    clusters: Array | None
    said: Values | None
    counts: dict[str, int]

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def bounds(self) -> Array:
        """Where the rows of each situation start, and where the last ends, int64 (S + 1,)."""
        sizes = np.bincount(self.situations, minlength=len(self.situation))
        return np.concatenate([[0], np.cumsum(sizes)])

    def without(self, wrong: Mask, reason: str) -> Log:
        """Return the log without some rows, and count them."""
        if not wrong.any():
            return self
        counts = dict(self.counts)
        counts["used"] -= int(wrong.sum())
        counts[reason] = counts.get(reason, 0) + int(wrong.sum())
        if not counts["used"]:
            raise DataError(_nothing_left(counts))
        kept = ~wrong
        return replace(
            self,
            actions=self.actions[kept],
            situations=self.situations[kept],
            rewards=self.rewards[kept],
            propensities=self.propensities[kept],
            clusters=None if self.clusters is None else _coded(pd.Series(self.clusters[kept]))[0],
            said=None if self.said is None else self.said[kept],
            counts=counts,
        )


def read_log(frame: Any, names: Names, reward_range: tuple[float, float] | None = None,
             said: str | None = None, what: str = "log") -> Log:  # fmt: skip
    """Read a frame, drop what cannot be used, and count it by reason.

    Parameters
    ----------
    frame : dataframe
    names : Names
        Without a propensity, all are NaN.
    reward_range : (float, float), optional
        Rewards outside are dropped.
    said : str, optional
        The column with the target's probability of the logged action.
    what : str
        What to call it in an error.

    Examples
    --------
    >>> frame = pd.DataFrame({"arm": ["b", "a", "a", None], "reward": [1, 0, 5, 0],
    ...                       "propensity": [0.5, 0.0, 0.5, 0.5]})
    >>> log = read_log(frame, Names(), (0, 1))
    >>> log.counts["used"], {reason: n for reason, n in log.counts.items() if "row" in reason}
    (1, {...})
    """
    given = as_pandas(frame, what)
    wanted = [*names.required, *([] if said is None else [said])]
    require_columns(given, wanted, f"rows of the {what}")
    if not len(given):
        raise DataError(
            f"{what} has no rows; off_policy needs what was chosen and what came of it."
        )
    columns = _Columns(given, names, said, what)
    wrong, counts = columns.wrong(reward_range)
    counts = {"rows": len(given), "used": int((~wrong).sum()), **counts}
    if wrong.all():
        raise DataError(_nothing_left(counts, what))
    return _in_order(columns.log(~wrong, counts))


def names_of(action: Any, reward: Any, propensity: Any, context: Any, position: Any,
             cluster: Any) -> Names:  # fmt: skip
    """Check the names of columns."""
    for name, value in (("action", action), ("reward", reward), ("propensity", propensity)):
        if not isinstance(value, str):
            raise ParameterError(f"off_policy: {name} must be a column's name, got {value!r}.")
    for name, value in (("position", position), ("cluster", cluster)):
        if not isinstance(value, str | None):
            raise ParameterError(
                f"off_policy: {name} must be a column's name or None, got {value!r}."
            )
    several = (context,) if isinstance(context, str) else context
    if not isinstance(several, Iterable) or not all(isinstance(one, str) for one in several):
        raise ParameterError(
            f"off_policy: context must be a column's name or several, got {context!r}."
        )
    names = Names(action, reward, propensity, tuple(several), position, cluster)
    _check_once([action, reward, propensity, *names.situation])
    return names


def _check_once(used: Sequence[str]) -> None:
    twice = [name for place, name in enumerate(used) if name in used[:place]]
    if twice:
        raise ParameterError(
            f"off_policy: the column {twice[0]!r} is named for two things; name it once."
        )


class _Columns:
    """The columns that count, checked for kind."""

    def __init__(self, frame: pd.DataFrame, names: Names, said: str | None, what: str) -> None:
        self.frame, self.names, self.what = frame, names, what
        self.rewards = self._numbers(names.reward)
        self.propensities = self._numbers(names.propensity)
        self.said = None if said is None else self._numbers(said)

    def _numbers(self, name: str | None) -> Values:
        if name is None:
            return np.full(len(self.frame), np.nan)
        return numbers(self.frame[name], f"{self.what}: {name}")

    def wrong(self, reward_range: tuple[float, float] | None) -> tuple[Mask, dict[str, int]]:
        """Return the rows that cannot be used, and how many each reason took, the first counts."""
        names, frame = self.names, self.frame
        found = [
            (f"no {name}", frame[name].isna().to_numpy())
            for name in (names.action, names.position, names.cluster)
            if name is not None
        ]
        if names.propensity is not None:
            found += of_probabilities("propensity", self.propensities, may_be_0=False)
        if self.said is not None:
            found += of_probabilities("target probability", self.said, may_be_0=True)
        found += of_rewards(self.rewards, reward_range)
        return first_reasons(found)

    def log(self, kept: Mask, counts: dict[str, int]) -> Log:
        names = self.names
        part = self.frame[[*dict.fromkeys((names.action, *names.situation))]]
        part = part if kept.all() else part[kept]
        actions, action_ids = _coded(part[names.action], f"{self.what}: {names.action}")
        situations, situation = _situations(part, names.situation, self.what)
        clusters = None
        if names.cluster is not None:
            column = self.frame[names.cluster][kept]
            clusters, _ = _coded(column, f"{self.what}: {names.cluster}")
        return Log(
            names,
            actions,
            action_ids,
            situations,
            situation,
            self.rewards[kept],
            self.propensities[kept],
            clusters,
            None if self.said is None else self.said[kept],
            counts,
        )


def _nothing_left(counts: dict[str, int], what: str = "log") -> str:
    rows, why = counts["rows"], told(counts)
    return f"{what}: no row of {rows:,} can be used ({why}); repair those columns."


def _coded(column: pd.Series, what: str = "log") -> tuple[Array, Array]:
    """Return int64 codes and the distinct values, in an order that does not depend on the rows'."""
    codes, distinct = factorized(column, what)
    values = np.asarray(distinct)
    try:
        order = np.argsort(values, kind="stable")
    except TypeError:  # numbers and text have no order
        order = np.argsort(pd.util.hash_array(values.astype(str).astype(object)), kind="stable")
    places = np.empty(len(order) + 1, np.int64)
    places[order] = np.arange(len(order))
    places[-1] = len(order)  # missing is a value of its own, behind the others
    return places[codes], values[order]


def _situations(part: pd.DataFrame, columns: tuple[str, ...],
                what: str) -> tuple[Array, pd.DataFrame]:  # fmt: skip
    """Number the distinct rows of the columns, and return one row of the frame for each."""
    together = np.zeros(len(part), np.int64)
    for name in columns:
        codes, distinct = _coded(part[name], f"{what}: {name}")
        width = len(distinct) + 1
        if together.max(initial=0) > 2**62 // width:
            together = np.unique(together, return_inverse=True)[1].astype(np.int64)
        together = together * width + codes
    if not columns:
        return together, pd.DataFrame(index=range(1))
    # As they appear first, which is fast; then in the order of their values.
    numbered, distinct = pd.factorize(together)
    order = np.argsort(distinct)
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    first = np.empty(len(order), np.int64)
    first[numbered[::-1]] = np.arange(len(part))[::-1]
    rows = part[[*columns]].iloc[first[order]].reset_index(drop=True)
    return places[numbered], rows


def _in_order(log: Log) -> Log:
    """Sort rows by what they hold, so that whoever sorts the frame gets the same answer."""
    columns: list[Array | None] = [log.situations, log.actions, log.clusters]
    columns += [log.rewards, log.propensities, log.said]
    mixed = np.zeros(len(log), np.uint64)
    for column in columns:
        if column is not None:
            mixed = _mixed(mixed ^ (column + 0).view(np.uint64))
    width = np.uint64(len(log.situation).bit_length())  # as many bits say which situation it is
    mixed >>= width
    mixed |= log.situations.astype(np.uint64) << (np.uint64(64) - width)
    order = _sorting(mixed)  # rows of one number hold the same: their order is no matter
    return replace(
        log,
        actions=log.actions[order],
        situations=log.situations[order],
        rewards=log.rewards[order],
        propensities=log.propensities[order],
        clusters=None if log.clusters is None else log.clusters[order],
        said=None if log.said is None else log.said[order],
    )


def _sorting(numbers: Array) -> Array:
    """Return the order of numbers, by counting where they are few: that is twice as fast."""
    seen = pd.unique(numbers[:: max(1, len(numbers) // _SAMPLE)])
    if len(seen) < _FEW // 4:
        codes, distinct = pd.factorize(numbers)
        if len(distinct) <= _FEW:
            ranks = np.empty(len(distinct), np.uint16)  # two bytes sort fast
            ranks[np.argsort(distinct)] = np.arange(len(distinct))
            return np.argsort(ranks[codes], kind="stable")
    return np.argsort(numbers)


def _mixed(numbers: Array) -> Array:
    """Mix bits as splitmix64 does, so that like numbers end far apart."""
    numbers = (numbers + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Array = numbers ^ (numbers >> np.uint64(31))
    return mixed
