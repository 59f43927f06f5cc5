"""Charts show what they are given, say it in words, and survive what real data brings."""

import re

import numpy as np
import pandas as pd
import pytest

from recopersona.errors import DataError
from recopersona.report.charts import bar_chart, interval_chart, line_chart, long_tail_chart
from recopersona.report.style import SERIES
from tests.report.pages import SVG, Drawing

NAN, INF = float("nan"), float("inf")


def intervals(labels=("ALS", "Popularity"), **options):
    values = np.linspace(0.2, 0.1, len(labels))
    return Drawing(interval_chart(labels, values, values - 0.02, values + 0.01, **options))


def percent(node, name):
    return float(node.get(name).rstrip("%"))


def points(drawing):
    """The points of all long strokes; strokes between lines and labels have pixels and two."""
    inside = [node for node in drawing.all("svg") if node.get("preserveAspectRatio") == "none"]
    strokes = [path.get("d") for svg in inside for path in svg.iter(f"{SVG}path")]
    return [re.findall(r"([-\d.]+) ([-\d.]+)", stroke) for stroke in strokes]


@pytest.mark.parametrize(
    "svg",
    [
        interval_chart(["a"], [1], [0], [2], title="T", unit="u"),
        bar_chart(["a"], [1], title="T", unit="u"),
        line_chart([1, 2], {"a": [1, 2]}, title="T", unit="u"),
        long_tail_chart([1, 2], title="T", unit="u"),
        bar_chart([], [], title="T", unit="u"),
    ],
)
def test_every_chart_can_be_read_out_and_says_its_unit(svg):
    drawing = Drawing(svg)
    assert drawing.root.get("role") == "img"
    assert drawing.title == "T"
    assert drawing.description
    assert {"T", "u"} <= set(drawing.texts)
    assert [node.tag for node in drawing.root][:2] == [f"{SVG}title", f"{SVG}desc"]


def test_a_long_title_takes_several_lines_and_loses_no_word():
    title = "How well each of the four models recommends on the last two weeks of the year"
    lines = [node.text for node in intervals(title=title).all("text", "rp-title")]
    assert len(lines) > 1
    assert " ".join(lines) == title


def test_an_interval_stands_around_its_value():
    drawing = intervals()
    spans, dots = drawing.all("line", "rp-range"), drawing.all("circle")
    assert len(spans) == len(dots) == 2
    for span, mark in zip(spans, dots, strict=True):
        assert percent(span, "x1") < percent(mark, "cx") < percent(span, "x2")
        assert span.get("y1") == mark.get("cy")
    assert percent(dots[0], "cx") > percent(dots[1], "cx")
    assert {"0.200 (0.180–0.210)", "0.100 (0.080–0.110)"} <= set(drawing.texts)


def test_the_baseline_stands_at_its_value_and_the_highlight_alone_stands_out():
    drawing = intervals(baseline="Popularity", highlight="ALS")
    mark, popular = drawing.all("line", "rp-mark")[0], drawing.all("circle")[1]
    assert mark.get("x1") == mark.get("x2") == popular.get("cx")
    assert len(drawing.all("g", "rp-chosen")) == len(drawing.all("g", "rp-quiet")) == 1
    assert {node.text for node in drawing.all("text", "rp-strong")} == {
        "ALS",
        "0.200 (0.180–0.210)",
    }


@pytest.mark.parametrize("option", ["highlight", "baseline"])
def test_a_misspelt_label_is_answered_with_the_near_one(option):
    with pytest.raises(DataError, match=rf"{option} must be .* 'Popularty'; did you mean 'Popula"):
        intervals(**{option: "Popularty"})


def test_missing_numbers_leave_their_row_and_its_name():
    drawing = Drawing(interval_chart("abc", [NAN, 0.5, INF], [0, NAN, 0], [1, NAN, 1]))
    assert len(drawing.all("circle")) == 1
    assert len(drawing.all("line", "rp-range")) == 2
    assert {"a", "b", "c", "0.50"} <= set(drawing.texts)
    assert "c: – (0.00–1.00)" in drawing.description


def test_a_baseline_without_a_value_is_not_drawn():
    drawing = Drawing(interval_chart("ab", [NAN, 1], [NAN] * 2, [NAN] * 2, baseline="a"))
    assert not drawing.all("line", "rp-mark")


