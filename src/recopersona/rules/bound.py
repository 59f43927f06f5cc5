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
from recopersona.rules.asked import Asked, Tables
from recopersona.rules.bitmaps import ALL, Bitmaps, Question
from recopersona.rules.compiled import (
    Compiled,
    Filter,
    Pins,
    Quotas,
    compiled,
    question_of,
    timed_question,
    unknown_values,
)
from recopersona.rules.in_force import InForce, On
from recopersona.rules.ruleset import RuleSet
from recopersona.rules.timed import Still, TimedBitmap

MAX_BOOST = 10.0
"""The most that all boosts together may multiply or divide the odds of an item by."""

_MOST_MASKS = 32


class BoundRules:
    """A rule set over the tables of one shop.

    What the catalogue alone decides (of filters, pins and quotas) is kept as bitmaps, and what
    depends on the moment, too; see `Bitmaps` and `TimedBitmap`. What depends on who asks is
    evaluated at the request, over the whole catalogue; ``DID`` only over what she did.

    Memory, in bytes: ``n_items / 8`` per filter, pin and quota that the catalogue decides;
    ``n_items * (1 / 8 + 12 c)`` per one with ``c`` comparisons with time; and ``n_items`` for each
    of at most 32 combinations of filters that were on in recent requests.

    Any number of threads may ask at once. Updates (of the tables, and `items_changed`) belong to
    one thread, and no request should run meanwhile; one that does sees items as they were or as
    they are.

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

    def __init__(
        self, rules: RuleSet, items: FeatureTable, users: FeatureTable, max_boost: float = MAX_BOOST
    ) -> None:
        self.rules, self.max_boost = rules, max_boost
        self._items = items
        tables = Tables(items, users, rules.timezone)
        self._all = [compiled(number, rule, tables) for number, rule in enumerate(rules.rules)]
        self._timed: list[TimedBitmap] = []
        self._bitmaps = self._kept(tables)
        self.on = On.of(self._all)
        self._gated = any(one.gate is not None for one in self._all)
        self._waiting = any(one.gate is not None or one.waits for one in self._all)
        self.depends_on_query = any(
            one.gate is not None or one.place < 0 for one in self._all if isinstance(one, Filter)
        )
        self._masks: dict[Any, Mask] = {}

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
        self, query: Query, *, now: int | None, user: int, who: Mapping[str, Any], past: History
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
        past : History
        """
        page = query.page_items
        seed = self._items.ids.index(page[0]) if page else UNKNOWN
        asked = Asked(now, user, who, query.context, query.params, seed, past)
        said: list[tuple[int, str]] = []
        on = self._on(asked, said) if self._waiting else self.on
        allowed = self._allowed(on.filters, asked, said)
        return InForce(self, on, asked, allowed, said)

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

    def _on(self, asked: Asked, said: list[tuple[int, str]]) -> On:
        """Ask every rule whether it is on, and say what the request leaves unknown."""
        on: list[Compiled] = []
        words: list[str] = []
        for one in self._all:
            if one.gate is not None:
                is_on = one.gate(asked, words)
                if words:
                    said.extend((one.number, line) for line in words)
                    words.clear()
                if not is_on:
                    continue
            on.append(one)
            for condition in one.waits:
                if missing := condition.missing(asked):
                    line = f"{one.label}: {unknown_values(missing)}, {one.unknown}"
                    said.append((one.number, line))
        return self.on if len(on) == len(self._all) else On.of(on)

    def _allowed(
        self, filters: Sequence[Filter], asked: Asked, said: list[tuple[int, str]]
    ) -> Mask:
        n_items = self._grow()
        key, places, stills, at_request = 0, [], [], []
        counts = self._bitmaps.counts
        for one in filters:
            if one.place >= 0:
                key |= 1 << one.place
                places.append(one.place)
                said.append((one.number, left_out(one, n_items - counts[one.place], n_items)))
            elif one.timed is not None:
                still = one.timed.at(asked.now)
                stills.append(still)
                said.append((one.number, left_out(one, n_items - still.count, n_items)))
            else:
                at_request.append(one)
        allowed = self._masked(key, places, stills)
        if not at_request:
            return allowed
        allowed = allowed.copy()
        for one in at_request:
            gone = _left_out_at_request(one, asked, allowed)
            said.append((one.number, left_out(one, gone, n_items)))
        return allowed

    def _masked(self, key: int, places: Sequence[int], stills: Sequence[Still]) -> Mask:
        """Return the mask of a combination of answers: the same object for the same answers."""
        masks, which = self._masks, (key, *stills)
        found = masks.get(which)
        if found is None:
            found = self._bitmaps.all_of(places, [still.bits for still in stills])
            while len(masks) >= _MOST_MASKS:
                oldest, *_ = masks  # all at once: other threads may add to it
                masks.pop(oldest, None)
            masks[which] = found
        return found

    def _grow(self) -> int:
        """Ask items that are new since the last time; return how many there are."""
        n_items = len(self._items)
        if n_items != self._bitmaps.n_items:
            self._bitmaps.grow(n_items)
            self._masks = {}
        return n_items


def left_out(one: Compiled, n_gone: int, n_items: int) -> str:
    """Say how many items a filter left out."""
    return f"{one.label} left out {n_gone} of {n_items} items"


def _left_out_at_request(one: Filter, asked: Asked, allowed: Mask) -> int:
    """Leave out what a filter does not let pass, in place; return how many it does not."""
    if one.few is not None:
        few = one.few(asked)
        if len(few) and few[-1] >= len(allowed):
            few = few[few < len(allowed)]
        if not len(few):
            return 0
        passes = one.answer(few, asked)
        gone = few[~passes] if isinstance(passes, np.ndarray) else few[:0] if passes else few
        allowed[gone] = False
        return len(gone)
    passes = one.answer(ALL, asked)
    if not isinstance(passes, np.ndarray):
        if not passes:
            allowed[:] = False
        return 0 if passes else len(allowed)
    np.logical_and(allowed, passes, out=allowed)
    return len(allowed) - int(np.count_nonzero(passes))
