"""The slow, readable twin of `SessionKNN`: look at every visit, as the papers write it down."""

from __future__ import annotations

import math


def decayed(decay, step, length):
    """What a click counts ``step`` clicks before the latest."""
    if not isinstance(decay, str):
        return math.exp(-step / decay)
    return {
        "same": 1.0,
        "linear": max(1 - step / 10, 0.0),
        "div": 1 / (step + 1),
        "log": 1 / math.log10(step + 1.7),
        "quadratic": 1 / (step + 1) ** 2,
        "relative": 1 - step / length,
    }[decay]


class SessionKNN:
    """Visits are lists of items, the one that ended first in front.

    ``settings`` are the parameters of the model; ``ends`` its visits' ends in milliseconds.
    """

    def __init__(self, visits, settings, ends=None, recency_ms=None, window=50, shrink=20.0):
        self.whole, self.settings = visits, settings
        self.visits = [visit[-settings["max_clicks"] :] for visit in visits]
        self.ends, self.recency_ms = ends, recency_ms
        self.window, self.shrink = min(window, settings["max_clicks"]), shrink
        self.having = {}
        for number, visit in enumerate(self.visits):
            for item in set(visit):
                self.having.setdefault(item, []).append(number)
        self.back, self.there = self.count_comebacks()

    def idf(self, item):
        return math.log(max(len(self.visits), 1) / max(len(self.having.get(item, ())), 1))

    def scores(self, visit, now=None):
        """Every item's score, as a dictionary."""
        s = self.settings
        visit = visit[-s["max_clicks"] :]
        steps = {item: step for step, item in reversed(list(enumerate(reversed(visit))))}
        near = self.nearest(steps, len(visit), now)
        scores = self.said(near, steps, len(visit))
        if s["reminders"]:
            total = sum(scores.values()) or 1.0
            scores = {item: score / total for item, score in scores.items()}
            for item, rate in self.comebacks(visit).items():
                scores[item] = scores.get(item, 0.0) + s["reminders"] * rate
        return {item: score for item, score in scores.items() if score > 0}

    def nearest(self, steps, length, now):
        """The k most alike of the latest visits that share an item: (likeness, number) pairs."""
        s = self.settings
        sharing = {number for item in steps for number in self.having.get(item, ())}
        latest = sorted(sharing, reverse=True)[: s["sample"]]
        weights = {
            item: decayed(s["position_decay"], step, length) * (1 + s["rarity"] * self.idf(item))
            for item, step in steps.items()
        }
        alike = [(self.likeness(number, weights, now), number) for number in latest]
        return sorted(alike, key=lambda pair: -pair[0])[: s["k"]]  # of equal ones, the latest first

    def likeness(self, number, weights, now):
        theirs = set(self.visits[number])
        shared = sum(weight for item, weight in weights.items() if item in theirs)
        if self.settings["similarity"] == "cosine":
            norm = math.sqrt(sum(w * w for w in weights.values())) * math.sqrt(len(theirs))
        elif self.settings["similarity"] == "jaccard":
            norm = sum(weights.values()) + len(theirs) - shared
        else:
            norm = 1.0
        recency = 1.0
        if self.recency_ms and self.ends is not None and now is not None:
            recency = math.exp(-max(now - self.ends[number], 0) / self.recency_ms)
        return shared / norm * recency

    def said(self, near, steps, length):
        """What near visits say about their items."""
        s, scores = self.settings, {}
        for likeness, number in near:
            clicks = self.visits[number]
            voices = [
                (place, decayed(s["score_decay"], steps[item], length))
                for place, item in enumerate(clicks)
                if item in steps
            ]
            if s["speakers"] == "last":
                voices = [(place, voice) for place, voice in voices if voice > 0]
                voices = [(voices[-1][0], max(voice for _, voice in voices))] if voices else []
            for item in set(clicks):
                last = len(clicks) - 1 - clicks[::-1].index(item)
                heard = sum(voice * self.fading(last - place) for place, voice in voices)
                scores[item] = scores.get(item, 0.0) + likeness * heard
        return {item: score * (1 + s["idf"] * self.idf(item)) for item, score in scores.items()}

    def fading(self, distance):
        length = self.settings["distance_decay"]
        if distance == 0:
            return self.settings["echo"]
        return 1.0 if length is None else math.exp(-abs(distance) / length)

    # -- what comes back ---------------------------------------------------------------------

    def count_comebacks(self):
        back, there = {}, {}
        for visit in self.whole:
            for place in range(1, len(visit)):
                for item, key in self.places(visit[:place]).items():
                    there[key] = there.get(key, 0) + 1
                    back[key] = back.get(key, 0) + (item == visit[place])
        return back, there

    def places(self, clicks):
        """Each item's (bin of how many others came since, how often it was clicked)."""
        clicks = clicks[-self.window :]
        latest_first = list(dict.fromkeys(reversed(clicks)))
        return {
            item: (bin_of(others), min(clicks.count(item), 3))
            for others, item in enumerate(latest_first)
        }

    def comebacks(self, clicks):
        rates = {}
        for item, (row, times) in self.places(clicks).items():
            back = [self.back.get((row, column), 0) for column in (1, 2, 3)]
            there = [self.there.get((row, column), 0) for column in (1, 2, 3)]
            rate = sum(back) / (sum(there) + 1)
            rates[item] = (back[times - 1] + self.shrink * rate) / (there[times - 1] + self.shrink)
        return rates


def bin_of(others):
    """0 to 7 alone, then from 8, 12, 16, 24, 32, 48, …, 16 bins in all."""
    edges = [*range(8), 8, 12, 16, 24, 32, 48, 64, 96]
    return max(place for place, edge in enumerate(edges) if edge <= others)
