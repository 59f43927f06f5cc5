"""Trees asked all at once agree with trees walked one by one, and shares with their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recopersona.kernels.trees import MOST_LEAVES
from recopersona.rankers.trees import Fork, Leaf, forest_of
from tests.naive import trees as naive

N_COLUMNS = 4
# Few different values, so that a value often equals a threshold.
value = st.one_of(
    st.sampled_from([-1.0, 0.0, 0.5, float("nan"), float("inf"), -float("inf")]),
    st.floats(-3, 3, width=32),
)
leaf = st.builds(Leaf, st.floats(-2, 2))


def forks_above(children):
    return st.builds(
        Fork, st.integers(0, N_COLUMNS - 1), st.sampled_from([-1.0, 0.1, 0.5, float("inf")]),
        st.booleans(), st.just(1.0), children, children,
    )  # fmt: skip


trees = st.lists(st.recursive(leaf, forks_above, max_leaves=12), max_size=4)
rows = st.lists(st.lists(value, min_size=N_COLUMNS, max_size=N_COLUMNS), min_size=1, max_size=6)


def grove(trees, n_columns, start):
    return forest_of(trees, np.arange(n_columns), n_columns, start)


def in_the_twins_words(tree, matrix, weights):
    """Return a tree as nested tuples, with the share of the weight that went left at each fork."""
    if isinstance(tree, Leaf):
        return tree.value
    seen = matrix[:, tree.column]
    left = np.where(np.isnan(seen), tree.missing_left, seen <= tree.threshold)
    total = weights.sum()
    return (
        tree.column, tree.threshold, tree.missing_left,
        weights[left].sum() / total if total else 0.5,
        in_the_twins_words(tree.left, matrix[left], weights[left]),
        in_the_twins_words(tree.right, matrix[~left], weights[~left]),
    )  # fmt: skip


@given(trees, rows)
def test_all_trees_at_once_say_what_each_says_walked(trees, rows):
    matrix = np.array(rows, np.float32)
    forest = grove(trees, N_COLUMNS, 0.25)
    walked = [in_the_twins_words(tree, matrix, np.ones(len(rows))) for tree in trees]
    expected = []
    for row in matrix.tolist():
        total = 0.25
        for tree in walked:
            total += naive.walked(tree, row)
        expected.append(total)
    assert forest.logits(matrix).tolist() == expected


@settings(max_examples=30)
@given(trees, rows, st.integers(0, 2**16))
def test_shares_are_shapley_values(trees, rows, seed):
    matrix = np.array(rows, np.float32)
    weights = np.random.default_rng(seed).integers(0, 3, len(rows)).astype(float)
    forest = grove(trees, N_COLUMNS, 0.25).weighed(matrix, weights)
    walked = [in_the_twins_words(tree, matrix, weights) for tree in trees]
    shares = forest.shares(matrix)
    for row, got in zip(matrix.tolist(), shares, strict=True):
        expected = np.sum([naive.shapley(tree, row) for tree in walked] or [[0.0] * 4], axis=0)
        np.testing.assert_allclose(got, expected, atol=1e-12)
    base = 0.25 + sum(naive.expected(tree, matrix[0], set()) for tree in walked)
    assert forest.base == pytest.approx(base, abs=1e-12)
    np.testing.assert_allclose(forest.base + shares.sum(axis=1), forest.logits(matrix), atol=1e-9)


def vine(n_leaves, to_the_left):
    """Return a tree as deep as one can be: every fork has a leaf on one side."""
    tree = Leaf(0.0)
    for place in range(1, n_leaves):
        sides = (tree, Leaf(float(place))) if to_the_left else (Leaf(float(place)), tree)
        tree = Fork(place % 8, place / 7 - 2, place % 3 == 0, 1.0, *sides)
    return tree


@pytest.mark.parametrize("to_the_left", [True, False])
def test_the_deepest_trees_of_most_leaves_are_exact(to_the_left):
    tree = vine(MOST_LEAVES, to_the_left)
    matrix = np.random.default_rng(3).normal(size=(300, 8)).astype(np.float32)
    matrix[::7, 2] = np.nan
    weights = np.linspace(1, 2, len(matrix))
    forest = grove([tree], 8, 0.0).weighed(matrix, weights)
    walked = in_the_twins_words(tree, matrix, weights)
    assert forest.logits(matrix).tolist() == [naive.walked(walked, row) for row in matrix.tolist()]
    row = matrix[0]
    np.testing.assert_allclose(
        forest.shares(row[None])[0], naive.shapley(walked, row.tolist()), atol=1e-12
    )


def test_leaves_are_weighed_by_the_rows_that_fall_into_them():
    tree = Fork(0, 0.0, False, 1.0, Leaf(1.0), Leaf(2.0))
    matrix = np.array([[-1.0], [0.0], [3.0], [np.nan]], np.float32)
    forest = grove([tree], 1, 0.0).weighed(matrix, np.array([1.0, 2.0, 4.0, 8.0]))
    assert forest.covers_.tolist() == [3.0, 12.0]
    assert forest.base == pytest.approx((3 * 1 + 12 * 2) / 15)


def test_a_row_is_judged_alike_alone_and_among_many():
    rng = np.random.default_rng(1)
    forest = grove([vine(20, True), vine(9, False)], 8, 0.0)
    matrix = rng.normal(size=(40_000, 8)).astype(np.float32)
    together = forest.logits(matrix)
    for row in (0, 127, 128, 16_384, 39_999):
        assert forest.logits(matrix[row : row + 1])[0] == together[row]


def test_the_first_trees_are_a_forest_of_their_own():
    trees = [vine(5, True), Leaf(3.0), vine(3, False)]
    matrix = np.random.default_rng(1).normal(size=(9, 8)).astype(np.float32)
    shorter = grove(trees, 8, 0.5).first(2)
    assert (shorter.logits(matrix) == grove(trees[:2], 8, 0.5).logits(matrix)).all()
