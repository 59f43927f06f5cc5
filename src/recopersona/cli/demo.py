"""The demo: from a raw log to ranked, filtered, measured recommendations, step by step."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recopersona.cli.shops import RawShop, logged_shop, made_up_shop
from recopersona.cli.story import Story
from recopersona.data.dataset import Dataset
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.times import duration_ms, from_ms
from recopersona.data.types import Array, Id
from recopersona.evaluation.comparison import compare
from recopersona.evaluation.splits import split_by_time
from recopersona.events.cleaning import clean
from recopersona.events.sessions import sessionize
from recopersona.models.als import ALS
from recopersona.models.neighbors import ItemKNN
from recopersona.models.popularity import Popularity
from recopersona.pipeline.pipeline import Pipeline

EVENT_WEIGHTS = {"view": 1, "cart": 4, "purchase": 10}
HALF_LIFE = "30d"
HELD_OUT = "28d"
_WEEK_MS = 7 * 86_400_000


def demo(data: str | None, *, quick: bool, report: str) -> None:
    """Read, clean, cut into sessions, measure, recommend, and write it all down.

    Parameters
    ----------
    data : path of an event log, or None for a synthetic shop
    quick : bool
        A smaller synthetic shop.
    report : path of the HTML report to write
    """
    story = Story()
    with story.timed("read"):
        shop = made_up_shop(quick) if data is None else logged_shop(data)
    story.tell(f"Read {len(shop.log):,} rows from {shop.name}")
    events = prepare(shop, story)
    measure(shop, events, story)
    with story.timed("fit on everything"):
        dataset = _dataset(events, shop.catalogue(events))
        home = best_pipeline(shop).fit(dataset)
    story.tell(
        "The pipeline, fitted on everything up to",
        f"{from_ms(np.array([dataset.end]))[0]:%d %B %Y}",
    )
    show_visitors(home, dataset, shop, story)
    story.finish(Path(report), shop.name, dataset)


def prepare(shop: RawShop, story: Story) -> pd.DataFrame:
    """Clean the log and cut it into sessions, and say what was dropped and why."""
    events: pd.DataFrame
    with story.timed("clean"):
        events, cleaning = clean(shop.log, report=True, item_pattern=shop.item_pattern)
    story.show_cleaning(cleaning)
    with story.timed("sessionize"):
        events = sessionize(events, gap="30min")
    sessions = events["session_id"].nunique()
    customers = events["user_id"].nunique()
    story.tell(f"{len(events):,} events of {customers:,} customers in {sessions:,} sessions")
    return events


def best_pipeline(shop: RawShop) -> Pipeline:
    """The pipeline that the demo shows; nothing in it was tuned to the held-out weeks."""
    return Pipeline(candidates=[ALS(), ItemKNN(), Popularity(half_life="7d")], rules=shop.rules)


def measure(shop: RawShop, events: pd.DataFrame, story: Story) -> None:
    """Hold out the last weeks and compare the models on them."""
    cut = events["timestamp"].max() - pd.Timedelta(duration_ms(HELD_OUT), "ms")
    # The catalogue of the measurement is what was known at the cut: no later price, no later name.
    dataset = _dataset(events, shop.catalogue(events[events["timestamp"] < cut]))
    split = split_by_time(dataset, test=HELD_OUT)
    models = {
        "Popularity": Popularity(),
        "ItemKNN": ItemKNN(),
        "ALS": ALS(),
        "Pipeline": best_pipeline(shop),
    }
    with story.timed("fit and evaluate"):
        found = compare(models, split, k=10)
    story.show_quality(found, HELD_OUT)


@dataclass(frozen=True)
class Visitor:
    """Somebody to recommend to."""

    title: str
    query: Query


def visitors(dataset: Dataset) -> list[Visitor]:
    """Three customers of the last day with much, some and little history, a session, a stranger."""
    rows = dataset.interactions
    times = np.asarray(rows.timestamp)
    counts = np.bincount(rows.users, minlength=len(dataset.users))
    lately = np.unique(rows.users[times > times.max() - _WEEK_MS])
    by_history = lately[np.argsort(counts[lately], kind="stable")]
    chosen = by_history[[-1, len(by_history) // 2, len(by_history) // 10]]
    customers = [
        Visitor(f"customer {dataset.users.ids[user]} ({counts[user]} events)",
                Query(user_id=dataset.users.ids[user]))
        for user in dict.fromkeys(chosen.tolist())
    ]  # fmt: skip
    popular = np.argsort(-np.bincount(rows.items, minlength=len(dataset.items)), kind="stable")
    session = dataset.items.ids[popular[[5, 20]]].tolist() if len(popular) > 20 else []
    return [
        *customers,
        Visitor("an anonymous session", Query(session=session)),
        Visitor("a stranger", Query(user_id="nobody has seen me before")),
    ]


def show_visitors(home: Pipeline, dataset: Dataset, shop: RawShop, story: Story) -> None:
    """Recommend, with names, sources and reasons, and say how long an answer takes."""
    names = shop.names(dataset)
    for visitor in visitors(dataset):
        ranking = home.recommend(visitor.query, n=5)
        past = _past_in_words(home, visitor.query, names)
        story.show_ranking(visitor.title, past, _with_reasons(home, visitor.query, ranking, names))
    story.show_speed(_milliseconds(home, dataset))


def _with_reasons(
    home: Pipeline, query: Query, ranking: Ranking, names: dict[Id, str]
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "product": [names.get(item, str(item)) for item in ranking.item_ids],
            "source": ranking.sources,
            "because of": [
                _reason(home, query, item, source, names)
                for item, source in zip(ranking.item_ids, ranking.sources, strict=True)
            ],
        }
    )


def _reason(home: Pipeline, query: Query, item: Id, source: str, names: dict[Id, str]) -> str:
    """The one item of the visitor's past that speaks loudest for an item."""
    model = home.candidates_.get(source)
    if model is None or isinstance(model, Popularity):
        return "many want it lately"
    evidence = model.explain(query, item)
    evidence = evidence[evidence["evidence"].notna() & (evidence["contribution"] > 0)]
    return names.get(evidence["evidence"].iloc[0], "") if len(evidence) else ""


def _past_in_words(home: Pipeline, query: Query, names: dict[Id, str]) -> str:
    items, weights = home.taste_of(query)
    strongest = items[np.argsort(-weights, kind="stable")[:3]]
    words = [names.get(item, str(item)) for item in home.items_.ids[strongest].tolist()]
    return f"mostly: {'; '.join(words)}" if words else "nothing known"


def _milliseconds(home: Pipeline, dataset: Dataset, n_answers: int = 300) -> Array:
    users = dataset.users.ids[np.linspace(0, len(dataset.users) - 1, n_answers).astype(int)]
    taken = []
    for user in users.tolist():
        start = time.perf_counter()
        home.recommend(user, n=10)
        taken.append(time.perf_counter() - start)
    return 1e3 * np.array(taken)


def _dataset(events: pd.DataFrame, catalogue: pd.DataFrame) -> Dataset:
    return Dataset.from_frames(
        events, items=catalogue, event_weights=EVENT_WEIGHTS, half_life=HALF_LIFE
    )
