"""f: from histories to counts, as differences. `varde.counts` adds them up.

A count is the number of distinct customers who have item i in one history and item j in the other; a support is the
number of customers who have the item at all. Both are sums over customers of f(histories), so whatever happens to one
customer changes the counts by f(new) - f(old) and by nothing else.

A difference carries the day (UTC, days since the epoch) of the newer of the two interactions that it pairs, so that
the nightly job can add the differences after its own point in time to counts it has computed itself.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from varde.history import DAY_MS, NO_HISTORY, History, Signal, since

ANY_ITEM = ""
"""The item id under which supports count customers with a non-empty history. No parsed item id is empty."""


class Relation(IntEnum):
    """Which history gives the row item and which the column item. The numbers are stored: never renumber."""

    ALSO_VIEWED = 0
    ALSO_BOUGHT = 1
    VIEWED_BOUGHT = 2

    @property
    def label(self) -> str:
        """The name used in HTTP, SQL and the documentation: `also_viewed` …"""
        return self.name.lower()

    @property
    def row_signal(self) -> Signal:
        """The signal of the row item i."""
        return _SIGNALS[self][0]

    @property
    def column_signal(self) -> Signal:
        """The signal of the column item j."""
        return _SIGNALS[self][1]

    @property
    def symmetric(self) -> bool:
        """Whether (i, j) and (j, i) are the same pair; each is then counted in both rows."""
        return self.row_signal == self.column_signal


_SIGNALS = {
    Relation.ALSO_VIEWED: (Signal.VIEW, Signal.VIEW),
    Relation.ALSO_BOUGHT: (Signal.PURCHASE, Signal.PURCHASE),
    Relation.VIEWED_BOUGHT: (Signal.VIEW, Signal.PURCHASE),
}


class Universe(IntEnum):
    """Whose customers a support counts: one signal's, or (for totals of a directed relation) anybody's."""

    VIEW = 0
    CART = 1
    PURCHASE = 2
    ANY = 3


def universe(relation: Relation) -> Universe:
    """The customers a relation is about: its total is the support of ANY_ITEM in this universe."""
    return Universe(relation.row_signal) if relation.symmetric else Universe.ANY


class Histories(NamedTuple):
    """All histories of one customer, indexed by Signal."""

    view: History = NO_HISTORY
    cart: History = NO_HISTORY
    purchase: History = NO_HISTORY

    def since(self, start: int) -> Histories:
        """The part inside the window that begins at `start`; the same object when nothing is outside."""
        view, cart, purchase = since(self.view, start), since(self.cart, start), since(self.purchase, start)
        if view is self.view and cart is self.cart and purchase is self.purchase:
            return self
        return Histories(view, cart, purchase)

    def __bool__(self) -> bool:
        return bool(self.view or self.cart or self.purchase)


NOBODY = Histories()


class RowChange(NamedTuple):
    """`sign` (+1 or -1) for the pairs of one row item with several column items, completed on one day."""

    relation: int
    day: int
    item: str
    partners: tuple[str, ...]
    sign: int


class SupportChange(NamedTuple):
    """`sign` for the support of one item (or ANY_ITEM) in one universe."""

    universe: int
    day: int
    item: str
    sign: int


class Changes(NamedTuple):
    """f(new) - f(old) of one customer. Symmetric pairs are listed once; `Counts.rows` gives both directions."""

    rows: list[RowChange]
    supports: list[SupportChange]

    def __bool__(self) -> bool:
        return bool(self.rows or self.supports)


def difference(old: Histories, new: Histories, day: int, floor: int = 0) -> Changes:
    """f(new) - f(old), exactly.

    Args:
        old: the histories whose counts were emitted before.
        new: the histories they have become.
        day: the day (UTC, since the epoch) of what caused the change. What goes is dated by it, or by the newer of the
            two interactions where that is later.
        floor: the first day that a new pair may be dated by: a merge completes pairs of older interactions.
    """
    rows: list[RowChange] = []
    supports: list[SupportChange] = []
    for signal in _EACH_SIGNAL:
        before, after = old[signal], new[signal]
        if before is after or before.keys() == after.keys():
            continue
        # Sorted, so that equal inputs give equal outputs whatever the order of a set.
        added, removed = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
        supports.extend(SupportChange(signal, max(after[item] // DAY_MS, floor), item, 1) for item in added)
        supports.extend(SupportChange(signal, max(before[item] // DAY_MS, day), item, -1) for item in removed)
        if bool(before) != bool(after):
            supports.append(SupportChange(signal, day, ANY_ITEM, 1 if after else -1))
        if signal in _WITHIN:
            _within(rows, _WITHIN[signal], added, removed, (before, after), (day, floor))
    if bool(old) != bool(new):
        supports.append(SupportChange(Universe.ANY, day, ANY_ITEM, 1 if new else -1))
    _across(rows, Relation.VIEWED_BOUGHT, (old.view, old.purchase), (new.view, new.purchase), (day, floor))
    return Changes(rows, supports)


def negated(changes: Changes) -> Changes:
    """-x: what takes x back, on the days that x was dated by."""
    return Changes(
        [RowChange(relation, day, item, partners, -sign) for relation, day, item, partners, sign in changes.rows],
        [SupportChange(where, day, item, -sign) for where, day, item, sign in changes.supports],
    )


_EACH_SIGNAL = tuple(int(signal) for signal in Signal)
_WITHIN = {int(Signal.VIEW): int(Relation.ALSO_VIEWED), int(Signal.PURCHASE): int(Relation.ALSO_BOUGHT)}


def _newest(history: History) -> int:
    """The day of the newest interaction, -1 without one."""
    return max(history.values()) // DAY_MS if history else -1


def _within(
    out: list[RowChange],
    relation: int,
    added: list[str],
    removed: list[str],
    sides: tuple[History, History],
    days: tuple[int, int],
) -> None:
    """Pairs inside one history: every new item with everything beside it, every lost item with all it stood beside."""
    (before, after), (day, floor) = sides, days
    if removed:
        gone = set(removed)
        kept = [item for item in before if item not in gone]
        last = _newest(before)
        for index, item in enumerate(removed):
            _by_day(out, (relation, -1, day), item, before, (*kept, *removed[index + 1 :]), before, last)
    else:
        kept = list(before)
    newest = _newest(after) if added else 0
    for index, item in enumerate(added):
        _by_day(out, (relation, 1, floor), item, after, (*kept, *added[index + 1 :]), after, newest)


def _by_day(
    out: list[RowChange],
    what: tuple[int, int, int],
    item: str,
    row: History,
    partners: tuple[str, ...],
    column: History,
    newest: int,
) -> None:
    """Split pairs of one row by the day of the newer interaction: one record when the row item is of the newest.

    `what` is (relation, sign, first day that may be named).
    """
    if not partners:
        return
    relation, sign, floor = what
    day = max(row[item] // DAY_MS, floor)
    if day >= newest:
        out.append(RowChange(relation, day, item, partners, sign))
        return
    days: dict[int, list[str]] = {}
    for partner in partners:
        days.setdefault(max(day, column[partner] // DAY_MS), []).append(partner)
    out.extend(RowChange(relation, on, item, tuple(group), sign) for on, group in days.items())


def _across(
    out: list[RowChange],
    relation: int,
    old: tuple[History, History],
    new: tuple[History, History],
    days: tuple[int, int],
) -> None:
    """Pairs between two histories (row, column), j != i: new_row x new_column - old_row x old_column."""
    (old_row, old_col), (new_row, new_col), (day, floor) = old, new, days
    if not old_col and not new_col:
        return
    same_rows = old_row is new_row or old_row.keys() == new_row.keys()
    same_cols = old_col is new_col or old_col.keys() == new_col.keys()
    if same_rows and same_cols:
        return
    fresh = () if same_cols else tuple(j for j in new_col if j not in old_col)
    gone = () if same_cols else tuple(j for j in old_col if j not in new_col)
    # Rows on both sides change only if the columns do.
    everything, newest = tuple(old_col), _newest(old_col)
    for item in old_row if gone else [item for item in old_row if item not in new_row]:
        lost = _others(item, gone if item in new_row else everything, old_col)
        _by_day(out, (relation, -1, day), item, old_row, lost, old_col, newest)
    everything, newest = tuple(new_col), _newest(new_col)
    for item in new_row if fresh else [item for item in new_row if item not in old_row]:
        won = _others(item, fresh if item in old_row else everything, new_col)
        _by_day(out, (relation, 1, floor), item, new_row, won, new_col, newest)


def _others(item: str, columns: tuple[str, ...], among: History) -> tuple[str, ...]:
    """The columns that are not the item itself; all of them come from `among`."""
    return tuple(j for j in columns if j != item) if item in among else columns
