"""The slow, readable twins of asking trees: walked from the root, columns hidden one set at a time.

A tree is a number, its leaf's value, or ``(column, threshold, missing_left, share_left, left,
right)``.
"""

from __future__ import annotations

from itertools import combinations
from math import factorial, isnan


def walked(tree, row):
    """Return the value of the leaf that a row falls into."""
    while isinstance(tree, tuple):
        column, threshold, missing_left, _, left, right = tree
        value = row[column]
        tree = left if (missing_left if isnan(value) else value <= threshold) else right
    return tree


def expected(tree, row, known):
    """Return what a tree says when only some columns are known: the rest by their shares."""
    if not isinstance(tree, tuple):
        return tree
    column, threshold, missing_left, share, left, right = tree
    if column in known:
        goes_left = missing_left if isnan(row[column]) else row[column] <= threshold
        return expected(left if goes_left else right, row, known)
    return share * expected(left, row, known) + (1 - share) * expected(right, row, known)


def shapley(tree, row):
    """Return each column's Shapley value, by all subsets of the others."""
    n = len(row)
    return [
        sum(
            factorial(size) * factorial(n - size - 1) / factorial(n)
            * (expected(tree, row, {*others, column}) - expected(tree, row, set(others)))
            for size in range(n)
            for others in combinations([c for c in range(n) if c != column], size)
        )
        for column in range(n)
    ]  # fmt: skip
