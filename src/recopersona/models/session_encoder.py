"""Visits as vectors: features for other models, and a way to find visits that are alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import TransformerMixin, clone

from recopersona.base.gated import Gated
from recopersona.base.lists import Best, Excluded
from recopersona.base.parameters import Bound, check, check_parameters, param, real, switch, whole
from recopersona.base.recommender import NO_OPINION, Recommender, as_dataset, require_array
from recopersona.data.dataset import Dataset
from recopersona.data.gate import EventGate
from recopersona.data.ids import IdMap
from recopersona.data.query import Query
from recopersona.data.times import duration_ms
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.errors import DataError, NotFittedError
from recopersona.kernels.als import multiply_rows
from recopersona.kernels.topn import select_top
from recopersona.models.inner_product import InnerProduct
from recopersona.models.item2vec import Item2Vec
from recopersona.models.item_index import ItemIndex
from recopersona.models.session import SessionRecommender
from recopersona.models.visit_vectors import VisitVectors, mixed
from recopersona.models.visits import TRAIL, visits_of

_HALF_HOUR = duration_ms("30min")
_NO_ITEMS: Indices = np.empty(0, np.int32)


def _has_vectors(value: Any) -> bool:
    return isinstance(value, Recommender)


class SessionEncoder(TransformerMixin, Gated):  # type: ignore[misc]
    r"""Turn visits into vectors, by a model that has a vector for every item.

    .. math:: v = \frac{w}{\|w\|}, \qquad w = \sum_{i=1}^{L} fading^{L - i} \, y_{x_i}

    for clicks :math:`x_1, \dots, x_L` and items' vectors y. `Item2Vec` and `SessionFactors` weigh
    clicks in their own way, which they learned. A visit of which nothing is known is all 0.

    A transformer of scikit-learn: lists of item ids become rows of numbers, features for any other
    model. ``fit`` learns the model, if it is not fitted yet, and remembers the visits, so that
    those like another can be found.

    Parameters
    ----------
    model : Recommender with ``item_factors_``
        Such as ``Item2Vec()``, ``SessionFactors()`` or ``ALS()``. One that is fitted is taken as it
        is, and encodes without a ``fit``; of another a clone is fitted.
    fading : float, at least 0 and at most 1
        What a click counts beside the one after it, for models that do not say.

    Attributes
    ----------
    model_ : Recommender
    vectors_ : float32 (n_sessions, factors)
        Of the visits that ``fit`` saw.

    Notes
    -----
    The vectors of visits are as they were at the last ``fit``; those that are asked for are as the
    model is now. No visitor is remembered, but what one clicked is, as a vector.

    Memory: ``5 * factors + 18`` bytes a remembered visit.

    References
    ----------
    Barkan & Koenigstein (2016), "Item2Vec: Neural item embedding for collaborative filtering".

    Examples
    --------
    >>> visits = [["tea", "honey", "milk"], ["salt", "rice", "oil"]] * 20
    >>> encoder = SessionEncoder(Item2Vec(factors=8, sample=1.0)).fit(visits)
    >>> encoder.transform([["tea"], ["tea", "honey"], ["never seen"]]).shape
    (3, 8)
    >>> sorted(encoder.nearest_items(["tea", "honey"], n=3)["item_id"])
    ['honey', 'milk', 'tea']
    >>> encoder.nearest_sessions(["rice", "oil"], n=3)["session"].tolist()
    [1, 3, 5]
    """

    model: Any = param(
        Bound("a model with vectors of items, such as Item2Vec()", _has_vectors), default=None
    )
    fading: float = param(real(at_least=0, at_most=1), default=0.7)

    def __init__(self, model: Any = None, *, fading: float = 0.7) -> None:
        self.model, self.fading = Item2Vec() if model is None else model, fading

    # -- learning ----------------------------------------------------------------------------

    def fit(self, visits: Any, y: None = None, *, gate: EventGate | None = None) -> Self:
        """Learn the model, if it is not fitted yet, and remember visits.

        Parameters
        ----------
        visits : list of lists of item ids, Dataset or events frame
            Each list is a visit, oldest click first. Of a dataset the visits are remembered in the
            order of their ends.
        y : ignored
        gate : EventGate, optional
            Such as a `ConsentLedger`, in place of the dataset's or the model's own: visits of those
            whom it refuses are as if they were not there. Of lists nobody knows whose they are.
        """
        check_parameters(self)
        if _are_lists(visits) and gate is not None:
            raise DataError(
                "SessionEncoder.fit: lists of items do not say whose visits they are, so no gate "
                "can be asked; give events."
            )
        shop = self._shop_of(visits, gate)
        self._unfit()
        self._stand_behind(shop.gate)
        if self.model.__sklearn_is_fitted__():
            self.model_ = self.model
        else:
            self.model_ = clone(self.model).fit(shop)
        _require_factors(self.model_)
        if _are_lists(visits):
            self.vectors_ = self.encode_many(visits)  # transform may return a frame
        else:
            gap = self.model_.gap_ms_ if _is_of_visits(self.model_) else _HALF_HOUR
            found = visits_of(shop, gap)
            known = self.model_.items_.indices(shop.items.ids)
            self.vectors_ = self._encoded(found.bounds, known[found.items])
        self._prepare()
        return self

    def _shop_of(self, visits: Any, gate: EventGate | None) -> Dataset:
        """Return the visits that the gate lets in: the one given, the dataset's or the model's."""
        if _are_lists(visits):
            return as_dataset(_frame_of(visits))
        if gate is None and getattr(visits, "gate", None) is None:
            gate = getattr(self.model, "gate", None)
        return as_dataset(visits, gate)

    def _stand_behind(self, gate: EventGate | None) -> None:
        super()._stand_behind(gate)
        if "model_" in vars(self):
            self.model_._stand_behind(gate)

    def __sklearn_is_fitted__(self) -> bool:
        fitted: bool = "model_" in vars(self) or self.model.__sklearn_is_fitted__()
        return fitted

    # -- vectors -----------------------------------------------------------------------------

    def encode(self, visit: Query | Sequence[Id]) -> Floats:
        """Return the vector of one visit, float32 (factors,).

        Parameters
        ----------
        visit : Query, or list of item ids, oldest first
            Of a query the session and the page; without a session, the visit in progress of the
            user, where the model knows it.
        """
        vector: Floats = self.encode_many([visit])[0]
        return vector

    def encode_many(self, visits: Iterable[Query | Sequence[Id]]) -> Floats:
        """Return a row for every visit, float32 (n, factors)."""
        clicks = [self._clicks(visit) for visit in visits]
        bounds = np.concatenate([[0], np.cumsum([len(some) for some in clicks])]).astype(np.int64)
        return self._encoded(bounds, np.concatenate(clicks) if clicks else _NO_ITEMS)

    def transform(self, visits: Iterable[Query | Sequence[Id]]) -> Floats:
        """Return a row for every visit: `encode_many`, by scikit-learn's name.

        A frame is not a list of visits; pass its column of lists.
        """
        if hasattr(visits, "columns"):
            raise DataError(
                "SessionEncoder.transform needs a list of lists of item ids, got a dataframe; pass "
                "a column of lists, such as frame.groupby('session_id')['item_id'].agg(list)."
            )
        return self.encode_many(visits)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return the names of the columns."""
        n_factors = self._model.item_factors_.shape[1]
        return np.array([f"session_{place}" for place in range(n_factors)], dtype=object)

    # -- what is near ------------------------------------------------------------------------

    def nearest_items(self, visit: Query | Sequence[Id], n: int = 10) -> pd.DataFrame:
        """Return the items whose vectors make the smallest angle with the visit's.

        Returns
        -------
        DataFrame with columns ``item_id, similarity``, best first; empty where nothing is known of
        the visit.
        """
        check(n, whole(at_least=1), "nearest_items", "n")
        model, vector = self._model, self.encode(visit)
        factors, lengths = _factors_of(model), _lengths_of(model)
        cosines = np.full(len(factors), NO_OPINION)
        if vector.any():
            multiply_rows(cosines, factors, vector)
            known = lengths > 0
            cosines[known] /= lengths[known]
            cosines[~known] = NO_OPINION
        best = Best.empty(1, min(n, len(factors)))
        nobody = Excluded(np.zeros(2, np.int64), _NO_ITEMS)
        select_top(*best, cosines[None, :], *nobody, np.zeros(len(factors), np.bool_))
        found = int(best.counts[0])
        return pd.DataFrame(
            {"item_id": model.items_.ids[best.items[0, :found]],
             "similarity": best.scores[0, :found]}
        )  # fmt: skip

    def nearest_sessions(self, visit: Query | Sequence[Id], n: int = 10) -> pd.DataFrame:
        """Return the remembered visits whose vectors make the smallest angle with this one's.

        Returns
        -------
        DataFrame with columns ``session``, the number of the visit in the order they were given to
        ``fit``, and ``similarity``, best first; empty where nothing is known of the visit.

        Raises
        ------
        NotFittedError
            If no visits are remembered.
        """
        check(n, whole(at_least=1), "nearest_sessions", "n")
        if "vectors_" not in vars(self):
            raise NotFittedError(
                "this SessionEncoder remembers no visits; call SessionEncoder.fit(visits) first."
            )
        best = self._search(self.encode(visit), min(n, len(self.vectors_)))
        found = int(best.counts[0])
        return pd.DataFrame(
            {"session": best.items[0, :found], "similarity": best.scores[0, :found]}
        )

    # -- below this line the encoder talks to itself -----------------------------------------

    @property
    def _model(self) -> Any:
        self._check_fitted()
        model = vars(self).get("model_", self.model)
        _require_factors(model)
        return model

    def _clicks(self, visit: Query | Sequence[Id]) -> Indices:
        model = self._model
        if isinstance(visit, Query):
            asked: Query = model._asked(visit)
            if _is_of_visits(model):
                clicks: Indices = model._visit(asked)
                return clicks
            visit = (*asked.session, *asked.page_items)
        else:
            visit = Query(session=visit).session
        known: Indices = model._known_items(visit)
        return known

    def _encoded(self, bounds: Array, items: Indices) -> Floats:
        model = self._model
        if isinstance(model, VisitVectors):
            return model.visit_vectors(bounds, items)
        with np.errstate(divide="ignore"):
            weights = np.log(self.fading ** np.arange(TRAIL))[None, :].astype(np.float32)
        return mixed(_factors_of(model), _lengths_of(model), weights, bounds, items)

    def _search(self, vector: Floats, n: int) -> Best:
        index = vars(self).get("_index")
        if index is None:
            self._prepare()
            index = self._index
        nobody = Excluded(np.zeros(2, np.int64), _NO_ITEMS)
        return index.search(
            vector[None, :], n, self.vectors_, None, self._sizes, nobody,
            np.zeros(len(self.vectors_), np.bool_),
        )  # fmt: skip

    def _prepare(self) -> None:
        """Make what speeds up searches and is in no file."""
        if "vectors_" in vars(self):
            self._sizes: Floats = np.linalg.norm(self.vectors_, axis=1)
            self._index = ItemIndex(self.vectors_, None, self._sizes > 0)

    def _unfit(self) -> None:
        for name in ("_index", "_sizes"):
            self.__dict__.pop(name, None)
        super()._unfit()

    def _check_learned(self) -> None:
        """Refuse what was read from a file and does not fit together."""
        check(self.gated_, switch(), "SessionEncoder", "gated_")
        if "model_" in vars(self):
            _require_factors(self.model_)
        if "vectors_" in vars(self):
            n_factors = self._model.item_factors_.shape[1]
            require_array(self.vectors_, np.float32, (None, n_factors), "vectors_")


