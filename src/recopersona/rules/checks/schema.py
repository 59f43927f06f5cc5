"""What rules can speak of in one shop: its columns, their kinds, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import numpy as np

from recopersona.data.feature_table import (
    COLUMN_KINDS,
    CategoryColumn,
    Column,
    FeatureTable,
    FlagColumn,
    NumberColumn,
    SetColumn,
    TextColumn,
    TimeColumn,
)
from recopersona.data.ids import UNKNOWN
from recopersona.data.times import MISSING_TIME, from_ms, moment_ms
from recopersona.data.types import Array, Id
from recopersona.errors import DataError, hint, shown
from recopersona.rules.nodes import CREATED


class Facts(NamedTuple):
    """What the rows of one column hold at the moment.

    rows, unknown : int
        All rows, and those without a value.
    low, high : float or None
        The range of numbers, and of times in milliseconds UTC.
    values : tuple or None
        What categories, sets and flags have among their rows.
    """

    rows: int
    unknown: int
    low: float | None = None
    high: float | None = None
    values: tuple[Id, ...] | None = None


class RuleSchema:
    """The columns that rules may read, and their kinds.

    Every ``item.NAME`` and ``seed.NAME`` is a column of the items, every ``user.NAME`` one of the
    users; ``item.id``, ``user.id``, ``item.age`` (since ``created_at``) and ``ctx.now`` are there
    besides. Of a schema made by `of`, the columns' values are looked at when somebody asks, not
    before: checking rules never walks a catalogue.

    Parameters
    ----------
    item, user : mapping from column to kind, optional
        Kinds are ``number flag time text category set``.
    end : moment, optional
        When the data end: what `lint_rules` takes for now, unless it is told.

    Raises
    ------
    DataError
        If a kind is none.

    Examples
    --------
    >>> schema = RuleSchema(item={"stock": "number"}, user={"age": "number"})
    >>> schema
    RuleSchema(item={'stock': 'number'}, user={'age': 'number'})
    >>> schema.kind("item", "stock"), schema.kind("item", "price")
    ('number', None)
    """

    def __init__(
        self,
        item: Mapping[str, str] | None = None,
        user: Mapping[str, str] | None = None,
        *,
        end: Any = None,
    ) -> None:
        last = None if end is None else moment_ms(end, "end")
        self._start({"item": _checked("item", item), "user": _checked("user", user)}, last)

    @classmethod
    def of(cls, source: Any) -> RuleSchema:
        """Return the schema of a shop.

        Parameters
        ----------
        source : Dataset, fitted pipeline or model, FeatureTable of items, or RuleSchema
            Anything with tables ``item_features`` and ``user_features``, or the same names with
            ``_`` at their end.

        Raises
        ------
        DataError
            If it has no such tables.

        Examples
        --------
        >>> import pandas as pd
        >>> from recopersona.data.ids import IdMap
        >>> shelf = pd.DataFrame({"item_id": ["tea", "salt"], "stock": [3, 0]})
        >>> RuleSchema.of(FeatureTable.from_frame(shelf, IdMap(), "item_id"))
        RuleSchema(item={'stock': 'number'})
        """
        if isinstance(source, RuleSchema):
            return source
        items = source if isinstance(source, FeatureTable) else _table(source, "item_features")
        users = _table(source, "user_features")
        if items is None:
            raise DataError(
                "rules are checked against a Dataset, a fitted pipeline or a RuleSchema, "
                f"got {shown(source)}{_way_to_a_schema(source)}"
            )
        return cls.of_tables(items, users, source)

    @classmethod
    def of_tables(
        cls, items: FeatureTable, users: FeatureTable | None, source: Any = None
    ) -> RuleSchema:
        """Return the schema of two tables; ``source`` knows when its data end."""
        schema = cls.__new__(cls)
        tables = {"item": items, "user": users}
        schema._start(
            {
                of: {} if table is None else {n: c.kind for n, c in table.columns.items()}
                for of, table in tables.items()
            }
        )
        schema._tables = {of: table for of, table in tables.items() if table is not None}
        schema._source = source
        return schema

    def _start(self, kinds: dict[str, dict[str, str]], end: int | None = None) -> None:
        self._kinds, self._end = kinds, end
        self._source: Any = None
        self._tables: dict[str, FeatureTable] = {}
        self._facts: dict[tuple[str, str], tuple[Column, int, Facts]] = {}
        item, user = kinds["item"], kinds["user"]
        of_item = item | {"id": "id"}
        if item.get(CREATED) == "time":
            of_item["age"] = "duration"
        else:
            of_item.pop("age", None)
        self._readable = {
            "item": of_item,
            "seed": of_item,
            "user": user | {"id": "id"},
            "ctx": {"now": "time"},
        }

    @property
    def item(self) -> Mapping[str, str]:
        """The kinds of the items' columns by name."""
        return self._kinds["item"]

    @property
    def user(self) -> Mapping[str, str]:
        """The kinds of the users' columns by name."""
        return self._kinds["user"]

    @property
    def end(self) -> int | None:
        """When the data end, in milliseconds UTC, or None where there is no time."""
        if self._end is not None or self._source is None:
            return self._end
        end = getattr(self._source, "end_", None)
        return cast("int | None", getattr(self._source, "end", None) if end is None else end)

    def __repr__(self) -> str:
        parts = [f"{of}={kinds!r}" for of, kinds in self._kinds.items() if kinds]
        if self.end is not None:
            parts.append(f"end={str(from_ms(np.array([self.end]))[0])!r}")
        return f"RuleSchema({', '.join(parts)})"

    def readable(self, of: str) -> Mapping[str, str]:
        """Return the kinds of all that rules can read in a namespace, what is derived included."""
        return self._readable[of]

    def kind(self, of: str, name: str) -> str | None:
        """Return the kind of ``of.name``, or None where there is none.

        Besides the kinds of columns: ``id`` (compares as a category does) and ``duration``.
        """
        return self._readable[of].get(name)

    def table(self, of: str) -> FeatureTable | None:
        """Return the table of a namespace, or None where only kinds are known."""
        return self._tables.get("item" if of == "seed" else of)

    def example(self, of: str, name: str, wanted: Id) -> Id | None:
        """Return a value that a column of categories or sets has known: the one wanted, if it has.

        None for other columns, for those that know none, and where only the kind is known.
        """
        table = self.table(of)
        column = None if table is None else table.columns.get(name)
        if not isinstance(column, (CategoryColumn, SetColumn)) or not len(column.categories):
            return None
        if column.categories.index(wanted) >= 0:
            return wanted
        first: Id = column.categories.ids[:1].tolist()[0]
        return first

    def facts(self, of: str, name: str) -> Facts | None:
        """Return what a column holds, or None where only its kind is known.

        Counted on the first question, and again only where the column has changed since.
        """
        table = self.table(of)
        column = None if table is None else table.columns.get(name)
        if table is None or column is None:
            return None
        kept = self._facts.get((of, name))
        if kept is None or kept[0] is not column or kept[1] != len(table):
            # A column may be shorter than its table: the rows behind it are unknown.
            kept = self._facts[of, name] = column, len(table), _facts(column, len(table))
        return kept[2]


