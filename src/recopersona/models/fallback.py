"""One model after another: who has something to say comes first, and nobody gets a short list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from recopersona.base.composite import MODELS, Composite
from recopersona.base.parameters import param
from recopersona.base.recommender import Recommender
from recopersona.data.dataset import Dataset
from recopersona.data.event import ALL_EVENTS
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Floats, Id, Indices, Mask

_KEEP_SEEN = 0
_LEAST = np.float32(1e-30)


class Fallback(Composite):
    """Fill a list with what the first model has to say, then the second, and so on.

    Each model ranks as it would alone, and is asked only where those before it left a list short.
    Every row names the model it came from as its source; ``ranking.effects`` say who filled how
    many places, and why. What is still missing at the end comes from everybody's favourites,
    ``fallback: popularity``, so a list is never short; where all models are pipelines with rules,
    only what one of those may show.

    The scores of later models are moved below those of the models before them, in their order and
    on a scale that suits what is above.

    Parameters
    ----------
    models : list of models, or of (name, model) pairs
        In the order in which they are asked. A model without a name is called like its class in
        lower case; parameters of a part are reached as ``popularity__half_life``. The models given
        stay unfitted; their clones are fitted.

    Attributes
    ----------
    models_ : dict from name to fitted model

    Notes
    -----
    Where the same model gives an item a score and another item none, only the first counts as its
    opinion: `Popularity` and `SegmentPopularity` have one about every item, and belong at the end.

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.models.neighbors import ItemKNN
    >>> from recopersona.models.popularity import Popularity
    >>> events = pd.DataFrame({
    ...     "user_id": [1, 1, 2, 2, 3, 4, 4],
    ...     "item_id": ["tea", "honey", "tea", "honey", "salt", "salt", "oil"],
    ... })
    >>> model = Fallback(models=[ItemKNN(), Popularity()]).fit(events)
    >>> ranking = model.recommend(Query(session=["tea"]), n=2)
    >>> ranking.item_ids, ranking.sources
    (['honey', 'salt'], ['ItemKNN', 'Popularity'])
    >>> ranking.effects
    ('ItemKNN had 1 of 2 items', 'Popularity filled 1')
    """

    _parts_parameter: ClassVar[str] = "models"

    models: Sequence[Any] = param(MODELS, default=())

    def _fit(self, dataset: Dataset) -> None:
        self._fit_models(dataset)

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's score by the first model with an opinion, float32 (n_items,)."""
        return self._layered([model.score_items(query, items) for model in self._models.values()])

    def _similar(self, item: int) -> Floats:
        return self._layered([model._similar(item) for model in self._models.values()])

    def _layered(self, opinions: Sequence[Floats]) -> Floats:
        """Put what each model says below what those before it said."""
        scores = self._padded(opinions[0]).copy()
        for opinion in opinions[1:]:
            theirs = self._padded(opinion)
            fresh = np.isfinite(theirs) & ~np.isfinite(scores)
            if fresh.any():
                known = scores[np.isfinite(scores)]
                low = known.min() if len(known) else None
                scores[fresh] = below(low, theirs[fresh])
        return scores

    def _rank(
        self,
        queries: Sequence[Query],
        n: int,
        seen: int,
        eligible: Mask | None = None,
        fill: bool = True,
    ) -> list[Ranking]:
        wanted = min(n, len(self.items_))
        rankings = [
            Ranking.of([], [], self.items_, name) for name in [self._label(0)] * len(queries)
        ]
        said: list[list[str]] = [[] for _ in queries]
        for place, model in enumerate(self._models.values()):
            short = [row for row, ranking in enumerate(rankings) if len(ranking) < wanted]
            if not short:
                break
            # Some of a model's best may be there already, so it is asked for as many more.
            most = wanted + max(len(rankings[row]) for row in short)
            lists = model._rank([queries[row] for row in short], most, seen, eligible, fill=False)
            for row, found in zip(short, lists, strict=True):
                before = len(rankings[row])
                rankings[row] = _followed(rankings[row], found, wanted, self._label(place), model)
                gained = len(rankings[row]) - before
                label = self._label(place)
                said[row].append(
                    f"{label} had {gained} of {wanted} items" if not place
                    else f"{label} filled {gained}"
                )  # fmt: skip
        return [
            self._finished(query, ranking, wanted, seen, eligible, fill, told)
            for query, ranking, told in zip(queries, rankings, said, strict=True)
        ]

    def _finished(
        self,
        query: Query,
        ranking: Ranking,
        wanted: int,
        seen: int,
        eligible: Mask | None,
        fill: bool,
        told: Sequence[str],
    ) -> Ranking:
        if fill and len(ranking) < wanted:
            blocked = np.zeros(len(self.items_), np.bool_) if eligible is None else ~eligible
            allowed = self._allowed(query)
            blocked = blocked if allowed is None else blocked | ~allowed
            ranking = self._filled(ranking, self._excluded(query, seen), wanted, blocked)
        short = told if len(told) > 1 else ()  # the first model alone is no news
        return replace(ranking, effects=(*self._unknowns(query), *short))

    def _allowed(self, query: Query) -> Mask | None:
        """Return what at least one of the models may show."""
        together = None
        for model in self._models.values():
            allowed = model._allowed(query)
            if allowed is None:
                return None
            together = allowed if together is None else together | allowed
        return together

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        for seen in (ALL_EVENTS, _KEEP_SEEN):  # as it was recommended; else as if it were not seen
            ranking = self._rank([query], len(self.items_), seen, fill=False)[0]
            place = np.flatnonzero(ranking.items == item)
            if len(place):
                source, score = ranking.sources[place[0]], float(ranking.scores[place[0]])
                return self._reasons(query, item, source, score)
        return []

    def _reasons(
        self, query: Query, item: int, source: str, score: float
    ) -> list[tuple[str, Id | None, float]]:
        """Let the model explain itself, unless its score was moved."""
        for model in self._models.values():
            own = model._padded(model.score_items(query))[item]
            if np.isfinite(own):
                as_it_was = np.isclose(own, score, rtol=1e-5, atol=0)
                return model._explain(query, item) if as_it_was else [(source, None, score)]
        return [(source, None, score)]

    def _label(self, place: int) -> str:
        """Name a model as a source: by its class, or as it was named."""
        name, model = list(self._models.items())[place]
        kind = type(model).__name__
        return kind if name == kind.lower() else name


