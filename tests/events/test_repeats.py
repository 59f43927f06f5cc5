"""Repeats are found by hashes, told from conflicts, and compared value by value."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recopersona as rp
from recopersona.errors import ParameterError
from recopersona.events import repeats
from recopersona.events.cleaning import clean

NOW = "2026-02-01"


def log_of(*rows):
    frame = pd.DataFrame(rows, columns=["event_id", "item_id", "price"])
    return frame.assign(user_id="anna", timestamp="2026-01-31", event="view")


def counts_of(log):
    return dict(clean(log, report=True, now=NOW)[1].quarantined)


def test_an_id_that_comes_with_something_else_is_a_conflict():
    log = log_of(("e1", "tea", 3), ("e1", "tea", 3), ("e1", "tea", 4), ("e2", "tea", 3))
    events, report = clean(log, report=True, now=NOW)
    assert dict(report.quarantined) == {"conflicting_id": 1, "duplicate": 1}
    assert report.quarantined_rows["reason"].tolist() == ["duplicate", "conflicting_id"]
    assert events.index.tolist() == [0, 3]


def test_the_first_of_a_conflict_stays_and_backwards_the_last():
    log = log_of(("e1", "tea", 3), ("e1", "salt", 3))
    assert clean(log, now=NOW)["item_id"].tolist() == ["tea"]
    assert clean(log[::-1], now=NOW)["item_id"].tolist() == ["salt"]


def test_a_later_receipt_is_no_conflict():
    log = log_of(("e1", "tea", 3), ("e1", "tea", 3)).assign(received=["2026-01-31", "2026-02-01"])
    assert counts_of(log) == {"duplicate": 1}


def test_a_gap_is_not_the_same_as_a_value():
    assert counts_of(log_of(("e1", "tea", None), ("e1", "tea", 3))) == {"conflicting_id": 1}
    assert counts_of(log_of(("e1", "tea", None), ("e1", "tea", None))) == {"duplicate": 1}


def test_what_cleaning_repairs_is_compared_as_repaired():
    log = log_of(("e1", "tea", 3), (" e1", "tea ", "3.0"))
    assert counts_of(log) == {"duplicate": 1}


def test_rows_with_and_without_an_id_are_not_each_others_repeats():
    assert counts_of(log_of(("e1", "tea", 3), (None, "tea", 3), (None, "tea", 3))) == {
        "duplicate": 1
    }


def test_a_number_and_its_text_are_two_ids():
    assert counts_of(log_of((1, "tea", 3), ("1", "tea", 3))) == {}


def test_ids_alone_tell_repeats_in_a_log_without_times():
    log = log_of(("e1", "tea", 3), ("e1", "tea", 3), (None, "x", 1), (None, "x", 1))
    assert counts_of(log.drop(columns="timestamp")) == {"duplicate": 1}


rows = st.lists(
    st.tuples(st.sampled_from([None, "e1", "e2"]), st.sampled_from("ab"), st.integers(1, 2)),
    min_size=1,
    max_size=9,
)


def expected_of(log):
    first_with_id, bodies, verdicts = {}, set(), []
    for event_id, *body in log:
        if event_id is None:
            verdicts.append("duplicate" if tuple(body) in bodies else None)
            bodies.add(tuple(body))
        elif event_id in first_with_id:
            same = first_with_id[event_id] == body
            verdicts.append("duplicate" if same else "conflicting_id")
        else:
            first_with_id[event_id] = body
            verdicts.append(None)
    return [verdict for verdict in verdicts if verdict]


@pytest.mark.parametrize("collide", [False, True])
@given(log=rows)
def test_verdicts_are_right_even_if_all_hashes_were_the_same(collide, log):
    with pytest.MonkeyPatch.context() as patch:
        if collide:
            same = lambda log, rows, *_: np.full(len(rows), 7, dtype=np.uint64)  # noqa: E731
            patch.setattr(repeats, "_names", same)
        report = clean(log_of(*log), report=True, now=NOW)[1]
    assert report.quarantined_rows["reason"].tolist() == expected_of(log)


def test_parts_of_a_log_are_cleaned_as_the_whole():
    log = pd.concat([log_of(("e1", "tea", 3), ("e1", "tea", 3), (None, "a", 1))] * 3)
    log = log.assign(event_id=["e1", "e1", None, "e2", "e1", None, "e2", "e3", None])
    log.loc[1, "price"] = 9
    whole, report = clean(log, report=True, now=NOW)
    cleaner = rp.Cleaner(now=NOW)
    parts = list(cleaner.clean_all(log[start : start + 2] for start in range(0, len(log), 2)))
    pd.testing.assert_frame_equal(pd.concat(parts), whole)
    assert cleaner.report.quarantined == report.quarantined
    assert cleaner.report.rows_in == len(log)
    assert cleaner.report.quarantined_rows is None
    assert repr(cleaner) == f"Cleaner({len(log)} rows in, {len(whole)} out)"


def test_the_memory_of_a_cleaner_is_what_it_says():
    log = pd.DataFrame({"user_id": range(5_000), "item_id": 1, "timestamp": "2026-01-31"})
    cleaner = rp.Cleaner(now=NOW)
    for start in range(0, 5_000, 500):
        assert len(cleaner.clean(log[start : start + 500])) == 500
    memory = cleaner._memory
    assert len(memory) == 5_000
    assert 32 <= (memory.keys.nbytes + memory.contents.nbytes) / 5_000 <= 64
    assert len(cleaner.clean(log)) == 0


def test_a_row_that_was_set_aside_is_not_remembered():
    cleaner = rp.Cleaner(now=NOW)
    assert len(cleaner.clean(log_of(("e1", "tea", -3)))) == 0
    assert len(cleaner.clean(log_of(("e1", "tea", 3)))) == 1


def test_a_cleaner_may_forget():
    cleaner = rp.Cleaner(now=NOW, remember=False)
    assert [len(part) for part in cleaner.clean_all([log_of(("e1", "tea", 3))] * 2)] == [1, 1]


def test_clean_takes_an_iterator_and_gives_one():
    parts = clean(iter([log_of(("e1", "tea", 3))] * 2), now=NOW)
    assert [len(part) for part in parts] == [1, 0]
    with pytest.raises(ParameterError, match="has its report when all"):
        clean(iter([]), report=True)


def test_a_part_has_a_report_of_its_own():
    cleaner = rp.Cleaner(now=NOW)
    cleaner.clean(log_of(("e1", "tea", 3)))
    _, report = cleaner.clean(log_of(("e1", "tea", 3)), report=True)
    assert report.quarantined == {"duplicate": 1}
    assert report.quarantined_rows["event_id"].tolist() == ["e1"]
