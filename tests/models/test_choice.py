"""A choice is learned from the lists in which it was made."""

import numpy as np
import pytest

import recopersona as rp
from recopersona.models.choice import ChoiceModel, _Lists


def lists(n=300, size=5, f=3, seed=0):
    """Two features act together: the second tells whether the first speaks for or against."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(n * size, f)).astype(np.float32)
    worth = features[:, 0] * np.sign(features[:, 1])
    chosen = worth.reshape(n, size).argmax(axis=1)
    return features, np.arange(0, n * size + 1, size), chosen


def hits(model, features, chosen):
    return (model.utilities(features).reshape(len(chosen), -1).argmax(axis=1) == chosen).mean()


def test_features_that_act_together_are_learned():
    features, bounds, chosen = lists(2_000)
    model = ChoiceModel(epochs=30, learning_rate=0.01).fit(features, bounds, chosen)
    fresh, _, right = lists(500, seed=1)
    assert hits(model, fresh, right) > 0.85
    assert model.losses_[-1] < model.losses_[0] < np.log(5)
    assert model.history_["loss"].tolist() == model.losses_


def test_slopes_are_those_of_the_loss():
    features, bounds, chosen = lists(20)
    model = ChoiceModel(hidden=4, reg=0.1)
    model._start(features, np.random.default_rng(3))
    model.linear_ = np.random.default_rng(4).normal(size=3).astype(np.float32)
    for name in ("inner_", "biases_", "outer_", "linear_", "mean_", "scale_"):
        setattr(model, name, getattr(model, name).astype(np.float64))
    some = _Lists((features - model.mean_) / model.scale_, bounds, chosen)

    def loss():
        squares = sum((weight**2).sum() for weight in model._weights())
        return model._loss(some) + 0.05 * squares

    slopes, _ = model._gradients(some)
    for weight, slope in zip(model._weights(), slopes, strict=True):
        for place in np.ndindex(weight.shape):
            kept, step = weight[place], 1e-6
            weight[place] = kept + step
            above = loss()
            weight[place] = kept - step
            assert slope[place] == pytest.approx((above - loss()) / (2 * step), rel=1e-3, abs=1e-6)
            weight[place] = kept


def test_contributions_add_up_to_the_utility():
    features, bounds, chosen = lists(200)
    model = ChoiceModel(epochs=3).fit(features, bounds, chosen)
    for row, utility in zip(features[:20], model.utilities(features[:20]), strict=True):
        parts, rest = model.contributions(row)
        assert parts.sum() + rest == pytest.approx(utility, abs=1e-4)


def test_the_number_of_threads_changes_nothing():
    learned = []
    for threads in (1, 2):
        with rp.limit_threads(threads):
            learned.append(ChoiceModel(epochs=2, random_state=5).fit(*lists(100)))
    one, two = learned
    assert all((a == b).all() for a, b in zip(one._weights(), two._weights(), strict=True))


def test_without_lists_nothing_is_preferred():
    nothing = np.empty((0, 3), np.float32), np.zeros(1, np.int64), np.empty(0, np.int64)
    model = ChoiceModel().fit(*nothing)
    assert np.isfinite(model.utilities(np.ones((2, 3), np.float32))).all()
