"""What visitors see and do, many at once, agrees with one item at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recopersona.kernels.visitors import attract, best_page, click, expect, remember, tire
from tests.naive import visitors as naive

FAMILY = np.array([0, 0, 1, 1], np.int32)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=25)
@given(seeds)
def test_attraction_is_the_formula(seed):
    rng = np.random.default_rng(seed)
    n_items, n_pages, n, axes, half_life = 7, 3, 5, 2, 1_000.0
    columns = {
        "topic": rng.integers(4, size=n_items).astype(np.int32),
        "second": rng.integers(4, size=n_items).astype(np.int32),
        "share": rng.random(n_items), "quality": rng.normal(size=n_items),
        "style": rng.normal(size=(n_items, axes)), "dearness": rng.normal(size=n_items),
        "launched": rng.integers(5_000, size=n_items),
    }  # fmt: skip
    eyes = {
        "likes": rng.normal(size=(n_pages, 4)), "manner": rng.normal(size=(n_pages, axes)),
        "bored": rng.random((n_pages, 4)), "weary": rng.random((n_pages, n)),
        "thrift": rng.random(n_pages), "hunger": rng.random(n_pages),
        "now": rng.integers(5_000, size=n_pages),
    }  # fmt: skip
    items = rng.integers(n_items, size=(n_pages, n)).astype(np.int32)
    out = np.empty((n_pages, n))
    attract(out, items, *columns.values(), *eyes.values(), half_life)
    for page, place in np.ndindex(out.shape):
        item = {name: column[items[page, place]] for name, column in columns.items()}
        her = {name: column[page] for name, column in eyes.items()}
        her["weary"] = eyes["weary"][page, place]
        assert out[page, place] == pytest.approx(naive.attraction(item, her, half_life))


@settings(max_examples=25)
@given(seeds, st.integers(0, 6))
def test_items_tire_below_others_like_them(seed, n):
    rng = np.random.default_rng(seed)
    attraction, topics = rng.random((3, n)), rng.integers(4, size=(3, n)).astype(np.int32)
    fatigue, chances = rng.random(3), np.empty((3, n))
    tire(chances, attraction, topics, FAMILY, fatigue, 0.3)
    for page in range(3):
        expected = naive.tired(attraction[page].tolist(), topics[page], FAMILY, fatigue[page], 0.3)
        assert chances[page].tolist() == pytest.approx(expected)


@settings(max_examples=25)
@given(seeds, st.integers(0, 6), st.sampled_from([0.0, 0.4, 1.0]), st.integers(0, 1))
def test_a_walk_down_the_page_is_one_place_after_the_other(seed, n, satisfaction, in_turn):
    rng = np.random.default_rng(seed)
    chances, looks, likings, endings = rng.random((4, 3, n))
    examination = np.sort(rng.uniform(0.1, 1, n))[::-1].copy()
    seen, clicked = np.empty((3, n), bool), np.empty((3, n), bool)
    click(seen, clicked, chances, looks, likings, endings, examination, satisfaction, in_turn)
    reach = np.empty((3, n))
    expect(reach, chances, examination, satisfaction)
    for page in range(3):
        expected = naive.walked(
            chances[page], looks[page], likings[page], endings[page], examination, satisfaction,
            in_turn,
        )  # fmt: skip
        assert (seen[page].tolist(), clicked[page].tolist()) == expected
        assert reach[page].tolist() == pytest.approx(
            naive.expected_seen(chances[page], examination, satisfaction)
        )


@settings(max_examples=25)
@given(seeds, st.integers(1, 12))
def test_the_best_page_is_greedy(seed, n):
    rng = np.random.default_rng(seed)
    attraction = rng.choice([0.1, 0.2, 0.2, 0.9], 8)  # ties are common
    topics = rng.integers(4, size=8).astype(np.int32)
    page = np.empty(n, np.int32)
    best_page(page, attraction, topics, FAMILY, 0.7, 0.3)
    expected = naive.greedy_page(n, attraction.tolist(), topics, FAMILY, 0.7, 0.3)
    chances = [
        naive.tired(attraction[list(items)], topics[list(items)], FAMILY, 0.7, 0.3)
        for items in (page[: len(expected)], expected)
    ]
    assert chances[0] == pytest.approx(chances[1])
    assert (page[len(expected) :] == -1).all()


@settings(max_examples=25)
@given(seeds)
def test_what_is_least_on_her_mind_makes_room(seed):
    rng = np.random.default_rng(seed)
    items = rng.integers(9, size=12).astype(np.int32)
    added = rng.choice([0.0, 0.3, 0.5, 1.1], 12) * rng.uniform(0.9, 1, 12)
    kept, amounts = np.full(4, -1, np.int32), np.zeros(4)
    remember(kept, amounts, items, added)
    mind = {int(item): amount for item, amount in zip(kept, amounts, strict=True) if item >= 0}
    assert mind == pytest.approx(naive.remembered({}, 4, items.tolist(), added.tolist()))
