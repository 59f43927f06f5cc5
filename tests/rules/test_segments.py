"""Strategies: for the segment a rule means what it meant before, for all others nothing."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from recopersona.data.feature_table import FeatureTable
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.errors import RuleError
from recopersona.rules import (
    Boost,
    Bury,
    Ensure,
    Exclude,
    Limit,
    Pin,
    Require,
    RuleSet,
    ctx,
    item,
    nodes,
    user,
)  # fmt: skip
from recopersona.rules.binding.bound import BoundRules

# -- rules by truth tables: what one rule does with one item, in Kleene's three values -------------


def truth(node, known):
    """Return True, False or None (unknown) of a condition over named values."""
    if isinstance(node, nodes.Field):
        return known[node.name]
    if isinstance(node, nodes.Text):
        return node.value
    if isinstance(node, nodes.Not):
        value = truth(node.value, known)
        return None if value is None else not value
    if isinstance(node, nodes.IsUnknown):
        return truth(node.value, known) is None
    if isinstance(node, nodes.Compare):
        left, right = truth(node.left, known), truth(node.right, known)
        return None if left is None or right is None else left == right
    if isinstance(node, nodes.In):
        value = truth(node.value, known)
        return None if value is None else value in [truth(m, known) for m in node.members]
    values = [truth(arg, known) for arg in node.args]
    decisive = isinstance(node, nodes.Or)
    if decisive in values:
        return decisive
    return None if None in values else not decisive


def effect(rule, known):
    """Return what a rule does with an item; None is nothing."""
    if rule.when is not None:
        fires = truth(rule.when, known)
        if not (rule.unknown == "apply" if fires is None else fires):
            return None
    unknown = rule.unknown if rule.when is None else None
    met = True if rule.where is None else truth(rule.where, known)
    if isinstance(rule, nodes.Require):
        let_through = unknown == "skip" if met is None else met
        return None if let_through else "left out"
    if not (unknown == "apply" if met is None else met):
        return None
    if isinstance(rule, nodes.Limit) and rule.per is not None:
        group = known[rule.per.name]
        if group is None and unknown != "apply":
            return None
        return f"group {group}"
    return "group None" if isinstance(rule, nodes.Limit) else type(rule).__name__


ACTIONS = {
    "require": lambda **rest: Require(item.c, **rest),
    "exclude": lambda **rest: Exclude(item.c, **rest),
    "boost": lambda **rest: Boost(item.c, by=2, **rest),
    "boost all": lambda **rest: Boost(by=2, **rest),
    "bury": lambda **rest: Bury(item.c, by=2, **rest),
    "pin": lambda **rest: Pin(item.c, at=1, **rest),
    "ensure": lambda **rest: Ensure(1, item.c, **rest),
    "limit where": lambda **rest: Limit(1, where=item.c, **rest),
    "limit per": lambda **rest: Limit(1, per=item.key, **rest),
    "limit per where": lambda **rest: Limit(1, per=item.key, where=item.c, **rest),
}
WHENS = {"always": None, "w": user.w, "w or z": user.w | user.z, "not w": ~user.w}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("unknown", [None, "apply", "skip"])
@pytest.mark.parametrize("segments", ["vip", ["vip", "gold"]])
def test_a_strategy_means_the_same_for_its_segment_and_nothing_for_others(
    action, when, unknown, segments
):
    rule = ACTIONS[action](when=WHENS[when], unknown=unknown)
    strategy = RuleSet.for_segment(segments, rule)
    for segment, c, w, z, key in product(
        ["vip", "gold", "new", None], *[[True, False, None]] * 3, ["acme", None]
    ):
        known = {"segment": segment, "c": c, "w": w, "z": z, "key": key}
        belongs = segment is not None and segment in segments
        effects = {effect(one, known) for one in strategy} - {None}
        assert effects == ({effect(rule, known)} - {None} if belongs else set()), known


def test_the_text_of_a_strategy_can_be_read():
    strategy = RuleSet.for_segment("vip", "RULE a: REQUIRE item.c IF UNKNOWN SKIP; PIN item.b AT 1")
    assert str(strategy).splitlines() == [
        'RULE vip_a: REQUIRE item.c OR item.c IS UNKNOWN WHEN user.segment = "vip"',
        'RULE vip_2: PIN item.b AT 1 WHEN user.segment = "vip"',
    ]
    assert RuleSet(str(strategy)) == strategy


def test_what_else_a_rule_says_stays():
    rule = Boost(
        item.c, by=2, name="sale", during=("2026-07-01", None), priority=3, strict=True,
        when=user.w, unknown="skip",
    )  # fmt: skip
    (held,) = RuleSet.for_segment(["vip", "gold"], rule)
    assert held.name == "vip_gold_sale"
    assert (held.during, held.priority, held.strict, held.unknown, held.by) == (
        rule.during, 3, True, "skip", rule.by,
    )  # fmt: skip
    assert held.when == (user.segment.is_in(["vip", "gold"]) & user.w).node


def test_another_column_may_name_the_segment():
    for by in ("tier", user.tier):
        (held,) = RuleSet.for_segment(3, Require(item.c), by=by)
        assert held == Require(item.c, when=user.tier == 3, name="tier_3_1")
    (held,) = RuleSet.for_segment("größte Kunden", Require(item.c), by=ctx.country, name="big")
    assert held.when == (ctx.country == "größte Kunden").node
    assert held.name == "big_1"
    assert RuleSet.for_segment("18-25", Require(item.c)).labels == ("segment_18_25_1",)


def test_strategies_stand_side_by_side():
    rules = RuleSet("REQUIRE item.stock > 0", timezone="Europe/Berlin")
    both = RuleSet.for_segment("vip", rules) + RuleSet.for_segment("new", rules)
    assert both.labels == ("vip_1", "new_1")
    assert both.timezone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("values", "by", "said"),
    [
        ([], "segment", "at least one"),
        (None, "segment", "missing value"),
        (float("nan"), "segment", "missing value"),
        ("vip", item.brand, "for people"),
        ("vip", "", "name of a column"),
        ("vip", 3, "name of a column"),
    ],
)
def test_a_strategy_needs_a_segment(values, by, said):
    with pytest.raises(RuleError, match=said):
        RuleSet.for_segment(values, "REQUIRE item.c", by=by)


# -- the same, as a shop evaluates it ------------------------------------------------------------


def _shop():
    """Return items of every c and key, and users of every segment, w and z; in that order."""
    items = pd.DataFrame(product([True, False, None], ["acme", "sol", None]), columns=["c", "key"])
    users = pd.DataFrame(
        product(["vip", "gold", "new", None], [True, False, None], [True, False, None]),
        columns=["segment", "w", "z"],
    )
    for frame, name in ((items, "item_id"), (users, "user_id")):
        frame[name] = range(len(frame))
    kinds = {"c": "flag", "key": "category", "segment": "category", "w": "flag", "z": "flag"}

    def table(frame, name):
        own = {key: kind for key, kind in kinds.items() if key in frame}
        return FeatureTable.from_frame(frame.astype(object), IdMap(), name, own)

    return table(items, "item_id"), table(users, "user_id"), users


def _said(rules, user, who, items):
    """Return all that rules do for one user, without their names."""
    past = History(Interactions(*[np.empty(0, kind) for kind in (int, int, np.int8, np.float32)]))
    held = rules.in_force(Query(user_id=user), now=0, user=user, who=who, past=past)
    rows = np.arange(items, dtype=np.int32)
    slots = held.slot_rules(rows, 9)
    shifts = held.shifts(rows)
    caps = set()
    for cap in slots.caps:
        groups = cap.groups
        caps |= {(cap.most, tuple(np.flatnonzero(groups == one))) for one in set(groups) - {-1}}
    return {
        "allowed": held.allowed.tolist(),
        "shifts": [0.0] * items if shifts is None else shifts.tolist(),
        "pins": [tuple(pin.matches) for pin in slots.pins if pin.matches.any()],
        "quotas": [tuple(quota.matches) for quota in slots.quotas if quota.matches.any()],
        "caps": caps,
    }


@pytest.mark.parametrize("action", ACTIONS)
def test_a_shop_sees_the_rule_for_its_segment_and_nothing_for_others(action):
    items, users, people = _shop()
    nothing = BoundRules(RuleSet(), items, users)
    for when, unknown in product(WHENS.values(), [None, "apply", "skip"]):
        rule = RuleSet(ACTIONS[action](when=when, unknown=unknown))
        plain = BoundRules(rule, items, users)
        strategy = BoundRules(RuleSet.for_segment(["vip", "gold"], rule), items, users)
        for row, person in enumerate(people.to_dict("records")):
            who = {name: person[name] for name in ("segment", "w", "z") if person[name] is not None}
            same_as = plain if person["segment"] in ("vip", "gold") else nothing
            wanted = _said(same_as, row, who, len(items))
            assert _said(strategy, row, who, len(items)) == wanted, (when, unknown, who)
