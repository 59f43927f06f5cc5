"""Gaps are filled by what was learned, and guesses say how good they are."""

import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

import recopersona as rp
from recopersona.errors import ColumnError, DataError, NotFittedError, ParameterError

FOLDER = os.environ.get("RECOPERSONA_DATA")


@pytest.fixture
def customers():
    return pd.DataFrame(
        {
            "user_id": ["a", "b", "c", None],
            "age": [30.0, np.nan, 50.0, 70.0],
            "visits": pd.array([1, None, 4, 4], dtype="Int64"),
            "city": ["Ulm", "Ulm", None, "Bonn"],
            "tier": pd.Categorical(["x", None, "y", "x"]),
            "vip": pd.array([True, True, None, False], dtype="boolean"),
            "since": pd.to_datetime(["2026-01-01", None, "2026-01-02", "2026-01-03"]),
            "likes": [["tea"], None, ["salt"], []],
            "clicks": [1, 2, 3, 4],
        }
    )


# Imputing -----------------------------------------------------------------------------------------


def test_every_gap_that_can_be_filled_is_filled_in_its_own_type(customers):
    filled = rp.impute(customers)
    assert filled["age"].tolist() == [30, 50, 50, 70]
    assert filled["visits"].tolist() == [1, 4, 4, 4]
    assert filled["city"].tolist() == ["Ulm", "Ulm", "Ulm", "Bonn"]
    assert filled["tier"].tolist() == ["x", "x", "y", "x"]
    assert filled["vip"].tolist() == [True, True, True, False]
    assert (filled.dtypes[customers.columns] == customers.dtypes).all()


def test_ids_times_and_lists_stay_as_they_are(customers):
    filled = rp.impute(customers)
    for name in ("user_id", "since", "likes", "clicks"):
        pd.testing.assert_series_equal(filled[name], customers[name])


def test_further_columns_say_where_the_gaps_were(customers):
    filled = rp.impute(customers)
    added = [name for name in filled if name not in customers]
    assert added == [f"{name}_missing" for name in ("age", "visits", "city", "tier", "vip")]
    assert filled["city_missing"].tolist() == [False, False, True, False]
    assert rp.impute(customers, indicator=False).columns.tolist() == customers.columns.tolist()


def test_the_callers_table_stays_as_it_was(customers):
    before = customers.copy(deep=True)
    rp.impute(customers)
    pd.testing.assert_frame_equal(customers, before)


def test_what_is_filled_in_comes_from_fit_alone():
    imputer = rp.ProfileImputer().fit(pd.DataFrame({"age": [10.0, 20.0, None]}))
    later = imputer.transform(pd.DataFrame({"age": [None, 1000.0]}))
    assert later["age"].tolist() == [15, 1000]
    assert later["age_missing"].tolist() == [True, False]


def test_a_gap_that_fit_never_saw_is_filled_without_a_further_column():
    imputer = rp.ProfileImputer().fit(pd.DataFrame({"age": [10.0, 20.0]}))
    later = imputer.transform(pd.DataFrame({"age": [None, 1.0]}))
    assert later.columns.tolist() == ["age"]
    assert later["age"].tolist() == [15, 1]


@pytest.mark.parametrize(
    ("imputer", "age"),
    [
        (SimpleImputer(strategy="mean", add_indicator=True), 40.0),
        (SimpleImputer(strategy="constant", fill_value=-1), -1.0),
        (KNNImputer(n_neighbors=1), 30.0),
    ],
)
def test_any_imputer_of_scikit_learn_serves(imputer, age):
    table = pd.DataFrame({"age": [30.0, None, 50.0], "visits": [1, 1, 9]})
    filled = rp.impute(table, imputer)
    assert filled["age"].tolist() == [30, age, 50]
    assert filled.columns.tolist() == ["age", "visits", "age_missing"]


def test_categories_take_an_imputer_too():
    table = pd.DataFrame({"city": ["Ulm", None]})
    imputer = SimpleImputer(strategy="constant", fill_value="unknown")
    assert rp.impute(table, category_imputer=imputer)["city"].tolist() == ["Ulm", "unknown"]


def test_a_column_without_any_value_stays_empty():
    filled = rp.impute(pd.DataFrame({"age": [None, None], "n": [1.0, None]}))
    assert filled["age"].isna().all()
    assert filled["n"].tolist() == [1, 1]


def test_only_the_named_columns_are_filled(customers):
    filled = rp.impute(customers, columns=["age"])
    assert filled["age"].notna().all()
    assert filled["city"].isna().sum() == 1


def test_polars_comes_back_as_polars():
    filled = rp.impute(pl.DataFrame({"age": [1.0, None, 3.0], "city": ["a", None, "a"]}))
    assert isinstance(filled, pl.DataFrame)
    assert filled["age"].to_list() == [1, 2, 3]
    assert filled["city_missing"].to_list() == [False, True, False]


