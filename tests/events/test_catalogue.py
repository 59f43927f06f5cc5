"""A catalogue comes in from pages and tables, and what cannot be used is counted."""

import gzip
import json

import pandas as pd
import polars as pl
import pytest

from recopersona.data.dataset import Dataset
from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.events.catalogue import NOTED, read_catalogue
from recopersona.events.json_ld import parsed_price

OFFER = {
    "@type": "Offer",
    "price": "3.50",
    "priceCurrency": "EUR",
    "availability": "https://schema.org/InStock",
}
TEA = {
    "@context": "https://schema.org",
    "@type": "Product",
    "sku": "tea",
    "gtin13": "4006381333931",
    "name": "Green tea",
    "brand": {"@type": "Brand", "name": "Leaf"},
    "category": ["Drinks", "Tea"],
    "offers": OFFER,
}


def item_of(**changes):
    items = read_catalogue([TEA | changes])
    assert len(items) == 1
    return items.iloc[0].to_dict()


# Products -----------------------------------------------------------------------------------------


def test_a_product_becomes_an_item():
    item = item_of()
    assert item["item_id"] == "tea"
    assert item["name"] == "Green tea"
    assert item["brand"] == "Leaf"
    assert item["category"] == "Drinks"
    assert (item["price"], item["currency"]) == (3.5, "EUR")
    assert (item["stock"], item["availability"]) == (1, "InStock")
    assert item["gtin"] == "4006381333931"


@pytest.mark.parametrize(
    ("changes", "item_id"),
    [
        ({}, "tea"),
        ({"sku": 7}, "7"),
        ({"sku": None, "productID": "p"}, "p"),
        ({"sku": ""}, "4006381333931"),
        ({"sku": None, "gtin13": None, "mpn": "m"}, "m"),
        ({"sku": None, "gtin13": None, "offers": OFFER | {"sku": "o"}}, "o"),
    ],
)
def test_the_id_is_the_sku_or_what_else_names_it(changes, item_id):
    assert item_of(**changes)["item_id"] == item_id


@pytest.mark.parametrize("brand", ["Leaf", {"name": "Leaf"}, [{"name": "Leaf"}], ["Leaf", "x"]])
def test_a_brand_is_text_or_an_object(brand):
    assert item_of(brand=brand)["brand"] == "Leaf"


@pytest.mark.parametrize(
    ("availability", "stock"),
    [
        ("https://schema.org/InStock", 1),
        ("http://schema.org/LimitedAvailability", 1),
        ("schema:PreOrder", 1),
        ("OutOfStock", 0),
        ("https://schema.org/SoldOut", 0),
        ("Discontinued", 0),
    ],
)
def test_availability_is_stock(availability, stock):
    assert item_of(offers=OFFER | {"availability": availability})["stock"] == stock


def test_an_inventory_level_is_stock():
    level = {"@type": "QuantitativeValue", "value": 14}
    assert item_of(offers=OFFER | {"inventoryLevel": level})["stock"] == 14


def test_the_cheapest_offer_that_can_be_bought_counts():
    offers = [
        OFFER | {"price": 1, "availability": "OutOfStock"},
        OFFER | {"price": 4},
        OFFER | {"price": 2},
    ]
    assert item_of(offers=offers)["price"] == 2
    assert item_of(offers=offers[:1])["stock"] == 0


def test_an_aggregate_has_a_lowest_price_or_offers():
    aggregate = {"@type": "AggregateOffer", "lowPrice": "2.10", "highPrice": 9,
                 "priceCurrency": "EUR"}  # fmt: skip
    assert item_of(offers=aggregate)["price"] == 2.1
    within = aggregate | {"offers": [OFFER, OFFER | {"price": 3}]}
    assert item_of(offers=within)["price"] == 3


def test_a_price_may_be_specified():
    specs = [
        {"price": 9, "priceCurrency": "EUR", "priceType": "https://schema.org/StrikethroughPrice"},
        {"price": 5, "priceCurrency": "EUR"},
    ]
    item = item_of(offers={"@type": "Offer", "priceSpecification": specs})
    assert (item["price"], item["currency"]) == (5, "EUR")


def test_products_are_found_wherever_they_stand():
    salt, oil = TEA | {"sku": "salt"}, TEA | {"sku": "oil", "@type": ["Product", "Thing"]}
    page = {
        "@context": "https://schema.org",
        "@graph": [
            {"@type": "Organization", "name": "Shop"},
            {"@type": "ItemPage", "mainEntity": TEA},
            {"@type": "ItemList", "itemListElement": [
                {"@type": "ListItem", "position": 1, "item": salt}, oil]},
        ],
    }  # fmt: skip
    assert sorted(read_catalogue(page)["item_id"]) == ["oil", "salt", "tea"]


def test_references_are_followed():
    graph = {
        "@graph": [
            {"@type": "Product", "sku": "tea", "brand": {"@id": "#leaf"}, "offers": {"@id": "#o"}},
            {"@id": "#leaf", "@type": "Brand", "name": "Leaf"},
            {"@id": "#o", **OFFER},
        ]
    }
    item = read_catalogue(graph).iloc[0]
    assert (item["brand"], item["price"]) == ("Leaf", 3.5)


