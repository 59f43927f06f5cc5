"""Tables: a frame with aligned numbers, named rows and the best of a column in bold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, numbers
from recopersona.data.types import Array
from recopersona.errors import ColumnError, DataError, did_you_mean
from recopersona.report.markup import Markup, element
from recopersona.report.numerals import MISSING, Format, is_missing, number_writer, text_of

MOST_ROWS = 500
"""How many rows are shown; what is left out is counted under the table."""

Highlight: TypeAlias = str | Iterable[str] | Mapping[str, str] | None
"""Columns whose best value stands out: the highest, or ``{"fit_s": "min"}`` for the lowest."""

_PROSE = 24  # signs; longer texts keep a readable width on a phone

# Columns whose numbers are names: customer_id, InvoiceNo, StockCode, year.
_NAMES_THINGS = re.compile(r"(?:\b|_)(?i:ids?|idx|no|code|year)$|[a-z](?:ID|Id|No|Code)$")


def table(
    frame: Any, highlight: Highlight = None, formats: Mapping[str, Format] | None = None
) -> Markup:
    """Return a frame as a table.

    Numbers of one column have the same decimals and stand right; ids and years are never cut into
    thousands; an index with a name, or with other labels than numbers, comes first.

    Parameters
    ----------
    frame : dataframe
        pandas, polars or Arrow.
    highlight : str, list of str, or mapping of str to "max" or "min", optional
    formats : mapping of str to str or callable, optional
        Per column, a format specification such as ``".1%"`` or a function from value to text.

    Raises
    ------
    ColumnError
        If ``highlight`` or ``formats`` names no column.
    DataError
        If it is no dataframe, or a format does not suit.

    Examples
    --------
    >>> scores = pd.DataFrame({"model": ["ALS", "Popularity"], "ndcg": [0.1821, 0.07]})
    >>> html = table(scores, highlight="ndcg")
    >>> '<td class="num best">0.182</td>' in html, '<td class="num">0.070</td>' in html
    (True, True)
    """
    flat = _flat(as_pandas(frame, "the rows of a table"))
    names = [str(name) for name in flat.columns]
    best, formats = _directions(highlight, names), formats or {}
    _check_named(formats, names, "formats")
    columns = [
        _column(name, flat.iloc[:, place], best.get(name), formats.get(name))
        for place, name in enumerate(names)
    ]
    shown = range(min(len(flat), MOST_ROWS))
    rows = [
        element(
            "tr",
            *(
                _cell(texts[row], looks[row], first=place == 0)
                for place, (_, texts, looks) in enumerate(columns)
            ),
        )
        for row in shown
    ]
    head = element("thead", element("tr", *(head for head, _, _ in columns)))
    return element("table", head, element("tbody", *(rows or [_no_rows(len(names))])))


def left_out(frame: Any) -> int:
    """Return how many rows of a frame `table` does not show.

    Examples
    --------
    >>> left_out(pd.DataFrame({"item_id": range(501)}))
    1
    """
    return max(0, len(as_pandas(frame, "the rows of a table")) - MOST_ROWS)


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with its index as columns, where that says anything, and flat names."""
    told = frame.index.name is not None or not pd.api.types.is_integer_dtype(frame.index.dtype)
    columns = [frame.iloc[:, place].infer_objects() for place in range(frame.shape[1])]
    names = [_flat_name(name) for name in frame.columns]
    if told:
        levels = [frame.index.get_level_values(level) for level in range(frame.index.nlevels)]
        columns = [pd.Series(level) for level in levels] + columns
        names = ["" if level.name is None else str(level.name) for level in levels] + names
    plain = {place: column.reset_index(drop=True) for place, column in enumerate(columns)}
    return pd.DataFrame(plain, index=range(len(frame))).set_axis(names, axis=1)


def _flat_name(name: object) -> str:
    return (
        " · ".join(str(part) for part in name if str(part))
        if isinstance(name, tuple)
        else str(name)
    )


def _directions(highlight: Highlight, names: list[str]) -> dict[str, str]:
    if highlight is None:
        return {}
    if isinstance(highlight, str):
        highlight = [highlight]
    wanted = dict(highlight) if isinstance(highlight, Mapping) else dict.fromkeys(highlight, "max")
    _check_named(wanted, names, "highlight")
    for name, direction in wanted.items():
        if direction not in ("max", "min"):
            raise DataError(
                f"highlight[{name!r}] must be 'max' or 'min', got {direction!r}"
                f"{did_you_mean(direction, ['max', 'min']) or '.'}"
            )
    return wanted


def _check_named(wanted: Iterable[str], names: list[str], what: str) -> None:
    for name in wanted:
        if name not in names:
            choices = f"; its columns are {', '.join(names) or 'none'}."
            near = did_you_mean(name, names) or choices
            raise ColumnError(f"{what}: the table has no column {name!r}{near}")


def _column(
    name: str, column: pd.Series, direction: str | None, how: Format | None
) -> tuple[Markup, list[str], list[str | None]]:
    """Return the head, the texts and the looks of a column."""
    quantity = _is_quantity(name, column)
    write = _writer(name, column, quantity, how)
    best = _best(name, column, direction)
    texts = [write(value) for value in column.astype(object).tolist()]
    prose = not quantity and max(map(len, texts), default=0) > _PROSE
    kind = "num" if quantity else "words" if prose else ""
    looks = [
        f"{kind}{' gap' if text == MISSING else ''}{' best' if is_best else ''}".strip() or None
        for text, is_best in zip(texts, best, strict=True)
    ]
    return element("th", name, scope="col", class_=kind or None), texts, looks


def _cell(text: str, look: str | None, first: bool) -> Markup:
    return element("th" if first else "td", text, scope="row" if first else None, class_=look)


def _no_rows(wide: int) -> Markup:
    return element("tr", element("td", "no rows", class_="gap", colspan=max(wide, 1)))


def _is_quantity(name: str, column: pd.Series) -> bool:
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return numeric and not _NAMES_THINGS.search(name)


def _writer(
    name: str, column: pd.Series, quantity: bool, how: Format | None
) -> Callable[[Any], str]:
    if quantity or how is not None:
        return number_writer(numbers(column, f"column {name!r}") if quantity else (), how)
    return _plain if pd.api.types.is_numeric_dtype(column) else text_of


def _plain(value: Any) -> str:
    """Write a number that is a name: 17850, also where a gap has made it a float."""
    if is_missing(value) or isinstance(value, bool):
        return text_of(value)
    return str(int(value)) if value == int(value) else str(value)


def _best(name: str, column: pd.Series, direction: str | None) -> Array:
    if direction is None:
        return np.zeros(len(column), np.bool_)
    values = numbers(column, f"column {name!r}, highlighted,")
    there = values[~np.isnan(values)]
    if not len(there):
        return np.zeros(len(column), np.bool_)
    best = float(there.max() if direction == "max" else there.min())
    return np.asarray(values == best)
