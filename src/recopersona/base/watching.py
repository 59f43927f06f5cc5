"""Watching a fit: how good the model is after each pass, when to stop, and which pass to keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from recopersona.base.asking import Told
from recopersona.base.parameters import check, optional, whole
from recopersona.base.part import is_learned
from recopersona.base.progress import progress
from recopersona.base.searching import is_number
from recopersona.data.dataset import Dataset
from recopersona.errors import DataError, ParameterError

if TYPE_CHECKING:
    from recopersona.base.recommender import Recommender


@dataclass(frozen=True)
class Watch:
    """How a model is watched while it is fitted; what ``fit(validation=)`` takes for full control.

    Parameters
    ----------
    measure : callable from the model to a number
        Called after a pass; the model answers as it would if the fit ended there.
    metric : str
        What the number is called in ``history_``.
    every : int, at least 1
        Measure after every so many passes; the last is always measured.
    patience : int, at least 1, optional
        So many measurements in a row without a better value end the fit, and the model goes back
        to its best pass.
    told : callable from the number of the pass, from 1, and the value to nothing, optional
        What it raises ends the fit, and leaves the model unfitted: a way to prune a search.
    less_is_better : bool

    Examples
    --------
    >>> import numpy as np
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.models.als import ALS
    >>> shop = synthetic_shop(200, 50, random_state=7)
    >>> late = np.arange(len(shop.log)) > 0.8 * len(shop.log)
    >>> watch = Watch(lambda model: model.score(shop.take(late)), metric="score", every=2)
    >>> model = ALS(factors=8, iterations=3).fit(shop.take(~late), validation=watch)
    >>> model.history_["score"].notna().tolist()
    [False, True, True]
    """

    measure: Callable[[Any], float]
    metric: str = "value"
    every: int = 1
    patience: int | None = None
    told: Callable[[int, float], None] | None = None
    less_is_better: bool = False

    def __post_init__(self) -> None:
        if not callable(self.measure):
            raise ParameterError(
                f"Watch: measure must be a function of the model, got {self.measure!r}."
            )
        check(self.every, whole(at_least=1), "Watch", "every")
        check(self.patience, optional(whole(at_least=1)), "Watch", "patience")

    def is_due(self, number: int, n: int) -> bool:
        """Tell whether to measure after a pass, the ``number``-th of ``n``."""
        return number % self.every == 0 or number == n


class Validation(NamedTuple):
    """Held-out interactions, and what is told of users when they are asked about."""

    held_out: Dataset
    told: Told | None = None


def asked_to_watch(validation: Any, patience: int | None, owner: str) -> Watch | Validation | None:
    """Return what ``fit`` was asked to watch: nothing, held-out interactions, or in its own way.

    Raises
    ------
    ParameterError
        If ``patience`` is out of its bounds, or there is nothing to be patient about.
    DataError
        If held-out events cannot be read.
    """
    check(patience, optional(whole(at_least=1)), f"{owner}.fit", "patience")
    if validation is None:
        if patience is not None:
            raise ParameterError(
                f"{owner}.fit: patience={patience} needs something to watch; write "
                f"fit(train, validation=held_out, patience={patience})."
            )
        return None
    if isinstance(validation, Watch):
        return validation if patience is None else replace(validation, patience=patience)
    held_out = getattr(validation, "test", None)
    if isinstance(held_out, Dataset):  # a split, which is made further up
        return Validation(held_out, getattr(validation, "told", None))
    if isinstance(validation, Dataset):
        return Validation(validation)
    return Validation(Dataset.from_frames(validation))


class Watching:
    """One fit as it goes on: walks the passes, measures after them, and goes back to the best.

    Without a watch it walks, and publishes once at the end: nothing else is done.
    """

    def __init__(self, model: Recommender, watch: Watch | None) -> None:
        self.model, self.watch = model, watch
        self._rows = model.passes_
        self._begun = {name: value for name, value in vars(model).items() if is_learned(name)}
        self._best: tuple[float, dict[str, Any]] | None = None
        self._waited = 0

    def passes(self, n: int, publish: Callable[[], None]) -> Iterator[int]:
        """Walk the numbers of ``n`` passes; ``publish`` makes what was learned so far answer."""
        published = False
        for number in progress(range(n), type(self.model).__name__):
            self._rows.append({"iteration": number + 1})
            yield number
            published = False
            if self.watch is not None and self.watch.is_due(number + 1, n):
                publish()
                self.model._prepare()
                published = True
                if self._is_enough(self.watch):
                    break
        if not published:
            publish()
        if self._best is not None:
            self.model.__dict__.update(self._best[1])

    def finish(self) -> None:
        """Measure a model that has no passes once."""
        watch = self.watch
        if watch is not None and not any(watch.metric in row for row in self._rows):
            self._rows.append({"iteration": 1})
            self._measured(watch)

    def _is_enough(self, watch: Watch) -> bool:
        """Measure; remember the best; tell whether patience is at its end."""
        value = self._measured(watch)
        if watch.patience is None:
            return False
        if self._best is None or value > self._best[0]:
            self._best, self._waited = (value, self._learned()), 0
        else:
            self._waited += 1
        return self._waited >= watch.patience

    def _measured(self, watch: Watch) -> float:
        """Measure the model and tell of it; of what is returned, more is better."""
        row = self._rows[-1]
        value = float(watch.measure(self.model))
        if not math.isfinite(value):
            raise DataError(
                f"{type(self.model).__name__}.fit: {watch.metric} must be a finite number to be "
                f"watched, got {value} after pass {int(row['iteration'])}."
            )
        row[watch.metric] = value
        if watch.told is not None:
            watch.told(int(row["iteration"]), value)
        return -value if watch.less_is_better else value

    def _learned(self) -> dict[str, Any]:
        """Copy what was learned since the fit began."""
        since = {
            name: value
            for name, value in vars(self.model).items()
            if is_learned(name) and name not in self._begun
        }
        # Ids, past and attributes are as they were when the fit began: nobody copies them.
        shared = {id(value): value for value in self._begun.values()}
        copied: dict[str, Any] = deepcopy(since, shared)
        return copied


def require_passes(passes: Any, owner: str) -> None:
    """Refuse a history from a file that is none."""
    rows = passes if isinstance(passes, list) else [None]
    if not all(isinstance(row, dict) and all(map(is_number, row.values())) for row in rows):
        raise DataError(f"{owner}: passes_ must be a list of numbers by name.")
