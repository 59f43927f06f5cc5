"""Many users asked at once, for measuring: what is told of them, and their lists as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from recopersona.base.lists import Best, UserQueries
from recopersona.data.event import seen_bits
from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.query import Query
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.kernels.blocks import cut

if TYPE_CHECKING:
    from recopersona.base.recommender import Recommender

_QUERIES_AT_ONCE = 1_024


class Told(NamedTuple):
    """What is told of users when they are asked about.

    users, items  IdMaps
    bounds        (n_users + 1,) int64: user u's items are ``columns[bounds[u]:bounds[u + 1]]``
    columns       (n_entries,) int32, the one she came to last at the end
    weights       (n_entries,) float32
    """

    users: IdMap
    items: IdMap
    bounds: Array
    columns: Indices
    weights: Floats

    def query(self, user_id: Id) -> Query:
        """Return the question about a user; who is not told of is asked about by her id alone."""
        row = self.users.index(user_id)
        own = slice(0) if row == UNKNOWN else slice(*self.bounds[row : row + 2].tolist())
        past = dict(
            zip(self.items.ids[self.columns[own]].tolist(), self.weights[own].tolist(), strict=True)
        )
        return Query(user_id=user_id, history=past or None)


def questions(model: Recommender, user_ids: Sequence[Id], told: Told | None) -> Sequence[Query]:
    """Return the question about each user: her id, and what is told of her."""
    if told is None:
        return UserQueries(user_ids, model.users_.indices(user_ids))
    return [told.query(user_id) for user_id in user_ids]


def answers(
    model: Recommender, queries: Sequence[Query], n: int, seen: str | Sequence[str] = "drop"
) -> Best:
    """Return the best ``n`` items of each query; users by their id alone cost no object each."""
    best = Best.empty(len(queries), n)
    if isinstance(queries, UserQueries) and model._ranks_as_the_base():
        found = model._answers_to_users(queries, n, seen_bits(seen))[0]
        width = found.items.shape[1]  # a small catalogue fills no list
        best.items[:, :width], best.scores[:, :width] = found.items, found.scores
        best.counts[:] = found.counts
        return best
    for start, end in cut(len(queries), _QUERIES_AT_ONCE):
        for row, ranking in enumerate(model.rank_many(queries[start:end], n, seen=seen), start):
            size = best.counts[row] = len(ranking)
            best.items[row, :size], best.scores[row, :size] = ranking.items, ranking.scores
    return best
