"""Other systems' names of events are ours in other words."""

import pytest

from recopersona.data.event import EVENT_TYPES
from recopersona.events.event_names import our_name


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_our_names_stay_ours(name):
    assert our_name(name) == our_name(name.upper()) == our_name(f" {name} ") == name


@pytest.mark.parametrize("name", [None, 3, float("nan"), "", "wink", "views of mountains"])
def test_what_is_no_name_has_none(name):
    assert our_name(name) is None
