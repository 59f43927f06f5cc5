"""A log read in pieces is the log read whole, and needs the memory of one piece."""

import gzip
import json
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recopersona.base import memory
from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.events.reading import read_events
from tests.events.exports import as_json_lines, ga4_log, segment_call, segment_order, ua_session

ROWS = [
    {"user_id": 1, "item_id": "7", "price": 1, "quantity": 1, "timestamp": "2026-07-01T10:00:00Z"},
    {"user_id": 2, "item_id": "8", "price": 2, "quantity": 1, "timestamp": "2026-07-01T10:00:00Z"},
    {"user_id": 3, "item_id": "9", "price": 2.5, "quantity": None, "timestamp": None},
    {"user_id": None, "item_id": "007", "price": None, "quantity": 2, "timestamp": None},
    {"user_id": 2**59 + 1, "item_id": "x", "price": 1, "quantity": 2, "timestamp": None},
]


def csv_at(path, rows):
    names = list(rows[0])
    lines = [",".join(names)]
    lines += [",".join("" if row[n] is None else str(row[n]) for n in names) for row in rows]
    path.write_text("\n".join(lines))
    return path


def parquet_at(path, rows):
    types = [
        ("user_id", pa.int64()),
        ("item_id", pa.string()),
        ("price", pa.float64()),
        ("quantity", pa.int64()),
        ("timestamp", pa.string()),
        ("colour", pa.string()),
    ]
    schema = pa.schema([(name, kind) for name, kind in types if name in rows[0]])
    pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=2)
    return path


def json_at(path, rows):
    return as_json_lines(path, rows)


KINDS = {"csv": csv_at, "parquet": parquet_at, "jsonl": json_at}


@pytest.mark.parametrize("n_rows", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_the_pieces_together_are_the_whole(tmp_path, kind, n_rows):
    path = KINDS[kind](tmp_path / f"log.{kind}", ROWS)
    whole = read_events(path)
    pieces = list(read_events(path, chunk_rows=n_rows))
    assert max(map(len, pieces)) <= n_rows
    assert [piece.dtypes.to_dict() for piece in pieces] == [whole.dtypes.to_dict()] * len(pieces)
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_ids_have_one_type_in_all_pieces(tmp_path, kind):
    path = KINDS[kind](tmp_path / f"log.{kind}", ROWS)
    pieces = list(read_events(path, chunk_rows=1))
    assert pieces[0]["item_id"].tolist() == ["7"]
    assert pieces[4]["user_id"][0] == 2**59 + 1
    assert pieces[0]["user_id"].dtype == "Int64"


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_a_glob_have_one_type_too(tmp_path, kind):
    KINDS[kind](tmp_path / f"1.{kind}", ROWS[:2])
    KINDS[kind](tmp_path / f"2.{kind}", [row | {"colour": "red"} for row in ROWS[2:]])
    whole = read_events(tmp_path / f"*.{kind}")
    pieces = list(read_events(tmp_path / f"*.{kind}", chunk_rows=2))
    assert list(map(len, pieces)) == [2, 2, 1]
    assert [list(piece) for piece in pieces] == [list(whole)] * 3
    joined = pd.concat(pieces, ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole, check_dtype=False)
    assert whole["user_id"].tolist()[:3] == [1, 2, 3]
    assert whole["item_id"].tolist()[0] == "7"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_compressed_files_are_read_in_pieces(tmp_path, kind):
    path = KINDS[kind](tmp_path / f"log.{kind}", ROWS)
    packed = tmp_path / f"log.{kind}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    pieces = pd.concat(list(read_events(packed, chunk_rows=2)), ignore_index=True)
    pd.testing.assert_frame_equal(pieces, read_events(path))


@pytest.mark.parametrize(
    "rows", [ga4_log(), [ua_session(), ua_session(fullVisitorId="7")],
             [segment_call(), segment_order()]],
    ids=["ga4", "ua", "segment"],
)  # fmt: skip
def test_nested_logs_are_read_in_pieces(tmp_path, rows):
    path = as_json_lines(tmp_path / "log.jsonl", rows)
    whole = read_events(path)
    pieces = list(read_events(path, chunk_rows=1))
    assert len(pieces) == len(rows)
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), whole)


def test_a_frame_is_read_in_pieces_of_its_own_kind():
    log = pl.DataFrame({"user_id": [1, 2, 3], "item_id": ["a", "b", "c"]})
    pieces = list(read_events(log, chunk_rows=2))
    assert [len(piece) for piece in pieces] == [2, 1]
    assert pl.concat(pieces).equals(log)


def test_an_empty_log_is_one_empty_piece(tmp_path):
    path = csv_at(tmp_path / "log.csv", ROWS)
    path.write_text(path.read_text().splitlines()[0])
    assert list(map(len, read_events(path, chunk_rows=2))) == [0]
    pd.DataFrame(ROWS)[:0].to_parquet(tmp_path / "log.parquet")
    assert list(map(len, read_events(tmp_path / "log.parquet", chunk_rows=2))) == [0]
    assert list(map(len, read_events(pd.DataFrame(ROWS)[:0], chunk_rows=2))) == [0]


def test_mistakes_are_named_before_the_first_piece(tmp_path):
    path = csv_at(tmp_path / "log.csv", [{"who": 1, "sku": 2}])
    with pytest.raises(ColumnError, match="no schema fits"):
        read_events(path, chunk_rows=1)


@pytest.mark.parametrize("n_rows", [0, -1, 1.5, "many", True])
def test_pieces_have_rows(n_rows):
    with pytest.raises(ParameterError, match="chunk_rows must be an integer of at least 1"):
        read_events(pd.DataFrame(ROWS), chunk_rows=n_rows)


def test_a_log_that_cannot_fit_is_refused_with_what_to_type(tmp_path, monkeypatch):
    for kind in KINDS:
        path = KINDS[kind](tmp_path / f"log.{kind}", ROWS * 50)
        with monkeypatch.context() as machine:
            machine.setattr(memory, "available_memory", lambda: 2_000)
            with pytest.raises(
                DataError, match=r"read_events needs .* for .*log\..*; read piece by piece with "
                "chunk_rows=1_000_000",
            ):  # fmt: skip
                read_events(path)
            assert len(list(read_events(path, chunk_rows=100))) == 3
        assert len(read_events(path)) == 250


def test_pieces_need_the_memory_of_one(tmp_path):
    path = tmp_path / "log.jsonl"
    line = json.dumps({"user_id": "u" * 50, "item_id": "i" * 50}) + "\n"
    path.write_text(line * 40_000)
    read_events(path, chunk_rows=1_000)  # what is imported on the way does not count
    tracemalloc.start()
    assert sum(map(len, read_events(path, chunk_rows=1_000))) == 40_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(line) * 40_000


def test_integers_of_parquet_with_gaps_stay_exact(tmp_path):
    frame = pd.DataFrame({"user_id": pd.array([2**59 + 1, None], "Int64"), "item_id": [1, 2]})
    frame.to_parquet(tmp_path / "log.parquet")
    events = read_events(tmp_path / "log.parquet")
    assert events["user_id"][0] == 2**59 + 1
    assert events["item_id"].dtype == np.int64
