"""Metrics the slow way: one list at a time, as the definitions say it."""

from math import log2


def mark_hits(lists, relevant):
    """Return for each list which places hold a relevant item; -1 is no item."""
    return [
        [item != -1 and item in chosen for item in row]
        for row, chosen in zip(lists, relevant, strict=True)
    ]


def recall(hits, n_relevant):
    return sum(hits) / n_relevant


def recall_capped(hits, n_relevant):
    return sum(hits) / min(len(hits), n_relevant)


def precision(hits, n_relevant):
    return sum(hits) / len(hits)


def ndcg(hits, n_relevant):
    gain = sum(1 / log2(place + 1) for place, hit in enumerate(hits, 1) if hit)
    best = sum(1 / log2(place + 1) for place in range(1, min(len(hits), n_relevant) + 1))
    return gain / best


def _summed_precision(hits):
    return sum(sum(hits[:place]) / place for place, hit in enumerate(hits, 1) if hit)


def average_precision(hits, n_relevant):
    return _summed_precision(hits) / n_relevant


def average_precision_capped(hits, n_relevant):
    return _summed_precision(hits) / min(len(hits), n_relevant)


def reciprocal_rank(hits, n_relevant):
    return next((1 / place for place, hit in enumerate(hits, 1) if hit), 0.0)


def hit_rate(hits, n_relevant):
    return float(any(hits))


def novelty(row, holders, n_users):
    shown = [item for item in row if item != -1]
    bits = [-log2(max(holders[item], 1) / n_users) for item in shown]
    return sum(bits) / len(bits) if bits else 0.0


def coverage(lists, n_items):
    return len({item for row in lists for item in row if item != -1}) / n_items
