"""Small shops, requests and well-typed conditions, made up: few values, many of them unknown."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from recopersona.data.event import EVENT_CODES
from recopersona.data.feature_table import (
    CategoryColumn,
    FeatureTable,
    FlagColumn,
    NumberColumn,
    SetColumn,
    TextColumn,
    TimeColumn,
)
from recopersona.data.history import History
from recopersona.data.ids import IdMap, as_ids
from recopersona.data.interactions import Interactions
from recopersona.data.times import MISSING_TIME
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.nodes import (
    And,
    Arithmetic,
    Between,
    Call,
    Compare,
    Did,
    Duration,
    Field,
    Flag,
    Has,
    In,
    IsUnknown,
    Moment,
    Negative,
    Not,
    Number,
    Or,
    Param,
    Percent,
    StartsWith,
    Text,
)

DAY = 86_400_000
NOW = 20_270 * DAY
WORDS = ["Ito", "Ita", "Mori", "tea", "salt", "sku-1", "sku-2"]
NUMBERS = [-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 7.0]
DAYS = [Moment("2025-06-30"), Moment("2025-07-01T12:00"), Moment("2025-07-01T00:00Z")]
LENGTHS = [
    Duration(1, "d"),
    Duration(0.5, "d"),
    Duration(36, "h"),
    Duration(2, "w"),
    Duration(7, "d"),
]
TIMEZONES = ["UTC", "Europe/Berlin", "America/New_York"]

ITEM_KINDS = {
    "price": "number", "stock": "number", "adult": "flag", "new": "flag",
    "brand": "category", "maker": "category", "shelf": "category",
    "created_at": "time", "until": "time", "name": "text",
    "tags": "set", "colours": "set", "sizes": "set",
}  # fmt: skip
USER_KINDS = {
    "age": "number", "vip": "flag", "favourite": "category", "joined": "time", "note": "text",
    "likes": "set",
}  # fmt: skip
KINDS = {"item": ITEM_KINDS, "user": USER_KINDS}
_ODD = [None, float("nan"), 10**400, [1], {"a": 1}, b"tea", True, "tea", 2, object(), pd.NaT]


def _one_of(rng, values):
    return values[int(rng.integers(len(values)))]


def _maybe(rng, value, unknown):
    return None if rng.random() < unknown else value


def _value(rng, kind, name=""):
    if kind == "number":
        return _one_of(rng, NUMBERS)
    if kind == "flag":
        return bool(rng.random() < 0.5)
    if kind == "time":
        return NOW + int(rng.integers(-6, 7)) * DAY // 2
    if kind == "set":
        pool = [1, 2, 3] if name == "sizes" else WORDS
        return tuple(_one_of(rng, pool) for _ in range(rng.integers(1, 4)))
    return int(rng.integers(3)) if name == "shelf" else _one_of(rng, WORDS)


def random_rows(rng, n, kinds, unknown):
    """Return what is known of n rows: {name: value or None}."""
    return [
        {name: _maybe(rng, _value(rng, kind, name), unknown) for name, kind in kinds.items()}
        for _ in range(n)
    ]


def table_of(rows, kinds, ids):
    """Put rows into a table; of times, what is there is milliseconds."""
    return FeatureTable(ids, {n: column_of(k, [row[n] for row in rows]) for n, k in kinds.items()})


def column_of(kind, values):
    filled = lambda nothing: [nothing if value is None else value for value in values]  # noqa: E731
    if kind == "category":
        categories = list(dict.fromkeys(value for value in values if value is not None))
        codes = [-1 if value is None else categories.index(value) for value in values]
        return CategoryColumn(np.array(codes, np.int32), _ids(categories))
    if kind == "set":
        members = [member for value in filled(()) for member in value]
        categories = list(dict.fromkeys(members))
        codes = np.array([categories.index(member) for member in members], np.int32)
        starts = np.cumsum([0, *map(len, filled(()))]).astype(np.int64)
        return SetColumn(starts, codes, _ids(categories))
    plain, nothing, dtype = {
        "number": (NumberColumn, np.nan, np.float64),
        "flag": (FlagColumn, -1, np.int8),
        "time": (TimeColumn, MISSING_TIME, np.int64),
        "text": (TextColumn, None, object),
    }[kind]
    return plain(np.array(filled(nothing), dtype))


def _ids(values):
    return IdMap.restored(as_ids(np.fromiter(values, object, count=len(values))))


def write(table, rows, kinds, places, id_column):
    """Write rows into a table as an update does: new columns take the place of old ones."""
    ids = table.ids.ids.tolist()
    columns = {id_column: [ids[place] for place in places]}
    for name, kind in kinds.items():
        values = [row[name] for row in rows]
        columns[name] = pd.Series(
            [pd.Timestamp(v, unit="ms") if kind == "time" and v is not None else v for v in values],
            dtype="datetime64[ms]" if kind == "time" else object,
        )
    FeatureTable._write(table, pd.DataFrame(columns), id_column, kinds)


def random_past(rng, ids, limit):
    """Return what a visitor did, oldest first: (item, event, time or None)."""
    events = [
        (
            _one_of(rng, ids),
            _one_of(rng, ["purchase", "view"]),
            _maybe(rng, NOW - int(rng.integers(0, 20)) * DAY // 2, 0.1),
        )
        for _ in range(rng.integers(0, limit + 3))
        if ids
    ]
    return sorted(events, key=lambda event: event[2] or MISSING_TIME)


def history_of(past, items, limit):
    """Return the history in which user 0 has that past, and nobody else has any."""
    columns = [(items.index(item), EVENT_CODES[event], time) for item, event, time in past]
    log = Interactions(
        np.zeros(len(past), np.int32),
        np.array([item for item, _, _ in columns], np.int32),
        np.array([event for _, event, _ in columns], np.int8),
        np.ones(len(past), np.float32),
        np.array([MISSING_TIME if t is None else t for *_, t in columns], np.int64),
    )
    return History(log, limit=limit)


class SmallShop:
    """Some items and users as rows and as tables, one request in both forms, and conditions."""

    def __init__(self, rng):
        self.rng = rng
        unknown = _one_of(rng, [0.0, 0.2, 0.5, 1.0])
        n = _one_of(rng, [0, 1, 2, 9, 30])
        self.timezone = _one_of(rng, TIMEZONES)
        self.rows = random_rows(rng, n, ITEM_KINDS, unknown)
        self.ids = IdMap([f"sku-{i}" for i in range(n)])
        users = random_rows(rng, 2, USER_KINDS, unknown)
        self.tables = Tables(
            table_of(self.rows, ITEM_KINDS, self.ids),
            table_of(users, USER_KINDS, IdMap(["tea", "u-1"])),
            self.timezone,
        )
        self.number_rows()
        self._ask(users)

    @property
    def shop(self):
        return {"kinds": KINDS, "timezone": self.timezone}

    def number_rows(self):
        for row, identifier in zip(self.rows, self.ids.ids.tolist(), strict=True):
            row["id"] = identifier

    def grow(self):
        """Change some rows, add new ones, and put new columns in the place of the old ones."""
        rng, n = self.rng, len(self.rows)
        changed = sorted({int(rng.integers(n)) for _ in range(3)}) if n else []
        for _ in range(rng.integers(0, 3)):
            changed.append(self.ids.append(f"sku-{len(self.ids)}"))
        fresh = random_rows(rng, len(changed), ITEM_KINDS, 0.2)
        for row in fresh:
            row["brand"] = row["brand"] and _one_of(rng, [row["brand"], "brand-new"])
        write(self.tables.items, fresh, ITEM_KINDS, changed, "item_id")
        for _ in range(rng.integers(0, 3)):  # ids that nothing is known of: columns are shorter
            self.ids.append(f"sku-{len(self.ids)}")
        nothing = dict.fromkeys(ITEM_KINDS)
        self.rows += [dict(nothing) for _ in range(len(self.ids) - n)]
        for place, row in zip(changed, fresh, strict=True):
            self.rows[place] = row
        self.number_rows()
        if self.seed >= 0:
            self.request["seed"] = self.rows[self.seed]

    def replace_columns(self):
        """Exchange what is known of the items, and number the categories anew."""
        order = self.rng.permutation(len(self.rows))
        self.rows = [self.rows[place] for place in order]
        self.tables.items.columns |= table_of(self.rows, ITEM_KINDS, self.ids).columns
        self.number_rows()
        if self.seed >= 0:
            self.request["seed"] = self.rows[self.seed]

    def _ask(self, users):
        rng, n = self.rng, len(self.rows)
        limit = _one_of(rng, [3, 50])
        past = random_past(rng, self.ids.ids.tolist(), limit)
        user = _one_of(rng, [0, 0, 1, -1])
        seed = self.seed = int(rng.integers(n + 1)) - 1
        now = _one_of(rng, [NOW, NOW, None])
        who = {name: value for name, value in (users[user] if user >= 0 else {}).items()
               if value is not None}  # fmt: skip
        for name in USER_KINDS:
            if rng.random() < 0.1:
                who[name] = _one_of(rng, _ODD)
        context, params = self._given(), self._given()
        self.request = {
            "now": now,
            "user": who | ({} if user < 0 else {"id": ["tea", "u-1"][user]}),
            "ctx": context,
            "params": params,
            "seed": self.rows[seed] if seed >= 0 else None,
            "past": past if user == 0 else [],
            "limit": limit,
        }
        history = history_of(past, self.ids, limit)
        self.asked = lambda: Asked(now, user, who, context, params, seed, history)

    def _given(self):
        """Return values by the names that conditions ask for, now and then of a wrong kind."""
        rng = self.rng
        right = {
            "n": _one_of(rng, [*NUMBERS, 2, np.float32(0.5), np.int64(1)]),
            "f": _one_of(rng, [True, False, np.bool_(True)]),
            "t": _one_of(
                rng,
                [
                    NOW,
                    NOW - DAY,
                    datetime(2025, 7, 1, tzinfo=UTC),
                    datetime(2025, 7, 1, 12),  # noqa: DTZ001 - UTC is meant
                    datetime(2025, 7, 1, tzinfo=UTC).astimezone(),
                ],
            ),
            "d": _one_of(rng, [timedelta(days=1), timedelta(hours=36)]),
            "w": _one_of(rng, WORDS),
            "l": _one_of(rng, [["Ito", "tea", 1], ("salt",), [], {"Mori", "sku-1"}, ["tea", None]]),
            "lf": _one_of(rng, [[True], [True, False], [], [False, "tea", 1]]),
            "ln": _one_of(rng, [[1, 2.0], [0.5, None, "tea"], []]),
        }
        right["f"], right["n"] = bool(right["f"]), _as_python(right["n"])
        return {
            name: _one_of(rng, _ODD) if rng.random() < 0.1 else value
            for name, value in right.items()
            if rng.random() < 0.9
        }

    # -- expressions ---------------------------------------------------------------------------

    def given(self, name):
        return _one_of(self.rng, [Field("ctx", name), Param(name)])

    def pick(self, *makers):
        return _one_of(self.rng, makers)()

    def number(self, depth=2):
        rng = self.rng
        leaves = [
            lambda: Number(_one_of(rng, NUMBERS)),
            lambda: Percent(_one_of(rng, [50.0, 100.0, 20.0])),
            lambda: Field("item", _one_of(rng, ["price", "stock"])),
            lambda: Field("user", "age"),
            lambda: Field("seed", "price"),
        ]
        if depth <= 0:
            return self.pick(*leaves, *leaves[2:3] * 3)
        sub = lambda: self.number(depth - 1)  # noqa: E731
        length = lambda: self.duration(depth - 1)  # noqa: E731
        return self.pick(
            *leaves,
            *leaves[2:3] * 3,
            lambda: Arithmetic(_one_of(rng, "+-*/"), sub(), _one_of(rng, [sub(), self.given("n")])),
            lambda: Arithmetic("/", length(), length()),
            lambda: Negative(Field("item", "price")),
            lambda: Call("ramp", (sub(), sub(), sub())),
            lambda: Call("ramp", (length(), length(), length())),
            lambda: Call("decay", (length(), length())),
            lambda: Call("decay", (sub(), self.given("n"))),
            lambda: Call(_one_of(rng, ["min", "max"]), (sub(), sub(), sub())),
            lambda: Call("abs", (sub(),)),
            lambda: Call("log1p", (sub(),)),
        )

    def duration(self, depth=2):
        rng = self.rng
        leaves = [lambda: _one_of(rng, LENGTHS), lambda: Field("item", "age"),
                  lambda: Field("seed", "age")]  # fmt: skip
        if depth <= 0:
            return self.pick(*leaves)
        sub, time = lambda: self.duration(depth - 1), lambda: self.time(depth - 1)
        return self.pick(
            *leaves,
            lambda: Arithmetic("-", time(), time()),
            lambda: Arithmetic(_one_of(rng, "+-"), sub(), sub()),
            lambda: Arithmetic("*", sub(), self.number(0)),
            lambda: Arithmetic("*", self.number(0), sub()),
            lambda: Arithmetic("/", sub(), self.number(0)),
            lambda: Call(_one_of(rng, ["min", "max"]), (sub(), sub())),
            lambda: Negative(sub()),
        )

    def time(self, depth=2):
        rng = self.rng
        leaves = [
            lambda: _one_of(rng, DAYS),
            lambda: Field("item", _one_of(rng, ["created_at", "until"])),
            lambda: Field("user", "joined"),
            lambda: Field("seed", "until"),
            lambda: Field("ctx", "now"),
        ]
        if depth <= 0:
            return self.pick(*leaves)
        length = lambda: _one_of(rng, [self.duration(depth - 1), self.given("d")])  # noqa: E731
        return self.pick(
            *leaves,
            lambda: Arithmetic("-", self.time(depth - 1), self.duration(depth - 1)),
            lambda: Arithmetic("+", self.time(depth - 1), length()),
        )

    def label(self):
        rng = self.rng
        return self.pick(
            lambda: Field("item", _one_of(rng, ["brand", "maker", "id"])),
            lambda: Field("item", "brand"),
            lambda: Field("seed", _one_of(rng, ["brand", "id"])),
            lambda: Field("user", _one_of(rng, ["favourite", "id"])),
            lambda: Text(_one_of(rng, [*WORDS, "brand-new"])),
        )

    def text(self):
        return self.pick(
            lambda: Field("item", "name"),
            lambda: Field("user", "note"),
            lambda: Text(_one_of(self.rng, WORDS)),
        )

    def set(self):
        return self.pick(
            lambda: Field("item", _one_of(self.rng, ["tags", "colours", "sizes"])),
            lambda: Field("item", "tags"),
            lambda: Field("user", "likes"),
            lambda: Field("seed", "tags"),
            lambda: self.given("l"),
        )

    def members(self, depth=1):
        rng = self.rng
        some = lambda: tuple(  # noqa: E731
            _one_of(rng, [Text(_one_of(rng, WORDS)), self.label(), self.given("w"), Number(1.0)])
            for _ in range(rng.integers(1, 7))
        )
        written = lambda: tuple(  # noqa: E731
            Text(_one_of(rng, WORDS)) for _ in range(rng.integers(1, 9))
        )
        return self.pick(some, written, lambda: self.given("l"), lambda: Field("user", "likes"),
                         lambda: Field("item", "tags"))  # fmt: skip

    def equality(self):
        rng = self.rng
        op = _one_of(rng, ["=", "!="])
        return self.pick(
            lambda: Compare(op, self.label(), self.label()),
            lambda: Compare(op, self.label(), self.given("w")),
            lambda: Compare(op, Field("item", "brand"), Text(_one_of(rng, [*WORDS, "brand-new"]))),
            lambda: Compare(op, self.text(), self.text()),
            lambda: Compare(op, Field("item", "name"), Field("item", "brand")),
            lambda: Compare(op, Field("item", "shelf"), Number(_one_of(rng, NUMBERS))),
            lambda: Compare(op, Field("item", "shelf"), self.given("n")),
            lambda: Compare(op, Field("item", "shelf"), Field("item", "stock")),
            lambda: Compare(op, Field("item", "shelf"), Field("user", "age")),
            lambda: Compare(op, self.condition(0), self.condition(0)),
            lambda: Compare(op, Field("item", "adult"), self.given("f")),
            lambda: Compare(op, self.given("n"), self.given("w")),
        )

    def comparison(self):
        op = _one_of(self.rng, ["<", "<=", ">", ">=", "=", "!="])
        kinds = [(self.number, "n"), (self.time, "t"), (self.duration, "d")]
        kind, name = _one_of(self.rng, kinds)
        sides = [kind(), _one_of(self.rng, [kind(), kind(0), self.given(name)])]
        if self.rng.random() < 0.3:
            sides.reverse()
        if op != "!=" and self.rng.random() < 0.2:
            return Between(sides[0], sides[1], _one_of(self.rng, [kind(), self.given(name)]))
        return Compare(op, *sides)

    def listing(self):
        rng = self.rng
        how = _one_of(rng, ["ANY", "ALL", "NONE"])
        return self.pick(
            lambda: In(_one_of(rng, [self.label(), self.text(), self.given("w")]), self.members()),
            lambda: In(Field("item", _one_of(rng, ["brand", "id"])), self.members()),
            lambda: In(Field("item", "shelf"), (Number(0.0), Number(2.0), self.given("n"))),
            lambda: In(Field("item", "shelf"), self.given("ln")),
            lambda: In(self.number(1), (Number(1.0), Percent(50.0), Field("user", "age"))),
            lambda: In(self.number(1), self.given("ln")),
            lambda: In(Number(1.0), Field("item", "sizes")),
            lambda: In(_one_of(rng, [Field("item", "adult"), self.comparison()]), self.given("lf")),
            lambda: In(Field("item", "stock"), Field("item", "sizes")),
            lambda: Has(self.set(), how, self.members()),
            lambda: Has(Field("item", "tags"), how, self.members()),
            lambda: Has(Field("item", "tags"), how, tuple(map(Text, WORDS)) * 2),
            lambda: Has(Field("item", "sizes"), how, (Number(1.0), Number(2.0))),
            lambda: Has(Field("item", "tags"), how, Field("item", "colours")),
        )

    def event(self):
        within = _one_of(self.rng, [None, Duration(1, "d"), Duration(3, "d"), Duration(1, "y")])
        return Did(_one_of(self.rng, ["purchase", "view"]), int(self.rng.integers(1, 4)), within)

    def condition(self, depth=3):
        rng = self.rng
        leaves = [
            self.comparison,
            self.equality,
            self.listing,
            self.event,
            lambda: Field(*_one_of(rng, [("item", "adult"), ("user", "vip"), ("seed", "new")])),
            lambda: self.given("f"),
            lambda: Flag(bool(rng.random() < 0.5)),
            lambda: StartsWith(
                _one_of(rng, [self.label(), self.text(), self.given("w"), Field("item", "shelf")]),
                _one_of(rng, ["It", "sku-", "", "M"]),
            ),
            lambda: IsUnknown(
                self.pick(self.number, self.time, self.duration, self.label, self.text, self.set,
                          lambda: self.given("w"), lambda: self.condition(0))
            ),
        ]  # fmt: skip
        if depth <= 0:
            return self.pick(*leaves[4:7])
        if rng.random() < 0.5:
            return self.pick(*leaves)
        parts = lambda: [self.condition(depth - 1) for _ in range(rng.integers(2, 4))]  # noqa: E731
        return self.pick(
            lambda: Not(self.condition(depth - 1)),
            lambda: And(tuple(parts())),
            lambda: Or(tuple(parts())),
        )


def _as_python(value):
    return value.item() if hasattr(value, "item") else value
