"""Rules bound to a shop: what may be shown, what is asked of slots, and what they say."""

import copy
import threading

import numpy as np
import pandas as pd
import pytest

from recopersona.data.event import event_code
from recopersona.data.feature_table import FeatureTable
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.errors import RuleError
from recopersona.rules.bound import BoundRules
from recopersona.rules.parsing import parse_rules

DAY = 86_400_000
TODAY = 20_000 * DAY

EIGHT = """
RULE in_stock:    REQUIRE item.stock > 0
RULE no_repeat:   EXCLUDE DID purchase WITHIN 90d
RULE summer_sale: BOOST item.discount > 0 BY 1.3 DURING 2024-10-01..2024-10-31
RULE sponsor:     PIN item.sponsored AT 3
RULE brand_cap:   LIMIT 2 PER item.brand IN TOP 10
RULE fresh_share: ENSURE 20% WHERE item.age <= 30d
RULE adult_guard: EXCLUDE item.adult WHEN user.age < 18 IF UNKNOWN APPLY
RULE price_band:  REQUIRE item.price BETWEEN user.price_lo AND user.price_hi IF UNKNOWN SKIP
"""


def day(number):
    return None if number is None else pd.Timestamp(int(number * DAY), unit="ms")


def shelf(n_items, **columns):
    """A table of items i0, i1, ... with some columns."""
    frame = pd.DataFrame({"item_id": [f"i{row}" for row in range(n_items)]})
    for name, values in columns.items():
        frame[name] = pd.Series(values, dtype=object)
    if "created_at" in columns:
        frame["created_at"] = pd.to_datetime(frame["created_at"])
    return FeatureTable.from_frame(frame, IdMap(), "item_id", kinds_of(frame))


def kinds_of(frame):
    kinds = {"sponsored": "flag", "adult": "flag", "discount": "number", "colour": "category"}
    return {name: kind for name, kind in kinds.items() if name in frame}


def customers():
    frame = pd.DataFrame(
        {
            "user_id": ["anna", "ben"],
            "age": [30.0, 15.0],
            "vip": pd.array([True, False], dtype="boolean"),
            "price_lo": [1.0, 2.0],
            "price_hi": [5.0, 9.0],
            "segment": ["high", "low"],
            "refused": [["Ito"], ["Sol"]],
        }
    )
    return FeatureTable.from_frame(frame, IdMap(), "user_id")


def past_of(*events, limit=200):
    """A history of (user, item, event, day)."""
    users, items, kinds, days = zip(*events, strict=True) if events else ((), (), (), ())
    log = Interactions(
        np.array(users, np.int32),
        np.array(items, np.int32),
        np.array([event_code(kind) for kind in kinds], np.int8),
        np.ones(len(users), np.float32),
        timestamp=np.array([int(one * DAY) for one in days], np.int64),
    )
    return History(log, limit=limit)


def bound_to(text, items, **keywords):
    return BoundRules(parse_rules(text), items, customers(), **keywords)


def ask(bound, *, now=TODAY, user=-1, past=None, who=None, **query):
    asked = Query(**query)
    past = past_of() if past is None else past
    return bound.in_force(asked, now=now, user=user, who={} if who is None else who, past=past)


def shown(in_force):
    return np.flatnonzero(in_force.allowed).tolist()


def everything(items):
    return np.arange(len(items), dtype=np.int32)


# -- filters -----------------------------------------------------------------------------------


def test_filters_leave_out_and_say_how_many():
    items = shelf(4, stock=[3, 0, None, 1], price=[1.0, 2.0, 3.0, 99.0])
    bound = bound_to("RULE in_stock: REQUIRE item.stock > 0; EXCLUDE item.price > 50", items)
    in_force = ask(bound)
    assert shown(in_force) == [0]
    assert in_force.effects == ("in_stock left out 2 of 4 items", "rule 2 left out 1 of 4 items")
    assert not bound.depends_on_query


def test_what_is_off_says_nothing():
    items = shelf(3, stock=[1, 0, 2])
    text = """
    RULE past:   EXCLUDE item.stock > 1 DURING ..2020-01-01
    RULE cart:   EXCLUDE item.stock > 0 WHEN ctx.page = "cart"
    RULE nobody: REQUIRE item.stock > 99 WHEN user.vip
    """
    in_force = ask(bound_to(text, items), context={"page": "home"}, who={"vip": False})
    assert shown(in_force) == [0, 1, 2]
    assert in_force.effects == ()


