"""The contract of a recommender: run every check on a model, or hand them out one by one."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache, partial
from typing import Any

from sklearn.base import clone

from recopersona.base.online import OnlineRecommender
from recopersona.base.recommender import Recommender
from recopersona.kernels.blocks import limit_threads
from recopersona.testing import answering, forgetting, keeping, learning, online
from recopersona.testing.shops import small_shop


def check_recommender(model: Recommender) -> None:
    """Check that a model keeps every promise of `recopersona.Recommender`.

    The model itself is left alone: each check works on a clone, with a shop of 60 users and 25
    items. A ``random_state`` that is not an integer is set to 0, for answers must be comparable;
    ``repeats``, which lets a visit come back to its own items, is set to False.

    Parameters
    ----------
    model : Recommender
        With the parameters to be checked, fitted or not.

    Raises
    ------
    AssertionError
        At the first promise that is broken, naming model and check.

    Examples
    --------
    >>> from recopersona.models.popularity import Popularity
    >>> check_recommender(Popularity(half_life="7d"))
    """
    for _, check in recommender_checks(model):
        check()


def recommender_checks(model: Recommender) -> list[tuple[str, Callable[[], None]]]:
    """Return every check of a model with its name, for a test runner to run one by one.

    Parameters
    ----------
    model : Recommender

    Returns
    -------
    list of (str, callable without arguments)

    Examples
    --------
    In a test file: ``@pytest.mark.parametrize(("name", "check"), recommender_checks(MyModel()))``.

    >>> from recopersona.models.popularity import Popularity
    >>> checks = dict(recommender_checks(Popularity()))
    >>> checks["fit_returns_the_model"]()
    """

    def unfitted() -> Recommender:
        return _settled(clone(model))

    # Fitted once for all questions: a copy each, so that no check sees what another one did.
    fitted = cache(lambda: unfitted().fit(small_shop()))
    online_too = online.CHECKS if isinstance(model, OnlineRecommender) else ()
    of_learning = (*learning.CHECKS, *keeping.CHECKS, *forgetting.CHECKS, *online_too)
    told = [(check, unfitted) for check in of_learning]
    told += [(check, lambda: deepcopy(fitted())) for check in answering.CHECKS]
    name = type(model).__name__
    return [(check.__name__, partial(_run, check, prepare, name)) for check, prepare in told]


def _run(check: Callable[[Any], None], prepare: Callable[[], Recommender], name: str) -> None:
    """Run one check; whatever goes wrong is told as one sentence."""
    failed = f"{name} fails {check.__name__}"
    try:
        with limit_threads(1):  # handing out so little work would take longer than to do it
            check(prepare())
    except AssertionError as problem:
        raise AssertionError(f"{failed}: {problem}") from None
    except Exception as problem:
        raise AssertionError(
            f"{failed}: it raised {type(problem).__name__}: {problem}"
        ) from problem


def _settled(model: Recommender) -> Recommender:
    """Seed every part that would draw a seed of its own, and let no visit repeat its items."""
    for name, value in model.get_params().items():
        parameter = name.split("__")[-1]
        if parameter == "random_state" and not isinstance(value, int):
            model.set_params(**{name: 0})
        elif parameter == "repeats":
            model.set_params(**{name: False})
    return model
