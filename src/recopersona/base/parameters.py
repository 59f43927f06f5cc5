"""Parameters declared once, with their bound; checked by one function, with one sentence of error.

A class body says ``factors: int = param(whole(at_least=1), default=64)`` and nothing else: the
constructor, its signature, scikit-learn's ``get_params`` and the check all follow from that line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np

from recopersona.base.searching import Choice, Range, Search
from recopersona.data.times import duration_ms
from recopersona.errors import ParameterError, did_you_mean

T = TypeVar("T")


@dataclass(frozen=True)
class Bound:
    """What a parameter may be, in words and as a test.

    ``choices`` are the words that a text parameter may be, for suggesting the nearest.
    """

    words: str
    holds: Callable[[Any], bool]
    choices: tuple[str, ...] = ()


def param(bound: Bound | None = None, *, default: T, search: Search | None = None) -> T:
    """Declare a parameter of a model: a keyword argument of its constructor.

    Parameters
    ----------
    bound : Bound, optional
        Made by `whole`, `real`, `one_of`, `duration`, `switch` or `optional`.
    default : anything
        Shared by all instances, so never changed by the model.
    search : Range or Choice, optional
        Where good values lie, for tuning: made by `whole_range`, `real_range` or `choice`. It must
        lie within the bound and hold the default; without it the parameter is not searched.

    Examples
    --------
    >>> from recopersona.base.recommender import Recommender
    >>> from recopersona.base.searching import real_range
    >>> class Constant(Recommender):
    ...     level: float = param(real(at_least=0), default=1.0, search=real_range(0, 5))
    >>> Constant(level=2.0)
    Constant(level=2.0)
    """
    if not isinstance(bound, Bound | None):
        raise TypeError(f"param takes a bound such as whole(at_least=1) first, got {bound!r}.")
    if search is not None:
        _check_search(search, bound, default)
    metadata = {"bound": bound, "search": search}
    field: T = dataclasses.field(default=default, metadata=metadata)
    return field


def whole(at_least: int | None = None, at_most: int | None = None) -> Bound:
    """An integer between bounds that it may reach.

    Examples
    --------
    >>> whole(at_least=1).words
    'an integer of at least 1'
    """
    limits = _limits([("at least", at_least), ("at most", at_most)])

    def holds(value: Any) -> bool:
        return (
            isinstance(value, (int, np.integer))
            and not isinstance(value, bool)
            and (at_least is None or bool(value >= at_least))
            and (at_most is None or bool(value <= at_most))
        )

    return Bound(f"an integer{limits}", holds)


def real(
    at_least: float | None = None, above: float | None = None, at_most: float | None = None
) -> Bound:
    """A finite number between bounds: it may reach the outer ones, but not ``above``.

    Examples
    --------
    >>> rate = real(above=0, at_most=1)
    >>> rate.holds(1.0), rate.holds(0.0)
    (True, False)
    """
    limits = _limits([("at least", at_least), ("above", above), ("at most", at_most)])

    def holds(value: Any) -> bool:
        return (
            isinstance(value, (int, float, np.integer, np.floating))
            and not isinstance(value, bool)
            and bool(np.isfinite(value))
            and (at_least is None or bool(value >= at_least))
            and (above is None or bool(value > above))
            and (at_most is None or bool(value <= at_most))
        )

    return Bound(f"a finite number{limits}", holds)


def one_of(*choices: str) -> Bound:
    """One of a few words.

    Examples
    --------
    >>> one_of("cosine", "bm25").words
    "one of 'cosine', 'bm25'"
    """
    words = ", ".join(repr(choice) for choice in choices)
    return Bound(f"one of {words}", lambda value: value in choices, choices)


def duration() -> Bound:
    """A length of time such as ``"7d"``, or a timedelta.

    Examples
    --------
    >>> duration().holds("1.5h"), duration().holds("-7d")
    (True, False)
    """

    def holds(value: Any) -> bool:
        try:
            return isinstance(value, (str, timedelta)) and duration_ms(value) > 0
        except ParameterError:
            return False

    return Bound("a duration such as '30min', '12h', '7d' or '2w', or a timedelta", holds)


def switch() -> Bound:
    """True or False.

    Examples
    --------
    >>> switch().holds(True), switch().holds(1)
    (True, False)
    """
    return Bound("True or False", lambda value: isinstance(value, (bool, np.bool_)))


def mapping(words: str) -> Bound:
    """A mapping; the words say from what to what."""
    return Bound(f"a mapping {words}", lambda value: isinstance(value, Mapping))


def seed() -> Bound:
    """What scikit-learn's ``random_state`` may be."""

    def holds(value: Any) -> bool:
        whole_number = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        return (
            value is None
            or isinstance(value, np.random.RandomState)
            or (whole_number and 0 <= value < 2**32)
        )

    return Bound("None, an integer from 0 to 2**32 - 1 or a RandomState", holds)


