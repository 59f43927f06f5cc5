"""The examples that need no data run as they stand."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_the_example_of_features_runs():
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "features.py")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "area under the curve" in done.stdout


def test_the_example_of_strangers_runs():
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "strangers.py")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "visitor 'stranger' is answered by SegmentPopularity" in done.stdout


def test_the_example_of_the_closed_loop_runs():
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "closed_loop.py")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "expected clicks per request" in done.stdout


def test_the_example_of_erasing_a_person_runs():
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "erase_a_person.py")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "the erasure is complete, verified: True" in done.stdout
    assert "traces of her after: 0" in done.stdout


def test_the_example_of_one_person_runs():
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "one_person.py")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "97% have one profile" in done.stdout
    assert "only tablets are of several people: True" in done.stdout
    assert "the model knows her: False" in done.stdout
