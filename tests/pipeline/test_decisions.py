"""Feedback in pieces and in time, decisions of which nothing is heard, and the log as a frame."""

import threading

import recopersona as rp
from recopersona.rerank.attribution import Windows

SHOP = rp.synthetic_shop(60, 30, 20, random_state=3)
HOUR = 3_600_000
NOW = SHOP.end


class Waiting:
    """A stage that waits a day for clicks and a week for purchases, and notes what it is told."""

    windows = Windows.of({"click": "24h", "purchase": "7d"})

    def __init__(self):
        self.taught, self.grew = [], []

    def __call__(self, query, ranking):
        return ranking

    def _learn_outcome(self, decision):
        self.taught.append((decision.decision_id, decision.outcome))

    def _outcome_grew(self, before, after):
        self.grew.append((before.outcome, after.outcome))


def home(**settings):
    settings.setdefault("reranker", Waiting())
    return rp.Pipeline(candidates=[rp.Popularity()], **settings).fit(SHOP)


def show(pipeline, name, now=NOW, user="u-0001"):
    return pipeline.recommend(rp.Query(user, decision_id=name, now=now), n=3).item_ids


def counts(pipeline):
    return {name: count for name, count in pipeline.feedback_counts_.items() if count}


def test_what_is_new_teaches_the_difference():
    pipeline = home()
    first, second, _ = show(pipeline, "d")
    assert pipeline.feedback("d", clicked=[first])
    assert pipeline.feedback("d", clicked=[first, second])
    assert pipeline.feedback("d", purchased=[first])
    assert not pipeline.feedback("d", clicked=[first])  # it was a purchase
    assert not pipeline.feedback("d", purchased=[first])
    stage = pipeline.reranker_
    assert stage.taught == [("d", {first: "click"})]
    assert stage.grew[-1] == (
        {first: "click", second: "click"}, {first: "purchase", second: "click"},
    )  # fmt: skip
    assert counts(pipeline) == {"taught": 1, "revised": 2, "repeated": 2}


def test_the_same_feedback_in_any_order_ends_alike():
    ends = []
    for order in (("click", "purchase"), ("purchase", "click")):
        pipeline = home()
        first = show(pipeline, "d")[0]
        for kind in order:
            pipeline.feedback("d", outcome={first: kind})
        ends.append(pipeline.decisions_["d"].outcome)
    assert ends[0] == ends[1] == {first: "purchase"}


def test_what_comes_after_its_window_is_counted_and_not_learned():
    pipeline = home()
    first, second, _ = show(pipeline, "d")
    assert not pipeline.feedback("d", clicked=[first], now=NOW + 25 * HOUR)
    assert pipeline.decisions_["d"].outcome == {}  # and the feedback told how late it is
    assert pipeline.feedback("d", clicked=[second], purchased=[first], now=NOW + 25 * HOUR)
    assert pipeline.decisions_["d"].outcome == {first: "purchase"}
    assert not pipeline.feedback("d", purchased=[second], now=NOW + 8 * 24 * HOUR)
    assert counts(pipeline) == {"expired": 3, "settled": 1, "revised": 1}


def test_a_decision_of_which_nothing_is_heard_moved_nobody():
    pipeline = home()
    show(pipeline, "silent")
    show(pipeline, "heard")
    pipeline.feedback("heard", clicked=[])
    show(pipeline, "later", now=NOW + 24 * HOUR)
    assert pipeline.reranker_.taught == [("heard", {})]
    show(pipeline, "much later", now=NOW + 24 * HOUR + 1)
    assert pipeline.reranker_.taught == [("heard", {}), ("silent", {})]
    assert counts(pipeline) == {"taught": 1, "settled": 1}


def test_events_tell_the_time_too():
    pipeline = home()
    show(pipeline, "silent")
    pipeline.partial_fit(rp.Event("u-0002", SHOP.items.ids[0], timestamp=NOW + 25 * HOUR))
    assert counts(pipeline) == {"settled": 1}


def test_no_request_waits_for_many_decisions_to_be_settled():
    pipeline = home()
    for number in range(40):
        show(pipeline, f"d{number}")
    show(pipeline, "later", now=NOW + 25 * HOUR)
    assert counts(pipeline) == {"settled": 16}
    show(pipeline, "later still", now=NOW + 25 * HOUR)
    assert counts(pipeline) == {"settled": 32}


