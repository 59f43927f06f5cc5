"""The slow, readable twins of sums of embeddings and of what they learn from rows."""

import numpy as np


def sums(shares, embeddings):
    return np.array([row @ embeddings for row in shares])


def taught(embeddings, evidence, shares, rows, weights, targets, reg):
    embeddings, evidence = embeddings.astype(float), evidence.astype(float)
    for row, weight, target in zip(rows, weights, targets, strict=True):
        own = shares[row].astype(float)
        missing = target - own @ embeddings
        evidence = evidence + weight * own**2
        steps = weight * own / (reg + evidence)
        reach = own @ steps
        embeddings = embeddings + np.outer(steps, missing) / max(1, reach)
    return embeddings, evidence
