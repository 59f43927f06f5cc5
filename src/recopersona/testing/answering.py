"""Checks of answers: how long, in what order, with what left out, and to whom.

Each takes a model that was fitted on `small_shop`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.recommender import FALLBACK, Recommender
from recopersona.data.query import Query
from recopersona.data.types import Id, Mask
from recopersona.errors import DataError
from recopersona.pipeline.pipeline import Pipeline
from recopersona.testing.comparing import (
    STRANGER,
    answers,
    expect,
    expect_close,
    expect_equal,
    questions,
)
from recopersona.testing.shops import small_events, small_shop

_UNHEARD = "never heard of"


def as_many_items_come_back_as_asked(model: Recommender) -> None:
    """``n`` rows per user wherever the catalogue has them, and all that are left beyond."""
    shop = small_shop()
    users, seen = shop.users.ids.tolist(), shop.history().seen
    left = {user: len(shop.items) - len(seen(row)) for row, user in enumerate(users)}
    for n in (1, 10, len(shop.items), len(shop.items) + 10):
        counts = model.recommend_many(users, n)["user_id"].value_counts()
        for user in users:
            got, due = int(counts.get(user, 0)), min(n, left[user])
            expect(got == due, f"{user!r} asked for {n} items and must get {due}, got {got}.")


def a_single_answer_is_as_long_as_asked(model: Recommender) -> None:
    """``recommend`` alone keeps the promise about length, too."""
    shop = small_shop()
    left = len(shop.items) - len(shop.history().seen(0))
    for n in (1, left, len(shop.items) + 10):
        got = len(model.recommend(shop.users.ids[0], n))
        expect(got == min(n, left), f"n={n} must give {min(n, left)} items, got {got}.")


def no_item_comes_twice(model: Recommender) -> None:
    """A list names each item once."""
    shop = small_shop()
    asked = questions(shop.users.ids, shop.items.ids)
    for ranking in model.rank_many(asked, len(shop.items), seen="keep"):
        twice = len(ranking) - len(set(ranking.item_ids))
        expect(twice == 0, f"{twice} items come more than once.")


def scores_are_finite_and_sorted(model: Recommender) -> None:
    """The best come first, every score is a number, and the model's own are no NaN."""
    shop = small_shop()
    asked = questions(shop.users.ids, shop.items.ids)
    for query, ranking in zip(asked, model.rank_many(asked, len(shop.items)), strict=True):
        expect(bool(np.isfinite(ranking.scores).all()), "every score must be finite.")
        expect(bool((np.diff(ranking.scores) <= 0).all()), "scores must never rise along a list.")
        own = model.score_items(query)
        expect(own.ndim == 1 and len(own) == len(shop.items), f"score_items must return "
               f"({len(shop.items)},) scores, got shape {own.shape}.")  # fmt: skip
        expect(bool((own < np.inf).all()), "score_items must return numbers or NO_OPINION, no NaN.")


def the_best_scores_are_recommended(model: Recommender) -> None:
    """A list is the items by ``score_items``, ties by their place in the catalogue."""
    shop = small_shop()
    asked = [query for query in questions(shop.users.ids, shop.items.ids) if query.seed == ()]
    for query in asked[::4]:
        own = np.asarray(model.score_items(query), dtype=np.float32)
        ranking = model.recommend(query, len(own), seen="keep")
        n_own = int(np.isfinite(own).sum())
        by_score = np.lexsort((np.arange(len(own)), -own))[:n_own]
        near = 1e-5 * max(1e-30, float(np.abs(own[by_score]).max(initial=0)))
        gone = np.abs(own[ranking.items[:n_own]] - own[by_score]) > near
        expect(not gone.any(), "the items with the best scores must come first.")
        tied = np.flatnonzero(np.diff(ranking.scores[:n_own]) == 0)
        upwards = ranking.items[tied] < ranking.items[tied + 1]
        expect(bool(upwards.all()), "of equal scores, the item of the lower index must come first.")


def asking_for_few_items_is_enough(model: Recommender) -> None:
    """Where only some items are asked about, ``score_items`` judges those as it always does."""
    shop = small_shop()
    some = np.array([3, 1, 7], dtype=np.int32)
    for query in questions(shop.users.ids, shop.items.ids)[-8:]:
        everything, few = model.score_items(query), model.score_items(query, some)
        agree = np.allclose(everything[some], few[some], rtol=1e-5, atol=1e-6)
        expect(agree, "score_items(query, items) must score these items as score_items(query).")
        model.score_items(query, np.empty(0, dtype=np.int32))


def seen_items_are_left_out(model: Recommender) -> None:
    """By default nobody is offered what she has events with."""
    shop = small_shop()
    frame = model.recommend_many(shop.users.ids.tolist(), len(shop.items))
    again = frame.merge(small_events()[["user_id", "item_id"]].drop_duplicates())
    expect(again.empty, f"seen='drop' must leave out seen items, {len(again)} came back.")


