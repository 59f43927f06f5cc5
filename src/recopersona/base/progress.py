"""Progress bars: only where somebody watches, and only on what takes longer than a second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def progress(steps: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Walk steps, with a bar on stderr once a second has passed, if stderr is a terminal.

    Examples
    --------
    >>> list(progress([1, 2], "counting"))
    [1, 2]
    """
    from tqdm.auto import tqdm

    yield from tqdm(steps, desc=label, total=total, delay=1, leave=False, disable=None)