def _checked(of: str, kinds: Mapping[str, str] | None) -> dict[str, str]:
    if kinds is None:
        return {}
    if not isinstance(kinds, Mapping):
        raise DataError(
            f"RuleSchema: {of} must be a mapping such as {{'stock': 'number'}}, got {shown(kinds)}."
        )
    for name, kind in kinds.items():
        if kind not in list(COLUMN_KINDS):
            raise DataError(
                f"RuleSchema: {of}.{name} has no kind {shown(kind)}"
                f"{hint(kind, COLUMN_KINDS, 'kinds are')}"
            )
    return {str(name): kind for name, kind in kinds.items()}


def _table(source: Any, name: str) -> FeatureTable | None:
    if isinstance(source, type):
        return None
    for spelt in (f"{name}_", name):
        table = getattr(source, spelt, None)
        if isinstance(table, FeatureTable):
            return table
    return None


def _way_to_a_schema(source: Any) -> str:
    """What to type where something was given that a schema can be made of."""
    if hasattr(source, "fit") and not isinstance(source, type):
        return "; fit it first."
    if hasattr(source, "columns"):
        return "; make a dataset with Dataset.from_frames(events, items=frame)."
    return "; write RuleSchema(item={'stock': 'number'})."


def _facts(column: Column, rows: int) -> Facts:
    if isinstance(column, NumberColumn):
        return _of_range(column.values[~np.isnan(column.values)], rows)
    if isinstance(column, TimeColumn):
        return _of_range(column.values[column.values != MISSING_TIME], rows)
    if isinstance(column, FlagColumn):
        counts = np.bincount(column.values[column.values != UNKNOWN], minlength=2)
        held = tuple(value for value in (False, True) if counts[int(value)])
        return Facts(rows, rows - int(counts.sum()), values=held)
    if isinstance(column, CategoryColumn):
        counts = np.bincount(
            column.values[column.values != UNKNOWN], minlength=len(column.categories)
        )
        return Facts(rows, rows - int(counts.sum()), values=_used(column.categories.ids, counts))
    if isinstance(column, SetColumn):
        described = int(np.count_nonzero(np.diff(column.starts)))
        counts = np.bincount(column.codes, minlength=len(column.categories))
        return Facts(rows, rows - described, values=_used(column.categories.ids, counts))
    if isinstance(column, TextColumn):
        return Facts(rows, rows - sum(value is not None for value in column.values))
    return Facts(rows, rows - len(column))


def _of_range(known: Array, rows: int) -> Facts:
    if not len(known):
        return Facts(rows, rows)
    return Facts(rows, rows - len(known), float(known.min()), float(known.max()))


def _used(ids: Array, counts: Array) -> tuple[Id, ...]:
    return tuple(ids[counts[: len(ids)] > 0].tolist())
