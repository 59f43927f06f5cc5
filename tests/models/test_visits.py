"""Visits cut from a log."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

import recopersona as rp
from recopersona.data.event import EVENT_CODES
from recopersona.data.times import MISSING_TIME
from recopersona.models.visits import TRAIL, Trails, visits_of
from tests.naive import trails as naive

START = 1_700_000_000_000
row = st.tuples(
    st.integers(0, 3), st.integers(0, 3), st.sampled_from(["view", "cart", "impression"]),
    st.integers(0, 90),
)  # fmt: skip


def shop_of(rows, **columns):
    users, items, events, minutes = zip(*rows, strict=True)
    frame = pd.DataFrame({"user_id": users, "item_id": items, "event": events, **columns})
    frame["timestamp"] = pd.to_datetime(START + 60_000 * np.array(minutes), unit="ms", utc=True)
    return rp.Dataset.from_frames(frame, event_weights={"impression": 0})


def listed(visits, items):
    parts = np.split(items.ids[visits.items], visits.bounds[1:-1])
    return [tuple(part.tolist()) for part in parts] if len(visits) else []


@given(st.lists(row, min_size=1, max_size=40), st.integers(0, 20))
def test_visits_are_what_following_the_rows_gives(rows, gap):
    shop = shop_of(rows)
    visits = visits_of(shop, gap * 60_000)
    in_time = sorted(rows, key=lambda one: one[3])
    told = [(u, i, EVENT_CODES[e], float(e != "impression"), t, None) for u, i, e, t in in_time]
    expected = []
    for (user, item, *_), before in zip(
        told, naive.follow(told, gap, EVENT_CODES["return"], 99), strict=True
    ):
        if before is None:
            continue
        if before:
            expected.remove((user, tuple(before[::-1])))
        expected.append((user, (*before[::-1], item)))
    found = zip(shop.users.ids[visits.users].tolist(), listed(visits, shop.items), strict=True)
    assert sorted(found) == sorted(expected)
    assert (np.diff(visits.ends) >= 0).all()


def test_sessions_of_the_log_count_in_place_of_pauses():
    rows = [(1, "a", "view", 0), (1, "b", "view", 80), (1, "c", "view", 81), (2, "d", "view", 81)]
    shop = shop_of(rows, session_id=["x", "x", "y", "y"])
    assert listed(visits_of(shop, 1_000), shop.items) == [("a", "b"), ("c",), ("d",)]


def test_without_times_a_user_is_one_visit_and_who_came_last_ends_last():
    frame = pd.DataFrame({"user_id": [1, 2, 1, 3, 2], "item_id": list("abcde")})
    shop = rp.Dataset.from_frames(frame)
    visits = visits_of(shop, 1_000)
    assert listed(visits, shop.items) == [("a", "c"), ("d",), ("b", "e")]
    assert visits.ends.tolist() == [MISSING_TIME] * 3


def test_a_view_a_cart_and_a_purchase_are_one_click_and_two_views_are_two():
    rows = [(1, "a", "view", 0), (1, "a", "cart", 1), (1, "a", "cart", 2), (1, "b", "view", 3)]
    shop = shop_of(rows)
    assert listed(visits_of(shop, 10**9), shop.items) == [("a", "a", "b")]


def test_trails_begin_with_everybodys_last_visit():
    rows = [(1, f"i{n}", "view", n) for n in range(20)] + [(2, "x", "view", 0), (2, "y", "view", 9)]
    shop = shop_of(rows)
    trails = Trails.of(visits_of(shop, 5 * 60_000), len(shop.users), shop.interactions)
    ids = shop.items.ids
    assert ids[trails.items_[0]].tolist() == [f"i{n}" for n in range(19, 19 - TRAIL, -1)]
    assert trails.lengths_.tolist() == [20, 1]
    assert ids[trails.items_[1, 0]] == "y"