def test_an_interval_the_wrong_way_round_is_refused():
    with pytest.raises(DataError, match=r"from low to high, got 0\.6 to 0\.4 for 'b'"):
        interval_chart("ab", [0.5, 0.5], [0.4, 0.6], [0.6, 0.4])


def test_bars_are_as_long_as_their_values_and_start_at_zero():
    bars = Drawing(bar_chart(["a", "b", "c"], [300, 150, 0])).all("rect")
    widths = [percent(bar, "width") for bar in bars]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.01)
    assert widths[2] == 0
    assert {percent(bar, "x") for bar in bars} == {0}


def test_a_negative_bar_ends_where_a_positive_one_starts():
    drawing = Drawing(bar_chart(["up", "down"], [10, -20]))
    up, down = drawing.all("rect")
    assert percent(down, "x") + percent(down, "width") == pytest.approx(percent(up, "x"), abs=0.01)
    assert [node.text for node in drawing.all("text", "rp-before")] == ["−20"]


def test_a_missing_bar_reads_as_a_dash():
    assert "–" in Drawing(bar_chart(["a", "b"], [None, 3])).texts


@pytest.mark.parametrize("values", [[5, 5, 5], [0, 0], [1e-12, 1e-12], [NAN, NAN], [-2], [1e299]])
def test_no_number_leaves_the_plot(values):
    svg = bar_chart(range(len(values)), values)
    for bar in Drawing(svg).all("rect"):
        assert -0.01 <= percent(bar, "x") <= percent(bar, "x") + percent(bar, "width") <= 100.01
    assert "nan" not in svg
    assert "inf%" not in svg


def test_a_very_long_label_is_cut_where_it_stands_and_whole_where_one_points():
    name = "WHITE HANGING HEART T-LIGHT HOLDER WITH A RIBBON"
    drawing = Drawing(bar_chart([name], [1]))
    label = drawing.all("text", "rp-label")[0]
    assert label.text == "WHITE HANGING HEART T-LIGHT H…"
    assert drawing.all("g")[0].find(f"{SVG}title").text == f"{name}: 1"
    assert name in drawing.description


def test_labels_without_end_are_counted_instead_of_drawn():
    drawing = Drawing(bar_chart(range(100), range(100)))
    assert len(drawing.all("rect")) == 60
    assert "and 40 more" in drawing.texts
    assert drawing.description.endswith("and 70 more")


def test_values_and_ticks_are_written_in_the_callers_way():
    texts = Drawing(bar_chart(["a"], [0.5], number_format=".0%")).texts
    assert {"50%", "20%"} <= set(texts)


def test_each_line_goes_through_its_points_and_is_named_at_its_end():
    drawing = Drawing(line_chart([0, 1, 2], {"a": [0, 10, 5], "b": [5, 5, 5]}))
    assert points(drawing) == [
        [("0.00", "100.00"), ("50.00", "0.00"), ("100.00", "50.00")],
        [("0.00", "50.00"), ("50.00", "50.00"), ("100.00", "50.00")],
    ]
    labels = drawing.all("text", "rp-led")
    assert [label.text for label in labels] == ["a", "b"]
    assert abs(float(labels[0].get("y")) - float(labels[1].get("y"))) >= 16


def test_points_are_joined_in_the_order_of_x():
    one = line_chart([2, 0, 1], {"a": [5, 0, 10]})
    assert one == line_chart([0, 1, 2], {"a": [0, 10, 5]})


def test_a_gap_breaks_the_line_and_a_lonely_point_is_a_dot():
    drawing = Drawing(line_chart(range(6), {"a": [1, 2, NAN, 3, INF, 4]}))
    assert points(drawing) == [[("0.00", "75.00"), ("20.00", "50.00")]]
    assert [percent(mark, "cx") for mark in drawing.all("circle")] == [60, 100, 100]


@pytest.mark.parametrize(
    "x",
    [
        pd.date_range("2011-01-01", periods=3, tz="Europe/Paris"),
        pd.period_range("2011-01-01", periods=3, freq="D"),
        list(pd.date_range("2011-01-01", periods=3).date),
        ["2011-01-01", "2011-01-02", "2011-01-03"],
        np.array(["2011-01-01", "2011-01-02", "2011-01-03"], "datetime64[D]"),
    ],
    ids=["zoned", "periods", "dates", "text", "datetime64"],
)
def test_time_is_read_in_all_its_shapes(x):
    texts = Drawing(line_chart(x, {"purchase": [1, 2, 3]})).texts
    assert "2 Jan" in " ".join(filter(None, texts))


