"""The slow, readable twin of compiled conditions: one item at a time, and three truth values.

A shop is ``{"kinds": {"item": {name: kind}, "user": {name: kind}}, "timezone": ...}``; a row holds
what is known of an item, its ``id`` among it; a request holds ``now``, ``user`` (a row, with its
``id``), ``ctx``, ``params``, ``seed`` (a row), ``past`` (what the visitor did, oldest first) and
``limit`` (how many of those events, of each kind, are still remembered).
"""

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from recopersona.rules import nodes

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "mo": 2592000, "y": 31536000}
COUNTED = ("number", "duration", "time")


def naive_condition(node, row, request, shop):
    """Return True, False, or None where it is unknown."""
    return _condition(node, _World(row, request, shop))


def naive_number(node, row, request, shop):
    """Return a number, or None where it is unknown."""
    return _value(node, "number", _World(row, request, shop))


class _World:
    def __init__(self, row, request, shop):
        self.row, self.request, self.shop = row, request, shop


# -- three truth values ------------------------------------------------------------------------


def _not(a):
    return None if a is None else not a


def _and(values):
    values = list(values)
    return False if False in values else None if None in values else True


def _or(values):
    return _not(_and(_not(value) for value in values))


# -- kinds -------------------------------------------------------------------------------------


def _kind(node, world):
    match node:
        case nodes.Number() | nodes.Percent():
            return "number"
        case nodes.Text():
            return "text"
        case nodes.Moment():
            return "time"
        case nodes.Duration():
            return "duration"
        case nodes.Param():
            return None
        case nodes.Field(of="ctx"):
            return "time" if node.name == "now" else None
        case nodes.Field(name="id"):
            return "id"
        case nodes.Field(of="user"):
            return world.shop["kinds"]["user"][node.name]
        case nodes.Field():
            return "duration" if node.name == "age" else world.shop["kinds"]["item"][node.name]
        case nodes.Negative():
            return _kind(node.value, world)
        case nodes.Call():
            if node.name in ("ramp", "decay", "log1p"):
                return "number"
            return _shared([_kind(arg, world) for arg in node.args])
        case nodes.Arithmetic():
            return _result(node.op, _kind(node.left, world), _kind(node.right, world))
    return "flag"


def _shared(kinds):
    return next((kind for kind in kinds if kind is not None), None)


def _result(op, left, right):
    if op in "+-":
        if left == right == "time":
            return "duration"
        return "time" if "time" in (left, right) else "duration" if "duration" in (left, right) \
            else _shared([left, right])  # fmt: skip
    if op == "/" and left == right == "duration":
        return "number"
    return "duration" if "duration" in (left, right) else _shared([left, right])


# -- values ------------------------------------------------------------------------------------


def _value(node, kind, world):
    """Return a value, None where it is unknown; what has no kind of its own is read as ``kind``."""
    match node:
        case nodes.Number() | nodes.Text():
            return node.value
        case nodes.Percent():
            return node.value / 100
        case nodes.Moment():
            return _moment(node.value, world.shop["timezone"])
        case nodes.Duration():
            return node.amount * UNITS[node.unit] * 1000
        case nodes.Param():
            return _fits(world.request["params"].get(node.name), kind)
        case nodes.Field():
            return _field(node, kind, world)
        case nodes.Negative():
            value = _value(node.value, kind, world)
            return None if value is None else -value
        case nodes.Arithmetic():
            return _arithmetic(node, kind, world)
        case nodes.Call():
            return _call(node, kind, world)
    return _condition(node, world)


def _field(node, kind, world):
    request = world.request
    if node.of == "item":
        return _age(world.row, request["now"]) if node.name == "age" else world.row.get(node.name)
    if node.of == "ctx":
        return request["now"] if node.name == "now" else _fits(request["ctx"].get(node.name), kind)
    if node.of == "seed":
        seed = request["seed"] or {}
        return _age(seed, request["now"]) if node.name == "age" else seed.get(node.name)
    if node.name == "id":
        return request["user"].get("id")
    own = world.shop["kinds"]["user"][node.name]
    return _fits(request["user"].get(node.name), own)


