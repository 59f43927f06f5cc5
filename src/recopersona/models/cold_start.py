"""Factors for what has no events yet: a map from attributes to the factors of a fitted model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from sklearn.base import clone

from recopersona.base.described import Described
from recopersona.base.forgetting import Gone
from recopersona.base.lists import UserQueries
from recopersona.base.parameters import Bound, param, real
from recopersona.base.recommender import NO_OPINION, require_array
from recopersona.base.searching import real_range
from recopersona.data.dataset import Dataset
from recopersona.data.event import RETURN
from recopersona.data.growing import with_room, with_zeros
from recopersona.data.history import History
from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.types import Floats, Id, Indices
from recopersona.errors import DataError
from recopersona.features.encoder import ENCODER, AttributeEncoder
from recopersona.kernels.als import multiply_rows
from recopersona.models.als import ALS
from recopersona.models.feature_map import FeatureMap
from recopersona.models.inner_product import InnerProduct

_FEW = 4  # fewer queries are cheaper one by one than as a matrix product
_STEPS = 200  # of conjugate gradients, at most

FACTOR_MODEL = Bound(
    "a model of factors such as ALS() or Factorization(), or None",
    lambda value: value is None or isinstance(value, InnerProduct),
)
"""What the parameter that holds the mapped model must be."""


class ColdStartMapper(Described):
    r"""Give users and items without events the factors that their attributes speak of.

    The model's factors and biases :math:`y_i` are explained by the attributes :math:`a_i` through
    ridge regression, and each row is a mix of what it learned and what its attributes say, by how
    many events :math:`n_i` it has:

    .. math:: W = \arg\min \sum_i \frac{n_i}{n_i + prior\_events} \|y_i - W a_i\|^2
                  + feature\_reg \|W\|^2, \qquad
              \tilde y_i = \frac{n_i \, y_i + mix\_events \, W a_i}{n_i + mix\_events}

    and likewise for users: :math:`s_{ui} = \langle \tilde x_u, \tilde y_i \rangle + \tilde b_i`.

    Parameters
    ----------
    model : ALS, Factorization or another model of factors, optional
        By default ``ALS()``. The model given stays unfitted; its clone is fitted.
    feature_reg : float, above 0
    prior_events : float, above 0
        A row of so many events says half as much about its attributes as one of very many.
    mix_events : float, above 0
        A row of so many events is half what it learned, half what its attributes say.
    item_encoder, user_encoder : AttributeEncoder, optional
        Which attributes are read, and how; by default all that tell of content.

    Attributes
    ----------
    model_ : the fitted model
        It shares users, items and past with this one.
    item_map_, user_map_ : FeatureMap
        The W of items and of users; the last column is the bias.
    item_counts_, user_counts_ : float32 (n_items,), (n_users,)

    Notes
    -----
    New rows of `update_items` have factors at once, and what is unknown of them is the mean. A
    stranger is what ``query.context`` tells of her and, with a history or a session, a mix of that
    and what the model makes of it, by the number of its items. Events teach the model, as it learns
    them; W stays until the next ``fit``.

    Memory: that of the model, ``4 * (factors + 1)`` bytes a feature and 8 bytes for each feature
    that a row has; and once many are answered at once, or for similar items, ``4 * (factors + 1)``
    bytes an item. Time of ``fit``: that of the model, and ``4 * (factors + 1)`` operations
    a step of conjugate gradients for each feature that a row has.

    References
    ----------
    Gantner et al. (2010), "Learning attribute-to-feature mappings for cold-start
    recommendations", section 3; Agarwal & Chen (2009), "Regression-based latent factor models".

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> shop = synthetic_shop(200, 50, random_state=7)
    >>> model = ColdStartMapper(model=ALS(factors=8)).fit(shop)
    >>> new = pd.DataFrame({"item_id": ["new"], "brand": [shop.catalogue["brand"][0]]})
    >>> model.update_items(new).recommend("u-0001", n=50).sources[-1]
    'ColdStartMapper'
    >>> model.recommend(Query(context={"country": "DE"})).sources[0]
    'ColdStartMapper'
    """

    model: InnerProduct | None = param(FACTOR_MODEL, default=None)
    feature_reg: float = param(real(above=0), default=1.0, search=real_range(0.1, 10, log=True))
    prior_events: float = param(real(above=0), default=20.0, search=real_range(2, 200, log=True))
    mix_events: float = param(real(above=0), default=2.0, search=real_range(0.2, 20, log=True))
    item_encoder: AttributeEncoder | None = param(ENCODER, default=None)
    user_encoder: AttributeEncoder | None = param(ENCODER, default=None)

    def update_items(self, frame: Any) -> Self:
        """Take in new or changed rows of the catalogue; they have factors at once."""
        super().update_items(frame)
        self.model_.update_items(frame)
        self._mixed: Floats | None = None
        return self

    def update_users(self, frame: Any) -> Self:
        """Take in new or changed rows of the customers."""
        super().update_users(frame)
        self.model_.update_users(frame)
        return self

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's inner product with the visitor's vector, float32 (n_items,)."""
        seen = np.append(self._vector(query), np.float32(1))
        if not seen[:-1].any():
            return np.full(len(self.items_), NO_OPINION)
        meant = np.zeros(len(self.item_map_.embeddings_), np.float32)
        multiply_rows(meant, self.item_map_.embeddings_, seen)
        scores = np.full(len(self.items_), meant[0])
        shares = self.item_map_.shares_
        scores[: shares.shape[0]] = shares @ meant
        own = np.zeros(len(self.model_.item_factors_), np.float32)
        multiply_rows(own, self.model_.item_factors_, seen[:-1])
        biases = self.model_._item_biases()
        if biases is not None:
            own += biases[: len(own)]
        scores[: len(own)] += self._trust_in_items() * (own - scores[: len(own)])
        return scores

    # -- learning ----------------------------------------------------------------------------

    _user_tables = ("user_counts_",)

    def _fit(self, dataset: Dataset) -> None:
        given = ALS() if self.model is None else self.model
        self.model_: InnerProduct = clone(given).fit(dataset)
        rows = dataset.interactions
        taught = rows.weight > 0
        self.user_counts_, self.item_counts_ = (
            np.bincount(side[taught], minlength=n).astype(np.float32)
            for side, n in zip((rows.users, rows.items), dataset.shape, strict=True)
        )
        users = self.model_._user_vectors()
        if users is None:
            raise DataError(
                f"ColdStartMapper needs a model that keeps users' factors, got {given!r}."
            )
        self.item_map_ = self._mapped(
            self.item_encoder, self.item_features_, self._learned_items(), self.item_counts_
        )
        self.user_map_ = self._mapped(
            self.user_encoder, self.user_features_, users, self.user_counts_
        )
        self._adopt(self.users_, self.items_, self.past_)

    def _mapped(
        self, encoder: AttributeEncoder | None, table: Any, factors: Floats, counts: Floats
    ) -> FeatureMap:
        half = np.float32(self.prior_events)
        mapped = FeatureMap(reg=float(self.feature_reg)).begin(encoder, table, factors.shape[1])
        mapped.learn(factors, counts / (counts + half), _STEPS)
        return mapped

    def _adopt(self, users: IdMap, items: IdMap, past: History) -> None:
        super()._adopt(users, items, past)
        self.model_._adopt(users, items, past)

    def _learn(self, rows: Interactions) -> None:
        self.model_._learn(rows)
        self._mixed = None
        self.user_counts_ = with_room(self.user_counts_, len(self.users_))
        self.item_counts_ = with_room(self.item_counts_, len(self.items_))
        taught = ((rows.weight > 0) & (rows.event != RETURN)).astype(np.float32)
        np.add.at(self.user_counts_, rows.users, taught)
        np.add.at(self.item_counts_, rows.items, taught)

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        if self.item_map_.encoder_.reads(names):
            self.item_map_.describe(self.item_features_, rows)

    def _users_described(self, rows: Indices, names: set[str]) -> None:
        if self.user_map_.encoder_.reads(names):
            self.user_map_.describe(self.user_features_, rows)

    def _forget_users(self, users: Indices) -> None:
        super()._forget_users(users)
        self.model_._forget_users(users)
        self.user_map_.forget(users)

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        left = [f"model_.{part}" for part in self.model_._take_back(gone)]
        rows = self._events_of(gone)
        if rows is None:
            left.append("item_counts_")
        else:
            theirs = rows.items[(rows.weight > 0) & (rows.event != RETURN)]
            counted = np.bincount(theirs, minlength=len(self.item_counts_))
            self.item_counts_ = self.item_counts_ - counted.astype(np.float32)
        self._mixed = None
        return (*left, "user_map_", "item_map_")

    def _held_of(self, user: int) -> dict[str, Any]:
        mapped = {"user_map_": self.user_map_.held_of(user)}
        inner = self.model_._held_of(user)
        return {**super()._held_of(user), **mapped, **({"model_": inner} if inner else {})}

    # -- answers -----------------------------------------------------------------------------

    def _learned_items(self) -> Floats:
        """Return the model's item factors with their biases as last column."""
        biases = self.model_._item_biases()
        factors = self.model_.item_factors_
        last = np.zeros(len(factors), np.float32) if biases is None else biases[: len(factors)]
        return np.column_stack([factors, last])

    def _trust_in_items(self) -> Floats:
        """Return how much of each item that the model has is what it learned."""
        n = len(self.model_.item_factors_)
        counts = with_zeros(self.item_counts_, n)[:n] * self.model_._has_factors()
        trust: Floats = self._trust(counts)
        return trust

    def _trust(self, counts: Any) -> Any:
        half = np.float32(self.mix_events)
        return counts / (counts + half)

    def _mixed_items(self) -> Floats:
        """Return every item's factors and bias, float32 (n_items, factors + 1); made when asked."""
        mixed: Floats | None = vars(self).get("_mixed")
        if mixed is None or len(mixed) < len(self.items_):
            mixed = self.item_map_.vectors(np.arange(len(self.items_)))
            learned, trust = self._learned_items(), self._trust_in_items()
            known = mixed[: len(learned)]
            known += trust[:, None] * (learned - known)
            self._mixed = mixed
        return mixed

    def _prepare(self) -> None:
        self._mixed = None

    def _vector(self, query: Query) -> Floats:
        user = self.user_of(query)
        expected = self.user_map_.expected(user, self.user_features_, query.context)
        n = float(len(self.taste_of(query)[0]))
        if query.history is None and user != UNKNOWN:
            lately = len({*query.session, *query.page_items})
            n = float(with_zeros(self.user_counts_, user + 1)[user]) + lately
        own = self.model_._vector(query)
        mixed: Floats = expected + np.float32(self._trust(n) if own.any() else 0) * (own - expected)
        return mixed

    def _vectors(self, queries: Any) -> Floats:
        if not isinstance(queries, UserQueries) or (queries.users == UNKNOWN).any():
            return np.stack([self._vector(query) for query in queries])
        expected = self.user_map_.vectors(queries.users)
        own = self.model_._vectors(queries)
        counts = with_zeros(self.user_counts_, len(self.users_))[queries.users]
        trust = self._trust(counts) * own.any(axis=1)
        mixed: Floats = expected + trust[:, None] * (own - expected)
        return mixed

    def _score_queries(self, queries: Any) -> Floats:
        if len(queries) < _FEW:
            return super()._score_queries(queries)
        vectors, items = self._vectors(queries), self._mixed_items()
        scores: Floats = vectors @ items[:, :-1].T + items[:, -1]
        scores[~vectors.any(axis=1)] = NO_OPINION
        return scores

    def _similar(self, item: int) -> Floats:
        factors = self._mixed_items()[:, :-1]
        lengths = np.linalg.norm(factors, axis=1)
        own = lengths[item] * lengths
        cosine = np.full(len(factors), NO_OPINION)
        np.divide(factors @ factors[item], own, out=cosine, where=own > 0)
        return cosine

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        score = float(self._full_scores(query)[item])
        if not np.isfinite(score):
            return []
        seen = np.append(self._vector(query), np.float32(1)).astype(np.float64)
        trust = self._trust_in_items()
        mixed = 1.0 - (float(trust[item]) if item < len(trust) else 0.0)
        meant = mixed * (self.item_map_.embeddings_.astype(np.float64) @ seen)
        rows: list[tuple[str, Id | None, float]] = [
            (name or "every item", None, share * float(meant[feature]))
            for name, feature, share in self.item_map_.named(self.item_map_.shares_of(item))
        ]
        return [*rows, ("learned from events", None, score - sum(part for *_, part in rows))]

    def _check_learned(self) -> None:
        super()._check_learned()
        held: Any = self.model_
        shares = (held.users_, held.items_, held.past_) if isinstance(held, InnerProduct) else ()
        if shares != (self.users_, self.items_, self.past_):
            raise DataError("ColdStartMapper: its model has users and items of its own.")
        maps: Any = (self.user_map_, self.item_map_)
        if not all(isinstance(one, FeatureMap) for one in maps):
            raise DataError("ColdStartMapper: user_map_ and item_map_ must be feature maps.")
        factors = held.item_factors_.shape[1]
        self.user_map_.require_fit(len(self.users_), factors, "ColdStartMapper")
        self.item_map_.require_fit(len(self.items_), factors + 1, "ColdStartMapper")
        for name, n in (("user_counts_", len(self.users_)), ("item_counts_", len(self.items_))):
            counts = getattr(self, name)
            require_array(counts, np.float32, (None,), name)
            if len(counts) > n or not (np.isfinite(counts) & (counts >= 0)).all():
                raise DataError(f"ColdStartMapper: {name} must count what is there.")
