"""What an answer costs that is made anew: CPU in one thread without a network, in the server's own steps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np
from tests.bench.serve.world import CANDIDATES, entry, item
from tests.bench.table import machine, median, say, table

from varde.config import read
from varde.rows import Row, decode, encode
from varde.server import answers, plain
from varde.server.asked import COMMON, SEEDS, Asked, asked
from varde.server.blend import Sums
from varde.server.compiled import compiled
from varde.server.experiments import Listed
from varde.server.hot import HotRows
from varde.server.hot_row import HotRow
from varde.server.lists import Memory, made
from varde.server.params import Query
from varde.server.pen import Pen
from varde.server.popular import Popular, Trending
from varde.server.scored import ordered
from varde.server.shelf import Shelf
from varde.settings import Settings
from varde.store.serving import RowKey

ITEMS, ROWS, FIRST_NUMBER, REPEATS = 20_000, 2_000, 64, 5


class NoStore:
    """Rows are all in memory: nobody asks it."""

    async def rows_of(self, wanted: Sequence[RowKey]) -> Sequence[bytes | None]:
        """Never."""
        raise AssertionError(wanted)

    async def touched(self, since: Sequence[int]) -> Sequence[Any]:
        """Never."""
        raise AssertionError(since)


def packed(chance: np.random.Generator) -> bytes:
    """A row of CANDIDATES candidates that are any items."""
    places = np.sort(chance.choice(ITEMS, CANDIDATES, replace=False))
    counts = chance.integers(3, 2_000, CANDIDATES).astype(np.uint32)
    supports = (counts * chance.integers(1, 30, CANDIDATES)).astype(np.uint32)
    numbers = (places + FIRST_NUMBER).astype(np.uint32)
    return encode(Row(numbers, counts, supports, 5_000, 1_000_000, revision=1, neighbours=CANDIDATES))


def us(do: Callable[[], object], n: int) -> float:
    """CPU time of each of n things that `do` does, µs, the middle of REPEATS."""
    found = []
    for _ in range(REPEATS):
        began = time.process_time()
        do()
        found.append((time.process_time() - began) / n * 1e6)
    return median(found)


def main() -> None:
    """Print the table."""
    chance = np.random.default_rng(1)
    data = [packed(chance) for _ in range(ROWS)]
    config, shelf = read("", Settings().rankings), Shelf()
    shelf.learn((item(at), FIRST_NUMBER + at) for at in range(ITEMS))
    for at in range(ITEMS):
        shelf.put(item(at), entry(at))
    hot = HotRows(NoStore(), lambda _: None, shelf, time.monotonic)  # type: ignore[arg-type,return-value] # never asked
    memory = Memory(shelf, hot, Popular(shelf), Trending(shelf), None, config, 7.0, lambda: 0)  # type: ignore[arg-type]
    loops = compiled()
    memory.sums, memory.pen = Sums(loops), None if loops is None else Pen(loops)
    hot.checked = time.monotonic() + 3_600
    rows = [hot.keep(HotRow(RowKey(0, FIRST_NUMBER + at), one), hot.now() + 1) for at, one in enumerate(data)]
    ranking = config.rankings[config.placements["default"].ranking]
    hot.order(rows, ranking, 3)
    wanted = asked(Query("", COMMON), config, 3, ())
    fives = [tuple(item(int(at)) for at in chance.choice(ROWS, 5, replace=False)) for _ in range(ROWS)]
    written = [Listed(wanted, asyncio.run(made(memory, wanted, seeds=(item(at),)))) for at in range(300)]

    def each(seeds: Sequence[tuple[str, ...]]) -> Callable[[], object]:
        async def run() -> None:
            for one in seeds:
                await made(memory, wanted, seeds=one)

        return lambda: asyncio.run(_done(run()))

    def score(together: int) -> Callable[[], object]:
        full = [decode(one) for one in data]
        return lambda: [
            ordered(full[start : start + together], ranking, 3, shelf) for start in range(0, len(full), together)
        ]

    def whole() -> None:
        async def run() -> None:
            for at in range(ROWS):
                list_ = await made(memory, wanted, seeds=(item(at),))
                answers.body(shelf, Listed(wanted, list_), item(at))

        asyncio.run(run())

    def prepared() -> None:
        """The same rows read anew and put in order."""
        hot.forget()
        hot.prepare(list(zip([row.key for row in rows], data, strict=True)), hot.now() + 1, [(ranking, 3)])

    say(f"An answer of 10 items, {machine()}")
    table(
        ["step", "CPU µs"],
        [
            ["read the parameters", f"{us(lambda: [_asked(config) for _ in range(ROWS)], ROWS):.1f}"],
            ["unpack a row", f"{us(lambda: [decode(one) for one in data], ROWS):.1f}"],
            ["score a row alone", f"{us(score(1), ROWS):.1f}"],
            ["score a row among sixteen", f"{us(score(16), ROWS):.1f}"],
            ["choose ten items, one seed", f"{us(each([(item(at),) for at in range(ROWS)]), ROWS):.1f}"],
            ["choose ten items, five seeds", f"{us(each(fives), ROWS):.1f}"],
            [
                "choose ten items, five seeds, without numba",
                f"{us(lambda: _with_numpy(memory, each(fives)), ROWS):.1f}",
            ],
            ["choose and write ten items", f"{us(whole, ROWS):.1f}"],
            ["prepare a row", f"{us(prepared, ROWS):.1f}"],
            [
                "straight to bytes, one seed",
                f"{us(_straight(memory, wanted, [(item(at),) for at in range(ROWS)]), ROWS):.1f}",
            ],
            ["straight to bytes, five seeds", f"{us(_straight(memory, wanted, fives), ROWS):.1f}"],
            ["write ten items", f"{us(lambda: [answers.body(shelf, one, 'x') for one in written], 300):.1f}"],
        ],
    )


def _straight(memory: Memory, wanted: Asked, seeds: Sequence[tuple[str, ...]]) -> Callable[[], object]:
    """Plain requests of prepared rows, chosen and written."""
    return lambda: [plain.content(memory, wanted, None, one) for one in seeds]


def _with_numpy(memory: Memory, do: Callable[[], object]) -> None:
    """Do it without the compiled loops."""
    loops, memory.sums = memory.sums, Sums()
    do()
    memory.sums = loops


async def _done(run: Coroutine[Any, Any, None]) -> None:
    await run


def _asked(config: Any) -> Asked:
    return asked(Query("n=10", (*COMMON, *SEEDS)), config, 3, ())


if __name__ == "__main__":
    main()
