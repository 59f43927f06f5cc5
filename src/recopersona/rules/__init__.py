"""The rule language: what a merchandiser means, said in one line.

The same rules can be written as text, as JSON and in Python::

    from recopersona.rules import Exclude, Require, RuleSet, did, item

    rules = RuleSet([Require(item.stock > 0), Exclude(did("purchase", within="90d"))])
    rules == RuleSet("REQUIRE item.stock > 0; EXCLUDE DID purchase WITHIN 90d")

`nodes` say what a rule is made of, and `ruleset` what a set of them can do. The rooms, each of
which knows only those before it:

text        rules read and written as text
forms       the same as Python and as JSON
conditions  whether an item meets a condition: compiled, and asked of all items at once
checks      whether rules fit a shop, and what to write where they do not
binding     rules bound to a shop: who may be shown, and what `slots` they ask for
lint        what reads well and is not what was meant
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
