"""One call finds better parameters, says how, and fits the best on everything."""

import numpy as np
import optuna
import pandas as pd
import pytest

import recopersona as rp
from recopersona.base.searching import choice, real_range, whole_range
from recopersona.errors import DataError, ParameterError
from tests.tuning.dial import SPACE, Dial, closeness


@pytest.fixture(scope="module")
def shop():
    return rp.synthetic_shop(150, 60, random_state=3)


def dial(shop, **asked):
    return rp.tune(Dial(), shop, metric=closeness, progress=False, **{"space": SPACE, **asked})


def same(one, other):
    return one.trials.drop(columns="seconds").equals(other.trials.drop(columns="seconds"))


# -- what it finds ---------------------------------------------------------------------------


def test_the_first_trial_is_the_model_as_it_was_given(shop):
    given = Dial(x=0.125, n=7, kind="good")
    found = rp.tune(given, shop, metric=closeness, space=SPACE, trials=3)
    assert found.trials.loc[0, ["x", "n", "kind"]].tolist() == [0.125, 7, "good"]
    assert given.x == 0.125
    assert not hasattr(given, "n_rows_")


def test_a_default_outside_the_space_is_moved_to_its_edge(shop):
    found = dial(shop, space={"x": real_range(0.5, 1), "kind": choice("good")}, trials=2)
    assert found.trials.loc[0, ["x", "kind"]].tolist() == [0.5, "good"]


@pytest.mark.parametrize(("search", "near"), [("tpe", 0.05), ("random", 0.1), ("grid", 0.7)])
def test_every_search_comes_near_the_best_point(shop, search, near):
    found = dial(shop, search=search, trials=60)
    assert found.params["kind"] == "good"
    assert abs(found.params["x"] - 0.3) <= near
    assert found.score == found.trials["closeness"].max()


def test_tpe_learns_from_the_trials_before(shop):
    tpe, random = (dial(shop, search=search, trials=60).trials for search in ("tpe", "random"))
    assert tpe["closeness"][20:].mean() > random["closeness"][20:].mean() + 0.1


def test_a_metric_may_be_minimized(shop):
    def distance(model, split):
        return abs(model.x - 0.3)

    found = rp.tune(Dial(), shop, metric=distance, maximize=False, space=SPACE, trials=40)
    assert found.score == found.trials["distance"].min() < 0.05


def test_a_metric_of_what_is_wrong_is_minimized_without_a_word(shop):
    space = {"half_life": [None, "1d", "30d"]}
    found = rp.tune(rp.Popularity(), shop, metric="gini@5", space=space, progress=False)
    assert found.score == found.trials["gini@5"].min()
    most = rp.tune(rp.Popularity(), shop, metric="gini@5", space=space, maximize=True)
    assert most.score == most.trials["gini@5"].max() > found.score


def test_the_best_is_fitted_on_everything(shop):
    assert dial(shop, trials=2).model.n_rows_ == len(shop.log)


def test_both_parts_of_a_split_are_everything(shop):
    split = rp.split_by_time(shop, 0.3)
    assert rp.tune(Dial(), split, metric=closeness, trials=2).model.n_rows_ == len(shop.log)


def test_without_refit_the_best_comes_back_unfitted(shop):
    assert not hasattr(dial(shop, trials=2, refit=False).model, "n_rows_")


def test_an_events_frame_will_do():
    events = pd.DataFrame({"user_id": [1, 2] * 10, "item_id": list(range(10)) * 2})
    assert rp.tune(Dial(), events, metric=closeness, trials=2).counts["trials"] == 2


def test_a_real_model_is_not_worse_than_it_was(shop):
    found = rp.tune(rp.ItemKNN(), shop, trials=8, progress=False)
    assert found.score >= found.trials["ndcg@10"][0]
    assert found.model.recommend("u-0001", n=3).item_ids


def test_parts_of_a_pipeline_are_searched_by_their_names(shop):
    home = rp.Pipeline(candidates=[rp.ItemKNN(), rp.Popularity()])
    space = {"itemknn__k": [5, 50], "pool": (10, 40)}
    found = rp.tune(home, shop, space=space, trials=4, progress=False)
    assert found.model.get_params()["itemknn__k"] == found.params["itemknn__k"]
    assert found.model.get_params()["pool"] == found.params["pool"]


# -- budgets ---------------------------------------------------------------------------------


def test_the_same_seed_tries_the_same(shop):
    assert same(dial(shop, trials=25), dial(shop, trials=25))
    assert not same(dial(shop, trials=25), dial(shop, trials=25, random_state=1))


