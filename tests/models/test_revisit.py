import numpy as np
import pytest

import recopersona as rp
from recopersona.data.event import Event

DAY = 86_400


def at(day, user, item, kind="view"):
    return Event(user, item, kind, 1_700_000_000 + day * DAY)


def shown(model, query, n=3):
    ranking = model.recommend(query, n, seen=["purchase"])
    return [
        item
        for item, source in zip(ranking.item_ids, ranking.sources, strict=True)
        if source == "Revisit"
    ]


LOG = [
    at(0, "anna", "tea"), at(0, "anna", "tea"), at(6, "anna", "salt"),
    at(6, "ben", "honey", "cart"), at(6, "ben", "salt"),
]  # fmt: skip


def test_what_was_lately_comes_first():
    model = rp.Revisit(half_life="3d").fit(LOG)
    assert shown(model, "anna") == ["salt", "tea"]
    assert shown(model, "ben") == ["honey", "salt"]
    assert shown(model, "a stranger") == []


def test_scores_fade_by_half():
    model = rp.Revisit(half_life="3d").fit(LOG)
    scores = model.score_items(rp.Query("anna"))[model.items_.indices(["tea", "salt"])]
    np.testing.assert_allclose(scores, [2 * 2**-2, 1], rtol=1e-6)


@pytest.mark.parametrize("kind", ["purchase", "remove"])
def test_what_is_done_with_is_not_shown_until_she_looks_again(kind):
    model = rp.Revisit().fit(LOG).partial_fit(at(7, "ben", "honey", kind))
    query = rp.Query("ben")
    assert np.isinf(model.score_items(query)[model.items_.index("honey")])
    model.partial_fit(at(8, "ben", "honey"))
    assert np.isfinite(model.score_items(query)[model.items_.index("honey")])


def test_the_visit_counts_as_viewed_now():
    model = rp.Revisit().fit(LOG)
    assert shown(model, rp.Query("a stranger", session=["honey", "tea"])) == ["tea", "honey"]


def test_other_kinds_and_weights_can_be_named():
    model = rp.Revisit(event_weights={"view": 1}).fit(LOG)
    assert shown(model, "ben") == ["salt"]


def test_it_explains_by_the_item_itself():
    model = rp.Revisit().fit(LOG)
    frame = model.explain("ben", "honey")
    assert frame["evidence"].tolist() == ["honey"]
    assert frame["contribution"].sum() == pytest.approx(10)
