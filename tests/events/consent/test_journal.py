"""The journal has every record before it counts, whoever else writes and whatever breaks."""

import json
import os
import stat
import subprocess
import sys
import threading

import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ArtifactError, DataError, ParameterError

AT = "2026-03-01"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "consent.jsonl"


def opened(path, **parameters):
    return rp.ConsentLedger(unknown="denied", **parameters).journal(path)


def test_a_record_is_in_the_file_before_record_returns(path):
    ledger = opened(path)
    ledger.record("anna", ["ads", "storage"], "granted", AT, source="banner")
    ledger.record({"user_id": "ben", "device_id": "d-1"}, "ads", "denied", AT)
    head, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert list(head) == ["journal"]
    assert lines[0] == {
        "who": "user_id:anna", "at": 1_772_323_200_000, "granted": ["storage", "ads"],
        "source": "banner",
    }  # fmt: skip
    assert [line["who"] for line in lines[1:]] == ["user_id:ben", "device_id:d-1"]
    assert opened(path).records().equals(ledger.records())


def test_only_its_owner_may_read_the_file(path):
    opened(path).record("anna", "ads", "granted", AT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_way_to_record_goes_into_the_file(path):
    ledger = opened(path)
    ledger.extend(
        pd.DataFrame(
            {"user_id": [f"u{n}" for n in range(40)], "purpose": "ads", "state": "granted"}
        ).assign(timestamp=AT, source="import")
    )
    ledger.record_google("anna", {"analytics_storage": "Yes"}, AT)
    ledger.record_gpc("ben", AT)
    ledger.forget("u0")
    ledger.welcome_back("u0", AT)
    again = opened(path)
    assert len(again.records()) == 39 + 2 + 1
    assert again.records().equals(ledger.records())
    assert again.entries_.tombstones_.until_ == ledger.entries_.tombstones_.until_
    assert not again.is_erased("u0")


def test_two_ledgers_of_one_journal_read_each_other(path):
    one, other = opened(path), opened(path)
    one.record("anna", "ads", "granted", AT)
    assert other.state_at("anna", "ads") == "unknown"
    assert other.refresh().state_at("anna", "ads") == "granted"
    other.record("ben", "ads", "denied", AT)
    one.record("carl", "ads", "granted", AT)  # whoever records has read what others wrote
    assert one.state_at("ben", "ads") == "denied"
    assert one.records().equals(other.refresh().records())
    assert one.counts == other.counts == {}


def test_what_one_erased_the_other_forgets(path):
    one, other = opened(path), opened(path)
    one.record("anna", "ads", "granted", AT)
    one.record("ben", "ads", "granted", AT)
    other.refresh()
    one.forget("anna")
    assert b"anna" not in path.read_bytes()
    with pytest.raises(DataError, match="was erased"):
        other.record("anna", "ads", "granted", AT)
    assert other.is_erased("anna")
    assert other.records()["subject"].tolist() == ["ben"]
    other.record("carl", "ads", "granted", AT)
    assert one.refresh().records()["subject"].tolist() == ["ben", "carl"]


def test_another_journal_in_the_old_one_s_place_is_noticed_whatever_its_number(path):
    one, other = opened(path), opened(path)
    one.record("anna", "ads", "granted", AT)
    other.refresh()
    content = path.read_bytes()
    one.forget("anna")
    for n in range(20):
        one.record(f"u{n}", "ads", "granted", AT)
    # The same file as far as the file system can tell, since it is written in place.
    renewed = path.read_bytes()
    path.write_bytes(content)
    assert opened(path).state_at("anna", "ads") == "granted"
    path.write_bytes(renewed)
    assert other.refresh().state_at("anna", "ads") == "unknown"
    assert other.is_erased("anna")


def test_a_journal_that_is_gone_takes_no_consent_with_it(path):
    ledger = opened(path)
    ledger.record("anna", "ads", "denied", AT)
    path.unlink()
    for ask in (ledger.refresh, lambda: ledger.record("ben", "ads", "granted", AT)):
        with pytest.raises(ArtifactError, match=r"is gone; put it back, or open another\."):
            ask()
    assert ledger.state_at("anna", "ads") == "denied"


def test_a_line_that_was_cut_short_is_counted_and_spoils_no_other(path):
    ledger = opened(path)
    ledger.record("anna", "ads", "granted", AT)
    with path.open("ab") as file:
        file.write(b'{"who":"user_id:half","at":17')
    again = opened(path)
    assert again.records()["subject"].tolist() == ["anna"]
    again.record("ben", "ads", "denied", AT)
    assert again.counts == {"journal: unreadable line": 1}
    third = opened(path)
    assert third.records()["subject"].tolist() == ["anna", "ben"]
    assert third.counts == {"journal: unreadable line": 1}
    third.forget("nobody")
    assert b"half" not in path.read_bytes()
    assert opened(path).counts == {}


def test_a_whole_line_without_its_end_counts_as_soon_as_it_has_one(path):
    opened(path).record("anna", "ads", "granted", AT)
    path.write_bytes(path.read_bytes()[:-1])
    ledger = opened(path)
    ledger.record("ben", "ads", "granted", AT)
    assert ledger.records()["subject"].tolist() == ["anna", "ben"]
    assert ledger.counts == {}


@pytest.mark.parametrize(
    "line",
    [
        b"rubbish", b"[]", b"7", b"null", b'"text"', b"{}", b'{"who":7,"at":1}',
        b'{"who":"user_id:","at":1}', b'{"who":"anna","at":1}', b'{"who":"user_id:a","at":"x"}',
        b'{"who":"user_id:a","at":1e9}', b'{"who":"user_id:a","at":99999999999999999999}',
        b'{"who":"user_id:a","at":1,"granted":7}', b'{"who":"user_id:a","at":1,"source":7}',
        b'{"who":"user_id:a","at":1,"granted":[["ads"]]}', b'{"erased":["ab"]}',
        b'{"erased":7,"salt":"ab","kinds":[],"until":1}',
        b'{"erased":["xy"],"salt":"ab","kinds":[],"until":1}',
        b'{"erased":["ab"],"salt":"xy","kinds":[],"until":1}',
        b'{"erased":["ab"],"salt":7,"kinds":[],"until":1}',
        b'{"erased":["ab"],"salt":"ab","kinds":["a b"],"until":1}',
        b'{"erased":["ab"],"salt":"ab","kinds":[],"until":"x"}',
        b'{"erased":["ab"],"salt":"ab","kinds":[],"until":true}', b"\xff\xfe", b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_line_that_nobody_can_read_is_counted(path, line):
    opened(path).record("anna", "ads", "granted", AT)
    with path.open("ab") as file:
        file.write(line + b"\n")
    ledger = opened(path)
    assert ledger.counts == {"journal: unreadable line": 1}
    assert ledger.records()["subject"].tolist() == ["anna"]
    assert not ledger.entries_.tombstones_


def test_a_purpose_that_another_ledger_has_is_counted(path):
    opened(path, purposes=["third_party"]).record("anna", "all", "granted", AT)
    ledger = opened(path)
    assert ledger.state_at("anna", "ads") == "granted"
    assert ledger.counts == {"journal: unknown purpose": 1}


def test_a_ledger_with_records_begins_a_journal_with_them(path):
    ledger = rp.ConsentLedger(unknown="denied", random_state=7)
    ledger.record("anna", "ads", "granted", AT, source="banner")
    ledger.forget("ben")
    ledger.journal(path)
    ledger.record("carl", "ads", "granted", AT)
    again = opened(path)
    assert again.records().equals(ledger.records())
    assert again.is_erased("ben")
    fresh = rp.ConsentLedger(unknown="denied")
    fresh.record("zoe", "ads", "granted", AT)
    with pytest.raises(DataError, match="has records of its own, and so has the journal"):
        fresh.journal(path)
    assert "zoe" not in path.read_text()


def test_there_is_nothing_to_refresh_without_a_journal():
    with pytest.raises(DataError, match=r"call ledger\.journal\(path\)"):
        rp.ConsentLedger(unknown="denied").refresh()


def test_a_journal_that_cannot_be_used_says_so(tmp_path, path):
    with pytest.raises(ArtifactError, match="cannot be used"):
        opened(tmp_path / "nowhere" / "consent.jsonl")
    path.mkdir()
    with pytest.raises(ArtifactError, match="cannot be used"):
        opened(path)


def test_a_record_that_could_not_be_written_does_not_count(path, monkeypatch):
    ledger = opened(path)
    ledger.record("anna", "ads", "granted", AT)
    before, write = path.read_bytes(), os.write

    def short(handle, data):
        return write(handle, data[: len(data) // 2])

    monkeypatch.setattr("recopersona.events.consent.journal.os.write", short)
    with pytest.raises(ArtifactError, match="the disk is full"):
        ledger.record("ben", "ads", "granted", AT)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert ledger.state_at("ben", "ads") == "unknown"
    ledger.record("ben", "ads", "granted", AT)
    assert opened(path).records()["subject"].tolist() == ["anna", "ben"]


def test_an_erasure_that_could_not_be_written_leaves_the_file_whole(path, monkeypatch):
    ledger = opened(path)
    ledger.record("anna", "ads", "granted", AT)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr("recopersona.events.consent.journal.os.fsync", fail)
    with pytest.raises(ArtifactError, match="no space left"):
        ledger.forget("anna")
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert not ledger.is_erased("anna")
    assert ledger.forget("anna") == 1
    assert b"anna" not in path.read_bytes()
    assert [one.name for one in path.parent.iterdir()] == ["consent.jsonl", "consent.jsonl.lock"]


WRITER = """
import sys
import recopersona as rp
name, path, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
ledger = rp.ConsentLedger(unknown="denied").journal(path)
for one in range(n):
    ledger.record(f"{name}-{one}", "ads", "granted", "2026-03-01")
    if one % 40 == 39:
        ledger.forget(f"{name}-{one}")
"""


def test_processes_that_write_at_once_lose_nothing(path):
    n = 80
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, name, str(path), str(n)], env=os.environ)
        for name in "xy"
    ]
    assert [writer.wait(timeout=240) for writer in writers] == [0, 0]
    ledger = opened(path)
    subjects = ledger.records()["subject"].tolist()
    expected = {f"{name}-{one}" for name in "xy" for one in range(n) if one % 40 != 39}
    assert sorted(subjects) == sorted(expected)
    assert ledger.counts == {}
    assert all(ledger.is_erased(f"{name}-39") for name in "xy")


def test_threads_of_one_process_and_two_ledgers_lose_nothing(path):
    ledgers = [opened(path), opened(path)]

    def record(place):
        for n in range(40):
            ledgers[place % 2].record(f"{place}-{n}", "ads", "granted", AT)

    threads = [threading.Thread(target=record, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    frames = [ledger.refresh().records() for ledger in ledgers]
    assert frames[0].equals(frames[1])
    assert sorted(frames[0]["subject"]) == sorted(f"{p}-{n}" for p in range(4) for n in range(40))


def test_readers_see_the_old_ledger_or_the_new_while_it_is_read_anew(path):
    ledger, other = opened(path), opened(path)
    for n in range(30):
        other.record(f"u{n}", "ads", "granted", AT)
    ledger.refresh()
    log = pd.DataFrame({"user_id": [f"u{n}" for n in range(30)]})
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            seen.add(int(ledger.admitted(log, "ads").sum()))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for n in range(20):
            other.forget(f"u{n}")
            ledger.refresh()
    finally:
        stop.set()
        thread.join()
    assert seen <= set(range(10, 31))
    assert int(ledger.admitted(log, "ads").sum()) == 10


def test_erasure_through_a_link_reaches_the_file_that_it_means(path):
    first = opened(path)
    first.record("anna", "ads", "granted", AT)
    link = path.with_name("link.jsonl")
    link.symlink_to(path)
    opened(link).forget("anna")
    assert b"anna" not in path.read_bytes()
    assert link.is_symlink()
    assert first.refresh().is_erased("anna")
    assert not path.with_name("link.jsonl.lock").exists()


def test_a_link_in_place_of_the_unfinished_journal_is_not_followed(path, tmp_path):
    ledger = opened(path)
    ledger.record("anna", "ads", "granted", AT)
    precious = tmp_path / "precious"
    precious.write_text("years of work")
    path.with_name(f"{path.name}.tmp").symlink_to(precious)
    ledger.forget("anna")
    assert precious.read_text() == "years of work"
    assert not path.is_symlink()
    assert b"anna" not in path.read_bytes()


def test_who_may_read_the_journal_may_read_it_after_an_erasure(path):
    ledger = opened(path)
    ledger.record("anna", "ads", "granted", AT)
    path.chmod(0o640)
    ledger.forget("anna")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("content", [b"", b"garbage\n" * 99])
def test_an_emptied_journal_takes_no_refusal_with_it(path, content):
    ledger = rp.ConsentLedger(unknown="granted").journal(path)
    ledger.record("anna", "ads", "denied", AT)
    path.write_bytes(content)
    for ask in (ledger.refresh, lambda: ledger.record("ben", "ads", "granted", AT)):
        with pytest.raises(ArtifactError, match="was emptied, or another file is in its place"):
            ask()
    assert not ledger.allows("anna", "ads")


def test_a_journal_that_lost_lines_is_counted(path):
    ledger = opened(path)
    ledger.record("anna", "ads", "denied", AT)
    before = path.read_bytes()
    ledger.record("ben", "ads", "denied", AT)
    path.write_bytes(before)
    assert ledger.refresh().records()["subject"].tolist() == ["anna"]
    assert ledger.counts == {"journal: shorter than before": 1}


@pytest.mark.parametrize("old_first", [True, False])
def test_an_old_copy_brings_nobody_back_who_was_erased(path, old_first):
    ledger = opened(path)
    ledger.record("anna", "ads", "granted", AT)
    ledger.record("ben", "ads", "granted", AT)
    old = path.read_bytes()
    ledger.forget("anna")
    path.write_bytes(old + path.read_bytes() if old_first else path.read_bytes() + old)
    again = opened(path)
    assert again.records()["subject"].tolist() == ["ben", "ben"]
    assert again.admitted(pd.DataFrame({"user_id": ["anna", "ben"]}), "ads").tolist() == [
        False, True,
    ]  # fmt: skip
    assert again.counts["journal: record of somebody erased"] == 1
    again.forget("nobody")
    assert b"anna" not in path.read_bytes()


def test_an_erasure_that_somebody_writes_by_hand_counts_for_whoever_is_on_record(path):
    ledger, copy = opened(path), path.with_name("copy.jsonl")
    ledger.record("anna", "ads", "granted", AT)
    copy.write_bytes(path.read_bytes())
    reader = opened(copy)
    ledger.forget("anna")
    with copy.open("ab") as file:
        file.write(path.read_bytes())
    reader.refresh()
    assert not reader.admitted(pd.DataFrame({"user_id": ["anna"]}), "ads").any()
    assert reader.records().empty


def test_who_came_back_stays_when_the_journal_is_read_again(path):
    ledger = opened(path)
    ledger.forget("anna")
    ledger.welcome_back("anna", AT)
    ledger.record("anna", "ads", "granted", AT)
    assert opened(path).records()["subject"].tolist() == ["anna"]


def test_half_a_character_in_an_id_can_be_told(path):
    ledger = opened(path)
    ledger.record("\ud800", "ads", "granted", AT)
    assert opened(path).records()["subject"].tolist() == ["\ud800"]
    assert ledger.held_of(["\ud800"])["records"][0]["state"] == "granted"


@pytest.mark.parametrize("given", [None, 5, b"consent.jsonl", "", "a\0b"])
def test_a_journal_needs_a_path(given):
    with pytest.raises(ParameterError, match="a journal needs the path of a file, got"):
        opened(given)
