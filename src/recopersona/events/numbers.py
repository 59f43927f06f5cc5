"""Numbers row by row: those that can be read, and NaN in place of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recopersona.data.columns import parsed_numbers


def readable_numbers(column: pd.Series) -> NDArray[np.float64]:
    """Return a column as float64, NaN where a value is missing or no number.

    Examples
    --------
    >>> readable_numbers(pd.Series(["1.5", "two", None, " 3 "]))
    array([1.5, nan, nan, 3. ])
    """
    parsed: Any = column
    if not pd.api.types.is_numeric_dtype(column.dtype):
        parsed = parsed_numbers(column.astype(object))
    if pd.api.types.is_complex_dtype(parsed.dtype):
        return np.full(len(column), np.nan)
    numbers: NDArray[np.float64] = parsed.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers
