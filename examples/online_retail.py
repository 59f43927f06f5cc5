"""The Online Retail log as published: from the file to a customer's recommendations.

python examples/online_retail.py path/to/online-retail.csv
"""

from __future__ import annotations

import sys

import recopersona as rp


def main(path: str) -> None:
    events = rp.read_events(path, schema="online-retail")
    # Five digits and perhaps letters are products; the rest is postage, fees and corrections.
    events, report = rp.clean(events, report=True, item_pattern=r"\d{5}[A-Z]*")
    print(report)
    events = rp.sessionize(events, gap="30min")
    print(f"{events['session_id'].nunique():,} visits")

    shop = rp.Dataset.from_frames(events, half_life="30d")
    split = rp.split_by_time(shop, test="28d")
    models = [
        rp.Popularity(),
        rp.ItemKNN(),
        rp.ALS(),
        rp.Pipeline(candidates=[rp.ALS(), rp.ItemKNN(), rp.Popularity(half_life="7d")]),
    ]
    print(rp.evaluate(models, split, k=10)[["ndcg@10", "ndcg@10 low", "ndcg@10 high"]])

    model = rp.ALS().fit(shop)
    customer = shop.users.ids[0]
    ranking = model.recommend(customer, n=5)
    print(ranking.to_frame())
    print(model.explain(customer, ranking.item_ids[0]).head())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