def _age(row, now):
    created = row.get("created_at")
    return None if created is None or now is None else now - created


def _fits(value, kind):
    """Return a value of the request as a kind, None where it is not of it."""
    if isinstance(value, type(pd.NaT)):
        return None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and (value != value or abs(value) > 10**300):
        return None
    if kind == "number":
        return float(value) if is_number else None
    if kind == "flag":
        return value if isinstance(value, bool) else None
    if kind == "text":
        return value if isinstance(value, str) else None
    if kind in ("category", "id"):
        return value if is_number or isinstance(value, str) else None
    if kind == "time":
        if isinstance(value, datetime):
            return _ms(value if value.tzinfo else value.replace(tzinfo=UTC))
        return value if isinstance(value, int) and is_number else None
    if kind == "duration":
        return value / timedelta(milliseconds=1) if isinstance(value, timedelta) else None
    if kind == "set":
        return tuple(value) if isinstance(value, (list, tuple, set)) else None
    return value if isinstance(value, (bool, str)) or is_number else None


def _moment(text, timezone):
    moment = datetime.fromisoformat(text)
    return _ms(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone)))


def _ms(moment):
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _arithmetic(node, kind, world):
    kinds = [_kind(node.left, world), _kind(node.right, world)]
    wanted = kind or "number"
    if kinds[0] is None:
        kinds[0] = {"time": "duration" if wanted == "time" else "time"}.get(kinds[1], wanted) \
            if node.op in "+-" else "duration" if wanted == "duration" else "number"  # fmt: skip
    if kinds[1] is None:
        kinds[1] = {"time": "duration" if wanted == "time" else "time"}.get(kinds[0], wanted) \
            if node.op in "+-" else "number"  # fmt: skip
    left, right = (_value(s, k, world) for s, k in zip((node.left, node.right), kinds, strict=True))
    if left is None or right is None:
        return None
    if node.op == "/":
        return _finite(left / right) if right else None
    return _finite(left + right if node.op == "+" else left - right if node.op == "-"
                   else left * right)  # fmt: skip


def _finite(number):
    return number if math.isfinite(number) else None


def _call(node, kind, world):
    kinds = [_kind(arg, world) for arg in node.args]
    own = _shared(kinds) or (kind if node.name in ("min", "max", "abs") else None) or "number"
    args = [_value(arg, own, world) for arg in node.args]
    if None in args:
        return None
    if node.name in ("min", "max"):
        return (min if node.name == "min" else max)(args)
    if node.name == "abs":
        return abs(args[0])
    try:
        if node.name == "log1p":
            return _finite(math.log1p(args[0]))
        if node.name == "decay":
            return _finite(0.5 ** _known(_finite(args[0] / args[1])))
        share = _known(_finite((args[0] - args[1]) / (args[2] - args[1])))
    except (ArithmeticError, ValueError):
        return None
    return min(max(share, 0.0), 1.0)


def _known(number):
    if number is None:
        raise ArithmeticError
    return number


# -- conditions --------------------------------------------------------------------------------


def _condition(node, world):
    match node:
        case nodes.Flag():
            return node.value
        case nodes.Field() | nodes.Param():
            return _value(node, "flag", world)
        case nodes.And():
            return _and(_condition(arg, world) for arg in node.args)
        case nodes.Or():
            return _or(_condition(arg, world) for arg in node.args)
        case nodes.Not():
            return _not(_condition(node.value, world))
        case nodes.Compare():
            return _compare(node.op, node.left, node.right, world)
        case nodes.Between():
            kind = _shared([_kind(one, world) for one in (node.value, node.low, node.high)])
            value, low, high = (
                _value(one, kind or "number", world) for one in (node.value, node.low, node.high)
            )
            return _and((_tested(">=", value, low), _tested("<=", value, high)))
        case nodes.In():
            return _is_in(node, world)
        case nodes.Has():
            return _has(node, world)
        case nodes.StartsWith():
            value = _value(node.value, "text", world)
            return (
                None
                if value is None
                else isinstance(value, str) and value[: len(node.start)] == node.start
            )
        case nodes.IsUnknown():
            return _is_unknown(node.value, world)
        case nodes.Did():
            return _did(node, world)
    raise AssertionError(node)


