"""Slow twins: customers described by loops, and buying models integrated by brute force."""

import numpy as np
import pandas as pd
from scipy.special import betaln, gammaln

DAY_MS = 86_400_000


def describe(rows, as_of, period):
    """`rfm` of (user, item, kind, day in ms, quantity, price, order, session), by loops."""
    rows = [row for row in rows if row[3] < as_of]
    users = list(dict.fromkeys(row[0] for row in rows))
    return [_describe_one([row for row in rows if row[0] == user], as_of, period) for user in users]


def _describe_one(rows, as_of, period):
    seen = [row[3] for row in rows]
    kept = [(row, left) for row, left in _kept(rows) if left > 0]
    times = [row[3] for row, _ in kept]
    since = lambda time: ((as_of - 1) // period - time // period) * period / DAY_MS  # noqa: E731
    orders = {("id", row[6]) if row[6] is not None else ("at", row[3]) for row, _ in kept}
    value = sum(left * (row[5] or 0.0) for row, left in kept)
    return {
        "user_id": rows[0][0],
        "known_days": since(min(seen)),
        "idle_days": since(max(seen)),
        "sessions": len({row[7] for row in rows if row[7] is not None}),
        "orders": len(orders),
        "frequency": max(len({time // period for time in times}) - 1, 0),
        "recency_days": since(max(times)) if times else None,
        "span_days": since(min(times)) - since(max(times)) if times else None,
        "tenure_days": since(min(times)) if times else None,
        "total_value": value,
        "monetary": value / len(orders) if orders else None,
    }


def _kept(rows):
    piles, left = {}, {}
    for place in sorted(range(len(rows)), key=lambda place: (rows[place][3], place)):
        _, item, kind, _, quantity, *_ = rows[place]
        pile = piles.setdefault(item, [])
        if kind == "purchase":
            pile.append(place)
            left[place] = quantity
        elif kind == "return":
            while quantity > 0 and pile:
                taken = min(quantity, left[pile[-1]])
                left[pile[-1]] -= taken
                quantity -= taken
                if not left[pile[-1]]:
                    pile.pop()
    return [(rows[place], much) for place, much in left.items()]


def bg_nbd_by_integration(model, x, t_x, T, horizon):
    """One customer: likelihood, P(alive) and expected purchases, integrated over rate and p.

    Trapezoids over the logarithm of the rate and the log-odds of p, where both densities fall off
    exponentially: no closed form of the papers is used.
    """
    r, alpha, a, b = model
    log_rate = np.linspace(-90, 12, 2_401)[:, None]
    odds = np.linspace(-60, 60, 2_401)[None, :]
    rate, log_p, log_q = np.exp(log_rate), -np.logaddexp(0, -odds), -np.logaddexp(0, odds)
    prior = (
        r * np.log(alpha) + r * log_rate - alpha * rate - gammaln(r)
        + a * log_p + b * log_q - betaln(a, b)
    )  # fmt: skip
    alive = np.exp(prior + x * log_q + x * log_rate - rate * T)
    stopped = (
        np.exp(prior + log_p + (x - 1) * log_q + x * log_rate - rate * t_x) if x else 0.0 * alive
    )
    p = np.exp(log_p)
    bought = -np.expm1(-rate * p * horizon) / p

    def integral(values):
        return np.trapezoid(np.trapezoid(values, odds[0], axis=1), log_rate[:, 0])

    likelihood = integral(alive + stopped)
    return likelihood, integral(alive) / likelihood, integral(alive * bought) / likelihood


def expected_by_trapezoids(model, x, T, horizon):
    """Purchases to expect of one customer who is alive, over the log-odds of p."""
    r, alpha, a, b = model
    odds = np.linspace(-60 / min(a, 1) - 5, 60 / min(b, 1) + 5, 400_001)
    log_p, log_q = -np.logaddexp(0, -odds), -np.logaddexp(0, odds)
    density = np.exp(a * log_p + (b + x) * log_q - betaln(a, b + x))
    p, ahead = np.exp(log_p), horizon / (alpha + T)
    bought = -np.expm1(-(r + x) * np.log1p(p * ahead)) / np.maximum(p, 1e-300)
    bought = np.where(p * ahead < 1e-12, (r + x) * ahead, bought)
    return np.trapezoid(density * bought, odds)


def gamma_gamma_by_integration(model, n, mean):
    """One customer: likelihood of a mean value, and the expected value, integrated over 1/v."""
    p, q, gamma = model
    log_v = np.linspace(-40, 40, 200_001)
    v = np.exp(log_v)
    prior = q * np.log(gamma) + q * log_v - gamma * v - gammaln(q)
    seen = p * n * np.log(n * v) + (p * n - 1) * np.log(mean) - n * v * mean - gammaln(p * n)
    both = np.exp(prior + seen)
    likelihood = np.trapezoid(both, log_v)
    return likelihood, np.trapezoid(both * p / v, log_v) / likelihood


def buyers(model, watched, random):
    """Draw customers who buy as BG/NBD says: their moments of purchase, the first at 0."""
    r, alpha, a, b = model
    n = len(watched)
    rate, stop = random.gamma(r, 1 / alpha, n), random.beta(a, b, n)
    now, alive = np.zeros(n), np.ones(n, dtype=bool)
    moments = [(np.arange(n), now.copy())]
    while alive.any():
        now[alive] += random.exponential(1 / rate[alive])
        alive &= now < watched
        moments.append((np.flatnonzero(alive), now[alive]))
        alive[alive] = random.random(alive.sum()) >= stop[alive]
    return tuple(np.concatenate(parts) for parts in zip(*moments, strict=True))


def shop_of(model, values, n, days, random):
    """Draw a log of purchases: n customers, the first purchase of each in the first third."""
    born = random.uniform(0, days / 3, n)
    who, when = buyers(model, days - born, random)
    p, q, gamma = values
    scale = 1 / random.gamma(q, 1 / gamma, n)
    start = pd.Timestamp("2025-01-01", tz="UTC")
    return pd.DataFrame(
        {
            "user_id": who,
            "item_id": "tea",
            "event": "purchase",
            "timestamp": start + pd.to_timedelta((born[who] + when) * 86_400, unit="s"),
            "price": random.gamma(p, scale[who]),
        }
    )


def summary(model, watched, random):
    """Draw customers and return their x, t_x."""
    who, when = buyers(model, watched, random)
    x = np.bincount(who, minlength=len(watched)) - 1.0
    last = np.zeros(len(watched))
    np.maximum.at(last, who, when)
    return x, last
