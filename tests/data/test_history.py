"""What users did, against a plain list of events per user."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from recopersona.data import history as chapter
from recopersona.data import runs
from recopersona.data.event import ALL_EVENTS, EVENT_TYPES, event_bits, event_code
from recopersona.data.history import History
from recopersona.data.interactions import Interactions
from recopersona.data.times import MISSING_TIME
from recopersona.errors import DataError

LIMIT = 3
USERS = range(3)

event = st.tuples(
    st.integers(0, 2), st.integers(0, 3), st.sampled_from(["view", "cart", "purchase"]),
    st.integers(0, 4), st.integers(0, 9),
)  # fmt: skip


def rows(events, timed=True):
    users, items, kinds, weights, times = zip(*events, strict=True) if events else 5 * [()]
    return Interactions(
        np.array(users, np.int32), np.array(items, np.int32),
        np.array([event_code(kind) for kind in kinds], np.int8), np.array(weights, np.float32),
        np.array(times, np.int64) if timed else None,
    )  # fmt: skip


class Naive:
    """Every event of a user, in a list; times count only within what came at once."""

    def __init__(self):
        self.pairs = {}
        self.latest = {user: [] for user in USERS}

    def remember(self, events):
        for user, item, kind, weight, _ in events:
            kinds, total = self.pairs.get((user, item), (set(), 0))
            self.pairs[user, item] = kinds | {kind}, total + weight

    def taken(self, user):
        return {item: held for (who, item), held in sorted(self.pairs.items()) if who == user}

    def check(self, history):
        for user in USERS:
            taken = self.taken(user)
            assert history.seen(user).tolist() == list(taken)
            for kind in ("view", "purchase"):
                wanted = [item for item, (kinds, _) in taken.items() if kind in kinds]
                assert history.seen(user, [kind]).tolist() == wanted
            items, weights = history.taste(user)
            wanted = {item: weight for item, (_, weight) in taken.items() if weight > 0}
            assert dict(zip(items.tolist(), weights.tolist(), strict=True)) == wanted
        asked = np.array([2, -1, 0, 77, 1, 0], np.int32)
        for bits in (ALL_EVENTS, event_bits(["view"]), 0):
            bounds, items = history.seen_by(asked, bits)
            together = [row.tolist() for row in np.split(items, bounds[1:-1])]
            assert together == [history.seen_with(user, bits).tolist() for user in asked.tolist()]
            assert (bounds.dtype, items.dtype) == (np.int64, np.int32)


class Life(RuleBasedStateMachine):
    """Any mixture of adding, extending, forgetting, copying, folding and saving."""

    @initialize(events=st.lists(event, max_size=8))
    def start(self, events):
        self.history, self.naive = History(rows(events), limit=LIMIT), Naive()
        self.naive.remember(events)
        self.left_behind = None

    @rule(event=event)
    def add(self, event):
        self.history.add(*event)
        self.naive.remember([event])

    @rule(events=st.lists(event, max_size=6))
    def extend(self, events):
        self.history.extend(rows(events))
        self.naive.remember(events)

    @rule(users=st.lists(st.integers(0, 3)))
    def forget(self, users):
        self.history.forget(users)
        for pair in [pair for pair in self.naive.pairs if pair[0] in users]:
            del self.naive.pairs[pair]

    @rule()
    def copy(self):
        self.left_behind = self.history, dict(self.naive.pairs)
        self.history = self.history.copy()

    @rule(order=st.permutations(USERS))
    def renumber(self, order):
        kept = order[:2]
        self.history = self.history.renumbered(np.array(kept, np.int32))
        pairs = {}
        for (user, item), held in self.naive.pairs.items():
            if user in kept:
                pairs[kept.index(user), item] = held
        self.naive.pairs = pairs

    @rule()
    def save_and_restore(self):
        self.history = History.from_arrays(self.history.arrays(), LIMIT)

    @rule()
    def restore_from_arrays_that_cannot_be_written_to(self):
        arrays = self.history.arrays()
        for array in arrays.values():
            array.flags.writeable = False
        self.history = History.from_arrays(arrays, LIMIT)

    @invariant()
    def agrees(self):
        if hasattr(self, "history"):
            self.naive.check(self.history)

    @invariant()
    def a_copied_history_stays_as_it_was(self):
        if getattr(self, "left_behind", None):
            original, pairs = self.left_behind
            then = Naive()
            then.pairs = pairs
            then.check(original)


Life.TestCase.settings = settings(max_examples=30, stateful_step_count=12)
TestLife = Life.TestCase


@pytest.fixture(params=[2, 100_000], ids=["folding often", "folding never"])
def _fold_after(request, monkeypatch):
    monkeypatch.setattr(chapter, "_FOLD_AFTER", request.param)


def recent(history, user):
    items, codes, times = history.recent(user)
    kinds = [EVENT_TYPES[code] for code in codes]
    return list(zip(items.tolist(), kinds, times.tolist(), strict=True))


def latest(events):
    """Of each kind the last few, all in the order in which they came."""
    kept = []
    for place, event in enumerate(events):
        later = [kind for _, kind, _ in events[place + 1 :]].count(event[1])
        kept += [event] if later < LIMIT else []
    return kept


@pytest.mark.parametrize("fold_after", [2, 100_000])
@given(first=st.lists(event, max_size=20), then=st.lists(event, max_size=16))
def test_the_last_events_come_back_oldest_first(fold_after, first, then):
    # Later events carry later times, as they do in life.
    then = [(user, item, kind, weight, 10 + place)
            for place, (user, item, kind, weight, _) in enumerate(then)]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chapter, "_FOLD_AFTER", fold_after)
        history = History(rows(first), limit=LIMIT)
        for one in then:
            history.add(*one)
        for user in USERS:
            log = [one for one in first if one[0] == user]
            log = sorted(log, key=lambda one: one[4]) + [one for one in then if one[0] == user]
            wanted = latest([(item, kind, time) for _, item, kind, _, time in log])
            assert recent(history, user) == wanted
            for kind in ("view", "purchase"):
                items, times = history.recent_of(user, kind)
                told = list(zip(items.tolist(), len(items) * [kind], times.tolist(), strict=True))
                assert told == [event for event in wanted if event[1] == kind]
            again = History.from_arrays(history.copy().arrays(), LIMIT)
            assert recent(again, user) == wanted


@given(first=st.lists(event, max_size=10), then=st.lists(event, max_size=8))
def test_adding_one_by_one_is_extending(first, then):
    then = [(*one[:4], 10 + place) for place, one in enumerate(then)]
    at_once, singly = History(rows(first), limit=LIMIT), History(rows(first), limit=LIMIT)
    at_once.extend(rows(then))
    for one in then:
        singly.add(*one)
    for user in USERS:
        assert recent(at_once, user) == recent(singly, user)
        assert at_once.seen(user).tolist() == singly.seen(user).tolist()


def test_events_without_times_keep_their_order():
    log = [(0, item, "view", 1, 0) for item in (3, 1, 2)]
    history = History(rows(log, timed=False))
    assert recent(history, 0) == [(item, "view", MISSING_TIME) for item in (3, 1, 2)]


@pytest.mark.usefixtures("_fold_after")
def test_events_without_times_stay_the_latest():
    history = History(rows([(0, 1, "view", 1, 50)]))
    for item in (2, 3, 4):
        history.add(0, item, "view", 1.0)
    assert [item for item, *_ in recent(history, 0)] == [1, 2, 3, 4]


@pytest.mark.usefixtures("_fold_after")
def test_what_is_told_late_is_not_moved_back():
    history = History(rows([(0, 1, "view", 1, 50)]))
    for item, time in ((2, 40), (3, 30)):
        history.add(0, item, "view", 1.0, time)
    assert [item for item, *_ in recent(history, 0)] == [1, 2, 3]
    history.extend(rows([(0, 5, "view", 1, 20), (0, 4, "view", 1, 10)]))
    assert [item for item, *_ in recent(history, 0)] == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("_fold_after")
def test_what_was_done_lately_is_told_by_time():
    history = History(rows([(0, 1, "purchase", 1, 100), (0, 2, "purchase", 1, 200)]))
    history.add(0, 3, "purchase", 1.0, 300)
    history.add(0, 3, "view", 1.0, 310)
    assert history.did(0, "purchase").tolist() == [1, 2, 3]
    assert history.did(0, "purchase", within=150, now=310).tolist() == [2, 3]
    assert history.did(0, "purchase", within=150, now=250).tolist() == [2]
    assert history.did(0, "purchase", within=110, now=310).tolist() == [3]
    assert history.did(0, "view", within=5, now=310).tolist() == [3]
    assert history.did(9, "view").tolist() == []


def test_the_edge_of_a_window_is_outside():
    history = History(rows([(0, 1, "view", 1, 100)]))
    assert history.did(0, "view", within=10, now=110).tolist() == []
    assert history.did(0, "view", within=11, now=110).tolist() == [1]


def test_how_often_is_told_per_item():
    history = History(rows([(0, 1, "view", 1, 1), (0, 1, "view", 1, 2), (0, 2, "view", 1, 3)]))
    assert history.did(0, "view", at_least=2).tolist() == [1]


@pytest.mark.usefixtures("_fold_after")
def test_no_number_of_views_pushes_out_a_purchase():
    history = History(rows([(0, 1, "purchase", 1, 0), (0, 2, "view", 1, 1)]), limit=LIMIT)
    for time in range(2, 50):
        history.add(0, 3, "view", 1.0, time)
    assert recent(history, 0) == [
        (1, "purchase", 0), (3, "view", 47), (3, "view", 48), (3, "view", 49)
    ]  # fmt: skip
    assert history.did(0, "purchase", within=50, now=49).tolist() == [1]
    history.extend(rows([(0, 4, "view", 1, time) for time in range(50, 60)]))
    assert history.did(0, "purchase", within=60, now=59).tolist() == [1]
    assert len(history.arrays()["event_items"]) == 1 + LIMIT


def test_only_those_who_do_much_of_one_kind_lose_some_of_it():
    log = [(user, place, "view", 1, place) for user in (0, 2) for place in range(LIMIT)]
    log += [(user, 9, "cart", 1, 2) for user in (0, 1, 2) for _ in range(2)]
    history = History(rows([*log, (2, 7, "cart", 1, 0), (2, 8, "cart", 1, 9)]), limit=LIMIT)
    assert [item for item, *_ in recent(history, 0)] == [0, 1, 2, 9, 9]
    assert [item for item, *_ in recent(history, 1)] == [9, 9]
    assert [item for item, *_ in recent(history, 2)] == [0, 1, 2, 9, 9, 8]


def test_arrays_that_hold_more_than_the_limit_are_refused():
    arrays = History(rows([(0, item, "view", 1, item) for item in range(4)])).arrays()
    assert recent(History.from_arrays(arrays, 4), 0)[0] == (0, "view", 0)
    with pytest.raises(DataError, match="values that no history has"):
        History.from_arrays(arrays, 3)


def test_seen_never_forgets_beyond_the_recent():
    history = History(rows([(0, item, "view", 1, item) for item in range(10)]), limit=2)
    assert history.seen(0).tolist() == list(range(10))
    assert len(history.recent(0).items) == 2


def test_what_weighs_nothing_is_seen_but_no_taste():
    history = History(rows([(0, 1, "view", 1, 1)]), np.zeros(1, np.float32))
    assert history.seen(0).tolist() == [1]
    assert history.taste(0)[0].tolist() == []


@pytest.mark.usefixtures("_fold_after")
def test_a_copy_lives_alone():
    history = History(rows([(0, 1, "view", 1, 1)]))
    copy = history.copy()
    for item in (2, 3):
        copy.add(0, item, "view", 1.0)
        history.add(1, item, "view", 1.0)
    assert (history.seen(0).tolist(), copy.seen(0).tolist()) == ([1], [1, 2, 3])
    assert (history.seen(1).tolist(), copy.seen(1).tolist()) == ([2, 3], [])


@pytest.mark.usefixtures("_fold_after")
def test_a_forgotten_user_leaves_nothing_in_the_arrays():
    history = History(rows([(0, 1, "view", 1, 1), (1, 1, "view", 1, 1)]))
    history.add(1, 2, "view", 1.0)
    history.add(1, 3, "view", 1.0)
    history.forget([1])
    arrays = history.arrays()
    assert len(arrays["pair_items"]) == len(arrays["event_items"]) == 1
    assert history.seen(1).tolist() == []
    history.add(1, 4, "view", 1.0)
    assert history.seen(1).tolist() == [4]


@pytest.mark.usefixtures("_fold_after")
def test_restoring_keeps_order_and_limit():
    history = History(rows([(0, 1, "view", 1, 5)]), limit=LIMIT)
    for item in (2, 3, 4):
        history.add(0, item, "view", 1.0, 5)
    again = History.from_arrays(history.arrays(), history.limit)
    assert [item for item, *_ in recent(again, 0)] == [2, 3, 4]
    again.add(0, 7, "view", 1.0, 5)
    assert [item for item, *_ in recent(again, 0)] == [3, 4, 7]


@pytest.mark.usefixtures("_fold_after")
def test_the_last_time_of_each_user_is_told():
    history = History(rows([(0, 1, "view", 1, 50), (2, 1, "view", 1, 70)]))
    history.add(0, 2, "view", 1.0, 40)
    history.add(2, 2, "view", 1.0, 90)
    assert history.last_times(4).tolist() == [50, MISSING_TIME, 90, MISSING_TIME]


def test_who_is_renumbered_takes_her_events_along():
    history = History(rows([(0, 1, "view", 1, 5), (2, 3, "cart", 2, 6), (2, 4, "view", 1, 7)]))
    fewer = history.renumbered(np.array([2, 1, 9], np.int32))
    assert recent(fewer, 0) == [(3, "cart", 6), (4, "view", 7)]
    assert [fewer.seen(user).tolist() for user in range(3)] == [[3, 4], [], []]
    fewer.add(2, 8, "view", 1.0)
    assert fewer.seen(2).tolist() == [8]
    assert history.seen(0).tolist() == [1]
    assert History(rows([])).renumbered(np.array([0], np.int32)).seen(0).tolist() == []


@given(st.lists(st.integers(0, 5)))
def test_counting_sorts_and_keeps_the_order_of_equals(numbers):
    order = runs._counted_out(np.array(numbers, np.int32))
    assert order.tolist() == np.argsort(np.array(numbers), kind="stable").tolist()


def test_totals_are_those_of_all_users_together():
    rows = np.array([0, 1, 1, 2]), np.array([3, 3, 1, 0]), np.zeros(4, np.int8)
    history = History(Interactions(*rows, np.array([1, 2, 4, 8], np.float32)))
    history.add(1, 3, "view", 0.5)
    assert history.totals(np.array([3, 9, 0], np.int32)).tolist() == [3.5, 0, 8]
    history.forget([1])
    assert history.totals(np.array([3, 1], np.int32)).tolist() == [1, 0]
    assert history.totals(np.empty(0, np.int32)).tolist() == []


def test_a_matrix_has_a_row_for_users_without_a_past_and_no_zeros():
    rows = np.array([0, 2]), np.array([1, 0]), np.zeros(2, np.int8)
    history = History(Interactions(*rows, np.array([3, 0], np.float32)))
    matrix = history.matrix(4, 3)
    assert matrix.toarray().tolist() == [[0, 3, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert matrix.nnz == 1
    assert history.matrix(1, 3).shape == (1, 3)
