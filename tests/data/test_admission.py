import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona import Dataset, Event, EventGate, Popularity
from recopersona.data.admission import through
from recopersona.errors import DataError


class Bars(EventGate):
    """Refuses some users, and of others what happened before a moment."""

    def __init__(self, users=(), before=None):
        self.users, self.before = set(users), before

    def admitted(self, rows, purpose):
        may = ~rows["user_id"].isin(self.users).to_numpy()
        if self.before is not None and "timestamp" in rows:
            may &= (pd.to_datetime(rows["timestamp"], utc=True) >= self.before).to_numpy()
        return may

    def admits(self, who, purpose, at=None):
        return who.get("user_id") not in self.users


EVENTS = pd.DataFrame(
    {
        "user_id": ["anna", "ben", "cleo", "ben", "anna", "dora"],
        "item_id": ["tea", "gold", "salt", "tea", "salt", "mint"],
        "event": ["view", "purchase", "view", "view", "cart", "view"],
        "timestamp": pd.to_datetime(range(1_700_000_000, 1_700_000_006), unit="s", utc=True),
    }
)
SHELF = pd.DataFrame({"item_id": ["salt", "sage"], "brand": ["Ito", "Ono"]})
CUSTOMERS = pd.DataFrame(
    {"user_id": ["ben", "emil", "anna"], "city": ["Ulm", "Bonn", "Ulm"], "age": [3.0, None, 4.0]}
)


def parts_of(shop):
    """All that a dataset is made of, in bytes."""
    log = shop.log
    arrays = [log.users, log.items, log.event, log.weight, log.timestamp, log.quantity]
    bytes_of = [None if array is None else array.tobytes() for array in arrays]
    tables = [
        (name, str(table.column(name)), table[name].tolist())
        for table in (shop.user_features, shop.item_features)
        for name in table.names
    ]
    return bytes_of, shop.users.ids.tolist(), shop.items.ids.tolist(), str(tables), shop.described


def test_a_dataset_behind_a_gate_is_as_if_the_refused_had_never_been_read():
    gate = Bars(["ben"])
    late = Dataset.from_frames(EVENTS, items=SHELF, users=CUSTOMERS).behind(gate)
    early = Dataset.from_frames(EVENTS, items=SHELF, users=CUSTOMERS, gate=gate)
    without = Dataset.from_frames(
        EVENTS[EVENTS["user_id"] != "ben"],
        items=SHELF,
        users=CUSTOMERS[CUSTOMERS["user_id"] != "ben"],
    )
    assert parts_of(late) == parts_of(early) == parts_of(without)
    assert late.items.ids.tolist() == ["salt", "sage", "tea", "mint"]
    assert late.gate is early.gate is gate


def test_what_was_refused_is_counted():
    shop = Dataset.from_frames(EVENTS, items=SHELF, users=CUSTOMERS)
    assert "refused_events" not in shop.counts
    behind = shop.behind(Bars(["ben"])).behind(Bars(["dora"]))
    assert behind.counts["refused_events"] == 3
    assert behind.counts["refused_users"] == 2


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=30),
    st.sets(st.integers(0, 5)),
    st.none() | st.integers(0, 30),
    st.sets(st.integers(0, 5)),
)
def test_through_a_gate_comes_what_reading_without_the_refused_would_give(
    pairs, refused, before, described
):
    moment = None if before is None else pd.Timestamp(1_700_000_000 + before, unit="s", tz="UTC")
    events = pd.DataFrame(pairs, columns=["user_id", "item_id"])
    events["timestamp"] = pd.to_datetime(1_700_000_000 + events.index, unit="s", utc=True)
    customers = pd.DataFrame({"user_id": sorted(described), "age": 1.5})
    gate = Bars(refused, moment)
    kept = events[gate.admitted(events, "personalization")]
    without = Dataset.from_frames(kept, users=customers[~customers["user_id"].isin(refused)])
    assert parts_of(through(gate, Dataset.from_frames(events, users=customers))) == parts_of(
        without
    )


def test_records_pass_as_rows_do():
    records = [
        Event(*row) for row in EVENTS[["user_id", "item_id", "event"]].itertuples(index=False)
    ]
    shop = Dataset.from_frames(iter(records), gate=Bars(["anna", "ben"]))
    assert shop.users.ids.tolist() == ["cleo", "dora"]


