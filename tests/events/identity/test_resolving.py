"""Events resolved to profiles: as known now, as known then, and what a later login may change."""

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recopersona as rp
from recopersona.errors import ColumnError, DataError, ParameterError
from tests.naive.identity import Graph, Row

START = 1_700_000_000_000
KINDS = ("user_id", "loyalty_card", "anonymous_id", "device_id")
LIMITS = {"user_id": 1, "loyalty_card": 2, "anonymous_id": 3, "device_id": None}
HOW = ("profile", "first_touch", "last_touch", "none")

values = st.sampled_from([None, None, "a", "b", "c"])
rows = st.builds(
    lambda values, time, event: Row(dict(zip(KINDS, values, strict=True)), START + time, event),
    st.tuples(*[values] * len(KINDS)),
    st.integers(0, 6),
    st.sampled_from([None, "1", "2", "x"]),
)
logs = st.lists(rows, min_size=1, max_size=12)
links_of_any_time = st.lists(
    st.one_of(rows, rows.map(lambda row: Row(row.identifiers, None, row.event_id))), max_size=12
)


def frame_of(log):
    """Return rows as an events frame; a row without a time has none there either."""
    columns = {kind: [row.identifiers.get(kind) for row in log] for kind in KINDS}
    times = [pd.NaT if row.time is None else pd.Timestamp(row.time, unit="ms") for row in log]
    events = [row.event_id for row in log]
    return pd.DataFrame(
        {name: pd.Series(column, dtype="str") for name, column in columns.items()}
        | {"timestamp": pd.Series(times, dtype="datetime64[ms]"), "event_id": events}
    )


def graph_of(log, **parameters):
    return rp.IdentityGraph(limits=LIMITS, **parameters).update(frame_of(log))


def twin_of(log, **parameters):
    return Graph(LIMITS, **parameters).update(log)


def users(frame):
    return [None if user is None or user != user else user for user in frame["user_id"].tolist()]


@given(links_of_any_time, logs, st.sampled_from(HOW), st.sampled_from([None, 1, 3, 100]))
def test_rows_resolve_as_by_the_twin(links, asked, how, look_back):
    if how == "none":
        look_back = None
    window = None if look_back is None else f"{look_back}ms"
    found = graph_of(links).resolve(frame_of(asked), back_dating=how, look_back=window)
    assert users(found) == twin_of(links).resolve(asked, how, look_back)


@settings(max_examples=50)
@given(links_of_any_time, logs, st.sampled_from(["closure", "row"]), st.sampled_from(HOW))
def test_rows_resolve_as_by_the_twin_under_other_policies(links, asked, policy, how):
    parameters = {"policy": "closure"} if policy == "closure" else {"on_refusal": "row"}
    found = graph_of(links, **parameters).resolve(frame_of(asked), back_dating=how)
    assert users(found) == twin_of(links, **parameters).resolve(asked, how)


@settings(max_examples=50)
@given(links_of_any_time, logs, st.integers(-1, 7))
def test_rows_resolve_as_of_one_moment_as_by_the_twin(links, asked, at):
    found = graph_of(links).resolve_as_of(frame_of(asked), START + at)
    assert users(found) == twin_of(links).resolve_as_of(asked, START + at)


@settings(max_examples=50)
@given(logs, logs)
def test_a_later_login_never_changes_an_earlier_row(links, later):
    """The property of point-in-time resolution: rows before the later links stay as they are."""
    end = max(row.time for row in links)
    later = [Row(row.identifiers, row.time + 10, row.event_id) for row in later]
    graph = graph_of(links)
    before = users(graph.resolve_as_of(frame_of(links)))
    graph.update(frame_of(later))
    assert users(graph.resolve_as_of(frame_of(links))) == before
    assert users(graph.resolve_as_of(frame_of(links), end)) == users(
        graph_of(links).resolve(frame_of(links))
    )


@settings(max_examples=50)
@given(links_of_any_time, st.integers(0, 7))
def test_a_graph_as_it_was_is_the_graph_of_what_had_come(links, at):
    known = [row for row in links if row.time is None or row.time <= START + at]
    then, built = graph_of(links).as_of(START + at), graph_of(known)
    assert then.profiles().equals(built.profiles())
    assert then.merges().equals(built.merges())
    assert then.refusals().equals(built.refusals())


