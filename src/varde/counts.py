"""Sums of differences of counts, as a small commutative group: what the stream adds up and the store applies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from varde.pairs import NOBODY, Changes, Histories, Relation, difference

Cells = dict[str, int]
"""column item -> difference (or count)."""


@dataclass(slots=True)
class Counts:
    """Sums of differences: a commutative group under `+`, with `Counts()` as zero and zeros never stored.

    rows: (relation, day) -> row item -> column item -> n, symmetric pairs under one of their two items;
    supports: (universe, day) -> item -> n.
    """

    rows: dict[tuple[int, int], dict[str, Cells]] = field(default_factory=dict)
    supports: dict[tuple[int, int], Cells] = field(default_factory=dict)

    def add(self, changes: Changes) -> None:
        """Add one customer's differences in place."""
        for relation, day, item, partners, sign in changes.rows:
            block = self.rows.setdefault((relation, day), {})
            cells = block.get(item)
            if cells is None:
                block[item] = dict.fromkeys(partners, sign)  # partners are distinct
                continue
            for partner in partners:
                cells[partner] = cells.get(partner, 0) + sign
        for where, day, item, sign in changes.supports:
            sums = self.supports.setdefault((where, day), {})
            sums[item] = sums.get(item, 0) + sign

    def update(self, other: Counts) -> None:
        """Add other counts in place."""
        for key, block in other.rows.items():
            mine = self.rows.setdefault(key, {})
            for item, cells in block.items():
                _add_cells(mine.setdefault(item, {}), cells)
        for key, cells in other.supports.items():
            _add_cells(self.supports.setdefault(key, {}), cells)

    def directed(self) -> Iterator[tuple[int, int, str, Cells]]:
        """(relation, day, row item, cells) of every row that holds something, symmetric pairs in both rows."""
        for (relation, day), block in self.rows.items():
            whole = _mirrored(block) if Relation(relation).symmetric else block
            for item, cells in whole.items():
                kept = {partner: n for partner, n in cells.items() if n}
                if kept:
                    yield relation, day, item, kept

    def totals(self) -> tuple[dict[tuple[int, str, str], int], dict[tuple[int, str], int]]:
        """All days summed: ((relation, i, j) -> n directed, (universe, item) -> n), without zeros. For comparisons."""
        pairs: dict[tuple[int, str, str], int] = {}
        for relation, _, item, cells in self.directed():
            for partner, n in cells.items():
                pairs[relation, item, partner] = pairs.get((relation, item, partner), 0) + n
        supports: dict[tuple[int, str], int] = {}
        for (where, _), cells in self.supports.items():
            for item, n in cells.items():
                supports[where, item] = supports.get((where, item), 0) + n
        return {k: n for k, n in pairs.items() if n}, {k: n for k, n in supports.items() if n}


def _add_cells(mine: Cells, other: Cells) -> None:
    for item, n in other.items():
        mine[item] = mine.get(item, 0) + n


def _mirrored(block: dict[str, Cells]) -> dict[str, Cells]:
    both = {item: dict(cells) for item, cells in block.items()}
    for item, cells in block.items():
        for partner, n in cells.items():
            row = both.get(partner)
            if row is None:
                row = both[partner] = {}
            row[item] = row.get(item, 0) + n
    return both


def count(everyone: Iterable[Histories]) -> Counts:
    """The counts of a whole world, as the sum of f over its customers."""
    total = Counts()
    for histories in everyone:
        total.add(difference(NOBODY, histories, 0))
    return total
