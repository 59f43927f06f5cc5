"""Conditions compiled once and asked many times: what becomes of every kind of expression.

A condition is compiled into small objects that know which arrays to read and how; nothing is
interpreted while a request waits. The columns themselves are looked up when a question is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Indices
from recopersona.rules import nodes
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.conditions.comparing import (
    AgeCompared,
    CodeIs,
    CodesEqual,
    LabelsEqual,
    MomentCompared,
    NumbersCompared,
    StartingWith,
    are_known,
)
from recopersona.rules.conditions.kinds import ANY, NUMERIC, common_kind, kind_of
from recopersona.rules.conditions.labels import (
    Coded,
    ItemId,
    Label,
    NumberAsLabel,
)
from recopersona.rules.conditions.logic import (
    All,
    Always,
    AnyOf,
    Condition,
    FlagAsLabel,
    FlagOf,
    GivenFlag,
    Known,
    Opposite,
    SameTruth,
)
from recopersona.rules.conditions.members import (
    CodeAmong,
    GivenMembers,
    LabelAmong,
    Members,
    NumberAmong,
    WrittenMembers,
)
from recopersona.rules.conditions.operands import (
    ColumnOf,
    Needs,
    Numeric,
    Rows,
    Since,
    TimeOf,
    at,
)
from recopersona.rules.conditions.past import HasDone
from recopersona.rules.conditions.sets import (
    GivenHas,
    HasAll,
    HasAny,
    InItsSet,
    SetOf,
    SetsCompared,
    Within,
)
from recopersona.rules.conditions.values import Values, computes, misfit
from recopersona.rules.nodes import MIRRORED, Expression, Field, Param

__all__ = [
    "Asked", "Condition", "Groups", "Numeric", "Rows", "Tables",
    "compile_condition", "compile_groups", "compile_number",
]  # fmt: skip


def compile_condition(expression: Expression, tables: Tables) -> Condition:
    """Compile a condition that fits the tables (see `check_rules`).

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.data.feature_table import FeatureTable
    >>> from recopersona.data.ids import IdMap
    >>> shelf = pd.DataFrame({"item_id": ["tea", "salt"], "stock": [3, None]})
    >>> items = FeatureTable.from_frame(shelf, IdMap(), "item_id")
    >>> tables = Tables(items, FeatureTable(IdMap()))
    >>> in_stock = nodes.Compare(">", Field("item", "stock"), nodes.Number(0))
    >>> condition = compile_condition(in_stock, tables)
    >>> condition.true(slice(None), Asked()), condition.false(slice(None), Asked())
    (array([ True, False]), array([False, False]))
    """
    return _Compiler(tables).condition(expression)


def compile_number(expression: Expression, tables: Tables) -> Numeric:
    """Compile an expression of numbers, such as that behind ``BOOST ... BY``."""
    return _Compiler(tables).numeric(expression, "number")


def compile_groups(field: Field, tables: Tables) -> Groups:
    """Compile the field behind ``LIMIT ... PER``: a category, flag or number, or the id."""
    return Groups(field, tables)


class Groups:
    """Which items belong together.

    reads  the item columns it reads
    """

    def __init__(self, field: Field, tables: Tables) -> None:
        kind = kind_of(field, tables)
        self.reads = frozenset() if kind == "id" else frozenset({field.name})
        if kind == "id":
            ids = ItemId(tables)
            self._codes: Callable[[Rows], Any] = lambda rows: ids.coded(rows)[0]
        elif kind in ("category", "flag", "number"):
            self._codes = _CODES[kind](ColumnOf(tables, field.name))
        else:
            raise misfit(f"a {kind} makes no groups", field)

    def codes(self, rows: Rows, asked: Asked) -> Indices:
        """Return int32 (n_rows,): the same number for items of one group, -1 where unknown."""
        codes: Indices = self._codes(rows)
        return codes


def _numbered(values: Any) -> Indices:
    _distinct, codes = np.unique(values, return_inverse=True)  # NaN comes last
    return np.where(np.isnan(values), -1, codes).astype(np.int32)


_CODES: dict[str, Callable[[Any], Callable[[Rows], Any]]] = {
    "category": lambda column: lambda rows: at(column().values, rows),
    "flag": lambda column: lambda rows: at(column().values, rows).astype(np.int32),
    "number": lambda column: lambda rows: _numbered(at(column().values, rows)),
}


class _Compiler(Values):
    """Turns conditions into things that can be evaluated."""

    # -- conditions ----------------------------------------------------------------------------

    def condition(self, node: Expression) -> Condition:
        compiled = _CONDITIONS.get(type(node))
        if compiled is None:
            raise misfit("a condition was expected", node)
        return compiled(self, node)

    def flag(self, node: Field | Param) -> Condition:
        if self.kind(node) not in ("flag", ANY):
            raise misfit("a flag was expected", node)
        given = self.given(node, "flag")
        return GivenFlag(given) if given else FlagOf(self.column(node))

    def joined(self, node: nodes.And | nodes.Or) -> Condition:
        parts = [self.condition(part) for part in node.args]
        return (All if isinstance(node, nodes.And) else AnyOf)(parts, self.tables)

    def compare(self, node: nodes.Compare) -> Condition:
        if node.op == "!=":
            return Opposite(self.compare(nodes.Compare("=", node.left, node.right)))
        kinds = {kind_of(node.left, self.tables), kind_of(node.right, self.tables)} - {ANY}
        if "set" in kinds:
            raise misfit("a set cannot be compared", node)
        if node.op == "=" and (kinds or not computes(node.left, node.right)):
            wanted = kinds.pop() if len(kinds) == 1 else _label_kind(kinds)
            return self.equal(node.left, node.right, wanted)
        wanted = common_kind(*sorted(kinds), "number")
        return _numbers(node.op, self.numeric(node.left, wanted), self.numeric(node.right, wanted))

    def equal(self, left: Expression, right: Expression, kind: str) -> Condition:
        """Compare two expressions of a kind."""
        if kind == "flag":
            return SameTruth(self.condition(left), self.condition(right))
        if kind in NUMERIC:
            return _numbers("=", self.numeric(left, kind), self.numeric(right, kind))
        return _labels(self.label(left, kind), self.label(right, kind))

    def between(self, node: nodes.Between) -> Condition:
        wanted = common_kind(self.kind(node.value, node.low, node.high), "number")
        value, low, high = (self.numeric(one, wanted) for one in (node.value, node.low, node.high))
        return All([_numbers(">=", value, low), _numbers("<=", value, high)], self.tables)

    def starts_with(self, node: nodes.StartsWith) -> Condition:
        return StartingWith(self.label(node.value, "text"), node.start)

    def is_unknown(self, node: nodes.IsUnknown) -> Condition:
        return Opposite(self.known(node.value))

    def known(self, node: Expression) -> Condition:
        kind = self.kind(node)
        given = self.given(node, "raw")
        if given:
            return Known(Needs.of_given(given), lambda _, asked: given.value(asked) is not None)
        if kind == "flag":
            flag = self.condition(node)
            return Known(flag.needs, lambda *on: flag.true(*on) | flag.false(*on))
        if kind == "set":
            sets = SetOf(self.column(node))
            return Known(sets.needs, lambda rows, _: sets.known(rows, sets.column()))
        if kind in NUMERIC or kind == ANY:
            return _number_known(self.numeric(node, common_kind(kind, "number")))
        label = self.label(node, kind)
        if isinstance(label, Coded):
            return Known(label.needs, lambda rows, _: label.coded(rows)[0] >= 0)
        return Known(label.needs, lambda *on: are_known(label.labels(*on)))

    # -- lists ---------------------------------------------------------------------------------

    def is_in(self, node: nodes.In) -> Condition:
        kind, members = self.kind(node.value), node.members
        if not isinstance(members, tuple):
            wanted = "category" if kind == ANY else kind
            return self.in_list(node.value, wanted, members)
        kinds = {kind, *(kind_of(member, self.tables) for member in members)} - {ANY}
        wanted = kinds.pop() if len(kinds) == 1 else _label_kind(kinds)
        if wanted not in ("flag", *NUMERIC):
            labels = [self.label(member, wanted) for member in members]
            if all(one.of_request for one in labels):
                return self.among(self.label(node.value, wanted), WrittenMembers(labels))
        parts = [self.equal(node.value, member, wanted) for member in members]
        return AnyOf(parts, self.tables)

    def in_list(self, value: Expression, kind: str, members: Field | Param) -> Condition:
        given = self.given(members, "set")
        if given is None:
            return self.in_set_of(self.label(value, kind), SetOf(self.column(members)))
        listed = GivenMembers(given, kind)
        if kind == "flag":
            return LabelAmong(FlagAsLabel(self.condition(value)), listed)
        if kind in NUMERIC:
            number = self.numeric(value, kind)
            if number.of_request:
                return LabelAmong(NumberAsLabel(number), listed)
            return NumberAmong(number, listed)
        return self.among(self.label(value, kind), listed)

    def among(self, label: Label, listed: Members) -> Condition:
        return CodeAmong(label, listed) if isinstance(label, Coded) else LabelAmong(label, listed)

    def in_set_of(self, label: Label, sets: SetOf) -> Condition:
        """Look for a value in the set of each item."""
        if label.of_request:
            return HasAny(sets, WrittenMembers([label]))
        return InItsSet(label, sets)

    def has(self, node: nodes.Has) -> Condition:
        how, members = node.how.upper(), node.members
        given = self.given(node.value, "set")
        held = GivenMembers(given, "category") if given else SetOf(self.column(node.value))
        if not isinstance(members, tuple):
            return self.has_list(held, how, members)
        labels = [self.label(member, "category") for member in members]
        if not all(one.of_request for one in labels):
            parts = [self.held(one, held) for one in labels]
            found = (All if how == "ALL" else AnyOf)(parts, self.tables)
            return Opposite(found) if how == "NONE" else found
        return _has(held, how, WrittenMembers(labels))

    def held(self, label: Label, held: Members | SetOf) -> Condition:
        if isinstance(held, SetOf):
            return self.in_set_of(label, held)
        return self.among(label, held)

    def has_list(self, held: Members | SetOf, how: str, members: Field | Param) -> Condition:
        given = self.given(members, "set")
        if given:
            return _has(held, how, GivenMembers(given, "category"))
        others = SetOf(self.column(members))
        if isinstance(held, SetOf):
            return SetsCompared(held, how, others)
        return Within(others, held) if how == "ALL" else _has(others, how, held)


_CONDITIONS: dict[type, Callable[[_Compiler, Any], Condition]] = {
    nodes.Flag: lambda _, node: Always(node.value),
    nodes.Did: lambda compiler, node: HasDone(node, compiler.tables),
    nodes.Not: lambda compiler, node: Opposite(compiler.condition(node.value)),
    nodes.Field: _Compiler.flag,
    nodes.Param: _Compiler.flag,
    nodes.And: _Compiler.joined,
    nodes.Or: _Compiler.joined,
    nodes.Compare: _Compiler.compare,
    nodes.Between: _Compiler.between,
    nodes.In: _Compiler.is_in,
    nodes.Has: _Compiler.has,
    nodes.StartsWith: _Compiler.starts_with,
    nodes.IsUnknown: _Compiler.is_unknown,
}


def _label_kind(kinds: set[str]) -> str:
    """Return what kinds are compared as of which several are beside each other, or none."""
    return "category" if kinds else ANY


def _numbers(op: str, left: Numeric, right: Numeric) -> Condition:
    """Choose the way in which two numbers are compared."""
    if left.of_request and not right.of_request:
        op, left, right = MIRRORED[op], right, left
    if right.of_request and isinstance(left, TimeOf):
        return MomentCompared(op, left, right)
    if right.of_request and isinstance(left, Since):
        return AgeCompared(op, left, right)
    return NumbersCompared(op, left, right)


def _number_known(number: Numeric) -> Condition:
    if isinstance(number, TimeOf):
        return Known(number.needs, lambda rows, _: number.ms(rows) != MISSING_TIME)
    return Known(number.needs, lambda *on: _is_number(number.values(*on)))


def _is_number(values: Any) -> Any:
    return values == values  # which NaN is not


def _labels(left: Label, right: Label) -> Condition:
    """Choose the way in which two values are compared that are equal or not."""
    if isinstance(right, Coded) and not isinstance(left, Coded):
        left, right = right, left
    if isinstance(left, Coded) and right.of_request:
        return CodeIs(left, right)
    if isinstance(left, Coded) and isinstance(right, Coded):
        return CodesEqual(left, right)
    return LabelsEqual(left, right)


def _has(held: Members | SetOf, how: str, listed: Members) -> Condition:
    if not isinstance(held, SetOf):
        return GivenHas(held, how, listed)
    if how == "ALL":
        return HasAll(held, listed)
    return HasAny(held, listed) if how == "ANY" else Opposite(HasAny(held, listed))
