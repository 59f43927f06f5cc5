"""What parameters are judged by: a part held out of the data, once or several times."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

import numpy as np

from recopersona.base.asking import answers, questions
from recopersona.base.parameters import check, whole
from recopersona.base.recommender import Recommender, as_dataset
from recopersona.data.dataset import Dataset
from recopersona.data.interactions import Interactions
from recopersona.errors import ParameterError, shown
from recopersona.evaluation.metrics import Judged, Known, asked_metrics, less_is_better, measure
from recopersona.evaluation.relevance import relevant_items
from recopersona.evaluation.splits import Split, split_at_random, split_by_time

_SHARE = 0.2  # of the events, or of what is left of them before the fold after


Score = Callable[[Recommender, Split], float]


@dataclass(frozen=True, eq=False)
class Measure:
    """How good a fitted model's lists are on a fold.

    label     the metric's name, of lists with its cut-off
    k         length of the lists
    seen      as in `Recommender.recommend`
    maximize  whether more is better
    score     in place of a metric: a function of the fitted model and the split
    """

    label: str
    k: int
    seen: str | Sequence[str]
    maximize: bool
    score: Score | None = None

    @classmethod
    def of(
        cls, metric: str | Score, k: int, seen: str | Sequence[str], maximize: bool | None = None
    ) -> Measure:
        """Read what a caller calls a metric: its name, with a cut-off or without, or a function."""
        if callable(metric):
            name = getattr(metric, "__name__", type(metric).__name__)
            return cls(name, k, seen, maximize is not False, metric)
        asked = asked_metrics(metric, k)
        if len(asked) > 1:
            names = ", ".join(one.label for one in asked)
            raise ParameterError(f"tune searches by one metric, got {names}.")
        more_is_better = not less_is_better(asked[0].name)
        return cls(
            asked[0].label, asked[0].k, seen, more_is_better if maximize is None else maximize
        )


class Fold:
    """One split, with everything about it that no model changes: it is found out once.

    Parameters
    ----------
    split : Split
    measure : Measure
    """

    def __init__(self, split: Split, measure: Measure) -> None:
        self.split, self._measure = split, measure
        self._task, self._known = relevant_items(split, measure.seen), Known(split.train)

    def value(self, model: Recommender) -> float:
        """Measure a fitted model."""
        asked = self._measure
        if asked.score is not None:
            return float(asked.score(model, self.split))
        queries = questions(model, self._task.user_ids, self.split.told)
        lists = answers(model, queries, asked.k, asked.seen).items
        judged = Judged.of(lists, self.split, self._task, known=self._known)
        return measure(judged, asked.label, asked.k).means[asked.label]


def validation_splits(data: Any, split: Any, folds: int) -> tuple[Dataset, list[Split]]:
    """Return all of the data, and what is held out of it to judge parameters by.

    Parameters
    ----------
    data : Dataset, events frame or Split
        Of a split, parameters are judged by its test part.
    split : Split, list of them, function (dataset) -> those, duration, share or moment, optional
    folds : int, at least 1
    """
    check(folds, whole(at_least=1), "tune", "folds")
    if isinstance(data, Split):
        if split is not None or folds > 1:
            raise ParameterError(
                "tune: a Split says itself what is held out; leave out split and folds, or give "
                "the Dataset it was cut from."
            )
        parts = (
            (data.train, data.test) if data.given is None else (data.train, data.given, data.test)
        )
        return reduce(joined, parts), [data]
    shop = as_dataset(data)
    if split is None or isinstance(split, (str, float, timedelta, datetime)):
        return shop, _cut(shop, split, folds)
    if folds > 1:
        raise ParameterError("tune: folds are those of the split given; leave folds out.")
    made = split(shop) if callable(split) else split
    splits = [made] if isinstance(made, Split) else list(made) if _is_many(made) else []
    if not splits or not all(isinstance(one, Split) for one in splits):
        raise ParameterError(
            "tune: split must be a Split, a list of them, a function from a Dataset to those, or "
            f"what split_by_time takes, such as '28d' or 0.2, got {shown(made)}."
        )
    return shop, splits


def joined(train: Dataset, test: Dataset) -> Dataset:
    """Return the events of both parts as one dataset, training's first."""
    users, items = train.users, train.items
    their_users, their_items = test.log.users, test.log.items
    features = train.user_features, train.item_features
    if test.users is not users or test.items is not items:  # published apart: matched by id
        users, items = users.copy(), items.copy()
        their_users = users.extend(test.users.ids)[their_users]
        their_items = items.extend(test.items.ids)[their_items]
        features = features[0].copy(users), features[1].copy(items)
        features[0].merge(test.user_features)
        features[1].merge(test.item_features)
    theirs = replace(test.log, users=their_users, items=their_items)
    return replace(
        train, log=_appended(train.log, theirs), users=users, items=items,
        user_features=features[0], item_features=features[1],
    )  # fmt: skip


def fingerprint(splits: Iterable[Split]) -> str:
    """Return a few letters that tell one set of splits from another."""
    digest = hashlib.blake2b(digest_size=8)
    for split in splits:
        for part in (split.train, split.test, split.given):
            if part is None:
                continue
            log = part.log
            for column in (log.users, log.items, log.event, log.weight, log.timestamp):
                if column is not None:
                    digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()


def _cut(shop: Dataset, test: Any, folds: int) -> list[Split]:
    """Cut one fold after the other off the end; where there is no time, by user."""
    if shop.log.timestamp is None and test is None:
        return [split_at_random(shop, _SHARE, random_state=fold) for fold in range(folds)]
    splits: list[Split] = []
    for _ in range(folds):
        splits.insert(0, split_by_time(shop, _SHARE if test is None else test))
        shop = splits[0].train
    return splits


def _is_many(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str)


def _appended(first: Interactions, second: Interactions) -> Interactions:
    """Put rows under rows; a column that one lacks is left out."""

    def column(name: str) -> Any:
        parts = getattr(first, name), getattr(second, name)
        return None if any(part is None for part in parts) else np.concatenate(parts)

    return Interactions(
        users=column("users"), items=column("items"), event=column("event"),
        weight=column("weight"), timestamp=column("timestamp"), session=column("session"),
        quantity=column("quantity"),
    )  # fmt: skip
