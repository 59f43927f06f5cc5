"""How quality moves: with the amount of training data, and with a parameter."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from recopersona.base.parameters import Bound, check, generator
from recopersona.base.progress import progress as with_bar
from recopersona.base.recommender import Recommender
from recopersona.data.dataset import Dataset
from recopersona.data.types import Array, Id
from recopersona.errors import ParameterError, hint
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.curve_points import Question, on_test, on_training
from recopersona.evaluation.metrics import less_is_better
from recopersona.evaluation.splits import Split

SIZES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Shares of the training events that a learning curve is drawn through."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Quality on what was held out and on what was learned, point by point; `rp.plot` draws it.

    Attributes
    ----------
    model, metric, parameter, split : str
        Of which model, by which metric, such as ``"ndcg@10"``, against what, and where it was
        tested.
    table : DataFrame
        A row per point, by the value of ``parameter``: the metric on the test part with its
        bootstrap interval (``ndcg@10``, ``ndcg@10 low``, ``ndcg@10 high``), the same on what was
        learned (``train ndcg@10`` ...), ``events`` learned from, and ``fit_s``, seconds of the fit.
    counts : dict
        Users asked about in each part.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.models.popularity import Popularity
    >>> curve = learning_curve(Popularity(), synthetic_shop(100, 30, random_state=7), sizes=[1.0])
    >>> isinstance(curve, Curve), curve.metric, curve.best, curve.table.shape
    (True, 'ndcg@10', 1.0, (1, 8))
    """

    model: str
    metric: str
    parameter: str
    split: str
    table: pd.DataFrame
    counts: dict[str, int]

    @property
    def best(self) -> Any:
        """The point with the best test score; of equal ones the first."""
        scores = self._sign * self.table[self.metric].to_numpy()
        points: list[Any] = self.table.index.tolist()
        return None if np.isnan(scores).all() else points[int(np.nanargmax(scores))]

    @property
    def overfit(self) -> pd.Series:
        """How much better the model is on what it learned than on what it did not, by point."""
        gap = self._sign * (self.table[f"train {self.metric}"] - self.table[self.metric])
        return gap.rename("overfit")

    @property
    def _sign(self) -> int:
        return -1 if less_is_better(self.metric) else 1

    def __repr__(self) -> str:
        shown = self.table[[f"train {self.metric}", self.metric, "events", "fit_s"]]
        return (
            f"{self.metric} of {self.model} by {self.parameter} ({self.split}); "
            f"best at {self.best!r}\n{shown.round(4).to_string()}"
        )

    def _repr_html_(self) -> str:
        return self.table.round(4).to_html()


def learning_curve(
    model: Recommender,
    data: Dataset | Split,
    *,
    sizes: Iterable[float] = SIZES,
    metric: str = "ndcg",
    k: int = 10,
    seen: str | Iterable[str] = "drop",
    users: int = 2_000,
    confidence: float = 0.95,
    n_boot: int = 1_000,
    random_state: Any = 0,
    progress: bool = True,
) -> Curve:
    """Measure a model that learned from the latest 10 %, 25 %, ... of the training events.

    Would more data help, would an older log hurt, and how do the seconds grow? What is tested is
    the same at every size: what the whole training part saw a user with is neither recommended nor
    to be found.

    Parameters
    ----------
    model : Recommender
        Clones are fitted.
    data : Dataset or Split
        Of a dataset, the last fifth of the events is tested on; without times, a random fifth of
        each user's items.
    sizes : iterable of float, above 0 and at most 1
        Shares of the training events: the latest ones, so that more is further back; without
        times, drawn at random, each share within the larger ones.
    metric : str
        One with a value per user, such as ``"ndcg"`` or ``"recall@20"``.
    k : int, at least 1
        Length of the lists.
    seen : "drop", "keep" or a list of event types
        As in `Recommender.recommend`.
    users : int, at least 1
        So many users, drawn at random, are asked about what was learned.
    confidence, n_boot : float, int
        Of the bootstrap intervals.
    random_state : int, RandomState or None
        Of whatever is drawn.
    progress : bool
        Show a bar where that is a terminal, once a second has passed.

    Returns
    -------
    Curve
        Of the shares in ascending order. The score on what was learned is that of lists from which
        nothing is left out: how far learned items come first.

    Raises
    ------
    ParameterError, DataError
        If an argument is out of its bounds, or nothing can be held out.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.models.neighbors import ItemKNN
    >>> shop = synthetic_shop(300, 80, random_state=7)
    >>> curve = learning_curve(ItemKNN(k=20), shop, sizes=[0.1, 1.0])
    >>> bool(curve.table["ndcg@10"][0.1] < curve.table["ndcg@10"][1.0])
    True
    >>> curve.table["events"].is_monotonic_increasing
    True
    """
    _require_model(model, "learning_curve")
    resampling = Resampling.checked("learning_curve", confidence, n_boot, random_state)
    shares = _listed(sizes, "learning_curve", "sizes")
    for share in shares:
        check(share, _SIZE, "learning_curve", "sizes")
    test = Question.of("learning_curve", data, metric, k, seen, users, random_state)
    order = _latest_first(test.split.train, random_state)

    def point(share: float) -> tuple[Recommender, Dataset]:
        rows = np.zeros(len(order), np.bool_)
        rows[order[: max(1, round(share * len(order)))]] = True
        return clone(model), test.split.train.take(rows)

    name = "share of the events"
    return _curve(model, name, sorted(set(shares)), point, test, resampling, progress)


