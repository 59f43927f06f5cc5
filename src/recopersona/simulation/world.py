"""A world of visitors who click: its truth is known, so that it can be said who learns it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from recopersona.base.parameters import check, one_of, real, whole
from recopersona.data.dataset import Dataset
from recopersona.data.event import Event
from recopersona.data.query import Query
from recopersona.data.times import from_ms
from recopersona.data.types import Id, Indices, Mask, Values
from recopersona.errors import DataError
from recopersona.kernels.visitors import attract, best_page, tire
from recopersona.simulation.calendar import PAGES, calls_of_day
from recopersona.simulation.chance import chance_key, chances_of
from recopersona.simulation.clicks import Cascade, PositionBased
from recopersona.simulation.minds import OF_FAMILY, Minds
from recopersona.simulation.past import BASE, KINDS, Past, buying, draw_past
from recopersona.simulation.truth import DAY, DEVICES, FAMILY, Truth

NEW_FOR = 7 * DAY
"""After so long an item's being new counts half."""
VARIETY = {"home": 1.3, "product": 0.5, "cart": 0.9, "mobile": 1.25, "desktop": 0.75}
"""How much more than usual sameness tires: by page, times by device."""
CURIOSITY = {"home": 1.3, "product": 0.5, "cart": 0.8, "mobile": 0.8, "desktop": 1.25}
"""How much more than usual what is new attracts: by page, times by device."""
INTENT = 1.0
"""What a session's topic is worth in that session, in logits, beside her usual taste."""
_FINDS = 64


@dataclass(frozen=True, eq=False)
class Visit:
    """One page that a visitor calls for.

    Attributes
    ----------
    number : int
        Counts from 0 in every life of the world.
    query : Query
        ``user_id``; ``session``, what she looked at in this session so far; ``seed`` on an item's
        page, the last of these; ``context``: ``page`` (home, product, cart), ``device`` (mobile,
        desktop) and ``visitor`` (new for a day, then returning); ``now``; ``decision_id``.
    arrived : DataFrame or None
        Items that came on sale since the visit before, as rows of the catalogue.

    Examples
    --------
    >>> visit = next(World(200, 100, requests_per_day=200, random_state=1).visits(1))
    >>> visit.number, visit.query.context["page"], visit.query.decision_id
    (0, 'home', '1-0')
    """

    number: int
    query: Query
    arrived: pd.DataFrame | None
    user: int = field(repr=False)
    n_items: int = field(repr=False)
    key: int = field(repr=False)


@dataclass(frozen=True)
class Reaction:
    """What a visitor did with a page.

    Attributes
    ----------
    events : list of Event
        What a shop would log but for impressions: clicks, carts and purchases of what was shown,
        and views of what she then looked for herself.
    clicked, purchased : tuple of item ids
        Of what was shown.
    revenue : float
        The prices of what was bought of it.
    examined : bool (n,)
        Which places she looked at.

    Examples
    --------
    >>> world = World(200, 100, requests_per_day=200, random_state=1)
    >>> visit = next(world.visits(1))
    >>> bool(world.react(visit, world.oracle(visit, n=5)).examined[0])
    True
    """

    events: list[Event]
    clicked: tuple[Id, ...]
    purchased: tuple[Id, ...]
    revenue: float
    examined: Mask


@dataclass(frozen=True, eq=False)
class _Eyes:
    """With what eyes a visitor looks at a moment: see `attract`."""

    likes: Values
    manner: Values
    bored: Values
    weary: Values
    thrift: float
    hunger: float
    fatigue: float
    now: int


