"""Damaged rules, as text and as JSON: whatever comes, only RuleError is raised.

``RECOPERSONA_FUZZ_SECONDS`` says for how long, ``RECOPERSONA_FUZZ_SEED`` where to begin. A failure
names the seed of the case, which makes it again by itself: with that seed it is the first.
"""

import json
import os
import random
import time

import pytest

from recopersona.errors import RuleError
from recopersona.rules import RuleSet
from recopersona.rules.text.parsing import parse_rules
from tests.rules.eight import JSON, TEXT

SECONDS = float(os.environ.get("RECOPERSONA_FUZZ_SECONDS", "2"))
SEED = int(os.environ.get("RECOPERSONA_FUZZ_SEED", "20260701"))

MORE = """
TIMEZONE "Europe/Berlin"
RULE a: BOOST item.price * 2 - -3 / $p >= ramp(item.price, 1, 2) + decay(item.age, 2w) BY 1.5
RULE b: BURY BY log1p(abs(min(item.price, max(1, 2)))) DURING ..2026-07-01T18:00+02:00 PRIORITY 3
PIN item.id IN ("a", 'b\\u0041') AT 1, 2 WHEN ctx.page != "home" AND NOT seed.x IS UNKNOWN STRICT
LIMIT 20% PER item."größe" IN ANY 3 CONSECUTIVE WHERE item.tags HAS NONE (1, 2.5, TRUE, "x"); # so
ENSURE 2 IN TOP 5 WHERE DID view AT LEAST 2 TIMES WITHIN 1.5h OR item.name STARTS WITH "te"
EXCLUDE item.brand NOT IN $brands AND item.x NOT BETWEEN 1% AND user.y OR item.z IN user.refused
"""
WORDS = sorted({*TEXT.split(), *MORE.split(), *"(),;:.$%#=<>+-*/\"'", ".."})
NASTY = [
    *WORDS, "==", "<>", "&&", "||", "!", "“", "”", "\u2018", "–", "\u00a0", "\u200b", "\ufeff",
    "\0",
    "\ud800", "\\", "\\u", "\\ud800", "é", "٣", "1e999", "1e5", "9" * 400, "0x1", "1_000", ".5",
    "5.", "2026-02-30", "2026-13-01", "2026-07-01T25:00", "2026-07-01T18:00+99:00", "0000-00-00",
    "99999-01-01", "..", "...", "()", "(" * 40, "NOT " * 40, "-" * 40, "item.", ".x", "item.a.b",
    "user", "$", "100%", "-5%", "0", "-1", "99999999999999999999d", "1x", "3mo", "1Y", "'", '"',
    "\n", "\r\n", "\t", "#", "[", "]", "{", "}", "@", "`", "~", "^", "\u017f", "\u212a", "\u0130",
]  # fmt: skip
VALUES = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 0.1, 1e308, -0.0, float("nan"),
    float("inf"), "", " ", "\0", "\ud800", "x" * 1_000, "item.", "item.a", "item.stock", "$p",
    "90d", "20%", "2026-02-30", "2026-07-01", "Europe/Nowhere", "apply", "and", "<", "top", "é",
    [], {}, [[]], [{}], [None], {"num": 1}, {"num": "1"}, {"field": "item"}, {"text": 1},
    {"op": ">", "args": [{"num": 1}]}, {"op": "and", "args": []}, {"did": 1}, {"param": "$"},
    {"call": "ramp", "args": [1]}, {"flag": 1}, {"moment": "now"}, ["2026-07-01"],
]  # fmt: skip


def damaged_text(rng):
    text = rng.choice([TEXT, MORE, *TEXT.strip().splitlines(), *MORE.strip().splitlines()])
    for _ in range(rng.choice([1, 1, 1, 2, 4, 12])):
        place, length = rng.randrange(len(text) + 1), rng.choice([0, 1, 1, 2, 8, 40])
        end = min(len(text), place + length)
        kind = rng.randrange(5)
        if kind == 0:
            text = text[:place] + text[end:]
        elif kind == 1:
            text = text[:place] + rng.choice(NASTY) + text[end:]
        elif kind == 2:
            text = text[:place] + " " + rng.choice(NASTY) + " " + text[end:]
        elif kind == 3:
            text = text[:place] + text[place:end] * rng.choice([2, 2, 50]) + text[end:]
        else:
            text = text[:place]
    return text


def words_in_any_order(rng):
    return " ".join(
        rng.choice(NASTY if rng.random() < 0.1 else WORDS) for _ in range(rng.randrange(60))
    )


def fuzz_text(rng):
    text = damaged_text(rng) if rng.random() < 0.8 else words_in_any_order(rng)
    rules = parse_rules(text)
    # Whatever was read can be written, and means the same.
    assert parse_rules(str(rules)) == rules
    assert RuleSet.from_json(rules.to_json()) == rules


def mutated(value, rng, chance):
    """Return a copy of a value in which some parts are something else."""
    if rng.random() < chance:
        return rng.choice(VALUES)
    if isinstance(value, dict):
        kept = {key: mutated(inner, rng, chance) for key, inner in value.items()}
        if kept and rng.random() < chance:
            kept.pop(rng.choice(list(kept)))
        if rng.random() < chance:
            keys = ["rule", "where", "op", "args", "num", "n", "at", "per", "any", "strict", "x"]
            kept[rng.choice(keys)] = rng.choice(VALUES)
        return kept
    if isinstance(value, list):
        kept = [mutated(inner, rng, chance) for inner in value]
        return kept * rng.choice([0, 2, 40]) if rng.random() < chance else kept
    return value


MORE_JSON = parse_rules(MORE).to_json()


def fuzz_json(rng):
    given = rng.choice([JSON, MORE_JSON])
    values = json.loads(given) if isinstance(given, str) else given
    values = mutated(values, rng, rng.choice([0.01, 0.03, 0.1]))
    if rng.random() < 0.5:
        text = json.dumps(values)
        if rng.random() < 0.5:
            place = rng.randrange(len(text))
            text = text[:place] + rng.choice(
                ["", "{", "}", "[" * 3_000, '"', "\\u", "NaN", "1e999"]
            )
        values = text
    rules = RuleSet.from_json(values)
    assert RuleSet.from_json(rules.to_json()) == rules
    assert parse_rules(str(rules)) == rules


@pytest.mark.parametrize("case", [fuzz_text, fuzz_json])
def test_damaged_rules_raise_only_rule_errors(case):
    end = time.monotonic() + SECONDS / 2
    seed, n_read, n_refused = SEED, 0, 0
    while time.monotonic() < end or seed == SEED:
        try:
            case(random.Random(seed))  # noqa: S311
            n_read += 1
        except RuleError as problem:
            n_refused += bool(str(problem).strip())
        except BaseException as problem:
            problem.add_note(f"{case.__name__}: RECOPERSONA_FUZZ_SEED={seed} makes this case first")
            raise
        seed += 1
    assert (n_read and n_refused) or SECONDS < 1, "nothing was read, or nothing was refused"
