"""Where the demo's log comes from: a file, or a shop made up for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from recopersona.data.dataset import Dataset
from recopersona.data.types import Id
from recopersona.datasets.synthetic import synthetic_shop
from recopersona.events.reading import read_events

ONLINE_RETAIL_ITEM = r"\d{5}[A-Z]*"
"""Five digits and perhaps letters: the other stock codes are postage, fees and corrections."""

IN_STOCK = "RULE in_stock: REQUIRE item.stock > 0"
PRICED = "RULE priced: REQUIRE item.price > 0"


@dataclass(frozen=True, eq=False)
class RawShop:
    """A log as it was found, and what is needed to make sense of it.

    catalogue     gives the items known from some part of the events
    rules         what may be shown, in the rule language; empty for everything
    item_pattern  what an item id looks like, where the log holds other things too
    """

    name: str
    log: pd.DataFrame
    catalogue: Callable[[pd.DataFrame], pd.DataFrame]
    rules: str = ""
    item_pattern: str | None = None

    def names(self, dataset: Dataset) -> dict[Id, str]:
        """Return the products' names by id, where the catalogue has any."""
        features = dataset.item_features
        if "name" not in features:
            return {}
        named = zip(dataset.items.ids.tolist(), features["name"], strict=True)
        return {item: str(name) for item, name in named if pd.notna(name)}


def made_up_shop(quick: bool) -> RawShop:
    """A synthetic shop's careless export, with its catalogue."""
    shop = synthetic_shop(400, 120) if quick else synthetic_shop()
    log, _ = shop.raw_log()
    return RawShop("a synthetic shop", log, lambda _: shop.catalogue, IN_STOCK)


def logged_shop(path: str) -> RawShop:
    """A real log; its catalogue is what the log itself says of the items."""
    log = read_events(path)
    online_retail = "Description" in log.columns and "order_id" in log.columns
    return RawShop(
        Path(path).name,
        log,
        catalogue_from_log,
        PRICED if "price" in log.columns else "",
        ONLINE_RETAIL_ITEM if online_retail else None,
    )


def catalogue_from_log(events: pd.DataFrame) -> pd.DataFrame:
    """One row per item: its most frequent description, its latest price."""
    catalogue = events[["item_id"]].drop_duplicates().set_index("item_id")
    if "Description" in events.columns:
        described = events.dropna(subset="Description")
        often = described.groupby(["item_id", "Description"]).size().sort_values(kind="stable")
        names = often.reset_index().drop_duplicates("item_id", keep="last")
        catalogue["name"] = names.set_index("item_id")["Description"].str.strip()
    if "price" in events.columns:
        latest = events.sort_values("timestamp", kind="stable").drop_duplicates(
            "item_id", keep="last"
        )
        catalogue["price"] = latest.set_index("item_id")["price"]
    return catalogue.reset_index()
