"""The proof for all that is no model: policies, re-rankers, customers, visits, splits, searches."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.base.recommender import as_dataset
from recopersona.errors import DataError
from tests.testing.all_but import AllBut
from tests.testing.learned import learned

SHOP = rp.synthetic_shop(150, 40, 60, random_state=5)
EVENTS = SHOP.events.drop(columns="event_id")
USERS = list(dict.fromkeys(EVENTS["user_id"]))
REFUSED = tuple(USERS[::9])
THEIRS = EVENTS["user_id"].isin(REFUSED).to_numpy()
CUSTOMERS, CATALOGUE = SHOP.customers, SHOP.catalogue


def shop(gate=None, without=()):
    return rp.Dataset.from_frames(
        EVENTS[~EVENTS["user_id"].isin(without)],
        items=CATALOGUE,
        users=CUSTOMERS[~CUSTOMERS["user_id"].isin(without)],
        gate=gate,
    )


# -- policies --------------------------------------------------------------------------------

DRAWS = np.random.default_rng(1)
N = 200
CHOICES = pd.DataFrame(
    {
        "user_id": DRAWS.choice(USERS, N),
        "arm": DRAWS.choice(["plain", "fresh"], N),
        "reward": DRAWS.integers(0, 2, N),
        "segment": DRAWS.choice(["new", "old"], N),
        "x": DRAWS.normal(size=N),
    }
)
CHOSEN = CHOICES["user_id"].isin(REFUSED).to_numpy()
POLICIES = [
    rp.Thompson(), rp.PooledThompson(), rp.EpsilonGreedy(), rp.SoftmaxGreedy(), rp.UCB1(),
    rp.LinUCB(), rp.LinTS(), rp.SquareCB(),
]  # fmt: skip
policies = pytest.mark.parametrize("policy", POLICIES, ids=lambda one: type(one).__name__)


def log_for(policy):
    linear = type(policy).__name__ in ("LinUCB", "LinTS", "SquareCB")
    return CHOICES.drop(columns="segment" if linear else "x")


def kept(policy):
    """All that a policy learned, but how many choices it refused."""
    told = learned(policy)
    counts = [pair for pair in told["learned"]["counts_"]["pairs"] if pair[0] != "refused"]
    return {**told, "learned": {**told["learned"], "counts_": counts}}


@policies
def test_choices_made_for_whoever_refuses_teach_no_policy(policy):
    log = log_for(policy)
    behind = kept(policy.fit(log, gate=AllBut(*REFUSED)))
    assert policy.counts_["refused"] == CHOSEN.sum()
    assert behind == kept(policy.fit(log[~CHOSEN]))
    assert behind != kept(policy.fit(log))


@policies
def test_later_choices_pass_the_same_gate(policy, tmp_path):
    log = log_for(policy)
    policy.fit(log, gate=AllBut(*REFUSED))
    before = kept(policy)
    assert kept(policy.partial_fit(log[CHOSEN])) == before
    rp.save(policy, tmp_path / "policy.rp")
    lost = rp.load(tmp_path / "policy.rp")
    with pytest.raises(DataError, match="was fitted behind a gate"):
        lost.partial_fit(log)
    again = rp.load(tmp_path / "policy.rp", gate=AllBut(*REFUSED))
    assert kept(again.partial_fit(log[CHOSEN])) == before
    assert kept(again.partial_fit(log[~CHOSEN])) != before


# -- re-rankers ------------------------------------------------------------------------------

RERANKERS = [
    rp.MMR(), rp.DPP(), rp.XQuAD(attribute="brand"), rp.Calibrated(attribute="brand"),
    rp.Freshness(), rp.Serendipity(), rp.Fatigue(), rp.SlotExploration(), rp.BanditReranker(),
    rp.Chain(stages=[rp.Fatigue(), rp.MMR()]),
]  # fmt: skip
rerankers = pytest.mark.parametrize("stage", RERANKERS, ids=lambda one: type(one).__name__)


@rerankers
def test_whoever_refuses_teaches_no_reranker(stage):
    expected = learned(stage.fit(shop(without=REFUSED)))
    assert learned(stage.fit(shop(AllBut(*REFUSED)))) == expected
    assert learned(stage.fit(shop(), gate=AllBut(*REFUSED))) == expected
    assert learned(stage.fit(shop())) != expected


@rerankers
def test_a_reranker_orders_for_whoever_refuses_as_for_a_stranger(stage):
    gate = AllBut()
    ranking = rp.ItemKNN().fit(shop()).recommend(USERS[3], n=20, seen="keep")
    stage.fit(shop(gate))
    gate.refuse(USERS[3])
    session = list(CATALOGUE["item_id"][:3])
    ours = stage(rp.Query(USERS[3], session=session), ranking)
    assert ours.item_ids == stage(rp.Query(), ranking).item_ids


# -- rankers and their lessons ---------------------------------------------------------------


def impressions():
    random = np.random.default_rng(2)
    n_pages, size = 150, 4
    return pd.DataFrame(
        {
            "request": np.repeat(np.arange(n_pages), size),
            "user_id": np.repeat(random.choice(USERS, n_pages), size),
            "timestamp": pd.Timestamp(SHOP.end, unit="ms") + pd.to_timedelta(
                np.repeat(np.arange(n_pages), size), unit="min"),
            "item_id": random.choice(CATALOGUE["item_id"], n_pages * size),
            "position": np.tile(np.arange(1, size + 1), n_pages),
            "clicked": random.integers(0, 2, n_pages * size),
            "price": random.random(n_pages * size),
        }
    )  # fmt: skip


SHOWN = impressions()
REST = SHOWN[~SHOWN["user_id"].isin(REFUSED)]


def test_impressions_of_whoever_refuses_are_no_lessons():
    lessons = rp.Lessons.from_impressions(SHOWN, shop(AllBut(*REFUSED)), scores=["price"])
    rest = rp.Lessons.from_impressions(REST, shop(), scores=["price"])
    assert lessons.counts["refused"] == len(SHOWN) - len(REST)
    assert [one.user_id for one in lessons.queries] == [one.user_id for one in rest.queries]
    for name in ("bounds", "labels", "positions"):
        np.testing.assert_array_equal(getattr(lessons, name), getattr(rest, name))


@pytest.mark.parametrize("lessons_of", [SHOWN, REST], ids=["with them", "without"])
def test_whoever_refuses_teaches_no_ranker(lessons_of):
    lessons = rp.Lessons.from_impressions(lessons_of, shop(), scores=["price"])
    behind = rp.BoostedRanker().fit(lessons, shop(AllBut(*REFUSED)))
    rest = rp.Lessons.from_impressions(REST, shop(), scores=["price"])
    without = rp.BoostedRanker().fit(rest, shop(without=REFUSED))
    assert _trees(behind) == _trees(without)
    everybody = rp.Lessons.from_impressions(SHOWN, shop(), scores=["price"])
    assert _trees(rp.BoostedRanker().fit(everybody, shop())) != _trees(without)


def _trees(ranker):
    """All but the counts, which tell of what was given."""
    told = learned(ranker)
    return {**told, "learned": {name: one for name, one in told["learned"].items()
                                if name != "counts_"}}  # fmt: skip


def test_a_ranker_judges_for_whoever_refuses_as_for_a_stranger():
    lessons = rp.Lessons.from_impressions(SHOWN, shop(), scores=["price"])
    gate = AllBut()
    ranker = rp.BoostedRanker().fit(lessons, shop(gate))
    user = SHOWN["user_id"][0]
    ranking, now = lessons.rankings[-1], SHOP.end + 1_000
    known = ranker.probabilities(rp.Query(user, now=now), ranking)
    gate.refuse(user)
    strange = ranker.probabilities(rp.Query(now=now), ranking)
    asked = rp.Query(user, now=now)
    np.testing.assert_array_equal(ranker.probabilities(asked, ranking), strange)
    assert not np.array_equal(known, strange)
    np.testing.assert_array_equal(
        ranker(asked, ranking).items, ranker(rp.Query(now=now), ranking).items
    )
    item = ranking.item_ids[0]
    pd.testing.assert_frame_equal(
        ranker.explain(asked, ranking, item), ranker.explain(rp.Query(now=now), ranking, item)
    )


def test_whoever_refuses_teaches_nothing_of_places():
    options = {"hidden": 4, "epochs": 3}
    behind = rp.ExaminationModel(**options).fit(SHOWN, ["price"], gate=AllBut(*REFUSED))
    without = rp.ExaminationModel(**options).fit(REST, ["price"])
    assert learned(behind) == learned(without)
    assert learned(behind) != learned(rp.ExaminationModel(**options).fit(SHOWN, ["price"]))


# -- customers -------------------------------------------------------------------------------


@pytest.mark.parametrize("describe", [lambda log: log, rp.rfm], ids=["events", "a table"])
@pytest.mark.parametrize("model", [rp.LifetimeValue(), rp.Segments()], ids=["lifetime", "segments"])
def test_whoever_refuses_is_no_customer(model, describe):
    given, rest = describe(EVENTS), describe(EVENTS[~THEIRS])
    tell = model.predict if hasattr(model, "predict") else model.transform
    behind = learned(model.fit(given, gate=AllBut(*REFUSED)))
    told = tell(given)
    assert behind == learned(model.fit(rest))
    pd.testing.assert_frame_equal(told.reset_index(drop=True), tell(rest).reset_index(drop=True))
    assert behind != learned(model.fit(given))


@pytest.mark.parametrize("model", [rp.LifetimeValue(), rp.Segments()], ids=["lifetime", "segments"])
def test_customers_are_told_of_behind_the_gate_only(model, tmp_path):
    gate = AllBut()
    rp.save(model.fit(EVENTS, gate=gate), tmp_path / "model.rp")
    gate.refuse(*REFUSED)
    verb = "predict" if hasattr(model, "predict") else "transform"
    assert not {*REFUSED} & {*getattr(model, verb)(EVENTS)["user_id"]}
    lost = rp.load(tmp_path / "model.rp")
    with pytest.raises(DataError, match="was fitted behind a gate"):
        getattr(lost, verb)(EVENTS)
    again = rp.load(tmp_path / "model.rp", gate=gate)
    assert not {*REFUSED} & {*getattr(again, verb)(EVENTS)["user_id"]}


def test_segments_are_told_at_once_behind_the_gate():
    told = rp.Segments().fit_transform(EVENTS, gate=AllBut(*REFUSED))
    rest = rp.Segments().fit_transform(EVENTS[~THEIRS])
    pd.testing.assert_frame_equal(told, rest)


def test_gaps_are_filled_from_those_who_agree():
    table = CUSTOMERS.assign(age=np.arange(len(CUSTOMERS)) * 1.0)
    table.loc[3, "age"] = np.nan
    imputer = rp.ProfileImputer(columns=["age"])
    filled = imputer.fit(table, gate=AllBut(*REFUSED)).transform(table)
    rest = table[~table["user_id"].isin(REFUSED)]
    assert filled["age"][3] == rest["age"].median() != table["age"].median()


# -- visits ----------------------------------------------------------------------------------


def test_visits_of_whoever_refuses_are_not_remembered():
    model = rp.Item2Vec(factors=4, epochs=2, random_state=1)
    behind = rp.SessionEncoder(model).fit(EVENTS, gate=AllBut(*REFUSED))
    without = rp.SessionEncoder(model).fit(EVENTS[~THEIRS])
    assert learned(behind) == learned(without)
    assert learned(behind) != learned(rp.SessionEncoder(model).fit(EVENTS))
    fitted = rp.Item2Vec(factors=4, epochs=2, random_state=1).fit(EVENTS, gate=AllBut(*REFUSED))
    assert (
        learned(rp.SessionEncoder(fitted).fit(EVENTS))["learned"]["vectors_"]
        == (learned(without)["learned"]["vectors_"])
    )


def test_the_visit_of_whoever_refuses_is_not_read(tmp_path):
    gate = AllBut()
    model = rp.SessionFactors(factors=4, epochs=2, random_state=1)
    encoder = rp.SessionEncoder(model).fit(EVENTS, gate=gate)
    asked = rp.Query(USERS[3], session=list(CATALOGUE["item_id"][:2]))
    assert encoder.encode(asked).any()
    gate.refuse(USERS[3])
    assert not encoder.encode(asked).any()
    rp.save(encoder, tmp_path / "encoder.rp")
    assert not rp.load(tmp_path / "encoder.rp").encode(asked).any()
    assert rp.load(tmp_path / "encoder.rp", gate=AllBut()).encode(asked).any()


def test_lists_of_items_say_nobodys_name():
    with pytest.raises(DataError, match="do not say whose visits they are, so no gate can be"):
        rp.SessionEncoder().fit([["tea", "salt"]] * 9, gate=AllBut())


# -- what is asked beside recommendations ----------------------------------------------------


def test_bundles_are_offered_to_whoever_refuses_as_to_a_stranger():
    gate = AllBut()
    model = rp.Bundles(support=2, significance=0).fit(shop(gate))
    gate.refuse(USERS[3])
    cart = rp.Query(USERS[3], session=list(CATALOGUE["item_id"][:3]))
    pd.testing.assert_frame_equal(
        model.recommend_bundles(cart), model.recommend_bundles(rp.Query())
    )


def test_strangers_are_asked_what_those_who_agree_tell_most_by():
    behind = rp.questionnaire(shop(AllBut(*REFUSED)))
    pd.testing.assert_frame_equal(behind, rp.questionnaire(shop(without=REFUSED)))


# -- splits and searches ---------------------------------------------------------------------

CUTS = [
    lambda data: rp.split_by_time(data, 0.2),
    lambda data: next(iter(rp.rolling_splits(data, "10d"))),
    lambda data: rp.split_last(data),
    lambda data: rp.leave_one_out(data),
    lambda data: rp.split_at_random(data, random_state=1),
    lambda data: rp.split_users(data, random_state=1),
    lambda data: next(iter(rp.k_fold(data, 3))),
    lambda data: next(iter(rp.k_fold_users(data, 3))),
    lambda data: rp.cold_items(data, random_state=1),
    lambda data: rp.cold_users(data, random_state=1),
]


@pytest.mark.parametrize("cut", CUTS, ids=range(len(CUTS)))
def test_parts_of_a_gated_dataset_stay_gated(cut):
    gate = AllBut(*REFUSED)
    split = cut(shop(gate))
    for part in (split.train, split.test, split.given):
        assert part is None or part.gate is gate
    model = rp.ItemKNN().fit(split.train)
    assert model.gate is gate
    assert learned(model) == learned(rp.ItemKNN().fit(cut(shop(without=REFUSED)).train))


def test_a_withdrawal_between_split_and_fit_counts():
    gate = AllBut()
    split = rp.split_by_time(shop(gate), 0.2)
    gate.refuse(*REFUSED)
    model = rp.ItemKNN().fit(split.train)
    assert not {*REFUSED} & {*model.users_.ids}
    table = rp.evaluate({"ItemKNN": rp.ItemKNN()}, split)
    assert 0 < table["ndcg@10"].iloc[0] < 1


def test_cross_validation_is_that_of_those_who_agree():
    folds = rp.PairKFold(n_splits=3, random_state=0)
    measured = rp.cross_validate(rp.ItemKNN(), folds, data=shop(AllBut(*REFUSED)))
    rest = rp.cross_validate(rp.ItemKNN(), folds, data=shop(without=REFUSED))
    assert measured["ndcg@10"].tolist() == rest["ndcg@10"].tolist()


class Impatient(AllBut):
    """Lets all pass at first, and then has some withdraw, as in a search of hours."""

    def admitted(self, rows, purpose):
        mask = super().admitted(rows, purpose)
        if len(self.asked) == 4:
            self.refuse(*REFUSED)
        return mask


def test_a_search_ends_with_a_model_of_those_who_agree_by_then():
    tuned = rp.tune(rp.ItemKNN(), shop(AllBut(*REFUSED)), trials=2, random_state=0)
    rest = rp.tune(rp.ItemKNN(), shop(without=REFUSED), trials=2, random_state=0)
    assert learned(tuned.model) == learned(rest.model)
    gate = Impatient()
    data = shop(gate)
    model = rp.tune(rp.ItemKNN(), data, trials=2, random_state=0).model
    assert gate.refused
    assert not {*REFUSED} & {*model.users_.ids}


def test_a_part_cleared_for_one_fit_is_asked_about_again_by_the_next():
    gate = AllBut()
    cleared = as_dataset(shop(gate))
    assert cleared.cleared
    assert not shop(gate).cleared
