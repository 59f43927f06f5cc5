"""Factors learned by stochastic gradient descent: in blocks that do not meet, or event by event."""

from __future__ import annotations

import numba
import numpy as np

from recopersona.kernels.compiling import f32, f64, flag, i32, i64, kernel, read, written
from recopersona.kernels.prefetch import fetch_ahead

BPR, WARP, LOGISTIC, SQUARED = range(4)
"""The losses, by code."""

_TRIES = 16  # draws for one negative; who has nearly every item of a block may get none
_BIAS_SHARE = np.float32(0.5)  # biases go half as far: so they predict streams of ratings best
_AHEAD = 2  # entries between asking for rows and using them
_WORD = 0xFFFFFFFF  # numbers are mixed in 32 bits, so that no product leaves 64
_MULTIPLIER = 0x45D9F3B
_STRIDE = 0x1E3779B9


_quick = numba.njit(nogil=True, error_model="numpy", forceinline=True)


@_quick
def _mixed(number):
    """Spread the bits of a number over 32: near numbers give far ones."""
    mixed = number & _WORD
    mixed = (((mixed >> 16) ^ mixed) * _MULTIPLIER) & _WORD
    mixed = (((mixed >> 16) ^ mixed) * _MULTIPLIER) & _WORD
    return (mixed >> 16) ^ mixed


@_quick
def _drawn(key, counter, trial, size):
    """Draw a whole number below ``size``: a function of its arguments, and of nothing else."""
    seed = _mixed(key ^ _mixed(np.int64(counter)))
    return (_mixed(seed + (np.int64(trial) + 1) * _STRIDE) * np.int64(size)) >> 32


# Whole arrays and row numbers go into what follows: a view of a row would count references, and two
# threads would wait for each other's counting.

_fast = numba.njit(
    nogil=True, error_model="numpy", forceinline=True, fastmath={"reassoc", "contract", "nsz"}
)


@_fast
def _compared(user_factors, item_factors, user, liked, other):
    """Return the product of a user with a difference, its squared length, and the user's own."""
    product, apart, own = np.float32(0), np.float32(0), np.float32(0)
    for place in range(user_factors.shape[1]):
        difference = item_factors[liked, place] - item_factors[other, place]
        product += user_factors[user, place] * difference
        apart += difference * difference
        own += user_factors[user, place] * user_factors[user, place]
    return product, apart, own


@_fast
def _matched(user_factors, item_factors, user, item):
    """Return the product of a user and an item, and the squared length of both."""
    product, length, own = np.float32(0), np.float32(0), np.float32(0)
    for place in range(user_factors.shape[1]):
        product += user_factors[user, place] * item_factors[item, place]
        length += item_factors[item, place] * item_factors[item, place]
        own += user_factors[user, place] * user_factors[user, place]
    return product, length, own


@_fast
def _move_three(
    user_factors, item_factors, user, liked, other, pull, user_step, liked_step, other_step, reg
):
    for place in range(user_factors.shape[1]):
        own = user_factors[user, place]
        good, bad = item_factors[liked, place], item_factors[other, place]
        user_factors[user, place] = own + user_step * (pull * (good - bad) - reg * own)
        item_factors[liked, place] = good + liked_step * (pull * own - reg * good)
        item_factors[other, place] = bad - other_step * (pull * own + reg * bad)


@_fast
def _move_two(user_factors, item_factors, user, item, pull, user_step, item_step, reg):
    for place in range(user_factors.shape[1]):
        own, its = user_factors[user, place], item_factors[item, place]
        user_factors[user, place] = own + user_step * (pull * its - reg * own)
        item_factors[item, place] = its + item_step * (pull * own - reg * its)


@_quick
def _step(sums, row, column, squared, rate, adaptive):
    """Return how far to go: less and less where there has been much to correct."""
    total = sums[row, column] + squared
    sums[row, column] = total
    return rate / np.sqrt(np.float32(1) + total) if adaptive else rate


