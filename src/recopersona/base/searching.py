"""Search spaces: each parameter says next to its bound where good values of it lie."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import isfinite
from typing import Any

from recopersona.errors import ParameterError


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; made by `whole_range` and `real_range`.

    Parameters
    ----------
    low, high : int or float
    log : bool
        Whether steps are ratios: from 1 to 10 is then as far as from 10 to 100.
    whole : bool
        Whether only integers count.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __contains__(self, value: Any) -> bool:
        number = is_number(value) and (not self.whole or value == int(value))
        return number and bool(self.low <= value <= self.high)

    @property
    def ends(self) -> tuple[Any, ...]:
        """What must lie within the parameter's bound."""
        return self.low, self.high


@dataclass(frozen=True)
class Choice:
    """One of a few values; made by `choice`.

    Parameters
    ----------
    values : tuple
    """

    values: tuple[Any, ...]

    def __contains__(self, value: Any) -> bool:
        # True is no 1: a switch and a number are different choices.
        return any(type(value) is type(one) and value == one for one in self.values)

    @property
    def ends(self) -> tuple[Any, ...]:
        """What must lie within the parameter's bound."""
        return self.values


Search = Range | Choice
"""Where to look for the values of one parameter."""


def whole_range(low: int, high: int, *, log: bool = False) -> Range:
    """Say that integers from ``low`` to ``high`` are worth a try.

    Parameters
    ----------
    low, high : int
        Both included; alike, they are a space of one point.
    log : bool
        Whether steps are ratios; then ``low`` must be at least 1.

    Examples
    --------
    >>> whole_range(16, 256, log=True)
    Range(low=16, high=256, log=True, whole=True)
    """
    for name, end in (("low", low), ("high", high)):
        if not is_number(end) or end != int(end):
            raise ParameterError(f"whole_range: {name} must be an integer, got {end!r}.")
    return _ordered(Range(int(low), int(high), log, whole=True))


def real_range(low: float, high: float, *, log: bool = False) -> Range:
    """Say that numbers from ``low`` to ``high`` are worth a try.

    Parameters
    ----------
    low, high : float
        Both included; alike, they are a space of one point.
    log : bool
        Whether steps are ratios; then ``low`` must be above 0.

    Examples
    --------
    >>> 0.1 in real_range(0.001, 10, log=True)
    True
    """
    for name, end in (("low", low), ("high", high)):
        if not is_number(end):
            raise ParameterError(f"real_range: {name} must be a finite number, got {end!r}.")
    return _ordered(Range(float(low), float(high), log))


def choice(*values: Any) -> Choice:
    """Say that a few values are worth a try.

    Parameters
    ----------
    *values : text, number, True, False or None
        At least one; of more than one kind, if need be.

    Examples
    --------
    >>> choice(None, "7d", "30d")
    Choice(values=(None, '7d', '30d'))
    """
    if not values:
        raise ParameterError("choice needs at least one value, such as choice('cosine', 'bm25').")
    return Choice(values)


def search_space(model: Any) -> dict[str, Search]:
    """Return where to look for good parameters of a model, as the model itself declares it.

    Parameters
    ----------
    model : model, pipeline or any other part
        Parts of a part are reached through their names: ``als__factors``.

    Returns
    -------
    dict from a parameter's name, as ``set_params`` takes it, to `Range` or `Choice`.

    Examples
    --------
    >>> from recopersona.models.als import ALS
    >>> from recopersona.models.blend import Blend
    >>> from recopersona.models.linear import EASE
    >>> search_space(ALS())["factors"]
    Range(low=16, high=256, log=True, whole=True)
    >>> [name for name in search_space(Blend(models=[ALS(), EASE()])) if "reg" in name]
    ['als__reg', 'als__reg_exponent', 'ease__reg']
    """
    inner = {f"{name}__": part for name, part in model.get_params().items() if _declares(part)}
    return {
        prefix + field.name: field.metadata["search"]
        for prefix, part in {"": model, **inner}.items()
        for field in dataclasses.fields(part)
        if field.metadata.get("search") is not None
    }


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number, and no True or False."""
    try:
        return not isinstance(value, (bool, str, bytes)) and isfinite(value)
    except TypeError:
        return False


def _declares(part: Any) -> bool:
    """Tell whether something has parameters of its own, declared by `param`."""
    return hasattr(part, "get_params") and dataclasses.is_dataclass(part)


def _ordered(space: Range) -> Range:
    if space.low > space.high:
        raise ParameterError(
            f"a range goes from low to high, got {space.low:g} to {space.high:g}; swap them."
        )
    if space.log and space.low <= 0:
        raise ParameterError(
            f"a range with log=True must begin above 0, got {space.low:g}; raise it or leave log."
        )
    return space
