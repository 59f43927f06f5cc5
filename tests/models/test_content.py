import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

import recopersona as rp
from recopersona.errors import DataError, ParameterError
from recopersona.testing import check_recommender

TEAS = pd.DataFrame({
    "item_id": ["sencha", "matcha", "assam", "salt", "pepper", "mystery"],
    "brand": ["Ito", "Ito", "Ronnefeldt", "Maldon", "Maldon", None],
    "kind": ["tea", "tea", "tea", "spice", "spice", None],
    "price": [4.0, 9.0, 5.0, 2.0, 2.5, np.nan],
})  # fmt: skip
EVENTS = pd.DataFrame({
    "user_id": ["anna", "anna", "ben", "cleo"],
    "item_id": ["sencha", "salt", "salt", "mystery"],
    "event": ["purchase", "view", "view", "view"],
    "timestamp": pd.to_datetime(["2026-01-01", "2026-03-01", "2026-03-01", "2026-03-02"]),
})  # fmt: skip
WEIGHTS = {"purchase": 10}


def shop(items=TEAS, events=EVENTS, **options):
    return rp.Dataset.from_frames(events, items=items, event_weights=WEIGHTS, **options)


def model(items=TEAS, **options):
    return rp.ContentKNN(**options).fit(shop(items))


def dense(fitted):
    """Every item's vector, as it is now."""
    encoded = fitted.encoder_.transform(fitted.item_features_)
    return encoded.matrix.toarray().astype(np.float64)


def twin(vectors, history):
    """Every item's cosine with a mix of items; -inf where nothing is in common."""
    profile = sum(weight * vectors[item] for item, weight in history.items())
    profile = profile / (np.linalg.norm(profile) or 1)
    in_common = ((vectors != 0) & (profile != 0)).any(axis=1)
    return np.where(in_common, vectors @ profile, -np.inf)


# -- the score ---------------------------------------------------------------------------------


def test_a_score_is_the_cosine_of_the_mix_of_what_was_touched():
    fitted = model()
    expected = twin(dense(fitted), {0: 10.0, 3: 1.0})
    assert fitted.score_items(rp.Query("anna")) == pytest.approx(expected, abs=1e-6)
    assert fitted.recommend("anna", n=2).item_ids == ["matcha", "assam"]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz "), st.floats(1, 99)),
             min_size=2, max_size=12),
    st.dictionaries(st.integers(0, 11), st.floats(0.01, 100), max_size=4),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_scores_are_the_twins(rows, history):
    frame = pd.DataFrame(rows, columns=["brand", "kind", "price"]).reset_index(names="item_id")
    frame["kind"] = frame["kind"].replace(" ", None)
    events = pd.DataFrame({"user_id": ["u"], "item_id": [0]})
    fitted = rp.ContentKNN().fit(rp.Dataset.from_frames(events, items=frame))
    known = {item: weight for item, weight in history.items() if item < len(frame)}
    scores = fitted.score_items(rp.Query(history=known))
    expected = twin(dense(fitted), known) if known else np.full(len(frame), -np.inf)
    assert scores == pytest.approx(expected, abs=1e-5)


def test_many_at_once_are_answered_as_one():
    fitted = model()
    queries = [rp.Query("anna"), rp.Query("nobody"), rp.Query(session=["pepper"]), rp.Query("cleo")]
    together = fitted._score_queries(queries)
    assert together.tolist() == [fitted.score_items(query).tolist() for query in queries]


def test_a_strangers_click_is_answered_by_content():
    ranking = model().recommend(rp.Query(session=["pepper"]), n=2)
    assert ranking.item_ids[0] == "salt"
    assert ranking.sources[0] == "ContentKNN"
    assert model().recommend(rp.Query(seed="sencha"), n=1).item_ids == ["matcha"]
    assert model().recommend(rp.Query(history={"assam": 2.0}), n=1).item_ids == ["sencha"]


