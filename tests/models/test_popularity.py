import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import DataError, ParameterError

START = pd.Timestamp("2026-01-01")
EVENTS = pd.DataFrame({
    "user_id": [1, 2, 3, 4],
    "item_id": ["tea", "tea", "salt", "mug"],
    "event": ["view", "view", "purchase", "view"],
    "timestamp": [START + pd.Timedelta(days=age) for age in (0, 10, 10, 20)],
})  # fmt: skip


def scores(model):
    return dict(zip(model.items_.ids.tolist(), model.score_items(rp.Query()).tolist(), strict=True))


def test_every_event_counts_by_the_weight_of_its_kind():
    shop = rp.Dataset.from_frames(EVENTS, event_weights={"purchase": 10})
    assert scores(rp.Popularity().fit(shop)) == {"tea": 2, "salt": 10, "mug": 1}


def test_the_weight_of_an_event_halves_with_its_age():
    wanted = {"tea": 0.75, "salt": 0.5, "mug": 1}
    assert scores(rp.Popularity(half_life="10d").fit(EVENTS)) == wanted


def test_the_models_half_life_replaces_the_datasets():
    shop = rp.Dataset.from_frames(EVENTS, half_life="1d")
    wanted = {"tea": 0.75, "salt": 0.5, "mug": 1}
    assert scores(rp.Popularity(half_life="10d").fit(shop)) == wanted
    assert scores(rp.Popularity().fit(shop))["salt"] == pytest.approx(2**-10)


def test_what_was_sent_back_does_not_count():
    back = pd.DataFrame({
        "user_id": [3], "item_id": ["salt"], "event": ["return"],
        "timestamp": [START + pd.Timedelta(days=15)],
    })  # fmt: skip
    assert scores(rp.Popularity().fit(pd.concat([EVENTS, back])))["salt"] == 0


def test_everybody_gets_the_same_but_for_what_was_seen():
    model = rp.Popularity().fit(EVENTS)
    assert model.recommend(4).item_ids == ["tea", "salt"]
    assert model.recommend(1).item_ids == ["salt", "mug"]
    assert model.explain(4, "tea")["contribution"].tolist() == [2]


def test_a_half_life_needs_times():
    with pytest.raises(DataError, match="half_life needs a 'timestamp' column"):
        rp.Popularity(half_life="7d").fit(EVENTS.drop(columns="timestamp"))


@pytest.mark.parametrize("half_life", ["-7d", "7", 7, "0s"])
def test_a_half_life_is_a_duration(half_life):
    with pytest.raises(
        ParameterError, match="Popularity: half_life must be a duration such as '30min'"
    ):
        rp.Popularity(half_life=half_life).fit(EVENTS)
