"""Features are what was known just before each row, however they are asked for."""

import copy
import json
import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import recopersona as rp
from recopersona.errors import ColumnError, DataError, NotFittedError, ParameterError
from recopersona.features.feature import ratio
from recopersona.testing import check_leak_free

ITEMS = pd.DataFrame({
    "item_id": [f"i{n}" for n in range(12)],
    "category": ["tea", "tea", "salt", None] * 3,
    "brand": ["ito", "mar", "mar", "mar"] * 3,
    "price": [3.0, 9.0, np.nan, 40.0] * 3,
    "created_at": pd.to_datetime(["2025-12-01"] * 12),
})  # fmt: skip


def shop_log(n=300, seed=0, ties=True):
    rng = np.random.default_rng(seed)
    step = rng.choice([0, 1, 60, 2_000, 90_000] if ties else [1, 60, 2_000, 90_000], n)
    start = pd.Timestamp("2026-01-01", tz="UTC")
    return pd.DataFrame({
        "user_id": rng.choice(["anna", "ben", "cleo", "dora"], n),
        "item_id": rng.choice(ITEMS["item_id"], n),
        "event": rng.choice(
            ["view", "view", "impression", "click", "cart", "remove", "purchase", "return"], n
        ),
        "timestamp": start + pd.to_timedelta(np.cumsum(step), unit="s"),
        "price": rng.choice([np.nan, 3.0, 9.5, 40.0], n),
        "quantity": rng.choice([1.0, 2.0, np.nan], n),
        "order_id": rng.choice(["o1", "o2", None], n),
        "payment_method": rng.choice(["card", "bill", None], n),
        "category": rng.choice(["tea", "salt", None], n),
        "device": rng.choice(["mobile", "desktop"], n),
        "dwell_ms": rng.choice([np.nan, 4_000, 20_000], n),
        "scroll_pct": rng.choice([np.nan, 10, 90], n),
        "temperature": rng.normal(size=n),
    })  # fmt: skip


def everything():
    return rp.Features([
        rp.Affinity(), rp.Affinity(of="category"), rp.Affinity(of="brand", half_life="2d"),
        rp.Affinity(of="price_band"), rp.PriceFit(), rp.PaymentPreference(methods=["card"]),
        rp.Engagement(), rp.Engagement(of="category"), rp.RFM(), rp.OrderValue(),
        rp.CartAbandonment(), rp.Repurchase(), rp.SessionSignals(), rp.ItemPopularity(),
        rp.Conversion(), rp.Conversion(of="user", before="impression", after="click"),
        rp.ItemAge(),
        rp.Context(numbers=["temperature"], categories={"device": ["mobile", "desktop"]},
                   time_zone="Europe/Berlin"),
    ])  # fmt: skip


def as_events(frame):
    fields = [name for name in rp.Event._fields if name in frame.columns]
    for row in frame[fields].itertuples(index=False):
        said = {name: None if pd.isna(value) else value for name, value in row._asdict().items()}
        yield rp.Event(**said)


# -- nothing sees the future -----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_what_is_said_of_a_row_does_not_depend_on_what_came_after(seed):
    check_leak_free(everything(), shop_log(seed=seed), items=ITEMS, random_state=seed)


def test_categories_that_events_name_are_known_from_then_on():
    check_leak_free(rp.Features([rp.Affinity(of="category"), rp.PriceFit()]), shop_log(seed=9))


def named_log(seed):
    """Few items, many ties, and categories that only some events name."""
    rng = np.random.default_rng(seed)
    log = shop_log(60, seed=seed).assign(
        item_id=rng.choice(["a", "b", "c", "d"], 60),
        category=rng.choice(["tea", "salt", None], 60, p=[0.2, 0.2, 0.6]),
    )
    step = pd.to_timedelta(np.cumsum(rng.choice([0, 0, 1, 600, 90_000], 60)), unit="s")
    return log.assign(timestamp=pd.Timestamp("2026-01-01", tz="UTC") + step)


def by_category():
    return rp.Features([
        rp.Affinity(of="category"), rp.PriceFit(), rp.Engagement(of="category"),
        rp.SessionSignals(), rp.Conversion(of="category"),
    ])  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_no_order_of_ties_tells_a_category_before_it_was_named(seed):
    log = named_log(seed)
    check_leak_free(by_category(), log, cuts=20)
    check_leak_free(by_category(), log, rows=log[["item_id", "timestamp"]], cuts=20)
    check_leak_free(by_category(), log, rows=log[["user_id", "timestamp"]], cuts=20)


@pytest.mark.parametrize("seed", [21, 25, 34])
def test_at_one_moment_a_category_is_known_from_who_named_it_on(seed):
    log = named_log(seed)
    stream = by_category().fit(log[:0])
    for event in as_events(log):
        stream.update(event)
    pd.testing.assert_frame_equal(stream.transform(log), by_category().fit_transform(log))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("one_by_one", [False, True])
