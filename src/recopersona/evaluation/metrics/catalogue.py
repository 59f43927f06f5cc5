"""What all lists together show of the catalogue, and how popular that is."""

from __future__ import annotations

import numpy as np

from recopersona.data.types import Indices


def coverage(lists: Indices, n_items: int) -> float:
    r"""Return the share of the catalogue that is shown to anybody.

    .. math:: \frac{1}{n_{items}} \Big| \bigcup_u L_u \Big|

    Parameters
    ----------
    lists : int32 (n_lists, k)
        Item indices, -1 beyond a list's end.
    n_items : int, at least 1
        Size of the catalogue.

    Returns
    -------
    float, 0 to 1

    References
    ----------
    Ge, Delgado-Battenfeld & Jannach (2010), "Beyond accuracy: evaluating recommender systems by
    coverage and serendipity" (catalogue coverage).

    Examples
    --------
    >>> coverage(np.array([[0, 1], [1, -1]], np.int32), 8)
    0.25
    """
    shown = np.zeros(n_items, dtype=np.bool_)
    shown[lists[lists >= 0]] = True
    return float(shown.mean())
