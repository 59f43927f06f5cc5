"""Everything this library raises on purpose, as one tree.

::

    RecopersonaError
    ├── DataError            (ValueError)    a frame, column, id or value that cannot be used
    │   └── ColumnError      (LookupError)   a column that is missing or misspelt
    ├── ParameterError       (ValueError)    a parameter outside its bounds
    ├── NotFittedError       (ValueError, AttributeError)  an answer asked of an unfitted model
    ├── ArtifactError        (ValueError)    a saved directory that cannot be written or trusted
    └── MissingExtraError    (ImportError)   an optional dependency that is not installed

Each subclasses the builtin a caller would naturally catch. Each message is one sentence: what was
expected, what came, what to type.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class RecopersonaError(Exception):
    """The common ancestor: ``except RecopersonaError`` catches all of them."""


class DataError(RecopersonaError, ValueError):
    """A frame, a column, an id or a value that cannot be used as it came."""


class ColumnError(DataError, LookupError):
    """A column that is missing, or named differently."""


class ParameterError(RecopersonaError, ValueError):
    """A parameter outside its declared bounds."""


class NotFittedError(RecopersonaError, ValueError, AttributeError):
    """An answer was asked of a model that has not been fitted."""


class ArtifactError(RecopersonaError, ValueError):
    """A saved model that cannot be written, read or trusted."""


class MissingExtraError(RecopersonaError, ImportError):
    """An optional dependency that is not installed; the message says what to install."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs an extra: pip install "recopersona[{extra}]"')


def did_you_mean(word: object, choices: Iterable[object]) -> str:
    """Return ``"; did you mean 'price'?"``, or an empty string when nothing is near.

    Examples
    --------
    >>> did_you_mean("prise", ["stock", "price"])
    "; did you mean 'price'?"
    >>> did_you_mean("weather", ["stock", "price"])
    ''
    """
    near = get_close_matches(str(word), [str(choice) for choice in choices], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
