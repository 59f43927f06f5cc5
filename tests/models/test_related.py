import itertools

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ParameterError

ITEMS = pd.DataFrame({
    "item_id": ["green", "black", "honey", "cup", "salt", "white"],
    "kind": ["tea", "tea", "sweet", "china", "spice", "tea"],
})  # fmt: skip


def log(visits, gap_hours=5):
    """Visits as (looked at, bought) pairs, one after another, each by a user of her own."""
    rows = []
    for number, (looked, bought) in enumerate(visits):
        start = pd.Timestamp("2026-01-01") + pd.Timedelta(hours=gap_hours * number)
        for place, item in enumerate(looked):
            for event in ("view", "purchase") if item in bought else ("view",):
                time = start + pd.Timedelta(minutes=place)
                rows.append((f"u{number}", item, event, time))
    return pd.DataFrame(rows, columns=["user_id", "item_id", "event", "timestamp"])


TOY = [
    (["green", "black", "honey"], {"green", "honey"}),
    (["black", "green"], {"black"}),
    (["black", "green", "honey"], {"black", "honey"}),
    (["cup"], {"cup"}),
    (["salt"], {"salt"}),
    (["cup", "salt"], set()),
] * 10


def model(visits=TOY, **options):
    return rp.RelatedItems(**options).fit(rp.Dataset.from_frames(log(visits), items=ITEMS))


def twin(visits, shrink=5.0):
    """Counts of pairs and lifts, by hand."""
    names = ITEMS["item_id"].tolist()
    bought, looked, together, instead = {}, {}, {}, {}
    for seen, kept in visits:
        for item in seen:
            looked[item] = looked.get(item, 0) + 1
            bought[item] = bought.get(item, 0) + (item in kept)
        for one, other in itertools.permutations(seen, 2):
            both = one in kept and other in kept
            together[one, other] = together.get((one, other), 0) + both
            only_the_other = one not in kept and other in kept
            instead[one, other] = instead.get((one, other), 0) + (not both) + only_the_other
    baskets = sum(bool(kept) for _, kept in visits)
    lift = {
        (one, other): (together.get((one, other), 0) + shrink)
        / (bought.get(one, 0) * bought.get(other, 0) / baskets + shrink)
        for one, other in itertools.permutations(names, 2)
    }
    return together, instead, looked, lift


def test_tea_goes_with_honey_and_one_tea_stands_for_another():
    fitted = model()
    for tea, other in (("green", "black"), ("black", "green")):
        assert fitted.complements(tea, n=1).item_ids == ["honey"]
        assert fitted.substitutes(tea, n=1).item_ids == [other]
        assert fitted.similar_items(tea, n=1).item_ids == [other]
    assert set(fitted.complements("honey", n=2).item_ids) == {"green", "black"}


def test_counts_and_lifts_are_those_by_hand():
    together, instead, looked, lift = twin(TOY)
    fitted = model(borrow=0, likeness=0.0)
    names = ITEMS["item_id"].tolist()
    assert (fitted.n_visits_, fitted.n_baskets_) == (60, 50)
    for one, other in itertools.permutations(range(6), 2):
        pair = names[one], names[other]
        assert fitted.together_[one, other] == together.get(pair, 0)
        assert fitted.instead_[one, other] == instead.get(pair, 0)
        says = dict(zip(*map(np.ndarray.tolist, fitted._lifts(one)), strict=True))
        fair = lift[pair] if together.get(pair, 0) and lift[pair] > 1 else -np.inf
        assert says.get(other, -np.inf) == pytest.approx(fair)
        if instead.get(pair, 0):
            chance = looked[pair[0]] * looked[pair[1]] / 60
            fair = (instead[pair] + 5) / (chance + 5) / max(1, lift[pair])
            assert fitted._instead_of(one)[other] == pytest.approx(fair, rel=1e-5)


def test_what_is_bought_together_is_no_substitute():
    fitted = model(likeness=0.0)
    scores = dict(
        zip(*(lambda r: (r.item_ids, r.scores))(fitted.substitutes("green")), strict=True)
    )
    assert scores["black"] > scores["honey"]


def test_an_item_without_events_goes_by_its_look_alikes():
    fitted = model()
    assert fitted.complements("white", n=1).item_ids == ["honey"]
    assert fitted.complements("white", n=1).sources == ["RelatedItems"]
    assert set(fitted.substitutes("white", n=2).item_ids) == {"green", "black"}
    fitted.update_items(pd.DataFrame({"item_id": ["oolong"], "kind": ["tea"]}))
    assert fitted.complements("oolong", n=1).item_ids == ["honey"]
    assert set(fitted.substitutes("oolong", n=3).item_ids) == {"green", "black", "white"}


