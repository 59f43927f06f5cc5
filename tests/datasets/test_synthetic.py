"""The synthetic shop keeps its promises: sizes, order in time, and a right answer worth having."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from recopersona.data.dataset import Dataset
from recopersona.data.event import EVENT_TYPES
from recopersona.datasets.synthetic import SyntheticShop, synthetic_shop
from recopersona.errors import DataError, ParameterError

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def shop():
    return synthetic_shop(400, 120, random_state=3)


def times_of(shop, kind):
    """When each (user, item) pair first had an event of a kind."""
    events = shop.events[shop.events["event"] == kind]
    return events.groupby(["user_id", "item_id"])["timestamp"].min()


def test_the_same_seed_gives_the_same_shop(shop):
    again = synthetic_shop(400, 120, random_state=3)
    for name in ("events", "catalogue", "customers"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(shop, name))
    assert again.affinity.tobytes() == shop.affinity.tobytes()
    for part in fields(shop.log):
        np.testing.assert_array_equal(getattr(again.log, part.name), getattr(shop.log, part.name))


def test_another_seed_gives_another_shop(shop):
    other = synthetic_shop(400, 120, random_state=4)
    assert not np.array_equal(other.affinity, shop.affinity)
    assert not other.events["timestamp"].equals(shop.events["timestamp"])


def test_a_generator_is_a_seed_too(shop):
    again = synthetic_shop(400, 120, random_state=np.random.default_rng(3))
    pd.testing.assert_frame_equal(again.events, shop.events)


def test_sizes_are_as_asked(shop):
    assert shop.shape == shop.affinity.shape == (400, 120)
    assert len(shop.customers) == 400
    assert len(shop.catalogue) == 120
    assert shop.affinity.dtype == np.float32
    assert isinstance(shop, Dataset)
    assert repr(shop).startswith("SyntheticShop(")


def test_ids_name_the_rows_of_the_affinity(shop):
    assert shop.users.ids.tolist() == shop.customers["user_id"].tolist()
    assert shop.items.ids.tolist() == shop.catalogue["item_id"].tolist()
    assert shop.users.ids[0] == "u-0001"
    assert shop.items.ids[0] == "sku-001"


def test_ids_grow_wider_than_their_usual_width():
    assert synthetic_shop(3, 1200, days=2).items.ids[[0, -1]].tolist() == ["sku-0001", "sku-1200"]


def test_every_user_has_events_and_some_have_very_few():
    per_user = synthetic_shop().events.groupby("user_id").size()
    assert len(per_user) == 2000
    assert 50 <= per_user.mean() <= 110
    assert 50 <= (per_user <= 3).sum() <= 300


def test_affinity_is_a_chance(shop):
    np.testing.assert_allclose(shop.affinity.sum(axis=1), 1, rtol=1e-5)
    assert (shop.affinity > 0).all()


def test_events_are_weighted_and_all_of_them_are_read(shop):
    assert len(shop.log) == len(shop.events)
    weights = dict(zip(EVENT_TYPES, shop.event_weights.tolist(), strict=True))
    assert (weights["view"], weights["cart"], weights["purchase"]) == (1, 4, 10)
    assert shop.counts == {}


def test_event_ids_are_distinct_and_events_are_in_order_of_time(shop):
    assert shop.events["event_id"].is_unique
    assert shop.events["timestamp"].is_monotonic_increasing


def test_the_log_spans_its_days_and_ends_on_a_fixed_date():
    timestamps = synthetic_shop(400, 50, days=30).events["timestamp"]
    assert str(timestamps.dt.tz) == "UTC"
    assert timestamps.min() >= pd.Timestamp("2026-06-01", tz="UTC")
    assert timestamps.max() < pd.Timestamp("2026-07-01", tz="UTC")
    assert timestamps.dt.date.nunique() == 30


def test_evenings_are_busier_than_nights(shop):
    hours = shop.events["timestamp"].dt.hour.value_counts()
    assert hours[20] > 4 * hours[3]


def test_views_come_in_bursts(shop):
    views = shop.events[shop.events["event"] == "view"]
    pauses = views.groupby("user_id")["timestamp"].diff().dropna()
    within_minutes = (pauses < pd.Timedelta("10min")).mean()
    assert 0.6 < within_minutes < 0.9


def test_the_funnel_narrows_step_by_step(shop):
    counts = shop.events["event"].value_counts()
    assert counts["view"] > 2 * counts["cart"] > 2 * counts["purchase"] > 10 * counts["return"] > 0


@pytest.mark.parametrize(
    ("before", "after"), [("view", "cart"), ("cart", "purchase"), ("purchase", "return")]
)
def test_a_step_of_the_funnel_follows_the_one_before(shop, before, after):
    later = times_of(shop, after)
    earlier = times_of(shop, before).reindex(later.index)
    assert len(later)
    assert (earlier < later).all()


def test_nobody_returns_more_than_they_bought(shop):
    pieces = shop.events.pivot_table(
        index=["user_id", "item_id"], columns="event", values="quantity", aggfunc="sum"
    ).dropna(subset="return")
    assert (pieces["return"] <= pieces["purchase"]).all()
    assert len(shop.interactions) < len(shop.log)


def test_some_items_are_launched_midway_and_none_sells_before_its_launch(shop):
    launch = shop.catalogue.set_index("item_id")["created_at"]
    assert (launch > shop.events["timestamp"].min()).sum() == 10
    assert (shop.events["timestamp"] >= shop.events["item_id"].map(launch)).all()
    new = launch.index[launch > shop.events["timestamp"].min()]
    assert shop.events["item_id"].isin(new).any()


def test_the_catalogue_is_plausible(shop):
    goods = shop.catalogue
    assert goods["name"].is_unique
    assert goods["name"].str.fullmatch(r"[a-z ]+ \d+").all()
    assert (goods["price"] > 0).all()
    assert ((goods["margin"] > 0) & (goods["margin"] < goods["price"])).all()
    assert (goods["stock"] == 0).sum() == 7
    prices = shop.events["item_id"].map(goods.set_index("item_id")["price"])
    assert (shop.events["price"] == prices).all()


def test_a_few_items_are_looked_at_much_more_than_most(shop):
    looks = shop.events["item_id"].value_counts().to_numpy()
    assert looks[:12].sum() > 0.25 * looks.sum()


def test_views_fall_as_the_affinity_says(shop):
    views = shop.events[shop.events["event"] == "view"]
    user = shop.users.indices(views["user_id"])
    launch = shop.catalogue["created_at"]
    old = (launch < shop.events["timestamp"].min()).to_numpy()
    item = shop.items.indices(views["item_id"])
    among_old = shop.affinity * old / (shop.affinity * old).sum(axis=1, keepdims=True)
    expected = among_old[user[old[item]]].sum(axis=0)[old]
    seen = np.bincount(item[old[item]], minlength=len(old))[old]
    assert np.corrcoef(expected, seen)[0, 1] > 0.98


def test_taste_tells_the_coming_weeks_better_than_popularity(shop):
    now = shop.end - 21 * DAY_MS
    train, test = (
        shop.take(rows) for rows in (shop.log.timestamp <= now, shop.log.timestamp > now)
    )
    before, after = (part.matrix().toarray() > 0 for part in (train, test))
    fresh = after & ~before

    def hits(scores):
        best = np.argsort(np.where(before, -np.inf, scores), axis=1)[:, -5:]
        return np.take_along_axis(fresh, best, axis=1).sum()

    popularity = np.tile(before.sum(axis=0), (len(before), 1))
    users, strengths, items = np.linalg.svd(before - before.mean(axis=0), full_matrices=False)
    learned = (users[:, :12] * strengths[:12]) @ items[:12] + before.mean(axis=0)
    assert hits(popularity) > 1.5 * hits(np.random.default_rng(0).random(before.shape))
    assert hits(learned) > 1.5 * hits(popularity)
    assert hits(shop.affinity) > hits(learned)


def test_the_right_answer_holds_the_most_liked_items_without_events(shop):
    for user_id in ("u-0001", "u-0200"):
        answer = shop.right_answer(user_id, n=7)
        seen = set(shop.events.loc[shop.events["user_id"] == user_id, "item_id"])
        liked = pd.Series(shop.affinity[shop.users.index(user_id)], shop.items.ids)
        assert answer == liked.drop(list(seen)).nlargest(7).index.tolist()


def test_the_right_answer_is_shorter_where_little_is_unseen(shop):
    seen = shop.events.loc[shop.events["user_id"] == "u-0001", "item_id"].nunique()
    assert len(shop.right_answer("u-0001", n=1000)) == 120 - seen


def test_the_right_answer_names_what_is_wrong_with_the_question(shop):
    with pytest.raises(DataError, match=r"no user 'anna' in this shop; .* such as 'u-0001'"):
        shop.right_answer("anna")
    with pytest.raises(ParameterError, match="n must be a whole number of at least 1, got 0"):
        shop.right_answer("u-0001", n=0)


def test_a_part_of_the_shop_is_a_shop_with_a_smaller_log(shop):
    early = shop.take(shop.log.timestamp < shop.end - 60 * DAY_MS)
    assert isinstance(early, SyntheticShop)
    assert 0 < len(early.log) < len(shop.log)
    assert early.events is shop.events
    user_id = shop.events["user_id"].iloc[-1]
    met_later = set(shop.items.ids[shop.history().seen(shop.users.index(user_id))]) - set(
        early.items.ids[early.history().seen(early.users.index(user_id))]
    )
    assert met_later
    assert met_later <= set(early.right_answer(user_id, n=120))


def test_a_raw_log_holds_exactly_the_planted_faults(shop):
    messy, planted = shop.raw_log(random_state=1)
    assert list(messy.columns) == list(shop.events.columns)
    assert len(messy) == len(shop.events) + planted["duplicate"]
    assert planted == {
        "duplicate": messy.duplicated().sum(),
        "missing_user_id": messy["user_id"].isna().sum(),
        "future_timestamp": (messy["timestamp"] > pd.Timestamp("2070-01-01", tz="UTC")).sum(),
        "unknown_event": (~messy["event"].isin(EVENT_TYPES)).sum(),
        "negative_quantity": (messy["quantity"] < 0).sum(),
    }
    assert min(planted.values()) > 0
    assert planted["negative_quantity"] == (shop.events["event"] == "return").sum()


def test_every_fault_of_a_raw_log_has_rows_of_its_own(shop):
    messy, planted = shop.raw_log()
    clean = shop.events[shop.events["event"] != "return"]
    untouched = messy.drop_duplicates().merge(clean, how="inner")
    faulty = ("missing_user_id", "future_timestamp", "unknown_event")
    assert len(untouched) == len(clean) - sum(planted[fault] for fault in faulty)


def test_a_raw_log_leaves_the_shop_as_it_was_and_repeats_itself(shop):
    before = shop.events.copy()
    first, planted = shop.raw_log(random_state=5)
    pd.testing.assert_frame_equal(shop.events, before)
    again, planted_again = shop.raw_log(random_state=5)
    pd.testing.assert_frame_equal(first, again)
    assert planted == planted_again
    assert not first.equals(shop.raw_log(random_state=6)[0])


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 3, 1), (1, 30, 400)])
def test_the_smallest_shops_open_too(size):
    tiny = synthetic_shop(*size)
    assert tiny.shape == size[:2]
    assert len(tiny.log) >= size[0]
    messy, planted = tiny.raw_log()
    assert len(messy) == len(tiny.events) + planted["duplicate"]


@pytest.mark.parametrize(
    ("parameters", "name"),
    [({"n_users": 0}, "n_users"), ({"n_items": -1}, "n_items"), ({"days": 1.5}, "days")],
)
def test_a_size_below_one_is_refused_by_name(parameters, name):
    (value,) = parameters.values()
    with pytest.raises(
        ParameterError, match=f"{name} must be a whole number of at least 1, got {value}"
    ):
        synthetic_shop(**parameters)


def test_what_rules_speak_of_is_in_the_shop_and_some_of_it_unknown():
    shop = synthetic_shop()
    goods, people = shop.catalogue, shop.customers
    assert goods["discount"].between(0, 1).all()
    assert 0.1 < (goods["discount"] > 0).mean() < 0.3
    assert 0.02 < goods["sponsored"].mean() < 0.1
    assert 0.02 < goods["adult"].mean() < 0.1
    assert 0.01 < goods["adult"].isna().mean() < 0.1
    assert (people["price_lo"].dropna() < people["price_hi"].dropna()).all()
    assert people["price_lo"].isna().equals(people["price_hi"].isna())
    assert 0.1 < people["price_hi"].isna().mean() < 0.5
    assert 0.05 < people["refused_brands"].str.len().gt(0).mean() < 0.15
    assert set(people["refused_brands"].explode().dropna()) <= set(goods["brand"])
    kinds = [shop.item_features.column(name).kind for name in ("discount", "sponsored", "adult")]
    assert kinds == ["number", "flag", "flag"]
    assert shop.user_features.column("refused_brands").kind == "set"


def test_an_age_lies_in_its_band():
    people = synthetic_shop().customers.dropna(subset="age")
    first = people["age_band"].str[:2].astype(float)
    last = people["age_band"].str[3:].replace("", "120").astype(float)
    assert people["age"].between(first, last).all()
    assert 1_500 < len(people) < 1_900
