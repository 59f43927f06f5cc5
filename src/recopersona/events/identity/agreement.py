"""Records of one person found by agreement: all of several strong things equal, nothing guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, like
from recopersona.data.types import Array
from recopersona.errors import DataError, ParameterError, shown
from recopersona.events.identity.grouping import connected
from recopersona.events.identity.record_fields import Records
from recopersona.events.identity.record_tables import Tables

STRONG: tuple[tuple[str, ...], ...] = (
    ("national_id", "birth_date"), ("national_id", "surname"), ("national_id", "given"),
    ("email", "surname"), ("email", "given"), ("email", "birth_date"),
    ("phone", "surname"), ("phone", "given"), ("phone", "birth_date"),
    ("given", "surname", "birth_date"),
    ("given", "surname", "street", "house_number"),
    ("given", "surname", "street", "postcode"),
    ("surname", "birth_date", "postcode"), ("given", "birth_date", "postcode"),
    ("birth_date", "street", "house_number", "postcode"),
)  # fmt: skip
"""What must be equal for two records to be one person; any line is enough."""


def match_records(
    records: Any,
    others: Any = None,
    *,
    on: Sequence[Sequence[str]] | None = None,
    record: str | None = None,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
) -> Any:
    """Find the records that are one person because all of several strong things are equal.

    Values are compared in canonical form: no accents, titles, blanks or capital letters, dates as
    digits, streets abbreviated alike. Nothing is guessed, and no extra is needed. What agrees with
    a third record agrees: the answer is closed.

    Families have an address, a telephone, an e-mail and a surname in common, and twins a date of
    birth: without a national id, records that have two given names or two dates of birth stay
    apart, and so does one that has neither and could be of either. A given name that begins
    another (``ann``, ``anne``, ``a``) is the same.

    Parameters
    ----------
    records, others : dataframe
        As for `link_records`.
    on : list of lists of str, optional
        What must be equal, such as ``[["surname", "birth_date"], ["email"]]``; any list is
        enough. By default combinations that two strangers hardly ever share: of national id, e-mail
        or phone with a name or the date of birth; both names with the date of birth or the address;
        one name with date of birth and postcode.
    record, columns, ignore
        As for `link_records`.

    Returns
    -------
    DataFrame : ``record``, ``cluster`` (int64, from 0 in order of appearance); for two tables also
        ``source``, ``"a"`` or ``"b"``

    Raises
    ------
    DataError
        If no column can be used, none of the combinations is there, or ids are missing or there
        twice.
    ColumnError
        If a named column is missing.
    ParameterError
        If ``on`` is no list of lists of words.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({
    ...     "name": ["Dr. Ann Berg", "ann BERG", "Ann Berg"],
    ...     "dob": ["1984-03-07", "7.3.1984", "1990-01-02"],
    ... })
    >>> match_records(people)["cluster"].tolist()
    [0, 0, 1]
    """
    tables = Tables.of(
        as_pandas(records, "the records"),
        None if others is None else as_pandas(others, "the other records"),
        record, columns or {}, ignore,
    )  # fmt: skip
    combinations = STRONG if on is None else _checked(on)
    there = [rule for rule in combinations if set(rule) <= set(tables.records.table.columns)]
    if not there:
        raise DataError(
            "match_records needs columns that together tell who somebody is, such as "
            f"{_listed(combinations[:3])}; the records say only "
            f"{', '.join(tables.records.table.columns)}."
        )
    groups = agreeing(tables.records, there, families=on is None)
    return like(tables.answer(groups), records)


def agreeing(
    records: Records, combinations: Iterable[Sequence[str]] = STRONG, *, families: bool = False
) -> Array:
    """Return the group of each record, int64 (n,), by its first: what a combination agrees in.

    families  whether to keep those apart whose given names or dates of birth differ
    """
    table = records.table
    ones, others = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for names in combinations:
        if not set(names) <= set(table.columns):
            continue
        whole = table[list(names)].dropna()
        rows = whole.index.to_numpy(np.int64)
        group = whole.groupby(list(names), sort=False).ngroup().to_numpy()
        if families and "national_id" not in names:
            group = _members(group, [table[name].iloc[rows] for name in _OWN if name in table])
        _, first, group = np.unique(group, return_index=True, return_inverse=True)
        ones.append(rows[first][group])
        others.append(rows)
    return connected(len(table), np.concatenate(ones), np.concatenate(others))


_OWN = ("given", "birth_date")


def _members(group: Array, own: list[pd.Series]) -> Array:
    """Split groups by what members of a family have of their own; int64 (n,), new numbers.

    A group whose values do not contradict each other stays whole. In any other, equal values stay
    together, and records without one are alone.
    """
    for values in own:
        known = pd.DataFrame({"group": group, "value": values.to_numpy()}).dropna()
        known = known.drop_duplicates()
        several = known[known["group"].duplicated(keep=False)]
        if values.name == "given":
            longest = several.groupby("group")["value"].agg(lambda names: max(names, key=len))
            whole = several["group"].map(longest)
            same = [
                long.startswith(name) for long, name in zip(whole, several["value"], strict=True)
            ]
            at_odds = several["group"][~np.array(same, np.bool_)].unique()
        else:
            at_odds = several["group"].unique()
        code = np.where(np.isin(group, at_odds), pd.factorize(values)[0], 0).astype(np.int64)
        alone = code < 0
        code[alone] = int(code.max(initial=0)) + 1 + np.arange(int(alone.sum()))
        group = pd.factorize(group * (int(code.max(initial=0)) + 1) + code)[0].astype(np.int64)
    return group


def _checked(on: Any) -> tuple[tuple[str, ...], ...]:
    lists = isinstance(on, Iterable) and not isinstance(on, (str, Mapping))
    rules = list(on) if lists else []
    if not rules or not all(
        isinstance(rule, (list, tuple)) and rule and all(isinstance(name, str) for name in rule)
        for rule in rules
    ):
        raise ParameterError(
            "match_records: on must be a list of lists of what must be equal, such as "
            f'[["surname", "birth_date"], ["email"]], got {shown(on)}.'
        )
    return tuple(tuple(rule) for rule in rules)


def _listed(combinations: Sequence[Sequence[str]]) -> str:
    return " or ".join(" + ".join(rule) for rule in combinations)
