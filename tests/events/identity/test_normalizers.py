"""One text for all ways to write an e-mail, a phone number, a name, an address."""

import sys
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import recopersona as rp
from recopersona.errors import DataError, MissingExtraError, ParameterError
from recopersona.events.identity.normalizers import normalizer_of
from recopersona.events.identity.plain_texts import Unusable

# -- e-mails ---------------------------------------------------------------------------------

EMAILS = {
    "anna@tea.example": [
        "anna@tea.example", "ANNA@TEA.EXAMPLE", "  anna@tea.example\t\n", "anna@tea.example.",
        "Anna Berg <anna@tea.example>", '"Berg, Anna" <anna@tea.example>', "<anna@tea.example>",
        '"<x>" <anna@tea.example>', "mailto:anna@tea.example",
        "MAILTO:anna@tea.example?subject=a@b", "mailto:anna%40tea.example",
        '"anna"@tea.example', '"an\\na"@tea.example',
        '"anna@tea.example"', "anna@tea.example,", "an\u200bna@tea\u00ad.example",
        "\uff21nna\uff20tea.example", "anna@tea\u3002example", "anna@tea\uff0eexample",
        "\ufeffanna@tea.example",
    ],
    "annaberg@gmail.com": [
        "annaberg@gmail.com", "anna.berg@gmail.com", "A.n.n.a.B.e.r.g+tea+salt@GoogleMail.com",
        '"anna.berg"@gmail.com', "anna.berg@gmail.com.", "Anna <anna.berg+@gmail.com>",
    ],
    "anna.b+tea@outlook.example": ["Anna.B+tea@Outlook.example"],
    "anna@xn--bcher-kva.example": [
        "anna@bücher.example", "anna@BÜCHER.example", "anna@bu\u0308cher.example",
        "anna@xn--bcher-kva.example", "anna@XN--BCHER-KVA.example",
    ],
    "anna@xn--strae-oqa.de": ["anna@straße.de", "anna@STRAẞE.de"],
    "anna@strasse.de": ["anna@STRASSE.de"],
    "änna@tea.example": ["Änna@tea.example", "A\u0308nna@tea.example"],
    '"anna berg"@tea.example': ['"Anna Berg"@tea.example'],
    '"a\\"b\\\\"@tea.example': ['"a\\"b\\\\"@tea.example'],
    "o'neill_{x}~%!#@a-b.tea.example": ["O'Neill_{x}~%!#@a-b.tea.example"],
    "a--b@a--b.example": ["a--b@a--b.example"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("canonical", "written"),
    [(canonical, text) for canonical, texts in EMAILS.items() for text in texts],
)
def test_one_mailbox_has_one_form(canonical, written):
    assert rp.normalize_email(written) == canonical


def test_look_alikes_stay_different():
    cyrillic = "\u0430nna@tea.example"
    assert rp.normalize_email(cyrillic) == cyrillic
    assert rp.normalize_email("anna@te\u0430.example") == "anna@xn--te-8kc.example"


NO_EMAILS = {
    Unusable.MALFORMED: [
        "anna", "@", "anna@", "@tea.example", "anna@tea", "anna@@tea.example", "a@b@tea.example",
        ".anna@tea.example", "anna.@tea.example", "an..na@tea.example", "an na@tea.example",
        "anna@tea..example", "anna@-tea.example", "anna@tea-.example", "anna@te_a.example",
        "anna@1.2.3.4", "anna@[1.2.3.4]", "anna@localhost", "anna@tea.example..", "<>", "mailto:",
        '"anna@tea.example', '""@tea.example', '"anna"tea.example', '"a"b@tea.example', '"',
        "a" * 65 + "@tea.example", "a@" + "b" * 64 + ".example", "a@" + "b." * 125 + "example",
        "+tea@gmail.com", "anna@xn--.example", "anna@xn--a.example", "anna@xn--tea-.example",
        "anna@xn--999999999.example", "anna@xn--bücher.example", "anna(comment)@tea.example",
        "anna@ü" + "b" * 60 + ".example", "anna@\u2100.example",
    ],
    Unusable.SEVERAL: ["anna@tea.example, ben@tea.example", "a@tea.example;b@tea.example"],
    Unusable.TOO_LONG: ["a" * 1025, "a@b.c" * 300, "\ufdfa" * 100],
    Unusable.UNPRINTABLE: [
        "an\0na@tea.example", "an\x1bna@tea.example", "an\ud800na@tea.example",
        "an\ufffdna@tea.example", "anna@tea.exam\ue000ple", "mailto:an%00na@tea.example",
        "mailto:an%ffna@tea.example",
    ],
    Unusable.NOT_TEXT: [
        7, 7.5, True, b"anna@tea.example", [], {}, (), ["anna@tea.example"], object(), 1j,
        pd.Timestamp(0), float("inf"), Decimal(7),
    ],
    None: [None, np.nan, pd.NA, pd.NaT, Decimal("NaN"), Decimal("sNaN"), "", "  ", "null", "NaN"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "value"), [(reason, value) for reason, all_ in NO_EMAILS.items() for value in all_]
)
def test_what_is_no_email_has_its_reason(reason, value):
    assert normalizer_of("email")(value) is reason
    assert rp.normalize_email(pd.Series([value], dtype=object)).isna().all()


# -- phones ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "0171 1234567", "0171/123 45 67", "(0171) 123-45-67", "+49 171 1234567", "0049 1711234567",
        "+49 (0)171 1234567", "tel:+49-171-1234567", "\uff0b49 171 1234567", "+49\u00a0171 1234567",
        " +49\u200b171 1234567 ", "\u0660\u0661\u0667\u0661 1234567", 1711234567, 491711234567.0,
        np.int64(491711234567), Decimal("1711234567"), "491711234567",
    ],
)  # fmt: skip
def test_one_phone_has_one_form(written):
    assert rp.normalize_phone(written, region="DE") == "+491711234567"


