"""MMR and DPP: what holds of any list chosen one by one, alone and in a pipeline."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ParameterError
from recopersona.kernels.rerank import pick_dpp, pick_mmr

STAGES = [rp.MMR, rp.DPP]
N = 40
LOG = pd.DataFrame({"user_id": np.arange(N) % 7, "item_id": np.arange(N)})
SHOP = rp.Dataset.from_frames(LOG)
QUERY = rp.Query(1)


def vectors(seed=0, width=8):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, width)) + 0.5


def ranking(scores, items=None):
    items = np.arange(len(scores)) if items is None else items
    return rp.Ranking.of(items, scores, SHOP.items, "made")


def some_scores(seed=0):
    return np.random.default_rng(seed).gumbel(size=N)


def fitted(kind, **parameters):
    return kind(**{"vectors": vectors(), **parameters}).fit(SHOP)


@pytest.mark.parametrize("kind", STAGES)
def test_weight_0_keeps_the_order(kind):
    given = ranking(some_scores()).rescored(some_scores())
    assert fitted(kind, weight=0)(QUERY, given).item_ids == given.item_ids


@pytest.mark.parametrize("kind", STAGES)
@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("top", [1, 5, 50])
def test_everything_comes_back_once_and_scores_never_rise(kind, weight, top):
    for seed in range(5):
        found = fitted(kind, weight=weight, top=top)(QUERY, ranking(some_scores(seed)))
        assert sorted(found.items) == list(range(N))
        assert (np.diff(found.scores) <= 0).all()


def test_under_a_window_scores_never_rise_either():
    same = np.repeat(np.eye(4), N // 4, axis=0)
    found = fitted(rp.DPP, vectors=same, window=1, weight=0.9)(QUERY, ranking(some_scores()))
    assert (np.diff(found.scores) <= 0).all()


@pytest.mark.parametrize("kind", STAGES)
def test_the_order_of_candidates_does_not_matter(kind):
    scores = np.round(some_scores(), 1)  # some are equal
    straight = fitted(kind)(QUERY, ranking(scores))
    for seed in range(5):
        places = np.random.default_rng(seed).permutation(N)
        shuffled = fitted(kind)(QUERY, ranking(scores[places], places))
        assert shuffled.item_ids == straight.item_ids
        assert (shuffled.scores == straight.scores).all()


@pytest.mark.parametrize("kind", STAGES)
def test_a_repetition_waits(kind):
    kinds = np.eye(3)[[0, 0, 0, 1, 1, 2]]
    stage = kind(vectors=kinds, weight=0.9).fit(SHOP)
    found = stage(QUERY, ranking([6.0, 5, 4, 3, 2, 1]))
    assert found.item_ids[:3] == [0, 3, 5]


def test_a_third_of_a_kind_costs_more_than_a_second_by_dpp_alone():
    kinds = np.eye(2)[[0, 0, 0, 0, 1, 1]]
    given = ranking([1.0, 0.98, 0.96, 0.94, 0.5, 0.0])
    mmr = rp.MMR(vectors=kinds, weight=1 / 3).fit(SHOP)
    assert mmr(QUERY, given).item_ids == [0, 4, 1, 2, 3, 5]  # what pays once, pays again
    dpp = rp.DPP(vectors=kinds, weight=1 / 3, ridge=0.8).fit(SHOP)
    assert dpp(QUERY, given).item_ids == [0, 1, 4, 2, 3, 5]


def test_a_window_lets_what_was_long_ago_come_again():
    kinds = np.eye(2)[[0, 0, 1, 1, 1, 1]]
    given = ranking([9.0, 8.9, 6.0, 5.9, 5.8, 5.7])
    narrow = rp.DPP(vectors=kinds, weight=0.7, window=1).fit(SHOP)(QUERY, given).item_ids
    assert narrow[:4] == [0, 2, 1, 3]


@pytest.mark.parametrize("kind", STAGES)
@pytest.mark.parametrize(
    "made",
    [
        np.ones((N, 3)),  # all the same
        np.zeros((N, 3)),  # nothing known
        np.full((N, 3), np.nan),
        np.full((N, 3), 1e300),
        np.full((N, 3), 1e-300),
        vectors(width=1),  # of rank 1
        vectors(width=2)[:5],  # most unknown
    ],
)
@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_no_vectors_make_a_short_list(kind, made, weight):
    for given in (
        some_scores(),
        np.zeros(N),
        np.full(N, np.nan),
        np.where(np.arange(N), 1, np.inf),
    ):
        found = fitted(kind, vectors=made, weight=weight)(QUERY, ranking(given))
        assert sorted(found.items) == list(range(N))
        assert np.isfinite(found.scores).all()


@pytest.mark.parametrize("kind", STAGES)
def test_what_is_all_the_same_stays_in_order(kind):
    found = fitted(kind, vectors=np.ones((N, 3)))(QUERY, ranking(-np.arange(N)))
    assert found.item_ids == list(range(N))


@pytest.mark.parametrize("kind", STAGES)
def test_none_and_one_candidate(kind):
    stage = fitted(kind)
    assert len(stage(QUERY, ranking([]))) == 0
    assert stage(QUERY, ranking([3.0])).item_ids == [0]


@pytest.mark.parametrize("kind", STAGES)
def test_a_score_that_is_no_number_counts_as_the_median(kind):
    found = fitted(kind, weight=0)(QUERY, ranking([4.0, np.nan, 1.0, 3.0]))
    assert found.item_ids == [0, 1, 3, 2]  # of 1, 3, 4: as good as item 3, and before it


def test_kernels_choose_no_more_than_there_is():
    worth, unit = np.array([1.0, 0.5]), np.eye(2, dtype=np.float32)
    for pick, scalars in ((pick_mmr, (0.5,)), (pick_dpp, (0.5, 0.4, 1, 9))):
        chosen, gains = np.full(4, 77, np.int32), np.empty(2)
        pick(chosen, gains, worth, unit, *scalars)
        assert chosen.tolist() == [0, 1, 77, 77]


# -- in a pipeline ---------------------------------------------------------------------------

MADE = rp.synthetic_shop(150, 80, random_state=5)


def home(stage, **more):
    return rp.Pipeline(candidates=[rp.Popularity()], reranker=stage, **more).fit(MADE)


@pytest.mark.parametrize("kind", STAGES)
def test_limits_hold_on_a_varied_page(kind):
    rules = "LIMIT 1 PER item.category IN TOP 5"
    page = home(kind(weight=0.5), rules=rules).recommend("u-0001", n=5)
    kinds = MADE.catalogue.set_index("item_id")["category"]
    assert len(page) == 5
    assert kinds[page.item_ids].is_unique


@pytest.mark.parametrize("kind", STAGES)
def test_a_page_is_more_varied_than_without(kind):
    plain, varied = home(None), home(kind(vectors=["category"], weight=0.6))
    kinds = MADE.catalogue.set_index("item_id")["category"]
    users = MADE.users.ids[:20]
    before, after = (
        np.mean([kinds[one.recommend(user, n=8).item_ids].nunique() for user in users])
        for one in (plain, varied)
    )
    assert after > before + 0.5


@pytest.mark.parametrize("kind", STAGES)
def test_a_new_item_is_compared_by_what_it_is(kind):
    fitted_home = home(kind(weight=0.5))
    catalogue = MADE.catalogue
    twin = catalogue.iloc[[3]].assign(item_id="new")
    fitted_home.update_items(twin)
    known, items = fitted_home.reranker_.item_vectors_, fitted_home.items_
    rows = known.of(items.indices(["new", catalogue["item_id"].iloc[3]]))
    assert np.isclose(rows[0] @ rows[1], 1)
    changed = catalogue.iloc[[9]].assign(item_id="new")
    fitted_home.update_items(changed)
    rows = known.of(items.indices(["new", catalogue["item_id"].iloc[9]]))
    assert np.isclose(rows[0] @ rows[1], 1)


@pytest.mark.parametrize("kind", STAGES)
def test_a_saved_pipeline_answers_the_same(kind, tmp_path):
    fitted_home = home(kind(weight=0.5))
    rp.save(fitted_home, tmp_path / "home.rp")
    loaded = rp.load(tmp_path / "home.rp")
    page = fitted_home.recommend("u-0002", n=9)
    again = loaded.recommend("u-0002", n=9)
    assert again.item_ids == page.item_ids
    assert (again.scores == page.scores).all()
    loaded.update_items(MADE.catalogue.iloc[[3]].assign(item_id="new"))
    assert loaded.reranker_.item_vectors_.of(loaded.items_.indices(["new"])).any()


@pytest.mark.parametrize("kind", STAGES)
def test_explanations_survive(kind):
    page = home(kind(weight=0.5)).recommend("u-0002", n=3)
    assert page.explain(page.item_ids[1])["component"].tolist() == ["popularity"]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"weight": 1.5}, "weight must be a finite number of at least 0 and at most 1"),
        ({"vectors": "genre"}, "vectors must be a list of item columns, a model"),
        ({"vectors": ["genre"]}, "'genre', which is no attribute"),
        ({"ridge": 0}, "ridge must be a number between 0 and 1"),
        ({"window": 0}, "window must be an integer of at least 1"),
    ],
)
def test_what_cannot_be_is_refused(parameters, said):
    with pytest.raises(ParameterError, match=said):
        rp.DPP(**parameters).fit(SHOP)
