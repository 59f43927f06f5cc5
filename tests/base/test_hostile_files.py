"""Saved models that somebody tampered with are refused in words, or answer; nothing in between."""

import fcntl
import functools
import json
import os
import shutil
import sys
import threading
import time
import types
import uuid
import warnings
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer

import recopersona as rp
from recopersona.base import codec, folders
from recopersona.base.part import Part
from recopersona.errors import ArtifactError, ParameterError

INT64 = np.iinfo(np.int64)


class Shelf(rp.Recommender):
    """Learns whatever a test gives it."""

    given: object = rp.param(default=None)

    def _fit(self, dataset):
        self.held_ = self.given

    def score_items(self, query, items=None):
        return np.ones(len(self.items_), np.float32)


class Ranker(Part):
    """A stage with a state of its own."""

    step: float = rp.param(rp.real(at_least=0), default=1.0)

    def fit(self, dataset):
        self.scale_ = np.full(3, self.step)
        return self

    def __call__(self, query, ranking):
        return ranking.rescored(ranking.scores * np.float32(self.scale_[0]))


def cheap(items):
    return items["price"] < 100


RULES = "RULE cap: LIMIT 3 PER item.brand"


def shop():
    random = np.random.default_rng(1)
    times = pd.to_datetime(1_700_000_000_000 + random.integers(0, 10**9, 400), unit="ms")
    events = pd.DataFrame({
        "user_id": [f"u{k}" for k in random.integers(0, 30, 400)],
        "item_id": [f"i{k}" for k in random.integers(0, 20, 400)],
        "event": "view",
        "timestamp": times,
    })  # fmt: skip
    items = pd.DataFrame({
        "item_id": [f"i{k}" for k in range(20)],
        "price": np.arange(1.0, 21.0),
        "brand": ["Ito", "Uji"] * 10,
        "tags": [["x", "y"]] * 20,
        "gift": [True, False] * 10,
        "created_at": "2026-01-01",
        "released": pd.date_range("2026-01-01", periods=20),
        "title": [f"a cup of tea, number {k}" for k in range(20)],
    })  # fmt: skip
    return rp.Dataset.from_frames(events, items=items)


