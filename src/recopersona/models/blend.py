"""Several models in one score, with weights learned from what each foresees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from recopersona.base.composite import MODELS, Composite
from recopersona.base.parameters import (
    Bound,
    check,
    generator,
    mapping,
    optional,
    param,
    real,
    seed,
    whole,
)
from recopersona.base.progress import progress
from recopersona.base.recommender import NO_OPINION, require_array
from recopersona.base.searching import real_range, whole_range
from recopersona.data.dataset import Dataset
from recopersona.data.query import Query
from recopersona.data.types import Array, Floats, Id, Indices, Mask
from recopersona.errors import DataError, ParameterError, hint
from recopersona.kernels.blending import blended_gain, standardize_rows
from recopersona.kernels.blocks import cut, run_blocks

_CANDIDATES = 100  # each model's best, among which weights are judged
_FEW_USERS = 100  # a segment with fewer users to learn from takes everybody's weights
_QUERIES_PER_BLOCK = 64
_STEPS = (4.0, 2.0, 1.4, 1.2, 1.1)
_SHARE = Bound("a number above 0 and below 1", lambda value: 0 < value < 1)


class Blend(Composite):
    r"""Add up what several models say, each weighted by how well it foresees.

    .. math:: s_{ui} = \sum_m w_{m, g(u)} \frac{s^m_{ui} - mean_i(s^m_{ui})}{std_i(s^m_{ui})}

    Scores are made comparable first: for each question, a model's scores count in standard
    deviations from their mean over the catalogue. An item about which one model has no opinion gets
    the lowest score that this model gives.

    The weights maximize NDCG@n on a part held out of the training data: the latest events where
    there is time, else some drawn at random. They are learned per segment g of users, by how many
    items a user has chosen, for all users first and from there for each segment. What is learned
    is then drawn halfway towards equal weights of the models that got any: tomorrow differs from
    what was held out, and combinations that trust it fully do worse than plain averages. Then the
    models are fitted anew, on everything.

    Parameters
    ----------
    models : list of models, or of (name, model) pairs
        A model without a name is called like its class in lower case; parameters of a part are
        reached as ``als__factors``. The models given stay unfitted; their clones are fitted.
    weights : mapping from name to a number of at least 0, optional
        Given weights are not learned, and nothing is held out; 1 where nothing is said.
    segments : int, at least 1
        Groups of users, equally large by how many items they have chosen.
    validation : float, above 0 and below 1
        Share of the events held out to learn the weights.
    shrink : float, 0 to 1
        How far learned weights are drawn towards equal ones: 0 not at all, 1 wholly. Models of
        weight 0 keep it.
    n : int, at least 1
        Length of the lists by which weights are judged.
    users : int, at least 1
        Users on whom weights are learned, drawn at random where there are more.
    random_state : int, RandomState or None
        Draws what is held out where there is no time, and the users.

    Attributes
    ----------
    models_ : dict from name to fitted model
    weights_ : float64 (n_segments, n_models)
        Each row adds up to 1.
    edges_ : int64 (n_segments - 1,)
        A user who has chosen at least so many items belongs to the next segment.
    validation_ndcg_ : dict
        NDCG@n on the held-out part by model, and of the ``blend``; empty where weights were given.

    Notes
    -----
    Time: that of fitting every model twice, and of scoring the catalogue once for each of the
    users. Memory: that of the models, ``400 * n_models * (n_models + 2)`` bytes a user, and 16 MB
    for each model a thread.

    References
    ----------
    Jahrer, Töscher & Legenstein (2010), "Combining predictions for accurate recommender systems",
    sections 3-4; the standardization is that of Shaw & Fox's CombSUM with the z-scores of Savoy
    (2004); Stock & Watson (2004), "Combination forecasts of output growth in a seven-country data
    set", for drawing weights towards equal ones.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.models.neighbors import ItemKNN
    >>> from recopersona.models.popularity import Popularity
    >>> shop = synthetic_shop(200, 50, random_state=7)
    >>> blend = Blend(models=[ItemKNN(), Popularity()], segments=1).fit(shop)
    >>> blend.weights_.sum(axis=1).round(6)
    array([1.])
    >>> len(blend.recommend("u-0001", n=3))
    3
    """

    _parts_parameter: ClassVar[str] = "models"

    models: Sequence[Any] = param(MODELS, default=())
    weights: Mapping[str, float] | None = param(
        optional(mapping("from name to a number of at least 0")), default=None
    )
    segments: int = param(whole(at_least=1), default=3, search=whole_range(1, 5))
    validation: float = param(_SHARE, default=0.1)
    shrink: float = param(real(at_least=0, at_most=1), default=0.5, search=real_range(0, 1))
    n: int = param(whole(at_least=1), default=20)
    users: int = param(whole(at_least=1), default=5_000)
    random_state: Any = param(seed(), default=0)

    _taught_by_all = ("edges_", "weights_")

    def _fit(self, dataset: Dataset) -> None:
        names = tuple(name for name, _ in self._named())
        self.edges_ = np.empty(0, np.int64)
        self.validation_ndcg_: dict[str, float] = {}
        self.weights_ = np.full((1, len(names)), 1 / len(names))
        if self.weights is not None:
            self.weights_ = _given_weights(self.weights, names)
        elif len(names) > 1:
            self._learn_weights(dataset, names)
        self._fit_models(dataset)

    def _learn_weights(self, dataset: Dataset, names: tuple[str, ...]) -> None:
        random = generator(self.random_state)
        held = _held_out(dataset, self.validation, random)
        earlier, later = dataset.take(~held), dataset.take(held)
        users = _judges(earlier, later, self.users, random)
        if not len(users):
            return  # too little to learn from: equal weights
        trial = Blend(models=self.models, weights={})
        trial.fit(earlier)
        choices = trial._choices(users, earlier, later)
        equal = np.full(len(names), 1 / len(names))
        everybody = choices.best_weights(equal, self.n)
        sizes = np.diff(earlier.matrix().indptr)[users]
        shares = np.arange(1, self.segments) / self.segments
        edges = np.unique(np.quantile(sizes, shares, method="higher").astype(np.int64))
        segment = np.searchsorted(edges, sizes, side="right")
        parts = [np.flatnonzero(segment == part) for part in range(len(edges) + 1)]
        learned = [
            choices.of(part).best_weights(everybody, self.n) if len(part) >= _FEW_USERS
            else everybody
            for part in parts
        ]  # fmt: skip
        self.edges_ = edges
        self.weights_ = np.stack([_towards_equal(weights, self.shrink) for weights in learned])
        alone = np.eye(len(names))
        self.validation_ndcg_ = {
            name: float(choices.gain(alone[place], self.n).mean())
            for place, name in enumerate(names)
        }
        blended = [
            choices.of(part).gain(weights, self.n)
            for part, weights in zip(parts, self.weights_, strict=True)
        ]
        self.validation_ndcg_["blend"] = float(np.concatenate(blended).mean())

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's blended score, float32 (n_items,)."""
        scores: Floats = self._score_queries([query])[0]
        return scores

    def _score_queries(self, queries: Sequence[Query]) -> Floats:
        weights = self.weights_[[self._segment(query) for query in queries]].astype(np.float32)
        mixed = np.zeros((len(queries), len(self.items_)), np.float32)
        known = np.zeros(mixed.shape, np.bool_)
        for place, model in enumerate(self._models.values()):
            if weights[:, place].any():
                scores, finite = _standardized(model, queries)
                mixed += weights[:, place, None] * scores
                known |= finite & (weights[:, place, None] > 0)
        mixed[~known] = NO_OPINION
        return mixed

    def _segment(self, query: Query) -> int:
        if not len(self.edges_):
            return 0
        return int(np.searchsorted(self.edges_, len(self.taste_of(query)[0]), side="right"))

    def _choices(self, users: Indices, earlier: Dataset, later: Dataset) -> _Choices:
        """Ask every model about some users, and keep the best of each beside what came later."""
        seen, chosen = earlier.matrix(), later.matrix()
        ids = self.users_.ids

        def block(start: int, end: int) -> list[tuple[Floats, Mask, int]]:
            rows = users[start:end]
            queries = [Query(user_id=identifier) for identifier in ids[rows].tolist()]
            asked = [_standardized(model, queries) for model in self._models.values()]
            scores = np.stack([scores for scores, _ in asked], axis=-1)
            known = np.any([finite for _, finite in asked], axis=0)
            found = []
            for place, row in enumerate(rows):
                past = seen.indices[seen.indptr[row] : seen.indptr[row + 1]]
                fresh = np.setdiff1d(chosen.indices[chosen.indptr[row] : chosen.indptr[row + 1]],
                                     past)  # fmt: skip
                open_to = known[place]
                open_to[past] = False
                best = _best_of_each(scores[place], open_to)
                found.append((scores[place][best], np.isin(best, fresh), len(fresh)))
            return found

        blocks = cut(len(users), min(_QUERIES_PER_BLOCK, self._block_size(self.n)))
        rows = [row for part in run_blocks(block, blocks) for row in part]
        parts, relevant, wanted = zip(*rows, strict=True)
        sizes = [len(part) for part in parts]
        return _Choices(
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            np.ascontiguousarray(np.concatenate(parts), np.float32),
            np.concatenate(relevant),
            np.array(wanted, np.int64),
        )

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        if not np.isfinite(self._score_queries([query])[0, item]):
            return []
        weights = self.weights_[self._segment(query)].astype(np.float32)
        return [
            (name, None, float(weight * _standardized(model, [query])[0][0, item]))
            for (name, model), weight in zip(self._models.items(), weights, strict=True)
        ]

    def _check_learned(self) -> None:
        super()._check_learned()
        shape = (len(self.edges_) + 1, len(self._models))
        require_array(self.edges_, np.int64, (None,), "edges_")
        require_array(self.weights_, np.float64, shape, "weights_")
        if not (np.isfinite(self.weights_).all() and (self.weights_ >= 0).all()):
            raise DataError("Blend: weights_ must be finite numbers of at least 0.")


