"""Do 95 % intervals hold the truth 95 times in 100? Logs drawn from shops whose truth is known.

Called by offpolicy.py. Each setting draws logs of visitors in segments, by a policy that has its
own favourites in each and explores a tenth of the time; another policy, which follows true click
rates further, is judged from every log. IPS, SNIPS and DR are to cover the truth in 93-97 % of
1,000 logs (by luck alone the share of 95 % varies by 0.7 points); of DM, Switch-DR and DRos, whose
bias does not vanish, the bias is told.

The intervals are the library's own: the functions that `off_policy` calls, for 25 logs in one
bootstrap, so that its draws are made once and not 25 times. For the first log of every setting they
are compared with what `off_policy` returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import recopersona as rp
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.offpolicy.estimating import Estimating
from recopersona.evaluation.offpolicy.estimators import effective_sample_size
from recopersona.evaluation.offpolicy.intervals import bootstrap, edges
from recopersona.evaluation.offpolicy.log import names_of
from recopersona.evaluation.offpolicy.targets import target_of

COVERING = ("IPS", "SNIPS", "DR")
BIASED = ("DM", "SwitchDR", "DRos")
COLUMNS = {"action": "item_id", "reward": "click", "propensity": "propensity",
           "context": "segment", "position": None}  # fmt: skip
LOGS, QUICK_LOGS, AT_ONCE = 1_000, 100, 25
EXPLORING = 0.1


@dataclass(frozen=True)
class Setting:
    """A shop: how many rows a log has, of how many items, clicked how often."""

    rows: int
    segments: int
    items: int
    least: float
    most: float
    logging: float
    """How far the logging policy follows its own favourites."""
    target: float
    """How far the other one follows true click rates."""


SETTINGS = {
    "10k rows, 10 items, 1-5%": Setting(10_000, 10, 10, 0.01, 0.05, 1.0, 1.0),
    "5k rows, 20 items, 1-5%": Setting(5_000, 10, 20, 0.01, 0.05, 1.0, 1.0),
    "10k rows, 30 items, 0.5-3%": Setting(10_000, 5, 30, 0.005, 0.03, 1.0, 1.5),
    "4k rows, 7 arms, 1-3%": Setting(4_000, 6, 7, 0.01, 0.03, 1.0, 1.0),
}


@dataclass(frozen=True)
class Shop:
    """A setting with its click rates and both policies, each float64 (segments, items)."""

    setting: Setting
    clicked: np.ndarray
    logging: np.ndarray
    target: np.ndarray

    @classmethod
    def drawn(cls, setting: Setting, seed: int) -> Shop:
        random = np.random.default_rng(seed)
        shape = setting.segments, setting.items
        clicked = random.uniform(setting.least, setting.most, shape)
        standard = (clicked - clicked.mean()) / clicked.std()
        logging = chances(setting.logging * random.normal(size=shape))
        return cls(setting, clicked, logging, chances(setting.target * standard))

    @property
    def truth(self) -> float:
        """Clicks per row of the target, segments being equally frequent."""
        return float((self.target * self.clicked).sum(axis=1).mean())

    @property
    def table(self) -> pd.DataFrame:
        segments, items = np.indices(self.target.shape)
        return pd.DataFrame({"segment": segments.ravel(), "item_id": items.ravel(),
                             "probability": self.target.ravel()})  # fmt: skip

    def log(self, random: np.random.Generator) -> pd.DataFrame:
        n = self.setting.rows
        segments = random.integers(self.setting.segments, size=n)
        bars = np.cumsum(self.logging, axis=1)[segments]
        items = (random.random((n, 1)) > bars).sum(axis=1).clip(max=self.setting.items - 1)
        return pd.DataFrame({
            "segment": segments, "item_id": items, "propensity": self.logging[segments, items],
            "click": (random.random(n) < self.clicked[segments, items]).astype(np.float64),
        })  # fmt: skip


def chances(preference: np.ndarray) -> np.ndarray:
    weights = np.exp(preference)
    greedy = weights / weights.sum(axis=1, keepdims=True)
    return (1 - EXPLORING) * greedy + EXPLORING / preference.shape[1]


def measured(name: str, setting: Setting, seed: int, n_logs: int) -> dict[str, Any]:
    """Return one setting's figures, and print them."""
    shop, random = Shop.drawn(setting, seed), np.random.default_rng([seed, 1])
    held: dict[str, list[bool]] = {name: [] for name in COVERING}
    above: dict[str, list[bool]] = {name: [] for name in COVERING}
    values: dict[str, list[float]] = {name: [] for name in (*COVERING, *BIASED)}
    effective, clicks = [], []
    for start in range(0, n_logs, AT_ONCE):
        logs = [shop.log(random) for _ in range(min(AT_ONCE, n_logs - start))]
        resampling = Resampling(random_state=start)
        judged = [judging(shop, log, resampling) for log in logs]
        estimates = {
            (place, estimator): one.contributions(estimator)
            for place, one in enumerate(judged) for estimator in COVERING
        }  # fmt: skip
        drawn = bootstrap(estimates, resampling)
        ends = {key: edges(one, drawn[key], 0.95) for key, one in estimates.items()}
        if start == 0:
            compare_with_public(shop, logs[0], ends)
        for (_, estimator), (low, high) in ends.items():
            held[estimator].append(low <= shop.truth <= high)
            above[estimator].append(shop.truth > high)
        for one, log in zip(judged, logs, strict=True):
            for estimator, estimated in values.items():
                estimated.append(one.contributions(estimator).value)
            effective.append(effective_sample_size(one.raw_weights))
            clicks.append(log["click"].sum())
    return told(name, shop, held, above, values, effective, clicks)


