import os
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ArtifactError, DataError, ParameterError
from recopersona.models import factorization as chapter
from recopersona.testing import checkerboard, recommender_checks
from recopersona.testing.shops import small_events, small_shop

LOSSES = ["bpr", "warp", "logistic", "squared"]
RANKING = LOSSES[:3]
START = pd.Timestamp("2026-01-01")


@pytest.fixture(scope="module")
def shop():
    return rp.synthetic_shop(300, 120, random_state=3)


def ratings(n=4_000, n_users=80, n_items=60, seed=0):
    """Ratings by two traits, biases and noise, as events whose weight is the rating."""
    rng = np.random.default_rng(seed)
    users, items = rng.integers(n_users, size=n), rng.integers(n_items, size=n)
    fixed = np.random.default_rng(1)
    taste, kind = fixed.normal(size=(n_users, 2)), fixed.normal(size=(n_items, 2))
    bias = fixed.normal(0, 0.5, n_items)
    exact = 5 + bias[items] + (taste[users] * kind[items]).sum(axis=1)
    rated = np.clip(exact + rng.normal(0, 0.3, n), 0.1, 10)
    return pd.DataFrame({"user_id": users, "item_id": items, "weight": rated})


def rmse(model, events):
    known = model.users_.indices(events["user_id"]), model.items_.indices(events["item_id"])
    users, items = known
    predicted = model.mean_[0] + model.user_biases_[users] + model.item_biases_[items]
    predicted += (model.user_factors_[users] * model.item_factors_[items]).sum(axis=1)
    return float(np.sqrt(np.mean((predicted - events["weight"]) ** 2)))


# -- what is learned ---------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES[1:])
@pytest.mark.parametrize("optimizer", ["adagrad", "sgd"])
def test_every_loss_keeps_the_contract(loss, optimizer):
    rate = {"adagrad": 0.3, "sgd": 0.003 if loss == "squared" else 0.05}[optimizer]
    model = rp.Factorization(
        loss=loss, optimizer=optimizer, learning_rate=rate, factors=8, epochs=3
    )
    for _, check in recommender_checks(model):
        check()


@pytest.mark.parametrize("loss", RANKING)
def test_the_checkerboards_answer_is_found(loss):
    events, answers = checkerboard()
    model = rp.Factorization(loss=loss, factors=8, epochs=60, random_state=1).fit(events)
    found = sum(model.recommend(user, n=1).item_ids == [item] for user, item in answers.items())
    assert found >= 16  # by chance, 10 would be its neighbours in the list


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_falls(loss, shop):
    data = ratings() if loss == "squared" else shop
    losses = rp.Factorization(loss=loss, factors=16).fit(data).history_["loss"]
    assert losses[19] < losses[5] < losses[0]


@pytest.mark.parametrize("loss", RANKING)
def test_ranking_losses_beat_popularity(loss, shop):
    late = np.arange(len(shop.log)) >= 0.8 * len(shop.log)
    early, held_out = shop.take(~late), shop.take(late)
    popular = rp.Popularity().fit(early).score(held_out)
    assert rp.Factorization(loss=loss, factors=16, epochs=30).fit(early).score(held_out) > popular


def test_ratings_are_predicted():
    events = ratings()
    model = rp.Factorization(loss="squared", factors=4, epochs=40).fit(events)
    test = ratings(seed=5)
    spread = float(test["weight"].std())
    assert rmse(model, test) < 0.5 * spread
    assert model.mean_[0] == pytest.approx(events["weight"].mean(), rel=1e-5)


def test_what_weighs_more_counts_more():
    events = pd.DataFrame({
        "user_id": np.repeat(np.arange(40), 2), "item_id": ["a", "b"] * 40,
        "event": ["purchase", "view"] * 40,
    })  # fmt: skip
    events.loc[len(events)] = [99, "c", "view"]
    shop = rp.Dataset.from_frames(events, event_weights={"purchase": 20})
    scores = rp.Factorization(factors=2, epochs=2).fit(shop).score_items(rp.Query(0))
    assert scores[0] > scores[1] > scores[2]