class _Choices(NamedTuple):
    """Users' candidates, in the models' eyes, and which of them were chosen later.

    bounds    (n_users + 1,) int64
    parts     (n_candidates, n_models) float32
    relevant  (n_candidates,) bool
    wanted    (n_users,) int64
    """

    bounds: Array
    parts: Floats
    relevant: Mask
    wanted: Array

    def of(self, users: Array) -> _Choices:
        """Return some users' candidates."""
        sizes = np.diff(self.bounds)[users]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        rows = np.repeat(self.bounds[users] - starts[:-1], sizes) + np.arange(starts[-1])
        return _Choices(starts, self.parts[rows], self.relevant[rows], self.wanted[users])

    def gain(self, weights: Array, n: int) -> Array:
        """Return every user's NDCG@n, float64 (n_users,)."""
        gain = np.empty(len(self.wanted))
        blended_gain(
            gain, self.bounds, self.parts, self.relevant, np.asarray(weights, np.float64),
            self.wanted, n,
        )  # fmt: skip
        return gain

    def best_weights(self, start: Array, n: int) -> Array:
        """Climb: make one model's weight larger, smaller or nothing, as long as that helps."""
        best, reached = start, self.gain(start, n).mean()
        for step in progress(_STEPS, "Blend"):
            improved = True
            while improved:
                improved = False
                for model in range(len(start)):
                    for factor in (step, 1 / step, 0.0):
                        tried = best.copy()
                        tried[model] *= factor
                        if not tried.any():
                            continue
                        gain = self.gain(tried, n).mean()
                        # Less than this is noise, and could go round in circles.
                        if gain > reached + 1e-6:
                            best, reached, improved = tried, gain, True
        weights: Array = best / best.sum()
        return weights


