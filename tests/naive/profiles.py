"""Profiles joined the slow way: sets of identifiers, counted anew for every link."""


def join(links, kinds, limits, by_row, priority):
    """Return what came of each link, the merges, and a function that says whose a row is.

    links     (higher, lower or -1, row, age of higher, age of lower), in their order
    kinds     the kind of each identifier
    limits    the limit of each kind, 0 for none
    priority  kinds, the highest first
    """
    world = World(kinds, limits, by_row, priority)
    for link in links:
        world.take(*link)
    return world


class World:
    def __init__(self, kinds, limits, by_row, priority):
        self.kinds, self.limits, self.by_row, self.priority = kinds, limits, by_row, priority
        self.profile, self.age = {}, {}
        self.shared, self.lent, self.cut = set(), set(), set()
        self.outcomes, self.merges = [], []

    def take(self, one, other, row, age_one, age_other):
        met = [(one, age_one)] + [(other, age_other)] * (other >= 0)
        for node, age in met:
            if node not in self.profile:
                self.profile[node], self.age[node] = {node}, age
        self.outcomes.append(self.outcome(one, other, row))

    def outcome(self, one, other, row):
        if other < 0:
            return "known"
        if self.by_row and row in self.cut:
            if other >= 0 and one not in self.shared:
                self.mark(other, self.over(self.profile[one] | self.profile[other]))
            return "cut"
        if one == other:
            return "self"
        if self.profile[one] is self.profile[other]:
            return "known"
        if one in self.shared or other in self.shared:
            self.cut.add(row)
            return "ambiguous"
        joint = self.profile[one] | self.profile[other]
        over = self.over(joint)
        if over:
            self.cut.add(row)
            self.mark(other, over)
            return over[0]
        kept, absorbed = sorted([self.root(one), self.root(other)], key=self.age.get)
        self.merges.append((len(self.outcomes), kept, absorbed))
        self.lent.add(kept)
        for node in joint:
            self.profile[node] = joint
        return "merged"

    def over(self, joint):
        """Return the kinds of which there are too many, the highest priority first."""
        held = {kind: sum(self.kinds[node] == kind for node in joint) for kind in self.priority}
        return [kind for kind in self.priority if 0 < self.limits[kind] < held[kind]]

    def mark(self, node, over):
        """Make an identifier ambiguous that is of two people."""
        if any(self.limits[kind] == 1 for kind in over):
            self.shared.add(node)

    def root(self, node):
        return min(self.profile[node], key=self.age.get) if node in self.profile else node

    def whose(self, nodes):
        """Return whose a row of identifiers is, by priority, and how it stands with them."""
        present = [node for node in nodes if node >= 0]
        proof = [node for node in present if node not in self.shared]
        if proof:
            return self.root(proof[0]), "somebody"
        return (present[0], "anybody") if present else (-1, "nobody")
