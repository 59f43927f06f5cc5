"""Several session models in one: a small network learns whom to believe, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from recopersona.base.composite import Composite
from recopersona.base.nested import are_parts
from recopersona.base.parameters import Bound, check, generator, param, real, seed, whole
from recopersona.base.recommender import require_array
from recopersona.data.dataset import Dataset
from recopersona.data.growing import with_room
from recopersona.data.interactions import Interactions
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.choosing import VISIT_FEATURES, describe_opinions, describe_visit
from recopersona.kernels.topn import select_listed
from recopersona.models.choice import ChoiceModel
from recopersona.models.session import Opinions, SessionRecommender
from recopersona.models.visits import Clicks, Visits, visit_of_rows

_LATE = 0.05  # of all clicks count as those of late
_LARGEST_UNIT = np.float32(2.0**60)
_VISITS_PER_BLOCK = 256
_NONE = np.empty(0, np.int32)


class SessionBlend(Composite, SessionRecommender):
    r"""Ask several session models, and learn from the latest visits what to make of their answers.

    .. math:: P(i \mid visit) = \frac{e^{u_i}}{\sum_{j \in C} e^{u_j}}

    over the candidates C, each model's ``pool`` best. The utility u is that of a `ChoiceModel`: a
    small network whose features are the logarithm of each model's share for the item (its score by
    the sum of those in its pool), where and how often the visit has clicked the item, the item's
    popularity so far and of late, and the visit's length and variety. So it finds out, say, that
    long visits return to what they saw, and that one model is right about the first clicks and
    another one later.

    The models learn from all but the latest visits, the network from what was clicked next in
    those; then the models are fitted anew on everything.

    Parameters
    ----------
    models : list of session models, or of (name, model) pairs
        At least one; the models given stay unfitted.
    validation : float, above 0 and at most 0.5
        The share of visits, the latest, that the network learns from.
    pool : int, at least 1
        Candidates asked of each model.
    examples : int, at least 1
        At most so many clicks of these visits, drawn by ``random_state``, are examples.
    hidden : int, at least 1
        Width of the network.
    random_state : int, RandomState or None
    gap, repeats, profile : see `SessionRecommender`

    Attributes
    ----------
    models_ : dict from name to fitted model
    choice_ : ChoiceModel
    examples_ : dict
        How many clicks were ``asked`` about, and how many were among the candidates: ``found``.
    popular_, lately_ : float32 (n_items,)
        Clicks so far, and with the latest of them counting most; both grow online.

    Notes
    -----
    With too few visits to learn from, what the models say is blended with equal weights, by shares.
    Online, every model learns from the event; the network stays as it is until the next ``fit``.

    Memory: that of the models, ``8 * n_items`` bytes, and while fitting
    ``8 * pool * n_models * (n_models + 10) * examples`` bytes at most. Time of an answer: that of
    the models, and ``2 * hidden * (n_models + 10)`` operations a candidate.

    References
    ----------
    Wolpert (1992), "Stacked generalization", section 2: models are judged on what they did not
    learn from; for the network see `ChoiceModel`.

    Examples
    --------
    >>> from recopersona.data.query import Query
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.models.session_knn import SessionKNN
    >>> from recopersona.models.session_rules import SequentialRules
    >>> shop = synthetic_shop(300, 60, random_state=7)
    >>> blend = SessionBlend(models=[SessionKNN(), SequentialRules()]).fit(shop)
    >>> len(blend.recommend(Query(session=shop.items.ids[:2]), n=5))
    5
    """

    _parts_parameter: ClassVar[str] = "models"

    models: Sequence[Any] = param(
        Bound(
            "a list of session models or (name, model) pairs, at least one",
            lambda value: are_parts(value, SessionRecommender),
        ),
        default=(),
    )
    validation: float = param(real(above=0, at_most=0.5), default=0.1)
    pool: int = param(whole(at_least=1), default=100)
    examples: int = param(whole(at_least=1), default=15_000)
    hidden: int = param(whole(at_least=1), default=24)
    random_state: Any = param(seed(), default=0)

    _taught_by_all = ("choice_", "popular_", "lately_")

    def _fit(self, dataset: Dataset) -> None:
        SessionRecommender._fit(self, dataset)
        self._fit_models(dataset)

    def _fit_visits(self, visits: Visits, dataset: Dataset) -> None:
        n_held = int(len(visits) * self.validation)
        self.choice_ = ChoiceModel(hidden=self.hidden, random_state=self.random_state)
        self.examples_ = {"asked": 0, "found": 0}
        late = visits.take(np.arange(len(visits) - n_held, len(visits)))
        early = visits.take(np.arange(len(visits) - n_held))
        self._count_clicks(early)
        features = np.empty((0, len(self._named()) + len(VISIT_FEATURES)), np.float32)
        bounds, chosen = np.zeros(1, np.int64), np.empty(0, np.int64)
        if n_held and len(early):
            self._fit_models(self._without_latest(dataset, n_held))
            features, bounds, chosen = self._examples_of(late)
        self.choice_.fit(features, bounds, chosen)
        self._count_clicks(visits)

    def _count_clicks(self, visits: Visits) -> None:
        """Count each item's clicks: all alike, and each less by a share for every later one."""
        n, n_items = len(visits.items), len(self.items_)
        self.memory_: float = max(1.0, _LATE * n)
        self.unit_: float = 1.0
        self.popular_: Floats = np.bincount(visits.items, minlength=n_items).astype(np.float32)
        fading = np.power(1 + 1 / self.memory_, -np.arange(n - 1.0, -1, -1))
        lately = np.bincount(visits.items, fading, minlength=n_items)
        self.lately_: Floats = lately.astype(np.float32)

    def _without_latest(self, dataset: Dataset, n_held: int) -> Dataset:
        """Return the dataset without the latest visits, and without rows that are no click.

        When these came is not asked: late impressions and returns would tell of later days.
        """
        number = visit_of_rows(dataset, self.gap_ms_)
        return dataset.take((number >= 0) & (number <= number.max(initial=-1) - n_held))

    def _examples_of(self, visits: Visits) -> tuple[Floats, Array, Array]:
        """Ask about clicks of visits, and describe the candidates where the click is among them."""
        starts, ends = _clicks_with_a_past(visits)
        random = generator(self.random_state)
        if len(ends) > self.examples:
            some = np.sort(random.choice(len(ends), self.examples, replace=False))
            starts, ends = starts[some], ends[some]
        nows = visits.ends[np.searchsorted(visits.bounds, ends, side="right") - 1]

        def block(first: int, last: int) -> list[tuple[Floats, int]]:
            found = []
            for place in range(first, last):
                visit = visits.items[starts[place] : ends[place]]
                candidates, features = self._described(visit, _moment(nows[place]))
                chosen = np.flatnonzero(candidates == visits.items[ends[place]])
                if len(chosen):
                    found.append((features, int(chosen[0])))
            return found

        parts = run_blocks(block, cut(len(ends), _VISITS_PER_BLOCK))
        rows = [row for part in parts for row in part]
        self.examples_ = {"asked": len(ends), "found": len(rows)}
        width = len(self._models) + len(VISIT_FEATURES)
        if not rows:
            return np.empty((0, width), np.float32), np.zeros(1, np.int64), np.empty(0, np.int64)
        features, chosen = zip(*rows, strict=True)
        sizes = [len(part) for part in features]
        return (
            np.concatenate(features),
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            np.array(chosen, np.int64),
        )

    def _opinions(self, visit: Indices, now: int | None) -> Opinions:
        candidates, features = self._described(visit, now)
        if not len(candidates):
            return Opinions(candidates, np.empty(0, np.float32))
        utility = self._utilities(features)
        chance = np.exp(utility - utility.max())
        return Opinions(candidates, chance / chance.sum())

    def _utilities(self, features: Floats) -> Floats:
        if self.examples_["found"]:
            return self.choice_.utilities(features)
        n_models = len(self._models)
        mean: Floats = np.exp(features[:, :n_models]).mean(axis=1)
        return np.log(mean)

    def _described(self, visit: Indices, now: int | None) -> tuple[Indices, Floats]:
        """Return the candidates, ascending, and their features."""
        n_models = len(self._models)
        pool = min(self.pool, len(self.items_))
        items, scores = np.empty((n_models, pool), np.int32), np.empty((n_models, pool), np.float32)
        counts = np.empty(n_models, np.int64)
        open_to = np.zeros(len(self.items_), np.bool_)
        for row, model in enumerate(self._models.values()):
            said = model._opinions(visit, now)
            counts[row] = select_listed(items[row], scores[row], *said, _NONE, open_to)
        found = [line[:count] for line, count in zip(items, counts, strict=True)]
        candidates: Indices = np.unique(np.concatenate(found))
        n = len(candidates)
        features = np.empty((n, n_models + len(VISIT_FEATURES)), np.float32)
        describe_opinions(features, candidates, items, scores, counts, n)
        describe_visit(
            features, candidates, visit, self.popular_, self.lately_, self.unit_, n_models, n
        )
        return candidates, features

    def _learn(self, rows: Interactions) -> None:
        SessionRecommender._learn(self, rows)
        Composite._learn(self, rows)

    def _learn_clicks(self, clicks: Clicks) -> None:
        self.popular_ = with_room(self.popular_, len(self.items_))
        self.lately_ = with_room(self.lately_, len(self.items_))
        for item in clicks.items[clicks.counts >= 0].tolist():
            self.popular_[item] += 1
            self.unit_ *= 1 + 1 / self.memory_
            self.lately_[item] += self.unit_
            if self.unit_ > _LARGEST_UNIT:
                self.lately_ /= np.float32(self.unit_)
                self.unit_ = 1.0

    def _reasons(
        self, visit: Indices, item: int, now: int | None
    ) -> list[tuple[str, int | None, float]]:
        """Share a candidate's chance among what speaks for it and against it."""
        candidates, features = self._described(visit, now)
        utility = self._utilities(features)
        chance = np.exp(utility - utility.max())
        row = int(np.flatnonzero(candidates == item)[0])
        score = float(chance[row] / chance.sum())
        names = (*self._models, *VISIT_FEATURES)
        if not self.examples_["found"]:
            return [("equal weights", None, score)]
        parts, rest = self.choice_.contributions(features[row])
        # Chances do not add up; each part counts its share of the utility.
        shares = np.append(parts, rest)
        total = float(shares.sum())
        if abs(total) < 1e-9:
            return [("no feature stands out", None, score)]
        return [
            (name, None, score * float(share) / total)
            for name, share in zip((*names, "whatever it is"), shares, strict=True)
            if share
        ]

    def _check_learned(self) -> None:
        super()._check_learned()
        if not all(isinstance(model, SessionRecommender) for model in self._models.values()):
            raise DataError("SessionBlend: models_ must be session models.")
        if not isinstance(self.choice_, ChoiceModel):
            raise DataError("SessionBlend: choice_ is none.")
        counted: Any = self.examples_
        if not isinstance(counted, dict) or not {"asked", "found"} <= counted.keys():
            raise DataError("SessionBlend: examples_ must say how many were asked and found.")
        self.choice_.require(len(self._models) + len(VISIT_FEATURES))
        for name in ("popular_", "lately_"):
            clicks = getattr(self, name)
            require_array(clicks, np.float32, (None,), name)
            if not ((clicks >= 0) & (clicks < np.inf)).all():
                raise DataError(f"SessionBlend: {name} must be finite numbers of at least 0.")
        for name in ("unit_", "memory_"):
            check(getattr(self, name), real(above=0), "SessionBlend", name)


def _moment(time: int) -> int | None:
    return None if time == MISSING_TIME else int(time)


def _clicks_with_a_past(visits: Visits) -> tuple[Array, Array]:
    """Return where the visit of every click that is not its first begins, and the click."""
    sizes = np.diff(visits.bounds)
    starts = np.repeat(visits.bounds[:-1], sizes)
    ends = np.arange(len(starts))
    asked = ends > starts
    return starts[asked], ends[asked]
