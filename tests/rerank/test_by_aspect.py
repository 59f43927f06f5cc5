"""Lists by what a column says: something of everything she likes, or in the same proportions."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.data.ranking import Ranking
from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.rerank.aspects import Aspects
from recopersona.rerank.scaling import scaled
from tests.naive import aspects as naive

KINDS = ["tea", "salt", "oil", "rice"]
BOTH = pytest.mark.parametrize("stage", [rp.XQuAD, rp.Calibrated])


def shop(seed=0, n_items=40, taken=10):
    """Items of four kinds, of no kind or of several; anna mostly takes tea, ben salt."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(len(KINDS), n_items)
    shelf = pd.DataFrame({
        "item_id": np.arange(n_items),
        "kind": [KINDS[kind] if rng.random() < 0.9 else None for kind in kinds],
        "tags": [rng.choice(["x", "y", "z"], rng.integers(0, 3)).tolist() for _ in kinds],
        "gift": rng.random(n_items) < 0.3,
        "price": rng.random(n_items),
    })  # fmt: skip
    taste = {"anna": [0.7, 0.2, 0.1, 0], "ben": [0, 0.9, 0, 0.1]}
    rows = [
        (user, int(rng.choice(np.flatnonzero(kinds == kind))))
        for user, shares in taste.items()
        for kind in rng.choice(len(KINDS), taken, p=shares)
    ]
    return rp.Dataset.from_frames(pd.DataFrame(rows, columns=["user_id", "item_id"]), items=shelf)


def ranked(data, scores):
    places = np.argsort(-np.asarray(scores), kind="stable")
    return Ranking.of(places, np.asarray(scores, np.float32)[places], data.items, "given")


@BOTH
@pytest.mark.parametrize("attribute", ["kind", "tags", "gift"])
@pytest.mark.parametrize("seed", range(15))
def test_order_and_scores_of_any_ranking(stage, attribute, seed):
    rng = np.random.default_rng(seed)
    data = shop(seed)
    ranking = ranked(data, rng.random(40).round(1 + seed % 2))  # of equals, some or many
    query = rp.Query(rng.choice(["anna", "ben", "nobody"]))
    assert stage(attribute=attribute, weight=0).fit(data)(query, ranking).item_ids == (
        ranking.item_ids
    )
    fitted = stage(attribute=attribute, weight=float(rng.random()), top=20).fit(data)
    order = fitted(query, ranking)
    assert sorted(order.item_ids) == sorted(ranking.item_ids)
    assert (np.diff(order.scores) <= 0).all()
    assert fitted(query, ranking.take(rng.permutation(40))).item_ids == order.item_ids


@BOTH
@pytest.mark.parametrize("seed", range(10))
def test_a_stage_chooses_what_its_twin_chooses(stage, seed):
    rng, data = np.random.default_rng(seed), shop(seed)
    ranking, query = ranked(data, rng.random(40)), rp.Query("anna")
    fitted = stage(attribute="tags", weight=0.6, top=8).fit(data)
    column = data.item_features.column("tags")
    names = column.categories.ids.tolist()
    aspects = [
        list(dict.fromkeys(names.index(tag) for tag in column.at(item) or ()))
        for item in ranking.items
    ]
    wanted = np.array([fitted.wanted_by(query)[name] for name in names])
    worth = scaled(ranking.scores)
    if stage is rp.XQuAD:
        most = max(0.5 * worth[k] * sum(wanted[a] for a in held) for k, held in enumerate(aspects))
        adds = naive.covering(0.4 * worth, 0.5 * worth, 0.6 / most * wanted, aspects)
    else:
        adds = naive.calibrating(0.4 * worth, 6 * wanted, wanted, aspects)
    chosen, gains = naive.choose(adds, 40, 8)
    order = fitted(query, ranking)
    assert order.items[:8].tolist() == ranking.items[chosen].tolist()
    np.testing.assert_allclose(order.scores[:8], np.array(gains)[chosen], rtol=1e-5)


def test_calibration_costs_little_and_brings_much():
    """On lists of ten of a made-up shop where everybody's first ten are of one kind or two."""
    data = rp.synthetic_shop(300, 300, random_state=2)
    model = rp.ALS(factors=8, iterations=3, random_state=0).fit(data)
    users = data.users.ids[:60].tolist()
    rankings = [model.recommend(user, n=150) for user in users]
    column = data.item_features.column("category")
    found = {}
    for weight in (0.0, 0.3):
        stage = rp.Calibrated(weight=weight).fit(data)
        divergences, kept = [], []
        for user, ranking in zip(users, rankings, strict=True):
            query = rp.Query(user)
            page = stage(query, ranking).top(20)
            shown = [[int(column.values[item])] for item in page.items]
            divergences.append(naive.divergence(stage._wanted(query).tolist(), shown, 0.2))
            worth = dict(zip(ranking.items, ranking.scores, strict=True))
            best = ranking.scores[:20].sum()
            kept.append(sum(worth[item] for item in page.items) / best)
        found[weight] = float(np.mean(divergences)), float(np.mean(kept))
    assert found[0.0][0] > 4 * found[0.3][0], found
    assert found[0.3][1] > 0.93, found


def test_xquad_covers_what_she_wants_and_nothing_else_for_its_own_sake():
    data = shop()
    stage = rp.XQuAD(attribute="kind", weight=0.9, prior=0).fit(data)
    kinds = data.item_features["kind"].to_numpy()
    by_price = ranked(data, np.linspace(1, 0.9, 40))
    page = stage(rp.Query("ben"), by_price).top(4)
    assert {kinds[item] for item in page.items} == {"salt", "rice"}


