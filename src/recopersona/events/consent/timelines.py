"""What somebody allowed over time: records in any order, and the state at any moment.

Purposes are bits. What was said at one moment is two sets of bits, what was granted and what was
denied; where both were, denied holds. The state after it adds what was said before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recopersona.data.types import Array
from recopersona.kernels.consent import carry_states, fill_states

UNKNOWN, GRANTED, DENIED = range(3)
"""States, the more restrictive above; where several people stand for one, the highest holds."""

STATES = ("unknown", "granted", "denied")


class Line:
    """What one identifier's records say, moment by moment; readers may read while it grows.

    times                      ascending
    said_granted, said_denied  bits, what was said at that very moment
    granted, denied            bits, the state from then on
    """

    __slots__ = ("denied", "granted", "said_denied", "said_granted", "times")

    def __init__(self, times: list[int], said_granted: list[int], said_denied: list[int]) -> None:
        self.times, self.said_granted, self.said_denied = times, said_granted, said_denied
        self.granted: list[int] = []
        self.denied: list[int] = []
        for place in range(len(times)):
            self._carry(place)

    def added(self, at: int, granted: int, denied: int) -> Line:
        """Return the line with one more record; this one, if nothing was said since."""
        if not self.times or at > self.times[-1]:
            self.said_granted.append(granted)
            self.said_denied.append(denied)
            self._carry(len(self.times))
            self.times.append(at)  # last: whoever finds the moment finds all the rest
            return self
        return self._inserted(at, granted, denied)

    def states(self, bit: int, at: int | None) -> tuple[int, int]:
        """Return the state at a moment, and the one after all records."""
        last = len(self.times) - 1
        now = self._state(last, bit)
        if at is None or last < 0 or self.times[last] <= at:
            return now, now
        return self._state(bisect_right(self.times, at) - 1, bit), now

    def _state(self, place: int, bit: int) -> int:
        if place < 0:
            return UNKNOWN
        if self.denied[place] & bit:
            return DENIED
        return GRANTED if self.granted[place] & bit else UNKNOWN

    def _carry(self, place: int) -> None:
        before = (self.granted[place - 1], self.denied[place - 1]) if place else (0, 0)
        granted, denied = self.said_granted[place], self.said_denied[place]
        self.granted.append(before[0] & ~denied | granted)
        self.denied.append(before[1] & ~granted | denied)

    def _inserted(self, at: int, granted: int, denied: int) -> Line:
        times, said_granted = list(self.times), list(self.said_granted)
        said_denied = list(self.said_denied)
        place = bisect_left(times, at)
        if times[place] == at:
            said_granted[place] |= granted
            said_denied[place] |= denied
        else:
            times.insert(place, at)
            said_granted.insert(place, granted)
            said_denied.insert(place, denied)
        return Line(times, said_granted, said_denied)


@dataclass(frozen=True, eq=False)
class Timelines:
    """The lines of many identifiers as arrays.

    starts                     int64 (n_identifiers + 1,), where each one's moments start
    times                      int64 (n,), ascending within an identifier
    said_granted, said_denied  int64 (n,), bits
    granted, denied            int64 (n,), bits
    """

    starts: Array
    times: Array
    said_granted: Array
    said_denied: Array
    granted: Array
    denied: Array

    @classmethod
    def of(cls, who: Array, at: Array, granted: Array, denied: Array, n: int) -> Timelines:
        """Put records in order; those of one identifier and moment become one.

        who, at, granted, denied  int64 (n_records,)
        n                         the number of identifiers
        """
        order = np.lexsort((at, who))
        who, at = who[order], at[order]
        first = np.ones(len(who), np.bool_)
        first[1:] = (who[1:] != who[:-1]) | (at[1:] != at[:-1])
        places = np.flatnonzero(first)
        said_granted, said_denied = granted[order], denied[order]
        if len(places):
            said_denied = np.bitwise_or.reduceat(said_denied, places)
            said_granted = np.bitwise_or.reduceat(said_granted, places)
        starts = np.searchsorted(who[places], np.arange(n + 1))
        return cls._carried(starts.astype(np.int64), at[places], said_granted, said_denied)

    @classmethod
    def of_lines(cls, lines: Sequence[Line]) -> Timelines:
        """Take the lines of some identifiers, in this order."""
        lengths = [len(line.times) for line in lines]  # each may grow meanwhile
        columns: list[list[int]] = [[], [], []]
        for line, n in zip(lines, lengths, strict=True):
            columns[0] += line.times[:n]
            columns[1] += line.said_granted[:n]
            columns[2] += line.said_denied[:n]
        times, granted, denied = (np.array(column, dtype=np.int64) for column in columns)
        return cls._carried(np.cumsum([0, *lengths], dtype=np.int64), times, granted, denied)

    @classmethod
    def _carried(cls, starts: Array, times: Array, granted: Array, denied: Array) -> Timelines:
        states = np.zeros((2, len(times)), np.int64)
        carry_states(states[0], states[1], starts, granted, denied)
        return cls(starts, times, granted, denied, states[0], states[1])

    def line(self, who: int) -> Line:
        """Return a copy of one identifier's line; an empty one, if it has none."""
        if not 0 <= who < len(self.starts) - 1:
            return Line([], [], [])
        rows = slice(int(self.starts[who]), int(self.starts[who + 1]))
        return Line(
            self.times[rows].tolist(),
            self.said_granted[rows].tolist(),
            self.said_denied[rows].tolist(),
        )

    def states(self, who: int, bit: int, at: int | None) -> tuple[int, int]:
        """Return one identifier's state at a moment, and the one after all records."""
        if not 0 <= who < len(self.starts) - 1:
            return UNKNOWN, UNKNOWN
        start, end = self.starts[who : who + 2].tolist()
        now = self._state(start, end - 1, bit)
        if at is None or end == start or self.times[end - 1] <= at:
            return now, now
        place = start + int(self.times[start:end].searchsorted(at, "right")) - 1
        return self._state(start, place, bit), now

    def _state(self, start: int, place: int, bit: int) -> int:
        if place < start:
            return UNKNOWN
        if self.denied[place] & bit:
            return DENIED
        return GRANTED if self.granted[place] & bit else UNKNOWN

    def fill(self, then: Array, now: Array, who: Array, at: Array, bit: int) -> None:
        """Raise rows' states to those of their identifiers, see `kernels.consent.fill_states`."""
        fill_states(then, now, self.starts, self.times, self.granted, self.denied, who, at, bit)
