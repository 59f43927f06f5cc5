"""Phone numbers as E.164: a plus, the country and the number, by Google's libphonenumber."""

from __future__ import annotations

from functools import partial
from typing import Any

from recopersona.errors import MissingExtraError, ParameterError, hint, shown
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
            f"{hint(region, sorted(phonenumbers.SUPPORTED_REGIONS))}"
        )
    return partial(_phone_of, phonenumbers, region)


def _phone_of(phonenumbers: Any, region: str | None, text: str) -> str | Unusable:
    plain = plain_text(text, LONGEST)
    if isinstance(plain, Unusable):
        return plain
    try:
        number = phonenumbers.parse(plain, region)
    except phonenumbers.NumberParseException as refusal:
        lost = refusal.error_type == refusal.INVALID_COUNTRY_CODE and "+" not in plain
        return Unusable.NO_COUNTRY if lost and region is None else Unusable.MALFORMED
    if not phonenumbers.is_valid_number(number):
        return Unusable.MALFORMED
    written: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # Behind one switchboard sit many people, and an extension is one of them.
    return f"{written};ext={number.extension}" if number.extension else written
