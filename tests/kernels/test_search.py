"""The search among item factors finds what scoring everything finds."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recopersona.base.lists import Excluded
from recopersona.kernels import search as kernels
from recopersona.kernels.blocks import limit_threads
from recopersona.models import item_index
from recopersona.models.item_index import ItemIndex
from tests.naive import search as naive

# Quarters: sums of products are exact in float32, so that every order of summing agrees and ties
# are everywhere.
quarters = st.integers(-8, 8).map(lambda number: number / 4)


@st.composite
def catalogues(draw, values=quarters):
    n_items, n_vectors, f = (
        draw(st.integers(1, 14)),
        draw(st.integers(0, 5)),
        draw(st.integers(1, 5)),
    )
    rows = st.lists(values, min_size=f, max_size=f)
    factors = np.array(draw(st.lists(rows, min_size=n_items, max_size=n_items)), np.float32)
    twins = draw(st.lists(st.integers(0, n_items - 1), max_size=4))
    factors[twins] = factors[0]
    vectors = np.array(draw(st.lists(rows, min_size=n_vectors, max_size=n_vectors)), np.float32)
    flags = st.lists(st.booleans(), min_size=n_items, max_size=n_items)
    blocked = np.array(draw(flags)) & np.array(draw(flags))
    some = st.lists(st.integers(0, n_items - 1), max_size=n_items, unique=True).map(sorted)
    excluded = draw(st.lists(some, min_size=n_vectors, max_size=n_vectors))
    bias = st.one_of(st.none(), st.lists(values, min_size=n_items, max_size=n_items))
    biases = draw(bias)
    return {
        "factors": factors,
        "vectors": vectors.reshape(n_vectors, f),
        "biases": None if biases is None else np.array(biases, np.float32),
        "known": factors.any(axis=1),
        "excluded": excluded,
        "blocked": blocked,
    }, draw(st.integers(1, n_items + 2))


def excluded_of(rows):
    return Excluded.of([np.array(row, np.int32) for row in rows])


def searched(shop, n, index=None, few=24):
    """Search, and return lists of pairs; ``few`` decides which of the two ways it goes."""
    index = index or ItemIndex(shop["factors"], shop["biases"], shop["known"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(item_index, "_FEW", few)
        best = index.search(
            shop["vectors"], n, shop["factors"], shop["biases"], shop["known"].astype(np.float32),
            excluded_of(shop["excluded"]), shop["blocked"],
        )  # fmt: skip
    assert (best.items[np.arange(n) >= best.counts[:, None]] == -1).all()
    assert (best.scores[np.arange(n) >= best.counts[:, None]] == -np.inf).all()
    return [
        list(zip(items[:count].tolist(), scores[:count].tolist(), strict=True))
        for items, scores, count in zip(*best, strict=True)
    ]


def scored(shop, n):
    biases = shop["biases"]
    with np.errstate(all="ignore"):
        return naive.best(
            shop["vectors"], shop["factors"],
            np.zeros(len(shop["factors"]), np.float32) if biases is None else biases,
            shop["known"], shop["excluded"], shop["blocked"], n,
        )  # fmt: skip


@settings(max_examples=60)
@given(catalogues(), st.sampled_from([0, 24]))
def test_the_search_agrees_with_scoring_everything(case, few):
    assert searched(*case, few=few) == scored(*case)


@pytest.mark.parametrize("few", [0, 24])
@pytest.mark.parametrize("size", [2.0**-100, 2.0**-66, 2.0**33, 2.0**62])
@settings(max_examples=25)
@given(case=catalogues())
def test_huge_and_tiny_factors_are_searched_like_others(case, size, few):
    shop, n = case
    shop = shop | {
        "factors": shop["factors"] * np.float32(size),
        "vectors": shop["vectors"] * np.float32(min(size, 2.0**60)),
    }
    assert searched(shop, n, few=few) == scored(shop, n)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")  # uncompiled
@pytest.mark.parametrize("few", [0, 24])
def test_what_is_no_number_is_never_found(few):
    factors = np.ones((6, 3), np.float32)
    factors[1, 0], factors[2, 1], factors[3, 2] = np.nan, np.inf, -np.inf
    vectors = np.ones((4, 3), np.float32)
    vectors[1, 0], vectors[2] = np.nan, 0
    vectors[3, 2] = np.inf
    biases = np.array([0, 0, 0, 0, np.nan, 0], np.float32)
    shop = {"factors": factors, "vectors": vectors, "biases": biases, "known": np.ones(6, bool),
            "excluded": [[]] * 4, "blocked": np.zeros(6, bool)}  # fmt: skip
    assert searched(shop, 6, few=few) == [[(0, 3.0), (5, 3.0)], [], [], []]


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")  # uncompiled
@pytest.mark.parametrize("few", [0, 24])
def test_sums_that_overflow_on_their_way_are_judged_by_their_factors(few):
    factors = np.array([[3e19, -3e19, 1.0], [1.0, 1.0, 1.0], [1e19, 0, 0]], np.float32)
    vectors = np.array([[2e19, 2e19, 1.0]] * 2, np.float32)
    shop = {"factors": factors, "vectors": vectors, "biases": None, "known": np.ones(3, bool),
            "excluded": [[]] * 2, "blocked": np.zeros(3, bool)}  # fmt: skip
    (first, score), *_ = searched(shop, 3, few=few)[0]
    assert (first, score) == (2, pytest.approx(2e38, rel=1e-6))


def gaussian(n_items, n_vectors, f, seed=0, biased=False, spread=1.0):
    random = np.random.default_rng(seed)
    factors = random.standard_normal((n_items, f)) * np.exp(
        spread * random.standard_normal((n_items, 1))
    )
    blocked = random.random(n_items) < 0.1
    excluded = [np.unique(random.integers(0, n_items, 30)).tolist() for _ in range(n_vectors)]
    return {
        "factors": factors.astype(np.float32),
        "vectors": random.standard_normal((n_vectors, f)).astype(np.float32),
        "biases": random.standard_normal(n_items).astype(np.float32) * 3 if biased else None,
        "known": np.ones(n_items, np.bool_), "excluded": excluded, "blocked": blocked,
    }  # fmt: skip


def expected(shop, n):
    """Score in float64."""
    scores = shop["vectors"].astype(np.float64) @ shop["factors"].T.astype(np.float64)
    scores += 0 if shop["biases"] is None else shop["biases"]
    scores[:, shop["blocked"]] = -np.inf
    for row, items in enumerate(shop["excluded"]):
        scores[row, items] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    return order, np.take_along_axis(scores, order, axis=1)


LARGE = [
    (3_000, 7, False, 1.0),
    (3_000, 64, True, 0.0),
    (2_500, 100, True, 1.0),
    (700, 3, False, 0.0),
]


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="too many sums to do uncompiled")
@pytest.mark.parametrize(("n_items", "f", "biased", "spread"), LARGE)
def test_both_ways_give_the_same_bits(n_items, f, biased, spread):
    shop = gaussian(n_items, 40, f, biased=biased, spread=spread)
    together = searched(shop, 20, few=0)
    assert together == searched(shop, 20, few=40)
    with limit_threads(1):
        assert together == searched(shop, 20, few=0)
    items, scores = expected(shop, 20)
    found = np.array(together)
    assert np.allclose(found[:, :, 1], scores, rtol=1e-5, atol=1e-5)
    assert (found[:, :, 0] == items).mean() > 0.999


@pytest.mark.parametrize("few", [0, 24])
@settings(max_examples=60)
@given(case=catalogues(), change=st.lists(st.integers(0, 16), max_size=6), data=st.data())
def test_changed_and_new_items_are_found_as_they_are_now(case, change, few, data):
    shop, n = case
    index = ItemIndex(shop["factors"], shop["biases"], shop["known"])
    n_items, f = shop["factors"].shape
    changed = sorted({item for item in change if item < n_items + 2})
    grown = max([n_items, *(item + 1 for item in changed)])
    rows = data.draw(
        st.lists(st.lists(quarters, min_size=f, max_size=f), min_size=grown, max_size=grown)
    )
    factors = np.zeros((grown, f), np.float32)
    factors[:n_items] = shop["factors"]
    factors[changed] = np.array(rows, np.float32)[changed]
    biases = (
        None
        if shop["biases"] is None
        else np.append(shop["biases"], np.zeros(grown - n_items, np.float32))
    )
    now = {"factors": factors, "vectors": shop["vectors"], "biases": biases,
           "known": factors.any(axis=1), "excluded": shop["excluded"],
           "blocked": np.append(shop["blocked"], np.zeros(grown - n_items, bool))}  # fmt: skip
    assert index.mark(changed)
    assert index.mark(np.array(changed, np.int32))  # again: nothing is looked at twice
    assert searched(now, n, index, few) == scored(now, n)


@pytest.mark.parametrize("few", [0, 24])
def test_a_block_falls_away_only_when_its_longest_item_is_too_short(few):
    factors = np.zeros((kernels.BLOCK + 2, 2), np.float32)
    factors[2:, 0] = 1.0  # they fill the first block, and score 0.6
    factors[0] = 0.42, 0.56  # short, but just in the vector's direction: 0.7
    factors[1] = 0.35, 0.47
    shop = {"factors": factors, "vectors": np.array([[0.6, 0.8]], np.float32), "biases": None,
            "known": np.ones(len(factors), bool), "excluded": [[]],
            "blocked": np.zeros(len(factors), bool)}  # fmt: skip
    assert [item for item, _ in searched(shop, 3, few=few)[0]] == [0, 2, 3]


def test_an_index_says_when_it_has_to_be_made_anew():
    index = ItemIndex(np.ones((400, 2), np.float32), None, np.ones(400, bool))
    assert index.mark(list(range(256)))
    assert index.mark([0, 255])
    assert not index.mark([256])
    assert not index.mark([10_000])


@pytest.mark.parametrize("kind", ["read-only", "mapped"])
def test_factors_may_lie_in_memory_that_cannot_be_written(kind, tmp_path):
    shop = gaussian(60, 30, 4, biased=True)
    usual = searched(shop, 5)
    for name in ("factors", "biases", "vectors", "known", "blocked"):
        shop[name].flags.writeable = False
        if kind == "mapped":
            np.save(tmp_path / f"{name}.npy", shop[name])
            shop[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r").view(np.ndarray)
    assert searched(shop, 5) == usual
    assert searched(shop, 5, few=0) == usual


def test_a_catalogue_of_which_nothing_is_known_answers_nothing():
    shop = gaussian(5, 2, 3)
    shop["known"][:] = False
    assert searched(shop, 3) == searched(shop, 3, few=0) == [[], []]


numbers = st.floats(-(2.0**60), 2.0**60, width=32)


@settings(max_examples=60)
@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=5), st.data())
def test_rows_are_rounded_like_the_twin_rounds_them(rows, data):
    factors = np.array(rows, np.float32)
    order = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6)), np.int32)
    codes = np.full((len(order), 32), 77, np.int8)
    scales, errors = np.empty(len(order), np.float32), np.empty(len(order), np.float32)
    kernels.encode_rows(codes, scales, errors, factors, order)
    assert not codes[:, 3:].any()
    for place, item in enumerate(order.tolist()):
        due_codes, due_scale, due_error = naive.encode(factors[item])
        assert codes[place, :3].tolist() == due_codes
        assert scales[place] == np.float32(due_scale)
        assert errors[place] >= due_error
        assert errors[place] == pytest.approx(due_error, rel=1e-5, abs=1e-40)


@settings(max_examples=60)
@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=2, max_size=5))
def test_lengths_agree_with_the_twin(rows):
    lengths = np.empty(len(rows) - 1)
    kernels.measure_rows(lengths, np.array(rows, np.float32), 1)
    assert lengths.tolist() == pytest.approx([naive.length(row) for row in rows[1:]], 1e-12, 1e-300)


def test_a_single_item_offered_twice_counts_once_where_it_is_excluded():
    items, scores = np.full(2, -1, np.int32), np.full(2, -np.inf, np.float32)
    kernels.offer_items(
        items, scores, np.array([2, 0, 1], np.int32), np.ones(1, np.float32),
        np.array([[1.0], [3.0], [2.0]], np.float32), np.empty(0, np.float32),
        np.array([1], np.int32), np.zeros(3, np.bool_),
    )  # fmt: skip
    assert (items.tolist(), scores.tolist()) == ([2, 0], [2.0, 1.0])
    assert math.isfinite(scores.sum())
