"""Trees taken out of the libraries that grew them decide as they did there, to the last bit."""

from concurrent.futures import ThreadPoolExecutor

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier

from recopersona.errors import DataError
from recopersona.rankers.boosting import Recipe, Taught, _edges_of, grow
from recopersona.rankers.trees import rounded_down

N_COLUMNS = 6
PLAIN = Recipe(
    learning_rate=0.1, leaves=12, min_rows=10, reg=1.0, column_share=0.7, patience=10,
    signs=np.zeros(N_COLUMNS, np.int64), seed=3,
)  # fmt: skip


def rows(n_requests, seed):
    """Rows with ties, gaps, infinities, a column of integers and one that never lacks."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(n_requests * 20, N_COLUMNS)).astype(np.float32)
    matrix[:, 1] = np.round(2 * matrix[:, 1])
    signal = matrix[:, 0] + np.abs(matrix[:, 1]) - matrix[:, 2]
    matrix[random.random(matrix.shape) < 0.2] = np.nan
    matrix[:, 3] = random.random(len(matrix))
    matrix[::31, 4], matrix[::37, 4] = np.inf, -np.inf
    labels = (signal + random.logistic(size=len(matrix)) > 2).astype(np.float32)
    weights = random.integers(1, 4, len(matrix)).astype(np.float32)
    return Taught(matrix, labels, weights, np.full(n_requests, 20))


@pytest.fixture
def grown_by_sklearn(monkeypatch):
    """Models of scikit-learn as they are fitted, and the rows that judged them."""
    kept = []
    plain = HistGradientBoostingClassifier.fit

    def fit(model, *args, **options):
        kept.append((model, options["X_val"]))
        return plain(model, *args, **options)

    monkeypatch.setattr(HistGradientBoostingClassifier, "fit", fit)
    return kept


@pytest.fixture
def grown_by_lightgbm(monkeypatch):
    kept = []
    plain = lightgbm.train

    def train(*args, **options):
        kept.append(plain(*args, **options))
        return kept[-1]

    monkeypatch.setattr(lightgbm, "train", train)
    return kept


def test_scikit_learn_says_the_same(grown_by_sklearn):
    judges = rows(200, seed=1)
    judges.matrix[::5, 3] = np.nan  # where nothing lacked before
    forest = grow("pointwise", PLAIN, rows(300, seed=0), 60, judges).forest
    ((model, cut_rows),) = grown_by_sklearn
    assert (forest.logits(judges.matrix) == model.decision_function(cut_rows)).all()
    probability = 1 / (1 + np.exp(-forest.logits(judges.matrix)))
    np.testing.assert_allclose(probability, model.predict_proba(cut_rows)[:, 1], rtol=1e-12)


def test_lightgbm_says_the_same(grown_by_lightgbm):
    judges = rows(200, seed=1)
    judges.matrix[::5, 3] = np.nan
    judges.matrix[4::5, 3] = 0
    forest = grow("lambdarank", PLAIN, rows(300, seed=0), 60, judges).forest
    (booster,) = grown_by_lightgbm
    seen = np.clip(judges.matrix, -np.finfo(np.float32).max, np.finfo(np.float32).max)
    said = booster.predict(seen, raw_score=True, num_iteration=-1)
    np.testing.assert_allclose(forest.logits(judges.matrix), said, rtol=0, atol=1e-12)


@pytest.mark.parametrize("objective", ["pointwise", "lambdarank"])
def test_the_curve_has_a_value_for_each_tree_and_rises(objective):
    grown = grow(objective, PLAIN, rows(300, seed=0), 60, rows(200, seed=1))
    assert 1 < len(grown.curve) <= 60
    assert grown.curve.max() > grown.curve[0]


def test_equal_scores_are_no_success_whatever_comes_first():
    judges = rows(300, seed=1)
    labels = (np.arange(len(judges.labels)) % 20 == 0).astype(np.float32)  # the first of each
    blind = judges._replace(matrix=np.zeros_like(judges.matrix), labels=labels)
    curve = grow("lambdarank", PLAIN, rows(100, seed=0), 3, blind).curve
    assert curve[0] < 0.4  # by chance: the mean of 1 / log2(1 + place), 0 beyond 10, is 0.23


@pytest.mark.parametrize("objective", ["pointwise", "lambdarank"])
def test_without_judges_all_trees_are_grown(objective):
    grown = grow(objective, PLAIN, rows(100, seed=0), 7)
    assert (len(grown.forest.bounds_) - 1, len(grown.curve)) == (7, 0)


@pytest.mark.parametrize("objective", ["pointwise", "lambdarank"])
def test_a_column_that_nothing_is_known_of_is_never_asked(objective):
    taught = rows(100, seed=0)
    taught.matrix[:, 0] = np.nan
    taught.matrix[9:, 1] = np.nan
    forest = grow(objective, PLAIN, taught, 20).forest
    assert forest.n_columns_ == N_COLUMNS
    assert set(forest.columns_.tolist()) <= {2, 3, 4, 5}
    assert 2 in forest.columns_


def test_a_label_of_a_third_is_two_rows_that_share_its_weight():
    taught = rows(100, seed=0)
    soft = taught._replace(labels=np.where(taught.labels > 0, np.float32(1 / 3), 0))
    twice = Taught(
        np.concatenate([taught.matrix, taught.matrix[taught.labels > 0]]),
        np.concatenate([taught.labels, np.zeros(int(taught.labels.sum()), np.float32)]),
        np.concatenate(
            [
                taught.weights * np.where(taught.labels > 0, 1 / 3, 1),
                taught.weights[taught.labels > 0] * 2 / 3,
            ]
        ).astype(np.float32),
        np.ones(len(taught.labels) + int(taught.labels.sum()), np.int64),
    )
    soft_said = grow("pointwise", PLAIN, soft, 1).forest.start_
    assert soft_said == pytest.approx(grow("pointwise", PLAIN, twice, 1).forest.start_, rel=1e-6)
    share = np.average(soft.labels, weights=taught.weights)
    assert soft_said == pytest.approx(np.log(share / (1 - share)), rel=1e-5)


def test_fits_side_by_side_are_those_one_after_the_other():
    taught = rows(60, seed=0)
    alone = grow("pointwise", PLAIN, taught, 10).forest.values_.tolist()
    with ThreadPoolExecutor(4) as pool:  # warnings are errors, and their filters are shared
        jobs = [pool.submit(grow, "pointwise", PLAIN, taught, 10) for _ in range(8)]
    assert all(job.result().forest.values_.tolist() == alone for job in jobs)


def test_more_candidates_than_lightgbm_ranks_are_refused():
    taught = rows(501, seed=0)._replace(sizes=np.array([10_020]))
    with pytest.raises(DataError, match="at most 10,000 candidates of a request, got 10,020"):
        grow("lambdarank", PLAIN, taught, 2)


def test_row_weights_do_not_push_one_of_a_pair_further():
    taught = rows(200, seed=0)
    heavy = taught._replace(weights=np.where(taught.labels > 0, 1, 9).astype(np.float32))
    light = taught._replace(weights=np.ones_like(taught.weights))
    heavy_said, light_said = (
        grow("lambdarank", PLAIN, one, 5).forest.values_.tolist() for one in (heavy, light)
    )
    assert heavy_said == light_said


@given(st.lists(st.floats(allow_nan=False), max_size=20))
def test_rounded_down_decides_as_the_threshold_did(thresholds):
    exact = np.array(thresholds)
    rounded = rounded_down(exact)
    assert (rounded <= exact).all()
    with np.errstate(over="ignore"):
        above = np.nextafter(rounded, np.float32(np.inf))
    assert ((above > exact) | (rounded == np.inf)).all()


def test_few_values_are_cut_between_and_many_at_quantiles():
    assert _edges_of(np.array([3, 1, 1, 2], np.float32)).tolist() == [1.5, 2.5]
    assert _edges_of(np.array([7, 7], np.float32)).tolist() == []
    many = np.random.default_rng(0).exponential(size=5_000).astype(np.float32)
    cuts = np.searchsorted(_edges_of(many), many)
    assert cuts.max() == 254
    assert np.bincount(cuts).max() < 2 * np.bincount(cuts).min()
