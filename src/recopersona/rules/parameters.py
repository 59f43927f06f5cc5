"""Values in the place of ``$names``: each becomes what it would be, written in that place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from recopersona.errors import RuleError, shown
from recopersona.rules.forms.building import members_of, value_of
from recopersona.rules.nodes import (
    ORDERS,
    Arithmetic,
    Between,
    Call,
    Compare,
    Expression,
    Negative,
    Node,
    Param,
    Rule,
    negative,
)

_Read = TypeVar("_Read")


def filled(rule: Rule, values: Mapping[str, Any]) -> Rule:
    """Return a rule in which some parameters are values.

    Raises
    ------
    RuleError
        If a value cannot stand where its parameter does.
    """
    changed = {
        name: _filled(part, values, ordered=name == "by")
        for name in ("where", "by", "when")
        if (part := getattr(rule, name, None)) is not None
    }
    return replace(rule, **changed)


def _filled(node: Any, values: Mapping[str, Any], ordered: bool) -> Any:
    """Return an expression in which some parameters are values.

    ordered  whether it stands where text cannot, so that ``"30d"`` is a length of time
    """
    if isinstance(node, Param):
        return _value(node, values, ordered) if node.name in values else node
    beneath = _is_ordered(node)
    changed = {}
    for one in fields(node):
        part = getattr(node, one.name)
        if one.name == "members" and isinstance(part, Param):
            changed["members"] = _members(part, values)
        elif isinstance(part, Node):
            changed[one.name] = _filled(part, values, beneath)
        elif isinstance(part, tuple):
            changed[one.name] = tuple(_filled(each, values, beneath) for each in part)
    if isinstance(node, Negative):
        return negative(changed["value"], node.place)
    return replace(node, **changed) if changed else node


def _is_ordered(node: Node) -> bool:
    if isinstance(node, Compare):
        return node.op in ORDERS
    return isinstance(node, (Between, Arithmetic, Call, Negative))


def _value(param: Param, values: Mapping[str, Any], ordered: bool) -> Expression:
    value = values[param.name]
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        raise RuleError(f"${param.name} stands for one value, got {shown(value)}.")
    return _named(param, value_of, value, ordered)


def _members(param: Param, values: Mapping[str, Any]) -> Any:
    if param.name not in values:
        return param
    return _named(param, members_of, values[param.name])


def _named(param: Param, read: Callable[..., _Read], *given: Any) -> _Read:
    try:
        return read(*given)
    except RuleError as problem:
        raise RuleError(f"${param.name}: {problem.problem}") from None
