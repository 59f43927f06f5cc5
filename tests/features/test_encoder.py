import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline

import recopersona as rp
from recopersona.errors import ArtifactError, DataError, ParameterError
from recopersona.features.attribute_blocks import BLOCKS

NONE = None
SHELF = pd.DataFrame({
    "item_id": ["sencha", "matcha", "salt", "mystery"],
    "brand": ["Ito", "Ito", "Maldon", NONE],
    "tags": [["green", "tea"], ["green", "powder", "tea"], ["white"], NONE],
    "gift": pd.array([True, False, False, NONE], dtype="boolean"),
    "price": [4.0, 8.0, 1.0, np.nan],
    "released": pd.to_datetime(["2026-01-01", "2026-01-20", "2026-01-31", NONE]),
    "title": ["green tea leaves", "powder of green tea", "flakes of salt", NONE],
})  # fmt: skip


def table(frame=SHELF, **kinds):
    return rp.FeatureTable.from_frame(frame, rp.IdMap(), "item_id", kinds)


def likeness(encoded):
    return (encoded.matrix @ encoded.matrix.T).toarray()


def lengths(encoded):
    return np.sqrt(encoded.matrix.multiply(encoded.matrix).sum(axis=1))


def only(column, values, kind=None, **options):
    """Encode one column alone."""
    frame = pd.DataFrame({"item_id": range(len(values)), column: values})
    held = table(frame, **({column: kind} if kind else {}))
    return rp.AttributeEncoder(**options).fit(held).transform(held)


# -- the whole ---------------------------------------------------------------------------------


def test_every_kind_of_column_has_a_block():
    from recopersona.data.feature_table import COLUMN_KINDS

    assert BLOCKS.keys() == COLUMN_KINDS.keys()
    encoded = rp.AttributeEncoder().fit(table()).transform(table())
    assert list(encoded.blocks) == ["brand", "tags", "gift", "price", "released", "title"]
    assert encoded.matrix.dtype == np.float32
    assert encoded.matrix.shape == (4, len(encoded.names))


def test_rows_have_length_one_or_nothing():
    encoded = rp.AttributeEncoder().fit(table()).transform(table())
    assert lengths(encoded) == pytest.approx([1, 1, 1, 0])


def test_the_likeness_of_rows_is_the_mean_of_their_blocks():
    held = table()
    whole = likeness(rp.AttributeEncoder().fit(held).transform(held))
    names = list(held.names)
    alone = [
        likeness(rp.AttributeEncoder(columns=[name]).fit(held).transform(held)) for name in names
    ]
    assert whole[:3, :3] == pytest.approx(np.mean(alone, axis=0)[:3, :3], abs=1e-6)
    weights = {"brand": 3.0, "price": 0.0}
    heavy = likeness(rp.AttributeEncoder(weights=weights).fit(held).transform(held))
    says = [weights.get(name, 1.0) for name in names]
    assert heavy[:3, :3] == pytest.approx(np.average(alone, axis=0, weights=says)[:3, :3], abs=1e-6)


def test_an_unknown_attribute_leaves_the_say_to_the_others():
    frame = pd.DataFrame({"item_id": [1, 2], "brand": ["Ito", "Ito"], "colour": ["red", NONE]})
    held = table(frame)
    encoded = rp.AttributeEncoder().fit(held).transform(held)
    assert likeness(encoded)[0, 1] == pytest.approx(np.sqrt(1 / 2))


def test_rows_may_be_asked_for_alone():
    held = table()
    encoder = rp.AttributeEncoder().fit(held)
    whole, some = encoder.transform(held), encoder.transform(held, np.array([2, 0]))
    assert (some.matrix != whole.matrix[[2, 0]]).nnz == 0


def test_names_say_what_columns_stand_for():
    names = rp.AttributeEncoder().fit(table()).names
    assert {"brand=Ito", "tags=tea", "gift=yes", "price ~ 8.00", "title: tea"} <= set(names)
    assert "released ~ 0 days before the newest" in names
    assert names[-1] == names[len(names) - 1]
    assert names[:2] == ["brand=Ito", "brand=Maldon"]
    with pytest.raises(IndexError):
        names[len(names)]


