"""Saved graphs that somebody tampered with are refused in words: kernels check no bounds."""

import json
import uuid
from datetime import date

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ArtifactError

LOG = pd.DataFrame({
    "user_id": ["anna", "ben", "anna", None],
    "cookie": ["c1", "c2", "c2", "null"],
    "device_id": ["d1", "d1", "d2", "d2"],
    "timestamp": 1_700_000_000,
})  # fmt: skip
TABLE = pd.DataFrame({"user_id": ["ben"], "cookie": ["c9"], "p": [0.5]})


@pytest.fixture
def saved(tmp_path):
    graph = rp.IdentityGraph(on_refusal="row").update(LOG).update(TABLE, probability="p")
    rp.save(graph, tmp_path / "graph.rp")
    return tmp_path / "graph.rp"


def tamper(folder, table, name, value):
    """Write a value over a whole column of a table."""
    manifest = json.loads((folder / "manifest.json").read_text())
    held = manifest["model"]["learned"][table]["learned"][name]
    path = folder / manifest["arrays"] / f"{held['file']}.npy"
    column = np.load(path)
    assert len(column)
    np.save(path, np.full_like(column, value))
    manifest["files"][held["file"]]["bytes"] = path.stat().st_size
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("value", [-(2**31), -1, 5, 2**31 - 1])
@pytest.mark.parametrize("table", ["links_", "probable_"])
def test_rows_that_never_came_are_refused(saved, table, value):
    tamper(saved, table, "row_", value)
    with pytest.raises(ArtifactError, match="row must lie from 0 to 4"):
        rp.load(saved)


@pytest.mark.parametrize("value", [-128, -1, 2, 127])
def test_reasons_that_there_are_not_are_refused(saved, value):
    tamper(saved, "unfit_", "reason_", value)
    with pytest.raises(ArtifactError, match="reason must lie from 0 to 1"):
        rp.load(saved)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1, 2])
def test_what_is_no_probability_is_refused(saved, value):
    tamper(saved, "probable_", "probability_", value)
    with pytest.raises(ArtifactError, match="probability must lie from 0 to 1"):
        rp.load(saved)


@pytest.mark.parametrize(
    ("table", "name"),
    [("links_", "higher_"), ("links_", "lower_"), ("links_", "event_"), ("probable_", "lower_"),
     ("unfit_", "kind_"), ("unfit_", "value_"), ("unfit_", "node_"), ("unfit_", "event_")],
)  # fmt: skip
@pytest.mark.parametrize("value", [-100, 100])
def test_identifiers_that_there_are_not_are_refused(saved, table, name, value):
    tamper(saved, table, name, value)
    with pytest.raises(ArtifactError, match="must lie from"):
        rp.load(saved)


@pytest.mark.parametrize("time", [0, -1, 2**63 - 1, -(2**63), 1 - 2**63])
def test_any_time_is_harmless(saved, time):
    tamper(saved, "links_", "time_", time)
    tamper(saved, "probable_", "time_", time)
    graph = rp.load(saved)
    assert len(graph.profiles()) == 7
    assert len(graph.merges()) + len(graph.refusals()) > 0


@pytest.mark.parametrize(
    "odd", [uuid.UUID(int=1), b"e", (1, 2), date(2026, 1, 1), 1.5, True, 10**30], ids=repr
)
def test_event_ids_of_any_type_have_an_order(odd):
    events = LOG.assign(event_id=pd.Series([odd, 7, "b", "9"], dtype=object))
    graph = rp.IdentityGraph().update(events)
    other = rp.IdentityGraph().update(events[2:]).update(events[:2])
    pd.testing.assert_frame_equal(graph.profiles(), other.profiles())


def test_half_a_character_in_somebodys_id_stops_no_erasure(tmp_path):
    graph = rp.IdentityGraph().update({"user_id": "\ud800", "cookie": "c1"})
    graph.update({"user_id": "anna", "cookie": "c2"})
    assert graph.forget(["user_id:anna"]) == 2
    rp.save(graph, tmp_path / "graph.rp")
    graph = rp.load(tmp_path / "graph.rp")
    assert graph.members("user_id:\ud800") == [("user_id", "\ud800"), ("cookie", "c1")]
    assert graph.forget_before("2026-01-01") == 0
    assert graph.forget(["user_id:\ud800"]) == 2
    assert graph.profiles().empty
