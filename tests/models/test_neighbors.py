import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import recopersona as rp
from recopersona.models.neighbors import nearest_items, weighted
from recopersona.testing import checkerboard

counts = st.lists(
    st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=2, max_size=6
).filter(lambda rows: any(map(any, rows)))


def dense_likeness(matrix, shrink):
    """Cosine of the columns of a dense matrix, without the diagonal."""
    norms = np.sqrt((matrix.astype(np.float64) ** 2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        likeness = (matrix.T @ matrix) / (np.outer(norms, norms) + shrink)
    np.fill_diagonal(likeness, 0)
    return np.nan_to_num(likeness)


def as_dense(model, n_items):
    likeness = np.zeros((n_items, n_items))
    for item in range(n_items):
        row = slice(model.bounds_[item], model.bounds_[item + 1])
        likeness[item, model.neighbors_[row]] = model.likeness_[row]
    return likeness


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
@given(counts, st.sampled_from([0.0, 2.0]))
def test_the_likeness_is_the_cosine_of_weighted_columns(weighting, rows, shrink):
    matrix = np.array(rows, dtype=np.float32)
    model = rp.ItemKNN(k=10, weighting=weighting, shrink=shrink).fit(rp.Dataset.from_matrix(matrix))
    columns = weighted(sparse.csr_array(matrix), weighting).toarray()
    assert np.allclose(as_dense(model, 5), dense_likeness(columns, shrink), atol=1e-5)


@given(counts)
def test_tfidf_favours_the_attention_of_those_who_take_little(rows):
    matrix = np.array(rows, dtype=np.float32)
    taken = (matrix > 0).sum(axis=1)
    expected = np.sqrt(matrix) * np.log1p(5 / np.maximum(taken, 1))[:, None]
    assert np.allclose(weighted(sparse.csr_array(matrix), "tfidf").toarray(), expected, rtol=1e-5)


@given(counts)
def test_bm25_saturates_repeats_and_discounts_popular_items(rows):
    matrix = np.array(rows, dtype=np.float32)
    taken, length = (matrix > 0).sum(axis=1), matrix.sum(axis=0)
    rarity = np.log1p(5 / np.maximum(taken, 1))[:, None]
    room = 1.2 * (1 - 0.75 + 0.75 * length / length.mean())
    with np.errstate(invalid="ignore"):
        expected = np.nan_to_num(rarity * matrix * 2.2 / (matrix + room))
    assert np.allclose(weighted(sparse.csr_array(matrix), "bm25").toarray(), expected, rtol=1e-5)


@given(counts, st.integers(1, 4))
def test_only_the_k_most_alike_are_kept_best_first(rows, k):
    matrix = np.array(rows, dtype=np.float32)
    by_item = sparse.csr_array(matrix.T)
    bounds, neighbors, likeness = nearest_items(by_item, k)
    whole = nearest_items(by_item, 10)
    for item in range(5):
        mine = slice(bounds[item], bounds[item + 1])
        all_of_them = slice(whole[0][item], whole[0][item + 1])
        assert neighbors[mine].tolist() == whole[1][all_of_them][:k].tolist()
        assert (np.diff(likeness[mine]) <= 0).all()


def test_the_checkerboards_answer_is_found():
    events, answers = checkerboard()
    model = rp.ItemKNN().fit(events)
    assert all(model.recommend(user, n=1).item_ids == [item] for user, item in answers.items())


def test_a_score_is_the_likeness_to_what_was_liked_by_its_weight():
    events = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    model = rp.ItemKNN(weighting="cosine").fit(events)
    likeness = 2 / np.sqrt(6)
    assert model.score_items(rp.Query(history={"a": 3.0}))[1] == pytest.approx(3 * likeness)
    assert model.score_items(rp.Query(history=["a"]))[0] == -np.inf
    assert model.explain(rp.Query(history={"a": 3.0}), "b").to_dict("list") == {
        "component": ["similar item"], "evidence": ["a"],
        "contribution": [pytest.approx(3 * likeness)],
    }  # fmt: skip


def test_shrinking_draws_rare_pairs_towards_nothing():
    events = pd.DataFrame({
        "user_id": [1, 1, *range(10, 30), *range(10, 30)],
        "item_id": ["rare", "odd", *["tea"] * 20, *["cup"] * 20],
    })  # fmt: skip
    plain = rp.ItemKNN(weighting="cosine").fit(events)
    shrunk = rp.ItemKNN(weighting="cosine", shrink=5.0).fit(events)
    for model, fair in ((plain, 1.0), (shrunk, 20 / 25)):
        assert model.similar_items("tea", n=1).scores[0] == pytest.approx(fair)
    assert shrunk.similar_items("rare", n=1).scores[0] == pytest.approx(1 / 6)


def test_old_weights_that_decayed_to_nothing_harm_nobody():
    days = pd.to_datetime("2024-01-01") + pd.to_timedelta(np.arange(400), unit="D")
    log = pd.DataFrame(
        {"user_id": np.arange(400) // 4, "item_id": np.arange(400) % 4, "timestamp": days}
    )
    model = rp.ItemKNN(weighting="cosine").fit(rp.Dataset.from_frames(log, half_life="2d"))
    assert np.isfinite(model.likeness_).all()
    assert (model.likeness_ <= 1.001).all()
    assert len(model.recommend("a stranger")) == 4


def test_an_item_that_came_later_has_no_neighbours_yet():
    model = rp.ItemKNN().fit(checkerboard(6).events)
    model.update_items(pd.DataFrame({"item_id": ["new"]}))
    assert model.score_items(rp.Query(history=["new"])).tolist() == [-np.inf] * 6
    assert model.similar_items("new", n=2).item_ids == model.recommend(rp.Query(), n=2).item_ids
