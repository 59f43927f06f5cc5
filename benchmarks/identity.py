"""Who is who: records of one person found, and links of identifiers taken.

    python benchmarks/identity.py [DATA_DIR] [--quick]

Each parquet file with a column `cluster`, the true person, is a set of its own; `NAMEa` and `NAMEb`
are one set to link across, and only pairs across count. Without such files in DATA_DIR itself, its
folders are searched. `cluster`, `is_original`, `rec_id` and `unique_id` are truth: they are taken
off before anything is asked. Nothing is chosen by the truth, and all sets have the same settings.

- `deterministic`: `match_records`, exact agreement in several strong things, through an
  `IdentityGraph`;
- the figures of a set itself: those links, and then those of `link_records` (Splink), below
  them in the same graph;
- `splink`: the clusters of `link_records` alone.

Precision, recall and F1 are of pairs of records. `f1` is the smallest of all sets. Before them the
speed of links beside SciPy's connected components, and shared devices and a placeholder e-mail
(`_identity_links.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import recopersona as rp
from recopersona.kernels.blocks import thread_count

TRUTH = ["cluster", "is_original", "rec_id", "unique_id"]
QUICK_ROWS = 1_000


def sets_in(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each set, by its name: two where they are to be linked across."""
    files = {path.stem: path for path in found_in(folder)}
    sets: dict[str, list[Path]] = {}
    for name, path in files.items():
        whole = name[:-1]
        if name.endswith("a") and f"{whole}b" in files:
            sets[whole] = [path, files[f"{whole}b"]]
        elif not (name.endswith("b") and f"{whole}a" in files):
            sets[name] = [path]
    return sets


def found_in(folder: Path) -> list[Path]:
    import pyarrow.parquet as pq

    for pattern in ("*.parquet", "**/*.parquet"):
        files = [path for path in sorted(folder.glob(pattern))
                 if "cluster" in pq.read_schema(path).names]  # fmt: skip
        if files:
            return files
    return []


def some_people(frames: list[pd.DataFrame], n_rows: int) -> list[pd.DataFrame]:
    """Return the records of as many whole people as make about so many rows."""
    people = pd.concat([frame["cluster"] for frame in frames])
    names = np.random.default_rng(0).permutation(people.unique())
    sizes = people.value_counts().loc[names].cumsum()
    kept = set(sizes.index[sizes <= n_rows])
    return [frame[frame["cluster"].isin(kept)].reset_index(drop=True) for frame in frames]


