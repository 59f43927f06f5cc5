"""Every metric by its name, and what a person asks for by them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from recopersona.base.parameters import check, whole
from recopersona.errors import ParameterError, hint
from recopersona.evaluation.metrics.catalogue import coverage
from recopersona.evaluation.metrics.judged import Judged
from recopersona.evaluation.metrics.surprise import novelty
from recopersona.evaluation.metrics.values import Values
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
    "revenue": _OfHits(kernels.GAIN, "price"),
    "revenue_share": _OfHits(kernels.SHARE, "price"),
    "revenue_ndcg": _OfHits(kernels.GAIN_NDCG, "price"),
    "margin": _OfHits(kernels.GAIN, "margin"),
    "margin_share": _OfHits(kernels.SHARE, "margin"),
    "margin_ndcg": _OfHits(kernels.GAIN_NDCG, "margin"),
}
"""Metrics of a user's hits, all computed in one walk over the lists."""

PER_LIST: Mapping[str, Callable[[Judged, Asked], Values]] = {
    "novelty": lambda judged, asked: novelty(
        judged.lists[:, : asked.k],
        judged.trained("novelty").holders,
        judged.trained("novelty").n_users,
    ),
}
"""Metrics of a user's list and of what was known of its items."""

OVERALL: Mapping[str, Callable[[Judged, Asked], float]] = {
    "coverage": lambda judged, asked: coverage(
        judged.lists[:, : asked.k], judged.trained("coverage").n_items
    ),
}
"""Metrics with one value for all lists together."""

PER_USER = (*HITS, *PER_LIST)
"""Names of metrics with one value per user."""

_FORM = re.compile(r"^(?P<name>\w+)(\[(?P<column>[^\]]+)\])?(@(?P<k>\d+))?$")


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
    if parts is None or plain not in known:
        raise ParameterError(f"there is no metric {name!r}{hint(plain, known)}")
    k = None if parts["k"] is None else int(parts["k"])
    if k is not None:
        check(k, whole(at_least=1), str(name), "k")
    return plain, parts["column"], k
