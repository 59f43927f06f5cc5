import inspect

import numpy as np

import recopersona as rp
from recopersona.testing import check_recommender


class BoughtTogether(rp.Recommender):
    """Score an item by the share of its customers who also have what the visitor has."""

    damping: float = rp.param(rp.real(at_least=0, at_most=1), default=0.5)

    def _fit(self, dataset):
        taken = (dataset.matrix() > 0).astype(np.float32)
        together = (taken.T @ taken).toarray()
        customers = together.diagonal().copy()
        np.fill_diagonal(together, 0)
        self.share_ = together / np.maximum(customers, 1) ** self.damping

    def score_items(self, query, items=None):
        liked, weights = self.taste_of(query)
        known = liked < len(self.share_)
        scores = weights[known] @ self.share_[liked[known]]
        return np.where(scores > 0, scores, -np.inf)


def lines_of_code(kind):
    lines = inspect.getsource(kind).splitlines()
    return [line for line in lines if line.strip() and not line.strip().startswith('"""')]


def test_a_new_model_takes_25_lines_or_fewer():
    assert len(lines_of_code(BoughtTogether)) <= 25


def test_a_new_model_keeps_the_contract():
    check_recommender(BoughtTogether())


def test_a_new_model_recommends_what_goes_together():
    events = [
        rp.Event(u, i) for u, i in [(1, "tea"), (1, "cup"), (2, "tea"), (2, "cup"), (3, "tea")]
    ]
    model = BoughtTogether().fit([*events, rp.Event(4, "salt")])
    assert model.recommend(3, n=1).item_ids == ["cup"]
    assert model.recommend(3, n=1).sources == ["BoughtTogether"]
