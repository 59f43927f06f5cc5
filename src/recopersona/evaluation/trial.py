"""One model on one split: fit it, ask it, measure its lists, and what that cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone

from recopersona.base.asking import answers, questions
from recopersona.base.recommender import Recommender
from recopersona.data.types import Floats, Indices, Mask
from recopersona.evaluation.metrics import Asked, Judged, Known, Measured, measure
from recopersona.evaluation.peak import Peak, peak_memory
from recopersona.evaluation.relevance import Relevant
from recopersona.evaluation.splits import Split
from recopersona.kernels.blocks import cut

_USERS_AT_ONCE = 1_024


@dataclass(frozen=True, eq=False)
class Job:
    """What all models have to do on one split."""

    split: Split
    task: Relevant
    known: Known
    asked: tuple[Asked, ...]
    seen: str | Sequence[str]

    @property
    def width(self) -> int:
        """Length of the lists: the longest cut-off."""
        return max(one.k for one in self.asked)


@dataclass(frozen=True, eq=False)
class Trial:
    """What one model did on one split; the fitted model is gone by now.

    short_lists   answers with fewer items than asked for
    equal_scores  answers of several items that all have the same score
    impersonal    whether no item was given different scores for different users
    """

    fit_s: float
    answer_s: float
    peak_mb: float
    measured: Measured
    short_lists: int
    equal_scores: int
    impersonal: bool


@dataclass(frozen=True)
class Failure:
    """Why a model could not be fitted or asked."""

    words: str


def try_model(
    name: str,
    model: Recommender,
    job: Job,
    *,
    alone: bool = True,
    watch: Callable[..., Any] = lambda steps, *_: steps,
) -> Trial:
    """Fit a clone of a model, ask it about everybody, measure the lists.

    Memory is measured where the model is ``alone`` in the process: the system counts for all.

    Raises
    ------
    Exception
        Whatever the model raises, with a note that names it and the split.
    """
    try:
        with peak_memory() if alone else nullcontext(Peak()) as peak:
            started = perf_counter()
            fitted = clone(model).fit(job.split.train)
            asked = perf_counter()
            lists, scores = _answers(fitted, job, f"asking {name}", watch)
            answered = perf_counter()
    except Exception as problem:
        problem.add_note(f"evaluating '{name}' on the split '{job.split.name}'")
        raise
    measured = measure(
        Judged.of(lists, job.split, job.task, known=job.known),
        [one.label for one in job.asked],
        job.width,
    )
    return Trial(
        asked - started,
        answered - asked,
        peak.mb,
        measured,
        int((lists[:, -1] < 0).sum()),
        int(_are_equal(scores).sum()),
        _is_impersonal(lists, scores),
    )


def _answers(
    fitted: Recommender, job: Job, label: str, watch: Callable[..., Any]
) -> tuple[Indices, Floats]:
    """Return everybody's list and scores, (n_users, width); -1 and NaN beyond a list's end."""
    queries = questions(fitted, job.task.user_ids, job.split.told)
    steps = cut(len(queries), _USERS_AT_ONCE)
    parts = [
        answers(fitted, queries[start:end], job.width, job.seen)
        for start, end in watch(steps, label)
    ]
    lists = np.concatenate([part.items for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    scores[lists < 0] = np.nan
    return lists, scores


def _are_equal(scores: Floats) -> Mask:
    """Tell the answers of several items that all have one score."""
    several = (~np.isnan(scores)).sum(axis=1) > 1
    # Unlike nanmin, fmin says nothing where there is nothing.
    equal: Mask = several & (np.fmin.reduce(scores, axis=1) == np.fmax.reduce(scores, axis=1))
    return equal


def _is_impersonal(lists: Indices, scores: Floats) -> bool:
    """Tell whether every item has one score, whoever asks, of those that several users got."""
    shown = lists >= 0
    items, given = lists[shown], scores[shown]
    if not len(items):
        return False
    order = np.argsort(items, kind="stable")
    starts = np.flatnonzero(np.diff(items[order], prepend=-1))
    given = given[order]
    shared = np.diff(np.append(starts, len(items))) > 1
    same = np.minimum.reduceat(given, starts) == np.maximum.reduceat(given, starts)
    return bool(shared.any() and same[shared].all())
