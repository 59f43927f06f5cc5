"""Lists from anywhere, measured: two frames in, one row of metrics per user out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recopersona.data.columns import as_pandas, factorized, numbers, require_columns
from recopersona.data.ids import as_ids
from recopersona.data.types import Array, Indices, Mask, Values
from recopersona.errors import DataError, shown
from recopersona.evaluation.metrics.judged import Judged
from recopersona.evaluation.metrics.measuring import measure
from recopersona.evaluation.metrics.names import asked_metrics
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.lists import fill_lists, group_rows

LIST_METRICS = ("ndcg", "recall", "precision", "map", "mrr", "hit_rate")
"""What is measured unless other metrics are named."""

_USERS_AT_ONCE = 8_192


def score_lists(
    lists: Any,
    truth: Any,
    *,
    metrics: str | Iterable[str] = LIST_METRICS,
    k: int | Iterable[int] = 10,
) -> pd.DataFrame:
    r"""Measure lists, whatever made them, by what people really chose.

    Parameters
    ----------
    lists : dataframe
        ``user_id``, ``item_id``, and ``rank`` (least first) or ``score`` (greatest first; a rank
        counts where both are there). With neither, the order of rows is the order of the list.
        Equal ranks or scores go by item id, the smaller first.
    truth : dataframe
        ``user_id``, ``item_id``, and ``weight`` (how much it was wanted, for ``ndcg_graded`` and
        ``ndcg_exponential``) or not. Weights of a repeated pair add up; rows of weight 0 were not
        wanted.
    metrics : str or iterable of str
        Metrics of hits, with a cut-off (``"ndcg@20"``) or without (then at every ``k``).
    k : int or iterable of int, at least 1
        Cut-offs. Places that a list lacks are misses.

    Returns
    -------
    DataFrame
        One row per user of ``truth``, in order of appearance, one column per metric; ``.mean()``
        are the usual figures. Whoever has no list has only misses. ``attrs["counts"]``:
        ``users`` measured, of them ``users_without_list``; ``users_without_truth``, who have a list
        and are not measured; ``repeated_items``, rows that name an item again in one list and are
        left out; ``items_never_listed``, of the truth; ``truth_rows_without_weight``.

    Raises
    ------
    ColumnError
        If a column is missing.
    DataError
        If ids, ranks, scores or weights are missing, there is nothing to find, or no user has both
        a list and something to find.
    ParameterError
        If a metric is not known or asks for more than hits, or ``k`` is below 1.

    Examples
    --------
    >>> lists = pd.DataFrame({"user_id": ["anna", "anna", "ben"], "item_id": ["tea", "salt", "oil"],
    ...                       "score": [0.2, 0.9, 0.5]})
    >>> truth = pd.DataFrame({"user_id": ["anna", "cleo"], "item_id": ["tea", "oil"]})
    >>> table = score_lists(lists, truth, metrics=["mrr", "recall"], k=2)
    >>> table
             mrr@2  recall@2
    user_id
    anna       0.5       1.0
    cleo       0.0       0.0
    >>> table.attrs["counts"]["users_without_list"], table.attrs["counts"]["users_without_truth"]
    (1, 1)
    """
    asked = asked_metrics(metrics, k)
    judged, users, counts = judge_frames(lists, truth, max(one.k for one in asked))
    found = measure(judged, [one.label for one in asked], 1)
    table = pd.DataFrame(found.per_user, index=pd.Index(users, name="user_id"), copy=False)
    table.attrs["counts"] = counts | found.counts
    return table


def judge_frames(lists: Any, truth: Any, width: int) -> tuple[Judged, Array, dict[str, int]]:
    """Return lists beside what was wanted, the ids of the users, and what was noticed."""
    listed, chosen = as_pandas(lists, "lists"), as_pandas(truth, "truth")
    for frame, what in ((listed, "lists"), (chosen, "truth")):
        require_columns(frame, ("user_id", "item_id"), what)
    wanted, weights = _weighty(chosen)
    users, user_ids = _coded(wanted, "user_id", "truth")
    owners, owner_ids = _coded(listed, "user_id", "lists")
    places = _places(owner_ids, user_ids)
    (wanted_items, items), n_items = _on_one_map(
        _coded(wanted, "item_id", "truth"), _coded(listed, "item_id", "lists")
    )
    found = sparse.coo_array((weights, (users, wanted_items)), (len(user_ids), n_items)).tocsr()
    found.sum_duplicates()
    rows = places[owners]
    filled, repeats = _filled(rows, items, _keys(listed), (len(user_ids), width), n_items)
    counts = {
        "users": len(user_ids),
        "users_without_list": len(user_ids) - int((places >= 0).sum()),
        "users_without_truth": int((places < 0).sum()),
        "repeated_items": repeats,
        "items_never_listed": int((~np.isin(np.unique(wanted_items), items)).sum()),
        "truth_rows_without_weight": len(chosen) - len(wanted),
    }
    weighed = found.data if "weight" in wanted else None
    return Judged(filled, found.indptr, found.indices, weighed), user_ids, counts


def _weighty(truth: pd.DataFrame) -> tuple[pd.DataFrame, Values]:
    """Return the rows that say something was wanted, and how much."""
    weights = np.ones(len(truth))
    if "weight" in truth:
        weights = numbers(truth["weight"], "truth: weight")
        _require_no_gap(np.isnan(weights), "weight", "truth")
        truth, weights = truth[weights > 0], weights[weights > 0]
    if not len(truth):
        raise DataError("truth has no row of positive weight; score_lists needs what was wanted.")
    return truth, weights


def _coded(frame: pd.DataFrame, name: str, what: str) -> tuple[Array, Array]:
    """Return a column of ids as codes and the distinct ids, hashing a run of one id once."""
    column = frame[name]
    starts = _run_starts(column)
    heads = column if starts is None else column.iloc[starts]
    codes, distinct = factorized(heads, f"{what}: {name}")
    if starts is not None:
        codes = np.repeat(codes, np.diff(starts, append=len(column)))
    _require_no_gap(codes < 0, name, what)
    return codes, as_ids(distinct)


def _run_starts(column: pd.Series) -> Array | None:
    """Return where runs of one id start, None where there are too many to be worth it."""
    if not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "iuO" or column.empty:
        return None
    values = column.to_numpy()
    try:
        if _changes(values[:1_000]).mean() > 0.5:
            return None
        return np.flatnonzero(_changes(values))
    except (TypeError, ValueError):  # pandas' NA, which is neither the same nor another
        return None


def _changes(values: Array) -> Mask:
    """Tell where another value starts."""
    changes: Mask = np.append(True, (values[1:] != values[:-1]).astype(np.bool_))
    return changes


def _require_no_gap(gaps: Mask, name: str, what: str) -> None:
    if gaps.any():
        raise DataError(
            f"{what}: {int(gaps.sum())} rows have no {name}, the first is row "
            f"{int(np.argmax(gaps))}; drop them or fill them."
        )


def _places(owner_ids: Array, user_ids: Array) -> Array:
    """Return where each owner of a list stands among those who wanted something, or -1."""
    places = pd.Index(user_ids).get_indexer(pd.Index(owner_ids))
    if len(places) and (places < 0).all():
        raise DataError(
            f"no user has both a list and something to find: user ids of lists are like "
            f"{shown(owner_ids.tolist()[0])}, of truth like {shown(user_ids.tolist()[0])}."
        )
    return places


def _on_one_map(*coded: tuple[Array, Array]) -> tuple[list[Array], int]:
    """Number the items of all columns together, in the order of their ids where they have one."""
    ids = np.concatenate([distinct for _, distinct in coded])
    together, distinct = pd.factorize(ids)
    try:
        order = np.argsort(distinct, kind="stable")
    except TypeError:  # numbers and text have no order: as they appear
        order = np.arange(len(distinct))
    number = np.empty(len(distinct), np.int32)
    number[order] = np.arange(len(distinct))
    ends = np.cumsum([len(distinct) for _, distinct in coded])[:-1]
    maps = np.split(number[together], ends)
    return [numbered[codes] for (codes, _), numbered in zip(coded, maps, strict=True)], len(order)


def _keys(listed: pd.DataFrame) -> Values:
    """Return what lists are ordered by, the best least."""
    for name, sign in (("rank", 1.0), ("score", -1.0)):
        if name in listed:
            values = numbers(listed[name], f"lists: {name}")
            _require_no_gap(np.isnan(values), name, "lists")
            return values if sign > 0 else -values
    return np.arange(len(listed), dtype=np.float64)


def _filled(
    owners: Array, items: Indices, keys: Values, shape: tuple[int, int], n_items: int
) -> tuple[Indices, int]:
    """Return the lists, int32 of a shape, and how many rows named an item again."""
    owners = np.ascontiguousarray(owners, np.int32)
    sizes = np.bincount(owners[owners >= 0], minlength=shape[0])
    bounds = np.append(0, np.cumsum(sizes)).astype(np.int64)
    rows = np.empty(len(owners), np.int64)
    group_rows(rows, bounds[:-1].copy(), owners)
    lists, repeats = np.empty(shape, np.int32), np.empty(shape[0], np.int64)

    def fill(start: int, end: int) -> None:
        seen = np.full(n_items, -1, np.int32)
        fill_lists(lists, repeats, seen, rows, bounds, items, keys, start, end)

    run_blocks(fill, cut(shape[0], max(_USERS_AT_ONCE, n_items // 8)))
    return lists, int(repeats.sum())
