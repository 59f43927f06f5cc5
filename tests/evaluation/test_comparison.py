"""What compare says of models: which differences are no luck, for whom, and at what cost."""

import threading
import time

import numpy as np
import pandas as pd
import pytest

from recopersona.base.parameters import param
from recopersona.base.recommender import Recommender
from recopersona.datasets.synthetic import synthetic_shop
from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.comparison import Comparison, compare
from recopersona.evaluation.evaluate import evaluate
from recopersona.evaluation.metrics import Asked
from recopersona.evaluation.results import Results
from recopersona.evaluation.splits import k_fold, split_by_time
from recopersona.models.als import ALS
from recopersona.models.neighbors import ItemKNN
from recopersona.models.popularity import Popularity

COSTS = ["fit_s", "ms_per_answer", "peak_mb"]


class Broken(Recommender):
    """A model that cannot be fitted."""

    def _fit(self, dataset):
        raise ValueError("no luck today")


class Constant(Recommender):
    """A model that has nothing to say."""

    def _fit(self, dataset):
        self.size_ = len(dataset.items)

    def score_items(self, query, items=None):
        return np.zeros(self.size_, np.float32)


class Counted(Recommender):
    """A model that counts how many of its kind are alive."""

    number: int = param(default=0)
    alive, most, lock = 0, 0, threading.Lock()

    def _fit(self, dataset):
        cls = type(self)
        with cls.lock:
            cls.alive += 1
            cls.most = max(cls.most, cls.alive)
        time.sleep(0.02)
        self.size_ = len(dataset.items)

    def score_items(self, query, items=None):
        return np.zeros(self.size_, np.float32)

    def __del__(self):
        if self.__sklearn_is_fitted__():
            with type(self).lock:
                type(self).alive -= 1


@pytest.fixture(scope="module")
def split():
    return split_by_time(synthetic_shop(250, 60, random_state=2), 0.2)


@pytest.fixture(scope="module")
def found(split):
    models = [Popularity(), ItemKNN(k=20), ItemKNN(k=2)]
    return compare(models, split, k=[5, 10], metrics=["coverage", "ndcg", "recall"], by="activity")


def of_values(values, users=None, **options):
    """A comparison of values (n_models, n_rows) that no model had to be fitted for."""
    n_rows = np.shape(values)[1]
    names = tuple(f"model {number}" for number in range(len(values)))
    results = Results(
        names, (Asked("ndcg", 10),), {"ndcg@10": np.asarray(values, float)}, {},
        np.arange(n_rows) if users is None else np.asarray(users),
        pd.DataFrame(0.0, names, COSTS), None, {}, {}, ("by hand",),
    )  # fmt: skip
    return Comparison(results, Resampling(n_boot=200), "ndcg@10", **options)


def test_every_pair_is_compared_once(found):
    pairs = [("ItemKNN", "Popularity"), ("ItemKNN 2", "Popularity"), ("ItemKNN 2", "ItemKNN")]
    assert found.differences.index.tolist() == pairs
    assert found.metric == "ndcg@5", "the first one asked for that every user has a value of"


def test_a_difference_is_that_of_the_table(found):
    table = found.table
    for model, base in found.differences.index:
        row = found.differences.loc[(model, base)]
        assert row["gain"] == pytest.approx(table.loc[model, "ndcg@5"] - table.loc[base, "ndcg@5"])
        assert row["gain low"] < row["gain"] < row["gain high"]
        assert row["relative gain"] == pytest.approx(row["gain"] / table.loc[base, "ndcg@5"])
        assert row["users"] == table.loc[model, "users"]
    with_first = found.differences.xs("Popularity", level="against")["gain low"]
    assert with_first.tolist() == pytest.approx(table["ndcg@5 gain low"].iloc[1:].tolist())


def test_the_table_is_that_of_evaluate(found, split):
    models = [Popularity(), ItemKNN(k=20), ItemKNN(k=2)]
    table = evaluate(models, split, k=[5, 10], metrics=["coverage", "ndcg", "recall"])
    same = table.drop(columns=COSTS)
    pd.testing.assert_frame_equal(found.table.drop(columns=COSTS), same, check_exact=True)
    assert table.columns[:4].tolist() == ["coverage@5", "coverage@10", "ndcg@5", "ndcg@5 low"]


