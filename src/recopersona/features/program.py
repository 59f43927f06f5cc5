"""The tallies of many features as the arrays that the kernel runs on: each counted once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recopersona.data.event import EVENT_TYPES
from recopersona.data.types import Array
from recopersona.errors import ParameterError
from recopersona.features.tally import Tally
from recopersona.kernels.signals import FACTS, FIXED_TABLES, LARGEST_FIXED_PAGES, MOST_TABLES

FIXED_PART_NAMES = ("user", "item", "price_band", "category")


def part_names(tallies: Iterable[Tally]) -> tuple[str, ...]:
    """Return every part that keys need, in the order of the columns of parts."""
    needed = {
        name: None
        for tally in tallies
        for name in (*tally.key, *(() if tally.where is None else tally.where[:1]))
    }
    return (*FIXED_PART_NAMES, *(name for name in needed if name not in FIXED_PART_NAMES))


@dataclass(frozen=True, eq=False)
class Program:
    """What the kernel counts. Tallies of one key stand together and make a table.

    order        the tallies by column
    table_parts  int32 (n_tables, 2)
    bounds       int64 (n_tables + 1,)
    weights      float64 (n_tallies, n_kinds)
    fact_of      int32 (n_tallies,)
    where        int32 (n_tallies, 2)
    rates        float64 (n_tallies,)
    keeps        int8 (n_tallies,)
    """

    order: Mapping[Tally, int]
    table_parts: Array
    bounds: Array
    weights: Array
    fact_of: Array
    where: Array
    rates: Array
    keeps: Array

    @classmethod
    def of(
        cls,
        tallies: Iterable[Tally],
        parts: tuple[str, ...],
        code_of: Callable[[str, object], int],
    ) -> Program:
        """Lay out tallies, equal ones once.

        Parameters
        ----------
        tallies : iterable of Tally
        parts : tuple of str
            The columns of parts.
        code_of : function
            From a part and a value to its code.
        """
        distinct = list(dict.fromkeys(tallies))
        keys = list(dict.fromkeys(tally.key for tally in distinct))
        if len(keys) + FIXED_TABLES > MOST_TABLES:
            raise ParameterError(
                f"tallies of {len(keys)} different keys are too many; "
                f"at most {MOST_TABLES - FIXED_TABLES} can be counted."
            )
        # Within a table those that decay alike are neighbours: the kernel computes a factor once.
        ordered = sorted(distinct, key=lambda tally: (keys.index(tally.key), tally.rate))
        sizes = [sum(tally.key == key for tally in ordered) for key in keys]
        table_parts = np.full((len(keys), 2), -1, np.int32)
        for table, key in enumerate(keys):
            table_parts[table, : len(key)] = [parts.index(name) for name in key]
        where = [
            (-1, -1)
            if tally.where is None
            else (parts.index(tally.where[0]), code_of(*tally.where))
            for tally in ordered
        ]
        return cls(
            order={tally: column for column, tally in enumerate(ordered)},
            table_parts=table_parts,
            bounds=np.cumsum([0, *sizes], dtype=np.int64),
            weights=np.array([t.kind_weights() for t in ordered]).reshape(-1, len(EVENT_TYPES)),
            fact_of=np.array([FACTS.index(t.fact) for t in ordered], np.int32),
            where=np.array(where, np.int32).reshape(-1, 2),
            rates=np.array([t.rate for t in ordered], np.float64),
            keeps=np.array([t.keep_code for t in ordered], np.int8),
        )

    def __len__(self) -> int:
        return len(self.order)

    @cached_property
    def arrays(self) -> tuple[Array, ...]:
        """The arrays, as the kernel takes them."""
        return (
            self.table_parts, self.bounds, self.weights, self.fact_of, self.where, self.rates,
            self.keeps,
        )  # fmt: skip

    @cached_property
    def n_tables(self) -> int:
        """How many keys are counted for."""
        return len(self.table_parts)

    @cached_property
    def largest_step(self) -> int:
        """How many numbers one event can add to the state."""
        return LARGEST_FIXED_PAGES + len(self) + self.n_tables
