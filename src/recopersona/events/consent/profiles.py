"""Who else an identifier stands for: the other identifiers of one person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from recopersona.errors import DataError, ParameterError, with_article
from recopersona.events.called import PERSONAL_KINDS, may_name_a_profile, parted
from recopersona.events.consent.subjects import name_of, own_names
from recopersona.events.identifiers import bare


class Profiles(Protocol):
    """Whoever knows which identifiers are one person's; an `IdentityGraph` does."""

    def members(self, name: str) -> Iterable[tuple[str, Any]]:
        """Return the identifiers of the profile of a name, as pairs of kind and value."""

    def profile_of(self, **identifiers: Any) -> str | None:
        """Return the name of the profile that identifiers belong to."""


def require_profiles(identity: Any) -> None:
    """Refuse what cannot tell who is who.

    Raises
    ------
    ParameterError
        If it is neither None nor like an `IdentityGraph`.
    """
    asked = (getattr(identity, name, None) for name in ("members", "profile_of"))
    if identity is not None and not all(map(callable, asked)):
        raise ParameterError(
            "ConsentLedger: identity must be what an IdentityGraph is, got "
            f"{with_article(type(identity).__name__)}."
        )


def stands_for(profiles: Profiles | None, kind: str, value: Any) -> tuple[str, ...]:
    """Return the names of all identifiers that one stands for, itself first; () for no id.

    A profile's name stands for the profile, any of its identifiers does, too.
    """
    own = called_by(profiles, kind, value)
    if profiles is None or not own:
        return own
    members = _members(profiles, bare(value)) if may_name_a_profile(parted(own[0])[1]) else ()
    if not members:
        profile = _profile_of(profiles, kind, value)
        members = _members(profiles, own[0] if profile is None else profile)
    names = (name_of(*pair) for pair in members)
    return tuple(dict.fromkeys([*own, *(name for name in names if name is not None)]))


def all_stand_for(profiles: Profiles, kind: str, values: Sequence[Any]) -> list[tuple[str, ...]]:
    """Return what `stands_for` does for each of many values; a graph is asked once for all."""
    together = getattr(profiles, "together", None)
    if together is None or kind in PERSONAL_KINDS:
        return [stands_for(profiles, kind, value) for value in values]
    owns = [own_names(kind, value) for value in values]
    return [
        (*own, *members) if own else ()
        for own, members in zip(owns, together(kind, values), strict=True)
    ]


def called_by(profiles: Profiles | None, kind: str, value: Any) -> tuple[str, ...]:
    """Return the names that a value is itself; of an e-mail, the keyed hash that a graph keeps."""
    own = own_names(kind, value)
    known_as = getattr(profiles, "known_as", None)
    if own and known_as is not None and kind in PERSONAL_KINDS:
        name = known_as(kind, value)
        return own if name is None else (*own, name)
    return own


def _members(profiles: Profiles, name: str) -> tuple[tuple[str, Any], ...]:
    try:
        return tuple(profiles.members(name))
    except DataError:  # nobody of that name
        return ()


def _profile_of(profiles: Profiles, kind: str, value: Any) -> str | None:
    try:
        return profiles.profile_of(**{kind: value})
    except DataError:  # a kind that it does not know
        return None
