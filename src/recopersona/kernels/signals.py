"""Signals of a shop, kept up to date event by event and read as of any moment.

One pass goes through events and questions in order of time. A question is answered from the events
before it and from nothing else, so that what was computed for a year of logged rows is, bit for
bit, what one event and one request at a time would have given.

All state lies in one growing array of numbers, ``values``. A *page* of it belongs to one key of one
table: the user's page of a table per user, the page of a (user, category) pair, and so on. A hash
table finds a page by its key. Every page begins with the time of its latest event; tallies follow,
or, in the four fixed tables, what is known of a user's visit and orders, an item's price, and a
(user, item) pair's place in the cart.

Times are float64 milliseconds inside pages, exact for three hundred thousand years.
"""

from __future__ import annotations

import math

import numpy as np

from recopersona.kernels.compiling import f64, i8, i32, i64, inlined, kernel, read, written
from recopersona.kernels.prefetch import fetch_ahead, fetch_place

VISITS, ORDERS, PRICES, GOODS = 0, 1, 2, 3
FIXED_TABLES = 4
"""Tables below this number are the fixed ones; tallies are numbered from here on."""

USER, ITEM, PRICE_BAND, CATEGORY = 0, 1, 2, 3
FIXED_PARTS = 4
"""The columns of parts that have a fixed meaning; others are at the caller's choice."""

_AHEAD = 8  # rows between asking for memory and using it
RECENT = 8  # items of the visit that are remembered, and their categories

_LAST, _START, _EVENTS, _CATEGORIES, _ITEM_RING = 0, 1, 2, 3, 4
_CATEGORY_RING = _ITEM_RING + RECENT
_VISIT_SIZE = _CATEGORY_RING + RECENT
_ORDER, _ORDER_TIME, _ORDER_SIZE = 1, 2, 3
_PRICE, _PRICE_SIZE = 1, 2
_IN_CART, _BOUGHT_AT, _GOODS_SIZE = 1, 2, 3
FIXED_PAGE_SIZES = (_VISIT_SIZE, _ORDER_SIZE, _PRICE_SIZE, _GOODS_SIZE)
LARGEST_FIXED_PAGES = sum(FIXED_PAGE_SIZES)
"""Numbers that one event can add to ``values`` in the fixed tables."""

_IMPRESSION, _CART, _REMOVE, _PURCHASE, _RETURN = 0, 5, 6, 8, 9
_BANDS_PER_DOUBLING = 2.0
_DAY = 86_400_000.0

FACTS = (
    "events", "weight", "quantity", "money", "log_price", "log_price_squared", "dwell", "scroll",
    "time", "orders", "sessions", "carted", "cart_bought", "gap",
    "priced", "dwelt", "scrolled", "repurchases",
)  # fmt: skip
"""What is known of one event, in this order; a tally sums one of them. NaN where unknown.

events 1 · weight · quantity pieces · money price times quantity · log_price, and its square ·
dwell seconds · scroll share of the page · time days since 1970 · orders 1 on the first line of an
order · sessions 1 on the first event of a visit · carted 1 where the item was not yet in the cart ·
cart_bought 1 where what is bought was in the cart · gap days since the user last bought the item ·
priced, dwelt, scrolled, repurchases 1 where log_price, dwell, scroll, gap are known
"""

EVENT_NUMBERS = ("price", "quantity", "weight", "dwell_ms", "scroll_pct", "order")
"""The columns of an event's numbers, in this order; NaN where unknown."""

ANSWERS = (
    "price", "price_band", "idle", "session_time", "session_events", "session_categories",
    "session_item_hits", "session_category_hits", "session_recent", "in_cart",
)  # fmt: skip
"""What a question is told beside its tallies.

price of the item, the question's own or the latest seen · its band · idle and session_time
milliseconds since the visitor's last event and since the visit began · session_events so far,
session_categories among the recent ones · how many of the session_recent items are the candidate,
and are of its category · in_cart 1 or 0
"""

SUM, LARGEST, SMALLEST = 0, 1, 2
"""What a tally keeps of its facts: their sum, decayed where it has a rate, or an extreme."""


