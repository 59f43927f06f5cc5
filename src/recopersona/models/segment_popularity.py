"""What people like the visitor want: popularity within segments that do not shout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from recopersona.base.described import Described
from recopersona.base.forgetting import Gone
from recopersona.base.online import counted_weight
from recopersona.base.parameters import (
    Bound,
    check,
    duration,
    optional,
    param,
    real,
    whole,
)
from recopersona.base.recommender import require_array
from recopersona.base.searching import choice, whole_range
from recopersona.data.dataset import Dataset
from recopersona.data.feature_table import CategoryColumn
from recopersona.data.growing import with_room, with_zeros
from recopersona.data.ids import UNKNOWN
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.times import duration_ms
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.errors import ColumnError, DataError, hint
from recopersona.models.item_levels import ItemLevels
from recopersona.models.segment_attributes import USABLE, SegmentAttribute
from recopersona.models.segment_counts import Key, SegmentCounts, chain_of
from recopersona.models.segment_smoothing import LeaveOneOut, learn_smoothing

_MOST_ATTRIBUTES = 6
_ANSWERS_KEPT = 16
_DEFAULT = ("category",)


def _are_names(value: Any) -> bool:
    few = isinstance(value, (list, tuple)) and 0 < len(value) <= _MOST_ATTRIBUTES
    return few and _are_distinct_names(value)


def _are_distinct_names(value: Sequence[Any]) -> bool:
    return all(isinstance(name, str) for name in value) and len(set(value)) == len(value)


_COLUMNS = Bound(
    "a list of distinct columns of the items",
    lambda value: isinstance(value, (list, tuple)) and _are_distinct_names(value),
)
_NAMES = Bound(f"a list of 1 to {_MOST_ATTRIBUTES} distinct columns of the users", _are_names)


class SegmentPopularity(Described):
    r"""Score an item by its share of what users like the visitor chose.

    Users are cut into segments by their attributes, coarse to fine: everybody, an age band, the
    women of that age band, those of them in Austria. A segment starts from what its parent says,
    with the weight of ``m`` customers, so that a thin one says what its parent does:

    .. math:: p_s(i) = \frac{n_{si} + m \bar{w} \, p_{parent(s)}(i)}{n_s + m \bar{w}}

    with :math:`n_{si}` the summed weight of the events of the segment's users with item i and
    :math:`\bar{w}` what a customer's weights add up to. Where items have a ``category``, the same
    is done for categories first, for narrower ones within them, and for items within theirs at
    last, each with an m of its own, :math:`p_s(i) = p_s(c_i) \, p_s(i \mid c_i)`: a segment's
    liking for a category is known long before its liking for an item.

    What is unknown of a visitor is left out of the chain: who is known by her device alone is
    answered by all who have that device. Attributes come from her row of the users, and from the
    query's ``context``, which goes before.

    Parameters
    ----------
    by : list of up to 6 columns of the users, optional
        Coarse to fine; categories, numbers or true/false. By default those are chosen that foresee
        most what users choose, one after the other, out of all columns: each time the coarsest
        whose gain is within a standard error of the largest, while that is above two of its errors.
    depth : int, 1 to 6
        At most so many are chosen where none are given.
    categories : list of columns of the items
        Coarse to fine; counted before the items. ``category``, the default, is left aside where the
        catalogue has none.
    smoothing : float, above 0, optional
        The weight m of a parent, in customers. By default the likeliest for every combination of
        attributes, when each user is foreseen from all others: what two people of a segment have
        in common counts, and how much one of them bought does not.
    bands : int, at least 2
        Numbers such as ages are cut into so many bands with equally many users.
    half_life : duration, optional
        Such as ``"7d"``; in place of the dataset's own.

    Attributes
    ----------
    attributes_ : dict from name to SegmentAttribute
        In the order of the chain.
    gains_ : float64 (n_attributes,)
        Nats by which each made the choices of users likelier when it joined the chain.
    strengths_ : float64 (2 ** n_attributes, n_levels)
        The learned m, of every column of categories and of items; row ``b`` is of the segments that
        know the attributes whose bits are set in b. Infinite where the parent knows better.
    categories_ : list of columns
        Those that the catalogue has.
    counts_ : SegmentCounts
    popularity_ : float64 (n_items,)
        Everybody's summed weights.
    customer_ : float
        What a customer's weights add up to.

    Notes
    -----
    Events and items that come are counted at once; whose attributes change later keeps her past
    events in her old segments until the next ``fit``.

    Memory: at most ``8 * (2 ** n_attributes - 1)`` bytes for each distinct pair of user and item,
    less the more users share a segment; 80 bytes an item, for 16 segments' answers above all; some
    100 bytes for each pair that came since the last sorting in. Time: to fit, that many products of
    segments x users with users x items; per request, ``n_attributes`` passes over the items.

    References
    ----------
    MacKay & Peto (1995), "A hierarchical Dirichlet language model", section 3; Chen & Goodman
    (1999), "An empirical study of smoothing techniques for language modeling", section 2; Breiman
    et al. (1984), "Classification and regression trees", section 3.4.3, for the coarsest within an
    error.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> shop = synthetic_shop(400, 60, random_state=7)
    >>> model = SegmentPopularity().fit(shop)
    >>> list(model.attributes_)
    ['age_band']
    >>> stranger = Query(context={"age_band": "65+", "device": "mobile"})
    >>> ranking = model.recommend(stranger, n=3)
    >>> model.explain(stranger, ranking[0])["component"].tolist()
    ['everybody', 'age_band=65+']
    """

    by: Sequence[str] | None = param(optional(_NAMES), default=None)
    depth: int = param(
        whole(at_least=1, at_most=_MOST_ATTRIBUTES), default=3, search=whole_range(1, 4)
    )
    categories: Sequence[str] = param(_COLUMNS, default=_DEFAULT)
    smoothing: float | None = param(optional(real(above=0)), default=None)
    bands: int = param(whole(at_least=2), default=6)
    half_life: str | timedelta | None = param(
        optional(duration()), default=None, search=choice(None, "7d", "30d", "90d", "365d")
    )

    def _fit(self, dataset: Dataset) -> None:
        matrix = dataset.matrix(self._half_life_ms())
        self.popularity_ = np.asarray(matrix.sum(axis=0), np.float64).reshape(-1)
        totals = np.asarray(matrix.sum(axis=1), np.float64).reshape(-1)
        self.customer_ = float(totals[totals > 0].mean()) if (totals > 0).any() else 1.0
        self.categories_ = self._category_columns(dataset)
        candidates = self._candidates(dataset)
        codes = self._codes_of(candidates)
        order = None if self.by is None else range(len(candidates))
        judge = LeaveOneOut(matrix, self._levels_now(), self.customer_)
        learned = learn_smoothing(judge, codes, order, self.depth, self.smoothing)
        self.attributes_ = {candidates[place].name: candidates[place] for place in learned.order}
        self.strengths_, self.gains_ = learned.strengths, learned.gains
        self.counts_ = SegmentCounts.of(np.ascontiguousarray(codes[:, learned.order]), matrix)

    def _category_columns(self, dataset: Dataset) -> list[str]:
        table = dataset.item_features
        usable = [name for name in table.names if isinstance(table.column(name), CategoryColumn)]
        if tuple(self.categories) == _DEFAULT and _DEFAULT[0] not in table:
            return []
        for name in self.categories:
            if name not in usable:
                raise ColumnError(
                    f"SegmentPopularity: no item column {name!r} with categories"
                    f"{hint(name, usable)}"
                )
        return list(self.categories)

    def _candidates(self, dataset: Dataset) -> list[SegmentAttribute]:
        table = dataset.user_features
        usable = [name for name in table.names if isinstance(table.column(name), USABLE)]
        for name in self.by or ():
            if name not in usable:
                raise ColumnError(
                    f"SegmentPopularity: no user column {name!r} with categories or numbers"
                    f"{hint(name, usable)}"
                )
        names = usable if self.by is None else self.by
        return [SegmentAttribute.of(name, table.column(name), self.bands) for name in names]

    # -- answers -----------------------------------------------------------------------------

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's share of what the visitor's segment chose, float32 (n_items,)."""
        scores: Floats = self._scores_of(self._codes_for(query))
        return scores

    def _score_queries(self, queries: Sequence[Query]) -> Floats:
        asked = [self._codes_for(query) for query in queries]
        answered = {codes: self._scores_of(codes) for codes in dict.fromkeys(asked)}
        return np.stack([answered[codes] for codes in asked])

    def _scores_of(self, codes: Key) -> Floats:
        """Return a segment's scores, kept until something is learned: many ask, few segments."""
        answers = self._answers
        found = answers.get(codes)
        if found is None or len(found) != len(self.items_):
            *_, (_, chances) = self._levels(codes)
            found = _joined(chances, self._tree_of_items()).astype(np.float32)
            found.flags.writeable = False
            if len(answers) >= _ANSWERS_KEPT:
                answers.clear()
            answers[codes] = found
        return found

    def _levels(self, codes: Key) -> Iterator[tuple[str, list[Array]]]:
        """Walk the chain of segments, coarse to fine: its label, and the chances it gives."""
        tree, n_items = self._tree_of_items(), len(self.items_)
        prior = self.customer_
        share = with_zeros(self.popularity_, n_items) + prior / n_items
        chances = _chances(share / share.sum(), tree)
        yield "everybody", chances
        names = tuple(self.attributes_.values())
        for key in chain_of(codes):
            row = self.counts_.row(key)
            if row == UNKNOWN:
                continue
            known = [place for place, code in enumerate(key) if code != UNKNOWN]
            strengths = self.strengths_[sum(1 << place for place in known)] * self.customer_
            chances = _refined(chances, tree, strengths.tolist(), *self.counts_.entries(row))
            yield ", ".join(names[place].label(key[place]) for place in known), chances

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        tree = self._tree_of_items()
        rows: list[tuple[str, Id | None, float]] = []
        before = 0.0
        for label, chances in self._levels(self._codes_for(query)):
            share = float(_joined(chances, tree)[item])
            rows.append((label, None, share - before))
            before = share
        return rows

    def _codes_for(self, query: Query) -> Key:
        user, context = self.user_of(query), query.context
        if user == UNKNOWN or user >= len(self._codes):
            own: Sequence[int] = [UNKNOWN] * len(self.attributes_)
        else:
            own = self._codes[user].tolist()
        return tuple(
            attribute.code(context[name]) if name in context else code
            for (name, attribute), code in zip(self.attributes_.items(), own, strict=True)
        )

    # -- what is made after fit and load, and kept up to date --------------------------------

    def _prepare(self) -> None:
        self._answers: dict[Key, Floats] = {}
        self._codes = self._codes_of(list(self.attributes_.values()))
        self._tree = self._levels_now()

    def _codes_of(self, attributes: Sequence[SegmentAttribute]) -> Indices:
        """Return the users' codes, int32 (n_users, n_attributes)."""
        columns = [
            attribute.codes(self.user_features_.column(attribute.name)) for attribute in attributes
        ]
        return (
            np.ascontiguousarray(np.stack(columns, axis=1))
            if columns
            else np.empty((len(self.users_), 0), np.int32)
        )

    def _levels_now(self) -> ItemLevels:
        return ItemLevels.of_catalogue(self.item_features_, self.categories_, len(self.items_))

    def _tree_of_items(self) -> ItemLevels:
        if len(self._tree.groups[-1]) < len(self.items_):
            self._tree = self._levels_now()
        return self._tree

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        self._answers = {}
        self._tree = self._levels_now()

    def _users_described(self, rows: Indices, names: set[str]) -> None:
        self._codes = self._codes_of(list(self.attributes_.values()))

    def _forget_users(self, users: Indices) -> None:
        super()._forget_users(users)
        self._codes = self._codes.copy()
        self._codes[users[users < len(self._codes)]] = UNKNOWN
        for place, attribute in enumerate(self.attributes_.values()):
            attribute.forget_unused(self._codes[:, place])

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        """Count anew, by the segments that users are in now; what was learned of these stays."""
        half_life = self._half_life_ms() or self.half_life_
        fresh = self._sums_without(self.popularity_, gone, half_life)
        learned = ("customer_", "attributes_", "strengths_", "gains_")
        self._answers = {}
        if fresh is None or half_life != self.half_life_:
            self.popularity_ = self.popularity_ if fresh is None else fresh
            return (*(() if fresh is not None else ("popularity_",)), "counts_", *learned)
        self.popularity_ = fresh
        if self.attributes_:
            matrix = self.past_.matrix(len(self._codes), len(self.items_))
            self.counts_ = SegmentCounts.of(self._codes, matrix)
        return learned

    # -- learning ----------------------------------------------------------------------------

    def _learn(self, rows: Interactions) -> None:
        self._count(rows)
        self._answers = {}

    def _count(self, rows: Interactions) -> None:
        self.popularity_ = with_room(self.popularity_, len(self.items_))
        half_life = self._half_life_ms() or self.half_life_
        weight = counted_weight(rows, half_life, self.decayed_to_)
        np.add.at(self.popularity_, rows.items, weight)
        if not self.attributes_:
            return
        known = rows.users < len(self._codes)
        if known.any():
            self.counts_.extend(self._codes[rows.users[known]], rows.items[known], weight[known])

    def _check_learned(self) -> None:
        super()._check_learned()
        n_items = len(self.items_)
        require_array(self.popularity_, np.float64, (None,), "popularity_")
        check(self.customer_, real(above=0), "SegmentPopularity", "customer_")
        held: Any = self.attributes_
        good = isinstance(held, dict) and all(
            isinstance(attribute, SegmentAttribute) and attribute.name == name
            for name, attribute in held.items()
        )
        if not good or len(held) > _MOST_ATTRIBUTES:
            raise DataError("SegmentPopularity: attributes_ are not those of segments.")
        columns: Any = self.categories_
        if not isinstance(columns, list) or not _COLUMNS.holds(columns):
            raise DataError("SegmentPopularity: categories_ are no columns of items.")
        shape = (1 << len(held), len(columns) + 1)
        require_array(self.strengths_, np.float64, shape, "strengths_")
        require_array(self.gains_, np.float64, (len(held),), "gains_")
        sizes = [attribute.size for attribute in held.values()]
        counted: Any = self.counts_
        if (
            not isinstance(counted, SegmentCounts)
            or not counted.fits(n_items, sizes)
            or not self.n_fitted_items_ <= len(self.popularity_) <= n_items
            or not (np.isfinite(self.popularity_) & (self.popularity_ >= 0)).all()
            or not (self.strengths_ > 0).all()
        ):
            raise DataError("SegmentPopularity: the counts do not fit users and items.")

    def _half_life_ms(self) -> int | None:
        return None if self.half_life is None else duration_ms(self.half_life)


