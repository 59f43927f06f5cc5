"""Records of one person found by probability, and their links in a graph."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest

import recopersona as rp
from recopersona.errors import ColumnError, DataError, MissingExtraError, ParameterError
from recopersona.events.identity.households import Shares
from tests.events.identity.customers import GIVEN, people, with_mistakes

N = 150


@pytest.fixture(scope="module")
def twice() -> pd.DataFrame:
    """People, and two thirds of them once more with three mistakes each."""
    a = people(N)
    more = with_mistakes(a.iloc[: N * 2 // 3], 3)
    return pd.concat([a, more], ignore_index=True).drop(columns="cluster")


@pytest.fixture(scope="module")
def found(twice):
    return rp.link_records(twice, report=True)


def test_records_with_mistakes_are_found_and_strangers_are_not(found):
    linked, _ = found
    clusters = linked["cluster"].to_numpy()
    assert (clusters[: N * 2 // 3] == clusters[N:]).mean() > 0.95
    assert len(set(clusters[:N])) >= N - 1
    assert linked.columns.tolist() == ["row", "cluster", "probability"]


def test_a_record_alone_has_no_probability(found):
    linked, _ = found
    sizes = linked.groupby("cluster")["row"].transform("size")
    assert linked["probability"][sizes == 1].isna().all()
    assert linked["probability"][sizes > 1].between(0.3, 1.0).all()


def test_the_report_says_what_it_went_by(found):
    _, report = found
    assert report.columns["birth_date"] == "dob"
    assert report.learned_on
    assert 0 < report.prior < 0.01
    assert report.compared >= 100
    assert not report.one_to_one


def test_the_same_records_have_the_same_answer(twice, found):
    again = rp.link_records(twice)
    pd.testing.assert_frame_equal(again, found[0])


def test_the_callers_frame_is_not_changed_and_its_kind_comes_back(twice):
    before = twice.copy()
    linked = rp.link_records(pl.from_pandas(twice))
    assert isinstance(linked, pl.DataFrame)
    pd.testing.assert_frame_equal(twice, before)


def test_across_two_tables_everybody_has_at_most_one_partner():
    a = people(120)
    strangers = people(40, seed=99)
    b = pd.concat([with_mistakes(a, 2), strangers.assign(cluster=-1)], ignore_index=True)
    b = b.sample(frac=1, random_state=1).reset_index(drop=True)
    asked = [
        frame.drop(columns="cluster").assign(id=[f"{name}{row}" for row in range(len(frame))])
        for name, frame in (("a", a), ("b", b))
    ]
    linked, report = rp.link_records(*asked, record="id", report=True)
    assert report.one_to_one
    assert linked["source"].tolist() == ["a"] * 120 + ["b"] * 160
    assert linked.groupby("cluster")["source"].value_counts().max() == 1
    partner = dict(zip(linked["cluster"][:120], range(120), strict=True))
    told = np.array([partner.get(cluster, -1) for cluster in linked["cluster"][120:]])
    assert (told == b["cluster"]).mean() > 0.97


def test_one_record_is_alone():
    linked = rp.link_records(people(1).drop(columns="cluster"))
    assert linked["cluster"].tolist() == [0]
    assert linked["probability"].isna().all()


def test_a_few_records_and_one_column_do_no_harm():
    linked = rp.link_records(pd.DataFrame({"surname": ["berg", "dahl", None]}))
    assert linked["cluster"].tolist() == [0, 1, 2]


def test_equal_records_of_hundreds_are_found_without_training():
    a = people(200).drop(columns="cluster")
    linked = rp.link_records(pd.concat([a, a.iloc[:5]], ignore_index=True))
    clusters = linked["cluster"].to_numpy()
    assert (clusters[:5] == clusters[200:]).all()
    assert len(set(clusters)) == 200


def test_the_shares_are_what_the_scores_speak_for():
    weight = np.r_[np.full(4, 60.0), np.full(6, -60.0), np.full(8, 40.0)]
    people = np.r_[np.full(4, 40.0), np.full(6, -60.0), np.full(8, 50.0)][:, None]
    shares = Shares.of(0.1, 1).settled(weight, people, 1_000.0)
    assert shares.person == pytest.approx(0.004, rel=0.02)
    assert shares.people == pytest.approx([0.008], rel=0.02)


@pytest.fixture(scope="module")
def families() -> pd.DataFrame:
    """Nobody twice: couples, children and twins of one address, telephone and surname."""
    a = people(200)
    shared = ["surname", "street", "house_number", "postcode", "city"]
    a["phone"] = [f"0731{row:07}" for row in range(200)]
    for member in (1, 2, 3):
        a.loc[member::4, [*shared, "phone"]] = a.loc[::4, [*shared, "phone"]].to_numpy()
    a.loc[3::40, "dob"] = a.loc[2::40, "dob"].to_numpy()
    names = np.random.default_rng(5).permuted(np.tile(GIVEN, (50, 1)), axis=1)[:, :4]
    a["given_name"] = names.ravel()
    return a.drop(columns=["email", "cluster"])


def test_families_and_twins_are_not_one_person(families):
    assert rp.link_records(families)["cluster"].nunique() >= 198
    assert rp.match_records(families)["cluster"].nunique() == 200


def test_a_person_is_found_among_the_family(families):
    again = with_mistakes(families.iloc[:100], 1)
    again["given_name"] = families["given_name"].iloc[:100].to_numpy()
    linked = rp.link_records(pd.concat([families, again], ignore_index=True))
    clusters = linked["cluster"].to_numpy()
    assert (clusters[:100] == clusters[200:]).mean() > 0.9
    assert len(set(clusters[:200])) >= 190


@pytest.mark.parametrize(
    ("frame", "more", "error", "words"),
    [
        (people(3), {"threshold": 0}, ParameterError, "threshold must be above 0"),
        (people(3), {"threshold": "x"}, ParameterError, "threshold must be above 0"),
        (people(3), {"record": "id"}, ColumnError, "no column 'id'"),
        (people(3).assign(id=1), {"record": "id"}, DataError, "1 is the 'id' of more than one"),
        (pd.DataFrame({"x": [1, 2]}), {}, DataError, "no column that says who somebody is"),
        (pd.DataFrame({"email": [None]}), {}, DataError, "no column that says who somebody is"),
        (pd.DataFrame({"email": [["a"], ["b"]]}), {}, DataError, "no column that says who"),
        (people(3).iloc[:0], {}, DataError, "no record to link"),
        ("records.csv", {}, DataError, "must be a dataframe"),
    ],
)
def test_what_cannot_be_linked_is_said(frame, more, error, words):
    with pytest.raises(error, match=words):
        rp.link_records(frame, **more)


def test_without_splink_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "splink", None)
    with pytest.raises(MissingExtraError, match=r'pip install "recopersona\[linkage\]"'):
        rp.link_records(people(3))


def test_settings_and_table_are_ready_for_splink():
    from splink import DuckDBAPI, Linker

    settings, table = rp.customer_settings(people(50))
    assert table["record"].tolist() == list(range(50))
    api = DuckDBAPI()
    linker = Linker(api.register(table), settings, log_level=None)
    assert linker.inference.deterministic_link().as_record_list() is not None
