"""What was shown under which name, and what came of it."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.composite import Composite
from recopersona.base.described import Described
from recopersona.base.forgetting import REFIT_WITHIN, Gone
from recopersona.base.holdings import decision_held
from recopersona.base.own_lock import OwnLock
from recopersona.base.parameters import are_counts, check, optional, whole
from recopersona.base.several import listed
from recopersona.data.decision import Decision
from recopersona.data.event import seen_bits
from recopersona.data.gate import EventGate
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking, long_frame
from recopersona.data.times import moment_ms
from recopersona.data.types import Id, Indices
from recopersona.errors import DataError
from recopersona.pipeline.outcomes import frame_of_decisions, news_in, told_of
from recopersona.rerank.attribution import Windows

_COUNTED = (
    *("taught", "revised", "repeated", "unknown", "expired", "settled", "pushed_out"),
    "refused",
)
_SPARE_DUE = 100
_SETTLED_AT_ONCE = 16  # while somebody waits for a page; each page adds one


class Deciding(Described, Composite):
    """A recommender that remembers its latest decisions, and learns what came of them.

    The life of a decision: it is *named* before it is made, as draws are keyed by its name; then
    *noted*, with what was shown and how likely that was. What came of it is *told* in any number of
    pieces (`feedback`): the first teaches, a further one teaches what it adds, and what came later
    than its window is counted only. Of which nothing was heard in its shortest window, or until
    later ones took its room, it is *settled*: it moved nobody, which teaches too. It is gone when
    its room is needed, or its visitor wants to be forgotten.

    Behind a gate, what is shown to a visitor who may not be known is no decision: nothing is drawn,
    nothing remembered but that its name was refused, and what comes of it teaches nothing. Neither
    does what comes of a decision whose visitor has withdrawn since.

    A subclass declares the parameter ``decision_log``, how many it remembers, and may say in
    ``_windows`` for how long what happens is put down to a decision: then one of which nothing is
    heard teaches that it moved nobody, once the shortest window is over.

    Attributes
    ----------
    decisions_ : dict from decision id to Decision
    clock_ : int or None
        The latest moment that queries, events and feedback have told of, in milliseconds.
    let_go_ : int
        Decisions that are no longer remembered, as later ones took their room.
    feedback_counts_ : dict
        How often feedback ``taught``, told more of a decision it had taught of (``revised``), came
        ``repeated``, was for an ``unknown`` decision, (in part) too late for it (``expired``), or
        of a visitor who may not be learned from (``refused``);
        how many decisions were ``settled`` without any, and how many of those because later ones
        had ``pushed_out`` theirs before its window was over.
    """

    decision_log: int

    def _begin_log(self) -> None:
        self.decisions_: dict[str, Decision] = {}
        self.feedback_counts_ = dict.fromkeys(_COUNTED, 0)
        self.let_go_ = 0
        self.clock_: int | None = self.end_
        self._due_kept: list[tuple[int, str]] = []
        self._names_kept: deque[str] | None = None
        self._refused_kept: dict[str, None] = {}
        self._lock_kept = OwnLock()

    def _stand_behind(self, gate: EventGate | None) -> None:
        super()._stand_behind(gate)
        self.__dict__.pop("_due_kept", None)  # whatever came due while there was none waits again

    def _windows(self) -> Windows | None:
        """Return for how long outcomes are waited for; None for as long as the log remembers."""
        return None

    def _reward_of(self, decision: Decision) -> float:
        """Return what an outcome was worth: by default, the items with any event."""
        return float(len(decision.outcome or ()))

    def recommend(self, asked: Any, n: int = 10, *, seen: str | Sequence[str] = "drop") -> Ranking:
        """Return the best ``n`` items for one visitor; the decision is remembered for `feedback`.

        See `Recommender.recommend`. The ranking carries the query's ``decision_id``, or a new one.
        """
        self._check_fitted()
        check(n, whole(at_least=1), "recommend", "n")
        query = _named(self._asked(asked))
        return self._noted(query, self._recommended(_undrawn(query), n, seen_bits(seen)))

    def recommend_many(
        self,
        asked: Iterable[Any],
        n: int = 10,
        *,
        seen: str | Sequence[str] = "drop",
        explore: bool = False,
    ) -> pd.DataFrame:
        """Return the best ``n`` items for many visitors, in the order asked.

        See `Recommender.recommend_many`. Nothing is drawn and nothing remembered, unless
        ``explore=True``, as for a mailing: then every list is a decision, named in a column
        ``decision_id``, and `feedback` is welcome.
        """
        if not explore:
            return super().recommend_many(asked, n, seen=seen)
        self._check_fitted()
        check(n, whole(at_least=1), "recommend", "n")
        wanted = listed(asked, "recommend_many")
        queries = [_named(self._asked(one)) for one in wanted]
        rankings = self._ranked(list(map(_undrawn, queries)), n, seen_bits(seen))
        for query, ranking in zip(queries, rankings, strict=True):
            self._noted(query, ranking)
        frame = long_frame([Query.of(one).user_id for one in wanted], rankings, self.items_)
        names = [query.decision_id for query in queries]
        lengths = [len(ranking) for ranking in rankings]
        frame["decision_id"] = pd.Series(names, dtype=str).repeat(lengths).reset_index(drop=True)
        return frame

    def feedback(
        self,
        decision_id: Any,
        clicked: Iterable[Id] = (),
        *,
        purchased: Iterable[Id] = (),
        outcome: Any = None,
        now: Any = None,
    ) -> bool:
        """Tell what came of a decision; every part that learns from outcomes is taught.

        What the visitor did comes in the event log too and belongs into `partial_fit`; feedback is
        for those parts that need to know which choice led to it. It may come in pieces, in any
        order, and as often as you like: what is known already changes nothing, what is new teaches
        the difference. Of one item the strongest event counts, a purchase instead of the click.

        Parameters
        ----------
        decision_id : str
            From ``ranking.decision_id``.
        clicked, purchased : iterables of item ids
            Of the items shown.
        outcome : mapping from item id to event type, optional
            For any other kind of event.
        now : datetime, str or int, optional
            When it happened; else the latest moment that the pipeline has heard of. What happened
            after its window (see ``BanditReranker(attribution=...)``) is counted, and not learned.

        Returns
        -------
        True if this taught; False if there was nothing new in it, it came too late, the decision
        is not (any longer) known, or its visitor may not be learned from. All of that is counted in
        ``feedback_counts_``.

        Raises
        ------
        DataError
            If an item was not shown, a kind of event does not exist, or the gate that this was
            fitted behind is not there.
        """
        self._check_fitted()
        self._gate_for_learning()
        if not isinstance(decision_id, str):
            kind = type(decision_id).__name__
            raise DataError(f"feedback needs the ranking's decision_id, got a {kind}.")
        moment = None if now is None else moment_ms(now)
        with self._lock:
            known = self.decisions_.get(decision_id)
            if not self._may_teach(decision_id, known, moment):
                self._count("refused")
                return False
            told = {} if known is None else told_of(known, clicked, purchased, outcome)
            taught = False
            if known is None:
                self._count("unknown")
            else:
                taught = self._taught_by(known, told, self.clock_ if moment is None else moment)
            self._tell_time(moment)
            return taught

    def decisions_frame(self, *, purpose: str = "personalization") -> pd.DataFrame:
        """Return the decisions that are remembered, one row each, the oldest first.

        It is what `off_policy` values other policies by, and what another pipeline's
        `BanditReranker.fit` starts from.

        Parameters
        ----------
        purpose : str
            What the frame is for: behind a gate, decisions of visitors whom it refuses for that by
            now are left out.

        Returns
        -------
        DataFrame with columns ``decision_id, timestamp, user_id, segment, arm, propensity,
        probabilities`` (of all arms), ``same`` (the arms that would have shown the same),
        ``expected, items, slot_propensities, outcome`` (item id to event, None while nothing is
        known) and ``reward`` (NaN while nothing is known).

        Examples
        --------
        >>> from recopersona.datasets.synthetic import synthetic_shop
        >>> from recopersona.models.popularity import Popularity
        >>> from recopersona.pipeline.pipeline import Pipeline
        >>> home = Pipeline(candidates=[Popularity()]).fit(synthetic_shop(200, 50, random_state=7))
        >>> ranking = home.recommend(Query("u-0001", decision_id="d-1"), n=3)
        >>> home.feedback("d-1", clicked=ranking.item_ids[:1])
        True
        >>> home.decisions_frame()[["decision_id", "user_id", "reward"]]
          decision_id user_id  reward
        0         d-1  u-0001     1.0
        """
        self._check_fitted()
        with self._lock:
            frame = frame_of_decisions(list(self.decisions_.values()), self._reward_of)
        return frame if not self.gated_ else self._let_out(frame, purpose)

    def _let_out(self, frame: pd.DataFrame, purpose: str) -> pd.DataFrame:
        """Leave out decisions of visitors who may not be told of; of nobody's, nobody is asked."""
        may = frame["user_id"].isna().to_numpy(copy=True)
        named = frame[["user_id"]][~may]
        if self._gate is not None:
            may[self._gate.kept(named, purpose).index] = True
        return frame[may].reset_index(drop=True)

    # -- learning ------------------------------------------------------------------------------

    def _taught_by(self, known: Decision, told: dict[Id, str], moment: int | None) -> bool:
        """Learn what is new and in time; tell whether there was any."""
        windows, news = self._windows(), news_in(told, known.outcome)
        if windows is not None:
            late = [one for one in news if not windows.holds(news[one], known.now, moment)]
            if late:
                self._count("expired")
            for item in late:
                del news[item]
            if late and not news:
                return False
        if not news and known.outcome is not None:
            self._count("repeated")
            return False
        after = known.with_outcome({**(known.outcome or {}), **news})
        # Marked first: a part that fails must not make the others learn the same outcome twice.
        self.decisions_[known.decision_id] = after
        if known.outcome is None:
            self._learn_outcome(after)
        else:
            self._outcome_grew(known, after)
        self._count("taught" if known.outcome is None else "revised")
        return True

    def _may_teach(self, name: str, decision: Decision | None, moment: int | None) -> bool:
        """Tell whether what came of a decision, at a moment or by now, may be learned from."""
        if not self.gated_:
            return name not in self._refused_names
        if self._gate is None or name in self._refused_names:
            return False
        if decision is None:
            return True  # nobody knows what it was, so it teaches nothing anyway
        who = {"user_id": decision.user_id, "anonymous_id": decision.context.get("anonymous_id")}
        return self._gate.lets(who, _PURPOSE, moment)

    def _learn(self, rows: Interactions) -> None:
        super()._learn(rows)
        with self._lock:
            self._tell_time(self.end_)

    def _tell_time(self, moment: int | None, at_once: int | None = None) -> None:
        """Note how late it is; decisions whose window is over have moved nobody."""
        if moment is not None and (self.clock_ is None or moment > self.clock_):
            self.clock_ = moment
        windows, due, left = self._windows(), self._due, at_once
        if windows is None or self.clock_ is None:
            return
        while due and due[0][0] < self.clock_ and left != 0:
            decision = self.decisions_.get(heappop(due)[1])
            if decision is None or decision.outcome is not None or decision.now is None:
                continue
            if decision.now + windows.shortest < self.clock_:  # else it was asked again since
                self._settle(decision)
                left = None if left is None else left - 1

    def _settle(self, decision: Decision) -> bool:
        """Learn that a decision moved nobody; tell whether that may be learned."""
        if self.gated_ and self._gate is None:
            return False
        if not self._may_teach(decision.decision_id, decision, None):
            self.decisions_.pop(decision.decision_id, None)
            self._note_refused(decision.decision_id)
            self._count("refused")
            return False
        settled = decision.with_outcome({})
        if decision.decision_id in self.decisions_:
            self.decisions_[decision.decision_id] = settled
        self._learn_outcome(settled)
        self._count("settled")
        return True

    def _count(self, what: str) -> None:
        self.feedback_counts_[what] = self.feedback_counts_.get(what, 0) + 1

    # -- remembering ---------------------------------------------------------------------------

    @property
    def _lock(self) -> OwnLock:
        kept: OwnLock = self.__dict__.setdefault("_lock_kept", OwnLock())
        return kept

    @property
    def _due(self) -> list[tuple[int, str]]:
        """When which decision is over, the first on top: a heap."""
        kept: list[tuple[int, str]] | None = vars(self).get("_due_kept")
        if kept is None:
            windows = self._windows()
            kept = [] if windows is None else [
                (one.now + windows.shortest, one.decision_id)
                for one in self.decisions_.values()
                if one.now is not None and one.outcome is None
            ]  # fmt: skip
            heapify(kept)
            self._due_kept = kept
        return kept

    def _noted(self, query: Query, ranking: Ranking) -> Ranking:
        """Remember a ranking as the decision that it is; return it with its name."""
        ranking = ranking._with(decision_id=query.decision_id)
        if query.refused:
            with self._lock:
                self._note_refused(ranking.decision_id)
            return ranking
        moment = self.now_of(query)
        decision = Decision.of(ranking, query.user_id, query.context, moment)
        with self._lock:
            self._log(decision)
            self._tell_time(moment, _SETTLED_AT_ONCE)
        return ranking

    @property
    def _refused_names(self) -> dict[str, None]:
        """The names of what was shown to visitors who may not be known, the oldest first."""
        kept: dict[str, None] = self.__dict__.setdefault("_refused_kept", {})
        return kept

    def _note_refused(self, name: Any) -> None:
        names = self._refused_names
        names[name] = None
        while len(names) > self.decision_log:
            del names[next(iter(names))]

    def _log(self, decision: Decision) -> None:
        known = self.decisions_.get(decision.decision_id)
        if known is not None and known.outcome is not None:
            return  # asked again after its feedback: an outcome teaches once
        if known is None:
            self._names.append(decision.decision_id)
        self.decisions_[decision.decision_id] = decision
        windows = self._windows()
        if windows is not None and decision.now is not None:
            heappush(self._due, (decision.now + windows.shortest, decision.decision_id))
            if len(self._due) > 2 * len(self.decisions_) + _SPARE_DUE:
                del self._due_kept  # of decisions that are no longer there, or were asked again
        while len(self.decisions_) > self.decision_log:
            oldest = self._pop_oldest()
            self.let_go_ += 1
            waited = windows is not None and self.decision_log and oldest.outcome is None
            # Whoever learned of clicks alone would take every page for a success.
            if waited and self._settle(oldest):
                self._count("pushed_out")
            if windows is not None:
                self._drop_known()

    def _pop_oldest(self) -> Decision:
        """Take the oldest decision out; a dict alone would look for it past all that it lost."""
        names = self._names
        while (name := names.popleft()) not in self.decisions_:
            pass
        return self.decisions_.pop(name)

    @property
    def _names(self) -> deque[str]:
        """The names of decisions, the oldest first; some may be forgotten."""
        kept: deque[str] | None = vars(self).get("_names_kept")
        if kept is None:
            kept = self._names_kept = deque(self.decisions_)
        return kept

    def _drop_known(self) -> None:
        """Take from the top of the heap what nobody waits for any more."""
        due = self._due
        while due and not self._is_open(due[0][1]):
            heappop(due)

    def _is_open(self, name: str) -> bool:
        decision = self.decisions_.get(name)
        return decision is not None and decision.outcome is None

    def forget(
        self, user_ids: Iterable[Id], *, at: Any = None, refit_within: Any = REFIT_WITHIN
    ) -> int:
        """Drop what is held of single users, decisions included; see `Recommender.forget`."""
        self._check_fitted()
        wanted = listed(user_ids, "forget")
        late = self.clock_ if at is None else at
        self._forget_decisions(set(wanted))
        known = super().forget(wanted, at=late, refit_within=refit_within)
        left = self.__dict__.pop("_left_kept", None)  # by visitors who are in no log of events
        if left:
            gone = Gone.of(np.empty(0, np.int32), self.past_, late, refit_within, n=len(left[1]))
            self.stale_ = gone.left_in(self.stale_, left[0])
        return known

    def held_of(self, user_ids: Iterable[Id]) -> dict[str, Any]:
        """Return everything that is held of single users, decisions included.

        See `Recommender.held_of`. ``decisions`` are there for visitors who are in no log of events,
        too: what they were shown, when, by what chance, and what came of it.
        """
        told = super().held_of(wanted := listed(user_ids, "held_of"))
        with self._lock:
            theirs = [one for one in self.decisions_.values() if one.user_id in set(wanted)]
        if not theirs:
            return told
        decisions = [decision_held(one) for one in theirs]
        return {"model": type(self).__name__, **told, "decisions": decisions}

    def _latest_moment(self) -> int | None:
        return self.clock_

    def forget_before(self, moment: Any) -> int:
        """Drop decisions made before a moment; return how many. What they taught stays.

        Parameters
        ----------
        moment : datetime, str or int
            A decision that says no time stays.
        """
        self._check_fitted()
        first = moment_ms(moment, "moment")
        with self._lock:
            kept = {
                name: one
                for name, one in self.decisions_.items()
                if one.now is None or one.now >= first
            }
            n_gone = len(self.decisions_) - len(kept)
            self.decisions_ = kept
            self._names_kept = None
        return n_gone

    def _forget_users(self, users: Indices) -> None:
        self._forget_decisions(set(self.users_.ids[users].tolist()))
        super()._forget_users(users)

    def _forget_decisions(self, user_ids: set[Id]) -> None:
        """Drop decisions, and take back what they taught; note what could not be taken back."""
        with self._lock:
            kept: dict[str, Decision] = {}
            parts: dict[str, None] = {}
            whose: set[Id | None] = set()
            for name, one in self.decisions_.items():
                if one.user_id not in user_ids:
                    kept[name] = one
                elif one.outcome is not None:
                    left = self._unlearn_outcome(one)
                    parts |= dict.fromkeys(left)
                    whose |= {one.user_id} if left else set()
            self.decisions_ = kept
            self._names_kept = None
            if parts:
                before = vars(self).get("_left_kept", ([], set()))
                self._left_kept = [*before[0], *parts], before[1] | whose

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        yield from super()._unlearn(gone)
        yield from self.__dict__.pop("_left_kept", ((), ()))[0]
        if self.let_go_:  # of what is in the log no more, nobody knows whose it was
            yield from self._taught_by_outcomes()

    def _taught_by_outcomes(self) -> list[str]:
        """Name the parts that learn what came of decisions."""
        return []

    def _check_learned(self) -> None:
        super()._check_learned()
        decisions: Any = self.decisions_
        counts: Any = self.feedback_counts_
        logged = isinstance(decisions, dict) and isinstance(counts, dict)
        if (
            not logged
            or not all(
                isinstance(one, Decision) and one.decision_id == name
                for name, one in decisions.items()
            )
            or not are_counts(counts)
        ):
            raise DataError(f"{type(self).__name__}: the log of decisions is not one.")
        check(self.let_go_, whole(0), type(self).__name__, "let_go_")
        check(self.clock_, optional(whole(-(2**62), 2**62)), type(self).__name__, "clock_")


_PURPOSE = "personalization"


def _undrawn(query: Query) -> Query:
    """See to it that nothing is drawn for visitors who may not be known: nothing would learn."""
    return replace(query, decision_id=None) if query.refused else query


def _named(query: Query) -> Query:
    """Name a decision before it is made: what explores draws by the decision's name."""
    return replace(query, decision_id=query.decision_id or uuid.uuid4().hex)
