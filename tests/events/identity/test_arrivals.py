"""Values as they come: what is an identifier at sight is what it would be after a close look."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
