"""The same predicates in other rule languages, asked of one item after another as those do."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pandas as pd

OURS = """
item.stock > 0 AND item.price BETWEEN user.price_lo AND user.price_hi
AND NOT (item.adult AND user.age < 18) AND item.brand IN ("Larch", "Moss", "Fjord", "Iris")
"""
CEL = (
    "item.stock > 0.0 && item.price >= user.price_lo && item.price <= user.price_hi"
    " && !(item.adult && user.age < 18.0)"
    ' && item.brand in ["Larch", "Moss", "Fjord", "Iris"]'
)
JSON_LOGIC = {
    "and": [
        {">": [{"var": "item.stock"}, 0]},
        {"<=": [{"var": "user.price_lo"}, {"var": "item.price"}, {"var": "user.price_hi"}]},
        {"!": [{"and": [{"var": "item.adult"}, {"<": [{"var": "user.age"}, 18]}]}]},
        {"in": [{"var": "item.brand"}, ["Larch", "Moss", "Fjord", "Iris"]]},
    ]
}
WHO = {"price_lo": 2.0, "price_hi": 40.0, "age": 30.0}
"""The customer who asks; nothing of her or of the items is unknown: peers disagree about that."""

Answer = Callable[[], list[bool]]


def peers(items: pd.DataFrame) -> dict[str, Answer | None]:
    """Return how each peer, by its package, answers for all items; None where it is absent."""
    goods = items[["stock", "price", "adult", "brand"]].astype({"stock": float})
    rows = [{"item": row, "user": WHO} for row in goods.to_dict("records")]
    makers = {
        "json-logic-qubit": json_logic,
        "cel-python": cel_python,
        "common-expression-language": cel_in_rust,
    }
    found: dict[str, Answer | None] = {}
    for package, make in makers.items():
        try:
            version(package)
            found[package] = make(rows)
        except (PackageNotFoundError, ImportError):
            found[package] = None
    return found


def json_logic(rows: list[dict[str, Any]]) -> Answer:
    answer = importlib.import_module("json_logic").jsonLogic
    return lambda: [bool(answer(JSON_LOGIC, row)) for row in rows]


def cel_python(rows: list[dict[str, Any]]) -> Answer:
    celpy = importlib.import_module("celpy")
    environment = celpy.Environment()
    program = environment.program(environment.compile(CEL))
    given = [{name: celpy.json_to_cel(value) for name, value in row.items()} for row in rows]
    return lambda: [bool(program.evaluate(row)) for row in given]


def cel_in_rust(rows: list[dict[str, Any]]) -> Answer:
    program = importlib.import_module("cel").compile(CEL)
    return lambda: [bool(program.execute(row)) for row in rows]


def expected(items: pd.DataFrame) -> np.ndarray:
    """Return what all must say, as pandas sees it."""
    price = items["price"].between(WHO["price_lo"], WHO["price_hi"])
    brand = items["brand"].isin(["Larch", "Moss", "Fjord", "Iris"])
    adult = items["adult"].astype(bool) & (WHO["age"] < 18)
    return ((items["stock"] > 0) & price & brand & ~adult).to_numpy()
