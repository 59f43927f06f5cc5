"""A pipeline's own frame of decisions goes into `off_policy` as it is."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ColumnError, DataError, ParameterError

ARMS = ("plain", "varied", "fresh")
EARNS = dict(zip(ARMS, (0.2, 0.2, 0.5), strict=True))


def decisions(n=6_000, seed=0):
    """Return decisions: plain and varied often have one page, and fresh is refused half of them."""
    random, rows = np.random.default_rng(seed), []
    for number in range(n):
        chances = {"plain": 0.5, "varied": 0.3, "fresh": 0.2}
        if number % 2:
            chances = {"plain": 0.6, "varied": 0.4}
        arm = random.choice(list(chances), p=list(chances.values()))
        same = ("plain", "varied") if number % 3 and arm != "fresh" else (arm,)
        page, reward = sum(chances[one] for one in same), float(random.random() < EARNS[arm])
        rows.append((arm, page, same, chances, reward))
    columns = ["arm", "propensity", "same", "probabilities", "reward"]
    return pd.DataFrame(rows, columns=columns)


def test_arms_with_one_page_are_divided_by_their_own_probability():
    found = rp.off_policy(decisions(), {"plain": 0.5, "varied": 0.5})
    assert abs(found.diagnostics["mean_weight"] - 1) < 0.02
    assert found["IPS"].low < 0.2 < found["IPS"].high
    assert found["DR"].low < 0.2 < found["DR"].high


def test_a_policy_is_asked_about_the_arms_that_stood():
    policy = rp.EpsilonGreedy(arms=ARMS, epsilon=0).update(ARMS, (0.1, 0.2, 0.9))
    found = rp.off_policy(decisions(), policy)  # fresh where it stands, else varied
    assert abs(found.diagnostics["mean_weight"] - 1) < 0.1
    assert found["DR"].low < 0.35 < found["DR"].high


def test_what_a_target_gives_to_a_refused_arm_goes_to_the_others():
    found = rp.off_policy(decisions(), {"plain": 0.5, "fresh": 0.5})  # fresh in a quarter of all
    assert abs(found.diagnostics["mean_weight"] - 1) < 0.05
    assert found["SNIPS"].low < 0.275 < found["SNIPS"].high


def test_a_target_of_nothing_but_refused_arms_is_not_answered():
    found = rp.off_policy(decisions(), {"fresh": 1})
    assert found.refused
    assert found.diagnostics["unlogged_mass"] == pytest.approx(0.5)


def test_the_frame_comes_back_from_a_file(tmp_path):
    pytest.importorskip("pyarrow")
    frame, target = decisions(2_000), {"plain": 0.5, "fresh": 0.5}
    frame.to_parquet(tmp_path / "log.parquet")
    back = pd.read_parquet(tmp_path / "log.parquet")
    pd.testing.assert_frame_equal(
        rp.off_policy(back, target, gate=False).table,
        rp.off_policy(frame, target, gate=False).table,
    )
    frame.to_csv(tmp_path / "log.csv")
    with pytest.raises(DataError, match="to_parquet"):
        rp.off_policy(pd.read_csv(tmp_path / "log.csv"), target)


def test_what_holds_a_policy_is_told_to_hand_it_over():
    home = rp.Pipeline(candidates=[rp.Popularity()], reranker=rp.BanditReranker())
    home.fit(rp.synthetic_shop(100, 30, random_state=7))
    for holder in (home, home.reranker_):
        with pytest.raises(ParameterError, match=r"pass home\.reranker_\.policy_"):
            rp.off_policy(decisions(50), holder)


def test_decisions_are_led_to_what_can_read_them():
    frame = decisions(50)
    with pytest.raises(ColumnError, match=r"write \{'plain': 1\}"):
        rp.off_policy(frame, "plain")
    frame = frame.assign(decision_id=range(50), items=[("tea",)] * 50, outcome=[{}] * 50)
    frame["slot_propensities"] = [()] * 50
    with pytest.raises(ColumnError, match="places_of"):
        rp.off_policy_lists(frame, "target")
    with pytest.raises(DataError, match="judged by off_policy"):
        rp.places_of(frame)
    with pytest.raises(DataError, match="off_policy_lists"):
        rp.off_policy(frame.assign(arm=None), {"plain": 1})


def test_a_handful_of_rows_accuses_nobody():
    found = rp.off_policy(decisions(1), {"plain": 1})
    assert found.refused
    assert "propensities are not those" not in found["IPS"].refused
