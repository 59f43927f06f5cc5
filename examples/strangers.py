"""Good answers for strangers: by what is known of them, by what they say, by what they click.

    python examples/strangers.py

A made-up shop is split into customers and strangers. A stranger is first known by her age alone,
then answers three questions, then clicks; each time the same model answers, and says why.
"""

import pandas as pd

import recopersona as rp

shop = rp.synthetic_shop(800, 120, random_state=7)
events, customers = shop.events, shop.customers
strangers = set(customers["user_id"].iloc[::5])
known = events[~events["user_id"].isin(strangers)]
learned = rp.Dataset.from_frames(
    known, items=shop.catalogue, users=customers[~customers["user_id"].isin(strangers)]
)

model = rp.Fallback(models=[rp.ItemKNN(), rp.SegmentPopularity(), rp.Popularity()])
model.fit(learned)


def show(what: str, query: rp.Query) -> None:
    ranking = model.recommend(query, n=4)
    print(f"{what}: {', '.join(ranking.item_ids)} by {', '.join(dict.fromkeys(ranking.sources))}")


context = {"age_band": "65+", "device": "mobile"}
show("by her age ", rp.Query(context=context))
print(model.explain(rp.Query(context=context), model.recommend(rp.Query(context=context))[0]))

questions = rp.questionnaire(learned, n=3)["item_id"].tolist()
answers = dict(zip(questions, [1, 0, 1], strict=True))
show("by answers ", rp.Query(history=answers, context=context))
show("by clicks  ", rp.Query(session=questions[:1], context=context))

busy = rp.Switch(
    by="visitor",
    models={"stranger": rp.SegmentPopularity(), "visit": rp.ItemKNN()},
    default=rp.ALS(factors=8),
).fit(learned)
print(busy.recommend(rp.Query(context=context), n=1).effects[0])

late = rp.Trending(window="2d", baseline="4w").fit(learned)
print(late.explain("a stranger", late.recommend("a stranger", n=1)[0]).to_string(index=False))
with pd.option_context("display.width", 120):
    found = (
        rp.Bundles(discount=0.1).fit(learned).recommend_bundles(rp.Query(seed=questions[0]), n=2)
    )
    print(found.round(2).to_string(index=False))
