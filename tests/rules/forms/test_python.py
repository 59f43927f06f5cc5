"""Rules in Python: the nodes they make, and what Python cannot say."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from recopersona.errors import RuleError
from recopersona.rules import (
    Boost,
    Ensure,
    Limit,
    Pin,
    Require,
    absolute,
    ctx,
    decay,
    did,
    item,
    log1p,
    maximum,
    minimum,
    nodes,
    param,
    ramp,
    seed,
    user,
)
from recopersona.rules.nodes import (
    And,
    Arithmetic,
    Compare,
    Duration,
    Field,
    Flag,
    Moment,
    Not,
    Number,
    Or,
    Percent,
    Text,
)

STOCK = Field("item", "stock")


def test_an_operator_makes_the_node_of_the_text():
    assert (item.stock > 0).node == Compare(">", STOCK, Number(0))
    assert (item.stock > 0).node == Compare(">", STOCK, Number(0))
    assert (item["product group"] != "tea").node == Compare(
        "!=", Field("item", "product group"), Text("tea")
    )
    assert (2 * item.price - 1).node == Arithmetic(
        "-", Arithmetic("*", Number(2), Field("item", "price")), Number(1)
    )
    assert (1 / -item.price).node == Arithmetic(
        "/", Number(1), nodes.Negative(Field("item", "price"))
    )


def test_and_or_not_are_flat():
    a, b, c = item.a > 1, item.b > 2, item.c > 3
    assert (a & b & c).node == And((a.node, b.node, c.node)) == (a & (b & c)).node
    assert (a | b | c).node == Or((a.node, b.node, c.node))
    assert (~~a).node == Not(Not(a.node))
    assert (True & a).node == And((Flag(True), a.node))


def test_methods_make_the_other_conditions():
    assert item.brand.is_in(["tea", 3]).node == nodes.In(
        Field("item", "brand"), (Text("tea"), Number(3))
    )
    assert item.brand.is_in(user.brands).node.members == Field("user", "brands")
    assert item.tags.has_any(param("tags")).node == nodes.Has(
        Field("item", "tags"), "any", nodes.Param("tags")
    )
    assert item.tags.has_all(["a"]).node.how == "all"
    assert item.tags.has_none(np.array(["a"])).node.members == (Text("a"),)
    assert item.brand.starts_with("te").node == nodes.StartsWith(Field("item", "brand"), "te")
    assert seed.brand.is_known().node == Not(nodes.IsUnknown(Field("seed", "brand")))
    assert did("purchase", within="90d", at_least=2).node == nodes.Did(
        "purchase", 2, Duration(90, "d")
    )


def test_functions_are_calls():
    assert decay(item.age, "30d").node.args[1] == Duration(30, "d")
    assert ramp(item.price, 1, 2).node.name == "ramp"
    assert absolute(item.x).node == abs(item.x).node == nodes.Call("abs", (Field("item", "x"),))
    names = [minimum(item.x, 1), maximum(item.x, 1), log1p(item.x)]
    assert [term.node.name for term in names] == ["min", "max", "log1p"]
    with pytest.raises(RuleError, match="min takes 2 to 8 values"):
        minimum(item.x)


def test_text_beside_an_order_is_a_duration_a_share_or_a_date():
    assert (item.age <= "30d").node.right == Duration(30, "d")
    assert (item.age <= "30d").node.right == Duration(30, "d")
    assert (item.created_at > "2026-07-01T18:00").node.right == Moment("2026-07-01T18:00")
    assert (item.discount >= "20%").node.right == Percent(20)
    assert item.age.between("1h", "1.5d").node.high == Duration(1.5, "d")
    assert (ctx.now - "30d").node.right == Duration(30, "d")
    assert (item.age == "30d").node.right == Text("30d")
    with pytest.raises(RuleError, match="text cannot be ordered"):
        _ = item.brand < "tea"
    with pytest.raises(RuleError, match="there is no 2026-02-30"):
        _ = item.created_at < "2026-02-30"
    with pytest.raises(RuleError, match="unknown unit 'days'"):
        _ = item.age < "30days"


@pytest.mark.parametrize(
    ("value", "node"),
    [
        (timedelta(days=30), Duration(30, "d")),
        (timedelta(hours=36), Duration(36, "h")),
        (timedelta(seconds=90), Duration(90, "s")),
        (timedelta(milliseconds=1500), Duration(1.5, "s")),
        (pd.Timedelta("2h"), Duration(2, "h")),
        (np.timedelta64(3, "m"), Duration(3, "m")),
        (date(2026, 7, 1), Moment("2026-07-01")),
        (datetime(2026, 7, 1, 18, 0, 5, tzinfo=UTC), Moment("2026-07-01T18:00:05Z")),
        (
            datetime(2026, 7, 1, 18, tzinfo=timezone(timedelta(hours=2))),
            Moment("2026-07-01T18:00+02:00"),
        ),
        (np.datetime64("2026-07-01T18:00"), Moment("2026-07-01T18:00")),
        (np.float32(0.5), Number(0.5)),
        (np.int64(3), Number(3)),
        (np.bool_(True), Flag(True)),
        (np.str_("tea"), Text("tea")),
        (2**53 + 1, Number(2**53 + 1)),
        (np.uint64(2**64 - 1), Number(2**64 - 1)),
    ],
)
def test_python_and_numpy_values_become_literals(value, node):
    assert (item.x == value).node.right == node
    assert type((item.x == value).node.right) is type(node)


@pytest.mark.parametrize("op", ["<", "<=", ">", ">=", "=="])
def test_numpy_leaves_its_operators_to_us(op):
    import operator

    compare = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
               "==": operator.eq}[op]  # fmt: skip
    assert compare(np.float64(3), item.x).node.left == Field("item", "x")
    assert (np.float64(3) * item.x).node.left == Number(3)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"), np.nan, float("inf"), None, pd.NA, pd.NaT, np.datetime64("NaT"),
        np.timedelta64("NaT"), 10**400, [1], {}, object(), 1j, "\ud800",
        pd.Timestamp("2026-07-01T00:00:00.000000005"),
    ],
)  # fmt: skip
def test_what_no_rule_can_hold_is_refused(value):
    with pytest.raises(RuleError):
        _ = item.x == value
    with pytest.raises(RuleError):
        _ = item.x > value


@pytest.mark.parametrize(
    "misuse",
    [
        lambda x: bool(x),
        lambda x: not x,
        lambda x: 1 < x < 3,
        lambda x: x and x,
        lambda x: x or x,
        lambda x: x in [1, 2],
        lambda x: 1 in x,
        lambda x: list(x),
        lambda x: x == [1, 2],
        lambda x: (x > 1) & 3,
        lambda x: 0 & x,
        lambda x: x & x > 3,
        lambda x: x & x == "tea",
        lambda x: x.is_in("tea"),
        lambda x: x.is_in([]),
        lambda x: x.is_in([None]),
        lambda x: x > item,
        lambda x: item[""],
        lambda x: item[3],
        lambda x: param(""),
        lambda x: did("purchas"),
        lambda x: did("purchase", within="0d"),
        lambda x: did("purchase", at_least=0),
    ],
)
def test_what_python_means_otherwise_raises_and_teaches(misuse):
    with pytest.raises(RuleError):
        misuse(item.stock)


def test_the_error_of_and_says_what_to_write():
    with pytest.raises(RuleError, match=r"write & \| ~ .*x\.between.*x\.is_in"):
        bool(item.stock > 0)
    with pytest.raises(RuleError, match="put each comparison in brackets"):
        _ = item.stock > 0 & item.price


def test_terms_are_no_keys():
    with pytest.raises(TypeError, match="unhashable"):
        hash(item.stock)


def test_any_depth_ends_in_a_rule_error():
    term = item.adult
    for _ in range(31):
        term = ~term
    with pytest.raises(RuleError, match="32 deep"):
        _ = ~term
    many = item.x == 0
    for number in range(1, 100):
        many = many | (item.x == number)
    assert len(many.node.args) == 100


def test_columns_may_have_any_name_but_pythons_own():
    assert item.between.node == Field("item", "between")
    assert item.node.node == Field("item", "node")
    assert item["_secret"].node == Field("item", "_secret")
    assert item["größe"].node == Field("item", "größe")
    assert not hasattr(item, "_repr_html_")
    with pytest.raises(AttributeError, match="name begins with _"):
        _ = item._secret
    assert repr(item) == "item"


def test_columns_and_terms_can_be_copied():
    for copied in (copy.deepcopy(item), copy.copy(item), pickle.loads(pickle.dumps(item))):  # noqa: S301
        assert copied.stock.node == STOCK
    term = item.stock > 0
    for copied in (copy.deepcopy(term), copy.copy(term), pickle.loads(pickle.dumps(term))):  # noqa: S301
        assert copied.node == term.node
        assert (~copied).node == Not(term.node)


def test_actions_return_nodes():
    rule = Boost(
        item.discount > 0, by="130%", name="sale", when=user.age >= 18,
        during=(date(2026, 7, 1), None), unknown="apply", priority=2, strict=True,
    )  # fmt: skip
    assert rule == nodes.Boost(
        where=(item.discount > 0).node, by=Percent(130), name="sale", when=(user.age >= 18).node,
        during=nodes.During(Moment("2026-07-01"), None), unknown="apply", priority=2, strict=True,
    )  # fmt: skip
    assert Boost(by=2).where is None
    assert Pin(item.x, at=[3, 1]).slots == (3, 1)
    limit = Limit("20%", per=item.brand, consecutive=5, where=item.x)
    assert limit.amount == Percent(20)
    assert limit.window == nodes.Window("any", 5)
    assert Ensure(2, item.x, top=4).window == nodes.Window("top", 4)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Require("item.stock > 0"), "without quotes"),
        (lambda: Require(item), "name a column"),
        (lambda: Boost(item.x, by="quickly"), "by: text cannot be ordered"),
        (lambda: Pin(item.x), "Pin needs at=, a slot or several"),
        (lambda: Boost(item.x), "Boost needs by=, a factor"),
        (lambda: Require(item.x, nam="x"), "takes no nam=; did you mean 'name'"),
        (lambda: Pin(item.x, at=0), "at: expected a whole number from 1"),
        (lambda: Pin(item.x, at=[]), "at least one value"),
        (lambda: Pin(item.x, at=[3, 3]), "named twice"),
        (lambda: Pin(item.x, at=True), "whole number"),
        (lambda: Limit(2), "needs per="),
        (lambda: Limit(2.5, per=item.x), "n: expected a whole number of items"),
        (lambda: Limit("many", per=item.x), "such as '20%'"),
        (lambda: Limit(2, per=item.x + 1), "per: expected a field"),
        (lambda: Limit(2, per=item.x, top=5, consecutive=3), "one of the two"),
        (lambda: Ensure(2, item.x, top=0), "top: expected"),
        (lambda: Require(item.x, name=""), "name: expected a name"),
        (lambda: Require(item.x, during=("2026-07-01",)), "during: expected a first and a last"),
        (lambda: Require(item.x, during=(None, None)), "at least one day"),
        (lambda: Require(item.x, during=("2026-02-30", None)), "there is no 2026-02-30"),
        (lambda: Require(item.x, unknown="aply"), "did you mean 'apply'"),
        (lambda: Require(item.x, strict=1), "strict: expected True or False"),
        (lambda: Require(item.x, priority="high"), "priority: expected a whole number"),
        (lambda: Require(item.x, when="vip"), "without quotes"),
        (lambda: Require(item.x, when=item.y > 0), "when: .*no item is known yet, got item.y"),
        (lambda: Require(item.x, when=~did("view")), "when: .*no item is known yet"),
        (lambda: Limit("120%", per=item.x), "from 0% to 100%"),
    ],
)
def test_a_wrong_part_is_named(make, said):
    with pytest.raises(RuleError, match=said):
        make()


def test_a_condition_that_shares_its_parts_ends_too():
    term = user.x + 1
    for _ in range(28):
        term = term + term
    for make in (lambda: Require(term > 0), lambda: Require(item.x, when=term > 0)):
        with pytest.raises(RuleError, match="4,000 operations"):
            make()


def test_columns_as_such_are_compared_with_nothing():
    for compared in (lambda: item == "sku-1", lambda: item != 3, lambda: Require(item == "sku-1")):
        with pytest.raises(RuleError, match=r"name a column, such as item\.price"):
            compared()


@pytest.mark.parametrize("many", [range(10**12), iter(int, 1)])
def test_lists_that_fit_no_text_are_not_gone_through(many):
    with pytest.raises(RuleError, match="a set may be 65,536 bytes long"):
        item.x.is_in(many)


def test_numbers_are_no_text():
    with pytest.raises(RuleError, match=r"got the text '1.3'; write it without quotes"):
        Boost(item.x, by="1.3")
