"""Prices in one currency and one unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.types import Array, Mask
from recopersona.errors import DataError, ParameterError
from recopersona.events.distinct import Distinct
from recopersona.events.examination import Examination
from recopersona.events.hashing import hashed
from recopersona.events.numbers import readable_numbers
from recopersona.kernels.hashing import number_hashes

UNITS = (100.0, 1e6)
"""Cents and millionths: what else a price may be written in."""

TOLERANCE = 0.05
"""How far from 100 or 1,000,000 times the usual price a price of another unit may lie."""

AGREEING = 0.8
"""An item has a usual price if this share of its prices lies within a factor of two of the median:
of fewer than five, none may be off."""


def checked_rates(
    currency: Any, rates: Any, prices: Any
) -> tuple[str | None, dict[str, float], Callable[..., Any] | None]:
    """Return the currency, the rates by currency and the hook, or say what is wrong with them."""
    if prices is not None and not callable(prices):
        raise ParameterError(
            f"prices must be a function from a frame to its prices, got {prices!r}."
        )
    if currency is None:
        if rates is not None:
            raise ParameterError("rates need the currency to convert to; write currency='EUR'.")
        return None, {}, prices
    if not isinstance(currency, str) or not currency.strip():
        raise ParameterError(f"currency must be a code such as 'EUR', got {currency!r}.")
    if rates is not None and not isinstance(rates, Mapping):
        raise ParameterError(f"rates must be a mapping such as {{'USD': 0.92}}, got {rates!r}.")
    wanted = _code(currency)
    known = {}
    for name, rate in (rates or {}).items():
        number = isinstance(rate, Real) and not isinstance(rate, bool)
        if not number or not 0 < rate < math.inf:
            raise ParameterError(
                f"rates[{name!r}] must be a number above 0, the price of one {name} in {wanted}, "
                f"got {rate!r}."
            )
        known[_code(name)] = float(rate)
    if known.get(wanted, 1.0) != 1.0:
        raise ParameterError(f"rates[{wanted!r}] must be 1, got {known[wanted]!r}.")
    return wanted, known | {wanted: 1.0}, prices


def hook_prices(log: Examination, hook: Callable[..., Any]) -> None:
    """Put the prices that a function of the caller makes of the log in place of its own."""
    frame = log.frame.assign(**log.columns)
    made = hook(frame)
    if isinstance(made, str) or not hasattr(made, "__len__") or len(made) != len(frame):
        words = isinstance(made, str) or not hasattr(made, "__len__")
        got = f"a {type(made).__name__}" if words else f"{len(made)}"
        raise DataError(f"prices must return one price for each of {len(frame)} rows, got {got}.")
    if np.ndim(made) != 1:
        raise DataError(f"prices must return one column, got {np.ndim(made)} dimensions.")
    column = pd.Series(np.asarray(made), name="price", index=frame.index)
    after = readable_numbers(column)
    before = readable_numbers(frame["price"]) if "price" in frame else np.full(len(after), np.nan)
    log.repaired("price_hook", ~((before == after) | (np.isnan(before) & np.isnan(after))))
    log.replace("price", column.array)


def convert_currencies(log: Examination, wanted: str, rates: Mapping[str, float]) -> None:
    """Bring prices into one currency; a price in one of unknown worth is blanked."""
    if "price" not in log.numbers:
        return
    price = log.numbers["price"]
    priced = ~np.isnan(price)
    factor = np.ones(len(price))
    if "currency" in log:
        written = Distinct.of(log.column("currency"))
        worth = [_worth(code, wanted, rates) for code in written.values]
        factor = np.array([*worth, 1.0])[written.codes]
        log.repaired("missing_currency", priced & (written.codes < 0))
    unknown = priced & np.isnan(factor)
    log.repaired("unknown_currency", unknown)
    log.repaired("currency", priced & ~unknown & (factor != 1.0))
    if ((factor != 1.0) & priced).any():
        log.numbers["price"] = price * factor
        log.replace("price", log.numbers["price"])
    if "currency" in log:
        unpriced = unknown | (~priced & np.isnan(factor))
        now = np.where(unpriced, np.asarray(log.column("currency"), dtype=object), wanted)
        log.replace("currency", pd.Series(now).astype("str"))


def repair_price_units(log: Examination) -> None:
    """Bring prices to the unit of their item: cents and millionths among whole ones.

    An item's usual price is its median, see `AGREEING`. A price that is 100 or
    1,000,000 times as high or low, see `TOLERANCE`, is of the other unit.
    """
    if "price" not in log.numbers:
        return
    price = log.numbers["price"]
    rows = np.flatnonzero((log.reason < 0) & (price > 0))
    items = log.ids["item_id"].hashes[rows]
    if "currency" in log:
        items = items ^ hashed(log.column("currency")).hashes[rows]
    rows, codes = _of_unsteady_items(rows, items, price)
    if not len(rows):
        return
    logs = np.log(price[rows])
    prices = pd.Series(logs).groupby(codes)
    usual = prices.transform("median").to_numpy()
    near = pd.Series(np.abs(logs - usual) <= np.log(2.0))
    steady = near.groupby(codes).transform("mean").to_numpy() >= AGREEING
    for unit in UNITS:
        for sign in (1.0, -1.0):
            off = np.abs(logs - usual - sign * np.log(unit)) <= np.log(1 + TOLERANCE)
            wrong = rows[off & steady]
            _divide(log, wrong, unit**sign)


def _divide(log: Examination, rows: Array, by: float) -> None:
    if not len(rows):
        return
    repaired: Mask = np.zeros(len(log.reason), dtype=np.bool_)
    repaired[rows] = True
    log.repaired("price_unit", repaired)
    price = log.numbers["price"].copy()
    price[rows] /= by
    log.numbers["price"] = price
    log.replace("price", price)


def _of_unsteady_items(rows: Array, items: Array, price: Array) -> tuple[Array, Array]:
    """Return the rows of items of which some prices lie far apart, and the items' codes."""
    items = np.ascontiguousarray(items)
    codes, firsts = (np.empty(len(items), dtype=np.int32) for _ in range(2))
    slots = np.zeros(1 << len(items).bit_length(), dtype=np.int32)
    n = number_hashes(codes, firsts, slots, items)
    # Against any one price of the item, one of another unit lies at least half a unit away.
    far = np.abs(np.log(price[rows] / price[rows[firsts[codes]]])) > np.log(UNITS[0]) / 2
    unsteady = (np.bincount(codes[far], minlength=n) > 0)[codes]
    return rows[unsteady], codes[unsteady]


def _worth(code: Any, wanted: str, rates: Mapping[str, float]) -> float:
    name = _code(code)
    return rates.get(name, math.nan) if name else rates[wanted]


def _code(name: Any) -> str:
    return str(name).strip().upper()
