"""Order by what a page is expected to earn, not by what is clicked most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from recopersona.base.online import OnlineRecommender
from recopersona.base.parameters import Bound, check, optional, param, real, switch
from recopersona.base.several import listed
from recopersona.data.dataset import Dataset
from recopersona.data.feature_table import NumberColumn
from recopersona.data.gate import EventGate
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Floats, Id, Values
from recopersona.errors import ColumnError, DataError, hint
from recopersona.rankers.lessons import Lessons
from recopersona.rankers.neural import NeuralRanker
from recopersona.rankers.ranker import Ranker

STEP = optional(Bound("a ranker", lambda value: isinstance(value, Ranker)))
_SMALLEST = 1e-9
_PARTS = ("click", "buy", "margin")


class ExpectedRevenue(Ranker):
    r"""A stage that orders by what each candidate is expected to earn.

    .. math:: s_i = P(click_i) \, P(buy_i \mid click_i) \, m_i^{exponent}

    One ranker learns from all lessons what is clicked (or taken in any other way), one from the
    clicked rows what is bought then, each with calibrated probabilities. An ``exponent`` below 1
    trades earnings for accuracy: see `value_tradeoff`.

    Parameters
    ----------
    click, buy : Ranker, optional
        `NeuralRanker` where nothing is said, for ``buy`` with ``listwise=0``, and with the
        ``calibration`` of this stage. ``features``, ``monotone`` and ``position_bias`` go to those
        that say nothing of their own (``position_bias`` to ``click`` only).
    margin : str
        The item column of what a sale earns. Where it is not known, the median counts; where it is
        below 0, nothing is earned.
    exponent : float, at least 0 and at most 1
        What the margin counts; at 0 only the chance of a sale does.
    target, seen, share, requests, negatives, random_state, features, monotone, position_bias, \
    calibration
        See `Ranker`.

    Attributes
    ----------
    click_, buy_ : Ranker
        Where nothing clicked tells what is bought, ``buy_.untaught_`` says so, and ``buy_rate_``
        stands for all.
    buy_rate_ : float
        The share of clicked rows that were bought.
    margin_ : float
        The median margin of the catalogue.
    counts_ : dict from str to int
        Of the lessons; ``bought``, and of the catalogue ``items_without_margin`` and
        ``items_below_0``.

    References
    ----------
    Ma et al. (2018), "Entire space multi-task model", section 2, for the two steps.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.models.neighbors import ItemKNN
    >>> from recopersona.pipeline.pipeline import Pipeline
    >>> shop = synthetic_shop(300, 60, random_state=7)
    >>> stage = ExpectedRevenue(margin="price", requests=200)
    >>> home = Pipeline(candidates=[ItemKNN()], ranker=stage).fit(shop)
    >>> ranking = home.recommend(shop.users.ids[0])
    >>> sorted(ranking.explain(ranking[0])["component"])
    ['base', 'buy', 'click', 'margin']
    """

    click: Ranker | None = param(STEP, default=None)
    buy: Ranker | None = param(STEP, default=None)
    margin: str = param(Bound("a column's name", lambda value: isinstance(value, str)),
                        default="margin")  # fmt: skip
    exponent: float = param(real(at_least=0, at_most=1), default=1.0)

    # -- learning ----------------------------------------------------------------------------

    def _fit(self, lessons: Lessons, dataset: Dataset) -> None:
        if lessons.bought is None:
            raise DataError(
                "ExpectedRevenue needs to know what was bought: lessons with bought=, or a log "
                "with purchases."
            )
        self._note_margins(dataset)
        own: Any = {"calibration": self.calibration, "random_state": self.random_state}
        click = self.click or NeuralRanker(**own)
        self.click_ = self._step(click, self.position_bias).fit(lessons, dataset)
        after = lessons.after_click()
        n_bought, n_clicked = int((after.labels > 0).sum()), after.n_rows
        self.buy_rate_ = float(after.labels.mean(dtype=np.float64)) if n_clicked else 0.0
        buy = self.buy or NeuralRanker(**own, listwise=0.0)
        self.buy_ = self._step(buy, None)
        if 0 < n_bought < n_clicked:
            self.buy_.fit(after, dataset)
        else:
            why = f"of {n_clicked} clicked rows {n_bought} were bought"
            self.buy_.leave_untaught(why, lessons.counts)
        self.counts_ |= {**self.click_.counts_, "bought": n_bought}
        self.importances_ = {
            f"{name}: {column}": value
            for name, step in (("click", self.click_), ("buy", self.buy_))
            for column, value in getattr(step, "importances_", {}).items()
        }
        taken = np.average(lessons.labels > 0, weights=lessons.weights)
        self.usual_ = [float(taken), self.buy_rate_]
        self.untaught_ = ""

    def _step(self, given: Ranker, bias: Any) -> Ranker:
        """Return one of the two rankers, unfitted, with what it leaves to this stage."""
        step: Ranker = clone(given)
        said = {"features": self.features, "monotone": self.monotone, "position_bias": bias}
        step.set_params(
            **{name: value for name, value in said.items() if getattr(step, name) is None}
        )
        return step

    def _note_margins(self, dataset: Dataset) -> None:
        table = dataset.item_features
        if self.margin not in table:
            raise ColumnError(
                f"ExpectedRevenue needs an item column {self.margin!r}"
                f"{hint(self.margin, table.names)}"
            )
        column = table.column(self.margin)
        if not isinstance(column, NumberColumn):
            raise ColumnError(
                f"ExpectedRevenue needs numbers in the item column {self.margin!r}, got "
                f"{column.kind} values."
            )
        known = column.values[~np.isnan(column.values)]
        if not len(known):
            raise DataError(f"no item has a value in the column {self.margin!r}.")
        self.margin_ = float(max(np.median(known), 0.0))
        self.counts_ = {
            "items_without_margin": len(dataset.items) - len(known),
            "items_below_0": int((known < 0).sum()),
        }

    # -- judging -----------------------------------------------------------------------------

    def __call__(self, query: Query, ranking: Ranking) -> Ranking:
        """Return the ranking in the order of what each candidate is expected to earn."""
        self._check_fitted()
        if self.untaught_ or not len(ranking):
            return ranking
        evidence = self._evidence(query, ranking)
        judged = replace(ranking, evidence=evidence.astype(np.float32), judge=self)
        return judged.rescored(self._worth(evidence))

    def probabilities(self, query: Query, ranking: Ranking) -> Values:
        """Return the probability of each candidate to be bought, float64 (n,)."""
        self._require_taught()
        found: Values = self._evidence(query, ranking)[:, :2].prod(axis=1)
        return found

    def explain(self, query: Query, ranking: Ranking, item_id: Id) -> pd.DataFrame:
        """Return the two probabilities and the margin of one candidate, and what each added.

        Returns
        -------
        DataFrame with columns ``column, value, contribution``; the contributions and what is
        earned where all is as usual (the row ``"base"``) add up to what it is expected to earn.
        """
        self._require_taught()
        place = np.flatnonzero(ranking.items == ranking.ids.index(item_id))
        if not len(place):
            raise DataError(f"the ranking does not hold {item_id!r}; see ranking.item_ids.")
        evidence = self._evidence(query, ranking)[place[0]]
        names, contributions = zip(*self.reasons(evidence), strict=True)
        values = np.append(evidence, np.nan)
        return pd.DataFrame({"column": names, "value": values, "contribution": contributions})

    def reasons(self, evidence: Floats) -> list[tuple[str, float]]:
        r"""Return (component, contribution) rows that add up to what an item is to earn.

        With factors :math:`f_j`, the usual ones :math:`g_j`, and products s and r of these,
        factor j contributed

        .. math:: \ln(f_j / g_j) \cdot \frac{s - r}{\ln s - \ln r}

        and the last row, ``"base"``, is r.
        """
        factors = np.maximum(self._factors(np.asarray(evidence, np.float64)[None])[0], _SMALLEST)
        usual = np.maximum(self._factors(np.array([[*self.usual_, self.margin_]]))[0], _SMALLEST)
        moves = np.log(factors / usual)
        worth, base = float(factors.prod()), float(usual.prod())
        total = float(moves.sum())
        slope = (worth - base) / total if abs(total) > _SMALLEST else worth
        return [*zip(_PARTS, (moves * slope).tolist(), strict=True), ("base", base)]

    def _evidence(self, query: Query, ranking: Ranking) -> Values:
        """Return both probabilities and the margin of each candidate, float64 (n, 3)."""
        found = np.empty((len(ranking), 3))
        found[:, 0] = self.click_.probabilities(query, ranking)
        found[:, 1] = self.buy_rate_
        if not self.buy_.untaught_:
            found[:, 1] = self.buy_.probabilities(query, ranking)
        table = self.click_.columns_.item_features_
        items = table.ids.indices(ranking.ids.ids[ranking.items])
        values: Any = table.column(self.margin)
        margins = values.values[np.maximum(items, 0)]
        found[:, 2] = np.where((items < 0) | np.isnan(margins), self.margin_, margins)
        return found

    def _factors(self, evidence: Values) -> Values:
        factors = evidence.copy()
        factors[:, 2] = np.maximum(evidence[:, 2], 0) ** self.exponent
        return factors

    def _worth(self, evidence: Values) -> Values:
        worth: Values = self._factors(evidence).prod(axis=1)
        return worth

    # -- what comes later --------------------------------------------------------------------

    @property
    def _taught_steps(self) -> list[Ranker]:
        steps = [] if self.untaught_ else [self.click_, self.buy_]
        return [step for step in steps if not step.untaught_]

    def _stand_behind(self, gate: EventGate | None) -> None:
        super()._stand_behind(gate)
        for name in ("click_", "buy_"):
            if name in vars(self):
                vars(self)[name]._stand_behind(gate)

    def take_in(self, rows: Interactions, model: OnlineRecommender) -> None:
        for step in self._taught_steps:
            step.take_in(rows, model)

    def update_items(self, frame: Any) -> None:
        for step in self._taught_steps:
            step.update_items(frame)

    def update_users(self, frame: Any) -> None:
        for step in self._taught_steps:
            step.update_users(frame)

    def held_of(self, user_ids: Iterable[Id]) -> dict[str, Any]:
        """Return everything that both steps hold of some users, ready for JSON."""
        self._check_fitted()
        ids = listed(user_ids, "held_of")
        told = [step.held_of(ids) for step in self._taught_steps]
        return {"steps": told} if any(told) else {}

    def forget(self, user_ids: Sequence[Id]) -> None:
        for step in self._taught_steps:
            step.forget(user_ids)

    def _check_learned(self) -> None:
        held: Any = vars(self)
        check(self.gated_, switch(), "ExpectedRevenue", "gated_")
        if not isinstance(held.get("untaught_"), str) or not isinstance(held.get("counts_"), dict):
            raise DataError("ExpectedRevenue: what was learned is not what it should be.")
        if self.untaught_:
            return
        steps = held.get("click_"), held.get("buy_")
        usual = held.get("usual_")
        if not all(isinstance(step, Ranker) for step in steps) or not isinstance(usual, list):
            raise DataError("ExpectedRevenue: what was learned is not what it should be.")
        for value in (*usual, held.get("buy_rate_"), held.get("margin_")):
            check(value, real(at_least=0), "ExpectedRevenue", "what was learned")
        if len(usual) != 2 or self.click_.untaught_:
            raise DataError("ExpectedRevenue: what was learned is not what it should be.")
        column = self.click_.columns_.item_features_.columns.get(self.margin)
        if not isinstance(column, NumberColumn) or not len(column):
            raise DataError(f"ExpectedRevenue: its catalogue has no numbers {self.margin!r}.")