def test_a_number_of_thousands_of_digits_is_no_phone():
    assert normalizer_of("phone")(10**5000) is Unusable.NOT_TEXT
    assert normalizer_of("phone")("1" * 5000) is Unusable.TOO_LONG


def test_digits_with_the_country_of_the_region_are_read_as_if_with_a_plus():
    # 0491 1711234567 is a number in Leer, which nobody writes without its 0.
    assert rp.normalize_phone("491711234567", region="DE") == "+491711234567"
    assert rp.normalize_phone("0491 171123", region="DE") == "+49491171123"
    assert rp.normalize_phone("491 171123", region="DE") == "+49491171123"
    assert rp.normalize_phone("3912345678", region="IT") == "+393912345678"  # a mobile phone
    assert rp.normalize_phone("16502530000", region="US") == "+16502530000"


def test_an_extension_is_another_phone():
    extended = rp.normalize_phone("+1 650 253 0000 ext. 5")
    assert extended == "+16502530000;ext=5"
    assert rp.normalize_phone(extended) == extended
    assert rp.normalize_phone("+1 650 253 0000") == "+16502530000"


def test_an_italian_zero_stays():
    assert rp.normalize_phone("06 6982", region="IT") == "+39066982"


@pytest.mark.parametrize(
    ("reason", "value"),
    [
        (Unusable.NO_COUNTRY, "0171 1234567"), (Unusable.NO_COUNTRY, 491711234567),
        (Unusable.MALFORMED, "+999 1234567"), (Unusable.MALFORMED, "+49 1"),
        (Unusable.MALFORMED, "tea"), (Unusable.MALFORMED, "+"),
        (Unusable.MALFORMED, "+49171" + "1" * 200), (Unusable.TOO_LONG, "1" * 251),
        (Unusable.MALFORMED, "+1 555 000"), (Unusable.UNPRINTABLE, "+49171\0001234567"),
        (Unusable.NOT_TEXT, 1.5), (Unusable.NOT_TEXT, True), (Unusable.NOT_TEXT, [1711234567]),
        (Unusable.NOT_TEXT, -(10**18)), (Unusable.NOT_TEXT, Decimal("1e999999999")),
        (Unusable.NOT_TEXT, float("inf")), (Unusable.NOT_TEXT, Fraction(1, 3)),
        (None, None), (None, np.nan),
    ],
)  # fmt: skip
def test_what_is_no_phone_has_its_reason(reason, value):
    assert normalizer_of("phone")(value) is reason


def test_a_region_is_two_capital_letters():
    with pytest.raises(ParameterError, match=r"region must be two capital letters .* got 'UK'"):
        rp.normalize_phone("1", region="UK")
    with pytest.raises(ParameterError, match=r"got 'Germany'\.$"):  # and no list of 250 others
        rp.normalize_phone("1", region="Germany")
    with pytest.raises(ParameterError, match="got 'de'; did you mean 'DE'"):
        rp.normalize_phone("1", region="de")


def test_without_the_extra_phones_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(MissingExtraError, match=r'pip install "recopersona\[phone\]"') as refusal:
        rp.normalize_phone("0171 1234567")
    assert "1234567" not in str(refusal.value)
    assert rp.normalize_email("anna@tea.example") == "anna@tea.example"


# -- names -----------------------------------------------------------------------------------

