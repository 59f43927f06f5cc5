import inspect
from datetime import timedelta

import numpy as np
import pytest
from sklearn.base import clone

import recopersona as rp
from recopersona.base.parameters import (
    Bound,
    check,
    check_parameters,
    duration,
    generator,
    one_of,
    optional,
    param,
    real,
    seed,
    switch,
    whole,
)
from recopersona.errors import ParameterError


class Declared(rp.Recommender):
    size: int = param(whole(at_least=1, at_most=9), default=3)
    rate: float = param(real(above=0), default=0.5)
    kind: str = param(one_of("cosine", "bm25"), default="cosine")
    notes: str = "no parameter"


class Inherited(Declared):
    size: int = param(whole(at_least=5), default=5)
    more: bool = param(switch(), default=False)


HOLDS = [
    (whole(), [0, -5, np.int32(7)], [1.0, True, "1", None, np.float64(2)]),
    (whole(at_least=1, at_most=3), [1, 3], [0, 4]),
    (real(), [0, 1.5, np.float32(2)], [np.nan, np.inf, True, "1", None]),
    (real(above=0, at_most=1), [1e-9, 1], [0, 1.1]),
    (real(at_least=0), [0.0], [-1e-9]),
    (one_of("a", "b"), ["a"], ["c", None, 1, ["a"]]),
    (duration(), ["7d", timedelta(hours=1)], ["7", 7, "-1d", "0d", None, timedelta(0)]),
    (switch(), [True, np.bool_(False)], [0, 1, None, "True"]),
    (seed(), [None, 0, 2**32 - 1, np.random.RandomState(0)], [-1, 2**32, 1.0, True, "0"]),
    (optional(whole(at_least=1)), [None, 1], [0, "x"]),
]


@pytest.mark.parametrize(
    ("bound", "good", "bad"), HOLDS, ids=lambda part: getattr(part, "words", "")
)
def test_a_bound_holds_for_what_its_words_say(bound, good, bad):
    for value in good:
        check(value, bound, "Model", "x")
    for value in bad:
        with pytest.raises(ParameterError, match=r"^Model: x must be .*, got .*[.?]$"):
            check(value, bound, "Model", "x")


@pytest.mark.parametrize(
    ("change", "words"),
    [({"size": 0}, "Declared: size must be an integer of at least 1 and at most 9, got 0."),
     ({"rate": "fast"}, "Declared: rate must be a finite number above 0, got 'fast'."),
     ({"kind": "bm52"}, "Declared: kind must be one of 'cosine', 'bm25', got 'bm52'; did"),
     ({"kind": np.ones(2)}, "Declared: kind must be one of")],
)  # fmt: skip
def test_fit_checks_every_parameter(change, words):
    model = Declared(**change)
    with pytest.raises(ParameterError) as caught:
        model.fit([rp.Event(1, 1)])
    assert str(caught.value).startswith(words)
    assert not model.__sklearn_is_fitted__()


def test_only_lines_that_say_param_are_parameters():
    assert Declared().get_params() == {"size": 3, "rate": 0.5, "kind": "cosine"}
    assert Declared.notes == "no parameter"
    with pytest.raises(TypeError, match="notes"):
        Declared(notes="x")


def test_parameters_are_keywords_with_their_defaults():
    signature = inspect.signature(Declared)
    assert {name: part.default for name, part in signature.parameters.items()} == {
        "size": 3, "rate": 0.5, "kind": "cosine",
    }  # fmt: skip
    with pytest.raises(TypeError):
        Declared(3)


def test_a_subclass_adds_and_overrides_parameters():
    assert Inherited().get_params() == {"size": 5, "rate": 0.5, "kind": "cosine", "more": False}
    check_parameters(Declared())
    with pytest.raises(ParameterError, match=r"Inherited: size must be .* at least 5, got 4"):
        check_parameters(Inherited(size=4))


def test_a_class_may_write_its_own_constructor():
    class Own(rp.Recommender):
        size: int = param(whole(), default=1)

        def __init__(self, size=2):
            self.size = size

    assert Own().size == 2
    assert clone(Own(7)).size == 7


def test_parameters_show_where_they_differ_from_the_default():
    assert repr(Declared(size=4)) == "Declared(size=4)"
    assert "Declared" in Declared()._repr_html_()


def test_setting_an_unknown_parameter_is_refused():
    with pytest.raises(ValueError, match="Invalid parameter 'sise' for estimator Declared"):
        Declared().set_params(sise=1)


def test_a_bound_of_ones_own_is_a_bound():
    even = Bound("an even number", lambda value: value % 2 == 0)
    check(4, even, "Model", "x")
    with pytest.raises(ParameterError, match="Model: x must be an even number, got 3"):
        check(3, even, "Model", "x")
    with pytest.raises(ParameterError, match="Model: x must be an even number, got None"):
        check(None, even, "Model", "x")


def test_a_seed_makes_the_same_generator_and_none_makes_another():
    assert generator(5).integers(2**60) == generator(5).integers(2**60)
    assert generator(None).integers(2**60) != generator(None).integers(2**60)
    first, second = (generator(np.random.RandomState(3)).integers(2**60) for _ in range(2))
    assert first == second
