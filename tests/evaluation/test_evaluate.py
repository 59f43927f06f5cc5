"""Models side by side: the table says what lists are worth, and the models stay as they were."""

import numpy as np
import pandas as pd
import pytest

from recopersona.base.parameters import param
from recopersona.base.recommender import NO_OPINION, Recommender
from recopersona.data.dataset import Dataset
from recopersona.datasets.synthetic import synthetic_shop
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.evaluate import METRICS, evaluate
from recopersona.evaluation.splits import Split, k_fold, split_by_time, split_last
from recopersona.models.neighbors import ItemKNN
from recopersona.models.popularity import Popularity
from recopersona.pipeline.pipeline import Pipeline


class Alphabet(Recommender):
    """Every item by its name, from a to z or from z to a."""

    backwards: bool = param(default=False)

    def _fit(self, dataset):
        self.ranks_ = np.argsort(np.argsort(dataset.items.ids)).astype(np.float32)

    def score_items(self, query, items=None):
        return self.ranks_ if self.backwards else -self.ranks_


@pytest.fixture(scope="module")
def split():
    return split_by_time(synthetic_shop(250, 60, random_state=2), 0.2)


COSTS = ["fit_s", "ms_per_answer", "peak_mb"]


def letters(train, test):
    """A split of (user, item) pairs."""
    frames = (pd.DataFrame(rows, columns=["user_id", "item_id"]) for rows in (train, test))
    whole = Dataset.from_frames(pd.concat(frames))
    return Split(whole.take(slice(0, len(train))), whole.take(slice(len(train), None)), "letters")


SMALL = letters(
    [("u", "a"), ("v", "b"), ("v", "c"), ("w", "d")],
    [("u", "c"), ("u", "a"), ("v", "d"), ("new", "a"), ("w", "d")],
)


