"""Files are read as they are written, and a broken one is named in one sentence."""

import gzip
import json
import logging
import sys

import pandas as pd
import pytest

from recopersona.errors import DataError, MissingExtraError, ParameterError
from recopersona.events.reading import read_events


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def csv_of(folder, *lines, header="user_id,item_id,timestamp,price"):
    return written(folder / "log.csv", "\n".join([header, *lines]))


# CSV ----------------------------------------------------------------------------------------------


def test_a_csv_file_is_read(tmp_path):
    events = read_events(csv_of(tmp_path, "anna,tea,2026-01-31T10:00:00Z,1.50", "ben,salt,,2"))
    assert events["user_id"].tolist() == ["anna", "ben"]
    assert events["price"].tolist() == [1.5, 2.0]
    assert events["timestamp"][0] == pd.Timestamp("2026-01-31 10:00", tz="UTC")
    assert events["timestamp"].isna().tolist() == [False, True]


def test_a_path_may_be_text(tmp_path):
    assert len(read_events(str(csv_of(tmp_path, "anna,tea,,1")))) == 1


@pytest.mark.parametrize(
    ("written_ids", "read_ids"),
    [
        (["7", "12"], [7, 12]),
        (["007", "12"], ["007", "12"]),
        (["7", "+12"], ["7", "+12"]),
        (["1.10", "1.1"], ["1.10", "1.1"]),
        (["1e3", "1000"], ["1e3", "1000"]),
        (["0", "-5"], [0, -5]),
        (["-0", "1"], ["-0", "1"]),
        (["17850.0", "14527.0"], [17850, 14527]),
        (["17850.0", "14527"], ["17850.0", "14527"]),
        (["999999999999999999", "1"], [999999999999999999, 1]),
        (["9" * 30, "1"], ["9" * 30, "1"]),
        (["NA", "null"], ["NA", "null"]),
        ([" 7", "8"], [" 7", "8"]),
        (["٧", "8"], ["٧", "8"]),  # noqa: RUF001
    ],
)
def test_ids_stay_as_they_are_written(tmp_path, written_ids, read_ids):
    events = read_events(csv_of(tmp_path, *(f"{id_},{id_},," for id_ in written_ids)))
    assert events["user_id"].tolist() == read_ids
    assert events["item_id"].tolist() == read_ids


def test_a_gap_among_integer_ids_does_not_blur_them(tmp_path):
    path = csv_of(tmp_path, "115292150460684697,1,,", ",1,,")
    assert read_events(path)["user_id"][0] == 115292150460684697
    assert read_events(path)["user_id"].isna().tolist() == [False, True]


def test_times_may_be_numbers_in_a_csv_file(tmp_path):
    assert read_events(csv_of(tmp_path, "a,b,1700000000,"))["timestamp"].tolist() == [1700000000]


def test_a_column_of_prices_with_a_word_in_it_stays_text(tmp_path):
    events = read_events(csv_of(tmp_path, "a,b,,1.5", "a,b,,free"))
    assert events["price"].tolist() == ["1.5", "free"]


@pytest.mark.parametrize("storage", ["python", "pyarrow"])
def test_both_string_storages_read_alike(tmp_path, storage):
    path = csv_of(tmp_path, "007,12,2026-01-31,1.5", ",13,soon,")
    with pd.option_context("mode.string_storage", storage):
        events = read_events(path)
    assert events["user_id"].tolist()[0] == "007"
    assert events["item_id"].tolist() == [12, 13]
    assert events["timestamp"].tolist() == ["2026-01-31T00:00:00.000000Z", "soon"]


def test_another_encoding_is_read_and_said(tmp_path, caplog):
    path = written(tmp_path / "log.csv", "user_id,item_id\nJosé’s,tea\n", "cp1252")
    with caplog.at_level(logging.WARNING):
        assert read_events(path)["user_id"].tolist() == ["José’s"]
    assert "is not in UTF-8; reading it as Windows-1252" in caplog.text


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    path = written(tmp_path / "log.csv", "user_id,item_id\nanna,tea\n", "utf-8-sig")
    assert list(read_events(path).columns) == ["user_id", "item_id"]


