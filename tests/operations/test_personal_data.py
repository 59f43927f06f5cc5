"""A person is erased everywhere at once, whatever fails on the way; the receipt names nobody."""

import json
import logging
import re
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import DataError, ParameterError
from recopersona.operations.logs.kept_log import LogFile

KEY = "correct horse battery staple"
HERS = ["u-17", "c-9", "c-10", "card-17", "user_id:u-17"]


def her_log():
    rows = [
        ("u-16", "c-1", "tea"), ("u-17", "c-9", "tea"), (None, "c-9", "salt"),
        ("u-18", "c-2", "salt"),
        (None, "c-10", "honey"), ("u-17", "c-10", "honey"), ("u-18", "c-2", "tea"),
        ("u-170", "c-90", "honey"), ("u-16", "c-1", "honey"),
    ]  # fmt: skip
    log = pd.DataFrame(rows, columns=["user_id", "anonymous_id", "item_id"])
    log["timestamp"] = pd.date_range("2026-06-01", periods=len(log), freq="D", tz="UTC")
    log["event_id"] = [f"e-{n}" for n in range(len(log))]
    return log


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


class Shop:
    """A small shop that holds everything that can be held of u-17."""

    def __init__(self, folder):
        self.folder, self.log = folder, her_log()
        self.graph = rp.IdentityGraph().update(self.log)
        self.graph.update({"user_id": "u-17", "loyalty_card": "card-17"})
        self.ledger = rp.ConsentLedger(unknown="granted").journal(folder / "consent.jsonl")
        self.ledger.record("u-17", "ads", "denied", "2026-06-01")
        self.ledger.record("u-18", "ads", "denied", "2026-06-01")
        known = self.log.dropna(subset="user_id")
        self.home = rp.Pipeline(candidates=[rp.UserKNN(), rp.Popularity()]).fit(known)
        self.home.recommend(rp.Query("u-17", decision_id="d-1"))
        self.home.recommend(rp.Query("u-18", decision_id="d-2"))
        named = known.assign(user_id="user_id:" + known["user_id"])
        rp.save(rp.ItemKNN().fit(named), folder / "by_profile.rp")
        rp.save(self.home, folder / "home.rp")
        rp.save(self.graph, folder / "graph.rp")
        self.stream = rp.StreamSessionizer(watermark="30d")
        self.stream.add(rp.Event(None, "tea", timestamp="2026-06-03", anonymous_id="c-9"))
        self.stream.add(rp.Event("u-18", "tea", timestamp="2026-06-03", anonymous_id="c-2"))
        self.log.to_csv(folder / "clicks.csv", index=False)
        rp.write_events(self.log, folder / "clicks.parquet")
        self.log.to_json(folder / "old.jsonl.gz", orient="records", lines=True, date_format="iso")
        (folder / "cards.csv").write_text("loyalty_card,city\ncard-17,Ulm\ncard-1,Bonn\n")

    def data(self, **changes):
        return rp.PersonalData(**{
            "holders": {"home": self.home, "stream": self.stream},
            "models": [self.folder / "*.rp"],
            "logs": [self.folder / "c*.csv", self.folder / "clicks.parquet",
                     self.folder / "old.jsonl.gz"],
            "identity": self.graph, "consent": self.ledger, "searched": [self.folder], "key": KEY,
        } | changes)  # fmt: skip

    def traces(self):
        return rp.find_traces(self.folder, HERS)


def kinds(receipt):
    return [(Path(one.holder).name, one.kind, one.held) for one in receipt.holders]


# Erasing ------------------------------------------------------------------------------------------