NAMES = {
    "anna berg": [
        "Anna Berg", "ANNA  BERG", "Berg, Anna", "Dr. Anna Berg", "Frau Prof. Dr. Anna Berg",
        "Berg, Dr. Anna", "Dr. Berg, Anna", "Anna Berg, PhD", "Berg, Anna, MD", "Ánna Bërg",
        "Anna-Berg", "anna_berg", "Anna\nBerg", "A\u0301nna Berg", "Mrs Anna Berg MBA",
        "Anna Berg,",
    ],
    "oneill mary": ["O'Neill Mary", "O\u2019Neill Mary", "O\u00b4Neill Mary", "ONeill Mary"],
    "soren lukasz strauss": ["Søren Łukasz Strauß", "SØREN ŁUKASZ STRAUSS"],
    "aethelred thor": ["Æthelred Þór"],
    "martin king jr": ["Martin King, Jr.", "King Jr., Martin"],
    "yo yo ma": ["Yo-Yo Ma"],
    "андреи": ["Андрей"],
    "がん": ["がん"],
    "हिन्दी नाम": ["हिन्दी नाम"],
    "김 안나": ["김 안나", "\u1100\u1175\u11b7 안나"],
    "j r tolkien": ["J.R. Tolkien", "Tolkien, J.R."],
}  # fmt: skip


@pytest.mark.parametrize(
    ("canonical", "written"),
    [(canonical, text) for canonical, texts in NAMES.items() for text in texts],
)
def test_one_name_has_one_form(canonical, written):
    assert rp.normalize_name(written) == canonical


def test_what_tells_two_people_apart_stays():
    assert len({*map(rp.normalize_name, ["M King", "M King Jr", "M King III", "M King Sr"])}) == 4
    assert rp.normalize_name("かん") != rp.normalize_name("がん")
    assert rp.normalize_name("Müller") != rp.normalize_name("Mueller")


@pytest.mark.parametrize(
    ("reason", "value"),
    [
        (Unusable.MALFORMED, "Dr."), (Unusable.MALFORMED, "Herr Dr. Prof."),
        (Unusable.MALFORMED, "anna@tea.example"), (Unusable.MALFORMED, "12345"),
        (Unusable.MALFORMED, ",,,"), (Unusable.MALFORMED, "😀"),
        (Unusable.TOO_LONG, "x" * 201), (Unusable.TOO_LONG, "ß" * 150),
        (Unusable.UNPRINTABLE, "An\0na"), (Unusable.NOT_TEXT, 7), (None, "nan"),
    ],
)  # fmt: skip
def test_what_is_no_name_has_its_reason(reason, value):
    assert normalizer_of("name")(value) is reason


# -- addresses -------------------------------------------------------------------------------

