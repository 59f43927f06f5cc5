"""How fast a real catalogue is learned and searched by attributes, and how alike what it finds is.

python benchmarks/_content.py DATA_DIR [--quick], where DATA_DIR holds H&M's ``articles.parquet``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import recopersona as rp

NAME = "prod_name"
COMPARED = {
    "type": "product_type_name",
    "colour": "colour_group_name",
    "department": "department_name",
    "section": "section_name",
    "index": "index_group_name",
}
N_USERS, CLICKS, QUICK_ARTICLES = 2_000, 10, 20_000


def catalogue(data_dir: str, quick: bool) -> pd.DataFrame:
    articles = pd.read_parquet(Path(data_dir) / "articles.parquet")
    if quick and len(articles) > QUICK_ARTICLES:
        articles = articles.sample(QUICK_ARTICLES, random_state=0).reset_index(drop=True)
    return articles[["article_id", *(name for name in articles.columns if name.endswith("_name"))]]


def made_up_clicks(articles: pd.DataFrame) -> pd.DataFrame:
    """Visitors who click at random: the catalogue has no log, and a request's time needs a past."""
    random = np.random.default_rng(0)
    items = articles["article_id"].to_numpy()[random.integers(0, len(articles), N_USERS * CLICKS)]
    return pd.DataFrame({"user_id": np.repeat(np.arange(N_USERS), CLICKS), "item_id": items})


def timed(do, asked) -> np.ndarray[Any, Any]:
    """Milliseconds of each call."""
    taken = []
    for one in asked:
        start = time.perf_counter()
        do(one)
        taken.append(1e3 * (time.perf_counter() - start))
    return np.array(taken)


def agreement(model: rp.ContentKNN, articles: pd.DataFrame, queries: list[int]) -> dict[str, float]:
    """Share of the ten most alike that have an article's own value, beside that of chance."""
    said = articles.set_index("article_id")
    found = {query: model.similar_items(query, n=10).item_ids for query in queries}
    shares = {}
    for name, column in COMPARED.items():
        values = said[column]
        same = [(values[items] == values[query]).mean() for query, items in found.items()]
        chance = values.map(values.value_counts(normalize=True))
        shares[f"same_{name}"] = float(np.mean(same))
        shares[f"same_{name}_by_chance"] = float(chance[queries].mean())
    return shares


def twenty(articles: pd.DataFrame) -> list[int]:
    """One article of each of the 20 most frequent types, the one in the middle."""
    column = COMPARED["type"]
    types = articles[column].value_counts().index[:20]
    groups = (articles[articles[column] == kind]["article_id"] for kind in types)
    return [int(group.iloc[len(group) // 2]) for group in groups]


def same_product(model: rp.ContentKNN, articles: pd.DataFrame, n: int) -> float:
    """Share of a product's other articles among the ten most alike; its number is theirs, cut."""
    products = articles["article_id"] // 1_000
    sizes = products.map(products.value_counts())
    some = articles["article_id"][sizes.between(3, 10)].sample(n, random_state=2)
    shares = []
    for query, size in zip(some.tolist(), sizes[some.index].tolist(), strict=True):
        found = np.array(model.similar_items(query, n=10).item_ids) // 1_000
        shares.append((found == query // 1_000).sum() / (size - 1))
    return float(np.mean(shares))


def figures(data_dir: str, quick: bool = False) -> dict[str, object]:
    articles = catalogue(data_dir, quick)
    items = rp.FeatureTable.from_frame(articles, rp.IdMap(), "article_id", {NAME: "text"})
    shop = rp.Dataset.from_frames(made_up_clicks(articles), items=items)
    rp.ContentKNN().fit(shop.take(np.arange(5))).recommend(0)  # compile
    start = time.perf_counter()
    model = rp.ContentKNN().fit(shop)
    fit_s = time.perf_counter() - start
    users = range(500 if quick else N_USERS)
    recommend = timed(model.recommend, users)
    strangers = timed(
        model.recommend, [rp.Query(session=articles["article_id"].iloc[k : k + 3]) for k in users]
    )
    similar = timed(model.similar_items, articles["article_id"].iloc[: len(users)].tolist())
    start = time.perf_counter()
    model.recommend_many(users)
    many_ms = 1e3 * (time.perf_counter() - start) / len(users)
    product = same_product(model, articles, 500)
    by_name = rp.ContentKNN(encoder=rp.AttributeEncoder(weights={NAME: 3.0})).fit(shop)
    fresh = [
        pd.DataFrame({"item_id": [f"new {k}"], NAME: ["strap top"], "product_type_name": ["Bra"]})
        for k in range(50)
    ]
    update = timed(model.update_items, fresh)
    some = articles["article_id"].sample(500, random_state=1).tolist()
    figures: dict[str, object] = {
        "articles": len(articles),
        "attributes": model.vectors_.shape[1],
        "entries": int(model.vectors_.nnz),
        "fit_s": fit_s,
        "recommend_ms_p50": float(np.median(recommend)),
        "recommend_ms_p99": float(np.quantile(recommend, 0.99)),
        "session_ms_p99": float(np.quantile(strangers, 0.99)),
        "similar_ms_p50": float(np.median(similar)),
        "similar_ms_p99": float(np.quantile(similar, 0.99)),
        "many_ms_per_user": many_ms,
        "update_one_ms_p50": float(np.median(update)),
        "same_product": product,
        "same_product_name_thrice": same_product(by_name, articles, 500),
    }
    figures |= {
        f"twenty_{name}": v for name, v in agreement(model, articles, twenty(articles)).items()
    }
    figures |= {f"sample_{name}": v for name, v in agreement(model, articles, some).items()}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    found = figures(options.data, options.quick)
    found |= {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": version("scipy"),
        "scikit-learn": version("scikit-learn"),
    }
    for name, value in found.items():
        print(f"{name:32} {value:.4g}" if isinstance(value, float) else f"{name:32} {value}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
