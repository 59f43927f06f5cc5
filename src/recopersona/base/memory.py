"""How much memory there is, and a refusal in words before a fit that would need more."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from recopersona.base.parameters import Bound
from recopersona.errors import DataError, ParameterError

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
          "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip
_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def memory() -> Bound:
    """Say that a parameter is an amount of memory: bytes, or a text such as ``"8GB"``.

    Examples
    --------
    >>> memory().holds("8GB"), memory().holds("8 apples")
    (True, False)
    """

    def holds(value: Any) -> bool:
        try:
            return memory_bytes(value) > 0
        except ParameterError:
            return False

    return Bound("a number of bytes above 0 or a text such as '8GB'", holds)


def memory_bytes(amount: Any) -> int:
    """Return an amount of memory in bytes.

    Raises
    ------
    ParameterError
        If it is no such amount.

    Examples
    --------
    >>> memory_bytes("1.5GB"), memory_bytes("1 KiB"), memory_bytes(10)
    (1500000000, 1024, 10)
    """
    if isinstance(amount, str):
        found = re.fullmatch(r"\s*(\d+\.?\d*)\s*([KMGT]?I?B)\s*", amount.upper())
        if found and found[2] in _UNITS:
            return int(float(found[1]) * _UNITS[found[2]])
    elif not isinstance(amount, bool) and hasattr(amount, "__int__") and 0 <= amount < 2**62:
        return int(amount)
    raise ParameterError(f"memory must be bytes or a text such as '8GB', got {amount!r}.")


def in_words(n_bytes: float) -> str:
    """Return bytes as people say them.

    Examples
    --------
    >>> in_words(6_720_000_000), in_words(300)
    ('6.7 GB', '300 bytes')
    """
    for unit in ("TB", "GB", "MB", "KB"):
        if n_bytes >= _UNITS[unit]:
            return f"{n_bytes / _UNITS[unit]:.1f} {unit}"
    return f"{n_bytes:.0f} bytes"


def available_memory() -> int | None:
    """Return how many bytes this process may still take, or None where the machine does not say.

    The least of what the machine and the container that it runs in have left.
    """
    left = [_machine_left(), _container_left()]
    known = [amount for amount in left if amount is not None]
    return min(known) if known else None


def require_memory(needed: float, max_memory: Any, owner: str, what: str, instead: str) -> None:
    """Refuse a fit that needs more than it may take, before it begins.

    Parameters
    ----------
    needed : bytes
    max_memory : bytes, text or None
        None means what is available on this machine.
    owner : str
        The model, and ``what`` it needs the memory for.
    instead : str
        What to do about it.

    Raises
    ------
    DataError
        If it needs more.

    Examples
    --------
    >>> require_memory(6.7e9, "4GB", "EASE", "40,981 items", "use SparseEASE")
    Traceback (most recent call last):
    recopersona.errors.DataError: EASE needs 6.7 GB for 40,981 items, max_memory is 4.0 GB; use SparseEASE.
    """  # noqa: E501 - the message stays in one line
    if max_memory is not None:
        limit, words = memory_bytes(max_memory), "max_memory is"
    else:
        available = available_memory()
        if available is None:
            return
        limit, words = available, "this machine has left"
    if needed > limit:
        raise DataError(
            f"{owner} needs {in_words(needed)} for {what}, {words} {in_words(limit)}; {instead}."
        )


def _machine_left() -> int | None:
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:  # no Linux: what there is at all is the best that is known
        names = getattr(os, "sysconf_names", {})
        if "SC_PHYS_PAGES" not in names:
            return None
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    left = fields.get("MemAvailable", "").split()
    return int(left[0]) * 1024 if left else None


def _container_left() -> int | None:
    limit, used = _told("memory.max"), _told("memory.current")
    if not (limit.isdecimal() and used.isdecimal()):
        return None
    # Pages of files that were read count as used, and are given back when they are wanted.
    spare = re.search(r"^inactive_file (\d+)$", _told("memory.stat"), re.MULTILINE)
    return max(0, int(limit) - int(used) + (int(spare[1]) if spare else 0))


def _told(name: str) -> str:
    """Return what the container says of its memory, nothing where it is none."""
    try:
        return (_CGROUP / name).read_text(encoding="ascii").strip()
    except OSError:
        return ""
