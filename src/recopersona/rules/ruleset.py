"""A set of rules: what text, JSON and Python all become."""

from __future__ import annotations

from dataclasses import dataclass, field

from recopersona.rules.nodes import Rule

UTC = "UTC"


@dataclass(frozen=True)
class RuleSet:
    """Some rules, in the order they were written, and the time zone of their dates.

    Parameters
    ----------
    rules : tuple of Rule
    timezone : str
        An IANA name, such as ``"Europe/Berlin"``.
    text : str, optional
        What the rules were read from; errors point into it. No part of what the rules say.
    """

    rules: tuple[Rule, ...] = ()
    timezone: str = UTC
    text: str | None = field(default=None, compare=False, repr=False)