@kernel(
    *(written(i64, 2), written(f64), written(i64), written(f64)),
    *(written(f64, 2), written(f64, 2)),
    *(read(i64), read(i8), read(i32, 2), read(f64, 2)),
    *(read(i64), read(i64), read(i32, 2), read(f64)),
    *(read(i32, 2), read(i64), read(f64, 2), read(i32), read(i32, 2), read(f64), read(i8)),
    read(f64),
    *(i64, i64, i64),
)
def follow(
    index, values, used, facts,
    tallies, answers,
    event_times, event_kinds, event_parts, event_numbers,
    row_times, visible, row_parts, row_prices,
    table_parts, bounds, weights, fact_of, where, rates, keeps,
    list_prices, gap, n_events, n_rows,
):  # fmt: skip
    """Take in events and answer questions, both in order of time.

    Before the call there must be room: a free place in the hash table for every key that the
    events may add, and that many pages in ``values``.

    index        (n_places, 2) int64, written: the hash table, n_places a power of two; a key, and
                 where its page begins with the table's number, see `_cell`; 0 where it is free
    values       (n,) float64, written: the pages
    used         (2,) int64, written: places and values in use
    facts        (n_facts,) float64, written: scratch
    tallies      (n_tallies, n_rows) float64, written
    answers      (n_answers, n_rows) float64, written
    event_times  (n_events,) int64 milliseconds, ascending but for events that come late
    event_kinds  (n_events,) int8
    event_parts  (n_events, n_parts) int32, -1 where unknown; the price band is found here
    event_numbers  (n_events, 6) float64
    row_times    (n_rows,) int64, ascending
    visible      (n_rows,) int64, how many events come before each question
    row_parts    (n_rows, n_parts) int32
    row_prices   (n_rows,) float64, NaN where the question does not say
    table_parts  (n_tables, 2) int32, the parts of each table's key, -1 for none
    bounds       (n_tables + 1,) int64, each table's tallies
    weights      (n_tallies, n_kinds) float64, what an event of each kind counts
    fact_of      (n_tallies,) int32
    where        (n_tallies, 2) int32, a part and the code it must have; -1 for always
    rates        (n_tallies,) float64, ln 2 / half-life in milliseconds, 0 for no decay
    keeps        (n_tallies,) int8
    list_prices  (n,) float64, the catalogue's price of the first n items, NaN where it has none
    gap          int64 milliseconds, after which a visit is over
    n_events, n_rows  int64, how many of them there are
    """
    event, visit = 0, -1
    for row in range(n_rows):
        _fetch_ahead(index, values, row_parts, row, n_rows, table_parts)
        fresh = row == 0 or row_times[row] != row_times[row - 1]
        while event < visible[row]:
            _take_in(
                index, values, used, facts, event, event_times, event_kinds, event_parts,
                event_numbers, table_parts, bounds, weights, fact_of, where, rates, keeps,
                list_prices, gap,
            )  # fmt: skip
            event += 1
            fresh = True
        now = float(row_times[row])
        user = row_parts[row, USER]
        if fresh or user != row_parts[row - 1, USER]:
            visit = _find(index, VISITS, user, 0) if user >= 0 else -1
        _answer(
            answers, row, now, index, values, row_parts, row_prices[row], list_prices, visit, gap
        )
        band = int(answers[1, row])
        for table in range(len(table_parts)):
            _read_page(
                tallies, row, table, now, fresh, band, answers, index, values, row_parts,
                table_parts, bounds, rates, keeps,
            )  # fmt: skip
    while event < n_events:
        _take_in(
            index, values, used, facts, event, event_times, event_kinds,
            event_parts, event_numbers, table_parts, bounds, weights, fact_of, where, rates,
            keeps, list_prices, gap,
        )  # fmt: skip
        event += 1


@kernel(written(i64, 2), read(i64, 2), i64)
def move_index(index, old, n_places):
    """Copy a hash table into a larger one.

    index     (n, 2) int64, written: 0 everywhere at first
    old       (m, 2) int64
    n_places  int64, m
    """
    for place in range(n_places):
        cell = old[place, 1]
        if cell != 0:
            key = int(old[place, 0])
            spot = _spot(index, (cell & _TABLE_MASK) - 1, key >> 32, key & 0xFFFFFFFF)
            index[spot, 0] = key
            index[spot, 1] = cell