def test_a_longer_search_begins_with_the_trials_of_a_shorter_one(shop):
    short, long = (dial(shop, trials=n).trials.drop(columns="seconds") for n in (15, 30))
    assert long[:15].equals(short)


def test_seconds_are_kept(shop):
    found = dial(shop, seconds=0.5, trials=10_000)
    assert 1 <= found.counts["trials"] < 10_000
    assert found.trials["seconds"].sum() < 0.5


def test_a_budget_that_is_too_short_still_tries_the_model_as_it_is(shop):
    assert dial(shop, seconds=1e-9).counts["trials"] == 1


def test_without_a_budget_there_are_fifty_trials_and_of_a_grid_all_points(shop):
    assert dial(shop).counts["trials"] == 50
    space = {"x": [0.0, 0.3, 0.6], "n": (1, 3)}
    assert dial(shop, space=space, search="grid").counts["trials"] == 9


# -- small spaces ----------------------------------------------------------------------------


def test_a_space_with_one_point_is_one_trial_and_said(shop):
    found = dial(shop, space={"x": 0.5}, trials=20)
    assert found.counts["trials"] == found.counts["points"] == 1
    assert found.params == {"x": 0.5}
    assert found.importances["importance"].isna().all()
    assert "1 point" in found.report()


def test_a_model_without_a_space_is_measured_once(shop):
    found = dial(shop, space={}, trials=20)
    assert found.params == {}
    assert found.counts["trials"] == 1
    assert found.importances.empty
    assert "Dial" in found.report()


@pytest.mark.parametrize("search", ["tpe", "random", "grid"])
def test_no_point_of_a_small_space_is_tried_twice(shop, search):
    space = {"n": whole_range(1, 4), "kind": choice("plain", "good")}
    found = dial(shop, space=space, search=search, trials=50)
    points = 6 if search == "grid" else 8
    assert len(found.trials) == points
    assert not found.trials[["n", "kind"]].duplicated().any()


def test_a_grid_larger_than_the_budget_says_how_much_is_left(shop):
    found = dial(shop, search="grid", trials=5)
    assert found.counts["points_not_tried"] == found.counts["points"] - 5 == 13
    assert "13 points not tried" in found.report()


# -- trials that fail ------------------------------------------------------------------------


def test_a_failing_trial_is_counted_and_named_and_the_study_goes_on(shop):
    space = {**SPACE, "kind": choice("broken", "good")}
    found = dial(shop, space=space, trials=30, search="random")
    assert 0 < found.counts["failed"] < 30
    assert found.counts["failed"] + found.counts["complete"] == 30
    failed = found.trials[found.trials["state"] == "failed"]
    assert set(failed["failure"]) == {"RuntimeError: the dial is broken"}
    assert failed["closeness"].isna().all()
    assert found.params["kind"] == "good"
    assert "the dial is broken" in found.report()


def test_where_all_trials_fail_the_first_reason_is_told(shop):
    with pytest.raises(DataError, match="all 3 trials failed, the first with RuntimeError: the"):
        dial(shop, space={"kind": "broken", "x": (0.0, 1.0)}, trials=3)


def test_nobody_waits_for_a_thousand_failures(shop):
    with pytest.raises(DataError, match="all 10 trials failed"):
        dial(shop, space={"kind": "broken", "x": (0.0, 1.0)}, trials=1_000)


def test_a_metric_that_is_no_number_is_a_failure(shop):
    def undefined(model, split):
        return float("nan") if model.kind == "plain" else model.x

    found = rp.tune(Dial(), shop, metric=undefined, space=SPACE, trials=10)
    assert all("must be a finite number" in words for words in found.trials["failure"].dropna())


# -- several models --------------------------------------------------------------------------


def test_several_models_share_the_budget_and_the_best_comes_back(shop):
    models = {"far": Dial(kind="plain"), "near": Dial(kind="good")}
    found = rp.tune(models, shop, metric=closeness, trials=21)
    assert {name: one.counts["trials"] for name, one in found.others.items()} == {
        "far": 10,
        "near": 11,
    }
    assert found.model.kind == "good"
    assert found.score == found.others["near"].score > found.others["far"].score
    assert "far: " in found.report()


def test_each_of_several_models_may_have_a_space(shop):
    space = {"dial": {"x": (0.0, 1.0)}, "dial2": {"n": [5]}}
    found = rp.tune([Dial(), Dial()], shop, metric=closeness, trials=6, space=space)
    assert set(found.others["dial2"].params) == {"n"}