@pytest.mark.parametrize("loss", LOSSES)
def test_threads_change_nothing_where_there_are_many_blocks(loss, monkeypatch):
    monkeypatch.setattr(chapter, "_ENTRIES_PER_STRATUM", 20)
    monkeypatch.setattr(chapter, "_ITEMS_PER_BLOCK", 8)
    events = ratings()
    models = []
    for threads in (1, 2, 3):
        with rp.limit_threads(threads):
            models.append(rp.Factorization(loss=loss, factors=8, epochs=3).fit(events))
    entries = chapter.Entries.of(rp.Dataset.from_frames(events), loss == "squared")
    assert entries.n_blocks(8) >= 7
    for other in models[1:]:
        assert (other.user_factors_ == models[0].user_factors_).all()
        assert (other.item_factors_ == models[0].item_factors_).all()
        assert other.history_.equals(models[0].history_)


def test_blocks_follow_from_the_data_alone(monkeypatch):
    entries = chapter.Entries.of(rp.Dataset.from_frames(ratings()), True)
    assert entries.n_blocks(64) == 1
    monkeypatch.setattr(chapter, "_ENTRIES_PER_STRATUM", 1)
    monkeypatch.setattr(chapter, "_ITEMS_PER_BLOCK", 2)
    assert entries.n_blocks(64) == 8
    monkeypatch.setattr(chapter, "_CACHE", 1_024)
    assert entries.n_blocks(64) == 16  # 15,360 bytes of item factors, in whole jobs


def test_another_seed_starts_elsewhere(shop):
    first, second = (
        rp.Factorization(factors=3, epochs=1, random_state=seed).fit(shop) for seed in (1, 2)
    )
    assert not np.allclose(first.item_factors_, second.item_factors_)


# -- when to stop ------------------------------------------------------------------------------


def test_a_fit_stops_when_ratings_get_no_better_and_keeps_the_best():
    events, test = ratings(400), ratings(400, seed=5)
    events["weight"] = events["weight"].sample(frac=1, random_state=1).to_numpy()  # only noise
    model = rp.Factorization(loss="squared", factors=16, reg=0.0, epochs=200)
    values = model.fit(events, validation=test, patience=2).history_["rmse"]
    best = int(np.argmin(values))
    assert len(values) == best + 3 < 200
    known = test[test["user_id"].isin(events["user_id"]) & test["item_id"].isin(events["item_id"])]
    assert rmse(model, known) == pytest.approx(values[best], rel=0.02)
    again = rp.Factorization(loss="squared", factors=16, reg=0.0, epochs=best + 1).fit(events)
    assert (again.user_factors_ == model.user_factors_).all()
    assert (again.item_lengths_ == model.item_lengths_).all()


def test_lists_are_judged_by_ndcg(shop):
    late = np.arange(len(shop.log)) >= 0.8 * len(shop.log)
    model = rp.Factorization(factors=8, epochs=6)
    model.fit(shop.take(~late), validation=shop.take(late), patience=6)
    values = model.history_["ndcg@10"]
    assert model.score(shop.take(late)) == values.max() > values[0]
    assert model.history_["iteration"].tolist() == [1, 2, 3, 4, 5, 6]


def test_unwatched_all_epochs_are_run(shop):
    history = rp.Factorization(factors=4, epochs=7).fit(shop).history_
    assert len(history) == 7
    assert list(history) == ["iteration", "loss"]


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_a_fit_that_diverges_says_which_step_to_try(loss):
    model = rp.Factorization(loss=loss, optimizer="sgd", learning_rate=50.0, factors=8)
    words = r"Factorization: the loss grew to .* in epoch \d+ where .*; try learning_rate=5\."
    with pytest.raises(ParameterError, match=words):
        model.fit(ratings())
    assert not model.__sklearn_is_fitted__()


