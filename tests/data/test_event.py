import numpy as np
import pytest

from recopersona.data.decision import Decision
from recopersona.data.event import (
    EVENT_COLUMNS,
    EVENT_TYPES,
    Event,
    event_bits,
    event_code,
    event_weight_table,
)
from recopersona.data.ids import IdMap
from recopersona.data.ranking import Ranking
from recopersona.errors import DataError, ParameterError


def test_every_kind_has_the_code_of_its_place():
    assert [event_code(name) for name in EVENT_TYPES] == list(range(len(EVENT_TYPES)))


def test_there_is_a_bit_for_every_kind():
    assert event_bits(EVENT_TYPES) == 2 ** len(EVENT_TYPES) - 1 < 2**16
    assert event_bits(["view", "view"]) == 1 << event_code("view")
    assert event_bits([]) == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [("purchse", "unknown event 'purchse'; did you mean 'purchase'"),
     (3, "unknown event 3; expected one of impression, click"),
     (["view"], "unknown event"), (None, "unknown event None")],
)  # fmt: skip
def test_an_unknown_kind_is_named(name, words):
    with pytest.raises(DataError, match=words):
        event_code(name)


def test_one_kind_is_written_as_a_list():
    with pytest.raises(
        ParameterError, match=r"expected a list of event types, got 'view'; write \['v"
    ):
        event_bits("view")


def test_kinds_that_are_not_named_weigh_one():
    table = event_weight_table({"cart": 4, "view": 0})
    assert table.dtype == np.float32
    assert {name: table[event_code(name)] for name in ("cart", "view", "purchase")} == {
        "cart": 4, "view": 0, "purchase": 1,
    }  # fmt: skip


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), "4", None])
def test_a_weight_must_be_a_finite_number(weight):
    with pytest.raises(
        ParameterError, match=r"event_weights\['cart'\] must be a number of at least 0"
    ):
        event_weight_table({"cart": weight})


def test_an_event_is_a_view_unless_said_otherwise():
    event = Event("anna", "tea")
    assert event[:3] == ("anna", "tea", "view")
    assert set(event[3:]) == {None}


def test_an_event_has_the_columns_of_an_events_frame():
    assert set(Event._fields) <= set(EVENT_COLUMNS)


def test_a_decision_keeps_what_was_shown_and_then_its_outcome():
    ranking = Ranking.of([1, 0], [2, 1], IdMap(["tea", "salt"]), "ALS")
    decision = Decision.of(ranking, "anna", {"page": "home"}, 5)
    assert (decision.shown, decision.sources) == (("salt", "tea"), ("ALS", "ALS"))
    assert decision.outcome is None
    later = decision.with_outcome({"tea": "click"})
    assert (later.outcome, decision.outcome) == ({"tea": "click"}, None)
