"""Rules from their text to the page: all eight kinds, wherever the candidates come from."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import recopersona as rp
from recopersona.errors import ArtifactError, ParameterError, RuleError, UnmetRuleError
from recopersona.rules import Exclude, Limit, RuleSet, item
from tests.rules.eight import TEXT

DAY = 86_400_000
NOW = 1_782_000_000_000  # 21 June 2026
N_ITEMS = 60


def catalogue(n=N_ITEMS):
    number = np.arange(n)
    return pd.DataFrame({
        "item_id": [f"i{k}" for k in number],
        "stock": np.where(number % 10 == 3, 0, 5),
        "price": 1.0 + number,
        "brand": [f"brand {k % 6}" for k in number],
        "discount": np.where(number % 4 == 0, 0.2, 0.0),
        "sponsored": number >= n - 2,
        "adult": number % 12 == 1,
        "created_at": pd.to_datetime(NOW - np.where(number % 7 == 6, 5, 400) * DAY, unit="ms"),
    })  # fmt: skip


def customers():
    return pd.DataFrame({
        "user_id": [f"u{k}" for k in range(30)],
        "age": [None if k % 3 == 0 else 15 if k % 3 == 1 else 40 for k in range(30)],
        "price_lo": 0.0,
        "price_hi": [None if k == 5 else 80.0 for k in range(30)],
    })  # fmt: skip


def events():
    """The first items are the favourites; the last ones are hardly known."""
    random = np.random.default_rng(3)
    rows = pd.DataFrame({
        "user_id": [f"u{k}" for k in random.integers(0, 30, 600)],
        "item_id": [f"i{int(N_ITEMS * k**2)}" for k in random.random(600)],
        "event": random.choice(["view", "cart", "purchase"], 600),
        "timestamp": NOW - random.integers(1, 200, 600) * DAY,
    })  # fmt: skip
    return rows.sort_values("timestamp", kind="stable")


SHOP = rp.Dataset.from_frames(events(), items=catalogue(), users=customers(), now=NOW)
TABLE = catalogue().set_index("item_id")
PARTS = [rp.ItemKNN(k=20), rp.Popularity()]
EIGHT = TEXT.replace("2026-07-01..2026-07-31", "2026-06-01..2026-07-31")


def home(rules, shop=SHOP, **options):
    return rp.Pipeline(**{"candidates": PARTS, **options}, rules=rules).fit(shop)


@pytest.fixture(scope="module")
def eight():
    return home(EIGHT)


def ask(user="u2", **said):
    return rp.Query(user, now=NOW, **said)


def column(ranking, name):
    return TABLE.loc[ranking.item_ids, name].tolist()


# -- the eight rules -------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["u0", "u1", "u2", "u5", "a stranger"])
@pytest.mark.parametrize("seen", ["drop", "keep"])
def test_all_eight_rules_hold_on_every_page(eight, user, seen):
    ranking = eight.recommend(ask(user), n=10, seen=seen)
    assert len(set(ranking.item_ids)) == 10
    assert min(column(ranking, "stock")) > 0
    bought = SHOP.history().did(SHOP.users.index(user), "purchase", within=90 * DAY, now=NOW)
    assert not set(SHOP.items.ids[bought]) & set(ranking.item_ids)
    assert column(ranking, "sponsored")[2]
    assert max(pd.Series(column(ranking, "brand")).value_counts()) <= 2
    ages = NOW - pd.DatetimeIndex(column(ranking, "created_at")).as_unit("ms").asi8
    assert (ages <= 30 * DAY).sum() >= 2
    if user not in ("u2", "u5"):
        assert not any(column(ranking, "adult"))
    assert ranking.account.unmet == ()


def test_whoever_looks_at_much_is_still_shown_nothing_she_bought(tmp_path):
    time = [NOW - 30 * DAY, *(NOW - 29 * DAY + n for n in range(500))]
    item = ["i0", *(f"i{1 + n % 50}" for n in range(500))]
    kind = ["purchase", *(500 * ["view"])]
    log = pd.DataFrame({"user_id": "u1", "item_id": item, "event": kind, "timestamp": time})
    others = events().query("user_id != 'u1'")
    rules = "RULE no_repeat: EXCLUDE DID purchase WITHIN 90d"
    build = lambda log: rp.Pipeline(candidates=PARTS, rules=rules).fit(  # noqa: E731
        rp.Dataset.from_frames(log, items=catalogue(), now=NOW)
    )
    batch, online = build(pd.concat([others, log])), build(others)
    for event in log.itertuples(index=False):
        online.partial_fit(rp.Event(*event[:3], event.timestamp))
    online.save(tmp_path / "home")
    for one in (batch, online, rp.load(tmp_path / "home")):
        page = one.recommend(ask("u1"), n=N_ITEMS, seen="keep")
        assert set(page.item_ids) == {f"i{n}" for n in range(1, N_ITEMS)}
        assert page.effects[0] == f"no_repeat left out 1 of {N_ITEMS} items"
        assert not any("nobody" in line for line in page.effects)
        later = rp.Query("u1", now=NOW + 61 * DAY)
        assert "i0" in one.recommend(later, n=N_ITEMS, seen="keep").item_ids


def test_effects_say_what_the_rules_did(eight):
    effects = eight.recommend(ask("u0"), n=10).effects
    assert "in_stock left out 6 of 60 items" in effects
    assert any("adult_guard" in line and "unknown" in line for line in effects)


def test_without_rules_they_would_not_hold():
    ranking = home(None).recommend(ask("a stranger"), n=10)
    assert not column(ranking, "sponsored")[2]
    assert ranking.account is None


def test_a_boost_moves_items_up_and_tells_its_share():
    plain = home(None).recommend(ask(), n=30)
    boosted = home("RULE sale: BOOST item.discount > 0 BY 5").recommend(ask(), n=30)

    def mean_rank(ranking):
        return np.flatnonzero(np.array(column(ranking, "discount")) > 0)[:5].mean()

    assert mean_rank(boosted) < mean_rank(plain)
    best = next(one for one in boosted.item_ids if TABLE.loc[one, "discount"] > 0)
    shares = boosted.explain(best)
    assert shares.set_index("component").loc["rules", "contribution"] > 0
    place = boosted.item_ids.index(best)
    assert shares["contribution"].sum() == pytest.approx(float(boosted.scores[place]), rel=1e-5)


def test_a_boost_keeps_its_strength_whatever_the_scale_of_the_scores():
    def louder(query, ranking):
        return ranking.rescored(ranking.scores * 1_000 - 7)

    rule = "BURY item.discount > 0 BY 3"
    quiet, loud = home(rule).recommend(ask(), 30), home(rule, ranker=louder).recommend(ask(), 30)
    own = [source != "fallback: popularity" for source in quiet.sources]
    assert quiet.take(own).item_ids == loud.take(own).item_ids


# -- full lists --------------------------------------------------------------------------------


def big_shop():
    random = np.random.default_rng(5)
    rows = pd.DataFrame({
        "user_id": [f"u{k}" for k in random.integers(0, 50, 3_000)],
        "item_id": [f"i{int(450 * k**2)}" for k in random.random(3_000)],
    })  # fmt: skip
    return rp.Dataset.from_frames(rows, items=catalogue(500))


def test_a_filter_that_leaves_15_of_500_shortens_no_list():
    shop = big_shop()
    pipeline = home("RULE dear: REQUIRE item.price > 485", shop, pool=20)
    rankings = pipeline.rank_many(["u1", "u2", "a stranger"], n=10)
    assert all(len(set(ranking.item_ids)) == 10 for ranking in rankings)
    whole = pipeline.recommend("u1", n=20)
    assert len(whole) == 15
    assert "only 15 of 20 items may be shown" in whole.effects


@pytest.mark.parametrize("parts", [[rp.ItemKNN(k=5)], [rp.ItemKNN(k=5), rp.Popularity()]])
def test_pins_and_quotas_are_served_from_outside_the_pool(parts):
    rules = "PIN item.sponsored AT 2; RULE old: ENSURE 3 WHERE item.price > 400"
    pipeline = home(rules, big_shop(), candidates=parts, pool=5)
    for ranking in pipeline.rank_many(["u1", "a stranger"], n=8):
        names = ranking.item_ids
        assert names[1] in ("i498", "i499")
        assert sum(int(name[1:]) >= 400 for name in names) >= 3
        assert len(set(names)) == 8
        assert ranking.account.unmet == ()


class LastFirst(rp.Recommender):
    """Loves what is last in the catalogue, which is what nobody wants."""

    def _fit(self, dataset):
        self.scores_ = np.arange(len(dataset.items), dtype=np.float32)

    def score_items(self, query, items=None):
        return self.scores_


def test_the_models_choose_whom_to_add_and_they_stand_behind_the_pool():
    pipeline = home(
        "RULE middle: ENSURE 2 WHERE item.price BETWEEN 21 AND 30",
        candidates=[LastFirst()],
        pool=20,
    )
    ranking = pipeline.recommend("a stranger", n=10)
    assert ranking.item_ids == [f"i{k}" for k in range(59, 51, -1)] + ["i29", "i28"]
    assert set(ranking.sources) == {"lastfirst"}
    assert ranking.scores[-2:] == pytest.approx([1 / (60 + 21), 1 / (60 + 22)])


def test_the_models_are_asked_for_brands_that_have_room():
    table = catalogue().assign(brand=[f"rare {k}" for k in range(20)] + ["common"] * 40)
    shop = rp.Dataset.from_frames(events(), items=table, now=NOW)
    pipeline = home("LIMIT 1 PER item.brand", shop, candidates=[LastFirst()], pool=20)
    ranking = pipeline.recommend("a stranger", n=5)
    assert ranking.item_ids == ["i59", "i19", "i18", "i17", "i16"]
    assert set(ranking.sources) == {"lastfirst"}


def test_a_cap_finds_other_brands_outside_the_pool():
    table = catalogue(500).assign(brand=["common"] * 490 + [f"rare {k}" for k in range(10)])
    random = np.random.default_rng(5)
    rows = pd.DataFrame({
        "user_id": [f"u{k}" for k in random.integers(0, 50, 3_000)],
        "item_id": [f"i{int(450 * k**2)}" for k in random.random(3_000)],
    })  # fmt: skip
    shop = rp.Dataset.from_frames(rows, items=table)
    brands = table.set_index("item_id")["brand"]
    ranking = home("LIMIT 2 PER item.brand", shop, pool=30).recommend("u1", n=10)
    assert max(brands[ranking.item_ids].value_counts()) <= 2
    assert len(ranking) == 10
    ranking = home("RULE cap: LIMIT 2 PER item.brand", shop, pool=30).recommend("u1", n=20)
    assert len(ranking) == 20  # 2 of the common brand and 10 others: the cap yields
    assert ranking.account.unmet == ("cap",)
    assert any(effect.startswith("cap") for effect in ranking.effects)


def test_one_brand_alone_still_fills_the_page():
    shop = rp.Dataset.from_frames(events(), items=catalogue().assign(brand="one"), now=NOW)
    ranking = home("RULE cap: LIMIT 2 PER item.brand", shop).recommend("u1", n=10)
    assert len(ranking) == 10
    assert any(effect.startswith("cap") for effect in ranking.effects)


def test_what_a_stage_shortens_is_filled_up_under_the_rules():
    def only_three(query, ranking):
        return ranking.top(3)

    ranking = home(EIGHT, reranker=only_three).recommend(ask(), n=10)
    assert len(ranking) == 10
    assert ranking.account.unmet == ()
    assert column(ranking, "sponsored")[2]


def test_a_pin_brings_nothing_back():
    pipeline = home('PIN item.id IN ("i0", "i3", "i50") AT 1; REQUIRE item.stock > 0')
    seen = SHOP.items.ids[SHOP.history().seen(SHOP.users.index("u1"))]
    assert "i0" in seen
    names = pipeline.recommend("u1", n=10).item_ids
    assert names[0] == "i50"
    assert not {"i0", "i3"} & set(names)
    ranking = home('RULE top: PIN item.id = "i0" AT 1', pool=1).recommend("u1", n=10)
    assert ranking.account.unmet == ("top",)
    assert "i0" not in ranking.item_ids


def test_strict_raises_and_the_others_tell():
    rule = "RULE many: ENSURE 90% WHERE item.age <= 30d"
    ranking = home(rule).recommend(ask("a stranger"), n=10)
    assert ranking.account.unmet == ("many",)
    assert any(effect.startswith("many: wanted 9, got 8") for effect in ranking.effects)
    with pytest.raises(UnmetRuleError, match="many"):
        home(rule + " STRICT").recommend(ask("a stranger"), n=10)
    can_be_met = home("ENSURE 80% WHERE item.age <= 30d STRICT", pool=1)
    assert len(can_be_met.recommend(ask("a stranger"), n=10)) == 10


# -- one and many ------------------------------------------------------------------------------


def test_a_batch_answers_like_single_questions(eight):
    asked = [ask(f"u{k}") for k in range(30)] + [ask("a stranger"), rp.Query(session=["i4"])]
    for n in (3, 10, 40):
        batch = eight.rank_many(asked, n)
        for query, ranking in zip(asked, batch, strict=True):
            single = eight.recommend(query, n)
            assert single.item_ids == ranking.item_ids
            assert single.scores == pytest.approx(ranking.scores)
            assert single.effects == ranking.effects
    frame = eight.recommend_many(asked, 10)
    assert frame["item_id"].tolist() == [i for r in eight.rank_many(asked, 10) for i in r.item_ids]


def test_models_are_asked_together_for_all_who_may_see_the_same(monkeypatch):
    pipeline = home("REQUIRE item.stock > 0; EXCLUDE item.adult WHEN user.age < 18")
    sizes = []
    model = pipeline.candidates_["popularity"]
    rank = type(model)._rank

    def counted(self, queries, *args, **options):
        sizes.append(len(queries))
        return rank(self, queries, *args, **options)

    monkeypatch.setattr(type(model), "_rank", counted)
    pipeline.rank_many([f"u{k}" for k in range(30)])
    assert sorted(sizes) == [10, 20]


# -- in any form, kept, cloned -------------------------------------------------------------------


def dear(items):
    return items["price"] > 10


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rules.txt"
    path.write_text("RULE in_stock: REQUIRE item.stock > 0", encoding="utf-8")
    return path


def forms(file):
    text = "RULE in_stock: REQUIRE item.stock > 0"
    return [text, [text], RuleSet(text), RuleSet(text)[0], file, [file], (RuleSet(text),)]


def test_rules_come_in_many_forms(file):
    pipelines = [home(form) for form in forms(file)]
    for form, pipeline in zip(forms(file), pipelines, strict=True):
        assert pipeline.rules == form
        assert pipeline.rules_ == pipelines[0].rules_ == RuleSet(forms(file)[0])
        names = pipelines[0].recommend("u1").item_ids
        assert pipeline.recommend("u1").item_ids == names


def test_forms_and_functions_may_be_mixed(file):
    mixed = [file, dear, Exclude(item.adult, name="no_adult"), "LIMIT 1 PER item.brand IN TOP 5"]
    pipeline = home(mixed)
    assert pipeline.rules_.labels == ("in_stock", "no_adult", "rule 3")
    assert pipeline.functions_ == [dear]
    ranking = pipeline.recommend("u1", n=10)
    assert min(column(ranking, "price")) > 10
    assert not any(column(ranking, "adult"))
    assert len(set(column(ranking.top(5), "brand"))) == 5
    assert "dear left out 10 of 60 items" in ranking.effects


def test_one_text_says_the_time_zone_for_all():
    pipeline = home(['TIMEZONE "Asia/Tokyo" REQUIRE item.stock > 0', Limit(2, per=item.brand)])
    assert pipeline.rules_.timezone == "Asia/Tokyo"


BAD = {
    "a number": (7, ParameterError, "Pipeline: rules must be text of the rule language"),
    "a function of three": (lambda a, b, c: a, ParameterError, "functions of \\(items\\)"),
    "nonsense": ("stock > 0", RuleError, "line 1 col 1"),
    "an unknown field": (
        ["REQUIRE item.stock > 0", "EXCLUDE\n item.brnd = 'x'"], RuleError, "line 2 col 2.*brnd"),
    "a column of users": ("REQUIRE item.price < user.budget", RuleError, "col 22.*budget"),
    "two of a name": (["RULE a: EXCLUDE item.adult"] * 2, RuleError, "'?a'?"),
    "no such file": (Path("nowhere.txt"), RuleError, "nowhere.txt"),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "kind", "words"), BAD.values(), ids=BAD)
def test_bad_rules_are_refused_by_fit_and_by_with_rules(rules, kind, words):
    with pytest.raises(kind, match=f"(?s){words}"):
        home(rules)
    with pytest.raises(kind, match=f"(?s){words}"):
        home(None).with_rules(rules)


def test_a_rule_of_users_needs_a_table_of_users():
    shop = rp.Dataset.from_frames(events(), items=catalogue(), now=NOW)
    with pytest.raises(RuleError, match=r"user\.age"):
        home(EIGHT, shop)
    assert len(home("REQUIRE item.stock > 0; PIN item.sponsored AT 1", shop).recommend("u1")) == 10


def test_a_file_keeps_rules_in_any_form(file, tmp_path):
    mixed = [EIGHT, file.with_name("more.txt"), Exclude(item.adult, name="no_adult"), dear]
    file.with_name("more.txt").write_text("LIMIT 5 PER item.brand", encoding="utf-8")
    pipeline = home(mixed)
    users = [ask(f"u{k}") for k in range(30)]
    pipeline.save(tmp_path / "home.rp")
    file.with_name("more.txt").unlink()
    loaded = rp.load(tmp_path / "home.rp", functions=[dear])
    assert loaded.rules == mixed
    assert loaded.rules_ == pipeline.rules_
    assert loaded.recommend_many(users).equals(pipeline.recommend_many(users))


def test_a_file_keeps_a_rule_set_as_text(tmp_path):
    rules = RuleSet(EIGHT, timezone="Europe/Berlin")
    home(rules).save(tmp_path / "home.rp")
    assert "ENSURE 20%" in (tmp_path / "home.rp" / "manifest.json").read_text()
    assert rp.load(tmp_path / "home.rp").rules_ == rules


def test_bad_rules_in_a_file_are_refused(tmp_path):
    path = tmp_path / "home.rp"
    home(RuleSet("REQUIRE item.stock > 0")).save(path)
    manifest = (path / "manifest.json").read_text()
    for wrong in ("REQUIRE item.stok > 0", "REQUIRE item.stock >", "EXCLUDE"):
        (path / "manifest.json").write_text(manifest.replace("REQUIRE item.stock > 0", wrong))
        with pytest.raises(ArtifactError, match="is damaged"):
            rp.load(path)


def test_parameters_stay_as_given_and_clones_are_alike():
    rules = [RuleSet(EIGHT), dear]
    pipeline = home(rules)
    assert pipeline.get_params()["rules"] is rules
    twin = clone(pipeline)
    assert twin.rules == rules
    assert twin.set_params(rules="EXCLUDE item.adult").rules == "EXCLUDE item.adult"
    assert "in_stock" in repr(pipeline)
    assert "Pipeline" in pipeline._repr_html_()


def pickled(pipeline):
    return pickle.loads(pickle.dumps(pipeline))  # noqa: S301 - our own


@pytest.mark.parametrize("make", [copy.deepcopy, pickled])
def test_a_copy_has_rules_of_its_own(make):
    pipeline = home(EIGHT)
    first = pipeline.recommend(ask(), n=1).item_ids[0]
    twin = make(pipeline)
    twin.update_items(pd.DataFrame({"item_id": [first], "stock": [0]}))
    assert first not in twin.recommend(ask(), n=10).item_ids
    assert pipeline.recommend(ask(), n=1).item_ids == [first]


# -- what changes --------------------------------------------------------------------------------


def test_the_next_answer_obeys_the_stock_of_now():
    pipeline = home(EIGHT)
    first = pipeline.recommend(ask(), n=10).item_ids[0]
    pipeline.update_items(pd.DataFrame({"item_id": [first], "stock": [0]}))
    after = pipeline.recommend(ask(), n=10)
    assert first not in after.item_ids
    assert "in_stock left out 7 of 60 items" in after.effects
    pipeline.update_items(pd.DataFrame({"item_id": [first], "stock": [1]}))
    assert pipeline.recommend(ask(), n=10).item_ids[0] == first


def test_new_items_and_events_count_at_once():
    pipeline = home(EIGHT)
    fresh = {"stock": [5], "price": [9.0], "adult": [False], "created_at": [NOW - DAY]}
    pipeline.update_items(pd.DataFrame({"item_id": ["new"], "brand": "brand new", **fresh}))
    assert "new" in pipeline.recommend(ask("a stranger"), n=62).item_ids
    pipeline.partial_fit(rp.Event("u2", "never described", "purchase", NOW))
    assert "never described" not in pipeline.recommend(ask(), n=62).item_ids  # its stock is unknown
    first = pipeline.recommend(ask("somebody"), n=1).item_ids[0]
    pipeline.partial_fit(rp.Event("somebody", first, "purchase", NOW))
    assert first not in pipeline.recommend(ask("somebody"), n=62, seen="keep").item_ids


def test_a_customers_row_counts_from_the_next_question():
    pipeline = home("EXCLUDE item.adult WHEN user.age < 18")
    assert any(column(pipeline.recommend("u2", n=55, seen="keep"), "adult"))
    pipeline.update_users(pd.DataFrame({"user_id": ["u2"], "age": [11.0]}))
    assert not any(column(pipeline.recommend("u2", n=55, seen="keep"), "adult"))


def test_a_campaign_begins_and_ends_in_its_time_zone():
    text = """TIMEZONE "Asia/Tokyo"
    RULE week: PIN item.sponsored AT 1 DURING 2026-07-01..2026-07-07"""
    pipeline = home(text)

    def pinned(moment):
        return column(pipeline.recommend(rp.Query("u2", now=moment), n=3), "sponsored")[0]

    assert not pinned("2026-06-30T14:59:59Z")
    assert pinned("2026-06-30T15:00:00Z")
    assert pinned("2026-07-07T14:59:59Z")
    assert not pinned("2026-07-07T15:00:00Z")


def test_context_and_parameters_come_with_the_question():
    pipeline = home("REQUIRE item.price <= $most WHEN ctx.page = 'cart'")
    cart = rp.Query("u2", context={"page": "cart"}, params={"most": 30})
    assert max(column(pipeline.recommend(cart, n=10), "price")) <= 30
    assert max(column(pipeline.recommend("u2", n=40, seen="keep"), "price")) > 30


# -- what ifs and reports ------------------------------------------------------------------------


def test_other_rules_need_no_new_fit(eight):
    before = eight.recommend(ask(), n=10).item_ids
    what_if = eight.with_rules("RULE cheap: REQUIRE item.price < 20")
    assert what_if.candidates_["itemknn"] is eight.candidates_["itemknn"]
    assert max(column(what_if.recommend(ask(), n=10), "price")) < 20
    assert what_if.rules == "RULE cheap: REQUIRE item.price < 20"
    assert eight.recommend(ask(), n=10).item_ids == before
    assert eight.with_rules(None).recommend(ask(), n=10).effects == ()
    assert eight.with_rules(dear).recommend(ask(), n=10).effects == (
        "dear left out 10 of 60 items",
    )


def test_pipelines_that_share_a_catalogue_learn_of_its_changes_together():
    pipeline = home(EIGHT)
    what_if = pipeline.with_rules("REQUIRE item.stock > 0")
    first = what_if.recommend(ask(), n=1).item_ids[0]
    pipeline.update_items(pd.DataFrame({"item_id": [first], "stock": [0]}))
    assert first not in what_if.recommend(ask(), n=60).item_ids


def test_whoever_is_forgotten_is_forgotten_under_all_rules():
    pipeline = home(EIGHT)
    what_if = pipeline.with_rules(None)
    decision = what_if.recommend("u2").decision_id
    pipeline.forget(["u2"])
    assert not what_if.feedback(decision)


def test_explain_names_the_rule(eight):
    assert eight.explain(ask(), "i3")["component"].tolist() == ["left out by in_stock"]
    kept = home([EIGHT, dear])
    assert kept.explain(ask("a stranger"), "i0")["component"].tolist() == ["left out by dear"]
    sponsor = eight.recommend(ask(), n=10).item_ids[2]
    assert not eight.explain(ask(), sponsor)["component"].str.startswith("left out").any()


def test_the_rules_explain_a_page(eight):
    ranking = eight.recommend(ask(), n=10)
    frame = eight.rules_.explain(ranking)
    pinned = frame[frame["effect"] == "pinned"]
    assert pinned[["rank", "rule"]].to_numpy().tolist() == [[3, "sponsor"]]
    assert eight.rules_.explain(ranking, "i3")["rule"].tolist() == ["in_stock"]


def test_score_items_knows_no_forbidden_item(eight):
    scores = eight.score_items(ask())
    assert not np.isfinite(scores[SHOP.items.index("i3")])
    assert np.isfinite(scores).any()


# -- within others -------------------------------------------------------------------------------


def test_rules_hold_inside_other_recommenders(eight):
    inner = rp.Pipeline(candidates=PARTS, rules="RULE cap: LIMIT 1 PER item.brand IN TOP 5")
    outer = home("RULE in_stock: REQUIRE item.stock > 0", candidates=[("inner", inner)])
    ranking = outer.recommend(ask(), n=5)
    assert min(column(ranking, "stock")) > 0
    assert len(set(column(ranking, "brand"))) == 5
    switch = rp.Switch(models={"known": inner}, default=rp.Popularity()).fit(SHOP)
    assert len(set(column(switch.recommend(ask(), n=5), "brand"))) == 5
    pinned = rp.Pipeline(candidates=PARTS, rules="PIN item.sponsored AT 1, 2")
    fallback = rp.Fallback(models=[("home", pinned), rp.Popularity()]).fit(SHOP)
    assert column(fallback.recommend("a stranger", n=5), "sponsored")[:2] == [True, True]
    first = switch.recommend(ask(), n=1).item_ids[0]
    inside = outer.candidates_["inner"]
    outer.update_items(pd.DataFrame({"item_id": [first], "stock": [0]}))
    assert inside.item_features_.ids is outer.items_
    assert first not in outer.recommend(ask(), n=5).item_ids


def test_whoever_a_switch_lets_answer_fills_the_page_under_its_own_rules():
    rules = "REQUIRE item.stock > 0; PIN item.sponsored AT 1; LIMIT 1 PER item.brand IN TOP 3"
    inner = rp.Pipeline(candidates=[rp.ItemKNN(k=20)], rules=rules)
    switch = rp.Switch(models={"known": rp.Popularity()}, default=inner).fit(SHOP)
    ranking = switch.recommend("a stranger", n=N_ITEMS)  # of whom the models know nothing
    assert (
        ranking.item_ids
        == home(rules, candidates=[rp.ItemKNN(k=20)]).recommend("a stranger", n=N_ITEMS).item_ids
    )
    assert min(column(ranking, "stock")) > 0
    assert column(ranking, "sponsored")[0]
    latest = pd.DataFrame({"user_id": ["new"] * 900, "item_id": ["i58"] * 900})
    switch.partial_fit(latest.assign(timestamp=NOW))
    assert switch.recommend("a stranger", n=2).item_ids == ["i58", "i0"]  # popular by now


def test_what_all_models_of_a_fallback_forbid_fills_no_list():
    inner = rp.Pipeline(candidates=[rp.ItemKNN(k=20)], rules="REQUIRE item.stock > 0")
    fallback = rp.Fallback(models=[inner]).fit(SHOP)
    assert min(column(fallback.recommend("a stranger", n=N_ITEMS), "stock")) > 0
    others = rp.Fallback(models=[inner, rp.ItemKNN(k=5)]).fit(SHOP)
    assert min(column(others.recommend("a stranger", n=N_ITEMS), "stock")) == 0


BOUGHT = "RULE no_repeat: EXCLUDE DID purchase"
BEHIND = {
    "models": PARTS,
    "switch": [rp.Switch(by="age", models={"40": rp.ItemKNN(k=20)}, default=rp.Popularity())],
    "fallback": [rp.Fallback(models=[rp.ItemKNN(k=2), rp.Popularity()])],
    "repeating visits": [rp.SessionKNN(repeats=True)],
    "a pipeline with rules": [rp.Pipeline(candidates=PARTS, rules=BOUGHT)],
}


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("seen", ["keep", "drop"])
def test_what_somebody_bought_is_barred_whoever_answers(behind, seen):
    home = rp.Pipeline(candidates=BEHIND[behind], rules=BOUGHT).fit(SHOP)
    users = [f"u{k}" for k in range(30)]
    queries = [rp.Query(user, now=NOW, session=["i0", "i1"]) for user in users]
    bought = SHOP.history()
    barred = 0
    for query, ranking in zip(queries, home.rank_many(queries, 40, seen=seen), strict=True):
        theirs = bought.seen(home.user_of(query), ["purchase"])
        assert not np.isin(ranking.items, theirs).any()
        assert len(ranking) == 40 or seen == "drop"
        assert ranking.item_ids == home.recommend(query, 40, seen=seen).item_ids
        barred += len(theirs)
    assert barred > 60


def test_those_who_differ_only_in_what_they_bought_are_answered_together(monkeypatch):
    home = rp.Pipeline(candidates=[rp.Popularity()], rules=BOUGHT).fit(SHOP)
    asked = []
    model = home.candidates_["popularity"]
    answer = model._rank
    monkeypatch.setattr(model, "_rank", lambda queries, *more, **said: (
        asked.append(len(queries)), answer(queries, *more, **said))[1])  # fmt: skip
    home.recommend_many([f"u{k}" for k in range(30)], 5)
    assert asked == [30]
