"""The ledger records what it can use, refuses the rest in a sentence or counts it, and answers."""

import re
import threading
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

import recopersona as rp
from recopersona.data.gate import PURPOSES
from recopersona.errors import ColumnError, DataError, ParameterError

AT = "2026-03-01"


@pytest.fixture
def ledger():
    return rp.ConsentLedger(unknown="denied")


def test_what_holds_for_the_unknown_must_be_said():
    with pytest.raises(ParameterError, match=r"unknown='denied' uses only .* unknown='granted'"):
        rp.ConsentLedger()
    with pytest.raises(
        ParameterError, match="unknown must be one of 'denied', 'granted', got 'den"
    ):
        rp.ConsentLedger(unknown="deny")


@pytest.mark.parametrize(
    ("purposes", "words"),
    [
        ("third_party", "purposes must be words such as"),
        (7, "purposes must be words such as"),
        (["ads"], "purposes must be new words such as 'third_party', got 'ads'"),
        (["all"], "got 'all'"),
        (["two words"], "got 'two words'"),
        ([7], "got 7"),
        (["a", "a"], "purposes must be distinct"),
        ([f"p{n}" for n in range(58)], "at most 62"),
    ],
)
def test_purposes_of_one_s_own_are_new_words(purposes, words):
    with pytest.raises(ParameterError, match=re.escape(words)):
        rp.ConsentLedger(unknown="denied", purposes=purposes)


def test_as_many_purposes_as_a_number_has_bits_are_kept_apart(tmp_path):
    own = [f"p{n}" for n in range(57)]
    ledger = rp.ConsentLedger(unknown="denied", purposes=own)
    ledger.record("anna", own[::2], "granted", AT)
    ledger.record("anna", own[1::2], "denied", AT)
    rp.save(ledger, tmp_path / "ledger.rp")
    for held in (ledger, rp.load(tmp_path / "ledger.rp")):
        assert [held.state_at("anna", one) for one in own[:3]] == ["granted", "denied", "granted"]
        assert held.state_at("anna", own[-1]) == "granted"
        assert held.admitted(pd.DataFrame({"user_id": ["anna"]}), own[-1]).tolist() == [True]
    assert ledger.state_at("anna", "ads") == "unknown"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("anna", "adds", "granted", AT), ParameterError, "no purpose 'adds'; did you mean 'ads'?"),
        (("anna", [], "granted", AT), ParameterError, "at least one purpose"),
        (("anna", 7, "granted", AT), ParameterError, "a purpose must be a word, or several, got 7"),
        (("anna", [["ads"]], "granted", AT), ParameterError, "there is no purpose ['ads']"),
        (("anna", "ads", "withdrawn", AT), ParameterError, "'denied' (so is a withdrawal)"),
        (("anna", "ads", True, AT), ParameterError, "got True"),
        (("anna", "ads", "granted", "soon"), DataError, "at must be a moment"),
        (("anna", "ads", "granted", None), DataError, "at must be a moment"),
        (("anna", "ads", "granted", AT, 7), DataError, "source must be text, got 7"),
        ((None, "ads", "granted", AT), DataError, "a user_id must be an id, got None"),
        (("null", "ads", "granted", AT), DataError, "a user_id must be an id, got 'null'"),
        ((" ", "ads", "granted", AT), DataError, "a user_id must be an id"),
        ((float("nan"), "ads", "granted", AT), DataError, "a user_id must be an id, got nan"),
        ((["anna"], "ads", "granted", AT), DataError, "a string or an integer, got a list"),
        (("x" * 2_000, "ads", "granted", AT), DataError, "at most 1024 characters"),
        (({}, "ads", "granted", AT), DataError, "at least one identifier"),
        (({"user_id": None}, "ads", "granted", AT), DataError, "at least one identifier"),
        (({7: "anna"}, "ads", "granted", AT), DataError, "a kind of identifiers is a word"),
        ((("a:b", "c"), "ads", "granted", AT), DataError, "a kind of identifiers is a word"),
        ((("a", "b", "c"), "ads", "granted", AT), DataError, "got a tuple of 3"),
        ((("email", "anna@x.example"), "ads", "granted", AT), DataError, "and no email as it is"),
        ((("phone", "+49 30 12345"), "ads", "granted", AT), DataError, "and no phone as it is"),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_a_sentence(ledger, arguments, error, words):
    with pytest.raises(error, match=re.escape(words)) as refused:
        ledger.record(*arguments)
    assert "x.example" not in str(refused.value)
    assert ledger.records().empty
    assert repr(ledger) == "ConsentLedger(unknown='denied'): 0 records of 0 identifiers, 0 erased"


