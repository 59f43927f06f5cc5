"""Attributes of users as a few values each: categories as they are, numbers in bands."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from recopersona.base.parameters import one_of, param, whole
from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.feature_table import (
    CategoryColumn,
    Column,
    FlagColumn,
    NumberColumn,
)
from recopersona.data.ids import UNKNOWN, IdMap, is_missing
from recopersona.data.types import Array, Indices
from recopersona.errors import DataError

USABLE = (CategoryColumn, FlagColumn, NumberColumn)
"""The kinds of columns that cut users into segments."""


class SegmentAttribute(Part):
    """One column of the users, each value a small number; unknown is -1.

    Parameters
    ----------
    name : str
    kind : "category" or "number"
    bands : int, at least 2
        Numbers are cut into so many bands with equally many users each.

    Attributes
    ----------
    values_ : IdMap
        Of a category: its values by code.
    edges_ : float64 (n_bands - 1,)
        Of a number: where the next band starts.

    Examples
    --------
    >>> ages = NumberColumn(np.array([18.0, 22.0, 35.0, 70.0, np.nan]))
    >>> age = SegmentAttribute.of("age", ages, bands=2)
    >>> age.codes(ages).tolist(), age.label(0), age.label(1)
    ([0, 0, 1, 1, -1], 'age < 35', 'age >= 35')
    """

    name: str = param(default="")
    kind: str = param(one_of("category", "number"), default="category")
    bands: int = param(whole(at_least=2), default=6)

    @classmethod
    def of(cls, name: str, column: Column, bands: int) -> Self:
        """Read the values that a column has."""
        if isinstance(column, NumberColumn):
            attribute = cls(name=name, kind="number", bands=bands)
            attribute.edges_ = _edges(column.values, bands)
        else:
            attribute = cls(name=name, kind="category", bands=bands)
            attribute.values_ = IdMap()
            attribute.codes(column)
        return attribute

    def codes(self, column: Column) -> Indices:
        """Return every row's code, int32 (n,); values that are new get a code."""
        if self.kind == "number":
            if not isinstance(column, NumberColumn):
                return np.full(len(column), UNKNOWN, np.int32)
            bands = np.searchsorted(self.edges_, column.values, side="right")
            return np.where(np.isnan(column.values), UNKNOWN, bands).astype(np.int32)
        if isinstance(column, CategoryColumn):
            # Blanked values belong to nobody: their place is never asked for.
            kept = np.unique(column.values[column.values != UNKNOWN])
            place = np.full(len(column.categories) + 1, UNKNOWN, np.int32)
            place[kept] = self.values_.extend(column.categories.ids[kept].tolist())
            return place[column.values]
        if isinstance(column, FlagColumn):
            flags = np.append(self.values_.extend([False, True]), np.int32(UNKNOWN))
            return flags[column.values]
        return np.full(len(column), UNKNOWN, np.int32)

    def code(self, value: Any) -> int:
        """Return the code of one value from a question, -1 where nobody had it."""
        try:
            if value is None or is_missing(value):
                return UNKNOWN
            if self.kind == "number":
                number = float(value)
                known = np.isfinite(number)
                return int(np.searchsorted(self.edges_, number, side="right")) if known else UNKNOWN
            return int(self.values_.index(value))
        except (DataError, TypeError, ValueError, OverflowError):  # a list, a text for a number
            return UNKNOWN

    def forget_unused(self, codes: Indices) -> None:
        """Blank the values that no user has: an address may tell who was there."""
        if self.kind == "category":
            unused = ~np.isin(np.arange(self.size), codes)
            self.values_.forget(self.values_.ids[unused].tolist())

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.edges_) + 1 if self.kind == "number" else len(self.values_)

    def label(self, code: int) -> str:
        """Say what a code stands for."""
        if self.kind == "category":
            return f"{self.name}={self.values_.ids[[code]].tolist()[0]}"
        edges = self.edges_
        if not len(edges):
            return f"{self.name} known"
        if code == 0:
            return f"{self.name} < {edges[0]:g}"
        if code == len(edges):
            return f"{self.name} >= {edges[-1]:g}"
        return f"{edges[code - 1]:g} <= {self.name} < {edges[code]:g}"

    def _check_learned(self) -> None:
        if self.kind == "number":
            require_array(self.edges_, np.float64, (None,), "edges_")
            if not (np.diff(self.edges_) > 0).all():
                raise DataError("SegmentAttribute: edges_ must rise.")
        elif not isinstance(self.values_, IdMap):
            raise DataError("SegmentAttribute: values_ must be the values of a category.")


def _edges(values: Array, bands: int) -> Array:
    """Cut numbers into bands: each value one of its own where there are few."""
    known = values[np.isfinite(values)]
    distinct = np.unique(known)
    if len(distinct) <= bands:
        return np.asarray(distinct[1:], np.float64)
    shares = np.arange(1, bands) / bands
    edges = np.unique(np.quantile(known, shares, method="higher"))
    return np.asarray(edges[edges > distinct[0]], np.float64)
