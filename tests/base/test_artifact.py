"""Saved models: complete or absent, never executed, and refused when they cannot be trusted."""

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import recopersona as rp
from recopersona.base import artifact
from recopersona.errors import ArtifactError, NotFittedError

EVENTS = pd.DataFrame({
    "user_id": ["anna", "anna", "ben", "ben", "cleo"],
    "item_id": ["tea", "cup", "tea", "cup", "tea"],
})  # fmt: skip


class Holder(rp.Recommender):
    """Learns whatever a test gives it."""

    given: object = rp.param(default=None)

    def _fit(self, dataset):
        self.held_ = self.given

    def score_items(self, query, items=None):
        return np.ones(len(self.items_), np.float32)


@pytest.fixture
def model():
    return rp.ItemKNN().fit(EVENTS)


@pytest.fixture
def saved(model, tmp_path):
    model.save(tmp_path / "model.rp")
    return tmp_path / "model.rp"


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


def rewrite(folder, change):
    manifest = manifest_of(folder)
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def array_files(folder):
    return sorted(folder.glob("arrays-*/*.npy"))


def held_after_saving(value, tmp_path):
    Holder(given=value).fit(EVENTS).save(tmp_path / "holder.rp")
    return rp.load(tmp_path / "holder.rp").held_


@pytest.mark.parametrize(
    "value",
    [None, True, 3, -1.5, "text ✓", [1, "a"], (1, (2, [3])), {"a": 1, 2: "b", (1, "c"): None},
     timedelta(days=2), float("inf"), 2**70, "\ud800", {}, [], ()],
    ids=repr,
)  # fmt: skip
def test_plain_values_come_back_as_they_were(value, tmp_path):
    assert held_after_saving(value, tmp_path) == value


def test_not_a_number_comes_back_as_one(tmp_path):
    assert np.isnan(held_after_saving(float("nan"), tmp_path))


@pytest.mark.parametrize(
    "array",
    [np.arange(6, dtype=np.int16).reshape(2, 3), np.ones((0, 3), np.float32), np.array([True]),
     np.arange(12.0).reshape(3, 4)[:, ::2], np.asfortranarray(np.arange(6.0).reshape(2, 3)),
     np.array(["tea", "", "süß"], dtype=object), np.array([None, 1, "a"], dtype=object),
     np.array([], dtype=object)],
    ids=repr,
)  # fmt: skip
def test_arrays_come_back_with_type_and_shape(array, tmp_path):
    back = held_after_saving(array, tmp_path)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert (back == array).all()


def test_numbers_of_numpy_come_back_as_numbers(tmp_path):
    assert held_after_saving([np.float32(0.5), np.int64(3), np.bool_(True)], tmp_path) == [
        0.5,
        3,
        True,
    ]


def test_the_nouns_come_back(tmp_path):
    ids = rp.IdMap(["tea", "cup"])
    ids.forget(["tea"])
    table = rp.FeatureTable.from_frame(
        pd.DataFrame({"item_id": ["cup"], "price": [2.0], "tags": [["a", "b"]], "gift": [True],
                      "brand": ["Ito"], "created_at": ["2026-01-01"]}), ids, "item_id",
    )  # fmt: skip
    decision = rp.Decision("d", "anna", ("tea",), ("ALS",), {"page": "home"}, 5)
    decision = decision.with_outcome({"tea": "click"})
    matrix = sparse.csr_array(np.array([[0, 1.5], [0, 0]]))
    back = held_after_saving(
        {"ids": ids, "table": table, "decision": decision, "matrix": matrix}, tmp_path
    )
    assert back["ids"].ids.tolist() == [None, "cup"]
    assert back["table"].ids is back["ids"]
    assert back["decision"] == decision
    assert (back["matrix"].toarray() == matrix.toarray()).all()
    for name in table.names:
        assert back["table"][name].tolist()[1:] == table[name].tolist()[1:]


def test_what_was_one_object_is_one_object_again(tmp_path):
    shared = np.arange(3)
    first, second = held_after_saving([shared, shared], tmp_path)
    assert first is second