def test_a_table_of_customers_that_is_read_already_passes_too():
    table = Dataset.from_frames(EVENTS, users=CUSTOMERS).user_features
    shop = Dataset.from_frames(
        EVENTS[EVENTS["user_id"] == "cleo"], users=table, gate=Bars(["emil"])
    )
    assert "emil" not in shop.users
    assert shop.user_features["city"].tolist()[:2] == ["Ulm", "Ulm"]
    assert table.ids.ids.tolist()[:3] == ["ben", "emil", "anna"]


def test_a_part_of_a_dataset_keeps_its_gate_and_those_without_rows_in_it():
    gate = Bars(["dora"])
    part = Dataset.from_frames(EVENTS, gate=gate).take(np.array([1]))
    assert part.gate is gate
    assert part.behind(Bars(["cleo"])).users.ids.tolist() == ["ben", "anna"]


def test_a_matrix_loses_the_rows_of_the_refused():
    shop = Dataset.from_matrix(np.eye(3), user_ids=["anna", "ben", "cleo"]).behind(Bars(["ben"]))
    assert shop.users.ids.tolist() == ["anna", "cleo"]
    assert shop.items.ids.tolist() == [0, 1, 2]


def test_the_gate_counts_what_it_lets_through():
    gate = Bars(["ben"])
    gate.kept(EVENTS, "storage")
    assert gate.lets({"user_id": "ben"}, "ads") is False
    assert gate.counts == {"storage: admitted": 4, "storage: refused": 2, "ads: refused": 1}


@pytest.mark.parametrize("given", [EVENTS, EVENTS.iloc[:0]])
def test_where_all_is_admitted_nothing_is_copied(given):
    assert Bars().kept(given) is given


class Answers(EventGate):
    """A gate that answers whatever a test gives it."""

    def __init__(self, answer):
        self.answer = answer

    def admitted(self, rows, purpose):
        return self.answer

    def admits(self, who, purpose, at=None):
        return self.answer


WRONG = [
    None, True, "no", [], np.ones(5, np.bool_), np.ones((6, 1), np.bool_), [1] * 6,
    np.full(6, np.nan), ["False"] * 6, [None] * 6, pd.Series([True] * 5 + [None]),
]  # fmt: skip


@pytest.mark.parametrize("answer", WRONG, ids=repr)
def test_a_gate_in_error_lets_nobody_in(answer):
    for enter in (
        lambda: Answers(answer).kept(EVENTS),
        lambda: Dataset.from_frames(EVENTS, gate=Answers(answer)),
        lambda: Popularity().fit(EVENTS, gate=Answers(answer)),
        lambda: Popularity().fit(Dataset.from_frames(EVENTS), gate=Answers(answer)),
    ):
        with pytest.raises(
            DataError, match=r"Answers\.admitted must answer True or False for each"
        ):
            enter()


@pytest.mark.parametrize("answer", [None, 1, "no", np.nan, np.ones(1, np.bool_)], ids=repr)
def test_a_gate_that_answers_neither_yes_nor_no_is_refused(answer):
    with pytest.raises(DataError, match=r"Answers\.admits must answer True or False, got a"):
        Answers(answer).lets({"user_id": "anna"}, "ads")
    model = Popularity().fit(EVENTS).behind(Answers(answer))
    with pytest.raises(DataError, match=r"Answers\.admits must answer"):
        model.recommend("anna")


@pytest.mark.parametrize("answer", [[True] * 6, np.ones(6, np.bool_), pd.Series([True] * 6)])
def test_a_gate_may_answer_with_any_list_of_truth_values(answer):
    assert Answers(answer).kept(EVENTS) is EVENTS
    assert Answers(()).kept(EVENTS[:0]).empty


def test_whoever_may_not_be_known_takes_all_her_events_along():
    class OfTwoMinds(Bars):
        def admitted(self, rows, purpose):
            may = super().admitted(rows, purpose)
            return np.ones(len(rows), bool) if "timestamp" in rows else may

    shop = Dataset.from_frames(EVENTS).behind(OfTwoMinds(["ben"]))
    assert shop.users.ids.tolist() == ["anna", "cleo", "dora"]
    assert shop.log.users.tolist() == [0, 1, 0, 2]
