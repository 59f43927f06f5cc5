"""What a bandit did to a page, in words and as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recopersona.bandits.policy import Policy
from recopersona.data.draw import Draw
from recopersona.data.ranking import Ranking
from recopersona.data.types import Id
from recopersona.errors import DataError


def said_of(draw: Draw, shown: Sequence[Id]) -> tuple[str, ...]:
    """Say what an arm did to a page."""
    before, now = set(draw.without), set(shown)
    new = [str(item) for item in shown if item not in before]
    gone = [str(item) for item in draw.without if item not in now]
    if new and gone:
        return (f"the arm {draw.arm!r} shows {', '.join(new)} in place of {', '.join(gone)}",)
    if tuple(shown) != draw.without:
        return (f"the arm {draw.arm!r} shows the same items in another order",)
    return ()


def account_of(
    ranking: Ranking, arms: list[Id], policy: Policy, context: Callable[[Id | None], Any]
) -> pd.DataFrame:
    """Return a row per arm; see `BanditReranker.explain`."""
    draw = ranking.draw
    if draw is None:
        raise DataError("nothing was drawn for this ranking; ask pipeline.recommend for one.")
    means = policy.expected(arms, context(draw.segment))
    trials: Any = getattr(policy, "trials_", None)
    rewards = np.full(len(arms), np.nan) if trials is None else trials[0]
    frame = pd.DataFrame(
        {
            "arm": pd.Series(arms, dtype=object),
            "drawn": [arm in (*draw.same, draw.arm) for arm in arms],
            "probability": [draw.probabilities.get(arm, 0.0) for arm in arms],
            "mean": means,
            "rewards": rewards,
            "refused": [draw.refused.get(arm, "") for arm in arms],
        }
    )
    shown = ranking.item_ids
    frame.attrs = {
        "without": list(draw.without),
        "new": [item for item in shown if item not in draw.without],
        "gone": [item for item in draw.without if item not in shown],
    }
    return frame
