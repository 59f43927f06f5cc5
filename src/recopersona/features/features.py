"""Many features as one transformer: fitted on a log, asked for any moment, updated by events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar, NamedTuple, Self

import narwhals as nw
import numpy as np
import pandas as pd
from sklearn.base import TransformerMixin, clone

from recopersona.base.forgetting import REFIT_WITHIN, Stale, require_stale
from recopersona.base.gated import Gated
from recopersona.base.holdings import as_json
from recopersona.base.nested import Nested, are_parts, named
from recopersona.base.parameters import Bound, check_parameters, duration, optional, param
from recopersona.base.recommender import as_dataset
from recopersona.base.several import listed
from recopersona.data.columns import as_pandas
from recopersona.data.dataset import Dataset
from recopersona.data.event import EVENT_COLUMNS, Event
from recopersona.data.feature_table import FeatureTable
from recopersona.data.gate import EventGate, passed
from recopersona.data.intake import frame_of_events, is_events
from recopersona.data.query import Query
from recopersona.data.times import MISSING_TIME, duration_ms, from_ms, moment_ms
from recopersona.data.types import Array, Id, Indices, Mask
from recopersona.errors import DataError, ParameterError
from recopersona.features.buying import (
    RFM,
    CartAbandonment,
    OrderValue,
    Repurchase,
    SessionSignals,
)
from recopersona.features.codes import ROW_COLUMNS, Codes, require_single
from recopersona.features.feature import Feature, Seen, require_context
from recopersona.features.log import EventLog
from recopersona.features.market import Context, Conversion, ItemAge, ItemPopularity
from recopersona.features.program import Program, part_names
from recopersona.features.state import State, steps
from recopersona.features.taste import Affinity, Engagement, PaymentPreference, PriceFit
from recopersona.kernels.signals import ANSWERS, CATEGORY, EVENT_NUMBERS, ITEM, RECENT, USER

_FEATURES = Bound(
    "a list of features or (name, feature) pairs, at least one",
    lambda value: are_parts(value, Feature),
)


def _is_transformer(value: Any) -> bool:
    return hasattr(value, "transform") and hasattr(value, "fit") and not isinstance(value, type)


class Features(TransformerMixin, Gated, Nested):  # type: ignore[misc]
    r"""Signals of users, items and visits, each as it was just before the row it is computed for.

    One piece of code serves training and requests: `transform` replays the log and answers every
    row from the events before it; `for_query` answers from the events so far; `update` takes in one
    more event. All three run the same kernel over the same state, so they agree bit for bit.

    Parameters
    ----------
    features : list of Feature or (name, feature) pairs, optional
        By default all that the log and the catalogue can tell: affinities, prices, recency and
        frequency, carts, repurchases, the visit, popularity, conversion, freshness, the moment.
    scaler : scikit-learn transformer, optional
        Such as ``StandardScaler()``; fitted on the rows of `fit`, applied to every answer.
    gap : duration
        After which a visit is over.

    Attributes
    ----------
    features_ : dict from name to fitted Feature
    stale_ : Stale or None
        What forgotten users taught a scaler.
    late_ : int
        Events that came in after a later one. They count in sums and extremes, aged as they are,
        and are left out of the visit; `refresh` puts everything in order.

    Notes
    -----
    *As of.* A row at time :math:`t` sees the events of :math:`t_e < t`, strictly; rows without a
    timestamp, and requests, see all that came in. Attributes of the catalogue are taken as they
    are now.

    *Memory.* 74 bytes an event for the log, and for each (user, item) pair, user, item, ... that a
    tally is kept for 8 bytes a tally and some 80 more.

    *Consent.* Behind a gate (``gate=``, or a dataset's own), events that it refuses are as if they
    had never been there, and rows and requests of visitors who may not be known get the values of
    strangers. The gate is in no file: features saved behind one learn nothing after ``load``
    without it, and take everybody for a stranger.

    *Time.* Constant for an event and for a candidate, whatever the length of the log. Any number of
    threads may ask; one at a time may update.

    Raises
    ------
    ColumnError
        If a feature needs a column of events or items that is not there.
    DataError
        If events have no times, or what cannot be used as it came.

    Examples
    --------
    >>> log = pd.DataFrame({
    ...     "user_id": ["anna", "anna", "ben", "anna"],
    ...     "item_id": ["tea", "salt", "tea", "tea"],
    ...     "event": ["view", "view", "purchase", "purchase"],
    ...     "timestamp": pd.to_datetime(["2026-01-30 10:00", "2026-01-31 10:00",
    ...                                  "2026-01-31 10:05", "2026-01-31 10:10"]),
    ... })
    >>> features = Features([Affinity(half_life="1d"), SessionSignals()])
    >>> table = features.fit_transform(log)
    >>> table[["affinity_item", "session_events"]].round(2)
       affinity_item  session_events
    0            0.0             0.0
    1            0.0             0.0
    2            0.0             0.0
    3            0.4             1.0
    >>> features.update(Event("ben", "salt", "view", "2026-01-31 10:20"))
    Features(features=[Affinity(half_life='1d'), SessionSignals()])
    >>> request = Query("ben", now="2026-01-31 10:20")
    >>> features.for_query(request, ["salt", "tea"])[:, 0].round(2).tolist()
    [0.6899999976158142, 2.390000104904175]
    >>> features.explain().loc[0, ["column", "formula", "window"]].tolist()
    ['affinity_item', 'ln(1 + T(user, item))', 'half-life 1d']
    """

    _parts_parameter: ClassVar[str] = "features"
    _parts_kind = Feature

    features: Sequence[Any] | None = param(optional(_FEATURES), default=None)
    scaler: Any = param(
        optional(Bound("a transformer such as StandardScaler()", _is_transformer)), default=None
    )
    gap: str | timedelta = param(duration(), default="30min")

    end_: int
    late_: int
    stale_: Stale | None

    def __init__(
        self,
        features: Sequence[Any] | None = None,
        *,
        scaler: Any = None,
        gap: str | timedelta = "30min",
    ) -> None:
        self.features, self.scaler, self.gap = features, scaler, gap

    # -- learning ----------------------------------------------------------------------------

    def fit(
        self,
        events: Any,
        y: Any = None,
        *,
        items: Any = None,
        rows: Any = None,
        gate: EventGate | None = None,
    ) -> Self:
        """Read a log, and forget what was learned before.

        Parameters
        ----------
        events : dataframe, iterable of `Event`, or Dataset
            ``user_id``, ``item_id`` and ``timestamp``; anything else of an events frame is used
            where it is there. A dataset brings its catalogue; of events it knows no prices,
            categories or pages.
        y : ignored
        items : dataframe or FeatureTable, optional
            The catalogue, one row per ``item_id``.
        rows : dataframe, optional
            What the scaler is fitted on, where there is one; by default the events themselves.
        gate : EventGate, optional
            Such as a `ConsentLedger`, in place of a dataset's own; `update` asks it, too.
        """
        log = _Log.of(events, items, gate)
        with self._all_or_nothing():
            self._start(log)
            state = self._blank()
            if self.scaler is None:
                self._run(state, self.log_.in_time())
            elif rows is None:
                self._fit_scaler(self._replay(self._row_frame(log.frame), state))
            else:
                asked, known = self._as_strangers(self._row_frame(rows))
                self._fit_scaler(self._replay(asked, state)[known])
            self._adopt(state)
        return self

    def fit_transform(
        self,
        events: Any,
        y: Any = None,
        *,
        items: Any = None,
        rows: Any = None,
        gate: EventGate | None = None,
    ) -> Any:
        """Fit, and return the features of the rows, by default of the events themselves.

        Behind a gate as many rows come back as were given; those refused are strangers' rows.
        """
        log = _Log.of(events, items, gate)
        with self._all_or_nothing():
            self._start(log)
            state = self._blank()
            asked = self._row_frame(log.asked if rows is None else rows)
            known = np.ones(len(asked), np.bool_)
            if not log.cleared:
                asked, known = self._as_strangers(asked)
            values = self._replay(asked, state)
            self._fit_scaler(values[known])
            self._adopt(state)
        if rows is None:
            rows = log.asked if isinstance(events, Dataset) else events
        return self._framed(values, rows)

    def update(self, events: Any) -> Self:
        """Take in what happened since: one `Event` in microseconds, many in one pass.

        Parameters
        ----------
        events : Event, iterable of `Event`, or dataframe
            Of features behind a gate, what it refuses changes nothing.
        """
        self._check_fitted()
        if self.gated_:
            if isinstance(events, Event):
                return self._take_in(events) if self._admits_event(events) else self
            events = self._admitted(frame_of_events(events))
            if not len(events):
                return self
        return self._take_in(events)

    def _take_in(self, events: Any) -> Self:
        """Do the same with what passed the gate."""
        if isinstance(events, Event):
            columns: Mapping[str, Array] = self._one
            self.codes_.event(events, columns)
        else:
            columns = self.codes_.events(events)
        times = columns["times"]
        if len(times):
            if int(times[0]) < self.end_:
                self.late_ += int((times < self.end_).sum())
            self.end_ = max(self.end_, int(times[-1]))
            self.log_.add(columns)
            self._run(self._state, columns)
        return self

    def update_items(self, frame: Any) -> Self:
        """Take in new or changed rows of the catalogue.

        The catalogue has no history: requests see the change at once, and rows of the past see it
        too when the log is replayed for them. What events said of their items stays.
        """
        self._check_fitted()
        self.codes_.update_items(frame)
        self._lay_out()  # what tallies ask for may have got its code
        self._state.program = self._program
        self._state.list_prices = self.codes_.list_prices()
        return self

    def held_of(self, user_ids: Iterable[Id]) -> dict[str, Any]:
        """Return everything that is held of some users, ready for JSON: every event of theirs.

        Empty where nobody is known. What features say of them is computed from these events.
        """
        self._check_fitted()
        known = {one: self.codes_.users_.index(one) for one in listed(user_ids, "held_of")}
        told = [
            {"user_id": as_json(identifier), "events": self._told_of(user)}
            for identifier, user in known.items()
            if user >= 0
        ]
        return {"features": type(self).__name__, "users": told} if told else {}

    def _told_of(self, user: int) -> list[dict[str, Any]]:
        columns = self.log_.in_time()
        rows = np.flatnonzero(columns["parts"][:, USER] == user)
        return [self.codes_.told({name: column[row] for name, column in columns.items()})
                for row in rows.tolist()]  # fmt: skip

    def forget(
        self, user_ids: Iterable[Id], *, at: Any = None, refit_within: Any = REFIT_WITHIN
    ) -> Self:
        """Drop everything known of some users, and what they added to sums of all.

        What a ``scaler`` learned of them stays until the next `fit`: ``stale_`` says so, as that of
        a `Recommender` does.
        """
        self._check_fitted()
        wanted = set(listed(user_ids, "forget"))
        gone = [index for index in map(self.codes_.users_.index, wanted) if index >= 0]
        late = (None if self.end_ == MISSING_TIME else self.end_) if at is None else at
        stale = Stale.after(len(gone), late, refit_within, ["scaler_"])
        if not gone:
            return self
        if self.scaler is not None:
            self.stale_ = stale if self.stale_ is None else self.stale_.joined(stale)
        users = self.log_.columns_["parts"][: self.log_.n_, USER]
        self.log_.drop(np.isin(users, gone))
        self.codes_.users_.forget(self.codes_.users_.ids[gone].tolist())
        self.codes_.forget_words(self.log_.in_time(), self._program.where)
        return self.refresh()

    def refresh(self) -> Self:
        """Count the log anew, in order of time: late events find their place."""
        events = self.log_.sort()
        self.codes_.relearn_categories(events)
        state = self._blank()
        self._run(state, events)
        self._adopt(state)
        return self

    # -- answering ---------------------------------------------------------------------------

    def transform(self, rows: Any, *, as_of: Any = None) -> Any:
        """Return the features of rows, each as of just before its time.

        Parameters
        ----------
        rows : dataframe
            ``user_id`` or ``item_id`` or both, and ``timestamp``; without it, as of all that is
            known. ``price`` is the candidate's where it is there. Columns that `Context` reads.
        as_of : moment, optional
            One time for all rows, in place of their own.

        Returns
        -------
        dataframe
            float32, of the caller's kind; NaN where something is not known, or has no bounds.
        """
        self._check_fitted()
        frame = self._row_frame(rows)
        if as_of is not None:
            frame = frame.assign(timestamp=from_ms(np.full(len(frame), moment_ms(as_of, "as_of"))))
        frame, _ = self._as_strangers(frame)
        asked = self.codes_.rows(frame, self.end_)
        if asked["present"] or int(asked["times"].min(initial=self.end_ + 1)) > self.end_:
            none_new = np.zeros(len(frame), np.int64)
            values = self._answer_rows(frame, asked, self._state, self._no_events, none_new)
        else:
            values = self._replay(frame, self._blank())
        return self._framed(values, rows)

    def for_query(self, query: Any, items: Any) -> Array:
        """Return the features of one request's candidates, as of all that is known.

        Parameters
        ----------
        query : Query or user id
            Its ``context`` and ``session`` are read; ``now`` counts where it is later than the
            log.
        items : sequence of item ids (n,)

        Returns
        -------
        float32 (n, n_features)
        """
        self._check_fitted()
        return self._for_rows(self._asked(query), self.codes_.items_.indices(_item_ids(items)))

    def _for_rows(self, asked: Query, items: Indices) -> Array:
        """Do the same for items by our own numbers, -1 for those nobody knows."""
        now = self.end_ if asked.now is None else max(int(asked.now), self.end_)
        asked_rows = self.codes_.query(asked, items, now)
        none_new = np.zeros(len(items), np.int64)
        tallies, answers = self._state.follow(self._no_events, asked_rows, none_new)
        if len(asked.session) and len(items):
            self._bring_visit(answers, asked.session, asked_rows["parts"])
        values = self._compute(tallies, answers, asked_rows, asked.context)
        return self._scaled(np.ascontiguousarray(values.T))

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return the names of the columns, an object array."""
        self._check_fitted()
        names = np.array([name for columns in self._columns.values() for name in columns], object)
        scaler = getattr(self, "scaler_", None)
        if scaler is not None and hasattr(scaler, "get_feature_names_out"):
            return np.asarray(scaler.get_feature_names_out(names), dtype=object)
        return names

    def explain(self) -> pd.DataFrame:
        """Return every column's feature, formula, what it counts, and over which window.

        Returns
        -------
        DataFrame: ``column``, ``feature``, ``formula``, ``counts``, ``window``
        """
        self._check_fitted()
        lines = []
        for name, feature in self.features_.items():
            tallies = feature.tallies().values()
            halves = dict.fromkeys(f"half-life {t.half_life}" for t in tallies if t.half_life)
            counts = "; ".join(f"({', '.join(t.key)}) {t.words()}" for t in tallies)
            window = ", ".join(halves) or (
                "all that was before" if tallies else self._visit(feature)
            )
            lines += [
                (column, name, formula, counts, window)
                for column, formula in feature.columns().items()
            ]
        return pd.DataFrame(lines, columns=["column", "feature", "formula", "counts", "window"])

    # -- inside ------------------------------------------------------------------------------

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """See to it that who fails to learn is as one who has learned nothing."""
        try:
            yield
        except BaseException:
            self._unfit()
            raise

    def _start(self, log: _Log) -> None:
        """Forget everything; read the catalogue and the log."""
        check_parameters(self)
        self._unfit()
        self._stand_behind(log.gate)
        frame, items = log.frame, log.items
        require_single(frame, EVENT_COLUMNS, "events")
        given = _default_features(frame, items) if self.features is None else self.features
        features = {name: clone(part) for name, part in named(given, type(self).__name__)}
        for feature in features.values():
            check_parameters(feature)
            feature.learn(frame)
        tallies = [tally for part in features.values() for tally in part.tallies().values()]
        codes = Codes()
        codes.start(items, part_names(tallies), frame)
        columns = codes.events(frame)
        self.features_, self.codes_, self.log_ = features, codes, EventLog()
        self.log_.start(columns)
        self.end_ = int(columns["times"][-1]) if len(columns["times"]) else MISSING_TIME
        self.late_ = 0
        self.stale_ = None
        self.state_: dict[str, Array] = {}
        self._lay_out()

    def _lay_out(self) -> None:
        """Make what follows from the features alone: the program, the columns, one empty event."""
        own = {name: feature.tallies() for name, feature in self.features_.items()}
        self._columns = {name: list(part.columns()) for name, part in self.features_.items()}
        _require_distinct(self._columns)
        codes = self.codes_
        self._program = Program.of(
            [tally for tallies in own.values() for tally in tallies.values()],
            tuple(codes.parts_),
            codes.code_of,
        )
        self._places = {
            name: {said: self._program.order[tally] for said, tally in tallies.items()}
            for name, tallies in own.items()
        }
        self._one: dict[str, Array] = {
            "times": np.zeros(1, np.int64),
            "kinds": np.zeros(1, np.int8),
            "parts": np.zeros((1, len(codes.parts_)), np.int32),
            "numbers": np.zeros((1, len(EVENT_NUMBERS))),
            "named": np.zeros(1, np.int8),
        }
        self._no_events = _cut(self._one, slice(0, 0))
        self._no_rows = {**_cut(self._no_events, slice(0)), "prices": np.empty(0)}

    def _blank(self) -> State:
        state = State(self._program, duration_ms(self.gap))
        state.list_prices = self.codes_.list_prices()
        return state

    def _adopt(self, state: State) -> None:
        """Answer from a state that has seen the whole log."""
        self._state, self.state_ = state, state.arrays

    def _fit_scaler(self, values: Array) -> None:
        if self.scaler is not None:
            with np.errstate(all="ignore"):  # a column of which nothing is known stays so
                self.scaler_ = clone(self.scaler).fit(values)

    def _run(self, state: State, events: Mapping[str, Array]) -> None:
        """Let a state take in events, with no question asked."""
        if len(events["times"]) == 1:
            state.follow(events, self._no_rows, _NOTHING)
            return
        for part, _ in steps(_NOTHING, len(events["times"])):
            state.follow(_cut(events, part), self._no_rows, _NOTHING)

    def _row_frame(self, rows: Any) -> pd.DataFrame:
        frame = frame_of_events(rows) if is_events(rows) else as_pandas(rows, "rows")
        require_single(frame, (*ROW_COLUMNS, *self._context_names), "rows")
        for feature in self.features_.values():
            require_context(feature, [str(name) for name in frame.columns])
        return frame

    def _as_strangers(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, Mask]:
        """Make strangers of those who may not be known; tell the other rows, bool (n,)."""
        known = np.ones(len(frame), np.bool_)
        if not self.gated_ or "user_id" not in frame.columns:
            return frame, known
        named = np.flatnonzero(frame["user_id"].notna().to_numpy(dtype=np.bool_))
        known[named] = False
        known[named[self._places_of_known(frame.iloc[named])]] = True
        if known.all():
            return frame, known
        return frame.assign(user_id=frame["user_id"].astype(object).where(known, None)), known

    def _replay(self, frame: pd.DataFrame, state: State) -> Array:
        """Answer rows from a blank state, which has seen the whole log afterwards."""
        asked, events = self.codes_.rows(frame, self.end_), self.log_.in_time()
        if asked["present"]:
            before = np.full(len(frame), len(events["times"]))
        else:
            before = np.searchsorted(events["times"], asked["times"], side="left")
        return self._answer_rows(frame, asked, state, events, before)

    def _answer_rows(
        self,
        frame: pd.DataFrame,
        asked: Mapping[str, Any],
        state: State,
        events: Mapping[str, Array],
        before: Array,
    ) -> Array:
        """Return float32 (n, n_features) in the order of the rows.

        before  (n,) int64, how many of the events come before each row
        """
        order = np.argsort(asked["times"], kind="stable")
        visible = before[order]
        values = np.empty((self._n_columns, len(order)), np.float32)
        for part, rows in steps(visible, len(events["times"])):
            places = order[rows]
            block = {name: asked[name][places] for name in ("times", "parts", "prices")}
            tallies, answers = state.follow(_cut(events, part), block, visible[rows] - part.start)
            context = {name: frame[name].iloc[places] for name in self._context_names}
            values[:, places] = self._compute(tallies, answers, block, context)
        return values.T

    def _compute(
        self, tallies: Array, answers: Array, asked: Mapping[str, Array], context: Mapping[str, Any]
    ) -> Array:
        """Return every feature's columns, float32 (n_features, n)."""
        now, items = asked["times"].astype(np.float64), asked["parts"][:, ITEM]
        values = np.empty((self._n_columns, len(now)), np.float32)
        column = 0
        with np.errstate(all="ignore"):  # what is unknown stays so
            for name, feature in self.features_.items():
                seen = Seen(
                    tallies, answers, self._places[name], now,
                    lambda attribute: self.codes_.attribute(attribute, items), context,
                )  # fmt: skip
                computed = feature.compute(seen)
                if len(computed) != len(self._columns[name]):
                    raise DataError(
                        f"{name} must compute {len(self._columns[name])} columns, "
                        f"got {len(computed)}."
                    )
                for values_of_one in computed:
                    values[column] = values_of_one
                    column += 1
        values[np.isinf(values)] = np.nan  # beyond float32: no learner takes it
        return values

    def _bring_visit(self, answers: Array, session: Sequence[Id], parts: Array) -> None:
        """Let the visit be what the request says it is, where the log knows of none."""
        if answers[ANSWERS.index("session_events"), 0] > 0:
            return
        codes = self.codes_
        items = codes.items_.indices(list(session[-RECENT:]))
        categories = codes.take(codes.categories_, items, -1)
        known = categories[categories >= 0]
        same_item = (parts[:, ITEM, None] == items[items >= 0]).sum(axis=1)
        same_category = (parts[:, CATEGORY, None] == known).sum(axis=1)
        for name, value in {
            "session_events": len(session),
            "session_categories": len(np.unique(known)),
            "session_item_hits": same_item,
            "session_category_hits": same_category,
            "session_recent": len(items),
        }.items():
            answers[ANSWERS.index(name)] = value

    def _scaled(self, values: Array) -> Array:
        scaler = getattr(self, "scaler_", None)
        if scaler is None:
            return values
        return np.asarray(scaler.transform(values), dtype=np.float32)

    def _framed(self, values: Array, rows: Any) -> Any:
        scaled, names = self._scaled(values), self.get_feature_names_out()
        if isinstance(rows, pd.DataFrame) or is_events(rows):
            index = rows.index if isinstance(rows, pd.DataFrame) else None
            return pd.DataFrame(scaled, columns=names, index=index)
        # Whole columns as they lie: a value that is not known is NaN in every kind of frame.
        columns = {
            str(name): np.ascontiguousarray(scaled[:, place]) for place, name in enumerate(names)
        }
        backend = nw.from_native(rows).implementation
        return nw.from_dict(columns, backend=backend).to_native()

    def _visit(self, feature: Feature) -> str:
        return f"the visit, over after {self.gap}" if isinstance(feature, SessionSignals) else "now"

    def _check_fitted(self) -> None:
        if "_state" not in vars(self):  # a quick look: an event takes a dozen microseconds
            super()._check_fitted()

    def _unfit(self) -> None:
        super()._unfit()
        if "_state" in vars(self):
            del self._state

    @property
    def _n_columns(self) -> int:
        return sum(map(len, self._columns.values()))

    @property
    def _context_names(self) -> list[str]:
        names = (name for feature in self.features_.values() for name in feature.context())
        return list(dict.fromkeys(names))

    def _check_learned(self) -> None:
        held: Any = vars(self)
        good = (
            isinstance(held["features_"], dict)
            and all(isinstance(part, Feature) for part in held["features_"].values())
            and isinstance(held["codes_"], Codes)
            and isinstance(held["log_"], EventLog)
            and type(held["end_"]) is int
            and MISSING_TIME <= held["end_"] < -MISSING_TIME
            and type(held["late_"]) is int
            and held["late_"] >= 0
            and type(self.gated_) is bool
        )
        if not good:
            raise DataError("Features: what was learned is not what it should be.")
        require_stale(held["stale_"], "Features")
        tallies = [t for part in held["features_"].values() for t in part.tallies().values()]
        if not set(part_names(tallies)) <= set(self.codes_.parts_):
            raise DataError("Features: events were not kept for all that is counted.")
        self._lay_out()
        self.log_.check(len(self.codes_.parts_))
        State(self._program, duration_ms(self.gap), self.state_).check()
        if "scaler_" in held:
            self._check_scaler()

    def _check_scaler(self) -> None:
        """Let the scaler scale one row: what it was told of itself must fit these features."""
        try:
            scaled = self._scaled(np.zeros((1, self._n_columns), np.float32))
            good = scaled.shape == (1, len(self.get_feature_names_out()))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            good = False
        if not good:
            raise DataError("Features: the scaler does not fit the columns.")

    def _prepare(self) -> None:
        self._lay_out()
        self._state = State(self._program, duration_ms(self.gap), self.state_)
        self._state.list_prices = self.codes_.list_prices()


_NOTHING = np.empty(0, np.int64)


class _Log(NamedTuple):
    """What features are fitted on.

    frame    the events that the gate let in
    asked    all that were given, or those of the dataset: the rows to be answered
    items    the catalogue, or None
    gate     what they passed, or None
    cleared  whether rows to be answered passed it just now, too
    """

    frame: pd.DataFrame
    asked: pd.DataFrame
    items: Any
    gate: EventGate | None
    cleared: bool

    @classmethod
    def of(cls, events: Any, items: Any, gate: EventGate | None) -> _Log:
        """Read events, or a dataset, which brings its catalogue and its gate."""
        if isinstance(events, Dataset):
            shop = as_dataset(events, gate)
            catalogue = shop.item_features if items is None else items
            frame = shop.events_frame()
            return cls(frame, frame, catalogue, shop.gate, events.cleared)
        frame = frame_of_events(events)
        return cls(passed(gate, frame), frame, items, gate, cleared=False)


def _item_ids(items: Any) -> Any:
    """Return candidates as what an `IdMap` looks up; one id in place of many is refused."""
    if isinstance(items, (list, tuple, pd.Series)):
        return items
    if hasattr(items, "columns"):
        raise DataError("for_query needs a list of item ids, got a frame; pass frame['item_id'].")
    return listed(items, "for_query")


def _cut(columns: Mapping[str, Array], rows: slice) -> dict[str, Array]:
    return {name: column[rows] for name, column in columns.items()}


def _require_distinct(columns: Mapping[str, list[str]]) -> None:
    seen: dict[str, str] = {}
    for name, own in columns.items():
        for column in own:
            if column in seen:
                raise ParameterError(
                    f"Features: {seen[column]} and {name} both give a column {column!r}; keep one."
                )
            seen[column] = name


def _default_features(frame: pd.DataFrame, items: Any) -> list[Feature]:
    """Return all features that a log and a catalogue have something to say for."""
    said = {str(name) for name in frame.columns}
    described = set() if items is None else {str(name) for name in _column_names(items)}
    features: list[Feature] = [
        Affinity(), RFM(), CartAbandonment(), Repurchase(), SessionSignals(), ItemPopularity(),
        Conversion(), ItemAge(), Context(),
    ]  # fmt: skip
    if "category" in said | described:
        features.append(Affinity(of="category"))
    if "brand" in described:
        features.append(Affinity(of="brand"))
    if "price" in said | described:
        features += [Affinity(of="price_band"), PriceFit()]
    if "price" in said:
        features.append(OrderValue())
    if {"dwell_ms", "scroll_pct"} & said:
        features.append(Engagement())
    if "payment_method" in said:
        features.append(PaymentPreference())
    return features


def _column_names(items: Any) -> Iterable[Any]:
    return items.names if isinstance(items, FeatureTable) else as_pandas(items, "items").columns