_TABLE_BITS = 10
_TABLE_MASK = (1 << _TABLE_BITS) - 1
MOST_TABLES = _TABLE_MASK - 1


def split_cells(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the pages of cells begin, and the tables they belong to."""
    return cells >> _TABLE_BITS, (cells & _TABLE_MASK) - 1


@inlined
def _home(n_places, table, first, second):
    """Return the place where the search for a key begins."""
    # Numbers below 2**62 throughout, so that machine integers and Python's agree.
    mixed = (int(first) * 0x5BD1E995 + int(second) * 0x1B873593 + int(table) * 0x2C1B3C6D) & (
        (1 << 62) - 1
    )
    mixed = ((mixed ^ (mixed >> 27)) & 0x7FFFFFFF) * 0x3AC5D673
    mixed = ((mixed ^ (mixed >> 29)) & 0x7FFFFFFF) * 0x4CF5AD43
    return (mixed ^ (mixed >> 31)) & (n_places - 1)


@inlined
def _spot(index, table, first, second):
    """Return the place of a key, or the free one where it belongs."""
    spot = _home(len(index), table, first, second)
    key = (int(first) << 32) | int(second)
    while index[spot, 1] != 0 and (
        index[spot, 0] != key or (index[spot, 1] & _TABLE_MASK) != table + 1
    ):
        spot = (spot + 1) & (len(index) - 1)
    return spot


@inlined
def _find(index, table, first, second):
    """Return where a key's page begins, or -1."""
    spot = _spot(index, table, first, second)
    return index[spot, 1] >> _TABLE_BITS if index[spot, 1] != 0 else -1


@inlined
def _open(index, values, used, table, first, second, size):
    """Return where a key's page begins; a new one is blank: NaN, and no event yet."""
    spot = _spot(index, table, first, second)
    if index[spot, 1] == 0:
        index[spot, 0] = (int(first) << 32) | int(second)
        index[spot, 1] = (used[1] << _TABLE_BITS) | (table + 1)
        for place in range(used[1], used[1] + size):
            values[place] = np.nan
        used[0] += 1
        used[1] += size
    return index[spot, 1] >> _TABLE_BITS


@inlined
def _fetch_ahead(index, values, parts, row, n_rows, table_parts):
    """Ask the memory for what rows to come will want: first the places of keys, then the pages."""
    if row + 2 * _AHEAD < n_rows:
        _fetch_keys(index, values, parts, row + 2 * _AHEAD, table_parts, False)
    if row + _AHEAD < n_rows:
        _fetch_keys(index, values, parts, row + _AHEAD, table_parts, True)


@inlined
def _fetch_keys(index, values, parts, row, table_parts, pages):
    user, item = parts[row, USER], parts[row, ITEM]
    same_user = user == parts[row - 1, USER]
    if user >= 0 and item >= 0:
        _fetch_key(index, values, GOODS, user, item, pages)
        _fetch_key(index, values, PRICES, item, 0, pages)
        if not same_user:
            _fetch_key(index, values, VISITS, user, 0, pages)
    for table in range(len(table_parts)):
        if same_user and table_parts[table, 0] <= USER and table_parts[table, 1] < 0:
            continue  # it is at hand
        if table_parts[table, 0] == PRICE_BAND or table_parts[table, 1] == PRICE_BAND:
            continue  # the band is not known yet
        first = second = 0
        if table_parts[table, 0] >= 0:
            first = parts[row, table_parts[table, 0]]
        if table_parts[table, 1] >= 0:
            second = parts[row, table_parts[table, 1]]
        if first >= 0 and second >= 0:
            _fetch_key(index, values, table + FIXED_TABLES, first, second, pages)


@inlined
def _fetch_key(index, values, table, first, second, pages):
    """Ask for the place of a key, or, once that has come, for the page it most likely has."""
    home = _home(len(index), table, first, second)
    if pages:
        page = index[home, 1] >> _TABLE_BITS
        if page < len(values):
            fetch_place(values, page)
    else:
        fetch_ahead(index, home)


@inlined
def _band(price):
    """Return the half-octave that a price lies in, from 0 on; -1 where there is none."""
    if not (1e-6 < price < 1e15):
        return -1
    return math.floor(math.log2(price) * _BANDS_PER_DOUBLING) + 40


@inlined
def _part(parts, row, part, band):
    return band if part == PRICE_BAND else parts[row, part]


@inlined
def _take_in(
    index, values, used, facts, event, event_times, event_kinds, event_parts,
    event_numbers, table_parts, bounds, weights, fact_of, where, rates, keeps, list_prices, gap,
):  # fmt: skip
    """Add one event to all that is kept."""
    _fetch_ahead(index, values, event_parts, event, len(event_times), table_parts)
    now = float(event_times[event])
    kind = event_kinds[event]
    band = _observe(
        facts,
        index,
        values,
        used,
        now,
        kind,
        event_parts,
        event_numbers,
        event,
        list_prices,
        gap,
    )
    for table in range(len(table_parts)):
        first = second = 0
        if table_parts[table, 0] >= 0:
            first = _part(event_parts, event, table_parts[table, 0], band)
        if table_parts[table, 1] >= 0:
            second = _part(event_parts, event, table_parts[table, 1], band)
        if first < 0 or second < 0:
            continue
        start, end = bounds[table], bounds[table + 1]
        if not _concerns(kind, event_parts, event, facts, start, end, weights, fact_of, where):
            continue
        page = _open(
            index, values, used,
            table + FIXED_TABLES, first, second, 1 + end - start,
        )  # fmt: skip
        _add(
            values, page, now, kind, event_parts, event, facts, start, end, weights, fact_of,
            where, rates, keeps,
        )  # fmt: skip


@inlined
def _concerns(kind, event_parts, event, facts, start, end, weights, fact_of, where):
    """Tell whether an event counts in any of a table's tallies."""
    for tally in range(start, end):
        if _counts(kind, event_parts, event, facts, tally, weights, fact_of, where):
            return True
    return False


@inlined
def _counts(kind, event_parts, event, facts, tally, weights, fact_of, where):
    if weights[tally, kind] == 0.0 or math.isnan(facts[fact_of[tally]]):
        return False
    part = where[tally, 0]
    return part < 0 or event_parts[event, part] == where[tally, 1]


@inlined
def _add(
    values, page, now, kind, event_parts, event, facts, start, end, weights, fact_of, where,
    rates, keeps,
):  # fmt: skip
    """Bring a page to the event's time and add what it says; a late one counts as aged."""
    last = values[page]
    if math.isnan(last):
        last = now
    elapsed = now - last
    values[page] = max(now, last)
    rate, factor = 0.0, 1.0
    for tally in range(start, end):
        place = page + 1 + tally - start
        if rates[tally] != rate:
            rate = rates[tally]
            factor = math.exp(-rate * abs(elapsed))
        counts = _counts(kind, event_parts, event, facts, tally, weights, fact_of, where)
        value = values[place]
        if keeps[tally] == SUM:
            more = weights[tally, kind] * facts[fact_of[tally]] if counts else 0.0
            value = 0.0 if math.isnan(value) else value
            if rate == 0.0:
                value += more
            elif elapsed >= 0.0:
                value = value * factor + more
            else:
                value += more * factor
        elif counts:
            fact = facts[fact_of[tally]]
            if math.isnan(value) or (fact > value) == (keeps[tally] == LARGEST):
                value = fact
        values[place] = value


@inlined
def _observe(
    facts,
    index,
    values,
    used,
    now,
    kind,
    event_parts,
    event_numbers,
    event,
    list_prices,
    gap,
):
    """Write the facts of one event, moving on visits, orders, prices and carts; return its band."""
    user = event_parts[event, USER]
    item = event_parts[event, ITEM]
    price = event_numbers[event, 0]
    quantity = event_numbers[event, 1]
    if math.isnan(quantity):
        quantity = 1.0
    for fact in range(len(facts)):
        facts[fact] = np.nan
    if item >= 0:
        price = _follow_price(index, values, used, item, now, price, list_prices)
    facts[0] = 1.0
    facts[1] = event_numbers[event, 2]
    facts[2] = quantity
    facts[3] = price * quantity
    if price > 0.0:
        facts[4] = math.log(price)
        facts[5] = facts[4] * facts[4]
    facts[6] = event_numbers[event, 3] / 1_000.0
    facts[7] = event_numbers[event, 4] / 100.0
    facts[8] = now / _DAY
    _mark_known(facts)
    if user >= 0 and kind == _PURCHASE:
        _follow_order(facts, index, values, used, user, now, event_numbers[event, 5])
    if user >= 0 and kind != _RETURN:
        _follow_visit(
            facts, index, values, used, user, item, event_parts[event, CATEGORY],
            now, kind, gap,
        )  # fmt: skip
    if user >= 0 and item >= 0 and kind in (_CART, _REMOVE, _PURCHASE):
        _follow_goods(facts, index, values, used, user, item, now, kind)
    return _band(price)


@inlined
def _mark_known(facts):
    """Let means be taken over the events that say something: what they are divided by."""
    if not math.isnan(facts[4]):
        facts[14] = 1.0
    if not math.isnan(facts[6]):
        facts[15] = 1.0
    if not math.isnan(facts[7]):
        facts[16] = 1.0


@inlined
def _follow_price(index, values, used, item, now, price, list_prices):
    """Return the price of an event's item: its own, else the latest that was seen."""
    if math.isnan(price):
        return _price_of(index, values, item, list_prices)
    page = _open(index, values, used, PRICES, item, 0, _PRICE_SIZE)
    if not values[page] > now:
        values[page] = now
        values[page + _PRICE] = price
    return price


@inlined
def _price_of(index, values, item, list_prices):
    """Return an item's latest price, before the first one the catalogue's."""
    page = _find(index, PRICES, item, 0)
    if page >= 0:
        return values[page + _PRICE]
    return list_prices[item] if item < len(list_prices) else np.nan


@inlined
def _follow_order(facts, index, values, used, user, now, order):
    """Tell whether a purchase begins an order: another number, or none and another moment."""
    page = _open(index, values, used, ORDERS, user, 0, _ORDER_SIZE)
    same_number = order == values[page + _ORDER]
    both_unnumbered = math.isnan(order) and math.isnan(values[page + _ORDER])
    if not (same_number or (both_unnumbered and values[page + _ORDER_TIME] == now)):
        facts[9] = 1.0
    values[page] = max(now, values[page]) if values[page] == values[page] else now
    values[page + _ORDER] = order
    values[page + _ORDER_TIME] = now


@inlined
def _follow_visit(facts, index, values, used, user, item, category, now, kind, gap):
    """Add an event to the visit it belongs to; one that comes late belongs to none."""
    page = _open(index, values, used, VISITS, user, 0, _VISIT_SIZE)
    last = values[page + _LAST]
    if last > now:
        return
    if not now - last <= gap:
        facts[10] = 1.0
        values[page + _START] = now
        values[page + _EVENTS] = 0.0
        values[page + _CATEGORIES] = 0.0
        for place in range(page + _ITEM_RING, page + _VISIT_SIZE):
            values[place] = -1.0
    values[page + _LAST] = now
    if kind == _IMPRESSION:
        return
    n_events = int(values[page + _EVENTS])
    values[page + _EVENTS] = n_events + 1.0
    if item < 0:
        return
    values[page + _ITEM_RING + n_events % RECENT] = item
    values[page + _CATEGORY_RING + n_events % RECENT] = category
    values[page + _CATEGORIES] = _n_distinct(values, page + _CATEGORY_RING)


@inlined
def _n_distinct(values, start):
    """Return how many different codes of at least 0 there are among the recent ones."""
    distinct = 0.0
    for place in range(start, start + RECENT):
        new = values[place] >= 0.0
        for before in range(start, place):
            if values[before] == values[place]:
                new = False
        if new:
            distinct += 1.0
    return distinct


@inlined
def _follow_goods(facts, index, values, used, user, item, now, kind):
    """Put an item into the cart or take it out, and measure the time between two purchases.

    What comes late is counted, and leaves the cart as later events have made it.
    """
    page = _open(index, values, used, GOODS, user, item, _GOODS_SIZE)
    in_cart = values[page + _IN_CART] == 1.0
    is_late = values[page] > now
    if not is_late:
        values[page] = now
    if kind == _CART:
        if not in_cart:
            facts[11] = 1.0
        if not is_late:
            values[page + _IN_CART] = 1.0
        return
    if kind == _PURCHASE:
        if in_cart:
            facts[12] = 1.0
        before = values[page + _BOUGHT_AT]
        if now > before:
            facts[13] = (now - before) / _DAY
            facts[17] = 1.0
        if not before > now:
            values[page + _BOUGHT_AT] = now
    if not is_late:
        values[page + _IN_CART] = 0.0


@inlined
def _answer(answers, row, now, index, values, row_parts, price, list_prices, visit, gap):
    """Write what a question is told of the item's price, the visit and the cart."""
    user = row_parts[row, USER]
    item = row_parts[row, ITEM]
    if math.isnan(price) and item >= 0:
        price = _price_of(index, values, item, list_prices)
    answers[0, row] = price
    answers[1, row] = _band(price)
    for answer in range(3, 10):
        answers[answer, row] = 0.0
    answers[2, row] = np.nan
    if visit >= 0:
        answers[2, row] = now - values[visit + _LAST]
        if answers[2, row] <= gap:
            answers[3, row] = now - values[visit + _START]
            answers[4, row] = values[visit + _EVENTS]
            answers[5, row] = values[visit + _CATEGORIES]
            _answer_hits(answers, row, values, visit, item, row_parts[row, CATEGORY])
    if user >= 0 and item >= 0:
        page = _find(index, GOODS, user, item)
        if page >= 0 and values[page + _IN_CART] == 1.0:
            answers[9, row] = 1.0


@inlined
def _answer_hits(answers, row, values, visit, item, category):
    """Count the recent items of the visit that are the candidate, or of its category."""
    for ring in range(RECENT):
        seen = values[visit + _ITEM_RING + ring]
        if seen < 0.0:
            continue
        answers[8, row] += 1.0
        if seen == item:
            answers[6, row] += 1.0
        seen_category = values[visit + _CATEGORY_RING + ring]
        if seen_category >= 0.0 and seen_category == category:
            answers[7, row] += 1.0


@inlined
def _read_page(
    tallies, row, table, now, fresh, band, answers, index, values, row_parts,
    table_parts, bounds, rates, keeps,
):  # fmt: skip
    """Write a table's tallies as of now; where nothing was counted, sums are 0 and others NaN."""
    first = second = 0
    same = not fresh
    if table_parts[table, 0] >= 0:
        first = _part(row_parts, row, table_parts[table, 0], band)
        same = same and first == _before(row_parts, row, table_parts[table, 0], answers)
    if table_parts[table, 1] >= 0:
        second = _part(row_parts, row, table_parts[table, 1], band)
        same = same and second == _before(row_parts, row, table_parts[table, 1], answers)
    start, end = bounds[table], bounds[table + 1]
    if same:
        for tally in range(start, end):
            tallies[tally, row] = tallies[tally, row - 1]
        return
    page = -1
    if first >= 0 and second >= 0:
        page = _find(index, table + FIXED_TABLES, first, second)
    rate, factor = 0.0, 1.0
    for tally in range(start, end):
        value = values[page + 1 + tally - start] if page >= 0 else np.nan
        if keeps[tally] == SUM:
            if math.isnan(value):
                value = 0.0
            if rates[tally] != rate and page >= 0:
                rate = rates[tally]
                factor = math.exp(-rate * max(now - values[page], 0.0))
            if rates[tally] != 0.0:
                value *= factor
        tallies[tally, row] = value


@inlined
def _before(parts, row, part, answers):
    """Return the code that the question before had."""
    return int(answers[1, row - 1]) if part == PRICE_BAND else parts[row - 1, part]