def below(low: np.float32 | None, scores: Floats) -> Floats:
    """Move scores below another, in their order: the best comes half of its size further down."""
    if low is None:
        return scores
    best = scores.max()
    apart = (best - scores) / np.maximum(np.abs(best), _LEAST)
    step = np.maximum(np.float32(1), np.abs(low)) / 2
    moved: Floats = (low - step * (1 + apart)).astype(np.float32)
    return np.maximum(moved, np.finfo(np.float32).min)


def _followed(ranking: Ranking, found: Ranking, n: int, label: str, model: Recommender) -> Ranking:
    """Fill a ranking with those of another that it lacks."""
    fresh = found.take(~np.isin(found.items, ranking.items)).top(n - len(ranking))
    if not len(fresh):
        return ranking
    low = ranking.scores.min() if len(ranking) else None
    # In the order found: a pipeline's rules may put what scores less before what scores more.
    moved = replace(fresh, scores=below(low, fresh.scores))
    sources = moved.sources if isinstance(model, Composite) else [label] * len(moved)
    names = tuple(dict.fromkeys((*ranking.source_names, *sources)))
    codes = np.array([names.index(source) for source in sources], np.int8)
    return replace(
        ranking,
        items=np.concatenate([ranking.items, moved.items]),
        scores=np.concatenate([ranking.scores, moved.scores]),
        source_names=names,
        source=np.concatenate([ranking.source, codes]),
    )
