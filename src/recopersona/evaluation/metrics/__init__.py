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
from recopersona.evaluation.metrics.catalogue import coverage
from recopersona.evaluation.metrics.judged import Judged, Known
from recopersona.evaluation.metrics.measuring import Measured, measure
from recopersona.evaluation.metrics.names import (
    OVERALL,
    PER_USER,
    Asked,
    asked_metrics,
    metric_names,
)
from recopersona.evaluation.metrics.ordering import (
    average_precision,
    average_precision_capped,
    ndcg,
    reciprocal_rank,
)
from recopersona.evaluation.metrics.surprise import novelty

__all__ = [
    "OVERALL",
    "PER_USER",
    "Asked",
    "Judged",
    "Known",
    "Measured",
    "asked_metrics",
    "average_precision",
    "average_precision_capped",
    "coverage",
    "hit_rate",
    "measure",
    "metric_names",
    "ndcg",
    "novelty",
    "precision",
    "recall",
    "recall_capped",
    "reciprocal_rank",
]