def test_effects_stand_in_the_order_of_the_rules():
    items = shelf(2, stock=[1, 0], price=[1.0, 7.0])
    text = """
    RULE band:    REQUIRE item.price < user.price_hi
    RULE stocked: REQUIRE item.stock > 0
    RULE guard:   EXCLUDE item.price > 50 WHEN user.age < 18 IF UNKNOWN APPLY
    RULE minor:   EXCLUDE item.price > 50 WHEN user.age < 18 AND ctx.page = "cart"
    """
    assert ask(bound_to(text, items)).effects == (
        "band: user.price_hi is unknown, applied",
        "band left out 2 of 2 items",
        "stocked left out 1 of 2 items",
        "guard: user.age is unknown, applied",
        "guard left out 0 of 2 items",
        "minor: user.age and ctx.page are unknown, skipped",
    )


def test_odd_values_of_a_request_are_told_once():
    items = shelf(2, stock=[1, 2])
    text = "EXCLUDE item.stock > 1 WHEN ctx.page = 3; BOOST BY 2 WHEN ctx.page = 3"
    in_force = ask(bound_to(text, items), context={"page": {}})
    in_force.shifts(everything(items))
    odd = [line for line in in_force.effects if "expected" in line]
    assert len(odd) == 1
    assert odd[0].startswith("ctx.page is ")
    assert shown(in_force) == [0, 1]


def test_the_same_rules_on_share_one_mask():
    items = shelf(3, stock=[1, 0, 2], adult=[True, False, False])
    bound = bound_to("REQUIRE item.stock > 0; EXCLUDE item.adult WHEN user.age < 18", items)
    assert bound.depends_on_query
    young, old = {"age": 15}, {"age": 30}
    one, other, third = ask(bound, who=young), ask(bound, who=old), ask(bound, who=young)
    assert one.allowed is third.allowed
    assert one.allowed is not other.allowed
    assert (shown(one), shown(other)) == ([2], [0, 2])


def test_a_mask_given_out_stays_as_it_was_when_items_change():
    items = shelf(3, stock=[1, 0, 2])
    bound = bound_to("REQUIRE item.stock > 0", items)
    before = ask(bound)
    change(items, bound, "i1", stock=5)
    assert (shown(before), shown(ask(bound))) == ([0, 2], [0, 1, 2])
    assert before.effects == ("rule 1 left out 1 of 3 items",)


def test_a_change_that_changes_no_answer_keeps_the_masks():
    items = shelf(3, stock=[1, 0, 2], price=[1.0, 2.0, 3.0])
    bound = bound_to("REQUIRE item.stock > 0", items)
    before = ask(bound).allowed
    change(items, bound, "i0", stock=7)
    change(items, bound, "i0", price=9.0)
    assert ask(bound).allowed is before


def test_what_a_visitor_did_is_left_out_for_her_alone():
    items = shelf(4, stock=[1, 1, 0, 1])
    text = "REQUIRE item.stock > 0; RULE no_repeat: EXCLUDE DID purchase WITHIN 90d"
    bound = bound_to(text, items)
    past = past_of((0, 0, "purchase", 19_990), (0, 3, "purchase", 19_000), (0, 1, "view", 19_999))
    assert shown(ask(bound, user=0, past=past)) == [1, 3]
    assert ask(bound, user=0, past=past).effects[1] == "no_repeat left out 1 of 4 items"
    assert shown(ask(bound, user=1, past=past)) == [0, 1, 3]
    assert shown(ask(bound, past=past)) == [0, 1, 3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("EXCLUDE DID purchase", [1, 2, 3, 5]),
        ("EXCLUDE DID purchase AND item.stock > 3", [0, 1, 2, 3, 5]),
        ("EXCLUDE DID purchase OR DID view", [2, 3, 5]),
        ("EXCLUDE DID purchase OR item.stock > 4", [1, 2, 3]),
        ("REQUIRE NOT DID purchase", [1, 2, 3, 5]),
        ("REQUIRE NOT DID purchase AND NOT DID view", [2, 3, 5]),
        ("REQUIRE NOT (DID purchase AND item.stock > 3)", [0, 1, 2, 3, 5]),
        ("REQUIRE DID purchase", [0, 4]),
        ("EXCLUDE NOT DID purchase", [0, 4]),
        ("EXCLUDE NOT (NOT DID purchase OR item.stock < 3)", [0, 1, 2, 3, 5]),
    ],
)
def test_deeds_joined_with_other_conditions(text, expected):
    items = shelf(6, stock=[0, 1, 2, 3, 4, 5])
    past = past_of((0, 0, "purchase", 1), (0, 1, "view", 2), (0, 4, "purchase", 3))
    assert shown(ask(bound_to(text, items), user=0, past=past)) == expected


