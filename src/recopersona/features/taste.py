"""What a user is drawn to: items, categories, brands, prices, ways to pay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np

from recopersona.base.parameters import duration, mapping, optional, param, real
from recopersona.data.types import Array
from recopersona.features.feature import WORD, WORDS, Feature, Seen, mean, ratio, shrunk
from recopersona.features.tally import Tally

EVENT_WEIGHTS: Mapping[str, float] = {
    "click": 1.0,
    "view": 1.0,
    "wishlist": 3.0,
    "cart": 4.0,
    "purchase": 10.0,
}
"""How strongly an event speaks for an item, where nothing else is said."""

_WEIGHTS = mapping("from event type to weight")


class Affinity(Feature):
    r"""How much a user is drawn to the candidate, or to its category, brand or price band.

    .. math::
        a_{ui} = \ln(1 + T_{ui}), \qquad a_{uc} = \frac{T_{uc}}{T_u + 1}, \qquad
        T = \sum w_{kind} \cdot 2^{-age / half\_life}

    Parameters
    ----------
    of : str
        ``"item"``, ``"price_band"`` (half an octave of prices) or a category among the attributes
        of items, such as ``"category"`` or ``"brand"``. The first is a strength, the others are
        shares of all the user did.
    half_life : duration
    event_weights : mapping from event type to weight, optional
        By default click and view 1, wishlist 3, cart 4, purchase 10.

    Examples
    --------
    >>> Affinity(of="brand").columns()
    {'affinity_brand': 'T(user, brand) / (T(user) + 1)'}
    """

    of: str = param(WORD, default="item")
    half_life: str | timedelta = param(duration(), default="30d")
    event_weights: Mapping[str, float] | None = param(optional(_WEIGHTS), default=None)

    def tallies(self) -> Mapping[str, Tally]:
        kinds = EVENT_WEIGHTS if self.event_weights is None else self.event_weights
        said = {"fact": "weight", "kinds": kinds, "half_life": self.half_life}
        counted = {"here": Tally("user", self.of, **said)}  # type: ignore[arg-type]
        if self.of != "item":
            counted["anywhere"] = Tally("user", **said)  # type: ignore[arg-type]
        return counted

    def columns(self) -> Mapping[str, str]:
        if self.of == "item":
            return {"affinity_item": "ln(1 + T(user, item))"}
        return {f"affinity_{self.of}": f"T(user, {self.of}) / (T(user) + 1)"}

    def compute(self, seen: Seen) -> Sequence[Array]:
        here = np.maximum(seen["here"], 0.0)
        return [np.log1p(here) if self.of == "item" else here / (seen["anywhere"] + 1.0)]


class PriceFit(Feature):
    r"""What the candidate costs, beside what the user and the category are used to.

    .. math:: z = \frac{\ln p - \mu_u}{\sqrt{\sigma_u^2 + 0.25^2}}

    where :math:`\mu_u, \sigma_u` are mean and deviation of the logarithms of the prices of what
    the user viewed, put in the cart and bought.

    Parameters
    ----------
    half_life : duration

    Examples
    --------
    >>> list(PriceFit().columns())
    ['price', 'price_vs_user', 'price_vs_category']
    """

    half_life: str | timedelta = param(duration(), default="90d")

    def tallies(self) -> Mapping[str, Tally]:
        kinds = {"view": 1.0, "cart": 2.0, "purchase": 4.0}

        def of(fact: str, *key: str) -> Tally:
            return Tally(*key, fact=fact, kinds=kinds, half_life=self.half_life)

        return {
            "user_n": of("priced", "user"),
            "user_sum": of("log_price", "user"),
            "user_squares": of("log_price_squared", "user"),
            "category_n": of("priced", "category"),
            "category_sum": of("log_price", "category"),
        }

    def columns(self) -> Mapping[str, str]:
        return {
            "price": "ln(1 + price)",
            "price_vs_user": "(ln price - mean of the user) / sqrt(variance of the user + 0.25^2)",
            "price_vs_category": "ln price - mean of the category",
        }

    def compute(self, seen: Seen) -> Sequence[Array]:
        price = seen.answer("price")
        positive = np.where(price > 0, price, np.nan)
        logarithm = np.log(positive)
        typical = mean(seen["user_sum"], seen["user_n"])
        variance = mean(seen["user_squares"], seen["user_n"]) - typical * typical
        spread = np.sqrt(np.maximum(variance, 0.0) + 0.0625)
        category = mean(seen["category_sum"], seen["category_n"])
        return [np.log1p(positive), (logarithm - typical) / spread, logarithm - category]


class PaymentPreference(Feature):
    """How often a user pays in the way the question names, and in each of some ways.

    Needs ``payment_method`` in the events; what a question says of it is read from its own column
    or context, and may be missing.

    Parameters
    ----------
    methods : sequence of str
        A column for each: the share of the user's purchases paid so.
    half_life : duration

    Examples
    --------
    >>> list(PaymentPreference(methods=["card"]).columns())
    ['payment_match', 'payment_card']
    """

    methods: Sequence[str] = param(WORDS, default=())
    half_life: str | timedelta = param(duration(), default="180d")

    def tallies(self) -> Mapping[str, Tally]:
        def of(*key: str, method: str | None = None) -> Tally:
            where = None if method is None else ("payment_method", method)
            return Tally(*key, kinds=["purchase"], half_life=self.half_life, where=where)

        shares = {method: of("user", method=method) for method in self.methods}
        return {"": of("user", "payment_method"), "all": of("user")} | {
            f"by {method}": tally for method, tally in shares.items()
        }

    def columns(self) -> Mapping[str, str]:
        formulas = {"payment_match": "purchases paid as the question says / purchases of the user"}
        for method in self.methods:
            formulas[f"payment_{method}"] = f"purchases paid by {method} / purchases of the user"
        return formulas

    def compute(self, seen: Seen) -> Sequence[Array]:
        bought = seen["all"]
        shares = [ratio(seen[f"by {method}"], bought) for method in self.methods]
        return [ratio(seen[""], bought), *shares]


class Engagement(Feature):
    r"""How long, and how far down, pages are read: means over an item, a category or a user.

    .. math:: \bar x_k = \frac{\sum x_e 2^{-age/half\_life}}{\sum 2^{-age/half\_life}}

    Needs ``dwell_ms`` or ``scroll_pct`` in the events; NaN where nothing is known.

    Parameters
    ----------
    of : str
        ``"item"``, ``"user"`` or a category of items.
    half_life : duration
    prior : float, at least 0
        Events at the shop's own mean that a mean begins with.

    Examples
    --------
    >>> list(Engagement(of="category").columns())
    ['dwell_category', 'scroll_category']
    """

    of: str = param(WORD, default="item")
    half_life: str | timedelta = param(duration(), default="30d")
    prior: float = param(real(at_least=0), default=3.0)

    def tallies(self) -> Mapping[str, Tally]:
        return {
            f"{fact} {where}": Tally(*key, fact=fact, half_life=self.half_life)
            for fact in ("dwell", "dwelt", "scroll", "scrolled")
            for where, key in (("here", (self.of,)), ("shop", ()))
        }

    def columns(self) -> Mapping[str, str]:
        prior = f"{self.prior:g}"
        return {
            f"dwell_{self.of}": f"mean seconds on its pages, {prior} at the shop's mean",
            f"scroll_{self.of}": f"mean share read of its pages, {prior} at the shop's mean",
        }

    def compute(self, seen: Seen) -> Sequence[Array]:
        return [
            shrunk(seen[f"{fact} here"], seen[f"{count} here"],
                   mean(seen[f"{fact} shop"], seen[f"{count} shop"]), self.prior)
            for fact, count in (("dwell", "dwelt"), ("scroll", "scrolled"))
        ]  # fmt: skip
