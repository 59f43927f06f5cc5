"""Fits that are watched: what they tell, when they stop, and what they go back to."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import recopersona as rp
from recopersona.errors import DataError, NotFittedError, ParameterError

ITERATIVE = [
    rp.ALS(factors=4, iterations=4),
    rp.Factorization(factors=4, epochs=4),
    rp.Factorization(factors=4, epochs=4, loss="warp"),
    rp.Factorization(factors=4, epochs=4, loss="logistic"),
    rp.Factorization(factors=4, epochs=4, loss="squared", learning_rate=0.05),
    rp.HybridFactorization(factors=4, epochs=4),
    rp.Item2Vec(factors=4, epochs=4),
    rp.SessionFactors(factors=4, epochs=4),
]
IN_ONE_GO = [
    rp.EASE(),
    rp.Popularity(),
    rp.SessionKNN(),
    rp.Blend(models=[rp.Popularity(), rp.ALS(factors=4, iterations=2)]),
    rp.Pipeline(candidates=[rp.Popularity(), rp.ALS(factors=4, iterations=2)]),
]


@pytest.fixture(scope="module")
def split():
    return rp.split_by_time(rp.synthetic_shop(120, 40, random_state=7), 0.2)


class Rising(rp.Recommender):
    """Learns the number of its pass, in place."""

    steps: int = rp.param(rp.whole(at_least=1), default=6)

    def _fit(self, dataset):
        self.state_ = np.zeros(1)
        self.published_ = 0.0
        for number in self._passes(self.steps, self._publish):
            self.state_[0] = number + 1
            self._tell(loss=10.0 - number)

    def _publish(self):
        self.published_ = float(self.state_[0])

    def score_items(self, query, items=None):
        return np.ones(len(self.items_), np.float32)


def watched_by(values, **options):
    """Measure a `Rising` model by a table of values."""
    return rp.Watch(lambda model: values[int(model.published_) - 1], metric="table", **options)


# -- what a fit tells ----------------------------------------------------------------------------


@pytest.mark.parametrize("model", ITERATIVE, ids=repr)
def test_watching_changes_nothing_of_what_is_learned(model, split):
    plain = clone(model).fit(split.train)
    watched = clone(model).fit(split.train, validation=split)
    asked = split.train.users.ids[:30].tolist()
    pd.testing.assert_frame_equal(
        plain.recommend_many(asked), watched.recommend_many(asked), check_exact=True
    )
    assert list(plain.history_) == [name for name in watched.history_ if name in plain.history_]
    assert watched.history_["iteration"].tolist() == [1, 2, 3, 4]
    assert np.isfinite(watched.history_.to_numpy()).all()


@pytest.mark.parametrize("model", ITERATIVE, ids=repr)
def test_the_last_value_is_the_score_of_the_model(model, split):
    model = clone(model).fit(split.train, validation=split.test)
    if getattr(model, "loss", "") == "squared":
        assert "rmse" in model.history_
    else:
        assert model.history_["ndcg@10"].iloc[-1] == model.score(split.test)


@pytest.mark.parametrize("model", ITERATIVE, ids=repr)
def test_with_patience_the_best_pass_comes_back(model, split):
    seen = []

    def measure(model):
        """Fall after the second pass, whatever the model says."""
        seen.append(model.recommend_many(split.train.users.ids[:20].tolist(), 5))
        return -abs(len(seen) - 2)

    model = clone(model).fit(split.train, validation=rp.Watch(measure), patience=2)
    assert len(model.history_) == len(seen) == 4
    answers = model.recommend_many(split.train.users.ids[:20].tolist(), 5)
    pd.testing.assert_frame_equal(answers, seen[1], check_exact=True)
    assert not answers.equals(seen[3])


@pytest.mark.parametrize("model", IN_ONE_GO, ids=repr)
def test_what_learns_in_one_go_is_measured_once(model, split):
    assert clone(model).fit(split.train).history_.empty
    model = clone(model).fit(split.train, validation=split, patience=3)
    assert model.history_["iteration"].tolist() == [1]
    assert model.history_["ndcg@10"].tolist() == [model.score(split.test)]


def test_what_a_split_gives_of_users_is_told(split):
    held_out = np.unique(split.test.log.users)[::2]
    strangers = np.isin(split.train.log.users, held_out)
    theirs, others = split.train.take(strangers), split.train.take(~strangers)
    late = np.arange(len(theirs.log)) % 3 == 0
    asked = rp.Split(others, theirs.take(late), given=theirs.take(~late))
    told = rp.ItemKNN().fit(others, validation=asked).history_["ndcg@10"].item()
    table = rp.evaluate(rp.ItemKNN(), asked, metrics="ndcg", n_boot=1)
    assert told == pytest.approx(table["ndcg@10"].item(), abs=1e-9)
    stranger = frame_of(asked.test).assign(user_id="another one")
    with pytest.raises(DataError, match="validation needs users whom training knows"):
        rp.ItemKNN().fit(others, validation=stranger)


def frame_of(dataset):
    """Return a dataset's events as a frame."""
    log = dataset.log
    return pd.DataFrame({
        "user_id": dataset.users.ids[log.users],
        "item_id": dataset.items.ids[log.items],
        "event": np.array(rp.EVENT_TYPES)[log.event],
    })  # fmt: skip


