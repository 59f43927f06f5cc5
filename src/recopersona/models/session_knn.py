"""Who clicked what this visitor clicks: the visits most like this one, and what was in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from recopersona.base.forgetting import Gone
from recopersona.base.parameters import Bound, check, duration, one_of, optional, param, real, whole
from recopersona.base.searching import real_range, whole_range
from recopersona.data.dataset import Dataset
from recopersona.data.times import MISSING_TIME, duration_ms
from recopersona.data.types import Array, Indices
from recopersona.errors import DataError
from recopersona.kernels.session_knn import COSINE, DOT, JACCARD, add_visits
from recopersona.models.session import Opinions, SessionRecommender
from recopersona.models.visit_index import Near, VisitIndex
from recopersona.models.visits import Clicks, Visits

_SIMILARITIES = {"dot": DOT, "cosine": COSINE, "jaccard": JACCARD}

DECAYS = ("same", "linear", "div", "log", "quadratic", "relative")
"""The decays that have a name; a number is the length of an exponential one."""

_DECAY = Bound(
    f"a number above 0 or one of {', '.join(map(repr, DECAYS))}",
    lambda value: value in DECAYS if isinstance(value, str) else real(above=0).holds(value),
    DECAYS,
)

_PAPERS = {"reminders": 0.0, "speakers": "last", "echo": 1.0, "rarity": 0.0}
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "sknn": _PAPERS | {
        "k": 50, "sample": 5_000, "similarity": "cosine", "position_decay": "same",
        "score_decay": "same", "distance_decay": None, "recency": None, "idf": 0.0,
    },
    "vsknn": _PAPERS | {
        "k": 1_500, "sample": 2_500, "similarity": "dot", "position_decay": "same",
        "score_decay": "linear", "distance_decay": None, "recency": None, "idf": 10.0,
    },
    "vmis": _PAPERS | {
        "k": 500, "sample": 500, "similarity": "dot", "position_decay": "relative",
        "score_decay": "linear", "distance_decay": None, "recency": None, "idf": 10.0,
    },
    "stan": _PAPERS | {
        "k": 500, "sample": 1_000, "similarity": "cosine", "position_decay": 1.81,
        "score_decay": "same", "distance_decay": 0.4525, "recency": "100d", "idf": 0.0,
    },
    "vstan": _PAPERS | {
        "k": 500, "sample": 1_000, "similarity": "cosine", "position_decay": 7.24,
        "score_decay": 3.62, "distance_decay": 3.62, "recency": "100d", "idf": 1.0,
    },
})  # fmt: skip
"""Settings as published, by name, for `SessionKNN.preset`."""


class SessionKNN(SessionRecommender):
    r"""Score an item by the visits most like this one that have it, and by how items come back.

    .. math::
        sim(s, n) = \frac{\sum_{i \in s \cap n} w_i}{\|w\| \sqrt{|n|}}
                    \; e^{-age(n) / recency},
        \qquad w_i = d_{position}(t_i) \, (1 + rarity \cdot idf_i)

        v_j = (1 + idf \cdot idf_j) \sum_{n \in N_k(s)} sim(s, n)
              \sum_{f \in n, \, x_f \in s} d_{score}(t_{x_f}) \; e^{-|p_j - f| / distance\_decay}

        score_j = \frac{v_j}{\sum v} + reminders \cdot P(j \text{ comes back})

    :math:`t_i` is how many clicks ago the visit s had item i, 0 for its latest click; :math:`p_j`
    is where visit n had item j last; :math:`|n|` counts its different items, and :math:`idf_i =
    \log(visits / visits\ with\ i)`. Neighbours are the ``k`` most alike of the ``sample`` latest
    visits that share an item.

    The chance of coming back is counted: of all items that were in a visit, clicked so often
    (once, twice, more) and followed by so many others, how many were the next click.

    Parameters
    ----------
    k : int, at least 1
        Visits that have a say.
    sample : int, at least 1
        The latest so many visits that share an item are compared.
    similarity : "cosine", "dot" or "jaccard"
        ``dot`` leaves the denominator out; ``jaccard``'s is
        :math:`\sum_{i \in s} w_i + |n| - \sum_{i \in s \cap n} w_i`.
    position_decay : number above 0, or a name
        What the visit's older clicks count when visits are compared; a number x is
        :math:`e^{-t/x}`. STAN's λ_spw (λ_1); VS-kNN's ``weighting``. By name, ``same``: 1,
        ``linear``: 1 - t/10, ``div``: 1/(t+1), ``log``: 1/log10(t+1.7), ``quadratic``:
        1/(t+1)², ``relative``: 1 - t/length (VMIS-kNN's π).
    score_decay : number above 0, or a name
        What a shared click says, by its place in this visit. VSTAN's λ_ipw; VS-kNN's
        ``weighting_score``; VMIS-kNN's λ.
    distance_decay : number above 0, optional
        How far from a shared click items of a neighbour are still meant. STAN's λ_inh (λ_3).
    recency : duration, optional
        An older neighbour counts less; needs times, without which only order counts. STAN's λ_snh
        (λ_2).
    idf : float, at least 0
        How much rare items gain. VSTAN's λ_idf; VS-kNN's ``idf_weighting``.
    rarity : float, at least 0
        How much more it says to share a rare item.
    speakers : "every" or "last"
        Whether every click of a neighbour that is shared speaks for those around it; or only the
        last one, with the largest :math:`d_{score}` of all, as in the papers.
    echo : float, at least 0
        What a shared click says for its own item: 1 in the papers; 0 where reminders see to that.
    reminders : float, at least 0
        What the chance of coming back counts; 0 leaves it out, and leaves scores as they add up.
    max_clicks : int, at least 1
        Of any visit so many of the latest clicks count.
    gap, repeats, profile : see `SessionRecommender`

    Attributes
    ----------
    index_ : VisitIndex
    n_cut_ : int
        Clicks that ``max_clicks`` left out.

    Notes
    -----
    `SessionKNN.preset` has ``sknn``, ``vsknn``, ``stan`` and ``vstan`` with the settings published
    for shops, and ``vmis`` with the formula of its paper. They differ from their papers in this
    alone: idf is of visits, and of visits equally alike the latest are nearest.

    An event counts at once, as if the model had been fitted anew: a visit that goes on becomes the
    latest. (A second kind of event with the item just clicked is none: it moves the end of a visit
    only at the next ``fit``.)

    What was learned of a visit that goes on is among its own neighbours, where it speaks for the
    items it has already.

    The postings of the visit's items are merged from the latest visit down, so that a request
    costs ``sample * log m`` steps for m different items, and one for each click of k visits;
    whatever the size of the catalogue. An append costs some steps for each item of its visit.
    Memory: see `VisitIndex`; about 16 bytes a click where visits have five.

    References
    ----------
    Jannach & Ludewig (2017), "When recurrent neural networks meet the neighborhood for
    session-based recommendation", section 3; Ludewig & Jannach (2018), "Evaluation of
    session-based recommendation algorithms", section 3.2.3; Garg et al. (2019), "Sequence and time
    aware neighborhood for session-based recommendations: STAN", section 3; Ludewig et al. (2021),
    "Empirical analysis of session-based recommendation algorithms", section 3.1; Kersbergen et al.
    (2022), "Serenade: low-latency session-based recommendation in e-commerce at scale", section 3.

    Examples
    --------
    >>> import pandas as pd
    >>> import recopersona as rp
    >>> events = pd.DataFrame({
    ...     "user_id": ["anna", "anna", "ben", "ben", "cleo", "cleo"],
    ...     "item_id": ["tea", "honey", "tea", "honey", "salt", "rice"]})
    >>> model = SessionKNN(reminders=0).fit(events)
    >>> model.recommend(rp.Query(session=["tea"]), n=2).item_ids
    ['honey', 'tea']
    >>> model.partial_fit(rp.Event("dan", "salt")).partial_fit(rp.Event("dan", "gold"))
    SessionKNN(reminders=0)
    >>> "gold" in model.recommend(rp.Query(session=["salt"]), n=3).item_ids
    True
    >>> SessionKNN.preset("stan", k=100).distance_decay
    0.4525
    """

    k: int = param(whole(at_least=1), default=500, search=whole_range(50, 1_000, log=True))
    sample: int = param(whole(at_least=1), default=1_000)
    similarity: str = param(one_of(*_SIMILARITIES), default="cosine")
    position_decay: float | str = param(_DECAY, default=4.0, search=real_range(1, 20, log=True))
    score_decay: float | str = param(_DECAY, default=3.0, search=real_range(1, 20, log=True))
    distance_decay: float | None = param(optional(real(above=0)), default=3.0)
    recency: str | timedelta | None = param(optional(duration()), default=None)
    idf: float = param(real(at_least=0), default=1.0, search=real_range(0, 5))
    rarity: float = param(real(at_least=0), default=2.0)
    speakers: str = param(one_of("every", "last"), default="every")
    echo: float = param(real(at_least=0), default=0.0)
    reminders: float = param(real(at_least=0), default=2.0, search=real_range(0, 5))
    max_clicks: int = param(whole(at_least=1, at_most=10_000), default=100)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """Make a model with published settings, and changes to them.

        Parameters
        ----------
        name : "sknn", "vsknn", "vmis", "stan" or "vstan"
        changes : parameters
        """
        check(name, one_of(*PRESETS), f"{cls.__name__}.preset", "name")
        return cls(**{**PRESETS[name], **changes})

    # -- learning ----------------------------------------------------------------------------

    def _fit_visits(self, visits: Visits, dataset: Dataset) -> None:
        self.index_ = VisitIndex.of(visits, len(self.users_), len(self.items_), self.max_clicks)
        self.n_cut_ = len(visits.items) - len(self.index_.clicks_)

    def _learn_clicks(self, clicks: Clicks) -> None:
        self.index_.append(clicks, len(self.users_), len(self.items_))

    def _held_of(self, user: int) -> dict[str, Any]:
        visits = self.index_.held_of(user, self.items_)
        return {**super()._held_of(user), **({"visits": visits} if visits else {})}

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        return () if self.index_.forget(gone.users) else ("index_",)

    # -- answering ---------------------------------------------------------------------------

    def _opinions(self, visit: Indices, now: int | None) -> Opinions:
        latest_first = np.ascontiguousarray(visit[: -self.max_clicks - 1 : -1])
        items, steps = _distinct(latest_first)
        near = self._nearest(items, steps, len(latest_first), now)
        found, scores = self._said(near, items, steps, len(latest_first))
        if self.reminders:
            scores /= scores.sum() or 1.0
            scores[: len(items)] += self.reminders * self.index_.comebacks(visit, len(items))
        told = scores > 0
        return Opinions(found[told], scores[told].astype(np.float32))

    def _nearest(self, items: Indices, steps: Array, length: int, now: int | None) -> Near:
        weights = _decayed(self.position_decay, steps, length)
        if self.rarity:
            weights = weights * (1 + self.rarity * self.index_.idf(items))
        return self.index_.nearest(
            items, weights, self.sample, self.k, _SIMILARITIES[self.similarity],
            MISSING_TIME if now is None else now,
            0.0 if self.recency is None else float(duration_ms(self.recency)),
        )  # fmt: skip

    def _said(self, near: Near, items: Indices, steps: Array, length: int) -> tuple[Indices, Array]:
        """Return what near visits say: of the items of this one, then of all others they have."""
        index = self.index_
        room = len(items) + int(index.sizes_[near.visits].sum())
        found, scores = np.empty(room, np.int32), np.empty(room)
        n = add_visits(
            found, scores, near.visits, near.likeness,
            items, _decayed(self.score_decay, steps, length),
            index.starts_, index.sizes_, index.clicks_, len(near.visits),
            self._fading(), self.echo, self.speakers == "last",
        )  # fmt: skip
        found, scores = found[:n], scores[:n]
        if self.idf:
            scores *= 1 + self.idf * index.idf(found)
        return found, scores

    def _fading(self) -> float:
        return 1.0 if self.distance_decay is None else float(np.exp(-1 / self.distance_decay))

    def _reasons(
        self, visit: Indices, item: int, now: int | None
    ) -> list[tuple[str, int | None, float]]:
        """Share what near visits say among the clicks they say it for."""
        latest_first = np.ascontiguousarray(visit[: -self.max_clicks - 1 : -1])
        items, steps = _distinct(latest_first)
        near = self._nearest(items, steps, len(latest_first), now)
        _, scores = self._said(near, items, steps, len(latest_first))
        loud = _decayed(self.score_decay, steps, len(latest_first)).tolist()
        voices = dict(zip(items.tolist(), loud, strict=True))
        shares: dict[int, float] = {}
        for place, likeness in zip(near.visits.tolist(), near.likeness.tolist(), strict=True):
            clicks = self.index_.clicks_of(place).tolist()
            for click, heard in self._heard(clicks, item, voices):
                shares[click] = shares.get(click, 0.0) + likeness * heard
        factor = float(1 + self.idf * self.index_.idf(np.array([item], np.int32))[0])
        if self.reminders:
            factor /= scores.sum() or 1.0
        rows: list[tuple[str, int | None, float]] = [
            ("visits like this one, by what they share", click, factor * share)
            for click, share in shares.items()
            if share
        ]
        if self.reminders and item in voices:
            rates = self.reminders * self.index_.comebacks(visit, len(items))
            rows.append(("it may come back", item, float(rates[items.tolist().index(item)])))
        return rows

    def _heard(
        self, clicks: list[int], item: int, voices: dict[int, float]
    ) -> list[tuple[int, float]]:
        """Return which clicks of a near visit speak for an item, and what they say."""
        if item not in clicks:
            return []
        at = len(clicks) - 1 - clicks[::-1].index(item)
        shared = [(step, click) for step, click in enumerate(clicks) if voices.get(click)]
        loudness = [voices[click] for _, click in shared]
        if self.speakers == "last":
            shared, loudness = shared[-1:], [max(loudness, default=0.0)][: len(shared)]
        fading = self._fading()
        return [
            (click, loud * (fading ** abs(at - step) if at != step else self.echo))
            for (step, click), loud in zip(shared, loudness, strict=True)
        ]

    def _check_learned(self) -> None:
        super()._check_learned()
        if not isinstance(self.index_, VisitIndex):
            raise DataError("SessionKNN: index_ is no index of visits.")
        self.index_.require(len(self.items_), "SessionKNN")
        check(self.n_cut_, whole(0), "SessionKNN", "n_cut_")


def _distinct(latest_first: Indices) -> tuple[Indices, Array]:
    """Return the different items of a visit, the latest first, and how many clicks ago each was."""
    steps: dict[int, int] = {}
    for step, item in enumerate(latest_first.tolist()):
        steps.setdefault(item, step)
    return np.array(list(steps), np.int32), np.array(list(steps.values()), np.float64)


def _decayed(decay: float | str, steps: Array, length: int) -> Array:
    """Return what clicks count so many steps before the latest, of a visit of some length."""
    if not isinstance(decay, str):
        return np.exp(-steps / decay)
    if decay == "same":
        return np.ones(len(steps))
    if decay == "linear":
        return np.maximum(1 - steps / 10, 0.0)
    if decay == "div":
        return 1 / (steps + 1)
    if decay == "log":
        return 1 / np.log10(steps + 1.7)
    if decay == "quadratic":
        return 1 / (steps + 1) ** 2
    return 1 - steps / length