def test_the_table_of_a_case_worked_by_hand():
    metrics = ["recall", "precision", "mrr", "coverage", "novelty"]
    table = evaluate(Alphabet(), SMALL, k=2, metrics=metrics)
    row = table.loc["Alphabet"]
    # u sees b, c and wants c; v sees a, d and wants d; the stranger sees a, b and wants a.
    assert row["recall@2"] == 1
    assert row["precision@2"] == 0.5
    assert row["mrr@2"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert row["coverage@2"] == 1
    assert row["novelty@2"] == pytest.approx(np.log2(3))
    assert row["users"] == 3
    assert table.attrs["counts"] == {
        "users_evaluated": 3,
        "users_unknown_to_training": 1,
        "users_with_nothing_left_to_find": 1,
        "items_unknown_to_training": 0,
        "splits_of_equal_users": {"Alphabet": 1},
    }
    assert table.attrs["splits"] == ["letters"]


def test_seen_items_count_where_they_are_kept():
    row = evaluate(Alphabet(), SMALL, k=1, metrics="recall", seen="keep").loc["Alphabet"]
    # Everybody sees a: u has it among two, the stranger alone.
    assert row["recall@1"] == pytest.approx((1 / 2 + 0 + 1 + 0) / 4)
    assert row["users"] == 4


def test_a_list_longer_than_the_catalogue_has_misses_at_its_end():
    row = evaluate(Alphabet(), SMALL, k=100, metrics=["precision", "recall"]).loc["Alphabet"]
    assert row["recall@100"] == 1
    assert row["precision@100"] == pytest.approx(1 / 100)


def test_the_columns_are_the_metrics_in_the_order_asked(split):
    table = evaluate([Popularity(), ItemKNN()], split, n_boot=20)
    columns = []
    for name in METRICS:
        intervals = [] if name == "coverage" else [f"{name}@10 low", f"{name}@10 high"]
        columns += [f"{name}@10", *intervals]
    gain = ["ndcg@10 gain", "ndcg@10 gain low", "ndcg@10 gain high"]
    assert table.columns.tolist() == [*columns, *gain, "users", *COSTS]
    assert table.index.name == "model"
    assert (table[["fit_s", "ms_per_answer"]] > 0).all(axis=None)


def test_a_mean_lies_in_its_interval_and_more_confidence_is_wider(split):
    wide, narrow = (evaluate(ItemKNN(), split, confidence=c).iloc[0] for c in (0.99, 0.5))
    for name in ("ndcg", "recall", "map", "mrr", "hit_rate", "novelty"):
        for row in (wide, narrow):
            assert row[f"{name}@10 low"] < row[f"{name}@10"] < row[f"{name}@10 high"]
        assert wide[f"{name}@10 low"] < narrow[f"{name}@10 low"]


def test_the_quality_in_the_table_is_the_models_own_score(split):
    model = ItemKNN().fit(split.train)
    table = evaluate(ItemKNN(), split, metrics="ndcg", n_boot=10)
    assert table["ndcg@10"].item() == pytest.approx(model.score(split.test), rel=1e-12)


def test_the_same_seed_gives_the_same_table(split):
    def measured(seed):
        models = [Popularity(), ItemKNN()]
        table = evaluate(models, split, n_boot=100, random_state=seed)
        return table.drop(columns=COSTS)

    pd.testing.assert_frame_equal(measured(1), measured(1), check_exact=True)
    assert not measured(1).equals(measured(2))


def test_identical_models_gain_exactly_nothing(split):
    models = {"one": ItemKNN(k=9), "other": ItemKNN(k=9)}
    gain = evaluate(models, split).filter(like="gain")
    assert gain.shape == (2, 3)
    assert (gain == 0.0).all(axis=None)


def test_a_gain_is_the_difference_with_a_paired_interval(split):
    table = evaluate([Popularity(), ItemKNN()], split, metrics=["coverage", "recall", "ndcg"])
    recall, gain = table["recall@10"], table.loc["ItemKNN", "recall@10 gain"]
    assert gain == pytest.approx(recall["ItemKNN"] - recall["Popularity"])
    low, high = table.loc["ItemKNN", ["recall@10 gain low", "recall@10 gain high"]]
    assert low < gain < high
    assert "ndcg@10 gain" not in table


def test_one_model_is_compared_with_nobody(split):
    assert not evaluate(Popularity(), split, n_boot=10).filter(like="gain").size


def test_metrics_of_whole_lists_need_no_resampling(split):
    table = evaluate([Popularity(), Alphabet()], split, metrics="coverage")
    assert table.columns.tolist() == ["coverage@10", "users", *COSTS]


def test_the_callers_models_are_not_fitted(split):
    fitted = ItemKNN(k=5).fit(split.test)
    before = fitted.weights_
    models = {"fitted": fitted, "fresh": Popularity()}
    evaluate(models, split, n_boot=10)
    assert fitted.weights_ is before
    assert not models["fresh"].__sklearn_is_fitted__()


def test_models_without_names_are_called_like_their_classes():
    models = [Alphabet(), Popularity(), Alphabet(backwards=True)]
    table = evaluate(models, SMALL, k=2, n_boot=10)
    assert table.index.tolist() == ["Alphabet", "Popularity", "Alphabet 2"]


def test_folds_are_pooled(split):
    folds = k_fold(split.train, 3)
    together = evaluate(Popularity(), folds, metrics=["ndcg", "coverage"], n_boot=50).iloc[0]
    alone = [evaluate(Popularity(), fold, metrics=["ndcg", "coverage"], n_boot=5) for fold in folds]
    answers = [table["users"].item() for table in alone]
    pooled = np.average([table["ndcg@10"].item() for table in alone], weights=answers)
    assert together["ndcg@10"] == pytest.approx(pooled)
    assert together["coverage@10"] == pytest.approx(np.mean([t["coverage@10"] for t in alone]))
    asked = {user for fold in folds for user in fold.test.interactions.users.tolist()}
    assert max(answers) < together["users"] <= len(asked)


def test_counts_are_summed_over_folds_and_users_are_not(split):
    table = evaluate(Popularity(), k_fold(split.train, 3), metrics="ndcg", n_boot=5)
    assert table.attrs["counts"]["users_evaluated"] > table["users"].item()
    assert table.attrs["splits"] == [f"fold {n} of 3" for n in (1, 2, 3)]


def test_strangers_get_what_the_model_falls_back_to():
    class Mute(Recommender):
        def _fit(self, dataset):
            self.size_ = len(dataset.items)

        def score_items(self, query, items=None):
            return np.full(self.size_, NO_OPINION)

    split = letters([("u", "a"), ("v", "a"), ("v", "b")], [("new", "a")])
    table = evaluate([Mute(), Popularity()], split, k=1, metrics="recall", n_boot=5)
    assert table["recall@1"].tolist() == [1, 1]
    assert table.attrs["counts"]["users_unknown_to_training"] == 1


def test_a_pipeline_is_measured_like_any_model(split):
    home = Pipeline(candidates=[ItemKNN(k=20), Popularity()])
    table = evaluate({"home": home, "knn": ItemKNN(k=20)}, split, n_boot=20)
    assert table.loc["home", "users"] == table.loc["knn", "users"]
    assert 0 < table.loc["home", "ndcg@10"] < 1


def test_a_model_that_knows_more_of_the_past_is_found_better():
    """The order of the visits decides: who learned from them beats the alphabet."""
    rng = np.random.default_rng(0)
    taste = rng.permutation(30)
    rows = [
        (user, item) for user in range(200) for item in rng.choice(taste, 5, False, p=_zipf(30))
    ]
    shop = Dataset.from_frames(pd.DataFrame(rows, columns=["user_id", "item_id"]))
    table = evaluate([Alphabet(), Popularity()], split_last(shop), k=5)
    assert table.loc["Popularity", "ndcg@5 gain low"] > 0


def _zipf(n):
    share = 1 / np.arange(1, n + 1)
    return share / share.sum()


def test_progress_is_silent_where_nobody_watches(capsys):
    evaluate(Alphabet(), SMALL, k=2, n_boot=5, progress=True)
    evaluate(Alphabet(), SMALL, k=2, n_boot=5, progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"models": []}, "needs at least one model, got none"),
        ({"models": "ALS"}, "needs recommenders, got 'ALS'"),
        ({"models": Popularity}, "write Popularity()"),
        ({"models": [Popularity]}, "write Popularity()"),
        ({"split": SMALL.train}, "needs a Split or a list of them, got Dataset; make one with"),
        ({"split": []}, "needs a Split or a list of them, got list"),
        ({"split": [SMALL, SMALL.test]}, "a list of them, got list with Dataset; make one with"),
        ({"metrics": "ndgc"}, "did you mean 'ndcg'?"),
        ({"k": 0}, "evaluate: k must be an integer of at least 1, got 0."),
        ({"confidence": 95}, "confidence must be a number between 0 and 1, both excluded, got 95."),
        ({"n_boot": 0}, "n_boot must be an integer of at least 1"),
        ({"random_state": "x"}, "random_state must be"),
        ({"seen": "yes"}, "seen must be 'drop', 'keep'"),
    ],
)
def test_a_wrong_argument_is_one_sentence(changed, words):
    asked = {"models": Alphabet(), "split": SMALL, "metrics": "ndcg", **changed}
    with pytest.raises(ParameterError) as caught:
        evaluate(asked.pop("models"), asked.pop("split"), **asked)
    assert words in str(caught.value)


def test_a_split_without_anything_to_find_is_an_error():
    with pytest.raises(DataError, match="'letters' leaves no user anything new to find"):
        evaluate(Alphabet(), letters([("u", "a"), ("u", "b")], [("u", "a")]))


def test_kinds_of_seen_events_may_come_one_by_one():
    split = split_last(synthetic_shop(60, 30, random_state=3))
    models = [Popularity(), ItemKNN(k=5)]
    listed = evaluate(models, split, seen=["view", "purchase"], metrics="ndcg", n_boot=20)
    one_by_one = evaluate(models, split, seen=iter(["view", "purchase"]), metrics="ndcg", n_boot=20)
    assert listed["ndcg@10"].tolist() == one_by_one["ndcg@10"].tolist()
