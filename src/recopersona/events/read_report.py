"""What reading a log set aside before there was a row to clean, and why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

BROKEN: dict[str, str] = {
    "no_json": "a line that is no JSON",
    "no_object": "a line of JSON that is no object",
    "bad_encoding": "a line of JSON that is not in UTF-8",
    "nul_byte": "a line that holds a NUL byte",
    "too_many_cells": "a line with more cells than the header",
    "broken_quotes": "a quote that is not closed",
    "broken_cell": "a cell that should hold a record, and does not",
}
"""Why a line is broken: there is no row that `clean` could judge."""

SHOWN_LINES = 10_000
SHOWN_CHARACTERS = 1_000


class ReadReport:
    """What `read_events` read and what it set aside.

    Of a log read in pieces, the report grows as the pieces are taken and is complete after the
    last.

    Attributes
    ----------
    rows_in : int
        Rows of the log, broken ones included.
    rows_out : int
        Rows of events: a row that names several items has become several.
    broken : mapping from reason to number of rows
        Rows set aside. See `BROKEN`.
    replaced_bytes : int
        Bytes of CSV files in no known encoding, which became ``U+FFFD``; their rows stay.
    refused : int
        Rows of events that the gate refused, such as those of visitors without consent.
    without_user, without_item : int
        Rows of events that name no user or no item, which `clean` will look at.

    Examples
    --------
    >>> report = ReadReport()
    >>> report.set_aside("no_json", '{"user_id": "an', line=7)
    >>> report
    ReadReport: 0 rows in, 0 rows of events out, 1 broken
      broken  no_json  1  a line that is no JSON
    >>> report.broken_lines()["line"].tolist()
    [7]
    """

    def __init__(self) -> None:
        self.rows_in = 0
        self.rows_out = 0
        self.broken: Counter[str] = Counter()
        self.replaced_bytes = 0
        self.refused = 0
        self.without_user = 0
        self.without_item = 0
        self._lines: list[tuple[str | None, int, str, str]] = []

    def set_aside(
        self, reason: str, text: str | bytes, line: int, file: Path | None = None
    ) -> None:
        """Count a broken row and keep what is written there.

        Parameters
        ----------
        reason : str
            One of `BROKEN`.
        text : str or bytes
            Its beginning is kept.
        line : int
            Its number in the file, from 1; in a frame, the number of the row, from 0.
        """
        self.broken[reason] += 1
        if len(self._lines) < SHOWN_LINES:
            shown = text[:SHOWN_CHARACTERS]
            shown = shown.decode("utf-8", "backslashreplace") if isinstance(shown, bytes) else shown
            self._lines.append((None if file is None else str(file), line, reason, shown))

    def count_events(self, events: pd.DataFrame) -> None:
        """Count the rows of a piece that goes out."""
        self.rows_out += len(events)
        self.without_item += int(events["item_id"].isna().sum()) if "item_id" in events else 0
        self.without_user += int(events["user_id"].isna().sum()) if "user_id" in events else 0

    def broken_lines(self) -> pd.DataFrame:
        """Return the first ten thousand broken rows: ``file``, ``line``, ``reason``, ``text``."""
        return pd.DataFrame(self._lines, columns=["file", "line", "reason", "text"])

    def __repr__(self) -> str:
        head = (
            f"ReadReport: {self.rows_in:,} rows in, {self.rows_out:,} rows of events out, "
            f"{self.broken.total():,} broken"
        )
        counted = [("broken", reason, n, BROKEN[reason]) for reason, n in self.broken.items()]
        others = (
            ("read", "replaced_bytes", self.replaced_bytes, "bytes in no known encoding"),
            ("gate", "refused", self.refused, "rows of events that may not be stored"),
            ("read", "without_user", self.without_user, "rows of events that name no user"),
            ("read", "without_item", self.without_item, "rows of events that name no item"),
        )
        counted += [line for line in others if line[2]]
        wide = max((len(reason) for _, reason, _, _ in counted), default=0)
        digits = max((len(f"{n:,}") for _, _, n, _ in counted), default=0)
        lines = [
            f"  {action:<6}  {reason:<{wide}}  {n:>{digits},}  {meaning}"
            for action, reason, n, meaning in counted
        ]
        return "\n".join([head, *lines])
