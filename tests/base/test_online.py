"""Learning as events come: what is remembered, with what weight."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.base import online
from recopersona.base.recommender import FALLBACK
from recopersona.errors import DataError

START = pd.Timestamp("2026-01-01")
EVENTS = pd.DataFrame({
    "user_id": ["anna", "ben", "cleo"],
    "item_id": ["tea", "tea", "salt"],
    "timestamp": [START, START, START],
})  # fmt: skip


def day(number):
    return START + pd.Timedelta(days=number)


def test_later_events_weigh_more_than_those_that_decayed():
    model = rp.Popularity(half_life="1d").fit(EVENTS)
    model.partial_fit(rp.Event("dan", "salt", "view", day(2)))
    assert model.score_items(rp.Query()).tolist() == [2, 1 + 4]


def test_weights_of_kinds_are_those_of_the_dataset():
    shop = rp.Dataset.from_frames(EVENTS, event_weights={"purchase": 10})
    model = rp.Popularity().fit(shop).partial_fit(rp.Event("dan", "salt", "purchase", day(1)))
    assert model.score_items(rp.Query()).tolist() == [2, 11]


def test_a_return_is_seen_and_teaches_nothing():
    model = rp.Popularity().fit(EVENTS)
    model.partial_fit(rp.Event("dan", "salt", "return", day(1)))
    assert model.score_items(rp.Query()).tolist() == [2, 1]
    assert model.recommend("dan").item_ids == ["tea"]
    assert model.taste_of(rp.Query("dan"))[0].tolist() == []


def test_an_event_without_a_time_is_of_its_own_time():
    model = rp.Popularity(half_life="1d").fit(EVENTS)
    model.partial_fit(rp.Event("dan", "salt"))
    assert model.score_items(rp.Query()).tolist() == [2, 2]


def test_what_fills_up_follows_the_events():
    model = rp.ALS(factors=2).fit(EVENTS)
    for user in range(5):
        model.partial_fit(rp.Event(user, "gold", "view", day(1)))
    ranking = model.recommend("a stranger")
    assert ranking.item_ids[0] == "gold"
    assert ranking.sources == [FALLBACK] * 3


@pytest.mark.parametrize("few", [0, 1_000])
def test_many_events_are_remembered_like_few(few, monkeypatch):
    monkeypatch.setattr(online, "_FEW_ROWS", few)
    model = rp.Popularity().fit(EVENTS)
    model.partial_fit(pd.DataFrame({
        "user_id": ["anna", "anna"], "item_id": ["salt", "gold"], "event": ["cart", "purchase"],
        "timestamp": [day(2), day(1)],
    }))  # fmt: skip
    anna = model.users_.index("anna")
    assert model.past_.seen(anna, ["purchase"]).tolist() == [model.items_.index("gold")]
    assert model.recommend("anna").item_ids == []


@pytest.mark.parametrize(
    ("events", "words"),
    [(rp.Event("anna", "tea", "veiw"), "unknown event 'veiw'; did you mean 'view'"),
     (rp.Event(None, "tea"), "an event needs a user_id, got None"),
     (rp.Event("anna", "tea", "view", "soon"), "timestamp must .*, got 'soon'"),
     ([rp.Event("anna", "tea"), "tea"], "events must be a dataframe or rp.Event records, got str"),
     (pd.DataFrame({"user_id": [1]}), "events need a column 'item_id'")],
)  # fmt: skip
def test_bad_events_are_refused_and_teach_nothing(events, words):
    model = rp.Popularity().fit(EVENTS)
    with pytest.raises(DataError, match=words):
        model.partial_fit(events)
    assert model.score_items(rp.Query()).tolist() == [2, 1]
    assert (len(model.users_), len(model.items_)) == (3, 2)


def test_an_event_of_no_item_adds_no_user():
    model = rp.Popularity().fit(EVENTS)
    with pytest.raises(DataError, match=r"an event needs an? item_id, got None"):
        model.partial_fit(rp.Event("eve", None))
    with pytest.raises(DataError, match="must be a string or an integer, got a list"):
        model.partial_fit(rp.Event("eve", ["tea"]))
    assert "eve" not in model.users_


def test_scores_stay_finite_however_late_an_event_comes():
    model = rp.Popularity(half_life="1h").fit(EVENTS)
    model.partial_fit(rp.Event("dan", "salt", "view", day(300)))
    assert np.isfinite(model.score_items(rp.Query())).all()


def test_what_must_be_written_is_said():
    class Half(rp.OnlineRecommender):
        def _fit(self, dataset):
            pass

        def score_items(self, query, items=None):
            return np.ones(len(self.items_), np.float32)

    with pytest.raises(NotImplementedError, match="Half must write _learn"):
        Half().fit(EVENTS).partial_fit(rp.Event("anna", "tea"))
