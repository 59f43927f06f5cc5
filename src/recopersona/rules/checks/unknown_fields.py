"""Fields that are not there: which one was meant."""

from __future__ import annotations

from difflib import SequenceMatcher

from recopersona.errors import nearest
from recopersona.rules.checks.schema import RuleSchema
from recopersona.rules.nodes import CREATED, Field
from recopersona.rules.text.printing import printed


def unknown_field(node: Field, schema: RuleSchema) -> str:
    """Say that a field is not there, and which one is."""
    said = f"unknown field {printed(node)}"
    if node.of in ("item", "seed") and node.name == "age":
        return (
            f"{printed(node)} is ctx.now - {node.of}.{CREATED}, and the items have no column "
            f"{CREATED!r} of times; add one"
        )
    near = _nearest_field(node, schema)
    own = near is not None and near.of == node.of
    if near is not None and (own or near.name == node.name or schema.user or node.of != "user"):
        return f"{said}; did you mean {printed(near)}?"
    if node.of == "user" and not schema.user:
        return (
            f"{said}: there is no table of users; give one as users= of Dataset.from_frames, or "
            f"write ctx.{node.name} and pass it with the request"
        )
    listed = [printed(Field(node.of, name)) for name in schema.readable(node.of)]
    more = ", ..." if len(listed) > _MOST_LISTED else ""
    return f"{said}; there are {', '.join(listed[:_MOST_LISTED])}{more}"


def _nearest_field(node: Field, schema: RuleSchema) -> Field | None:
    """Return the field that is spelt most alike, of several equal ones that of the namespace."""
    best, found = 0.0, None
    for of in dict.fromkeys((node.of, "item", "user")):
        near = nearest(node.name, schema.readable(of))
        if near is not None:
            alike = SequenceMatcher(None, node.name.lower(), near.lower()).ratio()
            if alike > best:
                best, found = alike, Field(of, near)
    return found


_MOST_LISTED = 12
