"""What the tests of the SDKs share: Pub/Sub behind a relay, a collector, npm's packages, a browser."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.conftest import redis_binary, running_redis

from varde.demo import emulator, pubsub

from .clients import Shop
from .parts import ROOT, Collector, Queue, Relay, topic

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""Chromium finds no host but this machine: nothing reaches Segment, should the SDK want to."""


@pytest.fixture(scope="session")
def npm_folder() -> Path:
    """The folder with npm's packages."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on the path: the SDKs for browsers and Node.js cannot be tried")
    made = subprocess.run([ROOT / "tools/npm"], capture_output=True, text=True, timeout=240, check=False)
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on the path: the browser's SDK cannot be tried")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", ALONE])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


class Place(NamedTuple):
    """A collector with a topic of its own, which it reaches by the relay."""

    queue: Queue
    relay: Relay
    collector: Collector


@pytest.fixture(scope="module")
def place(broker: emulator.Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    names = pubsub.Names().with_suffix(secrets.token_hex(4))
    with contextlib.ExitStack() as stack:
        environ = stack.enter_context(pytest.MonkeyPatch.context())
        for name in os.environ:
            if name.startswith("VARDE_"):
                environ.delenv(name)
        redis = stack.enter_context(running_redis("7" if redis_binary("7") else "6.2"))
        queue = stack.enter_context(topic(broker.host, names))
        relay = stack.enter_context(contextlib.closing(Relay(broker.host)))
        collector = Collector(tmp_path_factory.mktemp("collector"), redis.url, names.topic, relay.host)
        stack.callback(collector.kill)
        yield Place(queue, relay, collector)


@pytest.fixture
def queue(place: Place) -> Queue:
    return place.queue


@pytest.fixture
def relay(place: Place) -> Relay:
    return place.relay


@pytest.fixture
def environ() -> dict[str, str]:
    """Settings of the collector beside those that it needs; a test names its own by parametrizing this."""
    return {}


@pytest.fixture
def collector(place: Place, environ: dict[str, str]) -> Collector:
    """It runs, Pub/Sub is within reach, and nothing of earlier tests is in the queue, whatever they have left."""
    place.relay.mend()
    place.collector.ensure(environ)
    place.queue.forget()
    return place.collector
