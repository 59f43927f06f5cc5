"""What does variety cost? Every re-ranker's lists, by how good and how varied they are, and in ms.

    python benchmarks/rerank.py [DATA_DIR] [--quick] [--plot PATH]

DATA_DIR holds `ratings.parquet` (user_id, item_id, perhaps timestamp) and `items.parquet` with
`genres`, or `transactions.parquet` and `products.parquet` of a grocer; without it a synthetic shop
is used.

Held out is the latest fifth of what each user took (a fifth drawn by a fixed seed where there are
no times); all models know the rest of everybody, and nothing else. Users are halved by a fixed
seed. On the one half everything is chosen: the model whose candidates are re-ranked by NDCG@10, and
by the area below the curve `ridge` and `power` of `DPP`, and the `half_life` of `Freshness`. On the
other half each re-ranker is asked with weights from 0 to 1, for the best 10 of that model's 200
candidates. What a user has is not shown again, but at the grocer's, where most is bought again.

Variety is intra-list distance, `diversity[genres]`, or at the grocer's `diversity[department]` and
`diversity[product_category]`: how different by such labels two items of a list are on average.
Re-rankers that compare items compare them by the same labels. As a check, MMR and DPP are asked
again when they know no labels at all, but the factors of ALS.

`dominated` is the share of MMR's points, weight above 0, that have a point of DPP's curve at least
as good in both. A curve's points are its own and the ones between two neighbours, which come about
where some requests are answered with the one weight and some with the other. `lead_of_dpp` says for
each weight of MMR by how much the curve is ahead in both, or behind (see `leads`). `area` is what
lies below the curve, above the variety of the candidates' own order and half its NDCG, as a share
of all there could be. Intervals are of 200 samples of users. `untuned` is where a re-ranker as it
comes stands (a star in the plot), and what its curve is worth with nothing chosen but the weight.

Times are of a call of the stage, 20 of 1,000 candidates by 32 dimensions, and of its kernel; taking
turns with a plain numpy version, whose lists are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import recopersona as rp
from recopersona.evaluation.metrics import diversity
from recopersona.features.encoder import AttributeEncoder

N, POOL, HELD_OUT = 10, 200, 0.2
WEIGHTS = (0.0, 0.02, 0.05, *(round(0.1 * step, 1) for step in range(1, 11)))
COARSE = WEIGHTS[::2]  # to choose parameters by
RIDGES, POWERS = (0.4, 0.8, 0.95), (1, 2)
HALF_LIVES = ("30d", "90d")
CHOSEN = "ridge", "power", "half_life"
DISCOUNTS = 1 / np.log2(np.arange(2, N + 2))
MOST_FOR_EASE = 6_000  # items: a square matrix of them must fit
BOOTSTRAPS = 200
ENOUGH, MOST = 600, 3_100  # users to choose parameters by, and to be measured


class Shop(NamedTuple):
    """A log before and after, and by which labels lists are varied."""

    name: str
    train: rp.Dataset
    later: pd.DataFrame
    labels: tuple[str, ...]
    seen: str


class Asked(NamedTuple):
    """Some users, the candidates of each, and what each took later."""

    queries: list[rp.Query]
    pools: list[rp.Ranking]
    wanted: list[np.ndarray]


class Curve(NamedTuple):
    """One re-ranker at all weights: NDCG and distance, (n_weights, n_users)."""

    ndcg: np.ndarray
    distance: np.ndarray


# -- data ------------------------------------------------------------------------------------


def load(folder: str | None, quick: bool) -> Shop:
    if folder is None:
        made = rp.synthetic_shop(1_500, 300)
        return split("synthetic", made.events, made.catalogue, ("category",), "drop", quick)
    path = Path(folder)
    name = path.resolve().name
    if (path / "transactions.parquet").exists():
        told = {"household_id": "user_id", "product_id": "item_id",
                "transaction_timestamp": "timestamp"}  # fmt: skip
        events = pd.read_parquet(path / "transactions.parquet").rename(columns=told)
        items = pd.read_parquet(path / "products.parquet").rename(columns=told)
        items = items[items["item_id"].isin(events["item_id"])]
        labels = "department", "product_category"
        return split(name, events[list(told.values())], items, labels, "keep", quick)
    events = pd.read_parquet(path / "ratings.parquet")
    items = pd.read_parquet(path / "items.parquet")
    label = "genres" if "genres" in items else items.columns[1]
    kept = [one for one in ("user_id", "item_id", "timestamp") if one in events]
    return split(name, events[kept], items, (label,), "drop", quick)


def split(
    name: str,
    events: pd.DataFrame,
    items: pd.DataFrame,
    labels: tuple[str, ...],
    seen: str,
    quick: bool,
) -> Shop:
    if quick:
        users = events["user_id"].drop_duplicates().sample(frac=1, random_state=0)
        events, name = events[events["user_id"].isin(users[:600])], f"some of {name}"
        items = items[items["item_id"].isin(events["item_id"])]
    events = events.sample(frac=1, random_state=0)
    if "timestamp" in events:
        events = events.sort_values("timestamp", kind="stable")
    place = events.groupby("user_id").cumcount()
    size = events.groupby("user_id")["item_id"].transform("size")
    late = place >= (1 - HELD_OUT) * size
    train = rp.Dataset.from_frames(events[~late], items=items)
    return Shop(name, train, events[late], labels, seen)


def ask(shop: Shop, model: rp.Recommender, users: list[Any]) -> Asked:
    rows = shop.later.groupby("user_id")["item_id"].agg(list)
    queries = [rp.Query(user) for user in users]
    pools = model.rank_many(queries, POOL, seen=shop.seen)
    known = shop.train.items
    return Asked(queries, pools, [np.unique(known.indices(rows[user])) for user in users])


# -- lists and what they are worth -----------------------------------------------------------


def curve(stage: Any, asked: Asked, labels: Any, weights: Any = WEIGHTS) -> Curve:
    """Ask one fitted re-ranker with every weight."""
    found = []
    for weight in weights:
        stage.set_params(weight=weight)
        lists = [
            stage(query, pool).items[:N]
            for query, pool in zip(asked.queries, asked.pools, strict=True)
        ]
        found.append((gains(lists, asked.wanted), diversity(table(lists), labels)))
    return Curve(np.array([ndcg for ndcg, _ in found]), np.array([one for _, one in found]))


def table(lists: list[np.ndarray]) -> np.ndarray:
    held = np.full((len(lists), N), -1, np.int32)
    for row, items in enumerate(lists):
        held[row, : len(items)] = items
    return held


def gains(lists: list[np.ndarray], wanted: list[np.ndarray]) -> np.ndarray:
    found = [
        (np.isin(items, taken) * DISCOUNTS[: len(items)]).sum() / DISCOUNTS[: len(taken)].sum()
        for items, taken in zip(lists, wanted, strict=True)
    ]
    return np.array(found)


def means(found: Curve, users: Any = slice(None)) -> np.ndarray:
    """Return (NDCG, distance) per weight."""
    distance = np.nanmean(found.distance[:, users], axis=1)
    return np.stack([found.ndcg[:, users].mean(axis=1), distance], axis=1)


def above(points: np.ndarray, ndcg: float) -> float:
    """Return the largest distance that a curve reaches at some NDCG or more."""
    ordered = points[np.argsort(-points[:, 0], kind="stable")]
    best = ordered[ordered[:, 0] >= ndcg][:, 1].max(initial=-np.inf)
    for (high, near), (low, far) in pairwise(points):
        if min(high, low) < ndcg < max(high, low):
            best = max(best, near + (far - near) * (ndcg - high) / (low - high))
    return float(best)


def area(points: np.ndarray) -> float:
    """Return the share below the curve, from half the NDCG of weight 0 and its distance on."""
    ndcg, distance = points[0]
    grid = np.linspace(0.5 * ndcg, ndcg, 101)
    reached = np.array([above(points, one) for one in grid])
    return float(np.clip((reached - distance) / (1 - distance), 0, 1).mean())


def leads(by: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return by how much one curve is ahead in both, for each point of another, weight above 0.

    NDCG counts as a share of what weight 0 has. Of a curve's points, its own and those between two
    neighbours, the one counts that is ahead most in what it is less ahead in; below 0 none is.
    """
    size = np.array([of[0, 0], 1.0])
    ahead = (by[:, None] - of[None, 1:]) / size
    start, step = ahead[:-1], ahead[1:] - ahead[:-1]
    turn = step[..., 0] - step[..., 1]  # between two points, at best both leads are alike
    where = (start[..., 1] - start[..., 0]) / np.where(turn == 0, np.inf, turn)
    between = start + np.clip(where, 0, 1)[..., None] * step
    found: np.ndarray = np.concatenate([ahead, between]).min(axis=2).max(axis=0)
    return found


