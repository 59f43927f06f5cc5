"""Normalizing what is normal changes nothing, whatever came, and nothing ever raises."""

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import recopersona as rp

NORMALIZERS = {
    "email": rp.normalize_email,
    "phone": lambda value: rp.normalize_phone(value, region="DE"),
    "name": rp.normalize_name,
    "address": rp.normalize_address,
}
FRAGMENTS = {
    "email": [
        "@", ".", "+", '"', "\\", "<", ">", "mailto:", "MAILTO:", "%40", "%", "gmail.com",
        "GoogleMail.com", "xn--", "xn--bcher-kva", "bücher", "straße", "ς", "ẞ", "。", "\u200d",
        "İ", "K", "a", "ß", "-", "example", " ", ",", ";", "\u2100", "\uff20", "noreply",
    ],
    "phone": ["+", "00", "0", "49", "171", "1234567", "(0)", "-", "ext", "x", ";ext=", "5", "tel:",
              "٣", "/", " ", "FLOWERS", ";phone-context="],
    "name": ["Dr.", " ", ",", "jr", "PhD", "-", "'", "\u00b4", "ŉ", "Ł", "\u0131", "İ", "ẞ", "ﬁ",
             "\u0345", "Anna", "Berg", "ba", "が", "dr", "\u1161", "\u1100", "\u0307"],
    "address": ["Str.", "straße", "str", "st", "12", "12a", ",", "\n", "#", "P.O.", "Box", "po",
                "no", "SW1A", "1AA", "K1A", "0B1", "haupt", " ", "post", "office", "'", "²", "٣"],
}  # fmt: skip


def texts_of(kind):
    fragments = st.lists(st.sampled_from(FRAGMENTS[kind]) | st.text(max_size=3), max_size=12)
    return st.text(max_size=40) | fragments.map("".join)


@pytest.mark.parametrize("kind", NORMALIZERS)
@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_normalizing_what_is_normal_changes_nothing(kind, data):
    normalize = NORMALIZERS[kind]
    once = normalize(data.draw(texts_of(kind)))
    assert once is None or isinstance(once, str)
    if once is not None:
        assert normalize(once) == once
        assert once == once.strip()
        assert once.isprintable()


LOCALS = st.text('abcXYZ019._+-é"\\ ßİ', min_size=1, max_size=12)
DOMAINS = st.lists(st.text("abcXYZ019-üßςΣ中", min_size=1, max_size=8), min_size=2, max_size=3).map(
    ".".join
) | st.sampled_from(["gmail.com", "GOOGLEMAIL.com", "bücher.example"])


@given(LOCALS, DOMAINS)
@example('"an na"', "gmail.com")
@example('"a\\"b"', "tea.example")
@settings(max_examples=1000, deadline=None)
def test_a_mailbox_is_the_same_however_it_is_wrapped(local, domain):
    bare = rp.normalize_email(f"{local}@{domain}")
    if bare is None:
        return
    assert rp.normalize_email(bare) == bare
    address = f"{local}@{domain}"
    for wrapped in (f"  {address}\n", f"<{address}>", f'"Berg, A." <{address}>', f"{address}."):
        assert rp.normalize_email(wrapped) == bare


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.binary()
    | st.text() | st.complex_numbers() | st.dates() | st.datetimes() | st.fractions(),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.lists(inner, max_size=3)
    | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@pytest.mark.parametrize("kind", NORMALIZERS)
@given(values=st.lists(ANYTHING, max_size=6))
@settings(max_examples=100, deadline=None)
def test_a_column_of_anything_is_normalized_as_its_values_are(kind, values):
    column = pd.Series(values, dtype=object)
    whole = NORMALIZERS[kind](column)
    assert len(whole) == len(values)
    for value, text in zip(values, whole, strict=True):
        alone = NORMALIZERS[kind](pd.Series([value], dtype=object)).iloc[0]
        assert (text == alone) or (pd.isna(text) and pd.isna(alone))
