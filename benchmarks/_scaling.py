"""How the time and the memory of a fit grow with the number of interactions."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from pathlib import Path

import numpy as np

import recopersona as rp

SIZES, QUICK_SIZES = (1_000_000, 3_000_000, 10_000_000, 30_000_000), (100_000, 300_000, 1_000_000)
PER_USER, PER_ITEM = 30, 300
FACTORS, ITERATIONS, REPEATS = 64, 3, 3


def shop_of(n: int) -> rp.Dataset:
    """Users of uneven activity and items of uneven popularity, each pair an event of its own."""
    random = np.random.default_rng(0)
    users, items = n // PER_USER, n // PER_ITEM
    return rp.Dataset(
        rp.Interactions(
            (users * random.random(n) ** 1.5).astype(np.int32),
            (items * random.random(n) ** 2).astype(np.int32),
            np.full(n, rp.EVENT_TYPES.index("view"), np.int8), np.ones(n, np.float32),
        ),
        rp.IdMap(range(users)), rp.IdMap(range(items)),
        rp.FeatureTable(rp.IdMap(range(users))), rp.FeatureTable(rp.IdMap(range(items))),
    )  # fmt: skip


def model() -> rp.ALS:
    return rp.ALS(factors=FACTORS, iterations=ITERATIONS)


def formula(n_users: int, n_items: int, n: int) -> float:
    """The peak of a fit in bytes, as the docstring of ALS has it."""
    return 8 * FACTORS * (n_users + n_items) + 20 * n


def measured(n: int, connection) -> None:
    """Tell the seconds of fits, and how far memory rose above the dataset's."""
    model().fit(shop_of(10_000))  # loads the compiler and the kernels, which are no one's data
    shop = shop_of(n)
    seconds = []
    before = resident()
    for _ in range(REPEATS):
        start = time.perf_counter()
        model().fit(shop)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    connection.send({
        "seconds": min(seconds), "grown": peak - before, "shape": shop.shape,
    })  # fmt: skip


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def figures(quick: bool) -> dict:
    rows = []
    for n in QUICK_SIZES if quick else SIZES:
        # A fresh process: what an earlier measurement freed would hide what this one takes.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=measured, args=(n, theirs))
        process.start()
        row = ours.recv()
        process.join()
        due = formula(*row["shape"], n)
        rows.append((n, row["seconds"], row["grown"], due))
        print(f"fit {n:12,} interactions  {row['seconds']:8.2f} s  {row['grown'] / 1e6:8,.0f} MB, "
              f"by the formula {due / 1e6:8,.0f} MB", flush=True)  # fmt: skip
    sizes, seconds, grown, due = (np.array(column, float) for column in zip(*rows, strict=True))
    slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    return {
        "slope_fit": float(slope),
        "fit_s": dict(zip(map(str, sizes.astype(int).tolist()), seconds.tolist(), strict=True)),
        "memory_by_formula": float(grown[-1] / due[-1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    rp.warmup()
    print(json.dumps(figures(parser.parse_args().quick)))


if __name__ == "__main__":
    main()