def test_deeds_of_which_a_history_cannot_tell_are_unknown():
    items = shelf(3, stock=[1, 1, 1])
    bought = ((0, 0, "purchase", 19_990), (0, 1, "purchase", 19_991))
    past, full = past_of(*bought), past_of(*bought, limit=1)
    text = "EXCLUDE DID purchase WITHIN 90d"
    assert shown(ask(bound_to(text, items), user=0, past=full)) == [0, 2]
    assert shown(ask(bound_to(f"{text} IF UNKNOWN APPLY", items), user=0, past=full)) == [2]
    assert shown(ask(bound_to(text, items), user=0, past=past, now=None)) == [0, 1, 2]
    assert shown(ask(bound_to(text, items), user=0, past=past)) == [2]


def test_filters_of_the_visitor_and_the_seed_item():
    items = shelf(4, price=[1.0, 4.0, 6.0, None], brand=["Ito", "Sol", "Ito", "Sol"])
    band = bound_to("REQUIRE item.price BETWEEN user.price_lo AND user.price_hi", items)
    assert shown(ask(band, who={"price_lo": 1, "price_hi": 5})) == [0, 1]
    assert shown(ask(band)) == []
    alike = bound_to("REQUIRE item.brand = seed.brand", items)
    assert shown(ask(alike, seed="i1")) == [1, 3]
    assert shown(ask(alike, seed=["i0", "i1"])) == [0, 2]
    assert shown(ask(alike, seed="unheard of")) == []
    refused = bound_to("EXCLUDE item.brand IN user.refused", items)
    assert shown(ask(refused, who={"refused": ("Ito",)})) == [1, 3]
    floor = bound_to("REQUIRE item.price >= $floor", items)
    assert shown(ask(floor, params={"floor": 4})) == [1, 2]


def test_a_filter_that_reads_no_item_allows_all_or_nothing():
    items = shelf(2, stock=[1, 2])
    bound = bound_to("RULE vip: REQUIRE user.vip", items)
    assert shown(ask(bound, who={"vip": True})) == [0, 1]
    nothing = ask(bound, who={"vip": False})
    assert (shown(nothing), nothing.effects) == ([], ("vip left out 2 of 2 items",))


