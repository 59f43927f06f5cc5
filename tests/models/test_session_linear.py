"""Linear models of visits against their closed form."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import recopersona as rp
from recopersona.errors import DataError, ParameterError
from recopersona.models import session_linear
from tests.models.test_session_rules import VISITS, log_of, said
from tests.naive import session_linear as naive

visits_of_letters = st.lists(
    st.lists(st.sampled_from("abcde"), min_size=1, max_size=7), min_size=1, max_size=5
)
KINDS = ("slis", "slit", "slist")


def numbered(visits, model):
    return [model.items_.indices(visit).tolist() for visit in visits]


def dense(model):
    n_items = len(model.items_)
    matrix = np.zeros((n_items, n_items))
    for item, (start, size) in enumerate(zip(model.starts_, model.sizes_, strict=True)):
        row = slice(start, start + size)
        matrix[item, model.others_[row]] = model.weights_[row]
    return matrix


def twin(model, visits, ages=None):
    weights = np.ones(len(visits)) if ages is None else np.exp(-np.array(ages))
    rows = naive.rows(
        numbered(visits, model), len(model.items_), model.kind, model.alpha, model.delta_pos,
        weights,
    )  # fmt: skip
    return rows, naive.weights(*rows, model.reg, model.xi)


@pytest.mark.parametrize("kind", KINDS)
@given(visits_of_letters, st.sampled_from([0.25, 1.0, 3.0]), st.sampled_from([0.0, 0.2, 1.0]))
@settings(max_examples=25)
def test_with_all_items_it_is_the_closed_form(kind, visits, delta_pos, xi):
    model = rp.SessionLinear(kind=kind, delta_pos=delta_pos, xi=xi, reg=0.5, neighbors=None)
    model.fit(log_of(visits))
    assert np.allclose(dense(model), twin(model, visits)[1], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("xi", [0.0, 0.1, 1.0])
def test_where_all_items_meet_few_neighbors_are_all(kind, xi):
    random = np.random.default_rng(1)
    visits = [[*random.permutation(list("abcde")), *random.choice(list("abcde"), 3)]
              for _ in range(30)]  # fmt: skip
    options = {"kind": kind, "xi": xi, "reg": 1.0, "delta_pos": 2.0}
    few = rp.SessionLinear(neighbors=5, **options).fit(log_of(visits))
    exact = rp.SessionLinear(neighbors=None, **options).fit(log_of(visits))
    assert np.allclose(dense(few), dense(exact), atol=1e-4)
    assert np.allclose(dense(few), twin(few, visits)[1], atol=1e-4)
    assert np.diagonal(dense(few)).max() <= xi + 1e-6


@pytest.mark.parametrize("kind", KINDS)
@given(visits_of_letters)
@settings(max_examples=25)
def test_each_item_is_predicted_by_those_that_tell_most(kind, visits):
    model = rp.SessionLinear(kind=kind, neighbors=2, reg=0.5).fit(log_of(visits))
    (inputs, targets, counts), _ = twin(model, visits)
    found = dense(model)
    shared = inputs.T @ (counts[:, None] * targets)
    told = shared / np.sqrt((counts[:, None] * inputs**2).sum(axis=0) + 0.5)[:, None]
    for item in range(len(found)):
        own = np.flatnonzero(found[:, item])
        assert len(own) <= 2
        assert (told[own, item] >= np.sort(told[:, item])[-2:].min() - 1e-6).all()
        if not len(own):
            continue
        system = inputs[:, own].T @ (counts[:, None] * inputs[:, own]) + 0.5 * np.eye(len(own))
        expected = np.linalg.solve(system, shared[own, item])
        assert np.allclose(found[own, item], expected, atol=1e-4)


def test_no_weight_below_the_ceiling_does_better():
    model = rp.SessionLinear(kind="slis", xi=0.05, reg=0.5, neighbors=None).fit(log_of(VISITS))
    (inputs, targets, counts), _ = twin(model, VISITS)
    weights, random = dense(model), np.random.default_rng(0)
    for item in range(len(weights)):
        best = naive.loss(weights[:, item], item, inputs, targets, counts, 0.5)
        for _ in range(50):
            other = weights[:, item] + random.normal(0, 0.02, len(weights))
            other[item] = min(other[item], 0.05)
            assert naive.loss(other, item, inputs, targets, counts, 0.5) >= best - 1e-6


def test_visits_fade_with_time():
    ends = pd.Timestamp("2026-01-10", tz="UTC") - pd.to_timedelta([0, 1, 2, 3, 4, 5], "D")
    log = log_of(VISITS)
    log["timestamp"] = ends[log["session_id"]]
    model = rp.SessionLinear(delta_time="2d", neighbors=None, reg=0.5).fit(log)
    order = np.arange(6)[::-1]
    expected = twin(model, VISITS, ages=np.arange(6) / 2)[1]
    assert np.allclose(dense(model), expected, atol=1e-5)
    visits = [VISITS[place] for place in order]
    assert not np.allclose(dense(model), twin(model, visits, ages=np.arange(6) / 2)[1], atol=1e-3)


def test_the_score_fades_and_reminds():
    model = rp.SessionLinear(delta_inf=2.0, reminder=0.1).fit(log_of(VISITS))
    a, b = model.items_.indices(["a", "b"])
    weights, fades = dense(model), np.exp(-np.arange(2) / 2)
    scores = fades[0] * weights[b] + fades[1] * weights[a]
    scores[b] += 0.1 * fades[0]
    scores[a] += 0.1 * fades[1]
    found = said(model, ["a", "b"])
    assert found == {
        item: pytest.approx(scores[model.items_.index(item)], rel=1e-4) for item in found
    }
    frame = model.explain(rp.Query(session=["a", "b"]), "a")
    assert frame["contribution"].sum() == pytest.approx(found["a"])
    assert set(frame["evidence"]) == {"a", "b"}


def test_a_click_counts_for_its_visit_and_a_new_item_for_itself():
    model = rp.SessionLinear().fit(log_of(VISITS))
    model.partial_fit([rp.Event("zoe", "a"), rp.Event("zoe", "brand new")])
    assert said(model, ["brand new"]) == {"brand new": pytest.approx(0.2)}
    hers = model.score_items(rp.Query("zoe"))
    theirs = model.score_items(rp.Query(session=["a", "brand new"]))
    assert np.array_equal(hers, theirs)


def test_the_items_of_a_crawler_count_only_up_to_a_limit():
    crawler = log_of([*VISITS, [f"i{n}" for n in range(60)]])
    model = rp.SessionLinear(kind="slis", max_visit_items=10).fit(crawler)
    assert model.n_left_out_ == 50
    assert rp.SessionLinear(kind="slit", max_visit_items=10).fit(crawler).n_left_out_ == 0


def test_an_item_that_leads_to_very_many_keeps_its_heaviest_weights(monkeypatch):
    log = log_of([["hub", item] for item in "abcdef"] + [["hub", "a"]] * 2 + [["hub", "b"]])
    whole = rp.SessionLinear(kind="slit").fit(log)
    monkeypatch.setattr(session_linear, "_MOST_ENTRIES", 2)
    model = rp.SessionLinear(kind="slit", reminder=0).fit(log)
    assert said(model, ["hub"]).keys() == {"a", "b"}
    assert said(whole, ["hub"])["a"] == said(model, ["hub"])["a"]


def test_where_no_visit_has_two_clicks_there_are_only_reminders():
    for options in ({}, {"neighbors": None}, {"kind": "slis"}, {"kind": "slit"}):
        model = rp.SessionLinear(**options).fit(log_of(["a", "b"]))
        assert said(model, ["a"]) == {"a": pytest.approx(0.2)}
        assert model.recommend(rp.Query(session=["a"]), n=2).item_ids == ["a", "b"]


def test_a_fit_that_needs_more_than_it_may_take_is_refused():
    words = r"^SessionLinear needs 300 bytes for 5 items, max_memory is 10 bytes; give a number"
    with pytest.raises(DataError, match=words):
        rp.SessionLinear(kind="slis", neighbors=None, max_memory=10).fit(log_of(VISITS))
    with pytest.raises(DataError, match=r"pairs of them that share a visit.*lower neighbors"):
        rp.SessionLinear(kind="slis", max_memory=10).fit(log_of(VISITS))
    with pytest.raises(DataError, match=r"clicks and the \d+ before them.*lower delta_pos"):
        rp.SessionLinear(kind="slit", max_memory=10).fit(log_of(VISITS))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"kind": "slim"}, "kind must be one of 'slist', 'slis', 'slit', got"),
     ({"reg": 0}, "reg must be"),
     ({"alpha": 1.1}, "alpha must be"), ({"xi": -1}, "xi must be"),
     ({"delta_pos": 0}, "delta_pos must be"), ({"delta_inf": 0}, "delta_inf must be"),
     ({"delta_time": "soon"}, "soon"), ({"neighbors": 0}, "neighbors must be")],
)  # fmt: skip
def test_parameters_have_bounds(change, words):
    with pytest.raises(ParameterError, match=words):
        rp.SessionLinear(**change).fit(log_of(VISITS))


def test_threads_change_nothing():
    random = np.random.default_rng(5)
    log = log_of([random.integers(0, 300, random.integers(2, 9)).tolist() for _ in range(2_000)])
    for model in (rp.SessionLinear(neighbors=20), rp.SequentialRules(), rp.Markov()):
        found = []
        for n in (1, 2):
            with rp.limit_threads(n):
                found.append(clone(model).fit(log))
        for name in ("starts_", "sizes_", "others_", "weights_"):
            assert np.array_equal(*(getattr(one, name) for one in found)), name
