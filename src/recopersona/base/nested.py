"""Parts made of others: each by its name, its parameters reached through it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self

from recopersona.base.part import Part
from recopersona.errors import ParameterError, hint


class Nested(Part):
    """A part with a list of others as one of its parameters.

    A subclass names that parameter in ``_parts_parameter``, and what it may hold in
    ``_parts_kind``.
    """

    _parts_parameter: ClassVar[str]
    _parts_kind: ClassVar[type[Part]]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with ``deep``, also the parts' as ``name__parameter``."""
        params: dict[str, Any] = super().get_params(deep=False)
        if deep:
            for name, part in tuple(params.items()):
                if isinstance(part, Part):
                    params |= {f"{name}__{key}": value for key, value in part.get_params().items()}
        if deep and are_parts(getattr(self, self._parts_parameter), self._parts_kind):
            for name, part in self._named():
                params[name] = part
                params.update({f"{name}__{key}": value for key, value in part.get_params().items()})
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, a part by its name, or a part's own as ``name__parameter``."""
        own = super().get_params(deep=False)
        # What is whole comes before what is inside it, in whatever order it was typed.
        for key in sorted(params, key=lambda key: (key not in own, "__" in key)):
            given = getattr(self, self._parts_parameter)
            parts = dict(self._named()) if are_parts(given, self._parts_kind) else {}
            name, _, inner = key.partition("__")
            if key in own:
                setattr(self, key, params[key])
            elif inner and isinstance(own.get(name), Part):
                _set_inner(getattr(self, name), key, inner, params[key])
            elif name in parts and inner:
                parts[name].set_params(**{inner: params[key]})
            elif name in parts:
                setattr(self, self._parts_parameter, list({**parts, name: params[key]}.items()))
            else:
                raise ParameterError(
                    f"{type(self).__name__} has no parameter {key!r}{hint(key, [*own, *parts])}"
                )
        return self

    def _named(self) -> list[tuple[str, Any]]:
        return named(
            getattr(self, self._parts_parameter), type(self).__name__, self._get_param_names()
        )


def _set_inner(part: Any, key: str, inner: str, value: Any) -> None:
    """Set a parameter of a part; an error names it as it was typed."""
    known = part.get_params() if isinstance(part, Part) else {}
    if inner.partition("__")[0] not in {name.partition("__")[0] for name in known}:
        outer = key.removesuffix(inner)
        raise ParameterError(
            f"there is no parameter {key!r}{hint(key, [outer + name for name in known])}"
        )
    part.set_params(**{inner: value})


def are_parts(value: Any, kind: type[Part]) -> bool:
    """Tell whether a value is a list of parts of a kind or (name, part) pairs, at least one."""
    return bool(value) and all(isinstance(part, kind) for _, part in _pairs(value))


def named(parts: Sequence[Any], owner: str, reserved: Sequence[str] = ()) -> list[tuple[str, Any]]:
    """Return (name, part) pairs; unnamed parts are called like their class, numbered if need be.

    Parameters
    ----------
    parts : sequence of parts or (name, part) pairs
    owner : str
        Whose parts they are, for the errors.
    reserved : sequence of str
        Names of the owner's own parameters, which no part may have.

    Raises
    ------
    ParameterError
        If a name is taken, reserved, or no plain word.

    Examples
    --------
    >>> from recopersona.models.popularity import Popularity
    >>> models = [Popularity(), Popularity(), ("week", Popularity())]
    >>> [name for name, _ in named(models, "Pipeline")]
    ['popularity', 'popularity2', 'week']
    """
    pairs: list[tuple[str, Any]] = []
    taken: set[str] = set()
    for given, part in _pairs(parts):
        name = given or type(part).__name__.lower()
        if given is not None and (name in taken or "__" in name or not re.fullmatch(r"\w+", name)):
            raise ParameterError(f"{owner}: {name!r} cannot name a part; use distinct plain words.")
        if name in reserved:
            raise ParameterError(f"{owner}: {name!r} is a parameter of its own; name the model.")
        base, number = name, 2
        while name in taken:
            name, number = f"{base}{number}", number + 1
        taken.add(name)
        pairs.append((name, part))
    return pairs


def _pairs(parts: Sequence[Any]) -> Iterator[tuple[str | None, Any]]:
    """Walk (name, part) pairs, None where no name was given."""
    for entry in parts:
        given = isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)
        yield entry if given else (None, entry)
