"""Processes to be loaded, and wrk to load them; figures in requests and in CPU, which other work disturbs less."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """
local requests = {}
local at = 0
function init(args)
  for line in io.lines(os.getenv("PATHS")) do requests[#requests + 1] = wrk.format(nil, line) end
end
function request() at = at % #requests + 1; return requests[at] end
local pause = tonumber(os.getenv("PAUSE_MS"))
local spread = os.getenv("SPREAD") == "1"
if pause > 0 then
  function delay() if spread then return math.random(0, 2 * pause) end return pause end
end
function done(summary, latency)
  io.write(string.format("FIGURES %d %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(90), latency:percentile(99),
    summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Figures:
    """Of one load: requests a second, latencies in ms, CPU of the loaded processes in µs a request, answers not 2xx.

    own: CPU of the first process alone, without its children.
    """

    rate: float
    p50: float
    p90: float
    p99: float
    cpu: float
    failed: int
    own: float


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def process(words: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has said `listening on`; ended at exit."""
    started = subprocess.Popen(
        [sys.executable, *words], stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    )
    assert started.stderr is not None
    try:
        while "listening on" not in (line := started.stderr.readline()):
            assert line, f"{words} ended with {started.wait()}"
        threading.Thread(target=started.stderr.read, daemon=True).start()
        yield started
    finally:
        started.terminate()
        started.wait(20)


@contextmanager
def server(
    redis_url: str, processes: int = 1, more: Mapping[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A Varde server that has read everything; its base address and process. more: settings beside the usual."""
    port = free_port()
    env = {"VARDE_REDIS_URL": redis_url, "VARDE_PORT": str(port), **(more or {})}
    if processes > 1:
        env["VARDE_PROCESSES"] = str(processes)
    env["VARDE_MAX_ITEMS"] = "2000000"
    with process(["-m", "varde.cli", "serve"], env) as started:
        base = f"http://127.0.0.1:{port}"
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{base}/readyz", timeout=5).close()
                break
            threading.Event().wait(0.1)
        yield base, started


@contextmanager
def bare(size: int) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The bare server; its base address and process."""
    port = free_port()
    with process(["-m", "tests.bench.serve.bare", str(port), str(size)]) as started:
        yield f"http://127.0.0.1:{port}", started


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its living children."""
    return sum(map(own_cpu_s, (pid, *children(pid))))


def own_cpu_s(pid: int) -> float:
    """CPU seconds of a process alone."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICK


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def warm(base: str) -> float:
    """Wait until no more rows come into a server's memory by themselves; how long that took, s."""
    began, last, since = time.monotonic(), -1.0, time.monotonic()
    while time.monotonic() - since < 3:
        with urllib.request.urlopen(f"{base}/metrics", timeout=20) as answer:
            found = re.findall(r'^varde_cache_entries\{[^}]*"rows"[^}]*\} (\S+)', answer.read().decode(), re.MULTILINE)
        now = sum(map(float, found))
        if now != last:
            last, since = now, time.monotonic()
        threading.Event().wait(0.5)
    return since - began


def load(
    base: str,
    pid: int,
    paths: Sequence[str],
    *,
    connections: int = 32,
    seconds: int = 6,
    pause_ms: int = 0,
    spread: bool = False,
) -> Figures:
    """Ask for the paths, round and round, over `connections` kept-alive connections of one wrk thread.

    Args:
        base: the server's address.
        pid: whose CPU counts, its children's too.
        paths: request targets.
        connections: at once.
        seconds: how long.
        pause_ms: every connection waits this long after each answer; 0: as fast as it goes.
        spread: waits anything up to twice as long instead, so that requests come at any time.
    """
    with tempfile.TemporaryDirectory() as folder:
        script, listed = Path(folder, "load.lua"), Path(folder, "paths")
        script.write_text(_SCRIPT)
        listed.write_text("\n".join(paths) + "\n")
        wrk = shutil.which("wrk")
        assert wrk, "wrk is not installed: apt-get install wrk"
        words = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), base]
        before, own_before = cpu_s(pid), own_cpu_s(pid)
        env = {**os.environ, "PATHS": str(listed), "PAUSE_MS": str(pause_ms), "SPREAD": str(int(spread))}
        ran = subprocess.run(words, capture_output=True, text=True, check=True, env=env)
        used, own = cpu_s(pid) - before, own_cpu_s(pid) - own_before
    found = re.search(r"FIGURES (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", ran.stdout)
    assert found, ran.stdout
    n, us, p50, p90, p99, status, other = map(int, found.groups())
    a_request = 1e6 / max(n, 1)
    rate, of_clients = n / us * 1e6, (p50 / 1e3, p90 / 1e3, p99 / 1e3)
    return Figures(rate, *of_clients, used * a_request, status + other, own * a_request)
