import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.models.segment_counts import SegmentCounts, distinct_rows, segments_of
from tests.naive import segments as naive

N_USERS, N_ITEMS = 12, 6
RNG = np.random.default_rng(5)
PAIRS = sorted({(int(u), int(i)) for u, i in RNG.integers((N_USERS, N_ITEMS), size=(60, 2))})
WEIGHTS = [float(weight) for weight in RNG.integers(1, 5, len(PAIRS))]
USERS = pd.DataFrame({
    "user_id": range(N_USERS),
    "age": [20, 20, 30, 30, 40, 40, 50, 50, 60, 60, 70, np.nan],
    "sex": ["f", "m", "f", "m", "f", "m", "f", "m", "f", None, "m", "m"],
})  # fmt: skip
ITEMS = pd.DataFrame({"item_id": range(N_ITEMS), "category": ["a", "a", "b", "b", "c", "c"]})
EVENTS = pd.DataFrame(PAIRS, columns=["user_id", "item_id"]).assign(weight=WEIGHTS)
OLD = {user for user in range(N_USERS) if USERS["age"][user] >= 40}
YOUNG = {user for user in range(N_USERS) if USERS["age"][user] < 40}
MEN = {user for user in range(N_USERS) if USERS["sex"][user] == "m"}
ALL = set(range(N_USERS))


def shop(items=ITEMS):
    return rp.Dataset.from_frames(EVENTS, items=items, users=USERS)


def fitted(items=ITEMS, **options):
    return rp.SegmentPopularity(by=["age", "sex"], bands=2, **options).fit(shop(items))


def people(n=300, thin=3, random_state=0):
    """Men want A, women want B, and everybody's age tells nothing; a few are of a rare kind."""
    random = np.random.default_rng(random_state)
    sex = random.choice(["f", "m"], n)
    users = pd.DataFrame({
        "user_id": range(n), "sex": sex, "age": random.integers(18, 80, n),
        "kind": ["rare"] * thin + ["usual"] * (n - thin),
    })  # fmt: skip
    first = np.where(random.random((n, 5)) < 0.8, 0, 10) + random.integers(0, 10, (n, 5))
    items = np.where((sex == "m")[:, None], first, 19 - first)
    events = pd.DataFrame({"user_id": np.repeat(range(n), 5), "item_id": items.ravel()})
    return rp.Dataset.from_frames(events.drop_duplicates(), users=users)


# -- the formula -----------------------------------------------------------------------------


@pytest.mark.parametrize("categories", [None, "aabbcc"])
@pytest.mark.parametrize(
    ("context", "chain"),
    [
        ({}, [ALL]),
        ({"age": 65}, [ALL, OLD]),
        ({"age": 20, "sex": "m"}, [ALL, YOUNG, YOUNG & MEN]),
        ({"sex": "m"}, [ALL, MEN]),
        ({"age": None, "sex": "m", "hat": "red"}, [ALL, MEN]),
        ({"age": 65, "sex": "x"}, [ALL, OLD]),
    ],
)
def test_shares_are_the_twins(categories, context, chain):
    items = ITEMS if categories else ITEMS[["item_id"]]
    model = fitted(items, smoothing=1.5)
    wanted = [
        naive.share(item, chain, PAIRS, WEIGHTS, 1.5, categories, N_ITEMS)
        for item in range(N_ITEMS)
    ]
    assert np.allclose(model.score_items(rp.Query(context=context)), wanted, rtol=1e-5)
    assert sum(wanted) == pytest.approx(1)


def test_what_a_level_gains_is_the_twins():
    learned = fitted(ITEMS[["item_id"]], smoothing=2.0)
    by_age = {user: [ALL, *([OLD] if user in OLD else [YOUNG] if user in YOUNG else [])]
              for user in range(N_USERS)}  # fmt: skip
    wanted = naive.nats(by_age, PAIRS, WEIGHTS, 2.0, N_ITEMS)
    assert learned.gains_[0] == pytest.approx(wanted, rel=1e-5)


def test_a_customer_is_answered_by_her_row_and_the_context_goes_before():
    model = fitted(smoothing=1.0)
    hers = model.score_items(rp.Query(user_id=1))
    told = model.score_items(rp.Query(context={"age": 20, "sex": "m"}))
    assert (hers == told).all()
    moved = model.score_items(rp.Query(user_id=1, context={"sex": "f"}))
    assert (moved == model.score_items(rp.Query(context={"age": 20, "sex": "f"}))).all()
    assert not np.allclose(hers, moved)


