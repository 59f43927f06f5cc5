"""How boosted trees are grown: by scikit-learn or LightGBM, and read off as a `Forest`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from recopersona.data.types import Array, Floats
from recopersona.errors import DataError, MissingExtraError
from recopersona.rankers.trees import Forest, Fork, Leaf, forest_of, rounded_down

_MOST_EDGES = 254  # scikit-learn counts in bytes, and one of them says that nothing is known
_LOOKED_AT = 200_000  # rows, for the edges
_GRADES = 30  # LightGBM knows whole grades, 31 of them
_MOST_CANDIDATES = 10_000  # of a request, for LightGBM
_CUT_OFF = 10  # of the NDCG that LambdaMART is stopped by
_LARGEST = np.finfo(np.float32).max


@dataclass(frozen=True)
class Recipe:
    """How trees shall be grown.

    Attributes
    ----------
    signs : int (n_columns,)
        Whether the answer must rise (1) or fall (-1) with a column; 0 where it is free.
    """

    learning_rate: float
    leaves: int
    min_rows: int
    reg: float
    column_share: float
    patience: int
    signs: Array
    seed: int


class Taught(NamedTuple):
    """Rows that trees are grown on, or judged by.

    matrix   float32 (n_rows, n_columns)
    labels   float32 (n_rows,), from 0 to 1
    weights  float32 (n_rows,)
    sizes    int64 (n_requests,), the rows of each request, one request after the other
    """

    matrix: Floats
    labels: Floats
    weights: Floats
    sizes: Array

    def requests(self, chosen: Array) -> Taught:
        """Return some of the requests, in the order they have here; ``chosen`` is a mask."""
        rows = np.repeat(chosen, self.sizes)
        return Taught(self.matrix[rows], self.labels[rows], self.weights[rows], self.sizes[chosen])

    def of_columns(self, chosen: Array) -> Taught:
        """Return some of the columns; what is infinite is very large there."""
        return self._replace(matrix=np.clip(self.matrix[:, chosen], -_LARGEST, _LARGEST))

    @property
    def is_of_both_kinds(self) -> bool:
        """Whether something was wanted, and something was not."""
        return bool((self.labels > 0).any() and (self.labels < 1).any())


class Grown(NamedTuple):
    """Trees, and how good they were after each: more is better; empty where nobody judged."""

    forest: Forest
    curve: Array


def grow(
    objective: str, recipe: Recipe, taught: Taught, n_trees: int, judges: Taught | None = None
) -> Grown:
    """Grow trees on the columns that say something.

    Parameters
    ----------
    objective : "pointwise" or "lambdarank"
    n_trees : int
        At most; fewer where the judges saw nothing better for ``patience`` trees.
    judges : Taught, optional
        Without them all trees are grown.
    """
    chosen = _telling(taught.matrix, recipe.min_rows)
    grower = {"pointwise": _grow_pointwise, "lambdarank": _grow_lambdarank}[objective]
    start, trees, curve = grower(
        replace(recipe, signs=recipe.signs[chosen]), taught.of_columns(chosen), n_trees,
        judges and judges.of_columns(chosen),
    )  # fmt: skip
    return Grown(forest_of(trees, chosen, taught.matrix.shape[1], start), curve)


def _telling(matrix: Floats, min_rows: int) -> Array:
    """Return the columns known in so many rows that a sample of them knows them, too."""
    fewest = max(min_rows, len(matrix) // 1_000)
    return np.flatnonzero((matrix == matrix).sum(axis=0) >= fewest)


# -- scikit-learn --------------------------------------------------------------------------------


def _grow_pointwise(
    recipe: Recipe, taught: Taught, n_trees: int, judges: Taught | None
) -> tuple[float, list[Fork | Leaf], Array]:
    """Grow trees whose sum is the log-odds of a label of 1; judged by minus the log loss.

    A label between 0 and 1 counts as two rows, one of each kind, that share the weight. Columns
    are cut at edges of our own, as scikit-learn takes long over those of weighted rows.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    if not taught.matrix.shape[1]:
        return _log_odds(taught), [Leaf(0.0)], np.zeros(0 if judges is None else 1)
    model = HistGradientBoostingClassifier(
        learning_rate=recipe.learning_rate,
        max_iter=n_trees,
        max_leaf_nodes=recipe.leaves,
        min_samples_leaf=recipe.min_rows,
        l2_regularization=recipe.reg,
        max_features=recipe.column_share,
        monotonic_cst=recipe.signs,
        early_stopping=judges is not None,
        n_iter_no_change=recipe.patience,
        tol=0.0,
        random_state=recipe.seed,
    )
    edges = _edges(taught.matrix, np.random.default_rng(recipe.seed))
    held = {}
    if judges is not None:
        matrix, classes, weights = _of_two_classes(judges, edges)
        held = {"X_val": matrix, "y_val": classes, "sample_weight_val": weights}
    with _one_at_a_time():
        model.fit(*_of_two_classes(taught, edges), **held)
    trees = [_from_nodes(grown[0].nodes, 0, edges) for grown in model._predictors]
    curve = np.asarray(model.validation_score_ if held else [], np.float64)
    return float(model._baseline_prediction[0, 0]), trees, curve[1:]  # the first is before any tree


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold scikit-learn to one thread, and to one fit: its threads share the warnings' filters."""
    with _fitting, ThreadpoolController().limit(limits=1, user_api="openmp"):
        yield


