"""Objectives judge each candidate by itself: how old, how rare, how far from her taste."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.data.ids import IdMap
from recopersona.data.ranking import Ranking
from recopersona.data.times import moment_ms
from recopersona.errors import DataError, ParameterError
from recopersona.rerank.item_records import ItemRecords

DAY_MS = 86_400_000
NOW = moment_ms("2026-02-01")


def shop(items=6, **columns):
    """Six items; the first two are teas, anna drinks tea, and item 5 was never touched."""
    shelf = pd.DataFrame({
        "item_id": [f"i{k}" for k in range(items)],
        "kind": (["tea", "tea", "salt", "salt", "oil", "oil"] * items)[:items],
        **columns,
    })  # fmt: skip
    log = pd.DataFrame({
        "user_id": ["anna", "ben", "ben", "cleo", "dan", "dan", "dan"],
        "item_id": ["i0", "i1", "i2", "i2", "i3", "i4", "i2"],
        "timestamp": pd.to_datetime(NOW - np.arange(7, 0, -1) * DAY_MS, unit="ms"),
    })  # fmt: skip
    return rp.Dataset.from_frames(log, items=shelf)


def ranked(shop, scores):
    places = np.argsort(-np.asarray(scores), kind="stable")
    return Ranking.of(places, np.asarray(scores, np.float32)[places], shop.items, "given")


def fitted(kind, shop, **params):
    return kind(**params).fit(shop)


@pytest.mark.parametrize("kind", [rp.Freshness, rp.Serendipity])
@pytest.mark.parametrize("seed", range(20))
def test_order_and_scores_of_any_ranking(kind, seed):
    rng = np.random.default_rng(seed)
    dates = pd.Timestamp("2026-01-01") - pd.to_timedelta(rng.integers(0, 300, 6), "D")
    data = shop(created_at=dates)
    ranking = ranked(data, rng.random(6))
    query = rp.Query(rng.choice(["anna", "ben", "nobody"]), now=NOW)
    plain = fitted(kind, data, weight=0)(query, ranking)
    assert plain.item_ids == ranking.item_ids
    stage = fitted(kind, data, weight=float(rng.random()))
    order = stage(query, ranking)
    assert sorted(order.item_ids) == sorted(ranking.item_ids)
    assert (np.diff(order.scores) <= 0).all()
    assert stage(query, ranking.take(rng.permutation(6))).item_ids == order.item_ids
    alone = fitted(kind, data, weight=1)
    values = alone.of(query, alone(query, ranking))
    assert (np.diff(values) <= 0).all()


def test_fresh_halves_with_every_half_life():
    data = shop(created_at=["2026-01-01", "2025-12-02", "2026-02-03", None, None, None])
    stage = fitted(rp.Freshness, data, half_life="30d")
    values = stage._values(rp.Query(now="2026-01-31"), ranked(data, [6, 5, 4, 3, 2, 1]))
    assert np.allclose(values[:3], [0.5, 0.25, 1])  # what comes tomorrow is as fresh as can be
    # i3 and i4 are as old as their first event, of i5 nobody knows.
    since = [stage.now_of(rp.Query(now="2026-01-31")) - (NOW - k * DAY_MS) for k in (3, 2)]
    assert np.allclose(values[3:5], 2.0 ** (-np.array(since) / (30 * DAY_MS)))
    assert np.isnan(values[5])
    assert np.isfinite(stage.of(rp.Query(), ranked(data, [6, 5, 4, 3, 2, 1]))).all()


def test_without_any_time_freshness_says_nothing():
    log = pd.DataFrame({"user_id": ["anna", "ben"], "item_id": ["i0", "i1"]})
    data = rp.Dataset.from_frames(log)
    ranking = ranked(data, [1, 2])
    assert fitted(rp.Freshness, data, weight=1.0)(rp.Query(), ranking).item_ids == ["i1", "i0"]
    assert fitted(rp.Freshness, data).of(rp.Query(), ranking).tolist() == [0.5, 0.5]


def test_far_and_rare_is_serendipity():
    data = shop()
    stage = fitted(rp.Serendipity, data)
    ranking = ranked(data, [6, 5, 4, 3, 2, 1])
    values = stage._values(rp.Query("anna"), ranking)
    assert values[:2].tolist() == [0, 0]  # teas, which she drinks
    assert np.allclose(values[2:], -np.log2(np.array([4, 2, 2, 1]) / (7 + 6)))
    values = stage._values(rp.Query("nobody"), ranking)
    assert np.allclose(values, -np.log2(np.array([2, 2, 4, 2, 2, 1]) / (7 + 6)))
    visit = stage._values(rp.Query("nobody", session=["i2"]), ranking)
    assert visit[2] == visit[3] == 0
    assert visit[0] > 0


def test_what_she_took_often_is_nearer_the_centre_of_her_taste():
    stage = fitted(rp.Serendipity, shop())
    asked = rp.Query(history={"i0": 4.0, "i2": 3.0})
    assert np.allclose(
        stage.distances_of(asked, np.arange(6)), 1 - np.array([4, 4, 3, 3, 0, 0]) / 5, atol=1e-6
    )


@pytest.mark.parametrize("kind", [rp.Freshness, rp.Serendipity])
@pytest.mark.parametrize("weight", [0.0, 0.4])
def test_of_equals_the_lower_item_comes_first_wherever_it_stood(kind, weight):
    data = shop(created_at="2026-01-01")
    stage = fitted(kind, data, weight=weight)
    ranking = ranked(data, [1, 1, 2, 1, 1, 2])
    expected = stage(rp.Query("nobody"), ranking).item_ids
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(6)
        assert stage(rp.Query("nobody"), ranking.take(order)).item_ids == expected
    if not weight:
        assert expected == ["i2", "i5", "i0", "i1", "i3", "i4"]


@pytest.mark.parametrize("kind", [rp.Freshness, rp.Serendipity])
def test_one_candidate_and_none_come_back_as_they_are(kind):
    data = shop()
    stage = fitted(kind, data)
    for n in (0, 1):
        ranking = ranked(data, [3, 2, 1, 0, -1, -2]).top(n)
        assert stage(rp.Query("anna"), ranking) is ranking


@pytest.mark.parametrize("kind", [rp.Freshness, rp.Serendipity])
def test_scores_that_are_no_number_are_ordered_all_the_same(kind):
    data = shop()
    ranking = Ranking.of(np.arange(6), [np.inf, 1, np.nan, np.nan, 0, -np.inf], data.items, "given")
    order = fitted(kind, data)(rp.Query("anna", now=NOW), ranking)
    assert sorted(order.item_ids) == sorted(data.items.ids)
    assert np.isfinite(order.scores).all()
    assert (np.diff(order.scores) <= 0).all()


@pytest.mark.parametrize("kind", [rp.Freshness, rp.Serendipity])
def test_items_that_came_after_the_fit_are_judged_too(kind):
    home = rp.Pipeline(candidates=[rp.Popularity()], reranker=kind(weight=1.0)).fit(shop())
    home.update_items(pd.DataFrame({"item_id": ["matcha", "rose"], "kind": ["tea", "flower"]}))
    home.partial_fit(rp.Event("emil", "rose", timestamp=pd.Timestamp(NOW, unit="ms")))
    page = home.recommend("anna", n=8, seen="keep")
    assert {"matcha", "rose"} <= set(page.item_ids)
    stage = home.reranker_
    judged = stage.of(rp.Query("anna"), page)
    assert np.isfinite(judged).all()
    if kind is rp.Freshness:
        assert judged[page.item_ids.index("rose")] == 1
    else:  # like nothing she has, and hardly known
        assert judged[page.item_ids.index("rose")] > judged[page.item_ids.index("i2")]
        assert stage.records_.total_ == 8


@pytest.mark.parametrize("kind", [rp.Freshness, rp.Serendipity])
def test_what_was_learned_is_kept(kind, tmp_path):
    home = rp.Pipeline(candidates=[rp.Popularity()], reranker=kind()).fit(shop())
    rp.save(home, tmp_path / "home.rp")
    loaded = rp.load(tmp_path / "home.rp")
    asked = rp.Query("anna", now=NOW)
    assert loaded.recommend(asked).item_ids == home.recommend(asked).item_ids
    loaded.partial_fit(rp.Event("anna", "new one", timestamp=pd.Timestamp(NOW, unit="ms")))
    assert len(loaded.reranker_.records_.first_seen_) >= 7


def test_an_item_is_there_since_its_first_event_or_since_it_came():
    data = shop()
    records = ItemRecords().fit(data)
    records.described(8, NOW)
    since = records.since(np.arange(9), rp.FeatureTable(IdMap([f"i{k}" for k in range(9)])))
    assert since[0] == NOW - 7 * DAY_MS
    assert since[2] == NOW - 5 * DAY_MS
    assert since[6:8].tolist() == [NOW, NOW]
    assert since[5] == since[8] == np.iinfo(np.int64).min
    assert np.allclose(records.share_of(np.array([2, 5, 8])), np.array([4, 1, 1]) / (7 + 8))


def test_records_from_a_broken_file_are_refused():
    records = ItemRecords().fit(shop())
    records.weights_ = -records.weights_
    with pytest.raises(DataError, match="at least 0"):
        records._check_learned()


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (lambda: rp.Freshness(weight=1.5), "weight must be a finite number of at least 0 and"),
        (lambda: rp.Freshness(half_life="soon"), "half_life|duration"),
        (lambda: rp.Serendipity(vectors="kind"), "vectors must be a list of item columns"),
    ],
)
def test_what_cannot_be_is_said(stage, said):
    with pytest.raises(ParameterError, match=said):
        stage().fit(shop())


def test_an_unknown_column_is_named():
    with pytest.raises(ParameterError, match="'knd', which is no attribute; did you mean 'kind'"):
        rp.Serendipity(vectors=["knd"]).fit(shop())


def test_an_objective_of_ones_own_says_one_number_for_each():
    class Odd(rp.Objective):
        def _fit(self, dataset):
            pass

        def _values(self, query, ranking):
            return [1.0, 2.0]

    data = shop()
    with pytest.raises(DataError, match="one number for each of 6 candidates, got shape"):
        Odd().fit(data)(rp.Query("anna"), ranked(data, [6, 5, 4, 3, 2, 1]))
    with pytest.raises(NotImplementedError, match="Objective must write _values"):
        rp.Objective()._values(rp.Query(), ranked(data, [1]))
