"""What each block of features is worth: answers with it, and answers without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.base import clone

from recopersona.base.recommender import as_dataset
from recopersona.features.encoder import AttributeEncoder

if TYPE_CHECKING:
    from recopersona.models.hybrid import HybridFactorization


def block_ablation(model: HybridFactorization, held_out: Any, train: Any) -> pd.DataFrame:
    """Return NDCG@10 with and without each block; see `HybridFactorization.feature_ablation`."""
    judges = as_dataset(held_out)
    whole = model.score(judges)
    rows = []
    for side, encoder in (
        ("item", model.item_map_.encoder_),
        ("user", model.user_map_.encoder_),
    ):
        for block in (*encoder.blocks_, *(("identity",) if model.identity else ())):
            if train is None or block == "identity":
                rest = model._without(side, block)
            else:
                rest = _refitted(model, side, block, train)
            rows.append((side, block, whole, rest.score(judges)))
    report = pd.DataFrame(rows, columns=["side", "block", "ndcg10", "without"])
    report["gain"] = report["ndcg10"] - report["without"]
    return report.sort_values("gain", kind="stable", ignore_index=True)


def _refitted(model: HybridFactorization, side: str, block: str, train: Any) -> HybridFactorization:
    name = f"{side}_encoder"
    encoder = getattr(model, name) or AttributeEncoder()
    less = clone(encoder).set_params(weights={**(encoder.weights or {}), block: 0})
    refitted: HybridFactorization = clone(model).set_params(**{name: less}).fit(train)
    return refitted