def test_an_item_borrows_only_what_it_misses():
    fitted = model(borrow=10)
    white = ITEMS["item_id"].tolist().index("white")
    assert fitted._baskets(white)[-1] == pytest.approx(10)
    assert fitted._baskets(0)[-1] == fitted.bought_[0] == 10
    assert model(borrow=0).complements("white", n=1).sources == ["fallback: popularity"]


def test_as_a_recommender_it_completes_the_cart():
    fitted = model()
    cart = rp.Query(session=["green"], context={"page": "cart"})
    ranking = fitted.recommend(cart, n=1)
    assert (ranking.item_ids, ranking.sources) == (["honey"], ["RelatedItems"])
    gain = np.log(twin(TOY)[3]["green", "honey"])
    assert ranking.scores == pytest.approx([gain])
    assert fitted.explain(cart, "honey").to_dict("list") == {
        "component": ["bought together"], "evidence": ["green"],
        "contribution": [pytest.approx(gain)],
    }  # fmt: skip
    assert fitted.recommend(rp.Query(history={"green": 2.0}), n=1).scores == pytest.approx(2 * gain)


def test_visits_end_by_sessions_or_pauses():
    one_user = log(TOY).assign(user_id="u")
    fitted = rp.RelatedItems().fit(one_user)
    assert fitted.n_visits_ == 60
    assert rp.RelatedItems(gap="6h").fit(one_user).n_visits_ == 1
    numbered = one_user.assign(session_id=np.arange(len(one_user)) // 50)
    assert rp.RelatedItems().fit(numbered).n_visits_ == numbered["session_id"].nunique()
    assert rp.RelatedItems().fit(log(TOY).drop(columns="timestamp")).n_visits_ == 60


def test_what_was_sent_back_was_not_bought():
    back = log([(["green", "honey"], {"green", "honey"})]).assign(event="return")
    back["timestamp"] += pd.Timedelta(days=1)
    fitted = rp.RelatedItems().fit(
        pd.concat([log([(["green", "honey"], {"green", "honey"})]), back], ignore_index=True)
    )
    assert fitted.n_baskets_ == 0
    assert fitted.bought_.tolist() == [0, 0]


def test_of_long_visits_what_was_bought_counts_first():
    items = [f"i{k}" for k in range(50)]
    fitted = rp.RelatedItems(max_visit_items=3).fit(log([(items, {"i7", "i9"})]))
    assert fitted.n_left_out_ == 47
    assert fitted.together_.nnz == 2
    assert fitted.instead_.nnz == 4 + 0  # both ways between the one looked at and the two bought


def test_whatever_is_unknown_is_answered_with_popular_items():
    views = pd.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "y"]})
    fitted = rp.RelatedItems().fit(views)
    for item in ("x", "nothing known", None):
        for ranking in (fitted.complements(item), fitted.substitutes(item)):
            assert set(ranking.sources) == {"fallback: popularity"}
            assert len(ranking) == 2 - (item == "x")
    assert fitted.complements("gold").effects == ("unknown item 'gold'",)
    assert len(fitted.recommend(rp.Query(session=["x"] * 10_000))) == 1


def test_a_loaded_model_says_the_same(tmp_path):
    fitted = model()
    rp.save(fitted, tmp_path / "related")
    again = rp.load(tmp_path / "related")
    for ask in ("complements", "substitutes"):
        one, other = getattr(fitted, ask)("green"), getattr(again, ask)("green")
        assert one.to_frame().equals(other.to_frame())


@pytest.mark.parametrize(
    ("options", "words"),
    [({"shrink": 0}, "shrink must be a finite number of above 0|shrink must be a finite number"),
     ({"gap": "soon"}, "gap must be a duration"), ({"borrow": -1}, "borrow must be an integer"),
     ({"likeness": -1}, "likeness must be a finite number"),
     ({"max_visit_items": 0}, "max_visit_items must be an integer of at least 1")],
)  # fmt: skip
def test_parameters_have_bounds(options, words):
    with pytest.raises(ParameterError, match=words):
        model(**options)
    with pytest.raises(ParameterError, match="complements: n must be an integer of at least 1"):
        model().complements("green", n=0)
