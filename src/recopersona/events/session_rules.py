"""What ends a session: said once, for a whole log and for a stream of events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from recopersona.data.times import duration_ms
from recopersona.data.types import Array
from recopersona.errors import DataError, ParameterError

ENDLESS = 2**62
"""A length in milliseconds that no session reaches."""

_HOUR, _DAY = 3_600_000, 86_400_000


@dataclass(frozen=True)
class SessionRules:
    """What ends a session, in plain values.

    gap, max_length  milliseconds; `ENDLESS` where a session may last for ever
    zone             whose midnight ends sessions, or None
    campaign         columns that together are the campaign
    device           columns that together are the device
    """

    gap: int
    max_length: int
    zone: tzinfo | None
    campaign: tuple[str, ...]
    device: tuple[str, ...]

    @classmethod
    def of(
        cls,
        gap: str | timedelta,
        max_length: str | timedelta | None,
        midnight: str | tzinfo | None,
        campaign: str | Iterable[str] | None,
        per_device: bool | str | Iterable[str],
    ) -> SessionRules:
        """Check what a caller asks for.

        Raises
        ------
        ParameterError
            If something is not of its kind.

        Examples
        --------
        >>> SessionRules.of("30min", "4h", "UTC", "campaign", True).device
        ('device',)
        """
        devices = "device" if per_device is True else per_device or None
        return cls(
            duration_ms(gap, "gap"),
            ENDLESS if max_length is None else duration_ms(max_length, "max_length"),
            None if midnight is None else _zone(midnight),
            _column_names(campaign, "campaign"),
            _column_names(devices, "per_device"),
        )

    @property
    def only_gap(self) -> bool:
        """Whether a pause is all that ends a session."""
        return self.max_length == ENDLESS and self.zone is None and not self.campaign


def local_days(times: Array, zone: tzinfo) -> Array:
    """Return the local day of every moment, counted from 1970-01-01.

    times  int64 (n,) milliseconds UTC

    The clock is asked once per hour that holds a moment, and once per moment only in an hour in
    which it is changed.

    Examples
    --------
    >>> from recopersona.data.times import moment_ms
    >>> late = [moment_ms("2026-03-28 22:59"), moment_ms("2026-03-28 23:00")]
    >>> local_days(np.array(late), ZoneInfo("Europe/Berlin")) - 20_540
    array([0, 1])
    """
    hours, place = _distinct(np.floor_divide(times, _HOUR))
    at_start = np.array([_offset(hour * _HOUR, zone) for hour in hours.tolist()], dtype=np.int64)
    at_end = np.array(
        [_offset(hour * _HOUR + _HOUR - 1, zone) for hour in hours.tolist()], dtype=np.int64
    )
    offsets = at_start[place]
    for row in np.flatnonzero((at_start != at_end)[place]).tolist():
        offsets[row] = _offset(int(times[row]), zone)
    days: Array = np.floor_divide(times + offsets, _DAY)
    return days


def local_day(time: int, zone: tzinfo) -> int:
    """Return the local day of one moment, as `local_days` does.

    Examples
    --------
    >>> local_day(0, ZoneInfo("Asia/Tokyo")), local_day(0, ZoneInfo("America/New_York"))
    (0, -1)
    """
    return (time + _offset(time, zone)) // _DAY


def _offset(time: int, zone: tzinfo) -> int:
    """How far a zone's clocks are ahead of UTC at a moment, in milliseconds."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=zone) + timedelta(seconds=time // 1_000)
        ahead = zone.fromutc(moment).utcoffset()
    except (OverflowError, ValueError):
        raise DataError(
            f"timestamp {time} ms lies in no year of a calendar; "
            "rp.clean(events) sets such rows aside."
        ) from None
    return 0 if ahead is None else ahead // timedelta(milliseconds=1)


def _distinct(values: Array) -> tuple[Array, Array]:
    """Distinct values and where each row's is; quick where neighbours are mostly equal."""
    changed = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
    distinct, place = np.unique(values[changed], return_inverse=True)
    lengths = np.diff(np.append(changed, len(values)))
    return distinct, np.repeat(place, lengths)


def _zone(midnight: Any) -> tzinfo:
    if isinstance(midnight, tzinfo):
        return midnight
    if isinstance(midnight, str):
        try:
            return ZoneInfo(midnight)
        except (KeyError, ValueError, OSError):  # unknown, no name at all, or a folder of zones
            pass
    raise ParameterError(
        f"midnight must be a time zone such as 'Europe/Berlin' or 'UTC', got {midnight!r}."
    )


def _column_names(columns: Any, name: str) -> tuple[str, ...]:
    if columns is None:
        return ()
    if isinstance(columns, str):
        return (columns,)
    listed = tuple(columns) if isinstance(columns, Iterable) else ()
    if not listed or not all(isinstance(column, str) for column in listed):
        raise ParameterError(f"{name} must be a column or a list of columns, got {columns!r}.")
    return listed
