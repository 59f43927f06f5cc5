"""Many consents at once: a table of them, checked row by row, and what was refused counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, require_columns
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array
from recopersona.errors import ColumnError, DataError
from recopersona.events.called import KINDS
from recopersona.events.clocks import read_clock
from recopersona.events.consent.subjects import checked_kind, is_raw, name_of
from recopersona.events.consent.tcf import decode_tcf
from recopersona.events.distinct import Distinct
from recopersona.events.identifiers import LONGEST_ID

REFUSALS = (
    *("no subject", "raw personal value", "unknown purpose", "unknown state"),
    *("malformed TC string", "no time", "erased"),
)
"""Why a row of a table of consents is refused, the first that holds."""

_NO_SUBJECT, _RAW, _PURPOSE, _STATE, _TC_STRING, _TIME, _ERASED = range(len(REFUSALS))


class Batch(NamedTuple):
    """Records of a table.

    names               of identifiers
    who                 int64 (n,), places in ``names``
    at                  int64 (n,)
    granted, denied     int64 (n,), bits
    sources             of records
    source              int64 (n,), places in ``sources``, -1 for none
    refused             how many rows, by reason
    """

    names: list[str]
    who: Array
    at: Array
    granted: Array
    denied: Array
    sources: list[str]
    source: Array
    refused: Counter[str]


def read_batch(
    table: Any,
    bits: Mapping[str, int],
    kinds: Collection[str],
    is_erased: Callable[[str], bool] | None,
) -> Batch:
    """Read a table of consents; a row that cannot be used is refused whole."""
    frame = as_pandas(table, "consents")
    people = _people(frame, kinds)
    said = _Said.of(frame, bits)
    refusal = said.refusal
    refusal[np.all([codes < 0 for codes, _ in people], axis=0)] = _NO_SUBJECT
    for codes, names in people:
        raw = np.array([*map(is_raw, names), False], np.bool_)
        refusal[raw[codes]] = _RAW
        if is_erased is not None:
            erased = np.array([*map(is_erased, names), False], np.bool_)
            refusal[(refusal < 0) & erased[codes]] = _ERASED
    sources = _sources(frame)
    rows, who, all_names = _each_identifier(people, refusal < 0)
    counted = np.bincount(refusal[refusal >= 0], minlength=len(REFUSALS)).tolist()
    return Batch(
        all_names, who, said.at[rows], said.granted[rows], said.denied[rows], sources.values,
        sources.codes[rows],
        Counter({why: n for why, n in zip(REFUSALS, counted, strict=True) if n}),
    )  # fmt: skip


def _people(frame: pd.DataFrame, kinds: Collection[str]) -> list[tuple[Array, list[str]]]:
    """Return per column of identifiers the codes of rows, -1 for none, and the names."""
    columns = {kind: kind for kind in kinds if kind in frame.columns}
    if "subject" in frame.columns:
        return [_of_subjects(frame)]
    if not columns:
        raise ColumnError(
            "consents need a column that says whose they are: 'subject', "
            f"{', '.join(map(repr, KINDS))}; or name it: kinds=['customer_no']."
        )
    require_columns(frame[:0], columns, "consents")
    return [_named(_hashable(frame[kind]), [kind]) for kind in columns]


def _of_subjects(frame: pd.DataFrame) -> tuple[Array, list[str]]:
    subjects = _hashable(frame["subject"])
    if "kind" not in frame.columns:
        return _named(subjects, ["user_id"])
    kinds = Distinct.of(frame["kind"])
    words = list(map(checked_kind, kinds.values))
    both = kinds.codes * max(len(subjects.values), 1) + subjects.codes
    both[(kinds.codes < 0) | (subjects.codes < 0)] = -1
    used = np.unique(both[both >= 0])
    pairs = [divmod(pair, len(subjects.values)) for pair in used.tolist()]
    names = [_short_name(words[kind], subjects.values[value]) for kind, value in pairs]
    codes = np.where(both < 0, -1, np.searchsorted(used, both))
    return _without_gaps(codes, names)


def _named(distinct: Distinct, kind: list[str]) -> tuple[Array, list[str]]:
    return _without_gaps(distinct.codes, [_short_name(kind[0], one) for one in distinct.values])


def _short_name(kind: str, value: Any) -> str | None:
    name = name_of(kind, value)
    return None if name is None or len(name) > LONGEST_ID + len(kind) else name


def _without_gaps(codes: Array, names: list[str | None]) -> tuple[Array, list[str]]:
    """Return codes of distinct names; what has none becomes -1."""
    places: dict[str, int] = {}
    table = [-1 if name is None else places.setdefault(name, len(places)) for name in names]
    return np.array([*table, -1], np.int64)[codes], list(places)


def _each_identifier(
    people: list[tuple[Array, list[str]]], good: Array
) -> tuple[Array, Array, list[str]]:
    """Return a record's row and person for each identifier of each good row, in order of rows."""
    rows, who = [], []
    all_names: list[str] = []
    for codes, names in people:
        used = np.flatnonzero(good & (codes >= 0))
        rows.append(used)
        who.append(codes[used] + len(all_names))
        all_names += names
    order = np.argsort(np.concatenate(rows), kind="stable")
    code = np.concatenate(who)[order].astype(np.int64)
    used = np.zeros(len(all_names), np.bool_)
    used[code] = True  # nobody is named of whom nothing is recorded
    names = [all_names[place] for place in np.flatnonzero(used).tolist()]
    return np.concatenate(rows)[order], (np.cumsum(used) - 1)[code], names


