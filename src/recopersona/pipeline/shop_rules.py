"""The rules of a shop, and how they stand for one question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from recopersona.base.described import Described
from recopersona.data.feature_table import FeatureTable
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Floats, Indices, Mask
from recopersona.pipeline.filters import Filters, Predicate
from recopersona.rules.binding.bound import BoundRules
from recopersona.rules.binding.in_force import Choice, InForce
from recopersona.rules.ruleset import RuleSet
from recopersona.rules.slots import SlotRules

RULES = "rules"
"""The component of a score that boosts add."""

_NOTHING_ASKED = SlotRules()
_NOBODY = np.empty(0, np.int32)


class ShopRules:
    """What the language says and what functions say, over one catalogue and its customers.

    Raises
    ------
    RuleError
        If a rule does not fit the tables.
    """

    def __init__(
        self,
        rules: RuleSet,
        functions: Sequence[Predicate],
        items: FeatureTable,
        users: FeatureTable,
    ) -> None:
        self._bound = BoundRules(rules, items, users) if rules.rules else None
        self._filters = Filters(functions, items)
        self._told_by = self._filters if functions else None
        self._both: tuple[Mask, Mask, Mask] | None = None

    def evaluate(self) -> None:
        """Evaluate what functions say of the catalogue alone, unless that has been done."""
        self._filters.evaluate()

    def standing(self, home: Described, query: Query) -> Standing:
        """Return the rules as they stand for one question."""
        in_force = None
        if self._bound is not None:
            in_force = self._bound.in_force(
                query,
                now=home.now_of(query),
                user=home.user_of(query),
                who=home.attributes_of(query),
                past=home.past_,
            )
        if in_force is not None and self._told_by is None:
            return Standing(query, in_force.choice, in_force)
        allowed, told = self._filters.eligible(query)
        choice = Choice(allowed, _NOBODY)
        if in_force is not None:
            shared, barred = in_force.choice
            choice = Choice(self._both_allow(shared, allowed), barred)
        return Standing(query, choice, in_force, self._told_by, told)

    def items_changed(self, rows: Indices, names: set[str]) -> None:
        """Take note of items of which some attributes, those named, are new or have changed."""
        self._filters.catalogue_changed()
        if self._bound is not None:
            self._bound.items_changed(rows, names)

    def _both_allow(self, ours: Mask, theirs: Mask) -> Mask:
        """Return what both allow; the same object where both are the same as last time."""
        kept = self._both
        if kept is None or kept[0] is not ours or kept[1] is not theirs:
            kept = self._both = (ours, theirs, ours & theirs)
        return kept[2]


@dataclass(frozen=True, eq=False)
class Standing:
    """All rules of a pipeline as they stand for one question; what ``ranking.account`` holds.

    query     who asked
    choice    what may be shown; one mask where two questions are allowed alike but for a few items
    in_force  those of the language, None where there are none
    filters   those that are functions, None where there are none
    told      what functions left out, in words
    unmet     the rules that the page shown does not meet
    stood     int32, who stood to be chosen for it, best first
    """

    query: Query
    choice: Choice
    in_force: InForce | None = None
    filters: Filters | None = None
    told: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    stood: Indices = field(default_factory=lambda: _NOBODY)

    @property
    def allowed(self) -> Mask:
        """What may be shown, bool (n_items,): never write to it."""
        return self.choice.allowed

    @property
    def effects(self) -> tuple[str, ...]:
        """What the rules did so far, in words."""
        return self.told if self.in_force is None else (*self.in_force.effects, *self.told)

    def boosted(self, ranking: Ranking) -> Ranking:
        r"""Multiply the odds of what is boosted.

        .. math:: s_i \leftarrow s_i + \sigma(s) \ln f_i

        A score is no log-odds, so what stands for one unit of those is the candidates' spread.
        """
        shifts = None if self.in_force is None else self.in_force.shifts(ranking.items)
        if shifts is None or not shifts.any():
            return ranking
        known = ranking.scores[np.isfinite(ranking.scores)].astype(np.float64)
        spread = known.std() if len(known) else 0.0
        added = (shifts * (spread or 1.0)).astype(np.float32)
        return _with_part(ranking, added).rescored(ranking.scores + added)

    def asked_of(self, items: Indices, n: int) -> SlotRules:
        """Return what is asked of a page of ``n`` slots, over these candidates in this order."""
        return _NOTHING_ASKED if self.in_force is None else self.in_force.slot_rules(items, n)

    def asked_of_all(self, n: int) -> SlotRules:
        """Return the same over the whole catalogue."""
        return _NOTHING_ASKED if self.in_force is None else self.in_force.slot_rules_of_all(n)

    def account(self, unmet: Sequence[str], stood: Indices) -> Standing | None:
        """Return who accounts for a page that does not meet some rules; None without any rules."""
        if self.in_force is None and self.filters is None:
            return None
        return replace(self, unmet=tuple(unmet), stood=stood)

    def touched(self, ranking: Ranking) -> list[tuple[int, str, str]]:
        """Return (place from 0, rule, what it did) of the items shown."""
        return [] if self.in_force is None else self.in_force.touched(ranking)

    def hid(self, ranking: Ranking, item: int) -> tuple[str, str] | None:
        """Return the first rule that kept an item out, and how; None if none did."""
        found = None if self.in_force is None else self.in_force.hid(ranking, item, self.stood)
        if found is None and self.filters is not None:
            function = self.filters.refused_by(self.query, item)
            found = None if function is None else (function, "left out")
        return found


def _with_part(ranking: Ranking, added: Floats) -> Ranking:
    """Write down what the rules added to each score, beside what the models said."""
    if ranking.parts is None:
        return ranking
    column = np.where(added != 0, added, np.float32(np.nan))[:, None]
    parts = np.concatenate([ranking.parts, column], axis=1)
    return ranking._with(parts=parts, source_names=(*ranking.source_names, RULES))