def test_whoever_asks_for_no_purpose_is_told(ledger):
    for ask in (
        lambda: ledger.state_at("anna", "adds"),
        lambda: ledger.allows("anna", "adds"),
        lambda: ledger.admits({"user_id": "anna"}, "adds"),
        lambda: ledger.admitted(pd.DataFrame({"user_id": ["anna"]}), "adds"),
    ):
        with pytest.raises(ParameterError, match="did you mean 'ads'"):
            ask()


def test_one_identifier_is_one_however_it_is_written(ledger):
    ledger.record(7, "ads", "granted", AT)
    ledger.record(UUID(int=5), "ads", "granted", AT)
    for written in (7, 7.0, "7", " 7 ", np.int64(7), np.float64(7)):
        assert ledger.state_at(written, "ads") == "granted"
        assert ledger.admits({"user_id": written}, "ads")
        assert ledger.admitted(pd.DataFrame({"user_id": [written]}), "ads").all()
    assert ledger.admits({"user_id": str(UUID(int=5))}, "ads")
    mixed = pd.DataFrame({"user_id": pd.Series([7, "7", 7.0, "8", UUID(int=5)], dtype=object)})
    assert ledger.admitted(mixed, "ads").tolist() == [True, True, True, False, True]


def test_kinds_do_not_mix(ledger):
    ledger.record("x", "ads", "granted", AT)
    ledger.record("x", "ads", "denied", AT, kind="device_id")
    assert ledger.state_at("x", "ads") == "granted"
    assert ledger.state_at("x", "ads", kind="device_id") == "denied"
    assert ledger.state_at({"user_id": "x", "device_id": "x"}, "ads") == "denied"


def test_a_mapping_records_all_its_identifiers(ledger):
    ledger.record({"user_id": "anna", "anonymous_id": "c-7", "email": None}, "all", "granted", AT)
    assert ledger.state_at(("anonymous_id", "c-7"), "storage") == "granted"
    assert len(ledger.records()) == 2 * len(PURPOSES)


def test_moments_of_any_unit_are_one(ledger):
    ledger.record("a", "ads", "granted", 1_767_225_600)
    ledger.record("b", "ads", "granted", 1_767_225_600_000_000)
    ledger.record("c", "ads", "granted", pd.Timestamp("2026-01-01", tz="UTC"))
    assert ledger.records()["timestamp"].nunique() == 1
    assert ledger.state_at("a", "ads", 1_767_225_599) == "unknown"


def test_records_come_back_as_they_were_said(ledger):
    ledger.record("anna", ["ads", "storage"], "granted", AT, source="banner")
    ledger.record(("device_id", 5), "ads", "denied", "2026-02-01")
    frame = ledger.records()
    assert frame.drop(columns="timestamp").astype(object).where(frame.notna(), None).to_dict(
        "split", index=False
    )["data"] == [
        ["user_id", "anna", "storage", "granted", "banner"],
        ["user_id", "anna", "ads", "granted", "banner"],
        ["device_id", "5", "ads", "denied", None],
    ]
    assert str(frame["timestamp"].dtype) == "datetime64[ms, UTC]"
    assert list(ledger.records("anna").columns) == list(frame.columns)
    assert len(ledger.records("anna")) == 2
    assert ledger.records("ben").empty
    assert list(ledger.records("ben").columns) == list(frame.columns)


def test_a_table_is_read_row_by_row_and_what_is_wrong_counted(ledger):
    table = pd.DataFrame(
        [
            ("anna", "ads", "granted", AT),
            (None, "ads", "granted", AT),
            ("null", "ads", "granted", AT),
            (["list"], "ads", "granted", AT),
            ("ben", "adds", "granted", AT),
            ("ben", ["ads"], "granted", AT),
            ("ben", "ads", "maybe", AT),
            ("ben", "ads", None, AT),
            ("ben", "ads", "granted", None),
            ("ben", "ads", "granted", "soon"),
            ("x" * 2_000, "ads", "granted", AT),
            ("carl", "all", " Denied ", "2026-03-01T10:00:00Z"),
        ],
        columns=["user_id", "purpose", "state", "timestamp"],
    )
    refused = ledger.extend(table)
    assert refused == {
        "no subject": 4, "unknown purpose": 2, "unknown state": 2, "no time": 2,
    }  # fmt: skip
    assert ledger.counts == {f"record: {why}": n for why, n in refused.items()}
    assert ledger.records()["subject"].unique().tolist() == ["anna", "carl"]
    assert ledger.state_at("carl", "storage") == "denied"


