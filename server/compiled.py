"""The loops of `kernel`, `digits` and `writing` as machine code, where numba is installed."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from . import digits, kernel, writing
from .blend import SEEDS, WEIGHTS
from .fragments import Fragments
from .kernel import Room
from .scored import EMPTY

logger = logging.getLogger("varde.server")


class Loops(NamedTuple):
    """Those that Python calls, plain or compiled."""

    add_up: Callable[..., int] = kernel.add_up
    select: Callable[..., int] = kernel.select
    one: Callable[..., tuple[int, int]] = writing.one
    several: Callable[..., tuple[int, int]] = writing.several


_CALLED = (
    *(kernel.add_up, kernel.select),
    *(digits.copy, digits.whole, digits.scaled, digits.significant, digits.pointed, digits.number),
    *(writing.allowed, writing.item, writing.write, writing.order, writing.untie, writing.gather),
)
"""Those that loops call."""


@cache
def compiled() -> Loops | None:
    """All as machine code; None where numba is not there or does not work. The first call takes some seconds.

    What was compiled is kept on disk, beside these files or, when that cannot be written, in the user's cache folder.
    """
    try:
        numba = importlib.import_module("numba")  # by name: the package is optional
        extending = importlib.import_module("numba.extending")
        for function in _CALLED:
            extending.register_jitable(function)
        try:
            return _tried(Loops(*map(numba.njit(cache=True), Loops())))
        except RuntimeError:  # no folder to keep it in
            return _tried(Loops(*map(numba.njit(), Loops())))
    except Exception as error:  # noqa: BLE001 - numba fails in many ways, and is needed for none
        logger.info("rows are added up with numpy: no numba (%s)", type(error).__name__)
        return None


def _tried(loops: Loops) -> Loops:
    """Compile for the types that `blend` and `plain` have."""
    room, fragments, none = Room(8), Fragments(), np.zeros(0, np.int64)
    fragments.add(1, 1, b'"id":"a"', 8)
    fragments.add(1, 2, b'"id":"b"', 8)
    cells = np.array([[1 << 32 | 3, 0]], np.int64)
    cells.view(np.float64)[0, 1] = 0.5
    parts = (cells, *(EMPTY.cells,) * (SEEDS - 1))
    out, seeds = np.zeros(1024, np.uint8), np.zeros(1, np.int64)
    with_ = (1, True, True, seeds, none, fragments.cards, fragments.text)
    found = loops.select(
        loops.add_up(parts, WEIGHTS, room.table, room.counts, room.totals), 1, room.top, room.counts, room.totals
    )
    one = loops.one(cells, 1, *with_, out)
    first = out[: one[0]].tobytes()
    several = loops.several(
        parts, WEIGHTS, 1, 0, *with_, room.table, room.counts, room.totals, room.top, out, room.lines
    )
    expected = b'{"score":0.5,"customers":3,"because":"a","id":"b"},'
    if found != 1 or first != expected or out[: several[0]].tobytes() != expected:
        msg = "numba compiles wrongly"
        raise ArithmeticError(msg)
    return loops
