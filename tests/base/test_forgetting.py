"""What is left of users who were forgotten, and how the record of it behaves."""

import json

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.base.forgetting import require_stale
from recopersona.data.times import moment_ms
from recopersona.errors import DataError, RecopersonaError

DAY = 86_400_000
LOG = pd.DataFrame({
    "user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"],
    "timestamp": pd.date_range("2026-01-01", periods=5, freq="D"),
})  # fmt: skip


def test_a_deadline_is_over_after_it_and_not_before():
    stale = rp.Stale(0, 10, 1, ("weights_",))
    assert [stale.is_due(now) for now in (9, 10, 11, None)] == [False, False, True, False]
    assert not rp.Stale(None, None, 1, ("weights_",)).is_due(10**15)


def test_the_first_deadline_stays_when_others_are_forgotten():
    model = rp.ItemKNN().fit(LOG)
    model.forget([1], at="2026-02-01", refit_within="10d")
    model.forget([2], at="2026-02-05", refit_within="30d")
    assert model.stale_.since == moment_ms("2026-02-01")
    assert model.stale_.refit_by == moment_ms("2026-02-11")
    assert model.stale_.n_users == 2
    assert model.stale_.parts == ("bounds_", "neighbors_", "weights_")


def test_a_later_forgetting_may_be_due_earlier():
    model = rp.ItemKNN().fit(LOG)
    model.forget([1], at="2026-02-01", refit_within="60d")
    model.forget([2], at="2026-02-05", refit_within="1d")
    assert model.stale_.refit_by == moment_ms("2026-02-06")


def test_the_moment_is_the_datas_end_by_default():
    model = rp.ItemKNN().fit(LOG)
    model.forget([1])
    assert model.stale_.since == model.end_ == moment_ms("2026-01-05")
    assert model.stale_.refit_by == model.end_ + 30 * DAY


def test_without_times_nothing_is_ever_overdue():
    model = rp.ItemKNN().fit(LOG.drop(columns="timestamp"))
    model.forget([1])
    assert (model.stale_.since, model.stale_.refit_by) == (None, None)
    assert not any("anew" in said for said in model.recommend("x").effects)


def test_an_overdue_model_says_so_with_every_ranking():
    model = rp.ItemKNN().fit(LOG)
    model.forget([1], refit_within="1d")
    model.partial_fit(rp.Event(9, "a", "view", "2026-01-06"))
    assert model.recommend(2).effects == ()
    model.partial_fit(rp.Event(9, "b", "view", "2026-01-07"))
    due = "this model was due to be fitted anew by 2026-01-06T00:00:00Z: 1 user was forgotten"
    assert model.recommend(2).effects == (due,)
    assert model.fit(LOG).recommend(2).effects == ()


def test_two_users_are_told_in_the_plural():
    assert "2 users were forgotten" in rp.Stale(0, 1, 2, ("weights_",)).in_words()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"refit_within": "soon"}, "refit_within must be"),
        ({"refit_within": 3}, "refit_within must be"),
        ({"at": "never"}, "at must be a moment"),
    ],
)
def test_what_is_no_time_is_refused_before_anything_is_forgotten(arguments, words):
    model = rp.Popularity().fit(LOG)
    with pytest.raises(RecopersonaError, match=words):
        model.forget([1], **arguments)
    assert 1 in model.users_
    assert model.fallback_.tolist() == [3.0, 2.0]


@pytest.mark.parametrize("verb", ["forget", "held_of"])
def test_one_id_is_no_list(verb):
    with pytest.raises(DataError, match=f"{verb} needs a list of ids"):
        getattr(rp.Popularity().fit(LOG), verb)("u-1")


@pytest.mark.parametrize(
    ("stale", "words"),
    [
        ({"since": 1}, "stale_ must say what is stale, got dict"),
        (rp.Stale(2**63, 1, 1, ()), "stale_.since must be"),
        (rp.Stale(1, 0.5, 1, ()), "stale_.refit_by must be"),
        (rp.Stale(1, 1, 0, ()), "stale_.n_users must be"),
        (rp.Stale(1, 1, 1, (3,)), "stale_.parts must be names"),
        (rp.Stale(1, 1, 1, ["a"]), "stale_.parts must be names"),
    ],
)
def test_a_file_that_says_something_else_is_refused(stale, words):
    with pytest.raises(RecopersonaError, match=words):
        require_stale(stale, "Model")


def test_what_is_stale_is_read_back(tmp_path):
    model = rp.Pipeline(candidates=[rp.ItemKNN(), rp.Popularity()]).fit(LOG)
    model.forget([1])
    model.save(tmp_path / "home")
    loaded = rp.load(tmp_path / "home")
    assert loaded.stale_ == model.stale_
    assert loaded.stale_.parts[0] == "itemknn.bounds_"
    assert loaded.candidates_["itemknn"].stale_.parts == ("bounds_", "neighbors_", "weights_")
    assert loaded.candidates_["popularity"].stale_ is None


def test_a_model_that_says_nothing_of_it_is_stale_as_a_whole():
    class Mine(rp.Recommender):
        def _fit(self, dataset):
            self.likes_ = np.ones(len(dataset.items), np.float32)
            self.other_ = 3

        def score_items(self, query, items=None):
            return self.likes_

    model = Mine().fit(LOG)
    model.forget([1])
    assert model.stale_.parts == ("likes_", "other_")


def test_rows_of_users_are_blanked_and_told():
    class Mine(rp.Recommender):
        _user_tables = ("moods_",)
        _taught_by_all = ()

        def _fit(self, dataset):
            self.moods_ = np.arange(1.0, 1 + len(dataset.users))

        def score_items(self, query, items=None):
            return np.zeros(len(self.items_), np.float32)

    model = Mine().fit(LOG)
    assert model.held_of([2])["users"][0]["moods_"] == 2.0
    model.forget([2])
    assert model.moods_.tolist() == [1.0, 0.0, 3.0]
    assert model.stale_ is None


def test_what_is_held_is_plain_json():
    users = pd.DataFrame({
        "user_id": [1, 2], "since": pd.to_datetime(["2025-03-04", None]), "age": [30.0, None],
        "likes": [("tea", "rye"), ()],
    })  # fmt: skip
    shop = rp.Dataset.from_frames(LOG, users=users)
    model = rp.Pipeline(candidates=[rp.Popularity()]).fit(shop)
    held = model.held_of([1, 99])
    assert json.loads(json.dumps(held, allow_nan=False)) == held
    (one,) = held["users"]
    assert one["user_id"] == 1
    assert one["past"][0] == {"item_id": "a", "events": ["view"], "weight": 1.0}
    assert one["recent"][1]["timestamp"] == "2026-01-02T00:00:00Z"
    assert one["attributes"]["since"] == "2025-03-04T00:00:00Z"
    assert sorted(one["attributes"]["likes"]) == ["rye", "tea"]
    assert "attributes" not in model.held_of([2])["users"][0]
