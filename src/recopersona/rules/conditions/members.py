"""``IN``: values among those of a list, which is the same for all items.

A list that is written is as unknown as its members: ``x IN (a, user.b)`` is unknown where x is not
a and the visitor has no b. A list that comes with the request, or lies in a column, holds what is
known: what is missing in it, or of a wrong type, is no member.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from recopersona.data.ids import IdMap
from recopersona.data.types import Indices, Mask
from recopersona.rules.conditions.asked import Asked
from recopersona.rules.conditions.labels import Coded, Label, codes_of, members
from recopersona.rules.conditions.logic import Condition
from recopersona.rules.conditions.operands import Evaluated, Needs, Numeric, Rows
from recopersona.rules.conditions.request_values import (
    READERS,
    WRONG,
    Given,
    described,
    is_no_value,
)


class Listing(NamedTuple):
    """The members of a list: those that are known, and whether there are others."""

    values: tuple[Any, ...]
    open: bool = False


class Members(Evaluated):
    """A list that is the same for all items."""

    fixed: Listing | None = None
    """The list, where no request changes it."""

    def listing(self, asked: Asked) -> Listing | None:
        """Return the list, or None where it is unknown."""
        raise NotImplementedError


class WrittenMembers(Members):
    """A list that was written; its members may be values of the request."""

    def __init__(self, labels: Sequence[Label]) -> None:
        super().__init__(Needs.all_of(labels))
        self.all = tuple(labels)
        self.fixed = None if self.needs.request or self.needs.now else self._listing(Asked())

    def listing(self, asked: Asked) -> Listing:
        return self._listing(asked) if self.fixed is None else self.fixed

    def _listing(self, asked: Asked) -> Listing:
        values = [label.labels(slice(0), asked) for label in self.all]
        known = tuple(value for value in values if value is not None)
        return Listing(known, len(known) < len(values))


class GivenMembers(Members):
    """A list of the request."""

    def __init__(self, given: Given, kind: str) -> None:
        super().__init__(Needs.of_given(given))
        self.given, self.kind = given, kind

    def listing(self, asked: Asked) -> Listing | None:
        if self in asked.kept:
            kept: Listing | None = asked.kept[self]
            return kept
        found = asked.kept[self] = self._listing(asked)
        return found

    def _listing(self, asked: Asked) -> Listing | None:
        raw = self.given.value(asked)
        if raw is None:
            return None
        read = READERS[self.kind]
        values = [read(member) for member in raw]
        wrong = [one for one, value in zip(raw, values, strict=True) if value is WRONG]
        for member in wrong:
            if not is_no_value(member):
                asked.note(f"{self.given.name} holds {described(member)}, which is left out")
        return Listing(tuple(value for value in values if value is not WRONG))


class CodesOf:
    """Looks a list's values up among the categories of a column, once if the list is fixed."""

    def __init__(self, listed: Members) -> None:
        self.fixed = listed.fixed is not None
        self.kept: tuple[IdMap, int, Indices] | None = None

    def __call__(self, listing: Listing, categories: IdMap) -> Indices:
        kept, n_codes = self.kept, len(categories)
        if kept is not None and kept[0] is categories and kept[1] == n_codes:
            return kept[2]
        codes = codes_of(listing.values, categories)
        if self.fixed:
            self.kept = categories, n_codes, codes
        return codes


class CodeAmong(Condition):
    """Categories or ids of items among a list."""

    def __init__(self, coded: Coded, listed: Members) -> None:
        super().__init__(Needs.all_of((coded, listed)))
        self.coded, self.listed = coded, listed
        self.codes_of = CodesOf(listed)

    def true(self, rows: Rows, asked: Asked) -> Mask:
        (codes, categories), listing = self.coded.coded(rows), self.listed.listing(asked)
        if listing is None:
            return np.zeros(len(codes), np.bool_)
        return self._hits(codes, categories, listing)

    def false(self, rows: Rows, asked: Asked) -> Mask:
        (codes, categories), listing = self.coded.coded(rows), self.listed.listing(asked)
        if listing is None or listing.open:
            return np.zeros(len(codes), np.bool_)
        hits = self._hits(codes, categories, listing)
        return np.logical_and(codes >= 0, np.logical_not(hits, out=hits), out=hits)

    def _hits(self, codes: Indices, categories: IdMap, listing: Listing) -> Mask:
        return members(codes, self.codes_of(listing, categories), len(categories))


class NumberAmong(Condition):
    """Numbers among a list of the request."""

    def __init__(self, number: Numeric, listed: Members) -> None:
        super().__init__(Needs.all_of((number, listed)))
        self.number, self.listed = number, listed

    def true(self, rows: Rows, asked: Asked) -> Mask | bool:
        values = self.number.values(rows, asked)
        found = self._among(values, asked)
        return np.zeros(np.shape(values), np.bool_) if found is None else found

    def false(self, rows: Rows, asked: Asked) -> Mask | bool:
        values = self.number.values(rows, asked)
        found = self._among(values, asked)
        known = np.equal(values, values)
        return np.zeros(np.shape(values), np.bool_) if found is None else known & ~found

    def _among(self, values: Any, asked: Asked) -> Any:
        listing = self.listed.listing(asked)
        return None if listing is None else np.isin(values, np.array(listing.values, np.float64))


class LabelAmong(Condition):
    """Any other value among a list of the request, as Python compares them."""

    def __init__(self, label: Label, listed: Members) -> None:
        super().__init__(Needs.all_of((label, listed)))
        self.label, self.listed = label, listed

    def true(self, rows: Rows, asked: Asked) -> Mask | bool:
        return self._answer(rows, asked, lambda value, among: value in among, False)

    def false(self, rows: Rows, asked: Asked) -> Mask | bool:
        return self._answer(rows, asked, lambda value, among: value not in among, True)

    def _answer(
        self, rows: Rows, asked: Asked, test: Callable[[Any, Any], bool], missing_counts: bool
    ) -> Mask | bool:
        labels, listing = self.label.labels(rows, asked), self.listed.listing(asked)
        if listing is not None and listing.open and missing_counts:
            listing = None
        one = not isinstance(labels, np.ndarray)
        if listing is None:
            return False if one else np.zeros(len(labels), np.bool_)
        among = set(listing.values)
        if one:
            return labels is not None and test(labels, among)
        told = [value is not None and test(value, among) for value in labels.tolist()]
        return np.array(told, np.bool_)
