import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ArtifactError, DataError, ParameterError
from recopersona.testing import recommender_checks

LOSSES = ["bpr", "warp", "logistic", "squared"]


def planted(seed=0, n_users=240, n_items=120):
    """Users of two towns and items of two colours: each town wants its own colour.

    The last 20 items have no event; ``noise`` says nothing.
    """
    rng = np.random.default_rng(seed)
    users = pd.DataFrame({
        "user_id": np.arange(n_users),
        "town": np.where(np.arange(n_users) % 2, "Graz", "Linz"),
    })  # fmt: skip
    items = pd.DataFrame({
        "item_id": np.arange(n_items),
        "colour": np.where(np.arange(n_items) % 2, "green", "red"),
        "noise": rng.choice(list("abcdefgh"), n_items),
    })  # fmt: skip
    who = rng.integers(0, n_users, 6_000)
    own = rng.random(len(who)) < 0.85
    what = 2 * rng.integers(0, (n_items - 20) // 2, len(who)) + np.where(own, who % 2, 1 - who % 2)
    rated = np.where(own, 5.0, 1.0)
    events = pd.DataFrame({"user_id": who, "item_id": what})
    return events, items, users, rated


def town(n_items=120, loss="bpr", **settings):
    events, items, users, rated = planted(n_items=n_items)
    if loss == "squared":
        events = events.assign(weight=rated)
    shop = rp.Dataset.from_frames(events, items=items, users=users)
    given = {"factors": 8, "epochs": 8, "loss": loss, **settings}
    return rp.HybridFactorization(**given).fit(shop)


@pytest.fixture(scope="module")
def model():
    return town()


# -- what is learned ---------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES[1:])
def test_every_loss_keeps_the_contract(loss):
    for _, check in recommender_checks(rp.HybridFactorization(loss=loss, factors=8, epochs=2)):
        check()


@pytest.mark.parametrize("settings", [{"identity": False}, {"optimizer": "sgd", "reg": 0.05}])
def test_other_settings_keep_the_contract(settings):
    rate = 0.05 if "optimizer" in settings else 0.5
    model = rp.HybridFactorization(factors=8, epochs=2, learning_rate=rate, **settings)
    for _, check in recommender_checks(model):
        check()


@pytest.mark.parametrize("loss", LOSSES)
def test_new_items_are_known_by_their_features(loss):
    model = town(loss=loss)
    new = np.arange(100, 120)
    for user in (0, 1, 8, 9):
        scores = model.score_items(rp.Query(user_id=user))[new]
        theirs = new % 2 == user % 2
        assert scores[theirs].min() > scores[~theirs].max()


@pytest.mark.parametrize("loss", LOSSES)
def test_strangers_are_known_by_what_the_context_tells(loss):
    model = town(loss=loss)
    for place, parity in (("Linz", 0), ("Graz", 1)):
        offered = model.recommend(rp.Query(context={"town": place}), n=10)
        assert set(offered.sources) == {"HybridFactorization"}
        assert all(item % 2 == parity for item in offered.item_ids)


def test_a_stranger_with_attributes_is_a_new_user_with_them(model):
    model = town()
    model.update_users(pd.DataFrame({"user_id": [999], "town": ["Graz"]}))
    known = model.score_items(rp.Query(user_id=999))
    told = model.score_items(rp.Query(context={"town": "Graz"}))
    np.testing.assert_allclose(known, told, atol=1e-6)


def test_the_context_corrects_what_is_known_of_a_user(model):
    query = rp.Query(user_id=0, context={"town": "Graz"})
    moved = model.score_items(query) - model.score_items(rp.Query(user_id=0))
    green = np.arange(120) % 2 == 1
    assert moved[green].mean() > moved[~green].mean()
    same = rp.Query(user_id=0, context={"town": "Linz", "page": "cart"})
    np.testing.assert_allclose(
        model.score_items(same), model.score_items(rp.Query(user_id=0)), atol=1e-5
    )


def test_a_strangers_clicks_go_from_what_she_is(model):
    prior = model._vector(rp.Query(context={"town": "Graz"}))
    clicked = model._vector(rp.Query(context={"town": "Graz"}, session=[0, 2, 4, 6]))
    scores = model.item_factors_ @ (clicked - prior)
    assert scores[:100:2].mean() > scores[1:100:2].mean()


def test_rows_without_events_are_sums_of_their_embeddings(model):
    sums = model.item_map_.vectors()
    np.testing.assert_allclose(model.item_factors_[100:], sums[100:, :-1], atol=1e-6)
    np.testing.assert_allclose(model.item_biases_[100:], sums[100:, -1], atol=1e-6)
    assert not np.allclose(model.item_factors_[:100], sums[:100, :-1], atol=1e-3)


def test_without_identity_two_items_of_the_same_attributes_are_the_same():
    model = town(identity=False)
    _, items, *_ = planted()
    scores = model.score_items(rp.Query(user_id=3))
    alike = items.groupby(["colour", "noise"])["item_id"].agg(list)
    for group in alike:
        assert np.ptp(scores[group]) < 1e-5
    assert np.ptp(scores) > 0.1


def test_without_any_attribute_it_is_factorization_drawn_to_the_mean():
    shop = rp.synthetic_shop(300, 120, random_state=3)
    bare = rp.Dataset.from_matrix(shop.matrix())
    late = np.random.default_rng(0).random(len(bare.log)) < 0.2
    train, test = bare.take(~late), bare.take(late)
    hybrid = rp.HybridFactorization(factors=8, epochs=10).fit(train).score(test)
    plain = rp.Factorization(factors=8, epochs=10).fit(train).score(test)
    assert hybrid > 0.9 * plain


def test_the_answer_is_the_same_for_any_number_of_threads():
    shop = rp.synthetic_shop(2_000, 1_200, random_state=3)
    models = []
    for n in (1, 2, 5):
        with rp.limit_threads(n):
            models.append(rp.HybridFactorization(factors=16, epochs=2).fit(shop))
    for other in models[1:]:
        for name in ("user_factors_", "item_factors_", "item_biases_"):
            np.testing.assert_array_equal(getattr(models[0], name), getattr(other, name))
        np.testing.assert_array_equal(models[0].item_map_.embeddings_, other.item_map_.embeddings_)


def test_more_reg_keeps_rows_nearer_to_their_features():
    apart = []
    for reg in (0.001, 0.1, 2.0):
        model = town(reg=reg)
        own = model.item_factors_[:100] - model.item_map_.vectors()[:100, :-1]
        apart.append(np.linalg.norm(own))
    assert apart[0] > apart[1] > apart[2]


def test_the_best_epoch_comes_back_with_its_embeddings():
    events, items, users, _ = planted()
    late = np.arange(len(events)) >= 5_000
    train, test = (
        rp.Dataset.from_frames(events[some], items=items, users=users) for some in (~late, late)
    )
    model = rp.HybridFactorization(factors=8, epochs=30, learning_rate=2.0)
    values = model.fit(train, validation=test, patience=2).history_["ndcg@10"]
    assert len(values) == values.argmax() + 3 < 30
    assert model.score(test) == values.max()
    np.testing.assert_allclose(
        model.item_factors_[100:], model.item_map_.vectors()[100:, :-1], atol=1e-5
    )


# -- learning online ---------------------------------------------------------------------------


def test_what_is_new_starts_from_its_features():
    model = town()
    model.update_items(pd.DataFrame({"item_id": ["new", "odd"], "colour": ["green", "blue"]}))
    scores = model.score_items(rp.Query(user_id=1))
    new, odd = model.items_.index("new"), model.items_.index("odd")
    assert scores[new] > scores[odd]
    expected = model.item_map_.embeddings_[0]
    np.testing.assert_allclose(model.item_factors_[odd], expected[:-1], atol=1e-6)


def test_events_teach_the_features_of_their_items():
    """Nobody knew the colour blue at the fit; a colour that was known changes its public."""
    model = town(prior_events=2.0)
    before = model.item_map_.embeddings_.copy()
    asked = rp.Query(context={"town": "Linz"})
    unseen = model.score_items(asked)[101]
    new = [f"green {n}" for n in range(40)]
    model.update_items(pd.DataFrame({"item_id": new, "colour": "green"}))
    rng = np.random.default_rng(0)
    events = [rp.Event(int(2 * rng.integers(120)), str(rng.choice(new))) for _ in range(1_024)]
    model.partial_fit(events)
    assert not np.array_equal(before, model.item_map_.embeddings_)
    assert model.score_items(asked)[101] > unseen  # green, and without any event of its own


def test_a_stream_of_ratings_is_foreseen_better_and_better():
    events, _, _, rated = planted()
    stream = events.assign(weight=rated)
    model = rp.HybridFactorization(loss="squared", factors=8)
    errors = np.abs(model.predict_then_learn(stream) - rated)
    assert errors[3_000:].mean() < 0.8 * errors[:1_000].mean()
    assert len(model.recommend(0)) == 10


def test_it_works_in_a_pipeline():
    events, items, users, _ = planted()
    shop = rp.Dataset.from_frames(events, items=items, users=users)
    home = rp.Pipeline(candidates=[rp.HybridFactorization(factors=8), rp.ColdStartMapper()])
    home.fit(shop).update_items(pd.DataFrame({"item_id": ["new"], "colour": ["green"]}))
    home.partial_fit([rp.Event("newer", "new"), rp.Event(1, "newest")])
    offered = home.recommend(rp.Query(user_id=3), n=30)
    assert "new" in offered.item_ids


def test_attributes_that_change_move_the_item_at_once():
    model = town()
    query = rp.Query(user_id=1)
    before = model.score_items(query)
    model.update_items(pd.DataFrame({"item_id": [0, 102], "colour": ["green", "green"]}))
    after = model.score_items(query)
    assert (after[[0, 102]] > before[[0, 102]]).all()
    untouched = np.delete(np.arange(120), [0, 102])
    np.testing.assert_array_equal(after[untouched], before[untouched])


def test_what_is_known_of_a_forgotten_user_is_gone():
    model = town()
    model.forget([1])
    row = model.user_map_.shares_of(1)
    assert row.nnz == 1
    assert not (model.lesson_[:, 0] == 1).any()


def test_users_can_be_evicted_with_what_is_known_of_them():
    model = town()
    query = rp.Query(user_id=7)
    before = model.score_items(query)
    assert model.evict(keep_users=[7, 10]) == 238
    np.testing.assert_array_equal(model.score_items(query), before)
    assert model.user_features_["town"].tolist() == ["Graz", "Linz"]
    model.partial_fit([rp.Event(7, 3), rp.Event("new", 3)] * 64)
    assert len(model.recommend("new")) == 10


# -- reports -----------------------------------------------------------------------------------


def test_features_that_hurt_are_seen():
    events, items, users, _ = planted()
    cold = events["item_id"] >= 80
    train = rp.Dataset.from_frames(events[~cold], items=items, users=users)
    model = rp.HybridFactorization(factors=8, epochs=8).fit(train)
    before = model.score(events[cold])
    for given in (None, train):
        report = model.feature_ablation(events[cold], train=given)
        assert list(report.columns) == ["side", "block", "ndcg10", "without", "gain"]
        assert report["gain"].is_monotonic_increasing
        gains = report.set_index(["side", "block"])["gain"]
        assert gains["item"].idxmax() in ("colour", "identity")
        assert gains["item", "colour"] > 0.02
        assert gains["item", "colour"] > gains["item", "noise"]
    assert model.score(events[cold]) == before  # it was looked at, and left as it was


def test_an_explanation_names_the_features(model):
    told = model.explain(1, 101).set_index("component")["contribution"]
    assert {"colour=green", "every item", "the item itself"} <= set(told.index)
    assert told["colour=green"] > 0
    assert told["the item itself"] == pytest.approx(0, abs=1e-5)  # it has no event
    assert told.sum() == pytest.approx(model.score_items(rp.Query(user_id=1))[101], abs=1e-5)


# -- bad input ---------------------------------------------------------------------------------


def test_items_without_attributes_and_odd_values_are_answered():
    model = town()
    odd = pd.DataFrame({"item_id": ["a", "b", "c"], "colour": [None, "unheard of", "green"]})
    model.update_items(odd)
    model.partial_fit(rp.Event("x", "never described"))
    for context in ({}, {"town": "Atlantis"}, {"town": float("nan")}, {"town": ["Graz"] * 9}):
        offered = model.recommend(rp.Query(context=context), n=200)
        assert len(offered) == 124
        assert set(offered.sources) == {"HybridFactorization"}
    assert len(model.similar_items("b", n=5)) == 5


@pytest.mark.parametrize(
    "wrong",
    [{"identity": 1}, {"feature_reg": 0}, {"prior_events": -1}, {"item_encoder": "title"}],
)
def test_parameters_out_of_bounds_are_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        rp.HybridFactorization(**wrong).fit([rp.Event("anna", "tea")])


@pytest.mark.parametrize("name", ["item_map_", "user_map_"])
def test_files_with_features_that_do_not_fit_are_refused(name, tmp_path):
    model = town()
    feature_map = getattr(model, name)
    feature_map.embeddings_ = feature_map.embeddings_[:-1]
    model.save(tmp_path / "model")
    with pytest.raises((ArtifactError, DataError)):
        rp.load(tmp_path / "model")


# -- real data ---------------------------------------------------------------------------------


def test_new_films_are_found_by_their_attributes():
    folder = Path(os.environ.get("RECOPERSONA_DATA", "")) / "ml-100k"
    if not os.environ.get("RECOPERSONA_DATA") or not folder.exists():
        pytest.skip("RECOPERSONA_DATA holds no ml-100k")
    ratings, items = (pd.read_parquet(folder / f"{name}.parquet") for name in ("ratings", "items"))
    liked = ratings.loc[ratings["rating"] >= 4, ["user_id", "item_id"]]
    rng = np.random.default_rng(0)
    ids = np.sort(liked["item_id"].unique())
    new = set(rng.permutation(ids)[: len(ids) // 5].tolist())
    cold = liked["item_id"].isin(new)
    shop = rp.Dataset.from_frames(liked[~cold], items=items[items["item_id"].isin(ids)])
    model = rp.HybridFactorization(factors=32, loss="warp").fit(shop)
    places = model.items_.indices(sorted(new))
    areas = []
    for user, theirs in liked[cold].groupby("user_id")["item_id"]:
        if user not in model.users_:
            continue
        scores = model.score_items(rp.Query(user_id=user))[places]
        good = np.isin(sorted(new), theirs)
        areas.append((scores[good][:, None] > scores[~good][None, :]).mean())
    assert np.mean(areas) > 0.7
