"""Whose it is: a subject, and all identifiers that it stands for by the identity of a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recopersona.errors import DataError
from recopersona.events.consent.profiles import (
    Profiles,
    all_stand_for,
    called_by,
    require_profiles,
    stands_for,
)
from recopersona.events.consent.subjects import identifiers_of, many_subjects


class Whose:
    """The names by which subjects are on record.

    Parameters
    ----------
    identity : Profiles or None
        Who is who; None where each identifier stands for itself.
    is_lost : bool
        Whether there was an identity, which no file holds: then nobody can be told.

    Raises
    ------
    ParameterError
        If it cannot tell who is who.
    """

    def __init__(self, identity: Profiles | None, is_lost: bool = False) -> None:
        require_profiles(identity)
        self.identity, self.is_lost = identity, is_lost

    def profiles(self) -> Profiles | None:
        """Return who is who.

        Raises
        ------
        DataError
            If that is lost.
        """
        if self.is_lost:
            raise DataError(
                "this ledger was saved without its identity, and cannot tell who is who; set "
                "ledger.identity = graph, or to None if it shall do without."
            )
        return self.identity

    def called(self, kind: str, value: Any) -> tuple[str, ...]:
        """Return the names that an identifier is itself, however it is written."""
        return called_by(self.identity, kind, value)

    def stands_for(self, kind: str, value: Any) -> tuple[str, ...]:
        """Return the names of all identifiers that one stands for, itself first."""
        return stands_for(self.profiles(), kind, value)

    def all_stand_for(self, kind: str, values: Sequence[Any]) -> list[tuple[str, ...]]:
        """Return what `stands_for` does for each of many values."""
        profiles = self.profiles()
        if profiles is None:
            return [self.called(kind, value) for value in values]
        return all_stand_for(profiles, kind, values)

    def names_of(self, subject: Any, kind: str) -> list[str]:
        """Return the names of all identifiers that a subject stands for."""
        pairs = identifiers_of(subject, kind)
        return [name for pair in pairs for name in self.stands_for(*pair)]

    def names_of_many(self, subjects: Any, kind: str) -> list[str]:
        """Return the names of several subjects, each once."""
        names: dict[str, None] = {}
        for subject in many_subjects(subjects, kind):
            names.update(dict.fromkeys(self.names_of(subject, kind)))
        return list(names)
