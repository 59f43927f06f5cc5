"""Ids replaced by keyed hashes of themselves: whoever lacks the key cannot tell whose they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from recopersona.data.columns import as_pandas, like, require_columns
from recopersona.errors import ColumnError, ParameterError
from recopersona.events.distinct import Distinct
from recopersona.events.identifiers import is_no_id, text_of
from recopersona.events.secret import Secret

PERSONAL = ("user_id", "anonymous_id")
"""The columns that say who somebody is."""


def hash_ids(frame: Any, key: bytes | str, columns: Iterable[str] | None = None) -> Any:
    """Replace ids by keyed hashes: the same key gives the same id the same hash, in any table.

    The hash is the first 32 hexadecimal digits of HMAC-SHA256 of the id's text in UTF-8. A whole
    number's text is its decimal digits, so ``7``, ``7.0`` and ``"7"`` have one hash: a log in
    which ids are numbers and a table in which they are text still join. Ids that are missing, and
    words such as ``null`` in their place, stay as they are. Any system with the key can make the
    same hash: ``hmac.new(key, str(id).encode(), "sha256").hexdigest()[:32]``.

    Parameters
    ----------
    frame : dataframe
        A log, or a table of customers; it is never changed.
    key : bytes or str, at least 16 bytes
        The secret; text is taken in UTF-8. It is neither kept nor shown. A key made by
        ``secrets.token_bytes(32)`` is a good one; whoever has it can try ids one by one.
    columns : iterable of str, optional
        What to hash; by default those of ``user_id`` and ``anonymous_id`` that are there.

    Returns
    -------
    frame
        Of the caller's kind, the ids as text.

    Raises
    ------
    ParameterError
        If the key is short, or no key.
    ColumnError
        If a column is missing.
    DataError
        If ids cannot be hashed (lists), or it is no dataframe.

    Notes
    -----
    Time: about 2 µs per distinct id. 128 bits of hash make two ids of a billion meet with a
    probability of 10⁻²¹. Hash once: hashes of hashes join with nothing.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [7, None], "item_id": ["tea", "salt"]})
    >>> customers = pd.DataFrame({"user_id": ["7"], "city": ["Ulm"]})
    >>> key = "correct horse battery staple"
    >>> hash_ids(log, key)["user_id"].tolist()
    ['2f44b79788b639c3741e796765da6618', nan]
    >>> hash_ids(log, key).merge(hash_ids(customers, key), on="user_id")["city"].tolist()
    ['Ulm']
    """
    secret = Secret.of(key, "hash_ids")
    table = as_pandas(frame, "the table")
    names = personal_columns(table, columns)
    return like(table.assign(**{name: pseudonyms(table[name], secret) for name in names}), frame)


def personal_columns(frame: pd.DataFrame, columns: Any) -> list[str]:
    """Return the columns to hash, and check that they are there."""
    if columns is None:
        names = [name for name in PERSONAL if name in frame.columns]
        if not names:
            raise ColumnError(
                "hash_ids: the table has neither 'user_id' nor 'anonymous_id'; "
                "name its columns, such as columns=['customer']."
            )
        return names
    if isinstance(columns, str) or not isinstance(columns, Iterable):
        raise ParameterError(f"hash_ids: columns must be a list of names, got {columns!r}.")
    names = list(columns)
    require_columns(frame[:0], names, "the table")
    return names


def pseudonyms(column: pd.Series, secret: Secret) -> pd.Series:
    """Return a column of ids as keyed hashes."""
    ids = Distinct.of(column)
    hashed = ids.map(lambda value: value if is_no_id(value) else secret.hash(text_of(value)))
    return hashed.astype("str").set_axis(column.index)
