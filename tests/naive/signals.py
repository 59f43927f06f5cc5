"""Signals the slow way: every question looks through the whole log for what came before it."""

import math
from collections import defaultdict

DAY = 86_400_000
NAN = float("nan")


def facts_of(events, gap):
    """Return one dictionary of facts per event of a log in order of time."""
    price_of, order_of, cart, bought_at, last_of = {}, {}, defaultdict(bool), {}, {}
    told = []
    for event in events:
        user, item, kind, now = event["user"], event["item"], event["kind"], event["time"]
        if not math.isnan(event["price"]):
            price_of[item] = event["price"]
        price = price_of.get(item, NAN)
        quantity = 1.0 if math.isnan(event["quantity"]) else event["quantity"]
        known = {
            "events": 1.0,
            "weight": event["weight"],
            "quantity": quantity,
            "money": price * quantity,
            "log_price": math.log(price) if price > 0 else NAN,
            "dwell": event["dwell_ms"] / 1000,
            "scroll": event["scroll_pct"] / 100,
            "time": now / DAY,
        }
        known["log_price_squared"] = known["log_price"] ** 2
        for said, count in (("log_price", "priced"), ("dwell", "dwelt"), ("scroll", "scrolled")):
            known[count] = NAN if math.isnan(known[said]) else 1.0
        if kind == "purchase":
            order = event["order"]
            this = ("moment", now) if math.isnan(order) else ("number", order)
            known["orders"] = 1.0 if order_of.get(user) != this else NAN
            order_of[user] = this
        if kind != "return":
            new = user not in last_of or now - last_of[user] > gap
            known["sessions"] = 1.0 if new else NAN
            last_of[user] = now
        pair = (user, item)
        if kind == "cart":
            known["carted"] = NAN if cart[pair] else 1.0
            cart[pair] = True
        if kind == "purchase":
            known["cart_bought"] = 1.0 if cart[pair] else NAN
            if pair in bought_at and now > bought_at[pair]:
                known["gap"] = (now - bought_at[pair]) / DAY
                known["repurchases"] = 1.0
            bought_at[pair] = now
        if kind in ("purchase", "remove"):
            cart[pair] = False
        known["band"] = band(price)
        told.append(known)
    return told


def band(price):
    return math.floor(2 * math.log2(price)) + 40 if 1e-6 < price < 1e15 else -1


def tally(events, facts, parts, tally, key, now):
    """Return a tally by its definition: the sum over all events of the key before now."""
    total, extremes = 0.0, []
    weights = dict(tally.kinds) if tally.kinds is not None else None
    for event, known in zip(events, facts, strict=True):
        if event["time"] >= now or parts(event, known, tally.key) != key:
            continue
        weight = (event["kind"] != "return") if weights is None else weights.get(event["kind"], 0)
        fact = known.get(tally.fact, NAN)
        if not weight or math.isnan(fact):
            continue
        if tally.where is not None and event[tally.where[0]] != tally.where[1]:
            continue
        extremes.append(fact)
        total += weight * fact * math.exp(-tally.rate * (now - event["time"]))
    if tally.keep == "sum":
        return total
    return NAN if not extremes else max(extremes) if tally.keep == "largest" else min(extremes)


def visit(events, user, now, gap, recent=8):
    """Return what a visit was like just before now, by looking back from there."""
    own = [e for e in events if e["user"] == user and e["time"] < now and e["kind"] != "return"]
    if not own:
        return {"idle": NAN, "events": 0, "start": None, "items": [], "categories": []}
    idle = now - own[-1]["time"]
    if idle > gap:
        return {"idle": idle, "events": 0, "start": None, "items": [], "categories": []}
    first = len(own) - 1
    while first > 0 and own[first]["time"] - own[first - 1]["time"] <= gap:
        first -= 1
    acts = [e for e in own[first:] if e["kind"] != "impression"]
    return {
        "idle": idle,
        "events": len(acts),
        "start": own[first]["time"],
        "items": [e["item"] for e in acts[-recent:]],
        "categories": [e["category"] for e in acts[-recent:]],
    }
