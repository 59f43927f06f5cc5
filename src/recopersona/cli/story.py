"""What the demo tells: on the terminal as it happens, and in a report at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from recopersona.data.dataset import Dataset
from recopersona.data.event import PURCHASE
from recopersona.data.times import from_ms
from recopersona.data.types import Array
from recopersona.evaluation.comparison import Comparison
from recopersona.events.cleaning_report import CleaningReport
from recopersona.report.charts import interval_chart, line_chart, long_tail_chart
from recopersona.report.html import Report
from recopersona.report.markup import Markup

_DAY_MS = 86_400_000


class Story:
    """Says a thing once, to both."""

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
        rows = f"{cleaning.rows_in:,} rows came in, {cleaning.rows_out:,} stay"
        self.tell(f"{rows}:")
        print(table.to_string(index=False))
        self._report.section("Cleaning", f"{rows}; every change has a reason.")
        self._report.table(table)

    def show_quality(self, found: Comparison, held_out: str) -> None:
        """Show how well each model foresaw the held-out weeks, and which differences are luck."""
        table, counts = found.table, found.counts
        self.tell(
            f"The last {held_out} held out, {counts['users_evaluated']:,} customers to foresee,",
            "95 % intervals:",
        )
        print(_quality_in_words(table).to_string())
        print("", *found.sentences, sep="\n")
        self._report.section(
            "Quality",
            f"The last {held_out} were held out. Higher is better; the line is a 95 % interval.",
        )
        low, high = table["ndcg@10 low"], table["ndcg@10 high"]
        self._report.chart(
            interval_chart(
                table.index,
                table["ndcg@10"],
                low,
                high,
                title="NDCG@10",
                unit="mean over customers, 95 % interval",
                baseline=table.index[0],
            )
        )
        shown = ["ndcg@10", "ndcg@10 gain", "recall@10", "mrr@10", "coverage@10", "fit_s"]
        self._report.table(
            table[shown].reset_index(),
            highlight=["ndcg@10", "recall@10", "mrr@10", "coverage@10"],
            formats={"ndcg@10 gain": "+.4f", "coverage@10": ".1%", "fit_s": ".2f"},
        )
        self._report.table(pd.DataFrame({"Is it luck?": found.sentences}))

    def show_ranking(self, title: str, past: str, table: pd.DataFrame) -> None:
        """Show one visitor's recommendations."""
        self.tell(f"For {title}, {past}")
        print(table.to_string(index=False, max_colwidth=40))
        self._report.section(f"For {title}", past)
        self._report.table(table)

    def show_speed(self, milliseconds: Array) -> None:
        """Show how long an answer takes."""
        p50, p99 = np.percentile(milliseconds, [50, 99])
        words = f"One answer takes {p50:.2f} ms (median), {p99:.2f} ms (99th percentile)"
        self.tell(words)
        self._report.section("Speed", words + ".")

    def finish(self, path: Path, name: str, dataset: Dataset) -> None:
        """Show the seconds, and write the report."""
        seconds = pd.DataFrame({"step": self._seconds.keys(), "seconds": self._seconds.values()})
        total = time.perf_counter() - self._began
        self.tell(
            f"{total:.1f} s in all:", ", ".join(f"{k} {v:.1f} s" for k, v in self._seconds.items())
        )
        self._report.table(seconds)
        self._report.section("The log", f"{name}: {dataset!r}.")
        self._report.chart(_events_per_day(dataset))
        items = np.bincount(dataset.interactions.items, minlength=len(dataset.items))
        self._report.chart(long_tail_chart(items, title="How events spread over items"))
        print(f"Report: {self._report.write(path)}")


def _quality_in_words(table: pd.DataFrame) -> pd.DataFrame:
    words = pd.DataFrame(index=table.index)
    for name in ("ndcg@10", "recall@10"):
        words[name] = _with_interval(table, name, "{:.4f}")
    words["NDCG above the first"] = _with_interval(table, "ndcg@10 gain", "{:+.4f}")
    words["coverage@10"] = table["coverage@10"].map("{:.1%}".format)
    words["fit s"] = table["fit_s"].map("{:.2f}".format)
    return words


def _with_interval(table: pd.DataFrame, name: str, number: str) -> list[str]:
    """Write a value and its interval, as in ``0.0841 (0.0770 to 0.0914)``."""
    columns = table[[name, f"{name} low", f"{name} high"]]
    return [f"{number} ({number} to {number})".format(*row) for row in columns.to_numpy()]


def _events_per_day(dataset: Dataset) -> Markup:
    rows = dataset.interactions
    days = np.asarray(rows.timestamp) // _DAY_MS
    first = int(days.min())
    n_days = int(days.max()) - first + 1
    series = {"events": np.bincount(days - first)}
    bought = days[rows.event == PURCHASE]
    if 0 < len(bought) < len(days):
        series["purchases"] = np.bincount(bought - first, minlength=n_days)
    when = from_ms((first + np.arange(n_days)) * _DAY_MS)
    return line_chart(when, series, title="Events per day")