class _Said(NamedTuple):
    """What each row says, and why it says nothing; all (n,)."""

    at: Array
    granted: Array
    denied: Array
    refusal: Array

    @classmethod
    def of(cls, frame: pd.DataFrame, bits: Mapping[str, int]) -> _Said:
        refusal = np.full(len(frame), -1, np.int64)
        at = np.full(len(frame), MISSING_TIME, np.int64)
        if "timestamp" in frame.columns:
            at = read_clock(frame["timestamp"]).milliseconds.copy()
        said = cls(at, np.zeros(len(frame), np.int64), np.zeros(len(frame), np.int64), refusal)
        coded = np.zeros(len(frame), np.bool_)
        if "tc_string" in frame.columns:
            coded = frame["tc_string"].notna().to_numpy(np.bool_)
            said._read_tc_strings(frame["tc_string"], bits)
        if not coded.all() or "tc_string" not in frame.columns:
            require_columns(frame[:0], ["purpose", "state"], "consents")
            said._read_words(frame, bits, ~coded)
        refusal[(refusal < 0) & (at == MISSING_TIME)] = _TIME
        return said

    def _read_words(self, frame: pd.DataFrame, bits: Mapping[str, int], rows: Array) -> None:
        purposes, states = _hashable(frame["purpose"]), _hashable(frame["state"])
        every = sum(bits.values())
        wanted = [every if one == "all" else bits.get(_word(one), 0) for one in purposes.values]
        purpose = np.array([*wanted, 0], np.int64)[purposes.codes]
        words = [_word(one) for one in states.values]
        granted = np.array([*(word == "granted" for word in words), False])[states.codes]
        denied = np.array([*(word == "denied" for word in words), False])[states.codes]
        self.granted[rows & granted] = purpose[rows & granted]
        self.denied[rows & denied] = purpose[rows & denied]
        self.refusal[rows & ~(granted | denied)] = _STATE
        self.refusal[rows & (purpose == 0)] = _PURPOSE

    def _read_tc_strings(self, column: pd.Series, bits: Mapping[str, int]) -> None:
        texts = _hashable(column)
        table = np.zeros((len(texts.values) + 1, 4), np.int64)
        for place, text in enumerate(texts.values):
            try:
                said = decode_tcf(text)
            except DataError:
                continue
            states = said.states()
            granted = sum(bits[one] for one, state in states.items() if state == "granted")
            denied = sum(bits[one] for one, state in states.items() if state == "denied")
            table[place] = 1, said.last_updated, granted, denied
        good, updated, granted, denied = table[texts.codes].T
        present = column.notna().to_numpy(np.bool_)
        self.granted[present], self.denied[present] = granted[present], denied[present]
        undated = present & (good == 1) & (self.at == MISSING_TIME)
        self.at[undated] = updated[undated]
        self.refusal[present & (good == 0)] = _TC_STRING


def _sources(frame: pd.DataFrame) -> Distinct:
    if "source" not in frame.columns:
        return Distinct(np.full(len(frame), -1, np.int64), [])
    found = _hashable(frame["source"])
    return Distinct(found.codes, list(map(str, found.values)))


def _hashable(column: pd.Series) -> Distinct:
    """Take a column apart; a list, or whatever else cannot be hashed, counts as nothing."""
    try:
        return Distinct.of(column)
    except DataError:
        return Distinct.of(column.map(lambda one: one if _is_hashable(one) else None))


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _word(value: Any) -> str:
    return value.strip().lower() if isinstance(value, str) else ""
