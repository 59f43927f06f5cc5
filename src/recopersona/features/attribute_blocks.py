"""One attribute as a block of columns: categories, tags, flags, numbers, times, text, vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.utils.validation import check_is_fitted

from recopersona.base.parameters import Bound, check, optional, param, whole
from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.feature_table import FeatureTable, SetColumn
from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Indices
from recopersona.errors import DataError, ParameterError

_DAY_MS = 86_400_000.0

# Scripts written without spaces: Thai to Myanmar, Khmer, kana, Chinese characters.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
WORDS = rf"(?=([{_UNSPACED}]{{1,2}}|(?<![^\W{_UNSPACED}])[^\W{_UNSPACED}]+))"
"""What counts as a word: a run of letters and digits; two characters where no spaces are used."""

VECTORIZER = Bound(
    "a vectorizer of scikit-learn such as HashingVectorizer()",
    lambda value: all(callable(getattr(value, name, None)) for name in ("fit", "transform")),
)

Matrix: TypeAlias = Any
"""A float32 csr_array (n_rows, n_columns)."""

Encoded = tuple[Matrix, int]
"""A block's rows, and how many values in them are unknown."""


class AttributeBlock(Part):
    """One attribute of items or users as columns of a matrix.

    Parameters
    ----------
    column : str
        The attribute's name.
    min_count : int
        In how many rows a value must occur to get a column.
    """

    kind: ClassVar[str]

    column: str = param(Bound("a name", lambda value: isinstance(value, str)), default="")
    min_count: int = param(whole(at_least=1), default=1)

    def fit(self, table: FeatureTable) -> None:
        """Learn what columns there are."""
        raise NotImplementedError

    def encode(self, table: FeatureTable, rows: Array) -> Encoded:
        """Return some rows, of whatever length."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """How many columns there are."""
        raise NotImplementedError

    def name(self, place: int) -> str:
        """Say what one column stands for."""
        raise NotImplementedError

    def _column(self, table: FeatureTable) -> Any:
        column = table.column(self.column)
        if column.kind != self.kind:
            raise DataError(
                f"{self.column!r} must be of the kind {self.kind}, as it was in fit, "
                f"got {column.kind}."
            )
        return column


class CategoryBlock(AttributeBlock):
    """A column per value."""

    kind = "category"

    def fit(self, table: FeatureTable) -> None:
        column = self._column(table)
        held = column.values[column.values >= 0]
        counts = np.bincount(held, minlength=len(column.categories))
        self.values_ = IdMap(column.categories.ids[counts >= self.min_count])

    def encode(self, table: FeatureTable, rows: Array) -> Encoded:
        column = self._column(table)
        codes = column.values[rows]
        places = _places_of(codes, column.categories, self.values_)
        n_unknown = int(((codes >= 0) & (places < 0)).sum())
        return one_hot(places, self.width), n_unknown

    @property
    def width(self) -> int:
        return len(self.values_)

    def name(self, place: int) -> str:
        return f"{self.column}={self.values_.ids[place]}"

    def _check_learned(self) -> None:
        if not isinstance(self.values_, IdMap):
            raise DataError(f"{self.column}: values_ must be an IdMap.")


class SetBlock(CategoryBlock):
    """A column per value, several in a row, the rarer the heavier."""

    kind = "set"

    def fit(self, table: FeatureTable) -> None:
        column: SetColumn = self._column(table)
        held = _distinct_members(column.starts, column.codes, len(column.categories))
        counts = np.bincount(held.indices, minlength=held.shape[1])
        kept = counts >= self.min_count
        self.values_ = IdMap(column.categories.ids[kept])
        n_rows = len(column)
        self.idf_ = (np.log((1 + n_rows) / (1 + counts[kept])) + 1).astype(np.float32)

    def encode(self, table: FeatureTable, rows: Array) -> Encoded:
        column: SetColumn = self._column(table)
        first, last = column.starts[rows], column.starts[rows + 1]
        codes = column.codes[_spread(first, last - first)]
        places = _places_of(codes, column.categories, self.values_)
        known_before = np.concatenate([[0], np.cumsum(places >= 0)])
        starts = known_before[np.concatenate([[0], np.cumsum(last - first)])]
        held = _distinct_members(starts, places[places >= 0], self.width)
        held.data = self.idf_[held.indices]
        return held, int((places < 0).sum())

    def _check_learned(self) -> None:
        super()._check_learned()
        require_array(self.idf_, np.float32, (self.width,), f"{self.column}: idf_")


class FlagBlock(AttributeBlock):
    """Two columns: no and yes."""

    kind = "flag"

    def fit(self, table: FeatureTable) -> None:
        self.words_ = ["no", "yes"]

    def encode(self, table: FeatureTable, rows: Array) -> Encoded:
        return one_hot(self._column(table).values[rows], self.width), 0

    @property
    def width(self) -> int:
        return len(self.words_)

    def name(self, place: int) -> str:
        return f"{self.column}={self.words_[place]}"

    def _check_learned(self) -> None:
        if self.words_ != ["no", "yes"]:
            raise DataError(f"{self.column}: words_ must be no and yes.")


class NumberBlock(AttributeBlock):
    """A column per knot; a number lies between two, and near numbers have near rows.

    Knots are quantiles, so that each stands for as many rows. A number that is the same in all
    rows tells nothing, and has none. Prices are compared by their logarithm.
    """

    kind = "number"

    bins: int = param(whole(at_least=2), default=8)

    def fit(self, table: FeatureTable) -> None:
        values = self._scaled(self._column(table).values)
        known = values[np.isfinite(values)]
        shares = np.linspace(0, 1, self.bins)
        knots = np.unique(np.quantile(known, shares)) if len(known) else known
        self.knots_ = knots if len(knots) > 1 else knots[:0]

    def encode(self, table: FeatureTable, rows: Array) -> Encoded:
        values = self._scaled(self._column(table).values[rows])
        known = np.isfinite(values) & (self.width > 0)
        if not known.any():
            return _nothing(len(rows), self.width), 0
        within = np.clip(values[known], self.knots_[0], self.knots_[-1])
        below = np.clip(np.searchsorted(self.knots_, within, "right") - 1, 0, self.width - 2)
        gap = self.knots_[below + 1] - self.knots_[below]
        share = (within - self.knots_[below]) / gap
        places = np.stack([below, below + 1], axis=1).ravel()
        parts = np.stack([1 - share, share], axis=1).ravel()
        matrix = _rows_of(np.where(known, 2, 0), places, parts, self.width)
        matrix.eliminate_zeros()
        return matrix, 0

    @property
    def width(self) -> int:
        return len(self.knots_)

    def name(self, place: int) -> str:
        knot = float(self.knots_[place])
        if self._is_price:
            return f"{self.column} ~ {np.exp(knot):.2f}"
        return f"{self.column} ~ {knot:.4g}"

    @property
    def _is_price(self) -> bool:
        return "price" in self.column.lower()

    def _scaled(self, values: Array) -> Array:
        finite = np.where(np.isfinite(values), values, np.nan)
        if not self._is_price:
            return finite
        with np.errstate(invalid="ignore"):
            # What costs nothing lies at the lowest knot.
            return np.where(np.isnan(finite), np.nan, np.log(np.maximum(finite, 1e-9)))

    def _check_learned(self) -> None:
        require_array(self.knots_, np.float64, (None,), f"{self.column}: knots_")
        if not np.isfinite(self.knots_).all() or (np.diff(self.knots_) <= 0).any():
            raise DataError(f"{self.column}: knots_ must be finite numbers that rise.")


class TimeBlock(NumberBlock):
    """Ages in days before the newest row, by their logarithm, between knots."""

    kind = "time"

    def fit(self, table: FeatureTable) -> None:
        self.newest_ = int(self._column(table).values.max(initial=MISSING_TIME))
        super().fit(table)

    def name(self, place: int) -> str:
        days = float(np.expm1(self.knots_[place]))
        return f"{self.column} ~ {days:.3g} days before the newest"

    @property
    def _is_price(self) -> bool:
        return False

    def _scaled(self, values: Array) -> Array:
        age = np.maximum(self.newest_ - values.astype(np.float64), 0) / _DAY_MS
        return np.where(values == MISSING_TIME, np.nan, np.log1p(age))

    def _check_learned(self) -> None:
        super()._check_learned()
        check(self.newest_, whole(int(MISSING_TIME), 2**62), self.column, "newest_")


class TextBlock(AttributeBlock):
    """A column per word, or whatever a vectorizer of scikit-learn makes of text.

    Of a vectorizer with a vocabulary, the words that occur often enough and their weights are
    kept, and the vectorizer is made again from them; so a file needs to hold nothing else.
    """

    kind = "text"

    vectorizer: Any = param(optional(VECTORIZER), default=None)

    def fit(self, table: FeatureTable) -> None:
        texts = _texts(self._column(table).values)
        fitted, matrix = self._fitted(texts)
        counts = np.bincount(matrix.indices, minlength=matrix.shape[1])
        kept = np.flatnonzero(counts >= self.min_count).astype(np.int32)
        self.terms_ = _terms(fitted, kept, matrix.shape[1])
        self.places_, self.idf_ = kept, np.empty(0)
        if isinstance(fitted, CountVectorizer):
            self.places_ = np.arange(len(kept), dtype=np.int32)
            if getattr(fitted, "use_idf", False) and len(kept):
                self.idf_ = np.asarray(fitted.idf_, np.float64)[kept]
        elif not _is_stateless(fitted):
            self.fitted_ = fitted
        self._prepare()

    def encode(self, table: FeatureTable, rows: Array) -> Encoded:
        texts = _texts(self._column(table).values[rows])
        if not self.width:
            return _nothing(len(texts), 0), sum(map(bool, texts))
        matrix = self._read(texts)
        said_something = np.fromiter(map(bool, texts), np.bool_, count=len(texts))
        return matrix, int((said_something & (np.diff(matrix.indptr) == 0)).sum())

    @property
    def width(self) -> int:
        return len(self.places_)

    def name(self, place: int) -> str:
        return f"{self.column}: {self.terms_[place]}"

    def _read(self, texts: list[str]) -> Matrix:
        matrix = _as_csr(self._ready.transform(texts))
        keeps_all = isinstance(self._ready, CountVectorizer)
        return matrix if keeps_all else _only_columns(matrix, self.places_)

    def _fitted(self, texts: list[str]) -> tuple[Any, Matrix]:
        """Return a fitted vectorizer, the one given where it is fitted, and what it says."""
        given = self.vectorizer
        if given is not None and _is_fitted(given):
            return given, _as_csr(given.transform(texts))
        fresh = self._unfitted()
        try:
            return fresh, _as_csr(fresh.fit_transform(texts))
        except ValueError as problem:
            # Not one word in the whole catalogue is no mistake; all else is.
            if "empty vocabulary" not in str(problem) and "no terms remain" not in str(problem):
                raise
            return fresh, _nothing(len(texts), 0)

    def _unfitted(self) -> Any:
        if self.vectorizer is not None:
            return clone(self.vectorizer)
        return TfidfVectorizer(
            token_pattern=WORDS, strip_accents="unicode", sublinear_tf=True, dtype=np.float32
        )

    def _prepare(self) -> None:
        """Make the vectorizer that texts are encoded by."""
        fresh = getattr(self, "fitted_", None)
        if fresh is None:
            fresh = self._unfitted()
            # Never read by one that was not fitted: hashing into 0 columns kills the process.
            if isinstance(fresh, CountVectorizer) and self.width:
                fresh.set_params(vocabulary=self.terms_.tolist())
            if self.width:
                fresh.fit([""])
            if len(self.idf_):
                fresh.idf_ = self.idf_
        self._ready = fresh

    def _check_learned(self) -> None:
        if hasattr(self, "fitted_"):
            raise DataError(f"{self.column}: a file cannot hold a vectorizer that is fitted.")
        require_array(self.places_, np.int32, (None,), f"{self.column}: places_")
        require_array(self.terms_, np.object_, (self.width,), f"{self.column}: terms_")
        require_array(self.idf_, np.float64, (None,), f"{self.column}: idf_")
        words = self.terms_.tolist()
        right = (
            all(isinstance(word, str) for word in words)
            and len(set(words)) == len(words)
            and len(self.idf_) in (0, self.width)
            and (self.places_ >= 0).all()
            and (np.diff(self.places_) > 0).all()
        )
        if not right:
            raise DataError(f"{self.column}: the words and their weights do not fit.")
        if self.width:  # a vectorizer looks at how it was made when it reads, and not before
            self._prepare()
            self._read(["a word"])


class VectorBlock(AttributeBlock):
    """Dense vectors from outside: a column per dimension.

    Parameters
    ----------
    vectors : array (n, d) or dataframe
        Row r of an array is the table's row r; a frame is indexed by id. Rows that are missing,
        or hold what is no number, are unknown.
    """

    kind = "vectors"

    vectors: Any = param(default=None)

    def fit(self, table: FeatureTable) -> None:
        self._require_vectors()
        self.width_ = int(self._values().shape[1])

    def encode(self, table: FeatureTable, rows: Array) -> Encoded:
        values, places = self._values(), np.asarray(rows)
        if values.shape[1:] != (self.width,):
            raise DataError(f"embeddings[{self.column!r}] must have {self.width} columns.")
        if isinstance(self.vectors, pd.DataFrame):
            places = self._ids.indices(table.ids.ids[rows])
        held = (places >= 0) & (places < len(values))
        found = np.zeros((len(rows), self.width), np.float32)
        with np.errstate(over="ignore"):  # beyond float32: no number, as any other
            found[held] = values[places[held]]
        held &= np.isfinite(found).all(axis=1)
        found[~held] = 0
        return sparse.csr_array(found), int((~held).sum())

    @property
    def width(self) -> int:
        return self.width_

    def name(self, place: int) -> str:
        return f"{self.column}[{place}]"

    def _require_vectors(self) -> None:
        values, is_frame = self._values(), isinstance(self.vectors, pd.DataFrame)
        by_column = is_frame and {"item_id", "user_id"} & set(self.vectors.columns)
        if values.ndim != 2 or values.dtype.kind not in "biuf" or by_column:
            fix = f"; write frame.set_index({min(by_column)!r})." if by_column else "."
            raise ParameterError(
                f"embeddings[{self.column!r}] must be an array of numbers (n, d) or a dataframe "
                f"indexed by id, got {type(self.vectors).__name__} of shape {values.shape}{fix}"
            )
        if is_frame and not self.vectors.index.is_unique:
            raise ParameterError(f"embeddings[{self.column!r}] must have each id once.")

    def _values(self) -> Array:
        return np.asarray(self.vectors)

    @property
    def _ids(self) -> IdMap:
        known = getattr(self, "_known_ids", None)
        if known is None:
            known = self._known_ids = IdMap(self.vectors.index)
        return known

    def _check_learned(self) -> None:
        self._require_vectors()
        if type(self.width_) is not int or self._values().shape[1:] != (self.width_,):
            raise DataError(f"{self.column}: width_ must be that of the vectors.")


BLOCKS: Mapping[str, type[AttributeBlock]] = {
    kind.kind: kind
    for kind in (CategoryBlock, SetBlock, FlagBlock, NumberBlock, TimeBlock, TextBlock)
}
"""The block for each kind of column."""


def one_hot(places: Array, width: int) -> Matrix:
    """Return rows with a 1 at one place each, none where the place is negative."""
    known = places >= 0
    return _rows_of(known.astype(np.int64), places[known], np.ones(int(known.sum())), width)


def unit_rows(matrix: Matrix, length: float = 1.0) -> Matrix:
    """Return a float32 matrix whose rows have one length, or nothing in them."""
    sizes = np.diff(matrix.indptr)
    owner = np.repeat(np.arange(matrix.shape[0]), sizes)
    squares = np.zeros(matrix.shape[0])
    squares += np.bincount(owner, np.square(matrix.data, dtype=np.float64), len(squares))
    factor = np.divide(length, np.sqrt(squares), out=np.zeros_like(squares), where=squares > 0)
    scaled = (matrix.data * factor[owner]).astype(np.float32)
    return sparse.csr_array((scaled, matrix.indices, matrix.indptr), shape=matrix.shape)


def _rows_of(sizes: Array, places: Array, values: Array, width: int) -> Matrix:
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    parts = (values.astype(np.float32), places.astype(np.int32), starts)
    return sparse.csr_array(parts, shape=(len(sizes), width))


def _nothing(n: int, width: int) -> Matrix:
    return sparse.csr_array((n, width), dtype=np.float32)


def _places_of(codes: Indices, categories: IdMap, values: IdMap) -> Indices:
    """Return what a column's codes are called here, -1 where unknown."""
    distinct, inverse = np.unique(codes, return_inverse=True)
    ids = categories.ids[distinct[distinct >= 0]]
    known = values.indices(ids) if len(ids) else np.empty(0, np.int32)
    unknown = np.full(int((distinct < 0).sum()), UNKNOWN, np.int32)
    places: Indices = np.concatenate([unknown, known]).astype(np.int32)[inverse]
    return places


