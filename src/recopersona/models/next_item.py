"""How vectors learn the next item of a visit: samples, rivals, and a step of gradient descent."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recopersona.data.types import Array, Floats, Indices
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.next_item import compare, drop, mix_visits, move_items
from recopersona.models.visits import Clicks, Visits

_SAMPLES_PER_BLOCK = 256
_ITEMS_PER_BLOCK = 2_048
_WORD = 2**32


class Samples(NamedTuple):
    """Visits so far, each with the item that came next.

    clicks  (n_clicks,) int32
    starts, ends  (n,) int64: sample s is ``clicks[starts[s]:ends[s]]``, oldest first
    targets  (n,) int32
    """

    clicks: Indices
    starts: Array
    ends: Array
    targets: Indices

    def __len__(self) -> int:
        return len(self.targets)

    @classmethod
    def of(cls, visits: Visits, window: int) -> Samples:
        """Take every click but the first of every visit as what comes next."""
        sizes = np.diff(visits.bounds)
        start_of = np.repeat(visits.bounds[:-1], sizes)
        ends = np.flatnonzero(np.arange(len(visits.items)) > start_of)
        starts = np.maximum(start_of[ends], ends - window)
        return cls(visits.items, starts, ends, visits.items[ends])

    @classmethod
    def after(cls, clicks: Clicks, window: int) -> Samples:
        """Take new clicks that go on with a visit."""
        rows = np.flatnonzero(clicks.counts > 0)
        sizes = np.minimum(clicks.counts[rows], window).astype(np.int64)
        ends = np.cumsum(sizes)
        places = np.repeat(ends, sizes) - np.arange(sizes.sum()) - 1  # the latest come first
        before = clicks.before[np.repeat(rows, sizes), places]
        return cls(before, ends - sizes, ends, clicks.items[rows])

    def take(self, rows: Array | slice) -> Samples:
        """Return some samples, in the order given."""
        return Samples(self.clicks, self.starts[rows], self.ends[rows], self.targets[rows])


class Rivals:
    """Draws the items that all samples of a step are compared with: often clicked ones more often.

    counts  (n_items,) float64: how often each was clicked
    power   0 draws all alike, 1 by their clicks
    """

    def __init__(self, counts: Array, power: float) -> None:
        chances = np.where(counts > 0, counts, 0.0) ** power * (counts > 0)
        self.chances: Array = chances / max(chances.sum(), 1e-300)
        self._until = np.cumsum(self.chances)

    def draw(self, random: np.random.Generator, n: int) -> tuple[Indices, Floats]:
        """Draw n times; return distinct items, and the logarithm of how many each stands for.

        None are drawn where none was clicked.
        """
        if not self._until[-1] > 0:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        drawn = np.searchsorted(self._until, random.random(n) * self._until[-1], side="right")
        items, times = np.unique(np.minimum(drawn, len(self._until) - 1), return_counts=True)
        stands_for = np.log(times / (n * self.chances[items]))
        return items.astype(np.int32), stands_for.astype(np.float32)


class Tables(NamedTuple):
    """What is learned, and what steps need to know of it.

    factors  (n_items, f) float32, of length 1
    sums     (n_items,) float32: squared gradients so far
    weights  (N_KINDS, window) float32: logarithms of what clicks count, by the visit's kind and
             their distance from the end
    repeats  (N_KINDS, DISTANCES * TIMES) float32: the bonus of items clicked before
    columns  (n_items,) int32, -1 between steps
    scale    the inverse of the temperature
    """

    factors: Floats
    sums: Floats
    weights: Floats
    repeats: Floats
    columns: Indices
    scale: float


class Lesson(NamedTuple):
    """What a step showed.

    loss   summed over samples
    shift  as the weights, float64: the gradient there
    lift   as the bonuses, float64: the gradient there
    """

    loss: float
    shift: Array
    lift: Array


def take_step(
    tables: Tables, samples: Samples, rivals: tuple[Indices, Floats], rate: float, kept: float,
    key: int,
) -> Lesson:  # fmt: skip
    """Move the items of some samples and their rivals; tell how the rest should move.

    kept  the share of places of the visits' and the rivals' vectors that are not dropped
    """
    work = _Work(tables, samples, rivals, kept, key)
    parts = run_blocks(work.compare, cut(len(samples), _SAMPLES_PER_BLOCK))
    work.add_rivals(sum(away for _, away in parts))
    work.move(rate)
    lessons = [lesson for lesson, _ in parts]
    return Lesson(
        sum(lesson.loss for lesson in lessons),
        np.sum([lesson.shift for lesson in lessons], axis=0),
        np.sum([lesson.lift for lesson in lessons], axis=0),
    )


def move_own(tables: Tables, samples: Samples, rivals: tuple[Indices, Floats], rate: float) -> None:
    """Move the items of a few samples alone: who is compared with stays where it is."""
    work = _Work(tables, samples, rivals, 1.0, 0)
    work.compare(0, len(samples))
    work.move(rate)


class Adam:
    """Adam's steps for an array all of which moves at every step: Kingma & Ba (2015)."""

    def __init__(self, values: Floats) -> None:
        self._values, self._steps = values, 0
        self._mean, self._square = np.zeros(values.shape), np.zeros(values.shape)

    def step(self, gradient: Array, rate: float) -> None:
        """Move against a gradient."""
        self._steps += 1
        self._mean = 0.9 * self._mean + 0.1 * gradient
        self._square = 0.999 * self._square + 0.001 * gradient**2
        mean = self._mean / (1 - 0.9**self._steps)
        square = self._square / (1 - 0.999**self._steps)
        self._values -= (rate * mean / (np.sqrt(square) + 1e-8)).astype(np.float32)


