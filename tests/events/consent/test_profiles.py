"""With an identity, a profile's name and each of its identifiers stand for all of them."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recopersona as rp
from recopersona.errors import DataError
from tests.naive import consent as naive

AT = "2026-03-01"
KINDS = ("user_id", "anonymous_id", "device_id")


class People:
    """Profiles as lists of identifiers; the first names each."""

    kinds = None

    def __init__(self, *people):
        self.people = [list(person) for person in people]

    def members(self, name):
        for person in self.people:
            if any(f"{kind}:{value}" == name for kind, value in person):
                return person
        raise DataError("no such profile")

    def profile_of(self, **identifiers):
        if set(identifiers) - set(KINDS):
            raise DataError("no such kind")
        for kind, value in identifiers.items():
            for person in self.people:
                if (kind, str(value)) in person:
                    return "{}:{}".format(*person[0])
        return None


ANNA = [("anonymous_id", "c-1"), ("user_id", "anna"), ("device_id", "d-1")]


@pytest.fixture
def ledger():
    return rp.ConsentLedger(unknown="denied", identity=People(ANNA, [("user_id", "ben")]))


@pytest.mark.parametrize(
    "who",
    [
        {"user_id": "anna"},
        {"anonymous_id": "c-1"},
        {"user_id": "anonymous_id:c-1"},
        {"user_id": "user_id:anna"},
        {"device_id": "d-1", "user_id": None},
        {"user_id": "ben", "device_id": "d-1"},
    ],
)
def test_every_name_of_a_person_stands_for_all_her_identifiers(ledger, who):
    ledger.record("ben", "ads", "granted", AT)
    ledger.record("anna", "ads", "granted", AT)
    frame = pd.DataFrame([who])
    assert ledger.admits(who, "ads")
    assert ledger.admitted(frame, "ads").all()
    ledger.record(("device_id", "d-1"), "ads", "denied", AT)
    assert not ledger.admits(who, "ads")
    assert not ledger.admitted(frame, "ads").any()
    assert ledger.state_at({kind: one for kind, one in who.items() if one}, "ads") == "denied"


def test_others_are_not_affected(ledger):
    ledger.record(("device_id", "d-1"), "ads", "denied", AT)
    ledger.record("ben", "ads", "granted", AT)
    assert ledger.admits({"user_id": "ben", "page": "home"}, "ads")
    log = pd.DataFrame({"user_id": ["ben", "zoe", None, "user_id:zoe", "user_id:ben"]})
    assert ledger.admitted(log, "ads").tolist() == [True, False, False, False, True]


def test_a_name_alone_stands_for_its_identifier_without_an_identity():
    ledger = rp.ConsentLedger(unknown="granted")
    ledger.record(("anonymous_id", "c-1"), "ads", "denied", AT)
    log = pd.DataFrame({"user_id": ["anonymous_id:c-1", "anonymous_id:c-1 (shared)", "c-1"]})
    assert ledger.admitted(log, "ads").tolist() == [False, False, True]
    assert not ledger.admits({"user_id": "anonymous_id:c-1"}, "ads")


def test_a_kind_that_only_the_identity_knows_is_looked_at(ledger):
    ledger.record("anna", "ads", "granted", AT)
    log = pd.DataFrame({"user_id": [None, None], "device_id": ["d-1", "d-2"]})
    assert ledger.admitted(log, "ads").tolist() == [True, False]


def test_records_and_erasure_are_of_the_whole_person(ledger):
    ledger.record("anna", "ads", "granted", AT)
    ledger.record(("device_id", "d-1"), "ads", "denied", AT)
    ledger.record("ben", "ads", "granted", AT)
    assert len(ledger.records("anna")) == 2
    assert len(ledger.held_of(["anonymous_id:c-1"])["records"]) == 2
    assert ledger.forget("anna") == 2
    for subject in ("anna", ("device_id", "d-1"), ("anonymous_id", "c-1"), "anonymous_id:c-1"):
        assert ledger.is_erased(subject)
    assert ledger.records()["subject"].tolist() == ["ben"]


def test_a_saved_ledger_wants_its_identity_back(ledger, tmp_path):
    ledger.record(("device_id", "d-1"), "ads", "denied", AT)
    rp.save(ledger, tmp_path / "ledger.rp")
    manifest = (tmp_path / "ledger.rp" / "manifest.json").read_text()
    assert "People" not in manifest
    assert "c-1" not in manifest
    loaded = rp.load(tmp_path / "ledger.rp")
    asks = (
        lambda: loaded.admits({"user_id": "anna"}, "ads"),
        lambda: loaded.admitted(pd.DataFrame({"user_id": ["anna"]}), "ads"),
        lambda: loaded.state_at("anna", "ads"),
    )
    for ask in asks:
        with pytest.raises(DataError, match=r"set ledger\.identity = graph, or to None"):
            ask()
    loaded.identity = ledger.identity
    assert loaded.state_at("anna", "ads") == "denied"
    loaded.identity = None
    assert loaded.state_at("anna", "ads") == "unknown"
    rp.save(loaded, tmp_path / "alone.rp")
    assert rp.load(tmp_path / "alone.rp").state_at("anna", "ads") == "unknown"


def test_an_identity_graph_is_such_an_identity():
    log = pd.DataFrame(
        {
            "user_id": [None, "anna", None, "ben"],
            "anonymous_id": ["c-1", "c-1", "c-2", "c-2"],
            "timestamp": pd.to_datetime([f"2026-01-0{n}" for n in range(1, 5)], utc=True),
        }
    )
    graph = rp.IdentityGraph().update(log)
    ledger = rp.ConsentLedger(unknown="granted", identity=graph)
    ledger.record(("anonymous_id", "c-1"), "ads", "denied", AT)
    assert ledger.admitted(log, "ads").tolist() == [False, False, True, True]
    name = graph.profile_of(user_id="anna")
    for who in ({"user_id": name}, {"user_id": "anna"}, {"anonymous_id": "c-1"}, {"cookie": "x"}):
        assert ledger.admits(who, "ads") is (who == {"cookie": "x"})
    assert ledger.admits({"user_id": graph.profile_of(user_id="ben"), "page": "home"}, "ads")
    assert ledger.forget(name) == 1
    assert ledger.is_erased("anna")
    assert ledger.is_erased(name)
    assert not ledger.is_erased("ben")


identifiers = st.sampled_from([(kind, value) for kind in KINDS for value in ("a", "b", "c")])


@given(
    st.lists(st.tuples(identifiers, st.sampled_from(["granted", "denied"]), st.integers(0, 4))),
    st.lists(identifiers, max_size=6, unique=True),
    st.sampled_from(["granted", "denied"]),
    st.integers(0, 5),
)
def test_merged_profiles_take_the_most_restrictive_state(said, person, unknown, day):
    start = 1_767_225_600_000
    people = People(person) if person else People()
    ledger = rp.ConsentLedger(unknown=unknown, identity=people)
    records = []
    for (kind, value), state, on in said:
        ledger.record((kind, value), "ads", state, start + on)
        records.append((f"{kind}:{value}", "ads", state, start + on))
    rows = [{"user_id": "a"}, {"device_id": "b"}, {"user_id": "c", "anonymous_id": "a"}, {}]
    rows += [{"user_id": "{}:{}".format(*one)} for one in person[:1]]
    expected = []
    for row in rows:
        names = set()
        for kind, value in row.items():
            own = value if ":" in value else f"{kind}:{value}"
            mine = {f"{k}:{v}" for k, v in person}
            names |= {own} | (mine if own in mine else set())
        expected.append(
            naive.reason(records, set(), sorted(names), "ads", start + day, unknown) is None
        )
    frame = pd.DataFrame(rows, columns=list(KINDS)).assign(timestamp=start + day)
    assert ledger.admitted(frame, "ads").tolist() == expected
    assert [ledger.admits(row, "ads", start + day) for row in rows] == expected


KEY = "correct horse battery staple"
MAIL = pd.DataFrame({"email": ["anna@tea.example", "ben@tea.example"]})


def test_a_hashed_e_mail_alone_stands_for_its_person():
    graph = rp.IdentityGraph(key=KEY).update(MAIL.assign(user_id=["anna", "ben"]))
    ledger = rp.ConsentLedger(unknown="granted", identity=graph)
    ledger.record("anna", "ads", "denied", AT)
    hashed = rp.hash_personal(MAIL, KEY)
    assert ledger.admitted(hashed, "ads").tolist() == [False, True]
    assert not ledger.admits({"email": hashed["email"][0]}, "ads")


def test_an_erased_e_mail_is_refused_as_it_is_and_hashed():
    graph = rp.IdentityGraph(key=KEY).update(MAIL.assign(user_id=["anna", "ben"]))
    ledger = rp.ConsentLedger(unknown="granted", identity=graph)
    ledger.forget(["anna"])
    graph.forget(["user_id:anna"])
    for late in (MAIL, rp.hash_personal(MAIL, KEY)):
        assert ledger.admitted(late, "storage").tolist() == [False, True]
        assert [ledger.admits({"email": one}, "storage") for one in late["email"]] == [False, True]
        assert [ledger.is_erased(one, "email") for one in late["email"]] == [True, False]
