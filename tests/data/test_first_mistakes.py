"""What people type first, and the sentence that tells them what to type next."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from recopersona.data.columns import as_pandas
from recopersona.data.dataset import Dataset
from recopersona.data.event import (
    ALL_EVENTS,
    EVENT_TYPES,
    Event,
    event_bits,
    event_code,
    event_weight_table,
    seen_bits,
)
from recopersona.data.feature_table import FeatureTable, FlagColumn, NumberColumn
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.intake import read_columns, read_one
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.times import MISSING_TIME, duration_ms, moment_ms
from recopersona.errors import ColumnError, DataError, ParameterError, did_you_mean, hint, nearest

LOG = pd.DataFrame({"user_id": ["anna", "ben"], "item_id": ["tea", "salt"]})
NOW = moment_ms("2026-06-01")


def test_a_near_word_is_found_whatever_its_case():
    assert nearest("PRICE", ["stock", "Price"]) == "Price"
    assert nearest("weather", ["stock", "Price"]) is None
    assert did_you_mean("Viev", EVENT_TYPES) == "; did you mean 'view'?"
    assert hint("weather", ["a", "b"]) == "; there are a, b."
    assert hint("weather", iter(["ab"]), "ours are") == "; ours are ab."


@pytest.mark.parametrize(("name", "fix"), [("VIEW", "did you mean 'view'"), ("add_to_cart", ";")])
def test_another_spelling_of_an_event_leads_to_clean(name, fix):
    with pytest.raises(DataError, match=rf"unknown event '{name}'.*{fix}.*rp\.clean\(events\)"):
        event_code(name)


@pytest.mark.parametrize("weights", [["purchase"], "purchase", 10])
def test_event_weights_are_a_mapping(weights):
    with pytest.raises(ParameterError, match=r"event_weights must be a mapping such as \{'purch"):
        event_weight_table(weights)
    with pytest.raises(ParameterError, match="must be a number of at least 0, got 1e"):
        event_weight_table({"purchase": 1e300})


def test_seen_is_a_word_or_kinds_of_events():
    assert seen_bits("drop") == ALL_EVENTS == event_bits(EVENT_TYPES)
    assert seen_bits("keep") == seen_bits([]) == 0
    kinds = ("view", "purchase")
    assert seen_bits(kinds) == seen_bits(list(kinds)) == seen_bits(kind for kind in kinds)
    assert seen_bits(kinds) == event_bits(kinds)


@pytest.mark.parametrize("seen", [None, False, True, "view", 3, b"drop"])
def test_seen_is_nothing_else(seen):
    message = rf"^seen must be 'drop', 'keep' or a list of event types, got {seen!r}\.$"
    with pytest.raises(ParameterError, match=message):
        seen_bits(seen)


@pytest.mark.parametrize(
    ("said", "same"),
    [("90 seconds", "90s"), ("1 sec", "1s"), ("2 secs", "2s"), ("1 minute", "1min"),
     ("3 Mins", "3min"), ("1hour", "1h"), ("2 hours", "2h"), ("1 day", "1d"), ("28 days", "28d"),
     ("1 week", "1w"), ("2weeks", "2w"), ("1 month", "1mo"), ("6 months", "6mo"), ("1 year", "1y"),
     ("2 YEARS", "2y")],
)  # fmt: skip
def test_units_may_be_words(said, same):
    assert duration_ms(said) == duration_ms(same)


@pytest.mark.parametrize("number", [30, "30", np.int64(30)])
def test_a_bare_number_lacks_its_unit(number):
    with pytest.raises(ParameterError, match=r"gap must be a duration .*got .*30.*; try '30d'\.$"):
        duration_ms(number, "gap")
    with pytest.raises(ParameterError, match=r"got -3\.$"):
        duration_ms(-3)


def test_none_is_an_empty_list_of_items():
    empty = Query(session=None, seed=None, context=None)
    assert (empty.session, empty.seed, empty.context) == ((), (), {})


@pytest.mark.parametrize("name", ["session", "history", "seed"])
@pytest.mark.parametrize("kind", [pd.Series, np.array, iter, set])
def test_any_iterable_of_ids_is_a_list_of_items(name, kind):
    query = Query(**{name: kind(["tea"])})
    assert getattr(query, name) == ("tea",)


@pytest.mark.parametrize("name", ["session", "history", "seed"])
@pytest.mark.parametrize("frame", [LOG, pl.from_pandas(LOG), pa.Table.from_pandas(LOG)])
def test_a_frame_is_no_list_of_items(name, frame):
    message = rf"Query: {name} must be a list of item ids, got a .*; .*frame\['item_id'\]\.$"
    with pytest.raises(DataError, match=message):
        Query(**{name: frame})


@pytest.mark.parametrize("session", [{"tea": 1}, Query(), "tea", np.array(5)])
def test_a_session_is_a_list_of_items(session):
    with pytest.raises(DataError, match="Query: session must be a list of item ids, got"):
        Query(session=session)


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), "2", None, 1e300])
def test_a_weight_of_the_past_is_a_finite_number(weight):
    with pytest.raises(DataError, match=r"Query: history\['tea'\] must be a finite number of at"):
        Query(history={"salt": 1, "tea": weight})


def test_a_question_keeps_the_weights_it_was_asked_with():
    past = {"tea": 2.0}
    query = Query(history=past)
    past["tea"] = -1.0
    assert query.history == {"tea": 2.0}


@pytest.mark.parametrize("context", ["cart", ["cart"], 7])
def test_a_context_is_a_mapping(context):
    with pytest.raises(DataError, match=r"Query: context must be a mapping such as \{'page'"):
        Query(context=context)


@pytest.mark.parametrize(
    "asked", [["anna"], ("anna",), {"anna"}, np.array(["anna"]), pd.Series(["anna"]), LOG]
)
def test_one_visitor_is_asked_about_at_a_time(asked):
    kind = type(asked).__name__
    message = rf"recommend answers one visitor, got a {kind}; for several call recommend_many\.$"
    with pytest.raises(DataError, match=message):
        Query.of(asked)


@pytest.mark.parametrize("ids", ["abc", 5, np.array(5), LOG])
def test_a_map_is_made_of_many_ids(ids):
    with pytest.raises(DataError, match="expected a list of ids, got"):
        IdMap(ids)
    with pytest.raises(DataError, match="expected a list of ids, got"):
        IdMap(["tea"]).extend(ids)


@pytest.mark.parametrize(
    ("events", "fix"),
    [("log.csv", r"got str; read a file with rp\.read_events\(path\)\.$"),
     ({"user_id": ["anna"]}, r"got dict; make one with pd\.DataFrame\(\.\.\.\)\.$"),
     (LOG["user_id"], "got Series; pass the whole frame in place of one column")],
)  # fmt: skip
def test_what_is_nearly_a_frame_says_how_to_become_one(events, fix):
    with pytest.raises(DataError, match=fix):
        Dataset.from_frames(events)


def test_no_events_at_all_are_an_empty_dataset():
    assert Dataset.from_frames([]).shape == (0, 0)


TIMES = [
    None, float("nan"), pd.NaT, pd.NA,
    1_700_000_000, 1_700_000_000_123, 1_700_000_000_123_456, 1_700_000_000_123_456_789,
    np.int64(1_700_000_000), 1_700_000_000.5, "1700000000", 315_532_800, 315_532_799, 7_258_118_400,
    7_258_118_401, 0, -1, 7, 10**30, True, "soon", "2026-01-31", "2026-01-31T01:00:00+01:00",
    "31 Jan 2026", datetime(2026, 1, 31, tzinfo=UTC), pd.Timestamp("2026-01-31"),
    np.datetime64("2026-01-31"), moment_ms("2026-06-01T23:00"), moment_ms("2026-06-03"),
    "2027-01-01", 4.2, float("inf"),
]  # fmt: skip
CASES = [
    *(Event("anna", "tea", timestamp=time) for time in TIMES),
    *(Event("anna", "tea", kind) for kind in (*EVENT_TYPES, "VIEW", "buy", None, 3, ["view"])),
    *(Event(id_, "tea") for id_ in (None, float("nan"), pd.NA, pd.NaT, ["a"], {}, np.ones(2))),
    *(Event("anna", id_) for id_ in (None, float("nan"), pd.NA, ["a"], ([1],))),
    *(Event(id_, id_) for id_ in ("", 7, 7.0, 7.5, np.int64(7), np.str_("a"), 2**70, True)),
    *(Event("a", "b", quantity=q) for q in (None, 2, 0.5, 0, -1, float("nan"), "2", "x", 1e300)),
]


def _by_frame(event):
    columns = read_columns(event, NOW)
    users, items = IdMap(), IdMap()
    users.extend(columns.user_id)
    items.extend(columns.item_id)
    time = MISSING_TIME if columns.timestamp is None else int(columns.timestamp[0])
    return users.ids.tolist()[0], items.ids.tolist()[0], int(columns.event[0]), time


@pytest.mark.parametrize("event", CASES, ids=repr)
def test_one_event_means_what_a_frame_of_it_means(event):
    try:
        wanted = _by_frame(event)
    except DataError:
        with pytest.raises(DataError):
            read_one(event, NOW)
    else:
        assert read_one(event, NOW) == wanted
        assert [type(part) for part in read_one(event, NOW)] == [type(part) for part in wanted]


def test_a_future_event_is_refused_by_the_clock_unless_told_the_time():
    later = Event("anna", "tea", timestamp=4_000_000_000)
    with pytest.raises(DataError, match="events lie in the future"):
        read_one(later)
    assert read_one(later, now=4_000_000_000_000)[3] == 4_000_000_000_000


@pytest.mark.parametrize("column", ["Event_ID", "times", "ts", "event_name_de", "received"])
def test_a_column_of_another_meaning_is_no_misspelling(column):
    assert len(Dataset.from_frames(LOG.assign(**{column: 1})).log) == 2


@pytest.mark.parametrize(
    ("column", "ours"),
    [("Event", "event"), ("events", "event"), ("Time_Stamp", "timestamp"),
     ("TIMESTAMP", "timestamp"), ("timestmp", "timestamp")],
)  # fmt: skip
def test_a_misspelt_column_is_no_absence(column, ours):
    message = rf"events have no column '{ours}'; did you mean '{column}'\? Rename or drop it\.$"
    with pytest.raises(DataError, match=message):
        Dataset.from_frames(LOG.assign(**{column: 1}))


@pytest.mark.parametrize("column", ["event", "session_id", "user_id"])
def test_lists_in_a_column_of_names_are_refused(column):
    with pytest.raises(DataError, match=r"must .* got values that cannot be hashed"):
        Dataset.from_frames(LOG.assign(**{column: [["a"], ["b"]]}))


def test_a_quantity_is_finite():
    with pytest.raises(DataError, match=r"quantity must be finite, got inf in row 1; rp\.clean"):
        Dataset.from_frames(LOG.assign(quantity=[1, np.inf]))


def test_a_number_among_texts_is_no_time():
    mixed = LOG.assign(timestamp=["2026-01-31", 1_700_000_000])
    with pytest.raises(DataError, match=r"timestamp must hold times of one kind, .* in row 1"):
        Dataset.from_frames(mixed)


def test_plain_columns_are_siblings():
    assert not issubclass(FlagColumn, NumberColumn)
    assert len(FlagColumn.unknown(3)) == 3


def _items(**columns):
    return FeatureTable.from_frame(
        pd.DataFrame({"item_id": ["tea", "salt"], **columns}), IdMap(), "item_id"
    )


@pytest.mark.parametrize("kind", [None, "category", "set"])
def test_a_column_of_dicts_is_refused_by_name(kind):
    frame = pd.DataFrame({"item_id": ["tea"], "colour": [{"red": 1}]})
    with pytest.raises(DataError, match=r"^colour must hold text, numbers or lists of them, got"):
        FeatureTable.from_frame(
            frame, IdMap(), "item_id", None if kind is None else {"colour": kind}
        )


def test_a_flag_names_the_value_that_is_none():
    frame = pd.DataFrame({"item_id": [1, 2], "gift": [True, ["no"]]})
    with pytest.raises(DataError, match=r"gift must hold true or false, got \['no'\]"):
        FeatureTable.from_frame(frame, IdMap(), "item_id", {"gift": "flag"})


def test_missing_members_of_a_set_are_left_out():
    tags = _items(tags=[["green", None, float("nan")], [pd.NA]])
    assert tags["tags"].tolist() == [("green",), ()]
    assert tags.column("tags").categories.ids.tolist() == ["green"]


def test_two_columns_of_one_name_are_refused():
    twice = pd.DataFrame([["tea", 1, 2]], columns=["item_id", "price", "price"])
    with pytest.raises(ColumnError, match="the frame of items has 2 columns named 'price'"):
        FeatureTable.from_frame(twice, IdMap(), "item_id")
    arrow = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(ColumnError, match="there twice; keep one"):
        as_pandas(arrow)


def test_an_index_of_ids_becomes_a_column():
    frame = pd.DataFrame({"price": [1.0]}, index=pd.Index(["tea"], name="item_id"))
    message = "the frame of items needs a column 'item_id'; it is the index, call reset_index"
    with pytest.raises(ColumnError, match=message):
        Dataset.from_frames(LOG, items=frame)
    with pytest.raises(ColumnError, match="the frame of users needs a column 'user_id'; its col"):
        Dataset.from_frames(LOG, users=frame)


def test_several_columns_are_asked_for_one_by_one():
    with pytest.raises(ColumnError, match=r"no column \['price', 'brand'\]"):
        _items(price=[1, 2], brand=["a", "b"])[["price", "brand"]]


@pytest.mark.parametrize("kinds", [["text"], "text"])
def test_kinds_are_a_mapping(kinds):
    with pytest.raises(ParameterError, match=r"kinds must be a mapping such as \{'name': 'text'\}"):
        FeatureTable.from_frame(LOG, IdMap(), "item_id", kinds)


def test_a_column_longer_than_its_map_is_refused():
    with pytest.raises(DataError, match="'price' must have one row for each of the 1 ids, got 2"):
        FeatureTable(IdMap(["tea"]), {"price": NumberColumn.unknown(2)})


def test_a_stored_zero_is_no_interaction():
    matrix = sparse.csr_array((np.array([0.0, 2.0]), ([0, 1], [0, 1])), shape=(2, 2))
    assert len(Dataset.from_matrix(matrix).log) == 1


@pytest.mark.parametrize(
    "matrix", [np.ones(3), "matrix", None, np.array([["a"]]), np.ones((2, 2), complex), LOG]
)
def test_a_matrix_has_two_dimensions_of_numbers(matrix):
    with pytest.raises(DataError, match="expected a users x items matrix of numbers, got"):
        Dataset.from_matrix(matrix)


@pytest.mark.parametrize("ids", [5, "ab", LOG])
def test_ids_of_a_matrix_are_a_list(ids):
    with pytest.raises(DataError, match="user_ids: expected a list of ids, got"):
        Dataset.from_matrix(np.eye(2), user_ids=ids)
    assert Dataset.from_matrix(np.eye(2), user_ids=iter("ab")).users.ids.tolist() == ["a", "b"]


def test_a_matrix_takes_a_catalogue_that_was_read_before():
    table = FeatureTable.from_frame(
        pd.DataFrame({"item_id": ["salt", "mug"], "brand": [7, 8]}), IdMap(), "item_id"
    )
    shop = Dataset.from_matrix(np.eye(2), item_ids=["tea", "salt"], items=table)
    assert shop.items.ids.tolist() == ["tea", "salt", "mug"]
    assert shop.item_features["brand"].tolist()[1:] == [7, 8]
    assert table.ids.ids.tolist() == ["salt", "mug"]


def test_a_catalogue_of_other_ids_is_refused():
    events = pd.DataFrame({"user_id": [1, 2], "item_id": ["17", "18"]})
    catalogue = pd.DataFrame({"item_id": [17, 18], "price": [1.0, 2.0]})
    message = r"not one item_id of the frame of items occurs .*17 \(int\), they have '17' \(str\)"
    with pytest.raises(DataError, match=message):
        Dataset.from_frames(events, items=catalogue)
    assert Dataset.from_frames(events[:0], items=catalogue).shape == (0, 2)
    assert Dataset.from_frames(events, items=catalogue[:0]).shape == (2, 2)


def test_a_ranking_answers_for_a_place():
    ranking = Ranking.of([2, 0], [0.9, 0.4], IdMap(["tea", "honey", "salt"]), "Popularity")
    assert (ranking[0], ranking[-1], ranking[:1]) == ("salt", "tea", ["salt"])


def test_a_window_of_time_needs_both_its_ends():
    rows = np.zeros(1, np.int32), np.zeros(1, np.int32), np.full(1, 2, np.int8)
    history = History(Interactions(*rows, np.ones(1, np.float32)))
    for half in ({"within": 5}, {"now": 5}):
        with pytest.raises(ParameterError, match="within"):
            history.did(0, "view", **half)
    assert history.seen_with(0, event_bits(["view"])).tolist() == [0]
    assert history.seen_with(0, event_bits(["cart"])).tolist() == []


STRUCTS = {"user_id": ["anna", "ben"], "item_id": ["tea", "salt"], "where": [{"x": 1}, None]}


@pytest.mark.parametrize("kind", [pl.DataFrame, pa.table])
def test_a_column_that_nobody_asks_for_may_hold_anything(kind):
    assert as_pandas(kind(STRUCTS))["where"].tolist() == [{"x": 1}, None]
    assert len(Dataset.from_frames(kind(STRUCTS)).log) == 2


def test_integers_too_long_for_numpy_are_read():
    frame = pl.DataFrame({"n": pl.Series([10**30, 1], dtype=pl.Int128)})
    assert as_pandas(frame)["n"].tolist() == [10**30, 1]
