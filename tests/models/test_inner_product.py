"""Models of factors answer alike with an index and without."""

import numpy as np
import pytest

import recopersona as rp
from recopersona.kernels.blocks import limit_threads
from recopersona.models import inner_product, item_index
from recopersona.models.inner_product import InnerProduct
from recopersona.testing import recommender_checks
from recopersona.testing.comparing import expect_close

SHOP = rp.synthetic_shop(120, 90, random_state=3)


class Biased(InnerProduct):
    """Factors and biases that were drawn, and move with every event."""

    def _fit(self, dataset):
        random = np.random.default_rng(5)
        self.users_drawn_ = random.standard_normal((len(dataset.users), 6)).astype(np.float32)
        self.biases_ = random.standard_normal(len(dataset.items)).astype(np.float32)
        self._keep_items(random.standard_normal((len(dataset.items), 6)).astype(np.float32))

    def _vector(self, query):
        user = self.user_of(query)
        stored = 0 <= user < len(self.users_drawn_)
        return self.users_drawn_[user] if stored else np.zeros(6, np.float32)

    def _item_biases(self):
        return self.biases_

    def _user_vectors(self):
        return self.users_drawn_

    def _learn(self, rows):
        missing = len(self.items_) - len(self.item_factors_)
        self.item_factors_ = np.append(
            self.item_factors_, np.ones((missing, 6), np.float32), axis=0
        )
        self.biases_ = np.append(self.biases_, np.zeros(missing, np.float32))
        self.item_factors_[rows.items] += 0.25
        self.biases_[rows.items] += 0.5
        self.item_lengths_ = np.linalg.norm(self.item_factors_, axis=1)
        self._items_changed(rows.items)


@pytest.fixture
def always(monkeypatch):
    """Make an index of the smallest catalogue, and use it for lists of any length."""
    monkeypatch.setattr(inner_product, "_WORTH_AN_INDEX", 1)
    monkeypatch.setattr(inner_product, "_SHARE", 1)


def without_index(model, ask):
    index, model._index = model._index, None
    try:
        return ask(model)
    finally:
        model._index = index


MODELS = [lambda: rp.ALS(factors=8), Biased]


@pytest.mark.parametrize(
    "check", [pytest.param(check, id=name) for name, check in recommender_checks(rp.ALS(factors=4))]
)
def test_the_contract_holds_with_an_index(check, always):
    check()


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("seen", ["drop", "keep", ["purchase"]])
def test_one_many_and_all_scores_agree(make, seen, always):
    model = make().fit(SHOP)
    assert model._index is not None
    asked = [*SHOP.users.ids[:60].tolist(), "nobody", rp.Query(session=SHOP.items.ids[:3])]
    alone = [model.recommend(one, 12, seen=seen) for one in asked]
    together = model.rank_many(asked, 12, seen=seen)
    for one, other in zip(alone, together, strict=True):
        assert one.item_ids == other.item_ids
        assert (one.scores == other.scores).all()
        assert one.sources == other.sources
    plain = without_index(model, lambda it: it.rank_many(asked, 12, seen=seen))
    expect_close(plain, together, "the index must find what scoring finds")


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_frame_for_ids_is_the_frame_for_their_queries(make, threads, always):
    model = make().fit(SHOP)
    ids = [*SHOP.users.ids.tolist(), "nobody", SHOP.users.ids[0]]
    model.partial_fit([rp.Event(ids[3], SHOP.items.ids[5]), rp.Event("new", "thing")])
    ids.append("new")
    with limit_threads(threads):
        for n in (1, 7, 1_000):
            frame = model.recommend_many(ids, n)
            by_query = model.recommend_many([rp.Query(one) for one in ids], n)
            assert frame.equals(by_query)
            assert (frame.dtypes == by_query.dtypes).all()


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("n_asked", [3, 40])
def test_few_open_items_are_judged_singly_and_alike(make, n_asked, always, monkeypatch):
    model = make().fit(SHOP)
    model.partial_fit([rp.Event(SHOP.users.ids[3], SHOP.items.ids[5]), rp.Event("new", "thing")])
    queries = [rp.Query(user) for user in SHOP.users.ids[:n_asked]]
    few = np.zeros(len(model.items_), np.bool_)
    few[[5, 9, 40, 77, 81, len(few) - 1]] = True

    def found():
        return [
            (ranking.item_ids, ranking.scores.tolist())
            for ranking in model._rank(queries, 4, 0, few, fill=False)
        ]

    for name in ("_OPEN_SHARE", "_OPEN_SHARE_OF_MANY"):
        monkeypatch.setattr(item_index, name, 10**9)
    searched = found()
    for name in ("_OPEN_SHARE", "_OPEN_SHARE_OF_MANY"):
        monkeypatch.setattr(item_index, name, 2)
    for name in ("scan_codes", "scan_products"):
        monkeypatch.setattr(item_index, name, None)  # not called
    assert found() == searched


