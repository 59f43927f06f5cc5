"""What a graph tells of itself as tables: profiles, merges, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recopersona.data.times import from_ms
from recopersona.data.types import Array
from recopersona.events.called import parted
from recopersona.events.identity.arrivals import REASONS
from recopersona.events.identity.links import Links, Unfit
from recopersona.events.identity.order import since_ever_first
from recopersona.events.identity.register import Register, with_none
from recopersona.events.identity.state import Course, State
from recopersona.kernels.identity import AMBIGUOUS, CUT, LIMIT, SELF

WORDS = {SELF: "self-link", AMBIGUOUS: "ambiguous", CUT: "below a refusal"}
"""Why a link was refused, beside the limits."""


def merges_frame(register: Register, taken: list[tuple[Links, Course]]) -> pd.DataFrame:
    """Return all merges in their order."""
    parts = []
    for links, course in taken:
        at = course.merged[:, 0]
        frame = _links_frame(register, links, at)
        names = register.names_.ids
        frame.insert(2, "kept", _texts(names, course.merged[:, 1]))
        frame.insert(3, "absorbed", _texts(names, course.merged[:, 2]))
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def refusals_frame(
    register: Register, taken: list[tuple[Links, Course]], state: State, unfit: Unfit
) -> pd.DataFrame:
    """Return all refused links in their order, then all values that are no identifiers."""
    parts = []
    for links, course in taken:
        refused = course.refused()
        frame = _links_frame(register, links, refused)
        outcomes = course.outcome[refused]
        words = np.array([reason_in_words(register, state, n) for n in range(256)], object)
        frame["reason"] = _as_text(words[outcomes])
        parts.append(frame)
    parts.append(_unfit_frame(register, unfit))
    return pd.concat(parts, ignore_index=True)


def reason_in_words(register: Register, state: State, outcome: int) -> str:
    """Return why a link was refused."""
    if outcome < LIMIT:
        return WORDS.get(outcome, "")
    if outcome - LIMIT >= len(state.kinds):
        return ""
    kind = state.kinds[outcome - LIMIT]
    return f"limit of {register.kinds_[kind]}: {state.limits[kind]}"


def profiles_frame(
    register: Register, state: State, whose: Array, names: Array, first_seen: Array
) -> pd.DataFrame:
    """Return all identifiers by profile, the oldest first.

    whose       int32 (n_nodes,), the identifier that each answers to
    names       object (n_nodes,), and what it is called
    first_seen  int64 (n_nodes,), milliseconds
    """
    met = np.flatnonzero(state.parent >= 0)
    order = met[np.lexsort((state.age[met], state.age[whose[met]]))]
    kinds, values = _parts(register, order)
    return pd.DataFrame(
        {
            "profile": _as_text(names[order]),
            "kind": kinds,
            "value": values,
            "first_seen": _times(first_seen[order]),
            "ambiguous": (state.marks[order] & 1) != 0,
        }
    )


def _links_frame(register: Register, links: Links, at: Array) -> pd.DataFrame:
    kind_a, value_a = _parts(register, links.higher_[at])
    kind_b, value_b = _parts(register, links.lower_[at])
    return pd.DataFrame(
        {
            "time": _times(links.time_[at]),
            "event_id": _events(register, links.event_[at]),
            "kind_a": kind_a,
            "value_a": value_a,
            "kind_b": kind_b,
            "value_b": value_b,
        }
    )


def _unfit_frame(register: Register, unfit: Unfit) -> pd.DataFrame:
    texts = with_none(register.texts_.ids)
    names = with_none(register.names_.ids)
    keys = [texts[unfit.value_], names[unfit.node_]]
    value_rank, node_rank = (
        np.unique(np.where(pd.isna(key), "", key), return_inverse=True)[1] for key in keys
    )
    rows = np.lexsort(
        (
            node_rank, value_rank, unfit.reason_, unfit.kind_,
            register.event_ranks(unfit.event_), since_ever_first(unfit.time_),
        )
    )  # fmt: skip
    unfit = unfit.take(rows)
    kind_b, value_b = _parts(register, unfit.node_)
    kinds = np.array(register.kinds_, dtype=object)
    return pd.DataFrame(
        {
            "time": _times(unfit.time_),
            "event_id": _events(register, unfit.event_),
            "kind_a": _as_text(kinds[unfit.kind_]),
            "value_a": _as_text(texts[unfit.value_]),
            "kind_b": kind_b,
            "value_b": value_b,
            "reason": _as_text(np.array(REASONS, dtype=object)[unfit.reason_]),
        }
    )


def _times(milliseconds: Array) -> pd.Series:
    return pd.Series(from_ms(np.ascontiguousarray(milliseconds)))


def _events(register: Register, codes: Array) -> pd.Series:
    ids = register.events_.ids
    if len(ids) and ids.dtype != object:
        if (codes >= 0).all():
            return pd.Series(ids[codes])
        return pd.Series(pd.arrays.IntegerArray(ids[codes], codes < 0))
    return pd.Series(with_none(ids)[codes], dtype=object)


def _texts(names: Array, codes: Array) -> pd.Series:
    return _as_text(with_none(names)[codes])


def _as_text(values: Array) -> pd.Series:
    try:
        return pd.Series(values, dtype="str")
    except UnicodeEncodeError:  # half a character, which Arrow does not hold
        return pd.Series(values, dtype=object)


def _parts(register: Register, codes: Array) -> tuple[pd.Series, pd.Series]:
    """Return the kinds and values of identifiers, both missing for none."""
    used, places = np.unique(codes, return_inverse=True)
    names = register.names_.ids
    kinds, values = np.empty((2, len(used)), dtype=object)
    for place, code in enumerate(used.tolist()):
        if code >= 0:
            kinds[place], values[place] = parted(names[code])
    return _as_text(kinds[places]), _as_text(values[places])
