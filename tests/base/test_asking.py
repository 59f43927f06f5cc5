"""Many users asked at once: as arrays, whichever way a model makes its lists."""

import numpy as np
import pytest

import recopersona as rp
from recopersona.base.asking import answers, questions
from recopersona.base.lists import UserQueries


@pytest.fixture(scope="module")
def shop():
    return rp.synthetic_shop(60, 30, random_state=7)


@pytest.mark.parametrize("seen", ["drop", "keep", ["purchase"]])
def test_who_says_only_who_she_is_gets_what_any_query_gets(shop, seen):
    model = rp.ItemKNN().fit(shop)
    ids = [*shop.users.ids.tolist(), "nobody"]
    short = questions(model, ids, None)
    assert isinstance(short, UserQueries)
    quick, slow = (answers(model, asked, 10, seen) for asked in (short, list(short)))
    for one, other in zip(quick, slow, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("model", [rp.Popularity(), rp.Pipeline(candidates=[rp.Popularity()])])
def test_beyond_the_end_of_a_list_there_is_nothing(shop, model):
    n = len(shop.items) + 5
    best = answers(model.fit(shop), questions(model, ["nobody"], None), n, "keep")
    assert best.items.shape == best.scores.shape == (1, n)
    assert best.counts.tolist() == [len(shop.items)]
    assert (best.items[:, -5:] == -1).all()
    assert np.isneginf(best.scores[:, -5:]).all()