@settings(max_examples=50)
@given(logs)
def test_a_long_look_back_is_none(links):
    graph, asked = graph_of(links), frame_of(links)
    for how in ("profile", "first_touch", "last_touch"):
        bounded = users(graph.resolve(asked, back_dating=how, look_back="100y"))
        assert bounded == users(graph.resolve(asked, back_dating=how))


@settings(max_examples=50)
@given(logs, logs, st.lists(st.sampled_from([0.6, 0.9]), min_size=12, max_size=12))
def test_probable_links_count_after_all_others(links, likely, chances):
    probable = [
        Row(row.identifiers, row.time, row.event_id, chance)
        for row, chance in zip(likely, chances, strict=False)
    ]
    columns = frame_of(likely).assign(chance=chances[: len(likely)])
    graph, twin = graph_of(links).update(columns, probability="chance"), twin_of(links + probable)
    asked = links + likely
    for how in HOW:
        found = graph.resolve(frame_of(asked), back_dating=how)
        assert users(found) == twin.resolve(asked, how)
    found = graph.resolve_as_of(frame_of(asked), START + 3)
    assert users(found) == twin.resolve_as_of(asked, START + 3)


# One story, in words: a tablet in a shop, and two people who use it.

TABLET = [
    Row({"anonymous_id": "tablet"}, START + 10),
    Row({"user_id": "ann", "anonymous_id": "tablet"}, START + 20),
    Row({"anonymous_id": "tablet"}, START + 30),
    Row({"user_id": "ben", "anonymous_id": "tablet"}, START + 40),
    Row({"anonymous_id": "tablet"}, START + 50),
]
ANN, BEN, SHARED = "anonymous_id:tablet", "user_id:ben", "anonymous_id:tablet (shared)"


def resolved(log, **arguments):
    return users(graph_of(log).resolve(frame_of(log), **arguments))


def test_a_shared_tablet_is_of_nobody():
    assert resolved(TABLET) == [SHARED, ANN, SHARED, BEN, SHARED]


def test_the_first_person_gets_the_rows_of_the_tablet_if_so_asked():
    assert resolved(TABLET, back_dating="first_touch") == [ANN, ANN, ANN, BEN, ANN]


def test_the_last_person_gets_them_if_so_asked():
    assert resolved(TABLET, back_dating="last_touch") == [BEN, ANN, BEN, BEN, BEN]


def test_without_back_dating_a_row_is_of_whoever_was_known_then():
    assert resolved(TABLET, back_dating="none") == [ANN, ANN, ANN, BEN, SHARED]


def test_rows_long_before_the_login_stay_as_they_were():
    found = resolved(TABLET, back_dating="last_touch", look_back="15ms")
    assert found == [ANN, ANN, BEN, BEN, BEN]
    assert resolved(TABLET, back_dating="last_touch", look_back="10ms") == found
    phone = [
        Row({"device_id": "phone"}, START),
        Row({"device_id": "phone"}, START + 90),
        Row({"user_id": "ann", "device_id": "phone"}, START + 100),
        Row({"user_id": "ann", "loyalty_card": "7"}, None),
    ]
    asked = phone[:3]
    found = graph_of(phone).resolve(frame_of(asked), look_back="10ms")
    assert users(found) == ["device_id:phone", "user_id:ann", "user_id:ann"]


@pytest.mark.parametrize("first_seen", ["user_id", "device_id"])
def test_a_profile_that_a_later_link_renamed_keeps_one_name_for_back_dated_rows(first_seen):
    ids = {"user_id": "ann", "device_id": "phone"}
    log = [
        Row({"loyalty_card": "7"}, START),
        Row({first_seen: ids[first_seen]}, START + 1),
        Row(ids, START + 10),
        Row({"user_id": "ann", "loyalty_card": "7"}, START + 500),
    ]
    asked = [Row({"device_id": "phone"}, START + 5), Row({"device_id": "phone"}, START + 600)]
    found = graph_of(log).resolve(frame_of(asked), look_back="10ms")
    assert users(found) == ["loyalty_card:7"] * 2