def test_the_imputer_is_one_of_scikit_learn(customers):
    imputer = rp.ProfileImputer(imputer=SimpleImputer(strategy="mean"), columns=["age"])
    twin = clone(imputer)
    assert twin.get_params()["columns"] == ["age"]
    assert twin.imputer is not imputer.imputer
    steps = make_pipeline(twin, "passthrough").fit(customers)
    names = steps[0].get_feature_names_out().tolist()
    assert names == steps.transform(customers).columns.tolist()


def test_a_second_fit_forgets_the_first(customers):
    imputer = rp.ProfileImputer().fit(customers)
    imputer.fit(pd.DataFrame({"age": [1.0]}))
    assert imputer.category_columns_ == []
    assert imputer.transform(pd.DataFrame({"age": [None]}))["age"].tolist() == [1]


def test_what_cannot_be_imputed_is_said(customers):
    with pytest.raises(NotFittedError, match=r"call ProfileImputer\.fit first"):
        rp.ProfileImputer().transform(customers)
    with pytest.raises(ColumnError, match="needs a column 'agee'; did you mean 'age'"):
        rp.impute(customers, columns=["agee"])
    with pytest.raises(ParameterError, match="columns must be a list of names, got 'age'"):
        rp.impute(customers, columns="age")
    with pytest.raises(ParameterError, match="expected an imputer of scikit-learn, got 'mean'"):
        rp.impute(customers, "mean")
    with pytest.raises(ParameterError, match="indicator must be True or False, got 3"):
        rp.impute(customers, indicator=3)
    with pytest.raises(DataError, match="the table must be a dataframe"):
        rp.impute([1, 2])
    with pytest.raises(DataError, match="SimpleImputer cannot fill the table"):
        rp.impute(pd.DataFrame({"a": ["x", None]}), category_imputer=SimpleImputer(strategy="mean"))


# Inferring ----------------------------------------------------------------------------------------


def shoppers(n=600, noise=0.1, seed=0):
    """Drinkers of tea live in Hull, of coffee in Rome, and a few elsewhere."""
    rng = np.random.default_rng(seed)
    likes = rng.choice(["tea", "coffee"], n, p=[0.6, 0.4])
    town = np.where(likes == "tea", "Hull", "Rome")
    town = np.where(rng.random(n) < noise, rng.choice(["Hull", "Rome"], n), town)
    hidden = rng.random(n) < 0.25
    table = pd.DataFrame({"user_id": np.arange(n), "town": town, "likes": likes})
    return table.assign(likes=table["likes"].mask(hidden)), likes, hidden


def test_gaps_are_filled_with_what_is_likely():
    table, truth, hidden = shoppers()
    filled, told = rp.infer_attribute(table, "likes", report=True)
    assert filled["likes"].notna().all()
    assert (filled["likes"] == truth)[hidden].mean() > 0.85
    assert told.filled == hidden.sum()
    assert told.known == (~hidden).sum()
    assert told.refused == 0
    assert told.accuracy > 0.85 > 0.7 > told.baseline


def test_what_was_known_stays_and_is_certain():
    table, truth, hidden = shoppers()
    filled = rp.infer_attribute(table, "likes")
    assert (filled["likes"] == truth)[~hidden].all()
    assert (filled["likes_confidence"][~hidden] == 1).all()
    assert (filled["likes_confidence"][hidden] < 1).all()
    assert list(filled.columns) == [*table.columns, "likes_confidence"]
    assert table["likes"].isna().sum() == hidden.sum()


def test_confidences_are_frequencies():
    """Of guesses with a confidence near 0.95, about so many are right."""
    table, truth, hidden = shoppers(n=4_000)
    filled = rp.infer_attribute(table, "likes")
    right = (filled["likes"] == truth)[hidden].mean()
    assert filled["likes_confidence"][hidden].mean() == pytest.approx(right, abs=0.03)


def test_a_guess_that_is_not_sure_enough_is_not_made():
    table, _, hidden = shoppers(noise=0.5)
    filled, told = rp.infer_attribute(table, "likes", min_confidence=0.999, report=True)
    assert told.filled == 0
    assert told.refused == hidden.sum()
    assert filled["likes"].isna().sum() == hidden.sum()
    assert filled["likes_confidence"].notna().all()
    assert np.isnan(told.confident_accuracy)


def test_noise_is_no_better_than_the_most_frequent_value():
    table, _, _ = shoppers()
    rng = np.random.default_rng(3)
    table["town"] = rng.choice(["Hull", "Rome"], len(table))
    told = rp.infer_attribute(table, "likes", report=True)[1]
    assert told.accuracy == pytest.approx(told.baseline, abs=0.08)


