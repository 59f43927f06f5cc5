"""Rows of one person leave a log; everything else keeps the bytes that it had."""

import fcntl
import gzip
import json
import stat
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from recopersona.data.times import moment_ms
from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.events.reading import read_events
from recopersona.operations.logs import pieces
from recopersona.operations.logs.kept_log import KeptLog, LogFile
from recopersona.operations.person import Person

ANNA = Person({"user_id": ["u-17"], "anonymous_id": ["c-9"]}, names=["user_id:u-17"])


def only(source, **words):
    (file,) = KeptLog(source, **words).files()
    return file


def names_in(folder):
    return [entry.name for entry in folder.iterdir()]


def written(path, content):
    path.write_bytes(content)
    return only(path)


# CSV ----------------------------------------------------------------------------------------------


def test_only_her_lines_leave_a_csv_file(tmp_path):
    head, tail = b"\xef\xbb\xbfuser_id,item_id,note\r\n", b'\r\n u-18 ,"salt, fine",\n'
    file = written(tmp_path / "a.csv", head + b'u-17,tea,"a\r\nb""c"\n' + b"u-170,tea," + tail)
    assert file.remove(ANNA).rows == 1
    assert file.path.read_bytes() == head + b"u-170,tea," + tail


@pytest.mark.parametrize("cell", ["u-17", '"u-17"', " u-17 ", "user_id:u-17"])
def test_an_id_may_be_written_in_several_ways(tmp_path, cell):
    file = written(tmp_path / "a.csv", f"item_id,user_id\ntea,{cell}\nsalt,u-18\n".encode())
    assert file.remove(ANNA).rows == 1
    assert file.path.read_bytes() == b"item_id,user_id\nsalt,u-18\n"


def test_numbers_are_ids_however_a_gap_made_floats_of_them(tmp_path):
    file = written(tmp_path / "a.csv", b"user_id,item_id\n7.0,1\n,2\n70.0,3\n7.0,4\n")
    assert file.remove(Person({"user_id": [7]})).rows == 2
    assert file.path.read_bytes() == b"user_id,item_id\n,2\n70.0,3\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16-le", "utf-16-be"])
def test_letters_of_every_encoding_stay_as_they_are(tmp_path, encoding):
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    head, hers, rest = "user_id,item_id\r\n", 'zoë,"tea"\r\n', "ürsel,Käse\r\n"
    path = tmp_path / "a.csv"
    path.write_bytes(mark + (head + hers + rest).encode(encoding))
    assert only(path).remove(Person({"user_id": ["zoë"]})).rows == 1
    assert path.read_bytes() == mark + (head + rest).encode(encoding)


def test_broken_bytes_of_others_stay_broken(tmp_path):
    head, rest = b"user_id,item_id\n", "é\n".encode() + b"\xff\xfex,y\n"
    file = written(tmp_path / "a.csv", head + b"u-17,tea\n" + rest)
    file.remove(ANNA)
    assert file.path.read_bytes() == head + rest


def test_a_broken_line_goes_if_it_names_her(tmp_path):
    head, rest = b"user_id,item_id\n", b'u-18,"open\nx,y,z\n'
    hers = b'u-17,"open\nu-17,tea,more\n'
    file = written(tmp_path / "a.csv", head + hers + rest + b"a,b\n")
    told = file.remove(ANNA)
    assert (told.rows, told.broken) == (0, 2)
    assert file.path.read_bytes() == head + rest + b"a,b\n"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["u-17", "u-18", "", "7"]),
            st.text("ab,\n\r\"'é ", max_size=6), st.sampled_from(["\n", "\r\n"]),
        ), max_size=12,
    ),
    st.integers(1, 5),
)  # fmt: skip
def test_what_is_left_is_what_was_written_without_her(tmp_path_factory, rows, n_rows):
    path = tmp_path_factory.mktemp("log") / "a.csv"
    lines = [
        f'{user},"{text.replace(chr(34), 2 * chr(34))}"{end}'.encode() for user, text, end in rows
    ]
    path.write_bytes(b"user_id,item_id\n" + b"".join(lines))
    before = pieces.ROWS_OF_A_PIECE
    text_pieces = sys.modules["recopersona.operations.logs.text_pieces"]
    try:
        text_pieces.ROWS_OF_A_PIECE = n_rows
        told = only(path).remove(Person({"user_id": ["u-17"]}))
    finally:
        text_pieces.ROWS_OF_A_PIECE = before
    kept = [line for line, (user, _, _) in zip(lines, rows, strict=True) if user != "u-17"]
    assert path.read_bytes() == b"user_id,item_id\n" + b"".join(kept)
    assert told.rows == len(rows) - len(kept)


