"""A shop in which it is known what makes visitors take something."""

import numpy as np
import pandas as pd

from recopersona.data.dataset import Dataset
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.rankers.lessons import Lessons

N_ITEMS, N_CANDIDATES = 300, 30


def catalogue(random):
    """Items of which quality counts, price counts against them, and spice only where known."""
    spice = random.normal(size=N_ITEMS)
    spice[random.random(N_ITEMS) < 0.4] = np.nan
    return pd.DataFrame(
        {
            "item_id": np.arange(N_ITEMS),
            "quality": random.normal(size=N_ITEMS),
            "price": random.gamma(2.0, 10.0, size=N_ITEMS),
            "spice": spice,
            "luck": random.normal(size=N_ITEMS),
        }
    )


def utility(items):
    spice = items["spice"].fillna(0.0)
    return (2 * items["quality"] - 0.08 * items["price"] + 1.5 * spice.abs()).to_numpy()


def planted(n_requests, seed=0):
    """Return lessons from a shop, and the shop: one candidate of each request is taken."""
    random = np.random.default_rng(seed)
    items = catalogue(np.random.default_rng(99))
    users = random.integers(0, 50, 400)
    events = pd.DataFrame({"user_id": users, "item_id": random.integers(0, N_ITEMS, 400)})
    shop = Dataset.from_frames(events, items=items)
    wanted = utility(items)
    queries, rankings, labels = [], [], []
    for _ in range(n_requests):
        candidates = random.choice(N_ITEMS, N_CANDIDATES, replace=False)
        value = wanted[candidates] + random.gumbel(size=N_CANDIDATES)
        queries.append(Query(int(random.integers(50))))
        rankings.append(Ranking.of(candidates, -np.arange(N_CANDIDATES), shop.items, "ALS"))
        labels.append((value == value.max()).astype(float))
    return Lessons.of(queries, rankings, labels), shop


def mean_rank_of_taken(ranker, lessons):
    """Return the mean place, from 1, of what was taken: 15.5 by chance."""
    places = []
    for query, ranking, start in zip(
        lessons.queries, lessons.rankings, lessons.bounds[:-1], strict=True
    ):
        taken = ranking.items[lessons.labels[start : start + len(ranking)].argmax()]
        places.append(int(np.flatnonzero(ranker(query, ranking).items == taken)[0]) + 1)
    return float(np.mean(places))