def _chances(share: Array, tree: ItemLevels) -> list[Array]:
    """Take shares of items apart: each group's share of the group above it."""
    chances, above = [], np.array([share.sum()])
    for group, parent in zip(tree.groups, tree.parents, strict=True):
        mass = np.bincount(group, share, minlength=len(parent))
        chances.append(mass / np.maximum(above, 1e-300)[parent])
        above = mass
    return chances


def _refined(
    chances: Sequence[Array],
    tree: ItemLevels,
    strengths: Sequence[float],
    chosen: Indices,
    counts: Floats,
) -> list[Array]:
    """Move chances towards what was counted in a segment, on each level of the catalogue.

    strengths       of the parent's word, on each level
    chosen, counts  the segment's items and their weights; an item may come twice
    """
    refined, above = list(chances), np.array([counts.sum(dtype=np.float64)])
    for level, strength in enumerate(strengths):
        if np.isinf(strengths[level:]).all():
            break
        group, parent = tree.groups[level], tree.parents[level]
        inside = np.bincount(group[chosen], counts, minlength=len(parent))
        if np.isfinite(strength):
            chance = inside + strength * chances[level]
            refined[level] = chance / (above + strength)[parent]
        above = inside
    return refined


def _joined(chances: Sequence[Array], tree: ItemLevels) -> Array:
    """Put shares of items together again."""
    above = np.ones(1)
    for chance, parent in zip(chances, tree.parents, strict=True):
        above = above[parent] * chance
    return above
