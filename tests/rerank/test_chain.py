"""Several last stages in a row, of which the last may look at pages."""

import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ParameterError


def backwards(query, ranking):
    return ranking.rescored(-ranking.scores)


@pytest.fixture(scope="module")
def shop():
    return rp.synthetic_shop(200, 60, random_state=7)


def pipeline(shop, stages):
    return rp.Pipeline(candidates=[rp.Popularity()], reranker=stages).fit(shop)


def test_stages_are_applied_in_their_order(shop):
    plain = pipeline(shop, None).recommend("u-0001", 60).item_ids
    assert pipeline(shop, [backwards]).recommend("u-0001", 60).item_ids == plain[::-1]
    assert pipeline(shop, [backwards, backwards]).recommend("u-0001", 60).item_ids == plain


def test_a_bandit_at_the_end_draws_and_is_taught(shop):
    bandit = rp.BanditReranker(random_state=1)
    home = pipeline(shop, [backwards, bandit])
    asked = rp.Query("u-0001", decision_id="visit")
    ranking = home.recommend(asked, 5)
    assert ranking.draw.arm in home.reranker_.stages_[-1].arms_
    plain = pipeline(shop, [backwards]).recommend("u-0001", 60).item_ids
    assert set(ranking.draw.without) == set(plain[:5])
    assert home.feedback("visit", clicked=ranking.item_ids[:1])
    assert home.decisions_frame()["reward"].tolist() == [1.0]
    assert home.reranker_.stages_[-1].explain(ranking)["rewards"].sum() >= 1


def test_all_stages_share_the_tables_of_the_pipeline(shop):
    home = pipeline(shop, [rp.Fatigue(), rp.BanditReranker()])
    for stage in home.reranker_.stages_:
        assert stage.past_ is home.past_
        assert stage.items_ is home.items_


class Listening(rp.Reranker):
    """It writes down what it hears."""

    def _fit(self, dataset):
        self.heard_ = []

    def _rerank(self, query, ranking):
        return ranking

    def _know_users(self, table):
        self.heard_.append("users")

    def _learn(self, rows):
        self.heard_.append("events")

    def _items_described(self, rows, names):
        self.heard_.append("items")

    def _forget_users(self, users):
        self.heard_.append("forgotten")


@pytest.mark.parametrize(
    ("whole", "part_of"),
    [
        ([Listening(), backwards], lambda chain: chain.stages_[0]),
        (rp.BanditReranker(exploration=Listening()), lambda bandit: bandit.exploration_),
    ],
    ids=["chain", "bandit"],
)
def test_parts_hear_whatever_the_whole_hears(shop, whole, part_of):
    home = pipeline(shop, whole)
    part = part_of(home.reranker_)
    assert part.past_ is home.past_
    item = home.items_.ids[0]
    home.partial_fit([rp.Event("u-0001", item)])
    home.update_items(pd.DataFrame({"item_id": [item], "price": [3.0]}))
    home.forget(["u-0001"])
    assert [part.heard_[0], *part.heard_[-3:]] == ["users", "events", "items", "forgotten"]


def test_it_is_kept_by_a_file(shop, tmp_path):
    home = pipeline(shop, [rp.Fatigue(), rp.BanditReranker()])
    home.recommend("u-0002", 5)
    rp.save(home, tmp_path / "home.rp")
    loaded = rp.load(tmp_path / "home.rp")
    asked = rp.Query("u-0001", decision_id="visit")
    assert loaded.recommend(asked, 5).item_ids == home.recommend(asked, 5).item_ids
    assert loaded.reranker_.stages_[0].past_ is loaded.past_


@pytest.mark.parametrize("wrong", [[], [3], [rp.Fatigue], "mmr"])
def test_what_is_no_list_of_stages_is_refused(shop, wrong):
    with pytest.raises(ParameterError):
        pipeline(shop, wrong)


def test_a_log_teaches_the_bandit_at_the_end_which_explains_the_page(shop):
    home = pipeline(shop, [rp.Fatigue(), rp.BanditReranker()])
    ranking = home.recommend(rp.Query("u-0001", decision_id="visit"), 5)
    home.feedback("visit", clicked=ranking.item_ids[:1])
    fresh = pipeline(shop, [rp.Fatigue(), rp.BanditReranker()])
    fresh.reranker_.fit(home.decisions_frame())
    assert fresh.reranker_.stages_[-1].policy_.trials_.sum() > 0
    assert home.reranker_.explain(ranking)["drawn"].any()
