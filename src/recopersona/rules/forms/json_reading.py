"""Rules as JSON: for forms, databases and other programs.

A rule is an object: ``{"rule": "in_stock", "action": "require", "where": {...}}``; a set is
``{"timezone": "UTC", "rules": [...]}``. Reading knows only these shapes: whatever else comes is a
`RuleError` that names the rule and the way to the wrong part.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from recopersona.errors import RuleError, did_you_mean, hint, shown
from recopersona.rules.forms import actions, building
from recopersona.rules.forms.plain_values import duration, finite, moment, whole_text
from recopersona.rules.limits import MOST_DEPTH, MOST_JSON_BYTES, TOO_DEEP, TOO_LONG
from recopersona.rules.nodes import (
    ACTIONS,
    COMPARISONS,
    ORDERS,
    Call,
    Did,
    Expression,
    Flag,
    IsUnknown,
    Not,
    Number,
    Percent,
    Rule,
    StartsWith,
    Text,
    all_of,
    any_of,
    negative,
)

_Read = TypeVar("_Read")
_LONGEST_NUMBER = 400
"""Digits of a number: enough for every float, too few to keep a computer busy."""

# -- reading: text to values -------------------------------------------------------------------


def values_of(text: str | bytes) -> Any:
    """Read JSON text into plain values, no key twice, no number that is none.

    Raises
    ------
    RuleError
        With the line and the column.
    """
    if isinstance(text, bytes):
        text = _decoded(text)
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MOST_JSON_BYTES:
        raise RuleError(
            f"rules as JSON are at most {MOST_JSON_BYTES:,} bytes of text, got {size:,}."
        )
    try:
        return json.loads(
            text,
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse_constant,
            parse_int=lambda digits: int(_short(digits)),
            parse_float=lambda digits: float(_short(digits)),
        )
    except json.JSONDecodeError as problem:
        said = problem.msg[:1].lower() + problem.msg[1:]
        raise RuleError(f"this is not JSON: {said}.", text, problem.pos) from None
    except RecursionError:
        raise RuleError("this JSON nests too deep to be rules.") from None


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise RuleError(
            f"expected UTF-8, got a byte that is none of its at {problem.start}."
        ) from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RuleError(f"the key {shown(twice)} stands twice in one object.")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise RuleError(f"{name} is no number that a rule can hold.")


def _short(digits: str) -> str:
    if len(digits) > _LONGEST_NUMBER:
        raise RuleError(f"a number of {len(digits):,} digits is too long.")
    return digits


# -- reading: values to rules ------------------------------------------------------------------


def read_set(given: Any) -> tuple[tuple[Rule, ...], str]:
    """Read a set, a list of rules or one rule; return the rules and the time zone, or ``""``."""
    if isinstance(given, (str, bytes)):
        given = values_of(given)
    else:
        _refuse_many(given)
    zone = ""
    if isinstance(given, Mapping) and "action" not in given:
        _known_keys(given, ("timezone", "rules"), "")
        if "rules" not in given:
            raise RuleError('expected {"rules": [...]}, a list of rules or one rule.')
        if given.get("timezone") is not None:
            zone = _at("timezone", whole_text, given["timezone"])
        given = given["rules"]
    listed = [given] if isinstance(given, Mapping) else given
    if not isinstance(listed, (list, tuple)):
        raise RuleError(f"expected a list of rules, got {shown(listed)}.")
    return tuple(read_rule(rule, number) for number, rule in enumerate(listed, start=1)), zone


def _refuse_many(given: Any) -> None:
    """Refuse values that would fit no text, though parts that are shared make them look few."""
    seen, level = 0, [given]
    for _ in range(3 * MOST_DEPTH):  # what is deeper, or has no end, is refused where it is read
        below: list[Any] = []
        for one in level:
            if isinstance(one, (Mapping, list, tuple)):
                seen += len(one)
                if seen > MOST_JSON_BYTES:
                    raise RuleError(TOO_LONG)
                below += one.values() if isinstance(one, Mapping) else one
        level = below


def read_rule(given: Any, number: int = 1) -> Rule:
    """Read one rule; ``number`` is how errors call it."""
    label = f"rule {number}"
    if not isinstance(given, Mapping):
        raise RuleError(f"{label}: expected an object, got {shown(given)}.")
    name = given.get("rule")
    if isinstance(name, str) and len(name) < _LONGEST_NAME_SHOWN:
        label = f'{label} ("{name}")'
    try:
        return _rule(given)
    except RuleError as problem:
        glue = ", " if getattr(problem, "path", "") else ": "
        raise RuleError(f"{label}{glue}{problem.problem}") from None


_LONGEST_NAME_SHOWN = 60
_COMMON = ("rule", "action", "when", "during", "unknown", "priority", "strict")
_KEYS: dict[str, tuple[str, ...]] = {
    "require": ("where",),
    "exclude": ("where",),
    "boost": ("where", "by"),
    "bury": ("where", "by"),
    "pin": ("where", "at"),
    "limit": ("n", "per", "top", "consecutive", "where"),
    "ensure": ("n", "top", "consecutive", "where"),
}
_NEEDED = {
    "require": ("where",), "exclude": ("where",), "boost": ("by",), "bury": ("by",),
    "pin": ("where", "at"), "limit": ("n",), "ensure": ("n", "where"),
}  # fmt: skip


class _MisplacedError(RuleError):
    """A problem whose sentence begins with the way to the wrong part."""

    path = True


def _at(path: str, read: Callable[..., _Read], *given: Any) -> _Read:
    """Call a reader; what it complains of gets its path."""
    try:
        return read(*given)
    except _MisplacedError:
        raise
    except RuleError as problem:
        raise _MisplacedError(f"{path}: {problem.problem}") from None


def _fail(path: str, problem: str) -> NoReturn:
    raise _MisplacedError(f"{path}: {problem}") if path else RuleError(problem)


def _known_keys(given: Mapping[Any, Any], known: tuple[str, ...], path: str) -> None:
    for key in given:
        if key not in known:
            _fail(path, f"unknown key {shown(key)}{hint(key, known, 'known are')}")


def _rule(given: Mapping[str, Any]) -> Rule:
    action = given.get("action")
    if not isinstance(action, str) or action not in ACTIONS:
        _fail("action", f"expected one of {', '.join(ACTIONS)}, got {shown(action)}"
              f"{did_you_mean(action, ACTIONS) if action else ''}.")  # fmt: skip
    own = _KEYS[action]
    _known_keys(given, (*_COMMON, *own), "")
    parts = {key: value for key, value in given.items() if value is not None}
    for key in _NEEDED[action]:
        if key not in parts:
            raise RuleError(f"{action} needs {key!r}.")
    found: dict[str, Any] = {"where": None} if action in ("boost", "bury") else {}
    for key in ("where", "when", "by"):
        if key in parts:
            found[key] = expression(parts[key], key, ordered=key == "by")
    if "when" in found:
        _at("when", building.of_request, found["when"])
    for key, read in _PARTS.items():
        if key in parts:
            found[_NODE_NAMES.get(key, key)] = _at(key, read, parts[key])
    if "top" in parts and "consecutive" in parts:
        raise RuleError("give 'top' or 'consecutive', not both.")
    for key, kind in (("top", "top"), ("consecutive", "any")):
        if key in parts:
            found["window"] = _at(key, actions.window_of, kind, parts[key])
    if action == "limit" and not {"per", "where"} & set(parts):
        raise RuleError("limit needs 'per' or 'where', or both.")
    return ACTIONS[action](**found)


_PARTS: dict[str, Callable[[Any], Any]] = {
    "n": actions.amount_of,
    "per": building.field_of,
    "at": actions.slots_of,
    "rule": actions.label_of,
    "during": actions.during_of,
    "unknown": actions.unknown_of,
    "priority": actions.priority_of,
    "strict": actions.flag_of,
}
_NODE_NAMES = {"n": "amount", "at": "slots", "rule": "name"}


def expression(given: Any, path: str, depth: int = 1, ordered: bool = False) -> Expression:
    """Read a tree of objects; plain values are literals.

    Parameters
    ----------
    path : str
        How errors say where it stands: ``where.args[1]``.
    ordered : bool
        Whether it stands where text cannot, as in `recopersona.rules.forms.plain_values.literal`.
    """
    if depth > MOST_DEPTH:
        _fail(path, TOO_DEEP)
    if not isinstance(given, Mapping):
        if given is None:
            _fail(path, 'null is no value; ask {"op": "is unknown", "args": [...]}.')
        if not isinstance(given, (bool, int, float, str)):
            _fail(path, f"expected an object or a plain value, got {shown(given)}.")
        return _at(path, building.value_of, given, ordered)
    kind = next((key for key in _READERS if key in given), None)
    if kind is None:
        keys = list(given)
        near = did_you_mean(keys[0], _READERS) if keys else ""
        _fail(path, f"expected one of {', '.join(_READERS)}, got {shown(dict(given))}{near}.")
    return _READERS[kind](given, path, depth)


_Reader = Callable[[Mapping[str, Any], str, int], Expression]


def _leaf(key: str, read: Callable[[Any], Expression]) -> _Reader:
    def reader(given: Mapping[str, Any], path: str, _depth: int) -> Expression:
        _known_keys(given, (key,), path)
        return _at(path, read, given[key])

    return reader


def _number(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise RuleError(f"expected a number, got {shown(given)}.")
    return finite(given)


def _event(given: Mapping[str, Any], path: str, _depth: int) -> Did:
    _known_keys(given, ("did", "times", "within"), path)
    times, within = given.get("times"), given.get("within")
    if within is not None and not isinstance(within, str):
        _fail(path, f"expected a length of time such as '90d', got {shown(within)}.")
    return _at(path, building.did, given["did"], 1 if times is None else times, within)


def _args(given: Mapping[str, Any], path: str) -> list[Any]:
    args = given.get("args")
    if not isinstance(args, (list, tuple)):
        _fail(path, f"expected a list of args, got {shown(args)}.")
    return list(args)


def _function(given: Mapping[str, Any], path: str, depth: int) -> Call:
    _known_keys(given, ("call", "args"), path)
    args = [
        expression(arg, f"{path}.args[{place}]", depth + 1, ordered=True)
        for place, arg in enumerate(_args(given, path))
    ]
    return _at(path, building.call, given["call"], args)


def _operation(given: Mapping[str, Any], path: str, depth: int) -> Expression:
    _known_keys(given, ("op", "args"), path)
    op = given["op"]
    if not isinstance(op, str) or op not in _OPERATIONS:
        _fail(path, f"unknown op {shown(op)}{hint(op, _OPERATIONS, 'known are')}")
    least, most, build = _OPERATIONS[op]
    args = _args(given, path)
    if not least <= len(args) <= most:
        wanted = f"{least}" if least == most else f"{least} or more" if most > 2 else "1 or 2"
        _fail(path, f"{op!r} takes {wanted} args, got {len(args)}.")
    ordered = op in (*ORDERS, "+", "-", "*", "/", "between")
    read: list[Any] = []
    for place, arg in enumerate(args):
        here = f"{path}.args[{place}]"
        if place == 1 and op in _TAKE_A_LIST and isinstance(arg, (list, tuple)):
            read.append([expression(one, f"{here}[{at}]", depth + 1) for at, one in enumerate(arg)])
        elif place == 1 and op == "starts with":
            read.append(_start(arg, here))
        else:
            read.append(expression(arg, here, depth + 1, ordered))
    return _at(path, build, op, *read)


def _start(given: Any, path: str) -> str:
    if isinstance(given, Mapping) and "text" in given:
        _known_keys(given, ("text",), path)
        given = given["text"]
    text: str = _at(path, whole_text, given)
    return text


_TAKE_A_LIST = ("in", "has any", "has all", "has none")
_MANY = 100_000
_OPERATIONS: dict[str, tuple[int, int, Callable[..., Expression]]] = {
    **dict.fromkeys(COMPARISONS, (2, 2, building.compare)),
    **dict.fromkeys(("+", "*", "/"), (2, 2, building.arithmetic)),
    "-": (1, 2, lambda op, *args: building.arithmetic(op, *args) if args[1:] else negative(*args)),
    "and": (1, _MANY, lambda _, *args: all_of(*args)),
    "or": (1, _MANY, lambda _, *args: any_of(*args)),
    "not": (1, 1, lambda _, value: Not(value)),
    "in": (2, 2, lambda _, value, members: building.is_in(value, members)),
    "between": (3, 3, lambda _, *args: building.between(*args)),
    **dict.fromkeys(
        ("has any", "has all", "has none"),
        (2, 2, lambda op, value, members: building.has(value, op[4:], members)),
    ),
    "starts with": (2, 2, lambda _, value, start: StartsWith(value, start)),
    "is unknown": (1, 1, lambda _, value: IsUnknown(value)),
}
_READERS: dict[str, _Reader] = {
    "field": _leaf("field", building.field_of),
    "num": _leaf("num", lambda given: Number(_number(given))),
    "text": _leaf("text", lambda given: Text(whole_text(given))),
    "flag": _leaf("flag", lambda given: Flag(actions.flag_of(given))),
    "percent": _leaf("percent", lambda given: Percent(_number(given))),
    "date": _leaf("date", moment),
    "duration": _leaf("duration", duration),
    "param": _leaf("param", building.param),
    "op": _operation,
    "call": _function,
    "did": _event,
}