def _is_of_visits(model: Any) -> bool:
    return isinstance(model, SessionRecommender)


def _factors_of(model: Any) -> Floats:
    return np.ascontiguousarray(model.item_factors_, np.float32)


def _lengths_of(model: Any) -> Floats:
    if isinstance(model, InnerProduct):  # it keeps them, and a request need not look at all items
        return model.item_lengths_
    lengths: Floats = np.linalg.norm(model.item_factors_, axis=1).astype(np.float32)
    return lengths


def _require_factors(model: Any) -> None:
    factors, items = getattr(model, "item_factors_", None), getattr(model, "items_", None)
    if not isinstance(factors, np.ndarray) or factors.ndim != 2 or not isinstance(items, IdMap):
        raise DataError(
            f"SessionEncoder needs a model with item_factors_, such as Item2Vec() or ALS(), got "
            f"{type(model).__name__}."
        )


def _are_lists(visits: Any) -> bool:
    """Tell lists of item ids from events."""
    if isinstance(visits, pd.Series):
        return True
    return isinstance(visits, (list, tuple, np.ndarray)) and all(
        isinstance(visit, (list, tuple, np.ndarray)) for visit in visits
    )


def _frame_of(visits: Iterable[Sequence[Id]]) -> pd.DataFrame:
    """Write lists of items as events, a visitor for each."""
    rows = [(number, item) for number, visit in enumerate(visits) for item in visit]
    return pd.DataFrame(rows, columns=["user_id", "item_id"])
