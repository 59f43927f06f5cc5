"""The slow, readable twin of a page under rules: read row by row, and whether any page would obey.

A shop has ``rows`` of items, each with its ``id``, and says in ``shop.shop`` what `naive_condition`
wants; a request is what that takes.
"""

import math
from fractions import Fraction

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from recopersona.rules.calendar import Schedule
from recopersona.rules.nodes import Ensure, Exclude, Limit, Percent, Pin, Require
from tests.naive.conditions import naive_condition


class NaivePage:
    """The rules as they stand for one request; ``gone`` holds what was seen before."""

    def __init__(self, shop, rules, request, gone):
        self.shop, self.request = shop, request
        self.rows = {row["id"]: row for row in shop.rows}
        self.on = [pair for pair in zip(rules.labels, rules, strict=True) if self._is_on(pair[1])]
        self.filters = [pair for pair in self.on if isinstance(pair[1], (Require, Exclude))]
        self.free = {
            item
            for item in self.rows
            if item not in gone and all(self.passes(rule, item) for _, rule in self.filters)
        }

    def _holds(self, node, row):
        return naive_condition(node, row, self.request, self.shop.shop)

    def _is_on(self, rule):
        if rule.during is not None:
            schedule = Schedule.of(rule.during, self.shop.timezone)
            if not schedule.on(self.request["now"]):
                return False
        found = True if rule.when is None else self._holds(rule.when, {})
        return found is True or (found is None and rule.unknown == "apply")

    def met(self, rule, item):
        found = True if rule.where is None else self._holds(rule.where, self.rows[item])
        counts = rule.unknown == "apply" and rule.when is None
        return found is True or (found is None and counts)

    def passes(self, rule, item):
        if isinstance(rule, Exclude):
            return not self.met(rule, item)
        found = self._holds(rule.where, self.rows[item])
        return found is True or (found is None and rule.unknown == "skip" and rule.when is None)

    def group(self, rule, item):
        """Return the value by which a LIMIT counts an item, None if it does not."""
        if not self.met(rule, item) or rule.per is None:
            return "all" if self.met(rule, item) else None
        value = self.rows[item][rule.per.name]
        counts = rule.unknown == "apply" and rule.when is None
        return ("strangers" if counts else None) if value is None else (value,)

    def windows(self, rule, n, length):
        """Return how many it is about, and the slots (from 0) of each run in which it counts."""
        size = n if rule.window is None else min(rule.window.size, n)
        amount, sliding = rule.amount, rule.window is not None and rule.window.kind == "any"
        if isinstance(amount, Percent):
            amount = math.ceil(Fraction(str(amount.value)) * size / 100)
        size = min(size, length)
        return amount, [range(k, k + size) for k in range(length - size + 1 if sliding else 1)]

    def unmet(self, page, n):
        """Return the rules that a page for ``n`` does not meet."""
        return {label for label, rule in self.on if self._fails(rule, page, n)}

    def _fails(self, rule, page, n):
        if isinstance(rule, Pin):
            return any(k > len(page) or not self.met(rule, page[k - 1]) for k in rule.slots)
        if not isinstance(rule, (Limit, Ensure)):
            return False
        amount, windows = self.windows(rule, n, len(page))
        for window in windows:
            shown = [page[slot] for slot in window]
            if isinstance(rule, Ensure):
                if sum(self.met(rule, item) for item in shown) < amount:
                    return True
            else:
                groups = [self.group(rule, item) for item in shown]
                if any(groups.count(group) > amount for group in set(groups) - {None}):
                    return True
        return False

    def can_be_met(self, length, n):
        """Tell by integer programming whether some page of the free items meets everything."""
        items = sorted(self.free)
        cell = np.arange(len(items) * length).reshape(len(items), length)
        rows = [(cell[:, slot], 1, 1) for slot in range(length)]  # cells, at least, at most
        rows += [(cell[k], 0, 1) for k in range(len(items))]
        for _, rule in self.on:
            met = np.array([self.met(rule, item) for item in items])
            if isinstance(rule, Pin):
                rows += [
                    (cell[met, slot - 1] if slot <= length else cell[:0, 0], 1, 1)
                    for slot in rule.slots
                ]
            elif isinstance(rule, (Limit, Ensure)):
                amount, windows = self.windows(rule, n, length)
                for window in windows:
                    if isinstance(rule, Ensure):
                        rows.append((cell[met][:, window], amount, length))
                        continue
                    groups = [self.group(rule, item) for item in items]
                    for group in set(groups) - {None}:
                        same = [k for k, one in enumerate(groups) if one == group]
                        rows.append((cell[same][:, window], 0, amount))
        return _solvable(rows, cell.size)


def _solvable(rows, n_cells):
    if any(low > 0 and not cells.size for cells, low, _ in rows):
        return False
    matrix = sparse.lil_array((len(rows), n_cells))
    for number, (cells, _, _) in enumerate(rows):
        matrix[number, cells.ravel()] = 1
    low, high = np.array([row[1:] for row in rows], float).T
    constraint = LinearConstraint(sparse.csr_array(matrix), low, high)
    found = milp(
        np.zeros(n_cells), constraints=constraint, integrality=np.ones(n_cells), bounds=Bounds(0, 1)
    )
    return bool(found.success)
