"""Rules as plain Python, for what the language cannot say: a function tells what may be shown."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.feature_table import FeatureTable
from recopersona.data.query import Query
from recopersona.data.types import Mask
from recopersona.errors import ColumnError, DataError, hint

Predicate = Callable[..., Any]


class Filters:
    """Some predicates over one catalogue, each evaluated as rarely as it can be.

    A predicate takes the catalogue (a frame, one row per item) or the query and the catalogue, and
    returns true or false per item; unknown counts as false. What depends on the catalogue alone is
    evaluated once and kept until the catalogue changes.

    Examples
    --------
    >>> from recopersona.data.ids import IdMap
    >>> shelf = pd.DataFrame({"item_id": ["tea", "salt"], "stock": [3, 0]})
    >>> catalogue = FeatureTable.from_frame(shelf, IdMap(), "item_id")
    >>> def in_stock(items):
    ...     return items["stock"] > 0
    >>> eligible, effects = Filters([in_stock], catalogue).eligible(Query())
    >>> eligible, effects
    (array([ True, False]), ('in_stock left out 1 of 2 items',))
    """

    def __init__(self, predicates: Sequence[Predicate], catalogue: FeatureTable) -> None:
        self._catalogue = catalogue
        self._of_catalogue = [rule for rule in predicates if takes(rule) == 1]
        self._of_query = [rule for rule in predicates if takes(rule) == 2]
        self._frame: pd.DataFrame | None = None
        self._kept: tuple[Mask, tuple[str, ...]] | None = None

    def eligible(self, query: Query) -> tuple[Mask, tuple[str, ...]]:
        """Return which items may be shown, bool (n_items,), and what each rule did, in words."""
        kept = self.evaluate()
        if not self._of_query:
            return kept
        mask, effects = self._all_of(self._of_query, (query,))
        return kept[0] & mask, kept[1] + effects

    def evaluate(self) -> tuple[Mask, tuple[str, ...]]:
        """Evaluate what depends on the catalogue alone, unless that has been done."""
        kept = self._kept
        if kept is None or len(kept[0]) != len(self._catalogue):
            self._frame = None
            kept = self._kept = self._all_of(self._of_catalogue, ())
        return kept

    def refused_by(self, query: Query, item: int) -> str | None:
        """Return the name of the first rule that leaves an item out, or None."""
        for rules, before in ((self._of_catalogue, ()), (self._of_query, (query,))):
            for rule in rules:
                if not self._allowed(rule, before)[item]:
                    return name_of(rule)
        return None

    def catalogue_changed(self) -> None:
        """Evaluate everything anew at the next question."""
        self._kept = None

    def _all_of(
        self, rules: Sequence[Predicate], before: tuple[Query, ...]
    ) -> tuple[Mask, tuple[str, ...]]:
        n_items = len(self._catalogue)
        mask = np.ones(n_items, dtype=np.bool_)
        effects = []
        for rule in rules:
            allowed = self._allowed(rule, before)
            effects.append(f"{name_of(rule)} left out {n_items - allowed.sum()} of {n_items} items")
            mask &= allowed
        return mask, tuple(effects)

    def _allowed(self, rule: Predicate, before: tuple[Query, ...]) -> Mask:
        if self._frame is None or len(self._frame) != len(self._catalogue):
            self._frame = self._catalogue.to_frame()
            self._frame.insert(0, "item_id", self._catalogue.ids.ids, allow_duplicates=True)
        # Each rule gets a frame of its own, and may do with it what it likes.
        return _evaluate(rule, (*before, self._frame.copy(deep=False)))


def name_of(rule: Predicate) -> str:
    """What a rule is called in a report."""
    return getattr(rule, "__name__", type(rule).__name__)


def takes(rule: Predicate) -> int:
    """Return how many arguments a rule cannot do without; options of its own do not count."""
    try:
        parameters = inspect.signature(rule).parameters.values()
    except (TypeError, ValueError):
        return 1
    given_by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(
        one.kind in given_by_place and one.default is inspect.Parameter.empty for one in parameters
    )


def _evaluate(rule: Predicate, arguments: tuple[Any, ...]) -> Mask:
    frame: pd.DataFrame = arguments[-1]
    columns = [str(name) for name in frame.columns]
    try:
        answer = rule(*arguments)
    except (KeyError, AttributeError) as missing:
        column = getattr(missing, "name", None) or (missing.args or ("",))[0]
        if column in columns:
            raise DataError(f"rule {name_of(rule)} failed: {missing!r}.") from missing
        raise ColumnError(
            f"rule {name_of(rule)}: no item column {column!r}{hint(column, columns)}"
        ) from missing
    except (TypeError, ValueError, IndexError, ArithmeticError) as problem:
        raise DataError(f"rule {name_of(rule)} failed: {problem}.") from problem
    return _as_mask(answer, rule, frame)


def _as_mask(answer: Any, rule: Predicate, frame: pd.DataFrame) -> Mask:
    name, n_items = name_of(rule), len(frame)
    if isinstance(answer, pd.Series) and not answer.index.equals(frame.index):
        raise DataError(f"rule {name} must keep the order and the index of the items it was given.")
    try:
        values: Any = pd.array(np.asarray(answer, dtype=object), dtype="boolean")
    except (TypeError, ValueError):
        values = None
    if values is None or values.shape != (n_items,):
        raise DataError(
            f"rule {name} must return true or false for each of the {n_items} items, "
            f"got {type(answer).__name__} of shape {np.shape(answer)}."
        )
    allowed: Mask = values.fillna(False).to_numpy(dtype=np.bool_)
    return allowed