def test_what_is_no_content_is_left_out_unless_asked_for():
    frame = SHELF.assign(stock=[1, 2, 3, 4], margin=[0.1, 0.2, 0.3, 0.4], created_at="2026-01-01")
    assert not {"stock", "margin", "created_at"} & set(
        rp.AttributeEncoder().fit(table(frame)).blocks_
    )
    assert list(rp.AttributeEncoder(columns=["stock"]).fit(table(frame)).blocks_) == ["stock"]


def test_a_second_fit_forgets_the_first():
    encoder = rp.AttributeEncoder().fit(table())
    encoder.fit(table(SHELF[["item_id", "brand"]]))
    assert list(encoder.slices) == ["brand"]


def test_a_table_without_columns_has_rows_without_entries():
    held = table(SHELF[["item_id"]])
    assert rp.AttributeEncoder().fit(held).transform(held).matrix.shape == (4, 0)


# -- kinds -------------------------------------------------------------------------------------


def test_rare_tags_weigh_more_and_repeats_nothing():
    encoded = only("tags", [["tea", "odd", "odd"], ["tea"], ["tea"]])
    row = encoded.matrix[[0]].toarray()[0]
    by_name = dict(zip(encoded.names, row.tolist(), strict=True))
    tea, odd = 1.0, np.log(4 / 2) + 1
    assert by_name["tags=odd"] / by_name["tags=tea"] == pytest.approx(odd / tea)


def test_a_hundred_thousand_tags_on_an_item_are_no_trouble():
    many = [f"t{k}" for k in range(100_000)]
    encoded = only("tags", [many, ["t7"], ["t7", "t8"]])
    assert encoded.matrix.shape == (3, 100_000)
    assert lengths(encoded) == pytest.approx([1, 1, 1], abs=1e-4)


def test_near_numbers_are_alike_and_far_ones_are_not():
    encoded = only("size", [0.0, 1.0, 2.0, 3.0, 3.1, 4.0, 5.0, 6.0, 7.0])
    alike = likeness(encoded)
    assert alike[3, 4] > 0.95
    assert alike[3, 5] < alike[3, 4]
    assert alike[0, 8] == 0
    assert lengths(encoded) == pytest.approx(np.ones(9))


def test_prices_are_compared_by_their_logarithm():
    prices = np.geomspace(1, 128, 8)
    encoded = only("price", prices.tolist())
    step = np.diag(likeness(encoded), 1)
    assert step == pytest.approx(np.full(7, step[0]), abs=1e-5)
    assert list(encoded.names)[:2] == ["price ~ 1.00", "price ~ 2.00"]


def test_prices_that_are_none_are_unknown():
    encoded = only("price", [1.0, 2.0, np.nan, np.inf, 0.0, -3.0])
    assert lengths(encoded) == pytest.approx([1, 1, 0, 0, 1, 1])


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.integers(2, 9))
@settings(max_examples=50)
def test_any_numbers_have_rows_of_length_one(values, bins):
    encoded = only("size", values, bins=bins)
    if encoded.matrix.shape[1]:
        assert lengths(encoded) == pytest.approx(np.ones(len(values)), abs=1e-5)
    else:  # one and the same number says nothing
        assert len(set(values)) == 1


def test_a_time_counts_from_the_newest():
    held = table(SHELF[["item_id", "released"]])
    encoder = rp.AttributeEncoder().fit(held)
    later = table(pd.DataFrame({"item_id": ["new"], "released": pd.to_datetime(["2027-01-01"])}))
    newest, fresh = (encoder.transform(t, np.array([r])) for t, r in ((held, 2), (later, 0)))
    assert (newest.matrix != fresh.matrix).nnz == 0


def test_words_of_a_language_without_spaces_are_pairs_of_characters():
    encoded = only("title", ["緑茶の茶葉", "緑茶", "塩", "お茶 tea"], "text")
    alike = likeness(encoded)
    assert alike[0, 1] > 0.2
    assert alike[0, 2] == 0
    assert {"title: 緑茶", "title: tea"} <= set(encoded.names)


@pytest.mark.parametrize("texts", [["", "", ""], ["tea", "", NONE], ["!", "?", "tea"], ["a", "b"]])
def test_empty_text_and_single_words_are_no_trouble(texts):
    encoded = only("title", texts, "text")
    said = [bool(text) and text.isalnum() for text in texts]
    assert lengths(encoded) == pytest.approx(np.array(said, float))


