"""Phone numbers as E.164: a plus, the country and the number, by Google's libphonenumber."""

from __future__ import annotations

from functools import partial
from typing import Any

from recopersona.errors import MissingExtraError, ParameterError, did_you_mean, shown
from recopersona.events.identity.plain_texts import Unusable, plain_text

LONGEST = 250
"""Characters, as libphonenumber bounds them."""

_ASKED_FOR = "a canonical phone number"


def phone_reader(region: str | None) -> Any:
    """Return the function that brings a phone number to its canonical form.

    Raises
    ------
    MissingExtraError
        Without the package ``phonenumbers``.
    ParameterError
        If the region is none.
    """
    try:
        import phonenumbers
    except ImportError:
        raise MissingExtraError(_ASKED_FOR, "phone") from None
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise ParameterError(
            f"region must be two capital letters such as 'DE', got {shown(region)}"
            f"{did_you_mean(region, sorted(phonenumbers.SUPPORTED_REGIONS)) or '.'}"
        )
    return partial(_phone_of, phonenumbers, region)


def _phone_of(phonenumbers: Any, region: str | None, text: str) -> str | Unusable:
    plain = plain_text(text, LONGEST)
    if isinstance(plain, Unusable):
        return plain
    number = _with_lost_plus(phonenumbers, region, plain) or _number(phonenumbers, region, plain)
    if number is None:
        homeless = region is None and "+" not in plain and any(map(str.isdigit, plain))
        return Unusable.NO_COUNTRY if homeless else Unusable.MALFORMED
    written: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # Behind one switchboard sit many people, and an extension is one of them.
    return f"{written};ext={number.extension}" if number.extension else written


def _with_lost_plus(phonenumbers: Any, region: str | None, text: str) -> Any:
    """Read digits alone that begin with the region's own country: spreadsheets lose the plus."""
    if region is None or not text.isdigit():
        return None
    home = text.startswith(str(phonenumbers.country_code_for_region(region)))
    return _number(phonenumbers, None, f"+{text}") if home else None


def _number(phonenumbers: Any, region: str | None, text: str) -> Any:
    """Return a number that its country gives out, or None."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None
