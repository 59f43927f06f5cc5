"""Fill the slots of one page: the best order of candidates under pins, caps and quotas.

Everything is a cap here: in a full list "at least 2 of 5 that match" is "at most 3 of 5 that do
not". A rule numbers the candidates' groups, and what it does not count stands in a cell of its own
behind them. Candidates that all rules see alike are one kind, and of a kind the best goes first.

The search walks the open slots in order, tries the kinds best first, and turns back where what is
left cannot fill the rest any more (`_can_go_on`). The first way through is what a greedy hand with
an eye on the rest would find. Its cost is counted in looks: candidates looked at for a slot.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.kernels.compiling import f32, flag, i32, i64, inlined, inner, kernel, read, written

SIZE, SLIDING, BASE, HARD, TOTAL, QUOTA = range(6)
"""Columns of the table of rules: slots of the window; whether it slides; how many of a group it may
hold; how many at the very most; how many above ``BASE`` in all windows together; whether only
group 0 counts, and candidates of code 1 do not."""

LARGE = 1 << 60
"""As many as anybody likes."""
# A literal 0 would have the compiler make a function for it alone.
_NONE: Any = np.int64(0)
_FEW_WAYS = 40_000.0  # so many ways to fill a page are all tried
_FIRST_LOOKS = 3_000  # on a page that is not small, before it is repaired
_REPAIR_LOOKS = 60_000
_NARROW_LOOKS = 1_000  # with no more, only exchanges that look promising are tried
_AWAY = 7  # rounds
_AT_ONCE = 2  # slots whose exchanges are compared in a round

# The desk on which pages are tried, five arrays that go together:
#
# rules: a row per rule, the table and
_FIRST, _REST = 6, 7  # the first cell, and the cell of candidates that do not count, behind them
_OPEN, _OVER = 8, 9  # open slots of the window; how many are above BASE so far
_BELOW, _WITHIN = 10, 11  # how many more could be shown below BASE, below HARD
_NUMBER = 12  # which quota it is, if it is one whose window does not slide; else -1
_SERVING = 13  # for each quota, how many of those below HARD could match it
# stock: a row per cell of any rule
_SHOWN, _THERE = 0, 1  # shown so far, in the window or on a page where it slides; not shown yet
_MATCHING = 2  # for each quota, how many of those not shown match it
# cards: a row per candidate
_KIND, _NEXT, _USED = 0, 1, 2  # its kind, the next of it (-1 behind the last), if it is shown
_CELLS = 3  # for each rule, its cell
# page: the candidate in each slot, -1 where it is open
# heads: of each kind the best that is not shown, -1 where none is left


@inner
def _copy(target, source):
    """Copy element by element: a slice takes the compiler seconds."""
    for place in range(len(target)):
        target[place] = source[place]


@inner
def _number(numbers, keys):
    """Number equal keys alike, from 0 in order of appearance; return how many there are."""
    low, high = LARGE, -LARGE
    for row in range(len(keys)):
        low, high = min(low, keys[row]), max(high, keys[row])
    size = 16
    while size < 2 * len(keys):
        size *= 2
    near = high - low < 2 * size  # then each key has its own place
    table = np.full(2 * size if near else size, -1, np.int32)
    known = np.empty(len(keys), np.int64)
    count = 0
    for row in range(len(keys)):
        key = keys[row] - low
        place = key
        if not near:
            mixed = (key ^ (key >> 15)) * 0x2C1B3C6D
            place = (mixed ^ (mixed >> 13)) & (size - 1)
            while table[place] >= 0 and known[table[place]] != key:
                place = (place + 1) & (size - 1)
        if table[place] < 0:
            table[place] = count
            known[count] = key
            count += 1
        numbers[row] = table[place]
    return count


@inner
def _number_cells(cards, rules, keys, codes):
    """Give each candidate a cell per rule, and a key of all its cells; count the cells."""
    n = len(keys)
    numbers, groups_of = np.empty(n, np.int64), np.empty(n, np.int64)
    cell, span = 0, 2.0**20
    for rule in range(len(rules)):
        if rules[rule, QUOTA]:
            groups = 1
            for row in range(n):
                numbers[row] = codes[rule, row] != 0
        else:
            for row in range(n):
                groups_of[row] = codes[rule, row]
            groups = _number(numbers, groups_of)
            for row in range(n):
                numbers[row] = numbers[row] if codes[rule, row] >= 0 else groups
        if span * (groups + 1) > 2.0**60:
            span = _number(groups_of, keys) + 1.0
            _copy(keys, groups_of)
        span *= groups + 1
        for row in range(n):
            cards[row, _CELLS + rule] = cell + numbers[row]
            keys[row] = keys[row] * (groups + 1) + numbers[row]
        rules[rule, _FIRST], rules[rule, _REST] = cell, cell + groups
        cell += groups + 1
    return cell


@inner
def _key_of_pins(keys, masks):
    """Give candidates the same key that the same pins match."""
    numbers = np.empty(len(keys), np.int64)
    span = 1
    for pin in range(len(masks)):
        if span > 1 << 18:
            span = _number(numbers, keys)
            _copy(keys, numbers)
        span *= 2
        for row in range(len(keys)):
            keys[row] = 2 * keys[row] + masks[pin, row]
    if span > 1 << 18:
        _number(numbers, keys)
        _copy(keys, numbers)


@inner
def _worth(worth, scores):
    """Turn scores into what candidates are worth: in their order never rising, the lowest 0."""
    low, high = np.inf, -np.inf
    for row in range(len(scores)):
        if np.isfinite(scores[row]):
            low, high = min(low, scores[row]), max(high, scores[row])
    least = high
    for row in range(len(scores)):
        score = scores[row]
        if not np.isfinite(score):
            score = high if score > 0 else low
        least = min(least, score)
        worth[row] = least - low if high >= low else 0.0


@inner
def _rules_of(table):
    """Return the rules with room for what the search keeps in mind."""
    n_quotas = 0
    for rule in range(len(table)):
        n_quotas += table[rule, QUOTA] and not table[rule, SLIDING]
    rules = np.zeros((len(table), _SERVING + n_quotas), np.int64)
    n_quotas = 0
    for rule in range(len(table)):
        for column in range(QUOTA + 1):
            rules[rule, column] = table[rule, column]
        rules[rule, _NUMBER] = -1
        if table[rule, QUOTA] and not table[rule, SLIDING]:
            rules[rule, _NUMBER] = n_quotas
            n_quotas += 1
    return rules


@inner
def _cards_of(rules, codes, masks, m):
    """Return the candidates' cards, the best of each kind, and how many cells there are."""
    keys, kinds = np.zeros(m, np.int64), np.empty(m, np.int64)
    cards = np.zeros((m, _CELLS + len(rules)), np.int32)
    _key_of_pins(keys, masks)
    n_cells = _number_cells(cards, rules, keys, codes)
    heads = np.full(_number(kinds, keys), -1, np.int64)
    for row in range(m - 1, -1, -1):
        cards[row, _KIND], cards[row, _NEXT] = kinds[row], heads[kinds[row]]
        heads[kinds[row]] = row
    return cards, heads, n_cells


