"""Pages as they were shown, with what was clicked and bought of them: the border of lessons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas
from recopersona.data.dataset import Dataset
from recopersona.data.gate import passed
from recopersona.data.ids import UNKNOWN
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.times import MISSING_TIME, to_ms
from recopersona.data.types import Array, Floats
from recopersona.errors import ColumnError, DataError, ParameterError, hint

LAST_PLACE = 100_000  # tables by place are made up to the last one

SHOWN = "shown"
"""The source of what was shown."""


class Pages(NamedTuple):
    """Pages in order of time, and their rows by position: see `Lessons`."""

    queries: list[Query]
    rankings: list[Ranking]
    bounds: Array
    clicked: Floats
    positions: Array
    bought: Floats | None
    counts: dict[str, int]


def read_impressions(frame: Any, dataset: Dataset, scores: Sequence[str], request: str) -> Pages:
    """Read a frame with a row for every item that was shown; see `Lessons.from_impressions`."""
    _check_asked(dataset, scores)
    given = as_pandas(frame, "impressions")
    table = passed(dataset.gate, given)
    for name in ("item_id", "position", "clicked", *scores):
        require_column(table, name)
    items = dataset.items.indices(table["item_id"].to_numpy())
    positions = positions_of(table["position"])
    times = _times(table)
    page = _numbered_pages(table, times, request)
    first_time = np.full(int(page.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first_time, page, times)
    order = np.lexsort((positions, page, first_time[page]))
    known = order[items[order] != UNKNOWN]
    twice = pd.DataFrame({"page": page[known], "item": items[known]}).duplicated().to_numpy()
    rows = known[~twice]
    if not len(rows):
        raise DataError(
            f"none of the {len(table)} impressions is of an item that the dataset knows."
        )
    bounds = np.append(np.flatnonzero(np.diff(page[rows], prepend=-1)), len(rows))
    clicked = flags_of(table["clicked"])[rows]
    counts = {
        "impressions": len(given),
        "refused": len(given) - len(table),
        "unknown_items": len(order) - len(known),
        "repeated": int(twice.sum()),
        "pages_without_click": int((np.maximum.reduceat(clicked, bounds[:-1]) == 0).sum()),
    }
    said = _numbers(table, scores)[rows]
    return Pages(
        _queries(table, rows[bounds[:-1]], first_time[page], "timestamp" in table),
        _rankings(items[rows], bounds, dataset, tuple(map(str, scores)), said),
        bounds.astype(np.int64),
        clicked,
        positions[rows].astype(np.int32),
        flags_of(table["bought"])[rows] if "bought" in table else None,
        counts,
    )


def _check_asked(dataset: Any, scores: Any) -> None:
    if not isinstance(dataset, Dataset):
        raise DataError(
            f"from_impressions needs the Dataset whose items were shown, got "
            f"{type(dataset).__name__}; write Lessons.from_impressions(frame, shop)."
        )
    if isinstance(scores, str) or not isinstance(scores, Sequence):
        fix = f"; write scores=[{scores!r}]" if isinstance(scores, str) else ""
        raise ParameterError(f"from_impressions: scores must be a list of columns{fix}.")
    if len(set(scores)) < len(scores):
        raise ParameterError(f"from_impressions: scores names a column twice, got {list(scores)}.")


def _numbers(table: pd.DataFrame, names: Sequence[str]) -> Floats:
    try:
        with np.errstate(over="ignore"):  # what is infinite counts as not known
            return table[list(names)].to_numpy(np.float32)
    except (TypeError, ValueError) as problem:
        raise DataError(
            f"columns of scores must hold numbers, got {problem}; see scores={list(names)}."
        ) from problem


def require_column(table: pd.DataFrame, name: str) -> None:
    """Refuse impressions that lack a column."""
    if name not in table:
        raise ColumnError(f"no column {name!r} among the impressions{hint(name, table.columns)}")


def positions_of(column: pd.Series) -> Array:
    """Read places, from 1, as int64."""
    read = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    wrong = ~((read >= 1) & (read <= LAST_PLACE) & (read == np.floor(read)))
    if wrong.any():
        first = column.iloc[int(np.flatnonzero(wrong)[0])]
        raise DataError(f"position must be whole numbers from 1 to {LAST_PLACE:,}, got {first}.")
    return read.astype(np.int64)


def flags_of(column: pd.Series) -> Floats:
    """Read 0 and 1, or false and true, as float32."""
    read = pd.to_numeric(column, errors="coerce").to_numpy(np.float32, na_value=np.nan)
    wrong = ~np.isin(read, (0, 1))
    if wrong.any():
        first = column.iloc[int(np.flatnonzero(wrong)[0])]
        raise DataError(f"{column.name} must be 0 or 1, got {first}.")
    return read


def _times(table: pd.DataFrame) -> Array:
    if "timestamp" not in table:
        return np.zeros(len(table), np.int64)
    times = to_ms(table["timestamp"])
    if (times == MISSING_TIME).any():
        raise DataError(
            f"{int((times == MISSING_TIME).sum())} impressions have no timestamp; give all of them "
            "one, or leave the column out."
        )
    return times


def _numbered_pages(table: pd.DataFrame, times: Array, request: str) -> Array:
    if request in table:
        return pd.factorize(table[request], use_na_sentinel=False)[0]
    if "user_id" not in table or "timestamp" not in table:
        raise ColumnError(
            f"impressions need a column {request!r} that tells pages apart, or user_id and "
            f"timestamp{hint(request, table.columns)}"
        )
    users = pd.factorize(table["user_id"], use_na_sentinel=False)[0].astype(np.int64)
    return np.unique(np.stack([users, times], axis=1), axis=0, return_inverse=True)[1].ravel()


def _queries(table: pd.DataFrame, firsts: Array, times: Array, timed: bool) -> list[Query]:
    users: list[Any] = [None] * len(firsts)
    if "user_id" in table:
        named = table["user_id"].iloc[firsts]
        users = [
            None if gone else user for user, gone in zip(named.tolist(), named.isna(), strict=True)
        ]
    moments = times[firsts].tolist() if timed else [None] * len(firsts)
    return [Query(user_id=user, now=now) for user, now in zip(users, moments, strict=True)]


def _rankings(
    items: Array, bounds: Array, dataset: Dataset, scores: tuple[str, ...], said: Floats
) -> list[Ranking]:
    rankings = []
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        n = end - start
        mine = said[start:end]
        rankings.append(
            Ranking(
                items[start:end].astype(np.int32),
                np.zeros(n, np.float32),
                dataset.items,
                scores or (SHOWN,),
                np.zeros(n, np.int8),
                source_scores=mine if scores else None,
                source_ranks=_ranks(mine) if scores else None,
            )
        )
    return rankings


def _ranks(said: Floats) -> Floats:
    """Return ranks from 1 of each column's numbers, the largest first; NaN stays."""
    order = np.argsort(-said, axis=0, kind="stable")  # what is no number comes last
    ranks = np.empty(said.shape, np.float32)
    np.put_along_axis(ranks, order, np.arange(1, len(said) + 1, dtype=np.float32)[:, None], axis=0)
    ranks[np.isnan(said)] = np.nan
    return ranks
