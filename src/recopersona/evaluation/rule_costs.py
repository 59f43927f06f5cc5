"""What each rule of a pipeline does and costs, on what people did afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recopersona.base.parameters import check, whole
from recopersona.base.progress import progress as with_bar
from recopersona.data.dataset import Dataset
from recopersona.data.event import PURCHASE, seen_bits
from recopersona.data.feature_table import NumberColumn
from recopersona.data.intake import frame_of_events
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Indices
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.metrics import ndcg
from recopersona.kernels.blocks import cut
from recopersona.kernels.metrics import mark_hits
from recopersona.pipeline.filters import name_of
from recopersona.pipeline.pipeline import Pipeline
from recopersona.pipeline.shop_rules import Standing
from recopersona.rules.ruleset import RuleSet

ALL_RULES = "all rules"
"""The row that says what all rules do together."""

_USERS_AT_ONCE = 1_024


def simulate_rules(
    pipeline: Pipeline,
    log: Any,
    *,
    n: int = 10,
    seen: str | Iterable[str] = "drop",
    context: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    confidence: float = 0.95,
    n_boot: int = 1_000,
    random_state: Any = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Say how often each rule does something, what it costs, and how often it cannot be met.

    Everybody in the log is asked about once, at the time of their first event there, with all rules
    and with all but one: what changes is what that rule does. Wanted were the distinct items of
    positive weight in the log that the pipeline has not seen the user with. Nothing is fitted.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted, with rules, on what came before the log.
    log : Dataset or events frame
        What people did afterwards.
    n : int, at least 1
        Length of the lists.
    seen : "drop", "keep" or a list of event types
        As in `Recommender.recommend`.
    context, params : mappings, optional
        What every question says besides who asks and when, for rules that speak of ``ctx.page`` or
        ``$floor``: a log does not tell it.
    confidence : float between 0 and 1
        Of the percentile bootstrap intervals.
    n_boot : int, at least 1
        Resamples of the users; all rules are measured on the same ones.
    random_state : int, RandomState or None
        Of the resampling.
    progress : bool
        Show a bar on standard error, where that is a terminal, once a second has passed.

    Returns
    -------
    DataFrame
        One row per rule, and one for all of them together. ``requests``; ``fired``, in how many of
        them the list would have been another without the rule; ``unmet``, in how many it could not
        be met; ``ndcg@10 gain``, the mean NDCG with the rule less that without it (below 0, the
        rule costs), and ``ndcg@10 gain low`` and ``high``, its interval; ``revenue gain``,
        likewise, of all requests together: what was paid in the log for the listed items, by the
        price of the purchase, else that of the item; unknown where there are no prices.
        ``attrs["ndcg"]`` and ``attrs["revenue"]`` are what the lists under all rules reach.

    Raises
    ------
    ParameterError
        If an argument is out of its bounds, or the pipeline has no rules.
    DataError
        If the log holds nothing that could have been foreseen.

    Notes
    -----
    A STRICT rule does not raise here; where it cannot be met it is counted. A log tells what people
    wanted who saw another page: what a rule itself would have sold, it does not know.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.evaluation.splits import split_by_time
    >>> from recopersona.models.neighbors import ItemKNN
    >>> split = split_by_time(synthetic_shop(300, 80, random_state=7), 0.2)
    >>> rules = "RULE in_stock: REQUIRE item.stock > 0; RULE cap: LIMIT 1 PER item.brand IN TOP 5"
    >>> home = Pipeline(candidates=[ItemKNN(k=20)], rules=rules).fit(split.train)
    >>> table = simulate_rules(home, split.test)
    >>> table.index.tolist()
    ['in_stock', 'cap', 'all rules']
    >>> bool((table["fired"] <= table["requests"]).all())
    True
    """
    _check_arguments(pipeline, n)
    resampling = Resampling.checked("simulate_rules", confidence, n_boot, random_state)
    seen = seen if isinstance(seen, str) else tuple(seen)
    asked = _Asked.of(pipeline, log, seen, {"context": context or {}, "params": params or {}})
    trials = _trials(pipeline)
    lists = np.full((len(trials), len(asked), n), -1, np.int32)
    unmet: Counter[str] = Counter()
    blocks = cut(len(asked), _USERS_AT_ONCE)
    steps = [(place, *block) for place in range(len(trials)) for block in blocks]
    for place, start, end in with_bar(steps, "asking", len(steps)) if progress else steps:
        rankings = trials[place].home.rank_many(asked.queries[start:end], n, seen=seen)
        for row, ranking in enumerate(rankings, start):
            lists[place, row, : len(ranking)] = ranking.items
        if place == 0:
            unmet.update(rule for ranking in rankings for rule in _unmet(ranking))
    names = [trial.name for trial in trials[1:]]
    return _table(names, lists, asked, unmet, resampling)


