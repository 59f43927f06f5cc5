"""Saved features that somebody tampered with are refused in words, or answer."""

import json
import shutil

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

import recopersona as rp
from recopersona.errors import RecopersonaError
from tests.features.test_features import ITEMS, everything, shop_log

TAMPER = {
    "zeros": np.zeros_like,
    "ones": np.ones_like,
    "minus one": lambda array: (array * 0 - 1).astype(array.dtype),
    "the largest": lambda array: np.full_like(
        array, np.iinfo(array.dtype).max if array.dtype.kind in "iu" else np.inf
    ),
    "shuffled": lambda array: (
        np.random.default_rng(0).permutation(array.ravel()).reshape(array.shape)
    ),
    "one bit": lambda array: _one_bit(array),
    "shorter": lambda array: array[: len(array) // 2],
    "longer": lambda array: np.concatenate([array, array]),
    "another type": lambda array: array.astype(np.float32),
    "two dimensions": lambda array: array.reshape(1, *array.shape),
}


def _one_bit(array):
    changed = np.ascontiguousarray(array).copy()
    changed.view(np.uint8).ravel()[changed.nbytes // 3] ^= 64
    return changed


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features") / "original.rp"
    rp.save(everything().fit(shop_log(120), items=ITEMS), folder)
    return folder


@pytest.mark.parametrize("how", TAMPER)
def test_tampered_features_are_refused_or_answer(original, tmp_path, how):
    manifest = json.loads((original / "manifest.json").read_text())
    for number in range(len(manifest["files"])):
        folder = tmp_path / f"{number}.rp"
        shutil.copytree(original, folder)
        said = json.loads(json.dumps(manifest))
        path = folder / said["arrays"] / f"{number}.npy"
        array = np.load(path)
        if not array.size or (how == "one bit" and array.nbytes < 3):
            continue
        changed = TAMPER[how](array)
        np.save(path, changed)
        said["files"][number].update(
            bytes=path.stat().st_size, dtype=changed.dtype.str, shape=list(changed.shape)
        )
        (folder / "manifest.json").write_text(json.dumps(said))
        use(folder)


def use(folder):
    try:
        features = rp.load(folder)
        features.for_query("anna", ["i1", "i2", "new"])
        features.update(rp.Event("anna", "i2", "purchase", "2026-06-01", price=3.0))
        features.transform(shop_log(20))
        features.refresh()
    except RecopersonaError:
        pass


LIES = [None, -1, 10**30, 1e308, "brand", [], {}, {"$": "list", "parts": []}]


@pytest.fixture(scope="module")
def scaled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features") / "scaled.rp"
    features = everything().set_params(scaler=StandardScaler())
    rp.save(features.fit(shop_log(60), items=ITEMS), folder)
    return folder


@pytest.mark.parametrize("lie", LIES, ids=repr)
def test_what_a_manifest_says_of_learned_things_is_refused_or_answers(scaled, tmp_path, lie):
    manifest = json.loads((scaled / "manifest.json").read_text())
    folder = tmp_path / "lied.rp"
    shutil.copytree(scaled, folder)
    learned = manifest["model"]["learned"]
    places = [(learned, name) for name in learned if name != "features_"]
    places += [(learned[name]["learned"], key) for name in ("codes_", "log_", "scaler_")
               for key in learned[name]["learned"]]  # fmt: skip
    parts = learned["codes_"]["learned"]["parts_"]["parts"]
    places += [(parts, place) for place in range(len(parts))]
    for _, part in learned["features_"]["pairs"]:
        places += [(part["parameters"], name) for name in part["parameters"]]
    for holder, key in places:
        true, holder[key] = holder[key], lie
        (folder / "manifest.json").write_text(json.dumps(manifest))
        use(folder)
        holder[key] = true
