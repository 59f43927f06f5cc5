import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recopersona as rp
from recopersona.errors import ParameterError
from recopersona.testing import check_recommender, checkerboard
from tests.naive import neighbors as naive
from tests.naive.weighting import weighted

counts = st.lists(
    st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=2, max_size=6
).filter(lambda rows: any(map(any, rows)))
WEIGHTINGS = ["none", "binary", "tfidf", "bm25"]
SIMILARITIES = ["cosine", "jaccard", "dice"]
PAIRS = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})


def dense(model, n_items):
    """The model's weights as a matrix: from each item, to each item."""
    weights = np.zeros((n_items, n_items))
    for item in range(n_items):
        row = slice(model.bounds_[item], model.bounds_[item + 1])
        weights[item, model.neighbors_[row]] = model.weights_[row]
    return weights


def twin(x, model, k):
    """Every item's likeness to every other, with only the ``k`` best kept."""
    n_items = x.shape[1]
    rows = weighted(x, model.weighting).T.tolist()
    options = (model.similarity, model.asymmetry, model.shrink)
    found = naive.most_alike(rows, rows, range(n_items), k, *options)
    likeness = np.zeros((n_items, n_items))
    for item, pairs in enumerate(found):
        for other, value in pairs:
            likeness[item, other] = value
    return likeness


# -- items -------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
@given(counts, st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.sampled_from([0.0, 2.0]))
@settings(max_examples=25)
def test_the_likeness_is_the_twins(weighting, similarity, rows, asymmetry, shrink):
    x = np.array(rows, dtype=np.float32)
    model = rp.ItemKNN(
        k=10, weighting=weighting, similarity=similarity, asymmetry=asymmetry, shrink=shrink,
        normalize=False,
    ).fit(rp.Dataset.from_matrix(x))  # fmt: skip
    assert np.allclose(dense(model, 5), twin(x, model, 10), rtol=1e-4, atol=1e-6)


def test_of_sets_the_likeness_is_a_share_of_users():
    # a has users 1 to 4, b has 3 to 5: two of five in common.
    users, items = [1, 2, 3, 4, 3, 4, 5], list("aaaabbb")
    events = pd.DataFrame({"user_id": users, "item_id": items})
    for options, fair in [
        ({"similarity": "jaccard"}, 2 / 5),
        ({"similarity": "dice"}, 2 * 2 / 7),
        ({"similarity": "cosine"}, 2 / np.sqrt(12)),
        ({"similarity": "cosine", "asymmetry": 1.0}, 2 / 4),  # the share of a's users with b
        ({"similarity": "cosine", "asymmetry": 0.0}, 2 / 3),
    ]:
        options = {"asymmetry": 0.5, "weighting": "binary", "normalize": False} | options
        model = rp.ItemKNN(**options).fit(events)
        assert model.similar_items("a", n=1).scores[0] == pytest.approx(fair), options


@given(counts, st.integers(1, 4))
@settings(max_examples=30)
def test_only_the_k_most_alike_are_kept_best_first(rows, k):
    shop = rp.Dataset.from_matrix(np.array(rows, dtype=np.float32))
    few, all_of_them = (rp.ItemKNN(k=n, normalize=False).fit(shop) for n in (k, 10))
    for item in range(5):
        mine, theirs = (slice(*model.bounds_[item : item + 2]) for model in (few, all_of_them))
        assert few.neighbors_[mine].tolist() == all_of_them.neighbors_[theirs][:k].tolist()
        assert (np.diff(few.weights_[mine]) <= 0).all()


def test_normalized_neighbours_have_one_say_per_item():
    x = np.random.default_rng(3).integers(0, 2, (20, 8)).astype(np.float32)
    shop = rp.Dataset.from_matrix(x)
    plain = dense(rp.ItemKNN(k=3, normalize=False).fit(shop), 8)
    normalized = dense(rp.ItemKNN(k=3, normalize=True).fit(shop), 8)
    assert np.allclose(normalized, plain / plain.sum(axis=1, keepdims=True))


def test_the_checkerboards_answer_is_found():
    events, answers = checkerboard()
    for model in (rp.ItemKNN(), rp.UserKNN()):
        model.fit(events)
        assert all(model.recommend(user, n=1).item_ids == [item] for user, item in answers.items())


