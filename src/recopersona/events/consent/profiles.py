"""Who else an identifier stands for: the other identifiers of one person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from recopersona.events.consent.subjects import name_of, own_names


class Profiles(Protocol):
    """Whoever knows which identifiers are one person's; an `IdentityGraph` does."""

    def members(self, name: str) -> Iterable[tuple[str, Any]]:
        """Return the identifiers of the profile of a name, as pairs of kind and value."""

    def profile_of(self, **identifiers: Any) -> str | None:
        """Return the name of the profile that identifiers belong to."""


def stands_for(profiles: Profiles | None, kind: str, value: Any) -> tuple[str, ...]:
    """Return the names of all identifiers that one stands for, itself first; () for no id.

    A profile's name stands for the profile, any of its identifiers does, too.
    """
    own = own_names(kind, value)
    if profiles is None or not own:
        return own
    members = tuple(profiles.members(value)) if isinstance(value, str) else ()
    if not members:
        profile = profiles.profile_of(**{kind: value})
        members = () if profile is None else tuple(profiles.members(profile))
    names = (name_of(*pair) for pair in members)
    return tuple(dict.fromkeys([*own, *(name for name in names if name is not None)]))
