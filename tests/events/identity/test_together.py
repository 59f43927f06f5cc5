"""Many values are told together whose they are, as each is told alone."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

import recopersona as rp
from recopersona.events.consent.profiles import all_stand_for, stands_for

VALUES = ["a", "b", "c", "null", "", " a ", 7, 7.0, None, "x"]
rows = st.lists(
    st.fixed_dictionaries(
        {kind: st.sampled_from(["a", "b", "c", 7, None]) for kind in ("user_id", "cookie", "card")}
    ),
    max_size=9,
)


class OneByOne:
    """A graph that is asked about one at a time."""

    def __init__(self, graph):
        self.members, self.profile_of = graph.members, graph.profile_of


@given(rows, st.integers(1, 3), st.sampled_from(["user_id", "cookie", "card", "phone", "door"]))
def test_of_many_each_stands_for_whom_it_stands_for_alone(links, limit, kind):
    graph = rp.IdentityGraph(limits={"user_id": 1, "cookie": limit}, kinds=["card"])
    if links:
        graph.update(pd.DataFrame(links, dtype=object))
    names = graph.profiles()["profile"].unique().tolist()
    seen = [f"{one}:{value}" for one in ("user_id", "cookie") for value in ("a", "c")]
    asked = [*VALUES, *names, *seen, "cookie:b (shared)", "card:nobody"]
    if kind == "phone":  # any other value needs a key
        asked = names
    alone = [stands_for(OneByOne(graph), kind, value) for value in asked]
    together = all_stand_for(graph, kind, asked)
    assert [set(one) for one in together] == [set(one) for one in alone]
    assert [one[:1] for one in together] == [one[:1] for one in alone]


def test_who_is_asked_before_anybody_came_stands_for_nobody_else():
    assert rp.IdentityGraph().together("user_id", ["a", None]) == [(), ()]
