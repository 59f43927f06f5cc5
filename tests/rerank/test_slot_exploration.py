"""Every place tosses its own coin for a new item, and says truly how likely that was."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

import recopersona as rp
from recopersona.data.ranking import Ranking
from recopersona.errors import ParameterError
from recopersona.rerank.scaling import scaled
from tests.naive import exploring as naive

SCORES = [6.0, 5.0, 4.0, 2.0, 1.0]
NEW = ["i1", "i3", "i4"]


def shop():
    """Five items: i1 and i3 were created lately, i4 nobody has ever seen."""
    shelf = pd.DataFrame({
        "item_id": [f"i{k}" for k in range(5)],
        "created_at": ["2025-01-01", "2026-01-20", "2025-01-01", "2026-01-30", None],
        "kind": ["tea", "salt", "tea", "salt", "tea"],
    })  # fmt: skip
    log = pd.DataFrame({
        "user_id": ["anna", "anna", "ben", "ben"],
        "item_id": ["i0", "i1", "i1", "i1"],
        "timestamp": "2026-02-01",
    })  # fmt: skip
    return rp.Dataset.from_frames(log, items=shelf)


def ranked(data):
    return Ranking.of(np.arange(5), SCORES, data.items, "model")


def visit(number, **said):
    return rp.Query("cleo", decision_id=f"visit {number}", **said)


def lists(rate, weight, n):
    doubt = [0, 1 / np.sqrt(1 + 3), 0, 1, 1]
    return naive.lists(scaled(SCORES), doubt, rate, weight, n)


def test_what_is_new_is_said_by_dates_and_events():
    data = shop()
    stage = rp.SlotExploration().fit(data)
    items = np.arange(5)
    assert data.items.ids[stage.are_new(visit(0), items)].tolist() == NEW
    later = visit(0, now="2026-02-25")
    assert data.items.ids[stage.are_new(later, items)].tolist() == ["i3", "i4"]
    short = rp.SlotExploration(item_age_cutoff="3d").fit(data)
    assert data.items.ids[short.are_new(visit(0), items)].tolist() == ["i3", "i4"]


@pytest.mark.parametrize(("rate", "weight"), [(0.3, 0.3), (0.6, 1.0), (1.0, 0.0)])
def test_lists_come_as_often_as_they_say(rate, weight):
    data = shop()
    stage = rp.SlotExploration(rate=rate, weight=weight, top=3).fit(data)
    possible = lists(rate, weight, 3)
    n, seen, ranking = 4000, Counter(), ranked(data)
    for number in range(n):
        page = stage(visit(number), ranking)
        chosen = tuple(page.items[:3].tolist())
        np.testing.assert_allclose(page.slot_propensities[:3], possible[chosen])
        assert np.isnan(page.slot_propensities[3:]).all()
        seen[chosen] += 1
    assert luck(seen, possible, n) > 0.01
    # Had coins fallen a sixth less often, so many visits would tell.
    assert luck(seen, lists(rate * 5 / 6, weight, 3), n) < 0.01


def luck(seen, possible, n):
    """Return how likely counts this far from what is said would be, were it true."""
    expected = {chosen: n * np.prod(chances) for chosen, chances in possible.items()}
    common = [chosen for chosen, often in expected.items() if often >= 5]
    got, told = [seen[chosen] for chosen in common], [expected[chosen] for chosen in common]
    if n - sum(told) > 1e-6:
        got, told = [*got, n - sum(got)], [*told, n - sum(told)]
    return chisquare(got, told).pvalue


def test_one_coin_does_not_toss_for_the_whole_list():
    data = shop()
    stage = rp.SlotExploration(rate=0.5, weight=1.0).fit(data)
    first, second = [], []
    for number in range(2000):
        page = stage(visit(number), ranked(data))
        first.append(page.items[0] != 0)
        second.append(page.sources[1] == "SlotExploration")
    both = np.mean(np.array(first) & np.array(second))
    assert abs(both - np.mean(first) * np.mean(second)) < 0.05
    assert 0.4 < np.mean(first) < 0.6


def test_inverse_propensities_tell_what_another_order_is_worth():
    """Clicks by item and place; the order that is judged puts the new items first."""
    data, ranking = shop(), None
    stage = rp.SlotExploration(rate=0.5, weight=0.5, top=3).fit(data)
    ranking, rng = ranked(data), np.random.default_rng(0)
    chance = np.array([0.1, 0.5, 0.2, 0.8, 0.4])[:, None] * np.array([1, 0.6, 0.4])
    wanted = (3, 1, 4)
    truth = sum(chance[item, place] for place, item in enumerate(wanted))
    told = np.zeros(8000)
    for number in range(len(told)):
        page = stage(visit(number), ranking)
        weight = 1.0
        for place, item in enumerate(page.items[:3].tolist()):
            # The reward of a place is weighted by how likely the list was up to there.
            weight *= (item == wanted[place]) / page.slot_propensities[place]
            told[number] += weight * (rng.random() < chance[item, place])
    error = told.std() / np.sqrt(len(told))
    assert abs(told.mean() - truth) < 2.5 * error
    assert error < 0.1 * truth


def test_the_same_decision_is_the_same_list_and_none_explores_nothing():
    data, ranking = shop(), ranked(shop())
    stage = rp.SlotExploration(rate=0.9).fit(data)
    one, again = (stage(visit(3), ranking) for _ in "ab")
    assert one.item_ids == again.item_ids != ranking.item_ids
    other = rp.SlotExploration(rate=0.9, random_state=1).fit(data)
    assert any(
        other(visit(k), ranking).item_ids != stage(visit(k), ranking).item_ids for k in range(5)
    )
    assert stage(rp.Query("cleo"), ranking) is ranking
    plain = rp.SlotExploration(rate=0.0).fit(data)(visit(3), ranking)
    assert plain.item_ids == ranking.item_ids
    assert plain.slot_propensities.tolist() == [1.0] * 5


def test_scores_stay_with_places_and_all_else_with_its_item():
    data = shop()
    ranking = ranked(data)
    parts = np.array(SCORES, np.float32)[:, None]
    ranking = Ranking(ranking.items, ranking.scores, data.items, ("model",), ranking.source, parts)
    page = rp.SlotExploration(rate=1.0).fit(data)(visit(1), ranking)
    assert page.scores.tolist() == SCORES
    for item in page.item_ids:
        assert page.explain(item)["contribution"].tolist() == [SCORES[data.items.index(item)]]
    assert page.sources[0] == "SlotExploration"
    assert page.sources[-1] == "model"


def test_without_anything_new_all_is_certain():
    data = shop()
    old = rp.SlotExploration(rate=1.0).fit(data)
    page = old(visit(1, now="2027-01-01"), ranked(data).take([0, 1, 2]))
    assert page.item_ids == ["i0", "i1", "i2"]
    assert page.slot_propensities.tolist() == [1, 1, 1]


def test_in_a_pipeline_items_that_come_are_new_and_decisions_remember(tmp_path):
    stage = rp.SlotExploration(rate=1.0, weight=1.0)
    home = rp.Pipeline(candidates=[rp.Popularity(), rp.ContentKNN()], reranker=stage).fit(shop())
    home.update_items(pd.DataFrame({"item_id": ["i5"], "kind": ["tea"]}))
    pages = [home.recommend(visit(k, session=["i0"]), n=3, seen="keep") for k in range(30)]
    assert {"i1", "i3", "i4", "i5"} >= {page.item_ids[0] for page in pages}
    assert any("i5" in page.item_ids for page in pages)
    decision = home.decisions_["visit 3"]
    assert decision.slot_propensities == tuple(pages[3].slot_propensities.tolist())
    assert 0 < min(decision.slot_propensities) < 1
    rp.save(home, tmp_path / "home.rp")
    loaded = rp.load(tmp_path / "home.rp")
    again = loaded.recommend(visit(3, session=["i0"]), n=3, seen="keep")
    assert again.item_ids == pages[3].item_ids


@pytest.mark.parametrize("wrong", [{"rate": 1.1}, {"weight": -1}, {"item_age_cutoff": 30}])
def test_what_cannot_be_is_said(wrong):
    with pytest.raises(ParameterError, match=f"SlotExploration: {next(iter(wrong))} must be"):
        rp.SlotExploration(**wrong).fit(shop())
