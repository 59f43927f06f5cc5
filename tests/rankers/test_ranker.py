import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.data.event import Event
from recopersona.errors import DataError, NotFittedError, ParameterError
from recopersona.rankers.lessons import Lessons, Rows
from tests.rankers.learners import Line


@pytest.fixture(scope="module")
def shop():
    return rp.synthetic_shop(150, 40, random_state=3)


@pytest.fixture(scope="module")
def home(shop):
    return rp.Pipeline(candidates=[rp.ItemKNN(), rp.Popularity()], ranker=Line()).fit(shop)


def test_the_page_is_in_the_order_of_the_probabilities(home):
    ranking = home.recommend("u-0001", n=8)
    assert (np.diff(ranking.scores) <= 0).all()
    assert ((ranking.scores > 0) & (ranking.scores < 1)).all()
    judged = home.ranker_.probabilities(rp.Query("u-0001"), ranking)
    assert judged.shape == (8,)


def test_what_the_ranker_says_adds_up_to_the_score(home):
    ranking = home.recommend("u-0001", n=3)
    for item, score in zip(ranking.item_ids, ranking.scores, strict=True):
        of_ranking = ranking.explain(item)
        assert of_ranking["contribution"].sum() == pytest.approx(score, rel=1e-4)
        of_home = home.explain("u-0001", item)
        assert of_home["contribution"].sum() == pytest.approx(score, rel=1e-4)
        assert set(of_home["component"]) == {*home.ranker_.columns_.names_, "base"}


def test_explain_tells_values_too(home):
    pool = home.recommend("u-0001", n=5)
    frame = home.ranker_.explain(rp.Query("u-0001"), pool, pool[0])
    assert frame.columns.tolist() == ["column", "value", "contribution"]
    assert (frame["contribution"].abs().diff().dropna() <= 0).all()
    with pytest.raises(DataError, match="does not hold 'sku-none'"):
        home.ranker_.explain(rp.Query("u-0001"), pool, "sku-none")


def test_a_pickled_ranking_still_tells_its_sources(home):
    import pickle

    ranking = pickle.loads(pickle.dumps(home.recommend("u-0001", n=3)))  # noqa: S301
    assert set(ranking.explain(ranking[0])["component"]) <= {"itemknn", "popularity"}


def test_one_request_and_the_lessons_see_the_same_columns(shop):
    """What a row of the past is told is what a request of that moment would have been told."""
    cut = int(np.sort(shop.log.timestamp)[-40])
    early = shop.take(shop.log.timestamp < cut)
    plain = rp.Pipeline(candidates=[rp.ItemKNN(), rp.Popularity()]).fit(early)
    query = rp.Query("u-0001", now=cut)
    pool = plain._pools([query], 20, 0, np.ones(len(early.items), np.bool_))[0]
    lessons = Lessons.of([query], [pool], [np.arange(len(pool)) % 2])
    of_past, of_now = Line().fit(lessons, shop), Line().fit(lessons, early)
    now = of_now.columns_.of(query, pool)
    then = of_past.columns_.fit(lessons, shop)
    assert of_past.columns_.names_ == of_now.columns_.names_
    np.testing.assert_allclose(then, now, rtol=1e-6)


def test_what_happens_is_seen_at_once(shop, tmp_path):
    home = rp.Pipeline(candidates=[rp.Popularity()], ranker=Line(seen="keep", requests=60))
    home.fit(shop).save(tmp_path / "home.rp")
    live = rp.load(tmp_path / "home.rp")
    names = live.ranker_.columns_.names_
    end = pd.Timestamp(int(shop.end) + 60_000, unit="ms", tz="UTC")
    item = live.recommend("u-0001", n=1, seen="keep")[0]

    def touches():
        ranking = live.recommend(rp.Query("u-0001"), n=40, seen="keep")
        row = ranking.item_ids.index(item)
        return ranking.evidence[row, names.index("touches")]

    before = touches()
    live.partial_fit(Event("u-0001", item, "cart", end))
    assert touches() == before + 1
    live.partial_fit(pd.DataFrame({
        "user_id": ["u-0001"] * 2, "item_id": [item] * 2, "timestamp": [end] * 2,
    }))  # fmt: skip
    assert touches() == before + 3
    live.partial_fit(Event("u-0001", item))
    assert live.ranker_.columns_.counts_ == {"events_without_time": 1}
    live.forget(["u-0001"])
    assert "u-0001" not in live.ranker_.columns_.features_.codes_.users_


def test_prices_change_at_once(shop):
    home = rp.Pipeline(candidates=[rp.Popularity()], ranker=Line()).fit(shop)
    column = home.ranker_.columns_.names_.index("stock")
    item = home.recommend("u-0001", n=1)[0]
    home.update_items(pd.DataFrame({"item_id": [item], "stock": [1_234.0]}))
    ranking = home.recommend("u-0001", n=40)
    assert ranking.evidence[ranking.item_ids.index(item), column] == 1_234


def test_nothing_constant_is_looked_at(home):
    columns = home.ranker_.columns_
    assert set(columns.names_).isdisjoint(columns.constant_)
    assert columns.names_ + columns.constant_ != []
    assert set(home.ranker_.importances_) == set(columns.names_)


def test_directions_are_checked(shop):
    with pytest.raises(ParameterError, match=r"monotone names 'prise', .* did you mean 'price'"):
        rp.Pipeline(candidates=[rp.Popularity()], ranker=Line(monotone={"prise": -1})).fit(shop)
    with pytest.raises(ParameterError, match=r"monotone\['price'\]"):
        rp.Pipeline(candidates=[rp.Popularity()], ranker=Line(monotone={"price": 2})).fit(shop)


def test_probabilities_are_of_all_moments_though_less_is_taken_from_the_latest_on():
    random = np.random.default_rng(0)
    n, size = 500, 10
    chance = np.repeat(np.linspace(0.4, 0.04, n), size)
    labels = (random.random(n * size) < chance).astype(np.float32)
    rows = Rows(
        random.random((n * size, 2), np.float32), ("one", "other"), labels,
        np.ones(n * size, np.float32), np.arange(0, n * size + 1, size), None,
    )  # fmt: skip
    ranker = Line()
    calibration = ranker._calibrated(rows)
    ranker._learn(rows.evened())
    said = calibration.of(ranker._logits(rows.matrix))
    assert said.mean() == pytest.approx(labels.mean(), rel=0.1)


def test_lessons_of_which_nothing_was_taken_are_refused(home, shop):
    pool = home.recommend(rp.Query("u-0001", now=shop.end), n=3)
    for labels in ([[0, 0, 0]], [[1, 1, 1]]):
        with pytest.raises(DataError, match="taken and others that were not"):
            Line().fit(Lessons.of([rp.Query("u-0001", now=shop.end)], [pool], labels), shop)


def test_lessons_need_their_time(home, shop):
    pool = home.recommend("u-0001", n=3)
    with pytest.raises(DataError, match="when each was"):
        Line().fit(Lessons.of([rp.Query("u-0001")], [pool], [[0, 1, 0]]), shop)


def test_an_unfitted_ranker_says_so(home):
    with pytest.raises(NotFittedError):
        Line()(rp.Query("u-0001"), home.recommend("u-0001"))


def test_parameters_of_the_ranker_are_reached_through_the_pipeline():
    home = rp.Pipeline(candidates=[rp.Popularity()], ranker=Line())
    assert home.get_params()["ranker__negatives"] == 50
    assert home.set_params(ranker__negatives=7).ranker.negatives == 7
    with pytest.raises(ParameterError, match="ranker__negative"):
        home.set_params(ranker__negative=7)