@pytest.mark.parametrize("ids", [["a", "b"], [1, 2], [2**63, 5], ["a", 1]])
def test_ids_keep_their_type(ids, tmp_path):
    model = rp.Popularity().fit(pd.DataFrame({"user_id": ids, "item_id": ids}))
    model.save(tmp_path / "model")
    loaded = rp.load(tmp_path / "model")
    assert loaded.items_.ids.tolist() == ids
    assert [type(one) for one in loaded.items_] == [type(one) for one in ids]
    assert loaded.users_.ids.dtype == model.users_.ids.dtype


@pytest.mark.parametrize(
    ("value", "words"),
    [(object(), r"Holder\.\w+ is a object, which a saved model cannot hold"),
     ([1, {"deep": {1, 2}}], r"Holder\.\w+\[1\]\['deep'\] is a set"),
     (np.array(["2026-01-01"], dtype="datetime64[D]"), "is an array of datetime64"),
     (np.ones(2, complex), "is an array of complex128, which is never saved"),
     (lambda items: items, "is a lambda, which a file can neither hold nor name"),
     (Holder, "is a \\w+, which a saved model cannot hold")],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_by_its_place(value, words, tmp_path):
    with pytest.raises(ArtifactError, match=words):
        Holder(given=value).fit(EVENTS).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_refused_save_leaves_the_old_model(model, tmp_path):
    Holder(given=5).fit(EVENTS).save(tmp_path / "model")
    with pytest.raises(ArtifactError):
        Holder(given=object()).fit(EVENTS).save(tmp_path / "model")
    assert rp.load(tmp_path / "model").held_ == 5


def test_an_unfitted_model_is_not_saved(tmp_path):
    with pytest.raises(NotFittedError, match=r"^this ALS has learned nothing to save; call fit\.$"):
        rp.save(rp.ALS(), tmp_path / "model")
    with pytest.raises(ArtifactError, match="save needs a recommender or a part, got dict"):
        rp.save({}, tmp_path / "model")


def test_what_is_not_a_saved_model_is_never_overwritten(model, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("more work")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "manifest.json").write_text('{"name": "an app of the web"}')
    for name in ("folder", "file", "app"):
        with pytest.raises(
            ArtifactError, match="is there and is not a saved model; choose another"
        ):
            model.save(tmp_path / name)
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "years of work"
    assert (tmp_path / "file").read_text() == "more work"
    assert manifest_of(tmp_path / "app") == {"name": "an app of the web"}


def test_an_empty_folder_and_missing_parents_are_filled(model, tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "far" / "away"):
        model.save(path)
        assert rp.load(path).recommend("cleo").item_ids == ["cup"]


def test_saving_again_replaces_the_model_and_leaves_nothing_behind(saved):
    Holder(given=1).fit(EVENTS).save(saved)
    assert rp.load(saved).held_ == 1
    assert len(list(saved.iterdir())) == 2


def test_an_open_map_outlives_the_next_save(saved):
    mapped = rp.load(saved, mmap=True)
    before = mapped.recommend_many(["anna", "ben", "cleo"])
    Holder().fit(EVENTS).save(saved)
    assert mapped.recommend_many(["anna", "ben", "cleo"]).equals(before)


def test_mapped_arrays_cannot_be_written_to(saved):
    mapped = rp.load(saved, mmap=True)
    assert not mapped.weights_.flags.writeable
    assert type(mapped.weights_) is np.ndarray


def test_leftovers_of_the_dead_are_swept_when_they_are_old(saved, model):
    fresh, old = saved / ".tmp-1-arrays-x", saved / ".tmp-2-arrays-y"
    for folder in (fresh, old):
        folder.mkdir()
    os.utime(old, (1, 1))
    model.save(saved)
    assert fresh.exists()
    assert not old.exists()


def test_two_may_save_at_once(tmp_path, monkeypatch):
    first, second = Holder(given="first").fit(EVENTS), Holder(given="second").fit(EVENTS)
    first.save(tmp_path / "model")
    replace = os.replace

    def meanwhile(source, to):
        monkeypatch.setattr(os, "replace", replace)
        second.save(tmp_path / "model")
        replace(source, to)

    monkeypatch.setattr(os, "replace", meanwhile)
    first.save(tmp_path / "model")
    assert rp.load(tmp_path / "model", verify=True).held_ == "first"


# -- killed on the way -----------------------------------------------------------------------


class Killed(BaseException):
    pass


CALLS = ("fsync", "rename", "replace")


def die_at(patch, number, clean_up):
    """Let the process die at one of the calls that write; a real death cleans nothing up."""
    count = 0

    def dying(call):
        def counted(*args, **options):
            nonlocal count
            count += 1
            if count == number:
                raise Killed
            return call(*args, **options)

        return counted

    for name in CALLS:
        patch.setattr(os, name, dying(getattr(os, name)))
    if not clean_up:
        patch.setattr(shutil, "rmtree", lambda *args, **options: None)
        patch.setattr(Path, "unlink", lambda *args, **options: None)
    return lambda: count


def calls_of_a_save(model, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        counted = die_at(patch, number=0, clean_up=True)
        model.save(tmp_path / "rehearsal")
        return counted()


@pytest.mark.parametrize("clean_up", [True, False], ids=["interrupted", "killed"])
def test_whoever_dies_while_saving_leaves_the_old_model_or_the_new(clean_up, tmp_path):
    old, new = Holder(given="old").fit(EVENTS), Holder(given="new").fit(EVENTS)
    n_calls = calls_of_a_save(new, tmp_path)
    assert n_calls > 8
    kept = []
    for number in range(1, n_calls + 1):
        path = tmp_path / f"model-{number}"
        old.save(path)
        with pytest.MonkeyPatch.context() as patch:
            die_at(patch, number, clean_up)
            with pytest.raises(Killed):
                new.save(path)
        loaded = rp.load(path, verify=True)
        kept.append(loaded.held_)
        assert loaded.recommend("cleo").item_ids == ["cup"]
        new.save(path)
        assert rp.load(path, verify=True).held_ == "new"
    assert kept == ["old"] * (n_calls - 1) + ["new"]


def test_whoever_dies_while_saving_for_the_first_time_leaves_no_half_model(model, tmp_path):
    for number in range(1, calls_of_a_save(model, tmp_path)):
        path = tmp_path / f"model-{number}"
        with pytest.MonkeyPatch.context() as patch:
            die_at(patch, number, clean_up=False)
            with pytest.raises(Killed):
                model.save(path)
        with pytest.raises(ArtifactError, match=r"is not a saved model: it has no manifest\.json"):
            rp.load(path)
        model.save(path)
        rp.load(path)


def test_everything_is_on_disk_before_it_is_named(model, tmp_path, monkeypatch):
    told = []

    def listen(name, say):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args: (told.append(say(*args)), call(*args))[1])

    listen("fsync", lambda handle: ("flushed", os.fstat(handle).st_ino))
    listen("rename", lambda source, to: ("moved", Path(to).name))
    listen("replace", lambda source, to: ("replaced", Path(to).name))
    model.save(tmp_path / "model")
    folder = tmp_path / "model"
    arrays = next(folder.glob("arrays-*"))
    in_order = sorted(arrays.iterdir(), key=lambda path: int(path.stem))
    files = [("flushed", path.stat().st_ino) for path in in_order]
    assert told[-len(files) - 6 :] == [
        *files,
        ("flushed", arrays.stat().st_ino),
        ("moved", arrays.name),
        ("flushed", folder.stat().st_ino),
        ("flushed", (folder / "manifest.json").stat().st_ino),
        ("replaced", "manifest.json"),
        ("flushed", folder.stat().st_ino),
    ]


# -- not to be trusted -----------------------------------------------------------------------


def changed_byte(folder):
    path = array_files(folder)[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def truncated(folder):
    path = array_files(folder)[0]
    path.write_bytes(path.read_bytes()[:-1])


def header_saying(**said):
    def lie(folder):
        path = array_files(folder)[0]
        array = np.load(path)
        header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape, **said}
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            file.write(array.tobytes())
        rewrite(folder, lambda manifest: manifest["files"][0].update(bytes=path.stat().st_size))

    return lie


def lying_header_and_manifest(folder):
    """A small file that says, twice, that it holds terabytes."""
    header_saying(shape=(2**40,))(folder)
    rewrite(folder, lambda manifest: manifest["files"][0].update(shape=[2**40]))


def pickled(folder):
    path = array_files(folder)[0]
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    size = path.stat().st_size
    rewrite(folder, lambda manifest: manifest["files"][0].update(bytes=size, dtype="|O", shape=[1]))


def linked(folder):
    path = array_files(folder)[0]
    elsewhere = folder.parent / "elsewhere.npy"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def linked_arrays(folder):
    arrays = next(folder.glob("arrays-*"))
    elsewhere = folder.parent / "elsewhere"
    arrays.rename(elsewhere)
    arrays.symlink_to(elsewhere)


def elsewhere(name):
    def point(folder):
        shutil.copytree(
            next(folder.glob("arrays-*")), folder.parent / "outside", dirs_exist_ok=True
        )
        rewrite(folder, lambda manifest: manifest.update(arrays=name))

    return point


def first_array(change):
    def spoil(folder):
        manifest = manifest_of(folder)

        def visit(tree):
            if isinstance(tree, dict) and tree.get("$") == "array":
                change(tree)
                return True
            if isinstance(tree, dict):
                tree = list(tree.values())
            return isinstance(tree, list) and any(map(visit, tree))

        assert visit(manifest["model"])
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return spoil


def model_part(**change):
    return lambda folder: rewrite(folder, lambda manifest: manifest["model"].update(change))


def written(text):
    return lambda folder: (folder / "manifest.json").write_text(text)


def deep_tree(folder):
    text = (folder / "manifest.json").read_text()
    deep = '{"$": "list", "parts": [' * 50_000 + "]}" * 50_000
    assert '"learned": {' in text
    deeper = text.replace('"learned": {', f'"learned": {{"x_": {deep}, ')
    (folder / "manifest.json").write_text(deeper)


TAMPERED = {
    "a changed byte": (changed_byte, "was changed after it was saved"),
    "a truncated file": (truncated, "is missing or not of the size the manifest says"),
    "a missing file": (
        lambda folder: array_files(folder)[0].unlink(),
        "is missing or not of the size",
    ),
    "a header of another shape": (header_saying(shape=(1,)), "manifest says|was changed|damaged"),
    "a header of another type": (header_saying(descr="<c16"), "manifest says|was changed|damaged"),
    "a header that promises terabytes": (header_saying(shape=(2**40,)), "was changed|damaged"),
    "a manifest that promises terabytes": (lying_header_and_manifest, "was changed|damaged"),
    "a pickle": (pickled, "was changed|damaged"),
    "a link in place of an array": (linked, "is missing or not of the size"),
    "a link in place of the arrays": (
        linked_arrays,
        "does not name its arrays as a saved model does",
    ),
    "a path upwards": (elsewhere("../outside"), "does not name its arrays"),
    "an absolute path": (elsewhere("/etc"), "does not name its arrays"),
    "a path within": (elsewhere("arrays-" + "0" * 32 + "/../.."), "does not name its arrays"),
    "arrays that are a number": (elsewhere(7), "does not name its arrays"),
    "an array by path": (
        first_array(lambda tree: tree.update(file="../../outside/0")),
        "is damaged",
    ),
    "an array below zero": (first_array(lambda tree: tree.update(file=-1)), "is missing or not of"),
    "an array beyond the last": (first_array(lambda tree: tree.update(file=999)), "is damaged"),
    "a newer format": (
        lambda folder: rewrite(
            folder, lambda manifest: manifest.update(format=artifact.FORMAT + 1)
        ),
        "was saved in format 2, this reads up to 1; upgrade recopersona",
    ),
    "a format that is none": (
        lambda folder: rewrite(folder, lambda manifest: manifest.update(format="1")),
        "is not the manifest of a saved model",
    ),
    "an unknown class": (
        model_part(**{"class": "os.system"}),
        "class 'os.system' is not defined here",
    ),
    "a class that is no recommender": (
        model_part(**{"class": "Event"}),
        "class 'Event' is not defined",
    ),
    "an unknown kind of value": (model_part(**{"$": "eval"}), "is damaged: KeyError"),
    "no recommender": (model_part(**{"$": "list", "parts": []}), "holds no recommender"),
    "a method of the model": (
        model_part(learned={"recommend": 1}),
        "a saved model cannot set 'recommend'",
    ),
    "a private name": (
        model_part(learned={"__class__": 1}),
        "a saved model cannot set '__class__'",
    ),
    "a reference to nothing": (
        model_part(learned={"x_": {"$": "again", "of": 99}}),
        "is damaged: KeyError",
    ),
    "deep nesting in the text": (written("[" * 100_000), "is not readable|is not the manifest"),
    "deep nesting in the model": (deep_tree, "is damaged|is not readable"),
    "half a manifest": (
        lambda folder: written((folder / "manifest.json").read_text()[:50])(folder),
        "is not readable",
    ),
    "an empty manifest": (written(""), "is not readable"),
    "no text": (
        lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe\x00"),
        "is not readable",
    ),
    "a list": (written("[]"), "is not the manifest of a saved model"),
    "no files": (
        lambda folder: rewrite(folder, lambda manifest: manifest.pop("files")),
        "name its arrays",
    ),
    "no model": (
        lambda folder: rewrite(folder, lambda manifest: manifest.pop("model")),
        "is damaged",
    ),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "it has no manifest.json"),
}