def dominated(of: np.ndarray, by: np.ndarray) -> float:
    """Return the share of one curve's points, weight above 0, that another is nowhere below."""
    return round(float((leads(by, of) >= -1e-12).mean()), 3)


def again(one: Curve, other: Curve, measure: Any) -> np.ndarray:
    """Return the 95 % interval of what two curves' points are measured by, users drawn again."""
    rng = np.random.default_rng(0)
    n = one.ndcg.shape[1]
    drawn = [rng.integers(n, size=n) for _ in range(BOOTSTRAPS)]
    found = [measure(means(one, users), means(other, users)) for users in drawn]
    ends: np.ndarray = np.quantile(found, [0.025, 0.975], axis=0).round(4)
    return ends


# -- who takes part --------------------------------------------------------------------------


def models(shop: Shop) -> list[rp.Recommender]:
    found: list[rp.Recommender] = [rp.ALS(factors=64), rp.ItemKNN(), rp.Popularity()]
    if len(shop.train.items) <= MOST_FOR_EASE:
        found.append(rp.EASE())
    return found


def stages(shop: Shop, label: str) -> dict[str, list[rp.Reranker]]:
    """Return the re-rankers, each with the parameters that stand to be chosen."""
    factors = rp.ALS(factors=32)
    found: dict[str, list[rp.Reranker]] = {
        "MMR": [rp.MMR(vectors=[label], top=N)],
        "DPP": dpps([label]),
        "XQuAD": [rp.XQuAD(attribute=label, top=N)],
        "Calibrated": [rp.Calibrated(attribute=label, top=N)],
        "Serendipity": [rp.Serendipity(vectors=[label])],
    }
    if shop.train.end is not None:
        found["Freshness"] = [rp.Freshness(half_life=one) for one in HALF_LIVES]
    return {
        **found,
        "MMR, factors": [rp.MMR(vectors=factors, top=N)],
        "DPP, factors": dpps(factors),
    }


