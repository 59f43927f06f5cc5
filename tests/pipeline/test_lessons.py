from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.data.event import Event
from recopersona.pipeline.lessons import lessons_of
from tests.rankers.learners import Line

SOURCES = [rp.ItemKNN(), rp.Popularity()]


class Witness(rp.Popularity):
    """Popularity that remembers who asked when, and what it had learned by then."""

    asked: ClassVar = []

    def _rank(self, queries, *rest, **named):
        learned = self.end_
        Witness.asked += [(query, learned, self.past_.copy(), self.users_) for query in queries]
        return super()._rank(queries, *rest, **named)


def shop(seed=3, **settings):
    return rp.synthetic_shop(120, 40, random_state=seed, **settings)


def lessons(data, ranker, candidates=SOURCES):
    twin = rp.Pipeline(candidates=candidates)
    return lessons_of(data, lambda early: twin.fit(early), ranker)


def test_models_know_all_that_was_hers_and_nothing_that_was_to_come():
    Witness.asked.clear()
    data = shop()
    lessons(data, Line(), [Witness()])
    assert len(Witness.asked) > 50
    log, users = data.log, data.users
    for query, learned, past, _ in Witness.asked:
        assert learned < query.now
        user = users.index(query.user_id)
        before = log.items[(log.users == user) & (log.timestamp < query.now)]
        assert past.seen(user).tolist() == np.unique(before).tolist()


def test_whoever_watches_sees_how_far_it_is(monkeypatch):
    told = []
    monkeypatch.setattr(
        "recopersona.pipeline.lessons.progress",
        lambda steps, label: told.append((label, len(steps))) or steps,
    )
    _, _, counts = lessons(shop(), Line())
    ((label, n_steps),) = told
    assert label == "lessons for Line"
    assert 0 < n_steps <= counts["moments"]


def test_labels_are_what_she_takes_from_then_on():
    data, ranker = shop(), Line(seen="keep", negatives=5)
    found, why, counts = lessons(data, ranker)
    assert why == ""
    assert counts["found"] == found.labels.sum() > 0
    rows = data.interactions
    for place, query in enumerate(found.queries):
        after = (rows.users == data.users.index(query.user_id)) & (rows.timestamp >= query.now)
        taken = set(rows.items[after].tolist())
        part = slice(*found.bounds[place : place + 2])
        for item, label in zip(found.rankings[place].items, found.labels[part], strict=True):
            assert (int(item) in taken) == (label == 1)


def test_weights_stand_for_all_candidates():
    data = shop()
    every, _, _ = lessons(data, Line(negatives=1_000))
    drawn, _, _ = lessons(data, Line(negatives=3))
    assert (every.weights == 1).all()
    sizes = np.add.reduceat(every.weights, every.bounds[:-1])
    np.testing.assert_allclose(np.add.reduceat(drawn.weights, drawn.bounds[:-1]), sizes, rtol=1e-5)
    assert drawn.labels.sum() == every.labels.sum()
    assert np.add.reduceat(drawn.labels == 0, drawn.bounds[:-1]).max() == 3


def test_one_moment_of_everybody_comes_before_a_second_of_anybody():
    data = shop()
    all_moments, _, _ = lessons(data, Line())
    users = {query.user_id for query in all_moments.queries}
    few, _, counts = lessons(data, Line(requests=20))
    assert counts["moments"] == 20
    asked = [query.user_id for query in few.queries]
    assert len(set(asked)) == len(asked)
    assert set(asked) <= users


def test_the_same_seed_makes_the_same_lessons():
    one, other = (lessons(shop(), Line(negatives=3))[0] for _ in range(2))
    assert one.queries == other.queries
    assert [r.item_ids for r in one.rankings] == [r.item_ids for r in other.rankings]
    another = lessons(shop(), Line(negatives=3, random_state=1))[0]
    assert [r.item_ids for r in another.rankings] != [r.item_ids for r in one.rankings]


