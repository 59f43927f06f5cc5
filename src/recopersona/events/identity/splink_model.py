"""Splink's model of records: learned from the records alone, and pairs scored by it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.types import Array
from recopersona.errors import MissingExtraError
from recopersona.events.identity.customer_settings import RECORD
from recopersona.events.identity.households import Shares, weights_of_people
from recopersona.kernels.blocks import thread_count

FLOOR = 0.001
"""Probability: what is less likely is not kept of the pairs scored."""

_SAMPLE = 500
_AT_ONCE = 1_000_000
_MOST_TRAINING_PAIRS = 200_000
_FEWEST_TRAINING_PAIRS = 30
_PASSES = (("given", "surname"), ("birth_date",), ("national_id",), ("email",), ("phone",))
_MORE_PASSES = (("postcode",), ("street",), ("surname", "city"), ("surname",), ("full_name",))
_LEAST_SHARE = 1e-3
_DIGITS = 4
_MOST_DIFFERENT = 0.3
_PAIRS_BELIEVED = 30.0
_LEAST_OF_FAMILIES = 0.05

Pass = tuple[tuple[str, ...], int]
"""Columns, and how many pairs of records are equal in them."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of records that match with some probability, sorted by their rows.

    first, second  int64 (n_pairs,), rows, the smaller first
    names          tuple of str, the fields compared
    weights        float32 (n_pairs, n_fields), log2 of how much likelier a field looks like that
                   for one person than for two strangers
    levels         int8 (n_pairs, n_fields), which level of likeness: 0 different, -1 missing
    """

    first: Array
    second: Array
    names: tuple[str, ...]
    weights: Array
    levels: Array

    @cached_property
    def weight(self) -> Array:
        """The sum of all weights, float64 (n_pairs,)."""
        # Sums in several threads differ in their last digits, which decide nothing here.
        weight: Array = np.round(self.weights.sum(axis=1, dtype=np.float64), _DIGITS)
        return weight

    @cached_property
    def people(self) -> Array:
        """The weights for two people of a household, float64 (n_pairs, n_kinds)."""
        people: Array = np.round(weights_of_people(self.weights, self.names), _DIGITS)
        return people

    def probability(self, shares: Shares) -> Array:
        """Return how probable it is that each pair is one person."""
        return shares.probabilities(self.weight, self.people)[0]

    def settled(self, shares: Shares, n_all_pairs: float) -> Shares:
        """Return the shares of one person and two people that these pairs speak for."""
        return shares.settled(self.weight, self.people, n_all_pairs)

    def take(self, rows: Array) -> Pairs:
        """Return some of the pairs."""
        arrays = (self.weights[rows], self.levels[rows])
        return Pairs(self.first[rows], self.second[rows], self.names, *arrays)

    def and_more(self, other: Pairs) -> Pairs:
        """Return these and others, sorted."""
        first, second = np.append(self.first, other.first), np.append(self.second, other.second)
        weights = np.concatenate((self.weights, other.weights))
        levels = np.concatenate((self.levels, other.levels))
        together = Pairs(first, second, self.names, weights, levels)
        return together.take(np.lexsort((second, first)))


class SplinkModel:
    """Comparisons with what each of their levels says, and the records they are learned from.

    Parameters
    ----------
    table : DataFrame
        Canonical values, object columns.
    settings : dict
        Splink's, see `customer_settings.settings_for`.
    random : numpy Generator
        Draws the records whose pairs tell how often strangers agree.
    """

    def __init__(
        self, table: pd.DataFrame, settings: Mapping[str, Any], random: np.random.Generator
    ) -> None:
        self.table = table
        self.passes: list[str] = []
        self._trained: dict[str, Any] = {}
        self._settings = dict(settings)
        self._random = random

    def learn(self, strangers: Array, prior: float) -> None:
        """Learn how often strangers agree from some rows, and how often one person's records do.

        strangers  int64 (n,), rows that are hardly ever of one person
        prior      the share of all pairs that are one person
        """
        settings = self._settings | {"probability_two_random_records_match": prior}
        with _quiet():
            settings = self._with_u(settings, strangers)
            settings = self._with_m(settings)
        self._settings = settings

    def scored(self, first: Array, second: Array, prior: float) -> Pairs:
        """Score pairs of rows, and keep those of some probability; sorted if the pairs are."""
        parts = [
            self._scored(first[start : start + _AT_ONCE], second[start : start + _AT_ONCE], prior)
            for start in range(0, len(first), _AT_ONCE)
        ]
        arrays = zip(*((p.first, p.second, p.weights, p.levels) for p in parts), strict=True)
        one, other, weights, levels = map(np.concatenate, arrays)
        return Pairs(one, other, tuple(self.table.columns), weights, levels)

    def _scored(self, first: Array, second: Array, prior: float) -> Pairs:
        settings = self._settings | {
            "probability_two_random_records_match": prior,
            "retain_intermediate_calculation_columns": True,
            "retain_matching_columns": True,  # else Splink does not say the levels
        }
        with _quiet():
            api, linker = _linker(self.table, settings)
            keys = {"match_key": ["0"] * len(first), "join_key_l": first, "join_key_r": second}
            blocked = api.register(_arrow(pd.DataFrame(keys)))
            linker.table_management.register_blocked_pairs_for_predict(blocked)
            scores = linker.inference.predict(
                threshold_match_probability=FLOOR, warning_mode="never"
            )
            names = tuple(self.table.columns)
            listed = [f'"mw_{name}" + "mw_tf_adj_{name}" AS "w_{name}"' for name in names]
            listed += [f'"gamma_{name}"::TINYINT AS "l_{name}"' for name in names]
            wanted = f"{RECORD}_l, {RECORD}_r, {', '.join(listed)}"
            answer = linker.misc.query_sql(
                f"SELECT {wanted} FROM {scores.physical_name} "  # noqa: S608 - names are our own
                f"ORDER BY {RECORD}_l, {RECORD}_r"
            )
            found = answer.as_pyarrow_table().to_pandas()
        first, second = (found[f"{RECORD}_{side}"].to_numpy(np.int64) for side in "lr")
        weights = found[[f"w_{name}" for name in names]].to_numpy(np.float32)
        levels = found[[f"l_{name}" for name in names]].to_numpy(np.int8)
        return Pairs(first, second, names, weights, levels)

    def learn_again(self, pairs: Pairs, shares: Shares) -> Pairs:
        """Learn how one person's records agree from pairs by their probability of being one.

        Splink knows one person and strangers; what it took for one person may have been a family.
        Where families are nearly all there is, nothing is to be learned of one person.

        Returns
        -------
        the pairs, by what was learned
        """
        chances, people = shares.probabilities(pairs.weight, pairs.people)
        if chances.sum() < max(_FEWEST_TRAINING_PAIRS, _LEAST_OF_FAMILIES * people.sum()):
            return pairs
        weights = pairs.weights.copy()
        comparisons = deepcopy(self._settings["comparisons"])
        for field, comparison in enumerate(comparisons):
            levels = _levels(comparison)[::-1]  # different first, which is level 0
            found = pairs.levels[:, field]
            there = found >= 0
            seen = np.bincount(found[there], chances[there], minlength=len(levels))
            before = np.array([level["m_probability"] for level in levels])
            share = (seen + _PAIRS_BELIEVED * before) / (seen.sum() + _PAIRS_BELIEVED)
            share[0] = min(share[0], _MOST_DIFFERENT)
            for level, value in zip(levels, share, strict=True):
                level["m_probability"] = max(float(value), _LEAST_SHARE)
            _to_one(levels, "m_probability")
            after = np.array([level["m_probability"] for level in levels])
            weights[there, field] += np.log2(after / before)[found[there]].astype(np.float32)
        self._settings = self._settings | {"comparisons": comparisons}
        return replace(pairs, weights=weights)

    def _with_u(self, settings: dict[str, Any], strangers: Array) -> dict[str, Any]:
        """Add how often strangers agree to each level (Splink's u)."""
        size = min(_SAMPLE, len(strangers))
        rows = np.sort(self._random.choice(strangers, size, replace=False))
        _, linker = _linker(self.table.iloc[rows], settings)
        linker.training.estimate_u_using_random_sampling(
            max_pairs=size * size, seed=1, min_count_per_level=None, num_chunks=1
        )
        learned: dict[str, Any] = linker.misc.save_model_to_json()
        for comparison in learned["comparisons"]:
            values = self.table[comparison["output_column_name"]].iloc[strangers]
            _complete_u(_levels(comparison), _share_of_equal_pairs(values), size * (size - 1) / 2)
        return settings | {"comparisons": learned["comparisons"]}

    def _with_m(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Add how often the records of one person agree (Splink's m), by EM."""
        passes = list(self._training_passes())
        while (failed := self._train(settings, passes)) is not None:
            passes.remove(failed)
        learned: dict[str, Any] = self._trained
        for comparison in learned["comparisons"]:
            _complete_m(_levels(comparison))
        self.passes = [" + ".join(names) for names, _ in passes]
        return settings | {"comparisons": learned["comparisons"]}

    def _train(self, settings: dict[str, Any], passes: list[Pass]) -> Pass | None:
        """Run passes of EM; return the one that fails, after which the linker is of no more use.

        Splink refuses a share that EM has brought down to nothing, and forgets the comparisons
        that the pass had put aside.
        """
        from splink import block_on

        _, linker = _linker(self.table, settings)
        for names, n_pairs in passes:
            try:
                linker.training.estimate_parameters_using_expectation_maximisation(
                    block_on(*names),
                    estimate_without_term_frequencies=True,
                    max_pairs=_MOST_TRAINING_PAIRS if n_pairs > _MOST_TRAINING_PAIRS else None,
                )
            except ValueError:
                return names, n_pairs
        self._trained = linker.misc.save_model_to_json()
        return None

    def _training_passes(self) -> Iterator[Pass]:
        """Yield columns whose equal pairs are one person often enough to learn from."""
        found = 0
        for names in (*_PASSES, *_MORE_PASSES):
            if names in _MORE_PASSES and found >= 2:
                return
            if not all(name in self.table for name in names) or len(self.table.columns) < 2:
                continue
            whole = self.table[list(names)].dropna()
            sizes = whole.groupby(list(names)).size().to_numpy()
            n_pairs = int((sizes * (sizes - 1) // 2).sum())
            if n_pairs >= _FEWEST_TRAINING_PAIRS:
                found += 1
                yield names, n_pairs


def _levels(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the levels that have probabilities, equal first, different last."""
    levels: list[dict[str, Any]] = comparison["comparison_levels"]
    return [level for level in levels if not level.get("is_null_level")]


def _share_of_equal_pairs(values: pd.Series) -> float:
    """Return how often strangers have an equal value: counted, as a sample may find none."""
    counts = values.value_counts().to_numpy(np.float64)
    n = counts.sum()
    equal, pairs = (counts * (counts - 1)).sum(), n * (n - 1)
    return float((equal + 1.0) / (pairs + 2.0))


def _complete_u(levels: list[dict[str, Any]], equal: float, n_pairs: float) -> None:
    """Put the counted share in the first level, and a small one where the sample had none."""
    levels[0]["u_probability"] = equal
    for level in levels[1:]:
        level["u_probability"] = max(_number(level.get("u_probability"), 0.0), 0.5 / n_pairs)
    _to_one(levels, "u_probability")


def _complete_m(levels: list[dict[str, Any]]) -> None:
    """Give levels of which EM saw nothing a usual share, and none of them next to nothing.

    Where most values are said to be different, EM has learned something else than one person, such
    as families: all levels have usual shares then.
    """
    between = 0.15 / max(len(levels) - 2, 1)
    usual = [0.8, *[between] * (len(levels) - 2), 0.05]
    if _number(levels[-1].get("m_probability"), 0.0) > _MOST_DIFFERENT:
        for level in levels:
            level["m_probability"] = None
    for level, share in zip(levels, usual, strict=True):
        level["m_probability"] = max(_number(level.get("m_probability"), share), _LEAST_SHARE)
    _to_one(levels, "m_probability")


def _to_one(levels: list[dict[str, Any]], name: str) -> None:
    total = sum(level[name] for level in levels)
    for level in levels:
        level[name] = float(f"{level[name] / total:.6g}")


def _number(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, (int, float)) and value > 0 else otherwise


def _linker(table: pd.DataFrame, settings: Mapping[str, Any]) -> tuple[Any, Any]:
    """Make a linker on a database of its own, in memory."""
    import duckdb
    from splink import DuckDBAPI, Linker

    connection = duckdb.connect()
    connection.execute(f"SET threads = {thread_count()}")
    connection.execute("SET enable_progress_bar = false")
    api = DuckDBAPI(connection)
    rows = table.astype("str")
    rows.insert(0, RECORD, np.asarray(table.index, dtype=np.int64))
    return api, Linker(api.register(_arrow(rows)), dict(settings), log_level=None)


def _arrow(frame: pd.DataFrame) -> Any:
    import pyarrow as pa

    return pa.Table.from_pandas(frame, preserve_index=False)


def require_splink(asker: str) -> None:
    """Check that Splink and what it needs are there.

    Raises
    ------
    MissingExtraError
        Without ``recopersona[linkage]``.
    """
    try:
        import duckdb  # noqa: F401
        import pyarrow  # noqa: F401
        import splink  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(asker, "linkage") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Splink from printing what it has not learned: the model is completed here."""
    logger = logging.getLogger("splink")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
