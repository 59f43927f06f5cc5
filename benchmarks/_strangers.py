"""Strangers: what is known of the segment, or of this very visit, against global popularity.

    python benchmarks/_strangers.py DATA_DIR [--quick]

DATA_DIR holds the folders `trivago` and `completejourney`, or one of them.

Complete Journey: households are held out wholly, a fifth at a time, all others' weeks before the
split are learned from. A held-out household is asked about with its demographics (and the shop it
stands in) as the only things known; relevant is what it buys in the weeks after. Trivago: sessions
before the split are learned from; of each session after it, the last hotel clicked out to is to be
foreseen from what was clicked before it and from platform, city and device.

Models stand at their defaults, and what they choose, they choose inside `fit`; which session model
the fallback asks first is chosen on sessions before the split. Intervals are of the difference to
`Popularity`, users drawn again with all their rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import recopersona as rp
from recopersona.evaluation.bootstrap import bootstrap_means

N = 10
FOLDS = 5
BOOTSTRAPS = 2_000
BASE = "Popularity"
DEMOGRAPHICS = ("age", "income", "home_ownership", "marital_status", "household_size",
                "household_comp", "kids_count")  # fmt: skip
AISLES = ("department", "product_category", "product_type")
PLACE = ("platform", "city", "device")
Case = tuple[rp.Query, list[Any], Any]  # the question, what is relevant, and who asks


def figures(trivago: Path | None, completejourney: Path | None, quick: bool) -> dict[str, Any]:
    """Return both tables: per model the means, and the differences to popularity with intervals."""
    found: dict[str, Any] = {}
    if completejourney is not None:
        found["completejourney"] = households(Path(completejourney), quick)
    if trivago is not None:
        found["trivago"] = visits(Path(trivago), quick)
    return found


def tell(found: dict[str, Any]) -> None:
    """Print the tables for people: each mean, and the interval of what it is above popularity."""
    tables = {
        "Complete Journey, households held out": found.get("completejourney"),
        "Trivago, next click out": found.get("trivago", {}).get("all"),
        "Trivago, nothing clicked yet": found.get("trivago", {}).get("nothing_clicked_yet"),
    }
    for title, table in tables.items():
        if table is None:
            continue
        print(f"\n{title}: {table['questions']} questions of {table['users']} users")
        for name, row in table["models"].items():
            cells = [
                f"{measure} {value:.4f}" + _interval(row.get(f"{measure}_more"))
                for measure, value in row.items()
                if not measure.endswith("_more")
            ]
            print(f"  {name:18} " + "  ".join(cells))


def _interval(more: list[float] | None) -> str:
    return f" [{more[0]:+.4f}, {more[1]:+.4f}]" if more else ""


# -- Complete Journey ------------------------------------------------------------------------


def households(folder: Path, quick: bool) -> dict[str, Any]:
    lines = pd.read_parquet(folder / "transactions.parquet").rename(
        columns={"household_id": "user_id", "product_id": "item_id"}
    )
    people = pd.read_parquet(folder / "demographics.parquet").rename(
        columns={"household_id": "user_id"}
    )[["user_id", *DEMOGRAPHICS]]
    goods = pd.read_parquet(folder / "products.parquet").rename(columns={"product_id": "item_id"})[
        ["item_id", *AISLES]
    ]
    split = int(lines["week"].quantile(0.75))
    early, late = lines[lines["week"] <= split], lines[lines["week"] > split]
    early = early.drop_duplicates(["user_id", "item_id"])
    shops = early.groupby("user_id")["store_id"].agg(lambda shop: shop.mode().iloc[0])
    fold = np.random.default_rng(0).integers(FOLDS, size=len(people))
    rows = []
    for number in range(1 if quick else FOLDS):
        strangers = people[fold == number]
        known = early[~early["user_id"].isin(strangers["user_id"])]
        customers = people[fold != number].merge(shops.rename("store"), "outer", on="user_id")
        customers = customers[customers["user_id"].isin(known["user_id"])]
        shop = rp.Dataset.from_frames(
            known[["user_id", "item_id"]],
            items=goods[goods["item_id"].isin(known["item_id"])], users=customers,
        )  # fmt: skip
        models = {
            "Popularity": rp.Popularity().fit(shop),
            "SegmentPopularity": rp.SegmentPopularity(categories=AISLES).fit(shop),
        }
        cases = _shoppers(strangers, late, models[BASE])
        rows.append(_judged(models, cases, whole_catalogue=True).assign(
            segments=", ".join(models["SegmentPopularity"].attributes_) or "none"
        ))  # fmt: skip
    table = pd.concat(rows, ignore_index=True)
    return {
        **_with_intervals(table.drop(columns="segments")),
        "segments": table["segments"].drop_duplicates().tolist(),
        "split_week": split,
    }


def _shoppers(strangers: pd.DataFrame, late: pd.DataFrame, model: Any) -> list[Case]:
    """Ask for every stranger who comes later: in the shop of her first line, with what she is."""
    cases: list[Case] = []
    theirs = dict(iter(late.sort_values("transaction_timestamp").groupby("user_id")))
    for person in strangers.to_dict("records"):
        bought = theirs.get(person["user_id"])
        if bought is None:
            continue
        relevant = [item for item in bought["item_id"].unique() if item in model.items_]
        known = {name: value for name, value in person.items() if name != "user_id"}
        known = {name: value for name, value in known.items() if not pd.isna(value)}
        known["store"] = bought["store_id"].iloc[0]
        if relevant:
            cases.append((rp.Query(context=known), relevant, person["user_id"]))
    return cases


# -- Trivago ---------------------------------------------------------------------------------


def visits(folder: Path, quick: bool) -> dict[str, Any]:
    log = pd.read_parquet(folder / "actions.parquet").sort_values(
        ["timestamp", "step"], kind="stable"
    )
    by_session = log.groupby("session_id")["timestamp"]
    log = log.assign(start=by_session.transform("min"), end=by_session.transform("max"))
    first = log.drop_duplicates("session_id").set_index("session_id")
    middle, split = first["start"].quantile([0.5, 0.7])
    shop, validation = _visits_before(log, first, middle), log[log["start"].between(middle, split)]
    validation = validation[validation["end"] < split]
    chosen, scores = _best_session_model(shop, _visitors(validation, first, quick))
    shop = _visits_before(log, first, split)
    session = [make() for make in _session_models()]
    models = {
        "Popularity": rp.Popularity(),
        "SegmentPopularity": rp.SegmentPopularity(),
        **{type(model).__name__: model for model in session},
        "Fallback": _fallback(chosen()),
        "SessionBlend": rp.SessionBlend(models=session),
        "Blend": rp.Blend(models=[*session, rp.SegmentPopularity()]),
    }
    models = {name: model.fit(shop) for name, model in models.items()}
    table = _judged(models, _visitors(log[log["start"] >= split], first, quick))
    alone = table["nothing clicked"]
    table = table.drop(columns="nothing clicked")
    return {
        "all": _with_intervals(table),
        "nothing_clicked_yet": _with_intervals(table[alone]),
        "segments": list(models["SegmentPopularity"].attributes_),
        "fallback_starts_with": chosen.__name__,
        "chosen_on": "validation",
        "validation_ndcg10": scores,
    }


def _session_models() -> list[type]:
    """Return what answers a visit."""
    return [rp.SessionKNN, rp.SequentialRules, rp.Markov]


def _fallback(model: Any) -> Any:
    return rp.Fallback(models=[model, rp.SegmentPopularity(), rp.Popularity()])


def _best_session_model(shop: rp.Dataset, cases: list[Case]) -> tuple[type, dict[str, float]]:
    """Choose what the fallback asks first, on sessions before the split."""
    models = {kind.__name__: _fallback(kind()).fit(shop) for kind in _session_models()}
    table = _judged({BASE: rp.Popularity().fit(shop), **models}, cases)
    means = table.groupby("model")["ndcg10"].mean().round(4).to_dict()
    return max(_session_models(), key=lambda kind: means[kind.__name__]), means


def _visits_before(log: pd.DataFrame, first: pd.DataFrame, split: float) -> rp.Dataset:
    """Return what was known at a moment: sessions that were over, and where they took place."""
    hotel = log["action_type"].str.contains(" item") & log["reference"].str.isdecimal()
    # One visitor looks at a hundred pictures of a hotel: it counts once a session, or popularity
    # would be that of a few.
    known = log[hotel & (log["end"] < split)].drop_duplicates(["session_id", "reference"])
    events = pd.DataFrame({
        "user_id": known["session_id"],
        "session_id": known["session_id"],
        "item_id": known["reference"],
        "timestamp": pd.to_datetime(known["timestamp"], unit="s"),
        "event": np.where(known["action_type"] == "clickout item", "click", "view"),
    })  # fmt: skip
    customers = first.loc[events["user_id"].unique(), list(PLACE)]
    return rp.Dataset.from_frames(events, users=customers.rename_axis("user_id").reset_index())


def _visitors(late: pd.DataFrame, first: pd.DataFrame, quick: bool) -> list[Case]:
    cases: list[Case] = []
    for number, (session, actions) in enumerate(late.groupby("session_id", sort=False)):
        out = np.flatnonzero(actions["action_type"] == "clickout item")
        if not len(out) or (quick and number % 4):
            continue
        before = actions.iloc[: out[-1]]
        touched = before["action_type"].str.contains(" item") & before["reference"].str.isdecimal()
        place = dict(first.loc[session, list(PLACE)].items())
        query = rp.Query(
            session=before["reference"][touched].tolist(), context=place,
            now=pd.Timestamp(int(actions["timestamp"].iloc[out[-1]]), unit="s"),
        )  # fmt: skip
        cases.append((query, [actions["reference"].iloc[out[-1]]], actions["user_id"].iloc[0]))
    return cases


# -- measuring -------------------------------------------------------------------------------


def _judged(
    models: dict[str, Any], cases: list[Case], whole_catalogue: bool = False
) -> pd.DataFrame:
    """Return a row for each model and question: HR@10, MRR@10, NDCG@10 and, if wanted, AUC."""
    queries = [query for query, _, _ in cases]
    discount = 1 / np.log2(np.arange(2, N + 2))
    rows = []
    for name, model in models.items():
        rankings = model.rank_many(queries, N, seen="keep")
        for ranking, (query, relevant, who) in zip(rankings, cases, strict=True):
            hit = np.isin(ranking.item_ids, relevant)
            best = discount[: min(N, len(relevant))].sum()
            row = {
                "model": name,
                "user": who,
                "nothing clicked": not query.session,
                "hr10": float(hit.any()),
                "mrr10": 1 / (1 + np.argmax(hit)) if hit.any() else 0.0,
                "ndcg10": float(discount[: len(hit)] @ hit / best),
            }
            if whole_catalogue:
                row["auc"] = _auc(model.score_items(query), model.items_.indices(relevant))
            rows.append(row)
    table = pd.DataFrame(rows)
    return table.drop(columns="nothing clicked") if whole_catalogue else table


def _auc(scores: Any, relevant: Any) -> float:
    """Return how often a relevant item is above another, ties half."""
    ranks = pd.Series(scores).rank().to_numpy()
    n, others = len(relevant), len(scores) - len(relevant)
    return float((ranks[relevant].sum() - n * (n + 1) / 2) / (n * others))


def _with_intervals(table: pd.DataFrame) -> dict[str, Any]:
    measures = [name for name in table.columns if name not in ("model", "user")]
    wide = table.assign(case=table.groupby("model").cumcount()).pivot(
        index="case", columns="model", values=measures
    )
    users = table[table["model"] == BASE]["user"].to_numpy()
    summed = wide.groupby(users).sum()
    counts = pd.Series(users).value_counts().loc[summed.index].to_numpy(np.float64)
    means = bootstrap_means(summed.to_numpy(), counts, BOOTSTRAPS, random_state=0)
    drawn = pd.DataFrame(means, columns=wide.columns)
    found: dict[str, Any] = {"questions": len(wide), "users": len(counts), "models": {}}
    for model in dict.fromkeys(table["model"]):
        row = {measure: round(float(wide[measure, model].mean()), 4) for measure in measures}
        for measure in measures if model != BASE else []:
            more = drawn[measure, model] - drawn[measure, BASE]
            low, high = np.quantile(more, [0.025, 0.975])
            row[f"{measure}_more"] = [round(float(low), 5), round(float(high), 5)]
        found["models"][model] = row
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    folders = [options.data / name for name in ("trivago", "completejourney")]
    found = figures(*(folder if folder.is_dir() else None for folder in folders), options.quick)
    tell(found)
    found |= {"cores": os.cpu_count(), "python": platform.python_version(),
              "numba": version("numba")}  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main()