def validation_curve(
    model: Recommender,
    data: Dataset | Split,
    parameter: str,
    values: Iterable[Any],
    *,
    metric: str = "ndcg",
    k: int = 10,
    seen: str | Iterable[str] = "drop",
    users: int = 2_000,
    confidence: float = 0.95,
    n_boot: int = 1_000,
    random_state: Any = 0,
    progress: bool = True,
) -> Curve:
    """Measure a model at several values of one parameter: on what it learned, and on the rest.

    Where the score on what was learned goes on rising and the other falls, the model learns the
    noise.

    Parameters
    ----------
    model : Recommender
        Clones are fitted.
    data : Dataset or Split
        As in `learning_curve`. Values chosen by the curve are chosen on its test part: give it a
        part of the training data.
    parameter : str
        Its name, such as ``"factors"``, or ``"als__factors"`` inside a pipeline or a blend.
    values : iterable
        What it is set to, in this order.
    metric, k, seen, users, confidence, n_boot, random_state, progress
        As in `learning_curve`.

    Returns
    -------
    Curve

    Raises
    ------
    ParameterError, DataError
        If the model has no such parameter, an argument is out of its bounds, or nothing can be
        held out.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.models.als import ALS
    >>> shop = synthetic_shop(200, 60, random_state=7)
    >>> curve = validation_curve(ALS(), shop, "factors", [2, 32])
    >>> bool(curve.overfit[32] > curve.overfit[2]), curve.best in (2, 32)
    (True, True)
    """
    _require_model(model, "validation_curve")
    known = model.get_params()
    if parameter not in known:
        raise ParameterError(
            f"validation_curve: {type(model).__name__} has no parameter "
            f"{parameter!r}{hint(parameter, list(known))}"
        )
    resampling = Resampling.checked("validation_curve", confidence, n_boot, random_state)
    tried = _listed(values, "validation_curve", "values")
    test = Question.of("validation_curve", data, metric, k, seen, users, random_state)

    def point(value: Any) -> tuple[Recommender, Dataset]:
        return clone(model).set_params(**{parameter: value}), test.split.train

    return _curve(model, parameter, tried, point, test, resampling, progress)


_SIZE = Bound("shares above 0 and at most 1", lambda value: 0 < value <= 1)


def _curve(
    model: Recommender,
    parameter: str,
    values: Sequence[Any],
    point: Callable[[Any], tuple[Recommender, Dataset]],
    test: Question,
    resampling: Resampling,
    progress: bool,
) -> Curve:
    rows: list[dict[str, float]] = []
    asked = 0
    for value in with_bar(values, "curve", len(values)) if progress else values:
        unfitted, train = point(value)
        try:
            started = perf_counter()
            fitted = unfitted.fit(train)
            seconds = perf_counter() - started
            found = on_test(fitted, test)
            learned = on_training(fitted, train, test)
        except Exception as problem:
            problem.add_note(f"at {parameter} = {value!r}")
            raise
        asked = max(asked, len(learned))
        rows.append({
            **_scored(test.label, found, resampling),
            **_scored(f"train {test.label}", learned, resampling),
            "events": len(train.log), "fit_s": seconds,
        })  # fmt: skip
    index = pd.Index([_as_label(value) for value in values], name=parameter)
    counts = {**test.task.counts, "users_asked_about_training": asked}
    return Curve(
        type(model).__name__, test.label, parameter, test.split.name,
        pd.DataFrame(rows, index=index), counts,
    )  # fmt: skip


def _scored(label: str, values: Array, resampling: Resampling) -> dict[str, float]:
    """Return the mean of some users' values, and its interval."""
    found = resampling.of(values[:, None].astype(np.float64), np.arange(len(values)))
    return {
        label: found.mean.item(),
        f"{label} low": found.low.item(),
        f"{label} high": found.high.item(),
    }


def _latest_first(train: Dataset, random_state: Any) -> Array:
    """Return the rows in the order in which shares take them in."""
    times = train.log.timestamp
    if times is None:
        return generator(random_state).permutation(len(train.log))
    return np.argsort(times, kind="stable")[::-1]


def _require_model(model: Any, owner: str) -> None:
    if not isinstance(model, Recommender):
        fix = f"; write {model.__name__}()" if isinstance(model, type) else ""
        raise ParameterError(f"{owner} needs one recommender, got {model!r}{fix}.")


def _listed(values: Any, owner: str, name: str) -> list[Any]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise ParameterError(f"{owner}: {name} must be a list, got {values!r}; write [{values!r}].")
    found = list(values)
    if not found:
        raise ParameterError(f"{owner}: {name} must have at least one value, got none.")
    return found


def _as_label(value: Any) -> Id | Hashable:
    """Return a value itself where an index can hold it, else as it is written."""
    return value if isinstance(value, (str, int, float, bool, np.number)) else repr(value)
