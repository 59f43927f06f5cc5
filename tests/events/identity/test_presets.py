"""The rules of customer data platforms, each shown by what sets it apart."""

import pandas as pd
import pytest

import recopersona as rp

FAMILY = pd.DataFrame(
    {
        "user_id": ["ann", None, "ben", None],
        "email": [None] * 4,
        "cookie": [None, None, "ben's", None],
        "device_id": ["tablet"] * 4,
        "timestamp": pd.date_range("2026-01-01", periods=4, tz="UTC"),
    }
)


def users(graph, **arguments):
    found = graph.update(FAMILY).resolve(FAMILY, **arguments)["user_id"]
    return found.astype(object).where(found.notna(), None).tolist()


def test_segment_drops_what_ranks_below_a_refused_identifier():
    log = pd.DataFrame(
        {
            "user_id": ["ann", "ben"], "cookie": ["c1", "c1"], "device_id": ["d1", "d2"],
            "timestamp": pd.date_range("2026-01-01", periods=2, tz="UTC"),
        }
    )  # fmt: skip
    usual, segment = rp.IdentityGraph().update(log), rp.IdentityGraph.segment().update(log)
    assert usual.profile_of(device_id="d2") == "user_id:ben"
    assert segment.profile_of(device_id="d2") == "device_id:d2"
    assert segment.refusals()["reason"].tolist() == ["limit of user_id: 1", "below a refusal"]


def test_segment_gives_nobody_a_device_that_was_below_the_refusal_of_a_second_person():
    log = pd.DataFrame(
        {
            "user_id": ["ann", "ben", None], "cookie": ["shop", "shop", "shop"],
            "device_id": ["tablet"] * 3,
            "timestamp": pd.date_range("2026-01-01", periods=3, tz="UTC"),
        }
    )  # fmt: skip
    segment = rp.IdentityGraph.segment().update(log)
    assert segment.refusals()["reason"].tolist() == ["limit of user_id: 1", "below a refusal"]
    assert segment.resolve(log)["user_id"].tolist() == [
        "user_id:ann", "user_id:ben", "cookie:shop",
    ]  # fmt: skip
    assert segment.profile_of(device_id="tablet") == "device_id:tablet"


def test_segment_holds_five_of_every_other_kind():
    log = pd.DataFrame({"user_id": "ann", "cookie": [f"c{n}" for n in range(7)]})
    graph = rp.IdentityGraph.segment().update(log)
    assert len(graph.members("user_id:ann")) == 6
    assert graph.counts_["refused: limit of cookie: 5"] == 2


def test_first_touch_gives_a_shared_device_to_the_first_person_as_segment_does():
    found = users(rp.IdentityGraph.segment(), back_dating="first_touch")
    assert found == ["user_id:ann", "user_id:ann", "user_id:ben", "user_id:ann"]


def test_rudderstack_brings_together_whatever_links_connect():
    graph = rp.IdentityGraph.rudderstack(blocked={"device_id": ["tablet"]})
    assert users(graph) == ["user_id:ann", None, "user_id:ben", None]
    assert set(users(rp.IdentityGraph.rudderstack())) == {"user_id:ann"}
    assert rp.IdentityGraph.rudderstack().update(FAMILY).counts_["ambiguous"] == 0


def test_snowplow_gives_a_device_of_two_users_a_profile_of_its_own():
    found = users(rp.IdentityGraph.snowplow())
    assert found == ["user_id:ann", "device_id:tablet", "user_id:ben", "device_id:tablet"]


def test_snowplow_has_no_limit_but_that_of_users():
    log = pd.DataFrame({"user_id": "ann", "cookie": [f"c{n}" for n in range(40)]})
    assert len(rp.IdentityGraph.snowplow().update(log).members("user_id:ann")) == 41


def test_snowplow_stitches_users_by_the_last_touch():
    found = users(rp.IdentityGraph.snowplow(), back_dating="last_touch")
    assert found == ["user_id:ann", "user_id:ben", "user_id:ben", "user_id:ben"]


@pytest.mark.parametrize("name", ["segment", "rudderstack", "snowplow"])
def test_a_preset_takes_every_parameter_in_place_of_its_own(name):
    graph = getattr(rp.IdentityGraph, name)(limits={"cookie": 9}, priority=("cookie",))
    assert type(graph) is rp.IdentityGraph
    assert (graph.limits, tuple(graph.priority)) == ({"cookie": 9}, ("cookie",))
