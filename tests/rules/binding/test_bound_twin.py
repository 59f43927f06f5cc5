"""Bound rules say what a naive reading of every row says: while time passes and items change."""

import math
import re

import numpy as np
import pytest

from recopersona.data.query import Query
from recopersona.errors import RuleError
from recopersona.rules.binding.bound import BoundRules
from recopersona.rules.nodes import (
    Boost,
    Bury,
    Ensure,
    Exclude,
    Field,
    Limit,
    Number,
    Pin,
    Require,
)
from recopersona.rules.ruleset import RuleSet
from tests.naive.conditions import naive_condition, naive_number
from tests.rules.small_shops import DAY, ITEM_KINDS, NOW, SmallShop

MAKERS = (
    lambda where, shop, **common: Require(where=where, **common),
    lambda where, shop, **common: Exclude(where=where, **common),
    lambda where, shop, **common: Boost(where=where, by=shop.number(), **common),
    lambda where, shop, **common: Bury(where=None, by=shop.number(1), **common),
    lambda where, shop, **common: Bury(where=where, by=Number(3.0), **common),
    lambda where, shop, **common: Pin(where=where, slots=(1,), **common),
    lambda where, shop, **common: Ensure(where=where, amount=2, **common),
    lambda where, shop, **common: Limit(where=where, amount=1, **common),
    lambda where, shop, **common: Limit(
        where=where, amount=1, per=Field("item", ["brand", "adult", "stock"][shop.rng.integers(3)]),
        **common,
    ),
)  # fmt: skip


def random_rules(shop, rng):
    """Rules that fit the shop; those that do not are left out."""
    rules = []
    for number in range(12):
        common = {
            "unknown": [None, "apply", "skip"][rng.integers(3)],
            "when": shop.condition(1) if rng.random() < 0.3 else None,
            "name": f"r{number}",
        }
        rule = MAKERS[rng.integers(len(MAKERS))](shop.condition(2), shop, **common)
        try:
            BoundRules(RuleSet((rule,), shop.timezone), shop.tables.items, shop.tables.users)
        except RuleError:
            continue
        rules.append(rule)
    return RuleSet(tuple(rules), shop.timezone)


class Naive:
    """One request, read row by row."""

    def __init__(self, shop, request):
        self.shop, self.request = shop, request

    def holds(self, node, row):
        return naive_condition(node, row, self.request, self.shop.shop)

    def is_on(self, rule):
        if rule.when is None:
            return True
        found = self.holds(rule.when, dict.fromkeys((*ITEM_KINDS, "id")))
        return found is True or (found is None and rule.unknown == "apply")

    def met(self, rule, row):
        if rule.where is None:
            return True
        found = self.holds(rule.where, row)
        counts = rule.unknown == "apply" and rule.when is None
        return found is True or (found is None and counts)

    def shown(self, rule, row):
        if isinstance(rule, Exclude):
            return not self.met(rule, row)
        lenient = rule.unknown == "skip" and rule.when is None
        found = self.holds(rule.where, row)
        return found is True or (found is None and lenient)

    def shift(self, rule, row):
        if not self.met(rule, row):
            return 0.0
        factor = naive_number(rule.by, row, self.request, self.shop.shop)
        if factor is None or not 0 < factor < math.inf:
            return 0.0
        return math.log(factor) * (1 if isinstance(rule, Boost) else -1)

    def group(self, rule, row):
        """The group's own value; None where the rule does not count the row."""
        if not self.met(rule, row):
            return None
        if rule.per is None:
            return "all"
        value = row[rule.per.name]
        strangers = rule.unknown == "apply" and rule.when is None
        return ("strangers" if strangers else None) if value is None else ("known", value)


def assert_as_naive(bound, rules, shop, now):
    asked = shop.asked()
    seed = (shop.ids.ids[asked.seed],) if asked.seed >= 0 else ()
    query = Query(context=asked.context, params=asked.params, seed=seed)
    in_force = bound.in_force(query, now=now, user=asked.user, who=asked.who, past=asked.past)
    naive = Naive(shop, {**shop.request, "now": now})
    on = [rule for rule in rules.rules if naive.is_on(rule)]
    rows = shop.rows
    filters = [rule for rule in on if isinstance(rule, (Require, Exclude))]
    shown = [[naive.shown(rule, row) for row in rows] for rule in filters]
    allowed = [all(one) for one in zip(*shown, strict=True)] if filters else [True] * len(rows)
    assert in_force.allowed.tolist() == allowed
    for rule, one in zip(filters, shown, strict=True):
        (line,) = [told for told in in_force.effects if re.match(f"{rule.name}[ :]", told)]
        gone = f"left out {one.count(False)} of {len(rows)} items"
        unsure = line.startswith(f"{rule.name}: ")  # then "left out 0" would be noise
        assert line.endswith(gone) or (unsure and all(one) and "left out" not in line)
    assert_shifts(in_force, naive, on)
    assert_slots(in_force, naive, on)


def assert_shifts(in_force, naive, on):
    rows = naive.shop.rows
    boosts = [rule for rule in on if isinstance(rule, (Boost, Bury))]
    shifts = in_force.shifts(np.arange(len(rows), dtype=np.int32))
    assert (shifts is None) == (not boosts)
    if boosts:
        sums = [sum(naive.shift(rule, row) for rule in boosts) for row in rows]
        clipped = np.clip(sums, -math.log(10), math.log(10))
        np.testing.assert_allclose(shifts, clipped, rtol=1e-4, atol=1e-6)


def assert_slots(in_force, naive, on):
    rows = naive.shop.rows
    order = np.random.default_rng(len(rows)).permutation(len(rows)).astype(np.int32)
    slots = in_force.slot_rules(order, 5)
    matches = {one.rule: one.matches.tolist() for one in (*slots.pins, *slots.quotas)}
    expected = {
        rule.name: [naive.met(rule, rows[item]) for item in order.tolist()]
        for rule in on
        if isinstance(rule, (Pin, Ensure))
    }
    assert matches == expected
    limits = [rule for rule in on if isinstance(rule, Limit)]
    for rule, cap in zip(limits, slots.caps, strict=True):
        groups = [naive.group(rule, rows[item]) for item in order.tolist()]
        assert [code >= 0 for code in cap.groups.tolist()] == [one is not None for one in groups]
        pairs = {pair for pair in zip(groups, cap.groups.tolist(), strict=True) if pair[1] >= 0}
        assert len(pairs) == len({code for _, code in pairs}) == len({one for one, _ in pairs})


@pytest.mark.parametrize("block", range(8))
def test_bound_rules_say_what_reading_every_row_says(block):
    n_rules = 0
    for seed in range(12):
        rng = np.random.default_rng((block, seed))
        shop = SmallShop(rng)
        rules = random_rules(shop, rng)
        n_rules += len(rules.rules)
        bound = BoundRules(rules, shop.tables.items, shop.tables.users)
        now = shop.request["now"]
        for _ in range(5):
            assert_as_naive(bound, rules, shop, now)
            if rng.random() < 0.5:
                before = [dict(row) for row in shop.rows]
                shop.grow()
                changed = [
                    place
                    for place, row in enumerate(shop.rows)
                    if row not in before[place : place + 1]
                ]
                bound.items_changed(np.array(changed, np.int32), set(ITEM_KINDS))
            if rng.random() < 0.8:
                now = int(NOW + rng.integers(-6, 7) * DAY // 2 + rng.integers(-1, 2))
            else:
                now = shop.request["now"]
    assert n_rules > 60
