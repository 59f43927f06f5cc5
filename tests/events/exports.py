"""Made-up exports in the form in which their vendors document them."""

import json


def param(key, value):
    kind = "int_value" if isinstance(value, int) else "string_value"
    return {"key": key, "value": {kind: str(value) if kind == "int_value" else value}}


def ga4_event(name="view_item", **changes):
    """One event as BigQuery writes it to JSON lines: 64-bit integers are text."""
    event = {
        "event_date": "20260701",
        "event_timestamp": "1782900000000000",
        "event_name": name,
        "event_params": [
            param("ga_session_id", 1782899000),
            param("page_location", "https://shop.example/tea"),
            param("currency", "EUR"),
            {"key": "engagement_time_msec", "value": {"int_value": "1200"}},
        ],
        "event_bundle_sequence_id": "7",
        "user_id": None,
        "user_pseudo_id": "1234.5678",
        "privacy_info": {"analytics_storage": "Yes", "ads_storage": "No"},
        "device": {"category": "mobile", "operating_system": "Android"},
        "stream_id": "99",
        "platform": "WEB",
        "ecommerce": {},
        "items": [
            {
                "item_id": "tea",
                "item_name": "Green tea",
                "item_category": "drinks",
                "price": 3.5,
                "quantity": "1",
                "item_list_id": "(not set)",
                "item_list_index": "(not set)",
            }
        ],
        "batch_page_id": "1782899000123",
        "batch_ordering_id": "2",
        "batch_event_index": "1",
    }
    return event | changes


def ga4_purchase():
    return ga4_event(
        "purchase",
        batch_event_index="3",
        user_id="anna",
        ecommerce={"transaction_id": "T-1", "purchase_revenue": 12.0},
        items=[
            {"item_id": "tea", "price": 3.5, "quantity": "2", "item_list_index": "4"},
            {"item_id": "salt", "price": 5.0, "quantity": "1"},
        ],
    )


def ga4_log():
    return [
        ga4_event("session_start", items=[], batch_event_index="0"),
        ga4_event("view_item_list", batch_event_index="2", items=[
            {"item_id": "tea", "item_list_id": "home", "item_list_index": "1"},
            {"item_id": "salt", "item_list_id": "home", "item_list_index": "2"},
        ]),
        ga4_event(),
        ga4_purchase(),
        ga4_event("refund", batch_event_index="5", ecommerce={"transaction_id": "T-1"}),
        ga4_event("view_item", user_pseudo_id=None, privacy_info={"analytics_storage": "No"}),
    ]  # fmt: skip


def ua_session(**changes):
    session = {
        "visitorId": None,
        "visitNumber": "1",
        "visitId": "1501583974",
        "visitStartTime": "1501583974",
        "date": "20170801",
        "fullVisitorId": "2248281639583218707",
        "userId": None,
        "device": {"browser": "Chrome", "deviceCategory": "desktop"},
        "hits": [
            {
                "hitNumber": "1",
                "time": "0",
                "type": "PAGE",
                "page": {"pagePath": "/home"},
                "eCommerceAction": {"action_type": "0", "step": "1"},
                "product": [
                    {
                        "productSKU": "GGOE1",
                        "v2ProductCategory": "Home/Apparel",
                        "productPrice": "16990000",
                        "productListName": "Category",
                        "productListPosition": "1",
                        "isImpression": True,
                        "isClick": None,
                    },
                    {"productSKU": "GGOE2", "productPrice": "990000", "isImpression": True},
                ],
            },
            {
                "hitNumber": "2",
                "time": "1500",
                "type": "PAGE",
                "page": {"pagePath": "/shirt"},
                "eCommerceAction": {"action_type": "2", "step": "1"},
                "product": [
                    {"productSKU": "GGOE1", "productPrice": "16990000"},
                    {"productSKU": "GGOE2", "productPrice": "990000", "isImpression": True},
                ],
            },
            {"hitNumber": "3", "time": "9000", "type": "PAGE", "page": {"pagePath": "/about"}},
            {
                "hitNumber": "4",
                "time": "61000",
                "type": "EVENT",
                "eCommerceAction": {"action_type": "6"},
                "transaction": {"transactionId": "ORD1", "currencyCode": "USD"},
                "product": [
                    {"productSKU": "GGOE1", "productPrice": "16990000", "productQuantity": "3"}
                ],
            },
            {
                "hitNumber": "5",
                "time": "70000",
                "type": "PAGE",
                "page": {"pagePath": "/search", "searchKeyword": "socks"},
            },
        ],
    }
    return session | changes


