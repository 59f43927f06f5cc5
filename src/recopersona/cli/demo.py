"""The demo: from a raw log to ranked, filtered, measured recommendations, step by step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recopersona.cli.shops import RawShop, logged_shop, made_up_shop
from recopersona.data.dataset import Dataset
from recopersona.data.event import PURCHASE
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.times import duration_ms, from_ms
from recopersona.data.types import Id
from recopersona.evaluation.evaluate import evaluate
from recopersona.evaluation.splits import split_by_time
from recopersona.events.cleaning import clean
from recopersona.events.cleaning_report import CleaningReport
from recopersona.events.sessions import sessionize
from recopersona.models.als import ALS
from recopersona.models.neighbors import ItemKNN
from recopersona.models.popularity import Popularity
from recopersona.pipeline.pipeline import Pipeline
from recopersona.report.charts import interval_chart, line_chart, long_tail_chart
from recopersona.report.html import Report

EVENT_WEIGHTS = {"view": 1, "cart": 4, "purchase": 10}
HALF_LIFE = "30d"
HELD_OUT = "28d"
DAY_MS = 86_400_000


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
    story.tell("The pipeline, fitted on everything up to", f"{from_ms(np.array([dataset.end]))[0]:%d %B %Y}")
    show_visitors(home, dataset, shop, story)
    story.finish(Path(report), shop, dataset)


def prepare(shop: RawShop, story: Story) -> pd.DataFrame:
    """Clean the log and cut it into sessions, and say what was dropped and why."""
    with story.timed("clean"):
        events, cleaning = clean(shop.log, report=True, item_pattern=shop.item_pattern)
    story.show_cleaning(cleaning)
    with story.timed("sessionize"):
        events = sessionize(events, gap="30min")
    sessions = events["session_id"].nunique()
    story.tell(f"{len(events):,} events of {events['user_id'].nunique():,} customers in {sessions:,} sessions")
    return events


def best_pipeline(shop: RawShop) -> Pipeline:
    """The pipeline that the demo shows; nothing in it was tuned to the held-out weeks."""
    return Pipeline(
        candidates=[ALS(), ItemKNN(), Popularity(half_life="7d")], rules=list(shop.rules)
    )


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
        table = evaluate(models, split, k=10)
    story.show_quality(table, HELD_OUT)


@dataclass(frozen=True)
class Visitor:
    """Somebody to recommend to."""

    title: str
    query: Query


def visitors(dataset: Dataset) -> list[Visitor]:
    """Three customers of the last day with much, some and little history, a session, a stranger."""
    rows = dataset.interactions
    assert rows.timestamp is not None  # noqa: S101 - prepare() made sure of it
    counts = np.bincount(rows.users, minlength=len(dataset.users))
    lately = np.unique(rows.users[rows.timestamp > rows.timestamp.max() - 7 * DAY_MS])
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
        return "many buy it lately"
    evidence = model.explain(query, item)
    evidence = evidence[evidence["evidence"].notna() & (evidence["contribution"] > 0)]
    return names.get(evidence["evidence"].iloc[0], "") if len(evidence) else ""


def _past_in_words(home: Pipeline, query: Query, names: dict[Id, str]) -> str:
    items, weights = home.taste_of(query)
    strongest = items[np.argsort(-weights, kind="stable")[:3]]
    words = [names.get(item, str(item)) for item in home.items_.ids[strongest].tolist()]
    return f"mostly: {'; '.join(words)}" if words else "nothing known"


def _milliseconds(home: Pipeline, dataset: Dataset, n_answers: int = 300) -> np.ndarray[Any, Any]:
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


class Story:
    """What the demo tells: on the terminal as it happens, and in the report at the end."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._seconds: dict[str, float] = {}
        self._report = Report("What recopersona made of the log")

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Measure a step, by its name in the table of seconds."""
        start = time.perf_counter()
        yield
        self._seconds[step] = time.perf_counter() - start

    def tell(self, *words: str) -> None:
        """Say one line."""
        print(f"\n{' '.join(words)}", flush=True)

    def show_cleaning(self, cleaning: CleaningReport) -> None:
        """Show what cleaning repaired and set aside."""
        table = cleaning.to_frame()
        self.tell(f"{cleaning.rows_in:,} rows in, {cleaning.rows_out:,} kept:")
        print(table.to_string(index=False))
        self._report.section("Cleaning", "Every row is kept, repaired or set aside with a reason.")
        self._report.table(table)

    def show_quality(self, table: pd.DataFrame, held_out: str) -> None:
        """Show how well each model foresaw the held-out weeks."""
        counts = table.attrs["counts"]
        self.tell(f"Held-out quality on the last {held_out}, {counts['users_evaluated']:,} customers, 95 % intervals:")
        print(_quality_in_words(table).to_string())
        self._report.section(
            "Quality",
            f"The last {held_out} were held out. Higher is better; the line is a 95 % interval.",
        )
        metric = table["ndcg@10"]
        chart = interval_chart(
            list(table.index), metric, table["ndcg@10 low"], table["ndcg@10 high"], title="NDCG@10"
        )
        self._report.chart(chart)
        self._report.table(_quality_in_words(table).reset_index(names="model"))

    def show_ranking(self, title: str, past: str, table: pd.DataFrame) -> None:
        """Show one visitor's recommendations."""
        self.tell(f"For {title}, {past}")
        print(table.to_string(index=False, max_colwidth=40))
        self._report.section(f"For {title}", past)
        self._report.table(table)

    def show_speed(self, milliseconds: np.ndarray[Any, Any]) -> None:
        """Show how long an answer takes."""
        p50, p99 = np.percentile(milliseconds, [50, 99])
        words = f"One answer of the pipeline takes {p50:.2f} ms (median), {p99:.2f} ms (99th percentile)"
        self.tell(words)
        self._report.section("Speed", words + ".")

    def finish(self, path: Path, shop: RawShop, dataset: Dataset) -> None:
        """Show the seconds, and write the report."""
        seconds = pd.DataFrame({"step": self._seconds.keys(), "seconds": self._seconds.values()})
        total = time.perf_counter() - self._began
        self.tell(f"{total:.1f} s in all:", ", ".join(f"{k} {v:.1f} s" for k, v in self._seconds.items()))
        self._report.table(seconds)
        self._report.section("The log", f"{shop.name}: {dataset!r}.")
        self._report.chart(_events_per_day(dataset))
        items = np.bincount(dataset.interactions.items, minlength=len(dataset.items))
        self._report.chart(long_tail_chart(items))
        print(f"Report: {self._report.write(path)}")


def _quality_in_words(table: pd.DataFrame) -> pd.DataFrame:
    words = pd.DataFrame(index=table.index)
    for name in ("ndcg@10", "recall@10"):
        words[name] = [
            f"{value:.4f} ({low:.4f}–{high:.4f})"
            for value, low, high in zip(
                table[name], table[f"{name} low"], table[f"{name} high"], strict=True
            )
        ]
    words["coverage@10"] = table["coverage@10"].map("{:.1%}".format)
    words["fit s"] = table["fit_s"].map("{:.2f}".format)
    return words


def _events_per_day(dataset: Dataset) -> str:
    rows = dataset.interactions
    assert rows.timestamp is not None  # noqa: S101
    days = rows.timestamp // DAY_MS
    first = int(days.min())
    series = {"events": np.bincount(days - first)}
    if (rows.event == PURCHASE).any():
        series["purchases"] = np.bincount(days[rows.event == PURCHASE] - first, minlength=int(days.max()) - first + 1)
    when = from_ms((first + np.arange(len(series["events"]))) * DAY_MS)
    return line_chart(when, series, title="Events per day")
