"""Whatever file an identifier stands in, it is found; where it does not stand, nothing is."""

import gzip
import json
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import recopersona as rp
from recopersona.errors import DataError
from recopersona.operations.traces import find_traces

LOG = pd.DataFrame({
    "user_id": ["u-17", "u-18", "u-170"], "item_id": ["tea", "salt", "tea"],
    "timestamp": pd.to_datetime(["2026-07-01"] * 3, utc=True),
})  # fmt: skip


def where(traces):
    return [trace.where for trace in traces]


def test_plain_and_packed_text_is_searched(tmp_path):
    (tmp_path / "app.log").write_text("GET /?u=u-17\n")
    with gzip.open(tmp_path / "old.log.gz", "wb") as file:
        file.write(b"x" * 2_000_000 + b" u-17 ")
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.txt", "u-17 was here")
    (tmp_path / "other.txt").write_text("u-170 and au-17")
    found = find_traces(tmp_path, ["u-17"])
    assert sorted(where(found)) == ["byte 2000001", "byte 8", "inside.txt, byte 0"]
    assert find_traces([tmp_path], ["u-19"]) == []


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
@pytest.mark.parametrize("words", [True, False])
def test_parquet_is_searched_by_value(tmp_path, compression, words):
    path = tmp_path / "log.parquet"
    parquet.write_table(
        pa.Table.from_pandas(LOG), path, compression=compression, use_dictionary=words
    )
    found = find_traces(path, ["u-17"])
    assert "user_id, row 0" in where(found)
    assert not [one for one in where(found) if "row 2" in one]
    assert find_traces(path, ["u-16"]) == []


def test_nested_values_and_categories_of_parquet_are_searched(tmp_path):
    frame = pd.DataFrame({
        "who": pd.Categorical(["a-person", "b-person"]),
        "what": [[{"by": "c-person"}], None], "raw": [b"d-person", b""],
    })  # fmt: skip
    frame.to_parquet(tmp_path / "x.parquet", compression="zstd")
    for row, person in enumerate(["a-person", "b-person"]):
        assert f"who, row {row}" in where(find_traces(tmp_path, [person]))
    assert "what, row 0" in where(find_traces(tmp_path, ["c-person"]))
    assert "raw, row 0" in where(find_traces(tmp_path, ["d-person"]))


def test_a_category_that_no_row_has_any_more_is_found(tmp_path):
    kept = pa.table({"who": pa.array(["a-person", "b-person"]).dictionary_encode()}).slice(1)
    parquet.write_table(kept, tmp_path / "x.parquet", compression="none")
    assert find_traces(tmp_path, ["a-person"])


def test_numbers_are_found_where_ids_are(tmp_path):
    frame = pd.DataFrame({"user_id": [7, 8], "price": [9, 7]})
    frame.to_parquet(tmp_path / "x.parquet")
    assert where(find_traces(tmp_path, [7])) == ["user_id, row 0"]
    assert where(find_traces(tmp_path, ["8"])) == ["user_id, row 1"]
    assert find_traces(tmp_path, [9]) == []


@pytest.mark.parametrize("ids", [["u-17", "u-18", "u-170"], [7, 8, 70], ["u-17", 8, 70]])
def test_saved_models_are_searched_by_what_they_say(tmp_path, ids):
    rp.save(rp.UserKNN().fit(LOG.assign(user_id=ids)), tmp_path / "m.rp")
    assert "users_" in where(find_traces(tmp_path, ids[:1]))
    for other in ("u-19", "u-1", 9, 1, 0):
        assert find_traces(tmp_path, [other]) == []


def test_items_are_nobody(tmp_path):
    rp.save(rp.Popularity().fit(LOG.assign(item_id=[7, 8, 9])), tmp_path / "m.rp")
    assert find_traces(tmp_path, [7]) == []


def test_decisions_of_a_saved_pipeline_are_searched(tmp_path):
    home = rp.Pipeline(candidates=[rp.Popularity()]).fit(LOG.assign(user_id=[7, 8, 9]))
    home.recommend(rp.Query(user_id=8, context={"mail": "a-person"}, decision_id="d-1"))
    home.recommend(rp.Query(user_id=77, decision_id="d-2"))
    rp.save(home, tmp_path / "m.rp")
    assert any("user_id" in one for one in where(find_traces(tmp_path, [77])))
    assert find_traces(tmp_path, ["a-person"])


def test_arrays_that_a_killed_saver_left_are_searched(tmp_path):
    rp.save(rp.Popularity().fit(LOG[1:]), tmp_path / "m.rp")
    left = tmp_path / "m.rp" / f"arrays-{'0' * 32}"
    left.mkdir()
    np.save(left / "0.npy", np.frombuffer(b"u-16u-17u-18", np.uint8))
    assert where(find_traces(tmp_path, ["u-17"])) == ["byte 132"]


def test_unfinished_files_beside_a_log_are_searched(tmp_path):
    (tmp_path / "a.csv").write_text("user_id,item_id\n")
    (tmp_path / f".a.csv.{'0' * 32}.tmp").write_text("u-17,tea")
    assert len(find_traces(tmp_path / "a.csv", ["u-17"])) == 1


def test_the_second_of_two_identifiers_is_told_by_its_place(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"mail": "zoë@shop"}))
    assert [one.which for one in find_traces(tmp_path, ["u-17", "zoë@shop"])] == [1]


def test_a_text_is_no_list_of_identifiers(tmp_path):
    with pytest.raises(DataError, match="needs a list of identifiers, got a text"):
        find_traces(tmp_path, "u-17")


@pytest.mark.parametrize("path", ["nowhere.csv", "nowhere/*.csv"])
def test_what_is_not_there_cannot_be_searched(tmp_path, path):
    with pytest.raises(DataError, match=r"there is no file .* to look into; check the path"):
        find_traces(tmp_path / path, ["u-17"])


def test_a_broken_archive_is_one_sentence(tmp_path):
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b" + b"broken")
    with pytest.raises(DataError, match=r"a.gz must be readable to be looked into"):
        find_traces(tmp_path, ["u-17"])


@pytest.mark.parametrize(
    "model",
    ['{"$": "texts"}', '{"$": "texts", "data": 5, "bounds": []}', '{"$": "dict", "pairs": 5}',
     '{"$": "dict", "pairs": [[1]]}', '{"$": "IdMap"}', '{"$": "IdMap", "ids": null}',
     '{"$": "IdMap", "ids": {"$": "array", "file": 7}}', "[" * 900 + "]" * 900],
)  # fmt: skip
def test_a_manifest_that_says_nonsense_is_an_error_of_ours(tmp_path, model):
    manifest = f'{{"format": 1, "arrays": "arrays-1", "files": [], "model": {model}}}'
    (tmp_path / "manifest.json").write_text(manifest)
    try:
        assert find_traces(tmp_path, ["u-17"]) == []
    except DataError as problem:
        assert "must be readable to be looked into" in str(problem)  # noqa: PT017


def test_a_locked_archive_is_an_error_of_ours(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("inside.txt", "u-17 was here")
    data = bytearray((tmp_path / "all.zip").read_bytes())
    data[6] |= 1  # encrypted, says the head of the member
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "all.zip").write_bytes(data)
    with pytest.raises(DataError, match=r"must be readable to be looked into, got: .*encrypted"):
        find_traces(tmp_path, ["u-17"])
