"""Lessons for a ranker: live through the later part of a log with models of the earlier part.

At moments when a visitor takes something she is asked for, just before it, from models that know
everything until then and nothing after; what she takes from then on is what a page should have
shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recopersona.base.parameters import generator
from recopersona.base.progress import progress
from recopersona.data.dataset import Dataset
from recopersona.data.distinct import among, distinct
from recopersona.data.event import ALL_EVENTS, PURCHASE, event_bits, seen_bits
from recopersona.data.feature_table import TimeColumn
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Indices, Mask
from recopersona.rankers.lessons import Lessons
from recopersona.rankers.ranker import Ranker

VISIT_MS = 30 * 60_000
"""A visit is over after so long without an event, as in `Features`."""

_VISIT_LENGTH = 20  # the latest items of a visit that a request brings
_AT_ONCE = 256
_STEPS = 200  # no answer knows less than what happened up to this share of the later part before it


class Candidates(Protocol):
    """A pipeline as far as it is lived through: asked for pools, and taught what happened."""

    pool: int

    def _pools(
        self, queries: Sequence[Query], size: int, seen: int, allowed: Mask, first: int = 1
    ) -> list[Ranking]: ...

    def _excluded(self, query: Query, seen: int) -> Indices: ...

    def _remember(self, rows: Interactions) -> None: ...

    def _learn(self, rows: Interactions) -> None: ...


@dataclass
class _Making:
    """Lessons as they grow."""

    queries: list[Query]
    rankings: list[Ranking]
    labels: list[Array]
    weights: list[Array]
    bought: list[Array]
    counts: dict[str, int]


def lessons_of(
    dataset: Dataset, fitted: Callable[[Dataset], Candidates], ranker: Ranker
) -> tuple[Lessons | None, str, dict[str, int]]:
    """Return lessons, or None and why there are none, and what was counted.

    Parameters
    ----------
    dataset : Dataset
    fitted : function
        From a dataset to candidate models fitted on it.
    ranker : Ranker
        What it is to learn: its ``target``, ``seen``, ``share``, ``requests``, ``negatives``.
    """
    counts = dict.fromkeys(_COUNTED, 0)
    making = _Making([], [], [], [], [], counts)
    wanted = _wanted(dataset, ranker)
    if not wanted.any():
        return None, "no event of the log is a target", counts
    live = _replayed if dataset.log.timestamp is not None else _held_out
    why = live(dataset, wanted, fitted, ranker, making)
    if why:
        return None, why, counts
    if not making.queries:
        found = f"{counts['asked']} moments were tried"
        return None, f"no model named anything that was taken ({found})", counts
    sizes = np.array([len(ranking) for ranking in making.rankings])
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    labels, weights = np.concatenate(making.labels), np.concatenate(making.weights)
    if labels.all():
        return None, "there is nothing in the pools but what was taken", counts
    bought = np.concatenate(making.bought) if (dataset.log.event == PURCHASE).any() else None
    lessons = Lessons(
        making.queries, making.rankings, bounds, labels, weights, bought=bought, counts=counts
    )
    return lessons, "", counts


_COUNTED = ("moments", "asked", "not_allowed", "found", "missed", "requests_missed")


def _wanted(dataset: Dataset, ranker: Ranker) -> Mask:
    """Tell which rows of the log are targets: of the kinds wanted, of weight, and not sent back."""
    log = dataset.log
    bits = ALL_EVENTS if ranker.target is None else event_bits(ranker.target)
    wanted = np.zeros(len(log), np.bool_)
    wanted[dataset.interaction_rows] = True
    wanted &= (log.weight > 0) & ((bits >> log.event.astype(np.int64) & 1) == 1)
    return wanted


def _bought(dataset: Dataset) -> Mask:
    """Tell which rows of the log are purchases that were not sent back."""
    kept = np.zeros(len(dataset.log), np.bool_)
    kept[dataset.interaction_rows] = True
    sold: Mask = kept & (dataset.log.event == PURCHASE)
    return sold


# -- with times ------------------------------------------------------------------------------


def _replayed(
    dataset: Dataset,
    wanted: Mask,
    fitted: Callable[[Dataset], Candidates],
    ranker: Ranker,
    making: _Making,
) -> str:
    """Live through the later part of the log; return why it cannot be done, if it cannot."""
    log = dataset.log
    times: Array = log.timestamp  # type: ignore[assignment]
    order = np.argsort(times, kind="stable")
    first = times[order[len(log) - max(1, round(ranker.share * len(log)))]]
    late = times >= first
    early = dataset.take(~late)
    if not len(early.interactions):
        return "all events happened at once" if late.all() else "the earlier part teaches nothing"
    if not (wanted & late).any():
        return f"none of the latest {int(late.sum())} events is a target"
    diary = _Diary(log, wanted & late, _bought(dataset) & late, times)
    random = generator(ranker.random_state)
    moments = _moments(diary, ranker.requests, random)
    making.counts["moments"] = len(moments)
    born = _births(dataset)
    models, ahead = fitted(early), order[late[order]]
    done, seen = 0, seen_bits(ranker.seen)
    longest = max(1, (int(times.max()) - int(first)) // _STEPS)
    groups = list(_together(moments, diary, int(first), longest))
    for group in progress(groups, f"lessons for {type(ranker).__name__}"):
        now = int(group[0, 1])
        due = ahead[done : int(np.searchsorted(times[ahead], now, side="left"))]
        done += len(due)
        _live(models, log, due)
        asked = [
            (_query(dataset, diary, int(user), int(time)), *diary.taken(int(user), int(time)))
            for user, time in group
        ]
        _ask(models, born < now, asked, seen, ranker.negatives, random, making)
    return ""


def _births(dataset: Dataset) -> Array:
    """Return since when each item may be shown, int64 (n_items,) milliseconds.

    Since it was made, or else, for what the catalogue lacks, after its first event: an item that
    only the future knows must be no candidate.
    """
    n_items, table = len(dataset.items), dataset.item_features
    first = np.full(n_items, np.iinfo(np.int64).max)
    times: Array = dataset.log.timestamp  # type: ignore[assignment]
    np.minimum.at(first, dataset.log.items, times)
    n_described = 0
    if table.columns:
        n_described = n_items - dataset.counts.get("items_without_attributes", 0)
    first[:n_described] = np.iinfo(np.int64).min
    created = table.column("created_at") if "created_at" in table else None
    if isinstance(created, TimeColumn):
        known = created.values != MISSING_TIME
        first[known] = created.values[known]
    return first


class _Diary:
    """Every user's events in order of time, and which are targets and purchases."""

    def __init__(self, log: Interactions, wanted: Mask, bought: Mask, times: Array) -> None:
        order = np.lexsort((times, log.users))
        self.users, self.items = log.users[order], log.items[order]
        self.times, self.wanted, self.bought = times[order], wanted[order], bought[order]
        self.starts = np.searchsorted(self.users, np.arange(int(log.users.max(initial=-1)) + 2))

    def before(self, user: int, time: int) -> tuple[int, int]:
        """Return where a user's events begin, and where those before a moment end."""
        start, end = int(self.starts[user]), int(self.starts[user + 1])
        return start, start + int(np.searchsorted(self.times[start:end], time, side="left"))

    def taken(self, user: int, time: int) -> tuple[Indices, Indices]:
        """Return the targets of a user from a moment on, and what she buys; both ascending."""
        _, here = self.before(user, time)
        rows = slice(here, int(self.starts[user + 1]))
        items = self.items[rows]
        return distinct(items[self.wanted[rows]]), distinct(items[self.bought[rows]])

    def visit(self, user: int, time: int) -> Indices:
        """Return the latest items of the visit that a moment belongs to, oldest first."""
        start, here = self.before(user, time)
        if here == start:
            return self.items[:0]
        lately = np.append(self.times[max(start, here - _VISIT_LENGTH) : here], time)
        over = np.flatnonzero(np.diff(lately) > VISIT_MS)
        first = int(over[-1]) + 1 if len(over) else 0
        items: Indices = self.items[here - (len(lately) - 1) + first : here]
        return items


