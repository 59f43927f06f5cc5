"""Eight everyday rules, as text, as JSON and in Python."""

from recopersona.rules import (
    Boost,
    Ensure,
    Exclude,
    Limit,
    Pin,
    Require,
    RuleSet,
    did,
    item,
    user,
)

TEXT = """
RULE in_stock:    REQUIRE item.stock > 0
RULE no_repeat:   EXCLUDE DID purchase WITHIN 90d
RULE summer_sale: BOOST item.discount > 0 BY 1.3 DURING 2026-07-01..2026-07-31
RULE sponsor:     PIN item.sponsored AT 3
RULE brand_cap:   LIMIT 2 PER item.brand IN TOP 10
RULE fresh_share: ENSURE 20% WHERE item.age <= 30d
RULE adult_guard: EXCLUDE item.adult WHEN user.age < 18 IF UNKNOWN APPLY
RULE price_band:  REQUIRE item.price BETWEEN user.price_lo AND user.price_hi IF UNKNOWN SKIP
"""

JSON = """
{"rules": [
  {"rule": "in_stock", "action": "require",
   "where": {"op": ">", "args": [{"field": "item.stock"}, {"num": 0}]}},
  {"rule": "no_repeat", "action": "exclude", "where": {"did": "purchase", "within": "90d"}},
  {"rule": "summer_sale", "action": "boost",
   "where": {"op": ">", "args": [{"field": "item.discount"}, {"num": 0}]},
   "by": {"num": 1.3}, "during": ["2026-07-01", "2026-07-31"]},
  {"rule": "sponsor", "action": "pin", "where": {"field": "item.sponsored"}, "at": [3]},
  {"rule": "brand_cap", "action": "limit", "n": 2, "per": "item.brand", "top": 10},
  {"rule": "fresh_share", "action": "ensure", "n": "20%",
   "where": {"op": "<=", "args": [{"field": "item.age"}, {"duration": "30d"}]}},
  {"rule": "adult_guard", "action": "exclude", "where": {"field": "item.adult"},
   "when": {"op": "<", "args": [{"field": "user.age"}, {"num": 18}]}, "unknown": "apply"},
  {"rule": "price_band", "action": "require",
   "where": {"op": "between",
             "args": [{"field": "item.price"}, {"field": "user.price_lo"},
                      {"field": "user.price_hi"}]},
   "unknown": "skip"}
]}
"""

PYTHON = RuleSet([
    Require(item.stock > 0, name="in_stock"),
    Exclude(did("purchase", within="90d"), name="no_repeat"),
    Boost(item.discount > 0, by=1.3, during=("2026-07-01", "2026-07-31"), name="summer_sale"),
    Pin(item.sponsored, at=3, name="sponsor"),
    Limit(2, per=item.brand, top=10, name="brand_cap"),
    Ensure("20%", item.age <= "30d", name="fresh_share"),
    Exclude(item.adult, when=user.age < 18, unknown="apply", name="adult_guard"),
    Require(item.price.between(user.price_lo, user.price_hi), unknown="skip", name="price_band"),
])  # fmt: skip
