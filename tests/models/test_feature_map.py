from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from recopersona.data.feature_table import FeatureTable
from recopersona.data.ids import IdMap
from recopersona.features.encoder import AttributeEncoder
from recopersona.models.feature_map import FeatureMap

RNG = np.random.default_rng(3)


def shelf(n=60):
    rng = np.random.default_rng(1)
    return pd.DataFrame({
        "item_id": np.arange(n),
        "brand": rng.choice(["Ito", "Uji", "Maldon"], n),
        "price": rng.uniform(1, 9, n),
        "tags": [list(rng.choice(["green", "loose", "salt"], 2, replace=False)) for _ in range(n)],
    })  # fmt: skip


def table_of(frame):
    return FeatureTable.from_frame(frame, IdMap(), "item_id")


@pytest.fixture
def mapped():
    return FeatureMap(reg=0.7).begin(None, table_of(shelf()), 4)


def problem(mapped):
    shares = mapped.shares_.toarray().astype(float)
    targets = RNG.normal(size=(len(shares), 4)).astype(np.float32)
    weights = RNG.uniform(0, 1, len(shares)).astype(np.float32)
    reg = np.full(shares.shape[1], 0.7)
    reg[0] *= 1e-3
    return shares, targets, weights, reg


def test_it_is_ridge_regression(mapped):
    shares, targets, weights, reg = problem(mapped)
    mapped.learn(targets, weights, 200)
    system = (shares.T * weights) @ shares + np.diag(reg)
    wanted = np.linalg.solve(system, (shares.T * weights) @ targets)
    np.testing.assert_allclose(shares @ mapped.embeddings_, shares @ wanted, atol=1e-3)
    np.testing.assert_allclose(mapped.vectors(), shares @ wanted, atol=1e-3)


def test_every_step_goes_downhill_and_where_it_ends_there_is_no_slope(mapped):
    shares, targets, weights, reg = problem(mapped)

    def objective(embeddings):
        missing = targets - shares @ embeddings
        return (weights @ missing**2).sum() + (reg @ embeddings**2).sum()

    values = [objective(mapped.embeddings_)]
    for _ in range(12):
        mapped.learn(targets, weights, 1)
        values.append(objective(mapped.embeddings_))
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in pairwise(values))
    mapped.learn(targets, weights, 200)
    ends, step = mapped.embeddings_.astype(float), 1e-3
    for place in [(0, 0), (1, 2), (len(reg) - 1, 3)]:
        there, back = ends.copy(), ends.copy()
        there[place] += step
        back[place] -= step
        slope = (objective(there) - objective(back)) / (2 * step)
        assert abs(slope) < 1e-2


def test_a_row_of_weight_0_teaches_nothing(mapped):
    _, targets, weights, _ = problem(mapped)
    weights[:5] = 0
    mapped.learn(targets, weights, 100)
    before = mapped.embeddings_.copy()
    targets[:5] += 10
    mapped.learn(targets, weights, 100)
    np.testing.assert_allclose(mapped.embeddings_, before, atol=1e-4)


def test_online_lessons_come_near_the_ridge_solution(mapped):
    shares, *_ = problem(mapped)
    truth = RNG.normal(size=(shares.shape[1], 4))
    targets = (shares @ truth).astype(np.float32)
    mapped.learn(targets, np.ones(len(targets), np.float32), 200)
    best = np.square(targets - mapped.vectors()).mean()
    other = FeatureMap(reg=0.7).begin(None, table_of(shelf()), 4)
    rows = np.arange(len(targets))
    nothing = np.square(targets).mean()
    for _ in range(10):
        other.teach(rows, targets, np.full(len(rows), 0.1, np.float32))
    assert np.square(targets - other.vectors()).mean() < 0.5 * best + 0.2 * nothing


