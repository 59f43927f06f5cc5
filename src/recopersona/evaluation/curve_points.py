"""What every point of a curve is measured on, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recopersona.base.asking import answers, questions
from recopersona.base.lists import Barring
from recopersona.base.parameters import check, generator, seed, whole
from recopersona.base.recommender import Recommender
from recopersona.data.dataset import Dataset
from recopersona.data.event import seen_bits
from recopersona.data.query import Query
from recopersona.data.types import Array, Mask
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.metrics import PER_USER, Judged, asked_metrics, measure
from recopersona.evaluation.relevance import Relevant, relevant_items
from recopersona.evaluation.splits import Split, split_at_random, split_by_time

_TEST = 0.2  # of a dataset that comes uncut


@dataclass(frozen=True, eq=False)
class Question:
    """The users, what each is to find, by which metric; and who is asked about what was learned."""

    split: Split
    task: Relevant
    label: str
    k: int
    seen: str | tuple[str, ...]
    learned_from: Array

    @classmethod
    def of(
        cls, owner: str, data: Any, metric: Any, k: Any, seen: Any, users: Any, random_state: Any
    ) -> Question:
        """Check the arguments of a public function."""
        check(k, whole(at_least=1), owner, "k")
        check(users, whole(at_least=1), owner, "users")
        check(random_state, seed(), owner, "random_state")
        asked = asked_metrics(metric, k)
        if len(asked) != 1 or not asked[0].per_user:
            raise ParameterError(
                f"{owner}: metric must be one that has a value per user, got {metric!r}; "
                f"such are {', '.join(PER_USER)}."
            )
        split = _held_out(data, owner, random_state)
        kinds = seen if isinstance(seen, str) else tuple(seen)
        present = np.unique(split.train.interactions.users)
        some = generator(random_state).permutation(present)[:users]
        task = relevant_items(split, kinds)
        return cls(split, task, asked[0].label, asked[0].k, kinds, np.sort(some))


def on_test(fitted: Recommender, test: Question) -> Array:
    """Return each user's value on what was held out."""
    split, bits = test.split, seen_bits(test.seen)
    kinds = split.train.log.event.astype(np.int64)
    known = split.train.take((bits >> kinds & 1).astype(np.bool_)).log.to_csr(split.train.shape)
    asked, queries = questions(fitted, test.task.user_ids, split.told), []
    rows = split.train.users.indices(test.task.user_ids).tolist()
    for query, row in zip(asked, rows, strict=True):
        start, end = (0, 0) if row < 0 else known.indptr[row : row + 2].tolist()
        queries.append(Barring.around(query, known.indices[start:end]))
    return _values(fitted, queries, split, test.task, test, test.seen)


def on_training(fitted: Recommender, train: Dataset, test: Question) -> Array:
    """Return the value of some users on what the model learned, nothing left out."""
    rows: Mask = np.isin(train.log.users, test.learned_from)
    learned = Split(train, train.take(rows), "what was learned")
    try:
        task = relevant_items(learned, "keep")
    except DataError:  # a small share has none of them
        return np.empty(0)
    queries = questions(fitted, task.user_ids, None)
    return _values(fitted, queries, learned, task, test, "keep")


def _values(
    fitted: Recommender,
    queries: Sequence[Query],
    split: Split,
    task: Relevant,
    test: Question,
    seen: str | tuple[str, ...],
) -> Array:
    judged = Judged.of(answers(fitted, queries, test.k, seen).items, split, task)
    values: Array = measure(judged, [test.label], test.k).per_user[test.label]
    return values


def _held_out(data: Any, owner: str, random_state: Any) -> Split:
    if isinstance(data, Split):
        return data
    if not isinstance(data, Dataset):
        raise DataError(
            f"{owner} needs a Dataset or a Split, got {type(data).__name__}; "
            "make one with Dataset.from_frames(events)."
        )
    if data.log.timestamp is None:
        return split_at_random(data, _TEST, random_state=random_state)
    return split_by_time(data, _TEST)