def test_targets_and_what_counts_as_seen_are_the_rankers():
    data = shop()
    found, _, counts = lessons(data, Line(target=["purchase"], seen=["purchase"]))
    assert counts["not_allowed"] < lessons(data, Line(target=["purchase"]))[2]["not_allowed"]
    bought = data.interactions.take(data.interactions.event == 8)
    moments = set(zip(data.users.ids[bought.users], bought.timestamp.tolist(), strict=True))
    assert {(query.user_id, query.now) for query in found.queries} <= moments


def test_a_request_brings_the_visit():
    events = [
        Event("anna", "tea", "view", 1_700_000_000), Event("anna", "salt", "view", 1_700_090_000),
        Event("anna", "gold", "view", 1_700_090_060), Event("anna", "honey", "view", 1_700_090_120),
        Event("ben", "honey", "view", 1_700_000_000), Event("ben", "gold", "view", 1_700_000_060),
        Event("ben", "rice", "view", 1_700_000_090),
    ]  # fmt: skip
    found, _, _ = lessons(rp.Dataset.from_frames(events), Line(share=0.15))
    assert [query.session for query in found.queries] == [("salt", "gold")]


def test_without_times_pairs_are_held_out():
    events = shop().events_frame()[["user_id", "item_id"]]
    data = rp.Dataset.from_frames(events)
    found, why, counts = lessons(data, Line())
    assert why == ""
    pairs = events.drop_duplicates().groupby("user_id").size()
    assert counts["moments"] == (pairs >= 2).sum()
    assert counts["not_allowed"] == 0
    home = rp.Pipeline(candidates=SOURCES, ranker=Line()).fit(data)
    assert home.ranker_.columns_.features_ is None
    assert home.recommend(found.queries[0], n=3).sources != []


@pytest.mark.parametrize(
    ("events", "ranker", "why"),
    [
        ([Event("anna", "tea", "view", 1_700_000_000)], Line(), "happened at once"),
        ([Event("anna", "tea"), Event("ben", "tea")], Line(), "nobody has two targets"),
        ([Event("anna", f"i{n}", "view", 1_700_000_000 + n) for n in range(20)],
         Line(target=["purchase"]), "no event of the log is a target"),
        ([Event("anna", f"i{n}", "view", 1_700_000_000 + n) for n in range(20)],
         Line(), "no model named anything that was taken"),
    ],
)  # fmt: skip
def test_where_there_are_no_lessons_every_answer_says_why(events, ranker, why):
    home = rp.Pipeline(candidates=SOURCES, ranker=ranker).fit(events)
    assert why in home.ranker_.untaught_
    effect = home.recommend("a stranger").effects[-1]
    assert effect.startswith("the ranker had nothing to learn from: ")
    assert why in effect


def test_what_only_the_future_knows_is_no_candidate():
    data = shop()
    first = np.full(len(data.items), np.iinfo(np.int64).max)
    np.minimum.at(first, data.log.items, data.log.timestamp)
    undescribed = rp.Dataset.from_frames(data.events_frame())
    moved = undescribed.items.indices(data.items.ids)
    births = dict(zip(moved.tolist(), first.tolist(), strict=True))
    found, _, _ = lessons(undescribed, Line(share=0.9))
    assert all(
        births[item] < query.now
        for query, ranking in zip(found.queries, found.rankings, strict=True)
        for item in ranking.items.tolist()
    )


def test_a_return_is_no_target():
    time = 1_700_000_000
    events = pd.DataFrame({
        "user_id": ["anna", "ben", "cleo", "anna", "ben", "ben"],
        "item_id": ["tea", "salt", "rice", "salt", "tea", "tea"],
        "event": ["view", "view", "view", "purchase", "purchase", "return"],
        "timestamp": [time, time, time, time + 10, time + 20, time + 30],
    })  # fmt: skip
    found, _, counts = lessons(rp.Dataset.from_frames(events), Line(share=0.5))
    assert [query.user_id for query in found.queries] == ["anna"]
    assert counts["moments"] == 1