def test_values_in_few_rows_have_no_column():
    frame = pd.DataFrame({
        "item_id": [1, 2, 3],
        "brand": ["Ito", "Ito", "Odd"],
        "tags": [["a", "b"], ["a"], ["a", "c"]],
        "title": ["green tea", "black tea", "odd salt"],
    })  # fmt: skip
    names = set(rp.AttributeEncoder(min_count=2).fit(table(frame, title="text")).names)
    assert names == {"brand=Ito", "tags=a", "title: tea"}


# -- text by other vectorizers -----------------------------------------------------------------

TITLES = ["green tea leaves", "powder of green tea", "flakes of salt"]
VECTORIZERS = [
    TfidfVectorizer(ngram_range=(1, 2)), TfidfVectorizer(use_idf=False), CountVectorizer(),
    CountVectorizer(analyzer="char_wb", ngram_range=(3, 3)), HashingVectorizer(n_features=64),
    HashingVectorizer(), TfidfVectorizer().fit(["green tea of salt"]),
    make_pipeline(CountVectorizer(), TruncatedSVD(2)),
]  # fmt: skip


@pytest.mark.parametrize("vectorizer", VECTORIZERS, ids=str)
def test_any_vectorizer_may_read_the_text(vectorizer):
    encoded = only("title", TITLES, "text", text=vectorizer)
    alike = likeness(encoded)
    assert alike[0, 1] > alike[0, 2]
    assert encoded.matrix.shape[1] == len(encoded.names) < 100


def test_a_fitted_vectorizer_keeps_its_words():
    fitted = TfidfVectorizer().fit(["tea salt"])
    assert set(only("title", TITLES, "text", text=fitted).names) == {"title: tea", "title: salt"}
    assert len(fitted.vocabulary_) == 2


def test_a_vectorizers_mistake_is_told():
    with pytest.raises(ValueError, match="max_df"):
        only("title", TITLES, "text", text=CountVectorizer(min_df=3, max_df=1))


def test_hashing_into_nothing_is_told():
    with pytest.raises(ValueError, match="n_features"):  # and does not end the process
        only("title", TITLES, "text", text=HashingVectorizer(n_features=0))


# -- vectors from outside ----------------------------------------------------------------------


def test_vectors_by_row_and_by_id_say_the_same():
    vectors = np.array([[1, 0], [1, 1], [0, 2], [0, 0]], float)
    by_id = pd.DataFrame(vectors, index=SHELF["item_id"]).sample(frac=1, random_state=1)
    held = table(SHELF[["item_id"]])
    for given_vectors in (vectors, by_id):
        encoder = rp.AttributeEncoder(embeddings={"image": given_vectors}).fit(held)
        encoded = encoder.transform(held)
        assert likeness(encoded)[0, 1] == pytest.approx(np.sqrt(0.5))
        assert lengths(encoded) == pytest.approx([1, 1, 1, 0])
        assert encoded.names[1] == "image[1]"


def test_items_without_a_vector_are_counted():
    held = table(SHELF[["item_id"]])
    vectors = pd.DataFrame([[1.0, np.nan], [1.0, 2.0]], index=["salt", "sencha"])
    encoded = rp.AttributeEncoder(embeddings={"image": vectors}).fit(held).transform(held)
    assert encoded.unknown == {"image": 3}
    assert lengths(encoded) == pytest.approx([1, 0, 0, 0])


def test_a_vector_beyond_float32_is_none():
    held = table(SHELF[["item_id"]])
    vectors = np.array([[1e300, 1.0]] + [[1.0, 1.0]] * 3)
    encoded = rp.AttributeEncoder(embeddings={"image": vectors}).fit(held).transform(held)
    assert encoded.unknown == {"image": 1}


def test_a_block_of_vectors_has_no_more_say_than_a_brand():
    held = table(SHELF[["item_id", "brand"]])
    vectors = np.random.default_rng(1).normal(size=(4, 300))
    encoded = rp.AttributeEncoder(embeddings={"image": vectors}).fit(held).transform(held)
    brand = encoded.matrix[:3][:, encoded.blocks["brand"]]
    assert np.asarray(brand.multiply(brand).sum(axis=1)) == pytest.approx([0.5] * 3)


# -- what is new -------------------------------------------------------------------------------


