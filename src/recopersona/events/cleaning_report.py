"""What cleaning did to a log, and why: every reason, every repair, every row accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from recopersona.errors import DataError

REASONS: Mapping[str, str] = {
    "missing_user": "no user_id, or a word such as 'null' in its place",
    "missing_item": "no item_id, or a word such as 'null' in its place",
    "not_an_item": "the item_id does not match item_pattern",
    "missing_event": "the kind of event is empty",
    "unknown_event": "not a kind of event, nor a known synonym",
    "missing_timestamp": "no time",
    "unreadable_timestamp": "what is written is no time",
    "timestamp_out_of_range": "before 1980, or a number that is no time in any unit",
    "future_timestamp": "more than a day ahead of the clock",
    "unreadable_quantity": "not a finite number",
    "absurd_quantity": "beyond a billion",
    "zero_quantity": "nothing was put in a cart, bought or returned",
    "negative_quantity": "below 0, and neither a purchase nor a return",
    "unreadable_price": "not a finite number",
    "absurd_price": "beyond ten billion",
    "negative_price": "below 0",
    "unreadable_weight": "not a finite number",
    "absurd_weight": "beyond a trillion",
    "negative_weight": "below 0",
    "missing_weight": "NaN or empty",
    "duplicate": "repeats an earlier row",
}
"""Why a row is quarantined, in the order of examination: the first reason that applies counts."""

REPAIRS: Mapping[str, str] = {
    "id_spaces": "spaces around an id taken off",
    "event_name": "another spelling or a synonym of a kind of event",
    "time_unit": "a number in another unit than most brought to the same one",
    "cancellation": "a negative quantity became a return of a positive one",
    "missing_quantity": "a purchase or return without a quantity counts as one piece",
    "blank_quantity": "a quantity of 0 where nothing changes hands blanked",
}
"""What is repaired; only rows that stay in the log count."""


@dataclass(frozen=True, eq=False)
class CleaningReport:
    """What `clean` repaired and what it set aside.

    Parameters
    ----------
    rows_in, rows_out : int
    repaired : mapping from repair to number of rows
        Among the rows that stayed; a row may be repaired in several ways. See `REPAIRS`.
    quarantined : mapping from reason to number of rows
        Each row counts once, for its first reason. See `REASONS`.
    quarantined_rows : dataframe
        The rows set aside, as they came, with a column ``reason``; of the caller's kind.

    Raises
    ------
    DataError
        If rows in are not rows out plus rows quarantined.

    Examples
    --------
    >>> CleaningReport(3, 2, {"id_spaces": 1}, {"missing_user": 1}, pd.DataFrame())
    CleaningReport: 3 rows in, 2 out, 1 quarantined
      repaired     id_spaces     1  spaces around an id taken off
      quarantined  missing_user  1  no user_id, or a word such as 'null' in its place
    """

    rows_in: int
    rows_out: int
    repaired: Mapping[str, int]
    quarantined: Mapping[str, int]
    quarantined_rows: Any

    def __post_init__(self) -> None:
        set_aside = sum(self.quarantined.values())
        if self.rows_in != self.rows_out + set_aside:
            raise DataError(
                f"a cleaning report must account for every row: {self.rows_in} in, but "
                f"{self.rows_out} out and {set_aside} quarantined."
            )

    def to_frame(self) -> pd.DataFrame:
        """Return the counts as a table: ``action``, ``reason``, ``rows``, ``meaning``.

        Examples
        --------
        >>> CleaningReport(1, 0, {}, {"missing_item": 1}, pd.DataFrame()).to_frame()["reason"][0]
        'missing_item'
        """
        lines = [("repaired", code, n, REPAIRS[code]) for code, n in self.repaired.items()]
        lines += [("quarantined", code, n, REASONS[code]) for code, n in self.quarantined.items()]
        return pd.DataFrame(lines, columns=["action", "reason", "rows", "meaning"])

    def __repr__(self) -> str:
        table = self.to_frame()
        wide = max(map(len, table["reason"]), default=0)
        digits = max((len(f"{rows:,}") for rows in table["rows"]), default=0)
        lines = [
            f"  {action:<11}  {reason:<{wide}}  {rows:>{digits},}  {meaning}"
            for action, reason, rows, meaning in table.itertuples(index=False)
        ]
        return "\n".join([self._headline(), *lines])

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><td>{action}</td><td><code>{escape(reason)}</code></td>"
            f'<td style="text-align:right">{rows:,}</td><td>{escape(meaning)}</td></tr>'
            for action, reason, rows, meaning in self.to_frame().itertuples(index=False)
        ]
        head = "<tr><th></th><th>reason</th><th>rows</th><th>meaning</th></tr>"
        return f"<p>{escape(self._headline())}</p><table>{head}{''.join(rows)}</table>"

    def _headline(self) -> str:
        set_aside = self.rows_in - self.rows_out
        return (
            f"CleaningReport: {self.rows_in:,} rows in, {self.rows_out:,} out, "
            f"{set_aside:,} quarantined"
        )
