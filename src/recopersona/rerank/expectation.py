"""What a request is expected to bring, whatever is shown: a control variate."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.types import Values
from recopersona.errors import DataError

_ENOUGH = 100  # rewards; before, a slope says more of chance than of requests
_SHRINK = 10.0


class Expectation(Part):
    r"""Foretell by how much a request brings more than others, from what is known before.

    .. math:: e(x) = \beta^\top (x - \bar x)

    with :math:`\beta` the least squares of rewards on what was known of their requests. It does not
    ask what was shown, so to take it off a reward changes no difference between arms, in the mean;
    and it is 0 for the usual request, so that rewards keep their level while it is learned.

    Attributes
    ----------
    n_ : int
    means_ : float64 (d + 1,)
        Of what is known, and of rewards.
    products_ : float64 (d + 1, d + 1)
        Summed products of what deviates from the means.
    slopes_ : float64 (d,)

    References
    ----------
    Lavenberg & Welch (1981), "A perspective on the use of control variables to increase the
    efficiency of Monte Carlo simulations"; Welford (1962) for the sums.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> foretold = Expectation().start(1)
    >>> for _ in range(500):
    ...     busy = float(random.integers(2))
    ...     foretold.learn((busy,), 0.1 + 0.4 * busy + 0.1 * random.normal())
    >>> round(foretold.of((1.0,)) - foretold.of((0.0,)), 1)
    0.4
    """

    def start(self, width: int) -> Expectation:
        """Know nothing, of requests that are told by so many numbers."""
        self.n_ = 0
        self.means_: Values = np.zeros(width + 1)
        self.products_: Values = np.zeros((width + 1, width + 1))
        self.slopes_: Values = np.zeros(width)
        return self

    def of(self, known: tuple[float, ...]) -> float:
        """Return by how much a request is expected to bring more than the usual one."""
        if len(known) != len(self.slopes_):
            return 0.0
        return float(self.slopes_ @ (np.array(known) - self.means_[:-1]))

    def learn(self, known: tuple[float, ...], reward: float) -> None:
        """Take in what a request brought."""
        if len(known) != len(self.slopes_):
            return
        row = np.array((*known, reward))
        off = row - self.means_
        self.n_ += 1
        self.means_ = self.means_ + off / self.n_
        self.products_ = self.products_ + np.outer(off, row - self.means_)
        if self.n_ >= _ENOUGH:
            self._solve()

    def take_back(self, known: tuple[float, ...], reward: float) -> None:
        """Forget what a request brought, as if it had never come."""
        if len(known) != len(self.slopes_) or not self.n_:
            return
        row = np.array((*known, reward))
        self.n_ -= 1
        if not self.n_:
            self.start(len(known))
            return
        off = row - self.means_
        self.means_ = self.means_ - off / self.n_
        self.products_ = self.products_ - np.outer(row - self.means_, off)
        if self.n_ >= _ENOUGH:
            self._solve()
        else:
            self.slopes_ = np.zeros(len(known))

    @property
    def foretells(self) -> bool:
        """Whether there were rewards enough to tell requests apart by them."""
        return bool(self.n_ >= _ENOUGH)

    def revise(self, known: tuple[float, ...], old: float, new: float) -> None:
        """Take in that a request, taken in before, brought something else."""
        if len(known) != len(self.slopes_) or not self.n_:
            return
        change = new - old
        off = np.array((*known, (old + new) / 2)) - self.means_
        products = self.products_.copy()
        products[-1, :-1] += change * off[:-1]
        products[:-1, -1] += change * off[:-1]
        products[-1, -1] += 2 * change * off[-1] - change**2 / self.n_
        self.products_ = products
        self.means_ = self.means_ + np.append(np.zeros(len(known)), change / self.n_)
        if self.n_ >= _ENOUGH:
            self._solve()

    def _solve(self) -> None:
        squares = (self.products_[:-1, :-1] + self.products_[:-1, :-1].T) / 2
        spread = np.diag(squares)
        told = spread > 1e-12 * self.n_
        slopes = np.zeros(len(spread))
        if told.any():
            ridge = np.diag(spread[told] * _SHRINK / self.n_)
            both = squares[np.ix_(told, told)] + ridge
            slopes[told] = np.linalg.solve(both, self.products_[-1, :-1][told])
        if np.isfinite(slopes).all():
            self.slopes_ = slopes

    def _check_learned(self) -> None:
        width = len(self.slopes_)
        require_array(self.slopes_, np.float64, (None,), "slopes_")
        require_array(self.means_, np.float64, (width + 1,), "means_")
        require_array(self.products_, np.float64, (width + 1, width + 1), "products_")
        n: Any = self.n_
        finite = all(np.isfinite(one).all() for one in (self.slopes_, self.means_, self.products_))
        if type(n) is not int or n < 0 or not finite:
            raise DataError("Expectation: what was learned must be finite numbers.")