def test_what_was_not_there_in_fit_is_left_out_and_counted():
    encoder = rp.AttributeEncoder().fit(table())
    fresh = pd.DataFrame({
        "item_id": ["gold"], "brand": ["Elsewhere"], "tags": [["tea", "odd", "odder"]],
        "title": ["unheard words"], "price": [1e9],
    })  # fmt: skip
    encoded = encoder.transform(table(fresh, title="text"))
    assert encoded.unknown == {"brand": 1, "tags": 2, "title": 1, "gift": 1, "released": 1}
    assert lengths(encoded) == pytest.approx([1])


def test_a_column_of_another_kind_is_refused():
    encoder = rp.AttributeEncoder().fit(table())
    with pytest.raises(DataError, match="'tags' must be of the kind set, as it was in fit, got"):
        encoder.transform(table(SHELF.assign(tags="green")))


# -- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("vectorizer", [None, *VECTORIZERS[:-1]], ids=str)
def test_a_loaded_encoder_says_the_same(vectorizer, tmp_path):
    held = table(title="text")
    vectors = pd.DataFrame(np.eye(4), index=SHELF["item_id"])
    encoder = rp.AttributeEncoder(text=vectorizer, embeddings={"image": vectors}).fit(held)
    rp.save(encoder, tmp_path / "encoder")
    again = rp.load(tmp_path / "encoder")
    before, after = encoder.transform(held), again.transform(held)
    assert (before.matrix != after.matrix).nnz == 0
    assert list(before.names) == list(after.names)
    assert again.fit(held).transform(held).matrix.shape[0] == 4


def test_what_a_file_cannot_hold_is_refused_in_words(tmp_path):
    held, pairs = table(title="text"), pd.MultiIndex.from_product([[1, 2]] * 2)
    for options in (
        {"text": VECTORIZERS[-1]},
        {"text": CountVectorizer(tokenizer=lambda text: text.split(), token_pattern=NONE)},
        {"embeddings": {"image": pd.DataFrame(np.eye(4), index=pairs)}},
    ):  # fmt: skip
        encoder = rp.AttributeEncoder(**options)
        encoder.fit(held)
        with pytest.raises(ArtifactError, match="which"):
            rp.save(encoder, tmp_path / "encoder")


# -- mistakes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [({"columns": ["brnad"]}, "columns name 'brnad', which is no attribute; did you mean 'brand'"),
     ({"weights": {"brnad": 1}}, "weights name 'brnad', which is no attribute; did you mean"),
     ({"weights": {"brand": -1}}, r"weights\['brand'\] must be a finite number of at least 0"),
     ({"columns": "brand"}, "columns must be a list of names, or None, got 'brand'"),
     ({"text": "tfidf"}, "text must be a vectorizer of scikit-learn such as"),
     ({"bins": 1}, "bins must be an integer of at least 2, got 1"),
     ({"min_count": 0}, "min_count must be an integer of at least 1, got 0"),
     ({"embeddings": {"brand": np.eye(4)}}, "embeddings name 'brand', which is an attribute"),
     ({"embeddings": {"image": pd.DataFrame({"item_id": [1, 2], "x": [0.5, 1.0]})}},
      r"indexed by id, .*; write frame.set_index\('item_id'\)"),
     ({"embeddings": {"image": np.ones(4)}}, r"must be an array of numbers \(n, d\)")],
)  # fmt: skip
def test_mistakes_are_told_in_a_sentence(options, words):
    with pytest.raises(ParameterError, match=words):
        rp.AttributeEncoder(**options).fit(table())


def test_a_frame_is_no_table():
    with pytest.raises(DataError, match="AttributeEncoder needs a FeatureTable, got a DataFrame"):
        rp.AttributeEncoder().fit(SHELF)


def test_the_matrix_is_plain():
    encoded = rp.AttributeEncoder().fit(table()).transform(table())
    assert isinstance(encoded.matrix, sparse.csr_array)
    assert encoded.matrix.has_sorted_indices


def test_it_says_which_columns_it_reads():
    items = table()
    encoder = rp.AttributeEncoder(weights={"price": 0}).fit(items)
    assert encoder.reads({"brand", "stock"})
    assert not encoder.reads({"stock", "price"})
    vectors = {"look": np.ones((len(items), 2))}
    assert rp.AttributeEncoder(embeddings=vectors).fit(items).reads({"stock"})
