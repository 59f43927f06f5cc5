"""Eight rules of a grocer, on real products, coupons and campaigns.

    python examples/campaign_rules.py DATA_DIR

DATA_DIR holds The Complete Journey (the R package `completejourney`) as parquet: transactions,
products, coupons, campaigns, campaign_descriptions, demographics. On 15 November 2017 a large
campaign, number 18, is running; what happened until then is learned, and the rules are applied to
what two households are shown. Nobody's age stands in the log but for 801 households, and the guard
of beer, wine and tobacco says what to do about the others.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import recopersona as rp
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

NOW = pd.Timestamp("2017-11-15", tz="America/New_York")
FOR_ADULTS = [
    "BEERS/ALES", "DOMESTIC WINE", "IMPORTED WINE", "MISC WINE", "LIQUOR", "CIGARETTES", "CIGARS",
    "TOBACCO OTHER",
]  # fmt: skip

TEXT = """
TIMEZONE "America/New_York"
RULE on_sale:     REQUIRE item.sold_lately > 0
RULE no_repeat:   EXCLUDE DID purchase WITHIN 28d
RULE campaign_18: BOOST item.coupons HAS ANY ("18") BY 1.3 DURING 2017-10-30..2017-12-24
RULE own_coupon:  PIN item.coupons HAS ANY user.campaigns AT 3 DURING 2017-10-30..2017-12-24
RULE maker_cap:   LIMIT 2 PER item.maker IN TOP 10
RULE fresh_share: ENSURE 20% WHERE item.age <= 30d
RULE adult_guard: EXCLUDE item.adult OR item.adult IS UNKNOWN WHEN user.age < 21 IF UNKNOWN APPLY
RULE price_band:  REQUIRE item.price BETWEEN user.price_lo AND user.price_hi IF UNKNOWN SKIP
"""

campaign = ("2017-10-30", "2017-12-24")
PYTHON = RuleSet(
    [
        Require(item.sold_lately > 0, name="on_sale"),
        Exclude(did("purchase", within="28d"), name="no_repeat"),
        Boost(item.coupons.has_any(["18"]), by=1.3, during=campaign, name="campaign_18"),
        Pin(item.coupons.has_any(user.campaigns), at=3, during=campaign, name="own_coupon"),
        Limit(2, per=item.maker, top=10, name="maker_cap"),
        Ensure("20%", item.age <= "30d", name="fresh_share"),
        Exclude(
            item.adult | item.adult.is_unknown(),
            when=user.age < 21,
            unknown="apply",
            name="adult_guard",
        ),
        Require(
            item.price.between(user.price_lo, user.price_hi), unknown="skip", name="price_band"
        ),
    ],
    timezone="America/New_York",
)


def shop_of(folder: Path) -> rp.Dataset:
    """Read what was known at `NOW`: purchases, products with their coupons, households."""
    events = rp.clean(rp.read_events(folder / "transactions.parquet"))
    events = events[events["timestamp"] < NOW]
    return rp.Dataset.from_frames(
        events, items=products(folder, events), users=households(folder, events)
    )


def products(folder: Path, events: pd.DataFrame) -> pd.DataFrame:
    goods = rp.read_catalogue(folder / "products.parquet", columns={"item_id": "product_id"})
    goods = goods.rename(columns={"manufacturer_id": "maker"}).set_index("item_id")
    per_item = events.sort_values("timestamp", kind="stable").groupby("item_id")
    lately = events[events["timestamp"] >= NOW - pd.Timedelta(weeks=8)]
    coupons = pd.read_parquet(folder / "coupons.parquet")
    goods["price"] = per_item["price"].last().round(2)
    goods["created_at"] = per_item["timestamp"].first()
    goods["sold_lately"] = lately.groupby("item_id")["quantity"].sum()
    goods["sold_lately"] = goods["sold_lately"].fillna(0)
    goods["coupons"] = members(coupons, "product_id", "campaign_id").reindex(goods.index)
    goods["adult"] = goods["product_category"].isin(FOR_ADULTS)
    names = ["department", "product_category", "product_type", "brand", "maker", "price"]
    names += ["created_at", "sold_lately", "coupons", "adult"]
    return goods[names].reset_index()


def households(folder: Path, events: pd.DataFrame) -> pd.DataFrame:
    people = pd.DataFrame(index=pd.Index(events["user_id"].unique(), name="user_id"))
    known = pd.read_parquet(folder / "demographics.parquet").set_index("household_id")
    mailed = pd.read_parquet(folder / "campaigns.parquet")
    dates = pd.read_parquet(folder / "campaign_descriptions.parquet")
    today = NOW.date()
    running = dates["campaign_id"][(dates["start_date"] <= today) & (today <= dates["end_date"])]
    mailed = mailed[mailed["campaign_id"].isin(running)]
    paid = events.groupby("user_id")["price"]
    often = paid.count() >= 5
    people["age"] = known["age"].str[:2].astype(float).reindex(people.index)
    people["income"] = known["income"].reindex(people.index)
    people["campaigns"] = members(mailed, "household_id", "campaign_id").reindex(people.index)
    people["price_lo"] = np.floor(paid.quantile(0.1)).where(often)
    people["price_hi"] = np.ceil(paid.quantile(0.9)).where(often)
    return people.reset_index()


def members(frame: pd.DataFrame, of: str, what: str) -> pd.Series:
    """Gather the values of one column for each value of another."""
    return frame.drop_duplicates([of, what]).groupby(of)[what].agg(tuple)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=Path)
    folder = parser.parse_args().data_dir
    shop = shop_of(folder)
    rules = RuleSet(TEXT)
    print("text, JSON and Python agree:", rules == PYTHON == RuleSet.from_json(rules.to_json()))
    home = rp.Pipeline(candidates=[rp.ItemKNN(), rp.Popularity(half_life="30d")], rules=rules).fit(
        shop
    )
    people = shop.user_features.to_frame()
    told = people["age"].notna() & people["price_lo"].notna()
    told &= people["campaigns"].map(len, na_action="ignore") > 0
    silent = people["age"].isna() & people["price_lo"].notna()
    for what, chosen in (("known", told), ("of unknown age", silent)):
        household = shop.users.ids[np.flatnonzero(chosen)[0]]
        ranking = home.recommend(rp.Query(household, now=NOW), n=10, seen="keep")
        shown = shop.item_features.to_frame().iloc[ranking.items]
        print(f"\nHousehold {household}, {what}:")
        print(shown[["product_type", "maker", "price", "coupons"]].to_string(index=False))
        print("\n".join(ranking.effects))


if __name__ == "__main__":
    main()
