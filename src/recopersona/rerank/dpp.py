"""Determinantal point processes: lists whose items have little in common, all together."""

from __future__ import annotations

import numpy as np

from recopersona.base.parameters import Bound, optional, param, whole
from recopersona.data.types import Floats, Indices, Values
from recopersona.kernels.rerank import pick_dpp
from recopersona.rerank.greedy import Greedy


class DPP(Greedy):
    r"""Choose each next item for its relevance, and for what all those before it do not explain.

    A list is worth the sum of its relevances and the logarithm of the volume that its items span:

    .. math::
        f(S) = (1 - w) \sum_{i \in S} r_i + \frac{w}{c} \log\det L_S, \qquad
        L_{ij} = (1 - \rho) \Big(\frac{1 + \cos(v_i, v_j)}{2}\Big)^p + \rho \, [i = j]

    which is the log-probability of a determinantal point process whose qualities are exponentials
    of the relevance :math:`r`, as `scaled` makes it comparable. Each choice adds most to it. With
    :math:`c = -\log(1 - (1 - \rho)^2)` the first repetition costs w, as it does in `MMR`; but
    here a third of a kind costs more than a second, and two items that together cover a candidate
    count, though neither is like it alone.

    Parameters
    ----------
    vectors : list of columns, model, dataframe or array, optional
        What items are compared by, see `ItemVectors`: by default their attributes.
    weight : float, 0 to 1
        The w: with 0 the order stays, with 1 only the volume counts.
    top : int, at least 1
        How many places are chosen one by one. All others follow in the order of what each would
        add then.
    ridge : float, above 0 and below 1
        The :math:`\rho`: how much of an item is its own, whatever it is like. So the kernel always
        has full rank, and equal items can stand in one list. Little of it punishes the first
        repetition almost alone, much of it each one alike.
    power : int, at least 1
        The p. With 1 every difference counts alike, so that lists are varied on the whole; the
        higher, the more it is only next to each other that items repeat each other.
    window : int, at least 1, optional
        Compare with so many items above only: for long lists, in which what stood far above may
        come again. By default with all.

    Attributes
    ----------
    item_vectors_ : ItemVectors

    Notes
    -----
    The kernel is never made: a choice costs each candidate one inner product, and one number for
    each item it is compared with. Memory: 8 bytes for each candidate and each of those.

    The gain of each choice is its new score; gains fall by themselves but under a window, where
    what was forgotten may make one rise: its score then is that of the item above. Of equal gains
    the more relevant comes first, then the lower item index.

    References
    ----------
    Chen, Zhang & Zhou (2018), "Fast greedy MAP inference for determinantal point process to improve
    recommendation diversity"; Kulesza & Taskar (2012), "Determinantal point processes for machine
    learning".

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona import Dataset, Popularity, Query
    >>> shelf = pd.DataFrame({
    ...     "item_id": ["sencha", "matcha", "salt"], "kind": ["tea", "tea", "spice"]})
    >>> log = pd.DataFrame({
    ...     "user_id": ["anna", "ben", "cleo", "anna", "ben", "cleo"],
    ...     "item_id": ["sencha", "sencha", "sencha", "matcha", "matcha", "salt"]})
    >>> shop = Dataset.from_frames(log, items=shelf)
    >>> ranking = Popularity().fit(shop).recommend("dora")
    >>> ranking.item_ids, DPP(weight=0.5).fit(shop)(Query("dora"), ranking).item_ids
    (['sencha', 'matcha', 'salt'], ['sencha', 'salt', 'matcha'])
    """

    ridge: float = param(
        Bound("a number between 0 and 1, both excluded", lambda value: 0 < value < 1), default=0.8
    )
    power: int = param(whole(at_least=1), default=1)
    window: int | None = param(optional(whole(at_least=1)), default=None)

    def _pick(self, worth: Values, vectors: Floats, n: int) -> tuple[Indices, Values]:
        chosen, gains = np.empty(n, np.int32), np.empty(len(worth))
        window = n if self.window is None else self.window
        penalty = self.weight / -np.log(1 - (1 - self.ridge) ** 2)
        relevance = (1 - self.weight) * worth
        pick_dpp(chosen, gains, relevance, vectors, penalty, float(self.ridge), self.power, window)
        return chosen, gains
