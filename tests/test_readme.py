"""The code in the README runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"

BEFORE = """
import numpy as np, pandas as pd
import recopersona as rp
shop = rp.synthetic_shop(120, 40)
def renamed(frame):
    plain = {"user_id": "u-", "item_id": "sku-"}
    return frame.assign(**{
        name: [f"{word}{int(value.split('-')[1])}" for value in frame[name]]
        for name, word in plain.items() if name in frame
    })
events = renamed(shop.events)
events.iloc[:-200].to_csv("clicks.csv", index=False)
todays_events = events.iloc[-200:]
catalogue, customers = renamed(shop.catalogue), renamed(shop.customers)
now = shop.events["timestamp"].max()
changed_rows = catalogue.head(3).assign(stock=0)
new_rows = catalogue.head(1).assign(item_id="sku-new")
"""


BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=["the whole way", "a model of one's own"])
def test_the_code_in_the_readme_runs(block, tmp_path):
    script = tmp_path / "readme.py"
    script.write_text(BEFORE + block, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