def test_the_shop_speaks_where_she_says_little():
    data = shop()
    known = rp.Calibrated(attribute="kind", prior=5).fit(data)
    usual = known.wanted_by(rp.Query("nobody"))
    assert np.isclose(sum(usual.values()), 1)
    shares = [known.wanted_by(rp.Query("x", history=["nope"]))["salt"], usual["salt"]]
    assert shares[0] == shares[1]
    salts = np.flatnonzero(data.item_features["kind"].to_numpy() == "salt").tolist()
    told = [known.wanted_by(rp.Query("x", history=salts[:n]))["salt"] for n in (0, 1, 5)]
    assert told[0] == usual["salt"] < told[1] < told[2]
    assert np.isclose(told[2], (5 + 5 * usual["salt"]) / 10)
    # Weights are compared among hers: whether a view weighs 1 or 100 changes nothing.
    hers = {salts[0]: 1.0, salts[1]: 3.0}
    large = {item: 100 * weight for item, weight in hers.items()}
    one, other = (known.wanted_by(rp.Query("x", history=given)) for given in (hers, large))
    assert one == pytest.approx(other)
    assert one["salt"] == pytest.approx((16 / 10 + 5 * usual["salt"]) / (16 / 10 + 5))
    unsure = rp.Calibrated(attribute="kind", prior=0).fit(data)
    assert unsure.wanted_by(rp.Query("nobody")) == pytest.approx(usual)
    assert unsure.wanted_by(rp.Query("x", history=salts[:1])) == {"salt": 1.0}


@BOTH
def test_nothing_known_of_any_item_leaves_the_order(stage):
    data = rp.Dataset.from_frames(
        pd.DataFrame({"user_id": ["anna"], "item_id": [1]}),
        items=pd.DataFrame({"item_id": [0, 1, 2], "kind": [None, None, None]}),
    )
    ranking = ranked(data, [1, 3, 2])
    fitted = stage(attribute="kind", weight=0.9).fit(data)
    assert fitted.aspects_.counts_ == {"items": 3, "without": 3, "aspects": 0}
    order = fitted(rp.Query("anna"), ranking)
    assert order.item_ids == [1, 2, 0]
    assert np.isfinite(order.scores).all()
    assert fitted.wanted_by(rp.Query("anna")) == {}


@BOTH
def test_identical_items_and_scores_that_are_no_number(stage):
    data = shop()
    fitted = stage(attribute="kind", weight=1.0).fit(data)
    same = Ranking.of(np.arange(40), np.ones(40), data.items, "given")
    for scores in (np.ones(40), np.full(40, np.nan), np.where(np.arange(40) % 3, np.inf, np.nan)):
        order = fitted(rp.Query("anna"), Ranking.of(np.arange(40), scores, data.items, "given"))
        assert sorted(order.item_ids) == list(range(40))
        assert np.isfinite(order.scores).all()
        assert (np.diff(order.scores) <= 0).all()
    one = same.top(1)
    assert fitted(rp.Query("anna"), one) is one
    assert len(fitted(rp.Query("anna"), same.top(0))) == 0


@BOTH
def test_items_and_aspects_that_came_after_the_fit_count_at_once(stage):
    home = rp.Pipeline(candidates=[rp.Popularity()], reranker=stage(attribute="kind")).fit(shop())
    fresh = pd.DataFrame({"item_id": [77, 78], "kind": ["honey", "tea"]})
    home.update_items(fresh)
    home.partial_fit([rp.Event("cleo", 77), rp.Event("cleo", 78), rp.Event("dan", 99)])
    assert home.reranker_.wanted_by(rp.Query("cleo"))["honey"] > 0.1
    told = home.reranker_.aspects_.weights_
    names = home.reranker_.aspects_.names(home.item_features_)
    page = home.recommend("cleo", n=43, seen="keep")
    assert {77, 78, 99} <= set(page.item_ids)
    # What was counted event by event is what is counted afresh.
    again = Aspects(attribute="kind").fit(home.item_features_, home.reranker_.records_.weights_)
    assert names[-1] == "honey"
    np.testing.assert_allclose(again.weights_, told)


@BOTH
def test_what_was_learned_is_kept(stage, tmp_path):
    home = rp.Pipeline(candidates=[rp.Popularity()], reranker=stage(attribute="tags")).fit(shop())
    rp.save(home, tmp_path / "home.rp")
    loaded = rp.load(tmp_path / "home.rp")
    assert loaded.recommend("anna").item_ids == home.recommend("anna").item_ids


@BOTH
def test_what_cannot_be_is_said(stage):
    with pytest.raises(ColumnError, match="no item column 'knd'; did you mean 'kind'"):
        stage(attribute="knd").fit(shop())
    with pytest.raises(ParameterError, match=r"'price' must hold categories, .* got number; cut"):
        stage(attribute="price").fit(shop())
    with pytest.raises(ParameterError, match="weight must be a finite number of at least 0 and"):
        stage(attribute="kind", weight=1.1).fit(shop())
    with pytest.raises(ParameterError, match="attribute must be the name of an item column"):
        stage(attribute=["kind"]).fit(shop())


def test_weights_from_a_broken_file_are_refused():
    known = Aspects(attribute="kind").fit(shop().item_features, np.ones(40))
    known.weights_ = known.weights_ - 1e9
    with pytest.raises(DataError, match="at least 0"):
        known._check_learned()