def seen_items_stay_if_wanted(model: Recommender) -> None:
    """With ``seen="keep"`` the whole catalogue may come back."""
    shop = small_shop()
    frame = model.recommend_many(["u-0001", STRANGER], len(shop.items), seen="keep")
    expect(len(frame) == 2 * len(shop.items), "seen='keep' must leave out nothing.")


def only_the_named_kinds_of_events_count_as_seen(model: Recommender) -> None:
    """``seen=["purchase"]`` leaves out what was bought, and nothing else."""
    shop, events = small_shop(), small_events()
    bought = events[events["event"] == "purchase"].groupby("user_id")["item_id"].agg(set)
    for user, theirs in bought.head(8).items():
        offered = set(model.recommend(user, len(shop.items), seen=["purchase"]).item_ids)
        wanted = set(shop.items.ids) - theirs
        expect(offered == wanted, "seen=['purchase'] must leave out purchases and nothing else.")


def who_has_seen_everything_gets_nothing_new(model: Recommender) -> None:
    """A user who knows the whole catalogue gets an empty list, or all of it if wanted."""
    events = small_events()
    items = events["item_id"].unique()
    everything = pd.DataFrame(
        {
            "user_id": "u-all",
            "item_id": items,
            "event": "view",
            "timestamp": events["timestamp"].max(),
        }
    )
    model.fit(pd.concat([events, everything], ignore_index=True))
    expect(len(model.recommend("u-all")) == 0, "nothing is left for who has seen everything.")
    kept = len(model.recommend("u-all", len(items), seen="keep"))
    expect(kept == len(items), f"seen='keep' must offer all {len(items)} items, got {kept}.")


def unknown_users_are_answered(model: Recommender) -> None:
    """A stranger gets a full list, which says that she is one."""
    ranking = model.recommend(STRANGER, n=10)
    expect(len(ranking) == 10, f"a stranger must get 10 items, got {len(ranking)}.")
    told = any("unknown user" in effect for effect in ranking.effects)
    expect(told, "ranking.effects must say that the user is unknown.")


def unknown_items_are_left_aside(model: Recommender) -> None:
    """An item nobody knows, on any kind of page, changes no answer and is named in the effects."""
    shop = small_shop()
    known = shop.items.ids[4]
    pairs = {
        "session": (Query(session=[known]), Query(session=[_UNHEARD, known])),
        "history": (Query(history=[known]), Query(history=[_UNHEARD, known])),
        "seed": (Query(seed=known), Query(seed=[_UNHEARD, known])),
    }
    for where, (plain, odd) in pairs.items():
        one, other = model.recommend(plain, 100), model.recommend(odd, 100)
        expect_close([one], [other], f"an unknown item in the {where} must change no answer")
        told = any(_UNHEARD in effect for effect in other.effects)
        expect(told, f"ranking.effects must name an unknown item of the {where}.")
        only = model.recommend(_told(where, _UNHEARD), 10)
        expect(len(only) == 10, f"a {where} of unknown items must get 10 items, got {len(only)}.")


def similar_items_are_others(model: Recommender) -> None:
    """``similar_items`` returns ``n`` other items, for unknown items too."""
    shop = small_shop()
    for item in shop.items.ids[:5]:
        ranking = model.similar_items(item, n=10)
        expect(len(ranking) == 10, f"similar_items(n=10) must give 10 items, got {len(ranking)}.")
        expect(item not in ranking.item_ids, "no item is among those similar to it.")
        expect(bool((np.diff(ranking.scores) <= 0).all()), "likeness must never rise along a list.")
    every = len(model.similar_items(shop.items.ids[0], n=1_000))
    expect(every == len(shop.items) - 1, f"all {len(shop.items) - 1} others exist, got {every}.")
    unknown = model.similar_items(_UNHEARD, n=10)
    expect(len(unknown) == 10, f"an unknown item must get 10 items, got {len(unknown)}.")


def empty_questions_are_answered(model: Recommender) -> None:
    """No user, no history, no session: still a full list."""
    empty = {
        "Query()": Query(),
        "an empty history": Query(history=[]),
        "an empty weighted history": Query(history={}),
        "an empty session": Query(session=[]),
        "an empty past of a customer": Query(user_id="u-0001", history=[]),
    }
    for name, query in empty.items():
        got = len(model.recommend(query, n=10))
        expect(got == 10, f"{name} must get 10 items, got {got}.")


