"""What recommenders that read attributes keep of them."""

import pandas as pd
import pytest

import recopersona as rp
from recopersona.base.described import Described


class Reader(Described):
    def _fit(self, dataset):
        self.noted_ = []

    def _learn(self, rows):
        pass

    def _items_described(self, rows, names):
        self.noted_.append((rows.tolist(), names))

    def score_items(self, query, items=None):
        return self.item_features_["price"].to_numpy("float32")


SHELF = pd.DataFrame(
    {
        "item_id": ["tea", "salt"],
        "price": [4.5, None],
        "brand": ["Ito", None],
        "tags": [["green", "leaf"], None],
        "created_at": pd.to_datetime(["2026-01-01", None], utc=True),
        "organic": [True, None],
    }
)
PEOPLE = pd.DataFrame({"user_id": ["anna"], "age": [30], "city": ["Jena"]})


@pytest.fixture
def model():
    shop = rp.Dataset.from_frames([rp.Event("anna", "tea")], items=SHELF, users=PEOPLE)
    return Reader().fit(shop)


def test_a_row_holds_what_is_known(model):
    tea, salt = model.item_features_.row(0), model.item_features_.row(1)
    assert tea.pop("created_at") == 1_767_225_600_000
    assert tea == {"price": 4.5, "brand": "Ito", "tags": ("green", "leaf"), "organic": True}
    assert salt == {}


def test_the_context_lies_over_the_customers_row(model):
    assert model.attributes_of(rp.Query("anna", context={"city": "Bonn"})) == {
        "age": 30.0,
        "city": "Bonn",
    }
    assert model.attributes_of(rp.Query("nobody", context={"device": "phone"})) == {
        "device": "phone"
    }


def test_changed_rows_are_kept_and_told(model):
    model.update_items(pd.DataFrame({"item_id": ["honey", "salt"], "price": [3.0, 1.0]}))
    model.update_users(pd.DataFrame({"user_id": ["ben"], "age": [41]}))
    assert model.item_features_["price"].tolist() == [4.5, 1.0, 3.0]
    assert model.noted_ == [([2, 1], {"price"})]
    assert model.attributes_of(rp.Query("ben")) == {"age": 41.0}


@pytest.mark.parametrize(
    "refused", [{"item_id": ["rye"], "price": ["dear"]}, {"item_id": ["rye", "rye"]}]
)
def test_what_is_refused_changes_nothing(model, refused):
    with pytest.raises(rp.errors.DataError):
        model.update_items(pd.DataFrame(refused))
    assert model.items_.ids.tolist() == ["tea", "salt"]


def test_the_datasets_tables_stay_as_they_are():
    shop = rp.Dataset.from_frames([rp.Event("anna", "tea")], items=SHELF)
    Reader().fit(shop).update_items(pd.DataFrame({"item_id": ["tea"], "price": [9.0]}))
    assert shop.item_features["price"].tolist()[0] == 4.5


def test_forgetting_blanks_the_customers_row(model):
    model.forget(["anna"])
    assert model.user_features_.row(0) == {}
