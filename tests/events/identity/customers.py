"""Customers whose records are known to be one person's, with mistakes of several kinds."""

from __future__ import annotations

import numpy as np
import pandas as pd

GIVEN = [
    *("anna", "ben", "carl", "dora", "emil", "frida", "georg", "hanna", "ivan", "julia", "karl"),
    *("lena", "max", "nora", "otto", "paula", "quirin", "rosa", "simon", "tina", "ulf", "vera"),
]
FIRST = ["ber", "stein", "wald", "gross", "klein", "hoch", "lang", "kalt", "schwarz", "gold"]
LAST = ["mann", "mayer", "berg", "dahl", "feld", "hof", "bach", "brück", "stein", "hauser"]
TOWNS = ["Ulm", "Gera", "Bonn", "Trier", "Jena", "Kassel", "Essen", "Celle", "Aalen", "Emden"]
ROADS = ["Hauptstraße", "Lindenweg", "Am Markt", "Mühlgasse", "Gartenweg", "Bergstraße", "Ring"]


def people(n: int, seed: int = 7) -> pd.DataFrame:
    """Return people, one record each."""
    rng = np.random.default_rng(seed)
    pick = lambda words: rng.choice(words, n)  # noqa: E731
    table = pd.DataFrame({
        "given_name": pick(GIVEN),
        "surname": [a + b for a, b in zip(pick(FIRST), pick(LAST), strict=True)],
        "street": pick(ROADS),
        "house_number": rng.integers(1, 200, n).astype(str),
        "postcode": rng.integers(10_000, 10_300, n).astype(str),
        "city": pick(TOWNS),
        "dob": [f"{rng.integers(1930, 2005)}-{rng.integers(1, 13):02}-{rng.integers(1, 29):02}"
                for _ in range(n)],
    })  # fmt: skip
    table["email"] = [
        f"{given[0]}.{name}{row}@tea.shop"
        for row, (given, name) in enumerate(zip(table["given_name"], table["surname"], strict=True))
    ]
    table["cluster"] = np.arange(n)
    return table


def with_mistakes(records: pd.DataFrame, errors: int = 2, seed: int = 8) -> pd.DataFrame:
    """Return the same people as somebody else wrote them down: so many mistakes in each record."""
    rng = np.random.default_rng(seed)
    rows = records.to_dict("records")
    for row in rows:
        names = [name for name in row if name != "cluster"]
        for name in rng.choice(names, errors, replace=False):
            _spoil(row, str(name), rng)
    return pd.DataFrame(rows, columns=records.columns)


def _spoil(row: dict, name: str, rng: np.random.Generator) -> None:
    kind = rng.integers(0, 5)
    value = row[name]
    if kind == 0 or not isinstance(value, str) or len(value) < 2:
        row[name] = None
    elif name == "dob" and kind == 1:
        row[name] = f"{value[:4]}-{value[8:]}-{value[5:7]}"
    elif name == "surname" and kind == 1:
        row["given_name"], row["surname"] = row["surname"], row["given_name"]
    else:
        place = int(rng.integers(0, len(value) - 1))
        spoilt = {
            1: value[:place] + value[place + 1 :],
            2: value[:place] + value[place + 1] + value[place] + value[place + 2 :],
            3: value[:place] + "x" + value[place:],
            4: value.upper(),
        }
        row[name] = spoilt[int(kind)]
