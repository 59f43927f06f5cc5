"""What would the other policy have earned? Estimates from one log, beside what it did earn.

    python benchmarks/offpolicy.py DATA_DIR [--quick] [--plot PATH]

Every parquet file of the directory with a column ``propensity_score`` is a campaign in the form of
the Open Bandit Dataset: ``policy``, ``item_id``, ``position``, ``click``, ``propensity_score``,
``user_feature_*`` and ``user-item_affinity_*``. The policy whose propensities are all the same is
the uniform one. From its log the others are judged, and it from theirs; a target is known by what
its own log did, item by position.

* `relative_error`: of 30 logs drawn again from the uniform one, gate off, the mean of
  abs(estimate - truth) / truth; the truth is the other policy's own mean. That is what the public
  table of the Open Bandit Pipeline reports for its campaign "all", printed beside.
* `covered`: whether the 95 % interval from the whole uniform log holds the other policy's own mean,
  as a number; `overlaps`: whether it overlaps that mean's own 95 % interval.
* `refused`: what the gate refused, and why: the way back to the uniform policy, and the uniform log
  without the items that the other policy shows most.
* `coverage`: in simulation, see `_coverage.py`.

Which columns of the context the model of rewards looks at is chosen by held-out log loss on the log
that the estimate is from, never by the truth.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _coverage import coverage

import recopersona as rp
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.offpolicy.estimating import ESTIMATORS, Estimating
from recopersona.evaluation.offpolicy.log import names_of
from recopersona.evaluation.offpolicy.targets import target_of
from recopersona.report.html import Report

COLUMNS = {"action": "item_id", "reward": "click", "propensity": "propensity_score",
           "position": "position"}  # fmt: skip
CONTEXTS = ("user_feature_", "user-item_affinity_")
PUBLIC = {"DM": 0.157, "DRos": 0.160, "SwitchDR": 0.258, "DR": 0.292, "SNDR": 0.302, "IPS": 0.311,
          "SNIPS": 0.312}  # fmt: skip
SHARED_ITEMS = 20 / 80  # of the items, the share that is taken out of a log
BOOTSTRAPS = 30
INTERVAL_DRAWS, QUICK_DRAWS = 5_000, 1_000
MOST_ROWS, QUICK_ROWS = 3_000_000, 100_000


def campaigns(folder: Path, quick: bool) -> dict[str, dict[str, pd.DataFrame]]:
    """Return each campaign's logs by policy, the uniform policy first."""
    found = {}
    for path in sorted(folder.glob("*.parquet")):
        frame = pd.read_parquet(path)
        if "propensity_score" not in frame:
            continue
        logs = {str(name): log.reset_index(drop=True) for name, log in frame.groupby("policy")}
        logs = {
            name: sampled(log, QUICK_ROWS if quick else MOST_ROWS) for name, log in logs.items()
        }
        even = [name for name, log in logs.items() if is_uniform(log)]
        if len(even) != 1 or len(logs) < 2:
            print(f"{path.name}: left out, it has {len(even)} uniform policies of {len(logs)}")
            continue
        found[path.stem] = {even[0]: logs.pop(even[0]), **logs}
    return found


def sampled(log: pd.DataFrame, most: int) -> pd.DataFrame:
    return log if len(log) <= most else log.sample(most, random_state=0).reset_index(drop=True)


def is_uniform(log: pd.DataFrame) -> bool:
    chances = log["propensity_score"]
    return bool(chances.max() <= chances.min() * (1 + 1e-6))


def log_loss(chances: np.ndarray, clicks: np.ndarray) -> float:
    chances = np.clip(chances, 1e-6, 1 - 1e-6)
    return float(-np.mean(clicks * np.log(chances) + (1 - clicks) * np.log1p(-chances)))


def estimating(log: pd.DataFrame, target: pd.DataFrame, context: list[str]) -> Estimating:
    names = names_of(**COLUMNS, context=context, cluster=None)
    rows, other = target_of(target, log, names, (0.0, 1.0))
    return Estimating(rows, other, None, None, (0.0, 1.0), Resampling())


def chosen_context(log: pd.DataFrame, target: pd.DataFrame) -> tuple[list[str], dict[str, float]]:
    """Return the columns with which held-out clicks of the log are predicted best."""
    sets: dict[str, list[str]] = {"position only": []}
    for pattern in CONTEXTS:
        more = [name for name in log if name.startswith(pattern)]
        if more:
            sets[f"and {pattern}*"] = [*list(sets.values())[-1], *more]
    losses = {}
    for name, columns in sets.items():
        one = estimating(log, target, columns)
        losses[name] = log_loss(one.expected[0], one.log.rewards)
    return sets[min(losses, key=lambda name: losses[name])], losses


def relative_errors(log: pd.DataFrame, target: pd.DataFrame, context: list[str]) -> Any:
    """Return the relative errors of 30 logs drawn again, a row each."""
    truth = target["click"].mean()
    random = np.random.default_rng(12345)
    rows = []
    for _ in range(BOOTSTRAPS):
        drawn = log.iloc[random.integers(len(log), size=len(log))]
        one = estimating(drawn, target, context)
        rows.append({name: one.contributions(name).value for name in ESTIMATORS})
    return (pd.DataFrame(rows) - truth).abs() / truth


def top_items(log: pd.DataFrame) -> Any:
    """Return the items that a log shows most."""
    counts = log["item_id"].value_counts()
    return counts.index[: max(1, round(SHARED_ITEMS * len(counts)))]


