"""Metrics agree with trec_eval, and with naive twins where trec_eval has no such measure."""

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from recopersona.errors import ParameterError
from recopersona.evaluation import metrics
from recopersona.evaluation.metrics import Judged, measure, metric_names
from tests.naive import metrics as naive

N_CASES, N_ITEMS = 300, 40
HIT_METRICS = (
    "recall",
    "recall_capped",
    "precision",
    "ndcg",
    "average_precision",
    "average_precision_capped",
    "reciprocal_rank",
    "hit_rate",
)


def cases(k, seed):
    """Lists of distinct items, a third of them shorter than k, and what was relevant."""
    rng = np.random.default_rng(seed)
    lists = np.full((N_CASES, k), -1, dtype=np.int32)
    relevant = []
    for row in lists:
        length = rng.integers(0, k) if rng.random() < 1 / 3 else k
        row[:length] = rng.permutation(N_ITEMS)[:length]
        relevant.append(set(rng.permutation(N_ITEMS)[: rng.integers(1, 2 * k + 2)].tolist()))
    hits = np.array(naive.mark_hits(lists.tolist(), relevant))
    return lists, relevant, hits, np.array([len(chosen) for chosen in relevant])


def by_trec_eval(measure, lists, relevant):
    """A measure for every list, with scores that fall from place to place."""
    wanted = {str(user): {str(item): 1 for item in chosen} for user, chosen in enumerate(relevant)}
    runs = {
        str(user): {str(item): 100.0 - place for place, item in enumerate(row) if item >= 0}
        for user, row in enumerate(lists.tolist())
    }
    judge = pytrec_eval.RelevanceEvaluator(wanted, {measure})
    found = judge.evaluate({user: run for user, run in runs.items() if run})
    name = measure.replace(".", "_")
    return np.array([found.get(str(user), {name: 0.0})[name] for user in range(len(lists))])


@pytest.mark.parametrize("k", [1, 5, 10])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("recall", "recall.{k}"),
        ("precision", "P.{k}"),
        ("ndcg", "ndcg_cut.{k}"),
        ("average_precision", "map_cut.{k}"),
        ("reciprocal_rank", "recip_rank"),
        ("hit_rate", "success.{k}"),
    ],
)
def test_a_metric_equals_trec_eval(ours, theirs, k):
    lists, relevant, hits, n_relevant = cases(k, seed=k)
    values = getattr(metrics, ours)(hits, n_relevant)
    expected = by_trec_eval(theirs.format(k=k), lists, relevant)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)
    assert len(np.unique(values)) > 1


@pytest.mark.parametrize("k", [1, 5, 10])
@pytest.mark.parametrize("name", HIT_METRICS)
def test_a_metric_equals_its_naive_twin(name, k):
    _, _, hits, n_relevant = cases(k, seed=10 + k)
    pairs = zip(hits.tolist(), n_relevant.tolist(), strict=True)
    expected = [getattr(naive, name)(row, n) for row, n in pairs]
    np.testing.assert_allclose(getattr(metrics, name)(hits, n_relevant), expected, rtol=1e-12)


def test_the_two_definitions_differ_exactly_where_more_is_relevant_than_fits():
    _, _, hits, n_relevant = cases(5, seed=3)
    for plain, capped in (
        (metrics.recall, metrics.recall_capped),
        (metrics.average_precision, metrics.average_precision_capped),
    ):
        differ = plain(hits, n_relevant) != capped(hits, n_relevant)
        np.testing.assert_array_equal(differ, (n_relevant > 5) & hits.any(axis=1))


def test_novelty_and_coverage_equal_their_naive_twins():
    lists, *_ = cases(10, seed=4)
    holders = np.random.default_rng(0).integers(0, 20, N_ITEMS)
    expected = [naive.novelty(row, holders.tolist(), 25) for row in lists.tolist()]
    np.testing.assert_allclose(metrics.novelty(lists, holders, 25), expected, rtol=1e-12)
    few = lists[:4]
    assert metrics.coverage(few, N_ITEMS) == naive.coverage(few.tolist(), N_ITEMS) < 1


def test_an_item_nobody_has_is_as_novel_as_one_that_a_single_user_has():
    lists = np.array([[0], [1], [-1]], np.int32)
    assert metrics.novelty(lists, np.array([0, 1]), 8).tolist() == [3.0, 3.0, 0.0]


def test_an_empty_list_gets_nothing():
    hits = np.zeros((1, 3), dtype=np.bool_)
    for name in HIT_METRICS:
        assert getattr(metrics, name)(hits, np.array([2])).tolist() == [0.0]


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 20))
def test_metrics_of_hits_lie_between_0_and_1_and_a_better_place_never_costs(row, more):
    hits = np.array([row])
    n_relevant = np.array([max(1, int(hits.sum()) + more)])
    earlier = np.sort(hits)[:, ::-1]
    for name in HIT_METRICS:
        metric = getattr(metrics, name)
        value, best = metric(hits, n_relevant)[0], metric(earlier, n_relevant)[0]
        assert 0 <= value <= best + 1e-12 <= 1 + 2e-12


def judged_cases(k, seed):
    lists, relevant, hits, n_relevant = cases(k, seed)
    flat = np.array([item for chosen in relevant for item in sorted(chosen)], np.int32)
    return Judged(lists, np.append(0, np.cumsum(n_relevant)), flat), hits, n_relevant


@pytest.mark.parametrize("name", HIT_METRICS)
def test_one_walk_measures_at_every_cut_off_what_the_functions_say(name):
    called = {"average_precision": "map", "average_precision_capped": "map_capped"}
    called["reciprocal_rank"] = "mrr"
    judged, hits, n_relevant = judged_cases(10, seed=6)
    label = called.get(name, name)
    found = measure(judged, [label], [1, 3, 10])
    assert found.labels == (f"{label}@1", f"{label}@3", f"{label}@10")
    for k in (1, 3, 10):
        expected = getattr(metrics, name)(hits[:, :k], n_relevant)
        np.testing.assert_allclose(found.per_user[f"{label}@{k}"], expected, rtol=1e-14)


def test_names_of_metrics_come_once_and_in_order():
    assert metric_names(["mrr", "ndcg", "mrr"]) == ("mrr", "ndcg")
    assert metric_names("recall") == ("recall",)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["ndgc"], "no metric 'ndgc'; did you mean 'ndcg'?"),
        ("weather", "no metric 'weather'; there are recall, recall_capped"),
        ([], "name at least one metric"),
    ],
)
def test_a_metric_that_is_not_there_is_refused_by_name(asked, words):
    with pytest.raises(ParameterError) as caught:
        metric_names(asked)
    assert words in str(caught.value)


@pytest.mark.parametrize("asked", [None, 10])
def test_metrics_are_names(asked):
    with pytest.raises(ParameterError, match=r"metrics must be names such as \['ndcg', 'recall'\]"):
        metric_names(asked)
    with pytest.raises(ParameterError, match=r"there is no metric .*; there are recall"):
        metric_names([asked])
