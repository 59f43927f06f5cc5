"""What the base promises beyond the contract's checks: what is counted, said and left out."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.model_selection import GridSearchCV, cross_val_score

import recopersona as rp
from recopersona.base.recommender import FALLBACK
from recopersona.errors import DataError, NotFittedError, ParameterError
from recopersona.testing import checkerboard

EVENTS = pd.DataFrame({
    "user_id": ["anna", "anna", "ben", "ben", "cleo", "dan"],
    "item_id": ["tea", "cup", "tea", "cup", "tea", "salt"],
    "event": ["view", "purchase", "view", "cart", "view", "view"],
})  # fmt: skip


class Fixed(rp.Recommender):
    """Scores that a test chose, by item id."""

    scores: dict = rp.param(default=None)

    def _fit(self, dataset):
        self.n_fitted_ = len(dataset.items)

    def score_items(self, query, items=None):
        wanted = self.scores or {}
        return np.array([wanted.get(item, -np.inf) for item in self.items_], dtype=np.float32)


class TwiceAsLong(rp.Recommender):
    def _fit(self, dataset):
        pass

    def score_items(self, query, items=None):
        return np.ones(2 * len(self.items_))


def test_what_the_model_cannot_fill_is_filled_with_popular_items():
    ranking = Fixed(scores={"salt": 3.0}).fit(EVENTS).recommend("a stranger", n=10)
    assert ranking.item_ids == ["salt", "tea", "cup"]
    assert ranking.sources == ["Fixed", FALLBACK, FALLBACK]
    assert ranking.scores.tolist() == sorted(ranking.scores, reverse=True)


@pytest.mark.parametrize("score", [1e-20, -3.0, 1e6])
def test_what_fills_up_stands_below_what_the_model_chose(score):
    ranking = Fixed(scores={"salt": score}).fit(EVENTS).recommend("a stranger")
    assert (np.diff(ranking.scores) < 0).all()
    assert np.isfinite(ranking.scores).all()


def test_a_model_without_a_word_is_answered_by_popularity():
    ranking = Fixed().fit(EVENTS).recommend("a stranger")
    assert ranking.item_ids == ["tea", "cup", "salt"]
    assert set(ranking.sources) == {FALLBACK}


def test_the_first_of_equals_comes_first_when_filling_up():
    same = EVENTS.assign(item_id=list("fedcba"), user_id=range(6))
    assert Fixed().fit(same).recommend("a stranger").item_ids == list("fedcba")


def test_too_many_scores_are_refused_by_name():
    model = TwiceAsLong().fit(EVENTS)
    with pytest.raises(DataError, match=r"TwiceAsLong.score_items must return \(3,\)"):
        model.recommend("anna")


@pytest.mark.parametrize("method", ["_fit", "score_items"])
def test_what_a_model_must_write_is_said(method):
    written = {} if method == "_fit" else {"_fit": lambda self, dataset: None}
    empty = type("Empty", (rp.Recommender,), written)()
    with pytest.raises(NotImplementedError, match=f"Empty must write {method}"):
        empty.fit(EVENTS).recommend("anna")


def test_an_unfitted_model_says_what_to_call():
    with pytest.raises(NotFittedError, match="this ALS has learned nothing yet; call ALS"):
        rp.ALS().recommend("anna")


def test_a_failing_fit_leaves_the_model_unfitted():
    class Fails(rp.Recommender):
        def _fit(self, dataset):
            self.half_done_ = True
            raise ZeroDivisionError

    model = Fails()
    with pytest.raises(ZeroDivisionError):
        model.fit(EVENTS)
    assert vars(model) == {}


@pytest.mark.parametrize("n", [0, -1, 2.5, "3", None, True])
def test_n_must_be_a_whole_number_above_zero(n):
    model = rp.Popularity().fit(EVENTS)
    for ask in (model.recommend, model.similar_items):
        with pytest.raises(ParameterError, match=f"n must be an integer of at least 1, got {n!r}"):
            ask("anna", n=n)
    with pytest.raises(ParameterError, match="n must be an integer of at least 1"):
        model.recommend_many(["anna"], n=n)


@pytest.mark.parametrize(
    ("seen", "words"),
    [("purchase", "seen must be 'drop', 'keep' or a list of event types, got 'purchase'"),
     (["bought"], "unknown event 'bought'"), (["purchse"], "did you mean 'purchase'")],
)  # fmt: skip
def test_seen_must_be_known(seen, words):
    model = rp.Popularity().fit(EVENTS)
    with pytest.raises(ValueError, match=words):
        model.recommend("anna", seen=seen)
    with pytest.raises(ValueError, match=words):
        model.recommend_many(["anna"], seen=seen)


def test_kinds_of_events_count_as_seen_where_they_are_named():
    model = rp.Popularity().fit(EVENTS)
    assert model.recommend("anna").item_ids == ["salt"]
    assert model.recommend("anna", seen=["purchase"]).item_ids == ["tea", "salt"]
    assert model.recommend("anna", seen=["purchase", "view"]).item_ids == ["salt"]
    assert model.recommend("anna", seen=["cart"]).item_ids == ["tea", "cup", "salt"]
    assert model.recommend("anna", seen="keep").item_ids == ["tea", "cup", "salt"]


def test_a_page_does_not_recommend_itself():
    model = rp.Popularity().fit(EVENTS)
    assert "tea" not in model.recommend(rp.Query(seed="tea"), seen="keep").item_ids


def test_the_session_is_left_out_unless_the_model_repeats():
    class Repeats(rp.Popularity):
        repeats = True

    query = rp.Query(session=["tea"])
    assert "tea" not in rp.Popularity().fit(EVENTS).recommend(query).item_ids
    assert "tea" in Repeats().fit(EVENTS).recommend(query).item_ids


def test_unknown_ids_are_answered_and_named():
    ranking = rp.Popularity().fit(EVENTS).recommend(
        rp.Query(user_id="eve", session=["gold"], history=["rock"], seed="sand")
    )  # fmt: skip
    assert ranking.effects == (
        "unknown user 'eve'", "unknown item 'gold'", "unknown item 'sand'", "unknown item 'rock'",
    )  # fmt: skip
    assert rp.Popularity().fit(EVENTS).similar_items("gold").effects == ("unknown item 'gold'",)
    assert rp.Popularity().fit(EVENTS).recommend("anna").effects == ()


def test_an_id_that_cannot_be_one_is_refused():
    model = rp.Popularity().fit(EVENTS)
    with pytest.raises(DataError, match="got a list; for several call recommend_many"):
        model.recommend(["anna"])
    with pytest.raises(DataError, match="an id must be a string or an integer, got a list"):
        model.similar_items(["tea"])


def test_the_taste_is_past_session_and_page_together():
    model = rp.Popularity().fit(
        rp.Dataset.from_frames(EVENTS, event_weights={"purchase": 10, "cart": 4})
    )  # fmt: skip

    def taste(query):
        items, weights = model.taste_of(query)
        return dict(zip(model.items_.ids[items].tolist(), weights.tolist(), strict=True))

    assert taste(rp.Query("anna")) == {"tea": 1, "cup": 10}
    assert taste(rp.Query("anna", session=["tea", "salt"])) == {"tea": 2, "cup": 10, "salt": 1}
    assert taste(rp.Query("anna", seed="salt")) == {"tea": 1, "cup": 10, "salt": 1}
    assert taste(rp.Query("anna", history=["salt", "salt"])) == {"salt": 2}
    assert taste(rp.Query("anna", history={"salt": 0.5, "tea": 0, "gold": 9})) == {"salt": 0.5}
    assert taste(rp.Query("eve", session=["gold", "tea", "tea"])) == {"tea": 2}
    assert taste(rp.Query()) == {}


def test_now_is_the_questions_or_the_datas_end():
    timed = EVENTS.assign(timestamp=pd.date_range("2026-01-01", periods=6))
    model = rp.Popularity().fit(timed)
    assert model.now_of(rp.Query(now=5)) == 5
    assert model.now_of(rp.Query()) == pd.Timestamp("2026-01-06").value // 10**6
    assert rp.Popularity().fit(EVENTS).now_of(rp.Query()) is None


def test_polars_frames_and_matrices_are_learned_from():
    assert rp.Popularity().fit(pl.from_pandas(EVENTS)).recommend("anna").item_ids == ["salt"]
    matrix = sparse.csr_array(np.array([[1, 0, 2], [0, 3, 0]]))
    with pytest.raises(DataError, match=r"events must be a dataframe|from_matrix"):
        rp.Popularity().fit(matrix)


@pytest.mark.parametrize("nothing", [EVENTS.iloc[:0], EVENTS.assign(event="return"), []])
def test_nothing_to_learn_from_is_refused(nothing):
    with pytest.raises(DataError, match="need"):
        rp.Popularity().fit(nothing)


def test_many_questions_at_once_are_cut_into_blocks():
    rng = np.random.default_rng(1)
    events = pd.DataFrame({"user_id": np.arange(900), "item_id": rng.integers(0, 30, 900)})
    model = rp.ItemKNN().fit(events)
    frame = model.recommend_many(range(900), n=3)
    assert frame["user_id"].tolist() == np.repeat(np.arange(900), 3).tolist()
    assert frame["item_id"].tolist()[-3:] == model.recommend(899, n=3).item_ids


def test_explanations_come_largest_first():
    more = pd.concat([EVENTS, EVENTS[:1].assign(item_id="salt")])
    model = rp.ItemKNN(weighting="none").fit(more)
    frame = model.explain("anna", "cup")
    assert frame["contribution"].abs().is_monotonic_decreasing
    assert frame["evidence"].tolist()[0] == "tea"
    with pytest.raises(DataError, match="ItemKNN does not know the item 'gold'"):
        model.explain("anna", "gold")


def test_score_is_the_ndcg_of_what_was_held_out():
    train = pd.DataFrame({"user_id": ["a", "b", "c"], "item_id": ["x", "x", "y"]})
    model = Fixed(scores={"x": 3, "y": 2, "z": 1}).fit(
        pd.concat([train, train[:1].assign(user_id="d", item_id="z")])
    )
    held_out = pd.DataFrame({"user_id": ["a", "b"], "item_id": ["y", "z"]})
    assert model.score(held_out) == pytest.approx((1 + 1 / np.log2(3)) / 2)


def test_score_leaves_out_what_training_saw_and_who_has_nothing_else():
    model = Fixed(scores={"x": 3, "y": 2, "z": 1}).fit(
        pd.DataFrame({"user_id": ["a", "b", "c"], "item_id": ["x", "y", "z"]})
    )
    again = pd.DataFrame({"user_id": ["a", "a", "b"], "item_id": ["x", "y", "y"]})
    assert model.score(again) == 1.0
    with pytest.raises(DataError, match="score needs a user with a held-out item"):
        model.score(again.tail(1))


def test_an_item_that_training_lacks_can_be_wanted_but_not_found():
    model = Fixed(scores={"x": 1}).fit(pd.DataFrame({"user_id": ["a"], "item_id": ["x"]}))
    held_out = pd.DataFrame({"user_id": ["b", "b"], "item_id": ["x", "new"]})
    assert model.score(held_out) == pytest.approx(1 / (1 + 1 / np.log2(3)))


def test_grid_search_picks_parameters_from_an_events_frame():
    events, _ = checkerboard(12)
    search = GridSearchCV(
        rp.ALS(iterations=5), {"factors": [1, 2], "unobserved_weight": [0.01, 50.0]}, cv=3
    ).fit(events)
    assert search.best_params_["unobserved_weight"] == 0.01
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(search.best_estimator_.recommend("u-0", n=3)) == 3


def test_models_can_be_cross_validated():
    shares = cross_val_score(rp.ItemKNN(), checkerboard(12).events, cv=3)
    assert len(shares) == 3
    assert (shares > 0.2).all()


def test_new_rows_of_the_catalogue_can_be_recommended_at_once():
    model = rp.Popularity().fit(EVENTS)
    assert model.update_items(pd.DataFrame({"item_id": ["gold", "tea"]})) is model
    assert model.recommend("anna").item_ids == ["salt", "gold"]
    model.update_users(pd.DataFrame({"user_id": ["eve"]}))
    assert model.recommend("eve").effects == ()
    with pytest.raises(LookupError, match="rows with item_id need a column 'item_id'"):
        model.update_items(pd.DataFrame({"sku": [1]}))


def test_forgetting_counts_who_was_known_and_keeps_the_others():
    model = rp.ItemKNN().fit(EVENTS)
    before = model.recommend("ben").item_ids
    assert model.forget(["anna", "eve"]) == 1
    assert model.forget(["anna"]) == 0
    assert model.recommend("ben").item_ids == before
    assert model.recommend("anna").effects == ("unknown user 'anna'",)


def test_a_stage_is_anything_callable():
    assert isinstance(lambda query, ranking: ranking, rp.Stage)
    assert not isinstance(7, rp.Stage)


@pytest.mark.parametrize("user_id", ["9" * 5_000, "²", 10**300], ids=["digits", "odd", "large"])
def test_an_unknown_id_of_any_length_is_answered(user_id):
    events = pd.DataFrame({"user_id": [17, 18], "item_id": ["tea", "salt"]})
    assert len(rp.Popularity().fit(events).recommend(user_id)) == 2


def test_a_history_of_nothing_known_says_nothing():
    model = rp.Popularity().fit(rp.synthetic_shop(60, 30, random_state=7))
    for history in ({}, ["nothing known"]):
        items, weights = model.taste_of(rp.Query(history=history))
        assert len(items) == len(weights) == 0
