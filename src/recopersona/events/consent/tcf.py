"""Consent strings of the IAB's Transparency and Consent Framework (TC strings), decoded.

The core segment is a row of bits of fixed widths, written in base64url without padding, six bits a
character; further segments, behind dots, say nothing about consent that the core does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from recopersona.errors import DataError

States = dict[str, str]
Restriction = tuple[int, int, tuple[range, ...]]

_ALPHABET = {
    character: place
    for place, character in enumerate(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )
}
_CORE = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST = 1 << 16  # characters; every vendor as a range of its own needs half of it
_N_PURPOSES, _N_FEATURES = 24, 12
_VERSION = 2
_PURPOSES = {
    "storage": (1,),
    "analytics": (8, 9, 10),
    "personalization": (5, 6),
    "ads": (3, 4),
}
_NOT_ALLOWED, _BY_CONSENT, _BY_INTEREST = range(3)


@dataclass(frozen=True, repr=False)
class TcfConsent:
    """What a TC string says.

    Parameters
    ----------
    created, last_updated : int
        In milliseconds since 1970 UTC.
    cmp_id, cmp_version, consent_screen : int
        Whose dialogue it was.
    consent_language, publisher_country : str
        Two letters.
    vendor_list_version, policy_version : int
    is_service_specific, use_non_standard_texts, purpose_one_treatment : bool
    special_features, purposes_consent, purposes_interest : frozenset of int
        The features opted in to, the purposes consented to, and those for which a legitimate
        interest was shown and not objected to.
    vendors_consent, vendors_interest : frozenset of int
    publisher_restrictions : tuple of (purpose, type, ranges of vendors)
        Type 0: not allowed at all, 1: needs consent, 2: needs a legitimate interest.

    Examples
    --------
    >>> said = decode_tcf("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA")
    >>> said.cmp_id, said.consent_language, sorted(said.purposes_consent)
    (675, 'EN', [2, 10])
    """

    created: int
    last_updated: int
    cmp_id: int
    cmp_version: int
    consent_screen: int
    consent_language: str
    vendor_list_version: int
    policy_version: int
    is_service_specific: bool
    use_non_standard_texts: bool
    special_features: frozenset[int]
    purposes_consent: frozenset[int]
    purposes_interest: frozenset[int]
    purpose_one_treatment: bool
    publisher_country: str
    vendors_consent: frozenset[int]
    vendors_interest: frozenset[int]
    publisher_restrictions: tuple[Restriction, ...]

    def __repr__(self) -> str:
        return (
            f"TcfConsent(cmp_id={self.cmp_id}, purposes_consent={sorted(self.purposes_consent)}, "
            f"{len(self.vendors_consent):,} vendors)"
        )

    def states(self, vendor: int | None = None) -> States:
        """Return the state of each of our purposes that the framework speaks of.

        Purpose 1 is storage; 5 and 6 together are personalization; 8, 9 and 10 together are
        analytics; 3 and 4 together are ads. What was asked together and not granted whole is
        denied. Only consent counts, a legitimate interest does not.

        Parameters
        ----------
        vendor : int, optional
            A vendor of the Global Vendor List, who needs consent of its own, and for whom the
            publisher may have restricted purposes.
        """
        mine = vendor is None or vendor in self.vendors_consent
        barred = {
            purpose
            for purpose, kind, vendors in self.publisher_restrictions
            if kind != _BY_CONSENT and any(vendor in some for some in vendors)
        }
        allowed = self.purposes_consent - barred if mine else frozenset()
        return {
            purpose: "granted" if allowed.issuperset(numbers) else "denied"
            for purpose, numbers in _PURPOSES.items()
        }


def decode_tcf(text: str) -> TcfConsent:
    """Decode a TC string of version 2, such as version 2.2.

    Parameters
    ----------
    text : str
        With or without further segments, which are not read.

    Raises
    ------
    DataError
        If it is no text, has a character that base64url has not, is cut short, is of version 1 or
        of one to come, or says what cannot be. The error does not show the string.

    References
    ----------
    IAB Tech Lab, "Consent string and vendor list formats v2", section "The Core String".

    Examples
    --------
    >>> decode_tcf("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA").states()["personalization"]
    'denied'
    >>> decode_tcf("COtybn4PA_zT4KjACBEN")
    Traceback (most recent call last):
    recopersona.errors.DataError: a TC string must not be cut short, got one of 120 bits that \
