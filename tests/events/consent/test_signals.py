"""What Google, browsers, US states and Segment say is recorded as what it means, and no more."""

import re

import pytest

import recopersona as rp
from recopersona.data.gate import PURPOSES
from recopersona.errors import DataError, ParameterError

AT = "2026-03-01"
ADS = ("ad_storage", "ad_user_data", "ad_personalization")


def states(ledger, subject="anna"):
    every = {purpose: ledger.state_at(subject, purpose) for purpose in PURPOSES}
    return {purpose: state for purpose, state in every.items() if state != "unknown"}


def google(**signals):
    ledger = rp.ConsentLedger(unknown="denied")
    ledger.record_google("anna", signals, AT)
    return states(ledger)


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ({}, {}),
        ({"analytics_storage": "granted"}, {"analytics": "granted", "storage": "granted"}),
        ({"analytics_storage": "denied"}, {"analytics": "denied", "storage": "denied"}),
        (
            {"analytics_storage": "granted", "functionality_storage": "denied"},
            {"analytics": "granted", "storage": "denied"},
        ),
        (
            {"analytics_storage": "denied", "functionality_storage": "granted"},
            {"analytics": "denied", "storage": "granted"},
        ),
        ({"security_storage": "granted"}, {}),
        (
            {"security_storage": "denied", "functionality_storage": "granted"},
            {"storage": "denied"},
        ),
        ({"personalization_storage": "granted"}, {"personalization": "granted"}),
        (dict.fromkeys(ADS, "granted"), {"ads": "granted"}),
        ({"ad_storage": "granted", "ad_user_data": "granted"}, {}),
        ({"ad_storage": "granted", "ad_user_data": "denied"}, {"ads": "denied"}),
        ({"ads_storage": "No"}, {"ads": "denied"}),
        ({"ads_storage": "Yes"}, {}),
        (
            {"analytics_storage": "Yes", "ads_storage": None},
            {"analytics": "granted", "storage": "granted"},
        ),
        ({"analytics_storage": "Unset"}, {}),
        ({"analytics_storage": float("nan")}, {}),
        ({"analytics_storage": True}, {"analytics": "granted", "storage": "granted"}),
    ],
)
def test_google_s_signals_mean_our_purposes(signals, expected):
    assert google(**signals) == expected


def test_two_spellings_of_one_signal_are_denied_by_either():
    rest = {"ad_user_data": "granted", "ad_personalization": "granted"}
    assert google(ads_storage="No", ad_storage="granted", **rest) == {"ads": "denied"}
    assert google(ad_storage="granted", ads_storage="No", **rest) == {"ads": "denied"}


@pytest.mark.parametrize(
    ("signals", "words"),
    [
        ({"analytic_storage": "granted"}, "did you mean 'analytics_storage'?"),
        ({"wether": "granted"}, "is no signal of Google's consent mode; they are"),
        ({7: "granted"}, "7 is no signal"),
        ({"ad_storage": "maybe"}, "must be granted or denied, Yes or No, got 'maybe'"),
        ("granted", "must be a mapping"),
    ],
)
def test_signals_that_google_does_not_send_are_refused(signals, words):
    ledger = rp.ConsentLedger(unknown="denied")
    with pytest.raises(DataError, match=re.escape(words)):
        ledger.record_google("anna", signals, AT)
    assert ledger.records().empty


def test_global_privacy_control_denies_sale_and_nothing_else():
    ledger = rp.ConsentLedger(unknown="granted")
    ledger.record_gpc(("anonymous_id", "c-1"), AT)
    assert states(ledger, ("anonymous_id", "c-1")) == {"sale_or_share": "denied"}
    assert states(ledger, "c-1") == {}


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ({"SaleOptOut": 1}, {"sale_or_share": "denied"}),
        ({"SaleOptOut": 2, "SharingOptOut": 1}, {"sale_or_share": "denied"}),
        ({"SaleOptOut": 2, "SharingOptOut": 2}, {"sale_or_share": "granted"}),
        ({"SaleOptOut": 0}, {}),
        ({"SaleOptOut": 2, "Gpc": True}, {"sale_or_share": "denied"}),
        ({"SaleOptOut": 2, "Gpc": False}, {"sale_or_share": "granted"}),
        ({"Gpc": False}, {}),
        ({"TargetedAdvertisingOptOut": 1}, {"ads": "denied"}),
        ({"TargetedAdvertisingOptOut": 2}, {"ads": "granted"}),
        ({"TargetedAdvertisingOptOut": 0}, {}),
    ],
)
def test_opt_outs_of_us_states_mean_our_purposes(signals, expected):
    ledger = rp.ConsentLedger(unknown="granted")
    ledger.record_us_opt_out("anna", signals, AT)
    assert states(ledger) == expected


@pytest.mark.parametrize(
    ("signals", "words"),
    [
        ({"SaleOptOut": 3}, "SaleOptOut must be 0, 1 or 2, got 3"),
        ({"SaleOptOut": True}, "SaleOptOut must be 0, 1 or 2, got True"),
        ({"SaleOptOut": [1]}, "SaleOptOut must be 0, 1 or 2, got [1]"),
        ({"Gpc": 1}, "Gpc must be True or False, got 1"),
        ({"SalesOptOut": 1}, "did you mean 'SaleOptOut'?"),
        (None, "must be a mapping"),
    ],
)
def test_opt_outs_that_are_none_are_refused(signals, words):
    with pytest.raises(DataError, match=re.escape(words)):
        rp.ConsentLedger(unknown="granted").record_us_opt_out("anna", signals, AT)


MEANING = {"Functional": ["storage", "personalization"], "Advertising": "ads", "Data": "storage"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {}),
        ({"Functional": True}, {"storage": "granted", "personalization": "granted"}),
        (
            {"Functional": True, "Data": False},
            {"storage": "denied", "personalization": "granted"},
        ),
        (
            {"Data": False, "Functional": True},
            {"storage": "denied", "personalization": "granted"},
        ),
        ({"Advertising": False}, {"ads": "denied"}),
    ],
)
def test_segment_s_categories_mean_what_the_shop_says_they_mean(said, expected):
    ledger = rp.ConsentLedger(unknown="denied")
    ledger.record_categories("anna", said, AT, MEANING)
    assert states(ledger) == expected
    assert ledger.counts == {}


def test_categories_that_nobody_mapped_are_counted():
    ledger = rp.ConsentLedger(unknown="denied")
    ledger.record_categories("anna", {"Weather": True, "Sports": False}, AT, MEANING)
    assert states(ledger) == {}
    assert ledger.counts == {"record: unmapped category": 2}


def test_categories_that_cannot_be_read_are_refused():
    ledger = rp.ConsentLedger(unknown="denied")
    with pytest.raises(DataError, match="True or False, got 'yes'"):
        ledger.record_categories("anna", {"Data": "yes"}, AT, MEANING)
    with pytest.raises(DataError, match="maps to a purpose or several, got 7"):
        ledger.record_categories("anna", {"Data": True}, AT, {"Data": 7})
    with pytest.raises(DataError, match="preferences must be a mapping"):
        ledger.record_categories("anna", None, AT, MEANING)
    with pytest.raises(DataError, match="purposes must be a mapping"):
        ledger.record_categories("anna", {}, AT, ["ads"])
    with pytest.raises(ParameterError, match="did you mean 'ads'"):
        ledger.record_categories("anna", {"Data": True}, AT, {"Data": "adds"})
    assert ledger.records().empty
