"""Saved rankers that somebody tampered with are refused, and never misread memory."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ArtifactError, DataError

MAX = np.iinfo(np.int32).max


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rankers")
    random = np.random.default_rng(3)
    pages, n = 100, 400
    shown = pd.DataFrame({
        "request": np.repeat(np.arange(pages), 4),
        "position": np.tile([1, 2, 3, 4], pages),
        "item_id": [f"i{k}" for k in random.integers(0, 40, n)],
        "clicked": random.random(n) < 0.3,
        "worth": np.where(random.random(n) < 0.8, random.random(n), np.nan),
    })  # fmt: skip
    events = pd.DataFrame({"user_id": "u", "item_id": [f"i{k}" for k in range(40)]})
    shop = rp.Dataset.from_frames(events)
    lessons = rp.Lessons.from_impressions(shown, shop, scores=["worth"])
    boosted = rp.BoostedRanker(trees=5, calibration="isotonic", leaves=4)
    rp.save(boosted.fit(lessons, shop), folder / "boosted")
    look = rp.ExaminationModel(epochs=1, hidden=2)
    neural = rp.NeuralRanker(epochs=1, hidden=2, position_bias=look)
    rp.save(neural.fit(lessons, shop), folder / "neural")
    return folder


class File:
    """A saved ranker to be tampered with."""

    def __init__(self, folder):
        self.folder = folder
        self.manifest = json.loads((folder / "manifest.json").read_text())

    def part(self, name):
        """Return what a part has learned; its name may be a way, such as ``a/b``."""
        tree = self.manifest["model"]
        for one in filter(None, name.split("/")):
            tree = tree["learned"][one]
        return tree["learned"]

    def change(self, part, name, change):
        tree = self.part(part)[name]["file"]
        path = self.folder / self.manifest["arrays"] / f"{tree}.npy"
        array = np.asarray(change(np.load(path)))
        np.save(path, array)
        size = path.stat().st_size
        self.manifest["files"][tree].update(
            bytes=size, dtype=array.dtype.str, shape=list(array.shape)
        )

    def write(self):
        (self.folder / "manifest.json").write_text(json.dumps(self.manifest))


def all_are(value):
    return lambda old: np.full_like(old, value)


def one_is(value, place=0):
    def change(old):
        old.reshape(-1)[place] = value
        return old

    return change


def fewer(old):
    return old[:-1]


def backwards(old):
    return old[::-1]


ARRAYS = [
    # kernels check no bounds: these would be read beyond the end of memory
    *[("boosted", "forest_", "columns_", all_are(value)) for value in (-1, 99, MAX)],
    *[("boosted", "forest_", "spans_", all_are(value)) for value in (-1, 0, 32, MAX)],
    *[("boosted", "forest_", "bounds_", one_is(value, 1)) for value in (-1, 32, 2**40, 2**63 - 1)],
    ("boosted", "forest_", "bounds_", backwards),
    ("boosted", "forest_", "bounds_", fewer),
    ("boosted", "forest_", "bounds_", lambda old: old[:0]),
    ("boosted", "forest_", "columns_", lambda old: old.astype(np.int64)),
    *[("boosted", "forest_", name, fewer) for name in ("values_", "covers_", "missing_left_")],
    ("boosted", "columns_", "kept_", all_are(10**6)),
    ("boosted", "columns_", "kept_", all_are(-1)),
    ("neural", "scaling_", "gapped_", all_are(99)),
    ("neural", "scaling_", "gapped_", all_are(-1)),
    ("neural", "network_", "inner_", fewer),
    ("neural", "network_", "outer_", fewer),
    # these would answer with numbers that are none
    *[("boosted", "forest_", "values_", one_is(value)) for value in (np.nan, np.inf)],
    *[("boosted", "forest_", "covers_", one_is(value)) for value in (np.nan, np.inf, -1)],
    ("boosted", "calibration_", "knots_", one_is(np.nan)),
    ("boosted", "calibration_", "knots_", backwards),
    ("boosted", "calibration_", "levels_", all_are(2)),
    ("boosted", "calibration_", "levels_", one_is(np.nan)),
    *[
        ("neural", "scaling_", name, one_is(value))
        for name in ("centers_", "means_", "deviations_", "spreads_", "gap_means_")
        for value in (np.nan, np.inf)
    ],
    ("neural", "network_", "linear_", one_is(np.nan)),
    ("neural", "examination_", "propensities_", one_is(np.inf)),
    ("neural", "examination_", "propensities_", all_are(-1)),
    ("neural", "examination_/scaling_", "means_", one_is(np.nan)),
]


@pytest.mark.parametrize(("ranker", "part", "name", "change"), ARRAYS)
def test_arrays_that_cannot_be_are_refused(ranker, part, name, change, saved, tmp_path):
    shutil.copytree(saved / ranker, tmp_path / "it")
    file = File(tmp_path / "it")
    file.change(part, name, change)
    file.write()
    with pytest.raises(ArtifactError, match="damaged"):
        rp.load(tmp_path / "it")


VALUES = [
    *[("boosted", "forest_", name, value)
      for name in ("start_", "n_columns_") for value in ("x", None, float("nan"))],
    *[("boosted", "calibration_", name, value)
      for name in ("slope_", "shift_") for value in ("x", None, float("inf"))],
    ("boosted", "calibration_", "slope_", -1.0),
    ("boosted", "", "base_", "x"),
    ("boosted", "", "n_trees_", "x"),
    ("boosted", "", "history_", "x"),
    ("boosted", "", "importances_", "x"),
    ("boosted", "", "importances_", {"$": "dict", "pairs": [["nothing", 1.0]]}),
    ("boosted", "columns_", "counts_", {"$": "dict", "pairs": []}),
    ("neural", "", "passes_", 5),
    ("neural", "", "examination_", "x"),
    ("neural", "examination_", "passes_", "x"),
    ("neural", "examination_", "first_", 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("ranker", "part", "name", "value"), VALUES)
def test_values_that_cannot_be_are_refused(ranker, part, name, value, saved, tmp_path):
    shutil.copytree(saved / ranker, tmp_path / "it")
    file = File(tmp_path / "it")
    assert name in file.part(part)
    file.part(part)[name] = value
    file.write()
    with pytest.raises(ArtifactError, match="damaged"):
        rp.load(tmp_path / "it")


@pytest.mark.parametrize("ranker", [rp.BoostedRanker(), rp.NeuralRanker(), rp.ExpectedRevenue()])
def test_what_is_no_lesson_is_refused(ranker):
    with pytest.raises(DataError, match="fit needs Lessons and a Dataset, got NoneType and int"):
        ranker.fit(None, 5)
