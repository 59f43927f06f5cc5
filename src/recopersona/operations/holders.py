"""Whoever holds data of people: models in memory and on disk, logs, the ledger, the graph."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recopersona.base.artifact import alone_with, class_of, load, remove_leftovers, save
from recopersona.data.gate import EventGate
from recopersona.data.times import as_text
from recopersona.errors import DataError
from recopersona.operations.logs.kept_log import LogFile, Removed
from recopersona.operations.person import Person
from recopersona.operations.receipts import HolderReceipt
from recopersona.operations.traces import find_traces


@dataclass(frozen=True)
class Erasing:
    """What is asked of every holder.

    person       who
    at           when, in milliseconds, or None
    refit_within how much later models are to be fitted anew
    """

    person: Person
    at: int | None
    refit_within: str


class Holder(ABC):
    """One place that holds data of people."""

    kind: str

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def erase(self, asked: Erasing) -> HolderReceipt:
        """Remove all that is held of a person."""

    @abstractmethod
    def held_of(self, person: Person) -> Any:
        """Return all that is held of a person; nothing is empty."""

    @property
    def knows_identities(self) -> bool:
        """Whether it says who is who, and must go last."""
        return False

    def paths(self) -> list[Path]:
        """Return the files in which no identifier may be left."""
        return []

    def receipt(self, **told: Any) -> HolderReceipt:
        """Say what was done."""
        return HolderReceipt(self.name, self.kind, **told)


class LiveHolder(Holder):
    """A model, a pipeline, features or a stream of sessions in memory."""

    kind = "live"

    def __init__(self, name: str, held: Any) -> None:
        super().__init__(name)
        if not callable(getattr(held, "forget", None)):
            raise DataError(
                f"the holder {name!r} must have forget(ids), as models, features and streams do; "
                f"a {type(held).__name__} has not."
            )
        self.held = held

    def erase(self, asked: Erasing) -> HolderReceipt:
        return self.receipt(**forgotten_by(self.held, asked))

    def held_of(self, person: Person) -> Any:
        return held_by(self.held, person)


class SavedHolder(Holder):
    """A saved model, loaded, changed and saved in one step that nobody else's saving can cut."""

    kind = "saved"

    def __init__(self, folder: Path, functions: Sequence[Callable[..., Any]]) -> None:
        super().__init__(str(folder))
        self.folder, self.functions = folder, functions

    def erase(self, asked: Erasing) -> HolderReceipt:
        with alone_with(self.folder):
            model = load(self.folder, functions=self.functions)
            told = forgotten_by(model, asked)
            if self._is_named(asked.person) or told.get("held"):
                save(model, self.folder)
            remove_leftovers(self.folder)
        return self.receipt(**told)

    def held_of(self, person: Person) -> Any:
        return held_by(load(self.folder, functions=self.functions), person)

    def paths(self) -> list[Path]:
        return [self.folder]

    @property
    def knows_identities(self) -> bool:
        return class_of(self.folder) == "IdentityGraph"

    def _is_named(self, person: Person) -> bool:
        return bool(find_traces(self.folder / "manifest.json", person.needles.texts))


class LogHolder(Holder):
    """One file of a log."""

    kind = "log"

    def __init__(self, file: LogFile, n_names: int) -> None:
        super().__init__(str(file.path))
        self.file, self.n_names = file, n_names
        self.removed = Removed()

    def erase(self, asked: Erasing) -> HolderReceipt:
        elsewhere = self.file.path.stat().st_nlink - self.n_names
        self.removed = self.file.remove(asked.person)
        told, notes = self.removed, []
        if told.broken:
            notes.append(f"{told.broken} lines that cannot be read named the person: removed")
        if told.shared:
            notes.append(f"{told.shared} rows of others share an identifier: they stay")
        problem = None
        if elsewhere > 0 and (told.rows or told.broken):
            problem = f"the file has {elsewhere} more names (hard links), which keep the rows"
        return self.receipt(held=told.rows + told.broken, notes=tuple(notes), problem=problem)

    def held_of(self, person: Person) -> Any:
        return self.file.rows_of(person)

    def paths(self) -> list[Path]:
        return [self.file.path]


