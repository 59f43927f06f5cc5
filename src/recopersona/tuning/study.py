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
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from recopersona.base.searching import is_number
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
        begun, mine = study.user_attrs.get(_ASKED), study.directions == [direction]
        if begun is None and mine and not study.get_trials(deepcopy=False):
            study.set_user_attr(_ASKED, dict(asked))
            begun = asked
    except ParameterError:
        raise
    except Exception as problem:
        raise _unusable(storage, problem) from problem
    if not isinstance(begun, Mapping):
        raise _not_ours(name, storage)
    _require_same(begun, json.loads(json.dumps(asked)), name, storage)
    if not mine:
        raise _not_ours(name, storage)
    return study


def require_own(
    study: optuna.Study, space: Mapping[str, BaseDistribution], storage: Any = None
) -> None:
    """Refuse a study whose trials were damaged, or written by somebody else.

    Raises
    ------
    DataError
    """
    try:
        good = all(_is_own(trial, space) for trial in study.get_trials(deepcopy=False))
    except Exception as problem:
        raise _unusable(storage, problem) from problem
    if not good:
        raise DataError(
            f"tune: the study {study.study_name!r} in {shown(storage)} holds trials that tune did "
            "not write; choose another name or storage."
        )


def _is_own(trial: FrozenTrial, space: Mapping[str, BaseDistribution]) -> bool:
    """Tell whether a trial says what `tune` notes, and is of the space."""
    known = trial.user_attrs.get(TOLD, {})
    if not isinstance(known, Mapping):
        return False
    lists = [known.get(name, []) for name in ("folds", "passes", "fit_s")]
    whole = trial.state == TrialState.COMPLETE
    return (
        all(isinstance(one, list) and all(map(is_number, one)) for one in lists)
        and is_number(known.get("seconds", 0.0))
        and isinstance(known.get("failure", ""), str)
        and all(trial.distributions[name] == space.get(name) for name in trial.params)
        and (not whole or (set(trial.params) == set(space) and is_number(trial.value)))
        and (not whole or all(map(len, lists)))
    )


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
    if "?" in str(path):  # SQLAlchemy would cut it off
        raise ParameterError(f"tune: the path of a storage has no '?', got {shown(storage)}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    return optuna.storages.RDBStorage(
        f"sqlite:///{path}", engine_kwargs={"connect_args": {"factory": _Quick, "timeout": 20}}
    )


def _require_same(
    begun: Mapping[str, Any], asked: Mapping[str, Any], name: str, storage: Any
) -> None:
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


def _not_ours(name: str, storage: Any) -> ParameterError:
    return ParameterError(
        f"tune: the study {name!r} in {shown(storage)} was not begun by tune; "
        "choose another name or storage."
    )


def _unusable(storage: Any, problem: Exception) -> DataError:
    """Return what to raise, with the reason that lies deepest: Optuna's own is a guess."""
    reason: BaseException = problem
    while reason.__cause__ is not None:
        reason = reason.__cause__
    return DataError(
        f"tune: the storage {shown(storage)} cannot be used ({_first_line(reason)}); "
        "give a path such as 'study.db'."
    )


def _first_line(problem: BaseException) -> str:
    return (str(problem).strip() or type(problem).__name__).splitlines()[0].rstrip(".")
