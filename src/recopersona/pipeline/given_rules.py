"""Rules in whatever form they were given: what the language says, and what functions say."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from recopersona.errors import ParameterError, shown
from recopersona.pipeline.filters import Predicate, takes
from recopersona.rules.nodes import Rule
from recopersona.rules.ruleset import RuleSet


class GivenRules(NamedTuple):
    """What was given as rules, sorted by what it is.

    sets       of the language, each as it was read, so that errors point into its text
    functions  of (items) or (query, items)
    """

    sets: list[RuleSet]
    functions: list[Predicate]

    @classmethod
    def read(cls, given: Any) -> GivenRules:
        """Read text, rule sets, single rules, files and functions, or a list of those.

        Raises
        ------
        RuleError
            If a text or a file cannot be read.
        ParameterError
            If something is none of those.

        Examples
        --------
        >>> given = GivenRules.read(["REQUIRE item.stock > 0", lambda items: items["price"] < 9])
        >>> given.together, len(given.functions)
        (RuleSet(1 rule: rule 1), 1)
        """
        listed: list[Any] = [] if given is None else [given] if _is_one(given) else list(given)
        functions = [one for one in listed if not isinstance(one, _SAID)]
        require_predicates(functions)
        return cls([_read(one) for one in listed if isinstance(one, _SAID)], functions)

    @property
    def together(self) -> RuleSet:
        """All that the language says, as one set.

        Raises
        ------
        RuleError
            If the sets cannot be joined: they have rules of one name, or dates of two time zones.
        """
        return self.sets[0] if len(self.sets) == 1 else RuleSet(self.sets)


_SAID = (str, os.PathLike, RuleSet, Rule)


def _is_one(given: Any) -> bool:
    return isinstance(given, _SAID) or callable(given) or not isinstance(given, Iterable)


def _read(given: Any) -> RuleSet:
    if isinstance(given, RuleSet):
        return given
    return RuleSet.read(Path(given)) if isinstance(given, os.PathLike) else RuleSet(given)


def require_predicates(functions: Iterable[Any]) -> None:
    """Check that functions take what a rule is given.

    Raises
    ------
    ParameterError
        If one is no function, or takes something else.
    """
    for one in functions:
        if not callable(one) or takes(one) not in (1, 2):
            raise ParameterError(
                "Pipeline: rules must be text of the rule language, rules, a path, functions of "
                f"(items) or (query, items), or a list of those, got {shown(one)}."
            )
