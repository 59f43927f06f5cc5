import time

import numpy as np
import pandas as pd
import polars as pl
import pytest

from recopersona.data.feature_table import COLUMN_KINDS, FeatureTable
from recopersona.data.ids import IdMap
from recopersona.data.times import MISSING_TIME
from recopersona.errors import ColumnError, DataError, ParameterError

CATALOGUE = pd.DataFrame({
    "item_id": ["tea", "salt", "mug"],
    "price": [4.5, None, 12.0],
    "brand": ["Ito", None, "Cove"],
    "tags": [["green", "loose"], [], ["blue"]],
    "gift": [True, None, False],
    "name": ["a fine green tea", "a pound of salt", "one blue mug"],
    "created_at": ["2026-01-01", None, "2026-01-03"],
})  # fmt: skip


def table(frame=CATALOGUE, ids=(), **options):
    return FeatureTable.from_frame(frame, IdMap(ids), "item_id", **options)


def plain(values):
    return [None if np.ndim(value) == 0 and pd.isna(value) else value for value in values]


def test_each_column_is_of_the_kind_that_its_values_have():
    kinds = {name: table().column(name).kind for name in table().names}
    assert kinds == {
        "price": "number", "brand": "category", "tags": "set", "gift": "flag", "name": "text",
        "created_at": "time",
    }  # fmt: skip


def test_what_is_unknown_stays_unknown():
    items = table()
    assert plain(items["price"]) == [4.5, None, 12.0]
    assert plain(items["brand"]) == ["Ito", None, "Cove"]
    assert plain(items["tags"]) == [("green", "loose"), (), ("blue",)]
    assert plain(items["gift"]) == [True, None, False]
    assert plain(items["name"])[1] == "a pound of salt"
    assert items["created_at"].isna().tolist() == [False, True, False]
    assert items.column("created_at").values[1] == MISSING_TIME


def test_rows_stand_where_the_map_says():
    items = table(ids=["mug", "honey"])
    assert items.ids.ids.tolist() == ["mug", "honey", "tea", "salt"]
    assert plain(items["price"]) == [12.0, None, 4.5, None]
    assert plain(items["tags"])[1] == ()


def test_a_polars_catalogue_is_read_the_same():
    items = table(pl.from_pandas(CATALOGUE.drop(columns=["gift"])))
    assert plain(items["tags"]) == plain(table()["tags"])
    assert plain(items["price"]) == plain(table()["price"])


def test_a_kind_may_be_chosen():
    items = table(CATALOGUE[["item_id", "name"]], kinds={"name": "category"})
    assert items.column("name").kind == "category"


@pytest.mark.parametrize(
    ("frame", "kind", "words"),
    [({"gift": ["maybe"]}, "flag", "gift must hold true or false, got 'maybe'"),
     ({"size": ["large"]}, "number", "size must be numbers, got 'large' in row 0"),
     ({"since": ["soon"]}, "time", "since must hold times, got 'soon' in row 0")],
)  # fmt: skip
def test_values_must_be_of_the_kind_chosen(frame, kind, words):
    with pytest.raises(DataError, match=words):
        table(pd.DataFrame({"item_id": ["tea"], **frame}), kinds=dict.fromkeys(frame, kind))


def test_an_unknown_kind_is_refused():
    with pytest.raises(
        ParameterError, match=r"kind of 'price' must be one of number, flag.*got 'money'"
    ):
        table(kinds={"price": "money"})


def test_a_kind_of_no_column_is_refused():
    with pytest.raises(ColumnError, match="no column 'prise'; did you mean 'price'"):
        table(kinds={"prise": "number"})


def test_reserved_columns_have_the_kind_of_their_meaning():
    items = table(pd.DataFrame({"item_id": [1, 2], "brand": [7, 8], "stock": ["3", "4"]}))
    assert items.column("brand").kind == "category"
    assert items["stock"].tolist() == [3.0, 4.0]


def test_a_misspelt_column_is_named():
    with pytest.raises(ColumnError, match=r"^no column 'prise'; did you mean 'price'\?$"):
        table()["prise"]
    with pytest.raises(ColumnError, match=r"^no column 'weather'; there are none\.$"):
        FeatureTable(IdMap())["weather"]


