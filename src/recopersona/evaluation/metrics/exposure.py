"""Who is seen: how the attention of all users is shared out among sellers, brands, makers."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recopersona.data.types import Array, Indices, Values
from recopersona.evaluation.metrics.catalogue import gini_of


def exposure_shares(lists: Indices, groups: sparse.csr_array) -> Values:
    r"""Return each group's share of the attention that all lists give away.

    .. math:: e_g = \sum_u \sum_{r=1}^{|L_u|} \frac{[L_{ur} \in g]}{\log_2(r + 1)}, \qquad
              s_g = e_g \Big/ \sum_{g'} e_{g'}

    Later places are seen less. An item of several groups gives each an equal part; items of none
    are left out.

    Parameters
    ----------
    lists : int32 (n_lists, k)
        Item indices, -1 beyond a list's end.
    groups : csr (n_items, n_groups)
        1 where an item belongs to a group.

    Returns
    -------
    float64 (n_groups,), adding up to 1; NaN where no item shown has a group

    References
    ----------
    Singh & Joachims (2018), "Fairness of exposure in rankings", section 3.

    Examples
    --------
    The first place counts 1, the second 1 / log2(3) = 0.63:

    >>> groups = sparse.csr_array([[1, 0], [0, 1]])
    >>> exposure_shares(np.array([[0, 1]]), groups).round(3)
    array([0.613, 0.387])
    """
    seen = np.broadcast_to(1.0 / np.log2(np.arange(2, lists.shape[1] + 2)), lists.shape)
    held = lists >= 0
    return _shares(np.bincount(lists[held], seen[held], minlength=groups.shape[0]), groups)


def demand_shares(relevant: Indices, groups: sparse.csr_array) -> Values:
    """Return each group's share of what was wanted, float64 (n_groups,).

    relevant  int32 (n_relevant,), -1 for items that the catalogue lacks
    groups    csr (n_items, n_groups)

    Examples
    --------
    >>> demand_shares(np.array([0, 1, 1, 1, -1]), sparse.csr_array([[1, 0], [0, 1]]))
    array([0.25, 0.75])
    """
    return _shares(np.bincount(relevant[relevant >= 0], minlength=groups.shape[0]), groups)


def exposure_gini(lists: Indices, groups: sparse.csr_array) -> float:
    r"""Return how unequal the groups' shares of attention are.

    The Gini coefficient of the shares, groups never shown included, 0 (all alike) to 1 - 1/n; see
    `exposure_shares` for the parameters, and `gini` for the formula and its source.

    Examples
    --------
    >>> exposure_gini(np.array([[0], [1]]), sparse.csr_array([[1, 0], [0, 1]]))
    0.0
    """
    return gini_of(exposure_shares(lists, groups))


def exposure_largest(lists: Indices, groups: sparse.csr_array) -> float:
    r"""Return the share of attention of the group that has most of it, :math:`\max_g s_g`.

    1/n to 1; see `exposure_shares` for the parameters, and its source.

    Examples
    --------
    >>> exposure_largest(np.array([[0], [0], [0], [1]]), sparse.csr_array([[1, 0], [0, 1]]))
    0.75
    """
    shares = exposure_shares(lists, groups)
    return float(shares.max()) if len(shares) else float("nan")


def exposure_disparity(lists: Indices, relevant: Indices, groups: sparse.csr_array) -> float:
    r"""Return how much attention goes elsewhere than where the demand is.

    .. math:: \tfrac{1}{2} \sum_g | s_g - d_g |

    where :math:`d_g` is the group's share of what was wanted: the part of all attention that would
    have to move.

    Parameters
    ----------
    lists : int32 (n_lists, k)
        Item indices, -1 beyond a list's end.
    relevant : int32 (n_relevant,)
        What all users wanted, -1 for items that the catalogue lacks.
    groups : csr (n_items, n_groups)
        1 where an item belongs to a group.

    Returns
    -------
    float, 0 to 1; NaN where no item shown, or none wanted, has a group

    References
    ----------
    Singh & Joachims (2018), "Fairness of exposure in rankings", section 3.2 (disparate treatment);
    here as the total variation distance of the two distributions.

    Examples
    --------
    Half of what was wanted is the second seller's, who is never shown:

    >>> sellers = sparse.csr_array([[1, 0], [0, 1]])
    >>> exposure_disparity(np.array([[0], [0]]), np.array([0, 1]), sellers)
    0.5
    """
    gap = exposure_shares(lists, groups) - demand_shares(relevant, groups)
    return float(np.abs(gap).sum() / 2) if len(gap) else float("nan")


def _shares(of_items: Array, groups: sparse.csr_array) -> Values:
    belongs = groups.astype(np.float64)
    several = np.asarray(belongs.sum(axis=1)).ravel()
    amounts = (of_items / np.maximum(several, 1.0)) @ belongs
    total = amounts.sum()
    shares: Values = amounts / (total if total > 0 else np.nan)
    return shares
