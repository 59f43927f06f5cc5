"""Tables made ready: hashes of canonical forms, everything counted, and nothing given away."""

import hmac
import io
import json
import logging
import pickle
import sys
import traceback
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

import recopersona as rp
from recopersona.errors import ColumnError, DataError, MissingExtraError, ParameterError
from recopersona.events.identity.personal import REASONS, HashedColumn, hashed
from recopersona.events.identity.placeholders import placeholders_of
from recopersona.events.secret import Secret

KEY = b"a key of thirty-two bytes, no less"
SECRET = Secret.of(KEY, "test")
PEOPLE = {
    "email": ["Zoe.Quux@Tea.example", "zoe.quux@tea.example ", "quux at tea", None],
    "phone": ["0171 7654321", "+49 171 7654321", "76543217654321765432", ""],
    "name": ["Dr. Zoë Quux", "Quux, Zoe", "n/a", "7654321"],
    "address": ["Quuxstraße 77, 89073 Ulm", "77 Quux Str., 89073 ULM", "Quuxstadt", "unknown"],
    "item_id": ["tea", "salt", "tea", "salt"],
}
RAW = ("zoe", "quux", "7654321", "77", "89073", "thirty-two")


def people():
    return pd.DataFrame(PEOPLE)


def hmac_of(text):
    return hmac.new(KEY, text.encode(), "sha256").hexdigest()[:32]


def test_the_hash_is_that_of_the_canonical_form():
    made, report = rp.hash_personal(people(), KEY, region="DE", report=True)
    for kind, canonical in {
        "email": "zoe.quux@tea.example",
        "phone": "+491717654321",
        "name": "zoe quux",
        "address": "quux st ulm 77 89073",
    }.items():
        assert made[kind].tolist() == [hmac_of(canonical)] * 2 + [np.nan] * 2
    assert made["item_id"].tolist() == PEOPLE["item_id"]
    assert report.columns == {
        "email": {"hashed": 2, "missing": 1, "malformed": 1},
        "phone": {"hashed": 2, "missing": 1, "malformed": 1},
        "name": {"hashed": 2, "missing": 0, "malformed": 1, "placeholder": 1},
        "address": {"hashed": 2, "missing": 0, "malformed": 2},
    }


def test_the_callers_frame_is_not_changed_and_comes_back_in_kind():
    frame = people()
    rp.hash_personal(frame, KEY, region="DE")
    pd.testing.assert_frame_equal(frame, people())
    made = rp.hash_personal(pl.DataFrame(PEOPLE), KEY, region="DE")
    assert isinstance(made, pl.DataFrame)
    assert made["email"].to_list() == [hmac_of("zoe.quux@tea.example")] * 2 + [None] * 2


def test_the_hash_joins_with_hash_ids():
    mails = pd.DataFrame({"email": ["Zoe@Tea.example"], "user_id": ["zoe@tea.example"]})
    made = rp.hash_ids(rp.hash_personal(mails, KEY), KEY)
    assert made["email"].tolist() == made["user_id"].tolist()


def test_columns_of_any_name_and_several_of_a_kind():
    table = pd.DataFrame({"contact": ["A@tea.example"], "billing": ["a@tea.example"], "email": "x"})
    made = rp.hash_personal(table, KEY, {"email": ["contact", "billing"]})
    assert made["contact"].tolist() == made["billing"].tolist() == [hmac_of("a@tea.example")]
    assert made["email"].tolist() == ["x"]
    assert rp.hash_personal(table, KEY, {"email": "contact"})["billing"].tolist() == [
        "a@tea.example"
    ]


def test_hashing_twice_makes_gaps_that_are_counted():
    once = rp.hash_personal(people(), KEY, {"email": "email"})
    twice, report = rp.hash_personal(once, KEY, {"email": "email"}, report=True)
    assert twice["email"].isna().all()
    assert report.columns["email"] == {"hashed": 0, "missing": 2, "malformed": 2}


def test_every_row_is_accounted_for():
    odd = [None, "null", "A@tea.example", 7, [1], {"a": 1}, b"x", "a@b.example,c@d.example"]
    odd += ["x" * 2000, "a\0b@tea.example", "\ud800@tea.example", "noreply@tea.example", "tea"]
    column = hashed(pd.Series(odd, index=range(5, 18)), "email", SECRET)
    assert column.counts == {
        "hashed": 1, "missing": 2, "not_text": 4, "too_long": 1, "unprintable": 2, "several": 1,
        "malformed": 1, "placeholder": 1,
    }  # fmt: skip
    assert sum(column.counts.values()) == len(odd)
    assert column.values.index.tolist() == list(range(5, 18))
    assert np.flatnonzero(column.because("not_text")).tolist() == [3, 4, 5, 6]
    assert (column.values.notna() == column.because("hashed")).all()
    assert column.reasons.dtype == np.int8
    assert len(REASONS) == len(set(REASONS))


