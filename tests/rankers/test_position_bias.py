"""What a place is worth is told from what an item is worth."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from recopersona.data.dataset import Dataset
from recopersona.data.ids import IdMap
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.rankers.boosted import BoostedRanker
from recopersona.rankers.lessons import Lessons
from recopersona.rankers.neural import NeuralRanker
from recopersona.rankers.position_bias import ExaminationModel, unbiased
from tests.rankers.rows import shown_rows
from tests.rankers.test_neural import taught


def learned(rows, **parameters):
    model = ExaminationModel(**parameters)
    return model.learn(rows.matrix, rows.bounds, rows.positions, rows.labels)


@pytest.mark.parametrize("steep", [0.4, 1.0])
def test_planted_looks_are_found_though_the_first_places_hold_the_best_items(steep):
    rows, _, looks = shown_rows(8_000, steep=steep)
    by_place = rows.labels.reshape(-1, 6).mean(axis=0)
    naive = by_place / by_place[0] / looks
    found = learned(rows).propensities_ / looks
    assert naive.min() < 0.6
    assert found == pytest.approx(np.ones(6), abs=0.1)
    assert np.abs(found - 1).mean() < 0.05


def test_a_ranker_learns_wishes_better_when_clicks_are_weighed():
    rows, _, _ = shown_rows()
    fresh, wishes, _ = shown_rows(500, seed=1)
    plain = taught(rows)._logits(fresh.matrix)
    _, weighed = unbiased(rows, True)
    fair = taught(weighed)._logits(fresh.matrix)
    assert spearmanr(plain, wishes)[0] < 0.97 < spearmanr(fair, wishes)[0]


def test_weights_make_up_for_what_was_not_seen():
    rows, logits, looks = shown_rows(20_000)
    model = learned(rows.__class__(*rows), propensities=looks.tolist())
    clicks = rows.labels > 0
    weights = model.weights(rows.matrix, rows.positions, rows.labels)
    assert weights[clicks] == pytest.approx(1 / looks[rows.positions[clicks] - 1])
    assert weights[~clicks] == pytest.approx(1)
    wishes = 1 / (1 + np.exp(-logits))
    assert weights[clicks].sum() == pytest.approx(wishes.sum(), rel=0.03)


def test_unclicked_rows_count_as_likely_as_they_were_not_wished_for():
    rows, logits, _ = shown_rows(8_000)
    weights = learned(rows).weights(rows.matrix, rows.positions, rows.labels)
    total = weights[rows.labels == 0].sum()
    assert total == pytest.approx((1 - 1 / (1 + np.exp(-logits))).sum(), rel=0.05)


def test_no_click_counts_more_than_the_least_propensity_allows():
    model = ExaminationModel(propensities=[1, 0.001], least=0.1)
    model.learn(np.ones((2, 1)), np.array([0, 2]), np.array([1, 2]), np.array([0, 1]))
    assert model.weights(np.ones((1, 1)), np.array([2]), np.array([1])) == pytest.approx(10)


def test_rare_places_are_counted_with_others_and_places_beyond_like_the_last():
    rows, _, _ = shown_rows(300)
    positions = np.where(rows.positions == 6, np.where(rows.labels > 0, 40, 6), rows.positions)
    model = ExaminationModel(epochs=2)
    model.learn(rows.matrix, rows.bounds, positions, rows.labels)
    assert len(model.propensities_) == 40
    assert model.propensities_[5] == model.propensities_[39] == model.propensity(np.array([99]))[0]
    assert model.counts_["places_joined"] == 34


def test_items_named_in_a_frame_have_levels_of_their_own():
    random = np.random.default_rng(0)
    worth = random.random(50) * 0.8
    items = np.argsort(-(worth + 0.2 * random.normal(size=(6_000, 50))), axis=1)[:, :4]
    looks = np.array([1, 0.6, 0.4, 0.2])
    shown = pd.DataFrame({
        "request": np.repeat(np.arange(6_000), 4), "item_id": items.ravel(),
        "position": np.tile([1, 2, 3, 4], 6_000),
        "clicked": (random.random(items.shape) < worth[items] * looks).ravel(),
    })  # fmt: skip
    found = ExaminationModel().fit(shown.sample(frac=1, random_state=0)).propensities_
    assert found == pytest.approx(looks, rel=0.1)


@pytest.mark.parametrize("kind", [NeuralRanker, BoostedRanker])
def test_every_ranker_takes_position_bias(kind):
    rows, wishes, looks = shown_rows(400)
    ids = IdMap([f"i{row}" for row in range(len(rows.labels))])
    numbers = dict(zip(rows.names, rows.matrix.T, strict=True))
    shop = Dataset.from_frames(
        pd.DataFrame({"user_id": ["anna"], "item_id": [ids.ids[0]]}),
        items=pd.DataFrame({"item_id": ids.ids, **numbers}),
    )
    pages = shop.items.indices(ids.ids).reshape(-1, 6)
    lessons = Lessons(
        [Query()] * len(pages), [Ranking.of(page, np.zeros(6), shop.items, "") for page in pages],
        rows.bounds, rows.labels, rows.weights, rows.positions,
    )  # fmt: skip
    known = ExaminationModel(propensities=looks.tolist())
    plain, fair = (
        kind(position_bias=bias).fit(lessons, shop)(
            Query(), Ranking.of(pages[:100].ravel(), np.zeros(600), shop.items, "")
        )
        for bias in (None, known)
    )
    assert fair.scores.mean() > 1.2 * plain.scores.mean()
    assert spearmanr(fair.scores, wishes[fair.items])[0] > 0.8


def test_the_same_seed_learns_the_same():
    rows, _, _ = shown_rows(300)
    one, two = (learned(rows, epochs=3).propensities_ for _ in range(2))
    assert (one == two).all()


def test_what_cannot_be_used_is_refused_in_a_sentence():
    rows, _, _ = shown_rows(10)
    with pytest.raises(DataError, match="which place each row was shown; make them with"):
        unbiased(rows._replace(positions=None), True)
    with pytest.raises(DataError, match="of 60 rows 0 were clicked"):
        learned(rows._replace(labels=np.zeros(60)))
    with pytest.raises(ParameterError, match="above 0 and at most 1, one per place"):
        learned(rows, propensities=[1, 0])
    shown = pd.DataFrame({"position": [1, 0], "clicked": [0, 1]})
    with pytest.raises(DataError, match="position must be whole numbers from 1 to 100,000, got 0"):
        ExaminationModel().fit(shown)
    with pytest.raises(ColumnError, match="no column 'clicked' among the impressions"):
        ExaminationModel().fit(shown[["position"]])