def dpps(vectors: Any) -> list[rp.Reranker]:
    return [
        rp.DPP(vectors=vectors, ridge=ridge, power=power, top=N)
        for ridge in RIDGES
        for power in POWERS
    ]


def chosen_model(shop: Shop, users: list[Any]) -> tuple[rp.Recommender, dict[str, float]]:
    fitted = {type(model).__name__: model.fit(shop.train) for model in models(shop)}
    scores = {}
    for name, model in fitted.items():
        asked = ask(shop, model, users)
        scores[name] = float(gains([pool.items[:N] for pool in asked.pools], asked.wanted).mean())
    return fitted[max(scores, key=scores.__getitem__)], scores


def frontier(shop: Shop, label: str, early: Asked, late: Asked) -> tuple[Any, Any, Any]:
    """Return each re-ranker's curve by one label, what was chosen for it, and some untuned."""
    labels = AttributeEncoder(columns=[label]).fit_transform(shop.train.item_features).matrix
    labels = (labels > 0).astype(np.float64)
    curves, chosen, untuned = {}, {}, {}
    for name, several in stages(shop, label).items():
        start = time.perf_counter()
        own, *tried = [
            {key: getattr(one, key) for key in CHOSEN if hasattr(one, key)}
            for one in (type(several[0])(), *several)
        ]
        fitted = several[0].fit(shop.train).set_params(**own)
        usual = fitted.weight
        untuned[name] = curve(fitted, late, labels), WEIGHTS.index(usual)
        areas = {}
        for told in tried if len(tried) > 1 else ():
            fitted.set_params(**told)
            areas[json.dumps(told)] = area(means(curve(fitted, early, labels, COARSE)))
        best = json.loads(max(areas, key=areas.__getitem__)) if areas else {}
        fitted.set_params(**best)
        chosen[name] = {**best, "validation_area": rounded(areas)}
        curves[name] = curve(fitted, late, labels) if areas else untuned[name][0]
        print(f"{label}: {name:14} area {area(means(curves[name])):.4f} {best} "
              f"{time.perf_counter() - start:5.1f} s", flush=True)  # fmt: skip
    return curves, chosen, untuned


def rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


# -- time ------------------------------------------------------------------------------------


def plain_mmr(worth: np.ndarray, vectors: np.ndarray, penalty: float, n: int) -> list[int]:
    nearest, left, chosen = np.zeros(len(worth), np.float32), worth.copy(), []
    for _ in range(n):
        place = int(np.argmax(left))
        chosen.append(place)
        np.maximum(nearest, vectors @ vectors[place], out=nearest)
        left = worth - penalty * nearest
        left[chosen] = -np.inf
    return chosen


