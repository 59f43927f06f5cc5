"""How good the lists of every collaborative model are, beside what was published.

    python benchmarks/accuracy.py [DATA_DIR ...] [--models A,B] [--budget SECONDS]
                                  [--lists OUT.parquet] [--published] [--quick]

DATA_DIR holds `train.npz` and `test.npz` (CSR, users x items), or `ratings.parquet` (user_id,
item_id), of which a random fifth of each user's rows becomes the test part; without one a synthetic
shop is used. Every item that a user has not got in training is ranked.

Hyper-parameters are chosen on a tenth of each user's training items, from the values in SPACES, one
parameter after the other, as long as the budget lasts: nobody looks at the test part before. Each
model is then fitted on all training data and judged once. `Blend` takes the best of each family on
the validation part, of those quick and small enough: models that err alike add little to each
other. Every fit runs in a process of its own, whose peak memory is told: it includes some 300 MB
for the interpreter, the libraries and the data.

`--published` searches nothing and measures the settings under which others published.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

import recopersona as rp
from recopersona.evaluation.metrics import ndcg, recall
from recopersona.kernels.metrics import mark_hits

N = 20
VALIDATION_SHARE, TEST_SHARE = 0.1, 0.2
VALIDATION_USERS = 5_000
QUICK_USERS, QUICK_ITEMS = 1_500, 2_000
FAMILIES = {  # by how they come to their scores; popularity is in all of them
    "items": ("ItemKNN", "UserKNN", "RP3Beta", "SLIM", "EASE", "SparseEASE"),
    "graph": ("GraphFilter",),
    "factors": ("ALS", "Factorization"),
}
BLEND_FIT_S, BLEND_PEAK_MB = 120, 6_000  # what a model may cost to be blended

# The first value of each parameter is tried first: published settings where there are any.
SPACES: dict[str, dict[str, list[Any]]] = {
    "Popularity": {},
    "ItemKNN": {
        "k": [50, 300, 1000],
        "asymmetry": [0.55, 0.7, 0.8],
        "weighting": ["tfidf", "bm25"],
    },
    "UserKNN": {"k": [100, 300, 50], "asymmetry": [0.5, 0.7]},
    "RP3Beta": {"k": [777, 200, 100], "alpha": [0.566, 0.5, 0.7], "beta": [0.0011, 0.2, 0.4]},
    "SLIM": {"alpha": [0.002, 0.005], "k": [200, 400]},
    "EASE": {"reg": [80.0, 300.0, 1000.0]},
    "SparseEASE": {"reg": [50.0, 20.0, 150.0], "k": [200, 400]},
    "GraphFilter": {
        "low_pass": [0.2, 0.4],
        "factors": [448, 256, 100],
        "sharpening": [2.5, 1.0, 0],
    },
    "ALS": {
        "factors": [512, 256, 128],
        "unobserved_weight": [0.02, 0.1, 0.4],
        "reg": [0.06, 0.02, 0.3],
        "iterations": [8],
    },
    "Factorization": {"factors": [128], "loss": ["bpr", "warp"]},
}

PUBLISHED = {
    "gowalla": [  # sources: the BARS leaderboard; READMEs of BSPM, NESCL and GF-CF
        ("ItemKNN (BARS)", 0.1570, 0.1214),
        ("MF-BPR (BARS)", 0.1627, 0.1378),
        ("SLIM (BARS)", 0.1699, 0.1382),
        ("EASE (BARS)", 0.1765, 0.1467),
        ("RP3beta (re-run)", 0.183, 0.152),
        ("LightGCN", 0.1830, 0.1554),
        ("GF-CF", 0.1849, 0.1518),
        ("UltraGCN", 0.1862, 0.1580),
        ("SimpleX", 0.1872, 0.1557),
        ("NESCL", 0.1917, 0.1617),
        ("BSPM", 0.1920, 0.1597),
    ]
}


REPRODUCED = [
    ("GF-CF", "GraphFilter", {"factors": 256, "low_pass": 0.3, "sharpening": 0}),
    ("BSPM", "GraphFilter", {"factors": 448, "low_pass": 0.2, "sharpening": 2.5}),
    ("RP3beta", "RP3Beta", {"k": 777, "alpha": 0.566, "beta": 0.0011}),
    ("SLIM", "SLIM", {"alpha": 0.005, "l1_ratio": 1e-6}),
    ("EASE", "EASE", {"reg": 80.0}),
]


class Part(NamedTuple):
    """What is learned from and what is asked for, both users x items."""

    train: sparse.csr_array
    test: sparse.csr_array


# -- data ------------------------------------------------------------------------------------


def load(folder: str | None, quick: bool) -> tuple[str, Part]:
    if folder is None:
        shop = rp.synthetic_shop(2_000 if quick else 6_000, 1_000 if quick else 3_000)
        return "synthetic", held_out(binary(shop.matrix()), TEST_SHARE)
    path = Path(folder)
    if (path / "train.npz").exists():
        part = Part(*(binary(sparse.load_npz(path / f"{name}.npz")) for name in ("train", "test")))
    else:
        ratings = pd.read_parquet(path / "ratings.parquet", columns=["user_id", "item_id"])
        users, items = (pd.factorize(ratings[name], sort=True)[0] for name in ratings)
        part = held_out(binary(sparse.coo_array((np.ones(len(users)), (users, items)))), TEST_SHARE)
    name = path.resolve().name
    return (f"some of {name}", fewer(part)) if quick else (name, part)


def binary(matrix: Any) -> sparse.csr_array:
    ones = sparse.csr_array(matrix).astype(np.float32)
    ones.data[:] = 1
    ones.sort_indices()
    return ones


def held_out(matrix: sparse.csr_array, share: float) -> Part:
    """Hold out a random share of each user's items, rounded; the last one is never taken."""
    sizes = np.diff(matrix.indptr)
    users = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((np.random.default_rng(0).random(matrix.nnz), users))
    rank = np.empty(matrix.nnz, int)
    rank[order] = np.arange(matrix.nnz) - matrix.indptr[users[order]]
    taken = rank < np.minimum(np.floor(share * sizes + 0.5), sizes - 1)[users]

    def of(rows: np.ndarray) -> sparse.csr_array:
        places = users[rows], matrix.indices[rows]
        return binary(sparse.coo_array((np.ones(rows.sum()), places), shape=matrix.shape))

    return Part(of(~taken), of(taken))


