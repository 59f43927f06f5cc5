"""Whatever page the whole catalogue allows, a small pool does not stand in its way."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.pipeline.page import AskedOnce, Request, lacks
from recopersona.rerank.assembly import assemble, unmet_by
from recopersona.rules.slots import Cap, Pinned, Quota, SlotRules, Span

N, N_ITEMS = 10, 80
CHOICES = [
    ("PIN item.promo AT 1", "PIN item.promo AT 5"),
    ("LIMIT 1 PER item.brand", "LIMIT 2 PER item.brand IN TOP 6",
     "LIMIT 1 PER item.brand IN ANY 4 CONSECUTIVE"),
    ("LIMIT 2 PER item.kind IN TOP 8",),
    ("ENSURE 1 WHERE item.fresh", "ENSURE 4 WHERE item.fresh"),
    ("ENSURE 30% IN TOP 6 WHERE item.price > 60",),
    ("LIMIT 2 WHERE item.price < 50",),
]  # fmt: skip


def shop(random):
    """Some brands are everywhere, others hardly anywhere; so with what is popular."""
    items = pd.DataFrame({
        "item_id": [f"i{k}" for k in range(N_ITEMS)],
        "brand": [f"b{int(8 * k**2)}" for k in random.random(N_ITEMS)],
        "kind": [f"k{k}" for k in random.integers(0, 4, N_ITEMS)],
        "fresh": random.random(N_ITEMS) < 0.12,
        "promo": random.random(N_ITEMS) < 0.05,
        "price": random.random(N_ITEMS) * 100,
    })  # fmt: skip
    events = pd.DataFrame({
        "user_id": [f"u{k}" for k in random.integers(0, 20, 300)],
        "item_id": [f"i{int(N_ITEMS * k**2)}" for k in random.random(300)],
    })  # fmt: skip
    return rp.Dataset.from_frames(events, items=items)


def best_of_all(pipeline, ranking, user):
    """What the rules ask of a page of everything that may be shown, and what of it cannot be."""
    free = ranking.account.allowed.copy()
    free[pipeline.past_.seen(pipeline.users_.index(user))] = False
    items = np.flatnonzero(free).astype(np.int32)
    everything = rp.Ranking.of(items, -np.arange(len(items)), pipeline.items_, "all")
    return assemble(everything, ranking.account.in_force.slot_rules(items, N), N)[1]


@pytest.mark.parametrize("seed", range(0, 300, 6))
def test_what_the_catalogue_can_meet_is_met(seed):
    random = np.random.default_rng(seed)
    some = [random.choice(of_a_kind) for of_a_kind in CHOICES if random.random() < 0.5]
    pipeline = rp.Pipeline(
        candidates=[rp.ItemKNN(k=5), rp.Popularity()],
        rules=["REQUIRE item.price > 3", *some],
        pool=int(random.integers(1, 12)),
    ).fit(shop(random))
    for user in ("u1", "u2", "a stranger"):
        ranking = pipeline.recommend(user, N)
        assert len(set(ranking.item_ids)) == N
        if ranking.account.unmet:
            assert best_of_all(pipeline, ranking, user), (some, ranking.account.unmet)


def test_what_a_page_lacks():
    asked = SlotRules(
        (Pinned("pin", (2,), np.array([True, False, False])),
         Pinned("met", (1,), np.array([True, False, False])),
         Pinned("beyond", (9,), np.array([True, False, False]))),
        (Cap("cap", np.array([0, 1, 1], np.int32), 1, Span(3)),
         Cap("in a row", np.array([0, 1, 0], np.int32), 1, Span(2, sliding=True))),
        (Quota("top", np.array([False, True, True]), 2, Span(2)),
         Quota("all", np.array([False, True, True]), 2, Span(3))),
    )  # fmt: skip
    assert [lack.rule for lack in lacks(unmet_by(np.arange(3), asked), 5)] == ["pin", "cap", "top"]


@pytest.mark.parametrize("seed", range(40))
def test_a_page_of_another_order_is_what_it_would_be_by_itself(seed):
    random = np.random.default_rng(seed)
    rules = [random.choice(of_a_kind) for of_a_kind in CHOICES]
    pipeline = rp.Pipeline(candidates=[rp.Popularity()], rules=rules).fit(shop(random))
    standing = pipeline._shop_rules.standing(pipeline, rp.Query("u1"))
    request = Request(rp.Query("u1"), standing, N, 0, standing.allowed, True)
    items = random.permutation(50)[:40].astype(np.int32)
    known = AskedOnce(request, items)
    for other in (items, items[::-1], random.permutation(items), items[:30], items + 5, items[:0]):
        scores = np.sort(random.normal(size=len(other)).round(1))[::-1]
        ranking = rp.Ranking.of(other, scores, pipeline.items_, "a model")
        page, unmet = assemble(ranking, standing.asked_of(ranking.items, N), N)
        for _ in range(2):  # the second time it is remembered
            found, lacking = known.page(ranking)
            assert found.items.tolist() == page.items.tolist()
            assert found.scores.tolist() == page.scores.tolist()
            assert lacking == unmet