_fitting = Lock()


def _log_odds(taught: Taught) -> float:
    share = np.average(taught.labels.astype(np.float64), weights=taught.weights)
    return float(np.log(share / (1 - share)))


def _edges(matrix: Floats, random: np.random.Generator) -> list[Floats]:
    """Return where to cut each column: between all values if they are few, else at quantiles."""
    if len(matrix) > _LOOKED_AT:
        matrix = matrix[random.choice(len(matrix), _LOOKED_AT, replace=False)]
    return [_edges_of(column[column == column]) for column in matrix.T]


def _edges_of(known: Floats) -> Floats:
    distinct = np.unique(known).astype(np.float64)
    if len(distinct) <= _MOST_EDGES + 1:
        return rounded_down((distinct[1:] + distinct[:-1]) / 2)
    places = np.arange(1, _MOST_EDGES + 1) * len(known) // (_MOST_EDGES + 1)
    return np.unique(np.partition(known, places)[places])


def _of_two_classes(taught: Taught, edges: list[Floats]) -> tuple[Array, Array, Array]:
    """Return cut rows of label 0 or 1, and their weights, 1 on average."""
    matrix = np.full(taught.matrix.shape, np.nan)
    for column, cuts in enumerate(edges):
        seen = taught.matrix[:, column]
        known = seen == seen
        matrix[known, column] = np.searchsorted(cuts, seen[known])
    labels, weights = taught.labels, taught.weights / taught.weights.mean(dtype=np.float64)
    between = (labels > 0) & (labels < 1)
    return (
        np.concatenate([matrix, matrix[between]]),
        np.concatenate([labels > 0, np.zeros(int(between.sum()), np.bool_)]),
        np.concatenate([np.where(between, labels, 1) * weights, ((1 - labels) * weights)[between]]),
    )


def _from_nodes(nodes: Any, place: int, edges: list[Floats]) -> Fork | Leaf:
    """Read scikit-learn's table of a tree over cut columns."""
    node = nodes[place]
    if node["is_leaf"]:
        return Leaf(float(node["value"]))
    column, cut = int(node["feature_idx"]), float(node["num_threshold"])
    cuts = edges[column]  # what lies behind the last of them was cut from what is not known
    threshold = float(cuts[int(cut)]) if cut < len(cuts) else np.inf
    return Fork(
        column, threshold, bool(node["missing_go_to_left"]), float(node["gain"]),
        _from_nodes(nodes, node["left"], edges), _from_nodes(nodes, node["right"], edges),
    )  # fmt: skip