def test_schedules_go_by_the_querys_moment():
    items = shelf(2, stock=[1, 2])
    text = (
        'TIMEZONE "Europe/Berlin" RULE july: EXCLUDE item.stock > 1 DURING 2026-07-01..2026-07-31'
    )
    bound = bound_to(text, items)
    start, end = pd.Timestamp("2026-06-30T22:00"), pd.Timestamp("2026-07-31T22:00")
    for moment, expected in ((start, [0]), (end, [0, 1])):
        at = int(moment.value // 10**6)
        assert shown(ask(bound, now=at)) == expected
        assert shown(ask(bound, now=at - 1)) != expected
    timeless = ask(bound, now=None)
    assert shown(timeless) == [0, 1]
    assert timeless.effects == ("july: ctx.now is unknown, skipped",)


def test_ages_go_by_the_querys_moment():
    items = shelf(3, created_at=[day(19_990), day(19_900), None])
    bound = bound_to("RULE fresh: REQUIRE item.age <= 30d", items)
    assert bound.depends_on_query
    one, other = ask(bound), ask(bound, now=TODAY + 5)
    assert one.allowed is other.allowed
    assert (shown(one), one.effects) == ([0], ("fresh left out 2 of 3 items",))
    assert shown(ask(bound, now=19_920 * DAY)) == [0, 1]
    assert shown(ask(bound, now=TODAY + 50 * DAY)) == []
    change(items, bound, "i2", created_at=day(20_049))
    assert shown(ask(bound, now=TODAY + 50 * DAY)) == [2]


# -- what is done with the unknown ---------------------------------------------------------------

UNKNOWNS = ("", " IF UNKNOWN APPLY", " IF UNKNOWN SKIP")


@pytest.mark.parametrize("unknown", UNKNOWNS)
@pytest.mark.parametrize("when", ["", " WHEN user.vip"])
def test_unknown_conditions_of_every_action(unknown, when):
    """Items 0, 1, 2: it is met, it is not met, it is unknown."""
    items = shelf(3, adult=[True, False, None])
    rows, end = everything(items), f"{when}{unknown}"
    applied = when == "" and unknown.endswith("APPLY")
    skipped = when == "" and unknown.endswith("SKIP")

    def asked(text):
        return ask(bound_to(text + end, items), who={"vip": True})

    met = [0, 2] if applied else [0]
    assert shown(asked("REQUIRE item.adult")) == ([0, 2] if skipped else [0])
    assert shown(asked("EXCLUDE item.adult")) == ([1] if applied else [1, 2])
    for verb, sign in (("BOOST", 1), ("BURY", -1)):
        shifts = asked(f"{verb} item.adult BY 2").shifts(rows)
        expected = [sign * np.log(2) * (row in met) for row in range(3)]
        np.testing.assert_allclose(shifts, expected, rtol=1e-6)
    (pin,) = asked("PIN item.adult AT 1").slot_rules(rows, 3).pins
    assert np.flatnonzero(pin.matches).tolist() == met
    (quota,) = asked("ENSURE 1 WHERE item.adult").slot_rules(rows, 3).quotas
    assert np.flatnonzero(quota.matches).tolist() == met
    (cap,) = asked("LIMIT 1 WHERE item.adult").slot_rules(rows, 3).caps
    assert np.flatnonzero(cap.groups >= 0).tolist() == met
    (cap,) = asked("LIMIT 1 PER item.adult").slot_rules(rows, 3).caps
    assert len(set(cap.groups.tolist())) == 3
    assert np.flatnonzero(cap.groups >= 0).tolist() == ([0, 1, 2] if applied else [0, 1])


@pytest.mark.parametrize("unknown", UNKNOWNS)
@pytest.mark.parametrize("vip", [True, False, None])
def test_unknown_whens(vip, unknown):
    items = shelf(2, stock=[1, 0])
    rows = everything(items)
    who = {} if vip is None else {"vip": vip}
    is_on = vip is True or (vip is None and unknown.endswith("APPLY"))
    actions = (
        "REQUIRE item.stock > 0", "EXCLUDE item.stock = 0", "BOOST BY 2",
        "BURY item.stock > 0 BY 2",
        "PIN item.stock > 0 AT 1", "LIMIT 1 PER item.stock", "ENSURE 1 WHERE item.stock > 0",
    )  # fmt: skip
    for action in actions:
        in_force = ask(bound_to(f"{action} WHEN user.vip{unknown}", items), who=who)
        slots = in_force.slot_rules(rows, 2)
        does = (shown(in_force) == [0]) or in_force.shifts(rows) is not None or bool(slots)
        assert does == is_on
        said = [line for line in in_force.effects if "unknown" in line]
        word = "applied" if is_on else "skipped"
        assert said == ([f"rule 1: user.vip is unknown, {word}"] if vip is None else [])


# -- boosts ------------------------------------------------------------------------------------


def test_boosts_add_up_and_are_clipped():
    items = shelf(4, stock=[1, 2, 3, None], price=[4.0, 100.0, -1.0, 2.0])
    rows = np.array([3, 2, 1, 0], np.int32)
    text = "BOOST item.stock > 1 BY 3; BURY item.stock > 2 BY 2; BOOST BY item.price"
    shifts = ask(bound_to(text, items)).shifts(rows)
    assert shifts.dtype == np.float32
    expected = [np.log(2), np.log(3 / 2), np.log(10), np.log(4)]
    np.testing.assert_allclose(shifts, expected, rtol=1e-6)
    bound = bound_to(text, items, max_boost=2)
    np.testing.assert_allclose(ask(bound).shifts(rows)[2], np.log(2), rtol=1e-6)


@pytest.mark.parametrize(
    "factor", ["0", "-2", "item.stock / 0", "user.age", "$missing", "item.price"]
)
def test_a_factor_that_is_none_leaves_the_odds(factor):
    items = shelf(2, stock=[1, 2], price=[None, None])
    for verb in ("BOOST", "BURY"):
        shifts = ask(bound_to(f"{verb} BY {factor}", items)).shifts(everything(items))
        assert shifts.tolist() == [0.0, 0.0]


def test_a_percentage_is_a_factor_too():
    items = shelf(1, stock=[1])
    shifts = ask(bound_to("BOOST BY 150%; BURY BY user.age", items), who={"age": 3}).shifts(
        everything(items)
    )
    np.testing.assert_allclose(shifts, [np.log(1.5 / 3)], rtol=1e-6)


def test_without_boosts_on_there_are_no_shifts():
    items = shelf(1, stock=[1])
    bound = bound_to("BOOST BY 2 DURING ..2020-01-01; REQUIRE item.stock > 0", items)
    assert ask(bound).shifts(everything(items)) is None


# -- slots -------------------------------------------------------------------------------------


def test_slot_rules_over_the_candidates_in_their_order():
    items = shelf(5, sponsored=[0, 1, 0, 1, None], brand=["Ito", "Sol", None, "Ito", "Ito"])
    text = """
    RULE sponsor: PIN item.sponsored AT 3, 1 STRICT
    RULE cap:     LIMIT 2 PER item.brand IN ANY 3 CONSECUTIVE
    RULE ito:     LIMIT 50% IN TOP 3 WHERE item.brand = "Ito"
    RULE share:   ENSURE 20% WHERE item.brand = "Sol"
    """
    slots = ask(bound_to(text, items)).slot_rules(np.array([3, 1, 4, 2], np.int32), 8)
    (pin,) = slots.pins
    assert (pin.rule, pin.slots, pin.strict) == ("sponsor", (3, 1), True)
    assert pin.matches.tolist() == [True, True, False, False]
    cap, ito = slots.caps
    assert (cap.most, cap.span.size, cap.span.sliding, cap.strict) == (2, 3, True, False)
    assert cap.groups.dtype == np.int32
    assert cap.groups[0] == cap.groups[2] != cap.groups[1]
    assert cap.groups[3] == -1
    assert (ito.most, ito.span.size, ito.span.sliding) == (2, 3, False)
    assert ito.groups.tolist() == [0, -1, 0, -1]
    (quota,) = slots.quotas
    assert (quota.least, quota.span.size, quota.matches.tolist()) == (
        2,
        8,
        [False, True, False, False],
    )


@pytest.mark.parametrize(
    ("amount", "n", "most"),
    [("3", 10, 3), ("20%", 10, 2), ("21%", 10, 3), ("7%", 100, 7), ("29%", 100, 29),
     ("0.1%", 10, 1), ("100%", 7, 7), ("50% IN TOP 5", 10, 3), ("50% IN TOP 50", 10, 5),
     ("14% IN ANY 50 CONSECUTIVE", 50, 7)],
)  # fmt: skip
def test_shares_are_of_the_window_and_rounded_up(amount, n, most):
    items = shelf(1, stock=[1])
    (cap,) = (
        ask(bound_to(f"LIMIT {amount} WHERE item.stock > 0", items))
        .slot_rules(everything(items), n)
        .caps
    )
    assert cap.most == most
    assert cap.span.size <= n


def test_what_matters_more_comes_first():
    items = shelf(1, stock=[1])
    text = """
    RULE a: PIN item.stock > 0 AT 1
    RULE b: PIN item.stock > 0 AT 1 PRIORITY 2
    RULE c: PIN item.stock > 0 AT 1 PRIORITY -1
    RULE d: PIN item.stock > 0 AT 1 PRIORITY 2
    """
    slots = ask(bound_to(text, items)).slot_rules(everything(items), 5)
    assert [pin.rule for pin in slots.pins] == ["b", "d", "a", "c"]


def test_needs_say_who_would_serve_and_how_many_are_wanted():
    items = shelf(
        5, sponsored=[1, 1, 0, 0, 1], stock=[0, 1, 1, 1, 1],
        created_at=[day(19_999), day(19_999), day(19_999), day(10), day(19_999)],
    )  # fmt: skip
    text = """
    REQUIRE item.stock > 0
    RULE share:   ENSURE 30% WHERE item.age <= 30d
    RULE sponsor: PIN item.sponsored AT 2, 9
    RULE vip:     ENSURE 1 WHERE user.vip
    RULE cheap:   ENSURE 1 WHERE item.stock < user.age
    """
    needs = ask(bound_to(text, items), who={"vip": True, "age": 1}).needs(5)
    assert [(rule, np.flatnonzero(mask).tolist(), count) for rule, mask, count in needs] == [
        ("sponsor", [1, 4], 1),
        ("share", [1, 2, 4], 2),
        ("vip", [1, 2, 3, 4], 1),
        ("cheap", [], 1),
    ]


# -- who touched and hid what ----------------------------------------------------------------------


def test_every_item_shown_says_which_rules_touched_it():
    items = shelf(
        4, stock=[1, 1, 1, 1], sponsored=[0, 0, 1, 0], brand=["Ito", "Sol", "Ito", None],
        discount=[0.5, 0, 0, 0], created_at=[day(19_999), day(1), day(1), day(1)],
    )  # fmt: skip
    text = EIGHT + "RULE slow: BURY item.discount = 0 BY 2"
    text = text.replace("DID purchase WITHIN 90d", "DID cart")
    text = text.replace("item.adult WHEN", "item.stock > 5 WHEN").replace(
        "item.price", "item.stock"
    )
    in_force = ask(bound_to(text, items), now=TODAY)
    ranking = Ranking.of([0, 1, 2, 3], [4, 3, 2, 1], items.ids, "Popularity")
    assert in_force.touched(ranking) == [
        (0, "summer_sale", "boosted x1.3"),
        (0, "brand_cap", "1 of at most 2 of brand Ito"),
        (0, "fresh_share", "counts for fresh_share"),
        (1, "brand_cap", "1 of at most 2 of brand Sol"),
        (1, "slow", "buried x0.5"),
        (2, "sponsor", "pinned"),
        (2, "brand_cap", "2 of at most 2 of brand Ito"),
        (2, "slow", "buried x0.5"),
        (3, "slow", "buried x0.5"),
    ]
    assert in_force.touched(Ranking.of([], [], items.ids, "Popularity")) == []


def test_a_limit_at_the_top_counts_no_further():
    items = shelf(3, brand=["Ito", "Ito", "Ito"])
    in_force = ask(bound_to("RULE top: LIMIT 1 PER item.brand IN TOP 2", items))
    ranking = Ranking.of([2, 1, 0], [3, 2, 1], items.ids, "Popularity")
    assert in_force.touched(ranking) == [
        (0, "top", "1 of at most 1 of brand Ito"),
        (1, "top", "2 of at most 1 of brand Ito"),
    ]


def test_a_hidden_item_says_which_rule_hid_it_first():
    items = shelf(
        6, stock=[1, 1, 1, 1, 0, None], brand=["Ito", "Ito", "Sol", "Ito", "Ito", "Sol"],
        adult=[False, False, False, False, True, None],
    )  # fmt: skip
    text = """
    RULE cap:     LIMIT 2 PER item.brand IN TOP 3
    RULE adult:   EXCLUDE item.adult
    RULE stocked: REQUIRE item.stock > 0
    """
    in_force = ask(bound_to(text, items))
    ranking = Ranking.of([0, 1, 2], [3, 2, 1], items.ids, "Popularity")
    assert in_force.hid(ranking, 3) == ("cap", "no room: 2 of at most 2 of brand Ito are shown")
    assert in_force.hid(ranking, 4) == ("adult", "left out, its condition is met")
    assert in_force.hid(ranking, 5) == ("stocked", "left out, its condition is unknown")
    assert in_force.hid(ranking, 2) is None
    assert in_force.hid(ranking.take([0, 2]), 3) is None
    items.update(pd.DataFrame({"item_id": ["i4"], "adult": [False]}), "item_id")
    assert in_force.hid(ranking, 4) == ("stocked", "left out, its condition is not met")


def test_a_limit_in_any_run_hides_only_what_fits_nowhere():
    items = shelf(6, brand=["Ito", "Sol", "Sol", "Sol", "Ito", "Sol"])
    text = "RULE apart: LIMIT 1 PER item.brand IN ANY 2 CONSECUTIVE"
    in_force = ask(bound_to(text, items))
    dense = Ranking.of([0, 1, 4], [3, 2, 1], items.ids, "Popularity")
    assert in_force.hid(dense, 2) == ("apart", "no room: at most 1 of brand Sol in any 2 slots")
    sparse = Ranking.of([1, 0, 4, 2], [4, 3, 2, 1], items.ids, "Popularity")
    assert in_force.hid(sparse, 3) == ("apart", "no room: at most 1 of brand Sol in any 2 slots")
    wide = Ranking.of([1, 0, 4], [4, 3, 2], items.ids, "Popularity")
    assert in_force.hid(wide, 3) is None


# -- updates -----------------------------------------------------------------------------------

COLUMNS = {
    "stock": lambda rng: maybe(rng, int(rng.integers(0, 3))),
    "price": lambda rng: maybe(rng, float(rng.integers(0, 9))),
    "discount": lambda rng: maybe(rng, float(rng.integers(0, 2)) / 2),
    "adult": lambda rng: maybe(rng, bool(rng.integers(2))),
    "sponsored": lambda rng: maybe(rng, bool(rng.integers(2))),
    "brand": lambda rng: maybe(rng, f"b{rng.integers(6)}"),
    "created_at": lambda rng: maybe(rng, day(float(rng.integers(19_940, 20_010)))),
}

MANY = f"""{EIGHT}
RULE new_brands: EXCLUDE item.brand IN ("b1", "b5") IF UNKNOWN APPLY WHEN ctx.page = "cart"
RULE old:        EXCLUDE item.age > 60d AND item.stock < 2 OR item.age > 65d
RULE odd:        REQUIRE item.age / 1d < 62 IF UNKNOWN SKIP
RULE cheap:      ENSURE 2 WHERE item.price < 3 OR item.created_at > ctx.now
RULE lifted:     BOOST item.brand = "b2" BY 1 + item.price / 10
RULE few:        LIMIT 30% WHERE item.price > 5
"""
MANY = MANY.replace('IF UNKNOWN APPLY WHEN ctx.page = "cart"', 'WHEN ctx.page = "cart"')


def maybe(rng, value):
    return None if rng.random() < 0.15 else value


def change(items, bound, item, **values):
    frame = pd.DataFrame({"item_id": [item], **{name: [value] for name, value in values.items()}})
    items.update(frame, "item_id")
    bound.items_changed(items.ids.indices([item]), set(values))


def random_frame(rng, n_rows, first, names):
    frame = pd.DataFrame({"item_id": [f"i{first + row}" for row in range(n_rows)]})
    for name in names:
        frame[name] = pd.Series([COLUMNS[name](rng) for _ in range(n_rows)], dtype=object)
    if "created_at" in frame:
        frame["created_at"] = pd.to_datetime(frame["created_at"])
    return frame


def random_request(rng):
    return {
        "now": int(20_000 * DAY + rng.integers(-40 * DAY, 40 * DAY))
        if rng.random() < 0.9
        else None,
        "user": int(rng.integers(-1, 2)),
        "context": {"page": "cart"} if rng.random() < 0.5 else {},
        "who": {"age": int(rng.integers(10, 30))}
        if rng.random() < 0.5
        else {"price_lo": 1, "price_hi": 6},
    }


def assert_same_answers(one, other, items, rng):
    rows = rng.permutation(len(items)).astype(np.int32)[: rng.integers(len(items) + 1)]
    assert one.allowed.tolist() == other.allowed.tolist()
    assert one.effects == other.effects
    assert one.shifts(rows).tolist() == other.shifts(rows).tolist()
    mine, theirs = one.slot_rules(rows, 10), other.slot_rules(rows, 10)
    for kind, values in (("pins", "matches"), ("caps", "groups"), ("quotas", "matches")):
        pairs = zip(getattr(mine, kind), getattr(theirs, kind), strict=True)
        assert all(getattr(a, values).tolist() == getattr(b, values).tolist() for a, b in pairs)
    for a, b in zip(one.needs(10), other.needs(10), strict=True):
        assert (a[0], a[1].tolist(), a[2]) == (b[0], b[1].tolist(), b[2])


@pytest.mark.parametrize("seed", range(12))
def test_any_updates_leave_what_binding_anew_would(seed):
    rng = np.random.default_rng(seed)
    n_items = int(rng.integers(0, 40))
    items = FeatureTable.from_frame(
        random_frame(rng, n_items, 0, COLUMNS), IdMap(), "item_id",
        {"stock": "number", "price": "number", "discount": "number", "adult": "flag",
         "sponsored": "flag", "brand": "category", "created_at": "time"},
    )  # fmt: skip
    bound = bound_to(MANY, items)
    past = past_of(
        (0, 1, "purchase", 19_950), (0, 3, "purchase", 19_990), (1, 2, "purchase", 19_999)
    )
    for _ in range(25):
        if rng.random() < 0.7:
            names = [name for name in COLUMNS if rng.random() < 0.4]
            first = int(rng.integers(len(items) + 1))
            frame = random_frame(rng, int(rng.integers(1, 4)), first, names)
            items.update(frame, "item_id")
            bound.items_changed(items.ids.indices(frame["item_id"]), set(names))
        elif rng.random() < 0.3:
            items.ids.append(f"i{len(items)}")  # met in an event: nothing is known of it
        request = random_request(rng)
        fresh = bound_to(MANY, items)
        assert_same_answers(
            ask(bound, past=past, **request), ask(fresh, past=past, **request), items, rng
        )


@pytest.mark.parametrize("seed", range(6))
def test_filters_agree_with_reading_the_rows_one_by_one(seed):
    rng = np.random.default_rng(seed)
    frame = random_frame(rng, 60, 0, COLUMNS)
    items = FeatureTable.from_frame(frame, IdMap(), "item_id", kinds_of(frame))
    bound = bound_to(EIGHT, items)
    past = past_of((0, 1, "purchase", 19_950), (0, 3, "purchase", 19_800))
    for _ in range(20):
        who = {"age": int(rng.integers(10, 30))} if rng.random() < 0.7 else {}
        if rng.random() < 0.7:
            who |= {"price_lo": 2, "price_hi": 6}
        in_force = ask(bound, user=0, who=who, past=past)
        expected = [row for row in range(60) if may_be_shown(items.row(row), row, who)]
        assert shown(in_force) == expected


def may_be_shown(known, row, who):
    if not known.get("stock", 0) > 0 or row == 1:
        return False
    if who.get("age", 0) < 18 and known.get("adult") is True:
        return False
    if "price_lo" not in who or "price" not in known:
        return True
    return who["price_lo"] <= known["price"] <= who["price_hi"]


def test_no_rules_cost_nothing_and_allow_everything():
    items = shelf(3, stock=[1, 2, 3])
    bound = bound_to("", items)
    in_force = ask(bound)
    assert shown(in_force) == [0, 1, 2]
    assert (in_force.effects, in_force.shifts(everything(items)), in_force.needs(5)) == (
        (),
        None,
        [],
    )
    assert not in_force.slot_rules(everything(items), 5)
    assert in_force.allowed is ask(bound).allowed
    assert not bound.depends_on_query


@pytest.mark.parametrize("n_items", [0, 1])
def test_catalogues_of_nothing_and_of_one(n_items):
    rng = np.random.default_rng(3)
    frame = random_frame(rng, n_items, 0, COLUMNS)
    kinds = {"stock": "number", "price": "number", "created_at": "time", "brand": "category"}
    items = FeatureTable.from_frame(frame, IdMap(), "item_id", kinds | kinds_of(frame))
    bound = bound_to(MANY, items)
    for request in (random_request(rng) for _ in range(10)):
        in_force = ask(bound, **request)
        assert len(in_force.allowed) == n_items
        assert len(in_force.shifts(everything(items))) == n_items
        in_force.slot_rules(everything(items), 1)
        in_force.needs(3)
        ranking = Ranking.of(everything(items), np.ones(n_items), items.ids, "Popularity")
        in_force.touched(ranking)
    change(items, bound, "another", stock=5)
    assert len(ask(bound).allowed) == n_items + 1


def test_as_many_rules_as_a_set_holds():
    items = shelf(300, stock=list(range(300)))
    text = ";".join(f"EXCLUDE item.stock = {number}" for number in range(256))
    bound = bound_to(text, items)
    in_force = ask(bound)
    assert shown(in_force) == list(range(256, 300))
    assert len(in_force.effects) == 256
    change(items, bound, "i3", stock=1_000)
    assert shown(ask(bound)) == [3, *range(256, 300)]


def test_a_copy_reads_the_tables_that_were_copied_with_it():
    items = shelf(2, stock=[1, 0], created_at=[day(19_990), day(10)])
    bound = bound_to("EXCLUDE item.stock = 0; REQUIRE item.age < 30d IF UNKNOWN SKIP", items)
    copied_items, copied = copy.deepcopy((items, bound))
    change(copied_items, copied, "i1", stock=4, created_at=day(19_999))
    assert (shown(ask(bound)), shown(ask(copied))) == ([0], [0, 1])


def test_a_shared_mask_cannot_be_written_to():
    items = shelf(2, stock=[1, 0])
    with pytest.raises(ValueError, match="read-only"):
        ask(bound_to("EXCLUDE item.stock = 0", items)).allowed[0] = False


def test_masks_of_many_combinations_are_forgotten_again():
    items = shelf(4, stock=[0, 1, 2, 3])
    text = ";".join(
        f'EXCLUDE item.stock = {bit % 4} WHEN ctx.bits HAS ANY ("{bit}")' for bit in range(7)
    )
    bound = bound_to(text, items)
    for number in range(128):
        bits = [bit for bit in range(7) if number >> bit & 1]
        in_force = ask(bound, context={"bits": [str(bit) for bit in bits]})
        gone = {bit % 4 for bit in bits}
        assert shown(in_force) == [row for row in range(4) if row not in gone]
    assert len(bound._masks) <= 32


def test_rules_that_do_not_fit_the_shop_are_refused():
    items = shelf(1, stock=[1])
    with pytest.raises(RuleError, match="brnd"):
        bound_to("LIMIT 2 PER item.brnd", items)


def test_many_threads_may_ask_at_once():
    rng = np.random.default_rng(1)
    frame = random_frame(rng, 500, 0, COLUMNS)
    items = FeatureTable.from_frame(frame, IdMap(), "item_id", kinds_of(frame))
    bound = bound_to(MANY, items)
    requests = [random_request(rng) for _ in range(40)]
    alone = [ask(bound, **request) for request in requests]
    wrong = []

    def reader(seed):
        for place in np.random.default_rng(seed).permutation(len(requests)).tolist():
            in_force = ask(bound, **requests[place])
            if in_force.allowed.tolist() != alone[place].allowed.tolist():
                wrong.append(place)

    threads = [threading.Thread(target=reader, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
