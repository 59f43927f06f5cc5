"""Events resolved to profiles: as known now, as known then, and what a later login may change."""

import numpy as np
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
    graph = rp.IdentityGraph(limits=LIMITS, **parameters)
    return graph.update(frame_of(log)) if log else graph


def twin_of(log, **parameters):
    return Graph(LIMITS, **parameters).update(log)


def users(frame):
    return [None if user is None or user != user else user for user in frame["user_id"].tolist()]


@settings(max_examples=300)
@given(logs, logs, st.sampled_from(HOW), st.sampled_from([None, 1, 3, 100]))
def test_rows_resolve_as_by_the_twin(links, asked, how, look_back):
    if how == "none":
        look_back = None
    window = None if look_back is None else f"{look_back}ms"
    found = graph_of(links).resolve(frame_of(asked), back_dating=how, look_back=window)
    assert users(found) == twin_of(links).resolve(asked, how, look_back)


@given(logs, logs, st.sampled_from(["closure", "row"]), st.sampled_from(HOW))
def test_rows_resolve_as_by_the_twin_under_other_policies(links, asked, policy, how):
    parameters = {"policy": "closure"} if policy == "closure" else {"on_refusal": "row"}
    found = graph_of(links, **parameters).resolve(frame_of(asked), back_dating=how)
    assert users(found) == twin_of(links, **parameters).resolve(asked, how)


@given(logs, logs, st.integers(-1, 7))
def test_rows_resolve_as_of_one_moment_as_by_the_twin(links, asked, at):
    found = graph_of(links).resolve_as_of(frame_of(asked), START + at)
    assert users(found) == twin_of(links).resolve_as_of(asked, START + at)


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


@given(logs, st.integers(0, 7))
def test_a_graph_as_it_was_is_the_graph_of_what_had_come(links, at):
    known = [row for row in links if row.time <= START + at]
    then, built = graph_of(links).as_of(START + at), graph_of(known)
    assert then.profiles().equals(built.profiles())
    assert then.merges().equals(built.merges())
    assert then.refusals().equals(built.refusals())


@given(logs)
def test_a_long_look_back_is_none(links):
    graph, asked = graph_of(links), frame_of(links)
    for how in ("profile", "first_touch", "last_touch"):
        bounded = users(graph.resolve(asked, back_dating=how, look_back="100y"))
        assert bounded == users(graph.resolve(asked, back_dating=how))
