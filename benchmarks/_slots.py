"""Small pages filled by trying every order of the candidates: what slot filling is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from recopersona.data.ids import IdMap
from recopersona.data.ranking import Ranking
from recopersona.rerank.assembly import assemble
from recopersona.rules.slots import Cap, Pinned, Quota, SlotRules, Span

CASES = 500
SLOTS, CANDIDATES = (1, 5), (3, 7)


def figures(n_cases: int = CASES) -> dict[str, float]:
    """Return how many satisfiable cases were broken, and our share of the best utility."""
    broken, shares, tried = 0, [], 0
    for scores, asked, n in cases():
        tried += 1
        best = best_page(scores, asked, n)
        if best is None:
            continue
        page, _ = assemble(ranking_of(scores), asked, n)
        shown = page.items[None]
        if len(page) < n or not all_met(shown, asked)[0]:
            broken += 1
            shares.append(0.0)
        else:
            shares.append(float(utility(shown, scores)[0] / best) if best else 1.0)
        if len(shares) == n_cases:
            break
    return {
        "slots_cases": n_cases,
        "slots_unsatisfiable": tried - n_cases,
        "slots_broken": broken,
        "utility_share": float(np.mean(shares)),
        "utility_share_least": min(shares),
    }


def cases() -> Iterator[tuple[np.ndarray, SlotRules, int]]:
    rng = np.random.default_rng(20260701)
    while True:
        n_items, n_slots = (
            rng.integers(*CANDIDATES, endpoint=True),
            rng.integers(*SLOTS, endpoint=True),
        )
        n_slots = min(n_slots, n_items)
        scores = np.sort(rng.gamma(2.0, 1.0, n_items).astype(np.float32))[::-1].copy()
        yield scores, asked_of(rng, n_items, n_slots), int(n_slots)


def asked_of(rng: np.random.Generator, n_items: int, n_slots: int) -> SlotRules:
    """Ask for up to one pin, two caps (their groups overlap) and two quotas."""

    def some(share: float) -> np.ndarray:
        return rng.random(n_items) < share

    def span() -> Span:
        return Span(int(rng.integers(1, n_slots, endpoint=True)), bool(rng.random() < 0.3))

    pins, caps = [], []
    if rng.random() < 0.4:
        slots = tuple(rng.permutation(n_slots)[: rng.integers(1, 3)].tolist())
        pins.append(Pinned("pin", tuple(slot + 1 for slot in sorted(slots)), some(0.4)))
    for number in range(rng.integers(0, 3)):
        groups = rng.integers(-1, 3, n_items).astype(np.int32)
        caps.append(Cap(f"cap {number}", groups, int(rng.integers(1, 3)), span()))
    quotas = tuple(
        Quota(f"quota {number}", some(0.5), int(rng.integers(1, 3)), span())
        for number in range(rng.integers(0, 3))
    )
    return SlotRules(tuple(pins), tuple(caps), quotas)


def best_page(scores: np.ndarray, asked: SlotRules, n: int) -> float | None:
    """Return the utility of the best page that meets everything; None where no page does.

    Pins take the best of what matches them, so among pages the pinned slots are looked at first.
    """
    pages = np.array(list(permutations(range(len(scores)), n)))
    pages = pages[all_met(pages, asked)]
    if not len(pages):
        return None
    for slot in (slot for pin in asked.pins for slot in pin.slots):
        pages = pages[pages[:, slot - 1] == pages[:, slot - 1].min()]
    return float(utility(pages, scores).max())


def utility(pages: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """What a page is worth beside one of the worst candidates; lower places are looked at less."""
    worth = scores - scores.min()
    return worth[pages] @ (1 / np.log2(np.arange(pages.shape[1]) + 2))


def all_met(pages: np.ndarray, asked: SlotRules) -> np.ndarray:
    """Tell of each page, one row of candidates, whether it meets all that is asked."""
    n = pages.shape[1]
    met = np.ones(len(pages), dtype=bool)
    for pin in asked.pins:
        for slot in pin.slots:
            met &= pin.matches[pages[:, slot - 1]] if slot <= n else True
    for cap in asked.caps:
        for window in windows(pages, cap.span):
            groups = cap.groups[window]
            for group in range(int(cap.groups.max()) + 1):
                met &= (groups == group).sum(axis=1) <= cap.most
    for quota in asked.quotas:
        for window in windows(pages, quota.span):
            met &= quota.matches[window].sum(axis=1) >= quota.least
    return met


def windows(pages: np.ndarray, span: Span) -> list[np.ndarray]:
    size = min(span.size, pages.shape[1])
    starts = range(pages.shape[1] - size + 1) if span.sliding else (0,)
    return [pages[:, start : start + size] for start in starts]


def ranking_of(scores: np.ndarray) -> Ranking:
    """Return candidates 0, 1, … in order of their scores."""
    return Ranking.of(np.arange(len(scores)), scores, IdMap(range(len(scores))), "given")
