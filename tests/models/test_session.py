"""The visit in a question, and how it is blended with the past."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.models.session import Opinions, SessionRecommender

NOON = pd.Timestamp("2026-03-01 12:00", tz="UTC")


class Echo(SessionRecommender):
    """Says of each click how often it is in the visit, plus its place: 1, 2, …"""

    def _fit_visits(self, visits, dataset):
        self.learned_ = []

    def _learn_clicks(self, clicks):
        for row in np.flatnonzero(clicks.counts >= 0):
            before = clicks.before[row, : clicks.counts[row]].tolist()
            self.learned_.append([int(clicks.items[row]), *before])

    def _opinions(self, visit, now):
        items, counts = np.unique(visit, return_counts=True)
        last = {int(item): place for place, item in enumerate(visit.tolist(), 1)}
        scores = [count + last[item] for item, count in zip(items.tolist(), counts, strict=True)]
        return Opinions(items.astype(np.int32), np.array(scores, np.float32))


def click(user, item, minutes, event="view"):
    return rp.Event(user, item, event, NOON + pd.Timedelta(minutes=minutes))


LOG = [
    click("anna", "tea", -600),
    click("anna", "salt", -599),
    click("ben", "tea", -1),
    click("ben", "honey", 0),
    click("cleo", "rice", -2),
]


@pytest.fixture
def model():
    return Echo(profile=1).fit(LOG)


def said(model, query):
    scores = model.score_items(rp.Query.of(query))
    return {
        model.items_.ids[item]: round(float(scores[item]), 6)
        for item in np.flatnonzero(np.isfinite(scores))
    }


def test_a_session_is_the_visit_and_the_page_its_last_click(model):
    assert said(model, rp.Query(session=["tea", "salt"])) == {"tea": 2, "salt": 3}
    assert said(model, rp.Query(session=["tea"], seed="salt")) == {"tea": 2, "salt": 3}
    assert said(model, rp.Query(session=["tea", "salt"], seed="salt")) == {"tea": 2, "salt": 3}


def test_what_was_done_within_the_gap_goes_on(model):
    assert said(model, "ben") == {"tea": 2, "honey": 3}
    later = NOON + pd.Timedelta(minutes=31)
    assert model._visit(rp.Query("ben", now=later)).tolist() == []
    assert said(model, rp.Query("ben", now=later)) == {"tea": 2, "honey": 3}  # as her past


def test_the_longer_the_visit_the_less_the_past(model):
    one = said(model, rp.Query("anna", session=["honey"]))
    assert one == {"honey": 0.5, "tea": pytest.approx(0.5 * 2 / 3), "salt": 0.5}
    three = said(model, rp.Query("anna", session=["honey", "rice", "honey"]))
    assert three["honey"] == 0.75
    assert three["salt"] == 0.25


def test_a_given_history_takes_the_place_of_the_past(model):
    assert said(model, rp.Query("ben", history=["salt"])) == {"salt": 2}
    assert said(model, rp.Query(history={"salt": 1, "tea": 0})) == {"salt": 2}
    both = said(model, rp.Query(session=["tea"], history=["salt"]))
    assert both == {"tea": 0.5, "salt": 0.5}


def test_items_of_the_visit_stay_eligible_and_others_do_not(model):
    def own(query, **options):
        ranking = model.recommend(query, **options)
        named = zip(ranking.item_ids, ranking.sources, strict=True)
        return [item for item, source in named if source == "Echo"]

    assert own("ben") == ["honey", "tea"]
    assert own("anna") == []
    assert own(rp.Query("anna", session=["tea"])) == ["tea"]
    assert own(rp.Query(session=["tea", "salt"], seed="salt")) == ["tea"]
    model.set_params(repeats=False)
    assert own("ben") == []
    assert own(rp.Query(session=["tea"])) == []


def test_without_times_all_is_one_visit_and_stays_seen():
    model = Echo().fit([rp.Event("ben", "tea"), rp.Event("ben", "honey")])
    assert said(model, "ben") == {"tea": 2, "honey": 3}
    assert "Echo" not in model.recommend("ben").sources


def test_events_come_with_what_was_before_them_in_the_visit(model):
    tea, salt, honey, rice = model.items_.indices(["tea", "salt", "honey", "rice"]).tolist()
    model.partial_fit(click("ben", "salt", 10))
    model.partial_fit([click("ben", "rice", 41), click("dora", "tea", 41), click("dora", "x", 42)])
    model.partial_fit(click("ben", "salt", 42, "cart"))
    assert model.learned_ == [
        [salt, honey, tea], [rice], [tea], [model.items_.index("x"), tea], [salt, rice],
    ]  # fmt: skip
    assert said(model, "ben") == {
        "rice": pytest.approx(2 / 3 * 2 / 3, abs=1e-6),
        "salt": pytest.approx(2 / 3 + 1 / 3),
        "tea": pytest.approx(1 / 3 * 2 / 4, abs=1e-6),
        "honey": pytest.approx(1 / 3 * 3 / 4),
    }


def test_the_kind_of_the_last_fitted_click_is_known(model):
    model.partial_fit([click("ben", "honey", 1), click("cleo", "rice", 1, "cart")])
    assert [row[0] for row in model.learned_] == [model.items_.index("honey")]


def test_a_view_a_cart_and_a_purchase_in_a_row_are_one_click(model):
    model.partial_fit([click("ben", "honey", 1, "cart"), click("ben", "honey", 2, "purchase")])
    assert model.learned_ == []
    model.partial_fit([click("ben", "honey", 3, "purchase"), click("ben", "tea", 4, "impression")])
    honey, tea = model.items_.indices(["honey", "tea"]).tolist()
    assert [row[0] for row in model.learned_] == [honey, tea]
    assert model.learned_[0] == [honey, honey, tea]


def test_a_stored_visit_is_told_apart_as_in_a_log(model):
    def visit(user):
        return model.items_.ids[model._visit(rp.Query(user))].tolist()

    model.partial_fit([click("ben", "honey", 1, "cart"), click("ben", "honey", 2, "purchase")])
    assert visit("ben") == ["tea", "honey"]
    model.partial_fit(click("ben", "gone", 3, "return"))
    assert visit("ben") == ["tea", "honey"]
    model.partial_fit(rp.Event("ben", "salt"))  # nobody knows when, so nothing ended
    assert visit("ben") == ["tea", "honey", "salt"]
    model.partial_fit(click("ben", "salt", 60))
    assert visit("ben") == ["salt"]


def test_contributions_add_up(model):
    query = rp.Query("anna", session=["honey", "tea"])
    for item, score in said(model, query).items():
        assert model.explain(query, item)["contribution"].sum() == pytest.approx(score, abs=1e-6)


def test_long_visits_are_followed_by_their_latest_clicks(model):
    model.partial_fit([click("ben", f"i{n}", 1) for n in range(40)])
    last = model.learned_[-1]
    assert len(last) == 17
    ids = model.items_.ids[np.array(last)].tolist()
    assert ids == [f"i{n}" for n in range(39, 22, -1)]


def test_a_visit_holds_no_more_than_the_latest_events():
    # Of rarer kinds older ones are remembered, too, but what lay between them is not.
    items = [f"i{n}" for n in range(250)]
    for timed in (True, False):
        time = [NOON + pd.Timedelta(seconds=n) if timed else None for n in range(251)]
        log = [rp.Event("ben", "tea", "purchase", time[0])]
        log += [rp.Event("ben", item, "view", at) for item, at in zip(items, time[1:], strict=True)]
        model = Echo().fit(log)
        assert model.items_.ids[model._visit(rp.Query("ben"))].tolist() == items[50:]
        online = Echo().fit(log[:1]).partial_fit(log[1:])
        assert online.items_.ids[online._visit(rp.Query("ben"))].tolist() == items[50:]


def test_a_forgotten_user_leaves_no_trail(model):
    model.forget(["ben"])
    assert model.trails_.lengths_[model.trails_.lengths_ > 0].tolist() == [2, 1]


def test_trails_survive_a_file(model, tmp_path):
    rp.save(model, tmp_path / "echo.rp")
    again = rp.load(tmp_path / "echo.rp")
    for one in (model, again):
        one.learned_ = []
        one.partial_fit(click("ben", "salt", 10))
    assert again.learned_ == model.learned_ != []