def test_whoever_is_not_described_is_as_the_mean(mapped):
    _, targets, weights, _ = problem(mapped)
    mapped.learn(targets, weights, 50)
    rows = np.array([2, 200, 1, 300])
    vectors = mapped.vectors(rows)
    np.testing.assert_array_equal(vectors[1], mapped.embeddings_[0])
    np.testing.assert_array_equal(vectors[3], mapped.embeddings_[0])
    np.testing.assert_array_equal(vectors[[0, 2]], mapped.vectors()[[2, 1]])
    np.testing.assert_array_equal(mapped.vector_of(-1), mapped.embeddings_[0])


@pytest.mark.parametrize(
    "odd",
    [{}, {"brand": "nobody's"}, {"price": float("nan")}, {"price": "dear"}, {"tags": 7},
     {"brand": {"a": 1}}, {"brand": ["Ito", "Uji"]}, {"planet": "Mars"}],
)  # fmt: skip
def test_what_cannot_be_read_is_unknown(mapped, odd):
    _, targets, weights, _ = problem(mapped)
    mapped.learn(targets, weights, 50)
    np.testing.assert_array_equal(mapped.vector(odd), mapped.embeddings_[0])


@pytest.mark.parametrize("weights", [None, {"brand": 3.0, "tags": 0.2}])
def test_attributes_say_the_same_as_a_row_of_them(weights):
    table = table_of(shelf())
    mapped = FeatureMap(reg=0.7).begin(AttributeEncoder(weights=weights), table, 4)
    _, targets, weight, _ = problem(mapped)
    mapped.learn(targets, weight, 50)
    for row in (7, 8, 7):  # the second time from what was kept
        told = mapped.vector(table.row(row))
        np.testing.assert_allclose(told, mapped.vectors(np.array([row]))[0], atol=1e-5)


def test_rows_can_be_described_anew_and_forgotten(mapped):
    _, targets, weights, _ = problem(mapped)
    mapped.learn(targets, weights, 50)
    table = table_of(shelf())
    before = mapped.vectors()
    table.update(pd.DataFrame({"item_id": [3, 64], "brand": ["Uji", "Ito"]}), "item_id")
    mapped.describe(table, np.array([3, 60], np.int32))
    after = mapped.vectors(np.arange(61))
    np.testing.assert_array_equal(np.delete(after, [3, 60], axis=0), np.delete(before, 3, axis=0))
    assert not np.allclose(after[60], mapped.embeddings_[0])
    mapped.forget(np.array([3, 1_000]))
    np.testing.assert_array_equal(mapped.vectors(np.array([3]))[0], mapped.embeddings_[0])


def test_the_encoder_given_stays_unfitted():
    encoder = AttributeEncoder(columns=["brand"])
    mapped = FeatureMap().begin(encoder, table_of(shelf()), 2)
    assert list(mapped.encoder_.blocks_) == ["brand"]
    assert not encoder.__sklearn_is_fitted__()


def test_vectors_from_outside_are_of_rows_and_of_no_stranger():
    vectors = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    encoder = AttributeEncoder(columns=["brand"], embeddings={"look": vectors})
    mapped = FeatureMap().begin(encoder, table_of(shelf()), 2)
    shares = mapped.shares({"brand": "Ito"}).toarray()[0]
    place = mapped.encoder_.slices["look"]
    assert shares[0] == 1
    assert not shares[1 + place.start : 1 + place.stop].any()
    assert shares[1:].max() == 1  # nothing of a stranger is drowned by the vectors of a row


def test_to_tell_what_is_known_changes_nothing_of_a_row_with_a_vector_from_outside():
    vectors = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    table = table_of(shelf())
    mapped = FeatureMap().begin(AttributeEncoder(embeddings={"look": vectors}), table, 4)
    _, targets, weights, _ = problem(mapped)
    mapped.learn(targets, weights, 50)
    other = next(brand for brand in ("Ito", "Uji") if brand != table.row(7)["brand"])
    again = mapped.expected(7, table, {"brand": table.row(7)["brand"]})
    np.testing.assert_allclose(again, mapped.vector_of(7), atol=1e-6)
    assert not np.allclose(mapped.expected(7, table, {"brand": other}), again, atol=1e-3)
