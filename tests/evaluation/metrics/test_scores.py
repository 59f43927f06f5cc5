"""What needs the scores of all items: the exact area, and ranks among a draw."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.metrics import (
    auc,
    sampled_hit_rate,
    sampled_mrr,
    sampled_ndcg,
    sampled_ranks,
)


def drawn(n_users, n_items, seed):
    """Scores with ties, and what was relevant."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 8, (n_users, n_items)) / 8
    chosen = [np.sort(rng.permutation(n_items)[: rng.integers(1, 9)]) for _ in range(n_users)]
    bounds = np.append(0, np.cumsum([len(part) for part in chosen]))
    return scores, bounds, np.concatenate(chosen), chosen


def test_the_exact_area_equals_scikit_learn_on_1000_users():
    scores, bounds, relevant, chosen = drawn(1_000, 40, seed=1)
    marks = np.zeros(scores.shape, int)
    for row, part in zip(marks, chosen, strict=True):
        row[part] = 1
    expected = [roc_auc_score(*pair) for pair in zip(marks, scores, strict=True)]
    np.testing.assert_allclose(auc(scores, bounds, relevant), expected, rtol=0, atol=1e-12)


def test_items_left_out_are_not_ranked():
    scores = np.array([[0.9, 0.5, 0.1]])
    wanted = np.array([0, 1]), np.array([1])
    assert auc(scores, *wanted).tolist() == [0.5]
    assert auc(scores, *wanted, np.array([0, 1]), np.array([0])).tolist() == [1.0]


def test_constant_scores_are_worth_a_half_and_an_unknown_item_comes_last():
    scores, bounds, relevant, _ = drawn(20, 15, seed=2)
    assert (auc(np.zeros_like(scores), bounds, relevant) == 0.5).all()
    assert auc(np.ones((1, 3)), np.array([0, 1]), np.array([-1])).tolist() == [0.0]


def test_the_area_is_not_defined_where_nothing_is_left_to_compare():
    found = auc(np.ones((2, 2)), np.array([0, 2, 2]), np.array([0, 1]))
    assert np.isnan(found).all()
    assert auc(np.empty((0, 3)), np.array([0]), np.empty(0, int)).shape == (0,)


@pytest.mark.parametrize("measure", [auc, sampled_ranks])
def test_scores_and_indices_must_fit(measure):
    one = np.array([0, 1])
    with pytest.raises(DataError, match="a score of every item, got NaN"):
        measure(np.array([[0.1, np.nan]]), one, np.array([0]))
    with pytest.raises(DataError, match="indices below 2, or -1, got 2"):
        measure(np.zeros((1, 2)), one, np.array([2]))
    with pytest.raises(DataError, match="items of each of 1 users start"):
        measure(np.zeros((1, 2)), np.array([0, 1, 2]), np.array([0, 1]))


def test_with_many_draws_a_sampled_rank_comes_to_the_area():
    scores, bounds, relevant, _ = drawn(30, 25, seed=3)
    ranks = sampled_ranks(scores, bounds, relevant, n_sampled=20_000, random_state=5)
    owner = np.repeat(np.arange(30), np.diff(bounds))
    share = 1 - np.bincount(owner, (ranks - 1) / 20_000) / np.diff(bounds)
    np.testing.assert_allclose(share, auc(scores, bounds, relevant), atol=0.01)


def test_a_sampled_rank_flatters_and_the_same_seed_draws_the_same():
    scores, bounds, relevant, _ = drawn(200, 500, seed=4)
    few, many = (sampled_ranks(scores, bounds, relevant, n_sampled=n) for n in (20, 400))
    assert sampled_hit_rate(few, 10) > sampled_hit_rate(many, 10)
    assert sampled_ndcg(few, 10) > sampled_ndcg(many, 10)
    assert sampled_mrr(few) > sampled_mrr(many)
    np.testing.assert_array_equal(few, sampled_ranks(scores, bounds, relevant, n_sampled=20))


def test_what_is_not_ranked_is_not_drawn():
    scores = np.array([[0.5, 0.1, -np.inf]])
    ranks = sampled_ranks(scores, np.array([0, 2]), np.array([1, -1]), n_sampled=7)
    assert ranks.tolist() == [8.0, 8.0]
    alone = np.array([[0.5, -np.inf]])
    with pytest.raises(DataError, match="no item to draw besides"):
        sampled_ranks(alone, np.array([0, 1]), np.array([0]))
    with pytest.raises(ParameterError, match="n_sampled must be an integer of at least 1"):
        sampled_ranks(scores, np.array([0, 1]), np.array([0]), n_sampled=0)
    with pytest.raises(DataError, match="at least one rank, got none"):
        sampled_mrr(np.empty(0))
