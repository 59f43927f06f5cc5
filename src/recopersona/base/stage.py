"""A stage of the pipeline: a query and a ranking in, a ranking out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from recopersona.data.query import Query
from recopersona.data.ranking import Ranking


@runtime_checkable
class Stage(Protocol):
    """Filter, boost, rank, re-rank: anything callable like this is a stage.

    Examples
    --------
    >>> def backwards(query, ranking):
    ...     return ranking.take(slice(None, None, -1))
    >>> isinstance(backwards, Stage)
    True
    """

    def __call__(self, query: Query, ranking: Ranking) -> Ranking:
        """Return the ranking as this stage would have it."""
        ...
