"""The system round the SDKs: a topic that can be out of reach, a collector that can end, and what has arrived."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from google.cloud.pubsub_v1 import SubscriberClient

from varde.demo import process, pubsub

ROOT = Path(__file__).parents[2]
WITHIN_S = 60.0
WRITE_KEY = "key-of-the-shop"
QUIET_S = 0.5
_LISTENING = re.compile(r"listening on (http://127\.0\.0\.1:(\d+))")
_BLOCK = 65_536


def until(condition: Callable[[], object], said: Callable[[], object] = str) -> None:
    """Return when `condition()` is true; fail, with what `said()` tells, when it does not become so."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, said()
        time.sleep(0.02)  # a pause between two looks, not a wait for something


class Relay:
    """A TCP port in front of Pub/Sub, so that it can be out of reach without losing what it holds."""

    def __init__(self, target: str) -> None:
        """In front of `target`, host:port."""
        self._target = target.rsplit(":", 1)
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._mute = False
        self._pass = asyncio.Event()
        self.held = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port = 0
        self.mend()

    @property
    def host(self) -> str:
        """host:port, the same for all its life."""
        return f"127.0.0.1:{self.port}"

    def hold(self) -> None:
        """Pass nothing on until it works again; `held` counts what requests wait."""
        self._loop.call_soon_threadsafe(self._pass.clear)

    def mute(self) -> None:
        """Requests pass, answers are lost."""
        self._mute = True

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        self._run(self._cut())

    def mend(self) -> None:
        """Work again."""
        self._run(self._mend())

    def close(self) -> None:
        """End it."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(WITHIN_S)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()
        self._pass.set()  # to where nobody is any more
        for task in list(self._tasks):
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await task

    async def _mend(self) -> None:
        self._mute, self.held = False, 0
        self._pass.set()
        if self._server is not None:
            return
        self._server = await asyncio.start_server(self._taken, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, thither = await asyncio.open_connection(self._target[0], int(self._target[1]))
        except OSError:
            writer.transport.abort()
            return
        both = {writer, thither}
        self._open |= both
        for way in ((reader, thither, both, False), (there, writer, both, True)):
            passing = asyncio.create_task(self._passed(*way))
            self._tasks.add(passing)
            passing.add_done_callback(self._tasks.discard)

    async def _passed(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, both: set[asyncio.StreamWriter], answers: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while block := await reader.read(_BLOCK):
                self.held += not (answers or self._pass.is_set())
                await self._pass.wait()
                if not (answers and self._mute):
                    writer.write(block)
                    await writer.drain()
        self._open -= both
        for end in both:
            end.close()


class Collector:
    """`varde serve` as a process of its own, on one port for all its lives."""

    def __init__(self, folder: Path, redis_url: str, topic: str, pubsub_host: str) -> None:
        """In `folder`, which gets its configuration and logs."""
        config = folder / "varde.toml"
        config.write_text(f'[collector]\nwrite_keys = ["{WRITE_KEY}"]\n')
        self._env = {
            "VARDE_REDIS_URL": redis_url,
            "VARDE_TOPIC": topic,
            "VARDE_CONFIG": str(config),
            "PUBSUB_EMULATOR_HOST": pubsub_host,
        }
        self._environ: dict[str, str] = {}
        self._folder = folder
        self._lives = 0
        self._port = 0
        self._child: process.Child | None = None
        self.url = ""

    def ensure(self, environ: dict[str, str]) -> None:
        """See to it that it runs, with `environ` added to its environment."""
        if self._child is None or self._child.exit_code is not None or environ != self._environ:
            self.kill()
            self._environ = environ
            self.start()

    def start(self) -> None:
        """Start it, with the environment of its last life, and wait until it listens."""
        self._lives += 1
        log = self._folder / f"serve-{self._lives}.log"
        command = [sys.executable, "-u", "-m", "varde.cli", "serve"]
        self._child = process.start(
            "serve", command, log, {**self._env, **self._environ, "VARDE_PORT": str(self._port)}
        )
        self._child.wait_until(lambda: _LISTENING.search(log.read_text()) is not None, WITHIN_S)
        found = _LISTENING.search(log.read_text())
        assert found is not None
        self.url, self._port = found[1], int(found[2])

    def stop(self) -> None:
        """SIGTERM, and wait until it has ended by itself."""
        self.tell()
        self.ended()

    def tell(self) -> None:
        """SIGTERM."""
        assert self._child is not None
        os.killpg(self._child.pid, signal.SIGTERM)

    def refuses(self) -> bool:
        """Whether it takes no connections any more."""
        try:
            socket.create_connection(("127.0.0.1", self._port), WITHIN_S).close()
        except ConnectionError:
            return True
        return False

    def ended(self) -> None:
        """Wait until it has ended by itself."""
        child = self._child
        assert child is not None
        until(lambda: child.exit_code is not None, child.tail)
        assert child.exit_code == 0, child.tail()

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        if self._child is not None:
            self._child.kill()

    def log(self) -> str:
        """The end of its last life's log."""
        return self._child.tail() if self._child is not None else ""


class Queue:
    """What is in the subscription to the topic: every message that has ever arrived, in the order of arrival."""

    def __init__(self, subscriber: SubscriberClient, subscription: str) -> None:
        self._subscriber, self._subscription = subscriber, subscription
        self.messages: list[dict[str, Any]] = []

    def look(self) -> list[dict[str, Any]]:
        """Take what is there now."""
        self._take(pubsub.pull(self._subscriber, self._subscription, timeout_s=QUIET_S))
        return self.messages

    def all(self) -> list[dict[str, Any]]:
        """Take until nothing comes any more."""
        self._take(pubsub.drain(self._subscriber, self._subscription, QUIET_S))
        return self.messages

    def forget(self) -> None:
        """Begin anew with what comes from now on."""
        self.all()
        self.messages = []

    def _take(self, messages: Any) -> None:
        self.messages += [orjson.loads(data) for data in messages]


@contextlib.contextmanager
def topic(host: str, names: pubsub.Names) -> Iterator[Queue]:
    """Topics and subscriptions of one test in the Pub/Sub at `host`."""
    with pubsub.clients(host) as (publisher, subscriber):
        pubsub.ensure(publisher, subscriber, names)
        yield Queue(subscriber, names.subscription)
        pubsub.remove(publisher, subscriber, names)
