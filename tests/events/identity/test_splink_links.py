"""Links of an identity graph from tables of clusters and pairs."""

from __future__ import annotations

import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ColumnError, DataError, ParameterError

CLUSTERS = pd.DataFrame(
    {"cluster_id": [1, 1, 2, 3, 3], "unique_id": ["u1", "u2", "u3", "u4", "u5"]}
)
PAIRS = pd.DataFrame({
    "unique_id_l": ["u1", "u2", "u4"], "unique_id_r": ["u2", "u3", "u5"],
    "match_probability": [0.9, 0.4, 0.8],
})  # fmt: skip


def profiles(graph, kind="customer_id"):
    members = graph.profiles()
    members = members[members["kind"] == kind]
    return sorted(sorted(group) for _, group in members.groupby("profile")["value"])


def test_a_cluster_is_one_person_and_one_record_links_nothing():
    links = rp.from_splink(CLUSTERS)
    assert links["customer_id"].tolist() == ["u1", "u2", "u4", "u5"]
    assert links["linked_person"].tolist() == [*["customer_id:u1"] * 2, *["customer_id:u4"] * 2]
    assert links["probability"].tolist() == [1.0] * 4


def test_pairs_are_made_clusters_of():
    links = rp.from_splink(PAIRS)
    assert links["customer_id"].tolist() == ["u1", "u2", "u4", "u5"]
    assert links["probability"].tolist() == [0.9, 0.9, 0.8, 0.8]
    assert len(rp.from_splink(PAIRS, threshold=0.3)) == 5


def test_links_make_profiles():
    graph = rp.IdentityGraph(limits={"customer_id": None})
    graph.update(rp.from_splink(PAIRS), probability="probability")
    assert profiles(graph) == [["u1", "u2"], ["u4", "u5"]]


def test_a_graph_of_no_settings_takes_links_below_all_certain_ones():
    graph = rp.IdentityGraph().update(rp.from_splink(PAIRS))
    assert profiles(graph) == [["u1", "u2"], ["u4", "u5"]]
    graph.update(pd.DataFrame({"user_id": ["a", "b"], "customer_id": ["u1", "u2"]}))
    assert ["u1"] in profiles(graph)
    assert graph.profile_of(customer_id="u1") == "user_id:a"
    assert rp.IdentityGraph(kinds=["card"]).update(rp.from_splink(PAIRS, "card")).counts_["merges"]


def test_more_records_than_a_person_may_have_are_refused_and_counted():
    found = pd.DataFrame({"record": [f"u{n}" for n in range(9)], "cluster": 0, "probability": 0.9})
    graph = rp.IdentityGraph().update(rp.from_splink(found))
    assert max(map(len, profiles(graph))) == 5
    assert graph.refusals()["reason"].tolist() == ["limit of customer_id: 5"] * 4


def test_probable_links_yield_to_certain_ones():
    graph = rp.IdentityGraph(limits={"customer_id": 2})
    graph.update(rp.from_splink(PAIRS), probability="probability")
    graph.update(pd.DataFrame({"customer_id": ["u1", "u9"], "cookie": ["c", "c"]}))
    assert ["u1", "u9"] in profiles(graph)
    assert len(graph.refusals()) == 1


def test_exact_agreement_makes_certain_links():
    same = {"surname": "Berg", "given": "Ann", "dob": "1984-03-07"}
    records = pd.DataFrame([same | {"id": "r1"}, same | {"id": "r2"}])
    links = rp.from_splink(rp.match_records(records, record="id"), "customer_id")
    assert links.columns.tolist() == ["customer_id", "linked_person"]
    graph = rp.IdentityGraph(limits={"customer_id": None}).update(links)
    assert profiles(graph) == [["r1", "r2"]]


def test_two_sources_have_two_kinds():
    found = pd.DataFrame({
        "source": ["a", "b", "b"], "record": ["7", "7", "8"], "cluster": [0, 0, 1],
        "probability": [0.9, 0.9, None],
    })  # fmt: skip
    links = rp.from_splink(found, {"a": "customer_id", "b": "loyalty_card"})
    assert links["customer_id"].tolist()[0] == "7"
    assert links["loyalty_card"].tolist()[1] == "7"
    graph = rp.IdentityGraph()
    graph.update(links, probability="probability")
    assert graph.profile_of(customer_id="7") == graph.profile_of(loyalty_card="7")


def test_splinks_own_table_is_taken():
    class Table:
        def as_pyarrow_table(self):
            import pyarrow as pa

            return pa.Table.from_pandas(CLUSTERS)

    assert len(rp.from_splink(Table())) == 4


@pytest.mark.parametrize(
    ("frame", "more", "error", "words"),
    [
        (CLUSTERS.drop(columns="unique_id"), {}, ColumnError, "records' ids"),
        (CLUSTERS.drop(columns="cluster_id"), {}, ColumnError, "a column of clusters"),
        (CLUSTERS.assign(unique_id=None), {}, DataError, "row 0 has no id"),
        (CLUSTERS.assign(cluster_id=None), {}, DataError, "row 0 has no cluster"),
        (CLUSTERS.assign(unique_id="u1"), {}, DataError, "'u1' is in two clusters"),
        (CLUSTERS.assign(unique_id=range(5)), {}, DataError, "the id 0 is none"),
        (CLUSTERS.rename(columns={"unique_id": "row"}), {}, ColumnError, "called by their rows"),
        (CLUSTERS.assign(probability=2.0), {}, DataError, "must be from 0 to 1"),
        (CLUSTERS, {"kind": "linked_person"}, ParameterError, "a kind must be a word"),
        (CLUSTERS, {"kind": 7}, ParameterError, "a kind must be a word"),
        (CLUSTERS, {"kind": "a:b"}, ParameterError, "a kind must be a word"),
        (CLUSTERS, {"kind": {"a": "x"}}, ColumnError, "a column of sources"),
        (CLUSTERS.assign(source="b"), {"kind": {"a": "x"}}, DataError, "the source 'b'"),
        (PAIRS, {"threshold": 2}, ParameterError, "threshold must be from 0 to 1"),
        (PAIRS.drop(columns="unique_id_r"), {}, ColumnError, "unique_id_r"),
        ({"cluster": [1]}, {}, DataError, "must be a dataframe"),
    ],
)
def test_what_is_no_table_of_clusters_is_said(frame, more, error, words):
    with pytest.raises(error, match=words):
        rp.from_splink(frame, **more)
