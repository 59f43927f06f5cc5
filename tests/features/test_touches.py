import numpy as np
import pandas as pd

import recopersona as rp

LOG = pd.DataFrame({
    "user_id": ["anna", "anna", "anna", "ben"],
    "item_id": ["tea", "tea", "salt", "tea"],
    "event": ["view", "cart", "view", "purchase"],
    "timestamp": pd.to_datetime(["2026-01-01", "2026-01-03", "2026-01-04", "2026-01-04"]),
})  # fmt: skip


def test_touches_are_counted_and_dated():
    features = rp.Features([rp.Touches(kinds=["view", "cart"])]).fit(LOG)
    rows = pd.DataFrame({"user_id": ["anna", "anna", "ben"], "item_id": ["tea", "honey", "tea"]})
    found = features.transform(rows, as_of="2026-01-05")
    np.testing.assert_allclose(
        found, [[2, 2, 4, 2], [0, np.nan, np.nan, np.nan], [1, 1, np.nan, np.nan]]
    )


def test_a_row_sees_what_was_before_it_only():
    found = rp.Features([rp.Touches(kinds=["cart"])]).fit_transform(LOG)
    assert found["touches"].tolist() == [0, 1, 0, 0]
    assert found["cart_since"].isna().all()
