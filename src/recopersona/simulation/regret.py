"""Policies that live through the same worlds: what each earns, and what it falls short of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.stats import t as student

from recopersona.base.parameters import check, real, whole
from recopersona.data.types import Array, Id, Values
from recopersona.errors import DataError, ParameterError, hint
from recopersona.report.charts import interval_chart, line_chart
from recopersona.report.markup import together
from recopersona.report.plots import Plot, plot
from recopersona.simulation.world import Reaction, Visit, World

ORACLE = "oracle"
MEASURES = ("value", "clicks", "revenue")
_POINTS = 200


class Answering(Protocol):
    """Whatever answers visits and learns from reactions."""

    def answer(self, visit: Visit) -> Sequence[Id]:
        """Return the page to show."""

    def learn(self, visit: Visit, reaction: Reaction) -> None:
        """Take in what came of it."""


def regret(
    policies: Mapping[str, Callable[[World], Any]],
    world: World,
    *,
    n_requests: int = 3_000,
    n: int = 10,
    seeds: int | Iterable[int] = 5,
    confidence: float = 0.95,
) -> Regret:
    r"""Let policies live through the same worlds, and tell what they fall short of the oracle.

    Every policy lives through a world of every seed from its start, and so does the oracle, which
    shows the best page at every visit. With :math:`v_{ps}` the clicks expected per request in the
    life of policy p in the world of seed s (the truth's own, see `World.value`),

    .. math:: regret_{ps} = v_{oracle,s} - v_{ps}, \qquad share_{ps} = v_{ps} / v_{oracle,s}

    Intervals are Student's, over seeds; regret and share are paired, so that what a seed does to
    everybody does not count.

    Parameters
    ----------
    policies : mapping from name to function
        The function is called with each world, and returns what is asked: a function from a
        `Visit` to item ids, or something with ``answer(visit)`` and, if it learns,
        ``learn(visit, reaction)``.
    world : World
        Its parameters are used; its seed is not.
    n_requests : int, at least 1
    n : int, at least 1
        How many items the oracle shows. Policies show as many as they like.
    seeds : int or iterable of int
        Of the worlds: so many, from 0, or these.
    confidence : float, above 0 and below 1

    Returns
    -------
    Regret

    Raises
    ------
    ParameterError
        If an argument is out of its bounds, or a policy is called "oracle".

    Examples
    --------
    >>> small = World(200, 100, requests_per_day=200)
    >>> def popular(world):
    ...     page = world.log().item_id.value_counts().index[:5].tolist()
    ...     return lambda visit: page
    >>> def newest(world):
    ...     return lambda visit: world.items_on_sale(visit)[-5:]
    >>> found = regret({"popular": popular, "newest": newest}, small, n_requests=200, n=5, seeds=3)
    >>> found.table.index.tolist()
    ['oracle', 'popular', 'newest']
    >>> bool(found.table.loc["popular", "regret low"] > 0)
    True
    >>> found.difference("oracle", "newest")["different"]
    True
    """
    check(n_requests, whole(at_least=1), "regret", "n_requests")
    check(n, whole(at_least=1), "regret", "n")
    check(confidence, real(above=0, at_most=1 - 1e-9), "regret", "confidence")
    if not hasattr(policies, "items") or not policies:
        raise ParameterError(
            "regret: policies must be a mapping from names to functions of a world, "
            f"got {policies!r}."
        )
    if ORACLE in policies:
        raise ParameterError("regret: no policy may be called 'oracle'; it is always there.")
    numbers = list(range(seeds)) if isinstance(seeds, (int, np.integer)) else list(seeds)
    if len(numbers) < 1:
        raise ParameterError(f"regret: seeds must name at least one world, got {seeds!r}.")
    makers = {ORACLE: lambda world: lambda visit: world.oracle(visit, n), **policies}
    earned = np.empty((len(makers), len(numbers), len(MEASURES), n_requests))
    for place, seed in enumerate(numbers):
        of_seed = world.reseeded(seed)
        for row, make in enumerate(makers.values()):
            life = of_seed.copy()
            if not callable(make):
                raise _no_policy(make)
            earned[row, place] = _live(make(life), life, n_requests)
    return Regret(tuple(makers), tuple(numbers), earned, confidence)


def _no_policy(got: Any) -> ParameterError:
    return ParameterError(
        "regret: a policy is a function of a world that returns a function from a visit to item "
        "ids (lambda world: lambda visit: [...]) or an object with answer(visit), and "
        f"learn(visit, reaction) if it learns; got {type(got).__name__}."
    )


def _live(policy: Any, world: World, n_requests: int) -> Values:
    """Return what every request earned, float64 (n_measures, n_requests)."""
    answer = getattr(policy, "answer", policy)
    if not callable(answer):
        raise _no_policy(policy)
    learn = getattr(policy, "learn", None)
    earned = np.zeros((len(MEASURES), n_requests))
    for number, visit in enumerate(world.visits(n_requests)):
        page = list(answer(visit))
        expected = world.value(visit, page)
        reaction = world.react(visit, page)
        if learn is not None:
            learn(visit, reaction)
        earned[:, number] = expected, len(reaction.clicked), reaction.revenue
    return earned


class Regret:
    """What `regret` found.

    Attributes
    ----------
    policies : tuple of str
        The oracle first.
    seeds : tuple of int
    earned : float64 (n_policies, n_seeds, 3, n_requests)
        Expected clicks, clicks and revenue of every request.
    confidence : float
    table : DataFrame
        A row per policy: ``value`` (expected clicks), ``clicks`` and ``revenue`` per request,
        ``share`` of the oracle's value and ``regret`` per request, each with ``low`` and ``high``;
        NaN for the ends of an interval where there is one seed.
    curve : DataFrame
        ``policy``, ``request``, ``regret`` summed up to there, ``low`` and ``high``.

    Examples
    --------
    >>> random_order = lambda world: lambda visit: world.items_on_sale(visit)[:3]
    >>> small = World(100, 50, requests_per_day=100)
    >>> found = regret({"first": random_order}, small, n_requests=50, n=3, seeds=2)
    >>> found.table.loc["oracle", "share"].item()
    1.0
    >>> found.curve.groupby("policy").regret.last().gt(0).to_dict()
    {'first': True, 'oracle': False}
    """

    def __init__(
        self, policies: tuple[str, ...], seeds: tuple[int, ...], earned: Values, confidence: float
    ) -> None:
        self.policies, self.seeds = policies, seeds
        self.earned, self.confidence = earned, confidence

    @property
    def table(self) -> pd.DataFrame:
        """Every policy's earnings, with intervals."""
        means = self.earned.mean(axis=3)
        columns = {name: means[:, :, place] for place, name in enumerate(MEASURES)}
        value = columns["value"]
        columns["share"] = value / np.where(value[:1] > 0, value[:1], np.nan)
        columns["regret"] = value[:1] - value
        told: dict[str, Array] = {}
        for name, of_seeds in columns.items():
            told[name], told[f"{name} low"], told[f"{name} high"] = self._interval(of_seeds)
        return pd.DataFrame(told, index=pd.Index(self.policies, name="policy"))

    @property
    def curve(self) -> pd.DataFrame:
        """Every policy's regret, summed up over time, with intervals."""
        value = self.earned[:, :, 0]
        n_requests = value.shape[2]
        ends = np.unique(np.linspace(1, n_requests, min(_POINTS, n_requests)).astype(int))
        short = np.cumsum(value[:1] - value, axis=2)[:, :, ends - 1]
        mean, low, high = self._interval(np.moveaxis(short, 1, 2))
        return pd.DataFrame(
            {
                "policy": np.repeat(self.policies, len(ends)),
                "request": np.tile(ends, len(self.policies)),
                "regret": mean.ravel(),
                "low": low.ravel(),
                "high": high.ravel(),
            }
        )

    def difference(self, policy: str, other: str, measure: str = "value") -> dict[str, Any]:
        """Return by how much one policy is above another, paired by seed.

        Parameters
        ----------
        policy, other : str
        measure : "value", "clicks" or "revenue"
            Per request.

        Returns
        -------
        dict with ``gain``, ``low``, ``high``, and whether that excludes zero: ``different``
        """
        for name in (policy, other):
            if name not in self.policies:
                raise DataError(f"no policy {name!r} lived here{hint(name, self.policies)}")
        if measure not in MEASURES:
            raise ParameterError(f"no measure {measure!r}{hint(measure, MEASURES)}")
        means = self.earned[:, :, MEASURES.index(measure)].mean(axis=2)
        rows = means[self.policies.index(policy)] - means[self.policies.index(other)]
        gain, low, high = (float(value) for value in self._interval(rows))
        return {"gain": gain, "low": low, "high": high, "different": low > 0 or high < 0}

    def _interval(self, of_seeds: Values) -> tuple[Array, Array, Array]:
        """Return means over the last axis, seeds, and the ends of their intervals."""
        mean = of_seeds.mean(axis=-1)
        n = of_seeds.shape[-1]
        if n < 2:
            return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
        error = of_seeds.std(axis=-1, ddof=1) / np.sqrt(n)
        reach = float(student.ppf((1 + self.confidence) / 2, n - 1)) * error
        return mean, mean - reach, mean + reach

    def __repr__(self) -> str:
        shown = self.table[["value", "share", "share low", "share high", "regret", "revenue"]]
        n = self.earned.shape[3]
        return f"{n:,} requests, {len(self.seeds)} seeds\n{shown.round(4).to_string()}"

    def _repr_html_(self) -> str:
        table: str = self.table.round(4).to_html()
        return table


@plot.register
def _(result: Regret) -> Plot:
    table = result.table
    n_seeds = len(result.seeds)
    share = f"of the oracle's clicks; {result.confidence:.0%} interval over {n_seeds} seeds"
    curve = result.curve.pivot_table(index="request", columns="policy", values="regret")
    lines = {name: curve[name].to_numpy() for name in result.policies}
    ends = table["share low"], table["share high"]
    charts = [
        interval_chart(
            list(result.policies), table["share"], *ends, title="Share of the oracle", unit=share,
            number_format=".1%",
        ),
        line_chart(
            curve.index.to_numpy(), lines, title="Regret", unit="expected clicks missed, summed up"
        ),
    ]  # fmt: skip
    return Plot(together(charts))
