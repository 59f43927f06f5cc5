"""The study behind a search: kept in memory or on disk, known again, and taken up again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from recopersona.errors import DataError, ParameterError, shown

TOLD = "told"
"""The attribute of a trial that holds what Optuna does not: a mapping."""

_ASKED = "recopersona"


@contextmanager
def quiet() -> Iterator[None]:
    """Let Optuna say nothing but errors, and leave it as it was."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def open_study(storage: Any, name: str, asked: Mapping[str, Any], maximize: bool) -> optuna.Study:
    """Begin a study, or go on with the one of this name.

    Parameters
    ----------
    storage : path, URL, Optuna storage or None
    name : str
    asked : mapping from str to what JSON holds
        What the search is of: a study of something else is refused.
    maximize : bool

    Raises
    ------
    ParameterError
        If the study of this name is another search.
    DataError
        If the storage cannot be used.
    """
    direction = StudyDirection.MAXIMIZE if maximize else StudyDirection.MINIMIZE
    try:
        study = optuna.create_study(
            storage=_storage(storage), study_name=name, direction=direction, load_if_exists=True
        )
        begun = study.user_attrs.get(_ASKED)
        if begun is None and not study.get_trials(deepcopy=False):
            study.set_user_attr(_ASKED, dict(asked))
            begun = asked
    except ParameterError:
        raise
    except Exception as problem:
        raise DataError(
            f"tune: the storage {shown(storage)} cannot be used ({_first_line(problem)}); "
            "give a path such as 'study.db'."
        ) from problem
    _require_same(begun, json.loads(json.dumps(asked)), name, storage)
    return study


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that came to an end by themselves, in their order."""
    trials = study.get_trials(deepcopy=False)
    return [trial for trial in trials if trial.state.is_finished() and not was_interrupted(trial)]


def was_interrupted(trial: FrozenTrial) -> bool:
    """Tell whether a trial was running when its process ended: it is tried again."""
    return trial.state == TrialState.FAIL and "failure" not in told(trial)


def told(trial: FrozenTrial) -> Mapping[str, Any]:
    """Return what is known of a trial beside its value."""
    known: Mapping[str, Any] = trial.user_attrs.get(TOLD, {})
    return known


def close_interrupted(study: optuna.Study) -> None:
    """End the trials of a process that is no more."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


class _Quick(sqlite3.Connection):
    """Waits for the disk now and then, not at each of the dozen writes of a trial.

    A killed process loses nothing; a machine without power may lose the last trials.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=NORMAL")


def _storage(storage: Any) -> Any:
    if not isinstance(storage, (str, PathLike)) or "://" in fspath(storage):
        return storage
    path = Path(storage).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    return optuna.storages.RDBStorage(
        f"sqlite:///{path}", engine_kwargs={"connect_args": {"factory": _Quick, "timeout": 20}}
    )


def _require_same(
    begun: Mapping[str, Any] | None, asked: Mapping[str, Any], name: str, storage: Any
) -> None:
    if begun is None:
        raise ParameterError(
            f"tune: the study {name!r} in {shown(storage)} was not begun by tune; "
            "choose another name or storage."
        )
    other = [
        f"{what} {shown(begun.get(what))} there, {shown(asked.get(what))} here"
        for what in dict.fromkeys([*asked, *begun])
        if begun.get(what) != asked.get(what)
    ]
    if other:
        raise ParameterError(
            f"tune: the study {name!r} in {shown(storage)} is another search "
            f"({'; '.join(other)}); choose another name or storage."
        )


def _first_line(problem: BaseException) -> str:
    return (str(problem).strip() or type(problem).__name__).splitlines()[0].rstrip(".")