def n_pairs(groups: pd.Series, sources: np.ndarray) -> int:
    """Return how many pairs are of one group; of two sources only those across."""
    sizes = pd.crosstab(groups, sources).to_numpy(np.int64)
    if sizes.shape[1] == 2:
        return int((sizes[:, 0] * sizes[:, 1]).sum())
    return int((sizes * (sizes - 1) // 2).sum())


def figures(found: pd.Series, truth: pd.Series, sources: np.ndarray) -> dict[str, float]:
    codes = [pd.factorize(groups)[0].astype(np.int64) for groups in (found, truth)]
    both = n_pairs(pd.Series(codes[0] * (codes[1].max() + 1) + codes[1]), sources)
    told, true = n_pairs(pd.Series(codes[0]), sources), n_pairs(pd.Series(codes[1]), sources)
    precision, recall = both / told if told else 1.0, both / true if true else 1.0
    f1 = 2 * both / (told + true) if told + true else 1.0
    return {"precision": precision, "recall": recall, "f1": f1}


def profiles(graph: rp.IdentityGraph, linked: pd.DataFrame) -> pd.Series:
    """Return the profile of every record; one that no link names is alone."""
    members = graph.profiles()
    records = linked["source"] if "source" in linked else pd.Series("record", index=linked.index)
    names = kinds(linked)
    keys = records.map(names) + ":" + linked["record"].astype("str")
    known = members["kind"].isin(set(names.values()))
    of_key = dict(zip(members["kind"][known] + ":" + members["value"][known].astype("str"),
                      members["profile"][known], strict=True))  # fmt: skip
    return keys.map(lambda key: of_key.get(key, key))


def kinds(linked: pd.DataFrame) -> dict[str, str]:
    return {"a": "record_a", "b": "record_b"} if "source" in linked else {"record": "record"}


def measured(frames: list[pd.DataFrame]) -> dict[str, Any]:
    truth = pd.concat([frame["cluster"] for frame in frames], ignore_index=True)
    sources = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    asked = [
        frame.drop(columns=[name for name in TRUTH if name in frame]).assign(
            record=[f"{source}{row}" for row in range(len(frame))]
        )
        for source, frame in zip("ab", frames, strict=False)
    ]

    started = time.perf_counter()
    matched = rp.match_records(*asked, record="record")
    names = kinds(matched)
    kind = names if "source" in matched else names["record"]
    graph = rp.IdentityGraph(limits=dict.fromkeys(names.values()))
    graph.update(rp.from_splink(matched, kind))
    deterministic = figures(profiles(graph, matched), truth, sources)
    deterministic["seconds"] = time.perf_counter() - started

    started = time.perf_counter()
    linked, went_by = rp.link_records(*asked, record="record", report=True)
    graph.update(rp.from_splink(linked, kind))
    row: dict[str, Any] = figures(profiles(graph, linked), truth, sources)
    row["seconds"] = time.perf_counter() - started
    row |= {
        "deterministic": deterministic,
        "splink": figures(linked["cluster"], truth, sources),
        "records": len(truth),
        "true_pairs": n_pairs(truth, sources),
        "compared": went_by.compared,
        "one_to_one": went_by.one_to_one,
        "left_to_large_blocks": sum(able - given for given, able in went_by.rules.values()),
    }
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data_dir", nargs="?", default=os.environ.get("RECOPERSONA_DATA"))
    parser.add_argument("--quick", action="store_true", help="fewer people, under a minute")
    args = parser.parse_args()
    try:
        import splink  # noqa: F401
    except ImportError:
        sys.exit('benchmarks/identity.py needs an extra: pip install "recopersona[bench]"')
    sets = sets_in(Path(args.data_dir)) if args.data_dir else {}
    if not sets:
        sys.exit("benchmarks/identity.py needs a folder of parquet files with a column 'cluster'.")

    from _identity_links import links_speed, shared_values

    # First, as long as memory is whole: huge pages get rare behind the work of Splink.
    speed, shared = links_speed(args.quick), shared_values(args.quick)
    print(f"{speed['links']:,} links of {speed['identifiers']:,} identifiers: "
          f"{speed['kernel_s']:.3f} s, SciPy {speed['scipy_s']:.3f} s")  # fmt: skip
    print(f"shared devices and a placeholder e-mail: largest profile {shared['largest_profile']}, "
          f"without limits {shared['largest_closure']:,}\n")  # fmt: skip

    results = {}
    print(f"{'':20}{'records':>9}{'pairs':>9}   precision recall   F1     seconds")
    for name, files in sets.items():
        frames = [pd.read_parquet(path) for path in files]
        if args.quick:
            frames = some_people(frames, QUICK_ROWS)
        row = results[name] = measured(frames)
        print(f"{name:20}{row['records']:9,}{row['true_pairs']:9,}")
        for what, told in (("deterministic", row["deterministic"]), ("and Splink", row)):
            print(f"  {what:36}  {told['precision']:.4f}   {told['recall']:.4f}   {told['f1']:.4f}"
                  f"{told['seconds']:8.1f}", flush=True)  # fmt: skip

    print(json.dumps({
        "sets": results,
        "f1": min(row["f1"] for row in results.values()),
        "f1_deterministic": min(row["deterministic"]["f1"] for row in results.values()),
        **speed,
        "shared": shared,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "quick": args.quick,
        "cores": thread_count(),
        "versions": {name: version(name) for name in
                     ("splink", "duckdb", "scipy", "numba", "numpy", "pandas")},
        "python": platform.python_version(),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
