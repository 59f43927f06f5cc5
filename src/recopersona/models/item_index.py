"""An index over item factors: the best of many inner products without computing them all."""

from __future__ import annotations

import numpy as np

from recopersona.base.lists import Best, Excluded
from recopersona.data.types import Array, Floats, Indices, Mask
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.search import (
    BLOCK,
    LANES,
    encode_rows,
    measure_rows,
    offer_items,
    scan_codes,
    scan_products,
)

_ROWS_PER_BLOCK = 16_384
_FEW = 24  # vectors; up to here reading rounded factors once each is cheaper than a product
_ROWS_PER_PRODUCT = 256  # with BLOCK items, the products stay in the second-level cache
_OPEN_SHARE = 8  # with no more than one item of so many to choose from, each is simply judged
_OPEN_SHARE_OF_MANY = 64  # for more than a few vectors: in products an item costs less
_CHANGED_SHARE = 16  # the index is made anew when one item of so many has changed
_CHANGED_AT_LEAST = 256
_NONE: Floats = np.empty(0, np.float32)


class ItemIndex:
    r"""Items ordered by length and rounded to eight bits, for an exact search.

    No score of an item is above :math:`\|x_u\| \|y_i\| + b_i`. Items are looked at in order of
    length, the longest first, in blocks; where the longest of a block is too short for a list's
    worst, the block falls away. For a few vectors the rest is read as rounded factors, a quarter
    of the bytes: the product of the rounded ones, and the length of what rounding took away, bound
    each score. For many vectors a block is multiplied at once. What passes is judged by its factors
    themselves, in both ways alike: the answers are equal bit for bit.

    Items whose factors changed later are judged aside, all of them, by every search; who changes
    them says so with `mark`.

    Parameters
    ----------
    factors : float32 (n_items, f)
    biases : float32 (n_items,) or None
    known : bool (n_items,)
        The items that may be found; those with a factor that is not finite never are.

    Notes
    -----
    Memory: ``(f + 18) * n_items`` bytes, f rounded up to a multiple of 32, and 48 bytes an item
    more while it is made; a search of many vectors takes ``4 * f + 8 * n`` bytes each and 1.5 MB
    a thread beside. Time to make: one sort of the lengths and two passes over the factors.

    References
    ----------
    Teflioudi, Gemulla & Mykytiuk (2015), "LEMP: Fast Retrieval of Large Entries in a Matrix
    Product", sections 3-4, for blocks of items by length.
    """

    def __init__(self, factors: Floats, biases: Floats | None, known: Mask) -> None:
        self.n_items, self.n_factors = factors.shape
        lengths = np.empty(self.n_items, np.float64)
        blocks = cut(self.n_items, _ROWS_PER_BLOCK)
        run_blocks(lambda a, b: measure_rows(lengths[a:b], factors, a), blocks)
        extra = np.zeros(self.n_items) if biases is None else biases.astype(np.float64)
        usable = np.flatnonzero(known & np.isfinite(lengths) & np.isfinite(extra))
        longest_first = np.argsort(-(lengths[usable] + extra[usable]), kind="stable")
        self.order: Indices = usable[longest_first].astype(np.int32)
        self._encode(factors)
        sorted_lengths = lengths[self.order]
        self.lengths = np.nextafter(sorted_lengths.astype(np.float32), np.float32(np.inf))
        starts = np.arange(0, len(self.order), BLOCK)
        block_biases = np.maximum.reduceat(extra[self.order], starts) if len(starts) else _NONE
        self.block_lengths = _maxima(self.lengths, starts)
        self.block_biases = np.nextafter(
            np.asarray(block_biases).astype(np.float32), np.float32(np.inf)
        )
        if biases is None:
            self.block_biases[:] = 0
        self._bias_size = float(np.abs(extra[self.order]).max(initial=0))
        self._limit = max(_CHANGED_AT_LEAST, self.n_items // _CHANGED_SHARE)
        self._stale: Mask = np.zeros(self.n_items + self._limit, np.bool_)
        self._aside: Indices = np.empty(self._limit, np.int32)
        self._n_aside = 0

    def mark(self, items: Indices | list[int]) -> bool:
        """Say that items are new or have changed, in constant time each.

        Returns False when so many have that the index has to be made anew.
        """
        for item in items.tolist() if isinstance(items, np.ndarray) else items:
            if item >= len(self._stale):
                return False
            if not self._stale[item]:
                if self._n_aside == self._limit:
                    return False
                self._stale[item] = True
                self._aside[self._n_aside] = item
                self._n_aside += 1
        return True

    def search(
        self,
        vectors: Floats,
        n: int,
        factors: Floats,
        biases: Floats | None,
        lengths: Floats,
        excluded: Excluded,
        blocked: Mask,
    ) -> Best:
        """Return the ``n`` best items of every vector; none for a vector of zeros.

        Parameters
        ----------
        vectors : float32 (n_vectors, f)
        n : int
        factors, biases, lengths : as they are now, with more items than at first or as many
            Items of length 0 are not found.
        excluded : what each list leaves out
        blocked : bool (n_items,)
            Left out of all lists.
        """
        best = Best.empty(len(vectors), n)
        reaches = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
        speaks = (reaches > 0) & np.isfinite(reaches)
        added = _NONE if biases is None else biases
        rows = np.flatnonzero(speaks).astype(np.int32)
        few = len(vectors) <= _FEW
        all_open = _open_items(blocked, _OPEN_SHARE if few else _OPEN_SHARE_OF_MANY)
        singly = self._aside[: self._n_aside] if all_open is None else all_open
        singly = singly[singly < len(factors)]
        singly = singly[lengths[singly] > 0]
        if len(singly):
            for row in rows.tolist():
                offer_items(
                    best.items[row], best.scores[row], singly, vectors[row], factors, added,
                    excluded.row(row), blocked,
                )  # fmt: skip
        if all_open is None and few:
            for row in rows.tolist():
                self._scan(
                    best, row, vectors[row], float(reaches[row]), factors, added, excluded, blocked
                )
        elif all_open is None:
            self._multiply(best, rows, vectors, reaches, factors, added, excluded, blocked)
        np.sum(best.items >= 0, axis=1, out=best.counts)
        return best

    def _encode(self, factors: Floats) -> None:
        width = -(-self.n_factors // LANES) * LANES
        n = len(self.order)
        self.codes = np.empty((n, width), np.int8)
        self.scales, self.errors = np.empty(n, np.float32), np.empty(n, np.float32)
        run_blocks(
            lambda a, b: encode_rows(
                self.codes[a:b], self.scales[a:b], self.errors[a:b], factors, self.order[a:b]
            ),
            cut(n, _ROWS_PER_BLOCK),
        )

    def _rounding(self) -> tuple[float, float]:
        """Bound what float32 sums of products miss: a share of the lengths, and a constant.

        Higham (2002), "Accuracy and Stability of Numerical Algorithms", section 3.1, four times.
        """
        share = 4 * (self.n_factors + 4) * 2.0**-24
        return share, share * self._bias_size + self.n_factors * 1e-44

    def _scan(
        self,
        best: Best,
        row: int,
        vector: Floats,
        length: float,
        factors: Floats,
        biases: Floats,
        excluded: Excluded,
        blocked: Mask,
    ) -> None:
        """Search for one vector among the rounded factors."""
        width = self.codes.shape[1]
        exact = vector.astype(np.float64)
        # The widest weights whose products with codes still add up in 32 bits.
        levels = min(32_767, (2**31 - 1) // (127 * width))
        scale = float(np.abs(exact).max()) / levels
        weights = np.zeros(width, np.int16)
        weights[: len(exact)] = np.rint(exact / scale)
        missed = float(np.linalg.norm(exact - scale * weights[: len(exact)]))
        share, slack = self._rounding()
        scan_codes(
            best.items[row], best.scores[row], vector, weights, self.codes, self.scales,
            self.errors, self.lengths, self.order, self.block_lengths, self.block_biases, factors,
            biases, self._stale, excluded.row(row), blocked,
            scale, length, length + missed, missed + share * length, slack,
        )  # fmt: skip

    def _multiply(
        self,
        best: Best,
        rows: Indices,
        vectors: Floats,
        lengths: Array,
        factors: Floats,
        biases: Floats,
        excluded: Excluded,
        blocked: Mask,
    ) -> None:
        """Search for many vectors, block of items by block."""
        share, slack = self._rounding()
        space = np.empty(_ROWS_PER_PRODUCT * BLOCK, np.float32)
        worst = best.scores[:, -1]
        for number, start in enumerate(range(0, len(self.order), BLOCK)):
            longest = float(self.block_lengths[number])
            reach = lengths[rows] * (longest * (1 + share)) + (
                float(self.block_biases[number]) + slack
            )
            active = rows[reach >= worst[rows]]
            if not len(active):
                continue
            items = self.order[start : start + BLOCK]
            block = factors[items]
            # Beyond this a sum may overflow on its way: such products say nothing.
            margins = np.where(lengths * longest < 1e37, lengths, np.inf)
            for first in range(0, len(active), _ROWS_PER_PRODUCT):
                some = active[first : first + _ROWS_PER_PRODUCT]
                products = space[: len(some) * len(items)].reshape(len(some), len(items))
                with np.errstate(over="ignore", invalid="ignore"):
                    np.matmul(vectors[some], block.T, out=products)
                if len(biases):
                    products += biases[items]
                scan_products(
                    best.items, best.scores, products, some, items, vectors, margins,
                    block, biases, self._stale, excluded.bounds, excluded.items, blocked,
                    share * longest, slack,
                )  # fmt: skip


def _open_items(blocked: Mask, share: int) -> Indices | None:
    """Return the items that are not blocked, where they are no more than one of so many."""
    n_open = len(blocked) - int(np.count_nonzero(blocked))
    return None if n_open > len(blocked) // share else np.flatnonzero(~blocked).astype(np.int32)


def _maxima(values: Floats, starts: Array) -> Floats:
    return np.maximum.reduceat(values, starts) if len(starts) else _NONE
