"""Cuts of a dataset into what a model may learn from and what it is asked to find.

Each function returns a `Split`, or several, and proves before it does that nothing which is held
out is in training. What can leak differs from cut to cut, so each has a ``prove_...`` of its own.
"""

from recopersona.evaluation.splits.by_time import (
    prove_by_time,
    rolling_splits,
    split_by_time,
)
from recopersona.evaluation.splits.cold import (
    cold_items,
    cold_users,
    prove_cold_items,
    prove_cold_users,
)
from recopersona.evaluation.splits.folds import k_fold, k_fold_users
from recopersona.evaluation.splits.held_out_users import (
    prove_held_out_users,
    prove_unknown_users,
    split_users,
)
from recopersona.evaluation.splits.per_user import (
    leave_one_out,
    prove_by_pair,
    prove_by_user,
    prove_known_users,
    prove_one_left_out,
    split_at_random,
    split_last,
)
from recopersona.evaluation.splits.split import Cut, Split

__all__ = [
    "Cut",
    "Split",
    "cold_items",
    "cold_users",
    "k_fold",
    "k_fold_users",
    "leave_one_out",
    "prove_by_pair",
    "prove_by_time",
    "prove_by_user",
    "prove_cold_items",
    "prove_cold_users",
    "prove_held_out_users",
    "prove_known_users",
    "prove_one_left_out",
    "prove_unknown_users",
    "rolling_splits",
    "split_at_random",
    "split_by_time",
    "split_last",
    "split_users",
]