def test_a_table_without_rows_is_ready():
    made, report = rp.hash_personal(people()[:0], KEY, region="DE", report=True)
    assert made.columns.tolist() == list(PEOPLE)
    assert report.columns["email"] == {"hashed": 0, "missing": 0}


def test_rows_of_one_value_are_hashed_alike_whatever_stands_beside_them():
    rng = np.random.default_rng(7)
    mails = pd.Series([f"A{i % 50}@tea.example" for i in range(500)])
    whole = hashed(mails, "email", SECRET).values
    order = rng.permutation(500)
    shuffled = hashed(mails.iloc[order], "email", SECRET).values
    assert shuffled.tolist() == whole.iloc[order].tolist()
    assert whole.nunique() == 50


# -- placeholders ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "No-Reply@shop.example"), ("email", "test@test.com"),
        ("email", "zoe@example.com"), ("email", "n.o.n.e@gmail.com"),
        ("email", "zoe@shop.test"), ("phone", "+1 234 567 8901"),
        ("name", "John DOE"), ("name", "Mr. Test"), ("address", "Musterstraße 1"),
    ],
)  # fmt: skip
def test_well_known_placeholders_are_no_identifiers(kind, text):
    column = pd.Series([text])
    assert hashed(column, kind, SECRET).counts["hashed"] == 0
    assert hashed(column, kind, SECRET).counts["placeholder"] == 1
    all_in = placeholders_of(None, kind)
    assert hashed(column, kind, SECRET, placeholders=all_in).counts["hashed"] == 1


@pytest.mark.parametrize("kind", rp.PLACEHOLDERS)
def test_placeholders_are_written_in_their_canonical_form(kind):
    from recopersona.events.identity.normalizers import normalizer_of

    normal = normalizer_of(kind)
    for text in rp.PLACEHOLDERS[kind]:
        whole = text
        if kind == "email":
            whole = f"zoe{text.replace('@.', '@tea.')}" if text[0] == "@" else f"{text}tea.example"
        assert normal(whole) == whole
    assert len(rp.PLACEHOLDERS[kind]) == len(set(rp.PLACEHOLDERS[kind]))


def test_placeholders_of_ones_own():
    mails = pd.DataFrame({"email": ["shop@tea.example", "noreply@tea.example"]})
    made, report = rp.hash_personal(
        mails, KEY, placeholders={"email": ["shop@tea.example"]}, report=True
    )
    assert made["email"].notna().tolist() == [False, True]
    assert report.columns["email"] == {"hashed": 1, "missing": 0, "placeholder": 1}
    assert rp.hash_personal(mails, KEY, placeholders=None)["email"].notna().all()


@pytest.mark.parametrize(
    "given", ["quux@", {"email": "quux@"}, {"email": ["quux@", 7]}, {"email": 7}, 7]
)
def test_placeholders_of_no_use_are_refused_unseen(given):
    with pytest.raises(ParameterError, match="placeholders must be a mapping from") as refusal:
        rp.hash_personal(people(), KEY, {"email": "email"}, placeholders=given)
    assert "quux" not in str(refusal.value)


# -- errors ----------------------------------------------------------------------------------


def test_what_cannot_be_made_ready_is_said():
    table = pd.DataFrame({"mail": ["zoe@tea.example"]})
    with pytest.raises(ColumnError, match="no column 'email', 'phone', 'name' or 'address'"):
        rp.hash_personal(table, KEY)
    with pytest.raises(ColumnError, match="needs a column 'mial'; did you mean 'mail'"):
        rp.hash_personal(table, KEY, {"email": "mial"})
    with pytest.raises(ParameterError, match="'emial' is no personal kind; did you mean 'email'"):
        rp.hash_personal(table, KEY, {"emial": "mail"})
    with pytest.raises(ParameterError, match=r"kinds must be a mapping .* got a str"):
        rp.hash_personal(table, KEY, "email")
    with pytest.raises(ParameterError, match="'mail' cannot be both email and name"):
        rp.hash_personal(table, KEY, {"email": "mail", "name": "mail"})
    with pytest.raises(ParameterError, match=r"columns of email must be a name or a list .*a int"):
        rp.hash_personal(table, KEY, {"email": 0})
    with pytest.raises(DataError, match="the table must be a dataframe"):
        rp.hash_personal(["zoe@tea.example"], KEY)


