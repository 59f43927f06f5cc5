"""How far a model's own word may be off: it is fitted again to resamples."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recopersona.base.parameters import generator
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.offpolicy.intervals import units_of
from recopersona.evaluation.offpolicy.log import Log
from recopersona.evaluation.offpolicy.rewards import Cells, expected_value, models_for
from recopersona.evaluation.offpolicy.targets import Target

REFITS = 50
"""So many, the spread is itself known to a tenth."""


def refitted_error(log: Log, target: Target, cells: Cells, resampling: Resampling) -> float:
    """Return the standard deviation of the direct method over resamples of rounds or clusters.

    Each resample's model is fitted to how often it drew each cell, so rows are counted once.
    """
    units = units_of(len(log), resampling, log.clusters)
    units = np.arange(len(log)) if units is None else units
    n_units, n_cells = int(units.max()) + 1, len(cells.rewards)
    ones = np.ones(len(log))
    held = sparse.csr_array((ones, (units, cells.of_row)), (n_units, n_cells))
    held.sum_duplicates()
    random = generator(resampling.random_state)
    model = models_for(None, log, cells, len(target.actions), 1)[0]
    found = []
    for _ in range(REFITS):
        times = np.bincount(random.integers(n_units, size=n_units), minlength=n_units)
        weights = np.asarray(times.astype(np.float64) @ held)
        model.fit(weights)
        shown = np.bincount(cells.situations, weights, len(log.situation)).astype(np.float64)
        found.append(expected_value(log, target, model, shown))
    return float(np.std(found, ddof=1))
