"""Links of an identity graph from Splink's tables: people found by probability, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, numbers
from recopersona.data.types import Array
from recopersona.errors import ColumnError, DataError, ParameterError, hint, shown
from recopersona.events.identifiers import text_of
from recopersona.events.identity.grouping import connected
from recopersona.events.identity.kinds import PERSON, is_nobody
from recopersona.events.identity.record_tables import ROW

_IDS = ("unique_id", "record", "rec_id")
_CLUSTERS = ("cluster_id", "cluster")
_SOURCES = ("source_dataset", "source")
_CHANCES = ("probability", "match_probability")


def from_splink(
    clusters: Any,
    kind: str | Mapping[str, str] = "customer_id",
    *,
    record: str | None = None,
    threshold: Any = 0.5,
) -> pd.DataFrame:
    """Return links for an identity graph from what Splink, `link_records` or `match_records` found.

    Every record of a cluster is linked to one identifier of the kind ``linked_person``, named by
    the cluster's first record, such as ``customer_id:17``; ``graph.update(links)`` takes them. With
    a column ``probability`` they count after every deterministic link, the more probable first;
    without one (`match_records`) they are deterministic.

    Parameters
    ----------
    clusters : dataframe, or Splink's own
        A table of clusters (``cluster_id`` or ``cluster``), or of pairs (``unique_id_l``,
        ``unique_id_r``, ``match_probability``). A table of pairs is made clusters of: what pairs
        of at least ``threshold`` connect.
    kind : str, or mapping from str to str
        What kind of identifier the records' ids are; of several sources, by the source.
    record : str, optional
        The column of the ids; ``unique_id``, ``record`` or ``rec_id`` without.
    threshold : float from 0 to 1
        Of pairs: how probable they must be.

    Returns
    -------
    DataFrame : a column for each kind, ``linked_person``, and ``probability`` where known: of a
        record's best pair; 1 where a table of clusters does not say and Splink made it. A cluster
        of one record links nothing and is left out.

    Raises
    ------
    ColumnError
        If columns are missing.
    DataError
        If ids are missing or of a kind no graph takes (such as 0), probabilities are none, a record
        is in two clusters, or a source has no kind.
    ParameterError
        If a kind is no word, or ``threshold`` is out of bounds.

    Notes
    -----
    The limits of the graph hold for these links as for all others: a person with 20 records of the
    kind ``customer_id`` needs ``limits={"customer_id": None}``; with the usual limit the graph
    takes the five most probable, and refuses the rest with that reason.

    Examples
    --------
    >>> found = pd.DataFrame({"cluster_id": ["a", "a", "b"], "unique_id": ["a", "c", "b"],
    ...                       "probability": [0.9, 0.9, None]})
    >>> from_splink(found)
      customer_id  linked_person  probability
    0           a  customer_id:a          0.9
    1           c  customer_id:a          0.9
    >>> from recopersona import IdentityGraph
    >>> IdentityGraph().update(from_splink(found)).members("customer_id:a")
    [('customer_id', 'a'), ('customer_id', 'c'), ('linked_person', 'customer_id:a')]
    """
    if not isinstance(threshold, (int, float)) or not 0 <= threshold <= 1:
        raise ParameterError(f"from_splink: threshold must be from 0 to 1, got {threshold!r}.")
    frame = _frame_of(clusters)
    pairs = [name[:-2] for name in frame.columns if str(name).endswith("_l")]
    if pairs and not any(name in frame for name in _CLUSTERS):
        frame = _clusters_of(frame, record, float(threshold))
        record = "unique_id"
    if record is None and ROW in frame.columns and not any(name in frame for name in _IDS):
        raise ColumnError(
            "from_splink: the records are called by their rows, which a graph would take for ids "
            "of customers; name their ids, such as link_records(..., record='customer_id')."
        )
    ids = frame[_named(frame, (record,) if record else _IDS, "the records' ids")]
    if ids.isna().any():
        raise DataError(f"the record in row {int(np.argmax(ids.isna()))} has no id.")
    _require_somebody(ids)
    groups = frame[_named(frame, _CLUSTERS, "clusters")]
    if groups.isna().any():
        raise DataError(f"the record in row {int(np.argmax(groups.isna()))} has no cluster.")
    kinds = _kinds_of(frame, kind)
    return _links(frame, ids, groups, kinds)


def _require_somebody(ids: pd.Series) -> None:
    """Check that a graph takes the ids: it would drop a person with his record."""
    for value in ids.tolist():
        if is_nobody(text_of(value)):
            raise DataError(
                f"the id {shown(value)} is none for an identity graph, which takes it for a gap; "
                "call the records otherwise, such as 'r' + ids.astype('str')."
            )


def _frame_of(clusters: Any) -> pd.DataFrame:
    if hasattr(clusters, "as_pyarrow_table"):  # Splink's own kind of table
        clusters = clusters.as_pyarrow_table()
    return as_pandas(clusters, "the clusters").reset_index(drop=True)


def _named(frame: pd.DataFrame, names: tuple[str, ...], what: str) -> str:
    found = next((name for name in names if name in frame.columns), None)
    if found is None:
        raise ColumnError(
            f"from_splink needs a column of {what}, {' or '.join(map(repr, names))}"
            f"{hint(names[0], map(str, frame.columns), 'its columns are')}"
        )
    return found


def _kinds_of(frame: pd.DataFrame, kind: str | Mapping[str, str]) -> pd.Series:
    """Return the kind of identifier of every record."""
    words = list(kind.values()) if isinstance(kind, Mapping) else [kind]
    for word in words or [""]:
        if not _is_word(word) or ":" in word or word == PERSON:
            raise ParameterError(
                f"from_splink: a kind must be a word without a colon other than {PERSON!r}, "
                f"got {shown(word)}."
            )
    if isinstance(kind, str):
        return pd.Series(kind, index=frame.index)
    sources = frame[_named(frame, _SOURCES, "sources")]
    kinds = sources.map(dict(kind))
    if kinds.isna().any():
        source = sources[int(np.argmax(kinds.isna()))]
        raise DataError(f"kind says nothing of the source {shown(source)}; add it to the mapping.")
    return kinds


def _is_word(word: Any) -> bool:
    return isinstance(word, str) and word != ""


def _links(
    frame: pd.DataFrame, ids: pd.Series, groups: pd.Series, kinds: pd.Series
) -> pd.DataFrame:
    code = pd.factorize(groups)[0]
    keys = pd.MultiIndex.from_arrays([kinds, ids])
    record = pd.factorize(keys)[0]
    _, place = np.unique(record, return_index=True)
    bad = np.flatnonzero(code != code[place][record])
    if len(bad):
        raise DataError(f"the record {shown(ids.tolist()[bad[0]])} is in two clusters.")
    several = np.bincount(code[place], minlength=1)[code] > 1
    rows = place[several[place]]
    rows.sort()
    links = pd.DataFrame({
        name: ids.where(kinds == name).iloc[rows].reset_index(drop=True)
        for name in dict.fromkeys(kinds)
    })  # fmt: skip
    first = _first_of(code)[rows]
    names = kinds.iloc[first].astype("str") + ":" + ids.iloc[first].astype("str")
    links[PERSON] = names.to_numpy()
    found = [name for name in _CHANCES if name in frame.columns]
    if found:
        links["probability"] = _chances(frame[found[0]])[rows]
    elif "cluster_id" in frame.columns:
        links["probability"] = 1.0
    return links


def _first_of(code: Array) -> Array:
    """Return the first row of each row's cluster."""
    _, first = np.unique(code, return_index=True)
    firsts: Array = first[code]
    return firsts


