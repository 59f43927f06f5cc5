"""The report accounts for every row and can be read by people."""

import dataclasses

import pandas as pd
import pytest

from recopersona.errors import DataError
from recopersona.events.cleaning_report import REASONS, REPAIRS, CleaningReport


@pytest.fixture
def report():
    return CleaningReport(
        1_200, 1_100, {"id_spaces": 3}, {"missing_user": 90, "duplicate": 10}, pd.DataFrame()
    )


def test_a_report_that_loses_a_row_cannot_be_made():
    with pytest.raises(DataError, match="every row: 3 in, but 1 out and 1 quarantined"):
        CleaningReport(3, 1, {}, {"duplicate": 1}, pd.DataFrame())


def test_the_table_has_a_line_per_count(report):
    table = report.to_frame()
    assert table["action"].tolist() == ["repaired", "quarantined", "quarantined"]
    assert table["rows"].tolist() == [3, 90, 10]
    assert table["meaning"].tolist()[1] == REASONS["missing_user"]


def test_the_text_names_every_count(report):
    lines = repr(report).splitlines()
    assert lines[0] == "CleaningReport: 1,200 rows in, 1,100 out, 100 quarantined"
    assert lines[1].split()[:3] == ["repaired", "id_spaces", "3"]
    assert len(lines) == 4


def test_the_page_is_escaped(report, monkeypatch):
    monkeypatch.setitem(REPAIRS, "id_spaces", "<script>")
    page = report._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<tr>") == 4


def test_a_report_of_a_clean_log_is_one_line():
    assert repr(CleaningReport(2, 2, {}, {}, pd.DataFrame())).count("\n") == 0


def test_a_report_is_frozen(report):
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.rows_in = 0
