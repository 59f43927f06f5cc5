"""Whatever a shop's log looks like, every model learns from it, answers, and gives numbers."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import DataError, NotFittedError
from tests.testing.every_model import every_model

RNG = np.random.default_rng(6)
COUNTS = RNG.poisson(0.8, (12, 9)).astype(np.float32)


def events_of(matrix):
    users, items = np.nonzero(matrix)
    return pd.DataFrame({"user_id": users, "item_id": items, "weight": matrix[users, items]})


def with_gaps():
    """A user and an item without events, both known."""
    matrix = COUNTS.copy()
    matrix[4], matrix[:, 2] = 0, 0
    return rp.Dataset.from_matrix(matrix)


def of_one_event():
    return rp.Dataset.from_frames([rp.Event("anna", "tea")])


def of_weights_of_nothing():
    """Half of the events weigh nothing: they are seen, and teach nothing."""
    events = events_of(COUNTS)
    return rp.Dataset.from_frames(events.assign(weight=np.arange(len(events)) % 2))


def of_tiny_weights():
    events = events_of(COUNTS)
    return rp.Dataset.from_frames(events.assign(weight=np.float32(1e-20)))


def of_large_weights():
    events = events_of(COUNTS)
    return rp.Dataset.from_frames(events.assign(weight=1e6 * events["weight"]))


def of_repeats():
    """Every pair comes three times."""
    return rp.Dataset.from_frames(pd.concat([events_of(COUNTS)] * 3))


def of_an_item_everybody_has():
    matrix = COUNTS.copy()
    matrix[:, 0] = 1
    return rp.Dataset.from_matrix(matrix)


def of_everybody_having_everything():
    return rp.Dataset.from_matrix(np.ones((5, 4), np.float32))


SHOPS = [
    with_gaps, of_one_event, of_weights_of_nothing, of_tiny_weights, of_large_weights, of_repeats,
    of_an_item_everybody_has, of_everybody_having_everything,
]  # fmt: skip


@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: shop.__name__)
@pytest.mark.parametrize("model", list(every_model()), ids=lambda model: type(model).__name__)
def test_every_model_learns_and_answers(model, shop):
    shop = shop()
    try:
        model.fit(shop)
    except DataError as refusal:  # such as: half_life needs a 'timestamp' column
        assert "timestamp" in str(refusal)  # noqa: PT017 - some models may refuse, by name
        return
    n_items = len(shop.items)
    for asked in (
        *shop.users.ids[:6].tolist(),
        "a stranger",
        rp.Query(history=[shop.items.ids[0]]),
    ):
        ranking = model.recommend(asked, n=n_items + 5, seen="keep")
        assert len(ranking) == n_items
        assert np.isfinite(ranking.scores).all()
    assert len(model.similar_items(shop.items.ids[0], n=3)) == min(3, n_items - 1)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_weights_that_are_none_are_refused(weight):
    events = events_of(COUNTS).assign(weight=weight)
    with pytest.raises(DataError, match="weight must be a finite number of at least 0"):
        rp.ALS().fit(events)


@pytest.mark.parametrize("model", list(every_model()), ids=lambda model: type(model).__name__)
def test_an_interrupted_fit_leaves_the_model_unfitted_and_says_so(model, monkeypatch):
    def interrupt(self, dataset):
        self.half_done_ = True
        raise KeyboardInterrupt

    monkeypatch.setattr(type(model), "_fit", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        model.fit(rp.Dataset.from_matrix(COUNTS))
    name = type(model).__name__
    assert caught.value.__notes__ == [f"{name}: fit was interrupted; the model is unfitted."]
    with pytest.raises(NotFittedError, match=f"this {name} has learned nothing yet"):
        model.recommend("anna")
