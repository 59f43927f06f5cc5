"""Identifiers of one person come together within limits, in whatever order links come."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ColumnError, DataError, ParameterError


def rows(*rows, columns=("user_id", "device_id", "cookie")):
    """A log of one row a day."""
    frame = pd.DataFrame([dict(zip(columns, row, strict=False)) for row in rows], dtype=object)
    days = pd.date_range("2026-01-01", periods=len(rows), tz="UTC")
    return frame.assign(timestamp=days, event_id=np.arange(len(rows)))


KEY = "correct horse battery staple"
TABLET = rows(("anna", "tablet"), ("ben", "tablet"), (None, "tablet"))


def reasons(graph):
    return graph.refusals()["reason"].tolist()


def everything(graph):
    return graph.profiles(), graph.merges(), graph.refusals()


def assert_alike(one, other):
    for mine, theirs in zip(everything(one), everything(other), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)


def test_identifiers_of_a_row_become_one_profile_named_by_the_oldest():
    graph = rp.IdentityGraph().update(rows((None, "phone", "c1"), ("anna", "phone")))
    assert graph.profile_of(user_id="anna") == "cookie:c1"
    assert graph.members("cookie:c1") == [
        ("cookie", "c1"),
        ("device_id", "phone"),
        ("user_id", "anna"),
    ]
    assert graph.merges()["absorbed"].tolist() == ["device_id:phone", "user_id:anna"]


def test_two_people_on_one_device_stay_two_and_the_device_proves_neither():
    graph = rp.IdentityGraph().update(TABLET)
    assert reasons(graph) == ["limit of user_id: 1"]
    assert graph.profile_of(user_id="anna") == "user_id:anna"
    assert graph.profile_of(user_id="ben") == "user_id:ben"
    assert graph.profile_of(device_id="tablet") == "device_id:tablet"
    assert graph.members("user_id:anna") == [("user_id", "anna")]
    assert graph.members("device_id:tablet") == [("device_id", "tablet")]


def test_an_ambiguous_device_that_named_a_person_is_called_otherwise():
    graph = rp.IdentityGraph().update(rows((None, "tablet"), ("anna", "tablet"), ("ben", "tablet")))
    assert graph.profile_of(user_id="anna") == "device_id:tablet"
    assert graph.profile_of(device_id="tablet") == "device_id:tablet (shared)"
    assert graph.members("device_id:tablet") == [("user_id", "anna")]
    assert graph.members("device_id:tablet (shared)") == [("device_id", "tablet")]


def test_an_ambiguous_identifier_bridges_nothing():
    later = rows(("anna", "tablet"), ("ben", "tablet"), (None, "tablet", "c1"), (None, None, "c1"))
    graph = rp.IdentityGraph().update(later)
    assert reasons(graph) == ["limit of user_id: 1", "ambiguous"]
    assert graph.profile_of(cookie="c1") == "cookie:c1"


def test_a_refused_merge_is_in_the_log_each_time_it_comes():
    graph = rp.IdentityGraph().update(rows(("a", "d"), ("b", "d"), ("b", "d")))
    refused = graph.refusals()
    assert refused["event_id"].tolist() == [1, 2]
    assert refused["value_a"].tolist() == ["b", "b"]
    assert refused["reason"].tolist() == ["limit of user_id: 1", "ambiguous"]


def test_a_profile_holds_five_of_a_kind_and_no_sixth():
    graph = rp.IdentityGraph().update(rows(*[("anna", f"d{n}") for n in range(6)]))
    assert len(graph.members("user_id:anna")) == 6
    assert reasons(graph) == ["limit of device_id: 5"]
    assert graph.profile_of(device_id="d5") == "device_id:d5"


def test_no_limit_is_none_and_closure_knows_none_at_all():
    many = rows(*[("anna", f"d{n}") for n in range(50)])
    assert len(rp.IdentityGraph(limits={"device_id": None}).update(many).merges()) == 50
    graph = rp.IdentityGraph(policy="closure").update(TABLET)
    assert graph.profile_of(user_id="ben") == "user_id:anna"
    assert reasons(graph) == []


def test_a_refusal_may_end_its_row():
    row = rows(("anna", "d1"), ("ben", "d1", "c1"))
    by_link = rp.IdentityGraph(priority=["user_id", "device_id"]).update(row)
    assert by_link.profile_of(cookie="c1") == "user_id:ben"
    by_row = rp.IdentityGraph(priority=["user_id", "device_id"], on_refusal="row").update(row)
    assert by_row.profile_of(cookie="c1") == "cookie:c1"
    assert reasons(by_row) == ["limit of user_id: 1", "below a refusal"]


@pytest.mark.parametrize("seed", range(50))
def test_the_order_of_batches_changes_nothing(seed):
    log = random_log(np.random.default_rng(7), 120)
    whole = rp.IdentityGraph().update(log)
    rng = np.random.default_rng(seed)
    shuffled = log.iloc[rng.permutation(len(log))]
    graph = rp.IdentityGraph()
    for part in np.split(np.arange(len(log)), np.sort(rng.integers(0, len(log), 4))):
        graph.update(shuffled.iloc[part])
    assert_alike(graph, whole)


def random_log(rng, n):
    """Clocks with ties, events without ids, values that are none, shared devices."""
    draw = {
        "user_id": rng.choice(["u1", "u2", "u3", "u4", None, "null", 7], n),
        "device_id": rng.choice(["d1", "d2", "d3", "d4", "d5", "d6", "d7", None], n),
        "cookie": rng.choice([f"c{k}" for k in range(40)] + [None] * 9 + [True], n),
    }
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in draw.items()})
    days = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 30, n), "D")
    frame["timestamp"] = days
    frame.loc[rng.random(n) < 0.05, "timestamp"] = pd.NaT
    frame["event_id"] = pd.Series(rng.choice([1, 2, "10", "9", "a", None], n), dtype=object)
    return frame


def test_values_that_are_no_identifiers_are_counted_by_reason():
    odd = [
        ["l"],
        {"d": 1},
        True,
        1.5,
        float("nan"),
        b"x",
        None,
        "null",
        "000",
        "  ",
        "ok",
        7,
        7.0,
        "7",
    ]
    frame = pd.DataFrame({"user_id": pd.Series(odd, dtype=object)})
    graph = rp.IdentityGraph().update(frame)
    assert graph.profiles()["value"].tolist() == ["7", "ok"]
    assert graph.counts_["refused: not an identifier"] == 5
    assert graph.counts_["refused: blocked value"] == 3
    assert graph.counts_["rows of nobody"] == 10


def test_a_link_of_an_identifier_to_itself_is_refused():
    pairs = pd.DataFrame(
        {
            "kind_a": ["email", "cookie"],
            "value_a": ["Anna@tea.shop", "c"],
            "kind_b": ["email", "device_id"],
            "value_b": ["anna@tea.shop ", "d"],
        }
    )
    graph = rp.IdentityGraph(key=KEY).update(pairs)
    assert reasons(graph) == ["self-link"]
    assert graph.profile_of(device_id="d") == "cookie:c"


def test_what_is_personal_is_hashed_alike_however_it_is_written():
    graph = rp.IdentityGraph(key=KEY)
    graph.update(
        pd.DataFrame({"email": ["Anna@Tea.shop", "noreply@tea.shop", "tea"], "cookie": ["c"] * 3})
    )
    assert graph.profile_of(email=" anna@tea.shop") == graph.profile_of(cookie="c")
    hashed = rp.hash_personal(pd.DataFrame({"email": ["anna@tea.shop"]}), KEY)["email"][0]
    assert graph.members(f"email:{hashed}") == [("email", hashed), ("cookie", "c")]
    assert reasons(graph) == ["blocked value", "not an identifier"]
    assert graph.refusals()["value_a"].isna().all()
    assert "tea" not in repr(everything(graph)).lower()


def test_no_text_and_no_file_shows_the_key(tmp_path):
    graph = rp.IdentityGraph(key=KEY).update(pd.DataFrame({"email": ["anna@tea.shop"]}))
    shown = [repr(graph), graph._repr_html_(), repr(graph.get_params()), repr(vars(graph))]
    rp.save(graph, tmp_path / "graph.rp")
    shown += [path.read_bytes().decode("latin-1") for path in (tmp_path / "graph.rp").rglob("*.*")]
    assert not any(KEY in text or "anna" in text for text in shown)


def test_a_loaded_graph_needs_its_key_again_and_no_other(tmp_path):
    log = pd.DataFrame({"email": ["anna@tea.shop"], "cookie": ["c"]})
    rp.save(rp.IdentityGraph(key=KEY).update(log), tmp_path / "graph.rp")
    graph = rp.load(tmp_path / "graph.rp")
    with pytest.raises(ParameterError, match="no file keeps the key; give it again"):
        graph.update(log)
    with pytest.raises(ParameterError, match="were hashed by another key"):
        graph.set_params(key="x" * 16)
    graph.set_params(key=KEY)
    assert graph.profile_of(email="ANNA@tea.shop") == graph.profile_of(cookie="c") is not None


def test_cycles_join_once():
    graph = rp.IdentityGraph().update(
        rows(("a", "d"), (None, "d", "c"), ("a", None, "c"), ("a", "d", "c"))
    )
    assert len(graph.merges()) == 2
    assert reasons(graph) == []


def test_a_million_links_on_one_value_bring_no_two_people_together():
    n = 10**6
    rows = {
        "user_id": range(1, n + 1),
        "cookie": "kiosk",
        "timestamp": 1_700_000_000 + np.arange(n),
    }
    counts = rp.IdentityGraph().update(pd.DataFrame(rows)).counts_
    assert (counts["links"], counts["merges"], counts["profiles"]) == (n, 1, n + 1)
    assert counts["refused: limit of user_id: 1"] == 1
    assert counts["refused: ambiguous"] == n - 2


def test_probable_links_count_after_all_others_the_most_probable_first():
    sure = rows(("anna", "d1"), ("ben", "d2"))
    perhaps = pd.DataFrame({"cookie": ["c", "c"], "device_id": ["d1", "d2"], "p": [0.6, 0.9]})
    graph = rp.IdentityGraph().update(perhaps, probability="p").update(sure)
    assert graph.profile_of(cookie="c") == "user_id:ben"
    assert reasons(graph) == ["limit of user_id: 1"]
    assert graph.counts_["replays"] == 0


def test_a_refused_probable_link_takes_nothing_from_anybody():
    sure = pd.DataFrame({"user_id": ["ann", "ben"], "cookie": ["c1", "c2"]})
    perhaps = pd.DataFrame({"user_id": ["ben"], "cookie": ["c1"], "p": [0.9]})
    graph = rp.IdentityGraph().update(sure).update(perhaps, probability="p")
    assert graph.refusals()["reason"].tolist() == ["limit of user_id: 1"]
    assert (graph.profile_of(cookie="c1"), graph.counts_["ambiguous"]) == ("user_id:ann", 0)


def test_who_is_forgotten_was_never_there():
    log = random_log(np.random.default_rng(3), 80)
    whole = rp.IdentityGraph().update(log)
    whole.forget([("user_id", "u1"), ("device_id", "d2")])
    named = (log["user_id"] == "u1") | (log["device_id"] == "d2")
    # A row that names her still links what else is in it where both ends are others.
    alone = log[~named]
    assert not {"u1", "d2"} & set(whole.profiles()["value"])
    assert set(alone["cookie"].dropna()) - {True} <= set(whole.profiles()["value"])


def test_a_saved_graph_goes_on_as_it_was(tmp_path):
    log = random_log(np.random.default_rng(5), 90)
    graph = rp.IdentityGraph(limits={"cookie": 3}).update(log[:60])
    rp.save(graph, tmp_path / "graph.rp")
    again = rp.load(tmp_path / "graph.rp")
    assert_alike(again, graph)
    assert_alike(again.update(log[60:]), graph.update(log[60:]))
    assert again.counts_ == graph.counts_


def test_a_graph_that_resolved_and_joined_is_saved_and_loaded(tmp_path):
    log = pd.DataFrame({"user_id": ["ann"], "cookie": ["c1"]})
    graph = rp.IdentityGraph().update(log)
    graph.resolve(log)
    graph.attributes(pd.DataFrame({"cookie": ["c1"], "band": ["30-39"]}), "cookie")
    rp.save(graph, tmp_path / "graph.rp")
    assert rp.load(tmp_path / "graph.rp").counts_ == graph.counts_


def test_one_event_in_order_goes_on_without_a_replay():
    graph = rp.IdentityGraph().update(TABLET)
    graph.update(rp.Event("anna", "tea", timestamp=1_800_000_000, anonymous_id="c9"))
    graph.update({"user_id": "anna", "device_id": "new", "timestamp": "2027-06-01"})
    assert (
        graph.profile_of(device_id="new") == graph.profile_of(anonymous_id="c9") == "user_id:anna"
    )
    assert graph.counts_["replays"] == 0


def test_events_of_one_time_go_on_by_their_ids():
    now = 1_700_000_000
    log = [{"user_id": f"u{n % 3}", "cookie": f"c{n}", "timestamp": now} for n in range(12)]
    graph = rp.IdentityGraph()
    for n, who in enumerate(log):
        graph.update({**who, "event_id": n})
    assert (graph.counts_["replays"], graph.counts_["late"]) == (0, 0)
    whole = rp.IdentityGraph().update(pd.DataFrame(log).assign(event_id=range(12)))
    assert_alike(graph, whole)
    graph.update({"user_id": "u9", "cookie": "c1", "timestamp": now, "event_id": 11})
    assert (graph.counts_["replays"], graph.counts_["late"]) == (1, 1)


def test_a_frame_without_identifiers_says_what_to_do():
    with pytest.raises(ColumnError, match=r"no column is an identifier; its columns are x"):
        rp.IdentityGraph().update(pd.DataFrame({"x": [1]}))


def test_a_personal_kind_needs_a_key():
    with pytest.raises(ParameterError, match="email is personal"):
        rp.IdentityGraph().update(pd.DataFrame({"email": ["anna@tea.shop"]}))


def test_an_unknown_profile_is_an_error():
    with pytest.raises(DataError, match="no profile 'user_id:x'"):
        rp.IdentityGraph().update(TABLET).members("user_id:x")
