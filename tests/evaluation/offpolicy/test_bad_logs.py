import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona import errors
from recopersona.evaluation.offpolicy.estimators import effective_sample_size
from tests.evaluation.offpolicy.made import COLUMNS, made


def asked(log, target, **more):
    return rp.off_policy(log, target, **{**COLUMNS, "n_boot": 100, **more})


def test_bad_rows_are_dropped_and_counted_by_reason():
    log, table, _ = made()
    log = log.astype({"click": float, "position": float})
    bad = {
        ("p", 0.0): "propensity of 0 or less", ("p", -0.1): "propensity of 0 or less",
        ("p", 1.2): "propensity above 1", ("p", np.nan): "no propensity",
        ("click", np.nan): "no reward", ("click", np.inf): "reward infinite",
        ("click", 7.0): "reward outside 0 to 1", ("item_id", None): "no item_id",
        ("position", np.nan): "no position",
    }  # fmt: skip
    rows = log.iloc[: len(bad)].copy()
    for place, (name, value) in enumerate(bad):
        rows.iloc[place, rows.columns.get_loc(name)] = value
    found = asked(pd.concat([log, rows]), table, reward_range=(0, 1))
    counts = dict(found.diagnostics["counts"])
    assert counts.pop("rows") == len(log) + len(bad)
    assert counts.pop("used") == len(log)
    assert counts == {reason: list(bad.values()).count(reason) for reason in bad.values()}
    pd.testing.assert_frame_equal(found.table, asked(log, table).table)
    assert "2 dropped: propensity of 0 or less" in repr(found)


def test_a_position_of_which_the_target_says_nothing_is_dropped_and_counted():
    log, _, _ = made()
    own = made(2_000, seed=3)[0].query("position == 1")
    counts = asked(log, own, gate=False).diagnostics["counts"]
    assert counts["target silent on position"] == (log["position"] == 2).sum()
    assert "target silent on position" in asked(log, own)["IPS"].refused or (
        "could not be used" in asked(log, own)["IPS"].refused
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda log: log[:500], "effective sample size"),
        (lambda log: log[log["item_id"] != "item 5"], "never logged there"),
        (lambda log: log.assign(p=log["p"] / 2), "weights' mean is 1.99"),
        (lambda log: log.assign(click=(np.arange(len(log)) == 5) * 1), "rewarded rows count"),
        (lambda log: log.assign(p=log["p"].where(np.arange(len(log)) % 10 > 0)), "not be used"),
    ],
)
def test_the_gate_refuses_in_words(change, words):
    log, table, _ = made()
    found = asked(change(log), table)
    assert found.refused
    assert found.table["value"].isna().all()
    assert words in found["IPS"].refused
    assert words in found.sentences[-1]
    given = asked(change(log), table, gate=False).table
    assert given.loc["IPS", ["value", "low", "high"]].notna().all()
    assert (given["refused"] == "").all()


def test_the_gate_is_as_strict_as_it_is_told():
    log, table, _ = made()
    assert asked(log, table)["DR"].refused == ""
    assert "wider than 0.1 times" in asked(log, table, gate=rp.OffPolicyGate(max_width=0.1))[
        "DR"].refused  # fmt: skip
    lenient = rp.OffPolicyGate(min_effective=50, min_rewarded=2)
    assert asked(log[:400], table, gate=lenient)["IPS"].refused == ""


def test_unlogged_mass_shows_also_where_only_a_column_tells_the_target():
    log, table, _ = made()
    log["theirs"] = log["item_id"].map(table.set_index("item_id")["probability"])
    assert asked(log, "theirs")["IPS"].refused == ""
    assert "never logged" in asked(log[log["item_id"] != "item 5"], "theirs")["IPS"].refused


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"action": "itm_id"}, errors.ColumnError, "did you mean 'item_id'"),
        ({"reward": 3}, errors.ParameterError, "a column's name, got 3"),
        ({"context": ["position"]}, errors.ParameterError, "named for two things"),
        ({"estimators": "SNIP"}, errors.ParameterError, "did you mean 'SNIPS'"),
        ({"estimators": []}, errors.ParameterError, "at least one"),
        ({"gate": 3}, errors.ParameterError, "True, False or an OffPolicyGate"),
        ({"reward_range": (1, 0)}, errors.ParameterError, "a smaller and a greater"),
        ({"interval": "bernstein"}, errors.ParameterError, "needs a reward_range"),
        ({"clip": 0}, errors.ParameterError, "above 0"),
        ({"model": 3}, errors.ParameterError, "a scikit-learn classifier or regressor"),
        ({"n_boot": 0}, errors.ParameterError, "at least 1"),
    ],
)
def test_wrong_arguments_are_told(more, kind, words):
    log, table, _ = made(200)
    with pytest.raises(kind, match=words):
        asked(log, table, **more)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (None, "must be a column of the log"),
        ("theirs", "names no column"),
        (pd.DataFrame({"item_id": ["item 0"], "probability": [0.5]}), "add up to 1, got 0.5"),
        (pd.DataFrame({"item_id": ["item 0"], "probability": [1.5]}), "from 0 to 1"),
        (pd.DataFrame({"item_id": ["item 0"], "probability": [None]}), "no value at all|lacks"),
        (lambda rows: np.ones((len(rows), 6)), "add up to 6"),
        (lambda rows: np.ones(3), "one row per row"),
    ],
)
def test_targets_that_are_none_are_told(target, words):
    log, _, _ = made(200)
    with pytest.raises(errors.RecopersonaError, match=words):
        asked(log, target)


def test_a_log_without_a_usable_row_says_why():
    log, table, _ = made(50)
    with pytest.raises(errors.DataError, match="50 with propensity of 0 or less"):
        asked(log.assign(p=0.0), table)
    with pytest.raises(errors.DataError, match="no rows"):
        asked(log[:0], table)


def test_rows_without_reward_have_an_answer_and_one_row_has_no_model():
    log, table, _ = made(50)
    for few in (log[:1], log.assign(click=0)):
        assert asked(few, table).refused
    assert (asked(log.assign(click=0), table, gate=False).table["value"] == 0).all()
    alone = asked(log[:1], table, gate=False).table["value"]
    assert alone.notna().to_dict() == {name: name in ("IPS", "SNIPS") for name in alone.index}


@pytest.mark.parametrize("size", [1e-300, 1e-100, 1e100, 1e300])
def test_weights_of_any_size_have_an_effective_number(size):
    assert effective_sample_size(np.array([1.0, 1.0, 0.0]) * size) == pytest.approx(2)
    assert effective_sample_size(np.array([np.inf, 1.0])) == 0


def test_a_target_has_one_column_of_probabilities():
    log = pd.DataFrame({"arm": ["a", "b"] * 9, "reward": 1.0, "propensity": 0.5})
    target = pd.DataFrame([["a", 0.5, 0.5]], columns=["arm", "probability", "probability"])
    with pytest.raises(errors.ColumnError, match="probability"):
        rp.off_policy(log, target)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_tiny_propensities_end_in_a_refusal():
    log, target, _ = made(200)
    log = log.assign(p=1e-300)
    assert (asked(log, target).table["refused"] != "").all()
