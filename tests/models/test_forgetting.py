"""What forgotten users taught is out of every sum, to the bit where weights are whole numbers."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.testing.shops import small_events, small_shop

GONE = ["u-0002", "u-0005", "u-0011", "u-0030"]
EVENTS = small_events().sort_values("timestamp", kind="stable").reset_index(drop=True)
WEIGHTS = {"view": 1, "cart": 4, "purchase": 10, "impression": 0}


def fitted(model, events, split=1.0, **options):
    """A model fitted on the earlier part of a log, and taught the rest event by event."""
    until = EVENTS["timestamp"][int(split * len(EVENTS)) - 1]
    early = events[events["timestamp"] <= until]
    shop = rp.Dataset.from_frames(early, event_weights=WEIGHTS, **options)
    model.fit(shop)
    return model if split == 1 else model.partial_fit(events[events["timestamp"] > until])


def with_and_without(make, split=1.0, **options):
    """A model that forgot, and one that never heard of them."""
    told = fitted(make(), EVENTS, split, **options)
    told.forget(GONE)
    return told, fitted(make(), EVENTS[~EVENTS["user_id"].isin(GONE)], split, **options)


def by_item(model, values):
    ids = model.items_.ids.tolist()
    return {item: value for item, value in zip(ids, values.tolist(), strict=False) if value}


@pytest.mark.parametrize("split", [1.0, 0.5])
def test_popularity_is_to_the_bit_that_of_the_others(split):
    told, never = with_and_without(rp.Popularity, split)
    assert told.stale_ is None
    for name in ("popularity_", "fallback_"):
        assert by_item(told, getattr(told, name)) == by_item(never, getattr(never, name))


@pytest.mark.parametrize("split", [1.0, 0.5])
def test_popularity_that_fades_is_that_of_the_others_but_for_rounding(split):
    for options in ({}, {"half_life": "5d"}):
        told, never = with_and_without(lambda: rp.Popularity(half_life="3d"), split, **options)
        ours, theirs = by_item(told, told.popularity_), by_item(never, never.popularity_)
        assert told.stale_ is None
        assert ours.keys() == theirs.keys()
        np.testing.assert_allclose([ours[item] for item in theirs], [*theirs.values()], rtol=1e-5)


def test_an_item_that_only_they_had_weighs_exactly_nothing():
    alone = pd.DataFrame({
        "user_id": "u-0002", "item_id": "hers", "event": "view",
        "timestamp": EVENTS["timestamp"].iloc[[3, 70, 90]],
    })  # fmt: skip
    events = pd.concat([EVENTS, alone]).sort_values("timestamp")
    model = rp.Popularity(half_life="3d").fit(rp.Dataset.from_frames(events))
    model.forget(["u-0002"])
    assert model.stale_ is None
    assert model.popularity_[model.items_.index("hers")] == 0


def test_what_the_past_does_not_hold_is_stale():
    many = pd.DataFrame({
        "user_id": "u-0002", "item_id": "tea", "event": "view",
        "timestamp": pd.date_range("2023-01-01", periods=300, freq="h"),
    })  # fmt: skip
    own_weight = EVENTS.assign(weight=np.where(EVENTS["user_id"] == "u-0002", 2.5, 1.0))
    for events in (pd.concat([EVENTS, many]), own_weight):
        model = rp.Popularity(half_life="3d").fit(events)
        model.forget(["u-0005"])
        assert model.stale_ is None
        before = model.popularity_.copy()
        model.forget(["u-0002"])
        assert model.stale_.parts == ("popularity_",)
        assert (model.popularity_ == before).all()  # rather than half of it gone


def test_weights_of_their_own_are_no_harm_where_nothing_fades():
    own = EVENTS.assign(weight=np.where(EVENTS["user_id"] == "u-0002", 2.5, 1.0))
    model = rp.Popularity().fit(own)
    model.forget(["u-0002"])
    never = rp.Popularity().fit(own[own["user_id"] != "u-0002"])
    assert model.stale_ is None
    assert by_item(model, model.popularity_) == by_item(never, never.popularity_)


@pytest.mark.parametrize("split", [1.0, 0.5])
def test_segments_count_what_the_others_chose(split):
    customers = small_shop().user_features.to_frame().assign(user_id=small_shop().users.ids)
    by = ["age_band", "device"]

    def counted(model):
        found = {}
        names = list(model.attributes_.values())
        for row, key in enumerate(model.counts_.keys_.tolist()):
            said = tuple(
                names[place].values_.ids[code] if code >= 0 else None
                for place, code in enumerate(key)
            )
            for item, count in zip(*model.counts_.entries(row), strict=True):
                pair = said, model.items_.ids[item]
                found[pair] = found.get(pair, 0.0) + float(count)
        return {pair: count for pair, count in found.items() if count}

    told, never = with_and_without(lambda: rp.SegmentPopularity(by=by), split, users=customers)
    assert counted(told) == counted(never)
    assert len(counted(never)) > 100
    assert by_item(told, told.popularity_) == by_item(never, never.popularity_)
    assert "counts_" not in told.stale_.parts
    assert "strengths_" in told.stale_.parts


@pytest.mark.parametrize("split", [1.0, 0.5])
def test_trends_are_of_the_log_of_the_others(split):
    def alike(model):
        return fitted(model, EVENTS.assign(event="view"), split)

    told = alike(rp.Trending(window="3d"))
    told.forget(GONE)
    others = EVENTS[~EVENTS["user_id"].isin(GONE)].assign(event="view")
    never = fitted(rp.Trending(window="3d"), others, split)
    assert told.stale_ is None
    assert told.log_times_.tobytes() == never.log_times_.tobytes()
    assert told.log_weights_.tobytes() == never.log_weights_.tobytes()
    assert not set(told.users_.indices(GONE)) & set(told.log_users_[told.log_users_ >= 0])
    ours, theirs = told.score_items(rp.Query()), never.score_items(rp.Query())
    pairs = zip(never.items_.ids.tolist(), theirs.tolist(), strict=True)
    for item, score in pairs:
        assert ours[told.items_.index(item)] == np.float32(score)


def test_what_an_event_weighs_is_stale_where_they_differ():
    told, _ = with_and_without(rp.Trending)
    assert told.stale_.parts == ("unit_",)


@pytest.mark.parametrize("split", [1.0, 0.5])
def test_visits_and_what_comes_back_in_them_are_those_of_the_others(split):
    told, never = with_and_without(rp.SessionKNN, split)
    ours, theirs = told.index_, never.index_
    assert told.stale_ is None
    assert len(ours) == len(theirs)
    assert (ours.back_ == theirs.back_).all()
    assert (ours.there_ == theirs.there_).all()
    assert by_item(told, ours.item_visits_) == by_item(never, theirs.item_visits_)


def test_of_visits_that_were_cut_it_is_not_known_what_came_back():
    told, _ = with_and_without(lambda: rp.SessionKNN(max_clicks=2))
    assert told.stale_.parts == ("index_",)
    assert (told.index_.back_ >= 0).all()
    assert (told.index_.back_ <= told.index_.there_).all()


def rules(model):
    ids, found = model.items_.ids, {}
    for item, (start, size) in enumerate(zip(model.starts_, model.sizes_, strict=True)):
        for place in range(start, start + size):
            found[ids[item], ids[model.others_[place]]] = float(model.weights_[place])
    return found


@pytest.mark.parametrize("split", [1.0, 0.5])
@pytest.mark.parametrize("kind", [rp.SequentialRules, rp.Markov])
def test_rules_of_visits_are_those_of_the_others(kind, split):
    told, never = with_and_without(kind, split)
    ours, theirs = rules(told), rules(never)
    assert told.stale_ is None
    assert ours.keys() == theirs.keys()
    near = 0 if kind is rp.Markov else 1e-5  # ones are counted, fractions add up
    np.testing.assert_allclose([ours[pair] for pair in theirs], [*theirs.values()], rtol=near)
    totals = by_item(told, told.totals_), by_item(never, never.totals_)
    assert totals[0].keys() == totals[1].keys()


def test_rules_stay_where_it_is_not_known_what_a_visit_was():
    told = fitted(rp.Markov(), EVENTS.assign(session_id=np.arange(len(EVENTS)) // 3))
    before = rules(told)
    told.forget(GONE)
    assert set(told.stale_.parts) == {"others_", "weights_", "totals_"}
    assert rules(told) == before
    late = fitted(rp.Markov(), EVENTS, 0.5).partial_fit(EVENTS.iloc[[100]])
    late.forget(GONE)
    assert "others_" in late.stale_.parts
    thin, _ = with_and_without(lambda: rp.SequentialRules(max_rules=2))
    assert "others_" in thin.stale_.parts


@pytest.mark.parametrize("split", [1.0, 0.5])
def test_new_items_have_the_events_of_the_others(split):
    told, never = with_and_without(lambda: rp.Explore(model=rp.Popularity()), split)
    assert by_item(told, told.n_events_) == by_item(never, never.n_events_)


def test_neighbours_compared_without_rarity_are_those_of_the_others():
    told, never = with_and_without(lambda: rp.UserKNN(weighting="none"))
    assert told.stale_ is None
    for user in never.users_.ids[:5]:
        theirs = never.recommend(user, 5)
        assert told.recommend(user, 5).item_ids == theirs.item_ids
    assert "rarity_" in with_and_without(rp.UserKNN)[0].stale_.parts


def test_new_items_of_a_mapper_have_the_events_of_the_others():
    told, never = with_and_without(lambda: rp.ColdStartMapper(model=rp.ALS(factors=4)), 0.5)
    assert by_item(told, told.item_counts_) == by_item(never, never.item_counts_)
    assert "item_counts_" not in told.stale_.parts
    assert "model_.item_factors_" in told.stale_.parts


def test_a_part_of_a_part_says_what_is_stale():
    home = rp.Pipeline(candidates=[rp.Fallback(models=[rp.EASE(), rp.Popularity()])]).fit(EVENTS)
    home.forget(GONE)
    assert home.stale_.parts == ("fallback.ease.item_weights_",)
