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


def improve(matrix, wanted, start, steps, diagonal):
    """Take some steps of conjugate gradients, in coordinates where the diagonal part is one."""
    scale = 1 / np.sqrt(diagonal.astype(np.float64))
    matrix, wanted = scale[:, None] * matrix * scale, scale * wanted
    z = start / scale
    residual = wanted - matrix @ z
    direction = residual
    enough = 1e-12 * max(residual @ residual, z @ z)
    for _ in range(steps):
        error = residual @ residual
        if error <= enough:
            break
        step = error / (direction @ matrix @ direction)
        z = z + step * direction
        residual = residual - step * matrix @ direction
        direction = residual + (residual @ residual) / error * direction
    return scale * z
