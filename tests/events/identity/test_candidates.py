"""Which pairs of records are compared."""

from __future__ import annotations

import pandas as pd

from recopersona.events.identity import candidates
from recopersona.events.identity.candidates import candidate_pairs
from recopersona.events.identity.record_fields import records_of
from tests.events.identity.customers import people, with_mistakes


def pairs_of(frame, most=10_000):
    first, second, counts = candidate_pairs(records_of(frame, {}, []), most)
    return list(zip(first.tolist(), second.tolist(), strict=True)), counts


def test_records_that_share_nothing_are_not_compared():
    frame = pd.DataFrame({"surname": ["berg", "dahl"], "dob": ["1984-01-02", "1990-05-06"]})
    assert pairs_of(frame)[0] == []


def test_a_pair_comes_once_however_much_it_shares():
    frame = pd.DataFrame(
        {"surname": ["berg"] * 2, "dob": ["1984-01-02"] * 2, "email": ["a@b.shop"] * 2}
    )
    assert pairs_of(frame)[0] == [(0, 1)]


def test_names_in_each_others_place_meet():
    frame = pd.DataFrame(
        {"given": ["ann", "berg"], "surname": ["berg", "ann"], "dob": ["1984", None]}
    )
    found, counts = pairs_of(frame)
    assert found == [(0, 1)]
    assert counts["two words of the name"] == (1, 1)


def test_the_smallest_blocks_come_first_and_the_rest_is_counted():
    frame = pd.DataFrame({"email": ["a@b.shop"] * 4 + ["c@d.shop"] * 2})
    found, counts = pairs_of(frame, most=3)
    assert found == [(4, 5)]
    assert counts["email"] == (1, 7)


def test_a_block_of_too_many_says_of_none_who_he_is(monkeypatch):
    monkeypatch.setattr(candidates, "LARGEST_BLOCK", 3)
    found, counts = pairs_of(pd.DataFrame({"email": ["a@b.shop"] * 4 + ["c@d.shop"] * 2}))
    assert found == [(4, 5)]
    assert counts["email"] == (1, 7)


def test_records_of_one_person_meet_in_spite_of_three_mistakes():
    a = people(300)
    frame = pd.concat([a, with_mistakes(a, 3)], ignore_index=True).drop(columns="cluster")
    found = set(pairs_of(frame, 10**6)[0])
    assert sum((row, row + 300) in found for row in range(300)) >= 299
    assert len(found) < 600 * 599 / 2 / 5
