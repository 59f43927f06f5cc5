"""What a visitor was just shown or looked at steps back, and comes back with time."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ParameterError

DAY = 86_400_000
NOW = 1_767_225_600_000


def log() -> pd.DataFrame:
    """Tea is wanted most, then salt, then rice; anna has looked at tea a day ago."""
    rows = [("ben", "tea"), ("cleo", "tea"), ("dora", "tea"), ("ben", "salt"), ("cleo", "salt"),
            ("ben", "rice"), ("anna", "tea")]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["user_id", "item_id"])
    return frame.assign(event="view", timestamp=pd.to_datetime(NOW - DAY, unit="ms", utc=True))


def ranking() -> rp.Ranking:
    return rp.Popularity().fit(log()).recommend("anna", seen="keep")


def asked(days: float, user: str = "anna") -> rp.Query:
    return rp.Query(user, now=NOW + int(days * DAY))


def test_scores_fall_as_the_formula_says():
    stage = rp.Fatigue(event_weights={"view": 0.5}, half_life="2d").fit(log())
    before = ranking()
    after = stage(asked(1), before)
    tired = 0.5 * 2.0 ** (-2 / 2)  # two days after the look
    low = before.scores.min()
    wanted = low + (before.scores[0] - low) * np.exp(-tired)
    place = after.item_ids.index("tea")
    assert after.scores[place] == pytest.approx(wanted, rel=1e-6)
    assert (np.diff(after.scores) <= 0).all()


def test_what_was_seen_steps_back_and_comes_back():
    stage = rp.Fatigue(half_life="10d").fit(log())
    assert stage(asked(0), ranking()).item_ids == ["salt", "tea", "rice"]
    assert stage(asked(90), ranking()).item_ids == ["tea", "salt", "rice"]


def test_who_saw_nothing_or_is_not_known_gets_the_order_as_it_is():
    stage = rp.Fatigue(event_weights={"purchase": 3}).fit(log())
    before = ranking()
    assert stage(asked(0), before) is before
    assert rp.Fatigue().fit(log())(asked(0, "nobody"), before) is before


def test_without_times_nothing_tires():
    bare = log().drop(columns="timestamp")
    before = ranking()
    assert rp.Fatigue().fit(bare)(rp.Query("anna"), before) is before


def shop() -> rp.Dataset:
    weights = {"impression": 0, "view": 1}
    return rp.Dataset.from_frames(log(), event_weights=weights)


@pytest.mark.parametrize("slot", ["ranker", "reranker"])
def test_a_pipeline_rests_what_it_was_told_was_shown(slot):
    stage = rp.Fatigue(event_weights={"impression": 2})
    home = rp.Pipeline(candidates=[rp.Popularity()], **{slot: stage}).fit(shop())
    ben = asked(0, "ben")
    first = home.recommend(ben, 3, seen="keep").item_ids
    assert first[0] == "tea"
    shown = [rp.Event("ben", "tea", "impression", NOW + number) for number in range(3)]
    again = home.partial_fit(shown).recommend(ben, 3, seen="keep")
    assert again.item_ids[0] == "salt"
    assert "fatigue" in again.explain("tea")["component"].tolist()
    home.forget(["ben"])
    assert home.recommend(ben, 3, seen="keep").item_ids[0] == "tea"


def test_it_is_kept_by_a_file(tmp_path):
    home = rp.Pipeline(candidates=[rp.Popularity()], reranker=rp.Fatigue()).fit(shop())
    rp.save(home, tmp_path / "home.rp")
    loaded = rp.load(tmp_path / "home.rp")
    query = asked(0)
    assert loaded.recommend(query, 3, seen="keep").item_ids == (
        home.recommend(query, 3, seen="keep").item_ids
    )
    fresh = rp.Event("ben", "tea", "view", NOW)
    assert loaded.partial_fit(fresh).recommend(asked(0, "ben"), 3, seen="keep")[0] != "tea"


@pytest.mark.parametrize("wrong", [{"event_weights": 3}, {"half_life": "soon"}])
def test_parameters_out_of_bounds_are_refused(wrong):
    with pytest.raises(ParameterError):
        rp.Fatigue(**wrong).fit(log())