def test_late_events_name_categories_at_a_refresh(seed, one_by_one):
    log = named_log(seed).drop_duplicates("timestamp")
    shuffled = log.sample(frac=1, random_state=seed)
    stream = by_category().fit(shuffled[:10])
    for event in as_events(shuffled[10:]) if one_by_one else [shuffled[10:]]:
        stream.update(event)
    pd.testing.assert_frame_equal(stream.refresh().transform(log), by_category().fit_transform(log))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_who_is_forgotten_named_no_category(seed):
    log = named_log(seed)
    kept = log[log["user_id"] != "ben"]
    pd.testing.assert_frame_equal(
        by_category().fit(log).forget(["ben"]).transform(kept), by_category().fit_transform(kept)
    )


class CountOverAllTime(rp.Feature):
    """What everybody writes first: the events of an item, in the whole log."""

    def columns(self):
        return {"events_of_all_time": "events of the item, ever"}

    def tallies(self):
        return {"item": rp.Tally("item")}

    def learn(self, events):
        self.count_ = float(len(events))

    def compute(self, seen):
        return [seen["item"] / self.count_]


def test_a_feature_that_sees_the_future_is_caught():
    with pytest.raises(
        AssertionError, match=r"^events_of_all_time see the future: .* from the log"
    ):
        check_leak_free(rp.Features([rp.RFM(), CountOverAllTime()]), shop_log())


def test_a_row_sees_nothing_that_happened_at_its_own_moment():
    times = pd.to_datetime(["2026-01-01", "2026-01-01", "2026-01-02"])
    log = pd.DataFrame({"user_id": "anna", "item_id": "tea", "timestamp": times})
    table = rp.Features([rp.RFM()]).fit_transform(log)
    assert table["visits"].tolist() == [0, 0, 1]


# -- one answer, however it is asked for --------------------------------------------------------


def test_one_event_at_a_time_ends_where_a_fit_ends():
    log = shop_log(ties=False)
    whole = everything().fit(log, items=ITEMS)
    stream = everything().fit(log[:100], items=ITEMS)
    for event in as_events(log[100:]):
        stream.update(event)
    used = int(whole.state_["used"][1])
    np.testing.assert_array_equal(whole.state_["used"], stream.state_["used"])
    np.testing.assert_array_equal(whole.state_["values"][:used], stream.state_["values"][:used])
    pd.testing.assert_frame_equal(whole.transform(log), stream.transform(log))
    assert stream.late_ == 0


def test_a_request_is_told_what_training_was_told():
    log = shop_log(ties=False)
    table = everything().fit_transform(log, items=ITEMS)
    stream = everything().fit(log[:100], items=ITEMS)
    for row in range(100, len(log)):
        asked = log.iloc[row]
        query = rp.Query(
            asked["user_id"],
            now=asked["timestamp"],
            context={name: asked[name] for name in ("temperature", "device", "payment_method")},
        )
        told = stream.for_query(query, [asked["item_id"], "i0"])
        expected = table.iloc[row].copy()
        price_known = pd.notna(asked["price"])
        columns = [not (price_known and "price" in name) for name in table.columns]
        np.testing.assert_array_equal(told[0][columns], expected.to_numpy()[columns])
        stream.update(next(as_events(log[row : row + 1])))


def test_frames_and_records_teach_the_same():
    log = shop_log()
    by_frame = everything().fit(log[:100], items=ITEMS).update(log[100:])
    by_records = everything().fit(log[:100], items=ITEMS).update(as_events(log[100:]))
    pd.testing.assert_frame_equal(by_frame.transform(log), by_records.transform(log))


def test_rows_may_come_in_any_order():
    log = shop_log()
    features = everything().fit(log, items=ITEMS)
    shuffled = log.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        features.transform(shuffled), features.transform(log).loc[shuffled.index]
    )


def test_the_order_of_the_log_does_not_matter_but_for_ties():
    log = shop_log(ties=False)
    features = everything().fit(log.sample(frac=1, random_state=2), items=ITEMS)
    pd.testing.assert_frame_equal(
        features.transform(log), everything().fit(log, items=ITEMS).transform(log)
    )


def test_rows_without_a_time_are_asked_after_all_that_is_known():
    log = shop_log()
    features = everything().fit(log, items=ITEMS)
    rows = log[["user_id", "item_id", "temperature", "device"]].head(20)
    end = log["timestamp"].max()
    later = features.transform(rows.assign(timestamp=end + pd.Timedelta("1ms")))
    now = features.transform(rows)
    recency = ["recency", "tenure", "session_minutes", "idle_minutes"]
    np.testing.assert_allclose(now[recency], later[recency], atol=1e-4)


def test_rows_may_be_asked_as_of_one_moment():
    log = shop_log()
    features = everything().fit(log, items=ITEMS)
    rows = log[["user_id", "item_id", "temperature", "device"]].head(20)
    moment = log["timestamp"][150]
    pd.testing.assert_frame_equal(
        features.transform(rows, as_of=moment), features.transform(rows.assign(timestamp=moment))
    )
    known = everything().fit(log[log["timestamp"] < moment], items=ITEMS)
    pd.testing.assert_frame_equal(
        features.transform(rows, as_of=moment), known.transform(rows, as_of=moment)
    )


