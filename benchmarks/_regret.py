"""A chapter of `bandits.py`: a shop that mixes objectives, whose best mixture nobody knows.

An arm is a vector of weights over relevance, diversity, freshness and serendipity. Each segment has
its own favourite mixture; clicks fall off with the square of the distance from it, so the reward is
concave in the weights. Segments differ in how often they click at all, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import recopersona as rp

Values = NDArray[np.float64]

ARMS = np.array([
    [1.0, 0.0, 0.0, 0.0],
    [0.7, 0.3, 0.0, 0.0],
    [0.7, 0.0, 0.3, 0.0],
    [0.7, 0.0, 0.0, 0.3],
    [0.7, 0.15, 0.15, 0.0],
    [0.7, 0.15, 0.0, 0.15],
    [0.55, 0.15, 0.15, 0.15],
])  # fmt: skip
NAMES = ["plain", "diverse", "fresh", "odd", "diverse+fresh", "diverse+odd", "all"]
N_REQUESTS, N_SEGMENTS, BATCH = 20_000, 6, 100
CLICKS, CURVATURE, LEVELS = 0.10, 0.9, 0.3
EFFECT = 0.12  # how far segments' favourites lie from the common one, per objective


@dataclass(frozen=True)
class Shop:
    """Click rates (n_phases, n_segments, n_arms), who comes, and how willing each is to click."""

    rates: Values
    segments: NDArray[np.int64]
    luck: Values

    def phase(self, request: int) -> int:
        return request * len(self.rates) // len(self.segments)

    def regret(self, arms: NDArray[np.int64]) -> float:
        """Return the expected clicks lost, in per cent of the best achievable."""
        phases = np.arange(len(arms)) * len(self.rates) // len(arms)
        rates = self.rates[phases, self.segments]
        best = rates.max(axis=1)
        return float(100 * (best - rates[np.arange(len(arms)), arms]).sum() / best.sum())

    def best_single(self) -> float:
        """Return the regret of who knows the one best arm of each phase."""
        phases = np.arange(len(self.segments)) * len(self.rates) // len(self.segments)
        lots = np.zeros((len(self.rates), N_SEGMENTS))
        np.add.at(lots, (phases, self.segments), 1)
        arms = np.array([(lots[p] @ self.rates[p]).argmax() for p in range(len(self.rates))])
        return self.regret(arms[phases])


def shop(seed: int, drift: bool, effect: float = EFFECT, n_requests: int = N_REQUESTS) -> Shop:
    rng = np.random.default_rng([seed, 8])
    level = CLICKS * np.exp(LEVELS * rng.normal(size=(N_SEGMENTS, 1)))
    phases = []
    for _ in range(2):
        common = rng.dirichlet([6, 1.3, 1.3, 1.3])
        favourites = common + effect * rng.normal(size=(N_SEGMENTS, 4))
        apart = ((ARMS - favourites[:, None]) ** 2).sum(axis=-1)
        phases.append(np.clip(level * (1 - CURVATURE * apart), 0.002, 0.9))
    rates = np.stack(phases if drift else phases[:1])
    return Shop(rates, rng.integers(0, N_SEGMENTS, n_requests), rng.random(n_requests))


class BySegment:
    """One Thompson sampling per segment, of which none knows the others."""

    def __init__(self, **more: Any) -> None:
        self.policies = [rp.Thompson(arms=NAMES, **more) for _ in range(N_SEGMENTS)]

    def choose(self, context: int, key: Any) -> Any:
        return self.policies[context].choose(key=key)

    def update(self, arms: list[Any], rewards: Values, contexts: list[int]) -> None:
        of = np.array(contexts)
        for segment, policy in enumerate(self.policies):
            rows = np.flatnonzero(of == segment)
            policy.update([arms[row] for row in rows], rewards[rows])


class OneHot:
    """A linear policy that is told the segment as a vector, beside a constant."""

    def __init__(self, policy: Any) -> None:
        self.policy = policy
        self.vectors = np.column_stack([np.ones(N_SEGMENTS), np.eye(N_SEGMENTS)])

    def choose(self, context: int, key: Any) -> Any:
        return self.policy.choose(context=self.vectors[context], key=key)

    def update(self, arms: list[Any], rewards: Values, contexts: list[int]) -> None:
        self.policy.update(arms, rewards, self.vectors[contexts])


POLICIES: dict[str, Callable[[], Any]] = {
    "uniform": lambda: rp.EpsilonGreedy(arms=NAMES, epsilon=1.0),
    "EpsilonGreedy": lambda: rp.EpsilonGreedy(arms=NAMES),
    "SoftmaxGreedy": lambda: rp.SoftmaxGreedy(arms=NAMES, temperature=0.01),
    "UCB1": lambda: rp.UCB1(arms=NAMES),
    "Thompson": lambda: rp.Thompson(arms=NAMES),
    "Thompson gaussian": lambda: rp.Thompson(arms=NAMES, likelihood="gaussian"),
    "Thompson by segment": BySegment,
    "PooledThompson": lambda: rp.PooledThompson(arms=NAMES),
    "PooledThompson, n0=200": lambda: rp.PooledThompson(arms=NAMES, n0=200),
    "PooledThompson gaussian": lambda: rp.PooledThompson(arms=NAMES, likelihood="gaussian"),
    "LinUCB": lambda: OneHot(rp.LinUCB(arms=NAMES, alpha=0.3)),
    "LinTS": lambda: OneHot(rp.LinTS(arms=NAMES, alpha=0.3)),
    "SquareCB": lambda: OneHot(rp.SquareCB(arms=NAMES)),
}
FORGETFUL: dict[str, Callable[[], Any]] = {
    "PooledThompson, half-life 10,000": lambda: rp.PooledThompson(arms=NAMES, half_life=10_000),
    "PooledThompson, half-life 3,000": lambda: rp.PooledThompson(arms=NAMES, half_life=3_000),
    "PooledThompson, window 8,000": lambda: rp.PooledThompson(arms=NAMES, window=8_000),
}


def served(policy: Any, world: Shop, seed: int) -> float:
    """Serve all requests, telling the policy the clicks of each batch at its end."""
    place = {name: number for number, name in enumerate(NAMES)}
    chosen = np.empty(len(world.segments), np.int64)
    segments = world.segments.tolist()
    for start in range(0, len(segments), BATCH):
        rates = world.rates[world.phase(start)]
        rows = range(start, min(start + BATCH, len(segments)))
        arms = [policy.choose(context=segments[row], key=f"{seed}/{row}").arm for row in rows]
        chosen[rows] = [place[arm] for arm in arms]
        part = slice(rows[0], rows[-1] + 1)
        clicks = world.luck[part] < rates[world.segments[part], chosen[part]]
        policy.update(arms, clicks.astype(np.float64), segments[part])
    return world.regret(chosen)


def regrets(
    names: Iterable[str],
    seeds: int,
    drift: bool,
    effect: float = EFFECT,
    n_requests: int = N_REQUESTS,
    over: Callable[..., Iterable[Any]] = map,
) -> dict[str, Values]:
    """Return every policy's regret on the same shops, one per seed; ``over`` maps over seeds."""
    served_all = partial(_served_all, tuple(names), drift, effect, n_requests)
    lives = list(over(served_all, range(seeds)))
    return {name: np.array([life[name] for life in lives]) for name in lives[0]}


def _served_all(
    names: tuple[str, ...], drift: bool, effect: float, n_requests: int, seed: int
) -> dict[str, float]:
    world = shop(seed, drift, effect, n_requests)
    every = {**POLICIES, **FORGETFUL}
    found = {name: served(every[name](), world, seed) for name in names}
    return {**found, "best single arm": world.best_single()}


def interval(values: Values) -> tuple[float, float, float]:
    """Return mean and 95 % interval over seeds (normal)."""
    reach = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - reach), float(values.mean() + reach)