def test_an_interrupted_fit_leaves_the_model_unfitted(shop, monkeypatch):
    model = rp.Factorization(factors=4, epochs=50).fit(shop)

    def interrupt(self, entries, epoch):
        raise KeyboardInterrupt

    monkeypatch.setattr(rp.Factorization, "_pass", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(shop)
    assert not model.__sklearn_is_fitted__()
    with pytest.raises(rp.errors.NotFittedError, match=r"call Factorization\.fit first"):
        model.recommend("u-0001")
    assert vars(model).keys() == model.get_params().keys()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer signals")
def test_ctrl_c_stops_threads_at_work(monkeypatch):
    monkeypatch.setattr(chapter, "_ENTRIES_PER_STRATUM", 20)
    model = rp.Factorization(loss="squared", factors=64, epochs=1_000_000)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with rp.limit_threads(2), pytest.raises(KeyboardInterrupt):
            model.fit(ratings())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not model.__sklearn_is_fitted__()


# -- as events come ----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_new_users_and_items_have_factors_at_once(loss):
    model = rp.Factorization(loss=loss, factors=8, epochs=20).fit(checkerboard().events)
    model.partial_fit([rp.Event("new", f"i-{item}") for item in (0, 2, 4, 6)])
    model.partial_fit(rp.Event("u-2", "i-new"))
    # Where every rating is the same, none is a surprise.
    assert model.user_factors_[model.users_.index("new")].any() == (loss != "squared")
    assert model.item_lengths_[model.items_.index("i-new")] > 0
    scores = model.score_items(rp.Query("new"))
    assert np.isfinite(scores).all() == (loss != "squared")


def test_a_new_user_of_the_checkerboard_gets_her_colour():
    model = rp.Factorization(factors=8, epochs=60).fit(checkerboard().events)
    for _ in range(4):
        model.partial_fit([rp.Event("new", f"i-{item}") for item in range(0, 14, 2)])
    assert {int(item[2:]) % 2 for item in model.recommend("new", n=3).item_ids} == {0}


def test_each_prediction_profits_from_the_event_before():
    events = pd.DataFrame({"user_id": [1] * 30, "item_id": [2] * 30, "weight": [4.0] * 30})
    predicted = rp.Factorization(loss="squared", factors=4).predict_then_learn(events)
    assert predicted[0] == 0
    assert np.abs(predicted[5:] - 4).max() < 0.05


def test_progressive_validation_learns_like_partial_fit():
    first, then = ratings(500), ratings(500, seed=3)
    one, other = (rp.Factorization(loss="squared", factors=4).fit(first) for _ in range(2))
    one.partial_fit(then)
    predicted = other.predict_then_learn(then)
    assert (one.user_factors_ == other.user_factors_).all()
    assert len(predicted) == 500
    assert np.sqrt(np.mean((predicted - then["weight"]) ** 2)) < then["weight"].std()


def test_events_that_diverge_say_which_step_to_try():
    model = rp.Factorization(loss="squared", optimizer="sgd", learning_rate=5.0, factors=4)
    words = r"factors grew beyond all bounds between events 1 and 4000 .* with learning_rate=0\.5\."
    with pytest.raises(ParameterError, match=words):
        model.predict_then_learn(ratings())
    with pytest.raises(ParameterError, match="Factorization: factors must be an integer"):
        rp.Factorization(factors=0).predict_then_learn(ratings())


def test_progressive_validation_may_start_from_nothing_and_take_one_event():
    model = rp.Factorization(loss="squared", factors=4)
    model.predict_then_learn(ratings(300))
    predicted = model.predict_then_learn(rp.Event(1, 2, "view"))
    assert predicted.shape == (1,)
    assert predicted.dtype == np.float32
    assert len(model.recommend(1, n=3)) == 3


def test_online_ratings_come_near_their_items():
    events = ratings(20_000)
    predicted = rp.Factorization(loss="squared", factors=8).predict_then_learn(events)
    off = predicted[-4_000:] - events["weight"][-4_000:]
    assert np.sqrt(np.mean(off**2)) < 0.6 * events["weight"].std()


def test_a_weight_of_zero_teaches_nothing_and_is_seen():
    frame = pd.DataFrame({"user_id": ["a", "b", "c"], "item_id": [1, 2, 3], "weight": [1, 1, 0]})
    model = rp.Factorization(factors=2).fit(frame)
    assert model.item_lengths_[2] == 0
    assert not model.user_factors_[2].any()
    assert 3 not in model.recommend("c").item_ids
    before = model.item_factors_.copy()
    model.partial_fit(frame.assign(item_id=2, weight=0.0))
    assert (model.item_factors_ == before).all()
    assert 2 not in model.recommend("a").item_ids


def test_a_return_teaches_nothing():
    model = rp.Factorization(factors=4).fit(checkerboard().events)
    before = model.item_factors_.copy()
    model.partial_fit(rp.Event("u-0", "i-1", "return"))
    assert (model.item_factors_ == before).all()


def test_tables_grow_by_more_than_a_row():
    model = rp.Factorization(factors=4, epochs=2).fit(checkerboard(6).events)
    moved = 0
    for user in range(200):
        before = model.user_factors_.ctypes.data
        model.partial_fit(rp.Event(user, "i-0"))
        moved += model.user_factors_.ctypes.data != before
    assert len(model.user_factors_) == 206
    assert moved < 15


# -- letting go --------------------------------------------------------------------------------


def dated(events):
    return events.assign(timestamp=START + pd.to_timedelta(np.arange(len(events)), unit="h"))


def test_the_idle_are_evicted_and_their_room_is_free():
    first = pd.DataFrame({"user_id": ["a", "b", "c"], "item_id": [1, 2, 3],
                          "timestamp": [START, START, START]})  # fmt: skip
    model = rp.Factorization(factors=4).fit(first)
    late = START + pd.Timedelta(days=60)
    model.partial_fit(rp.Event("b", 1, "view", late))
    hers = model.score_items(rp.Query("b"))
    assert model.evict(idle_for="30d") == 2
    assert model.users_.ids.tolist() == ["b"]
    assert model.user_factors_.shape == (1, 4)
    assert (model.score_items(rp.Query("b")) == hers).all()
    assert model.past_.seen(0).tolist() == [0, 1]
    assert model.recommend("b").item_ids == [3]
    model.partial_fit(rp.Event("a", 3, "view", late))
    assert model.users_.index("a") == 1
    assert set(model.recommend("a").item_ids) == {1, 2}


def test_memory_stays_bounded_when_the_idle_go():
    model = rp.Factorization(factors=4, epochs=1).fit(dated(checkerboard(6).events))
    sizes = []
    for week in range(1, 6):
        then = START + pd.Timedelta(weeks=week)
        model.partial_fit([rp.Event(f"{week}-{n}", "i-0", "view", then) for n in range(50)])
        model.evict(idle_for="6d")
        sizes.append((len(model.users_), len(model.user_factors_), len(model.recent_)))
    assert sizes == [(50, 50, 50)] * 5


def test_all_but_the_named_are_evicted(tmp_path):
    events = small_events()
    model = rp.Factorization(factors=4, epochs=2).fit(events)
    kept = ["u-0003", "u-0001", "a stranger"]
    before = {user: model.score_items(rp.Query(user)) for user in kept[:2]}
    seen = {user: model.past_.recent(model.users_.index(user)) for user in kept[:2]}
    assert model.evict(keep_users=kept) == events["user_id"].nunique() - 2
    for user, scores in before.items():
        assert (model.score_items(rp.Query(user)) == scores).all()
        again = model.past_.recent(model.users_.index(user))
        assert all((a == b).all() for a, b in zip(seen[user], again, strict=True))
    rp.save(model, tmp_path / "model")
    loaded = rp.load(tmp_path / "model")
    assert loaded.evict(keep_users=[]) == 2
    assert loaded.partial_fit(rp.Event("u-0001", events["item_id"][0])).users_.index("u-0001") == 0


def test_eviction_says_what_it_needs():
    model = rp.Factorization(factors=2).fit(checkerboard(6).events)
    with pytest.raises(ParameterError, match=r"evict needs idle_for='90d' or keep_users=\[...\]"):
        model.evict()
    with pytest.raises(ParameterError, match="one of them"):
        model.evict(idle_for="1d", keep_users=["u-1"])
    with pytest.raises(DataError, match="evict needs events with a 'timestamp'"):
        model.evict(idle_for="1d")
    with pytest.raises(DataError, match="evict: keep_users needs a list of ids"):
        model.evict(keep_users="u-1")
    home = rp.Pipeline(candidates=[model]).fit(checkerboard(6).events)
    with pytest.raises(DataError, match="users of a pipeline's model cannot be evicted"):
        home.candidates_["factorization"].evict(keep_users=["u-1"])


def test_who_is_forgotten_leaves_no_row():
    model = rp.Factorization(factors=2).fit(checkerboard(6).events)
    model.forget(["u-1"])
    assert not model.user_factors_[1].any()
    assert not model.recent_[1].any()


# -- answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", RANKING)
def test_a_stranger_of_the_checkerboard_gets_her_colour(loss):
    model = rp.Factorization(loss=loss, factors=8, epochs=60).fit(checkerboard().events)
    colours = np.array([int(item[2:]) % 2 for item in model.items_.ids])
    odd = model.score_items(rp.Query(history=["i-1", "i-3", "i-5"]))
    assert odd[colours == 1].mean() > odd[colours == 0].mean() + 1
    even = model.score_items(rp.Query(session=["i-2", "i-4"]))
    assert even[colours == 0].mean() > even[colours == 1].mean() + 1


def test_a_stranger_with_the_same_past_is_judged_much_the_same(shop):
    model = rp.Factorization(factors=8, epochs=30).fit(shop)
    alike = []
    for user in range(40):
        items, weights = model.past_.taste(user)
        past = dict(zip(shop.items.ids[items].tolist(), weights.tolist(), strict=True))
        folded = model.score_items(rp.Query(history=past))
        alike.append(np.corrcoef(folded, model.score_items(rp.Query(shop.users.ids[user])))[0, 1])
    assert np.median(alike) > 0.9


def test_a_strangers_ratings_are_folded_in():
    model = rp.Factorization(loss="squared", factors=4, epochs=60).fit(ratings())
    test = ratings(seed=5)
    alike = []
    for user, hers in list(test.groupby("user_id"))[:30]:
        past = dict(zip(hers["item_id"].tolist(), hers["weight"].tolist(), strict=True))
        folded = model.score_items(rp.Query(history=past))
        alike.append(np.corrcoef(folded, model.score_items(rp.Query(user)))[0, 1])
    assert np.median(alike) > 0.9
    assert (model.score_items(rp.Query(session=[1, 2])) == -np.inf).all()
    assert (model.score_items(rp.Query(3, session=[1, 2])) == model.score_items(rp.Query(3))).all()


def test_a_session_moves_a_known_user_and_is_not_stored():
    model = rp.Factorization(factors=8, epochs=60).fit(checkerboard().events)
    plain = model.score_items(rp.Query("u-0"))
    moved = model.score_items(rp.Query("u-0", session=["i-1", "i-3"]))
    odd = model.items_.index("i-5")
    assert moved[odd] > plain[odd]
    assert (model.score_items(rp.Query("u-0")) == plain).all()


def test_similar_items_are_near_by_angle():
    model = rp.Factorization(factors=8, epochs=60).fit(checkerboard().events)
    ranking = model.similar_items("i-0", n=9)
    assert {int(item[2:]) % 2 for item in ranking.item_ids} == {0}
    assert (np.abs(ranking.scores) <= 1.0001).all()


def test_an_explanation_names_the_items_that_were_liked():
    model = rp.Factorization(factors=8, epochs=60).fit(checkerboard().events)
    frame = model.explain("u-0", "i-0")
    assert set(frame["evidence"].dropna()) == {f"i-{item}" for item in range(2, 20, 2)}
    assert set(frame["component"]) == {"item bias", "liked item", "beyond these items"}
    by_items = frame[frame["component"] == "liked item"]["contribution"].sum()
    assert by_items > abs(frame[frame["component"] == "beyond these items"]["contribution"].sum())


# -- odd input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_one_event_in_all_is_learned_from(loss):
    model = rp.Factorization(loss=loss).fit(pd.DataFrame({"user_id": [1], "item_id": ["a"]}))
    assert len(model.history_) == 20
    assert np.isfinite(model.user_factors_).all()
    assert model.recommend("somebody").item_ids == ["a"]


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_of_zero_alone_are_no_error(loss):
    frame = pd.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"], "weight": [0.0, 0.0]})
    model = rp.Factorization(loss=loss).fit(frame)
    assert model.history_.empty
    assert not model.item_factors_.any()
    assert len(model.recommend(1)) == 1
    model.partial_fit(frame.assign(weight=1.0))
    assert model.item_lengths_.all()


@pytest.mark.parametrize("loss", LOSSES)
def test_more_factors_than_users_or_items(loss):
    model = rp.Factorization(loss=loss, factors=50, epochs=5).fit(checkerboard(6).events)
    assert model.item_factors_.shape == (6, 50)
    assert np.isfinite(model.recommend("u-0", n=6, seen="keep").scores).all()


def test_pairs_that_repeat_are_one_pair_of_summed_weight():
    once = pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "c"], "weight": [3.0, 1, 1]})
    often = pd.DataFrame({"user_id": [1, 1, 1, 1, 2], "item_id": list("aaabc")})
    one, other = (rp.Factorization(factors=2).fit(events) for events in (once, often))
    assert (one.item_factors_ == other.item_factors_).all()


