"""The readable twins of sparse products with lanes, and of a filter on the graph."""

from __future__ import annotations

import numpy as np


def singular_vectors(matrix, k):
    return np.linalg.svd(matrix.astype(np.float64))[2][:k].T


def graph_filter(matrix, taste, factors, low_pass, sharpening):
    """Return the filtered taste by dense matrices and a literal Runge-Kutta step."""
    users, items = np.sqrt(matrix.sum(axis=1)), np.sqrt(matrix.sum(axis=0))
    normal = matrix / np.maximum(users, 1e-30)[:, None] / np.maximum(items, 1e-30)
    spread = normal.T @ normal
    basis = singular_vectors(normal, factors)
    ideal = (taste / np.maximum(items, 1e-30)) @ basis @ basis.T * items
    blurred = taste @ spread + low_pass * ideal

    def slope(state):
        return -state @ spread

    first = slope(blurred)
    second = slope(blurred + sharpening / 2 * first)
    third = slope(blurred + sharpening / 2 * second)
    fourth = slope(blurred + sharpening * third)
    return blurred + sharpening / 6 * (first + 2 * second + 2 * third + fourth)
