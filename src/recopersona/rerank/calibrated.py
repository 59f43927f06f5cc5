"""A list in the proportions of her taste."""

from __future__ import annotations

from recopersona.base.parameters import param, real
from recopersona.data.types import Indices, Values
from recopersona.kernels.aspects import calibrate_aspects
from recopersona.rerank.aspects import Members
from recopersona.rerank.by_aspect import ByAspect

_PLACES = 10


class Calibrated(ByAspect):
    r"""Keep the proportions of the visitor's taste: who is 70 % tea and 30 % spice sees 7 and 3.

    Without it, a list of ten may be tea alone: every tea is likelier than every spice. What a list
    deviates from her taste p is the Kullback-Leibler divergence from the distribution q of its
    items over the aspects,

    .. math:: KL(p \,\|\, q) = \sum_a p_a \log \frac{p_a}{q_a}, \qquad
              q_a \propto s \, p_a + m_a, \qquad
              m_a = \sum_{i \text{ in the list}} \frac{[a \in A_i]}{|A_i|}

    (s is ``smoothing``, which keeps it finite). Of lists of one length the divergence is least
    where :math:`\sum_a p_a \log(s \, p_a + m_a)` is most, and that is what the next item is chosen
    by:

    .. math:: (1 - weight) \, \hat r_i + 10 \, weight \sum_{a \in A_i} p_a
              \log \Big(1 + \frac{1 / |A_i|}{s \, p_a + m_a}\Big)

    with :math:`\hat r` the scaled relevance. The ten make a list of ten the measure: about there,
    an aspect that is due adds as much, at a weight of one half, as there is between the best and
    the last candidate. No length is assumed otherwise: the beginning of a list is calibrated as the
    whole is. As the sum is submodular, choosing one by one comes within 1 - 1/e of the best list.

    Parameters
    ----------
    attribute, weight, prior, top
        See `ByAspect`.
    smoothing : float, above 0
        How many items in her taste's own proportions stand before the list.

    Notes
    -----
    Items without a value add nothing but relevance. Scores are what each item added. With a
    weight of 1 and aspects that nobody shares, this is the method of highest averages by which
    parliaments are filled.

    References
    ----------
    Steck (2018), "Calibrated recommendations", sections 3 and 4.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import recopersona as rp
    >>> shelf = pd.DataFrame({"item_id": [f"tea {k}" for k in range(20)]
    ...                                  + [f"salt {k}" for k in range(20)],
    ...                       "kind": ["tea"] * 20 + ["salt"] * 20})
    >>> log = pd.DataFrame({"user_id": "anna",
    ...                     "item_id": [f"tea {k}" for k in range(7)]
    ...                                + [f"salt {k}" for k in range(3)]})
    >>> shop = rp.Dataset.from_frames(log, items=shelf)
    >>> ranking = rp.Ranking.of(np.arange(40), np.linspace(1, 0, 40), shop.items, "a model")
    >>> stage = Calibrated(attribute="kind", weight=0.7, prior=0).fit(shop)
    >>> stage.wanted_by(rp.Query("anna"))
    {'tea': 0.7, 'salt': 0.3}
    >>> [sum("tea" in item for item in order.top(10).item_ids)
    ...  for order in (ranking, stage(rp.Query("anna"), ranking))]
    [10, 7]

    """

    smoothing: float = param(real(above=0), default=1.0)

    def _choose(
        self,
        chosen: Indices,
        gains: Values,
        relevance: Values,
        wanted: Values,
        members: Members,
    ) -> None:
        own, told = (1 - self.weight) * relevance, _PLACES * self.weight * wanted
        calibrate_aspects(chosen, gains, own, told, self.smoothing * wanted, *members)