def test_a_score_is_the_likeness_to_what_was_liked_by_its_weight():
    model = rp.ItemKNN(weighting="none", asymmetry=0.5, normalize=False).fit(PAIRS)
    likeness = 2 / np.sqrt(6)
    assert model.score_items(rp.Query(history={"a": 3.0}))[1] == pytest.approx(3 * likeness)
    assert model.score_items(rp.Query(history=["a"]))[0] == -np.inf
    assert model.explain(rp.Query(history={"a": 3.0}), "b").to_dict("list") == {
        "component": ["liked item"], "evidence": ["a"],
        "contribution": [pytest.approx(3 * likeness)],
    }  # fmt: skip


def test_shrinking_draws_rare_pairs_towards_nothing():
    events = pd.DataFrame({
        "user_id": [1, 1, *range(10, 30), *range(10, 30)],
        "item_id": ["rare", "odd", *["tea"] * 20, *["cup"] * 20],
    })  # fmt: skip
    options = {"weighting": "none", "normalize": False}
    plain = rp.ItemKNN(**options).fit(events)
    shrunk = rp.ItemKNN(shrink=5.0, **options).fit(events)
    for model, fair in ((plain, 1.0), (shrunk, 20 / 25)):
        assert model.similar_items("tea", n=1).scores[0] == pytest.approx(fair)
    assert shrunk.similar_items("rare", n=1).scores[0] == pytest.approx(1 / 6)


def test_old_weights_that_decayed_to_nothing_harm_nobody():
    days = pd.to_datetime("2024-01-01") + pd.to_timedelta(np.arange(400), unit="D")
    log = pd.DataFrame(
        {"user_id": np.arange(400) // 4, "item_id": np.arange(400) % 4, "timestamp": days}
    )
    shop = rp.Dataset.from_frames(log, half_life="2d")
    for similarity in SIMILARITIES:
        model = rp.ItemKNN(weighting="none", similarity=similarity).fit(shop)
        assert np.isfinite(model.weights_).all()
        assert (model.weights_ <= 1.001).all()
        assert len(model.recommend("a stranger")) == 4
        assert np.isfinite(rp.UserKNN(similarity=similarity).fit(shop).recommend(99).scores).all()


def test_an_item_that_came_later_has_no_neighbours_yet():
    model = rp.ItemKNN().fit(checkerboard(6).events)
    model.update_items(pd.DataFrame({"item_id": ["new"]}))
    assert model.score_items(rp.Query(history=["new"])).tolist() == [-np.inf] * 7
    assert model.similar_items("new", n=2).item_ids == model.recommend(rp.Query(), n=2).item_ids


def crawler(n_items=50):
    """Two buyers of the same three items, and one who touched everything once."""
    everything = pd.DataFrame({"user_id": "crawler", "item_id": np.arange(n_items)})
    buyers = pd.DataFrame({"user_id": ["a"] * 3 + ["b"] * 3, "item_id": [0, 1, 2] * 2})
    return pd.concat([buyers, everything], ignore_index=True)


def test_what_a_crawler_touched_counts_only_up_to_a_limit():
    capped = rp.ItemKNN(max_user_items=10, weighting="none").fit(crawler())
    whole = rp.ItemKNN(weighting="none").fit(crawler())
    assert (capped.n_left_out_, whole.n_left_out_) == (40, 0)
    assert len(capped.neighbors_) < len(whole.neighbors_)
    again = rp.ItemKNN(max_user_items=10, weighting="none").fit(crawler())
    assert np.array_equal(again.neighbors_, capped.neighbors_)
    assert len(capped.taste_of(rp.Query("crawler"))[0]) == 50
    assert capped.similar_items(0, n=2).item_ids == [1, 2]


def test_the_heaviest_items_of_a_crawler_count_first():
    x = np.ones((2, 30), np.float32)
    x[0, 20:24] = 5
    x[1] = 0
    model = rp.ItemKNN(max_user_items=4, weighting="none").fit(rp.Dataset.from_matrix(x))
    assert set(model.neighbors_.tolist()) == {20, 21, 22, 23}


# -- users -------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
@given(counts, st.sampled_from([0.0, 0.5, 0.8]), st.integers(1, 4))
@settings(max_examples=25)
def test_scores_of_users_are_the_twins(weighting, similarity, rows, asymmetry, k):
    x = np.array(rows, dtype=np.float32)
    model = rp.UserKNN(
        k=k, weighting=weighting, similarity=similarity, asymmetry=asymmetry, shrink=1.0
    ).fit(rp.Dataset.from_matrix(x))
    users = weighted(x.T, weighting).T.tolist()
    found = naive.most_alike(users, users, range(len(x)), k, similarity, asymmetry, 1.0)
    for user, neighbors in enumerate(found):
        scores = model.score_items(rp.Query(user))
        expected = sum((likeness * x[other] for other, likeness in neighbors), np.zeros(5))
        # Of neighbours equally alike, rounding may choose another.
        last = [likeness for _, likeness in neighbors][-1:]
        tied = naive.most_alike([users[user]], users, [user], 9, similarity, asymmetry, 1.0)[0]
        if sum(np.isclose(value, last[0], rtol=1e-4) for _, value in tied) > 1 if last else False:
            continue
        assert np.allclose(np.where(scores == -np.inf, 0, scores), expected, rtol=1e-3, atol=1e-5)


def test_a_stranger_with_a_history_has_neighbours():
    model = rp.UserKNN().fit(checkerboard(8).events)
    for query in (rp.Query(history=["i-1", "i-3"]), rp.Query(session=["i-1", "i-3"])):
        ranking = model.recommend(query, n=2)
        assert ranking.item_ids == ["i-5", "i-7"]
        assert set(ranking.sources) == {"UserKNN"}


def test_nobody_is_her_own_neighbour():
    events = pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "b"]})
    model = rp.UserKNN(weighting="none").fit(events)
    assert model.score_items(rp.Query(1))[0] == -np.inf
    assert model.score_items(rp.Query(history=["b"]))[0] > 0


