"""How likely a place on the page is looked at, learned from what was shown and clicked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from recopersona.base.parameters import (
    Bound,
    check,
    check_parameters,
    generator,
    optional,
    param,
    real,
    seed,
    whole,
)
from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.columns import as_pandas
from recopersona.data.gate import EventGate, passed
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError
from recopersona.rankers.impressions import flags_of, positions_of, require_column
from recopersona.rankers.lessons import Rows
from recopersona.rankers.network import Network
from recopersona.rankers.objectives import SeenClicks, look_of, sigmoid
from recopersona.rankers.scaling import Scaling
from recopersona.rankers.training import Lists, Training, are_passes

_LEAST_SHOWN = 200  # impressions; rarer places are counted with the ones before them
_ROUNDS, _SETTLED = 500, 1e-7  # of the last step, for the places alone


def _are_propensities(value: Any) -> bool:
    shares = np.asarray(value, np.float64)
    return shares.ndim == 1 and len(shares) > 0 and bool(((shares > 0) & (shares <= 1)).all())


PROPENSITIES = Bound("a list of numbers above 0 and at most 1, one per place", _are_propensities)


class ExaminationModel(Part):
    r"""Learn what a place is worth from impressions: a click takes a look, and a wish.

    .. math:: P(click) = \theta_k \, \sigma(u(z)), \qquad \theta_1 = 1

    :math:`\theta_k`, the propensity, is how likely place k is looked at, beside the first;
    :math:`u` is a small network over what is known of the item and the visitor, and where items
    are named, the item's own level. Both are learned together by maximum likelihood; at the end
    :math:`\theta` is brought to its maximum given u, by expectation and maximization,

    .. math:: \theta_k \leftarrow \frac{1}{n_k} \sum_{i \in k} \left( c_i +
              (1 - c_i) \frac{\theta_k (1 - \sigma(u_i))}{1 - \theta_k \sigma(u_i)} \right)

    What those who ordered the page knew must be among the columns: what they alone knew is taken
    for the worth of a place. Best of all is a week with some of the pages shuffled.

    Parameters
    ----------
    propensities : list of float, optional
        Known ones, by place from the first, such as those of an experiment: nothing is learned.
    least : float, above 0 and at most 1
        Propensities below it are raised to it when clicks are weighed, so that no click counts
        more than ``1 / least`` times.
    hidden, epochs, learning_rate, reg, patience, random_state
        As in `NeuralRanker`.

    Attributes
    ----------
    propensities_ : float64 (n_places,)
        By place, the first 1. Places of fewer than 200 impressions share one value with those
        before them; places beyond the last count like it.
    scaling_, network_ : Scaling and Network, or None
        What u is; None where propensities were given.
    first_ : float
        The look at the first place before all were divided by it: :math:`\sigma(u)` times it is
        how likely an item is wished for, and then clicked in the first place.
    history_ : DataFrame
        As of `NeuralRanker`.
    counts_ : dict from str to int
        Impressions, clicks, places, and places that were counted with others.

    References
    ----------
    Wang et al. (2018), "Position bias estimation for unbiased learning to rank in personal
    search", section 4; Richardson et al. (2007), "Predicting clicks", for the model of a look and
    a wish; Joachims et al. (2017), "Unbiased learning-to-rank with biased feedback", section 4, for
    the weights.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> shown = pd.DataFrame({"request": np.repeat(np.arange(3000), 3),
    ...                       "position": np.tile([1, 2, 3], 3000)})
    >>> looked = random.random(9000) < shown["position"].map({1: 1.0, 2: 0.5, 3: 0.25})
    >>> shown["price"] = random.random(9000)
    >>> shown["clicked"] = looked & (random.random(9000) < 1 - shown["price"])
    >>> ExaminationModel().fit(shown, features=["price"]).propensities_.round(1)
    array([1. , 0.5, 0.3])
    """

    propensities: Sequence[float] | None = param(optional(PROPENSITIES), default=None)
    least: float = param(real(above=0, at_most=1), default=0.05)
    hidden: int = param(whole(at_least=1), default=32)
    epochs: int = param(whole(at_least=1), default=60)
    learning_rate: float = param(real(above=0), default=2e-2)
    reg: float = param(real(at_least=0), default=0.0)
    patience: int | None = param(optional(whole(at_least=1)), default=8)
    random_state: Any = param(seed(), default=0)

    def fit(
        self,
        impressions: Any,
        features: Sequence[str] = (),
        *,
        gate: EventGate | None = None,
    ) -> Self:
        """Learn from a frame of what was shown.

        Parameters
        ----------
        impressions : dataframe
            ``position`` from 1, ``clicked`` 0 or 1; if there are, ``request`` (rows of one page
            are held out together) and ``item_id``.
        features : sequence of str
            Columns of numbers that tell how welcome the item is.
        gate : EventGate, optional
            Such as a `ConsentLedger`: impressions that it refuses, whose they are say columns such
            as ``user_id``, are as if they were not there.
        """
        frame = passed(gate, as_pandas(impressions, "impressions")).reset_index(drop=True)
        for name in ("position", "clicked", *features):
            require_column(frame, name)
        if "request" in frame:
            frame = frame.sort_values("request", kind="stable", ignore_index=True)
            starts = np.flatnonzero(frame["request"].ne(frame["request"].shift()))
        else:
            starts = np.arange(len(frame))
        items = None
        if "item_id" in frame:
            items = pd.factorize(frame["item_id"])[0].astype(np.int32)
        return self.learn(
            frame[list(features)].to_numpy(np.float32),
            np.append(starts, len(frame)),
            positions_of(frame["position"]),
            flags_of(frame["clicked"]),
            items,
        )

    def learn(
        self,
        matrix: Floats,
        bounds: Array,
        positions: Array,
        clicks: Floats,
        items: Indices | None = None,
    ) -> Self:
        """Learn from arrays.

        Parameters
        ----------
        matrix : float32 (n, f)
            What is known of each row, NaN where it is not.
        bounds : int64 (n_pages + 1,)
            The rows of each page.
        positions : int (n,)
            From 1.
        clicks : float32 (n,)
            0 or 1.
        items : int32 (n,), optional
            Numbers of items, if each is to have a level of its own.
        """
        check_parameters(self)
        self._unfit()
        clicked = np.asarray(clicks > 0, np.float32)
        self.passes_: list[dict[str, float | None]] = []
        self.scaling_: Scaling | None = None
        self.network_: Network | None = None
        self.first_ = 1.0
        self.counts_ = {"impressions": len(clicked), "clicks": int(clicked.sum())}
        if self.propensities is not None:
            self.propensities_ = np.array(self.propensities, np.float64)
            self.counts_ |= {"places": len(self.propensities_), "places_joined": 0}
            return self
        if not 0 < clicked.sum() < len(clicked):
            raise DataError(
                f"ExaminationModel needs rows that were clicked and others that were not; of "
                f"{len(clicked)} rows {int(clicked.sum())} were clicked."
            )
        group_of = grouped_places(positions)
        self.counts_ |= {
            "places": len(group_of), "places_joined": len(group_of) - int(group_of[-1]) - 1,
        }  # fmt: skip
        looks = self._taught(matrix, bounds, group_of[positions - 1], clicked, items)
        self.first_ = float(looks[0])
        self.propensities_ = (looks / looks[0])[group_of]
        return self

    @property
    def history_(self) -> pd.DataFrame:
        """What every epoch came to."""
        self._check_fitted()
        return pd.DataFrame(self.passes_)

    def propensity(self, positions: Array) -> Array:
        """Return how likely places are looked at, float64 (n,)."""
        self._check_fitted()
        found: Array = self.propensities_[np.clip(positions, 1, len(self.propensities_)) - 1]
        return found

    def weights(self, matrix: Floats, positions: Array, clicks: Floats) -> Floats:
        r"""Return what rows count when wishes, not clicks, are learned: float32 (n,).

        A click counts :math:`1 / \theta_k` times (clipped by ``least``), as many of its like went
        unseen; a row that was not clicked counts as likely as it was not wished for, beside how
        likely it was not clicked, :math:`(1 - \gamma) / (1 - \theta_k \gamma)` with
        :math:`\gamma` the click rate it would have in the first place (1 where propensities
        were given): in the mean, both are then
        what they had been had everybody looked everywhere.
        """
        looks = np.clip(self.propensity(positions), self.least, 1)
        wish: Array = np.zeros(len(looks))
        if self.network_ is not None and self.scaling_ is not None:
            inputs = self.scaling_.inputs(matrix)
            wish = self.first_ * sigmoid(self.network_.utilities(inputs).astype(np.float64))
        found: Floats = np.where(clicks > 0, 1 / looks, (1 - wish) / (1 - looks * wish + 1e-9))
        return found.astype(np.float32)

    def _taught(
        self, matrix: Floats, bounds: Array, groups: Array, clicks: Floats, items: Indices | None
    ) -> Array:
        """Learn the network and the looks at groups of places; return these."""
        random = generator(self.random_state)
        self.scaling_ = scaling = Scaling().fit(matrix)
        inputs = scaling.inputs(matrix)
        lists = Lists(inputs, bounds, np.zeros(inputs.shape[1], np.int8))
        objective = SeenClicks.of(clicks, groups, items)
        training = Training(
            self.epochs, self.learning_rate, self.reg, 0.0, self.patience, random,
            type(self).__name__,
        )  # fmt: skip
        share = float(clicks.mean(dtype=np.float64))
        start = Network().start(
            inputs.shape[1], self.hidden, float(np.log(share / (1 - share))), random
        )
        self.network_ = network = training.run(start, lists, objective)
        self.passes_ = training.history
        utilities = network.utilities(inputs) + objective.of_items(slice(None))
        return _settled(
            look_of(objective.places).astype(np.float64),
            groups, clicks, sigmoid(utilities.astype(np.float64)),
        )  # fmt: skip

    def _check_learned(self) -> None:
        held: Any = vars(self)
        require_array(held.get("propensities_"), np.float64, (None,), "propensities_")
        finite = np.isfinite(self.propensities_) & (self.propensities_ > 0)
        if not len(finite) or not finite.all():
            raise DataError("propensities_ must be finite numbers above 0, at least one.")
        if not are_passes(held.get("passes_")) or not isinstance(held.get("counts_"), dict):
            raise DataError("ExaminationModel: what was learned is not what it should be.")
        check(held.get("first_"), real(above=0), "ExaminationModel", "first_")
        parts = held.get("scaling_"), held.get("network_")
        if parts != (None, None) and not (
            isinstance(parts[0], Scaling) and isinstance(parts[1], Network)
        ):
            raise DataError("ExaminationModel: what was learned is not what it should be.")


BIAS = optional(
    Bound(
        "True, False, an ExaminationModel", lambda value: isinstance(value, bool | ExaminationModel)
    )
)
"""What the parameter ``position_bias`` may be."""


def unbiased(
    rows: Rows, bias: bool | ExaminationModel | None
) -> tuple[ExaminationModel | None, Rows]:
    """Weigh rows so that wishes are learned of them, not clicks; return the model, too."""
    if bias is None or bias is False:
        return None, rows
    if rows.positions is None:
        raise DataError(
            "position_bias needs lessons that say at which place each row was shown; make them "
            "with Lessons.from_impressions, or leave position_bias out."
        )
    model = ExaminationModel() if bias is True else clone(bias)
    model.learn(rows.matrix, rows.bounds, rows.positions, rows.labels)
    trust = model.weights(rows.matrix, rows.positions, rows.labels)
    return model, rows._replace(weights=rows.weights * trust, trust=trust)


def grouped_places(positions: Array) -> Array:
    """Return the group of every place, int64 (n_places,): rare places are joined.

    Examples
    --------
    >>> grouped_places(np.repeat([1, 2, 3, 4], [500, 300, 150, 20])).tolist()
    [0, 1, 1, 1]
    """
    shown = np.bincount(positions)[1:]
    left = np.cumsum(shown[::-1])[::-1]
    groups = np.zeros(len(shown), np.int64)
    inside = 0
    for place in range(len(shown)):
        opens = place > 0 and inside >= _LEAST_SHOWN and left[place] >= _LEAST_SHOWN
        groups[place] = groups[place - 1] + opens if place else 0
        inside = shown[place] + (0 if opens else inside)
    return groups


def _settled(looks: Array, groups: Array, clicks: Floats, wish: Array) -> Array:
    """Return the looks of greatest likelihood, given how welcome each row is."""
    shown = np.bincount(groups, minlength=len(looks))
    for _ in range(_ROUNDS):
        look = looks[groups]
        seen = np.where(clicks > 0, 1, look * (1 - wish) / (1 - look * wish + 1e-12))
        before, looks = looks, np.bincount(groups, seen, len(looks)) / shown
        if np.abs(looks - before).max() < _SETTLED:
            break
    return np.maximum(looks, 1e-6)
