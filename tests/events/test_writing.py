"""What is written comes back as it was, and appears only when it is complete."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from recopersona.errors import DataError, MissingExtraError
from recopersona.events.reading import read_events
from recopersona.events.writing import write_events
from recopersona.operations.traces import find_traces

EVENTS = pd.DataFrame(
    {
        "user_id": pd.Series(["anna", None, "ben"], dtype="str"),
        "item_id": pd.array([2**60 + 1, None, 3], dtype="Int64"),
        "event": ["view", "cart", "purchase"],
        "timestamp": pd.to_datetime(
            ["2026-07-01 10:00:00.123456", None, "2026-07-02 10:00:00"], format="ISO8601", utc=True
        ),
        "price": [1.5, np.nan, 2.0],
        "quantity": [1, 2, 3],
        "tags": [["a"], None, ["b", "c"]],
    }
)
EVENTS["timestamp"] = EVENTS["timestamp"].dt.as_unit("us")
FLAT = EVENTS.drop(columns="tags")


def test_events_come_back_as_they_were(tmp_path):
    path = tmp_path / "log.parquet"
    assert write_events(FLAT, path) == 3
    pd.testing.assert_frame_equal(read_events(path), FLAT)
    assert write_events(EVENTS, str(path)) == 3
    assert [list(tags) for tags in read_events(path)["tags"].dropna()] == [["a"], ["b", "c"]]


@pytest.mark.parametrize("kind", [pl.from_pandas, lambda f: pl.from_pandas(f).lazy(),
                                  lambda f: pa.Table.from_pandas(f)])  # fmt: skip
def test_frames_of_every_kind_are_written(tmp_path, kind):
    path = tmp_path / "log.parquet"
    write_events(kind(FLAT), path)
    pd.testing.assert_frame_equal(read_events(path), FLAT)


def test_pieces_are_written_one_after_the_other(tmp_path):
    pieces = (FLAT[start : start + 1] for start in range(3))
    assert write_events(pieces, tmp_path / "log.parquet") == 3
    pd.testing.assert_frame_equal(read_events(tmp_path / "log.parquet"), FLAT, check_dtype=False)


def test_a_log_passes_through_in_pieces(tmp_path):
    write_events(FLAT, tmp_path / "a.parquet")
    write_events(read_events(tmp_path / "a.parquet", chunk_rows=2), tmp_path / "b.parquet")
    pd.testing.assert_frame_equal(read_events(tmp_path / "b.parquet"), FLAT)


def test_a_column_without_values_in_the_first_piece_has_its_type(tmp_path):
    first = FLAT.assign(price=None, user_id=None, timestamp=None)
    assert write_events([first, FLAT], tmp_path / "log.parquet") == 6
    events = read_events(tmp_path / "log.parquet")
    pd.testing.assert_frame_equal(events[3:].reset_index(drop=True), FLAT)


def test_pieces_that_do_not_fit_are_refused_and_nothing_appears(tmp_path):
    path = tmp_path / "log.parquet"
    with pytest.raises(DataError, match=r"piece 1 holds .* in the column 'price', the first doub"):
        write_events([FLAT, FLAT.assign(price="free")], path)
    with pytest.raises(DataError, match="piece 1 has other columns than the first: 'price'"):
        write_events([FLAT, FLAT.drop(columns="price")], path)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_writer_leaves_what_was_there(tmp_path):
    path = tmp_path / "log.parquet"
    write_events(FLAT, path)

    def pieces():
        yield FLAT[:1]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_events(pieces(), path)
    assert len(read_events(path)) == 3
    assert [file.name for file in tmp_path.iterdir()] == ["log.parquet"]


def test_a_column_of_several_types_is_named(tmp_path):
    with pytest.raises(DataError, match="the column 'item_id' must hold values of one type"):
        write_events(EVENTS.assign(item_id=[1, "a", 2.5]), tmp_path / "log.parquet")
    with pytest.raises(DataError, match="more than one column named 'price'"):
        write_events(pd.concat([FLAT, FLAT[["price"]]], axis=1), tmp_path / "log.parquet")


@pytest.mark.parametrize("thing", [None, 3, "log.csv", [3]])
def test_what_is_no_frame_is_refused(tmp_path, thing):
    with pytest.raises(DataError, match="must be a dataframe"):
        write_events(thing, tmp_path / "log.parquet")


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere/log\.parquet cannot be written"):
        write_events(FLAT, tmp_path / "nowhere" / "log.parquet")
    with pytest.raises(DataError, match=r"writes Parquet, got 'log\.csv'"):
        write_events(FLAT, tmp_path / "log.csv")
    with pytest.raises(DataError, match="nothing to write"):
        write_events([], tmp_path / "log.parquet")


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r'writing parquet .*"recopersona\[arrow\]"'):
        write_events(FLAT, tmp_path / "log.parquet")


def test_a_file_without_a_single_group_of_rows_is_a_log_of_no_rows(tmp_path):
    columns = [(name, pa.string()) for name in ("user_id", "item_id")]
    parquet.ParquetWriter(tmp_path / "log.parquet", pa.schema(columns)).close()
    assert len(read_events(tmp_path / "log.parquet")) == 0
    assert [len(piece) for piece in read_events(tmp_path / "log.parquet", chunk_rows=5)] == [0]
    assert find_traces([tmp_path / "log.parquet"], ["u-0017"]) == []


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "+02:00"])
def test_times_keep_their_zone_and_their_gaps(tmp_path, zone):
    times = pd.Series(pd.to_datetime(["2026-07-01", None])).dt.tz_localize(zone)
    frame = pd.DataFrame({"user_id": ["anna", "ben"], "item_id": ["tea", "tea"]})
    write_events(frame.assign(timestamp=times), tmp_path / "log.parquet")
    schema = parquet.read_schema(tmp_path / "log.parquet")
    assert schema.field("timestamp").type.tz == zone
    read = read_events(tmp_path / "log.parquet")["timestamp"]
    pd.testing.assert_series_equal(read, times.dt.tz_convert("UTC"), check_names=False)