def test_a_file_of_her_rows_alone_keeps_its_header(tmp_path):
    file = written(tmp_path / "a.csv", b"user_id,item_id\nu-17,tea\n")
    file.remove(ANNA)
    assert file.path.read_bytes() == b"user_id,item_id\n"
    assert file.remove(ANNA).rows == 0


# JSON lines ---------------------------------------------------------------------------------------


def segment(message, anonymous, user, **more):
    return json.dumps({
        "type": "track", "event": "Product Viewed", "messageId": message, "anonymousId": anonymous,
        "userId": user, "timestamp": "2026-07-01T10:00:00Z", **more,
    }).encode() + b"\n"  # fmt: skip


def test_calls_of_segment_belong_to_who_the_schema_says(tmp_path):
    many = {"properties": {"products": [{"product_id": "tea"}, {"product_id": "salt"}]}}
    hers = segment("1", "c-9", None, **many) + segment("2", "c-1", "u-17")
    rest = b"  \n" + segment("3", "c-8", "u-18", **many) + segment("4", None, None)
    file = written(tmp_path / "a.jsonl", hers + rest)
    assert file.remove(ANNA).rows == 2
    assert file.path.read_bytes() == rest


def test_events_of_google_belong_to_who_the_schema_says(tmp_path):
    def line(pseudo, user):
        return json.dumps({
            "event_name": "view_item", "event_timestamp": "1782900000000000", "user_id": user,
            "user_pseudo_id": pseudo, "items": [{"item_id": "tea"}],
        }).encode() + b"\n"  # fmt: skip

    rest = line("c-8", "u-18") + line("c-7", None)
    file = written(tmp_path / "a.ndjson", line("c-9", None) + rest + line("c-1", "u-17"))
    assert file.remove(ANNA).rows == 2
    assert file.path.read_bytes() == rest


def test_a_row_of_somebody_else_stays_even_if_it_names_her_device(tmp_path):
    shared = segment("1", "c-9", "u-18")
    file = written(tmp_path / "a.jsonl", shared + segment("2", "c-9", "u-17"))
    told = file.remove(ANNA)
    assert (told.rows, told.shared, told.names) == (1, 1, {"c-9"})
    assert file.path.read_bytes() == shared
    assert "c-9" not in repr(told)


def test_a_column_that_only_late_lines_have_is_looked_at(tmp_path, monkeypatch):
    text_pieces = sys.modules["recopersona.operations.logs.text_pieces"]
    monkeypatch.setattr(text_pieces, "ROWS_OF_A_PIECE", 2)
    rest = b'{"item_id": "tea"}\n' * 3
    file = written(tmp_path / "a.jsonl", rest + b'{"user_id": "u-17", "item_id": "tea"}\n')
    assert file.remove(ANNA).rows == 1
    assert file.path.read_bytes() == rest


def test_a_line_that_is_no_json_goes_if_it_names_her(tmp_path):
    rest = b'{"user_id": "u-170"\n[1]\n{"user_id": "u-18"}\n\xff\n'
    file = written(tmp_path / "a.jsonl", b'{"user_id": "u-17"\n["u-17"]\n' + rest)
    assert file.remove(ANNA).broken == 2
    assert file.path.read_bytes() == rest


def test_a_record_that_cannot_be_unfolded_goes_if_it_names_her(tmp_path):
    rest = segment("1", "c-8", "u-18", properties="broken")
    file = written(tmp_path / "a.jsonl", segment("2", "c-1", "u-17", properties="broken") + rest)
    assert file.remove(ANNA).broken == 1
    assert file.path.read_bytes() == rest


