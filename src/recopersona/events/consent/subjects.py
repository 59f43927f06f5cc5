"""Whose consent it is: identifiers, each of a kind, and the name that a ledger keeps each under.

An identifier's name is ``kind:value``, as a profile's is. ``7``, ``7.0`` and ``"7"`` are one value:
a table of consents in which ids are text then speaks of a log in which they are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from recopersona.data.ids import is_missing
from recopersona.errors import DataError, shown
from recopersona.events.called import KINDS, SHARED_NAME, called, may_name_a_profile, parted
from recopersona.events.identifiers import LONGEST_ID, NO_IDS, bare, text_of

_KIND = re.compile(r"[^\W\d][\w.\-]*")
_NO_IDS = frozenset(NO_IDS)
_RAW = {
    "email": re.compile(r"[^@]*@.*", re.DOTALL),
    "phone": re.compile(r"[\d\s+()./\-]{3,30}"),
}  # what a keyed hash never looks like


def name_of(kind: str, value: Any) -> str | None:
    """Return the name of an identifier; None where the value stands for no id.

    Examples
    --------
    >>> name_of("user_id", 7.0), name_of("user_id", " 7 "), name_of("user_id", "null")
    ('user_id:7', 'user_id:7', None)
    """
    if type(value) is not str:
        if is_missing(value):
            return None
        value = text_of(value.item() if isinstance(value, np.generic) else value)
    text = bare(value)
    return None if text in _NO_IDS else called(kind, text)


def is_raw(name: str) -> bool:
    """Tell whether a name holds an e-mail or a phone number, and no keyed hash of it.

    Examples
    --------
    >>> is_raw("email:anna@example.org"), is_raw("phone:+49 30 123"), is_raw("user_id:a@b")
    (True, True, False)
    """
    kind, text = parted(name)
    pattern = _RAW.get(kind)
    return pattern is not None and bool(pattern.fullmatch(text))


def identifiers_of(subject: Any, kind: str = "user_id") -> list[tuple[str, Any]]:
    """Return the identifiers of a subject: an id of a kind, a pair, or a mapping from kinds.

    Examples
    --------
    >>> identifiers_of("anna"), identifiers_of(("device_id", "d-1"))
    ([('user_id', 'anna')], [('device_id', 'd-1')])
    >>> identifiers_of({"user_id": "anna", "anonymous_id": None})
    [('user_id', 'anna')]
    """
    if isinstance(subject, Mapping):
        return [(checked_kind(one), value) for one, value in subject.items() if value is not None]
    if isinstance(subject, tuple):
        if len(subject) != 2:
            raise DataError(
                "a subject is an id, a pair such as ('device_id', 'd-1') or a mapping from kinds "
                f"to values, got a tuple of {len(subject)}."
            )
        return [(checked_kind(subject[0]), subject[1])]
    return [(checked_kind(kind), subject)]


def names_of(subject: Any, kind: str = "user_id") -> list[str]:
    """Return the names of a subject's identifiers.

    Raises
    ------
    DataError
        If one is no id, or there is none.
    """
    names = [_required_name(*pair) for pair in identifiers_of(subject, kind)]
    if not names:
        raise DataError("a subject needs at least one identifier, got none.")
    return list(dict.fromkeys(names))


def many_subjects(subjects: Any, kind: str = "user_id") -> list[Any]:
    """Return several subjects as a list, one as a list of one.

    A tuple is a pair where it starts with a kind, as in ``("device_id", "d-1")``; else it is many.
    """
    if isinstance(subjects, (str, bytes, Mapping)) or not isinstance(subjects, Iterable):
        return [subjects]
    if isinstance(subjects, tuple) and len(subjects) == 2 and subjects[0] in (kind, *KINDS):
        return [subjects]
    return list(subjects)


def checked_kind(kind: Any) -> str:
    """Return a kind of identifiers, a word."""
    if not (isinstance(kind, str) and _KIND.fullmatch(kind)):
        raise DataError(f"a kind of identifiers is a word such as 'user_id', got {shown(kind)}.")
    return kind


def _required_name(kind: str, value: Any) -> str:
    """Return the name of an identifier that must be one; errors show no value."""
    try:
        hash(value)
    except TypeError:
        raise DataError(
            f"a {kind} must be a string or an integer, got a {type(value).__name__}."
        ) from None
    name = name_of(kind, value)
    if name is None:
        raise DataError(f"a {kind} must be an id, got {shown(value)}.")
    if len(name) > LONGEST_ID + len(kind):
        raise DataError(f"a {kind} must have at most {LONGEST_ID} characters, got {len(name)}.")
    if is_raw(name):
        raise DataError(
            f"a ledger holds keyed hashes, and no {kind} as it is; make one with "
            "rp.hash_personal, or record the user_id."
        )
    return name


def own_names(kind: str, value: Any) -> tuple[str, ...]:
    """Return the names that a value is itself: its own, and the one it may be, a profile's.

    Examples
    --------
    >>> own_names("user_id", "anna"), own_names("user_id", "anonymous_id:c-7")
    (('user_id:anna',), ('user_id:anonymous_id:c-7', 'anonymous_id:c-7'))
    """
    name = name_of(kind, value)
    if name is None:
        return ()
    text = name[len(kind) + 1 :]
    return (name, text.removesuffix(SHARED_NAME)) if may_name_a_profile(text) else (name,)
