"""What customers will buy and be worth: BG/NBD for how often, gamma-gamma for how much."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from recopersona.base.gated import Gated
from recopersona.base.parameters import check, check_parameters, duration, param, real, switch
from recopersona.data.columns import like
from recopersona.data.gate import EventGate, passed
from recopersona.data.ids import IdMap
from recopersona.data.intake import frame_of_events, is_events
from recopersona.data.times import duration_ms, moment_ms, to_ms
from recopersona.data.types import Array
from recopersona.errors import ColumnError, DataError
from recopersona.features.bg_nbd import (
    BGNBD,
    expected_purchases,
    fit_bg_nbd,
    probability_alive,
)
from recopersona.features.customers import DAY_MS, described, rfm
from recopersona.features.gamma_gamma import GammaGamma, expected_value, fit_gamma_gamma

_FEWEST = 10  # customers; below it a likelihood of four parameters says nothing
_STEP_DAYS = 30.0  # within such a time discounts are taken as even
_LAST_ROW = 7  # of the table by frequency: everybody with so many repeat purchases or more


class LifetimeValue(Gated):
    r"""Tell of every customer what he will buy, and what it will be worth.

    BG/NBD foresees purchases from three numbers a customer (repeat purchases x, the time of the
    last one t_x, the time watched T); gamma-gamma the value of one from the mean of those made:

    .. math::
        \mathrm{P(alive)} &= 1 \Big/ \Big(1 + [x > 0] \frac{a}{b + x - 1}
            \Big(\frac{\alpha + T}{\alpha + t_x}\Big)^{r + x}\Big) \\
        \mathrm{E(purchases)} &= \mathrm{P(alive)} \int_0^1
            \frac{1 - (1 + p\,t / (\alpha + T))^{-(r + x)}}{p}\,
            \mathrm{Beta}(p \mid a, b + x)\, dp \\
        \mathrm{E(value)} &= \frac{p\,(\gamma + n \bar z)}{p\,n + q - 1}, \qquad n = x + 1

    The lifetime value over a horizon is the sum, over steps of 30 days, of purchases times value,
    each discounted to today. All orders within one ``period`` are one purchase. What single
    customers did is not kept: `predict` is given it again.

    Parameters
    ----------
    period : duration
        What counts as one occasion to buy; see `rfm`.
    discount_rate : float, at least 0
        By which money a year ahead is worth less: 0.1 for a tenth.

    Attributes
    ----------
    r_, alpha_days_, a_, b_ : float
        Of the gamma distribution of rates of purchase (a day) and the beta distribution of the
        probability to stop after a purchase.
    p_, q_, gamma_ : float
        Of the gamma-gamma model; ``gamma_`` is in the log's currency.
    customers_ : int
        On how many buyers it was fitted.
    log_likelihood_ : float
        Of BG/NBD, a customer.

    Notes
    -----
    BG/NBD takes it that somebody stops at repeat purchases only, so who bought once has P(alive) 1
    and is expected back at a rate that falls with time. Gamma-gamma takes it that what a purchase
    is worth does not depend on how often one buys. `holdout` says how well both hold. Seasons are
    unknown to either: a log that ends before Christmas foresees no Christmas.

    Time: of fit, that of a few dozen passes over the distinct (x, t_x, T) and over the customers'
    mean values. Memory: about 200 bytes a customer.

    References
    ----------
    Fader, Hardie & Lee (2005), "Counting your customers the easy way: an alternative to the
    Pareto/NBD model"; Fader & Hardie (2013), "The gamma-gamma model of monetary value".

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> log = pd.DataFrame({"user_id": random.zipf(1.5, 3000) % 300, "item_id": "tea",
    ...                     "event": "purchase", "price": random.gamma(5, 4, 3000),
    ...                     "timestamp": pd.Timestamp("2026-01-01")
    ...                     + pd.to_timedelta(random.integers(0, 180, 3000), unit="D")})
    >>> model = LifetimeValue().fit(log)
    >>> model.predict(log, horizon="90d").columns.tolist()
    ['user_id', 'expected_purchases', 'p_alive', 'expected_value_per_purchase', 'lifetime_value']
    >>> report = model.holdout(log, calibration_end="2026-05-01")
    >>> report.table.index.tolist()
    ['LifetimeValue', 'past rate', 'everyone the mean']
    """

    period: str | timedelta = param(duration(), default="1d")
    discount_rate: float = param(real(at_least=0), default=0.0)

    def fit(
        self, customers: Any, y: None = None, *, as_of: Any = None, gate: EventGate | None = None
    ) -> Self:
        """Estimate all seven parameters by maximum likelihood; the same data, the same answer.

        Parameters
        ----------
        customers : events, or the frame that `rfm` makes of them
        y : ignored
        as_of : moment, optional
            Of events, only those before it count; by default all do.
        gate : EventGate, optional
            Such as a `ConsentLedger`: customers and events that it refuses are as if they were not
            there, here and in `predict`.

        Raises
        ------
        ColumnError, DataError, ParameterError
            If there are too few buyers, nobody bought twice, there are no prices, or whatever else
            cannot be used as it came.
        """
        check_parameters(self)
        buyers = _Buyers.of(self._described(passed(gate, customers), as_of))
        _require_enough(buyers)
        x, t_x, T, weight = buyers.collapsed()
        bg_nbd, total = fit_bg_nbd(x, t_x, T, weight)
        paid = buyers.mean > 0
        gamma_gamma, _ = fit_gamma_gamma(buyers.n[paid], buyers.mean[paid])
        self._unfit()
        self._stand_behind(gate)
        self.r_, self.alpha_days_, self.a_, self.b_ = bg_nbd
        self.p_, self.q_, self.gamma_ = gamma_gamma
        self.customers_ = len(buyers.x)
        self.log_likelihood_ = total / len(buyers.x)
        return self

    def predict(self, customers: Any, horizon: str | timedelta = "90d", as_of: Any = None) -> Any:
        """Tell what to expect of every user from ``as_of`` on.

        Parameters
        ----------
        customers : events, or the frame that `rfm` makes of them
            Also other customers than those it was fitted on, and also later ones.
        horizon : duration
            How far ahead.
        as_of : moment, optional
            Of events, only those before it are looked at; by default all are.

        Returns
        -------
        frame of the caller's kind
            As many rows as users: ``user_id``, ``expected_purchases``, ``p_alive``,
            ``expected_value_per_purchase``, ``lifetime_value``; NaN for who has never bought.
        """
        self._check_fitted()
        check_parameters(self)
        days = duration_ms(horizon, "horizon") / DAY_MS
        table = self._described(self._admitted(customers), as_of)
        buyers = _Buyers.of(table)
        state = (buyers.x, buyers.t_x, buyers.T)
        per_purchase = expected_value(self._gamma_gamma, buyers.n, buyers.mean)
        purchases, discounted = self._purchases(buyers, days)
        columns = {
            "expected_purchases": purchases,
            "p_alive": probability_alive(self._bg_nbd, *state),
            "expected_value_per_purchase": per_purchase,
            "lifetime_value": discounted * per_purchase,
        }
        result = pd.DataFrame({"user_id": table["user_id"].to_numpy()})
        for name, values in columns.items():
            result[name] = np.nan
            result.loc[buyers.rows, name] = values
        return result if is_events(customers) else like(result, customers)

    def holdout(self, events: Any, calibration_end: Any, as_of: Any = None) -> Holdout:
        """Say how far off the forecasts are: fit before a moment, compare with what came then.

        Two answers that need no model stand beside: that everybody goes on at his own past rate
        (repeat purchases over the time watched, times his own mean value), and that everyone buys
        like the mean customer. This object itself learns nothing.

        Parameters
        ----------
        events : dataframe, or iterable of `Event`
        calibration_end : moment
            Events before it are learned from; those from it on are foretold. It should be a moment
            at which a period begins, or the purchases of the period it cuts count on both sides.
        as_of : moment, optional
            Where the events to foretell end, this moment left out; by default with the last event.

        Returns
        -------
        Holdout
            With ``table`` and ``by_frequency`` as frames, ``customers`` and ``days``. Purchases
            sent back within the held-out time count as never made; what was bought before it and
            sent back within it is not taken off.

        Raises
        ------
        DataError
            If one side of the moment is empty, and as `fit`.
        """
        check_parameters(self)
        frame = frame_of_events(self._admitted(events))
        end_frame = rfm(frame, as_of, self.period)  # whatever cannot be read is told here
        times = to_ms(frame["timestamp"])
        start = moment_ms(calibration_end, "calibration_end")
        end = int(times.max()) + 1 if as_of is None else moment_ms(as_of, "as_of")
        later = (times >= start) & (times < end)
        if not later.any() or not len(end_frame):
            raise DataError(
                f"holdout: no event lies from calibration_end {calibration_end} on; choose an "
                "earlier moment."
            )
        period = duration_ms(self.period, "period")
        days = ((end - 1) // period - (start - 1) // period) * period / DAY_MS
        before = rfm(frame, start, self.period)
        model = clone(self).set_params(discount_rate=0.0).fit(before)
        buyers = _Buyers.of(before)
        after = rfm(frame[later], end, self.period)
        return _compare(model, buyers, days, *_actual(before, buyers, after))

    def _described(self, customers: Any, as_of: Any) -> pd.DataFrame:
        """Return customers as `rfm` describes them."""
        return described(customers, as_of, self.period, type(self).__name__)

    @property
    def _bg_nbd(self) -> BGNBD:
        return BGNBD(self.r_, self.alpha_days_, self.a_, self.b_)

    @property
    def _gamma_gamma(self) -> GammaGamma:
        return GammaGamma(self.p_, self.q_, self.gamma_)

    def _purchases(self, buyers: _Buyers, days: float) -> tuple[Array, Array]:
        """Return the purchases to expect, and those discounted."""
        state = (buyers.x, buyers.t_x, buyers.T)
        if not self.discount_rate:
            expected = expected_purchases(self._bg_nbd, *state, days)
            return expected, expected
        edges = np.append(np.arange(_STEP_DAYS, days, _STEP_DAYS), days)
        before, start = np.zeros(len(buyers.x)), 0.0
        discounted = np.zeros(len(buyers.x))
        for end in edges.tolist():
            until = expected_purchases(self._bg_nbd, *state, end)
            years = (start + end) / 2 / 365.0
            discounted += (until - before) / (1 + self.discount_rate) ** years
            before, start = until, end
        return before, discounted

    def _check_learned(self) -> None:
        check(self.gated_, switch(), "LifetimeValue", "gated_")
        above = {"r_": 0, "alpha_days_": 0, "a_": 0, "b_": 0, "p_": 0, "q_": 1, "gamma_": 0}
        for name, least in above.items():
            value: Any = vars(self).get(name)
            if type(value) is not float or not np.isfinite(value) or value <= least:
                raise DataError(f"LifetimeValue: {name} must be a number above {least}.")


@dataclass(frozen=True, eq=False)
class Holdout:
    """How far off forecasts were, beside two that need no model.

    Parameters
    ----------
    customers : int
        Buyers of the calibration time, of whom something was foretold.
    days : float
        The held-out time.
    table : frame
        One row a forecast; of ``purchases`` and ``value`` each the mean absolute error
        (``_mae``), the root of the mean squared error (``_rmse``) and the relative error of the
        sum over all customers (``_total``: 0.1 is a tenth too much).
    by_frequency : frame
        By repeat purchases in the calibration time: ``customers``, the mean ``actual`` number of
        purchases, and the mean that each forecast told.
    """

    customers: int
    days: float
    table: pd.DataFrame
    by_frequency: pd.DataFrame

    def __repr__(self) -> str:
        return (
            f"Holdout({self.customers:,} customers over {self.days:g} days)\n"
            f"{self.table.round(3).to_string()}\n\n{self.by_frequency.round(3).to_string()}"
        )


@dataclass(frozen=True, eq=False)
class _Buyers:
    """Who has bought, in the letters of the papers; times in days.

    rows  int64 (n,), their places in the frame of all users
    x, t_x, T  float64 (n,)
    n, mean    float64 (n,): purchases, and the mean value of one
    """

    rows: Array
    x: Array
    t_x: Array
    T: Array
    mean: Array

    @property
    def n(self) -> Array:
        return self.x + 1

    @classmethod
    def of(cls, customers: pd.DataFrame) -> _Buyers:
        if "total_value" not in customers.columns:
            raise ColumnError(
                "LifetimeValue needs the value of purchases, got no prices; "
                "add a column 'price' to the events."
            )
        rows = np.flatnonzero(customers["orders"].to_numpy() > 0)
        bought = customers.iloc[rows]
        x, t_x, T, total = (
            bought[name].to_numpy(dtype=np.float64)
            for name in ("frequency", "span_days", "tenure_days", "total_value")
        )
        good = (x >= 0) & (t_x >= 0) & (t_x <= T) & ((x > 0) == (t_x > 0)) & (total >= 0)
        if not (good & np.isfinite(T + total + x)).all():
            user = bought["user_id"].iloc[int(np.argmin(good))]
            raise DataError(
                f"the frame of customers contradicts itself (user {user!r}); make it with rp.rfm."
            )
        return cls(rows, x, t_x, T, total / (x + 1))

    def collapsed(self) -> tuple[Array, Array, Array, Array]:
        """Return the distinct (x, t_x, T), and how many customers each stands for."""
        table = pd.DataFrame({"x": self.x, "t_x": self.t_x, "T": self.T})
        sizes = table.groupby(["x", "t_x", "T"]).size().reset_index(name="n")
        x, t_x, T, weight = (sizes[name].to_numpy(dtype=np.float64) for name in sizes)
        return x, t_x, T, weight


def _require_enough(buyers: _Buyers) -> None:
    if len(buyers.x) < _FEWEST:
        raise DataError(
            f"LifetimeValue needs at least {_FEWEST} customers who bought, got {len(buyers.x)}."
        )
    if not (buyers.x > 0).any():
        raise DataError(
            f"LifetimeValue needs customers who bought again, but all {len(buyers.x)} bought in "
            "one period only; take a longer log or a shorter period."
        )
    paid = int((buyers.mean > 0).sum())
    if paid < _FEWEST:
        raise DataError(
            f"LifetimeValue needs at least {_FEWEST} customers whose purchases have a price above "
            f"0, got {paid}."
        )


def _actual(before: pd.DataFrame, buyers: _Buyers, after: pd.DataFrame) -> tuple[Array, Array]:
    """Return what the buyers of the past did later: purchases and their value."""
    place = IdMap(before["user_id"].iloc[buyers.rows]).indices(after["user_id"])
    known = (place >= 0) & (after["orders"].to_numpy() > 0)
    purchases, value = np.zeros(len(buyers.x)), np.zeros(len(buyers.x))
    purchases[place[known]] = after["frequency"].to_numpy()[known] + 1
    value[place[known]] = after["total_value"].to_numpy()[known]
    return purchases, value


def _compare(
    model: LifetimeValue, buyers: _Buyers, days: float, purchases: Array, value: Array
) -> Holdout:
    foretold, _ = model._purchases(buyers, days)
    per_purchase = expected_value(model._gamma_gamma, buyers.n, buyers.mean)
    overall = buyers.x.sum() / max(buyers.T.sum(), 1.0)
    rate = np.where(buyers.T > 0, buyers.x / np.maximum(buyers.T, 1e-9), overall)
    mean_value = (buyers.mean * buyers.n).sum() / buyers.n.sum()
    forecasts = {
        "LifetimeValue": (foretold, foretold * per_purchase),
        "past rate": (rate * days, rate * days * buyers.mean),
        "everyone the mean": (
            np.full(len(rate), overall * days), np.full(len(rate), overall * days * mean_value),
        ),
    }  # fmt: skip
    table = pd.DataFrame(
        {
            name: _errors(told, purchases, "purchases") | _errors(worth, value, "value")
            for name, (told, worth) in forecasts.items()
        }
    ).T
    frame = pd.DataFrame({"actual": purchases} | {n: told for n, (told, _) in forecasts.items()})
    row = np.minimum(buyers.x, _LAST_ROW).astype(np.int64)
    grouped = frame.groupby(row)
    by_frequency = grouped.mean()
    by_frequency.insert(0, "customers", grouped.size())
    by_frequency.index = pd.Index(
        [f"{n}+" if n == _LAST_ROW else str(n) for n in by_frequency.index], name="frequency"
    )
    return Holdout(len(buyers.x), days, table, by_frequency)


def _errors(told: Array, actual: Array, what: str) -> dict[str, float]:
    off, total = told - actual, float(actual.sum())
    return {
        f"{what}_mae": float(np.abs(off).mean()),
        f"{what}_rmse": float(np.sqrt((off**2).mean())),
        f"{what}_total": float(off.sum() / total) if total else float("nan"),
    }
