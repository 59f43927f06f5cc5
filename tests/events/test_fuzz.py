"""Damaged logs of every kind and schema: whatever comes, only our own errors are raised.

What can be read goes on through cleaning to sessions, as it would in a shop.

``RECOPERSONA_FUZZ_SECONDS`` says for how long, ``RECOPERSONA_FUZZ_SEED`` where to begin. A failure
names the seed of the case, which makes it again by itself: with that seed it is the first.
"""

import gzip
import json
import logging
import os
import random
import time
import warnings
from io import BytesIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recopersona.data.event import Event
from recopersona.errors import RecopersonaError
from recopersona.events.catalogue import read_catalogue
from recopersona.events.cleaning import Cleaner
from recopersona.events.page_behaviour import dwell, scroll_depth, session_table
from recopersona.events.reading import read_events
from recopersona.events.schemas import SCHEMAS
from recopersona.events.sessions import sessionize
from recopersona.events.stream_sessions import StreamSessionizer
from tests.events.exports import (
    ga4_log,
    segment_call,
    segment_order,
    snowplow_event,
    snowplow_transaction,
    ua_session,
    with_all_keys,
)
from tests.events.test_catalogue import TEA

SECONDS = float(os.environ.get("RECOPERSONA_FUZZ_SECONDS", "3"))
SEED = int(os.environ.get("RECOPERSONA_FUZZ_SEED", "20260701"))

FLAT = {
    "user_id": ["anna", "ben", None],
    "item_id": ["tea", "007", "salt"],
    "event": ["view", "cart", "purchase"],
    "timestamp": ["2026-07-01T10:00:00Z", "2026-07-01 11:00", "1782900000"],
    "price": [1.5, 2.0, None],
    "quantity": [1, 2, 3],
}
SAMPLES = {
    "ga4": ga4_log(),
    "ua": [ua_session(), ua_session(fullVisitorId="7")],
    "segment": [segment_call(), segment_order()],
    "snowplow": [snowplow_event(), snowplow_transaction()],
}
NASTY = [
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 10**400, 0.1, 1e308, 1e-320,
    float("nan"), float("inf"), float("-inf"), "", " ", "null", "(not set)", "nan", "1e999",
    "9" * 30,
    "x" * 10_000, "\0", "a\0b", "\ufeff", "\ud800", "é\u202e", "1970-01-01", "2106-02-07T06:28:16Z",
    "0000-00-00", "9999-12-31T23:59:59Z", "2026-07-01T10:00:00+99:99", "-1", "007", "1_000", "٧",  # noqa: RUF001
    [], {}, [[]], [{}], [None], {"a": {"b": []}}, [1, "a", None], {"key": ["x"]}, [{"key": {}}],
    '[{"item_id": "tea"}]', '{"a": 1}', "[", '{"a":', "[" * 200, "b|c|", "|", "1|2",
]  # fmt: skip


def flat_rows(schema):
    """Rows of a log of one row per event, in the schema's own columns."""
    names = dict.fromkeys([*schema.columns.values(), *schema.needs, *FLAT])
    ours_of = {theirs: ours for ours, theirs in schema.columns.items()}
    return [
        {name: FLAT.get(ours_of.get(name, name), ["1", "2", "3"])[row] for name in names}
        for row in range(3)
    ]


def rows_of(schema):
    return json.loads(json.dumps(SAMPLES.get(schema.name) or flat_rows(schema)))


# Mutations ----------------------------------------------------------------------------------------


def mutated(value, rng, chance):
    """Return a copy of a value in which some parts are something else."""
    if rng.random() < chance:
        return rng.choice(NASTY)
    if isinstance(value, dict):
        kept = {key: mutated(inner, rng, chance) for key, inner in value.items()}
        if kept and rng.random() < chance:
            kept.pop(rng.choice(list(kept)))
        if rng.random() < chance:
            kept[rng.choice(["", "a", "user_id", "item_id", "event", "timestamp", "products"])] = (
                rng.choice(NASTY)
            )
        return kept
    if isinstance(value, list):
        kept = [mutated(inner, rng, chance) for inner in value]
        if kept and rng.random() < chance:
            kept *= rng.choice([0, 2, 3])
        return kept
    return value


