import numpy as np
import pandas as pd
import pytest

from recopersona.data.dataset import Dataset
from recopersona.data.event import Event
from recopersona.data.feature_table import FeatureTable
from recopersona.data.ids import IdMap
from recopersona.data.times import moment_ms
from recopersona.errors import DataError
from recopersona.models.popularity import Popularity
from recopersona.pipeline.pipeline import Pipeline
from recopersona.rules.checks.schema import Facts, RuleSchema

SHELF = pd.DataFrame(
    {
        "item_id": ["tea", "salt", "soap"],
        "stock": [3, 0, None],
        "adult": [False, False, None],
        "brand": ["Ito", "Kew", "Ito"],
        "tags": [["bio", "hot"], ["bio"], []],
        "created_at": pd.to_datetime(["2026-01-01", "2026-02-01", None]),
    }
)
PEOPLE = pd.DataFrame({"user_id": ["anna", "ben"], "age": [15, None]})


def shop():
    events = [Event("anna", "tea", "view", timestamp="2026-03-01")]
    return Dataset.from_frames(events, items=SHELF, users=PEOPLE, now="2026-12-31")


def test_a_schema_knows_the_kinds_of_columns_and_what_is_derived():
    schema = RuleSchema.of(shop())
    assert schema.item["tags"] == "set"
    assert schema.kind("seed", "brand") == schema.kind("item", "brand") == "category"
    assert schema.kind("user", "age") == "number"
    assert (schema.kind("item", "id"), schema.kind("user", "id")) == ("id", "id")
    assert (schema.kind("item", "age"), schema.kind("ctx", "now")) == ("duration", "time")
    assert schema.kind("item", "prise") is None


def test_an_age_needs_the_day_of_birth():
    assert RuleSchema(item={"stock": "number", "age": "number"}).kind("item", "age") is None
    assert RuleSchema(item={"created_at": "time"}).kind("item", "age") == "duration"


@pytest.mark.parametrize("fitted", [Popularity, lambda: Pipeline(candidates=[Popularity()])])
def test_fitted_models_and_pipelines_have_a_schema(fitted):
    model = fitted().fit(shop())
    if isinstance(model, Pipeline):
        schema = RuleSchema.of(model)
        assert schema.kind("user", "age") == "number"
        assert schema.end == moment_ms("2026-03-01")
    else:
        with pytest.raises(DataError, match="a Dataset, a fitted pipeline or a RuleSchema"):
            RuleSchema.of(model)


def test_a_schema_is_its_own_schema_and_a_catalogue_has_one():
    schema = RuleSchema.of(shop())
    assert RuleSchema.of(schema) is schema
    items = FeatureTable.from_frame(SHELF, IdMap(), "item_id")
    assert RuleSchema.of(items).item == schema.item
    assert RuleSchema.of(items).user == {}


def test_facts_of_every_kind():
    schema = RuleSchema.of(shop())
    assert schema.facts("item", "stock") == Facts(3, 1, low=0.0, high=3.0)
    assert schema.facts("item", "adult") == Facts(3, 1, values=(False,))
    assert schema.facts("item", "brand") == Facts(3, 0, values=("Ito", "Kew"))
    assert schema.facts("item", "tags") == Facts(3, 1, values=("bio", "hot"))
    created = schema.facts("seed", "created_at")
    assert created == Facts(3, 1, moment_ms("2026-01-01"), moment_ms("2026-02-01"))
    assert schema.facts("item", "age") is schema.facts("ctx", "page") is None


def test_facts_follow_the_data():
    items = FeatureTable.from_frame(SHELF, IdMap(), "item_id")
    schema = RuleSchema.of(items)
    before = schema.facts("item", "stock")
    assert schema.facts("item", "stock") is before
    items.update(pd.DataFrame({"item_id": ["soap", "mint"], "stock": [9, 1]}), "item_id")
    assert schema.facts("item", "stock") == Facts(4, 0, low=0.0, high=9.0)
    items.ids.append("gold")  # an item of which nothing is known
    assert schema.facts("item", "stock") == Facts(5, 1, low=0.0, high=9.0)
    assert schema.facts("item", "brand") == Facts(5, 2, values=("Ito", "Kew"))


def test_only_values_in_use_are_listed():
    items = FeatureTable.from_frame(SHELF, IdMap(), "item_id")
    items.update(pd.DataFrame({"item_id": ["salt"], "brand": ["Ito"]}), "item_id")
    assert RuleSchema.of(items).facts("item", "brand").values == ("Ito",)


def test_making_a_schema_looks_at_no_value():
    items = FeatureTable(IdMap(range(3)))
    column = FeatureTable.from_frame(SHELF, IdMap(), "item_id").columns["stock"]
    object.__setattr__(column, "values", None)
    items.columns["stock"] = column
    assert RuleSchema.of(items).kind("item", "stock") == "number"
    with pytest.raises(TypeError):
        RuleSchema.of(items).facts("item", "stock")


def test_a_schema_by_hand_has_kinds_and_no_facts():
    schema = RuleSchema(item={"stock": "number"}, user={"age": "number"}, end="2026-03-01")
    assert schema.facts("item", "stock") is None
    assert schema.end == moment_ms("2026-03-01")
    assert RuleSchema().end is None


def test_a_schema_shows_what_one_would_type():
    schema = RuleSchema(item={"stock": "number"}, user={"age": "number"}, end="2026-03-01")
    assert repr(eval(repr(schema))) == repr(schema)  # noqa: S307
    assert "item={'stock': 'number', 'adult': 'flag'" in repr(RuleSchema.of(shop()))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (SHELF, r"make a dataset with Dataset.from_frames\(events, items=frame\)"),
        (Pipeline(candidates=[Popularity()]), "fit it first"),
        (Dataset, r"write RuleSchema\(item="),
        ({"stock": "number"}, r"write RuleSchema\(item="),
        (np.zeros(3), r"write RuleSchema\(item="),
    ],
)
def test_what_has_no_tables_has_no_schema(source, told):
    with pytest.raises(DataError, match=told):
        RuleSchema.of(source)


def test_a_kind_must_be_one():
    with pytest.raises(DataError, match=r"item.stock has no kind 'nummer'; did you mean 'number'"):
        RuleSchema(item={"stock": "nummer"})
    with pytest.raises(DataError, match="item must be a mapping"):
        RuleSchema(item=["stock"])
