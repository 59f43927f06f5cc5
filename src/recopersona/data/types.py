"""Names for the array types that signatures mention."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float32]
Indices: TypeAlias = NDArray[np.int32]
Mask: TypeAlias = NDArray[np.bool_]
Values: TypeAlias = NDArray[np.float64]
"""What is measured or summed: one per user or item, NaN where undefined."""
Id: TypeAlias = Hashable
"""An id as the shop knows it: a string or an integer, usually."""
