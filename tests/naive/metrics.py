"""Metrics the slow way: one list at a time, as the definitions say it."""

from math import log, log2


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


def list_auc(row, hits):
    """The share of (hit, miss) pairs in order, None where there is no pair."""
    listed = [hit for item, hit in zip(row, hits, strict=True) if item != -1]
    pairs = [a > b for r, a in enumerate(listed) for b in listed[r + 1 :] if a != b]
    return sum(pairs) / len(pairs) if pairs else None


def auc(scores, relevant, left_out=()):
    """How often a relevant item is above another one, None where there is no pair."""
    others = [item for item in range(len(scores)) if item not in {*relevant, *left_out}]
    wins = 0.0
    for item in relevant:
        if item == -1 or item in left_out:
            continue
        wins += sum((scores[item] > scores[j]) + (scores[item] == scores[j]) / 2 for j in others)
    pairs = len(relevant) * len(others)
    return wins / pairs if pairs else None


def worth(gained):
    return sum(gained)


def worth_share(gained, gains):
    return sum(gained) / sum(gains) if sum(gains) else None


def ndcg_of_gains(gained, gains, k):
    found = sum(gain / log2(place + 1) for place, gain in enumerate(gained, 1))
    best = sorted(gains, reverse=True)[:k]
    ideal = sum(gain / log2(place + 1) for place, gain in enumerate(best, 1))
    return found / ideal if ideal else None


def diversity(row, vectors):
    """Mean cosine distance of two known items, None where there are not two."""
    known = [vectors[item] for item in row if item != -1 and any(vectors[item])]
    pairs = [(a, b) for n, a in enumerate(known) for b in known[n + 1 :]]
    return sum(1 - _cosine(a, b) for a, b in pairs) / len(pairs) if pairs else None


def _cosine(a, b):
    def dot(x, y):
        return sum(p * q for p, q in zip(x, y, strict=True))

    return dot(a, b) / (dot(a, a) * dot(b, b)) ** 0.5


def calibration(row, past, labels, alpha=0.01):
    """KL of the past's mix of kinds from the list's, None where one has no known kind."""
    p, q = _mix(past, labels), _mix([item for item in row if item != -1], labels)
    if p is None or q is None:
        return None
    mixed = [(1 - alpha) * b + alpha * a for a, b in zip(p, q, strict=True)]
    return sum(a * log(a / m) for a, m in zip(p, mixed, strict=True) if a)


def _mix(items, labels):
    known = [labels[item] for item in items if any(labels[item])]
    if not known:
        return None
    shares = [[part / sum(kinds) for part in kinds] for kinds in known]
    return [sum(parts) / len(known) for parts in zip(*shares, strict=True)]


def serendipity(row, relevant, popular, past, k):
    """Hits outside of the k most popular items the user lacks, and of what she has, over k."""
    primitive = [item for item in popular if item not in past][:k]
    wanted = [item for item in row[:k] if item != -1 and item in relevant]
    return sum(item not in primitive and item not in past for item in wanted) / k


def gini(amounts):
    """Half the mean absolute difference of two amounts, over the mean."""
    n, total = len(amounts), sum(amounts)
    apart = sum(abs(a - b) for a in amounts for b in amounts)
    return apart / (2 * n * total) if total else None


def exposure_shares(lists, labels):
    n_groups = len(labels[0])
    seen = [0.0] * n_groups
    for row in lists:
        for place, item in enumerate(row, 1):
            if item != -1 and any(labels[item]):
                for group, belongs in enumerate(labels[item]):
                    seen[group] += belongs / sum(labels[item]) / log2(place + 1)
    return [part / sum(seen) for part in seen]


def lists_of_rows(rows, n_users, k):
    """Lists of (user, item, key) rows, least key first, ties by item; and repeats of each user."""
    lists, repeats = [], []
    for user in range(n_users):
        mine = sorted((key, item) for owner, item, key in rows if owner == user)
        items = list(dict.fromkeys(item for _, item in mine))
        repeats.append(len(mine) - len(items))
        lists.append([*items, *[-1] * k][:k])
    return lists, repeats
