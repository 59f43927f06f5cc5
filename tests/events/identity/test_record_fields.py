"""What columns of customer tables say, and canonical values."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.events.identity.record_fields import birth_digits, field_of, joined, records_of


def read(frame: pd.DataFrame, **columns: str):
    return records_of(frame, columns, [])


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("given_name", "given"), ("FirstName", "given"), ("Last name", "surname"),
        ("date_of_birth", "birth_date"), ("DOB", "birth_date"), ("soc_sec_id", "national_id"),
        ("street_number", "house_number"), ("address_1", "street"), ("address_2", "address_2"),
        ("suburb", "city"), ("postcode_fake", "postcode"), ("ZIP", "postcode"),
        ("e-mail", "email"), ("phone number", "phone"), ("full_name", "full_name"),
        ("birth_place", "birth_place"), ("sex", "gender"), ("favourite tea", None),
    ],
)  # fmt: skip
def test_a_column_is_known_by_its_name(name, what):
    assert field_of(name) == what


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("1984-03-07", "19840307"), ("19840307", "19840307"), ("7.3.1984", "19840307"),
        ("3/25/1984", "19840325"), ("7 March 1984", "19840307"), ("1984-03-07 00:00", "19840307"),
        ("1848-85-28", "18488528"), ("1984", "1984"), ("long ago", None), ("", None),
    ],
)  # fmt: skip
def test_a_date_is_read_however_it_is_written(written, digits):
    assert birth_digits(written) == digits


def test_values_that_mean_the_same_are_the_same():
    frame = pd.DataFrame({
        "surname": ["Dr. Müller", "muller "], "street": ["Am Markt Street", "ammarkt st"],
        "phone": ["+49 731 123456", "0731/123456"], "gender": ["F", "female"],
        "dob": [date(1984, 3, 7), "07.03.1984"], "email": ["A.B@gmail.com", "ab+x@googlemail.com"],
    })  # fmt: skip
    table = read(frame).table
    assert (table.iloc[0] == table.iloc[1]).sum() >= 5
    assert table["surname"].tolist() == ["muller", "muller"]


def test_a_full_name_comes_apart():
    table = read(pd.DataFrame({"name": ["Sir Ann Maria Berg", "Berg, Ben", "Ulf"]})).table
    assert table["given"].tolist() == ["ann", "ben", None]
    assert table["surname"].tolist() == ["berg", "berg", "ulf"]
    assert table["middle"].tolist() == ["maria", None, None]


def test_a_plain_column_counts_where_it_repeats_itself():
    frame = pd.DataFrame({
        "surname": list("abcdefghij"), "number": range(10), "one": 1, "tier": ["x", "y"] * 5,
    })  # fmt: skip
    records = read(frame)
    assert list(records.table.columns) == ["surname", "tier"]
    assert records.left_out == {
        "number": "nearly all of its values are different",
        "one": "one value or none",
    }


def test_lists_are_counted_and_missing():
    records = read(pd.DataFrame({"surname": ["berg", ["a"], {"b": 1}], "email": [["x"]] * 3}))
    assert records.odd == {"surname": 2, "email": 3}
    assert records.left_out == {"email": "no value that can be used"}


def test_a_second_column_of_one_meaning_is_left_out():
    records = read(pd.DataFrame({"name": ["Ann Berg"], "first_and_surname": ["Ann Berg"]}))
    assert records.left_out == {"first_and_surname": "'name' says it already"}


def test_a_column_can_be_named():
    assert read(pd.DataFrame({"Achternaam": ["Berg"]}), surname="Achternaam").table[
        "surname"
    ].tolist() == ["berg"]


def test_two_tables_share_what_both_say():
    one = read(pd.DataFrame({"surname": ["berg"], "dob": ["1984-03-07"]}))
    other = read(pd.DataFrame({"last name": ["dahl"], "email": ["b@tea.shop"]}))
    both = joined(one, other)
    assert both.table["surname"].tolist() == ["berg", "dahl"]
    assert set(both.left_out) == {"dob", "email"}
    assert both.words[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("frame", "columns", "ignored", "error", "words"),
    [
        (pd.DataFrame({"x": [1, 2]}), {}, [], DataError, "no column that says who somebody is"),
        (pd.DataFrame({"email": [None, np.nan]}), {}, [], DataError, "got email"),
        (pd.DataFrame({"dob": ["x"]}), {"surnam": "dob"}, [], ParameterError, "did you mean"),
        (pd.DataFrame({"dob": ["x"]}), {"surname": "dbo"}, [], ColumnError, "no column 'dbo'"),
        (pd.DataFrame({"dob": ["x"]}), {}, ["dbo"], ColumnError, "did you mean 'dob'"),
        (pd.DataFrame([["a", "b"]], columns=["dob"] * 2), {}, [], ColumnError, "more than one"),
    ],
)
def test_what_cannot_be_read_is_said(frame, columns, ignored, error, words):
    with pytest.raises(error, match=words):
        records_of(frame, columns, ignored)


def test_two_tables_of_nothing_in_common_are_refused():
    one, other = read(pd.DataFrame({"dob": ["1984"]})), read(pd.DataFrame({"email": ["a@b.shop"]}))
    with pytest.raises(DataError, match="no column in common"):
        joined(one, other)
