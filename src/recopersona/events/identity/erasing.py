"""Identifiers forgotten, old links let go, and everything told that is held of somebody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.holdings import as_json
from recopersona.data.ids import UNKNOWN
from recopersona.data.times import MISSING_TIME, moment_ms
from recopersona.errors import DataError, shown
from recopersona.events.called import called
from recopersona.events.identity.asking import Asking
from recopersona.events.identity.links import Links


class Erasing(Asking):
    """The part of an `IdentityGraph` that forgets."""

    def forget(self, subjects: Iterable[Any]) -> int:
        """Remove identifiers, every link and every line of the logs that names them.

        What is left equals a graph that never saw those links; an identifier that only they named
        is gone with them.

        Parameters
        ----------
        subjects : iterable of str, or of pairs of kind and value
            A text is the name of a profile, or of any identifier in it, and removes all its
            members; a pair removes one identifier. Unknown ones are no error: of those, 0 is
            the answer. A bare id such as ``"anna"`` is no name; write ``("user_id", "anna")``.

        Returns
        -------
        int, how many identifiers were removed

        Raises
        ------
        DataError
            If it is no list.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> graph = IdentityGraph().update({"user_id": "anna", "cookie": "c1"})
        >>> graph.forget(["user_id:anna"]), graph.forget(["user_id:anna"])
        (2, 0)
        """
        with self._lock:
            gone = np.array(sorted(self._nodes_of(subjects)), np.int64)
            if not len(gone):
                return 0
            is_gone = np.zeros(len(self.register_) + 1, np.bool_)  # the last is read for none
            is_gone[gone] = True
            self.links_, self.probable_ = (
                table.take(~(is_gone[table.higher_] | is_gone[table.lower_]))
                for table in (self.links_, self.probable_)
            )
            self.unfit_ = self.unfit_.take(~is_gone[self.unfit_.node_])
            before = len(self.register_)
            self._keep_used()
            self._replay()
            return before - len(self.register_)

    def forget_before(self, moment: Any) -> int:
        """Remove what was told before a moment; links that hold since ever stay.

        What is left equals a graph that never saw those rows. Who was known by them alone falls
        apart into what later links say.

        Parameters
        ----------
        moment : datetime, str or int

        Returns
        -------
        int, how many links and values that are no identifiers were removed

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> graph = IdentityGraph()
        >>> graph = graph.update({"user_id": "anna", "cookie": "c1", "timestamp": 1_700_000_000})
        >>> graph = graph.update({"user_id": "anna", "cookie": "c2", "timestamp": 1_800_000_000})
        >>> graph.forget_before("2025-01-01"), graph.members("user_id:anna")
        (1, [('user_id', 'anna'), ('cookie', 'c2')])
        """
        first = moment_ms(moment, "moment")
        with self._lock:
            if not self.__sklearn_is_fitted__():
                return 0
            tables = self.links_, self.probable_, self.unfit_
            young = [(table.time_ >= first) | (table.time_ == MISSING_TIME) for table in tables]
            n_old = sum(int((~mask).sum()) for mask in young)
            if n_old:
                self.links_ = self.links_.take(young[0])
                self.probable_ = self.probable_.take(young[1])
                self.unfit_ = self.unfit_.take(young[2])
                self._keep_used()
                self._replay()
            return n_old

    def held_of(self, subjects: Iterable[Any]) -> dict[str, Any]:
        """Return everything held of some subjects as JSON has it, by profile; {} if nothing.

        Parameters
        ----------
        subjects : iterable of str, or of pairs of kind and value
            As in `forget`.

        Raises
        ------
        DataError
            If it is no list.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> graph = IdentityGraph().update({"user_id": "anna", "cookie": "c1"})
        >>> held = graph.held_of([("cookie", "c1")])
        >>> list(held), held["user_id:anna"]["links"]
        (['user_id:anna'], 1)
        """
        with self._lock:
            held: dict[str, Any] = {}
            nodes = self._nodes_of(subjects)
            if not nodes:
                return held
            _, names = self._everybody()
            profiles, merges, refusals = self.profiles(), self.merges(), self.refusals()
            for name in dict.fromkeys(str(names[node]) for node in sorted(nodes)):
                mine = {node for node in nodes if names[node] == name}
                texts = {self.register_.names_.ids[node] for node in mine}
                held[name] = {
                    "identifiers": _records(profiles[_name_column(profiles, "").isin(texts)]),
                    "merges": _records(merges[_names_either(merges, texts)]),
                    "refusals": _records(refusals[_names_either(refusals, texts)]),
                    "links": sum(_n_naming(table, mine) for table in (self.links_, self.probable_)),
                }
            return held

    def _nodes_of(self, subjects: Iterable[Any]) -> set[int]:
        """Return the identifiers of names and of pairs of kind and value."""
        if isinstance(subjects, (str, bytes)) or not isinstance(subjects, Iterable):
            raise DataError(f"expected a list of subjects, got {shown(subjects)}.")
        nodes: set[int] = set()
        for subject in subjects:
            if isinstance(subject, tuple) and len(subject) == 2 and self.__sklearn_is_fitted__():
                kind, value = subject
                judge = self._judges.get(kind)
                name = called(kind, value)
                if judge is not None and name not in self.register_.names_:
                    judged = judge(value)
                    name = judged if isinstance(judged, str) else ""
                nodes.add(self.register_.names_.index(name))
            elif self._named(subject)[0] >= 0:
                nodes.update(self._member_nodes(subject))
        nodes.discard(UNKNOWN)
        return nodes


def _n_naming(links: Links, nodes: set[int]) -> int:
    mine = list(nodes)
    return int((np.isin(links.higher_, mine) | np.isin(links.lower_, mine)).sum())


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON has them."""
    rows: list[dict[str, Any]] = as_json(frame.to_dict("records"))
    return rows


def _name_column(frame: pd.DataFrame, end: str) -> pd.Series:
    return frame[f"kind{end}"].astype(object) + ":" + frame[f"value{end}"].astype(object)


def _names_either(frame: pd.DataFrame, names: set[str]) -> pd.Series:
    return _name_column(frame, "_a").isin(names) | _name_column(frame, "_b").isin(names)
