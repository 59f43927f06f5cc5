"""What a page may be wanted for in this shop: objectives by name, and what tells items apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sklearn.base import clone

from recopersona.base.parameters import Bound
from recopersona.data.dataset import Dataset
from recopersona.data.times import MISSING_TIME
from recopersona.rerank.arms import DIVERSITY, OBJECTIVES, RELEVANCE
from recopersona.rerank.freshness import Freshness
from recopersona.rerank.objective import Objective
from recopersona.rerank.serendipity import Serendipity
from recopersona.rerank.vectors import ItemVectors


def _are_objectives(value: Any) -> bool:
    if isinstance(value, Mapping):
        names = all(isinstance(name, str) for name in value)
        taken = RELEVANCE in value or DIVERSITY in value
        return names and not taken and all(isinstance(one, Objective) for one in value.values())
    return isinstance(value, (list, tuple)) and all(one in OBJECTIVES for one in value)


WANTED = Bound(
    "a list of 'relevance', 'diversity', 'freshness' and 'serendipity', or a mapping from other "
    "names to objectives such as Freshness()",
    _are_objectives,
)
"""What a parameter that names objectives must be."""


def fitted_objectives(
    given: Any, weighed: Iterable[str] | None, vectors: Any, dataset: Dataset
) -> dict[str, Objective]:
    """Return the objectives by name but for relevance and diversity, fitted.

    given    the parameter
    weighed  the names that some arm weighs, None where arms go by what there is: what nobody
             weighs need not be learned
    vectors  what tells unlike items from alike ones
    """
    if isinstance(given, Mapping):
        wanted = dict(given)
    else:
        known: dict[str, Objective] = {
            "freshness": Freshness(), "serendipity": Serendipity(vectors=vectors),
        }  # fmt: skip
        asked = OBJECTIVES if given is None else tuple(given)
        if given is None and not _has_times(dataset):
            asked = tuple(name for name in asked if name != "freshness")
        wanted = {name: known[name] for name in asked if name in known}
    if weighed is not None:
        names = set(weighed)
        wanted = {name: one for name, one in wanted.items() if name in names}
    return {name: clone(one).fit(dataset) for name, one in wanted.items()}


def fitted_vectors(
    given: Any, objectives: Mapping[str, Objective], vectors: Any, dataset: Dataset
) -> ItemVectors | None:
    """Return what diversity goes by; None where it is not asked for, or nothing is known.

    Where serendipity goes by the same vectors, they are made once.
    """
    if isinstance(given, (list, tuple)) and DIVERSITY not in given:
        return None
    for one in objectives.values():
        if isinstance(one, Serendipity) and one.vectors is vectors:
            found = one.item_vectors_
            break
    else:
        found = ItemVectors(vectors=vectors).fit(
            dataset.items, dataset.item_features, dataset.interactions
        )
    return found if given is not None or found.vectors_.any() else None


def _has_times(dataset: Dataset) -> bool:
    times = dataset.interactions.timestamp
    dated = times is not None and bool((times != MISSING_TIME).any())
    return dated or "created_at" in dataset.item_features