def test_a_thin_segment_does_not_shout():
    model = rp.SegmentPopularity(by=["kind"], smoothing=30.0).fit(people())
    rare = model.score_items(rp.Query(context={"kind": "rare"}))
    everybody = model.score_items(rp.Query())
    # Three people move little beside thirty customers' worth of everybody.
    assert np.abs(rare - everybody).max() <= 0.2 * 3 / 33 + 1e-6
    assert not np.allclose(rare, everybody)


# -- what is chosen --------------------------------------------------------------------------


def test_the_attribute_that_tells_something_is_chosen_and_others_are_not():
    model = rp.SegmentPopularity().fit(people())
    assert list(model.attributes_) == ["sex"]
    men = model.recommend(rp.Query(context={"sex": "m", "age": 30}), n=5).item_ids
    assert all(item < 10 for item in men)


def test_where_nothing_tells_anything_everybody_is_one_segment():
    shop = people()
    alike = rp.Dataset.from_frames(
        EVENTS, users=pd.DataFrame({"user_id": range(N_USERS), "luck": list("abcdefghijkl")})
    )
    model = rp.SegmentPopularity().fit(alike)
    assert not model.attributes_
    wanted = rp.Popularity().fit(alike).recommend(rp.Query(), n=N_ITEMS).item_ids
    assert model.recommend(rp.Query(context={"luck": "a"}), n=N_ITEMS).item_ids == wanted
    assert rp.SegmentPopularity(depth=1).fit(shop).strengths_.shape == (2, 1)


def test_given_attributes_stay_in_their_order():
    model = rp.SegmentPopularity(by=["kind", "sex"]).fit(people())
    assert list(model.attributes_) == ["kind", "sex"]
    assert model.strengths_.shape == (4, 1)


def test_numbers_are_banded():
    ages = rp.SegmentPopularity(by=["age"], bands=3).fit(people()).attributes_["age"]
    assert len(ages.edges_) == 2
    sizes = np.bincount([ages.code(age) for age in people().user_features["age"]])
    assert sizes.min() > 80
    assert ages.code("no number") == ages.code([1]) == ages.code(np.nan) == -1


# -- learning --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [40, 1_500])
def test_events_count_as_if_they_had_been_fitted(n):
    random = np.random.default_rng(1)
    more = pd.DataFrame({
        "user_id": random.integers(0, N_USERS, n), "item_id": random.integers(0, N_ITEMS, n),
        "weight": 1.0,
    })  # fmt: skip
    model = fitted(smoothing=2.0)
    model.partial_fit(more)
    whole = rp.Dataset.from_frames(pd.concat([EVENTS, more]), items=ITEMS, users=USERS)
    fresh = rp.SegmentPopularity(by=["age", "sex"], bands=2, smoothing=2.0).fit(whole)
    model.customer_ = fresh.customer_  # what a customer weighs is learned by fit alone
    query = rp.Query(context={"age": 20, "sex": "m"})
    assert np.allclose(model.score_items(query), fresh.score_items(query), rtol=1e-5)


def test_new_customers_and_values_are_learned_from():
    model = fitted(smoothing=0.1)
    model.update_users(pd.DataFrame({"user_id": ["new"], "age": [20.0], "sex": ["x"]}))
    model.partial_fit([rp.Event("new", "hat", "purchase")] * 3)
    assert model.recommend(rp.Query(context={"age": 20, "sex": "x"}), n=1).item_ids == ["hat"]
    rows = model.explain(rp.Query(context={"age": 20, "sex": "x"}), "hat")
    assert rows["component"][0] == "age < 40, sex=x"


def test_counts_kept_aside_are_sorted_in(monkeypatch):
    monkeypatch.setattr("recopersona.models.segment_counts._FOLD_AFTER", 3)
    codes = np.array([[0, 1], [0, -1]], np.int32)
    counts = SegmentCounts.of(codes, rp.Dataset.from_matrix(np.eye(2, 3)).matrix())
    for item in (2, 2, 1, 0, 2):
        counts.add([0, 1], item, 1.0)
    items, weights = counts.entries(counts.row((0, -1)))
    assert np.bincount(items, weights).tolist() == [2, 2, 3]
    assert sum(map(len, counts.later_.values())) <= 3
    assert list(segments_of([-1, -1])) == []


# -- bad input -------------------------------------------------------------------------------


