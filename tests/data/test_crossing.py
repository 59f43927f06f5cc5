"""Indices of one map read as those of another: always what a look-up would have said."""

import numpy as np

from recopersona.data.crossing import Crossing
from recopersona.data.ids import IdMap


def looked_up(source: IdMap, target: IdMap) -> list[int]:
    return [target.index(one) for one in source.ids.tolist()]


def crossed(crossing: Crossing, source: IdMap, target: IdMap) -> list[int]:
    return crossing.indices(np.arange(len(source)), source, target).tolist()


def test_maps_that_grow_apart_are_read_as_looked_up():
    source = IdMap(["tea", "honey", "salt"])
    target, crossing = source.copy(), Crossing()
    assert crossed(crossing, source, target) == [0, 1, 2]
    source.append("matcha")
    assert crossed(crossing, source, target) == [0, 1, 2, -1]
    target.append("gold")
    target.append("matcha")
    source.append("gold")
    assert crossed(crossing, source, target) == looked_up(source, target) == [0, 1, 2, 4, 3]


def test_what_is_forgotten_is_no_longer_found():
    source, crossing = IdMap([7, 8]), Crossing()
    target = source.copy()
    assert crossed(crossing, source, target) == [0, 1]
    target.forget([7])
    assert crossed(crossing, source, target) == [-1, 1]


def test_other_maps_are_looked_up_anew():
    crossing, source = Crossing(), IdMap(["a", "b"])
    assert crossed(crossing, source, IdMap(["b", "a"])) == [1, 0]
    assert crossed(crossing, source, IdMap(["a", "b"])) == [0, 1]
    twin = source.copy()
    twin.append("c")
    assert crossed(crossing, twin, IdMap(["c"])) == [-1, -1, 0]
