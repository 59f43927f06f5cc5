"""A search on disk goes on as if it had not been stopped, by whatever means."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import optuna
import pytest

import recopersona as rp
from recopersona.errors import DataError, ParameterError
from tests.tuning.dial import SPACE, Dial, DiesAfter, closeness

CHILD = """
import sys
from contextlib import closing
import recopersona as rp
from tests.tuning.dial import SPACE, Dial, DiesAfter
shop = rp.synthetic_shop(150, 60, random_state=3)
rp.tune(Dial(), shop, metric=DiesAfter(int(sys.argv[2])), space=SPACE, trials=24,
        storage=sys.argv[1])
"""


@pytest.fixture(scope="module")
def shop():
    return rp.synthetic_shop(150, 60, random_state=3)


def search(shop, storage=None, **asked):
    asked = {"metric": closeness, "space": SPACE, "trials": 24, **asked}
    return rp.tune(Dial(), shop, storage=storage, progress=False, **asked)


def told(found):
    return found.trials.drop(columns="seconds")


def test_killed_in_the_midst_of_a_trial_it_goes_on_as_if_nothing_had_happened(shop, tmp_path):
    path = str(tmp_path / "study.db")
    child = [sys.executable, "-c", CHILD, path, "14"]  # by then, trials learn from those before
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(child, env=here, check=False).returncode == -signal.SIGKILL
    resumed, whole = search(shop, path), search(shop)
    assert resumed.counts["interrupted"] == 1
    assert len(resumed.study.trials) == len(whole.study.trials) + 1
    assert told(resumed).equals(told(whole))
    assert resumed.params == whole.params


def test_a_finished_search_is_read_and_nothing_is_tried_again(shop, tmp_path):
    path = tmp_path / "folder" / "study.db"
    first = search(shop, path)
    again = search(shop, path, metric=DiesAfter(0))
    assert again.trials.equals(first.trials)


def test_more_trials_go_on_with_a_search(shop, tmp_path):
    path = tmp_path / "study.db"
    search(shop, path, trials=10)
    assert told(search(shop, path)).equals(told(search(shop)))


def test_one_file_holds_many_studies(shop, tmp_path):
    path = tmp_path / "study.db"
    search(shop, path, trials=3, name="one")
    search(shop, path, trials=3, name="two", random_state=5)
    assert set(optuna.study.get_all_study_names(f"sqlite:///{path}")) == {"one", "two"}


def test_several_models_each_have_a_study(shop, tmp_path):
    for _ in range(2):
        models = {"a": Dial(), "b": Dial(kind="good")}
        found = rp.tune(models, shop, metric=closeness, trials=6, storage=tmp_path / "study.db")
        assert [one.counts["trials"] for one in found.others.values()] == [3, 3]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"random_state": 1}, "random_state 0 there, 1 here"),
        ({"search": "random"}, "search 'tpe' there, 'random' here"),
        ({"space": {"x": (0.0, 1.0)}}, "space .* there, .* here"),
        ({"folds": 2}, "splits .* there"),
        ({"seen": "keep"}, "seen 'drop' there, 'keep' here"),
    ],
)
def test_another_search_of_the_same_name_is_refused_with_what_differs(shop, tmp_path, other, words):
    path = tmp_path / "study.db"
    search(shop, path, trials=1)
    with pytest.raises(ParameterError, match=f"another search .*{words}"):
        search(shop, path, **other)


def test_other_data_are_another_search(shop, tmp_path):
    path = tmp_path / "study.db"
    search(shop, path, trials=1)
    with pytest.raises(ParameterError, match=r"data '\w+' there, '\w+' here"):
        search(shop.take(shop.log.users != 0), path)


def test_a_study_that_somebody_else_began_is_refused(shop, tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(storage=url, study_name="Dial", direction="maximize")
    study.ask()
    with pytest.raises(ParameterError, match="was not begun by tune"):
        search(shop, url)


def test_a_file_that_is_no_database_is_refused(shop, tmp_path):
    (tmp_path / "study.db").write_text("this is no database, but it is long enough to be one" * 9)
    with pytest.raises(DataError, match="cannot be used"):
        search(shop, tmp_path / "study.db")


@pytest.mark.parametrize("directions", [["minimize"], ["maximize", "minimize"]])
def test_an_empty_study_of_another_direction_is_refused(shop, tmp_path, directions):
    path = f"sqlite:///{tmp_path}/study.db"
    optuna.create_study(storage=path, study_name="Dial", directions=directions)
    with pytest.raises(ParameterError, match="was not begun by tune; choose another name"):
        search(shop, path)


DAMAGE = {
    "what was told is a list": "update trial_user_attributes set value_json = '[1]'",
    "what was told is no JSON": "update trial_user_attributes set value_json = 'x'",
    "seconds in words": """update trial_user_attributes set value_json = '{"seconds": "x"}'""",
    "what was told is gone": "delete from trial_user_attributes",
    "parameters are gone": "delete from trial_params",
    "parameters of another name": "update trial_params set param_name = param_id",
    "parameters of another class": (
        """update trial_params set distribution_json = '{"name": "os.system", "attributes": {}}'"""
    ),
    "a value in words": "update trial_values set value = 'x'",
    "no values": "delete from trial_values",
    "a state of nobody": "update trials set state = 'GONE'",
    "no directions": "delete from study_directions",
    "what was asked is a list": "update study_user_attributes set value_json = '[1, 2]'",
}


@pytest.fixture(scope="module")
def searched(shop, tmp_path_factory):
    path = tmp_path_factory.mktemp("studies") / "study.db"
    search(shop, path, trials=2)
    return path


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_study_is_refused_in_words(shop, searched, damage, tmp_path):
    with closing(sqlite3.connect(searched)) as old, closing(sqlite3.connect(tmp_path / "s")) as new:
        old.backup(new)
        new.execute(damage)
        new.commit()
    with pytest.raises((DataError, ParameterError), match=r"tune: the st\w+ .* choose|cannot be"):
        search(shop, tmp_path / "s", trials=3)


def test_a_path_that_would_be_cut_off_is_refused(shop, tmp_path):
    with pytest.raises(ParameterError, match=r"the path of a storage has no '\?'"):
        search(shop, tmp_path / "a?b.db")
    assert not list(tmp_path.iterdir())
