import numpy as np
import pytest
from scipy.special import expit

from recopersona.rankers.calibration import Calibration


def planted(n=20_000):
    """Logits of which the truth is twice as steep, and shifted."""
    random = np.random.default_rng(0)
    logits = random.normal(size=n)
    truth = 1 / (1 + np.exp(-(2 * logits - 1)))
    return logits, (random.random(n) < truth).astype(np.float64), truth


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_probabilities_are_those_planted(kind):
    logits, labels, truth = planted()
    found = Calibration(kind=kind).fit(logits, labels, np.ones(len(logits))).of(logits)
    assert np.abs(found - truth).mean() < 0.02


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_more_is_always_more(kind):
    logits, labels, _ = planted(500)
    curve = Calibration(kind=kind).fit(logits, labels, np.ones(500))
    assert (np.diff(curve.of(np.linspace(-8, 8, 1_000))) > 0).all()


def test_a_weight_is_so_many_rows():
    logits, labels, _ = planted(2_000)
    weights = np.where(labels > 0, 1.0, 3.0)
    weighed = Calibration().fit(logits, labels, weights)
    repeated = np.repeat(np.arange(2_000), weights.astype(int))
    longer = Calibration().fit(logits[repeated], labels[repeated], np.ones(len(repeated)))
    assert weighed.shift_ == pytest.approx(longer.shift_, abs=1e-3)


def test_even_scores_that_mislead_keep_their_order():
    logits, labels, _ = planted(2_000)
    curve = Calibration().fit(-logits, labels, np.ones(2_000))
    assert (np.diff(curve.of(np.array([-2.0, 0.0, 2.0]))) > 0).all()


def test_without_rows_the_curve_is_the_plain_one():
    nothing = np.empty(0)
    assert Calibration(kind="isotonic").fit(nothing, nothing, nothing).of(np.zeros(1)) == 0.5


def test_logits_that_mislead_still_leave_the_right_share():
    random = np.random.default_rng(2)
    logits = random.normal(-4, 1, 2_000)
    labels = (random.random(2_000) < expit(-logits - 6)).astype(float)  # the other way round
    calibration = Calibration().fit(logits, labels, np.ones(2_000))
    assert calibration.slope_ == 0.05
    assert calibration.of(logits).mean() == pytest.approx(labels.mean(), rel=1e-6)
