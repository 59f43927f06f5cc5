"""What the rules did to a ranking, as a frame."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recopersona.data.ranking import Account, Ranking
from recopersona.data.types import Id
from recopersona.errors import DataError, RuleError, shown

_Row = tuple[Id, int | None, str | None, str]


def explained(ranking: Ranking, item_id: Id | None = None) -> pd.DataFrame:
    """Return ``item_id, rank, rule, effect`` of all items shown, or of one, shown or not.

    Raises
    ------
    RuleError
        If the ranking was not made under rules.
    DataError
        If the catalogue does not hold the item.
    """
    account = getattr(ranking, "account", None)
    if account is None:
        raise RuleError(
            "this ranking was not made under rules; ask a pipeline that has some: "
            "Pipeline(..., rules=rules).fit(shop).recommend(...)."
        )
    if item_id is None:
        return _frame(_of_shown(ranking, account))
    index = ranking.ids.index(item_id)
    if index < 0:
        raise DataError(f"the catalogue does not hold {shown(item_id)}; see ranking.ids.")
    places = np.flatnonzero(ranking.items == index)
    if not len(places):
        return _frame([_of_hidden(ranking, account, index, item_id)])
    rank = int(places[0]) + 1
    rows = [row for row in _of_shown(ranking, account) if row[1] == rank]
    return _frame(rows or [(item_id, rank, None, "no rule touched it")])


def _of_shown(ranking: Ranking, account: Account) -> list[_Row]:
    ids = ranking.item_ids
    touched = sorted(account.touched(ranking), key=lambda one: one[0])
    return [(ids[place], place + 1, rule, effect) for place, rule, effect in touched]


def _of_hidden(ranking: Ranking, account: Account, index: int, item_id: Id) -> _Row:
    found = account.hid(ranking, index)
    if found is None:
        return item_id, None, None, "no rule hid it: its score was too low, or it was seen before"
    return item_id, None, *found


def _frame(rows: list[_Row]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["item_id", "rank", "rule", "effect"])
    return frame.astype({"rank": "Int64", "rule": object, "effect": object})