def _moments(diary: _Diary, most: int, random: np.random.Generator) -> Array:
    """Choose moments of targets, one of every user before a second of any: (n, 2) user, time."""
    rows = np.flatnonzero(diary.wanted)
    moments = np.stack([diary.users[rows], diary.times[rows]], axis=1)  # ascending, with repeats
    moments = moments[np.diff(moments, axis=0, prepend=-1).any(axis=1)]
    shuffled = moments[random.permutation(len(moments))]
    by_user = np.argsort(shuffled[:, 0], kind="stable")
    places = np.empty(len(shuffled), np.int64)
    users = shuffled[by_user, 0]
    starts = np.flatnonzero(np.append(True, users[1:] != users[:-1]))
    sizes = np.diff(np.append(starts, len(users)))
    places[by_user] = np.arange(len(users)) - np.repeat(starts, sizes)
    chosen = shuffled[np.argsort(places, kind="stable")[:most]]
    return chosen[np.lexsort((chosen[:, 0], chosen[:, 1]))]


def _together(moments: Array, diary: _Diary, first: int, longest: int) -> Iterator[Array]:
    """Cut moments into groups that may be asked at once.

    Everybody's own events are known up to her moment; of others' no more than ``longest``
    milliseconds are not.
    """
    start, begun = 0, first
    for row, (user, time) in enumerate(moments.tolist()):
        if row == start:
            begun = time
            continue
        own_start, here = diary.before(user, time)
        latest = int(diary.times[here - 1]) if here > own_start else begun - 1
        if latest >= begun or time - begun > longest or row - start == _AT_ONCE:
            yield moments[start:row]
            start, begun = row, time
    if start < len(moments):
        yield moments[start:]


