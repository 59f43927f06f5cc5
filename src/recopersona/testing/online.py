"""Checks of partial_fit: whoever and whatever is new is welcome, in any form and any number."""

from __future__ import annotations

import tempfile

import numpy as np
import pandas as pd
from sklearn.base import clone

from recopersona.base.artifact import load
from recopersona.base.online import OnlineRecommender
from recopersona.data.event import Event
from recopersona.data.query import Query
from recopersona.testing.comparing import (
    answers,
    contents,
    expect,
    expect_close,
    expect_equal,
    expect_same_contents,
    questions,
)
from recopersona.testing.keeping import functions_of
from recopersona.testing.shops import small_events, small_shop


def partial_fit_returns_the_model(model: OnlineRecommender) -> None:
    """``partial_fit`` returns the model itself, fitted before or not."""
    for _ in range(2):
        expect(model.partial_fit(small_events()) is model, "partial_fit must return self.")


def partial_fit_on_an_unfitted_model_fits(model: OnlineRecommender) -> None:
    """The first ``partial_fit`` is ``fit``."""
    events = small_events()
    asked = questions(events["user_id"].unique(), events["item_id"].unique())
    fresh = answers(clone(model).fit(events), asked)
    first = answers(model.partial_fit(events), asked)
    expect_equal(fresh, first, "the first partial_fit must be fit")


def new_users_and_new_items_are_welcome(model: OnlineRecommender) -> None:
    """A user and an item nobody knew are known from the next question on."""
    earlier, later = _parts()
    model.fit(earlier)
    n_items = len(model.items_)
    model.partial_fit(Event("u-new", "sku-new", "purchase", later["timestamp"].max()))
    expect("u-new" in model.users_ and "sku-new" in model.items_, "what is new must be known.")
    hers, all_items = model.recommend("u-new", 1_000), model.recommend(Query(), 1_000)
    expect("sku-new" in all_items.item_ids, "a new item must be offered to strangers.")
    expect("sku-new" not in hers.item_ids, "a new user must not be offered what she just took.")
    expect(len(hers) == n_items, f"a new user must get all {n_items} other items, got {len(hers)}.")
    expect(len(model.similar_items("sku-new", 3)) == 3, "a new item must have similar items.")
    model.score_items(Query(user_id="u-new", session=["sku-new"]))


def what_happened_is_seen_at_once(model: OnlineRecommender) -> None:
    """An item that came in by ``partial_fit`` is not offered to the same user again."""
    model.fit(small_events())
    best = model.recommend("u-0001", n=1).item_ids[0]
    model.partial_fit(Event("u-0001", best, "view", small_events()["timestamp"].max()))
    expect(best not in model.recommend("u-0001", 1_000).item_ids, "a new event must count as seen.")


def a_frame_and_events_teach_the_same(model: OnlineRecommender) -> None:
    """A frame, a list of events, and the events one by one lead to the same answers."""
    earlier, later = _parts()
    later = later.drop(columns=["quantity", "price"])
    events = [
        Event(row.user_id, row.item_id, str(row.event), row.timestamp)
        for row in later.itertuples(index=False)
    ]
    by_frame = clone(model).fit(earlier).partial_fit(later)
    by_list = clone(model).fit(earlier).partial_fit(events)
    one_by_one = clone(model).fit(earlier)
    for event in events:
        one_by_one.partial_fit(event)
    everything = pd.concat([earlier, later])
    asked = questions(everything["user_id"].unique(), everything["item_id"].unique())
    wanted = by_frame.rank_many(asked, 1_000)
    expect_close(wanted, by_list.rank_many(asked, 1_000), "a list must teach like a frame")
    singly = one_by_one.rank_many(asked, 1_000)
    expect_close(wanted, singly, "events one by one must teach like a frame")


def partial_fit_leaves_its_input_alone(model: OnlineRecommender) -> None:
    """``partial_fit`` never changes the frame it was given."""
    earlier, later = _parts()
    before = later.copy(deep=True)
    model.fit(earlier).partial_fit(later)
    expect(later.equals(before), "partial_fit must not change the events frame.")


def online_learning_is_the_same_each_time(model: OnlineRecommender) -> None:
    """Two clones that were taught the same agree to the bit."""
    earlier, later = _parts()
    everything = small_events()
    asked = questions(everything["user_id"].unique(), everything["item_id"].unique())
    first, second = (answers(clone(model).fit(earlier).partial_fit(later), asked) for _ in range(2))
    expect_equal(first, second, "the same events must teach the same")


def a_loaded_model_goes_on_learning(model: OnlineRecommender) -> None:
    """A model mapped from disk, whose arrays cannot be written to, learns like the one saved."""
    earlier, later = _parts()
    everything = small_events()
    asked = questions(everything["user_id"].unique(), everything["item_id"].unique())
    with tempfile.TemporaryDirectory() as folder:
        model.fit(earlier).save(f"{folder}/model")
        for mmap in (False, True):
            # First what is known already: there a model is tempted to write where it stands.
            loaded = load(f"{folder}/model", functions=functions_of(model), mmap=mmap)
            loaded.partial_fit(earlier.tail(3)).partial_fit(later)
            taught = clone(model).fit(earlier).partial_fit(earlier.tail(3)).partial_fit(later)
            expect_equal(
                answers(taught, asked), answers(loaded, asked),
                f"after load(mmap={mmap}), partial_fit must teach as before",
            )  # fmt: skip
            del loaded


def partial_fit_leaves_the_dataset_alone(model: OnlineRecommender) -> None:
    """What is learned later never reaches the dataset that ``fit`` was given."""
    shop = small_shop()
    before = contents(shop)
    model.fit(shop).partial_fit(Event("u-new", "sku-new", "view", shop.end))
    expect_same_contents(before, contents(shop), "partial_fit must not change the dataset")


def a_far_later_event_keeps_scores_finite(model: OnlineRecommender) -> None:
    """Years without an event do no harm to the next."""
    earlier = small_events()
    model.fit(earlier.assign(timestamp=earlier["timestamp"] - pd.DateOffset(years=30)))
    model.partial_fit(Event("u-0001", "sku-new", "view", small_events()["timestamp"].max()))
    own = model.score_items(Query(user_id="u-0001"))
    expect(bool((np.asarray(own) < np.inf).all()), "scores must stay finite after a long pause.")
    expect(len(model.recommend("u-0002", 5)) == 5, "answers must go on after a long pause.")


def _parts() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Most of the log, and what came after: with users and items that the first part lacks."""
    events = small_events()
    late = (
        (np.arange(len(events)) >= 0.9 * len(events))
        | (events["user_id"] == "u-0007")
        | (events["item_id"] == events["item_id"].iloc[-1])
    )
    return events[~late], events[late]


CHECKS = (
    partial_fit_returns_the_model,
    partial_fit_on_an_unfitted_model_fits,
    new_users_and_new_items_are_welcome,
    what_happened_is_seen_at_once,
    a_frame_and_events_teach_the_same,
    partial_fit_leaves_its_input_alone,
    partial_fit_leaves_the_dataset_alone,
    online_learning_is_the_same_each_time,
    a_loaded_model_goes_on_learning,
    a_far_later_event_keeps_scores_finite,
)
