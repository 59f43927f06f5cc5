"""Every metric by its name, and what a person asks for by them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from scipy import sparse

from recopersona.base.parameters import check, whole
from recopersona.data.types import Indices, Values
from recopersona.errors import ParameterError, hint
from recopersona.evaluation.metrics.catalogue import (
    average_popularity,
    coverage,
    gini,
    long_tail_share,
)
from recopersona.evaluation.metrics.exposure import (
    exposure_disparity,
    exposure_gini,
    exposure_largest,
)
from recopersona.evaluation.metrics.judged import Judged
from recopersona.evaluation.metrics.surprise import expected_places, novelty, serendipity
from recopersona.evaluation.metrics.taste import calibration
from recopersona.evaluation.metrics.variety import diversity
from recopersona.kernels import metrics as kernels


@dataclass(frozen=True)
class Asked:
    """One metric at one cut-off."""

    name: str
    k: int
    column: str | None = None

    @property
    def label(self) -> str:
        """What tables call it."""
        column = "" if self.column is None else f"[{self.column}]"
        return f"{self.name}{column}@{self.k}"

    @property
    def per_user(self) -> bool:
        """Whether each user has a value."""
        return self.name not in OVERALL


class _OfHits(NamedTuple):
    """What the kernel writes for a metric, and of which gains."""

    code: int
    gain: str | None = None


HITS: Mapping[str, _OfHits] = {
    "recall": _OfHits(kernels.RECALL),
    "recall_capped": _OfHits(kernels.RECALL_CAPPED),
    "precision": _OfHits(kernels.PRECISION),
    "ndcg": _OfHits(kernels.NDCG),
    "map": _OfHits(kernels.AP),
    "map_capped": _OfHits(kernels.AP_CAPPED),
    "mrr": _OfHits(kernels.RR),
    "hit_rate": _OfHits(kernels.HIT),
    "list_auc": _OfHits(kernels.LIST_AUC),
    "ndcg_graded": _OfHits(kernels.GAIN_NDCG, "weight"),
    "ndcg_exponential": _OfHits(kernels.GAIN_NDCG, "exponential"),
    "revenue": _OfHits(kernels.GAIN, "column"),
    "revenue_share": _OfHits(kernels.SHARE, "column"),
    "revenue_ndcg": _OfHits(kernels.GAIN_NDCG, "column"),
    "margin": _OfHits(kernels.GAIN, "column"),
    "margin_share": _OfHits(kernels.SHARE, "column"),
    "margin_ndcg": _OfHits(kernels.GAIN_NDCG, "column"),
}
"""Metrics of a user's hits, all computed in one walk over the lists."""

PER_LIST: Mapping[str, Callable[[Judged, Asked], Values]] = {
    "novelty": lambda judged, asked: novelty(
        _lists(judged, asked), judged.known_for(asked.name).holders, judged.known_for().n_users
    ),
    "serendipity": lambda judged, asked: _serendipity(judged, asked),
    "diversity": lambda judged, asked: diversity(_lists(judged, asked), _labels(judged, asked)),
    "calibration": lambda judged, asked: calibration(
        _lists(judged, asked), judged.pasts, _labels(judged, asked)
    ),
    "arp": lambda judged, asked: average_popularity(
        _lists(judged, asked), judged.known_for(asked.name).holders
    ),
    "long_tail": lambda judged, asked: long_tail_share(
        _lists(judged, asked), judged.known_for(asked.name).tail
    ),
}
"""Metrics of a user's list and of what was known of its items."""

OVERALL: Mapping[str, Callable[[Judged, Asked], float]] = {
    "coverage": lambda judged, asked: coverage(
        _lists(judged, asked), judged.known_for(asked.name).n_items
    ),
    "gini": lambda judged, asked: gini(_lists(judged, asked), judged.known_for(asked.name).n_items),
    "exposure_gini": lambda judged, asked: exposure_gini(
        _lists(judged, asked), _labels(judged, asked)
    ),
    "exposure_largest": lambda judged, asked: exposure_largest(
        _lists(judged, asked), _labels(judged, asked)
    ),
    "exposure_disparity": lambda judged, asked: exposure_disparity(
        _lists(judged, asked), judged.relevant, _labels(judged, asked)
    ),
}
"""Metrics with one value for all lists together."""

COLUMNS: Mapping[str, str] = {
    "diversity": "category",
    "calibration": "category",
    "exposure_gini": "seller",
    "exposure_largest": "seller",
    "exposure_disparity": "seller",
    "revenue": "price",
    "revenue_share": "price",
    "revenue_ndcg": "price",
    "margin": "margin",
    "margin_share": "margin",
    "margin_ndcg": "margin",
}
"""The item column that a metric reads unless another is named: ``diversity[brand]``."""

