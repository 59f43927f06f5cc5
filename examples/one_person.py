"""Who is who in a log, and who may be known: identity and consent in one shop.

    python examples/one_person.py

A made-up shop whose visitors sign in at every third click, and every tenth of them on a tablet that
others use, too. The graph of identities finds who is one person, and keeps apart who is not; the
ledger of consents says who may be learned from. Whoever refuses on one device is refused on all.
"""

import numpy as np

import recopersona as rp

events = rp.synthetic_shop(300, 60, random_state=7).events
truth = events["user_id"].copy()
number = truth.str[2:].astype(int)
phone, tablet = "phone-" + number.astype(str), "tablet-" + (number // 30).astype(str)
events["anonymous_id"] = phone.where(number % 10 > 0, tablet)
events["user_id"] = truth.where(np.arange(len(events)) % 3 == 0)


def share_of_one(names):
    """The share of each user's events that go by one name, on average."""
    return names.groupby(truth).agg(lambda own: (own == own.mode()[0]).mean()).mean()


# A tablet that two people used proves neither: what nobody signed in for is the tablet's own.
graph = rp.IdentityGraph().update(events)
known = graph.resolve(events)
print(f"of a user's events, {events['user_id'].notna().mean():.0%} name her;", end=" ")
print(f"{share_of_one(known['user_id']):.0%} have one profile")
mixed = truth.groupby(known["user_id"]).nunique()
several = mixed.index[mixed > 1]
print("only tablets are of several people:", all("tablet" in name for name in several))
refused = graph.refusals()["reason"].value_counts()
print("links refused:", {why: int(n) for why, n in refused.items()})

# She refused on her phone, before she ever signed in on it.
ledger = rp.ConsentLedger(unknown="granted", identity=graph)
ledger.record({"anonymous_id": "phone-3"}, "personalization", "denied", "2020-01-01", "banner")
home = rp.ItemKNN().fit(known, gate=ledger)
her = graph.profile_of(user_id="u-0003")
print("the model knows her:", her in home.users_, "- and says:", home.recommend(her).effects[0])
print("counted at the gate:", dict(ledger.counts))
