"""Whole pages of random shops under random rules, against reading every row by itself."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.data.ids import IdMap
from recopersona.errors import RuleError, UnmetRuleError
from recopersona.rules import RuleSet
from recopersona.rules.nodes import (
    Bury,
    During,
    Ensure,
    Exclude,
    Field,
    Limit,
    Moment,
    Number,
    Percent,
    Pin,
    Require,
    Window,
    all_of,
    any_of,
)
from tests.naive.pages import NaivePage
from tests.rules.small_shops import (
    DAY,
    ITEM_KINDS,
    NOW,
    TIMEZONES,
    USER_KINDS,
    SmallShop,
    random_rows,
    table_of,
)

USERS = ["anna", "ben", "u-2"]  # u-2 has a row, but no past
UNMET = re.compile(r"(.+?): (wanted|at most|no item for slot|slot \d+ went|no slot)")


class Shop(SmallShop):
    """Items and customers as rows and as a dataset, rules that fit them, and requests."""

    def __init__(self, rng):
        self.rng, self.timezone = rng, TIMEZONES[rng.integers(3)]
        n, unknown = int(rng.integers(20, 50)), float(rng.choice([0, 0.2]))
        self.rows = random_rows(rng, n, ITEM_KINDS, unknown)
        self.ids = IdMap([f"sku-{k}" for k in range(n)])
        self.number_rows()
        self.users = dict(zip(USERS, random_rows(rng, 3, USER_KINDS, unknown), strict=True))
        self.events = pd.DataFrame({
            "user_id": rng.choice(["anna", "ben", "x", "y", "z"], 60),
            "item_id": [f"sku-{int(n * k**2)}" for k in rng.random(60)],
            "event": rng.choice(["view", "purchase"], 60),
            "timestamp": np.sort(NOW - rng.integers(0, 20, 60) * DAY // 2),
        })  # fmt: skip
        customers = table_of(list(self.users.values()), USER_KINDS, IdMap(USERS))
        items = table_of(self.rows, ITEM_KINDS, self.ids)
        self.data = rp.Dataset.from_frames(self.events, items=items, users=customers, now=NOW)

    def one_of(self, *values):
        return values[self.rng.integers(len(values))]

    def rule(self, number):
        while True:
            common = {
                "name": f"r{number}",
                "unknown": self.one_of(None, None, "apply", "skip"),
                "when": self.condition(1) if self.rng.random() < 0.3 else None,
                "during": self.one_of(*[None] * 6, During(Moment("2025-06-29"), None),
                                      During(None, Moment("2025-07-01"))),
                "priority": number,
            }  # fmt: skip
            rule = self.action(self.condition(int(self.rng.integers(2))), common)
            try:
                RuleSet((rule,), self.timezone).check(self.data)
            except RuleError:
                continue
            return rule

    def action(self, where, common):
        amount = self.one_of(1, 2, Percent(20.0), Percent(10.0), Percent(33.0))
        window = self.one_of(None, Window("top", self.one_of(2, 5, 30)), Window("any", 3))
        per = Field("item", self.one_of("brand", "maker", "adult", "stock"))
        other = self.condition(0)
        return self.one_of(
            lambda: Require(where=any_of(where, other), **common),
            lambda: Exclude(where=all_of(where, other), **common),
            lambda: Bury(where=where, by=Number(3.0), **common),
            lambda: Pin(where=where, slots=self.one_of((1,), (4, 2), (12,)), **common),
            lambda: Limit(amount=amount, per=per, window=window, **common),
            lambda: Limit(amount=amount, where=where, window=window, **common),
            lambda: Ensure(amount=amount, where=where, window=window, **common),
        )()

    def query(self):
        return rp.Query(
            self.one_of(None, *USERS, "x", "a stranger"),
            seed=self.one_of((), *self.ids.ids.tolist()),
            now=self.one_of(None, NOW, NOW - DAY, NOW + DAY // 2),
            context=self._given(),
            params=self._given(),
        )

    def read(self, rules, query, seen):
        own = self.events[self.events["user_id"] == query.user_id]
        past = list(own[["item_id", "event", "timestamp"]].itertuples(index=False, name=None))
        row = self.users.get(query.user_id, {})
        who = {name: value for name, value in row.items() if value is not None} | query.context
        known = query.user_id in self.users or past
        page = {row["id"]: row for row in self.rows}
        request = {
            "now": int(self.events["timestamp"].max()) if query.now is None else query.now,
            "user": who | ({"id": query.user_id} if known else {}),
            "ctx": query.context,
            "params": query.params,
            "seed": page[query.seed[0]] if query.seed else None,
            "past": past,
            "limit": 200,
        }
        gone = set(query.seed) | ({item for item, *_ in past} if seen == "drop" else set())
        return NaivePage(self, rules, request, gone)


def told(ranking):
    return {found.group(1) for found in map(UNMET.match, ranking.effects) if found}


def check_page(ranking, naive, n, room):
    page = ranking.item_ids
    assert set(page) <= naive.free
    assert len(set(page)) == len(page) == min(n, room, len(naive.free))
    assert told(ranking) == naive.unmet(page, min(n, room))
    if told(ranking) and page:
        assert not naive.can_be_met(len(page), min(n, room))


def check_account(ranking, naive, rules):
    for item in [*naive.rows][::3]:
        said = rules.explain(ranking, item)
        refusing = [label for label, rule in naive.filters if not naive.passes(rule, item)]
        if refusing:
            assert said["rule"].tolist() == refusing[:1]
        elif item not in ranking.item_ids and not naive.unmet(ranking.item_ids, len(ranking)):
            assert said["rule"].isna().all() or item in naive.free
    for place, item in enumerate(ranking.item_ids[:3]):
        parts = ranking.explain(item)["contribution"]
        assert parts.sum() == pytest.approx(ranking.scores[place], rel=1e-4, abs=1e-6)


def check_strict(home, rules, query, n, seen, soft):
    slots = (Pin, Limit, Ensure)
    hard = [replace(rule, strict=isinstance(rule, slots)) for rule in rules]
    strict = home.with_rules(RuleSet(tuple(hard), rules.timezone))
    if told(soft):
        with pytest.raises(UnmetRuleError) as raised:
            strict.recommend(query, n=n, seen=seen)
        assert str(raised.value).partition(":")[0] in told(soft)
    else:
        assert strict.recommend(query, n=n, seen=seen).item_ids == soft.item_ids


@pytest.mark.parametrize("block", range(4))
def test_pages_are_what_the_rules_say(block):
    n_told = 0
    for number in range(7):
        rng = np.random.default_rng((block, number))
        shop = Shop(rng)
        rules = RuleSet(tuple(shop.rule(k) for k in range(rng.integers(1, 8))), shop.timezone)
        models = shop.one_of([rp.Popularity()], [rp.ItemKNN(k=5)])
        home = rp.Pipeline(candidates=models, rules=rules, pool=int(shop.one_of(3, 100)))
        home.fit(shop.data)
        turned = home.with_rules(RuleSet(rules.rules[::-1], rules.timezone))
        again = home.with_rules(str(rules))
        for _ in range(4):
            query, seen = shop.query(), shop.one_of("drop", "keep")
            n = int(shop.one_of(1, 5, 10, 60))
            ranking = home.recommend(query, n=n, seen=seen)
            naive = shop.read(rules, query, seen)
            check_page(ranking, naive, n, len(shop.rows))
            check_account(ranking, naive, rules)
            check_strict(home, rules, query, n, seen, ranking)
            many = home.rank_many([query, shop.query()], n=n, seen=seen)[0]
            assert (many.item_ids, many.effects) == (ranking.item_ids, ranking.effects)
            assert again.recommend(query, n=n, seen=seen).effects == ranking.effects
            assert turned.recommend(query, n=n, seen=seen).item_ids == ranking.item_ids
            n_told += bool(told(ranking))
    assert n_told > 0
