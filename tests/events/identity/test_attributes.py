"""Tables of attributes from elsewhere, joined to profiles by one kind of identifier."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import recopersona as rp
from recopersona.errors import ColumnError, DataError, ParameterError

LOG = pd.DataFrame(
    {
        "user_id": ["ann", "ann", "ben", "cleo", "ben"],
        "ramp_id": ["X1", "X2", "X3", None, "X1"],
        "item_id": ["tea", "salt", "tea", "rice", "pan"],
    }
)  # X1 was ann's before it was ben's, too: it is shared


@pytest.fixture
def graph():
    times = pd.date_range("2026-01-01", periods=len(LOG), tz="UTC")
    return rp.IdentityGraph().update(LOG.assign(timestamp=times))


def bought(**columns):
    return pd.DataFrame({"ramp_id": ["X2", "X3", "X2"], **columns})


def test_there_is_one_row_per_profile_and_the_latest_counts(graph):
    users = graph.attributes(bought(band=["30", "40", "50"]), "ramp_id")
    assert users.to_dict("list") == {
        "user_id": ["user_id:ann", "user_id:ben"],
        "band": ["50", "40"],
    }


def test_the_first_counts_if_so_asked(graph):
    users = graph.attributes(bought(band=["30", "40", "50"]), "ramp_id", conflicts="first")
    assert users["band"].tolist() == ["30", "40"]


def test_time_decides_what_is_latest_where_there_is_one(graph):
    times = pd.to_datetime(["2026-03-01", "2026-03-01", "2026-02-01"])
    table = bought(band=["30", "40", "50"], timestamp=times)
    assert graph.attributes(table, "ramp_id").set_index("user_id")["band"].to_dict() == {
        "user_id:ann": "30", "user_id:ben": "40",
    }  # fmt: skip
    early = graph.attributes(table, "ramp_id", conflicts="first").set_index("user_id")
    assert list(early.columns) == ["band"]
    assert early["band"]["user_id:ann"] == "50"


def test_rows_without_a_time_are_older_than_all_others(graph):
    times = pd.to_datetime([None, "2026-03-01", "2026-02-01"])
    users = graph.attributes(bought(band=[3, 4, 5], timestamp=times), "ramp_id")
    assert users.set_index("user_id")["band"]["user_id:ann"] == 5


def test_a_gap_says_nothing(graph):
    users = graph.attributes(bought(band=["30", None, None], n=[np.nan, 2, 3]), "ramp_id")
    assert users.set_index("user_id")["band"].to_dict()["user_id:ann"] == "30"
    assert users["n"].tolist() == [3, 2]


def test_what_became_of_every_row_is_counted(graph):
    table = pd.DataFrame(
        {"ramp_id": ["X2", "X2", "X1", "ZZ", None, "null", "X3"], "band": list("abcdefg")}
    )
    graph.attributes(table, "ramp_id")
    told = {word: n for word, n in graph.counts_.items() if word.startswith("attributes: ")}
    assert told == {
        "attributes: rows": 7, "attributes: no identifier": 2, "attributes: shared": 1,
        "attributes: unknown": 1, "attributes: profiles": 2, "attributes: conflicts": 1,
    }  # fmt: skip


def test_rows_that_agree_are_no_conflict(graph):
    graph.attributes(bought(tags=[["a"], ["b"], ["a"]], band=["30", "40", None]), "ramp_id")
    assert "attributes: conflicts" not in graph.counts_


def test_two_identifiers_of_one_person_make_one_row(graph):
    table = pd.DataFrame({"user_id": ["ann", "cleo"], "city": ["Ulm", "Bonn"]})
    assert graph.attributes(table, "user_id")["user_id"].tolist() == ["user_id:ann", "user_id:cleo"]


def test_other_identifiers_and_the_time_are_no_attributes(graph):
    table = bought(
        email=["a@x.example"] * 3, user_id=["z"] * 3, city="Ulm", timestamp=1_700_000_000
    )
    assert list(graph.attributes(table, "ramp_id").columns) == ["user_id", "city"]


def test_nothing_is_linked_by_it(graph):
    before = graph.profiles()
    graph.attributes(bought(user_id=["cleo"] * 3, city="Ulm"), "ramp_id")
    assert graph.profiles().equals(before)


def test_a_dataset_takes_what_comes_out(graph):
    users = graph.attributes(bought(band=["30", "40", "50"]), "ramp_id")
    shop = rp.Dataset.from_frames(graph.resolve(LOG), users=users)
    assert shop.users.ids.tolist() == ["user_id:ann", "user_id:ben", "user_id:cleo"]
    assert shop.user_features.columns["band"].at(0) == "50"


def test_polars_gives_polars_and_the_table_of_the_caller_is_untouched(graph):
    table = bought(band=["30", "40", "50"])
    before = table.copy(deep=True)
    users = graph.attributes(pl.from_pandas(table), "ramp_id")
    assert isinstance(users, pl.DataFrame)
    assert users["band"].to_list() == ["50", "40"]
    graph.attributes(table, "ramp_id")
    pd.testing.assert_frame_equal(table, before)


def test_an_empty_table_gives_an_empty_one(graph):
    users = graph.attributes(bought(band=["30", "40", "50"])[:0], "ramp_id")
    assert list(users.columns) == ["user_id", "band"]
    assert len(users) == 0


class Willing(rp.EventGate):
    """Let nobody be known but some, and remember what was asked."""

    def __init__(self, *names):
        self.names, self.asked = names, []

    def admitted(self, rows, purpose):
        self.asked.append((sorted(rows.columns), purpose))
        return rows["user_id"].isin(self.names).to_numpy()

    def admits(self, who, purpose, at=None):
        return False


def test_each_row_passes_the_gate_with_a_purpose_of_its_own(graph):
    gate = Willing("user_id:ben")
    users = graph.attributes(bought(band=["30", "40", "50"]), "ramp_id", gate=gate)
    assert users["user_id"].tolist() == ["user_id:ben"]
    assert gate.asked == [(["ramp_id", "user_id"], "third_party")]
    assert gate.counts == {"third_party: admitted": 1, "third_party: refused": 2}
    assert graph.counts_["attributes: refused"] == 2
    graph.attributes(bought(band="30"), "ramp_id", gate=gate, purpose="bought")
    assert gate.asked[-1][1] == "bought"


def test_a_ledger_decides_by_the_consent_of_the_person(graph):
    ledger = rp.ConsentLedger(unknown="denied", identity=graph, purposes=["third_party"])
    ledger.record("ben", "third_party", "granted", "2026-01-01", source="form")
    ledger.record("ann", "personalization", "granted", "2026-01-01", source="form")
    users = graph.attributes(bought(band=["30", "40", "50"]), "ramp_id", gate=ledger)
    assert users["user_id"].tolist() == ["user_id:ben"]
    table = pd.DataFrame({"user_id": ["ann", "ben"], "city": ["Ulm", "Bonn"]})
    assert graph.attributes(table, "user_id", gate=ledger)["city"].tolist() == ["Bonn"]


def test_bad_tables_are_refused_in_words(graph):
    with pytest.raises(ColumnError, match="the table needs a column 'ramp_id'"):
        graph.attributes(pd.DataFrame({"x": [1]}), "ramp_id")
    with pytest.raises(DataError, match="no kind of identifier 'ramp'; did you mean 'ramp_id'"):
        graph.attributes(bought(), "ramp")
    twice = pd.DataFrame([["X1", "X2", 1]], columns=["ramp_id", "ramp_id", "band"])
    with pytest.raises(ColumnError, match="2 columns named 'ramp_id'; keep one"):
        graph.attributes(twice, "ramp_id")
    with pytest.raises(ParameterError, match="conflicts must be one of 'recent', 'first'"):
        graph.attributes(bought(), "ramp_id", conflicts="newest")
    with pytest.raises(DataError, match="gate must be an EventGate, got str"):
        graph.attributes(bought(), "ramp_id", gate="ledger")
    with pytest.raises(DataError, match="the table must be a dataframe"):
        graph.attributes([1], "ramp_id")
