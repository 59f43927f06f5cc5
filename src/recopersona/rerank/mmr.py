"""Maximal marginal relevance: what suits, and is unlike what stands above it."""

from __future__ import annotations

import numpy as np

from recopersona.data.types import Floats, Indices, Values
from recopersona.kernels.rerank import pick_mmr
from recopersona.rerank.greedy import Greedy


class MMR(Greedy):
    r"""Choose each next item for its relevance, less its likeness to the nearest one chosen.

    .. math:: \arg\max_{i \notin S} \; (1 - w) \, r_i - w \max_{j \in S} \cos^+(v_i, v_j)

    The relevance :math:`r` is the score as `scaled` makes it comparable; a cosine below 0 counts as
    0. The gain of each choice is its new score, so scores never rise.

    Parameters
    ----------
    vectors : list of columns, model, dataframe or array, optional
        What items are compared by, see `ItemVectors`: by default their attributes.
    weight : float, 0 to 1
        The w: with 0 the order stays, with 1 only likeness counts.
    top : int, at least 1
        How many places are chosen one by one. All others follow in the order of what each would
        add then.

    Attributes
    ----------
    item_vectors_ : ItemVectors

    Notes
    -----
    Time: one inner product for each candidate and choice. Of equal gains the more relevant comes
    first, then the lower item index.

    References
    ----------
    Carbonell & Goldstein (1998), "The use of MMR, diversity-based reranking for reordering
    documents and producing summaries".

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
    >>> ranking.item_ids, MMR(weight=0.5).fit(shop)(Query("dora"), ranking).item_ids
    (['sencha', 'matcha', 'salt'], ['sencha', 'salt', 'matcha'])
    """

    def _pick(self, worth: Values, vectors: Floats, n: int) -> tuple[Indices, Values]:
        chosen, gains = np.empty(n, np.int32), np.empty(len(worth))
        pick_mmr(chosen, gains, (1 - self.weight) * worth, vectors, float(self.weight))
        return chosen, gains
