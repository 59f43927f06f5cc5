"""Several session models in one: whom the blend believes, and when."""

from typing import ClassVar

import numpy as np
import pytest

import recopersona as rp
from recopersona.models.session import Opinions, SessionRecommender


class Right(SessionRecommender):
    """Says item + 1 follows: true in odd visits."""

    step = 1

    def _fit_visits(self, visits, dataset):
        self.n_clicks_ = len(visits.items)

    def _learn_clicks(self, clicks):
        self.n_clicks_ += int((clicks.counts >= 0).sum())

    def _opinions(self, visit, now):
        follow = (visit[-1] + self.step + np.arange(3)) % 40
        return Opinions(follow.astype(np.int32), np.array([3, 1, 1], np.float32))


class Wrong(Right):
    """Says item + 20 follows."""

    step = 20


def visits(n=400, seed=0):
    random = np.random.default_rng(seed)
    starts = random.integers(40, size=n)
    return [[(start + step) % 40 for step in range(4)] for start in starts.tolist()]


def shop_of(visits):
    return rp.Dataset.from_frames([rp.Event(u, i) for u, v in enumerate(visits) for i in v])


@pytest.fixture(scope="module")
def blend():
    # Numbered by first appearance, items of the first visits are their own neighbours.
    ordered = [list(range(40)), *visits()]
    return rp.SessionBlend(models=[Right(), Wrong()], validation=0.3).fit(shop_of(ordered))


def test_who_was_right_lately_is_believed(blend):
    ranking = blend.recommend(rp.Query(session=[7, 8, 9]), 3)
    assert ranking.item_ids[0] == 10
    assert ranking.scores[0] > 0.6
    assert blend.examples_["found"] == blend.examples_["asked"] > 300


def test_models_are_fitted_anew_on_everything(blend):
    assert [model.n_clicks_ for model in blend.models_.values()] == [1640, 1640]
    assert blend.popular_.sum() == 1640


def test_reasons_are_models_and_the_visit(blend):
    query = rp.Query(session=[7, 8, 9])
    frame = blend.explain(query, 10)
    assert frame["contribution"].sum() == pytest.approx(blend.score_items(query)[10], rel=1e-4)
    assert {"visit: right", "visit: wrong"} <= set(frame["component"])


def test_a_handful_of_visits_is_blended_by_shares():
    blend = rp.SessionBlend(models=[Right(), Wrong()]).fit(shop_of([[0, 1, 2]]))
    assert blend.examples_ == {"asked": 0, "found": 0}
    assert np.isfinite(blend.recommend(rp.Query(session=[0]), 3).scores).all()


def test_events_teach_the_models_and_the_counts(blend):
    before = blend.popular_[5], blend.models_["right"].n_clicks_
    blend.partial_fit([rp.Event("new", 5), rp.Event("new", 5)])
    assert blend.popular_[5] == before[0] + 2
    assert blend.models_["right"].n_clicks_ == before[1] + 2
    assert blend.lately_[5] / blend.unit_ > 1


def test_counts_of_late_are_the_same_in_one_piece_and_in_two():
    early, late = visits(100), visits(20, seed=1)
    whole = rp.SessionBlend(models=[Right()], gap="1min").fit(shop_of(early + late))
    parts = rp.SessionBlend(models=[Right()], gap="1min").fit(shop_of(early))
    parts.memory_ = whole.memory_
    counts = np.zeros(40)
    for item in [item for visit in early for item in visit]:
        counts = counts / (1 + 1 / parts.memory_)
        counts[whole.items_.index(item)] += 1
    parts.lately_ = counts[parts.items_.indices(whole.items_.ids)].astype(np.float32)
    parts.partial_fit([rp.Event(f"late {u}", i) for u, v in enumerate(late) for i in v])
    order = parts.items_.indices(whole.items_.ids)
    np.testing.assert_allclose(
        parts.lately_[order] / parts.unit_, whole.lately_ / whole.unit_, rtol=1e-3
    )


def test_only_session_models_can_be_blended():
    with pytest.raises(rp.errors.ParameterError, match="list of session models"):
        rp.SessionBlend(models=[rp.ALS()]).fit(shop_of(visits(10)))


class Witness(Right):
    """Remembers how far the log went that it was fitted on."""

    ends: ClassVar = []

    def _fit_visits(self, visits, dataset):
        self.ends.append((dataset.end, visits.ends.max()))
        super()._fit_visits(visits, dataset)


def test_models_on_trial_see_nothing_of_later_days():
    Witness.ends.clear()
    hour, noon = 3_600_000, 1_700_000_000_000
    events = [rp.Event(u, u % 40, "purchase", noon + u * hour) for u in range(100)]
    events += [rp.Event(u, 3, "impression", noon + u * hour) for u in range(100)]
    events += [rp.Event(u, u % 40, "return", noon + 99 * hour) for u in range(5)]
    shop = rp.Dataset.from_frames(events, event_weights={"impression": 0})
    rp.SessionBlend(models=[Witness()], validation=0.1).fit(shop)
    (trial, last_visit), (whole, _) = Witness.ends
    assert trial == last_visit < whole - 8 * hour


def test_a_pool_larger_than_the_catalogue_is_all_of_it():
    blend = rp.SessionBlend(models=[Right(), Wrong()], pool=10**12).fit(shop_of(visits(50)))
    assert len(blend.recommend(rp.Query(session=[0]), 3)) == 3


SPOILED = {
    "popular_": lambda blend: blend.popular_.fill(-2),
    "lately_": lambda blend: blend.lately_.fill(np.nan),
    "choice_.outer_": lambda blend: blend.choice_.outer_.fill(np.inf),
    "examples_": lambda blend: blend.examples_.clear(),
    "session models": lambda blend: blend.models_.update(right=other(blend)),
}


def other(blend):
    """A model of the same users and items that knows nothing of visits."""
    model = rp.Popularity().fit(shop_of([[0, 1]]))
    model._adopt(blend.users_, blend.items_, blend.past_)
    return model


@pytest.mark.parametrize("what", SPOILED)
def test_what_a_file_spoiled_is_refused(what):
    blend = rp.SessionBlend(models=[Right(), Wrong()]).fit(shop_of(visits(50)))
    SPOILED[what](blend)
    with pytest.raises(rp.errors.DataError, match=what):
        blend._check_learned()
