import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

import recopersona as rp
from recopersona.errors import ParameterError
from recopersona.models.bundle_growth import grown, log_likelihood_ratio
from recopersona.models.orders import orders_of

RNG = np.random.default_rng(3)
PRICES = {
    "tea": 4.0,
    "cup": 6.0,
    "pot": 30.0,
    "nail": 1.0,
    "hammer": 20.0,
    "bag": 0.1,
    "gold": None,
}


def baskets(n=400):
    """Two kinds of orders, with bags in both and odd things in some."""
    kinds = [["tea", "cup", "pot", "bag"], ["nail", "hammer", "bag"]]
    rows = [(order, item) for order in range(n) for item in kinds[order % 2] if RNG.random() < 0.7]
    rows += [(int(order), "gold") for order in RNG.integers(0, n, 5)]
    return pd.DataFrame(rows, columns=["user_id", "item_id"]).drop_duplicates()


EVENTS = baskets()
ITEMS = pd.DataFrame({"item_id": list(PRICES), "price": list(PRICES.values())})
SHOP = rp.Dataset.from_frames(EVENTS, items=ITEMS)


def fitted(**options):
    return rp.Bundles(**options).fit(SHOP)


def of(model):
    """The bundles as sets of ids, with their lift and support."""
    spans = zip(model.bounds_[:-1], model.bounds_[1:], strict=True)
    sets = [frozenset(model.items_.ids[model.bundles_[a:b]].tolist()) for a, b in spans]
    return {one: pair for one, *pair in zip(sets, model.lift_, model.support_, strict=True)}


def test_what_belongs_together_is_found_and_what_is_everywhere_is_not():
    found = of(fitted())
    assert {frozenset({"tea", "cup", "pot"}), frozenset({"nail", "hammer"})} <= set(found)
    assert not any("bag" in items or "gold" in items for items in found)


def test_lift_and_support_are_what_the_formula_says():
    holding = EVENTS.groupby("item_id")["user_id"].agg(set)
    n_orders = EVENTS["user_id"].nunique()
    model = fitted(shrink=3.0)
    assert model.n_orders_ == n_orders

    def count(items):
        return len(set.intersection(*(holding[item] for item in items)))

    for items, (lift, support) in of(model).items():
        assert support == count(items)
        lifts = [
            (count(items) + 3) / (count(items - {one}) * count({one}) / n_orders + 3)
            for one in items
        ]
        assert lift == pytest.approx(min(lifts), rel=1e-5)


def test_the_ratio_is_that_of_a_g_test():
    table = np.array([[20, 15], [30, 200]])
    wanted = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")[0]
    got = log_likelihood_ratio(np.array([20]), np.array([35]), np.array([50]), 265)
    assert got[0] == pytest.approx(wanted)


def test_chance_makes_no_bundles():
    random = np.random.default_rng(0)
    orders = sparse.csr_array((random.random((2_000, 40)) < 0.1).astype(np.float32))
    found = grown(orders, 3, 5, 5.0, 10.8, 1_000)
    assert len(found) <= 2  # of 780 pairs, at one in a thousand
    assert all(one.items == tuple(sorted(set(one.items))) for one in found)


def test_thin_pairs_do_not_shout():
    rows = [(order, item) for order in range(6) for item in ("a", "b")]
    rows += [(order, item) for order in range(10, 80) for item in ("c", "d")]
    rows += [(order, "e") for order in range(100, 300)]
    model = rp.Bundles().fit(pd.DataFrame(rows, columns=["user_id", "item_id"]))
    assert model._ids(model.bundles_[:2]) == ("c", "d")
    assert (
        of(model)[frozenset("ab")][0] < 11 / 5
    )  # 6 of 276 each: lift would be 46 without shrinking


def test_sets_grow_to_the_size_asked_and_no_further():
    assert max(map(len, of(fitted(size=2)))) == 2
    four = pd.DataFrame(
        [(order, item) for order in range(60) for item in ("abcd" if order < 30 else "e")],
        columns=["user_id", "item_id"],
    )
    assert frozenset("abcd") in of(rp.Bundles(size=4).fit(four))


def test_the_cart_page_is_offered_what_completes_the_cart():
    found = fitted(discount=0.1).recommend_bundles(rp.Query(session=["tea"]), n=3)
    assert all("tea" in items for items in found["items"])
    assert all("tea" not in adds and len(adds) for adds in found["adds"])
    assert found["reason"][0].startswith("goes with tea")
    whole = found[found["items"].map(len) == 3].iloc[0]
    assert whole["price"] == pytest.approx(0.9 * 40)