def plain_dpp(
    worth: np.ndarray, vectors: np.ndarray, penalty: float, ridge: float, n: int
) -> list[int]:
    shares, unexplained = np.zeros((n, len(worth))), np.ones(len(worth))
    left, chosen = worth.copy(), []
    for step in range(n):
        place = int(np.argmax(left))
        chosen.append(place)
        kernel = (1 - ridge) * (1 + vectors @ vectors[place]) / 2
        row = (kernel - shares[:step, place] @ shares[:step]) / np.sqrt(unexplained[place])
        shares[step] = row
        unexplained = np.maximum(unexplained - row * row, ridge)
        left = worth + penalty * np.log(unexplained)
        left[chosen] = -np.inf
    return chosen


def times(repeats: int) -> dict[str, Any]:
    from recopersona.kernels.rerank import pick_dpp, pick_mmr

    rng = np.random.default_rng(0)
    n, width, top = 1_000, 32, 20
    vectors = rng.normal(size=(n, width)) + 0.5
    shop = rp.Dataset.from_frames(pd.DataFrame({"user_id": np.arange(n), "item_id": np.arange(n)}))
    ranking = rp.Ranking.of(np.arange(n), np.sort(rng.gumbel(size=n))[::-1], shop.items, "made")
    query = rp.Query(0)
    mmr = rp.MMR(vectors=vectors, top=top).fit(shop)
    dpp = rp.DPP(vectors=vectors, top=top).fit(shop)
    unit, worth = mmr.item_vectors_.of(ranking.items), rp.scaled(ranking.scores)
    relevance = (1 - mmr.weight) * worth
    penalty = dpp.weight / -np.log(1 - (1 - dpp.ridge) ** 2)
    first, gains_ = np.empty(top, np.int32), np.empty(n)
    calls = {
        "mmr_ms": lambda: mmr(query, ranking),
        "dpp_ms": lambda: dpp(query, ranking),
        "mmr_kernel_ms": lambda: pick_mmr(first, gains_, relevance, unit, mmr.weight),
        "dpp_kernel_ms": lambda: pick_dpp(
            first, gains_, relevance, unit, penalty, dpp.ridge, 1, top
        ),
        "mmr_numpy_ms": lambda: plain_mmr(relevance, unit, mmr.weight, top),
        "dpp_numpy_ms": lambda: plain_dpp(relevance, unit, penalty, dpp.ridge, top),
    }
    equal = (
        mmr(query, ranking).items[:top].tolist() == calls["mmr_numpy_ms"]()
        and dpp(query, ranking).items[:top].tolist() == calls["dpp_numpy_ms"]()
    )
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            taken[name].append(1_000 * (time.perf_counter() - start))
    medians = {name: round(float(np.median(values)), 4) for name, values in taken.items()}
    p99 = {f"{name[:3]}_ms_p99": round(float(np.quantile(taken[name], 0.99)), 4)
           for name in ("mmr_ms", "dpp_ms")}  # fmt: skip
    return {**medians, **p99, "equal_to_numpy": equal}


# -- telling ---------------------------------------------------------------------------------


def compared(curves: dict[str, Curve]) -> dict[str, Any]:
    """Return by how much of MMR's curve the others are at least as good, and all areas."""
    points = {name: means(found) for name, found in curves.items()}
    found: dict[str, Any] = {"area": rounded({name: area(one) for name, one in points.items()})}
    for mmr, dpp in (("MMR", "DPP"), ("MMR, factors", "DPP, factors")):
        ending, pair = mmr[3:].replace(", ", "_"), (curves[dpp], curves[mmr])
        lead = leads(points[dpp], points[mmr]).round(4)
        ends = again(*pair, leads)
        found |= {
            f"dominated{ending}": dominated(points[mmr], points[dpp]),
            f"dpp_dominated_by_mmr{ending}": dominated(points[dpp], points[mmr]),
            f"area_dpp_minus_mmr{ending}": again(*pair, lambda a, b: area(a) - area(b)).tolist(),
            f"lead_of_dpp{ending}": {
                weight: [float(one), *several]
                for weight, one, several in zip(WEIGHTS[1:], lead, ends.T.tolist(), strict=True)
            },
        }
    ours = [one for name, one in points.items() if name not in ("MMR", "MMR, factors")]
    best = np.max([leads(one, points["MMR"]) for one in ours], axis=0)
    found["dominated_by_any"] = round(float((best >= -1e-12).mean()), 3)
    return found


