"""One call from a log to what another policy would have earned, with an interval or a refusal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from recopersona.base.parameters import check, one_of, optional, real
from recopersona.data.columns import as_pandas
from recopersona.errors import ParameterError, hint
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.offpolicy.estimating import ESTIMATORS, Estimating
from recopersona.evaluation.offpolicy.gate import OffPolicyGate, gate_of
from recopersona.evaluation.offpolicy.log import names_of
from recopersona.evaluation.offpolicy.result import OffPolicy
from recopersona.evaluation.offpolicy.standing import standing
from recopersona.evaluation.offpolicy.targets import check_target, target_of


def off_policy(
    log: Any,
    target: Any,
    *,
    action: str = "arm",
    reward: str = "reward",
    propensity: str = "propensity",
    context: str | Iterable[str] = (),
    position: str | None = None,
    cluster: str | None = None,
    estimators: str | Iterable[str] = ESTIMATORS,
    model: Any = None,
    clip: float | None = None,
    interval: str = "bootstrap",
    confidence: float = 0.95,
    n_boot: int = 1_000,
    gate: bool | OffPolicyGate = True,
    reward_range: tuple[float, float] | None = None,
    random_state: Any = 0,
) -> OffPolicy:
    r"""Estimate what another policy would have earned, from a log of what this one did.

    With logged propensities :math:`p_i`, weights :math:`w_i = \pi(a_i \mid x_i) / p_i`, and a model
    of rewards that expects :math:`q_i` of the logged action and :math:`v_i` of the target's:

    * ``IPS`` :math:`\frac1n \sum w_i r_i`; ``SNIPS`` :math:`\sum w_i r_i / \sum w_i`
    * ``DM`` :math:`\frac1n \sum v_i`; ``DR`` :math:`\frac1n \sum v_i + w_i (r_i - q_i)`
    * ``SNDR`` :math:`\frac1n \sum v_i + \sum w_i (r_i - q_i) / \sum w_i`
    * ``SwitchDR``: DR without corrections whose weight is above a threshold
    * ``DRos``: DR with weights :math:`\lambda w / (w^2 + \lambda)`
    * ``Replay``: the mean of rows that a draw of the target agrees with; for uniform logs

    A log that cannot answer gets a reason instead of a number (see `OffPolicyGate`).

    Parameters
    ----------
    log : dataframe
        A row per action. Rows with a propensity that is missing, 0, or above 1, or with a reward
        that is missing, infinite or outside ``reward_range`` are dropped and counted. In a
        pipeline's `decisions_frame` an arm's propensity is its own among ``probabilities``, and
        targets are asked only about the arms that stood to be chosen for that request.
    target : str, dataframe, mapping, policy or callable
        * a column of the log with the target's probability of the logged action (then only IPS,
          SNIPS and Replay can be told);
        * a table: the action's column, ``probability``, and any of the position's and contexts';
          or just a mapping such as ``{"plain": 1}``;
        * the target's own log: how often it chose each action, by position. What it logged as
          propensities is not used, since that is high where an action was chosen;
        * a bandit with ``probabilities(arms, context)``; or a function from a frame of distinct
          positions and contexts to probabilities, a row each, a column per action (an array in the
          sorted order of the log's actions, or a frame).
    action, reward, propensity : str
        Columns of the log.
    context : str or several
        Columns that say for whom: for the model of rewards, and for a target that looks at them.
    position : str, optional
        Where on the page the action was; actions are then judged position by position.
    cluster : str, optional
        Rows that belong together, such as a user's or a decision's: drawn together, and never told
        by one another.
    estimators : str or several
    model : scikit-learn classifier or regressor, optional
        Learns rewards from one column per action, position and context; by default means that are
        shrunk as far as they are luck. It is cross-fitted: no row is told by itself.
    clip : float, above 0, optional
        Weights above it are set to it: less variance, some bias.
    interval : "bootstrap" or "bernstein"
        Of rounds or clusters drawn again (bootstrap-t), or an empirical
        Bernstein bound, which is wide and holds for any number of independent rows if no weight can
        be larger than the largest seen; for IPS and DR, and only with a ``reward_range``.
    confidence : float, between 0 and 1
    n_boot : int, at least 1
    gate : bool or OffPolicyGate
        False gives numbers whatever the log is like.
    reward_range : (float, float), optional
        Least and greatest reward that is no mistake.
    random_state : int, RandomState or None
        Of the resampling, and of Replay's draws.

    Returns
    -------
    OffPolicy

    Raises
    ------
    ParameterError
        If an argument is out of its bounds.
    ColumnError
        If a column is missing.
    DataError
        If no row can be used, or the target's probabilities do not add up to 1.

    Notes
    -----
    SwitchDR and DRos take the setting with the least guessed error: their variance :math:`s^2` and
    the square of the bias that is seen with its own variance :math:`t^2`. Their intervals are
    stretched to :math:`\sqrt{(s + t)^2 + bias^2}`, since the model varies where they do not: they
    are about as wide as that of DR, or wider. That of DM is from the model fitted again to 50
    resamples, and there is none with a ``model`` of yours: it would say how sure the model is, not
    how right.

    A log of 10 million rows takes 1 to 2 gigabytes beside the frame.

    References
    ----------
    Dudík, Erhan, Langford & Li (2014), "Doubly robust policy evaluation and optimization"; Saito,
    Aihara, Matsutani & Narita (2021), "Open Bandit Dataset and Pipeline"; and those of the
    estimators.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"arm": ["tea", "oil"] * 2_000, "propensity": 0.5,
    ...                     "reward": [1, 0, 0, 0] * 1_000})
    >>> mostly_tea = pd.DataFrame({"arm": ["tea", "oil"], "probability": [0.9, 0.1]})
    >>> found = off_policy(log, mostly_tea)
    >>> found.table.loc[["IPS", "DR"], ["value", "low", "high"]].round(2)
               value   low  high
    estimator
    IPS         0.45  0.43  0.47
    DR          0.45  0.43  0.47
    >>> off_policy(log[:100], mostly_tea)["SNIPS"].refused
    'the weights leave an effective sample size of 61 rows, fewer than 1,000: ...'
    """
    resampling = Resampling.checked("off_policy", confidence, n_boot, random_state)
    check(clip, optional(real(above=0)), "off_policy", "clip")
    check(interval, one_of("bootstrap", "bernstein"), "off_policy", "interval")
    check_target(target)
    asked = asked_of(estimators, (*ESTIMATORS, "Replay"), "off_policy")
    limits = range_of(reward_range, "off_policy")
    if interval == "bernstein" and (limits is None or cluster is not None):
        raise ParameterError(
            "off_policy: interval='bernstein' needs a reward_range and independent rows, so no "
            "cluster; use interval='bootstrap'."
        )
    names = names_of(action, reward, propensity, context, position, cluster)
    frame, names = standing(as_pandas(log, "log"), names)
    rows, other = target_of(target, frame, names, limits)
    estimating = Estimating(rows, other, model, clip, limits, resampling)
    return estimating.result(asked, gate_of(gate), interval)


def asked_of(estimators: Any, known: Sequence[str], owner: str) -> list[str]:
    """Return the names of estimators, each once, for the function whose argument they are."""
    several = [estimators] if isinstance(estimators, str) else list(estimators)
    for name in several:
        if name not in known:
            raise ParameterError(f"{owner}: there is no estimator {name!r}{hint(name, known)}")
    if not several:
        raise ParameterError(f"{owner} needs at least one estimator, got none.")
    return list(dict.fromkeys(several))


def range_of(limits: Any, owner: str) -> tuple[float, float] | None:
    """Check the least and the greatest reward that is no mistake."""
    if limits is None:
        return None
    try:
        low, high = (float(limit) for limit in limits)
    except (TypeError, ValueError):
        low, high = 1.0, 0.0
    if not (np.isfinite([low, high]).all() and low < high):
        raise ParameterError(
            f"{owner}: reward_range must be a smaller and a greater number, got {limits!r}."
        )
    return low, high