ADDRESSES = {
    "haupt st ulm 5 89073": [
        "Hauptstraße 5, 89073 Ulm", "Hauptstr. 5\n89073 Ulm", "5 Haupt-Strasse; 89073 ULM",
        "Haupt Str. No. 5 89073 Ulm", "hauptstr.  5, 89073, ulm.",
    ],
    "high st london 10 sw1a1aa": [
        "10 High Street, London SW1A 1AA", "High St. 10, LONDON SW1A1AA",
        "10 high st london sw1a 1aa",
    ],
    "apt n main ave 3 12b k1a0b1": [
        "Apt. 3, 12B North Main Avenue K1A 0B1", "#3 12b n. main av k1a0b1",
        "Flat 3, 12b N Main Ave, K1A 0B1",
    ],
    "pobox springfield 12": ["P.O. Box 12, Springfield", "Post Office Box 12 Springfield",
                             "PO Box 12 Springfield"],
    "st james st 1": ["1 Saint James Street", "St. James St 1"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("canonical", "written"),
    [(canonical, text) for canonical, texts in ADDRESSES.items() for text in texts],
)
def test_one_address_has_one_form(canonical, written):
    assert rp.normalize_address(written) == canonical


@pytest.mark.parametrize(
    ("normalize", "text"),
    [
        (rp.normalize_email, "q\u0348\uaab0\u0130\u08e9@tea.example"),
        (rp.normalize_name, "\u01e2thel \u01ff\u0149"),
        (rp.normalize_address, "Haupstrstrstrasse 5"),
        (rp.normalize_address, "SW1A 5 1AA K1A Ulm 0B1 SW1A 1AA"),
    ],
)
def test_what_takes_several_steps_is_taken_to_the_end(normalize, text):
    assert normalize(text) is not None
    assert normalize(normalize(text)) == normalize(text)


def test_flats_and_house_numbers_are_not_exchanged():
    one, other = "Flat 2, 10 High Street", "Flat 10, 2 High Street"
    assert rp.normalize_address(one) != rp.normalize_address(other)
    assert rp.normalize_address("12 High St") != rp.normalize_address("12 Low St")
    assert rp.normalize_address("1 N High St") != rp.normalize_address("1 S High St")


@pytest.mark.parametrize(
    ("reason", "value"),
    [
        (Unusable.MALFORMED, "London"), (Unusable.MALFORMED, "89073"), (Unusable.MALFORMED, "5 7"),
        (Unusable.MALFORMED, "anna@tea.example 5"), (Unusable.MALFORMED, "..."),
        (Unusable.TOO_LONG, "x " * 251), (Unusable.NOT_TEXT, 89073), (None, "undefined"),
    ],
)  # fmt: skip
def test_what_is_no_address_has_its_reason(reason, value):
    assert normalizer_of("address")(value) is reason


# -- columns ---------------------------------------------------------------------------------


def test_a_column_keeps_its_index_and_name():
    column = pd.Series(["Anna@Tea.example", None, "tea"], index=[7, 7, 9], name="mail")
    normal = rp.normalize_email(column)
    assert normal.tolist() == ["anna@tea.example", np.nan, np.nan]
    assert normal.index.tolist() == [7, 7, 9]
    assert normal.name == "mail"
    assert column.tolist() == ["Anna@Tea.example", np.nan, "tea"]


@pytest.mark.parametrize("dtype", [object, "str", "category", "string"])
def test_any_kind_of_text_column_will_do(dtype):
    column = pd.Series(["A@tea.example", None, "A@tea.example"], dtype=dtype)
    assert rp.normalize_email(column).fillna("").tolist() == ["a@tea.example", "", "a@tea.example"]


def test_columns_of_polars_and_arrow_come_back_in_kind():
    values = ["A@tea.example", None, "tea"]
    normal = rp.normalize_email(pl.Series("mail", values))
    assert isinstance(normal, pl.Series)
    assert (normal.name, normal.to_list()) == ("mail", ["a@tea.example", None, None])
    normal = rp.normalize_email(pa.chunked_array([values]))
    assert isinstance(normal, pa.ChunkedArray)
    assert normal.to_pylist() == ["a@tea.example", None, None]


def test_columns_of_numbers_and_of_nothing():
    phones = rp.normalize_phone(pd.Series([491711234567.0, np.nan]), region="DE")
    assert phones.fillna("").tolist() == ["+491711234567", ""]
    for column in (pd.Series([], dtype=object), pd.Series([True, False]), pd.Series([None, None])):
        assert rp.normalize_email(column).isna().all()
        assert rp.normalize_email(column).dtype == "str"


def test_half_a_character_in_a_column_is_no_email():
    column = pd.Series(["an\ud800na@tea.example", "ben@tea.example"], dtype=object)
    assert rp.normalize_email(column).fillna("").tolist() == ["", "ben@tea.example"]


@pytest.mark.parametrize(
    "value", [["anna@tea.example"], ("a",), np.array(["a"]), {"a": 1}, pd.DataFrame({"a": ["b"]})]
)
def test_a_list_is_neither_a_value_nor_a_column(value):
    with pytest.raises(DataError, match=r"normalize_email takes one value or a column.*pd.Series"):
        rp.normalize_email(value)


def test_a_kind_that_is_not_personal_is_refused():
    with pytest.raises(ParameterError, match="can be normalized was expected, got 'emial'; did"):
        normalizer_of("emial")


# -- attackers -------------------------------------------------------------------------------

REPEATED = {
    "email": ["a", ".", "-", "@", '"', "\\", "<", "a.", "a-", "xn--", "%", "\ufdfa", "ß", " "],
    "phone": ["0", "+", "(", "-", "x", "ext", "#", "A1", "٣", ";ext=", "extn0", "~"],
    "name": ["a", " ", ",", "'", "dr ", "a,", "\ufdfa", "\u0345", "é", "\u1161"],
    "address": ["a", "str", "p o ", "1 ", "#", "sw1a ", "1aa ", "\ufdfa", "no "],
}


@pytest.mark.parametrize("kind", REPEATED)
def test_time_does_not_explode_with_what_is_written(kind):
    normalize = normalizer_of(kind, "DE")
    texts = [
        text * (length // len(text)) + end
        for text in REPEATED[kind]
        for length in (60, 250, 1000)
        for end in ("", "!", "\0", "@a.b")
    ]
    start = time.process_time()
    for text in texts:
        normalize(text)
    assert time.process_time() - start < 0.02 * len(texts)


def test_ten_megabytes_in_a_cell_are_refused_at_once():
    long = "a\u200b" * 5_000_000, "é" * 10_000_000, "a@b.c," * 2_000_000, " " * 10_000_000
    for text in long:
        for kind in REPEATED:
            start = time.process_time()
            assert normalizer_of(kind)(text) in (Unusable.TOO_LONG, None)
            assert time.process_time() - start < 1
