"""Readers, exporters and the stream pass the gate: what is refused might as well not be there."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from recopersona.data.event import Event
from recopersona.errors import DataError, ParameterError
from recopersona.events.admission import admitted_places
from recopersona.events.reading import read_events
from recopersona.events.stream_sessions import StreamSessionizer
from recopersona.events.writing import write_events
from tests.testing.all_but import AllBut

START = 1_782_900_000_000
LOG = pd.DataFrame(
    {
        "user_id": ["anna", "ben", "cleo", "ben", "anna"],
        "item_id": ["tea", "tea", "salt", "salt", "oil"],
        "timestamp": [START, START + 1_000, START + 2_000, START + 3_000, START + 4_000],
    }
)
KINDS = [lambda frame: frame, pl.from_pandas, lambda frame: pl.from_pandas(frame).lazy(),
         pa.Table.from_pandas]  # fmt: skip


# -- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_refused_is_not_read_from_a_frame(kind):
    gate = AllBut("ben")
    events, report = read_events(kind(LOG), gate=gate, report=True)
    users = (
        events["user_id"].to_pylist() if isinstance(events, pa.Table) else list(events["user_id"])
    )
    assert users == ["anna", "cleo", "anna"]
    assert (report.rows_in, report.rows_out, report.refused) == (5, 3, 2)
    assert dict(gate.counts) == {"storage: admitted": 3, "storage: refused": 2}
    assert "gate    refused  2  rows of events that may not be stored" in repr(report)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_what_is_refused_is_not_read_from_a_file(tmp_path, ending):
    path = tmp_path / f"log.{ending}"
    if ending == "csv":
        LOG.to_csv(path, index=False)
    elif ending == "jsonl":
        LOG.to_json(path, orient="records", lines=True)
    else:
        LOG.to_parquet(path)
    events = read_events(path, gate=AllBut("ben"))
    assert events["user_id"].tolist() == ["anna", "cleo", "anna"]
    assert events.index.tolist() == [0, 1, 2]


def test_every_piece_of_a_log_passes_the_gate(tmp_path):
    path = tmp_path / "log.csv"
    LOG.to_csv(path, index=False)
    for source in (LOG, path):
        pieces, report = read_events(source, gate=AllBut("ben", "cleo"), chunk_rows=2, report=True)
        assert [piece["item_id"].tolist() for piece in pieces] == [["tea"], [], ["oil"]]
        assert (report.rows_in, report.rows_out, report.refused) == (5, 2, 3)


def test_counts_of_the_report_are_of_what_was_let_in():
    log = LOG.assign(
        user_id=["anna", "ben", None, "ben", "anna"], item_id=[None, None, "a", "b", "c"]
    )
    _, report = read_events(log, gate=AllBut("ben"), report=True)
    assert (report.without_item, report.without_user) == (1, 1)


def test_the_gate_reads_our_words_whatever_the_log_calls_them():
    gate = AllBut("174.12")
    log = pd.DataFrame(
        {
            "event_name": ["purchase", "purchase"],
            "event_timestamp": [1_782_900_000_000_000, 1_782_900_000_000_001],
            "user_pseudo_id": ["174.12", "175.13"],
            "items": [[{"item_id": "tea"}, {"item_id": "salt"}], [{"item_id": "oil"}]],
        }
    )
    events, report = read_events(log, gate=gate, report=True)
    assert events["item_id"].tolist() == ["oil"]
    assert report.refused == 2  # rows of events, of which one of the log has two


def test_times_come_to_the_gate_as_times_whatever_they_look_like():
    gate = AllBut()
    log = LOG.assign(timestamp=["2026-07-01 12:00", "soon", None, "1782900000", "1782900000000"])
    read_events(log, gate=gate)
    (seen,) = gate.asked
    assert seen["timestamp"].isna().tolist() == [False, True, True, False, False]
    assert str(seen["timestamp"].dtype).startswith("datetime64")


def test_a_reader_without_a_gate_reads_as_ever():
    pd.testing.assert_frame_equal(read_events(LOG), read_events(LOG, gate=AllBut()))


def test_the_places_of_rows_do_not_depend_on_the_index():
    odd = LOG.set_axis([7, 7, 7, 3, 3])
    assert admitted_places(odd, AllBut("ben"), "storage").tolist() == [0, 2, 4]


# -- writing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_refused_is_not_written(tmp_path, kind):
    path, gate = tmp_path / "log.parquet", AllBut("ben")
    assert write_events(kind(LOG), path, gate=gate) == 3
    assert read_events(path)["user_id"].tolist() == ["anna", "cleo", "anna"]
    assert dict(gate.counts) == {"storage: admitted": 3, "storage: refused": 2}
    assert b"ben" not in path.read_bytes()


def test_a_file_for_a_partner_holds_those_who_may_be_shared(tmp_path):
    path, gate = tmp_path / "log.parquet", AllBut("ben", purposes=("sale_or_share",))
    assert write_events(LOG, path, gate=gate) == 5
    assert write_events(LOG, path, gate=gate, purpose="sale_or_share") == 3
    assert read_events(path)["user_id"].tolist() == ["anna", "cleo", "anna"]


def test_types_are_those_of_the_whole_first_piece_even_if_all_of_it_is_refused(tmp_path):
    path = tmp_path / "log.parquet"
    numbered = LOG.assign(item_id=[1, 2, 3, 4, 5])
    pieces = [numbered[1:2], numbered[2:]]
    assert write_events(iter(pieces), path, gate=AllBut("ben")) == 2
    assert read_events(path)["item_id"].tolist() == [3, 5]


def test_an_export_of_nobody_is_an_empty_file(tmp_path):
    path = tmp_path / "log.parquet"
    assert write_events(LOG, path, gate=AllBut("anna", "ben", "cleo")) == 0
    assert read_events(path).columns.tolist() == LOG.columns.tolist()


def test_a_purpose_without_a_gate_is_refused(tmp_path):
    with pytest.raises(
        ParameterError, match=r"nobody is asked about the purpose 'ads'; write gate"
    ):
        write_events(LOG, tmp_path / "log.parquet", purpose="ads")


# -- sessions as they come -------------------------------------------------------------------


def records(frame):
    return [Event(*row[:2], timestamp=row[2]) for row in frame.itertuples(index=False)]


def remembered(stream):
    """All that a stream holds, but for what it counted."""
    state = stream.state()
    return json.dumps({name: state[name] for name in state if name not in ("counts", "gated")})


@pytest.mark.parametrize("form", ["one", "many"])
def test_a_stream_of_events_is_as_if_the_refused_had_never_come(form):
    with_all, without = StreamSessionizer(gate=AllBut("ben")), StreamSessionizer()
    events = records(LOG)
    for part in events if form == "one" else [events]:
        with_all.add(part)
    without.add([event for event in events if event.user_id != "ben"])
    assert remembered(with_all) == remembered(without)
    assert (with_all.counts["taken"], with_all.counts["refused"]) == (3, 2)
    assert with_all.flush() == without.flush()
    open_stream = StreamSessionizer()
    open_stream.add(events)
    assert remembered(open_stream) != remembered(without)  # else this could not fail


def test_a_stream_of_frames_is_as_if_the_refused_had_never_come():
    with_all, without = StreamSessionizer(gate=AllBut("ben")), StreamSessionizer()
    with_all.add(LOG), without.add(LOG[LOG["user_id"] != "ben"])
    ours, theirs = with_all.flush(), without.flush()
    pd.testing.assert_frame_equal(ours.events, theirs.events)
    assert ours.sessions == theirs.sessions
    assert (with_all.counts["taken"], with_all.counts["refused"]) == (3, 2)


@pytest.mark.parametrize("as_frame", [False, True])
def test_a_refused_event_does_not_tell_the_time(as_frame):
    late = LOG.assign(timestamp=LOG["timestamp"] + np.array([0, 86_400_000, 0, 0, 0]))
    with_all, without = StreamSessionizer(gate=AllBut("ben")), StreamSessionizer()
    with_all.add(late if as_frame else records(late))
    kept = late[late["user_id"] != "ben"]
    without.add(kept if as_frame else records(kept))
    assert with_all.watermark_ms == without.watermark_ms
    nobody = StreamSessionizer(gate=AllBut("anna", "ben", "cleo"))
    released = nobody.add(LOG if as_frame else records(LOG))
    assert nobody.watermark_ms is None
    assert (len(released.events), len(released.late), nobody.counts["refused"]) == (0, 0, 5)


def test_strangers_are_asked_about_by_what_they_are_known_by():
    gate = AllBut("cookie 1")
    stream = StreamSessionizer(gate=gate, watermark=None)
    events = [
        Event(None, "tea", timestamp=START, anonymous_id="cookie 1"),
        Event(None, "tea", timestamp=START, anonymous_id="cookie 2"),
    ]
    stream.add(events)
    assert [session.anonymous_id for session in stream.flush().sessions] == ["cookie 2"]


def test_a_state_kept_behind_a_gate_goes_on_behind_one_only():
    stream = StreamSessionizer(gate=AllBut("ben"))
    stream.add(records(LOG))
    state = json.loads(json.dumps(stream.state()))
    assert "ben" not in json.dumps(state)
    with pytest.raises(DataError, match=r"kept behind a gate, .* StreamSessionizer\(gate=\.\.\.\)"):
        StreamSessionizer().restore(state)
    again = StreamSessionizer(gate=AllBut("cleo")).restore(state)
    again.add(records(LOG.assign(timestamp=LOG["timestamp"] + 60_000)))
    assert again.counts["refused"] == 3


@pytest.mark.parametrize(
    "use",
    [
        lambda gate, path: read_events(LOG, gate=gate),
        lambda gate, path: write_events(LOG, path, gate=gate),
        lambda gate, path: StreamSessionizer(gate=gate),
    ],
)
def test_what_is_no_gate_is_refused(use, tmp_path):
    with pytest.raises(DataError, match=r"a gate must be an EventGate, such as .* got a str"):
        use("ledger", tmp_path / "log.parquet")
