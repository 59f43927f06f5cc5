"""One word draws whatever measuring returns."""

import numpy as np
import pandas as pd
import pytest

from recopersona.datasets.synthetic import synthetic_shop
from recopersona.errors import DataError
from recopersona.evaluation.assignment import Experiment
from recopersona.evaluation.comparison import compare
from recopersona.evaluation.curves import learning_curve, validation_curve
from recopersona.evaluation.evaluate import evaluate
from recopersona.evaluation.splits import split_last
from recopersona.models.als import ALS
from recopersona.models.neighbors import ItemKNN
from recopersona.models.popularity import Popularity
from recopersona.report.html import Report
from recopersona.report.plots import plot
from tests.report.pages import Drawing, Page


@pytest.fixture(scope="module")
def shop():
    return synthetic_shop(150, 40, random_state=5)


@pytest.fixture(scope="module")
def split(shop):
    return split_last(shop)


def drawings(drawn):
    """Each chart of a plot, taken apart."""
    root = "<svg xmlns"
    return [Drawing(root + chart) for chart in drawn.split(root)[1:]]


def test_a_comparison_shows_models_and_gains(split):
    found = compare([Popularity(), ItemKNN()], split, metrics="ndcg")
    models, gains = drawings(plot(found))
    assert models.title == "ndcg@10"
    assert f"ItemKNN: {found.table.loc['ItemKNN', 'ndcg@10']:.3f}" in models.description
    assert gains.title == "Gain in ndcg@10"
    assert gains.description.startswith("ItemKNN over Popularity: +")


def test_segments_are_drawn_where_there_are_any(split):
    found = compare([Popularity(), ItemKNN()], split, metrics="ndcg", by="activity")
    by_segment = drawings(plot(found))[2]
    assert by_segment.title == "Gain in ndcg@10 over Popularity, by segment"
    users = found.segments.loc[("low", "ItemKNN"), "users"]
    assert f"low: ItemKNN ({users} users): " in by_segment.description


def test_a_model_that_failed_is_not_drawn(split):
    class Broken(Popularity):
        """A model that cannot be fitted."""

        def _fit(self, dataset):
            raise ValueError("no")

    models = {"a": Popularity(), "bad": Broken(), "b": ItemKNN()}
    drawn = plot(compare(models, split, metrics="ndcg", errors="record"))
    assert "bad" not in drawn


def test_curves_show_both_lines_and_the_intervals(shop):
    lines, intervals = drawings(plot(learning_curve(ItemKNN(), shop, sizes=[0.2, 1.0])))
    assert lines.description.startswith("test: 2 points")
    assert "training: 2 points" in lines.description
    assert intervals.description.startswith("0.2: ")


def test_a_curve_over_words_has_no_line(shop):
    curve = validation_curve(ItemKNN(), shop, "similarity", ["cosine", "jaccard"])
    (intervals,) = drawings(plot(curve))
    assert intervals.description.startswith("cosine: ")


def test_a_history_is_drawn_a_chart_per_column(split):
    model = ALS(factors=4, iterations=3).fit(split.train, validation=split.test)
    (of_model,) = drawings(plot(model))
    assert of_model.title == "ndcg@10"
    assert plot(model) == plot(model.history_)
    frame = pd.DataFrame({"iteration": [1, 2], "loss": [3.0, 1.0], "ndcg@10": [np.nan, 0.2]})
    assert [drawing.title for drawing in drawings(plot(frame))] == ["loss", "ndcg@10"]


def test_the_table_of_evaluate_is_drawn_a_chart_per_metric(split):
    table = evaluate([Popularity(), ItemKNN()], split, metrics=["ndcg", "coverage", "recall"])
    titles = [drawing.title for drawing in drawings(plot(table))]
    assert titles == ["ndcg@10", "recall@10", "ndcg@10 gain"]
    by = evaluate([Popularity(), ItemKNN()], split, metrics="ndcg", by="activity")
    assert "low: ItemKNN: " in drawings(plot(by))[0].description


def test_a_plot_shows_itself_fits_into_a_report_and_is_saved(split, tmp_path):
    drawn = plot(evaluate([Popularity(), ItemKNN()], split, metrics="ndcg"))
    assert drawn._repr_html_() == drawn
    assert Page(Report("A").chart(drawn).to_html()).tags["svg"] == 2
    path = drawn.save(tmp_path / "models.html", "Models")
    assert Page(path.read_text("utf-8")).text_in("h1") == ["Models"]


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (5, "table of evaluate, got int."),
        (pd.DataFrame({"a": [1]}), "this frame has neither columns such as 'ndcg@10 low'"),
        (pd.DataFrame({"iteration": []}), "there is nothing to draw: the model learns in one go"),
    ],
)
def test_what_cannot_be_drawn_is_refused(result, words):
    with pytest.raises(DataError) as caught:
        plot(result)
    assert words in str(caught.value)


def test_an_experiment_shows_arms_and_gains():
    visitors = pd.DataFrame({"user_id": range(400), "clicks": [0, 1] * 200})
    arms, gains = drawings(
        plot(Experiment("new ranker", ["old", "new"]).analyse(visitors, "clicks"))
    )
    assert arms.title == "clicks"
    assert gains.title == "Gain in clicks"
