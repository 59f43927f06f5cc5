"""Metrics of hits equal trec_eval on 1,000 lists, and naive twins where it has no such measure.

Where ours differ on purpose: trec_eval leaves out users without a list, ours count them with
misses (its own ``-c``); it breaks ties of scores by the text of ids, descending, ours by the order
of items; its ``recip_rank`` looks at the whole list, ours at k places; it has no capped measures.
"""

from dataclasses import replace

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from recopersona.errors import DataError
from recopersona.evaluation import metrics
from recopersona.evaluation.metrics import Judged, measure
from recopersona.kernels.blocks import limit_threads
from tests.naive import metrics as naive

N_CASES, N_ITEMS = 1_000, 40
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


def graded(chosen):
    """What was wanted as trec_eval has it: grades by the text of ids."""
    grades = chosen if isinstance(chosen, dict) else dict.fromkeys(chosen, 1)
    return {str(item): int(grade) for item, grade in grades.items()}


def by_trec_eval(measure, lists, relevant):
    """A measure for every list, with scores that fall from place to place."""
    wanted = {str(user): graded(chosen) for user, chosen in enumerate(relevant)}
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


@pytest.mark.parametrize("k", [1, 5, 10])
def test_graded_gain_equals_trec_eval_and_scikit_learn(k):
    rng = np.random.default_rng(40 + k)
    judged, *_ = judged_cases(10, seed=40 + k)
    judged = replace(judged, weights=rng.integers(1, 5, len(judged.relevant)).astype(float))
    values = measure(judged, "ndcg_graded", k).per_user[f"ndcg_graded@{k}"]
    spans = list(zip(judged.bounds[:-1], judged.bounds[1:], strict=True))
    grades = [
        dict(zip(judged.relevant[a:b].tolist(), judged.weights[a:b].tolist(), strict=True))
        for a, b in spans
    ]
    expected = by_trec_eval(f"ndcg_cut.{k}", judged.lists, grades)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)
    for row, wanted, value in zip(judged.lists[:100], grades, values, strict=False):
        truth = [[wanted.get(item, 0.0) for item in range(N_ITEMS)]]
        scores = np.full((1, N_ITEMS), -1.0)
        scores[0, row[row >= 0]] = np.arange((row >= 0).sum(), 0, -1)
        if (row >= 0).sum() >= k:  # scikit-learn knows no short list: it ranks everything
            assert value == pytest.approx(ndcg_score(truth, scores, k=k), abs=1e-12)


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


@pytest.mark.parametrize("k", [1, 4, 10, 25])
def test_the_area_over_a_list_and_metrics_of_gains_equal_their_twins(k):
    judged, *_ = judged_cases(10, seed=50 + k)
    gains = np.random.default_rng(k).integers(0, 4, len(judged.relevant)).astype(float)
    judged = replace(judged, weights=gains)
    found = measure(judged, ["list_auc", "ndcg_graded", "ndcg_exponential"], k).per_user
    for user, row in enumerate(judged.lists.tolist()):
        span = slice(*judged.bounds[user : user + 2])
        wanted = dict(zip(judged.relevant[span].tolist(), gains[span].tolist(), strict=True))
        expected = {"list_auc": naive.list_auc(row[:k], [item in wanted for item in row[:k]])}
        for label, worth in (("ndcg_graded", float), ("ndcg_exponential", lambda w: 2**w - 1)):
            gained = [worth(wanted.get(item, 0.0)) for item in row[:k]]
            expected[label] = naive.ndcg_of_gains(gained, [*map(worth, wanted.values())], k)
        for label, value in expected.items():
            value = np.nan if value is None else value
            np.testing.assert_allclose(found[f"{label}@{k}"][user], value, rtol=1e-12)


def test_the_functions_of_gains_say_what_the_walk_measures():
    judged, hits, n_relevant = judged_cases(10, seed=60)
    gains = np.random.default_rng(1).random(len(judged.relevant))
    judged = replace(judged, weights=gains)
    of_item = np.zeros((len(hits), N_ITEMS))
    of_item[np.repeat(np.arange(len(hits)), n_relevant), judged.relevant] = gains
    gained = np.where(hits, np.take_along_axis(of_item, np.maximum(judged.lists, 0), 1), 0.0)
    best = -np.sort(-of_item, axis=1)[:, :10]
    found = measure(judged, "ndcg_graded", 10).per_user["ndcg_graded@10"]
    np.testing.assert_allclose(found, metrics.ndcg_of_gains(gained, best), rtol=1e-12)


def test_a_cut_off_above_the_list_counts_the_places_it_lacks_as_misses():
    judged = Judged(np.array([[3, 1]], np.int32), np.array([0, 2]), np.array([1, 3]))
    found = measure(judged, ["precision", "recall_capped", "ndcg", "mrr"], [2, 1_000_000_000]).means
    assert found["precision@2"] == 1.0
    assert found["precision@1000000000"] == 2e-9
    assert found["recall_capped@1000000000"] == found["ndcg@1000000000"] == 1.0


def test_lists_of_no_users_and_lists_without_places_are_measured():
    nobody = Judged(np.empty((0, 5), np.int32), np.array([0]), np.empty(0, np.int32))
    found = measure(nobody, ["ndcg", "mrr"], 5)
    assert found.per_user["ndcg@5"].shape == (0,)
    assert np.isnan(found.means["mrr@5"])
    empty = Judged(np.empty((1, 0), np.int32), np.array([0, 1]), np.array([2]))
    assert measure(empty, ["ndcg", "hit_rate"], 3).means == {"ndcg@3": 0.0, "hit_rate@3": 0.0}


def test_the_number_of_threads_changes_no_bit():
    judged, *_ = judged_cases(10, seed=70)
    many = Judged(
        np.tile(judged.lists, (20, 1)),
        np.append(0, np.cumsum(np.tile(judged.n_relevant, 20))),
        np.tile(judged.relevant, 20),
    )
    names = ["ndcg", "map", "list_auc"]
    found = {}
    for threads in (1, 3):
        with limit_threads(threads):
            found[threads] = measure(many, names, [3, 10]).per_user
    for label, values in found[1].items():
        np.testing.assert_array_equal(values, found[3][label])


def test_who_has_no_value_is_counted_and_left_out_of_the_mean():
    lists = np.array([[0, 1], [0, 1]], np.int32)
    judged = Judged(lists, np.array([0, 1, 3]), np.array([0, 0, 1]))
    found = measure(judged, ["list_auc", "ndcg"], 2)
    assert found.undefined == {"list_auc@2": 1}
    assert found.means == {"list_auc@2": 1.0, "ndcg@2": 1.0}


def test_lists_and_users_must_be_as_many():
    with pytest.raises(DataError, match="one list for each of 2 users, got lists of shape"):
        Judged(np.zeros((3, 2), np.int32), np.array([0, 1, 2]), np.array([0, 1]))


def test_weights_too_large_for_an_exponent_are_refused():
    judged = Judged(np.zeros((1, 1), np.int32), np.array([0, 1]), np.array([0]), np.array([1e3]))
    with pytest.raises(DataError, match="at most 500, got 1000; use ndcg_graded"):
        measure(judged, "ndcg_exponential", 1)
