"""Two rankers in one list: whose items are clicked tells which is preferred."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.parameters import check, whole
from recopersona.base.several import listed
from recopersona.data.columns import as_pandas, factorized, numbers, require_columns
from recopersona.data.ranking import Ranking
from recopersona.data.types import Array, Id, Values
from recopersona.errors import DataError, shown
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.keyed import keyed_bits, text_of_id
from recopersona.evaluation.power import Spread
from recopersona.evaluation.randomization import randomization_p

TEAMS = ("a", "b")
_USUAL_POWER = 0.8


@dataclass(frozen=True)
class Interleaving:
    """One list made of two, and whose each place is; made by `team_draft`.

    Parameters
    ----------
    item_ids : tuple of item ids
        Best first: what to show.
    teams : tuple of ``"a"``, ``"b"`` or None
        Whose pick each item was; None for what was filled up when one ranker had nothing left.

    Examples
    --------
    >>> shown = Interleaving(("tea", "salt", "oil"), ("a", "b", None))
    >>> shown.credit(["salt", "oil"])
    (0.0, 1.0)
    >>> shown.credit({"tea": 4.5, "salt": 2.0})
    (4.5, 2.0)
    """

    item_ids: tuple[Id, ...]
    teams: tuple[str | None, ...]

    def credit(self, clicked: Iterable[Id] | Mapping[Id, float]) -> tuple[float, float]:
        """Return what either team earned.

        Parameters
        ----------
        clicked : iterable of item ids, or mapping from item id to a value
            Each item counts once, or for its value.

        Raises
        ------
        DataError
            If an item was not shown.
        """
        ids = clicked if isinstance(clicked, Mapping) else listed(clicked, "credit")
        if not all(isinstance(item, Hashable) for item in ids):
            raise DataError(f"credit needs ids of items that were shown, got {shown(ids)}.")
        worth = dict(ids) if isinstance(ids, Mapping) else dict.fromkeys(ids, 1.0)
        earned = dict.fromkeys(TEAMS, 0.0)
        team_of = dict(zip(self.item_ids, self.teams, strict=True))
        for item, value in worth.items():
            if item not in team_of:
                raise DataError(f"the interleaved list did not show the item {shown(item)}.")
            team = team_of[item]
            if team is not None:
                earned[team] += float(value)
        return earned["a"], earned["b"]

    def __iter__(self) -> Iterator[Id]:
        return iter(self.item_ids)

    def __len__(self) -> int:
        return len(self.item_ids)


def team_draft(a: Any, b: Any, n: int = 10, *, key: Id, random_state: int = 0) -> Interleaving:
    """Make one list of two as captains pick teams: the better ranker's items get the clicks.

    In each round a coin says who picks first; then either ranker picks the best of its items that
    is not there yet. If both rank alike, both have the same chance at every place, so that neither
    is preferred, wherever people look. The list ends after ``n`` items; once a ranker has nothing
    left, the other's items fill it up and count for nobody.

    Parameters
    ----------
    a, b : Ranking or list of item ids
        Best first; an item that is named twice counts once.
    n : int, at least 1
    key : id
        Of the decision: the same key gives the same list, on every machine.
    random_state : int
        Of the coins, together with the key.

    Returns
    -------
    Interleaving

    Raises
    ------
    ParameterError
        If ``n`` or ``random_state`` is out of bounds.
    DataError
        If a list or the key is none.

    References
    ----------
    Radlinski, Kurup & Joachims (2008), "How does clickthrough data reflect retrieval quality?";
    Chapelle, Joachims, Radlinski & Yue (2012), "Large-scale validation and analysis of interleaved
    search evaluation".

    Examples
    --------
    >>> page = team_draft(["tea", "salt", "oil"], ["oil", "tea", "rice"], 3, key="visit 1")
    >>> page.item_ids, page.teams
    (('tea', 'oil', 'rice'), ('a', 'b', 'b'))
    """
    check(n, whole(at_least=1), "team_draft", "n")
    check(random_state, whole(at_least=0, at_most=2**32 - 1), "team_draft", "random_state")
    lists = [_distinct(one, name) for one, name in zip((a, b), TEAMS, strict=True)]
    coins = keyed_bits((n + 1) // 2, "team draft", str(random_state), text_of_id(key, "a key"))
    return _drafted(lists[0], lists[1], n, coins)


def _drafted(a: Sequence[Id], b: Sequence[Id], n: int, coins: Iterable[bool]) -> Interleaving:
    """Draft with given coins, one per round: True lets ``a`` pick first."""
    taken: dict[Id, str | None] = {}
    lists, places = {"a": a, "b": b}, {"a": 0, "b": 0}
    turns = (team for coin in coins for team in (TEAMS if coin else TEAMS[::-1]))
    for team in turns:
        for name, ids in lists.items():
            while places[name] < len(ids) and ids[places[name]] in taken:
                places[name] += 1
        # Who has nothing left cannot win the next place, so nobody may.
        over = any(places[name] == len(ids) for name, ids in lists.items())
        if over or len(taken) == n:
            break
        taken[lists[team][places[team]]] = team
    for item in [*a, *b]:
        if len(taken) < n:
            taken.setdefault(item, None)
    return Interleaving(tuple(taken), tuple(taken.values()))


def _distinct(ranked: Any, name: str) -> list[Id]:
    ids = ranked.item_ids if isinstance(ranked, Ranking) else listed(ranked, f"team_draft: {name}")
    try:
        return list(dict.fromkeys(ids))
    except TypeError:
        raise DataError(f"team_draft: {name} must hold item ids, got {shown(ids)}.") from None


@dataclass(frozen=True)
class Preference:
    """Which of two interleaved rankers is preferred; made by `interleaved_preference`.

    Parameters
    ----------
    share, low, high : float
        Of the decisions that one of the two won, the share that ``a`` won, and between what it
        lies; .5 if neither is preferred. NaN where nobody won anything.
    p : float
        How likely so clear a preference is among equals.
    detectable : float
        How far from .5 the share had to be, to be called no luck with a power of .8.
    confidence : float
        Of the interval; one less it is the level of the test.
    wins_a, wins_b, ties : int
        Decisions.
    units : int
        Those with a decision that was won: who is drawn again, and whose signs are exchanged.
    counts : mapping
        What was dropped: ``bad_credits``, rows whose credit is missing, negative or infinite.

    Examples
    --------
    >>> Preference(0.55, 0.52, 0.58, 0.001, 0.04, 0.95, 550, 450, 9_000, 1_000, {})
    a is preferred: it won 55.0% of 1,000 decisions (52.0% to 58.0%; 9,000 ties), p = 0.001.
    """

    share: float
    low: float
    high: float
    p: float
    detectable: float
    confidence: float
    wins_a: int
    wins_b: int
    ties: int
    units: int
    counts: Mapping[str, int]

    @property
    def preferred(self) -> str | None:
        """``"a"`` or ``"b"``; None where they are not told apart."""
        if not self.p < 1 - self.confidence:
            return None
        return "a" if self.wins_a > self.wins_b else "b"

    def __repr__(self) -> str:
        won = self.wins_a + self.wins_b
        if not won:
            return f"nothing is known: no decision was won, {self.ties:,} were ties."
        found = (
            f"won {self.share:.1%} of {won:,} decisions "
            f"({self.low:.1%} to {self.high:.1%}; {self.ties:,} ties), p = {self.p:.3g}"
        )
        if self.preferred is None:
            return (
                f"a and b are not told apart: a {found}; {0.5 + self.detectable:.1%} "
                f"would have been found with a power of {_USUAL_POWER:.0%}."
            )
        told = f"a is preferred: it {found}." if self.preferred == "a" else ""
        return told or f"b is preferred: a {found}."


def interleaved_preference(
    outcomes: Any,
    *,
    unit: str | None = None,
    confidence: float = 0.95,
    n_boot: int = 1_000,
    n_draws: int = 10_000,
    random_state: Any = 0,
) -> Preference:
    r"""Say which of two interleaved rankers is preferred, and whether that is luck.

    A decision is won by the team that earned more, see `Interleaving.credit`; decisions without
    clicks and those that earned both the same are ties, and say nothing. With :math:`w_u` and
    :math:`n_u` the decisions of unit u that ``a`` won and that anybody won,

    .. math:: share = \sum_u w_u \Big/ \sum_u n_u

    with the house's bootstrap interval over units. If neither is preferred, the teams might have
    been called the other way round for any unit: p is of the randomization test that does so.

    Parameters
    ----------
    outcomes : dataframe, or iterable of pairs
        A row per decision: the credits ``a`` and ``b``.
    unit : str, optional
        The column that says whose decision each is, such as ``"user_id"``: decisions of one visitor
        are alike, and counted as independent they would promise too much. By default each decision
        is its own unit.
    confidence, n_boot, n_draws, random_state
        As in `compare`.

    Returns
    -------
    Preference

    Raises
    ------
    ColumnError
        If a column is missing.
    DataError
        If no row has two credits, or a unit is missing.
    ParameterError
        If an argument is out of bounds.

    References
    ----------
    Chapelle, Joachims, Radlinski & Yue (2012), "Large-scale validation and analysis of interleaved
    search evaluation", section 3.

    Examples
    --------
    >>> interleaved_preference([(1, 0)] * 40 + [(0, 1)] * 20 + [(0, 0)] * 200)
    a is preferred: it won 66.7% of 60 decisions (55.0% to 78.3%; 200 ties), p = 0.0141.
    """
    resampling = Resampling.checked("interleaved_preference", confidence, n_boot, random_state)
    check(n_draws, whole(at_least=1), "interleaved_preference", "n_draws")
    credits, units, dropped = _credits(outcomes, unit)
    won = np.sign(credits[:, 0] - credits[:, 1])
    decided = won != 0
    _, unit_of = np.unique(units[decided], return_inverse=True)
    leads = np.bincount(unit_of, won[decided]).astype(np.float64)[None, :]
    decisions = np.bincount(unit_of).astype(np.float64)[None, :]
    n_units = decisions.shape[1]
    if n_units:
        found = resampling.of((won[decided, None] + 1) / 2, unit_of)
        share, low, high = found.mean.item(), found.low.item(), found.high.item()
        p = randomization_p(leads, n_draws, resampling.random_state).item()
        detectable = Spread.of(leads / 2, decisions).detectable(1 - confidence, _USUAL_POWER).item()
    else:
        share = low = high = p = detectable = float("nan")
    return Preference(
        share, low, high, p, detectable, confidence,
        int((won > 0).sum()), int((won < 0).sum()), int((~decided).sum()), n_units,
        {"bad_credits": dropped},
    )  # fmt: skip


def _credits(outcomes: Any, unit: str | None) -> tuple[Values, Array, int]:
    """Return credits float64 (n, 2), whose decision each is, and how many rows were dropped."""
    frame = _framed(outcomes)
    require_columns(frame, TEAMS, "outcomes")
    credits = np.stack([numbers(frame[team], f"outcomes: {team}") for team in TEAMS], axis=1)
    units = np.arange(len(frame))
    if unit is not None:
        require_columns(frame, (unit,), "outcomes")
        units = factorized(frame[unit], f"outcomes: {unit}")[0]
        if (units < 0).any():
            raise DataError(
                f"outcomes: {int((units < 0).sum())} rows have no {unit}, the first is row "
                f"{int(np.argmax(units < 0))}; drop them or fill them."
            )
    good = (np.isfinite(credits) & (credits >= 0)).all(axis=1)
    if not good.any():
        raise DataError("outcomes have no row with two credits of at least 0.")
    return credits[good], units[good], int((~good).sum())


def _framed(outcomes: Any) -> pd.DataFrame:
    if hasattr(outcomes, "columns") or isinstance(outcomes, (str, Mapping)):
        return as_pandas(outcomes, "outcomes")
    pairs = listed(outcomes, "interleaved_preference")
    if not all(isinstance(pair, Sequence) and len(pair) == 2 for pair in pairs):
        raise DataError(
            "interleaved_preference needs a frame with the columns a and b, or pairs (a, b) as "
            f"Interleaving.credit gives them, got {shown(pairs)}."
        )
    return pd.DataFrame(pairs, columns=list(TEAMS))
