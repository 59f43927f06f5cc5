"""The rule language: what a merchandiser means, said in one line.

The same rules can be written as text, as JSON and in Python::

    from recopersona.rules import Exclude, Require, RuleSet, did, item

    rules = RuleSet([Require(item.stock > 0), Exclude(did("purchase", within="90d"))])
    rules == RuleSet("REQUIRE item.stock > 0; EXCLUDE DID purchase WITHIN 90d")
"""

from recopersona.rules.forms.actions import Boost, Bury, Ensure, Exclude, Limit, Pin, Require
from recopersona.rules.forms.python import (
    absolute,
    ctx,
    decay,
    did,
    item,
    log1p,
    maximum,
    minimum,
    param,
    ramp,
    seed,
    user,
)
from recopersona.rules.ruleset import RuleSet

__all__ = [
    "RuleSet", "Require", "Exclude", "Boost", "Bury", "Pin", "Limit", "Ensure",
    "item", "user", "ctx", "seed", "did", "param",
    "ramp", "decay", "minimum", "maximum", "absolute", "log1p",
]  # fmt: skip