def test_the_state_takes_what_the_formula_says():
    log = shop_log(3_000)
    log["timestamp"] = pd.date_range("2026-01-01", periods=3_000, freq="h")
    log["user_id"] = [f"u{n % 500}" for n in range(3_000)]
    features = rp.Features([rp.Affinity(), rp.RFM()]).fit(log)
    n_keys, n_numbers = features.state_["used"].tolist()
    pairs, users, items = 3_000, 500, 12  # at most; pages: affinity, RFM, and the four fixed tables
    assert n_keys <= 2 * pairs + 3 * users + items
    assert n_numbers <= pairs * (2 + 3) + users * (1 + 5 + 20 + 3) + items * 2
    room = 1 << 16  # what one step may add is reserved
    assert features.state_["index"].nbytes <= 16 * 4 * (n_keys + room * 7)
    assert len(features.log_.columns_["times"]) == 3_000


def test_late_events_are_counted_and_find_their_place_at_a_refresh():
    log = shop_log(ties=False)
    late = log.index.isin([120, 150, 290])
    stream = everything().fit(log[~late], items=ITEMS).update(log[late])
    whole = everything().fit(log, items=ITEMS)
    assert stream.late_ == 3
    stream.refresh()
    np.testing.assert_array_equal(
        whole.for_query("anna", ITEMS["item_id"]), stream.for_query("anna", ITEMS["item_id"])
    )
    pd.testing.assert_frame_equal(stream.transform(log), whole.transform(log))


def test_who_is_forgotten_was_never_there():
    log = shop_log(ties=False)
    features = everything().fit(log, items=ITEMS).forget(["ben"])
    without = everything().fit(log[log["user_id"] != "ben"], items=ITEMS)
    asked = log[log["user_id"] != "ben"]
    pd.testing.assert_frame_equal(features.transform(asked), without.transform(asked))
    assert "ben" not in features.codes_.users_
    stranger = features.for_query("ben", ["i0"])
    np.testing.assert_array_equal(stranger, features.for_query("nobody", ["i0"]))


@pytest.mark.parametrize("mmap", [False, True])
def test_features_are_kept_in_a_file_and_learn_on(tmp_path, mmap):
    log = shop_log(ties=False)
    features = everything().set_params(scaler=StandardScaler()).fit(log[:250], items=ITEMS)
    rp.save(features, tmp_path / "features.rp")
    loaded = rp.load(tmp_path / "features.rp", mmap=mmap)
    for one in (features, loaded):
        one.update(log[250:])
        one.update(rp.Event("anna", "i3", "view", log["timestamp"].max()))
    pd.testing.assert_frame_equal(features.transform(log), loaded.transform(log))
    np.testing.assert_array_equal(
        features.for_query("anna", ["i1", "i2"]), loaded.for_query("anna", ["i1", "i2"])
    )


# -- what the columns say ------------------------------------------------------------------------


def test_a_purchase_every_ten_days_is_due_after_ten_days():
    days = pd.to_datetime(["2026-01-01", "2026-01-11", "2026-01-21"])
    log = pd.DataFrame(
        {"user_id": "anna", "item_id": "tea", "event": "purchase", "timestamp": days}
    )
    features = rp.Features([rp.Repurchase()]).fit(log)
    rows = pd.DataFrame({"user_id": ["anna"] * 2, "item_id": ["tea"] * 2,
                         "timestamp": pd.to_datetime(["2026-01-26", "2026-01-31"])})  # fmt: skip
    told = features.transform(rows)
    assert told["repurchase_interval"].tolist() == [10, 10]
    assert told["repurchase_due"].tolist() == [0.5, 1.0]


def test_what_an_order_is_worth_and_what_was_sent_back():
    log = pd.DataFrame({
        "user_id": "anna", "item_id": ["tea", "salt", "tea", "salt"],
        "event": ["purchase", "purchase", "purchase", "return"],
        "order_id": ["o1", "o1", "o2", "o1"], "price": [4.0, 6.0, 8.0, 6.0],
        "timestamp": pd.to_datetime(["2026-01-01", "2026-01-01", "2026-01-02", "2026-01-03"]),
    })  # fmt: skip
    features = rp.Features([rp.RFM(), rp.OrderValue(half_life=None)]).fit(log)
    told = features.transform(pd.DataFrame({"user_id": ["anna"]}))
    assert told.loc[0, ["frequency", "monetary", "order_value"]].tolist() == [2, 12, 6]


def test_the_cart_is_followed():
    log = pd.DataFrame({
        "user_id": "anna", "item_id": ["tea", "salt", "rice", "tea"],
        "event": ["cart", "cart", "cart", "purchase"],
        "timestamp": pd.date_range("2026-01-01", periods=4, freq="min"),
    })  # fmt: skip
    features = rp.Features([rp.CartAbandonment(prior=0, half_life="1000y")]).fit(log)
    told = features.for_query("anna", ["tea", "salt", "honey"])
    assert told[:, 1].tolist() == [0, 1, 0]
    assert told[0, 0] == pytest.approx(2 / 3)


def test_the_way_of_paying_is_known_by_its_share():
    log = pd.DataFrame({
        "user_id": "anna", "item_id": "tea", "event": "purchase",
        "payment_method": ["card", "card", "bill", None],
        "timestamp": pd.date_range("2026-01-01", periods=4, freq="h"),
    })  # fmt: skip
    features = rp.Features([rp.PaymentPreference(methods=["card", "cash"])]).fit(log)
    told = features.for_query(rp.Query("anna", context={"payment_method": "bill"}), ["tea"])
    assert told[0].tolist() == pytest.approx([0.25, 0.5, 0], abs=0.01)
    assert features.for_query("anna", ["tea"])[0, 0] == 0


