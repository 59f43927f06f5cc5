"""What identifiers are called: a kind and a value in one text, ``kind:value``, as profiles are.

This is the one place that puts such names together and takes them apart, and that lists the kinds
which go by their names everywhere.
"""

from __future__ import annotations

KINDS = (
    *("user_id", "customer_id", "loyalty_card", "email", "phone"),
    *("anonymous_id", "device_id", "cookie", "household_id", "ramp_id", "linked_person"),
)
"""The columns that are taken for identifiers wherever they come."""

PERSONAL_KINDS = ("email", "phone", "name", "address")
"""Kinds whose values say who somebody is to anybody who reads them: they enter as keyed hashes."""

SHARED_NAME = " (shared)"
"""Behind the name of an ambiguous identifier that a person's profile is called by already."""

_SEPARATOR = ":"


def called(kind: str, value: object) -> str:
    """Return what an identifier is called: its kind and its value.

    Examples
    --------
    >>> called("cookie", "c-9")
    'cookie:c-9'
    """
    return f"{kind}{_SEPARATOR}{value}"


def parted(name: str) -> tuple[str, str]:
    """Return the kind and the value of an identifier by its name.

    Examples
    --------
    >>> parted("cookie:a:b")
    ('cookie', 'a:b')
    """
    kind, _, value = name.partition(_SEPARATOR)
    return kind, value


def kind_of(name: str) -> str:
    """Return the kind in an identifier's name."""
    return parted(name)[0]


def may_name_a_profile(text: str) -> bool:
    """Tell whether a text may be what an identifier is called, and not a bare value."""
    return _SEPARATOR in text
