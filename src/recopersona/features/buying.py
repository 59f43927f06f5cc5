"""How a user buys: how lately, how often, for how much, and what stays in the cart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np

from recopersona.base.parameters import duration, optional, param, real
from recopersona.data.types import Array
from recopersona.features.feature import Feature, Seen, mean, ratio, shrunk
from recopersona.features.tally import Tally

BOUGHT: Mapping[str, float] = {"purchase": 1.0, "return": -1.0}
"""A return takes back what a purchase counted."""


class RFM(Feature):
    """Recency, frequency and monetary value of a user, and how long the shop has known them.

    Parameters
    ----------
    half_life : duration, optional
        Lets orders and money fade; by default they count in full.

    Examples
    --------
    >>> list(RFM().columns())
    ['recency', 'frequency', 'monetary', 'tenure', 'visits']
    """

    half_life: str | timedelta | None = param(optional(duration()), default=None)

    def tallies(self) -> Mapping[str, Tally]:
        return {
            "latest": Tally("user", fact="time", kinds=["purchase"], keep="largest"),
            "first": Tally("user", fact="time", keep="smallest"),
            "orders": Tally("user", fact="orders", kinds=["purchase"], half_life=self.half_life),
            "money": Tally("user", fact="money", kinds=BOUGHT, half_life=self.half_life),
            "visits": Tally("user", fact="sessions", half_life=self.half_life),
        }

    def columns(self) -> Mapping[str, str]:
        return {
            "recency": "days since the user's latest purchase, NaN before the first",
            "frequency": "orders of the user",
            "monetary": "money the user spent, returns taken off",
            "tenure": "days since the user's first event",
            "visits": "visits of the user",
        }

    def compute(self, seen: Seen) -> Sequence[Array]:
        today = seen.today
        return [
            today - seen["latest"], seen["orders"], seen["money"], today - seen["first"],
            seen["visits"],
        ]  # fmt: skip


class OrderValue(Feature):
    """What an order of the user is worth on average; NaN before the first.

    Parameters
    ----------
    half_life : duration, optional
        The older an order, the less it counts.

    Examples
    --------
    >>> OrderValue().columns()
    {'order_value': 'money spent, returns taken off / orders'}
    """

    half_life: str | timedelta | None = param(optional(duration()), default="365d")

    def tallies(self) -> Mapping[str, Tally]:
        return {
            "money": Tally("user", fact="money", kinds=BOUGHT, half_life=self.half_life),
            "orders": Tally("user", fact="orders", kinds=["purchase"], half_life=self.half_life),
        }

    def columns(self) -> Mapping[str, str]:
        return {"order_value": "money spent, returns taken off / orders"}

    def compute(self, seen: Seen) -> Sequence[Array]:
        return [mean(seen["money"], seen["orders"])]


class CartAbandonment(Feature):
    r"""What share of the things a user puts in the cart is not bought (yet).

    .. math:: \max\left(0, 1 - \frac{bought + prior \cdot g}{carted + prior}\right)

    where :math:`g` is the shop's own share of what is bought.

    Parameters
    ----------
    prior : float, at least 0
        Things put in the cart with which every user begins.
    half_life : duration

    Examples
    --------
    >>> list(CartAbandonment().columns())
    ['cart_abandonment', 'in_cart']
    """

    prior: float = param(real(at_least=0), default=3.0)
    half_life: str | timedelta = param(duration(), default="90d")

    def tallies(self) -> Mapping[str, Tally]:
        def of(fact: str, kind: str, *key: str) -> Tally:
            return Tally(*key, fact=fact, kinds=[kind], half_life=self.half_life)

        return {
            "carted": of("carted", "cart", "user"),
            "bought": of("cart_bought", "purchase", "user"),
            "shop_carted": of("carted", "cart"),
            "shop_bought": of("cart_bought", "purchase"),
        }

    def columns(self) -> Mapping[str, str]:
        return {
            "cart_abandonment": "1 - (bought from the cart + prior x shop's share) / "
            "(put in the cart + prior), at least 0",
            "in_cart": "1 where the candidate lies in the user's cart",
        }

    def compute(self, seen: Seen) -> Sequence[Array]:
        usual = ratio(seen["shop_bought"], seen["shop_carted"])
        bought = shrunk(seen["bought"], seen["carted"], usual, self.prior)
        # What was bought has faded less than that it was put in the cart before.
        return [np.maximum(1.0 - bought, 0.0), seen.answer("in_cart")]


class Repurchase(Feature):
    r"""How often the candidate is bought again, and whether the user is due to.

    .. math::
        g_{ui} = \frac{\sum gaps_{ui} + prior \cdot g_i}{n_{ui} + prior}, \qquad
        due = \frac{t - t_{last}}{g_{ui}}

    with :math:`g_i` drawn in the same way towards the mean gap of the shop.

    Parameters
    ----------
    prior : float, at least 0
        Gaps of the usual length with which every item and every user begins.

    Examples
    --------
    >>> list(Repurchase().columns())
    ['bought_times', 'repurchase_interval', 'repurchase_due']
    """

    prior: float = param(real(at_least=0), default=2.0)

    def tallies(self) -> Mapping[str, Tally]:
        of: dict[str, tuple[str, ...]] = {"own": ("user", "item"), "item": ("item",), "shop": ()}
        gaps = {
            f"{name}_sum": Tally(*key, fact="gap", kinds=["purchase"]) for name, key in of.items()
        }
        counts = {
            f"{name}_n": Tally(*key, fact="repurchases", kinds=["purchase"])
            for name, key in of.items()
        }
        latest = Tally("user", "item", fact="time", kinds=["purchase"], keep="largest")
        bought = Tally("user", "item", kinds=["purchase"])
        return gaps | counts | {"latest": latest, "bought": bought}

    def columns(self) -> Mapping[str, str]:
        return {
            "bought_times": "purchases of the item by the user",
            "repurchase_interval": "days between purchases: the user's, the item's, the shop's",
            "repurchase_due": "days since the user bought the item / repurchase_interval",
        }

    def compute(self, seen: Seen) -> Sequence[Array]:
        shop = mean(seen["shop_sum"], seen["shop_n"])
        item = shrunk(seen["item_sum"], seen["item_n"], shop, self.prior)
        own = shrunk(seen["own_sum"], seen["own_n"], item, self.prior)
        return [seen["bought"], own, (seen.today - seen["latest"]) / own]


class SessionSignals(Feature):
    """The visit so far: how long, how fast, how broad, and what of it is like the candidate.

    A visit is over after `Features.gap` without an event. Of a long one, the latest eight events
    are looked at for items and categories. A request may bring the visit itself, as
    ``Query(session=[...])``.

    Examples
    --------
    >>> len(SessionSignals().columns())
    7
    """

    def columns(self) -> Mapping[str, str]:
        return {
            "session_events": "events of the visit so far, impressions left out",
            "session_minutes": "minutes since the visit began",
            "session_pace": "events of the visit / (minutes + 1)",
            "session_categories": "different categories among the latest 8 events of the visit",
            "session_item": "how often the candidate is among the latest 8 events of the visit",
            "session_category": "share of the latest 8 events in the candidate's category",
            "idle_minutes": "minutes since the user's latest event but returns, NaN for a stranger",
        }

    def compute(self, seen: Seen) -> Sequence[Array]:
        minutes = seen.answer("session_time") / 60_000.0
        events = seen.answer("session_events")
        return [
            events, minutes, events / (minutes + 1.0), seen.answer("session_categories"),
            seen.answer("session_item_hits"),
            ratio(seen.answer("session_category_hits"), seen.answer("session_recent")),
            seen.answer("idle") / 60_000.0,
        ]  # fmt: skip
