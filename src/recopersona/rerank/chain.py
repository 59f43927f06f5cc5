"""Several last stages, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

from recopersona.base.parameters import Bound, param
from recopersona.base.stage import PageStage, Stage, fitted_stage
from recopersona.base.telling import tell_growth, tell_outcome, untell_outcome
from recopersona.data.dataset import Dataset
from recopersona.data.decision import Decision
from recopersona.data.gate import EventGate
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.errors import DataError, ParameterError
from recopersona.rerank.reranker import Reranker


def _are_stages(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) > 0 and all(map(_is_stage, value))


def _is_stage(value: Any) -> bool:
    return callable(value) and not isinstance(value, type)


STAGES = Bound("a list of stages such as [Fatigue(), BanditReranker()]", _are_stages)


class Chain(Reranker):
    """Re-rank in several steps; the last one may look at pages, as a bandit does.

    A list as the ``reranker`` of a `Pipeline` is one.

    Parameters
    ----------
    stages : list of stages
        Functions or objects ``(query, ranking) -> ranking``. Those given stay unfitted; their
        clones are fitted. One that tries pages, as `BanditReranker` does, comes last.

    Attributes
    ----------
    stages_ : list of fitted stages

    Raises
    ------
    ParameterError
        By ``fit``, if a stage that tries pages is not the last one: it would never draw.

    Examples
    --------
    >>> from recopersona import Fatigue, Pipeline, Popularity, synthetic_shop
    >>> def backwards(query, ranking):
    ...     return ranking.rescored(-ranking.scores)
    >>> home = Pipeline(candidates=[Popularity()], reranker=[Fatigue(), backwards])
    >>> home = home.fit(synthetic_shop(200, 50, random_state=7))
    >>> [type(stage).__name__ for stage in home.reranker_.stages_]
    ['Fatigue', 'function']
    """

    stages: Sequence[Stage] = param(STAGES, default=())

    def fit(self, dataset: Any, y: None = None, *, gate: EventGate | None = None) -> Self:
        """Learn the shop; or teach the last stage, a bandit, what was decided before."""
        if "arm" in getattr(dataset, "columns", ()) and vars(self).get("stages_"):
            last: Any = self.stages_[-1]
            last.fit(dataset, gate=gate)
            return self
        return super().fit(dataset, gate=gate)

    @property
    def explain(self) -> Any:
        """What the last stage tells of a page, see `BanditReranker.explain`; None without one."""
        return getattr(self.stages_[-1], "explain", None)

    def _fit(self, dataset: Dataset) -> None:
        for stage in self.stages[:-1]:
            if isinstance(stage, PageStage):
                name = type(stage).__name__
                raise ParameterError(
                    f"Chain: {name} tries whole pages, so it must be the last stage; write "
                    f"[..., {name}(...)]."
                )
        self.stages_: list[Stage] = [fitted_stage(stage, dataset) for stage in self.stages]

    def _rerank(self, query: Query, ranking: Ranking) -> Ranking:
        for stage in self.stages_:
            ranking = stage(query, ranking)
        return ranking

    def for_page(
        self, query: Query, ranking: Ranking, page_of: Callable[[Ranking], Ranking]
    ) -> Ranking:
        """Return the ranking after all stages; the last may try pages."""
        self._check_fitted()
        *before, last = self.stages_
        for stage in before:
            ranking = stage(query, ranking)
        if isinstance(last, PageStage):
            return last.for_page(query, ranking, page_of)
        return last(query, ranking)

    # -- as part of a pipeline ---------------------------------------------------------------

    @property
    def _parts(self) -> list[Reranker]:
        stages = vars(self).get("stages_", ())
        return [stage for stage in stages if isinstance(stage, Reranker)]

    def _learn_outcome(self, decision: Decision) -> None:
        tell_outcome(self.stages_, decision)

    def _outcome_grew(self, before: Decision, after: Decision) -> None:
        tell_growth(self.stages_, before, after)

    def _unlearn_outcome(self, decision: Decision) -> list[str]:
        return untell_outcome(self._named_stages, decision)

    @property
    def _named_stages(self) -> dict[str, Stage]:
        return {f"stages_[{place}]": stage for place, stage in enumerate(self.stages_)}

    @property
    def windows(self) -> Any:
        """For how long the last stage puts down to a page what happens; None where it does not."""
        return getattr(self.stages_[-1], "windows", None)

    @property
    def reward_of(self) -> Any:
        """What tells the last stage how much a page was worth; None where it does not ask."""
        return getattr(self.stages_[-1], "reward_of", None)

    def _check_learned(self) -> None:
        super()._check_learned()
        held: Any = vars(self).get("stages_")
        if not _are_stages(held):
            raise DataError("Chain: stages_ must be a list of stages.")
