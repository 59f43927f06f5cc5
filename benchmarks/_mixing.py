"""Does a bandit that mixes find the best mixture, and does it keep its promise on relevance?

Five crowds of visitors: one wants what is new, one what is rare, one tires of the same twice on a
page, one wants a bit of all, and one nothing but what suits. The model foresees only what suits.
Places are looked at less the further down they are. For each crowd another arm is best, and the
bandit has to find out which. The truth of every page is known, so that every arm's page of every
request is valued, and the bandit's beside them: differences are of the same requests.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t

import recopersona as rp
from recopersona.rerank.bandit import BanditReranker

N_ITEMS, N_FAMILIES, N_SLOTS = 400, 16, 10
LOOKS = 1 / np.arange(1, N_SLOTS + 1) ** 0.6
NOW = pd.Timestamp("2026-06-01", tz="UTC")
PAGES, DEVICES = ("home", "product", "cart"), ("mobile", "desktop")
CROWDS = {  # what is new, what is rare, and how sameness tires
    "novelty": (3.0, 0.0, 0.0),
    "rarity": (0.0, 1.2, 0.0),
    "variety": (0.0, 0.0, 1.2),
    "all of it": (1.8, 0.6, 0.7),
    "nothing else": (0.0, 0.0, 0.0),
}
RULES = "RULE family: LIMIT 4 PER item.family IN TOP 10"
LEARNED_WITHIN = 3_000


class Shelf:
    """A catalogue, its past, and what visitors would do with a page."""

    def __init__(self, crowd: str, seed: int) -> None:
        rng = self._rng = np.random.default_rng(seed)
        self.wants = CROWDS[crowd]
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
        draws = rng.random((2, N_ITEMS))
        foreseen = suits + rng.normal(0, 0.4, N_ITEMS)
        query = rp.Query(
            f"u{int(rng.integers(2_000))}",
            context={"page": page, "device": device},
            now=NOW,
            decision_id=f"{number}",
        )
        return Request(query, suits, 1 / (1 + np.exp(-foreseen)), draws)

    def chances(self, request: Request, rows: Any) -> Any:
        """Return how likely each item of a page is clicked, float64 (n_slots,)."""
        new, rare, tires = self.wants
        logit = request.suits[rows] + new * self.fresh[rows] + rare * self.rare[rows]
        family = self.family[rows]
        before = np.tril(family[:, None] == family[None, :], -1).sum(axis=1)
        return LOOKS[: len(rows)] / (1 + np.exp(-(logit - tires * before)))

    def clicks(self, request: Request, rows: Any) -> Any:
        """Return which of a page are clicked: the same draw for an item wherever it stands."""
        return request.draws[0, rows] < self.chances(request, rows)


class Request(NamedTuple):
    """Who asks, what suits her, and what the model foresees."""

    query: rp.Query
    suits: Any
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


def live(crowd: str, seed: int, n_requests: int) -> dict[str, Any]:
    """Serve one life of a shop; return what the bandit's and all arms' pages were worth.

    ``bandit`` (n,) and ``arms`` (n, n_arms) are clicks expected of pages by the truth; where an arm
    does not stand to be chosen, the first arm's page counts as its.
    """
    asked: dict[str, Any] = {}
    shelf = Shelf(crowd, seed)
    home = _pipeline(shelf, seed, asked)
    stage = home.reranker_
    assert isinstance(stage, Watched)
    names = list(stage.arms_)
    shown, arms = np.zeros(n_requests), np.zeros((n_requests, len(names)))
    lost = np.zeros(n_requests)
    for number in range(n_requests):
        request = asked["request"] = shelf.request(number)
        ranking = home.recommend(request.query, n=N_SLOTS, seen="keep")
        pages, orders = stage._watched_kept
        draw = ranking.draw
        assert draw is not None
        for place, name in enumerate(names):
            order = orders[0 if name in draw.refused else place]
            arms[number, place] = shelf.chances(
                request, shelf.row_of_index[pages.items(order)]
            ).sum()
        rows = shelf.row_of_index[ranking.items]
        shown[number] = shelf.chances(request, rows).sum()
        lost[number] = _loss(shelf, request, rows, [shelf.row_of[item] for item in draw.without])
        places = np.flatnonzero(shelf.clicks(request, rows)).tolist()
        home.feedback(ranking.decision_id, clicked=[ranking.item_ids[place] for place in places])
    return {
        "names": names,
        "bandit": shown,
        "arms": arms,
        "below_bound": int((lost > stage.max_relevance_loss + 1e-6).sum()),
        "largest_loss": float(lost.max()),
        "refused": stage.counts_["refused"],
    }


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
    crowds = ("novelty", "variety") if quick else tuple(CROWDS)
    n_seeds, n_requests = (1, 3_300) if quick else (4, 6_000)
    lives = {crowd: [live(crowd, seed, n_requests) for seed in range(n_seeds)] for crowd in crowds}
    every = [one for some in lives.values() for one in some]
    figures = {
        "seeds": n_seeds,
        "requests": n_requests,
        "crowds": {crowd: _figures(some) for crowd, some in lives.items()},
        "over_all_crowds": _figures(every),
        "requests_checked": len(every) * n_requests,
        "below_relevance_bound": sum(one["below_bound"] for one in every),
        "largest_loss_pct": round(100 * max(one["largest_loss"] for one in every), 3),
        "arms_refused": sum(one["refused"] for one in every),
    }
    _tell(figures)
    return figures


def _figures(lives: list[dict[str, Any]]) -> dict[str, Any]:
    """Return clicks per page of the bandit and of every arm, of all requests and of later ones."""
    found: dict[str, Any] = {}
    names = lives[0]["names"]
    for key, part in (("all", slice(None)), ("after_3000", slice(LEARNED_WITHIN, None))):
        bandit = np.array([one["bandit"][part].mean() for one in lives])
        arms = np.array([one["arms"][part].mean(axis=0) for one in lives])
        means = arms.mean(axis=0)
        order = np.argsort(-means)
        found[key] = {
            "bandit": _with_interval(bandit),
            "arms": {names[place]: round(float(means[place]), 4) for place in order},
            "bandit_minus_best": _with_interval(bandit - arms[:, order[0]]),
            "bandit_minus_second": _with_interval(bandit - arms[:, order[1]]),
            "fixed_arms_above_bandit": int((means > bandit.mean()).sum()),
        }
    return found


def _with_interval(values: Any) -> list[float]:
    """Return the mean over seeds and its 95 % interval."""
    mean = float(values.mean())
    if len(values) < 2:
        return [round(mean, 4)] * 3
    half = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return [round(one, 4) for one in (mean, mean - half, mean + half)]


def _tell(figures: dict[str, Any]) -> None:
    print(
        f"\nMixing: {figures['seeds']} seeds a crowd of {figures['requests']} requests; expected "
        f"clicks per page after {LEARNED_WITHIN} requests, 95 % intervals over seeds"
    )
    print(f"{'crowd':>16} {'bandit':>7}  best arm, and the bandit beside it; the second")
    for crowd, told in (*figures["crowds"].items(), ("all together", figures["over_all_crowds"])):
        late = told["after_3000"]
        (best, mean), (second, less) = list(late["arms"].items())[:2]
        beside = [
            "{:+.3f} [{:+.3f}, {:+.3f}]".format(*late[f"bandit_minus_{which}"])
            for which in ("best", "second")
        ]
        print(
            f"{crowd:>16} {late['bandit'][0]:7.3f}  {best} {mean:.3f}: {beside[0]}; "
            f"{second} {less:.3f}: {beside[1]}"
        )
    print(
        f"  pages below the bound on relevance: {figures['below_relevance_bound']} of "
        f"{figures['requests_checked']} (largest loss {figures['largest_loss_pct']} %, "
        f"an arm was refused {figures['arms_refused']} times)"
    )
