"""Real logs that bring sessions of their own: how far a pause alone tells them."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from recopersona.events.page_behaviour import session_table
from recopersona.events.reading import read_events
from recopersona.events.sessions import sessionize

FOLDER = os.environ.get("RECOPERSONA_DATA")
LOGS = {"trivago": "actions.parquet", "rees46": "events.parquet"}
OURS = {
    "trivago": {"item_id": "reference", "event": "action_type"},
    "rees46": {"item_id": "item_id", "event": "event_code"},
}

pytestmark = pytest.mark.skipif(
    not FOLDER, reason="set RECOPERSONA_DATA to a folder that holds trivago and rees46"
)


def log_of(name):
    pytest.importorskip("pyarrow")
    path = Path(FOLDER) / name / LOGS[name]
    if not path.is_file():
        pytest.skip(f"RECOPERSONA_DATA holds no {name}/{LOGS[name]}")
    names = {"user_id": "user_id", "session_id": "session_id", "timestamp": "timestamp"}
    return read_events(path, columns=names | OURS[name])


def agreement(log, gap):
    """How many starts of sessions within a visitor's events are right, and how many are found."""
    sessions = sessionize(log, gap=gap)["session_id"].to_numpy()
    own = pd.factorize(log["session_id"])[0]
    users = pd.factorize(log["user_id"])[0]
    order = np.lexsort((log["timestamp"].to_numpy(), users))
    same = users[order][1:] == users[order][:-1]
    ours = (np.diff(sessions[order]) != 0) & same
    theirs = (np.diff(own[order]) != 0) & same
    both = (ours & theirs).sum()
    return both / ours.sum(), both / theirs.sum(), adjusted_rand_score(own, sessions)


@pytest.mark.parametrize(
    ("name", "gap", "precision", "recall", "rand"),
    [
        ("trivago", "30min", 0.79, 0.87, 0.95),
        ("trivago", "60min", 0.95, 0.80, 0.95),
        ("rees46", "30min", 0.68, 0.69, 0.97),
        ("rees46", "60min", 0.80, 0.63, 0.97),
    ],
)
def test_a_pause_tells_most_sessions_of_a_real_log(name, gap, precision, recall, rand):
    found = agreement(log_of(name), gap)
    assert found[0] == pytest.approx(precision, abs=0.02)
    assert found[1] == pytest.approx(recall, abs=0.02)
    assert found[2] > rand


def test_every_own_session_is_a_row():
    table = session_table(log_of("trivago"))
    assert len(table) == 7_612
    assert table["n_events"].sum() == 100_003
    assert table["user_id"].nunique() == 6_593
