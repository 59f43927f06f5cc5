"""Arms that come and go: which there are, which are eligible, and what is kept of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from recopersona.base.parameters import Bound, optional, param
from recopersona.base.part import Part
from recopersona.data.draw import Draw
from recopersona.data.ids import is_missing, require_id
from recopersona.data.types import Id, Indices
from recopersona.errors import DataError, NotFittedError, did_you_mean

UNKNOWN_ARM, REMOVED_ARM = -1, -2
"""In the place of the place of an arm."""

ARMS = optional(
    Bound(
        "a list of distinct arms",
        lambda value: not isinstance(value, (str, bytes)) and len(set(value)) == len(list(value)),
    )
)


class Roster(Part):
    """What a `Policy` knows about its arms, whatever it learns about them.

    A subclass writes ``_open()``, which makes the state where there is none, and keeps what it
    learns in arrays with one column per arm, named in ``_by_arm``, or else writes ``_joined(n)``
    and ``_left(place)``.

    Attributes
    ----------
    arms_, removed_ : list of ids
    counts_ : dict from str to int
    """

    arms_: list[Id]
    removed_: list[Id]
    counts_: dict[str, int]
    _places: dict[Id, int]
    _everyone: tuple[tuple[Id, ...], Indices]

    _by_arm: ClassVar[tuple[str, ...]] = ()
    """Learned arrays with one column per arm."""

    arms: Sequence[Id] | None = param(ARMS, default=None)

    def _open(self) -> None:
        raise NotImplementedError(f"{type(self).__name__} must write _open(self).")

    def _index(self) -> None:
        """Make what is looked up, from the state."""
        everyone = np.arange(len(self.arms_), dtype=np.int32)
        self._everyone = tuple(self.arms_), everyone
        self._places = {arm: place for place, arm in enumerate(self.arms_)}

    # -- which there are -----------------------------------------------------------------------

    def _eligible(self, arms: Iterable[Id] | None) -> tuple[tuple[Id, ...], Indices]:
        """Return arms and their places."""
        self._open()
        if arms is None:
            if not self.arms_:
                name = type(self).__name__
                raise NotFittedError(f"this {name} has no arms; pass {name}(arms=[...]).")
            return self._everyone
        if isinstance(arms, (str, bytes)):
            raise DataError(f"arms must be a list of arms, got {arms!r}; write [{arms!r}].")
        ids = tuple(arms)
        places = np.array([self._place_of(arm) for arm in ids], np.int32)
        if not len(places):
            raise DataError("no arm is eligible; pass at least one in arms=[...].")
        if len(set(ids)) < len(ids):
            raise DataError(f"arms must be distinct, got {list(ids)}.")
        return ids, places

    def _place_of(self, arm: Any) -> int:
        if isinstance(arm, Draw):
            raise DataError(f"expected an arm, got the whole draw; pass draw.arm, {arm.arm!r}.")
        place = self._place_or_less(arm)
        if place == REMOVED_ARM:
            raise DataError(f"the arm {arm!r} was removed; add it again with add_arm({arm!r}).")
        if place == UNKNOWN_ARM:
            hint = did_you_mean(arm, [one for one in self.arms_ if isinstance(one, str)])
            raise DataError(f"there is no arm {arm!r}{hint or f'; add it with add_arm({arm!r}).'}")
        return place

    def _find(self, arm: Any) -> int | None:
        """Return the place of an arm to learn of; None, and counted, where it was removed."""
        if self._place_or_less(arm) == REMOVED_ARM:
            self._count("removed_arm", 1)
            return None
        return self._place_of(arm)

    def _place_or_less(self, arm: Any) -> int:
        try:
            place = self._places.get(arm, UNKNOWN_ARM)
            return REMOVED_ARM if place == UNKNOWN_ARM and arm in self.removed_ else place
        except TypeError:  # not hashable, so no id
            return UNKNOWN_ARM

    # -- coming and going ----------------------------------------------------------------------

    def add_arm(self, *arms: Id) -> Self:
        """Let arms join, of which nothing is known; one that was removed starts afresh."""
        self._open()
        for arm in arms:
            require_id(arm)
            if arm in self._places:
                raise DataError(f"there is an arm {arm!r} already.")
        if len(set(arms)) < len(arms):
            raise DataError(f"arms must be distinct, got {list(arms)}.")
        for name in self._by_arm:
            held = getattr(self, name)
            room = np.zeros((*held.shape[:-1], len(arms)), held.dtype)
            setattr(self, name, np.concatenate([held, room], axis=-1))
        self._joined(len(arms))
        self.arms_ = [*self.arms_, *arms]
        self.removed_ = [arm for arm in self.removed_ if arm not in arms]
        self._index()
        return self

    def remove_arm(self, arm: Id) -> Self:
        """Let an arm go; rewards that still come for it are counted, and change nothing."""
        self._open()
        place = self._place_of(arm)
        for name in self._by_arm:
            setattr(self, name, np.delete(getattr(self, name), place, axis=-1))
        self._left(place)
        self.arms_ = [one for one in self.arms_ if one != arm]
        self.removed_ = [*self.removed_, arm]
        self._index()
        return self

    def _joined(self, n: int) -> None:
        """Make room for arms in what is kept in another form."""

    def _left(self, place: int) -> None:
        """Forget an arm in what is kept in another form."""

    def _count(self, reason: str, count: int) -> None:
        if count:
            self.counts_[reason] = self.counts_.get(reason, 0) + count

    def _check_learned(self) -> None:
        held: Any = vars(self)
        name = type(self).__name__
        for list_name in ("arms_", "removed_"):
            ids = held.get(list_name)
            if not isinstance(ids, list) or any(map(is_missing, ids)):
                raise DataError(f"{name}: {list_name} must be a list of ids.")
            if len(set(ids)) < len(ids):
                raise DataError(f"{name}: {list_name} must be distinct.")
