"""The policy that is asked about, however it is known: a column, a table, its log, a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, numbers, require_columns
from recopersona.data.types import Array, Values
from recopersona.errors import ColumnError, DataError, ParameterError, hint
from recopersona.evaluation.offpolicy.log import Log, Names, read_log
from recopersona.evaluation.offpolicy.standing import STANDING, arms_of, stands

PROBABILITY = "probability"
"""The column of a table that says how likely the target's actions are."""

_OFF = 1e-3  # how far probabilities of one situation may be from adding up to 1
_CELLS_AT_ONCE = 1 << 22  # 32 MB of probabilities


@dataclass(frozen=True, eq=False)
class Target:
    """What the target would do in every situation of a log.

    Attributes
    ----------
    actions : array of ids
        The log's, in the log's order, then those that only the target takes.
    table : function from int (b,) to float64 (b, n_actions), or None
        Of rows of the log's ``situation``; None where only logged actions' probabilities are known.
    own : Log, optional
        The target's own log.
    """

    actions: Array
    table: Callable[[Array], Values] | None
    own: Log | None = None

    def of_logged(self, log: Log) -> Values:
        """Return the probability of each row's action, float64 (n,)."""
        if log.said is not None:
            return log.said
        found, bounds = np.empty(len(log)), log.bounds
        for some, table in self.blocks(len(log.situation)):
            rows = slice(bounds[some[0]], bounds[some[-1] + 1])
            found[rows] = table[log.situations[rows] - some[0], log.actions[rows]]
        return found

    def blocks(self, n_situations: int) -> Iterator[tuple[Array, Values]]:
        """Yield situations, and the probabilities in them, a few at a time."""
        if self.table is None:
            raise DataError("target: a column tells no probabilities of actions not logged.")
        step = max(1, _CELLS_AT_ONCE // len(self.actions))
        for start in range(0, n_situations, step):
            some = np.arange(start, min(n_situations, start + step))
            yield some, self.table(some)


def target_of(target: Any, frame: pd.DataFrame, names: Names,
              reward_range: tuple[float, float] | None) -> tuple[Log, Target]:  # fmt: skip
    """Read the log and what is asked about it; rows of which the target says nothing are dropped.

    Parameters
    ----------
    target : str, dataframe, policy or callable
    frame : dataframe
    names : Names
    reward_range : (float, float), optional
    """
    if isinstance(target, str):
        if target not in frame.columns:
            told = [name for name in frame.columns if name != STANDING]
            is_arm = names.action in told and bool((frame[names.action] == target).any())
            always = f"; to choose nothing else, write {{{target!r}: 1}}."
            raise ColumnError(
                f"off_policy: target names no column of the log, got {target!r}"
                f"{always if is_arm else hint(target, told, 'its columns are')}"
            )
        log = read_log(frame, names, reward_range, said=target)
        return log, Target(log.action_ids, None)
    log = read_log(frame, names, reward_range)
    if hasattr(target, "probabilities"):
        return log, _of_policy(target, log)
    log, other = _of_anything(target, log, reward_range)
    return log, _among_standing(other, log)


def _of_anything(target: Any, log: Log,
                 reward_range: tuple[float, float] | None) -> tuple[Log, Target]:  # fmt: skip
    names = log.names
    if callable(target):
        return log, _of_function(target, log)
    if isinstance(target, Mapping):
        target = pd.DataFrame({names.action: [*target], PROBABILITY: [*target.values()]})
    told = as_pandas(target, "target")
    if PROBABILITY in told.columns:
        return _of_table(told, log, numbers(told[PROBABILITY], f"target: {PROBABILITY}"))
    return _of_own_log(told, log, reward_range)


def _among_standing(target: Target, log: Log) -> Target:
    """Share what a target gives to arms that did not stand among those that did."""
    asked, there = target.table, stands(log, target.actions)
    if there is None or asked is None:
        return target

    def of(situations: Array) -> Values:
        table = asked(situations)
        left = np.where(there[situations], table, 0.0)
        sums = left.sum(axis=1, keepdims=True)
        # Whose arms all were refused keeps them: what they earn there, nobody can say.
        return np.where(sums > 0, left / np.where(sums > 0, sums, 1), table)

    return replace(target, table=of)


def _of_own_log(told: pd.DataFrame, log: Log,
                reward_range: tuple[float, float] | None) -> tuple[Log, Target]:  # fmt: skip
    r"""Take the target's own log: how often it chose each action, by position.

    .. math:: \pi(a \mid s) = n_{as} / \sum_b n_{bs}

    and not the mean of what it logged as propensities: those are high where an action was chosen.
    """
    names = log.names
    asked = Names(names.action, names.reward, None, (), names.position)
    if names.reward not in told.columns:
        told = told.assign(**{names.reward: 0.0})
        own = None
        read = read_log(told, asked, what="target")
    else:
        own = read = read_log(told, asked, reward_range, what="target")
    counted = pd.DataFrame({names.action: read.action_ids[read.actions]})
    for name in asked.situation:
        counted[name] = read.situation[name].to_numpy()[read.situations]
    keys = [*asked.situation, names.action]
    table = counted.groupby(keys, sort=True, observed=True).size().reset_index(name=PROBABILITY)
    of_each = (
        table.groupby([*asked.situation], observed=True)[PROBABILITY].transform("sum")
        if (asked.situation)
        else table[PROBABILITY].sum()
    )
    table[PROBABILITY] = table[PROBABILITY] / of_each
    log, target = _of_table(table, log, table[PROBABILITY].to_numpy())
    return log, Target(target.actions, target.table, own)


def _of_table(told: pd.DataFrame, log: Log, probabilities: Values) -> tuple[Log, Target]:
    """Take a table of probabilities by action, and by whatever else of the situation it has."""
    names = log.names
    require_columns(told, [names.action], "target")
    keys = [name for name in names.situation if name in told.columns]
    if told[[names.action, *keys]].isna().any().any() or np.isnan(probabilities).any():
        raise DataError(
            "target: a row lacks its action, situation or probability; drop or fill it."
        )
    if (probabilities < 0).any() or (probabilities > 1 + _OFF).any():
        raise DataError(
            "target: probabilities must be from 0 to 1; check the column 'probability'."
        )
    actions, codes = _with_more(log.action_ids, told[names.action])
    known, groups = _grouped(told, keys)
    table = np.zeros((len(known), len(actions)))
    np.add.at(table, (groups, codes), probabilities)
    sums = table.sum(axis=1)
    worst = int(np.argmax(np.abs(sums - 1)))
    if abs(sums[worst] - 1) > _OFF:
        where = "" if not keys else f" where {keys} is {known[worst]!r}"
        raise DataError(
            f"target: probabilities must add up to 1, got {sums[worst]:g}{where}; give every "
            "action."
        )
    table /= sums[:, None]
    rows = _rows_of(log.situation, keys, known)
    told_nothing = rows < 0
    if told_nothing.any():
        log = log.without(told_nothing[log.situations], f"target silent on {', '.join(keys)}")

    def of(situations: Array) -> Values:
        found: Values = table[rows[situations]]
        return found

    return log, Target(actions, of)


def _grouped(told: pd.DataFrame, keys: list[str]) -> tuple[pd.Index, Array]:
    """Return the distinct situations of a table, and which each row is of."""
    if not keys:
        return pd.Index([0]), np.zeros(len(told), np.int64)
    index = _index(told, keys)
    known = index.unique()
    return known, known.get_indexer(index)


def _rows_of(situation: pd.DataFrame, keys: list[str], known: pd.Index) -> Array:
    if not keys:
        return np.zeros(len(situation), np.int64)
    rows: Array = known.get_indexer(_index(situation, keys))
    return rows


def _index(frame: pd.DataFrame, keys: list[str]) -> pd.Index:
    return pd.Index(frame[keys[0]]) if len(keys) == 1 else pd.MultiIndex.from_frame(frame[keys])


def _with_more(known: Array, wanted: Any) -> tuple[Array, Array]:
    """Return the known ids and the new ones behind them, and where each wanted one is."""
    index = pd.Index(known)
    asked = pd.Index(np.asarray(wanted))
    fresh = asked[index.get_indexer(asked) < 0].unique()
    together = index.append(fresh) if len(fresh) else index
    return np.asarray(together), together.get_indexer(asked)


def _of_function(function: Callable[[pd.DataFrame], Any], log: Log) -> Target:
    """Ask a function for the probabilities in every situation."""
    first = function(log.situation.iloc[:1])
    columns = first.columns if isinstance(first, pd.DataFrame) else log.action_ids
    actions, places = _with_more(log.action_ids, columns)

    def of(situations: Array) -> Values:
        asked = log.situation.iloc[situations]
        answer = np.asarray(function(asked), np.float64)
        if answer.shape != (len(asked), len(places)):
            raise DataError(
                f"target: the function must return one row per row it is given and one column per "
                f"action, {(len(asked), len(places))}, got {answer.shape}."
            )
        table = np.zeros((len(asked), len(actions)))
        table[:, places] = answer
        return _checked(table)

    return Target(actions, of)


def _of_policy(policy: Any, log: Log) -> Target:
    """Ask a bandit for its probabilities, per distinct context: a segment, or a vector."""
    context = log.situation[[name for name in log.names.context if name != STANDING]]
    arms = getattr(policy, "arms_", None)
    arms = log.action_ids.tolist() if arms is None else list(arms)
    actions, places = _with_more(log.action_ids, pd.Index(arms))
    place_of, stood = dict(zip(arms, places.tolist(), strict=True)), arms_of(log)

    def of(situations: Array) -> Values:
        asked = context.iloc[situations]
        contexts: Iterable[Any] = [None] * len(asked)
        if len(asked.columns) == 1:
            contexts = asked.iloc[:, 0].tolist()
        elif len(asked.columns):
            contexts = asked.to_numpy(np.float64)
        table = np.zeros((len(asked), len(actions)))
        for row, one, number in zip(table, contexts, situations.tolist(), strict=True):
            able = arms if stood is None else [arm for arm in stood[number] if arm in place_of]
            able = able or arms
            row[[place_of[arm] for arm in able]] = policy.probabilities(arms=able, context=one)
        return _checked(table)

    return Target(actions, of)


def _checked(table: Values) -> Values:
    """Check that every row is a distribution, and return it."""
    with np.errstate(invalid="ignore"):
        fine = (table >= 0).all(axis=1) & (np.abs(table.sum(axis=1) - 1) <= _OFF)
    if not fine.all():
        row = table[int(np.argmin(fine))]
        raise DataError(
            "target: probabilities must be from 0 to 1 and add up to 1 in every situation, got "
            f"{row.min():g} to {row.max():g} that add up to {row.sum():g}."
        )
    return table


def check_target(target: Any) -> None:
    """Say what a target can be, before anything is read."""
    held = getattr(getattr(target, "reranker_", target), "policy_", None)
    if held is not None:
        raise ParameterError(
            f"off_policy: target must be a policy, got the {type(target).__name__} around one; "
            "pass home.reranker_.policy_, and context='segment' if it tells segments apart."
        )
    if target is None or isinstance(target, (int, float)):
        raise ParameterError(
            "off_policy: target must be a column of the log, a mapping such as {'plain': 1}, a "
            "frame (with a column 'probability', or the target's own log), a policy or a function, "
            f"got {target!r}."
        )
