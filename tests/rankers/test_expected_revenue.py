"""Earnings: two steps and a margin, and what they cost in accuracy."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.data.dataset import Dataset
from recopersona.data.ids import IdMap
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.evaluation.splits import split_by_time
from recopersona.evaluation.value_tradeoff import value_tradeoff
from recopersona.models.neighbors import ItemKNN
from recopersona.pipeline.pipeline import Pipeline
from recopersona.rankers.expected_revenue import ExpectedRevenue
from recopersona.rankers.lessons import Lessons
from recopersona.rankers.neural import NeuralRanker

N_ITEMS = 40
NAMES = [f"i{number}" for number in range(N_ITEMS)]


def shop(margins, **columns):
    return Dataset.from_frames(
        pd.DataFrame({"user_id": ["anna"], "item_id": ["i0"]}),
        items=pd.DataFrame({"item_id": NAMES, "margin": margins, **columns}),
    )


def lessons_of(dataset, seed=0, n=1_500, sold=True):
    """The more flashy an item the more it is clicked; the better it is the more it is bought."""
    random = np.random.default_rng(seed)
    flash = dataset.item_features["flash"].to_numpy()
    good = dataset.item_features["good"].to_numpy()
    items = [random.permutation(N_ITEMS)[:8] for _ in range(n)]
    clicked = [random.random(8) < flash[some] for some in items]
    bought = [
        clicks & (random.random(8) < good[some])
        for some, clicks in zip(items, clicked, strict=True)
    ]
    rankings = [Ranking.of(some, np.zeros(8), dataset.items, "shown") for some in items]
    return Lessons.of([Query("anna")] * n, rankings, clicked, bought=bought if sold else None)


def planted():
    random = np.random.default_rng(5)
    columns = {
        "flash": random.uniform(0.05, 0.9, N_ITEMS),
        "good": random.uniform(0.05, 0.9, N_ITEMS),
    }
    margins = random.uniform(1, 20, N_ITEMS)
    return shop(margins, **columns), columns, margins


def everything(dataset):
    return Ranking.of(np.arange(N_ITEMS), np.zeros(N_ITEMS), dataset.items, "shown")


def test_items_are_ordered_by_what_they_are_expected_to_earn():
    dataset, columns, margins = planted()
    stage = ExpectedRevenue().fit(lessons_of(dataset), dataset)
    worth = columns["flash"] * columns["good"] * margins
    ranking = stage(Query("anna"), everything(dataset))
    assert np.corrcoef(ranking.scores, worth[ranking.items])[0, 1] > 0.95
    chances = stage.probabilities(Query("anna"), everything(dataset))
    assert chances.mean() == pytest.approx((columns["flash"] * columns["good"]).mean(), abs=0.03)


def test_at_exponent_0_the_margin_says_nothing():
    dataset, *_ = planted()
    stage = ExpectedRevenue(exponent=0.0).fit(lessons_of(dataset), dataset)
    ranking = stage(Query("anna"), everything(dataset))
    chances = stage.probabilities(Query("anna"), everything(dataset))
    assert ranking.scores == pytest.approx(np.sort(chances)[::-1])


def test_reasons_add_up_to_what_is_earned():
    dataset, *_ = planted()
    stage = ExpectedRevenue().fit(lessons_of(dataset, n=300), dataset)
    ranking = stage(Query("anna"), everything(dataset))
    for place in (0, 20, 39):
        told = stage.explain(Query("anna"), ranking, ranking[place])
        assert told["column"].tolist() == ["click", "buy", "margin", "base"]
        assert told["contribution"].sum() == pytest.approx(float(ranking.scores[place]), rel=1e-4)
        why = ranking.explain(ranking[place])["contribution"]
        assert why.sum() == pytest.approx(float(ranking.scores[place]), rel=1e-3)


def test_what_is_usual_counts_the_candidates_that_were_not_drawn():
    dataset, _, _ = planted()
    every = lessons_of(dataset, n=100)
    weights = np.where(every.labels > 0, np.float32(1), np.float32(9))
    stage = ExpectedRevenue(click=NeuralRanker(epochs=1), buy=NeuralRanker(epochs=1))
    share = stage.fit(replace(every, weights=weights), dataset).usual_[0]
    assert share == pytest.approx((every.labels > 0).sum() / weights.sum())


def test_missing_margins_count_the_median_and_losses_earn_nothing():
    dataset, columns, margins = planted()
    margins[:3], margins[3] = np.nan, -5
    dataset = shop(margins, **columns)
    stage = ExpectedRevenue().fit(lessons_of(dataset, n=300), dataset)
    assert stage.counts_["items_without_margin"] == 3
    assert stage.counts_["items_below_0"] == 1
    assert stage.margin_ == pytest.approx(np.nanmedian(margins))
    ranking = stage(Query("anna"), everything(dataset))
    assert ranking.scores[ranking.items == 3] == 0
    stranger = Ranking.of([0], [0], IdMap(["something new"]), "shown")
    assert stage(Query(), stranger).scores[0] > 0


def test_a_margin_that_changes_counts_at_once():
    dataset, *_ = planted()
    stage = ExpectedRevenue().fit(lessons_of(dataset, n=300), dataset)
    last = stage(Query("anna"), everything(dataset))[-1]
    stage.update_items(pd.DataFrame({"item_id": [last], "margin": [1e6]}))
    assert stage(Query("anna"), everything(dataset))[0] == last


def test_where_all_clicked_is_bought_the_rate_stands_for_all():
    dataset, *_ = planted()
    lessons = lessons_of(dataset, n=300)
    alike = Lessons(
        lessons.queries, lessons.rankings, lessons.bounds, lessons.labels, lessons.weights,
        bought=lessons.labels,
    )  # fmt: skip
    stage = ExpectedRevenue().fit(alike, dataset)
    assert stage.buy_rate_ == 1
    assert "were bought" in stage.buy_.untaught_
    assert (stage._evidence(Query("anna"), everything(dataset))[:, 1] == 1).all()


def test_what_the_stage_is_told_goes_to_both_rankers_unless_they_know_better():
    dataset, *_ = planted()
    stage = ExpectedRevenue(
        buy=NeuralRanker(monotone={"good": 1}), monotone={"flash": 1}, position_bias=None
    ).fit(lessons_of(dataset, n=100), dataset)
    assert stage.click_.monotone == {"flash": 1}
    assert stage.buy_.monotone == {"good": 1}
    assert stage.get_params()["buy__hidden"] == 32


def test_what_cannot_be_used_is_refused_in_a_sentence():
    dataset, *_ = planted()
    with pytest.raises(DataError, match="needs to know what was bought"):
        ExpectedRevenue().fit(lessons_of(dataset, n=50, sold=False), dataset)
    with pytest.raises(ColumnError, match="item column 'margn'; did you mean 'margin'"):
        ExpectedRevenue(margin="margn").fit(lessons_of(dataset, n=50), dataset)
    with pytest.raises(ParameterError, match="click must be a ranker, or None, got ItemKNN"):
        ExpectedRevenue(click=ItemKNN()).fit(lessons_of(dataset, n=50), dataset)


@pytest.fixture(scope="module")
def bought():
    """A shop of views and purchases, where dear things are bought as often as cheap ones."""
    made = rp.synthetic_shop(250, 60, random_state=3)
    return split_by_time(made, 0.25)


def pipeline(**parameters):
    ranker = ExpectedRevenue(margin="price", requests=300, **parameters)
    return Pipeline(candidates=[ItemKNN()], ranker=ranker, pool=40)


def test_the_tradeoff_shows_what_earning_more_costs(bought):
    table = value_tradeoff(pipeline(), bought, exponents=[0, 0.5, 1], n_boot=200, progress=False)
    assert table.index.tolist() == [0, 0.5, 1]
    assert (table.loc[0, ["ndcg@10 gain", "ndcg@10 gain low", "revenue@10 gain high"]] == 0).all()
    assert table.loc[1, "ndcg@10 gain low"] <= table.loc[1, "ndcg@10 gain"]
    assert table.loc[1, "revenue@10"] > table.loc[0, "revenue@10"]
    assert table.loc[1, "ndcg@10"] < table.loc[0, "ndcg@10"]
    assert table["users"].nunique() == 1


def test_a_saved_pipeline_orders_alike(bought, tmp_path):
    fitted = pipeline().fit(bought.train)
    user = bought.train.users.ids[0]
    rp.save(fitted, tmp_path / "home.rp")
    again = rp.load(tmp_path / "home.rp").recommend(user)
    assert again.item_ids == fitted.recommend(user).item_ids
    assert again.scores == pytest.approx(fitted.recommend(user).scores)


def test_the_rankers_it_makes_are_calibrated_as_it_says():
    stage = ExpectedRevenue(calibration="isotonic")
    dataset = shop(
        np.ones(N_ITEMS), flash=np.linspace(0.1, 0.9, N_ITEMS), good=np.full(N_ITEMS, 0.5)
    )
    stage.fit(lessons_of(dataset, n=60), dataset)
    assert stage.click_.calibration == stage.buy_.calibration == "isotonic"


def test_the_tradeoff_needs_a_stage_that_knows_margins(bought):
    with pytest.raises(ParameterError, match="needs a pipeline with an ExpectedRevenue; write"):
        value_tradeoff(Pipeline(candidates=[ItemKNN()]), bought)
    with pytest.raises(ParameterError, match="exponents must be a list of at least one number"):
        value_tradeoff(pipeline(), bought, exponents=[2])
