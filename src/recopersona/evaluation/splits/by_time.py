"""Cuts at a moment, for all users alike: once, or in windows that move on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from recopersona.base.parameters import check, duration, optional, whole
from recopersona.data.dataset import Dataset
from recopersona.data.times import duration_ms, moment_ms
from recopersona.data.types import Array
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.splits.split import Cut, Split, check_dataset, times_of, written

_WITHOUT_TIME = "split_last (file order) or k_fold"


def split_by_time(dataset: Dataset, test: str | float | timedelta | datetime = "28d") -> Split:
    """Train on what came before a moment, test on what came from then on, for all users alike.

    Parameters
    ----------
    dataset : Dataset
        With timestamps.
    test : duration, number between 0 and 1, or moment
        The length of the test part up to and including the last event, such as ``"28d"``; its
        share of the events, such as ``0.2``; or the moment it starts, such as ``"2011-11-11"``
        (an integer is milliseconds UTC, from 1980 on). Events of one time are never separated, so a
        share may come out larger.

    Returns
    -------
    Split
        A purchase before the cut that was returned after it counts in training: at the cut nobody
        knew.

    Raises
    ------
    DataError
        If the events have no timestamps, or nothing lies on one side of the cut.
    ParameterError
        If ``test`` is none of the three.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2026-01-01", periods=10, freq="D")
    >>> events = pd.DataFrame({"user_id": 1, "item_id": range(10), "timestamp": days})
    >>> shop = Dataset.from_frames(events)
    >>> split = split_by_time(shop, "2d")
    >>> len(split.train.interactions), len(split.test.interactions), split.name
    (8, 2, 'from 2026-01-09 00:00')
    >>> len(split_by_time(shop, 0.3).test.interactions)
    3
    >>> len(split_by_time(shop, "2026-01-06").test.interactions)
    5
    """
    check_dataset(dataset, "split_by_time")
    times = times_of(dataset, "split_by_time", _WITHOUT_TIME)
    cut = _first_at_or_after(_cut_moment(times, test), times)
    fix = f"split_by_time: {_span(times)}, choose another test"
    late = times >= cut
    split = Cut(~late, late, f"from {written(cut)}").split(dataset, fix)
    prove_by_time(split, cut)
    return split


def rolling_splits(
    dataset: Dataset,
    test: str | timedelta = "7d",
    n: int = 4,
    gap: str | timedelta | None = None,
    train: str | timedelta | None = None,
) -> list[Split]:
    """Train and test as time goes by: windows one after the other, the last one at the end.

    Parameters
    ----------
    dataset : Dataset
        With timestamps.
    test : duration
        Length of each window that is tested on; the last one ends with the last event.
    n : int, at least 1
        Windows. Each begins where the one before ended.
    gap : duration, optional
        Events so shortly before a window are left out: what a model trained each night does not
        know yet in the morning.
    train : duration, optional
        Only so much before the gap is learned from; all of it by default.

    Returns
    -------
    list of Split
        Earliest first. ``counts`` of each says how many events before its window were left out.

    Raises
    ------
    DataError
        If the events have no timestamps, or a window has nothing to learn from or to find.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2026-01-01", periods=10, freq="D")
    >>> events = pd.DataFrame({"user_id": 1, "item_id": range(10), "timestamp": days})
    >>> splits = rolling_splits(Dataset.from_frames(events), test="2d", n=3, gap="1d")
    >>> [(len(split.train.log), len(split.test.log)) for split in splits]
    [(3, 2), (5, 2), (7, 2)]
    >>> splits[0].name, splits[0].counts["events_in_the_gap"]
    ('window 1 of 3, from 2026-01-05 00:00', 1)
    """
    check_dataset(dataset, "rolling_splits")
    check(n, whole(at_least=1), "rolling_splits", "n")
    for name, value in (("gap", gap), ("train", train)):
        check(value, optional(duration()), "rolling_splits", name)
    check(test, duration(), "rolling_splits", "test")
    times = times_of(dataset, "rolling_splits", _WITHOUT_TIME)
    length, end = duration_ms(test), int(times.max()) + 1
    apart = 0 if gap is None else duration_ms(gap)
    reach = None if train is None else duration_ms(train)
    fix = f"rolling_splits: {_span(times)}, choose fewer or longer windows"
    splits = []
    for window in range(n):
        start = end - (n - window) * length
        name = f"window {window + 1} of {n}, from {written(_first_at_or_after(start, times))}"
        split = _window(times, start, start + length, apart, reach, name).split(dataset, fix)
        prove_by_time(split, start, start + length, apart)
        splits.append(split)
    return splits


def prove_by_time(split: Split, cut: int, until: int | None = None, gap: int = 0) -> None:
    """Raise AssertionError if a training row lies at or after the cut, or a test row before it.

    Parameters
    ----------
    split : Split
    cut : int
        Milliseconds UTC: when the test part begins.
    until : int, optional
        When it has ended.
    gap : int
        Milliseconds before the cut in which training has no row either.
    """
    train, test = split.train.log.timestamp, split.test.log.timestamp
    if train is None or test is None or train.max() >= cut or test.min() < cut:
        raise AssertionError(f"{split.name}: a training event lies at or after the cut")
    if train.max() >= cut - gap:
        raise AssertionError(f"{split.name}: a training event lies in the gap before the cut")
    if until is not None and test.max() >= until:
        raise AssertionError(f"{split.name}: a held-out event lies after the window")


def _window(times: Array, start: int, end: int, gap: int, reach: int | None, name: str) -> Cut:
    """Cut out one window, and what is learned from before it."""
    known = times < start - gap
    train = known if reach is None else known & (times >= start - gap - reach)
    left_out = {
        "events_in_the_gap": int(((times < start) & ~known).sum()),
        "events_too_old": int((known & ~train).sum()),
        "events_after_the_window": int((times >= end).sum()),
    }
    return Cut(train, (times >= start) & (times < end), name, left_out=left_out)


def _span(times: Array) -> str:
    return f"the events run from {written(times.min())} to {written(times.max())}"


def _cut_moment(times: Array, test: Any) -> int:
    """Return the first millisecond of the test part."""
    if isinstance(test, (float, np.floating)):
        if not 0 < test < 1:
            raise ParameterError(f"split_by_time: a share must lie between 0 and 1, got {test!r}.")
        place = len(times) - max(1, round(len(times) * float(test)))
        return int(np.partition(times, place)[place])
    try:
        return int(times.max()) - duration_ms(test, "test") + 1
    except ParameterError:
        return _moment(test)


def _moment(test: Any) -> int:
    try:
        moment = moment_ms(test, "test")
    except DataError:
        raise ParameterError(
            "split_by_time: test must be a duration such as '28d', a share such as 0.2 or a "
            f"moment such as '2026-01-31', got {test!r}."
        ) from None
    if isinstance(test, (int, np.integer)) and moment < _FIRST_INTEGER_MS:
        raise ParameterError(
            "split_by_time: an integer is a moment in milliseconds from 1980 on, "
            f"got {test!r}; write '28d' for days."
        )
    return moment


_FIRST_INTEGER_MS = 315_532_800_000


def _first_at_or_after(cut: int, times: Array) -> int:
    """Move a cut to the first event it holds out: the same parts, and a telling name."""
    held_out = times[times >= cut]
    return int(held_out.min()) if len(held_out) else cut