def test_what_is_better_beyond_luck_is_told_in_words(found):
    assert found.differences["different"].tolist() == [True, False, False]
    words = repr(found)
    assert "ItemKNN 2 and Popularity are not told apart" in words
    assert "ItemKNN is better than Popularity: +" in words
    assert "after Holm" in words
    assert "Popularity: every item has one score, whoever asks." in words
    assert "<table" in found._repr_html_()


def test_names_are_escaped_on_a_page(split):
    models = {"<b>": Popularity(), "other": ItemKNN()}
    html = compare(models, split, metrics="ndcg", n_boot=10, n_draws=10)._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html


def test_against_one_model_there_are_fewer_pairs_to_correct_for(split):
    models = {"a": Popularity(), "b": ItemKNN(k=20), "c": ItemKNN(k=19)}
    few = compare(models, split, metrics="ndcg", against="b", by="activity").differences
    assert few.index.tolist() == [("a", "b"), ("c", "b")]
    every = compare(models, split, metrics="ndcg").differences
    assert few.loc[("c", "b"), "p"] == every.loc[("c", "b"), "p"]
    assert few.loc[("c", "b"), "power"] > every.loc[("c", "b"), "power"]


def test_another_metric_is_compared_by_name(found):
    other = found.on("recall@10")
    gain = other.table.loc["ItemKNN", "recall@10"] - other.table.loc["Popularity", "recall@10"]
    assert other.differences.loc[("ItemKNN", "Popularity"), "gain"] == pytest.approx(gain)
    with pytest.raises(ParameterError, match="no metric 'recall@9'"):
        found.on("recall@9")
    with pytest.raises(ParameterError, match="no metric 'coverage@5'"):
        found.on("coverage@5")


def test_segments_are_the_users_one_by_one(found, split):
    segments = found.segments
    assert segments.index.get_level_values("segment").unique().tolist() == [
        "new", "low", "middle", "high",
    ]  # fmt: skip
    per_segment = segments.xs("ItemKNN", level="model")
    assert per_segment["users"].sum() == found.table["users"].iloc[0]
    pooled = np.average(per_segment["ndcg@5"], weights=per_segment["users"])
    assert pooled == pytest.approx(found.table.loc["ItemKNN", "ndcg@5"])
    known = per_segment.drop(index="new")
    assert (known["ndcg@5 gain low"] < known["ndcg@5 gain"]).all()
    assert (known["ndcg@5 gain"] < known["ndcg@5 gain high"]).all()
    assert (per_segment.loc["new", "ndcg@5 gain"] == 0).all(), "of strangers nobody knows more"


def test_an_effect_in_one_segment_only_is_seen_there(split):
    users = split.test.users.ids.tolist()
    likes = {user: "one" if place % 2 else "other" for place, user in enumerate(users)}

    class Half(Recommender):
        """Popular for one half, neighbours for the other."""

        def _fit(self, dataset):
            self.model_ = ItemKNN().fit(dataset)

        def score_items(self, query, items=None):
            alike = likes[query.user_id] == "one"
            return self.model_.score_items(query, items) if alike else self.fallback_

    found = compare([Popularity(), Half()], split, metrics="ndcg", by=likes)
    gain = found.segments.xs("Half", level="model")
    assert gain.loc["one", "ndcg@10 gain low"] > 0
    assert gain.loc["other", "ndcg@10 gain"] == 0


def test_evaluate_by_a_user_column(split):
    table = evaluate([Popularity(), ItemKNN()], split, metrics=["ndcg", "recall"], by="country")
    assert table.index.names == ["segment", "model"]
    assert {"users", "recall@10", "ndcg@10 gain low"} <= set(table.columns)
    sizes = table.xs("ItemKNN", level="model")["users"].tolist()
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("by", "error", "words"),
    [
        ("contry", ColumnError, "no user column 'contry'; did you mean 'country'?"),
        ({"nobody": "x"}, DataError, "by=a dict says nothing of the"),
        (5, ParameterError, "by must be a user column, 'activity' or a mapping"),
    ],
)
def test_segments_that_cannot_be_made_are_refused(split, by, error, words):
    with pytest.raises(error) as caught:
        evaluate(Popularity(), split, by=by)
    assert words in str(caught.value)