class _Work:
    """The arrays of one step."""

    def __init__(
        self, tables: Tables, samples: Samples, rivals: tuple[Indices, Floats], kept: float,
        key: int,
    ) -> None:  # fmt: skip
        self.tables, self.samples, self.kept, self.key = tables, samples, np.float32(kept), key
        n_factors = tables.factors.shape[1]
        self.rivals, stands_for = rivals
        n_rivals = len(self.rivals)
        tables.columns[self.rivals] = np.arange(n_rivals, dtype=np.int32)
        vectors = tables.factors[self.rivals]
        drop(vectors, self.kept, self._rivals_key, 0, n_rivals)
        # A column of ones beside, and the product with odds adds these up as well.
        self.against = np.ones((n_rivals, n_factors + 1), np.float32)
        self.against[:, :n_factors] = vectors
        self.judges = self.against.copy()
        self.judges[:, n_factors] = stands_for - np.float32(tables.scale)
        slots = np.concatenate([[0], np.cumsum(samples.ends - samples.starts + 1)])
        self.places = slots[:-1].astype(np.int64)
        self.pulls = np.zeros((slots[-1], n_factors), np.float32)
        self.whose = np.empty(slots[-1], np.int32)
        self.shares = np.empty(slots[-1], np.float32)

    @property
    def _rivals_key(self) -> int:
        return (self.key + 1) % _WORD

    def compare(self, first: int, last: int) -> tuple[Lesson, Floats]:
        """Compare some samples; return what they show and the gradient at the rivals."""
        tables, n = self.tables, last - first
        n_factors, scale = tables.factors.shape[1], np.float32(tables.scale)
        starts, ends = self.samples.starts[first:last], self.samples.ends[first:last]
        places, clicks = self.places[first:last], self.samples.clicks
        key = (self.key + first) % _WORD
        vectors, lengths = np.empty((n, n_factors), np.float32), np.empty(n, np.float32)
        mix_visits(
            vectors, lengths, self.shares, tables.factors, clicks, starts, ends, places,
            tables.weights, self.kept, key, 0, n,
        )  # fmt: skip
        asked = np.ones((n, n_factors + 1), np.float32)
        np.multiply(vectors, scale, out=asked[:, :n_factors])
        odds = asked @ self.judges.T
        np.exp(odds, out=odds)
        others = odds @ self.against
        factor, losses = np.empty(n, np.float32), np.empty(n)
        shift, lift = np.zeros(tables.weights.shape), np.zeros(tables.repeats.shape)
        compare(
            self.pulls, self.whose, others, odds, factor, shift, lift, losses, vectors, lengths,
            self.shares, tables.factors, self.against, clicks, starts, ends, places,
            self.samples.targets[first:last], tables.columns, tables.repeats, scale, self.kept,
            key, 0, n,
        )  # fmt: skip
        vectors *= factor[:, None]
        return Lesson(float(losses.sum()), shift, lift), odds.T @ vectors

    def add_rivals(self, away: Floats) -> None:
        """Take the gradient at the rivals among those to move by."""
        drop(away, self.kept, self._rivals_key, 0, len(away))
        self.pulls = np.concatenate([self.pulls, away])
        self.whose = np.concatenate([self.whose, self.rivals])

    def move(self, rate: float) -> None:
        """Move all items whose gradients are known, each by their sum in a fixed order."""
        tables = self.tables
        tables.columns[self.rivals] = -1
        order = np.argsort(self.whose, kind="stable")
        whose = self.whose[order]
        new = np.append(True, whose[1:] != whose[:-1])
        items, bounds = whose[new], np.append(np.flatnonzero(new), len(whose))
        run_blocks(
            lambda a, b: move_items(
                tables.factors, tables.sums, items, bounds, order, self.pulls, rate, a, b
            ),
            cut(len(items), _ITEMS_PER_BLOCK),
        )
