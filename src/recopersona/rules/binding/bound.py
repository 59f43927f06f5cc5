"""Rules bound to a shop: checked, compiled, and kept up to date with its catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recopersona.data.feature_table import FeatureTable
from recopersona.data.history import History
from recopersona.data.ids import UNKNOWN
from recopersona.data.query import Query
from recopersona.data.types import Indices, Mask
from recopersona.rules.binding.bitmaps import ALL, Bitmaps, Question
from recopersona.rules.binding.compiled import (
    Compiled,
    Filter,
    Pins,
    Quotas,
    compiled,
    question_of,
    timed_question,
    unknown_values,
)
from recopersona.rules.binding.in_force import Choice, Gone, InForce, On
from recopersona.rules.binding.narrowing import NOBODY
from recopersona.rules.binding.timed import Still, TimedBitmap
from recopersona.rules.checks.checking import check_rules
from recopersona.rules.checks.schema import RuleSchema
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.ruleset import RuleSet

MAX_BOOST = 10.0
"""The most that all boosts together may multiply or divide the odds of an item by."""

_MOST_MASKS = 32
_MOST_COMBINATIONS = 256


class BoundRules:
    """A rule set over the tables of one shop.

    What the catalogue alone decides (of filters, pins and quotas) is kept as bitmaps, and what
    depends on the moment, too; see `Bitmaps` and `TimedBitmap`. What depends on who asks is
    evaluated at the request, over the whole catalogue; ``DID`` only over what she did.

    Memory, in bytes: ``n_items / 8`` per filter, pin and quota that the catalogue decides;
    ``n_items * (1 / 8 + 12 c)`` per one with ``c`` comparisons with time (up to twice that while
    the times of items change); and ``n_items`` for each of at most 32 combinations of filters that
    were on in recent requests.

    Any number of threads may ask at once. Updates (of the tables, and `items_changed`) belong to
    one thread, and no request should run meanwhile; one that does sees items as they were or as
    they are.

    Parameters
    ----------
    rules : RuleSet
    items, users : FeatureTable
        Read when a question is asked, so that updates count; see `items_changed`.
    max_boost : float, at least 1

    Raises
    ------
    RuleError
        If a rule does not fit the tables.

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.data.ids import IdMap
    >>> from recopersona.rules.text.parsing import parse_rules
    >>> shelf = pd.DataFrame({"item_id": ["tea", "salt"], "stock": [3, 0]})
    >>> items = FeatureTable.from_frame(shelf, IdMap(), "item_id")
    >>> rules = parse_rules("RULE in_stock: REQUIRE item.stock > 0; BOOST item.stock > 2 BY 2")
    >>> bound = BoundRules(rules, items, FeatureTable(IdMap()))
    >>> in_force = bound.in_force(Query(), now=None, user=-1, who={}, past=None)
    >>> in_force.allowed, in_force.effects
    (array([ True, False]), ('in_stock left out 1 of 2 items',))
    >>> in_force.shifts(np.array([0, 1], np.int32))
    array([0.6931472, 0.       ], dtype=float32)
    """

    def __init__(
        self, rules: RuleSet, items: FeatureTable, users: FeatureTable, max_boost: float = MAX_BOOST
    ) -> None:
        check_rules(rules, RuleSchema.of_tables(items, users))
        self.rules, self.max_boost = rules, max_boost
        self._items, self._users = items, users
        tables = Tables(items, users, rules.timezone)
        self._all = [
            compiled(number, label, rule, tables)
            for number, (label, rule) in enumerate(zip(rules.labels, rules.rules, strict=True))
        ]
        self._timed: list[TimedBitmap] = []
        self._bitmaps = self._kept(tables)
        self._gates = [
            (1 << bit, one.gate, one.number)
            for bit, one in enumerate(self._all)
            if one.gate is not None
        ]
        self._always = sum(1 << bit for bit, one in enumerate(self._all) if one.gate is None)
        self._ons: dict[int, On] = {}
        self._masks: dict[Any, Mask] = {}

    def __reduce__(self) -> Any:
        """Bind a copy anew: what is compiled reads these tables, and no others."""
        return type(self), (self.rules, self._items, self._users, self.max_boost)

    def _kept(self, tables: Tables) -> Bitmaps:
        """Ask the catalogue what does not depend on who asks, and note where the answers are."""
        questions: list[Question] = []
        for one in self._all:
            if one.condition is None or not isinstance(one, (Filter, Pins, Quotas)):
                continue
            if one.condition.of_catalogue:
                one.place = len(questions)
                questions.append(question_of(one))
            else:
                one.timed = timed_question(one, self.rules.rules[one.number], tables)
                if one.timed is not None:
                    self._timed.append(one.timed)
        return Bitmaps(questions, len(self._items))

    def in_force(
        self,
        query: Query,
        *,
        now: int | None,
        user: int,
        who: Mapping[str, Any],
        past: History | None,
    ) -> InForce:
        """Return the rules as they stand for one request.

        Parameters
        ----------
        query : Query
        now : int or None
            When it is asked, in milliseconds UTC; None where nothing has a time.
        user : int
            Index of who asks, -1 for a stranger.
        who : mapping
            What is known of her: the values of ``user.*``.
        past : History, optional
            What everybody did.
        """
        page = query.page_items
        seed = self._items.ids.index(page[0]) if page else UNKNOWN
        asked = Asked(now, user, who, query.context, query.params, seed, past)
        said: dict[int, str] = {}
        on = self._on(asked, said)
        n_items = self._grow()
        stills = [one.timed.at(now) for one in on.timed if one.timed is not None]
        gone = [n_items - still.count for still in stills]
        shared = self._masked(on.key, on.places, stills)
        barred: list[Indices] = []
        if any(one.few is None for one in on.at_request):
            shared = shared.copy()
        for one in on.at_request:
            if one.few is None:
                gone.append(_leave_out(one, asked, shared))
            else:
                barred.append(_few_left_out(one, asked, n_items))
                gone.append(len(barred[-1]))
        choice = Choice(shared, _together(barred))
        return InForce(self, on, asked, choice, said, Gone(n_items, self._bitmaps.counts, gone))

    def items_changed(self, rows: Indices, names: set[str]) -> None:
        """Take note of items of which some attributes, those named, are new or have changed.

        rows   (n,) int32; those behind the items known so far are new
        names  of columns
        """
        self._grow()
        if not len(rows):
            return
        changed = self._bitmaps.items_changed(rows, names)
        for timed in self._timed:
            timed.items_changed(rows, names)
        if changed and self._masks:
            # Not emptied but replaced: who is making a mask of old answers keeps it elsewhere.
            self._masks = {
                key: mask for key, mask in list(self._masks.items()) if not key[0] & changed
            }

    def whole(self, one: Compiled, asked: Asked) -> Any:
        """Return whom a rule's condition meets of the whole catalogue: a mask, or one bool."""
        if one.place >= 0:
            return self._masked(1 << one.place, (one.place,), ())
        if one.timed is not None:
            return self._masked(0, (), (one.timed.at(asked.now),))
        return one.answer(ALL, asked)

    def value_of(self, column: str, item: int) -> Any:
        """Return what is known of an item, for reports: its id, or a value of a column."""
        if column == "id" and column not in self._items:
            return self._items.ids.ids[item]
        value = self._items.column(column).at(item)
        return "unknown" if value is None else value

    def _on(self, asked: Asked, said: dict[int, str]) -> On:
        """Ask every rule whether it is on, and say what the request leaves unknown."""
        key = self._always
        words: list[str] = []
        for bit, gate, number in self._gates:
            if gate(asked, words):
                key |= bit
            if words:
                said[number] = words.pop()  # never more than one
        on = self._ons.get(key) or self._made_on(key)
        for one in on.waiting:
            missing = dict.fromkeys(name for part in one.waits for name in part.missing(asked))
            if missing:
                line = f"{unknown_values(tuple(missing))}, {one.unknown}"
                before = said.get(one.number)
                said[one.number] = f"{before}; {line}" if before else f"{one.label}: {line}"
        return on

    def _made_on(self, key: int) -> On:
        if len(self._ons) >= _MOST_COMBINATIONS:
            self._ons = {}
        on = self._ons[key] = On.of([one for one in self._all if key >> one.number & 1])
        return on

    def _masked(self, key: int, places: Sequence[int], stills: Sequence[Still]) -> Mask:
        """Return the mask of a combination of answers: the same object for the same answers."""
        masks, which = self._masks, (key, *(still.number for still in stills))
        found = masks.get(which)
        if found is None:
            found = self._bitmaps.all_of(places, [still.bits for still in stills])
            while len(masks) >= _MOST_MASKS:
                oldest, *_ = masks  # all at once: other threads may add to it
                masks.pop(oldest, None)
            found.flags.writeable = False  # it is shared
            masks[which] = found
        return found

    def _grow(self) -> int:
        """Ask items that are new since the last time; return how many there are."""
        n_items = len(self._items)
        if n_items != self._bitmaps.n_items:
            self._bitmaps.grow(n_items)
            self._masks = {}
        return n_items


def _together(barred: list[Indices]) -> Indices:
    if len(barred) == 1:
        return barred[0]
    found: Indices = np.unique(np.concatenate([NOBODY, *barred]))
    return found


def _few_left_out(one: Filter, asked: Asked, n_items: int) -> Indices:
    """Return the few items that a filter leaves out, ascending."""
    few = NOBODY if one.few is None else one.few(asked)
    if len(few) and few[-1] >= n_items:
        few = few[few < n_items]
    if not len(few):
        return NOBODY
    passes = one.answer(few, asked)
    return few[~passes] if isinstance(passes, np.ndarray) else NOBODY if passes else few


def _leave_out(one: Filter, asked: Asked, allowed: Mask) -> int:
    """Leave out what a filter does not let pass, in place; return how many it does not."""
    passes = one.answer(ALL, asked)
    if not isinstance(passes, np.ndarray):
        if not passes:
            allowed[:] = False
        return 0 if passes else len(allowed)
    np.logical_and(allowed, passes, out=allowed)
    return len(allowed) - int(np.count_nonzero(passes))
