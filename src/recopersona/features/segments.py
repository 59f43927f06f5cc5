"""Segments of customers by rules that can be read: new, returning, of high value, at risk."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self

import numpy as np
import pandas as pd

from recopersona.base.gated import Gated
from recopersona.base.parameters import check, check_parameters, duration, param, real, switch
from recopersona.data.columns import like
from recopersona.data.gate import EventGate, passed
from recopersona.data.intake import is_events
from recopersona.data.times import duration_ms
from recopersona.data.types import Array, Mask
from recopersona.errors import DataError, ParameterError
from recopersona.features.customers import DAY_MS, described

SEGMENTS = ("lapsed", "at_risk", "high_value", "new", "returning", "one_time", "prospect")
"""Every segment, in the order in which the rules are asked: the first that holds decides."""


class Segments(Gated):
    r"""Put every user into one segment, by rules with numbers that can be read.

    What is usual for a customer is the mean time between his purchases, drawn towards that of the
    median customer while he has made few; he is overdue by how often it has passed since the last:

    .. math::
        gap = \frac{span + shrink \cdot gap_{median}}{frequency + shrink}, \qquad
        overdue = recency / gap

    The first rule that holds decides:

    ==============  =============================================================
    ``lapsed``      bought, and overdue by more than ``lapsed``
    ``at_risk``     bought at least twice, and overdue by more than ``at_risk``
    ``high_value``  spent more than the ``high_value`` quantile of the buyers
    ``new``         first seen within ``new``, whether or not he has bought
    ``returning``   bought at least twice
    ``one_time``    bought once
    ``prospect``    seen, but has bought nothing that he kept
    ==============  =============================================================

    A customer of high value who is at risk is ``at_risk``, and his row says ``is_high_value``.

    Parameters
    ----------
    new : duration
        For how long a user counts as new.
    high_value : float, 0 to 1
        The quantile of the buyers' total value above which they are of high value.
    at_risk, lapsed : float, above 0
        Of the usual gaps, how many must have passed; ``lapsed`` is the larger.
    shrink : float, above 0
        How many gaps of the median customer everybody is given beside his own.
    period : duration
        What counts as one occasion to buy; see `rfm`.

    Attributes
    ----------
    gap_days_ : float
        The mean time between purchases of the median customer who bought at least twice.
    threshold_ : float or None
        The total value above which customers are of high value; None where there are no prices.
    counts_ : dict from segment to int
        The users it was fitted on.

    Notes
    -----
    Gaps that are still open are not in ``gap_days_``, which makes it somewhat short; ``at_risk``
    is large enough to bear it. Time and memory are those of `rfm`.

    Examples
    --------
    >>> log = pd.DataFrame({
    ...     "user_id": ["anna", "anna", "anna", "ben", "ben", "cleo", "dan"],
    ...     "item_id": "tea", "price": 5.0,
    ...     "event": ["purchase"] * 6 + ["view"],
    ...     "timestamp": pd.to_datetime(["2026-01-01", "2026-01-11", "2026-01-21", "2026-05-01",
    ...                                  "2026-05-21", "2026-05-25", "2026-01-05"]),
    ... })
    >>> segments = Segments(high_value=0.9).fit(log, as_of="2026-06-01")
    >>> segments.transform(log, as_of="2026-06-01")[["user_id", "segment", "overdue"]].round(1)
      user_id    segment  overdue
    0    anna     lapsed     10.4
    1     ben  returning      0.6
    2    cleo        new      0.4
    3     dan   prospect      NaN
    >>> print(segments.explain()["rule"][0])
    bought, and more than 4 of the usual gaps have passed since the last purchase
    """

    new: str | timedelta = param(duration(), default="30d")
    high_value: float = param(real(at_least=0, at_most=1), default=0.9)
    at_risk: float = param(real(above=0), default=2.0)
    lapsed: float = param(real(above=0), default=4.0)
    shrink: float = param(real(above=0), default=2.0)
    period: str | timedelta = param(duration(), default="1d")

    def fit(
        self, customers: Any, y: None = None, *, as_of: Any = None, gate: EventGate | None = None
    ) -> Self:
        """Learn the usual gap and what is a high value.

        Parameters
        ----------
        customers : events, or the frame that `rfm` makes of them
        y : ignored
        as_of : moment, optional
            Of events, only those before it count; by default all do.
        gate : EventGate, optional
            Such as a `ConsentLedger`: customers and events that it refuses are as if they were not
            there, here and in `transform`.

        Raises
        ------
        ColumnError, DataError, ParameterError
            If nobody bought twice, or for whatever else cannot be used as it came.
        """
        self._check()
        self._learn(described(passed(gate, customers), as_of, self.period, "Segments"), gate)
        return self

    def transform(self, customers: Any, as_of: Any = None) -> Any:
        """Tell every user's segment, as of a moment.

        Parameters
        ----------
        customers, as_of
            As in `fit`; other users and other moments than there are welcome.

        Returns
        -------
        frame of the caller's kind
            One row per user: ``user_id``, ``segment``, ``is_high_value`` (only where there are
            prices), ``overdue``, ``usual_gap_days``, and the numbers of `rfm`. The times of `rfm`
            are left out. `Dataset.from_frames(users=...)` and ``update_users`` take it as it is.
        """
        self._check_fitted()
        self._check()
        known = self._admitted(customers)
        frame = self._told(described(known, as_of, self.period, "Segments"))
        return frame if is_events(customers) else like(frame, customers)

    def fit_transform(
        self, customers: Any, y: None = None, *, as_of: Any = None, gate: EventGate | None = None
    ) -> Any:
        """Do both, reading the events once."""
        self._check()
        table = described(passed(gate, customers), as_of, self.period, "Segments")
        frame = self._learn(table, gate)
        return frame if is_events(customers) else like(frame, customers)

    def explain(self) -> pd.DataFrame:
        """Return every rule in words, with its numbers, in the order in which they are asked.

        Returns
        -------
        frame with ``segment``, ``rule``, ``users``
            ``users`` counts those it was fitted on.
        """
        self._check_fitted()
        valued = (
            "nobody: the log has no prices"
            if self.threshold_ is None
            else f"spent more than {self.threshold_:g} in all, which is above the "
            f"{self.high_value:g} quantile of the buyers"
        )
        words = {
            "lapsed": f"bought, and more than {self.lapsed:g} of the usual gaps have passed since "
            "the last purchase",
            "at_risk": f"bought at least twice, and more than {self.at_risk:g} of the usual gaps "
            f"have passed since the last purchase (usual is the own mean gap together with "
            f"{self.shrink:g} gaps of {self.gap_days_:.3g} days)",
            "high_value": valued,
            "new": f"first seen less than {_days(self.new):g} days ago",
            "returning": "bought at least twice",
            "one_time": "bought once",
            "prospect": "seen, but bought nothing that was kept",
        }
        return pd.DataFrame(
            {
                "segment": list(SEGMENTS),
                "rule": [words[name] for name in SEGMENTS],
                "users": [self.counts_[name] for name in SEGMENTS],
            }
        )

    def _learn(self, customers: pd.DataFrame, gate: EventGate | None) -> pd.DataFrame:
        frequency, span = customers["frequency"], customers["span_days"]
        again = frequency > 0
        if not again.any():
            raise DataError(
                "Segments needs customers who bought at least twice, to know what gap is usual; "
                "take a longer log or a shorter period."
            )
        self._unfit()
        self._stand_behind(gate)
        # Of customers, not of gaps: most gaps are those of a few who buy all the time.
        self.gap_days_ = float((span[again] / frequency[again]).median())
        bought = customers["orders"].to_numpy() > 0
        self.threshold_: float | None = None
        if "total_value" in customers.columns:
            self.threshold_ = float(customers["total_value"][bought].quantile(self.high_value))
        told = self._told(customers)
        counts = told["segment"].value_counts()
        self.counts_ = {name: int(counts.get(name, 0)) for name in SEGMENTS}
        return told

    def _told(self, customers: pd.DataFrame) -> pd.DataFrame:
        frequency = customers["frequency"].to_numpy(dtype=np.float64)
        span = customers["span_days"].to_numpy(dtype=np.float64)
        gap = (span + self.shrink * self.gap_days_) / (frequency + self.shrink)
        overdue = customers["recency_days"].to_numpy(dtype=np.float64) / gap
        valued = self._valued(customers)
        bought: Mask = customers["orders"].to_numpy() > 0
        again: Mask = bought & (frequency > 0)
        rules = {
            "lapsed": bought & (overdue > self.lapsed),
            "at_risk": again & (overdue > self.at_risk),
            "high_value": valued,
            "new": customers["known_days"].to_numpy() < _days(self.new),
            "returning": again,
            "one_time": bought,
            "prospect": ~bought,
        }
        segment = np.select([rules[name] for name in SEGMENTS], list(SEGMENTS), "prospect")
        told: dict[str, Any] = {
            "user_id": customers["user_id"],
            "segment": pd.Series(segment.astype(object), dtype="str", index=customers.index),
        }
        if self.threshold_ is not None:
            told["is_high_value"] = valued
        told |= {"overdue": overdue, "usual_gap_days": gap}
        numbers = [
            name
            for name in customers.columns
            if name != "user_id" and not pd.api.types.is_datetime64_any_dtype(customers[name].dtype)
        ]
        return pd.DataFrame(told | {name: customers[name] for name in numbers})

    def _valued(self, customers: pd.DataFrame) -> Array:
        if self.threshold_ is None:
            return np.zeros(len(customers), dtype=np.bool_)
        if "total_value" not in customers.columns:
            raise DataError(
                "Segments was fitted on a log with prices, got one without; add a column 'price'."
            )
        valued: Mask = customers["total_value"].to_numpy() > self.threshold_
        return valued

    def _check(self) -> None:
        check_parameters(self)
        if self.lapsed <= self.at_risk:
            raise ParameterError(
                f"Segments: lapsed must be above at_risk ({self.at_risk:g}), got {self.lapsed:g}."
            )

    def _check_learned(self) -> None:
        check(self.gated_, switch(), "Segments", "gated_")
        gap: Any = vars(self).get("gap_days_")
        threshold: Any = vars(self).get("threshold_")
        counts: Any = vars(self).get("counts_")
        if type(gap) is not float or not 0 < gap < np.inf:
            raise DataError("Segments: gap_days_ must be a number above 0.")
        if threshold is not None and (type(threshold) is not float or not threshold >= 0):
            raise DataError("Segments: threshold_ must be a number of at least 0, or None.")
        if not isinstance(counts, dict) or set(counts) != set(SEGMENTS):
            raise DataError("Segments: counts_ must have one number for every segment.")


def _days(length: str | timedelta) -> float:
    return duration_ms(length) / DAY_MS
