"""Policies: what they lose while they learn, and what a choice and a reward cost beside MABWiser.

    python benchmarks/bandits.py [--quick] [--plot PATH]

Regret: 20,000 requests of six segments, seven arms (mixtures of objectives, see `_regret.py`),
clicks told in batches of 100, tastes fixed or new at half. In per cent of the best achievable
clicks, means over 24 shops with 95 % intervals; all policies meet the same visitors. Differences of
`PooledThompson` are paired over shops. Linear policies see the segment as a vector, with `alpha` at
the standard deviation of a click; the rest is at its defaults, but for `SoftmaxGreedy`, whose
temperature must know the size of rewards.

Time: whole public calls, one choice with its propensities and one reward learned from, alternating
with MABWiser (`predict` and `partial_fit`, which knows no propensities), medians of seven. The
headline is `PooledThompson` with six segments against MABWiser's Thompson sampling without any.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import _regret as regret
import numpy as np
from _mixing import WINDOW, mixing

import recopersona as rp
from recopersona.report.charts import interval_chart, line_chart
from recopersona.report.markup import Markup

Over = Callable[..., Iterable[Any]]  # such as map
N_PROCESSES = 2
D = 20
EFFECTS = (0.0, 0.06, 0.12, 0.25)
RIVALS = ("Thompson", "PooledThompson", "PooledThompson, n0=200", "Thompson by segment")


# -- regret --------------------------------------------------------------------------------------


def print_regrets(title: str, found: dict[str, Any]) -> None:
    print(f"\n{title}\n{'':34}{'regret, %':>10}{'95 % interval':>18}{'Pooled - this':>18}")
    for name, values in sorted(found.items(), key=lambda pair: pair[1].mean()):
        mean, low, high = regret.interval(values)
        apart, under, over = regret.interval(found["PooledThompson"] - values)
        said = f"{apart:+.2f} ({under:+.2f}, {over:+.2f})" if name != "PooledThompson" else ""
        print(f"{name:34}{mean:10.2f}{f'{low:.2f} - {high:.2f}':>18}{said:>24}", flush=True)


def measured(seeds: int, n_requests: int, quick: bool, over: Over) -> dict[str, dict[str, Any]]:
    kinds = {}
    for kind, drift in (("stationary", False), ("drift", True)):
        policies = regret.POLICIES if quick else {**regret.POLICIES, **regret.FORGETFUL}
        kinds[kind] = regret.regrets(policies, seeds, drift, n_requests=n_requests, over=over)
        print_regrets(f"{kind}, {seeds} shops of {n_requests:,} requests", kinds[kind])
    return kinds


def by_effect(seeds: int, n_requests: int, over: Over) -> dict[str, dict[str, Any]]:
    """Vary how far segments differ: pooling must do at both ends."""
    print(f"\n{'segments differ by':24}{'best single':>12}", *[f"{name:>24}" for name in RIVALS])
    rows = {}
    for effect in EFFECTS:
        for drift in (False, True):
            found = regret.regrets(RIVALS, seeds, drift, effect, n_requests, over)
            label = f"{effect:g}{', drift' if drift else ''}"
            rows[label] = {
                name: {"regret_pct": values.mean()}
                | {"pooled_minus": regret.interval(found["PooledThompson"] - values)}
                for name, values in found.items()
            }
            cells = []
            for name in RIVALS:
                mean, low, high = regret.interval(found[name])
                cells.append(f"{mean:14.2f} ± {(high - low) / 2:.2f}".rjust(24))
            print(f"{label:24}{found['best single arm'].mean():12.2f}", *cells, flush=True)
    return rows


# -- time ----------------------------------------------------------------------------------------


def each(step: Callable[[int], Any], steps: int, start: int) -> float:
    """Return the milliseconds of one step."""
    started = time.perf_counter()
    for number in range(start, start + steps):
        step(number)
    return 1_000 * (time.perf_counter() - started) / steps


def beside(
    ours: Callable[[int], Any], theirs: Callable[[int], Any], steps: int, their_steps: int
) -> dict[str, float]:
    ours(0), theirs(0)
    mine, other = [], []
    for turn in range(7):
        mine.append(each(ours, steps, turn * steps))
        other.append(each(theirs, their_steps, turn * their_steps))
    a, b = statistics.median(mine), statistics.median(other)
    return {"ms": a, "peer_ms": b, "ratio": b / a}


def plain_times(mabwiser: Any, steps: int) -> dict[str, dict[str, float]]:
    """Return the times of policies without vectors, of seven arms."""
    peers = mabwiser.LearningPolicy
    pairs = {
        "PooledThompson": (rp.PooledThompson(arms=regret.NAMES), peers.ThompsonSampling()),
        "Thompson": (rp.Thompson(arms=regret.NAMES), peers.ThompsonSampling()),
        "EpsilonGreedy": (rp.EpsilonGreedy(arms=regret.NAMES), peers.EpsilonGreedy(0.1)),
        "SoftmaxGreedy": (rp.SoftmaxGreedy(arms=regret.NAMES), peers.Softmax(0.1)),
        "UCB1": (rp.UCB1(arms=regret.NAMES), peers.UCB1(1.0)),
    }
    found = {}
    rng = np.random.default_rng(0)
    clicks = (rng.random(1_000_003) < 0.1).astype(float).tolist()
    warm = rng.choice(regret.NAMES, 2_000).tolist()
    for name, (policy, learning) in pairs.items():
        peer = mabwiser.MAB(regret.NAMES, learning, seed=0)
        peer.fit(warm, clicks[:2_000])
        policy.update(warm, clicks[:2_000], [number % 6 for number in range(2_000)])

        def ours(number: int, policy: Any = policy) -> None:
            segment = number % 6
            draw = policy.choose(context=segment, key=number)
            policy.update(draw.arm, clicks[number], segment)

        def theirs(number: int, peer: Any = peer) -> None:
            peer.partial_fit([peer.predict()], [clicks[number]])

        found[name] = beside(ours, theirs, steps, steps // 4)
        print_time(f"{name}, 7 arms", found[name])
    return found


def linear_times(mabwiser: Any, sizes: tuple[int, ...], steps: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    rng = np.random.default_rng(0)
    contexts = rng.normal(size=(4_096, D))
    for n_arms in sizes:
        arms = list(range(n_arms))
        learning = mabwiser.LearningPolicy
        pairs = {
            "LinUCB": (rp.LinUCB(arms=arms), learning.LinUCB(alpha=1.0)),
            "LinTS": (rp.LinTS(arms=arms), learning.LinTS(alpha=1.0)),
            "SquareCB": (rp.SquareCB(arms=arms), None),
        }
        warm = rng.integers(0, n_arms, 5 * n_arms).tolist()
        seen = rng.normal(size=(len(warm), D))
        rewards = rng.random(len(warm))
        for name, (policy, peer_policy) in pairs.items():
            policy.update(warm, rewards, seen)

            def ours(number: int, policy: Any = policy) -> None:
                context = contexts[number % 4_096]
                policy.update(policy.choose(context=context, key=number).arm, 0.5, context)

            row: dict[str, float] = {}
            if peer_policy is not None:
                peer = mabwiser.MAB(arms, peer_policy, seed=0)
                peer.fit(warm, rewards, seen)

                def theirs(number: int, peer: Any = peer) -> None:
                    context = contexts[number % 4_096][None]
                    peer.partial_fit([peer.predict(context)], [0.5], context)

                their_steps = max(steps // (4 * n_arms), 1)
                row = beside(ours, theirs, max(steps // n_arms, 10), their_steps)
            else:
                ours(0)
                row["ms"] = statistics.median(
                    each(ours, max(steps // n_arms, 10), 0) for _ in range(7)
                )

            def learn(number: int, policy: Any = policy) -> None:
                policy.update(number % 10, 0.5, contexts[number % 4_096])

            row["update_ms"] = statistics.median(each(learn, 200, 0) for _ in range(7))
            found.setdefault(name, {})[str(n_arms)] = row
            print_time(f"{name}, {n_arms:,} arms, d={D}", row)
    return found


def print_time(name: str, row: dict[str, float]) -> None:
    peer = f"{row['peer_ms']:12.3f} ms{row['ratio']:9.1f}x" if "ratio" in row else ""
    learned = f"   a reward alone {row['update_ms']:.4f} ms" if "update_ms" in row else ""
    print(f"{name:34}{row['ms']:10.4f} ms{peer}{learned}", flush=True)


# -- all of it -----------------------------------------------------------------------------------


def drawn(kinds: dict[str, dict[str, Any]], path: str) -> None:
    """Save one chart per kind of shop; where there are two, beside each other by name."""
    for kind, found in kinds.items():
        names = sorted(found, key=lambda name: found[name].mean())
        rows = [regret.interval(found[name]) for name in names]
        svg: Markup = interval_chart(
            names,
            *zip(*rows, strict=True),
            title=f"Clicks lost while learning, {kind}",
            unit="% of the best achievable, 95 % interval",
            highlight="PooledThompson",
            baseline="uniform",
            number_format=".1f",
        )
        place = Path(path)
        place.with_name(f"{place.stem}-{kind}{place.suffix or '.svg'}").write_text(
            str(svg), encoding="utf-8"
        )


def curves_drawn(mixed: dict[str, Any], path: str) -> None:
    """Save how far the mixing bandit is ahead of the second arm as it learns."""
    curves = {crowd: told["curve"] for crowd, told in mixed["crowds"].items()}
    ends = WINDOW * np.arange(1, 1 + len(next(iter(curves.values()))))
    svg: Markup = line_chart(
        ends,
        curves,
        title="BanditReranker beside the second-best mixture, by crowd",
        unit="more expected clicks a page, by request",
    )
    place = Path(path)
    place.with_name(f"{place.stem}-mixing{place.suffix or '.svg'}").write_text(
        str(svg), encoding="utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data_dir", nargs="?", help="not used: shops are drawn")
    parser.add_argument("--quick", action="store_true", help="fewer shops, under a minute")
    parser.add_argument(
        "--plot", metavar="PATH", help="save charts as PATH-stationary, PATH-drift, PATH-mixing"
    )
    args = parser.parse_args()
    try:
        from mabwiser import mab as mabwiser
    except ImportError:
        sys.exit('benchmarks/bandits.py needs an extra: pip install "recopersona[bench]"')
    rp.warmup()
    started = time.perf_counter()
    steps = 400 if args.quick else 2_000
    print(f"{'':34}{'ours':>13}{'MABWiser':>15}{'ratio':>10}")
    plain = plain_times(mabwiser, steps)
    linear = linear_times(mabwiser, (10, 100) if args.quick else (10, 100, 1_000), steps)
    seeds, n_requests = (3, 6_000) if args.quick else (24, regret.N_REQUESTS)
    with ProcessPoolExecutor(N_PROCESSES, get_context("spawn")) as pool:
        over: Over = map if args.quick else pool.map  # what is quick is not worth a process
        kinds = measured(seeds, n_requests, args.quick, over)
        effects = {} if args.quick else by_effect(seeds, n_requests, over)
        mixed = mixing(args.quick, over)
    if args.plot:
        drawn(kinds, args.plot)
        curves_drawn(mixed, args.plot)

    def each_kind(of: Callable[[Any, dict[str, Any]], Any]) -> dict[str, Any]:
        return {
            kind: {name: of(values, found) for name, values in found.items()}
            for kind, found in kinds.items()
        }

    figures = {
        "regret_pct": each_kind(lambda values, _: float(values.mean())),
        "regret_interval": each_kind(lambda values, _: regret.interval(values)[1:]),
        "pooled_minus": each_kind(
            lambda values, found: regret.interval(found["PooledThompson"] - values)
        ),
        "below_uniform": {
            kind: float(1 - found["PooledThompson"].mean() / found["uniform"].mean())
            for kind, found in kinds.items()
        },
        "by_segment_effect": effects,
        "select_update_ms": plain["PooledThompson"]["ms"],
        "peer_select_update_ms": plain["PooledThompson"]["peer_ms"],
        "select_update_ratio": plain["PooledThompson"]["ratio"],
        "select_update": plain,
        "linear": linear,
        "mixing": mixed,
        "seeds": seeds,
        "requests": n_requests,
        "seconds": time.perf_counter() - started,
        "versions": {name: version(name) for name in ("mabwiser", "numba", "numpy")},
        "python": platform.python_version(),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