class ConsentHolder(Holder):
    """The ledger of consents, which remembers salted hashes, so that late events are refused."""

    kind = "consent"

    def __init__(self, ledger: Any) -> None:
        super().__init__("consent")
        self.ledger = ledger

    def erase(self, asked: Erasing) -> HolderReceipt:
        return self.receipt(held=_number(self.ledger.forget(asked.person.pairs)))

    def held_of(self, person: Person) -> Any:
        return self.ledger.held_of(person.pairs)


class IdentityHolder(Holder):
    """The graph of identities; it goes last, for it knows what else is to be looked for."""

    kind = "identity"

    def __init__(self, graph: Any) -> None:
        super().__init__("identity")
        self.graph = graph

    @property
    def knows_identities(self) -> bool:
        return True

    def erase(self, asked: Erasing) -> HolderReceipt:
        return self.receipt(held=_number(self.graph.forget(asked.person.known)))

    def held_of(self, person: Person) -> Any:
        return self.graph.held_of(person.known)


def forgotten_by(held: Any, asked: Erasing) -> dict[str, Any]:
    """Let something forget a person, and say what came of it."""
    if is_graph(held):
        return {"held": _number(held.forget(asked.person.known))}
    if not callable(getattr(held, "forget", None)):
        return {"notes": (f"a {type(held).__name__} holds nobody's data",)}
    if is_ledger(held):
        return {"held": _number(held.forget(asked.person.pairs))}
    before = held_by(held, asked.person)
    wanted = {"at": asked.at, "refit_within": asked.refit_within, **_devices(asked.person)}
    came = held.forget(asked.person.user_ids, **_taken(held.forget, wanted))
    known = came if isinstance(came, int) else len(before.get("users", ())) or bool(before)
    stale = getattr(held, "stale_", None)
    if stale is None:
        return {"held": int(known)}
    return {"held": int(known), "stale": tuple(stale.parts), "refit_by": as_text(stale.refit_by)}


def held_by(held: Any, person: Person) -> dict[str, Any]:
    """Return what something holds of a person; nothing where it cannot say."""
    if not callable(getattr(held, "held_of", None)):
        return {}
    if is_graph(held):
        told: dict[str, Any] = held.held_of(person.known)
    elif is_ledger(held):
        told = held.held_of(person.pairs)
    else:
        told = held.held_of(person.user_ids, **_taken(held.held_of, _devices(person)))
    return told


def _devices(person: Person) -> dict[str, Any]:
    return {"anonymous_ids": person.identifiers.get("anonymous_id", [])}


def _taken(method: Callable[..., Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return those of some arguments that a method takes."""
    known = inspect.signature(method).parameters
    return {name: value for name, value in wanted.items() if name in known}


def is_graph(held: Any) -> bool:
    """Tell a graph of identities from all else."""
    return callable(getattr(held, "names_of", None)) and callable(getattr(held, "members", None))


def is_ledger(held: Any) -> bool:
    """Tell a ledger of consents, which knows people by kind and value, from all else."""
    return isinstance(held, EventGate)


def _number(came: Any) -> int:
    return came if isinstance(came, int) else 0


@contextmanager
def failing_aside(holder: Holder, failed: list[HolderReceipt]) -> Iterator[None]:
    """Let one holder fail without stopping the others, and say why."""
    try:
        yield
    except Exception as problem:  # noqa: BLE001 - whatever fails, the others must still go on
        failed.append(holder.receipt(problem=f"{type(problem).__name__}: {problem}"))


def masked(receipt: HolderReceipt, person: Person) -> HolderReceipt:
    """Return a receipt in which no text names an identifier."""
    return replace(
        receipt,
        holder=person.masked(receipt.holder),
        notes=tuple(map(person.masked, receipt.notes)),
        problem=None if receipt.problem is None else person.masked(receipt.problem),
    )
