"""Steps down a slope, for what is learned from a part of the rows at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recopersona.data.types import Floats

_MOMENTUM, _SQUARES = 0.9, 0.999


class Adam:
    r"""Steps along slopes that are smoothed, and divided by the root of their smoothed squares.

    .. math:: w \leftarrow w - \eta \Big( \hat m / (\sqrt{\hat s} + 10^{-8}) + \lambda w \Big)

    Parameters
    ----------
    weights : sequence of float arrays
        Changed in place.
    decay : float
        Lambda: decoupled, so that it means the same whatever the scale of the slopes.

    References
    ----------
    Kingma & Ba (2015), "Adam", algorithm 1; Loshchilov & Hutter (2019), "Decoupled weight decay
    regularization", algorithm 2.

    Examples
    --------
    >>> place = np.array([3.0], np.float32)
    >>> adam = Adam([place])
    >>> for _ in range(200):
    ...     adam.step([2 * place], 0.1)
    >>> bool(abs(place[0]) < 0.1)
    True
    """

    def __init__(self, weights: Sequence[Floats], decay: float = 0.0) -> None:
        self.weights, self.decay = list(weights), decay
        self.means = [np.zeros_like(weight) for weight in weights]
        self.squares = [np.zeros_like(weight) for weight in weights]
        self.n_taken = 0

    def step(self, slopes: Sequence[Floats], rate: float) -> None:
        """Take one step of a length about ``rate`` in every weight."""
        self.n_taken += 1
        short = 1 - _MOMENTUM**self.n_taken
        long = 1 - _SQUARES**self.n_taken
        for weight, mean, square, slope in zip(
            self.weights, self.means, self.squares, slopes, strict=True
        ):
            mean += np.float32(1 - _MOMENTUM) * (slope - mean)
            square += np.float32(1 - _SQUARES) * (slope * slope - square)
            if self.decay:
                weight *= np.float32(1 - rate * self.decay)
            weight -= np.float32(rate / short) * mean / (np.sqrt(square / np.float32(long)) + 1e-8)
