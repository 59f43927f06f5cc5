"""What the columns of a customer table say of a person, and their values made comparable."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.ids import is_missing
from recopersona.data.types import Array
from recopersona.errors import ColumnError, DataError, ParameterError, hint
from recopersona.events.distinct import Distinct
from recopersona.events.identifiers import is_no_id, text_of
from recopersona.events.identity.addresses import ABBREVIATIONS
from recopersona.events.identity.emails import email_of
from recopersona.events.identity.people import DEGREES, TITLES
from recopersona.events.identity.placeholders import PLACEHOLDERS, Placeholders
from recopersona.events.identity.plain_texts import Unusable, plain_text, words_in

FIELDS: Mapping[str, str] = {
    "given": r"(given|first|fore|christian)(_?names?)?|f_?name|vorname|prenom",
    "surname": r"sur_?name|(last|family)(_?name)?|[ls]_?name|nachname|familienname|nom",
    "full_name": r"(full|whole|customer|person|contact|display)?_?names?|first_and_surname",
    "birth_date": r"dob|(date|day)_?of_?birth|birth_?(date|day)|b_?day|geburtsdatum",
    "email": r"(customer_?)?e_?mail(_?(address|adress|adresse))?",
    "phone": r"(tele|mobile_?|cell_?|home_?)?phone(_?(number|no|nr))?|mobile(_?number)?|tel|cell",
    "national_id": r"(soc\w*|social|national|nat|tax|citizen|person)_?(sec\w*|insurance)?"
    r"_?(id|number|no|nr)|ssn|nino|passport(_?(no|number))?",
    "house_number": r"(house|street|building)_?(number|no|nr|num)|hausnummer",
    "street": r"street(_?(name|address))?|addr(ess)?(_?(line)?_?1)?|strasse",
    "address_2": r"addr(ess)?(_?line)?_?[23]",
    "postcode": r"(post|postal|zip)(_?code)?(_\w+)?|plz",
    "city": r"(home_?)?(city|town|suburb|locality)(_?name)?|ort|stadt",
    "state": r"state|province|region|county|bundesland",
    "birth_place": r"(birth_?(place|city|town))|place_?of_?birth|geburtsort",
    "gender": r"gender|sex|geschlecht",
    "occupation": r"occupation|job(_?title)?|profession|beruf",
}
"""What a column may say of a person, and the names, in small letters, by which it is known."""

SHORTEST_TEXT = 5
"""Characters: where values are shorter on average, one letter makes another value."""

_MOSTLY_DISTINCT = 0.9
_LONGEST = 500
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PART = re.compile(r"\d+|[a-z]+")
_TITLES = TITLES | DEGREES | {"lord", "lady", "dame", "captain", "reverend"}
_EMAILS = Placeholders("email", PLACEHOLDERS["email"])


@dataclass(frozen=True, eq=False)
class Records:
    """Records of people, their values in canonical form.

    table     object columns named by what they say, None where missing
    words     the words of names: for each the record, int64 (n_words,), and the word
    columns   the caller's column of each
    left_out  the caller's other columns, each with the reason
    odd       how many values of a column were no text, number or date
    """

    table: pd.DataFrame
    words: tuple[Array, Array]
    columns: dict[str, str]
    left_out: dict[str, str]
    odd: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.table)


def records_of(frame: pd.DataFrame, columns: Mapping[str, str], ignored: Iterable[str]) -> Records:
    """Read a table of people.

    Raises
    ------
    DataError
        If no column can be used.
    """
    known, left_out = _known_columns(frame, columns, set(ignored))
    odd: dict[str, int] = {}
    table: dict[str, pd.Series] = {}
    for name, column in known.items():
        table[name], odd[column] = _canonical(frame[column], _reader_of(name))
    for name in [name for name in table if name not in FIELDS]:
        if reason := _useless(table[name]):
            left_out[known.pop(name)] = reason
            del table[name]
    for name in [name for name, values in table.items() if values.isna().all()]:
        left_out[known.pop(name)] = "no value that can be used"
        del table[name]
    if not table:
        raise DataError(
            "no column that says who somebody is, such as 'surname', 'birth_date' or 'email', got "
            f"{', '.join(map(str, frame.columns)) or 'none'}; name yours with columns=."
        )
    read = pd.DataFrame(table, index=range(len(frame)), dtype=object)
    read, words = _names_apart(read)
    return Records(read, words, known, left_out, {name: n for name, n in odd.items() if n})


def joined(first: Records, second: Records) -> Records:
    """Return the records of one table and then those of another, by what both say."""
    both = [name for name in first.table.columns if name in second.table.columns]
    if not both:
        raise DataError("the two tables have no column in common that says who somebody is.")
    table = pd.concat([first.table[both], second.table[both]], ignore_index=True)
    (rows, words), (other_rows, other_words) = first.words, second.words
    left_out = dict(first.left_out)
    left_out |= {
        column: "the other table says nothing of it"
        for records in (first, second)
        for name, column in records.columns.items()
        if name not in both and name not in ("full_name", "given", "surname")
    }
    odd = {
        name: first.odd.get(name, 0) + second.odd.get(name, 0)
        for name in first.odd.keys() | second.odd.keys()
    }
    return Records(
        table,
        (np.append(rows, other_rows + len(first)), np.append(words, other_words)),
        {name: first.columns[name] for name in first.columns if name in second.columns},
        left_out | second.left_out,
        odd,
    )


def _known_columns(
    frame: pd.DataFrame, columns: Mapping[str, str], ignored: set[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Say what each column is, and which are left out."""
    _require(frame, columns, ignored)
    known = dict(columns)
    left_out = {str(name): "ignored" for name in frame.columns if name in ignored}
    for name in frame.columns:
        if name in ignored or name in known.values():
            continue
        found = field_of(str(name))
        if found in known:
            left_out[str(name)] = f"{known[found]!r} says it already"
        else:
            known[found or str(name)] = name
    return known, left_out


