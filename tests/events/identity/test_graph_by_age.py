"""A graph without its old links equals one that never saw them."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

import recopersona as rp

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["u-1", "u-2", None]), st.sampled_from(["c-1", "c-2", "c-3", None]),
        st.sampled_from([None, 1, 2, 3, 4]),
    ), min_size=1, max_size=12,
)  # fmt: skip
DAY = pd.Timestamp("2026-07-01", tz="UTC")


def frame(rows):
    table = pd.DataFrame(rows, columns=["user_id", "cookie", "day"], dtype=object)
    days = pd.to_timedelta(pd.to_numeric(table.pop("day")), "D")
    return table.assign(timestamp=DAY + days, event_id=range(len(table)))


@given(ROWS, st.integers(0, 5))
def test_a_graph_without_old_links_never_saw_them(rows, day):
    table = frame(rows)
    young = table[~(table["timestamp"] < DAY + pd.Timedelta(day, "D"))]
    graph, twin = rp.IdentityGraph().update(table), rp.IdentityGraph().update(young)
    graph.forget_before(DAY + pd.Timedelta(day, "D"))
    for log in ("profiles", "merges", "refusals"):
        pd.testing.assert_frame_equal(
            getattr(graph, log)(), getattr(twin, log)(), check_dtype=False, check_index_type=False
        )


def test_links_that_hold_since_ever_stay_and_old_ones_are_counted():
    graph = rp.IdentityGraph().update(frame([("u-1", "c-1", None), ("u-1", "c-2", 1)]))
    assert graph.forget_before("2026-07-03") == 1
    assert graph.members("user_id:u-1") == [("user_id", "u-1"), ("cookie", "c-1")]
    assert graph.forget_before("2026-07-03") == 0
    assert rp.IdentityGraph().forget_before("2026-07-03") == 0