def test_a_history_survives_being_saved(split, tmp_path):
    model = rp.Factorization(factors=4, epochs=3).fit(split.train, validation=split)
    model.save(tmp_path / "model.rp")
    pd.testing.assert_frame_equal(rp.load(tmp_path / "model.rp").history_, model.history_)


def test_a_new_fit_forgets_the_history(split):
    model = rp.ALS(factors=4, iterations=3).fit(split.train, validation=split)
    assert list(model.fit(split.train).history_) == ["iteration"]
    with pytest.raises(NotFittedError, match=r"call ALS\.fit first"):
        _ = rp.ALS().history_


def test_scikit_learn_searches_as_before(split):
    search = GridSearchCV(rp.ALS(factors=4), {"iterations": [1, 3]}, cv=2)
    search.fit(frame_of(split.train))
    assert len(search.best_estimator_.history_) == search.best_params_["iterations"]


# -- when a fit stops ----------------------------------------------------------------------------


def test_a_fit_stops_when_nothing_gets_better(split):
    told = []
    watch = watched_by([1, 3, 2, 3, 9, 9], told=lambda *said: told.append(said))
    model = Rising().fit(split.train, validation=watch, patience=2)
    assert told == [(1, 1.0), (2, 3.0), (3, 2.0), (4, 3.0)]
    assert (model.published_, model.state_[0]) == (2, 2)
    assert model.history_["loss"].tolist() == [10, 9, 8, 7]


def test_what_has_not_fallen_behind_goes_on(split):
    model = Rising().fit(split.train, validation=watched_by([1, 0, 2, 1, 3, 2], patience=2))
    assert len(model.history_) == 6
    assert model.published_ == 5


def test_without_patience_the_last_pass_stays(split):
    model = Rising().fit(split.train, validation=watched_by([6, 5, 4, 3, 2, 1]))
    assert (len(model.history_), model.published_) == (6, 6)


def test_less_may_be_better(split):
    watch = watched_by([3, 1, 2, 2, 0, 0], less_is_better=True, patience=2)
    model = Rising().fit(split.train, validation=watch)
    assert model.published_ == 2
    assert model.history_["table"].tolist() == [3, 1, 2, 2]


def test_passes_may_be_left_out(split):
    model = Rising(steps=5).fit(split.train, validation=watched_by([1, 2, 3, 4, 5], every=2))
    values = model.history_["table"]
    assert values.notna().tolist() == [False, True, False, True, True]
    assert model.published_ == 5


def test_a_fit_may_be_pruned(split):
    class EnoughError(Exception):
        pass

    def prune(iteration, value):
        if iteration == 2:
            raise EnoughError

    model = Rising()
    with pytest.raises(EnoughError):
        model.fit(split.train, validation=watched_by([1] * 6, told=prune))
    assert not model.__sklearn_is_fitted__()
    assert vars(model).keys() == model.get_params().keys()


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"patience": 3}, ParameterError, r"fit: patience=3 needs something to watch; write fit\("),
        ({"patience": 0}, ParameterError, r"ALS\.fit: patience must be an integer of at least 1"),
        ({"validation": 3}, DataError, "frame"),
        (
            {"validation": pd.DataFrame({"user_id": ["x", "y"], "item_id": ["a", "b"]})},
            DataError,
            "validation needs users whom training knows, got 2 others; split one dataset",
        ),
    ],
)
def test_what_cannot_be_watched_is_refused(options, kind, words, split):
    with pytest.raises(kind, match=words):
        rp.ALS(iterations=1).fit(split.train, **options)


def test_nothing_new_to_find_is_refused(split):
    model = rp.ALS(iterations=1)
    with pytest.raises(DataError, match="validation needs a user with a held-out item"):
        model.fit(split.train, validation=split.train)
    assert not model.__sklearn_is_fitted__()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"measure": 3}, "Watch: measure must be a function of the model, got 3"),
        ({"every": 0}, "Watch: every must be an integer of at least 1"),
        ({"patience": 0}, "Watch: patience must be an integer of at least 1"),
    ],
)
def test_a_watch_has_bounds(change, words):
    with pytest.raises(ParameterError, match=words):
        rp.Watch(**{"measure": len, **change})


def test_a_value_must_be_a_number(split):
    with pytest.raises(DataError, match=r"Rising\.fit: table must be .*, got nan after pass 2"):
        Rising().fit(split.train, validation=watched_by([1, np.nan]))