def what_a_stranger_tells_is_left_out(model: Recommender) -> None:
    """What the history, the seed or (without ``repeats``) the session names is not offered."""
    shop = small_shop()
    known = shop.items.ids[4]
    for where, offered in (("history", False), ("seed", False), ("session", model.repeats)):
        ranking = model.recommend(_told(where, known), 1_000)
        due = "be" if offered else "not be"
        found = known in ranking.item_ids
        expect(found == offered, f"an item of the {where} must {due} among the recommendations.")
        expect(len(ranking) == len(shop.items) - (not offered), "nothing else may be left out.")


def nothing_allowed_is_an_empty_answer(model: Recommender) -> None:
    """Rules may leave no item, or one: then nobody is asked about the others."""

    def nothing(items: pd.DataFrame) -> Mask:
        return np.zeros(len(items), dtype=np.bool_)

    shop = small_shop()
    empty = Pipeline(candidates=[model], rules=nothing).fit(shop)
    single = empty.with_rules(f'REQUIRE item.id = "{shop.items.ids[2]}"')
    for query in (Query(STRANGER), Query("u-0001"), Query(session=[shop.items.ids[0]])):
        expect(len(empty.recommend(query)) == 0, "what no rule allows must not be offered.")
        offered = single.recommend(query, seen="keep").item_ids
        due = [shop.items.ids[2]]
        expect(offered == due, f"the one allowed item must be offered, got {offered}.")


def what_a_rule_asks_for_is_found(model: Recommender) -> None:
    """A pin and a quota are met even where a model's first choice holds nobody for them."""
    shop = small_shop()
    last = shop.items.ids[-1]
    rules = f'PIN item.id = "{last}" AT 2; RULE dear: ENSURE 3 WHERE item.price > 14'
    pipeline = Pipeline(candidates=[model], rules=rules, pool=1).fit(shop)
    for query in (Query(STRANGER), Query("u-0001"), Query(session=[shop.items.ids[0]])):
        ranking = pipeline.recommend(query, 5, seen="keep")
        offered = ranking.item_ids
        expect(len(set(offered)) == 5, "rules must not shorten a list.")
        expect(offered[1] == last, f"the item pinned to slot 2 must be there, got {offered}.")
        told = [effect for effect in ranking.effects if effect.startswith("dear")]
        expect(not told, f"a quota that can be met must be met, got {told}.")


def many_are_answered_like_one(model: Recommender) -> None:
    """``recommend_many`` agrees with ``recommend``, but for items as good as tied."""
    shop = small_shop()
    asked = questions(shop.users.ids[:20], shop.items.ids)
    one_by_one = [model.recommend(query, 1_000) for query in asked]
    expect_close(one_by_one, model.rank_many(asked, 1_000), "a batch must answer like one question")


def a_user_id_is_a_question(model: Recommender) -> None:
    """``recommend(user)`` means ``recommend(Query(user_id=user))``."""
    plain, asked = model.recommend("u-0001"), model.recommend(Query(user_id="u-0001"))
    expect_close([plain], [asked], "a user id and its query must get the same answer")


def answers_come_in_the_order_asked(model: Recommender) -> None:
    """``recommend_many`` keeps users in the order asked, repeats and strangers included."""
    shop = small_shop()
    asked = [*shop.users.ids[5::-1], STRANGER, shop.users.ids[3]]
    frame = model.recommend_many(asked, n=4)
    columns = ["user_id", "item_id", "rank", "score", "source"]
    expect(list(frame.columns) == columns, f"the columns must be {columns}.")
    expect(frame["user_id"].tolist() == np.repeat(asked, 4).tolist(), "users must come as asked.")
    expect(frame["rank"].tolist() == [1, 2, 3, 4] * len(asked), "ranks must count from 1.")
    expect(bool(frame["source"].notna().all()), "every item must say where it came from.")


def nobody_asked_is_an_empty_frame(model: Recommender) -> None:
    """``recommend_many([])`` has the usual columns and no row."""
    frame = model.recommend_many([])
    columns = ["user_id", "item_id", "rank", "score", "source"]
    expect(len(frame) == 0 and list(frame.columns) == columns, "no question must get no row.")


def asking_changes_nothing(model: Recommender) -> None:
    """Reading never writes: the same question, asked again after others, gets the same answer."""
    shop = small_shop()
    asked = questions(shop.users.ids, shop.items.ids)
    before = answers(model, asked)
    _ask_around(model, [STRANGER, Query(session=[_UNHEARD]), Query(history=[_UNHEARD])])
    expect(len(model.users_) == len(shop.users), "asking must not add users.")
    expect(len(model.items_) == len(shop.items), "asking must not add items.")
    expect_equal(before, answers(model, asked), "asking must change no answer")


