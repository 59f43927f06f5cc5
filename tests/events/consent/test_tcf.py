"""TC strings are read as the specification has them, and what is none is refused in a sentence."""

import random
import re
import string
import time
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recopersona as rp
from recopersona.errors import DataError
from tests.events.consent.tc_strings import tc_string

PUBLISHED = (
    "CLcVDxRMWfGmWAVAHCENAXCkAKDAADnAABRgA5mdfCKZuYJez-NQm0TBMYA4oCAAGQYIAAAAAAEAIAEgAA"
    ".argAC0gAAAAAAAAAAAA"
)
BY_FIELDS = "COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA"

vendors = st.frozensets(st.integers(1, 80), max_size=12)
purposes = st.frozensets(st.integers(1, 24))
fields = st.fixed_dictionaries(
    {
        "created": st.integers(0, 2**36 - 1), "updated": st.integers(0, 2**36 - 1),
        "cmp_id": st.integers(0, 4095), "cmp_version": st.integers(0, 4095),
        "screen": st.integers(0, 63), "vendor_list": st.integers(0, 4095),
        "policy": st.integers(0, 63), "specific": st.booleans(), "texts": st.booleans(),
        "features": st.frozensets(st.integers(1, 12)), "consent": purposes, "interest": purposes,
        "one": st.booleans(), "vendors": vendors, "interested": vendors,
        "language": st.text(string.ascii_uppercase, min_size=2, max_size=2),
        "country": st.text(string.ascii_uppercase, min_size=2, max_size=2),
        "as_ranges": st.tuples(st.booleans(), st.booleans()),
        "restrictions": st.lists(
            st.tuples(st.integers(1, 24), st.integers(0, 2), vendors), max_size=3
        ),
    }
)  # fmt: skip


@given(fields)
def test_what_was_written_is_read(said):
    read = rp.decode_tcf(tc_string(**said))
    assert (read.created, read.last_updated) == (said["created"] * 100, said["updated"] * 100)
    assert (read.cmp_id, read.cmp_version) == (said["cmp_id"], said["cmp_version"])
    assert (read.consent_screen, read.consent_language) == (said["screen"], said["language"])
    assert (read.vendor_list_version, read.policy_version) == (said["vendor_list"], said["policy"])
    assert (read.is_service_specific, read.use_non_standard_texts) == (
        said["specific"],
        said["texts"],
    )
    assert read.special_features == said["features"]
    assert (read.purposes_consent, read.purposes_interest) == (said["consent"], said["interest"])
    assert (read.purpose_one_treatment, read.publisher_country) == (said["one"], said["country"])
    assert (read.vendors_consent, read.vendors_interest) == (said["vendors"], said["interested"])
    assert [
        (purpose, kind, frozenset(vendor for some in restricted for vendor in some))
        for purpose, kind, restricted in read.publisher_restrictions
    ] == said["restrictions"]


