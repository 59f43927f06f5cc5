"""Which public name lives in which module: read from ``__init__.pyi``, the one list of them."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

_LINE = re.compile(r"^from (recopersona[\w.]*) import (\w+) as \2$", re.MULTILINE)

PUBLIC_NAMES: dict[str, str] = {
    name: module
    for module, name in _LINE.findall(
        Path(__file__).with_name("__init__.pyi").read_text(encoding="utf-8")
    )
}


def resolve(name: str) -> object:
    """Import what a public name stands for: something in a module, or a whole room."""
    home = PUBLIC_NAMES[name]
    if home == "recopersona":
        return import_module(f"{home}.{name}")
    return getattr(import_module(home), name)
