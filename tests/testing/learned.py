"""All that a part has learned, byte by byte."""

from recopersona.base.codec import Writer

APART = ("gated_", "feedback_counts_")
"""What a gate itself changes: whether there is one, and how often it refused what came of pages."""


def learned(part):
    """Return all that is kept of a part: arrays as bytes, wherever they are shared.

    Which parts hold one and the same array is left out: some come to share what they share only
    when somebody asks.
    """
    writer = Writer()
    tree = writer.encode(part, "part")
    return _whole(tree, writer.arrays, {})


def _whole(tree, arrays, known):
    if isinstance(tree, list):
        return [_whole(value, arrays, known) for value in tree]
    if not isinstance(tree, dict):
        return tree
    if tree.get("$") == "again":
        return known[tree["of"]]
    if tree.get("$") == "array":
        array = arrays[tree["file"]]
        held = (array.dtype.str, array.shape, array.tobytes())
    else:
        kept = [key for key in tree if key not in ("id", *APART)]
        held = {key: _whole(tree[key], arrays, known) for key in kept}
    if "id" in tree:
        known[tree["id"]] = held
    return held
