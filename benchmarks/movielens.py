"""MovieLens by two published protocols: a share of each user's ratings, and users never met.

    python benchmarks/movielens.py DATA_DIR [--quick] [--protocol shares|strangers] [--draws N]

DATA_DIR holds `ratings.parquet` (user_id, item_id; other columns are not read); without one, a
synthetic shop is used. Every rating is an interaction, whatever its stars.

- `shares` (MovieLens 100K, as the benchmarks of Microsoft's recommenders do): a random quarter of
  each user's ratings is held out; lists of 10 without what training has; NDCG, MAP (divided by all
  that is to be found), precision and recall.
- `strangers` (MovieLens 1M, as irspack's example does): 30 % of the users are held out for the test
  and 30 % for validation; half of each one's ratings is to be found, lists of 20. Models learn from
  all ratings of the other users and are told the other half when they are asked (`ndcg20`); irspack
  also trains on that half, which is measured beside it (`ndcg20_trained_on`). Its recall is divided
  by all that is to be found (`recall20`); `recall_capped20` is divided by 20 at most.

Without `--protocol`, sets of more than 300,000 ratings are taken for the second. Everything is done
on several draws of what is held out, since one draw is luck: figures are means over draws, and
`..._sd` and `..._range` say how far draws differ. On each draw, settings are chosen on a validation
part of the training data alone: another quarter of each user's ratings, or the validation users;
then the model is fitted on all training data. `best` is the highest on validation among single
models; `best_blend` is a `Blend` of the best of them, named apart. The published figures are of one
draw each, which is not known.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import recopersona as rp

PUBLISHED = {
    "shares": {
        "SAR": {"ndcg10": 0.394, "map10": 0.114, "precision10": 0.341, "recall10": 0.185},
        "BPR": {"ndcg10": 0.445, "map10": 0.134, "precision10": 0.389, "recall10": 0.217},
        "BiVAE": {"ndcg10": 0.469, "map10": 0.144, "precision10": 0.408, "recall10": 0.221},
    },
    "strangers": {
        "iALS": {"ndcg20": 0.5762, "recall20": 0.2085, "map20": 0.1360, "precision20": 0.5282},
        "EASE": {"ndcg20": 0.5730, "recall20": 0.2075, "map20": 0.1354, "precision20": 0.5251},
        "RP3beta": {"ndcg20": 0.5371, "recall20": 0.1882},
    },
}  # fmt: skip
METRICS = ("ndcg", "map", "precision", "recall", "recall_capped")
MANY = 300_000
N_BLENDED = 3
DRAWS = {"shares": 5, "strangers": 4}


class Draw(NamedTuple):
    """What is chosen on, what is tested on, and the test with what is told trained on as well."""

    validation: rp.Split
    test: rp.Split
    trained_on: rp.Split | None = None


# -- data ------------------------------------------------------------------------------------


def load(folder: str | None, quick: bool) -> tuple[str, rp.Dataset]:
    if folder is None:
        name, ratings = "synthetic", rp.synthetic_shop(900, 400, random_state=0).events
    else:
        name = Path(folder).resolve().name
        ratings = pd.read_parquet(Path(folder) / "ratings.parquet")
    if quick:
        name = f"some of {name}"
        users = np.random.default_rng(0).permutation(ratings["user_id"].unique())[:500]
        ratings = ratings[ratings["user_id"].isin(users)]
    return name, rp.Dataset.from_frames(ratings[["user_id", "item_id"]].drop_duplicates())


def shares(whole: rp.Dataset, seed: int) -> Draw:
    test = rp.split_at_random(whole, test=0.25, random_state=seed)
    return Draw(rp.split_at_random(test.train, test=0.25, random_state=seed), test)


def strangers(whole: rp.Dataset, seed: int) -> Draw:
    how: dict[str, Any] = {"test": 0.5, "by": "chance", "random_state": seed}
    test = rp.split_users(whole, users=0.3, **how)
    validation = rp.split_users(test.train, users=0.3 / 0.7, **how)
    cut = test.cut
    both = rp.Split(whole.take(cut.train | cut.given), test.test, "what is told is trained on")
    return Draw(validation, test, both)


# -- models ----------------------------------------------------------------------------------


def grid(kind: type, **choices: list[Any]) -> list[rp.Recommender]:
    return [kind(**dict(zip(choices, some, strict=True))) for some in product(*choices.values())]


def candidates(protocol: str, quick: bool) -> dict[str, list[rp.Recommender]]:
    """Return the settings of each model that are tried, the same on every draw."""
    if protocol == "shares":
        found = {
            "Popularity": grid(rp.Popularity),
            "ItemKNN": grid(rp.ItemKNN, k=[50, 200, 400], shrink=[0.0, 20.0]),
            "UserKNN": grid(rp.UserKNN, k=[50, 100, 200], asymmetry=[0.4, 0.5]),
            "RP3Beta": grid(rp.RP3Beta, k=[100, 300], alpha=[0.5, 0.8], beta=[0.3, 0.5]),
            "GraphFilter": grid(rp.GraphFilter, factors=[16, 32, 64], low_pass=[0.2, 0.6],
                                sharpening=[0.5, 1.5]),
            "SLIM": grid(rp.SLIM, alpha=[0.002, 0.01, 0.03], l1_ratio=[0.0001, 0.1]),
            "Factorization": grid(rp.Factorization, factors=[32], reg=[0.01, 0.03, 0.1],
                                  learning_rate=[0.1, 0.5]),
            "EASE": grid(rp.EASE, reg=[150.0, 300.0, 600.0], dropout=[0.0, 0.5]),
            "ALS": grid(rp.ALS, factors=[16, 24, 32], reg=[0.25, 0.35, 0.5],
                        unobserved_weight=[0.15, 0.3]),
        }  # fmt: skip
    else:
        found = {
            "Popularity": grid(rp.Popularity),
            "RP3Beta": grid(rp.RP3Beta, k=[200], alpha=[0.5, 0.8], beta=[0.4]),
            "EASE": grid(rp.EASE, reg=[600.0, 1_000.0, 2_000.0]),
            "ALS": grid(rp.ALS, factors=[96, 128, 160], reg=[0.25, 0.32],
                        unobserved_weight=[0.25, 0.4]),
        }  # fmt: skip
    return {name: models[:: 1 + len(models) // 3] for name, models in found.items()} if quick \
        else found  # fmt: skip


def told(model: rp.Recommender) -> str:
    return " ".join(repr(model).split())


# -- measuring -------------------------------------------------------------------------------


def measured(model: rp.Recommender, split: rp.Split, k: int) -> dict[str, float]:
    table = rp.evaluate(model, split, k=k, metrics=METRICS, n_boot=1, progress=False)
    row = table.iloc[0]
    found = {f"{metric}{k}": float(row[f"{metric}@{k}"]) for metric in METRICS}
    return {**found, "fit_s": float(row["fit_s"])}


def chosen(models: list[rp.Recommender], split: rp.Split, k: int) -> tuple[rp.Recommender, float]:
    """Return the settings with the highest NDCG on the validation part."""
    scores = [measured(model, split, k)[f"ndcg{k}"] for model in models]
    best = int(np.argmax(scores))
    return models[best], scores[best]


def tried(draw: Draw, found: dict[str, list[rp.Recommender]], k: int) -> Iterator[dict[str, Any]]:
    """Choose every model's settings on one draw, and test it; then a blend of the best ones."""
    picked: dict[str, tuple[rp.Recommender, float]] = {}
    for name, models in found.items():
        picked[name] = chosen(models, draw.validation, k)
        yield tested(name, *picked[name], draw, k)
    several = sorted(picked, key=lambda name: -picked[name][1])[:N_BLENDED]
    blend = rp.Blend(models=[picked[name][0] for name in several], n=k, segments=1)
    score = measured(blend, draw.validation, k)[f"ndcg{k}"]
    yield tested("Blend", blend, score, draw, k)