@pytest.mark.parametrize(("tamper", "words"), TAMPERED.values(), ids=TAMPERED)
@pytest.mark.parametrize("mmap", [False, True], ids=["read", "mapped"])
def test_a_tampered_model_is_refused(tamper, words, mmap, saved):
    tamper(saved)
    with pytest.raises(ArtifactError, match=words):
        rp.load(saved, mmap=mmap, verify=True)


@pytest.mark.parametrize(
    "tamper",
    [truncated, header_saying(shape=(2**40,)), lying_header_and_manifest, pickled,
     header_saying(descr="<c16")],
)  # fmt: skip
def test_without_verifying_a_lying_file_is_refused_all_the_same(tamper, saved):
    tamper(saved)
    with pytest.raises(ArtifactError):
        rp.load(saved)


@pytest.mark.parametrize("value", [-1, 10**6])
@pytest.mark.parametrize("mmap", [False, True])
def test_indices_that_a_kernel_could_not_survive_are_refused(value, mmap, saved):
    """Compiled code does not look where it reads: what it is given is checked when it is loaded."""
    indices = [path for path in array_files(saved) if np.load(path).dtype == np.int32]
    assert len(indices) > 1
    for path in indices:
        array = np.load(path)
        spoilt = np.full_like(array, value)
        np.save(path, spoilt)
        with pytest.raises(ArtifactError, match="is damaged"):
            rp.load(saved, mmap=mmap)
        np.save(path, array)
    rp.load(saved, mmap=mmap)


