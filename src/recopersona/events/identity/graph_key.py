"""The key of a graph: it hashes what is personal, and no file ever holds it."""

from __future__ import annotations

from typing import Any, Self

from recopersona.base.worded import Worded
from recopersona.errors import DataError
from recopersona.events.secret import Secret

ASKER = "IdentityGraph"


class GraphKey(Secret, Worded):
    """A secret of which a saved graph keeps that there was one.

    Examples
    --------
    >>> key = GraphKey.of("correct horse battery staple", "example")
    >>> key, key.is_lost, GraphKey._of_words(key._in_words()).is_lost
    (Secret(***), False, True)
    """

    __slots__ = ()

    @classmethod
    def of(cls, key: Any, asker: str = ASKER) -> Self:
        """Make a key of what somebody typed; a secret of another kind becomes one of this."""
        if isinstance(key, cls):
            return key
        secret = Secret.of(key, asker)
        fresh = cls.__new__(cls)
        fresh._inner, fresh._outer = secret._inner, secret._outer
        return fresh

    @property
    def is_lost(self) -> bool:
        """Whether this is only the place of a key, read from a file."""
        return not hasattr(self, "_inner")

    def mark(self) -> str:
        return "" if self.is_lost else super().mark()

    def _in_words(self) -> str:
        return ""

    @classmethod
    def _of_words(cls, text: str) -> Self:
        if text:
            raise DataError("a file holds no key.")
        return cls.__new__(cls)
