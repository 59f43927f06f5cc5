import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.data.event import EVENT_TYPES
from recopersona.data.interactions import Interactions
from recopersona.data.returns import kept_quantity, kept_rows

VIEW, PURCHASE, RETURN = (EVENT_TYPES.index(name) for name in ("view", "purchase", "return"))


def kept_by_hand(users, items, events, times, quantities):
    return [left > 0 for left in left_by_hand(users, items, events, times, quantities)]


def left_by_hand(users, items, events, times, quantities):
    """The slow twin: a pile of purchases per pair, and every return takes from its top."""
    piles = {}
    kept = [0 if event == RETURN else much for event, much in zip(events, quantities, strict=True)]
    for row in sorted(range(len(users)), key=lambda row: (times[row], row)):
        pile = piles.setdefault((users[row], items[row]), [])
        if events[row] == PURCHASE:
            pile.append([row, quantities[row]])
        elif events[row] == RETURN:
            left = quantities[row]
            while left > 0 and pile:
                bought, there = pile[-1]
                if there > left:
                    kept[bought] = pile[-1][1] = there - left
                    break
                kept[bought] = 0
                left -= there
                pile.pop()
    return kept


def rows(users, items, events, times=None, quantities=None):
    return Interactions(
        users=np.array(users), items=np.array(items), event=np.array(events),
        weight=np.ones(len(users)), timestamp=None if times is None else np.array(times),
        quantity=None if quantities is None else np.array(quantities),
    )  # fmt: skip


logs = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 2), st.sampled_from([VIEW, PURCHASE, PURCHASE, RETURN]),
        st.integers(0, 10), st.integers(1, 5),
    ),
    max_size=60,
)  # fmt: skip


@given(logs)
def test_the_fast_way_agrees_with_a_pile_per_pair(log):
    users, items, events, times, quantities = zip(*log, strict=True) if log else 5 * [()]
    kept = kept_rows(rows(users, items, events, times, quantities))
    expected = kept_by_hand(users, items, events, times, quantities)
    assert (expected if RETURN in events else None) == (None if kept is None else kept.tolist())


@given(logs)
def test_a_purchase_returned_in_part_keeps_the_rest(log):
    users, items, events, times, quantities = zip(*log, strict=True) if log else 5 * [()]
    left = kept_quantity(rows(users, items, events, times, quantities))
    assert left.tolist() == pytest.approx(left_by_hand(users, items, events, times, quantities))
    without = kept_quantity(rows(users, items, events, times))
    assert without.tolist() == left_by_hand(users, items, events, times, [1] * len(users))


@given(logs)
def test_without_quantities_every_event_is_of_one_piece(log):
    users, items, events, times, _ = zip(*log, strict=True) if log else 5 * [()]
    kept = kept_rows(rows(users, items, events, times))
    if kept is not None:
        assert kept.tolist() == kept_by_hand(users, items, events, times, [1] * len(users))


@given(logs)
def test_without_times_the_order_of_rows_counts(log):
    users, items, events, _, quantities = zip(*log, strict=True) if log else 5 * [()]
    kept = kept_rows(rows(users, items, events, None, quantities))
    if kept is not None:
        order = list(range(len(users)))
        assert kept.tolist() == kept_by_hand(users, items, events, order, quantities)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_fractions_are_undone_like_pieces(tenths):
    quantities = [0.1 * tenth for tenth in tenths]
    back = [*quantities, *reversed(quantities)]
    events = [PURCHASE] * len(tenths) + [RETURN] * len(tenths)
    same = [0] * len(back)
    for n_back in range(1, len(tenths) + 1):
        end = len(tenths) + n_back
        kept = kept_rows(rows(same[:end], same[:end], events[:end], None, back[:end]))
        assert kept.sum() == len(tenths) - n_back


def test_parts_that_add_up_but_for_rounding_undo_a_purchase():
    kept = kept_rows(rows([0] * 3, [0] * 3, [PURCHASE, RETURN, RETURN], None, [0.3, 0.1, 0.2]))
    assert not kept.any()


def test_one_huge_order_spoils_no_small_one():
    n_pairs, quantities = 2_000, [0.3, 0.1, 0.1]
    users = np.repeat(np.arange(n_pairs), 3)
    quantity = np.tile(quantities, n_pairs)
    quantity[0] = 1e7
    events = [PURCHASE, PURCHASE, RETURN] * n_pairs
    kept = kept_rows(rows(users, 0 * users, events, None, quantity))
    assert kept.tolist() == [True, False, False] * n_pairs


def test_the_latest_purchase_goes_first():
    kept = kept_rows(rows([0] * 3, [0] * 3, [PURCHASE, PURCHASE, RETURN]))
    assert kept.tolist() == [True, False, False]


def test_a_purchase_returned_in_part_stays():
    kept = kept_rows(rows([0] * 2, [0] * 2, [PURCHASE, RETURN], None, [3, 2]))
    assert kept.tolist() == [True, False]


def test_two_partial_returns_undo_a_purchase():
    kept = kept_rows(rows([0] * 3, [0] * 3, [PURCHASE, RETURN, RETURN], None, [3, 2, 1]))
    assert kept.tolist() == [False, False, False]


def test_a_return_without_a_purchase_undoes_nothing_later():
    kept = kept_rows(rows([0] * 2, [0] * 2, [RETURN, PURCHASE]))
    assert kept.tolist() == [False, True]


def test_a_return_is_of_the_same_item_and_user():
    kept = kept_rows(rows([0, 1, 0], [0, 0, 1], [PURCHASE, RETURN, RETURN]))
    assert kept.tolist() == [True, False, False]


def test_views_of_a_returned_item_stay():
    kept = kept_rows(rows([0] * 3, [0] * 3, [VIEW, PURCHASE, RETURN]))
    assert kept.tolist() == [True, False, False]


@pytest.mark.parametrize("events", [[], [VIEW, PURCHASE]])
def test_a_log_without_returns_has_nothing_to_leave_out(events):
    assert kept_rows(rows([0] * len(events), [0] * len(events), events)) is None
