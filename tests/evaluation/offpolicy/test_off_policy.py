import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

import recopersona as rp
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.offpolicy.estimating import ESTIMATORS, Estimating
from recopersona.evaluation.offpolicy.log import _sorting, names_of
from recopersona.evaluation.offpolicy.rewards import fold_of
from recopersona.evaluation.offpolicy.targets import target_of
from tests.evaluation.offpolicy.made import COLUMNS, made
from tests.naive import offpolicy as naive


def asked(log, target, **more):
    return rp.off_policy(log, target, **{**COLUMNS, "n_boot": 200, **more})


def test_every_estimator_equals_its_twin_on_a_thousand_rows():
    log, _, _ = made(1_000)
    own = made(3_000, seed=1, skew=1.5)[0]
    names = names_of("item_id", "click", "p", (), "position", None)
    rows, target = target_of(own, log, names, None)
    ours = Estimating(rows, target, None, None, None, Resampling(n_boot=10))
    items = rows.action_ids[rows.actions].tolist()
    positions = rows.situation["position"].to_numpy()[rows.situations].tolist()
    rewards = rows.rewards.tolist()
    chances = naive.own_frequencies(
        list(zip(own["item_id"].tolist(), own["position"].tolist(), strict=True))
    )
    logged = list(zip(items, positions, rows.propensities.tolist(), strict=True))
    w = naive.weights(logged, chances)
    q, v = [], []
    folds = fold_of(rows).tolist()
    plain = list(zip(items, positions, rewards, strict=True))
    means = [
        naive.shrunken_means(
            [row for row, other in zip(plain, folds, strict=True) if other != fold],
            {1, 2}, rows.action_ids.tolist(),
        )
        for fold in range(5)
    ]  # fmt: skip
    for item, position, fold in zip(items, positions, folds, strict=True):
        q.append(means[fold][item, position])
        v.append(
            sum(p * means[fold][a, there] for (a, there), p in chances.items() if there == position)
        )
    top = max(w) ** 2
    shrinkages = np.geomspace(100 * top, 1e-6 * top, 25).tolist()
    thresholds = np.unique(np.quantile(w, 1 - np.geomspace(1e-4, 0.9, 25)))[::-1].tolist()
    twins = {
        "DM": naive.dm(v),
        "IPS": naive.ips(rewards, w),
        "SNIPS": naive.snips(rewards, w),
        "DR": naive.dr(rewards, w, q, v),
        "SNDR": naive.sndr(rewards, w, q, v),
        "SwitchDR": naive.tuned(rewards, w, q, v, thresholds, naive.switched),
        "DRos": naive.tuned(rewards, w, q, v, shrinkages, naive.shrunk),
    }
    for name in ESTIMATORS:
        assert ours.contributions(name).value == pytest.approx(twins[name], rel=1e-9), name
    found = asked(log, own, gate=False)
    assert found.table["value"].to_dict() == pytest.approx(twins)
    assert found.diagnostics["effective_sample_size"] == pytest.approx(naive.effective(w))
    cut = log[log["item_id"] != "item 5"]
    shown = [row for row in logged if row[0] != "item 5"]
    unlogged = asked(cut, own, gate=False).diagnostics["unlogged_mass"]
    assert unlogged == pytest.approx(naive.unlogged(shown, chances))
    assert unlogged > 0.1


def test_intervals_cover_what_the_target_would_have_earned():
    log, table, truth = made(20_000)
    found = asked(log, table).table
    assert (found["refused"] == "").all()
    assert ((found["low"] <= truth) & (truth <= found["high"])).all()
    assert log["click"].mean() < found["low"].min()


def test_a_target_is_the_same_however_it_is_told():
    log, table, _ = made()
    chances = table.set_index("item_id")["probability"]
    by_position = pd.concat([table.assign(position=place) for place in (1, 2)])

    def function(situations):
        return np.tile(chances.sort_index().to_numpy(), (len(situations), 1))

    class Bandit:
        arms_ = tuple(chances.index[::-1])

        def probabilities(self, arms, context):
            return chances[list(arms)].to_numpy()

    told = asked(log, table).table
    for target in (by_position, function, Bandit(), lambda rows: pd.DataFrame(
            np.tile(chances, (len(rows), 1)), columns=chances.index)):  # fmt: skip
        pd.testing.assert_frame_equal(asked(log, target).table, told)
    said = asked(log.assign(theirs=log["item_id"].map(chances)), "theirs")
    assert said["SNIPS"].value == pytest.approx(told.loc["SNIPS", "value"], rel=1e-12)
    assert "every action" in said["DR"].refused
    assert np.isnan(said["DR"].value)


def test_a_log_tells_its_own_policy_by_frequencies_not_by_what_it_logged():
    log, _, _ = made(6_000, skew=1.0)
    found = asked(log, log.assign(p=0.9))
    assert found["SNIPS"].value == pytest.approx(log["click"].mean(), rel=0.03)
    assert found.logged.loc["target", "value"] == pytest.approx(log["click"].mean())


@pytest.mark.parametrize("cluster", [None, "user"])
def test_the_order_of_rows_changes_nothing(cluster):
    log, table, _ = made(3_000)
    log["user"] = np.arange(len(log)) % 900
    log["segment"] = np.where(log["user"] % 3, "new", "old")
    mixed = log.sample(frac=1, random_state=1)
    more = {"context": "segment", "cluster": cluster, "estimators": [*ESTIMATORS, "Replay"]}
    one, other = asked(log, table, **more), asked(mixed, table, **more)
    pd.testing.assert_frame_equal(one.table, other.table)
    assert one.diagnostics == other.diagnostics


