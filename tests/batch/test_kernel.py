"""The compiled product: the same blocks as scipy's, and the counts of the definition. Its loops also run as Python."""

from __future__ import annotations

import importlib
import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from varde.batch import count, kernel
from varde.batch.count import Engine
from varde.history import Signal
from varde.pairs import Relation

from .test_count import Histories, many, pair_by_pair, table, worlds

HAVE_NUMBA = kernel.available()
needs_numba = pytest.mark.skipif(not HAVE_NUMBA, reason="numba (extra `fast`) is not installed")
LOOPS = [pytest.param("python", id="python"), pytest.param("compiled", id="compiled", marks=needs_numba)]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loops as Python runs them, then compiled."""
    if request.param == "python":
        monkeypatch.setattr(kernel, "compiled", lambda: kernel.loops)


def same_blocks(who: count.Incidence, relation: Relation, cells: int) -> None:
    ours = list(count.blocks(who, relation, cells, Engine.NUMBA))
    theirs = list(count.blocks(who, relation, cells, Engine.SCIPY))
    assert [block.start for block in ours] == [block.start for block in theirs]
    for mine, other in zip((b.counts for b in ours), (b.counts for b in theirs), strict=True):
        assert mine.shape == other.shape
        assert mine.dtype == other.dtype
        for part in ("indptr", "indices", "data"):
            assert np.array_equal(getattr(mine, part), getattr(other, part)), part
        mine.check_format()


@pytest.mark.usefixtures("run")
@settings(deadline=None)
@given(worlds, st.sampled_from(Relation), st.integers(1, 40), st.integers(0, 3))
@example(frozenset(), Relation.ALSO_VIEWED, 1, 0)
@example(frozenset({("u:1", 0, "a")}), Relation.ALSO_VIEWED, 1, 0)
def test_counts_and_order_are_those_of_the_definition_and_of_scipy(
    histories: Histories, relation: Relation, cells: int, order: int
) -> None:
    who = count.incidence(table(histories, order))
    found = list(count.rows(who, relation, cells, Engine.NUMBA))
    assert {(i, j): n for i, row in found for j, n in row.items()} == pair_by_pair(histories, relation)
    theirs = list(count.rows(who, relation, cells, Engine.SCIPY))
    assert [(i, list(row.items())) for i, row in found] == [(i, list(row.items())) for i, row in theirs]
    same_blocks(who, relation, cells)


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("items", [1, kernel.LINE - 1, kernel.LINE, kernel.LINE + 1, 5 * kernel.LINE + 3])
def test_the_last_columns_are_counted(items: int) -> None:
    """The array of counts goes on to a full line."""
    histories = frozenset((f"u:{n}", s, f"i{i:03}") for n in range(3) for i in range(items) for s in (0, 2))
    who = count.incidence(table(histories))
    for relation in Relation:
        (block,) = count.blocks(who, relation, engine=Engine.NUMBA)
        assert block.counts.toarray().tolist() == [[3] * items] * items
        same_blocks(who, relation, 1)


@needs_numba
@pytest.mark.parametrize("cells", [1, 100, 5_000, 10**9])
def test_larger_worlds_give_the_blocks_of_scipy(cells: int) -> None:
    who = count.incidence(many(300, 97, 9))
    for relation in Relation:
        same_blocks(who, relation, cells)


@needs_numba
def test_a_compiled_kernel_is_kept_on_disk(tmp_path: object) -> None:
    """A second process loads what the first one has compiled."""
    code = (
        "import numpy as np; from varde.batch import kernel; from scipy import sparse;"
        "one = sparse.csr_array(np.eye(3, dtype=np.int32)); f = kernel.compiled();"
        "assert (kernel.Product(one, one, f)(0, 3, 3).toarray() == np.eye(3)).all();"
        "print(sum(f.stats.cache_hits.values()), sum(f.stats.cache_misses.values()))"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=240,
        ).stdout.split()
        for _ in range(2)
    ]
    assert said == [["0", "1"], ["1", "0"]]


def choice(caplog: pytest.LogCaptureFixture) -> tuple[Engine, str]:
    """What is taken, asked anew, and what the log says of it."""
    caplog.set_level(logging.INFO, "varde.batch")
    caplog.clear()
    count.best.cache_clear()
    kernel.compiled.cache_clear()
    try:
        found = count.best()
        assert count.best() is found
    finally:
        count.best.cache_clear()
        kernel.compiled.cache_clear()
    return found, "\n".join(record.getMessage() for record in caplog.records)


@needs_numba
def test_numba_is_taken_where_it_is(caplog: pytest.LogCaptureFixture) -> None:
    assert choice(caplog) == (Engine.NUMBA, "pairs are counted with numba")


def test_scipy_is_taken_where_numba_is_missing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)  # an import of it fails
    found, said = choice(caplog)
    assert found == Engine.SCIPY
    first, last = said.splitlines()
    assert first.startswith("no compiled kernel: ")
    assert last == "pairs are counted with scipy"
    who = count.incidence(table(frozenset({("u:1", int(Signal.VIEW), "a"), ("u:1", int(Signal.VIEW), "b")})))
    kernel.compiled.cache_clear()
    with pytest.raises(ImportError):
        next(count.blocks(who, Relation.ALSO_VIEWED, engine=Engine.NUMBA))


@needs_numba
def test_a_folder_that_cannot_be_written_only_costs_the_compilation(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    numba = importlib.import_module("numba")
    njit = numba.njit

    def refuse(**options: object) -> object:
        if options.pop("cache", False):
            msg = "cannot cache function: no locator available"
            raise RuntimeError(msg)
        return njit(**options)

    monkeypatch.setattr(numba, "njit", refuse)
    found, said = choice(caplog)
    assert found == Engine.NUMBA
    assert "is not kept on disk: cannot cache function" in said