def _check_arguments(pipeline: Any, n: Any) -> None:
    if not isinstance(pipeline, Pipeline):
        raise ParameterError(
            f"simulate_rules needs a fitted Pipeline, got {type(pipeline).__name__}."
        )
    pipeline._check_fitted()
    if not pipeline.rules_.rules and not pipeline.functions_:
        raise ParameterError(
            "simulate_rules needs a pipeline with rules, this one has none; "
            "give it some: pipeline.with_rules(rules)."
        )
    check(n, whole(at_least=1), "simulate_rules", "n")


class _Trial(NamedTuple):
    """A pipeline without one rule, and which."""

    name: str
    home: Pipeline


def _trials(pipeline: Pipeline) -> list[_Trial]:
    """Return the pipeline as it is; then without each rule, and without any."""
    zone, labels = pipeline.rules_.timezone, pipeline.rules_.labels
    rules = [replace(rule, strict=False) for rule in pipeline.rules_.rules]
    functions = pipeline.functions_

    def under(some: Sequence[Any], others: Sequence[Any]) -> Pipeline:
        return pipeline.with_rules([RuleSet(tuple(some), zone), *others])

    return [
        _Trial("", under(rules, functions)),
        *(_Trial(name, under(_but(rules, k), functions)) for k, name in enumerate(labels)),
        *(_Trial(name_of(f), under(rules, _but(functions, k))) for k, f in enumerate(functions)),
        _Trial(ALL_RULES, pipeline.with_rules(None)),
    ]


def _but(some: Sequence[Any], place: int) -> list[Any]:
    return [*some[:place], *some[place + 1 :]]


def _unmet(ranking: Ranking) -> set[str]:
    """Return the rules that a page does not meet, and that there are any."""
    account = ranking.account
    rules = account.unmet if isinstance(account, Standing) else ()
    return {*rules, ALL_RULES} if rules else set()


@dataclass(frozen=True, eq=False)
class _Asked:
    """Who is asked about, what each wanted, and what each bought.

    queries   one per user
    bounds    int64 (n_users + 1,), where each user's wanted items start
    wanted    int32, the pipeline's indices, ascending within each user; -1 where it lacks the item
    bought    int64, ascending (user, item) pairs
    paid      float64, for each of those; None where there are no prices
    """

    queries: list[Query]
    bounds: Array
    wanted: Indices
    bought: Array
    paid: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.queries)

    @classmethod
    def of(
        cls, pipeline: Pipeline, log: Any, seen: str | Iterable[str], said: Mapping[str, Any]
    ) -> _Asked:
        shop = log if isinstance(log, Dataset) else Dataset.from_frames(log)
        rows = shop.interactions
        users, items = (
            pipeline.users_.indices(shop.users.ids),
            pipeline.items_.indices(shop.items.ids),
        )
        pairs = np.unique(_pairs(rows.users, rows.items)[rows.weight > 0])
        who, what = pairs >> 32, items[pairs & 0xFFFFFFFF]
        bounds, known = pipeline.past_.seen_by(users.astype(np.int32), seen_bits(seen))
        owner = np.repeat(np.arange(len(users)), np.diff(bounds))
        fresh = (what < 0) | ~np.isin(_pairs(who, what), _pairs(owner, known))
        who, what = who[fresh], what[fresh]
        order = np.lexsort((what, who))
        asked, sizes = np.unique(who, return_counts=True)
        if not len(asked):
            raise DataError(
                "the log leaves no user anything new to find; take a later one, or use seen='keep' "
                "where people come back to the same items."
            )
        times = _first_times(shop, asked)
        queries = [
            Query(user_id=user, now=None if time == MISSING_TIME else time, **said)
            for user, time in zip(shop.users.ids[asked].tolist(), times.tolist(), strict=True)
        ]
        spent = _spent(pipeline, shop, log, items, asked)
        return cls(queries, np.append(0, np.cumsum(sizes)), what[order].astype(np.int32), *spent)


def _pairs(users: Array, items: Array) -> Array:
    return users.astype(np.int64) << 32 | items.astype(np.int64)