def test_a_long_line_is_thinned_and_keeps_its_extremes():
    values = np.sin(np.arange(50_000) / 7)
    values[31_313] = 9.0
    svg = line_chart(np.arange(50_000), {"a": values})
    (stroke,) = points(Drawing(svg))
    assert len(stroke) <= 1202
    assert min(float(y) for _, y in stroke) == 8.0  # 9 on an axis from −2.5 to 10
    assert len(svg) < 40_000


def test_more_series_than_colours_are_told_apart_by_broken_lines():
    drawing = Drawing(line_chart([0, 1], {f"s{i}": [i, i] for i in range(SERIES + 1)}))
    first, repeated = drawing.all("path", "rp-s0")[0], drawing.all("path", "rp-broken")[0]
    assert first.get("class") + " rp-broken" == repeated.get("class")


def test_labels_of_lines_that_end_together_do_not_cover_each_other():
    drawing = Drawing(line_chart([0, 1], {f"s{i}": [1, 1] for i in range(12)}))
    places = sorted(float(node.get("y")) for node in drawing.all("text", "rp-led"))
    assert min(np.diff(places)) >= 16 - 1e-9
    assert 0 <= places[0] <= places[-1] <= 220


@pytest.mark.parametrize(
    ("x", "series"),
    [([], {}), ([1, 2], {}), ([], {"a": []}), ([1, 2], {"a": [NAN, NAN]})],
)
def test_nothing_to_draw_is_said(x, series):
    assert "nothing to draw" in Drawing(line_chart(x, series)).texts


def test_a_single_point_stands_in_the_middle():
    (mark, _) = Drawing(line_chart([7], {"a": [3]})).all("circle")
    assert percent(mark, "cx") == 50


def test_an_x_without_a_value_is_refused():
    with pytest.raises(DataError, match="a line needs every x, got a missing one at place 1"):
        line_chart([1, None, 3], {"a": [1, 2, 3]})
    with pytest.raises(DataError, match="missing one at place 0"):
        line_chart([pd.NaT, pd.Timestamp("2011-01-01")], {"a": [1, 2]})


@pytest.mark.parametrize(
    "draw",
    [
        lambda: bar_chart(["a", "b"], [1]),
        lambda: line_chart([1, 2], {"a": [1]}),
        lambda: interval_chart(["a", "b"], [1, 2], [1], [2, 3]),
    ],
)
def test_lengths_that_differ_are_refused(draw):
    with pytest.raises(DataError, match="must be as many as the labels or x: 2, got 1"):
        draw()


def test_text_among_the_numbers_is_named():
    with pytest.raises(DataError, match="values must be numbers, got 'many' in row 1"):
        bar_chart(["a", "b"], [1, "many"])


def test_the_long_tail_says_how_few_share_half():
    counts = [1000] * 2 + [1] * 998 + [0] * 50
    drawing = Drawing(long_tail_chart(counts, things="products", unit="purchases"))
    assert "half of all purchases: 2 of 1,000 products (0.2%)" in drawing.texts
    assert "left out, without any: 50" in drawing.texts
    mark = drawing.all("line", "rp-mark")[0]
    assert percent(mark, "x1") == pytest.approx(100 * np.log10(2) / 3, abs=0.01)


def test_the_order_of_the_counts_does_not_matter():
    assert long_tail_chart([1, 50, 7]) == long_tail_chart(np.array([[50, 7, 1]]))


def test_a_whole_catalogue_stays_small():
    counts = np.random.default_rng(0).pareto(1, 200_000) * 100
    svg = long_tail_chart(counts)
    assert len(svg) < 20_000
    assert "nan" not in svg


@pytest.mark.parametrize("counts", [[], [0, 0], [NAN]])
def test_an_empty_shop_has_no_tail(counts):
    assert "nothing to draw" in Drawing(long_tail_chart(counts)).texts


@pytest.mark.parametrize("counts", [[3], [5, 5, 5], [1, 1], [0.25, 4]])
def test_a_short_tail_is_drawn(counts):
    drawing = Drawing(long_tail_chart(counts))
    for mark in drawing.all("circle"):
        assert -0.01 <= percent(mark, "cx") <= 100.01
        assert -0.01 <= float(mark.get("cy")) <= 220.01


def test_negative_counts_are_refused():
    with pytest.raises(DataError, match="counts must be at least 0, got -3"):
        long_tail_chart([1, -3])