def test_packed_files_are_packed_again(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    rest = segment("1", "c-8", "u-18")
    path.write_bytes(gzip.compress(segment("2", "c-1", "u-17") + rest))
    assert only(path).remove(ANNA).rows == 1
    assert gzip.decompress(path.read_bytes()) == rest
    assert b"a.jsonl" not in path.read_bytes()


# Parquet ------------------------------------------------------------------------------------------

FRAME = pd.DataFrame({
    "user_id": ["u-17", "u-18", None, "u-17", "u-19"],
    "anonymous_id": ["c-1", "c-2", "c-9", "c-9", None],
    "item_id": pd.array([2**60 + 1, None, 3, 4, 5], dtype="Int64"),
    "timestamp": pd.to_datetime(["2026-07-01"] * 5, utc=True),
    "tags": [["a"], None, [], ["b"], ["c"]],
})  # fmt: skip


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", {"user_id": "gzip"}])
def test_parquet_keeps_types_compression_and_groups(tmp_path, compression):
    path = tmp_path / "a.parquet"
    table = pa.Table.from_pandas(FRAME)
    if isinstance(compression, dict):
        compression = {name: compression.get(name, "none") for name in table.column_names}
    parquet.write_table(table, path, compression=compression, row_group_size=2)
    before = parquet.ParquetFile(path)
    assert only(path).remove(ANNA).rows == 3
    after = parquet.ParquetFile(path)
    assert after.schema_arrow.equals(before.schema_arrow, check_metadata=True)
    assert after.read().equals(table.filter(pa.array([False, True, False, False, True])))
    assert after.metadata.num_row_groups == 2
    for place in range(2):
        assert (after.metadata.row_group(0).column(place).compression
                == before.metadata.row_group(0).column(place).compression)  # fmt: skip
    assert len(pd.read_parquet(path)) == 2


def test_categories_forget_who_is_gone(tmp_path):
    path = tmp_path / "a.parquet"
    FRAME.assign(user_id=FRAME["user_id"].astype("category")).to_parquet(path, compression=None)
    assert only(path).remove(ANNA).rows == 3
    assert b"u-17" not in path.read_bytes()
    assert pd.read_parquet(path)["user_id"].tolist() == ["u-18", "u-19"]


def test_a_parquet_file_of_her_rows_alone_keeps_its_columns(tmp_path):
    path = tmp_path / "a.parquet"
    FRAME.iloc[[0, 3]].to_parquet(path)
    assert only(path).remove(ANNA).rows == 2
    assert pd.read_parquet(path).columns.tolist() == list(FRAME.columns)
    assert only(path).remove(ANNA).rows == 0


# All of them --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.csv.gz", "a.ndjson.gz"])
def test_what_is_read_afterwards_is_the_log_without_her(tmp_path, name):
    frame = FRAME.drop(columns="tags").assign(item_id=list("abcde"))
    path = tmp_path / name
    if ".csv" in name:
        frame.to_csv(path, index=False)
    elif "json" in name:
        frame.to_json(path, orient="records", lines=True, date_format="iso")
    else:
        frame.to_parquet(path)
    before = read_events(path)
    file = only(path)
    assert len(file.rows_of(ANNA)) == 3
    assert file.latest() == moment_ms("2026-07-01")
    file.remove(ANNA)
    assert file.rows_of(ANNA) == []
    wanted = before[~before["user_id"].eq("u-17") & ~before["anonymous_id"].eq("c-9")]
    after = read_events(path)
    assert after["item_id"].tolist() == wanted["item_id"].tolist()
    assert after["user_id"].tolist() == wanted["user_id"].tolist()


def test_columns_of_other_names_are_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"who,mail,sku\nx,hash-1,tea\nu-17,,salt\nu-18,hash-2,tea\n")
    person = Person({"user_id": ["u-17"], "email": ["hash-1"]})
    words = {"email": "mail", "item_id": "sku"}
    assert only(path, columns=words).remove(person).rows == 1
    assert path.read_bytes() == b"who,mail,sku\nu-17,,salt\nu-18,hash-2,tea\n"
    assert only(path, columns={"user_id": "who"}).remove(person).rows == 1
    with pytest.raises(ColumnError, match=r"reads 'email' from 'maill', which the log lacks; did"):
        only(path, columns={"email": "maill"}).remove(person)


def test_what_lies_beside_a_log_says_what_its_columns_are(tmp_path):
    (tmp_path / "columns.json").write_text('{"user_id": "who", "item_id": "sku"}')
    file = written(tmp_path / "a.csv", b"who,sku\nu-17,tea\nu-18,tea\n")
    assert file.remove(ANNA).rows == 1


def test_a_log_that_names_nobody_is_refused(tmp_path):
    file = written(tmp_path / "a.csv", b"who,sku\nu-17,tea\n")
    with pytest.raises(ColumnError, match=r"has no column that says whose its rows are; name it, "
                       r"such as KeptLog\('a.csv', columns=\{'user_id': 'who'\}\)"):  # fmt: skip
        file.remove(ANNA)
    assert file.path.read_bytes() == b"who,sku\nu-17,tea\n"


def test_an_unknown_schema_is_refused(tmp_path):
    file = only(written(tmp_path / "a.csv", b"user_id,item_id\nu-17,tea\n").path, schema="segmnt")
    with pytest.raises(ParameterError, match="did you mean 'segment'"):
        file.remove(ANNA)


def test_a_file_without_her_is_not_touched(tmp_path):
    file = written(tmp_path / "a.csv", b"user_id,item_id\nu-18,tea\n")
    before = file.path.stat()
    file.remove(ANNA)
    assert (file.path.stat().st_ino, file.path.stat().st_mtime_ns) == (
        before.st_ino, before.st_mtime_ns,
    )  # fmt: skip


def test_rights_stay_and_nothing_is_left_beside(tmp_path):
    file = written(tmp_path / "a.csv", b"user_id,item_id\nu-17,tea\n")
    file.path.chmod(0o640)
    file.remove(ANNA)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o640
    assert names_in(tmp_path) == ["a.csv"]


