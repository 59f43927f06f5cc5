"""Mixtures of objectives, one item after the other, as slowly as it is said."""

import numpy as np


def pick_mixture(worth, variety, vectors, n):
    """Return what is chosen, best first, and what each candidate adds."""
    chosen, gains = [], {}

    def gain(place):
        near = [max(float(vectors[place] @ vectors[one]), 0.0) for one in chosen]
        return worth[place] + variety * (1 - max(near, default=0.0))

    while len(chosen) < min(n, len(worth)):
        left = [place for place in range(len(worth)) if place not in gains]
        best = max(left, key=lambda place: (gain(place), -place))
        gains[best] = gain(best)
        chosen.append(best)
    rest = {place: gain(place) for place in range(len(worth)) if place not in gains}
    return chosen, np.array([{**gains, **rest}[place] for place in range(len(worth))])