def damaged(content, rng):
    """Return bytes of which some are others, missing or there twice."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        place = rng.randrange(len(content) + 1)
        length = rng.choice([1, 1, 2, 8, 64])
        kind = rng.randrange(5)
        if kind == 0:
            content[place : place + length] = b""
        elif kind == 1:
            content[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 2:
            start = rng.randrange(len(content) + 1)
            content[place:place] = content[start : start + length]
        elif kind == 3:
            content[place:place] = rng.choice(
                [b"\0", b'"', b"\n", b"\r", b",", b"{", b"}", b"[", b"\\u", b"\xff",
                 b"\xef\xbb\xbf",
                 b"\xff\xfe", b"9" * 40, b"1e999", b"\x80" * 5, b"[" * 2_000]
            )  # fmt: skip
        else:
            del content[place:]
    return bytes(content)


# Kinds of files -----------------------------------------------------------------------------------


def as_text(cell):
    return json.dumps(cell) if isinstance(cell, dict | list) else cell


def csv_bytes(rows, rng):
    texts = [{name: as_text(cell) for name, cell in row.items()} for row in rows]
    frame = pd.DataFrame(texts, dtype=object)
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"])
    return frame.to_csv(index=False).encode(encoding, "replace")


def json_bytes(rows, rng):
    end = rng.choice(["\n", "\n", "\r\n", "\n\n"])
    return (end.join(json.dumps(row, ensure_ascii=rng.random() < 0.5) for row in rows)).encode(
        "utf-8", "surrogatepass"
    )


def parquet_bytes(rows, rng):
    rows, n_rows = with_all_keys(rows), rng.choice([1, 2, 100])
    try:
        return written(pa.Table.from_pylist(rows), n_rows)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        table = pa.table({
            name: pa.array([
                None if row[name] is None else json.dumps(row[name]) for row in rows
            ]) for name in rows[0]
        })  # fmt: skip
    return written(table, n_rows)


def written(table, n_rows):
    sink = BytesIO()
    pq.write_table(table, sink, row_group_size=n_rows)
    return sink.getvalue()


KINDS = {".csv": csv_bytes, ".jsonl": json_bytes, ".parquet": parquet_bytes}


# Cases --------------------------------------------------------------------------------------------


def file_of_a_log(folder, rng):
    """Write a damaged log; return its path and how to read it."""
    schema = rng.choice(SCHEMAS)
    rows = rows_of(schema)
    if rng.random() < 0.7:
        rows = [mutated(row, rng, rng.choice([0.0, 0.02, 0.1])) for row in rows]
        rows = [row for row in rows if isinstance(row, dict)] or [{}]
    kind = rng.choice(list(KINDS))
    content = KINDS[kind](rows, rng)
    if rng.random() < 0.6:
        content = damaged(content, rng)
    packed = rng.random() < 0.2 and kind != ".parquet"
    if packed:
        content = gzip.compress(content)
        content = damaged(content, rng) if rng.random() < 0.3 else content
    path = folder / f"log{kind}{'.gz' if packed else ''}"
    path.write_bytes(content)
    options = {"report": rng.random() < 0.7, "chunk_rows": rng.choice([None, None, 1, 2])}
    if rng.random() < 0.3:
        options["schema"] = schema.name
    if rng.random() < 0.1:
        options["columns"] = {"user_id": rng.choice(list(rows[0]) or ["x"])}
    return path, options, content


def read_whole(source, options):
    answer = read_events(source, **options)
    events = answer[0] if options["report"] else answer
    pieces = [events] if options["chunk_rows"] is None else list(events)
    if options["report"]:
        report = answer[1]
        assert report.rows_out == sum(map(len, pieces))
    return pieces


KEY = "a key of sixteen bytes"
RULES = [
    {}, {"max_length": "4h"}, {"midnight": "Europe/Berlin"}, {"per_device": True},
    {"campaign": "page"},
]  # fmt: skip
NEEDED = {"per_device": "device", "campaign": "page"}


def use(pieces, rng):
    """Clean what was read and make sessions of it: of the whole, of frames, event by event."""
    cleaner = Cleaner(
        hash_ids=rng.choice([None, KEY]), currency=rng.choice([None, "EUR"]),
        anonymous=rng.random() < 0.8,
    )  # fmt: skip
    cleaned = [refused_or_done(cleaner.clean, piece) for piece in pieces]
    for piece, events in zip(pieces, cleaned, strict=True):
        for step in (sessionize, scroll_depth, dwell, session_table):
            refused_or_done(step, piece)
        if events is not None and "timestamp" in events:
            make_sessions(events, rng.choice(RULES))


def make_sessions(events, rules):
    rules = {name: rule for name, rule in rules.items() if NEEDED.get(name, "user_id") in events}
    sessions = sessionize(events, **rules)
    session_table(dwell(sessions))
    by_row = sessions["session_id"].tolist()
    rows = events.assign(row=range(len(events)))
    stream = StreamSessionizer(watermark="100y", **rules)
    released = [stream.add(rows).events, stream.flush().events]
    numbered = pd.concat([part for part in released if len(part)] or released)
    assert stream.counts["duplicates"] == 0
    assert numbered.sort_values("row")["session_id"].tolist() == by_row
    told = [name for name in Event._fields if name in events]
    cells = zip(*(events[name] for name in told), strict=True)
    one_by_one = [dict(zip(told, row, strict=True)) for row in cells]
    stream = StreamSessionizer(watermark="100y", **rules)
    stream.add([Event(**{**cells, "order_id": row}) for row, cells in enumerate(one_by_one)])
    found = {event.order_id: event.session_id for event in stream.flush().events}
    assert [found[row] for row in range(len(events))] == by_row


def refused_or_done(step, piece):
    try:
        return step(piece)
    except RecopersonaError:
        return None


def fuzz_files(folder, rng):
    path, options, content = file_of_a_log(folder, rng)
    try:
        pieces = read_whole(path, options)
    finally:
        path.unlink()
    use(pieces, rng)
    return options, content


def fuzz_frames(folder, rng):
    schema = rng.choice(SCHEMAS)
    rows = [mutated(row, rng, rng.choice([0.02, 0.1, 0.3])) for row in rows_of(schema)]
    rows = [row for row in rows if isinstance(row, dict)] or [{}]
    options = {"report": rng.random() < 0.7, "chunk_rows": rng.choice([None, 1])}
    use(read_whole(pd.DataFrame(rows, dtype=object), options), rng)
    return options, rows


def fuzz_catalogues(folder, rng):
    group = {"@type": "ProductGroup", "productGroupID": "g", "hasVariant": [TEA]}
    document = mutated({"@graph": [TEA, group, TEA | {"@id": "#a"}]}, rng, rng.choice([0.05, 0.2]))
    kind = rng.choice([".json", ".html", ".jsonl", ".csv"])
    text = json.dumps(document)
    if kind == ".html":
        text = f"<html><script type='application/ld+json'>{text}</script><script>x</script>"
    if kind == ".csv":
        text = f"item_id,price,stock,created_at\na,1,2,2026-01-31\n{rng.choice(NASTY)},{text}\n"
    content = text.encode("utf-8", "surrogatepass")
    content = damaged(content, rng) if rng.random() < 0.5 else content
    path = folder / f"shop{kind}"
    path.write_bytes(content)
    try:
        read_catalogue(path, report=rng.random() < 0.8)
        read_catalogue(document if rng.random() < 0.5 else [document], report=True)
    finally:
        path.unlink()
    return None, content


def fuzz_what_lies_beside(folder, rng):
    told = {"schema": rng.choice(["ga4", "movielens"]), "columns": {"item_id": "b"}}
    told = mutated(rng.choice([told, {"item_id": "b"}]), rng, 0.3)
    content = json.dumps(told).encode("utf-8", "surrogatepass")
    content = damaged(content, rng) if rng.random() < 0.5 else content
    (folder / "columns.json").write_bytes(content)
    (folder / "log.csv").write_text("user_id,b\nx,y\n")
    try:
        read_events(folder / "log.csv")
    finally:
        (folder / "columns.json").unlink()
    return None, content


@pytest.mark.parametrize(
    ("case", "share"),
    [(fuzz_files, 0.55), (fuzz_frames, 0.25), (fuzz_catalogues, 0.15),
     (fuzz_what_lies_beside, 0.05)],
)  # fmt: skip
def test_damaged_input_raises_only_our_own_errors(case, share, tmp_path):
    logging.disable(logging.WARNING)
    end = time.monotonic() + SECONDS * share
    seed, n_read = SEED, 0
    try:
        while time.monotonic() < end or seed == SEED:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    case(tmp_path, random.Random(seed))  # noqa: S311
                    n_read += 1
                except RecopersonaError:
                    pass
                except BaseException as problem:
                    problem.add_note(
                        f"{case.__name__}: RECOPERSONA_FUZZ_SEED={seed} makes this case first"
                    )
                    raise
            seed += 1
    finally:
        logging.disable(logging.NOTSET)
    assert n_read > 0 or SECONDS < 1, "every case was refused: nothing was read"
