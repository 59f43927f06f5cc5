"""What a file keeps as the text that says it, and reads back from there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self


class Worded(ABC):
    """Something that can be written in words without loss, such as rules.

    A saved model keeps the words. They are read when it is loaded, by the class of that name, and
    what cannot be read is refused; so `_of_words` must raise a `RecopersonaError` on any text that
    `_in_words` never wrote.

    Examples
    --------
    >>> class Motto(Worded):
    ...     def __init__(self, words):
    ...         self.words = words
    ...     def _in_words(self):
    ...         return self.words
    ...     @classmethod
    ...     def _of_words(cls, text):
    ...         return cls(text)
    >>> Motto._of_words(Motto("less is more")._in_words()).words
    'less is more'
    """

    __slots__ = ()

    @abstractmethod
    def _in_words(self) -> str:
        """Return the text that says it all."""

    @classmethod
    @abstractmethod
    def _of_words(cls, text: str) -> Self:
        """Read what `_in_words` wrote."""
