"""The first request after a login: the device's visit and the person's past in one question."""

import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import DataError, NotFittedError, ParameterError
from recopersona.events.identity.login import joined

DAY = pd.Timedelta("1D")
START = pd.Timestamp("2026-07-01", tz="UTC")


def log_of(*rows):
    """Return events of (user, device, item) or (user, device, item, kind), one a day."""
    full = [(*row, "view")[:4] for row in rows]
    frame = pd.DataFrame(full, columns=["user_id", "anonymous_id", "item_id", "event"])
    return frame.assign(timestamp=[START + DAY * day for day in range(len(rows))])


BEFORE = log_of(
    ("30", "laptop", "kettle", "purchase"),
    ("30", "laptop", "pot"),
    ("31", None, "kettle"),
    (None, "phone", "cup"),
    (None, "phone", "whisk", "cart"),
)
LOGIN = {"user_id": "30", "anonymous_id": "phone"}


@pytest.fixture
def graph():
    return rp.IdentityGraph().update(BEFORE)


@pytest.fixture
def model(graph):
    return rp.ItemKNN().fit(graph.resolve(BEFORE))


def test_without_a_model_the_user_is_the_profile_and_the_session_the_given_one(graph):
    asked = graph.query(LOGIN, session=["tea"], context={"page": "cart"}, seed="tea")
    assert asked == rp.Query("user_id:30", session=["tea"], context={"page": "cart"}, seed="tea")


def test_a_plain_id_is_a_user_id(graph):
    assert graph.query("30").user_id == graph.query({"user_id": 30}).user_id == "user_id:30"


def test_a_device_alone_is_its_profile(graph):
    assert graph.query({"anonymous_id": "laptop"}).user_id == "user_id:30"
    assert graph.query({"anonymous_id": "new"}).user_id == "anonymous_id:new"


def test_who_shows_no_identifier_is_a_stranger(graph, model):
    assert graph.query({}, session=["tea"]).user_id is None
    assert graph.query({"user_id": None, "anonymous_id": "null"}, past=model).user_id is None


def test_what_the_device_did_before_the_login_comes_first(graph, model):
    asked = graph.query(LOGIN, session=["tea"], past=model)
    assert asked.user_id == "user_id:30"
    assert asked.session == ("cup", "whisk", "tea")


def test_so_it_does_once_the_graph_has_heard_of_the_login(graph, model):
    graph.update({**LOGIN, "timestamp": START + 9 * DAY})
    assert graph.query({"user_id": "30"}, session=["tea"], past=model).session == (
        "cup", "whisk", "tea",
    )  # fmt: skip


def test_the_older_device_that_names_the_profile_now_does_not_hide_what_was_known_of_the_person():
    log = log_of((None, "phone", "cup"), ("30", None, "kettle"), ("30", None, "pot"))
    graph = rp.IdentityGraph().update(log)
    model = rp.ItemKNN().fit(graph.resolve(log))
    graph.update({**LOGIN, "timestamp": START + 9 * DAY})
    assert graph.profile_of(user_id="30") == "anonymous_id:phone"
    asked = graph.query(LOGIN, past=model)
    assert asked.user_id == "user_id:30"
    assert asked.session == ("cup",)


def test_both_the_visit_and_the_past_speak_in_the_first_answer():
    """Teapots go with cups, and kettles with scales: the first page after the login has both."""
    pairs = [
        (f"{number}", None, item)
        for number in range(40, 60)
        for item in (("kettle", "scale") if number % 2 else ("teapot", "cup"))
    ]
    log = log_of(*pairs, ("30", "laptop", "kettle", "purchase"), (None, "phone", "teapot"))
    graph = rp.IdentityGraph().update(log)
    model = rp.ItemKNN().fit(graph.resolve(log))
    scale, cup = model.items_.indices(["scale", "cup"])
    asked = graph.query(LOGIN, past=model)
    assert set(model.recommend(asked, n=2).item_ids) == {"scale", "cup"}
    stitched = model.score_items(asked)
    assert min(stitched[scale], stitched[cup]) > 0
    past_alone, visit_alone = (
        model.score_items(rp.Query(user)) for user in ("user_id:30", "anonymous_id:phone")
    )
    assert max(past_alone[cup], visit_alone[scale]) <= 0  # each alone knows of one only


def test_nothing_is_taken_from_a_device_of_somebody_else(model, graph):
    assert graph.query({"user_id": "31", "anonymous_id": "laptop"}, past=model).session == ()


def test_nothing_is_taken_from_a_shared_device(graph, model):
    graph.update({"user_id": "31", "anonymous_id": "phone", "timestamp": START + 8 * DAY})
    graph.update({**LOGIN, "timestamp": START + 9 * DAY})
    for user in ("30", "31"):
        asked = graph.query({"user_id": user, "anonymous_id": "phone"}, past=model)
        assert asked.user_id == f"user_id:{user}"
    assert graph.query({"user_id": "30", "anonymous_id": "phone"}, past=model).session == ()
    assert graph.query({"anonymous_id": "phone"}, past=model).user_id == "anonymous_id:phone"
    assert graph.query({"anonymous_id": "phone"}, past=model).session == ()