def test_hours_and_days_go_round():
    rows = pd.DataFrame({"user_id": "x", "item_id": "y", "timestamp": pd.to_datetime(
        ["2026-07-06 04:00", "2026-07-05 22:00", "2026-07-12 22:00"])})  # fmt: skip
    told = rp.Features([rp.Context(time_zone="Europe/Berlin")]).fit_transform(rows)
    assert told["hour_sin"].tolist() == pytest.approx([1, 0, 0], abs=1e-6)
    assert told["weekday_cos"].tolist() == pytest.approx([np.cos(2 * np.pi / 28), 1, 1], abs=1e-6)


def test_a_request_brings_the_visit_of_a_stranger():
    features = rp.Features([rp.SessionSignals()]).fit(shop_log(), items=ITEMS)
    told = features.for_query(rp.Query(session=["i0", "i4", "i2"]), ["i0", "i1", "i2"])
    names = features.get_feature_names_out().tolist()
    assert told[:, names.index("session_events")].tolist() == [3, 3, 3]
    assert told[:, names.index("session_item")].tolist() == [1, 0, 1]
    assert told[:, names.index("session_category")].tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    assert told[:, names.index("session_categories")].tolist() == [2, 2, 2]


def test_rows_may_name_users_alone():
    features = rp.Features().fit(shop_log(), items=ITEMS)
    told = features.transform(pd.DataFrame({"user_id": ["anna", "nobody", None]}))
    assert told["tenure"].notna().tolist() == [True, False, False]
    assert told["popularity"].tolist() == [0, 0, 0]


def test_the_default_is_what_the_log_can_tell():
    plain = shop_log()[["user_id", "item_id", "event", "timestamp"]]
    few = rp.Features().fit(plain)
    many = rp.Features().fit(shop_log(), items=ITEMS)
    assert "affinity_category" not in few.get_feature_names_out()
    assert {"affinity_brand", "price_vs_user", "dwell_item"} <= set(many.get_feature_names_out())
    assert len(few.get_feature_names_out()) >= 20


def test_attributes_change_from_now_on():
    features = rp.Features([rp.Affinity(of="category")]).fit(shop_log(), items=ITEMS)
    before = features.for_query("anna", ["i3"])
    features.update_items(pd.DataFrame({"item_id": ["i3", "new"], "category": ["tea", "tea"]}))
    assert before[0, 0] == 0 < features.for_query("anna", ["i3"])[0, 0]
    np.testing.assert_array_equal(*features.for_query("anna", ["i3", "new"]))


def test_explain_says_every_column():
    features = everything().fit(shop_log(), items=ITEMS)
    said = features.explain()
    assert said["column"].tolist() == features.get_feature_names_out().tolist()
    assert (said[["formula", "window"]] != "").all(axis=None)
    brand = said.set_index("column").loc["affinity_brand"]
    assert (brand["window"], brand["counts"][:13]) == ("half-life 2d", "(user, brand)")


# -- scikit-learn and frames -----------------------------------------------------------------------


def test_a_classifier_learns_from_them_in_a_pipeline():
    log = shop_log().assign(event="view")
    bought = log["item_id"].isin(["i1", "i2"])
    steps = make_pipeline(
        rp.Features([rp.Affinity(), rp.ItemPopularity()], scaler=StandardScaler()),
        LogisticRegression(),
    )
    assert len(steps.fit(log, bought).predict(log)) == len(log)


def test_a_scaler_is_fitted_on_the_rows_and_names_stay():
    log = shop_log()
    rows = log.sample(50, random_state=0)
    features = rp.Features([rp.ItemPopularity()], scaler=StandardScaler()).fit(log, rows=rows)
    scaled = features.transform(rows)
    assert scaled.mean().tolist() == pytest.approx([0, 0], abs=1e-5)
    assert scaled.columns.tolist() == ["popularity", "velocity"]
    pd.testing.assert_frame_equal(
        rp.Features([rp.ItemPopularity()], scaler=StandardScaler()).fit_transform(log, rows=rows),
        scaled,
    )


def test_answers_are_frames_of_the_callers_kind():
    pl = pytest.importorskip("polars")
    log = shop_log()[["user_id", "item_id", "event", "timestamp"]]
    features = rp.Features().fit(pl.from_pandas(log))
    told = features.transform(pl.from_pandas(log))
    assert isinstance(told, pl.DataFrame)
    np.testing.assert_array_equal(told.to_numpy(), features.transform(log).to_numpy())
    indexed = log.set_index(pd.Index(range(1_000, 1_300)))
    assert features.transform(indexed).index.tolist() == indexed.index.tolist()


def test_what_was_given_is_not_changed():
    log, given = shop_log(), everything()
    before = log.copy()
    fitted = given.fit(log, items=ITEMS)
    fitted.transform(log)
    pd.testing.assert_frame_equal(log, before)
    assert not any(hasattr(part, "columns_") for part in given.features)
    assert clone(given).get_params().keys() == given.get_params().keys()