def test_a_decision_asked_for_again_waits_from_then_on():
    pipeline = home()
    show(pipeline, "d")
    show(pipeline, "d", now=NOW + 20 * HOUR)
    show(pipeline, "other", now=NOW + 25 * HOUR)
    assert pipeline.decisions_["d"].outcome is None


def test_a_decision_pushed_out_of_the_log_moved_nobody():
    pipeline = home(decision_log=2)
    for name in "abc":
        show(pipeline, name)
    assert pipeline.reranker_.taught == [("a", {})]
    assert counts(pipeline) == {"settled": 1, "pushed_out": 1}


def test_what_waits_is_no_more_than_what_is_remembered():
    pipeline = home(decision_log=20)
    for n in range(100):
        first = show(pipeline, str(n), NOW + n)[0]
        if n % 3:
            pipeline.feedback(str(n), clicked=[first])
    assert list(pipeline.decisions_) == [str(n) for n in range(80, 100)]
    assert len(pipeline._due) <= 20
    assert len(pipeline._names) == 20


def test_a_full_log_lets_the_oldest_go_whoever_was_forgotten():
    pipeline = home(decision_log=3)
    for n, user in enumerate(["u-0001", "u-0002", "u-0001"]):
        show(pipeline, str(n), user=user)
    pipeline.forget(["u-0001"])
    for n in (0, 3, 4):
        show(pipeline, str(n), user="u-0003")
    assert list(pipeline.decisions_) == ["0", "3", "4"]


def test_without_a_log_nothing_is_learned_of_silence():
    pipeline = home(decision_log=0)
    show(pipeline, "a")
    assert pipeline.reranker_.taught == []


def test_without_windows_feedback_is_never_late():
    pipeline = home(reranker=None)
    first = show(pipeline, "d")[0]
    assert pipeline.feedback("d", clicked=[first], now=NOW + 10_000 * HOUR)


def test_whoever_is_forgotten_takes_her_decisions_along():
    pipeline = home()
    show(pipeline, "hers")
    pipeline.forget(["u-0001"])
    show(pipeline, "later", now=NOW + 25 * HOUR, user="u-0002")
    assert pipeline.reranker_.taught == []
    assert pipeline.decisions_frame()["decision_id"].tolist() == ["later"]


def test_two_rule_sets_wait_for_their_own_decisions():
    pipeline = home()
    twin = pipeline.with_rules("RULE cheap: REQUIRE item.price < 1000")
    first = show(twin, "d")[0]
    assert not pipeline.feedback("d", clicked=[first])
    assert twin.feedback("d", clicked=[first])
    assert pipeline.reranker_.taught == [("d", {first: "click"})]


def test_the_log_as_a_frame():
    pipeline = home()
    first, _, _ = show(pipeline, "a")
    show(pipeline, "b", user=None)
    pipeline.feedback("a", clicked=[first])
    frame = pipeline.decisions_frame()
    assert frame["decision_id"].tolist() == ["a", "b"]
    assert frame["items"][0] == pipeline.decisions_["a"].shown
    assert frame["reward"][0] == 1
    assert frame["reward"].isna().tolist() == [False, True]
    assert frame["timestamp"].dt.tz is not None
    assert frame["arm"].tolist() == [None, None]
    assert len(home().decisions_frame()) == 0


def test_a_mailing_may_explore():
    pipeline = home()
    plain = pipeline.recommend_many(["u-0001", "u-0002"], n=2)
    assert pipeline.decisions_ == {}
    frame = pipeline.recommend_many(["u-0001", "u-0002"], n=2, explore=True)
    assert frame.drop(columns="decision_id").equals(plain)
    assert list(pipeline.decisions_) == frame["decision_id"].unique().tolist()
    assert pipeline.feedback(frame["decision_id"][0], clicked=[frame["item_id"][0]])


def test_several_threads_ask_and_tell_at_once():
    pipeline = home(decision_log=20)

    def visit(number):
        for turn in range(30):
            name = f"{number}-{turn}"
            first = show(pipeline, name)[0]
            pipeline.feedback(name, clicked=[first])

    threads = [threading.Thread(target=visit, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = pipeline.feedback_counts_
    assert told["taught"] + told["unknown"] == 120
    assert told["unknown"] == told["pushed_out"]
    assert len(pipeline.decisions_) == 20