def test_a_whole_set_in_the_cart_is_not_offered_again():
    found = fitted().recommend_bundles(rp.Query(session=["nail", "hammer"]), n=9)
    assert not any({"nail", "hammer"} == set(items) for items in found["items"])
    assert len(found)


def test_a_budget_is_kept():
    found = fitted().recommend_bundles("nobody", n=9, budget=(15, 25))
    assert found["items"].map(set).tolist() == [{"nail", "hammer"}]
    assert len(fitted().recommend_bundles("nobody", budget=(1_000, 2_000))) == 0
    priced = fitted().recommend_bundles("nobody", n=9, budget=(15, float("inf")))
    assert priced["price"].min() >= 15


def test_who_buys_dear_things_is_offered_dear_sets():
    model = fitted()
    assert {"nail", "hammer"} in model.recommend_bundles("nobody", n=9)["items"].map(set).tolist()
    dear = pd.DataFrame({"item_id": ["d1", "d2", "d3"], "price": [15.0, 18.0, 30.0]})
    model.update_items(dear)
    model.partial_fit([rp.Event("rich", item, "purchase") for item in dear["item_id"]])
    found = model.recommend_bundles("rich", n=9)
    means = [np.mean([PRICES[item] for item in items]) for items in found["items"]]
    assert sorted(means) == [17.0, 18.0]  # of tea, cup and pot, those with a pot and one other
    assert found["reason"].str.contains("within her 15.6 to 27.6 an item").all()


def test_a_band_that_leaves_nothing_is_dropped_and_said():
    model = fitted()
    model.update_items(
        pd.DataFrame({"item_id": ["d1", "d2", "d3"], "price": [900.0, 950.0, 999.0]})
    )
    model.partial_fit([rp.Event("rich", item) for item in ("d1", "d2", "d3")])
    found = model.recommend_bundles("rich")
    assert len(found)
    assert found["reason"].str.contains("nothing within her").all()


def test_as_a_recommender_it_completes_carts():
    model = fitted()
    query = rp.Query(session=["nail"])
    assert model.recommend(query, n=1).item_ids == ["hammer"]
    rows = model.explain(query, "hammer")
    assert rows[["component", "evidence"]].values.tolist() == [["completes a bundle", "nail"]]
    assert model.recommend(rp.Query(history=["hammer"]), n=1).item_ids == ["nail"]


def test_large_orders_are_left_out_and_counted():
    reseller = pd.DataFrame({"user_id": "reseller", "item_id": [f"x{n}" for n in range(60)]})
    model = rp.Bundles().fit(pd.concat([EVENTS, reseller]))
    assert model.n_left_out_ == 1


# -- orders ----------------------------------------------------------------------------------


def orders(**columns):
    frame = pd.DataFrame({"user_id": 1, **columns})
    return orders_of(rp.Dataset.from_frames(frame), 3_600_000).toarray().tolist()


def test_sessions_are_orders_where_there_are_any():
    times = pd.Timestamp("2026-01-01") + pd.to_timedelta([0, 5, 600], unit="min")
    assert orders(item_id=list("aba"), timestamp=times) == [[1, 1], [1, 0]]
    assert orders(item_id=list("aba"), timestamp=times, session_id=[7, 8, 8]) == [[1, 0], [1, 1]]
    assert orders(item_id=list("aba")) == [[1, 1]]


def test_purchases_alone_make_orders_where_there_are_any():
    kinds = ["view", "purchase", "purchase"]
    assert orders(item_id=list("abc"), event=kinds) == [[0, 1, 1]]


def test_orders_are_one_users():
    assert orders(item_id=list("ab"), user_id=[1, 2]) == [[1, 0], [0, 1]]


def test_no_budget_is_refused_in_words():
    with pytest.raises(ParameterError, match=r"budget must be \(low, high\)"):
        fitted().recommend_bundles("nobody", budget=(20, 10))
    for band in (50, (float("nan"), 10), (float("inf"), float("inf")), (0, 10, float("inf"))):
        with pytest.raises(ParameterError, match=r"budget must be \(low, high\)"):
            fitted().recommend_bundles("nobody", budget=band)


def test_a_log_without_bundles_answers_with_none():
    model = rp.Bundles().fit(pd.DataFrame({"user_id": [1], "item_id": ["tea"]}))
    assert len(model.recommend_bundles("nobody")) == 0
    assert len(model.recommend("nobody")) == 1
