"""Whom a gate refuses never comes into a graph, whatever the links come in."""

import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import DataError

KEY = "correct horse battery staple"
MAIL = "anna@tea.example"


@pytest.fixture
def gate():
    """Everybody may be stored but anna, who was erased; the graph knew an e-mail of hers."""
    graph = rp.IdentityGraph(key=KEY).update({"user_id": "anna", "email": MAIL, "cookie": "c1"})
    ledger = rp.ConsentLedger(unknown="granted", identity=graph)
    ledger.record("ben", "storage", "denied", "2026-02-01")
    personal = rp.PersonalData(identity=graph, consent=ledger)
    assert personal.erase("anna", at="2026-03-01").verified
    return ledger


def links_of(**columns):
    return pd.DataFrame({"timestamp": "2026-04-01", **columns})


@pytest.mark.parametrize(
    "late",
    [
        links_of(user_id=["anna"], cookie=["new"]),
        links_of(cookie=["c1"], user_id=[None]),
        links_of(email=[" Anna@Tea.example "], cookie=["new"]),
        links_of(kind_a=["cookie"], value_a=["new"], kind_b=["email"], value_b=[MAIL]),
        links_of(kind_a=["cookie"], value_a=["new"], kind_b=["cookie"], value_b=["c1"]),
        links_of(kind_a=["cookie"], value_a=["c1"], kind_b=["cookie"], value_b=["new"]),
        {"email": MAIL, "cookie": "new", "timestamp": "2026-04-01"},
        rp.Event("anna", "tea"),
        [rp.Event("anna", "tea")],
    ],
    ids=["user", "cookie", "e-mail", "pair", "like a", "like b", "mapping", "event", "events"],
)
@pytest.mark.parametrize("fresh", [True, False])
def test_an_erased_person_never_comes_in_again(gate, late, fresh):
    graph = rp.IdentityGraph(key=KEY) if fresh else gate.identity
    graph.update(late, gate=gate)
    assert len(graph.profiles()) == 0
    assert (graph.counts_["rows refused by a gate"], graph.counts_["rows"]) == (1, int(not fresh))
    assert gate.counts["storage: erased"] >= 1


def test_rows_of_others_make_the_graph_that_never_heard_of_the_refused(gate):
    log = links_of(user_id=["cleo", "ben", "anna", None], cookie=["k", "b", "k", "k"])
    others = log.iloc[[0, 3]]
    graph = rp.IdentityGraph().update(log, gate=gate)
    for one, other in zip(
        (graph.profiles(), graph.merges(), graph.refusals()),
        (lambda g: (g.profiles(), g.merges(), g.refusals()))(rp.IdentityGraph().update(others)),
        strict=True,
    ):
        pd.testing.assert_frame_equal(one, other)
    assert graph.counts_["rows refused by a gate"] == 2


def test_links_of_one_kind_ask_for_both_ends(gate):
    pairs = links_of(
        kind_a=["cookie", "cookie", "user_id"], value_a=["x", "x", "ben"],
        kind_b=["cookie", "cookie", "user_id"], value_b=["c1", "y", "cleo"],
    )  # fmt: skip
    graph = rp.IdentityGraph().update(pairs, gate=gate)
    assert set(graph.profiles()["value"]) == {"x", "y"}


def test_probable_links_pass_the_gate_too(gate):
    likely = links_of(user_id=["anna", "cleo"], cookie=["p", "q"], p=[0.9, 0.8])
    graph = rp.IdentityGraph().update(likely, probability="p", gate=gate)
    assert set(graph.profiles()["value"]) == {"cleo", "q"}


def test_what_is_no_gate_is_refused():
    with pytest.raises(DataError, match="a gate must be an EventGate"):
        rp.IdentityGraph().update({"user_id": "anna"}, gate="ledger")


def test_a_ledger_that_knows_no_identities_is_asked_by_hashes(gate):
    gate.identity = None
    graph = rp.IdentityGraph(key=KEY)
    graph.update({"email": MAIL, "cookie": "new"}, gate=gate)
    graph.update(links_of(email=[MAIL], cookie=["new"]), gate=gate)
    assert (len(graph.profiles()), graph.counts_["rows refused by a gate"]) == (0, 2)