def test_raw_e_mails_in_a_table_are_refused_and_counted(ledger):
    table = pd.DataFrame(
        {"user_id": ["a", "b"], "email": ["anna@x.example", "9f0c1d"], "purpose": "ads"}
    )
    table = table.assign(state="granted", timestamp=AT)
    assert ledger.extend(table) == {"raw personal value": 1}
    assert ledger.records()["subject"].tolist() == ["b", "9f0c1d"]


def test_every_identifier_of_a_row_is_on_record(ledger):
    table = pd.DataFrame(
        {
            "user_id": ["anna", None], "customer_no": [5, 6], "purpose": "ads", "state": "denied",
            "timestamp": AT, "source": ["shop", None], "weather": "fine",
        }
    )  # fmt: skip
    ledger.extend(table, kinds=["customer_no"])
    assert ledger.state_at(("customer_no", 6), "ads") == "denied"
    records = ledger.records()
    assert records["subject"].tolist() == ["anna", "5", "6"]
    assert records["source"].tolist()[:2] == ["shop", "shop"]
    assert records["source"].isna().tolist() == [False, False, True]
    log = pd.DataFrame({"user_id": ["zoe", "zoe"], "customer_no": [6, 7]})
    relaxed = rp.ConsentLedger(unknown="granted")
    relaxed.extend(table, kinds=["customer_no"])
    assert relaxed.admitted(log, "ads").tolist() == [False, True]


def test_tables_of_other_makes_and_empty_ones_are_read(ledger):
    table = pl.DataFrame(
        {"user_id": ["a"], "purpose": ["ads"], "state": ["granted"], "timestamp": [AT]}
    )
    assert ledger.extend(table) == {}
    assert ledger.extend(table.head(0)) == {}
    assert ledger.state_at("a", "ads") == "granted"
    assert ledger.admitted(pl.DataFrame({"user_id": ["a", "b"]}), "ads").tolist() == [True, False]
    assert ledger.admitted(pd.DataFrame({"user_id": []}), "ads").tolist() == []
    assert ledger.admitted(pd.DataFrame({"user_id": [None]}), "ads").tolist() == [False]
    assert ledger.counts["ads: nobody"] == 1


@pytest.mark.parametrize("unknown", ["granted", "denied"])
def test_rows_that_say_of_nobody_whose_they_are_are_no_strangers(unknown):
    ledger = rp.ConsentLedger(unknown=unknown)
    ledger.record("anna", "ads", "denied", AT)
    log = pd.DataFrame({"userid": ["anna"], "item_id": ["tea"]})
    with pytest.raises(ColumnError, match=r"such as 'user_id'; did you mean 'userid'\?"):
        ledger.kept(log, "ads")
    assert ledger.kept(log[["item_id"]][:0], "ads").empty


def test_an_identity_that_knows_nobody_is_refused_at_once():
    with pytest.raises(ParameterError, match="what an IdentityGraph is, got a DataFrame"):
        rp.ConsentLedger(unknown="denied", identity=pd.DataFrame())
    ledger = rp.ConsentLedger(unknown="denied")
    with pytest.raises(ParameterError, match="what an IdentityGraph is, got a str"):
        ledger.identity = "graph.rp"


def test_an_unknown_purpose_says_how_to_have_one_more(ledger):
    with pytest.raises(ParameterError, match=r"ConsentLedger\(purposes=\[\.\.\.\]\) names more"):
        ledger.allows("anna", "third_party")


def test_a_table_without_its_columns_is_refused(ledger):
    with pytest.raises(ColumnError, match="a column that says whose they are: 'subject'"):
        ledger.extend(pd.DataFrame({"purpose": ["ads"], "state": ["granted"], "timestamp": [AT]}))
    with pytest.raises(ColumnError, match="consents need a column 'state'"):
        ledger.extend(pd.DataFrame({"user_id": ["a"], "purpose": ["ads"], "timestamp": [AT]}))
    with pytest.raises(DataError, match="consents must be a dataframe"):
        ledger.extend("a.csv")
    assert ledger.extend(
        pd.DataFrame({"user_id": ["a"], "purpose": ["ads"], "state": ["granted"]})
    ) == {"no time": 1}


