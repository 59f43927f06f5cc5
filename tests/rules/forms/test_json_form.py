"""Rules as JSON: there and back, and only ever one kind of error."""

from __future__ import annotations

import json
from contextlib import suppress
from random import Random

import numpy as np
import pytest

from recopersona.errors import RuleError
from recopersona.rules import Require, RuleSet, item
from recopersona.rules.forms.json_writing import rule_value
from tests.rules.generated import random_rule_set

RULE = {"action": "require", "where": {"op": ">", "args": [{"field": "item.stock"}, {"num": 0}]}}


def test_the_forms_of_the_guide_are_written_and_read():
    text = (
        '{"rule": "brand_cap", "action": "limit", "n": 2, "per": "item.brand", "top": 10}',
        '{"rule": "no_repeat", "action": "exclude", "where": {"did": "purchase", "within": "90d"}}',
    )
    rules = RuleSet.from_json(f"[{', '.join(text)}]")
    assert [json.dumps(rule_value(rule)) for rule in rules] == list(text)


def test_a_set_a_list_and_a_rule_are_read():
    one = RuleSet(Require(item.stock > 0))
    assert RuleSet.from_json(RULE) == one
    assert RuleSet.from_json([RULE]) == one
    assert RuleSet.from_json({"rules": [RULE]}) == one
    assert RuleSet.from_json(json.dumps(RULE)) == one
    assert RuleSet.from_json(json.dumps(RULE).encode()) == one
    zoned = RuleSet.from_json({"timezone": "Europe/Berlin", "rules": [RULE]})
    assert zoned.timezone == "Europe/Berlin"
    assert json.loads(zoned.to_json()) == {"timezone": "Europe/Berlin", "rules": [RULE]}


def test_json_reads_back_as_the_same_rules():
    rng = np.random.default_rng(6)
    for _ in range(2_000):
        rules = random_rule_set(rng)
        assert RuleSet.from_json(rules.to_json()) == rules


def test_plain_values_are_literals():
    plain = {"action": "require", "where": {"op": ">", "args": [{"field": "item.stock"}, 0]}}
    assert RuleSet.from_json(plain) == RuleSet.from_json(RULE)
    assert RuleSet.from_json(
        {"action": "exclude", "where": {"op": "in", "args": [{"field": "item.brand"}, ["a", 3]]}}
    ) == RuleSet([{"x": 0} and _exclude_brands()])
    aged = {"action": "require", "where": {"op": "<=", "args": [{"field": "item.age"}, "30d"]}}
    assert RuleSet.from_json(aged) == RuleSet(Require(item.age <= "30d"))
    assert RuleSet.from_json({"action": "require", "where": True})[0].where.value is True


def _exclude_brands():
    from recopersona.rules import Exclude

    return Exclude(item.brand.is_in(["a", 3]))


def _rule(**parts):
    return {"rule": "no_repeat", **RULE, **parts}


