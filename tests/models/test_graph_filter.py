import numpy as np
import pytest

import recopersona as rp
from recopersona.errors import DataError, ParameterError
from recopersona.testing import check_recommender, checkerboard
from tests.naive import lanes as naive

RNG = np.random.default_rng(4)
COUNTS = RNG.poisson(0.5, (30, 20)).astype(np.float32)
COUNTS[:, 3] = 0
COUNTS[7] = 0
SHOP = rp.Dataset.from_matrix(COUNTS)
SOLD = COUNTS.sum(axis=0) > 0


@pytest.mark.parametrize("low_pass", [0.0, 0.4])
@pytest.mark.parametrize("sharpening", [0.0, 2.5])
@pytest.mark.parametrize("factors", [3, 448])
def test_scores_are_those_of_the_twin(low_pass, sharpening, factors):
    # The third and the fourth singular value of this shop are well apart.
    model = rp.GraphFilter(factors=factors, low_pass=low_pass, sharpening=sharpening).fit(SHOP)
    for user in (0, 5, 12):
        expected = naive.graph_filter(COUNTS, COUNTS[user], factors, low_pass, sharpening)
        got = model.score_items(rp.Query(user))
        assert np.allclose(got[SOLD], expected[SOLD], atol=0.02 * np.abs(expected).max())


def test_the_published_polynomial_is_one_step_of_runge_kutta():
    model = rp.GraphFilter(low_pass=0.0).fit(SHOP)
    expected = naive.graph_filter(COUNTS, COUNTS[0], 3, 0.0, 2.5)
    assert np.allclose(model.score_items(rp.Query(0))[SOLD], expected[SOLD], rtol=1e-4, atol=1e-5)


def test_who_has_no_past_and_what_nobody_bought_have_no_score():
    model = rp.GraphFilter(factors=5).fit(SHOP)
    assert (model.score_items(rp.Query(7)) == -np.inf).all()
    assert model.score_items(rp.Query(0))[3] == -np.inf


def test_the_checkerboards_answer_is_found():
    events, answers = checkerboard()
    model = rp.GraphFilter(factors=4).fit(events)
    assert all(model.recommend(user, n=1).item_ids == [item] for user, item in answers.items())


def test_a_stranger_is_answered_from_what_she_says():
    model = rp.GraphFilter(factors=4).fit(checkerboard().events)
    odd = rp.Query(history=["i-1", "i-3", "i-5"])
    assert {int(item[2:]) % 2 for item in model.recommend(odd, n=7).item_ids} == {1}


def test_an_explanation_names_the_items_that_were_liked():
    model = rp.GraphFilter(factors=4).fit(checkerboard().events)
    frame = model.explain("u-0", "i-0")
    assert set(frame["evidence"]) == {f"i-{item}" for item in range(2, 20, 2)}


def test_new_events_count_at_once_and_new_items_wait():
    model = rp.GraphFilter(factors=4).fit(checkerboard().events)
    model.partial_fit([rp.Event("new", f"i-{item}") for item in (0, 2, 4)])
    model.partial_fit(rp.Event("new", "never seen"))
    assert {int(item[2:]) % 2 for item in model.recommend("new", n=7).item_ids} == {0}


def test_forgetting_a_user_empties_her_row_of_the_graph():
    model = rp.GraphFilter(factors=4).fit(SHOP)
    row, before = model.graph_[[5]].nnz, model.graph_.nnz
    model.forget([5])
    assert row > 0
    assert model.graph_[[5]].nnz == 0
    assert model.graph_.nnz == before - row
    assert np.isfinite(model.recommend(0, n=20).scores).all()


def test_a_fit_that_needs_more_memory_than_it_may_take_is_refused():
    with pytest.raises(
        DataError, match=r"GraphFilter needs .* max_memory is .*; use fewer factors"
    ):
        rp.GraphFilter(max_memory=1_000).fit(SHOP)


@pytest.mark.parametrize("options", [{"factors": 0}, {"low_pass": 0.0}, {"sharpening": 0.0}])
def test_every_setting_keeps_the_contract(options):
    check_recommender(rp.GraphFilter(**options))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"factors": -1}, "GraphFilter: factors must be an integer of at least 0, got -1"),
     ({"low_pass": -0.1}, "GraphFilter: low_pass must be a finite number of at least 0"),
     ({"sharpening": float("nan")}, "GraphFilter: sharpening must be a finite number")],
)  # fmt: skip
def test_parameters_have_bounds(change, words):
    with pytest.raises(ParameterError, match=words):
        rp.GraphFilter(**change).fit(SHOP)