def explanations_add_up_to_the_score(model: Recommender) -> None:
    """The contributions that ``explain`` lists sum to the score an item is recommended with."""
    shop = small_shop()
    for query in questions(shop.users.ids[:6], shop.items.ids):
        ranking = model.recommend(query, len(shop.items))
        own = ranking.take([source != FALLBACK for source in ranking.sources])
        near = 1e-4 * float(np.abs(own.scores).max(initial=0))
        for item, score in zip(own.item_ids[:3], own.scores[:3], strict=True):
            frame = model.explain(query, item)
            columns = ["component", "evidence", "contribution"]
            expect(list(frame.columns) == columns, f"explain's columns must be {columns}.")
            total = float(frame["contribution"].sum())
            close = abs(total - score) <= near
            expect(close, f"contributions must add up to the score {score:.6g}, got {total:.6g}.")


def unknown_items_cannot_be_explained(model: Recommender) -> None:
    """``explain`` of an item that nobody knows is a `DataError` that names it."""
    try:
        model.explain("u-0001", _UNHEARD)
    except DataError as problem:
        expect(_UNHEARD in str(problem), "the error must name the unknown item.")
        return
    expect(False, "explaining an unknown item must raise DataError.")


def held_out_quality_is_a_share(model: Recommender) -> None:
    """``score`` is a number between 0 and 1."""
    shop = small_shop()
    late = np.arange(len(shop.log)) >= 0.7 * len(shop.log)
    quality = model.fit(shop.take(~late)).score(shop.take(late))
    expect(0 <= quality <= 1, f"score must lie between 0 and 1, got {quality}.")


def new_things_in_the_catalogue_are_welcome(model: Recommender) -> None:
    """An item that came by ``update_items`` can be offered, and asked about, at once."""
    row = {"item_id": ["sku-new"], "price": [1.5], "stock": [3], "brand": ["Larch"]}
    expect(model.update_items(pd.DataFrame(row)) is model, "update_items must return self.")
    offered = model.recommend(STRANGER, 1_000).item_ids
    expect("sku-new" in offered, "a new item must be offered to strangers.")
    for where in ("session", "history", "seed"):
        got = len(model.recommend(_told(where, "sku-new"), 10))
        expect(got == 10, f"a new item in the {where} must get 10 items, got {got}.")
    expect(len(model.similar_items("sku-new", 3)) == 3, "a new item must have similar items.")


def forgetting_leaves_no_trace(model: Recommender) -> None:
    """After ``forget`` the id is nowhere, and whoever comes under it is a stranger."""
    shop = small_shop()
    gone = "u-0002"
    model.recommend(gone)
    expect(model.forget([gone, _UNHEARD]) == 1, "forget must return how many users were known.")
    expect(gone not in model.users_.ids.tolist(), "the id must be gone from users_.")
    hers, a_strangers = model.recommend(gone, 1_000), model.recommend(STRANGER, 1_000)
    expect_close([hers], [a_strangers], "a forgotten user must be answered like a stranger")
    others = [user for user in shop.users.ids if user != gone]
    counts = model.recommend_many(others, len(shop.items))["user_id"].value_counts()
    left = len(shop.items) - len(shop.history().seen(shop.users.index(others[0])))
    expect(int(counts.get(others[0], 0)) == left, "forgetting one user must not touch the others.")


def a_forgotten_user_may_come_back(model: Recommender) -> None:
    """Who was forgotten can be fitted again, like anybody new."""
    model.forget(["u-0002"])
    model.fit(small_shop())
    expect("u-0002" in model.users_, "a new fit must know all users of its data.")


def _told(where: str, item: Id) -> Query:
    told: dict[str, Any] = {where: [item]}
    return Query(**told)


def _ask_around(model: Recommender, asked: Sequence[str | Query]) -> None:
    for one in asked:
        model.recommend(one)
    model.similar_items(_UNHEARD)
    model.rank_many([Query.of(one) for one in asked], 5, seen=["purchase"])


CHECKS = (
    as_many_items_come_back_as_asked,
    a_single_answer_is_as_long_as_asked,
    no_item_comes_twice,
    scores_are_finite_and_sorted,
    the_best_scores_are_recommended,
    asking_for_few_items_is_enough,
    seen_items_are_left_out,
    seen_items_stay_if_wanted,
    only_the_named_kinds_of_events_count_as_seen,
    who_has_seen_everything_gets_nothing_new,
    unknown_users_are_answered,
    unknown_items_are_left_aside,
    similar_items_are_others,
    empty_questions_are_answered,
    what_a_stranger_tells_is_left_out,
    nothing_allowed_is_an_empty_answer,
    what_a_rule_asks_for_is_found,
    many_are_answered_like_one,
    a_user_id_is_a_question,
    answers_come_in_the_order_asked,
    nobody_asked_is_an_empty_frame,
    asking_changes_nothing,
    explanations_add_up_to_the_score,
    unknown_items_cannot_be_explained,
    held_out_quality_is_a_share,
    new_things_in_the_catalogue_are_welcome,
    forgetting_leaves_no_trace,
    a_forgotten_user_may_come_back,
)