def test_a_device_that_would_break_a_limit_adds_nothing():
    log = log_of(("30", "a", "kettle"), (None, "b", "cup"))
    graph = rp.IdentityGraph(limits={"anonymous_id": 1}).update(log)
    model = rp.ItemKNN().fit(graph.resolve(log))
    assert graph.query({"user_id": "30", "anonymous_id": "b"}, past=model).session == ()


def test_what_the_model_has_heard_of_the_session_is_not_taken_twice(graph, model):
    asked = graph.query(LOGIN, session=["whisk", "tea"], past=model)
    assert asked.session == ("cup", "whisk", "tea")


def test_the_session_has_at_most_the_last_twenty_items():
    log = log_of(("30", None, "kettle"), *[(None, "phone", f"i{n}") for n in range(30)])
    graph = rp.IdentityGraph().update(log)
    model = rp.ItemKNN().fit(graph.resolve(log))
    asked = graph.query(LOGIN, session=["a", "b"], past=model)
    assert asked.session == (*[f"i{n}" for n in range(12, 30)], "a", "b")


def test_what_was_only_shown_or_sent_back_is_no_part_of_a_visit():
    log = log_of(
        ("30", None, "kettle"), (None, "phone", "pan", "impression"), (None, "phone", "cup"),
        (None, "phone", "cup", "remove"), (None, "phone", "cup", "return"),
    )  # fmt: skip
    graph = rp.IdentityGraph().update(log)
    model = rp.ItemKNN().fit(graph.resolve(log))
    assert graph.query(LOGIN, past=model).session == ("cup",)


def test_nothing_is_taken_that_happened_after_the_question(graph, model):
    asked = graph.query(LOGIN, past=model, now=START + 3 * DAY)
    assert asked.session == ("cup",)
    assert graph.query(LOGIN, past=model, now="2026-06-01").session == ()


def test_a_model_without_times_gives_what_it_has():
    log = BEFORE.drop(columns="timestamp")
    graph = rp.IdentityGraph().update(log)
    model = rp.ItemKNN().fit(graph.resolve(log))
    assert graph.query(LOGIN, past=model, now="2026-06-01").session == ("cup", "whisk")


def test_a_pipeline_is_a_past_too(graph):
    home = rp.Pipeline(candidates=[rp.Popularity()]).fit(graph.resolve(BEFORE))
    assert graph.query(LOGIN, past=home).session == ("cup", "whisk")


def test_a_model_that_knows_bare_ids_is_asked_by_them(graph):
    model = rp.ItemKNN().fit(BEFORE.dropna(subset=["user_id"]))
    assert graph.query(LOGIN, past=model).user_id == "30"


def test_asking_changes_nothing(graph, model):
    before = graph.profiles(), graph.counts_
    graph.query({"user_id": "new", "anonymous_id": "phone"}, past=model)
    assert graph.profiles().equals(before[0])
    assert graph.counts_ == before[1]
    assert "user_id:new" not in model.users_


def test_a_graph_that_has_seen_nobody_answers():
    assert rp.IdentityGraph().query(LOGIN).user_id == "user_id:30"


def test_bad_questions_are_refused_in_words(graph):
    with pytest.raises(DataError, match=r"no kind of identifier 'user'; did you mean 'user_id'"):
        graph.query({"user": "30"})
    with pytest.raises(DataError, match="past must be a fitted model or pipeline, got 'model'"):
        graph.query(LOGIN, past="model")
    with pytest.raises(DataError, match=r"fitted model or pipeline, got a DataFrame\."):
        graph.query(LOGIN, past=pd.DataFrame({"user_id": ["30"]}))
    with pytest.raises(NotFittedError, match="has learned nothing yet"):
        graph.query(LOGIN, past=rp.ItemKNN())
    with pytest.raises(ParameterError, match="user_id belongs into ids"):
        graph.query({"anonymous_id": "phone"}, user_id="30")
    with pytest.raises(DataError, match="session must be a list of item ids"):
        graph.query(LOGIN, session="tea")


@pytest.mark.parametrize(
    ("before", "session", "expected"),
    [
        ([], ["a"], ("a",)),
        (["a"], [], ("a",)),
        (["a", "b"], ["b"], ("a", "b")),
        (["a", "b"], ["a", "b", "c"], ("a", "b", "c")),
        (["b", "a"], ["b", "c"], ("b", "a", "b", "c")),
        (["a", "a"], ["a", "a", "a"], ("a", "a", "a")),
    ],
)
def test_what_is_in_both_at_the_seam_is_taken_once(before, session, expected):
    assert joined(before, session) == expected
