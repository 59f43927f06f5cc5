"""Merge ranked lists whose scores cannot be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recopersona.data.ids import IdMap
from recopersona.data.ranking import Ranking
from recopersona.data.types import Floats, Values
from recopersona.kernels.fusion import merge_lists

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
    listed = np.concatenate([ranking.items for ranking in lists])
    bounds = np.cumsum([0, *map(len, lists)])
    items, scores = np.empty(len(listed), np.int32), np.empty(len(listed), np.float32)
    source = np.empty(len(listed), np.int8)
    parts, said, ranks = np.empty((3, len(listed), len(lists)), np.float32)
    n = merge_lists(
        items, scores, source, parts, said, ranks, listed.astype(np.int32, copy=False),
        np.concatenate([standardized(ranking.scores) for ranking in lists]),
        bounds, np.asarray(weights, np.float32), SMOOTHING, first,
    )  # fmt: skip
    return Ranking(
        items[:n], scores[:n], ids, names, source[:n], parts[:n],
        source_scores=said[:n], source_ranks=ranks[:n],
    )  # fmt: skip


def standardized(scores: Floats) -> Floats:
    """Return scores of one list less their mean, in deviations: the scale of models drifts.

    Examples
    --------
    >>> standardized(np.array([3.0, 2.0, 1.0], np.float32)).round(2).tolist()
    [1.2200000286102295, 0.0, -1.2200000286102295]
    """
    if not len(scores):
        return np.empty(0, np.float32)
    exact: Values = scores.astype(np.float64)
    # As mean() and std() reckon, which take five times as long on a short list.
    centred = exact - np.add.reduce(exact) / len(exact)
    spread = np.sqrt(np.add.reduce(centred * centred) / len(exact))
    even: Values = centred / spread if spread > 0 else centred
    return even.astype(np.float32)


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
