"""Is one model better than another, or is it luck: differences with p-values and power."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.parameters import check, real, whole
from recopersona.base.recommender import Recommender
from recopersona.data.types import Array, Values
from recopersona.errors import DataError, ParameterError, hint
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.evaluate import METRICS
from recopersona.evaluation.metrics import Asked, less_is_better
from recopersona.evaluation.power import Spread
from recopersona.evaluation.randomization import holm, randomization_p
from recopersona.evaluation.results import Results, asked_of, named_models, results_of
from recopersona.evaluation.splits import Split
from recopersona.evaluation.tables import segment_table, table_of, with_attributes

USUAL_POWER = 0.8
"""The power with which ``detectable`` differences are found."""


def compare(
    models: Iterable[Any] | Mapping[str, Recommender],
    split: Split | Iterable[Split],
    *,
    k: int | Iterable[int] = 10,
    metrics: str | Iterable[str] = METRICS,
    seen: str | Iterable[str] = "drop",
    by: str | Mapping[Any, Any] | None = None,
    against: str | None = None,
    effect: float = 0.03,
    confidence: float = 0.95,
    n_boot: int = 1_000,
    n_draws: int = 10_000,
    n_jobs: int = 1,
    errors: str = "raise",
    random_state: Any = 0,
    progress: bool = True,
) -> Comparison:
    """Fit models, measure them on what was held out, and say which differences are no luck.

    Models are compared by the first per-user metric asked for, on the same users: each pair by a
    randomization test (a user's two values are exchanged at random), corrected by Holm for the
    number of pairs, with a paired bootstrap interval of the gain. What a comparison does not find
    may still be there: it says how large a difference had to be to be found.

    Parameters
    ----------
    models, split, k, metrics, seen, by, confidence, n_boot, n_jobs, errors, progress
        As in `evaluate`; at least two models.
    against : str, optional
        Compare with this model only; by default all pairs are compared.
    effect : float, above 0
        The relative difference whose power is told: 0.03 is a model that is 3 % better.
    n_draws : int, at least 1
        Random exchanges of the test; no p-value is below ``1 / (n_draws + 1)``.
    random_state : int, RandomState or None
        Of the resampling and the exchanges.

    Returns
    -------
    Comparison

    Raises
    ------
    ParameterError
        If an argument is out of its bounds, there are fewer than two models, or no metric has a
        value per user.
    DataError
        If a split leaves no user anything to find, or fewer than two models could be fitted.

    References
    ----------
    Smucker, Allan & Carterette (2007), "A comparison of statistical significance tests for
    information retrieval evaluation"; Holm (1979), "A simple sequentially rejective multiple test
    procedure"; Sakai (2018), "Laboratory Experiments in Information Retrieval".

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.evaluation.splits import split_by_time
    >>> from recopersona.models.neighbors import ItemKNN
    >>> from recopersona.models.popularity import Popularity
    >>> split = split_by_time(synthetic_shop(300, 80, random_state=7), 0.2)
    >>> found = compare([Popularity(), ItemKNN(k=20)], split, by="activity", n_draws=999)
    >>> found.differences.index.tolist()
    [('ItemKNN', 'Popularity')]
    >>> bool(found.differences["gain low"].item() > 0), bool(found.differences["different"].item())
    (True, True)
    >>> found.segments.loc["low"].index.tolist()
    ['Popularity', 'ItemKNN']
    """
    resampling = Resampling.checked("compare", confidence, n_boot, random_state)
    check(effect, real(above=0), "compare", "effect")
    check(n_draws, whole(at_least=1), "compare", "n_draws")
    named = named_models(models, "compare")
    _check_comparable(named, against, asked_of("compare", k, metrics))
    results = results_of(
        "compare",
        named,
        split,
        k=k,
        metrics=metrics,
        seen=seen,
        by=by,
        errors=errors,
        n_jobs=n_jobs,
        progress=progress,
    )
    _check_left(results, against)
    return Comparison(results, resampling, results.labels[0], against, effect, n_draws)


class Comparison:
    """What `compare` found; computed when first asked for, and kept.

    Attributes
    ----------
    metric : str
        By what models are compared, such as ``"ndcg@10"``; see `on`.
    table : DataFrame
        What `evaluate` returns: a row per model.
    differences : DataFrame
        A row per pair of models: by how much the first of the pair is above the second.
        ``gain``, ``gain low``, ``gain high``: the mean difference with its paired interval;
        ``relative gain``, as a share of the second's mean; ``p``, of the randomization test, and
        ``p holm``, corrected for the number of pairs; ``different``, whether that is below
        1 - confidence; ``power``, how likely a difference of ``effect`` would have been called one,
        and ``detectable``, the smallest difference that is called one with a power of 0.8 (both
        as if every pair had to pass the strictest level of Holm, so at least that); ``users`` for
        whom both have a value.
    segments : DataFrame
        A row per segment and model: ``users``, the metric, and the gain over ``against``, else over
        the first model, both with intervals. Needs ``by`` in `compare`.
    sentences : list of str
        What was found in words.
    counts : dict
        Who was evaluated and who was not, and what is odd about models' answers.
    errors : dict from model to str
        Why models failed, with ``errors="record"``.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.evaluation.splits import split_last
    >>> from recopersona.models.neighbors import ItemKNN
    >>> shop = synthetic_shop(200, 50, random_state=7)
    >>> models = {"few": ItemKNN(k=2), "many": ItemKNN(k=20)}
    >>> found = compare(models, split_last(shop), metrics=["ndcg", "recall"])
    >>> found.metric, found.on("recall@10").differences.index.tolist()
    ('ndcg@10', [('many', 'few')])
    >>> bool(found.power(0.03).item() < found.power(0.3).item())
    True
    """

    def __init__(
        self,
        results: Results,
        resampling: Resampling,
        metric: str,
        against: str | None = None,
        effect: float = 0.03,
        n_draws: int = 10_000,
    ) -> None:
        self.metric, self.against, self.effect, self.n_draws = metric, against, effect, n_draws
        self._results, self._resampling = results, resampling

    @property
    def models(self) -> tuple[str, ...]:
        """The models compared, in the order given."""
        return self._results.models

    @property
    def confidence(self) -> float:
        """Of the intervals; one less it is the level of the tests."""
        return self._resampling.confidence

    @property
    def counts(self) -> dict[str, Any]:
        """Who was evaluated and who was not, and what is odd about models' answers."""
        return dict(self._results.counts)

    @property
    def errors(self) -> dict[str, str]:
        """Why models failed."""
        return dict(self._results.failed)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Every model's metrics with intervals, seconds and memory."""
        return table_of(self._results, self._resampling)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Every pair's difference: interval, p-values, power."""
        pairs, sums, counts = self._pairs, *self._paired
        intervals = self._resampling.of(self._rows.T, self._results.users)
        users = (counts > 0).sum(axis=1)
        p = np.where(
            users > 0, randomization_p(sums, self.n_draws, self._resampling.random_state), np.nan
        )
        adjusted = holm(p)
        base = self._base
        frame = pd.DataFrame(
            {
                "gain": intervals.mean,
                "gain low": intervals.low,
                "gain high": intervals.high,
                "relative gain": intervals.mean / np.where(base > 0, base, np.nan),
                "p": p,
                "p holm": adjusted,
                "different": adjusted <= 1 - self.confidence,
                "power": self._power(self.effect),
                "detectable": self._spread.detectable(self._level, USUAL_POWER),
                "users": users,
            },
            index=self._index(pairs),
        )
        frame.attrs.update(metric=self.metric, effect=self.effect)
        return with_attributes(frame, self._results)

    @property
    def has_segments(self) -> bool:
        """Whether `compare` was given ``by``."""
        return self._results.segments is not None

    @cached_property
    def segments(self) -> pd.DataFrame:
        """Every segment's metric and gain, with intervals."""
        segments = self._results.segments
        if segments is None:
            raise ParameterError("there are no segments; name some: compare(..., by='activity').")
        against = 0 if self.against is None else self.models.index(self.against)
        return segment_table(self._results, segments, self._resampling, [self.metric], against)

    def power(self, effect: float = 0.03) -> pd.Series:
        """Return how likely each pair's difference would be found if it were as large as this.

        Parameters
        ----------
        effect : float, above 0
            Relative: 0.03 is a model that is 3 % better than the second of the pair.

        Returns
        -------
        Series, per pair, 0 to 1; NaN where two models never differ, so that nothing is known of
        how their differences vary.
        """
        check(effect, real(above=0), "power", "effect")
        return pd.Series(self._power(effect), self._index(self._pairs), name=f"power at {effect:g}")

    def on(self, metric: str) -> Comparison:
        """Return the comparison by another of the metrics that were measured.

        Choose it beforehand: who looks at many metrics finds a difference in one of them by luck.
        """
        if metric not in self._results.labels:
            raise ParameterError(
                f"no metric {metric!r} with a value per user was measured"
                f"{hint(metric, self._results.labels)}"
            )
        return Comparison(
            self._results, self._resampling, metric, self.against, self.effect, self.n_draws
        )

    def __repr__(self) -> str:
        return "\n".join([self._title, self._short_table.to_string(), *self.sentences])

    def _repr_html_(self) -> str:
        from html import escape

        told = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.sentences)
        table: str = self._short_table.to_html()
        return f"<p>{escape(self._title)}</p>{table}<ul>{told}</ul>"

    @property
    def _title(self) -> str:
        on = ", ".join(self._results.splits)
        return f"{self.metric} of {self._results.n_users:,} users, {on}"

    @property
    def _short_table(self) -> pd.DataFrame:
        names = [self.metric, f"{self.metric} low", f"{self.metric} high"]
        costs = ["fit_s", "ms_per_answer", "peak_mb"]
        return self.table[[*names, *costs]].round(dict.fromkeys(names, 4) | dict.fromkeys(costs, 2))

    @cached_property
    def sentences(self) -> list[str]:
        """What was found in words: a sentence per pair, and what is odd about models' answers."""
        return [_told(row, self) for row in self.differences.itertuples()] + _oddities(self)

    @cached_property
    def _pairs(self) -> list[tuple[int, int]]:
        """Each pair as (model, against), numbers of models."""
        places = range(len(self.models))
        if self.against is not None:
            base = self.models.index(self.against)
            return [(place, base) for place in places if place != base]
        return [(later, earlier) for earlier, later in combinations(places, 2)]

    def _index(self, pairs: list[tuple[int, int]]) -> pd.MultiIndex:
        named = [(self.models[model], self.models[base]) for model, base in pairs]
        return pd.MultiIndex.from_tuples(named, names=["model", "against"])

    @cached_property
    def _rows(self) -> Values:
        """Differences of every row, float64 (n_pairs, n_rows)."""
        values = self._results.values[self.metric]
        models, bases = np.array(self._pairs).T
        rows: Values = values[models] - values[bases]
        return rows

    @cached_property
    def _paired(self) -> tuple[Values, Values]:
        """Users' summed differences, and of how many values; each float64 (n_pairs, n_users)."""
        there = ~np.isnan(self._rows)
        return self._per_user(np.where(there, self._rows, 0.0)), self._per_user(there)

    def _per_user(self, rows: Array) -> Values:
        users, n_users = self._results.users, self._results.n_users
        return np.stack([np.bincount(users, row, minlength=n_users) for row in rows]).astype(float)

    @cached_property
    def _base(self) -> Values:
        """The mean of each pair's second model, of users who have both values."""
        values = self._results.values[self.metric][[base for _, base in self._pairs]]
        both = np.where(np.isnan(self._rows), np.nan, values)
        there = ~np.isnan(both)
        with np.errstate(invalid="ignore"):
            means: Values = np.where(there, both, 0.0).sum(axis=1) / there.sum(axis=1)
        return means

    @cached_property
    def _spread(self) -> Spread:
        return Spread.of(*self._paired)

    @property
    def _level(self) -> float:
        """The strictest level of Holm's procedure."""
        return (1 - self.confidence) / len(self._pairs)

    def _power(self, effect: float) -> Values:
        return self._spread.power(effect * np.abs(self._base), self._level)


