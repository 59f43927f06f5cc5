"""New items, new users, and everybody else: what attributes tell where there are no events.

    python benchmarks/cold_start.py [DATA_DIR] [--quick]

DATA_DIR holds `ratings.parquet` (user_id, item_id, rating), `items.parquet` and `users.parquet`
with any attributes; without one, a synthetic shop is used. Models learn from ratings of 4 and more;
lower ones are seen, and teach nothing.

- New items: a fifth of the items has no event in training. Per user, the area under the curve of
  her ratings of 4 and more on those against all other new items (`item_auc`), and against those of
  them that she rated lower (`item_auc_disliked`); and NDCG@10 among new items.
- New users: a fifth of the users has no event in training. They are asked about as strangers whose
  attributes the query's context brings (`user_ndcg10`, `user_auc`), and as users whose attributes
  the model knows (`user_ndcg10_known`); relevant is what they rated 4 and more, among all items.
- Everybody else: a random fifth of the ratings is held out; NDCG@10 on those of 4 and more.

What is new is drawn with a fixed seed. Scores that are equal count half in the area, and are ranked
by chance: who knows nothing of new items gets .5. The hybrid's and the mapper's settings are chosen
on a validation part of the training data of new items: a fifth of its items, and a fifth of the
ratings of the others; what counts is `item_auc` on the former plus NDCG@10 on the latter. Plain
factors then have the same loss, the same length of vectors and the same steps. Intervals are of
differences, users drawn again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata

import recopersona as rp
from recopersona.evaluation.bootstrap import bootstrap_means

N, LIKED, SHARE = 10, 4, 0.2
BOOTSTRAPS = 2_000
FACTORS = 64
QUICK_USERS, QUICK_ITEMS = 800, 1_200
# The more negatives, the less each step is to be drawn back.
HYBRID: list[dict[str, Any]] = [
    {"loss": "logistic", "negatives": 16, "reg": 0.003},
    {"loss": "logistic", "negatives": 4, "reg": 0.01},
    {"loss": "warp", "reg": 0.03},
    {"loss": "bpr", "reg": 0.01},
]
MAPPER: list[dict[str, Any]] = [{"reg": 0.3}, {"reg": 0.1}, {"reg": 0.5}]  # of ALS


class Shop(NamedTuple):
    """Ratings by row numbers of users and items, and what both are."""

    users: pd.DataFrame
    items: pd.DataFrame
    rows: np.ndarray
    columns: np.ndarray
    ratings: np.ndarray

    def dataset(self, kept: np.ndarray) -> rp.Dataset:
        events = pd.DataFrame({
            "user_id": self.users["user_id"].to_numpy()[self.rows[kept]],
            "item_id": self.items["item_id"].to_numpy()[self.columns[kept]],
            "weight": (self.ratings[kept] >= LIKED).astype(np.float32),
        })  # fmt: skip
        return rp.Dataset.from_frames(events, items=self.items, users=self.users)

    def marked(self, rows: np.ndarray) -> np.ndarray:
        """Return some ratings as a matrix of booleans, users x items."""
        marks = np.zeros((len(self.users), len(self.items)), bool)
        marks[self.rows[rows], self.columns[rows]] = True
        return marks

    @property
    def liked(self) -> np.ndarray:
        return self.ratings >= LIKED


# -- data ------------------------------------------------------------------------------------


def load(folder: str | None, quick: bool) -> tuple[str, Shop]:
    if folder is None:
        made = rp.synthetic_shop(800 if quick else 3_000, 400 if quick else 1_500)
        wanted = made.events["event"].isin(["cart", "purchase"])
        ratings = made.events.assign(rating=np.where(wanted, 5, 3))
        ratings = ratings.groupby(["user_id", "item_id"], as_index=False)["rating"].max()
        name, tables = "synthetic", (made.customers, made.catalogue)
    else:
        path = Path(folder)
        ratings = pd.read_parquet(path / "ratings.parquet")
        name = path.resolve().name
        tables = tuple(pd.read_parquet(path / f"{side}.parquet") for side in ("users", "items"))
    if quick:
        name = f"some of {name}"
        most = ratings["item_id"].value_counts(sort=True).index[:QUICK_ITEMS]
        some = np.random.default_rng(0).permutation(ratings["user_id"].unique())[:QUICK_USERS]
        ratings = ratings[ratings["user_id"].isin(some) & ratings["item_id"].isin(most)]
    users, items = (
        known(table, ratings[key], key)
        for table, key in zip(tables, ("user_id", "item_id"), strict=True)
    )
    rows, columns = (
        pd.Index(table[key]).get_indexer(ratings[key])
        for table, key in ((users, "user_id"), (items, "item_id"))
    )
    return name, Shop(users, items, rows, columns, ratings["rating"].to_numpy())


def known(table: pd.DataFrame, ids: pd.Series, key: str) -> pd.DataFrame:
    """Return the attributes of those that were rated or rate, also where there are none."""
    present = pd.DataFrame({key: np.sort(ids.unique())})
    return present.merge(table.drop_duplicates(key), on=key, how="left")


def some_of(n: int, seed: int, among: np.ndarray | None = None) -> np.ndarray:
    """Draw a fifth of n, or of some of them, as booleans."""
    those = np.arange(n) if among is None else np.flatnonzero(among)
    drawn = np.random.default_rng(seed).permutation(those)[: round(SHARE * len(those))]
    marks = np.zeros(n, bool)
    marks[drawn] = True
    return marks


# -- measures, one value per user, NaN for users without an answer to look for -----------------


def area(scores: np.ndarray, wanted: np.ndarray, others: np.ndarray) -> float:
    """Return how often a wanted one is above another; equal ones count half."""
    n, m = int(wanted.sum()), int(others.sum())
    if not n or not m:
        return np.nan
    both = wanted | others
    ranks = rankdata(scores[both])
    return float((ranks[wanted[both]].sum() - n * (n + 1) / 2) / (n * m))


def gain(found: np.ndarray, n_wanted: int) -> float:
    """Return NDCG@10 of a list of hits."""
    if not n_wanted:
        return np.nan
    discounts = 1 / np.log2(np.arange(2, N + 2))
    return float((found * discounts[: len(found)]).sum() / discounts[: min(n_wanted, N)].sum())


def full(model: rp.Recommender, query: rp.Query, n_items: int) -> np.ndarray:
    scores = np.asarray(model.score_items(query), np.float32)
    return np.append(scores, np.full(n_items - len(scores), -np.inf, np.float32))


def on_new_items(model: rp.Recommender, shop: Shop, new: np.ndarray) -> dict[str, np.ndarray]:
    test = new[shop.columns]
    liked, disliked = shop.marked(test & shop.liked), shop.marked(test & ~shop.liked)
    chance = np.random.default_rng(1).random(int(new.sum()))
    found = {name: np.full(len(shop.users), np.nan)
             for name in ("item_auc", "item_auc_disliked", "item_ndcg10")}  # fmt: skip
    ids = shop.users["user_id"].tolist()
    for row in np.flatnonzero(liked.any(axis=1)).tolist():
        query = rp.Query(user_id=ids[row])
        scores = full(model, query, len(shop.items))[new]
        good, bad = liked[row, new], disliked[row, new]
        found["item_auc"][row] = area(scores, good, ~good)
        found["item_auc_disliked"][row] = area(scores, good, bad)
        best = np.lexsort((chance, -scores))[:N]
        found["item_ndcg10"][row] = gain(good[best], int(good.sum()))
    return found


def on_new_users(model: rp.Recommender, shop: Shop, new: np.ndarray) -> dict[str, np.ndarray]:
    liked = shop.marked(new[shop.rows] & shop.liked)
    asked = np.flatnonzero(liked.any(axis=1))
    told = [
        {name: value for name, value in record.items() if not is_missing(value)}
        for record in shop.users.drop(columns="user_id").iloc[asked].to_dict("records")
    ]
    strangers = [rp.Query(context=context) for context in told]
    users = [rp.Query(user_id=one) for one in shop.users["user_id"].iloc[asked].tolist()]
    found = {name: np.full(len(shop.users), np.nan)
             for name in ("user_ndcg10", "user_ndcg10_known", "user_auc")}  # fmt: skip
    for name, queries in (("user_ndcg10", strangers), ("user_ndcg10_known", users)):
        for row, ranking in zip(asked.tolist(), model.rank_many(queries, N), strict=True):
            found[name][row] = gain(liked[row, ranking.items], int(liked[row].sum()))
    for row, query in zip(asked.tolist(), strangers, strict=True):
        scores = full(model, query, len(shop.items))
        found["user_auc"][row] = area(scores, liked[row], ~liked[row])
    return found


def on_everybody(model: rp.Recommender, shop: Shop, test: np.ndarray) -> dict[str, np.ndarray]:
    liked = shop.marked(test & shop.liked)
    asked = np.flatnonzero(liked.any(axis=1))
    queries = [rp.Query(user_id=one) for one in shop.users["user_id"].iloc[asked].tolist()]
    values = np.full(len(shop.users), np.nan)
    for row, ranking in zip(asked.tolist(), model.rank_many(queries, N), strict=True):
        values[row] = gain(liked[row, ranking.items], int(liked[row].sum()))
    return {"warm_ndcg10": values}


def is_missing(value: Any) -> bool:
    return value is None or (np.ndim(value) == 0 and bool(pd.isna(value)))


# -- models ----------------------------------------------------------------------------------


def hybrid(settings: dict[str, Any]) -> rp.HybridFactorization:
    return rp.HybridFactorization(factors=FACTORS, **settings)


def als(settings: dict[str, Any]) -> rp.ALS:
    return rp.ALS(factors=FACTORS, **settings)


def mapper(settings: dict[str, Any]) -> rp.ColdStartMapper:
    return rp.ColdStartMapper(model=als(settings))


def chosen(
    make: Any, tried: list[dict[str, Any]], shop: Shop, new: np.ndarray
) -> tuple[dict, float]:
    """Choose settings by new items and by known ones, of those that training would have."""
    old = ~new
    validation = some_of(len(old), 2, among=old)
    known_items = (old & ~validation)[shop.columns]
    held_out = some_of(len(shop.rows), 4, among=known_items)
    part = shop.dataset(known_items & ~held_out)
    best: tuple[dict, float] = ({}, -1.0)
    for settings in tried:
        model = make(settings).fit(part)
        of_new = float(np.nanmean(on_new_items(model, shop, validation)["item_auc"]))
        of_known = float(np.nanmean(on_everybody(model, shop, held_out)["warm_ndcg10"]))
        print(f"  {make.__name__} {settings}: validation item_auc {of_new:.4f} "
              f"ndcg10 {of_known:.4f}", flush=True)  # fmt: skip
        if of_new + of_known > best[1]:
            best = settings, of_new + of_known
    return best


def models(of_hybrid: dict[str, Any], of_mapper: dict[str, Any]) -> list[rp.Recommender]:
    """Return all models; plain factors have what the hybrid has of theirs."""
    return [
        rp.Popularity(), rp.SegmentPopularity(), rp.ContentKNN(),
        rp.Factorization(factors=FACTORS, **of_hybrid), als(of_mapper),
        mapper(of_mapper), hybrid(of_hybrid),
    ]  # fmt: skip


def measured(shop: Shop, new_items: np.ndarray, candidates: list[rp.Recommender]) -> dict:
    """Return every model's measures, one value per user each."""
    new_users = some_of(len(shop.users), 1)
    held_out = some_of(len(shop.rows), 3)
    parts = [
        ("new items", ~new_items[shop.columns], on_new_items, new_items),
        ("new users", ~new_users[shop.rows], on_new_users, new_users),
        ("everybody", ~held_out, on_everybody, held_out),
    ]
    found: dict[str, dict[str, np.ndarray]] = {}
    for title, kept, measure, what in parts:
        part = shop.dataset(kept)
        for model in candidates:
            start = time.perf_counter()
            model.fit(part)
            fitted = time.perf_counter()
            name = type(model).__name__
            values = measure(model, shop, what)
            found.setdefault(name, {}).update(values)
            told = "  ".join(f"{key} {np.nanmean(one):.4f}" for key, one in values.items())
            print(f"{title}: {name:20} {told}  (fit {fitted - start:.1f} s, "
                  f"answers {time.perf_counter() - fitted:.1f} s)", flush=True)  # fmt: skip
    return found