class Loyalty(rp.Feature):
    def tallies(self):
        return {"here": rp.Tally("user", "brand", kinds=["purchase"]),
                "all": rp.Tally("user", kinds=["purchase"])}  # fmt: skip

    def columns(self):
        return {"loyalty": "purchases of the brand / purchases"}

    def compute(self, seen):
        return [ratio(seen["here"], seen["all"])]


def test_a_feature_of_ones_own_is_a_few_lines():
    log = shop_log()
    features = rp.Features([("mine", Loyalty()), rp.RFM()])
    told = features.fit_transform(log, items=ITEMS)
    assert told["loyalty"].between(0, 1).all()
    assert features.features_.keys() == {"mine", "rfm"}
    check_leak_free(features, log, items=ITEMS)


# -- bad input -------------------------------------------------------------------------------------


def test_errors_say_what_to_type():
    log = shop_log()
    with pytest.raises(DataError, match="features need a 'timestamp' column in the events"):
        rp.Features().fit(log.drop(columns="timestamp"))
    with pytest.raises(ColumnError, match=r"need an item column 'brand'.*fit\(events, items="):
        rp.Features([rp.Affinity(of="brand")]).fit(log)
    with pytest.raises(ColumnError, match=r"'price', .*it is a number"):
        rp.Features([rp.Affinity(of="price")]).fit(log, items=ITEMS)
    with pytest.raises(ColumnError, match="need a column 'payment_method' in the events"):
        rp.Features([rp.PaymentPreference()]).fit(log.drop(columns="payment_method"))
    with pytest.raises(ColumnError, match="Context needs a column 'heat' in the rows"):
        rp.Features([rp.Context(numbers=["heat"])]).fit_transform(log)
    with pytest.raises(ParameterError, match="features must be a list of features"):
        rp.Features([rp.ALS()]).fit(log)
    with pytest.raises(ParameterError, match="both give a column 'recency'"):
        rp.Features([rp.RFM(), rp.RFM()]).fit(log)
    with pytest.raises(ParameterError, match="half_life must be a duration"):
        rp.Features([rp.Affinity(half_life="soon")]).fit(log)
    with pytest.raises(NotFittedError, match=r"call Features\.fit first"):
        rp.Features().transform(log)
    fitted = rp.Features([rp.RFM()]).fit(log)
    with pytest.raises(ColumnError, match="rows need a column 'user_id' or 'item_id'"):
        fitted.transform(pd.DataFrame({"userid": ["anna"]}))
    with pytest.raises(DataError, match="1 of 2 rows have no timestamp"):
        fitted.transform(log[:2].assign(timestamp=[pd.NaT, log["timestamp"][0]]))
    with pytest.raises(DataError, match="need the timestamp of an event"):
        fitted.update(rp.Event("anna", "i0"))
    with pytest.raises(ParameterError, match="unknown fact 'mony'; did you mean 'money'"):
        rp.Tally("user", fact="mony")
    with pytest.raises(ParameterError, match="at most two parts"):
        rp.Tally("user", "item", "category")


def test_a_failed_update_leaves_everything_as_it_was():
    log = shop_log()
    features = rp.Features([rp.RFM()]).fit(log)
    before = features.for_query("anna", ["i0"])
    with pytest.raises(DataError):
        features.update(log.assign(timestamp=pd.NaT))
    with pytest.raises(DataError):
        features.update(rp.Event("anna", "i0", "wink", log["timestamp"].max()))
    np.testing.assert_array_equal(features.for_query("anna", ["i0"]), before)


def test_an_amount_that_is_no_number_is_refused_before_anything_is_learned():
    features = rp.Features([rp.RFM()]).fit(shop_log())
    with pytest.raises(DataError, match="an event's price must be a number, got 'dear'"):
        features.update(rp.Event("zoe", "i0", "view", "2026-06-01", price="dear"))
    assert "zoe" not in features.codes_.users_


def test_threads_may_ask_while_events_come_in():
    features = everything().fit(shop_log(), items=ITEMS)
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            assert features.for_query("anna", ITEMS["item_id"]).shape[0] == 12

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(100):
        features.update(rp.Event(f"u{n}", f"i{n % 40}", "view", 1_780_000_000_000 + n))
    stop.set()
    for thread in threads:
        thread.join()
    assert features.for_query("u99", ["i0"]).shape[0] == 1


def test_copies_go_their_own_way():
    features = rp.Features([rp.Affinity()]).fit(shop_log())
    for twin in (copy.deepcopy(features), pickle.loads(pickle.dumps(features))):  # noqa: S301
        before = features.for_query("anna", ["i0"])
        np.testing.assert_array_equal(twin.for_query("anna", ["i0"]), before)
        twin.update(rp.Event("anna", "i0", "purchase", "2026-06-01"))
        assert twin.for_query("anna", ["i0"])[0, 0] > before[0, 0]
        np.testing.assert_array_equal(features.for_query("anna", ["i0"]), before)


def test_an_empty_log_is_a_beginning():
    features = rp.Features().fit(shop_log()[:0])
    assert features.transform(shop_log(5))["popularity"].tolist() == [0] * 5
    features.update(rp.Event("anna", "i0", "view", "2026-01-01"))
    assert features.for_query("anna", ["i0"])[0, 0] > 0


