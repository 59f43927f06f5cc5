import copy

import numpy as np
import pandas as pd
import pytest

from recopersona import (
    ALS,
    Dataset,
    Event,
    EventGate,
    ExaminationModel,
    Factorization,
    Popularity,
    Query,
    load,
    save,
    synthetic_shop,
)
from recopersona.errors import ArtifactError, DataError

SHOP = synthetic_shop(120, 40, random_state=7)
EVENTS = SHOP.events_frame()
REFUSED = "u-0003"


class Bars(EventGate):
    def __init__(self, *users):
        self.users = set(users)

    def admitted(self, rows, purpose):
        return ~rows["user_id"].isin(self.users).to_numpy()

    def admits(self, who, purpose, at=None):
        return who.get("user_id") not in self.users


def arrays_of(model):
    return {
        name: value.tobytes()
        for name, value in vars(model).items()
        if isinstance(value, np.ndarray)
    }


def test_a_model_behind_a_gate_is_the_model_of_those_who_are_admitted():
    gate = Bars(REFUSED)
    without = EVENTS[EVENTS["user_id"] != REFUSED]
    expected = arrays_of(ALS(factors=4).fit(without))
    assert arrays_of(ALS(factors=4).fit(EVENTS, gate=gate)) == expected
    assert arrays_of(ALS(factors=4).fit(Dataset.from_frames(EVENTS), gate=gate)) == expected
    assert arrays_of(ALS(factors=4).fit(Dataset.from_frames(EVENTS, gate=gate))) == expected
    assert arrays_of(ALS(factors=4).fit(EVENTS)) != expected


def test_a_fit_that_the_gate_left_nothing_to_says_so():
    nobody = Bars(*EVENTS["user_id"].unique())
    words = rf"got none: its gate refused {len(EVENTS):,} events, and gate\.counts says why"
    for entrance in (EVENTS, Dataset.from_frames(EVENTS)):
        with pytest.raises(DataError, match=words):
            Popularity().fit(entrance, gate=nobody)


def test_a_class_is_no_gate():
    with pytest.raises(DataError, match=r"must be an EventGate.*got the class Bars\."):
        Popularity().fit(EVENTS, gate=Bars)


def test_whoever_withdraws_between_reading_and_fitting_is_left_out():
    gate = Bars()
    shop = Dataset.from_frames(EVENTS, gate=gate)
    gate.users.add(REFUSED)
    assert REFUSED not in Popularity().fit(shop).users_


def test_validation_passes_the_gate_too():
    gate = Bars(REFUSED)
    shop = Dataset.from_frames(EVENTS)
    late = np.arange(len(shop.log)) > 0.8 * len(shop.log)
    of_refused = shop.take(late & (shop.log.users == shop.users.index(REFUSED)))
    model = Popularity()
    model.fit(shop.take(~late), validation=of_refused)
    with pytest.raises(DataError, match="validation needs a user with a held-out item"):
        model.fit(shop.take(~late), validation=of_refused, gate=gate)


@pytest.mark.parametrize(
    "events",
    [
        Event(REFUSED, "new"),
        [Event(REFUSED, "new")],
        pd.DataFrame({"user_id": [REFUSED], "item_id": ["new"]}),
    ],
    ids=["event", "list", "frame"],
)
def test_refused_events_teach_nothing_online(events):
    model = Factorization(factors=4).fit(EVENTS, gate=Bars(REFUSED))
    before = arrays_of(model)
    model.partial_fit(events)
    assert arrays_of(model) == before
    assert "new" not in model.items_
    assert model.gate.counts["personalization: refused"] > 0
    model.behind(Bars()).partial_fit(events)
    assert arrays_of(model) != before


