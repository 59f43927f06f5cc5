"""Conditions say what their naive twin says, row by row."""

import numpy as np
import pytest

from recopersona.rules.conditions import compile_condition
from tests.naive.conditions import naive_condition
from tests.rules.small_shops import SmallShop

EVERYTHING = slice(None)


def _disagreement(shop, node, condition, rows):
    chosen = range(len(shop.rows)) if isinstance(rows, slice) else rows.tolist()
    naive = [naive_condition(node, shop.rows[i], shop.request, shop.shop) for i in chosen]
    asked = shop.asked()
    for wanted, answer in ((True, condition.true), (False, condition.false)):
        found = answer(rows, asked)
        if condition.of_request:
            assert isinstance(found, bool), (node, type(found))
            found = np.full(len(naive), found)
        assert found.dtype == np.bool_, (node, found.dtype)
        if found.tolist() != [one is wanted for one in naive]:
            return f"{node}: {wanted} where {found.tolist()}, naively {naive}"
    return None


@pytest.mark.parametrize("block", range(10))
def test_conditions_say_what_their_naive_twin_says(block):
    for seed in range(100):
        rng = np.random.default_rng((block, seed))
        shop = SmallShop(rng)
        nodes = [shop.condition() for _ in range(8)]
        compiled = [compile_condition(node, shop.tables) for node in nodes]
        for grown in (False, True):
            if grown:
                shop.grow()
            n = len(shop.rows)
            some = rng.integers(0, n, 7 if n else 0).astype(np.int32)
            for node, condition in zip(nodes, compiled, strict=True):
                for rows in (EVERYTHING, some, some[:1]):
                    assert not _disagreement(shop, node, condition, rows), (block, seed, grown)
