"""Order hotels as visitors wish, learned from lists that somebody else ordered.

    python examples/trivago.py DATA_DIR

DATA_DIR holds ``actions.parquet`` of the ACM RecSys Challenge 2019: what visitors did, and at each
click out the list it was chosen from, with prices. The last list of every visit is asked about; the
earlier visits teach, the later ones judge, each with what was known just before it. Clicks judge
kindly whatever was shown first, as it was looked at first: an order of its own is measured low.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import recopersona as rp
from recopersona.evaluation.bootstrap import bootstrap_means
from recopersona.rankers.lessons import Lessons
from recopersona.rankers.neural import NeuralRanker


def last_lists(log: pd.DataFrame) -> pd.DataFrame:
    """Return a row per hotel shown, of the last list of each visit that was clicked in."""
    clicks = log[log["event"] == "click"].drop_duplicates("session_id", keep="last")
    shown = log[log["event"] == "impression"].merge(
        clicks[["session_id", "step", "item_id"]].rename(columns={"item_id": "chosen"}),
        on=["session_id", "step"],
    )
    shown["clicked"] = shown["item_id"] == shown["chosen"]
    shown["cheap"], shown["early"] = -shown["price"], -shown["position"]
    shown = shown.drop_duplicates(["session_id", "position"])
    whole = shown.groupby("session_id")["clicked"].transform("sum") == 1
    return shown[whole].rename(columns={"session_id": "request"})


def reciprocal_rank(scores: np.ndarray, clicked: np.ndarray) -> float:
    """Return 1 / rank of what was clicked; of equal scores the first shown comes first."""
    order = np.argsort(-scores, kind="stable")
    return float(1 / (1 + np.argmax(clicked[order] > 0)))


def lived_through(ranker: NeuralRanker, later: Lessons, events: pd.DataFrame) -> list[float]:
    """Judge page after page, each as of just before it."""
    times, done, found = events["timestamp"].to_numpy(), 0, []
    for row, (query, ranking) in enumerate(zip(later.queries, later.rankings, strict=True)):
        due = int(np.searchsorted(times, query.now // 1000))
        ranker.columns_.features_.update(events.iloc[done:due])
        done = max(done, due)
        clicked = later.labels[later.bounds[row] : later.bounds[row + 1]]
        found.append(reciprocal_rank(ranker.probabilities(query, ranking), clicked))
    return found


def main(folder: Path) -> None:
    """Learn, and compare with the order in which the lists were shown."""
    log = rp.read_events(folder / "actions.parquet").sort_values(["timestamp", "step"])
    touched = log[log["item_id"].notna() & (log["event"] != "impression")]
    shown = last_lists(log)
    cut = shown.groupby("request")["timestamp"].first().quantile(0.7)
    early, late = touched[touched["timestamp"] < cut], touched[touched["timestamp"] >= cut]
    # The catalogue is known beforehand; what happened is not.
    shop = rp.Dataset.from_frames(
        early, items=pd.DataFrame({"item_id": log["item_id"].dropna().unique()})
    )
    past, future = shown[shown["timestamp"] < cut], shown[shown["timestamp"] >= cut]
    later = Lessons.from_impressions(future, shop, scores=["cheap"])
    print(f"to be judged: {later}; {later.counts}")

    per_list = {"as shown": [
        1 / later.positions[start:end][later.labels[start:end] > 0][0]
        for start, end in zip(later.bounds[:-1], later.bounds[1:], strict=True)
    ], "cheapest first": [
        reciprocal_rank(ranking.source_scores[:, 0], later.labels[start:end])
        for ranking, start, end in zip(later.rankings, later.bounds, later.bounds[1:], strict=False)
    ]}  # fmt: skip
    for name, bias, scores in (
        ("clicks and the order shown", None, ["cheap", "early"]),
        ("clicks", None, ["cheap"]),
        ("wishes", True, ["cheap"]),
    ):
        lessons = Lessons.from_impressions(past, shop, scores=scores)
        ranker = NeuralRanker(position_bias=bias, monotone={"cheap_score": 1}).fit(lessons, shop)
        asked = Lessons.from_impressions(future, shop, scores=scores)
        per_list[f"learned from {name}"] = lived_through(ranker, asked, late)
    looks = ranker.examination_.propensities_
    print("looked at, beside the first:", *looks[:10].round(2))
    print(ranker.importances.head(8).round(3).to_string())
    values = np.array(list(per_list.values())).T
    means = bootstrap_means(values - values[:, :1], np.ones(len(values)), 1_000, 0)
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    table = pd.DataFrame(
        {"MRR": values.mean(axis=0), "gain low": low, "gain high": high}, index=list(per_list)
    )
    print(table.round(4).to_string())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} DATA_DIR")
    main(Path(sys.argv[1]))
