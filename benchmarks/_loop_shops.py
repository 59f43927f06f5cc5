"""Who answers the visitors of `closed_loop.py`: five shops that see the same world."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd

import recopersona as rp
from recopersona.simulation.world import Visit, World

N = 10
"""How many items a page has."""

WEIGHTS = {"impression": 0, "view": 1, "click": 1, "cart": 0, "purchase": 0}
"""Who carts and buys has clicked before: to count that again tells nothing new of her taste."""
HALF_LIFE = "14d"
DAY = 86_400_000
EVENTS_AT_ONCE = 20
"""So many visits are told to models together, as a queue of events would."""


def dataset(log: pd.DataFrame, catalogue: pd.DataFrame) -> rp.Dataset:
    """Read a log as every shop here reads it."""
    return rp.Dataset.from_frames(
        log, items=catalogue, event_weights=WEIGHTS, half_life=HALF_LIFE
    )  # fmt: skip


class Shop:
    """What every shop has: a model that answers, and two clocks."""

    seen: Any = "drop"
    tells_impressions = False

    def __init__(self, world: World, random_state: int) -> None:
        self.world = world
        self.log, self.catalogue = world.log(), world.catalogue()
        self.happened: list[rp.Event] = []
        self.answer_s = self.learn_s = 0.0
        begun = time.perf_counter()
        self.model = self.made(random_state)
        self.begin()
        self.fit_s = time.perf_counter() - begun

    def made(self, random_state: int) -> Any:
        raise NotImplementedError

    def begin(self) -> None:
        self.model.fit(dataset(self.log, self.catalogue))

    def page(self, visit: Visit) -> list[Any]:
        begun = time.perf_counter()
        if visit.arrived is not None:
            self.arrive(visit.arrived)
        items = self.model.recommend(visit.query, N, seen=self.seen).item_ids
        self.answer_s += time.perf_counter() - begun
        return items

    def arrive(self, items: pd.DataFrame) -> None:
        """New items are on sale."""
        self.model.update_items(items)

    def learn(self, visit: Visit, page: list[Any], reaction: Any) -> None:
        begun = time.perf_counter()
        if self.tells_impressions:
            self.happened += impressions(visit, page, reaction)
        self.happened += reaction.events
        if (visit.number + 1) % EVENTS_AT_ONCE == 0:
            self.take_in()
        self.hear(visit, reaction)
        self.learn_s += time.perf_counter() - begun

    def take_in(self) -> None:
        if self.happened:
            self.model.partial_fit(self.happened)
            self.happened = []

    def hear(self, visit: Visit, reaction: Any) -> None:
        """Hear what came of the page, where somebody asks."""


def impressions(visit: Visit, page: list[Any], reaction: Any) -> list[rp.Event]:
    """Say what was shown and not clicked, as events."""
    query = visit.query
    clicked = set(reaction.clicked)
    return [
        rp.Event(query.user_id, item, "impression", query.now)
        for item in page
        if item not in clicked
    ]


class MostPopular(Shop):
    """What most people want lately, but for what she has seen."""

    def made(self, random_state: int) -> Any:
        return rp.Popularity(half_life="7d")


class Nightly(Shop):
    """Fitted anew every night on everything so far."""

    def __init__(self, world: World, random_state: int) -> None:
        self.day, self.today = -1, []
        super().__init__(world, random_state)

    def page(self, visit: Visit) -> list[Any]:
        day = visit.query.now // DAY
        if day != self.day and self.day >= 0:
            begun = time.perf_counter()
            self.log = pd.concat([self.log, frame_of(self.today)], ignore_index=True)
            self.today, self.happened = [], []
            self.night()
            self.learn_s += time.perf_counter() - begun
        self.day = day
        if visit.arrived is not None:
            self.catalogue = pd.concat([self.catalogue, visit.arrived], ignore_index=True)
        return super().page(visit)

    def learn(self, visit: Visit, page: list[Any], reaction: Any) -> None:
        if self.tells_impressions:
            self.today += impressions(visit, page, reaction)
        self.today += reaction.events
        super().learn(visit, page, reaction)

    def night(self) -> None:
        self.begin()


class NightlyALS(Nightly):
    """A factorization that stays as it is until the next night."""

    def made(self, random_state: int) -> Any:
        return rp.ALS(factors=16, random_state=random_state)

    def arrive(self, items: pd.DataFrame) -> None:
        """Wait for the night."""

    def take_in(self) -> None:
        """Wait for the night."""


def frame_of(events: list[rp.Event]) -> pd.DataFrame:
    """Write events as the log has them."""
    frame = pd.DataFrame(events, columns=rp.Event._fields)
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="ms", utc=True)
    return frame[["user_id", "item_id", "timestamp", "event", "price"]]


def candidates(random_state: int) -> list[Any]:
    return [
        rp.ALS(factors=16, random_state=random_state),
        rp.HybridFactorization(factors=32, random_state=random_state),
    ]


def fatigue() -> rp.Fatigue:
    return rp.Fatigue(event_weights={"impression": 1.5, "view": 8, "click": 8, "purchase": 8})


ARMS = {
    "a little varied": {"relevance": 0.8, "diversity": 0.2},
    "varied": {"relevance": 0.7, "diversity": 0.3},
    "more varied": {"relevance": 0.6, "diversity": 0.4},
    "most varied": {"relevance": 0.5, "diversity": 0.5},
}


class Layered(Nightly):
    """Candidates, merged; what she has just been shown rests; all learns as events come."""

    seen = ("view", "click", "purchase")
    tells_impressions = True

    def made(self, random_state: int) -> Any:
        return rp.Pipeline(
            candidates=candidates(random_state),
            reranker=self.reranker(random_state),
            weights={"als": 2.0},
            pool=100,
        )

    def reranker(self, random_state: int) -> Any:
        return fatigue()


class Mixed(Layered):
    """The same, and a bandit that learns how much variety a page takes."""

    def reranker(self, random_state: int) -> Any:
        self.decided: list[pd.DataFrame] = []
        bandit = rp.BanditReranker(
            objectives=["relevance", "diversity"],
            arms=ARMS,
            segment=["page", "device"],
            max_relevance_loss=0.4,
            random_state=random_state,
        )
        return [fatigue(), bandit]

    def hear(self, visit: Visit, reaction: Any) -> None:
        self.model.feedback(
            visit.query.decision_id, clicked=reaction.clicked, purchased=reaction.purchased,
            now=visit.query.now,
        )  # fmt: skip

    def night(self) -> None:
        """Fit the models anew; the bandit starts from all that was decided so far."""
        self.decided.append(self.model.decisions_frame())
        self.begin()
        bandit = self.model.reranker_.stages_[-1]
        bandit.fit(pd.concat(self.decided, ignore_index=True))


class Oracle(Shop):
    """Who knows what everybody wants, and what everybody is tired of."""

    def made(self, random_state: int) -> Any:
        return None

    def begin(self) -> None:
        """Know everything already."""

    def page(self, visit: Visit) -> list[Any]:
        return self.world.oracle(visit, N)

    def learn(self, visit: Visit, page: list[Any], reaction: Any) -> None:
        """Know it already."""


SHOPS = {
    "popularity": MostPopular,
    "nightly_als": NightlyALS,
    "pipeline_no_bandit": Layered,
    "pipeline": Mixed,
    "oracle": Oracle,
}
