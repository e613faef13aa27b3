"""The loops of `kernel`, `digits` and `writing` as machine code, where numba is installed."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from . import by_address, digits, kernel, pointers, writing
from .blend import SEEDS, WEIGHTS
from .fragments import Fragments
from .kernel import Room
from .pen import Pen, Wanted
from .pointers import Called
from .scored import EMPTY, Ordered

logger = logging.getLogger("varde.server")


class Loops(NamedTuple):
    """Those that Python calls, plain or compiled."""

    add_up: Callable[..., int] = kernel.add_up
    select: Callable[..., int] = kernel.select
    answer: Called = pointers.plain(by_address.answer)
    placed: Called = pointers.plain(by_address.placed)


_CALLED = (
    *(kernel.add, kernel.add_up, kernel.select, pointers.integers),
    *(digits.whole, digits.scaled, digits.significant, digits.pointed, digits.number),
    *(writing.allowed, writing.item, writing.fetch, writing.write, writing.order, writing.untie, writing.gather),
    *(by_address.one, by_address.several, by_address.made),
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
        pointers.teach(numba, extending)
        try:
            return _tried(_compiled(numba, cache=True))
        except RuntimeError:  # no folder to keep it in
            return _tried(_compiled(numba, cache=False))
    except Exception as error:  # noqa: BLE001 - numba fails in many ways, and is needed for none
        logger.info("rows are added up with numpy: no numba (%s)", type(error).__name__)
        return None


def _compiled(numba: Any, *, cache: bool) -> Loops:
    njit = numba.njit(cache=cache)
    called = kernel.add_up, kernel.select, by_address.answer, by_address.placed
    add_up, select, answer, placed = [_versioned(function) for function in called]
    return Loops(
        njit(add_up),
        njit(select),
        pointers.compiled(numba, answer, "bibiiii", cache=cache),
        pointers.compiled(numba, placed, "iiiibiiii", cache=cache),
    )


def _versioned(function: Callable[..., int]) -> Callable[..., int]:
    """A loop under a name that holds its version: numba looks at the file of a function, and not at those it calls."""
    assert isinstance(function, FunctionType)
    named = FunctionType(function.__code__, function.__globals__, function.__name__)
    named.__qualname__ = f"{function.__qualname__}_{_version():08x}"
    return named


@cache
def _version() -> int:
    """Of everything that is compiled."""
    modules = (by_address, digits, kernel, pointers, writing)
    return crc32(b"".join(Path(str(module.__file__)).read_bytes() for module in modules))


def _tried(loops: Loops) -> Loops:
    """Compile for the types that `blend` has, and see that it works."""
    room, fragments = Room(8), Fragments()
    fragments.add(1, 1, b'"id":"a"', 8)
    fragments.add(1, 2, b'"id":"b"', 8)
    cells = np.array([[1 << 32 | 3, 0]], np.int64)
    cells.view(np.float64)[0, 1] = 0.5
    order = Ordered(cells)
    found = loops.select(
        loops.add_up((cells, *(EMPTY.cells,) * (SEEDS - 1)), WEIGHTS, room.table, room.counts, room.totals),
        1, room.top, room.counts, room.totals,
    )  # fmt: skip
    pen, wanted = Pen(loops), Wanted(1, 1, True, ())
    made = [
        done and bytes(done[0])
        for n in (1, 2)
        for done in [pen.items((order.where,) * n, (0,) * n, wanted, fragments, because=True)]
    ]
    expected = [b'{"score":%b,"customers":3,"because":"a","id":"b"}' % score for score in (b"0.5", b"0.75")]
    if found != 1 or made != expected:
        msg = "numba compiles wrongly"
        raise ArithmeticError(msg)
    return loops
