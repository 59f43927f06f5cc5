"""What customers buy later, against what was foretold; and how long it takes to foretell it.

    python benchmarks/lifetime.py [DATA_DIR] [--quick]

DATA_DIR holds an event log `events.parquet` of any schema that `rp.read_events` knows, with prices.
Its last quarter of time is held out; two forecasts without a model stand beside ours: everybody at
his own past rate, and everyone the mean. Nothing is tuned. Customers are made up as well, by BG/NBD
with the published parameters of the CDNOW data (Fader, Hardie & Lee 2005): what comes back of them,
and the time that it takes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

import recopersona as rp

CDNOW = {"r_": 0.243, "alpha_days_": 7 * 4.414, "a_": 0.793, "b_": 2.426}
VALUES = {"p_": 6.25, "q_": 3.74, "gamma_": 15.44}


def made_up(n: int, days: int = 273) -> pd.DataFrame:
    """Customers as `rp.rfm` describes them, watched for 27 to 39 weeks, purchases on whole days."""
    random = np.random.default_rng(0)
    r, alpha, a, b = CDNOW.values()
    rate, stop = random.gamma(r, 1 / alpha, n), random.beta(a, b, n)
    watched = random.integers(27 * 7, days + 1, n).astype(float)
    now, last, bought = np.zeros(n), np.zeros(n), np.zeros(n)
    alive = np.ones(n, dtype=bool)
    while alive.any():
        now[alive] += random.exponential(1 / rate[alive])
        alive &= now < watched
        anew = alive & (np.floor(now) > last)  # twice a day is once
        bought[anew] += 1
        last[anew] = np.floor(now[anew])
        alive[alive] = random.random(alive.sum()) >= stop[alive]
    p, q, gamma = VALUES.values()
    purchases = bought + 1
    value = random.gamma(p * purchases) / random.gamma(q, 1 / gamma, n)
    return pd.DataFrame(
        {
            "user_id": np.arange(n),
            "orders": purchases.astype(int),
            "frequency": bought.astype(int),
            "recency_days": watched - last,
            "span_days": last,
            "tenure_days": watched,
            "total_value": value,
        }
    )


def log_of(n: int) -> pd.DataFrame:
    """A log for the clock alone: ten events a user, a fifth of them purchases, some sent back."""
    random = np.random.default_rng(1)
    kinds = ["view", "cart", "purchase", "return"]
    start = pd.Timestamp("2025-01-01", tz="UTC")
    return pd.DataFrame(
        {
            "user_id": random.integers(0, n // 10, n),
            "item_id": random.integers(0, 10_000, n),
            "event": pd.Categorical.from_codes(
                random.choice(4, n, p=[0.7, 0.1, 0.19, 0.01]), kinds
            ),
            "price": random.gamma(2, 10, n),
            "timestamp": start + pd.to_timedelta(random.integers(0, 365 * 86_400, n), unit="s"),
        }
    )


def timed(function, *arguments):
    start = time.perf_counter()
    answer = function(*arguments)
    return answer, time.perf_counter() - start


def held_out(folder: str) -> dict[str, object]:
    events = rp.clean(rp.read_events(Path(folder) / "events.parquet"))
    first, last = events["timestamp"].min(), events["timestamp"].max()
    end = (first + (last - first) * 0.75).floor("D")
    report, seconds = timed(rp.LifetimeValue().holdout, events, end)
    print(f"held out from {end:%Y-%m-%d} on:\n{report!r}\n")
    figures: dict[str, object] = {"held_out_s": seconds, "held_out_days": report.days}
    for row, short in (
        ("LifetimeValue", ""),
        ("past rate", "rate_"),
        ("everyone the mean", "mean_"),
    ):
        figures |= {short + name: value for name, value in report.table.loc[row].items()}
    segments = rp.Segments().fit(events)
    print(segments.explain().to_string(), "\n")
    figures["segments"] = segments.counts_
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    n_customers, n_events = (200_000, 500_000) if options.quick else (1_000_000, 5_000_000)
    figures: dict[str, object] = {"customers": n_customers}
    customers = made_up(n_customers)
    model, figures["fit_s"] = timed(rp.LifetimeValue().fit, customers)
    _, figures["predict_s"] = timed(model.predict, customers, "90d")
    truth = CDNOW | VALUES
    figures |= {name: getattr(model, name) for name in truth}
    figures["worst_parameter"] = max(abs(figures[name] / truth[name] - 1) for name in truth)
    log = log_of(n_events)
    _, seconds = timed(rp.rfm, log)
    figures["rfm_rows_per_s"] = n_events / seconds
    if options.data:
        figures |= held_out(options.data)
    figures |= {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": version("scipy"),
        "pandas": pd.__version__,
    }
    for name, value in figures.items():
        print(f"{name:20} {value:.6g}" if isinstance(value, float) else f"{name:20} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