says it has more.
    """
    bits = _Bits(_core(text))
    version = bits.number(6)
    if version != _VERSION:
        raise DataError(f"a TC string must be of version {_VERSION}, got version {version}.")
    head = (
        bits.moment(), bits.moment(), bits.number(12), bits.number(12), bits.number(6),
        bits.letters(), bits.number(12), bits.number(6), bits.flag(), bits.flag(),
        bits.numbers(_N_FEATURES), bits.numbers(_N_PURPOSES), bits.numbers(_N_PURPOSES),
        bits.flag(), bits.letters(),
    )  # fmt: skip
    return TcfConsent(*head, bits.vendors(), bits.vendors(), bits.restrictions())


def _core(text: Any) -> str:
    """Return the core segment, and check that all its characters may be there."""
    if not isinstance(text, str):
        raise DataError(f"a TC string must be text, got a {type(text).__name__}.")
    if len(text) > _LONGEST:
        raise DataError(
            f"a TC string has at most {_LONGEST:,} characters, got one of {len(text):,}."
        )
    core = text.strip().partition(".")[0]
    if not core:
        raise DataError("a TC string must not be empty.")
    if not _CORE.fullmatch(core):
        raise DataError(
            "a TC string is written in base64url (A-Z, a-z, 0-9, - and _), got other characters."
        )
    return core


class _Bits:
    """Reads bits from the left, and refuses to read beyond the end."""

    def __init__(self, core: str) -> None:
        self._bits = "".join(format(_ALPHABET[character], "06b") for character in core)
        self._place = 0

    def number(self, width: int) -> int:
        return int(self._next(width), 2)

    def flag(self) -> bool:
        return self._next(1) == "1"

    def numbers(self, width: int) -> frozenset[int]:
        """Return which bits are set, counted from 1."""
        return frozenset(n for n, bit in enumerate(self._next(width), 1) if bit == "1")

    def moment(self) -> int:
        """Return a moment, written in tenths of a second, in milliseconds."""
        return self.number(36) * 100

    def letters(self) -> str:
        """Return two letters of six bits each."""
        numbers = self.number(6), self.number(6)
        if max(numbers) > 25:
            raise DataError("a TC string names languages and countries by letters, got others.")
        return "".join(chr(ord("A") + number) for number in numbers)

    def vendors(self) -> frozenset[int]:
        """Return vendors, written as a field of bits or as ranges."""
        highest = self.number(16)
        if not self.flag():
            return self.numbers(highest) if highest else frozenset()
        found: set[int] = set()
        reach = 0  # ranges that overlap, thousands of them, would take for ever
        for some in sorted(self._ranges(), key=lambda some: some.start):
            found.update(range(max(some.start, reach), some.stop))
            reach = max(reach, some.stop)
        if max(found, default=0) > highest:
            raise DataError("a TC string names a vendor beyond the highest that it says it has.")
        return frozenset(found)

    def restrictions(self) -> tuple[Restriction, ...]:
        return tuple(
            (self.number(6), self.number(2), self._ranges()) for _ in range(self.number(12))
        )

    def _ranges(self) -> tuple[range, ...]:
        found = []
        for _ in range(self.number(12)):
            is_range = self.flag()
            first = self.number(16)
            last = self.number(16) if is_range else first
            if not 1 <= first <= last:
                raise DataError("a TC string has a range of vendors that ends before it starts.")
            found.append(range(first, last + 1))
        return tuple(found)

    def _next(self, width: int) -> str:
        start, self._place = self._place, self._place + width
        if self._place > len(self._bits):
            raise DataError(
                f"a TC string must not be cut short, got one of {len(self._bits)} bits that says "
                "it has more."
            )
        return self._bits[start : self._place]
