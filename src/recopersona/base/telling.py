"""What came of decisions goes to whichever parts write that they learn from it."""

from __future__ import annotations

from collections.abc import Iterable
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
