"""Rules bound to a shop: checked, compiled, and kept up to date with its catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recopersona.data.feature_table import FeatureTable
from recopersona.data.history import History
from recopersona.data.query import Query
from recopersona.data.types import Indices
from recopersona.rules.in_force import InForce
from recopersona.rules.ruleset import RuleSet

MAX_BOOST = 10.0
"""The most that all boosts together may multiply or divide the odds of an item by."""


class BoundRules:
    """A rule set over the tables of one shop.

    Parameters
    ----------
    rules : RuleSet
    items, users : FeatureTable
        Read when a question is asked, so that updates count; see `items_changed`.
    max_boost : float, at least 1

    Attributes
    ----------
    depends_on_query : bool
        Whether two queries may have different items to choose from.

    Raises
    ------
    RuleError
        If a rule does not fit the tables.
    """

    depends_on_query: bool

    def __init__(
        self, rules: RuleSet, items: FeatureTable, users: FeatureTable, max_boost: float = MAX_BOOST
    ) -> None:
        raise NotImplementedError

    def in_force(
        self, query: Query, *, now: int | None, user: int, who: Mapping[str, Any], past: History
    ) -> InForce:
        """Return the rules as they stand for one request."""
        raise NotImplementedError

    def items_changed(self, rows: Indices, names: set[str]) -> None:
        """Take note of items of which some attributes, those named, are new or have changed."""
        raise NotImplementedError
