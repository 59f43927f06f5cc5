"""List estimators are right under the click model they assume, and wrong under others."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.evaluation.offpolicy.lists import LIST_ESTIMATORS
from recopersona.evaluation.offpolicy.slates import cascade_dr, iips, rips, sips
from tests.evaluation.offpolicy.list_world import (
    ITEMS,
    LISTS,
    PLACES,
    READERS,
    Chooser,
    drawn_log,
    matrices,
    truth,
)
from tests.naive import slates as naive

LOGGING, TARGET = Chooser(1), Chooser(3)
CHANCES, WEIGHTS, ALONE = matrices(LOGGING, TARGET)
ANY_MODEL = np.random.default_rng(3).random((ITEMS + 1,) * PLACES)


def any_model():
    """What an arbitrary model expects from each place on, and the target's mean of it."""
    q, v = np.zeros((2, len(LISTS), PLACES))
    for row, shown in enumerate(LISTS):
        for k in range(PLACES):
            above = shown[:k]
            none = (ITEMS,) * (PLACES - 1 - k)
            told = [ANY_MODEL[(*above, item, *none)] for item in range(ITEMS)]
            q[row, k], v[row, k] = told[shown[k]], TARGET.choices(above) @ told
    return q, v


def expected_value(name, rewards):
    """The estimator's mean over all logs: every list counts as often as the log shows it."""
    of = {
        "SIPS": lambda: sips(rewards, WEIGHTS),
        "RIPS": lambda: rips(rewards, WEIGHTS),
        "IIPS": lambda: iips(rewards, ALONE),
        "CascadeDR": lambda: cascade_dr(rewards, WEIGHTS, *any_model()),
    }
    return CHANCES @ of[name]().terms[0][0]


@pytest.mark.parametrize(
    ("name", "readers"),
    [
        ("SIPS", ["independent", "cascade", "whole"]),
        ("RIPS", ["independent", "cascade"]),
        ("CascadeDR", ["independent", "cascade"]),
        ("IIPS", ["independent"]),
    ],
)
def test_each_is_right_on_average_where_people_read_as_it_assumes_and_only_there(name, readers):
    for reader, clicks in READERS.items():
        rewards = np.array([clicks(shown) for shown in LISTS])
        bias = expected_value(name, rewards) - truth(TARGET, clicks)
        if reader in readers:
            assert abs(bias) < 1e-12, reader
        else:
            assert abs(bias) > 0.01, reader


def test_a_wrong_model_costs_variance_and_a_right_one_saves_it():
    clicks = READERS["cascade"]
    rewards = np.array([clicks(shown) for shown in LISTS])
    right_q, right_v = np.zeros((2, len(LISTS), PLACES))
    for row, shown in enumerate(LISTS):
        for k in range(PLACES):
            others = [one for one in LISTS if one[: k + 1] == shown[: k + 1]]
            after = np.array([TARGET.conditional(one)[k + 1 :].prod() for one in others])
            right_q[row, k] = after @ [clicks(one)[k:].sum() for one in others]
    for row, shown in enumerate(LISTS):
        for k in range(PLACES):
            others = [one for one in LISTS if one[:k] == shown[:k]]
            chances = np.array([TARGET.conditional(one)[k:].prod() for one in others])
            right_v[row, k] = chances @ [clicks(one)[k:].sum() for one in others]

    def variance(estimate):
        rows = estimate.terms[0][0]
        return CHANCES @ (rows - CHANCES @ rows) ** 2

    saved = variance(cascade_dr(rewards, WEIGHTS, right_q, right_v))
    assert saved < 1e-20, "rewards are expectations here: with the right model nothing is left"
    assert variance(cascade_dr(rewards, WEIGHTS, *any_model())) > saved


def test_less_is_multiplied_where_more_is_assumed():
    clicks = READERS["independent"]
    rewards = np.array([clicks(shown) for shown in LISTS])
    spread = {}
    for name, one in (
        ("SIPS", sips(rewards, WEIGHTS)),
        ("RIPS", rips(rewards, WEIGHTS)),
        ("IIPS", iips(rewards, ALONE)),
    ):
        rows = one.terms[0][0]
        spread[name] = CHANCES @ (rows - CHANCES @ rows) ** 2
    assert spread["SIPS"] > spread["RIPS"] > spread["IIPS"]


# -- from a frame ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    frame = drawn_log(LOGGING, TARGET, READERS["cascade"], 1_000, rng)
    frame["q"], frame["v"] = rng.random((2, len(frame)))
    short = rng.random(len(frame)) < 0.1
    return frame[~(short & (frame["position"] == PLACES))]