def _is_unknown(node, world):
    if isinstance(node, nodes.Param) or (isinstance(node, nodes.Field) and node.of != "item"):
        if isinstance(node, nodes.Param):
            value = world.request["params"].get(node.name)
        elif node.of == "ctx" and node.name != "now":
            value = world.request["ctx"].get(node.name)
        else:
            value = _field(node, None, world)
        return value is None or value != value
    return _value(node, _kind(node, world), world) is None


def _compare(op, left, right, world):
    kinds = [_kind(left, world), _kind(right, world)]
    common = _shared(kinds) or ("number" if op not in ("=", "!=") else None)
    if common in COUNTED and "category" not in kinds and "id" not in kinds:
        pass
    elif common == "number":
        common = next(kind for kind in kinds if kind in ("category", "id"))
    a, b = _value(left, common, world), _value(right, common, world)
    return _tested(op, a, b)


def _tested(op, a, b):
    if a is None or b is None or isinstance(a, bool) != isinstance(b, bool):
        return None
    return {
        "=": lambda: a == b, "!=": lambda: a != b, "<": lambda: a < b,
        "<=": lambda: a <= b, ">": lambda: a > b, ">=": lambda: a >= b,
    }[op]()  # fmt: skip


def _is_in(node, world):
    if isinstance(node.members, tuple):
        kinds = {_kind(one, world) for one in (node.value, *node.members)} - {None}
        kind = kinds.pop() if len(kinds) == 1 else "category" if kinds else None
        value = _value(node.value, kind, world)
        return _or(_tested("=", value, _value(one, kind, world)) for one in node.members)
    kind = _kind(node.value, world) or "category"
    value = _value(node.value, kind, world)
    members = _members(node.members, kind, world)
    return None if value is None or members is None else value in members


def _members(node, kind, world):
    """Return the members of a list or set that comes by name, without those of another kind."""
    values = _value(node, "set", world)
    if values is None or (isinstance(node, nodes.Field) and node.of == "item" and not values):
        return None
    return [one for one in (_fits(value, kind) for value in values) if one is not None]


def _has(node, world):
    held = _members(node.value, "category", world)
    if isinstance(node.members, tuple):
        wanted = [_value(one, "category", world) for one in node.members]
    else:
        wanted = _members(node.members, "category", world)
    if held is None or wanted is None:
        return None
    there = [None if one is None else one in held for one in wanted]
    return {"ALL": _and, "ANY": _or, "NONE": lambda them: _not(_or(them))}[node.how.upper()](there)


def _did(node, world):
    request, item = world.request, world.row["id"]
    of_item = lambda events: [e for e in events if e[:2] == (item, node.event)]  # noqa: E731
    ever = of_item(request["past"])
    recent = [e for e in request["past"] if e[1] == node.event][-request["limit"] :]
    if node.within is None and node.times == 1:
        return bool(ever)
    if node.within is not None and request["now"] is None:
        return None if ever else False
    now = request["now"]
    since = None if node.within is None else now - _value(node.within, None, world)
    sure = sum(since is None or (t is not None and since < t <= now) for _, _, t in of_item(recent))
    untimed = 0 if since is None else sum(t is None for _, _, t in of_item(recent))
    if sure >= node.times:
        return True
    full = len(recent) == request["limit"]
    oldest = recent[0][2] if recent else None
    if full and (since is None or oldest is None or oldest > since):
        return None if ever else False
    return None if untimed and sure + untimed >= node.times else False