# What comes in, and in which kind of frame.


def test_every_other_column_stays_and_the_frame_of_the_caller_is_untouched():
    log = frame_of(TABLET).assign(item_id=["tea", "salt", "tea", "rice", "pan"])
    log.index = [3, 1, 4, 1, 5]
    before = log.copy(deep=True)
    found = graph_of(TABLET).resolve(log)
    pd.testing.assert_frame_equal(log, before)
    pd.testing.assert_frame_equal(found.drop(columns="user_id"), log.drop(columns="user_id"))
    assert list(found.columns) == list(log.columns)


@pytest.mark.parametrize(
    "kind", [pl.from_pandas, pa.Table.from_pandas, lambda f: pl.from_pandas(f).lazy()]
)
@pytest.mark.parametrize("method", ["resolve", "resolve_as_of"])
def test_other_frames_come_back_as_they_are(kind, method):
    log = frame_of([*TABLET, Row({}, START + 60)]).drop(columns="event_id")
    tags = pl.Series("tags", [["a"], [], None, ["b", "c"], ["d"], []])
    native = kind(log)
    if isinstance(native, pl.DataFrame):
        native = native.with_columns(tags, place=pl.Series(["x"] * 6, dtype=pl.Categorical))
    graph = graph_of(TABLET)
    found = getattr(graph, method)(native)
    if isinstance(native, pl.LazyFrame):
        native = native.collect()
    assert type(found) is type(native)
    column = found["user_id"]
    listed = column.to_pylist() if isinstance(found, pa.Table) else column.to_list()
    assert listed == users(getattr(graph, method)(log))
    assert listed[-1] is None
    if isinstance(native, pl.DataFrame):
        assert found.drop("user_id").equals(native.drop("user_id"))
        assert found.schema == native.schema


def test_a_frame_without_user_ids_gets_a_column_of_them():
    log = pd.DataFrame({"anonymous_id": ["tablet", "x", None], "item_id": [1, 2, 3]})
    found = graph_of(TABLET).resolve(log)
    assert list(found.columns) == ["anonymous_id", "item_id", "user_id"]
    assert users(found) == [SHARED, "anonymous_id:x", None]


def test_ids_of_any_type_are_one_identifier():
    graph = rp.IdentityGraph().update({"user_id": 7, "device_id": "phone"})
    for ids in (
        pd.Series([7, 8]), pd.Series([7.0, 8.0]), pd.Series(["7", "8"], dtype="category"),
        pd.Series([7, 8], dtype="Int64"), pd.Series(["7", 8], dtype=object),
        pd.Series(["7", "8"], dtype="string[python]"), pd.Series([" 7", "8 "]),
    ):  # fmt: skip
        found = graph.resolve(pd.DataFrame({"user_id": ids, "device_id": ["phone", None]}))
        assert users(found) == ["user_id:7", "user_id:8"]
    gaps = pd.DataFrame(
        {"user_id": pd.array([7, None], dtype="Int64"), "device_id": [None, "phone"]}
    )
    assert users(graph.resolve(gaps)) == ["user_id:7", "user_id:7"]


def test_an_empty_frame_is_resolved_to_an_empty_one():
    empty = frame_of(TABLET)[:0]
    for graph in (rp.IdentityGraph(), graph_of(TABLET)):
        for found in (
            graph.resolve(empty),
            graph.resolve_as_of(empty),
            graph.resolve_as_of(empty, START),
        ):
            assert len(found) == 0
            assert list(found.columns) == list(empty.columns)
        assert len(graph.resolve(empty, back_dating="last_touch", look_back="1d")) == 0


def test_a_graph_that_has_seen_nobody_names_everybody_by_her_own_identifier():
    found = rp.IdentityGraph().resolve(frame_of(TABLET))
    assert users(found) == [ANN, "user_id:ann", ANN, BEN, ANN]


