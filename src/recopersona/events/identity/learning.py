"""Links as they come: from frames, tables of links, and one event at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, numbers
from recopersona.data.event import Event
from recopersona.data.gate import EventGate
from recopersona.data.ids import UNKNOWN
from recopersona.data.intake import frame_of_events, is_events
from recopersona.data.times import MISSING_TIME, integer_to_ms, to_ms
from recopersona.data.types import Array
from recopersona.errors import DataError
from recopersona.events.identity.admitted_links import PAIR, admits_link, admitted_links
from recopersona.events.identity.arrivals import MISSING, Verdict
from recopersona.events.identity.kinds import PERSON
from recopersona.events.identity.knowing import Knowing
from recopersona.events.identity.links import ALONE, Links, ProbableLinks, Unfit
from recopersona.events.identity.order import event_key
from recopersona.events.identity.register import Found, one_column
from recopersona.kernels.identity import link_rows

_REFUSED = "rows refused by a gate"


class Learning(Knowing):
    """The part of an `IdentityGraph` that takes links."""

    def update(
        self, events: Any, *, probability: str | None = None, gate: EventGate | None = None
    ) -> Self:
        """Take links: every row links the identifiers in it.

        Parameters
        ----------
        events : dataframe, `Event`, iterable of `Event`, or mapping from kind to value
            A frame's columns that are kinds hold identifiers; ``timestamp`` and ``event_id`` say
            when, and in which order. A frame with the columns ``kind_a value_a kind_b value_b``
            holds one link a row.
        probability : str, optional
            The column of a frame that says how probable each link is, from 0 to 1: such links
            count after all others, the most probable first, and make nobody ambiguous.
        gate : EventGate, optional
            Such as a `ConsentLedger`: rows that it refuses for ``"storage"`` never come in, and so
            nobody who was erased. It is asked by what the graph would keep, of an e-mail its hash.
            The graph does not remember it.

        Returns
        -------
        the graph

        Raises
        ------
        ColumnError
            If no column is an identifier.
        DataError
            If it is no dataframe, or times or probabilities cannot be read.
        ParameterError
            If a parameter is out of its bounds, or a personal kind comes and there is no key.
        """
        with self._lock:
            self._begin()
            if isinstance(events, Event):
                who = {"user_id": events.user_id, "anonymous_id": events.anonymous_id}
                self._update_one(who, events.timestamp, events.event_id, gate)
            elif isinstance(events, Mapping):
                self._update_one(events, events.get("timestamp"), events.get("event_id"), gate)
            elif is_events(events):
                records = list(events)
                if records:
                    self._update_many(frame_of_events(records), probability, gate)
            else:
                self._update_many(as_pandas(events), probability, gate)
        return self

    def _update_many(
        self, frame: pd.DataFrame, probability: str | None, gate: EventGate | None
    ) -> None:
        if gate is not None:
            may = admitted_links(frame, self._judges, gate)
            self._count_refused(len(frame) - len(may))
            frame = frame.iloc[may]
        times = _times_of(frame)
        if probability is None and {PERSON, "probability"} <= set(frame.columns):
            probability = "probability"
        chances = None if probability is None else _probabilities(frame, probability)
        pairs = set(PAIR) <= set(frame.columns)
        found = (
            self._pairs_of(frame)
            if pairs
            else self.register_.find(frame, self._judges, register=True)
        )
        events = self.register_.events(frame)
        self._note_unfit(found, times, events)
        first_row = self.tally_["rows"]
        self.tally_["rows"] += len(frame)
        self.tally_["rows of nobody"] += int((found.codes < 0).all(axis=1).sum())
        n = int((found.codes >= 0).sum())
        higher, lower, row = (np.empty(n, np.int32) for _ in range(3))
        n = link_rows(higher, lower, row, found.codes)
        row = row[:n]
        columns = {
            "higher": higher[:n], "lower": lower[:n], "time": times[row], "event": events[row],
            "row": row + np.int32(first_row),
        }  # fmt: skip
        if chances is None:
            self._learn(Links.of(**columns))
        else:
            self.probable_.append(ProbableLinks.of(**columns, probability=chances[row]))
            self._overlay = None

    def _update_one(
        self, who: Mapping[str, Any], timestamp: Any, event_id: Any, gate: EventGate | None
    ) -> None:
        time = _one_time(timestamp)
        if gate is not None and not admits_link(who, time, self._judges, gate):
            self._count_refused(1)
            return
        event = self.register_.event(event_id)
        nodes: list[int] = []
        unfit: list[tuple[int, Verdict]] = []
        for kind, value in who.items():
            judge = None if value is None else self._judges.get(kind)
            if judge is None:
                continue
            verdict = judge(value)
            if isinstance(verdict, str):
                nodes.append(self.register_.node(verdict, self._kinds.codes[kind]))
            elif verdict.reason != MISSING:
                unfit.append((self._kinds.codes[kind], verdict))
        row = self.tally_["rows"]
        self.tally_["rows"] = row + 1
        nodes.sort(key=self.register_.kind_.__getitem__)
        if not nodes:
            self.tally_["rows of nobody"] += 1
        for code, verdict in unfit:
            text = self.register_.text(verdict.shown)
            node = nodes[0] if nodes else UNKNOWN
            self.unfit_.append_row(code, text, node, time, event, verdict.reason)
        others = nodes[1:] or [ALONE] * len(nodes)
        n = len(others)
        links = Links.of(
            higher=np.array(nodes[:1] * n, np.int32), lower=np.array(others, np.int32),
            time=np.full(n, time), event=np.full(n, event), row=np.full(n, row),
        )  # fmt: skip
        self._learn(links)

    def _count_refused(self, n: int) -> None:
        if n:
            self.tally_[_REFUSED] = self.tally_.get(_REFUSED, 0) + n

    def _learn(self, links: Links) -> None:
        """Take links that came now: go on where they follow all others, else start again."""
        if not len(links):
            return
        late = self._n_late(links) if len(self.links_) else 0
        if late:
            self.tally_["late"] += late
            self.tally_["replays"] += 1
            self.links_.append(links)
            self._replay()
            return
        order = self._order(links)
        self.links_.append(order.links)
        self._course.append(*self._met().join(order))
        self._last = self._moment_of_last()
        self._overlay = None

    def _n_late(self, links: Links) -> int:
        """Count links that do not come after all others: of one time, by their event ids."""
        last, key = self._last
        late = int((links.time_ < last).sum())
        ids = self.register_.events_.ids
        tied = links.event_[links.time_ == last].tolist()
        return late + sum(event_key(ids, code) <= key for code in tied)

    def _pairs_of(self, frame: pd.DataFrame) -> Found:
        """Find the links of a table that says the kinds of both ends of each."""
        n = len(frame)
        codes = np.full((n, 2), UNKNOWN, np.int32)
        unfit = []
        for place, (kind, value) in enumerate((PAIR[:2], PAIR[2:])):
            words, values = one_column(frame, kind), one_column(frame, value)
            for word in words.dropna().unique():
                code = self._kinds.code(word)
                rows = np.flatnonzero((words == word).to_numpy(np.bool_))
                found = self.register_.find(
                    pd.DataFrame({word: values.iloc[rows].array}), self._judges, register=True
                )
                codes[rows, place] = found.codes[:, 0]
                unfit += [
                    (code, {int(rows[row]): verdict for row, verdict in odd.items()})
                    for _, odd in found.unfit
                ]
        ranks = self.register_.node_ranks(codes.reshape(-1)).reshape(n, 2)
        swapped = (codes >= 0).all(axis=1) & (ranks[:, 0] > ranks[:, 1])
        codes[swapped] = codes[swapped][:, ::-1]
        return Found(codes, [], unfit)

    def _note_unfit(self, found: Found, times: Array, events: Array) -> None:
        for kind, odd in found.unfit:
            rows = np.fromiter(odd, np.int64, count=len(odd))
            verdicts = list(odd.values())
            present = found.codes[rows] >= 0
            best = np.where(present.any(axis=1), present.argmax(axis=1), 0)
            self.unfit_.append(
                Unfit.of(
                    kind=np.full(len(rows), kind),
                    value=np.array([self.register_.text(v.shown) for v in verdicts], np.int32),
                    node=found.codes[rows, best], time=times[rows], event=events[rows],
                    reason=np.array([verdict.reason for verdict in verdicts], np.int8),
                )
            )  # fmt: skip


def _times_of(frame: pd.DataFrame) -> Array:
    if "timestamp" not in frame.columns:
        return np.full(len(frame), MISSING_TIME, np.int64)
    return to_ms(one_column(frame, "timestamp"))


def _one_time(timestamp: Any) -> int:
    if timestamp is None:
        return MISSING_TIME
    if type(timestamp) is int and (found := integer_to_ms(timestamp)) is not None:
        return found
    return int(to_ms(pd.Series([timestamp]))[0])


def _probabilities(frame: pd.DataFrame, name: str) -> Array:
    chances = numbers(one_column(frame, name), name)
    bad = ~((chances >= 0) & (chances <= 1))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{name} must hold probabilities, got {chances[row]} in row {row}.")
    return chances.astype(np.float32)
