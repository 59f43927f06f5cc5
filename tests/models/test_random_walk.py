import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recopersona as rp
from recopersona.errors import ParameterError
from recopersona.testing import check_recommender, checkerboard
from tests.models.test_neighbors import counts, crawler, dense
from tests.naive import linear as naive


@given(counts, st.sampled_from([0.5, 1.0]), st.sampled_from([0.0, 0.3]), st.booleans())
@settings(max_examples=50)
def test_the_weights_are_the_twins(rows, alpha, beta, normalize):
    x = np.array(rows, dtype=np.float32)
    options = {"alpha": alpha, "beta": beta, "k": 10, "normalize": normalize}
    model = rp.RP3Beta(**options).fit(rp.Dataset.from_matrix(x))
    assert np.allclose(dense(model, 5), naive.random_walk(x.astype(float), **options), atol=1e-5)


@pytest.mark.parametrize("normalize", [True, False])
def test_few_are_kept_for_where_walks_start_and_where_they_end(normalize):
    x = np.random.default_rng(8).poisson(0.7, (40, 12)).astype(np.float32)
    options = {"alpha": 0.7, "beta": 0.4, "k": 4, "normalize": normalize}
    model = rp.RP3Beta(**options).fit(rp.Dataset.from_matrix(x))
    ours, expected = dense(model, 12), naive.random_walk(x.astype(float), **options)
    assert np.allclose(ours, expected, atol=1e-6)
    assert (ours > 0).sum(axis=0).max() == (ours > 0).sum(axis=1).max() == 4


def test_the_checkerboards_answer_is_found():
    events, answers = checkerboard()
    model = rp.RP3Beta().fit(events)
    assert all(model.recommend(user, n=1).item_ids == [item] for user, item in answers.items())


def test_beta_holds_popular_items_back():
    events = pd.DataFrame({
        "user_id": [1, 1, 1, *range(2, 30)], "item_id": ["tea", "rare", "hit", *["hit"] * 28],
    })  # fmt: skip
    weights = [dense(rp.RP3Beta(beta=b, normalize=False).fit(events), 3) for b in (0.0, 1.0)]
    hit = 2
    assert weights[1][0, hit] == pytest.approx(weights[0][0, hit] / 29)


def test_a_crawlers_walks_are_capped_and_counted():
    model = rp.RP3Beta(max_user_items=10).fit(crawler())
    assert model.n_left_out_ == 40


def test_one_event_and_an_item_of_everyone_are_no_trouble():
    alone = rp.RP3Beta().fit([rp.Event("u", "i")])
    assert alone.recommend("a stranger").item_ids == ["i"]
    everyone = pd.DataFrame({"user_id": [1, 2, 3, 3], "item_id": ["hit", "hit", "hit", "b"]})
    assert rp.RP3Beta(k=99).fit(everyone).recommend(1, n=2).item_ids == ["b"]


def test_other_parameters_keep_the_contract():
    check_recommender(rp.RP3Beta(k=3, alpha=1.0, beta=1.0, normalize=False, max_user_items=5))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"k": 0}, "k must be an integer of at least 1"),
     ({"alpha": -1}, "alpha must be a finite number of at least 0"),
     ({"beta": np.inf}, "beta must be a finite number of at least 0"),
     ({"normalize": "yes"}, "normalize must be True or False"),
     ({"max_user_items": 0}, "max_user_items must be an integer of at least 1")],
)  # fmt: skip
def test_parameters_have_bounds(change, words):
    with pytest.raises(ParameterError, match=f"RP3Beta: {words}"):
        rp.RP3Beta(**change).fit(crawler())
