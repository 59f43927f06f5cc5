"""Every public way in or out is on a list: whoever adds one says here whether it asks the gate."""

import inspect
import re

import pytest

import recopersona as rp
from recopersona.base.gated import Gated
from recopersona.names import PUBLIC_NAMES

ASKS = """
    read_events write_events StreamSessionizer.add StreamSessionizer.restore Dataset.from_frames
    Recommender.fit Recommender.recommend Recommender.recommend_many Recommender.rank_many
    Recommender.explain Recommender.score Recommender.update_users
    OnlineRecommender.partial_fit Composite.update_users Described.update_users
    ColdStartMapper.update_users Factorization.predict_then_learn Bundles.recommend_bundles
    Deciding.recommend Deciding.recommend_many Deciding.feedback Pipeline.update_users
    Features.fit Features.fit_transform Features.update Features.transform Features.for_query
    LifetimeValue.fit LifetimeValue.predict LifetimeValue.holdout
    Segments.fit Segments.transform Segments.fit_transform ProfileImputer.fit
    SessionEncoder.fit SessionEncoder.encode SessionEncoder.encode_many SessionEncoder.transform
    SessionEncoder.nearest_items SessionEncoder.nearest_sessions
    Policy.fit Policy.partial_fit
    Reranker.fit Reranker.__call__ BanditReranker.fit Chain.fit
    Ranker.fit Ranker.__call__ Ranker.probabilities Ranker.explain Ranker.update_users
    ExpectedRevenue.__call__ ExpectedRevenue.probabilities ExpectedRevenue.explain
    ExpectedRevenue.update_users ExaminationModel.fit Lessons.from_impressions
    Recommender.similar_items
"""
"""They ask the gate themselves, or the gate of the dataset that they are given."""

OF_A_DATASET = """
    split_by_time rolling_splits split_last leave_one_out split_at_random split_users k_fold
    k_fold_users cold_items cold_users Dataset.take cross_validate learning_curve validation_curve
    tune questionnaire simulate_rules HybridFactorization.feature_ablation
    AttributeEncoder.fit AttributeEncoder.fit_transform AttributeEncoder.transform
    ItemVectors.fit ItemVectors.describe RuleSchema.of RuleSchema.of_tables compare evaluate
"""
"""They take a dataset, or a table of one, and its gate with it."""

BELOW = """
    Acquainted.now_of Acquainted.session_of Acquainted.taste_of Acquainted.user_of
    Described.attributes_of Switch.segment_of BanditReranker.for_page Chain.for_page
    ByAspect.wanted_by Fatigue.tiredness Freshness.ages_of Objective.of Serendipity.distances_of
    SlotExploration.are_new Ranker.take_in ExpectedRevenue.take_in Crediting.reward_of
    Feature.learn Query.of Policy.update Policy.revise
"""
"""They are called with what has passed: a query, rows or a decision; `update` has no names."""

KEEPS_NOTHING = """
    clean Cleaner.clean Cleaner.clean_all sessionize session_table dwell scroll_depth rfm impute
    infer_attribute ProfileImputer.transform hash_ids event_hash places_of score_lists
    off_policy off_policy_lists interleaved_preference Interleaving.credit team_draft
    Experiment.analyse without_repeats scaled plot EventGate.*  History.* Interactions.* IdMap.*
    FeatureTable.* Ranking.* Decision.* Lessons.of Dataset.from_matrix Dataset.behind
    Splitter.split Splitter.get_n_splits
    Stage.__call__ search_space choice real_range whole_range limit_threads save RuleSet.*
    PositionBased.* World.* Stale.*
    Pipeline.with_rules Schema.kind_of Seen.equals SessionKNN.preset regret
"""
"""They change what they are given and keep nothing of anybody, or hold what has passed."""

OF_THE_CATALOGUE = "read_catalogue *.update_items"
LEAVING = "*.forget *.held_of *.forget_before *.take_back"
MATHEMATICS = "*.score_items *.set_params"

