"""Tables made ready: what is personal in canonical form, then as keyed hashes, all counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, like, require_columns
from recopersona.data.types import Array, Mask
from recopersona.errors import ColumnError, ParameterError, hint, shown
from recopersona.events.called import PERSONAL_KINDS
from recopersona.events.identity.normalizers import distinct_cells, normalizer_of
from recopersona.events.identity.placeholders import PLACEHOLDERS, Placeholders, placeholders_of
from recopersona.events.identity.plain_texts import Unusable
from recopersona.events.secret import Secret


def hash_personal(
    frame: Any,
    key: bytes | str | Secret,
    kinds: Mapping[str, str | Iterable[str]] | None = None,
    *,
    region: str | None = None,
    placeholders: Mapping[str, Iterable[str]] | None = PLACEHOLDERS,
    report: bool = False,
) -> Any:
    """Replace what is personal in a table by keyed hashes of its canonical form.

    ``Anna@Tea.example`` and ``anna@tea.example`` get one hash, in any table with the same key;
    without the key a hash tells nothing. What is no e-mail, phone, name or address becomes a gap,
    and is counted by reason. Other columns stay as they are.

    Parameters
    ----------
    frame : dataframe
        It is never changed.
    key : bytes or str, at least 16 bytes
        The secret, as of `hash_ids`. It is neither kept nor shown.
    kinds : mapping from kind to column, or to several columns, optional
        Kinds are ``email``, ``phone``, ``name`` and ``address``. By default every column that is
        called so.
    region : str, optional
        Where phone numbers without ``+`` are at home, such as ``"DE"``.
    placeholders : mapping from kind to canonical texts, or None
        Values that many people share, such as ``noreply@``; they become gaps, too. See
        `PLACEHOLDERS`, which is the default; None lets all in.
    report : bool
        Return a `PersonalReport` as well.

    Returns
    -------
    frame, or (frame, PersonalReport)
        Of the caller's kind, the hashes as text.

    Raises
    ------
    ParameterError
        If the key is short or no key, or a kind is none.
    ColumnError
        If a column is missing.
    MissingExtraError
        For phones without ``recopersona[phone]``.
    DataError
        If it is no dataframe.

    Notes
    -----
    The hash is the first 32 hexadecimal digits of HMAC-SHA256 of the canonical text in UTF-8.
    Hash once: the hash of an e-mail is no e-mail. Time per distinct value: 4 µs for an e-mail, 10
    to 25 µs for a name or an address, 35 µs for a phone number.

    Examples
    --------
    >>> people = pd.DataFrame({"email": ["Anna@Tea.shop", "anna@tea.shop ", "tea", None]})
    >>> hashed, report = hash_personal(people, "correct horse battery staple", report=True)
    >>> hashed["email"].tolist()
    ['a4a047e7ef0a25c18fcfe515bea4041e', 'a4a047e7ef0a25c18fcfe515bea4041e', nan, nan]
    >>> report
    PersonalReport: 4 rows
      email  2 hashed, 1 missing, 1 unusable
        malformed  1  not what it should be
    """
    secret = Secret.of(key, "hash_personal")
    table = as_pandas(frame, "the table")
    columns = _personal_columns(table, kinds)
    known = {kind: placeholders_of(placeholders, kind) for kind in columns.values()}
    made = {
        name: hashed(table[name], kind, secret, region=region, placeholders=known[kind])
        for name, kind in columns.items()
    }
    result = like(table.assign(**{name: column.values for name, column in made.items()}), frame)
    if not report:
        return result
    return result, PersonalReport(len(table), {name: each.counts for name, each in made.items()})


@dataclass(frozen=True, eq=False)
class HashedColumn:
    """A column as keyed hashes, and why some of its rows have none.

    values   str (n,), with gaps
    reasons  int8 (n,), the place in `REASONS`; 0 is a hash, 1 a missing value
    """

    values: pd.Series
    reasons: Array

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows by what became of them, hashed and missing ones always."""
        rows = np.bincount(self.reasons, minlength=len(REASONS)).tolist()
        return {word: n for word, n in zip(REASONS, rows, strict=True) if n or word in _ALWAYS}

    def because(self, reason: str) -> Mask:
        """Tell the rows with a reason of `REASONS`."""
        rows: Mask = self.reasons == REASONS.index(reason)
        return rows

    def __repr__(self) -> str:
        return f"HashedColumn({self.counts})"


_ALWAYS = ("hashed", "missing")
REASONS = (*_ALWAYS, *(reason.code for reason in Unusable))
"""What can become of a cell."""

_PLACES: dict[Unusable | None, int] = {
    None: 1, **{reason: place for place, reason in enumerate(Unusable, start=len(_ALWAYS))}
}  # fmt: skip