def test_similar_items_are_those_of_the_largest_cosine():
    fitted = model()
    vectors = dense(fitted)
    ranking = fitted.similar_items("sencha", n=2)
    assert ranking.item_ids == ["matcha", "assam"]
    assert ranking.scores == pytest.approx((vectors @ vectors[0])[[1, 2]], abs=1e-6)


def test_what_was_long_ago_counts_less():
    assert model().recommend("anna", n=1).item_ids == ["matcha"]
    recent = model(half_life="7d")
    assert recent.recommend("anna", n=1).item_ids == ["pepper"]
    weights = {0: 10 * 0.5 ** (60 / 7), 3: 0.5 ** (1 / 7)}  # the last event came a day later
    expected = twin(dense(recent), weights)
    assert recent.score_items(rp.Query("anna")) == pytest.approx(expected, abs=1e-5)
    assert recent.recommend(rp.Query("anna", history=["sencha"]), n=1).item_ids == ["matcha"]


def test_a_past_from_another_age_is_still_a_past():
    fitted = model(half_life="7d")
    late = fitted.recommend(rp.Query("anna", now="2226-01-01"), n=1)
    assert late.item_ids == ["pepper"]
    assert late.sources == ["ContentKNN"]
    now = rp.Query("anna", session=["assam"], now="2226-01-01")
    assert fitted.recommend(now, n=1).item_ids == ["matcha"]


def test_what_was_returned_speaks_for_nothing():
    bought = pd.DataFrame({
        "user_id": "dora", "item_id": ["sencha", "sencha", "salt"],
        "event": ["purchase", "return", "view"],
        "timestamp": pd.to_datetime(["2026-03-01", "2026-03-02", "2026-03-03"]),
    })  # fmt: skip
    fitted = rp.ContentKNN(half_life="90d").fit(shop(events=pd.concat([EVENTS, bought])))
    assert fitted.recommend("dora", n=1).item_ids == ["pepper"]


# -- explanations ------------------------------------------------------------------------------


def test_an_explanation_names_the_attributes_in_common_and_adds_up():
    fitted = model()
    frame = fitted.explain("anna", "matcha")
    assert {"brand=Ito", "kind=tea"} <= set(frame["component"])
    assert set(frame["evidence"]) == {"sencha"}
    score = fitted.score_items(rp.Query("anna"))[1]
    assert frame["contribution"].sum() == pytest.approx(score, abs=1e-6)
    assert fitted.explain("anna", "mystery").empty
    assert fitted.explain("a stranger", "matcha").empty


def test_the_evidence_for_very_many_attributes_is_found_in_one_go():
    taken = []
    for n_tags in (10_000, 100_000):
        tags = [f"t{number}" for number in range(n_tags)]
        fitted = model(pd.DataFrame({"item_id": ["sencha", "salt"], "tags": [tags, tags]}))
        start = time.process_time()
        assert len(fitted.explain(rp.Query(history=["sencha"]), "salt")) == n_tags
        taken.append(time.process_time() - start)
    assert taken[1] < 30 * taken[0]


def test_the_evidence_is_the_item_that_adds_most():
    frame = model().explain("anna", "pepper")
    evidence = dict(zip(frame["component"], frame["evidence"], strict=True))
    assert evidence["kind=spice"] == "salt"


# -- new items ---------------------------------------------------------------------------------


def test_a_new_item_counts_at_once_and_without_an_event():
    fitted = model()
    fitted.update_items(pd.DataFrame({"item_id": ["hojicha"], "brand": ["Ito"], "kind": ["tea"]}))
    assert fitted.recommend("anna", n=2).item_ids == ["hojicha", "matcha"]
    assert fitted.similar_items("hojicha", n=1).item_ids == ["sencha"]
    assert fitted.recommend(rp.Query(session=["hojicha"]), n=1).item_ids == ["sencha"]
    assert {"brand=Ito", "kind=tea"} == set(fitted.explain("anna", "hojicha")["component"])
    assert fitted.unknown_values_ == {}