PER_USER = (*HITS, *PER_LIST)
"""Names of metrics with one value per user."""

_LESS_IS_BETTER = frozenset(
    {"arp", "calibration", "gini", "exposure_gini", "exposure_largest", "exposure_disparity"}
)
"""Metrics of what is wrong with lists: how popular, one-sided or unequal they are."""

_FORM = re.compile(r"^(?P<name>\w+)(\[(?P<column>[^\]]+)\])?(@(?P<k>\d+))?$")


def less_is_better(label: str) -> bool:
    """Tell whether a metric, such as ``"arp@10"``, measures what is wrong with lists.

    Examples
    --------
    >>> less_is_better("calibration[brand]@10"), less_is_better("ndcg")
    (True, False)
    """
    return re.split(r"[\[@]", label)[0] in _LESS_IS_BETTER


def metric_names(asked: Any) -> tuple[str, ...]:
    """Return the distinct names asked for, in their order.

    Raises
    ------
    ParameterError
        If none is asked for, there is no such metric, or it is no name.

    Examples
    --------
    >>> metric_names("ndgc")
    Traceback (most recent call last):
    recopersona.errors.ParameterError: there is no metric 'ndgc'; did you mean 'ndcg'?
    """
    known = (*PER_USER, *OVERALL)
    if not isinstance(asked, Iterable):
        raise ParameterError(f"metrics must be names such as ['ndcg', 'recall'], got {asked!r}.")
    names = [asked] if isinstance(asked, str) else list(asked)
    if not names:
        raise ParameterError(f"name at least one metric of {', '.join(known)}.")
    for name in names:
        _parsed(name)
    return tuple(dict.fromkeys(names))


def asked_metrics(metrics: Any, k: Any) -> tuple[Asked, ...]:
    """Return every metric at every cut-off asked for, each once.

    Examples
    --------
    >>> [one.label for one in asked_metrics(["ndcg", "recall@50"], [5, 10])]
    ['ndcg@5', 'ndcg@10', 'recall@50']
    """
    cut_offs = cut_offs_of(k)
    found = []
    for name in metric_names(metrics):
        plain, column, own = _parsed(name)
        found += [Asked(plain, cut_off, column) for cut_off in ([own] if own else cut_offs)]
    return tuple(dict.fromkeys(found))


def cut_offs_of(k: Any) -> list[int]:
    """Return one or several cut-offs as a list, each once."""
    given = list(k) if isinstance(k, Iterable) and not isinstance(k, str) else [k]
    if not given:
        raise ParameterError("k must be an integer of at least 1 or a list of them, got none.")
    for cut_off in given:
        check(cut_off, whole(at_least=1), "measure", "k")
    return list(dict.fromkeys(int(cut_off) for cut_off in given))


def _parsed(name: Any) -> tuple[str, str | None, int | None]:
    """Take a name apart: metric, item column, cut-off."""
    parts = _FORM.match(name) if isinstance(name, str) else None
    plain = parts["name"] if parts else name
    known = (*PER_USER, *OVERALL)
    if plain == "auc" or str(plain).startswith("sampled_"):
        raise ParameterError(
            f"{plain} cannot be told from lists, it needs the scores of all items: call "
            f"recopersona.evaluation.metrics.{plain}, or ask for 'list_auc'."
        )
    if parts is None or plain not in known:
        raise ParameterError(f"there is no metric {name!r}{hint(plain, known)}")
    if parts["column"] and plain not in COLUMNS:
        raise ParameterError(f"{plain} reads no item column, got {name!r}; write {plain!r}.")
    k = None if parts["k"] is None else int(parts["k"])
    if k is not None:
        check(k, whole(at_least=1), str(name), "k")
    return plain, parts["column"], k


def _lists(judged: Judged, asked: Asked) -> Indices:
    return judged.lists[:, : asked.k]


def _labels(judged: Judged, asked: Asked) -> sparse.csr_array:
    column = asked.column or COLUMNS[asked.name]
    return judged.known_for(asked.name).labels(column, asked.name)


def _serendipity(judged: Judged, asked: Asked) -> Values:
    hits, lists = judged.hits[:, : asked.k], _lists(judged, asked)
    ranks = judged.known_for(asked.name).popularity_ranks
    found = serendipity(hits, expected_places(lists, ranks, judged.pasts, asked.k))
    spread: Values = found * (lists.shape[1] / asked.k)  # places beyond the width are misses
    return spread
