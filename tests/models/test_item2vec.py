"""Items that are clicked around each other get near vectors."""

import copy

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import DataError

RNG = np.random.default_rng(4)
GROUPS = [[f"{name}{number}" for number in range(8)] for name in "abcde"]


def events_of(visits):
    rows = [(number, item) for number, visit in enumerate(visits) for item in visit]
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


def visits_within_groups(n):
    return [RNG.choice(GROUPS[number % 5], 4).tolist() for number in range(n)]


@pytest.fixture(scope="module")
def model():
    return rp.Item2Vec(factors=12, sample=1.0).fit(events_of(visits_within_groups(400)))


def test_what_is_clicked_together_is_alike(model):
    for group in GROUPS:
        assert {item[0] for item in model.similar_items(group[0], n=7).item_ids} == {group[0][0]}


def test_a_visit_is_answered_from_its_group(model):
    asked = rp.Query(session=["c1", "c2"])
    assert {item[0] for item in model.recommend(asked, n=6, seen="keep").item_ids} == {"c"}


def test_the_last_click_counts_most(model):
    asked = rp.Query(session=["a1", "b1"])
    assert model.recommend(asked, n=1, seen="keep").item_ids == ["b1"]
    every = rp.Item2Vec(factors=12, sample=1.0, fading=0).fit(events_of(visits_within_groups(400)))
    alone = every.recommend(rp.Query(session=["b1"]), n=5, seen="keep")
    assert every.recommend(asked, n=5, seen="keep").item_ids == alone.item_ids


def test_the_same_seed_gives_the_same_vectors(model):
    log = events_of(visits_within_groups(60))
    one, two, other = (
        rp.Item2Vec(factors=4, epochs=2, random_state=seed).fit(log).item_factors_
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_a_new_item_learns_from_its_first_clicks():
    model = rp.Item2Vec(factors=12, sample=1.0).fit(events_of(visits_within_groups(400)))
    model.partial_fit([rp.Event("u", item) for item in ("d1", "d2", "new")])
    assert {item[0] for item in model.similar_items("new", n=5).item_ids} == {"d"}
    np.testing.assert_allclose(np.linalg.norm(model.item_factors_, axis=1), 1, rtol=1e-5)


def test_items_without_a_click_have_no_vector():
    matrix = np.ones((3, 4), np.float32)
    matrix[:, 2] = 0
    model = rp.Item2Vec(factors=4, epochs=1).fit(rp.Dataset.from_matrix(matrix))
    assert model.item_lengths_[2] == 0
    assert model.item_lengths_[[0, 1, 3]] == pytest.approx(1)


def test_vectors_from_a_file_are_finite(model):
    spoiled = copy.deepcopy(model)
    spoiled.outputs_[0, 0] = np.nan
    with pytest.raises(DataError, match="finite"):
        spoiled._check_learned()
