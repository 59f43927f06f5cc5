"""What to say of a WHEN that reads the item, and what to write instead."""

from __future__ import annotations

from recopersona.rules.nodes import And, Did, Field, Not, Require, Rule, all_of, any_of
from recopersona.rules.parts import all_in
from recopersona.rules.text.printing import printed


def too_early(rule: Rule, node: Field | Did) -> str:
    """Say that a WHEN reads the item, and what to write instead."""
    return (
        "WHEN is decided once per request, before any item is looked at, and cannot read "
        f"{printed(node)}; move it into the condition: {written_into(rule, node)}"
    )


def written_into(rule: Rule, node: Field | Did) -> str:
    """Write the part of a WHEN that reads the item as a part of the rule's condition."""
    when, where = rule.when, getattr(rule, "where", None)
    assert when is not None  # noqa: S101
    parts = when.args if isinstance(when, And) else (when,)
    part = next((p for p in parts if any(n is node for n in all_in(p))), when)
    if isinstance(rule, Require):  # what the part does not speak of must not be hidden by it
        return f"REQUIRE {printed(any_of(Not(part), rule.where))}"
    moved = printed(part if where is None else all_of(where, part))
    name = type(rule).__name__.upper()
    return f"WHERE {moved}" if name in ("LIMIT", "ENSURE") else f"{name} {moved}"
