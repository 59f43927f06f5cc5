"""What other systems call our kinds of event."""

from __future__ import annotations

import re

from recopersona.data.event import EVENT_CODES

_OTHER_NAMES = {
    "impression": "view_item_list product_list_viewed list_view impressions",
    "click": "select_item product_clicked list_click clicked",
    "view": "view_item product_viewed product_view item_view viewed detail",
    "page_view": "page page_viewed screen_view",
    "wishlist": "add_to_wishlist product_added_to_wishlist favorite favourite",
    "cart": "add_to_cart product_added cart_add added_to_cart basket add_to_basket",
    "remove": "remove_from_cart product_removed cart_remove removed_from_cart remove_from_basket",
    "checkout": "begin_checkout checkout_started initiate_checkout",
    "purchase": "purchased transaction order order_completed buy bought sale",
    "return": "returned refund refunded order_refunded order_cancelled cancellation",
    "search": "products_searched site_search view_search_results searched",
}
_NO_LETTERS = re.compile(r"[\W_]+")


def our_name(name: object) -> str | None:
    """Return our word for a kind of event, however it is spelt, or None.

    Case, spaces, hyphens and underscores do not matter.

    Examples
    --------
    >>> our_name("Add-To-Cart"), our_name(" PURCHASE "), our_name("transaction"), our_name("wink")
    ('cart', 'purchase', 'purchase', None)
    """
    return _OURS.get(bare(name)) if isinstance(name, str) else None


def bare(name: str) -> str:
    """Return a name without what people spell in several ways.

    Examples
    --------
    >>> bare("Add-To_Cart ")
    'addtocart'
    """
    return _NO_LETTERS.sub("", name).lower()


_OURS = {bare(name): name for name in EVENT_CODES} | {
    bare(other): name for name, others in _OTHER_NAMES.items() for other in others.split()
}