def test_nothing_is_asked_of_an_empty_request():
    features = rp.Features().fit(shop_log(), items=ITEMS)
    assert features.for_query("anna", []).shape == (0, len(features.get_feature_names_out()))
    assert len(features.transform(shop_log()[:0])) == 0


def test_records_that_can_be_walked_once_are_answered():
    log = shop_log()
    told = rp.Features([rp.RFM()]).fit_transform(event for event in as_events(log))
    np.testing.assert_array_equal(told, rp.Features([rp.RFM()]).fit_transform(log))


class Broken(rp.Feature):
    def columns(self):
        return {"broken": "nothing"}

    def compute(self, seen):
        return []


@pytest.mark.parametrize(
    "features", [rp.Features([Broken()]), rp.Features([rp.Context(numbers=["heat"])])]
)
def test_what_failed_to_learn_has_learned_nothing(features):
    log = shop_log()
    with pytest.raises((DataError, ColumnError)):
        features.fit_transform(log)
    with pytest.raises(NotFittedError):
        features.transform(log)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda f: f.for_query("anna", "i0"), r"for_query needs a list of ids, got 'i0'; write \["),
        (lambda f: f.for_query("anna", None), "for_query needs a list of ids, got None"),
        (lambda f: f.for_query("anna", ITEMS), r"got a frame; pass frame\['item_id'\]"),
        (lambda f: f.forget("ben"), r"forget needs a list of ids, got 'ben'; write \['ben'\]"),
        (lambda f: f.forget(5), r"forget needs a list of ids, got 5"),
    ],
)
def test_one_id_in_place_of_many_is_refused(ask, says):
    with pytest.raises(DataError, match=says):
        ask(rp.Features([rp.RFM()]).fit(shop_log()))


def test_candidates_may_come_in_any_list():
    pl = pytest.importorskip("polars")
    features = rp.Features([rp.Affinity()]).fit(shop_log())
    told = features.for_query("anna", ["i0", "i1"])
    for items in (("i0", "i1"), np.array(["i0", "i1"]), pd.Series(["i0", "i1"]),
                  pl.Series(["i0", "i1"]), (item for item in ("i0", "i1"))):  # fmt: skip
        np.testing.assert_array_equal(features.for_query("anna", items), told)


def test_the_class_of_a_scaler_is_no_scaler():
    with pytest.raises(ParameterError, match=r"a transformer such as StandardScaler\(\)"):
        rp.Features([rp.RFM()], scaler=StandardScaler).fit(shop_log())


TWICE = ["user_id", "item_id", "timestamp", "event", "price", "quantity", "order_id",
         "payment_method", "device", "dwell_ms"]  # fmt: skip


@pytest.mark.parametrize("name", TWICE)
def test_a_column_that_is_there_twice_is_refused(name):
    log = shop_log()
    twice = pd.concat([log, log[[name]]], axis=1)
    says = rf"events have 2 columns named '{name}'; keep one"
    with pytest.raises(ColumnError, match=says):
        everything().fit(twice, items=ITEMS)
    fitted = everything().fit(log, items=ITEMS)
    with pytest.raises(ColumnError, match=says):
        fitted.update(twice)
    if name in ("user_id", "item_id", "timestamp", "price", "payment_method", "device"):
        with pytest.raises(ColumnError, match=rf"rows have 2 columns named '{name}'; keep one"):
            fitted.transform(twice)


@pytest.mark.parametrize("value", [10**400, pd.NA, np.inf, [1], np.arange(3), None, "warm"])
def test_whatever_a_request_says_of_itself_it_is_answered(value):
    features = rp.Features([
        rp.Context(numbers=["heat"], categories={"mood": ["cart"]}, time_zone="Asia/Tokyo")
    ]).fit(shop_log().assign(heat=1.0, mood="cart"))  # fmt: skip
    for now in (None, 2**61, -(2**61), "2106-02-08", "1970-01-01"):
        query = rp.Query("anna", now=now, context={"heat": value, "mood": value})
        told = features.for_query(query, ["i0"])[0]
        assert np.isnan(told[6])
        assert told[7] == 0
        assert np.isfinite(told[:6]).all()


def test_rows_may_say_numbers_of_any_length():
    log = shop_log(20).assign(heat=pd.Series([1, 10**400] * 10, dtype=object))
    told = rp.Features([rp.Context(numbers=["heat"])]).fit_transform(log)
    assert told["heat"].isna().tolist() == [False, True] * 10


@pytest.mark.parametrize("name", ["order_id", "category", "payment_method"])
def test_an_event_that_cannot_be_used_teaches_nothing(name):
    log = shop_log()
    features = rp.Features([rp.PaymentPreference(), rp.Affinity(of="category")]).fit(log)
    with pytest.raises(DataError, match=f"an event's {name} must be a string or an integer"):
        features.update(rp.Event("zoe", "new", "view", "2026-06-01", **{name: ["x"]}))
    with pytest.raises(DataError, match=f"{name} must hold strings or integers"):
        features.update(log.assign(user_id="zoe", item_id="new", **{name: [["x"]] * 300}))
    with pytest.raises(DataError, match="price must be numbers"):
        features.update(log.assign(user_id="zoe", item_id="new", price="dear"))
    assert "zoe" not in features.codes_.users_
    assert "new" not in features.codes_.items_