def optional(bound: Bound) -> Bound:
    """The same, or None.

    Examples
    --------
    >>> optional(duration()).holds(None)
    True
    """
    return Bound(
        f"{bound.words}, or None", lambda value: value is None or bound.holds(value), bound.choices
    )


def check(value: Any, bound: Bound, owner: str, name: str) -> None:
    """Raise the one sentence if a value is out of bounds.

    Examples
    --------
    >>> check(0, whole(at_least=1), "ALS", "factors")
    Traceback (most recent call last):
    recopersona.errors.ParameterError: ALS: factors must be an integer of at least 1, got 0.
    """
    if not _holds(bound, value):
        hint = did_you_mean(value, bound.choices) if isinstance(value, str) else ""
        raise ParameterError(f"{owner}: {name} must be {bound.words}, got {value!r}{hint or '.'}")


def check_parameters(estimator: Any) -> None:
    """Check every declared parameter of an estimator."""
    for field in dataclasses.fields(estimator):
        bound = field.metadata.get("bound")
        if bound is not None:
            check(getattr(estimator, field.name), bound, type(estimator).__name__, field.name)


def declare_parameters(cls: type) -> None:
    """Give a class the constructor that its declared parameters describe.

    Only lines that end in ``param(...)`` are parameters; other annotations are left alone. A class
    that writes its own ``__init__`` keeps it.
    """
    own = vars(cls).get("__annotations__", {})
    declared = {
        name: hint
        for name, hint in own.items()
        if isinstance(vars(cls).get(name), dataclasses.Field)
    }
    cls.__annotations__ = declared
    dataclass(kw_only=True, eq=False, repr=False)(cls)
    cls.__annotations__ = own


def generator(random_state: Any) -> np.random.Generator:
    """Return numpy's generator for scikit-learn's ``random_state``."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(0, 2**32, size=4, dtype=np.uint32))
    return np.random.default_rng(random_state)


def _check_search(search: Search, bound: Bound | None, default: Any) -> None:
    """Refuse a space that leads out of the bound, or does not hold the default."""
    if not isinstance(search, (Range, Choice)):
        raise TypeError(f"search must be made by whole_range, real_range or choice, got {search!r}")
    outside = [end for end in search.ends if bound is not None and not _holds(bound, end)]
    if outside and bound is not None:
        raise ParameterError(f"a search space must be {bound.words}, got {outside[0]!r} in it.")
    if default not in search:
        raise ParameterError(f"a search space must hold the default, {default!r}; got {search}.")


def _holds(bound: Bound, value: Any) -> bool:
    try:
        return bool(bound.holds(value))
    except ParameterError:  # it says what is wrong more exactly than the bound's words
        raise
    except (TypeError, ValueError):
        return False


def _limits(limits: list[tuple[str, float | None]]) -> str:
    said = [f"{words} {limit:g}" for words, limit in limits if limit is not None]
    if not said:
        return ""
    return f" {' and '.join(said)}" if said[0].startswith("above") else f" of {' and '.join(said)}"


def are_counts(value: Any) -> bool:
    """Tell whether a value from a file is what counts by reason are."""
    return isinstance(value, dict) and all(
        isinstance(name, str) and type(count) is int and count >= 0 for name, count in value.items()
    )