@pytest.mark.parametrize(
    "text", ["", 'user_id,item_id\n"anna,tea\n', "user_id,item_id\na,b,c,d\n1,2\n3,4,5,6,7\n"]
)
def test_a_broken_csv_file_is_named(tmp_path, text):
    with pytest.raises(DataError, match=r"log\.csv must be comma-separated values, got"):
        read_events(written(tmp_path / "log.csv", text))


def test_a_file_with_a_header_alone_is_an_empty_log(tmp_path):
    assert len(read_events(csv_of(tmp_path))) == 0


# JSON lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["log.jsonl", "log.ndjson", "LOG.JSONL"])
def test_json_lines_are_read(tmp_path, name):
    rows = [
        {"user_id": "007", "item_id": 2**60 + 1, "timestamp": "2026-01-31T10:00:00+01:00"},
        {"user_id": "8", "item_id": None, "price": 1.5, "tags": ["a"]},
    ]
    path = written(tmp_path / name, "\n\n".join(map(json.dumps, rows)) + "\n")
    events = read_events(path)
    assert events["user_id"].tolist() == ["007", "8"]
    assert events["item_id"][0] == 2**60 + 1
    assert events["item_id"].isna().tolist() == [False, True]
    assert events["timestamp"][0] == pd.Timestamp("2026-01-31 09:00", tz="UTC")
    assert events["price"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ('{"user_id": "b", ', "Expecting"),
        ("[1, 2]", "list"),
        ("3", "int"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_broken_line_is_named_by_its_number(tmp_path, line, got):
    good = '{"user_id": "a", "item_id": "b"}'
    path = written(tmp_path / "log.jsonl", f"{good}\n{line}\n")
    with pytest.raises(
        DataError, match=rf"line 2 of .*log\.jsonl must be a JSON object, got.*{got}"
    ):
        read_events(path)


def test_integers_beyond_64_bits_stay_exact(tmp_path):
    rows = [{"user_id": 10**30, "item_id": 1}, {"user_id": None, "item_id": 2}]
    path = written(tmp_path / "log.jsonl", "\n".join(map(json.dumps, rows)))
    assert read_events(path)["user_id"][0] == 10**30


# Parquet ------------------------------------------------------------------------------------------


def test_parquet_is_read(tmp_path):
    pd.DataFrame({"userId": [1], "movieId": [2], "rating": [3.5]}).to_parquet(
        tmp_path / "r.parquet"
    )
    assert read_events(tmp_path / "r.parquet")["weight"].tolist() == [3.5]


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = written(tmp_path / "log.parquet", "")
    with pytest.raises(MissingExtraError, match=r'reading parquet .*"recopersona\[arrow\]"'):
        read_events(path)


def test_a_broken_parquet_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"log\.parquet must be Parquet, got"):
        read_events(written(tmp_path / "log.parquet", "user_id,item_id"))


# Paths --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.csv.gz", "user_id,item_id\nanna,tea\n"),
        ("log.jsonl.gz", '{"user_id":"anna","item_id":1}'),
    ],
)
def test_compressed_files_are_read(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()))
    assert read_events(path)["user_id"].tolist() == ["anna"]
    path.write_bytes(gzip.compress(text.encode())[:-9])
    with pytest.raises(DataError, match="got"):
        read_events(path)


def test_a_glob_is_read_by_name_and_ids_are_judged_together(tmp_path):
    written(tmp_path / "2.csv", "user_id,item_id\n007,1\n")
    written(tmp_path / "1.csv", "user_id,item_id,colour\n8,2,red\n")
    written(tmp_path / "columns.json", "{}")
    events = read_events(tmp_path / "*.csv")
    assert events["user_id"].tolist() == ["8", "007"]
    assert events["item_id"].tolist() == [2, 1]
    assert events["colour"].isna().tolist() == [False, True]
    assert events.index.tolist() == [0, 1]
    assert len(read_events(str(tmp_path / "[12].csv"))) == 2


