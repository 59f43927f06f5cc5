"""Records that agree in several strong things."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest

import recopersona as rp
from recopersona.errors import ColumnError, DataError, ParameterError
from tests.events.identity.customers import people, with_mistakes

ANN = {"given": "Ann", "surname": "Berg", "dob": "1984-03-07", "email": "ann@tea.shop"}


def clusters(*records, **more):
    return rp.match_records(pd.DataFrame(list(records)), **more)["cluster"].tolist()


def test_equal_in_both_names_and_birth_date_is_one_person():
    other = {"given": "ANN ", "surname": "Dr. Bérg", "dob": "7.3.1984", "email": None}
    assert clusters(ANN, other) == [0, 0]


def test_one_strong_thing_alone_is_not_enough():
    family = {"given": "Ben", "surname": "Dahl", "dob": "1990-01-01", "email": "ann@tea.shop"}
    assert clusters(ANN, family) == [0, 1]


HOME = {"surname": "Berg", "street": "Am Markt", "house_number": "7", "postcode": "89073"}


def test_a_family_and_twins_are_several_persons():
    ann = ANN | HOME | {"phone": "0731 1234567"}
    twin = ann | {"given": "Eva", "email": None}
    mother = ann | {"given": "Ida", "dob": "1950-01-01"}
    daughter = ann | {"dob": "2010-05-06", "email": None}
    assert clusters(ann, twin, mother, daughter) == [0, 1, 2, 3]


def test_who_could_be_either_twin_is_neither():
    ann = ANN | HOME
    either = ann | {"given": None, "email": None}
    assert clusters(ann, ann | {"given": "Eva", "email": None}, either) == [0, 1, 2]
    assert clusters(ann, either) == [0, 0]


def test_a_short_form_of_the_name_is_the_name_and_a_national_id_is_enough():
    ann = ANN | HOME | {"ssn": "123456"}
    assert clusters(ann, ann | {"given": "A.", "ssn": None}) == [0, 0]
    assert clusters(ann, ANN | {"given": "Eva", "ssn": "123456", "email": None}) == [0, 0]


def test_missing_values_never_agree():
    nobody = {"given": None, "surname": None, "dob": None, "email": None}
    assert clusters(ANN, nobody, nobody) == [0, 1, 2]


def test_what_agrees_with_a_third_agrees():
    one = ANN | {"dob": None}
    other = ANN | {"email": None}
    assert clusters(one, ANN, other) == [0, 0, 0]


def test_a_placeholder_e_mail_says_of_nobody_who_he_is():
    one = {"surname": "Berg", "email": "noreply@tea.shop", "dob": "1984-03-07"}
    assert clusters(one, one | {"dob": "1990-01-01"}, ANN | {"surname": "Dahl"}) == [0, 1, 2]


def test_other_combinations_can_be_asked_for():
    one, other = ANN | {"dob": "1990-01-01", "given": "Eva"}, ANN
    assert clusters(one, other, on=[["surname"]]) == [0, 0]
    assert clusters(one, other, on=[["surname", "birth_date"]]) == [0, 1]


def test_two_tables_are_linked_by_their_own_ids():
    a = pd.DataFrame([ANN]).assign(id="a1")
    b = pd.DataFrame([ANN | {"given": "Eva", "email": None}, ANN]).assign(id=["b1", "b2"])
    found = rp.match_records(a, b, record="id")
    assert found["source"].tolist() == ["a", "b", "b"]
    assert found["record"].tolist() == ["a1", "b1", "b2"]
    assert found["cluster"].tolist() == [0, 1, 0]


def test_the_callers_kind_of_frame_comes_back():
    assert isinstance(rp.match_records(pl.DataFrame([ANN])), pl.DataFrame)


def test_nothing_is_guessed_and_much_is_found():
    a = people(400)
    both = pd.concat([a, with_mistakes(a, 1)], ignore_index=True)
    found = rp.match_records(both.drop(columns="cluster"))["cluster"].to_numpy()
    assert (found[:400] == found[400:]).mean() > 0.8
    assert len(set(found)) >= 400


@pytest.mark.parametrize(
    ("frame", "more", "error", "words"),
    [
        (pd.DataFrame({"city": ["Ulm", "Bonn"]}), {}, DataError, "the records say only city"),
        (pd.DataFrame([ANN]), {"on": "surname"}, ParameterError, "must be a list of lists"),
        (pd.DataFrame([ANN]), {"on": []}, ParameterError, "must be a list of lists"),
        (pd.DataFrame([ANN]), {"on": [["sur"]]}, DataError, "such as sur"),
        (pd.DataFrame([ANN]), {"record": "id"}, ColumnError, "no column 'id'"),
        (pd.DataFrame([ANN, ANN]), {"record": "email"}, DataError, "more than one record"),
        (pd.DataFrame([ANN, {"given": "Ben"}]), {"record": "email"}, DataError, "row 1 has no"),
        (pd.DataFrame([ANN]).iloc[:0], {}, DataError, "no record to link"),
        ([ANN], {}, DataError, "must be a dataframe"),
        (pd.DataFrame([ANN]), {"ignore": ["colour"]}, ColumnError, "no column 'colour'"),
    ],
)
def test_what_cannot_be_matched_is_said(frame, more, error, words):
    with pytest.raises(error, match=words):
        rp.match_records(frame, **more)