class World:
    """Visitors who click.

    Parameters
    ----------
    n_visitors, n_items : int, at least 1
    click_model : "position" or "cascade"
    drift, fashion, boredom, sameness, freshness, search : float, at least 0
    new_items, new_visitors : int, at least 0
        A day.
    requests_per_day : float
    random_state : int

    Examples
    --------
    >>> world = World(200, 100, requests_per_day=200, random_state=1)
    >>> clicks = 0
    >>> for visit in world.visits(100):
    ...     reaction = world.react(visit, world.oracle(visit, n=5))
    ...     clicks += len(reaction.clicked)
    >>> clicks > 30
    True
    """

    def __init__(
        self,
        n_visitors: int = 5_000,
        n_items: int = 3_000,
        *,
        click_model: str = "position",
        drift: float = 1.0,
        fashion: float = 0.4,
        boredom: float = 1.0,
        sameness: float = 0.3,
        freshness: float = 0.8,
        search: float = 0.5,
        new_items: int = 10,
        new_visitors: int = 20,
        requests_per_day: float = 1_000.0,
        random_state: int = 0,
    ) -> None:
        given = {name: value for name, value in locals().items() if name in _BOUNDS}
        for name, bound in _BOUNDS.items():
            check(given[name], bound, "World", name)
            setattr(self, name, given[name])
        self.click_model, self.random_state = click_model, random_state
        self.boredom, self.sameness, self.freshness = boredom, sameness, freshness
        self.search, self.requests_per_day = search, requests_per_day
        self.n_visitors, self.n_items = n_visitors, n_items
        self.clicks = PositionBased(0.7) if click_model == "position" else Cascade(0.5, 0.3)
        self._truth = Truth(
            n_visitors, n_items, drift=drift, fashion=fashion, new_items=new_items,
            new_visitors=new_visitors, random_state=random_state,
        )  # fmt: skip
        self._numbers: dict[Id, int] = {}
        self._names: list[str] = []
        self._know(n_items)
        self._begin: Minds | None = None
        self._restart()

    # -- what the shop knows -----------------------------------------------------------------

    @cached_property
    def _past(self) -> Past:
        return draw_past(self._truth, self.clicks, self.requests_per_day)

    def log(self) -> pd.DataFrame:
        """Return the events of the past, in order of time."""
        past = self._past
        price = self._truth.goods.price[past.item]
        return pd.DataFrame(
            {
                "user_id": pd.Index([f"v-{n:05d}" for n in range(self.n_visitors)]).take(past.user),
                "item_id": pd.Index(self._names[: self.n_items]).take(past.item),
                "timestamp": from_ms(past.time),
                "event": pd.Index(KINDS).take(past.kind),
                "price": price,
            }
        )

    def catalogue(self) -> pd.DataFrame:
        """Return what is on sale when the present begins: a row per item."""
        return self._truth.goods.frame(0, self.n_items)

    def dataset(self) -> Dataset:
        """Return the past and the catalogue as what models learn from."""
        return Dataset.from_frames(self.log(), items=self.catalogue(), now=self._past.time[-1])

    # -- visits ------------------------------------------------------------------------------

    def copy(self) -> World:
        """Return the same world at its start, to live through beside this one."""
        other = object.__new__(World)
        vars(other).update(vars(self))
        other._restart()
        return other

    def visits(self, n_requests: int) -> Iterator[Visit]:
        """Begin again, and let visitors call for pages, in order of time."""
        check(n_requests, whole(at_least=0), "World.visits", "n_requests")
        self._restart()
        return self._visits(n_requests)

    def _restart(self) -> None:
        self._minds: Minds | None = None
        self._current: Visit | None = None
        self._now_eyes: _Eyes | None = None
        self._reacted = False
        self._sessions: dict[int, list[Id]] = {}

    def _visits(self, n_requests: int) -> Iterator[Visit]:
        if self._begin is None:
            self._begin = Minds.after(self._past, self._truth.goods.topic, self.n_visitors)
        self._minds = self._begin.copy()
        number, day, n_items = 0, 0, self.n_items
        while number < n_requests:
            calls = calls_of_day(self._truth, day, self.requests_per_day)
            self._minds.grow(len(self._truth.people))
            self._know(len(self._truth.goods))
            launched = self._truth.goods.launched
            for row in range(min(len(calls.user), n_requests - number)):
                user, _, step, page, device, now = (int(column[row]) for column in calls)
                on_sale = n_items + int(np.searchsorted(launched[n_items:], now, side="right"))
                arrived = self._truth.goods.frame(n_items, on_sale) if on_sale > n_items else None
                n_items = on_sale
                visit = self._visit(number, user, step, page, device, now, arrived, n_items)
                self._current, self._now_eyes, self._reacted = visit, None, False
                yield visit
                number += 1
            day += 1

    def _visit(
        self, number: int, user: int, step: int, page: int, device: int, now: int,
        arrived: pd.DataFrame | None, n_items: int,
    ) -> Visit:  # fmt: skip
        if step == 0:
            self._sessions[user] = []
        so_far = tuple(self._sessions.get(user, ()))
        new = now - self._truth.people.joined[user] < DAY
        query = Query(
            user_id=f"v-{user:05d}",
            session=so_far,
            seed=so_far[-1:] if PAGES[page] == "product" else (),
            context={
                "page": PAGES[page],
                "device": DEVICES[device],
                "visitor": "new" if new else "returning",
            },
            now=now,
            decision_id=f"{self.random_state}-{number}",
        )
        return Visit(number, query, arrived, user, n_items, chance_key(self.random_state, number))

    # -- what happens ------------------------------------------------------------------------

    def react(self, visit: Visit, item_ids: Sequence[Id]) -> Reaction:
        """Show a page to the visitor, and see what she does."""
        eyes, items = self._eyes(visit), self._shown(visit, item_ids)
        if self._reacted:
            raise DataError(f"visit {visit.number} has seen its page already; go on to the next.")
        self._reacted = True
        goods = self._truth.goods
        chances = self._chances(eyes, items)
        seen, clicked = (
            found[0]
            for found in self.clicks._walk(chances, visit.key, items[None, :].astype(np.int64))
        )
        chance = chances_of(visit.key ^ _BUYS, items)
        bought = clicked & (
            chance < buying(goods, self._truth.people, np.full(len(items), visit.user), items)
        )
        minds = self._minds
        assert minds is not None  # noqa: S101  # there is a current visit
        minds.live(visit.user, items, goods.topic[items], (seen, clicked, bought))
        events = self._events(visit, items, clicked, bought)
        found = self._search(visit, eyes)
        if found is not None:
            events.append(Event(visit.query.user_id, self._names[found], "view", eyes.now + 60_000))
            one = np.array([found], np.int32)
            yes = np.ones(1, np.bool_)
            minds.live(visit.user, one, goods.topic[one], (yes, yes, ~yes))
        looked_at = [event.item_id for event in events if event.event in ("click", "view")]
        self._sessions.setdefault(visit.user, []).extend(looked_at)
        return Reaction(
            events,
            tuple(self._names[item] for item in items[clicked]),
            tuple(self._names[item] for item in items[bought]),
            float(goods.price[items[bought]].sum()),
            seen,
        )

    def _events(self, visit: Visit, items: Indices, clicked: Mask, bought: Mask) -> list[Event]:
        who, now = visit.query.user_id, visit.query.now
        events = []
        for place in np.flatnonzero(clicked).tolist():
            name = self._names[items[place]]
            at = now + 5_000 * (place + 1)
            events.append(Event(who, name, "click", at))
            if bought[place]:
                price = float(self._truth.goods.price[items[place]])
                events.append(Event(who, name, "cart", at + 1_000, 1.0, price))
                events.append(Event(who, name, "purchase", at + 2_000, 1.0, price))
        return events

    def _search(self, visit: Visit, eyes: _Eyes) -> int | None:
        """Return what the visitor looks for herself after the page; None mostly."""
        drawn = chances_of(visit.key ^ _SEARCHES, np.arange(_FINDS + 2))
        if drawn[0] >= self.search:
            return None
        finds = (drawn[2:] * visit.n_items).astype(np.int32)
        suits = np.cumsum(self._attraction(eyes, finds))
        return int(finds[np.searchsorted(suits, drawn[1] * suits[-1])])

    # -- the truth ---------------------------------------------------------------------------

    def attraction(self, visit: Visit, item_ids: Sequence[Id] | None = None) -> Values:
        """Return the chance that she clicks on an item alone on the page, once she looks at it.

        Of all items on sale by default, in the order of `items_on_sale`.
        """
        items = (
            np.arange(visit.n_items, dtype=np.int32)
            if item_ids is None
            else self._shown(visit, item_ids)
        )
        return self._attraction(self._eyes(visit), items)

    def items_on_sale(self, visit: Visit) -> list[Id]:
        """Return the ids of the items that can be shown."""
        return list(self._names[: visit.n_items])

    def value(self, visit: Visit, item_ids: Sequence[Id]) -> float:
        """Return how many clicks a page gets on average."""
        chances = self._chances(self._eyes(visit), self._shown(visit, item_ids))
        return float(self.clicks.expected(chances)[0])

    def oracle(self, visit: Visit, n: int = 10) -> list[Id]:
        """Return the page of who knows everything: from the top, each place with its best."""
        check(n, whole(at_least=1), "World.oracle", "n")
        eyes = self._eyes(visit)
        everything = np.arange(visit.n_items, dtype=np.int32)
        page = np.empty(min(n, visit.n_items), np.int32)
        attraction = self._attraction(eyes, everything)
        best_page(page, attraction, self._truth.goods.topic, FAMILY, eyes.fatigue, OF_FAMILY)
        return [self._names[item] for item in page]

    def _attraction(self, eyes: _Eyes, items: Indices) -> Values:
        goods = self._truth.goods
        out = np.empty(len(items))
        attract(
            out, items, goods.topic, goods.second, goods.share, goods.quality, goods.style,
            goods.dearness, goods.launched, eyes.likes, eyes.manner, eyes.bored, eyes.weary,
            eyes.thrift, eyes.hunger, eyes.now, float(NEW_FOR),
        )  # fmt: skip
        return out

    def _chances(self, eyes: _Eyes, items: Indices) -> Values:
        attraction = self._attraction(eyes, items)[None, :]
        chances = np.empty_like(attraction)
        topics = self._truth.goods.topic[items][None, :]
        tire(chances, attraction, topics, FAMILY, np.array([eyes.fatigue]), OF_FAMILY)
        return chances

    def _eyes(self, visit: Visit) -> _Eyes:
        if visit is not self._current or self._minds is None:
            raise DataError(f"visit {visit.number} is not the one the world is at.")
        if self._now_eyes is None:
            self._now_eyes = self._look(visit, self._minds)
        return self._now_eyes

    def _look(self, visit: Visit, minds: Minds) -> _Eyes:
        people, user, now = self._truth.people, visit.user, int(visit.query.now)
        minds.pass_time(user, now)
        likes, manner = people.tastes(user, now)
        likes = likes + self._truth.trend(now) + BASE
        page, device = visit.query.context["page"], visit.query.context["device"]
        variety = VARIETY[page] * VARIETY[device] * float(people.variety[user])
        curiosity = CURIOSITY[page] * CURIOSITY[device] * float(people.curiosity[user])
        return _Eyes(
            likes=likes,
            manner=manner,
            bored=self.boredom * minds.boredom(user),
            weary=self.boredom * minds.weariness(user, len(self._truth.goods)),
            thrift=float(people.thrift[user]),
            hunger=self.freshness * curiosity,
            fatigue=self.sameness * variety,
            now=now,
        )

    def _shown(self, visit: Visit, item_ids: Sequence[Id]) -> Indices:
        """Return the numbers of a page's items."""
        items = [self._numbers.get(item, -1) for item in item_ids]
        for item_id, item in zip(item_ids, items, strict=True):
            if not 0 <= item < visit.n_items:
                why = "is not on sale yet" if item >= 0 else "is no item of this world"
                raise DataError(f"{item_id!r} {why}; show items of the catalogue.")
        if len(set(items)) < len(items):
            raise DataError("a page shows every item once; this one repeats some.")
        return np.array(items, np.int32)

    def _know(self, n_items: int) -> None:
        for number in range(len(self._names), n_items):
            self._names.append(f"i-{number:05d}")
            self._numbers[self._names[-1]] = number


_BUYS, _SEARCHES = 0x5BD1E995, 0x7FEB352D
_BOUNDS = {
    "n_visitors": whole(at_least=1),
    "n_items": whole(at_least=1),
    "click_model": one_of("position", "cascade"),
    "drift": real(at_least=0),
    "fashion": real(at_least=0),
    "boredom": real(at_least=0),
    "sameness": real(at_least=0),
    "freshness": real(at_least=0),
    "search": real(at_least=0, at_most=1),
    "new_items": whole(at_least=0),
    "new_visitors": whole(at_least=0),
    "requests_per_day": real(above=0),
    "random_state": whole(at_least=0),
}
