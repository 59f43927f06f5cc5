"""Hashes split as they promise, keep who need not move, and a broken split is found."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, chisquare

import recopersona as rp
from recopersona.errors import ColumnError, DataError, ParameterError

UNITS = [f"visitor {number}" for number in range(20_000)]


def shares_of(test, units=UNITS):
    return pd.Series(test.assign_many(units)).value_counts()


@pytest.mark.parametrize(
    "arms",
    [
        {"old": 1, "new": 1},
        {"old": 90, "new": 10},
        {"old": 0.97, "new": 0.02, "other": 0.01},
        {f"arm {number}": number + 1 for number in range(7)},
    ],
)
def test_every_arm_gets_its_share(arms):
    total = sum(arms.values())
    for units in (UNITS, range(20_000)):
        found = shares_of(rp.Experiment("one", arms), units).reindex([*arms])
        expected = [weight / total * len(UNITS) for weight in arms.values()]
        assert chisquare(found, expected).pvalue > 0.001


def test_experiments_and_salts_are_independent_of_each_other():
    arms = {"old": 2, "new": 1}
    tests = [
        rp.Experiment("one", arms),
        rp.Experiment("two", arms),
        rp.Experiment("one", arms, "s"),
    ]
    found = [test.assign_many(UNITS) for test in tests]
    for other in found[1:]:
        assert chi2_contingency(pd.crosstab(found[0], other)).pvalue > 0.001


def test_names_that_run_together_are_different_experiments():
    one, two = rp.Experiment("ab", salt="c"), rp.Experiment("b", salt="ca")
    assert one.assign_many(range(100)) != two.assign_many(range(100))


def test_neighbours_are_independent_of_each_other():
    found = np.array(rp.Experiment("one").assign_many(range(20_000))) == "control"
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 4 / np.sqrt(20_000)


def test_assignments_stay_for_ever():
    # Written down once: whoever changes the hash moves everybody in every running experiment.
    test = rp.Experiment("new ranker", {"old": 3, "new": 1, "other": 1}, salt="2026")
    found = "".join(arm[1] for arm in test.assign_many([*range(12), "anna", "ben", "ünal", "茶"]))
    assert found == "elltllletlleelll"


def test_another_process_says_the_same():
    program = (
        "import recopersona as rp; "
        "print(*rp.Experiment('one', {'a': 1, 'b': 2}).assign_many(range(200)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert run.stdout.split() == rp.Experiment("one", {"a": 1, "b": 2}).assign_many(range(200))


def moved(before, after):
    pairs = zip(rp.Experiment("t", before).assign_many(UNITS),
                rp.Experiment("t", after).assign_many(UNITS), strict=True)  # fmt: skip
    return {pair for pair in pairs if pair[0] != pair[1]}


def test_nobody_moves_who_need_not():
    assert moved({"old": 95, "new": 5}, {"old": 50, "new": 50}) == {("old", "new")}
    assert moved({"old": 1, "new": 1}, {"new": 1, "old": 1}) == set()
    assert moved({"old": 1, "new": 1}, {"old": 7, "new": 7}) == set()
    grown = moved({"off": 80, "old": 10, "new": 10}, {"off": 0, "old": 10, "new": 10})
    assert grown == {("off", "old"), ("off", "new")}
    added = moved({"old": 1, "new": 1}, {"old": 1, "new": 1, "third": 1})
    assert added == {("old", "third"), ("new", "third")}


def test_an_id_is_the_same_unit_however_a_frame_holds_it():
    test = rp.Experiment("one")
    forms = [[7, 8, 9] * 9, ["7", "8", "9"] * 9, [7.0, 8.0, 9.0] * 9, list(np.array([7, 8, 9] * 9))]
    assert len({tuple(test.assign_many(form)) for form in forms}) == 1


def test_an_arm_without_weight_gets_nobody():
    assert set(rp.Experiment("t", {"off": 0, "on": 1}).assign_many(range(99))) == {"on"}


# -- is the split sound ----------------------------------------------------------------------


def test_a_split_as_planned_is_called_broken_as_rarely_as_promised():
    test, rng = rp.Experiment("t", {"old": 8, "new": 1, "other": 1}), np.random.default_rng(0)
    counts = rng.multinomial(10_000, [0.8, 0.1, 0.1], size=2_000)
    ps = np.array([
        test.mismatch(dict(zip(test.arms, row.tolist(), strict=True))) for row in counts
    ])  # fmt: skip
    assert np.mean(ps < 0.05) == pytest.approx(0.05, abs=0.02)
    assert np.mean(ps < 0.001) < 0.004


def test_lost_units_are_found():
    test = rp.Experiment("t")
    assert test.mismatch({"control": 50_000, "treatment": 48_900}) < 0.001
    assert rp.Experiment("t", {"off": 0, "on": 1}).mismatch({"off": 1, "on": 900}) == 0
    assert test.mismatch({}) == 1


# -- what the arms brought -------------------------------------------------------------------


def visits(test, effect, n=6_000, per_unit=1, seed=0):
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n), per_unit)
    arms = np.array(test.assign_many(range(n)))
    taste = rng.beta(1, 9, n)
    chance = np.clip(taste + effect * (arms != test.arms[0]), 0, 1)[users]
    clicks = (rng.random(len(users)) < chance).astype(float)
    return pd.DataFrame({"user_id": users, "shown": arms[users], "clicked": clicks})


def test_an_effect_is_found_with_its_size():
    test = rp.Experiment("t", ["old", "new", "other"])
    found = test.analyse(visits(test, 0.05), "clicked", arm="shown")
    assert found.differences["different"].all()
    assert ((found.differences["low"] < 0.05) & (found.differences["high"] > 0.05)).all()
    assert found.refused is None
    assert found.sentences[0].startswith("new is above old: +0.0")
    assert "clicked of 6,000 units" in repr(found)


def test_without_an_effect_intervals_and_tests_hold_what_they_promise():
    different, covered = [], []
    for trial in range(200):
        test = rp.Experiment(f"trial {trial}")
        log = visits(test, 0.0, n=400, per_unit=3, seed=trial)
        row = test.analyse(log, "clicked", n_boot=300).differences.loc["treatment"]
        different.append(row["different"])
        covered.append(row["low"] <= 0 <= row["high"])
    assert 0.02 <= np.mean(different) <= 0.085
    assert 0.915 <= np.mean(covered) <= 0.98


def test_units_with_several_rows_count_as_one_unit():
    test = rp.Experiment("t")
    once = visits(test, 0.0, n=500)
    ten_times = pd.concat([once] * 10)
    one, ten = test.analyse(once, "clicked"), test.analyse(ten_times, "clicked")
    assert ten.differences["p"].item() == pytest.approx(one.differences["p"].item())
    assert ten.arms["low"].tolist() == pytest.approx(one.arms["low"].tolist())


def test_a_broken_split_refuses_to_call_anything_different():
    test = rp.Experiment("t")
    log = visits(test, 0.05, n=20_000)
    lost = log[(log["shown"] == "control") | (log["clicked"] == 1) | (log["user_id"] % 5 > 0)]
    found = test.analyse(lost, "clicked", arm="shown")
    assert found.mismatch < 0.001
    assert "The split is broken" in found.sentences[0]
    assert not found.differences["different"].any()


def test_what_is_left_out_is_counted():
    test = rp.Experiment("t")
    log = visits(test, 0.0, n=1_000)
    log.loc[0, "clicked"] = np.nan
    log.loc[1, "shown"] = "elsewhere"
    log = pd.concat([log, log.iloc[2:4].assign(shown=["control", "treatment"])]).drop_duplicates()
    found = test.analyse(log, "clicked", arm="shown")
    assert found.counts == {
        "rows_without_value": 1, "rows_of_no_arm": 1, "units_of_several_arms": len(log) - 1_000
    }  # fmt: skip
    assert found.arms["units"].sum() == 998 - found.counts["units_of_several_arms"]


def test_an_arm_without_weight_is_not_compared():
    test = rp.Experiment("t", {"off": 0, "old": 1, "new": 1})
    log = pd.DataFrame({"user_id": range(200), "clicked": [0, 1] * 100})
    assert test.analyse(log, "clicked").differences.index.tolist() == ["new"]


def test_values_that_are_all_alike_are_no_difference():
    log = pd.DataFrame({"user_id": range(200), "clicked": 0.0})
    found = rp.Experiment("t").analyse(log, "clicked")
    assert found.differences["p"].item() == 1
    assert not found.differences["different"].item()


FRAME = pd.DataFrame({"user_id": [1, 2, None], "clicked": [0, 1, 1]})


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: rp.Experiment(7), ParameterError, "name must be text, got 7"),
        (lambda: rp.Experiment("t", ["a"]), ParameterError, "at least two arms"),
        (lambda: rp.Experiment("t", ["a", "a"]), ParameterError, "must be distinct"),
        (lambda: rp.Experiment("t", [1, 2]), ParameterError, "arms must be text"),
        (lambda: rp.Experiment("t", {}), ParameterError, "at least two arms"),
        (lambda: rp.Experiment("t", {"a": 0, "b": 0}), ParameterError, "one of them with a weight"),
        (lambda: rp.Experiment("t", {"a": -1, "b": 1}), ParameterError, "at least 0, got -1"),
        (lambda: rp.Experiment("t", {"a": np.nan, "b": 1}), ParameterError, "finite"),
        (lambda: rp.Experiment("t", "ab"), DataError, "needs a list"),
        (lambda: rp.Experiment("t").assign(None), DataError, "a unit's id must be text"),
        (lambda: rp.Experiment("t").assign(np.nan), DataError, "a unit's id must be text"),
        (lambda: rp.Experiment("t").assign(True), DataError, "got True"),
        (lambda: rp.Experiment("t").assign_many("anna"), DataError, "list of ids"),
        (lambda: rp.Experiment("t").mismatch({"contrl": 1}), DataError, "did you mean 'control'"),
        (lambda: rp.Experiment("t").mismatch({"control": -1}), DataError, "a whole number, got -1"),
        (lambda: rp.Experiment("t").mismatch([1]), DataError, "needs a mapping"),
        (lambda: rp.Experiment("t").analyse(FRAME, "clicks"), ColumnError, "mean 'clicked'"),
        (lambda: rp.Experiment("t").analyse(FRAME, "clicked"), DataError, "1 rows have no user_id"),
        (lambda: rp.Experiment("t").analyse(FRAME[:1], "clicked"), DataError, "two are needed"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_arms_that_are_lists_are_refused_or_counted():
    with pytest.raises(ParameterError, match="arms must be text"):
        rp.Experiment("n", [["a"], "b"])
    log = pd.DataFrame({"user_id": range(60), "value": 1.0, "arm": ["a", "b", ["a"]] * 20})
    found = rp.Experiment("n", ["a", "b"]).analyse(log, "value", arm="arm", n_boot=50)
    assert found.counts["rows_of_no_arm"] == 20
