"""Filters bound to a shop: what may be shown, what they say, and what they do with the unknown."""

import numpy as np
import pandas as pd
import pytest

from tests.rules.asking import (
    DAY,
    TODAY,
    ask,
    bound_to,
    change,
    day,
    everything,
    past_of,
    shelf,
    shown,
)


def test_filters_leave_out_and_say_how_many():
    items = shelf(4, stock=[3, 0, None, 1], price=[1.0, 2.0, 3.0, 99.0])
    bound = bound_to("RULE in_stock: REQUIRE item.stock > 0; EXCLUDE item.price > 50", items)
    in_force = ask(bound)
    assert shown(in_force) == [0]
    assert in_force.effects == ("in_stock left out 2 of 4 items", "rule 2 left out 1 of 4 items")


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
        "band: user.price_hi is unknown, applied; left out 2 of 2 items",
        "stocked left out 1 of 2 items",
        "guard: user.age is unknown, applied",
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


def test_effects_say_of_how_many_items_nobody_can_tell_what_was_done():
    items = shelf(4, stock=[1, 2, None, 4])
    bought = [(0, item, "purchase", 19_990 + item) for item in range(4)]
    past, full = past_of(*bought), past_of(*bought, limit=1)
    did = "DID purchase WITHIN 90d"

    def told(text, past=full, **asked):
        in_force = ask(bound_to(f"RULE no: {text}", items), user=0, past=past, **asked)
        in_force.shifts(everything(items))
        lines = [line for line in in_force.effects if "nobody" in line]
        return [line.partition("; ")[0] for line in lines]

    line = f"no: of 3 items nobody can tell whether {did}, "
    assert told(f"EXCLUDE {did}") == [f"{line}kept"]
    assert told(f"EXCLUDE {did} IF UNKNOWN APPLY") == [f"{line}left out"]
    assert told(f"REQUIRE {did}") == [f"{line}left out"]
    assert told(f"BOOST {did} BY 2") == [f"{line}skipped"]
    # What the rest of the rule decides is decided.
    two, one = line.replace("3 items", "2 items"), line.replace("3 items", "1 item")
    assert told(f"EXCLUDE {did} AND item.stock >= 2") == [f"{two}kept"]
    assert told(f"EXCLUDE {did} OR item.stock > 0") == [f"{one}kept"]
    # Nothing is said where all is known, or nobody asked.
    for known in (f"EXCLUDE {did}", f"REQUIRE {did}", "EXCLUDE DID purchase AT LEAST 2 TIMES"):
        assert told(known, past) == []
    assert told("EXCLUDE DID purchase") == told(f"EXCLUDE {did} WHEN user.vip") == []
    assert told(f"ENSURE 1 WHERE {did}") == []
    untimed = told(f"EXCLUDE {did}", past, now=None)
    assert untimed == [line.replace("3 items", "4 items") + "kept"]


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
    one, other = ask(bound), ask(bound, now=TODAY + 5)
    assert one.allowed is other.allowed
    assert (shown(one), one.effects) == ([0], ("fresh left out 2 of 3 items",))
    assert shown(ask(bound, now=19_920 * DAY)) == [0, 1]
    assert shown(ask(bound, now=TODAY + 50 * DAY)) == []
    change(items, bound, "i2", created_at=day(20_049))
    assert shown(ask(bound, now=TODAY + 50 * DAY)) == [2]


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
        assert len(said) == (vip is None)
        assert all(line.startswith(f"rule 1: user.vip is unknown, {word}") for line in said)