def test_events_one_by_one_are_resolved_too():
    graph = graph_of(TABLET)
    event = rp.Event(None, "tea", anonymous_id="tablet", timestamp=START + 15)
    assert graph.resolve(event).user_id == SHARED
    assert graph.resolve_as_of(event) == event._replace(user_id=ANN)
    assert [one.user_id for one in graph.resolve([event, event._replace(user_id="ben")])] == [
        SHARED, BEN,
    ]  # fmt: skip
    assert graph.resolve([]) == []


def test_what_identifies_nobody_is_missing_and_counted():
    graph = graph_of(TABLET)
    log = pd.DataFrame({"user_id": ["null", None, "0000"], "anonymous_id": [None, "", "unknown"]})
    assert users(graph.resolve(log)) == [None, None, None]
    assert graph.counts_["resolved: of nobody"] == 3


def test_a_frame_without_a_column_of_identifiers_is_refused():
    with pytest.raises(ColumnError, match="no column is an identifier; its columns are item_id, u"):
        graph_of(TABLET).resolve(pd.DataFrame({"item_id": [1], "u": [2]}))


def test_a_column_that_is_there_twice_is_refused():
    log = pd.DataFrame([["a", "b"]], columns=["user_id", "user_id"])
    with pytest.raises(ColumnError, match="2 columns are named 'user_id'; keep one"):
        graph_of(TABLET).resolve(log)


def test_other_columns_may_be_there_twice():
    log = pd.DataFrame([["ann", 1, 2]], columns=["user_id", "x", "x"])
    assert graph_of(TABLET).resolve(log).shape == (1, 3)


def test_rows_without_a_time_cannot_be_resolved_as_of_it():
    graph, log = graph_of(TABLET), frame_of(TABLET)
    with pytest.raises(ColumnError, match="events need a column 'timestamp'"):
        graph.resolve_as_of(log.drop(columns="timestamp"))
    with pytest.raises(ColumnError, match="events need a column 'timestamp'"):
        graph.resolve(log.drop(columns="timestamp"), look_back="1d")
    log.loc[2, "timestamp"] = pd.NaT
    with pytest.raises(DataError, match="1 of 5 events have no timestamp"):
        graph.resolve_as_of(log)
    assert users(graph.resolve_as_of(log, at=START + 25)) == [ANN, ANN, ANN, BEN, ANN]


def test_arguments_out_of_bounds_are_refused():
    graph, log = graph_of(TABLET), frame_of(TABLET)
    with pytest.raises(
        ParameterError, match=r"back_dating must be one of .*; did you mean 'last_touch'"
    ):
        graph.resolve(log, back_dating="last_tuch")
    with pytest.raises(ParameterError, match=r"look_back must be a duration .*try '30d'"):
        graph.resolve(log, look_back=30)
    with pytest.raises(ParameterError, match="look_back bounds back-dating, and there is none"):
        graph.resolve(log, back_dating="none", look_back="30d")
    with pytest.raises(DataError, match="at must be a moment"):
        graph.resolve_as_of(log, at="soon")
    with pytest.raises(DataError, match="must be a dataframe"):
        graph.resolve({"user_id": ["ann"]})
    several = rp.IdentityGraph(limits={"user_id": 2})
    with pytest.raises(ParameterError, match="no kind is limited to one a profile"):
        several.resolve(log, back_dating="first_touch")


def test_a_graph_as_it_was_goes_on_by_itself():
    graph = graph_of(TABLET)
    then = graph.as_of(START + 30)
    then.update({"user_id": "cleo", "anonymous_id": "tablet", "timestamp": START + 35})
    assert graph.profile_of(user_id="cleo") is None
    assert then.profile_of(anonymous_id="tablet") == SHARED
    assert rp.IdentityGraph().as_of(START).counts_ == {}


def test_the_hash_of_an_email_is_nobodys_email():
    graph = rp.IdentityGraph(key="correct horse battery staple")
    graph.update({"user_id": "ann", "email": "ann@tea.example"})
    log = pd.DataFrame({"email": ["Ann@Tea.example", dict(graph.members("user_id:ann"))["email"]]})
    assert users(graph.resolve(log)) == ["user_id:ann", None]