def test_nothing_of_her_is_left_anywhere(shop, caplog):
    caplog.set_level(logging.DEBUG)
    data = shop.data()
    assert shop.traces()
    receipt = data.erase("u-17", at="2026-07-01")
    assert receipt.verified, receipt
    assert kinds(receipt) == [
        ("consent", "consent", 1), ("home", "live", 1), ("stream", "live", 1),
        ("by_profile.rp", "saved", 1), ("home.rp", "saved", 1), ("cards.csv", "log", 1),
        ("clicks.csv", "log", 4), ("clicks.parquet", "log", 4), ("old.jsonl.gz", "log", 4),
        ("graph.rp", "saved", 4), ("identity", "identity", 4),
    ]  # fmt: skip
    (shop.folder / "receipt.json").write_text(receipt.to_json())
    (shop.folder / "words.txt").write_text(
        f"{receipt} {receipt!r} {data!r} {caplog.text} {shop.home!r} {shop.graph!r} {shop.ledger!r}"
    )
    rp.save(shop.home, shop.folder / "home_after.rp")
    rp.save(shop.graph, shop.folder / "graph_after.rp")
    rp.save(shop.ledger, shop.folder / "ledger_after.rp")
    assert shop.traces() == []
    assert rp.find_traces(shop.folder, ["u-18", "u-170", "c-90"])
    assert json.loads(receipt.to_json())["identifiers"] == {
        "user_id": 1, "loyalty_card": 1, "anonymous_id": 2,
    }  # fmt: skip


@pytest.mark.parametrize("subject", [
    "u-17", "user_id:u-17", {"anonymous_id": "c-10"}, {"loyalty_card": ["card-17"]}, ["u-17"],
    ["u-17", {"anonymous_id": "c-9"}],
])  # fmt: skip
def test_whichever_identifier_is_given_all_of_them_go(shop, subject):
    assert shop.data().erase(subject, at="2026-07-01").verified
    assert shop.traces() == []


def test_several_people_are_erased_at_once(shop):
    receipt = shop.data().erase(["u-17", "u-18"], at="2026-07-01")
    assert receipt.verified
    assert rp.find_traces(shop.folder, [*HERS, "u-18", "c-2"]) == []
    assert shop.log["user_id"].eq("u-16").any()
    assert rp.read_events(shop.folder / "clicks.csv")["user_id"].tolist() == [
        "u-16", "u-170", "u-16",
    ]  # fmt: skip


def test_rows_of_others_keep_their_bytes(shop):
    before = (shop.folder / "clicks.csv").read_bytes().splitlines(keepends=True)
    shop.data().erase("u-17", at="2026-07-01")
    gone = shop.log.index[shop.log["user_id"].eq("u-17") | shop.log["anonymous_id"].isin(HERS)]
    kept = [line for n, line in enumerate(before) if n - 1 not in gone]
    assert (shop.folder / "clicks.csv").read_bytes() == b"".join(kept)


def test_a_second_erasure_changes_nothing(shop):
    data = shop.data()
    data.erase("u-17", at="2026-07-01")
    before = {file: file.read_bytes() for file in shop.folder.glob("*.*") if file.is_file()}
    inodes = {file: file.stat().st_ino for file in shop.folder.glob("*.rp/manifest.json")}
    again = data.erase("u-17", at="2026-07-02")
    assert (again.status, again.verified, again.held) == ("complete", True, 0)
    del before[shop.folder / "consent.jsonl"]
    assert all(file.read_bytes() == content for file, content in before.items())
    assert {file: file.stat().st_ino for file in inodes} == inodes


def test_an_unknown_person_leaves_a_tombstone_and_nothing_was_held(shop):
    receipt = shop.data().erase("u-99", at="2026-07-01")
    assert (receipt.status, receipt.verified, receipt.held) == ("complete", True, 0)
    assert shop.ledger.is_erased("u-99")
    assert not shop.ledger.is_erased("u-17")


def test_late_events_are_refused(shop):
    shop.data().erase("u-17", at="2026-07-01")
    for name in ("user_id:u-17", "u-17"):
        late = shop.log.assign(user_id=shop.log["user_id"].replace("u-17", name))
        kept = shop.ledger.kept(late, "storage")
        assert set(kept["user_id"].dropna()) == {"u-16", "u-18", "u-170"}
        assert not kept["anonymous_id"].isin(HERS).any()


def test_what_could_not_be_subtracted_is_named_with_its_deadline(shop):
    receipt = shop.data(refit_within="10d").erase("u-17", at="2026-07-01")
    by_name = {Path(one.holder).name: one for one in receipt.holders}
    assert by_name["by_profile.rp"].stale
    assert by_name["by_profile.rp"].refit_by == "2026-07-11T00:00:00Z"
    assert by_name["stream"].stale == ()
    assert receipt.refit_by == "2026-07-11T00:00:00Z"