def _require(frame: pd.DataFrame, columns: Mapping[str, str], ignored: set[str]) -> None:
    names = [str(name) for name in frame.columns]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise ColumnError(f"the records have more than one column {twice!r}; keep one.")
    for what in columns:
        if what not in FIELDS:
            raise ParameterError(
                f"columns names what a column says, got {what!r}{hint(what, FIELDS)}"
            )
    for name in (*columns.values(), *sorted(ignored)):
        if name not in frame.columns:
            raise ColumnError(f"the records have no column {name!r}{hint(str(name), names)}")


def field_of(name: str) -> str | None:
    """Return what a column says by its name, None where the name tells nothing.

    Examples
    --------
    >>> field_of("First name"), field_of("date_of_birth"), field_of("ZIP"), field_of("colour")
    ('given', 'birth_date', 'postcode', None)
    """
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    plain = re.sub(r"\W+", "_", plain.lower()).strip("_")
    return next((what for what, names in FIELDS.items() if re.fullmatch(names, plain)), None)


def _canonical(column: pd.Series, read: Callable[[str], str | None]) -> tuple[pd.Series, int]:
    """Return a column in canonical form, and how many values are nothing that can be read."""
    cells = [_cell(value) for value in column.astype(object)]
    odd = sum(cell is _ODD for cell in cells)
    distinct = Distinct.of(
        pd.Series([None if cell is _ODD else cell for cell in cells], dtype=object)
    )
    texts = [*map(read, distinct.values), None]
    values = np.empty(len(texts), dtype=object)
    values[:] = texts
    return pd.Series(values[distinct.codes], dtype=object), odd  # -1 reads the last


_ODD = object()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return None if is_no_id(value) else value
    if isinstance(value, date):
        return None if is_missing(value) else value.isoformat()[:10]
    if isinstance(value, (Real, np.bool_)):
        return None if is_missing(value) else text_of(value)
    if isinstance(value, (list, tuple, set, frozenset, dict, np.ndarray)):
        return _ODD
    return None if is_missing(value) else str(value)


def _reader_of(name: str) -> Callable[[str], str | None]:
    readers: dict[str, Callable[[str], str | None]] = {
        "given": _name, "surname": _name, "full_name": _full_name, "birth_date": birth_digits,
        "email": _email, "phone": _phone, "street": _address, "address_2": _address,
        "gender": _gender,
    }  # fmt: skip
    return readers.get(name, _tight)


def _words(text: str) -> list[str]:
    plain = plain_text(text, _LONGEST)
    words = [] if isinstance(plain, Unusable) else words_in(plain)
    return [] if " ".join(words) in _NOTHING else words


_NOTHING = frozenset({"n a", "na", "unknown", "none", "not given", "not available", "null"})


def _tight(text: str) -> str | None:
    # Blanks come and go by mistake more often than they tell two values apart.
    return "".join(_words(text)) or None


def _name(text: str) -> str | None:
    return "".join(word for word in _words(text) if word not in _TITLES) or None


