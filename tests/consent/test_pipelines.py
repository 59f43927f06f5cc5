"""The proof for pipelines: pages, feedback and silence of those who refuse teach nothing."""

import pandas as pd
import pytest

from recopersona import (
    BanditReranker,
    BoostedRanker,
    ConsentLedger,
    Dataset,
    Event,
    ExpectedRevenue,
    Fatigue,
    ItemKNN,
    NeuralRanker,
    Pipeline,
    Popularity,
    Query,
    SegmentPopularity,
    SlotExploration,
    load,
    save,
    synthetic_shop,
)
from recopersona.errors import DataError
from tests.testing.all_but import AllBut
from tests.testing.learned import learned

SHOP = synthetic_shop(150, 40, 40, random_state=5)
EVENTS, CUSTOMERS = SHOP.events_frame(), SHOP.user_features.to_frame()
CUSTOMERS.insert(0, "user_id", SHOP.users.ids[: len(CUSTOMERS)])
CATALOGUE = SHOP.item_features.to_frame()
CATALOGUE.insert(0, "item_id", SHOP.items.ids[: len(CATALOGUE)])
CATALOGUE["margin"] = CATALOGUE["price"] * 0.3
USERS = list(dict.fromkeys(EVENTS["user_id"]))
REFUSED, OTHER = USERS[0], USERS[5]
NOW, DAY = SHOP.end, 86_400_000
RULES = (
    "RULE in_stock: REQUIRE item.stock > 0; EXCLUDE DID purchase WITHIN 90d; LIMIT 2 PER item.brand"
)
SAID = "no consent to personalization: by page and context only"


def made(ranker=None, **settings):
    settings.setdefault(
        "reranker",
        [Fatigue(), BanditReranker(exploration=SlotExploration(random_state=2), random_state=1)],
    )
    candidates = [ItemKNN(k=20), SegmentPopularity(), Popularity(half_life="7d")]
    return Pipeline(candidates=candidates, rules=RULES, ranker=ranker, **settings)


