"""Many small trees asked about many rows at once, and what each column says in their answer.

No tree is walked. Every fork of a tree is asked of a block of rows, a wide register of them at a
time: a row that does not go left loses the leaves on the left, and the first leaf that it keeps is
its own. A tree's leaves are the bits of a word, numbered from the left, so there are at most 32.

Lucchese et al. (2015), "QuickScorer: a fast algorithm to rank documents with additive ensembles of
regression trees", section 3.
"""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import (
    f32,
    f64,
    flag,
    i32,
    i64,
    inner,
    kernel,
    read,
    u32,
    written,
)

MOST_LEAVES = 32
"""Of one tree."""

_LANES = 128  # rows of a block: wide enough to forget the loop, and 40 columns of them stay near
_ALL = 0xFFFFFFFF


@inner
def _load(block, matrix, start, size):
    """Write rows as columns, each twice: NaN goes right as it is, and left as minus infinity."""
    for row in range(size):
        for column in range(matrix.shape[1]):
            seen = matrix[start + row, column]
            block[2 * column, row] = seen
            block[2 * column + 1, row] = -np.inf if np.isnan(seen) else seen


@inner
def _fall(leaves, alive, block, tree, bounds, columns, thresholds, missing_left, masks):
    """Write the leaf of one tree that each row of a block falls into; two forks at a time."""
    alive[:] = np.uint32(_ALL)
    fork, end = bounds[tree], bounds[tree + 1]
    while fork + 1 < end:
        one = block[2 * columns[fork] + missing_left[fork]]
        other = block[2 * columns[fork + 1] + missing_left[fork + 1]]
        threshold, other_threshold = thresholds[fork], thresholds[fork + 1]
        mask, other_mask = masks[fork], masks[fork + 1]
        for lane in range(_LANES):
            now = alive[lane]
            now = now if one[lane] <= threshold else np.uint32(now & mask)
            alive[lane] = now if other[lane] <= other_threshold else np.uint32(now & other_mask)
        fork += 2
    if fork < end:
        one = block[2 * columns[fork] + missing_left[fork]]
        threshold, mask = thresholds[fork], masks[fork]
        for lane in range(_LANES):
            now = alive[lane]
            alive[lane] = now if one[lane] <= threshold else np.uint32(now & mask)
    for lane in range(_LANES):  # the place of the lowest bit is the exponent of its float
        now = alive[lane]
        lowest = np.float32(np.uint32(now & np.uint32(~now + np.uint32(1))))
        leaves[lane] = (lowest.view(np.int32) >> 23) - 127


@kernel(
    written(f64),
    read(f32, 2),
    read(i64),
    read(i32),
    read(f32),
    read(flag),
    read(u32),
    read(f64),
)
def add_trees(logits, matrix, bounds, columns, thresholds, missing_left, masks, values):
    """Add to each row what every tree says about it, tree by tree.

    logits        (n_rows,) float64, written: added to
    matrix        (n_rows, n_columns) float32, NaN where nothing is known
    bounds        (n_trees + 1,) int64, where each tree's forks start
    columns       (n_forks,) int32, what each looks at
    thresholds    (n_forks,) float32; what is at most that goes left
    missing_left  (n_forks,) bool, whether NaN goes left
    masks         (n_forks,) uint32, without the leaves on the left of the fork
    values        (n_forks + n_trees,) float64, of the leaves: a tree has one more than forks
    """
    n_rows, n_columns = matrix.shape
    block, told = np.zeros((2 * n_columns, _LANES), np.float32), np.zeros(_LANES)
    alive, leaves = np.empty(_LANES, np.uint32), np.empty(_LANES, np.uint32)
    for start in range(0, n_rows, _LANES):
        size = min(_LANES, n_rows - start)
        _load(block, matrix, start, size)
        told[:size] = logits[start : start + size]
        for tree in range(len(bounds) - 1):
            _fall(leaves, alive, block, tree, bounds, columns, thresholds, missing_left, masks)
            own = values[bounds[tree] + tree :]
            for lane in range(_LANES):
                told[lane] += own[leaves[lane]]
        logits[start : start + size] = told[:size]


@kernel(
    written(f64),
    read(f32, 2),
    read(f64),
    read(i64),
    read(i32),
    read(f32),
    read(flag),
    read(u32),
)
def weigh_leaves(covers, matrix, weights, bounds, columns, thresholds, missing_left, masks):
    """Add the weight of each row to the leaf of every tree that it falls into.

    covers   (n_forks + n_trees,) float64, written: added to
    weights  (n_rows,) float64
    matrix, bounds, columns, thresholds, missing_left, masks  see `add_trees`
    """
    n_rows, n_columns = matrix.shape
    block = np.zeros((2 * n_columns, _LANES), np.float32)
    alive, leaves = np.empty(_LANES, np.uint32), np.empty(_LANES, np.uint32)
    for start in range(0, n_rows, _LANES):
        size = min(_LANES, n_rows - start)
        _load(block, matrix, start, size)
        for tree in range(len(bounds) - 1):
            _fall(leaves, alive, block, tree, bounds, columns, thresholds, missing_left, masks)
            own = covers[bounds[tree] + tree :]
            for lane in range(size):
                own[leaves[lane]] += weights[start + lane]