def test_a_popularity_is_subtracted_exactly(tmp_path):
    log = her_log().dropna(subset="user_id")
    model = rp.Popularity().fit(log)
    receipt = rp.PersonalData(holders={"model": model}).erase("u-17", at="2026-07-01")
    (told,) = receipt.holders
    assert (told.held, told.stale, told.refit_by) == (1, (), None)


def test_the_time_is_that_of_the_data_by_default(shop):
    assert shop.data().erase("u-17").at == "2026-06-09T00:00:00Z"
    assert rp.PersonalData().erase("u-17").at is None


def test_a_person_without_a_graph_is_what_was_given(tmp_path):
    her_log().to_csv(tmp_path / "a.csv", index=False)
    data = rp.PersonalData(logs=tmp_path / "a.csv")
    assert data.erase("u-17", at="2026-07-01").held == 2
    assert data.erase({"anonymous_id": ["c-9", "c-10"]}, at="2026-07-01").held == 2


def test_a_number_is_erased_as_text_and_as_a_number(tmp_path):
    log = pd.DataFrame({"user_id": [7, 8, 70], "item_id": [8, 7, 70]})
    model = rp.Popularity().fit(log)
    rp.save(model, tmp_path / "m.rp")
    log.to_csv(tmp_path / "a.csv", index=False)
    log.astype(str).to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    data = rp.PersonalData(
        holders={"m": model}, models=[tmp_path / "m.rp"], logs=[tmp_path / "a.*"]
    )
    receipt = data.erase("7", at="2026-07-01")
    assert (receipt.verified, receipt.held, receipt.by_value_alone) == (True, 4, 1)
    assert 7 not in model.users_
    assert rp.load(tmp_path / "m.rp").users_.ids.tolist() == [None, 8, 70]


def test_a_shared_device_is_nobodys_and_rows_of_others_stay(tmp_path):
    log = pd.DataFrame({
        "user_id": ["u-17", "u-18", "u-17"], "anonymous_id": ["tablet-1", "tablet-1", None],
        "item_id": ["tea", "salt", "honey"],
    })  # fmt: skip
    log.to_csv(tmp_path / "a.csv", index=False)
    data = rp.PersonalData(logs=[tmp_path / "a.csv"])
    receipt = data.erase({"user_id": "u-17", "anonymous_id": "tablet-1"}, at="2026-07-01")
    assert (receipt.verified, receipt.shared, receipt.held) == (True, 1, 2)
    assert receipt.holders[0].notes == ("1 rows of others share an identifier: they stay",)
    assert rp.read_events(tmp_path / "a.csv")["user_id"].tolist() == ["u-18"]


def test_what_is_left_elsewhere_is_found_and_not_named(shop):
    (shop.folder / "app.log").write_text("GET /u-17\n")
    (shop.folder / "u-17.txt").write_text("card-17")
    receipt = shop.data().erase("u-17", at="2026-07-01")
    assert (receipt.status, receipt.verified) == ("complete", False)
    assert [Path(one).name for one in receipt.found] == ["app.log: byte 5", "….txt: byte 0"]
    assert not any(one in receipt.to_json() for one in HERS)


def test_with_a_key_receipts_can_be_told(shop):
    receipt = shop.data().erase("u-17", at="2026-07-01")
    assert receipt.subject == rp.PersonalData(key=KEY).reference("u-17")
    assert receipt.subject != rp.PersonalData().reference("u-17")
    assert len(receipt.subject) == 32


# Failing ------------------------------------------------------------------------------------------


class Failing:
    def __init__(self):
        self.fails = True

    def forget(self, user_ids):
        if self.fails:
            raise RuntimeError(f"cannot forget {user_ids!r}")
        return 0

    def held_of(self, user_ids):
        return {}


