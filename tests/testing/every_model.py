"""Every recommender of the package, made with arguments that suit a tiny shop."""

import importlib
import pkgutil

import recopersona as rp
from recopersona import models, pipeline
from recopersona.models.session import SessionRecommender

ARGUMENTS = {  # of models that cannot be made without
    "Blend": {"models": [rp.ALS(factors=8), rp.ItemKNN()]},
    "Explore": {"model": rp.ItemKNN()},
    "Fallback": {"models": [rp.ItemKNN(), rp.SegmentPopularity()]},
    "Pipeline": {"candidates": [rp.ALS(factors=8), rp.ItemKNN(), rp.Popularity(half_life="7d")]},
    "Switch": {
        "models": {"known": rp.ItemKNN(), "stranger": rp.SegmentPopularity()},
        "default": rp.Popularity(),
    },
}


def every_model():
    """Every recommender that stands in a module of the rooms of models and can be fitted."""
    for room in (models, pipeline):
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            for name, kind in vars(importlib.import_module(found.name)).items():
                is_model = isinstance(kind, type) and issubclass(kind, rp.Recommender)
                if not is_model or kind.__module__ != found.name or name.startswith("_"):
                    continue
                if kind._fit is not rp.Recommender._fit and kind is not SessionRecommender:
                    yield kind(**ARGUMENTS.get(name, {}))
