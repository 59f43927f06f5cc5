"""One person or several, by all identifiers that are known of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from recopersona.data.types import Id
from recopersona.errors import DataError
from recopersona.events.called import called
from recopersona.events.identifiers import is_no_id
from recopersona.events.secret import Secret
from recopersona.operations.needles import Needles, plain_text

USER = "user_id"


class Person:
    """Whose data are to be erased or told: identifiers by kind, and names that models use.

    Nothing of it is ever written down or shown.

    Parameters
    ----------
    identifiers : mapping from kind to values
        Such as ``{"user_id": ["u-17"], "anonymous_id": ["c-9"]}``.
    names : iterable of ids
        Further words under which a model or a log may know her, such as names of profiles.
    lent : iterable of ids
        Those of the names that a device lent her which is not hers alone: where it is not the user
        that is called so, it is the device.
    """

    def __init__(
        self, identifiers: Mapping[str, Iterable[Id]], names: Iterable[Id] = (),
        lent: Iterable[Id] = (),
    ) -> None:  # fmt: skip
        self.identifiers = {kind: list(dict.fromkeys(own)) for kind, own in identifiers.items()}
        self.names = list(dict.fromkeys(names))
        borrowed = set(lent)
        self._own_names = [name for name in self.names if name not in borrowed]
        self._texts = {
            kind: frozenset(map(plain_text, own)) for kind, own in self.identifiers.items()
        }
        as_users = [*self.identifiers.get(USER, ()), *self.names]
        self._texts[USER] = frozenset(map(plain_text, as_users))

    def __repr__(self) -> str:
        return f"Person({sum(map(len, self.identifiers.values()))} identifiers)"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of identifiers, ``user_id`` first."""
        return tuple(dict.fromkeys((USER, *self._texts)))

    def is_named(self, kind: str, value: Any) -> bool:
        """Tell whether a value of a kind is hers."""
        return plain_text(value) in self._texts.get(kind, frozenset())

    @property
    def user_ids(self) -> list[Id]:
        """Every id under which a holder may know her; digits as a number, too, and the reverse."""
        ids: dict[Id, None] = {}
        for one in (*self.identifiers.get(USER, ()), *self.names, *_devices(self.identifiers)):
            text = plain_text(one)
            ids.update(dict.fromkeys((one, text, *_as_number(text))))
        return list(ids)

    @property
    def pairs(self) -> list[tuple[str, Id]]:
        """Every identifier with its kind; a ledger knows by them the names of profiles, too."""
        return [(kind, one) for kind, values in self.identifiers.items() for one in values]

    @property
    def known(self) -> list[str]:
        """Every identifier as a graph of identities names it: ``"kind:value"``."""
        own = [
            called(kind, plain_text(v)) for kind, values in self.identifiers.items() for v in values
        ]
        return list(dict.fromkeys([*own, *map(str, self._own_names)]))

    def masked(self, text: str) -> str:
        """Return a text in which no identifier is left, however short."""
        for one in sorted(self.needles.texts, key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)" if len(one) < 4 else re.escape(one),
                          "…", text)  # fmt: skip
        return text

    @property
    def needles(self) -> Needles:
        """Everything of her that may be looked for in files."""
        own = [one for values in self.identifiers.values() for one in values]
        return Needles([*own, *self._own_names])

    def reference(self, secret: Secret) -> str:
        """Return a word for her that nobody without the secret can tell back."""
        return secret.hash(json.dumps(sorted(self.known)))


def _devices(identifiers: Mapping[str, list[Id]]) -> list[Id]:
    """Models may know somebody by her device, too."""
    return identifiers.get("anonymous_id", [])


def _as_number(text: str) -> tuple[int, ...]:
    digits = text.removeprefix("-")
    is_number = digits.isascii() and digits.isdigit() and len(digits) < 19
    return (int(text),) if is_number and str(int(text)) == text else ()


def given_identifiers(subject: Any) -> dict[str, list[Id]]:
    """Return what was given of a subject: an id, identifiers by kind, or several of both.

    Raises
    ------
    DataError
        If it is neither, or nobody.

    Examples
    --------
    >>> given_identifiers(["u-17", {"email": "9f86d0"}])
    {'user_id': ['u-17'], 'email': ['9f86d0']}
    """
    found: dict[str, list[Id]] = {}
    for one in _several(subject):
        pairs = one.items() if isinstance(one, Mapping) else [(USER, one)]
        for kind, values in pairs:
            if not isinstance(kind, str):
                raise DataError(f"a kind of identifier must be text, got {type(kind).__name__}.")
            for value in _several(values):
                _require_id(value)
                found.setdefault(kind, []).append(value)
    if not found:
        raise DataError("nobody was named; give an id such as 'u-17', or {'email': HASH}.")
    return found


def _several(value: Any) -> list[Any]:
    is_one = isinstance(value, (str, bytes, int, float, Mapping)) or not isinstance(value, Iterable)
    return [value] if is_one else list(value)


def _require_id(value: Any) -> None:
    is_id = isinstance(value, (str, int)) and not isinstance(value, bool)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # one of numpy's
        is_id = isinstance(value.item(), (str, int)) and not isinstance(value.item(), bool)
    if not is_id:
        raise DataError(
            f"an identifier must be text or an integer, got a {type(value).__name__}; "
            "write erase('u-17') or erase({'email': HASH})."
        )
    if not plain_text(value) or is_no_id(value):
        raise DataError("an identifier must name somebody; a gap, or a word for it, is nobody's.")