def test_every_rating_of_a_pair_counts():
    events = pd.DataFrame({"user_id": [1] * 4, "item_id": [2] * 4, "weight": [1.0, 5, 5, 5]})
    model = rp.Factorization(loss="squared", factors=2, epochs=200).fit(events)
    assert model.mean_.tolist() == [4.0, 4.0]


@pytest.mark.parametrize("loss", RANKING)
def test_an_item_that_everybody_has_is_put_above_the_others(loss):
    events = pd.DataFrame({"user_id": np.repeat(range(9), 2), "item_id": [0, 1, 0, 2, 0, 3] * 3})
    model = rp.Factorization(loss=loss, factors=4).fit(events)
    assert np.isfinite(model.item_factors_).all()
    scores = model.score_items(rp.Query(4))
    assert scores[0] > np.delete(scores, model.past_.seen(4)).max()


@pytest.mark.parametrize("loss", ["bpr", "warp"])
def test_where_no_negative_exists_nothing_is_learned(loss):
    events = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": ["a", "b"] * 2})
    model = rp.Factorization(loss=loss, factors=4).fit(events)
    assert set(model.history_["loss"]) == {0.0}
    assert not model.user_factors_.any()
    assert len(model.recommend("a stranger")) == 2


def test_who_has_no_past_and_what_has_no_user_have_no_score():
    matrix = np.random.default_rng(4).poisson(0.6, (30, 20)).astype(np.float32)
    matrix[5], matrix[:, 9] = 0, 0
    model = rp.Factorization(factors=4).fit(rp.Dataset.from_matrix(matrix))
    assert (model.score_items(rp.Query(5)) == -np.inf).all()
    assert model.score_items(rp.Query(3))[9] == -np.inf
    assert model.similar_items(9, n=3).item_ids == model.recommend(rp.Query(), n=3).item_ids