def _first_times(shop: Dataset, users: Array) -> Array:
    first = np.full(len(shop.users), np.iinfo(np.int64).max)
    if shop.log.timestamp is None:
        return np.full(len(users), MISSING_TIME)
    np.minimum.at(first, shop.log.users, shop.log.timestamp)
    return first[users]


def _spent(
    pipeline: Pipeline, shop: Dataset, log: Any, items: Array, asked: Array
) -> tuple[Array, NDArray[np.float64] | None]:
    """Return the pairs that were bought, the users numbered as asked, and what was paid."""
    price = _prices(pipeline, shop, log, items)
    rows = shop.interactions
    place = np.full(len(shop.users), -1)
    place[asked] = np.arange(len(asked))
    bought = (rows.event == PURCHASE) & (place[rows.users] >= 0) & (items[rows.items] >= 0)
    keys = _pairs(place[rows.users[bought]], items[rows.items[bought]])
    distinct, number = np.unique(keys, return_inverse=True)
    if price is None:
        return distinct, None
    pieces = 1.0 if rows.quantity is None else rows.quantity[bought].astype(np.float64)
    paid = np.nan_to_num(price[bought]) * pieces
    return distinct, np.bincount(number, paid, minlength=len(distinct)).astype(np.float64)


def _prices(
    pipeline: Pipeline, shop: Dataset, log: Any, items: Array
) -> NDArray[np.float64] | None:
    """Return the price of each interaction, NaN where unknown; None where there are no prices."""
    rows = shop.interactions
    paid = np.full(len(rows), np.nan)
    frame = None if isinstance(log, Dataset) else frame_of_events(log)
    if frame is not None and "price" in frame.columns:
        paid = NumberColumn.read(frame["price"], "price").values[shop.interaction_rows]
    elif "price" not in pipeline.item_features_:
        return None
    if "price" in pipeline.item_features_:
        column = pipeline.item_features_.column("price")
        listed = np.append(pd.to_numeric(column.series()).to_numpy(np.float64), np.nan)
        paid = np.where(np.isnan(paid), listed[items[rows.items]], paid)
    return paid


def _table(
    rules: Sequence[str],
    lists: Indices,
    asked: _Asked,
    unmet: Mapping[str, int],
    resampling: Resampling,
) -> pd.DataFrame:
    """Compare what each trial shows with the first, which is the pipeline as it is."""
    quality = np.stack([_quality(shown, asked) for shown in lists], axis=1)
    revenue = np.stack([_revenue(shown, asked) for shown in lists], axis=1)
    gains = [values[:, :1] - values[:, 1:] for values in (quality, revenue)]
    found = resampling.of(np.concatenate(gains, axis=1), np.arange(len(asked)))
    n_rules, n_users, n = len(rules), len(asked), lists.shape[2]
    in_all = np.nan if asked.paid is None else float(n_users)
    columns = {
        "requests": n_users,
        "fired": (lists[1:] != lists[0]).any(axis=2).sum(axis=1),
        "unmet": [unmet.get(rule, 0) for rule in rules],
        f"ndcg@{n} gain": gains[0].mean(axis=0),
        f"ndcg@{n} gain low": found.low[:n_rules],
        f"ndcg@{n} gain high": found.high[:n_rules],
        "revenue gain": gains[1].mean(axis=0) * in_all,
        "revenue gain low": found.low[n_rules:] * in_all,
        "revenue gain high": found.high[n_rules:] * in_all,
    }
    table = pd.DataFrame(columns, index=pd.Index(rules, name="rule"))
    table.attrs["ndcg"] = float(quality[:, 0].mean())
    table.attrs["revenue"] = float(revenue[:, 0].mean() * in_all)
    return table


def _quality(lists: Indices, asked: _Asked) -> NDArray[np.float64]:
    hits = np.empty(lists.shape, np.bool_)
    mark_hits(hits, lists, asked.bounds, asked.wanted)
    return ndcg(hits, np.diff(asked.bounds))


def _revenue(lists: Indices, asked: _Asked) -> NDArray[np.float64]:
    """Return what each user paid for the items listed."""
    if asked.paid is None or not len(asked.bought):
        return np.zeros(len(lists))
    keys = _pairs(np.arange(len(lists))[:, None], lists)
    place = np.minimum(asked.bought.searchsorted(keys), len(asked.bought) - 1)
    found = (lists >= 0) & (asked.bought[place] == keys)
    summed: NDArray[np.float64] = np.where(found, asked.paid[place], 0.0).sum(axis=1)
    return summed