ROOMS = {
    "recopersona.events.identity": "who is who: the ledger asks it",
    "recopersona.events.consent": "the gate itself",
    "recopersona.operations": "what takes people out again",
}

WORDS = {
    *("events", "event", "dataset", "data", "customers", "visits", "visit", "impressions", "log"),
    *("rows", "frame", "X", "source", "asked", "query", "queries", "history", "lessons", "table"),
    *("decision_id", "rewards", "held_out", "splits", "user_ids", "clicked", "parts", "state"),
    *("user_id", "who", "users"),
}
BRINGS = re.compile(r"\b(Any|Event|Dataset|Query|DataFrame|Lessons|Decision|Interactions)\b")
LISTS = (ASKS, OF_A_DATASET, BELOW, KEEPS_NOTHING, OF_THE_CATALOGUE, LEAVING, MATHEMATICS)
LISTED = [name for names in LISTS for name in names.split()]


def public(names):
    """Walk (qualified name, function, class or None) of all that is public."""
    for name in names:
        thing = getattr(rp, name)
        if not inspect.isclass(thing):
            yield name, thing, None
            continue
        for attribute in dir(thing):
            if attribute.startswith("_") and attribute != "__call__":
                continue
            found = inspect.getattr_static(thing, attribute)
            function = getattr(found, "__func__", found)
            yield getattr(function, "__qualname__", ""), function, thing


def brings_people(function):
    """Tell whether something may come in by a parameter of a function."""
    ours = inspect.isfunction(function) and function.__module__.startswith("recopersona.")
    if not ours or any(function.__module__.startswith(room) for room in ROOMS):
        return False
    given = [one for one in inspect.signature(function).parameters.values() if one.name != "self"]
    return any(
        one.name in WORDS
        or (one.default is one.empty and BRINGS.search(str(one.annotation)) is not None)
        for one in given
    )


def matches(name, listed):
    owner, _, verb = listed.partition(".")
    if owner == "*":
        return name.endswith(f".{verb}")
    return name.startswith(f"{owner}.") if verb == "*" else name == listed


def unlisted(names):
    ways = {name for name, function, _ in public(names) if brings_people(function)}
    return sorted(way for way in ways if not any(matches(way, listed) for listed in LISTED))


def test_every_way_in_is_on_a_list():
    assert unlisted(PUBLIC_NAMES) == [], (
        "new ways in: let them ask the gate and prove it in tests/consent, or say on a list in "
        "this file why they need not"
    )


def test_no_list_speaks_of_what_is_no_longer_there():
    ways = {name for name, _, _ in public(PUBLIC_NAMES)} | {*PUBLIC_NAMES}
    gone = [one for one in LISTED if not any(matches(way, one) for way in ways)]
    assert gone == []


def test_a_new_way_in_is_found(monkeypatch):
    class Listener:
        def learn(self, clicks: "Any") -> None:  # noqa: F821
            """Learn from whoever clicked."""

        def heed(self, events, gate=None):
            """Learn from events."""

        def names(self, n: int) -> None:
            """Return some names."""

    for function in (Listener.learn, Listener.heed, Listener.names):
        function.__module__ = "recopersona.models.listener"
        function.__qualname__ = function.__qualname__.rpartition("<locals>.")[2]
    monkeypatch.setattr(rp, "Listener", Listener, raising=False)
    assert unlisted(["Listener"]) == ["Listener.heed", "Listener.learn"]


@pytest.mark.parametrize("name", ASKS.split())
def test_what_asks_has_a_gate_to_ask(name):
    found = [(function, owner) for one, function, owner in public(PUBLIC_NAMES) if one == name]
    assert found
    for function, owner in found:
        told = inspect.signature(function).parameters
        assert (
            "gate" in told
            or "dataset" in told
            or issubclass(owner, Gated)
            or "gate" in inspect.signature(owner).parameters
        ), name
