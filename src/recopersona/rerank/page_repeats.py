"""Several lists on one page, and nothing on it twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, overload

import pandas as pd

from recopersona.base.parameters import Bound, check, whole
from recopersona.data.ids import is_missing
from recopersona.data.ranking import Ranking
from recopersona.data.types import Id
from recopersona.errors import DataError, ParameterError

Name = TypeVar("Name", bound=Hashable)

_MOST_NAMED = 3  # items that an effect names, before it counts the others

_N = Bound(
    "an integer of at least 0, or one for each ranking",
    lambda value: whole(at_least=0).holds(value) or isinstance(value, (Mapping, Sequence)),
)


@overload
def without_repeats(
    rankings: Mapping[Name, Ranking], n: Any = 10, by: Any = None
) -> dict[Name, Ranking]: ...


@overload
def without_repeats(rankings: Sequence[Ranking], n: Any = 10, by: Any = None) -> list[Ranking]: ...


def without_repeats(rankings: Any, n: Any = 10, by: Any = None) -> Any:
    """Cut several rankings of one page so that no item is on the page twice.

    Rankings choose in order of priority: what stands in an earlier one is passed over in those
    after it, and what comes next moves up. Only where a later one would run out of items does an
    earlier one give some up, the lowest that it can replace: so all lists are full whenever the
    rankings together hold enough to fill them.

    Parameters
    ----------
    rankings : mapping from name to Ranking, or sequence of rankings
        The most important first, each longer than needed: ``n`` times the number of rankings is
        always enough. They may come of different models and pipelines of one shop.
    n : int, or one for each ranking
        How many items each shows, a mapping by the same names, or a sequence.
    by : mapping or Series from item id to group, optional
        What counts as the same besides the item itself: with
        ``catalogue.set_index("item_id")["product_group"]``, no two sizes of one shirt are on the
        page. Items without a group count by themselves.

    Returns
    -------
    The rankings under the same names, or in the same order. Their ``effects`` say what was passed
    over, given up, and what is missing. Scores, reasons and decision ids stay.

    Raises
    ------
    ParameterError
        If something else was given.
    DataError
        If ``by`` names an item twice, or a group is not one value.

    Notes
    -----
    Rules hold of the lists as their pipelines made them; what moves up may break a cap of its own
    row. Time: linear in the items looked at; each item given up costs a walk over the rankings.

    Examples
    --------
    >>> from recopersona.data.ids import IdMap
    >>> ids = IdMap(["tea", "honey", "salt", "oil"])
    >>> a = Ranking.of([0, 1, 2], [0.9, 0.8, 0.7], ids, "ALS")
    >>> b = Ranking.of([1, 0, 3, 2], [0.5, 0.4, 0.3, 0.2], ids, "Trending")
    >>> page = without_repeats({"for you": a, "new": b}, n=2)
    >>> {name: row.item_ids for name, row in page.items()}
    {'for you': ['tea', 'honey'], 'new': ['oil', 'salt']}
    >>> page["new"].effects
    ("passed over 2 that stand in 'for you': 'honey', 'tea'",)
    """
    named = isinstance(rankings, Mapping)
    if not named and (isinstance(rankings, (str, Ranking)) or not isinstance(rankings, Sequence)):
        raise ParameterError(
            "without_repeats takes several rankings, a mapping by name or a list, "
            f"got {type(rankings).__name__}."
        )
    held = list(rankings.values()) if named else list(rankings)
    names = list(rankings) if named else list(range(1, len(held) + 1))
    for name, ranking in zip(names, held, strict=True):
        if not isinstance(ranking, Ranking):
            raise ParameterError(
                f"without_repeats takes rankings, got {type(ranking).__name__} for {name!r}."
            )
    group_of = _grouping(by)
    rows = [
        _Row(repr(name) if named else f"ranking {name}", ranking, size, group_of)
        for name, ranking, size in zip(names, held, _sizes(n, names, named), strict=True)
    ]
    _fill(rows)
    shown = [row.shown(rows) for row in rows]
    return dict(zip(names, shown, strict=True)) if named else shown


@dataclass(eq=False)
class _Move:
    """An item that one row gives up for another."""

    giver: _Row
    taker: _Row
    key: Id


class _Row:
    """One ranking: for each distinct key its best place, and which of them it shows."""

    def __init__(self, name: str, ranking: Ranking, size: int, group_of: Callable[[Id], Id]):
        self.name, self.ranking, self.size = name, ranking, size
        self.place: dict[Id, int] = {}
        for place, item in enumerate(ranking.item_ids):
            self.place.setdefault(group_of(item), place)
        self.chosen: set[Id] = set()
        self.given: list[_Move] = []

    def is_full(self) -> bool:
        return len(self.chosen) >= self.size

    def free(self, owner: Mapping[Id, _Row]) -> Id | None:
        """Return the best key that nobody shows."""
        return next((key for key in self.place if key not in owner), None)

    def shown(self, rows: Sequence[_Row]) -> Ranking:
        """Return the ranking as it is on the page."""
        places = sorted(self.place[key] for key in self.chosen)
        page = self.ranking.take(places)
        return replace(page, effects=(*self.ranking.effects, *self._effects(places, rows)))

    def _effects(self, places: list[int], rows: Sequence[_Row]) -> Iterator[str]:
        if not self.size:
            return
        items = self.ranking.item_ids
        last = places[-1] if len(places) == self.size else len(items)
        above = [key for key, place in self.place.items() if place < last]
        for other in rows:
            gone = [key for key in above if other is not self and key in other.chosen]
            given = {move.key for move in self.given if move.taker is other}
            passed = [items[self.place[key]] for key in gone if key not in given]
            left = [items[self.place[key]] for key in gone if key in given]
            if passed:
                yield f"passed over {len(passed)} that stand in {other.name}: {_listed(passed)}"
            if left:
                yield f"left {len(left)} to {other.name}, which had no others: {_listed(left)}"
        alike = last - len(above)
        if alike:
            yield f"passed over {alike} of a group that stands higher up"
        if len(places) < self.size:
            yield f"only {len(places)} of {self.size} places are filled: all else is on the page"


def _fill(rows: Sequence[_Row]) -> None:
    """Let rows choose in turn; who finds nothing asks those before, and they those before them."""
    owner: dict[Id, _Row] = {}
    for row in rows:
        for key in row.place:
            if row.is_full():
                break
            if key not in owner:
                _give(owner, row, key)
        while not row.is_full():
            if not _asked_for(row, owner):
                break


def _asked_for(row: _Row, owner: dict[Id, _Row]) -> bool:
    """Get one more key for a row, by the shortest chain of rows that give one up."""
    came: dict[_Row, _Move | None] = {row: None}
    waiting = deque([row])
    while waiting:
        asking = waiting.popleft()
        key = asking.free(owner)
        if key is not None:
            _handed_on(owner, asking, key, came)
            return True
        # The lowest of each row is asked for first: it is the least loss there.
        wanted = [key for key in asking.place if key not in asking.chosen]
        for key in sorted(wanted, key=lambda key: -owner[key].place[key]):
            giver = owner[key]
            if giver not in came:
                came[giver] = _Move(giver, asking, key)
                waiting.append(giver)
    return False


def _handed_on(
    owner: dict[Id, _Row], row: _Row, key: Id, came: Mapping[_Row, _Move | None]
) -> None:
    """Give a free key to the last of a chain, who gives up one for who asked, and so on."""
    _give(owner, row, key)
    move = came[row]
    while move is not None:
        move.giver.chosen.discard(move.key)
        move.giver.given.append(move)
        _give(owner, move.taker, move.key)
        move = came[move.taker]


def _give(owner: dict[Id, _Row], row: _Row, key: Id) -> None:
    owner[key] = row
    row.chosen.add(key)


def _sizes(n: Any, names: list[Any], named: bool) -> list[int]:
    check(n, _N, "without_repeats", "n")
    if isinstance(n, Mapping) and named:
        missing = [name for name in names if name not in n]
        if missing:
            raise ParameterError(f"without_repeats: n says nothing of {missing[0]!r}.")
        sizes = [n[name] for name in names]
    elif isinstance(n, Sequence):
        sizes = list(n)
        if len(sizes) != len(names):
            raise ParameterError(
                f"without_repeats: n must be one integer for each of {len(names)} rankings, "
                f"got {len(sizes)}."
            )
    elif isinstance(n, Mapping):
        raise ParameterError("without_repeats: n by name needs rankings by name, got a list.")
    else:
        sizes = [n] * len(names)
    for size in sizes:
        check(size, whole(at_least=0), "without_repeats", "n")
    return sizes


def _grouping(by: Any) -> Callable[[Id], Id]:
    """Return what makes two items the same: their group, else the item itself."""
    if by is None:
        return lambda item: (False, item)
    if isinstance(by, pd.Series):
        if not by.index.is_unique:
            raise DataError("without_repeats: by names an item twice; drop_duplicates first.")
        by = by.to_dict()
    if not isinstance(by, Mapping):
        example = by if isinstance(by, str) else "product_group"
        raise ParameterError(
            f"without_repeats: by must map item ids to groups, got {by!r}; "
            f"try catalogue.set_index('item_id')[{example!r}]."
        )
    groups: Mapping[Id, Any] = by

    def group_of(item: Id) -> Id:
        group = groups.get(item)
        if not isinstance(group, Hashable):
            raise DataError(
                f"without_repeats: a group must be one value, got {group!r} for {item!r}."
            )
        return (False, item) if is_missing(group) else (True, group)

    return group_of


def _listed(items: list[Id]) -> str:
    named = ", ".join(map(repr, items[:_MOST_NAMED]))
    return named if len(items) <= _MOST_NAMED else f"{named} and {len(items) - _MOST_NAMED} more"
