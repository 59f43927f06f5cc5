"""Frames in, dataset out: what is read, what is repaired and counted, and what is refused."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from recopersona.data.dataset import Dataset
from recopersona.data.event import Event
from recopersona.errors import ColumnError, DataError, ParameterError

NOW = "2026-02-01"


def shop_log(**changed):
    columns = {
        "user_id": ["anna", "ben", "anna", "cleo"],
        "item_id": ["tea", "tea", "salt", "honey"],
        "timestamp": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]),
        "event": ["view", "purchase", "cart", "view"],
    }
    return pd.DataFrame({**columns, **changed})


def read(events, **options):
    return Dataset.from_frames(events, now=NOW, **options)


def same(first, second):
    return (
        first.users.ids.tolist() == second.users.ids.tolist()
        and first.items.ids.tolist() == second.items.ids.tolist()
        and np.array_equal(first.log.event, second.log.event)
        and np.array_equal(first.log.timestamp, second.log.timestamp)
        and np.array_equal(first.matrix().toarray(), second.matrix().toarray())
    )


@pytest.mark.parametrize(
    "kind",
    [pl.from_pandas, lambda frame: pl.from_pandas(frame).lazy(),
     lambda frame: pa.Table.from_pandas(frame, preserve_index=False)],
    ids=["polars", "lazy polars", "arrow"],
)  # fmt: skip
def test_every_kind_of_frame_is_read_the_same(kind):
    assert same(read(kind(shop_log())), read(shop_log()))


@pytest.mark.parametrize("storage", ["python", "pyarrow"])
def test_both_kinds_of_pandas_text_are_read_the_same(storage):
    kind = pd.StringDtype(storage, na_value=np.nan)
    text = dict.fromkeys(("user_id", "item_id", "event"), kind)
    shop = read(shop_log().astype(text))
    assert same(shop, read(shop_log().astype(dict.fromkeys(text, object))))
    assert {type(identifier) for identifier in shop.users} == {str}


@pytest.mark.parametrize("ids", [pl.Categorical, pl.Enum(["anna", "ben", "cleo"])])
def test_categories_of_polars_are_ids(ids):
    frame = pl.from_pandas(shop_log()).with_columns(pl.col("user_id").cast(ids))
    assert same(read(frame), read(shop_log()))


def test_integer_ids_with_gaps_stay_exact_in_polars():
    big = 2**53 + 1
    frame = pl.DataFrame({"user_id": [big, big - 1], "item_id": [1, 2], "price": [None, 2]})
    assert read(frame).users.ids.tolist() == [big, big - 1]


def test_times_with_a_zone_mean_the_same_in_every_frame():
    there = shop_log()["timestamp"].dt.tz_localize("Europe/Berlin")
    frame = shop_log(timestamp=there)
    utc = read(shop_log(timestamp=there.dt.tz_convert("UTC").dt.tz_localize(None)))
    assert same(read(frame), utc)
    assert same(read(pl.from_pandas(frame)), utc)


def test_events_are_read_like_their_frame():
    rows = shop_log()
    events = [Event(*row) for row in rows[["user_id", "item_id", "event", "timestamp"]].to_numpy()]
    assert same(read(events), read(rows))
    assert same(read(iter(events)), read(rows))
    assert len(read(events[0]).log) == 1


def test_the_callers_frames_are_never_changed():
    events, items = shop_log(), pd.DataFrame({"item_id": ["tea"], "price": [1.0]})
    before = events.copy(deep=True), items.copy(deep=True)
    read(events, items=items, half_life="30d", event_weights={"cart": 4})
    assert events.equals(before[0])
    assert items.equals(before[1])


@pytest.mark.parametrize("factor", [1, 1_000, 1_000_000, 1_000_000_000])
def test_numbers_of_any_unit_are_the_same_times(factor):
    numbers = shop_log()["timestamp"].astype("datetime64[s]").astype(np.int64) * factor
    assert same(read(shop_log(timestamp=numbers)), read(shop_log()))


def test_the_order_of_columns_and_the_index_do_not_matter():
    frame = shop_log()[["event", "timestamp", "item_id", "user_id"]].set_index(
        pd.Index(list("zyxw"))
    )
    assert same(read(frame), read(shop_log()))


def test_repeats_of_a_pair_add_up_by_the_weight_of_their_kinds():
    twice = pd.concat([shop_log(), shop_log(event=["cart", "view", "view", "view"])])
    shop = read(twice, event_weights={"cart": 4, "purchase": 10})
    tea, salt = shop.items.index("tea"), shop.items.index("salt")
    assert shop.matrix()[shop.users.index("anna"), tea] == 1 + 4
    assert shop.matrix()[shop.users.index("anna"), salt] == 4 + 1
    assert shop.matrix()[shop.users.index("ben"), tea] == 10 + 1


def test_a_column_of_weights_multiplies_the_weight_of_the_kind():
    shop = read(shop_log(weight=[0.5, 2, 0, 1]), event_weights={"purchase": 10})
    assert shop.log.weight.tolist() == [0.5, 20, 0, 1]
    assert shop.matrix().nnz == 3


@given(st.integers(1, 400), st.lists(st.integers(0, 900), min_size=1, max_size=20))
def test_a_weight_halves_with_every_half_life(half_life, ages):
    end = pd.Timestamp(NOW)
    frame = pd.DataFrame({
        "user_id": range(len(ages)), "item_id": "tea",
        "timestamp": [end - pd.Timedelta(days=age) for age in ages],
    })  # fmt: skip
    shop = read(frame, half_life=f"{half_life}d")
    wanted = [0.5 ** ((age - min(ages)) / half_life) for age in ages]
    assert np.allclose(shop.matrix().toarray()[:, 0], wanted, rtol=1e-5)


def test_a_models_half_life_replaces_the_datasets():
    shop = read(shop_log(), half_life="1d")
    day = 86_400_000
    assert shop.matrix()[0, 0] == pytest.approx(1 / 8)
    assert shop.matrix(half_life=3 * day)[0, 0] == pytest.approx(1 / 2)
    assert shop.history().taste(0)[1].tolist() == pytest.approx([1 / 8, 1 / 2])


def test_without_events_every_row_is_a_view():
    shop = read(shop_log().drop(columns="event"))
    assert shop.history().seen(0, ["view"]).tolist() == [0, 1]
    assert shop.history().seen(0, ["cart"]).tolist() == []


def test_without_times_there_is_no_end():
    assert read(shop_log().drop(columns="timestamp")).end is None


def test_without_times_a_half_life_is_refused_by_name():
    frame = shop_log().drop(columns="timestamp")
    with pytest.raises(DataError, match="half_life needs a 'timestamp' column in the events; add"):
        read(frame, half_life="30d")
    with pytest.raises(DataError, match="half_life needs a 'timestamp' column"):
        read(frame).matrix(half_life=5)


def test_sessions_are_numbered_by_first_row():
    assert read(shop_log(session_id=["b", "a", "b", "c"])).log.session.tolist() == [0, 1, 0, 2]


def test_returns_undo_purchases_and_never_count():
    log = shop_log(user_id="anna", item_id="tea", event=["view", "purchase", "return", "view"])
    shop = read(log, event_weights={"purchase": 10})
    assert len(shop.log) == 4
    assert len(shop.interactions) == 2
    assert shop.matrix()[0, 0] == 2
    assert shop.history().seen(0, ["purchase"]).tolist() == [0]


def test_a_part_before_a_return_knows_nothing_of_it():
    log = shop_log(user_id="anna", item_id="tea", event=["view", "purchase", "return", "view"])
    assert read(log).take(np.array([True, True, False, False])).matrix()[0, 0] == 2


def test_a_part_keeps_ids_and_attributes():
    shop = read(shop_log(), items=pd.DataFrame({"item_id": ["tea"], "price": [1.0]}))
    part = shop.take(np.array([0]))
    assert part.shape == shop.shape
    assert part.item_features is shop.item_features


def test_items_are_numbered_in_catalogue_order_then_by_appearance():
    shop = read(shop_log(), items=pd.DataFrame({"item_id": ["salt", "gold"], "price": [1.0, 2.0]}))
    assert shop.items.ids.tolist() == ["salt", "gold", "tea", "honey"]


def test_items_that_the_catalogue_lacks_are_counted_and_their_attributes_unknown():
    shop = read(
        shop_log(),
        items=pd.DataFrame({"item_id": ["tea"], "price": [3.0]}),
        users=pd.DataFrame({"user_id": ["anna"], "country": ["JP"]}),
    )
    assert shop.counts == {"items_without_attributes": 2, "users_without_attributes": 2}
    prices = dict(zip(shop.items.ids, shop.item_features["price"], strict=True))
    assert prices["tea"] == 3.0
    assert np.isnan(prices["salt"])


def test_nothing_is_counted_where_nothing_was_noticed():
    assert read(shop_log()).counts == {}


def test_an_empty_frame_is_an_empty_dataset():
    shop = read(shop_log().iloc[:0])
    assert (len(shop.log), shop.shape, shop.end) == (0, (0, 0), None)


BAD_EVENTS = {
    "a missing column": (
        lambda log: log.drop(columns="item_id"), ColumnError,
        r"^events need a column 'item_id'; its columns are user_id, timestamp, event\.$"),
    "a misspelt column": (
        lambda log: log.rename(columns={"item_id": "itemid"}), ColumnError,
        r"^events need a column 'item_id'; did you mean 'itemid'\?$"),
    "a misspelt optional column": (
        lambda log: log.rename(columns={"timestamp": "timestmp"}), DataError,
        r"^events have no column 'timestamp'; did you mean 'timestmp'\? Rename or drop it\.$"),
    "a column that is there twice": (
        lambda log: pd.concat([log, log[["user_id"]]], axis=1), ColumnError,
        r"^events have 2 columns named 'user_id'; keep one\.$"),
    "an empty frame without columns": (
        lambda log: pd.DataFrame(), ColumnError,
        r"^events need a column 'user_id'; its columns are none\.$"),
    "a column without any value": (
        lambda log: log.assign(user_id=None), DataError,
        r"^events: the column 'user_id' holds no value at all\.$"),
    "times without any value": (
        lambda log: log.assign(timestamp=pd.NaT), DataError,
        r"^events: the column 'timestamp' holds no value at all\.$"),
    "a missing id": (
        lambda log: log.assign(user_id=["anna", None, "ben", None]), DataError,
        r"^2 of 4 events have no user_id; rp\.clean\(events\) sets such rows aside"),
    "a missing time": (
        lambda log: log.assign(timestamp=log["timestamp"].mask(log["user_id"] == "ben")), DataError,
        r"^1 of 4 events have no timestamp; rp\.clean\(events\) sets such rows aside, or drop"),
    "a missing kind": (
        lambda log: log.assign(event=["view", None, "view", "view"]), DataError,
        r"^1 events have no kind in the column 'event'; rp\.clean\(events\) sets"),
    "an unknown kind": (
        lambda log: log.assign(event=["view", "purchse", "view", "view"]), DataError,
        r"^unknown event 'purchse'; did you mean 'purchase'\?"),
    "a weight that is no number": (
        lambda log: log.assign(weight=["1", "2", "much", "1"]), DataError,
        r"^weight must be numbers, got 'much' in row 2\.$"),
    "a NaN weight": (
        lambda log: log.assign(weight=[1, np.nan, 1, 1]), DataError,
        r"^weight must be a finite number of at least 0, got nan in row 1 \(1 such rows\)\.$"),
    "a negative weight": (
        lambda log: log.assign(weight=[1, 1, -2, -3]), DataError,
        r"^weight must be a finite number of at least 0, got -2\.0 in row 2 \(2 such rows\)\.$"),
    "an infinite weight": (
        lambda log: log.assign(weight=[np.inf, 1, 1, 1]), DataError,
        r"^weight must be a finite number of at least 0, got inf in row 0"),
    "a negative quantity": (
        lambda log: log.assign(quantity=[1, -2, 1, 1]), DataError,
        r"^quantity must be above 0, got -2 in row 1; rp\.clean\(events\) turns negative"),
    "a time to come": (
        lambda log: log.assign(timestamp=log["timestamp"] + pd.DateOffset(years=50)), DataError,
        r"^4 events lie in the future \(row 0: 2076-01-01 00:00:00\+00:00\); rp\.clean\(events\)"),
    "mixed units": (
        lambda log: log.assign(timestamp=[1_767_225_600, 1_767_225_600_000, 1, 2]), DataError,
        r"^timestamp 1 fits no unit between the years 1980 and 2200"),
    "seconds among milliseconds": (
        lambda log: log.assign(timestamp=[1_767_225_600, 1_767_225_600_000] * 2), DataError,
        r"^timestamp mixes units \(s and ms\); rp\.clean\(events\) repairs that and counts it\.$"),
    "a time that is none": (
        lambda log: log.assign(timestamp=["2026-01-01", "soon", "2026-01-01", "2026-01-01"]),
        DataError, r"^timestamp must hold times, got 'soon' in row 1; write them like 2026-01-31"),
    "truth for times": (
        lambda log: log.assign(timestamp=True), DataError,
        r"^timestamp must hold times, got a column of bool\.$"),
    "no dataframe": (
        lambda log: 7, DataError,
        r"^events must be a dataframe \(pandas, polars, Arrow\), got int\.$"),
    "records that are no events": (
        lambda log: [{"user_id": 1}], DataError,
        r"^events must be a dataframe or rp\.Event records, got dict\.$"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "kind", "words"), BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_bad_events_are_refused_in_one_sentence(spoil, kind, words):
    bad = spoil(shop_log())
    before = bad.copy(deep=True) if isinstance(bad, pd.DataFrame) else bad
    with pytest.raises(kind, match=words):
        read(bad)
    assert before.equals(bad) if isinstance(bad, pd.DataFrame) else before == bad


BAD_OPTIONS = {
    "a negative half-life": (
        {"half_life": "-3d"}, ParameterError, "half_life must be a duration such as '30min'"),
    "no half-life": ({"half_life": "0d"}, ParameterError, "half_life must be longer than nothing"),
    "a half-life without unit": ({"half_life": 30}, ParameterError, "half_life must be a duration"),
    "a weight of no event": (
        {"event_weights": {"buy": 3}}, DataError, "unknown event 'buy'; expected one of"),
    "a negative event weight": (
        {"event_weights": {"cart": -1}}, ParameterError,
        r"event_weights\['cart'\] must be a number of at least 0, got -1\."),
    "a NaN event weight": (
        {"event_weights": {"cart": float("nan")}}, ParameterError, "cart.* must be a number"),
    "a weight of returns": (
        {"event_weights": {"return": 1}}, ParameterError, "'return' undoes a purchase and never"),
    "a catalogue with a repeated item": (
        {"items": pd.DataFrame({"item_id": ["tea", "tea"], "price": [1, 2]})}, DataError,
        r"^item_id must be distinct, got 'tea' more than once \(1 rows too many\); "
        r"try frame\.drop_duplicates\('item_id'\)\.$"),
    "a catalogue without item_id": (
        {"items": pd.DataFrame({"sku": ["tea"]})}, ColumnError,
        "needs? a column 'item_id'; its columns are sku"),
    "a catalogue with a missing id": (
        {"items": pd.DataFrame({"item_id": ["tea", None]})}, DataError, "1 rows have no item_id"),
    "a price that is no number": (
        {"items": pd.DataFrame({"item_id": ["tea"], "price": ["dear"]})}, DataError,
        "price must be numbers, got 'dear' in row 0"),
    "customers with a repeated id": (
        {"users": pd.DataFrame({"user_id": [1, 1]})}, DataError, "user_id must be distinct, got 1"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "kind", "words"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_bad_options_are_refused_in_one_sentence(options, kind, words):
    with pytest.raises(kind, match=words):
        read(shop_log(), **options)


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=6))
def test_a_matrix_comes_back_as_it_was(cells):
    matrix = np.array(cells, dtype=np.float32)
    for given_as in (matrix, sparse.csr_array(matrix), sparse.coo_matrix(matrix)):
        shop = Dataset.from_matrix(given_as)
        assert shop.shape == matrix.shape
        assert (shop.matrix().toarray() == matrix).all()
        assert shop.users.ids.tolist() == list(range(len(matrix)))


def test_a_matrix_may_name_its_rows_and_columns():
    shop = Dataset.from_matrix(
        np.eye(2), user_ids=["anna", "ben"], item_ids=["tea", "salt"],
        items=pd.DataFrame({"item_id": ["salt"], "price": [0.5]}),
    )  # fmt: skip
    assert shop.items.index("salt") == 1
    assert shop.item_features["price"].tolist()[1] == 0.5


@pytest.mark.parametrize(
    ("matrix", "options", "words"),
    [(np.array([[-1.0]]), {}, "the matrix must hold finite values of at least 0"),
     (np.array([[np.nan]]), {}, "the matrix must hold finite values of at least 0"),
     (np.eye(2), {"user_ids": ["anna"]}, r"user_ids must name the 2 rows or columns.*got 1"),
     (np.eye(2), {"item_ids": ["a", "a"]}, "ids must be distinct, got 'a' more than once")],
)  # fmt: skip
def test_a_bad_matrix_is_refused(matrix, options, words):
    with pytest.raises(DataError, match=words):
        Dataset.from_matrix(matrix, **options)
