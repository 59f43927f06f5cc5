"""The last stage of a pipeline: it shares the shop, and may look at the pages it would make."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.data.draw import Draw
from recopersona.errors import DataError

SHOP = rp.synthetic_shop(80, 30, 30, random_state=3)


class Cheapest(rp.Reranker):
    """Cheapest first, as attributes are now."""

    def _fit(self, dataset):
        self.described_ = 0

    def _rerank(self, query, ranking):
        return ranking.rescored(-self.item_features_["price"].to_numpy()[ranking.items])

    def _items_described(self, rows, names):
        self.described_ += len(rows)


class ByPage(Cheapest):
    """Looks at two pages, and takes the cheaper one."""

    def for_page(self, query, ranking, page_of):
        prices = self.item_features_["price"].to_numpy()
        orders = [ranking, self(query, ranking)]
        costs = [prices[page_of(order).items].mean() for order in orders]
        draw = Draw("cheap", 0.5, {"plain": 0.5, "cheap": 0.5}, expected=min(costs))
        return replace(orders[int(np.argmin(costs))], draw=draw)


def home(stage):
    return rp.Pipeline(candidates=[rp.Popularity()], reranker=stage).fit(SHOP)


def test_a_pipeline_shares_its_tables_with_the_last_stage():
    fitted = home(Cheapest())
    stage = fitted.reranker_
    assert stage.items_ is fitted.items_
    assert stage.past_ is fitted.past_
    cheap = pd.DataFrame({"item_id": [fitted.items_.ids[4]], "price": [0.01]})
    fitted.update_items(cheap)
    assert fitted.recommend("u-0001", n=3, seen="keep").item_ids[0] == fitted.items_.ids[4]
    assert stage.described_ == 1


def test_what_is_shared_is_shared_after_loading(tmp_path):
    fitted = home(Cheapest())
    rp.save(fitted, tmp_path / "home.rp")
    loaded = rp.load(tmp_path / "home.rp")
    assert loaded.reranker_.items_ is loaded.items_
    assert loaded.reranker_.item_features_ is loaded.item_features_
    assert loaded.recommend("u-0001", n=5).item_ids == fitted.recommend("u-0001", n=5).item_ids


def test_new_events_move_the_end_of_time():
    fitted = home(Cheapest())
    late = pd.Timestamp(fitted.end_, unit="ms", tz="UTC") + pd.Timedelta("1D")
    fitted.partial_fit(rp.Event("u-0001", SHOP.items.ids[0], timestamp=late))
    assert fitted.reranker_.end_ == fitted.end_


def test_a_stage_may_look_at_pages_first():
    fitted = home(ByPage())
    ranking = fitted.recommend("u-0001", n=4)
    assert ranking.propensity == 0.5
    prices = fitted.item_features_["price"].to_numpy()
    assert np.isclose(ranking.draw.expected, prices[ranking.items].mean())


def test_what_was_chosen_is_remembered_and_kept(tmp_path):
    fitted = home(ByPage())
    ranking = fitted.recommend("u-0001", n=4)
    rp.save(fitted, tmp_path / "home.rp")
    decision = rp.load(tmp_path / "home.rp").decisions_[ranking.decision_id]
    assert decision.arm == "cheap"
    assert decision == fitted.decisions_[ranking.decision_id]


def test_alone_it_takes_a_user_id_and_nothing_but_rankings():
    ranking = rp.Popularity().fit(SHOP).recommend("u-0001", 20)
    stage = rp.Serendipity().fit(SHOP)
    assert stage("u-0001", ranking).item_ids == stage(rp.Query("u-0001"), ranking).item_ids
    with pytest.raises(DataError, match="Serendipity orders a Ranking"):
        stage("u-0001", ranking.item_ids)
