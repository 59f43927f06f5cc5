"""A dataset as if what a gate refuses had never been read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recopersona.data.feature_table import FeatureTable
from recopersona.data.gate import EventGate, answer_of
from recopersona.data.ids import IdMap
from recopersona.data.times import from_ms
from recopersona.data.types import Indices, Mask

if TYPE_CHECKING:
    from recopersona.data.dataset import Dataset


def through(gate: EventGate, shop: Dataset) -> Dataset:
    """Return what a gate admits of a dataset: numbered as if the rest had never been there.

    A user goes who is refused, or whose events all are and of whom nothing else is known; an item
    goes that only refused events named. Where all is admitted, the dataset stays as it is.
    """
    rows = _admitted_rows(gate, shop)
    users = _admitted_users(gate, shop)
    if rows.all() and users.all():
        return replace(shop, gate=gate)
    rows &= users[shop.log.users]
    log = shop.log.take(rows)
    n_users, n_items = shop.described
    described = users & (np.arange(len(users)) < n_users)
    named = np.arange(len(shop.items)) < n_items
    user_order = _order(described, users, shop.log.users, log.users)
    item_order = _order(named, np.ones(len(named), np.bool_), shop.log.items, log.items)
    user_features = _taken(shop.user_features, user_order, int(described.sum()))
    item_features = _taken(shop.item_features, item_order, n_items)
    numbered = replace(
        log,
        users=_places(user_order, len(users))[log.users],
        items=_places(item_order, len(named))[log.items],
    )
    refused_events = shop.counts.get("refused_events", 0) + len(shop.log) - len(log)
    refused_users = shop.counts.get("refused_users", 0) + len(users) - len(user_order)
    return replace(
        shop, log=numbered, users=user_features.ids, items=item_features.ids,
        user_features=user_features, item_features=item_features, gate=gate,
        described=(int(described.sum()), n_items),
        counts={**shop.counts, "refused_events": refused_events, "refused_users": refused_users},
    )  # fmt: skip


def admitted_table(gate: EventGate, table: FeatureTable) -> FeatureTable:
    """Return the rows of the customers that may be known."""
    may = answer_of(gate, pd.DataFrame({"user_id": table.ids.ids}), "personalization")
    return (
        table if may.all() else _taken(table, np.flatnonzero(may).astype(np.int32), int(may.sum()))
    )


def _admitted_rows(gate: EventGate, shop: Dataset) -> Mask:
    columns = {"user_id": pd.Categorical.from_codes(shop.log.users, _index(shop.users))}
    frame = pd.DataFrame(columns)
    if shop.log.timestamp is not None:
        frame["timestamp"] = from_ms(shop.log.timestamp)
    return answer_of(gate, frame, "personalization").copy()


def _admitted_users(gate: EventGate, shop: Dataset) -> Mask:
    frame = pd.DataFrame({"user_id": _index(shop.users)})
    return answer_of(gate, frame, "personalization").copy()


def _index(ids: IdMap) -> pd.Index:
    return pd.Index(ids.ids, copy=False)


def _order(described: Mask, may: Mask, before: Indices, after: Indices) -> Indices:
    """Return the old indices in their new order: the described, then by first appearance.

    Whoever was in the map without any event, such as those of another part of a split, stays last.
    """
    appearing = pd.unique(after)
    idle = may & ~described
    idle[before] = False
    first = np.flatnonzero(described)
    return np.concatenate([first, appearing[~described[appearing]], np.flatnonzero(idle)]).astype(
        np.int32
    )


def _places(order: Indices, n: int) -> Indices:
    places = np.full(n, -1, np.int32)
    places[order] = np.arange(len(order), dtype=np.int32)
    return places


def _taken(table: FeatureTable, rows: Indices, n_described: int) -> FeatureTable:
    """Return a table of some rows, the first of which are described, with a map of their own."""
    frame = table.to_frame().iloc[rows[:n_described]]
    frame.insert(0, _ID, table.ids.ids[rows[:n_described]], allow_duplicates=False)
    kinds = {name: column.kind for name, column in table.columns.items()}
    fresh = FeatureTable.from_frame(frame, IdMap(), _ID, kinds)
    fresh.ids.extend(table.ids.ids[rows])
    return fresh


_ID = "\0id"  # no column of anybody's
