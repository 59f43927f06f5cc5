"""What came of pages goes to the arms that would have shown them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Self

import numpy as np
import pandas as pd

from recopersona.bandits.linear import LinearPolicy
from recopersona.bandits.logs import require_once
from recopersona.bandits.policy import LARGEST, Policy
from recopersona.base.own_lock import OwnLock
from recopersona.data.columns import numbers
from recopersona.data.decision import Decision
from recopersona.data.draw import Draw
from recopersona.data.types import Id
from recopersona.errors import DataError, NotFittedError
from recopersona.rerank.attribution import Windows
from recopersona.rerank.expectation import Expectation
from recopersona.rerank.reranker import Reranker
from recopersona.rerank.rewards import PageValue
from recopersona.rerank.segments import MOST_SEGMENTS, context_of, is_plain

_TOLD = ("arm", "reward", "segment", "propensity", "same", "expected")
_ATTRIBUTION = {"click": "24h", "purchase": "7d"}


class Crediting(Reranker):
    """A re-ranker whose arms learn from the outcomes of their pages; see `BanditReranker`.

    A page's reward goes to every arm that would have shown it, less what its request was expected
    to bring, and counts for the probability that it was this arm, given the page: whole rewards for
    all would fill the arm that is seldom drawn with what requests bring where all arms agree. All
    that is needed for that is in the decision itself, so that outcomes may come in any number of
    pieces, after any time, and after a restart.
    """

    attribution: Any
    reward: Mapping[str, float] | None
    examination: Any
    policy_: Policy
    expectation_: Expectation
    segments_: list[Id]
    counts_: dict[str, int]

    @property
    def windows(self) -> Windows:
        """For how long what happens is put down to a page."""
        kept: tuple[Any, Windows] | None = vars(self).get("_windows_kept")
        if kept is None or kept[0] is not self.attribution:
            asked = _ATTRIBUTION if self.attribution is None else self.attribution
            kept = self._windows_kept = self.attribution, Windows.of(asked)
        return kept[1]

    @property
    def _value(self) -> PageValue:
        return PageValue(self.reward, self.examination)

    def reward_of(self, decision: Decision) -> float:
        """Return what a page was worth, by what is known of its outcome."""
        return self._value.of(decision)

    def _for_policy(self, reward: float, expected: float) -> float:
        """Return a reward as the policy takes it."""
        low, high = self.policy_.limits
        return reward - expected if low <= -LARGEST else min(max(reward, low), high)

    def _learn_outcome(self, decision: Decision) -> None:
        draw = decision.draw
        if draw is None:
            return
        reward = self.reward_of(decision)
        with self._lock:
            shares = self._credited(draw)
            value = self._for_policy(reward, draw.expected)
            segment = self._told_apart(draw.segment)
            if shares:
                n, weights = len(shares), [*shares.values()]
                contexts = [self._context(segment)] * n
                self.policy_.update([*shares], [value] * n, contexts, weights)
            self.expectation_.learn(draw.known, reward)

    def _outcome_grew(self, before: Decision, after: Decision) -> None:
        draw = after.draw
        if draw is None:
            return
        old, new = self.reward_of(before), self.reward_of(after)
        if old == new:
            return
        with self._lock:
            segment = self._told_apart(draw.segment)
            was, is_now = (self._for_policy(one, draw.expected) for one in (old, new))
            for arm, share in self._credited(draw).items():
                self.policy_.revise(arm, was, is_now, self._context(segment), share)
            self.expectation_.revise(draw.known, old, new)

    def _unlearn_outcome(self, decision: Decision) -> list[str]:
        """Take back what a decision's outcome taught; name what cannot be taken back.

        What others' rewards were expected to bring was foretold from hers, too, and so was how
        alike segments are: what follows from that stays.
        """
        draw = decision.draw
        if draw is None or decision.outcome is None:
            return []
        reward = self.reward_of(decision)
        with self._lock:
            foretold, ranged = self.expectation_.foretells, self.policy_.limits[0] > -LARGEST
            apart = draw.segment if draw.segment in self.segments_ else None
            known = self.policy_.arms_
            shares = {arm: share for arm, share in self._shares(draw).items() if arm in known}
            n, value = len(shares), self._for_policy(reward, draw.expected)
            contexts, weights = [self._context(apart)] * n, [*shares.values()]
            gone = self.policy_.take_back([*shares], [value] * n, contexts, weights)
            self.expectation_.take_back(draw.known, reward)
            pooled = getattr(self.policy_, "knows_pooling", False)
        return [] if gone and not pooled and (ranged or not foretold) else ["policy_"]

    def _shares(self, draw: Draw) -> dict[Id, float]:
        """Return the arms that would have shown the page, and what it counts for: together 1."""
        named = [arm for arm in draw.same or (draw.arm,) if draw.probabilities.get(arm, 0.0) > 0]
        total = sum(draw.probabilities[arm] for arm in named)
        return {arm: draw.probabilities[arm] / total for arm in named}

    def _credited(self, draw: Draw) -> dict[Id, float]:
        """Return the arms that learn from a page, and what it counts for: together 1."""
        known, shares = self.policy_.arms_, self._shares(draw)
        self._count("arm_gone", len(set(shares) - set(known)))
        return {arm: share for arm, share in shares.items() if arm in known}

    def _told_apart(self, segment: Id | None) -> Id | None:
        """Return the segment that a reward is kept for."""
        if not is_plain(segment):  # of a log
            segment = None
        if segment is None or segment in self.segments_:
            return segment
        if len(self.segments_) < MOST_SEGMENTS:
            self.segments_.append(segment)
            return segment
        self._count("segments_folded", 1)
        return None

    def _context(self, segment: Id | None) -> Any:
        return context_of(self.policy_, segment, self.segments_)

    def _count(self, what: str, number: int) -> None:
        if number:
            self.counts_[what] = self.counts_.get(what, 0) + number

    def _check_taught(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                "a log of decisions is learned on top of a shop; first fit the pipeline, then "
                "home.reranker_.fit(log)."
            )

    def _warm(self, log: pd.DataFrame) -> Self:
        """Teach the policy what was decided before, each reward for 1 / propensity."""
        if "reward" not in log:
            raise DataError("a log of decisions needs a column 'reward'; see decisions_frame().")
        require_once(log, _TOLD)
        known = log[log["reward"].notna() & log["arm"].notna()].copy()
        rewards = numbers(known["reward"], "a log of decisions: reward")
        expected = np.zeros(len(known))
        if "expected" in known:
            expected = np.nan_to_num(numbers(known["expected"], "a log of decisions: expected"))
        pairs = zip(rewards.tolist(), expected.tolist(), strict=True)
        known["reward"] = [self._for_policy(*pair) for pair in pairs]
        if "same" in known:
            known["arm"] = list(map(_shown_by, known["same"], known["arm"]))
            known = known.explode("arm")
        kept = [name for name in _TOLD[:4] if name in known]
        told = known[kept].reset_index(drop=True)
        with self._lock:
            if isinstance(self.policy_, LinearPolicy):
                segments = told.pop("segment").tolist() if "segment" in told else [None] * len(told)
                rows = [self._context(self._told_apart(segment)) for segment in segments]
                flags = pd.DataFrame(np.reshape(rows, (len(rows), 1 + MOST_SEGMENTS)))
                told = told.join(flags.add_prefix("segment "))
            elif "segment" in told:
                kept_apart = map(self._told_apart, told["segment"].tolist())
                told["segment"] = pd.Series(list(kept_apart), told.index, dtype=object)
            self.policy_.partial_fit(told)
        return self

    @property
    def _lock(self) -> OwnLock:
        kept: OwnLock = self.__dict__.setdefault("_lock_kept", OwnLock())
        return kept


def _shown_by(same: Any, arm: Id) -> list[Any]:
    """Return the arms that would have shown the same, as a row of a log has it."""
    if isinstance(same, str):
        raise DataError(
            "a log of decisions: 'same' must hold lists of arms, got text, as CSV makes of them; "
            "keep decisions_frame() with to_parquet or to_json(orient='records')."
        )
    return list(same) if isinstance(same, Collection) and len(same) else [arm]
