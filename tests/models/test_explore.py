import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ParameterError
from recopersona.models.explore import NEW

RNG = np.random.default_rng(4)
KINDS = ["tea", "spice", "cup"]


def shelf(new=("fresh tea", "fresh cup")):
    """Thirty old items of three kinds, and new ones."""
    old = pd.DataFrame({
        "item_id": [f"{kind} {k}" for k in range(10) for kind in KINDS],
        "kind": KINDS * 10,
        "created_at": pd.Timestamp("2025-01-01"),
    })  # fmt: skip
    fresh = pd.DataFrame({
        "item_id": list(new),
        "kind": [name.split()[1] for name in new],
        "created_at": pd.Timestamp("2026-02-25"),
    })  # fmt: skip
    return pd.concat([old, fresh], ignore_index=True)


def log(n_users=60):
    """Everybody has a kind of her own and takes five of it, and one other."""
    rows = []
    for user in range(n_users):
        kind = KINDS[user % 3]
        items = [f"{kind} {k}" for k in RNG.permutation(10)[:5]] + [f"{KINDS[(user + 1) % 3]} 0"]
        times = pd.Timestamp("2026-02-01") + pd.to_timedelta(RNG.integers(0, 28 * 24, 6), unit="h")
        rows += [(f"u{user}", item, time) for item, time in zip(items, times, strict=True)]
    end = ("u0", "tea 0", pd.Timestamp("2026-03-01"))
    return pd.DataFrame([*rows, end], columns=["user_id", "item_id", "timestamp"])


LOG = log()


def model(items=None, **options):
    options = {"model": rp.ItemKNN(), **options}
    dataset = rp.Dataset.from_frames(LOG, items=shelf() if items is None else items)
    return rp.Explore(**options).fit(dataset)


def decisions(n, user="u0"):
    return [rp.Query(user, decision_id=f"d{number}") for number in range(n)]


def shown(fitted, item, queries, n=3):
    return sum(item in fitted.recommend(query, n=n).item_ids for query in queries)


# -- who gets a chance -------------------------------------------------------------------------


def test_a_new_item_is_shown_sometimes_and_to_whom_it_suits():
    fitted = model()
    queries = decisions(100)
    assert 0 < shown(fitted, "fresh tea", queries) <= 100
    assert shown(fitted, "fresh cup", queries) < shown(fitted, "fresh tea", queries)
    for_cups = [rp.Query("u2", decision_id=query.decision_id) for query in queries]
    assert shown(fitted, "fresh cup", for_cups) > shown(fitted, "fresh cup", queries)


def test_the_bonus_is_drawn_for_new_items_alone():
    fitted = model(exploration_weight=5.0)
    old = np.arange(30)
    plain = fitted.models_["model"].score_items(rp.Query("u0"))[old]
    for query in decisions(20):
        assert fitted.score_items(query)[old].tolist() == plain.tolist()
    scores = np.array([fitted.score_items(query)[30:] for query in decisions(200)])
    assert (scores.std(axis=0) > 0).all()
    assert abs(np.corrcoef(scores.T)[0, 1]) < 0.2


def test_an_item_is_new_up_to_the_cutoff_and_not_beyond():
    for cutoff, is_new in (("3d", False), ("5d", True)):
        fitted = model(item_age_cutoff=cutoff)
        assert (30 in fitted._new_items(rp.Query("u0"))) is is_new
    fitted = model()
    later = rp.Query("u0", now="2026-04-20", decision_id="d")
    assert not len(fitted._new_items(later))
    assert NEW not in fitted.recommend(later, n=32).sources


def test_without_a_date_an_item_is_new_from_its_first_event():
    first = LOG.groupby("item_id")["timestamp"].min()
    fitted = model(items=shelf().drop(columns="created_at"), item_age_cutoff="10d")
    new = {fitted.items_.ids[item] for item in fitted._new_items(rp.Query())}
    end = LOG["timestamp"].max()
    assert new == set(first[first >= end - pd.Timedelta(days=10)].index)


def test_what_comes_later_is_new_from_then_on():
    fitted = model()
    fitted.update_items(
        pd.DataFrame(
            {
                "item_id": ["later tea", "old tea"],
                "kind": "tea",
                "created_at": [pd.NaT, pd.Timestamp("2020-01-01")],
            }
        )
    )
    fitted.partial_fit(rp.Event("u5", "unheard of", timestamp="2026-03-02"))
    names = {fitted.items_.ids[item] for item in fitted._new_items(rp.Query())}
    assert {"later tea", "unheard of"} <= names
    assert "old tea" not in names
    assert shown(fitted, "later tea", decisions(50)) > 0


def test_an_item_that_nobody_touched_is_new_from_its_first_event():
    items = pd.concat([shelf(), pd.DataFrame({"item_id": ["slow tea"], "kind": ["tea"]})])
    fitted = model(items=items)
    assert fitted.items_.index("slow tea") not in fitted._new_items(rp.Query())
    first = [rp.Event(f"u{k}", "slow tea", timestamp=f"2026-03-0{3 - k}") for k in range(2)]
    fitted.partial_fit(first)
    row = fitted.items_.index("slow tea")
    assert row in fitted._new_items(rp.Query())
    assert pd.Timestamp(fitted.first_seen_[row], unit="ms") == pd.Timestamp("2026-03-02")


# -- how it is weighed -------------------------------------------------------------------------


def test_without_a_decision_nothing_is_drawn():
    fitted, never = model(), model(exploration_weight=0.0)
    assert fitted.score_items(rp.Query("u0")).tolist() == never.score_items(rp.Query("u0")).tolist()
    for query in decisions(5):
        assert never.recommend(query).item_ids == never.recommend("u0").item_ids
    many = fitted.recommend_many(["u0", "u1"], n=4)
    assert many["item_id"].tolist()[:4] == fitted.recommend("u0", n=4).item_ids


