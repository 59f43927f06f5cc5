"""What people type first at a raw log, and the sentence that tells them what to type next."""

import gzip
import time

import numpy as np
import pandas as pd
import polars as pl
import pytest

import recopersona as rp
from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.events.cleaning import clean
from recopersona.events.reading import read_events

LOG = pd.DataFrame({"user_id": ["anna", "ben"], "item_id": ["tea", "salt"]})


@pytest.mark.parametrize("columns", [["sku"], "sku", 7])
def test_columns_are_a_mapping(columns):
    message = r"columns must map our names to yours, such as \{'item_id': 'sku'\}, got"
    with pytest.raises(ParameterError, match=message):
        read_events(LOG, columns=columns)


@pytest.mark.parametrize("schema", [None, ["ours"], np.array(["a", "b"]), {"a": 1}])
def test_a_schema_is_a_name(schema):
    with pytest.raises(ParameterError, match=r"unknown schema .*; expected auto, recopersona"):
        read_events(LOG, schema=schema)


def test_a_column_of_another_case_is_the_guess():
    message = r"needs 'item_id'; did you mean 'ITEM_ID'; name yours, .*=\{'item_id': 'ITEM_ID'\}\.$"
    with pytest.raises(ColumnError, match=message):
        read_events(LOG.rename(columns={"item_id": "ITEM_ID"}))


def test_a_pattern_of_bytes_is_refused():
    with pytest.raises(ParameterError, match="item_pattern must be a regular expression, got b"):
        clean(LOG, item_pattern=b"t.*")


def test_a_path_is_read_before_it_is_cleaned():
    with pytest.raises(DataError, match=r"read a file with rp\.read_events\(path\)\.$"):
        clean("log.csv")


def test_an_unknown_home_is_no_folder():
    with pytest.raises(DataError, match=r"no home folder for '~nobody-here/x\.csv'; write"):
        read_events("~nobody-here/x.csv")


def test_a_damaged_archive_is_refused(tmp_path):
    whole = bytearray(gzip.compress(b"user_id,item_id\n" + b"anna,tea\n" * 50))
    whole[20:30] = b"\xff" * 10
    for name in ("log.csv.gz", "log.jsonl.gz"):
        (tmp_path / name).write_bytes(bytes(whole))
        with pytest.raises(DataError, match="must be"):
            read_events(tmp_path / name)


def test_an_endless_id_is_set_aside():
    ids = clean(pd.DataFrame({"user_id": [np.inf, 1.0], "item_id": [1.0, 2.0]}))
    assert ids["user_id"].tolist() == [1]
    assert ids["item_id"].dtype == np.int64


def test_a_tuple_around_a_list_is_no_number():
    _, report = clean(LOG.assign(price=[([1],), 2.0]), report=True)
    assert report.quarantined == {"unreadable_price": 1}


def test_days_of_polars_come_back():
    day = pd.Timestamp("2026-01-31")
    frame = pl.from_pandas(LOG).with_columns(born=pl.Series([day.date(), None]))
    assert clean(frame)["born"].to_list() == [day, None]


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_row_longer_than_the_header_moves_no_column(tmp_path):
    with pytest.raises(DataError, match="Expected 2 fields in line 2, saw 3"):
        read_events(written(tmp_path, "log.csv", "user_id,item_id\na,b,c\n"))


def test_a_column_that_is_there_twice_is_named(tmp_path):
    with pytest.raises(DataError, match="more than one column named 'user_id'"):
        read_events(written(tmp_path, "log.csv", "user_id,user_id,item_id\na,b,c\n"))


def test_one_broken_byte_does_not_change_the_encoding_of_all_others(tmp_path):
    content = "user_id,item_id\né,ß\n".encode() + b"x,\xe9\n"
    events = read_events(written(tmp_path, "log.csv", content))
    assert events["user_id"].tolist() == ["é", "x"]
    assert events["item_id"].tolist() == ["ß", "\ufffd"]


def test_half_a_character_is_a_broken_line(tmp_path):
    line = '{"user_id": "\\ud800", "item_id": "tea"}\n'
    with pytest.raises(DataError, match=r"line 1 of .* must be a JSON object"):
        read_events(written(tmp_path, "log.jsonl", line))


def test_a_number_of_hundreds_of_digits_is_set_aside(tmp_path):
    line = f'{{"user_id": "a", "item_id": "tea", "quantity": {"9" * 400}}}\n'
    _, report = clean(read_events(written(tmp_path, "log.jsonl", line)), report=True)
    assert sum(report.quarantined.values()) == 1


def test_columns_json_nested_without_end_is_one_sentence(tmp_path):
    written(tmp_path, "columns.json", "[" * 100_000)
    with pytest.raises(DataError, match="must be JSON"):
        read_events(written(tmp_path, "log.csv", "a,b\n1,2\n"))


@pytest.mark.parametrize("text", ["x" * 200_000, "9" * 200_000, "a" * 100_000 + "2026"])
def test_a_long_text_is_no_time_at_once(text):
    start = time.process_time()
    events = read_events(LOG.assign(timestamp=["2026-07-01T10:00:00Z", text]))
    assert events["timestamp"].tolist()[1] == text
    assert time.process_time() - start < 2


@pytest.mark.parametrize("value", ["\ud800", 10**5_000], ids=["half", "long"])
def test_a_frame_may_hold_what_is_no_text(value):
    log = LOG.assign(timestamp=pd.Series(["2026-07-01T10:00:00Z", value], dtype=object))
    assert read_events(log)["timestamp"].tolist()[1] == value


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda log: rp.write_events(log, None), "write_events needs a path, got a NoneType"),
        (lambda log: rp.write_events(log, b"x"), "write_events needs a path, got a bytes"),
        (lambda log: rp.clean(log, hash_ids="k" * 16, hash_columns=5), "must be a list of names"),
        (lambda log: rp.clean(log, hash_ids="k" * 16, hash_columns="user_id"), "a list of names"),
        (lambda log: rp.clean(log, prices=lambda frame: frame), "one column, got 2 dimensions"),
        (lambda log: rp.clean(log, hash_ids="\ud800"), "must have at least 16 bytes"),
        (lambda log: rp.event_hash(rp.Event("a", "b", timestamp="\ud800")), "must be a time"),
    ],
)
def test_what_is_of_no_kind_that_is_wanted_is_refused(mistake, words):
    log = pd.DataFrame({"user_id": ["anna"], "item_id": ["tea"], "price": [1.0]})
    with pytest.raises(rp.errors.RecopersonaError, match=words):
        mistake(log)
