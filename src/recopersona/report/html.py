"""A report: one HTML file with words, tables and charts that opens offline.

The page holds its style and its charts, no script, and asks the network for nothing; its content
security policy forbids both, should anything ever slip in. It follows the reader's light or dark
setting, fits a phone and prints.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recopersona.errors import DataError
from recopersona.report.markup import Markup, element, together
from recopersona.report.numerals import Format, text_of
from recopersona.report.style import PAGE_STYLE
from recopersona.report.tables import Highlight, left_out, table

_ALLOWED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_LONG = 25


class Report:
    """A page that is filled from top to bottom and then written.

    Every method that adds something returns the report, and every text is escaped.

    Parameters
    ----------
    title : str
    subtitle : str

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.report.charts import bar_chart
    >>> scores = pd.DataFrame({"model": ["ALS", "Popularity"], "ndcg": [0.182, 0.07]})
    >>> report = Report("The shop last week", "Online Retail, 541,909 events")
    >>> page = (
    ...     report.section("Quality", "Measured on the last week.")
    ...     .table(scores, caption="NDCG@10 per model", highlight="ndcg")
    ...     .chart(bar_chart(scores["model"], scores["ndcg"]), caption="The same, drawn")
    ...     .note("Customers without a purchase before that week are left out.")
    ... )
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     page.write(Path(folder) / "report.html").name
    'report.html'
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self.title = title
        self.subtitle = subtitle
        self._parts: list[Markup] = []
        self._sections: list[str] = []

    def section(self, title: str, text: str = "") -> Report:
        r"""Begin a section; an empty line in the text begins a new paragraph.

        Examples
        --------
        >>> "<p>Two.</p>" in Report("A").section("B", "One.\n\nTwo.").to_html()
        True
        """
        self._sections.append(title)
        self._parts.append(element("h2", title, id=f"section-{len(self._sections)}"))
        self._parts.extend(_paragraphs(text))
        return self

    def table(
        self,
        frame: Any,
        caption: str = "",
        highlight: Highlight = None,
        formats: Mapping[str, Format] | None = None,
    ) -> Report:
        """Add a frame as a table.

        Numbers of one column get the same decimals and stand right; numbers that are names (a
        column such as ``customer_id``, ``InvoiceNo`` or ``year``) stay as they are. An index with
        a name, or with other labels than numbers, comes first. After 500 rows the rest is
        counted instead of shown.

        Parameters
        ----------
        frame : dataframe
            pandas, polars or Arrow.
        caption : str
        highlight : str, list of str, or mapping of str to "max" or "min", optional
            Columns whose best value stands out; the highest, if nothing else is said.
        formats : mapping of str to str or callable, optional
            Per column, a format specification such as ``".1%"`` or a function from value to text.

        Raises
        ------
        ColumnError
            If ``highlight`` or ``formats`` names no column.
        DataError
            If it is no dataframe, or a format does not suit a value.

        Examples
        --------
        >>> import pandas as pd
        >>> scores = pd.DataFrame({"ndcg": [0.18, 0.07], "fit_s": [4.2, 0.1]}, ["ALS", "Popular"])
        >>> best = {"ndcg": "max", "fit_s": "min"}
        >>> page = Report("A").table(scores, highlight=best, formats={"fit_s": ".1f"}).to_html()
        >>> '<td class="num best">0.1</td>' in page
        True
        """
        rows = table(frame, highlight, formats)
        hidden = left_out(frame)
        more = element("p", f"and {hidden:,} more rows", class_="more") if hidden else None
        # A wide table is scrolled by itself, with the keyboard too.
        scroll = element(
            "div", rows, class_="scroll", tabindex=0, role="region", aria_label=caption or "Table"
        )
        long = "long" if rows.count("<tr>") > _LONG else None
        self._parts.append(element("figure", _caption(caption), scroll, more, class_=long))
        return self

    def chart(self, svg: str, caption: str = "") -> Report:
        """Add a chart made by `recopersona.report.charts`.

        Raises
        ------
        DataError
            If it is another string: what is not known to be escaped does not get into the page.

        Examples
        --------
        >>> from recopersona.report.charts import bar_chart
        >>> "<svg" in Report("A").chart(bar_chart(["tea"], [3])).to_html()
        True
        """
        if not isinstance(svg, Markup) or not svg.startswith("<svg"):
            raise DataError(
                "a chart must be what a function of recopersona.report.charts returns, "
                f"such as bar_chart(labels, values); got {type(svg).__name__} {str(svg)[:40]!r}."
            )
        self._parts.append(element("figure", svg, _caption(caption)))
        return self

    def facts(self, facts: Mapping[str, object]) -> Report:
        """Add a few figures in large type, each over what it counts.

        Parameters
        ----------
        facts : mapping from name to value
            Numbers are written with thousands separated; text stays as it is.

        Examples
        --------
        >>> "<dd>541,909</dd>" in Report("A").facts({"events": 541909}).to_html()
        True
        """
        tiles = (
            element("div", element("dt", name), element("dd", text_of(value)))
            for name, value in facts.items()
        )
        self._parts.append(element("dl", *tiles, class_="facts"))
        return self

    def note(self, text: str) -> Report:
        """Add a remark that stands out; an empty line begins a new paragraph.

        Examples
        --------
        >>> "one of five" in Report("A").note("Only one of five visitors came back.").to_html()
        True
        """
        self._parts.append(element("aside", *_paragraphs(text), class_="note"))
        return self

    def to_html(self) -> str:
        """Return the whole page as text; the same content is the same text.

        Examples
        --------
        >>> Report("Tea & honey").to_html().startswith("<!doctype html>")
        True
        """
        head = element(
            "head",
            Markup('<meta charset="utf-8">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{_ALLOWED}">'),
            Markup('<meta name="color-scheme" content="light dark">'),
            Markup('<link rel="icon" href="data:,">'),
            element("title", self.title),
            element("style", PAGE_STYLE),
        )
        lead = element("p", self.subtitle, class_="lead") if self.subtitle else None
        header = element("header", element("h1", self.title), lead, self._contents())
        body = element("body", element("main", header, Markup("\n"), *self._parts))
        return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file, all or nothing, and return its path.

        Folders on the way are made; a file that is there is replaced in one step.

        Raises
        ------
        DataError
            If the path is a folder.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Report("The shop").write(f"{folder}/report.html").stat().st_size > 1000
        True
        """
        target = Path(path)
        if target.is_dir():
            raise DataError(
                f"a report is written to a file, got the folder {str(target)!r}; "
                f"try {str(target / 'report.html')!r}."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                file.write(self.to_html())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return target

    def _contents(self) -> Markup | None:
        if len(self._sections) < 3:
            return None
        links = (
            element("li", element("a", title, href=f"#section-{place}"))
            for place, title in enumerate(self._sections, start=1)
        )
        return element("nav", element("ol", together(links)), aria_label="Contents")


def _paragraphs(text: str) -> list[Markup]:
    return [element("p", part.strip()) for part in text.split("\n\n") if part.strip()]


def _caption(text: str) -> Markup | None:
    return element("figcaption", text) if text else None
