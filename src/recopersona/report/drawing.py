"""The sheet a chart is drawn on: its frame, its words and its gutters, as one SVG.

Across, places are percentages of the plot; down, they are pixels from the top of the plot. The
words around the plot stand in gutters, which are the padding of the SVG: they keep their size
while the plot takes what width is left. Only a page has padding; a file of its own would cut the
words off.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

from recopersona.report.axes import Axis
from recopersona.report.markup import Markup, element, together
from recopersona.report.style import CHART_STYLE

_LINE = 18
_WRAP, _SOFT_WRAP = 46, 52  # signs that fit on a phone
_PHONE = 160  # pixels of ticks for which the narrowest plot has room


@dataclass(frozen=True)
class Gutters:
    """Room for words left and right of the plot, in pixels, on wide and on narrow screens."""

    left: float
    right: float
    left_narrow: float
    right_narrow: float


def sheet(
    parts: Iterable[object],
    height: float,
    gutters: Gutters,
    *,
    title: str,
    description: str,
    heading: Sequence[str] = (),
    below: float = 0,
) -> Markup:
    """Return the parts as one SVG with its title, description and style.

    Parameters
    ----------
    parts : iterable of markup
        What is drawn in the plot.
    height, below : float
        Pixels of the plot, and of what stands under it.
    title : str
        Drawn at the top and read out; without one only ``description`` is.
    heading : sequence of str
        Softer lines under the title.
    """
    lines = [(text, "rp-head rp-title") for text in textwrap.wrap(title, _WRAP)]
    for long in heading:
        lines += [(text, "rp-head rp-soft") for text in textwrap.wrap(long, _SOFT_WRAP)]
    top = len(lines) * _LINE + (12 if lines else 10)
    head = [
        element("text", text, x=0, y=place * _LINE + 14 - top, class_=look)
        for place, (text, look) in enumerate(lines)
    ]
    sides = {
        "top": top,
        "bottom": below + 4,
        "left": gutters.left,
        "right": gutters.right,
        "left-narrow": gutters.left_narrow,
        "right-narrow": gutters.right_narrow,
    }
    return element(
        "svg",
        element("title", title or "Chart"),
        element("desc", description),
        element("style", CHART_STYLE),
        *head,
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        role="img",
        class_="rp-chart",
        width="100%",
        height=f"{top + height + below + 4:g}",
        style=";".join(f"--rp-{side}:{size:g}px" for side, size in sides.items()),
    )


def line(x1: float, y1: float, x2: float, y2: float, look: str) -> Markup:
    """Return a line; x in percent, y in pixels."""
    return element("line", x1=f"{x1:g}%", y1=f"{y1:g}", x2=f"{x2:g}%", y2=f"{y2:g}", class_=look)


def dot(x: float, y: float, look: str = "", radius: float = 5) -> Markup:
    """Return a round mark; x in percent, y in pixels."""
    return element("circle", cx=f"{x:g}%", cy=f"{y:g}", r=f"{radius:g}", class_=f"rp-dot {look}")


def leader(start: float, end: float, look: str) -> Markup:
    """Return a short stroke right of the plot, from a line's end to its label."""
    path = element("path", d=f"M7 {start:.1f}L15 {end:.1f}", class_=f"rp-line {look}")
    return element("svg", path, x="100%", overflow="visible")


def words(text: object, x: float, y: float, look: str, full: str | None = None) -> Markup:
    """Return a text; x in percent, y in pixels; ``full`` appears when one points at it."""
    hint = None if full is None or full == text else element("title", full)
    return element("text", text, hint, x=f"{x:g}%", y=f"{y:g}", class_=look)


def across(axis: Axis, height: float, *, grid: bool = True) -> Markup:
    """Return the ticks of an axis under the plot; where it is narrow, every other one of many."""
    parts = []
    crowded = sum(width_of(text) + 12 for _, text in axis.ticks) > _PHONE
    for place, (value, text) in enumerate(axis.ticks):
        x = axis.place(value)
        look = "rp-axis" if grid and value == 0 and not axis.log else "rp-grid"
        parts.append(line(x, 0 if grid else height, x, height + 5, look))
        narrow = "rp-wide" if place % 2 and crowded else ""
        parts.append(words(text, x, height + 19, f"rp-soft rp-middle {narrow}".rstrip()))
    return together(parts)


def upwards(axis: Axis, height: float) -> Markup:
    """Return the ticks of an axis left of the plot, with lines across."""
    parts = []
    for value, text in axis.ticks:
        y = height * (1 - axis.place(value) / 100)
        base = value == axis.low if axis.log else value == 0
        parts.append(line(0, y, 100, y, "rp-axis" if base else "rp-grid"))
        parts.append(words(text, 0, y, "rp-soft rp-before"))
    return together(parts)


def width_of(text: str) -> float:
    """Return about how many pixels a text takes, on the wide side.

    Examples
    --------
    >>> width_of("tea"), width_of("茶")
    (22.5, 13.0)
    """
    return sum(13.0 if east_asian_width(sign) in "WF" else 7.5 for sign in text)


def shortened(text: str, most: int = 30) -> str:
    """Return a text of at most so many signs; a longer one ends in an ellipsis.

    Examples
    --------
    >>> shortened("WHITE HANGING HEART T-LIGHT HOLDER", 20)
    'WHITE HANGING HEART…'
    """
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"
