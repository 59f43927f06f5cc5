"""Does a bandit that mixes find the best mixture, and does it keep its promise on relevance?

Visitors who want more than what suits them: what is new, what is rare, and not the same twice on a
page, each of six kinds of request (page and device) to another degree. The model foresees only what
suits. Places are looked at less the further down they are. The truth of every page is known, so
every arm's page of every request is valued, and the bandit's beside them: differences are paired.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import recopersona as rp
from recopersona.rerank.bandit import BanditReranker

N_ITEMS, N_FAMILIES, N_SLOTS = 400, 16, 10
LOOKS = 1 / np.arange(1, N_SLOTS + 1) ** 0.6
NOW = pd.Timestamp("2026-06-01", tz="UTC")
PAGES, DEVICES = ("home", "product", "cart"), ("mobile", "desktop")
# what is new, what is rare, and how sameness tires, by page; mobile visitors tire sooner
WANTS = {"home": (1.6, 0.3, 0.5), "product": (0.2, 0.0, 0.1), "cart": (0.6, 0.8, 0.4)}
MOBILE = (0.8, 1.0, 1.5)
RULES = "RULE family: LIMIT 4 PER item.family IN TOP 10"
LEARNED_WITHIN = 3_000


class Shelf:
    """A catalogue, its past, and what visitors would do with a page."""

    def __init__(self, seed: int) -> None:
        rng = self._rng = np.random.default_rng(seed)
        self.family = rng.integers(N_FAMILIES, size=N_ITEMS)
        self.quality = rng.normal(0, 0.5, N_ITEMS)
        ages = rng.exponential(60, N_ITEMS)
        self.fresh = np.exp2(-ages / 30)
        sold = rng.zipf(1.6, N_ITEMS).clip(max=400)
        rare = -np.log2((sold + 1) / (sold.sum() + N_ITEMS))
        self.rare = (rare - rare.mean()) / rare.std()
        self.vectors = np.eye(N_FAMILIES)[self.family] + 0.15 * rng.random((N_ITEMS, N_FAMILIES))
        names = [f"i{row}" for row in range(N_ITEMS)]
        items = pd.DataFrame(
            {
                "item_id": names,
                "family": self.family.astype(str),
                "created_at": NOW - pd.to_timedelta(ages, unit="D"),
            }
        )
        buyers = rng.integers(2_000, size=int(sold.sum()))
        log = pd.DataFrame(
            {
                "user_id": np.char.add("u", buyers.astype(str)),
                "item_id": np.repeat(names, sold),
                "timestamp": NOW - pd.Timedelta("1D"),
            }
        )
        self.shop = rp.Dataset.from_frames(log, items=items)
        self.row_of = {name: row for row, name in enumerate(names)}
        self.row_of_index = np.array([self.row_of[name] for name in self.shop.items.ids])

    def request(self, number: int) -> Request:
        """Return who comes next."""
        rng = self._rng
        page, device = PAGES[number % 3], DEVICES[int(rng.integers(2))]
        taste = rng.gamma(0.5, 1.0, N_FAMILIES).clip(max=2.5)
        suits = -2.6 + rng.normal(0, 0.6) + taste[self.family] + self.quality
        wants = np.array(WANTS[page]) * (MOBILE if device == "mobile" else 1)
        draws = rng.random((2, N_ITEMS))
        foreseen = suits + rng.normal(0, 0.4, N_ITEMS)
        query = rp.Query(
            f"u{int(rng.integers(2_000))}",
            context={"page": page, "device": device},
            now=NOW,
            decision_id=f"{number}",
        )
        return Request(query, suits, wants, 1 / (1 + np.exp(-foreseen)), draws)

    def chances(self, request: Request, rows: Any) -> Any:
        """Return how likely each item of a page is clicked, float64 (n_slots,)."""
        new, rare, tires = request.wants
        logit = request.suits[rows] + new * self.fresh[rows] + rare * self.rare[rows]
        family = self.family[rows]
        before = np.tril(family[:, None] == family[None, :], -1).sum(axis=1)
        return LOOKS[: len(rows)] / (1 + np.exp(-(logit - tires * before)))

    def clicks(self, request: Request, rows: Any) -> Any:
        """Return which of a page are clicked: the same draw for an item wherever it stands."""
        return request.draws[0, rows] < self.chances(request, rows)


class Request(NamedTuple):
    """Who asks, what suits her, what else she wants, and what the model foresees."""

    query: rp.Query
    suits: Any
    wants: Any
    foreseen: Any
    draws: Any


class Watched(BanditReranker):
    """A bandit whose pages of all arms are kept to be valued."""

    def _drawn(self, query: Any, mix: Any, pages: Any, orders: Any) -> Any:
        self._watched_kept = pages, orders
        return super()._drawn(query, mix, pages, orders)


def _pipeline(shelf: Shelf, seed: int, asked: dict[str, Any]) -> rp.Pipeline:
    def judged(_: Any, ranking: Any) -> Any:
        return ranking.rescored(asked["request"].foreseen[shelf.row_of_index[ranking.items]])

    return rp.Pipeline(
        candidates=[rp.Popularity()],
        pool=200,
        rules=RULES,
        ranker=judged,
        reranker=Watched(random_state=seed, vectors=shelf.vectors[shelf.row_of_index]),
    ).fit(shelf.shop)


def live(seed: int, n_requests: int) -> dict[str, Any]:
    """Serve one life of a shop; return what the bandit's and all arms' pages were worth.

    ``bandit`` (n,) and ``arms`` (n, n_arms) are clicks expected of pages by the truth; an arm that
    stood not to be chosen shows the first arm's page.
    """
    shelf, asked = Shelf(seed), {}
    home = _pipeline(shelf, seed, asked)
    stage = home.reranker_
    assert isinstance(stage, Watched)
    names = list(stage.arms_)
    shown, arms = np.zeros(n_requests), np.zeros((n_requests, len(names)))
    below, lost, alike = 0, np.zeros(n_requests), 0
    for number in range(n_requests):
        request = asked["request"] = shelf.request(number)
        ranking = home.recommend(request.query, n=N_SLOTS, seen="keep")
        pages, orders = stage._watched_kept
        draw = ranking.draw
        assert draw is not None
        for place in range(len(orders)):
            arm = 0 if names[place] in draw.refused else place
            rows = shelf.row_of_index[pages.items(orders[arm])]
            arms[number, place] = shelf.chances(request, rows).sum()
        rows = shelf.row_of_index[ranking.items]
        shown[number] = shelf.chances(request, rows).sum()
        alike += len(draw.same) > 1
        lost[number] = _loss(shelf, request, rows, [shelf.row_of[item] for item in draw.without])
        below += lost[number] > stage.max_relevance_loss + 1e-6
        clicked = [ranking.item_ids[place] for place in np.flatnonzero(shelf.clicks(request, rows))]
        home.feedback(ranking.decision_id, clicked=clicked)
    return {
        "names": names, "bandit": shown, "arms": arms, "below_bound": int(below),
        "largest_loss": float(lost.max()), "refused": stage.counts_["refused"], "alike": alike,
    }  # fmt: skip


def _loss(shelf: Shelf, request: Request, shown: Any, plain: Any) -> float:
    """Return by which share a page is foreseen to be less relevant than another.

    Counted anew, from what the model foresees of every item that may be a candidate.
    """
    scores = request.foreseen
    worth = (scores - scores[_pool(shelf)].min()) / np.ptp(scores[_pool(shelf)])
    gains = 1 / np.log2(2 + np.arange(len(shown)))
    return float(1 - (worth[shown] @ gains) / (worth[plain] @ gains))


def _pool(shelf: Shelf) -> Any:
    kept = getattr(shelf, "pool", None)
    if kept is None:
        model = rp.Popularity().fit(shelf.shop)
        items = model.recommend(rp.Query(), n=200, seen="keep").items
        kept = shelf.pool = shelf.row_of_index[items]
    return kept


def mixing(quick: bool = False) -> dict[str, Any]:
    """Return the figures, and print them; see the top of this file."""
    n_seeds, n_requests = (2, 4_000) if quick else (10, 6_000)
    lives = [live(seed, n_requests) for seed in range(n_seeds)]
    names = lives[0]["names"]
    late = slice(LEARNED_WITHIN, None)
    figures: dict[str, Any] = {"seeds": n_seeds, "requests": n_requests, "arms": {}, "bandit": {}}
    for key, part in (("all", slice(None)), ("after_3000", late)):
        bandit = np.array([one["bandit"][part].mean() for one in lives])
        arms = np.array([one["arms"][part].mean(axis=0) for one in lives])
        figures["bandit"][key] = _with_interval(bandit)
        for place, name in enumerate(names):
            told = figures["arms"].setdefault(name, {})
            told[key] = _with_interval(arms[:, place])
            told[f"bandit_minus_this_{key}"] = _with_interval(bandit - arms[:, place])
        order = np.argsort(-arms.mean(axis=0))
        figures[f"best_arm_{key}"] = names[order[0]]
        figures[f"beats_all_but_best_{key}"] = bool(
            all(
                figures["arms"][names[place]][f"bandit_minus_this_{key}"][1] > 0
                for place in order[1:]
            )
        )
    figures["below_bound"] = sum(one["below_bound"] for one in lives)
    figures["largest_loss_pct"] = 100 * max(one["largest_loss"] for one in lives)
    figures["refused_arms"] = sum(one["refused"] for one in lives)
    figures["checked_requests"] = n_seeds * n_requests
    _tell(figures)
    return figures


def _with_interval(values: Any) -> list[float]:
    """Return the mean over seeds and its 95 % interval."""
    mean = float(values.mean())
    if len(values) < 2:
        return [mean, mean, mean]
    from scipy.stats import t

    half = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return [round(one, 4) for one in (mean, mean - half, mean + half)]


def _tell(figures: dict[str, Any]) -> None:
    print(
        f"\nMixing: {figures['seeds']} seeds of {figures['requests']} requests, clicks per page "
        "(95 % interval over seeds; differences are of the same requests)"
    )
    for key in ("all", "after_3000"):
        mean, low, high = figures["bandit"][key]
        print(f"  {key:>10}: the bandit {mean:.3f} [{low:.3f}, {high:.3f}]")
        for name, told in figures["arms"].items():
            more = told[f"bandit_minus_this_{key}"]
            print(
                f"{name:>24} {told[key][0]:.3f}   the bandit has {more[0]:+.3f} "
                f"[{more[1]:+.3f}, {more[2]:+.3f}]"
            )
    print(
        f"  pages below the bound on relevance: {figures['below_bound']} of "
        f"{figures['checked_requests']} (largest loss {figures['largest_loss_pct']:.2f} %; "
        f"{figures['refused_arms']} times an arm was refused)"
    )
