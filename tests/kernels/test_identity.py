"""The kernels of identity agree with sets of identifiers, link by link."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recopersona.events.identity.links import Links
from recopersona.events.identity.order import Order
from recopersona.events.identity.state import State
from recopersona.kernels.identity import (
    AMBIGUOUS,
    CUT,
    KNOWN,
    LIMIT,
    MERGED,
    SELF,
    link_rows,
    take_links,
)
from tests.naive import profiles as naive

N_NODES, N_KINDS = 14, 6
WORDS = {KNOWN: "known", MERGED: "merged", SELF: "self", AMBIGUOUS: "ambiguous", CUT: "cut"}
STANDING = ("nobody", "somebody", "anybody")

links = st.lists(
    st.tuples(st.integers(0, N_NODES - 1), st.integers(-1, N_NODES - 1), st.integers(0, 8)),
    max_size=60,
)
kinds = st.lists(st.integers(0, N_KINDS - 1), min_size=N_NODES, max_size=N_NODES)
limits = st.lists(st.sampled_from([0, 1, 1, 2, 3, 32_767]), min_size=N_KINDS, max_size=N_KINDS)
questions = st.lists(
    st.tuples(st.integers(0, 60), st.lists(st.integers(-1, N_NODES - 1), min_size=3, max_size=3)),
    max_size=12,
)


def order_of(drawn, ages):
    higher, lower, row = np.array(drawn, np.int32).reshape(-1, 3).T
    nothing = np.zeros(len(drawn), np.int64)
    table = Links.of(higher=higher, lower=lower, time=nothing, event=nothing, row=row)
    return Order(table, np.argsort(ages).astype(np.int32))


def state_of(kinds, limits, by_row):
    state = State(np.array(limits, np.int32), by_row)
    state.grow(np.array(kinds, np.int16))
    return state


def in_words(state, outcomes):
    return [state.kinds[one - LIMIT] if one >= LIMIT else WORDS[one] for one in outcomes.tolist()]


@given(links, kinds, limits, st.booleans(), st.permutations(range(N_NODES)), questions)
def test_links_and_questions_agree_with_their_twin(drawn, kinds, limits, by_row, ages, asked):
    order = order_of(drawn, np.array(ages, np.int64))
    state = state_of(kinds, limits, by_row)
    outcome, merged = state.join(order)
    told = [
        (one, other, row, ages[one], ages[other] if other >= 0 else None)
        for one, other, row in drawn
    ]
    world = naive.join(told, kinds, limits, by_row, range(N_KINDS))
    assert in_words(state, outcome) == world.outcomes
    assert [tuple(row) for row in merged.tolist()] == world.merges
    assert {node for node in range(N_NODES) if state.is_shared(node)} == world.shared
    assert {node for node in range(N_NODES) if state.has_lent(node)} == world.lent
    asked = sorted(asked, key=lambda one: one[0])
    codes = np.array([nodes for _, nodes in asked], np.int32).reshape(-1, 3)
    known = np.array([min(n, len(drawn)) for n, _ in asked], np.int64)
    nobody = state_of(kinds, limits, by_row)
    nobody.take_ages(state)
    whose, standing = nobody.whose_in_time(order.links, codes, known)
    for place, (n, nodes) in enumerate(asked):
        then = naive.join(told[:n], kinds, limits, by_row, range(N_KINDS))
        assert (whose[place], STANDING[standing[place]]) == then.whose(nodes)
    whose, standing = state.whose(codes)
    for place, (_, nodes) in enumerate(asked):
        assert (whose[place], STANDING[standing[place]]) == world.whose(nodes)


@given(links, kinds, limits, st.integers(0, 60))
def test_links_taken_in_two_parts_are_as_those_taken_at_once(drawn, kinds, limits, cut):
    ages = np.arange(N_NODES)
    whole, parts = state_of(kinds, limits, False), state_of(kinds, limits, False)
    expected, _ = whole.join(order_of(drawn, ages))
    first, _ = parts.join(order_of(drawn[:cut], ages))
    rest, _ = parts.join(order_of(drawn[cut:], ages))
    assert np.concatenate((first, rest)).tolist() == expected.tolist()
    assert (parts.parent >= 0).tolist() == (whole.parent >= 0).tolist()
    assert parts.marks.tolist() == whole.marks.tolist()


def test_a_profile_may_hold_as_many_as_a_lane_can_count():
    n = 32_769
    state = state_of([0] * n, [32_767], False)
    order = order_of([(0, node, 0) for node in range(1, n)], np.arange(n))
    outcome, merged = state.join(order)
    assert len(merged) == 32_766
    assert np.flatnonzero(outcome == LIMIT).tolist() == [32_766, 32_767]


@given(st.lists(st.lists(st.integers(-1, 9), min_size=3, max_size=3), max_size=12))
def test_rows_link_the_best_identifier_with_every_other(rows):
    codes = np.array(rows, np.int32).reshape(-1, 3)
    n = int((codes >= 0).sum())
    written = [np.full(n, -7, np.int32) for _ in range(3)]
    n_links = link_rows(*written, codes)
    expected = []
    for row, nodes in enumerate(rows):
        present = [node for node in nodes if node >= 0]
        expected += [(present[0], other, row) for other in present[1:] or [-1] if present]
    assert list(zip(*(part[:n_links].tolist() for part in written), strict=True)) == expected


@given(links, kinds, limits)
def test_whoever_is_met_first_is_the_oldest_and_the_higher_before_the_lower(drawn, kinds, limits):
    told = state_of(kinds, limits, False)
    told.join(order_of(drawn, np.arange(N_NODES))._replace(met=np.empty(0, np.int32)))
    met = list(dict.fromkeys(node for one, other, _ in drawn for node in (one, other) if node >= 0))
    assert np.argsort(told.age, kind="stable")[N_NODES - len(met) :].tolist() == met
    assert told.age[met].tolist() == list(range(1, len(met) + 1))
    assert told.met == len(met)


@given(links, kinds, limits, st.permutations(range(N_NODES)))
def test_every_root_is_the_oldest_of_its_profile(drawn, kinds, limits, ages):
    state = state_of(kinds, limits, False)
    _, merged = state.join(order_of(drawn, np.array(ages)))
    members = {node: {node} for node in range(N_NODES)}
    for _, kept, absorbed in merged.tolist():
        members[kept] |= members.pop(absorbed)
    expected = {node: root for root, nodes in members.items() for node in nodes}
    assert state.roots().tolist() == [expected[node] for node in range(N_NODES)]
    assert all(root == min(nodes, key=ages.__getitem__) for root, nodes in members.items())


@given(st.integers(0, 40), st.randoms(use_true_random=False))
def test_links_in_another_order_are_the_same_links(n, random):
    columns = [np.array([random.randrange(-1, 9) for _ in range(n)], np.int32) for _ in range(4)]
    times = np.array([random.randrange(-(2**62), 2**62) for _ in range(n)], np.int64)
    rows = np.array([random.randrange(n) for _ in range(2 * n)], np.int32)
    taken = [np.empty(len(rows), kind) for kind in [np.int32] * 2 + [np.int64] + [np.int32] * 2]
    packed = np.empty((n, 6), np.int32)
    given_in = [*columns[:2], times, *columns[2:]]
    take_links(*taken, packed, packed.view(np.int64), rows, *given_in)
    for before, after in zip(given_in, taken, strict=True):
        assert after.tolist() == before[rows].tolist()