def test_variants_know_what_their_group_says():
    group = {
        "@type": "ProductGroup",
        "productGroupID": "shirt",
        "name": "Shirt",
        "brand": "Loom",
        "hasVariant": [
            {"@type": "Product", "sku": "s-red", "color": "red", "offers": OFFER},
            {"@type": "Product", "sku": "s-blue", "brand": "Other", "offers": OFFER},
        ],
    }
    items = read_catalogue(group)
    assert items["item_id"].tolist() == ["s-red", "s-blue"]
    assert items["product_group"].tolist() == ["shirt", "shirt"]
    assert items["brand"].tolist() == ["Loom", "Other"]
    assert items["name"].tolist() == ["Shirt", "Shirt"]


def test_variants_that_name_their_group_know_it_too():
    graph = {
        "@graph": [
            {"@type": "ProductGroup", "@id": "#g", "productGroupID": "shirt", "brand": "Loom"},
            {"@type": "Product", "sku": "s", "isVariantOf": {"@id": "#g"}},
            {"@type": "Product", "sku": "t", "inProductGroupWithID": "shirt"},
        ]
    }
    items = read_catalogue(graph)
    assert items["product_group"].tolist() == ["shirt", "shirt"]
    assert items["brand"].tolist()[0] == "Loom"


def test_a_graph_that_refers_to_itself_ends():
    graph = {"@graph": [{"@type": "Product", "@id": "#a", "sku": "a", "isVariantOf": {"@id": "#a"},
                         "hasVariant": {"@id": "#a"}}]}  # fmt: skip
    assert set(read_catalogue(graph)["item_id"]) == {"a"}


@pytest.mark.parametrize(
    ("written", "price"),
    [
        ("1299", (1299, None)), ("1,299", (1299, None)), ("1.299", (1.299, None)),
        ("1.299,00 €", (1299, "EUR")), ("USD 1,299.50", (1299.5, "USD")), ("£3", (3, "GBP")),
        ("1 299,5", (1299.5, None)), ("1'299.50 CHF", (1299.5, "CHF")), ("-1", (-1, None)),
        ("1.234.567", (1234567, None)), ("", (None, None)), ("from 3 to 4", (None, None)),
        (True, (None, None)), ([3], (None, None)), (10**400, (None, None)), ("1e5", (None, None)),
        (float("inf"), (None, None)),
    ],
)  # fmt: skip
def test_prices_are_read_as_they_are_written(written, price):
    assert parsed_price(written) == price


# Files --------------------------------------------------------------------------------------------


def test_a_page_holds_scripts(tmp_path):
    page = f"""<html><head><SCRIPT>var x = 1 < 2;</SCRIPT>
    <script type="application/ld+json">{json.dumps(TEA)}</script>
    <script data-x='1' type='application/ld+json'><!-- {json.dumps(TEA | {"sku": "salt"})} -->
    </script><script type="application/ld+json">{{"@type": "BreadcrumbList"}}</script>"""
    (tmp_path / "tea.html").write_text(page, encoding="utf-8")
    items, report = read_catalogue(tmp_path / "*.html", report=True)
    assert items["item_id"].tolist() == ["tea", "salt"]
    assert dict(report.counts) == {"no_product": 1}
    assert len(read_catalogue(tmp_path / "tea.html")) == 2


@pytest.mark.parametrize("name", ["shop.json", "shop.jsonld", "shop.json.gz"])
def test_a_document_is_a_file(tmp_path, name):
    content = json.dumps([TEA, TEA | {"sku": "salt"}]).encode("utf-8-sig")
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert read_catalogue(tmp_path / name)["item_id"].tolist() == ["tea", "salt"]


def test_json_lines_hold_products_or_rows(tmp_path):
    path = tmp_path / "shop.jsonl"
    path.write_text("\n".join(json.dumps(TEA | {"sku": sku}) for sku in "ab"))
    assert read_catalogue(path)["item_id"].tolist() == ["a", "b"]
    path.write_text('{"item_id": 1, "price": 2}\n{"item_id": 2, "price": null}\n')
    assert read_catalogue(path)["item_id"].tolist() == [1, 2]


def test_a_table_is_read_by_its_columns(tmp_path):
    path = tmp_path / "shop.csv"
    path.write_text("sku,cost,Brand\n007,1.50,Leaf\n8,,\n")
    items = read_catalogue(path, columns={"item_id": "sku", "price": "cost", "brand": "Brand"})
    assert items["item_id"].tolist() == ["007", "8"]
    assert items["price"].tolist()[0] == 1.5
    items.to_parquet(tmp_path / "shop.parquet")
    assert read_catalogue(tmp_path / "shop.parquet").equals(items)


def test_a_frame_comes_back_in_its_kind():
    frame = pl.DataFrame({"item_id": [1, 2], "price": ["1,50 €", None]})
    items = read_catalogue(frame)
    assert isinstance(items, pl.DataFrame)
    assert items["price"].to_list() == [1.5, None]
    assert items["currency"].to_list() == ["EUR", None]
    assert frame["price"].to_list() == ["1,50 €", None]


