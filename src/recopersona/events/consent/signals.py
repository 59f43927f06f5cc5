"""What other systems say about consent, in our purposes: Google, browsers, US states, Segment.

Each function returns a state per purpose; what a signal does not speak of is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recopersona.data.ids import is_missing
from recopersona.errors import DataError, hint, shown

States = dict[str, str]

GOOGLE_ADS = ("ad_storage", "ad_user_data", "ad_personalization")
GOOGLE_KEYS = (
    *GOOGLE_ADS,
    *("analytics_storage", "functionality_storage", "personalization_storage", "security_storage"),
)
_GOOGLE_ALIASES = {"ads_storage": "ad_storage"}  # as the BigQuery export spells it
_GOOGLE_YES, _GOOGLE_NO = ("granted", "yes", "true"), ("denied", "no", "false")
_GOOGLE_NOTHING = ("", "unset", "null", "none")

US_SALE = ("SaleOptOut", "SharingOptOut")
US_KEYS = (*US_SALE, "TargetedAdvertisingOptOut", "Gpc")


def google_states(signals: Any) -> States:
    """Translate Google's consent mode, as a page sends it or as GA4 exports it.

    ``analytics_storage`` is analytics, ``personalization_storage`` is personalization. Ads are
    granted by all three of ``ad_storage``, ``ad_user_data`` and ``ad_personalization``, and denied
    by any. Storage is denied by ``functionality_storage`` or ``security_storage``; it is granted by
    the former or, in its absence, by ``analytics_storage``: GA4 exports no other.

    Examples
    --------
    >>> google_states({"analytics_storage": "Yes", "ads_storage": "No"})
    {'storage': 'granted', 'analytics': 'granted', 'ads': 'denied'}
    """
    said = _google_said(signals)
    storage = said.get("functionality_storage", said.get("analytics_storage"))
    if said.get("security_storage") is False:
        storage = False
    ads = [said[name] for name in GOOGLE_ADS if name in said]
    found = {
        "storage": storage,
        "analytics": said.get("analytics_storage"),
        "personalization": said.get("personalization_storage"),
        "ads": False if not all(ads) else True if len(ads) == len(GOOGLE_ADS) else None,
    }
    return _in_words(found)


def us_states(signals: Any) -> States:
    """Translate decoded fields of a GPP string's US section: 1 opted out, 2 did not, 0 not asked.

    ``SaleOptOut`` and ``SharingOptOut`` are ``sale_or_share``, and so is ``Gpc``;
    ``TargetedAdvertisingOptOut`` is ads.

    Examples
    --------
    >>> us_states({"SaleOptOut": 1, "SharingOptOut": 2, "TargetedAdvertisingOptOut": 2})
    {'ads': 'granted', 'sale_or_share': 'denied'}
    """
    _require_mapping(signals, "US opt-outs", "{'SaleOptOut': 1}")
    for name, value in signals.items():
        _require_known(name, US_KEYS, "US opt-out")
        is_flag, expected = name == "Gpc", "True or False" if name == "Gpc" else "0, 1 or 2"
        if isinstance(value, bool) is not is_flag or not (is_flag or value in (0, 1, 2)):
            raise DataError(f"{name} must be {expected}, got {shown(value)}.")
    sale = [signals[name] for name in US_SALE if signals.get(name)]
    found = {
        "ads": {1: False, 2: True}.get(signals.get("TargetedAdvertisingOptOut", 0)),
        "sale_or_share": False if 1 in sale or signals.get("Gpc") else bool(sale) or None,
    }
    return _in_words(found)


def category_states(preferences: Any, purposes: Any) -> tuple[States, list[str]]:
    """Translate Segment's ``context.consent.categoryPreferences``; return what nobody mapped, too.

    A purpose is granted where every category that maps to it is; a missing object says nothing, an
    empty one says nothing either.

    Examples
    --------
    >>> category_states({"Advertising": False, "Other": True}, {"Advertising": ["ads"]})
    ({'ads': 'denied'}, ['Other'])
    """
    _require_mapping(preferences, "category preferences", "{'Advertising': True}")
    _require_mapping(purposes, "purposes", "{'Advertising': 'ads'}")
    found: dict[str, bool | None] = {}
    unmapped = []
    for category, allowed in preferences.items():
        if not isinstance(allowed, bool):
            raise DataError(f"a category's preference is True or False, got {shown(allowed)}.")
        if category not in purposes:
            unmapped.append(str(category))
            continue
        meant = purposes[category]
        for purpose in [meant] if isinstance(meant, str) else _listed(meant):
            found[purpose] = allowed and found.get(purpose, True) is not False
    return _in_words(found), unmapped


def _google_said(signals: Any) -> dict[str, bool]:
    _require_mapping(signals, "Google's signals", "{'analytics_storage': 'granted'}")
    said: dict[str, bool] = {}
    for spelt, value in signals.items():
        name = _GOOGLE_ALIASES.get(spelt, spelt) if isinstance(spelt, str) else spelt
        _require_known(name, GOOGLE_KEYS, "signal of Google's consent mode")
        if is_missing(value) or str(value).lower() in _GOOGLE_NOTHING:
            continue
        word = str(value).lower()
        if word not in _GOOGLE_YES + _GOOGLE_NO:
            raise DataError(f"{name} must be granted or denied, Yes or No, got {shown(value)}.")
        said[name] = word in _GOOGLE_YES and said.get(name, True)
    return said


def _in_words(found: Mapping[str, bool | None]) -> States:
    return {
        purpose: "granted" if allowed else "denied"
        for purpose, allowed in found.items()
        if allowed is not None
    }


def _require_mapping(value: Any, what: str, example: str) -> None:
    if not isinstance(value, Mapping):
        raise DataError(f"{what} must be a mapping such as {example}, got {shown(value)}.")


def _require_known(name: Any, known: tuple[str, ...], what: str) -> None:
    if name not in known:
        raise DataError(f"{shown(name)} is no {what}{hint(name, known, 'they are')}")


def _listed(purposes: Any) -> list[Any]:
    if not isinstance(purposes, (list, tuple, set, frozenset)):
        raise DataError(f"a category maps to a purpose or several, got {shown(purposes)}.")
    return list(purposes)
