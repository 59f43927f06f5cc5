"""The report: one file, safe, self-contained, small, and written all or nothing."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recopersona.errors import DataError
from recopersona.report import html
from recopersona.report.charts import bar_chart, interval_chart, line_chart, long_tail_chart
from recopersona.report.html import Report
from tests.report.pages import Drawing, Page

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def full_report(text, spec=None):
    """Every kind of content, with the text in every place that takes one."""
    frame = pd.DataFrame(
        {text: [text, None], "n": [1.5, 2.5]}, index=pd.Index([text] * 2, name=text)
    )
    wordy = {"title": text, "unit": text}
    labels = [text, "other"]
    return (
        Report(text, text)
        .section(text, f"{text}\n\n{text}")
        .section(text)
        .section(text)
        .facts({text: text})
        .note(text)
        .table(frame, text, highlight="n", formats={text: lambda value: value, "n": spec or ".1f"})
        .chart(
            interval_chart(labels, [1, 2], [0, 1], [2, 3], highlight=text, baseline=text, **wordy)
        )
        .chart(bar_chart(labels, [1, -2], number_format=lambda _: text, **wordy), text)
        .chart(line_chart([1, 2], {text: [1, 2], "b": [2, 1]}, **wordy))
        .chart(long_tail_chart([5, 2, 1, 0], things=text, **wordy))
        .chart(line_chart([], {text: []}, **wordy))
    )


@pytest.fixture(scope="module")
def page():
    return full_report("Tea & honey").to_html()


def test_hostile_text_is_shown_and_never_run():
    page = full_report(EVIL, spec=lambda _: EVIL).to_html()
    read, plain = Page(page), Page(full_report("x").to_html())
    assert read.tags["script"] == read.tags["img"] == 0
    # Long texts in charts take more lines, and hints; nothing else may differ.
    assert set(read.tags) == set(plain.tags)
    assert not [name for _, name, _ in read.attributes if name.startswith("on")]
    shown = [where for where, text in read.texts if text.strip() == EVIL]
    assert {"h1", "h2", "p", "a", "dt", "dd", "th", "td", "figcaption", "title"} <= set(shown)
    assert "<script" not in page
    assert "alert(1)</script>" not in page
    assert "onerror=alert(2)>" not in page


def test_hostile_text_survives_in_every_chart():
    for svg in (
        bar_chart([EVIL], [1], title=EVIL, unit=EVIL),
        interval_chart([EVIL], [1], [0], [2], title=EVIL, unit=EVIL),
        line_chart([1, 2], {EVIL: [1, 2]}, title=EVIL, unit=EVIL),
        long_tail_chart([1], title=EVIL, unit=EVIL, things=EVIL),
    ):
        drawing = Drawing(svg)
        assert drawing.title == EVIL
        assert not {node.tag for node in drawing.root.iter()} & {"script", "img"}


def test_the_page_asks_the_network_for_nothing(page):
    read = Page(page)
    links = {value for _, name, value in read.attributes if name in ("href", "src")}
    assert links == {"data:,", "#section-1", "#section-2", "#section-3"}
    outside = re.findall(r"\w+://[^\s\"']+", page)
    assert set(outside) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"url\(|@import|expression\(", page)
    assert not read.tags["script"]


def test_the_page_forbids_itself_scripts_and_the_network(page):
    policy = next(
        value for _, name, value in Page(page).attributes if name == "content" and "src" in value
    )
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_the_page_is_one_tree_with_its_parts_in_order(page):
    read = Page(page)
    assert read.tags["h1"] == read.tags["main"] == read.tags["header"] == 1
    assert (read.tags["h2"], read.tags["table"], read.tags["aside"]) == (3, 1, 1)
    assert page.startswith('<!doctype html>\n<html lang="en">')
    assert ("meta", "charset", "utf-8") in read.attributes
    order = [page.index(f"<{tag}") for tag in ("header", "h2", "dl", "aside", "table", "svg")]
    assert order == sorted(order)


def test_light_dark_phone_and_paper_are_provided_for(page):
    for medium in ("prefers-color-scheme:dark", "max-width:560px", "@media print"):
        assert medium in page
    assert ("meta", "name", "viewport") in Page(page).attributes


def test_every_colour_and_size_that_is_used_is_defined(page):
    used = set(re.findall(r"var\((--rp-[\w-]+)\)", page))
    defined = set(re.findall(r"(--rp-[\w-]+):", page))
    assert used <= defined


def test_every_look_that_is_used_has_a_style(page):
    styled = set(re.findall(r"\.([\w-]+)", html.PAGE_STYLE + page))
    looks = {
        look
        for _, name, value in Page(page).attributes
        if name == "class"
        for look in value.split()
    }
    assert looks - styled <= {"rp-chosen"}


def test_a_short_report_has_no_contents():
    assert "<nav" not in Report("A").section("B").section("C").to_html()
    assert "<nav" in Report("A").section("B").section("C").section("D").to_html()


def test_the_same_content_is_the_same_text(page):
    assert full_report("Tea & honey").to_html() == page


def test_a_rich_report_stays_below_two_megabytes(tmp_path):
    days = pd.date_range("2001-01-01", periods=8000)
    report = Report("Large")
    for place in range(20):
        report.chart(line_chart(days, {f"s{i}": np.arange(8000) for i in range(3)}))
        report.table(pd.DataFrame({"item_id": range(3000), "score": 0.5}), f"table {place}")
    size = report.write(tmp_path / "large.html").stat().st_size
    assert 100_000 < size < 2_000_000


def test_a_table_that_is_cut_says_how_much_is_missing():
    assert "and 1,700 more rows" in Report("A").table(pd.DataFrame({"a": range(2200)})).to_html()


@pytest.mark.parametrize(
    "svg", ["<svg><script>alert(1)</script></svg>", "a chart", html.Markup("<p>")]
)
def test_only_charts_are_taken_as_charts(svg):
    with pytest.raises(DataError, match=r"a chart must be what a function of recopersona\.report"):
        Report("A").chart(svg)


def test_a_report_is_written_and_its_path_returned(tmp_path):
    target = tmp_path / "reports" / "july" / "démo.html"
    assert Report("Thé & miel – 茶").write(str(target)) == target
    assert "<h1>Thé &amp; miel – 茶</h1>" in target.read_text(encoding="utf-8")
    assert list(target.parent.iterdir()) == [target]


def test_a_report_that_fails_leaves_the_old_one_and_no_rubbish(tmp_path, monkeypatch):
    target = Report("Old").write(tmp_path / "report.html")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        Report("New").write(target)
    assert "<h1>Old</h1>" in target.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(
        DataError, match=r"written to a file, got the folder .*; try '.*report\.html'"
    ):
        Report("A").write(tmp_path)


def test_no_plotting_library_is_loaded():
    code = (
        "import sys, recopersona.report.html, recopersona.report.charts\n"
        "sys.exit(bool({'matplotlib', 'plotly', 'jinja2', 'recopersona.cli'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
