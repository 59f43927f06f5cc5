"""Programs are told from people, and people are left alone."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ParameterError
from recopersona.events.bots import AGENT_COLUMNS

NOW = "2026-02-01"
MONDAY = pd.Timestamp("2026-01-05", tz="UTC")


def visits(user, seconds, items=None, event="view"):
    seconds = np.asarray(seconds, dtype=np.float64)
    return pd.DataFrame(
        {
            "user_id": user,
            "item_id": np.arange(len(seconds)) if items is None else items,
            "event": event,
            "timestamp": MONDAY + pd.to_timedelta(seconds, unit="s"),
        }
    )


def people(n=40):
    """Visitors who look around at their own pace, and some of whom want something."""
    rng = np.random.default_rng(0)
    logs = []
    for user in range(n):
        pauses = rng.exponential(30, 60) + rng.integers(0, 2, 60) * rng.exponential(4_000, 60)
        logs.append(visits(f"person {user}", np.cumsum(pauses), rng.integers(0, 500, 60)))
    logs.append(visits("person 0", [9e5], event="cart"))
    return pd.concat(logs, ignore_index=True)


def verdicts(*logs, shuffled=True, **options):
    log = pd.concat([people(), *logs], ignore_index=True)
    if shuffled:
        log = log.sample(frac=1, random_state=1)
    _, report = rp.clean(log, report=True, now=NOW, **options)
    rows = report.quarantined_rows
    assert not rows["user_id"].str.startswith("person").any()
    return dict(report.quarantined)


def regular(n=260, every=60, jitter=0.0):
    rng = np.random.default_rng(0)
    return visits("robot", np.cumsum(every * (1 + jitter * rng.standard_normal(n))))


def test_people_are_no_programs():
    assert verdicts() == {}


@pytest.mark.parametrize(
    ("reason", "log"),
    [
        ("bot_rate", visits("robot", np.arange(300) * 0.99)),
        ("bot_rate", visits("robot", np.arange(1_200) * 2.9 + np.arange(1_200) % 7)),
        ("bot_regular", regular()),
        ("bot_regular", regular(jitter=0.01)),
        ("bot_catalogue", visits("robot", np.random.default_rng(0).uniform(0, 80_000, 1_100))),
        ("bot_around_the_clock", visits("robot", np.arange(0, 3 * 86_400, 1_100))),
    ],
)
def test_a_program_is_set_aside_with_all_it_left(reason, log):
    if reason != "bot_catalogue":
        log = pd.concat([log, visits("robot", [90_000], event="purchase")])
    rule = {"bot_regular": {"hours_a_day": None}, "bot_around_the_clock": {"regular": None}}
    bots = rp.Bots(**rule.get(reason, {}))
    assert verdicts(log, bots=bots) == {reason: len(log)}
    assert verdicts(log, bots=None) == {}


@pytest.mark.parametrize(
    "log",
    [
        visits("quick", np.arange(290) * 1.0),
        regular(n=150),
        regular(jitter=0.2),
        regular().assign(item_id="one page that refreshes itself"),
        visits("a wholesaler", np.zeros(2_000), event="purchase"),
        visits("a list of many", np.zeros(2_000), event="impression"),
        visits("awake", np.concatenate([
            np.arange(0, 79_000, 1_400) + np.arange(57) ** 2 % 900 + day * 86_400
            for day in range(9)
        ])),
    ],
)  # fmt: skip
def test_what_people_may_do_is_let_in(log):
    assert verdicts(log, bots=rp.Bots(items_a_day=5_000)) == {}


def test_many_items_are_looked_at_by_those_who_want_some():
    log = visits("robot", np.random.default_rng(0).uniform(0, 80_000, 1_100))
    for kind in ("cart", "wishlist", "purchase"):
        assert verdicts(log, visits("robot", [8e4], event=kind)) == {}
    assert verdicts(log, visits("robot", [8e4], event="search")) == {"bot_catalogue": 1_101}


def test_where_nobody_wants_anything_looking_is_no_sign():
    log = visits("robot", np.random.default_rng(0).uniform(0, 80_000, 1_100))
    assert dict(rp.clean(log, report=True, now=NOW)[1].quarantined) == {}


def test_a_clock_of_whole_minutes_makes_nobody_regular():
    log = regular(every=75)
    log["timestamp"] = log["timestamp"].dt.floor("min")
    assert dict(rp.clean(log, report=True, now=NOW)[1].quarantined) == {}


def test_without_kinds_or_times_nobody_is_judged():
    log = visits("robot", np.arange(400) * 0.5)
    for dropped in ("event", "timestamp"):
        assert len(rp.clean(log.drop(columns=dropped), now=NOW)) == 400
    assert len(rp.clean(log, now=NOW)) == 0


def test_strangers_are_judged_one_by_one():
    log = visits(None, np.arange(400) * 0.5).assign(anonymous_id=np.arange(400) % 2)
    assert len(rp.clean(log, now=NOW)) == 400
    assert len(rp.clean(log.assign(anonymous_id=1), now=NOW)) == 0


def test_repeats_make_nobody_quick():
    log = pd.concat([visits("anna", np.arange(100) * 2.0)] * 9)
    assert dict(rp.clean(log, report=True, now=NOW)[1].quarantined) == {"duplicate": 800}


def test_thresholds_can_be_moved_and_switched_off():
    log = visits("robot", np.arange(300) * 0.99)
    assert verdicts(log, bots=rp.Bots(per_minute=90)) == {}
    assert verdicts(log, bots=rp.Bots(per_minute=None)) == {}
    assert verdicts(log[:100], bots=rp.Bots(per_minute=50, minutes=1)) == {"bot_rate": 100}
    off = {
        field.name: None
        for field in dataclasses.fields(rp.Bots)
        if field.name in ("per_minute", "per_hour", "regular", "items_a_day", "hours_a_day")
    }
    assert rp.Bots(**off).fewest is None
    assert verdicts(log, bots=rp.Bots(**off)) == {}


AGENTS = {
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": True,
    "Mozilla/5.0 (X11; Linux) HeadlessChrome/120.0": True,
    "python-requests/2.31": True,
    "curl/8.0": True,
    "AhrefsBot": True,
    "Mozilla/5.0 (Windows NT 10.0) Chrome/120.0 Safari/537.36": False,
    "Mozilla/5.0 (Linux; Android 9; CUBOT NOTE 20)": False,
    "Mozilla/5.0 Robotics Browser": False,
    "": False,
}


@pytest.mark.parametrize("column", AGENT_COLUMNS)
def test_programs_that_say_their_name_are_believed(column):
    log = pd.DataFrame({"user_id": range(len(AGENTS)), "item_id": "tea", column: list(AGENTS)})
    log.loc[len(log)] = [99, "tea", None]
    events, report = rp.clean(log, report=True)
    assert dict(report.quarantined) == {"bot_agent": sum(AGENTS.values())}
    assert len(events) == len(log) - sum(AGENTS.values())
    assert len(rp.clean(log, bots=rp.Bots(agents=()))) == len(log)
    assert len(rp.clean(log, bots=rp.Bots(agents=("safari",)))) == len(log) - 1


def test_thresholds_out_of_bounds_are_refused():
    with pytest.raises(ParameterError, match="Bots: per_minute must be an integer of at least 1"):
        rp.Bots(per_minute=0)
    with pytest.raises(ParameterError, match="Bots: hours_a_day must be an integer of at least 1"):
        rp.Bots(hours_a_day=25)
    with pytest.raises(ParameterError, match="Bots: regular_share must be a finite number above 0"):
        rp.Bots(regular_share=2)
    with pytest.raises(ParameterError, match=r"agents must be words such as \('bot',\), got 'bot'"):
        rp.Bots(agents="bot")
    with pytest.raises(ParameterError, match=r"bots must be rp\.Bots\(\.\.\.\) or None, got True"):
        rp.clean(people(), bots=True)
