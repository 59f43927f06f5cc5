"""The question: who is asking, where, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recopersona.data.times import moment_ms
from recopersona.data.types import Id
from recopersona.errors import DataError


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
        of whatever the model has stored for ``user_id``.
    seed : item id or sequence of item ids
        The item(s) whose page this is.
    context : mapping
        Anything known about the request: page, device, country.
    now : datetime, str or int, optional
        When the question is asked (integers are milliseconds UTC). Part of the question, so that
        an answer can be replayed; where it is left out, the end of the model's data is meant.
    decision_id : str, optional
        Names the decision in the log; one is made up where there is none.

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

    def __post_init__(self) -> None:
        # Whatever list was given, the question itself cannot be changed afterwards.
        object.__setattr__(self, "session", _as_tuple(self.session, "session"))
        seed = self.seed if isinstance(self.seed, (list, tuple)) else (self.seed,)
        object.__setattr__(self, "seed", tuple(seed))
        if self.history is not None and not isinstance(self.history, Mapping):
            object.__setattr__(self, "history", _as_tuple(self.history, "history"))
        if self.now is not None:
            object.__setattr__(self, "now", moment_ms(self.now))

    @property
    def page_items(self) -> tuple[Id, ...]:
        """The items whose page this is."""
        return self.seed if isinstance(self.seed, tuple) else (self.seed,)

    @classmethod
    def of(cls, asked: Any) -> Query:
        """Return a query as it is, and anything else as the query of that user."""
        return asked if isinstance(asked, Query) else cls(user_id=asked)


def _as_tuple(items: Any, name: str) -> tuple[Id, ...]:
    if isinstance(items, str) or not hasattr(items, "__iter__"):
        raise DataError(
            f"Query: {name} must be a list of item ids, got {items!r}; write [{items!r}]."
        )
    return tuple(items)