def measured(name: str, logs: dict[str, pd.DataFrame], quick: bool) -> dict[str, Any]:
    """Return one campaign's figures, and print them."""
    uniform, *others = logs
    draws = QUICK_DRAWS if quick else INTERVAL_DRAWS
    figures: dict[str, Any] = {"rows": {policy: len(log) for policy, log in logs.items()},
                               "relative_error": {}, "covered": {}, "overlaps": {}, "refused": [],
                               "not_refused": [], "drawings": []}  # fmt: skip
    errors = []
    for other in others:
        log, target = logs[uniform], logs[other]
        context, losses = chosen_context(log, target)
        figures["held_out_log_loss"] = {what: round(loss, 6) for what, loss in losses.items()}
        start = time.perf_counter()
        asked = {**COLUMNS, "context": context, "reward_range": (0, 1), "n_boot": draws}
        found = rp.off_policy(log, target, estimators=[*ESTIMATORS, "Replay"], gate=False, **asked)
        seconds = time.perf_counter() - start
        figures["drawings"].append(rp.plot(found))
        errors.append(relative_errors(log, target, context))
        truth = found.logged.loc["target"]
        print(f"\n{name}: {uniform} -> {other}, truth {truth.value:.5f} "
              f"({truth.low:.5f} to {truth.high:.5f}), logged {log['click'].mean():.5f}; "
              f"{seconds:.1f} s, {draws} draws")  # fmt: skip
        print(found.sentences[-1])
        print(table(found, errors[-1], truth).to_string())
        for estimator in ESTIMATORS:
            row = found.table.loc[estimator]
            covers = bool(row.low <= truth.value <= row.high)
            overlaps = bool(row.low <= truth.high and truth.low <= row.high)
            figures["covered"][estimator] = covers and figures["covered"].get(estimator, True)
            figures["overlaps"][estimator] = overlaps and figures["overlaps"].get(estimator, True)
        top = top_items(target)
        cases = {
            f"{uniform} -> {other}": (log, target),
            f"{other} -> {uniform}": (target, log),
            f"{uniform} without {len(top)} items -> {other}": (
                log[~log["item_id"].isin(top)], target),
        }  # fmt: skip
        for case, (one, two) in cases.items():
            gated = rp.off_policy(one, two, **{**asked, "n_boot": 1_000})
            told = {str(reason) for reason in gated.table["refused"] if reason}
            for reason in sorted(told):
                those = gated.table.index[gated.table["refused"] == reason].tolist()
                who = "all" if len(those) == len(gated.table) else ", ".join(those)
                figures["refused"].append(f"{name}: {case}: {who}: {reason}")
                print(f"refused, {case}: {who}: {reason}")
            if not told:
                figures["not_refused"].append(f"{name}: {case}")
                print(f"given, {case}: {gated.sentences[-1]}")
        back = rp.off_policy(target, log, gate=False, **{**asked, "n_boot": 1_000})
        print(f"with the gate off, {other} -> {uniform} (truth {log['click'].mean():.5f}):")
        print(back.table[["value", "low", "high"]].round(5).to_string())
    together = pd.concat(errors)
    figures["relative_error"] = together.mean().round(4).to_dict()
    figures["relative_error_sd"] = together.std().round(4).to_dict()
    return figures


def table(found: rp.OffPolicy, errors: pd.DataFrame, truth: Any) -> pd.DataFrame:
    """Return estimates, errors over resampled logs, and the public errors of another campaign."""
    rows = found.table[["value", "low", "high"]].copy()
    rows["covers"] = (rows["low"] <= truth.value) & (truth.value <= rows["high"])
    rows["relative error"] = errors.mean()
    rows["sd"] = errors.std()
    rows['public, "all"'] = pd.Series(PUBLIC)
    return rows.round(5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a folder of campaigns")
    parser.add_argument("--quick", action="store_true", help="1,000 draws, at most 100,000 rows")
    parser.add_argument("--plot", type=Path, help="where to write the intervals as a page")
    given = parser.parse_args()
    start = time.perf_counter()
    figures = {
        name: measured(name, logs, given.quick)
        for name, logs in campaigns(given.data, given.quick).items()
    }
    assert figures, f"{given.data} holds no parquet file with propensity_score and two policies"
    drawings = [one for found in figures.values() for one in found.pop("drawings")]
    if given.plot:
        report = Report("Off-policy estimates")
        for drawing in drawings:
            report.chart(drawing)
        report.write(given.plot)
    each = list(figures.values())
    line = {
        "relative_error": {
            name: round(float(np.mean([one["relative_error"][name] for one in each])), 4)
            for name in ESTIMATORS
        },
        "covered": {name: all(one["covered"][name] for one in each) for name in ESTIMATORS},
        "refused": [reason for one in each for reason in one["refused"]],
        "overlaps": {name: all(one["overlaps"][name] for one in each) for name in ESTIMATORS},
        "not_refused": [case for one in each for case in one["not_refused"]],
        "public_relative_error": PUBLIC,
        "bootstraps": BOOTSTRAPS,
        "campaigns": figures,
        "coverage": coverage(given.quick),
        "seconds": round(time.perf_counter() - start, 1),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {
            name: version(name) for name in ("recopersona", "numpy", "scipy", "scikit-learn")
        },
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
