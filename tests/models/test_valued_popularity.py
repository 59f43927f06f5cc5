import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ColumnError

EVENTS = pd.DataFrame({"user_id": [1, 2, 3, 4], "item_id": ["tea", "tea", "silver", "loss"]})
ITEMS = pd.DataFrame({
    "item_id": ["tea", "silver", "loss", "mug"], "margin": [0.5, 20.0, -1.0, None],
    "brand": ["Ito", "Ito", "Uji", "Uji"],
})  # fmt: skip


def fitted(**options):
    return rp.ValuedPopularity(**options).fit(rp.Dataset.from_frames(EVENTS, items=ITEMS))


def scores(model):
    return dict(zip(model.items_.ids.tolist(), model.score_items(rp.Query()).tolist(), strict=True))


def test_the_score_is_popularity_times_margin():
    assert scores(fitted()) == {"tea": 1.0, "silver": 20.0, "loss": -1.0, "mug": 0.0}
    assert fitted().recommend("nobody", n=4).item_ids == ["silver", "tea", "mug", "loss"]


def test_an_unknown_margin_is_the_mean_of_those_known():
    model = fitted()
    assert model.n_without_value_ == 1
    model.partial_fit([rp.Event(5, "mug"), rp.Event(6, "new")])
    assert scores(model)["mug"] == scores(model)["new"] == pytest.approx(19.5 / 3)


def test_a_margin_that_changes_counts_at_once():
    model = fitted()
    model.update_items(pd.DataFrame({"item_id": ["tea"], "margin": [50.0]}))
    assert scores(model)["tea"] == 100.0


def test_without_a_catalogue_it_is_popularity():
    model = rp.ValuedPopularity().fit(EVENTS)
    assert scores(model) == scores(rp.Popularity().fit(EVENTS))
    assert model.n_without_value_ == 3


def test_a_column_that_is_none_of_numbers_is_refused():
    with pytest.raises(ColumnError, match="no item column 'brand' of numbers; there are margin"):
        fitted(value="brand")


def test_huge_values_stay_numbers():
    model = fitted()
    model.update_items(pd.DataFrame({"item_id": ["tea"], "margin": [1e38]}))
    model.partial_fit([rp.Event(5, "tea")] * 9)
    assert np.isfinite(model.score_items(rp.Query())).all()
    model.update_items(pd.DataFrame({"item_id": ["silver", "mug"], "margin": [1e308, 1e308]}))
    assert scores(model)["mug"] == 0  # nobody wants it, whatever it is worth
    assert np.isfinite(model.score_items(rp.Query())).all()
