"""How long a process takes to its first answer: import, load, first recommendation, no compiling.

    python benchmarks/startup.py [--quick]

Every figure is taken in fresh processes and is the median of several. The kernels are compiled once
before, as an installation does by `rp.warmup()`; the time for that is given too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

MAKE = """
import sys, recopersona as rp
shop = rp.synthetic_shop({n_users}, {n_items})
home = rp.Pipeline(candidates=[rp.ALS(iterations=2), rp.ItemKNN(), rp.Popularity()])
rp.save(home.fit(shop), sys.argv[1])
"""

IMPORT = """
import time
start = time.perf_counter()
import recopersona
print(time.perf_counter() - start)
"""

FIRST_ANSWER = """
import sys, time
start = time.perf_counter()
import recopersona as rp
model = rp.load(sys.argv[1])
loaded = time.perf_counter()
model.recommend("u-0001", n=10)
answered = time.perf_counter()
from recopersona.kernels.compiling import KERNELS
used = [kernel.compiled for kernel in KERNELS if "compiled" in vars(kernel)]
compiled = sum(sum(kernel.stats.cache_misses.values()) for kernel in used)
print(loaded - start, answered - loaded, compiled)
"""

WARMUP = """
import time, recopersona as rp
start = time.perf_counter()
n = rp.warmup()
print(time.perf_counter() - start, n)
"""


def run(code: str, *arguments: str, **environment: str) -> list[float]:
    """Run code in a fresh interpreter and return the numbers of its last line."""
    answer = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True, capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    return [float(word) for word in answer.stdout.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", help="not needed: the shop is made up")
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    repeats = 5 if quick else 15
    n_users, n_items = (400, 120) if quick else (20_000, 5_000)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "home.rp")
        cold_s, n_kernels = run(WARMUP, NUMBA_CACHE_DIR=str(Path(folder) / "cache"))
        run(WARMUP)
        run(MAKE.format(n_users=n_users, n_items=n_items), path)
        imports = [run(IMPORT)[0] for _ in range(repeats)]
        answers = [run(FIRST_ANSWER, path) for _ in range(repeats)]
    figures = {
        "import_s": statistics.median(imports),
        "warmup_s": cold_s,
        "kernels": int(n_kernels),
        "load_s": statistics.median(row[0] for row in answers),
        "first_answer_s": statistics.median(row[1] for row in answers),
        "compiled_in_first_answer": int(max(row[2] for row in answers)),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numba": version("numba"),
        "scikit_learn": version("scikit-learn"),
    }
    for name, value in figures.items():
        print(f"{name:28} {value:.4g}" if isinstance(value, float) else f"{name:28} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