def fewer(part: Part) -> Part:
    """Keep some users, and the items that most of them have."""
    chosen = np.random.default_rng(0).permutation(part.train.shape[0])[:QUICK_USERS]
    train, test = part.train[chosen], part.test[chosen]
    items = np.sort(np.argsort(-train.sum(axis=0), kind="stable")[:QUICK_ITEMS])
    return Part(binary(train[:, items]), binary(test[:, items]))


# -- one model in a process of its own -------------------------------------------------------


def model_of(name: str, settings: dict[str, Any]) -> rp.Recommender:
    if name == "Blend":
        return rp.Blend(models=[model_of(*one) for one in settings["models"]], users=3_000)
    return getattr(rp, name)(**settings)


def judged(name: str, settings: dict[str, Any], part: Part, n_users: int | None = None) -> dict:
    """Fit, answer and measure; the lists of all users asked come with it."""
    users = np.flatnonzero(np.diff(part.test.indptr))
    if n_users and len(users) > n_users:
        users = np.sort(np.random.default_rng(0).permutation(users)[:n_users])
    start = time.perf_counter()
    model = model_of(name, settings).fit(rp.Dataset.from_matrix(part.train))
    fitted = time.perf_counter()
    answers = model.recommend_many(users.tolist(), n=N)
    answered = time.perf_counter()
    lists = np.full((len(users), N), -1, np.int32)
    row = np.searchsorted(users, answers["user_id"].to_numpy())
    lists[row, answers["rank"].to_numpy() - 1] = answers["item_id"].to_numpy()
    wanted = part.test[users]
    hits = np.zeros(lists.shape, bool)
    mark_hits(hits, lists, wanted.indptr.astype(np.int64), wanted.indices.astype(np.int32))
    sizes = np.diff(wanted.indptr)
    return {
        "recall20": float(recall(hits, sizes).mean()),
        "ndcg20": float(ndcg(hits, sizes).mean()),
        "fit_s": fitted - start,
        "eval_s": answered - fitted,
        "answers": answers,
    }