@kernel(
    written(f64, 2),
    read(f32, 2),
    read(i32, 2),
    read(f64),
    read(f64),
    read(i64),
    read(i32),
    read(f32),
    read(flag),
)
def share_trees(
    shares, matrix, spans, left_shares, values, bounds, columns, thresholds, missing_left
):
    r"""Add to each row the Shapley value of every column in what the trees say: exact, per leaf.

    What a tree says when only some columns are known is the mean over the leaves that the known
    ones allow, each fork on an unknown column taken both ways by the shares that went there.

    shares       (n_rows, n_columns) float64, written: added to
    spans        (n_forks, 3) int32: the first leaf below a fork, the first on its right, and the
                 first behind, counted within the tree
    left_shares  (n_forks,) float64, of the weight that came to a fork, what went left
    values       (n_forks + n_trees,) float64
    matrix, bounds, columns, thresholds, missing_left  see `add_trees`

    Lundberg, Erion & Lee (2018), "Consistent individualized feature attribution for tree
    ensembles", section 3. A leaf with the columns P on its path, of which A hold for the row,
    gives column j of A :math:`v (1 - z_j) \prod_{U} z \sum_s w_s e_s(A - j)`, and column j of
    the rest U :math:`-v \prod_U z \sum_s w_s e_s(A)`, where z is the share of a column's forks on
    the path, :math:`e_s` the coefficient of :math:`t^s` in :math:`\prod_A (t + z)`, and
    :math:`w_s = s! (|P| - s - 1)! / |P|!`.
    """
    goes_left = np.empty(MOST_LEAVES, np.bool_)
    on_path, holds = np.empty(MOST_LEAVES, np.int32), np.empty(MOST_LEAVES, np.bool_)
    passed, ways = np.empty(MOST_LEAVES, np.float64), np.empty(MOST_LEAVES + 1, np.float64)
    for row in range(len(matrix)):
        for tree in range(len(bounds) - 1):
            start, n_forks = bounds[tree], bounds[tree + 1] - bounds[tree]
            for fork in range(n_forks):
                seen = matrix[row, columns[start + fork]]
                missing = np.isnan(seen)
                goes_left[fork] = (
                    missing_left[start + fork] if missing else (seen <= thresholds[start + fork])
                )
            for leaf in range(n_forks + 1):
                size = _follow(
                    on_path, holds, passed, goes_left, spans, left_shares, columns, start,
                    n_forks, leaf,
                )  # fmt: skip
                value = values[start + tree + leaf]
                _share_leaf(shares[row], ways, on_path, holds, passed, size, value)


@inner
def _follow(
    on_path, holds, passed, goes_left, spans, left_shares, columns, start, n_forks, leaf
):  # fmt: skip
    """Write the columns on the path to a leaf, each once; return how many there are."""
    size = 0
    for fork in range(n_forks):
        first, middle, end = spans[start + fork]
        if not first <= leaf < end:
            continue
        left = leaf < middle
        column, share = columns[start + fork], left_shares[start + fork]
        place = 0
        while place < size and on_path[place] != column:
            place += 1
        if place == size:
            on_path[place], holds[place], passed[place] = column, True, 1.0
            size += 1
        holds[place] &= goes_left[fork] == left
        passed[place] *= share if left else 1 - share
    return size


@inner
def _share_leaf(shares, ways, on_path, holds, passed, size, value):
    """Add what the columns on one leaf's path say."""
    n_held, among_rest = 0, value
    ways[0] = 1.0
    for place in range(size):
        if not holds[place]:
            among_rest *= passed[place]
            continue
        ways[n_held + 1] = ways[n_held]
        for power in range(n_held, 0, -1):
            ways[power] = ways[power - 1] + passed[place] * ways[power]
        ways[0] *= passed[place]
        n_held += 1
    if among_rest == 0:
        return
    # Of all orders in which columns become known, those where one comes after s others.
    without = 0.0
    weight = 1.0 / max(size, 1)
    for power in range(min(n_held, size - 1) + 1):
        without += weight * ways[power]
        weight *= (power + 1) / max(size - power - 1, 1)
    for place in range(size):
        if holds[place]:
            shares[on_path[place]] += (
                among_rest * (1 - passed[place]) * _others(ways, passed[place], n_held, size)
            )
        else:
            shares[on_path[place]] -= among_rest * without


@inner
def _others(ways, passed, n_held, size):
    """Return the weighted ways of the columns that hold, without one: divided by its factor."""
    weight = 1.0 / size
    for power in range(1, n_held):  # the weight of the highest power first
        weight *= power / (size - power)
    total, coefficient = 0.0, 0.0
    for power in range(n_held - 1, -1, -1):
        coefficient = ways[power + 1] - passed * coefficient
        total += weight * coefficient
        weight *= (size - power) / max(power, 1)
    return total
