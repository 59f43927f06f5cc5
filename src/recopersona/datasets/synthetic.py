"""A synthetic shop: customers with known tastes, and the log that those tastes leave behind."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from recopersona.data.dataset import Dataset
from recopersona.data.times import from_ms, moment_ms
from recopersona.data.types import Array, Floats, Id, Mask
from recopersona.errors import DataError, ParameterError

EVENT_WEIGHTS = {"view": 1, "cart": 4, "purchase": 10}
"""What an event of each kind weighs in the shop's dataset."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SyntheticShop(Dataset):
    """A dataset that remembers the frames it was made from and the tastes behind them.

    Made by `synthetic_shop`. ``take`` makes the log smaller and leaves the rest as it is, so that
    the right answer for a training part may hold what the user discovers later.

    Parameters
    ----------
    events : DataFrame
        One row per event in order of time: ``user_id item_id timestamp event quantity price
        event_id``; the price is for one piece.
    catalogue : DataFrame
        One row per item: ``item_id name brand category price margin stock created_at discount
        sponsored adult``; the margin is money per piece, the discount a share of the price.
    customers : DataFrame
        One row per user: ``user_id country device age_band age price_lo price_hi
        refused_brands``. Who told her age told the band too; not everybody said what she pays for
        a piece at least and at most; few refuse a brand or two.
    affinity : float32 (n_users, n_items)
        The chance that the next item a user looks at is this one, were all items on sale; rows
        sum to 1.

    Examples
    --------
    >>> shop = synthetic_shop(200, 50)
    >>> best = shop.right_answer("u-0001", n=3)
    >>> seen = shop.events.item_id[shop.events.user_id == "u-0001"]
    >>> len(best), seen.isin(best).any()
    (3, np.False_)
    """

    events: pd.DataFrame
    catalogue: pd.DataFrame
    customers: pd.DataFrame
    affinity: Floats

    def right_answer(self, user_id: Id, n: int = 10) -> list[Id]:
        """Return the items a user likes best among those without any event of theirs in the log.

        Parameters
        ----------
        user_id : id
        n : int, at least 1

        Returns
        -------
        Item ids, best first, ties by item index; fewer than ``n`` where no more are unseen.

        Raises
        ------
        DataError
            If there is no such user.
        ParameterError
            If ``n`` is below 1.
        """
        _require_at_least_one("n", n)
        user = self.users.index(user_id)
        if user < 0:
            known = self.users.ids[0]
            raise DataError(
                f"no user {user_id!r} in this shop; take one from shop.users, such as {known!r}."
            )
        best = np.argsort(-self.affinity[user], kind="stable")
        unseen = best[~np.isin(best, self.history().seen(user))]
        return list(self.items.ids[unseen[:n]].tolist())

    def raw_log(self, random_state: int = 0) -> tuple[pd.DataFrame, dict[str, int]]:
        """Return the events as a careless export would hold them, and how many faults it has.

        Every fault has rows of its own, so that the counts are exact:

        ``duplicate``
            rows that repeat the one before, event id included;
        ``missing_user_id``
            views of nobody;
        ``future_timestamp``
            views that a wrong clock dates 50 years later;
        ``unknown_event``
            views spelt ``veiw``;
        ``negative_quantity``
            all returns, written as purchases of less than nothing.

        The first four take one view in 200 each.

        Parameters
        ----------
        random_state : int
            Which views suffer.

        Returns
        -------
        DataFrame with the columns of ``events``, dict from fault to number of rows

        Examples
        --------
        >>> messy, planted = synthetic_shop(200, 50).raw_log()
        >>> int(messy.duplicated().sum()) == planted["duplicate"] > 0
        True
        >>> sorted(messy.event.unique())
        ['cart', 'purchase', 'veiw', 'view']
        """
        rng = np.random.default_rng(random_state)
        messy = self.events.copy()
        views = rng.permutation(np.flatnonzero(messy["event"] == "view"))
        twice, nobody, late, misspelt = np.array_split(views[: 4 * max(1, len(views) // 200)], 4)
        returned = np.flatnonzero(messy["event"] == "return")
        messy.loc[nobody, "user_id"] = None
        messy.loc[late, "timestamp"] += pd.DateOffset(years=50)
        messy.loc[misspelt, "event"] = "veiw"
        messy.loc[returned, "event"] = "purchase"
        messy.loc[returned, "quantity"] *= -1
        rows = np.sort(np.append(np.arange(len(messy)), twice))
        return messy.iloc[rows].reset_index(drop=True), {
            "duplicate": len(twice),
            "missing_user_id": len(nobody),
            "future_timestamp": len(late),
            "unknown_event": len(misspelt),
            "negative_quantity": len(returned),
        }


def synthetic_shop(
    n_users: int = 2000,
    n_items: int = 500,
    days: int = 120,
    *,
    random_state: int | np.random.Generator = 0,
) -> SyntheticShop:
    r"""Make up a shop: who likes what, and months of views, carts, purchases and returns.

    User :math:`u` of segment :math:`g` looks at item :math:`i` with a chance proportional to

    .. math:: a_{ui} = \exp\bigl(b_i + c_{u,category(i)} + k_{u,kind(i)} + m_{u,brand(i)}
        - s_u p_i\bigr)

    where :math:`b_i` is the item's general appeal (a few items are looked at by everybody),
    :math:`c, k, m` are tastes that scatter around those of the segment, :math:`s_u` is
    sensitivity to price and :math:`p_i` how dear the item is for its category. Kinds (green tea,
    black tea) are no column of the catalogue; only names tell of them. A visit is mostly about
    one category. What suits a user better is carted more often; half of the carts are bought; one
    purchase in fifteen is sent back. The last day is 30 June 2026, whatever the clock says; one
    item in twelve comes on sale within the time of the log.

    Parameters
    ----------
    n_users, n_items, days : int, at least 1
        The affinity takes ``4 * n_users * n_items`` bytes.
    random_state : int or numpy Generator
        The same seed gives the same shop, bit for bit.

    Returns
    -------
    SyntheticShop
        With the weights view 1, cart 4, purchase 10.

    Raises
    ------
    ParameterError
        If a number is below 1.

    Examples
    --------
    >>> shop = synthetic_shop(200, 50)
    >>> shop.shape, sorted(shop.events.event.unique())
    ((200, 50), ['cart', 'purchase', 'return', 'view'])
    >>> shop.catalogue[["item_id", "name", "brand", "price", "stock"]].head(2)
       item_id            name  brand  price  stock
    0  sku-001     soup bowl 1  Rowan  22.95    123
    1  sku-002  forest honey 1  Larch   5.73    100
    """
    for name, number in (("n_users", n_users), ("n_items", n_items), ("days", days)):
        _require_at_least_one(name, number)
    rng = np.random.default_rng(random_state)
    goods = _make_goods(rng, n_items, days)
    segment = rng.permutation(n_users) % _N_SEGMENTS
    taste = _draw_tastes(rng, segment, goods)
    affinity = _chances(taste + goods.appeal)
    events = _write_log(goods, _draw_actions(rng, goods, taste, affinity, days), n_users)
    catalogue, customers = _describe_goods(rng, goods), _describe_people(rng, segment)
    # What rules speak of has a generator of its own: nothing above depends on it.
    told = np.random.default_rng(rng.integers(2**62))
    catalogue = catalogue.assign(**_draw_offers(told, n_items))
    customers = customers.assign(**_draw_wishes(told, customers["age_band"]))
    read = Dataset.from_frames(
        events, items=catalogue, users=customers, event_weights=EVENT_WEIGHTS, now=_END
    )
    return SyntheticShop(
        **{part.name: getattr(read, part.name) for part in fields(Dataset)},
        events=events,
        catalogue=catalogue,
        customers=customers,
        affinity=affinity.astype(np.float32),
    )


_END = moment_ms("2026-07-01")
_SECOND = 1_000
_HOUR = 3_600 * _SECOND
_DAY = 24 * _HOUR

_SHELVES = {  # category: its usual price, and the kinds of things that lie there
    "tea": (9, ("green tea", "black tea", "herbal tea", "oolong tea")),
    "coffee": (13, ("espresso beans", "filter coffee", "decaf coffee", "cold brew")),
    "sweets": (6, ("dark chocolate", "milk chocolate", "nougat bar", "caramel fudge")),
    "pantry": (8, ("forest honey", "olive oil", "sea salt", "chili sauce")),
    "kitchen": (34, ("chef knife", "iron pan", "cutting board", "spice mill")),
    "ceramics": (22, ("stoneware mug", "soup bowl", "cake plate", "flower vase")),
    "textiles": (28, ("linen towel", "wool blanket", "cotton apron", "velvet cushion")),
    "candles": (16, ("beeswax candle", "scented candle", "tea light", "lantern glass")),
    "bath": (11, ("olive soap", "bath salt", "hand cream", "shower oil")),
    "paper": (7, ("dotted notebook", "wall calendar", "greeting card", "wrapping paper")),
    "garden": (18, ("herb seeds", "clay pot", "watering can", "hand trowel")),
    "toys": (24, ("wooden train", "puzzle game", "plush bear", "picture book")),
}
_KINDS = np.array([kind for _, kinds in _SHELVES.values() for kind in kinds])
_KINDS_PER_SHELF = 4
_BRANDS = np.array([
    "Alder", "Bramble", "Cove", "Dune", "Ember", "Fjord", "Grove", "Heron", "Iris",
    "Juniper", "Kestrel", "Larch", "Moss", "Nettle", "Otter", "Pebble", "Quill", "Rowan",
])  # fmt: skip
_BRANDS_PER_SHELF = 4
_N_SEGMENTS = 10
_VISITORS_BY_HOUR = np.array(
    [2, 1, 1, 1, 1, 2, 4, 6, 7, 8, 9, 10, 11, 10, 9, 9, 10, 11, 13, 15, 16, 14, 9, 5], dtype=float
)
_AGE_BANDS = np.array(["18-24", "25-34", "35-49", "50-64", "65+"])
_YEARS_IN_BAND = {"18-24": 7, "25-34": 10, "35-49": 15, "50-64": 15, "65+": 20}
_ACTIONS = ("view", "cart", "purchase", "return")


class _Goods(NamedTuple):
    """The items in numbers, each column (n_items,).

    category, kind, brand  int64 codes
    appeal                 what everybody sees in it
    price                  money
    dearness               log price against the category's usual
    launched               int64 milliseconds
    stock                  int64
    """

    category: Array
    kind: Array
    brand: Array
    appeal: Array
    price: Array
    dearness: Array
    launched: Array
    stock: Array


class _Actions(NamedTuple):
    """What users did, each column (n,), in any order."""

    user: Array
    item: Array
    time: Array
    quantity: Array

    def where(self, chosen: Mask) -> _Actions:
        return _Actions(*(column[chosen] for column in self))


def _require_at_least_one(name: str, number: object) -> None:
    if not isinstance(number, (int, np.integer)) or isinstance(number, bool) or number < 1:
        raise ParameterError(f"{name} must be a whole number of at least 1, got {number!r}.")


def _make_goods(rng: np.random.Generator, n_items: int, days: int) -> _Goods:
    n_shelves = min(max(n_items // 8, 1), len(_SHELVES))
    category = rng.integers(n_shelves, size=n_items)
    dearness = rng.normal(0, 0.45, n_items)
    usual = np.array([price for price, _ in _SHELVES.values()])[category]
    shuffled = rng.permutation(n_items)
    sold_out, new = shuffled[: n_items // 16], shuffled[n_items - n_items // 12 :]
    stock = rng.integers(1, 200, n_items)
    stock[sold_out] = 0
    launched = _END - _DAY * (days + rng.integers(0, 720, n_items))
    launched[new] = _END - (_DAY * days * rng.uniform(0.15, 0.85, len(new))).astype(np.int64)
    return _Goods(
        category=category,
        kind=_KINDS_PER_SHELF * category + rng.integers(_KINDS_PER_SHELF, size=n_items),
        # Shelves share brands: a stride below the number of brands per shelf makes them overlap.
        brand=(3 * category + rng.integers(_BRANDS_PER_SHELF, size=n_items)) % len(_BRANDS),
        appeal=rng.normal(0, 0.7, n_items),
        price=np.round(usual * np.exp(dearness), 2),
        dearness=dearness,
        launched=launched,
        stock=stock,
    )


def _draw_tastes(rng: np.random.Generator, segment: Array, goods: _Goods) -> Array:
    """Return what each user sees in each item beyond its general appeal: (n_users, n_items)."""

    def liking(n_values: int, shared: float, own: float) -> Array:
        of_segments = rng.normal(0, shared, (_N_SEGMENTS, n_values))
        # What all segments share would be appeal; without it, personal taste is what is left.
        of_segments -= of_segments.mean(axis=0)
        return of_segments[segment] + rng.normal(0, own, (len(segment), n_values))

    sensitivity = rng.gamma(2.0, 0.4, len(segment))
    taste = liking(len(_SHELVES), 1.2, 0.5)[:, goods.category]
    taste += liking(len(_KINDS), 1.1, 0.4)[:, goods.kind]
    taste += liking(len(_BRANDS), 0.7, 0.4)[:, goods.brand]
    taste -= sensitivity[:, None] * goods.dearness
    return taste


def _chances(utility: Array) -> Array:
    """Return the softmax of each row."""
    weight: Array = np.exp(utility - utility.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    return weight


def _draw_actions(
    rng: np.random.Generator, goods: _Goods, taste: Array, affinity: Array, days: int
) -> list[_Actions]:
    """Draw views, carts, purchases and returns up to the end of the log."""
    user, start = _draw_visits(rng, len(taste), days)
    views = _draw_views(rng, goods, affinity, user, start)
    suits = taste[views.user, views.item]
    carts = _follow(rng, views, 1 / (1 + np.exp(2.2 - 0.45 * suits)), 5 * _SECOND, 60 * _SECOND)
    carts = carts._replace(quantity=rng.geometric(0.75, len(carts.user)))
    purchases = _follow(rng, carts, 0.5, 30 * _SECOND, 600 * _SECOND)
    returns = _follow(rng, purchases, 1 / 15, 2 * _DAY, 21 * _DAY)
    returns = returns._replace(quantity=rng.integers(1, returns.quantity, endpoint=True))
    return [views, carts, purchases, returns]


def _draw_visits(rng: np.random.Generator, n_users: int, days: int) -> tuple[Array, Array]:
    """Return each visit's user (ascending) and start; every user comes at least once."""
    newcomer = rng.random(n_users) < 0.3
    joined = np.where(newcomer, rng.integers(days, size=n_users), 0)
    per_day = np.minimum(0.6, np.exp(rng.normal(np.log(0.07), 1.0, n_users)))
    user = np.repeat(np.arange(n_users), np.maximum(1, per_day * (days - joined)).astype(np.int64))
    day = rng.integers(joined[user], days)
    hour = rng.choice(24, size=len(user), p=_VISITORS_BY_HOUR / _VISITORS_BY_HOUR.sum())
    start = _END - _DAY * (days - day) + _HOUR * hour + rng.integers(_HOUR, size=len(user))
    return user, start


def _draw_views(
    rng: np.random.Generator, goods: _Goods, affinity: Array, user: Array, start: Array
) -> _Actions:
    """Draw several views per visit, seconds to minutes apart.

    The category of a view is that of its visit, or else drawn anew from the same chances; so a
    visit is about one thing and yet all views together fall exactly as the affinity says.
    """
    n_views = rng.geometric(0.25, len(user))
    visit = np.repeat(np.arange(len(user)), n_views)
    item = _draw_items(rng, goods, affinity, user, start, visit)
    pause = (5 * _SECOND + rng.exponential(45 * _SECOND, len(visit))).astype(np.int64)
    waited = np.cumsum(pause)
    waited -= waited[np.cumsum(n_views) - n_views][visit]
    views = _Actions(user[visit], item, start[visit] + waited, np.ones(len(visit), np.int64))
    return views.where(views.time < _END)


def _draw_items(
    rng: np.random.Generator,
    goods: _Goods,
    affinity: Array,
    user: Array,
    start: Array,
    visit: Array,
) -> Array:
    """Draw an item per view among those on sale when its visit began.

    Chances are added up over items by category, then launch: what a category has on sale at some
    moment is one stretch of that sum, and one binary search finds a view's item in it.
    """
    order = np.lexsort((goods.launched, goods.category))
    first, end = _stretches(goods.category[order], goods.launched[order], start)
    n_users, n_items = affinity.shape
    upto = np.zeros((n_users, n_items + 1))
    np.cumsum(affinity[:, order], axis=1, out=upto[:, 1:])
    mass = upto[user[:, None], end] - upto[user[:, None], first]
    about = _draw_column(rng, mass)[visit]
    stray = np.flatnonzero(rng.random(len(visit)) < 0.3)
    about[stray] = _draw_column(rng, mass[visit[stray]])
    who = user[visit]
    goal = upto[who, first[about]] + rng.random(len(visit)) * mass[visit, about]
    # Each user's sum ends at 1: laid end to end they are one ascending array to search.
    line = (upto[:, 1:] + np.arange(n_users)[:, None]).ravel()
    place = np.searchsorted(line, goal + who, side="right") - who * n_items
    item: Array = order[np.clip(place, first[about], end[visit, about] - 1)]
    return item


def _stretches(category: Array, launched: Array, moment: Array) -> tuple[Array, Array]:
    """Return where each category begins, and where what is launched by each moment ends.

    category, launched  (n_items,) sorted by category, then launch
    moment              (n,)

    Returns int64 (n_categories,) and (n, n_categories).
    """
    bounds = np.searchsorted(category, np.arange(category.max() + 2))
    first = bounds[:-1]
    ends = [
        begin + np.searchsorted(launched[begin:stop], moment, side="right")
        for begin, stop in zip(first.tolist(), bounds[1:].tolist(), strict=True)
    ]
    return first, np.stack(ends, axis=1)


def _draw_column(rng: np.random.Generator, mass: Array) -> Array:
    """Draw one column per row with a chance proportional to its mass."""
    upto = np.cumsum(mass, axis=1)
    goal = rng.random(len(mass)) * upto[:, -1]
    column: Array = (upto <= goal[:, None]).sum(axis=1)
    return column


def _follow(
    rng: np.random.Generator, before: _Actions, chance: Array | float, soonest: int, latest: int
) -> _Actions:
    """Let some actions be followed by the next step of the funnel, within the time of the log."""
    steps = before.where(rng.random(len(before.user)) < chance)
    steps = steps._replace(time=steps.time + rng.integers(soonest, latest, len(steps.user)))
    return steps.where(steps.time < _END)


def _write_log(goods: _Goods, actions: list[_Actions], n_users: int) -> pd.DataFrame:
    lengths = [len(part.user) for part in actions]
    kind = np.repeat(np.arange(len(actions)), lengths)
    together = _Actions(*(np.concatenate(column) for column in zip(*actions, strict=True)))
    order = np.argsort(together.time, kind="stable")
    user, item, time, quantity = (column[order] for column in together)
    return pd.DataFrame(
        {
            "user_id": _names("u", n_users, 4).take(user),
            "item_id": _names("sku", len(goods.price), 3).take(item),
            "timestamp": from_ms(time),
            "event": pd.Index(_ACTIONS).take(kind[order]),
            "quantity": quantity,
            "price": goods.price[item],
            "event_id": _names("e", len(order), 7),
        }
    )


def _names(prefix: str, n: int, digits: int) -> pd.Index:
    """Return ids such as ``sku-001``, as wide as the last one needs."""
    width = max(digits, len(str(n)))
    return pd.Index([f"{prefix}-{number:0{width}d}" for number in range(1, n + 1)])


def _describe_goods(rng: np.random.Generator, goods: _Goods) -> pd.DataFrame:
    kind = pd.Series(_KINDS[goods.kind])
    number = kind.groupby(kind).cumcount() + 1
    return pd.DataFrame(
        {
            "item_id": _names("sku", len(kind), 3),
            "name": kind + " " + number.astype(str),
            "brand": _BRANDS[goods.brand],
            "category": np.array(list(_SHELVES))[goods.category],
            "price": goods.price,
            "margin": np.round(goods.price * rng.uniform(0.1, 0.5, len(kind)), 2),
            "stock": goods.stock,
            "created_at": from_ms(goods.launched),
        }
    )


def _describe_people(rng: np.random.Generator, segment: Array) -> pd.DataFrame:
    """Describe customers; age tells something of the segment, country and device nothing."""
    n_users = len(segment)
    usual_age = np.arange(_N_SEGMENTS) % len(_AGE_BANDS)
    typical = rng.random(n_users) < 0.6
    age = np.where(typical, usual_age[segment], rng.integers(len(_AGE_BANDS), size=n_users))
    return pd.DataFrame(
        {
            "user_id": _names("u", n_users, 4),
            "country": rng.choice(["DE", "FR", "NL", "AT"], n_users, p=[0.5, 0.25, 0.15, 0.1]),
            "device": rng.choice(["mobile", "desktop", "tablet"], n_users, p=[0.6, 0.32, 0.08]),
            "age_band": _AGE_BANDS[age],
        }
    )


def _draw_offers(rng: np.random.Generator, n_items: int) -> dict[str, Any]:
    """Draw how items are sold: most of them as they are; of a few nobody knows who may buy them."""
    share = rng.choice([0.1, 0.2, 0.3, 0.5], n_items, p=[0.4, 0.3, 0.2, 0.1])
    adult = pd.array(rng.random(n_items) < 0.05, dtype="boolean")
    adult[rng.random(n_items) < 0.04] = pd.NA
    return {
        "discount": np.where(rng.random(n_items) < 0.2, share, 0.0),
        "sponsored": rng.random(n_items) < 0.05,
        "adult": adult,
    }


def _draw_wishes(rng: np.random.Generator, age_band: pd.Series) -> dict[str, Any]:
    """Draw what customers say of themselves; some say nothing."""
    n_users = len(age_band)
    years = rng.random(n_users) * age_band.map(_YEARS_IN_BAND)
    age = (age_band.str[:2].astype(float) + np.floor(years)).where(rng.random(n_users) < 0.85)
    told = rng.random(n_users) < 0.7
    lo, hi = rng.choice([0.0, 2.0, 5.0], n_users), rng.choice([25.0, 40.0, 60.0, 100.0], n_users)
    refused = rng.choice(_BRANDS, (n_users, 2))
    number = rng.choice(3, n_users, p=[0.9, 0.07, 0.03])
    brands = zip(refused.tolist(), number.tolist(), strict=True)
    return {
        "age": age,
        "price_lo": np.where(told, lo, np.nan),
        "price_hi": np.where(told, hi, np.nan),
        "refused_brands": pd.Series(
            [tuple(dict.fromkeys(two[:n])) for two, n in brands], dtype=object
        ),
    }
