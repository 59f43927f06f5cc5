"""A column as its distinct values: what is costly per row is done once per value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.types import Array, Mask
from recopersona.errors import DataError


@dataclass(frozen=True, eq=False)
class Distinct:
    """The distinct values of a column, and which of them each row holds.

    codes   int64 (n,), -1 where the row holds none
    values  the distinct values in order of appearance, as Python's own objects
    """

    codes: Array
    values: list[Any]

    @classmethod
    def of(cls, column: pd.Series) -> Distinct:
        """Take a column apart.

        Raises
        ------
        DataError
            If a value cannot be hashed (a list, a dict).

        Examples
        --------
        >>> Distinct.of(pd.Series(["tea", None, "tea"], name="item_id")).codes.tolist()
        [0, -1, 0]
        """
        try:
            codes, distinct = pd.factorize(column)
        except (TypeError, NotImplementedError):  # Arrow's lists are not implemented
            raise DataError(
                f"{column.name} must hold strings or integers, got values that cannot be hashed."
            ) from None
        return cls(codes, list(distinct.tolist()))

    def tell(self, predicate: Callable[[Any], object]) -> Mask:
        """Tell the rows whose value satisfies a predicate; rows without a value never do.

        Examples
        --------
        >>> Distinct.of(pd.Series(["tea", None, "salt"])).tell(lambda value: value > "sugar")
        array([ True, False, False])
        """
        told = [bool(predicate(value)) for value in self.values]
        return np.array([*told, False], dtype=np.bool_)[self.codes]  # -1 reads the last

    def map(self, function: Callable[[Any], object], missing: object = None) -> pd.Series:
        """Replace every value by a function of it, and gaps by ``missing``.

        Examples
        --------
        >>> Distinct.of(pd.Series(["tea", None])).map(str.upper, missing="?").tolist()
        ['TEA', '?']
        """
        mapped = [*map(function, self.values), missing]
        try:
            values = pd.Series(mapped)
        except UnicodeEncodeError:  # half a character, which Arrow does not hold
            values = pd.Series(mapped, dtype=object)
        return values.take(self.codes % len(values)).reset_index(drop=True)
