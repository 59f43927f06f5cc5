"""Ids, attributes and words of events and questions as the codes that the kernel counts by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.holdings import as_json
from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.columns import as_pandas, factorized, numbers
from recopersona.data.event import EVENT_COLUMNS, EVENT_TYPES, Event
from recopersona.data.feature_table import CategoryColumn, FeatureTable, NumberColumn, TimeColumn
from recopersona.data.growing import with_room
from recopersona.data.ids import UNKNOWN, IdMap, is_missing
from recopersona.data.intake import frame_of_events, read_columns, read_one
from recopersona.data.query import Query
from recopersona.data.times import MISSING_TIME, as_text, to_ms
from recopersona.data.types import Array
from recopersona.errors import ColumnError, DataError, hint
from recopersona.features.feature import finite
from recopersona.features.program import FIXED_PART_NAMES
from recopersona.features.tally import EVENT_PARTS
from recopersona.kernels.signals import CATEGORY, EVENT_NUMBERS, ITEM, USER

ALWAYS = np.iinfo(np.int64).min
"""Since when a catalogue's categories are known."""

NEVER = np.iinfo(np.int64).max

ROW_COLUMNS = ("user_id", "item_id", "timestamp", "price", *EVENT_PARTS)
"""What is read of rows, beside their context."""