def test_a_published_string_says_what_was_published_of_it():
    # The values that the Perl parser GDPR::IAB::TCFv2 documents for this string.
    read = rp.decode_tcf(PUBLISHED)
    assert (read.created // 1_000, read.last_updated // 1_000) == (1228644257, 1326215413)
    assert (read.cmp_id, read.cmp_version, read.consent_screen) == (21, 7, 2)
    assert (read.consent_language, read.vendor_list_version) == ("EN", 23)
    assert read.purposes_consent == {1, 3, 9, 10}
    assert read == rp.decode_tcf(PUBLISHED.partition(".")[0])


def test_another_published_string_too():
    # The values that the tests of the IAB's Java decoder state for this string.
    read = rp.decode_tcf(BY_FIELDS)
    assert pd.Timestamp(read.created, unit="ms") == pd.Timestamp("2020-01-26T17:01:00")
    assert pd.Timestamp(read.last_updated, unit="ms") == pd.Timestamp("2021-02-02T17:01:00")
    assert (read.cmp_id, read.cmp_version, read.consent_screen) == (675, 2, 1)
    assert (read.vendor_list_version, read.policy_version) == (15, 2)
    assert (read.consent_language, read.publisher_country) == ("EN", "AA")
    assert read.purpose_one_treatment
    assert not read.is_service_specific
    assert not read.use_non_standard_texts


def test_purposes_stand_at_the_bits_where_the_specification_has_them():
    text = PUBLISHED.partition(".")[0]
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    bits = "".join(f"{alphabet.index(character):06b}" for character in text)
    assert {n + 1 for n in range(24) if bits[152 + n] == "1"} == {1, 3, 9, 10}
    interest = {n + 1 for n in range(24) if bits[176 + n] == "1"}
    assert rp.decode_tcf(text).purposes_interest == interest


ALL = set(range(1, 12))


@pytest.mark.parametrize(
    ("without", "denied"),
    [
        (set(), set()),
        ({1}, {"storage"}),
        ({2}, set()),
        ({3}, {"ads"}),
        ({4}, {"ads"}),
        ({5}, {"personalization"}),
        ({6}, {"personalization"}),
        ({7}, set()),
        ({8}, {"analytics"}),
        ({9}, {"analytics"}),
        ({10}, {"analytics"}),
        ({11}, set()),
        ({3, 9}, {"ads", "analytics"}),
    ],
)
def test_a_purpose_of_ours_needs_all_of_theirs(without, denied):
    states = rp.decode_tcf(tc_string(consent=ALL - without, interest=ALL)).states()
    assert set(states) == {"storage", "analytics", "personalization", "ads"}
    assert {purpose for purpose, state in states.items() if state == "denied"} == denied


def test_a_vendor_needs_consent_of_its_own():
    said = rp.decode_tcf(tc_string(consent=ALL, vendors={7, 9}))
    assert set(said.states(vendor=7).values()) == {"granted"}
    assert set(said.states(vendor=8).values()) == {"denied"}


def test_what_the_publisher_forbids_a_vendor_is_denied():
    said = rp.decode_tcf(
        tc_string(consent=ALL, vendors={7, 9}, restrictions=[(5, 0, {7}), (1, 1, {7}), (8, 2, {9})])
    )
    assert said.states(vendor=7)["personalization"] == "denied"
    assert said.states(vendor=7)["storage"] == "granted"
    assert said.states(vendor=9)["analytics"] == "denied"
    assert said.states(vendor=9)["personalization"] == "granted"
    assert said.states()["personalization"] == "granted"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must not be empty"),
        ("  ", "must not be empty"),
        (".IFoEUQQ", "must not be empty"),
        (None, "must be text, got a NoneType"),
        (7, "must be text, got a int"),
        (b"COtybn4PA", "must be text, got a bytes"),
        (["COtybn4PA"], "must be text, got a list"),
        ("COtybn4PA+zT4KjACBEN", "written in base64url"),
        ("COtybn4PÄ", "written in base64url"),
        ("CO tybn4PA", "written in base64url"),
        ("COtybn4PA=", "written in base64url"),
        ("C", "must not be cut short, got one of 6 bits"),
        (BY_FIELDS[:20], "must not be cut short, got one of 120 bits"),
        ("BOQ7WlgOQ7WlgABACDENABwAAABJOACgACAAQABA", "must be of version 2, got version 1"),
        ("DOtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA", "must be of version 2, got version 3"),
        ("A" * 1_000_000, "at most 65,536 characters, got one of 1,000,000"),
        (tc_string(language="EN").replace("EN", "9N"), "by letters"),
    ],
)
def test_what_is_no_tc_string_is_refused_in_a_sentence(text, words):
    with pytest.raises(DataError, match=re.escape(words)) as refused:
        rp.decode_tcf(text)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


def test_no_refusal_shows_the_string():
    with pytest.raises(DataError) as refused:
        rp.decode_tcf(BY_FIELDS[:25])
    assert BY_FIELDS[:6] not in str(refused.value)
    assert "COty" not in repr(rp.decode_tcf(BY_FIELDS))


def test_a_range_that_ends_before_it_starts_is_refused():
    good = tc_string(vendors={2, 3}, as_ranges=(True, False))
    assert rp.decode_tcf(good).vendors_consent == {2, 3}
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    bits = "".join(f"{alphabet.index(character):06b}" for character in good)
    at = 213 + 16 + 1 + 12 + 1  # where the range starts: after the highest, the kind, the count
    assert int(bits[at : at + 16], 2) == 2

    def with_first(first):
        worse = bits[:at] + f"{first:016b}" + bits[at + 16 :]
        return "".join(alphabet[int(worse[n : n + 6], 2)] for n in range(0, len(worse), 6))

    with pytest.raises(DataError, match="ends before it starts"):
        rp.decode_tcf(with_first(4))
    with pytest.raises(DataError, match="ends before it starts"):
        rp.decode_tcf(with_first(0))


def test_a_vendor_beyond_the_highest_is_refused():
    text = tc_string(vendors={2, 3}, as_ranges=(True, False))
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    bits = "".join(f"{alphabet.index(character):06b}" for character in text)
    worse = bits[:213] + f"{2:016b}" + bits[229:]
    short = "".join(alphabet[int(worse[n : n + 6], 2)] for n in range(0, len(worse), 6))
    with pytest.raises(DataError, match="beyond the highest"):
        rp.decode_tcf(short)


