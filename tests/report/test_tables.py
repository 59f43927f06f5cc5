"""Tables align, round and mark what they show, and never change the frame."""

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from recopersona.errors import ColumnError, DataError
from recopersona.report.tables import left_out, table
from tests.report.pages import Page

SCORES = pd.DataFrame(
    {"ndcg": [0.1821, 0.07, 0.1821], "fit_s": [4.25, 0.04, None]},
    index=pd.Index(["ALS", "Popularity", "ItemKNN"], name="model"),
)


def cells(html):
    return [text for where, text in Page(html).texts if where in ("th", "td")]


def marked(html, look):
    return [
        value
        for tag, name, value in Page(html).attributes
        if tag == "td" and name == "class" and look in value.split()
    ]


def test_numbers_of_a_column_have_the_same_decimals_and_stand_right():
    html = table(SCORES)
    assert cells(html) == [
        *("model", "ndcg", "fit_s"),
        *("ALS", "0.182", "4.25"),
        *("Popularity", "0.070", "0.04"),
        *("ItemKNN", "0.182", "–"),
    ]
    assert len(marked(html, "num")) == 6


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_pandas_polars_and_arrow_make_the_same_table(make):
    columns = {"item_id": ["tea", "honey"], "score": [0.5, 0.25]}
    assert table(make(columns)) == table(pd.DataFrame(columns))


def test_the_best_of_a_column_stands_out_with_its_equals():
    assert len(marked(table(SCORES, highlight="ndcg"), "best")) == 2
    html = table(SCORES, highlight={"fit_s": "min"})
    assert '<td class="num best">0.04</td>' in html
    assert html.count("best") == 1


def test_a_column_of_gaps_has_no_best():
    assert "best" not in table(pd.DataFrame({"a": [None, None]}), highlight=["a"])


@pytest.mark.parametrize("name", ["customer_id", "InvoiceNo", "StockCode", "id", "year", "user ID"])
def test_numbers_that_are_names_stay_as_they_are(name):
    html = table(pd.DataFrame({"n": [1, 2], name: [17850.0, None]}))
    assert cells(html)[2:] == ["1", "17850", "2", "–"]
    assert not marked(html, "num")


@pytest.mark.parametrize("name", ["score", "piano", "avoid", "decade"])
def test_other_names_are_quantities(name):
    assert "17,850" in cells(table(pd.DataFrame({"n": [1], name: [17850]})))


def test_formats_are_taken_by_column():
    html = table(SCORES, formats={"ndcg": ".1%", "fit_s": lambda seconds: f"{seconds:.1f} s"})
    assert cells(html)[4:] == [
        *("18.2%", "4.2 s", "Popularity"),
        *("7.0%", "0.0 s", "ItemKNN"),
        *("18.2%", "–"),
    ]


def test_row_numbers_are_left_out_and_other_indexes_are_shown():
    frame = pd.DataFrame({"a": [1, 2]})
    assert cells(table(frame)) == ["a", "1", "2"]
    assert cells(table(frame.sort_values("a", ascending=False))) == ["a", "2", "1"]
    assert cells(table(frame.set_index(pd.Index(["x", "y"])))) == ["a", "x", "1", "y", "2"]
    assert cells(table(frame.set_index(pd.Index([7, 9], name="week"))))[0] == "week"
    levels = pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["shop", "week"])
    assert cells(table(frame.set_index(levels)))[:3] == ["shop", "week", "a"]


def test_columns_on_two_levels_and_columns_of_one_name_are_all_shown():
    two = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("ndcg", 10), ("ndcg", 20)]))
    assert cells(table(two))[:2] == ["ndcg · 10", "ndcg · 20"]
    assert cells(table(pd.DataFrame([[1, 2]], columns=["a", "a"]))) == ["a", "a", "1", "2"]


def test_values_of_every_kind_have_a_text():
    frame = pd.DataFrame(
        {
            "name": ["tea", None],
            "when": pd.to_datetime(["2011-12-09 12:50", None]),
            "gift": [True, False],
            "tags": [["hot", "green"], []],
            "kind": pd.Categorical(["a", "b"]),
            "count": pd.array([1200, None], "Int64"),
        }
    )
    assert {"tea", "–", "2011-12-09 12:50", "yes", "no", "hot, green", "a", "b", "1,200"} <= set(
        cells(table(frame))
    )


def test_a_frame_without_rows_says_so():
    assert cells(table(SCORES.iloc[:0]))[-1] == "no rows"
    assert cells(table(pd.DataFrame())) == ["no rows"]


def test_rows_without_end_are_cut_and_counted():
    frame = pd.DataFrame({"a": range(1200)})
    assert table(frame).count("<tr>") == 501
    assert left_out(frame) == 700


def test_the_callers_frame_is_never_changed():
    frame = pd.DataFrame({"a": [1.5, None], "b": ["x", "y"]}, index=["p", "q"])
    before = frame.copy()
    table(frame, highlight="a", formats={"a": ".1f"})
    pd.testing.assert_frame_equal(frame, before)


def test_a_misspelt_column_is_answered_with_the_near_one():
    with pytest.raises(ColumnError, match=r"highlight: .* no column 'ndgc'; did you mean 'ndcg'"):
        table(SCORES, highlight="ndgc")
    with pytest.raises(ColumnError, match="no column 'xyz'; its columns are model, ndcg, fit_s"):
        table(SCORES, formats={"xyz": ".1f"})


def test_a_direction_that_is_none_is_refused():
    with pytest.raises(DataError, match=r"highlight\['ndcg'\] must be 'max' or 'min', got 'high'"):
        table(SCORES, highlight={"ndcg": "high"})


def test_text_cannot_be_the_best():
    with pytest.raises(DataError, match="column 'name', highlighted, must be numbers, got 'tea'"):
        table(pd.DataFrame({"name": ["tea"]}), highlight="name")


def test_what_is_no_frame_is_refused():
    with pytest.raises(DataError, match="the rows of a table must be a dataframe"):
        table([1, 2, 3])
