"""Checks of saved models: they answer like the model they were, and hold nothing that could run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from recopersona.base.artifact import load
from recopersona.base.recommender import Recommender
from recopersona.testing.comparing import answers, expect, expect_equal, questions
from recopersona.testing.shops import small_shop


def a_loaded_model_answers_the_same(model: Recommender) -> None:
    """Saved and loaded, read or mapped from disk, a model gives the same answers to the bit."""
    shop = small_shop()
    asked = questions(shop.users.ids, shop.items.ids)
    before = answers(model.fit(shop), asked)
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model")
        for mmap in (False, True):
            loaded = load(f"{folder}/model", functions=functions_of(model), mmap=mmap, verify=True)
            expect(repr(loaded) == repr(model), f"parameters must survive, got {loaded!r}.")
            expect_equal(before, answers(loaded, asked), f"load(mmap={mmap}) must answer the same")
            del loaded
    expect_equal(before, answers(model, asked), "saving must change no answer")


def a_saved_model_holds_nothing_that_could_run(model: Recommender) -> None:
    """A saved model is one JSON file and plain arrays: no pickle, no code."""
    with tempfile.TemporaryDirectory() as folder:
        model.fit(small_shop()).save(f"{folder}/model")
        for path in Path(folder).rglob("*"):
            if path.suffix == ".npy":
                np.load(path, allow_pickle=False)
            elif path.is_file():
                expect(path.name == "manifest.json", f"{path.name} must not be there.")
                json.loads(path.read_text(encoding="utf-8"))


def a_forgotten_user_is_in_no_file(model: Recommender) -> None:
    """What is saved after ``forget`` does not hold the id."""
    model.fit(small_shop())
    model.recommend("u-0002")
    model.forget(["u-0002"])
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model")
        for path in Path(folder).rglob("*.*"):
            held = path.is_file() and b"u-0002" in path.read_bytes()
            expect(not held, f"{path.name} still holds the forgotten id.")


def functions_of(model: Recommender) -> list[Callable[..., Any]]:
    """Plain functions among the parameters: a file only names them."""
    values = model.get_params(deep=False).values()
    listed = [part for value in values for part in (value if isinstance(value, list) else [value])]
    return [part for part in listed if callable(part)]


CHECKS = (
    a_loaded_model_answers_the_same,
    a_saved_model_holds_nothing_that_could_run,
    a_forgotten_user_is_in_no_file,
)
