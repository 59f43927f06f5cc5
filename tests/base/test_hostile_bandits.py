"""Saved bandits and re-rankers that somebody tampered with: refused in words, or they answer."""

import functools
import json
import shutil

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ArtifactError, RecopersonaError

SHOP = rp.synthetic_shop(40, 30, 20, random_state=3)
NOW = SHOP.end
ARMS = {
    "plain": {"relevance": 1},
    "mix": {"relevance": 1, "diversity": 1, "freshness": 1, "serendipity": 1},
}


def bandit(policy=None, **more):
    policy = rp.PooledThompson(n0=9) if policy is None else policy
    settings = {"segment": "page", "max_relevance_loss": 1.0, **more}
    return rp.BanditReranker(arms=ARMS, policy=policy, **settings)


STAGES = {
    "pooled": bandit,
    "window": lambda: bandit(rp.PooledThompson(window=4)),
    "thompson": lambda: bandit(rp.Thompson(half_life=9)),
    "gaussian": lambda: bandit(rp.Thompson(likelihood="gaussian")),
    "greedy": lambda: bandit(rp.EpsilonGreedy()),
    "softmax": lambda: bandit(rp.SoftmaxGreedy()),
    "ucb": lambda: bandit(rp.UCB1()),
    "linucb": lambda: bandit(rp.LinUCB()),
    "lints": lambda: bandit(rp.LinTS(window=4)),
    "squarecb": lambda: bandit(rp.SquareCB(half_life=9)),
    "mmr": rp.MMR,
    "dpp": lambda: rp.DPP(window=3),
    "xquad": rp.XQuAD,
    "calibrated": rp.Calibrated,
    "fresh": rp.Freshness,
    "surprising": rp.Serendipity,
    "slots": lambda: rp.SlotExploration(rate=0.5),
    "fatigue": rp.Fatigue,
    "chain": lambda: [rp.Fatigue(), bandit(exploration=rp.SlotExploration())],
}
CHANGES = {
    "no number": lambda old: np.full_like(old, np.nan if old.dtype.kind == "f" else -1),
    "without end": lambda old: np.full_like(old, np.inf if old.dtype.kind == "f" else 1),
    "far beyond": lambda old: np.full_like(
        old, {"f": 1e300, "i": 100 if old.dtype.itemsize == 1 else 2**30}.get(old.dtype.kind, 1)
    ),
    "below": lambda old: np.full_like(old, 1 if old.dtype.kind in "bu" else -1),
    "fewer": lambda old: np.ascontiguousarray(old[: len(old) // 2]),
    "more": lambda old: np.concatenate([old, old]),
    "none": lambda old: old[:0],
    "narrower": lambda old: np.ascontiguousarray(old[:, :1] if old.ndim > 1 else old[:1]),
    "another shape": lambda old: old.ravel() if old.ndim > 1 else old[:, None],
    "another type": lambda old: old.astype(np.float32 if old.dtype != np.float32 else np.float64),
}
SCALARS = [-1, 2**70, float("nan"), None, "x", True, {"$": "list", "parts": []}]


def ask(pipeline, name, number=1, **query):
    query = rp.Query(f"u-{number:04d}", decision_id=name, **query)
    return pipeline.recommend(query, n=5)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bandits")

    @functools.cache
    def original(kind):
        stage = STAGES[kind]()
        pipeline = rp.Pipeline(candidates=[rp.Popularity()], reranker=stage).fit(SHOP)
        for number in range(6):
            page = ask(pipeline, f"d{number}", 1 + number, context={"page": "ab"[number % 2]})
            pipeline.feedback(f"d{number}", clicked=page.item_ids[: number % 3])
        ask(pipeline, "open", now=NOW)
        pipeline.save(folder / kind)
        return folder / kind

    return original


def use(pipeline):
    """Ask, tell and change everything; errors of ours are answers, all others are none."""
    steps = [
        lambda: pipeline.feedback("d1", purchased=list(pipeline.decisions_["d1"].shown)[:2]),
        lambda: pipeline.feedback("open"),
        lambda: pipeline.recommend_many(["u-0001", "nobody"]),
        lambda: pipeline.partial_fit([rp.Event("u-0002", "new"), rp.Event("v", "newer")]),
        lambda: pipeline.update_items(pd.DataFrame({"item_id": ["newest"], "category": ["odd"]})),
        lambda: tell(pipeline, "c"),
        lambda: pipeline.decisions_frame(),
        lambda: pipeline.forget(["u-0001"]),
    ]
    for step in [lambda page=page: tell(pipeline, page) for page in "abz"] + steps:
        try:
            step()
        except RecopersonaError:
            continue


def tell(pipeline, page):
    ranking = ask(pipeline, f"asked on {page}", 2, context={"page": page}, now=NOW + 9)
    assert len(ranking) == 5
    if ranking.draw is not None:
        assert 0 < ranking.propensity <= 1
        assert sum(ranking.draw.probabilities.values()) == pytest.approx(1)
    pipeline.feedback(f"asked on {page}", clicked=ranking.item_ids[:1])


def places(tree, path=()):
    """Walk through what was learned; yield where arrays and plain values stand."""
    if isinstance(tree, dict) and isinstance(tree.get("file"), int):
        yield path, "array"
    elif isinstance(tree, dict | list):
        for key, part in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from places(part, (*path, key))
    else:
        yield path, "value"


def tampered(folder, path, change):
    manifest = json.loads((folder / "manifest.json").read_text())
    *above, last = path
    held = manifest["model"]["learned"]
    for key in above:
        held = held[key]
    if callable(change):
        number = held[last]["file"]
        file = folder / manifest["arrays"] / f"{number}.npy"
        array = change(np.load(file))
        np.save(file, array)
        described = {"dtype": array.dtype.str, "shape": list(array.shape)}
        manifest["files"][number].update(bytes=file.stat().st_size, **described)
    else:
        held[last] = change
    (folder / "manifest.json").write_text(json.dumps(manifest))


def tried(original, tmp_path, path, change):
    folder = tmp_path / "model"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original, folder)
    tampered(folder, path, change)
    with np.errstate(all="ignore"):
        try:
            loaded = rp.load(folder)
        except ArtifactError:
            return "refused"
        use(loaded)
    return "answers"


@pytest.mark.parametrize("kind", STAGES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_whatever_is_changed_it_is_refused_or_answers(kind, originals, tmp_path):
    manifest = json.loads((originals(kind) / "manifest.json").read_text())
    learned = {
        name: manifest["model"]["learned"][name]
        for name in ("reranker_", "decisions_", "clock_", "feedback_counts_")
    }
    edits = [
        (path, change)
        for path, what in places(learned)
        for change in (CHANGES.values() if what == "array" else SCALARS)
        if path[-1] not in ("class", "module", "$")
    ]
    random = np.random.default_rng(len(kind))  # a few of thousands; any of them may come
    chosen = [edits[place] for place in random.permutation(len(edits))[:6]]
    for one in chosen:
        assert tried(originals(kind), tmp_path, *one) in ("refused", "answers")


def named(kind, originals, name):
    """Return where the array or value of this name stands."""
    learned = json.loads((originals(kind) / "manifest.json").read_text())["model"]["learned"]
    for path, _ in places(learned):
        if name in path:
            return path[: path.index(name) + 1]
    raise AssertionError(f"there is no {name}")


@pytest.mark.parametrize(
    ("kind", "name", "change"),
    [
        ("pooled", "trials_", "below"),
        ("pooled", "trials_", "no number"),
        ("pooled", "totals_", "fewer"),
        ("pooled", "levels_", "below"),
        ("window", "places_", "far beyond"),
        ("window", "cells_", "far beyond"),
        ("linucb", "inverses_", "narrower"),
        ("lints", "cells_", "narrower"),
        ("squarecb", "grams_", "more"),
        ("mmr", "vectors_", "no number"),
        ("dpp", "vectors_", "another type"),
        ("chain", "tiring_", "fewer"),
        ("slots", "first_seen_", "fewer"),
        ("fatigue", "tiring_", "another shape"),
    ],
)
def test_arrays_that_kernels_would_trust_are_refused(kind, name, change, originals, tmp_path):
    path = named(kind, originals, name)
    assert tried(originals(kind), tmp_path, path, CHANGES[change]) == "refused"


EMPTY = {"$": "list", "parts": []}


@pytest.mark.parametrize("name", ["users_", "items_", "past_", "item_features_", "end_"])
@pytest.mark.parametrize("value", [EMPTY, "x", 2**70], ids=str)
def test_tables_of_a_stage_must_be_tables(name, value, originals, tmp_path):
    path = ("reranker_", "learned", name)
    assert tried(originals("fresh"), tmp_path, path, value) == "refused"


@pytest.mark.parametrize("name", ["exploration_", "counts_", "segments_", "user_features_"])
def test_parts_of_a_bandit_must_be_what_they_are(name, originals, tmp_path):
    path = ("reranker_", "learned", name)
    assert tried(originals("pooled"), tmp_path, path, "x") == "refused"


@pytest.mark.parametrize("kind", ["clik", "", 5, True, None, EMPTY], ids=str)
def test_an_outcome_is_of_a_kind_that_there_is(kind, originals, tmp_path):
    path = ("decisions_", "pairs", 1, 1, "fields", "outcome", "pairs", 0, 1)
    assert tried(originals("pooled"), tmp_path, path, kind) == "refused"
