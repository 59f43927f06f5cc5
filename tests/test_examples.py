"""The examples that need no data run as they stand."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def output_of(name):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout


def test_the_example_of_features_runs():
    said = output_of("features.py")
    assert "area under the curve" in said


def test_the_example_of_strangers_runs():
    said = output_of("strangers.py")
    assert "visitor 'stranger' is answered by SegmentPopularity" in said


def test_the_example_of_the_closed_loop_runs():
    said = output_of("closed_loop.py")
    assert "expected clicks per request" in said


def test_the_example_of_erasing_a_person_runs():
    said = output_of("erase_a_person.py")
    assert "the erasure is complete, verified: True" in said
    assert "traces of her after: 0" in said


def test_the_example_of_one_person_runs():
    said = output_of("one_person.py")
    assert "97% have one profile" in said
    assert "only tablets are of several people: True" in said
    assert "the model knows her: False" in said
