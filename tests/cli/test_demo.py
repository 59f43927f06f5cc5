"""The demo, as a newcomer runs it."""

import pytest

from recopersona.cli import main


def test_the_demo_measures_recommends_and_reports(tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["demo", "--quick", "--report", str(page)]) == 0
    said = capsys.readouterr().out
    for words in ("rows came in", "unknown_event", "NDCG", "ItemKNN is better than Popularity",
                  "For a stranger", "ms (median)"):  # fmt: skip
        assert words in said
    assert "For a stranger" in page.read_text(encoding="utf-8")


def test_every_model_is_above_popularity(tmp_path, capsys):
    main(["demo", "--quick", "--report", str(tmp_path / "page.html")])
    said = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in said if " (+" in line and " p = " not in line]
    ndcg = {row[0]: float(row[1]) for row in rows}
    assert min(ndcg[name] for name in ("ALS", "ItemKNN", "Pipeline")) > ndcg["Popularity"]


def test_the_demo_reads_a_log_of_ones_own(tmp_path, capsys):
    from recopersona.datasets.synthetic import synthetic_shop

    log = tmp_path / "log.csv"
    synthetic_shop(120, 40).events.to_csv(log, index=False)
    assert main(["demo", "--data", str(log), "--report", str(tmp_path / "page.html")]) == 0
    assert "from log.csv" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere.parquet"])
def test_a_missing_file_is_one_line_of_reason(name, tmp_path, capsys):
    assert main(["demo", "--data", str(tmp_path / name)]) == 1
    assert capsys.readouterr().err.startswith("recopersona: ")
