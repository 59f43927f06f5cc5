from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recopersona as rp
from recopersona.errors import DataError, ParameterError
from recopersona.kernels.blocks import limit_threads
from recopersona.models import linear
from recopersona.testing import check_recommender, checkerboard
from tests.models.test_neighbors import counts, crawler, dense
from tests.naive import linear as naive

X = np.random.default_rng(6).poisson(0.5, (60, 25)).astype(np.float32)
SHOP = rp.Dataset.from_matrix(X)
MODELS = [rp.EASE, rp.SparseEASE, rp.SLIM]


# -- EASE --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reg", [0.5, 20.0])
@given(counts)
@settings(max_examples=25)
def test_the_weights_are_those_of_a_regression_per_item(reg, rows):
    x = np.array(rows, dtype=np.float32)
    model = rp.EASE(reg=reg).fit(rp.Dataset.from_matrix(x))
    assert np.allclose(model.item_weights_, naive.ease(x, reg), atol=1e-5)


def test_dropout_is_the_mean_over_all_ways_to_hide_items():
    # Hidden items are 0 and the others count 1 / (1 - d) more: the squares of an item then are
    # 1 / (1 - d) times as large on average, and what two items share stays as it is.
    d, x = 0.25, X.astype(np.float64)
    gram = x.T @ x + np.diag((x**2).sum(axis=0) * (1 / (1 - d) - 1)) + 2.0 * np.eye(25)
    inverse = np.linalg.inv(gram)
    expected = -inverse / np.diagonal(inverse)
    np.fill_diagonal(expected, 0)
    assert np.allclose(rp.EASE(reg=2.0, dropout=d).fit(SHOP).item_weights_, expected, atol=1e-5)


def test_many_panels_agree_with_one(monkeypatch):
    whole = rp.EASE(reg=2.0).fit(SHOP).item_weights_
    for name in ("negative_inverse", "mirror_over_diagonal"):
        monkeypatch.setattr(linear, name, partial(getattr(linear, name), width=4))
    narrow = rp.EASE(reg=2.0).fit(SHOP).item_weights_
    assert not np.array_equal(narrow, whole)
    assert np.allclose(narrow, whole, atol=1e-6)
    assert np.allclose(whole, naive.ease(X, 2.0), atol=1e-6)


def test_the_score_is_what_was_chosen_times_the_weights():
    model = rp.EASE(reg=2.0).fit(SHOP)
    scores = np.stack([model.score_items(rp.Query(user)) for user in range(60)])
    expected = X @ naive.ease(X, 2.0)
    assert np.allclose(scores[X.any(axis=1)], expected[X.any(axis=1)], atol=1e-4)


def test_items_that_nothing_leads_to_have_no_score():
    matrix = X.copy()
    matrix[:, 9] = 0
    for kind in MODELS:
        model = kind().fit(rp.Dataset.from_matrix(matrix))
        assert model.score_items(rp.Query(3))[9] == -np.inf
        assert (model.score_items(rp.Query("a stranger")) == -np.inf).all()
        assert model.similar_items(9, n=3).item_ids == model.recommend(rp.Query(), n=3).item_ids


def test_a_fit_that_needs_more_than_it_may_take_is_refused():
    words = r"^EASE needs \d+\.\d KB for 25 items, max_memory is 2\.0 KB; use SparseEASE\.$"
    model = rp.EASE(max_memory="2KB")
    with pytest.raises(DataError, match=words):
        model.fit(SHOP)
    assert not model.__sklearn_is_fitted__()
    assert rp.EASE(max_memory="2MB").fit(SHOP).item_weights_.shape == (25, 25)


def test_weights_beyond_single_precision_are_refused_in_words():
    huge = rp.Dataset.from_matrix(np.full((3, 3), 1e12, np.float32))
    with pytest.raises(DataError, match="EASE: the weights are too large for this reg"):
        rp.EASE(reg=1e-9).fit(huge)