def judging(shop: Shop, log: pd.DataFrame, resampling: Resampling) -> Estimating:
    names = names_of(**COLUMNS, cluster=None)
    rows, target = target_of(shop.table, log, names, None)
    return Estimating(rows, target, None, None, None, resampling)


def compare_with_public(
    shop: Shop, log: pd.DataFrame, ends: dict[Any, tuple[float, float]]
) -> None:
    """Make sure that these are the intervals which `off_policy` gives for the first log."""
    found = rp.off_policy(log, shop.table, estimators=COVERING, gate=False, **COLUMNS)
    for estimator in COVERING:
        np.testing.assert_allclose(found[estimator][["low", "high"]].astype(float),
                                   ends[0, estimator], rtol=1e-9)  # fmt: skip


def told(name: str, shop: Shop, held: Any, above: Any, values: Any, effective: Any,
         clicks: Any) -> dict[str, Any]:  # fmt: skip
    covered = {estimator: round(float(np.mean(one)), 4) for estimator, one in held.items()}
    bias = {
        estimator: round(float(np.mean(one)) / shop.truth - 1, 4)
        for estimator, one in values.items()
    }
    spread = {
        estimator: round(float(np.std(one)) / shop.truth, 4) for estimator, one in values.items()
    }
    print(f"\n{name}: truth {shop.truth:.4f}, {np.mean(clicks):.0f} clicks, effective sample size "
          f"{np.mean(effective):,.0f} (least {np.min(effective):,.0f})")  # fmt: skip
    table = pd.DataFrame({"covered": covered, "truth above": {
        estimator: round(float(np.mean(one)), 4) for estimator, one in above.items()
    }, "bias": bias, "sd": spread})  # fmt: skip
    print(table.reindex([*values]).to_string(), flush=True)
    return {"covered": covered, "relative_bias": bias, "relative_sd": spread,
            "effective_sample_size": round(float(np.mean(effective)))}  # fmt: skip


def coverage(quick: bool) -> dict[str, Any]:
    """Return the figures of all settings, and the least and greatest coverage of all."""
    n_logs = QUICK_LOGS if quick else LOGS
    print(f"\n95 % intervals over {n_logs:,} logs of known truth; bias and sd relative to it")
    settings = {
        name: measured(name, setting, seed, n_logs)
        for seed, (name, setting) in enumerate(SETTINGS.items())
    }
    shares = [share for one in settings.values() for share in one["covered"].values()]
    return {"logs": n_logs, "least": min(shares), "greatest": max(shares), "settings": settings}


if __name__ == "__main__":
    print(coverage(quick=False))
