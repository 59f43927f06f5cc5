"""A set of rules: what text, JSON and Python all become."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from recopersona.base.worded import Worded
from recopersona.errors import RuleError, hint, shown
from recopersona.rules.calendar import has_zone
from recopersona.rules.forms.python import Term
from recopersona.rules.nodes import Moment, Param, Rule
from recopersona.rules.parts import all_in, expressions_of
from recopersona.rules.wellformed import check_set, check_written

if TYPE_CHECKING:
    import pandas as pd

    from recopersona.data.ranking import Ranking
    from recopersona.data.types import Id

UTC = "UTC"


@dataclass(frozen=True, init=False, repr=False)
class RuleSet(Worded):
    """Some rules, in the order they were written, and the time zone of their dates.

    Two sets are equal when their rules and time zones are, in whatever form they were written.

    Parameters
    ----------
    rules : str, Rule, RuleSet, or a list of those
        Text as in the guide, or what `Require`, `Exclude` and the others return.
    timezone : str
        An IANA name, such as ``"Europe/Berlin"``; left out, what the text says, else UTC.
    text : str, optional
        What the rules were read from; errors point into it. No part of what the rules say.

    Raises
    ------
    RuleError
        If a rule cannot be read, two have one name, or there are more than 256.

    Examples
    --------
    >>> from recopersona.rules import Exclude, RuleSet, did, item
    >>> rules = RuleSet("RULE in_stock: REQUIRE item.stock > 0") + Exclude(did("purchase"))
    >>> rules
    RuleSet(2 rules: in_stock, rule 2)
    >>> print(rules)
    RULE in_stock: REQUIRE item.stock > 0
    EXCLUDE DID purchase
    >>> RuleSet.from_json(rules.to_json()) == rules == RuleSet(str(rules))
    True
    """

    rules: tuple[Rule, ...]
    timezone: str
    text: str | None = field(compare=False)

    def __init__(self, rules: Any = (), timezone: str = "", text: str | None = None) -> None:
        if not isinstance(timezone, str):
            raise RuleError(f"expected a time zone such as 'Europe/Berlin', got {shown(timezone)}.")
        if isinstance(rules, tuple) and all(isinstance(rule, Rule) for rule in rules):
            gathered = _Gathered(rules, timezone or UTC, text)
        else:
            gathered = _gathered(rules, timezone)
        for name in ("rules", "timezone", "text"):
            object.__setattr__(self, name, getattr(gathered, name))
        check_set(self)

    # -- reading and writing ------------------------------------------------------------------

    @classmethod
    def parse(cls, text: str) -> RuleSet:
        """Read text.

        Raises
        ------
        RuleError
            With line, column and what to write instead.

        Examples
        --------
        >>> RuleSet.parse("REQUIRE item.stock > 0; LIMIT 2 PER item.brand IN TOP 10")
        RuleSet(2 rules: rule 1, rule 2)
        """
        from recopersona.rules.text.parsing import parse_rules

        return parse_rules(text)

    @classmethod
    def from_json(cls, given: Any) -> RuleSet:
        """Read JSON: text, or the lists and dicts it stands for.

        Parameters
        ----------
        given : str, list or dict
            A set ``{"timezone": ..., "rules": [...]}``, a list of rules, or one rule.

        Raises
        ------
        RuleError
            With the rule and the way to the wrong part.

        Examples
        --------
        >>> print(RuleSet.from_json({"action": "limit", "n": 2, "per": "item.brand", "top": 10}))
        LIMIT 2 PER item.brand IN TOP 10
        """
        from recopersona.rules.forms.json_reading import read_set

        return cls(*read_set(given))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> RuleSet:
        """Read a file: JSON where its name ends with ``.json``, text otherwise.

        Raises
        ------
        RuleError
            With the file's name.
        """
        from recopersona.rules.files import read_rules

        return read_rules(path)

    def to_text(self) -> str:
        """Return the rules as text that reads back as the same, a rule per line."""
        from recopersona.rules.text.printing import print_rules

        try:
            return print_rules(self)
        except RuleError:
            # Text without a blank between its signs may be longer in our hand than a set may be.
            if self.text is None:
                raise
            return self.text

    def to_json(self) -> str:
        """Return the rules as JSON that reads back as the same, a rule per line."""
        from recopersona.rules.forms.json_writing import write_set

        return write_set(self.rules, self.timezone)

    def __str__(self) -> str:
        return self.to_text()

    def _in_words(self) -> str:
        return self.to_text()

    @classmethod
    def _of_words(cls, text: str) -> RuleSet:
        return cls.parse(text)

    def __repr__(self) -> str:
        labels = self.labels
        shown_labels = ", ".join(labels[:_SHOWN]) + (", …" if len(labels) > _SHOWN else "")
        count = f"{len(labels)} rule{'' if len(labels) == 1 else 's'}"
        return f"RuleSet({count}{': ' if labels else ''}{shown_labels})"

    def _repr_html_(self) -> str:
        from recopersona.rules.text.printing import print_rule

        rows = "".join(
            f"<tr><td>{escape(label)}</td><td><code>{escape(print_rule(rule))}</code></td></tr>"
            for label, rule in zip(self.labels, self.rules, strict=True)
        )
        return f"<table><tr><th>rule</th><th>what it says</th></tr>{rows}</table>"

    # -- a sequence of rules --------------------------------------------------------------------

    @property
    def labels(self) -> tuple[str, ...]:
        """How reports speak of each rule: its name, or ``rule 3``, counted from 1."""
        return tuple(
            rule.name or f"rule {number}" for number, rule in enumerate(self.rules, start=1)
        )

    def __len__(self) -> int:
        return len(self.rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __contains__(self, rule: object) -> bool:
        return rule in self.labels if isinstance(rule, str) else rule in self.rules

    @overload
    def __getitem__(self, place: int | str) -> Rule: ...
    @overload
    def __getitem__(self, place: slice) -> RuleSet: ...
    def __getitem__(self, place: int | str | slice) -> Rule | RuleSet:
        if isinstance(place, slice):
            return self._with(self.rules[place])
        if not isinstance(place, str):
            return self.rules[place]
        labels = self.labels
        if place not in labels:
            raise RuleError(f"no rule is called {shown(place)}{hint(place, labels)}")
        return self.rules[labels.index(place)]

    def _with(self, rules: tuple[Rule, ...]) -> RuleSet:
        """Return other rules made of these; errors still point into the text of these."""
        found = RuleSet(rules, self.timezone, self.text)
        check_written(found)
        return found

    def __add__(self, more: Any) -> RuleSet:
        return RuleSet([self, *_several(more)])

    def __radd__(self, more: Any) -> RuleSet:
        return RuleSet([*_several(more), self])

    # -- parameters ---------------------------------------------------------------------------

    @property
    def params(self) -> tuple[str, ...]:
        """The names of the parameters that are still open, in the order they are spoken of."""
        parts = (part for rule in self.rules for part in all_in(*expressions_of(rule)))
        return tuple(dict.fromkeys(part.name for part in parts if isinstance(part, Param)))

    def with_params(self, /, **values: Any) -> RuleSet:
        """Return the rules with some parameters replaced by values.

        Parameters
        ----------
        **values
            Numbers, text, flags, dates, lengths of time; lists for ``IN`` and ``HAS``.

        Raises
        ------
        RuleError
            If no rule speaks of a parameter, or a value cannot stand in its place.

        Examples
        --------
        >>> print(RuleSet("REQUIRE item.margin >= $floor").with_params(floor=0.2))
        REQUIRE item.margin >= 0.2
        """
        from recopersona.rules.parameters import filled

        open_names = self.params
        for name in values:
            if name not in open_names:
                raise RuleError(
                    f"no rule speaks of ${name}{hint(name, open_names, 'open parameters are')}"
                )
        return self._with(tuple(filled(rule, values) for rule in self.rules))

    # -- strategies ---------------------------------------------------------------------------

    @classmethod
    def for_segment(
        cls, values: Any, rules: Any, by: Any = "segment", name: str | None = None
    ) -> RuleSet:
        """Return rules that hold for some people only: a strategy for a segment.

        Each rule gets ``WHEN user.segment = "vip"`` beside what it already asks; for these people
        it then means what it meant before, and for all others it is not there.

        Parameters
        ----------
        values : value or list of values
            The segment, or several.
        rules : whatever `RuleSet` takes
        by : str or Term
            The users' column that names the segment; ``ctx.country`` and the like work as well.
        name : str, optional
            What the names of the rules begin with; left out, the segment.

        Raises
        ------
        RuleError
            If a rule cannot be read.

        Examples
        --------
        >>> vip = RuleSet.for_segment("vip", "RULE bundles: PIN item.bundle AT 1, 2")
        >>> print(vip)
        RULE vip_bundles: PIN item.bundle AT 1, 2 WHEN user.segment = "vip"
        """
        from recopersona.rules.segments import rules_for

        given = cls(rules)
        return given._with(rules_for(values, given.rules, by, name))

    # -- what the rules mean for a shop ---------------------------------------------------------

    def check(self, schema: Any) -> None:
        """Refuse rules that do not fit a shop: unknown fields, values of another kind.

        Parameters
        ----------
        schema : RuleSchema, Dataset or what else has items and users

        Raises
        ------
        RuleError
            With the place in the text, where there is one.
        """
        from recopersona.rules.checks.checking import check_rules

        check_rules(self, schema)

    def lint(self, schema: Any, n: int = 10, now: Any = None) -> pd.DataFrame:
        """Return what looks like a mistake although it can be read; see the guide.

        Parameters
        ----------
        schema : RuleSchema, Dataset or what else has items and users
        n : int
            The length of the lists that will be asked for.
        now : moment, optional
            From which on rules are looked at; campaigns that ended before are reported.
        """
        from recopersona.rules.lint.linting import lint_rules

        return lint_rules(self, schema, n=n, now=now)

    def explain(self, ranking: Ranking, item_id: Id | None = None) -> pd.DataFrame:
        """Return what the rules did to a ranking that was made under them.

        Parameters
        ----------
        ranking : Ranking
        item_id : id, optional
            One item. If the ranking does not show it, the rule that hid it, or that none did.

        Returns
        -------
        ``item_id, rank, rule, effect``; a hidden item has no rank.

        Raises
        ------
        RuleError
            If the ranking was not made under rules.
        DataError
            If the catalogue does not hold the item.
        """
        from recopersona.rules.explaining import explained

        return explained(ranking, item_id)


_SHOWN = 5


# -- how a set comes together --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Gathered:
    rules: tuple[Rule, ...]
    timezone: str
    text: str | None


def _gathered(given: Any, timezone: str) -> _Gathered:
    """Put together what may be text, a rule, a set, or several of those."""
    parts = [_part(one) for one in _several(given)]
    rules = tuple(rule for part in parts for rule in part.rules)
    zone = _common_zone([part for part in parts if part.timezone], timezone)
    only = parts[0] if len(parts) == 1 else None
    return _Gathered(rules, zone, None if only is None else only.text)


def _several(given: Any) -> list[Any]:
    one = isinstance(given, (str, bytes, Rule, RuleSet, Term, Mapping))
    many = isinstance(given, Iterable) and getattr(given, "ndim", 1) == 1
    return [given] if one or not many else list(given)


def _part(given: Any) -> _Gathered:
    if isinstance(given, Rule):
        return _Gathered((given,), "", None)
    if isinstance(given, str):
        given = RuleSet.parse(given)
        plain = given.timezone == UTC  # nothing was said
        return _Gathered(given.rules, "" if plain else given.timezone, given.text)
    if isinstance(given, RuleSet):
        return _Gathered(given.rules, given.timezone, given.text)
    if isinstance(given, Mapping):
        what = "a dict; read it by RuleSet.from_json(...)"
    elif isinstance(given, Term):
        what = "a condition; write Require(...) or Exclude(...) around it"
    elif isinstance(given, Path):
        what = "a path; read it by RuleSet.read(...)"
    else:
        what = shown(given)
    raise RuleError(f"expected rules as text, a rule such as Require(...), or a set, got {what}.")


def _common_zone(sets: list[_Gathered], timezone: str) -> str:
    """Return the zone of a new set; sets whose dates are meant in another cannot join."""
    dated = {one.timezone for one in sets if any(map(_has_local_dates, one.rules))}
    zones = dated | {timezone} if timezone else dated or {one.timezone for one in sets} - {UTC}
    if len(zones) > 1:
        raise RuleError(
            f"these rules mean dates of several time zones: {', '.join(sorted(zones))}; "
            "write moments with their offset, such as 2026-07-01T00:00+02:00."
        )
    return next(iter(zones), UTC)


def _has_local_dates(rule: Rule) -> bool:
    during = () if rule.during is None else (rule.during.start, rule.during.end)
    moments = [part for part in all_in(*expressions_of(rule)) if isinstance(part, Moment)]
    return any(not has_zone(one) for one in (*during, *moments) if one is not None)
