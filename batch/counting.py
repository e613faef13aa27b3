"""Where pairs are counted: on this machine from the histories (varde.batch.count), or by the warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from varde.counts import Cells
from varde.pairs import Relation

from . import count
from .warehouse import Parameters, Warehouse

ITEMS_READ = 1_000
"""Row items whose pairs are read from the warehouse together."""


class Counting(Protocol):
    """Every pair of a night."""

    @property
    def items(self) -> Sequence[str]:
        """Every item in a history, in the order of its bytes."""
        ...

    def rows(self, relation: Relation) -> Iterable[tuple[str, Cells]]:
        """(row item, column item -> customers) of a relation, one row after another, in the order of `items`."""
        ...


Counter = Callable[[Warehouse, Sequence[str]], Counting]
"""Begins to count: the warehouse after the steps of a night, and its items in order."""


@dataclass(frozen=True, slots=True, eq=False)
class Here:
    """Counted on this machine, in blocks of at most about `cells` pairs."""

    incidence: count.Incidence
    cells: int = count.CELLS

    @property
    def items(self) -> Sequence[str]:
        """See Counting."""
        return self.incidence.items

    def rows(self, relation: Relation) -> Iterable[tuple[str, Cells]]:
        """See Counting."""
        return count.rows(self.incidence, relation, self.cells)


@dataclass(frozen=True, slots=True, eq=False)
class There:
    """Counted by the warehouse into varde.pair_counts, and read a range of row items at a time."""

    warehouse: Warehouse
    items: Sequence[str]
    pairs: int
    items_read: int = ITEMS_READ

    def rows(self, relation: Relation) -> Iterator[tuple[str, Cells]]:
        """See Counting."""
        for start in range(0, len(self.items), self.items_read):
            some = self.items[start : start + self.items_read]
            given: Parameters = {"relation": int(relation), "first": some[0], "last": some[-1]}
            found = self.warehouse.query("pair_rows", given)
            columns = (found[name].to_pylist() for name in ("row_item", "column_item", "customers"))
            rows = sorted(zip(*columns, strict=True), key=lambda row: row[0])
            for item, mine in groupby(rows, key=lambda row: row[0]):
                yield item, {other: n for _, other, n in mine}


def here(cells: int = count.CELLS) -> Counter:
    """Count on this machine; `cells` bounds the memory: pairs of a block."""

    def begin(warehouse: Warehouse, _: Sequence[str]) -> Counting:
        return Here(count.incidence(warehouse.read("varde.histories", count.COLUMNS)), cells)

    return begin


def there(warehouse: Warehouse, items: Sequence[str]) -> Counting:
    """Let the warehouse count."""
    return There(warehouse, items, warehouse.materialize("pair_counts", {}))
