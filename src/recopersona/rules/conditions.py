"""Conditions as something that can be evaluated: compiled once, asked many times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeAlias

from recopersona.data.types import Indices, Mask
from recopersona.rules.asked import Asked, Tables
from recopersona.rules.nodes import Expression, Field

__all__ = ["Asked", "Condition", "Rows", "Tables", "compile_condition", "compile_groups", "compile_number"]

Rows: TypeAlias = "slice | Indices"
"""``slice(None)`` for the whole catalogue, or the indices of some items, int32."""


class Condition(ABC):
    """A condition over the items of a shop, of three values: true, false, and neither.

    of_catalogue  whether the item columns alone decide it
    of_request    whether no item column matters; then ``true`` and ``false`` return a bool
    reads         the item columns it reads
    uses_now      whether it depends on the moment
    """

    of_catalogue: bool
    of_request: bool
    reads: frozenset[str]
    uses_now: bool

    @abstractmethod
    def true(self, rows: Rows, asked: Asked) -> Mask | bool:
        """Tell where it is surely true, bool (n_rows,)."""

    @abstractmethod
    def false(self, rows: Rows, asked: Asked) -> Mask | bool:
        """Tell where it is surely false, bool (n_rows,)."""

    def missing(self, asked: Asked) -> tuple[str, ...]:
        """Name the values of the request that it reads and that are unknown: ``user.age``."""
        raise NotImplementedError


class Number(ABC):
    """A number per item, or one for all: ``values`` are float64, NaN where unknown."""

    of_catalogue: bool
    of_request: bool
    reads: frozenset[str]
    uses_now: bool

    @abstractmethod
    def values(self, rows: Rows, asked: Asked) -> Any: ...


class Groups(ABC):
    """Which items belong together: ``codes`` are int32, -1 where unknown."""

    reads: frozenset[str]

    @abstractmethod
    def codes(self, rows: Rows, asked: Asked) -> Indices: ...


def compile_condition(expression: Expression, tables: Tables) -> Condition:
    """Compile a condition that fits the tables (see `check_rules`)."""
    raise NotImplementedError


def compile_number(expression: Expression, tables: Tables) -> Number:
    """Compile an expression of numbers, such as that behind ``BOOST ... BY``."""
    raise NotImplementedError


def compile_groups(field: Field, tables: Tables) -> Groups:
    """Compile the field behind ``LIMIT ... PER``."""
    raise NotImplementedError