MODELS = {
    "als": lambda: rp.ALS(factors=8, iterations=1, random_state=np.random.RandomState(3)),
    "factors": lambda: rp.Factorization(factors=8, epochs=1),
    "hybrid": lambda: rp.HybridFactorization(factors=8, epochs=1),
    "mapper": lambda: rp.ColdStartMapper(model=rp.ALS(factors=8, iterations=1)),
    "knn": lambda: rp.ItemKNN(k=5),
    "users": lambda: rp.UserKNN(k=5),
    "ease": rp.EASE,
    "slim": lambda: rp.SLIM(k=5),
    "popular": lambda: rp.Popularity(half_life=timedelta(days=7)),
    "visits": lambda: rp.SessionKNN(k=5),
    "home": lambda: rp.Pipeline(
        candidates=[rp.ItemKNN(k=5), rp.Popularity()],
        rules=[cheap, RULES],
        ranker=Ranker(step=2.0),
    ),
    "content": rp.ContentKNN,
    "words": lambda: rp.ContentKNN(encoder=rp.AttributeEncoder(text=TfidfVectorizer())),
    "hashed": lambda: rp.ContentKNN(
        encoder=rp.AttributeEncoder(
            text=HashingVectorizer(n_features=64),
            embeddings={"look": pd.DataFrame(np.eye(20), index=[f"i{k}" for k in range(20)])},
        )
    ),
    "related": rp.RelatedItems,
    "explore": lambda: rp.Explore(model=rp.ItemKNN(k=5)),
    "shelf": lambda: Shelf(given={"matrix": sparse.csr_array(np.eye(4)), "id": uuid.UUID(int=7)}),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, make in MODELS.items():
        model = make().fit(shop())
        if name == "home":
            ranking = model.recommend(rp.Query(user_id="u1", decision_id="d"), n=2)
            model.feedback("d", ranking.item_ids[:1])
        model.save(folder / name)
    return folder


class File:
    """A saved model to be tampered with: its manifest, and its arrays by where they stand."""

    def __init__(self, folder):
        self.folder = folder
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.model = self.manifest["model"]
        self.learned = self.model["learned"]

    def find(self, name):
        """Return the first tree that stands under a name, wherever that is."""
        (first, *_) = self._under(name, self.model)
        return first

    def _under(self, name, tree):
        if isinstance(tree, dict):
            yield from [part for key, part in tree.items() if key == name]
            for part in tree.values():
                yield from self._under(name, part)
        elif isinstance(tree, list):
            if len(tree) == 2 and tree[0] == name:
                yield tree[1]
            for part in tree:
                yield from self._under(name, part)

    def array(self, tree):
        return np.load(self.path(tree["file"]))

    def put(self, tree, array):
        path = self.path(tree["file"])
        np.save(path, array)
        self.describe(tree["file"], array.dtype.str, list(array.shape))

    def path(self, number):
        return self.folder / self.manifest["arrays"] / f"{number}.npy"

    def describe(self, number, dtype, shape):
        size = self.path(number).stat().st_size
        self.manifest["files"][number].update(bytes=size, dtype=dtype, shape=shape)

    def write(self, text=None):
        (self.folder / "manifest.json").write_text(text or json.dumps(self.manifest))


def use(model):
    """Ask everything that a shop asks."""
    model.recommend("u1", n=5)
    model.recommend("nobody")
    model.recommend_many([f"u{k}" for k in range(30)])
    model.similar_items("i3")
    if isinstance(model, rp.Pipeline):
        model.item_features_.to_frame()
        model.feedback("d", [])
    if isinstance(model, rp.OnlineRecommender):
        model.partial_fit(rp.Event("u1", "i2", "view", 1_700_000_000_000))
        model.partial_fit(rp.Event("new", "newer", "view", 1_700_000_000_000))
        model.partial_fit([rp.Event("u2", f"i{k % 20}") for k in range(1_500)])
        model.recommend("u1")


# -- edits -----------------------------------------------------------------------------------


def array(name, change):
    """Overwrite an array by what a function makes of it."""

    def edit(file):
        tree = file.find(name)
        file.put(tree, np.asarray(change(file.array(tree).copy())))

    return edit


def everywhere(value):
    def fill(old):
        old[:] = value
        return old

    return fill


def first(value):
    def fill(old):
        old[0] = value
        return old

    return fill


def vectors(part, change, rows=0):
    """Change one of the arrays of the vectors: data, columns or where rows start."""

    def edit(file):
        parts = file.learned["vectors_"]["parts"]["parts"]
        file.put(parts[part], np.asarray(change(file.array(parts[part]).copy())))
        parts[3]["parts"][0] += rows

    return edit


def vectorizer(name, value):
    """Change how texts are read."""
    return lambda file: file.find("text")["parameters"].update({name: value})


def of_type(dtype):
    return lambda old: old.astype(dtype)


def learned(**values):
    return lambda file: file.learned.update(values)


def without(name):
    return lambda file: file.learned.pop(name)


def parameter(**values):
    return lambda file: file.model["parameters"].update(values)


def model_of(name, module="recopersona.models.als"):
    return lambda file: file.model.update({"class": name, "module": module})


def within(name, **values):
    return lambda file: file.find(name).update(values)


def within_block(name, **values):
    def edit(file):
        blocks = dict(map(tuple, file.find("blocks_")["pairs"]))
        blocks[name]["learned"].update(values)

    return edit


def ids(parts):
    return lambda file: file.learned["items_"].update(ids={"$": "objects", "parts": parts})


def text(old, new):
    def edit(file):
        whole = json.dumps(file.manifest)
        assert old in whole
        file.write(whole.replace(old, new))
        return "written"

    return edit


def wrapped_around(old):
    """Bounds whose differences are never negative, because they wrap around."""
    old[1:4] = INT64.max, INT64.min, -1
    return old


def header(content, **said):
    def edit(file):
        path = file.path(0)
        length = len(content).to_bytes(2, "little")
        path.write_bytes(b"\x93NUMPY\x01\x00" + length + content)
        said_before = {key: file.manifest["files"][0][key] for key in ("dtype", "shape")}
        file.describe(0, **{**said_before, **said})

    return edit


def by_columns(name):
    def edit(file):
        tree = file.find(name)
        before = file.array(tree)
        np.save(file.path(tree["file"]), np.asfortranarray(before))
        file.describe(tree["file"], before.dtype.str, list(before.shape))

    return edit


def laughs(file):
    """A few lines that stand for a billion ids."""
    tree = {"$": "tuple", "parts": [1] * 10, "id": 1_000}
    for level in range(9):
        again = [{"$": "again", "of": 1_000 + level}] * 9
        tree = {"$": "tuple", "parts": [tree, *again], "id": 1_001 + level}
    file.learned["items_"]["ids"] = {"$": "objects", "parts": [tree]}


def overlapping(file):
    """Half a megabyte that stands for gigabytes of text."""
    tree = file.learned["items_"]["ids"]
    bounds = np.zeros(8_001, np.int64)
    bounds[1::2] = 2**60
    file.put(tree["bounds"], bounds)
    file.put(tree["data"], np.full(400_000, 65, np.uint8))


def same_file_twice(file):
    file.learned.update(more_=dict(file.find("popularity_")), most_=dict(file.find("popularity_")))


def nested(depth):
    def edit(file):
        file.learned["deep_"] = "here"
        tree = '{"$": "list", "parts": [' * depth + "]}" * depth
        return text('"deep_": "here"', f'"deep_": {tree}')(file)

    return edit


def decision(**values):
    return lambda file: file.find("decisions_")["pairs"][0][1]["fields"].update(values)


def candidate(name, **values):
    def edit(file):
        pairs = dict(map(tuple, file.learned["candidates_"]["pairs"]))
        pairs[name]["learned"].update(values)

    return edit


def column(name, part, change):
    def edit(file):
        tree = file.find("item_features_")
        columns = dict(map(tuple, tree["columns"]["pairs"]))
        held = columns[name]["fields"][part]
        file.put(held, np.asarray(change(file.array(held).copy())))

    return edit


LIST = {"$": "list", "parts": []}

REFUSED = {
    # arrays of ItemKNN
    "neighbours far beyond the catalogue": ("knn", array("neighbors_", everywhere(2**30))),
    "one neighbour just beyond": ("knn", array("neighbors_", first(20))),
    "neighbours below it": ("knn", array("neighbors_", everywhere(-(2**31)))),
    "neighbours of another type": ("knn", array("neighbors_", of_type(np.int64))),
    "bounds that are too high": ("knn", array("bounds_", everywhere(2**40))),
    "bounds that fall": ("knn", array("bounds_", lambda old: old[::-1])),
    "bounds that wrap around": ("knn", array("bounds_", wrapped_around)),
    "bounds of fewer items": ("knn", array("bounds_", lambda old: old[:3])),
    "bounds of more items": ("knn", array("bounds_", lambda old: np.append(old, [old[-1]] * 9))),
    "no bounds": ("knn", array("bounds_", lambda old: old[:0])),
    "less likeness": ("knn", array("weights_", lambda old: old[:1])),
    "bounds missing": ("knn", without("bounds_")),
    "a negative number left out": ("knn", learned(n_left_out_=-1)),
    # arrays of SessionKNN
    "clicks beyond the catalogue": ("visits", array("clicks_", everywhere(20))),
    "clicks below it": ("visits", array("clicks_", first(-1))),
    "visits that start beyond the clicks": ("visits", array("starts_", first(2**40))),
    "visits that wrap around": ("visits", array("starts_", everywhere(INT64.max))),
    "visits larger than their room": ("visits", array("sizes_", everywhere(99))),
    "fewer ends than visits": ("visits", array("ends_", lambda old: old[:3])),
    "numbers of no visit": ("visits", array("visit_at_", everywhere(2**30))),
    "visits of no number": ("visits", array("numbers_", everywhere(2**30))),
    "latest visits that are none": ("visits", array("latest_", everywhere(2**30))),
    "postings of no number": ("visits", array("postings_", everywhere(2**30))),
    "postings beyond the last": ("visits", array("item_starts_", first(2**40))),
    "more in use than there is": ("visits", array("used_", everywhere(2**40))),
    "less than nothing in use": ("visits", array("used_", first(-1))),
    "more came back than were there": ("visits", array("back_", everywhere(2**62))),
    "fewer clicks cut than none": ("visits", learned(n_cut_=-1)),
    # arrays of UserKNN
    "users beyond those there are": ("users", array("item_users_", everywhere(30))),
    "fewer items of users": ("users", array("user_items_", lambda old: old[:3])),
    "weights of users in a square": ("users", array("user_weights_", lambda old: old[:, None])),
    "more norms than users": ("users", array("norms_", lambda old: np.ones(31))),
    "fewer norms than users": ("users", array("norms_", lambda old: old[:29])),
    "rarity of fewer items": ("users", array("rarity_", lambda old: old[:3])),
    "a mean length of nothing": ("users", learned(mean_length_=0)),
    "bounds of users that fall": ("users", array("user_bounds_", lambda old: old[::-1])),
    "bounds of items that are too high": ("users", array("item_bounds_", everywhere(2**40))),
    # arrays of EASE
    "weights of fewer items": ("ease", array("item_weights_", lambda old: old[:9])),
    "weights column by column": ("ease", by_columns("item_weights_")),
    "weights of another type": ("ease", array("item_weights_", of_type(np.float64))),
    # arrays of SLIM
    "items told about beyond the catalogue": ("slim", array("neighbors_", everywhere(20))),
    "a number left out that is none": ("slim", learned(n_left_out_="many")),
    # arrays of ALS
    "wider item factors": ("als", array("item_factors_", lambda old: np.ones((20, 99), "f4"))),
    "narrower item factors": ("als", array("item_factors_", lambda old: old[:, :1])),
    "more item factors": ("als", array("item_factors_", lambda old: np.ones((10**5, 8), "f4"))),
    "wider user factors": ("als", array("user_factors_", lambda old: np.ones((30, 10**4), "f4"))),
    "factors in one dimension": ("als", array("item_factors_", np.ravel)),
    "factors of another type": ("als", array("item_factors_", of_type(np.float64))),
    "factors of the other byte order": ("als", array("item_factors_", of_type(">f4"))),
    "factors column by column": ("als", by_columns("item_factors_")),
    "fewer lengths": ("als", array("item_lengths_", lambda old: old[:3])),
    "a shorter spectrum": ("als", array("spectrum_", lambda old: old[:3])),
    # arrays of Factorization
    "wider rows of items": ("factors", array("item_factors_", lambda old: np.ones((20, 9), "f4"))),
    "rows of fewer items": ("factors", array("item_factors_", lambda old: old[:3])),
    "rows of more users": ("factors", array("user_factors_", lambda old: np.ones((99, 8), "f4"))),
    "biases of fewer users": ("factors", array("user_biases_", lambda old: old[:1])),
    "biases of more items": ("factors", array("item_biases_", lambda old: np.ones(99, "f4"))),
    "sums in one dimension": ("factors", array("user_sums_", np.ravel)),
    "sums of another type": ("factors", array("item_sums_", of_type(np.float64))),
    "shorter memories": ("factors", array("recent_", lambda old: old[:, :2])),
    "a mean without a count": ("factors", array("mean_", lambda old: old[:1])),
    "priors of nothing": ("factors", array("priors_", everywhere(0.0))),
    "a seed in words": ("factors", learned(seed_="x")),
    "a count below zero": ("factors", learned(n_taught_=-1)),
    "a unit of nothing": ("factors", learned(weight_unit_=0.0)),
    "wider embeddings": ("hybrid", array("embeddings_", lambda old: np.ones((len(old), 10), "f4"))),
    "embeddings of fewer features": ("hybrid", array("embeddings_", lambda old: old[:1])),
    "evidence below zero": ("hybrid", array("evidence_", everywhere(-1.0))),
    "a lesson of unknown users": ("hybrid", array("lesson_", everywhere(30))),
    "a shorter lesson": ("hybrid", array("lesson_", lambda old: old[:5])),
    "counts of fewer items": ("hybrid", array("item_counts_", lambda old: old[:3])),
    "a refresh in words": ("hybrid", learned(refreshed_at_="x")),
    "no map of users": ("hybrid", learned(user_map_=7)),
    "embeddings of other factors": ("mapper", array("embeddings_", lambda old: old[:, :3])),
    "counts that are no number": ("mapper", array("user_counts_", everywhere(np.nan))),
    "no model to map to": ("mapper", learned(model_=7)),
    # arrays of Popularity
    "more popularity than items": ("popular", array("popularity_", lambda old: np.ones(99, "f4"))),
    "less popularity": ("popular", array("popularity_", lambda old: old[:2])),
    "popularity in a square": ("popular", array("popularity_", lambda old: np.ones((20, 9), "f4"))),
    "popularity that is a word": ("popular", learned(popularity_="hello")),
    "more fallback than items": ("popular", array("fallback_", lambda old: np.ones(99, "f4"))),
    "few event weights": ("popular", array("event_weights_", lambda old: old[:1])),
    # arrays of ContentKNN
    "vectors of fewer columns": ("content", vectors(2, lambda old: old - 1)),
    "columns of vectors beyond": ("content", vectors(1, everywhere(2**30))),
    "rows of vectors that wrap around": ("content", vectors(2, wrapped_around)),
    "vectors of another type": ("content", vectors(0, of_type(np.float64))),
    "vectors of more items": (
        "content", vectors(2, lambda old: np.append(old, [old[-1]] * 99), rows=99)),
    "changed items beyond the catalogue": ("content", array("changed_", lambda _: np.full(1, 99))),
    "changed items without vectors": (
        "content", array("changed_", lambda _: np.zeros(1, np.int32))),
    "knots that fall": ("content", array("knots_", lambda old: old[::-1])),
    "knots that are none": ("content", array("knots_", everywhere(np.nan))),
    "fewer knots": ("content", array("knots_", lambda old: old[:1])),
    "more words' weights": ("content", array("idf_", lambda old: np.ones(99))),
    "places of words below zero": ("content", array("places_", everywhere(-1))),
    "a pattern of words that is none": ("words", vectorizer("token_pattern", "(")),
    "an analyzer that is none": ("words", vectorizer("analyzer", "nonsense")),
    "a word of no letters": ("hashed", vectorizer("token_pattern", "(a)(b)")),
    "text hashed into nothing": ("hashed", vectorizer("n_features", 0)),
    "text hashed below nothing": ("hashed", vectorizer("n_features", -1)),
    "stop words of no language": ("hashed", vectorizer("stop_words", "klingon")),
    "a norm that is none": ("hashed", vectorizer("norm", "l3")),
    "places of words that fall": ("hashed", array("places_", lambda old: old[::-1])),
    "vectors of one id": ("hashed", lambda file: file.find("look")["parts"]["parts"].__setitem__(
        1, {"$": "objects", "parts": ["i1"] * 20})),
    "a newest day beyond all counting": ("content", within_block("released", newest_=10**400)),
    "blocks that are a list": ("content", lambda file: file.find("encoder_")["learned"].update(
        blocks_=LIST)),
    "an encoder that is none": ("content", learned(encoder_=LIST)),
    "counts that are none": ("content", learned(unknown_values_=LIST)),
    # arrays of RelatedItems and Explore
    "bought of fewer items": ("related", array("bought_", lambda old: old[:3])),
    "looked at in fractions": ("related", array("looked_", of_type(np.float64))),
    "baskets below zero": ("related", learned(n_baskets_=-1)),
    "pairs that are none": ("related", learned(together_=LIST)),
    "events of fewer items": ("explore", array("n_events_", lambda old: old[:3])),
    "events below zero": ("explore", array("n_events_", everywhere(-1))),
    "first seen in fractions": ("explore", array("first_seen_", of_type(float))),
    "no models": ("explore", learned(models_=LIST)),
    # the past
    "past items beyond the catalogue": ("knn", array("pair_items", everywhere(2**30))),
    "past items below it": ("als", array("pair_items", everywhere(-(2**30)))),
    "recent items beyond it": ("popular", array("event_items", everywhere(2**30))),
    "pairs of more users": (
        "popular", array("pair_bounds", lambda old: np.append(old, [old[-1]] * 10**5))),
    "pairs that wrap around": ("popular", array("pair_bounds", wrapped_around)),
    "events that wrap around": ("popular", array("event_bounds", wrapped_around)),
    "fewer bits": ("popular", array("pair_bits", lambda old: old[:3])),
    "items that are fractions": ("popular", array("pair_items", of_type(float))),
    "unknown kinds of events": ("popular", array("event_codes", everywhere(99))),
    "infinite weights": ("popular", array("pair_weights", everywhere(np.inf))),
    "negative weights": ("popular", array("pair_weights", everywhere(-1))),
    "times in one more dimension": ("popular", array("event_times", lambda old: old[:, None])),
    "a limit in words": ("popular", within("past_", limit="x")),
    "a limit below one": ("popular", within("past_", limit=0)),
    "a limit that is true": ("popular", within("past_", limit=True)),
    "a limit beyond all counting": ("popular", within("past_", limit=2**70)),
    "a past without arrays": ("popular", within("past_", arrays={"$": "dict", "pairs": []})),
    "a past that is a list": ("popular", within("past_", arrays=LIST)),
    "no past": ("popular", without("past_")),
    # ids
    "an id twice": ("popular", ids([f"i{k}" for k in range(19)] + ["i1"])),
    "ids that are lists": ("popular", ids([LIST] * 20)),
    "fewer ids": ("popular", ids(["i1"])),
    "ids that are a number": ("popular", within("items_", ids=5)),
    "ids in a plain list": ("popular", within("items_", ids={"$": "list", "parts": ["i"] * 20})),
    "ids in JSON": ("popular", within("items_", ids=["i1"] * 20)),
    "a billion ids": ("popular", laughs),
    "ids that are a model": ("popular", lambda file: file.learned.update(
        items_={"$": "IdMap", "ids": {"$": "objects", "parts": [dict(file.model, learned={})]}})),
    "texts below zero": ("popular", array("bounds", everywhere(-1))),
    "texts beyond the end": ("popular", array("bounds", lambda old: old + 2**60)),
    "texts that overlap": ("popular", overlapping),
    "texts that wrap around": ("popular", array("bounds", wrapped_around)),
    "texts that are no text": ("popular", array("data", everywhere(255))),
    "texts of wide letters": ("popular", array("data", of_type(np.uint16))),
    "no ids": ("popular", without("items_")),
    # attributes
    "prices of more items": ("home", column("price", "values", lambda old: np.ones(99))),
    "prices in whole numbers": ("home", column("price", "values", of_type(int))),
    "brands that do not exist": ("home", column("brand", "values", everywhere(99))),
    "brands below none": ("home", column("brand", "values", everywhere(-2))),
    "brands of a wide type": ("home", column("brand", "values", of_type(np.int64))),
    "tags that start beyond the end": ("home", column("tags", "starts", everywhere(9_999))),
    "tags that wrap around": ("home", column("tags", "starts", wrapped_around)),
    "tags that start nowhere": ("home", column("tags", "starts", lambda old: old[:0])),
    "tags that do not exist": ("home", column("tags", "codes", everywhere(7))),
    "a tag below none": ("home", column("tags", "codes", everywhere(-1))),
    "gifts that are neither": ("home", column("gift", "values", everywhere(5))),
    "days that are fractions": ("home", column("created_at", "values", of_type(float))),
    "titles that are numbers": ("home", lambda file: file.find("title")["fields"].update(
        values={"$": "objects", "parts": list(range(20))})),
    "columns that are a list": ("home", within("item_features_", columns=LIST)),
    "a column that is a decision": ("home", lambda file: file.find("item_features_").update(
        columns={"$": "dict", "pairs": [["price", file.find("decisions_")["pairs"][0][1]]]})),
    # decisions
    "a decision that showed a number": ("home", decision(shown=5)),
    "a decision without an id": ("home", decision(decision_id=None)),
    "a decision with a list for a user": ("home", decision(user_id=LIST)),
    "a decision at no time": ("home", decision(now="yesterday")),
    "a decision of more": ("home", decision(more=1)),
    # the pipeline
    "no candidates": ("home", within("candidates_", pairs=[])),
    "a candidate that is a number": ("home", within("candidates_", pairs=[["x", 5]])),
    "a candidate with its own items": ("home", candidate(
        "popularity", items_={"$": "IdMap", "ids": {"$": "objects", "parts": ["i1"]}})),
    "a candidate that learned nothing": ("home", lambda file: [
        tree.update(learned={}) for _, tree in file.learned["candidates_"]["pairs"]]),
    "weights in words": ("home", learned(weights_={"$": "list", "parts": ["x", "y"]})),
    "decisions in a list": ("home", learned(decisions_=LIST)),
    "a decision that is a number": ("home", within("decisions_", pairs=[["d", 5]])),
    "counts in a list": ("home", learned(feedback_counts_=LIST)),
    "a ranker that is a number": ("home", learned(ranker_=5)),
    "rules in a list": ("home", learned(rules_={"$": "list", "parts": [5]})),
    "rules that are a number": ("home", learned(rules_=5)),
    "rules without a text": ("home", within("rules_", text=None)),
    "rules in bytes": ("home", within("rules_", text=LIST)),
    "rules that cannot be read": ("home", within("rules_", text="LIMIT 3 PER")),
    "rules of an unknown column": ("home", within("rules_", text="EXCLUDE item.gft")),
    "rules of another kind": ("home", within("rules_", text="REQUIRE item.brand > 3")),
    "too many rules": ("home", within("rules_", text="EXCLUDE item.gift;" * 257)),
    "rules beyond 64 KiB": ("home", within("rules_", text="#" * 70_000)),
    "rules nested too deep": (
        "home", within("rules_", text=f"EXCLUDE {'(' * 99_999}item.gift{')' * 99_999}")),
    "one rule in place of a set": ("home", within("rules_", **{"class": "Limit"})),
    "rules of a class that is none": ("home", within("rules_", **{"class": "Worded"})),
    "rules of a model's class": ("home", within("rules_", **{"class": "ALS"})),
    "a parameter that cannot be read": ("home", within("rules", parts=[
        {"$": "worded", "class": "RuleSet", "module": "recopersona.rules", "text": "EXCLUDE"}])),
    "a path that is a number": ("home", within("rules", parts=[{"$": "path", "path": 5}])),
    "a function that is a number": ("home", learned(functions_={"$": "list", "parts": [5]})),
    "functions that are none": ("home", learned(functions_=None)),
    # a matrix, a generator, an id
    "a matrix that wraps around": ("shelf", lambda file: file.put(
        file.find("given")["pairs"][0][1]["parts"]["parts"][2],
        np.array([0, INT64.max, INT64.min, -1, 4]))),
    "a matrix beyond its columns": ("shelf", lambda file: file.put(
        file.find("given")["pairs"][0][1]["parts"]["parts"][1], np.full(4, 2**30, np.int32))),
    "a matrix of lists": ("shelf", lambda file: file.find("given")["pairs"][0].__setitem__(
        1, {"$": "csr", "parts": {"$": "tuple", "parts": [LIST] * 4}})),
    "an id of no digits": ("shelf", lambda file: file.find("given")["pairs"][1].__setitem__(
        1, {"$": "uuid", "hex": "zz"})),
    "a key that is a list": ("shelf", learned(held_={"$": "dict", "pairs": [[LIST, 1]]})),
    "a generator beyond its words": ("als", lambda file: file.find("random_state")["parts"][
        "parts"].__setitem__(1, 10**9)),
    "a generator of few words": ("als", lambda file: file.put(
        file.find("random_state")["parts"]["parts"][0], np.ones(3, np.uint32))),
    # parameters
    "an unknown parameter": ("als", parameter(factor=1)),
    "a parameter out of its bounds": ("als", parameter(iterations=0)),
    "a parameter of another type": ("als", parameter(alpha="evil")),
    "more factors than there are": ("als", parameter(factors=10**9)),
    "no time": ("popular", parameter(half_life={"$": "timedelta", "seconds": float("nan")})),
    "all the time": ("popular", parameter(half_life={"$": "timedelta", "seconds": 1e30})),
    "time in words": ("popular", parameter(half_life={"$": "timedelta", "seconds": "7"})),
    # learned names and values
    "a half-life of none": ("popular", learned(half_life_="y")),
    "a half-life of no time": ("popular", learned(half_life_=0)),
    "an end in words": ("popular", learned(end_="x")),
    "an end beyond all time": ("popular", learned(half_life_=5, decayed_to_=2**70)),
    "items that are a number": ("popular", learned(items_=3)),
    "items that are None": ("home", candidate("popularity", items_=None)),
    "a name of two words": ("popular", learned(**{"a b_": 1})),
    "a hidden name": ("popular", learned(__class__=1)),
    "a name that is not learned": ("popular", learned(score_items=1)),
    "nothing learned": ("popular", lambda file: file.model.update(learned={})),
    "learned things in a list": ("popular", lambda file: file.model.update(learned=[])),
    "a reference to nothing": ("popular", learned(users_={"$": "again", "of": 99})),
    "a value of no kind": ("popular", learned(x_={})),
    "a value of a strange kind": ("popular", learned(x_={"$": LIST})),
    "one file for two arrays": ("popular", same_file_twice),
    # classes
    "another model": ("popular", model_of("ALS")),
    "a pipeline": ("popular", model_of("Pipeline", "recopersona.pipeline.pipeline")),
    "what models derive from": ("popular", model_of("Recommender", "recopersona.base.recommender")),
    "what online models derive from": (
        "popular", model_of("OnlineRecommender", "recopersona.base.online")),
    "a class of the system": ("popular", model_of("system", "os")),
    "a class that is a list": ("popular", model_of(["x"])),
    "a module that is a list": ("popular", model_of("Popularity", ["x"])),
    "the library's class from elsewhere": ("popular", model_of("Popularity", "shop.models")),
    "no module": ("popular", lambda file: file.model.pop("module")),
    "a model in words": ("popular", lambda file: file.manifest.update(model="x")),
    "a model that is a list": ("popular", lambda file: file.manifest.update(model=[1])),
    # the manifest
    "a format below one": ("popular", lambda file: file.manifest.update(format=-1)),
    "a format that is true": ("popular", lambda file: file.manifest.update(format=True)),
    "files that are numbers": ("popular", lambda file: file.manifest.update(files=[5] * 99)),
    "files without sizes": ("popular", lambda file: file.manifest.update(files=[{}] * 99)),
    "depth in a number": ("popular", text('"limit": 200', f'"limit": {"[" * 9_999}{"]" * 9_999}')),
    "a number of many digits": ("popular", text('"limit": 200', f'"limit": {"9" * 9_999}')),
    "a manifest of bytes": ("popular", lambda file: (
        (file.folder / "manifest.json").write_bytes(b"\xff\xfe{}"), "written")[1]),
    "a manifest that never ends": ("popular", lambda file: (
        (file.folder / "manifest.json").unlink(), os.mkfifo(file.folder / "manifest.json"),
        "written")[2]),
    "depth in the model": ("popular", nested(3_000)),
    # headers of arrays
    "an empty array": ("popular", lambda file: (
        file.path(0).write_bytes(b""), file.describe(0, "|u1", [0]))[1]),
    "an array of nonsense": ("popular", lambda file: (
        file.path(0).write_bytes(b"x" * 50), file.describe(0, "|u1", [0]))[1]),
    "a header of brackets": ("popular", header(b"{'descr':" + b"(" * 5_000 + b"\n")),
    "a header with an open quote": ("popular", header(b"{'descr': '''\n")),
    "a header of code": ("popular", header(b"__import__('os').abort()\n")),
    "a header of terabytes": (
        "popular", header(
            b"{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000000,)}\n",
            dtype="|u1", shape=[10**13])),
    "an array of nothing": ("popular", lambda file: file.put({"file": 0}, np.empty(9, "V0"))),
}  # fmt: skip

HARMLESS = {
    "nothing": ("home", lambda file: None),
    "popularity that is no number": ("popular", array("popularity_", everywhere(np.nan))),
    "a fallback that is no number": ("popular", array("fallback_", everywhere(np.nan))),
    "factors that are no numbers": ("als", array("item_factors_", everywhere(np.nan))),
    "visits in another order": ("visits", array("postings_", lambda old: old[::-1])),
    "visits of nothing": ("visits", array("distinct_", everywhere(0))),
    "visits at the end of time": ("visits", array("ends_", everywhere(INT64.max))),
    "likeness without end": ("knn", array("weights_", everywhere(np.inf))),
    "users' weights that are no number": ("users", array("item_weights_", everywhere(np.nan))),
    "weights that are no number": ("ease", array("item_weights_", everywhere(np.nan))),
    "times at the end of time": ("popular", array("event_times", everywhere(INT64.max))),
    "days at the beginning of time": ("home", column("created_at", "values", everywhere(0))),
    "fewer prices than items": ("home", column("price", "values", lambda old: old[:3])),
    "parameters left to their defaults": ("popular", lambda file: file.model.update(parameters={})),
    "more than the model reads": ("popular", learned(recommend_=5, more_=LIST)),
    "a list in a list in a list": ("popular", nested(40)),
}  # fmt: skip


def tampered(case, originals, tmp_path):
    kind, edit = case
    shutil.copytree(originals / kind, tmp_path / "model")
    file = File(tmp_path / "model")
    if edit(file) != "written":
        file.write()
    return tmp_path / "model"


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("mmap", [False, True], ids=["read", "mapped"])
def test_it_is_refused(case, mmap, originals, tmp_path):
    folder = tampered(case, originals, tmp_path)
    with pytest.raises(ArtifactError):
        rp.load(folder, functions=cheap, mmap=mmap)


@pytest.mark.parametrize("case", HARMLESS.values(), ids=HARMLESS)
@pytest.mark.parametrize("mmap", [False, True], ids=["read", "mapped"])
def test_it_still_answers(case, mmap, originals, tmp_path):
    folder = tampered(case, originals, tmp_path)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        use(rp.load(folder, functions=cheap, mmap=mmap))


def test_a_refusal_says_what_is_wrong_and_where(originals, tmp_path):
    folder = tampered(REFUSED["an unknown parameter"], originals, tmp_path)
    with pytest.raises(
        ArtifactError, match=r"has a parameter 'factor', .*did you mean 'factors'\?"
    ):
        rp.load(folder)
    shutil.rmtree(folder)
    folder = tampered(REFUSED["a parameter out of its bounds"], originals, tmp_path)
    with pytest.raises(ArtifactError, match="model is damaged: ALS: iterations must be an integer"):
        rp.load(folder)


# -- classes ---------------------------------------------------------------------------------


def users_class(name, module, base=rp.Popularity):
    return type(name, (base,), {"__module__": module, "__qualname__": name})


def test_a_users_class_named_like_ours_is_the_users(originals, tmp_path):
    theirs = users_class("ALS", __name__)
    theirs().fit(shop()).save(tmp_path / "theirs")
    assert type(rp.load(tmp_path / "theirs")) is theirs
    assert type(rp.load(originals / "als")) is rp.ALS


def test_a_users_class_is_never_replaced_by_ours(tmp_path):
    theirs = users_class("ItemKNN", __name__)
    theirs().fit(shop()).save(tmp_path / "theirs")
    theirs.__name__ = "Renamed"
    with pytest.raises(
        ArtifactError, match="class 'ItemKNN' is not defined here; import it before"
    ):
        rp.load(tmp_path / "theirs")


def test_the_class_of_the_same_module_is_preferred(tmp_path):
    here, there = users_class("Twin", __name__), users_class("Twin", "elsewhere")
    here().fit(shop()).save(tmp_path / "here")
    there().fit(shop()).save(tmp_path / "there")
    assert type(rp.load(tmp_path / "here")) is here
    assert type(rp.load(tmp_path / "there")) is there


def test_the_class_that_the_module_names_now_is_preferred(tmp_path, monkeypatch):
    old = users_class("Again", "notebook", base=rp.Recommender)
    new = users_class("Again", "notebook", base=rp.Popularity)
    module = types.ModuleType("notebook")
    module.Again = new
    monkeypatch.setitem(sys.modules, "notebook", module)
    new().fit(shop()).save(tmp_path / "model")
    assert type(rp.load(tmp_path / "model")) is new
    assert old.__name__ == "Again"


def test_between_classes_of_other_modules_nobody_guesses(tmp_path):
    held = [users_class("Moved", module) for module in ("before", "shop.a", "shop.b")]
    held[0]().fit(shop()).save(tmp_path / "model")
    held[0].__name__ = "Gone"
    with pytest.raises(ArtifactError, match=r"got classes of that name from shop\.a and shop\.b"):
        rp.load(tmp_path / "model")
    held[2].__name__ = "Gone"
    assert type(rp.load(tmp_path / "model")) is held[1]


# -- what a file holds -----------------------------------------------------------------------


def back(value, tmp_path, **options):
    Shelf(given=value).fit(shop()).save(tmp_path / "shelf")
    return rp.load(tmp_path / "shelf", **options).held_


def test_a_part_that_is_no_recommender_comes_back(originals):
    model = rp.load(originals / "home", functions=[cheap])
    assert isinstance(model.ranker_, Ranker)
    assert model.ranker_.step == 2.0
    assert model.ranker_.scale_.tolist() == [2.0] * 3


def test_a_generator_goes_on_where_it_stopped(tmp_path):
    random = np.random.RandomState(5)
    random.normal(size=7)
    Shelf(given=random).fit(shop()).save(tmp_path / "shelf")
    loaded = rp.load(tmp_path / "shelf")
    assert loaded.held_ is loaded.given
    assert loaded.held_.normal(size=9).tolist() == random.normal(size=9).tolist()


@pytest.mark.parametrize("value", [uuid.UUID(int=5), {uuid.UUID(int=5): 1}, {(1, "a"): None}])
def test_ids_of_other_kinds_come_back(value, tmp_path):
    assert back(value, tmp_path) == value


def test_users_may_be_known_by_uuid(tmp_path):
    users = [uuid.UUID(int=k) for k in range(3)]
    model = rp.Popularity().fit(pd.DataFrame({"user_id": users, "item_id": ["a", "b", "c"]}))
    model.save(tmp_path / "model")
    assert rp.load(tmp_path / "model").users_.ids.tolist() == users


@pytest.mark.parametrize(
    "value", [np.array(5.0), np.array([[1, 2], [3, 4]]).T, np.array(True)], ids=repr
)
def test_arrays_of_any_shape_come_back(value, tmp_path):
    held = back(value, tmp_path)
    assert held.shape == value.shape
    assert held.tolist() == value.tolist()


def test_lists_of_one_length_in_an_array_come_back(tmp_path):
    value = np.fromiter([[1, 2], [3, 4]], dtype=object, count=2)
    assert back(value, tmp_path).tolist() == [[1, 2], [3, 4]]


def test_a_matrix_with_room_to_spare_comes_back(tmp_path):
    matrix = sparse.csr_array(
        (np.ones(9), np.zeros(9, np.int32), np.array([0, 1, 1])), shape=(2, 3)
    )
    assert back(matrix, tmp_path).toarray().tolist() == [[1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("value", "words"),
    [(b"x", "is a bytes, which a saved model cannot hold"),
     (Decimal("1.5"), "is a Decimal, which a saved model cannot hold"),
     (np.complex64(1), "is a complex64, which a saved model cannot hold"),
     (np.datetime64("2026-01-01", "ns"), "is a datetime64, which a saved model cannot hold"),
     (np.ma.masked_array([1, 2], [True, False]), "is an array with a mask, which is never saved"),
     (np.empty((2, 2), object), "is an array of object, which is never saved"),
     (10**5_000, "holds what JSON cannot express: Exceeds the limit"),
     ({rp.Decision("d", "anna", (), (), None): 1}, "has a Decision for a key, which is not kept"),
     (functools.partial(cheap), "is a partial, which a file can neither hold nor name"),
     ([].append, "is a builtin_function_or_method, which a file can neither hold nor name"),
     (Shelf().fit, "is a method, which a file can neither hold nor name"),
     (np.random.RandomState(np.random.PCG64(1)), "draws from PCG64, which a saved model cannot")],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_a_file_cannot_hold_is_named(value, words, tmp_path):
    with pytest.raises(ArtifactError, match=words):
        back(value, tmp_path)
    assert not (tmp_path / "shelf").exists()


def test_what_holds_itself_is_refused(tmp_path):
    endless = []
    endless.append(endless)
    model = Shelf().fit(shop())
    model.held_ = endless
    with pytest.raises(ArtifactError, match="Shelf holds itself, or is nested too deep for a file"):
        model.save(tmp_path / "model")


def test_an_id_that_cannot_be_kept_is_named_by_its_place(tmp_path):
    ids = ["a", Decimal("1.5")]
    model = rp.Popularity().fit(pd.DataFrame({"user_id": ["u", "u"], "item_id": ids}))
    with pytest.raises(ArtifactError, match=r"Popularity\.items_\[1\] is a Decimal"):
        model.save(tmp_path / "model")


def test_an_attribute_that_is_neither_parameter_nor_learned_is_refused(tmp_path):
    model = rp.ALS(factors=2, iterations=1).fit(shop())
    model._cache = {1, 2}
    model.save(tmp_path / "model")
    model.table = 5
    with pytest.raises(
        ArtifactError, match=r"^ALS\.table is neither a parameter nor learned; lear"
    ):
        model.save(tmp_path / "model")


def test_a_parameter_out_of_its_bounds_is_not_saved(tmp_path):
    model = rp.Popularity().fit(shop()).set_params(half_life=-1)
    with pytest.raises(ParameterError, match="half_life must be a duration"):
        model.save(tmp_path / "model")


def test_two_functions_of_one_name_are_refused_with_both_places(tmp_path):
    def rule(least):
        def cheap(items):
            return items["price"] > least

        return cheap

    with pytest.raises(ArtifactError, match=r"\[1\] and .*\[0\] are two functions of the one name"):
        back([rule(1), rule(2)], tmp_path)


def test_one_function_may_be_given_alone_and_twice(tmp_path):
    assert back(cheap, tmp_path, functions=cheap) is cheap
    assert rp.load(tmp_path / "shelf", functions=[cheap, cheap]).held_ is cheap
    other = types.FunctionType(cheap.__code__, {}, "cheap")
    with pytest.raises(ArtifactError, match="functions must differ in name, got two of 'cheap'"):
        rp.load(tmp_path / "shelf", functions=[cheap, other])


def test_functions_of_c_are_named_too(tmp_path):
    assert back(len, tmp_path, functions=[len]) is len


# -- folders of others -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "manifest",
    ['{"name": "an app of the web"}', '{"format": 1}', '{"format": 1, "arrays": "files"}', "[]",
     '{"format": 1, "arrays": "arrays-../..", "files": []}', "no JSON", ""],
)  # fmt: skip
def test_a_manifest_of_somebody_else_survives(manifest, tmp_path):
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "manifest.json").write_text(manifest)
    (folder / "arrays-of-work").mkdir()
    with pytest.raises(ArtifactError, match="is there and is not a saved model; choose another"):
        rp.Popularity().fit(shop()).save(folder)
    assert (folder / "manifest.json").read_text() == manifest
    assert len(list(folder.iterdir())) == 2


def test_notes_that_look_temporary_survive(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / ".tmp-thesis").write_text("years of work")
    os.utime(folder / ".tmp-thesis", (1, 1))
    with pytest.raises(ArtifactError, match="is there and is not a saved model"):
        rp.Popularity().fit(shop()).save(folder)
    assert (folder / ".tmp-thesis").read_text() == "years of work"


def test_a_path_beneath_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("work")
    with pytest.raises(ArtifactError, match=r"model cannot be written: .*Not a directory"):
        rp.Popularity().fit(shop()).save(tmp_path / "file" / "model")


def test_a_folder_that_vanishes_while_it_is_written_is_an_error_of_ours(tmp_path, monkeypatch):
    rename = os.rename

    def vanishing(source, to):
        shutil.rmtree(tmp_path / "model")
        rename(source, to)

    monkeypatch.setattr(os, "rename", vanishing)
    with pytest.raises(ArtifactError, match="model cannot be written"):
        rp.Popularity().fit(shop()).save(tmp_path / "model")


# -- many at once ----------------------------------------------------------------------------


def together(seconds, *tasks):
    """Repeat tasks in threads of their own; return how often each ran, and what they raised."""
    stop, problems, counts = threading.Event(), [], [0] * len(tasks)

    def run(number, task):
        while not stop.is_set():
            try:
                task()
            except Exception as problem:  # noqa: BLE001 - whatever it is, the test tells
                problems.append(problem)
            counts[number] += 1

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(tasks)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return counts, problems


@pytest.mark.parametrize("locks", [True, False], ids=["locks", "no locks"])
def test_who_reads_while_others_save_gets_a_whole_model(locks, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_LOCKS", locks)
    models = [Shelf(given=np.full(99, k)).fit(shop()) for k in range(2)]
    models[0].save(tmp_path / "model")

    def read():
        held = rp.load(tmp_path / "model", verify=True).held_
        assert held.tolist() in ([0] * 99, [1] * 99)

    save = [lambda model=model: model.save(tmp_path / "model") for model in models]
    counts, problems = together(1.5, read, read, *save)
    assert min(counts) > 0
    # Without locks nobody waits: a reader may be overtaken again and again, and says so.
    late = [one for one in problems if str(one).endswith("load it again.")]
    assert problems == ([] if locks else late)
    read()


def test_saving_again_and_again_piles_nothing_up(tmp_path):
    model = Shelf().fit(shop())
    together(0.5, *[lambda: model.save(tmp_path / "model")] * 3)
    assert len(list((tmp_path / "model").iterdir())) == 2


def test_arrays_that_somebody_reads_stay_until_a_later_save(tmp_path):
    model = Shelf(given=1).fit(shop())
    model.save(tmp_path / "model")
    (arrays,) = (tmp_path / "model").glob("arrays-*")
    handle = os.open(arrays, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    model.save(tmp_path / "model")
    assert arrays.exists()
    os.close(handle)
    model.save(tmp_path / "model")
    assert arrays.exists(), "it was replaced a moment ago"
    os.utime(arrays, (1, 1))
    model.save(tmp_path / "model")
    assert not arrays.exists()


def test_a_save_waits_for_the_one_before(tmp_path):
    model = Shelf(given=1).fit(shop())
    model.save(tmp_path / "model")
    handle = os.open(tmp_path / "model", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    other = threading.Thread(target=Shelf(given=2).fit(shop()).save, args=[tmp_path / "model"])
    other.start()
    other.join(0.2)
    assert other.is_alive()
    assert rp.load(tmp_path / "model").held_ == 1
    os.close(handle)
    other.join()
    assert rp.load(tmp_path / "model").held_ == 2


def test_arrays_that_vanish_for_good_are_an_error(originals, tmp_path):
    shutil.copytree(originals / "shelf", tmp_path / "model")
    (arrays,) = (tmp_path / "model").glob("arrays-*")
    shutil.rmtree(arrays)
    with pytest.raises(ArtifactError, match="is missing or not of the size"):
        rp.load(tmp_path / "model")


def test_a_reader_that_is_always_late_gives_up_in_words(originals, tmp_path, monkeypatch):
    shutil.copytree(originals / "shelf", tmp_path / "model")
    read, model = codec.Reader.decode, Shelf().fit(shop())

    def late(self, tree):
        model.save(tmp_path / "model")
        return read(self, tree)

    monkeypatch.setattr(folders, "_LOCKS", False)
    monkeypatch.setattr(codec.Reader, "decode", late)
    with pytest.raises(ArtifactError, match="was saved anew each time it was read; load it again"):
        rp.load(tmp_path / "model")
