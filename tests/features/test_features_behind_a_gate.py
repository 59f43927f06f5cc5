"""Features behind a gate: of whoever refuses they learn nothing, and know nothing."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from recopersona import load, save
from recopersona.data.dataset import Dataset
from recopersona.data.event import Event
from recopersona.data.query import Query
from recopersona.errors import DataError
from recopersona.features.features import Features
from tests.testing.all_but import AllBut
from tests.testing.learned import learned

N = 60
DAY = 86_400_000
START = 1_780_000_000_000
DRAWS = np.random.default_rng(5)
LOG = pd.DataFrame(
    {
        "user_id": DRAWS.choice(["anna", "ben", "cleo", "dora"], N),
        "item_id": DRAWS.choice(["tea", "salt", "oil", "rice"], N),
        "event": DRAWS.choice(["view", "cart", "purchase"], N),
        "category": DRAWS.choice(["hot", "cold"], N),
        "order_id": DRAWS.integers(0, 30, N),
        "timestamp": START + np.sort(DRAWS.integers(0, 10 * DAY, N)),
    }
)
BENS = (LOG["user_id"] == "ben").to_numpy()
LATER = [Event(user, "tea", "view", START + 11 * DAY) for user in ("ben", "anna")]


def fitted(log, gate=None, form="frame", **options):
    features = Features(**options)
    if form == "frame":
        return features.fit(log, gate=gate)
    if form == "events":
        return features.fit([Event(*row) for row in _records(log)], gate=gate)
    if form == "dataset":
        return features.fit(Dataset.from_frames(log, gate=gate))
    if form == "a dataset and a gate":
        return features.fit(Dataset.from_frames(log), gate=gate)
    features.fit_transform(log, gate=gate)
    return features


def _records(log):
    return log[["user_id", "item_id", "event", "timestamp"]].itertuples(index=False)


FORMS = ["frame", "events", "dataset", "a dataset and a gate", "and transform"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scaler", [None, StandardScaler()], ids=["plain", "scaled"])
def test_whoever_refuses_might_as_well_not_be_there(form, scaler):
    behind = fitted(LOG, AllBut("ben"), form, scaler=scaler)
    without = fitted(LOG[~BENS], None, form, scaler=scaler)
    assert learned(behind) == learned(without)
    assert learned(behind) != learned(fitted(LOG, None, form, scaler=scaler))


@pytest.mark.parametrize("events", [LATER[0], LATER[:1], pd.DataFrame(LATER[:1]).dropna(axis=1)])
def test_later_events_of_whoever_refuses_change_nothing(events):
    features = fitted(LOG, AllBut("ben"))
    before = learned(features)
    assert learned(features.update(events)) == before
    assert features.gate.counts["personalization: refused"] == BENS.sum() + 1
    assert learned(features.update(LATER)) != before  # as one of them is anna's


def test_a_withdrawal_holds_from_the_next_event():
    gate = AllBut()
    features = fitted(LOG, gate)
    gate.refuse("ben")
    before = learned(features)
    assert learned(features.update(LATER[0])) == before


@pytest.mark.parametrize("rows", [LOG, LOG[["user_id", "item_id"]], LOG.drop(columns="user_id")])
def test_rows_of_whoever_refuses_are_strangers_rows(rows):
    features = fitted(LOG, AllBut("ben"))
    values = features.transform(rows)
    assert len(values) == len(rows)
    strange = (
        rows.assign(user_id=rows["user_id"].where(~BENS, "nobody")) if "user_id" in rows else rows
    )
    pd.testing.assert_frame_equal(values, features.transform(strange))


def test_rows_of_numbered_users_keep_their_numbers():
    numbered = LOG.assign(
        user_id=LOG["user_id"].map({"anna": 2**60, "ben": 1, "cleo": 2, "dora": 3})
    )
    features = fitted(numbered, AllBut(1))
    strange = numbered.assign(user_id=numbered["user_id"].mask(BENS, 99))
    pd.testing.assert_frame_equal(features.transform(numbered), features.transform(strange))


def test_records_that_can_be_walked_once_are_answered():
    behind = Features().fit_transform(
        iter([Event(*row) for row in _records(LOG)]), gate=AllBut("ben")
    )
    assert len(behind) == N


def test_as_many_rows_come_back_as_went_in():
    features = Features()
    values = features.fit_transform(LOG, gate=AllBut("ben"))
    assert len(values) == N
    pd.testing.assert_frame_equal(values, features.transform(LOG))


def test_scalers_learn_from_the_rows_of_those_who_agree():
    rows = LOG.assign(timestamp=LOG["timestamp"] + DAY)
    options = {"scaler": StandardScaler()}
    for verb in ("fit", "fit_transform"):
        behind, without = Features(**options), Features(**options)
        getattr(behind, verb)(LOG, rows=rows, gate=AllBut("ben"))
        getattr(without, verb)(LOG[~BENS], rows=rows[~BENS])
        assert learned(behind) == learned(without)


def test_a_request_of_whoever_refuses_is_a_strangers():
    gate = AllBut()
    features = fitted(LOG, gate)
    asked = Query("ben", session=["tea"], now=START + 10 * DAY)
    known = features.for_query(asked, ["tea", "salt"])
    gate.refuse("ben")
    strange = features.for_query(Query(now=START + 10 * DAY), ["tea", "salt"])
    np.testing.assert_array_equal(features.for_query(asked, ["tea", "salt"]), strange)
    assert not np.array_equal(known, strange, equal_nan=True)


def test_features_saved_behind_a_gate_learn_nothing_without_one(tmp_path):
    gate = AllBut("ben")
    save(fitted(LOG, gate), tmp_path / "features.rp")
    lost = load(tmp_path / "features.rp")
    for events in (LATER[1], LATER, LOG):
        with pytest.raises(
            DataError, match=r"this Features was fitted behind a gate; load it with"
        ):
            lost.update(events)
    everybody = lost.transform(LOG)
    pd.testing.assert_frame_equal(everybody, lost.transform(LOG.assign(user_id="nobody")))
    again = load(tmp_path / "features.rp", gate=gate)
    before = learned(again)
    assert learned(again.update(LATER[0])) == before
    assert learned(again.update(LATER[1])) != before
    assert not np.array_equal(again.transform(LOG), everybody, equal_nan=True)


def test_a_second_fit_without_a_gate_stands_behind_none():
    features = fitted(LOG, AllBut("ben"))
    assert features.fit(LOG).gate is None
    assert learned(features) == learned(fitted(LOG))


def test_what_is_no_gate_is_refused():
    with pytest.raises(DataError, match=r"a gate must be an EventGate, .* got a str"):
        Features().fit(LOG, gate="ledger")
