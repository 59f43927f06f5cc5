"""Measure lists by many metrics at many cut-offs, in one walk over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recopersona.data.types import Array, Values
from recopersona.evaluation.metrics.judged import Judged
from recopersona.evaluation.metrics.names import (
    COLUMNS,
    HITS,
    OVERALL,
    PER_LIST,
    Asked,
    asked_metrics,
)
from recopersona.evaluation.metrics.value import gains_of
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.metrics import judge_lists

_USERS_AT_ONCE = 8_192


@dataclass(frozen=True, eq=False)
class Measured:
    """What lists are worth, by label: ``ndcg@10``, ``diversity[brand]@5``.

    Attributes
    ----------
    labels : tuple of str
        In the order asked for.
    per_user : dict from label to float64 (n_users,)
        NaN where a metric is not defined for a user.
    overall : dict from label to float
        Of metrics that have one value for all lists together.
    undefined : dict from label to int
        Users for whom a metric is not defined, who are left out of its mean; where there are any.
    counts : dict from str to int
        What was noticed, such as relevant items without a price.
    """

    labels: tuple[str, ...]
    per_user: dict[str, Values]
    overall: dict[str, float]
    undefined: dict[str, int]
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def means(self) -> dict[str, float]:
        """The mean over the users for whom a metric is defined, or its one value; by label."""
        means = {}
        for label in self.labels:
            if label in self.overall:
                means[label] = self.overall[label]
            else:
                values = self.per_user[label]
                defined = values[~np.isnan(values)]
                means[label] = float(defined.mean()) if len(defined) else float("nan")
        return means


def measure(judged: Judged, metrics: str | Sequence[str], k: int | Sequence[int]) -> Measured:
    """Measure lists by all metrics at all cut-offs.

    Parameters
    ----------
    judged : Judged
    metrics : str or sequence of str
        Names, with a cut-off (``"ndcg@20"``) or without (then at every ``k``).
    k : int or sequence of int
        Cut-offs; where lists are shorter, the places they lack are misses.

    Returns
    -------
    Measured

    Raises
    ------
    ParameterError
        If there is no such metric, or a cut-off is not at least 1.
    ColumnError
        If a metric needs an item column that the data lack.

    Examples
    --------
    Two users with one list each; the first wanted items 0 and 1, the second item 5.

    >>> lists = np.array([[2, 0, 1], [3, 4, -1]], np.int32)
    >>> judged = Judged(lists, np.array([0, 2, 3]), np.array([0, 1, 5]))
    >>> found = measure(judged, ["recall", "mrr@3"], [2, 3])
    >>> found.per_user["recall@2"]
    array([0.5, 0. ])
    >>> found.means
    {'recall@2': 0.25, 'recall@3': 0.5, 'mrr@3': 0.25}
    """
    asked = asked_metrics(metrics, k)
    counts: dict[str, int] = {}
    per_user = _measured_hits(judged, [one for one in asked if one.name in HITS], counts)
    overall: dict[str, float] = {}
    for one in asked:
        if one.name in PER_LIST:
            per_user[one.label] = PER_LIST[one.name](judged, one)
        elif one.name in OVERALL:
            overall[one.label] = float(OVERALL[one.name](judged, one))
    missing = {label: int(np.isnan(values).sum()) for label, values in per_user.items()}
    undefined = {label: count for label, count in missing.items() if count}
    return Measured(tuple(one.label for one in asked), per_user, overall, undefined, counts)


def _measured_hits(
    judged: Judged, asked: Sequence[Asked], counts: dict[str, int]
) -> dict[str, Values]:
    """Walk every list once for all measures of hits."""
    if not asked:
        return {}
    columns = sorted(asked, key=lambda one: one.k)
    cuts = np.array([one.k for one in columns])
    ends, first_columns = np.unique(cuts, return_index=True)
    codes = np.array([HITS[one.name].code for one in columns])
    kinds, gains, best_gains = _gains(judged, columns, counts)
    discounts = _discounts(judged)
    n_users, n_items = len(judged.lists), judged.n_items
    values = np.empty((len(columns), n_users))

    def judge(start: int, end: int) -> None:
        judge_lists(
            values,
            np.full(n_items, -1, np.int32),
            judged.lists,
            judged.bounds,
            judged.relevant,
            gains,
            best_gains,
            discounts,
            np.cumsum(discounts),
            ends,
            np.append(first_columns, len(columns)),
            codes,
            kinds,
            start,
            end,
        )

    # No block is smaller than the scratch it needs.
    run_blocks(judge, cut(n_users, max(_USERS_AT_ONCE, n_items // 8)))
    found = {one.label: row for one, row in zip(columns, values, strict=True)}
    return {one.label: found[one.label] for one in asked}


def _gains(
    judged: Judged, columns: Sequence[Asked], counts: dict[str, int]
) -> tuple[Array, Array, Array]:
    """Return which gain each column asks for, the gains, and each user's from the largest on."""
    wanted: list[tuple[str, str | None]] = []
    kinds = np.zeros(len(columns), np.int64)
    for place, one in enumerate(columns):
        gain = HITS[one.name].gain
        if gain is not None:
            kind = gain, one.column or COLUMNS.get(one.name)
            if kind not in wanted:
                wanted.append(kind)
            kinds[place] = wanted.index(kind)
    gains = np.zeros((len(wanted), len(judged.relevant)))
    best = np.zeros_like(gains)
    user = np.repeat(np.arange(len(judged.lists)), judged.n_relevant)
    for row, kind in enumerate(wanted):
        gains[row] = gains_of(judged, *kind, counts)
        best[row] = gains[row][np.lexsort((-gains[row], user))]
    return kinds, gains, best


def _discounts(judged: Judged) -> Any:
    longest = max(judged.lists.shape[1], int(judged.n_relevant.max(initial=0)), 1)
    return 1.0 / np.log2(np.arange(2, longest + 2))