def test_more_segments_than_anybody_reads_are_refused(split):
    by = {user: user for user in split.test.users.ids.tolist()}
    with pytest.raises(DataError, match="segments, at most 50 are compared"):
        compare([Popularity(), ItemKNN()], split, by=by)


def test_several_models_at_once_find_the_same_bit_for_bit(split):
    models = [Popularity(), ItemKNN(k=5), ALS(factors=8, iterations=3), ItemKNN()]
    folds = k_fold(split.train, 2)
    alone = compare(models, folds, by="activity", n_boot=50, n_draws=100)
    beside = compare(models, folds, by="activity", n_boot=50, n_draws=100, n_jobs=3)
    exact = {"check_exact": True}
    pd.testing.assert_frame_equal(
        alone.table.drop(columns=COSTS), beside.table.drop(columns=COSTS), **exact
    )
    pd.testing.assert_frame_equal(alone.differences, beside.differences, **exact)
    pd.testing.assert_frame_equal(alone.segments, beside.segments, **exact)
    assert beside.table["peak_mb"].isna().all(), "they share one process"


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_no_more_fitted_models_are_alive_than_run_at_once(split, n_jobs):
    Counted.alive = Counted.most = 0
    evaluate([Counted(number=n) for n in range(6)], split, n_boot=5, n_jobs=n_jobs)
    assert (Counted.most, Counted.alive) == (n_jobs, 0)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_model_that_fails_is_named(split, n_jobs):
    models = {"good": Popularity(), "bad": Broken()}
    with pytest.raises(ValueError, match="no luck today") as caught:
        compare(models, split, n_jobs=n_jobs)
    assert caught.value.__notes__ == [f"evaluating 'bad' on the split '{split.name}'"]


def test_a_recorded_failure_leaves_the_others_as_they_were(split):
    models = {"a": Popularity(), "bad": Broken(), "b": ItemKNN()}
    found = compare(models, split, metrics="ndcg", errors="record")
    assert found.errors == {"bad": "ValueError: no luck today"}
    assert found.table.index.tolist() == ["a", "b", "bad"]
    assert found.table.loc["bad"].drop("users").isna().all()
    assert found.differences.index.tolist() == [("b", "a")]
    assert "bad failed: ValueError: no luck today" in repr(found)
    with pytest.raises(DataError, match="needs two models that can be fitted, got one"):
        compare({"a": Popularity(), "bad": Broken()}, split, errors="record")
    with pytest.raises(DataError, match="nothing to compare with, 'bad' failed"):
        compare(models, split, against="bad", errors="record")
    with pytest.raises(DataError, match="no model could be evaluated"):
        evaluate(Broken(), split, errors="record")


def test_odd_answers_are_counted_per_model(split):
    n_items = len(split.train.items)
    table = evaluate([Constant(), ItemKNN()], split, k=n_items, n_boot=5)
    counts = table.attrs["counts"]
    users = table["users"].iloc[0]
    assert counts["answers_of_equal_scores"] == {"Constant": users}
    assert counts["splits_of_equal_users"] == {"Constant": 1}
    # Whoever was seen with an item cannot get all of them.
    assert counts["short_lists"]["Constant"] == users - counts["users_unknown_to_training"]


def test_models_that_never_differ_have_no_power_to_tell(split):
    found = compare([ItemKNN(k=9), ItemKNN(k=9)], split, metrics="ndcg")
    row = found.differences.iloc[0]
    assert (row["gain"], row["p"], row["p holm"], row["different"]) == (0, 1, 1, False)
    assert np.isnan(row["power"])
    assert np.isnan(found.power(0.03)).all()
    assert "are not told apart" in repr(found)


