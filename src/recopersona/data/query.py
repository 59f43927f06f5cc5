"""The question: who is asking, where, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recopersona.data.event import is_weight
from recopersona.data.ids import is_missing
from recopersona.data.times import moment_ms
from recopersona.data.types import Id
from recopersona.errors import DataError, shown

_PLAIN = frozenset([str, int])


@dataclass(frozen=True)
class Query:
    """One request for a page: home, product, cart and search pages are all this.

    Parameters
    ----------
    user_id : id, optional
        None for an anonymous visitor; an id nobody knows is answered too.
    session : sequence of item ids
        The items of the current visit, oldest first.
    history : sequence of item ids, or mapping from item id to weight, optional
        The past of a visitor whom the model does not know but the caller does. It takes the place
        of the taste that the model has stored for ``user_id``; the items stored for that user are
        still left out as seen. Weights are finite numbers of at least 0.
    seed : item id or sequence of item ids
        The item(s) whose page this is.
    context : mapping
        Anything known about the request: page, device, country.
    now : datetime, str or int, optional
        When the question is asked (integers are milliseconds UTC). Part of the question, so that
        an answer can be replayed; where it is left out, the end of the model's data is meant.
    decision_id : str, optional
        Names the decision in the log; one is made up where there is none.
    params : mapping
        Values for the ``$names`` that rules speak of.
    refused : str, optional
        Why the visitor may not be known, such as ``"declined in the banner"``, where the request
        itself says so; a gate writes it too. Then only page and context count.

    Raises
    ------
    DataError
        If a part is not what it should be, such as one item in place of a list.

    Examples
    --------
    >>> Query(user_id="u-17", session=["sku-3"], context={"page": "cart"}).session
    ('sku-3',)
    >>> Query.of("u-17") == Query(user_id="u-17")
    True
    """

    user_id: Id | None = None
    session: Sequence[Id] = ()
    history: Sequence[Id] | Mapping[Id, float] | None = None
    seed: Id | Sequence[Id] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    now: Any = None
    decision_id: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    refused: str | None = None

    def __post_init__(self) -> None:
        # Whatever list was given, the question itself cannot be changed afterwards.
        read = {
            "session": _item_ids(self.session, "session"),
            "history": _past(self.history),
            "seed": _page(self.seed),
            "context": _mapping(self.context, "context", {"page": "cart"}),
            "params": _mapping(self.params, "params", {"floor": 0.2}),
            "now": None if self.now is None else moment_ms(self.now),
        }
        if type(self.user_id) not in _PLAIN and is_missing(self.user_id):
            read["user_id"] = None
        if not isinstance(self.decision_id, str | None):
            raise DataError(f"Query: decision_id must be text, got {shown(self.decision_id)}.")
        if not isinstance(self.refused, str | None):
            raise DataError(
                "Query: refused must say why in words, such as 'declined', "
                f"got {shown(self.refused)}."
            )
        for name, value in read.items():
            object.__setattr__(self, name, value)

    @property
    def page_items(self) -> tuple[Id, ...]:
        """The items whose page this is."""
        return self.seed if isinstance(self.seed, tuple) else (self.seed,)

    @classmethod
    def of(cls, asked: Any) -> Query:
        """Return a query as it is, and anything else as the query of that user.

        Raises
        ------
        DataError
            If several are asked about.
        """
        if isinstance(asked, Query):
            return asked
        if isinstance(asked, Iterable) and not isinstance(asked, (str, bytes)):
            raise DataError(
                f"recommend answers one visitor, got a {type(asked).__name__}; "
                "for several call recommend_many."
            )
        return cls(user_id=asked)


def _item_ids(items: Any, name: str) -> tuple[Id, ...]:
    """Read many item ids; none where there is None."""
    if type(items) is tuple:
        return items
    if items is None:
        return ()
    if isinstance(items, (Query, Mapping)) or hasattr(items, "columns"):
        raise DataError(
            f"Query: {name} must be a list of item ids, got a {type(items).__name__}; "
            "pass the ids, such as frame['item_id']."
        )
    if isinstance(items, (str, bytes)) or not isinstance(items, Iterable) or _is_0d(items):
        raise DataError(
            f"Query: {name} must be a list of item ids, got {items!r}; write [{items!r}]."
        )
    return tuple(items.tolist() if isinstance(items, np.ndarray) else items)


def _is_0d(items: Any) -> bool:
    return isinstance(items, np.ndarray) and items.ndim == 0


def _past(history: Any) -> tuple[Id, ...] | dict[Id, float] | None:
    if history is None:
        return None
    if not isinstance(history, Mapping):
        return _item_ids(history, "history")
    for item, weight in history.items():
        if not is_weight(weight):
            raise DataError(
                f"Query: history[{item!r}] must be a finite number of at least 0, got {weight!r}."
            )
    return dict(history)


def _page(seed: Any) -> tuple[Id, ...]:
    one_id = isinstance(seed, (str, bytes)) or not isinstance(seed, Iterable)
    if seed is None or not one_id or hasattr(seed, "columns"):
        return _item_ids(seed, "seed")
    return (seed,)


def _mapping(given: Any, name: str, example: Mapping[str, Any]) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise DataError(f"Query: {name} must be a mapping such as {example}, got {given!r}.")
    return dict(given)