def _distinct_members(starts: Array, codes: Array, width: int) -> Matrix:
    ones = np.ones(len(codes), np.float32)
    parts = (ones, codes.astype(np.int32, copy=True), starts.astype(np.int64))
    members = sparse.csr_array(parts, shape=(len(starts) - 1, width))
    members.sum_duplicates()
    return members


def _spread(first: Array, sizes: Array) -> Array:
    """Return the places of runs, one after another."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(first - (ends - sizes), sizes) + np.arange(total)


def _texts(values: Iterable[Any]) -> list[str]:
    return ["" if text is None else text for text in values]


def _as_csr(matrix: Any) -> Matrix:
    converted = sparse.csr_array(matrix)
    converted.sum_duplicates()
    return converted


def _only_columns(matrix: Matrix, places: Indices) -> Matrix:
    """Return the columns at some ascending places, however many there are besides."""
    place = np.searchsorted(places, matrix.indices)
    place[place == len(places)] = 0
    held = places[place] == matrix.indices
    bounds = np.concatenate([[0], np.cumsum(held)])[matrix.indptr]
    parts = (matrix.data[held], place[held].astype(np.int32), bounds)
    return sparse.csr_array(parts, shape=(matrix.shape[0], len(places)))


def _is_stateless(vectorizer: Any) -> bool:
    tags: Any = vectorizer.__sklearn_tags__() if hasattr(vectorizer, "__sklearn_tags__") else None
    return tags is not None and not tags.requires_fit


def _is_fitted(vectorizer: Any) -> bool:
    if _is_stateless(vectorizer):
        return False
    try:
        check_is_fitted(vectorizer)
    except (NotFittedError, TypeError):
        return False
    return True


def _terms(fitted: Any, kept: Indices, n: int) -> Array:
    names: Sequence[str] = ()
    if n and hasattr(fitted, "get_feature_names_out"):
        names = [str(name) for name in np.asarray(fitted.get_feature_names_out())[kept]]
    if len(names) != len(kept) or len(set(names)) != len(names):
        names = [f"#{place}" for place in kept.tolist()]
    return np.fromiter(names, dtype=object, count=len(kept))
