"""The slow way to the same: posteriors sampled, sums by hand, regressions solved."""

import numpy as np


def sampled_best(draw, n_arms, n=400_000, seed=0):
    """Count how often each arm is the best of independent samples."""
    rng = np.random.default_rng(seed)
    samples = np.stack([draw(rng, arm, n) for arm in range(n_arms)])
    return np.bincount(samples.argmax(axis=0), minlength=n_arms) / n


def pooled_beta(trials, totals, row, hits, misses, n0):
    """Return the shapes of every arm's Beta posterior in a segment."""
    shapes = []
    for arm in range(trials.shape[1]):
        a = hits + totals[0, arm]
        b = misses + trials[0, arm] - totals[0, arm]
        if row:
            own = (trials[row, arm], totals[row, arm]) if row > 0 else (0.0, 0.0)
            mean, certain = a / (a + b), a + b
            variance = mean * (1 - mean) * (1 / (certain + 1) + (1 - 1 / (certain + 1)) / (n0 + 1))
            worth = mean * (1 - mean) / variance - 1
            a = worth * mean + own[1]
            b = worth * (1 - mean) + own[0] - own[1]
        shapes.append((a, b))
    return np.array(shapes)


def tallied(rows, n_rows, n_arms, discount):
    """Return trials, totals and squares of (arm, segment row, reward, weight), oldest first."""
    sums = np.zeros((3, n_rows, n_arms))
    for arm, row, reward, weight in rows:
        sums *= discount
        for place in {0, max(row, 0)}:
            sums[:, place, arm] += weight, weight * reward, weight * reward**2
    return sums


def ridge(contexts, rewards, weights, penalty):
    """Return inverse and coefficients of one arm."""
    d = contexts.shape[1]
    gram = penalty * np.eye(d) + (contexts * weights[:, None]).T @ contexts
    return np.linalg.inv(gram), np.linalg.solve(gram, (weights * rewards) @ contexts)
