"""Does a bandit that mixes find the best mixture, and does it keep its promise on relevance?

Five crowds of visitors: one wants what is new, one what is rare, one tires of the same twice on a
page, one wants a bit of all, and one nothing but what suits. The model foresees only what suits.
Places are looked at less the further down they are. The pages of all arms are made once a request,
by a pipeline; for each crowd a bandit of its own chooses among them and learns from its clicks. The
truth of every page is known, so that differences are of the same requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy, deepcopy
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t

import recopersona as rp
from recopersona.data.decision import Decision
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
N_SEEDS, N_REQUESTS, LEARNED_WITHIN, WINDOW = 4, 4_500, 3_000, 500


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
        draws = rng.random(N_ITEMS)
        foreseen = suits + rng.normal(0, 0.4, N_ITEMS)
        query = rp.Query(
            f"u{int(rng.integers(2_000))}",
            context={"page": page, "device": device},
            now=NOW,
            decision_id=f"{number}",
        )
        return Request(query, suits, 1 / (1 + np.exp(-foreseen)), draws)

    def chances(self, crowd: str, request: Request, rows: Any) -> Any:
        """Return how likely each item of pages is clicked, float64 (..., n_slots)."""
        new, rare, tires = CROWDS[crowd]
        logit = request.suits[rows] + new * self.fresh[rows] + rare * self.rare[rows]
        family = self.family[rows]
        before = np.tril(family[..., :, None] == family[..., None, :], -1).sum(axis=-1)
        return LOOKS / (1 + np.exp(-(logit - tires * before)))


class Request(NamedTuple):
    """Who asks, what suits her, and what the model foresees."""

    query: rp.Query
    suits: Any
    foreseen: Any
    draws: Any  # of each item, wherever it stands


class Watched(BanditReranker):
    """A bandit whose pages of all arms are kept, for others to choose among."""

    def _drawn(self, query: Any, mix: Any, pages: Any, orders: Any) -> Any:
        self._watched_kept = query, mix, pages, orders
        return super()._drawn(query, mix, pages, orders)

    def apart(self) -> Watched:
        """Return a bandit that knows the same shop and learns for itself."""
        other = copy(self)
        other.__dict__.pop("_lock_kept", None)
        for name in ("policy_", "expectation_", "segments_", "counts_"):
            setattr(other, name, deepcopy(getattr(self, name)))
        return other


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


def live(seed: int, n_requests: int, crowds: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Serve one shop to several crowds; return what the bandits' and all arms' pages were worth.

    By crowd, ``bandit`` (n,) and ``arms`` (n, n_arms) are clicks expected of pages by the truth;
    where an arm does not stand to be chosen, the first arm's page counts as its.
    """
    asked: dict[str, Any] = {}
    shelf = Shelf(seed)
    home = _pipeline(shelf, seed, asked)
    stage = home.reranker_
    assert isinstance(stage, Watched)
    bandits = {crowd: stage.apart() for crowd in crowds}
    names = list(stage.arms_)
    shown = {crowd: np.zeros(n_requests) for crowd in crowds}
    arms = {crowd: np.zeros((n_requests, len(names))) for crowd in crowds}
    lost = {crowd: np.zeros(n_requests) for crowd in crowds}
    for number in range(n_requests):
        request = asked["request"] = shelf.request(number)
        ranking = home.recommend(request.query, n=N_SLOTS, seen="keep")
        query, mix, pages, orders = stage._watched_kept
        assert ranking.draw is not None
        made = np.stack([shelf.row_of_index[pages.items(order)] for order in orders])
        assert (made[names.index(ranking.draw.arm)] == shelf.row_of_index[ranking.items]).all()
        made[[name in ranking.draw.refused for name in names]] = made[0]
        losses = [_loss(shelf, request, rows, made[0]) for rows in made]
        for crowd, bandit in bandits.items():
            draw, _ = bandit._drawn(query, mix, pages, orders)
            chosen = names.index(draw.arm)
            chances = shelf.chances(crowd, request, made)
            arms[crowd][number] = chances.sum(axis=1)
            shown[crowd][number] = arms[crowd][number, chosen]
            lost[crowd][number] = losses[chosen]
            ids = [f"i{row}" for row in made[chosen]]
            clicked = np.flatnonzero(request.draws[made[chosen]] < chances[chosen])
            outcome = {ids[place]: "click" for place in clicked}
            bandit._learn_outcome(
                Decision(str(number), None, tuple(ids), (), draw=draw, outcome=outcome)
            )
    return {
        crowd: {
            "names": names,
            "bandit": shown[crowd],
            "arms": arms[crowd],
            "below_bound": int((lost[crowd] > stage.max_relevance_loss + 1e-6).sum()),
            "largest_loss": float(lost[crowd].max()),
            "refused": bandits[crowd].counts_["refused"],
        }
        for crowd in crowds
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


def mixing(quick: bool = False, over: Callable[..., Iterable[Any]] = map) -> dict[str, Any]:
    """Return the figures, and print them; ``over`` maps over seeds."""
    crowds = ("novelty", "variety") if quick else tuple(CROWDS)
    n_seeds, n_requests = (1, 3_500) if quick else (N_SEEDS, N_REQUESTS)
    shops = list(over(partial(live, n_requests=n_requests, crowds=crowds), range(n_seeds)))
    lives = {crowd: [shop[crowd] for shop in shops] for crowd in crowds}
    every = [one for some in lives.values() for one in some]
    figures = {
        "seeds": n_seeds,
        "requests": n_requests,
        "crowds": {crowd: _figures(some) for crowd, some in lives.items()},
        "requests_checked": len(every) * n_requests,
        "below_relevance_bound": sum(one["below_bound"] for one in every),
        "largest_loss_pct": round(100 * max(one["largest_loss"] for one in every), 3),
        "arms_refused": sum(one["refused"] for one in every),
    }
    _tell(figures)
    return figures


def _figures(lives: list[dict[str, Any]]) -> dict[str, Any]:
    """Return clicks per page of the bandit and of every arm, of all requests and of later ones.

    ``curve`` is the bandit's lead over the second arm, in windows; ``learned`` the end of the first
    window in which it is ahead. Which arm is best and second, all requests say.
    """
    names = lives[0]["names"]
    order = np.argsort(-np.mean([one["arms"].mean(axis=0) for one in lives], axis=0))
    found: dict[str, Any] = {}
    for key, part in (("all", slice(None)), ("after_3000", slice(LEARNED_WITHIN, None))):
        bandit = np.array([one["bandit"][part].mean() for one in lives])
        arms = np.array([one["arms"][part].mean(axis=0) for one in lives])
        rivals = {"best": arms[:, order[0]], "second": arms[:, order[1]], "uniform": arms.mean(1)}
        found[key] = {
            "bandit": _with_interval(bandit),
            "arms": {names[place]: round(float(arms[:, place].mean()), 4) for place in order},
            "arms_minus_best": {
                names[place]: _with_interval(arms[:, place] - arms[:, order[0]])
                for place in order[1:]
            },
            "uniform": _with_interval(rivals["uniform"]),
            **{f"bandit_minus_{name}": _with_interval(bandit - of) for name, of in rivals.items()},
            "fixed_arms_above_bandit": int((arms.mean(axis=0) > bandit.mean()).sum()),
        }
    ahead = np.mean([one["bandit"] - one["arms"][:, order[1]] for one in lives], axis=0)
    whole = len(ahead) // WINDOW * WINDOW
    curve = ahead[:whole].reshape(-1, WINDOW).mean(axis=1)
    found["curve"] = curve.round(4).tolist()
    found["learned"] = WINDOW * (int(np.argmax(curve > 0)) + 1) if (curve > 0).any() else None
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
    print(f"{'crowd':>14} {'bandit':>7}  beside the best arm, the second, uniform choices; learned")
    for crowd, told in figures["crowds"].items():
        late = told["after_3000"]
        (best, mean), (second, less) = list(late["arms"].items())[:2]
        beside = [
            "{:+.3f} [{:+.3f}, {:+.3f}]".format(*late[f"bandit_minus_{which}"])
            for which in ("best", "second", "uniform")
        ]
        apart = "{:+.3f} [{:+.3f}, {:+.3f}]".format(*late["arms_minus_best"][second])
        print(
            f"{crowd:>14} {late['bandit'][0]:7.3f}  {best} {mean:.3f}: {beside[0]}; {second} "
            f"{less:.3f} ({apart} of the best): {beside[1]}; uniform {late['uniform'][0]:.3f}: "
            f"{beside[2]}; ahead of it within {told['learned']}"
        )
    print(
        f"  pages below the bound on relevance: {figures['below_relevance_bound']} of "
        f"{figures['requests_checked']} (largest loss {figures['largest_loss_pct']} %, "
        f"an arm was refused {figures['arms_refused']} times)"
    )
