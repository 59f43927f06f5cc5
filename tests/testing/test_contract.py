import inspect

import numpy as np
import pytest

import recopersona as rp
from recopersona.testing import (
    answering,
    check_recommender,
    checkerboard,
    forgetting,
    keeping,
    learning,
    online,
    recommender_checks,
)
from tests.rankers.learners import Line
from tests.testing.every_model import every_model
from tests.testing.sabotage import CAUGHT_BY, Honest


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{type(model).__name__}-{name}")
        for model in every_model()
        for name, check in recommender_checks(model)
    ],
)
def test_every_model_keeps_the_contract(check):
    check()


def test_all_models_are_found():
    assert {type(model).__name__ for model in every_model()} >= {
        "ALS", "ItemKNN", "Pipeline", "Popularity",
    }  # fmt: skip


@pytest.mark.parametrize("weighting", ["tfidf", "bm25"])
def test_every_weighting_of_neighbours_keeps_the_contract(weighting):
    check_recommender(rp.ItemKNN(k=3, weighting=weighting, shrink=2.0))


def test_a_pipeline_with_every_slot_filled_keeps_the_contract():
    def by_price(query, ranking):
        return ranking.rescored(np.sqrt(ranking.scores))

    parts = [("week", rp.Popularity(half_life="7d")), ("taste", rp.ItemKNN())]
    filled = rp.Pipeline(candidates=parts, weights={"taste": 2.0}, reranker=by_price, pool=30)
    for name, check in recommender_checks(filled):
        if name != "explanations_add_up_to_the_score":  # a stage that rescored leaves no parts
            check()


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=name)
        for name, check in recommender_checks(
            rp.Pipeline(
                candidates=[rp.ALS(factors=8), rp.ItemKNN(), rp.Popularity(half_life="7d")],
                ranker=Line(),
            )
        )
    ],
)
def test_a_pipeline_whose_ranker_learned_keeps_the_contract(check):
    check()


@pytest.mark.parametrize(("kind", "check"), CAUGHT_BY.items(), ids=lambda part: str(part))
def test_a_broken_promise_is_caught(kind, check):
    with pytest.raises(AssertionError, match=rf"^{kind.__name__} fails {check}: \S.*"):
        dict(recommender_checks(kind()))[check]()


def test_the_sabotaged_models_spoil_an_honest_one():
    check_recommender(Honest())


def test_check_recommender_stops_at_a_broken_promise():
    broken = next(iter(CAUGHT_BY))
    with pytest.raises(AssertionError, match=f"{broken.__name__} fails "):
        check_recommender(broken())


@pytest.mark.parametrize("chapter", [learning, answering, forgetting, keeping, online])
def test_no_check_is_forgotten(chapter):
    written = {
        kind
        for name, kind in vars(chapter).items()
        if inspect.isfunction(kind) and kind.__module__ == chapter.__name__ and name[0] != "_"
    }
    assert written - {keeping.functions_of} == set(chapter.CHECKS)


def test_every_check_says_in_one_sentence_what_it_checks():
    for chapter in (learning, answering, forgetting, keeping, online):
        for check in chapter.CHECKS:
            assert check.__doc__
            assert check.__doc__.strip().endswith(".")
            assert len(check.__doc__.strip().splitlines()) == 1


def test_the_model_given_is_left_alone():
    model = rp.Popularity()
    check_recommender(model)
    assert vars(model) == {"half_life": None}


def test_a_model_that_is_not_online_is_not_asked_to_be():
    class Alphabet(rp.Recommender):
        pass

    names = [name for name, _ in recommender_checks(Alphabet())]
    assert not {check.__name__ for check in online.CHECKS} & set(names)


def test_a_random_state_that_cannot_be_repeated_is_replaced():
    check_recommender(rp.ALS(factors=4, iterations=2, random_state=None))


def test_the_checkerboard_lacks_only_its_diagonal():
    events, answers = checkerboard(6)
    taken = set(zip(events["user_id"], events["item_id"], strict=True))
    wanted = {(f"u-{u}", f"i-{i}") for u in range(6) for i in range(6) if (u + i) % 2 == 0}
    assert wanted - taken == set(answers.items())


def test_a_checkerboard_must_have_a_pattern():
    with pytest.raises(rp.errors.ParameterError, match="n must be at least 4, got 3"):
        checkerboard(3)
