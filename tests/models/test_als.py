import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ParameterError
from recopersona.testing import checkerboard
from recopersona.testing.shops import small_shop

RNG = np.random.default_rng(4)
COUNTS = RNG.poisson(0.6, (30, 20)).astype(np.float32)
SHOP = rp.Dataset.from_matrix(COUNTS)


def loss(model, alpha, unobserved_weight, reg, reg_exponent):
    """The objective of the class's docstring, over every cell."""
    users, items = model.user_factors_.astype(np.float64), model.item_factors_.astype(np.float64)
    predicted = users @ items.T
    observed = COUNTS > 0
    fit = (alpha * COUNTS * (1 - predicted) ** 2)[observed].sum()
    rest = unobserved_weight * (predicted[~observed] ** 2).sum()
    sizes = (observed.sum(axis=1) + unobserved_weight * COUNTS.shape[1],
             observed.sum(axis=0) + unobserved_weight * COUNTS.shape[0])  # fmt: skip
    penalty = sum(
        (reg * size**reg_exponent * (factors**2).sum(axis=1)).sum()
        for size, factors in zip(sizes, (users, items), strict=True)
    )
    return fit + rest + penalty


@pytest.mark.parametrize("reg_exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("alpha", [0.5, 4.0])
def test_more_iterations_lower_the_objective(reg_exponent, alpha):
    options = {"alpha": alpha, "unobserved_weight": 0.2, "reg": 0.05, "reg_exponent": reg_exponent}
    losses = [
        loss(rp.ALS(factors=4, iterations=n, **options).fit(SHOP), **options)
        for n in (1, 3, 10, 60)
    ]
    assert losses == sorted(losses, reverse=True)


def test_at_the_end_no_user_can_do_better():
    options = {"alpha": 2.0, "unobserved_weight": 0.2, "reg": 0.05, "reg_exponent": 1.0}
    model = rp.ALS(factors=4, iterations=100, **options).fit(SHOP)
    best = loss(model, **options)
    for change in (1e-2, -1e-2):
        for user, factor in ((0, 0), (7, 2), (29, 3)):
            model.user_factors_[user, factor] += change
            assert loss(model, **options) > best
            model.user_factors_[user, factor] -= change


def test_a_stranger_with_the_same_past_gets_the_same_scores():
    model = rp.ALS(factors=4, iterations=60).fit(SHOP)
    for user in range(10):
        past = {item: float(COUNTS[user, item]) for item in np.flatnonzero(COUNTS[user]).tolist()}
        if past:
            folded_in = model.score_items(rp.Query(history=past))
            assert np.allclose(folded_in, model.score_items(rp.Query(user)), atol=2e-3)


def test_the_checkerboards_answer_is_found():
    events, answers = checkerboard()
    model = rp.ALS(factors=8).fit(events)
    assert all(model.recommend(user, n=1).item_ids == [item] for user, item in answers.items())


def test_a_new_user_of_the_checkerboard_gets_her_colour():
    model = rp.ALS(factors=8).fit(checkerboard().events)
    model.partial_fit([rp.Event("new", f"i-{item}") for item in (0, 2, 4)])
    assert {int(item[2:]) % 2 for item in model.recommend("new", n=7).item_ids} == {0}


def test_a_session_moves_a_known_user():
    model = rp.ALS(factors=8).fit(checkerboard().events)
    odd = rp.Query(history=["i-1", "i-3", "i-5"])
    assert {int(item[2:]) % 2 for item in model.recommend(odd, n=7).item_ids} == {1}


def test_weights_of_events_are_confidence():
    shop = rp.Dataset.from_frames(
        pd.DataFrame({"user_id": [0, 0, 1, 2], "item_id": ["a", "b", "a", "b"],
                      "event": ["purchase", "view", "view", "view"]}),
        event_weights={"purchase": 50},
    )  # fmt: skip
    scores = rp.ALS(factors=2, reg=0.1).fit(shop).score_items(rp.Query(0))
    assert 1 - scores[0] < 1 - scores[1]


def test_factors_have_the_declared_shape_and_type():
    model = rp.ALS(factors=3).fit(SHOP)
    assert (model.user_factors_.shape, model.item_factors_.shape) == ((30, 3), (20, 3))
    assert (model.user_factors_.dtype, model.item_factors_.dtype) == (np.float32, np.float32)
    gram = model.unobserved_weight * model.item_factors_.T @ model.item_factors_
    assert np.allclose(np.diag(model.spectrum_), gram, atol=1e-5)


def test_the_answer_does_not_depend_on_where_memory_lies():
    """A kernel once rounded differently where two of its buffers lay near each other."""
    shop, held = small_shop(), []
    first = rp.ALS(factors=8).fit(shop).item_factors_
    for size in range(30):
        held += [np.empty(8 * size, np.uint8) for _ in range(size)]  # moves the next buffers
        assert (rp.ALS(factors=8).fit(shop).item_factors_ == first).all()


def test_another_seed_starts_elsewhere():
    first, second = (
        rp.ALS(factors=3, iterations=1, random_state=seed).fit(SHOP) for seed in (1, 2)
    )
    assert not np.allclose(first.item_factors_, second.item_factors_)


@pytest.mark.parametrize(
    "options", [{"reg": 0.0, "factors": 64}, {"unobserved_weight": 1e-6}, {"alpha": 1e4}]
)
def test_extreme_parameters_give_numbers(options):
    model = rp.ALS(**{"factors": 8, **options}).fit(SHOP)
    assert np.isfinite(model.user_factors_).all()
    assert np.isfinite(model.recommend(3, n=20).scores).all()
    assert np.isfinite(model.recommend(rp.Query(history=[1, 2]), n=20).scores).all()


def test_who_has_no_past_and_what_has_no_user_have_no_score():
    matrix = COUNTS.copy()
    matrix[5], matrix[:, 9] = 0, 0
    model = rp.ALS(factors=4).fit(rp.Dataset.from_matrix(matrix))
    assert (model.score_items(rp.Query(5)) == -np.inf).all()
    assert model.score_items(rp.Query(3))[9] == -np.inf
    assert model.similar_items(9, n=3).item_ids == model.recommend(rp.Query(), n=3).item_ids


def test_similar_items_are_near_by_angle():
    model = rp.ALS(factors=8).fit(checkerboard().events)
    ranking = model.similar_items("i-0", n=9)
    assert {int(item[2:]) % 2 for item in ranking.item_ids} == {0}
    assert (np.abs(ranking.scores) <= 1.0001).all()


def test_an_explanation_names_the_items_that_were_liked():
    model = rp.ALS(factors=8).fit(checkerboard().events)
    frame = model.explain("u-0", "i-0")
    liked = set(frame["evidence"].dropna())
    assert liked == {f"i-{item}" for item in range(2, 20, 2)}
    assert frame["contribution"].sum() == pytest.approx(float(model.score_items(rp.Query("u-0"))[
        model.items_.index("i-0")]), rel=1e-4)  # fmt: skip


def test_a_new_item_is_offered_at_once_to_whom_it_suits():
    model = rp.ALS(factors=8).fit(checkerboard().events)
    model.partial_fit([rp.Event(f"u-{user}", "new") for user in (0, 2, 4, 6)])
    even, odd = (model.score_items(rp.Query(f"u-{user}"))[-1] for user in (8, 9))
    assert even > 0.3 > 0.1 > odd
    model.partial_fit(rp.Event("u-8", "newer"))
    assert len(model.score_items(rp.Query("u-1"))) == 22
    assert {int(item[2:]) % 2 for item in model.similar_items("new", n=9).item_ids
            if item.startswith("i-")} == {0}  # fmt: skip


def test_a_new_items_factors_are_those_that_its_system_asks_for():
    model = rp.ALS(factors=4, reg=0.3, iterations=40).fit(SHOP)
    model.partial_fit([rp.Event(user, 99) for user in (1, 2, 2, 5)])
    before = model.user_factors_
    gram = model.unobserved_weight * before.T @ before
    gram += 0.3 * (3 + model.unobserved_weight * 30) ** 0.5 * np.eye(4)
    weights = {1: 1.0, 2: 2.0, 5: 1.0}
    wanted = np.zeros(4)
    for user, weight in weights.items():
        gram += (weight - model.unobserved_weight) * np.outer(before[user], before[user])
        wanted += weight * before[user]
    assert np.allclose(model.item_factors_[-1], np.linalg.solve(gram, wanted), atol=1e-4)


def test_a_new_item_is_learned_from_its_latest_users_only():
    shop = rp.Dataset.from_matrix(np.tile(COUNTS, (4, 1)))
    many = [rp.Event(user, 99) for user in range(100)]
    at_once = rp.ALS(factors=4).fit(shop).partial_fit(many)
    one_by_one = rp.ALS(factors=4).fit(shop)
    for event in many:
        one_by_one.partial_fit(event)
    assert (at_once.late_users_ == one_by_one.late_users_).all()
    assert set(at_once.late_users_[0].tolist()) == set(range(36, 100))


def test_whom_nobody_can_place_stays_without_factors():
    model = rp.ALS(factors=4).fit(checkerboard(8).events)
    model.partial_fit(rp.Event("somebody new", "something new"))
    assert model.score_items(rp.Query("u-1"))[8] == -np.inf
    assert "something new" in model.recommend("u-1", n=20).item_ids


@pytest.mark.parametrize(
    ("change", "words"),
    [({"factors": 0}, "ALS: factors must be an integer of at least 1, got 0"),
     ({"reg": -1}, "ALS: reg must be a finite number of at least 0, got -1"),
     ({"alpha": 0}, "ALS: alpha must be a finite number above 0, got 0"),
     ({"unobserved_weight": 0}, "ALS: unobserved_weight must be a finite number"),
     ({"iterations": 1.5}, "ALS: iterations must be an integer"),
     ({"random_state": "x"}, "ALS: random_state must be None, an integer from 0")],
)  # fmt: skip
def test_parameters_have_bounds(change, words):
    with pytest.raises(ParameterError, match=words):
        rp.ALS(**change).fit(SHOP)


def test_a_model_mapped_from_disk_goes_on_placing_new_items(tmp_path):
    model = rp.ALS(factors=4).fit(checkerboard(8).events)
    model.partial_fit(rp.Event("u-0", "new"))
    model.save(tmp_path / "model")
    loaded = rp.load(tmp_path / "model", mmap=True)
    loaded.partial_fit(rp.Event("u-2", "i-4"))
    loaded.partial_fit(rp.Event("u-0", "i-6"))
    model.partial_fit(rp.Event("u-2", "i-4")).partial_fit(rp.Event("u-0", "i-6"))
    assert (loaded.item_factors_ == model.item_factors_).all()


def test_the_index_of_a_large_catalogue_finds_new_items():
    random = np.random.default_rng(3)
    pairs = random.integers(0, (50, 5_000), (15_000, 2))
    model = rp.ALS(factors=4, iterations=2).fit(pd.DataFrame(pairs, columns=["user_id", "item_id"]))
    model.partial_fit([rp.Event(user, "new") for user in range(30)])
    asker = int(np.argmax(model.user_factors_ @ model.item_factors_[-1]))
    scores = model.score_items(rp.Query(asker))
    rank = int((scores > scores[-1]).sum()) + 1
    best = model.recommend(asker, n=rank, seen="keep")
    assert rank <= 600  # beyond an eighth of the catalogue no index is asked
    assert best.item_ids[-1] == "new"
    assert np.allclose(best.scores, np.sort(scores)[::-1][:rank], rtol=1e-5)