class Codes(Part):
    """What users, items, categories and words are called inside.

    Attributes
    ----------
    users_, items_ : IdMap
    item_features_ : FeatureTable
        The catalogue; its ids are ``items_``.
    words_ : dict from ``"category"``, ``"order_id"`` or an event's part to IdMap
    categories_ : int32 (n_items,)
        Each item's category: the catalogue's, else the first that an event named.
    category_since_ : int64 (n_items,)
        When that was known, in milliseconds.
    """

    _needed: tuple[str, ...] | None = None

    def start(self, catalogue: Any, parts: tuple[str, ...], frame: pd.DataFrame) -> None:
        """Begin with a catalogue and the parts that keys are made of; nobody has come yet."""
        table = _catalogue(catalogue)
        self.parts_, self._needed = list(parts), None
        self.users_, self.items_, self.item_features_ = IdMap(), table.ids, table
        self.words_ = {name: IdMap() for name in ["category", *EVENT_PARTS, "order_id"]}
        self._check_attributes(frame)
        if "category" in table:
            column = _category_column(table, "category")
            self.words_["category"] = column.categories.copy()
            self.categories_ = column.values.copy()
        else:
            self.categories_ = np.full(len(self.items_), UNKNOWN, np.int32)
        known = self.categories_ != UNKNOWN
        self.category_since_ = np.where(known, ALWAYS, NEVER)

    def _check_attributes(self, frame: pd.DataFrame) -> None:
        for part in self.parts_[CATEGORY + 1 :]:
            if part in EVENT_PARTS:
                if part not in frame.columns:
                    raise ColumnError(
                        f"features need a column {part!r} in the events"
                        f"{hint(part, map(str, frame.columns), 'their columns are')}"
                    )
            else:
                _category_column(self.item_features_, part)

    def _check_learned(self) -> None:
        held: Any = vars(self)
        require_array(held["categories_"], np.int32, (len(self.items_),), "categories_")
        require_array(held["category_since_"], np.int64, (len(self.items_),), "category_since_")
        table, words, parts = held["item_features_"], held["words_"], held["parts_"]
        good = (
            isinstance(held["users_"], IdMap)
            and isinstance(table, FeatureTable)
            and table.ids is held["items_"]
            and isinstance(words, dict)
            and {"category", "order_id", *EVENT_PARTS} == set(words)
            and all(isinstance(ids, IdMap) for ids in words.values())
            and isinstance(parts, list)
            and all(isinstance(part, str) for part in parts)
            and tuple(parts[: CATEGORY + 1]) == FIXED_PART_NAMES
        )
        if not good:
            raise DataError("the codes of features are not what they should be.")
        for part in set(parts[CATEGORY + 1 :]) - set(EVENT_PARTS):
            _category_column(table, part)

    # -- events ------------------------------------------------------------------------------

    def events(self, events: Any) -> dict[str, Array]:
        """Turn events into columns, in order of time; ids and words that are new get codes.

        Raises
        ------
        ColumnError, DataError
            For whatever cannot be used as it came; `recopersona.clean` sets such rows aside.
        """
        frame = frame_of_events(events)
        require_single(frame, EVENT_COLUMNS, "events")
        read = read_columns(frame)
        if read.timestamp is None:
            raise DataError("features need a 'timestamp' column in the events.")
        # Whatever can be refused is, before anything is learned.
        said = np.full((len(frame), len(EVENT_NUMBERS)), np.nan)
        for column, name in enumerate(EVENT_NUMBERS[:-1]):
            if name in frame.columns:
                said[:, column] = finite(numbers(frame[name], name))
        said[:, EVENT_NUMBERS.index("weight")] = read.weight
        words = {
            name: factorized(frame[name], name)
            for name in self._words_needed()
            if name in frame.columns
        }
        parts = np.full((len(frame), len(self.parts_)), UNKNOWN, np.int32)
        parts[:, USER] = self.users_.extend(read.user_id)
        parts[:, ITEM] = self.items_.extend(read.item_id)
        self._grow()
        if "category" in words:
            parts[:, CATEGORY] = self._words("category", *words["category"])
        for column, part in enumerate(self.parts_[CATEGORY + 1 :], start=CATEGORY + 1):
            if part in EVENT_PARTS:
                if part in words:
                    parts[:, column] = self._words(part, *words[part])
            else:
                parts[:, column] = self.take(self._attribute_codes(part), parts[:, ITEM], UNKNOWN)
        if "order_id" in words:
            orders = self._words("order_id", *words["order_id"])
            said[:, -1] = np.where(orders < 0, np.nan, orders)
        columns = in_time(
            {
                "times": read.timestamp,
                "kinds": read.event,
                "parts": parts,
                "numbers": said,
                "named": (parts[:, CATEGORY] >= 0).astype(np.int8),
            }
        )
        self._learn_categories(columns)
        return columns

    def event(self, event: Event, into: Mapping[str, Array]) -> None:
        """Write one event into columns of one row."""
        user_id, item_id, kind, time = read_one(event)
        if time == MISSING_TIME:
            raise DataError("features need the timestamp of an event.")
        amounts = [_number(getattr(event, name), name) for name in _AMOUNTS]
        words = {
            name: _word(value, name)
            for name in self._words_needed()
            if (value := getattr(event, name)) is not None
        }
        parts, said = into["parts"][0], into["numbers"][0]
        known_items = len(self.items_)
        parts[USER], parts[ITEM] = self.users_.append(user_id), self.items_.append(item_id)
        item = int(parts[ITEM])
        if item >= known_items:
            self._grow()
        coded = {
            name: self.words_[name].append(word) for name, word in words.items() if word is not None
        }
        named = coded.get("category", UNKNOWN)
        into["named"][0] = named >= 0
        parts[CATEGORY] = self._learn_category(item, named, time)
        for column in range(CATEGORY + 1, len(self.parts_)):
            part = self.parts_[column]
            if part in EVENT_PARTS:
                parts[column] = coded.get(part, UNKNOWN)
            else:
                codes = self._attribute_codes(part)
                parts[column] = codes[item] if item < len(codes) else UNKNOWN
        into["times"][0], into["kinds"][0] = time, kind
        said[0], said[1], said[3], said[4] = amounts
        said[2] = 1.0
        order = coded.get("order_id", UNKNOWN)
        said[5] = np.nan if order < 0 else order

    def _grow(self) -> None:
        n_before, n = len(self.categories_), len(self.items_)
        if n > n_before:
            self.categories_ = with_room(self.categories_, n)
            self.categories_[n_before:] = UNKNOWN
            self.category_since_ = with_room(self.category_since_, n)
            self.category_since_[n_before:] = NEVER

    def _learn_categories(self, columns: Mapping[str, Array]) -> None:
        """Write each event's category; an item without one takes the first that is named.

        The columns are in order of time, and their parts hold what the events themselves said.
        """
        times, parts = columns["times"], columns["parts"]
        items, said = parts[:, ITEM], parts[:, CATEGORY]
        if "category" in self.item_features_:
            parts[:, CATEGORY] = self.categories_[items]
            return
        self._own_categories()
        naming = np.flatnonzero((said >= 0) & (self.categories_[items] < 0))
        firsts, place = np.unique(items[naming], return_index=True)
        first_row = naming[place]
        self.categories_[firsts] = said[first_row]
        self.category_since_[firsts] = times[first_row]
        known = self.category_since_[items] <= times
        if len(firsts):  # at one moment, who comes before the first that names it does not know
            spot = np.minimum(np.searchsorted(firsts, items), len(firsts) - 1)
            known &= (firsts[spot] != items) | (np.arange(len(items)) >= first_row[spot])
        as_known = np.where(known, self.categories_[items], UNKNOWN)
        parts[:, CATEGORY] = np.where(said >= 0, said, as_known)

    def _own_categories(self) -> None:
        """See to it that categories can be written to: from a file they come read-only."""
        if not self.categories_.flags.writeable:
            self.categories_ = self.categories_.copy()
        if not self.category_since_.flags.writeable:
            self.category_since_ = self.category_since_.copy()

    def relearn_categories(self, columns: Mapping[str, Array]) -> None:
        """Learn anew, from all events in order of time, which category each item is known by."""
        if "category" in self.item_features_:
            return
        self.categories_ = np.full(len(self.items_), UNKNOWN, np.int32)
        self.category_since_ = np.full(len(self.items_), NEVER)
        columns["parts"][columns["named"] == 0, CATEGORY] = UNKNOWN
        self._learn_categories(columns)

    def _learn_category(self, item: int, said: int, time: int) -> int:
        if said < 0:
            is_known = self.category_since_[item] <= time
            return int(self.categories_[item]) if is_known else UNKNOWN
        if self.categories_[item] < 0:
            self._own_categories()
            self.categories_[item], self.category_since_[item] = said, time
        return said

    def _words_needed(self) -> tuple[str, ...]:
        """Return the columns of events whose words get codes."""
        if self._needed is None:
            named = () if "category" in self.item_features_ else ("category",)
            said = tuple(part for part in self.parts_ if part in EVENT_PARTS)
            self._needed = (*named, *said, "order_id")
        return self._needed

    def _words(self, name: str, codes: Array, distinct: Any) -> Array:
        known = self.words_[name].extend(distinct) if len(distinct) else np.empty(0, np.int32)
        return np.append(known, np.int32(UNKNOWN))[codes]

    def _attribute_codes(self, name: str) -> Array:
        """Return the codes of a column of the catalogue; new items may lie beyond its end."""
        codes: Array = self.item_features_.columns[name].values  # type: ignore[attr-defined]
        return codes

    def update_items(self, frame: Any) -> None:
        """Take in rows of the catalogue; categories they name hold from now on."""
        self.item_features_.update(frame, "item_id")
        self._needed = None
        self._grow()
        if "category" in self.item_features_:
            column = _category_column(self.item_features_, "category")
            words = self.words_["category"].extend(column.categories.ids)
            codes = np.append(words, np.int32(UNKNOWN))[column.values]
            changed = codes != UNKNOWN
            cleared = ~changed & (self.category_since_ == ALWAYS)
            self.categories_ = np.where(changed | cleared, codes, self.categories_)
            since = np.where(changed, ALWAYS, self.category_since_)
            self.category_since_ = np.where(cleared, NEVER, since)

    def forget_words(self, columns: Mapping[str, Array], where: Array) -> None:
        """Blank what no event says any more: a number of an order or a page may tell who it was.

        where  (n_tallies, 2) int32, the words that tallies ask for, which stay
        """
        said = {name: columns["parts"][:, self.parts_.index(name)]
                for name in EVENT_PARTS if name in self.parts_}  # fmt: skip
        orders = columns["numbers"][:, EVENT_NUMBERS.index("order")]
        said["order_id"] = orders[~np.isnan(orders)].astype(np.int64)
        for name, codes in said.items():
            words = self.words_[name]
            asked = where[where[:, 0] == self.parts_.index(name), 1] if name in self.parts_ else []
            unused = np.setdiff1d(np.arange(len(words)), np.append(codes, asked))
            words.forget(words.ids[unused].tolist())

    def told(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return one event of the log in words, as JSON has it; what is unknown is left out."""
        said: dict[str, Any] = {
            "item_id": self.items_.ids[event["parts"][ITEM]],
            "event": EVENT_TYPES[event["kinds"]],
            "timestamp": as_text(int(event["times"])),
        }
        for column, part in enumerate(self.parts_[CATEGORY:], start=CATEGORY):
            code = event["parts"][column]
            if part in self.words_ and code != UNKNOWN:
                said[part] = self.words_[part].ids[code]
        for name, number in zip(EVENT_NUMBERS, event["numbers"].tolist(), strict=True):
            if number == number:
                is_order = name == "order"
                said[name] = self.words_["order_id"].ids[int(number)] if is_order else number
        return {name: as_json(value) for name, value in said.items()}

    # -- questions ---------------------------------------------------------------------------

    def rows(self, frame: Any, end: int) -> dict[str, Any]:
        """Turn rows to be answered into columns, in the order they came; nothing new is learned.

        Parameters
        ----------
        frame : dataframe
            ``user_id`` or ``item_id`` or both, and ``timestamp``; without it, after all that is
            known.
        end : int
            The time of the latest event.
        """
        frame = as_pandas(frame, "rows")
        if "user_id" not in frame.columns and "item_id" not in frame.columns:
            names = [str(name) for name in frame.columns]
            raise ColumnError(
                f"rows need a column 'user_id' or 'item_id'{hint('user_id', names, 'they have')}"
            )
        users = _indices(self.users_, frame, "user_id")
        items = _indices(self.items_, frame, "item_id")
        times = None
        if "timestamp" in frame.columns:
            times = to_ms(frame["timestamp"])
            missing = int((times == MISSING_TIME).sum())
            if missing:
                raise DataError(f"{missing} of {len(times)} rows have no timestamp.")
        words = {name: frame[name] for name in EVENT_PARTS if name in frame.columns}
        codes = {name: self.words_[name].indices(column) for name, column in words.items()}
        prices = np.full(len(frame), np.nan)
        if "price" in frame.columns:
            prices = finite(numbers(frame["price"], "price"))
        return {
            "times": np.full(len(frame), end) if times is None else times,
            "parts": self._row_parts(users, items, times, codes),
            "prices": prices,
            "present": times is None,
        }

    def query(self, query: Query, items: Array, now: int) -> dict[str, Any]:
        """Turn one request and its candidates into columns, as of all that is known."""
        user = UNKNOWN if query.user_id is None else self.users_.index(query.user_id)
        codes = {
            name: np.int32(self.words_[name].index(query.context[name]))
            for name in EVENT_PARTS
            if name in query.context
        }
        users = np.full(len(items), user, np.int32)
        return {
            "times": np.full(len(items), now),
            "parts": self._row_parts(users, items, None, codes),
            "prices": np.full(len(items), np.nan),
            "present": True,
        }

    def _row_parts(
        self, users: Array, items: Array, times: Array | None, codes: Mapping[str, Any]
    ) -> Array:
        parts = np.full((len(items), len(self.parts_)), UNKNOWN, np.int32)
        parts[:, USER], parts[:, ITEM] = users, items
        categories = self.take(self.categories_, items, UNKNOWN)
        if times is not None:
            since = self.take(self.category_since_, items, NEVER)
            categories = np.where(since < times, categories, UNKNOWN)
        parts[:, CATEGORY] = categories
        for column, part in enumerate(self.parts_[CATEGORY + 1 :], start=CATEGORY + 1):
            if part in EVENT_PARTS:
                parts[:, column] = codes.get(part, UNKNOWN)
            else:
                parts[:, column] = self.take(self._attribute_codes(part), items, UNKNOWN)
        return parts

    def attribute(self, name: str, items: Array) -> Array:
        """Return a number or time (milliseconds) of items, float64 (n,), NaN where unknown."""
        if name not in self.item_features_:
            return np.full(len(items), np.nan)
        column = self.item_features_.columns[name]
        if not isinstance(column, (NumberColumn, TimeColumn)):
            raise ColumnError(f"features need numbers or times in {name!r}, it is a {column.kind}.")
        if isinstance(column, NumberColumn):
            return self.take(column.values, items, np.nan)
        moments = self.take(column.values, items, MISSING_TIME)
        return np.where(moments == MISSING_TIME, np.nan, moments)

    def list_prices(self) -> Array:
        """Return the catalogue's prices, float64; none where it has no such column."""
        if "price" not in self.item_features_:
            return np.empty(0)
        prices = self.attribute("price", np.arange(len(self.items_)))
        return np.where((prices > 0) & (prices < np.inf), prices, np.nan)

    @staticmethod
    def take(values: Array, items: Array, missing: Any) -> Array:
        """Return the values of items, and one for those that are not known."""
        if not len(values):
            return np.full(len(items), missing)
        taken = values[np.minimum(items, len(values) - 1)]
        taken[(items < 0) | (items >= len(values))] = missing
        return taken

    def code_of(self, part: str, word: Any) -> int:
        """Return the code of a word; of an attribute that no item has yet, one no event has."""
        if part in self.words_:
            return self.words_[part].append(word)
        code = _category_column(self.item_features_, part).categories.index(word)
        return _NO_EVENT if code == UNKNOWN else code


def in_time(columns: Mapping[str, Array]) -> dict[str, Array]:
    """Return columns in order of their times; what happened at once stays in the order it came."""
    times = columns["times"]
    if (times[1:] >= times[:-1]).all():
        return dict(columns)
    order = np.argsort(times, kind="stable")
    return {name: column[order] for name, column in columns.items()}


def _catalogue(items: Any) -> FeatureTable:
    if items is None:
        return FeatureTable(IdMap())
    if isinstance(items, FeatureTable):
        return items.copy()
    return FeatureTable.from_frame(items, IdMap(), "item_id")


def _category_column(table: FeatureTable, name: str) -> CategoryColumn:
    if name not in table:
        raise ColumnError(
            f"features need an item column {name!r}{hint(name, table.names, 'the items have')} "
            "pass the catalogue: fit(events, items=catalogue)."
        )
    column = table.column(name)
    if not isinstance(column, CategoryColumn):
        raise ColumnError(
            f"features need one category per item in {name!r}, it is a {column.kind}."
        )
    return column


def _indices(ids: IdMap, frame: pd.DataFrame, name: str) -> Array:
    if name not in frame.columns:
        return np.full(len(frame), UNKNOWN, np.int32)
    return ids.indices(frame[name])


def require_single(frame: pd.DataFrame, names: Iterable[str], what: str) -> None:
    """Refuse a frame that has a column twice."""
    present = list(frame.columns)
    if len(set(present)) < len(present):
        for name in names:
            if present.count(name) > 1:
                raise ColumnError(
                    f"{what} have {present.count(name)} columns named {name!r}; keep one."
                )


_NO_EVENT = -2  # an unknown attribute is UNKNOWN, and not the one that is asked for

_AMOUNTS = ("price", "quantity", "dwell_ms", "scroll_pct")


def _word(value: Any, name: str) -> Any:
    """Return one word, None where there is none."""
    if type(value) is str:
        return value
    try:
        hash(value)
    except TypeError:
        kind = type(value).__name__
        raise DataError(
            f"an event's {name} must be a string or an integer, got a {kind}."
        ) from None
    return None if value is None or is_missing(value) else value


def _number(value: Any, name: str) -> float:
    """Return one number, NaN where there is none."""
    if value is None or value is pd.NA or value is pd.NaT:
        return np.nan
    try:
        number = float(value)
    except OverflowError:  # beyond all bounds, as in a frame
        return np.nan
    except (TypeError, ValueError):
        raise DataError(f"an event's {name} must be a number, got {value!r}.") from None
    return number if abs(number) < np.inf else np.nan
