"""Click models: what they expect is the formula, and what they draw is what they expect."""

import numpy as np
import pytest

from recopersona.errors import DataError, ParameterError
from recopersona.simulation.clicks import Cascade, PositionBased

PAGE = [[0.5, 0.2, 0.8, 0.1]]
MODELS = [PositionBased(0.7), Cascade(0.5, 0.3), Cascade(0.0, 1.0), Cascade(1.0, 0.0)]


def test_by_position_every_place_has_its_own_chance():
    expected = 0.5 + 0.2 / 2 + 0.8 / 3 + 0.1 / 4
    assert PositionBased(1.0).expected(PAGE).item() == pytest.approx(expected)


def test_who_is_always_satisfied_clicks_once_at_most():
    model = Cascade(decay=0.0, satisfaction=1.0)
    assert model.expected(PAGE).item() == pytest.approx(1 - 0.5 * 0.8 * 0.2 * 0.9)
    assert model.draw(np.repeat(PAGE, 500, axis=0), np.arange(500)).sum(axis=1).max() == 1


def test_a_cascade_by_hand():
    # The second place is reached in half of the cases, but for clicks (0.5) that satisfy (0.4).
    seen = Cascade(decay=1.0, satisfaction=0.4).seen([[0.5, 0.2]])
    assert seen.tolist() == [[1.0, pytest.approx(0.5 * (1 - 0.4 * 0.5))]]


def test_without_satisfaction_a_cascade_expects_what_positions_do():
    assert Cascade(0.7, 0.0).expected(PAGE) == pytest.approx(PositionBased(0.7).expected(PAGE))


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_what_is_drawn_is_what_is_expected(model):
    n = 40_000
    clicked = model.draw(np.repeat(PAGE, n, axis=0), np.arange(n))
    wanted = (model.seen(PAGE) * PAGE)[0]
    error = np.sqrt(wanted * (1 - wanted) / n)
    assert (np.abs(clicked.mean(axis=0) - wanted) < 4 * error + 1e-12).all()


def test_who_passes_a_place_by_sees_none_below_it():
    n = 2_000
    pages = np.full((n, 5), 0.3)
    keys = np.arange(n, dtype=np.uint64)[:, None]
    places = np.broadcast_to(np.arange(5), (n, 5))
    in_turn, _ = Cascade(0.8, 0.3)._walk(pages, keys, places)
    apart, _ = PositionBased(0.8)._walk(pages, keys, places)
    assert not (in_turn[:, 1:] & ~in_turn[:, :-1]).any()
    assert (apart[:, 1:] & ~apart[:, :-1]).any()


def test_a_visitor_does_with_an_item_the_same_wherever_it_stands():
    n = 300
    pages, keys = np.full((n, 3), 0.4), np.arange(n)
    items = np.broadcast_to([7, 8, 9], (n, 3))
    model = PositionBased(0.0)  # every place is looked at
    clicked = model.draw(pages, keys, items)
    assert (model.draw(pages, keys, items[:, ::-1])[:, ::-1] == clicked).all()
    assert (model.draw(pages, keys) != clicked).any()


def test_better_items_go_to_the_top():
    for model in MODELS[:2]:
        best = model.expected([sorted(PAGE[0], reverse=True)])
        assert best > model.expected([sorted(PAGE[0])])


def test_an_empty_page_gets_no_clicks():
    assert PositionBased().expected(np.empty((2, 0))).tolist() == [0, 0]
    assert Cascade().draw(np.empty((2, 0)), [1, 2]).shape == (2, 0)


def test_what_is_no_chance_is_refused():
    with pytest.raises(ParameterError, match="decay must be a finite number of at least 0"):
        PositionBased(decay=-1)
    with pytest.raises(ParameterError, match="satisfaction must be a finite number"):
        Cascade(satisfaction=1.5)
    for pages in ([[1.2]], [[np.nan]], [0.5]):
        with pytest.raises(DataError, match="pages must be chances from 0 to 1"):
            PositionBased().expected(pages)
    with pytest.raises(DataError, match="keys must be 1 integers"):
        PositionBased().draw(PAGE, [1, 2])
    with pytest.raises(DataError, match="items must be integers"):
        PositionBased().draw(PAGE, [1], items=[[1, 2]])
