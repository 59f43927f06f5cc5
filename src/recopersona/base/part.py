"""A part of a recommender: declared by parameters, learned in attributes, held by a file."""

from __future__ import annotations

from typing import Any, dataclass_transform

from sklearn.base import BaseEstimator

from recopersona.base.parameters import declare_parameters, param
from recopersona.errors import NotFittedError


def is_learned(name: str) -> bool:
    """Tell whether an attribute is something learned: it ends in ``_``, and does not start so.

    Examples
    --------
    >>> is_learned("item_factors_"), is_learned("factors"), is_learned("_cache_")
    (True, False, False)
    """
    return name.endswith("_") and not name.startswith("_")


@dataclass_transform(kw_only_default=True, field_specifiers=(param,))
class Part(BaseEstimator):
    """What models, rankers, re-rankers and their states have in common.

    Parameters are declared with `param`. Whatever is learned goes into attributes that end in
    ``_``; `recopersona.save` keeps those and the parameters, and nothing else. An attribute that
    starts with ``_`` is a cache that can be made again.

    Examples
    --------
    >>> class Counter(Part):
    ...     step: int = param(default=1)
    ...     def count(self):
    ...         self.total_ = getattr(self, "total_", 0) + self.step
    >>> counter = Counter(step=2)
    >>> counter.count()
    >>> counter, counter.total_
    (Counter(step=2), 2)
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        declare_parameters(cls)

    def __sklearn_is_fitted__(self) -> bool:
        # Parameters come first: from the end, what was learned is found at once.
        return any(map(is_learned, reversed(vars(self))))

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            name = type(self).__name__
            raise NotFittedError(f"this {name} has learned nothing yet; call {name}.fit first.")

    def _unfit(self) -> None:
        for name in [name for name in vars(self) if is_learned(name)]:
            delattr(self, name)
