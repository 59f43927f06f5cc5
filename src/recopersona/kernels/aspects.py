"""Lists chosen one by one for what they cover of the aspects that are wanted.

Both choices have gains that never rise while a list grows: a gain that was computed earlier is a
bound of what it is now, and whoever is bounded below the best so far need not be asked again.
Minoux (1978), "Accelerated greedy algorithms for maximizing submodular set functions".
"""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f64, i32, i64, inner, kernel, read, written


@kernel(written(i64), written(i32), read(i32), read(i64), read(i32))
def gather_aspects(bounds, aspects, rows, starts, codes):
    """Put the aspects of some items one behind the other, each once per item.

    bounds   (n + 1,) int64, written: where each item's aspects start
    aspects  int32, written; as long as all sets together at least
    rows     (n,) int32, which items; those beyond the sets have none
    starts   (n_sets + 1,) int64: the members of set s are ``codes[starts[s]:starts[s + 1]]``
    codes    int32, negative for none
    """
    size = 0
    for row in range(len(rows)):
        bounds[row] = size
        if rows[row] + 1 >= len(starts):
            continue
        for place in range(starts[rows[row]], starts[rows[row] + 1]):
            if codes[place] >= 0 and not _is_among(aspects, bounds[row], size, codes[place]):
                aspects[size] = codes[place]
                size += 1
    bounds[len(rows)] = size


@inner
def _is_among(aspects, first, end, aspect):
    place = first
    while place < end and aspects[place] != aspect:
        place += 1
    return place < end


@kernel(
    written(i32),
    written(f64),
    read(f64),
    read(f64),
    read(f64),
    read(i64),
    read(i32),
)
def cover_aspects(chosen, gains, worth, chances, wanted, bounds, aspects):
    """Choose one by one for worth, and for aspects that nothing chosen has satisfied so far.

    What a candidate adds is its worth, and its chance times what is still open of its aspects:
    of each chosen item with an aspect, the chance remains that it did not satisfy.

    chosen   (n_chosen,) int32, written: places in the order of choice; at most n
    gains    (n,) float64, written: what each added, of those not chosen what each would add now
    worth    (n,) float64; of equals the first is chosen
    chances  (n,) float64, from 0 to 1: that an item satisfies whoever wants one of its aspects
    wanted   (n_aspects,) float64, at least 0
    bounds   (n + 1,) int64, where each candidate's aspects start
    aspects  int32, each once per candidate
    """
    still = wanted.copy()
    is_open = np.ones(len(worth), np.bool_)
    gains[:] = np.inf
    for step in range(min(len(chosen), len(worth))):
        best = -1
        for row in range(len(worth)):
            if is_open[row] and (best < 0 or gains[row] > gains[best]):
                gains[row] = worth[row] + chances[row] * _open_of(still, bounds, aspects, row)
                if best < 0 or gains[row] > gains[best]:
                    best = row
        chosen[step] = best
        is_open[best] = False
        for place in range(bounds[best], bounds[best + 1]):
            still[aspects[place]] *= 1 - chances[best]
    for row in range(len(worth)):
        if is_open[row]:
            gains[row] = worth[row] + chances[row] * _open_of(still, bounds, aspects, row)


@inner
def _open_of(still, bounds, aspects, row):
    total = 0.0
    for place in range(bounds[row], bounds[row + 1]):
        total += still[aspects[place]]
    return total


@kernel(
    written(i32),
    written(f64),
    read(f64),
    read(f64),
    read(f64),
    read(i64),
    read(i32),
)
def calibrate_aspects(chosen, gains, worth, wanted, held, bounds, aspects):
    """Choose one by one for worth, and for aspects of which there is too little so far.

    Every item has a share of one, divided among its aspects. What it adds to an aspect is what is
    wanted of it times the logarithm of how much more there is then.

    chosen   (n_chosen,) int32, written: places in the order of choice; at most n
    gains    (n,) float64, written: what each added, of those not chosen what each would add now
    worth    (n,) float64; of equals the first is chosen
    wanted   (n_aspects,) float64, at least 0
    held     (n_aspects,) float64, how much there is at the beginning; above 0 where wanted
    bounds   (n + 1,) int64, where each candidate's aspects start
    aspects  int32, each once per candidate
    """
    mass = held.copy()
    is_open = np.ones(len(worth), np.bool_)
    gains[:] = np.inf
    for step in range(min(len(chosen), len(worth))):
        best = -1
        for row in range(len(worth)):
            if is_open[row] and (best < 0 or gains[row] > gains[best]):
                gains[row] = worth[row] + _more_of(wanted, mass, bounds, aspects, row)
                if best < 0 or gains[row] > gains[best]:
                    best = row
        chosen[step] = best
        is_open[best] = False
        size = bounds[best + 1] - bounds[best]
        for place in range(bounds[best], bounds[best + 1]):
            mass[aspects[place]] += 1 / size
    for row in range(len(worth)):
        if is_open[row]:
            gains[row] = worth[row] + _more_of(wanted, mass, bounds, aspects, row)


@inner
def _more_of(wanted, mass, bounds, aspects, row):
    total = 0.0
    size = bounds[row + 1] - bounds[row]
    for place in range(bounds[row], bounds[row + 1]):
        aspect = aspects[place]
        if wanted[aspect] > 0:
            total += wanted[aspect] * np.log1p(1 / (size * mass[aspect]))
    return total
