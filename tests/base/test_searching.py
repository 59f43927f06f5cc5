import pytest

import recopersona as rp
from recopersona.base.parameters import one_of, param, real, switch, whole
from recopersona.base.searching import Choice, Range, choice, real_range, search_space, whole_range
from recopersona.errors import ParameterError


class Declared(rp.Recommender):
    size: int = param(whole(at_least=1), default=3, search=whole_range(1, 9))
    rate: float = param(real(above=0), default=0.5, search=real_range(0.1, 1, log=True))
    kind: str = param(one_of("cosine", "bm25"), default="cosine", search=choice("cosine", "bm25"))
    plain: float = param(real(), default=0.0)


class Narrower(Declared):
    size: int = param(whole(at_least=1), default=3)


def test_a_model_says_where_to_look():
    assert search_space(Declared()) == {
        "size": Range(1, 9, whole=True),
        "rate": Range(0.1, 1.0, log=True),
        "kind": Choice(("cosine", "bm25")),
    }


def test_a_subclass_may_take_a_parameter_out():
    assert list(search_space(Narrower())) == ["rate", "kind"]


def test_spaces_are_nested_like_parameters():
    inner = rp.Blend(models=[("mine", Declared()), rp.Popularity()])
    home = rp.Pipeline(candidates=[("deep", inner), rp.EASE()])
    space = search_space(home)
    assert {"deep__mine__size", "ease__reg", "deep__popularity__half_life"} <= set(space)
    home.set_params(**{name: values.ends[0] for name, values in space.items()})
    assert home.get_params()["deep__mine__rate"] == 0.1


@pytest.mark.parametrize(
    ("space", "inside", "outside"),
    [
        (whole_range(1, 3), [1, 3, 2.0], [0, 4, 1.5, True, "2", None]),
        (real_range(0, 1), [0, 0.5, 1], [-0.1, 1.1, float("nan"), "a"]),
        (choice(None, True, 2), [None, True, 2], [False, 1, "2"]),
        (whole_range(5, 5), [5], [4]),
    ],
)
def test_a_space_knows_what_is_in_it(space, inside, outside):
    assert [value for value in inside if value not in space] == []
    assert [value for value in outside if value in space] == []


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda: whole_range(9, 1), "goes from low to high, got 9 to 1; swap them"),
        (lambda: whole_range(1.5, 2), "whole_range: low must be an integer, got 1.5"),
        (lambda: real_range(0, 1, log=True), "log=True must begin above 0, got 0"),
        (lambda: real_range(0, float("inf")), "real_range: high must be a finite number, got inf"),
        (lambda: choice(), "choice needs at least one value"),
        (
            lambda: param(whole(at_least=2), default=4, search=whole_range(1, 9)),
            "search space must be an integer of at least 2, got 1 in it",
        ),
        (
            lambda: param(whole(at_least=1), default=40, search=whole_range(1, 9)),
            "search space must hold the default, 40",
        ),
        (
            lambda: param(switch(), default=True, search=choice(True, "yes")),
            "search space must be True or False, got 'yes' in it",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(declare, words):
    with pytest.raises(ParameterError, match=words):
        declare()


def test_only_spaces_are_spaces():
    with pytest.raises(TypeError, match="made by whole_range, real_range or choice"):
        param(default=1, search=(1, 2))