def interval(left: np.ndarray, right: np.ndarray) -> list[float]:
    """Return between what the mean difference lies, 95 times of 100 that users are drawn."""
    difference = (left - right)[~np.isnan(left - right)][:, None]
    means = bootstrap_means(difference, np.ones(len(difference)), BOOTSTRAPS, 0)
    return [round(float(value), 4) for value in np.quantile(means[:, 0], [0.025, 0.975])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    name, shop = load(given.folder, given.quick)
    print(f"{name}: {len(shop.ratings):,} ratings, {len(shop.users):,} users, "
          f"{len(shop.items):,} items")  # fmt: skip
    new_items = some_of(len(shop.items), 0)
    start = time.perf_counter()
    n_tried = 2 if given.quick else None
    of_hybrid, hybrids = chosen(hybrid, HYBRID[:n_tried], shop, new_items)
    of_mapper, mappers = chosen(mapper, MAPPER[:n_tried], shop, new_items)
    found = measured(shop, new_items, models(of_hybrid, of_mapper))
    measures = list(next(iter(found.values())))
    table = pd.DataFrame({
        model: {measure: np.nanmean(values[measure]) for measure in measures}
        for model, values in found.items()
    }).T  # fmt: skip
    print("\n" + table.round(4).to_string() + "\n")
    ours = found["HybridFactorization"]
    intervals = {
        f"{measure}: HybridFactorization - {other}": interval(ours[measure], found[other][measure])
        for measure, others in (
            ("item_auc", ("Popularity", "ContentKNN", "ColdStartMapper")),
            ("user_ndcg10", ("Popularity", "SegmentPopularity")),
            ("warm_ndcg10", ("Popularity", "Factorization", "ALS", "ColdStartMapper")),
        )
        for other in others
    }
    for told, bounds in intervals.items():
        print(f"{told}: between {bounds[0]:+.4f} and {bounds[1]:+.4f}")
    best = "HybridFactorization" if hybrids >= mappers else "ColdStartMapper"
    line = {
        "data": name,
        **{measure: {one: round(float(table.loc[one, measure]), 4) for one in table.index}
           for measure in measures},
        "best": best,
        "best_item_auc": round(float(table.loc[best, "item_auc"]), 4),
        "chosen_on": "item_auc + ndcg10 on items and ratings held out of the training part",
        "validation": {"HybridFactorization": round(hybrids, 4),
                                "ColdStartMapper": round(mappers, 4)},
        "settings": {"HybridFactorization": of_hybrid, "ColdStartMapper": of_mapper},
        "intervals": intervals,
        "seconds": round(time.perf_counter() - start, 1),
        "cores": os.cpu_count(), "python": platform.python_version(),
        "versions": {one: version(one) for one in ("recopersona", "numpy", "scipy", "numba")},
    }  # fmt: skip
    print(json.dumps(line))


if __name__ == "__main__":
    main()
