"""Records of one person found by probability: a whole way through Splink, without settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.parameters import generator
from recopersona.data.columns import as_pandas, like
from recopersona.data.types import Array
from recopersona.errors import ParameterError
from recopersona.events.identity.agreement import agreeing
from recopersona.events.identity.candidates import candidate_pairs
from recopersona.events.identity.customer_settings import settings_for
from recopersona.events.identity.grouping import assigned, averaged, connected
from recopersona.events.identity.households import Shares
from recopersona.events.identity.record_fields import Records
from recopersona.events.identity.record_tables import Tables
from recopersona.events.identity.splink_model import (
    Pairs,
    SplinkModel,
    require_splink,
)

MOST_PER_RULE = 8
"""Pairs for each record that one rule may give."""

_FEWEST, _MOST = 200_000, 2_000_000
_WORTH_A_LOOK = 0.2
_LARGEST_CROSSING = 4_000
_HARDLY_ANY = 0.01
_LESSONS = 4


@dataclass(frozen=True)
class LinkReport:
    """What `link_records` went by.

    Parameters
    ----------
    columns : dict from str to str
        What each column was taken for.
    left_out : dict from str to str
        Columns not used, each with the reason.
    odd : dict from str to int
        How many values of a column were no text, number or date.
    rules : dict from str to pair of int
        Of each rule, how many pairs it gave, and how many it would have.
    compared : int
        How many pairs were compared.
    learned_on : tuple of str
        What the pairs had in common from which the likeness of records was learned.
    prior : float from 0 to 1
        The share of all pairs that are one person.
    one_to_one : bool
        Whether each record was linked to at most one of the other table.

    Examples
    --------
    >>> people = pd.DataFrame([(given, surname, "tea")
    ...                        for given in ("Ann", "Ben", "Carl", "Dora", "Emil")
    ...                        for surname in ("Berg", "Dahl", "Falk", "Grau")],
    ...                       columns=["First name", "Last name", "likes"])
    >>> people.loc[20] = ["Anne", "Berg", "tea"]
    >>> _, report = link_records(people, report=True)
    >>> report.columns, report.left_out
    ({'given': 'First name', 'surname': 'Last name'}, {'likes': 'one value or none'})
    """

    columns: dict[str, str]
    left_out: dict[str, str]
    odd: dict[str, int]
    rules: dict[str, tuple[int, int]]
    compared: int
    learned_on: tuple[str, ...]
    prior: float
    one_to_one: bool


def link_records(
    records: Any,
    others: Any = None,
    *,
    record: str | None = None,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    threshold: Any = 0.3,
    one_to_one: bool | None = None,
    random_state: Any = 0,
    report: bool = False,
) -> Any:
    """Find the records that are probably one person, with Splink, in one table or across two.

    Nobody says which records belong together: that is learned from the records themselves, by
    expectation maximization. Columns are known by their names (see `customer_settings`). A pair is
    compared where it shares something rare, and groups are joined as long as their pairs match
    with a mean probability of at least ``threshold``.

    Besides one person and two strangers, pairs are weighed as two people of a household: relatives,
    twins, and namesakes such as father and son, who share address, telephone and surname. How many
    there are of each is learned, too. Where twins, or people of one name in one household, are
    nearly as frequent as records of one person, they cannot be told apart for certain.

    Parameters
    ----------
    records : dataframe
        One row per record.
    others : dataframe, optional
        A second table: only records across the two are then told to be one person.
    record : str, optional
        The column of the records' ids. Without it the answer has ``row``, from 0, for ``record``.
    columns : mapping from str to str, optional
        What a column says, where its name does not tell, such as ``{"surname": "Achternaam"}``.
    ignore : iterable of str
        Columns that say nothing of a person.
    threshold : float, above 0 and at most 1
        Least mean probability of the pairs of two groups that are joined. Single pairs of one
        person's many records seldom all match: three in ten find more and are seldom wrong.
    one_to_one : bool, optional
        Of two tables, link a record to at most one of the other. By default where either table
        by itself has hardly any two records of one person.
    random_state : int or numpy Generator
        Draws the pairs of strangers.
    report : bool
        Return a `LinkReport`, too.

    Returns
    -------
    DataFrame : ``record``, ``cluster`` (int64, from 0 in order of appearance), ``probability``
        of the best link within the cluster, missing for a record that is alone; for two tables
        also ``source``, ``"a"`` or ``"b"``.

    Raises
    ------
    MissingExtraError
        Without ``recopersona[linkage]``.
    DataError
        If no column can be used, or ids are missing or there twice.
    ColumnError
        If a named column is missing.
    ParameterError
        If a parameter is outside its bounds.

    Notes
    -----
    Time: 1,000 records about 2 seconds, 50,000 about half a minute on two cores.

    References
    ----------
    Fellegi and Sunter (1969), "A theory for record linkage"; Linacre et al. (2022), "Splink".

    Examples
    --------
    >>> names = [(given, surname) for given in ("Ann", "Ben", "Carl", "Dora", "Emil")
    ...          for surname in ("Berg", "Dahl", "Falk", "Grau", "Hahn", "Isar", "Jung", "Kern")]
    >>> people = pd.DataFrame(names, columns=["First name", "Last name"])
    >>> people["dob"] = [f"19{50 + row}-0{1 + row % 9}-{10 + row % 19}" for row in range(40)]
    >>> people["email"] = people["First name"] + "." + people["Last name"] + "@tea.shop"
    >>> people.loc[40] = ["Ann", "Berg", "1950-01-11", "ann.berg@tea.shop"]
    >>> link_records(people)["cluster"].iloc[[0, 1, 2, 40]].tolist()
    [0, 1, 2, 0]
    """
    require_splink("link_records")
    if not (isinstance(threshold, (int, float)) and 0 < threshold <= 1):
        raise ParameterError(
            f"link_records: threshold must be above 0 and at most 1, got {threshold!r}."
        )
    tables = Tables.of(
        as_pandas(records, "the records"),
        None if others is None else as_pandas(others, "the other records"),
        record, columns or {}, ignore,
    )  # fmt: skip
    linked, went_by = _linked(tables, float(threshold), one_to_one, generator(random_state))
    linked = like(linked, records)
    return (linked, went_by) if report else linked


def _linked(
    tables: Tables, threshold: float, one_to_one: bool | None, random: np.random.Generator
) -> tuple[pd.DataFrame, LinkReport]:
    records, n = tables.records, len(tables.records)
    most = min(max(_FEWEST, MOST_PER_RULE * n), _MOST)
    first, second, rules = candidate_pairs(records, most)
    if not len(first):
        alone = np.full(n, np.nan)
        return tables.answer(np.arange(n), alone), _report(records, rules, (), 0.0, one_to_one)
    model = SplinkModel(records.table, settings_for(records), random)
    pairs, prior, shares = _scored(model, records, first, second)
    if tables.sizes[1]:
        one_to_one = _is_one_to_one(tables, pairs, shares) if one_to_one is None else one_to_one
    if tables.sizes[1] and one_to_one:
        clusters, best = _assigned(tables, pairs, shares, threshold)
    else:
        clusters, best = _grouped(model, n, pairs, prior, shares, threshold)
    went_by = _report(records, rules, tuple(model.passes), shares.person, one_to_one, len(first))
    return tables.answer(clusters, best), went_by


def _report(
    records: Records,
    rules: dict[str, tuple[int, int]],
    passes: tuple[str, ...],
    prior: float,
    one_to_one: bool | None,
    compared: int = 0,
) -> LinkReport:
    return LinkReport(
        records.columns, records.left_out, records.odd, rules, compared, passes, prior,
        bool(one_to_one),
    )  # fmt: skip


def _scored(
    model: SplinkModel, records: Records, first: Array, second: Array
) -> tuple[Pairs, float, Shares]:
    """Learn, score, and see from the scores how many pairs are one person, and how many relatives.

    Strangers are drawn from records of which none agrees with another in strong things: every
    pair of one person among them would make agreement look usual.
    """
    n = len(records)
    n_all = max(n * (n - 1) / 2.0, 2.0)
    groups = agreeing(records)
    prior = min(max(_n_pairs(groups), 1.0) / n_all, 0.5)
    model.learn(np.unique(groups), prior)
    pairs = model.scored(first, second, prior)
    shares = Shares.of(prior, pairs.people.shape[1])
    for _ in range(_LESSONS):
        shares = pairs.settled(shares, n_all)
        pairs = model.learn_again(pairs, shares)
    return pairs, prior, pairs.settled(shares, n_all)


def _n_pairs(groups: Array) -> float:
    sizes = np.bincount(groups).astype(np.float64)
    return float((sizes * (sizes - 1)).sum() / 2)


def _grouped(
    model: SplinkModel, n: int, pairs: Pairs, prior: float, shares: Shares, threshold: float
) -> tuple[Array, Array]:
    """Group records, looking also at the pairs that groups near each other make."""
    chances = pairs.probability(shares)
    groups = averaged(n, pairs.first, pairs.second, chances, max(threshold, 0.5))
    first, second = _crossing(groups, pairs, chances)
    if len(first):
        pairs = pairs.and_more(model.scored(first, second, prior))
        chances = pairs.probability(shares)
    groups = averaged(n, pairs.first, pairs.second, chances, threshold)
    return groups, _best(groups, pairs, chances)


def _crossing(groups: Array, pairs: Pairs, chances: Array) -> tuple[Array, Array]:
    """Return the pairs not compared yet within groups, and across groups that may be one."""
    n = len(groups)
    order = np.argsort(groups, kind="stable")
    names, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    code = np.searchsorted(names, groups)
    near = chances >= _WORTH_A_LOOK
    one, other = np.sort([code[pairs.first[near]], code[pairs.second[near]]], axis=0)
    alone = np.arange(len(names))
    met = np.unique(np.append(one, alone) * len(names) + np.append(other, alone))
    one, other = met // len(names), met % len(names)
    many = sizes[one] * sizes[other]
    small = (many <= _LARGEST_CROSSING) & (many > 1)
    one, other, many = one[small], other[small], many[small]
    meeting = np.repeat(np.arange(len(one)), many)
    place = np.arange(len(meeting)) - np.repeat(np.cumsum(many) - many, many)
    left = order[starts[one[meeting]] + place // sizes[other[meeting]]]
    right = order[starts[other[meeting]] + place % sizes[other[meeting]]]
    left, right = np.minimum(left, right), np.maximum(left, right)
    crossed = np.unique((left * n + right)[left < right])
    new = crossed[~np.isin(crossed, pairs.first * n + pairs.second)]
    return new // n, new % n


def _best(groups: Array, pairs: Pairs, chances: Array) -> Array:
    """Return the probability of each record's best pair within its group, NaN without."""
    best = np.full(len(groups), -1.0)
    within = groups[pairs.first] == groups[pairs.second]
    for side in (pairs.first, pairs.second):
        np.maximum.at(best, side[within], chances[within])
    return np.where(best < 0, np.nan, best)


def _is_one_to_one(tables: Tables, pairs: Pairs, shares: Shares) -> bool:
    """Tell whether one of two tables by itself has hardly two records of one person."""
    n_first, chances = tables.sizes[0], pairs.probability(shares)
    within = [
        chances[pairs.second < n_first].sum() / max(n_first, 1),
        chances[pairs.first >= n_first].sum() / max(tables.sizes[1], 1),
    ]
    return bool(max(within) < _HARDLY_ANY)


def _assigned(
    tables: Tables, pairs: Pairs, shares: Shares, threshold: float
) -> tuple[Array, Array]:
    n_first, chances = tables.sizes[0], pairs.probability(shares)
    across = (pairs.first < n_first) & (pairs.second >= n_first)
    pairs = pairs.take(across)
    kept = assigned(pairs.first, pairs.second, chances[across], threshold)
    groups = connected(len(tables.records), pairs.first[kept], pairs.second[kept])
    return groups, _best(groups, pairs, chances[across])
