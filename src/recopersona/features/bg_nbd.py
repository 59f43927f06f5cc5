"""BG/NBD: how often somebody buys, and when he stops, from three numbers a customer.

While a customer is alive he buys at a rate of his own, drawn from a gamma distribution (r, alpha);
after every repeat purchase he stops for good with a probability of his own, drawn from a beta
distribution (a, b). Arrays in, arrays out; x, t_x and T are the paper's letters for the number of
repeat purchases, the time of the last one and the time watched, both since the first purchase.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.special import betaln, digamma, expit, gammaln

from recopersona.data.types import Array
from recopersona.features.likelihood import most_likely

_FEWEST_NODES, _MOST_NODES = 32, 1_024
_ROWS_PER_BLOCK = 8_192
_STARTS = ((0.0, 0.0, 0.0, 0.0), (-1.5, -2.0, -1.0, 1.0))


class BGNBD(NamedTuple):
    """The four parameters; ``alpha`` is in the unit of time of the data."""

    r: float
    alpha: float
    a: float
    b: float


def log_likelihood(
    model: BGNBD, x: Array, t_x: Array, T: Array, weight: Array
) -> tuple[float, Array]:
    """Return the sum over customers, and its gradient by (r, alpha, a, b).

    Parameters
    ----------
    x, t_x, T, weight : float64 (n,)
        Equal customers are one row of some weight.

    References
    ----------
    Fader, Hardie & Lee (2005), "Counting your customers the easy way", equation 6, in the form of
    their note on its implementation (four factors, the last one for repeat buyers only).
    """
    r, alpha, a, b = model
    # Gamma functions are dear, and of the number of purchases alone.
    counts, place = np.unique(x, return_inverse=True)
    of_count = gammaln(r + counts) - gammaln(r) + betaln(a, b + counts) - betaln(a, b)
    log_T, log_t = np.log(alpha + T), np.log(alpha + t_x)
    alive = -(r + x) * log_T
    repeat = x > 0
    last = np.where(repeat, b + x - 1, 1.0)
    stopped = np.where(repeat, np.log(a) - np.log(last) - (r + x) * log_t, -np.inf)
    total = weight @ (of_count[place] + r * np.log(alpha) + np.logaddexp(alive, stopped))

    has_stopped = weight * expit(stopped - alive)
    is_alive = weight - has_stopped
    per_count = np.bincount(place, weight, minlength=len(counts))
    both = digamma(a + b) - digamma(a + b + counts)
    gradient = np.array(
        [
            per_count @ (digamma(r + counts) - digamma(r) + np.log(alpha))
            - is_alive @ log_T - has_stopped @ log_t,
            weight.sum() * r / alpha
            - is_alive @ ((r + x) / (alpha + T)) - has_stopped @ ((r + x) / (alpha + t_x)),
            per_count @ both + has_stopped.sum() / a,
            per_count @ (digamma(b + counts) - digamma(b) + both) - has_stopped @ (1 / last),
        ]
    )  # fmt: skip
    return float(total), gradient


def fit_bg_nbd(x: Array, t_x: Array, T: Array, weight: Array) -> tuple[BGNBD, float]:
    """Return the parameters of the largest likelihood, and its logarithm.

    Searched in logarithms of the parameters and in units of the mean time watched, where all four
    are of one size, from two starts.
    """
    unit = float(np.average(T, weights=weight))
    t_unit, T_unit, n = t_x / unit, T / unit, float(weight.sum())

    def mean(parameters: Array) -> tuple[float, Array]:
        model = BGNBD(*parameters.tolist())
        total, gradient = log_likelihood(model, x, t_unit, T_unit, weight)
        return total / n, gradient / n

    r, alpha, a, b = most_likely(mean, _STARTS).tolist()
    model = BGNBD(r, alpha * unit, a, b)
    return model, log_likelihood(model, x, t_x, T, weight)[0]


def probability_alive(model: BGNBD, x: Array, t_x: Array, T: Array) -> Array:
    """Return the probability that a customer has not stopped: float64 (n,).

    It is 1 for who never bought again: in this model customers stop at repeat purchases only.

    References
    ----------
    Fader, Hardie & Lee (2008), "Computing P(alive) using the BG/NBD model".
    """
    r, alpha, a, b = model
    repeat = x > 0
    odds = np.log(a) - np.log(np.where(repeat, b + x - 1, 1.0))
    odds = odds + (r + x) * (np.log(alpha + T) - np.log(alpha + t_x))
    alive: Array = np.where(repeat, expit(-odds), 1.0)
    return alive


def expected_purchases(model: BGNBD, x: Array, t_x: Array, T: Array, horizon: float) -> Array:
    r"""Return the purchases to expect within a time to come: float64 (n,).

    The paper writes this with Gauss's hypergeometric function, which overflows for customers of
    many purchases and divides nothing by nothing at a = 1. What it integrates is tame:

    .. math:: P(alive) \int_0^1 \frac{1 - (1 + p\,t / (\alpha + T))^{-(r + x)}}{p}
              \,\mathrm{Beta}(p \mid a, b + x)\, dp

    (of a customer alive, the rate is gamma(r + x, alpha + T), the probability to stop beta(a,
    b + x); and with both known :math:`(1 - e^{-\lambda p t})/p` purchases are expected). All of it
    is positive and smooth in p, so Gauss's quadrature for that beta distribution is exact to many
    digits.

    References
    ----------
    Fader, Hardie & Lee (2005), equation 10.
    """
    r, alpha, a, b = model
    wanted, place = np.unique(np.stack([x, T]), axis=1, return_inverse=True)
    counts, watched = wanted
    expected = np.empty(len(counts))
    for count in np.unique(counts).tolist():
        of_count = np.flatnonzero(counts == count)
        longest = horizon / (alpha + float(watched[of_count].min()))
        p, share = _beta_quadrature(a, b + count, _nodes_for(longest))
        for start in range(0, len(of_count), _ROWS_PER_BLOCK):
            rows = of_count[start : start + _ROWS_PER_BLOCK]
            grown = np.log1p(p * (horizon / (alpha + watched[rows]))[:, None])
            expected[rows] = -np.expm1(-(r + count) * grown) @ (share / p)
    alive: Array = probability_alive(model, x, t_x, T)
    return alive * expected[place.reshape(-1)]


def _nodes_for(ratio: float) -> int:
    """Return how many nodes a time to come needs, that is so many times as long as the past.

    The nearest place where the integrand is not smooth is p = −1/ratio, and an interval resolves
    what lies near its end with the square of the number of nodes.
    """
    return int(np.clip(24 * np.sqrt(1 + ratio), _FEWEST_NODES, _MOST_NODES))


def _beta_quadrature(a: float, b: float, n_nodes: int) -> tuple[Array, Array]:
    """Return nodes in (0, 1) and weights that sum to 1, for means under a beta distribution.

    The eigenvalues of the recurrence of Jacobi's polynomials, and the squares of the first
    components of its eigenvectors: Golub & Welsch (1969), "Calculation of Gauss quadrature rules".
    """
    n = np.arange(1, n_nodes, dtype=np.float64)
    on_one, on_zero = b - 1, a - 1  # the powers of 1 − p and of p
    both = on_one + on_zero
    middle = (on_zero - on_one) * both / ((2 * n + both) * (2 * n + both + 2))
    diagonal = np.concatenate([[(on_zero - on_one) / (both + 2)], middle])
    # At n = 1 the factor n + both stands above and below the line, and may be 0.
    above = 4 * n * (n + on_one) * (n + on_zero)
    below = (2 * n + both) ** 2 * (2 * n + both + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(n == 1, 1.0, (n + both) / (2 * n + both - 1))
    nodes, vectors = eigh_tridiagonal((1 + diagonal) / 2, np.sqrt(above / below * ratio) / 2)
    return np.maximum(nodes, 1e-280), vectors[0] ** 2