def test_one_that_fails_does_not_stop_the_others(shop):
    failing = Failing()
    data = shop.data(holders={"broken": failing, "home": shop.home, "stream": shop.stream})
    receipt = data.erase("u-17", at="2026-07-01")
    assert (receipt.status, receipt.verified) == ("incomplete", False)
    problems = {one.holder: one.problem for one in receipt.holders if one.problem}
    assert problems.pop("broken").startswith("RuntimeError: cannot forget ['…', '…'")
    assert set(problems.values()) == {
        "waits until all others have done their part; call erase again"
    }
    assert not any(one in receipt.to_json() for one in HERS)
    assert shop.home.held_of(["u-17"]) == {}
    assert rp.read_events(shop.folder / "clicks.parquet")["user_id"].eq("u-17").sum() == 0
    assert shop.graph.members("user_id:u-17")  # who else she is must be known the next time
    failing.fails = False
    assert data.erase("u-17", at="2026-07-02").verified
    assert shop.traces() == []


def test_a_ledger_that_fails_is_told(shop, monkeypatch):
    monkeypatch.setattr(shop.ledger, "forget", lambda _: 1 / 0)
    receipt = shop.data().erase("u-17", at="2026-07-01")
    assert receipt.holders[0].problem == "ZeroDivisionError: division by zero"
    assert shop.home.held_of(["u-17"]) == {}


def test_a_file_that_cannot_be_written_is_told(shop, monkeypatch):
    replace = Path.replace

    def refused(self, target):
        if Path(target).name == "clicks.csv":
            raise PermissionError(13, "Permission denied", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refused)
    receipt = shop.data().erase("u-17", at="2026-07-01")
    (problem,) = [one.problem for one in receipt.holders if one.holder.endswith("clicks.csv")]
    assert "clicks.csv cannot be written: [Errno 13] Permission denied" in problem
    assert receipt.status == "incomplete"
    monkeypatch.undo()
    assert shop.data().erase("u-17", at="2026-07-01").verified


@pytest.mark.parametrize(("given", "problem"), [
    ({"logs": ["nowhere/*.csv"]}, "no file 'nowhere/.*.csv'"),
    ({"logs": ["nowhere.csv"]}, "no file 'nowhere.csv'"),
    ({"models": ["nowhere.rp"]}, "there is no saved model 'nowhere.rp'; check the path"),
    ({"models": ["nowhere/*.rp"]}, "no saved model 'nowhere/.*.rp'; check the path"),
    ({"models": [Path(__file__).parent]}, "is not a saved model: it has no manifest.json"),
    ({"models": [__file__]}, "is not a saved model"),
    ({"logs": [__file__]}, "expected a file of .csv"),
    ({"searched": ["nowhere.log"]}, None),
])  # fmt: skip
def test_what_is_not_there_is_told_and_never_complete(tmp_path, given, problem):
    her_log().to_csv(tmp_path / "a.csv", index=False)
    given = {"logs": [tmp_path / "a.csv", *given.pop("logs", [])], **given}
    receipt = rp.PersonalData(**given).erase("u-17", at="2026-07-01")
    assert not receipt.verified
    if problem is None:
        assert receipt.found == ("there is no file 'nowhere.log' to look into; check the path.",)
    else:
        (told,) = [one.problem for one in receipt.holders if one.problem]
        assert re.search(problem, told)
    assert rp.read_events(tmp_path / "a.csv")["user_id"].eq("u-17").sum() == 0


def test_two_names_of_one_file_are_one_file(tmp_path):
    her_log().to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "b.csv").symlink_to(tmp_path / "a.csv")
    logs = [tmp_path / "a.csv", tmp_path / "*.csv", str(tmp_path / "b.csv")]
    receipt = rp.PersonalData(logs=logs).erase("u-17", at="2026-07-01")
    assert kinds(receipt) == [("a.csv", "log", 2)]
    assert receipt.verified


def test_a_hard_link_elsewhere_keeps_the_rows_and_is_told(tmp_path):
    her_log().to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "b.csv").hardlink_to(tmp_path / "a.csv")
    both = rp.PersonalData(logs=[tmp_path / "*.csv"])
    receipt = rp.PersonalData(logs=[tmp_path / "a.csv"]).erase("u-17", at="2026-07-01")
    assert (
        receipt.holders[0].problem == "the file has 1 more names (hard links), which keep the rows"
    )
    receipt = both.erase("u-17", at="2026-07-01")
    assert receipt.verified
    assert rp.find_traces(tmp_path, ["u-17"]) == []


