"""What is said to be impossible is false for every row, on conditions and shops drawn by chance."""

import math
from random import Random

import numpy as np
import pandas as pd
import pytest

from recopersona.data.feature_table import FeatureTable
from recopersona.data.ids import IdMap
from recopersona.rules import RuleSet
from recopersona.rules.checks.schema import RuleSchema
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.conditions.compiling import compile_condition
from recopersona.rules.lint.findings import Inspected
from recopersona.rules.lint.ranges import (
    MOST_BOXES,
    Reading,
    Values,
    all_of,
    between,
    one_of,
    within,
)
from recopersona.rules.text.parsing import parse_expression

DAY = 86_400_000
NOW = 1_780_000_000_000
EVERYTHING = slice(None)


def shelf(random, n=80):
    """Return a shop of few values, a fifth of them unknown."""

    def some(*values):
        return [random.choice(values) if random.random() < 0.8 else None for _ in range(n)]

    ages = some(1, 2, 3, 4)
    frame = {
        "item_id": range(n),
        "stock": pd.Series(some(0, 1, 2, 3), dtype="Float64"),
        "price": pd.Series(some(1, 2, 2.5, 3), dtype="Float64"),
        "brand": some("Ito", "Kew"),
        "adult": some(True, False),
        "tags": [random.sample(["bio", "hot", "raw"], random.randrange(4)) for _ in range(n)],
        "created_at": pd.to_datetime([a and NOW - a * DAY for a in ages], unit="ms"),
    }  # fmt: skip
    return FeatureTable.from_frame(pd.DataFrame(frame), IdMap(), "item_id", {"tags": "set"})


def condition(random, depth=3):
    if depth and random.random() < 0.7:
        joint = random.choice([" AND ", " OR "])
        parts = [condition(random, depth - 1) for _ in range(random.choice([2, 2, 3]))]
        negated = random.choice(["", "NOT "])
        return f"{negated}({joint.join(parts)})"
    return atom(random)


def atom(random):
    pick = random.choice
    number, other = pick(["item.stock", "item.price"]), pick([0, 1, 2, 2.5, 3, 4])
    order, equal = pick(["<", "<=", ">", ">="]), pick(["=", "!="])
    return pick(
        [
            f"{number} {pick([order, equal])} {other}",
            f"{other} {order} {number}",
            f"{number} {pick(['', 'NOT '])}BETWEEN {pick([0, 1, 2])} AND {pick([1, 2, 3])}",
            f"{number} {pick(['', 'NOT '])}IN ({other}, {pick([1, 2])})",
            f"{number} IS {pick(['', 'NOT '])}UNKNOWN",
            f"item.stock {order} item.price",
            f"item.stock * 2 {order} {other}",
            f'item.brand {equal} "{pick(["Ito", "Kew", "Sol"])}"',
            f'item.brand {pick(["", "NOT "])}IN ("Ito", "{pick(["Kew", "Sol"])}")',
            f'item.brand STARTS WITH "{pick(["I", "S"])}"',
            f"{pick(['', 'NOT '])}item.adult",
            f"item.adult {equal} {pick(['TRUE', 'FALSE'])}",
            f'item.tags HAS {pick(["ANY", "ALL", "NONE"])} ("bio", "{pick(["hot", "old"])}")',
            f"item.age {order} {pick([0, 1, 2, 5])}d",
            f"item.adult IS {pick(['', 'NOT '])}UNKNOWN",
            "item.tags IS UNKNOWN",
            pick(["TRUE", "FALSE", "1 < 2", "20% > 1"]),
        ]
    )


