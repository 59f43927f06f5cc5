"""Charts for people: intervals, bars, lines and the long tail, each one SVG to put in a page.

Every chart says in words what it shows (its description is read out to those who cannot see it),
labels things where they are instead of in a legend, and gives up room before it gives up
legibility: on a phone the words keep their size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from recopersona.data.columns import numbers
from recopersona.data.times import MISSING_TIME, to_ms
from recopersona.data.types import Array
from recopersona.errors import DataError, did_you_mean
from recopersona.report.axes import Axis, log_axis, number_axis, tight_axis, time_axis
from recopersona.report.drawing import (
    Gutters,
    across,
    dot,
    leader,
    line,
    sheet,
    shortened,
    upwards,
    width_of,
    words,
)
from recopersona.report.markup import Markup, element, together
from recopersona.report.numerals import Format, number_writer, text_of
from recopersona.report.style import SERIES

MOST_ROWS = 60
"""How many labels a chart has room for; what it leaves out, it counts."""
MOST_POINTS = 1200
"""How many points of a line are drawn; of more, each stretch keeps its lowest and highest."""

_PITCH, _MIDDLE = 36, 20
_TALL = 220
_END = 18  # signs of a name at the end of a line
_DRAWABLE = 1e300


def interval_chart(
    labels: Iterable[object],
    values: Any,
    lows: Any,
    highs: Any,
    *,
    title: str = "",
    unit: str = "",
    highlight: object = None,
    baseline: object = None,
    number_format: Format | None = None,
) -> Markup:
    """Draw a dot with its interval per label, such as a metric per model.

    Parameters
    ----------
    labels : iterable
        From top to bottom.
    values, lows, highs : array-like of numbers
        As many as labels; a missing or infinite one is not drawn and reads "–".
    title : str
    unit : str
        What is measured, such as ``"NDCG@10, 95 % interval"``.
    highlight : label, optional
        Stands out; the others step back.
    baseline : label, optional
        Its value is drawn as a line through all rows.
    number_format : str or callable, optional
        How numbers are written, such as ``".1%"``.

    Raises
    ------
    DataError
        If the lengths differ, a value is no number, a low is above its high, or the highlight or
        baseline is no label.

    Examples
    --------
    >>> svg = interval_chart(["ALS", "Popularity"], [0.18, 0.05], [0.16, 0.04], [0.2, 0.07],
    ...                      title="Held-out quality", unit="NDCG@10", baseline="Popularity")
    >>> svg.startswith("<svg"), "ALS: 0.180 (0.160–0.200)" in svg
    (True, True)
    """
    names = [str(label) for label in labels]
    middle, low, high = (
        _numbers(column, what, len(names))
        for column, what in ((values, "values"), (lows, "lows"), (highs, "highs"))
    )
    if (low > high).any():
        row = int(np.argmax(low > high))
        raise DataError(
            f"an interval goes from low to high, got {low[row]:g} to {high[row]:g} for "
            f"{names[row]!r}; pass lows before highs."
        )
    chosen, base = _label(highlight, names, "highlight"), _label(baseline, names, "baseline")
    everything = np.concatenate([middle, low, high])
    write = number_writer(everything, number_format)
    texts = [_with_interval(write, *row) for row in zip(middle, low, high, strict=True)]
    drawn = slice(MOST_ROWS)
    axis = number_axis(everything, how=number_format)
    rows = [
        _interval_row(place, name, text, axis, row, _look(name, chosen))
        for place, (name, text, *row) in enumerate(
            zip(names[drawn], texts, middle, low, high, strict=False)
        )
    ]
    reference = None
    if base is not None and not np.isnan(middle[names.index(base)]):
        reference = _baseline(axis, middle[names.index(base)], base, len(rows) * _PITCH)
    gutter = max((width_of(text) for text in texts[drawn]), default=0) + 20
    return _rows_sheet(
        rows, names, texts, axis, title, unit, behind=reference, right=gutter, right_narrow=14
    )


def bar_chart(
    labels: Iterable[object],
    values: Any,
    *,
    title: str = "",
    unit: str = "",
    highlight: object = None,
    number_format: Format | None = None,
) -> Markup:
    """Draw a bar from zero per label, with its value at its end.

    Parameters
    ----------
    labels : iterable
        From top to bottom.
    values : array-like of numbers
        As many as labels; a missing or infinite one has no bar and reads "–".
    title : str
    unit : str
        What is counted, such as ``"events"``.
    highlight : label, optional
        Stands out; the others step back.
    number_format : str or callable, optional
        How numbers are written, such as ``".1%"``.

    Raises
    ------
    DataError
        If the lengths differ, a value is no number, or the highlight is no label.

    Examples
    --------
    >>> svg = bar_chart(["view", "purchase"], [120_450, 3_120], title="Events", unit="events")
    >>> "view: 120,450; purchase: 3,120" in svg
    True
    """
    names = [str(label) for label in labels]
    sizes = _numbers(values, "values", len(names))
    chosen = _label(highlight, names, "highlight")
    write = number_writer(sizes, number_format)
    texts = [write(size) for size in sizes]
    axis = number_axis(sizes, from_zero=True, how=number_format)
    rows = [
        _bar_row(place, name, text, axis, size, _look(name, chosen))
        for place, (name, text, size) in enumerate(
            zip(names[:MOST_ROWS], texts, sizes, strict=False)
        )
    ]
    room = max((width_of(text) for text in texts[:MOST_ROWS]), default=0) + 12
    before = room if (sizes < 0).any() else 0
    return _rows_sheet(
        rows, names, texts, axis, title, unit, right=room, right_narrow=room, before=before
    )


def line_chart(
    x: Any,
    series: Mapping[str, Any],
    *,
    title: str = "",
    unit: str = "",
    number_format: Format | None = None,
) -> Markup:
    """Draw one line per series over numbers or over time, each labelled at its end.

    Parameters
    ----------
    x : array-like of numbers, or of times
        Points are joined in the order of x. Times are read as `recopersona` reads timestamps:
        datetimes, dates, text; without a zone they are UTC.
    series : mapping from name to array-like of numbers
        Each as long as x; a missing or infinite value leaves a gap in its line.
    title : str
    unit : str
        What the lines measure, such as ``"events per day"``.
    number_format : str or callable, optional
        How numbers are written, such as ``".1%"``.

    Raises
    ------
    DataError
        If the lengths differ, an x is missing, or a value is neither a number nor a time.

    Examples
    --------
    >>> svg = line_chart(pd.date_range("2011-11-28", periods=3), {"purchase": [310, 295, 402]},
    ...                  title="Events per day", unit="events")
    >>> "purchase: 3 points from 295 to 402, last 402" in svg
    True
    """
    places, axis_of = _horizontal(x)
    order = np.argsort(places, kind="stable")
    lines = {
        str(name): _numbers(values, f"series {str(name)!r}", len(places))[order]
        for name, values in series.items()
    }
    places = places[order]
    everything = np.concatenate([np.empty(0), *lines.values()])
    description = "; ".join(_told(name, values, number_format) for name, values in lines.items())
    if not np.isfinite(everything).any():
        return _empty(title, unit, description)
    horizontal, vertical = axis_of(places), number_axis(everything, ticks=4, how=number_format)
    left = max(width_of(text) for _, text in vertical.ticks) + 6
    right = max(width_of(shortened(name, _END)) for name in lines) + 28
    return sheet(
        [
            upwards(vertical, _TALL),
            across(horizontal, _TALL, grid=False),
            *_lines(places, lines, horizontal, vertical),
        ],
        _TALL,
        Gutters(left, right, left, right),
        title=title,
        description=description,
        heading=[unit],
        below=28,
    )


def long_tail_chart(
    counts: Any, *, title: str = "", unit: str = "events", things: str = "items"
) -> Markup:
    """Draw popularity: how much the first, the tenth, the thousandth item gets, on log axes.

    A mark shows how many of the most popular items share half of everything.

    Parameters
    ----------
    counts : array-like of numbers, at least 0
        One per item, in any order. Items with nothing, or with a missing or infinite count, have
        no place on a log axis; the chart says how many there are.
    title : str
    unit, things : str
        What is counted, and of what.

    Raises
    ------
    DataError
        If a count is negative or no number.

    Examples
    --------
    >>> svg = long_tail_chart([100, 40, 30, 20, 10, 0], title="Popularity")
    >>> "half of all events: 1 of 5 items (20.0%)" in svg
    True
    """
    sizes = _numbers(counts, "counts")
    if (sizes < 0).any():
        raise DataError(f"counts must be at least 0, got {sizes[sizes < 0][0]:g}.")
    tail = np.sort(sizes[sizes > 0])[::-1]
    none = len(sizes) - len(tail)
    if not len(tail):
        return _empty(title, unit, f"no {things} with {unit}")
    half = int(np.searchsorted(np.cumsum(tail), tail.sum() / 2)) + 1
    story = [f"half of all {unit}: {half:,} of {len(tail):,} {things} ({half / len(tail):.1%})"]
    story += [f"left out, without any: {none:,}"] if none else []
    horizontal = log_axis(1, len(tail))
    vertical = log_axis(10.0 ** np.floor(np.log10(tail[-1])), float(tail[0]))
    ranks = _log_spaced(len(tail))
    x = horizontal.place(half)
    side = "rp-before" if x > 60 else "rp-after"
    drawn = [
        upwards(vertical, _TALL),
        across(horizontal, _TALL, grid=False),
        line(x, 0, x, _TALL, "rp-mark"),
        _line(ranks, tail[ranks - 1], horizontal, vertical, "rp-s0"),
        dot(x, _y(vertical, tail[half - 1]), "rp-s0"),
        words("half of all", x, 10, f"rp-soft {side}"),
        words(f"{things} by rank, most popular first", 100, _TALL + 38, "rp-soft rp-end"),
    ]
    left = max(width_of(text) for _, text in vertical.ticks) + 6
    return sheet(
        drawn,
        _TALL,
        Gutters(left, 16, left, 16),
        title=title,
        description=f"{'; '.join(story)}; from {text_of(tail[0])} down to {text_of(tail[-1])}",
        heading=[*story, unit],
        below=44,
    )


def _interval_row(
    place: int, name: str, text: str, axis: Axis, row: list[float], look: str
) -> Markup:
    value, low, high = row
    y = _PITCH * place + _MIDDLE
    marks: list[object] = []
    if not np.isnan(low + high):
        marks.append(line(axis.place(low), y, axis.place(high), y, "rp-range"))
    if not np.isnan(value):
        marks.append(dot(axis.place(value), y))
    return _row(name, text, y, marks, look, words(text, 100, y, f"rp-right {_weight(look)}"))


def _bar_row(place: int, name: str, text: str, axis: Axis, size: float, look: str) -> Markup:
    y = _PITCH * place + _MIDDLE
    zero = axis.place(0)
    end = zero if np.isnan(size) else axis.place(size)
    bar = element(
        "rect",
        x=f"{min(zero, end):g}%",
        y=f"{y - 6:g}",
        width=f"{abs(end - zero):g}%",
        height="12",
        rx="2",
        class_="rp-bar",
    )
    side = "rp-before" if end < zero else "rp-after"
    return _row(name, text, y, [bar], look, words(text, end, y, f"{side} {_weight(look)}"))


def _row(name: str, text: str, y: float, marks: list[object], look: str, value: Markup) -> Markup:
    label = words(shortened(name), 0, y, f"rp-label {_weight(look)}")
    return element(
        "g", element("title", f"{name}: {text}"), *marks, label, value, class_=look or None
    )


def _rows_sheet(
    rows: list[Markup],
    names: list[str],
    texts: list[str],
    axis: Axis,
    title: str,
    unit: str,
    *,
    right: float,
    right_narrow: float,
    before: float = 0,
    behind: Markup | None = None,
) -> Markup:
    description = _listed(f"{name}: {text}" for name, text in zip(names, texts, strict=True))
    if not rows:
        return _empty(title, unit, description)
    height = _PITCH * len(rows)
    left = max(width_of(shortened(name)) for name in names[:MOST_ROWS]) + 16
    hidden = len(names) - len(rows)
    more = words(f"and {hidden:,} more", 0, height + 40, "rp-soft") if hidden else None
    below = 24 + (20 if more else 0)
    return sheet(
        [across(axis, height), behind, *rows, more],
        height,
        Gutters(left + before, right, 6 + before, right_narrow),
        title=title,
        description=description,
        heading=[unit],
        below=below,
    )


def _baseline(axis: Axis, value: float, name: str, height: float) -> Markup:
    x = axis.place(value)
    return element("g", element("title", name), line(x, -4, x, height, "rp-mark"))


def _lines(
    places: Array, lines: Mapping[str, Array], horizontal: Axis, vertical: Axis
) -> list[Markup]:
    """Return all lines, each with a dot at its end and its name beside it."""
    ends = {name: row for name, values in lines.items() if (row := _last(values)) is not None}
    heights = {name: _y(vertical, lines[name][row]) for name, row in ends.items()}
    beside = _apart(heights)
    drawn = []
    for place, (name, values) in enumerate(lines.items()):
        look = f"rp-s{place % SERIES}{' rp-broken' if place % (2 * SERIES) >= SERIES else ''}"
        drawn.append(_line(places, values, horizontal, vertical, look))
        if name in ends:
            end = horizontal.place(places[ends[name]])
            drawn.append(dot(end, heights[name], look, radius=4))
            drawn.append(leader(heights[name], beside[name], look))
            drawn.append(words(shortened(name, _END), 100, beside[name], "rp-led", name))
    return drawn


def _line(places: Array, values: Array, horizontal: Axis, vertical: Axis, look: str) -> Markup:
    """Return a line on a stretched sheet of its own: paths know no percentages."""
    strokes, lonely = [], []
    for rows in _unbroken(values):
        kept = rows[_thin(values[rows])]
        points = [
            (horizontal.place(places[row]), 100 - vertical.place(values[row])) for row in kept
        ]
        if len(points) == 1:
            lonely.append(dot(points[0][0], points[0][1] * _TALL / 100, look, radius=4))
        else:
            strokes.append("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points))
    path = element("path", d=" ".join(strokes), class_=f"rp-line {look}") if strokes else None
    stretched = element(
        "svg",
        path,
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        width="100%",
        height=_TALL,
        overflow="visible",
    )
    return together([stretched, *lonely])


def _unbroken(values: Array) -> list[Array]:
    """Return the row numbers of each stretch without a gap."""
    there = np.flatnonzero(np.isfinite(values))
    cuts = np.flatnonzero(np.diff(there) > 1) + 1
    return [rows for rows in np.split(there, cuts) if len(rows)]


def _thin(values: Array) -> Array:
    """Return which points to keep: the ends, and of each bucket its lowest and highest."""
    if len(values) <= MOST_POINTS:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), MOST_POINTS // 2 + 1).astype(int)
    kept = [0, len(values) - 1]
    for start, stop in pairwise(edges.tolist()):
        part = values[start:stop]
        kept += [start + int(part.argmin()), start + int(part.argmax())]
    return np.unique(kept)


def _log_spaced(n: int) -> Array:
    """Return ranks from 1 to n, dense at the head and a few hundred in all."""
    return np.unique(np.geomspace(1, n, 400).round().astype(np.int64))


def _apart(heights: Mapping[str, float], least: float = 16) -> dict[str, float]:
    """Move labels as little as it takes until none covers another and all are on the plot."""
    order = sorted(heights, key=lambda name: heights[name])
    # With the distances taken off, "at least so far apart" is "in order".
    steps = least * np.arange(len(order))
    free = isotonic_regression(np.array([heights[name] for name in order]) - steps).x
    room = max(0.0, _TALL - least * (len(order) - 1))
    return dict(zip(order, (free.clip(0, room) + steps).tolist(), strict=True))


def _horizontal(x: Any) -> tuple[Array, Callable[[Array], Axis]]:
    """Return x as numbers, and how its axis is made."""
    column = _column(x)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    numeric = pd.api.types.is_numeric_dtype(column.dtype) or not len(column)
    places = numbers(column, "x") if numeric else to_ms(column, name="x")
    missing = ~np.isfinite(places) if numeric else places == MISSING_TIME
    if missing.any():
        raise DataError(
            f"a line needs every x, got a missing one at place {int(np.argmax(missing))}; "
            "drop that row first."
        )
    return places, tight_axis if numeric else time_axis


def _numbers(values: Any, what: str, expected: int | None = None) -> Array:
    """Return float64 with NaN for what cannot be drawn."""
    column = _column(values)
    array = numbers(column, what) if len(column) else np.empty(0)
    if expected is not None and len(array) != expected:
        raise DataError(f"{what} must be as many as the labels or x: {expected}, got {len(array)}.")
    return np.where(np.abs(array) < _DRAWABLE, array, np.nan)


def _column(values: Any) -> pd.Series:
    if isinstance(values, np.ndarray):
        return pd.Series(np.asarray(values).ravel())  # a matrix of one row, as sums can be
    return pd.Series(values if isinstance(values, (pd.Series, pd.Index)) else list(values))


def _label(wanted: object, names: list[str], what: str) -> str | None:
    if wanted is None or str(wanted) in names:
        return None if wanted is None else str(wanted)
    raise DataError(
        f"{what} must be one of the labels, got {wanted!r}{did_you_mean(wanted, names) or '.'}"
    )


def _look(name: str, chosen: str | None) -> str:
    return "" if chosen is None else "rp-chosen" if name == chosen else "rp-quiet"


def _weight(look: str) -> str:
    return "rp-strong" if look == "rp-chosen" else ""


def _with_interval(write: Callable[[Any], str], value: float, low: float, high: float) -> str:
    return write(value) if np.isnan(low + high) else f"{write(value)} ({write(low)}–{write(high)})"


def _told(name: str, values: Array, how: Format | None) -> str:
    there = values[np.isfinite(values)]
    if not len(there):
        return f"{name}: no points"
    write = number_writer(there, how)
    return (
        f"{name}: {len(there):,} points from {write(there.min())} to {write(there.max())}, "
        f"last {write(there[-1])}"
    )


def _listed(rows: Iterable[str], most: int = 30) -> str:
    told = list(rows)
    more = f"; and {len(told) - most:,} more" if len(told) > most else ""
    return "; ".join(told[:most]) + more


def _last(values: Array) -> int | None:
    there = np.flatnonzero(np.isfinite(values))
    return int(there[-1]) if len(there) else None


def _y(vertical: Axis, value: float) -> float:
    return _TALL * (1 - vertical.place(value) / 100)


def _empty(title: str, unit: str, description: str) -> Markup:
    return sheet(
        [words("nothing to draw", 0, 14, "rp-soft")],
        20,
        Gutters(0, 0, 0, 0),
        title=title,
        description=f"nothing to draw. {description}".strip(),
        heading=[unit],
    )