# -- LightGBM ------------------------------------------------------------------------------------


def _grow_lambdarank(
    recipe: Recipe, taught: Taught, n_trees: int, judges: Taught | None
) -> tuple[float, list[Fork | Leaf], Array]:
    """Grow trees that put high labels first within requests: LambdaMART, judged by its NDCG.

    Labels are gains, in steps of a thirtieth.
    """
    lightgbm = _lightgbm()
    if not taught.matrix.shape[1]:
        return 0.0, [Leaf(0.0)], np.zeros(0 if judges is None else 1)
    parameters = {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [_CUT_OFF],
        "label_gain": (np.arange(_GRADES + 1) / _GRADES).tolist(),
        "learning_rate": recipe.learning_rate,
        "num_leaves": recipe.leaves,
        "min_data_in_leaf": recipe.min_rows,
        "lambda_l2": recipe.reg,
        "feature_fraction_bynode": recipe.column_share,
        "monotone_constraints": recipe.signs.tolist(),
        "seed": recipe.seed % 2**31,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    table = _graded(lightgbm, taught)
    told: dict[str, Any] = {}
    held: dict[str, Any] = {}
    if judges is not None:
        held["valid_sets"] = [_graded(lightgbm, _wanting(judges), reference=table)]
        held["valid_names"] = ["judges"]
        held["callbacks"] = [
            lightgbm.record_evaluation(told),
            lightgbm.early_stopping(recipe.patience, verbose=False),
        ]
    booster = lightgbm.train(parameters, table, n_trees, **held)
    trees = booster.dump_model(num_iteration=-1)["tree_info"]
    curve = told["judges"][f"ndcg@{_CUT_OFF}"] if told else []
    return 0.0, [_from_dump(tree["tree_structure"]) for tree in trees], np.asarray(curve)


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtraError("BoostedRanker(objective='lambdarank')", "lightgbm") from error
    return lightgbm


def _wanting(judges: Taught) -> Taught:
    """Return the requests in which something was wanted: to LightGBM all others are perfect."""
    request = np.repeat(np.arange(len(judges.sizes)), judges.sizes)
    return judges.requests(np.bincount(request, judges.labels, len(judges.sizes)) > 0)


def _graded(lightgbm: Any, taught: Taught, **options: Any) -> Any:
    largest = int(taught.sizes.max(initial=0))
    if largest > _MOST_CANDIDATES:
        raise DataError(
            f"LightGBM ranks at most {_MOST_CANDIDATES:,} candidates of a request, got {largest:,};"
            " use objective='pointwise'."
        )
    return lightgbm.Dataset(
        taught.matrix,
        np.rint(taught.labels * _GRADES),
        weight=_weights_of_requests(taught),
        group=taught.sizes,
        **options,
    )


def _weights_of_requests(taught: Taught) -> Array:
    """Return the mean weight of what was wanted in each request, for all its rows.

    Rows are pushed apart in pairs: were one of a pair heavier, it would be pushed further.
    """
    request = np.repeat(np.arange(len(taught.sizes)), taught.sizes)
    wanted = np.bincount(request, taught.labels, len(taught.sizes))
    weight = np.bincount(request, taught.labels * taught.weights, len(taught.sizes))
    mean = weight / np.maximum(wanted, 1e-12)
    return (mean / (mean.mean() or 1.0))[request]


def _from_dump(node: Any) -> Fork | Leaf:
    """Read LightGBM's description of a tree; where a column never lacked, NaN counts as 0."""
    if "leaf_value" in node:
        return Leaf(float(node["leaf_value"]))
    threshold = float(node["threshold"])
    lacked = node["missing_type"] == "NaN"
    return Fork(
        int(node["split_feature"]), threshold, node["default_left"] if lacked else threshold >= 0,
        float(node["split_gain"]), _from_dump(node["left_child"]), _from_dump(node["right_child"]),
    )  # fmt: skip