def test_what_is_impossible_is_true_of_no_row():
    said = {"never": 0, "never by the data": 0, "together": 0}
    for seed in range(100):
        random = Random(seed)  # noqa: S311
        items = shelf(random)
        inspected = Inspected(RuleSet([]), RuleSchema.of(items), 10, NOW)
        tables = Tables(items, FeatureTable(IdMap()))
        for _ in range(5):
            one, other = (parse_expression(condition(random)) for _ in range(2))
            cases = [(one, wanted, odd) for wanted in (True, False) for odd in (True, False)]
            for case in cases:
                met = rows(case, tables)
                for reading, name in (
                    (inspected.logic, "never"),
                    (inspected.data, "never by the data"),
                ):
                    if not reading.possible(*case):
                        said[name] += 1
                        assert not met.any(), (case, name)
            both = [random.choice(cases), (other, True, False)]
            if all_of([inspected.data.boxes(*case) for case in both]) == []:
                said["together"] += 1
                assert not (rows(both[0], tables) & rows(both[1], tables)).any(), both
            if inspected.logic.implies(one, other):
                assert not (
                    rows((one, True, False), tables) & rows((other, False, True), tables)
                ).any()
    assert min(said.values()) > 30, said  # the test has something to say


def rows(case, tables):
    """Return where a condition is what is wanted (or unknown), row by row."""
    node, wanted, or_unknown = case
    compiled, asked = compile_condition(node, tables), Asked(now=NOW)
    true, false = (
        np.broadcast_to(answer(EVERYTHING, asked), len(tables.items))
        for answer in (compiled.true, compiled.false)
    )
    met = true if wanted else false
    return met | ~(true | false) if or_unknown else met


def test_the_rows_of_a_condition_are_those_of_an_inspection():
    for seed in range(20):
        random = Random(seed)  # noqa: S311
        items = shelf(random)
        inspected = Inspected(RuleSet([]), RuleSchema.of(items), 10, NOW)
        node = parse_expression(condition(random))
        for case in [(node, wanted, odd) for wanted in (True, False) for odd in (True, False)]:
            np.testing.assert_array_equal(
                inspected.mask(*case), rows(case, Tables(items, FeatureTable(IdMap())))
            )


# -- sets of values ----------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["=", "!=", "<", "<=", ">", ">="])
def test_a_comparison_and_its_opposite_share_nothing_and_leave_nothing(op):
    values = within(op, 2.0)
    assert not values & values.opposite()
    for number in (1.0, 2.0, 3.0):
        point = one_of([number])
        assert bool(values & point) != bool(values.opposite() & point)


def test_ranges_meet_at_their_ends():
    assert within("<=", 2) & within(">=", 2)
    assert not within("<", 2) & within(">=", 2)
    assert within("<=", 2) & within(">=", 2) & one_of([2])
    assert not between(1, 3) & between(4, 5)
    assert (between(1, 3) & between(2, 5)) == between(2, 3)
    assert not between(3, 1)
    assert not one_of([2]).opposite() & between(2, 2)


def test_sets_meet_in_what_they_share():
    tea_and_salt, salt = one_of(["tea", "salt"]), one_of(["salt"])
    assert (tea_and_salt & salt) == salt
    assert not salt & one_of(["tea"])
    assert not salt & salt.opposite()
    assert (tea_and_salt & salt.opposite()) == one_of(["tea"])
    assert salt.opposite() & tea_and_salt.opposite()
    assert not salt & Values(members=frozenset(), unknown=True)


def test_the_unknown_is_in_common_only_where_it_is_in_both():
    maybe = Values(members=frozenset({"tea"}), unknown=True)
    assert (maybe & maybe).unknown
    assert not (maybe & one_of(["tea"])).unknown
    assert maybe & Values(members=frozenset({"salt"}), unknown=True)


def test_too_many_boxes_are_possible():
    parts = [f"(item.a{i} = {i} OR item.b{i} = {i})" for i in range(12)]
    assert 2 ** len(parts) > MOST_BOXES
    wide = parse_expression(" AND ".join(parts))
    assert Reading().boxes(wide) is None
    assert Reading().possible(wide)
    but = parse_expression(" AND ".join([*parts, "item.x > 3", "item.x < 3"]))
    assert not Reading().possible(but)


def test_a_condition_as_deep_as_may_be_takes_no_time():
    text = "item.a = 1"
    for level in range(10):
        text = f"NOT ({text} AND item.b{level} = {level} OR item.c{level} > {math.pi})"
    assert Reading().possible(parse_expression(text))
