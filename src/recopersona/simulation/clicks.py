"""How a page is walked down: by position, or one place after the other until satisfied."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.base.parameters import check, real
from recopersona.data.types import Array, Mask, Values
from recopersona.errors import DataError
from recopersona.kernels.visitors import click, expect
from recopersona.simulation.chance import chances_of

_LOOKS, _LIKES, _ENDS = 0x100000000, 0x200000000, 0x300000000


class PositionBased:
    r"""Every place is looked at with a chance of its own, whatever stands above it.

    .. math:: E[\text{clicks}] = \sum_k e_k c_k, \qquad e_k = k^{-decay}

    where :math:`c_k` is the chance that what stands in place k is clicked once looked at.

    Parameters
    ----------
    decay : float, at least 0
        How fast attention falls; 0 looks at every place.

    Raises
    ------
    ParameterError
        If a parameter is out of bounds.

    References
    ----------
    Craswell, Zoeter, Taylor & Ramsey (2008), "An experimental comparison of click position-bias
    models"; Chuklin, Markov & de Rijke (2015), "Click Models for Web Search".

    Examples
    --------
    >>> model = PositionBased(decay=1.0)
    >>> model.expected([[0.4, 0.2], [0.2, 0.4]])
    array([0.5, 0.4])
    >>> model.draw([[1.0, 1.0]], keys=[17])
    array([[ True,  True]])
    """

    satisfaction = 0.0
    _in_turn = 0

    def __init__(self, decay: float = 0.7) -> None:
        check(decay, real(at_least=0), type(self).__name__, "decay")
        self.decay = decay

    def __repr__(self) -> str:
        return f"{type(self).__name__}(decay={self.decay!r})"

    def examination(self, n: int) -> Values:
        """Return the chance that each of n places is looked at where nothing has been clicked."""
        return np.arange(1, n + 1, dtype=np.float64) ** -self.decay

    def seen(self, pages: Any) -> Values:
        """Return the chance that each place is looked at, float64 (n_pages, n_places).

        Parameters
        ----------
        pages : array-like (n_pages, n_places)
            The chance that each item is clicked once looked at, from 0 to 1.

        Raises
        ------
        DataError
            If these are no chances.
        """
        chances = _pages(pages)
        seen = np.empty_like(chances)
        expect(seen, chances, self.examination(chances.shape[1]), float(self.satisfaction))
        return seen

    def expected(self, pages: Any) -> Values:
        """Return how many clicks each page gets on average, float64 (n_pages,); see `seen`."""
        chances = _pages(pages)
        clicks: Values = (self.seen(chances) * chances).sum(axis=1)
        return clicks

    def draw(self, pages: Any, keys: Any, items: Any = None) -> Mask:
        """Return what is clicked, bool (n_pages, n_places).

        Parameters
        ----------
        pages : array-like (n_pages, n_places)
            See `seen`.
        keys : array-like of integers (n_pages,)
            The same key is the same visitor at the same moment, who does the same.
        items : array-like of integers (n_pages, n_places), optional
            What stands there: a visitor who looks at an item then does with it what she would do
            in any other place. By default the places' own numbers.

        Raises
        ------
        DataError
            If there is not one key per page.
        """
        chances = _pages(pages)
        keys = np.asarray(keys)
        if keys.shape != chances.shape[:1] or keys.dtype.kind not in "iu":
            raise DataError(
                f"draw: keys must be {len(chances)} integers, one per page, got {keys!r}."
            )
        places = np.broadcast_to(np.arange(chances.shape[1]), chances.shape)
        items = places if items is None else np.asarray(items)
        if items.shape != chances.shape or items.dtype.kind not in "iu":
            raise DataError(f"draw: items must be integers of the shape {chances.shape}.")
        return self._walk(chances, keys.astype(np.uint64)[:, None], items)[1]

    def _walk(self, chances: Values, keys: Array | int, items: Array) -> tuple[Mask, Mask]:
        """Return what is looked at and what is clicked."""
        places = np.broadcast_to(np.arange(chances.shape[1]), chances.shape)
        seen, clicked = (np.empty(chances.shape, np.bool_) for _ in range(2))
        # The high words tell the three questions apart; all are asked in one go.
        items = items.astype(np.int64)
        questions = np.stack([places + _LOOKS, items + _LIKES, items + _ENDS])
        looks, likings, endings = chances_of(keys, questions)
        examination = self.examination(chances.shape[1])
        satisfaction = float(self.satisfaction)
        click(
            seen, clicked, chances, looks, likings, endings, examination, satisfaction,
            self._in_turn,
        )  # fmt: skip
        return seen, clicked


class Cascade(PositionBased):
    r"""Places are looked at in turn; the visitor leaves tired, or satisfied by a click.

    .. math:: s_1 = 1, \qquad
              s_{k+1} = s_k \frac{e_{k+1}}{e_k} (1 - \sigma c_k), \qquad
              E[\text{clicks}] = \sum_k s_k c_k, \qquad e_k = k^{-decay}

    Without satisfaction as many clicks are expected as from `PositionBased`, but whoever sees a
    place has seen all above it.

    Parameters
    ----------
    decay : float, at least 0
        How fast she tires; 0 goes on to the end unless satisfied.
    satisfaction : float from 0 to 1
        The chance that a click ends the search.

    Raises
    ------
    ParameterError
        If a parameter is out of bounds.

    References
    ----------
    Craswell, Zoeter, Taylor & Ramsey (2008), as above; Guo, Liu & Wang (2009), "Efficient
    multiple-click models in web search", for more than one click.

    Examples
    --------
    >>> Cascade(decay=0.0, satisfaction=1.0).expected([[0.5, 0.5]])
    array([0.75])
    """

    _in_turn = 1

    def __init__(self, decay: float = 0.7, satisfaction: float = 0.5) -> None:
        super().__init__(decay)
        check(satisfaction, real(at_least=0, at_most=1), type(self).__name__, "satisfaction")
        self.satisfaction = satisfaction

    def __repr__(self) -> str:
        return f"Cascade(decay={self.decay!r}, satisfaction={self.satisfaction!r})"


def _pages(pages: Any) -> Values:
    chances = np.ascontiguousarray(pages, dtype=np.float64)
    if chances.ndim != 2 or not ((chances >= 0) & (chances <= 1)).all():
        raise DataError("pages must be chances from 0 to 1, of the shape (n_pages, n_places).")
    return chances
