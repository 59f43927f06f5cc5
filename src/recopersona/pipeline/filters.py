"""Rules as plain Python: a function of the catalogue says which items may be shown."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.feature_table import FeatureTable
from recopersona.data.query import Query
from recopersona.data.types import Mask
from recopersona.errors import ColumnError, DataError, ParameterError, did_you_mean

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
        self._of_catalogue = [rule for rule in predicates if _takes(rule) == 1]
        self._of_query = [rule for rule in predicates if _takes(rule) == 2]
        self._kept: tuple[Mask, tuple[str, ...]] | None = None

    @property
    def depend_on_query(self) -> bool:
        """Whether two queries may have different eligible items."""
        return bool(self._of_query)

    def eligible(self, query: Query) -> tuple[Mask, tuple[str, ...]]:
        """Return which items may be shown, bool (n_items,), and what each rule did, in words."""
        if self._kept is None or len(self._kept[0]) != len(self._catalogue):
            self._kept = self._all_of(self._of_catalogue, ())
        if not self._of_query:
            return self._kept
        mask, effects = self._all_of(self._of_query, (query,))
        return self._kept[0] & mask, self._kept[1] + effects

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
            allowed = _evaluate(rule, (*before, self._catalogue.to_frame()), n_items)
            effects.append(f"{name_of(rule)} left out {n_items - allowed.sum()} of {n_items} items")
            mask &= allowed
        return mask, tuple(effects)


def as_predicates(rules: Any) -> list[Predicate]:
    """Return rules as a list of functions: one function, several, or none.

    Raises
    ------
    ParameterError
        If one is not a function of ``(items)`` or ``(query, items)``.
    """
    listed: list[Any] = [] if rules is None else [rules] if _is_one(rules) else list(rules)
    for rule in listed:
        if not callable(rule) or _takes(rule) not in (1, 2):
            raise ParameterError(
                f"Pipeline: rules must be functions of (items) or (query, items), got {rule!r}."
            )
    return listed


def _is_one(rules: Any) -> bool:
    return callable(rules) or not isinstance(rules, Iterable) or isinstance(rules, str)


def name_of(rule: Predicate) -> str:
    """What a rule is called in a report."""
    return getattr(rule, "__name__", type(rule).__name__)


def _takes(rule: Predicate) -> int:
    try:
        return len(inspect.signature(rule).parameters)
    except (TypeError, ValueError):
        return 1


def _evaluate(rule: Predicate, arguments: tuple[Any, ...], n_items: int) -> Mask:
    try:
        answer = rule(*arguments)
    except KeyError as missing:
        column = missing.args[0] if missing.args else ""
        known = list(arguments[-1].columns)
        hint = did_you_mean(column, known) or f"; there are {', '.join(known) or 'none'}."
        raise ColumnError(f"rule {name_of(rule)}: no item column {column!r}{hint}") from None
    values: Any = pd.array(answer, dtype="boolean") if np.ndim(answer) == 1 else None
    if values is None or len(values) != n_items:
        raise DataError(
            f"rule {name_of(rule)} must return true or false for each of the {n_items} items, "
            f"got {type(answer).__name__} of shape {np.shape(answer)}."
        )
    allowed: Mask = values.fillna(False).to_numpy(dtype=np.bool_)
    return allowed