@_quick
def _move_bias(biases, sums, row, pull, rate, reg, adaptive):
    step = _step(sums, row, 1, pull * pull, _BIAS_SHARE * rate, adaptive)
    biases[row] += step * (pull - reg * biases[row])


@_quick
def _surprise(score, weight, hinge):
    """Return the loss of a score that should be high, and its pull.

    The loss is -log of its sigmoid, or what it lacks of 1.
    """
    if hinge:
        return weight * (np.float32(1) - score), weight
    odds = np.exp(-max(score, np.float32(-80)))
    return weight * np.log(np.float32(1) + odds), weight * odds / (np.float32(1) + odds)


@_quick
def _order(
    user_factors, item_factors, item_biases, user_sums, item_sums, user, liked, other, weight,
    hinge, rate, reg, adaptive,
):  # fmt: skip
    """Move a liked item above another; return the loss there was, of BPR or a hinge."""
    product, apart, own = _compared(user_factors, item_factors, user, liked, other)
    ahead = product + item_biases[liked] - item_biases[other]
    loss, pull = _surprise(ahead, weight, hinge)
    squared = pull * pull
    _move_three(
        user_factors, item_factors, user, liked, other, pull,
        _step(user_sums, user, 0, squared * apart, rate, adaptive),
        _step(item_sums, liked, 0, squared * own, rate, adaptive),
        _step(item_sums, other, 0, squared * own, rate, adaptive),
        reg,
    )  # fmt: skip
    _move_bias(item_biases, item_sums, liked, pull, rate, reg, adaptive)
    _move_bias(item_biases, item_sums, other, -pull, rate, reg, adaptive)
    return loss


@_quick
def _judge(
    user_factors, item_factors, item_biases, user_sums, item_sums, user, item, liked, weight, rate,
    reg, adaptive,
):  # fmt: skip
    """Move the chance that an item is liked towards 1 or 0; return the loss there was."""
    product, length, own = _matched(user_factors, item_factors, user, item)
    sign = np.float32(1) if liked else np.float32(-1)
    loss, pull = _surprise(sign * (product + item_biases[item]), weight, False)
    pull *= sign
    squared = pull * pull
    _move_two(
        user_factors, item_factors, user, item, pull,
        _step(user_sums, user, 0, squared * length, rate, adaptive),
        _step(item_sums, item, 0, squared * own, rate, adaptive),
        reg,
    )  # fmt: skip
    _move_bias(item_biases, item_sums, item, pull, rate, reg, adaptive)
    return loss


@_quick
def _rate(
    user_factors, item_factors, user_biases, item_biases, user_sums, item_sums, user, item, mean,
    target, rate, reg, adaptive,
):  # fmt: skip
    """Move a prediction towards its target; return the loss there was."""
    product, length, own = _matched(user_factors, item_factors, user, item)
    pull = target - (mean + user_biases[user] + item_biases[item] + product)
    squared = pull * pull
    _move_two(
        user_factors, item_factors, user, item, pull,
        _step(user_sums, user, 0, squared * length, rate, adaptive),
        _step(item_sums, item, 0, squared * own, rate, adaptive),
        reg,
    )  # fmt: skip
    _move_bias(user_biases, user_sums, user, pull, rate, reg, adaptive)
    _move_bias(item_biases, item_sums, item, pull, rate, reg, adaptive)
    return squared


@_quick
def _holds(ascending, low, high, wanted):
    """Tell whether a run of ascending numbers holds one."""
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return ascending[low] == wanted


@_quick
def _other_in_block(item_order, first, size, items, low, high, key, counter, trial):
    """Draw an item of the block that is not one of the user's own there, or -1."""
    for attempt in range(_TRIES):
        place = _drawn(key, counter, trial * _TRIES + attempt, size)
        item = item_order[first + place]
        if not _holds(items, low, high - 1, item):
            return item
    return -1