@inner
def _stock_of(rules, cards, n_cells, n):
    """Count what there is before anything is shown."""
    stock = np.zeros((n_cells, _MATCHING + rules.shape[1] - _SERVING), np.int64)
    for rule in range(len(rules)):
        for row in range(len(cards)):
            stock[cards[row, _CELLS + rule], _THERE] += 1
    for quota in range(len(rules)):
        number = rules[quota, _NUMBER]
        if number >= 0:
            for row in range(len(cards)):
                if cards[row, _CELLS + quota] == rules[quota, _REST]:
                    for rule in range(len(rules)):
                        stock[cards[row, _CELLS + rule], _MATCHING + number] += 1
    for rule in range(len(rules)):
        rules[rule, _OPEN] = min(rules[rule, SIZE], n)
        for cell in range(rules[rule, _FIRST], rules[rule, _REST] + 1):
            _count_room(rules, stock, rule, cell, 1)
    return stock


@inlined
def _count_room(rules, stock, rule, cell, sign):
    """Add or take away what one cell could still bring into a window."""
    below, most = stock[cell, _THERE], LARGE
    if cell != rules[rule, _REST]:
        most = rules[rule, HARD] - stock[cell, _SHOWN]
        below = min(below, max(rules[rule, BASE] - stock[cell, _SHOWN], 0))
    rules[rule, _BELOW] += sign * below
    rules[rule, _WITHIN] += sign * min(stock[cell, _THERE], most)
    for quota in range(rules.shape[1] - _SERVING):
        rules[rule, _SERVING + quota] += sign * min(stock[cell, _MATCHING + quota], most)


@inner
def _above_sliding(rules, cards, page, rule, cell, slot):
    """Return in how many windows one more would be above BASE; -1 if it would be above HARD."""
    size, base, hard = rules[rule, SIZE], rules[rule, BASE], rules[rule, HARD]
    n, column = len(page), _CELLS + rule
    start, above, held = max(0, slot - size + 1), 0, 0
    for place in range(start, start + size):
        held += page[place] >= 0 and cards[page[place], column] == cell
    while True:
        if held >= hard:
            return -1
        above += held >= base
        if start >= slot or start + size >= n:
            return above
        held -= page[start] >= 0 and cards[page[start], column] == cell
        start += 1
        last = page[start + size - 1]
        held += last >= 0 and cards[last, column] == cell


@inlined
def _above(rules, stock, cards, page, rule, row, slot):
    """Return the same, of any rule, for a candidate that would stand in a slot."""
    cell, size = cards[row, _CELLS + rule], rules[rule, SIZE]
    if cell == rules[rule, _REST] or stock[cell, _SHOWN] < rules[rule, BASE] or size < 1:
        return 0
    if rules[rule, SLIDING]:
        return _above_sliding(rules, cards, page, rule, cell, slot)
    if slot >= size:
        return 0
    return 1 if stock[cell, _SHOWN] < rules[rule, HARD] else -1