def test_prices_beyond_all_bounds_are_no_prices():
    log = shop_log()
    for price in (np.inf, -np.inf):
        items = ITEMS.assign(price=price)
        features = everything().fit(log.assign(price=np.nan), items=items)
        told = features.transform(log.assign(price=price))
        assert told["price"].isna().all()
        assert not np.isinf(told.to_numpy()).any()
        pd.testing.assert_frame_equal(told, features.transform(log.assign(price=np.nan)))


class BoughtOf(rp.Feature):
    """How often a user bought of one value of an attribute."""

    part: str = rp.base.parameters.param(default="brand")
    value: str = rp.base.parameters.param(default="ito")

    def tallies(self):
        return {"": rp.Tally("user", kinds=["view"], where=(self.part, self.value))}

    def columns(self):
        return {f"bought_{self.value}": "views"}

    def compute(self, seen):
        return [seen[""]]


@pytest.mark.parametrize("part", ["brand", "category"])
def test_what_no_item_has_is_not_what_is_unknown(part):
    items = pd.DataFrame({"item_id": ["a", "b"], part: ["ito", None]})
    log = pd.DataFrame({
        "user_id": "anna", "item_id": ["a", "b", "b"], "event": "view",
        "timestamp": pd.date_range("2026-01-01", periods=3, tz="UTC"),
    })  # fmt: skip
    features = rp.Features([BoughtOf(part=part, value=v) for v in ("ito", "new")])
    features.fit(log, items=items)
    assert features.for_query("anna", ["a"]).tolist() == [[1, 0]]
    features.update_items(pd.DataFrame({"item_id": ["c", "d"], part: ["other", "new"]}))
    for item in ("c", "d", "d"):
        features.update(rp.Event("anna", item, "view", "2026-02-01"))
    assert features.for_query("anna", ["a"]).tolist() == [[1, 2]]


def test_a_category_may_be_taken_back():
    features = rp.Features([rp.Affinity(of="category")]).fit(shop_log(), items=ITEMS)
    features.update_items(pd.DataFrame({"item_id": ["i0"], "category": [None]}))
    assert features.for_query("anna", ["i0"])[0, 0] == 0


def test_a_new_item_costs_nothing_that_grows_with_the_catalogue():
    features = rp.Features([rp.Affinity(of="brand"), rp.ItemAge()]).fit(shop_log(), items=ITEMS)
    before = dict(features.codes_.item_features_.columns)
    features.update(rp.Event("anna", "new", "view", "2026-06-01"))
    features.for_query("anna", ["new", "i0"])
    after = features.codes_.item_features_.columns
    assert all(after[name] is column for name, column in before.items())


@pytest.mark.parametrize(
    "said",
    [
        {"where": "brand"}, {"where": ("brand", ["x"])}, {"where": ("user", "anna")},
        {"where": ("brand",)}, {"keep": []}, {"kinds": [["view"]]},
    ],
)  # fmt: skip
def test_a_tally_says_what_it_needs(said):
    with pytest.raises((ParameterError, DataError), match=r"must be|unknown event"):
        rp.Tally("user", **said)
    with pytest.raises(ParameterError, match="at most two parts"):
        rp.Tally(3)


def test_a_column_of_which_nothing_is_known_is_scaled_without_a_warning():
    log = shop_log(50).assign(event="view")
    scaled = rp.Features([rp.RFM()], scaler=StandardScaler()).fit_transform(log)
    assert scaled["recency"].isna().all()


def test_amounts_of_any_size_leave_features_that_learners_take():
    log = shop_log().assign(price=1e308, dwell_ms=-1e308, scroll_pct=1e308)
    features = everything().set_params(scaler=StandardScaler())
    assert not np.isinf(features.fit_transform(log, items=ITEMS)).any(axis=None)
    features.update(rp.Event("anna", "i0", "purchase", "2026-06-01", price=1e308, quantity=1e30))
    assert not np.isinf(features.for_query("anna", ["i0"])).any()


def test_frames_of_every_kind_hold_float32_and_nan():
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    log = shop_log()[["user_id", "item_id", "event", "timestamp"]]
    features = rp.Features([rp.RFM()]).fit(log)
    told = features.transform(log)
    as_polars = features.transform(pl.from_pandas(log))
    assert set(as_polars.dtypes) == {pl.Float32}
    pd.testing.assert_frame_equal(as_polars.to_pandas(), told)
    as_arrow = features.transform(pa.Table.from_pandas(log))
    assert set(as_arrow.schema.types) == {pa.float32()}
    pd.testing.assert_frame_equal(as_arrow.to_pandas(), told)
    lazy = features.transform(pl.from_pandas(log).lazy())
    pd.testing.assert_frame_equal(lazy.to_pandas(), told)


def test_of_who_is_forgotten_no_order_and_no_page_stays(tmp_path):
    log = shop_log()
    log["order_id"] = log["user_id"] + "-" + log.index.astype(str)
    log["page"] = "/account/" + log["user_id"]
    features = rp.Features([rp.RFM(), Visits()]).fit(log).forget(["ben"])
    rp.save(features, tmp_path / "features.rp")
    for path in (tmp_path / "features.rp").rglob("*"):
        assert path.is_dir() or b"ben" not in path.read_bytes()
    kept = log[log["user_id"] != "ben"]
    np.testing.assert_array_equal(
        features.transform(kept), rp.Features([rp.RFM(), Visits()]).fit_transform(kept)
    )


