"""The kernel of signals agrees with its twin, which looks through the whole log each time."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recopersona.data.event import EVENT_CODES, EVENT_TYPES
from recopersona.features.program import Program, part_names
from recopersona.features.state import State
from recopersona.features.tally import Tally
from recopersona.kernels import signals
from tests.naive import signals as naive

GAP = 40
TALLIES = [
    Tally("user", kinds=["view", "purchase"], half_life="30ms"),
    Tally("user", fact="money", kinds={"purchase": 1, "return": -1}),
    Tally("user", fact="orders", kinds=["purchase"]),
    Tally("user", fact="sessions"),
    Tally("user", fact="carted", kinds=["cart"], half_life="1s"),
    Tally("user", fact="cart_bought", kinds=["purchase"]),
    Tally("user", kinds=["purchase"], where=("device", 1)),
    Tally("item", fact="time", keep="smallest"),
    Tally("item", fact="time", kinds=["purchase"], keep="largest"),
    Tally("item", fact="dwell", half_life="50ms"),
    Tally("item", fact="dwelt", half_life="50ms"),
    Tally("user", "item", fact="weight", kinds={"view": 1, "cart": 4}, half_life="20ms"),
    Tally("user", "item", fact="gap", kinds=["purchase"]),
    Tally("user", "item", fact="repurchases", kinds=["purchase"]),
    Tally("user", "category"),
    Tally("user", "price_band"),
    Tally("user", "device"),
    Tally(kinds=["view"], half_life="10ms"),
    Tally(fact="log_price"),
    Tally("category", fact="log_price_squared"),
    Tally("price_band", fact="quantity", kinds=["purchase", "cart"]),
    Tally("item", fact="scroll"),
    Tally("item", fact="scrolled"),
    Tally("item", fact="priced"),
]
CATEGORY_OF = [0, 1, -1]


def event(seed):
    rng = np.random.default_rng(seed)
    item = int(rng.integers(3))
    return {
        "user": int(rng.integers(3)),
        "item": item,
        "kind": str(rng.choice(EVENT_TYPES)),
        "category": CATEGORY_OF[item],
        "device": int(rng.integers(-1, 2)),
        "price": float(rng.choice([math.nan, 2.0, 3.5, 0.0, 800.0])),
        "quantity": float(rng.choice([math.nan, 1.0, 3.0])),
        "weight": float(rng.choice([1.0, 0.5])),
        "dwell_ms": float(rng.choice([math.nan, 5_000.0])),
        "scroll_pct": float(rng.choice([math.nan, 40.0])),
        "order": float(rng.choice([math.nan, 7.0, 8.0])),
    }


def log_of(pauses, seeds):
    times = np.cumsum(pauses).tolist()
    return [{**event(seed), "time": time} for time, seed in zip(times, seeds, strict=False)]


def event_columns(log, parts):
    return {
        "times": np.array([e["time"] for e in log], np.int64),
        "kinds": np.array([EVENT_CODES[e["kind"]] for e in log], np.int8),
        "parts": np.array([[e.get(p, -1) for p in parts] for e in log], np.int32).reshape(
            -1, len(parts)
        ),
        "numbers": np.array([[e[n] for n in signals.EVENT_NUMBERS] for e in log]).reshape(-1, 6),
    }


def row_columns(rows, parts):
    return {
        "times": np.array([r["time"] for r in rows], np.int64),
        "parts": np.array([[r.get(p, -1) for p in parts] for r in rows], np.int32).reshape(
            -1, len(parts)
        ),
        "prices": np.full(len(rows), np.nan),
    }


def new_state():
    parts = part_names(TALLIES)
    program = Program.of(TALLIES, parts, lambda part, word: word)
    return parts, program, State(program, GAP)


def key_of(event, known, names):
    said = {**event, "price_band": known["band"]}
    key = tuple(said[name] for name in names)
    return None if any(part < 0 for part in key) else key


def questions(log):
    times = sorted({e["time"] + shift for e in log for shift in (0, 1)} | {10**6})
    return [
        {"time": time, "user": user, "item": item, "category": CATEGORY_OF[item], "device": 1}
        for time in times
        for user in (0, 2)
        for item in (0, 2)
    ]


logs = st.builds(
    log_of,
    st.lists(st.sampled_from([0, 1, 5, 39, 40, 41, 200]), max_size=25),
    st.lists(st.integers(0, 2**32 - 1), min_size=25, max_size=25),
)


@settings(max_examples=25)
@given(logs)
def test_every_question_is_answered_from_what_came_before_it(log):
    parts, program, state = new_state()
    rows = questions(log)
    visible = [sum(e["time"] < row["time"] for e in log) for row in rows]
    tallies, answers = state.follow(
        event_columns(log, parts), row_columns(rows, parts), np.array(visible, np.int64)
    )
    facts = naive.facts_of(log, GAP)
    for row, question in enumerate(rows):
        prices = [e["price"] for e in log if e["item"] == question["item"]
                  and e["time"] < question["time"] and e["price"] == e["price"]]  # fmt: skip
        price = prices[-1] if prices else math.nan
        told = dict(zip(signals.ANSWERS, answers[:, row], strict=True))
        np.testing.assert_equal(told["price"], price)
        assert told["price_band"] == naive.band(price)
        seen = naive.visit(log, question["user"], question["time"], GAP)
        np.testing.assert_equal(told["idle"], seen["idle"])
        assert told["session_events"] == seen["events"]
        start = seen["start"]
        assert told["session_time"] == (0 if start is None else question["time"] - start)
        assert told["session_recent"] == len(seen["items"])
        assert told["session_item_hits"] == seen["items"].count(question["item"])
        moved = [e["kind"] for e in log if e["time"] < question["time"]
                 and (e["user"], e["item"]) == (question["user"], question["item"])
                 and e["kind"] in ("cart", "remove", "purchase")]  # fmt: skip
        assert told["in_cart"] == (moved[-1:] == ["cart"])
        known = [category for category in seen["categories"] if category >= 0]
        assert told["session_category_hits"] == known.count(question["category"])
        assert told["session_categories"] == len(set(known))
        for tally in TALLIES:
            key = key_of(question, {"band": naive.band(price)}, tally.key)
            expected = naive.tally(log, facts, key_of, tally, key, question["time"])
            if key is None:
                expected = 0.0 if tally.keep == "sum" else math.nan
            np.testing.assert_allclose(
                tallies[program.order[tally], row],
                expected,
                rtol=1e-9,
                atol=1e-9,
                err_msg=str(tally),
            )


@settings(max_examples=15)
@given(logs, st.integers(1, 5))
def test_a_pass_in_pieces_is_the_same_to_the_bit(log, size):
    parts, _, whole = new_state()
    rows = row_columns(questions(log), parts)
    events = event_columns(log, parts)
    visible = np.searchsorted(events["times"], rows["times"])
    at_once = whole.follow(events, rows, visible)
    _, _, state = new_state()
    told, done = [], 0
    for start in range(0, len(visible), size):
        piece = slice(start, start + size)
        end = max(done, int(visible[piece][-1]))
        told.append(
            state.follow(
                {name: column[done:end] for name, column in events.items()},
                {name: column[piece] for name, column in rows.items()},
                np.maximum(visible[piece] - done, 0),
            )
        )
        done = end
    for place in (0, 1):
        pieces = np.concatenate([pair[place] for pair in told], axis=1) if told else at_once[place]
        np.testing.assert_array_equal(at_once[place], pieces)


def test_what_is_bought_leaves_the_cart():
    parts, program, state = new_state()
    kinds = ["cart", "cart", "purchase", "cart", "remove", "cart"]
    log = [{**event(0), "user": 0, "item": 1, "kind": kind, "time": n}
           for n, kind in enumerate(kinds)]  # fmt: skip
    rows = [{"user": 0, "item": 1, "time": n} for n in range(7)]
    tallies, answers = state.follow(
        event_columns(log, parts), row_columns(rows, parts), np.arange(7, dtype=np.int64)
    )
    assert answers[signals.ANSWERS.index("in_cart")].tolist() == [0, 1, 1, 0, 1, 0, 1]
    assert tallies[program.order[TALLIES[5]], -1] == 1
    carted = Tally("user", fact="carted", kinds=["cart"], half_life="1s")
    assert tallies[program.order[carted], -1] == pytest.approx(3, rel=0.01)


def test_a_late_event_counts_aged_and_belongs_to_no_visit():
    parts, program, state = new_state()
    early = {**event(1), "user": 0, "item": 0, "kind": "view", "time": 1_000}
    late = {**early, "time": 900}
    state.follow(event_columns([early], parts), row_columns([], parts), np.empty(0, np.int64))
    asked = row_columns([{"time": 1_000, "user": 0, "item": 0}], parts)
    tallies, answers = state.follow(event_columns([late], parts), asked, np.ones(1, np.int64))
    counted = tallies[program.order[TALLIES[0]], 0]
    assert counted == pytest.approx(1 + 2 ** (-100 / 30))
    assert answers[signals.ANSWERS.index("session_events"), 0] == 1
    assert tallies[program.order[TALLIES[7]], 0] == 900 / naive.DAY


def test_the_kernel_names_kinds_as_the_library_does():
    named = {"impression": signals._IMPRESSION, "cart": signals._CART, "remove": signals._REMOVE,
             "purchase": signals._PURCHASE, "return": signals._RETURN}  # fmt: skip
    assert named == {kind: EVENT_CODES[kind] for kind in named}


def test_many_keys_find_their_pages_again():
    tallies = [Tally("user", "item")]
    parts = part_names(tallies)
    state = State(Program.of(tallies, parts, lambda part, word: word), GAP)
    log = [{**event(0), "user": n % 17, "item": n // 17, "kind": "view", "time": n}
           for n in range(17 * 30)]  # fmt: skip
    for start in range(0, len(log), 100):
        state.follow(
            event_columns(log[start : start + 100], parts), row_columns([], parts),
            np.empty(0, np.int64),
        )  # fmt: skip
    rows = [{"time": 10**6, "user": n % 17, "item": n // 17} for n in range(17 * 31)]
    counted, _ = state.follow(
        event_columns([], parts), row_columns(rows, parts), np.zeros(len(rows), np.int64)
    )
    assert counted[0].tolist() == [1.0] * 510 + [0.0] * 17
