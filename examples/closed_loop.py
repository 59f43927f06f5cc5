"""A shop that learns from its own clicks, among visitors whose truth is known.

    python examples/closed_loop.py

A small made-up world: tastes drift, sameness bores, new items and new visitors come. Three shops
live through it from the same start: one shows what was popular, one knows the past and learns
nothing more, one takes in whatever happens. None can be better than the oracle, which knows
everything; the share of its clicks is what a shop is worth.
"""

import recopersona as rp


def popular(world: rp.World):
    page = world.log()["item_id"].value_counts().index[:10].tolist()
    return lambda visit: page


class Shop:
    """Answers a visit with a pipeline; whether it goes on learning is asked here."""

    learns = False

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
        if not self.learns:
            return
        self.home.feedback(visit.query.decision_id, clicked=reaction.clicked)
        self.happened += reaction.events
        if len(self.happened) >= 50:
            self.home.partial_fit(self.happened)
            self.happened = []


class LearningShop(Shop):
    learns = True


world = rp.World(500, 300, requests_per_day=200, new_items=5, new_visitors=5)
policies = {"popular": popular, "knows the past": Shop, "learns": LearningShop}
found = rp.regret(policies, world, n_requests=800, n=10, seeds=2)
print(found)

clicks = found.earned[:, :, 0].mean(axis=1)  # policies x requests
print("\nexpected clicks per request, every 200 requests")
for name, of_policy in zip(found.policies, clicks, strict=True):
    means = of_policy.reshape(-1, 200).mean(axis=1)
    print(f"{name:>15}: " + "  ".join(f"{mean:.2f}" for mean in means))