@pytest.mark.parametrize(
    ("change", "words"),
    [({"factors": 0}, "Factorization: factors must be an integer of at least 1, got 0"),
     ({"loss": "bprr"}, "Factorization: loss must be one of 'bpr', .*did you mean 'bpr'"),
     ({"learning_rate": 0}, "Factorization: learning_rate must be a finite number above 0"),
     ({"reg": -1}, "Factorization: reg must be a finite number of at least 0, got -1"),
     ({"negatives": 0}, "Factorization: negatives must be an integer of at least 1, or None"),
     ({"epochs": 0}, "Factorization: epochs must be an integer of at least 1"),
     ({"optimizer": "adam"}, "Factorization: optimizer must be one of 'adagrad', 'sgd'"),
     ({"random_state": "x"}, "Factorization: random_state must be None, an integer from 0")],
)  # fmt: skip
def test_parameters_have_bounds(change, words):
    with pytest.raises(ParameterError, match=words):
        rp.Factorization(**change).fit(checkerboard(6).events)


def test_ratings_of_nothing_cannot_be_watched():
    frame = ratings(50)
    with pytest.raises(DataError, match="validation needs at least one event of a weight above 0"):
        rp.Factorization(loss="squared").fit(frame, validation=frame.assign(weight=0.0))


@pytest.mark.parametrize(
    "spoil",
    [lambda model: setattr(model, "user_sums_", model.user_sums_[:-1].copy()),
     lambda model: setattr(model, "recent_", np.zeros((6, 3), np.int32)),
     lambda model: setattr(model, "item_biases_", model.item_biases_.astype(np.float64)),
     lambda model: setattr(model, "item_lengths_", model.item_lengths_[:-1].copy()),
     lambda model: setattr(model, "priors_", np.zeros(3)),
     lambda model: setattr(model, "weight_unit_", 0.0),
     lambda model: setattr(model, "seed_", -1),
     lambda model: setattr(model, "user_factors_", np.zeros((99, 2), np.float32))],
)  # fmt: skip
def test_files_that_do_not_fit_together_are_refused(spoil, tmp_path):
    model = rp.Factorization(factors=2).fit(checkerboard(6).events)
    spoil(model)
    model.save(tmp_path / "model")
    with pytest.raises(ArtifactError):
        rp.load(tmp_path / "model")