def _chances(column: pd.Series) -> Array:
    chances = numbers(column, str(column.name))
    bad = (chances < 0) | (chances > 1)
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{column.name} must be from 0 to 1, got {chances[row]} in row {row}.")
    return np.where(np.isnan(chances), 1.0, chances)


def _clusters_of(frame: pd.DataFrame, record: str | None, threshold: float) -> pd.DataFrame:
    """Return the clusters that probable pairs connect, each record with its best pair."""
    name = record or next((one for one in _IDS if f"{one}_l" in frame.columns), "unique_id")
    sides = [frame[_named(frame, (f"{name}_{side}",), "pairs")] for side in "lr"]
    chances = _chances(frame[_named(frame, ("match_probability", "probability"), "probabilities")])
    sources = next((one for one in _SOURCES if f"{one}_l" in frame.columns), None)
    ids = pd.concat(sides, ignore_index=True)
    listed = {"unique_id": ids}
    if sources:
        both = [frame[f"{sources}_{side}"] for side in "lr"]
        listed["source"] = pd.concat(both, ignore_index=True)
    records = pd.DataFrame(listed)
    code = pd.factorize(pd.MultiIndex.from_frame(records))[0]
    _, place = np.unique(code, return_index=True)
    one, other = code[: len(frame)], code[len(frame) :]
    kept = chances >= threshold
    best = np.zeros(len(place))
    for side in (one, other):
        np.maximum.at(best, side[kept], chances[kept])
    groups = connected(len(place), one[kept], other[kept])
    return records.iloc[place].reset_index(drop=True).assign(cluster=groups, probability=best)