def _standardized(model: Any, queries: Sequence[Query]) -> tuple[Floats, Mask]:
    """Return a model's comparable scores, and about what it has an opinion."""
    scores = np.array(model._score_queries(queries), np.float32, order="C")
    finite: Mask = np.isfinite(scores)
    standardize_rows(scores)
    return scores, finite


def _best_of_each(scores: Floats, allowed: Mask) -> Indices:
    """Return the items that are among the best in the eyes of any model, ascending."""
    open_items = np.flatnonzero(allowed)
    n = min(_CANDIDATES, len(open_items))
    if not n:
        return open_items.astype(np.int32)
    best = [
        open_items[np.argpartition(-scores[open_items, model], n - 1)[:n]]
        for model in range(scores.shape[1])
    ]
    return np.unique(np.concatenate(best)).astype(np.int32)


def _held_out(dataset: Dataset, share: float, random: np.random.Generator) -> Mask:
    """Mark the latest events where there is time, else some of each user's."""
    times = dataset.log.timestamp
    if times is not None:
        late: Mask = times >= np.quantile(times, 1 - share, method="higher")
        return late
    some: Mask = random.random(len(dataset.log)) < share
    return some


def _judges(earlier: Dataset, later: Dataset, n: int, random: np.random.Generator) -> Indices:
    """Draw users with a past, and with something new that came later."""
    past, chosen = earlier.matrix(), later.matrix()
    fresh = chosen.astype(bool) - chosen.astype(bool).multiply(past.astype(bool))
    users = np.flatnonzero((np.diff(past.indptr) > 0) & (fresh.sum(axis=1) > 0))
    if len(users) > n:
        users = np.sort(random.choice(users, n, replace=False))
    return users.astype(np.int32)


def _towards_equal(weights: Array, shrink: float) -> Array:
    """Draw weights towards equal ones of the models that have any."""
    equal = (weights > 0) / (weights > 0).sum()
    drawn: Array = (1 - shrink) * weights + shrink * equal
    return drawn


def _given_weights(weights: Mapping[str, float], names: tuple[str, ...]) -> Array:
    for name, weight in weights.items():
        if name not in names:
            raise ParameterError(
                f"Blend: weights name {name!r}, which is no model{hint(name, names)}"
            )
        check(weight, real(at_least=0), "Blend", f"weights[{name!r}]")
    given = np.array([[float(weights.get(name, 1.0)) for name in names]])
    if not given.any():
        raise ParameterError("Blend: one of the weights must be above 0.")
    shares: Array = given / given.sum()
    return shares
