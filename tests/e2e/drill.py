"""A server under requests from the beginning of a drill to its end: every answer is kept, with what it was made of."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from varde.demo.process import Child, Children

READY_S = 90.0
PAUSE_S = 0.02
_LISTENING = re.compile(r"listening on (http://[\w.:\[\]]+)")


class Answer(NamedTuple):
    """at: seconds, monotonic. rung, stale, items: of the answer; rung "" when it was none."""

    at: float
    path: str
    status: int
    rung: str
    stale: bool
    items: int
    seconds: float


class Shopper:
    """Asks on and on, in a thread of its own."""

    def __init__(self, url: str, paths: Sequence[str]) -> None:
        self._url, self.paths = url, paths
        self.answers: list[Answer] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Shopper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._stop.is_set():
            for path in self.paths:
                self.answers.append(ask(self._url, path))
            self._stop.wait(PAUSE_S)

    def wait_for(self, good: Callable[[Answer], bool], since: float, within_s: float = 60.0) -> Answer:
        """The first answer since a moment that is good."""
        deadline, seen = time.monotonic() + within_s, 0
        while True:
            fresh = self.answers[seen:]
            seen += len(fresh)
            for answer in fresh:
                if answer.at >= since and good(answer):
                    return answer
            assert time.monotonic() < deadline, self.answers[-5:]
            time.sleep(0.01)


def ask(url: str, path: str) -> Answer:
    """One request; what fails below HTTP has status 599."""
    begun = time.monotonic()
    try:
        with urllib.request.urlopen(url + path, timeout=30) as reply:
            status, body = reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        status, body = error.code, {}
    except OSError:
        status, body = 599, {}
    end = time.monotonic()
    return Answer(
        begun, path, status, body.get("rung", ""), body.get("stale", False), len(body.get("items", ())), end - begun
    )


def similar(url: str, item: str) -> dict[str, int]:
    """Neighbour -> customers, as it is served; nothing unless it is made from pairs, and fresh."""
    path = f"{url}/v1/similar/{urllib.parse.quote(item, safe='')}?n=20"
    with urllib.request.urlopen(path, timeout=30) as reply:
        body: dict[str, Any] = json.load(reply)
    if body["rung"] != "pairs" or body["stale"]:
        return {}
    return {entry["id"]: entry["customers"] for entry in body["items"]}


@contextmanager
def serving(children: Children, env: Mapping[str, str], config: Path) -> Iterator[str]:
    """`varde serve` on a free port; its URL."""
    config.write_text('static = ["static-1", "static-2"]\n')
    more = {"VARDE_CONFIG": str(config), "VARDE_MIN_CUSTOMERS": "1"}
    child = children.start("serve", [sys.executable, "-m", "varde.cli", "serve", "--port", "0"], {**env, **more})
    child.wait_until(lambda: _url(child) is not None, READY_S)
    yield _url(child) or ""
    child.check()


def _url(child: Child) -> str | None:
    found = _LISTENING.search(child.log.read_text(errors="replace"))
    return found.group(1) if found else None


class Phases:
    """How long each part took, in the order in which they were."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """What is done inside."""
        begun = time.monotonic()
        yield
        self.note(name, time.monotonic() - begun)

    def note(self, name: str, seconds: float) -> None:
        """A part that was measured otherwise."""
        self.seconds[name] = round(seconds, 2)
