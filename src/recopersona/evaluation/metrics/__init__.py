r"""What a list is worth, one module per family, by functions of arrays and by names.

A *hit* is a place of a list that holds a relevant item. Throughout, :math:`k` is the length asked
for, :math:`|test|` the number of a user's relevant items (at least 1) and :math:`rel_r` is 1 where
place :math:`r` is a hit. A list that ends before place :math:`k` has misses from there on. Two
definitions of recall and of average precision are in use and both are here: divided by
:math:`|test|`, so that a user with more than :math:`k` relevant items can never reach 1, and
divided by :math:`\min(k, |test|)` ("capped"), so that everyone can.

Where scores tie, the item that comes first in the catalogue stands first: models break ties so,
and no metric reads scores again but `auc`, where a tie counts half. Metrics named ``sampled_...``
rank against a draw of items, are not the metrics whose name they extend, and may order models
otherwise (Krichene & Rendle 2020).
"""

from recopersona.evaluation.metrics.accuracy import hit_rate, precision, recall, recall_capped
from recopersona.evaluation.metrics.catalogue import (
    average_popularity,
    coverage,
    gini,
    long_tail,
    long_tail_share,
)
from recopersona.evaluation.metrics.exposure import (
    demand_shares,
    exposure_disparity,
    exposure_gini,
    exposure_largest,
    exposure_shares,
)
from recopersona.evaluation.metrics.judged import Judged, Known
from recopersona.evaluation.metrics.measuring import Measured, measure
from recopersona.evaluation.metrics.names import (
    OVERALL,
    PER_USER,
    Asked,
    asked_metrics,
    less_is_better,
    metric_names,
)
from recopersona.evaluation.metrics.ordering import (
    auc,
    average_precision,
    average_precision_capped,
    list_auc,
    ndcg,
    reciprocal_rank,
)
from recopersona.evaluation.metrics.sampled import (
    sampled_hit_rate,
    sampled_mrr,
    sampled_ndcg,
    sampled_ranks,
)
from recopersona.evaluation.metrics.surprise import expected_places, novelty, serendipity
from recopersona.evaluation.metrics.taste import calibration
from recopersona.evaluation.metrics.value import ndcg_of_gains, worth, worth_share
from recopersona.evaluation.metrics.variety import diversity

__all__ = [
    "Asked",
    "Judged",
    "Known",
    "Measured",
    "OVERALL",
    "PER_USER",
    "asked_metrics",
    "auc",
    "average_popularity",
    "average_precision",
    "average_precision_capped",
    "calibration",
    "coverage",
    "demand_shares",
    "diversity",
    "expected_places",
    "exposure_disparity",
    "exposure_gini",
    "exposure_largest",
    "exposure_shares",
    "gini",
    "hit_rate",
    "less_is_better",
    "list_auc",
    "long_tail",
    "long_tail_share",
    "measure",
    "metric_names",
    "ndcg",
    "ndcg_of_gains",
    "novelty",
    "precision",
    "recall",
    "recall_capped",
    "reciprocal_rank",
    "sampled_hit_rate",
    "sampled_mrr",
    "sampled_ndcg",
    "sampled_ranks",
    "serendipity",
    "worth",
    "worth_share",
]
