"""Metrics of what lists hold equal their naive twins; what the data lack is said by name."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recopersona.data.dataset import Dataset
from recopersona.errors import ColumnError, ParameterError
from recopersona.evaluation import metrics
from recopersona.evaluation.metrics import Judged, Known, measure
from recopersona.evaluation.relevance import relevant_items
from recopersona.evaluation.splits import Split
from tests.naive import metrics as naive

N_USERS, N_ITEMS, WIDTH = 60, 30, 6


@pytest.fixture(scope="module")
def case():
    """Lists, some short and one empty, for people with a past in a described catalogue."""
    rng = np.random.default_rng(3)
    owned = (rng.random((N_USERS, N_ITEMS)) < np.linspace(0.4, 0.02, N_ITEMS)).astype(float)
    kinds, sellers = ["tea", "oil", "jam", None], [["a"], ["b"], ["a", "b"], []]
    catalogue = pd.DataFrame({
        "item_id": range(N_ITEMS),
        "category": [kinds[n] for n in rng.integers(0, 4, N_ITEMS)],
        "seller": [sellers[n] for n in rng.integers(0, 4, N_ITEMS)],
        "price": np.where(rng.random(N_ITEMS) < 0.2, np.nan, rng.integers(1, 50, N_ITEMS)),
        "margin": rng.integers(-2, 9, N_ITEMS),
    })  # fmt: skip
    users, items = np.nonzero(owned)
    events = pd.DataFrame({"user_id": users, "item_id": items})
    train = Dataset.from_frames(events, items=catalogue)
    lists = np.full((N_USERS, WIDTH), -1, np.int32)
    for row in lists[1:]:
        length = rng.integers(1, WIDTH + 1)
        row[:length] = rng.permutation(N_ITEMS)[:length]
    wanted = [np.sort(rng.permutation(N_ITEMS)[: rng.integers(1, 9)]) for _ in range(N_USERS)]
    bounds = np.append(0, np.cumsum([len(part) for part in wanted]))
    order = train.items.indices(np.arange(N_ITEMS))
    relevant = np.concatenate([np.sort(order[part]) for part in wanted])
    lists = np.where(lists >= 0, order[lists], -1)
    rows = train.users.indices(np.arange(N_USERS))
    return Judged(lists, bounds, relevant, known=Known(train), users=rows)


def dense(case, column):
    return case.known.labels(column, "a test").toarray().tolist()


def wanted_of(case):
    return [case.relevant[a:b].tolist() for a, b in pairwise(case.bounds)]


@pytest.mark.parametrize("k", [1, 3, 6, 10])
def test_metrics_of_one_list_equal_their_twins(case, k):
    names = ["diversity", "diversity[seller]", "calibration", "serendipity", "arp", "long_tail"]
    found = measure(case, [*names, "novelty"], k).per_user
    owned, holders = case.pasts.toarray() > 0, case.known.holders
    popular = np.argsort(-holders, kind="stable").tolist()
    tail = set(np.flatnonzero(case.known.tail).tolist())
    for user, (row, wanted) in enumerate(zip(case.lists.tolist(), wanted_of(case), strict=True)):
        past = np.flatnonzero(owned[user]).tolist()
        row, shown = row[:k], [item for item in row[:k] if item >= 0]
        expected = {
            "diversity": naive.diversity(row, dense(case, "category")),
            "diversity[seller]": naive.diversity(row, dense(case, "seller")),
            "calibration": naive.calibration(row, past, dense(case, "category")),
            "serendipity": naive.serendipity(row, wanted, popular, past, k),
            "arp": np.mean(holders[shown]) if shown else None,
            "long_tail": np.mean([item in tail for item in shown]) if shown else None,
            "novelty": naive.novelty(row, holders.tolist(), case.known.n_users),
        }
        for name, value in expected.items():
            value = np.nan if value is None else value
            np.testing.assert_allclose(
                found[f"{name}@{k}"][user], value, rtol=1e-9, atol=1e-12, err_msg=name
            )


@pytest.mark.parametrize("k", [1, 3, 6])
def test_metrics_of_all_lists_equal_their_twins(case, k):
    names = ["gini", "coverage", "exposure_gini", "exposure_largest", "exposure_disparity[seller]"]
    found = measure(case, names, k).overall
    lists, groups = case.lists[:, :k].tolist(), dense(case, "seller")
    shown = np.bincount(case.lists[:, :k][case.lists[:, :k] >= 0], minlength=N_ITEMS)
    shares = naive.exposure_shares(lists, groups)
    demand = np.array(
        [np.array(groups[item]) / max(sum(groups[item]), 1) for item in case.relevant]
    ).sum(axis=0)
    expected = [
        naive.gini(shown.tolist()),
        naive.coverage(lists, case.known.n_items),
        naive.gini(shares),
        max(shares),
        np.abs(np.array(shares) - demand / demand.sum()).sum() / 2,
    ]
    np.testing.assert_allclose([*found.values()], expected, rtol=1e-12)


def test_value_counts_what_has_no_price_and_gains_nothing_by_a_loss(case):
    found = measure(case, ["revenue", "revenue_share", "revenue_ndcg", "margin_ndcg"], [2, 6])
    price = case.known.numbers("price", "a test")
    margin = case.known.numbers("margin", "a test")
    assert found.counts == {
        "relevant_without_price": int(np.isnan(price[case.relevant]).sum()),
        "relevant_of_margin_below_0": int((margin[case.relevant] < 0).sum()),
    }
    prices, margins = (np.nan_to_num(np.maximum(part, 0)).tolist() for part in (price, margin))
    for k in (2, 6):
        for user, (row, wanted) in enumerate(
            zip(case.lists.tolist(), wanted_of(case), strict=True)
        ):
            paid = [prices[item] if item in wanted else 0.0 for item in row[:k]]
            earned = [margins[item] if item in wanted else 0.0 for item in row[:k]]
            due = [prices[item] for item in wanted]
            expected = [
                naive.worth(paid),
                naive.worth_share(paid, due),
                naive.ndcg_of_gains(paid, due, k),
                naive.ndcg_of_gains(earned, [margins[item] for item in wanted], k),
            ]
            names = ("revenue", "revenue_share", "revenue_ndcg", "margin_ndcg")
            for name, value in zip(names, expected, strict=True):
                value = np.nan if value is None else value
                np.testing.assert_allclose(found.per_user[f"{name}@{k}"][user], value, rtol=1e-12)


def test_an_unequal_and_an_equal_catalogue():
    assert metrics.gini(np.array([[0], [1], [2]]), 3) == 0.0
    assert metrics.gini(np.array([[0], [0]]), 4) == 0.75
    assert np.isnan(metrics.gini(np.full((2, 3), -1), 4))
    assert np.isnan(metrics.exposure_largest(np.array([[0]]), sparse.csr_array((1, 2))))
    assert np.isnan(metrics.exposure_largest(np.array([[0]]), sparse.csr_array((1, 0))))


def test_vectors_tell_how_different_items_are():
    vectors = np.array([[1.0, 0.0], [-2.0, 0.0], [0.0, 3.0], [0.0, 0.0]])
    lists = np.array([[0, 1, -1], [0, 2, 3], [3, -1, -1]])
    np.testing.assert_allclose(metrics.diversity(lists, vectors), [2.0, 1.0, np.nan])


def test_what_held_out_users_told_is_part_of_their_past():
    events = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": ["a", "b", "b", "c"]})
    whole = Dataset.from_frames(events)
    parts = [whole.take(np.array(rows)) for rows in ([0, 1], [3], [2])]
    split = Split(parts[0], parts[1], "by hand", given=parts[2])
    task = relevant_items(split, "keep")
    judged = Judged.of(np.array([[2]], np.int32), split, task)
    assert task.user_ids == [2]
    assert judged.pasts.toarray().tolist() == [[0.0, 1.0, 0.0]]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("diversity[colour]", "diversity needs an item column 'colour'"),
        ("diversity[price]", "categories or sets in the item column 'price', got number"),
        ("revenue[category]", "needs numbers in the item column 'category', got category"),
    ],
)
def test_a_column_that_is_missing_or_of_another_kind_is_named(case, name, words):
    with pytest.raises(ColumnError) as caught:
        measure(case, name, 3)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["novelty", "coverage", "calibration", "revenue", "gini"])
def test_lists_alone_do_not_tell_what_training_knew(name):
    judged = Judged(np.zeros((1, 1), np.int32), np.array([0, 1]), np.array([0]))
    with pytest.raises(ParameterError, match="needs the training data"):
        measure(judged, name, 1)