@pytest.mark.parametrize("kind", COLUMN_KINDS)
def test_an_update_overwrites_the_rows_it_names(kind):
    name = {"number": "price", "flag": "gift", "time": "created_at", "text": "name",
            "category": "brand", "set": "tags"}[kind]  # fmt: skip
    fresh = {"number": 9.0, "flag": True, "time": pd.Timestamp("2026-02-02", tz="UTC"),
             "text": "new words", "category": "Dune", "set": ("red", "green")}[kind]  # fmt: skip
    items = table()
    before = plain(items[name])
    change = pd.DataFrame({"item_id": ["salt", "honey"], name: [fresh, fresh]})
    assert items.update(change, "item_id") == 1
    assert plain(items[name]) == [before[0], fresh, before[2], fresh]
    assert items.column(name).kind == kind


def test_an_update_of_one_rows_tags_reads_no_other():
    """A catalogue has many rows, and a change is one."""
    ids, n = np.arange(200_000), 200_000
    items = table(pd.DataFrame({"item_id": ids, "tags": [("a", "b")] * n}))
    start = time.process_time()
    items.update(pd.DataFrame({"item_id": [7], "tags": [("c", "a", "d")]}), "item_id")
    taken = time.process_time() - start
    assert [items.column("tags").at(row) for row in (6, 7, 8)] == [
        ("a", "b"), ("c", "a", "d"), ("a", "b"),
    ]  # fmt: skip
    assert taken < 0.2


def test_an_update_leaves_other_columns_alone_and_may_bring_new_ones():
    items = table()
    items.update(pd.DataFrame({"item_id": ["salt"], "stock": [3]}), "item_id")
    assert plain(items["stock"]) == [None, 3.0, None]
    assert plain(items["price"]) == [4.5, None, 12.0]


def test_an_update_must_be_of_the_kind_that_is_there():
    items = table()
    with pytest.raises(DataError, match="price must be numbers, got 'dear'"):
        items.update(pd.DataFrame({"item_id": ["tea", "honey"], "price": ["dear", "5"]}), "item_id")
    assert items.ids.ids.tolist() == ["tea", "salt", "mug"]
    assert plain(items["price"]) == [4.5, None, 12.0]


@pytest.mark.parametrize("name", CATALOGUE.columns[1:])
def test_a_column_grows_with_the_map(name):
    items = table()
    before = plain(items[name])
    items.ids.extend(["honey", "cake"])
    nothing = () if name == "tags" else None
    assert plain(items[name]) == [*before, nothing, nothing]
    assert len(items.to_frame()) == 5


@pytest.mark.parametrize("name", CATALOGUE.columns[1:])
def test_a_forgotten_row_is_unknown(name):
    items = table()
    before = plain(items[name])
    items.forget([0])
    assert plain(items[name]) == [() if name == "tags" else None, *before[1:]]


@pytest.mark.parametrize("name", ["brand", "tags"])
def test_values_that_only_a_forgotten_row_had_are_held_no_longer(name):
    items = table()
    items.forget([0])
    held = [value for value in items.column(name).categories if value is not None]
    assert held == {"brand": ["Cove"], "tags": ["blue"]}[name]
    assert plain(items.to_frame()[name])[2] == plain(table()[name])[2]


def test_a_copy_is_updated_alone():
    items = table()
    copy = items.copy()
    copy.update(pd.DataFrame({"item_id": ["tea", "honey"], "price": [1.0, 2.0]}), "item_id")
    assert plain(items["price"]) == [4.5, None, 12.0]
    assert plain(copy["price"]) == [1.0, None, 12.0, 2.0]


def test_a_changed_frame_does_not_change_the_table():
    items = table()
    frame = items.to_frame()
    frame["price"] = 0.0
    frame.loc[0, "brand"] = "Cove"
    assert plain(items["price"]) == [4.5, None, 12.0]
    assert plain(items.to_frame()["brand"]) == ["Ito", None, "Cove"]


def test_the_frame_follows_an_update():
    items = table()
    items.to_frame()
    items.update(pd.DataFrame({"item_id": ["tea"], "price": [1.0]}), "item_id")
    assert items.to_frame()["price"].tolist()[0] == 1.0


def test_one_row_per_id():
    twice = pd.DataFrame({"item_id": [1, 1, 2], "price": [1, 2, 3]})
    with pytest.raises(DataError, match=r"item_id must be distinct, got 1 more than once \(1 rows"):
        table(twice)
    with pytest.raises(DataError, match="1 rows have no item_id; drop or name them"):
        table(pd.DataFrame({"item_id": ["tea", None], "price": [1, 2]}))


def test_a_table_says_what_it_holds():
    assert repr(table()).startswith("FeatureTable(3 rows: price number,")
    assert "price" in table()
    assert "stock" not in table()
