"""Conditions say what their naive twin says, row by row; and what a few of them say in words."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from recopersona.data.feature_table import FeatureTable
from recopersona.data.ids import IdMap
from recopersona.errors import RuleError
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.conditions.compiling import compile_condition, compile_groups, compile_number
from recopersona.rules.nodes import (
    And,
    Arithmetic,
    Between,
    Call,
    Compare,
    Did,
    Duration,
    Field,
    Flag,
    Has,
    In,
    IsUnknown,
    Moment,
    Not,
    Number,
    Or,
    Param,
    Percent,
    StartsWith,
    Text,
)
from tests.naive.conditions import naive_condition, naive_number
from tests.rules.small_shops import SmallShop

EVERYTHING = slice(None)
DAY = 86_400_000
NOW = 20_000 * DAY  # 2024-10-04


# -- against the twin --------------------------------------------------------------------------


def disagreement(shop, node, condition, rows):
    """Say where a condition and its twin differ, None if they do not."""
    chosen = range(len(shop.rows)) if isinstance(rows, slice) else rows.tolist()
    naive = [naive_condition(node, shop.rows[i], shop.request, shop.shop) for i in chosen]
    asked = shop.asked()
    for wanted, answer in ((True, condition.true), (False, condition.false)):
        found = answer(rows, asked)
        if condition.of_request:
            assert isinstance(found, bool), (node, type(found))
            found = np.full(len(naive), found)
        assert found.dtype == np.bool_, (node, found.dtype)
        if found.tolist() != [one is wanted for one in naive]:
            return f"{node}: {wanted} where {found.tolist()}, naively {naive}"
    return None


def disagreements(shop, nodes, compiled):
    n = len(shop.rows)
    some = shop.rng.integers(0, n, 7 if n else 0).astype(np.int32)  # now and then one twice
    for node, condition in zip(nodes, compiled, strict=True):
        for rows in (EVERYTHING, some, some[:1]):
            yield disagreement(shop, node, condition, rows)


@pytest.mark.parametrize("block", range(10))
def test_conditions_say_what_their_naive_twin_says(block):
    for number in range(100):
        shop = SmallShop(np.random.default_rng((block, number)))
        nodes = [shop.condition() for _ in range(6)]
        compiled = [compile_condition(node, shop.tables) for node in nodes]
        assert not any(disagreements(shop, nodes, compiled)), (block, number)
        if number % 4 == 0:
            shop.grow()
            assert not any(disagreements(shop, nodes, compiled)), (block, number, "grown")
        shop.replace_columns()
        assert not any(disagreements(shop, nodes, compiled)), (block, number, "replaced")


def test_numbers_are_what_their_naive_twin_says():
    for number in range(300):
        shop = SmallShop(np.random.default_rng(number))
        node = shop.number(3)
        found = compile_number(node, shop.tables).values(EVERYTHING, shop.asked())
        naive = [naive_number(node, row, shop.request, shop.shop) for row in shop.rows]
        expected = [math.nan if one is None else one for one in naive]
        assert np.allclose(
            np.broadcast_to(found, len(naive)), expected, rtol=1e-12, equal_nan=True
        ), (number, node)


# -- a shop to read ----------------------------------------------------------------------------


def shop_of(**columns):
    n = len(next(iter(columns.values())))
    frame = pd.DataFrame({"item_id": [f"sku-{i}" for i in range(n)], **columns})
    users = pd.DataFrame({"user_id": ["anna"], "age": [30], "lo": [2.0], "brand": ["Ito"]})
    return Tables(
        FeatureTable.from_frame(frame, IdMap(), "item_id"),
        FeatureTable.from_frame(users, IdMap(), "user_id"),
    )


def told(node, tables, rows=EVERYTHING, **asked):
    """Return what a condition says of each item: "T", "F" or "?"."""
    condition, request = compile_condition(node, tables), Asked(**asked)
    true, false = condition.true(rows, request), condition.false(rows, request)
    if condition.of_request:
        true, false = [true], [false]
    return "".join("T" if t else "F" if f else "?" for t, f in zip(true, false, strict=True))


def item(name):
    return Field("item", name)


STOCK = shop_of(stock=[0, 3, None])
BRANDS = shop_of(brand=["Ito", "Mori", None])
TAGS = shop_of(tags=[["tea", "green"], ["salt"], []])
LEAF, NEW = Text("tea"), Text("new")


@pytest.mark.parametrize(
    ("node", "tables", "expected"),
    [
        (Compare(">", item("stock"), Number(0)), STOCK, "FT?"),
        (Compare("!=", item("stock"), Number(3)), STOCK, "TF?"),
        (Compare("=", Number(3), item("stock")), STOCK, "FT?"),
        (Compare("<", Number(0), item("stock")), STOCK, "FT?"),
        (Between(item("stock"), Number(0), Number(2)), STOCK, "TF?"),
        (Compare(">", Arithmetic("/", Number(6), item("stock")), Number(1)), STOCK, "?T?"),
        (Compare(">", Call("log1p", (item("stock"),)), Percent(50)), STOCK, "FT?"),
        (IsUnknown(item("stock")), STOCK, "FFT"),
        (In(item("stock"), (Number(1), Number(3))), STOCK, "FT?"),
        (In(item("stock"), (Number(0), Field("user", "age"))), STOCK, "T??"),
        (Or((Compare(">", item("stock"), Number(0)), IsUnknown(item("stock")))), STOCK, "FTT"),
        (And((Compare(">", item("stock"), Number(0)), Flag(False))), STOCK, "FFF"),
        (Compare("=", item("brand"), Text("Ito")), BRANDS, "TF?"),
        (Compare("=", item("brand"), Text("Asa")), BRANDS, "FF?"),
        (Not(In(item("brand"), (Text("Ito"), Text("Asa")))), BRANDS, "FT?"),
        (In(item("brand"), (Text("Ito"), Field("user", "brand"))), BRANDS, "T??"),
        (StartsWith(item("brand"), "Mo"), BRANDS, "FT?"),
        (StartsWith(item("id"), "sku-1"), BRANDS, "FTF"),
        (Compare("=", item("id"), Text("sku-2")), BRANDS, "FFT"),
        (Has(item("tags"), "ANY", (LEAF, NEW)), TAGS, "TF?"),
        (Has(item("tags"), "ALL", (LEAF, NEW)), TAGS, "FF?"),
        (Has(item("tags"), "ALL", (LEAF, Text("green"))), TAGS, "TF?"),
        (Has(item("tags"), "NONE", (LEAF, NEW)), TAGS, "FT?"),
        (In(LEAF, item("tags")), TAGS, "TF?"),
        (IsUnknown(item("tags")), TAGS, "FFT"),
        (Did("purchase"), TAGS, "FFF"),
        (Compare("<", Field("user", "age"), Number(18)), TAGS, "?"),
    ],
)
def test_a_condition_is_true_false_or_unknown(node, tables, expected):
    assert told(node, tables) == expected


def test_what_is_known_of_a_condition_before_it_is_asked():
    tables = shop_of(stock=[1], created_at=pd.to_datetime(["2026-01-01"]))
    needs = {
        Compare(">", item("stock"), Number(0)): (True, False, {"stock"}, False),
        Compare("<", item("age"), Duration(30, "d")): (False, False, {"created_at"}, True),
        Compare("<", Field("user", "age"), Number(18)): (False, True, set(), False),
        Compare(">", item("stock"), Param("n")): (False, False, {"stock"}, False),
        Compare("=", item("id"), Text("sku-1")): (True, False, set(), False),
        Did("purchase"): (False, False, set(), False),
        Did("purchase", 1, Duration(1, "d")): (False, False, set(), True),
        Compare("<", Field("ctx", "now"), Moment("2026-01-01")): (False, True, set(), True),
        Flag(True): (True, True, set(), False),
    }
    for node, expected in needs.items():
        compiled = compile_condition(node, tables)
        found = compiled.of_catalogue, compiled.of_request, set(compiled.reads), compiled.uses_now
        assert found == expected, node


def test_masks_may_be_written_into():
    tables = shop_of(adult=[True, False], stock=[1, 2], brand=["a", "b"], tags=[["a"], ["b"]])
    for node in (
        item("adult"),
        Compare(">", item("stock"), Number(0)),
        Compare("=", item("brand"), Text("a")),
        Has(item("tags"), "ANY", (Text("a"),)),
        StartsWith(item("brand"), "a"),
        In(item("id"), (Text("sku-0"),)),
    ):
        condition, asked = compile_condition(node, tables), Asked()
        before = condition.true(EVERYTHING, asked).tolist()
        condition.true(EVERYTHING, asked)[:] = True
        condition.false(EVERYTHING, asked)[:] = True
        assert condition.true(EVERYTHING, asked).tolist() == before, node


# -- time --------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["<", "<=", ">", ">=", "=", "!="])
@pytest.mark.parametrize("length", [Duration(1, "d"), Duration(0.0005, "s"), Duration(1 / 3, "s")])
def test_ages_are_compared_to_the_millisecond(op, length):
    ms = length.amount * {"d": DAY, "s": 1000}[length.unit]
    ages = [math.floor(ms) - 1, math.floor(ms), math.ceil(ms), math.ceil(ms) + 1]
    tables = shop_of(created_at=pd.to_datetime([NOW - age for age in ages], unit="ms"))
    test = {"<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__", "=": "__eq__",
            "!=": "__ne__"}[op]  # fmt: skip
    expected = "".join("FT"[getattr(float(age), test)(ms)] for age in ages)
    assert told(Compare(op, item("age"), length), tables, now=NOW) == expected


def test_an_age_is_unknown_without_a_time_to_count_from():
    tables = shop_of(created_at=[pd.Timestamp(NOW, unit="ms"), None])
    young = Compare("<", item("age"), Duration(1, "d"))
    assert told(young, tables, now=NOW) == "T?"
    assert told(young, tables, now=None) == "??"


def test_a_moment_is_read_in_the_time_zone_of_the_rules():
    tables = shop_of(created_at=pd.to_datetime(["2026-06-30T21:59", "2026-06-30T22:00", None]))
    july = Compare(">=", item("created_at"), Moment("2026-07-01"))
    assert told(july, tables) == "FF?"
    assert told(july, Tables(tables.items, tables.users, "Europe/Berlin")) == "FT?"


# -- values of the request ---------------------------------------------------------------------

ODD = [
    [1], {"a": 1}, b"tea", object(), 10**400, -(10**400), Decimal("sNaN"), 1j,
    datetime.max.replace(tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=UTC), timedelta.max, np.datetime64("2026-01-01"), np.float32(1.5),
    np.timedelta64(3, "M"), np.array([1, "a"]), np.array(3), float("inf"), True, "tea", "now", 3,
    pd.DataFrame({"a": [1]}), {"x"}, ("a", ("b",), None, [1]),
    pd.Timestamp("2026", tz="Asia/Tokyo"), range(3), iter([1]), lambda: 1,
    "\ud800", "9" * 5000 + "d", pd.Series([{}]),
]  # fmt: skip
NOTHING = [None, float("nan"), pd.NaT, pd.NA, np.datetime64("NaT"), Decimal("NaN")]
OF_EACH_KIND = [
    Compare(">", item("stock"), Param("x")),
    Compare("=", item("brand"), Param("x")),
    Compare("=", item("name"), Param("x")),
    Compare("=", item("adult"), Param("x")),
    Compare("<", item("created_at"), Param("x")),
    Compare("<", item("age"), Param("x")),
    Compare("=", item("id"), Param("x")),
    In(item("brand"), Param("x")),
    In(item("name"), Param("x")),
    In(item("stock"), Param("x")),
    In(item("created_at"), Param("x")),
    Has(item("tags"), "ALL", Param("x")),
    Has(Param("x"), "ANY", item("tags")),
    Compare("=", Param("x"), Field("ctx", "x")),
    Compare("<", Param("x"), Field("ctx", "x")),
    StartsWith(Param("x"), "t"),
    Param("x"),
    Compare(
        "<", Arithmetic("*", item("stock"), Param("x")), Call("decay", (Param("x"), Number(0)))
    ),
]
FULL = shop_of(
    stock=[1, 2], brand=["a", "b"], name=["a b", "c d"], adult=[True, False], tags=[["a"], ["b"]],
    created_at=pd.to_datetime(["2026-01-01", "2026-02-01"]),
)  # fmt: skip


@pytest.mark.parametrize("node", OF_EACH_KIND, ids=str)
def test_no_value_of_a_request_makes_a_condition_raise(node):
    condition = compile_condition(node, FULL)
    for value in ODD + NOTHING:
        asked = Asked(NOW, context={"x": value}, params={"x": value})
        found = condition.true(EVERYTHING, asked), condition.false(EVERYTHING, asked)
        assert not np.any(np.logical_and(*found)), value


@pytest.mark.parametrize("node", OF_EACH_KIND, ids=str)
def test_what_is_missing_is_unknown_without_a_word(node):
    for value in NOTHING:
        asked = Asked(NOW, context={"x": value}, params={"x": value})
        condition = compile_condition(node, FULL)
        assert not np.any(condition.true(EVERYTHING, asked))
        assert not np.any(condition.false(EVERYTHING, asked))
        assert asked.noted == []
        assert "$x" in condition.missing(asked)


@pytest.mark.parametrize(
    ("node", "value", "line"),
    [
        (Compare("=", Param("x"), Text("a")), 3, "$x is a number, text was expected: unknown"),
        (Compare(">", item("stock"), Param("x")), "3", "$x is text, a number was expected: "
         "unknown"),
        (Compare("=", item("adult"), Param("x")), 1, "$x is a number, true or false was expected: "
         "unknown"),
        (In(item("brand"), Param("x")), "a", "$x is text, a list was expected: unknown"),
        (In(item("brand"), Param("x")), ["a", True], "$x holds true or false, which is left out"),
        (Compare("<", item("age"), Param("x")), 30, "$x is a number, a duration such as '30d' was "
         "expected: unknown"),
    ],
)  # fmt: skip
def test_a_value_of_a_wrong_type_is_told_once(node, value, line):
    asked = Asked(NOW, params={"x": value})
    condition = compile_condition(And((node, Not(node))), FULL)
    condition.true(EVERYTHING, asked)
    condition.false(EVERYTHING, asked)
    assert asked.noted == [line]


def test_a_list_that_is_given_holds_what_is_known():
    # A None in it would otherwise make NOT IN unknown for all: an empty page.
    not_refused = Not(In(item("brand"), Param("refused")))
    assert told(not_refused, BRANDS, params={"refused": ["Ito", None]}) == "FT?"
    assert told(not_refused, BRANDS, params={"refused": []}) == "TT?"
    assert told(not_refused, BRANDS, params={"refused": None}) == "???"


def test_values_of_the_visitor_the_context_and_the_seed_item():
    same = lambda of, name: Compare("=", item("brand"), Field(of, name))  # noqa: E731
    assert told(same("user", "brand"), BRANDS, who={"brand": "Mori"}) == "FT?"
    assert told(same("ctx", "brand"), BRANDS, context={"brand": "Ito"}) == "TF?"
    assert told(same("seed", "brand"), BRANDS, seed=1) == "FT?"
    assert told(same("seed", "brand"), BRANDS, seed=2) == "???"
    assert told(same("seed", "brand"), BRANDS, seed=-1) == "???"
    assert told(Compare("=", item("id"), Field("seed", "id")), BRANDS, seed=1) == "FTF"
    assert told(Compare("=", Field("user", "id"), Text("anna")), BRANDS, user=0) == "T"
    assert told(Compare("=", Field("user", "id"), Text("anna")), BRANDS, user=-1) == "?"


def test_durations_and_moments_may_be_given_in_many_forms():
    old = Compare(">", item("age"), Param("x"))
    since = Compare(">=", item("created_at"), Param("x"))
    tables = shop_of(created_at=pd.to_datetime(["2026-01-01", "2026-02-01"]))
    now = pd.Timestamp("2026-02-10").value // 10**6
    for given in ("30d", "4 weeks", timedelta(days=30), np.timedelta64(30, "D")):
        assert told(old, tables, now=now, params={"x": given}) == "TF"
    for given in (
        "2026-01-15", datetime(2026, 1, 15, tzinfo=UTC), np.datetime64("2026-01-15"),
        pd.Timestamp("2026-01-15T09:00", tz="Asia/Tokyo"),
        pd.Timestamp("2026-01-15").value // 10**6,
    ):  # fmt: skip
        assert told(since, tables, params={"x": given}) == "FT"


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (
            Compare(">", Arithmetic("-", Field("ctx", "now"), Param("x")), Duration(1, "d")),
            "2020-01-01",
        ),
        (Compare("<", Arithmetic("+", item("created_at"), Param("x")), Field("ctx", "now")), "9d"),
        (Compare("=", Arithmetic("*", item("age"), Param("x")), Duration(20, "d")), 2),
        (Compare("=", Arithmetic("/", item("age"), Param("x")), Number(2)), timedelta(days=5)),
        (Compare("=", Call("min", (item("age"), Param("x"))), Duration(1, "d")), "1d"),
        (
            Compare("=", Call("ramp", (item("age"), Param("x"), Duration(20, "d"))), Percent(50)),
            timedelta(0),
        ),
        (Between(Param("x"), item("created_at"), Field("ctx", "now")), NOW),
        (Between(item("age"), Param("x"), Duration(10, "d")), "1d"),
    ],
)
def test_a_parameter_is_read_as_what_stands_beside_it_needs(node, value):
    tables = shop_of(created_at=[pd.Timestamp(NOW - 10 * DAY, unit="ms")])
    assert told(node, tables, now=NOW, params={"x": value}) == "T"


# -- a shop that changes -----------------------------------------------------------------------


def test_a_value_that_was_in_no_row_is_found_when_it_comes():
    tables = shop_of(brand=["Ito", "Mori"], tags=[["a"], ["b"]])
    nodes = [
        Compare("=", item("brand"), Text("Asa")),
        In(item("brand"), (Text("Asa"), Text("Ito"), *map(Text, "uvwxyz"))),
        StartsWith(item("brand"), "As"),
        Has(item("tags"), "ALL", (Text("c"),)),
        Compare("=", item("id"), Text("sku-9")),
        In(item("id"), tuple(Text(f"sku-{i}") for i in range(4, 12))),
        Compare("=", item("brand"), item("brand")),
    ]
    compiled = [compile_condition(node, tables) for node in nodes]
    say = lambda: [one.true(EVERYTHING, Asked()).astype(int).tolist() for one in compiled]  # noqa: E731
    assert say() == [[0, 0], [1, 0], [0, 0], [0, 0], [0, 0], [0, 0], [1, 1]]
    update = pd.DataFrame(
        {"item_id": ["sku-1", "sku-9"], "brand": ["Asa"] * 2, "tags": [["c"]] * 2}
    )
    tables.items.update(update, "item_id")
    assert say() == [
        [0, 1, 1], [1, 1, 1], [0, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 1], [1, 1, 1],
    ]  # fmt: skip


def test_items_without_any_column_are_unknown():
    tables = shop_of(stock=[1], tags=[["a"]], brand=["a"])
    tables.items.ids.append("later")
    assert told(Compare(">", item("stock"), Number(0)), tables) == "T?"
    assert told(Has(item("tags"), "ANY", (Text("a"),)), tables) == "T?"
    assert told(Compare("=", item("brand"), Text("a")), tables, np.array([1, 0], np.int32)) == "?T"


# -- numbers and groups ------------------------------------------------------------------------


def test_numbers_of_a_boost():
    tables = shop_of(stock=[0, 3, None], discount=[0.0, 0.5, 0.2])
    share = Call("ramp", (item("stock"), Number(1), Number(5)))
    number = compile_number(Arithmetic("+", Number(1), share), tables)
    assert number.of_catalogue
    assert number.reads == {"stock"}
    assert np.array_equal(number.values(EVERYTHING, Asked()), [1, 1.5, np.nan], equal_nan=True)
    given = compile_number(Param("factor"), tables)
    assert given.values(EVERYTHING, Asked(params={"factor": 1.3})) == 1.3
    assert math.isnan(given.values(EVERYTHING, Asked()))
    assert compile_number(Number(1.3), tables).values(EVERYTHING, Asked()) == 1.3


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["b", None, "a", "b"], [0, -1, 1, 0]),
        ([True, None, False, True], [0, -1, 1, 0]),
        ([2.5, None, -1.0, 2.5], [0, -1, 1, 0]),
    ],
)
def test_groups_are_numbered_and_unknown_ones_are_in_none(column, expected):
    groups = compile_groups(item("x"), shop_of(x=column))
    for rows in (EVERYTHING, np.arange(4, dtype=np.int32)):
        codes = groups.codes(rows, Asked())
        assert codes.dtype == np.int32
        known = codes >= 0
        assert known.tolist() == [one >= 0 for one in expected]
        same = codes[known][:, None] == codes[known]
        assert np.array_equal(
            same, [[True, False, True], [False, True, False], [True, False, True]]
        )
    assert groups.reads == {"x"}


def test_every_item_is_a_group_of_its_own_by_its_id():
    groups = compile_groups(item("id"), STOCK)
    assert groups.codes(EVERYTHING, Asked()).tolist() == [0, 1, 2]
    assert groups.codes(np.array([2, 0], np.int32), Asked()).tolist() == [2, 0]


@pytest.mark.parametrize(
    "node", [Number(1), item("stock"), Compare("=", item("stock"), item("tags"))]
)
def test_what_no_check_would_let_pass_is_no_condition(node):
    with pytest.raises(RuleError):
        compile_condition(node, shop_of(stock=[1], tags=[["a"]]))
