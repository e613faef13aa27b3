"""Processes that get a part of a core each, by the kernel's quotas (cgroups): so that two of them, their client and
Redis have room on two cores, and what is measured is whether twice the processes do twice the work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PERIOD_US = 10_000
_FIRST = Path("/sys/fs/cgroup/cpu")
"""Where version 1 has its groups of the processor; version 2 has all of them one folder higher."""


def _folder(name: str) -> Path:
    return (_FIRST if _FIRST.is_dir() else _FIRST.parent) / name


def possible() -> bool:
    """Whether this user may give out quotas here."""
    folder = _folder("varde-bench")
    try:
        folder.mkdir()
        _limit(folder, 0.5)
    except OSError:
        return False
    finally:
        if folder.is_dir():
            folder.rmdir()
    return True


def _limit(folder: Path, part: float) -> None:
    quota = int(PERIOD_US * part)
    if (folder / "cpu.max").exists():
        (folder / "cpu.max").write_text(f"{quota} {PERIOD_US}")
    else:
        (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (folder / "cpu.cfs_quota_us").write_text(str(quota))


@contextmanager
def limited(pids: Sequence[int], part: float) -> Iterator[None]:
    """Give each process this part of one core, and no more, until the block ends.

    Raises:
        OSError: not here (`possible`).
    """
    folders = [_folder(f"varde-bench-{pid}") for pid in pids]
    try:
        for folder, pid in zip(folders, pids, strict=True):
            folder.mkdir()
            _limit(folder, part)
            (folder / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for folder, pid in zip(folders, pids, strict=True):
            if folder.is_dir():
                (folder.parent / "cgroup.procs").write_text(str(pid))
                folder.rmdir()
