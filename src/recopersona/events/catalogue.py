"""Reading a catalogue: schema.org's products in JSON-LD, or a plain table."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, like, require_columns
from recopersona.data.feature_table import RESERVED_KINDS
from recopersona.errors import ColumnError, DataError, ParameterError, hint
from recopersona.events.clocks import parse_texts
from recopersona.events.distinct import Distinct
from recopersona.events.files import LogFiles, find_files
from recopersona.events.files.finding import is_compressed, opened
from recopersona.events.json_ld import (
    is_availability,
    item_of,
    parsed_price,
    products_in,
)
from recopersona.events.read_report import BROKEN, ReadReport
from recopersona.events.schemas.records import Record, json_of, text_of, texts

logger = logging.getLogger(__name__)

NOTED: Mapping[str, str] = {
    **BROKEN,
    "no_product": "a document or a row of JSON-LD in which there is no product",
    "missing_item": "a product or a row without an id",
    "repeated_item": "an item that is there again, and says something else: the last one counts",
    "unreadable_price": "a price that is no number, blanked",
    "unreadable_stock": "a stock that is no number, blanked",
    "unreadable_margin": "a margin that is no number, blanked",
    "unreadable_time": "a time that is none, blanked",
    "unknown_availability": "a word for availability that schema.org does not have",
}
"""What is counted; all but the last and repeated items raise without ``report=True``."""

_HARMLESS = ("no_product", "repeated_item", "unknown_availability")
_NOTES_KEPT = 10_000
_DOCUMENTS = (".json", ".jsonld")
_PAGES = (".html", ".htm")
_SCRIPT = re.compile(r"<script\b([^>]*)>", re.IGNORECASE)
_END = re.compile(r"</script", re.IGNORECASE)
_WRAPPING = re.compile(r"^\s*(?://)?\s*(?:<!--|<!\[CDATA\[)|(?://)?\s*(?:-->|\]\]>)\s*$")


class CatalogueReport:
    """What `read_catalogue` found, and what it could not use.

    Attributes
    ----------
    items : int
        Items of the catalogue.
    counts : mapping from reason to number
        See `NOTED`.

    Examples
    --------
    >>> report = CatalogueReport()
    >>> report.note("missing_item", "Green tea", "row 3")
    >>> report
    CatalogueReport: 0 items
      missing_item  1  a product or a row without an id
    >>> report.notes()["text"].tolist()
    ['Green tea']
    """

    def __init__(self) -> None:
        self.items = 0
        self.counts: Counter[str] = Counter()
        self._notes: list[tuple[str, str, str]] = []

    def note(self, reason: str, value: Any, where: str) -> None:
        """Count something, and keep what it was."""
        self.counts[reason] += 1
        if len(self._notes) < _NOTES_KEPT:
            self._notes.append((reason, where, str(value)[:1_000]))

    def notes(self) -> pd.DataFrame:
        """Return the first ten thousand things: ``reason``, ``where``, ``text``."""
        return pd.DataFrame(self._notes, columns=["reason", "where", "text"])

    def refuse(self) -> None:
        """Raise for the first thing that loses something.

        Raises
        ------
        DataError
            If there is any.
        """
        worst = next((note for note in self._notes if note[0] not in _HARMLESS), None)
        if worst is not None:
            reason, where, text = worst
            raise DataError(
                f"{where} holds {NOTED[reason]}: {text[:100]!r}; "
                "read_catalogue(..., report=True) sets it aside and counts it."
            )

    def __repr__(self) -> str:
        wide = max(map(len, self.counts), default=0)
        lines = [f"  {name:<{wide}}  {n:,}  {NOTED[name]}" for name, n in self.counts.items()]
        return "\n".join([f"CatalogueReport: {self.items:,} items", *lines])


def read_catalogue(
    source: Any, *, columns: Mapping[str, str] | None = None, report: bool = False
) -> Any:
    """Read what a shop sells: one row per item, as `Dataset.from_frames` takes it for ``items``.

    Of JSON-LD, every ``Product`` is read wherever it stands (``@graph``, lists, pages), and every
    variant of a ``ProductGroup``, which knows what its group says. The id is the ``sku``, else the
    ``productID``, a ``gtin`` or the ``mpn``. Of several offers the cheapest that can be bought
    counts; ``stock`` is its inventory level, else 1 or 0 by its availability.

    Parameters
    ----------
    source : path or glob, dataframe, dict, or iterable of dicts
        ``.json`` and ``.jsonld`` hold JSON-LD, ``.html`` pages hold it in scripts; ``.jsonl``,
        ``.ndjson``, ``.csv`` and ``.parquet`` are tables, or JSON-LD by the line.
    columns : mapping, optional
        Our column to yours (a table's column, or a property of schema.org), such as
        ``{"item_id": "productID"}``. Columns that are not named keep their names.
    report : bool
        Set aside what cannot be used, blank what cannot be read, and return a report of both.
        Otherwise the first such thing raises.

    Returns
    -------
    items; with ``report``, a pair with the `CatalogueReport`
        ``item_id``, the reserved columns ``price``, ``stock``, ``brand``, ``category``,
        ``product_group``, ``created_at``, ``available_from``, ``available_until`` where they are
        known, and others. Each id once; the last row of an item counts. Of the caller's kind for
        frames, else pandas. Ids of JSON-LD are text.

    Raises
    ------
    ColumnError
        If a table has no ``item_id``, or ``columns`` names what is not there.
    DataError
        If the source cannot be read or holds no item at all; without ``report`` also for whatever
        would be set aside or blanked.
    ParameterError
        If ``columns`` is no mapping.

    Examples
    --------
    >>> tea = {"@type": "Product", "sku": "tea", "name": "Green tea", "brand": "Leaf",
    ...        "offers": {"@type": "Offer", "price": "3.50", "priceCurrency": "EUR",
    ...                   "availability": "https://schema.org/InStock"}}
    >>> read_catalogue([tea])[["item_id", "brand", "price", "currency", "stock"]]
      item_id brand  price currency  stock
    0     tea  Leaf    3.5      EUR    1.0
    >>> items, told = read_catalogue([tea, {"@type": "Product", "name": "Salt"}], report=True)
    >>> told
    CatalogueReport: 1 items
      missing_item  1  a product or a row without an id
    """
    if columns is not None and not isinstance(columns, Mapping):
        raise ParameterError(
            f"columns must map our names to yours, such as {{'item_id': 'sku'}}, got {columns!r}."
        )
    told = CatalogueReport()
    columns = dict(columns or {})
    items = _items(source, columns, told)
    if not report:
        told.refuse()
    if not len(items):
        raise DataError(f"the catalogue holds no item; {told!r}")
    told.items = len(items)
    if told.counts:
        logger.info("%r", told)
    catalogue = like(items, source) if _is_frame(source) else items
    return (catalogue, told) if report else catalogue


def _is_frame(value: Any) -> bool:
    try:
        nw.from_native(value)
    except TypeError:
        return isinstance(value, pd.DataFrame)
    except nw.exceptions.DuplicateError:
        return True
    return True


def _items(source: Any, columns: dict[str, str], told: CatalogueReport) -> pd.DataFrame:
    if isinstance(source, (str, Path)):
        return _from_files(find_files(source), columns, told)
    if _is_frame(source):
        return _of_table(as_pandas(source, "the catalogue").reset_index(drop=True), columns, told)
    if isinstance(source, Mapping):
        source = [source]
    if isinstance(source, Iterable) and not isinstance(source, bytes | pd.Series):
        documents = ((f"document {n}", document) for n, document in enumerate(source))
        return _of_documents(documents, columns, told)
    raise DataError(
        "a catalogue is read from a path, a dataframe or dicts of JSON-LD, "
        f"got {type(source).__name__}."
    )


# JSON-LD ------------------------------------------------------------------------------------------


def _from_files(files: list[Path], columns: dict[str, str], told: CatalogueReport) -> pd.DataFrame:
    kinds = {_kind(file) for file in files}
    if kinds <= {*_DOCUMENTS, *_PAGES}:
        documents = (document for file in files for document in _documents(file, told))
        return _of_documents(documents, columns, told)
    if kinds & {*_DOCUMENTS, *_PAGES}:
        raise DataError(
            f"expected files of one kind, got {' and '.join(sorted(kinds))}; read them apart."
        )
    lines = ReadReport()
    table = next(LogFiles(files, None, lines, strict=False).frames({"item_id"} | set(columns)))
    for _, line in lines.broken_lines().iterrows():
        told.note(line["reason"], line["text"], f"line {line['line']} of {line['file']}")
    rows: list[Any] = table.to_dict("records") if {"@type", "@graph"} & set(table.columns) else []
    if rows:
        documents = ((f"row {n}", _without_gaps(row)) for n, row in enumerate(rows))
        return _of_documents(documents, columns, told)
    return _of_table(table, columns, told)


def _kind(file: Path) -> str:
    return Path(file.name.lower().removesuffix(".gz" if is_compressed(file) else "")).suffix


def _without_gaps(row: Record) -> Record:
    return {name: value for name, value in row.items() if value is not None and value == value}


def _documents(file: Path, told: CatalogueReport) -> Iterator[tuple[str, Any]]:
    """Read the JSON-LD of a file: all of it, or the scripts of a page."""
    with opened(file) as handle:
        content = handle.read()
    if _kind(file) in _PAGES:
        text = content.decode("utf-8-sig", errors="replace")
        parts: list[tuple[str, str | bytes]] = [
            (f"script {n} of {file}", script) for n, script in enumerate(_scripts(text), start=1)
        ]
    else:
        parts = [(str(file), content)]
    for where, part in parts:
        try:
            yield where, json_of(part)
        except (ValueError, RecursionError) as problem:
            is_bytes = isinstance(problem, UnicodeDecodeError)
            told.note("bad_encoding" if is_bytes else "no_json", part[:200], where)


def _scripts(page: str) -> Iterator[str]:
    """Return what stands in a page's scripts of JSON-LD."""
    for tag in _SCRIPT.finditer(page):
        end = _END.search(page, tag.end())
        if end is None:
            return
        if "application/ld+json" in tag[1].lower():
            script = page[tag.end() : end.start()]
            yield _WRAPPING.sub("", script) if script.lstrip()[:1] in "/<" else script


def _of_documents(
    documents: Iterable[tuple[str, Any]], columns: dict[str, str], told: CatalogueReport
) -> pd.DataFrame:
    rows: list[Record] = []
    for where, document in documents:
        if not isinstance(document, dict | list):
            told.note("no_object", document, where)
            continue
        products = list(products_in(document))
        if not products:
            told.note("no_product", _shown(document), where)
        for product in products:
            own = {ours: text_of(product.get(theirs)) for ours, theirs in columns.items()}
            item = item_of(product) | own
            if item["item_id"] is None:
                told.note("missing_item", item["name"] or _shown(product), where)
            else:
                rows.append(item)
            word = item["availability"]
            if word is not None and not is_availability(word):
                told.note("unknown_availability", word, where)
    if not rows:
        return pd.DataFrame({"item_id": []})
    names = list(rows[0])
    table = pd.DataFrame({name: _column([row[name] for row in rows]) for name in names})
    empty = [name for name in table.columns if table[name].isna().all()]
    return _of_table(table.drop(columns=empty), {}, told)


def _column(values: list[Any]) -> pd.Series:
    is_text = all(value is None or isinstance(value, str) for value in values)
    return texts(values) if is_text else pd.Series(values, dtype=object)


def _shown(value: Any) -> str:
    return json.dumps(value, default=str, skipkeys=True)[:200]


# Tables -------------------------------------------------------------------------------------------


def _of_table(
    table: pd.DataFrame, columns: Mapping[str, str], told: CatalogueReport
) -> pd.DataFrame:
    names = [str(name) for name in table.columns]
    for ours, theirs in columns.items():
        if theirs not in names:
            raise ColumnError(
                f"columns reads {ours!r} from {theirs!r}, which the catalogue lacks"
                f"{hint(theirs, names, 'its columns are')}"
            )
    ours_of = {theirs: ours for ours, theirs in columns.items()}
    items = table.set_axis([ours_of.get(name, name) for name in names], axis=1)
    if "item_id" not in items:
        raise ColumnError(
            f"the catalogue needs a column 'item_id'{hint('item_id', names, 'its columns are')} "
            f"Name yours, such as columns={{'item_id': {next(iter(names), 'sku')!r}}}."
        )
    require_columns(items, items.columns[items.columns.duplicated()], "items")
    items = _one_row_each(_with_ids(items, told), told)
    numbers = {
        name: _numbers(items[name], name, told)
        for name, kind in RESERVED_KINDS.items()
        if kind == "number" and name in items
    }
    times = {
        name: _times(items[name], name, told)
        for name, kind in RESERVED_KINDS.items()
        if kind == "time" and name in items
    }
    if "price" in items and "currency" not in items:
        numbers |= _currencies(items["price"])
    return items.assign(**numbers, **times)


def _with_ids(items: pd.DataFrame, told: CatalogueReport) -> pd.DataFrame:
    ids = items["item_id"]
    is_blank = ids.map(lambda name: isinstance(name, str) and not name.strip()).astype(bool)
    missing = (ids.isna() | is_blank).to_numpy()
    for row in np.flatnonzero(missing).tolist():
        told.note("missing_item", _shown(items.iloc[row].dropna().to_dict()), f"row {row}")
    return items[~missing] if missing.any() else items


def _one_row_each(items: pd.DataFrame, told: CatalogueReport) -> pd.DataFrame:
    """Keep the last row of every item; those before it count if they said something else."""
    again = pd.Series(Distinct.of(items["item_id"]).codes).duplicated(keep="last").to_numpy()
    if not again.any():
        return items.reset_index(drop=True)
    contents = items.astype(object).map(repr)
    other = again & ~contents.duplicated(keep="last").to_numpy()
    for row in np.flatnonzero(other).tolist():
        told.note("repeated_item", items["item_id"].iloc[row], f"row {row}")
    return items[~again].reset_index(drop=True)


def _numbers(column: pd.Series, name: str, told: CatalogueReport) -> pd.Series:
    """Return a column as float64, blanking and noting what is no number."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan))
    values = [parsed_price(value)[0] for value in column.tolist()]
    wrote = column.map(lambda value: text_of(value) is not None or isinstance(value, list | dict))
    for row in np.flatnonzero(pd.isna(pd.Series(values, dtype=np.float64)) & wrote).tolist():
        told.note(f"unreadable_{name}", column.iloc[row], f"row {row}")
    return pd.Series(values, dtype=np.float64)


def _currencies(prices: pd.Series) -> dict[str, pd.Series]:
    """Return the currencies that prices are written with, where one is."""
    if pd.api.types.is_numeric_dtype(prices.dtype):
        return {}
    found = [parsed_price(value)[1] for value in prices.tolist()]
    return {"currency": pd.Series(found, dtype="str")} if any(found) else {}


def _times(column: pd.Series, name: str, told: CatalogueReport) -> pd.Series:
    if not (column.dtype == object or pd.api.types.is_string_dtype(column.dtype)):
        return column
    written = texts(column.tolist())
    times = parse_texts(written)
    for row in np.flatnonzero((times.isna() & written.notna()).to_numpy()).tolist():
        told.note("unreadable_time", f"{name}: {written.iloc[row]}", f"row {row}")
    return times
