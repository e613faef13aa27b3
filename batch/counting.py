"""Where pairs are counted: on this machine from the histories (varde.batch.count), or by the warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from varde.counts import Cells
from varde.pairs import Relation

from . import count, ranges
from .warehouse import Warehouse


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
    """Counted by the warehouse into varde.pair_counts, and read back in ranges of at most so many pairs."""

    warehouse: Warehouse
    items: Sequence[str]
    cells: int = ranges.CELLS

    def rows(self, relation: Relation) -> Iterable[tuple[str, Cells]]:
        """See Counting."""
        return ranges.rows(self.warehouse, relation, self.cells)


def here(cells: int = count.CELLS) -> Counter:
    """Count on this machine; `cells` bounds the memory: pairs of a block."""

    def begin(warehouse: Warehouse, _: Sequence[str]) -> Counting:
        return Here(count.incidence(warehouse.read("varde.histories", count.COLUMNS)), cells)

    return begin


def there(warehouse: Warehouse, items: Sequence[str]) -> Counting:
    """Let the warehouse count."""
    warehouse.materialize("pair_counts", {})
    return There(warehouse, items)
