"""Checks of forgetting: nothing is left of who was there, and whatever is left says so."""

from __future__ import annotations

import json
import tempfile
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from recopersona.base.artifact import load
from recopersona.base.forgetting import REFIT_WITHIN
from recopersona.base.online import OnlineRecommender
from recopersona.base.recommender import Recommender
from recopersona.data.dataset import Dataset
from recopersona.data.query import Query
from recopersona.data.times import duration_ms
from recopersona.data.types import Array, Id
from recopersona.testing.comparing import (
    STRANGER,
    TOLERANCE,
    answers,
    contents_of,
    expect,
    expect_equal,
    questions,
)
from recopersona.testing.keeping import functions_of
from recopersona.testing.shops import small_events, small_shop

GONE = ("u-0002", "u-0011")


def what_is_held_can_be_told(model: Recommender) -> None:
    """``held_of`` tells as JSON what somebody did, and of a stranger nothing."""
    shop = small_shop()
    model.fit(shop)
    told = model.held_of([*GONE, STRANGER])
    expect(json.loads(json.dumps(told)) == told, "held_of must hold what JSON can hold.")
    users = [held["user_id"] for held in told["users"]]
    expect(users == [*GONE], f"held_of must tell of those who are known, got {users}.")
    events = small_events()
    for held in told["users"]:
        due = set(events.loc[events["user_id"] == held["user_id"], "item_id"])
        said = {pair["item_id"] for pair in held["past"]}
        expect(said == due, f"held_of must tell what {held['user_id']!r} had to do with.")
        recent = sum(events["user_id"] == held["user_id"])
        got = len(held["recent"])
        expect(got == recent, f"held_of must tell all {recent} recent events, got {got}.")
        for name in model._user_tables:
            expect(name in held, f"held_of must tell the row of {name}.")
    expect(model.held_of([STRANGER]) == {}, "nothing is held of a stranger.")
    model.forget(GONE)
    expect(model.held_of(GONE) == {}, "nothing may be held of who was forgotten.")


def nobody_known_to_forget_changes_nothing(model: Recommender) -> None:
    """To forget strangers, or nobody, is fine, and leaves every array as it was."""
    before = contents_of(model.fit(small_shop()))
    expect(model.forget([]) == 0, "nobody is forgotten where nobody is named.")
    expect(model.forget([STRANGER, 7]) == 0, "strangers cannot be forgotten.")
    expect(model.stale_ is None, "nothing is stale where nobody was forgotten.")
    expect(contents_of(model) == before, "forgetting strangers must change nothing.")


def what_is_stale_is_told(model: Recommender) -> None:
    """``stale_`` names what is left of forgotten users, since when, and by when to fit anew."""
    model.fit(small_shop())
    expect(model.stale_ is None, "nothing is stale after a fit.")
    before = model._latest_moment()
    model.forget(GONE[:1])
    model.forget(GONE[1:], refit_within="90d")
    stale = model.stale_
    if stale is None:
        return
    expect(stale.n_users == 2, f"stale_ must count 2 users, got {stale.n_users}.")
    expect(stale.since == before, "stale_ must be since the data's end.")
    due = None if before is None else before + duration_ms(REFIT_WITHIN)
    expect(stale.refit_by == due, "the earliest refit must stay due.")
    for name in stale.parts:
        expect(_named(model, name.split(".")), f"stale_ names {name!r}, which there is not.")
    late = Query(STRANGER, now=None if due is None else due + 1)
    told = any("due to be fitted anew" in said for said in model.recommend(late).effects)
    expect(told == (due is not None), "ranking.effects must say that the refit is overdue.")
    soon = model.recommend(Query(STRANGER, now=due)).effects
    early = any("due to be fitted anew" in said for said in soon)
    expect(not early, "ranking.effects must not say so before.")
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model")
        loaded = load(f"{folder}/model", functions=functions_of(model))
        expect(loaded.stale_ == stale, "what is stale must be saved.")
    expect(model.fit(small_shop()).stale_ is None, "fit must clear what is stale.")


def a_refit_is_as_if_they_had_never_been(model: Recommender) -> None:
    """``fit``, ``forget`` and ``fit`` without them is, to the bit, ``fit`` without them."""
    everybody, others = small_shop(), _shop_without(GONE)
    fresh = contents_of(clone(model).fit(others))
    model.fit(everybody)
    model.recommend(GONE[0])
    model.forget(GONE)
    expect(contents_of(model.fit(others)) == fresh, "a refit must leave no trace of the forgotten.")
    if isinstance(model, OnlineRecommender):
        earlier, later = _parts(small_events())
        model.fit(earlier).partial_fit(later)
        model.forget(GONE)
        expect(
            contents_of(model.fit(others)) == fresh,
            "a refit must leave no trace of who was learned online, and forgotten.",
        )


