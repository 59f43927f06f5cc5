"""A shop that lives on its own clicks, among visitors whose truth is known.

    python examples/closed_loop.py

A small made-up world: tastes drift, sameness bores, new items and new visitors come. Two shops live
through it from the same start: one shows what was popular, the other serves a pipeline and takes in
whatever happens. The oracle, which knows everything, shows what could be had; the share of its
clicks is what a shop is worth.
"""

import recopersona as rp


def popular(world: rp.World):
    page = world.log()["item_id"].value_counts().index[:10].tolist()
    return lambda _: page


class Shop:
    """Answers visits with a pipeline, and learns from what comes of them."""

    def __init__(self, world: rp.World) -> None:
        self.happened: list[rp.Event] = []
        self.home = rp.Pipeline(
            candidates=[rp.ALS(factors=16, random_state=0), rp.ItemKNN(), rp.ContentKNN()]
        ).fit(world.dataset(half_life="30d"))

    def answer(self, visit: rp.Visit) -> list:
        if visit.arrived is not None:
            self.home.update_items(visit.arrived)
        return self.home.recommend(visit.query, n=10).item_ids

    def learn(self, visit: rp.Visit, reaction: rp.Reaction) -> None:
        self.home.feedback(visit.query.decision_id, clicked=reaction.clicked)
        self.happened += reaction.events
        if len(self.happened) >= 50:
            self.home.partial_fit(self.happened)
            self.happened = []


world = rp.World(500, 300, requests_per_day=200, new_items=5, new_visitors=5)
found = rp.regret({"popular": popular, "shop": Shop}, world, n_requests=600, n=10, seeds=2)
print(found)

clicks = found.earned[:, :, 0].mean(axis=1)  # policies x requests
print("\nexpected clicks per request, every 200 requests")
for name, of_policy in zip(found.policies, clicks, strict=True):
    means = of_policy.reshape(-1, 200).mean(axis=1)
    print(f"{name:>10}: " + "  ".join(f"{mean:.2f}" for mean in means))
