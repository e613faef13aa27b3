"""One run of `varde reconcile` at a time: the lock, two real processes, and a run that is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import redis

from varde import keys
from varde.batch import lock, main
from varde.batch.lock import STALE_MS, TERM_MS, BusyError, Lock
from varde.settings import Settings
from varde.store.night import NightStore

from .nights import NOW, load, meanings, shop, stream
from .test_write import SET, apply, arguments, command


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return Settings(redis_url=redis_url, cap=6, window_days=30, id_secret="a secret")


@pytest.fixture
def store(settings: Settings) -> Iterator[NightStore]:
    with closing(NightStore.from_settings(settings, lambda: NOW)) as opened:
        yield opened


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


def test_one_run_holds_it(store: NightStore, client: redis.Redis) -> None:
    assert store.take_lock("a", TERM_MS) == ""
    assert store.take_lock("a", TERM_MS) == "", "a repetition"
    assert store.take_lock("b", TERM_MS) == "a"
    assert not store.renew_lock("b", TERM_MS)
    store.release_lock("b")
    client.pexpire(keys.lock(), TERM_MS // 2)
    assert store.renew_lock("a", TERM_MS)
    assert int(client.pttl(keys.lock())) > TERM_MS * 0.9
    store.release_lock("a")
    assert not client.exists(keys.lock())
    assert not store.renew_lock("a", TERM_MS), "nobody knows who held it in between"
    assert not client.exists(keys.lock())


def test_a_stale_one_is_taken_over_when_asked(store: NightStore, client: redis.Redis) -> None:
    assert store.take_lock("a", TERM_MS) == ""
    assert store.take_lock("b", TERM_MS, STALE_MS) == "a", "it was renewed a moment ago"
    client.pexpire(keys.lock(), STALE_MS - 1)
    assert store.take_lock("b", TERM_MS) == "a"
    assert store.take_lock("b", TERM_MS, STALE_MS) == ""
    assert not store.renew_lock("a", TERM_MS)
    store.release_lock("a")
    assert client.get(keys.lock()) == b"b"


class Held:
    """A lock of which the test decides what becomes."""

    def __init__(self) -> None:
        self.held, self.renewals, self.renewed = True, 0, threading.Event()
        self.fails = False
        self.released = ""

    def take_lock(self, token: str, ms: int, stale_ms: int = 0) -> str:
        return "" if self.held else "other host.name 7"

    def renew_lock(self, token: str, ms: int) -> bool:
        self.renewals += 1
        if self.renewals > 1:
            self.renewed.set()
        if self.fails:
            raise redis.ConnectionError
        return self.held

    def release_lock(self, token: str) -> None:
        self.released = token


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def stops(held: Lock) -> bool:
    try:
        held.check()
    except BusyError:
        return True
    return False


def test_it_is_renewed_while_the_run_lives_and_released_at_its_end() -> None:
    store = Held()
    with Lock(store, "start", term_ms=600, clock=lambda: 0.0) as held:
        assert store.renewed.wait(10)
        held.check()
    assert store.released.startswith("start ")
    assert store.released.endswith(f" {os.getpid()}")


def test_a_run_that_has_lost_it_stops() -> None:
    store = Held()
    with Lock(store, "start", term_ms=60, clock=lambda: 0.0) as held:
        held.check()
        store.held = False
        until(lambda: stops(held))


def test_a_run_that_could_not_renew_it_stops_before_it_ends() -> None:
    store, now = Held(), [0.0]
    store.fails = True
    with Lock(store, "start", term_ms=60_000, clock=lambda: now[0]) as held:
        now[0] = 53.9
        held.check()
        now[0] = 54.1
        assert stops(held)


def test_the_holder_is_named() -> None:
    store = Held()
    store.held = False
    with pytest.raises(BusyError, match=r"start other, process 7 on host\.name"), Lock(store, "start"):
        pass


@contextmanager
def paused(settings: Settings, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own that holds the lock and waits for a line."""
    environ = dict(os.environ) | {f"VARDE_{name.upper()}": str(getattr(settings, name)) for name in SET}
    words = [sys.executable, "-m", "tests.batch.killed", "4", "pause", *arguments(path, "--apply", "--force")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, env=environ, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            assert process.stdout.readline() == "PAUSED\n"
            yield process
        finally:
            process.kill()
            process.communicate()


@pytest.mark.e2e
def test_two_runs_at_once(
    settings: Settings,
    store: NightStore,
    client: redis.Redis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The second is refused while the first lives, and for as long as the lock of a dead one stands."""
    messages = shop(5, 120)
    stream(store, meanings(messages, settings), settings, "stream")
    load(tmp_path / "w", messages, settings)
    shutil.copy(tmp_path / "w", tmp_path / "v")  # one process may have a file open
    words = arguments(tmp_path / "v", "--apply", "--force")
    with paused(settings, tmp_path / "w") as first:
        assert command(monkeypatch, settings, *words) == main.BUSY
        assert "another run is under way (start " in (said := capsys.readouterr().err)
        assert f"process {first.pid} on " in said
        assert command(monkeypatch, settings, *words, "--resume") == main.BUSY, "it is alive"
        assert store.reconciled() is None
        first.communicate("\n")
        assert first.returncode == main.AGREES
    assert store.reconciled() is not None
    assert command(monkeypatch, settings, *words) == main.AGREES
    with paused(settings, tmp_path / "w") as second:
        os.kill(second.pid, signal.SIGKILL)
        second.communicate()
        assert command(monkeypatch, settings, *words) == main.BUSY
        client.pexpire(keys.lock(), STALE_MS - 1)  # as if it had been renewed a while ago
        assert command(monkeypatch, settings, *words) == main.BUSY
        assert command(monkeypatch, settings, *words, "--resume") == main.AGREES
        assert not client.exists(keys.lock())


def test_a_run_that_loses_the_lock_writes_nothing_more(
    settings: Settings, store: NightStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(tmp_path / "w", shop(6, 80), settings)
    steps: list[str] = []

    def stop(_: lock.Lock) -> None:
        steps.append("")
        if len(steps) == 60:
            raise BusyError

    monkeypatch.setattr(lock.Lock, "check", stop)
    with pytest.raises(BusyError):
        apply(tmp_path / "w", settings, store, force=True)
    assert len(steps) == 60
    assert store.reconciled() is None
    assert store.take_lock("another", TERM_MS) == ""
