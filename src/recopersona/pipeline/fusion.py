"""Merge ranked lists whose scores cannot be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recopersona.data.distinct import distinct
from recopersona.data.ids import IdMap
from recopersona.data.ranking import Ranking
from recopersona.data.types import Floats

SMOOTHING = 60.0
"""The constant of reciprocal-rank fusion; 60 as in the paper."""


def fuse(
    lists: Sequence[Ranking],
    names: tuple[str, ...],
    weights: Sequence[float],
    ids: IdMap,
    first: int = 1,
) -> Ranking:
    r"""Merge lists by weighted reciprocal rank.

    .. math:: s_i = \sum_m \frac{w_m}{60 + rank_m(i)}

    Parameters
    ----------
    lists : rankings, one per name
    names : tuple of str
    weights : floats, one per name
    ids : IdMap
    first : int
        The rank of each list's first item.

    Returns
    -------
    Ranking of every item in any list, ties by item index; ``parts`` holds each list's share,
    ``source_scores`` and ``source_ranks`` what it said, and ``source`` names the list with the
    largest share.

    References
    ----------
    Cormack, Clarke & Büttcher (2009), "Reciprocal Rank Fusion outperforms Condorcet and individual
    Rank Learning Methods", section 2.

    Examples
    --------
    >>> ids = IdMap(["tea", "honey", "salt"])
    >>> one, two = (Ranking.of(items, [2, 1], ids, "") for items in ([0, 1], [1, 2]))
    >>> fuse([one, two], ("one", "two"), [1, 1], ids).item_ids
    ['honey', 'tea', 'salt']
    """
    items = distinct(np.concatenate([ranking.items for ranking in lists])).astype(np.int32)
    ranks = np.full((len(items), len(lists)), np.nan, dtype=np.float32)
    said = ranks.copy()
    for column, ranking in enumerate(lists):
        rows = np.searchsorted(items, ranking.items)
        ranks[rows, column] = np.arange(first, first + len(ranking))
        said[rows, column] = standardized(ranking.scores)
    parts = np.asarray(weights, np.float32) / (np.float32(SMOOTHING) + ranks)
    scores = np.nansum(parts, axis=1)
    source = np.nan_to_num(parts, nan=-1).argmax(axis=1) if len(items) else np.empty(0)
    merged = Ranking(
        items, scores, ids, names, source.astype(np.int8), parts,
        source_scores=said, source_ranks=ranks,
    )  # fmt: skip
    return merged.rescored(scores)


def standardized(scores: Floats) -> Floats:
    """Return scores of one list less their mean, in deviations: the scale of models drifts.

    Examples
    --------
    >>> standardized(np.array([3.0, 2.0, 1.0], np.float32)).round(2).tolist()
    [1.2200000286102295, 0.0, -1.2200000286102295]
    """
    exact = scores.astype(np.float64)
    spread = exact.std() if len(exact) else 0.0
    centred = exact - exact.mean() if len(exact) else exact
    return (centred / spread if spread > 0 else centred).astype(np.float32)


def joined(pool: Ranking, more: Ranking) -> Ranking:
    """Return both, by score: lists of the same sources; what the first holds is not repeated.

    Examples
    --------
    >>> ids = IdMap(["tea", "honey", "salt"])
    >>> one, two = (Ranking.of(items, [2, 1], ids, "") for items in ([0, 1], [1, 2]))
    >>> pool = fuse([one], ("als",), [1], ids)
    >>> joined(pool, fuse([two], ("als",), [1], ids, first=3)).item_ids
    ['tea', 'honey', 'salt']
    """
    fresh = more.take(~np.isin(more.items, pool.items))
    scores = np.concatenate([pool.scores, fresh.scores])
    both = replace(
        pool,
        items=np.concatenate([pool.items, fresh.items]),
        scores=scores,
        source=np.concatenate([pool.source, fresh.source]),
        **{name: _stacked(getattr(pool, name), getattr(fresh, name)) for name in _TABLES},
    )
    return both.rescored(scores)


_TABLES = ("parts", "source_scores", "source_ranks")


def _stacked(above: Any, below: Any) -> Any:
    return None if above is None or below is None else np.concatenate([above, below])
