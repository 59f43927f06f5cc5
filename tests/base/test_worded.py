"""What a file keeps as text: written, read back by the class of that name, shared as it was."""

import json
from pathlib import Path

import numpy as np
import pytest

import recopersona as rp
from recopersona.base.worded import Worded
from recopersona.errors import ArtifactError, DataError
from recopersona.rules import Exclude, RuleSet, item


class Motto(Worded):
    """Says little."""

    def __init__(self, words):
        self.words = words

    def _in_words(self):
        return self.words

    @classmethod
    def _of_words(cls, text):
        if len(text.split()) > 3:
            raise DataError(f"a motto has at most three words, got {text!r}.")
        return cls(text)


class Shelf(rp.Recommender):
    """Learns whatever a test gives it."""

    given: object = rp.param(default=None)

    def _fit(self, dataset):
        self.held_ = [self.given, self.given]

    def score_items(self, query, items=None):
        return np.ones(len(self.items_), np.float32)


def kept(value, path):
    Shelf(given=value).fit([rp.Event("anna", "tea")]).save(path)
    return rp.load(path)


def test_a_users_words_come_back_once(tmp_path):
    shelf = kept(Motto("less is more"), tmp_path / "shelf.rp")
    assert shelf.given.words == "less is more"
    assert shelf.held_[0] is shelf.held_[1] is shelf.given


@pytest.mark.parametrize(
    "value",
    [
        RuleSet("REQUIRE item.stock > 0; PIN item.id = 'i1' AT 2", timezone="Asia/Tokyo"),
        Exclude(item.adult, name="no_adult"),
        RuleSet(),
        Path("rules") / "all.txt",
    ],
    ids=["a set", "a rule", "an empty set", "a path"],
)
def test_rules_and_paths_come_back(value, tmp_path):
    back = kept(value, tmp_path / "shelf.rp").given
    assert back == value
    assert type(back) is type(value)


def test_words_that_cannot_be_read_are_refused(tmp_path):
    path = tmp_path / "shelf.rp"
    kept(Motto("less"), path)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["model"]["parameters"]["given"]["text"] = "more is not always better"
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="is damaged: a motto has at most three words"):
        rp.load(path)


def test_a_class_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "shelf.rp"
    kept(Motto("less"), path)
    manifest = (path / "manifest.json").read_text().replace('"Motto"', '"Slogan"')
    (path / "manifest.json").write_text(manifest)
    with pytest.raises(ArtifactError, match="class 'Slogan' is not defined here; import it"):
        rp.load(path)