def _full_name(text: str) -> str | None:
    last, comma, first = text.partition(",")
    ordered = f"{first} {last}" if comma and first.strip() and " " not in last.strip() else text
    return " ".join(word for word in _words(ordered) if word not in _TITLES) or None


def _address(text: str) -> str | None:
    return "".join(ABBREVIATIONS.get(word, word) for word in _words(text)) or None


def _email(text: str) -> str | None:
    address = email_of(text)
    if isinstance(address, Unusable):  # a typo in it: still evidence, as text
        return "".join(text.lower().split()) or None if len(text) <= _LONGEST else None
    return None if address in _EMAILS else address


def _phone(text: str) -> str | None:
    digits = "".join(re.findall(r"[0-9]+", text[:_LONGEST]))
    # The last nine are those of the line, with and without the country and its zeros.
    return digits[-9:] if len(digits) >= 6 and len(set(digits)) > 1 else None


def _gender(text: str) -> str | None:
    word = _tight(text)
    return {"m": "male", "man": "male", "f": "female", "w": "female", "woman": "female"}.get(
        word or "", word
    )


def birth_digits(text: str) -> str | None:
    """Return a date as eight digits: year, month, day; what is no date as the digits it has.

    Days come before months where both orders are possible: wrong for all is right for comparing.

    Examples
    --------
    >>> birth_digits("1984-03-07"), birth_digits("7.3.1984"), birth_digits("7 March 1984")
    ('19840307', '19840307', '19840307')
    >>> birth_digits("07031984"), birth_digits("1984"), birth_digits("1984-33-07")
    ('19840307', '1984', '19843307')
    """
    parts = [_digits(part) for part in _PART.findall(text.lower()[:40])]
    parts = [part for part in parts if part][:3]
    if len(parts) == 3:
        first, second, third = parts
        if len(first) == 4:
            year, month, day = first, second, third
        else:
            year, month, day = third, second, first
            if len(second) <= 2 and int(second) > 12 >= int(first):
                month, day = first, second
        return f"{year}{month:0>2}{day:0>2}"
    digits = "".join(parts)
    if (
        len(digits) == 8
        and digits[:2] not in ("18", "19", "20")
        and digits[4:6] in ("18", "19", "20")
    ):
        digits = digits[4:] + digits[2:4] + digits[:2]
    return digits or None


def _digits(part: str) -> str:
    if part.isdigit():
        return part
    return f"{_MONTHS.index(part[:3]) + 1:02}" if part[:3] in _MONTHS else ""


def _useless(values: pd.Series) -> str | None:
    """Say why a column of which nothing is known tells no two people apart, or nothing of them."""
    there = values.dropna()
    distinct = there.nunique()
    if distinct < 2:
        return "one value or none"
    if distinct > _MOSTLY_DISTINCT * len(there):
        return "nearly all of its values are different"
    return None


def _names_apart(table: pd.DataFrame) -> tuple[pd.DataFrame, tuple[Array, Array]]:
    """Split full names, keep what they say beyond given name and surname, and list all words."""
    rows, words = _words_of_names(table)
    if "full_name" not in table:
        return table, (rows, words)
    parts = [text.split() if isinstance(text, str) else [] for text in table["full_name"]]
    nothing = pd.Series(None, index=table.index, dtype=object)
    given, surname = table.get("given", nothing), table.get("surname", nothing)
    first = pd.Series([part[0] if len(part) > 1 else None for part in parts], dtype=object)
    last = pd.Series([part[-1] if part else None for part in parts], dtype=object)
    table = table.drop(columns="full_name")
    table["given"] = given.where(given.notna(), first) if "given" not in table else given
    table["surname"] = surname.where(surname.notna(), last) if "surname" not in table else surname
    between = [
        "".join(word for word in part if word not in known) or None
        for part, *known in zip(parts, table["given"], table["surname"], strict=True)
    ]
    if any(between):
        table["middle"] = pd.Series(between, dtype=object)
    return table, (rows, words)


def _words_of_names(table: pd.DataFrame) -> tuple[Array, Array]:
    names = [table[name] for name in ("given", "surname", "full_name") if name in table]
    pieces = [column.dropna().str.split().explode() for column in names if column.notna().any()]
    if not pieces:
        return np.empty(0, np.int64), np.empty(0, object)
    listed = pd.concat(pieces)
    return listed.index.to_numpy(np.int64), listed.to_numpy(object)