def as_lists(frame):
    for _, one in frame.groupby("decision_id"):
        one = one.sort_values("position")
        weights, alone = one["target"] / one["propensity"], one["q_alone"] / one["p_alone"]
        yield [values.tolist() for values in (one["reward"], weights, alone, one["q"], one["v"])]


def test_all_equal_their_naive_twins_whatever_the_order_of_rows(log):
    shuffled = log.sample(frac=1, random_state=1)
    lists = list(as_lists(log))
    for frame in (log, shuffled):
        found = rp.off_policy_lists(
            frame, "target", alone=("p_alone", "q_alone"), expected=("q", "v"), gate=False
        )
        assert found.table.index.tolist() == list(LIST_ESTIMATORS)
        for name in LIST_ESTIMATORS:
            twin = naive.snrips(lists) if name == "SNRIPS" else naive.value(lists, name)
            assert found[name].value == pytest.approx(twin, rel=1e-12)
        assert found.diagnostics["short_lists"] == sum(len(one[0]) < PLACES for one in lists)


def test_the_order_of_rows_changes_no_interval(log):
    asked = {"gate": False, "alone": ("p_alone", "q_alone"), "n_boot": 100}
    one = rp.off_policy_lists(log, "target", **asked)
    other = rp.off_policy_lists(log.sample(frac=1, random_state=1), "target", **asked)
    pd.testing.assert_frame_equal(one.table, other.table)


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(7)
    right, covered = truth(TARGET, READERS["cascade"]), {}
    for trial in range(80):
        frame = drawn_log(LOGGING, TARGET, READERS["cascade"], 1_500, rng)
        found = rp.off_policy_lists(frame, "target", gate=False, n_boot=200, random_state=trial)
        for name, row in found.table.drop(index="IIPS").iterrows():
            covered.setdefault(name, []).append(row["low"] <= right <= row["high"])
    for name, one in covered.items():
        assert 0.90 <= np.mean(one) <= 0.99, name


def test_lists_of_one_visitor_are_drawn_together(log):
    ten_times = pd.concat(
        [log.assign(decision_id=log["decision_id"] + 10_000 * copy, user_id=log["decision_id"])
         for copy in range(10)]
    )  # fmt: skip
    asked = {"gate": False, "estimators": "RIPS"}
    once = rp.off_policy_lists(log, "target", **asked)["RIPS"]
    as_one = rp.off_policy_lists(ten_times, "target", cluster="user_id", **asked)["RIPS"]
    as_many = rp.off_policy_lists(ten_times, "target", **asked)["RIPS"]
    width = once.high - once.low
    assert as_one.high - as_one.low == pytest.approx(width, rel=0.1)
    assert as_many.high - as_many.low < 0.5 * width


def test_without_a_model_the_cascade_is_doubly_robust_all_the_same():
    rng = np.random.default_rng(5)
    errors = {"RIPS": [], "CascadeDR": []}
    for _ in range(60):
        frame = drawn_log(LOGGING, TARGET, READERS["cascade"], 1_000, rng)
        found = rp.off_policy_lists(frame, "target", estimators=[*errors], gate=False, n_boot=1)
        for name, missed in errors.items():
            missed.append(found[name].value - truth(TARGET, READERS["cascade"]))
    spread = {name: np.std(missed) for name, missed in errors.items()}
    assert abs(np.mean(errors["CascadeDR"])) < 3 * spread["CascadeDR"] / np.sqrt(60)
    assert spread["CascadeDR"] < spread["RIPS"]


# -- when nobody can say ---------------------------------------------------------------------


def test_independence_is_not_assumed_unless_it_is_said(log):
    found = rp.off_policy_lists(log, "target", gate=False)
    assert "name their columns with alone=(logged, target)" in found["IIPS"].refused
    assert np.isnan(found["IIPS"].value)


def test_lists_that_the_log_never_shows_are_refused():
    frame = drawn_log(LOGGING, TARGET, READERS["cascade"], 20_000, np.random.default_rng(1))
    fine = rp.off_policy_lists(frame, "target", estimators="RIPS")
    assert fine["RIPS"].refused == ""
    first = frame[frame["position"] == 1].set_index("decision_id")["item_id"]
    loved = np.argmax(TARGET.choices(()) - LOGGING.choices(()))
    without = frame[frame["decision_id"].map(first) != loved]
    found = rp.off_policy_lists(without, "target", estimators=["SIPS", "RIPS"])
    assert found.refused
    assert "never logged" in found["RIPS"].refused


def test_a_place_that_earns_little_may_be_known_badly():
    rng = np.random.default_rng(2)
    frame = drawn_log(LOGGING, TARGET, READERS["cascade"], 4_000, rng)
    last = frame["position"] == PLACES
    frame.loc[last, "reward"] = 0.0
    sizes = rp.off_policy_lists(frame, "target", gate=False).diagnostics["effective_sample_sizes"]
    assert sizes["RIPS"] > 1.2 * sizes["SIPS"]


