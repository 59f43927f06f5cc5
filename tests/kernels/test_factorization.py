"""Steps of gradient descent agree with the naive twins, to the draws of negatives."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recopersona.kernels.factorization import (
    BPR,
    LOGISTIC,
    SQUARED,
    WARP,
    arrange,
    begin_items,
    descend,
    fold_in,
    learn,
)
from tests.naive import factorization as naive

CODES = {"bpr": BPR, "warp": WARP, "logistic": LOGISTIC, "squared": SQUARED}
FACTORS = 5


def tables(rng, n_users, n_items):
    return [
        rng.normal(0, 0.5, (n_users, FACTORS)).astype(np.float32),
        rng.normal(0, 0.5, (n_items, FACTORS)).astype(np.float32),
        rng.normal(0, 0.5, n_users).astype(np.float32),
        rng.normal(0, 0.5, n_items).astype(np.float32),
        rng.uniform(0, 2, (n_users, 2)).astype(np.float32),
        rng.uniform(0, 2, (n_items, 2)).astype(np.float32),
    ]


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_blocks = draw(st.integers(1, 3))
    n_users, n_items = draw(st.integers(n_blocks, 6)), draw(st.integers(2 * n_blocks, 9))
    rows = []
    for _ in range(n_users):
        items = np.sort(rng.permutation(n_items)[: rng.integers(0, n_items + 1)])
        rows.append([(item, rng.uniform(0.5, 3)) for item in items.tolist()])
    return {
        "rows": rows,
        "n_blocks": n_blocks,
        "user_order": rng.permutation(n_users).astype(np.int32),
        "item_order": rng.permutation(n_items).astype(np.int32),
        "user_starts": np.linspace(0, n_users, n_blocks + 1).astype(np.int64),
        "item_starts": np.linspace(0, n_items, n_blocks + 1).astype(np.int64),
        "tables": tables(rng, n_users, n_items),
        "key": int(rng.integers(2**32)),
    }


def flat(problem):
    rows = problem["rows"]
    sizes = [len(row) for row in rows]
    columns = [item for row in rows for item, _ in row]
    values = [weight for row in rows for _, weight in row]
    bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return bounds, np.array(columns, np.int32), np.array(values, np.float32)


def block_of(problem):
    blocks = np.empty(len(problem["item_order"]), np.int32)
    sizes = np.diff(problem["item_starts"])
    blocks[problem["item_order"]] = np.repeat(np.arange(problem["n_blocks"]), sizes)
    return blocks


def strata_of(problem):
    return naive.arranged(
        problem["rows"], problem["user_order"].tolist(), problem["user_starts"],
        block_of(problem), problem["n_blocks"],
    )  # fmt: skip


def arranged(problem, memory=lambda array: array):
    n_blocks, (bounds, columns, values) = problem["n_blocks"], flat(problem)
    strata = strata_of(problem)
    starts = np.concatenate([[0], np.cumsum([len(stratum) for stratum in strata])])
    found = np.full(n_blocks**2 + 1, len(columns), np.int64)
    found[:-1:n_blocks] = starts[:-1:n_blocks]
    users, items, weights = np.empty_like(columns), np.empty_like(columns), np.empty_like(values)
    held = (
        bounds,
        columns,
        values,
        problem["user_order"],
        problem["user_starts"],
        block_of(problem),
    )
    for block in range(n_blocks):
        arrange(found, users, items, weights, *map(memory, held), n_blocks, block, block + 1)
    return found, users, items, weights


@given(problems())
@settings(max_examples=40)
def test_entries_are_sorted_by_stratum(problem):
    bounds, users, items, weights = arranged(problem)
    strata = strata_of(problem)
    assert np.diff(bounds).tolist() == [len(stratum) for stratum in strata]
    wanted = [entry for stratum in strata for entry in stratum]
    got = list(zip(users.tolist(), items.tolist(), weights.tolist(), strict=True))
    assert [pair[:2] for pair in got] == [pair[:2] for pair in wanted]
    assert np.allclose(weights, [weight for *_, weight in wanted])


def descended(problem, loss, adaptive, negatives=2, turns=None, memory=lambda array: array):
    copies = [table.copy() for table in problem["tables"]]
    n_blocks = problem["n_blocks"]
    losses = np.zeros(n_blocks**2)
    bounds, *entries = arranged(problem)
    held = [problem["item_order"], problem["item_starts"], bounds, *entries]
    for turn in range(n_blocks) if turns is None else turns:
        descend(
            *copies, losses, *map(memory, held), CODES[loss], negatives, 0.1, 0.05, 0.7, adaptive,
            problem["key"], turn, 0, n_blocks,
        )  # fmt: skip
    return copies, losses


@given(problems(), st.sampled_from(sorted(CODES)), st.booleans())
@settings(max_examples=40)
def test_every_step_agrees_with_the_twin(problem, loss, adaptive):
    copies, losses = descended(problem, loss, adaptive)
    twin = naive.Tables(*problem["tables"], 0.1, 0.05, adaptive)
    starts = problem["item_starts"]
    blocks = [problem["item_order"][start:end].tolist() for start, end in pairwise(starts)]
    wanted = {}
    for turn in range(problem["n_blocks"]):
        wanted |= naive.descend(
            twin, loss, strata_of(problem), blocks, 2, 0.7, problem["key"], turn
        )
    expected = [twin.users, twin.items, twin.user_biases, twin.item_biases]
    for got, due in zip(copies, expected, strict=False):
        assert np.allclose(got, due, rtol=1e-3, atol=1e-4)
    if adaptive:
        assert np.allclose(copies[4], twin.user_sums, rtol=1e-3, atol=1e-4)
        assert np.allclose(copies[5], twin.item_sums, rtol=1e-3, atol=1e-4)
    assert np.allclose(losses, [wanted[place] for place in sorted(wanted)], rtol=1e-3, atol=1e-4)


@given(problems(), st.sampled_from(sorted(CODES)))
@settings(max_examples=40)
def test_strata_of_a_round_may_run_in_any_order(problem, loss):
    n_blocks = problem["n_blocks"]
    bounds, *entries = arranged(problem)
    results = []
    for order in (range(n_blocks), reversed(range(n_blocks))):
        copies, losses = [table.copy() for table in problem["tables"]], np.zeros(n_blocks**2)
        for block in order:
            descend(
                *copies, losses, problem["item_order"], problem["item_starts"], bounds, *entries,
                CODES[loss], 2, 0.1, 0.05, 0.7, True, problem["key"], 1, block, block + 1,
            )  # fmt: skip
        results.append([*copies, losses])
    for one, other in zip(*results, strict=True):
        assert (one == other).all()


def learned(rng_seed, loss, adaptive, n=30, pieces=1, negatives=2):
    rng = np.random.default_rng(rng_seed)
    n_users, n_items = 4, 8
    state = tables(rng, n_users, n_items)
    state[1][5:] = 0  # three items that nobody knows yet
    lengths = np.linalg.norm(state[1], axis=1).astype(np.float32)
    recent = np.zeros((n_users, 3), np.int32)
    mean, predictions = np.array([2.0, 4.0]), np.zeros(n, np.float32)
    users = rng.integers(n_users, size=n).astype(np.int32)
    items = np.minimum(rng.integers(n_items, size=n), 4 + np.arange(n) // 5).astype(np.int32)
    weights = rng.integers(0, 4, n).astype(np.float32)
    copies = [table.copy() for table in state]
    known = 5
    for part in np.array_split(np.arange(n), pieces):
        learn(
            *copies, lengths, recent, mean, predictions[part],
            np.full(len(part) * negatives, -1, np.int32), users[part], items[part],
            weights[part], CODES[loss], negatives, 0.1, 0.05, 0.3, adaptive, 77, part[0], known,
        )  # fmt: skip
        known = max(known, int(items[part].max()) + 1)
    return state, copies, lengths, recent, mean, (users, items, weights)


@pytest.mark.parametrize("loss", sorted(CODES))
@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("rng_seed", range(4))
def test_events_are_learned_in_their_order(loss, adaptive, rng_seed):
    state, copies, lengths, recent, mean, events = learned(rng_seed, loss, adaptive)
    twin = naive.Tables(*state, 0.1, 0.05, adaptive)
    total, count, known = 2.0 * 4, 4, 5
    latest = {user: [] for user in range(4)}
    for number, (user, item, weight) in enumerate(zip(*(c.tolist() for c in events), strict=True)):
        known = max(known, item + 1)
        if weight == 0:
            continue
        if not twin.items[item].any():
            twin.items[item] = [
                0.3 * (naive.drawn(77, item, place, 2**24) / 2**23 - 1) for place in range(FACTORS)
            ]
        if loss == "squared":
            total, count = total + weight, count + 1
        taken = {item, *latest[user][-3:]} | {i for i in range(8) if not twin.items[i].any()}
        drawn = naive.others(77, number, 2, list(range(known)), taken)
        twin.learn_one(loss, user, item, weight, total / count, drawn, known)
        latest[user].append(item)
    expected = [twin.users, twin.items, twin.user_biases, twin.item_biases]
    for got, due in zip(copies, expected, strict=False):
        assert np.allclose(got, due, rtol=1e-3, atol=1e-4)
    assert np.allclose(lengths, np.linalg.norm(copies[1], axis=1), atol=1e-5)
    if loss == "squared":
        assert mean[0] == pytest.approx(total / count)
    for user, items in latest.items():
        assert [item - 1 for item in recent[user] if item] == items[-3:]


@pytest.mark.parametrize("loss", sorted(CODES))
def test_events_in_pieces_teach_like_events_at_once(loss):
    for one, other in zip(
        learned(1, loss, True)[1], learned(1, loss, True, pieces=7)[1], strict=True
    ):
        assert (one == other).all()


def test_a_prediction_comes_before_its_event_is_learned():
    state = [np.zeros(shape, np.float32) for shape in 2 * [(1, 2)] + 2 * [1] + 2 * [(1, 2)]]
    predictions = np.empty(2, np.float32)
    rows = np.zeros(2, np.int32)
    learn(
        *state, np.zeros(1, np.float32), np.zeros((1, 0), np.int32), np.zeros(2), predictions,
        np.empty(0, np.int32), rows,
        rows, np.array([4, 4], np.float32), SQUARED, 0, 0.3, 0.0, 0.1, True, 0, 0, 0,
    )  # fmt: skip
    assert predictions[0] == 0
    assert predictions[1] == pytest.approx(4, abs=0.1)


def test_who_has_every_item_of_a_block_has_no_negative():
    rng = np.random.default_rng(0)
    problem = {
        "rows": [[(0, 1.0), (1, 1.0)]], "n_blocks": 1, "user_order": np.zeros(1, np.int32),
        "item_order": np.array([1, 0], np.int32), "user_starts": np.array([0, 1]),
        "item_starts": np.array([0, 2]), "tables": tables(rng, 1, 2), "key": 5,
    }  # fmt: skip
    for loss in ("bpr", "warp"):
        copies, losses = descended(problem, loss, True)
        assert losses.tolist() == [0]
        assert all((a == b).all() for a, b in zip(copies, problem["tables"], strict=True))


@pytest.mark.parametrize("loss", ["bpr", "warp", "logistic"])
@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("rng_seed", range(5))
def test_a_stranger_takes_the_steps_of_training(loss, adaptive, rng_seed):
    rng = np.random.default_rng(rng_seed)
    users, items, user_biases, item_biases, user_sums, item_sums = tables(rng, 1, 12)
    items[9] = 0
    known = np.linalg.norm(items, axis=1).astype(np.float32)
    liked = np.sort(rng.permutation(9)[:3]).astype(np.int32)
    weights = rng.uniform(0.5, 2, 3).astype(np.float32)
    twin = naive.Tables(
        users, items, user_biases, item_biases, user_sums, item_sums, 0.1, 0.05, adaptive
    )
    naive.fold_in(twin, loss, liked.tolist(), weights.tolist(), known > 0, 3, 77, 4)
    fold_in(
        users, user_sums, items, item_biases, known, liked, weights, CODES[loss], 3, 0.1, 0.05,
        adaptive, 77, 4,
    )  # fmt: skip
    assert np.allclose(users, twin.users, rtol=1e-3, atol=1e-4)
    if adaptive:
        assert np.allclose(user_sums[:, 0], twin.user_sums[:, 0], rtol=1e-3, atol=1e-4)


def test_first_factors_depend_on_seed_and_item_alone():
    rows = np.zeros((6, FACTORS), np.float32)
    begin_items(rows, np.array([1, 4], np.int32), 0.5, 3)
    assert not rows[[0, 2, 3, 5]].any()
    assert (np.abs(rows) <= 0.5).all()
    alone, other = np.zeros_like(rows), np.zeros_like(rows)
    begin_items(alone, np.array([4], np.int32), 0.5, 3)
    begin_items(other, np.array([4], np.int32), 0.5, 4)
    assert (alone[4] == rows[4]).all()
    assert (alone[4] != other[4]).any()


def test_draws_are_spread_evenly():
    counts = np.bincount([naive.drawn(9, counter, 0, 10) for counter in range(20_000)])
    assert (np.abs(counts - 2_000) < 200).all()


@pytest.mark.parametrize("kind", ["read-only", "mapped"])
def test_memory_that_cannot_be_written_is_read(kind, tmp_path):
    rng = np.random.default_rng(5)
    problem = {
        "rows": [[(0, 1.0)], [(1, 2.0), (2, 1.0)]], "n_blocks": 1,
        "user_order": np.array([1, 0], np.int32), "item_order": np.arange(4, dtype=np.int32),
        "user_starts": np.array([0, 2]), "item_starts": np.array([0, 4]),
        "tables": tables(rng, 2, 4), "key": 5,
    }  # fmt: skip
    files = iter(tmp_path / f"{number}.npy" for number in range(20))

    def memory(array):
        array = array.copy()
        array.flags.writeable = False
        if kind == "read-only":
            return array
        path = next(files)
        np.save(path, array)
        return np.load(path, mmap_mode="r")

    plain, _ = descended(problem, "bpr", True)
    held, _ = descended(problem, "bpr", True, memory=memory)
    assert all((a == b).all() for a, b in zip(plain, held, strict=True))
    assert all(
        (a == b).all() for a, b in zip(arranged(problem), arranged(problem, memory), strict=True)
    )
