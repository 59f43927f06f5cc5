"""What a disk and a damaged archive raise."""

from __future__ import annotations

import zlib

DAMAGE = (OSError, EOFError, zlib.error)
