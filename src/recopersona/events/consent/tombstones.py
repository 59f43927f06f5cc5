"""What is left of whoever was erased: keyed hashes, by which late events of theirs are refused."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from recopersona.base.parameters import generator
from recopersona.base.part import Part
from recopersona.errors import DataError
from recopersona.events.called import kind_of

ALWAYS = 2**63 - 1
"""The end of an erasure that nobody lifted."""

NEVER = -(2**63)
"""The end of an erasure that never was."""

_SALT_BYTES, _HASH_BYTES = 32, 16
_HEX = re.compile(r"(?:[0-9a-f]{2}){1,64}")


def fresh_salt(random_state: Any) -> str:
    """Draw a salt, in hexadecimal digits: from the system, unless a seed says otherwise."""
    if random_state is None:
        return secrets.token_hex(_SALT_BYTES)
    return generator(random_state).bytes(_SALT_BYTES).hex()


class Tombstones(Part):
    """Hashes of erased identifiers, and until when the events of each are refused.

    The hash is BLAKE2b of an identifier's name, keyed with a salt. Who has the salt can try ids
    one by one, as with any hash of ids; without it, the hashes say nothing.

    Attributes
    ----------
    until_ : dict
        By salt, by hash: up to which moment events are refused; `ALWAYS` where nobody lifted it.
    kinds_ : list of str
        The kinds of what was erased, so that columns of that kind are looked at.
    """

    def __init__(self) -> None:
        self.until_: dict[str, dict[str, int]] = {}
        self.kinds_: list[str] = []

    def __len__(self) -> int:
        return sum(end == ALWAYS for hashes in self.until_.values() for end in hashes.values())

    def __bool__(self) -> bool:
        return bool(self.kinds_)

    @property
    def lifted(self) -> bool:
        """Whether somebody came back, so that identifiers with records have a past to refuse."""
        return any(end != ALWAYS for hashes in self.until_.values() for end in hashes.values())

    def until(self, name: str) -> int:
        """Return the moment up to which an identifier's events are refused."""
        ends = (hashes.get(hashed(name, salt), NEVER) for salt, hashes in self.until_.items())
        return max(ends, default=NEVER)

    def erased(self, names: Iterable[str]) -> set[str]:
        """Return those of some identifiers that were erased, and that nobody welcomed back."""
        return {name for name in names if self.until(name) == ALWAYS}

    def with_hashes(
        self, salt: str, hashes: Iterable[str], kinds: Iterable[str], until: int = ALWAYS
    ) -> Tombstones:
        """Return tombstones with more of them; where an identifier has one, this one counts."""
        more = Tombstones()
        more.until_ = {**self.until_, salt: {**self.until_.get(salt, {})}}
        more.until_[salt].update(dict.fromkeys(hashes, until))
        more.kinds_ = sorted({*self.kinds_, *kinds})
        return more

    def with_names(self, salt: str, names: Iterable[str]) -> Tombstones:
        """Return tombstones with those of more identifiers."""
        names = list(names)
        return self.with_hashes(salt, [hashed(one, salt) for one in names], map(kind_of, names))

    def _check_learned(self) -> None:
        hashes = [one for held in self.until_.values() for one in held]
        words: list[Any] = [*self.until_, *hashes]
        if not all(isinstance(one, str) and _HEX.fullmatch(one) for one in words):
            raise DataError("a tombstone is a hash in hexadecimal digits.")
        ends: list[Any] = [end for held in self.until_.values() for end in held.values()]
        if not all(type(end) is int and NEVER <= end <= ALWAYS for end in ends):
            raise DataError("a tombstone ends at a moment, or never.")
        kinds: list[Any] = self.kinds_
        if not all(isinstance(kind, str) for kind in kinds):
            raise DataError("the kinds of tombstones are words.")


def hashed(name: str, salt: str) -> str:
    """Return the keyed hash of an identifier's name, in hexadecimal digits."""
    text = name.encode("utf-8", "surrogatepass")
    return blake2b(text, key=bytes.fromhex(salt), digest_size=_HASH_BYTES).hexdigest()
