"""Ids of people can be hidden behind a key, alike in every table."""

import hmac
import logging
import pickle
import traceback

import numpy as np
import pandas as pd
import polars as pl
import pytest

import recopersona as rp
from recopersona.errors import ArtifactError, ColumnError, DataError, ParameterError

KEY = b"a key of thirty-two bytes, no less"
LOG = {"user_id": ["anna", "ben", "anna"], "item_id": "tea", "anonymous_id": ["k1", None, "k2"]}


def hmac_of(text):
    return hmac.new(KEY, text.encode(), "sha256").hexdigest()[:32]


def test_the_hash_is_one_that_any_system_can_make():
    hidden = rp.hash_ids(pd.DataFrame(LOG), KEY)
    assert hidden["user_id"].tolist() == [hmac_of("anna"), hmac_of("ben"), hmac_of("anna")]
    assert hidden["anonymous_id"].tolist()[::2] == [hmac_of("k1"), hmac_of("k2")]
    assert hidden["anonymous_id"].isna().tolist() == [False, True, False]
    assert hidden["item_id"].tolist() == ["tea"] * 3


def test_another_key_is_another_hash_and_text_is_a_key_too():
    log = pd.DataFrame(LOG)
    one, same = rp.hash_ids(log, KEY), rp.hash_ids(log, KEY.decode())
    pd.testing.assert_frame_equal(one, same)
    assert not set(one["user_id"]) & set(rp.hash_ids(log, KEY[::-1])["user_id"])


@pytest.mark.parametrize("ids", [[7], [7.0], ["7"], [np.int8(7)], pd.array([7], dtype="Int64")])
def test_numbers_and_their_text_hash_alike(ids):
    assert rp.hash_ids(pd.DataFrame({"user_id": ids}), KEY)["user_id"].tolist() == [hmac_of("7")]


def test_leading_zeros_and_large_numbers_are_kept():
    ids = ["007", str(10**30), 10**30]
    hidden = rp.hash_ids(pd.DataFrame({"user_id": pd.Series(ids, dtype=object)}), KEY)
    assert hidden["user_id"].tolist() == [hmac_of("007"), *[hmac_of(str(10**30))] * 2]


def test_words_for_nobody_stay_what_they_are():
    hidden = rp.hash_ids(pd.DataFrame({"user_id": ["null", "", None, "anna"]}), KEY)["user_id"]
    assert hidden.tolist()[:2] == ["null", ""]
    assert hidden.isna().tolist() == [False, False, True, False]


def test_any_column_can_be_named_and_polars_stays_polars():
    table = pl.DataFrame({"mail": ["a@b", None], "city": ["Ulm", "Ulm"]})
    hidden = rp.hash_ids(table, KEY, columns=["mail"])
    assert hidden.to_dict(as_series=False) == {"mail": [hmac_of("a@b"), None], "city": ["Ulm"] * 2}


def test_cleaning_hides_ids_on_the_way_in():
    log = pd.DataFrame(LOG | {"user_id": [" anna", None, "anna"], "anonymous_id": ["k1", "k2", ""]})
    events, report = rp.clean(log, hash_ids=KEY, report=True)
    stranger = f"anonymous:{hmac_of('k2')}"
    assert events["user_id"].tolist() == [hmac_of("anna"), stranger, hmac_of("anna")]
    assert dict(report.repaired) == {"id_spaces": 1, "anonymous_user": 1}
    assert events["item_id"].tolist() == ["tea"] * 3


def test_rows_set_aside_do_not_give_away_who_it_was():
    log = pd.DataFrame(LOG | {"item_id": [None, "tea", "tea"]})
    rows = rp.clean(log, hash_ids=KEY, report=True)[1].quarantined_rows
    assert rows["user_id"].tolist() == [hmac_of("anna")]
    assert rows["anonymous_id"].tolist() == [hmac_of("k1")]
    assert log["user_id"].tolist()[0] == "anna"


def test_a_log_and_its_customers_join_after_hashing():
    log = pd.DataFrame({"user_id": [7, 8, 7], "item_id": "tea"})
    customers = pd.DataFrame({"user_id": ["7", "8"], "tier": ["gold", "tin"]})
    events = rp.clean(log, hash_ids=KEY).merge(rp.hash_ids(customers, KEY), on="user_id")
    assert events["tier"].tolist() == ["gold", "tin", "gold"]


def test_repeats_are_found_among_hidden_ids():
    log = pd.DataFrame(LOG).assign(user_id="anna", anonymous_id="k", timestamp="2026-01-01")[:1]
    cleaner = rp.Cleaner(hash_ids=KEY)
    assert [len(part) for part in cleaner.clean_all([log, log])] == [1, 0]


def test_further_columns_are_hidden_if_named():
    log = pd.DataFrame(LOG | {"mail": "a@b"})
    events = rp.clean(log, hash_ids=KEY, hash_columns=["user_id", "mail"])
    assert events["mail"].tolist() == [hmac_of("a@b")] * 3
    assert events["anonymous_id"].tolist()[0] == "k1"


@pytest.mark.parametrize("key", ["short", b"x" * 15, 12345678901234567890, None, bytearray(40)])
def test_a_key_that_is_none_is_refused_and_never_shown(key):
    log = pd.DataFrame(LOG)
    with pytest.raises(ParameterError, match="hash_ids: the key must") as refusal:
        rp.hash_ids(log, key)
    shown = "".join(traceback.format_exception_only(refusal.value))
    assert "short" not in shown
    assert "123456789" not in shown
    if key is not None:
        with pytest.raises(ParameterError, match="hash_ids: the key must"):
            rp.clean(log, hash_ids=key)


def test_the_key_is_neither_logged_nor_shown(caplog):
    caplog.set_level(logging.DEBUG)
    cleaner = rp.Cleaner(hash_ids=KEY)
    cleaner.clean(pd.DataFrame(LOG))
    assert KEY.decode() not in caplog.text + repr(cleaner) + repr(cleaner.report)


def test_what_cannot_be_hidden_is_said():
    with pytest.raises(ColumnError, match="neither 'user_id' nor 'anonymous_id'"):
        rp.hash_ids(pd.DataFrame({"customer": [1]}), KEY)
    with pytest.raises(ColumnError, match="needs a column 'mial'; did you mean 'mail'"):
        rp.hash_ids(pd.DataFrame({"mail": ["a"]}), KEY, columns=["mial"])
    with pytest.raises(ParameterError, match="columns must be a list of names, got 'mail'"):
        rp.hash_ids(pd.DataFrame({"mail": ["a"]}), KEY, columns="mail")
    with pytest.raises(ParameterError, match="hash_columns need a key"):
        rp.clean(pd.DataFrame(LOG), hash_columns=["user_id"])
    with pytest.raises(DataError, match="values that cannot be hashed"):
        rp.hash_ids(pd.DataFrame({"user_id": [["a"]]}), KEY)


def test_a_cleaner_with_a_key_is_not_pickled():
    with pytest.raises(ArtifactError, match="a key is never written to a file"):
        pickle.dumps(rp.Cleaner(hash_ids=KEY))
