"""Nothing is twice on a page of several lists, and lists are full whenever they can be."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

import recopersona as rp
from recopersona.data.ids import IdMap
from recopersona.data.ranking import Ranking
from recopersona.errors import DataError, ParameterError

IDS = IdMap(list("abcdefghij"))


def row(items, source="model"):
    places = IDS.indices(list(items))
    return Ranking.of(places, np.linspace(1, 0, len(items)), IDS, source)


def shown(page):
    rankings = page.values() if isinstance(page, dict) else page
    return ["".join(ranking.item_ids) for ranking in rankings]


def test_the_first_chooses_first_and_what_comes_next_moves_up():
    page = rp.without_repeats({"for you": row("abcd"), "new": row("cabde")}, n=2)
    assert list(page) == ["for you", "new"]
    assert shown(page) == ["ab", "cd"]
    assert page["for you"].effects == ()
    assert page["new"].effects == ("passed over 2 that stand in 'for you': 'a', 'b'",)
    assert np.allclose(page["new"].scores, [1, 0.25])
    assert shown(rp.without_repeats([row("abc"), row("abc"), row("abc")], n=1)) == ["a", "b", "c"]


def test_a_short_list_gets_what_another_can_do_without():
    page = rp.without_repeats({"for you": row("abcd"), "new": row("ab")}, n=2)
    assert shown(page) == ["cd", "ab"]
    assert page["for you"].effects == ("left 2 to 'new', which had no others: 'a', 'b'",)
    page = rp.without_repeats({"for you": row("abc"), "new": row("ba")}, n=[2, 1])
    assert shown(page) == ["ac", "b"]  # the lowest of what could be given
    # The second has nothing to give but what the first could.
    page = rp.without_repeats([row("abj"), row("ab"), row("b")], n=1)
    assert shown(page) == ["j", "a", "b"]


def test_what_cannot_be_full_says_so_and_takes_from_nobody_above():
    page = rp.without_repeats([row("abc"), row("ab")], n=2)
    assert shown(page) == ["bc", "a"] or shown(page) == ["ac", "b"]
    assert page[1].effects[-1] == "only 1 of 2 places are filled: all else is on the page"
    assert shown(rp.without_repeats([row("ab"), row("ab")], n=2)) == ["ab", ""]


@pytest.mark.parametrize("seed", range(200))
def test_as_many_places_are_filled_as_could_be(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 5, rng.integers(1, 5)).tolist()
    rows = [row(rng.permutation(list("abcdefghij"))[: rng.integers(0, 8)]) for _ in sizes]
    groups = {item: int(rng.integers(0, 6)) for item in "abcdefg"} if seed % 2 else None
    page = rp.without_repeats(rows, n=sizes, by=groups)
    keys = [[(groups or {}).get(item, item) for item in one.item_ids] for one in page]
    everything = [key for one in keys for key in one]
    assert len(set(everything)) == len(everything)
    names = sorted({str((groups or {}).get(item, item)) for item in "abcdefghij"})
    suits = [
        [name in {str((groups or {}).get(item, item)) for item in one.item_ids} for name in names]
        for one, size in zip(rows, sizes, strict=True)
        for _ in range(size)
    ]
    most = 0
    if suits:
        matched = maximum_bipartite_matching(sparse.csr_array(np.array(suits)), "column")
        most = int((matched >= 0).sum())
    assert len(everything) == most
    for one, given, size in zip(page, rows, sizes, strict=True):
        assert len(one) <= size
        places = [given.item_ids.index(item) for item in one.item_ids]
        assert places == sorted(places)
        assert (np.diff(one.scores) <= 0).all()
    first = [key for place, key in enumerate(keys[0]) if key not in keys[0][:place]]
    assert len(first) == min(sizes[0], len({(groups or {}).get(i, i) for i in rows[0].item_ids}))


@pytest.mark.parametrize("seed", range(50))
def test_long_lists_are_simply_passed_through_in_turn(seed):
    rng = np.random.default_rng(seed)
    rows = [row(rng.permutation(list("abcdefghij"))) for _ in range(3)]
    used, expected = set(), []
    for one in rows:
        left = [item for item in one.item_ids if item not in used][:3]
        used.update(left)
        expected.append("".join(left))
    assert shown(rp.without_repeats(rows, n=3)) == expected


def test_no_group_is_twice_on_the_page():
    groups = pd.Series({"a": "shirt", "b": "shirt", "c": "hat", "d": None, "e": np.nan, "f": "hat"})
    page = rp.without_repeats([row("abcd"), row("bfedj")], n=2, by=groups)
    assert shown(page) == ["ac", "ed"]
    assert page[0].effects == ("passed over 1 of a group that stands higher up",)
    assert page[1].effects == ("passed over 2 that stand in ranking 1: 'b', 'f'",)


def test_rankings_of_different_catalogues_are_compared_by_the_shops_ids():
    other = IdMap(["j", "b", "a"])
    theirs = Ranking.of([2, 1, 0], [3, 2, 1], other, "elsewhere")
    assert shown(rp.without_repeats([row("ab"), theirs], n=1)) == ["a", "b"]
    assert shown(rp.without_repeats([row("ab"), theirs], n=2)) == ["ab", "j"]


def test_rankings_of_pipelines_keep_their_reasons_and_decisions():
    shop = rp.synthetic_shop(100, 40, random_state=1)
    pair = {
        name: rp.Pipeline(candidates=[model]).fit(shop)
        for name, model in (("for you", rp.ItemKNN()), ("trending", rp.Popularity()))
    }
    rankings = {name: home.recommend("u-0001", n=20) for name, home in pair.items()}
    page = rp.without_repeats(rankings, n=8)
    assert [len(one) for one in page.values()] == [8, 8]
    assert not set(page["for you"].item_ids) & set(page["trending"].item_ids)
    for name, one in page.items():
        assert one.decision_id == rankings[name].decision_id
        item = one.item_ids[-1]
        pd.testing.assert_frame_equal(one.explain(item), rankings[name].explain(item))
        assert pair[name].feedback(one.decision_id, clicked=[item])


def test_none_and_nothing_are_pages_too():
    assert rp.without_repeats({}) == {}
    assert rp.without_repeats([]) == []
    page = rp.without_repeats([row("ab"), row("")], n=0)
    assert [(one.item_ids, one.effects) for one in page] == [([], ()), ([], ())]
    assert shown(
        rp.without_repeats({"one": row("ab"), "two": row("a")}, n={"two": 1, "one": 1})
    ) == (["b", "a"])


@pytest.mark.parametrize(
    ("given", "more", "error", "said"),
    [
        (row("ab"), {}, ParameterError, "takes several rankings, .* got Ranking"),
        ({"new": ["a"]}, {}, ParameterError, "takes rankings, got list for 'new'"),
        ([row("ab")], {"n": -1}, ParameterError, "n must be an integer of at least 0"),
        ([row("ab")], {"n": [1, 2]}, ParameterError, "one integer for each of 1 rankings, got 2"),
        ([row("ab")], {"n": {"new": 1}}, ParameterError, "by name needs rankings by name"),
        ({"a": row("ab")}, {"n": {"b": 1}}, ParameterError, "n says nothing of 'a'"),
        ([row("ab")], {"by": "product_group"}, ParameterError,
         r"try catalogue.set_index\('item_id'\)\['product_group'\]"),
        ([row("ab")], {"by": pd.Series(["x", "y"], ["a", "a"])}, DataError, "names an item twice"),
        ([row("ab")], {"by": {"a": ["x"]}}, DataError, r"must be one value, got \['x'\] for 'a'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(given, more, error, said):
    with pytest.raises(error, match=said):
        rp.without_repeats(given, **more)
