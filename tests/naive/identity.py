"""The slow, readable twin of who is who: every identifier looked up in plain sets, link by link.

An identifier is a pair (kind, value) of texts. A row is `Row(identifiers, time, event_id)`, its
identifiers a mapping from kind to value; None stands for no value, no time and no event id.

What the words leave open is decided here so:

* Event ids that are numbers come before those that are text, and none before both: otherwise
  7 < 10 < "5x" < "7" would go round in circles. A text of digits is a number.
* An identifier is as old as its first row, by (tier, time, event id), then by priority and value.
* Of two reasons the first one counts: in one profile already (no refusal), ambiguous, then the
  limit of the kind of the highest priority. A refusal makes ambiguous if the limit of any kind
  that is over it is 1.
* An ambiguous identifier may be the oldest of a person's profile, and so its name. Rows that know
  nothing else are then called ``"kind:value (shared)"``, which is never the name of a person.
* With on_refusal="row" links have their turns as otherwise; once one of a row was refused, all
  later ones of that row are. They still make ambiguous what is of two people.
* A time counts up to itself: a row knows the links of its own millisecond.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NOTHING = re.compile(r"[0-]*|-1|null|anonymous|undefined|none|nan|n/a|unknown", re.IGNORECASE)
ALWAYS = float("-inf")
DETERMINISTIC, PROBABLE = 0, 1


@dataclass(frozen=True)
class Row:
    identifiers: dict
    time: int | None = None
    event_id: object = None
    probability: float | None = None  # of a probabilistic link

    def moment(self):
        return ALWAYS if self.time is None else self.time

    def order(self):
        tier = DETERMINISTIC if self.probability is None else PROBABLE
        return tier, -(self.probability or 0), self.moment(), event_order(self.event_id)


def event_order(event_id):
    if event_id is None:
        return 0, 0, ""
    if isinstance(event_id, str) and not event_id.isdecimal():
        return 2, 0, event_id
    return 1, int(event_id), ""


class Graph:
    """Everybody, as told by all rows given so far."""

    def __init__(
        self, limits=None, priority=("user_id", "email"), blocked=None, policy="limits",
        on_refusal="link", default_limit=5,
    ):  # fmt: skip
        self.limits = {"user_id": 1} if limits is None else dict(limits)
        self.default_limit = default_limit
        self.priority = tuple(priority)
        self.blocked = dict(blocked or {})
        self.policy = policy
        self.on_refusal = on_refusal
        self.rows = []

    def update(self, rows):
        self.rows += rows
        self.replay()
        return self

    def as_of(self, at):
        """Return the graph that knows the rows up to a moment alone."""
        return self.twin([row for row in self.rows if row.moment() <= at])

    def twin(self, rows):
        return Graph(
            self.limits, self.priority, self.blocked, self.policy, self.on_refusal,
            self.default_limit,
        ).update(rows)  # fmt: skip

    # Reading a row

    def rank(self, identifier):
        kind, value = identifier
        if kind in self.priority:
            return self.priority.index(kind), "", value
        return len(self.priority), kind, value

    def limit(self, kind):
        return self.limits.get(kind, self.default_limit)

    def is_blocked(self, identifier):
        kind, value = identifier
        own = self.blocked.get(kind, ())
        return bool(NOTHING.fullmatch(value)) or any(
            one.fullmatch(value) if isinstance(one, re.Pattern) else one == value for one in own
        )

    def present(self, row):
        return [(kind, value) for kind, value in row.identifiers.items() if value is not None]

    def identifiers(self, row):
        """Return what of a row identifies anybody, the highest priority first."""
        good = [one for one in self.present(row) if not self.is_blocked(one)]
        return sorted(good, key=self.rank)

    # Linking

    def replay(self):
        self.profile = {}  # identifier -> the set of its profile, shared by all in it
        self.age = {}  # identifier -> sorts by when it was first seen
        self.ambiguous = set()
        self.lent = set()  # identifiers by which a profile of several is, or was, called
        self.merges = []  # (time, event id, name kept, name absorbed, identifier, identifier)
        self.refusals = []  # (time, event id, identifier or None, identifier, reason)
        self.touches = []  # (row, person, device) of certain links, also of those refused
        for row in self.rows:
            for one in self.identifiers(row):
                age = (*row.order(), self.rank(one))
                self.age[one] = min(age, self.age.get(one, age))
        for row in sorted(self.rows, key=Row.order):
            self.see(row)
        links = [
            (row, ids[0], one) for row in self.rows for ids in [self.identifiers(row)]
            for one in ids[1:]
        ]  # fmt: skip
        cut = []
        for row, a, b in sorted(links, key=self.turn):
            if any(row is one for one in cut):
                self.refuse(row, a, b, "below a refusal")
                self.mark_shared(row, a, b)
            elif not self.link(row, a, b) and self.on_refusal == "row":
                cut.append(row)

    def turn(self, link):
        row, a, b = link
        return *row.order(), self.rank(a), self.rank(b)

    def see(self, row):
        ids = self.identifiers(row)
        for one in sorted(self.present(row), key=self.rank):
            if self.is_blocked(one):
                self.refuse(row, ids[0] if ids else None, one, "blocked value")
        for one in ids:
            self.profile.setdefault(one, {one})
        if row.probability is None:
            pairs = [(a, b) for a in ids[:1] for b in ids[1:]]
            for a, b in [*pairs, *[(b, a) for a, b in pairs]]:
                if a[0] == self.person_kind():
                    self.touches.append((row, a, b))

    def link(self, row, a, b):
        """Join the profiles of two identifiers if that is allowed, and tell whether it is."""
        if self.profile[a] is self.profile[b]:
            return True
        if self.policy == "closure":
            self.merge(row, a, b)
            return True
        if a in self.ambiguous or b in self.ambiguous:
            self.refuse(row, a, b, "ambiguous")
            return False
        over = self.over_limit(self.profile[a] | self.profile[b])
        if over:
            self.refuse(row, a, b, f"limit of {over[0]}: {self.limit(over[0])}")
            self.mark_shared(row, a, b)
            return False
        self.merge(row, a, b)
        return True

    def mark_shared(self, row, a, b):
        """Make an identifier ambiguous that is now known, not guessed, of two people."""
        if row.probability is not None:
            return
        over = self.over_limit(self.profile[a] | self.profile[b])
        if a not in self.ambiguous and any(self.limit(kind) == 1 for kind in over):
            self.ambiguous.add(b)

    def over_limit(self, members):
        """Return the kinds of which there are too many, the highest priority first."""
        kinds = sorted({kind for kind, _ in members}, key=lambda kind: self.rank((kind, "")))
        counts = {kind: sum(one[0] == kind for one in members) for kind in kinds}
        return [
            kind for kind in kinds
            if self.limit(kind) is not None and counts[kind] > self.limit(kind)
        ]  # fmt: skip

    def merge(self, row, a, b):
        names = sorted([self.oldest(a), self.oldest(b)], key=self.age.get)
        self.merges.append((row.time, row.event_id, *map(text, names), a, b))
        self.lent.add(min(self.oldest(a), self.oldest(b), key=self.age.get))
        joint = self.profile[a] | self.profile[b]
        for one in joint:
            self.profile[one] = joint

    def refuse(self, row, a, b, reason):
        self.refusals.append((row.time, row.event_id, a, b, reason))

    def oldest(self, identifier):
        return min(self.profile[identifier], key=self.age.get)

    def profiles(self):
        """Return every profile by its name."""
        return {text(self.oldest(one)): frozenset(self.profile[one]) for one in self.profile}

    # Resolving

    def name(self, identifier):
        """Return the name of an identifier's profile; of one nobody knows, its own."""
        if identifier not in self.profile:
            return text(identifier)
        if identifier in self.ambiguous:
            return text(identifier) + (" (shared)" if identifier in self.lent else "")
        return text(self.oldest(identifier))

    def resolve_row(self, row):
        ids = self.identifiers(row)
        proof = [one for one in ids if one not in self.ambiguous]
        return self.name((proof or ids)[0]) if ids else None

    def resolve_as_of(self, rows, at=None):
        if at is not None:
            known = self.as_of(at)
            return [known.resolve_row(row) for row in rows]
        certain = self.twin([row for row in self.rows if row.probability is None])
        return [certain.as_of(row.time).resolve_row(row) for row in rows]

    def resolve(self, rows, back_dating="profile", look_back=None):
        if back_dating == "none":
            return self.resolve_as_of(rows)
        if back_dating == "profile":
            return [self.by_profile(row, look_back) for row in rows]
        return [self.by_touch(row, back_dating == "first_touch", look_back) for row in rows]

    def by_profile(self, row, look_back):
        """Resolve by what is known now, or was known at most so long after the row.

        A profile that held a person then has its name of today.
        """
        if look_back is None:
            return self.resolve_row(row)
        certain = self.twin([row for row in self.rows if row.probability is None])
        then = certain.as_of(row.time + look_back)
        proof = [one for one in self.identifiers(row) if one not in then.ambiguous]
        if proof:
            members = then.profile.get(proof[0], proof[:1])
            people = [one for one in members if one[0] == self.person_kind()]
            if people and people[0] in self.profile:
                return text(self.oldest(people[0]))
        return then.resolve_row(row)

    def by_touch(self, row, first, look_back):
        """Resolve a row without a person of its own to the first or last one of its device."""
        ids = self.identifiers(row)
        if any(kind == self.person_kind() for kind, _ in ids):
            return self.by_profile(row, look_back)
        for one in ids:
            links = [touch for touch in self.touches if touch[2] == one]
            links.sort(key=lambda link: (*link[0].order(), self.rank(link[1])))
            if links:
                person = links[0 if first else -1][1]
                since = min(link[0].moment() for link in links if link[1] == person)
                if look_back is None or since <= row.time + look_back:
                    return self.name(person)
                return self.by_profile(row, look_back)
        return self.by_profile(row, look_back)

    def person_kind(self):
        """Return the kind of which a profile may hold one: whoever has one is a person."""
        kinds = {kind for row in self.rows for kind in row.identifiers} | set(self.limits)
        single = [kind for kind in kinds if self.limit(kind) == 1]
        return min(single, key=lambda kind: self.rank((kind, "")), default=None)


def text(identifier):
    return ":".join(identifier)
