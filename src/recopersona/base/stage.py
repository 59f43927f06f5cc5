"""A stage of the pipeline: a query and a ranking in, a ranking out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from sklearn.base import clone

from recopersona.data.dataset import Dataset
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


@runtime_checkable
class PageStage(Stage, Protocol):
    """A stage that looks at the pages that would come of its orders before it settles on one.

    Where the last stage of a pipeline is one, it is asked by `for_page` for whatever is shown, and
    called like any other stage where only scores are wanted.
    """

    def for_page(
        self, query: Query, ranking: Ranking, page_of: Callable[[Ranking], Ranking]
    ) -> Ranking:
        """Return the ranking as this stage would have it.

        page_of  returns the page that the rules, and whatever fills it up, make of an order: try
                 as many as need be, nothing remembers them
        """
        ...


def fitted_stage(stage: Any, dataset: Dataset) -> Any:
    """A stage that can be fitted is cloned and fitted; a plain function is taken as it is."""
    if not hasattr(stage, "fit"):
        return stage
    fresh = clone(stage) if hasattr(stage, "get_params") else copy.deepcopy(stage)
    return fresh.fit(dataset)