def test_users_without_a_value_of_both_models_are_left_out_of_a_pair():
    values = np.array([[0.1, 0.5, np.nan, 0.3, 0.2], [0.4, np.nan, 0.9, 0.6, 0.1]])
    found = of_values(values).differences.iloc[0]
    assert found["users"] == 3
    assert found["gain"] == pytest.approx((0.3 + 0.3 - 0.1) / 3)
    assert found["relative gain"] == pytest.approx((0.3 + 0.3 - 0.1) / (0.1 + 0.3 + 0.2))


def test_models_without_a_user_in_common_are_not_compared():
    found = of_values([[0.1, np.nan, 0.3, np.nan], [np.nan, 0.2, np.nan, 0.4]])
    row = found.differences.iloc[0]
    assert row["users"] == 0
    assert row[["gain", "p", "p holm", "power", "detectable"]].isna().all()
    assert not row["different"]
    assert "have no user in common" in repr(found)


def test_a_user_of_several_folds_counts_once():
    rng = np.random.default_rng(0)
    base, luck = rng.random(40), rng.normal(0, 0.3, 40)
    once = of_values([base, base + luck]).differences.iloc[0]
    users = np.tile(np.arange(40), 5)
    often = of_values(np.tile([base, base + luck], 5), users).differences.iloc[0]
    for name in ("gain", "p", "power", "detectable", "gain low", "gain high"):
        assert often[name] == pytest.approx(once[name]), name


def test_the_power_told_is_that_of_the_simulations():
    """The numbers of a comparison, over many comparisons of a model that is 20 % better."""
    rng = np.random.default_rng(1)
    called, told = [], []
    for _ in range(200):
        taste = rng.beta(1, 3, size=250)
        base, other = (rng.random((2, 250)) < [taste, np.minimum(1.2 * taste, 1)]).astype(float)
        found = of_values([base, other], effect=0.19, n_draws=199)
        row = found.differences.iloc[0]
        called.append(row["different"])
        told.append(row["power"])
    assert np.mean(called) == pytest.approx(np.mean(told), abs=0.1)
    assert found.power(0.19).iloc[0] == told[-1]
    assert found.power(0.38).iloc[0] > told[-1]


def test_where_less_is_better_the_words_say_so(split):
    found = compare([Popularity(), ItemKNN(k=20)], split, metrics=["arp"], n_draws=999)
    assert found.differences["gain"].item() < 0  # the average item of a list is less popular
    assert found.sentences[0].startswith("ItemKNN is better than Popularity: -")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"models": [Popularity()]}, "compare needs at least two models, got 1; use evaluate"),
        ({"models": [("a", Popularity()), ("a", ItemKNN())]}, "two models are called 'a'"),
        ({"models": {1: Popularity(), "1": ItemKNN()}}, "two models are called '1'"),
        ({"metrics": "coverage"}, "needs a metric that has a value per user"),
        ({"against": "Popularty"}, "did you mean 'Popularity'?"),
        ({"effect": 0}, "compare: effect must be a finite number above 0, got 0."),
        ({"n_draws": 0}, "compare: n_draws must be an integer of at least 1"),
        ({"n_jobs": 0}, "n_jobs must be an integer of at least 1, or -1 for one per core, got 0."),
        ({"errors": "ignore"}, "errors must be one of 'raise', 'record'"),
        ({"k": [5, 0]}, "compare: k must be an integer of at least 1, got 0."),
        ({"k": []}, "got none"),
    ],
)
def test_a_wrong_argument_is_one_sentence(split, changed, words):
    asked = {"models": [Popularity(), ItemKNN()], "split": split, **changed}
    with pytest.raises(ParameterError) as caught:
        compare(asked.pop("models"), asked.pop("split"), **asked)
    assert words in str(caught.value)


def test_segments_that_nobody_asked_for_are_refused(split):
    found = compare([Popularity(), ItemKNN()], split, metrics="ndcg", n_boot=5, n_draws=5)
    with pytest.raises(ParameterError, match="there are no segments; name some: compare"):
        _ = found.segments