@inlined
def _fits(rules, stock, cards, page, row, slot):
    """Tell whether a candidate may stand in an open slot beside what is there."""
    for rule in range(len(rules)):
        above = _above(rules, stock, cards, page, rule, row, slot)
        if above < 0 or rules[rule, _OVER] + above > rules[rule, TOTAL]:
            return False
    return True


@inner
def _show(rules, stock, cards, page, heads, row, slot):
    """Put a candidate into an open slot where it fits."""
    for rule in range(len(rules)):
        rules[rule, _OVER] += max(_above(rules, stock, cards, page, rule, row, slot), 0)
        _move(rules, stock, cards, rule, row, slot, 1)
    page[slot] = row
    cards[row, _USED] = 1
    if heads[cards[row, _KIND]] == row:
        while row >= 0 and cards[row, _USED]:
            row = cards[row, _NEXT]
        heads[cards[page[slot], _KIND]] = row


@inner
def _hide(rules, stock, cards, page, heads, slot):
    """Take the candidate out of a slot again."""
    row = page[slot]
    page[slot] = -1
    for rule in range(len(rules)):
        _move(rules, stock, cards, rule, row, slot, -1)
        rules[rule, _OVER] -= max(_above(rules, stock, cards, page, rule, row, slot), 0)
    cards[row, _USED] = 0
    kind = cards[row, _KIND]
    if heads[kind] < 0 or row < heads[kind]:
        heads[kind] = row


@inlined
def _move(rules, stock, cards, rule, row, slot, sign):
    """Move a candidate from what there is into a window, or back."""
    cell = cards[row, _CELLS + rule]
    counted = cell != rules[rule, _REST]
    if rules[rule, SLIDING]:
        stock[cell, _THERE] -= sign
        stock[cell, _SHOWN] += sign * counted
        return
    _count_room(rules, stock, rule, cell, -1)
    stock[cell, _THERE] -= sign
    for quota in range(len(rules)):
        number = rules[quota, _NUMBER]
        if number >= 0 and cards[row, _CELLS + quota] == rules[quota, _REST]:
            stock[cell, _MATCHING + number] -= sign
    if slot < rules[rule, SIZE]:
        rules[rule, _OPEN] -= sign
        stock[cell, _SHOWN] += sign * counted
    _count_room(rules, stock, rule, cell, 1)


@inlined
def _wanted(rules, stock, quota):
    """Return how many candidates that match a quota its open slots must get at least."""
    others = rules[quota, HARD] - stock[rules[quota, _FIRST], _SHOWN]
    return rules[quota, _OPEN] - others


@inner
def _can_go_on(rules, stock, page, slot):
    """Tell whether what is left may fill the open slots; all before ``slot`` are filled.

    No is sure. Yes is sure for one partition with quotas in windows of the same length.
    """
    for rule in range(len(rules)):
        if rules[rule, SLIDING]:
            if not _can_slide(rules, stock, page, rule, slot):
                return False
            continue
        still = rules[rule, _OPEN]
        spare = rules[rule, TOTAL] - rules[rule, _OVER]
        if still > 0 and (rules[rule, _WITHIN] < still or rules[rule, _BELOW] + spare < still):
            return False
        if still > 0 and rules[rule, _NUMBER] >= 0:
            wanted = _wanted(rules, stock, rule)
            if wanted > 0 and not _can_serve(rules, stock, rule, wanted):
                return False
    return True


@inner
def _can_serve(rules, stock, asked, wanted):
    """Tell whether a quota can be had beside each other rule."""
    still, number = rules[asked, _OPEN], rules[asked, _NUMBER]
    for rule in range(len(rules)):
        if rules[rule, SLIDING] or rule == asked:
            continue
        inside, have = rules[rule, _OPEN], rules[rule, _SERVING + number]
        if inside < still:
            have = min(have, inside) + still - inside
        if have < wanted:
            return False
        if rule > asked and rules[rule, _NUMBER] >= 0:
            more = _wanted(rules, stock, rule)
            both = stock[rules[asked, _REST], _MATCHING + rules[rule, _NUMBER]]
            if more > 0 and wanted + more - min(both, wanted, more) > max(still, inside):
                return False
    return True