def hashed(
    column: pd.Series,
    kind: str,
    secret: Secret,
    *,
    region: str | None = None,
    placeholders: Placeholders | None = None,
) -> HashedColumn:
    """Hash a column of a personal kind by the canonical form of its values.

    ``placeholders`` is whatever tells, by ``in``, which canonical forms are no identifiers; by
    default the well-known ones.

    Examples
    --------
    >>> secret = Secret.of("correct horse battery staple", "example")
    >>> hashed(pd.Series(["anna@tea.shop", "noreply@tea.shop"]), "email", secret)
    HashedColumn({'hashed': 1, 'missing': 0, 'placeholder': 1})
    """
    normalizer = normalizer_of(kind, region)
    if placeholders is None:
        placeholders = placeholders_of(PLACEHOLDERS, kind)
    cells = distinct_cells(column)
    hashes: list[str | None] = []
    reasons: list[int] = []
    for text in map(normalizer, cells.values):
        if isinstance(text, str) and text in placeholders:
            text = Unusable.PLACEHOLDER
        hashes.append(secret.hash(text) if isinstance(text, str) else None)
        reasons.append(0 if isinstance(text, str) else _PLACES[text])
    values = pd.array([*hashes, None], dtype="str").take(cells.codes)  # -1 reads the last
    return HashedColumn(
        pd.Series(values, index=column.index, name=column.name),
        np.array([*reasons, 1], dtype=np.int8)[cells.codes],
    )


@dataclass(frozen=True, eq=False)
class PersonalReport:
    """What became of the cells that `hash_personal` was given; it holds counts alone.

    Parameters
    ----------
    rows : int
    columns : mapping from column to mapping from reason to number of rows
        ``hashed``, ``missing``, and the reasons why a value was no identifier.

    Examples
    --------
    >>> PersonalReport(3, {"email": {"hashed": 2, "missing": 0, "several": 1}})
    PersonalReport: 3 rows
      email  2 hashed, 0 missing, 1 unusable
        several  1  more than one e-mail in one cell
    """

    rows: int
    columns: Mapping[str, Mapping[str, int]]

    def to_frame(self) -> pd.DataFrame:
        """Return the counts as a table: ``column``, ``reason``, ``rows``, ``meaning``.

        Examples
        --------
        >>> PersonalReport(1, {"email": {"hashed": 1, "missing": 0}}).to_frame()["rows"].tolist()
        [1, 0]
        """
        lines = [
            (name, reason, rows, _MEANINGS[reason])
            for name, counts in self.columns.items()
            for reason, rows in counts.items()
        ]
        return pd.DataFrame(lines, columns=["column", "reason", "rows", "meaning"])

    def __repr__(self) -> str:
        lines = [f"PersonalReport: {self.rows:,} rows"]
        for name, counts in self.columns.items():
            lines.append(f"  {self._sentence(name, counts)}")
            unusable = {word: n for word, n in counts.items() if word not in _ALWAYS}
            wide = max(map(len, unusable), default=0)
            digits = max((len(f"{n:,}") for n in unusable.values()), default=0)
            lines += [
                f"    {word:<{wide}}  {n:>{digits},}  {_MEANINGS[word]}"
                for word, n in unusable.items()
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><td>{escape(str(name))}</td><td><code>{reason}</code></td>"
            f'<td style="text-align:right">{n:,}</td><td>{escape(meaning)}</td></tr>'
            for name, reason, n, meaning in self.to_frame().itertuples(index=False)
        ]
        head = "<tr><th>column</th><th>reason</th><th>rows</th><th>meaning</th></tr>"
        return f"<p>PersonalReport: {self.rows:,} rows</p><table>{head}{''.join(rows)}</table>"

    def _sentence(self, name: str, counts: Mapping[str, int]) -> str:
        done, gaps = (counts.get(word, 0) for word in _ALWAYS)
        return f"{name}  {done:,} hashed, {gaps:,} missing, {self.rows - done - gaps:,} unusable"


_MEANINGS = {
    "hashed": "a keyed hash of the canonical form",
    "missing": "no value, or a word such as 'null' in its place",
    **{reason.code: reason.value for reason in Unusable},
}


def _personal_columns(table: pd.DataFrame, kinds: Any) -> dict[str, str]:
    """Return the columns to hash and the kind of each, and check that they are there."""
    if kinds is None:
        columns = {kind: kind for kind in PERSONAL_KINDS if kind in table.columns}
        if not columns:
            raise ColumnError(
                "hash_personal: the table has no column 'email', 'phone', 'name' or 'address'; "
                "say which hold them, such as kinds={'email': 'contact'}."
            )
        return columns
    if not isinstance(kinds, Mapping):
        raise ParameterError(
            "hash_personal: kinds must be a mapping from kind to column, such as "
            f"{{'email': 'contact'}}, got a {type(kinds).__name__}."
        )
    columns = {}
    for kind, names in kinds.items():
        if kind not in PERSONAL_KINDS:
            raise ParameterError(
                f"hash_personal: {shown(kind)} is no personal kind{hint(kind, PERSONAL_KINDS)}"
            )
        if not isinstance(names, Iterable):
            raise ParameterError(
                f"hash_personal: the columns of {kind} must be a name or a list of names, "
                f"got a {type(names).__name__}."
            )
        for name in [names] if isinstance(names, str) else names:
            if columns.setdefault(name, kind) != kind:
                raise ParameterError(
                    f"hash_personal: the column {shown(name)} cannot be both "
                    f"{columns[name]} and {kind}."
                )
    require_columns(table[:0], columns, "the table")
    return columns
