"""How good answers are on what was held out: the one number behind ``score`` and `Watch`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recopersona.base.lists import UserQueries
from recopersona.data.dataset import Dataset
from recopersona.data.event import ALL_EVENTS
from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.query import Query
from recopersona.data.types import Array, Id, Indices
from recopersona.errors import DataError
from recopersona.kernels.metrics import discounted_gain, mark_hits

if TYPE_CHECKING:
    from recopersona.base.recommender import Recommender

_K = 10


class HeldOut(NamedTuple):
    """What users are to find: held-out items that nobody saw them with before.

    queries  (n_users,) what is asked
    bounds   (n_users + 1,) int64: user u is to find ``wanted[bounds[u]:bounds[u + 1]]``
    wanted   (n_wanted,) int32, ascending for each user; -1 for items that training does not know
    """

    queries: Sequence[Query]
    bounds: Array
    wanted: Indices

    @classmethod
    def of(
        cls,
        model: Recommender,
        held_out: Dataset,
        given: Dataset | None = None,
        purpose: str = "score",
    ) -> HeldOut:
        """Match held-out interactions to a model's ids; the two need not share their maps.

        What is ``given`` of users is told when they are asked about.

        Raises
        ------
        DataError
            If no user has anything to find.
        """
        users = model.users_.indices(held_out.users.ids)
        bounds, seen = model.past_.seen_by(users, ALL_EVENTS)
        # Pairs of user and item as one number each, so that they are compared all at once.
        width = len(model.items_) + 1
        before = [np.repeat(np.arange(len(users)), np.diff(bounds)) * width + seen + 1]
        if given is not None:
            before.append(_pairs(given, held_out.users, model.items_, width))
        pairs = _pairs(held_out, held_out.users, model.items_, width)
        fresh = np.sort(pairs[~np.isin(pairs, np.concatenate(before))])
        sizes = np.bincount(fresh // width, minlength=len(users))
        asked = np.flatnonzero(sizes)
        if not len(asked):
            raise DataError(
                f"{purpose} needs a user with a held-out item that training did not have."
            )
        ids = held_out.users.ids[asked].tolist()
        return cls(
            UserQueries(ids, users[asked]) if given is None else _told(ids, given),
            np.concatenate([[0], np.cumsum(sizes[asked])]),
            (fresh % width - 1).astype(np.int32),
        )

    def ndcg(self, model: Recommender) -> float:
        """Return the mean NDCG@10 over the users."""
        lists = np.full((len(self.queries), _K), UNKNOWN, dtype=np.int32)
        found = model._lists_of(self.queries, _K)
        lists[:, : found.shape[1]] = found  # a small catalogue fills no list
        hits = np.zeros(lists.shape, dtype=np.bool_)
        mark_hits(hits, lists, self.bounds, self.wanted)
        return float(discounted_gain(hits, np.diff(self.bounds)).mean())


def _pairs(dataset: Dataset, users: IdMap, items: IdMap, width: int) -> Array:
    """Return each pair of user and item, numbered by other maps, as one number."""
    matrix = dataset.matrix()
    rows = users.indices(dataset.users.ids).astype(np.int64)
    rows = np.repeat(rows, np.diff(matrix.indptr))
    columns = items.indices(dataset.items.ids)[matrix.indices]
    known = rows != UNKNOWN
    pairs: Array = rows[known] * width + columns[known] + 1
    return pairs


def _told(ids: list[Id], given: Dataset) -> list[Query]:
    """Return the questions of users whose past the caller knows."""
    matrix, names = given.matrix(), given.items.ids
    queries = []
    for user_id, row in zip(ids, given.users.indices(ids).tolist(), strict=True):
        own = slice(*matrix.indptr[row : row + 2]) if row != UNKNOWN else slice(0)
        items, weights = names[matrix.indices[own]].tolist(), matrix.data[own].tolist()
        past = dict(zip(items, weights, strict=True)) or None
        queries.append(Query(user_id=user_id, history=past))
    return queries


def held_out_ndcg(model: Recommender, held_out: Dataset) -> float:
    """Return the mean NDCG@10 over users with a held-out item that training did not see them with.

    Ids are matched, so the two parts need not share their maps; an item that training does not
    know can be wanted but not found.
    """
    return HeldOut.of(model, held_out).ndcg(model)


def require_known_users(model: Recommender, held_out: Dataset) -> None:
    """Refuse held-out interactions of strangers alone: no pass would change their value."""
    ids: Any = held_out.users.ids
    if not (model.users_.indices(ids) != UNKNOWN).any():
        raise DataError(
            f"validation needs users whom training knows, got {len(ids):,} others; split one "
            "dataset, such as by rp.split_by_time."
        )