def test_a_link_stays_one_and_its_file_is_done(tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (real / "a.csv").write_bytes(b"user_id,item_id\nu-17,tea\n")
    link = tmp_path / "a.csv"
    link.symlink_to(real / "a.csv")
    only(link).remove(ANNA)
    assert link.is_symlink()
    assert (real / "a.csv").read_bytes() == b"user_id,item_id\n"


def test_who_writes_meanwhile_loses_nothing(tmp_path, monkeypatch):
    file = written(tmp_path / "a.csv", b"user_id,item_id\nu-17,tea\n")
    read, n_reads = LogFile._read, []

    def read_while_somebody_writes(self, needs_people, suspects=None):
        n_reads.append(1)
        yield from read(self, needs_people, suspects)
        if len(n_reads) == 3:  # its people, the first row of hers, and then all to write them
            with self.path.open("ab") as log:
                log.write(b"u-18,late\n")

    monkeypatch.setattr(LogFile, "_read", read_while_somebody_writes)
    with pytest.raises(DataError, match="was written to while rows were taken out; nothing was"):
        file.remove(ANNA)
    assert file.path.read_bytes() == b"user_id,item_id\nu-17,tea\nu-18,late\n"
    assert names_in(tmp_path) == ["a.csv"]


def test_two_that_take_out_rows_at_once_put_nobody_back(tmp_path):
    file = written(tmp_path / "a.csv", b"user_id,item_id\nu-17,tea\nu-18,tea\nu-19,tea\n")
    with file.path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)  # somebody else takes out u-18
        mine = threading.Thread(target=file.remove, args=[ANNA])
        mine.start()
        mine.join(0.3)
        assert mine.is_alive()
        (tmp_path / "b").write_bytes(file.path.read_bytes().replace(b"u-18,tea\n", b""))
        (tmp_path / "b").replace(file.path)
    mine.join()
    assert file.path.read_bytes() == b"user_id,item_id\nu-19,tea\n"


def test_a_killed_process_leaves_the_old_file_and_the_next_one_sweeps(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"user_id,item_id\n" + b"u-17,tea\nu-18,tea\n" * 10)
    script = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from recopersona.operations.logs.kept_log import KeptLog
        from recopersona.operations.person import Person
        Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        KeptLog({str(path)!r}).files()[0].remove(Person({{"user_id": ["u-17"]}}))
    """)
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -9
    assert path.read_bytes() == before
    assert len(names_in(tmp_path)) == 2
    assert only(path).remove(ANNA).rows == 10
    assert names_in(tmp_path) == ["a.csv"]


def test_old_rows_go_and_those_without_a_time_are_counted(tmp_path):
    rest = b"u-2,b,2026-07-02\nu-3,c,\nu-4,d,soon\n"
    head = b"user_id,item_id,timestamp\n"
    file = written(tmp_path / "a.csv", head + b"u-1,a,2026-06-30T23:59:59.999Z\n" + rest)
    told = file.remove_older(moment_ms("2026-07-01"))
    assert (told.rows, told.timeless) == (1, 2)
    assert file.path.read_bytes() == head + rest
    assert file.remove_older(moment_ms("2026-07-02")).rows == 0


def test_a_row_of_several_items_is_as_old_as_its_latest(tmp_path):
    many = {"properties": {"products": [{"product_id": "tea"}, {"product_id": "salt"}]}}
    file = written(tmp_path / "a.jsonl", segment("1", "c-9", None, **many))
    assert file.remove_older(moment_ms("2026-07-01 10:00")).rows == 0
    assert file.remove_older(moment_ms("2026-07-01 10:01")).rows == 1
    assert file.path.read_bytes() == b""


def test_ids_in_lists_are_nobodys(tmp_path):
    rest = b'{"user_id": ["u-17x"], "item_id": 1}\n'
    file = written(tmp_path / "a.jsonl", b'{"user_id": "u-17", "item_id": 2}\n' + rest)
    assert file.remove(ANNA).rows == 1
    assert file.path.read_bytes() == rest


def test_memory_is_that_of_a_piece(tmp_path):
    n = 3 * pieces.ROWS_OF_A_PIECE + 7
    path = tmp_path / "a.csv"
    users = np.where(np.arange(n) % 1000 == 0, "u-17", "u-18")
    pd.DataFrame({"user_id": users, "item_id": "tea"}).to_csv(path, index=False)
    sizes = [len(piece.kinds) for piece in only(path).kind.pieces()]
    assert max(sizes) == pieces.ROWS_OF_A_PIECE
    assert sum(sizes) == n + 1
    assert only(path).remove(ANNA).rows == (users == "u-17").sum()