def searched(name: str, part: Part, budget: float) -> dict:
    """Choose settings on the validation part, one parameter after the other."""
    space = SPACES[name]
    best = {parameter: values[0] for parameter, values in space.items()}
    start = time.perf_counter()
    reached = judged(name, best, part, VALIDATION_USERS)
    trials, longest = 1, time.perf_counter() - start
    for parameter, values in space.items():
        for value in values[1:]:
            if time.perf_counter() - start + longest > budget:
                break
            began = time.perf_counter()
            tried = judged(name, {**best, parameter: value}, part, VALIDATION_USERS)
            longest = max(longest, time.perf_counter() - began)
            trials += 1
            if tried["ndcg20"] > reached["ndcg20"]:
                best, reached = {**best, parameter: value}, tried
    return {
        "settings": best,
        "ndcg20": reached["ndcg20"],
        "trials": trials,
        "fit_s": reached["fit_s"],
    }


def alone(work: Any, *arguments: Any) -> dict:
    """Run something in a process of its own and add the memory that it took."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def run() -> None:
        try:
            result = work(*arguments)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            theirs.send({**result, "peak_mb": peak})
        except Exception as problem:  # noqa: BLE001 - a model that fails must not end the table
            theirs.send({"refused": f"{type(problem).__name__}: {problem}"})

    process = context.Process(target=run)
    process.start()
    theirs.close()
    try:
        result: dict = ours.recv()
    except EOFError:
        result = {"refused": "the process died, most likely for want of memory"}
    process.join()
    return result


# -- the table -------------------------------------------------------------------------------


def measure(title: str, part: Part, names: list[str], budget: float, lists: str | None) -> dict:
    show(f"{title}: {part.train.shape[0]:,} users, {part.train.shape[1]:,} items, "
         f"{part.train.nnz:,} to learn from, {part.test.nnz:,} to find")  # fmt: skip
    chosen = chosen_on_validation(held_out(part.train, VALIDATION_SHARE), names, budget)
    if not chosen:
        raise SystemExit("not one of the models could be fitted")
    best = max(chosen, key=lambda name: chosen[name]["ndcg20"])
    published = PUBLISHED.get(title, [])
    show(f"  {'':24} Recall@20  NDCG@20      fit    answers       peak")
    for name, recall20, ndcg20 in published:
        show(f"  {name:24} {recall20:9.4f} {ndcg20:8.4f}   published")
    models: dict[str, dict] = {}
    for name, found in chosen.items():
        result = alone(judged, name, found["settings"], part)
        if "refused" in result:
            show(f"  {name}: {result['refused']}")
            continue
        answers = result.pop("answers")
        if name == best and lists:
            write_lists(answers, lists)
        models[name] = {**result, **found, "validation_ndcg20": found["ndcg20"],
                        "ndcg20": result["ndcg20"], "fit_s": result["fit_s"],
                        "peak_mb": result["peak_mb"]}  # fmt: skip
        show(
            f"  {name:24} {result['recall20']:9.4f} {result['ndcg20']:8.4f} "
            f"{result['fit_s']:6.1f} s {result['eval_s']:6.1f} s {result['peak_mb']:7,.0f} MB"
            f"{'  <- best on validation' if name == best else ''}"
        )
    if best not in models:
        raise SystemExit(f"{best} was best on the validation part and could not be fitted on all")
    figures = {f"best_{key}": value for key, value in models[best].items() if key != "settings"}
    return {
        "data": title, "models": models, "best": best, **figures,
        "chosen_on": f"NDCG@20 of {VALIDATION_SHARE:.0%} of each user's training items",
        "published": {name: {"recall20": r, "ndcg20": g} for name, r, g in published},
        "cores": os.cpu_count(), "python": platform.python_version(),
        "versions": {name: version(name) for name in ("recopersona", "numpy", "scipy", "numba")},
    }  # fmt: skip


def reproduce(title: str, part: Part) -> dict:
    """Measure published settings."""
    models = {}
    for name, kind, settings in REPRODUCED:
        result = alone(judged, kind, settings, part)
        if "refused" in result:
            show(f"  {name}: {result['refused']}")
            continue
        result.pop("answers")
        models[name] = {**result, "settings": settings}
        show(
            f"  {name:14} {result['recall20']:9.4f} {result['ndcg20']:8.4f} "
            f"{result['fit_s']:6.1f} s {result['eval_s']:6.1f} s {result['peak_mb']:7,.0f} MB"
        )
    return {"data": title, "reproduced": models, "cores": os.cpu_count()}


def chosen_on_validation(inner: Part, names: list[str], budget: float) -> dict[str, dict]:
    """Return the settings of every model that can be fitted, and what they reached."""
    chosen: dict[str, dict] = {}
    for name in [name for name in names if name != "Blend"]:
        found = alone(searched, name, inner, budget)
        if "refused" in found:
            show(f"  {name}: {found['refused']}")
            continue
        chosen[name] = found
        show(f"  {name:14} validation NDCG@20 {found['ndcg20']:.4f}, {found['trials']} trials: "
             f"{found['settings']}")  # fmt: skip
    settings = {"models": blended(chosen)}
    if "Blend" in names and len(settings["models"]) > 1:
        found = alone(judged, "Blend", settings, inner, VALIDATION_USERS)
        parts = " + ".join(name for name, _ in settings["models"])
        if "refused" in found:
            show(f"  Blend of {parts}: {found['refused']}")
            return chosen
        chosen["Blend"] = {"settings": settings, "ndcg20": found["ndcg20"], "trials": 1}
        show(f"  {'Blend':14} validation NDCG@20 {found['ndcg20']:.4f}: {parts}")
    return chosen


def blended(chosen: dict[str, dict]) -> list[tuple[str, dict]]:
    """Return the best affordable model of each family; the two best where there is one family."""
    affordable = [
        name for name, found in chosen.items()
        if found["fit_s"] <= BLEND_FIT_S and found["peak_mb"] <= BLEND_PEAK_MB
    ]  # fmt: skip
    ranked = sorted(affordable, key=lambda name: -chosen[name]["ndcg20"])
    first = [
        next((name for name in ranked if name in family), None) for family in FAMILIES.values()
    ]
    taken = [name for name in first if name is not None]
    if len(taken) < 2:
        taken = ranked[:2]
    return [(name, chosen[name]["settings"]) for name in taken]


def write_lists(answers: pd.DataFrame, path: str) -> None:
    lists = answers[["user_id", "item_id", "rank"]]
    lists.columns = ["row", "item", "rank"]
    lists.to_parquet(path, index=False)


def show(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", default=[None])
    parser.add_argument("--models", default=",".join([*SPACES, "Blend"]))
    parser.add_argument("--budget", type=float, help="seconds to search for settings, per model")
    parser.add_argument("--lists", help="write the lists of the best model to this parquet file")
    parser.add_argument("--published", action="store_true", help="measure published settings")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    names = options.models.split(",")
    unknown = [name for name in names if name not in SPACES and name != "Blend"]
    if unknown:
        parser.error(f"unknown models {', '.join(unknown)}; there are {', '.join(SPACES)}, Blend")
    budget = options.budget or (1.0 if options.quick else 120.0)
    rp.warmup()
    for folder in options.data or [None]:
        title, part = load(folder, options.quick)
        if options.published:
            figures = reproduce(title, part)
        else:
            figures = measure(title, part, names, budget, options.lists)
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
