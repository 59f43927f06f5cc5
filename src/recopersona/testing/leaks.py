"""The check that no feature sees the future."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from recopersona.data.columns import require_columns
from recopersona.data.intake import frame_of_events
from recopersona.data.times import to_ms
from recopersona.errors import DataError
from recopersona.features.features import Features


def check_leak_free(
    features: Features,
    events: Any,
    *,
    items: Any = None,
    rows: Any = None,
    cuts: int = 5,
    random_state: int = 0,
) -> None:
    """Check that what features say of a row does not depend on what happened after it.

    Features are fitted on the whole log, and on the log cut off at some moments. Every row up to a
    moment must get the same features, bit for bit, from both. A scaler is left out: it is fitted
    on purpose on all rows of a training set.

    Parameters
    ----------
    features : Features
        Fitted or not; clones are fitted.
    events : dataframe, or iterable of `Event`
    items : dataframe, optional
        The catalogue.
    rows : dataframe, optional
        By default the events.
    cuts : int
        How many moments, at random among the times of the events.
    random_state : int

    Raises
    ------
    AssertionError
        Naming the columns that differ, and the first row that shows it.
    ColumnError, DataError
        If there are no times, or too few to see anything.

    Examples
    --------
    >>> from recopersona.features.market import ItemPopularity
    >>> log = pd.DataFrame({
    ...     "user_id": [1, 2, 1], "item_id": ["tea", "tea", "salt"],
    ...     "timestamp": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"]),
    ... })
    >>> check_leak_free(Features([ItemPopularity()]), log)
    """
    frame = frame_of_events(events)
    asked = frame if rows is None else frame_of_events(rows)
    require_columns(frame, ["timestamp"])
    require_columns(asked, ["timestamp"], "rows")
    times, row_times = to_ms(frame["timestamp"]), to_ms(asked["timestamp"])
    unscaled = clone(features).set_params(scaler=None)
    whole = clone(unscaled).fit(frame, items=items).transform(asked)
    moments = np.unique(times)[1:]
    if not (len(moments) and (row_times >= moments[0]).any()):
        raise DataError(
            "a leak shows only where events come one after another and rows after the first; "
            f"got {len(frame)} events at {len(moments) + 1} moments and {len(asked)} rows."
        )
    rng = np.random.default_rng(random_state)
    for moment in rng.choice(moments, min(cuts, len(moments)), replace=False):
        before, known = times < moment, row_times <= moment
        if not known.any():
            continue
        part = clone(unscaled).fit(frame[before], items=items).transform(asked[known])
        _require_equal(whole[known], part, moment)


def _require_equal(whole: pd.DataFrame, part: pd.DataFrame, moment: Any) -> None:
    differs = (whole.to_numpy() != part.to_numpy()) & ~(
        np.isnan(whole.to_numpy()) & np.isnan(part.to_numpy())
    )
    if differs.any():
        columns = [str(name) for name in whole.columns[differs.any(axis=0)]]
        row = int(np.argmax(differs.any(axis=1)))
        first = columns[0]
        raise AssertionError(
            f"{', '.join(columns)} see the future: {first} of row {whole.index[row]!r} is "
            f"{whole[first].iloc[row]:g} from the whole log, and {part[first].iloc[row]:g} from "
            f"the log before {pd.Timestamp(int(moment), unit='ms')}."
        )