@pytest.mark.parametrize("key", ["s3cr3t", b"s3cr3t", None, 53])
def test_a_key_that_will_not_do_is_not_shown(key):
    with pytest.raises(ParameterError, match="hash_personal: the key must") as refusal:
        rp.hash_personal(people(), key)
    assert "s3cr3t" not in "".join(traceback.format_exception_only(refusal.value))


# -- nothing is given away -------------------------------------------------------------------


def given_away(text):
    written = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    return [word for word in RAW if word.encode() in written.lower()]


def everything():
    kinds = ("email", "phone", "name", "address")
    made, report = rp.hash_personal(people(), KEY, region="DE", report=True)
    columns = [hashed(people()[kind], kind, SECRET, region="DE") for kind in kinds]
    return made, report, columns


def test_the_words_looked_for_are_found_where_they_are():
    assert given_away(people().to_csv()) == [*RAW[:5]]
    assert given_away(KEY) == ["thirty-two"]


def test_no_text_of_any_result_gives_a_value_away():
    made, report, columns = everything()
    shown = [repr(made), made.to_csv(), made.to_json(), repr(report), report._repr_html_()]
    shown += [repr(report.to_frame()), json.dumps(report.columns), *map(repr, columns)]
    shown += [repr(column.values) for column in columns]
    assert [given_away(text) for text in shown] == [[]] * len(shown)


def test_no_file_of_any_result_gives_a_value_away(tmp_path):
    made, report, columns = everything()
    parquet = io.BytesIO()
    made.to_parquet(parquet)
    rp.write_events(made.assign(user_id=made["email"]), tmp_path / "events.parquet")
    written = [parquet.getvalue(), pickle.dumps((made, report, columns))]
    written += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 2
    assert [given_away(file) for file in written] == [[]] * len(written)


def test_nothing_is_logged_and_nothing_warns(caplog, capfd):
    caplog.set_level(0)
    logging.getLogger("phonenumbers").setLevel(0)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        everything()
    out, err = capfd.readouterr()
    assert given_away(caplog.text + out + err + "".join(str(each.message) for each in heard)) == []


def test_no_error_gives_a_value_away(monkeypatch):
    values = ["Zoe.Quux@Tea.example", "0171 7654321", "\ud800 Quux 77", "Zoe" * 10**6, b"Quux"]
    values += [["Quux"], {"zoe": 89073}, 7654321, "quux@\ud800", "mailto:%zz%00quux", "xn--quux@"]

    def table(kind, value):
        return pd.DataFrame({kind: pd.Series([value], dtype=object)})

    attempts = [
        lambda value: rp.hash_personal(value, KEY),
        lambda value: rp.hash_personal(table("email", value), KEY[:3]),
        lambda value: rp.hash_personal(table("email", value), KEY, {"email": "emial"}),
        lambda value: rp.hash_personal(table("phone", value), KEY, region="XX"),
        lambda value: rp.hash_personal(table("email", value), KEY, placeholders=[value]),
        lambda value: rp.hash_personal(table("email", value), [value]),
        lambda value: rp.normalize_email([value]),
        lambda value: rp.normalize_name(np.array([value], dtype=object)),
        lambda value: rp.normalize_address({value: value} if isinstance(value, str) else [value]),
    ]
    raised = 0
    for value in values:
        for attempt in attempts:
            try:
                attempt(value)
            except (ParameterError, DataError) as refusal:
                raised += 1
                told = refusal
                while told is not None:
                    assert given_away("".join(map(str, told.args))) == []
                    told = told.__cause__ or told.__context__
    assert raised > len(values) * 7
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(MissingExtraError) as missing:
        rp.hash_personal(people(), KEY)
    assert given_away(str(missing.value)) == []


def test_modules_keep_no_value_behind():
    everything()
    names = [name for name in sys.modules if name.startswith("recopersona.events")]
    kept = "".join(repr(vars(sys.modules[name])) for name in names)
    assert "quux" not in kept.lower()
    assert "thirty-two" not in kept


def test_a_hashed_column_shows_counts():
    column = HashedColumn(pd.Series(["a", None]), np.array([0, 1], dtype=np.int8))
    assert repr(column) == "HashedColumn({'hashed': 1, 'missing': 1})"


def test_a_report_of_odd_column_names_is_safe_in_html():
    table = pd.DataFrame({"<b>": ["Zoe@tea.example"]})
    _, report = rp.hash_personal(table, KEY, {"email": "<b>"}, report=True)
    assert "&lt;b&gt;" in report._repr_html_()
    assert repr(report) == "PersonalReport: 1 rows\n  <b>  1 hashed, 0 missing, 0 unusable"
