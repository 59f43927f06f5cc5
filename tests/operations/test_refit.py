"""A model fitted after an erasure is, bit for bit, one that never heard of the person."""

import json
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recopersona as rp

USERS = ["u-100", "u-17", "u-170", "u-3000", "zoë-x"]
DEVICES = [None, "c-100", "c-17", "c-170"]
ITEMS = ["tea", "salt", "honey", "oil", "rice"]

MODELS = {
    "popularity": lambda: rp.Popularity(half_life="7d"),
    "item knn": lambda: rp.ItemKNN(k=3),
    "user knn": lambda: rp.UserKNN(k=3),
    "ALS": lambda: rp.ALS(factors=2, iterations=2, random_state=1),
    "factorization": lambda: rp.Factorization(factors=2, epochs=2, random_state=1),
    "sessions": lambda: rp.SessionKNN(k=3),
    "pipeline": lambda: rp.Pipeline(
        candidates=[rp.ALS(factors=2, iterations=1, random_state=1), rp.Popularity()],
        reranker=rp.BanditReranker(),
    ),
}


@st.composite
def shops(draw):
    """A log, and somebody in it who is not alone."""
    row = st.tuples(
        st.sampled_from([*USERS, None]), st.sampled_from(DEVICES), st.sampled_from(ITEMS),
        st.sampled_from(["view", "cart", "purchase"]), st.integers(0, 50 * 24),
    )  # fmt: skip
    rows = draw(st.lists(row, min_size=2, max_size=25))
    gone = draw(st.sampled_from(USERS))
    rows += [(gone, draw(st.sampled_from(DEVICES)), "tea", "view", draw(st.integers(0, 1200)))]
    rows += [(next(one for one in USERS if one != gone), None, "salt", "view", 3)]
    order = draw(st.permutations(rows))
    log = pd.DataFrame(order, columns=["user_id", "anonymous_id", "item_id", "event", "hour"])
    start = pd.Timestamp("2026-05-01", tz="UTC")
    log["timestamp"] = start + pd.to_timedelta(log.pop("hour"), "h")
    log["session_id"] = log["timestamp"].dt.strftime("%d").radd("s-")
    return log, gone


def written(log, path):
    if ".csv" in path.name:
        log.to_csv(path, index=False)
    elif ".parquet" in path.name:
        rp.write_events(log, path)
    else:
        log.to_json(path, orient="records", lines=True, date_format="iso", date_unit="us")
    return path


def learned_by(model, folder, name):
    """Return all that a saved model says: its words, and the hash of every array."""
    rp.save(model, folder / name)
    manifest = json.loads((folder / name / "manifest.json").read_text())
    return {key: manifest[key] for key in ("model", "files")}


def fitted(make, log, **more):
    return make().fit(log.dropna(subset=["user_id"]).reset_index(drop=True), **more)


def others(log, person, graph):
    """Return the log without a person, told by her profile, the plain way."""
    hers = {kind: set() for kind in ("user_id", "anonymous_id")}
    for kind, value in graph.members(f"user_id:{person}"):
        hers[kind].add(value)
    owner = log["user_id"].isin(hers["user_id"])
    lent = log["user_id"].isna() & log["anonymous_id"].isin(hers["anonymous_id"])
    return log[~owner & ~lent].reset_index(drop=True)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=6)
@given(shops(), st.sampled_from([".csv", ".parquet", ".jsonl", ".csv.gz", ".jsonl.gz"]))
def test_a_refit_from_files_equals_one_that_never_saw_her(name, shop, suffix):
    log, gone = shop
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        graph = rp.IdentityGraph().update(log)
        without = others(log, gone, graph)
        path = written(log, folder / f"all{suffix}")
        model = fitted(MODELS[name], rp.read_events(path))
        model.recommend(gone)
        rp.save(model, folder / "kept.rp")
        data = rp.PersonalData(
            holders={"live": model}, models=[folder / "kept.rp"], logs=[path], identity=graph,
            searched=[folder],
        )  # fmt: skip
        hers = [value for _, value in graph.members(f"user_id:{gone}")]
        receipt = data.erase(gone, at="2026-07-01")
        assert receipt.status == "complete", receipt
        if not receipt.shared:
            assert receipt.verified, receipt
            (folder / "receipt.json").write_text(receipt.to_json() + repr(receipt))
            rp.save(graph, folder / "graph.rp")
            assert rp.find_traces(folder, [*hers, f"user_id:{gone}"]) == []
        twin = fitted(MODELS[name], rp.read_events(written(without, folder / f"other{suffix}")))
        again = fitted(MODELS[name], rp.read_events(path))
        assert learned_by(again, folder, "a.rp") == learned_by(twin, folder, "b.rp")


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=5)
@given(shops())
def test_a_refit_behind_the_gate_equals_one_that_never_saw_her(name, shop):
    log, gone = shop
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        ledger = rp.ConsentLedger(unknown="granted").journal(folder / "consent.jsonl")
        for user in USERS:
            ledger.record(user, "ads", "denied", "2026-05-01")
        model = fitted(MODELS[name], log, gate=ledger)
        data = rp.PersonalData(holders={"live": model}, consent=ledger, searched=[folder])
        assert data.erase(gone, at="2026-07-01").verified
        without = log[log["user_id"].ne(gone)].reset_index(drop=True)
        again = fitted(MODELS[name], log, gate=ledger)
        twin = fitted(MODELS[name], without, gate=ledger)
        assert learned_by(again, folder, "a.rp") == learned_by(twin, folder, "b.rp")
        assert rp.find_traces(folder, [gone]) == []


def test_a_model_that_saw_her_is_another_one(tmp_path):
    """Without an erasure the comparison above would tell the difference."""
    log = pd.DataFrame({
        "user_id": ["u-17", "u-100", "u-100"], "item_id": ["tea", "salt", "tea"],
        "timestamp": pd.to_datetime(["2026-07-01"] * 3, utc=True),
        "session_id": ["s-1", "s-2", "s-2"],
    })  # fmt: skip
    for name, make in MODELS.items():
        saw, not_saw = fitted(make, log), fitted(make, log[1:])
        assert learned_by(saw, tmp_path, f"{name}.a") != learned_by(not_saw, tmp_path, f"{name}.b")
