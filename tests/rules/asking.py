"""Shops and requests for tests of bound rules, written in the language."""

import numpy as np
import pandas as pd

from recopersona.data.event import event_code
from recopersona.data.feature_table import FeatureTable
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.rules.binding.bound import BoundRules
from recopersona.rules.text.parsing import parse_rules
from tests.rules.eight import TEXT

DAY = 86_400_000
TODAY = 20_000 * DAY

EIGHT = TEXT.replace("2026-07-01..2026-07-31", "2024-10-01..2024-10-31")


def day(number):
    return None if number is None else pd.Timestamp(int(number * DAY), unit="ms")


def shelf(n_items, **columns):
    """A table of items i0, i1, ... with some columns."""
    frame = pd.DataFrame({"item_id": [f"i{row}" for row in range(n_items)]})
    for name, values in columns.items():
        frame[name] = pd.Series(values, dtype=object)
    if "created_at" in columns:
        frame["created_at"] = pd.to_datetime(frame["created_at"])
    return FeatureTable.from_frame(frame, IdMap(), "item_id", kinds_of(frame))


def kinds_of(frame):
    kinds = {"sponsored": "flag", "adult": "flag", "discount": "number", "colour": "category"}
    return {name: kind for name, kind in kinds.items() if name in frame}


def customers():
    frame = pd.DataFrame(
        {
            "user_id": ["anna", "ben"],
            "age": [30.0, 15.0],
            "vip": pd.array([True, False], dtype="boolean"),
            "price_lo": [1.0, 2.0],
            "price_hi": [5.0, 9.0],
            "segment": ["high", "low"],
            "refused": [["Ito"], ["Sol"]],
        }
    )
    return FeatureTable.from_frame(frame, IdMap(), "user_id")


def past_of(*events, limit=200):
    """A history of (user, item, event, day)."""
    users, items, kinds, days = zip(*events, strict=True) if events else ((), (), (), ())
    log = Interactions(
        np.array(users, np.int32),
        np.array(items, np.int32),
        np.array([event_code(kind) for kind in kinds], np.int8),
        np.ones(len(users), np.float32),
        timestamp=np.array([int(one * DAY) for one in days], np.int64),
    )
    return History(log, limit=limit)


def bound_to(text, items, **keywords):
    return BoundRules(parse_rules(text), items, customers(), **keywords)


def ask(bound, *, now=TODAY, user=-1, past=None, who=None, **query):
    asked = Query(**query)
    past = past_of() if past is None else past
    return bound.in_force(asked, now=now, user=user, who={} if who is None else who, past=past)


def shown(in_force):
    return np.flatnonzero(in_force.allowed).tolist()


def everything(items):
    return np.arange(len(items), dtype=np.int32)


def change(items, bound, item, **values):
    frame = pd.DataFrame({"item_id": [item], **{name: [value] for name, value in values.items()}})
    items.update(frame, "item_id")
    bound.items_changed(items.ids.indices([item]), set(values))


def maybe(rng, value):
    return None if rng.random() < 0.15 else value


COLUMNS = {
    "stock": lambda rng: maybe(rng, int(rng.integers(0, 3))),
    "price": lambda rng: maybe(rng, float(rng.integers(0, 9))),
    "discount": lambda rng: maybe(rng, float(rng.integers(0, 2)) / 2),
    "adult": lambda rng: maybe(rng, bool(rng.integers(2))),
    "sponsored": lambda rng: maybe(rng, bool(rng.integers(2))),
    "brand": lambda rng: maybe(rng, f"b{rng.integers(6)}"),
    "created_at": lambda rng: maybe(rng, day(float(rng.integers(19_940, 20_010)))),
}

MANY = f"""{EIGHT}
RULE new_brands: EXCLUDE item.brand IN ("b1", "b5") WHEN ctx.page = "cart"
RULE old:        EXCLUDE item.age > 60d AND item.stock < 2 OR item.age > 65d
RULE odd:        REQUIRE item.age / 1d < 62 IF UNKNOWN SKIP
RULE cheap:      ENSURE 2 WHERE item.price < 3 OR item.created_at > ctx.now
RULE lifted:     BOOST item.brand = "b2" BY 1 + item.price / 10
RULE few:        LIMIT 30% WHERE item.price > 5
"""


def random_frame(rng, n_rows, first, names):
    frame = pd.DataFrame({"item_id": [f"i{first + row}" for row in range(n_rows)]})
    for name in names:
        frame[name] = pd.Series([COLUMNS[name](rng) for _ in range(n_rows)], dtype=object)
    if "created_at" in frame:
        frame["created_at"] = pd.to_datetime(frame["created_at"])
    return frame


def random_request(rng):
    return {
        "now": int(20_000 * DAY + rng.integers(-40 * DAY, 40 * DAY))
        if rng.random() < 0.9
        else None,
        "user": int(rng.integers(-1, 2)),
        "context": {"page": "cart"} if rng.random() < 0.5 else {},
        "who": {"age": int(rng.integers(10, 30))}
        if rng.random() < 0.5
        else {"price_lo": 1, "price_hi": 6},
    }
