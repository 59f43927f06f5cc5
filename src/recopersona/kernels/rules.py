"""Rules from a click to later clicks of a visit: counted at once, added click by click, asked."""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f32, f64, i32, i64, inlined, kernel, read, written


@kernel(
    written(i64), written(i64), read(i64), read(i32), read(i32), read(i32), read(i64),
    i64, i64, i64, i64,
)  # fmt: skip
def count_rules(
    counts, last, place_bounds, places, items, visits, bounds, ahead, back, start, end
):  # fmt: skip
    """Count the items that each item is followed by, and those it follows, within some clicks.

    counts        (n_items,) int64, written: items start to end
    last          (n_items,) int64, written: scratch, -1 at first
    place_bounds  (n_items + 1,) int64, where the places of each item's clicks start
    places        (n_clicks,) int32: which clicks those are, ascending for each item
    items         (n_clicks,) int32, visit by visit
    visits        (n_clicks,) int32: the visit of each click
    bounds        (n_visits + 1,) int64: where each visit starts
    ahead, back   int64: how many clicks later, and how many earlier
    start, end    int64
    """
    for item in range(start, end):
        count = 0
        for entry in range(place_bounds[item], place_bounds[item + 1]):
            click = places[entry]
            low = max(bounds[visits[click]], click - back)
            high = min(bounds[visits[click] + 1], click + ahead + 1)
            for other in range(low, high):
                if other != click and last[items[other]] != item:
                    last[items[other]] = item
                    count += 1
        counts[item] = count


@kernel(
    written(i32), written(f32), written(f64), written(f32), written(i64),
    read(i64), read(i64), read(i32), read(i32), read(i32), read(i64), read(f32), read(f32),
    i64, i64,
)  # fmt: skip
def fill_rules(
    others, weights, totals, sums, last,
    starts, place_bounds, places, items, visits, bounds, ahead, back, start, end,
):  # fmt: skip
    """Add up the weights of all rules from each item.

    others        (n_rules,) int32, written: the part of items start to end, as they are first met
    weights       (n_rules,) float32, written: likewise
    totals        (n_items,) float64, written: each item's summed weights, likewise
    sums          (n_items,) float32, written: scratch, zero at first and at the end
    last          (n_items,) int64, written: scratch, -1 at first
    starts        (n_items + 1,) int64, where each item's rules start: the sums of `count_rules`
    place_bounds  (n_items + 1,) int64, where the places of each item's clicks start
    places        (n_clicks,) int32: which clicks those are, ascending for each item
    items         (n_clicks,) int32, visit by visit
    visits        (n_clicks,) int32: the visit of each click
    bounds        (n_visits + 1,) int64: where each visit starts
    ahead         (n_ahead,) float32: what an item that many clicks later weighs, the next first
    back          (n_back,) float32: what one that many clicks earlier weighs
    start, end    int64
    """
    for item in range(start, end):
        size = starts[item]
        total = 0.0
        for entry in range(place_bounds[item], place_bounds[item + 1]):
            click = places[entry]
            low = max(bounds[visits[click]], click - len(back))
            high = min(bounds[visits[click] + 1], click + len(ahead) + 1)
            for other_click in range(low, high):
                if other_click == click:
                    continue
                other = items[other_click]
                if last[other] != item:
                    last[other] = item
                    others[size] = other
                    size += 1
                if other_click > click:
                    weight = ahead[other_click - click - 1]
                else:
                    weight = back[click - other_click - 1]
                sums[other] += weight
                total += weight
        for place in range(starts[item], size):
            weights[place] = sums[others[place]]
            sums[others[place]] = 0
        totals[item] = total


