"""The slow, readable twins of a row's weighted least squares, in double precision."""

from __future__ import annotations

import numpy as np


def system(fixed, columns, confidence, reg, unobserved_weight):
    """Return the matrix and the right-hand side that one row of factors solves."""
    factors = fixed.astype(np.float64)
    matrix = unobserved_weight * factors.T @ factors + reg * np.eye(factors.shape[1])
    wanted = np.zeros(factors.shape[1])
    for column, weight in zip(columns, confidence, strict=True):
        row = factors[column]
        matrix += (weight - unobserved_weight) * np.outer(row, row)
        wanted += weight * row
    return matrix, wanted


def solve_exactly(matrix, wanted):
    return np.linalg.solve(matrix, wanted)


def improve(matrix, wanted, start, steps):
    """Take some steps of conjugate gradients."""
    x = start.astype(np.float64)
    residual = wanted - matrix @ x
    direction = residual
    for _ in range(steps):
        error = residual @ residual
        if error <= 1e-12 * (wanted @ wanted):
            break
        step = error / (direction @ matrix @ direction)
        x = x + step * direction
        residual = residual - step * matrix @ direction
        direction = residual + (residual @ residual) / error * direction
    return x
