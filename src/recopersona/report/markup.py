"""Text in a page: whatever is not marked as markup is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

# What XML 1.0 has no place for; a browser would stop reading an SVG there.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Markup(str):
    """A string that is markup already: `element` takes it as it is.

    Everything this package returns as markup was built by `element`, so every text in it has been
    escaped. Cutting or adding to it gives a plain string, which is escaped again. Wrap a string of
    your own only if you vouch for it.

    Examples
    --------
    >>> element("p", "2 < 3 ", Markup("<b>indeed</b>"))
    '<p>2 &lt; 3 <b>indeed</b></p>'
    """

    __slots__ = ()


def element(name: str, *children: object, **attributes: object) -> Markup:
    """Return an element with its children; text and attributes are escaped.

    Parameters
    ----------
    name : str
        The tag; never taken from data.
    *children : object
        `Markup` goes in as it is, None not at all, everything else as escaped text.
    **attributes : object
        ``stroke_width`` becomes ``stroke-width``, ``class_`` becomes ``class``; None is left out.

    Examples
    --------
    >>> element("td", "tea & honey", class_="best", title='"fine"')
    '<td class="best" title="&quot;fine&quot;">tea &amp; honey</td>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{safe(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{together(children)}</{name}>")


def together(parts: Iterable[object]) -> Markup:
    """Return the parts one after the other, with everything escaped that is not markup.

    Examples
    --------
    >>> together([Markup("<br>"), "<br>", None])
    '<br>&lt;br&gt;'
    """
    return Markup(
        "".join(
            part if isinstance(part, Markup) else safe(part) for part in parts if part is not None
        )
    )


def safe(value: object) -> str:
    """Return text fit for any place in HTML and SVG, between tags or between quotes.

    Examples
    --------
    >>> safe("5' <b>")
    '5&#x27; &lt;b&gt;'
    """
    return escape(_UNPRINTABLE.sub("�", str(value)), quote=True)
