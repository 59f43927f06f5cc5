"""What a feature is: tallies it needs, columns it gives, and the formula between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.parameters import Bound
from recopersona.base.part import Part
from recopersona.data.columns import parsed_numbers
from recopersona.data.ids import is_missing
from recopersona.data.types import Array
from recopersona.errors import ColumnError, hint
from recopersona.features.tally import Tally
from recopersona.kernels.signals import ANSWERS

DAY_MS = 86_400_000.0

_ANSWER = {name: place for place, name in enumerate(ANSWERS)}

WORD = Bound("a word", lambda value: isinstance(value, str) and value.isidentifier())
WORDS = Bound(
    "a list of words",
    lambda value: not isinstance(value, str) and all(isinstance(word, str) for word in value),
)


class Seen:
    """What was known just before each of some questions, as one feature sees it.

    A feature's own tallies by name, ``seen["bought"]``; all are float64 (n,).

    Parameters
    ----------
    tallies : float64 (n_tallies, n)
    answers : float64 (n_answers, n)
    columns : mapping from name to row of tallies
    now : float64 (n,)
        When each question was asked, in milliseconds since 1970.
    attribute : function
        From the name of an item attribute to its value for each question's item.
    context : mapping
        What the questions say of themselves: one value for all, or a Series (n,).

    Examples
    --------
    >>> tallies, answers, now = np.array([[4.0]]), np.empty((0, 1)), np.array([DAY_MS])
    >>> seen = Seen(tallies, answers, {"bought": 0}, now, attribute=dict, context={})
    >>> seen["bought"], seen.today
    (array([4.]), array([1.]))
    """

    def __init__(
        self,
        tallies: Array,
        answers: Array,
        columns: Mapping[str, int],
        now: Array,
        attribute: Callable[[str], Array],
        context: Mapping[str, Any],
    ) -> None:
        self._tallies, self._answers, self._columns = tallies, answers, columns
        self.now, self.attribute, self._context = now, attribute, context

    def __len__(self) -> int:
        return len(self.now)

    def __getitem__(self, name: str) -> Array:
        column: Array = self._tallies[self._columns[name]]
        return column

    def answer(self, name: str) -> Array:
        """Return what the kernel knows of the visit, the price and the cart: see `ANSWERS`."""
        column: Array = self._answers[_ANSWER[name]]
        return column

    @property
    def today(self) -> Array:
        """When each question was asked, in days since 1970."""
        return self.now / DAY_MS

    def number(self, name: str) -> Array | float:
        """Return a number that the questions say, NaN where they do not."""
        said = self._said(name)
        if isinstance(said, pd.Series):
            return finite(parsed_numbers(said).to_numpy(np.float64, na_value=np.nan))
        try:
            number = float(said)
        except (TypeError, ValueError, OverflowError):
            return np.nan
        return number if abs(number) < np.inf else np.nan

    def equals(self, name: str, value: Any) -> Array | float:
        """Return 1 where the questions say a value, else 0."""
        said = self._said(name)
        if not pd.api.types.is_scalar(value):
            return 0.0
        if isinstance(said, pd.Series):
            try:
                return said.eq(value).fillna(False).to_numpy(np.float64)
            except OverflowError:  # no column holds an integer of so many digits
                return 0.0
        return float(bool(pd.api.types.is_scalar(said) and not is_missing(said) and said == value))

    def _said(self, name: str) -> Any:
        return self._context.get(name)


class Feature(Part):
    """One family of signals; subclass it to add your own.

    Write `tallies`, `columns` and `compute`; parameters are declared as in any part of the
    library. What is computed from tallies is point-in-time correct by construction. A feature that
    learns something from the whole log writes `learn`, and has to take care itself that nothing
    of the future gets into it: `recopersona.testing.check_leak_free` finds out.

    Examples
    --------
    >>> class Loyalty(Feature):
    ...     '''How much of what a user buys comes from the candidate's brand.'''
    ...     def tallies(self):
    ...         return {"here": Tally("user", "brand", kinds=["purchase"]),
    ...                 "anywhere": Tally("user", kinds=["purchase"])}
    ...     def columns(self):
    ...         return {"loyalty": "purchases of the brand / all purchases of the user"}
    ...     def compute(self, seen):
    ...         return [ratio(seen["here"], seen["anywhere"])]
    >>> list(Loyalty().columns())
    ['loyalty']
    """

    def tallies(self) -> Mapping[str, Tally]:
        """Return what has to be counted, by the names that `compute` uses."""
        return {}

    def columns(self) -> Mapping[str, str]:
        """Return the names of the columns, and each one's formula in words."""
        raise NotImplementedError(f"{type(self).__name__} must say which columns it gives.")

    def compute(self, seen: Seen) -> Sequence[Array | float]:
        """Return one float (n,), or one for all questions, per column."""
        raise NotImplementedError(f"{type(self).__name__} must compute its columns.")

    def learn(self, events: pd.DataFrame) -> None:
        """Learn from the whole log; most features have nothing to learn."""

    def context(self) -> Sequence[str]:
        """Return the columns that rows must have, or a request's context, for this feature."""
        return ()


def finite(values: Array) -> Array:
    """Return numbers with NaN in place of those beyond all bounds.

    Examples
    --------
    >>> finite(np.array([1.0, np.inf])).tolist()
    [1.0, nan]
    """
    return np.where(np.isfinite(values), values, np.nan)


def ratio(part: Array, whole: Array) -> Array:
    """Return a share, 0 where there is nothing to share.

    Examples
    --------
    >>> ratio(np.array([1.0, 0.0]), np.array([4.0, 0.0])).tolist()
    [0.25, 0.0]
    """
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def mean(total: Array, count: Array) -> Array:
    """Return a mean, NaN where there is nothing to take it of.

    Examples
    --------
    >>> mean(np.array([6.0, 0.0]), np.array([4.0, 0.0])).tolist()
    [1.5, nan]
    """
    blank: Array = np.full(len(total), np.nan)
    return np.divide(total, count, out=blank, where=count > 0)


def shrunk(total: Array, count: Array, expected: Array, prior: float) -> Array:
    """Return a mean drawn towards what is expected, as if that had been seen a few times.

    Examples
    --------
    >>> shrunk(np.array([1.0, 0.0]), np.array([1.0, 0.0]), np.array([0.5, 0.5]), 1.0).tolist()
    [0.75, 0.5]
    """
    return mean(total + prior * expected, count + prior)


def require_context(feature: Feature, names: Sequence[str]) -> None:
    """Refuse rows that lack what a feature reads from them."""
    for name in feature.context():
        if name not in names:
            raise ColumnError(
                f"{type(feature).__name__} needs a column {name!r} in the rows"
                f"{hint(name, names, 'they have')}"
            )