# -- bad input -------------------------------------------------------------------------------


def small():
    return pd.DataFrame({
        "decision_id": np.repeat([*"abcdefgh"], 2), "position": [1, 2] * 8, "reward": 1.0,
        "propensity": 0.5, "target": 0.5,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("column", "row", "bad", "reason"),
    [
        ("propensity", 0, 0.0, "propensity of 0 or less"),
        ("propensity", 1, 1.5, "propensity above 1"),
        ("propensity", 1, np.nan, "no propensity"),
        ("target", 1, -0.1, "target probability below 0"),
        ("target", 1, np.nan, "no target probability"),
        ("position", 1, 1, "position twice"),
        ("position", 1, 3, "gap in the positions"),
        ("position", 0, 0, "gap in the positions"),
        ("position", 1, 1.5, "position missing or no whole number"),
        ("position", 1, np.nan, "position missing or no whole number"),
        ("reward", 1, np.nan, "no reward"),
        ("reward", 1, np.inf, "reward infinite"),
        ("reward", 1, 7.0, "reward outside 0 to 1"),
    ],
)
def test_a_list_with_something_wrong_is_dropped_whole_and_counted(column, row, bad, reason):
    frame = small().astype({"position": float})
    frame.loc[row, column] = bad
    if (column, bad) == ("position", 0):
        frame.loc[1, "position"] = 2  # the log starts at 0 then, and all others are gaps
        frame["position"] += 0
        frame.loc[2:, "position"] -= 1
    found = rp.off_policy_lists(frame, "target", gate=False, reward_range=(0, 1), n_boot=10)
    assert found.diagnostics["counts"] == {"lists": 8, "used": 7, reason: 1}
    assert found["RIPS"].value == 2.0
    assert f"1 dropped: {reason}" in repr(found)


def test_a_list_that_starts_late_has_a_gap():
    found = rp.off_policy_lists(small().drop(index=0), "target", gate=False, n_boot=10)
    assert found.diagnostics["counts"] == {"lists": 8, "used": 7, "gap in the positions": 1}


def test_rows_without_a_decision_are_counted():
    frame = small()
    frame.loc[15, "decision_id"] = None
    found = rp.off_policy_lists(frame, "target", gate=False, n_boot=10)
    assert found.diagnostics["rows_without_decision"] == 1


def test_a_list_of_two_visitors_is_dropped():
    frame = small().assign(user_id=1)
    frame.loc[1, "user_id"] = 2
    found = rp.off_policy_lists(frame, "target", cluster="user_id", gate=False, n_boot=10)
    assert found.diagnostics["counts"]["several of user_id"] == 1


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"target": "tagret"}, ColumnError, "did you mean 'target'"),
        ({"estimators": "RIP"}, ParameterError, "did you mean 'RIPS'"),
        ({"estimators": []}, ParameterError, "at least one estimator"),
        ({"decision": None}, ParameterError, "decision must be a column's name"),
        ({"alone": "target"}, ParameterError, "alone must be two columns' names"),
        ({"expected": ("q",)}, ParameterError, "expected must be two columns' names"),
        ({"cluster": 3}, ParameterError, "cluster must be a column's name"),
        ({"reward_range": (2, 3)}, DataError, "no list of 8 can be used"),
        ({"reward_range": (3, 2)}, ParameterError, "off_policy_lists: reward_range must be"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(asked, error, words):
    with pytest.raises(error, match=words):
        rp.off_policy_lists(small(), **{"target": "target", **asked})


# -- from logged decisions -------------------------------------------------------------------


def test_decisions_become_places():
    decisions = pd.DataFrame({
        "decision_id": ["a", "b", "c"], "items": [("tea", "oil"), ("oil",), ("tea",)],
        "slot_propensities": [(0.5, np.nan), (), (0.5,)],
        "outcome": [{"oil": "purchase"}, {}, None],
    })  # fmt: skip
    places = rp.places_of(decisions, {"click": 1, "purchase": 5})
    assert places["reward"].tolist() == [0.0, 5.0]
    assert places["propensity"].tolist() == [0.5, 1.0]
    assert places.attrs["counts"] == {"without_outcome": 1, "without_propensities": 1}
    with pytest.raises(ParameterError, match="what a 'purchase' is worth"):
        rp.places_of(decisions, {"click": 1})
    decisions.at[0, "slot_propensities"] = (0.5,)
    with pytest.raises(DataError, match="2 items and 1 propensities"):
        rp.places_of(decisions)
