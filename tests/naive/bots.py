"""How a visitor comes and goes, the slow way."""

from collections import defaultdict
from itertools import pairwise

HOUR, DAY = 3_600_000, 86_400_000


def most_within(times, window):
    return max((sum(t <= u < t + window for u in times) for t in times), default=0)


def regular_share(times, shortest, longest):
    pauses = sorted(b - a for a, b in pairwise(times) if shortest <= b - a <= longest)
    if not pauses:
        return 0, 0.0
    usual = pauses[len(pauses) // 2]
    return len(pauses), sum(abs(p - usual) * 10 <= usual for p in pauses) / len(pauses)


def busy_days(times, hours):
    seen = defaultdict(set)
    for time in times:
        seen[time // DAY].add(time % DAY // HOUR)
    return sum(len(of_day) >= hours for of_day in seen.values())


def most_items_a_day(times, items):
    seen = defaultdict(set)
    for time, item in zip(times, items, strict=True):
        seen[time // DAY].add(item)
    return max(map(len, seen.values()), default=0)


def measures(times, items, short, long, shortest, longest, hours):
    n, share = regular_share(times, shortest, longest)
    counts = [
        most_within(times, short), most_within(times, long), n, busy_days(times, hours),
        most_items_a_day(times, items),
    ]  # fmt: skip
    return counts, share


def group_rows(codes):
    return sorted(range(len(codes)), key=lambda row: codes[row])
