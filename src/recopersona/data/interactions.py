"""Events as columns of numbers: what models and kernels read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy import sparse

from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError


@dataclass(frozen=True, eq=False)
class Interactions:
    """One row per event, in columns that cannot be written to.

    Parameters
    ----------
    users, items : int32 (n,)
        Indices into the dataset's `IdMap`s.
    event : int8 (n,)
        Codes, see `EVENT_TYPES`.
    weight : float32 (n,)
        Finite and at least 0, before any decay.
    timestamp : int64 (n,), optional
        Milliseconds since 1970 UTC.
    session : int32 (n,), optional
    quantity : float32 (n,), optional

    Examples
    --------
    >>> two = np.arange(2, dtype=np.int32)
    >>> rows = Interactions(two, two, np.full(2, 2, np.int8), np.ones(2, np.float32))
    >>> rows.to_csr((2, 3)).toarray()
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """

    users: Indices
    items: Indices
    event: Array
    weight: Floats
    timestamp: Array | None = None
    session: Array | None = None
    quantity: Floats | None = None

    def __post_init__(self) -> None:
        for name, dtype in _DTYPES.items():
            column = getattr(self, name)
            if column is None:
                continue
            frozen = np.ascontiguousarray(column, dtype=dtype).view()
            if frozen.shape != (len(self.users),):
                raise DataError(
                    f"interactions.{name} must have one value per row "
                    f"({len(self.users)}), got shape {frozen.shape}."
                )
            frozen.flags.writeable = False
            object.__setattr__(self, name, frozen)

    @classmethod
    def one(cls, user: int, item: int, event: int, weight: float, timestamp: int) -> Interactions:
        """Return a single row, by the short way: the values are known to be good."""
        row = cls.__new__(cls)
        vars(row).update(
            users=np.array([user], np.int32),
            items=np.array([item], np.int32),
            event=np.array([event], np.int8),
            weight=np.array([weight], np.float32),
            timestamp=np.array([timestamp], np.int64),
            session=None,
            quantity=None,
        )
        return row

    def __len__(self) -> int:
        return len(self.users)

    def __repr__(self) -> str:
        present = [field.name for field in fields(self) if getattr(self, field.name) is not None]
        return f"Interactions({len(self):,} rows: {', '.join(present)})"

    @property
    def end(self) -> int | None:
        """The latest timestamp, or None where there is no time."""
        if self.timestamp is None or not len(self):
            return None
        return int(self.timestamp.max())

    def take(self, rows: Array) -> Interactions:
        """Return some rows: a boolean mask, or row numbers in the order wanted."""
        columns = {name: getattr(self, name) for name in _DTYPES}
        kept: dict[str, Any] = {
            name: None if column is None else column[rows] for name, column in columns.items()
        }
        return Interactions(**kept)

    def decayed_weight(self, half_life: int | None, now: int | None = None) -> Floats:
        r"""Return :math:`w \cdot 2^{-(now - t) / half\_life}`.

        Parameters
        ----------
        half_life : milliseconds, or None for no decay
        now : milliseconds, by default the latest timestamp

        Raises
        ------
        DataError
            If a half-life is asked for and the rows have no time.
        """
        if half_life is None or not len(self):
            return self.weight
        if self.timestamp is None:
            raise DataError(
                "half_life needs a 'timestamp' column in the events; "
                "add one or leave half_life out."
            )
        ages = (self.end if now is None else now) - self.timestamp
        return (self.weight * np.exp2(-ages / half_life)).astype(np.float32)

    def to_csr(self, shape: tuple[int, int], weight: Floats | None = None) -> sparse.csr_array:
        """Return users x items; the weights of a repeated (user, item) pair add up.

        Parameters
        ----------
        shape : (n_users, n_items)
            Always given: a user at the tail without events is still a row.
        weight : float32 (n,), optional
            In place of the rows' own weight.

        Returns
        -------
        float32 csr_array with sorted indices, no duplicates and no stored zeros.
        """
        values = self.weight if weight is None else weight
        matrix = sparse.coo_array((values, (self.users, self.items)), shape=shape).tocsr()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        return matrix


_DTYPES = {
    "users": np.int32,
    "items": np.int32,
    "event": np.int8,
    "weight": np.float32,
    "timestamp": np.int64,
    "session": np.int32,
    "quantity": np.float32,
}
