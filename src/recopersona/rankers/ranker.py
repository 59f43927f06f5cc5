"""The learned second stage: judge each candidate by all that is known, and say why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recopersona.base.gated import Gated
from recopersona.base.online import OnlineRecommender
from recopersona.base.parameters import (
    Bound,
    check,
    check_parameters,
    mapping,
    one_of,
    optional,
    param,
    real,
    seed,
    switch,
    whole,
)
from recopersona.base.recommender import as_dataset
from recopersona.base.searching import is_number
from recopersona.base.several import listed
from recopersona.data.dataset import Dataset
from recopersona.data.event import event_bits, seen_bits
from recopersona.data.gate import EventGate
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.times import from_ms
from recopersona.data.types import Array, Floats, Id
from recopersona.errors import DataError, ParameterError, hint
from recopersona.rankers.calibration import Calibration
from recopersona.rankers.columns import FEATURES, Columns
from recopersona.rankers.lessons import Lessons, Rows
from recopersona.rankers.position_bias import BIAS, ExaminationModel, unbiased

KINDS = optional(Bound("a list of event types", lambda value: event_bits(value) >= 0))
SEEN = Bound("'drop', 'keep' or a list of event types", lambda value: seen_bits(value) >= 0)
DIRECTIONS = optional(mapping("from a column to 1 (more is better) or -1 (less is better)"))

_FEWEST = 40  # requests; with fewer there is nothing to spare for calibration
_HELD_OUT = 0.2  # of the requests, in the middle


class Ranker(Gated):
    r"""A stage that learned what visitors take of what they are offered.

    A subclass writes the learner, three methods over plain arrays (see `Rows`):

    ``_learn(rows)``
        Learn from rows, and set ``base_``, the logit where nothing is known.
    ``_logits(matrix) -> float64 (n,)``
        Judge rows, higher is better.
    ``_shares(matrix) -> float64 (n, n_columns)``
        What each column added; a row's shares and ``base_`` add up to its logit.

    Columns, calibration, explanations and the stage itself are made here. The columns are what each
    source said (``NAME_score``, ``NAME_rank``, and of all together ``fused`` and ``sources``), the
    features as of the moment, and numbers and flags of the catalogue and the customers
    (``user_NAME``); those that said the same in all lessons are left out. In a `Pipeline` lessons
    come from the log: the candidate models are fitted on its earlier part, the later part is lived
    through, and at some of its moments the visitor is asked for, just before she takes something.

    Parameters
    ----------
    features : Features, or list of Feature or (name, feature) pairs, optional
        By default those that the log and the catalogue can tell something by; none for an empty
        list, and where events have no times.
    monotone : mapping from a column to 1 or -1, optional
        More (1) or less (-1) of it never makes an item worse.
    calibration : {"platt", "isotonic"}
        How scores become probabilities, on lessons that were held out.
    position_bias : bool, ExaminationModel or None
        Learn what is wished for, not what is clicked: for lessons from impressions. True stands
        for ``ExaminationModel()``.
    target : list of event types, optional
        What counts as taken; by default every kind of positive weight.
    seen : "drop", "keep" or a list of event types
        As in the `recommend` calls to come.
    share : float, above 0 and below 1
        How much of the log, the latest events, is lived through.
    requests : int, at least 1
        How many moments are made lessons of, at most.
    negatives : int, at least 1
        How many candidates per moment that were not taken, at most; they are drawn.
    random_state : int, RandomState or None

    Attributes
    ----------
    columns_ : Columns
        See ``columns_.names_``.
    examination_ : ExaminationModel or None
        Of ``position_bias``.
    importances_ : dict from column to float
        Mean absolute share of the logit over the lessons.
    counts_ : dict from str to int
        Of the lessons: requests, rows, taken, and what was left out.
    untaught_ : str
        Why there were no lessons, empty where there were: the stage then changes nothing.

    Examples
    --------
    Each column counts as much as it and the labels vary together:

    >>> class Together(Ranker):
    ...     def _learn(self, rows):
    ...         known = np.nan_to_num(rows.matrix)
    ...         self.means_, self.scales_ = known.mean(axis=0), known.std(axis=0)
    ...         self.slopes_ = (rows.labels - rows.labels.mean()) @ self._even(rows.matrix)
    ...         self.base_ = 0.0
    ...     def _even(self, matrix):
    ...         return (np.nan_to_num(matrix) - self.means_) / self.scales_
    ...     def _shares(self, matrix):
    ...         return self._even(matrix) * self.slopes_
    ...     def _logits(self, matrix):
    ...         return self._shares(matrix).sum(axis=1)
    >>> from recopersona import ItemKNN, Pipeline, synthetic_shop
    >>> shop = synthetic_shop(300, 60, random_state=7)
    >>> stage = Together(features=[], requests=100)
    >>> home = Pipeline(candidates=[ItemKNN()], ranker=stage).fit(shop)
    >>> home.ranker_.importances.index[0]
    'fused'
    """

    features: Any = param(FEATURES, default=None)
    monotone: Mapping[str, int] | None = param(DIRECTIONS, default=None)
    calibration: str = param(one_of("platt", "isotonic"), default="platt")
    position_bias: bool | ExaminationModel | None = param(BIAS, default=None)
    target: Sequence[str] | None = param(KINDS, default=None)
    seen: str | Sequence[str] = param(SEEN, default="drop")
    share: float = param(
        Bound("a number between 0 and 1, both excluded", lambda value: 0 < value < 1), default=0.2
    )
    requests: int = param(whole(at_least=1), default=4_000)
    negatives: int = param(whole(at_least=1), default=50)
    random_state: Any = param(seed(), default=0)

    # -- what a learner writes ---------------------------------------------------------------

    def _learn(self, rows: Rows) -> None:
        self.base_: float
        raise NotImplementedError(f"{type(self).__name__} must write _learn(self, rows).")

    def _logits(self, matrix: Floats) -> NDArray[np.float64]:
        raise NotImplementedError(f"{type(self).__name__} must write _logits(self, matrix).")

    def _shares(self, matrix: Floats) -> NDArray[np.float64]:
        raise NotImplementedError(f"{type(self).__name__} must write _shares(self, matrix).")

    # -- learning ----------------------------------------------------------------------------

    def fit(self, lessons: Lessons, dataset: Dataset) -> Self:
        """Learn from lessons, and forget what was learned before.

        Parameters
        ----------
        lessons : Lessons
            In order of time: the fifth in the middle is held out for calibration.
        dataset : Dataset
            All events, catalogue and customers; every lesson is seen as of its own time. What its
            gate refuses as of now is as if it were not there, lessons of such visitors included.

        Raises
        ------
        DataError
            If nothing, or everything, was taken.
        """
        check_parameters(self)
        given: Any = lessons, dataset
        if not isinstance(given[0], Lessons) or not isinstance(given[1], Dataset):
            raise DataError(
                f"{type(self).__name__}.fit needs Lessons and a Dataset, got "
                f"{type(lessons).__name__} and {type(dataset).__name__}."
            )
        if not dataset.cleared:
            dataset = as_dataset(dataset)
            lessons = _admitted(lessons, dataset.gate)
        self._unfit()
        try:
            self._stand_behind(dataset.gate)
            self._fit(lessons, dataset)
        except BaseException:
            self._unfit()
            raise
        return self

    def _fit(self, lessons: Lessons, dataset: Dataset) -> None:
        taken = int((lessons.labels > 0).sum())
        if not taken or taken == lessons.n_rows:
            raise DataError(
                f"{type(self).__name__} needs candidates that were taken and others that were "
                f"not; of {lessons.n_rows} rows {taken} were taken."
            )
        self.columns_ = Columns(features=self.features)
        matrix = self.columns_.fit(lessons, dataset)
        names = tuple(self.columns_.names_)
        self._directions(names)  # first of all: what it refuses costs no learning
        rows = Rows(
            matrix, names, lessons.labels, lessons.weights, lessons.bounds, lessons.positions
        )
        self.examination_, rows = unbiased(rows, self.position_bias)
        self.calibration_ = self._calibrated(rows)
        # Whom to put before whom is learned best from what was drawn, as it was drawn, and of all
        # requests alike; the weights say what share is taken, which is what calibration asks.
        self._learn(rows.evened())
        self._note(rows)
        self.counts_ = {
            **lessons.counts, "requests": len(lessons), "rows": lessons.n_rows, "taken": taken,
        }  # fmt: skip
        self.untaught_ = ""

    def _calibrated(self, rows: Rows) -> Calibration:
        """Learn from some of the lessons how sure one may be on those in their middle.

        The log ends soon after the latest moments, so that less is taken from them on, and more
        from the first ones on: neither says how much it is on average.
        """
        n = len(rows.bounds) - 1
        n_held = round(_HELD_OUT * n)
        start = (n - n_held) // 2
        rest = rows.without_requests(start, start + n_held)
        held = rows.of_requests(start, start + n_held)
        if n < _FEWEST or not _both(rest.labels) or not _both(held.labels):
            return Calibration().fit(np.empty(0), np.empty(0), np.empty(0))
        self._learn(rest.evened())
        logits = self._logits(held.matrix)
        calibration = Calibration(kind=self.calibration)
        return calibration.fit(logits, held.labels.astype(np.float64), held.weights)

    def _note(self, rows: Rows) -> None:
        """Remember which columns matter, measured on some of the lessons."""
        some = np.unique(np.linspace(0, len(rows.labels) - 1, _LOOKED_AT).astype(np.int64))
        weights = rows.weights[some].astype(np.float64)
        shares = np.abs(self._shares(rows.matrix[some])) * (weights / weights.sum())[:, None]
        self.importances_ = dict(zip(rows.names, shares.sum(axis=0).tolist(), strict=True))

    def _directions(self, names: Sequence[str]) -> NDArray[np.int8]:
        """Return, per column, 1, -1 or 0: how the answer may depend on it.

        Raises
        ------
        ParameterError
            If a column is not there, or its direction is neither.
        """
        directions = np.zeros(len(names), np.int8)
        places = {name: place for place, name in enumerate(names)}
        for name, direction in (self.monotone or {}).items():
            if name in self.columns_.constant_:
                continue
            if name not in places:
                owner = type(self).__name__
                raise ParameterError(
                    f"{owner}: monotone names {name!r}, which is no column{hint(name, names)}"
                )
            if isinstance(direction, bool) or direction not in (1, -1, 0):
                check(direction, one_of("1", "-1"), type(self).__name__, f"monotone[{name!r}]")
            directions[places[name]] = direction
        return directions

    def leave_untaught(self, why: str, counts: Mapping[str, int]) -> Self:
        """Be a stage that changes nothing, as there was nothing to learn from, and say why."""
        self._unfit()
        self.untaught_, self.counts_ = why, dict(counts)
        return self

    # -- judging -----------------------------------------------------------------------------

    def __call__(self, query: Query, ranking: Ranking) -> Ranking:
        """Return the ranking in the order of the probabilities, which become its scores."""
        self._check_fitted()
        if self.untaught_ or not len(ranking):
            return ranking
        query = self._asked(query)
        matrix = self.columns_.of(query, ranking)
        judged = ranking._with(evidence=matrix, judge=self)
        logits = self._logits(matrix)
        # Probabilities are kept in float32, where two that differ may be equal.
        order = np.lexsort((ranking.items, -logits))
        return judged._taken(order, self.calibration_.of(logits).astype(np.float32))

    def probabilities(self, query: Query, ranking: Ranking) -> NDArray[np.float64]:
        """Return the probability of each candidate to be taken, float64 (n,).

        It is that of the lessons: of a moment at which she takes something that was found, and of
        all that she takes from then on until the log ends, on average over their moments.
        """
        self._require_taught()
        matrix = self.columns_.of(self._asked(query), ranking)
        return self.calibration_.of(self._logits(matrix))

    def explain(self, query: Query, ranking: Ranking, item_id: Id) -> pd.DataFrame:
        """Return what each column of one candidate is, and what it added to the probability.

        Returns
        -------
        DataFrame with columns ``column, value, contribution``, largest first. The contributions
        and the probability where nothing is known (the row ``"base"``) add up to the item's.

        Raises
        ------
        DataError
            If the ranking does not hold the item.
        """
        self._require_taught()
        place = np.flatnonzero(ranking.items == ranking.ids.index(item_id))
        if not len(place):
            raise DataError(f"the ranking does not hold {item_id!r}; see ranking.item_ids.")
        evidence = self.columns_.of(self._asked(query), ranking)[place[0]]
        names, contributions = zip(*self.reasons(evidence), strict=True)
        values = np.append(evidence, np.nan)
        frame = pd.DataFrame({"column": names, "value": values, "contribution": contributions})
        order = np.argsort(-frame["contribution"].abs().to_numpy(), kind="stable")
        return frame.take(order).reset_index(drop=True)

    def reasons(self, evidence: Floats) -> list[tuple[str, float]]:
        r"""Return (column, contribution) rows that add up to one item's probability.

        With logit :math:`z = z_0 + \sum_j s_j` and probability :math:`p(z)`, column j contributed

        .. math:: s_j \cdot \frac{p(z) - p(z_0)}{z - z_0}

        and the last row, ``"base"``, is :math:`p(z_0)`.
        """
        shares = self._shares(evidence[None, :])[0]
        base, total = self.base_, self.base_ + float(shares.sum())
        low, high = self.calibration_.of(np.array([base, total])).tolist()
        slope = (high - low) / (total - base) if total != base else 0.0
        told = zip(self.columns_.names_, (shares * slope).tolist(), strict=True)
        return [*told, ("base", low if total != base else high)]

    @property
    def importances(self) -> pd.Series:
        """Mean absolute shares of the logit by column, the largest first."""
        self._require_taught()
        return pd.Series(self.importances_, name="importance").sort_values(
            ascending=False, kind="stable"
        )

    def _require_taught(self) -> None:
        self._check_fitted()
        if self.untaught_:
            raise DataError(f"this {type(self).__name__} had nothing to learn from: "
                            f"{self.untaught_}")  # fmt: skip

    # -- what comes later --------------------------------------------------------------------

    def take_in(self, rows: Interactions, model: OnlineRecommender) -> None:
        """Let features see events that came and passed, numbered as the model numbers them."""
        if not self.untaught_:
            self.columns_.take_in(rows, model)

    def update_items(self, frame: Any) -> None:
        """Take in new or changed rows of the catalogue."""
        if not self.untaught_:
            self.columns_.update_items(frame)

    def update_users(self, frame: Any) -> None:
        """Take in new or changed rows of the customers."""
        if not self.untaught_:
            self.columns_.update_users(self._admitted(frame))

    def held_of(self, user_ids: Iterable[Id]) -> dict[str, Any]:
        """Return everything that is held of some users, ready for JSON; see `Recommender`."""
        self._check_fitted()
        return {} if self.untaught_ else self.columns_.held_of(listed(user_ids, "held_of"))

    def forget(self, user_ids: Sequence[Id]) -> None:
        """Drop everything known of some users; what they taught stays until the next fit.

        A pipeline names that in its ``stale_``.
        """
        if not self.untaught_:
            self.columns_.forget(user_ids)

    def _check_learned(self) -> None:
        held: Any = vars(self)
        check(self.gated_, switch(), type(self).__name__, "gated_")
        counts = held.get("counts_")
        if not isinstance(held.get("untaught_"), str) or not isinstance(counts, dict):
            raise DataError(f"{type(self).__name__}: what was learned is not what it should be.")
        if self.untaught_:
            return
        importances = held.get("importances_")
        whole_parts = (
            isinstance(held.get("columns_"), Columns)
            and isinstance(held.get("calibration_"), Calibration)
            and isinstance(held.get("examination_"), ExaminationModel | None)
            and isinstance(importances, dict)
            and list(importances) == self.columns_.names_
            and all(map(is_number, importances.values()))
        )
        if not whole_parts:
            raise DataError(f"{type(self).__name__}: what was learned is not what it should be.")
        check(held.get("base_"), real(), type(self).__name__, "base_")


_LOOKED_AT = 2_000


def _admitted(lessons: Lessons, gate: EventGate | None) -> Lessons:
    """Return the lessons of visitors whom a gate admits."""
    if gate is None:
        return lessons
    who = pd.DataFrame(
        {"user_id": pd.Series([one.user_id for one in lessons.queries], dtype=object)}
    )
    if all(one.now is not None for one in lessons.queries):
        who["timestamp"] = from_ms(np.array([one.now for one in lessons.queries], np.int64))
    kept = np.zeros(len(lessons), np.bool_)
    kept[gate.kept(who).index] = True
    return lessons if kept.all() else lessons.of_requests(kept)


def _both(labels: Array) -> bool:
    return bool((labels > 0).any() and (labels <= 0).any())