class Visits(rp.Feature):
    def tallies(self):
        return {"": rp.Tally("user", "page"), "ben": rp.Tally("user", where=("page", "/account"))}

    def columns(self):
        return {"here": "events of the user on the page", "start": "on the first"}

    def compute(self, seen):
        return [seen[""], seen["ben"]]


def test_what_was_carted_long_before_it_was_bought_is_not_less_than_bought():
    log = pd.DataFrame({
        "user_id": "anna", "item_id": "tea", "event": ["cart", "purchase"],
        "timestamp": pd.to_datetime(["2026-01-01", "2026-03-01"]),
    })  # fmt: skip
    features = rp.Features([rp.CartAbandonment(half_life="30d")]).fit(log)
    assert features.for_query("anna", ["tea"])[0, 0] == 0


@pytest.mark.parametrize(("late", "stays"), [("cart", 0), ("purchase", 1), ("remove", 1)])
def test_what_comes_late_does_not_move_the_cart(late, stays):
    last = "purchase" if late == "cart" else "cart"
    features = rp.Features([rp.CartAbandonment()])
    features.fit([rp.Event("anna", "tea", last, "2026-01-02")])
    features.update(rp.Event("anna", "tea", late, "2026-01-01"))
    assert features.for_query("anna", ["tea"])[0, 1] == stays
    assert features.refresh().for_query("anna", ["tea"])[0, 1] == stays


def test_a_leak_check_that_can_see_nothing_says_so():
    pl = pytest.importorskip("polars")
    log = shop_log()
    check_leak_free(rp.Features([rp.RFM()]), pl.from_pandas(log), rows=pl.from_pandas(log))
    with pytest.raises(DataError, match="a leak shows only where events come one after another"):
        check_leak_free(rp.Features([rp.RFM()]), log.assign(timestamp=log["timestamp"][0]))
    with pytest.raises(DataError, match="a leak shows only"):
        check_leak_free(rp.Features([rp.RFM()]), log, rows=log[:0])
    with pytest.raises(ColumnError, match="rows need a column 'timestamp'"):
        check_leak_free(rp.Features([rp.RFM()]), log, rows=log[["user_id"]])


def test_a_question_is_not_asked_before_what_is_known():
    features = rp.Features([rp.RFM(), rp.SessionSignals()]).fit(shop_log())
    early, now = (
        features.for_query(rp.Query("anna", now=moment), ["i0"]) for moment in ("2025-01-01", None)
    )
    np.testing.assert_array_equal(early, now)
    names = features.get_feature_names_out().tolist()
    for name in ("recency", "tenure", "session_minutes", "idle_minutes"):
        assert now[0, names.index(name)] >= 0


def test_a_fit_that_fails_leaves_nothing_to_ask():
    features = rp.Features([rp.RFM()]).fit(shop_log())
    with pytest.raises(DataError):
        features.fit(shop_log().drop(columns="timestamp"))
    with pytest.raises(NotFittedError):
        features.for_query("anna", ["i0"])
    with pytest.raises(NotFittedError):
        features.update(rp.Event("anna", "i0", "view", "2026-06-01"))


def test_what_is_held_of_somebody_is_every_event_of_hers():
    log = pd.DataFrame({
        "user_id": ["anna", "ben", "anna"], "item_id": ["tea", "tea", "salt"],
        "event": ["view", "view", "purchase"], "price": [None, 2.0, 3.5],
        "timestamp": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"]),
    })  # fmt: skip
    features = rp.Features([rp.Affinity(), rp.PriceFit()]).fit(log)
    held = features.held_of(["anna", "nobody"])
    assert json.loads(json.dumps(held, allow_nan=False)) == held
    (anna,) = held["users"]
    assert [event["item_id"] for event in anna["events"]] == ["tea", "salt"]
    assert anna["events"][1]["price"] == 3.5
    assert "price" not in anna["events"][0]
    assert anna["events"][1]["timestamp"] == "2026-01-03T00:00:00Z"
    assert features.forget(["anna"]).held_of(["anna"]) == {}


def test_what_a_scaler_learned_of_the_forgotten_is_stale():
    log = shop_log()
    plain = rp.Features([rp.RFM()]).fit(log)
    assert plain.forget(["anna"]).stale_ is None
    scaled = rp.Features([rp.RFM()], scaler=StandardScaler()).fit(log)
    assert scaled.forget(["nobody"]).stale_ is None
    scaled.forget(["anna", "anna", "ben"], refit_within="1d")
    assert scaled.stale_.parts == ("scaler_",)
    assert scaled.stale_.n_users == 2
    assert scaled.stale_.refit_by == scaled.stale_.since + 86_400_000
    assert scaled.fit(log).stale_ is None


def test_to_forget_a_stranger_replays_nothing():
    features = rp.Features([rp.RFM()]).fit(shop_log())
    before = features.state_
    assert features.forget(["nobody"]).state_ is before
