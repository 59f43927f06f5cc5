"""What `off_policy` found: estimates with intervals, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from recopersona.data.types import Values


@dataclass(frozen=True, eq=False)
class OffPolicy:
    """Estimates of what another policy would have earned per row of a log.

    Attributes
    ----------
    table : DataFrame
        A row per estimator: ``value``, ``low``, ``high`` (NaN where refused), and ``refused``, the
        reason in words, else an empty text.
    logged : DataFrame
        One or two rows of ``value``, ``low``, ``high``: ``logged``, what the log itself earned, and
        ``target``, the target's own mean where its own log was given.
    diagnostics : dict
        ``effective_sample_size`` and its share of the rows, ``unlogged_mass``, ``max_weight``,
        ``mean_weight`` (1 where all is well), ``rewarded_rows`` and how many count once weighted,
        ``switch_threshold`` and ``shrinkage`` as tuned and the ``bias`` seen there, ``counts`` of
        rows read, used and dropped by reason, ``target_counts`` of the target's own log.
    confidence : float
        Of the intervals.
    contributions : dict from str to float64 (n,)
        What each row adds to each estimate, which is their mean; also of refused ones.
    unit : str
        What a reward is per: ``"row"`` or ``"list"``.

    Examples
    --------
    >>> from recopersona.evaluation.offpolicy.off_policy import off_policy
    >>> log = pd.DataFrame({"arm": ["a", "b"] * 2_000, "reward": [1, 0, 0, 0] * 1_000,
    ...                     "propensity": 0.5})
    >>> found = off_policy(log, pd.DataFrame({"arm": ["a", "b"], "probability": [0.9, 0.1]}))
    >>> round(float(found["DR"].value), 2), found["DR"].refused, found.refused
    (0.45, '', False)
    """

    table: pd.DataFrame
    logged: pd.DataFrame
    diagnostics: dict[str, Any]
    confidence: float
    contributions: dict[str, Values]
    unit: str = "row"

    def __getitem__(self, estimator: str) -> Any:
        return self.table.loc[estimator]

    @property
    def refused(self) -> bool:
        """Whether no estimator gave a number."""
        return bool((self.table["refused"] != "").all())

    @property
    def sentences(self) -> list[str]:
        """What was found in words."""
        told = [_about(self.diagnostics["counts"], "log", f"{self.unit}s")]
        if "target_counts" in self.diagnostics:
            counts = self.diagnostics["target_counts"]
            told.append(_about(counts, "the target's own log", f"{self.unit}s"))
        told.append(
            "effective sample size {effective_sample_size:,.0f}, unlogged mass "
            "{unlogged_mass:.2%}, largest weight {max_weight:,.1f}".format(**self.diagnostics)
        )
        reasons: dict[str, list[str]] = {}
        for name, reason in zip(self.table.index, self.table["refused"], strict=True):
            if reason != "":
                reasons.setdefault(str(reason), []).append(str(name))
        told += [f"{', '.join(names)} refused: {reason}." for reason, names in reasons.items()]
        return told

    def __repr__(self) -> str:
        return "\n".join([self._title, self._short.to_string(), *self.sentences])

    def _repr_html_(self) -> str:
        from html import escape

        told = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.sentences)
        table: str = self._short.to_html()
        return f"<p>{escape(self._title)}</p>{table}<ul>{told}</ul>"

    @property
    def _title(self) -> str:
        used = self.diagnostics["counts"]["used"]
        per = f"reward per {self.unit} of {used:,} {self.unit}s"
        return f"{per}, {self.confidence:.0%} intervals"

    @property
    def _short(self) -> pd.DataFrame:
        columns = ["value", "low", "high"]
        rows = pd.concat([self.table[columns], self.logged[columns]])
        return rows.map("{:.4g}".format).mask(rows.isna(), "refused")


def _about(counts: dict[str, int], what: str, units: str) -> str:
    dropped = {reason: n for reason, n in counts.items() if reason not in (units, "used")}
    told = f"{what}: {counts['used']:,} of {counts[units]:,} {units} used"
    return told + "".join(f", {n:,} dropped: {reason}" for reason, n in dropped.items())
