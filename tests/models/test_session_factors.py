"""The next item is foreseen from the visit's vector, and from what visits come back to."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import DataError
from recopersona.models import visit_vectors
from recopersona.models.next_item import Samples
from recopersona.models.visits import Visits

RNG = np.random.default_rng(5)


def events_of(visits):
    rows = [(f"u{number}", item) for number, visit in enumerate(visits) for item in visit]
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


def chains(n_items, n_visits, length=4):
    """Every visit walks along a ring of items, from anywhere."""
    starts = RNG.integers(0, n_items, n_visits)
    return [[(start + step) % n_items for step in range(length)] for start in starts.tolist()]


def foreseen(model, visit, n=1):
    return model.recommend(rp.Query(session=visit), n=n, seen="keep").item_ids


@pytest.fixture(scope="module")
def walker():
    return rp.SessionFactors(factors=16, epochs=15).fit(events_of(chains(40, 800)))


def test_what_comes_next_on_a_ring_is_foreseen(walker):
    right = [foreseen(walker, [at, (at + 1) % 40]) == [(at + 2) % 40] for at in range(40)]
    assert np.mean(right) > 0.9
    losses = walker.history_["loss"]
    assert losses.iloc[-1] < losses[0] / 2


def test_visits_that_come_back_teach_to_come_back():
    pairs = [RNG.choice(40, 2, replace=False).tolist() for _ in range(800)]
    back = rp.SessionFactors(factors=16, epochs=10).fit(
        events_of([[one, two, one] for one, two in pairs])
    )
    assert np.mean([foreseen(back, [at, (at + 7) % 40]) == [at] for at in range(40)]) > 0.9


def test_the_same_seed_gives_the_same_answer_on_one_thread_and_two():
    events = events_of(chains(3_000, 2_000, 5))
    fitted = []
    for threads in (1, 2):
        with rp.limit_threads(threads):
            fitted.append(rp.SessionFactors(factors=12, epochs=1, negatives=700).fit(events))
    for name in ("item_factors_", "weights_", "repeats_", "sums_"):
        np.testing.assert_array_equal(*(getattr(model, name) for model in fitted))
    other = rp.SessionFactors(factors=12, epochs=1, random_state=1).fit(events)
    assert not np.array_equal(other.item_factors_, fitted[0].item_factors_)


@pytest.mark.parametrize("worth_an_index", [4_500, 100_000])
def test_of_a_large_catalogue_the_nearest_are_spoken_of(monkeypatch, worth_an_index):
    monkeypatch.setattr(visit_vectors, "_WORTH_AN_INDEX", worth_an_index)
    model = rp.SessionFactors(factors=8, epochs=1).fit(events_of(chains(5_000, 4_000, 3)))
    assert model._is_indexed() == (worth_an_index == 4_500)
    visit = np.array([7, 8, 9], np.int32)
    some = model._opinions(visit, None)
    monkeypatch.setattr(visit_vectors, "_LARGE", 10_000)
    model._index = None
    every = model._opinions(visit, None)
    assert len(some.items) < len(every.items)
    scores = dict(zip(every.items.tolist(), every.scores.tolist(), strict=True))
    found = dict(zip(some.items.tolist(), some.scores.tolist(), strict=True))
    assert all(found[item] == pytest.approx(scores[item], rel=1e-4) for item in found)
    best = sorted(scores, key=scores.get, reverse=True)[:300]
    assert set(best) <= set(found)


def test_a_new_item_is_near_the_visit_it_first_came_in(walker):
    model = rp.SessionFactors(factors=16, epochs=15).fit(events_of(chains(40, 800)))
    for user in ("new-1", "new-2", "new-3"):
        model.partial_fit([rp.Event(user, item) for item in (10, 11, "new")])
    assert set(model.similar_items("new", n=6).item_ids) & {9, 10, 11, 12}
    assert "new" in foreseen(model, [10, 11], n=5)


def test_a_score_is_shared_among_the_clicks_it_comes_from(walker):
    asked = rp.Query(session=[3, 4, 5])
    scores = walker.score_items(asked)
    for item, n_rows in ((6, 3), (4, 4)):
        rows = walker.explain(asked, item)
        assert len(rows) == n_rows
        assert rows["contribution"].sum() == pytest.approx(
            scores[walker.items_.index(item)], rel=1e-3
        )
    assert "visit: clicked before" in rows["component"].tolist()


def test_a_window_set_after_the_fit_changes_nothing_until_the_next(walker):
    model = rp.SessionFactors(factors=4, epochs=1, window=2).fit(events_of(chains(9, 30)))
    before = foreseen(model, [1, 2, 3, 4], n=5)
    model.set_params(window=16)
    assert foreseen(model, [1, 2, 3, 4], n=5) == before
    model.partial_fit([rp.Event("long", item % 9) for item in range(30)])
    assert np.isfinite(model.item_factors_).all()


def test_every_click_but_the_first_is_a_sample():
    visits = Visits(
        np.array([0, 1, 5]), np.array([9, 1, 2, 3, 4], np.int32), *np.zeros((2, 2), np.int32)
    )
    samples = Samples.of(visits, window=2)
    assert [
        (samples.clicks[start:end].tolist(), target)
        for start, end, target in zip(*samples[1:], strict=True)
    ] == [([1], 2), ([1, 2], 3), ([2, 3], 4)]


def test_items_that_never_came_beside_another_have_no_vector():
    model = rp.SessionFactors(factors=4, epochs=1).fit(events_of([["a", "b"], ["alone"]]))
    assert model.item_lengths_.tolist() == pytest.approx([1, 1, 0])
    assert len(model.recommend(rp.Query(session=["alone"]), n=3, seen="keep")) == 3


def test_who_was_fitted_on_no_click_at_all_learns_from_the_first():
    shown = [rp.Event(user, item, "impression") for user, item in (("a", 1), ("a", 2), ("b", 1))]
    shop = rp.Dataset.from_frames(shown, event_weights={"impression": 0})
    model = rp.SessionFactors(factors=4, epochs=1).fit(shop)
    model.partial_fit([rp.Event("a", item) for item in (1, 2, 3)])
    assert np.isfinite(model.item_factors_).all()
    assert set(model.recommend(rp.Query(session=[1]), n=2).item_ids) <= {1, 2, 3}


def test_what_was_loaded_goes_on_as_it_would_have(tmp_path):
    model = rp.SessionFactors(factors=4, epochs=1).fit(events_of([["a", "b"], ["alone"]] * 5))
    model.partial_fit([rp.Event("new", item) for item in ("a", "b", "alone", "gold")])
    rp.save(model, tmp_path / "model")
    loaded = rp.load(tmp_path / "model")
    for either in (model, loaded):
        either.partial_fit([rp.Event("newer", item) for item in ("b", "alone", "gold", "a")])
    np.testing.assert_array_equal(model.item_factors_, loaded.item_factors_)


SPOILED = (("repeats_", np.nan), ("weights_", np.inf), ("weights_", -np.inf))


@pytest.mark.parametrize(("name", "value"), SPOILED)
def test_numbers_from_a_file_are_finite(name, value):
    model = rp.SessionFactors(factors=4, epochs=1).fit(events_of([["a", "b"]] * 5))
    getattr(model, name)[:] = value
    with pytest.raises(DataError):
        model._check_learned()
