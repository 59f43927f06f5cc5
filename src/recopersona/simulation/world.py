"""A world of visitors who click: its truth is known, so that it can be said who learns it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.parameters import check, one_of, real, whole
from recopersona.data.dataset import Dataset
from recopersona.data.event import Event
from recopersona.data.query import Query
from recopersona.data.times import from_ms
from recopersona.data.types import Id, Indices, Mask, Values
from recopersona.errors import DataError
from recopersona.simulation.calendar import PAGES, calls_of_day
from recopersona.simulation.chance import chance_key, chances_of
from recopersona.simulation.clicks import Cascade, PositionBased
from recopersona.simulation.eyes import Eyes
from recopersona.simulation.minds import Minds
from recopersona.simulation.past import FINDS, KINDS, Past, draw_past
from recopersona.simulation.truth import DAY, DEVICES, START, Truth


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
    page: int = field(repr=False)
    device: int = field(repr=False)
    intent: int = field(repr=False)
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


@dataclass(eq=False)
class _Sight:
    """How a visitor looks at what she is shown at her visit, until it is over."""

    eyes: Eyes
    weary: Values
    over: bool = False


class World:
    r"""Visitors who click: a shop whose truth is known, so that it can be said who learns it.

    Visitor :math:`u` who looks at item :math:`j` alone on a page clicks on it with the chance

    .. math:: a_{uj} = \frac{\exp(-boredom \cdot (B_{u t_j} + W_{uj}))}{1 + \exp(-x_{uj})}, \qquad
        x_{uj} = -5 + q_j + (1 - h_j) l_{u t_j} + h_j l_{u t'_j} + m_u \cdot s_j - \theta_u d_j
                 + freshness \cdot \kappa \cdot 2^{-age_j / 7 d}

    and in place k below others like it, if she looks there, with the chance

    .. math:: c_k = a_{uj_k} \exp\Bigl(-sameness \cdot \nu \sum_{i < k} kin(j_k, j_i)\Bigr)

    where kin is 1 for items of one topic, 0.35 within a family of four topics, else 0.

    *Items.* Each has a topic :math:`t` of 48 and a share :math:`h` (up to 0.4) of a second one; a
    quality :math:`q` (deviation 0.7) and a style :math:`s` in 6 dimensions that no column shows; a
    price, dear or cheap by :math:`d` for its category. The catalogue shows topics partly: the
    category is that of the topic's family for 82 % of items, the brand one of three that are
    typical of the topic for 66 %, and anything for the others. Some are better known than
    others (deviation of the log: 0.6), which says nothing of their quality.

    *Tastes.* Visitors are of 8 kinds; what they see in topics, :math:`l`, is that of their kind
    (deviation 1.15 by family, and again by topic) and their own (0.6). On average by 0.2 radians a
    month, and now and then at once by 0.8 (a chance of 0.3 for each of four moments in 180 days),
    taste :math:`l` and :math:`m` turn to those of another person of any kind: all times ``drift``.
    Topics come into fashion and go out of it in 20 to 60 days, by ``fashion`` in logits. Every
    session has a topic, drawn by her taste, worth 1.5 more on an item's page, 0.75 in the cart and
    0.45 at home.

    *Boredom.* What she saw, clicked or bought lately is worth less: B of its topic and W of the
    item itself. Looking at a place adds 0.12 to B and 0.25 to W, a click 0.3 and 1.5 more, buying
    3 more to W; half is forgotten in 2 and 10 days. B is shared within a family by the kin above.

    *Segments.* What sameness costs (:math:`\nu`) and newness is worth (:math:`\kappa`) differ by
    visitor (deviation of the log: 0.35), by page (home 1.3 for both, item's page 0.5, cart 0.9 and
    0.8) and by device (mobile 1.25 and 0.8, desktop 0.75 and 1.25).

    *Pages.* A session has 3 pages on average, minutes apart: home first, later an item's page
    (60 %), home or cart. After a page, with the chance ``search``, she looks for something herself:
    through 64 items, drawn by the root of how well known they are, of which she views one, drawn
    by its chance. Who clicks buys with a chance of ``1 / (1 + exp(2.6 - worth + θ d))``; the
    worth (deviation 0.7) has nothing to do with what makes her click.

    *The past* are 90 days of the same truth: see ``log``.

    Everything that happens by chance is a function of the seed, the visit and the item (or the
    place), whatever was drawn before: two policies that show the same page at the same visit, to
    a visitor who lived through the same, get the same clicks.

    Parameters
    ----------
    n_visitors, n_items : int, at least 1
        When the present begins.
    click_model : "position" or "cascade"
        ``PositionBased(0.7)``, or ``Cascade(0.5, 0.3)``.
    drift : float, at least 0
        How fast tastes turn; 0 for tastes that stay.
    fashion : float, at least 0
        How far topics come into fashion.
    boredom : float, at least 0
        How much what she saw lately is worth less, from page to page.
    sameness : float, at least 0
        How much items like those above are worth less, on one page.
    freshness : float, at least 0
        What being new is worth, in logits.
    search : float from 0 to 1
        How often she looks for something herself.
    new_items, new_visitors : int, at least 0
        How many come a day. A new visitor comes on the day she joins.
    requests_per_day : float, above 0
        On average, in the past and in the present.
    random_state : int, at least 0
        The same seed is the same world.

    Attributes
    ----------
    clicks : PositionBased or Cascade
        How pages are walked down.

    Raises
    ------
    ParameterError
        If a parameter is out of bounds.

    Notes
    -----
    The past is drawn when it is first asked for: in a second or two for a world of the usual size.
    A world is at one visit at a time; to live through it twice at once, take a ``copy``.

    References
    ----------
    Rohde et al. (2018), "RecoGym"; Ie et al. (2019), "RecSim: A configurable simulation platform
    for recommender systems", for worlds of this sort.

    Examples
    --------
    >>> world = World(200, 100, requests_per_day=200, random_state=1)
    >>> for visit in world.visits(3):
    ...     page = world.oracle(visit, n=5)
    ...     expected = world.value(visit, page)
    ...     reaction = world.react(visit, page)
    ...     print(visit.query.user_id, f"{expected:.2f}", reaction.clicked)
    v-00200 0.82 ('i-00058',)
    v-00201 0.32 ()
    v-00202 0.74 ('i-00020',)
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
        sameness: float = 0.4,
        freshness: float = 0.8,
        search: float = 0.5,
        new_items: int = 10,
        new_visitors: int = 20,
        requests_per_day: float = 1_000.0,
        random_state: int = 0,
    ) -> None:
        told = locals()
        self._given = {name: told[name] for name in _BOUNDS}
        for name, bound in _BOUNDS.items():
            check(told[name], bound, "World", name)
        self.n_visitors, self.n_items, self.random_state = n_visitors, n_items, random_state
        self.boredom, self.search, self.requests_per_day = boredom, search, requests_per_day
        self.clicks = PositionBased(0.7) if click_model == "position" else Cascade(0.5, 0.3)
        self._truth = Truth(
            n_visitors, n_items, drift=drift, fashion=fashion, sameness=sameness,
            freshness=freshness, new_items=new_items, new_visitors=new_visitors,
            random_state=random_state,
        )  # fmt: skip
        self._numbers: dict[Id, int] = {}
        self._names: list[str] = []
        self._know(n_items)
        self._restart()

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self._given.items())
        return f"World({told})"

    # -- what the shop knows -----------------------------------------------------------------

    @cached_property
    def _past(self) -> Past:
        return draw_past(self._truth, self.clicks, self.requests_per_day)

    @cached_property
    def _begin(self) -> Minds:
        """What visitors have on their minds when the present begins."""
        return Minds.after(self._past, self._truth.goods.topic, self.n_visitors)

    def log(self) -> pd.DataFrame:
        """Return the events of the past, in order of time.

        In every visit she first views what she looks for herself; then she is shown a page of ten
        places, of which six in ten hold what is popular (drawn by how well known and how good it
        is) and the others what suits her among the things she found. Clicks come by the click
        model, purchases follow. Nothing tired her then from one visit to the next.

        Returns
        -------
        DataFrame ``user_id item_id timestamp event price``; the events are ``view`` (of what she
        looked for herself), ``click`` (on a page), ``cart`` and ``purchase``
        """
        past = self._past
        return pd.DataFrame(
            {
                "user_id": pd.Index([_visitor(n) for n in range(self.n_visitors)]).take(past.user),
                "item_id": pd.Index(self._names[: self.n_items]).take(past.item),
                "timestamp": from_ms(past.time),
                "event": pd.Index(KINDS).take(past.kind),
                "price": self._truth.goods.price[past.item],
            }
        )

    def catalogue(self) -> pd.DataFrame:
        """Return what is on sale when the present begins.

        Returns
        -------
        DataFrame ``item_id category brand price margin created_at``; the margin is money per piece
        """
        return self._truth.goods.frame(0, self.n_items)

    def dataset(self, **options: Any) -> Dataset:
        """Return the past and the catalogue as what models learn from.

        Parameters
        ----------
        **options
            Of `Dataset.from_frames`, such as ``event_weights``.
        """
        return Dataset.from_frames(self.log(), items=self.catalogue(), now=START, **options)

    # -- visits ------------------------------------------------------------------------------

    def copy(self) -> World:
        """Return the same world at its start, to live through beside this one."""
        _ = self._begin  # drawn once for both
        other = object.__new__(World)
        vars(other).update(vars(self))
        other._restart()
        return other

    def reseeded(self, random_state: int) -> World:
        """Return a world with the same parameters and another seed."""
        return World(**{**self._given, "random_state": random_state})

    def visits(self, n_requests: int) -> Iterator[Visit]:
        """Begin again, and let visitors call for pages, in order of time.

        The same visitors come at the same moments in every life of a world, however many visits
        are asked for. Nobody has to react: a visit without a page changes nothing.

        Parameters
        ----------
        n_requests : int, at least 0

        Yields
        ------
        Visit
        """
        check(n_requests, whole(at_least=0), "World.visits", "n_requests")
        self._restart()
        return self._visits(n_requests)

    def _restart(self) -> None:
        self._minds: Minds | None = None
        self._current: Visit | None = None
        self._seen: _Sight | None = None
        self._sessions: dict[int, list[Id]] = {}

    def _visits(self, n_requests: int) -> Iterator[Visit]:
        self._minds = self._begin.copy()
        number, day, n_items = 0, 0, self.n_items
        while number < n_requests:
            calls = calls_of_day(self._truth, day, self.requests_per_day)
            self._minds.grow(len(self._truth.people))
            self._know(len(self._truth.goods))
            launched = self._truth.goods.launched
            for row in range(min(len(calls.user), n_requests - number)):
                user, step, intent, page, device, now = (int(column[row]) for column in calls)
                on_sale = n_items + int(np.searchsorted(launched[n_items:], now, side="right"))
                arrived = self._truth.goods.frame(n_items, on_sale) if on_sale > n_items else None
                n_items = on_sale
                visit = self._visit(number, user, step, intent, page, device, now, arrived, n_items)
                self._current, self._seen = visit, None
                yield visit
                number += 1
            day += 1

    def _visit(
        self, number: int, user: int, step: int, intent: int, page: int, device: int, now: int,
        arrived: pd.DataFrame | None, n_items: int,
    ) -> Visit:  # fmt: skip
        if step == 0:
            self._sessions[user] = []
        so_far = tuple(self._sessions.get(user, ()))
        new = now - self._truth.people.joined[user] < DAY
        query = Query(
            user_id=_visitor(user),
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
        key = chance_key(self.random_state, number)
        return Visit(number, query, arrived, user, n_items, page, device, intent, key)

    # -- what happens ------------------------------------------------------------------------

    def react(self, visit: Visit, item_ids: Sequence[Id]) -> Reaction:
        """Show a page to the visitor, and see what she does; once per visit.

        What she saw and did stays on her mind, and counts at her next visit.

        Parameters
        ----------
        visit : Visit
            The one the world is at.
        item_ids : sequence of item ids
            Best first, each once; none is a page too.

        Raises
        ------
        DataError
            If the visit is over, or an item is unknown, not on sale yet or shown twice.
        """
        sight, items = self._sight(visit), self._shown(visit, item_ids)
        if sight.over:
            raise DataError(f"visit {visit.number} has seen its page already; go on to the next.")
        sight.over = True
        page = items[None, :]
        chances = sight.eyes.chances(page, sight.weary[page])
        seen, clicked = (found[0] for found in self.clicks._walk(chances, visit.key, page))
        buys = chances_of(visit.key ^ _BUYS, items) < self._truth.buying(visit.user, items)
        bought = clicked & buys
        self._live(visit, items, seen, clicked, bought)
        events = self._events(visit, items, clicked, bought) + self._search(visit, sight)
        looked_at = [event.item_id for event in events if event.event in ("click", "view")]
        self._sessions.setdefault(visit.user, []).extend(looked_at)
        return Reaction(
            events,
            tuple(self._names[item] for item in items[clicked]),
            tuple(self._names[item] for item in items[bought]),
            float(self._truth.goods.price[items[bought]].sum()),
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

    def _search(self, visit: Visit, sight: _Sight) -> list[Event]:
        """Let the visitor look for something herself after the page, now and then."""
        drawn = chances_of(visit.key ^ _SEARCHES, _QUESTIONS)
        if drawn[0] >= self.search:
            return []
        finds = self._truth.find(drawn[2:], visit.n_items)[None, :]
        suits = np.cumsum(sight.eyes.attraction(finds, sight.weary[finds]))
        place = min(int(np.searchsorted(suits, drawn[1] * suits[-1])), FINDS - 1)
        found = finds[0, place : place + 1]
        yes, no = np.ones(1, np.bool_), np.zeros(1, np.bool_)
        self._live(visit, found, yes, yes, no)
        at = visit.query.now + 60_000
        return [Event(visit.query.user_id, self._names[found[0]], "view", at)]

    def _live(self, visit: Visit, items: Indices, seen: Mask, clicked: Mask, bought: Mask) -> None:
        assert self._minds is not None  # noqa: S101  # there is a current visit
        topics = self._truth.goods.topic[items]
        self._minds.live(visit.user, items, topics, (seen, clicked, bought))

    # -- the truth ---------------------------------------------------------------------------

    def attraction(self, visit: Visit, item_ids: Sequence[Id] | None = None) -> Values:
        """Return the chance that she clicks on an item alone on the page, once she looks at it.

        Of all items on sale by default, in the order of `items_on_sale`.
        """
        sight = self._sight(visit)
        if item_ids is None:
            return self._of_all(visit, sight)
        items = self._shown(visit, item_ids)[None, :]
        chances: Values = sight.eyes.attraction(items, sight.weary[items])[0]
        return chances

    def items_on_sale(self, visit: Visit) -> list[Id]:
        """Return the ids of the items that can be shown."""
        return list(self._names[: visit.n_items])

    def value(self, visit: Visit, item_ids: Sequence[Id]) -> float:
        """Return how many clicks a page gets on average: exact, by the click model.

        Examples
        --------
        >>> world = World(200, 100, requests_per_day=200, random_state=1)
        >>> visit = next(world.visits(1))
        >>> best = world.oracle(visit, n=5)
        >>> world.value(visit, best) > world.value(visit, best[::-1])
        True
        """
        sight, items = self._sight(visit), self._shown(visit, item_ids)[None, :]
        return float(self.clicks.expected(sight.eyes.chances(items, sight.weary[items]))[0])

    def oracle(self, visit: Visit, n: int = 10) -> list[Id]:
        """Return the page of who knows everything: from the top, each place with its best.

        Each place gets what has the best chance of a click there, given what stands above it; of
        equals the older item. For one page that is as good as the best page but for what a greedy
        choice may miss; what a page costs later ones, by boredom, it does not look at.
        """
        check(n, whole(at_least=1), "World.oracle", "n")
        sight = self._sight(visit)
        page = sight.eyes.best(self._of_all(visit, sight), min(n, visit.n_items))
        return [self._names[item] for item in page]

    def _of_all(self, visit: Visit, sight: _Sight) -> Values:
        items = np.arange(visit.n_items, dtype=np.int32)[None, :]
        chances: Values = sight.eyes.attraction(items, sight.weary[None, :])[0]
        return chances

    def _sight(self, visit: Visit) -> _Sight:
        if visit is not self._current or self._minds is None:
            raise DataError(
                f"visit {visit.number} is not the one this world is at; "
                "ask while it is served, and take a copy() to live through a world twice at once."
            )
        if self._seen is None:
            minds, query = self._minds, visit.query
            minds.pass_time(visit.user, query.now)
            eyes = Eyes.of(
                self._truth, np.array([visit.user]), np.array([visit.page]),
                np.array([visit.device]), np.array([visit.intent]), np.array([query.now]),
                self.boredom * minds.boredom(visit.user)[None, :],
            )  # fmt: skip
            weary = self.boredom * minds.weariness(visit.user, visit.n_items)
            self._seen = _Sight(eyes, weary)
        return self._seen

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


def _visitor(number: int) -> str:
    return f"v-{number:05d}"


_BUYS, _SEARCHES = 0x5BD1E995, 0x7FEB352D
_QUESTIONS = np.arange(FINDS + 2)
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
