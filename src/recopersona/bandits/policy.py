"""What all policies share: draws and their propensities, and what rewards may be learned from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np

from recopersona.bandits.logs import read_log
from recopersona.bandits.recent import Recent
from recopersona.bandits.roster import REMOVED_ARM, Roster, arms_in
from recopersona.base.draws import key_of, uniform
from recopersona.base.gated import Gated
from recopersona.base.parameters import (
    Bound,
    check,
    check_parameters,
    optional,
    param,
    real,
    switch,
    whole,
)
from recopersona.data.columns import as_pandas
from recopersona.data.draw import Draw
from recopersona.data.gate import EventGate, require_gate
from recopersona.data.ids import require_id
from recopersona.data.types import Array, Id, Indices, Mask, Values
from recopersona.errors import DataError, ParameterError, shown

_NUMBER = (int, float, np.number, np.bool_)
LARGEST = 1e100
"""No reward or weight is larger: sums of squares are numbers still."""
_MOST_ANSWERS = 4_096
_ROUNDING = 1e-6


def _is_range(value: Any) -> bool:
    low, high = (float(end) for end in value)
    return -LARGEST <= low < high <= LARGEST


RANGE = optional(Bound("a pair of the least and the highest reward", _is_range))


class Policy(Gated, Roster):
    r"""A bandit: it chooses among arms, says with what probability, and learns from rewards.

    A subclass writes how it scores and what it keeps:

    ``_start(n_arms)``
        Make the state in which nothing is known.
    ``_chances(places, cell) -> float64 (n,)``
        How probable each of some arms is to be chosen; ``places`` are their places in ``arms_``.
    ``_means(places, cell) -> float64 (n,)``
        What each is expected to bring.
    ``_absorb(places, rewards, weights, cells)``
        Learn from rewards.
    ``_correct(place, old, new, weight, cell)``
        Learn that an earlier reward was another.

    What a context is to a policy its ``_cell`` says: nothing at all, a segment, or a vector.

    Parameters
    ----------
    arms : list of ids, optional
        More may come (`add_arm`). By default those of the log that it is fitted on.
    epsilon : float, 0 to 1
        The share of choices made at random: with A arms eligible, each is chosen with a
        probability of at least :math:`\varepsilon / A`.
    reward_range : (float, float), optional
        Rewards outside are refused. By default any finite number, and 0 to 1 where the policy
        rests on a range.
    half_life : float, above 0, optional
        After so many rewards what was learned counts half; the prior stays. Off by default.
    window : int, at least 1, optional
        Only so many rewards, the latest, count. Off by default; not together with ``half_life``.
    random_state : int
        Of the draws, which are keyed by it and the ``key`` of the choice.

    Attributes
    ----------
    arms_ : list of ids
    removed_ : list of ids
        Arms that are gone; rewards that still come for them are counted, and change nothing.
    counts_ : dict from str to int
        ``rewards`` that were learned from, ``revised`` ones, and what was dropped, by reason.

    Examples
    --------
    >>> class Cautious(Policy):
    ...     def _start(self, n_arms):
    ...         self.best_ = np.zeros(n_arms)
    ...     def _chances(self, places, cell):
    ...         return self.best_[places] == self.best_[places].max()
    ...     def _means(self, places, cell):
    ...         return self.best_[places]
    ...     def _absorb(self, places, rewards, weights, cells):
    ...         np.maximum.at(self.best_, places, rewards)
    >>> policy = Cautious(arms=["plain", "fresh"], epsilon=0.5).update("fresh", 0.4)
    >>> policy.probabilities().tolist()
    [0.25, 0.75]
    >>> policy.choose(key="visit 1").arm
    'fresh'
    """

    recent_: Recent | None
    _answers: dict[Any, tuple[list[float], dict[Id, float]]]

    _needs_range: ClassVar[bool] = False

    epsilon: float = param(real(at_least=0, at_most=1), default=0.0)
    reward_range: tuple[float, float] | None = param(RANGE, default=None)
    half_life: float | None = param(optional(real(above=0)), default=None)
    window: int | None = param(optional(whole(at_least=1)), default=None)
    random_state: int = param(whole(at_least=0, at_most=2**32 - 1), default=0)

    # -- what a policy writes ----------------------------------------------------------------

    def _start(self, n_arms: int) -> None:
        raise NotImplementedError(f"{type(self).__name__} must write _start(self, n_arms).")

    def _chances(self, places: Indices, cell: Any) -> Values:
        raise NotImplementedError(f"{type(self).__name__} must write _chances(self, places, cell).")

    def _means(self, places: Indices, cell: Any) -> Values:
        raise NotImplementedError(f"{type(self).__name__} must write _means(self, places, cell).")

    def _absorb(self, places: Indices, rewards: Values, weights: Values, cells: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} must write _absorb.")

    def _correct(self, place: int, old: float, new: float, weight: float, cell: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} must write _correct.")

    def _cell(self, context: Any) -> Any:
        """Return what a choice depends on besides the arms; hashable where answers may be kept."""
        return 0

    def _cells(self, contexts: Any, n: int) -> Array:
        """Return the same for rewards, an array (n, ...)."""
        return np.zeros(n, np.int32)

    def _usable(self, contexts: Any, n: int) -> Mask:
        """Tell which of many contexts can be learned from."""
        return np.ones(n, bool)

    def _segment(self, context: Any) -> Id | None:
        """Return the segment that a draw names, where the policy tells segments apart."""
        return None

    # -- choosing ----------------------------------------------------------------------------

    def choose(
        self, arms: Iterable[Id] | None = None, context: Any = None, key: Id | None = None
    ) -> Draw:
        """Choose an arm.

        Parameters
        ----------
        arms : list of ids, optional
            The eligible ones; by default all.
        context : optional
            A segment, or a vector, as the policy has it.
        key : id, optional
            Of the decision: the same key, the same draw. Without one nothing is drawn: the arm
            that is expected to be best is taken.

        Returns
        -------
        Draw
            With the arm, its propensity, and the probabilities of all that were eligible.

        Raises
        ------
        DataError
            If no arm is eligible, or one is unknown.
        """
        ids, places = self._eligible(arms)
        if key is None:
            return self._expected_best(ids, places, context)
        chances, named = self._answer(ids, places, context)
        left = uniform(key_of(self.random_state, key))
        last = 0
        for number, chance in enumerate(chances):
            if chance > 0:
                last = number
                left -= chance
                if left < 0:
                    break
        return Draw(ids[last], chances[last], dict(named), self._segment(context))

    def probabilities(self, arms: Iterable[Id] | None = None, context: Any = None) -> Values:
        """Return how probable each eligible arm is to be chosen, float64 (n_arms,)."""
        ids, places = self._eligible(arms)
        return np.array(self._answer(ids, places, context)[0])

    def expected(self, arms: Iterable[Id] | None = None, context: Any = None) -> Values:
        """Return the reward expected of each eligible arm, float64 (n_arms,)."""
        _, places = self._eligible(arms)
        low, width = self._scale
        means: Values = low + width * self._means(places, self._cell(context))
        return means

    def _answer(
        self, ids: tuple[Id, ...], places: Indices, context: Any
    ) -> tuple[list[float], dict[Id, float]]:
        """Return all probabilities, also by arm, kept until something is learned."""
        cell = self._cell(context)
        asked = (cell, places.tobytes()) if isinstance(cell, int) else None
        known = self._answers.get(asked)
        if known is None:
            chances = np.asarray(self._chances(places, cell), np.float64)
            if self.epsilon:
                chances = (1 - self.epsilon) * chances + self.epsilon / len(places)
            if not abs(chances.sum() - 1) <= _ROUNDING:  # numbers beyond all measure
                chances = np.full(len(places), 1 / len(places))
            listed = chances.tolist()
            known = listed, dict(zip(ids, listed, strict=True))
            if asked is not None:
                if len(self._answers) >= _MOST_ANSWERS:
                    self._answers.clear()
                self._answers[asked] = known
        return known

    def _expected_best(self, ids: tuple[Id, ...], places: Indices, context: Any) -> Draw:
        best = int(np.argmax(self._means(places, self._cell(context))))
        chances = dict.fromkeys(ids, 0.0)
        chances[ids[best]] = 1.0
        return Draw(ids[best], 1.0, chances, self._segment(context))

    # -- learning ----------------------------------------------------------------------------

    def update(self, arms: Any, rewards: Any, contexts: Any = None, weights: Any = None) -> Self:
        """Learn from one reward or many, whenever they come, in any order.

        Parameters
        ----------
        arms : id, or list of ids
        rewards : float, or array
        contexts : optional
            Of each choice: a segment or vector for one reward, a list or matrix of them for many.
        weights : float or array, optional
            What each reward counts for; by default 1.

        Raises
        ------
        DataError
            If one reward cannot be learned from. Among many, what cannot is left out and counted by
            reason in ``counts_``. Rewards of removed arms are counted in either case.
        """
        self._open()
        if not isinstance(rewards, _NUMBER) and _are_many(rewards):
            return self._update_many(arms, rewards, contexts, weights)
        weight = 1.0 if weights is None else weights
        self._check_reward(rewards)
        self._check_weight(weight)
        place = self._find(arms)
        if place is None:
            return self
        low, width = self._scale
        reward = np.array([(rewards - low) / width])
        cells = self._cells([contexts], 1)
        self._take(np.array([place], np.int32), reward, np.array([float(weight)]), cells)
        return self

    def _update_many(self, arms: Any, rewards: Any, contexts: Any, weights: Any) -> Self:
        ids = arms_in(arms)
        try:
            values = np.asarray(rewards, np.float64)
            worth = np.ones(len(ids)) if weights is None else np.asarray(weights, np.float64)
        except (TypeError, ValueError, OverflowError):
            raise DataError("rewards and weights must be numbers.") from None
        if values.shape != (len(ids),) or worth.shape != (len(ids),):
            raise DataError(
                f"there must be one reward and one weight for each of {len(ids)} arms, got "
                f"{values.shape} rewards and {worth.shape} weights."
            )
        places = np.array([self._place_or_less(arm) for arm in ids], np.int32)
        contexts = _listed(contexts, len(ids))
        low, high = self._limits
        keep = np.ones(len(ids), bool)
        for reason, bad in (
            ("removed_arm", places == REMOVED_ARM),
            ("unknown_arm", places < 0),
            ("reward_missing", np.isnan(values)),
            ("reward_out_of_range", ~((values >= low) & (values <= high))),
            ("weight", ~((worth > 0) & (worth <= LARGEST))),
            ("context", ~self._usable(contexts, len(ids))),
        ):
            self._count(reason, int((keep & bad).sum()))
            keep &= ~bad
        rows = np.flatnonzero(keep)
        if len(rows):
            low, width = self._scale
            cells = self._cells(_picked(contexts, rows), len(rows))
            self._take(places[rows], (values[rows] - low) / width, worth[rows], cells)
        return self

    def _take(self, places: Indices, rewards: Values, weights: Values, cells: Array) -> None:
        self._answers.clear()
        self.counts_["rewards"] += len(places)
        if self.recent_ is None:
            self._absorb(places, rewards, weights, cells)
            return
        gone = self.recent_.push(places, rewards, weights, cells)
        if self.recent_.is_due():
            self._start(len(self.arms_))
            self._absorb(*self.recent_.held())
        else:
            self._absorb(places, rewards, weights, cells)
            if len(gone[0]):
                self._absorb(gone[0], gone[1], -gone[2], gone[3])

    def revise(
        self, arm: Id, old: float, new: float, context: Any = None, weight: float = 1.0
    ) -> Self:
        """Correct an earlier reward, such as a click that became a purchase.

        Parameters
        ----------
        arm : id
        old, new : float
        context : optional
            Of the choice, as it was.
        weight : float
            What the earlier reward counts for by now: with a half-life less than when it came.
        """
        self._open()
        self._check_reward(old)
        self._check_reward(new)
        self._check_weight(weight)
        place = self._find(arm)
        if place is None:
            return self
        low, width = self._scale
        before, after = (old - low) / width, (new - low) / width
        cell = self._cells([context], 1)
        if self.recent_ is not None:
            found = self.recent_.revise(place, before, after, cell)
            if found is None:
                self._count("revised_outside_window", 1)
                return self
            weight = found
        self._answers.clear()
        self.counts_["revised"] += 1
        self._correct(place, before, after, float(weight), cell)
        return self

    def take_back(self, arms: Any, rewards: Any, contexts: Any = None, weights: Any = None) -> bool:
        """Forget earlier rewards, as if they had never come; see `update` for what to give.

        Returns
        -------
        True if they are out of every sum; False, and nothing changes, where sums have faded since
        or fall out of a window, so that nobody knows what is left of them.
        """
        self._open()
        if self.half_life is not None or self.recent_ is not None:
            return False
        ids = arms_in(arms)
        places = np.array([self._place_or_less(arm) for arm in ids], np.int32)
        values = np.asarray(rewards, np.float64)
        worth = np.ones(len(ids)) if weights is None else np.asarray(weights, np.float64)
        contexts = _listed(contexts, len(ids))
        rows = np.flatnonzero(places >= 0)
        low, width = self._scale
        cells = self._cells(_picked(contexts, rows), len(rows))
        self._answers.clear()
        self._absorb(places[rows], (values[rows] - low) / width, -worth[rows], cells)
        self.counts_["rewards"] -= len(rows)
        return True

    def fit(self, log: Any, *, gate: EventGate | None = None) -> Self:
        r"""Forget everything, and learn from a log.

        Parameters
        ----------
        log : dataframe
            With the columns ``arm`` and ``reward``; ``segment`` or columns of numbers for policies
            that tell contexts apart; and ``propensity``, where choices were not made by chance
            alone: each reward then counts for 1 / propensity, and all of an arm together for their
            effective number, :math:`(\sum w)^2 / \sum w^2`. Rows that cannot be used are left out
            and counted by reason in ``counts_``.
        gate : EventGate, optional
            Such as a `ConsentLedger`: choices made for visitors whom it refuses, whose they are
            say columns such as ``user_id``, teach nothing, here and in `partial_fit`. What
            `update` is told says nobody's name, and is learned from.
        """
        if gate is not None:
            require_gate(gate)
        self._unfit()
        self.__dict__.pop("_places", None)
        self._open()
        self._stand_behind(gate)
        return self.partial_fit(log)

    def partial_fit(self, log: Any) -> Self:
        """Learn from a further part of a log, see `fit`."""
        self._open()
        if self.gated_:
            frame = as_pandas(log, "a log")
            log = self._admitted(frame)
            self._count("refused", len(frame) - len(log))
        told = read_log(log, self._context_columns())
        for reason, count in told.counts.items():
            self._count(reason, count)
        if self.arms is None and not self.arms_:
            self.add_arm(*dict.fromkeys(told.arms))
        return self._update_many(told.arms, told.rewards, told.contexts, told.weights)

    def _context_columns(self) -> Any:
        """Return the columns of a log that make the context: None, a name, or what says which."""
        return None

    # -- state -------------------------------------------------------------------------------

    def _open(self) -> None:
        """Make the state where there is none, and what is looked up in it."""
        if "_places" in self.__dict__:
            return
        if not self.__sklearn_is_fitted__():
            check_parameters(self)
            self._check_together()
            self.arms_ = [] if self.arms is None else list(self.arms)
            for arm in self.arms_:
                require_id(arm)
            self.removed_ = []
            self.counts_ = {"rewards": 0, "revised": 0}
            self.recent_ = None if self.window is None else Recent(size=self.window)
            self._start(len(self.arms_))
        self._index()

    def _left(self, place: int) -> None:
        if self.recent_ is not None:
            self.recent_.forget(place)

    def _check_together(self) -> None:
        if self.half_life is not None and self.window is not None:
            raise ParameterError("half_life and window exclude each other; leave one at None.")

    def _index(self) -> None:
        """Make what is looked up, from the state."""
        self._answers = {}
        low, high = self._limits = self.limits
        self._scale = (low, high - low) if self._needs_range else (0.0, 1.0)
        self._discount = 1.0 if self.half_life is None else 0.5 ** (1 / self.half_life)
        super()._index()  # last: with it the state is open

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the highest reward that is learned from."""
        limits = self.reward_range
        if limits is None:
            limits = (0.0, 1.0) if self._needs_range else (-LARGEST, LARGEST)
        return float(limits[0]), float(limits[1])

    def set_params(self, **params: Any) -> Self:
        """Set parameters; what was learned stays."""
        super().set_params(**params)
        self.__dict__.pop("_places", None)
        return self

    def _check_reward(self, reward: Any) -> None:
        low, high = self._limits
        fits = isinstance(reward, _NUMBER) and low <= reward <= high
        if not fits:
            raise DataError(
                f"a reward must be a number from {low:g} to {high:g}, got {shown(reward)}."
            )

    def _check_weight(self, weight: Any) -> None:
        if not (isinstance(weight, _NUMBER) and 0 < weight <= LARGEST):
            raise DataError(
                f"a weight must be above 0 and at most {LARGEST:g}, got {shown(weight)}."
            )

    def _check_learned(self) -> None:
        super()._check_learned()
        held: Any = vars(self)
        name = type(self).__name__
        check(self.gated_, switch(), name, "gated_")
        counts = held.get("counts_")
        if not isinstance(counts, dict) or not {"rewards", "revised"} <= set(counts):
            raise DataError(f"{name}: counts_ must count rewards and revised ones.")
        if not all(isinstance(value, int) and value >= 0 for value in counts.values()):
            raise DataError(f"{name}: counts_ must be integers of at least 0.")
        recent = held.get("recent_")
        if (recent is None) != (self.window is None) or not isinstance(recent, Recent | None):
            raise DataError(f"{name}: recent_ goes with a window.")
        if recent is not None:
            recent.check_arms(len(self.arms_), self.window)


def _are_many(rewards: Any) -> bool:
    """Tell an array, however ragged, from one number."""
    try:
        return np.ndim(rewards) > 0
    except ValueError:
        return True


def _listed(contexts: Any, n: int) -> Any:
    """Return one context per reward."""
    if contexts is None:
        return [None] * n
    listed = contexts if isinstance(contexts, np.ndarray) else list(contexts)
    if len(listed) != n:
        raise DataError(f"there must be one context for each of {n} arms, got {len(listed)}.")
    return listed


def _picked(contexts: Any, rows: Array) -> Any:
    """Return the contexts of some rows."""
    if isinstance(contexts, np.ndarray) or len(rows) == len(contexts):
        return contexts[rows] if isinstance(contexts, np.ndarray) else contexts
    return [contexts[row] for row in rows.tolist()]
