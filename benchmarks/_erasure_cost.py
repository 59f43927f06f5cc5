"""What an erasure costs: CSV, JSON lines and Parquet, for one person and for a thousand at once.

    python benchmarks/_erasure_cost.py [--quick]

Logs of two million rows (a hundred thousand with ``--quick``), ten events a person, are searched
for nobody, for one person and for a thousand in one pass; one person's rows are told, and the older
half of all rows goes by its age. Seconds are of the processor, so that other work on the machine
counts for nothing; the peak of memory is of the process so far.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd

import recopersona as rp

KINDS = ("csv", "jsonl", "parquet")
MANY = 1_000
STEP = 500_000
START = pd.Timestamp("2025-01-01")


def main() -> None:
    """Measure, print, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    n_rows = 100_000 if quick else 2_000_000
    figures: dict[str, Any] = {}
    rp.warmup()
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"log.{kind}")
            write_log(path, n_rows)
            figures |= {f"{kind}_{name}": value for name, value in costs(path, n_rows).items()}
    figures |= {
        "rows": n_rows,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "recopersona": version("recopersona"),
        "quick": quick,
    }
    print(json.dumps(figures))


def person(number: int) -> dict[str, str]:
    """Return the identifiers of a person."""
    return {"user_id": f"u-{number}", "anonymous_id": f"c-{number:07d}"}


def write_log(path: Path, n_rows: int) -> None:
    """Write a log of ten events a person, in order of time."""
    random = np.random.default_rng(1)
    target = None
    for first in range(0, n_rows, STEP):
        frame = rows_of(first, min(STEP, n_rows - first), random.integers(0, n_rows // 10, STEP))
        if path.suffix == ".csv":
            frame.to_csv(path, index=False, mode="a", header=first == 0)
        elif path.suffix == ".jsonl":
            frame.to_json(path, orient="records", lines=True, mode="a")
        else:
            import pyarrow as pa
            from pyarrow import parquet

            table = pa.Table.from_pandas(frame, preserve_index=False)
            target = target or parquet.ParquetWriter(path, table.schema)
            target.write_table(table)
    if target is not None:
        target.close()


def rows_of(first: int, n: int, users: Any) -> pd.DataFrame:
    """Return some rows of the log."""
    users = users[:n].tolist()
    times = START + pd.to_timedelta(np.arange(first, first + n), unit="s")
    return pd.DataFrame(
        {
            **{kind: [person(user)[kind] for user in users] for kind in person(0)},
            "item_id": [f"sku-{user % 1_999}" for user in users],
            "event": "view",
            "timestamp": times.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )


def costs(path: Path, n_rows: int) -> dict[str, Any]:
    """Return what every task takes on one log, in seconds of the processor."""
    personal = rp.PersonalData(logs=[path])
    nobody = {"user_id": "u-nobody", "anonymous_id": "c-nobody"}
    several = [person(number) for number in range(100, 100 + MANY)]
    tasks: dict[str, Callable[[], Any]] = {
        "nobody_s": lambda: personal.erase(nobody),
        "traces_s": lambda: rp.find_traces(path, list(nobody.values())),
        "export_s": lambda: personal.export(person(18)),
        "one_s": lambda: personal.erase(person(17)),
        "thousand_s": lambda: personal.erase(several),
        "retain_s": lambda: personal.retain(f"{n_rows // 2}s"),
    }
    figures: dict[str, Any] = {}
    for name, task in tasks.items():
        start = process_time()
        task()
        figures[name] = round(process_time() - start, 2)
    figures["peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    print(f"{path.suffix:9}", *(f"{name} {value}" for name, value in figures.items()))
    return figures


if __name__ == "__main__":
    main()
