"""Models that learn in passes: hopeless trials end early, and nobody trains too long."""

import pytest

import recopersona as rp
from recopersona.base.parameters import param, real, whole
from recopersona.base.recommender import Recommender
from recopersona.base.searching import real_range
from recopersona.tuning.pruning import place_of


class Learner(Recommender):
    """Grows towards its talent until the pass where it has learned enough, then gets worse."""

    talent: float = param(real(), default=0.5)
    peak: int = param(whole(), default=100)
    iterations: int = param(whole(at_least=1), default=20)

    def _fit(self, dataset):
        def publish():
            self.skill_ = skill

        for number in self._passes(self.iterations, publish):
            skill = self.talent * (number + 1 - 2 * max(0, number + 1 - self.peak))

    def score_items(self, query, items=None):
        return -self.fallback_


def skill(model, split):
    return model.skill_


SPACE = {"talent": real_range(0, 1)}


@pytest.fixture(scope="module")
def shop():
    return rp.synthetic_shop(100, 40, random_state=3)


def learned(shop, model=None, **asked):
    given = {"metric": skill, "space": SPACE, "trials": 30, "search": "random", **asked}
    return rp.tune(model or Learner(), shop, progress=False, **given)


def test_trials_behind_the_median_are_given_up_before_their_last_pass(shop):
    found = learned(shop)
    pruned = found.trials["state"] == "pruned"
    assert found.counts["pruned"] == pruned.sum() > 5
    assert not pruned[:5].any()
    assert found.trials.loc[pruned, "talent"].max() < found.params["talent"]
    assert found.trials.loc[pruned, "passes"].max() < 20
    assert found.trials.loc[~pruned, "passes"].unique().tolist() == [20]


def test_pruning_loses_nothing_here(shop):
    one, other = learned(shop), learned(shop, prune=False)
    assert one.params == other.params
    assert other.counts["pruned"] == 0


def test_small_values_are_the_good_ones_where_the_metric_is_minimized(shop):
    found = learned(shop, maximize=False)
    pruned = found.trials["state"] == "pruned"
    assert pruned.sum() > 5
    assert found.trials.loc[pruned, "talent"].min() > found.params["talent"]


def test_a_trial_may_be_given_up_between_folds_and_its_folds_are_told(shop):
    found = learned(shop, folds=2, model=Learner(iterations=1))
    pruned = found.trials["state"] == "pruned"
    assert pruned.sum() > 5
    assert found.trials.loc[pruned, "fold 2"].isna().all()


def test_patience_stops_at_the_best_pass_and_the_last_fit_makes_no_more(shop):
    found = learned(shop, model=Learner(peak=7), patience=2, trials=4)
    assert found.params["iterations"] == found.model.iterations == 7
    assert found.score == pytest.approx(7 * found.params["talent"])
    assert found.trials["passes"].tolist()[:2] == [7, 7]


def test_without_patience_the_last_pass_counts(shop):
    found = learned(shop, model=Learner(peak=7), trials=2)
    assert found.params.keys() == {"talent"}
    assert found.score == pytest.approx((20 - 2 * 13) * found.trials["talent"].min())


def test_passes_of_another_fold_are_no_comparison():
    assert place_of(1, 1) - place_of(0, 1) > 100_000


def test_a_real_model_is_given_up_and_taken_up(shop):
    found = rp.tune(rp.ALS(factors=8), shop, trials=15, space={"reg": (1e-4, 1e4, "log")})
    assert found.counts["pruned"] > 0
    assert found.model.recommend("u-0001", n=3).sources[0] == "ALS"