def shop(gate=None, without=()):
    return Dataset.from_frames(
        EVENTS[~EVENTS["user_id"].isin(without)],
        items=CATALOGUE,
        users=CUSTOMERS[~CUSTOMERS["user_id"].isin(without)],
        event_weights={"view": 1, "cart": 4, "purchase": 10},
        gate=gate,
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A pipeline that everybody agreed to, on disk: tests take a fresh one each."""
    path = tmp_path_factory.mktemp("home") / "home.rp"
    save(made(BoostedRanker(requests=150)).fit(shop(AllBut())), path)
    return path


@pytest.fixture
def home(saved):
    return load(saved, gate=AllBut())


def query(user=REFUSED, name=None, **said):
    said = {"now": NOW, "context": {"page": "home"}} | said
    return Query(user, decision_id=name, **said)


def taught(home):
    bandit = home.reranker_.stages_[-1]
    return learned(bandit.policy_), learned(bandit.expectation_)


def counts(home):
    return {name: count for name, count in home.feedback_counts_.items() if count}


# -- fitting ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ranker",
    [None, BoostedRanker(requests=150), NeuralRanker(requests=150, epochs=2),
     ExpectedRevenue(requests=150)],
    ids=["none", "boosted", "neural", "revenue"],
)  # fmt: skip
def test_whoever_refuses_teaches_no_stage(ranker):
    expected = learned(made(ranker).fit(shop(without=[REFUSED, OTHER])))
    assert learned(made(ranker).fit(shop(AllBut(REFUSED, OTHER)))) == expected
    assert learned(made(ranker).fit(shop(), gate=AllBut(REFUSED, OTHER))) == expected
    assert learned(made(ranker).fit(shop())) != expected


# -- pages -----------------------------------------------------------------------------------


def test_a_page_for_whoever_refuses_leaves_no_trace(home):
    home.gate.refuse(REFUSED)
    before = learned(home)
    ranking = home.recommend(query(name="d", session=[USERS[3]], now=NOW + 30 * DAY), n=5)
    assert learned(home) == before
    assert (len(ranking), ranking.decision_id, ranking.draw) == (5, "d", None)
    assert SAID in ranking.effects
    assert any(effect.startswith("in_stock left out") for effect in ranking.effects)
    strange = home.recommend(query(None), n=5)
    assert strange.draw is not None  # as nobody is refused, whom nobody could know


def test_the_page_is_that_of_a_stranger(home):
    home.gate.refuse(REFUSED)
    ours = home.recommend(query(session=[CATALOGUE["item_id"][1]], seed=CATALOGUE["item_id"][2]))
    (theirs,) = home.rank_many([query(None, seed=CATALOGUE["item_id"][2])])
    assert ours.item_ids == theirs.item_ids


def test_a_mailing_remembers_those_who_agree(home):
    home.gate.refuse(REFUSED)
    frame = home.recommend_many([REFUSED, OTHER], n=3, explore=True)
    assert frame["user_id"].tolist() == [REFUSED] * 3 + [OTHER] * 3
    refused, known = frame["decision_id"].unique()
    assert list(home.decisions_) == [known]
    before = learned(home)
    assert not home.feedback(refused, clicked=frame["item_id"][:1])
    assert learned(home) == before
    assert home.feedback(known, clicked=frame["item_id"][3:4])


def test_many_lists_without_a_draw_are_strangers_lists_too(home):
    home.gate.refuse(REFUSED)
    many = home.recommend_many([REFUSED, OTHER], n=4)
    (strange,) = home.rank_many([Query()], n=4)
    assert many["item_id"].tolist()[:4] == strange.item_ids


def test_an_anonymous_id_may_be_refused_and_is_not_kept(home):
    home.gate.refuse("cookie 7")
    before = learned(home)
    context = {"page": "cart", "anonymous_id": "cookie 7"}
    ranking = home.recommend(query(None, "d", context=context))
    assert SAID in ranking.effects
    assert learned(home) == before
    home.recommend(query(None, "e", context={**context, "anonymous_id": "cookie 8"}))
    assert home.decisions_["e"].context["anonymous_id"] == "cookie 8"


def test_stages_and_rules_hear_nothing_by_which_whoever_refuses_could_be_known():
    heard = []

    def listening(query, items):
        heard.append(query)
        return items["item_id"].notna()

    gate = AllBut("cookie 7")
    home = Pipeline(candidates=[Popularity()], rules=[listening]).fit(shop(gate))
    item = CATALOGUE["item_id"][1]
    context = {"page": "cart", "anonymous_id": "cookie 7"}
    home.recommend(Query(REFUSED, session=[item], history=[item], seed=item, context=context))
    (query,) = heard[-1:]
    assert (query.user_id, query.session, query.history) == (None, (), None)
    assert (query.page_items, query.context) == ((item,), {"page": "cart"})


# -- feedback --------------------------------------------------------------------------------


def test_feedback_on_a_page_shown_without_consent_teaches_nothing(home):
    home.gate.refuse(REFUSED)
    shown = home.recommend(query(name="d"), n=3).item_ids
    before = learned(home)
    assert not home.feedback("d", clicked=shown[:1], now=NOW + 20 * DAY)
    assert not home.feedback("d", purchased=shown[:1])
    assert learned(home) == before
    assert counts(home) == {"refused": 2}


@pytest.mark.parametrize("told", [{"clicked": 1}, {"purchased": 1}, {}])
def test_feedback_after_a_withdrawal_teaches_nothing(home, told):
    shown = home.recommend(query(name="d"), n=3).item_ids
    home.gate.refuse(REFUSED)
    before = learned(home)
    told = {verb: shown[:n] for verb, n in told.items()}
    assert not home.feedback("d", **told, now=NOW + 20 * DAY)
    assert learned(home) == before
    home.gate.refused.clear()
    assert home.feedback("d", **told)  # with consent it does
    assert learned(home) != before


def test_growth_after_a_withdrawal_teaches_nothing(home):
    shown = home.recommend(query(name="d"), n=3).item_ids
    home.feedback("d", clicked=shown[:1])
    home.gate.refuse(REFUSED)
    before = learned(home)
    assert not home.feedback("d", purchased=shown[:1])
    assert learned(home) == before


def test_the_silence_of_whoever_withdrew_teaches_nothing(home):
    home.recommend(query(name="d"), n=3)
    before = taught(home)
    home.gate.refuse(REFUSED)
    home.partial_fit(Event(OTHER, EVENTS["item_id"][0], "view", NOW + 9 * DAY))
    assert taught(home) == before
    assert counts(home) == {"refused": 1}


def test_the_silence_of_whoever_agrees_does_teach(home):
    home.recommend(query(name="d"), n=3)
    before = taught(home)
    home.partial_fit(Event(OTHER, EVENTS["item_id"][0], "view", NOW + 9 * DAY))
    assert taught(home) != before
    assert counts(home) == {"settled": 1}


def test_being_pushed_out_teaches_nothing_either():
    gate = AllBut()
    home = made(decision_log=1).fit(shop(gate))
    home.recommend(query(name="d"), n=3)
    before = taught(home)
    gate.refuse(REFUSED)
    home.recommend(query(OTHER, "e"), n=3)
    assert taught(home) == before
    assert counts(home) == {"refused": 1}
    assert list(home.decisions_) == ["e"]


def test_no_more_names_are_kept_than_decisions():
    home = made(decision_log=2).fit(shop(AllBut(REFUSED)))
    names = ["d1", "d2", "d3"]
    for name in names:
        home.recommend(query(name=name), n=3)
    assert [home.feedback(name) for name in names] == [False] * 3
    assert counts(home) == {"unknown": 1, "refused": 2}


# -- events and customers --------------------------------------------------------------------


def test_no_event_or_attribute_of_whoever_refuses_gets_in(home):
    home.gate.refuse(REFUSED)
    before = learned(home)
    item = EVENTS["item_id"][0]
    home.partial_fit(Event(REFUSED, item, "purchase", NOW + 20 * DAY))
    home.partial_fit([Event(REFUSED, "new item", "purchase", NOW)])
    home.partial_fit(EVENTS[EVENTS["user_id"] == REFUSED])
    home.update_users(CUSTOMERS[CUSTOMERS["user_id"] == REFUSED].assign(age=99))
    home.explain(REFUSED, item)
    assert learned(home) == before
    home.partial_fit([Event(OTHER, item, "purchase", NOW), Event(REFUSED, "new item", "view", NOW)])
    assert learned(home) != before
    assert "new item" not in home.items_


# -- logs of decisions -----------------------------------------------------------------------


def test_a_log_tells_of_those_who_agree_to_what_it_is_for(home):
    for user in (REFUSED, OTHER, None):
        home.recommend(query(user, f"of {user}"), n=3)
    assert len(home.decisions_frame()) == 3
    home.gate.refuse(REFUSED)
    assert home.decisions_frame()["decision_id"].tolist() == [f"of {OTHER}", "of None"]
    home.gate.purposes = ("sale_or_share",)
    assert len(home.decisions_frame()) == 3
    assert len(home.decisions_frame(purpose="sale_or_share")) == 2


def test_a_bandit_learns_from_decisions_of_those_who_agree(saved, home):
    for number, user in enumerate(USERS[:12]):
        shown = home.recommend(query(user, f"d{number}"), n=3).item_ids
        home.feedback(f"d{number}", clicked=shown[: number % 3])
    log = home.decisions_frame()
    behind, without, everybody = (load(saved, gate=AllBut()) for _ in range(3))
    behind.gate.refuse(REFUSED)
    behind.reranker_.fit(log)
    without.reranker_.fit(log[log["user_id"] != REFUSED])
    everybody.reranker_.fit(log)
    assert taught(behind) == taught(without) != taught(everybody)
    assert behind.reranker_.stages_[-1].counts_["no_consent"] == 1
    given = load(saved, gate=AllBut())
    given.reranker_.fit(log, gate=AllBut(REFUSED))
    assert taught(given) == taught(without)


# -- twins, files and threads ----------------------------------------------------------------


def test_twins_under_other_rules_ask_the_same_gate(home):
    twin = home.with_rules("LIMIT 1 PER item.brand")
    home.gate.refuse(REFUSED)
    before = learned(home)
    shown = twin.recommend(query(name="d"), n=3)
    assert SAID in shown.effects
    assert not twin.feedback("d", clicked=shown.item_ids[:1])
    assert learned(home) == before
    home.behind(AllBut())
    assert SAID not in twin.recommend(query(), n=3).effects


def test_a_second_fit_leaves_earlier_twins_behind_their_gate(home):
    home.gate.refuse(REFUSED)
    twin = home.with_rules(None)
    home.fit(shop())
    assert SAID in twin.recommend(query(), n=3).effects
    assert SAID not in home.recommend(query(), n=3).effects


def test_a_pipeline_from_a_file_without_its_gate_learns_nothing_and_answers_all(home, tmp_path):
    shown = home.recommend(query(OTHER, "d"), n=3).item_ids
    save(home, tmp_path / "home.rp")
    lost = load(tmp_path / "home.rp")
    before = taught(lost)
    ranking = lost.recommend(query(OTHER))
    assert "no gate to ask for consent: by page and context only" in ranking.effects
    lost.recommend(Query(now=NOW + 9 * DAY))  # whose time is up for others
    assert taught(lost) == before
    for use in (
        lambda: lost.feedback("d", clicked=shown[:1]),
        lambda: lost.partial_fit(Event(OTHER, shown[0])),
        lambda: lost.update_users(CUSTOMERS[:1]),
        lambda: lost.reranker_.fit(home.decisions_frame()),
    ):
        with pytest.raises(DataError, match="was fitted behind a gate; load it with"):
            use()
    assert lost.decisions_frame()["user_id"].tolist() == [None]
    again = load(tmp_path / "home.rp", gate=AllBut())
    assert again.feedback("d", clicked=shown[:1])
    lost.behind(AllBut()).recommend(Query(now=NOW + 9 * DAY))
    assert counts(lost) == {"settled": 1}


# -- with a real ledger ----------------------------------------------------------------------


def agreed(*users, unknown="denied"):
    ledger = ConsentLedger(unknown=unknown)
    for user in users:
        ledger.record(user, "personalization", "granted", "2020-01-01")
    return ledger


def test_nobody_in_particular_consents_to_nothing():
    home = made().fit(shop(), gate=agreed(*USERS))
    shown = home.recommend(query(None, "d", context={"page": "home"}), n=3).item_ids
    before = taught(home)
    assert not home.feedback("d", clicked=shown[:1])
    assert taught(home) == before
    assert counts(home) == {"refused": 1}
    free = made().fit(shop(), gate=agreed(unknown="granted"))
    shown = free.recommend(query(None, "d", context={"page": "home"}), n=3).item_ids
    assert free.feedback("d", clicked=shown[:1])


def test_an_anonymous_session_is_not_read_where_silence_is_no_consent():
    home = made().fit(shop(), gate=agreed(*USERS))
    item = CATALOGUE["item_id"][1]
    ranking = home.recommend(Query(session=[item], seed=item, context={"page": "product"}))
    assert SAID in ranking.effects
    (strange,) = home.rank_many([Query(seed=item, context={"page": "product"})])
    assert ranking.item_ids == strange.item_ids


def test_what_happened_while_consent_was_denied_teaches_nothing_later():
    ledger = agreed(*USERS)
    home = made().fit(shop(), gate=ledger)
    shown = home.recommend(query(name="d"), n=3).item_ids
    ledger.record(REFUSED, "personalization", "denied", pd.Timestamp(NOW + 1_000, unit="ms"))
    ledger.record(REFUSED, "personalization", "granted", pd.Timestamp(NOW + 9_000, unit="ms"))
    before = taught(home)
    assert not home.feedback("d", clicked=shown[:1], now=NOW + 5_000)
    assert taught(home) == before
    assert home.feedback("d", clicked=shown[:1], now=NOW + 10_000)
