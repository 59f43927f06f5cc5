"""The seven kinds of rules as Python writes them: ``Require(item.stock > 0, name="in_stock")``.

Each of these functions returns one frozen node of `recopersona.rules.nodes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypedDict, TypeVar, Unpack

from recopersona.errors import RuleError, did_you_mean, hint, shown
from recopersona.rules import nodes
from recopersona.rules.forms.building import field_of, of_request, value_of
from recopersona.rules.forms.plain_values import listed, moment, name_from, percent, whole
from recopersona.rules.forms.python import bare
from recopersona.rules.limits import MOST_COUNT, excess_of
from recopersona.rules.nodes import Amount, During, Expression, Field, Node, Window

_Read = TypeVar("_Read")


class Modifiers(TypedDict, total=False):
    """What every kind of rule takes.

    name : a word by which reports speak of the rule: letters, digits and ``_``
    when : a condition of the user, the request, the seed item: decided once per request
    during : its first and its last day (or moments); None leaves an end open
    unknown : ``"apply"`` or ``"skip"``: what to do where ``when`` (or, without one, the condition)
        is unknown
    priority : of two rules that cannot both be met, the one with the higher number is
    strict : raise an error instead of a report where it cannot be met
    """

    name: str | None
    when: Any
    during: tuple[Any, Any] | None
    unknown: str | None
    priority: int
    strict: bool


def Require(where: Any, **modifiers: Unpack[Modifiers]) -> nodes.Require:  # noqa: N802
    """Show only what meets a condition.

    Parameters
    ----------
    where : Term
        A condition, such as ``item.stock > 0``.
    **modifiers
        ``name``, ``when``, ``during``, ``unknown``, ``priority``, ``strict``; see `Modifiers`.

    Raises
    ------
    RuleError
        If a part is not what it should be.

    Examples
    --------
    >>> from recopersona.rules import item, RuleSet
    >>> print(RuleSet(Require(item.stock > 0, name="in_stock")))
    RULE in_stock: REQUIRE item.stock > 0
    """
    return nodes.Require(where=_condition("Require", where), **_modifiers("Require", modifiers))


def Exclude(where: Any, **modifiers: Unpack[Modifiers]) -> nodes.Exclude:  # noqa: N802
    """Show nothing that meets a condition; the parameters are those of `Require`.

    Examples
    --------
    >>> from recopersona.rules import item, user, RuleSet
    >>> print(RuleSet(Exclude(item.adult, when=user.age < 18, unknown="apply")))
    EXCLUDE item.adult WHEN user.age < 18 IF UNKNOWN APPLY
    """
    return nodes.Exclude(where=_condition("Exclude", where), **_modifiers("Exclude", modifiers))


def Boost(where: Any = None, *, by: Any = None, **modifiers: Unpack[Modifiers]) -> nodes.Boost:  # noqa: N802
    """Multiply the odds of what meets a condition; without one, of everything.

    Parameters
    ----------
    where : Term, optional
    by : number or Term
        Above 1 moves up; ``decay(item.age, "30d")`` differs from item to item.
    **modifiers
        ``name``, ``when``, ``during``, ``unknown``, ``priority``, ``strict``; see `Modifiers`.

    Raises
    ------
    RuleError
        If a part is not what it should be.

    Examples
    --------
    >>> from recopersona.rules import decay, item, RuleSet
    >>> print(RuleSet(Boost(item.discount > 0, by=1.3, during=("2026-07-01", "2026-07-31"))))
    BOOST item.discount > 0 BY 1.3 DURING 2026-07-01..2026-07-31
    >>> print(RuleSet(Boost(by=1 + decay(item.age, "30d"))))
    BOOST BY 1 + decay(item.age, 30d)
    """
    condition = None if where is None else _condition("Boost", where)
    return nodes.Boost(where=condition, by=_factor("Boost", by), **_modifiers("Boost", modifiers))


def Bury(where: Any = None, *, by: Any = None, **modifiers: Unpack[Modifiers]) -> nodes.Bury:  # noqa: N802
    """Divide the odds of what meets a condition; the parameters are those of `Boost`.

    Examples
    --------
    >>> from recopersona.rules import item, RuleSet
    >>> print(RuleSet(Bury(item.returned > "20%", by=2)))
    BURY item.returned > 20% BY 2
    """
    condition = None if where is None else _condition("Bury", where)
    return nodes.Bury(where=condition, by=_factor("Bury", by), **_modifiers("Bury", modifiers))


def Pin(where: Any, *, at: Any = None, **modifiers: Unpack[Modifiers]) -> nodes.Pin:  # noqa: N802
    """Put what meets a condition into some slots, best first.

    Parameters
    ----------
    where : Term
    at : int or list of int
        Slots, counted from 1.
    **modifiers
        ``name``, ``when``, ``during``, ``unknown``, ``priority``, ``strict``; see `Modifiers`.

    Raises
    ------
    RuleError
        If a part is not what it should be.

    Examples
    --------
    >>> from recopersona.rules import item, RuleSet
    >>> print(RuleSet(Pin(item.sponsored, at=[3, 7])))
    PIN item.sponsored AT 3, 7
    """
    if at is None:
        raise RuleError("Pin needs at=, a slot or several, counted from 1, such as at=3.")
    slots = _part("Pin", "at", slots_of, at)
    return nodes.Pin(where=_condition("Pin", where), slots=slots, **_modifiers("Pin", modifiers))


def Limit(  # noqa: N802
    n: Any,
    *,
    per: Any = None,
    top: int | None = None,
    consecutive: int | None = None,
    where: Any = None,
    **modifiers: Unpack[Modifiers],
) -> nodes.Limit:
    """Show at most so many, of each value of a field or of what meets a condition, or both.

    Parameters
    ----------
    n : int or str
        So many items, or a share such as ``"20%"``.
    per : Term, optional
        A field, such as ``item.brand``.
    top, consecutive : int, optional
        Count in the first so many slots, or in any so many in a row; without both, on the page.
    where : Term, optional
    **modifiers
        ``name``, ``when``, ``during``, ``unknown``, ``priority``, ``strict``; see `Modifiers`.

    Raises
    ------
    RuleError
        If a part is not what it should be.

    Examples
    --------
    >>> from recopersona.rules import item, RuleSet
    >>> print(RuleSet(Limit(2, per=item.brand, top=10)))
    LIMIT 2 PER item.brand IN TOP 10
    """
    if per is None and where is None:
        raise RuleError("Limit needs per=, such as per=item.brand, or where=, or both.")
    return nodes.Limit(
        amount=_part("Limit", "n", amount_of, n),
        per=None if per is None else _part("Limit", "per", key_of, bare(per)),
        window=_window("Limit", top, consecutive),
        where=None if where is None else _condition("Limit", where),
        **_modifiers("Limit", modifiers),
    )


def Ensure(  # noqa: N802
    n: Any,
    where: Any,
    *,
    top: int | None = None,
    consecutive: int | None = None,
    **modifiers: Unpack[Modifiers],
) -> nodes.Ensure:
    """Show at least so many of what meets a condition.

    Parameters
    ----------
    n : int or str
        So many items, or a share such as ``"20%"``.
    where : Term
    top, consecutive : int, optional
        Count in the first so many slots, or in any so many in a row; without both, on the page.
    **modifiers
        ``name``, ``when``, ``during``, ``unknown``, ``priority``, ``strict``; see `Modifiers`.

    Raises
    ------
    RuleError
        If a part is not what it should be.

    Examples
    --------
    >>> from recopersona.rules import item, RuleSet
    >>> print(RuleSet(Ensure("20%", item.age <= "30d", name="fresh_share")))
    RULE fresh_share: ENSURE 20% WHERE item.age <= 30d
    """
    return nodes.Ensure(
        amount=_part("Ensure", "n", amount_of, n),
        where=_condition("Ensure", where),
        window=_window("Ensure", top, consecutive),
        **_modifiers("Ensure", modifiers),
    )


# -- parts, as Python and JSON give them -------------------------------------------------------


def amount_of(given: Any) -> Amount:
    """Read so many items, or a share: ``2``, ``"20%"``."""
    if isinstance(given, str):
        share = percent(given)
        if share.value > 100:
            raise RuleError(f"expected a share from 0% to 100%, got {shown(given)}.")
        return share
    try:
        return whole(given)
    except RuleError:
        raise RuleError(
            f"expected a whole number of items or a share such as '20%', got {shown(given)}."
        ) from None


def slots_of(given: Any) -> tuple[int, ...]:
    """Read slots: ``3``, ``[3, 7]``."""
    many = isinstance(given, Iterable) and not isinstance(given, (str, bytes, dict))
    slots = tuple(whole(slot, 1) for slot in (listed(given) if many else [given]))
    if len(set(slots)) < len(slots):
        raise RuleError(f"a slot is named twice in {shown(list(slots))}.")
    return slots


def key_of(given: Any) -> Field:
    """Read a field: ``item.brand``, bare or as text."""
    if isinstance(given, Field):
        return given
    if isinstance(given, Node):
        raise RuleError("expected a field such as item.brand, not something made of fields.")
    return field_of(given)


def window_of(kind: Any, size: Any) -> Window:
    """Read where amounts are counted."""
    return Window(kind, whole(size, 1))


def during_of(given: Any) -> During:
    """Read two dates, None for an open end."""
    if isinstance(given, During):
        return given
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise RuleError(
            "expected a first and a last day, such as ('2026-07-01', '2026-07-31'), "
            f"with None for an open end, got {shown(given)}."
        )
    start, end = (None if one is None else moment(one) for one in given)
    if start is None and end is None:
        raise RuleError("expected at least one day: a rule without dates is always in force.")
    return During(start, end)


def unknown_of(given: Any) -> nodes.Unknown:
    """Read what to do where a condition is unknown."""
    if isinstance(given, str) and given in ("apply", "skip"):
        return "apply" if given == "apply" else "skip"
    near = did_you_mean(given, ("apply", "skip")) if isinstance(given, str) else ""
    raise RuleError(f"expected 'apply' or 'skip', got {shown(given)}{near}.")


def flag_of(given: Any) -> bool:
    """Read True or False."""
    if not isinstance(given, bool):
        raise RuleError(f"expected True or False, got {shown(given)}.")
    return given


def priority_of(given: Any) -> int:
    """Read a whole number."""
    return whole(given, -MOST_COUNT)


def label_of(given: Any) -> str:
    """Read the name of a rule."""
    return name_from(given, "a name")


MODIFIERS = {
    "name": label_of,
    "during": during_of,
    "unknown": unknown_of,
    "priority": priority_of,
    "strict": flag_of,
}
"""How the modifiers that are no conditions are read."""


def _modifiers(rule: str, given: Modifiers) -> dict[str, Any]:
    known = (*MODIFIERS, "when")
    for key in given:
        if key not in known:
            raise RuleError(f"{rule} takes no {key}={hint(key, known, 'it takes')}")
    found = {
        key: _part(rule, key, read, given[key])  # type: ignore[literal-required]
        for key, read in MODIFIERS.items()
        if given.get(key) is not None
    }
    when = given.get("when")
    if when is not None:
        found["when"] = _part(rule, "when", of_request, _condition(f"{rule}: when", when))
    return found


def _condition(rule: str, given: Any) -> Expression:
    given = bare(given)
    if not isinstance(given, (Node, bool)):
        raise RuleError(
            f"{rule} needs a condition such as item.stock > 0, without quotes, got {shown(given)}."
        )
    return _small(rule, value_of(given))


def _small(rule: str, given: Expression) -> Expression:
    """Refuse what shares so many parts that going through it would not end."""
    if problem := excess_of(given):
        raise RuleError(f"{rule}: {problem}")
    return given


def _factor(rule: str, by: Any) -> Expression:
    if by is None:
        raise RuleError(f"{rule} needs by=, a factor such as by=1.3.")
    return _small(rule, _part(rule, "by", lambda value: value_of(value, True), bare(by)))


def _window(rule: str, top: Any, consecutive: Any) -> Window | None:
    if top is not None and consecutive is not None:
        raise RuleError(f"{rule} counts in the top or in consecutive slots; give one of the two.")
    if top is not None:
        return _part(rule, "top", lambda size: window_of("top", size), top)
    if consecutive is not None:
        return _part(rule, "consecutive", lambda size: window_of("any", size), consecutive)
    return None


def _part(rule: str, key: str, read: Callable[[Any], _Read], given: Any) -> _Read:
    try:
        return read(given)
    except RuleError as problem:
        raise RuleError(f"{rule}: {key}: {problem.problem}") from None
