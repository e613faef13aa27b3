"""Complete real files through the whole system: `varde demo --once` on each, its summary and the wall time.

    python -m tests.bench data

Reads ../shared/data beside the project and leaves out what is not there. Fails when live and nightly counts differ.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from .table import machine, say, table

DATA = Path(__file__).parents[2].parent / "shared" / "data"
FILES = (("online_retail.csv.gz", "online-retail"), ("serenade-example/train.txt.gz", "sessions"))
SHOWN = ("events", "customers", "items", "pairs", "pairs_compared", "pairs_different", "events_per_s",
         "freshness_p50_s", "freshness_p99_s", "rejected", "dead_letters")  # fmt: skip


def once(file: Path, form: str) -> dict[str, float]:
    """The summary of one run, with its wall time.

    Raises:
        AssertionError: live and nightly counts differ.
        CalledProcessError: the run failed; its log is on standard error.
    """
    command = [sys.executable, "-m", "varde.cli", "demo", "--once", "--data", str(file), "--format", form]
    began = time.monotonic()
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    summary: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    assert summary["pairs_different"] == 0
    assert summary["pairs_compared"] > 0
    return {**summary, "wall_s": round(time.monotonic() - began)}


def main() -> None:
    """Print one column a file."""
    say(f"complete files through the whole system; {machine()}")
    found = {name: once(DATA / name, form) for name, form in FILES if (DATA / name).exists()}
    if not found:
        say(f"none of the files is in {DATA}")
        return
    rows = [[name, *(f"{summary[name]:,}" for summary in found.values())] for name in (*SHOWN, "wall_s")]
    table(["", *found], rows)


if __name__ == "__main__":
    main()