@pytest.mark.skipif("RECOPERSONA_DATA" not in os.environ, reason="RECOPERSONA_DATA is not set")
def test_movielens_is_predicted_better_than_the_published_peer():
    frame = pd.read_parquet(Path(os.environ["RECOPERSONA_DATA"]) / "ml-100k/ratings.parquet")
    frame = frame.sort_values("timestamp", kind="stable")
    events = frame[["user_id", "item_id"]].assign(weight=frame["rating"].astype(float))
    predicted = np.clip(rp.Factorization(loss="squared").predict_then_learn(events), 1, 5)
    assert np.sqrt(np.mean((predicted - frame["rating"]) ** 2)) < 0.9479


def test_the_small_shop_is_answered_from_a_session():
    shop = small_shop()
    model = rp.Factorization(factors=8).fit(shop)
    visit = rp.Query(session=[shop.items.ids[3]])
    assert model.recommend(visit).sources[0] == "Factorization"


@pytest.mark.parametrize("loss", ["bpr", "warp", "logistic", "squared"])
def test_the_index_of_a_large_catalogue_follows_what_is_learned_online(loss):
    """The best items are those by score, after many events, after one, and of a new item."""
    random = np.random.default_rng(1)
    pairs = random.integers(0, (60, 5_000), (20_000, 2))
    events = pd.DataFrame(pairs, columns=["user_id", "item_id"])
    events["weight"] = random.integers(1, 6, len(events))
    model = rp.Factorization(loss=loss, factors=8, epochs=1).fit(events)
    later = pd.DataFrame(random.integers(0, (70, 5_400), (900, 2)), columns=["user_id", "item_id"])
    later["weight"] = random.integers(1, 6, len(later))
    for more in (later, rp.Event(3, 4_999, "purchase"), rp.Event(65, "new one"), later.head(40)):
        model.partial_fit(more)
        for user in (3, 65):
            scores = model.score_items(rp.Query(user))
            best = model.recommend(user, n=5, seen="keep")
            assert np.allclose(best.scores, np.sort(scores)[::-1][:5], rtol=1e-5)
        together = model.recommend_many(list(range(40)), n=5, seen="keep")
        assert together["item_id"].tolist()[15:20] == model.recommend(3, n=5, seen="keep").item_ids


def test_many_negatives_are_no_divergence():
    random = np.random.default_rng(0)
    events = pd.DataFrame(random.integers(0, (40, 60), (400, 2)), columns=["user_id", "item_id"])
    model = rp.Factorization(factors=4, negatives=30, epochs=2).fit(events)
    assert np.isfinite(model.item_factors_).all()


def test_a_generator_of_events_is_predicted_and_learned():
    told = (rp.Event("anna", f"item {place}") for place in range(5))
    model = rp.Factorization(factors=4)
    assert len(model.predict_then_learn(told)) == 5
    assert len(model.past_.seen(0)) == 5
