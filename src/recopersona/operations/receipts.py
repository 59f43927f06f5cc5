"""What was done for a person, in writing, and never whose data they were."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class HolderReceipt:
    """What one holder of personal data did.

    Parameters
    ----------
    holder : str
        Its name, or its path.
    kind : str
        ``"consent"``, ``"live"``, ``"saved"``, ``"log"`` or ``"identity"``.
    held : int
        How many ids of the person a model knew; of a log, how many rows were removed; of a ledger
        or a graph, how many identifiers it held.
    stale : tuple of str
        What the person taught that could not be subtracted, by the names of attributes. Empty
        where everything was subtracted exactly.
    refit_by : str or None
        By when that must be fitted anew, in ISO 8601.
    notes : tuple of str
        What else there is to know, such as rows of others that stay.
    problem : str or None
        Why it failed; then the erasure is to be called again.

    Examples
    --------
    >>> HolderReceipt("home", "live", held=1, stale=("item_factors_",), refit_by="2026-07-31").stale
    ('item_factors_',)
    """

    holder: str
    kind: str
    held: int = 0
    stale: tuple[str, ...] = ()
    refit_by: str | None = None
    notes: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class ErasureReceipt:
    """What an erasure did, holder by holder; it names no identifier of the person.

    Parameters
    ----------
    subject : str
        A keyed hash of what the erasure was asked for; see `PersonalData.reference`.
    at : str or None
        When, in ISO 8601, by the caller's clock.
    identifiers : mapping from kind to int
        How many identifiers of each kind the person had.
    holders : tuple of HolderReceipt
        In the order in which they were asked.
    found : tuple of str
        Where an identifier is still found.
    shared : int
        Identifiers that stay because others have them, too, such as that of a tablet in a shop.
    by_value_alone : int
        Identifiers too short to be told among bytes: they were looked for in columns alone.

    Examples
    --------
    >>> receipt = ErasureReceipt("5f0c", "2026-07-01T00:00:00Z", {"user_id": 1},
    ...                          (HolderReceipt("home", "live", 1, problem="OSError: full"),))
    >>> receipt.status, receipt.verified
    ('incomplete', False)
    """

    subject: str
    at: str | None
    identifiers: dict[str, int]
    holders: tuple[HolderReceipt, ...]
    found: tuple[str, ...] = ()
    shared: int = 0
    by_value_alone: int = 0

    @property
    def status(self) -> str:
        """``"complete"`` if every holder has done its part, else ``"incomplete"``."""
        failed = any(one.problem is not None for one in self.holders)
        return "incomplete" if failed else "complete"

    @property
    def verified(self) -> bool:
        """Whether every holder has done its part, and nothing was found afterwards."""
        return self.status == "complete" and not self.found

    @property
    def held(self) -> int:
        """How much was held of the person: ids in models, rows in logs, identifiers elsewhere."""
        return sum(one.held for one in self.holders)

    @property
    def refit_by(self) -> str | None:
        """The earliest moment by which something must be fitted anew."""
        return min((one.refit_by for one in self.holders if one.refit_by), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        told = {"status": self.status, "verified": self.verified, "refit_by": self.refit_by}
        return {**told, **json.loads(json.dumps(asdict(self)))}

    def to_json(self) -> str:
        """Return all of it as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)


@dataclass(frozen=True)
class RetentionReport:
    """What went because of its age.

    Parameters
    ----------
    before : str
        What happened before this moment went, in ISO 8601.
    removed : mapping from holder to int
        Rows, links, decisions and records.
    timeless : mapping from holder to int
        What says no time, and stayed.
    refit_by : mapping from holder to str
        Models that learned from older events, and by when to fit them anew.
    problems : mapping from holder to str
        What failed; call `PersonalData.retain` again.

    Examples
    --------
    >>> RetentionReport("2025-09-27T00:00:00Z", {"clicks.csv": 3}).n_removed
    3
    """

    before: str
    removed: dict[str, int]
    timeless: dict[str, int] = field(default_factory=dict)
    refit_by: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def n_removed(self) -> int:
        """How much went in all."""
        return sum(self.removed.values())

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        return asdict(self)