@given(st.one_of(st.text(max_size=80), st.binary(max_size=40), st.integers(), st.none()))
def test_nothing_but_a_data_error_comes_of_anything(text):
    with suppress(DataError):
        rp.decode_tcf(text)


def test_nothing_but_a_data_error_comes_of_random_and_of_damaged_strings():
    chance = random.Random(7)  # noqa: S311
    alphabet = string.ascii_letters + string.digits + "-_"
    whole = [BY_FIELDS, PUBLISHED, tc_string(vendors=range(1, 60), as_ranges=(True, True))]
    outcomes = {True: 0, False: 0}
    for n in range(4_000):
        if n % 2:
            text = "C" + "".join(chance.choices(alphabet, k=chance.randrange(120)))
        else:
            text = list(chance.choice(whole))
            for _ in range(chance.randrange(1, 4)):
                text[chance.randrange(1, len(text))] = chance.choice(alphabet)
            text = "".join(text[: chance.randrange(1, len(text) + 1)])
        try:
            rp.decode_tcf(text)
            outcomes[True] += 1
        except DataError:
            outcomes[False] += 1
    assert min(outcomes.values()) > 100


def test_all_vendors_that_there_can_be_fit_one_range():
    everybody = frozenset(range(1, 65_536))
    text = tc_string(vendors=everybody, as_ranges=(True, False))
    assert rp.decode_tcf(text).vendors_consent == everybody


def test_thousands_of_ranges_one_over_the_other_are_read_in_no_time():
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    head = "".join(f"{alphabet.index(one):06b}" for one in tc_string())[:213]
    everybody = f"1{1:016b}{65_535:016b}"
    bits = f"{head}{65_535:016b}1{4_095:012b}{everybody * 4_095}{0:016b}0"
    bits += f"{3_000:012b}" + f"{5:06b}{0:02b}{1:012b}{everybody}" * 3_000
    bits += "0" * (-len(bits) % 6)
    text = "".join(alphabet[int(bits[n : n + 6], 2)] for n in range(0, len(bits), 6))
    before = time.perf_counter()
    said = rp.decode_tcf(text)
    assert time.perf_counter() - before < 2
    assert len(said.vendors_consent) == 65_535
    assert said.states(vendor=7)["personalization"] == "denied"


def test_the_ledger_records_a_string_by_its_own_date_and_by_another():
    ledger = rp.ConsentLedger(unknown="denied")
    updated = 1_767_225_600_000  # 2026-01-01
    ledger.record_tcf("anna", tc_string(consent=ALL - {9}, updated=updated // 100))
    assert ledger.state_at("anna", "personalization", updated - 1) == "unknown"
    assert ledger.state_at("anna", "personalization", updated) == "granted"
    assert ledger.state_at("anna", "analytics", updated) == "denied"
    assert ledger.state_at("anna", "sale_or_share") == "unknown"
    ledger.record_tcf("ben", tc_string(consent=ALL, vendors={7}), "2026-02-01", vendor=8)
    assert ledger.state_at("ben", "storage", "2026-02-01") == "denied"
    assert set(ledger.records()["source"]) == {"TCF"}
    with pytest.raises(DataError, match="cut short"):
        ledger.record_tcf("carl", "COtybn4PA")
    assert ledger.records("carl").empty


def test_a_table_of_strings_counts_those_that_are_none():
    ledger = rp.ConsentLedger(unknown="denied")
    good = tc_string(consent=ALL, updated=17_672_256_000)
    table = pd.DataFrame(
        {
            "user_id": ["a", "b", "c", "d", "e", "f"],
            "tc_string": [good, "rubbish!", good[:9], None, good, 7],
            "purpose": ["ads", None, None, "ads", None, None],
            "state": ["denied", None, None, "granted", None, None],
            "timestamp": [None, "2026-02-01", None, "2026-02-01", "2026-03-01", None],
        }
    )
    assert ledger.extend(table) == {"malformed TC string": 3}
    assert ledger.counts == {"record: malformed TC string": 3}
    assert ledger.state_at("a", "ads", 1_767_225_600_000) == "granted"  # the string is what counts
    assert ledger.state_at("d", "ads") == "granted"
    assert ledger.state_at("d", "storage") == "unknown"
    assert ledger.state_at("e", "storage", "2026-02-28") == "unknown"
    assert ledger.state_at("e", "storage", "2026-03-01") == "granted"
    assert np.array_equal(ledger.records()["subject"].unique(), ["a", "d", "e"])