def test_an_interrupted_fit_leaves_the_model_unfitted(monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(linear, "run_blocks", interrupted)
    for kind in MODELS:
        model = kind()
        with pytest.raises(KeyboardInterrupt):
            model.fit(SHOP)
        assert not model.__sklearn_is_fitted__()


# -- SparseEASE --------------------------------------------------------------------------------


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_with_all_items_it_is_ease(dropout):
    sparse, exact = (
        rp.SparseEASE(reg=3.0, dropout=dropout, k=99).fit(SHOP),
        rp.EASE(reg=3.0, dropout=dropout).fit(SHOP),
    )
    assert (X.T @ X > 0).all(), "each pair of items must share a user"
    assert np.allclose(dense(sparse, 25), exact.item_weights_, atol=1e-3)


@pytest.mark.parametrize("k", [1, 4])
@given(counts)
@settings(max_examples=25)
def test_each_item_is_predicted_from_those_that_tell_most(k, rows):
    x = np.array(rows, dtype=np.float32)
    weights = dense(rp.SparseEASE(reg=1.0, dropout=0.0, k=k).fit(rp.Dataset.from_matrix(x)), 5)
    for item in range(5):
        chosen = naive.telling(x, item, k, 1.0)
        expected = np.zeros(5)
        expected[chosen] = naive.ridge(x, chosen, item, 1.0)
        assert np.allclose(weights[:, item], expected, atol=1e-3)


@pytest.mark.parametrize("kind", [rp.SparseEASE, rp.SLIM])
def test_memory_is_refused_before_it_is_taken(kind):
    words = (
        rf"^{kind.__name__} needs \d+\.\d KB for 25 items and the \d+ pairs of them that share a "
        r"user, max_memory is 5\.0 KB; lower k or max_user_items\.$"
    )
    with pytest.raises(DataError, match=words):
        kind(max_memory=5_000).fit(SHOP)


@pytest.mark.parametrize("kind", [rp.SparseEASE, rp.SLIM])
def test_a_crawler_is_capped_and_counted(kind):
    assert kind(max_user_items=10).fit(crawler()).n_left_out_ == 40


# -- SLIM --------------------------------------------------------------------------------------


@pytest.mark.parametrize("positive", [True, False])
@given(counts, st.sampled_from([0.0, 0.5]))
@settings(max_examples=25)
def test_each_item_has_an_elastic_net(positive, rows, l1_ratio):
    x = np.array(rows, dtype=np.float32)
    options = {"alpha": 0.1, "l1_ratio": l1_ratio, "positive": positive}
    model = rp.SLIM(k=3, iterations=1_000, **options).fit(rp.Dataset.from_matrix(x))
    weights = dense(model, 5)
    for item in range(5):
        chosen = naive.telling(x, item, 3, 0.1 * (1 - l1_ratio) * len(x))
        b = naive.elastic_net(x, chosen, item, **options)
        losses = [
            naive.net_loss(x, chosen, item, each, 0.1, l1_ratio)
            for each in (weights[chosen, item], b)
        ]
        assert losses[0] <= losses[1] * (1 + 1e-3) + 1e-5
        assert not np.delete(weights[:, item], chosen).any()


def test_scikit_learns_elastic_net_agrees():
    from sklearn.linear_model import ElasticNet

    options = {"alpha": 0.02, "l1_ratio": 0.3, "positive": True}
    weights = dense(rp.SLIM(k=99, iterations=1_000, **options).fit(SHOP), 25)
    for item in (0, 7, 24):
        others = np.delete(np.arange(25), item)
        net = ElasticNet(fit_intercept=False, max_iter=10_000, tol=1e-8, **options)
        net.fit(X[:, others].astype(np.float64), X[:, item].astype(np.float64))
        assert np.allclose(weights[others, item], net.coef_, atol=2e-3)


def test_absolute_weights_cost_and_vanish():
    sizes = [len(rp.SLIM(alpha=0.1, l1_ratio=share).fit(SHOP).weights_) for share in (0, 0.5, 1)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] < sizes[0]


def test_weights_may_be_negative_if_wanted():
    assert (rp.SLIM().fit(SHOP).weights_ > 0).all()
    assert (rp.SLIM(positive=False).fit(SHOP).weights_ < 0).any()


# -- all ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MODELS)
def test_the_checkerboards_answer_is_found(kind):
    events, answers = checkerboard()
    model = kind().fit(events)
    assert all(model.recommend(user, n=1).item_ids == [item] for user, item in answers.items())


@pytest.mark.parametrize("kind", MODELS)
def test_the_number_of_threads_changes_nothing(kind):
    with limit_threads(1):
        alone = kind().fit(SHOP)
    with limit_threads(3):
        together = kind().fit(SHOP)
    name = "item_weights_" if kind is rp.EASE else "weights_"
    assert np.array_equal(getattr(alone, name), getattr(together, name))


@pytest.mark.parametrize("kind", MODELS)
def test_one_event_and_an_item_of_everyone_are_no_trouble(kind):
    alone = kind().fit([rp.Event("u", "i")])
    assert alone.recommend("u", seen="keep").item_ids == ["i"]
    assert alone.recommend("a stranger").item_ids == ["i"]
    everyone = pd.DataFrame({"user_id": [1, 2, 3, 3], "item_id": ["hit", "hit", "hit", "b"]})
    ranking = kind().fit(everyone).recommend(1, n=2)
    assert (ranking.item_ids, ranking.sources[0]) == (["b"], kind.__name__)


@pytest.mark.parametrize("kind", MODELS)
def test_repeats_add_up_and_weights_of_nothing_are_no_interaction(kind):
    log = pd.DataFrame({"user_id": [1, 1, 1, 2, 2, 3], "item_id": list("aababc"),
                        "event": ["view", "view", "cart", "view", "cart", "view"]})  # fmt: skip
    model = kind().fit(rp.Dataset.from_frames(log, event_weights={"cart": 0}))
    same = kind().fit(rp.Dataset.from_matrix(np.array([[2, 0, 0], [1, 0, 0], [0, 0, 1]], float)))
    assert np.allclose(model._weights_from(0), same._weights_from(0))
    assert (model.score_items(rp.Query(1)) == -np.inf).all()


@pytest.mark.parametrize("kind", MODELS)
def test_an_explanation_names_the_items_that_were_chosen(kind):
    model = kind().fit(checkerboard().events)
    frame = model.explain("u-0", "i-0")
    assert set(frame["evidence"]) == {f"i-{item}" for item in range(2, 20, 2)}
    score = model.score_items(rp.Query("u-0"))[model.items_.index("i-0")]
    assert frame["contribution"].sum() == pytest.approx(float(score), rel=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_new_events_count_at_once_and_new_items_after_the_next_fit(kind):
    model = kind().fit(checkerboard(8).events)
    model.partial_fit([rp.Event("new", "i-0"), rp.Event("new", "i-2"), rp.Event("new", "fresh")])
    ranking = model.recommend("new", n=9)
    assert set(ranking.item_ids[:2]) == {"i-4", "i-6"}
    assert "fresh" in model.recommend("u-1", n=20).item_ids
    assert model.explain("u-1", "fresh").empty


def test_other_parameters_keep_the_contract():
    check_recommender(rp.SLIM(k=3, alpha=0.1, l1_ratio=0.5, positive=False, max_user_items=4))
    check_recommender(rp.SparseEASE(k=2, reg=1.0, max_memory="1GB"))


@pytest.mark.parametrize(
    ("model", "words"),
    [(rp.EASE(dropout=1), "EASE: dropout must be a finite number of at least 0 and at most 0.99"),
     (rp.EASE(reg=0), "EASE: reg must be a finite number above 0, got 0"),
     (rp.EASE(max_memory="lots"), "EASE: max_memory must be a number of bytes above 0 or a text"),
     (rp.SparseEASE(k=0), "SparseEASE: k must be an integer of at least 1"),
     (rp.SparseEASE(reg=-1), "SparseEASE: reg must be a finite number above 0"),
     (rp.SLIM(alpha=0), "SLIM: alpha must be a finite number above 0"),
     (rp.SLIM(l1_ratio=2), "SLIM: l1_ratio must be a finite number of at least 0 and at most 1"),
     (rp.SLIM(positive=1), "SLIM: positive must be True or False"),
     (rp.SLIM(iterations=0), "SLIM: iterations must be an integer of at least 1")],
)  # fmt: skip
def test_parameters_have_bounds(model, words):
    with pytest.raises(ParameterError, match=words):
        model.fit(SHOP)