def test_a_changed_item_is_what_it_is_now():
    fitted = model()
    fitted.update_items(pd.DataFrame({"item_id": ["matcha"], "brand": ["Maldon"], "kind": "spice"}))
    assert set(fitted.similar_items("salt", n=2).item_ids) == {"pepper", "matcha"}
    assert fitted.recommend("anna", n=1).item_ids == ["assam"]
    fitted.update_items(pd.DataFrame({"item_id": ["mystery"], "kind": ["tea"]}))
    assert fitted.similar_items("assam", n=9).sources.count("ContentKNN") == 3 - 1


def test_a_change_of_stock_is_none_of_what_an_item_is(monkeypatch):
    fitted = model()
    monkeypatch.setattr(fitted.encoder_, "transform", None)
    fitted.update_items(pd.DataFrame({"item_id": ["salt", "new"], "stock": [3, 4]}))
    assert not len(fitted.changed_)
    assert len(fitted.recommend("anna", n=9)) == 5


def test_many_changes_are_as_if_they_had_always_been():
    fitted = model()
    random = np.random.default_rng(2)
    for step in range(400):
        row = {
            "item_id": f"i{step % 150}",
            "brand": ["Ito", "Maldon"][random.integers(2)],
            "kind": [None, "tea", "spice"][random.integers(3)],
            "price": random.random() * 9,
        }
        fitted.update_items(pd.DataFrame([row]))
    assert len(fitted.changed_) < 150
    for query in (rp.Query("anna"), rp.Query(session=["i3", "i7"])):
        liked, weights = fitted.taste_of(query)
        history = dict(zip(liked.tolist(), weights.tolist(), strict=True))
        expected = twin(dense(fitted), history)
        assert fitted.score_items(query) == pytest.approx(expected, abs=1e-5)


def test_events_count_at_once():
    fitted = model()
    fitted.partial_fit(rp.Event("new", "salt"))
    assert fitted.recommend("new", n=1).item_ids == ["pepper"]
    fitted.partial_fit(rp.Event("new", "never described"))
    assert fitted.recommend("new", n=1).item_ids == ["pepper"]


def test_values_that_fit_never_saw_are_counted():
    fitted = model()
    fitted.update_items(pd.DataFrame({"item_id": ["a", "b"], "brand": ["New", "Newer"]}))
    assert fitted.unknown_values_ == {"brand": 2}
    assert fitted.recommend("anna", n=9).item_ids.count("a") == 1


# -- nothing to go by --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "items",
    [None, TEAS[["item_id"]], TEAS.assign(brand=None, kind=None, price=np.nan),
     TEAS[["item_id"]].assign(title=""),
     TEAS[["item_id"]].assign(title=["", None, "a", "b", "", ""]),
     TEAS.assign(price=np.nan), TEAS[["item_id"]].assign(price=3.0),
     TEAS[["item_id"]].assign(title=["green", "black", "green", "salt", "salt", "odd"])],
    ids=["none", "no columns", "empty", "no text", "hardly any", "no price", "one price", "words"],
)  # fmt: skip
def test_items_without_attributes_are_answered_with_a_source(items):
    kinds = {"title": "text"} if items is not None and "title" in items else None
    if kinds:
        items = rp.FeatureTable.from_frame(items, rp.IdMap(), "item_id", kinds)
    fitted = rp.ContentKNN().fit(shop(items))
    asked = [
        "anna", "a stranger", rp.Query(session=["nothing known"]), rp.Query(seed="mystery"),
        rp.Query(session=["mystery"] * 10_000), rp.Query(history=[]), rp.Query(history=["gone"]),
    ]  # fmt: skip
    for one in asked:
        ranking = fitted.recommend(one, n=3)
        assert len(ranking) == min(3, len(ranking.ids) - len(fitted.taste_of(rp.Query.of(one))[0]))
        assert set(ranking.sources) <= {"ContentKNN", "fallback: popularity"}
    assert len(fitted.similar_items("mystery", n=2)) == 2
    assert len(fitted.recommend_many(["cleo", "a stranger"], n=2)) == 4


