"""A log of lists as matrices: a row per list, a column per place; bad lists are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, factorized, numbers, require_columns
from recopersona.data.types import Array, Mask, Values
from recopersona.errors import ColumnError, DataError, ParameterError, shown
from recopersona.evaluation.offpolicy.reasons import (
    Reasons,
    first_reasons,
    of_probabilities,
    of_rewards,
    told,
)


@dataclass(frozen=True)
class PlaceNames:
    """Which column of a log of places is what."""

    decision: str
    position: str
    reward: str
    propensity: str
    target: str
    alone: tuple[str, str] | None
    expected: tuple[str, str] | None
    cluster: str | None

    @property
    def probabilities(self) -> list[tuple[str, str, bool]]:
        """Every column of probabilities: its name, what it is, and whether it may hold 0."""
        names = [(self.propensity, "propensity", False), (self.target, "target probability", True)]
        if self.alone is not None:
            names.append((self.alone[0], "propensity alone", False))
            names.append((self.alone[1], "target probability alone", True))
        return names

    @property
    def required(self) -> list[str]:
        """Every column that must be there."""
        names = [self.decision, self.position, self.reward]
        names += [name for name, _, _ in self.probabilities]
        names += [*(self.expected or ()), *([] if self.cluster is None else [self.cluster])]
        return list(dict.fromkeys(names))


@dataclass(frozen=True, eq=False)
class SlateLog:
    """Logged lists in the order of their decisions' ids.

    Attributes
    ----------
    rewards, weights : float64 (n, n_places)
        Places that a list does not have: reward 0, weight 1.
    alone : float64 (n, n_places) or None
        Weights of items at their places, whatever else is in the list.
    expected : (float64 (n, n_places), float64 (n, n_places)) or None
        What a model expects from each place on: with the logged item, and with the target's.
    clusters : int (n,) or None
    short : int
        Lists that are shorter than the longest.
    counts : dict from str to int
        Lists read, used, and dropped by reason.
    strays : int
        Rows that belong to no list.
    """

    rewards: Values
    weights: Values
    alone: Values | None
    expected: tuple[Values, Values] | None
    clusters: Array | None
    short: int
    counts: dict[str, int]
    strays: int = 0

    def __len__(self) -> int:
        return len(self.rewards)


def read_slates(
    frame: Any, names: PlaceNames, reward_range: tuple[float, float] | None = None
) -> SlateLog:
    """Read a frame with a row per place; a list with anything wrong in it is left out whole.

    What a list earned depends on all its places, so none can be dropped alone.

    Examples
    --------
    >>> frame = pd.DataFrame({"decision_id": ["a", "a", "b"], "position": [1, 2, 2], "reward": 1.0,
    ...                       "propensity": 0.5, "target": [0.25, 0.5, 0.5]})
    >>> names = PlaceNames("decision_id", "position", "reward", "propensity", "target", None, None,
    ...                    None)
    >>> log = read_slates(frame, names)
    >>> log.weights.tolist(), log.counts["gap in the positions"]
    ([[0.5, 1.0]], 1)
    """
    given = as_pandas(frame, "log")
    if "slot_propensities" in given.columns and names.position not in given.columns:
        raise ColumnError(
            "off_policy_lists needs a row per place; pass places_of(decisions), with a column of "
            "the target's probabilities."
        )
    require_columns(given, names.required, "rows of the log")
    columns = {
        name: numbers(given[name], f"log: {name}")
        for name in names.required
        if name not in (names.decision, names.cluster)
    }
    codes, ids = factorized(given[names.decision], f"log: {names.decision}")
    order = np.lexsort((columns[names.position], _sorted_codes(codes, ids)))
    order = order[codes[order] >= 0]
    if not len(order):
        raise DataError(f"log has no row with a {names.decision}; lists are told apart by it.")
    columns = {name: column[order] for name, column in columns.items()}
    starts = np.flatnonzero(np.append(True, np.diff(codes[order]) != 0))
    found = _reasons(names, columns, starts, reward_range)
    clusters = None
    if names.cluster is not None:
        clusters = factorized(given[names.cluster], f"log: {names.cluster}")[0][order]
        found.append((f"no {names.cluster}", clusters < 0))
        owner = clusters[np.repeat(starts, _sizes(starts, len(order)))]
        found.append((f"several of {names.cluster}", clusters != owner))
    wrong, counts = first_reasons(found, starts)
    if wrong.all():
        raise DataError(f"log: no list of {len(starts):,} can be used ({told(counts)}).")
    counts = {"lists": len(starts), "used": int((~wrong).sum()), **counts}
    log = _filled(names, columns, starts, ~wrong, clusters, counts)
    return replace(log, strays=int((codes < 0).sum()))


def _sorted_codes(codes: Array, ids: Any) -> Array:
    """Number decisions in the order of their ids, so that no order of rows changes anything."""
    values = np.asarray(ids, dtype=object)
    try:
        order = np.argsort(values, kind="stable")
    except TypeError:  # numbers and text have no order
        order = np.argsort(values.astype(str), kind="stable")
    places = np.empty(len(order) + 1, np.int64)
    places[order] = np.arange(len(order))
    places[-1] = len(order)
    sorted_: Array = places[codes]
    return sorted_


def _sizes(starts: Array, n_rows: int) -> Array:
    sizes: Array = np.diff(starts, append=n_rows)
    return sizes


def _reasons(
    names: PlaceNames,
    columns: Mapping[str, Values],
    starts: Array,
    reward_range: tuple[float, float] | None,
) -> Reasons:
    """Return what may be wrong with a row, of which the first counts."""
    position = columns[names.position]
    step = np.diff(position, prepend=np.nan)
    step[starts] = 1 + position[starts] - np.nanmin(position, initial=np.inf)
    found = [
        ("position missing or no whole number", ~(np.floor(position) == position)),
        ("position twice", step == 0),
        ("gap in the positions", step != 1),
    ]
    for name, what, may_be_0 in names.probabilities:
        found += of_probabilities(what, columns[name], may_be_0=may_be_0)
    found += of_rewards(columns[names.reward], reward_range)
    for name in names.expected or ():
        found.append((f"no {name}", ~np.isfinite(columns[name])))
    return found


def _filled(
    names: PlaceNames,
    columns: Mapping[str, Values],
    starts: Array,
    kept: Mask,
    clusters: Array | None,
    counts: dict[str, int],
) -> SlateLog:
    """Lay the rows of the lists that are kept into matrices."""
    sizes = _sizes(starts, len(columns[names.reward]))
    rows = np.repeat(kept, sizes)
    owner = np.repeat(np.cumsum(kept) - 1, sizes)[rows]
    place = (np.arange(len(rows)) - np.repeat(starts, sizes))[rows]
    shape = int(kept.sum()), int(sizes[kept].max())

    def laid(values: Values, empty: float) -> Values:
        matrix = np.full(shape, empty)
        matrix[owner, place] = values[rows]
        return matrix

    def ratio(pair: tuple[str, str]) -> Values:
        with np.errstate(divide="ignore", invalid="ignore"):  # of lists that are left out
            return laid(columns[pair[1]] / columns[pair[0]], 1.0)

    expected = None
    if names.expected is not None:
        q, v = (laid(columns[name], 0.0) for name in names.expected)
        expected = q, v
    return SlateLog(
        rewards=laid(columns[names.reward], 0.0),
        weights=ratio((names.propensity, names.target)),
        alone=None if names.alone is None else ratio(names.alone),
        expected=expected,
        clusters=None if clusters is None else pd.factorize(clusters[starts[kept]])[0],
        short=int((sizes[kept] < shape[1]).sum()),
        counts=counts,
    )


def places_of(decisions: Any, worth: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Return a row per place of logged decisions: what `off_policy_lists` reads.

    Parameters
    ----------
    decisions : dataframe
        Of `Pipeline.decisions_frame`: ``decision_id``, ``items``, ``slot_propensities`` and
        ``outcome``, each a sequence or mapping per row. A place where nothing was drawn has the
        propensity 1.
    worth : mapping from event type to value, optional
        By default any event is worth 1.

    Returns
    -------
    DataFrame with columns ``decision_id, position, item_id, propensity, reward`` (positions from 1)
        Decisions whose outcome is not known yet are left out; ``attrs["counts"]`` says how many,
        and how many logged no propensities for their places.

    Raises
    ------
    ColumnError
        If a column is missing.
    DataError
        If propensities are not as many as items, no decision has any, or an event has no worth.

    Examples
    --------
    >>> decisions = pd.DataFrame({
    ...     "decision_id": ["d-1", "d-2"], "items": [("tea", "oil"), ("oil", "tea")],
    ...     "slot_propensities": [(0.8, float("nan")), (0.2, 1.0)],
    ...     "outcome": [{"tea": "click"}, None]})
    >>> places = places_of(decisions)
    >>> places
      decision_id  position item_id  propensity  reward
    0         d-1         1     tea         0.8     1.0
    1         d-1         2     oil         1.0     0.0
    >>> places.attrs["counts"]
    {'without_outcome': 1, 'without_propensities': 0}
    """
    frame = as_pandas(decisions, "decisions")
    needed = ("decision_id", "items", "slot_propensities", "outcome")
    require_columns(frame, needed, "decisions")
    outcomes, slots = frame["outcome"].to_numpy(object), frame["slot_propensities"]
    known = np.fromiter((isinstance(one, Mapping) for one in outcomes), bool, len(frame))
    n_slots = np.fromiter(map(len, slots), np.int64, len(frame))
    counts = {
        "without_outcome": int((~known).sum()),
        "without_propensities": int((known & (n_slots == 0)).sum()),
    }
    used = np.flatnonzero(known & (n_slots > 0))
    items, n_slots = frame["items"].iloc[used], n_slots[used]
    sizes = np.fromiter(map(len, items), np.int64, len(used))
    if (sizes != n_slots).any():
        odd = int(np.argmax(sizes != n_slots))
        decision = frame["decision_id"].iloc[used[odd]]
        raise DataError(
            f"decision {shown(decision)} has {sizes[odd]} items and {n_slots[odd]} propensities."
        )
    if counts["without_propensities"] and not len(used):
        raise DataError(
            "decisions: none tells how likely the items came to their places (slot_propensities), "
            "as SlotExploration() does; arms of a BanditReranker are judged by off_policy."
        )
    n_places = int(sizes.sum())
    drawn = np.fromiter(chain.from_iterable(slots.iloc[used]), np.float64, n_places)
    starts = np.cumsum(sizes) - sizes
    rewards = np.zeros(n_places)
    for row, start in zip(used.tolist(), starts.tolist(), strict=True):
        if outcomes[row]:  # of most decisions nothing came
            for place, item in enumerate(frame["items"].iat[row], start):
                rewards[place] = _worth(outcomes[row].get(item), worth)
    places = pd.DataFrame({
        "decision_id": frame["decision_id"].iloc[used.repeat(sizes)].reset_index(drop=True),
        "position": np.arange(1, n_places + 1) - starts.repeat(sizes),
        "item_id": pd.Series(list(chain.from_iterable(items)), dtype=None if n_places else object),
        "propensity": np.where(np.isnan(drawn), 1.0, drawn),
        "reward": rewards,
    })  # fmt: skip
    places.attrs["counts"] = counts
    return places


def _worth(event: str | None, worth: Mapping[str, float] | None) -> float:
    if event is None:
        return 0.0
    if worth is None:
        return 1.0
    if event not in worth:
        raise ParameterError(f"places_of: worth does not say what a {event!r} is worth.")
    return float(worth[event])
