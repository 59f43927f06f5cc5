"""The verbs of whoever knows single users: forget them, and tell what is held of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from recopersona.base.acquainted import Acquainted
from recopersona.base.forgetting import REFIT_WITHIN, Gone, Stale
from recopersona.base.holdings import as_json, past_of
from recopersona.base.several import listed
from recopersona.data.dataset import Dataset
from recopersona.data.ids import UNKNOWN
from recopersona.data.types import Id, Indices


class Forgetful(Acquainted):
    """A part that forgets single users; what they taught it takes back, or names in ``stale_``."""

    _role: ClassVar[str] = "model"

    def _acquaint(self, dataset: Dataset) -> None:
        super()._acquaint(dataset)
        self.stale_: Stale | None = None

    # -- what a subclass writes --------------------------------------------------------------

    def _forget_users(self, users: Indices) -> None:
        """Blank what was learned about single users, beyond what the base keeps."""

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        """Take back what some users taught, whose past is gone; name what cannot be taken back."""
        raise NotImplementedError(f"{type(self).__name__} must write _unlearn(self, gone).")

    def _held_of(self, user: int) -> dict[str, Any]:
        """Return what is held of one user besides her past, as JSON has it."""
        return {}

    def _latest_moment(self) -> int | None:
        """Return how late it is, as far as anybody has told."""
        return self.end_

    # -- the verbs ---------------------------------------------------------------------------

    def forget(
        self, user_ids: Iterable[Id], *, at: Any = None, refit_within: Any = REFIT_WITHIN
    ) -> int:
        """Drop what is held of single users at once; return how many were known.

        What they taught is taken back where it can be, exactly: sums and counts are those of a
        model that never heard of them. What else they taught stays until the next ``fit`` without
        them, and ``stale_`` names it, and by when that fit is due; once it is overdue, the
        ``effects`` of every ranking say so.

        Parameters
        ----------
        user_ids : iterable of ids
            Unknown ones are fine.
        at : datetime, str or int, optional
            Now; by default the latest moment that the model has heard of.
        refit_within : duration
            How much later the next ``fit`` is due.

        Raises
        ------
        DataError, ParameterError
            If it is one id and no list, or no moment, or no duration.

        Examples
        --------
        >>> import pandas as pd
        >>> from recopersona.models.popularity import Popularity
        >>> events = pd.DataFrame({"user_id": [1, 2, 3], "item_id": ["tea", "tea", "salt"]})
        >>> model = Popularity().fit(events)
        >>> model.forget([1, 2]), model.recommend("a stranger").item_ids, model.stale_
        (2, ['salt', 'tea'], None)
        """
        self._check_fitted()
        wanted = listed(user_ids, "forget")
        users = np.unique(self.users_.indices(wanted))
        users = users[users != UNKNOWN]
        gone = Gone.of(users, self.past_, self._latest_moment() if at is None else at, refit_within)
        if len(users):
            self._forget_users(users)
            self.past_.forget(users.tolist())
            self._take_back(gone)
        return self.users_.forget(wanted)

    def held_of(self, user_ids: Iterable[Id]) -> dict[str, Any]:
        """Return everything that is held of single users, ready for JSON.

        Parameters
        ----------
        user_ids : iterable of ids

        Returns
        -------
        dict
            ``model`` (of a re-ranker ``reranker``), and ``users``: of each who is known her
            ``user_id``, ``past`` (items, kinds of events, weights), ``recent`` events with times
            (ISO 8601, UTC), and what else there is. Empty where nobody is known.

        Examples
        --------
        >>> import pandas as pd
        >>> from recopersona.models.popularity import Popularity
        >>> log = pd.DataFrame({"user_id": [1], "item_id": ["tea"], "timestamp": "2026-01-01"})
        >>> model = Popularity().fit(log)
        >>> model.held_of([1])["users"][0]["recent"]
        [{'item_id': 'tea', 'event': 'view', 'timestamp': '2026-01-01T00:00:00Z'}]
        >>> model.held_of(["a stranger"])
        {}
        """
        self._check_fitted()
        known = {one: self.users_.index(one) for one in listed(user_ids, "held_of")}
        told = [
            {
                "user_id": as_json(identifier),
                **past_of(self.past_, user, self.items_),
                **self._held_of(user),
            }
            for identifier, user in known.items()
            if user != UNKNOWN
        ]
        return {self._role: type(self).__name__, "users": told} if told else {}

    def _take_back(self, gone: Gone) -> list[str]:
        """Take back what some users taught, whose past is gone; remember what is left, name it."""
        left = list(dict.fromkeys(self._unlearn(gone)))
        self.stale_ = gone.left_in(self.stale_, left)
        return left