def test_what_is_predicted_and_learned_passes_the_gate():
    model = Factorization(factors=4).fit(EVENTS, gate=Bars(REFUSED))
    before = arrays_of(model)
    rows = [Event(REFUSED, "sku-001"), Event("u-0002", "sku-001")]
    assert np.isnan(model.predict_then_learn(rows[:1])).tolist() == [True]
    assert arrays_of(model) == before
    assert np.isnan(model.predict_then_learn(rows)).tolist() == [True, False]


def test_the_refused_are_answered_as_strangers_and_told_so():
    model = ALS(factors=4).fit(EVENTS, gate=(gate := Bars()))
    known = model.recommend(REFUSED)
    gate.users.add(REFUSED)
    refused = model.recommend(Query(REFUSED, session=["sku-001"], seed="sku-002"))
    assert refused.effects[0] == "no consent to personalization: by page and context only"
    assert refused.item_ids == model.recommend(Query(seed="sku-002")).item_ids
    assert known.effects == ()
    assert model.recommend("u-0001").effects == ()
    assert model.explain(REFUSED, "sku-001").equals(model.explain(Query(), "sku-001"))


def test_many_are_answered_each_by_his_own_consent():
    model = ALS(factors=4).fit(EVENTS, gate=(gate := Bars()))
    before = model.recommend_many(["u-0001", REFUSED], n=3)
    gate.users.add(REFUSED)
    after = model.recommend_many(["u-0001", REFUSED], n=3)
    assert after["user_id"].tolist() == before["user_id"].tolist()
    assert after["item_id"].tolist()[:3] == before["item_id"].tolist()[:3]
    assert set(after["source"][3:]) == {"fallback: popularity"}
    assert model.rank_many([REFUSED])[0].effects


def test_a_request_may_say_itself_that_its_visitor_is_not_to_be_known():
    model = ALS(factors=4).fit(EVENTS)
    ranking = model.recommend(Query("u-0001", refused="declined"))
    assert ranking.effects == ("declined: by page and context only",)
    assert ranking.sources[0] == "fallback: popularity"
    with pytest.raises(
        DataError, match="refused must say why in words, such as 'declined', got True"
    ):
        Query("u-0001", refused=True)


def test_a_saved_model_asks_for_its_gate(tmp_path):
    save(ALS(factors=4).fit(EVENTS, gate=Bars(REFUSED)), tmp_path / "m")
    model = load(tmp_path / "m")
    assert model.recommend("u-0001").effects == (
        "no gate to ask for consent: by page and context only",
    )
    assert set(model.recommend_many(["u-0001"])["source"]) == {"fallback: popularity"}
    with pytest.raises(DataError, match=r"fitted behind a gate; load it with rp\.load\(path, gate"):
        model.partial_fit(Event("u-0001", "sku-001"))
    with pytest.raises(DataError, match="fitted behind a gate"):
        model.update_users(pd.DataFrame({"user_id": ["new"]}))
    assert load(tmp_path / "m", gate=Bars(REFUSED)).recommend("u-0001").effects == ()


def test_a_second_fit_forgets_the_gate_of_the_first():
    model = Popularity().fit(EVENTS, gate=Bars(REFUSED))
    assert model.gated_
    model.fit(EVENTS)
    assert model.gate is None
    assert not model.gated_


def test_a_copy_stands_behind_the_same_gate():
    model = Popularity().fit(EVENTS, gate=Bars(REFUSED))
    assert copy.copy(model).gate is model.gate


def test_only_a_gate_is_a_gate(tmp_path):
    with pytest.raises(DataError, match="a gate must be an EventGate, such as"):
        Popularity().fit(EVENTS, gate=lambda rows: rows)
    with pytest.raises(DataError, match="got a str"):
        Popularity().fit(EVENTS).behind("ledger")
    shown = pd.DataFrame({"position": [1, 2], "clicked": [0, 1]})
    save(ExaminationModel(propensities=[1.0, 0.5]).fit(shown), tmp_path / "e")
    with pytest.raises(ArtifactError, match="learns from nobody, so it needs no gate"):
        load(tmp_path / "e", gate=Bars())