def test_few_numbers_are_sorted_by_counting_and_many_by_comparing():
    random = np.random.default_rng(0)
    few = random.integers(0, 2**63, 5_000).astype(np.uint64)[random.integers(0, 5_000, 30_000)]
    many = random.integers(0, 2**63, 200_000).astype(np.uint64)
    for numbers in (few, many):
        order = _sorting(numbers)
        assert (np.diff(numbers[order]) >= 0).all()
        assert (np.bincount(order) == 1).all()


def test_the_same_seed_the_same_answer_on_one_thread_or_two():
    log, table, _ = made(3_000)
    first = asked(log, table, random_state=7)
    with rp.limit_threads(1):
        pd.testing.assert_frame_equal(first.table, asked(log, table, random_state=7).table)
    assert asked(log, table, random_state=8)["IPS"].low != first["IPS"].low


@pytest.mark.parametrize("model", [LogisticRegression(C=0.1), Ridge()])
def test_any_model_of_scikit_learn_may_tell_rewards(model):
    log, table, truth = made(6_000, seed=2)
    log["mood"] = np.random.default_rng(0).normal(size=len(log)).round(1)
    found = asked(log, table, model=model, context=["mood"])
    assert found["DR"].low < truth < found["DR"].high
    assert found["DM"].refused.startswith("it has no interval")
    alone = asked(log, table, model=model, context=["mood"], gate=False)
    assert alone["DM"].value == pytest.approx(truth, rel=0.15)


def test_no_row_is_told_by_itself():
    """A tree that learns by heart would make every residual zero."""
    from sklearn.tree import DecisionTreeRegressor

    log, table, truth = made(4_000)
    log["number"] = np.arange(len(log)) / 7
    found = asked(log, table, model=DecisionTreeRegressor(random_state=0), context="number")
    width = found["DR"].high - found["DR"].low
    assert width > asked(log, table)["DR"].high - asked(log, table)["DR"].low
    assert found["DR"].low < truth < found["DR"].high


def test_a_shrunken_estimate_is_no_surer_than_the_model_that_it_leans_on():
    """Its own variance leaves out that the model was told by the same rows."""
    random = np.random.default_rng(0)
    log = pd.DataFrame({"arm": random.choice(["tea", "oil"], 4_000, p=[0.8, 0.2])})
    log["propensity"] = np.where(log["arm"] == "tea", 0.8, 0.2)
    log["reward"] = (random.random(4_000) < np.where(log["arm"] == "tea", 0.1, 0.4)) * 1.0
    target = pd.DataFrame({"arm": ["tea", "oil"], "probability": [0.2, 0.8]})
    table = rp.off_policy(log, target, estimators=["DR", "DRos"]).table
    assert not table["refused"].any()
    widths = (table["high"] - table["low"]).astype(float)
    assert widths["DRos"] > 0.95 * widths["DR"]


def test_context_that_matters_narrows_the_doubly_robust_interval():
    random = np.random.default_rng(2)
    n = 20_000
    segment = random.choice(["dull", "keen"], size=n)
    arm = random.choice(["a", "b"], size=n, p=[0.8, 0.2])
    reward = np.where(segment == "keen", 9.0, 1.0) + (arm == "b") + random.normal(0, 0.3, n)
    log = pd.DataFrame({"arm": arm, "reward": reward, "segment": segment,
                        "propensity": np.where(arm == "a", 0.8, 0.2)})  # fmt: skip
    table = pd.DataFrame({"arm": ["a", "b"], "probability": [0.0, 1.0]})
    found = rp.off_policy(log, table, context="segment").table
    width = found["high"] - found["low"]
    assert width["DR"] < 0.6 * width["SNIPS"]
    assert found.loc["DR", "value"] == pytest.approx(6, abs=0.1)


def test_replay_agrees_on_uniform_logs_and_is_refused_on_others():
    log, table, truth = made(20_000)
    replayed = asked(log, table, estimators="Replay")["Replay"]
    assert replayed.low < truth < replayed.high
    skewed = made(20_000, skew=1.0)[0]
    assert "equally likely" in asked(skewed, table, estimators=["Replay"])["Replay"].refused


def test_clipped_weights_say_what_they_leave():
    log, table, _ = made(skew=-2.0)
    clipped = asked(log, table, clip=1.0, gate=False)
    assert clipped["IPS"].value < asked(log, table, gate=False)["IPS"].value
    assert clipped.diagnostics["max_weight"] > 1


def test_bernstein_is_wider_than_the_bootstrap():
    log, table, truth = made(20_000)
    wide = asked(log, table, interval="bernstein", reward_range=(0, 1), gate=False).table
    usual = asked(log, table).table
    for name in ("IPS", "DR"):
        assert wide.loc[name, "low"] < usual.loc[name, "low"] < truth
        assert truth < usual.loc[name, "high"] < wide.loc[name, "high"]
    assert np.isnan(wide.loc["SNIPS", "low"])


def test_results_show_themselves():
    log, table, _ = made()
    found = asked(log, table)
    assert "4,000 of 4,000 rows used" in repr(found)
    assert "<table" in found._repr_html_()
    assert "DRos: " in rp.plot(found)
    assert rp.plot(asked(log[:100], table)).startswith("<svg")
    assert found.contributions["DR"].mean() == pytest.approx(found["DR"].value)
