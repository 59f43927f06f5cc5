"""Rules in Python: ``item.stock > 0`` makes the nodes that the text makes.

Python evaluates ``and``, ``or``, ``not``, ``in`` and ``a < x < b`` at once, by asking for a truth
value; a condition has none yet. So these raise and say what to write, and never mean anything else.
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

import numpy as np

from recopersona.errors import RuleError, shown
from recopersona.rules.forms import building
from recopersona.rules.forms.plain_values import listed
from recopersona.rules.limits import MOST_DEPTH, TOO_DEEP
from recopersona.rules.nodes import (
    ORDERS,
    And,
    Expression,
    Flag,
    IsUnknown,
    Members,
    Node,
    Not,
    Or,
    all_of,
    any_of,
    negative,
)
from recopersona.rules.parts import parts_of

_NO_TRUTH = (
    "a condition is true or false only for an item, not in Python: write & | ~ for and, or, not, "
    "x.between(a, b) for a <= x <= b, x.is_in([...]) for in, minimum and maximum for min and max, "
    "and brackets around each comparison."
)

_BRACKETS = "put each comparison in brackets: (item.stock > 0) & (item.price < 5)."


class Term:
    """A part of a rule, written with Python's operators.

    Examples
    --------
    >>> (item.stock > 0) & ~item.brand.is_in(["acme"])
    item.stock > 0 AND item.brand NOT IN ("acme")
    >>> if item.stock > 0: ...
    Traceback (most recent call last):
    recopersona.errors.RuleError: a condition is true or false only for an item, not in Python: ...
    """

    __slots__ = ("_depth", "node")
    __array_ufunc__: ClassVar[None] = None  # numpy's numbers leave operators to us

    def __init__(self, node: Expression, depth: int | None = None) -> None:
        self.node = node
        self._depth = _depth_of(node) if depth is None else depth
        if self._depth > MOST_DEPTH:
            raise RuleError(TOO_DEEP)

    def __repr__(self) -> str:
        from recopersona.rules.text.printing import print_expression

        return print_expression(self.node)

    # -- comparisons --------------------------------------------------------------------------

    def __eq__(self, other: object) -> Term:  # type: ignore[override]
        return self._compared("=", other)

    def __ne__(self, other: object) -> Term:  # type: ignore[override]
        return self._compared("!=", other)

    def __lt__(self, other: object) -> Term:
        return self._compared("<", other)

    def __le__(self, other: object) -> Term:
        return self._compared("<=", other)

    def __gt__(self, other: object) -> Term:
        return self._compared(">", other)

    def __ge__(self, other: object) -> Term:
        return self._compared(">=", other)

    def _compared(self, op: str, other: object) -> Term:
        if isinstance(other, (list, tuple, set, frozenset)):
            raise RuleError("a value is compared with one other; for a list write x.is_in([...]).")
        _refuse_loose_brackets(op, self.node, bare(other))
        return self._with(building.compare(op, self.node, bare(other)), other)

    def between(self, low: Any, high: Any) -> Term:
        """``x BETWEEN low AND high``, both ends included."""
        return self._with(building.between(self.node, bare(low), bare(high)), low, high)

    def is_in(self, members: Any) -> Term:
        """``x IN (a, b)``: a list, a parameter, or a field that holds a set."""
        return self._new(building.is_in(self.node, _members(members)))

    def has_any(self, members: Any) -> Term:
        """``x HAS ANY (a, b)``, of a field that holds a set."""
        return self._new(building.has(self.node, "any", _members(members)))

    def has_all(self, members: Any) -> Term:
        """``x HAS ALL (a, b)``, of a field that holds a set."""
        return self._new(building.has(self.node, "all", _members(members)))

    def has_none(self, members: Any) -> Term:
        """``x HAS NONE (a, b)``, of a field that holds a set."""
        return self._new(building.has(self.node, "none", _members(members)))

    def starts_with(self, start: str) -> Term:
        """``x STARTS WITH "text"``, case and all."""
        return self._with(building.starts_with(self.node, start))

    def is_unknown(self) -> Term:
        """``x IS UNKNOWN``."""
        return self._with(IsUnknown(self.node))

    def is_known(self) -> Term:
        """``x IS NOT UNKNOWN``."""
        return ~self.is_unknown()

    # -- logic --------------------------------------------------------------------------------

    def __and__(self, other: object) -> Term:
        return _joined(And, self, other)

    def __rand__(self, other: object) -> Term:
        return _joined(And, other, self)

    def __or__(self, other: object) -> Term:
        return _joined(Or, self, other)

    def __ror__(self, other: object) -> Term:
        return _joined(Or, other, self)

    def __invert__(self) -> Term:
        return self._with(Not(self.node))

    # -- arithmetic ---------------------------------------------------------------------------

    def __add__(self, other: object) -> Term:
        return self._with(building.arithmetic("+", self.node, bare(other)), other)

    def __radd__(self, other: object) -> Term:
        return self._with(building.arithmetic("+", bare(other), self.node), other)

    def __sub__(self, other: object) -> Term:
        return self._with(building.arithmetic("-", self.node, bare(other)), other)

    def __rsub__(self, other: object) -> Term:
        return self._with(building.arithmetic("-", bare(other), self.node), other)

    def __mul__(self, other: object) -> Term:
        return self._with(building.arithmetic("*", self.node, bare(other)), other)

    def __rmul__(self, other: object) -> Term:
        return self._with(building.arithmetic("*", bare(other), self.node), other)

    def __truediv__(self, other: object) -> Term:
        return self._with(building.arithmetic("/", self.node, bare(other)), other)

    def __rtruediv__(self, other: object) -> Term:
        return self._with(building.arithmetic("/", bare(other), self.node), other)

    def __neg__(self) -> Term:
        return self._with(negative(self.node))

    def __pos__(self) -> Term:
        return self

    def __abs__(self) -> Term:
        return absolute(self)

    # -- what Python asks, and no condition can answer ------------------------------------------

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise RuleError(_NO_TRUTH)

    def __contains__(self, member: object) -> bool:
        raise RuleError(f"write x.has_any([{shown(member)}]) for {shown(member)} in x.")

    def __iter__(self) -> NoReturn:
        raise RuleError("a part of a rule holds no values to go through.")

    def _with(self, node: Expression, *others: object) -> Term:
        """Return a node made of this term and others, one level deeper than the deepest."""
        depths = [other._depth for other in others if isinstance(other, Term)]
        return Term(node, 1 + max([self._depth, 1, *depths]))

    def _new(self, node: Expression) -> Term:
        return Term(node)


def _depth_of(node: Expression) -> int:
    return 1 + max(map(_depth_of, parts_of(node)), default=0)


def bare(given: Any) -> Any:
    """Return the node of a term, and anything else as it is."""
    if isinstance(given, Term):
        return given.node
    if isinstance(given, Fields):
        raise RuleError(f"{given!r} alone is no value; name a column, such as {given!r}.price.")
    return given


def _members(given: Any) -> Members | list[Any] | Any:
    given = bare(given)
    if isinstance(given, Node):
        return given
    return [bare(one) for one in listed(given)]


def _refuse_loose_brackets(op: str, *sides: Any) -> None:
    """``item.a & item.b > 3`` is ``(item.a & item.b) > 3`` to Python, and nobody means that."""
    joined = any(isinstance(side, (And, Or)) for side in sides)
    if joined and (op in ORDERS or not isinstance(sides[1], (Node, bool, np.bool_))):
        raise RuleError(f"& and | bind tighter than comparisons; {_BRACKETS}")


def _joined(kind: type[And] | type[Or], *sides: object) -> Term:
    nodes, depth = [], 0
    for side in sides:
        if isinstance(side, (bool, np.bool_)):
            side = Term(Flag(bool(side)), 1)
        if not isinstance(side, Term):
            raise RuleError(f"& and | join conditions, got {shown(side)}; {_BRACKETS}")
        nodes.append(side.node)
        depth = max(depth, side._depth if isinstance(side.node, kind) else 1 + side._depth)
    return Term(all_of(*nodes) if kind is And else any_of(*nodes), depth)


class Fields:
    """The columns of items, of users, of the request: ``item.price``, ``item["product group"]``.

    Any name is a column's name, but for those that begin with ``_``: these Python asks for itself,
    so such columns are written in brackets.
    """

    __slots__ = ("_of",)

    def __init__(self, of: str) -> None:
        self._of = of

    def __getattr__(self, name: str) -> Term:
        if name.startswith("_"):
            raise AttributeError(f"write {self!r}[{name!r}] for a column whose name begins with _.")
        return self[name]

    def __getitem__(self, name: str) -> Term:
        return Term(building.field(self._of, name), 1)

    def __repr__(self) -> str:
        return self._of

    def __reduce__(self) -> tuple[Any, ...]:
        return Fields, (self._of,)

    def __eq__(self, other: object) -> bool:
        """Raise: ``item == "sku-1"`` would be False, and nobody means that."""
        bare(self)
        return NotImplemented

    __hash__ = object.__hash__
    __iter__ = None
    __contains__ = None


item = Fields("item")
"""The columns of the item that is judged: ``item.stock``."""

user = Fields("user")
"""What is known of the user: ``user.age``."""

ctx = Fields("ctx")
"""What is known of the request: ``ctx.device``, ``ctx.now``."""

seed = Fields("seed")
"""The columns of the item whose page it is: ``seed.brand``."""


def param(name: str) -> Term:
    """Return ``$name``, a value that is given later.

    Examples
    --------
    >>> item.margin >= param("floor")
    item.margin >= $floor
    """
    return Term(building.param(name), 1)


def did(event: str, within: Any = None, at_least: int = 1) -> Term:
    """Return whether this user did something with this item.

    Parameters
    ----------
    event : str
        A kind of event, such as ``"purchase"``.
    within : str or timedelta, optional
        How long ago at most, such as ``"90d"``.
    at_least : int
        How many times.

    Examples
    --------
    >>> did("purchase", within="90d", at_least=2)
    DID purchase AT LEAST 2 TIMES WITHIN 90d
    """
    return Term(building.did(event, at_least, within))


def ramp(value: Any, start: Any, end: Any) -> Term:
    """Return how far a value is on its way from ``start`` to ``end``, from 0 to 1.

    Examples
    --------
    >>> ramp(item.price, 10, 20)
    ramp(item.price, 10, 20)
    """
    return _call("ramp", value, start, end)


def decay(value: Any, half: Any) -> Term:
    """Return 0.5 to the power of value / half: 1 at nothing, and half as much every ``half``.

    Examples
    --------
    >>> decay(item.age, "30d")
    decay(item.age, 30d)
    """
    return _call("decay", value, half)


def minimum(*values: Any) -> Term:
    """Return the smallest of some values.

    Examples
    --------
    >>> minimum(item.discount, "50%")
    min(item.discount, 50%)
    """
    return _call("min", *values)


def maximum(*values: Any) -> Term:
    """Return the largest of some values.

    Examples
    --------
    >>> maximum(item.margin, 0)
    max(item.margin, 0)
    """
    return _call("max", *values)


def absolute(value: Any) -> Term:
    """Return a value without its sign; Python's ``abs`` does the same.

    Examples
    --------
    >>> absolute(item.price - user.usual_price) < 5
    abs(item.price - user.usual_price) < 5
    """
    return _call("abs", value)


def log1p(value: Any) -> Term:
    """Return the natural logarithm of 1 + value.

    Examples
    --------
    >>> log1p(item.sold)
    log1p(item.sold)
    """
    return _call("log1p", value)


def _call(name: str, *args: Any) -> Term:
    return Term(building.call(name, [bare(arg) for arg in args]))