def test_items_that_changed_after_the_index_was_made_are_found(always):
    model = Biased().fit(SHOP)
    index = model._index
    users = SHOP.users.ids[:40].tolist()
    events = [rp.Event(user, item) for user, item in zip(users, SHOP.items.ids[:40], strict=True)]
    for event in [*events, rp.Event("new", "thing")]:
        model.partial_fit(event)
    assert model._index is index
    found = model.rank_many(users, 10)
    assert any("thing" in ranking.item_ids for ranking in found)
    expect_close(
        without_index(model, lambda it: it.rank_many(users, 10)), found, "changes must be found"
    )


def test_many_changes_make_the_index_anew(always, monkeypatch):
    monkeypatch.setattr("recopersona.models.item_index._CHANGED_AT_LEAST", 4)
    model = Biased().fit(SHOP)
    index = model._index
    users = SHOP.users.ids[:9].tolist()
    model.partial_fit([rp.Event(user, f"new {user}") for user in users])
    assert model._index is not index
    expect_close(
        without_index(model, lambda it: it.rank_many(users, 10)),
        model.rank_many(users, 10),
        "changes must be found",
    )


def test_an_index_is_in_no_file_and_made_again(always, tmp_path):
    model = rp.ALS(factors=8).fit(SHOP)
    rp.save(model, tmp_path / "model.rp")
    for mmap in (False, True):
        again = rp.load(tmp_path / "model.rp", mmap=mmap)
        assert again._index is not None
        asked = SHOP.users.ids.tolist()
        assert again.recommend_many(asked, 5).equals(model.recommend_many(asked, 5))


def test_factors_exchanged_for_fewer_are_not_searched_by_the_old_index(always):
    model = Biased().fit(SHOP)
    index = model._index
    model.item_factors_ = model.item_factors_[:50]
    assert model._index_for(5) is None
    assert index.n_items == len(SHOP.items)


def test_a_small_catalogue_has_no_index():
    assert rp.ALS(factors=8).fit(SHOP)._index is None


def test_long_lists_of_many_items_are_scored_in_small_blocks(always):
    model = rp.ALS(factors=8).fit(SHOP)
    assert model._block_size(5) == 1_024
    assert model._block_size(1_001) == 256


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")
def test_a_file_of_factors_that_are_no_numbers_is_answered_without_an_index_too(always, tmp_path):
    model = rp.ALS(factors=8).fit(SHOP)
    model.item_factors_[3], model.item_factors_[4, 1] = np.nan, np.inf
    model.item_factors_[5] *= np.float32(1e38)
    model.item_lengths_[6:9] = 0, np.nan, 1e30  # a file may say what it likes
    model.user_factors_[2] = np.nan
    rp.save(model, tmp_path / "model.rp")
    again = rp.load(tmp_path / "model.rp")
    users = SHOP.users.ids[:40].tolist()
    for few in (users[:5], users):
        found = again.rank_many(few, 10)
        plain = without_index(again, lambda it, few=few: it.rank_many(few, 10))
        assert [one.item_ids for one in found] == [one.item_ids for one in plain]
