"""Erasure leaves no identifier anywhere, and what is left refuses whatever comes late."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recopersona as rp
from recopersona.data.gate import PURPOSES
from recopersona.errors import ArtifactError, DataError

AT = "2026-03-01"
HERS = "zyx-anna-987"


def bytes_of(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.fixture
def ledger():
    ledger = rp.ConsentLedger(unknown="granted", random_state=7)
    ledger.record(HERS, "all", "granted", AT, source=f"mail to {HERS}")
    ledger.record(("device_id", HERS), "ads", "denied", AT, source="app")
    ledger.record("ben", "all", "granted", AT, source="app")
    return ledger


def test_no_byte_of_an_identifier_is_left(ledger, tmp_path):
    ledger.journal(tmp_path / "consent.jsonl")
    rp.save(ledger, tmp_path / "before.rp")
    assert HERS.encode() in bytes_of(tmp_path / "before.rp")
    assert HERS.encode() in (tmp_path / "consent.jsonl").read_bytes()
    assert ledger.forget([HERS, ("device_id", HERS)]) == 2
    rp.save(ledger, tmp_path / "after.rp")
    assert HERS.encode() not in bytes_of(tmp_path / "after.rp")
    for path in tmp_path.glob("consent*"):
        assert HERS.encode() not in path.read_bytes()
    assert HERS not in repr(ledger)
    assert HERS not in repr(vars(ledger)) + repr(vars(ledger.entries_))
    assert ledger.records()["subject"].unique().tolist() == ["ben"]
    assert ledger.records()["source"].unique().tolist() == ["app"]


@pytest.mark.parametrize("unknown", ["granted", "denied"])
def test_whoever_is_erased_is_refused_for_every_purpose(unknown):
    ledger = rp.ConsentLedger(unknown=unknown, purposes=("third_party",))
    ledger.record("anna", "all", "granted", "2020-01-01")
    ledger.forget("anna")
    log = pd.DataFrame({"user_id": ["anna", "anna"], "timestamp": [AT, None]})
    for purpose in (*PURPOSES, "third_party"):
        assert not ledger.admits({"user_id": "anna"}, purpose)
        assert not ledger.admits({"user_id": "anna"}, purpose, 1_767_225_600_000)
        assert not ledger.admitted(log, purpose).any()
        assert not ledger.allows("anna", purpose)
        assert ledger.counts[f"{purpose}: erased"] == 4
    assert ledger.state_at("anna", "ads") == "unknown"


def test_one_erased_identifier_of_a_row_is_enough(ledger):
    ledger.forget([("device_id", HERS)])
    log = pd.DataFrame({"user_id": ["ben", "ben"], "device_id": [HERS, "d-2"]})
    assert ledger.admitted(log, "ads").tolist() == [False, True]
    assert not ledger.admits({"user_id": "ben", "device_id": HERS}, "ads")
    named = pd.DataFrame({"user_id": [f"device_id:{HERS}", "device_id:d-2"]})
    assert ledger.admitted(named, "ads").tolist() == [False, True]


def test_somebody_never_heard_of_can_be_erased(ledger):
    assert ledger.forget(["stranger"]) == 0
    assert ledger.is_erased("stranger")
    assert not ledger.is_erased("ben")
    assert not ledger.admits({"user_id": "stranger"}, "ads")
    assert ledger.admits({"user_id": "other"}, "ads")


def test_nothing_new_is_recorded_of_whoever_was_erased(ledger):
    ledger.forget(HERS)
    with pytest.raises(DataError, match=r"call ledger\.welcome_back\(subject, at\) first") as error:
        ledger.record(HERS, "ads", "granted", AT)
    assert HERS not in str(error.value)
    table = pd.DataFrame({"user_id": [HERS, "eve"], "purpose": "ads", "state": "granted"})
    assert ledger.extend(table.assign(timestamp=AT)) == {"erased": 1}
    assert ledger.state_at("eve", "ads") == "granted"
    assert ledger.held_of(HERS) == {}


def test_whoever_is_welcomed_back_has_no_past(ledger):
    ledger.forget(HERS)
    ledger.welcome_back(HERS, "2026-06-01")
    assert not ledger.is_erased(HERS)
    log = pd.DataFrame({"user_id": HERS, "timestamp": ["2026-05-31T23:59:59", "2026-06-01", None]})
    assert ledger.admitted(log, "ads").tolist() == [False, True, True]
    ledger.record(HERS, "ads", "granted", "2026-01-01")
    assert ledger.admitted(log, "ads").tolist() == [False, True, True]
    day = 1_780_272_000_000  # 2026-06-01
    assert not ledger.admits({"user_id": HERS}, "ads", day - 1)
    assert ledger.admits({"user_id": HERS}, "ads", day)
    assert ledger.counts["ads: erased"] == 3
    ledger.record(HERS, "ads", "denied", "2026-07-01")
    assert not ledger.admits({"user_id": HERS}, "ads", day)
    ledger.forget(HERS)
    assert ledger.is_erased(HERS)
    assert not ledger.admitted(log, "ads").any()


def test_a_welcome_to_whoever_was_never_erased_changes_nothing(ledger):
    before = ledger.records()
    ledger.welcome_back("ben", AT)
    assert ledger.records().equals(before)
    assert ledger.admits({"user_id": "ben"}, "ads", 0)


def test_who_is_meant_can_be_said_in_several_ways(ledger):
    for said in (HERS, [HERS], {HERS}, np.array([HERS]), pd.Series([HERS]), (HERS,)):
        assert len(ledger.held_of(said)["records"]) == len(PURPOSES)
    for said in (("device_id", HERS), [("device_id", HERS)], {"device_id": HERS}):
        assert len(ledger.held_of(said)["records"]) == 1
    assert len(ledger.held_of((HERS, "ben"))["records"]) == 2 * len(PURPOSES)
    assert len(ledger.held_of([HERS], kind="device_id")["records"]) == 1
    assert ledger.forget([]) == 0
    with pytest.raises(DataError, match="a kind of identifiers is a word"):
        ledger.forget([("device id", "x")])


def test_what_is_held_is_ready_for_json(ledger):
    held = json.loads(json.dumps(ledger.held_of([("device_id", HERS)])))
    assert held == {
        "records": [
            {
                "kind": "device_id", "subject": HERS, "purpose": "ads", "state": "denied",
                "timestamp": "2026-03-01T00:00:00+00:00", "source": "app",
            }
        ]
    }  # fmt: skip
    assert ledger.held_of(["nobody"]) == {}


def test_salts_differ_and_a_seed_repeats_them():
    hashes = []
    for seed in (7, 7, 8, None, None):
        ledger = rp.ConsentLedger(unknown="denied", random_state=seed)
        ledger.forget(["anna"])
        hashes.append(json.dumps(ledger.entries_.tombstones_.until_))
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 4
    assert len({json.loads(one).popitem()[1].popitem()[0] for one in hashes}) == 4


records = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]), st.sampled_from(["ads", "storage"]),
        st.sampled_from(["granted", "denied"]), st.integers(0, 5),
        st.sampled_from([None, "web", "app"]),
    ),
    max_size=12,
)  # fmt: skip


@given(records, st.sets(st.sampled_from(["a", "b"])))
def test_a_ledger_that_forgot_is_one_that_never_heard_but_for_its_tombstones(said, gone):
    whole, rest = (rp.ConsentLedger(unknown="denied", random_state=7) for _ in range(2))
    for name, purpose, state, day, source in said:
        at = 1_767_225_600_000 + day
        whole.record(name, purpose, state, at, source)
        if name not in gone:
            rest.record(name, purpose, state, at, source)
    whole.forget(sorted(gone))
    rest.forget(sorted(gone))
    for name in ("names_", "sources_", "kinds_"):
        assert getattr(whole.entries_, name) == getattr(rest.entries_, name)
    assert np.array_equal(whole.entries_.log_, rest.entries_.log_)
    assert whole.entries_.tombstones_.until_ == rest.entries_.tombstones_.until_
    assert whole.records().equals(rest.records())


def test_a_saved_ledger_answers_the_same(ledger, tmp_path):
    ledger.forget("gone")
    ledger.forget("back")
    ledger.welcome_back("back", AT)
    rp.save(ledger, tmp_path / "ledger.rp")
    loaded = rp.load(tmp_path / "ledger.rp")
    assert loaded.records().equals(ledger.records())
    assert repr(loaded) == repr(ledger)
    log = pd.DataFrame(
        {"user_id": ["ben", "gone", "back", HERS], "device_id": [None, None, None, HERS]}
    ).assign(timestamp="2026-02-28")
    for purpose in PURPOSES:
        assert loaded.admitted(log, purpose).tolist() == ledger.admitted(log, purpose).tolist()
    loaded.record("new", "ads", "denied", AT)
    assert loaded.state_at("new", "ads") == "denied"
    empty = rp.ConsentLedger(unknown="denied")
    rp.save(empty, tmp_path / "empty.rp")
    assert rp.load(tmp_path / "empty.rp").records().empty


def damaged(folder, change):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def entries(manifest):
    return manifest["model"]["learned"]["entries_"]["learned"]


@pytest.mark.parametrize(
    "change",
    [
        lambda held: held["names_"]["parts"].pop(),
        lambda held: held["sources_"].update(parts=[]),
        lambda held: held["names_"]["parts"].__setitem__(1, held["names_"]["parts"][0]),
        lambda held: held["names_"]["parts"].__setitem__(0, 7),
        lambda held: held.update(tombstones_=None),
    ],
)
def test_a_damaged_file_is_refused(ledger, tmp_path, change):
    rp.save(ledger, tmp_path / "ledger.rp")
    rp.load(tmp_path / "ledger.rp")
    damaged(tmp_path / "ledger.rp", lambda manifest: change(entries(manifest)))
    with pytest.raises(ArtifactError):
        rp.load(tmp_path / "ledger.rp")


@pytest.mark.parametrize(
    "until", [{"xy": {}}, {"ab": {"xy": 1}}, {"ab": {"cd": "never"}}, {"ab": {"cd": 2**63}}]
)
def test_damaged_tombstones_are_refused(ledger, tmp_path, until):
    tombstones = ledger.entries_.tombstones_
    tombstones.until_ = {"ab": {"cd": 5}}
    rp.save(ledger, tmp_path / "ledger.rp")
    rp.load(tmp_path / "ledger.rp")
    tombstones.until_ = until
    rp.save(ledger, tmp_path / "ledger.rp")
    with pytest.raises(ArtifactError):
        rp.load(tmp_path / "ledger.rp")


def test_purposes_of_another_order_are_refused(ledger, tmp_path):
    ledger.all_purposes_ = ledger.all_purposes_[::-1]
    rp.save(ledger, tmp_path / "ledger.rp")
    with pytest.raises(ArtifactError, match="purposes must be"):
        rp.load(tmp_path / "ledger.rp")
