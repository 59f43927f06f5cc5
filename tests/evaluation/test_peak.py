"""The peak is what a block took at most, whether it kept it or not."""

import numpy as np
import pytest

from recopersona.evaluation import peak as module
from recopersona.evaluation.peak import peak_memory

linux = pytest.mark.skipif(not module._start_anew(), reason="the system keeps no mark to reset")


@linux
def test_what_is_given_back_counts_and_what_was_there_does_not():
    before = np.ones(20_000_000 // 8)
    with peak_memory() as first:
        np.ones(160_000_000 // 8).sum()
    with peak_memory() as second:
        np.ones(40_000_000 // 8).sum()
    assert len(before)
    assert first.mb == pytest.approx(160, abs=15)
    assert second.mb == pytest.approx(40, abs=15), "the first one's peak does not count again"


def test_where_the_system_cannot_say_it_is_not_guessed(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_MARK", tmp_path / "nowhere" / "clear_refs")
    with peak_memory() as peak:
        np.ones(1_000)
    assert np.isnan(peak.mb)
