"""Metrics are asked for by name, with a cut-off and an item column or without."""

import pytest

from recopersona.errors import ParameterError
from recopersona.evaluation.metrics import asked_metrics, metric_names


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


def test_a_name_may_bring_its_cut_off_and_its_column():
    asked = asked_metrics(["diversity[brand]@5", "ndcg", "ndcg@20"], [20, 10, 20])
    assert [one.label for one in asked] == ["diversity[brand]@5", "ndcg@20", "ndcg@10"]
    assert [one.per_user for one in asked_metrics(["gini", "mrr"], 3)] == [False, True]


@pytest.mark.parametrize("k", [0, -1, 2.5, "10", [], [5, 0], None])
def test_a_cut_off_is_an_integer_of_at_least_1(k):
    with pytest.raises(ParameterError, match="k must be an integer of at least 1"):
        asked_metrics("ndcg", k)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ndcg@0", "ndcg@0: k must be an integer of at least 1, got 0"),
        ("ndcg@", "no metric 'ndcg@'"),
        ("ndcg[brand]", "ndcg reads no item column, got 'ndcg[brand]'; write 'ndcg'"),
        ("auc", "needs the scores of all items"),
        ("sampled_ndcg@10", "sampled_ndcg cannot be told from lists"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_the_way_out(name, words):
    with pytest.raises(ParameterError) as caught:
        metric_names(name)
    assert words in str(caught.value)
