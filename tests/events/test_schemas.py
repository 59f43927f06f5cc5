"""A schema knows its log, and only its log."""

import pytest

from recopersona.errors import ParameterError
from recopersona.events.schemas import (
    SCHEMAS,
    Schema,
    fitting_schema,
    nearest_schema,
    schema_named,
)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_every_schema_is_found_by_its_needs_and_its_name(schema):
    assert fitting_schema(schema.needs) is schema
    assert nearest_schema(schema.needs[:-1]).name
    assert schema_named(schema.name) is schema


def test_the_more_particular_schema_wins():
    assert fitting_schema(["user_id", "item_id", "rating", "timestamp"]).name == "ratings"
    assert fitting_schema(["user_id", "item_id", "rating", "event"]).name == "recopersona"
    assert fitting_schema(["user_id", "item_id", "rating", "weight"]).name == "recopersona"


def test_what_looks_like_nothing_looks_most_like_our_own_words():
    assert nearest_schema(["a", "b"]).name == "recopersona"


def test_a_schema_of_ones_own_is_taken_as_it_is():
    own = Schema("own", {"user_id": "who"}, needs=("who",))
    assert schema_named(own) is own


@pytest.mark.parametrize("name", ["zzz", 5, None])
def test_an_unknown_name_is_refused_with_the_known_ones(name):
    with pytest.raises(ParameterError, match=r"unknown schema .*expected auto, recopersona,"):
        schema_named(name)
