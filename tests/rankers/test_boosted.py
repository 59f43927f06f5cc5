"""Boosted trees find what was planted, say why, and stay what they are in a file."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import recopersona as rp
from recopersona.errors import ArtifactError, DataError, MissingExtraError, ParameterError
from recopersona.kernels.blocks import limit_threads
from recopersona.rankers.boosted import BoostedRanker, _mean_curve, _parts
from recopersona.rankers.lessons import Lessons
from tests.rankers.planted import N_CANDIDATES, mean_rank_of_taken, planted

SMALL = {"trees": 60, "leaves": 6, "learning_rate": 0.15, "patience": 10}
OBJECTIVES = ("pointwise", "lambdarank")


@pytest.fixture(scope="module", params=OBJECTIVES)
def taught(request):
    lessons, shop = planted(250)
    ranker = BoostedRanker(objective=request.param, monotone={"price": -1, "quality": 1}, **SMALL)
    return ranker.fit(lessons, shop)


@pytest.fixture(scope="module")
def unseen():
    return planted(150, seed=1)[0]


def asked(lessons, place=0):
    return lessons.queries[place], lessons.rankings[place]


# -- what is learned -----------------------------------------------------------------------------


def test_what_was_planted_is_found(taught, unseen):
    assert mean_rank_of_taken(taught, unseen) < 4.5
    gains = taught.gains
    assert set(gains.index[:3]) == {"quality", "price", "spice"}
    assert gains.sum() == pytest.approx(1)
    assert taught.importances["luck"] < 0.2 * taught.importances["quality"]


def test_a_few_dozen_requests_are_enough_for_what_is_plain(unseen):
    lessons, shop = planted(40)
    assert mean_rank_of_taken(BoostedRanker().fit(lessons, shop), unseen) < 9


def test_the_answer_is_monotone_where_it_shall_be(taught, unseen):
    matrix = taught.columns_.of(*asked(unseen))
    for name, sign in (("price", -1), ("quality", 1)):
        column = taught.columns_.names_.index(name)
        moved = np.repeat(matrix, 200, axis=0)
        moved[:, column] = np.tile(np.linspace(-5, 80, 200), len(matrix))
        logits = taught._logits(moved).reshape(len(matrix), 200)
        assert (sign * np.diff(logits, axis=1) >= 0).all()
        assert (logits[:, 0] != logits[:, -1]).any()


def test_without_constraints_the_answer_need_not_be_monotone():
    lessons, shop = planted(250)
    ranker = BoostedRanker(**SMALL).fit(lessons, shop)
    column = ranker.columns_.names_.index("spice")
    row = np.repeat(ranker.columns_.of(*asked(lessons))[:1], 50, axis=0)
    row[:, column] = np.linspace(-3, 3, 50)
    steps = np.diff(ranker._logits(row))
    assert (steps > 0).any()
    assert (steps < 0).any()


def test_contributions_add_up_to_the_logit(taught, unseen):
    matrix = taught.columns_.of(*asked(unseen))
    shares = taught._shares(matrix)
    np.testing.assert_allclose(taught.base_ + shares.sum(axis=1), taught._logits(matrix), atol=1e-9)


def test_an_item_is_explained_by_what_was_planted(taught, unseen):
    query, ranking = asked(unseen)
    best = taught(query, ranking)
    told = taught.explain(query, ranking, best[0])
    assert told["contribution"].sum() == pytest.approx(float(best.scores[0]), rel=1e-5)
    assert {"quality", "price", "spice"} & set(told["column"][:3])


def test_history_says_which_number_of_trees_was_best(taught):
    name, sign = ("loss", 1) if taught.objective == "pointwise" else ("ndcg", -1)
    history = pd.DataFrame(taught.history_)
    assert history["iteration"].tolist() == list(range(1, len(history) + 1))
    assert (sign * history[name]).argmin() + 1 == taught.n_trees_
    assert len(taught.forest_.bounds_) - 1 == taught.n_trees_ <= 60


@pytest.mark.parametrize("patience", [20, None])
def test_without_patience_or_with_much_of_it_all_trees_are_grown(patience):
    lessons, shop = planted(60)
    ranker = BoostedRanker(**{**SMALL, "trees": 12, "patience": patience}).fit(lessons, shop)
    assert len(ranker.history_) == 12


def test_without_patience_all_trees_stay_though_fewer_had_a_lower_loss():
    lessons, shop = planted(60)
    ranker = BoostedRanker(**{**SMALL, "learning_rate": 1.0, "patience": None}).fit(lessons, shop)
    assert pd.DataFrame(ranker.history_)["loss"].argmin() + 1 < 60 == ranker.n_trees_


@pytest.mark.parametrize("n_requests", [1, 2, 3, 5, 23, 1_000])
def test_of_few_lessons_every_request_is_held_out_once(n_requests):
    runs = _parts(np.full(n_requests, 30))
    held = [request for start, end in runs for request in range(start, end)]
    assert sorted(held) == list(range(n_requests))
    assert runs[0][0] <= n_requests / 2 <= runs[0][1]
    assert len(runs) == min(n_requests, 5)


def test_of_many_lessons_those_in_the_middle_are_held_out():
    assert _parts(np.full(100_000, 30)) == [(40_000, 60_000)]


def test_a_curve_that_ended_early_stays_where_it_ended():
    mean = _mean_curve([np.array([1.0, 3.0]), np.array([2.0, 2.0, 5.0])])
    assert mean.tolist() == [1.5, 2.5, 4.0]


# -- probabilities -------------------------------------------------------------------------------


def expected_calibration_error(probabilities, labels, weights, n_bins=10):
    """Return the mean distance of what was said from what happened, over bins of equal weight."""
    order = np.argsort(probabilities)
    reached = np.cumsum(weights[order])
    bins = np.minimum((n_bins * reached / reached[-1]).astype(int), n_bins - 1)
    error = 0.0
    for part in range(n_bins):
        rows = order[bins == part]
        gap = np.average(probabilities[rows] - labels[rows], weights=weights[rows])
        error += abs(gap) * weights[rows].sum() / weights.sum()
    return error


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_probabilities_are_calibrated_though_negatives_were_sampled(objective, kind, unseen):
    lessons, shop = planted(400)
    kept = (lessons.labels > 0) | (np.random.default_rng(0).random(lessons.n_rows) < 0.3)
    sampled = Lessons(
        lessons.queries,
        [
            ranking.take(kept[start : start + N_CANDIDATES])
            for ranking, start in zip(lessons.rankings, lessons.bounds[:-1], strict=True)
        ],
        np.concatenate([[0], np.cumsum(np.bincount(lessons.request_of, kept))]),
        lessons.labels[kept],
        np.where(lessons.labels > 0, 1.0, 1 / 0.3)[kept],
    )
    ranker = BoostedRanker(objective=objective, calibration=kind, **SMALL).fit(sampled, shop)
    said = np.concatenate(
        [ranker.probabilities(*asked(unseen, place)) for place in range(len(unseen))]
    )
    ones = np.ones(len(said))
    error = expected_calibration_error(said, unseen.labels, ones)
    assert error < 0.018  # of a mean probability of 1 in 30; of 450 rows a bin, a third is chance
    assert expected_calibration_error(np.minimum(3 * said, 1), unseen.labels, ones) > 3 * error


def test_labels_between_are_shares(unseen):
    lessons, shop = planted(250)
    half = replace(lessons, labels=lessons.labels / 2)
    ranker = BoostedRanker(**SMALL).fit(half, shop)
    said = np.concatenate([ranker.probabilities(*asked(half, place)) for place in range(250)])
    assert said.mean() == pytest.approx(1 / 60, rel=0.05)
    assert said.max() < 0.6
    assert mean_rank_of_taken(ranker, unseen) < 5


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_logits_that_differ_keep_their_order_where_probabilities_round(kind, unseen, monkeypatch):
    lessons, shop = planted(60)
    ranker = BoostedRanker(calibration=kind, **SMALL).fit(lessons, shop)
    logits = 1 + 1e-9 * np.random.default_rng(0).permutation(N_CANDIDATES)
    monkeypatch.setattr(ranker, "_logits", lambda matrix: logits)
    query, ranking = asked(unseen)
    answer = ranker(query, ranking)
    assert answer.items.tolist() == ranking.items[np.argsort(-logits)].tolist()
    assert (np.diff(answer.scores) <= 0).all()


# -- the same again ------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_answer_depends_on_the_seed_and_not_on_the_threads(objective):
    lessons, shop = planted(80)
    ranker = BoostedRanker(objective=objective, **{**SMALL, "trees": 15})

    def values(ranker, threads):
        with limit_threads(threads):
            return clone(ranker).fit(lessons, shop).forest_.values_.tolist()

    once = values(ranker, 1)
    assert values(ranker, 2) == once
    assert values(ranker.set_params(random_state=1), 2) != once


def test_a_file_holds_arrays_and_the_same_answers(taught, unseen, tmp_path):
    rp.save(taught, tmp_path / "ranker")
    again = rp.load(tmp_path / "ranker")
    for place in range(5):
        query, ranking = asked(unseen, place)
        assert (again(query, ranking).items == taught(query, ranking).items).all()
        assert (again(query, ranking).scores == taught(query, ranking).scores).all()
        best = taught(query, ranking)[0]
        pd.testing.assert_frame_equal(
            again.explain(query, ranking, best), taught.explain(query, ranking, best)
        )
    assert (again.history_, again.n_trees_) == (taught.history_, taught.n_trees_)
    assert again.gains.equals(taught.gains)


@pytest.mark.parametrize("harm", ["column", "leaf", "bound", "width"])
def test_a_file_with_forks_that_lead_nowhere_is_refused(taught, tmp_path, harm):
    broken = clone(taught)
    vars(broken).update(vars(taught))
    forest = clone(taught.forest_)
    vars(forest).update({name: np.copy(part) if isinstance(part, np.ndarray) else part
                         for name, part in vars(taught.forest_).items()})  # fmt: skip
    broken.forest_ = forest
    if harm == "column":
        forest.columns_[0] = 1_000
    elif harm == "leaf":
        forest.spans_[0, 2] = 40
    elif harm == "bound":
        forest.bounds_[1] = -1
    else:
        forest.n_columns_ += 1
    rp.save(broken, tmp_path / "ranker")
    with pytest.raises((ArtifactError, DataError)):
        rp.load(tmp_path / "ranker")


def test_a_second_fit_forgets_the_first():
    (few, shop), (many, _) = planted(30), planted(80)
    ranker = BoostedRanker(**SMALL).fit(many, shop).fit(few, shop)
    once = BoostedRanker(**SMALL).fit(few, shop)
    assert ranker.forest_.values_.tolist() == once.forest_.values_.tolist()


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_lessons_of_one_kind_teach_nothing(label):
    lessons, shop = planted(20)
    same = replace(lessons, labels=np.full(lessons.n_rows, label))
    with pytest.raises(DataError, match="needs candidates that were taken and others"):
        BoostedRanker().fit(same, shop)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_request_teaches_what_it_can(objective):
    lessons, shop = planted(1)
    ranker = BoostedRanker(objective=objective, min_rows=1).fit(lessons, shop)
    assert (ranker.history_, ranker.n_trees_) == ([], 20)
    answer = ranker(*asked(lessons))
    assert sorted(answer.items) == sorted(lessons.rankings[0].items)
    assert np.isfinite(answer.scores).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_requests_with_one_candidate_and_columns_never_known(objective):
    lessons, shop = planted(60)
    single = replace(
        lessons,
        rankings=[ranking.take(slice(1)) for ranking in lessons.rankings],
        bounds=np.arange(61),
        labels=np.arange(60) % 2,
        weights=np.ones(60),
    )
    ranker = BoostedRanker(objective=objective, **{**SMALL, "min_rows": 5}).fit(single, shop)
    matrix = np.full((3, len(ranker.columns_.names_)), np.nan, np.float32)
    assert np.isfinite(ranker._logits(matrix)).all()
    assert np.isfinite(ranker._shares(matrix)).all()


def test_a_column_hardly_ever_known_is_left_out():
    lessons, shop = planted(60)
    ranker = BoostedRanker(**SMALL, min_rows=10_000).fit(lessons, shop)
    assert ranker.gains.sum() == 0
    query, ranking = asked(lessons)
    assert len(set(ranker(query, ranking).scores.tolist())) == 1


def test_a_misspelt_monotone_column_is_named():
    lessons, shop = planted(20)
    with pytest.raises(ParameterError, match=r"monotone names 'prise'.* did you mean 'price'"):
        BoostedRanker(monotone={"prise": -1}).fit(lessons, shop)


def test_a_matrix_of_other_columns_is_refused(taught):
    with pytest.raises(DataError, match=r"the trees read a matrix of \d columns, got shape"):
        taught._logits(np.zeros((3, 2), np.float32))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"objective": "listwise"}, "objective must be one of 'pointwise', 'lambdarank'"),
        ({"leaves": 64}, "leaves must be an integer of at least 2 and at most 32, or None"),
        ({"trees": 0}, "trees must be an integer of at least 1"),
        ({"column_share": 0}, "column_share must be a finite number above 0 and at most 1"),
    ],
)
def test_parameters_out_of_bounds_are_named(wrong, words):
    lessons, shop = planted(20)
    with pytest.raises(ParameterError, match=words):
        BoostedRanker(**wrong).fit(lessons, shop)


def test_a_missing_extra_is_named(monkeypatch):
    lessons, shop = planted(20)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtraError, match=r'pip install "recopersona\[lightgbm\]"'):
        BoostedRanker(objective="lambdarank").fit(lessons, shop)


def test_of_too_many_lessons_whole_requests_are_drawn():
    lessons, shop = planted(60)
    ranker = BoostedRanker(**SMALL, max_rows=20 * N_CANDIDATES).fit(lessons, shop)
    assert ranker.n_left_out_ == 40
    assert ranker.forest_.covers_[: ranker.forest_.bounds_[1] + 1].sum() == 20 * N_CANDIDATES
