"""A learner of three lines, to test what stands above it."""

import numpy as np

from recopersona.rankers.ranker import Ranker


class Line(Ranker):
    """Least squares on standardized columns, unknown values at their mean."""

    def _learn(self, rows):
        self.means_ = np.nanmean(rows.matrix, axis=0, dtype=np.float64)
        self.scales_ = np.nanstd(rows.matrix, axis=0, dtype=np.float64)
        columns = self._standard(rows.matrix) * np.sqrt(rows.weights)[:, None]
        wanted = (rows.labels - 0.5) * np.sqrt(rows.weights)
        gram = columns.T @ columns + 1e-3 * rows.weights.sum() * np.eye(len(rows.names))
        self.coefficients_ = np.linalg.solve(gram, columns.T @ wanted)
        self.base_ = float(np.average(rows.labels, weights=rows.weights) - 0.5)

    def _standard(self, matrix):
        scale = np.where(self.scales_ > 0, self.scales_, 1.0)
        return np.nan_to_num((matrix - self.means_) / scale)

    def _logits(self, matrix):
        return self.base_ + self._shares(matrix).sum(axis=1)

    def _shares(self, matrix):
        return self._standard(matrix) * self.coefficients_