def test_a_hundred_thousand_tags_are_no_trouble():
    frame = pd.DataFrame({"item_id": [1, 2, 3], "tags": [range(100_000), [5, 6], [7]]})
    frame["tags"] = frame["tags"].map(list)
    events = pd.DataFrame({"user_id": ["u"], "item_id": [1]})
    fitted = rp.ContentKNN().fit(rp.Dataset.from_frames(events, items=frame))
    assert set(fitted.recommend("u").item_ids) == {2, 3}
    assert len(fitted.explain("u", 2)) == 2


# -- parameters and files ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoder",
    [rp.AttributeEncoder(text=HashingVectorizer(n_features=256)),
     rp.AttributeEncoder(text=CountVectorizer(), bins=3, min_count=2)],
    ids=["hashing", "counting"],
)  # fmt: skip
def test_every_encoder_keeps_the_contract(encoder):
    check_recommender(rp.ContentKNN(encoder=encoder))


def test_a_loaded_model_goes_on(tmp_path):
    vectors = pd.DataFrame(np.eye(6), index=TEAS["item_id"])
    fitted = model(encoder=rp.AttributeEncoder(embeddings={"image": vectors}))
    fitted.update_items(pd.DataFrame({"item_id": ["hojicha"], "brand": ["Ito"], "kind": ["tea"]}))
    rp.save(fitted, tmp_path / "content")
    again = rp.load(tmp_path / "content")
    for one in (fitted, again):
        one.update_items(pd.DataFrame({"item_id": ["kukicha"], "brand": ["Ito"]}))
    assert again.recommend("anna").item_ids == fitted.recommend("anna").item_ids
    assert again.recommend("anna").scores.tolist() == fitted.recommend("anna").scores.tolist()


def test_the_encoder_given_stays_as_it_was():
    encoder = rp.AttributeEncoder(weights={"brand": 0.0})
    fitted = model(encoder=encoder)
    assert not hasattr(encoder, "blocks_")
    assert list(fitted.encoder_.blocks_) == ["kind", "price"]
    assert fitted.get_params()["encoder__weights"] == {"brand": 0.0}


def test_mistakes_are_told_in_a_sentence():
    with pytest.raises(ParameterError, match="ContentKNN: encoder must be an AttributeEncoder"):
        model(encoder="tfidf")
    with pytest.raises(ParameterError, match="half_life must be a duration"):
        model(half_life="soon")
    timeless = rp.Dataset.from_frames(EVENTS.drop(columns="timestamp"), items=TEAS)
    with pytest.raises(DataError, match="half_life needs a 'timestamp' column"):
        rp.ContentKNN(half_life="7d").fit(timeless)


# -- a real catalogue --------------------------------------------------------------------------


def test_similar_articles_of_a_real_catalogue_are_of_the_same_type():
    folder = os.environ.get("RECOPERSONA_DATA")
    file = Path(folder or ".") / "hm-articles" / "articles.parquet"
    if folder is None or not file.exists():
        pytest.skip("needs hm-articles under RECOPERSONA_DATA")
    pytest.importorskip("pyarrow")
    articles = pd.read_parquet(file).sample(8_000, random_state=1)
    wanted = ["prod_name", "product_type_name", "colour_group_name", "section_name"]
    frame = articles[["article_id", *wanted]]
    items = rp.FeatureTable.from_frame(frame, rp.IdMap(), "article_id", {"prod_name": "text"})
    events = pd.DataFrame({"user_id": ["u"], "item_id": frame["article_id"].iloc[:1]})
    fitted = rp.ContentKNN().fit(rp.Dataset.from_frames(events, items=items))
    types = frame.set_index("article_id")["product_type_name"]
    shares = [
        (types[fitted.similar_items(article, n=5).item_ids] == types[article]).mean()
        for article in frame["article_id"].iloc[:100].tolist()
    ]
    assert np.mean(shares) > 0.7
