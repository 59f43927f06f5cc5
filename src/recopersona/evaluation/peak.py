"""How much memory something takes at its peak, as the operating system counted it."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MARK = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_RESET_PEAK = "5"


@dataclass
class Peak:
    """Megabytes (10^6 bytes); NaN until it is known, and where the system cannot say."""

    mb: float = float("nan")


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure by how much the process's memory grew at most inside a ``with`` block.

    The kernel keeps the highest resident size of a process (``VmHWM``) and can start anew (value 5
    of ``clear_refs``, see proc(5)). So NumPy, compiled code and libraries in C all count, no
    moment is missed, and nothing runs slower, which tracemalloc and sampling cannot say. What the
    process held before does not count, so what is free is given back to the system first. It is
    the process's: whatever else runs beside counts too. Only Linux can start the mark anew.

    Examples
    --------
    >>> with peak_memory() as peak:
    ...     gone = b"x" * 50_000_000
    >>> peak.mb > 45 or peak.mb != peak.mb
    True
    """
    peak = Peak()
    gc.collect()
    _give_back()
    before = _resident() if _start_anew() else None
    yield peak
    if before is not None:
        peak.mb = max(0, _read("VmHWM") - before) * 1024 / 1e6


def _start_anew() -> bool:
    try:
        _MARK.write_text(_RESET_PEAK)
    except OSError:  # another system, or a container that does not let us
        return False
    return True


def _resident() -> int:
    return _read("VmRSS")


def _read(name: str) -> int:
    """Return a line of the status in KiB."""
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _give_back() -> None:
    """Let glibc return what is free; other libraries return it by themselves or keep it."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return
