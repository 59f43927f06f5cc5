"""Bitmaps: packed answers of a catalogue, patched as it changes, against asking anew."""

import numpy as np
import pytest

from recopersona.rules.binding.bitmaps import Bitmaps, Question, put, roomier, unpacked

COLUMNS = ("stock", "price", "adult")


class Shelf:
    """Columns of a shop, and what is asked of them."""

    def __init__(self, rng, n):
        self.rng = rng
        self.columns = {name: rng.integers(0, 3, n) for name in COLUMNS}
        self.asked = []

    def question(self, name):
        def answer(rows, asked):
            values = self.columns[name][rows]
            self.asked.append((name, len(values)))
            return values > 0

        return Question(answer, frozenset([name]))

    def questions(self):
        return [self.question(name) for name in COLUMNS]

    def change(self, name, rows):
        self.columns[name] = self.columns[name].copy()
        self.columns[name][rows] = self.rng.integers(0, 3, len(rows))

    def grow(self, by):
        for name in COLUMNS:
            fresh = self.rng.integers(0, 3, by)
            self.columns[name] = np.concatenate([self.columns[name], fresh])

    def __len__(self):
        return len(self.columns["stock"])


def assert_same(bitmaps, shelf):
    fresh = Bitmaps(shelf.questions(), len(shelf))
    assert bitmaps.counts == fresh.counts
    for places in ([0], [1, 2], [0, 1, 2]):
        together = bitmaps.all_of(places)
        assert together.dtype == np.bool_
        np.testing.assert_array_equal(together, fresh.all_of(places))
        by_hand = [shelf.columns[COLUMNS[place]] > 0 for place in places]
        np.testing.assert_array_equal(together, np.logical_and.reduce(by_hand))


@pytest.mark.parametrize("n_items", [0, 1, 7, 8, 9, 64, 1001])
def test_answers_are_kept_for_any_number_of_items(rng, n_items):
    shelf = Shelf(rng, n_items)
    bitmaps = Bitmaps(shelf.questions(), n_items)
    assert_same(bitmaps, shelf)
    assert bitmaps.all_of([]).tolist() == [True] * n_items


@pytest.mark.parametrize("seed", range(20))
def test_any_changes_and_new_items_leave_what_a_rebuild_would_make(seed):
    rng = np.random.default_rng(seed)
    shelf = Shelf(rng, int(rng.integers(0, 30)))
    bitmaps = Bitmaps(shelf.questions(), len(shelf))
    for _ in range(40):
        if rng.random() < 0.3 or not len(shelf):
            shelf.grow(int(rng.integers(1, 12)))
            bitmaps.grow(len(shelf))
        else:
            rows = rng.integers(0, len(shelf), rng.integers(1, 9)).astype(np.int32)
            name = COLUMNS[rng.integers(len(COLUMNS))]
            before = bitmaps.counts, bitmaps.all_of([COLUMNS.index(name)])
            shelf.change(name, rows)
            changed = bitmaps.items_changed(rows, {name, "colour"})
            after = bitmaps.all_of([COLUMNS.index(name)])
            assert bool(changed) == bool((before[1] != after).any())
            assert changed in (0, 1 << COLUMNS.index(name))
        assert_same(bitmaps, shelf)


def test_only_what_reads_a_changed_column_is_asked_again_and_only_of_those_items(rng):
    shelf = Shelf(rng, 50)
    bitmaps = Bitmaps(shelf.questions(), 50)
    shelf.asked.clear()
    bitmaps.items_changed(np.array([3, 4], np.int32), {"price"})
    bitmaps.items_changed(np.array([3], np.int32), {"colour"})
    assert shelf.asked == [("price", 2)]
    bitmaps.grow(50)
    shelf.grow(1)
    bitmaps.grow(51)
    assert shelf.asked[1:] == [(name, n) for n in (0, 1) for name in COLUMNS]


def test_a_mask_given_out_does_not_change_later(rng):
    shelf = Shelf(rng, 20)
    bitmaps = Bitmaps(shelf.questions(), 20)
    given = bitmaps.all_of([0])
    before = given.copy()
    for row in range(20):
        shelf.columns["stock"][row] = 1 - min(shelf.columns["stock"][row], 1)
        bitmaps.items_changed(np.array([row], np.int32), {"stock"})
    np.testing.assert_array_equal(given, before)
    np.testing.assert_array_equal(bitmaps.all_of([0]), ~before)


def test_room_grows_by_halves_and_not_by_items(rng):
    bits, rooms = np.zeros((2, 1000), np.uint8), set()
    for n_items in range(8_000, 16_000):
        bits = roomier(bits, n_items)
        rooms.add(bits.shape[1])
    assert len(rooms) <= 3
    assert max(rooms) <= 2.5 * 1000


def test_an_item_named_twice_is_written_once():
    line = np.zeros(2, np.uint8)
    rows, yes = np.array([9, 3, 9], np.int32), np.array([True, True, True])
    assert put(line, rows, yes) == 2
    assert put(line, rows, yes) is None
    assert np.flatnonzero(unpacked(line, 16)).tolist() == [3, 9]
    assert put(line, rows, ~yes) == -2
    assert not line.any()


@pytest.fixture
def rng():
    return np.random.default_rng(5)
