"""What rules ask of one page: boosts and slots, and who touched and hid what."""

import numpy as np
import pandas as pd
import pytest

from recopersona.data.ranking import Ranking
from tests.rules.asking import EIGHT, TODAY, ask, bound_to, day, everything, shelf


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
    stood = np.array([0, 1, 3, 2], np.int32)
    ranking = Ranking.of([0, 1, 2], [3, 2, 1], items.ids, "Popularity")
    room = ("cap", "no room: 2 of at most 2 of brand Ito are shown")
    assert in_force.hid(ranking, 3, stood) == room
    assert in_force.hid(ranking, 4, stood) == ("adult", "left out, its condition is met")
    assert in_force.hid(ranking, 5, stood) == ("stocked", "left out, its condition is unknown")
    assert in_force.hid(ranking, 2, stood) is None
    assert in_force.hid(ranking.take([0, 2]), 3, stood) is None
    items.update(pd.DataFrame({"item_id": ["i4"], "adult": [False]}), "item_id")
    assert in_force.hid(ranking, 4, stood) == ("stocked", "left out, its condition is not met")


def test_no_rule_hides_what_is_worse_than_all_that_are_shown():
    items = shelf(5, brand=["Ito", "Sol", "Ito", "Ito", "Sol"])
    in_force = ask(bound_to("RULE cap: LIMIT 1 PER item.brand IN TOP 2", items))
    stood = np.array([0, 2, 1, 3, 4], np.int32)
    ranking = Ranking.of([0, 1, 2], [9, 7, 8], items.ids, "Popularity")
    assert in_force.hid(ranking, 3, stood) is None  # behind all three
    assert in_force.hid(ranking, 3, stood[:3]) is None  # nobody thought of it
    assert in_force.hid(ranking.take([0, 1]), 2, stood)[0] == "cap"


def test_a_hidden_item_says_what_it_gave_way_to():
    items = shelf(5, price=[1, 2, 3, 4, 5])
    text = "RULE first: PIN item.price = 5 AT 1; RULE dear: ENSURE 1 WHERE item.price = 4"
    in_force = ask(bound_to(text, items))
    stood = np.arange(5, dtype=np.int32)
    page = Ranking.of([4, 0, 3], [1, 5, 2], items.ids, "Popularity")
    assert in_force.hid(page, 1, stood) == ("first", "gave way to what is pinned at slot 1")
    later = Ranking.of([0, 1, 3], [5, 4, 2], items.ids, "Popularity")
    assert in_force.hid(later, 2, stood) == ("dear", "gave way to what counts for dear")
    assert in_force.hid(later, 4, stood) is None  # the fifth of five, for three slots


def test_a_limit_in_any_run_hides_only_what_fits_nowhere():
    items = shelf(6, brand=["Ito", "Sol", "Sol", "Sol", "Ito", "Sol"])
    text = "RULE apart: LIMIT 1 PER item.brand IN ANY 2 CONSECUTIVE"
    in_force = ask(bound_to(text, items))
    stood = np.array([2, 3, 1, 0, 4, 5], np.int32)
    told = ("apart", "no room: at most 1 of brand Sol in any 2 slots")
    dense = Ranking.of([0, 1, 4], [3, 2, 1], items.ids, "Popularity")
    assert in_force.hid(dense, 2, stood) is None  # in the place of the other, there is room
    assert in_force.hid(dense, 2, np.array([1, 2, 0, 4], np.int32)) == told
    sparse = Ranking.of([1, 0, 4, 2], [4, 3, 2, 1], items.ids, "Popularity")
    assert in_force.hid(sparse, 3, np.array([1, 2, 3, 0, 4], np.int32)) == told
    wide = Ranking.of([1, 0, 4], [4, 3, 2], items.ids, "Popularity")
    assert in_force.hid(wide, 3, np.array([1, 3, 0, 4], np.int32)) is None
