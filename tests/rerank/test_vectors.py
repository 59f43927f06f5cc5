"""What items are compared by: attributes, the log, a model, or vectors from outside."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import DataError

N_KINDS = 200
SHELF = pd.DataFrame(
    {
        "item_id": np.arange(1_000),
        "kind": [f"kind {number % N_KINDS}" for number in range(1_000)],
        "dept": [f"dept {number % 4}" for number in range(1_000)],
    }
)
LOG = pd.DataFrame({"user_id": np.arange(1_000) % 50, "item_id": np.arange(1_000)})
SHOP = rp.Dataset.from_frames(LOG, items=SHELF)


def learned(vectors=None, shop=SHOP, **parameters):
    made = rp.ItemVectors(vectors=vectors, **parameters)
    return made.fit(shop.items, shop.item_features, shop.interactions)


def cosines(known, shop=SHOP):
    rows = known.of(np.arange(len(shop.items), dtype=np.int32))
    return rows @ rows.T


def test_few_columns_keep_every_cosine():
    expected = (SHELF["dept"].to_numpy()[:, None] == SHELF["dept"].to_numpy()).astype(float)
    np.testing.assert_allclose(cosines(learned(["dept"])), expected, atol=1e-6)


def test_many_columns_keep_cosines_on_average():
    found = cosines(learned())
    kind, dept = (SHELF[name].to_numpy()[:, None] == SHELF[name].to_numpy()
                  for name in ("kind", "dept"))  # fmt: skip
    error = found - (kind / 2 + dept / 2)
    assert learned().vectors_.shape == (1_000, 64)
    assert np.abs(error[kind]).max() < 1e-5  # what is the same stays the same
    assert abs(error[~kind].mean()) < 0.01
    assert error[~kind].std() < 0.12


def test_rows_have_length_1_or_nothing_in_them():
    lengths = np.linalg.norm(learned().vectors_, axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)
    assert not learned().of(np.array([5_000], np.int32)).any()


def test_the_same_seed_makes_the_same_vectors():
    assert (learned(random_state=3).vectors_ == learned(random_state=3).vectors_).all()
    assert not (learned(random_state=3).vectors_ == learned(random_state=4).vectors_).all()


def test_without_attributes_the_log_tells():
    log = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "c"]})
    shop = rp.Dataset.from_frames(log)
    np.testing.assert_allclose(
        cosines(learned(shop=shop), shop), [[1, 1, 0], [1, 1, 0], [0, 0, 1]], atol=1e-6
    )


@pytest.mark.parametrize("fit_first", [False, True])
def test_factors_of_a_model(fit_first):
    model = rp.ALS(factors=8, random_state=0)
    given = model.fit(SHOP) if fit_first else model
    found = learned(given)
    assert found.vectors_.shape == (1_000, 8)
    factors = rp.ALS(factors=8, random_state=0).fit(SHOP).item_factors_
    unit = factors / np.linalg.norm(factors, axis=1)[:, None]
    np.testing.assert_allclose(found.vectors_, unit, atol=1e-5)
    assert hasattr(model, "item_factors_") == fit_first


def test_a_model_without_factors_is_refused():
    with pytest.raises(DataError, match="Popularity has no item factors"):
        learned(rp.Popularity())


def test_a_frame_is_read_by_id():
    frame = pd.DataFrame([[0.0, 2.0], [3.0, 4.0]], index=[7, 2])
    found = learned(frame).of(np.array([2, 7, 8], np.int32))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 1], [0, 0]], atol=1e-6)
    named = frame.rename_axis("item_id").reset_index()
    assert (learned(named).vectors_ == learned(frame).vectors_).all()


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame([[1.0], [2.0]], index=[3, 3]), "names an item twice"),
        (pd.DataFrame([["a"]], index=[3]), "must hold numbers only"),
    ],
)
def test_frames_that_are_no_vectors(frame, said):
    with pytest.raises(DataError, match=said):
        learned(frame)


def test_a_short_array_leaves_the_rest_unknown():
    found = learned(np.array([[3.0, 4.0], [np.nan, 1.0]])).of(np.arange(3, dtype=np.int32))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0], [0, 0]], atol=1e-6)


@pytest.mark.parametrize("vectors", [None, ["dept"], np.eye(3), rp.ALS(factors=4)])
def test_vectors_are_kept(vectors, tmp_path):
    known = learned(vectors)
    rp.save(known, tmp_path / "vectors.rp")
    loaded = rp.load(tmp_path / "vectors.rp")
    assert (loaded.vectors_ == known.vectors_).all()


def test_a_damaged_file_is_refused():
    known = learned(["dept"])
    known.vectors_ = known.vectors_[:, :2]
    with pytest.raises(DataError, match="does not fit"):
        known._check_learned()
    known.vectors_ = np.full((3, 4), np.nan, np.float32)
    with pytest.raises(DataError, match="finite"):
        known._check_learned()


def test_most_labels_stay_unlike():
    """Where some are common and most are rare, as in any catalogue."""
    kinds = np.array([f"kind {int(N_KINDS * (number / 1_000) ** 2)}" for number in range(1_000)])
    shop = rp.Dataset.from_frames(LOG, items=SHELF.assign(kind=kinds))
    found = cosines(learned(["kind"], shop), shop)
    assert (np.abs(found[kinds[:, None] != kinds]) < 0.05).mean() > 0.95
