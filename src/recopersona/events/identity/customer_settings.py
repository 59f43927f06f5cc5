"""Splink's settings for customer records: what is compared, and which levels of likeness count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from recopersona.data.columns import as_pandas
from recopersona.events.identity.record_fields import SHORTEST_TEXT, Records, records_of

RECORD = "record"
"""The column that numbers the prepared records."""

Level = dict[str, Any]

_BLOCKING = (
    ("national_id",), ("email",), ("phone",), ("given", "surname"), ("given", "birth_date"),
    ("surname", "birth_date"), ("birth_date", "postcode"), ("surname", "postcode"),
    ("street", "house_number"),
)  # fmt: skip
_CODES = frozenset({"postcode", "house_number", "national_id", "phone"})
_WORDS = frozenset({"gender", "state"})


def customer_settings(
    records: Any, *, columns: Mapping[str, str] | None = None, ignore: Iterable[str] = ()
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return Splink's settings for a table of customers, and the table made ready for them.

    For those who want to go on by themselves with Splink 5: train, score, look at its charts,
    change a comparison. `link_records` does the whole way by the same settings, with its own
    choice of the pairs to compare.

    Parameters
    ----------
    records : dataframe
        One row per record. The columns are known by their names, such as ``surname``, ``dob`` or
        ``zip``; what is in none of the lists is compared as a plain value where it repeats itself.
    columns : mapping from str to str, optional
        What a column says, where its name does not tell, such as ``{"surname": "Achternaam"}``.
    ignore : iterable of str
        Columns that say nothing of a person.

    Returns
    -------
    settings : dict
        For `splink.Linker`; the identifier is the column ``record``.
    table : DataFrame
        Canonical values, a column for each thing known of a person, and ``record``, the row.

    Raises
    ------
    DataError
        If no column can be used, or it is no dataframe.
    ColumnError
        If a named column is missing.

    Notes
    -----
    Names are compared by equality (rare names count more), by being in each other's place, and by
    Jaro-Winkler likeness; dates by equality, day and month exchanged, one or two wrong letters,
    two equal parts or the year; numbers by wrong letters (Damerau-Levenshtein).

    Examples
    --------
    >>> people = pd.DataFrame({"First name": ["Ann", "Anne"], "dob": ["1984-03-07", "7.3.1984"]})
    >>> settings, table = customer_settings(people)
    >>> [comparison["output_column_name"] for comparison in settings["comparisons"]]
    ['given', 'birth_date']
    >>> table["birth_date"].tolist()
    ['19840307', '19840307']
    """
    read = records_of(as_pandas(records, "the records"), columns or {}, ignore)
    table = read.table.copy()
    table.insert(0, RECORD, range(len(table)))
    return settings_for(read), table


def settings_for(records: Records) -> dict[str, Any]:
    """Return the settings for records in canonical form."""
    there = set(records.table.columns)
    rules = [rule for rule in _BLOCKING if there.issuperset(rule)]
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": RECORD,
        "comparisons": [_comparison(name, records.table) for name in records.table.columns],
        "blocking_rules_to_generate_predictions": [
            " AND ".join(f'l."{name}" = r."{name}"' for name in rule)
            for rule in rules or [(name,) for name in records.table.columns]
        ],
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": False,
        "max_iterations": 30,
        "em_convergence": 1e-4,
    }


def _comparison(name: str, table: pd.DataFrame) -> dict[str, Any]:
    left, right = f'"{name}_l"', f'"{name}_r"'
    missing = {
        "sql_condition": f"{left} IS NULL OR {right} IS NULL",
        "label_for_charts": "missing",
        "is_null_level": True,
    }
    exact = _level("equal", f"{left} = {right}")
    # A rare value shared says more than a usual one.
    exact |= {"tf_adjustment_column": name, "tf_adjustment_weight": 1.0}
    levels = [missing, exact, *_near(name, left, right, table), _level("different", "ELSE")]
    return {"output_column_name": name, "comparison_levels": levels}


def _near(name: str, left: str, right: str, table: pd.DataFrame) -> list[Level]:
    """Return the levels between equal and different."""
    if name == "birth_date":
        return _near_dates(left, right)
    if name == "email":  # people of one name and one domain have e-mails that are alike
        mailboxes = f"split_part({left}, '@', 1) = split_part({right}, '@', 1)"
        return [
            _level("a letter", f"damerau_levenshtein({left}, {right}) <= 1"),
            _level("the mailbox", mailboxes),
        ]
    if name in _CODES:
        return [
            _level("a letter", f"damerau_levenshtein({left}, {right}) <= 1"),
            _level("two letters", f"damerau_levenshtein({left}, {right}) <= 2"),
        ]
    if name in _WORDS or _is_short(table[name]):
        return []
    other = {"given": "surname", "surname": "given"}.get(name)
    names = _exchanged(left, right, other) if other in table.columns else []
    alike = f"jaro_winkler_similarity({left}, {right})"
    near_lengths = f"abs(length({left}) - length({right})) <= 1"  # spares most of the slow measure
    one_letter = f"{near_lengths} AND damerau_levenshtein({left}, {right}) <= 1"
    return [
        *names,
        _level("a letter", f"{alike} >= 0.92 OR ({one_letter})"),
        _level("alike", f"{alike} >= 0.82"),
    ]


def _exchanged(left: str, right: str, other: str | None) -> list[Level]:
    """Return the level of names that stand in each other's column."""
    crossed = f'{left} = "{other}_r" OR "{other}_l" = {right}'
    return [_level("exchanged", crossed)]


def _near_dates(left: str, right: str) -> list[Level]:
    year, month, day = (
        [f"substr({side}, {start}, {length})" for side in (left, right)]
        for start, length in ((1, 4), (5, 2), (7, 2))
    )
    same_year, same_month, same_day = (f"{a} = {b}" for a, b in (year, month, day))
    exchanged = f"{same_year} AND {month[0]} = {day[1]} AND {day[0]} = {month[1]}"
    two_parts = f"({same_month} AND {same_day}) OR ({same_year} AND ({same_month} OR {same_day}))"
    return [
        _level("day and month exchanged", exchanged),
        _level("a digit", f"damerau_levenshtein({left}, {right}) <= 1"),
        _level("two digits", f"damerau_levenshtein({left}, {right}) <= 2"),
        _level("two parts", two_parts),
        _level("the year", same_year),
    ]


def _is_short(values: pd.Series) -> bool:
    there = values.dropna()
    return not len(there) or float(there.str.len().mean()) < SHORTEST_TEXT


def _level(label: str, condition: str) -> Level:
    return {"sql_condition": condition, "label_for_charts": label}
