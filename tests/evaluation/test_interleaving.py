"""Interleaving favours nobody by itself, finds who is better, and says when it does not know."""

from collections import Counter
from itertools import product

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.interleaving import _drafted

FEW = [["tea", "salt", "oil", "rice"], ["oil", "tea", "rice", "nuts"], ["nuts", "oil"], ["tea"]]
PAIRS = list(product(FEW, FEW))
OTHER = {"a": "b", "b": "a", None: None}


def all_drafts(a, b, n):
    return [_drafted(a, b, n, coins) for coins in product([True, False], repeat=(n + 1) // 2)]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_whoever_is_called_a_changes_nothing_but_the_names(a, b, n):
    ours = Counter((page.item_ids, page.teams) for page in all_drafts(a, b, n))
    theirs = Counter(
        (page.item_ids, tuple(OTHER[team] for team in page.teams)) for page in all_drafts(b, a, n)
    )
    assert ours == theirs


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_of_equal_rankers_each_has_every_place_half_the_time(n):
    pages = all_drafts(FEW[0], FEW[0], n)
    assert {page.item_ids for page in pages} == {tuple(FEW[0][:n])}
    assert all(sum(page.teams[k] == "a" for page in pages) * 2 == len(pages) for k in range(n))


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("n", [2, 5, 20])
def test_teams_stay_even_and_pick_their_best(a, b, n):
    for key in range(20):
        page = rp.team_draft(a, b, n, key=key)
        assert len(page) == len(set(page)) == min(n, len({*a, *b}))
        taken = set()
        for place, (item, team) in enumerate(zip(page.item_ids, page.teams, strict=True)):
            ours = Counter(page.teams[: place + 1])
            assert abs(ours["a"] - ours["b"]) <= 1
            if team is not None:
                ranked = {"a": a, "b": b}[team]
                assert item == next(one for one in ranked if one not in taken)
            taken.add(item)


def test_what_only_one_ranker_had_left_counts_for_nobody():
    page = rp.team_draft(["tea"], ["tea", "salt", "oil"], 3, key="d")
    assert page.item_ids == ("tea", "salt", "oil")
    assert page.teams[1:] == (None, None)


def test_the_key_and_the_seed_decide_alone():
    pages = [rp.team_draft(FEW[0], FEW[1], 4, key=key) for key in (7, "7", 8, np.int64(7))]
    assert pages[0] == pages[1] == pages[3]
    drafts = {rp.team_draft(FEW[0], FEW[1], 4, key=key) for key in range(50)}
    assert len(drafts) == len({*all_drafts(FEW[0], FEW[1], 4)})
    seeds = {rp.team_draft(FEW[0], FEW[1], 4, key=7, random_state=seed) for seed in range(20)}
    assert len(seeds) > 1


def test_coins_are_fair_over_keys_and_independent_of_each_other():
    firsts = np.array([
        [team == "a" for team in rp.team_draft(range(6), range(6), 6, key=key).teams[::2]]
        for key in range(4_000)
    ])  # fmt: skip
    assert abs(firsts.mean(axis=0) - 0.5).max() < 4 * 0.5 / np.sqrt(4_000)
    assert abs(np.corrcoef(firsts.T) - np.eye(3)).max() < 4 / np.sqrt(4_000)


def test_rankings_are_taken_as_they_come():
    shop = rp.synthetic_shop(50, 20, random_state=7)
    a = rp.Popularity().fit(shop).recommend("u1", n=5)
    page = rp.team_draft(a, a.item_ids[::-1], 3, key="d")
    assert set(page) <= set(a.item_ids)


def clicks_of(quality_a, quality_b, n, seed):
    """Visitors look down a drafted page and click good items more; credits as they come."""
    rng = np.random.default_rng(seed)
    a, b = [("a", place) for place in range(5)], [("b", place) for place in range(5)]
    for key in range(n):
        page = rp.team_draft(a, b, 5, key=key, random_state=seed)
        chance = [
            (quality_a if item[0] == "a" else quality_b) / (1 + place)
            for place, item in enumerate(page)
        ]
        yield page.credit([
            item for item, p in zip(page, chance, strict=True) if rng.random() < p
        ])  # fmt: skip


def test_the_better_ranker_is_preferred():
    found = rp.interleaved_preference(clicks_of(0.3, 0.2, 3_000, 0))
    assert found.preferred == "a"
    assert 0.5 < found.low < found.share < found.high
    assert "a is preferred" in repr(found)
    other = rp.interleaved_preference(clicks_of(0.2, 0.3, 3_000, 0))
    assert other.preferred == "b"
    assert "b is preferred" in repr(other)


def test_equals_are_told_apart_as_rarely_as_promised():
    rng = np.random.default_rng(5)
    ps, covered = [], []
    for _ in range(200):
        found = rp.interleaved_preference(
            np.eye(2)[rng.integers(2, size=60)].tolist(), n_draws=400, n_boot=300
        )
        ps.append(found.p)
        covered.append(found.low <= 0.5 <= found.high)
    assert np.mean(np.array(ps) < 0.05) <= 0.08
    assert np.mean(covered) >= 0.92


def test_decisions_of_one_visitor_are_no_independent_votes():
    rng = np.random.default_rng(1)
    lean = np.repeat(rng.random(30) < 0.7, 40).astype(
        int
    )  # thirty visitors who always choose alike
    log = pd.DataFrame({"a": lean, "b": 1 - lean, "user_id": np.repeat(np.arange(30), 40)})
    alone, together = (
        rp.interleaved_preference(log),
        rp.interleaved_preference(log, unit="user_id"),
    )
    assert together.share == alone.share
    assert together.units == 30
    assert together.high - together.low > 4 * (alone.high - alone.low)
    assert together.p > alone.p


def test_what_could_have_been_found_is_found():
    rng = np.random.default_rng(2)
    draws = [(rng.random(400) < 0.57).astype(float) for _ in range(100)]
    found = [
        rp.interleaved_preference(np.stack([one, 1 - one], axis=1).tolist(), n_draws=500, n_boot=1)
        for one in draws
    ]
    assert np.mean([one.detectable for one in found]) == pytest.approx(0.07, abs=0.005)
    assert 0.68 <= np.mean([one.preferred == "a" for one in found]) <= 0.92


def test_ties_and_bad_credits_are_counted():
    log = pd.DataFrame({
        "a": [1, 0, 2, np.nan, 1, -1, np.inf], "b": [0, 0, 2, 1, 0, 0, 0]
    })  # fmt: skip
    found = rp.interleaved_preference(log)
    assert (found.wins_a, found.wins_b, found.ties) == (2, 0, 2)
    assert found.counts == {"bad_credits": 3}


def test_where_nobody_clicked_nothing_is_known():
    found = rp.interleaved_preference([(0, 0)] * 5)
    assert np.isnan(found.share)
    assert found.preferred is None
    assert repr(found) == "nothing is known: no decision was won, 5 were ties."


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rp.team_draft("tea", ["salt"], key=1), "needs a list of ids"),
        (lambda: rp.team_draft([["tea"]], ["salt"], key=1), "must hold item ids"),
        (lambda: rp.team_draft(["tea"], ["salt"], key=None), "a key must be text"),
        (lambda: rp.team_draft(["tea"], ["salt"], 0, key=1), "n must be an integer"),
        (lambda: rp.team_draft(["tea"], ["oil"], key=1).credit(["rice"]), "did not show"),
        (lambda: rp.interleaved_preference([1, 2]), "or pairs"),
        (lambda: rp.interleaved_preference([]), "no row with two credits"),
        (lambda: rp.interleaved_preference(pd.DataFrame({"a": [1]})), "need a column 'b'"),
        (lambda: rp.interleaved_preference([("x", 1)]), "must be numbers"),
        (
            lambda: rp.interleaved_preference(
                pd.DataFrame({"a": [1, 0], "b": [0, 1], "u": ["x", None]}), unit="u"
            ),
            "1 rows have no u, the first is row 1",
        ),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, words):
    with pytest.raises((DataError, ParameterError), match=words):
        call()


@pytest.mark.parametrize("clicked", [[["a"]], [np.arange(2)], [{}]], ids=str)
def test_what_is_no_id_earns_nothing_and_is_refused(clicked):
    with pytest.raises(DataError, match="needs ids"):
        rp.team_draft(["a", "b"], ["b", "c"], n=2, key="k").credit(clicked)
