"""The graph agrees with its slow twin, in whatever order and batches rows come."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recopersona as rp
from tests.naive import identity as naive

KINDS = ("user_id", "cookie", "device_id", "customer_id")
DAY = 86_400_000

values = st.sampled_from(["a", "b", "c", "null", None])
rows = st.lists(
    st.builds(
        naive.Row,
        st.fixed_dictionaries(dict.fromkeys(KINDS, values)),
        st.one_of(st.none(), st.integers(20_000, 20_003).map(lambda day: day * DAY)),
        st.sampled_from([None, 1, 2, 10, "9", "x"]),
        st.sampled_from([None, None, None, 0.25, 0.5]),
    ),
    max_size=14,
)
choices = st.fixed_dictionaries(
    {
        "limits": st.sampled_from(
            [{"user_id": 1}, {"user_id": 1, "customer_id": 1}, {"user_id": 2, "device_id": None}]
        ),
        "priority": st.sampled_from([("user_id", "email"), ("device_id", "user_id"), ("cookie",)]),
        "policy": st.sampled_from(["limits", "limits", "closure"]),
        "on_refusal": st.sampled_from(["link", "row"]),
    }
)


def frame_of(rows):
    frame = pd.DataFrame([row.identifiers for row in rows], columns=KINDS, dtype=object)
    frame["timestamp"] = pd.to_datetime(pd.Series([row.time for row in rows]), unit="ms", utc=True)
    frame["event_id"] = pd.Series([row.event_id for row in rows], dtype=object)
    return frame


def updated(graph, rows):
    """Give sure rows and probable ones apart, as callers do."""
    sure = [row for row in rows if row.probability is None]
    perhaps = [row for row in rows if row.probability is not None]
    if sure:
        graph.update(frame_of(sure))
    if perhaps:
        chances = [row.probability for row in perhaps]
        graph.update(frame_of(perhaps).assign(p=chances), probability="p")
    return graph


def moment(time):
    return None if pd.isna(time) else int(time.timestamp() * 1_000)


def event_of(row):
    return None if pd.isna(row.event_id) else row.event_id


def text(kind, value):
    return None if pd.isna(kind) else f"{kind}:{value}"


def merges_of(graph):
    return [
        (moment(row.time), event_of(row), row.kept, row.absorbed, text(row.kind_a, row.value_a))
        for row in graph.merges().itertuples()
    ]


@given(rows, choices)
@settings(deadline=None, max_examples=40)
def test_profiles_merges_and_refusals_are_those_of_the_twin(rows, choices):
    graph = updated(rp.IdentityGraph(**choices), rows)
    twin = naive.Graph(**choices).update(rows)
    assert merges_of(graph) == [
        (time, event_id, kept, absorbed, naive.text(a))
        for time, event_id, kept, absorbed, a, _ in twin.merges
    ]
    said = [
        (time, event_id, {naive.text(one) for one in (a, b) if one}, reason)
        for time, event_id, a, b, reason in twin.refusals
    ]
    assert sorted(map(set_as_text, said)) == sorted(map(set_as_text, refused(graph)))
    profiles = graph.profiles()
    found = {
        text(row.kind, row.value): (row.profile, row.ambiguous) for row in profiles.itertuples()
    }
    assert found == {
        naive.text(one): (twin.name(one), one in twin.ambiguous) for one in twin.profile
    }


def refused(graph):
    return [
        (
            moment(row.time), event_of(row),
            {text(row.kind_a, row.value_a), text(row.kind_b, row.value_b)} - {None}, row.reason,
        )
        for row in graph.refusals().itertuples()
    ]  # fmt: skip


def set_as_text(refusal):
    time, event_id, names, reason = refusal
    return f"{time} {event_id} {sorted(names)} {reason}"


@given(rows, choices, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_rows_in_any_order_one_by_one_make_the_same_graph(rows, choices, random):
    whole = updated(rp.IdentityGraph(**choices), rows)
    shuffled = list(rows)
    random.shuffle(shuffled)
    graph = rp.IdentityGraph(**choices)
    for row in shuffled:
        if row.probability is None and random.random() < 0.5:
            when = None if row.time is None else pd.Timestamp(row.time, unit="ms", tz="UTC")
            graph.update({**row.identifiers, "timestamp": when, "event_id": row.event_id})
        else:
            updated(graph, [row])
    for mine, theirs in zip(all_of(graph), all_of(whole), strict=True):
        assert mine == theirs


def all_of(graph):
    tables = (graph.profiles(), graph.merges(), graph.refusals())
    return [
        [tuple("" if pd.isna(cell) else str(cell) for cell in row) for row in table.to_numpy()]
        for table in tables
    ]


@given(rows, choices, st.sampled_from(KINDS), st.sampled_from("abc"))
@settings(deadline=None, max_examples=40)
def test_who_is_forgotten_was_never_linked(rows, choices, kind, value):
    """A row that named her is what is left of it when her links are gone."""
    graph = updated(rp.IdentityGraph(**choices), rows)
    graph.forget([(kind, value)])
    twin = naive.Graph(**choices).update(rows)
    gone = (kind, value)
    for row in rows:
        ids = twin.identifiers(row)
        if gone in ids[:1]:
            kept = {}
        else:
            kept = {one: text for one, text in row.identifiers.items() if (one, text) != gone}
            if gone in ids and len(ids) == 2:
                kept = {}  # only that link had named the other
        row.identifiers.clear()
        row.identifiers.update(kept)
    never = updated(rp.IdentityGraph(**choices), rows)
    assert all_of(graph)[:2] == all_of(never)[:2]


@pytest.mark.parametrize("batch", [1, 7])
def test_clocks_that_run_backwards_are_put_in_order(batch):
    days = range(20_000, 20_030)
    rows = [
        naive.Row({"user_id": f"u{day % 4}", "device_id": f"d{day % 7}"}, day * DAY) for day in days
    ]
    whole = updated(rp.IdentityGraph(), rows)
    graph = rp.IdentityGraph()
    for start in range(0, len(rows), batch):
        graph.update(frame_of(rows[::-1][start : start + batch]))
    assert all_of(graph) == all_of(whole)
    assert graph.counts_["replays"] == -(-len(rows) // batch) - 1
    assert graph.counts_["late"] == len(rows) - batch
