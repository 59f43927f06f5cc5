"""Thompson sampling by segment, where segments learn from each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.bandits.thompson import Thompson
from recopersona.base.parameters import param, real
from recopersona.data.ids import is_missing
from recopersona.data.types import Array, Id, Indices, Values
from recopersona.errors import DataError


class PooledThompson(Thompson):
    r"""Thompson sampling by segment, each centred on what all the others know.

    Parameters
    ----------
    n0 : float, above 0
        What all other segments together are worth for one, in rewards, at most.

    Examples
    --------
    >>> policy = PooledThompson(arms=["plain", "fresh"])
    >>> for visit in range(100):
    ...     _ = policy.update("fresh", visit % 10 == 0, "new")
    ...     _ = policy.update("plain", visit % 20 == 0, "new")
    >>> policy.probabilities(context="new").round(2), policy.probabilities(context="back").round(2)
    (array([0.1, 0.9]), array([0.14, 0.86]))
    """

    n0: float = param(real(above=0), default=200.0)

    def _start(self, n_arms: int) -> None:
        if "segments_" not in vars(self):
            self.segments_: list[Id] = []
        rows = 1 + len(self.segments_)
        self.trials_, self.totals_, self.squares_ = (np.zeros((rows, n_arms)) for _ in range(3))

    def _chances(self, places: Indices, cell: Any) -> Values:
        return self._posterior(places, cell, self.n0)[0]

    def _means(self, places: Indices, cell: Any) -> Values:
        return self._posterior(places, cell, self.n0)[1]

    def _segment(self, context: Any) -> Id | None:
        segment: Id | None = context
        return segment

    def _cell(self, context: Any) -> int:
        try:
            return self._rows.get(context, -1)
        except TypeError:
            raise DataError(f"a segment must be an id, got {context!r}.") from None

    def _cells(self, contexts: Any, n: int) -> Array:
        rows = np.empty(n, np.int32)
        for number, segment in enumerate(contexts):
            row = self._cell(segment)
            if row < 0 and not is_missing(segment):
                row = self._new_row(segment)
            rows[number] = row
        return rows

    def _new_row(self, segment: Id) -> int:
        self.segments_.append(segment)
        row = self._rows[segment] = len(self.segments_)
        for name in self._by_arm:
            held = getattr(self, name)
            setattr(self, name, np.concatenate([held, np.zeros((1, held.shape[1]))]))
        return row

    def _index(self) -> None:
        super()._index()
        self._rows = {segment: row for row, segment in enumerate(self.segments_, start=1)}

    def _context_columns(self) -> str:
        return "segment"

    def _n_rows(self) -> int:
        return 1 + len(self.segments_)

    def _check_learned(self) -> None:
        segments = vars(self).get("segments_")
        if not isinstance(segments, list) or any(map(is_missing, segments)):
            raise DataError("PooledThompson: segments_ must be a list of ids.")
        if len(set(segments)) < len(segments):
            raise DataError("PooledThompson: segments_ must be distinct.")
        super()._check_learned()