def _live(models: Candidates, log: Interactions, rows: Array) -> None:
    if len(rows):
        happened = log.take(rows)
        models._remember(happened)
        models._learn(happened)


def _query(dataset: Dataset, diary: _Diary, user: int, time: int) -> Query:
    return Query(
        user_id=dataset.users.ids[user],
        session=dataset.items.ids[diary.visit(user, time)].tolist(),
        now=time,
    )


# -- without times ---------------------------------------------------------------------------


def _held_out(
    dataset: Dataset,
    wanted: Mask,
    fitted: Callable[[Dataset], Candidates],
    ranker: Ranker,
    making: _Making,
) -> str:
    """Hold some pairs of some users out; return why it cannot be done, if it cannot."""
    log, random = dataset.log, generator(ranker.random_state)
    keys = log.users.astype(np.int64) * len(dataset.items) + log.items
    pairs = distinct(keys[wanted])
    users = pairs // max(1, len(dataset.items))
    owners, sizes = np.unique(users, return_counts=True)
    owners = owners[sizes >= 2]
    if not len(owners):
        return "nobody has two targets, of which one could be held out"
    chosen = np.sort(random.permutation(owners)[: ranker.requests])
    making.counts["moments"] = len(chosen)
    mine = pairs[np.isin(users, chosen)]
    out = _some_of_each(mine // len(dataset.items), ranker.share, random)
    kept = ~among(keys, mine[out])
    early = dataset.take(kept)
    if not len(early.interactions):
        return "what is left after holding out teaches nothing"
    models, seen = fitted(early), seen_bits(ranker.seen)
    held_users, held_items = np.divmod(mine[out], len(dataset.items))
    bounds = np.searchsorted(held_users, np.append(chosen, chosen[-1] + 1))
    sold_users, sold_items = np.divmod(distinct(keys[_bought(dataset)]), len(dataset.items))
    starts, ends = (np.searchsorted(sold_users, chosen, side) for side in ("left", "right"))
    asked = [
        (
            Query(dataset.users.ids[user]),
            held_items[bounds[row] : bounds[row + 1]],
            sold_items[starts[row] : ends[row]],
        )
        for row, user in enumerate(chosen.tolist())
    ]
    everything = np.ones(len(dataset.items), np.bool_)
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        _ask(models, everything, some, seen, ranker.negatives, random, making)
    return ""


def _some_of_each(owners: Array, share: float, random: np.random.Generator) -> Mask:
    """Choose a share of every owner's rows, at least one and never all; owners are ascending."""
    draws = random.random(len(owners))
    order = np.lexsort((draws, owners))
    starts = np.searchsorted(owners, owners, side="left")
    sizes = np.searchsorted(owners, owners, side="right") - starts
    most = np.minimum(np.maximum(1, np.round(share * sizes)), sizes - 1)
    chosen = np.zeros(len(owners), np.bool_)
    chosen[order] = np.arange(len(owners)) - starts < most
    return chosen


# -- both ------------------------------------------------------------------------------------


def _ask(
    models: Candidates,
    known: Mask,
    asked: Sequence[tuple[Query, Indices, Indices]],
    seen: int,
    negatives: int,
    random: np.random.Generator,
    making: _Making,
) -> None:
    """Ask for some visitors, and make lessons of those of whose targets the models name one.

    known  bool (n_items,), what may be named
    """
    questions = []
    for query, taken, bought in asked:
        allowed = np.setdiff1d(taken, models._excluded(query, seen))
        making.counts["not_allowed"] += len(taken) - len(allowed)
        if len(allowed):
            questions.append((query, allowed, bought))
    making.counts["asked"] += len(questions)
    if not questions:
        return
    pools = models._pools([query for query, *_ in questions], models.pool, seen, known)
    for (query, taken, bought), pool in zip(questions, pools, strict=True):
        positive = np.isin(pool.items, taken)
        n_found = int(positive.sum())
        making.counts["found"] += n_found
        making.counts["missed"] += len(taken) - n_found
        if not n_found:
            making.counts["requests_missed"] += 1
            continue
        others = np.flatnonzero(~positive)
        drawn = others
        if len(others) > negatives:
            drawn = others[random.permutation(len(others))[:negatives]]
        rows = np.sort(np.concatenate([np.flatnonzero(positive), drawn]))
        labels = positive[rows].astype(np.float32)
        rate = len(others) / max(1, len(drawn))
        making.queries.append(query)
        making.rankings.append(pool.take(rows))
        making.labels.append(labels)
        making.bought.append(positive[rows] & np.isin(pool.items[rows], bought))
        making.weights.append(np.where(labels > 0, 1.0, rate).astype(np.float32))