def test_a_catalogue_goes_into_a_dataset():
    ending = OFFER | {"availabilityEnds": "2026-12-31T00:00:00Z"}
    products = [TEA, TEA | {"sku": "salt", "releaseDate": "2026-01-31", "offers": ending}]
    events = pd.DataFrame({"user_id": ["anna"], "item_id": ["salt"]})
    shop = Dataset.from_frames(events, items=read_catalogue(products))
    assert shop.shape == (1, 2)
    assert shop.item_features["price"].tolist() == [3.5, 3.5]


def test_a_property_of_ones_own_is_the_id():
    items = read_catalogue([TEA | {"productID": 5}], columns={"item_id": "productID"})
    assert items["item_id"].tolist() == ["5"]


# What cannot be used ------------------------------------------------------------------------------


def counts_of(source, **options):
    return dict(read_catalogue(source, report=True, **options)[1].counts)


@pytest.mark.parametrize(
    ("reason", "bad"),
    [
        ("missing_item", {"@type": "Product", "name": "Salt"}),
        ("missing_item", {"@type": "Product", "sku": {"@value": "x"}}),
        ("no_product", {"@type": "Organization"}),
        ("no_object", 7),
        ("no_object", None),
        ("repeated_item", TEA | {"name": "Tea"}),
        ("unreadable_price", TEA | {"sku": "x", "offers": OFFER | {"price": "ask us"}}),
        ("unreadable_stock", TEA | {"sku": "x", "offers": OFFER | {"inventoryLevel": "many"}}),
        ("unreadable_time", TEA | {"sku": "x", "releaseDate": "soon"}),
        ("unknown_availability", TEA | {"sku": "x", "offers": OFFER | {"availability": "maybe"}}),
    ],
)
def test_what_cannot_be_used_is_counted(reason, bad):
    assert counts_of([TEA, bad]) == {reason: 1}
    if reason in ("no_product", "repeated_item", "unknown_availability"):
        assert len(read_catalogue([TEA, bad])) in (1, 2)
    else:
        with pytest.raises(DataError, match="report=True"):
            read_catalogue([TEA, bad])


@pytest.mark.parametrize(
    ("reason", "content"),
    [("no_json", b'{"a": '), ("no_json", b"[" * 100_000), ("bad_encoding", b'{"a": "\xe9"}')],
)
def test_a_file_that_is_no_json_is_counted(tmp_path, reason, content):
    (tmp_path / "a.json").write_text(json.dumps(TEA))
    (tmp_path / "b.json").write_bytes(content)
    assert counts_of(tmp_path / "*.json") == {reason: 1}
    with pytest.raises(DataError, match=r"b\.json holds .*report=True"):
        read_catalogue(tmp_path / "*.json")


def test_a_broken_line_of_a_table_is_counted(tmp_path):
    path = tmp_path / "shop.csv"
    path.write_text("item_id,price\na,1\nb,2,3\n,4\nc,free\n")
    items, report = read_catalogue(path, report=True)
    assert items["item_id"].tolist() == ["a", "c"]
    assert dict(report.counts) == {"too_many_cells": 1, "missing_item": 1, "unreadable_price": 1}
    assert report.notes()["where"].tolist()[0] == f"line 3 of {path}"
    assert "CatalogueReport: 2 items\n" in repr(report)


def test_a_margin_that_is_none_is_counted():
    frame = pd.DataFrame({"item_id": [1], "margin": ["high"]})
    assert counts_of(frame) == {"unreadable_margin": 1}


def test_an_item_that_says_the_same_twice_is_no_mistake():
    assert counts_of([TEA, dict(TEA)]) == {}


def test_the_last_row_of_an_item_counts():
    items = read_catalogue([TEA, TEA | {"name": "Tea"}])
    assert items["name"].tolist() == ["Tea"]


def test_every_reason_is_explained():
    assert {"missing_item", "no_json", "repeated_item"} <= set(NOTED)


@pytest.mark.parametrize("thing", [None, 3, b"x"])
def test_what_is_no_catalogue_is_refused(thing):
    with pytest.raises(DataError, match="a catalogue is read from"):
        read_catalogue(thing)


def test_an_empty_catalogue_is_refused():
    with pytest.raises(DataError, match="the catalogue holds no item"):
        read_catalogue([])


def test_a_table_without_ids_is_told_what_to_type():
    with pytest.raises(ColumnError, match=r"needs a column 'item_id'.*columns=\{'item_id': 'sku'"):
        read_catalogue(pd.DataFrame({"sku": [1]}))
    with pytest.raises(ColumnError, match="from 'skuu', which the catalogue lacks; did you mean"):
        read_catalogue(pd.DataFrame({"sku": [1]}), columns={"item_id": "skuu"})
    with pytest.raises(ParameterError, match="columns must map"):
        read_catalogue([TEA], columns=["sku"])


def test_ids_that_cannot_be_hashed_are_refused():
    with pytest.raises(DataError, match="item_id must hold strings or integers"):
        read_catalogue(pd.DataFrame({"item_id": [["a"], ["b"]]}))
