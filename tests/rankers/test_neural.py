"""The neural ranker: what it learns, what it promises, and how it explains itself."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import recopersona as rp
from recopersona.rankers.network import Network
from recopersona.rankers.neural import NeuralRanker
from recopersona.rankers.objectives import CrossEntropy, SeenClicks, sigmoid
from recopersona.rankers.scaling import Scaling
from tests.rankers.rows import made_rows


class Taught(NeuralRanker):
    """A ranker of bare rows."""

    def _directions(self, names):
        return np.array([(self.monotone or {}).get(name, 0) for name in names], np.int8)


def taught(rows, **parameters):
    ranker = Taught(**parameters)
    ranker._learn(rows)
    return ranker


def test_columns_that_act_together_are_learned():
    rows, _ = made_rows(2_000, gaps=0)
    fresh, logits = made_rows(500, seed=1, gaps=0)
    found = taught(rows)._logits(fresh.matrix)
    best = roc_auc_score(fresh.labels, logits)
    assert (
        roc_auc_score(fresh.labels, found) > best - 0.03
    )  # without the sign it would be 0.1 below


def test_probabilities_of_rows_are_those_of_the_labels():
    rows, _ = made_rows(2_000)
    fresh, _ = made_rows(1_000, seed=1)
    found = sigmoid(taught(rows, listwise=0.0)._logits(fresh.matrix))
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 1)):
        some = (found >= low) & (found < high)
        assert found[some].mean() == pytest.approx(fresh.labels[some].mean(), abs=0.03)


def test_sampled_rows_stand_for_those_left_out():
    rows, _ = made_rows(3_000, gaps=0)
    kept = (rows.labels > 0) | (np.random.default_rng(0).random(len(rows.labels)) < 0.2)
    sampled = rows._replace(
        matrix=rows.matrix[kept],
        labels=rows.labels[kept],
        weights=np.where(rows.labels > 0, 1, 5).astype(np.float32)[kept],
        bounds=np.concatenate([[0], np.cumsum(np.add.reduceat(kept, rows.bounds[:-1]))]),
    )
    found = sigmoid(taught(sampled)._logits(rows.matrix))
    assert found.mean() == pytest.approx(rows.labels.mean(), rel=0.1)


@pytest.mark.parametrize("listwise", [0.0, 0.5, 1.0])
def test_slopes_are_those_of_the_loss(listwise):
    random = np.random.default_rng(0)
    labels, weights = random.random(12), random.random(12) + 0.5
    utilities, bounds = random.normal(size=12), np.array([0, 3, 4, 12])
    loss = CrossEntropy(labels, weights, listwise)
    _, slopes, _ = loss(utilities, np.arange(12), bounds)
    assert slopes == pytest.approx(numeric(loss, utilities, bounds), abs=1e-6)


def test_slopes_of_seen_clicks_are_those_of_the_loss():
    random = np.random.default_rng(0)
    clicks, bounds = (random.random(12) < 0.5).astype(float), np.array([0, 3, 4, 12])
    loss = SeenClicks(
        clicks, random.integers(3, size=12), random.integers(4, size=12),
        random.normal(size=3), random.normal(size=4),
    )  # fmt: skip
    utilities, rows = random.normal(size=12), np.arange(12)
    _, slopes, own = loss(utilities, rows, bounds)
    assert slopes == pytest.approx(numeric(loss, utilities, bounds), abs=1e-6)
    for weights, slope in zip(loss.learned, own, strict=True):
        for place in range(len(weights)):
            kept = weights[place]
            weights[place] = kept + 1e-5
            above = loss(utilities, rows, bounds)[0]
            weights[place] = kept - 1e-5
            below = loss(utilities, rows, bounds)[0]
            weights[place] = kept
            assert slope[place] == pytest.approx((above - below) / 2e-5, abs=1e-4)


def numeric(loss, utilities, bounds):
    found = np.empty(len(utilities))
    for place in range(len(utilities)):
        moved = [utilities.copy(), utilities.copy()]
        moved[0][place] += 1e-5
        moved[1][place] -= 1e-5
        above, below = (loss(one, np.arange(len(one)), bounds)[0] for one in moved)
        found[place] = (above - below) / 2e-5
    return found


def test_slopes_of_the_network_are_those_of_its_utilities():
    random = np.random.default_rng(0)
    network = Network().start(3, 4, 0.3, random)
    for name in ("linear_", "inner_", "biases_", "outer_", "level_"):
        setattr(network, name, random.normal(size=getattr(network, name).shape))
    inputs, by_utility = random.normal(size=(5, 3)), random.normal(size=5)

    def loss():
        u = network.hidden(inputs) @ network.outer_ + inputs @ network.linear_ + network.level_
        return u @ by_utility

    slopes = network.slopes(inputs, network.hidden(inputs), by_utility)
    for weight, slope in zip(network.weights, slopes, strict=True):
        for place in np.ndindex(weight.shape):
            kept = weight[place]
            weight[place] = kept + 1e-6
            above = loss()
            weight[place] = kept - 1e-6
            assert slope[place] == pytest.approx((above - loss()) / 2e-6, abs=1e-5)
            weight[place] = kept


def test_shares_add_up_to_the_logit():
    rows, _ = made_rows()
    ranker = taught(rows, epochs=5)
    shares = ranker._shares(rows.matrix)
    assert shares.shape == rows.matrix.shape
    assert np.allclose(shares.sum(axis=1) + ranker.base_, ranker._logits(rows.matrix), atol=1e-5)


def test_shares_are_the_slopes_summed_along_the_way_from_the_mean():
    network = Network().start(3, 8, 0.0, np.random.default_rng(0))
    network.outer_ *= 20
    row = np.array([[1.5, -0.5, 1e-4]], np.float32)
    way = (np.arange(2_000) + 0.5) / 2_000
    slopes = [
        network.linear_
        + ((1 - np.tanh(t * row @ network.inner_ + network.biases_) ** 2) * network.outer_)
        @ network.inner_.T
        for t in way
    ]
    assert network.shares(row)[0] == pytest.approx(np.mean(slopes, axis=0)[0] * row[0], abs=1e-5)


@pytest.mark.parametrize("direction", [1, -1])
def test_monotone_columns_never_turn_back(direction):
    rows, _ = made_rows(500)
    ranker = taught(rows, monotone={"price": direction, "wealth": 1}, epochs=15)
    fresh, _ = made_rows(50, seed=3)
    for column, sign in ((3, direction), (2, 1)):
        steps = []
        for value in np.quantile(
            rows.matrix[:, column][rows.matrix[:, column] > -9], np.linspace(0, 1, 30)
        ):
            changed = fresh.matrix.copy()
            changed[:, column] = value
            steps.append(sign * ranker._logits(changed))
        assert (np.diff(steps, axis=0) > -1e-5).all()


def test_without_the_constraint_the_price_does_turn_back():
    rows, _ = made_rows(500)
    low, high = rows.matrix.copy(), rows.matrix.copy()
    low[:, 3], high[:, 3] = -1, 1
    ranker = taught(rows, epochs=15)
    assert (ranker._logits(high) < ranker._logits(low) - 0.5).mean() > 0.9


def test_training_stops_when_the_held_out_requests_gain_no_more():
    rows, _ = made_rows(150)
    ranker = taught(rows, epochs=200, patience=3, hidden=64, reg=0.0, dropout=0.0)
    told = ranker.history_["held_out"].tolist()
    assert len(told) < 200
    assert min(told) == told[-4]


def test_the_number_of_threads_changes_nothing():
    rows, _ = made_rows(100)
    learned = []
    for threads in (1, 2):
        with rp.limit_threads(threads):
            learned.append(taught(rows, epochs=3)._logits(rows.matrix))
    assert (learned[0] == learned[1]).all()


def test_gaps_far_values_and_constant_columns_are_taken_as_they_are():
    rows, _ = made_rows(60)
    matrix = rows.matrix.copy()
    matrix[:, 4] = 7
    matrix[0] = [np.inf, -np.inf, np.nan, 3e38, 7]
    ranker = taught(rows._replace(matrix=matrix), epochs=2)
    found = ranker._logits(np.vstack([matrix, np.full((1, 5), np.nan, np.float32)]))
    assert np.isfinite(found).all()
    assert (ranker._shares(matrix)[:, 4] == 0).all()


def test_scaling_keeps_the_order_and_tells_of_gaps():
    random = np.random.default_rng(0)
    matrix = np.exp(4 * random.normal(size=(1_000, 1))).astype(np.float32)
    matrix[::10] = np.nan
    scaling = Scaling().fit(matrix)
    inputs = scaling.inputs(matrix)
    known = ~np.isnan(matrix[:, 0])
    assert inputs.mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert inputs.std(axis=0) == pytest.approx([np.sqrt(0.9), 1], abs=1e-4)
    assert (np.diff(inputs[known, 0][np.argsort(matrix[known, 0])]) >= 0).all()
    assert (inputs[~known, 0] == 0).all()
    assert len(np.unique(inputs[:, 1])) == 2


def test_labels_all_alike_make_a_constant():
    rows, _ = made_rows(30)
    found = taught(rows._replace(labels=np.zeros_like(rows.labels)), epochs=3)._logits(rows.matrix)
    assert (sigmoid(found) < 0.1).all()
