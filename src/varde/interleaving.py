"""Team-draft interleaving: two rankings in one list, each item placed by one of them. Pure.

Radlinski, Kurup and Joachims, "How Does Clickthrough Data Reflect Retrieval Quality?", CIKM 2008, algorithm 2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)
_BITS = 512


def bits(seed: str) -> Callable[[], int]:
    """A source of as many bits (0 or 1) as are asked for, always the same for one seed.

    Args:
        seed: names the unit, the experiment and the list, so that a list that is made again is the same.
    """
    held, left, block = 0, 0, 0
    data = seed.encode("utf-8", "surrogatepass")

    def bit() -> int:
        nonlocal held, left, block
        if not left:
            made = hashlib.blake2b(data, digest_size=_BITS // 8, salt=block.to_bytes(16, "little"))
            held, left, block = int.from_bytes(made.digest(), "little"), _BITS, block + 1
        held, got, left = held >> 1, held & 1, left - 1
        return got

    return bit


def team_draft(
    a: Sequence[T], b: Sequence[T], n: int, choice: Callable[[], int], takes: Callable[[T], bool] = lambda _: True
) -> list[tuple[T, int | None]]:
    """Both rankings in one list of at most `n`.

    In each round chance says who picks first; each side adds its best item that is not in the list yet. When one side
    has no more items the draft is over, and the other fills the list for no team: nobody competed for those places, so
    a click there says nothing about which ranking is better.

    Args:
        a, b: the rankings, best first; an item may be in both.
        n: most items.
        choice: 1 when the first side picks first, else 0; `bits` makes one.
        takes: whether an item may stand beside those that are in the list; asked when it is about to be added, at most
            once an item.

    Returns:
        (item, 0 for the first side, 1 for the second, None for neither), in the list's order.
    """
    left = ([*reversed(a)], [*reversed(b)])
    seen: set[T] = set()
    out: list[tuple[T, int | None]] = []
    while len(out) < n and _has(left[0], seen) and _has(left[1], seen):
        captain = 0 if choice() else 1
        for side in (captain, 1 - captain):
            item = _best(left[side], seen, takes) if len(out) < n else None
            if item is None:
                break
            out.append((item, side))
    rest = [*left[0], *left[1]]  # at most one of them holds something new
    while len(out) < n and (item := _best(rest, seen, takes)) is not None:
        out.append((item, None))
    return out


def _has(left: list[T], seen: set[T]) -> bool:
    """Whether a side, whose best item stands last, has one that nobody has looked at."""
    while left and left[-1] in seen:
        left.pop()
    return bool(left)


def _best(left: list[T], seen: set[T], takes: Callable[[T], bool]) -> T | None:
    """A side's best item that may be added, None without one."""
    while _has(left, seen):
        item = left.pop()
        seen.add(item)
        if takes(item):
            return item
    return None