def test_a_glob_of_several_kinds_is_refused(tmp_path):
    written(tmp_path / "1.csv", "user_id,item_id\n7,1\n")
    written(tmp_path / "2.jsonl", '{"user_id": 1, "item_id": 2}')
    with pytest.raises(DataError, match=r"files of one kind, got \.csv and \.jsonl"):
        read_events(tmp_path / "*")


def test_a_mapping_beside_the_file_is_taken(tmp_path):
    path = csv_of(tmp_path, "anna,007", header="who,sku")
    written(tmp_path / "columns.json", '{"user_id": "who", "item_id": "sku"}')
    assert read_events(path)["item_id"].tolist() == ["007"]


def test_what_is_said_wins_over_the_mapping_beside_the_file(tmp_path):
    path = csv_of(tmp_path, "anna,7,3,ben", header="userId,movieId,rating,who")
    written(tmp_path / "columns.json", '{"user_id": "who", "item_id": "movieId"}')
    assert read_events(path)["user_id"].tolist() == ["ben"]
    assert read_events(path, schema="movielens")["user_id"].tolist() == ["anna"]
    said = read_events(path, columns={"user_id": "userId", "item_id": "movieId"})
    assert said["user_id"].tolist() == ["anna"]


@pytest.mark.parametrize("text", ["{", "[1]", '{"user_id": 3}'])
def test_a_mapping_file_that_is_none_is_named(tmp_path, text):
    path = csv_of(tmp_path, "anna,tea,,")
    written(tmp_path / "columns.json", text)
    with pytest.raises(DataError, match=r"columns\.json must (be JSON|map our columns to yours)"):
        read_events(path)


def test_what_lies_beside_may_say_the_schema_and_the_time_zone(tmp_path):
    path = csv_of(tmp_path, "anna,7,3,2026-07-01 12:00", header="who,movieId,rating,timestamp")
    written(
        tmp_path / "columns.json",
        '{"schema": "movielens", "columns": {"user_id": "who"}, "time_zone": "Europe/Berlin"}',
    )
    events = read_events(path)
    assert events["weight"].tolist() == [3]
    assert events["user_id"].tolist() == ["anna"]
    assert events["timestamp"][0] == pd.Timestamp("2026-07-01 10:00", tz="UTC")
    assert read_events(path, time_zone="UTC")["timestamp"][0].hour == 12


@pytest.mark.parametrize(
    "text",
    [
        '{"schema": 3}',
        '{"columns": ["a"]}',
        '{"schema": "ga4", "zone": "UTC"}',
        '{"columns": null}',
    ],
)
def test_what_lies_beside_in_another_form_is_named(tmp_path, text):
    path = csv_of(tmp_path, "anna,tea,,")
    written(tmp_path / "columns.json", text)
    with pytest.raises(DataError, match=r"or hold \{\"schema\": ..."):
        read_events(path)


def test_a_mapping_file_the_wrong_way_round_is_refused(tmp_path):
    path = csv_of(tmp_path, "anna,tea", header="who,sku")
    written(tmp_path / "columns.json", '{"who": "user_id"}')
    with pytest.raises(ParameterError, match="maps our names to yours, and 'who'"):
        read_events(path)


def test_a_file_that_is_not_there_is_named_with_one_that_is(tmp_path):
    csv_of(tmp_path)
    with pytest.raises(DataError, match=r"no file .*logs\.csv'; did you mean 'log\.csv'\?"):
        read_events(tmp_path / "logs.csv")
    with pytest.raises(DataError, match=r"no file '.*/\*\.parquet'; check the path"):
        read_events(tmp_path / "nowhere" / "*.parquet")


def test_a_folder_is_refused_with_what_to_write(tmp_path):
    with pytest.raises(DataError, match=r"got the folder .*; write '.*/\*\.csv'"):
        read_events(tmp_path)


@pytest.mark.parametrize("name", ["x" * 5_000, "a\0b.csv"])
def test_what_is_no_path_is_refused(name):
    with pytest.raises(DataError, match=r"expected a file or a glob|no file"):
        read_events(name)


def test_an_unknown_kind_of_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected a file of \.csv, \.jsonl, .* got 'log\.xlsx'"):
        read_events(written(tmp_path / "log.xlsx", ""))
