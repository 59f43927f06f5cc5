"""What the lines of a journal say: a record of one identifier, or tombstones of erased ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from recopersona.errors import DataError
from recopersona.events.called import parted
from recopersona.events.consent.bulk import Batch
from recopersona.events.consent.entries import AT, DENIED, GRANTED, SOURCE, WHO, Entries
from recopersona.events.consent.purposes import Purposes
from recopersona.events.consent.subjects import checked_kind
from recopersona.events.consent.tombstones import ALWAYS, Tombstones

Line = dict[str, Any]
_Record = tuple[str, int, int, int, str | None]
_MOST = 2**62


def record_line(
    name: str, at: int, granted: int, denied: int, source: str | None, purposes: Purposes
) -> Line:
    """Return the line of one record."""
    line: Line = {"who": name, "at": at}
    for word, held in (("granted", granted), ("denied", denied)):
        if held:
            line[word] = purposes.words_of(held)
    if source is not None:
        line["source"] = source
    return line


def tombstone_line(
    salt: str, hashes: Iterable[str], kinds: Iterable[str], until: int = ALWAYS
) -> Line:
    """Return the line of tombstones."""
    return {"erased": list(hashes), "salt": salt, "kinds": list(kinds), "until": until}


def lines_of(entries: Entries, purposes: Purposes) -> list[Line]:
    """Return lines that say all that entries hold."""
    tombstones = entries.tombstones_
    lines = [
        tombstone_line(salt, [one for one, held in hashes.items() if held == end], kinds, end)
        for kinds in [tombstones.kinds_]
        for salt, hashes in tombstones.until_.items()
        for end in sorted(set(hashes.values()))
    ]
    names, sources = entries.names_, [*entries.sources_, None]
    for row in entries.log_.tolist():
        source = sources[row[SOURCE]]
        lines.append(
            record_line(names[row[WHO]], row[AT], row[GRANTED], row[DENIED], source, purposes)
        )
    return lines


def batch_lines(batch: Batch, purposes: Purposes) -> list[Line]:
    """Return the lines of the records of a table."""
    sources: list[str | None] = [*batch.sources, None]
    columns = (batch.who, batch.at, batch.granted, batch.denied, batch.source)
    return [
        record_line(batch.names[who], at, granted, denied, sources[source], purposes)
        for who, at, granted, denied, source in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]


def with_lines(
    entries: Entries, lines: Sequence[Any], purposes: Purposes
) -> tuple[Entries, Counter[str]]:
    """Return entries that know what lines say, and how many say what nobody can use."""
    odd: Counter[str] = Counter()
    records: list[_Record] = []
    for line in lines:
        try:
            if "erased" in line:
                tombstones = _with_tombstones(entries.tombstones_, line)
                names = entries.names_ if line["until"] == ALWAYS else ()
                entries = entries.without(tombstones.erased(names), tombstones)
                continue
            record = _record(line, purposes.bits)
        except (DataError, KeyError, TypeError, ValueError):
            odd["journal: unreadable line"] += 1
            continue
        if len(line.get("granted", ())) + len(line.get("denied", ())) > _n_bits(record):
            odd["journal: unknown purpose"] += 1
        records.append(record)
    if entries.tombstones_:
        gone = entries.tombstones_.erased({record[0] for record in records})
        stay = [record for record in records if record[0] not in gone]
        if gone:
            odd[_ERASED] = len(records) - len(stay)
        records = stay
    _take(entries, records)
    return entries, odd


_ERASED = "journal: record of somebody erased"  # an old copy may still hold some


def _take(entries: Entries, records: list[_Record]) -> None:
    if len(records) <= _FEW:
        for record in records:
            entries.add(*record)
        return
    names, at, granted, denied, sources = zip(*records, strict=True)
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    known = {source: place for place, source in enumerate(dict.fromkeys(sources))}
    entries.extend(
        list(places), np.array([places[name] for name in names], np.int64),
        np.array(at, np.int64), np.array(granted, np.int64), np.array(denied, np.int64),
        list(known), np.array([known[source] for source in sources], np.int64),
    )  # fmt: skip


_FEW = 16


def _record(line: Any, bits: Mapping[str, int]) -> _Record:
    name, at, source = line["who"], line["at"], line.get("source")
    if not isinstance(name, str):
        raise DataError("the name of an identifier is text.")
    kind, value = parted(name)
    checked_kind(kind)
    if not value or type(at) is not int or abs(at) >= _MOST:
        raise DataError("a record needs an identifier and a moment.")
    if not (source is None or isinstance(source, str)):
        raise DataError("a source is text.")
    granted = sum({bits.get(purpose, 0) for purpose in line.get("granted", ())})
    denied = sum({bits.get(purpose, 0) for purpose in line.get("denied", ())})
    return name, at, granted, denied, source


def _n_bits(record: _Record) -> int:
    return record[2].bit_count() + record[3].bit_count()


def _with_tombstones(tombstones: Tombstones, line: Line) -> Tombstones:
    kinds = [checked_kind(kind) for kind in line["kinds"]]
    more = tombstones.with_hashes(line["salt"], line["erased"], kinds, line["until"])
    more._check_learned()
    return more