def test_what_is_not_there_is_named():
    with pytest.raises(ColumnError, match=r"no user column 'sexx'.*did you mean 'sex'"):
        rp.SegmentPopularity(by=["sexx"]).fit(shop())
    with pytest.raises(ColumnError, match="no item column 'aisle' with categories"):
        rp.SegmentPopularity(categories=["aisle"]).fit(shop())
    with pytest.raises(ParameterError, match="by must be a list of 1 to 6 distinct columns"):
        rp.SegmentPopularity(by="sex").fit(shop())


@pytest.mark.parametrize("value", [[1, 2], {}, object(), float("inf"), "", 10**400])
def test_odd_values_of_a_question_are_unknown(value):
    model = fitted(smoothing=1.0)
    assert len(model.recommend(rp.Query(context={"age": value, "sex": value}))) == N_ITEMS


def test_a_forgotten_customer_is_a_stranger():
    model = fitted(smoothing=1.0)
    model.forget([1])
    assert (model.score_items(rp.Query(user_id=1)) == model.score_items(rp.Query())).all()


def test_what_only_a_forgotten_customer_was_is_forgotten_too():
    users = USERS.assign(street=["hers" if user == 1 else "theirs" for user in range(N_USERS)])
    shop = rp.Dataset.from_frames(EVENTS, users=users)
    model = rp.SegmentPopularity(by=["street"], smoothing=1.0).fit(shop)
    model.forget([1])
    assert {*model.attributes_["street"].values_.ids.tolist()} == {None, "theirs"}
    stranger = model.score_items(rp.Query(context={"street": "hers"}))
    assert (stranger == model.score_items(rp.Query())).all()


@pytest.mark.parametrize("n_values", [1, 3, 10**6])
def test_distinct_rows_are_those_of_numpy(n_values):
    codes = np.random.default_rng(0).integers(-1, n_values, (40, 3)).astype(np.int32)
    rows, place = np.unique(codes, axis=0, return_inverse=True)
    found, who = distinct_rows(codes)
    assert np.array_equal(found, rows)
    assert np.array_equal(who, place.reshape(-1))
    assert distinct_rows(codes[:0])[0].shape == (0, 3)


def test_events_that_weigh_nothing_tell_of_no_segment():
    shop = rp.Dataset.from_frames(
        EVENTS.drop(columns="weight"), users=USERS, items=ITEMS, event_weights={"view": 0}
    )
    model = rp.SegmentPopularity().fit(shop)
    assert not model.attributes_
    assert len(model.recommend(rp.Query(context={"sex": "m"}))) == N_ITEMS


def test_counts_that_do_not_fit_are_refused():
    model = fitted(smoothing=1.0)
    model.counts_.items_ = model.counts_.items_ + np.int32(N_ITEMS)
    with pytest.raises(DataError, match="do not fit"):
        model._check_learned()


def test_flags_and_numbers_of_few_values_are_segments_too():
    users = USERS.assign(member=[True, False] * 6, children=[0, 1, 2] * 4)
    shop = rp.Dataset.from_frames(EVENTS, users=users)
    model = rp.SegmentPopularity(by=["member", "children"], smoothing=1.0).fit(shop)
    rows = model.explain(rp.Query(context={"member": True, "children": 2}), 0)
    assert set(rows["component"]) == {
        "everybody", "member=True", "member=True, children >= 2",
    }  # fmt: skip
    assert model.score_items(rp.Query(0)).tolist() == model.score_items(
        rp.Query(context={"member": True, "children": 0})
    ).tolist()  # fmt: skip


def test_an_answer_that_is_kept_is_dropped_when_something_is_learned():
    model = fitted(smoothing=1.0)
    query = rp.Query(context={"sex": "f"})
    before = model.score_items(query).copy()
    assert model.score_items(query) is model.score_items(query)
    model.partial_fit([rp.Event(0, 3, "purchase")] * 9)
    assert model.score_items(query)[3] > before[3]
    model.update_items(pd.DataFrame({"item_id": [3], "category": ["a"]}))
    assert len(model.score_items(query)) == N_ITEMS
    assert not np.allclose(model.score_items(query)[:3], before[:3])


def test_of_many_users_some_are_enough_to_learn_from(monkeypatch):
    monkeypatch.setattr("recopersona.models.segment_smoothing._COUNTED", 700)
    monkeypatch.setattr("recopersona.models.segment_smoothing._ENTRIES", 300)
    some = rp.SegmentPopularity().fit(people())
    assert list(some.attributes_) == ["sex"]
    monkeypatch.undo()
    everybody = rp.SegmentPopularity().fit(people())
    assert np.array_equal(some.counts_.counts_, everybody.counts_.counts_)
    assert 1 / 8 <= some.strengths_[1, 0] / everybody.strengths_[1, 0] <= 8
