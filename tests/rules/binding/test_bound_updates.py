"""Rules stay true while the catalogue changes and grows, whatever its size and theirs."""

import copy
import threading

import numpy as np
import pytest

from recopersona.data.feature_table import FeatureTable
from recopersona.data.ids import IdMap
from recopersona.data.ranking import Ranking
from recopersona.errors import RuleError
from tests.rules.asking import (
    COLUMNS,
    DAY,
    EIGHT,
    MANY,
    TODAY,
    ask,
    bound_to,
    change,
    day,
    everything,
    kinds_of,
    past_of,
    random_frame,
    random_request,
    shelf,
    shown,
)


def assert_same_answers(one, other, items, rng):
    rows = rng.permutation(len(items)).astype(np.int32)[: rng.integers(len(items) + 1)]
    assert one.allowed.tolist() == other.allowed.tolist()
    assert one.effects == other.effects
    assert one.shifts(rows).tolist() == other.shifts(rows).tolist()
    every = np.arange(len(items), dtype=np.int32)
    for mine, theirs in (
        (one.slot_rules(rows, 10), other.slot_rules(rows, 10)),
        (one.slot_rules(every, 10), other.slot_rules_of_all(10)),
    ):
        for kind, values in (("pins", "matches"), ("caps", "groups"), ("quotas", "matches")):
            pairs = zip(getattr(mine, kind), getattr(theirs, kind), strict=True)
            assert all(getattr(a, values).tolist() == getattr(b, values).tolist() for a, b in pairs)


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


@pytest.mark.parametrize("op", ["<", "<=", "=", "!=", ">=", ">"])
def test_time_may_jump_to_and_fro_over_the_very_moment(op):
    items = shelf(80, created_at=[day(19_990), day(19_991)] + [day(10)] * 78)
    bound = bound_to(f"REQUIRE item.age {op} 9d OR item.age > 15d", items)
    tests = {
        "<": int.__lt__,
        "<=": int.__le__,
        "=": int.__eq__,
        "!=": int.__ne__,
        ">=": int.__ge__,
        ">": int.__gt__,
    }
    moments = [base * DAY + by for base in (19_999, 20_000) for by in (-5, -1, 0, 1, 5)]
    for now in [*moments, *moments[::-1], *moments[::2], *moments[::-3]]:
        young = [row for row in (0, 1) if tests[op](now - (19_990 + row) * DAY, 9 * DAY)]
        assert shown(ask(bound, now=now)) == [*young, *range(2, 80)]


def test_what_else_a_condition_of_time_reads_may_change():
    items = shelf(80, created_at=[day(19_990)] * 80, stock=[1] * 80)
    bound = bound_to("REQUIRE item.age <= 30d AND item.stock > 0", items)
    assert len(shown(ask(bound))) == 80
    change(items, bound, "i7", stock=0)
    assert shown(ask(bound)) == [row for row in range(80) if row != 7]
    change(items, bound, "i7", stock=2)
    assert len(shown(ask(bound, now=TODAY + 1))) == 80


def test_no_rules_cost_nothing_and_allow_everything():
    items = shelf(3, stock=[1, 2, 3])
    bound = bound_to("", items)
    in_force = ask(bound)
    assert shown(in_force) == [0, 1, 2]
    assert (in_force.effects, in_force.shifts(everything(items))) == ((), None)
    assert not in_force.slot_rules(everything(items), 5)
    assert in_force.allowed is ask(bound).allowed


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