def test_one_of_several_models_may_fail_and_is_named(shop):
    models = {"broken": Dial(kind="broken"), "whole": Dial()}
    for order in (models, dict(reversed(models.items()))):
        found = rp.tune(order, shop, metric=closeness, trials=6)
        assert found.model.kind == "plain"
        assert list(found.others) == ["whole"]
        assert "all 3 trials failed, the first with RuntimeError" in found.failed["broken"]
        assert "broken: tune: all 3 trials" in found.report()


def test_where_all_of_several_models_fail_the_last_reason_is_told(shop):
    with pytest.raises(DataError, match="all 3 trials failed"):
        rp.tune([Dial(kind="broken")] * 2, shop, metric=closeness, trials=6)


def test_a_failure_that_cannot_say_why_is_counted_too(shop):
    class MuteError(Exception):
        def __str__(self):
            raise RuntimeError

    def mute(model, split):
        raise MuteError

    with pytest.raises(DataError, match="the first with MuteError"):
        rp.tune(Dial(), shop, metric=mute, trials=2)


# -- reports ---------------------------------------------------------------------------------


def test_importances_name_what_mattered(shop):
    shares = dial(shop, trials=40).importances["importance"]
    assert shares.index[0] == "x"
    assert shares.sum() == pytest.approx(1)


def test_trials_tell_every_fold(shop):
    found = rp.tune(rp.Popularity(), shop, folds=3, trials=3, space={"half_life": [None, "7d"]})
    folds = found.trials[["fold 1", "fold 2", "fold 3"]]
    assert folds.mean(axis=1).tolist() == pytest.approx(found.trials["ndcg@10"].tolist())


def test_a_notebook_shows_it_escaped(shop):
    found = dial(shop, space={"kind": choice("broken", "good")}, trials=2, search="grid")
    assert "<table" in found._repr_html_()
    assert repr(found).startswith("Tuned(Dial(kind='good')")


def test_optuna_is_as_talkative_afterwards_as_before(shop, capfd):
    before = optuna.logging.get_verbosity()
    dial(shop, trials=2)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr().err == ""


# -- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"space": {"z": (0, 1)}}, "Dial has no parameter 'z'"),
        ({"space": {"kindd": ["good"]}}, "did you mean 'kind'"),
        ({"space": {"n": (0, 5)}}, "n must be an integer of at least 1, got 0"),
        ({"space": {"kind": ["goood"]}}, "did you mean 'good'"),
        ({"space": {"x": ("a", "b")}}, "a tuple in space is"),
        ({"space": ["x"]}, "space must be a mapping"),
        ({"search": "tpee"}, "did you mean 'tpe'"),
        ({"trials": 0}, "trials must be an integer of at least 1"),
        ({"seconds": 0}, "seconds must be a finite number above 0"),
        ({"metric": "ndgc"}, "did you mean 'ndcg'"),
        ({"metric": ["ndcg", "recall"]}, "one metric"),
        ({"split": 3}, "split must be"),
        ({"folds": 0}, "folds must be"),
        ({"patience": 0}, "patience must be"),
        ({"name": ""}, "name must be"),
        ({"search": "grid", "space": {"n": [*range(1, 9_999)], "x": [n / 9 for n in range(101)]}},
         "points, more than"),
    ],
)  # fmt: skip
def test_mistakes_are_told_before_anything_is_fitted(shop, asked, words):
    with pytest.raises(ParameterError, match=words):
        rp.tune(Dial(kind="plain"), shop, **{"metric": closeness, **asked})


def test_a_class_is_no_model(shop):
    with pytest.raises(ParameterError, match=r"write Dial\(\)"):
        rp.tune(Dial, shop)
    with pytest.raises(ParameterError, match="at least one"):
        rp.tune([], shop)


def test_data_in_which_nobody_has_anything_to_find_is_refused():
    events = pd.DataFrame(
        {"user_id": [1, 1], "item_id": ["a", "a"], "timestamp": ["2026-01-01", "2026-01-02"]}
    )
    with pytest.raises(DataError, match="leaves no user anything new to find"):
        rp.tune(Dial(), events, trials=2)


def test_a_matrix_of_nothing_is_refused():
    with pytest.raises(DataError, match="at least one interaction"):
        rp.tune(Dial(), rp.Dataset.from_matrix(np.zeros((2, 2))), trials=2)
