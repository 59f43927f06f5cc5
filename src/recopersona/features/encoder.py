"""Items or users as vectors of what they are: one block of columns per attribute."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self, overload

import numpy as np
from scipy import sparse

from recopersona.base.parameters import (
    Bound,
    check,
    check_parameters,
    mapping,
    optional,
    param,
    real,
    whole,
)
from recopersona.base.part import Part
from recopersona.data.feature_table import FeatureTable
from recopersona.data.types import Indices
from recopersona.errors import DataError, ParameterError, hint
from recopersona.features.attribute_blocks import (
    BLOCKS,
    VECTORIZER,
    AttributeBlock,
    NumberBlock,
    TextBlock,
    VectorBlock,
    unit_rows,
)

NOT_CONTENT = ("stock", "margin", "created_at", "available_from", "available_until")
"""Columns that tell how and when an item is sold, and nothing of what it is."""

_NAMES = Bound(
    "a list of names",
    lambda value: not isinstance(value, str) and all(isinstance(name, str) for name in value),
)


class FeatureNames(Sequence[str]):
    """What every column stands for, said only when it is asked for."""

    def __init__(self, blocks: Mapping[str, AttributeBlock]) -> None:
        self._blocks = tuple(blocks.values())
        self._starts = np.cumsum([0, *(block.width for block in self._blocks)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        wanted = int(place) + (len(self) if place < 0 else 0)
        if not 0 <= wanted < len(self):
            raise IndexError(f"there are {len(self)} columns, got {place}.")
        block = int(np.searchsorted(self._starts, wanted, side="right")) - 1
        return self._blocks[block].name(wanted - int(self._starts[block]))


@dataclass(frozen=True)
class Encoded:
    """Rows of a table as vectors.

    Parameters
    ----------
    matrix : float32 csr_array (n_rows, n_features)
        Rows of length 1, or without any entry where nothing is known.
    blocks : mapping from the attribute's name to its slice of the columns
    names : sequence of str
        What every column stands for, such as ``"brand=Ito"``, ``"title: tea"``,
        ``"price ~ 4.50"``.
    unknown : mapping from the attribute's name to int
        How many values were not there in ``fit``, and were left out; of texts, how many without
        one known word; of dense vectors, how many rows without one.

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.data.ids import IdMap
    >>> shelf = pd.DataFrame({"item_id": ["tea", "salt"], "brand": ["Ito", "Maldon"]})
    >>> table = FeatureTable.from_frame(shelf, IdMap(), "item_id")
    >>> encoded = AttributeEncoder().fit_transform(table)
    >>> encoded.matrix.toarray(), list(encoded.names)
    (array([[1., 0.],
           [0., 1.]], dtype=float32), ['brand=Ito', 'brand=Maldon'])
    """

    matrix: Any
    blocks: Mapping[str, slice]
    names: Sequence[str]
    unknown: Mapping[str, int] = field(default_factory=dict)


class AttributeEncoder(Part):
    r"""Turn attributes into sparse vectors of length 1, in blocks none of which drowns another.

    Every attribute is a block of columns, and within a row every block has the length
    :math:`\sqrt{w_b}` before the row is brought to length 1. So the cosine of two rows that know
    the same attributes is the mean of the blocks' own cosines, by weight:

    .. math:: \cos(x, y) = \frac{\sum_b w_b \cos(x_b, y_b)}{\sum_b w_b}

    =========  =====================================================================
    kind       the block
    =========  =====================================================================
    category   a column per value
    set        a column per value, weighted by :math:`\ln \frac{1 + n}{1 + n_v} + 1`
    flag       no and yes
    number     a column per quantile; a number is shared between the two next to it,
               so that near numbers have near vectors; prices by their logarithm
    time       the same of the logarithm of days before the newest row
    text       TF-IDF of words, or what a vectorizer makes of it
    =========  =====================================================================

    What is unknown in a row is an empty block, and what was not there in ``fit`` is left out and
    counted. Where no spaces are written (Chinese, Japanese, Thai), two characters are a word.

    Parameters
    ----------
    columns : list of str, optional
        The attributes to read; by default all but those that tell how an item is sold and not
        what it is: ``stock``, ``margin``, ``created_at``, ``available_from``, ``available_until``.
    weights : mapping from name to a number of at least 0, optional
        Of attributes and embeddings; 1 where nothing is said, and 0 leaves one out.
    text : vectorizer of scikit-learn, optional
        By default a `TfidfVectorizer` of single words with ``sublinear_tf``. One that is fitted
        is taken as it is; else each column of text is learned by a clone.
    embeddings : mapping from name to array (n, d) or dataframe, optional
        Dense vectors from outside: row r of an array describes the table's row r; a frame is
        indexed by id.
    bins : int, at least 2
        Quantiles a number is compared by.
    min_count : int, at least 1
        A category, tag or word in fewer rows than so many has no column.

    Attributes
    ----------
    blocks_ : dict from name to block

    Raises
    ------
    ParameterError
        If a name in ``columns`` or ``weights`` is no attribute, or embeddings are no vectors.
    DataError
        If ``transform`` meets an attribute of another kind than ``fit`` did.

    Notes
    -----
    Memory: 8 bytes an entry; a row has one for each category, flag, tag and distinct word, two
    for each number, and d for an embedding. Time: one pass over the table; text is most of it.

    What users' attributes were stays in the vocabulary until the next ``fit``, also when one is
    forgotten: with a ``min_count`` of more than 1 no column stands for one person.

    A saved encoder keeps `CountVectorizer`, `TfidfVectorizer` and `HashingVectorizer`; others
    are used, but refused by ``save``.

    References
    ----------
    Salton & Buckley (1988), "Term-weighting approaches in automatic text retrieval"; Lops, de
    Gemmis & Semeraro (2011), "Content-based recommender systems: state of the art and trends",
    section 3.3.

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.data.ids import IdMap
    >>> frame = pd.DataFrame({
    ...     "item_id": ["sencha", "matcha", "salt"],
    ...     "brand": ["Ito", "Ito", "Maldon"],
    ...     "title": ["green tea leaves", "green tea powder", "flakes of salt"],
    ... })
    >>> table = FeatureTable.from_frame(frame, IdMap(), "item_id")
    >>> encoded = AttributeEncoder().fit(table).transform(table)
    >>> (encoded.matrix @ encoded.matrix.T).toarray().round(2)[0]
    array([1.  , 0.77, 0.  ], dtype=float32)
    >>> encoded.names[0], encoded.names[-1], encoded.blocks["brand"]
    ('brand=Ito', 'title: tea', slice(0, 2, None))
    """

    columns: Sequence[str] | None = param(optional(_NAMES), default=None)
    weights: Mapping[str, float] | None = param(
        optional(mapping("from name to a number of at least 0")), default=None
    )
    text: Any = param(optional(VECTORIZER), default=None)
    embeddings: Mapping[str, Any] | None = param(
        optional(mapping("from name to an array (n, d) or a dataframe indexed by id")),
        default=None,
    )
    bins: int = param(whole(at_least=2), default=8)
    min_count: int = param(whole(at_least=1), default=1)

    def fit(self, table: FeatureTable, y: None = None) -> Self:
        """Learn the values, words and quantiles of a table, and forget those of another."""
        check_parameters(self)
        _require_table(table)
        self._unfit()
        names = self._column_names(table)
        self._check_weights(table)
        blocks = {name: self._block(table, name) for name in names if self._weight(name)}
        for name, vectors in (self.embeddings or {}).items():
            if self._weight(name):
                blocks[name] = VectorBlock(column=name, vectors=vectors)
        for block in blocks.values():
            block.fit(table)
        self.blocks_ = blocks
        return self

    def transform(self, table: FeatureTable, rows: Indices | None = None) -> Encoded:
        """Return a table's rows, or some of them, as vectors.

        Parameters
        ----------
        table : FeatureTable
        rows : int (n,), optional
            In the order wanted.
        """
        self._check_fitted()
        _require_table(table)
        wanted = np.arange(len(table)) if rows is None else np.asarray(rows, np.int64)
        parts, unknown = [], {}
        for name, block in self.blocks_.items():
            part, unknown[name] = self._encoded(block, table, wanted)
            parts.append(unit_rows(part, np.sqrt(self._weight(name))))
        together: Any = sparse.csr_array((len(wanted), 0), dtype=np.float32)
        if parts:
            together = sparse.csr_array(sparse.hstack(parts, format="csr"))
        return Encoded(
            unit_rows(together),
            self.slices,
            self.names,
            {name: n for name, n in unknown.items() if n},
        )

    def fit_transform(self, table: FeatureTable, y: None = None) -> Encoded:
        """Learn from a table and return its rows as vectors."""
        return self.fit(table).transform(table)

    def reads(self, columns: Collection[str]) -> bool:
        """Tell whether rows that come or change by these columns are to be read anew.

        Vectors from outside may be of rows that only come now, whatever their columns.
        """
        blocks = self.blocks_.items()
        return any(isinstance(block, VectorBlock) or name in columns for name, block in blocks)

    @property
    def slices(self) -> dict[str, slice]:
        """Which columns each attribute has."""
        ends = np.cumsum([0, *(block.width for block in self.blocks_.values())]).tolist()
        return {name: slice(*span) for name, span in zip(self.blocks_, pairwise(ends), strict=True)}

    @property
    def names(self) -> FeatureNames:
        """What every column stands for."""
        return FeatureNames(self.blocks_)

    @property
    def n_features(self) -> int:
        """How many columns there are."""
        return sum(block.width for block in self.blocks_.values())

    def _encoded(self, block: AttributeBlock, table: FeatureTable, rows: Any) -> Any:
        if isinstance(block, VectorBlock) or block.column in table:
            return block.encode(table, rows)
        return sparse.csr_array((len(rows), block.width), dtype=np.float32), len(rows)

    def _block(self, table: FeatureTable, name: str) -> AttributeBlock:
        kind = BLOCKS[table.column(name).kind]
        more: dict[str, Any] = {}
        if issubclass(kind, NumberBlock):
            more = {"bins": self.bins}
        elif issubclass(kind, TextBlock):
            more = {"vectorizer": self.text}
        return kind(column=name, min_count=self.min_count, **more)

    def _column_names(self, table: FeatureTable) -> list[str]:
        if self.columns is None:
            return [name for name in table.names if name not in NOT_CONTENT]
        for name in self.columns:
            if name not in table:
                raise ParameterError(
                    f"AttributeEncoder: columns name {name!r}, which is no attribute"
                    f"{hint(name, table.names)}"
                )
        return list(dict.fromkeys(self.columns))

    def _check_weights(self, table: FeatureTable) -> None:
        known = [*table.names, *(self.embeddings or {})]
        for name, weight in (self.weights or {}).items():
            if name not in known:
                raise ParameterError(
                    f"AttributeEncoder: weights name {name!r}, which is no attribute"
                    f"{hint(name, known)}"
                )
            check(weight, real(at_least=0), "AttributeEncoder", f"weights[{name!r}]")
        for name in self.embeddings or {}:
            if name in table:
                raise ParameterError(
                    f"AttributeEncoder: embeddings name {name!r}, which is an attribute already; "
                    "give them another name."
                )

    def _weight(self, name: str) -> float:
        return float((self.weights or {}).get(name, 1.0))

    def _check_learned(self) -> None:
        held: Any = self.blocks_
        right = isinstance(held, dict) and all(
            isinstance(name, str)
            and isinstance(block, AttributeBlock)
            and block.__sklearn_is_fitted__()
            and block.column == name
            for name, block in held.items()
        )
        if not right:
            raise DataError("AttributeEncoder: blocks_ must be fitted blocks by name.")


ENCODER = optional(Bound("an AttributeEncoder", lambda value: isinstance(value, AttributeEncoder)))
"""What a parameter that reads attributes must be."""


def _require_table(table: Any) -> None:
    if not isinstance(table, FeatureTable):
        raise DataError(
            f"AttributeEncoder needs a FeatureTable, got a {type(table).__name__}; "
            "write FeatureTable.from_frame(frame, IdMap(), 'item_id')."
        )
