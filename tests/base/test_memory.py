import pytest

from recopersona.base import memory as module
from recopersona.base.memory import (
    available_memory,
    in_words,
    memory,
    memory_bytes,
    require_memory,
)
from recopersona.errors import DataError, ParameterError


@pytest.mark.parametrize(
    ("amount", "n_bytes"),
    [(1, 1), (2.5e9, 2_500_000_000), ("8GB", 8 * 10**9), ("8 gb", 8 * 10**9), ("1.5MB", 1_500_000),
     ("2GiB", 2 * 2**30), ("3KB", 3_000), ("9B", 9), ("1TB", 10**12)],
)  # fmt: skip
def test_an_amount_of_memory_is_read(amount, n_bytes):
    assert memory_bytes(amount) == n_bytes
    assert memory().holds(amount)


@pytest.mark.parametrize("amount", ["8", "GB", "8 apples", "-1GB", "8IB", "", None, True, -1, [1]])
def test_what_is_no_amount_is_refused(amount):
    assert not memory().holds(amount)
    with pytest.raises(ParameterError, match="memory must be bytes or a text such as '8GB', got"):
        memory_bytes(amount)


def test_nothing_is_no_amount_to_fit_in():
    assert not memory().holds(0)
    assert not memory().holds("0GB")


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (2_340, "2.3 KB"), (7.96e9, "8.0 GB"), (5e12, "5.0 TB")],
)
def test_bytes_are_said_in_words(n_bytes, words):
    assert in_words(n_bytes) == words


def test_what_fits_passes():
    require_memory(10, 10, "EASE", "2 items", "use SparseEASE")
    require_memory(10, None, "EASE", "2 items", "use SparseEASE")


def test_what_does_not_fit_is_refused_with_the_number_and_the_way_out():
    words = r"^EASE needs 6\.7 GB for 40,981 items, max_memory is 4\.0 GB; use SparseEASE\.$"
    with pytest.raises(DataError, match=words):
        require_memory(6.72e9, "4GB", "EASE", "40,981 items", "use SparseEASE")


def test_without_a_limit_the_machine_is_the_limit(monkeypatch):
    monkeypatch.setattr(module, "available_memory", lambda: 3 * 10**9)
    with pytest.raises(DataError, match=r"this machine has left 3\.0 GB; use SparseEASE"):
        require_memory(6.72e9, None, "EASE", "40,981 items", "use SparseEASE")
    monkeypatch.setattr(module, "available_memory", lambda: None)
    require_memory(6.72e9, None, "EASE", "40,981 items", "use SparseEASE")


def machine(monkeypatch, folder, meminfo=None, limit=None, used=None):
    for name, text in (("meminfo", meminfo), ("memory.max", limit), ("memory.current", used)):
        if text is not None:
            (folder / name).write_text(text)
    monkeypatch.setattr(module, "_MEMINFO", folder / "meminfo")
    monkeypatch.setattr(module, "_CGROUP", folder)


def test_the_least_of_machine_and_container_is_left(monkeypatch, tmp_path):
    meminfo = "MemTotal: 16 kB\nMemAvailable:    8 kB\n"
    machine(monkeypatch, tmp_path, meminfo)
    assert available_memory() == 8 * 1024
    machine(monkeypatch, tmp_path, meminfo, "max\n", "100\n")
    assert available_memory() == 8 * 1024
    machine(monkeypatch, tmp_path, meminfo, "5000\n", "3000\n")
    assert available_memory() == 2000
    machine(monkeypatch, tmp_path, meminfo, "5000\n", "9000\n")
    assert available_memory() == 0


def test_pages_of_files_that_were_read_are_given_back(monkeypatch, tmp_path):
    machine(monkeypatch, tmp_path, "MemAvailable: 8 kB\n", "5000\n", "4900\n")
    (tmp_path / "memory.stat").write_text("anon 900\ninactive_file 4000\nactive_file 7\n")
    assert available_memory() == 4100


def test_a_machine_that_does_not_say_sets_no_limit(monkeypatch, tmp_path):
    machine(monkeypatch, tmp_path, "MemTotal: 16 kB\n")
    assert available_memory() is None
    (tmp_path / "meminfo").unlink()
    assert available_memory() is None or available_memory() > 2**20
