"""The type of what metrics return."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
"""One value per user; NaN where the metric is not defined for her."""
