"""Cold items and users: the last to come, or drawn by chance; training has none of their events."""

import numpy as np
import pandas as pd
import pytest

from recopersona.data.dataset import Dataset
from recopersona.datasets.synthetic import synthetic_shop
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.evaluate import evaluate
from recopersona.evaluation.splits import (
    Split,
    cold_items,
    cold_users,
    prove_cold_items,
    prove_cold_users,
)
from recopersona.models.popularity import Popularity

BOTH = [(cold_items, "items"), (cold_users, "users")]


@pytest.fixture(scope="module")
def shop():
    return synthetic_shop(150, 60, random_state=5)


def of(part, what):
    return set(getattr(part.log, what).tolist())


@pytest.mark.parametrize("by", ["time", "chance"])
@pytest.mark.parametrize(("cut", "what"), BOTH)
def test_training_has_no_event_of_what_is_held_out(shop, cut, what, by):
    split = cut(shop, share=0.2, by=by)
    assert not of(split.train, what) & of(split.test, what)
    assert len(of(split.test, what)) == round(0.2 * len(of(shop, what)))
    n_cold = int(np.isin(getattr(shop.log, what), list(of(split.test, what))).sum())
    assert len(split.test.log) == n_cold


@pytest.mark.parametrize(("cut", "what"), BOTH)
def test_where_there_is_time_the_last_to_come_are_held_out_and_training_ends_before(
    shop, cut, what
):
    split = cut(shop, share=0.2)
    assert split.train.log.timestamp.max() < split.test.log.timestamp.min()
    left_out = split.counts[f"events_of_known_{what}_after_the_cut"]
    assert len(split.train.log) + len(split.test.log) + left_out == len(shop.log)
    assert split.name == f"20% of the {what}, the last to come"


@pytest.mark.parametrize(("cut", "what"), BOTH)
def test_by_chance_everything_of_the_others_is_learned_from(shop, cut, what):
    split = cut(shop, share=0.2, by="chance")
    assert len(split.train.log) + len(split.test.log) == len(shop.log)
    assert split.counts["training_events_after_the_first_held_out"] > 0
    again, other = (cut(shop, share=0.2, by="chance", random_state=s).cut.test for s in (0, 1))
    np.testing.assert_array_equal(split.cut.test, again)
    assert not np.array_equal(again, other)


@pytest.mark.parametrize("cut", [cold_items, cold_users])
def test_without_time_chance_decides(cut):
    split = cut(Dataset.from_matrix(np.ones((5, 5))), share=0.4)
    assert (len(split.train.log), len(split.test.log)) == (15, 10)


def test_cold_items_can_be_evaluated(shop):
    table = evaluate(Popularity(), cold_items(shop), progress=False, metrics=["recall"], k=60)
    assert table.attrs["counts"]["items_unknown_to_training"] == 12


@pytest.mark.parametrize(
    ("prove", "words"),
    [
        (prove_cold_items, "training has an event of the held-out item"),
        (prove_cold_users, "training has a row of the held-out user"),
    ],
)
def test_a_leak_planted_among_the_cold_is_found(shop, prove, words):
    cut = cold_items if prove is prove_cold_items else cold_users
    split = cut(shop)
    since = int(split.test.log.timestamp.min())
    prove(split, since)
    leaked = split.cut.train.copy()
    leaked[np.argmax(split.cut.test)] = True
    with pytest.raises(AssertionError, match=words):
        prove(Split(shop.take(leaked), split.test), since)
    late = split.cut.train | ~split.cut.test  # what others did after the cut
    with pytest.raises(AssertionError, match="at or after the cut"):
        prove(Split(shop.take(late), split.test), since)


@pytest.mark.parametrize("cut", [cold_items, cold_users])
def test_cold_cuts_that_cannot_be_are_refused(shop, cut):
    name = cut.__name__
    with pytest.raises(ParameterError, match=f"{name}: share must be a number above 0 and below"):
        cut(shop, share=1.0)
    with pytest.raises(DataError, match=f"{name} needs a 'timestamp' column"):
        cut(Dataset.from_matrix(np.ones((3, 3))), by="time")
    at_once = pd.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "timestamp": "2026-01-01"})
    with pytest.raises(DataError, match=f"nothing to learn from .{name}: choose a smaller share"):
        cut(Dataset.from_frames(at_once))
    with pytest.raises(DataError, match=f"{name} needs at least one interaction"):
        cut(shop.take([]))
