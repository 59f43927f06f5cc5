"""How good answers are on what was held out: the one number behind ``score`` and `Watch`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recopersona.base.asking import Told, answers, questions
from recopersona.data.dataset import Dataset
from recopersona.data.event import ALL_EVENTS
from recopersona.data.ids import UNKNOWN
from recopersona.data.query import Query
from recopersona.data.types import Array, Indices
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
        cls, model: Recommender, held_out: Dataset, told: Told | None = None, purpose: str = "score"
    ) -> HeldOut:
        """Match held-out interactions to a model's ids; the two need not share their maps.

        Raises
        ------
        DataError
            If no user has anything to find.
        """
        users = model.users_.indices(held_out.users.ids)
        bounds, seen = model.past_.seen_by(users, ALL_EVENTS)
        # Pairs of user and item as one number each, so that they are compared all at once.
        width = len(model.items_) + 1
        seen_pairs = [np.repeat(np.arange(len(users)), np.diff(bounds)) * width + seen + 1]
        if told is not None:
            theirs = held_out.users.indices(told.users.ids)
            its = model.items_.indices(told.items.ids)[told.columns]
            seen_pairs.append(_pairs(theirs, told.bounds, its, width))
        matrix = held_out.matrix()
        its = model.items_.indices(held_out.items.ids)[matrix.indices]
        pairs = _pairs(np.arange(len(users)), matrix.indptr, its, width)
        fresh = np.sort(pairs[~np.isin(pairs, np.concatenate(seen_pairs))])
        sizes = np.bincount(fresh // width, minlength=len(users))
        asked = np.flatnonzero(sizes)
        if not len(asked):
            raise DataError(
                f"{purpose} needs a user with a held-out item that training did not have."
            )
        ids = held_out.users.ids[asked].tolist()
        return cls(
            questions(model, ids, told),
            np.concatenate([[0], np.cumsum(sizes[asked])]),
            (fresh % width - 1).astype(np.int32),
        )

    def ndcg(self, model: Recommender) -> float:
        """Return the mean NDCG@10 over the users."""
        lists = answers(model, self.queries, _K).items
        hits = np.zeros(lists.shape, dtype=np.bool_)
        mark_hits(hits, lists, self.bounds, self.wanted)
        return float(discounted_gain(hits, np.diff(self.bounds)).mean())


def _pairs(users: Array, bounds: Array, items: Array, width: int) -> Array:
    """Return each known user with each of her items as one number; 0 stands for unknown items."""
    rows = np.repeat(users.astype(np.int64), np.diff(bounds))
    pairs: Array = (rows * width + items + 1)[rows != UNKNOWN]
    return pairs


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
