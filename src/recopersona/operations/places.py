"""Where a shop's data of people are: looked up anew at every call."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from recopersona.base.artifact import class_of
from recopersona.errors import (
    ArtifactError,
    DataError,
    ParameterError,
    RecopersonaError,
    with_article,
)
from recopersona.operations.holders import (
    ConsentHolder,
    Holder,
    IdentityHolder,
    LiveHolder,
    LogHolder,
    SavedHolder,
)
from recopersona.operations.logs.kept_log import KeptLog, LogFile
from recopersona.operations.receipts import HolderReceipt

_GLOB = re.compile(r"[*?\[]")


class Places:
    """What was named of a shop's holders, and how to find those that there are now.

    See `PersonalData`, whose parameters these are.
    """

    def __init__(
        self,
        holders: Mapping[str, Any],
        models: Iterable[Any],
        logs: Iterable[Any],
        searched: Iterable[Any],
        functions: Iterable[Callable[..., Any]],
    ) -> None:
        if not isinstance(holders, Mapping):
            raise ParameterError(
                "PersonalData: holders must map names to objects, such as {'home': home}, got a "
                f"{type(holders).__name__}."
            )
        self.live = [LiveHolder(str(name), held) for name, held in holders.items()]
        self.models = [Path(one) for one in _listed(models, "models")]
        kept = _listed(logs, "logs", KeptLog)
        self.logs = [one if isinstance(one, KeptLog) else KeptLog(one) for one in kept]
        self.searched = [Path(one) for one in _listed(searched, "searched")]
        self.functions = tuple(functions)

    def found(self, failed: list[HolderReceipt]) -> list[Holder]:
        """Return all holders but the ledger and the graph; what cannot be found is told."""
        return [*self.live, *self._saved(failed), *self._files(failed)]

    def _saved(self, failed: list[HolderReceipt]) -> list[SavedHolder]:
        folders: dict[Path, None] = {}
        for given in self.models:
            try:
                folders.update(dict.fromkeys(_models_at(given)))
            except (RecopersonaError, OSError, ValueError) as problem:
                failed.append(HolderReceipt(str(given), "saved", problem=_in_words(problem)))
        return [SavedHolder(folder, self.functions) for folder in folders]

    def _files(self, failed: list[HolderReceipt]) -> list[LogHolder]:
        files: dict[Path, LogFile] = {}
        for log in self.logs:
            try:
                for file in log.files():
                    files.setdefault(file.path, file)
            except (RecopersonaError, OSError, ValueError) as problem:
                failed.append(HolderReceipt(str(log.source), "log", problem=_in_words(problem)))
        names = Counter(map(_inode, files))
        return [LogHolder(file, names[_inode(path)]) for path, file in files.items()]


def the_ledger(consent: Any) -> list[Holder]:
    """Return the ledger as a holder, if there is one."""
    if consent is None:
        return []
    _require(consent, "consent", "ConsentLedger", "forget", "is_erased")
    return [ConsentHolder(consent)]


def the_graph(identity: Any) -> list[Holder]:
    """Return the graph of identities as a holder, if there is one."""
    if identity is None:
        return []
    _require(identity, "identity", "IdentityGraph", "forget", "members", "profile_of", "names_of")
    return [IdentityHolder(identity)]


def _require(given: Any, name: str, kind: str, *methods: str) -> None:
    if not all(callable(getattr(given, method, None)) for method in methods):
        raise ParameterError(
            f"PersonalData: {name} must be what {with_article(kind)} is, got "
            f"{with_article(type(given).__name__)}."
        )


def _listed(given: Any, name: str, *kinds: type) -> list[Any]:
    if isinstance(given, (str, Path, *kinds)):
        given = [given]
    if not isinstance(given, Iterable) or isinstance(given, (bytes, Mapping)):
        raise ParameterError(
            f"PersonalData: {name} must be a list of paths, got a {type(given).__name__}."
        )
    listed = list(given)
    for one in listed:
        if not isinstance(one, (str, Path, *kinds)):
            raise ParameterError(
                f"PersonalData: {name} must be a list of paths, got a {type(one).__name__} in it."
            )
    return listed


def _models_at(given: Path) -> list[Path]:
    """Return the saved models that a path or a glob means; a link is the folder that it means."""
    path = given.expanduser()
    if not path.exists() and _GLOB.search(str(path)):
        root = Path(path.anchor or ".")
        found = sorted(root.glob(str(path.relative_to(root))))
    else:
        found = [path]
    if not found:
        raise DataError(f"no saved model {str(given)!r}; check the path.")
    for folder in found:
        if not folder.exists():
            raise ArtifactError(f"there is no saved model {str(folder)!r}; check the path.")
        class_of(folder)
    return [folder.resolve() for folder in found]


def _in_words(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"


def _inode(path: Path) -> tuple[int, int]:
    told = path.stat()
    return told.st_dev, told.st_ino
