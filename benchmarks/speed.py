"""How fast models learn and answer, against the fastest peers, alternating in one process.

    python benchmarks/speed.py [DATA_DIR] [--quick]

DATA_DIR holds `train.npz` (users x items); without one a synthetic shop is used. Each chapter is a
file of its own beside this one. Ratios are medians of at least five alternating runs, two threads
each; the loss or the recall of both stands beside the time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import _als
import _factorization
import _scaling
import _search
import numpy as np
from scipy import sparse

import recopersona as rp


def matrix_of(folder: str | None) -> sparse.csr_array:
    if folder is None:
        return rp.synthetic_shop(5_000, 2_000).matrix()
    return sparse.csr_array(sparse.load_npz(Path(folder) / "train.npz"))


def fewer(matrix: sparse.csr_array) -> sparse.csr_array:
    """Keep every third user, and the items that they have."""
    some = sparse.csr_array(matrix[::3])
    return sparse.csr_array(some[:, np.unique(some.indices)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    absent = [peer for peer in ("implicit", "river") if not find_spec(peer)]
    if absent:
        sys.exit(f'{" and ".join(absent)} missing: pip install "recopersona[bench]"')
    matrix = matrix_of(options.data)
    if options.quick:
        matrix = fewer(matrix)
    rp.warmup()
    with rp.limit_threads(2):  # as many as the peers get
        measured = {
            **_als.figures(matrix, options.quick),
            **_factorization.figures(matrix, options.quick),
            **_search.figures(matrix, options.quick),
            **_scaling.figures(options.quick),
        }
    figures = {
        **measured,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("implicit", "river", "numba", "numpy")},
    }
    for name, value in figures.items():
        print(f"{name:28} {value:.6g}" if isinstance(value, float) else f"{name:28} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
