"""Models that each break one promise, and the check that must catch it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

import recopersona as rp
from recopersona.data.event import EVENT_TYPES
from recopersona.kernels.blocks import thread_count

CAUGHT_BY: dict[type[rp.Recommender], str] = {}


def caught_by(check):
    def remember(kind):
        CAUGHT_BY[kind] = check
        return kind

    return remember


class Honest(rp.OnlineRecommender):
    """What the others spoil: keeps every promise."""

    def _fit(self, dataset):
        self.totals_ = np.asarray(dataset.matrix().sum(axis=0), dtype=np.float32)

    def score_items(self, query, items=None):
        return self.totals_

    def _learn(self, rows):
        grown = np.zeros(len(self.items_), np.float32)
        grown[: len(self.totals_)] = self.totals_
        returned = rows.event == EVENT_TYPES.index("return")
        np.add.at(grown, rows.items, np.where(returned, 0, rows.weight))
        self.totals_ = grown


@caught_by("fit_returns_the_model")
class ReturnsNothing(Honest):
    def fit(self, dataset, y=None):
        super().fit(dataset)


@caught_by("the_constructor_only_stores_its_parameters")
class WorksInTheConstructor(Honest):
    names: list = rp.param(default=("a", "b"))

    def __init__(self, *, names=("a", "b")):
        self.names = list(names)


@caught_by("fit_leaves_the_parameters_alone")
class ChangesItsParameters(Honest):
    level: float = rp.param(rp.real(), default=1.0)

    def _fit(self, dataset):
        self.level = float(dataset.matrix().mean())
        super()._fit(dataset)


@caught_by("an_unfitted_model_says_so")
class AnswersUnfitted(Honest):
    def similar_items(self, item_id, n=10):
        return super().similar_items(item_id, n) if "items_" in vars(self) else []


@caught_by("fitting_twice_is_fitting_once")
class KeepsOnAdding(Honest):
    def _fit(self, dataset):
        super()._fit(dataset)
        self._again = self.totals_ = vars(self).get("_again", np.float32(0)) + self.totals_[::-1]


@caught_by("a_second_fit_forgets_the_first")
class RemembersTheFirstFit(Honest):
    def _fit(self, dataset):
        super()._fit(dataset)
        if "_first" not in vars(self):
            self._first = len(dataset.items)
        self.totals_ = self.totals_ * np.float32(self._first)


@caught_by("the_same_seed_gives_the_same_answer")
class DrawsFromTheGlobalGenerator(Honest):
    def _fit(self, dataset):
        self.totals_ = np.random.random(len(dataset.items)).astype(np.float32)  # noqa: NPY002


@caught_by("the_number_of_threads_changes_nothing")
class CountsThreads(Honest):
    def _fit(self, dataset):
        super()._fit(dataset)
        self.totals_ = self.totals_ * np.float32(1 + 1e-6 * thread_count())


class GoesInPasses(Honest):
    """As good as the honest one, in three passes."""

    def _fit(self, dataset):
        super()._fit(dataset)
        whole = self.totals_
        for number in self._passes(3, self._publish):
            self.totals_ = whole * np.float32(number + 1) / 3

    def _publish(self):
        """There is nothing else to do."""


@caught_by("a_watched_fit_learns_the_same")
class LearnsByBeingAsked(GoesInPasses):
    def _publish(self):
        self.totals_ = self.totals_[::-1].copy()
        self.n_asked_ = vars(self).get("n_asked_", 0) + 1
        self.totals_[0] += 100 * self.n_asked_


@caught_by("the_best_pass_comes_back")
class KeepsItsScoresToItself(GoesInPasses):
    def score_items(self, query, items=None):
        return self._shown

    def _publish(self):
        self._shown = self.totals_


@caught_by("a_frame_teaches_like_its_dataset")
class IgnoresFrames(Honest):
    def fit(self, dataset, y=None):
        is_frame = isinstance(dataset, pd.DataFrame)
        return super().fit(dataset[["user_id", "item_id"]][::2] if is_frame else dataset)


@caught_by("the_callers_frame_is_never_changed")
class ChangesTheFrame(Honest):
    def fit(self, dataset, y=None):
        if isinstance(dataset, pd.DataFrame):
            dataset["event"] = "view"
        return super().fit(dataset)


@caught_by("the_dataset_is_never_changed")
class AddsAUserToTheDataset(Honest):
    def _fit(self, dataset):
        super()._fit(dataset)
        dataset.users.append("ghost")


@caught_by("the_dataset_is_never_changed")
class WritesIntoTheAttributes(Honest):
    def _fit(self, dataset):
        super()._fit(dataset)
        if "price" in dataset.item_features:
            dataset.item_features.column("price").values[0] = 0


@caught_by("ids_alone_are_enough")
class NeedsTimeWithoutAWord(Honest):
    def _fit(self, dataset):
        super()._fit(dataset)
        self.latest_ = int(dataset.interactions.timestamp.max())


@caught_by("integer_ids_come_back_as_integers")
class TurnsIdsIntoText(Honest):
    def recommend_many(self, asked, n=10, *, seen="drop"):
        return super().recommend_many(asked, n, seen=seen).astype({"user_id": str})


@caught_by("one_item_is_enough")
class DividesByTheSpread(Honest):
    def _fit(self, dataset):
        super()._fit(dataset)
        self.totals_ = self.totals_ / (self.totals_.max() - self.totals_.min())


@caught_by("as_many_items_come_back_as_asked")
class NeverFillsUp(Honest):
    def score_items(self, query, items=None):
        return np.where(self.totals_ > np.median(self.totals_), self.totals_, -np.inf)

    def _filled(self, ranking, excluded, n, blocked):
        return ranking


@caught_by("no_item_comes_twice")
class RepeatsItself(Honest):
    def _rank(self, queries, n, *args, **options):
        lists = super()._rank(queries, n, *args, **options)
        return [ranking.take(np.maximum(np.arange(len(ranking)) - 1, 0)) for ranking in lists]


@caught_by("scores_are_finite_and_sorted")
class HasNoNumbers(Honest):
    def score_items(self, query, items=None):
        scores = self.totals_.copy()
        scores[0] = np.nan
        return scores


@caught_by("scores_are_finite_and_sorted")
class ForgetsTheLastItem(Honest):
    def score_items(self, query, items=None):
        return self.totals_[:-1]


@caught_by("scores_are_finite_and_sorted")
class StandsOnItsHead(Honest):
    def _rank(self, queries, n, *args, **options):
        lists = super()._rank(queries, n, *args, **options)
        return [ranking.take(slice(None, None, -1)) for ranking in lists]


@caught_by("the_best_scores_are_recommended")
class BreaksTiesFromTheEnd(Honest):
    def score_items(self, query, items=None):
        return np.ones_like(self.totals_)

    def _rank(self, queries, n, *args, **options):
        lists = super()._rank(queries, n, *args, **options)
        return [replace(ranking, items=ranking.items[::-1]) for ranking in lists]


@caught_by("asking_for_few_items_is_enough")
class MistakesItemsForPlaces(Honest):
    def score_items(self, query, items=None):
        if items is None:
            return self.totals_
        scores = np.full_like(self.totals_, -np.inf)
        scores[: len(items)] = self.totals_[items]
        return scores


@caught_by("seen_items_are_left_out")
class OffersSeenItems(Honest):
    def _excluded(self, query, kinds):
        return np.empty(0, np.int32)


@caught_by("only_the_named_kinds_of_events_count_as_seen")
class CountsEveryKindAsSeen(Honest):
    def _excluded(self, query, kinds):
        return super()._excluded(query, () if kinds else kinds)


@caught_by("unknown_users_are_answered")
class KnowsOnlyItsUsers(Honest):
    def score_items(self, query, items=None):
        if query.user_id is not None:
            _ = dict.fromkeys(self.users_)[query.user_id]
        return self.totals_


@caught_by("unknown_items_are_left_aside")
class LooksUpUnknownItems(Honest):
    def score_items(self, query, items=None):
        last = [self.items_.index(item) for item in query.session][:1]
        return self.totals_ * (1 + np.isin(np.arange(len(self.totals_)) - len(self.totals_), last))


@caught_by("nothing_allowed_is_an_empty_answer")
class IgnoresRules(Honest):
    def _rank(self, queries, n, kinds, eligible=None, fill=True):
        return super()._rank(queries, n, kinds, None, fill)


@caught_by("many_are_answered_like_one")
class MixesUpABatch(Honest):
    def _score_queries(self, queries):
        return super()._score_queries(queries) + np.arange(len(queries))[:, None]


@caught_by("answers_come_in_the_order_asked")
class SortsItsUsers(Honest):
    def recommend_many(self, asked, n=10, *, seen="drop"):
        return super().recommend_many(asked, n, seen=seen).sort_values("user_id", kind="stable")


@caught_by("asking_changes_nothing")
class StoresEveryStranger(Honest):
    def score_items(self, query, items=None):
        if query.user_id is not None:
            self.users_.append(query.user_id)
        return self.totals_


@caught_by("explanations_add_up_to_the_score")
class Exaggerates(Honest):
    def _explain(self, query, item):
        return 2 * super()._explain(query, item)


@caught_by("forgetting_leaves_no_trace")
class PretendsToForget(Honest):
    def forget(self, user_ids):
        return int((self.users_.indices(list(user_ids)) >= 0).sum())


@caught_by("a_forgotten_user_is_in_no_file")
class KeepsAListOfItsOwn(Honest):
    def _fit(self, dataset):
        super()._fit(dataset)
        self.best_customers_ = dataset.users.ids.tolist()


@caught_by("a_loaded_model_answers_the_same")
class LearnsInPrivate(Honest):
    def _fit(self, dataset):
        super()._fit(dataset)
        self._hidden = self.totals_[::-1].copy()

    def score_items(self, query, items=None):
        return vars(self).get("_hidden", self.totals_)


@caught_by("partial_fit_on_an_unfitted_model_fits")
class NeedsFitFirst(Honest):
    def partial_fit(self, events, y=None):
        self._check_fitted()
        return super().partial_fit(events)


@caught_by("new_users_and_new_items_are_welcome")
class KnowsOnlyOldItems(Honest):
    def _learn(self, rows):
        np.add.at(self.totals_, rows.items, rows.weight)


@caught_by("what_happened_is_seen_at_once")
class ForgetsWhatHappened(Honest):
    def _remember(self, rows):
        return None

    def _remember_one(self, user, item, code, weight, time):
        return None


@caught_by("a_frame_and_events_teach_the_same")
class CountsRowsOfAFrameTwice(Honest):
    def _learn(self, rows):
        super()._learn(rows if len(rows) == 1 else rows.take(np.arange(2 * len(rows)) // 2))


@caught_by("partial_fit_leaves_its_input_alone")
class SortsTheFrame(Honest):
    def partial_fit(self, events, y=None):
        if isinstance(events, pd.DataFrame):
            events.sort_values("item_id", inplace=True)
        return super().partial_fit(events)


@caught_by("a_loaded_model_goes_on_learning")
class WritesIntoItsFiles(Honest):
    def _learn(self, rows):
        if len(self.items_) > len(self.totals_):
            super()._learn(rows)
        else:
            self.totals_[rows.items] += rows.weight


@caught_by("a_far_later_event_keeps_scores_finite")
class GrowsWithoutEnd(Honest):
    def _learn(self, rows):
        super()._learn(rows)
        days = (int(rows.timestamp[-1]) - self.decayed_to_) / 86_400_000
        self.totals_[-1] = np.float32(np.exp2(min(days, 1_000)))


@caught_by("what_is_held_can_be_told")
class KeepsQuiet(Honest):
    def held_of(self, user_ids):
        told = super().held_of(user_ids)
        for user in told.get("users", ()):
            user["recent"] = user["recent"][:-1]
        return told


@caught_by("nobody_known_to_forget_changes_nothing")
class CountsWhoAsks(Honest):
    def forget(self, user_ids, **options):
        self.asked_ = getattr(self, "asked_", 0) + 1
        return super().forget(user_ids, **options)


@caught_by("what_is_stale_is_told")
class NamesWhatIsNot(Honest):
    _taught_by_all = ("nowhere_",)


@caught_by("a_refit_is_as_if_they_had_never_been")
class RemembersEarlierFits(Honest):
    def _fit(self, dataset):
        super()._fit(dataset)
        self._most = max(getattr(self, "_most", 0), len(dataset.users))
        self.most_users_ = self._most


@caught_by("what_is_not_stale_is_as_if_they_had_never_been")
class ClaimsToHaveSubtracted(Honest):
    _taught_by_all = ()


@caught_by("numbers_can_be_forgotten")
class TakesTextForNumbers(Honest):
    def forget(self, user_ids, **options):
        numbers = [int(one) if str(one).isdecimal() else one for one in user_ids]
        return super().forget(numbers, **options)


@caught_by("a_loaded_model_forgets_as_well")
class BlanksWhereItStands(Honest):
    def _fit(self, dataset):
        super()._fit(dataset)
        self.moods_ = np.ones(len(dataset.users), np.float32)

    def _forget_users(self, users):
        super()._forget_users(users)
        self.moods_[users] = 0