def _where(where):
    return [RULE, _rule(where=where)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (_where({"op": ">", "args": [{"field": "item.x"}, {"nun": 3}]}),
         r'rule 2 \("no_repeat"\), where.args\[1\]: expected one of .*num.*did you mean \'num\''),
        (_where({"op": "and", "args": [True, {"op": ">>", "args": []}]}),
         r"where.args\[1\]: unknown op '>>'"),
        (_where({"op": "in", "args": [{"field": "item.x"}, [1, None]]}),
         r"where.args\[1\]\[1\]: null is no value"),
        (_where({"op": ">", "args": [1]}), "where: '>' takes 2 args, got 1"),
        (_where({"op": ">", "arg": [1]}), "unknown key 'arg'; did you mean 'args'"),
        (_where({"op": ">", "args": 3}), "where: expected a list of args, got 3"),
        (_where({"op": "<", "args": [{"field": "item.x"}, "tea"]}),
         r"where.args\[1\]: text cannot be ordered"),
        (_where({"field": "itm.x"}), "did you mean 'item'"),
        (_where({"field": 3}), "expected a field"),
        (_where({"num": "3"}), "expected a number, got '3'"),
        (_where({"num": True}), "expected a number, got True"),
        (_where({"num": 10**400}), "expected a finite number"),
        (_where({"date": "2026-13-01"}), "there is no 2026-13-01"),
        (_where({"duration": "90"}), "such as '90d'"),
        (_where({"call": "rampp", "args": []}), "did you mean 'ramp'"),
        (_where({"call": "ramp", "args": [1]}), "takes 3 values"),
        (_where({"did": "purchase", "within": 90}), "such as '90d'"),
        (_where({"did": "purchase", "times": 0}), "whole number from 1"),
        (_where({"text": "\ud800"}), "half a character"),
        (_where([]), "expected an object or a plain value"),
        (_rule(action="requir"), "did you mean 'require'"),
        (_rule(wehre=1), "unknown key 'wehre'; did you mean 'where'"),
        (_rule(at=[3]), "unknown key 'at'"),
        (_rule(priority=True), "priority: expected a whole number"),
        (_rule(strict="yes"), "strict: expected True or False"),
        (_rule(unknown="drop"), "unknown: expected 'apply' or 'skip'"),
        (_rule(during="2026-07-01"), "during: expected a first and a last day"),
        (_rule(during=[None, None]), "during: expected at least one day"),
        ({"action": "pin", "where": True}, "rule 1: pin needs 'at'"),
        ({"action": "limit", "n": 2}, "limit needs 'per' or 'where'"),
        ({"action": "limit", "n": 2, "per": "item.b", "top": 2, "consecutive": 3}, "not both"),
        ({"action": "limit", "n": "2", "per": "item.b"}, "n: expected a share such as '20%'"),
        ({"rules": 3}, "expected a list of rules"),
        ({"rules": [3]}, "rule 1: expected an object, got 3"),
        ({"timezone": "Europe/Berlin"}, "expected .*rules"),
        ({"timezone": "Europe/Berln", "rules": []}, "did you mean 'Europe/Berlin'"),
        ({"timezone": 3, "rules": []}, "timezone: expected text"),
        ({}, "expected"),
        (None, "expected a list of rules"),
        ([RULE] * 257, "at most 256 rules"),
        ([_rule(), _rule()], "two rules are called 'no_repeat'"),
    ],
)  # fmt: skip
def test_an_error_names_the_rule_and_the_way(given, said):
    with pytest.raises(RuleError, match=said):
        RuleSet.from_json(given)


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", "[" * 60_000, '{"a":' * 10_000, "[NaN]", "[Infinity]", "[-Infinity]",
        '[{"action": "boost", "by": 1e999}]', f"[{'9' * 5_000}]", f"[1{'0' * 300}]",
        '{"rules": [], "rules": []}', "[" + " " * 2**20 + "]", "\ufeff[]", "\ud800", '["\ud800"]',
        b"\xff\xfe", "null", "3", '"text"', "true",
    ],
)  # fmt: skip
def test_text_that_is_no_rules_is_a_rule_error(text):
    with pytest.raises(RuleError):
        RuleSet.from_json(text)


def test_an_error_of_json_points_at_its_place():
    with pytest.raises(RuleError, match="line 2 col 3: this is not JSON"):
        RuleSet.from_json("[{},\n  oops]")


def test_depth_ends_where_that_of_text_does():
    where = {"flag": True}
    for _ in range(31):
        where = {"op": "not", "args": [where]}
    assert len(RuleSet.from_json({"action": "require", "where": where})) == 1
    with pytest.raises(RuleError, match="32 deep"):
        RuleSet.from_json({"action": "require", "where": {"op": "not", "args": [where]}})
    endless = {"op": "not", "args": []}
    endless["args"].append(endless)
    with pytest.raises(RuleError, match="32 deep"):
        RuleSet.from_json({"action": "require", "where": endless})


def test_shared_parts_that_fit_no_text_end_soon():
    many = {"op": "+", "args": [1, 1]}
    for _ in range(28):
        many = {"op": "+", "args": [many, many]}
    with pytest.raises(RuleError, match="65,536 bytes"):
        RuleSet.from_json({"action": "boost", "by": many})


def test_whatever_is_changed_in_json_only_a_rule_error_comes():
    rng = Random(7)  # noqa: S311
    pieces = ['"', "{", "}", "[", "]", ",", ":", "null", "1e400", "-", "\\u", "NaN", '"op"', "\x00"]
    for _ in range(1_500):
        text = random_rule_set(rng).to_json()[:2_000]
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice([*pieces, ""]) + text[at + rng.randint(0, 3) :]
        with suppress(RuleError):
            RuleSet.from_json(text)


def test_whatever_value_stands_somewhere_only_a_rule_error_comes():
    rng = Random(8)  # noqa: S311
    odd = [
        None,
        3,
        -1,
        2.5,
        "",
        "tea",
        "30d",
        [],
        {},
        [[]],
        True,
        {"op": "not"},
        10**30,
        {"num": 1},
    ]
    for _ in range(1_500):
        value = json.loads(random_rule_set(rng).to_json())
        holder = value
        while True:
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            if not keys:
                break
            key = rng.choice(list(keys))
            if not isinstance(holder[key], (dict, list)) or rng.random() < 0.2:
                holder[key] = rng.choice(odd)
                break
            holder = holder[key]
        with suppress(RuleError):
            RuleSet.from_json(value)


def test_the_largest_set_comes_back_from_json():
    rules = RuleSet([Require(item.x.is_in(range(n, n + 40)), name=f"rule_{n}") for n in range(200)])
    assert len(rules.to_json()) > 65_536
    assert RuleSet.from_json(rules.to_json()) == rules
