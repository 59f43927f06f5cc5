import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ParameterError


def log(n=300):
    """Three tastes, each with two items that go together; bread is for all, truffles for one."""
    random = np.random.default_rng(2)
    tastes = [["tea", "honey"], ["beer", "chips"], ["pasta", "oil"]]
    rows = [(user, item) for user in range(n) for item in tastes[user % 3] if random.random() < 0.8]
    rows += [(user, "bread") for user in range(n)] + [(0, "truffles")]
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


def naive(x, n):
    """Regress every answer on those given, and ask what leaves least unexplained."""
    centred = x - x.mean(axis=0)
    asked = []
    for _ in range(n):
        left = {}
        for item in set(range(x.shape[1])) - set(asked):
            known = centred[:, [*asked, item]]
            fitted = known @ np.linalg.pinv(known) @ centred
            left[item] = np.square(centred - fitted).sum()
        asked.append(min(left, key=lambda item: (round(left[item], 9), item)))
    return asked


def test_the_questions_are_those_that_explain_most():
    x = (np.random.default_rng(4).random((80, 7)) < np.linspace(0.1, 0.7, 7)).astype(np.float32)
    found = rp.questionnaire(rp.Dataset.from_matrix(x), n=4)
    assert found["item_id"].tolist() == naive(x.astype(np.float64), 4)


def test_what_everybody_or_nobody_knows_is_not_asked():
    found = rp.questionnaire(log(), n=3)
    assert not {"bread", "truffles"} & set(found["item_id"])
    assert found["rank"].tolist() == [1, 2, 3]
    assert found["share"].between(0.2, 0.3).all()
    assert (found["told"].diff().dropna() > 0).all()


def test_no_question_repeats_another_taste_before_all_were_asked():
    kind = {"tea": 0, "honey": 0, "beer": 1, "chips": 1, "pasta": 2, "oil": 2}
    first = rp.questionnaire(log(), n=2)["item_id"]
    assert len({kind[item] for item in first}) == 2


def test_a_model_a_dataset_and_a_frame_give_the_same_questions():
    frame = log()
    wanted = rp.questionnaire(frame, n=4)
    assert rp.questionnaire(rp.Dataset.from_frames(frame), n=4).equals(wanted)
    assert rp.questionnaire(rp.Popularity().fit(frame), n=4).equals(wanted)


def test_answers_are_a_query_and_what_was_asked_is_not_offered():
    model = rp.ItemKNN().fit(log())
    answers = {"beer": 1, "tea": 0}
    ranking = model.recommend(rp.Query(history=answers), n=9)
    assert ranking[0] == "chips"
    assert not set(answers) & set(ranking.item_ids)


def test_where_nothing_is_left_to_tell_fewer_come_back():
    found = rp.questionnaire(pd.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"]}), n=5)
    assert found["item_id"].tolist() == ["a"]
    assert found["told"].tolist() == [1.0]
    alike = rp.questionnaire(pd.DataFrame({"user_id": [1, 2], "item_id": ["a", "a"]}))
    assert list(alike.columns) == ["item_id", "rank", "share", "told"]
    assert len(alike) == 0


def test_only_candidates_are_asked_about():
    counts = log()["item_id"].value_counts()
    second = counts.drop("bread").index[0]
    assert rp.questionnaire(log(), n=9, candidates=2)["item_id"].tolist() == [second]
    with pytest.raises(ParameterError, match="n must be an integer of at least 1"):
        rp.questionnaire(log(), n=0)