def test_who_is_killed_between_two_files_calls_again(shop):
    script = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        import recopersona as rp
        folder = Path({str(shop.folder)!r})
        data = rp.PersonalData(models=[folder / "*.rp"], logs=[folder / "c*.csv"],
                               identity=rp.load(folder / "graph.rp"))
        replace = Path.replace
        def killed(self, target):
            if Path(target).name == "clicks.csv":
                os.kill(os.getpid(), signal.SIGKILL)
            return replace(self, target)
        Path.replace = killed
        data.erase("u-17", at="2026-07-01")
    """)
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert b"card-17" not in (shop.folder / "cards.csv").read_bytes()
    assert b"u-17," in (shop.folder / "clicks.csv").read_bytes()
    assert shop.data(identity=rp.load(shop.folder / "graph.rp")).erase("u-17").verified
    shop.graph.forget(["user_id:u-17"])
    assert shop.traces() == []


def test_arrays_that_a_killed_saver_left_go_too(shop):
    left = shop.folder / "home.rp" / f"arrays-{'0' * 32}"
    left.mkdir()
    (left / "0.npy").write_bytes(b"u-17")
    temporary = shop.folder / "home.rp" / f".tmp-1-arrays-{'0' * 32}"
    temporary.mkdir()
    (temporary / "0.npy").write_bytes(b"u-17")
    assert shop.data().erase("u-17", at="2026-07-01").verified
    assert not left.exists()
    assert not temporary.exists()


def test_recommending_goes_on_while_somebody_is_erased():
    shop = rp.synthetic_shop(200, 50, random_state=7)
    home = rp.Pipeline(candidates=[rp.ItemKNN(), rp.UserKNN(), rp.Popularity()]).fit(shop)
    users = home.users_.ids.tolist()
    data, problems, is_over = rp.PersonalData(holders={"home": home}), [], threading.Event()

    def recommend(number):
        try:
            while not is_over.is_set():
                for user in users[number::3]:
                    home.recommend(user)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it must not be
            problems.append(problem)

    threads = [threading.Thread(target=recommend, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for user in users[:30]:
        assert data.erase(user, at="2026-07-01").status == "complete"
    is_over.set()
    for thread in threads:
        thread.join()
    assert problems == []


# Bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("subject", "words"), [
    (None, "an identifier must be text or an integer, got a NoneType"),
    ([], "nobody was named"), ({}, "nobody was named"), ("", "must name somebody"),
    ("null", "must name somebody"), (" ", "must name somebody"), (1.5, "got a float"),
    (True, "got a bool"), ({"email": None}, "got a NoneType"),
    ({7: "u-17"}, "a kind of identifier"), (b"u-17", "got a bytes"),
])  # fmt: skip
def test_who_is_no_person_is_refused(shop, subject, words):
    for verb in (shop.data().erase, shop.data().export):
        with pytest.raises(DataError, match=words):
            verb(subject)


@pytest.mark.parametrize(("given", "words"), [
    ({"holders": [1]}, "holders must map names to objects"),
    ({"holders": {"x": 1}}, r"the holder 'x' must have forget\(ids\).* a int has not"),
    ({"models": 7}, "models must be a list of paths, got a int"),
    ({"logs": [7]}, "logs must be a list of paths, got a int in it"),
    ({"searched": {"a": 1}}, "searched must be a list of paths, got a dict"),
    ({"identity": 1}, "identity must be what an IdentityGraph is, got an int"),
    ({"consent": "x"}, "consent must be what a ConsentLedger is, got a str"),
    ({"refit_within": "soon"}, "refit_within must be a duration"),
    ({"key": "short"}, "PersonalData: the key must have at least 16 bytes"),
])  # fmt: skip
def test_bad_parameters_are_refused(given, words):
    with pytest.raises((DataError, ParameterError), match=words):
        rp.PersonalData(**given)


def test_its_repr_names_nobody_and_no_key(shop):
    assert repr(shop.data()) == (
        "PersonalData(2 in memory, 1 saved, 3 logs, consent=True, identity=True)"
    )


# Telling ------------------------------------------------------------------------------------------


def test_everything_that_is_held_is_told(shop):
    told = shop.data().export("u-17")
    assert json.loads(json.dumps(told)) == told
    assert list(told) == ["identifiers", "consent", "live", "saved", "logs", "identity"]
    assert {kind: sorted(set(own)) for kind, own in told["identifiers"].items()} == {
        "user_id": ["u-17"], "loyalty_card": ["card-17"], "anonymous_id": ["c-10", "c-9"],
    }  # fmt: skip
    assert [one["purpose"] for one in told["consent"]["records"]] == ["ads"]
    hers = shop.log[shop.log["user_id"].eq("u-17") | shop.log["anonymous_id"].isin(HERS)]
    for name in ("clicks.csv", "clicks.parquet", "old.jsonl.gz"):
        rows = told["logs"][str(shop.folder / name)]
        assert [row["event_id"] for row in rows] == hers["event_id"].tolist()
    assert told["logs"][str(shop.folder / "clicks.parquet")][0]["timestamp"] == (
        "2026-06-02T00:00:00+00:00"
    )
    assert told["logs"][str(shop.folder / "cards.csv")] == [
        {"loyalty_card": "card-17", "city": "Ulm"}
    ]
    assert [one["item_id"] for one in told["live"]["stream"]["waiting"]] == ["tea"]
    home = told["live"]["home"]
    assert [one["item_id"] for one in home["users"][0]["past"]] == ["tea", "honey"]
    assert [one["decision_id"] for one in home["decisions"]] == ["d-1"]
    assert {Path(one).name for one in told["saved"]} == {
        "by_profile.rp", "home.rp", "graph.rp",
    }  # fmt: skip
    assert "user_id:u-17" in told["identity"]


def test_of_an_unknown_person_nothing_is_told(shop):
    assert shop.data().export("u-99") == {"identifiers": {"user_id": ["u-99"]}}


def test_half_an_answer_is_none(shop):
    with pytest.raises(
        DataError, match=r"the export would not be complete: .* no file 'nowhere.csv'"
    ):
        shop.data(logs=["nowhere.csv"]).export("u-17")


# Letting go ---------------------------------------------------------------------------------------


def test_what_is_old_goes(shop):
    shop.home.recommend(rp.Query("u-18", decision_id="d-3", now="2026-06-20"))
    report = shop.data().retain("5d", now="2026-06-10")
    assert report.before == "2026-06-05T00:00:00Z"
    removed = {Path(name).name: n for name, n in report.removed.items()}
    assert removed["clicks.csv"] == removed["clicks.parquet"] == removed["old.jsonl.gz"] == 4
    assert rp.read_events(shop.folder / "clicks.csv")["event_id"].tolist() == [
        "e-4", "e-5", "e-6", "e-7", "e-8",
    ]  # fmt: skip
    assert {Path(one).name: n for one, n in report.timeless.items()} == {"cards.csv": 2}
    assert report.refit_by["home"] == "2026-07-10T00:00:00Z"
    assert report.n_removed == sum(removed.values())
    assert report.problems == {}
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()


def test_old_decisions_go(shop):
    shop.home.recommend(rp.Query("u-18", decision_id="d-3", now="2026-07-20"))
    report = shop.data(logs=[], models=[]).retain("5d", now="2026-07-21")
    assert report.removed["home"] == 2
    assert list(shop.home.decisions_) == ["d-3"]


def test_now_is_the_end_of_the_data_by_default(tmp_path):
    her_log().to_csv(tmp_path / "a.csv", index=False)
    report = rp.PersonalData(logs=[tmp_path / "a.csv"]).retain("3d")
    assert (report.before, report.n_removed) == ("2026-06-06T00:00:00Z", 5)


def test_without_any_time_one_has_to_be_said(tmp_path):
    (tmp_path / "a.csv").write_text("user_id,item_id\nu-17,tea\n")
    data = rp.PersonalData(logs=[tmp_path / "a.csv"])
    with pytest.raises(DataError, match=r"nothing says how late it is; write retain\(age, now="):
        data.retain("3d")
    assert data.retain("3d", now="2026-07-01").timeless == {str(tmp_path / "a.csv"): 1}


def test_a_file_that_fails_does_not_stop_what_is_old(shop, monkeypatch):
    remove = LogFile.remove_older

    def failing(self, cutoff):
        if self.path.name == "clicks.csv":
            raise OSError("disk on fire")
        return remove(self, cutoff)

    monkeypatch.setattr(LogFile, "remove_older", failing)
    report = shop.data().retain("5d", now="2026-06-10")
    assert list(report.problems.values()) == ["OSError: disk on fire"]
    assert len(rp.read_events(shop.folder / "clicks.parquet")) == 5


def test_an_age_is_a_duration(shop):
    with pytest.raises(ParameterError, match="age must be a duration"):
        shop.data().retain(400)


def test_features_forget_her_in_memory_and_on_disk(tmp_path):
    log = her_log().dropna(subset="user_id").assign(event="view")
    features = rp.Features([rp.Touches()]).fit(log)
    rp.save(features, tmp_path / "features.rp")
    data = rp.PersonalData(holders={"features": features}, models=[tmp_path / "features.rp"])
    assert data.export("u-17")["saved"]
    receipt = data.erase("u-17", at="2026-07-01")
    assert receipt.verified
    assert kinds(receipt) == [("features", "live", 1), ("features.rp", "saved", 1)]
    assert all(one.stale == () for one in receipt.holders)
    assert rp.find_traces(tmp_path, ["u-17"]) == []


class Forgetful:
    """Forgets, and can no longer say what it holds."""

    def __init__(self):
        self.forgot = False

    def forget(self, ids):
        self.forgot = True
        return 1

    def held_of(self, ids):
        if self.forgot:
            raise TypeError("no state of u-17 is left")
        return {"users": ids}


def test_whoever_cannot_say_what_is_left_leaves_a_receipt_that_is_not_verified():
    receipt = rp.PersonalData(holders={"other": Forgetful()}).erase("u-17")
    assert receipt.status == "complete"
    assert receipt.found == ("TypeError: no state of … is left",)


def test_a_line_end_within_an_id_makes_no_other_person_of_it():
    personal = rp.PersonalData(key=b"k" * 16)
    assert personal.reference(["a", "b"]) != personal.reference("a\nuser_id:b")


@pytest.mark.parametrize("asked", ["a", "anonymous_id:tab"])
def test_whose_profile_a_shared_device_named_goes_and_the_other_person_stays(tmp_path, asked):
    rows = [(None, "tab"), ("a", "tab"), ("b", "tab"), ("a", "ph-a"), (None, "ph-a"), ("b", "ph-b")]
    log = pd.DataFrame(rows, columns=["user_id", "anonymous_id"])
    log["item_id"], log["timestamp"] = "tea", pd.date_range("2026-05-01", periods=6, tz="UTC")
    log.to_csv(tmp_path / "log.csv", index=False)
    graph = rp.IdentityGraph().update(log)
    assert graph.profile_of(user_id="a") == "anonymous_id:tab"
    home = rp.Popularity().fit(graph.resolve(log))
    others = home.held_of(["user_id:b", "anonymous_id:tab (shared)"])
    rp.save(home, tmp_path / "home.rp")
    rp.save(graph, tmp_path / "graph.rp")
    ledger = rp.ConsentLedger(unknown="granted", identity=graph)
    personal = rp.PersonalData(
        holders={"home": home}, models=[tmp_path / "*.rp"], logs=[tmp_path / "*.csv"],
        identity=graph, consent=ledger, searched=[tmp_path],
    )  # fmt: skip
    receipt = personal.erase(asked, at="2026-07-01")
    assert (receipt.status, receipt.found, receipt.verified) == ("complete", (), True)
    assert home.held_of(["user_id:b", "anonymous_id:tab (shared)"]) == others
    assert home.held_of(["anonymous_id:tab"]) == {}
    assert ("user_id", "b") in graph.members("anonymous_id:tab")
    assert ledger.admits({"user_id": "b", "anonymous_id": "tab"}, "storage")
    assert not ledger.admits({"anonymous_id": "ph-a"}, "storage")
    left = pd.read_csv(tmp_path / "log.csv")
    assert left["anonymous_id"].tolist() == ["tab", "tab", "ph-b"]