@inner
def _can_slide(rules, stock, page, rule, slot):
    """Tell whether there are groups enough where the window slides over the open slots."""
    size, hard = rules[rule, SIZE], rules[rule, HARD]
    if size < 1 or hard >= size:
        return True
    still, span = 0, len(page) - slot
    for place in range(slot, len(page)):
        still += page[place] < 0
    most = (span // size) * hard + min(span % size, hard)
    have = stock[rules[rule, _REST], _THERE]
    for cell in range(rules[rule, _FIRST], rules[rule, _REST]):
        if have >= still:
            return True
        have += min(stock[cell, _THERE], most)
    return have >= still


@inner
def _search(
    best, rules, stock, cards, page, heads, cursors, starts, sums, worth, gains,
    order, n, worst, enough, budget,
):  # fmt: skip
    """Fill the first ``n`` slots of ``order``; return the value of the best way and the looks left.

    best           (n_slots,) int64, written where a way was found: the page
    rules ... heads the desk; in the end as it was
    cursors, starts  (n_slots + 1,) int64, scratch: where to look next, and where to begin
    sums           (n_slots + 1, 2) float64, scratch: the value so far, what the rest can bring
    worst          only ways of more value are found
    enough         a way of this value will do: the search ends
    """
    m, found = len(cards), worst
    depth, fresh = 0, True
    starts[0], sums[0, 0] = 0, 0.0
    while depth >= 0:
        if depth == n:
            found = sums[n, 0]
            _copy(best, page)
            if found >= enough:
                break
        else:
            if fresh:
                first = starts[depth]
                while first < m and cards[first, _USED]:
                    first += 1
                starts[depth], cursors[depth], sums[depth, 1] = first, first, 0.0
                if found >= 0:
                    sums[depth, 1] = _most(cards, worth, gains, order, depth + 1, n, first)
            slot, row, down = order[depth], cursors[depth], False
            least = found + 1e-12 * abs(found) - sums[depth, 1] - sums[depth, 0]
            while row < m and budget > 0 and gains[slot] * worth[row] > least:
                budget -= 1
                if heads[cards[row, _KIND]] == row and _fits(rules, stock, cards, page, row, slot):
                    _show(rules, stock, cards, page, heads, row, slot)
                    after = order[depth + 1] if depth + 1 < n else len(page)
                    if _can_go_on(rules, stock, page, after):
                        down = True
                        break
                    _hide(rules, stock, cards, page, heads, slot)
                row += 1
            cursors[depth] = row + 1
            if down:
                sums[depth + 1, 0] = sums[depth, 0] + gains[slot] * worth[row]
                starts[depth + 1] = starts[depth]
                depth += 1
                fresh = True
                continue
        depth -= 1
        fresh = False
        if depth >= 0:
            _hide(rules, stock, cards, page, heads, order[depth])
    for place in range(depth - 1, -1, -1):
        _hide(rules, stock, cards, page, heads, order[place])
    return found, budget


@inner
def _most(cards, worth, gains, order, place, n, row):
    """Return what slots could be worth at most, were there no rules."""
    total = 0.0
    while place < n:
        while row < len(cards) and cards[row, _USED]:
            row += 1
        if row == len(cards):
            break
        total += gains[order[place]] * worth[row]
        place += 1
        row += 1
    return total


@inner
def _excess(rules, stock, cards, page, row, slot):
    """Return in how many windows one more would be above HARD, over all rules."""
    total = 0
    for rule in range(len(rules)):
        cell, size, hard = cards[row, _CELLS + rule], rules[rule, SIZE], rules[rule, HARD]
        if cell == rules[rule, _REST] or stock[cell, _SHOWN] < hard or size < 1:
            continue
        if not rules[rule, SLIDING]:
            total += slot < size
            continue
        column, start = _CELLS + rule, max(0, slot - size + 1)
        held = np.int64(0)
        for place in range(start, start + size):
            held += page[place] >= 0 and cards[page[place], column] == cell
        while True:
            total += held >= hard
            if start >= slot or start + size >= len(page):
                break
            held -= page[start] >= 0 and cards[page[start], column] == cell
            start += 1
            last = page[start + size - 1]
            held += last >= 0 and cards[last, column] == cell
    return total


@inner
def _repair(best, rules, stock, cards, page, heads, order, budget):
    """Fill the slots of ``order`` somehow, then exchange what breaks most until nothing does.

    What left the page stays away for a few rounds, so that the search leaves the places where no
    single exchange helps. Return whether a way was found, and the looks left.
    """
    n = len(order)
    over = np.empty(len(rules), np.int64)
    _copy(over, rules[:, _OVER])
    away = np.zeros(len(cards), np.int64)
    broken, filled = 0, 0
    while filled < n and budget > 0:
        row, least, budget = _least_excess(
            rules, stock, cards, page, heads, away, order[filled], _NONE, LARGE + _NONE, budget
        )
        broken += least
        _show(rules, stock, cards, page, heads, row, order[filled])
        filled += 1
    step = 0
    while broken > 0 and budget > 0:
        step += 1
        change, at, by, other = LARGE + _NONE, _NONE - 1, _NONE - 1, _NONE - 1
        tried = 0
        for turn in range(n):
            slot = order[(step * 7 + turn) % n]
            row = page[slot]
            if tried == _AT_ONCE:
                break
            _hide(rules, stock, cards, page, heads, slot)
            own = _excess(rules, stock, cards, page, row, slot)
            if own > 0:
                tried += 1
                # The one that stands here must go, so it is away for this look.
                away[row] += step + 1
                found, least, budget = _least_excess(
                    rules, stock, cards, page, heads, away, slot, step, change + own, budget
                )
                away[row] -= step + 1
                if found >= 0:
                    change, at, by, other = least - own, slot, found, -1
                for behind in range(n):
                    against = order[behind]
                    if against == slot:
                        continue
                    budget -= 4
                    swapped = page[against]
                    _hide(rules, stock, cards, page, heads, against)
                    both = own + _excess(rules, stock, cards, page, swapped, against)
                    least = _excess(rules, stock, cards, page, swapped, slot)
                    if least - both < change and away[swapped] <= step:
                        _show(rules, stock, cards, page, heads, swapped, slot)
                        least += _excess(rules, stock, cards, page, row, against)
                        _hide(rules, stock, cards, page, heads, slot)
                        if least - both < change:
                            change, at, by, other = least - both, slot, swapped, against
                    _show(rules, stock, cards, page, heads, swapped, against)
            _show(rules, stock, cards, page, heads, row, slot)
        if at < 0:
            break
        row = page[at]
        _hide(rules, stock, cards, page, heads, at)
        if other >= 0:
            _hide(rules, stock, cards, page, heads, other)
            _show(rules, stock, cards, page, heads, row, other)
        _show(rules, stock, cards, page, heads, by, at)
        away[row] = step + _AWAY + step % 5
        broken += change
    found = broken == 0 and filled == n
    if found:
        _copy(best, page)
    for place in range(filled):
        _hide(rules, stock, cards, page, heads, order[place])
    for rule in range(len(rules)):
        rules[rule, _OVER] = over[rule]
    return found, max(budget, 0)


@inner
def _least_excess(rules, stock, cards, page, heads, away, slot, step, below, budget):
    """Return who breaks least in a slot, -1 if all break as much as ``below``; and how much."""
    found = -1
    for kind in range(len(heads)):
        row = heads[kind]
        while row >= 0 and (away[row] > step or cards[row, _USED]):
            row = cards[row, _NEXT]
        if row < 0:
            continue
        budget -= 1
        excess = _excess(rules, stock, cards, page, row, slot)
        if excess < below or (found >= 0 and excess == below and away[row] < away[found]):
            found, below = row, excess
    return found, below, budget


@inner
def _seat(seats, owners, lists, claim, first):
    """Find a candidate for one more claim, moving those of claims from ``first`` on if need be.

    seats   (n_claims,) the candidate of each claim, written only where there is a way; -1 for none
    owners  (n_candidates,) the claim of each candidate, -1 for none
    lists   (n_claims, n_claims) candidates that would do, -1 at the end
    """
    n = len(seats)
    queue, came_from = np.empty(n, np.int64), np.full(n, -1, np.int64)
    queue[0], came_from[claim] = claim, claim
    head, tail = 0, 1
    while head < tail:
        asking = queue[head]
        head += 1
        for place in range(n):
            row = lists[asking, place]
            if row < 0:
                break
            owner = owners[row]
            if owner < 0:
                while True:
                    before = seats[asking]
                    seats[asking], owners[row] = row, asking
                    if asking == claim:
                        return True
                    row, asking = before, came_from[asking]
            if owner >= first and came_from[owner] < 0:
                came_from[owner] = asking
                queue[tail] = owner
                tail += 1
    return False


@inner
def _list_best(line, domain):
    """List the first candidates of a domain, -1 behind the last."""
    count = 0
    for row in range(len(domain)):
        if count == len(line):
            return
        if domain[row]:
            line[count] = row
            count += 1
    for place in range(count, len(line)):
        line[place] = -1


@inner
def _claim(met, claimed, domains, lists, seats, owners, pins, masks):
    """Take up pins in order, each that can be met beside those before; return the slots claimed.

    Two pins on one slot want a candidate that matches both.
    """
    count, before = 0, np.empty(len(owners), np.bool_)
    for pin in range(len(pins)):
        claim = 0
        while claim < count and claimed[claim] != pins[pin]:
            claim += 1
        if claim == count:
            claimed[claim], seats[claim] = pins[pin], -1
        for row in range(len(before)):
            before[row] = domains[claim, row]
            domains[claim, row] = masks[pin, row] and (claim == count or before[row])
        _list_best(lists[claim], domains[claim])
        held = seats[claim]
        if held >= 0 and domains[claim, held]:
            met[pin] = True
            continue
        if held >= 0:
            owners[held] = -1
        met[pin] = _seat(seats, owners, lists, claim, _NONE)
        if met[pin]:
            count = max(count, claim + 1)
        elif claim < count:
            for row in range(len(before)):
                domains[claim, row] = before[row]
            _list_best(lists[claim], before)
            owners[held] = claim
    return count


@inner
def _reseat(seats, owners, lists, before, n_claims, claim, row):
    """Give a claim this very candidate; tell whether those after it still find one.

    before  (n_claims,) who has which candidate so far; ``seats`` is written from it
    """
    for other in range(n_claims):
        owners[seats[other]] = -1
    _copy(seats, before)
    for other in range(n_claims):
        owners[seats[other]] = other
    other = owners[row]
    if other == claim:
        return True
    owners[seats[claim]] = -1
    seats[claim], owners[row] = row, claim
    if other < 0:
        return True
    return other > claim and _seat(seats, owners, lists, other, claim + 1)


@inner
def _find(
    best, met, rules, stock, cards, page, heads, cursors, starts, sums, worth, gains, pins, masks,
    budget,
):  # fmt: skip
    """Find a page with the best candidates in the pinned slots, or the next best that let it be.

    Return its value, -1 if there is none, the looks left and the slots that no pin claims; the pins
    of the page stay on the desk.
    """
    n, m = len(pins), len(cards)
    claimed, seats = np.full(n + 1, -1, np.int64), np.full(n, -1, np.int64)
    domains, lists = np.zeros((n + 1, m), np.bool_), np.full((n + 1, n), -1, np.int64)
    owners = np.full(m, -1, np.int64)
    count = _claim(met, claimed, domains, lists, seats, owners, pins, masks)
    order = _open_slots(len(page), claimed, count)
    seated, rows = np.empty((count + 1, n), np.int64), np.zeros(count + 1, np.int64)
    _copy(seated[0], seats)
    found, level = -1.0, _NONE
    while level >= 0:
        down = False
        if level == count:
            first = order[0] if len(order) else len(page)
            if _can_go_on(rules, stock, page, first):
                looks = budget if _is_small(m, len(order)) else min(budget, _FIRST_LOOKS)
                for again in range(2):
                    budget -= looks
                    found, looks = _search(
                        best, rules, stock, cards, page, heads, cursors, starts, sums, worth,
                        gains, order, len(order), -1.0, 0.0, looks,
                    )  # fmt: skip
                    budget += looks
                    if found >= 0 or looks > 0 or again:
                        break
                    if _are_plain(rules):
                        looks = min(budget, _REPAIR_LOOKS)
                        budget -= looks
                        is_found, looks = _repair(
                            best, rules, stock, cards, page, heads, order, looks
                        )
                        if is_found:
                            budget += looks
                            found = _value(best, order, worth, gains)
                            break
                    looks = budget // 2
                if found >= 0:
                    break
        else:
            row = rows[level]
            while row < m and budget > 0 and not down:
                budget -= 1
                if (
                    domains[level, row]
                    and heads[cards[row, _KIND]] == row
                    and _fits(rules, stock, cards, page, row, claimed[level])
                    and _reseat(seats, owners, lists, seated[level], count, level, row)
                ):
                    _show(rules, stock, cards, page, heads, row, claimed[level])
                    down = True
                row += 1
            rows[level] = row
        if down:
            level += 1
            _copy(seated[level], seats)
            rows[level] = 0
            continue
        level -= 1
        if level >= 0:
            _hide(rules, stock, cards, page, heads, claimed[level])
    return found, budget, order


@inner
def _polish(
    best, rules, stock, cards, page, heads, cursors, starts, sums, worth, gains, order, budget, wide
):  # fmt: skip
    """Exchange candidates until no slot gains by what another can make room for.

    Then, where ``wide`` says so, the best candidates of any two slots are searched.
    """
    n = len(order)
    for place in range(n):
        _show(rules, stock, cards, page, heads, best[order[place]], order[place])
    regrets, turn = np.empty(n), np.empty(n, np.int64)
    hopes, bests = np.empty((n, len(rules) + 1, 2)), np.empty((len(stock), 2))
    better = True
    while better and budget > 0:
        _sort_by_regret(turn, regrets, cards, page, worth, gains, order)
        first = 0
        _hope(hopes, bests, rules, stock, cards, page, worth, order)
        better = False
        while first < n and regrets[turn[first]] > 0 and budget > 0 and not better:
            one = turn[first]
            for other in range(n):
                budget -= 1
                if one != other and _is_hopeful(hopes, page, worth, gains, order, one, other):
                    better, budget = _exchange(
                        rules, stock, cards, page, heads, worth, gains, order[one], order[other],
                        hopes[other, len(rules), 0], budget,
                    )  # fmt: skip
                    if better:
                        break
            first += 1
        if wide and not better:
            better, budget = _search_pairs(
                best, rules, stock, cards, page, heads, cursors, starts, sums, worth, gains,
                order, turn, regrets, budget,
            )  # fmt: skip
    _copy(best, page)


@inner
def _search_pairs(
    best, rules, stock, cards, page, heads, cursors, starts, sums, worth, gains, order, turn,
    regrets, budget,
):  # fmt: skip
    """Search the best for each two slots; tell whether any was better, and the looks left."""
    two, better = np.empty(2, np.int64), False
    for first in range(len(order)):
        one = turn[first]
        if regrets[one] <= 0 or budget <= 0:
            break
        for other in range(len(order)):
            if other == one or budget <= 0:
                continue
            two[0], two[1] = order[min(one, other)], order[max(one, other)]
            left, right = page[two[0]], page[two[1]]
            value = gains[two[0]] * worth[left] + gains[two[1]] * worth[right]
            _hide(rules, stock, cards, page, heads, two[0])
            _hide(rules, stock, cards, page, heads, two[1])
            found, budget = _search(
                best, rules, stock, cards, page, heads, cursors, starts, sums, worth, gains,
                two, len(two), value, np.inf, budget - 2,
            )  # fmt: skip
            if found > value:
                better = True
                left, right = best[two[0]], best[two[1]]
            _show(rules, stock, cards, page, heads, left, two[0])
            _show(rules, stock, cards, page, heads, right, two[1])
    return better, budget


@inner
def _exchange(rules, stock, cards, page, heads, worth, gains, slot, against, hope, budget):
    """Put a better candidate into a slot if another slot can make room; return the looks left.

    hope  at most so much is worth what the other slot gets
    """
    own, other = page[slot], page[against]
    value = gains[slot] * worth[own] + gains[against] * worth[other]
    value += 1e-12 * value
    hope = max(hope, worth[own])
    _hide(rules, stock, cards, page, heads, slot)
    _hide(rules, stock, cards, page, heads, against)
    row = _NONE
    while (
        row < len(cards) and budget > 0 and gains[slot] * worth[row] + gains[against] * hope > value
    ):
        budget -= 1
        if heads[cards[row, _KIND]] == row and _fits(rules, stock, cards, page, row, slot):
            _show(rules, stock, cards, page, heads, row, slot)
            second = _NONE
            while (
                second < len(cards)
                and budget > 0
                and gains[slot] * worth[row] + gains[against] * worth[second] > value
            ):
                budget -= 1
                if heads[cards[second, _KIND]] == second and _fits(
                    rules, stock, cards, page, second, against
                ):
                    _show(rules, stock, cards, page, heads, second, against)
                    return True, budget
                second += 1
            _hide(rules, stock, cards, page, heads, slot)
        row += 1
    _show(rules, stock, cards, page, heads, own, slot)
    _show(rules, stock, cards, page, heads, other, against)
    return False, budget


@inner
def _hope(hopes, bests, rules, stock, cards, page, worth, order):
    """Note what may come if a slot makes room in a cell that is full.

    hopes  (n_places, n_rules + 1, 2) float64, written: for each rule what the best of the slot's
           cell is worth that is not shown, and the best for the slot that is not of this cell; -1
           where the cell is not full; in the end the best for the slot
    bests  (n_cells, 2) float64, scratch: the best not shown of a cell, and the best that nothing
           but this cell keeps out
    """
    lowest = np.inf
    for place in range(len(order)):
        lowest = min(lowest, worth[page[order[place]]])
    zone, free, n_rules = -1, -1.0, len(rules)
    for place in range(len(order)):
        slot = order[place]
        inside = 0
        for rule in range(n_rules):
            inside += slot < rules[rule, SIZE] or rules[rule, SLIDING] != 0
        if inside != zone:
            zone = inside
            free = _see_bests(bests, rules, stock, cards, worth, slot, lowest)
        hopes[place, n_rules, 0] = free
        for rule in range(n_rules):
            cell = cards[page[slot], _CELLS + rule]
            hopes[place, rule, 0] = hopes[place, rule, 1] = -1.0
            if _is_full(rules, stock, rule, cell, slot) or rules[rule, SLIDING]:
                hopes[place, rule, 0] = bests[cell, 0]
                hopes[place, n_rules, 0] = max(hopes[place, n_rules, 0], bests[cell, 1])
                hopes[place, rule, 1] = free
                for another in range(n_rules):
                    if another != rule:
                        beside = cards[page[slot], _CELLS + another]
                        hopes[place, rule, 1] = max(hopes[place, rule, 1], bests[beside, 1])


@inlined
def _is_full(rules, stock, rule, cell, slot):
    """Tell whether a window that does not slide has no room for more of a cell in a slot."""
    return (
        cell != rules[rule, _REST]
        and not rules[rule, SLIDING]
        and slot < rules[rule, SIZE]
        and stock[cell, _SHOWN] >= rules[rule, HARD]
    )


@inner
def _see_bests(bests, rules, stock, cards, worth, slot, lowest):
    """Note the best not shown of each cell, for a slot; return the worth of what nothing keeps out.

    lowest  who is worth less helps no slot
    """
    for cell in range(len(bests)):
        bests[cell, 0] = bests[cell, 1] = -1.0
    free, row = -1.0, 0
    while row < len(cards) and (worth[row] > lowest or free < 0):
        if not cards[row, _USED]:
            full, full_cell = 0, 0
            for rule in range(len(rules)):
                cell = cards[row, _CELLS + rule]
                bests[cell, 0] = max(bests[cell, 0], worth[row])
                if _is_full(rules, stock, rule, cell, slot):
                    full += 1
                    full_cell = cell
            if full == 0:
                free = max(free, worth[row])
            elif full == 1:
                bests[full_cell, 1] = max(bests[full_cell, 1], worth[row])
        row += 1
    return free


@inner
def _is_hopeful(hopes, page, worth, gains, order, one, other):
    """Tell whether a place may gain more than another loses that makes room for it."""
    slot, against = order[one], order[other]
    own, others = worth[page[slot]], worth[page[against]]
    if others > own and against > slot:
        return True
    for rule in range(hopes.shape[1] - 1):
        gain = gains[slot] * (hopes[other, rule, 0] - own)
        if gain > 0 and gain > gains[against] * (others - max(hopes[other, rule, 1], own)):
            return True
    return False


@inner
def _sort_by_regret(turn, regrets, cards, page, worth, gains, order):
    """Sort places by what each slot could gain at most."""
    row, behind = 0, -1.0
    while row < len(cards) and cards[row, _USED]:
        row += 1
    if row < len(cards):
        behind = worth[row]
    for place in range(len(order) - 1, -1, -1):
        own = worth[page[order[place]]]
        regrets[place] = gains[order[place]] * (behind - own)
        behind = max(behind, own)
    for place in range(len(order)):
        at = place
        while at > 0 and regrets[turn[at - 1]] < regrets[place]:
            turn[at] = turn[at - 1]
            at -= 1
        turn[at] = place


@inner
def _open_slots(n, claimed, count):
    """Return the slots that no pin claims, in order."""
    order, still = np.empty(n - count, np.int64), 0
    for slot in range(n):
        is_claimed = False
        for claim in range(count):
            is_claimed |= claimed[claim] == slot
        if not is_claimed:
            order[still] = slot
            still += 1
    return order


@inner
def _value(best, order, worth, gains):
    """Return what the slots of ``order`` are worth."""
    total = 0.0
    for place in range(len(order)):
        total += gains[order[place]] * worth[best[order[place]]]
    return total


@inner
def _are_plain(rules):
    """Tell whether no rule is above its base within a total."""
    for rule in range(len(rules)):
        if rules[rule, HARD] > rules[rule, BASE] and rules[rule, TOTAL] < LARGE:
            return False
    return True


@inner
def _is_small(m, n_open):
    """Tell whether all ways to fill the open slots can be tried."""
    ways = 1.0
    for place in range(n_open):
        ways *= m - place
    return ways <= _FEW_WAYS


@kernel(
    written(i32),
    written(flag),
    read(i64, 2),
    read(i32, 2),
    read(i64),
    read(flag, 2),
    read(f32),
    i64,
    i64,
)
def fill_slots(page, met, table, codes, pins, masks, scores, budget, polish):
    """Fill a page as well as may be; return the looks left, -1 minus those if no page was found.

    page    (n,) int32, written: the candidate in each slot; n is at most the candidates there are
    met     (n_pins,) bool, written: whether the pin's slot holds a candidate that matches
    table   (n_rules, columns) int64, what ``SIZE`` to ``QUOTA`` name
    codes   (n_rules, n_candidates) int32, groups, -1 where a rule does not count; any numbers of
            QUOTA rules but 0 count as 1
    pins    (n_pins,) int64, the slot of each pin, from 0, below n; what comes first matters more
    masks   (n_pins, n_candidates) bool, who matches it
    scores  (n_candidates,) float32, best first
    budget  looks to find a page; 0 and below find none
    polish  further looks to find a better one
    """
    n, m = len(page), len(scores)
    if m < n:
        return -1
    rules = _rules_of(table)
    cards, heads, n_cells = _cards_of(rules, codes, masks, m)
    stock = _stock_of(rules, cards, n_cells, n)
    best, desk_page = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    cursors, starts = np.empty(n + 1, np.int64), np.empty(n + 1, np.int64)
    sums, worth, gains = np.empty((n + 1, 2)), np.empty(m), np.empty(n)
    _worth(worth, scores)
    for slot in range(n):
        gains[slot] = 1.0 / np.log2(2.0 + slot)
    found, budget, order = _find(
        best, met, rules, stock, cards, desk_page, heads, cursors, starts, sums, worth, gains, pins,
        masks, budget,
    )  # fmt: skip
    if found < 0:
        return -1 - max(budget, 0)
    if _is_small(m, len(order)):
        found, budget = _search(
            best, rules, stock, cards, desk_page, heads, cursors, starts, sums, worth, gains,
            order, len(order), found, np.inf, budget if polish > 0 else 0,
        )  # fmt: skip
    else:
        _polish(
            best, rules, stock, cards, desk_page, heads, cursors, starts, sums, worth, gains,
            order, polish, polish > _NARROW_LOOKS,
        )  # fmt: skip
    for slot in range(n):
        page[slot] = best[slot]
    return budget
