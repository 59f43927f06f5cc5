"""Eight everyday rules: how fast they are read and applied, and whether they keep their word.

    python benchmarks/rules.py [DATA_DIR] [--quick]

A made-up shop of 1,000 items, all of them candidates, is asked for a page of 20 under the eight
rules of the guide: what is forbidden, a boost, a pin, a cap and a quota. Five predicates are asked
of a catalogue of a million items, at first and again; one item changes; texts of 64 KiB, as bad as
we could make them, are read; pages of up to five slots are filled and compared with the best of all
orders. Peers evaluate the same predicates on the same 1,000 candidates, row by row as they do. With
DATA_DIR, a folder of The Complete Journey as parquet, the rules of `examples/campaign_rules.py` are
applied to 92,000 real products, too.

Times are medians, and under `least` the minima, of many calls on one thread: as the clock on the
wall has it, and under `cpu` the medians of the time that this process was at work, which says more
where others are at work, too.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import json
import os
import platform
import runpy
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import _rule_peers
import _slots
import _worst_texts
import numpy as np
import pandas as pd

import recopersona as rp
from recopersona.data.times import moment_ms
from recopersona.errors import RuleError
from recopersona.rerank.assembly import assemble
from recopersona.rules.binding.bound import BoundRules
from recopersona.rules.checks.checking import check_rules
from recopersona.rules.checks.schema import RuleSchema
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.conditions.compiling import compile_condition
from recopersona.rules.text.parsing import parse_expression, parse_rules

EIGHT = """
RULE in_stock:    REQUIRE item.stock > 0
RULE no_repeat:   EXCLUDE DID purchase WITHIN 90d
RULE summer_sale: BOOST item.discount > 0 BY 1.3 DURING 2026-07-01..2026-07-31
RULE sponsor:     PIN item.sponsored AT 3
RULE brand_cap:   LIMIT 2 PER item.brand IN TOP 10
RULE fresh_share: ENSURE 20% WHERE item.age <= 30d
RULE adult_guard: EXCLUDE item.adult WHEN user.age < 18 IF UNKNOWN APPLY
RULE price_band:  REQUIRE item.price BETWEEN user.price_lo AND user.price_hi IF UNKNOWN SKIP
"""
FIVE = """
REQUIRE item.stock > 0
EXCLUDE item.adult
REQUIRE item.price BETWEEN 2 AND 80
EXCLUDE item.brand IN ("Moss", "Iris", "Larch")
REQUIRE item.discount < 0.5 OR item.sponsored
"""
CANDIDATES, SLOTS = 1_000, 20
CATALOGUE = 1_000_000
NOW = "2026-07-02T10:00Z"
BRANDS = rp.synthetic_shop(1, 300).catalogue["brand"].unique()
_AT_LEAST = 5  # calls, however long they take
NO_PAST = rp.synthetic_shop(1, 1).history()


class Timed:
    """Milliseconds of one call: the median, and the least, of many, or of many few in a row."""

    seconds = 8.0  # for one figure at most

    def __init__(self, do: Callable[[], Any], times: int, in_a_row: int = 1) -> None:
        do()
        gc.collect()
        taken, worked = [], []
        until = time.perf_counter() + self.seconds
        for turn in range(times):
            start, start_of_work = time.perf_counter(), time.process_time()
            if turn >= _AT_LEAST and start > until:
                break
            for _ in range(in_a_row):
                do()
            worked.append((time.process_time() - start_of_work) / in_a_row * 1e3)
            taken.append((time.perf_counter() - start) / in_a_row * 1e3)
        self.median, self.least = statistics.median(taken), min(taken)
        self.cpu = statistics.median(worked)


class Asking:
    """A shop under rules, and one customer who asks: everything from candidates to the page."""

    def __init__(self, shop: rp.Dataset, rules: Any, user_id: Any, now: Any, n: int) -> None:
        self.shop, self.n = shop, n
        self.bound = BoundRules(rules, shop.item_features, shop.user_features)
        self.past = shop.history()
        self.user = shop.users.index(user_id)
        self.query = rp.Query(user_id, now=now)
        self.now = moment_ms(now)
        self.who = shop.user_features.row(self.user)
        rng = np.random.default_rng(0)
        chosen = rng.permutation(len(shop.items))[:CANDIDATES]
        scores = np.sort(rng.normal(size=len(chosen)))[::-1]
        self.candidates = rp.Ranking.of(chosen, scores, shop.items, "given")

    def in_force(self) -> Any:
        return self.bound.in_force(
            self.query, now=self.now, user=self.user, who=self.who, past=self.past
        )

    def page(self) -> rp.Ranking:
        """Filter, boost, fill the places."""
        force = self.in_force()
        ranking = self.candidates.take(force.allowed[self.candidates.items])
        shifts = force.shifts(ranking.items)
        if shifts is not None:
            ranking = ranking.rescored(ranking.scores + shifts)
        page, _ = assemble(ranking, force.slot_rules(ranking.items, self.n), self.n)
        return page


def applied(quick: bool) -> dict[str, float]:
    """The eight rules on 1,000 candidates: of a shop of so many items, and of one of 50 times."""
    found = {}
    for name, n_items in (("", CANDIDATES), ("_of_50000", 50 * CANDIDATES)):
        shop = rp.synthetic_shop(50, n_items, random_state=1)
        people = shop.customers.dropna(subset=["age", "price_lo"])
        asking = Asking(shop, parse_rules(EIGHT), people["user_id"].iloc[0], NOW, SLOTS)
        assert len(asking.page()) == SLOTS
        taken = Timed(asking.page, 1_000 if quick else 5_000)
        found |= figures_of({f"apply_ms{name}": taken})
    return found


def read(quick: bool) -> dict[str, Any]:
    """Parsing, checking and binding the eight rules; and the worst text there is room for."""
    rules, shop = parse_rules(EIGHT), rp.synthetic_shop(50, 100)
    items, users = shop.item_features, shop.user_features
    schema = RuleSchema.of(shop)
    times = 500 if quick else 3_000
    taken = {
        "parse_ms": Timed(lambda: parse_rules(EIGHT), times),
        "check_ms": Timed(lambda: check_rules(rules, schema), times),
        "bind_ms": Timed(lambda: BoundRules(rules, items, users), times),
    }
    texts = _worst_texts.texts()
    tried = {
        name: Timed(lambda t=text: refused_or_read(t), 3).least for name, text in texts.items()
    }
    slow = {
        name: Timed(lambda t=texts[name]: refused_or_read(t), 10 if quick else 30)
        for name in sorted(tried, key=tried.__getitem__)[-5:]
    }
    slowest = max(slow, key=lambda name: slow[name].least)
    taken["worst_text_ms"] = slow[slowest]
    return {**figures_of(taken), "worst_text": slowest}


def refused_or_read(text: str) -> None:
    """Read a text; nothing but RuleError may come of it."""
    with contextlib.suppress(RuleError):
        parse_rules(text)


def figures_of(taken: dict[str, Timed]) -> dict[str, float]:
    return {
        f"{name}{end}": getattr(one, of)
        for name, one in taken.items()
        for end, of in (("", "median"), ("_least", "least"), ("_cpu", "cpu"))
    }


def of_catalogue(quick: bool) -> dict[str, float]:
    """Five predicates over a million items, at first and from bitmaps; and one changed item."""
    items, users = catalogue(CATALOGUE), rp.FeatureTable(rp.IdMap())
    rules = parse_rules(FIVE)
    nobody = rp.Query(now=NOW)

    def allowed(bound: BoundRules) -> Any:
        force = bound.in_force(nobody, now=moment_ms(NOW), user=-1, who={}, past=NO_PAST)
        return force.allowed

    def from_bitmaps() -> Any:
        bound._masks.clear()  # as whenever an item has changed
        return allowed(bound)

    bound = BoundRules(rules, items, users)
    share = float(allowed(bound).mean())
    assert 0.1 < share < 0.9
    changed = np.array([CATALOGUE // 2], np.int32)
    taken = {
        "catalogue_cold_ms": Timed(
            lambda: allowed(BoundRules(rules, items, users)), 30 if quick else 100
        ),
        "catalogue_warm_ms": Timed(from_bitmaps, 1_000 if quick else 5_000),
        "catalogue_kept_ms": Timed(lambda: allowed(bound), 1_000 if quick else 5_000),
    }
    one = Timed(lambda: bound.items_changed(changed, {"stock"}), 1_000 if quick else 5_000, 5)
    return {
        **figures_of(taken), "item_change_us": one.median * 1e3,
        "item_change_us_least": one.least * 1e3, "catalogue_allowed": share,
    }  # fmt: skip


def catalogue(n: int) -> rp.FeatureTable:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "item_id": np.arange(n),
        "stock": np.maximum(0, rng.integers(-20, 200, n)),
        "price": np.round(rng.lognormal(2.5, 1.0, n), 2),
        "brand": pd.Categorical.from_codes(rng.integers(0, 18, n), BRANDS),
        "adult": rng.random(n) < 0.05,
        "discount": np.where(rng.random(n) < 0.2, rng.choice([0.1, 0.3, 0.5], n), 0.0),
        "sponsored": rng.random(n) < 0.05,
    })  # fmt: skip
    frame.loc[rng.random(n) < 0.02, "price"] = np.nan
    return rp.FeatureTable.from_frame(frame, rp.IdMap(), "item_id")


def updated(quick: bool) -> dict[str, float]:
    """One row of a catalogue of 50,000 is told to a fitted pipeline under the eight rules."""
    shop = rp.synthetic_shop(500, 50 * CANDIDATES, random_state=1)
    home = rp.Pipeline(candidates=[rp.Popularity()], rules=EIGHT).fit(shop)
    home.recommend(shop.users.ids[0], SLOTS)
    rows = [shop.catalogue.iloc[[row]].assign(stock=row % 7) for row in range(50)]
    left = itertools.cycle(rows)
    taken = Timed(lambda: home.update_items(next(left)), 50 if quick else 300)
    return figures_of({"update_items_ms": taken})


def beside_peers(quick: bool) -> dict[str, Any]:
    """The same four predicates for the same 1,000 items: ours at once, peers row by row."""
    goods = rp.synthetic_shop(50, CANDIDATES, random_state=1).catalogue
    goods["adult"] = goods["adult"].fillna(False).astype(bool)
    items = rp.FeatureTable.from_frame(goods, rp.IdMap(), "item_id")
    people = pd.DataFrame({"user_id": ["u"], **{name: [v] for name, v in _rule_peers.WHO.items()}})
    users = rp.FeatureTable.from_frame(people, rp.IdMap(), "user_id")
    condition = compile_condition(
        parse_expression(_rule_peers.OURS), Tables(items=items, users=users, timezone="UTC")
    )
    rows = np.arange(CANDIDATES, dtype=np.int32)

    def answer() -> Any:
        return condition.true(rows, Asked(user=0, who=users.row(0)))

    expected = _rule_peers.expected(goods)
    assert np.array_equal(answer(), expected), "ours and pandas disagree"
    ours = Timed(answer, 1_000 if quick else 5_000)
    found: dict[str, Any] = {"predicates_us": ours.median * 1e3, "peers": {}}
    for peer, theirs in _rule_peers.peers(goods).items():
        if theirs is None:
            found["peers"][peer] = "absent"
            continue
        assert theirs() == expected.tolist(), f"{peer} and pandas disagree"
        taken = Timed(theirs, 3 if quick else 10)
        found["peers"][peer] = {
            "version": version(peer), "ms": taken.median, "ratio": taken.median / ours.median,
            "ratio_least": taken.least / ours.least,
        }  # fmt: skip
    return found


def on_real_data(folder: str, quick: bool) -> dict[str, Any]:
    """The rules of the example, on what real households were shown."""
    example = runpy.run_path(str(Path(__file__).parent.parent / "examples" / "campaign_rules.py"))
    shop = example["shop_of"](Path(folder))
    known = shop.user_features.to_frame()["age"].notna().to_numpy()
    rules, now = parse_rules(example["TEXT"]), example["NOW"]
    asking = Asking(shop, rules, shop.users.ids[np.flatnonzero(known)[0]], now, SLOTS)
    taken = Timed(asking.page, 300 if quick else 1_000)
    return {
        "journey_items": len(shop.items),
        "journey_allowed": int(asking.in_force().allowed.sum()),
        **figures_of({"journey_apply_ms": taken}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rp.limit_threads(1)  # what is not compiled yet, is at the first call, which no figure counts
    Timed.seconds = 2 if options.quick else 8
    figures: dict[str, Any] = {}
    for part in (applied, read, of_catalogue, updated, beside_peers):
        figures |= part(options.quick)
    figures |= _slots.figures()
    if options.data:
        figures |= on_real_data(options.data, options.quick)
    figures |= {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "numba", "pandas")},
    }
    for name, value in figures.items():
        print(f"{name:26} {value:.4g}" if isinstance(value, float) else f"{name:26} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