def _check_comparable(
    named: Mapping[str, Recommender], against: str | None, asked: Sequence[Asked]
) -> None:
    if len(named) < 2:
        raise ParameterError("compare needs at least two models, got 1; use evaluate for one.")
    if against is not None and against not in named:
        raise ParameterError(f"compare: against is no model: {against!r}{hint(against, named)}")
    if not any(one.per_user for one in asked):
        raise ParameterError("compare needs a metric that has a value per user, such as 'ndcg'.")


def _check_left(results: Results, against: str | None) -> None:
    """Refuse what is left of a comparison when models have failed."""
    told = "; ".join(f"{name}: {words}" for name, words in results.failed.items())
    if len(results.models) < 2:
        raise DataError(f"compare needs two models that can be fitted, got one ({told}).")
    if against in results.failed:
        raise DataError(f"compare has nothing to compare with, {against!r} failed ({told}).")


def _told(row: Any, comparison: Comparison) -> str:
    """Say one difference in words."""
    (model, base), gain, low, high, relative, p, adjusted, different, power, detectable, _ = row
    if np.isnan(p):
        return f"{model} and {base} have no user in common."
    interval = f"{gain:+.4f} ({low:+.4f} to {high:+.4f}; {relative:+.1%})"
    test = f"p = {_p(p)}" if adjusted == p else f"p = {_p(adjusted)} after Holm"
    if different:
        better = "better" if (gain > 0) != less_is_better(comparison.metric) else "worse"
        return f"{model} is {better} than {base}: {interval}, {test}."
    seen = ""
    if not np.isnan(power):
        seen = (
            f"; a difference of {comparison.effect:.1%} would have been found with a power of "
            f"{power:.0%}, one of {detectable:.4f} with {USUAL_POWER:.0%}"
        )
    return f"{model} and {base} are not told apart: {interval}, {test}{seen}."


def _p(p: float) -> str:
    return f"{p:.4f}" if p >= 0.001 else f"{p:.1g}"


def _oddities(comparison: Comparison) -> list[str]:
    """Say what is odd about models' answers, and which failed."""
    words = {
        "short_lists": "{count:,} lists are shorter than asked for",
        "answers_of_equal_scores": "{count:,} lists have one score for all their items, so their "
        "order says nothing",
        "splits_of_equal_users": "every item has one score, whoever asks",
    }
    told = [
        f"{model}: {sentence.format(count=count)}."
        for what, sentence in words.items()
        for model, count in comparison.counts.get(what, {}).items()
    ]
    return told + [f"{model} failed: {why}" for model, why in comparison.errors.items()]
