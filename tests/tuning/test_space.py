"""Where a search looks, as it is declared, said and drawn from."""

import math

import numpy as np
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

import recopersona as rp
from recopersona.base.searching import choice, real_range, search_space, whole_range
from recopersona.errors import ParameterError
from recopersona.tuning.sampling import SEARCHES, Drawn, Grid, _crossed, point_key
from recopersona.tuning.space import read_space, written
from tests.tuning.dial import Dial


def test_without_a_word_it_is_what_the_model_declares():
    assert set(read_space(Dial(), None).searched) == {"x", "n"}


def test_a_pipeline_declares_what_its_parts_declare():
    home = rp.Pipeline(candidates=[rp.ItemKNN(), rp.ALS()])
    assert {"itemknn__k", "als__factors"} <= set(read_space(home, None).searched)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ({"n": (1, 9)}, whole_range(1, 9)),
        ({"x": (0, 1)}, real_range(0, 1)),
        ({"x": (0.1, 10, "log")}, real_range(0.1, 10, log=True)),
        ({"kind": ["good", "plain"]}, choice("good", "plain")),
        ({"kind": "good"}, choice("good")),
        ({"n": choice(3, 4)}, choice(3, 4)),
    ],
)
def test_a_space_may_be_said_briefly(said, read):
    assert list(read_space(Dial(), said).searched.values()) == [read]


def test_what_is_declared_can_be_built_upon():
    space = read_space(Dial(), {**search_space(Dial()), "kind": ["good"]})
    assert set(space.searched) == {"x", "n", "kind"}


def test_bounds_of_parts_are_checked_by_their_names():
    home = rp.Pipeline(candidates=[rp.ItemKNN()])
    with pytest.raises(ParameterError, match="ItemKNN: k must be"):
        read_space(home, {"itemknn__k": (0, 5)})
    with pytest.raises(ParameterError, match="no parameter 'itemknn__kk'; did you mean"):
        read_space(home, {"itemknn__kk": (1, 5)})


def test_values_of_any_kind_can_be_chosen_from():
    models = [("knn", rp.ItemKNN()), ("knn", rp.UserKNN())]
    home = rp.Pipeline(candidates=[("knn", rp.ItemKNN())])
    space = read_space(home, {"candidates": choice([models[0]], [models[1]])})
    labels = space.labels["candidates"]
    assert labels == ("[('knn', ItemKNN())]", "[('knn', UserKNN())]")
    assert space.values({"candidates": labels[1]}) == {"candidates": [models[1]]}


def test_true_is_not_one():
    space = read_space(Dial(), {"x": [1, 1.0, 2]})
    assert [space.values({"x": label})["x"] for label in space.labels["x"]] == [1, 1.0, 2]


@pytest.mark.parametrize(
    ("said", "points"),
    [({"n": (1, 9)}, 9), ({"n": (1, 9), "kind": ["good", "plain"]}, 18), ({"x": (0, 1)}, math.inf),
     ({"x": (1, 1)}, 1), ({}, 1)],
)  # fmt: skip
def test_points_are_counted(said, points):
    assert read_space(Dial(), said).n_points == points


def test_a_grid_goes_through_every_point_once_and_first_through_the_given():
    space = read_space(Dial(), {"n": [1, 2, 3], "x": (0.01, 1, "log")})
    first = {"n": 2, "x": 1.0}
    points = list(Grid(space, first, seed=0).points())
    assert points[0] == first
    assert len({point_key(point) for point in points}) == len(points) == 9
    assert sorted({point["x"] for point in points}) == pytest.approx([0.01, 0.1, 1])
    assert points != list(Grid(space, first, seed=1).points())


def test_a_draw_follows_from_seed_and_number_alone():
    space = read_space(Dial(), None)
    one, other = (Drawn(space, {"x": 0.0, "n": 1}, 3) for _ in range(2))
    later = one.point(None, None, 5, set())
    assert later == other.point(None, None, 5, set()) != other.point(None, None, 6, set())


def test_no_point_is_proposed_twice():
    space = read_space(Dial(), {"n": (1, 4)})
    proposals, tried = Drawn(space, {"n": 1}, 0), set()
    for number in range(4):
        tried.add(point_key(proposals.point(None, None, number, tried)))
    assert len(tried) == 4


def test_searches_are_named():
    assert list(SEARCHES) == ["tpe", "random", "grid"]


def test_text_of_a_function_is_the_same_in_every_process():
    assert written(lambda: 0).endswith("<lambda>>")


def test_a_point_is_made_of_three_others_along_their_difference():
    draw = np.random.default_rng(0)
    assert _crossed(FloatDistribution(0, 10), [1.0, 5.0, 3.0], 0.5, draw) == 2.0
    assert _crossed(FloatDistribution(0, 10), [9.0, 9.0, 0.0], 0.5, draw) == 10.0
    ratio = _crossed(IntDistribution(1, 100, log=True), [10, 40, 10], 0.5, draw)
    assert (ratio, type(ratio)) == (20, int)
    taken = {_crossed(CategoricalDistribution("abc"), list("aab"), 0.5, draw) for _ in range(50)}
    assert taken == {"a", "b"}
