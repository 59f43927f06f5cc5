"""Checks of fit: what a model takes, what it leaves alone, and what it forgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone

from recopersona.base.recommender import Recommender
from recopersona.base.watching import Watch
from recopersona.data.dataset import Dataset
from recopersona.data.query import Query
from recopersona.errors import DataError, NotFittedError
from recopersona.kernels.blocks import limit_threads
from recopersona.testing.comparing import (
    answers,
    contents,
    expect,
    expect_equal,
    expect_same_contents,
    fitted,
    questions,
)
from recopersona.testing.shops import checkerboard, small_events, small_shop


def fit_returns_the_model(model: Recommender) -> None:
    """``fit`` returns the model itself, so that calls can be chained."""
    expect(model.fit(small_shop()) is model, "fit must return self.")


def the_constructor_only_stores_its_parameters(model: Recommender) -> None:
    """``__init__`` keeps each parameter as it came, under its name, and does nothing else."""
    given = model.get_params(deep=False)
    fresh = type(model)(**given)
    for name, value in given.items():
        expect(getattr(fresh, name) is value, f"{name} must be stored as it came.")
    more = vars(fresh).keys() - given.keys()
    expect(not more, f"__init__ must set parameters only, it also set {', '.join(sorted(more))}.")


def parameters_survive_a_round_trip(model: Recommender) -> None:
    """``get_params``, ``set_params`` and ``clone`` pass every parameter on."""
    given = model.get_params(deep=False)
    twin = clone(model)
    expect(twin is not model, "clone must make a new model.")
    expect(repr(twin) == repr(model), f"clone must keep the parameters, got {twin!r}.")
    expect(twin.set_params(**given) is twin, "set_params must return self.")
    for name, value in given.items():
        expect(twin.get_params(deep=False)[name] is value, f"set_params must set {name}.")


def fit_leaves_the_parameters_alone(model: Recommender) -> None:
    """What the user chose stays as it was; what is learned has names of its own."""
    before = model.get_params(deep=False)
    model.fit(small_shop())
    for name, value in model.get_params(deep=False).items():
        expect(value is before[name], f"fit must not change the parameter {name}.")


def an_unfitted_model_says_so(model: Recommender) -> None:
    """Whatever needs learning raises `NotFittedError` before ``fit``."""
    asked: dict[str, Callable[[], Any]] = {
        "recommend": lambda: model.recommend("u"),
        "recommend_many": lambda: model.recommend_many(["u"]),
        "similar_items": lambda: model.similar_items("i"),
        "explain": lambda: model.explain("u", "i"),
        "score": lambda: model.score(small_events()),
        "forget": lambda: model.forget(["u"]),
        "save": lambda: model.save("never written"),
    }
    for name, ask in asked.items():
        try:
            ask()
        except NotFittedError:
            continue
        expect(False, f"{name} before fit must raise NotFittedError.")


def fitting_twice_is_fitting_once(model: Recommender) -> None:
    """A second ``fit`` on the same data changes no answer."""
    shop = small_shop()
    asked = questions(shop.users.ids, shop.items.ids)
    once = answers(model.fit(shop), asked)
    expect_equal(once, answers(model.fit(shop), asked), "a second fit must change nothing")


def a_second_fit_forgets_the_first(model: Recommender) -> None:
    """After ``fit`` on other data, nothing of the first data is left."""
    shop = small_shop()
    asked = questions(shop.users.ids, shop.items.ids)
    fresh = clone(model).fit(shop)
    if not fitted(model, checkerboard().events):
        model.fit(shop.take(np.arange(len(shop.log)) % 2 == 0))
    model.fit(shop)
    extra = vars(model).keys() - vars(fresh).keys()
    expect(not extra, f"fit must forget {', '.join(sorted(extra))} of an earlier fit.")
    expect_equal(answers(fresh, asked), answers(model, asked), "fit must start afresh")


def the_same_seed_gives_the_same_answer(model: Recommender) -> None:
    """Two clones fitted on the same data agree to the bit."""
    shop = small_shop()
    asked = questions(shop.users.ids, shop.items.ids)
    first = answers(clone(model).fit(shop), asked)
    expect_equal(first, answers(model.fit(shop), asked), "the same seed must give the same answer")


def the_number_of_threads_changes_nothing(model: Recommender) -> None:
    """With one thread and with two, every answer is the same to the bit."""
    shop = small_shop()
    asked = 5 * questions(shop.users.ids, shop.items.ids)
    with limit_threads(1):
        one = answers(clone(model).fit(shop), asked)
    with limit_threads(2):
        two = answers(clone(model).fit(shop), asked)
    expect_equal(one, two, "1 and 2 threads must give the same answer")


def a_watched_fit_learns_the_same(model: Recommender) -> None:
    """``fit(validation=)`` measures every pass, or once if there is none; it teaches nothing."""
    shop = small_shop()
    late = np.arange(len(shop.log)) % 5 == 0
    asked = questions(shop.users.ids, shop.items.ids)
    plain = clone(model).fit(shop.take(~late))
    model.fit(shop.take(~late), validation=shop.take(late))
    expect_equal(answers(plain, asked), answers(model, asked), "watching must change no answer")
    measured = model.history_.drop(columns=["iteration", "loss"], errors="ignore")
    expect(measured.shape[1] == 1, "history_ must have one column of what was measured.")
    expect(bool(np.isfinite(measured).all(axis=None)), "every pass must have been measured.")
    n_passes = max(1, len(plain.history_))
    expect(len(measured) == n_passes, f"history_ must have {n_passes} rows, got {len(measured)}.")


def the_best_pass_comes_back(model: Recommender) -> None:
    """With patience, a fit that gets no better ends, and the model answers as after its best."""
    shop = small_shop()
    asked = questions(shop.users.ids, shop.items.ids)
    seen: list[pd.DataFrame] = []

    def fall(watched: Recommender) -> float:
        seen.append(answers(watched, asked))
        return -float(len(seen))

    model.fit(shop, validation=Watch(fall), patience=1)
    n_seen = len(seen)
    expect(
        n_seen == len(model.history_) <= 2, f"1 pass without gain must be the last, got {n_seen}."
    )
    expect_equal(seen[0], answers(model, asked), "the best pass must come back")


def a_frame_teaches_like_its_dataset(model: Recommender) -> None:
    """``fit`` takes an events frame as well as a `Dataset` made of it."""
    events = small_events()
    asked = questions(events["user_id"].unique(), events["item_id"].unique())
    from_frame = answers(clone(model).fit(events), asked)
    from_dataset = answers(model.fit(Dataset.from_frames(events)), asked)
    expect_equal(from_frame, from_dataset, "a frame and its dataset must teach the same")


def the_callers_frame_is_never_changed(model: Recommender) -> None:
    """``fit`` leaves the frame it was given as it was."""
    events = small_events()
    before = events.copy(deep=True)
    model.fit(events)
    expect(events.equals(before), "fit must not change the events frame.")


def the_dataset_is_never_changed(model: Recommender) -> None:
    """Fitting and answering leave the dataset, its ids and its attributes as they were."""
    shop = small_shop()
    before = contents(shop)
    asked = questions(shop.users.ids, shop.items.ids)
    answers(model.fit(shop), asked)
    expect_same_contents(before, contents(shop), "fit must not change the dataset")


def read_only_input_is_accepted(model: Recommender) -> None:
    """A matrix whose arrays cannot be written to teaches as well as any other."""
    matrix = sparse.csr_array(small_shop().matrix())
    for part in (matrix.data, matrix.indices, matrix.indptr):
        part.flags.writeable = False
    columns = {name: column.to_numpy() for name, column in small_events().items()}
    for column in columns.values():
        column.flags.writeable = False
    if fitted(model, Dataset.from_matrix(matrix)):
        expect(len(model.recommend(0, n=3)) == 3, "a read-only matrix must be answered from.")
    model.fit(pd.DataFrame(columns, copy=False))
    expect(len(model.recommend("u-0001", n=3)) == 3, "a read-only frame must be answered from.")


def ids_alone_are_enough(model: Recommender) -> None:
    """A frame without ``timestamp`` and ``event`` is learned from, or time is asked for by name."""
    events = small_events()[["user_id", "item_id"]]
    if fitted(model, events):
        expect(len(model.recommend("u-0001", n=3)) == 3, "ids alone must be answered from.")


def string_ids_come_back_as_strings(model: Recommender) -> None:
    """A shop that knows its things by text gets text back."""
    model.fit(small_shop())
    frame = model.recommend_many(["u-0001", "u-0002"], n=3)
    for name in ("user_id", "item_id"):
        kinds = {type(identifier) for identifier in frame[name]}
        expect(kinds == {str}, f"{name} must come back as str, got {_named(kinds)}.")
    kinds = {type(identifier) for identifier in model.recommend("u-0001").item_ids}
    expect(kinds == {str}, f"item_ids must be str, got {_named(kinds)}.")


def integer_ids_come_back_as_integers(model: Recommender) -> None:
    """A shop that knows its things by number gets numbers back, and the same answers."""
    events = small_events()
    users, names = pd.factorize(events["user_id"])
    items, things = pd.factorize(events["item_id"])
    by_name = answers(clone(model).fit(events), questions(names, things))
    model.fit(events.assign(user_id=users + 1_000, item_id=items * 7))
    numbered = range(1_000, 1_000 + len(names)), range(0, 7 * len(things), 7)
    by_number = answers(model, questions(*numbered))
    expect(
        (
            np.asarray(by_number["item_id"]) // 7
            == pd.Index(things).get_indexer(by_name["item_id"])
        ).all(),
        "numbers in place of names must change no answer.",
    )
    known = model.recommend_many([1_000, 1_001], n=3)
    for name in ("user_id", "item_id"):
        kind = known[name].dtype
        expect(kind == np.int64, f"{name} must come back as int64, got {kind}.")
    kinds = {type(identifier) for identifier in model.recommend(1_000).item_ids}
    expect(kinds == {int}, f"item_ids must be int, got {_named(kinds)}.")
    # A question without a user has no id, and must not turn those of the others into floats.
    mixed = model.recommend_many([1_000, Query()], n=1)["user_id"]
    expect(isinstance(mixed[0], (int, np.integer)), f"user_id 1000 came back as {mixed[0]!r}.")


def one_user_is_enough(model: Recommender) -> None:
    """A log of a single customer is learned from, and strangers are answered."""
    events = small_events()
    alone = events[events["user_id"] == events["user_id"].iloc[0]]
    model.fit(alone)
    n_items = alone["item_id"].nunique()
    expect(len(model.recommend("a stranger", n_items)) == n_items, "strangers must be answered.")


def one_item_is_enough(model: Recommender) -> None:
    """A log of a single item is learned from; who has it gets nothing, all others get it."""
    events = small_events()
    same = events[events["item_id"] == events["item_id"].iloc[0]]
    model.fit(same)
    expect(len(model.recommend(same["user_id"].iloc[0])) == 0, "the one item was seen already.")
    expect(len(model.recommend("a stranger")) == 1, "a stranger must be offered the one item.")


def one_event_is_enough(model: Recommender) -> None:
    """The smallest log there is can be learned from."""
    model.fit(small_events().head(1))
    expect(len(model.recommend("a stranger")) == 1, "a stranger must be offered the one item.")


def a_log_without_interactions_is_refused(model: Recommender) -> None:
    """Nothing to learn from is a `DataError`, and the model stays unfitted."""
    shop = small_shop()
    try:
        model.fit(shop.take(np.zeros(len(shop.log), dtype=np.bool_)))
    except DataError:
        expect(not model.__sklearn_is_fitted__(), "a refused fit must leave the model unfitted.")
        return
    expect(False, "fit without interactions must raise DataError.")


def _named(kinds: set[type]) -> str:
    return " and ".join(sorted(kind.__name__ for kind in kinds)) or "nothing"


CHECKS = (
    fit_returns_the_model,
    the_constructor_only_stores_its_parameters,
    parameters_survive_a_round_trip,
    fit_leaves_the_parameters_alone,
    an_unfitted_model_says_so,
    fitting_twice_is_fitting_once,
    a_second_fit_forgets_the_first,
    the_same_seed_gives_the_same_answer,
    the_number_of_threads_changes_nothing,
    a_watched_fit_learns_the_same,
    the_best_pass_comes_back,
    a_frame_teaches_like_its_dataset,
    the_callers_frame_is_never_changed,
    the_dataset_is_never_changed,
    read_only_input_is_accepted,
    ids_alone_are_enough,
    string_ids_come_back_as_strings,
    integer_ids_come_back_as_integers,
    one_user_is_enough,
    one_item_is_enough,
    one_event_is_enough,
    a_log_without_interactions_is_refused,
)
