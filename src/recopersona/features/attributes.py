"""Gaps in profiles: filled by a rule, or inferred by a model that says how sure it is."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import TransformerMixin, clone

from recopersona.base.parameters import check, optional, param, real, seed, switch, whole
from recopersona.base.part import Part
from recopersona.data.columns import as_pandas, factorized, like, require_columns
from recopersona.data.gate import EventGate, passed
from recopersona.data.ids import IdMap
from recopersona.data.types import Array, Mask
from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.features.codes import require_single
from recopersona.features.feature import finite
from recopersona.kernels.blocks import one_blas_thread

logger = logging.getLogger(__name__)

IDS = ("user_id", "item_id")
"""Columns that are never filled: an id that is missing stays so."""

_MOST_CATEGORIES, _MOST_CLASSES = 100, 100
_FEWEST_KNOWN = 50


class ProfileImputer(TransformerMixin, Part):  # type: ignore[misc]
    """Fill the gaps of a table, and say in further columns where they were.

    A transformer of scikit-learn: what it fills in is learned by ``fit`` alone, so that nothing
    leaks from rows that come later, or that are held out. Columns that were without a gap in
    ``fit`` get no further column. Columns of times, lists and ids stay as they are, and so does a
    column without any value in ``fit``.

    Parameters
    ----------
    imputer : imputer of scikit-learn, optional
        For the columns of numbers; by default ``SimpleImputer(strategy="median")``. Whole numbers
        stay whole: what is filled in is rounded.
    category_imputer : imputer of scikit-learn, optional
        For text, categories and yes or no; by default ``SimpleImputer(strategy="most_frequent")``.
    columns : list of str, optional
        What to fill; by default all but ``user_id`` and ``item_id``.
    indicator : bool
        Whether to add a column ``NAME_missing`` for every column that had gaps in ``fit``.

    Attributes
    ----------
    number_columns_, category_columns_, indicated_columns_, feature_names_in_ : list of str
    number_imputer_, category_imputer_
        The fitted imputers; None where there is no such column.

    Raises
    ------
    ColumnError
        If a column is missing.
    DataError
        If it is no dataframe.

    Notes
    -----
    Time of the default: a sort per column of numbers. ``KNNImputer`` is quadratic in the rows: half
    a minute for 20,000.

    Examples
    --------
    >>> customers = pd.DataFrame({"age": [30, None, 50], "city": ["Ulm", "Ulm", None]})
    >>> filled = ProfileImputer().fit_transform(customers)
    >>> filled["age"].tolist(), filled["city"].tolist()
    ([30.0, 40.0, 50.0], ['Ulm', 'Ulm', 'Ulm'])
    >>> filled["age_missing"].tolist()
    [False, True, False]
    """

    imputer: Any = param(default=None)
    category_imputer: Any = param(default=None)
    columns: Any = param(default=None)
    indicator: bool = param(switch(), default=True)

    def fit(self, X: Any, y: Any = None, *, gate: EventGate | None = None) -> ProfileImputer:
        """Learn what to fill in, from the rows of customers whom a gate admits, if there is one."""
        check(self.indicator, switch(), "ProfileImputer", "indicator")
        self._unfit()
        table = _table(passed(gate, X))
        names = self._chosen(table)
        filled = [name for name in names if table[name].notna().any()]
        self.feature_names_in_ = [str(name) for name in table.columns]
        self.number_columns_ = [name for name in filled if _is_number(table[name])]
        self.category_columns_ = [name for name in filled if _is_category(table[name])]
        used = {*self.number_columns_, *self.category_columns_}
        empty = {name for name in names if name not in filled}
        self.indicated_columns_ = [
            name for name in names if name in (used | empty) and table[name].isna().any()
        ]
        self.number_imputer_ = _fitted(
            self.imputer, "median", _numbers(table, self.number_columns_)
        )
        self.category_imputer_ = _fitted(
            self.category_imputer, "most_frequent", _objects(table, self.category_columns_)
        )
        return self

    def transform(self, X: Any) -> Any:
        """Return the table without gaps, of the caller's kind; it is not changed."""
        self._check_fitted()
        table = _table(X)
        require_columns(table[:0], self.feature_names_in_, "the table")
        columns: dict[str, pd.Series] = {}
        for imputer, names, values in (
            (self.number_imputer_, self.number_columns_, _numbers),
            (self.category_imputer_, self.category_columns_, _objects),
        ):
            if imputer is None or not len(table):
                continue
            made: Any = imputer.transform(values(table, names))
            made = made.toarray() if hasattr(made, "toarray") else np.asarray(made)
            for place, name in enumerate(names):
                columns[name] = _with_gaps_filled(table[name], made[:, place])
        if self.indicator:
            for name in self.indicated_columns_:
                columns[f"{name}_missing"] = table[name].isna()
        return like(table.assign(**columns), X)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return the names of the columns of what ``transform`` returns."""
        self._check_fitted()
        added = [f"{name}_missing" for name in self.indicated_columns_] if self.indicator else []
        return np.array([*self.feature_names_in_, *added], dtype=object)

    def _chosen(self, table: pd.DataFrame) -> list[str]:
        if self.columns is None:
            return [str(name) for name in table.columns if name not in IDS]
        names = _listed(self.columns, "ProfileImputer: columns")
        require_columns(table[:0], names, "the table")
        return names


def impute(
    frame: Any,
    imputer: Any = None,
    *,
    category_imputer: Any = None,
    columns: Iterable[str] | None = None,
    indicator: bool = True,
) -> Any:
    """Fill the gaps of a table from the table itself, see `ProfileImputer`.

    Where a model is to be judged on rows held out, fit a `ProfileImputer` on the others instead:
    here every row takes part in what is filled in.

    Parameters
    ----------
    frame : dataframe
        Pandas, polars or Arrow; it is never changed.
    imputer, category_imputer, columns, indicator
        As of `ProfileImputer`.

    Returns
    -------
    frame
        Of the caller's kind, with the columns and types it had and a column ``NAME_missing`` for
        every column with gaps.

    Examples
    --------
    >>> impute(pd.DataFrame({"visits": [1, None, 4]}).astype("Int64"))
       visits  visits_missing
    0       1           False
    1       2            True
    2       4           False
    """
    made: Any = ProfileImputer(
        imputer=imputer, category_imputer=category_imputer, columns=columns, indicator=indicator
    ).fit(frame)
    return made.transform(frame)


@dataclass(frozen=True)
class InferenceReport:
    """How well an attribute can be inferred, and what was done with that.

    Parameters
    ----------
    attribute : str
    known, filled, refused : int
        Rows whose value was known, rows that were filled, and rows whose best guess was not sure
        enough and that stay empty.
    accuracy, baseline : float
        On known rows held out: the share of guesses that were right, and of right ones among
        guesses of the most frequent value.
    min_confidence : float
    confident_share, confident_accuracy : float
        On the same rows: the share whose guess was sure enough, and how many of those were right
        (NaN where there were none).

    Examples
    --------
    >>> InferenceReport("gender", 100, 20, 5, 0.8, 0.6, 0.7, 0.75, 0.9)
    InferenceReport: 'gender' of 20 rows filled from 100 known, 5 stay empty
      right on rows held out         0.800
      always the most frequent value 0.600
      with a confidence of 0.7       0.900 of the 0.750 that have it
    """

    attribute: str
    known: int
    filled: int
    refused: int
    accuracy: float
    baseline: float
    min_confidence: float
    confident_share: float
    confident_accuracy: float

    def __repr__(self) -> str:
        return "\n".join([
            f"InferenceReport: {self.attribute!r} of {self.filled:,} rows filled from "
            f"{self.known:,} known, {self.refused:,} stay empty",
            f"  right on rows held out         {self.accuracy:.3f}",
            f"  always the most frequent value {self.baseline:.3f}",
            f"  with a confidence of {self.min_confidence:<9g} {self.confident_accuracy:.3f} "
            f"of the {self.confident_share:.3f} that have it",
        ])  # fmt: skip


def infer_attribute(
    frame: Any,
    attribute: str,
    *,
    features: Iterable[str] | None = None,
    events: Any = None,
    factors: int = 64,
    model: Any = None,
    min_confidence: float | None = None,
    held_out: float = 0.2,
    random_state: Any = 0,
    report: bool = False,
) -> Any:
    """Infer a missing attribute of customers from others, and from what they did.

    The rows whose value is known are split: a model learns from four fifths of them and is judged
    on the rest; then it learns from all of them and fills the gaps. Confidences are probabilities
    calibrated by cross-validation (Platt's sigmoid), so that of guesses made with a confidence of
    0.8 about four in five are right. A guess below ``min_confidence`` is not made.

    An inferred attribute is a guess about a group, and not a fact about a person: `report` says
    how good a guess, and whether it beats the most frequent value at all. Some attributes must not
    be inferred without consent, whatever the accuracy.

    Parameters
    ----------
    frame : dataframe
        A row per customer; it is never changed.
    attribute : str
        A column of few different values, some of them missing.
    features : iterable of str, optional
        Columns to infer it from, numbers or categories; by default all but ``user_id`` and
        columns whose values are all different or lists. Columns that say the same in other words
        (``age_code`` beside ``age_group``) have to be left out by name.
    events : dataframe, optional
        A log with ``user_id`` and ``item_id``: what a customer has events with, as `factors`
        numbers (a singular value decomposition of the logarithms of counts). `frame` then has a
        ``user_id`` too.
    factors : int, at least 1
        Length of that description.
    model : classifier of scikit-learn, optional
        With ``predict_proba``; by default ``LogisticRegression``. It gets numbers scaled and
        without gaps, and categories one-hot, the rare ones (of fewer than 5 rows, or beyond the
        100 most frequent) together.
    min_confidence : float from 0 to 1, optional
        By default every gap is filled.
    held_out : float, above 0 and below 1
        The share of known rows on which the model is judged.
    random_state : int, RandomState or None
    report : bool
        Whether to return the `InferenceReport`, too; it is logged in any case.

    Returns
    -------
    frame, or (frame, `InferenceReport`)
        Of the caller's kind, with a column ``ATTRIBUTE_confidence``: 1 where the value was known,
        the probability of the best guess elsewhere, also where it was not made.

    Raises
    ------
    ColumnError
        If a column is missing.
    DataError
        If fewer than 50 rows or two values are known, if a value is known of fewer than 5 rows
        each, if there are more than 100 different values, or nothing to infer it from.
    ParameterError
        If a parameter is out of bounds.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> likes = rng.choice(["tea", "coffee"], 400)
    >>> town = np.where(rng.random(400) < 0.9, np.where(likes == "tea", "Hull", "Rome"), "Ulm")
    >>> customers = pd.DataFrame({"town": town, "likes": likes})
    >>> customers.loc[:99, "likes"] = None
    >>> customers, told = infer_attribute(customers, "likes", min_confidence=0.8, report=True)
    >>> told.accuracy > told.baseline, told.refused > 0
    (True, True)
    >>> customers.loc[customers["town"] == "Hull", "likes"].unique().tolist()
    ['tea']
    """
    for value, bound, name in (
        (min_confidence, optional(real(at_least=0, at_most=1)), "min_confidence"),
        (held_out, real(above=0, at_most=0.9), "held_out"),
        (factors, whole(at_least=1), "factors"),
        (random_state, seed(), "random_state"),
    ):
        check(value, bound, "infer_attribute", name)
    table = _table(frame)
    require_columns(table, [attribute], "the table")
    known = table[attribute].notna().to_numpy(dtype=np.bool_)
    values, names = factorized(table[attribute], attribute)
    _check_known(attribute, values[known], len(names))
    inputs = _inputs(table, attribute, features, events, factors, random_state)
    chosen = _pipeline(inputs, model)
    floor = 0.0 if min_confidence is None else float(min_confidence)
    with one_blas_thread():  # many threads for such small products only wait for each other
        told = _judged(chosen, inputs, values, known, held_out, random_state)
        filled, confidence, made = _guesses(chosen, inputs, values, known, floor)
    columns: dict[str, Any] = {
        attribute: _with_guesses(table[attribute], np.asarray(names)[filled], made),
        f"{attribute}_confidence": confidence,
    }
    result = table.assign(**columns)
    counts = InferenceReport(
        attribute, int(known.sum()), int(made.sum()), int((~known & ~made).sum()),
        *told.summary(floor),
    )  # fmt: skip
    logger.info("%r", counts)
    answer = like(result, frame)
    return (answer, counts) if report else answer


def _table(given: Any) -> pd.DataFrame:
    """Return a pandas table whose columns have names of their own."""
    table = as_pandas(given, "the table")
    names: list[Any] = list(table.columns)
    nameless = [name for name in names if not isinstance(name, str)]
    if nameless:
        raise ColumnError(
            f"the table needs words for names of columns, got {nameless[0]!r}; "
            "rename it, such as frame.rename(columns=str)."
        )
    require_single(table, names, "the table")
    return table


def _listed(names: Any, what: str) -> list[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ParameterError(f"{what} must be a list of names, got {names!r}.")
    return list(names)


def _is_number(column: pd.Series) -> bool:
    dtype = column.dtype
    return pd.api.types.is_numeric_dtype(dtype) and not (
        pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_complex_dtype(dtype)
    )


def _is_category(column: pd.Series) -> bool:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(dtype):
        return True
    if column.dtype == object:
        return bool(column.dropna().map(lambda value: isinstance(value, (str, bool))).all())
    return pd.api.types.is_string_dtype(dtype)


def _numbers(table: pd.DataFrame, names: Sequence[str]) -> Array:
    columns = [table[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in names]
    return np.column_stack(columns) if columns else np.empty((len(table), 0))


def _objects(table: pd.DataFrame, names: Sequence[str]) -> Array:
    values = np.empty((len(table), len(names)), dtype=object)
    for place, name in enumerate(names):
        column = table[name].astype(object)
        values[:, place] = column.where(column.notna(), np.nan)
    return values


def _fitted(imputer: Any, strategy: str, values: Array) -> Any:
    if not values.shape[1]:
        return None
    if imputer is None:
        from sklearn.impute import SimpleImputer

        imputer = SimpleImputer(strategy=strategy)
    if not hasattr(imputer, "transform") or not hasattr(imputer, "fit"):
        raise ParameterError(
            f"ProfileImputer: expected an imputer of scikit-learn, got {imputer!r}."
        )
    ours = clone(imputer)
    if "add_indicator" in ours.get_params():
        ours.set_params(add_indicator=False)  # our own columns say where the gaps were
    try:
        return ours.fit(values)
    except ValueError as problem:
        raise DataError(f"{type(ours).__name__} cannot fill the table: {problem}") from None


def _with_gaps_filled(column: pd.Series, made: Array) -> pd.Series:
    gaps = column.isna().to_numpy(dtype=np.bool_)
    if not gaps.any():
        return column
    values: Any = made[gaps]
    if pd.api.types.is_integer_dtype(column.dtype):
        values = np.rint(values.astype(np.float64)).astype(np.int64)
    elif pd.api.types.is_float_dtype(column.dtype):
        values = values.astype(np.float64)
    filled = column.copy()
    filled[gaps] = values
    return filled


def _check_known(attribute: str, known: Array, n_values: int) -> None:
    if len(known) < _FEWEST_KNOWN:
        raise DataError(
            f"infer_attribute learns {attribute!r} from rows where it is known: {_FEWEST_KNOWN} or "
            f"more, got {len(known)}."
        )
    if n_values < 2:
        raise DataError(f"{attribute!r} has one value in all rows; there is nothing to infer.")
    if n_values > _MOST_CLASSES:
        raise DataError(
            f"{attribute!r} has {n_values} different values, and {_MOST_CLASSES} can be told "
            "apart; cut numbers into bands first, with pd.cut."
        )
    rarest = int(np.bincount(known).min())
    if rarest < 5:
        raise DataError(
            f"{attribute!r} has a value that is known of {rarest} rows only, and 5 are needed; "
            "put rare values together first."
        )


def _inputs(
    table: pd.DataFrame, attribute: str, features: Any, events: Any, factors: int, random_state: Any
) -> pd.DataFrame:
    """Return the columns to infer from: float64 and object, NaN where missing."""
    if features is None:
        names = [
            str(name) for name in table.columns
            if name not in (attribute, f"{attribute}_confidence", *IDS)
            and _tells_something(table[name])
        ]  # fmt: skip
    else:
        names = _listed(features, "infer_attribute: features")
        require_columns(table, names, "the table")
        if attribute in names:
            raise ParameterError(f"infer_attribute: {attribute!r} cannot be inferred from itself.")
    inputs = {
        name: finite(_numbers(table, [name])[:, 0]) if _is_number(table[name])
        else _objects(table.assign(**{name: table[name].astype("str")}), [name])[:, 0]
        for name in names
    }  # fmt: skip
    if events is not None:
        require_columns(table, ["user_id"], "the table")
        described = _described_by_events(table["user_id"], events, factors, random_state)
        inputs |= {f"taste {place}": column for place, column in enumerate(described.T)}
    if not inputs:
        raise DataError(f"there is nothing to infer {attribute!r} from; name features.")
    return pd.DataFrame(inputs)


def _tells_something(column: pd.Series) -> bool:
    if _is_number(column):
        return bool(column.notna().any())
    return _is_category(column) and 0 < column.nunique() < max(2, column.notna().sum())


def _described_by_events(users: pd.Series, events: Any, factors: int, random_state: Any) -> Array:
    """Return float64 (n_users, factors): what each has events with, NaN for who has none."""
    from sklearn.decomposition import TruncatedSVD

    log = as_pandas(events)
    require_columns(log, ["user_id", "item_id"])
    log = log[log["user_id"].notna() & log["item_id"].notna()]
    user_map, rows = IdMap.from_values(log["user_id"])
    item_map, columns = IdMap.from_values(log["item_id"])
    counts: Any = sparse.csr_array(
        (np.ones(len(rows)), (rows, columns)), shape=(len(user_map), len(item_map))
    )
    counts.sum_duplicates()
    counts.data = np.log1p(counts.data)
    length = np.sqrt(counts.multiply(counts).sum(axis=1))
    counts = sparse.diags_array(1 / np.maximum(length, 1e-12)) @ counts
    n = min(factors, len(item_map) - 1, len(user_map) - 1)
    if n < 1:
        raise DataError("events must be of at least two users and two items to tell them apart.")
    described = TruncatedSVD(n, random_state=random_state).fit_transform(counts)
    places = user_map.indices(users)
    with_nobody = np.vstack([described, np.full(described.shape[1], np.nan)])
    found: Array = with_nobody[places]
    return found


def _pipeline(inputs: pd.DataFrame, model: Any) -> Any:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    if model is None:
        model = LogisticRegression(max_iter=2_000)
    if not hasattr(model, "fit") or not hasattr(model, "predict_proba"):
        raise ParameterError(
            f"infer_attribute: model must be a classifier with predict_proba, got {model!r}."
        )
    numbers = [name for name in inputs if inputs[name].dtype.kind == "f"]
    words = [name for name in inputs if name not in numbers]
    encoder = ColumnTransformer([
        ("numbers", make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            StandardScaler(),
        ), numbers),
        ("words", OneHotEncoder(
            handle_unknown="infrequent_if_exist", min_frequency=5,
            max_categories=_MOST_CATEGORIES, sparse_output=False,
        ), words),
    ])  # fmt: skip
    return CalibratedClassifierCV(make_pipeline(encoder, clone(model)), method="sigmoid", cv=3)


@dataclass(frozen=True)
class _Judgement:
    """On rows held out: whether each guess was right, its confidence, and the most frequent's."""

    right: Mask
    confidence: Array
    baseline: float

    def summary(self, floor: float) -> tuple[float, float, float, float, float]:
        sure = self.confidence >= floor
        accuracy = float(self.right[sure].mean()) if sure.any() else float("nan")
        return float(self.right.mean()), self.baseline, floor, float(sure.mean()), accuracy


def _judged(
    chosen: Any, inputs: pd.DataFrame, values: Array, known: Mask, held_out: float, state: Any
) -> _Judgement:
    from sklearn.model_selection import train_test_split

    rows = np.flatnonzero(known)
    learned, asked = train_test_split(
        rows, test_size=held_out, stratify=values[rows], random_state=state
    )
    judge = clone(chosen).fit(inputs.iloc[learned], values[learned])
    guess, confidence = _best(judge, inputs.iloc[asked])
    usual = np.bincount(values[learned]).argmax()
    return _Judgement(guess == values[asked], confidence, float((values[asked] == usual).mean()))


def _guesses(
    chosen: Any, inputs: pd.DataFrame, values: Array, known: Mask, floor: float
) -> tuple[Array, Array, Mask]:
    """Return the value of each row, its confidence, and which were guessed."""
    filled, confidence = values.copy(), np.ones(len(values))
    made = np.zeros(len(values), dtype=np.bool_)
    if known.all():
        return filled, confidence, made
    learned = clone(chosen).fit(inputs[known], values[known])
    guess, probability = _best(learned, inputs[~known])
    filled[~known], confidence[~known] = guess, probability
    made[~known] = probability >= floor
    return filled, confidence, made


def _best(model: Any, inputs: pd.DataFrame) -> tuple[Array, Array]:
    probabilities = model.predict_proba(inputs)
    return model.classes_[probabilities.argmax(axis=1)], probabilities.max(axis=1)


def _with_guesses(column: pd.Series, values: Array, made: Mask) -> pd.Series:
    filled = column.copy()
    if made.any():
        filled[made] = values[made]
    return filled
