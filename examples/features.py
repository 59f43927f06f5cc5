"""Signals without leaks: learn who will buy what from features as they were at the time.

    python examples/features.py

A made-up shop is split in time. For every purchase, rows are made of what was bought and of four
items that were not; each row gets its features as of just before the purchase. The same object then
answers a request, and learns from the next event in microseconds.
"""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

import recopersona as rp

shop = rp.synthetic_shop(800, 200, random_state=7)
events = rp.sessionize(rp.clean(shop.events))
purchases = events[events["event"] == "purchase"]

rng = np.random.default_rng(7)
bought = purchases[["user_id", "item_id", "timestamp"]].assign(bought=1)
others = pd.concat([bought] * 4).assign(
    item_id=rng.choice(shop.catalogue["item_id"], 4 * len(bought)), bought=0
)
rows = pd.concat([bought, others], ignore_index=True)

features = rp.Features().fit(events, items=shop.catalogue)
table = features.transform(rows)
rp.testing.check_leak_free(features, events, items=shop.catalogue, rows=rows.head(500), cuts=3)

later = rows["timestamp"] > rows["timestamp"].quantile(0.8)
learner = HistGradientBoostingClassifier(random_state=0)
learner.fit(table[~later].to_numpy(), rows.loc[~later, "bought"])
score = learner.predict_proba(table[later].to_numpy())[:, 1]
truth = rows.loc[later, "bought"]
print(f"{table.shape[1]} features of {len(rows):,} rows")
print(f"area under the curve: {roc_auc_score(truth, score):.3f}")
print(f"popularity alone:     {roc_auc_score(truth, table.loc[later, 'popularity']):.3f}")

user, candidates = events["user_id"].iloc[-1], shop.catalogue["item_id"].head(50)
request = rp.Query(user, now=events["timestamp"].max())
order = np.argsort(-learner.predict_proba(features.for_query(request, candidates))[:, 1])
print(f"for {user}: {', '.join(candidates.iloc[order[:5]])}")
features.update(rp.Event(user, candidates.iloc[order[0]], "cart", events["timestamp"].max()))
print(features.explain()[["column", "formula", "window"]].head(8).to_string(index=False))