def test_loading_a_model_runs_nothing_of_it(tmp_path):
    calls = []

    class Loud(rp.Recommender):
        def _fit(self, dataset):
            calls.append("fit")

        def score_items(self, query, items=None):
            calls.append("score")
            return np.ones(len(self.items_), np.float32)

    Loud().fit(EVENTS).save(tmp_path / "model")
    calls.clear()
    rp.load(tmp_path / "model")
    assert calls == []


def test_a_class_that_this_process_lacks_is_asked_for(tmp_path):
    program = (
        "import sys, numpy as np, pandas as pd, recopersona as rp\n"
        "class OnlyHere(rp.Recommender):\n"
        "    def _fit(self, dataset): pass\n"
        "    def score_items(self, query, items=None): return np.ones(2, np.float32)\n"
        "OnlyHere().fit([rp.Event(1, 'a'), rp.Event(1, 'b')]).save(sys.argv[1])\n"
    )
    path = str(tmp_path / "model")
    subprocess.run([sys.executable, "-c", program, path], check=True)
    with pytest.raises(ArtifactError, match="class 'OnlyHere' is not defined here; import it"):
        rp.load(path)


def test_a_parameter_that_the_class_lacks_is_refused_by_name(saved):
    def add(manifest):
        manifest["model"]["parameters"]["retired"] = 3

    rewrite(saved, add)
    with pytest.raises(ArtifactError, match="ItemKNN has a parameter 'retired', which the class"):
        rp.load(saved)


def test_a_path_that_is_no_model_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ArtifactError, match=r"is not a saved model: it has no manifest\.json"):
            rp.load(path)


def in_stock(items):
    return items["item_id"] != ""


def test_functions_are_named_by_the_file_and_brought_by_the_caller(tmp_path):
    Holder(given=in_stock).fit(EVENTS).save(tmp_path / "model")
    with pytest.raises(ArtifactError, match="uses the function 'in_stock', which a file cannot"):
        rp.load(tmp_path / "model")
    assert rp.load(tmp_path / "model", functions=[in_stock]).held_ is in_stock