def test_what_somebody_buys_tells_too():
    table, truth, hidden = shoppers()
    rng = np.random.default_rng(1)
    bought = np.where(truth == "tea", rng.integers(0, 30, len(table)), rng.integers(30, 60, 600))
    events = pd.DataFrame({"user_id": table["user_id"], "item_id": bought})
    events = pd.concat([events, events.assign(item_id=(events["item_id"] + 7) % 30)])
    filled, told = rp.infer_attribute(
        table[["user_id", "likes"]], "likes", events=events, report=True
    )
    assert told.accuracy > told.baseline + 0.1
    assert (filled["likes"] == truth)[hidden].mean() > 0.7


@pytest.mark.parametrize("model", [GaussianNB(), HistGradientBoostingClassifier(max_iter=20)])
def test_any_classifier_serves(model):
    table, truth, _ = shoppers()
    table["age"] = np.where(truth == "tea", 60.0, 30.0)
    table.loc[:9, "age"] = np.nan
    told = rp.infer_attribute(table, "likes", features=["age"], model=model, report=True)[1]
    assert told.accuracy > 0.9


def test_the_same_seed_infers_the_same():
    table, _, _ = shoppers()
    one, other = (rp.infer_attribute(table, "likes", random_state=5) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)


def test_a_category_stays_one_and_polars_stays_polars():
    table, _, _ = shoppers()
    filled = rp.infer_attribute(table.astype({"likes": "category"}), "likes")
    assert filled["likes"].dtype == "category"
    assert isinstance(rp.infer_attribute(pl.from_pandas(table), "likes"), pl.DataFrame)


def test_a_table_without_gaps_is_judged_all_the_same():
    table, truth, _ = shoppers()
    _, told = rp.infer_attribute(table.assign(likes=truth), "likes", report=True)
    assert (told.filled, told.refused) == (0, 0)
    assert told.accuracy > told.baseline


def test_the_report_is_logged_without_being_asked_for(caplog):
    caplog.set_level(logging.INFO, logger="recopersona.features.attributes")
    rp.infer_attribute(shoppers()[0], "likes")
    assert "right on rows held out" in caplog.text
    assert "always the most frequent value" in caplog.text


def test_what_cannot_be_inferred_is_said():
    table, truth, _ = shoppers()
    for error, words, changed in (
        (ColumnError, "needs a column 'like'; did you mean 'likes'", {"attribute": "like"}),
        (ParameterError, "min_confidence must be a finite number", {"min_confidence": 2}),
        (ParameterError, "held_out must be a finite number", {"held_out": 0}),
        (ParameterError, "model must be a classifier with predict_proba", {"model": "forest"}),
        (ParameterError, "cannot be inferred from itself", {"features": ["likes"]}),
        (ParameterError, "features must be a list of names, got 'town'", {"features": "town"}),
        (ColumnError, "need a column 'item_id'", {"events": table}),
        (DataError, "more, got 30", {"frame": table[:30].assign(likes="a")}),
        (DataError, "one value in all rows", {"frame": table.assign(likes="tea")}),
        (DataError, "600 different values", {"frame": table.assign(likes=range(600))}),
        (DataError, "known of 1 rows only", {"frame": table.assign(likes=["x", *truth[1:]])}),
        (DataError, "nothing to infer", {"frame": table[["user_id", "likes"]]}),
    ):  # fmt: skip
        options = {"frame": table, "attribute": "likes"} | changed
        with pytest.raises(error, match=words):
            rp.infer_attribute(options.pop("frame"), options.pop("attribute"), **options)


@pytest.mark.skipif(not FOLDER, reason="set RECOPERSONA_DATA to a folder that holds ml-1m")
def test_gender_of_film_goers_from_occupation_and_zip_code_beats_the_majority_a_little():
    users = pd.read_parquet(Path(FOLDER) / "ml-1m" / "users.parquet")
    features = ["occupation", "age_group", "zip_code"]
    told = rp.infer_attribute(users, "gender", features=features, min_confidence=0.8, report=True)[
        1
    ]
    assert told.baseline == pytest.approx(0.717, abs=0.01)
    assert told.accuracy > told.baseline
    assert told.confident_accuracy > 0.78


def test_tables_that_cannot_be_filled_are_refused_in_words():
    table = pd.DataFrame({"age": [20.0, np.nan, 40.0, np.inf] * 50, "city": ["a", "b"] * 100})
    twice = pd.concat([table, table[["age"]]], axis=1)
    with pytest.raises(ColumnError, match="the table have 2 columns named 'age'; keep one"):
        rp.impute(twice)
    with pytest.raises(ColumnError, match="have 2 columns named 'age'"):
        rp.infer_attribute(twice, "city")
    with pytest.raises(ColumnError, match=r"needs words for names of columns, got 3; rename"):
        rp.impute(table.rename(columns={"age": 3}))
    assert len(rp.infer_attribute(table, "city")) == 200
    with pytest.raises(DataError, match="hashed"):
        rp.infer_attribute(table.assign(city=[["x"], ["y"]] * 100), "city")
