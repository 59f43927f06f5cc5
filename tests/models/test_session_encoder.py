"""Visits become rows of numbers; what is near them is found."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import recopersona as rp
from recopersona.errors import DataError, NotFittedError

TEA, RICE = ["tea", "honey", "milk"], ["salt", "rice", "oil"]
VISITS = [TEA, RICE] * 20


def events_of(visits):
    rows = [(number, item) for number, visit in enumerate(visits) for item in visit]
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


@pytest.fixture(scope="module")
def model():
    return rp.Item2Vec(factors=8, sample=1.0).fit(events_of(VISITS))


@pytest.fixture(scope="module")
def encoder(model):
    return rp.SessionEncoder(model).fit(VISITS)


def test_a_fitted_model_encodes_without_a_fit(model):
    vector = rp.SessionEncoder(model).encode(["tea", "honey"])
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert not rp.SessionEncoder(model).encode(["never seen"]).any()
    assert not rp.SessionEncoder(model).encode([]).any()


def test_a_query_is_its_session_and_its_page(encoder):
    whole = encoder.encode(["tea", "honey"])
    np.testing.assert_array_equal(encoder.encode(rp.Query(session=["tea", "honey"])), whole)
    np.testing.assert_array_equal(encoder.encode(rp.Query(session=["tea"], seed="honey")), whole)


def test_many_at_once_are_each_as_alone(encoder):
    visits = [["tea"], [], ["rice", "never seen", "oil"], TEA * 30]
    rows = encoder.encode_many(visits)
    assert rows.shape == (4, 8)
    for row, visit in zip(rows, visits, strict=True):
        np.testing.assert_array_equal(row, encoder.encode(visit))
    assert encoder.encode_many([]).shape == (0, 8)


def test_the_vector_is_the_fading_mean_of_the_items(model):
    factors = dict(zip(model.items_.ids, model.item_factors_, strict=True))
    mixed = 0.7 * factors["tea"] + factors["rice"]
    found = rp.SessionEncoder(model).encode(["tea", "rice"])
    np.testing.assert_allclose(found, mixed / np.linalg.norm(mixed), atol=1e-6)


def test_it_is_a_transformer_in_a_pipeline_of_scikit_learn():
    wants_tea = np.array([visit is TEA for visit in VISITS])
    encoder = rp.SessionEncoder(rp.Item2Vec(factors=8, sample=1.0))
    judge = make_pipeline(encoder, LogisticRegression()).fit(VISITS, wants_tea)
    assert judge.predict([["honey"], ["oil", "salt"]]).tolist() == [True, False]
    fitted = judge[0]
    assert fitted.get_feature_names_out().tolist()[:2] == ["session_0", "session_1"]
    assert not encoder.model.__sklearn_is_fitted__()


def test_past_visits_are_found(encoder):
    found = encoder.nearest_sessions(["rice", "oil"], n=20)
    assert found.columns.tolist() == ["session", "similarity"]
    assert (found["session"] % 2 == 1).all()
    assert found["similarity"].is_monotonic_decreasing
    assert len(encoder.nearest_sessions(TEA, n=1_000)) == 40
    assert encoder.nearest_sessions(["never seen"]).empty


def test_a_log_is_remembered_visit_by_visit(model):
    encoder = rp.SessionEncoder(model).fit(events_of([RICE, TEA]))
    assert encoder.vectors_.shape == (2, 8)
    assert encoder.nearest_sessions(TEA, n=1)["session"].tolist() == [1]


def test_items_that_the_model_does_not_know_say_nothing(model):
    encoder = rp.SessionEncoder(model).fit(events_of([["new", "newer"], ["tea", "newest"]]))
    assert not encoder.vectors_[0].any()
    np.testing.assert_array_equal(encoder.vectors_[1], encoder.encode(["tea"]))


def test_visits_may_be_an_array_and_rows_a_frame(model):
    visits = np.empty(2, object)
    visits[:] = [TEA, RICE]
    encoder = rp.SessionEncoder(model).set_output(transform="pandas")
    frame = encoder.fit_transform(visits)
    assert list(frame.columns) == list(encoder.get_feature_names_out())
    assert encoder.nearest_sessions(["tea"], n=1)["session"].tolist() == [0]


def test_near_items_are_found(encoder):
    assert set(encoder.nearest_items(["tea", "milk"], n=3)["item_id"]) == set(TEA)
    assert encoder.nearest_items(["never seen"]).empty


@pytest.mark.parametrize("kind", [rp.ALS, rp.SessionFactors])
def test_any_model_with_vectors_of_items_serves(kind):
    encoder = rp.SessionEncoder(kind(factors=4)).fit(VISITS)
    assert encoder.transform([TEA, ["never seen"]]).shape == (2, 4)
    assert set(encoder.nearest_sessions(TEA, n=5)["session"] % 2) == {0}


def test_what_was_saved_answers_alike(encoder, tmp_path):
    rp.save(encoder, tmp_path / "encoder.rp")
    again = rp.load(tmp_path / "encoder.rp")
    np.testing.assert_array_equal(again.encode(TEA), encoder.encode(TEA))
    pd.testing.assert_frame_equal(again.nearest_sessions(TEA), encoder.nearest_sessions(TEA))


def test_misuse_is_said_in_one_sentence(model, encoder):
    with pytest.raises(NotFittedError, match="remembers no visits"):
        rp.SessionEncoder(model).nearest_sessions(TEA)
    with pytest.raises(NotFittedError):
        rp.SessionEncoder().encode(TEA)
    with pytest.raises(DataError, match="item_factors_"):
        rp.SessionEncoder(rp.Popularity()).fit(VISITS)
    with pytest.raises(DataError, match="column of lists"):
        encoder.transform(events_of(VISITS))
    with pytest.raises(DataError, match="list of item ids"):
        encoder.encode("tea")