def test_the_same_decision_is_answered_in_the_same_way():
    one, other = model(), model()
    for query in decisions(5):
        assert one.score_items(query).tolist() == other.score_items(query).tolist()
    again = model(random_state=1)
    assert one.score_items(decisions(1)[0])[30] != again.score_items(decisions(1)[0])[30]


def test_content_speaks_by_the_model_s_score_at_the_same_place():
    fitted = model(exploration_weight=0.0)
    query = rp.Query("u0")
    own, content = (part.score_items(query) for part in fitted.models_.values())
    unseen = np.setdiff1d(np.arange(32), fitted.taste_of(query)[0])
    ours = np.sort(own[unseen][np.isfinite(own[unseen])])[::-1]
    ties = np.flatnonzero(np.isclose(np.sort(content[unseen])[::-1], content[30]))
    prior = fitted.score_items(query)[30]
    assert prior == ours[(ties[0] + ties[-1]) // 2]
    assert ours[-1] < prior < ours[0]


def test_what_is_known_takes_over_as_events_come():
    fitted = model(exploration_weight=1.0)
    draws = []
    for _ in range(3):
        scores = [fitted.score_items(query)[30] for query in decisions(100)]
        draws.append(np.std(scores))
        for _ in range(8):
            fitted.partial_fit(rp.Event("crowd", "fresh tea", timestamp="2026-03-01"))
    assert draws[1] == pytest.approx(draws[0] / 3, rel=1e-3)
    assert draws[2] == pytest.approx(draws[0] / np.sqrt(17), rel=1e-3)


def test_strangers_and_the_unknown_are_answered():
    for options in ({}, {"model": rp.Popularity()}, {"model": rp.ALS(factors=4)}):
        fitted = model(**options)
        for query in ("nobody", rp.Query(decision_id="d"), rp.Query(session=["nothing"])):
            ranking = fitted.recommend(query, n=32)
            assert len(ranking) == 32
            assert set(ranking.sources) <= {"Explore", NEW, "fallback: popularity"}


# -- provenance, parts, files ------------------------------------------------------------------


def test_the_ranking_says_which_items_are_there_because_they_are_new():
    ranking = model().recommend("u0", n=32)
    sources = dict(zip(ranking.item_ids, ranking.sources, strict=True))
    assert sources["fresh tea"] == NEW
    assert sources["tea 3"] in ("Explore", "fallback: popularity")
    frame = model().recommend_many(["u0"], n=5)
    assert set(frame["source"]) <= {"Explore", NEW, "fallback: popularity"}


def test_an_explanation_adds_up():
    fitted = model()
    query = decisions(1)[0]
    frame = fitted.explain(query, "fresh tea")
    assert frame["contribution"].sum() == pytest.approx(fitted.score_items(query)[30], rel=1e-5)
    assert set(frame["component"]) <= {"model", "content", "draw"}
    assert fitted.explain(query, "tea 3")["component"].tolist()[:1] == ["liked item"]


def test_in_a_pipeline_every_decision_explores():
    page = rp.Pipeline(candidates=[rp.Explore(model=rp.ItemKNN(), exploration_weight=3.0)])
    page.fit(rp.Dataset.from_frames(LOG, items=shelf()))
    first = {tuple(page.recommend("u0", n=3).item_ids) for _ in range(30)}
    assert len(first) > 1
    assert len({tuple(page.recommend(rp.Query("u0", decision_id="d"), n=3)) for _ in range(3)}) == 1
    assert len({tuple(page.recommend_many(["u0"], n=3)["item_id"]) for _ in range(5)}) == 1


def test_what_comes_to_a_pipeline_is_new_to_its_parts():
    page = rp.Pipeline(candidates=[rp.Explore(model=rp.ItemKNN())])
    page.fit(rp.Dataset.from_frames(LOG, items=shelf()))
    page.partial_fit(rp.Event("u9", "from an event", timestamp="2026-04-20"))
    page.update_items(pd.DataFrame({"item_id": ["later tea"], "kind": ["tea"]}))
    explore = page.candidates_["explore"]
    new = {page.items_.ids[item] for item in explore._new_items(rp.Query("u0"))}
    assert new == {"from an event", "later tea"}  # the others are too old by now


def test_parameters_reach_the_models_inside():
    explore = rp.Explore(model=rp.ItemKNN(), content=rp.ContentKNN())
    explore.set_params(model__k=7, content__half_life="7d")
    assert explore.get_params()["model__k"] == 7
    assert explore.content.half_life == "7d"


def test_a_loaded_model_goes_on(tmp_path):
    fitted = model()
    rp.save(fitted, tmp_path / "explore")
    again = rp.load(tmp_path / "explore")
    for one in (fitted, again):
        one.update_items(pd.DataFrame({"item_id": ["later tea"], "kind": ["tea"]}))
        one.partial_fit(rp.Event("u0", "later tea", timestamp="2026-03-03"))
    for query in decisions(3):
        assert fitted.score_items(query).tolist() == again.score_items(query).tolist()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"model": None}, "model must be a model, got None"),
     ({"content": "knn"}, "content must be a model, or None, got 'knn'"),
     ({"exploration_weight": -1}, "exploration_weight must be a finite number of at least 0"),
     ({"item_age_cutoff": "soon"}, "item_age_cutoff must be a duration")],
)  # fmt: skip
def test_parameters_have_bounds(options, words):
    with pytest.raises(ParameterError, match=f"Explore: {words}"):
        model(**options)