def segment_call(event="Product Viewed", **changes):
    call = {
        "type": "track",
        "event": event,
        "messageId": f"ajs-{str(event).lower().replace(' ', '-')}",
        "userId": None,
        "anonymousId": "507f191e810c19729de860ea",
        "timestamp": "2026-07-01T10:00:00.123Z",
        "originalTimestamp": "2026-07-01T09:59:59Z",
        "receivedAt": "2026-07-01T10:00:01Z",
        "context": {
            "device": {"type": "ios"},
            "page": {"url": "https://shop.example/tea"},
            "sessionId": 1782899000123,
        },
        "properties": {
            "product_id": "tea",
            "sku": "T1",
            "category": "drinks",
            "price": 3.5,
            "quantity": 1,
            "currency": "EUR",
            "position": 3,
        },
    }
    return call | changes


def segment_order():
    return segment_call(
        "Order Completed",
        userId="anna",
        properties={
            "order_id": "50314b8e",
            "total": 27.5,
            "subtotal": 22.5,
            "revenue": 25.0,
            "currency": "EUR",
            "payment_method": "visa",
            "products": [
                {"product_id": "tea", "price": 3.5, "quantity": 2},
                {"sku": "S1", "price": 5.0, "quantity": 1},
            ],
        },
    )


_SHOP = "com_snowplowanalytics_snowplow_ecommerce"


def snowplow_event(kind="product_view", version="1", **changes):
    event = {
        "app_id": "shop",
        "platform": "web",
        "collector_tstamp": "2026-07-01 10:00:01.500",
        "dvce_created_tstamp": "2026-07-01 10:00:00.900",
        "derived_tstamp": "2026-07-01 10:00:01.000",
        "event": "unstruct",
        "event_id": f"c6ef3124-{kind}",
        "event_name": "snowplow_ecommerce_action",
        "user_id": None,
        "domain_userid": "bc2e92ec6c204a14",
        "network_userid": "ecdff4d0-9175-40ac",
        "domain_sessionid": "2b15e5c8-d3b1",
        "page_url": "https://shop.example/tea",
        f"unstruct_event_{_SHOP}_snowplow_ecommerce_action_{version}": {
            "type": kind,
            "name": None,
        },
        f"contexts_{_SHOP}_product_{version}": [
            {"id": "tea", "category": "drinks", "price": 3.5, "quantity": 1, "currency": "EUR",
             "position": 2},
        ],
    }  # fmt: skip
    return event | changes


def snowplow_transaction(version="1"):
    return snowplow_event(
        "transaction",
        version,
        user_id="anna",
        **{
            f"contexts_{_SHOP}_transaction_{version}": [
                {"transaction_id": "T-1", "revenue": 12, "currency": "EUR",
                 "payment_method": "card"},
            ],
            f"contexts_{_SHOP}_product_{version}": [
                {"id": "tea", "price": 3.5, "quantity": 2},
                {"id": "salt", "price": 5.0, "quantity": 1, "currency": "USD"},
            ],
        },
    )  # fmt: skip


def as_json_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def with_all_keys(rows):
    """Rows of which each has every key, which typed tables want."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return [{key: row.get(key) for key in keys} for row in rows]
