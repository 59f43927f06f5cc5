"""Rules of visits: as the paper counts them, click by click, and what else speaks."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recopersona as rp
from recopersona.errors import DataError, ParameterError
from tests.naive import rules as naive

visits_of_letters = st.lists(
    st.lists(st.sampled_from("abcde"), min_size=1, max_size=8), min_size=1, max_size=5
)
VISITS = [list(visit) for visit in ("abca", "abd", "ba", "cabbd", "e", "deab")]


def log_of(visits):
    return pd.DataFrame({
        "user_id": np.repeat(np.arange(len(visits)), [len(visit) for visit in visits]),
        "item_id": [item for visit in visits for item in visit],
        "session_id": np.repeat(np.arange(len(visits)), [len(visit) for visit in visits]),
    })  # fmt: skip


def said(model, visit):
    scores = model.score_items(rp.Query(session=visit))
    told = np.flatnonzero(np.isfinite(scores))
    return dict(zip(model.items_.ids[told].tolist(), scores[told].tolist(), strict=True))


def rules_of(model):
    names, found = model.items_.ids, {}
    for item, (start, size) in enumerate(zip(model.starts_, model.sizes_, strict=True)):
        row = slice(start, start + size)
        others = names[model.others_[row]].tolist()
        if size:
            found[names[item]] = dict(zip(others, model.weights_[row].tolist(), strict=True))
    return found


def close(found, expected):
    return found.keys() == expected.keys() and all(
        found[key] == pytest.approx(value, rel=1e-4) for key, value in expected.items()
    )


@pytest.mark.parametrize("weighting", sorted(naive.FALLS))
@given(visits_of_letters, st.integers(1, 16), st.sampled_from([0.0, 0.5]))
@settings(max_examples=15)
def test_rules_are_the_twins(weighting, visits, steps, backward):
    model = rp.SequentialRules(steps=steps, weighting=weighting, backward=backward)
    model.fit(log_of(visits))
    expected = naive.rules(visits, steps, weighting, backward)
    found = rules_of(model)
    assert found.keys() == expected.keys()
    assert all(close(found[item], expected[item]) for item in expected)


@given(visits_of_letters, st.lists(st.sampled_from("abcdexy"), min_size=1, max_size=60),
       st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 3.0]),
       st.sampled_from([0.0, 0.2]))  # fmt: skip
@settings(max_examples=40)
def test_scores_are_the_twins(visits, visit, decay, shrink, reminder):
    options = {"decay": decay, "shrink": shrink, "reminder": reminder}
    visit = [item for item in visit if any(item in other for other in visits)]
    for model, steps, weighting, backward in (
        (rp.SequentialRules(**options), 10, "div", 0.5),
        (rp.Markov(**options), 1, "same", 0.0),
    ):
        found = said(model.fit(log_of(visits)), visit)
        rules = naive.rules(visits, steps, weighting, backward)
        assert close(found, naive.scores(rules, visit, decay, shrink, reminder))


def test_the_latest_fifty_clicks_speak():
    model = rp.Markov(decay=1, reminder=0.5).fit(log_of(VISITS))
    visit = ["e"] * 30 + ["a"] * 20 + ["b"] * 25
    assert said(model, visit)["e"] == pytest.approx(5 * 0.5)  # no rule of these leads to it


def test_the_paper_asks_the_last_click_alone():
    model = rp.SequentialRules(steps=7, decay=0, backward=0, reminder=0, shrink=0)
    found = said(model.fit(log_of(VISITS)), ["e", "d", "a"])
    rules = naive.rules(VISITS, 7)["a"]
    assert close(found, {item: weight / sum(rules.values()) for item, weight in rules.items()})


@pytest.mark.parametrize("model", [rp.SequentialRules(), rp.Markov()], ids=str)
def test_click_by_click_is_learned_what_a_fit_learns(model):
    old, new = VISITS[:2], VISITS[2:]
    online = model.fit(log_of(old))
    for number, visit in enumerate(new):
        for item in visit:
            online.partial_fit(rp.Event(f"new {number}", item))
    rest = log_of(new).assign(user_id=lambda frame: frame["user_id"] + 100)
    batch = type(model)().fit(log_of(old)).partial_fit(rest.drop(columns="session_id"))
    fitted = type(model)().fit(log_of(VISITS))
    for item, rules in rules_of(fitted).items():
        assert close(rules_of(online)[item], rules)
        assert close(rules_of(batch)[item], rules)
    visit = ["e", "a", "b"]
    assert close(said(online, visit), said(fitted, visit))


def test_a_click_is_visible_in_the_next_answer():
    model = rp.Markov(reminder=0).fit(log_of(VISITS))
    model.partial_fit(rp.Event("zoe", "d"))
    model.partial_fit(rp.Event("zoe", "brand new"))
    assert "brand new" in said(model, ["d"])
    assert said(model, ["brand new"]) == {}
    model.partial_fit(rp.Event("zoe", "a"))
    assert said(model, ["brand new"]) == {"a": pytest.approx(1 / 21)}


def test_a_reminder_speaks_for_the_click_itself_even_if_it_has_no_rule():
    model = rp.SequentialRules(reminder=0.3, decay=0.5).fit(log_of(VISITS))
    model.update_items(pd.DataFrame({"item_id": ["listed today"]}))
    assert said(model, ["listed today"]) == {"listed today": pytest.approx(0.3)}
    assert said(model, ["listed today", "a"])["listed today"] == pytest.approx(0.15)


def test_repeats_are_the_shops_choice():
    for repeats in (True, False):
        model = rp.SequentialRules(repeats=repeats).fit(log_of(VISITS))
        ranking = model.recommend(rp.Query(session=["a", "b"]), n=5)
        own = [item for item, source in zip(ranking.item_ids, ranking.sources, strict=True)
               if source == "SequentialRules"]  # fmt: skip
        assert ({"a", "b"} <= set(own)) == repeats


def test_only_the_heaviest_rules_are_kept_and_totals_stay_whole():
    full = rp.SequentialRules().fit(log_of(VISITS))
    few = rp.SequentialRules(max_rules=2).fit(log_of(VISITS))
    assert few.sizes_.max() == 2
    assert np.array_equal(few.totals_, full.totals_)
    for item, rules in rules_of(few).items():
        assert sorted(rules.values()) == sorted(rules_of(full)[item].values())[-len(rules) :]
    few.partial_fit(log_of(VISITS).drop(columns="session_id"))
    assert 2 < few.sizes_.max() <= 4


@pytest.mark.parametrize("most", [10**6, 2**62, 2**70])
def test_more_rules_than_there_can_be_are_all(most):
    few, full = (rp.SequentialRules(max_rules=limit).fit(log_of(VISITS)) for limit in (most, None))
    events = [rp.Event("zoe", item) for item in "abcabeda"]
    assert rules_of(few.partial_fit(events)) == rules_of(full.partial_fit(events))


def test_an_explanation_names_the_clicks_and_adds_up():
    model = rp.SequentialRules().fit(log_of(VISITS))
    query = rp.Query(session=["e", "a", "b"])
    frame = model.explain(query, "b")
    assert set(frame["component"]) == {"visit: click", "visit: reminder"}
    assert set(frame["evidence"]) == {"e", "a", "b"}
    assert frame["contribution"].sum() == pytest.approx(said(model, ["e", "a", "b"])["b"])


def test_ids_of_a_file_are_checked(tmp_path):
    model = rp.SequentialRules().fit(log_of(VISITS))
    model.partial_fit([rp.Event("zoe", item) for item in "abcab"])
    rp.save(model, tmp_path / "rules.rp")
    again = rp.load(tmp_path / "rules.rp")
    event = rp.Event("zoe", "d")
    assert rules_of(again.partial_fit(event)) == rules_of(model.partial_fit(event))
    for name, change in (("others_", 99), ("starts_", 10**6), ("sizes_", -1), ("rooms_", 10**6)):
        spoilt = rp.load(tmp_path / "rules.rp")
        array = getattr(spoilt, name).copy()
        array[1] = change
        setattr(spoilt, name, array)
        with pytest.raises(DataError):
            spoilt._check_learned()
    for name in ("weights_", "totals_", "ahead_", "back_"):
        spoilt = rp.load(tmp_path / "rules.rp")
        setattr(spoilt, name, np.full_like(getattr(spoilt, name), -np.inf))
        with pytest.raises(DataError):
            spoilt._check_learned()
    spoilt = rp.load(tmp_path / "rules.rp")
    spoilt.gap_ms_ = "30min"
    with pytest.raises(ParameterError, match="gap_ms_"):
        spoilt._check_learned()
    spoilt = rp.load(tmp_path / "rules.rp")
    spoilt.rooms_ = np.maximum(spoilt.sizes_ - 1, 0)  # a new rule would be written behind them
    with pytest.raises(DataError, match="within rooms_"):
        spoilt._check_learned()


def test_who_has_done_nothing_and_a_visit_of_strange_items_are_answered():
    model = rp.Markov().fit(log_of(VISITS))
    for query in (rp.Query(), rp.Query("nobody"), rp.Query(session=["strange"] * 3)):
        assert model.recommend(query, n=3).sources == ["fallback: popularity"] * 3
    assert len(model.recommend(rp.Query(session=["a"] * 10_000), n=5)) == 5


@pytest.mark.parametrize(
    ("change", "words"),
    [({"steps": 0}, "steps must be an integer of at least 1 and at most 16"),
     ({"steps": 17}, "steps must be an integer"), ({"decay": 1.1}, "decay must be"),
     ({"weighting": "dib"}, "got 'dib'; did you mean 'div'"),
     ({"backward": -1}, "backward must be"), ({"shrink": -1}, "shrink must be"),
     ({"reminder": -1}, "reminder must be"), ({"max_rules": 0}, "max_rules must be")],
)  # fmt: skip
def test_parameters_have_bounds(change, words):
    with pytest.raises(ParameterError, match=f"SequentialRules: .*{words}|{words}"):
        rp.SequentialRules(**change).fit(log_of(VISITS))