@kernel(
    written(i64), written(i32), written(i32), written(f64), written(i32), written(f32),
    written(i64),
    read(i32), read(i32, 2), read(i32), read(f32), read(f32), i64,
)  # fmt: skip
def add_rules(
    starts, sizes, rooms, totals, others, weights, progress,
    items, before, counts, ahead, back, most,
):  # fmt: skip
    """Add the rules that new clicks make with the clicks before them.

    An item's rules stand side by side, with room for more behind them. Where there is none left,
    they move to the end of all, into half as much room again.

    starts    (n_items,) int64, written: where each item's rules start
    sizes     (n_items,) int32, written: how many there are
    rooms     (n_items,) int32, written: how many there is room for
    totals    (n_items,) float64, written: each item's summed weights
    others    (n_places,) int32, written
    weights   (n_places,) float32, written
    progress  (3,) int64, written: how many places are taken, and the click and the rule of it that
              come next; where to go on when there are more places
    items     (n,) int32: the new clicks
    before    (n, w) int32: the clicks before each, latest first
    counts    (n,) int32: how many of them
    ahead     (n_ahead,) float32: what an item that many clicks later weighs, the next first
    back      (n_back,) float32: what one that many clicks earlier weighs; none or as many
    most      int64: of twice as many rules of an item the heavier half stays; 0 for all

    Returns whether all is done; else there must be more places.
    """
    for row in range(progress[1], len(items)):
        known = min(counts[row], len(ahead), before.shape[1])
        for rule in range(progress[2], 2 * known):
            distance = rule // 2
            source, target, weight = before[row, distance], items[row], ahead[distance]
            if rule % 2 == 1:
                if distance >= len(back):
                    continue
                source, target, weight = target, source, back[distance]
            start, size = starts[source], sizes[source]
            place = start
            while place < start + size and others[place] != target:
                place += 1
            if place == start + size:
                if most and size >= 2 * most:
                    size = most
                    _thin(others, weights, start, 2 * most, most)
                elif size == rooms[source]:
                    room = size + size // 2 + 4
                    if progress[0] + room > len(others):
                        progress[1], progress[2] = row, rule
                        return False
                    start = progress[0]
                    for offset in range(size):
                        others[start + offset] = others[starts[source] + offset]
                        weights[start + offset] = weights[starts[source] + offset]
                    starts[source], rooms[source] = start, room
                    progress[0] += room
                place = start + size
                others[place], weights[place] = target, 0
                sizes[source] = size + 1
            weights[place] += weight
            totals[source] += weight
        progress[2] = 0
    return True


@kernel(
    written(i32), written(f32), written(i32),
    read(i32), read(f32), read(f32), read(i64), read(i32), read(i32), read(f32),
)  # fmt: skip
def ask_rules(
    found, scores, slots, clicks, shares, reminders, starts, sizes, others, weights
):  # fmt: skip
    """Add up what the rules of some clicks say, and return for how many items they say something.

    found      (n_found,) int32, written: the items, each once; room for one of every rule and click
    scores     (n_found,) float32, written
    slots      (a power of two, more than n_found) int32, written: scratch, 0 at first
    clicks     (n,) int32; those without rules may lie beyond them
    shares     (n,) float32: what each click's rules count; 0 for not at all
    reminders  (n,) float32: what each click says for its own item; 0 for nothing
    starts     (n_items,) int64, where each item's rules start
    sizes      (n_items,) int32, how many there are
    others     (n_places,) int32
    weights    (n_places,) float32
    """
    count = 0
    for place in range(len(clicks)):
        click, share = clicks[place], shares[place]
        if reminders[place] != 0:
            count = _note(found, scores, slots, count, click, reminders[place])
        if share != 0 and click < len(sizes):
            for rule in range(starts[click], starts[click] + sizes[click]):
                count = _note(found, scores, slots, count, others[rule], share * weights[rule])
    return count


@inlined
def _note(found, scores, slots, count, item, score):
    """Add to an item's score; the table of slots says where among those found it is."""
    mask = len(slots) - 1
    slot = (item * np.int64(0x9E3779B1) >> 7) & mask
    while slots[slot] and found[slots[slot] - 1] != item:
        slot = (slot + 1) & mask
    if slots[slot]:
        scores[slots[slot] - 1] += score
        return count
    found[count], scores[count] = item, score
    slots[slot] = count + 1
    return count + 1


@inlined
def _thin(others, weights, start, size, most):
    """Keep the heaviest of some rules, in their order of weight."""
    order = np.argsort(-weights[start : start + size], kind="mergesort")[:most]
    kept_others = others[start : start + size][order]
    kept_weights = weights[start : start + size][order]
    others[start : start + most] = kept_others
    weights[start : start + most] = kept_weights
