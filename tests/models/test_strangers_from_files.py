"""Models for strangers whose arrays a file spoiled are refused before they answer."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import DataError

SHOP = rp.synthetic_shop(120, 30, random_state=3)


def fitted(name):
    made = {
        "segments": rp.SegmentPopularity(by=["age_band", "country"]),
        "trending": rp.Trending(window="2d", baseline="2w"),
        "bundles": rp.Bundles(support=2, significance=0.0),
        "switch": rp.Switch(by="country", models={"DE": rp.Popularity()}),
    }[name]
    return made.fit(SHOP)


def spoil(owner, name, change):
    setattr(owner, name, change(getattr(owner, name).copy()))


def first(value):
    def put(array):
        array[0] = value
        return array

    return put


def checked(*parts):
    """Do what `load` does with every part that it has read, inner ones first."""
    for part in parts:
        part._check_learned()


SPOILED = [
    ("segments", "counts_.items_", first(30)),
    ("segments", "counts_.items_", first(-1)),
    ("segments", "counts_.bounds_", lambda old: old[::-1].copy()),
    ("segments", "counts_.counts_", first(np.nan)),
    ("segments", "counts_.keys_", first(99)),
    ("segments", "counts_.keys_", lambda old: old[:, :1].copy()),
    ("segments", "counts_.keys_", lambda old: old[:2]),
    ("segments", "counts_.later_", lambda old: {0: {40: 1.0}}),
    ("segments", "counts_.later_", lambda old: {0: {1: float("nan")}}),
    ("segments", "counts_.later_", lambda old: {10**6: {1: 1.0}}),
    ("segments", "popularity_", lambda old: old[:-1]),
    ("segments", "strengths_", first(0.0)),
    ("segments", "strengths_", lambda old: old[:2]),
    ("segments", "categories_", lambda old: [3]),
    ("segments", "attributes_", lambda old: {"country": old["age_band"]}),
    ("trending", "log_items_", first(30)),
    ("trending", "log_weights_", first(np.inf)),
    ("trending", "log_times_", first(np.iinfo(np.int64).min)),
    ("trending", "log_times_", lambda old: old[1:]),
    ("bundles", "bundles_", first(30)),
    ("bundles", "bounds_", lambda old: np.append(old, old[-1])),
    ("bundles", "lift_", first(0.5)),
    ("bundles", "support_", first(-1)),
    ("switch", "models_", lambda old: {1: old["DE"]}),
]


@pytest.mark.parametrize(("name", "where", "change"), SPOILED, ids=lambda part: str(part))
def test_what_does_not_fit_is_refused(name, where, change):
    model = fitted(name)
    *path, attribute = where.split(".")
    owner = model
    for step in path:
        owner = getattr(owner, step)
    spoil(owner, attribute, change)
    with pytest.raises(DataError):
        checked(owner, model)


@pytest.mark.parametrize("name", ["segments", "trending", "bundles", "switch"])
def test_what_was_learned_online_is_in_the_file(name, tmp_path):
    model = fitted(name)
    model.update_users(pd.DataFrame({"user_id": ["new"], "country": ["AT"], "age_band": ["65+"]}))
    model.partial_fit([rp.Event("new", f"i-{n}", "purchase", SHOP.end) for n in range(5)])
    model.save(tmp_path / "model")
    loaded = rp.load(tmp_path / "model")
    for query in (rp.Query("new"), rp.Query(context={"country": "AT", "age_band": "65+"})):
        ours, theirs = model.recommend(query, n=35), loaded.recommend(query, n=35)
        assert ours.item_ids == theirs.item_ids
        assert np.array_equal(ours.scores, theirs.scores)
