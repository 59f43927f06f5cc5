"""Arrays that grow with new users and items, a few rows at a time, at a constant cost per row."""

from __future__ import annotations

import numpy as np

from recopersona.data.types import Array


class _Room(np.ndarray):
    """Marks an array as made here, with rows beyond those in use."""


def with_room(array: Array, n: int) -> Array:
    """Return an array of at least ``n`` rows that can be written to: the old rows, then zeros.

    The result may share memory with the array given, which is not to be used any more.

    Examples
    --------
    >>> with_room(np.ones((1, 2)), 2)
    array([[1., 1.],
           [0., 0.]])
    """
    used = len(array)
    if n <= used and array.flags.writeable:
        return array
    room = array.base.base if isinstance(array.base, _Room) else None
    if not isinstance(room, _Room) or len(room) < n:
        room = _Room((n + n // 2, *array.shape[1:]), array.dtype)
        room[:used] = array
    room[used:n] = 0
    return np.asarray(room[: max(n, used)])


def with_zeros(values: Array, n: int) -> Array:
    """Return at least ``n`` values, 0 beyond what there is.

    Examples
    --------
    >>> with_zeros(np.ones(1), 3)
    array([1., 0., 0.])
    """
    missing = n - len(values)
    return np.append(values, np.zeros(missing, values.dtype)) if missing > 0 else values
