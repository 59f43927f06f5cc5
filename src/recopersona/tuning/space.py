"""Where a search looks: what models declare or a caller says, in Optuna's words and as points."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, prod
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from recopersona.base.parameters import check
from recopersona.base.searching import (
    Choice,
    Range,
    Search,
    choice,
    is_number,
    real_range,
    search_space,
    whole_range,
)
from recopersona.errors import ParameterError, hint, shown

_PLAIN = (type(None), bool, int, float, str)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True, eq=False)
class Space:
    """The parameters that are searched, each with where to look.

    searched  the search of each parameter
    labels    of each choice, what Optuna calls its values
    """

    searched: Mapping[str, Search]
    labels: Mapping[str, tuple[Any, ...]]

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The same in Optuna's words."""
        return {name: self._distribution(name) for name in self.searched}

    @property
    def n_points(self) -> float:
        """How many points there are; infinitely many where a range is of real numbers."""
        return prod(_size(search) for search in self.searched.values())

    def values(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters as `set_params` takes them."""
        return {
            name: search.values[self.labels[name].index(drawn[name])]
            if isinstance(search, Choice)
            else drawn[name]
            for name, search in self.searched.items()
        }

    def nearest(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the point next to some parameters, in Optuna's words."""
        return {name: self._nearest(name, params[name]) for name in self.searched}

    def axes(self, most: float = inf) -> dict[str, list[Any]]:
        """Return the values of each parameter, at most so many of a range, in Optuna's words."""
        return {
            name: list(self.labels[name]) if isinstance(search, Choice) else _spaced(search, most)
            for name, search in self.searched.items()
        }

    def written(self) -> dict[str, str]:
        """Return the space as text that is the same in every process."""
        return {
            name: f"choice{self.labels[name]!r}" if isinstance(search, Choice) else repr(search)
            for name, search in self.searched.items()
        }

    def _distribution(self, name: str) -> BaseDistribution:
        search = self.searched[name]
        if isinstance(search, Choice):
            return CategoricalDistribution(self.labels[name])
        if search.whole:
            return IntDistribution(int(search.low), int(search.high), log=search.log)
        return FloatDistribution(search.low, search.high, log=search.log)

    def _nearest(self, name: str, value: Any) -> Any:
        search = self.searched[name]
        if isinstance(search, Choice):
            return self.labels[name][search.values.index(value) if value in search else 0]
        if not is_number(value):
            return search.low
        inside = min(max(value, search.low), search.high)
        return int(inside) if search.whole else float(inside)


def read_space(model: Any, space: Any) -> Space:
    """Return where to look for the parameters of a model: as said, else as it declares itself.

    Raises
    ------
    ParameterError
        If the model has no such parameter, or may not have such values.
    """
    said = search_space(model) if space is None else space
    if not isinstance(said, Mapping):
        raise ParameterError(
            "tune: space must be a mapping such as {'factors': choice(16, 32)}, "
            f"got {shown(space)}."
        )
    known = model.get_params()
    searched = {}
    for name, where in said.items():
        if name not in known:
            kind = type(model).__name__
            raise ParameterError(f"tune: {kind} has no parameter {name!r}{hint(name, known)}")
        searched[name] = _as_search(name, where, known[name])
        _check_ends(model, known, name, searched[name])
    labels = {
        name: _labels(search.values)
        for name, search in searched.items()
        if isinstance(search, Choice)
    }
    return Space(searched, labels)


def written(value: Any) -> str:
    """Write a value alike in every process: without addresses.

    Examples
    --------
    >>> written(written)
    '<function written>'
    """
    return _ADDRESS.sub("", repr(value))


def _as_search(name: str, where: Any, present: Any) -> Search:
    """Read a search: declared, a tuple (low, high[, "log"]), a list of values, or one value."""
    if isinstance(where, (Range, Choice)):
        return where
    if isinstance(where, list):
        return choice(*where)
    if not isinstance(where, tuple):
        return choice(where)
    low, high, *rest = (*where, None, None)[: max(2, len(where))]
    if not (is_number(low) and is_number(high) and rest in ([], ["log"])):
        raise ParameterError(
            f"tune: a tuple in space is (low, high) or (low, high, 'log'), got {where!r} for "
            f"{name}; write a list for values to choose from."
        )
    whole = all(isinstance(end, (int, np.integer)) for end in (low, high))
    if whole and not isinstance(present, (float, np.floating)):
        return whole_range(low, high, log=bool(rest))
    return real_range(low, high, log=bool(rest))


def _check_ends(model: Any, known: Mapping[str, Any], name: str, search: Search) -> None:
    """Refuse values that the parameter cannot have before anything is fitted."""
    owner_name, _, own = name.rpartition("__")
    owner = known[owner_name] if owner_name else model
    fields = dataclasses.fields(owner) if dataclasses.is_dataclass(owner) else ()
    bounds = {field.name: field.metadata.get("bound") for field in fields}
    if (bound := bounds.get(own)) is not None:
        for value in search.ends:
            check(value, bound, f"tune: space of {type(owner).__name__}", own)


def _labels(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Name the values of a choice by what Optuna can store: plain values as they are."""
    labels = [value if isinstance(value, _PLAIN) else written(value) for value in values]
    if len(set(labels)) < len(labels):  # 1 and True are the same to Optuna
        labels = [f"{place}: {written(value)}" for place, value in enumerate(values)]
    return tuple(labels)


def _size(search: Search) -> float:
    if isinstance(search, Choice):
        return len(search.values)
    if search.whole:
        return search.high - search.low + 1
    return 1 if search.low == search.high else inf


def _spaced(search: Range, most: float) -> list[Any]:
    """Return values of a range, evenly spaced; all of them where there are no more."""
    n = int(min(_size(search), most))
    if n == _size(search):
        return list(range(int(search.low), int(search.high) + 1)) if search.whole else [search.low]
    spaced = (np.geomspace if search.log else np.linspace)(search.low, search.high, n)
    inside = np.clip(spaced, search.low, search.high)  # a power may miss the end by a hair
    return [round(value) if search.whole else value for value in inside.tolist()]