def tested(name: str, model: rp.Recommender, score: float, draw: Draw, k: int) -> dict[str, Any]:
    row: dict[str, Any] = {"model": name, "validation": score, **measured(model, draw.test, k)}
    if draw.trained_on is not None and name != "Blend":
        row[f"ndcg{k}_trained_on"] = measured(model, draw.trained_on, k)[f"ndcg{k}"]
    said = f"  ndcg {row[f'ndcg{k}']:.4f}  validation {score:.4f}  {told(model)}"
    print(f"{name:14}{said}", flush=True)
    return {**row, "settings": told(model)}


def summary(rows: pd.DataFrame, k: int) -> dict[str, Any]:
    """Return the means over draws, and how far the draws differ."""
    numbers = rows.drop(columns=["model", "settings"]).mean().dropna()
    ndcg = rows[f"ndcg{k}"]
    return {
        **{name: round(float(value), 4) for name, value in numbers.items()},
        f"ndcg{k}_sd": round(float(ndcg.std(ddof=0)), 4),
        f"ndcg{k}_range": [round(float(ndcg.min()), 4), round(float(ndcg.max()), 4)],
        "settings": rows["settings"].mode()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--protocol", choices=["shares", "strangers"])
    parser.add_argument("--draws", type=int)
    given = parser.parse_args()
    start = time.perf_counter()
    rp.warmup()
    name, whole = load(given.folder, given.quick)
    large = len(whole.interactions) > MANY or (given.quick and "1m" in name)
    protocol = given.protocol or ("strangers" if large else "shares")
    k = 10 if protocol == "shares" else 20
    draw: Callable[[rp.Dataset, int], Draw] = shares if protocol == "shares" else strangers
    n_draws = given.draws or (1 if given.quick else DRAWS[protocol])
    print(f"{name}: {whole}, protocol '{protocol}', {n_draws} draws")
    rows = []
    for seed in range(n_draws):
        print(f"draw {seed + 1} of {n_draws}", flush=True)
        rows += list(tried(draw(whole, seed), candidates(protocol, given.quick), k))
    table = pd.DataFrame(rows)
    models = {str(model): summary(some, k) for model, some in table.groupby("model", sort=False)}
    print("\n" + pd.DataFrame(models).drop(index="settings").T.to_string() + "\n")
    best = max((one for one in models if one != "Blend"), key=lambda one: models[one]["validation"])
    line = {
        "data": name, "protocol": protocol, "k": k, "draws": n_draws, "models": models,
        "best": best, f"best_ndcg{k}": models[best][f"ndcg{k}"],
        "best_blend": models["Blend"]["settings"], f"blend_ndcg{k}": models["Blend"][f"ndcg{k}"],
        "published": PUBLISHED[protocol],
        "chosen_on": "a quarter of each user's training ratings" if protocol == "shares"
                     else "half of the ratings of validation users",
        "seconds": round(time.perf_counter() - start, 1),
        "cores": os.cpu_count(), "python": platform.python_version(),
        "versions": {one: version(one) for one in ("recopersona", "numpy", "scipy", "numba")},
    }  # fmt: skip
    print(json.dumps(line))


if __name__ == "__main__":
    main()
