"""What came of decisions goes to whichever parts write that they learn from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from recopersona.data.decision import Decision


def tell_outcome(parts: Iterable[Any], decision: Decision) -> None:
    """Tell every part that writes ``_learn_outcome(decision)`` what came of one."""
    for part in parts:
        learn = getattr(part, "_learn_outcome", None)
        if learn is not None:
            learn(decision)


def tell_growth(parts: Iterable[Any], before: Decision, after: Decision) -> None:
    """Tell every part that writes ``_outcome_grew(before, after)`` that more came of one."""
    for part in parts:
        revise = getattr(part, "_outcome_grew", None)
        if revise is not None:
            revise(before, after)


def untell_outcome(parts: Mapping[str, Any], decision: Decision) -> list[str]:
    """Let every part take back what came of a decision; name what cannot be taken back.

    A part that writes ``_learn_outcome`` and no ``_unlearn_outcome(decision)`` cannot.
    """
    left: list[str] = []
    for name, part in parts.items():
        unlearn = getattr(part, "_unlearn_outcome", None)
        if unlearn is not None:
            left += [f"{name}.{one}" for one in unlearn(decision)]
        elif hasattr(part, "_learn_outcome"):
            left.append(name)
    return left