def what_is_not_stale_is_as_if_they_had_never_been(model: Recommender) -> None:
    """Sums and counts are those of a model that never heard of the forgotten."""
    model.fit(small_shop())
    model.forget(GONE)
    _expect_alike(model, clone(model).fit(_shop_without(GONE)), "after fit and forget")
    if isinstance(model, OnlineRecommender):
        earlier, later = _parts(small_events())
        model.fit(earlier).partial_fit(later)
        model.forget(GONE)
        never = clone(model).fit(_without(earlier)).partial_fit(_without(later))
        _expect_alike(model, never, "after fit, partial_fit and forget")


def a_loaded_model_forgets_as_well(model: Recommender) -> None:
    """A model mapped from disk, whose arrays cannot be written to, forgets like the one saved."""
    with tempfile.TemporaryDirectory() as folder:
        model.fit(small_shop()).save(f"{folder}/model")
        loaded = load(f"{folder}/model", functions=functions_of(model), mmap=True)
        known = loaded.forget(GONE)
        expect(known == model.forget(GONE) == len(GONE), "a loaded model must forget, too.")
        expect(loaded.stale_ == model.stale_, "a loaded model must say the same is stale.")
        expect(
            loaded.fallback_.tobytes() == model.fallback_.tobytes(),
            "a loaded model must take back the same.",
        )
        asked = questions(model.users_.ids[-5:], model.items_.ids)
        expect_equal(
            answers(model, asked), answers(loaded, asked),
            "a loaded model must answer as the one that was saved, after both forgot",
        )  # fmt: skip
        del loaded


def numbers_can_be_forgotten(model: Recommender) -> None:
    """Users whose ids are numbers are told of, and forgotten, like others."""
    events = small_events()
    numbers = {user: 100 + place for place, user in enumerate(events["user_id"].unique())}
    model.fit(events.assign(user_id=events["user_id"].map(numbers)))
    gone = numbers[GONE[0]]
    expect(model.held_of([gone])["users"][0]["user_id"] == gone, "a number must stay one.")
    expect(model.held_of([str(gone)]) == {}, "a number's text is somebody else.")
    expect(model.forget([str(gone)]) == 0, "a number's text is somebody else.")
    expect(model.forget([gone]) == 1, "a user whose id is a number must be forgotten.")
    expect(model.held_of([gone]) == {}, "nothing may be held of who was forgotten.")


def _expect_alike(model: Recommender, never: Recommender, when: str) -> None:
    """Compare what everybody is answered, as far as a model that forgot says that it may."""
    expect(
        _by_id(model, model.fallback_) == _by_id(never, never.fallback_),
        f"{when}, fallback_ must be that of a model without them.",
    )
    if model.stale_ is not None:
        return
    ids = list(never.users_.ids[:8].tolist())
    first, second = never.items_.ids[:2].tolist()
    for query in (
        *map(Query, ids),
        Query(),
        Query(session=[first]),
        Query(history=[first, second]),
    ):
        ours, theirs = (
            dict(zip(one.items_.ids.tolist(), one._full_scores(query).tolist(), strict=True))
            for one in (model, never)
        )
        known = [item for item in theirs if item in ours]
        left, right = (np.array([said[item] for item in known]) for said in (ours, theirs))
        scale = max(1e-30, float(np.abs(right[np.isfinite(right)]).max(initial=0)))
        same = np.isclose(left, right, rtol=0, atol=TOLERANCE * scale)
        expect(bool(same.all()), f"{when}, scores must be those of a model without them.")


def _by_id(model: Recommender, values: Array) -> dict[Id, float]:
    """Return values by the items' ids, without those of nothing."""
    pairs = zip(model.items_.ids.tolist(), values.tolist(), strict=False)
    return {item: value for item, value in pairs if value}


def _named(held: Any, path: list[str]) -> bool:
    """Tell whether there is an attribute of that name, in a part by its name."""
    name, *rest = path
    if not rest:
        return name in vars(held)
    parts = getattr(held, "_models", {})
    inner = parts.get(name) if name in parts else vars(held).get(name)
    return inner is not None and _named(inner, rest)


def _shop_without(users: tuple[str, ...]) -> Dataset:
    """Return the small shop as if it had never heard of some users."""
    shop = small_shop(without=users)
    expect(not any(user in shop.users for user in users), "the shop must not know them.")
    return shop


def _without(events: pd.DataFrame) -> pd.DataFrame:
    return events[~events["user_id"].isin(GONE)]


def _parts(events: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cut a log in two, so that both hold something of who is to be forgotten."""
    late = np.arange(len(events)) % 10 == 0
    late[np.flatnonzero(events["user_id"] == GONE[0])[-2:]] = True
    in_time = events.sort_values("timestamp", kind="stable")
    return in_time[~late], in_time[late]


CHECKS = (
    what_is_held_can_be_told,
    nobody_known_to_forget_changes_nothing,
    what_is_stale_is_told,
    a_refit_is_as_if_they_had_never_been,
    what_is_not_stale_is_as_if_they_had_never_been,
    a_loaded_model_forgets_as_well,
    numbers_can_be_forgotten,
)
