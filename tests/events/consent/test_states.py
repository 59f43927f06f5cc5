"""States follow from records alone: whatever their order, and however they came in."""

from collections import Counter

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import recopersona as rp
from tests.naive import consent as naive

DAY = 86_400_000
START = 1_767_225_600_000  # 2026-01-01

names = st.sampled_from(["user_id:a", "user_id:b", "anonymous_id:a", "device_id:d"])
records = st.lists(
    st.tuples(
        names,
        st.sampled_from(["storage", "analytics", "ads"]),
        st.sampled_from(["granted", "denied"]),
        st.integers(0, 5),
    ),
    max_size=12,
)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "user_id": st.sampled_from(["a", "b", "c", None]),
            "anonymous_id": st.sampled_from(["a", None]),
            "device_id": st.sampled_from(["d", "e", None]),
            "day": st.sampled_from([0, 1, 2, 3, 4, 5, 9, None]),
        }
    ),
    min_size=1,
    max_size=8,
)


def ledger_of(said, unknown="denied", **parameters):
    ledger = rp.ConsentLedger(unknown=unknown, **parameters)
    for name, purpose, state, day in said:
        ledger.record(tuple(name.split(":")), purpose, state, START + day * DAY)
    return ledger


def in_days(said):
    return [(name, purpose, state, START + day * DAY) for name, purpose, state, day in said]


def table_of(said):
    return pd.DataFrame(
        [
            (*reversed(name.split(":")), purpose, state, START + day * DAY)
            for name, purpose, state, day in said
        ],
        columns=["subject", "kind", "purpose", "state", "timestamp"],
    )


@given(records, st.randoms())
def test_records_in_any_order_give_the_same_states(said, random):
    shuffled = random.sample(said, len(said))
    one, other = ledger_of(said), ledger_of(shuffled)
    table = rp.ConsentLedger(unknown="denied")
    table.extend(table_of(shuffled))
    for name in {name for name, *_ in said}:
        subject = tuple(name.split(":"))
        for purpose in ("storage", "analytics", "ads"):
            for day in (None, 0, 1, 2, 3, 4, 5):
                at = None if day is None else START + day * DAY
                expected = naive.state_at(in_days(said), name, purpose, at)
                assert one.state_at(subject, purpose, at) == expected
                assert other.state_at(subject, purpose, at) == expected
                assert table.state_at(subject, purpose, at) == expected


@settings(max_examples=200)
@given(
    records, records, rows, st.sampled_from(["granted", "denied"]),
    st.sets(names, max_size=2), st.booleans(),
)  # fmt: skip
def test_the_gate_says_what_its_naive_twin_says_of_rows_and_of_one(
    early, late, events, unknown, erased, some_at_once
):
    ledger = ledger_of(early, unknown) if not some_at_once else rp.ConsentLedger(unknown=unknown)
    if some_at_once:
        ledger.extend(table_of(early))
    for name, purpose, state, day in late:
        ledger.record(tuple(name.split(":")), purpose, state, START + day * DAY)
    ledger.forget([tuple(name.split(":")) for name in erased])
    said = [record for record in in_days(early + late) if record[0] not in erased]
    frame = pd.DataFrame(events)
    at = [None if day is None or day != day else START + int(day) * DAY for day in frame["day"]]
    frame = frame.drop(columns="day").assign(timestamp=pd.array(at, dtype="Int64"))
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="ms", utc=True)
    kinds = ["user_id", "anonymous_id", *(["device_id"] * any("device" in n for n, *_ in said))]
    kinds += ["device_id"] * any("device" in name for name in erased)
    reasons = []
    for row, moment in zip(events, at, strict=True):
        held = [f"{kind}:{row[kind]}" for kind in dict.fromkeys(kinds) if row[kind] is not None]
        reasons.append(naive.reason(said, erased, held, "ads", moment, unknown))
    assert ledger.admitted(frame, "ads").tolist() == [why is None for why in reasons]
    counted = Counter(f"ads: {why}" for why in reasons if why)
    assert ledger.counts == counted
    for row, moment, why in zip(events, at, reasons, strict=True):
        who = {kind: row[kind] for kind in kinds}
        assert ledger.admits(who, "ads", moment) == (why is None)
    assert ledger.counts == counted + counted


@given(records, st.randoms())
def test_of_several_the_most_restrictive_holds(said, random):
    everybody = ["user_id:a", "user_id:b", "anonymous_id:a", "device_id:d"]
    ledger = ledger_of(said)
    subject = {"user_id": "a", "anonymous_id": "a", "device_id": "d"}
    for day in range(6):
        at = START + day * DAY
        expected = naive.state_of_all(
            in_days(said), [name for name in everybody if name != "user_id:b"], "ads", at
        )
        assert ledger.state_at(subject, "ads", at) == expected


def test_many_records_one_by_one_are_what_a_table_of_them_is():
    random = np.random.default_rng(7)
    n = 5_000
    said = [
        (f"user_id:u{who}", "ads", ("granted", "denied")[state], int(day))
        for who, state, day in zip(
            random.integers(0, 300, n), random.integers(0, 2, n), random.integers(0, 400, n),
            strict=True,
        )
    ]  # fmt: skip
    one, table = ledger_of(said), rp.ConsentLedger(unknown="denied")
    assert table.extend(table_of(said)) == {}
    log = pd.DataFrame(
        {
            "user_id": [f"u{who}" for who in random.integers(0, 330, 20_000)],
            "timestamp": START + random.integers(-2, 402, 20_000) * DAY,
        }
    )
    mask = one.admitted(log, "ads")
    assert 0 < mask.sum() < len(log)
    assert (mask == table.admitted(log, "ads")).all()
    sample = log.iloc[:300]
    assert mask[:300].tolist() == [
        one.admits({"user_id": user}, "ads", at) for user, at in sample.itertuples(index=False)
    ]
    assert one.records().equals(table.records())


@given(records, records, records)
def test_records_and_tables_in_turns_give_the_same_states(first, table, last):
    ledger = ledger_of(first)
    ledger.extend(table_of(table))
    for name, purpose, state, day in last:
        ledger.record(tuple(name.split(":")), purpose, state, START + day * DAY)
    said = in_days(first + table + last)
    for name in {name for name, *_ in said}:
        for at in (None, START, START + 2 * DAY, START + 5 * DAY):
            expected = naive.state_at(said, name, "ads", at)
            assert ledger.state_at(tuple(name.split(":")), "ads", at) == expected