def test_without_a_time_the_present_state_alone_counts(ledger):
    ledger.record("anna", "ads", "granted", AT)
    log = pd.DataFrame({"user_id": ["anna"] * 4, "timestamp": ["2026-02-01", None, "soon", AT]})
    assert ledger.admitted(log, "ads").tolist() == [False, True, True, True]
    assert ledger.admitted(log[["user_id"]], "ads").all()
    assert ledger.admits({"user_id": "anna"}, "ads")
    assert not ledger.admits({"user_id": "anna"}, "ads", 1_767_225_600_000)


def test_the_reasons_of_refusals_are_counted():
    ledger = rp.ConsentLedger(unknown="denied")
    ledger.record("anna", "ads", "granted", "2026-02-01")
    ledger.record("anna", "ads", "denied", "2026-04-01")
    ledger.forget("ben")
    log = pd.DataFrame(
        {
            "user_id": ["anna", "anna", "anna", "ben", None, "carl"],
            "timestamp": pd.to_datetime(
                ["2026-01-01", "2026-03-01", "2026-05-01", "2026-03-01", "2026-03-01", None]
            ),
        }
    )
    assert ledger.kept(log, "ads").empty
    assert ledger.counts == {
        "ads: unknown": 2, "ads: withdrawn since": 1, "ads: denied": 1, "ads: erased": 1,
        "ads: nobody": 1, "ads: refused": 6,
    }  # fmt: skip
    assert not ledger.lets({"user_id": None}, "ads")
    assert ledger.counts["ads: nobody"] == 2
    assert ledger.counts["ads: refused"] == 7


def test_whoever_has_no_identifier_is_unknown():
    log = pd.DataFrame({"user_id": [None, "null"], "anonymous_id": [None, None]})
    for unknown, answer in (("denied", False), ("granted", True)):
        ledger = rp.ConsentLedger(unknown=unknown)
        assert ledger.admitted(log, "ads").tolist() == [answer, answer]
        assert ledger.admits({}, "ads") is answer
        assert ledger.admits({"user_id": None, "anonymous_id": ""}, "ads") is answer


def test_the_callers_frames_stay_as_they_are(ledger):
    log = pd.DataFrame({"user_id": ["a", "b"], "timestamp": [AT, None]})
    consents = pd.DataFrame(
        {"user_id": ["a"], "purpose": "ads", "state": "granted", "timestamp": AT}
    )
    before = log.copy(), consents.copy()
    ledger.extend(consents)
    ledger.admitted(log, "ads")
    assert log.equals(before[0])
    assert consents.equals(before[1])


def test_a_clone_has_the_policy_and_no_records(ledger):
    ledger.record("anna", "ads", "granted", AT)
    fresh = clone(rp.ConsentLedger(unknown="granted", purposes=("third_party",), random_state=7))
    assert fresh.unknown == "granted"
    assert fresh.purposes == ("third_party",)
    assert clone(ledger).records().empty


def test_many_ask_while_one_records():
    ledger = rp.ConsentLedger(unknown="granted")
    log = pd.DataFrame({"user_id": [f"u{n}" for n in range(50)]})
    ledger.record("denier", "ads", "denied", "2020-01-01")
    stop, wrong = threading.Event(), []

    def ask():
        while not stop.is_set():
            if ledger.admits({"user_id": "denier"}, "ads", 1_900_000_000_000):
                wrong.append("admitted")
            if ledger.admitted(log, "ads").sum() not in range(51):
                wrong.append("rows")
            if len(ledger.records("denier")) < 1:
                wrong.append("records")

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for n in range(3_000):
            ledger.record(f"u{n % 400}", "ads", "denied", 1_767_225_600_000 + n * 1_000)
            ledger.record("denier", "ads", "denied", 1_767_225_600_000 + n * 1_000)
            if n % 500 == 0:
                ledger.forget(f"u{n % 400}")
                ledger.welcome_back(f"u{n % 400}", AT)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert not ledger.admitted(log, "ads").any()
    assert len(ledger.records("denier")) == 3_001


def test_threads_that_record_together_lose_nothing(ledger):
    def record(one):
        for n in range(300):
            ledger.record(f"u{one}-{n}", "ads", "granted", AT)

    threads = [threading.Thread(target=record, args=(one,)) for one in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.records()) == 1_200
    assert ledger.admitted(ledger.records().rename(columns={"subject": "user_id"}), "ads").all()