def test_who_is_forgotten_is_nobodys_neighbour():
    events = pd.DataFrame({"user_id": [1, 1, 2, 3, 3], "item_id": ["a", "b", "b", "b", "c"]})
    model = rp.UserKNN(weighting="none").fit(events)
    before = model.score_items(rp.Query(2)).tolist()
    model.forget([1, "nobody"])
    after = model.score_items(rp.Query(2)).tolist()
    assert before[0] > 0
    assert (after[0], after[2]) == (-np.inf, before[2])
    assert not (model.item_users_ == 0).any()
    assert model.user_bounds_[1] == 0


def test_an_explanation_of_neighbours_names_what_is_in_common():
    events = pd.DataFrame({"user_id": [1, 1, 1, 2, 2, 3, 3], "item_id": list("abcabcd")})
    model = rp.UserKNN(weighting="none", asymmetry=0.5).fit(events)
    frame = model.explain(2, "c")
    assert frame["evidence"].tolist() == ["a", "b"]
    assert frame["contribution"].tolist() == pytest.approx([1 / np.sqrt(6)] * 2)
    assert model.explain(rp.Query("a stranger"), "c").empty


# -- both --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [rp.ItemKNN, rp.UserKNN])
@pytest.mark.parametrize(
    "options",
    [{"similarity": "jaccard", "asymmetry": 0.2}, {"weighting": "bm25", "shrink": 2.0, "k": 3}],
    ids=str,
)
def test_every_way_of_comparing_keeps_the_contract(kind, options):
    check_recommender(kind(**options))


@pytest.mark.parametrize("kind", [rp.ItemKNN, rp.UserKNN])
def test_an_item_seen_by_everyone_and_a_single_event_are_no_trouble(kind):
    everyone = pd.DataFrame({"user_id": [1, 2, 3, 3], "item_id": ["hit", "hit", "hit", "b"]})
    for weighting in WEIGHTINGS:
        model = kind(weighting=weighting, k=99).fit(everyone)
        assert model.recommend(1, n=2).item_ids == ["b"]
        alone = kind(weighting=weighting).fit([rp.Event("u", "i")])
        assert alone.recommend("u", seen="keep").item_ids == ["i"]
        assert alone.recommend("a stranger").item_ids == ["i"]


@pytest.mark.parametrize("kind", [rp.ItemKNN, rp.UserKNN])
@pytest.mark.parametrize(
    ("change", "words"),
    [({"k": 0}, "k must be an integer of at least 1, got 0"),
     ({"weighting": "tf-idf"}, "weighting must be one of .*, got 'tf-idf'; did you mean 'tfidf'?"),
     ({"similarity": "euclid"}, "similarity must be one of 'cosine', 'jaccard', 'dice', got"),
     ({"asymmetry": 1.1}, "asymmetry must be a finite number of at least 0 and at most 1"),
     ({"shrink": -1}, "shrink must be a finite number of at least 0, got -1")],
)  # fmt: skip
def test_parameters_have_bounds(kind, change, words):
    with pytest.raises(ParameterError, match=f"{kind.__name__}: {words}"):
        kind(**change).fit(PAIRS)
