"""The slow, readable twin of merging ranked lists, as whole arrays."""

import numpy as np


def fuse(lists, weights, smooth, first):
    """Return items, scores, source, parts, said and ranks: `lists` of (items, what it says)."""
    items = np.unique(np.concatenate([items for items, _ in lists])).astype(np.int32)
    ranks = np.full((len(items), len(lists)), np.nan, np.float32)
    said = ranks.copy()
    for column, (own, says) in enumerate(lists):
        rows = np.searchsorted(items, own)
        ranks[rows, column] = np.arange(first, first + len(own))
        said[rows, column] = says
    parts = np.asarray(weights, np.float32) / (np.float32(smooth) + ranks)
    scores = np.nansum(parts, axis=1)
    source = np.nan_to_num(parts, nan=-1).argmax(axis=1)
    order = np.lexsort((items, -scores))
    return [column[order] for column in (items, scores, source, parts, said, ranks)]
