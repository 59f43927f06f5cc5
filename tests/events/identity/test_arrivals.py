"""Values as they come: what is an identifier at sight is what it would be after a close look."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recopersona as rp
from recopersona.events.identifiers import LONGEST_ID, bare
from recopersona.events.identity.arrivals import BLOCKED, UNFIT, judge_of
from recopersona.events.identity.kinds import BLOCKED as WORDS
from recopersona.events.identity.kinds import Kinds

letters = st.sampled_from("0-aU \t\x00\x7f~!é\u2009")
texts = st.one_of(
    st.text(letters, max_size=14),
    st.sampled_from(WORDS),
    st.sampled_from("0-x ").map(lambda one: one * 12),
    st.integers(LONGEST_ID - 1, LONGEST_ID + 1).map(lambda n: "x" * n),
)


def looked_at(text, kinds):
    """Return what `judge_of` says, as the words of the rules have it."""
    text = bare(text)
    if len(text) > LONGEST_ID:
        return UNFIT
    return BLOCKED if kinds.blocks("cookie", text) else f"cookie:{text}"


@given(texts, st.sampled_from([None, {"cookie": ["^x+$"]}, {"user_id": ["^x+$"]}]))
def test_a_plain_text_is_judged_as_any_other(text, blocked):
    kinds = Kinds.of(None, None, None, blocked, "limits")
    verdict = judge_of("cookie", kinds, None, None)(text)
    found = verdict if isinstance(verdict, str) else verdict.reason
    assert found == looked_at(text, kinds)


@pytest.mark.parametrize("text", ["0" * 12, "-" * 12, "0-" * 40, "x-test-of-us"])
def test_a_long_text_may_be_blocked_too(text):
    kinds = Kinds.of(None, None, None, {"cookie": ["^x-test.*$"]}, "limits")
    assert judge_of("cookie", kinds, None, None)(text).reason == BLOCKED


def test_of_those_met_in_one_moment_the_higher_kind_is_older_whichever_link_comes_first():
    log = pd.DataFrame({
        "user_id": ["anna", "anna", "anna", None, None],
        "cookie": [None, None, None, "c1", "c1"],
        "device_id": ["d1", "d2", "d3", None, "d3"],
        "timestamp": pd.to_datetime([f"2026-05-0{day}" for day in (1, 2, 3, 3, 4)]),
    })  # fmt: skip
    graph = rp.IdentityGraph(limits={"device_id": 2}).update(log)
    assert graph.profile_of(device_id="d3") == "cookie:c1"
