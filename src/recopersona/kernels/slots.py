"""Fill the slots of one page: the best order of candidates under pins, caps and quotas.

Everything is a cap here: in a full list "at least 2 of 5 that match" is "at most 3 of 5 that do
not". A rule numbers the candidates' groups, and what it does not count stands in a cell of its own
behind them. Candidates that all rules see alike are one kind, and of a kind the best goes first.

The search walks the open slots in order, tries the kinds best first, and turns back where what is
left cannot fill the rest any more (`_can_go_on`). The first way through is what a greedy hand with
an eye on the rest would find. Its cost is counted in looks: candidates looked at for a slot.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from recopersona.kernels.compiling import f32, flag, i32, i64, inner, kernel, read, written

SIZE, SLIDING, BASE, HARD, TOTAL, QUOTA = range(6)
"""Columns of the table of rules: slots of the window; whether it slides; how many of a group it may
hold; how many at the very most; how many above ``BASE`` in all windows together; whether only
group 0 counts, and candidates of code 1 do not."""

_FIRST, _REST, _OPEN, _OVER = range(6, 10)
_COLUMNS = 10
_LARGE = 1 << 60

# rules   (n_rules, columns) the table, then the first cell, the cell that does not count, the open
#         slots of the window and how much is above BASE so far
# quotas  the rules with QUOTA whose window does not slide
# cells   (n_candidates, n_rules), the cell of each candidate
# counts  (n_cells,) shown so far: in the window, or, where it slides, on the whole page
# supply  (n_cells,) candidates not shown yet
# pairs   (n_quotas, n_cells) those of them that match the quota
# rooms   (n_rules, 2) how many more could be shown, below BASE and below HARD
# both    (n_rules, n_quotas) those of them that could match the quota
# page    (n,) the candidate in each slot, -1 where it is open
# kinds, following, heads: of each candidate its kind and the next of it; of each kind its best that
#         is not shown, -1 at its end
# left    (1,) open slots
_Desk = namedtuple(
    "_Desk",
    "rules quotas cells counts supply pairs rooms both page kinds following heads worth gains left",
)


@inner
def _number(numbers, keys):
    """Number equal keys alike, from 0 in order of appearance; return how many there are."""
    size = 16
    while size < 2 * len(keys):
        size *= 2
    table = np.full(size, -1, np.int32)
    known = np.empty(len(keys), np.int64)
    count = 0
    for row in range(len(keys)):
        key = keys[row]
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
def _number_cells(cells, rules, keys, codes):
    """Give each candidate a cell per rule, and a key of all its cells; count the cells."""
    n = len(keys)
    numbers, codes_of = np.empty(n, np.int64), np.empty(n, np.int64)
    cell, span = 0, 2.0**20
    for rule in range(len(rules)):
        groups = 1
        if not rules[rule, QUOTA]:
            for row in range(n):
                codes_of[row] = max(codes[rule, row], -1)
            groups = _number(numbers, codes_of)
        for row in range(n):
            code = codes[rule, row]
            if rules[rule, QUOTA]:
                number = min(max(code, 0), 1)
            else:
                number = numbers[row] if code >= 0 else groups
            cells[row, rule] = cell + number
        if span * (groups + 1) > 2.0**60:
            span = _number(numbers, keys) + 1.0
            keys[:] = numbers
        span *= groups + 1
        for row in range(n):
            keys[row] = keys[row] * (groups + 1) + cells[row, rule] - cell
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
            keys[:] = numbers
        span *= 2
        for row in range(len(keys)):
            keys[row] = 2 * keys[row] + masks[pin, row]
    if span > 1 << 18:
        _number(numbers, keys)
        keys[:] = numbers


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
def _desk(table, codes, masks, scores, n):
    """Lay out all that the search keeps in mind, with an empty page."""
    m, n_rules = len(scores), len(table)
    rules = np.zeros((n_rules, _COLUMNS), np.int64)
    for rule in range(n_rules):
        for column in range(QUOTA + 1):
            rules[rule, column] = table[rule, column]
    keys, cells = np.zeros(m, np.int64), np.empty((m, n_rules), np.int32)
    _key_of_pins(keys, masks)
    n_cells = _number_cells(cells, rules, keys, codes)
    kinds, following = np.empty(m, np.int64), np.full(m, -1, np.int64)
    heads = np.full(_number(kinds, keys), -1, np.int64)
    for row in range(m - 1, -1, -1):
        following[row] = heads[kinds[row]]
        heads[kinds[row]] = row
    worth, gains = np.empty(m, np.float64), np.empty(n, np.float64)
    _worth(worth, scores)
    for slot in range(n):
        gains[slot] = 1.0 / np.log2(2.0 + slot)
    n_quotas = 0
    quotas = np.empty(n_rules, np.int64)
    for rule in range(n_rules):
        if rules[rule, QUOTA] and not rules[rule, SLIDING]:
            quotas[n_quotas] = rule
            n_quotas += 1
    desk = _Desk(
        rules, quotas[:n_quotas], cells, np.zeros(n_cells, np.int64), np.zeros(n_cells, np.int64),
        np.zeros((n_quotas, n_cells), np.int64), np.zeros((n_rules, 2), np.int64),
        np.zeros((n_rules, n_quotas), np.int64), np.full(n, -1, np.int64), kinds, following, heads,
        worth, gains, np.full(1, n, np.int64),
    )  # fmt: skip
    _count_supply(desk)
    return desk


@inner
def _count_supply(desk):
    """Count what there is before anything is shown."""
    rules, cells, quotas = desk.rules, desk.cells, desk.quotas
    for row in range(len(cells)):
        for rule in range(len(rules)):
            desk.supply[cells[row, rule]] += 1
        for quota in range(len(quotas)):
            if cells[row, quotas[quota]] == rules[quotas[quota], _REST]:
                for rule in range(len(rules)):
                    desk.pairs[quota, cells[row, rule]] += 1
    for rule in range(len(rules)):
        rules[rule, _OPEN] = min(rules[rule, SIZE], len(desk.page))
        for cell in range(rules[rule, _FIRST], rules[rule, _REST] + 1):
            _count_room(desk, rule, cell, 1)


@inner
def _count_room(desk, rule, cell, sign):
    """Add or take away what one cell could still bring into a window."""
    rules = desk.rules
    below, most = desk.supply[cell], _LARGE
    if cell != rules[rule, _REST]:
        most = rules[rule, HARD] - desk.counts[cell]
        below = min(below, max(rules[rule, BASE] - desk.counts[cell], 0))
    desk.rooms[rule, 0] += sign * below
    desk.rooms[rule, 1] += sign * min(desk.supply[cell], most)
    for quota in range(len(desk.quotas)):
        desk.both[rule, quota] += sign * min(desk.pairs[quota, cell], most)


@inner
def _above(desk, rule, cell, slot):
    """Return in how many windows one more would be above BASE; -1 if it would be above HARD."""
    size, base, hard = desk.rules[rule, SIZE], desk.rules[rule, BASE], desk.rules[rule, HARD]
    if cell == desk.rules[rule, _REST]:
        return 0
    if not desk.rules[rule, SLIDING]:
        if slot >= size or desk.counts[cell] < base:
            return 0
        return 1 if desk.counts[cell] < hard else -1
    if desk.counts[cell] < base or size < 1:
        return 0
    page, cells, n = desk.page, desk.cells, len(desk.page)
    start, above, held = max(0, slot - size + 1), 0, 0
    for place in range(start, start + size):
        held += page[place] >= 0 and cells[page[place], rule] == cell
    while True:
        if held >= hard:
            return -1
        above += held >= base
        if start >= slot or start + size >= n:
            return above
        held -= page[start] >= 0 and cells[page[start], rule] == cell
        start += 1
        last = page[start + size - 1]
        held += last >= 0 and cells[last, rule] == cell


@inner
def _fits(desk, row, slot):
    """Tell whether a candidate may stand in an open slot beside what is there."""
    for rule in range(len(desk.rules)):
        above = _above(desk, rule, desk.cells[row, rule], slot)
        if above < 0 or desk.rules[rule, _OVER] + above > desk.rules[rule, TOTAL]:
            return False
    return True


@inner
def _show(desk, row, slot):
    """Put a candidate that fits into an open slot."""
    for rule in range(len(desk.rules)):
        cell = desk.cells[row, rule]
        desk.rules[rule, _OVER] += max(_above(desk, rule, cell, slot), 0)
        _move(desk, rule, row, slot, 1)
    desk.page[slot] = row
    desk.heads[desk.kinds[row]] = desk.following[row]
    desk.left[0] -= 1


@inner
def _hide(desk, slot):
    """Take the candidate out of a slot again: of its kind the last that was shown."""
    row = desk.page[slot]
    desk.page[slot] = -1
    for rule in range(len(desk.rules)):
        cell = desk.cells[row, rule]
        _move(desk, rule, row, slot, -1)
        desk.rules[rule, _OVER] -= max(_above(desk, rule, cell, slot), 0)
    desk.heads[desk.kinds[row]] = row
    desk.left[0] += 1


@inner
def _move(desk, rule, row, slot, sign):
    """Move a candidate from what there is into a window, or back."""
    rules, cell = desk.rules, desk.cells[row, rule]
    counted = cell != rules[rule, _REST]
    if rules[rule, SLIDING]:
        desk.supply[cell] -= sign
        desk.counts[cell] += sign * counted
        return
    _count_room(desk, rule, cell, -1)
    desk.supply[cell] -= sign
    for quota in range(len(desk.quotas)):
        asked = desk.quotas[quota]
        if desk.cells[row, asked] == rules[asked, _REST]:
            desk.pairs[quota, cell] -= sign
    if slot < rules[rule, SIZE]:
        rules[rule, _OPEN] -= sign
        desk.counts[cell] += sign * counted
    _count_room(desk, rule, cell, 1)


@inner
def _wanted(desk, rule):
    """Return how many candidates that match a quota its open slots must get at least."""
    rules = desk.rules
    return rules[rule, _OPEN] - (rules[rule, HARD] - desk.counts[rules[rule, _FIRST]])


@inner
def _can_go_on(desk, slot):
    """Tell whether what is left may fill the open slots; all before ``slot`` are filled.

    No is sure. Yes is sure for one partition with quotas in windows of the same length.
    """
    rules, rooms = desk.rules, desk.rooms
    for rule in range(len(rules)):
        if rules[rule, SLIDING]:
            if not _can_slide(desk, rule, slot):
                return False
            continue
        still = rules[rule, _OPEN]
        spare = rules[rule, TOTAL] - rules[rule, _OVER]
        if still > 0 and (rooms[rule, 1] < still or rooms[rule, 0] + spare < still):
            return False
    for quota in range(len(desk.quotas)):
        asked = desk.quotas[quota]
        if rules[asked, _OPEN] > 0:
            wanted = _wanted(desk, asked)
            if wanted > 0 and not _can_serve(desk, quota, asked, wanted):
                return False
    return True


@inner
def _can_serve(desk, quota, asked, wanted):
    """Tell whether a quota can be had beside each other rule."""
    rules = desk.rules
    still = rules[asked, _OPEN]
    for rule in range(len(rules)):
        if rules[rule, SLIDING] or rule == asked:
            continue
        inside = rules[rule, _OPEN]
        have = desk.both[rule, quota]
        if inside < still:
            have = min(have, inside) + still - inside
        if have < wanted:
            return False
    for other in range(quota + 1, len(desk.quotas)):
        rule = desk.quotas[other]
        more = _wanted(desk, rule)
        if more > 0:
            shared = min(min(wanted, more), desk.pairs[other, rules[asked, _REST]])
            if wanted + more - shared > max(still, rules[rule, _OPEN]):
                return False
    return True


@inner
def _can_slide(desk, rule, slot):
    """Tell whether there are groups enough where the window slides over the open slots."""
    rules = desk.rules
    size, hard = rules[rule, SIZE], rules[rule, HARD]
    still, span = desk.left[0], len(desk.page) - slot
    if still < 1 or size < 1 or hard >= size:
        return True
    most = (span // size) * hard + min(span % size, hard)
    have = desk.supply[rules[rule, _REST]]
    for cell in range(rules[rule, _FIRST], rules[rule, _REST]):
        if have >= still:
            return True
        have += min(desk.supply[cell], most)
    return have >= still


@inner
def _search(best, desk, order, worst, first_only, budget):
    """Fill the slots of ``order``; return the value of the best way found and the looks left.

    best   (n,) int64, written: the page, where one was found
    worst  only ways worth more than this are found
    """
    n, m = len(order), len(desk.worth)
    cursors, values = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.float64)
    rests = np.zeros(n + 1, np.float64)
    found, depth, fresh = worst, 0, True
    while depth >= 0:
        if depth == n:
            found = values[n]
            best[:] = desk.page
            if first_only:
                break
        else:
            if fresh:
                cursors[depth] = 0
                rests[depth] = _most(desk, order, depth + 1)
            slot, row, down = order[depth], cursors[depth], False
            while row < m and budget > 0:
                value = values[depth] + desk.gains[slot] * desk.worth[row]
                if value + rests[depth] <= found + 1e-12 * abs(found):
                    break
                budget -= 1
                if desk.heads[desk.kinds[row]] == row and _fits(desk, row, slot):
                    _show(desk, row, slot)
                    after = order[depth + 1] if depth + 1 < n else len(desk.page)
                    if _can_go_on(desk, after):
                        down = True
                        break
                    _hide(desk, slot)
                row += 1
            if down:
                cursors[depth] = row + 1
                values[depth + 1] = value
                depth += 1
                fresh = True
                continue
        depth -= 1
        fresh = False
        if depth >= 0:
            _hide(desk, order[depth])
    for place in range(depth - 1, -1, -1):
        _hide(desk, order[place])
    return found, budget


@inner
def _most(desk, order, depth):
    """Return what the slots from ``depth`` on could be worth if there were no rules."""
    total, row, m = 0.0, 0, len(desk.worth)
    for place in range(depth, len(order)):
        # A candidate is free if the best of its kind that is not shown comes no later.
        while row < m and not 0 <= desk.heads[desk.kinds[row]] <= row:
            row += 1
        if row == m:
            return total
        total += desk.gains[order[place]] * desk.worth[row]
        row += 1
    return total


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
    line[count:] = -1


@inner
def _claim(met, claimed, domains, lists, seats, owners, pins, masks):
    """Take up pins in order, each that can be met beside those before; return the slots claimed.

    Two pins on one slot want a candidate that matches both.
    """
    count = 0
    for pin in range(len(pins)):
        claim = 0
        while claim < count and claimed[claim] != pins[pin]:
            claim += 1
        before = domains[claim].copy()
        if claim == count:
            claimed[claim], seats[claim] = pins[pin], -1
            domains[claim] = masks[pin]
        else:
            for row in range(len(before)):
                domains[claim, row] = before[row] and masks[pin, row]
        _list_best(lists[claim], domains[claim])
        held = seats[claim]
        if held >= 0 and domains[claim, held]:
            met[pin] = True
            continue
        if held >= 0:
            owners[held] = -1
        met[pin] = _seat(seats, owners, lists, claim, 0)
        if met[pin]:
            count = max(count, claim + 1)
        elif claim < count:
            domains[claim] = before
            _list_best(lists[claim], before)
            owners[held] = claim
    return count


@inner
def _reseat(seats, owners, lists, claim, row):
    """Give a claim this very candidate; tell whether those after it still find one."""
    other = owners[row]
    if seats[claim] != row:
        owners[seats[claim]] = -1
        seats[claim], owners[row] = row, claim
    if other < 0 or other == claim:
        return True
    if other < claim:
        return False
    return _seat(seats, owners, lists, other, claim + 1)


@inner
def _find(best, met, desk, pins, masks, budget):
    """Find a page with the best candidates in the pinned slots, or the next best that let it be.

    Return its value, -1 if there is none, and the looks left.
    """
    n, m = len(pins), len(desk.worth)
    claimed, seats = np.full(n + 1, -1, np.int64), np.full(n, -1, np.int64)
    domains, lists = np.zeros((n + 1, m), np.bool_), np.full((n + 1, n), -1, np.int64)
    owners = np.full(m, -1, np.int64)
    count = _claim(met, claimed, domains, lists, seats, owners, pins, masks)
    order = _open_slots(desk, claimed[:count])
    seated = np.empty((count + 1, n), np.int64)
    seated[0] = seats
    cursors = np.zeros(count + 1, np.int64)
    found, level = -1.0, 0
    while level >= 0:
        down = False
        if level == count:
            if _can_go_on(desk, 0):
                found, budget = _search(best, desk, order, -1.0, True, budget)
                if found >= 0:
                    break
        else:
            row = cursors[level]
            while row < m and budget > 0 and not down:
                budget -= 1
                if domains[level, row] and desk.heads[desk.kinds[row]] == row:
                    owners[:] = -1
                    seats[:] = seated[level]
                    for claim in range(count):
                        owners[seats[claim]] = claim
                    if _fits(desk, row, claimed[level]) and _reseat(
                        seats, owners, lists, level, row
                    ):
                        _show(desk, row, claimed[level])
                        down = True
                row += 1
            cursors[level] = row
        if down:
            level += 1
            seated[level] = seats
            cursors[level] = 0
            continue
        level -= 1
        if level >= 0:
            _hide(desk, claimed[level])
    return found, budget, order


@inner
def _open_slots(desk, claimed):
    """Return the slots that no pin claims, in order."""
    is_open = np.ones(len(desk.page), np.bool_)
    for slot in claimed:
        is_open[slot] = False
    return np.flatnonzero(is_open)


@inner
def _is_small(desk, n_open):
    """Tell whether all ways to fill the open slots can be tried."""
    ways = 1.0
    for place in range(n_open):
        ways *= min(len(desk.heads), len(desk.worth) - place)
    return ways <= _FEW


_FEW = 40_000.0


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
    """Fill a page as well as may be; return the looks left, -1 if no page was found.

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
    desk = _desk(table, codes, masks, scores, n)
    best = np.full(n, -1, np.int64)
    found, budget, order = _find(best, met, desk, pins, masks, budget)
    if found < 0:
        return -1
    if polish > 0 and _is_small(desk, len(order)):
        found, polish = _search(best, desk, order, found, False, polish)
    page[:] = best
    return budget
