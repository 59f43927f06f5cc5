"""Who belongs to a profile: asked one by one while profiles go on merging."""

from __future__ import annotations

import numpy as np

from recopersona.events.identity.state import Course, State

_FEW = 4_096


class Membership:
    """The identifiers of every profile: a list made once, and the merges since.

    Making it takes time and memory in proportion to all identifiers; it is made again when there
    were many merges since.
    """

    def __init__(self, state: State, courses: list[Course]) -> None:
        whose, _ = state.whose(np.arange(len(state), dtype=np.int32).reshape(-1, 1))
        shared = (state.marks & 1) != 0
        if shared.any():  # they answer for themselves, and stand where they came to
            whose = state.roots()
        self._members = np.argsort(whose, kind="stable").astype(np.int32)
        self._starts = np.searchsorted(whose[self._members], np.arange(len(state) + 1))
        self._absorbed: dict[int, list[int]] = {}
        self._read = [len(course.merged) for course in courses]

    def of(self, root: int, courses: list[Course]) -> list[int]:
        """Return the identifiers of a profile by its root, in no order."""
        self._follow(courses)
        members: list[int] = []
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node + 1 < len(self._starts):
                members += self._members[self._starts[node] : self._starts[node + 1]].tolist()
            else:
                members.append(node)
            waiting += self._absorbed.get(node, ())
        return members

    def is_old(self) -> bool:
        """Tell whether so much happened since that a new list is due."""
        return len(self._absorbed) > _FEW + len(self._members) // 8

    def _follow(self, courses: list[Course]) -> None:
        for place, course in enumerate(courses):
            for _, kept, absorbed in course.merged[self._read[place] :].tolist():
                self._absorbed.setdefault(kept, []).append(absorbed)
            self._read[place] = len(course.merged)