def draw(
    found: dict[str, dict[str, Curve]], untuned: dict[str, dict[str, Any]], shop: Shop, path: str
) -> None:
    try:
        import matplotlib
    except ImportError:
        raise SystemExit('--plot needs an extra: pip install "recopersona[bench]"') from None
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    shape = 2, len(found)
    size = 7 * len(found), 9
    figure, all_axes = plt.subplots(*shape, figsize=size, squeeze=False, layout="constrained")
    for (whole, near), (label, curves) in zip(all_axes.T, found.items(), strict=True):
        for name, one in curves.items():
            line = ".--" if "," in name else "o-"
            for axes in (whole, near) if name in ("MMR", "DPP") else (whole,):
                (drawn,) = axes.plot(*means(one).T[::-1], line, ms=4, label=name)
                if axes is near:
                    asis, usual = untuned[label][name]
                    axes.plot(*means(asis)[usual, ::-1], "*", ms=15, mec="black",
                              c=drawn.get_color(), label=f"{name}() as it comes")  # fmt: skip
        best = means(curves["MMR"])[0, 0]
        near.set_ylim(0.5 * best, 1.03 * best)
        near.set_title("the same, near by")
        whole.set_title(f"{shop.name}: what variety costs, weights 0 to 1")
        for axes in (whole, near):
            axes.set_xlabel(f"distance of two items of a list, by {label}")
            axes.set_ylabel(f"NDCG@{N}")
            axes.legend(loc="lower left", fontsize="small")
    figure.savefig(path)


def starting(untuned: dict[str, tuple[Curve, int]]) -> dict[str, Any]:
    """Return (NDCG, distance) of each re-ranker as it comes, and how DPP's curve does by MMR's."""
    found = {name: means(one)[usual].round(4).tolist() for name, (one, usual) in untuned.items()}
    (mmr, _), (dpp, _) = untuned["MMR"], untuned["DPP"]
    return {
        **found,
        "dominated": dominated(means(mmr), means(dpp)),
        "dpp_dominated_by_mmr": dominated(means(dpp), means(mmr)),
        "area_of_dpp": round(area(means(dpp)), 4),
        "area_dpp_minus_mmr": again(dpp, mmr, lambda a, b: area(a) - area(b)).tolist(),
        "lead_of_dpp": leads(means(dpp), means(mmr)).round(4).tolist(),
        "lead_of_dpp_ends": again(dpp, mmr, leads).tolist(),
    }


def told(label: str, curves: dict[str, Curve]) -> list[dict[str, Any]]:
    """Return a row per re-ranker and weight."""
    return [
        {"varied_by": label, "reranker": name, "weight": weight,
         "ndcg10": round(float(ndcg), 4), "distance10": round(float(distance), 4)}
        for name, one in curves.items()
        for weight, (ndcg, distance) in zip(WEIGHTS, means(one), strict=True)
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--plot")
    given = parser.parse_args()
    begun = time.perf_counter()
    speed = times(100 if given.quick else 500)
    print(speed)
    shop = load(given.folder, given.quick)
    users = pd.Series(shop.later["user_id"].unique()).sample(frac=1, random_state=0).tolist()
    half = len(users) // 2
    model, validation = chosen_model(shop, users[:half])
    print(f"{shop.name}: {shop.train}; NDCG@{N} {rounded(validation)}", flush=True)
    early, late = ask(shop, model, users[:half][:ENOUGH]), ask(shop, model, users[half:][:MOST])
    found, chosen, untuned, summary, rows = {}, {}, {}, {}, []
    for label in shop.labels:
        found[label], chosen[label], untuned[label] = frontier(shop, label, early, late)
        summary[label] = {**compared(found[label]), "untuned": starting(untuned[label])}
        rows += told(label, found[label])
        shown = pd.DataFrame(told(label, found[label])).drop(columns="varied_by")
        print(shown.pivot(index="weight", columns="reranker").to_string())
        print(json.dumps(summary[label]), flush=True)
    if given.plot:
        draw(found, untuned, shop, given.plot)
    line = {
        "data": shop.name,
        **speed,
        "base": type(model).__name__,
        "chosen_on": "the other half of the users: NDCG@10 of models, area below the curve",
        "validation": rounded(validation),
        "chosen": chosen,
        "by": summary,
        "frontier": rows,
        "users": len(late.queries),
        "seconds": round(time.perf_counter() - begun, 1),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {one: version(one) for one in ("recopersona", "numpy", "scipy", "numba")},
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
