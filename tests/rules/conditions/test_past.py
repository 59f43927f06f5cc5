"""DID: what a visitor did, and when it cannot be told any more."""

import numpy as np
import pytest

from recopersona.data.feature_table import FeatureTable
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.times import MISSING_TIME
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.conditions.compiling import compile_condition
from recopersona.rules.nodes import Did, Duration, Not
from tests.rules.small_shops import history_of

DAY = 86_400_000
NOW = 20_000 * DAY
ITEMS = ["tea", "salt", "honey", "rice"]
WEEK = Duration(7, "d")


def told(node, past, now=NOW, user=0, limit=50, rows=slice(None)):
    """Return what DID says of every item: "T", "F" or "?"."""
    ids = IdMap(ITEMS)
    tables = Tables(FeatureTable(ids), FeatureTable(IdMap()))
    history = past if isinstance(past, History) else history_of(past, ids, limit)
    condition, asked = compile_condition(node, tables), Asked(now, user, past=history)
    true, false = condition.true(rows, asked), condition.false(rows, asked)
    return "".join("T" if t else "F" if f else "?" for t, f in zip(true, false, strict=True))


def days_ago(item, event, days):
    return item, event, NOW - days * DAY


LATELY = [
    days_ago("tea", "purchase", 30),
    days_ago("salt", "purchase", 6),
    days_ago("honey", "view", 2),
    days_ago("tea", "purchase", 1),
]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Did("purchase"), "TTFF"),
        (Did("view"), "FFTF"),
        (Did("cart"), "FFFF"),
        (Did("purchase", 2), "TFFF"),
        (Did("purchase", 1, Duration(3, "d")), "TFFF"),
        (Did("purchase", 1, WEEK), "TTFF"),
        (Did("purchase", 2, WEEK), "FFFF"),
        (Did("purchase", 2, Duration(1, "y")), "TFFF"),
        (Did("purchase", 1, Duration(1e6, "y")), "TTFF"),
        (Not(Did("purchase")), "FFTT"),
    ],
)
def test_what_a_visitor_did(node, expected):
    assert told(node, LATELY) == expected
    some = np.array([3, 0, 0, 1], np.int32)
    assert told(node, LATELY, rows=some) == "".join(expected[row] for row in some)


def test_the_window_is_open_at_its_start_and_closed_now():
    past = [days_ago("tea", "view", 7), days_ago("salt", "view", 0), days_ago("honey", "view", -1)]
    assert told(Did("view", 1, WEEK), past) == "FTFF"
    assert told(Did("view", 1, Duration(0.0005, "s")), past) == "FTFF"


def test_nobody_known_did_nothing():
    assert told(Did("purchase", 1, WEEK), LATELY, user=-1) == "FFFF"
    assert told(Did("purchase", 1, WEEK), LATELY, user=99) == "FFFF"
    assert told(Did("purchase", 1, WEEK), LATELY, user=-1, now=None) == "FFFF"


def test_without_any_time_what_was_done_lately_is_unknown():
    past = [(item, event, None) for item, event, _ in LATELY]
    assert told(Did("purchase", 1, WEEK), past, now=None) == "??FF"
    assert told(Did("purchase"), past, now=None) == "TTFF"


def test_an_event_without_a_time_may_have_been_within():
    past = [("rice", "purchase", None), *LATELY]
    assert told(Did("purchase", 1, WEEK), past) == "TTF?"
    assert told(Did("purchase", 2, WEEK), [("tea", "purchase", None), *past]) == "?FFF"
    assert told(Did("purchase", 3, WEEK), [("tea", "purchase", None), *past]) == "FFFF"


def test_what_was_dropped_to_make_room_is_unknown():
    # Two of three purchases are remembered: of the other only that there was one.
    past = [days_ago("rice", "purchase", 40), *LATELY[1:]]
    assert told(Did("purchase"), past, limit=2) == "TTFT"
    assert told(Did("purchase", 1, WEEK), past, limit=2) == "TTF?"
    assert told(Did("purchase", 2), past, limit=2) == "??F?"
    # But where the oldest that is remembered is before the window, nothing within was dropped.
    assert told(Did("purchase", 1, Duration(36, "h")), past, limit=2) == "TFFF"


def test_other_kinds_make_nothing_unknown():
    looks = [days_ago("rice", "view", 2 - n / 500) for n in range(500)]
    assert told(Did("purchase", 1, WEEK), [*LATELY[:3], *looks, LATELY[3]]) == "TTFF"
    assert told(Did("purchase", 2, Duration(90, "d")), [*LATELY, *looks]) == "TFFF"
    assert told(Did("view", 1, WEEK), [*LATELY, *looks]) == "FF?T"


def test_events_added_one_by_one_count():
    history = history_of(LATELY, IdMap(ITEMS), 50)
    history.add(0, 3, "purchase", 1.0, NOW)
    history.add(5, 2, "purchase", 1.0, MISSING_TIME)
    assert told(Did("purchase", 1, WEEK), history) == "TTFT"
    assert told(Did("purchase", 1, WEEK), history, user=5) == "FF?F"


def test_a_history_is_asked_once_a_request(monkeypatch):
    questions = []
    recent_of = History.recent_of
    monkeypatch.setattr(History, "recent_of", lambda *a: questions.append(a) or recent_of(*a))
    ids = IdMap(ITEMS)
    asked = Asked(NOW, 0, past=history_of(LATELY, ids, 50))
    tables = Tables(FeatureTable(ids), FeatureTable(IdMap()))
    for _ in range(2):  # also by two rules that say the same
        condition = compile_condition(Did("purchase", 1, WEEK), tables)
        condition.true(slice(None), asked)
        condition.false(np.array([1], np.int32), asked)
    assert len(questions) == 1
