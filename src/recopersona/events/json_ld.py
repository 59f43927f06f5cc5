"""Products in schema.org's words, found in JSON-LD however it is nested."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from recopersona.events.schemas.records import Record, first, has_value, inside, text_of

_PRODUCTS = frozenset(
    {"Product", "IndividualProduct", "ProductModel", "SomeProducts", "Vehicle", "Car", "Book"}
)
_GROUP = "ProductGroup"
_OFFERS = frozenset({"Offer", "AggregateOffer"})
_HOLDERS = ("@graph", "mainEntity", "itemListElement", "item", "itemOffered", "hasVariant")
_GTINS = ("gtin", "gtin13", "gtin12", "gtin14", "gtin8")
_IDS = ("sku", "productID", *_GTINS, "mpn")
_CAN_BE_BOUGHT = {
    "InStock": 1, "LimitedAvailability": 1, "OnlineOnly": 1, "InStoreOnly": 1, "PreOrder": 1,
    "PreSale": 1, "BackOrder": 1, "MadeToOrder": 1,
    "OutOfStock": 0, "SoldOut": 0, "Discontinued": 0, "Reserved": 0,
}  # fmt: skip
_DEEPEST = 50


def products_in(document: Any) -> Iterator[Record]:
    """Find every product of a document; variants know of their group what they do not say.

    Examples
    --------
    >>> graph = {"@graph": [{"@type": "Product", "sku": "tea"}, {"@type": "Organization"}]}
    >>> [product["sku"] for product in products_in(graph)]
    ['tea']
    """
    nodes = _named_nodes(document)
    yield from _products(document, nodes, {}, 0)


def _named_nodes(document: Any) -> dict[str, Record]:
    """Collect what other nodes refer to by ``@id``."""
    found: dict[str, Record] = {}
    waiting = [(document, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _DEEPEST:
            continue
        if isinstance(value, dict):
            name = value.get("@id")
            if isinstance(name, str) and len(value) > 1:
                found.setdefault(name, value)
            waiting.extend((inner, depth + 1) for inner in value.values())
        elif isinstance(value, list):
            waiting.extend((inner, depth + 1) for inner in value)
    return found


def _products(value: Any, nodes: dict[str, Record], group: Record, depth: int) -> Iterator[Record]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for inner in value:
            yield from _products(inner, nodes, group, depth + 1)
        return
    if not isinstance(value, dict):
        return
    node = _resolved(value, nodes)
    kinds = _types(node)
    if kinds & _PRODUCTS:
        yield _whole(node, group or _group_named_by(node, nodes), nodes)
    elif _GROUP in kinds:
        group = _whole(node, {}, nodes)
        if not has_value(node.get("hasVariant")) and first(node, *_IDS) is not None:
            yield group
    for holder in _HOLDERS:
        if holder in node:
            inherited = group if holder == "hasVariant" else {}
            yield from _products(node[holder], nodes, inherited, depth + 1)


def _group_named_by(node: Record, nodes: dict[str, Record]) -> Record:
    told = _one(node.get("isVariantOf"))
    return _resolved(told, nodes) if isinstance(told, dict) else {}


def _whole(node: Record, group: Record, nodes: dict[str, Record]) -> Record:
    """Return a product with what its group says of all variants, and its references resolved."""
    of_group = {key: value for key, value in group.items() if key not in (*_IDS, "hasVariant")}
    product = {**of_group, **{key: value for key, value in node.items() if has_value(value)}}
    return {key: _resolved_all(value, nodes) for key, value in product.items()}


def _resolved(value: Record, nodes: dict[str, Record]) -> Record:
    name = value.get("@id")
    return nodes.get(name, value) if len(value) == 1 and isinstance(name, str) else value


def _resolved_all(value: Any, nodes: dict[str, Record]) -> Any:
    if isinstance(value, dict):
        return _resolved(value, nodes)
    return [_resolved_all(inner, nodes) for inner in value] if isinstance(value, list) else value


def _types(node: Record) -> set[str]:
    told = node.get("@type")
    listed = told if isinstance(told, list) else [told]
    return {short(name) for name in listed if isinstance(name, str)}


def short(name: str) -> str:
    """Take schema.org's address off a name.

    Examples
    --------
    >>> short("https://schema.org/InStock"), short("schema:InStock"), short("InStock")
    ('InStock', 'InStock', 'InStock')
    """
    return re.sub(r"^(?:https?://(?:www\.)?schema\.org/|schema:)", "", name.strip()).rstrip("/")


# Properties ---------------------------------------------------------------------------------------


def item_of(product: Record) -> Record:
    """Say a product in our words: the columns that a dataset knows, and some that describe it.

    Examples
    --------
    >>> tea = {"sku": "tea", "brand": {"name": "Leaf"},
    ...        "offers": {"price": "3.50", "priceCurrency": "EUR", "availability": "InStock"}}
    >>> item = item_of(tea)
    >>> item["item_id"], item["brand"], item["price"], item["currency"], item["stock"]
    ('tea', 'Leaf', '3.50', 'EUR', 1)
    """
    offer = _best_offer(product)
    price, currency = _price(offer)
    availability = text_of(_one(offer.get("availability")))
    short_availability = None if availability is None else short(availability)
    return {
        "item_id": text_of(first(product, *_IDS) or offer.get("sku")),
        "name": _name(product.get("name")),
        "brand": _name(product.get("brand") or product.get("manufacturer")),
        "category": _name(product.get("category")),
        "product_group": text_of(_group_of(product)),
        "price": price,
        "currency": text_of(currency),
        "stock": _stock(offer, short_availability),
        "availability": short_availability,
        "available_from": _one(first(offer, "availabilityStarts", "validFrom")),
        "available_until": _one(offer.get("availabilityEnds")),
        "created_at": _one(product.get("releaseDate")),
        "gtin": text_of(first(product, *_GTINS)),
        "color": _name(product.get("color")),
        "size": _name(product.get("size")),
        "description": text_of(_one(product.get("description"))),
        "url": text_of(_one(first(product, "url", "@id") or offer.get("url"))),
    }


def _one(value: Any) -> Any:
    """Return a value, the first of several."""
    while isinstance(value, list):
        value = next((inner for inner in value if has_value(inner)), None)
    return value


def _name(value: Any) -> str | None:
    """Return text, or what an object is called."""
    value = _one(value)
    if isinstance(value, dict):
        value = _one(first(value, "name", "@value", "codeValue", "value"))
    return text_of(value)


def _group_of(product: Record) -> Any:
    told = first(product, "inProductGroupWithID", "productGroupID")
    if told is not None:
        return _one(told)
    whole = _one(product.get("isVariantOf"))
    return first(whole, "productGroupID", "@id") if isinstance(whole, dict) else whole


def _offers(product: Record) -> list[Record]:
    """Return all offers, those within an aggregate instead of it where they say a price."""
    told = product.get("offers")
    found: list[Record] = []
    for offer in told if isinstance(told, list) else [told]:
        if isinstance(offer, dict):
            inner = offer.get("offers")
            own = [o for o in inner if isinstance(o, dict)] if isinstance(inner, list) else []
            found.extend([{**offer, **o} for o in own] or [offer])
    return found


def _best_offer(product: Record) -> Record:
    """Return the cheapest offer that can be bought, else the cheapest."""

    def rank(offer: Record) -> tuple[bool, float]:
        told = text_of(_one(offer.get("availability")))
        price, _ = parsed_price(_price(offer)[0])
        bought = _CAN_BE_BOUGHT.get(short(told), 1) if told is not None else 1
        return bought == 0, float("inf") if price is None else price

    return min(_offers(product), key=rank, default={})


def _price(offer: Record) -> tuple[Any, Any]:
    """Return what an offer costs, and in which currency: of several prices the one asked today."""
    told = offer.get("priceSpecification")
    listed = [s for s in (told if isinstance(told, list) else [told]) if isinstance(s, dict)]
    today = [s for s in listed if not has_value(s.get("priceType"))] or listed
    spec = today[0] if today else {}
    price = first(offer, "price", "lowPrice")
    price = first(spec, "price", "minPrice") if price is None else price
    return _one(price), _one(first(offer, "priceCurrency") or first(spec, "priceCurrency"))


def _stock(offer: Record, availability: str | None) -> Any:
    level = _one(offer.get("inventoryLevel"))
    level = level.get("value") if isinstance(level, dict) else level
    if has_value(level) and inside(offer, "inventoryLevel") is not None:
        return level
    return None if availability is None else _CAN_BE_BOUGHT.get(availability)


def is_availability(name: Any) -> bool:
    """Tell whether schema.org has such a word for availability."""
    return name in _CAN_BE_BOUGHT


# Prices -------------------------------------------------------------------------------------------

_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY"}
_AMOUNT = re.compile(r"[-+]?\d[\d.,'\u00a0\u202f ]*")


def parsed_price(value: Any) -> tuple[float | None, str | None]:
    """Read a price that may be text with its currency.

    Where both a dot and a comma are written, the last is the decimal sign; a comma alone groups
    thousands if three digits follow; a dot alone never does, as schema.org wants it.

    Examples
    --------
    >>> parsed_price("EUR 1.299,50"), parsed_price("$1,299"), parsed_price("3,5"), parsed_price(2)
    ((1299.5, 'EUR'), (1299.0, 'USD'), (3.5, None), (2.0, None))
    >>> parsed_price("on request")
    (None, None)
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None, None
    if not isinstance(value, str):
        try:
            amount = float(value)
        except OverflowError:
            return None, None
        return (amount, None) if abs(amount) < float("inf") else (None, None)
    found = _AMOUNT.findall(value[:100])
    if len(found) != 1:
        return None, None
    code = re.search(r"\b[A-Z]{3}\b", value[:100])
    sign = next((name for sign, name in _SIGNS.items() if sign in value[:100]), None)
    return _amount(re.sub(r"[\s'\u00a0\u202f]", "", found[0])), code[0] if code else sign


def _amount(digits: str) -> float | None:
    digits = digits.rstrip(".,")
    decimal = max(digits.rfind("."), digits.rfind(","))
    if decimal >= 0:
        sign, rest = digits[decimal], digits[decimal + 1 :]
        both = "." in digits and "," in digits
        groups = not both and (digits.count(sign) > 1 or (sign == "," and len(rest) == 3))
        whole = re.sub("[.,]", "", digits if groups else digits[:decimal])
        digits = whole if groups else f"{whole}.{rest}"
    try:
        return float(digits)
    except ValueError:
        return None