@_quick
def _at_rank(trials, size):
    """Weigh a violation by the rank it speaks of: the fewer draws it took, the lower the item."""
    return np.float32(np.log(np.float64(1 + size // trials)))


@kernel(
    written(i64), written(i32), written(i32), written(f32), read(i64), read(i32), read(f32),
    read(i32), read(i64), read(i32), i64, i64, i64,
)  # fmt: skip
def arrange(
    bounds, users, items, weights, row_bounds, columns, values, user_order, user_starts, block_of,
    n_blocks, start, end,
):  # fmt: skip
    """Sort the entries of some blocks of users by block of items, then by user in the order given.

    bounds       (n_blocks² + 1,) int64, written: where the entries of users' block k and items'
                 block b begin is at k * n_blocks + b; ``bounds[k * n_blocks]`` is given
    users        (n_entries,) int32, written
    items        (n_entries,) int32, written: ascending for each user within a block
    weights      (n_entries,) float32, written
    row_bounds   (n_users + 1,) int64, where each user's entries begin
    columns      (n_entries,) int32, ascending for each user
    values       (n_entries,) float32
    user_order   (n_users,) int32
    user_starts  (n_blocks + 1,) int64, where each block of users begins in the order
    block_of     (n_items,) int32, the block of each item
    n_blocks     int64
    start, end   int64, the blocks of users to do
    """
    places = np.empty(n_blocks, np.int64)
    for block in range(start, end):
        places[:] = 0
        for place in range(user_starts[block], user_starts[block + 1]):
            user = user_order[place]
            for entry in range(row_bounds[user], row_bounds[user + 1]):
                places[block_of[columns[entry]]] += 1
        begin = bounds[block * n_blocks]
        for other in range(n_blocks):
            bounds[block * n_blocks + other] = begin
            begin += places[other]
            places[other] = bounds[block * n_blocks + other]
        for place in range(user_starts[block], user_starts[block + 1]):
            user = user_order[place]
            for entry in range(row_bounds[user], row_bounds[user + 1]):
                to = places[block_of[columns[entry]]]
                places[block_of[columns[entry]]] = to + 1
                users[to], items[to], weights[to] = user, columns[entry], values[entry]


@kernel(
    written(f32, 2), written(f32, 2), written(f32), written(f32), written(f32, 2),
    written(f32, 2), written(f64), read(i32), read(i64), read(i64), read(i32), read(i32),
    read(f32), i64, i64, f32, f32, f32, flag, i64, i64, i64, i64,
)  # fmt: skip
def descend(
    user_factors, item_factors, user_biases, item_biases, user_sums, item_sums, losses,
    item_order, item_starts, bounds, users, items, weights,
    loss, negatives, rate, reg, mean, adaptive, key, turn, start, end,
):  # fmt: skip
    """Take the steps of some strata of one round: users' block k with items' block (k + turn).

    No two strata of a round share a user or an item, so they may run side by side. Negatives come
    from the stratum's own block of items, and are never among the user's positives. Where she has
    every item of the block, none exists: BPR and WARP then leave the entry out.

    user_factors  (n_users, f) float32, written
    item_factors  (n_items, f) float32, written
    user_biases   (n_users,) float32, written by the squared loss
    item_biases   (n_items,) float32, written
    user_sums     (n_users, 2) float32, written: squared gradients of factors and bias so far
    item_sums     (n_items, 2) float32, written
    losses        (n_blocks²,) float64, written: the summed loss of each stratum
    item_order    (n_active,) int32, items block by block
    item_starts   (n_blocks + 1,) int64, where each block of items begins in the order
    bounds        (n_blocks² + 1,) int64, see `arrange`
    users, items  (n_entries,) int32
    weights       (n_entries,) float32: of the loss; for the squared one, the target
    loss          int64, its code
    negatives     int64, drawn for an entry; for WARP at most
    rate          float32, of learning
    reg           float32
    mean          float32, added to every prediction of the squared loss
    adaptive      bool, whether steps shrink with the squared gradients so far
    key           int64, of this epoch's draws
    turn          int64, the round
    start, end    int64, the blocks of users
    """
    n_blocks = len(item_starts) - 1
    for block in range(start, end):
        other_block = (block + turn) % n_blocks
        stratum = block * n_blocks + other_block
        first = item_starts[other_block]
        size = item_starts[other_block + 1] - first
        total = 0.0
        low, high = bounds[stratum], bounds[stratum]
        for entry in range(bounds[stratum], bounds[stratum + 1]):
            user, item, weight = users[entry], items[entry], weights[entry]
            if entry + _AHEAD < bounds[stratum + 1]:
                fetch_ahead(user_factors, users[entry + _AHEAD])
                fetch_ahead(item_factors, items[entry + _AHEAD])
                if loss != SQUARED:
                    place = _drawn(key, entry + _AHEAD, 0, size)
                    fetch_ahead(item_factors, item_order[first + place])
            if entry == high:
                low = high
                while high < bounds[stratum + 1] and users[high] == user:
                    high += 1
            if loss == SQUARED:
                total += _rate(
                    user_factors, item_factors, user_biases, item_biases, user_sums, item_sums,
                    user, item, mean, weight, rate, reg, adaptive,
                )  # fmt: skip
                continue
            if loss == LOGISTIC:
                total += _judge(
                    user_factors, item_factors, item_biases, user_sums, item_sums, user, item,
                    True, weight, rate, reg, adaptive,
                )  # fmt: skip
            for trial in range(negatives if high - low < size else 0):
                other = _other_in_block(
                    item_order, first, size, items, low, high, key, entry, trial
                )
                if other < 0:
                    continue
                if loss == LOGISTIC:
                    total += _judge(
                        user_factors, item_factors, item_biases, user_sums, item_sums, user, other,
                        False, weight, rate, reg, adaptive,
                    )  # fmt: skip
                    continue
                if loss == WARP:
                    ahead, _, _ = _compared(user_factors, item_factors, user, item, other)
                    if ahead + item_biases[item] - item_biases[other] >= 1:
                        continue
                    weight *= _at_rank(trial + 1, size * n_blocks)
                total += _order(
                    user_factors, item_factors, item_biases, user_sums, item_sums, user, item,
                    other, weight, loss == WARP, rate, reg, adaptive,
                )  # fmt: skip
                if loss == WARP:
                    break
        losses[stratum] = total


@_quick
def _begin(item_factors, item, spread, seed):
    """Give an item small factors of its own: a function of the seed and its number."""
    for place in range(item_factors.shape[1]):
        share = np.float32(_drawn(seed, item, place, 1 << 24)) / np.float32(1 << 23)
        item_factors[item, place] = spread * (share - np.float32(1))


@kernel(written(f32, 2), read(i32), f32, i64)
def begin_items(item_factors, items, spread, seed):
    """Give items their first factors, uniform between -spread and spread.

    item_factors  (n_items, f) float32, written: the rows of the items
    items         (n,) int32
    spread        float32
    seed          int64
    """
    for place in range(len(items)):
        _begin(item_factors, items[place], spread, seed)


@_fast
def _length(item_factors, item):
    total = np.float32(0)
    for place in range(item_factors.shape[1]):
        total += item_factors[item, place] * item_factors[item, place]
    return np.sqrt(total)


@_quick
def _other_lately(item_lengths, recent, user, liked, key, counter, trial, n_known):
    """Draw an item with factors that is none of the user's latest, or -1."""
    for attempt in range(_TRIES):
        item = _drawn(key, counter, trial * _TRIES + attempt, n_known)
        taken = item == liked or item_lengths[item] == 0
        for place in range(recent.shape[1]):
            taken = taken or recent[user, place] == item + 1
        if not taken:
            return item
    return -1


@kernel(
    written(f32, 2), written(f32, 2), written(f32), written(f32), written(f32, 2),
    written(f32, 2), written(f32), written(i32, 2), written(f64), written(f32), written(i32),
    read(i32), read(i32), read(f32), i64, i64, f32, f32, f32, flag, i64, i64, i64,
)  # fmt: skip
def learn(
    user_factors, item_factors, user_biases, item_biases, user_sums, item_sums, item_lengths,
    recent, mean, predictions, drawn, users, items, weights,
    loss, negatives, rate, reg, spread, adaptive, seed, number, n_known,
):  # fmt: skip
    """Learn from events in their order, each after it was predicted.

    Return the summed lengths of the items learned about, which is no number where steps were too
    long. What weighs nothing teaches nothing. Negatives come from the items that have factors by
    then, and are none of the user's latest.

    user_factors  (n_users, f) float32, written
    item_factors  (n_items, f) float32, written: new items begin here
    user_biases   (n_users,) float32, written by the squared loss
    item_biases   (n_items,) float32, written
    user_sums     (n_users, 2) float32, written: squared gradients of factors and bias so far
    item_sums     (n_items, 2) float32, written
    item_lengths  (n_items,) float32, written: 0 for items without factors
    recent        (n_users, r) int32, written: each user's latest items plus 1, the latest last
    mean          (2,) float64, written: of the targets so far, and how many; squared loss only
    predictions   (n,) float32, written; or empty, where none are wanted
    drawn         (n * negatives,) int32, written where a negative moved; or empty likewise
    users, items  (n,) int32
    weights       (n,) float32: of the loss; for the squared one, the target
    loss          int64, its code
    negatives     int64, drawn for an event; for WARP at most
    rate          float32, of learning
    reg           float32
    spread        float32, see `begin_items`
    adaptive      bool, whether steps shrink with the squared gradients so far
    seed          int64
    number        int64, of the first event since the fit
    n_known       int64, items before the first event
    """
    n_recent, total = recent.shape[1], 0.0
    for event in range(len(users)):
        user, item, weight = users[event], items[event], weights[event]
        if event + _AHEAD < len(users):
            fetch_ahead(user_factors, users[event + _AHEAD])
            fetch_ahead(item_factors, items[event + _AHEAD])
        n_known = max(n_known, item + 1)
        middle = np.float32(mean[0])
        if len(predictions):
            product, _, _ = _matched(user_factors, item_factors, user, item)
            predictions[event] = middle + user_biases[user] + item_biases[item] + product
        if not weight > 0:
            continue
        if item_lengths[item] == 0:
            _begin(item_factors, item, spread, seed)
        if loss == SQUARED:
            mean[1] += 1
            mean[0] += (weight - mean[0]) / mean[1]
            _rate(
                user_factors, item_factors, user_biases, item_biases, user_sums, item_sums, user,
                item, np.float32(mean[0]), weight, rate, reg, adaptive,
            )  # fmt: skip
        if loss == LOGISTIC:
            _judge(
                user_factors, item_factors, item_biases, user_sums, item_sums, user, item, True,
                weight, rate, reg, adaptive,
            )  # fmt: skip
        for trial in range(negatives if loss != SQUARED else 0):
            other = _other_lately(
                item_lengths, recent, user, item, seed, number + event, trial, n_known
            )
            if other < 0:
                continue
            if loss == LOGISTIC:
                _judge(
                    user_factors, item_factors, item_biases, user_sums, item_sums, user, other,
                    False, weight, rate, reg, adaptive,
                )  # fmt: skip
                item_lengths[other] = _length(item_factors, other)
                if len(drawn):
                    drawn[event * negatives + trial] = other
                continue
            if loss == WARP:
                ahead, _, _ = _compared(user_factors, item_factors, user, item, other)
                if ahead + item_biases[item] - item_biases[other] >= 1:
                    continue
                weight *= _at_rank(trial + 1, n_known)
            _order(
                user_factors, item_factors, item_biases, user_sums, item_sums, user, item, other,
                weight, loss == WARP, rate, reg, adaptive,
            )  # fmt: skip
            item_lengths[other] = _length(item_factors, other)
            if len(drawn):
                drawn[event * negatives + trial] = other
            if loss == WARP:
                break
        item_lengths[item] = _length(item_factors, item)
        total += item_lengths[item]
        for place in range(1, n_recent):
            recent[user, place - 1] = recent[user, place]
        if n_recent:
            recent[user, n_recent - 1] = item + 1
    return total


@_fast
def _move_user(user_factors, item_factors, user, liked, other, pull, step, reg):
    for place in range(user_factors.shape[1]):
        own = user_factors[user, place]
        slope = pull * (item_factors[liked, place] - item_factors[other, place])
        user_factors[user, place] = own + step * (slope - reg * own)


@_fast
def _move_user_by(user_factors, item_factors, user, item, pull, step, reg):
    for place in range(user_factors.shape[1]):
        own = user_factors[user, place]
        user_factors[user, place] = own + step * (pull * item_factors[item, place] - reg * own)


@_quick
def _follow(
    user_factors, item_factors, item_biases, user_sums, user, item, liked, weight, rate, reg,
    adaptive,
):  # fmt: skip
    """Move a user, and not the item, so that its chance comes towards 1 or 0."""
    product, length, _ = _matched(user_factors, item_factors, user, item)
    sign = np.float32(1) if liked else np.float32(-1)
    _, pull = _surprise(sign * (product + item_biases[item]), weight, False)
    step = _step(user_sums, user, 0, pull * pull * length, rate, adaptive)
    _move_user_by(user_factors, item_factors, user, item, sign * pull, step, reg)


@_quick
def _other_than(item_lengths, items, key, counter, trial):
    """Draw an item with factors that is none of some ascending ones, or -1."""
    for attempt in range(_TRIES):
        item = _drawn(key, counter, trial * _TRIES + attempt, len(item_lengths))
        if item_lengths[item] > 0 and not _holds(items, 0, len(items) - 1, item):
            return item
    return -1


@kernel(
    written(f32, 2), written(f32, 2), read(f32, 2), read(f32), read(f32), read(i32), read(f32),
    i64, i64, f32, f32, flag, i64, i64,
)  # fmt: skip
def fold_in(
    user_factors, user_sums, item_factors, item_biases, item_lengths, items, weights,
    loss, negatives, rate, reg, adaptive, key, passes,
):  # fmt: skip
    """Take the steps that training would take for one user, and leave the items where they are.

    user_factors  (1, f) float32, written: where she starts, and where she ends
    user_sums     (1, 2) float32, written: squared gradients of her factors so far
    item_factors  (n_items, f) float32
    item_biases   (n_items,) float32
    item_lengths  (n_items,) float32: 0 for items without factors, which are no negatives
    items         (n,) int32, ascending
    weights       (n,) float32, above 0
    loss          int64, its code; any but the squared one
    negatives     int64, drawn for an item; for WARP at most
    rate          float32, of learning
    reg           float32
    adaptive      bool, whether steps shrink with the squared gradients so far
    key           int64, of the draws
    passes        int64, over the items
    """
    for turn in range(passes):
        for place in range(len(items)):
            item, weight = items[place], weights[place]
            if loss == LOGISTIC:
                _follow(
                    user_factors, item_factors, item_biases, user_sums, 0, item, True, weight,
                    rate, reg, adaptive,
                )  # fmt: skip
            for trial in range(negatives):
                other = _other_than(item_lengths, items, key, turn * len(items) + place, trial)
                if other < 0:
                    continue
                if loss == LOGISTIC:
                    _follow(
                        user_factors, item_factors, item_biases, user_sums, 0, other, False,
                        weight, rate, reg, adaptive,
                    )  # fmt: skip
                    continue
                product, apart, _ = _compared(user_factors, item_factors, 0, item, other)
                ahead = product + item_biases[item] - item_biases[other]
                if loss == WARP:
                    if ahead >= 1:
                        continue
                    weight *= _at_rank(trial + 1, len(item_lengths))
                _, pull = _surprise(ahead, weight, loss == WARP)
                step = _step(user_sums, 0, 0, pull * pull * apart, rate, adaptive)
                _move_user(user_factors, item_factors, 0, item, other, pull, step, reg)
                if loss == WARP:
                    break
