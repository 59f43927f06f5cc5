"""Something of everything she is drawn to."""

from __future__ import annotations

import numpy as np

from recopersona.base.parameters import param, real
from recopersona.data.types import Indices, Values
from recopersona.kernels.aspects import cover_aspects
from recopersona.rerank.aspects import Members
from recopersona.rerank.by_aspect import ByAspect


class XQuAD(ByAspect):
    r"""Cover all aspects that the visitor is drawn to, those first that speak to her most.

    The next item is the one of which there is most to be had,

    .. math:: (1 - weight) \, \hat r_i + \frac{weight}{Z} \sum_{a \in A_i} p_a \, c_i
              \prod_{j \text{ chosen}, \, a \in A_j} (1 - c_j)

    with :math:`\hat r` the scaled relevance, :math:`p_a` how much she is drawn to aspect a (see
    `Aspects`), and :math:`c_i = satisfied \cdot \hat r_i` the chance that an item satisfies whoever
    came for one of its aspects: an aspect of which something good was shown is less urgent. Z is
    the most that any candidate adds to an empty list, so that the weight means the same in every
    request.

    It differs from `Calibrated` in that an aspect is done with some time: with a few good items of
    each, the rest of the list is by relevance, while a calibrated list keeps the proportions.

    Parameters
    ----------
    attribute, weight, prior, top
        See `ByAspect`.
    satisfied : float, above 0 and at most 1
        The chance that the best candidate satisfies alone. At 1, one of each aspect is enough.

    Notes
    -----
    Items without a value are judged by relevance alone. Scores are what each item added.

    References
    ----------
    Santos, Macdonald & Ounis (2010), "Exploiting query reformulations for web search result
    diversification"; Vargas & Castells (2013), "Exploiting the diversity of user preferences for
    recommendation"; Chapelle et al. (2011), "Intent-based diversification of web search results",
    for the chance of one half.

    Examples
    --------
    >>> import pandas as pd
    >>> import recopersona as rp
    >>> shelf = pd.DataFrame({"item_id": ["sencha", "matcha", "oolong", "salt", "pepper", "oil"],
    ...                       "kind": ["tea", "tea", "tea", "spice", "spice", None]})
    >>> log = pd.DataFrame({"user_id": ["anna", "ben"], "item_id": ["salt", "oolong"]})
    >>> shop = rp.Dataset.from_frames(log, items=shelf)
    >>> ranking = rp.Ranking.of([0, 1, 2, 3, 4, 5], [9, 8, 7, 6, 5, 4], shop.items, "a model")
    >>> XQuAD(attribute="kind", weight=0.9).fit(shop)(rp.Query("ben"), ranking).item_ids
    ['sencha', 'matcha', 'salt', 'oolong', 'pepper', 'oil']
    """

    satisfied: float = param(real(above=0, at_most=1), default=0.5)

    def _choose(
        self,
        chosen: Indices,
        gains: Values,
        relevance: Values,
        wanted: Values,
        members: Members,
    ) -> None:
        chances = self.satisfied * relevance
        cover_aspects(chosen[:0], gains, np.zeros(len(gains)), chances, wanted, *members)
        most = gains.max()
        share = self.weight / most if most > 0 else 0.0
        own = (1 - self.weight) * relevance
        cover_aspects(chosen, gains, own, chances, share * wanted, *members)
