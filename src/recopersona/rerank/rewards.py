"""What a page was worth, by what came of it and where it stood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from recopersona.base.parameters import Bound, check, optional, real
from recopersona.data.decision import Decision
from recopersona.data.event import event_code
from recopersona.data.types import Values

_COUNTED = ("click", "view", "page_view", "wishlist", "cart", "checkout", "purchase")
_MOST = 1e15  # what one event is worth: squares of sums are numbers still
_LEAST = 0.05  # nobody knows how seldom a place is looked at more exactly than that


def _are_values(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) > 0


def _are_looks(value: Any) -> bool:
    looks = _looks_of(value)
    return looks.ndim == 1 and len(looks) > 0 and bool(((looks > 0) & (looks <= 1)).all())


def _looks_of(value: Any) -> Values:
    """Read how often places are looked at: a list, or a model that was told or has learned it."""
    held = getattr(value, "propensities_", None)
    if held is None:
        held = getattr(value, "propensities", value)
    return np.asarray(held, np.float64)


VALUES = Bound("a mapping from kinds of events to numbers", _are_values)
LOOKS = Bound(
    "a list of numbers above 0 and at most 1, one per place, such as "
    "ExaminationModel().fit(...).propensities_.tolist()",
    _are_looks,
)


class PageValue:
    r"""What a page was worth: a sum over its places of what happened there.

    .. math:: R = \sum_k \frac{value(event_k)}{\theta_k}

    Parameters
    ----------
    values : mapping from kind of event to number, optional
        Kinds that are not named are worth nothing. By default whatever shows interest is worth 1,
        once per item.
    looks : sequence of float, optional
        How often each place is looked at, the :math:`\theta`; by default 1 everywhere, and no
        less than 0.05.

    Examples
    --------
    >>> decision = Decision("d", "anna", ("tea", "salt"), ("ALS", "ALS"))
    >>> PageValue(None, [1.0, 0.5]).of(decision.with_outcome({"salt": "click"}))
    2.0
    """

    def __init__(self, values: Mapping[str, float] | None, looks: Any) -> None:
        for kind, value in (values or {}).items():
            event_code(kind)
            check(
                value, real(at_least=-_MOST, at_most=_MOST), "BanditReranker", f"reward[{kind!r}]"
            )
        self._values = dict.fromkeys(_COUNTED, 1.0) if values is None else dict(values)
        self._looks = None if looks is None else np.maximum(_looks_of(looks), _LEAST).tolist()

    def of(self, decision: Decision) -> float:
        """Return what a decision was worth so far."""
        total = 0.0
        for item, kind in (decision.outcome or {}).items():
            value = self._values.get(kind, 0.0)
            if value and self._looks is not None and item in decision.shown:
                place = min(decision.shown.index(item), len(self._looks) - 1)
                value /= self._looks[place]
            total += value
        return float(total)


OPTIONAL_VALUES, OPTIONAL_LOOKS = optional(VALUES), optional(LOOKS)
