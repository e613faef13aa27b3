"""Segment's SDKs as clients: each sends what it is told to, and says what it has made and what it was told."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, Page, Request, Response
from segment.analytics import consumer
from segment.analytics.client import Client
from segment.analytics.request import APIError

from .parts import WITHIN_S, WRITE_KEY

HERE = Path(__file__).parent
STANDALONE = Path(str(resources.files("varde.demo").joinpath("shop/vendor/analytics-next/standalone.js")))
KINDS = ("track", "identify", "page", "screen", "group", "alias")
UNREACHED = 0
"""In the counts of answers: there was none."""


class Sdk(Protocol):
    """One SDK. answers: how often it was told which status, UNREACHED for none."""

    name: str
    answers: Counter[int]

    def send(self, kind: str, numbers: Iterable[int]) -> None:
        """Hand events of a kind to the SDK, which sends them when it likes."""

    def made(self) -> list[dict[str, Any]]:
        """The events as the SDK has made them."""

    def accepted(self) -> int:
        """How many events the SDK has been told were taken."""

    def close(self) -> None:
        """End it."""


class PythonSdk:
    """segment-analytics-python, in this process."""

    def __init__(self, host: str, monkeypatch: pytest.MonkeyPatch, *, gzip: bool) -> None:
        self.name = "Python, gzip" if gzip else "Python"
        self.answers: Counter[int] = Counter()
        self._made: list[dict[str, Any]] = []
        self._dropped: list[Exception] = []
        self._gzip = gzip
        monkeypatch.setattr(consumer, "post", partial(self._posted, consumer.post))
        self._client = Client(
            WRITE_KEY,
            host=host,
            gzip=gzip,
            on_error=lambda error, _: self._dropped.append(error),
            upload_size=20,
            upload_interval=0.1,
        )

    def _posted(self, post: Callable[..., Any], *words: Any, gzip: bool, **options: Any) -> Any:
        """What the SDK's own `post` is told, if the request is of this client."""
        answers = self.answers if gzip == self._gzip else Counter[int]()
        try:
            response = post(*words, gzip=gzip, **options)
        except APIError as error:
            answers[error.status] += 1
            raise
        except Exception:
            answers[UNREACHED] += 1
            raise
        answers[response.status_code] += 1
        return response

    def send(self, kind: str, numbers: Iterable[int]) -> None:
        for n in numbers:
            one: dict[str, dict[str, Any]] = {
                "track": {"user_id": f"u{n}", "event": "Product Viewed", "properties": {"name": "Zelt für zwei 🏕"}},
                "identify": {"user_id": f"u{n}", "anonymous_id": f"a{n}", "traits": {"name": "Åse", "n": n}},
                "page": {"anonymous_id": f"a{n}", "category": "Tents", "name": f"Page {n}", "properties": {"n": n}},
                "screen": {"anonymous_id": f"a{n}", "name": f"Screen {n}", "properties": {"n": n}},
                "group": {"user_id": f"u{n}", "group_id": f"g{n}", "traits": {"n": n}},
                "alias": {"user_id": f"u{n}", "previous_id": f"a{n}"},
            }
            queued, message = getattr(self._client, kind)(**one[kind])
            assert queued
            self._made.append(message)

    def made(self) -> list[dict[str, Any]]:
        return self._made

    def accepted(self) -> int:
        assert self._dropped == []
        return len(self._made) - self._client.queue.unfinished_tasks

    def close(self) -> None:
        self._client.join()


class NodeSdk:
    """@segment/analytics-node, in a process of its own."""

    name = "Node.js"

    def __init__(self, host: str, npm_folder: Path) -> None:
        self.answers: Counter[int] = Counter()
        self._made: list[dict[str, Any]] = []
        self._failed: list[str] = []
        self._process = subprocess.Popen(
            ["node", HERE / "node_client.cjs", npm_folder, host, WRITE_KEY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            match json.loads(line):
                case {"made": event}:
                    self._made.append(event)
                case {"status": status}:
                    self.answers[status] += 1
                case {"failed": reason}:
                    self._failed.append(reason)

    def send(self, kind: str, numbers: Iterable[int]) -> None:
        assert self._process.stdin is not None
        for number in numbers:
            self._process.stdin.write(json.dumps({"kind": kind, "number": number}) + "\n")
        self._process.stdin.flush()

    def made(self) -> list[dict[str, Any]]:
        return self._made

    def accepted(self) -> int:
        assert self._failed == []
        return len(self._made)

    def close(self) -> None:
        self._process.kill()  # it would go on trying for what a failed test has left
        self._process.wait(WITHIN_S)
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


class BrowserSdk:
    """@segment/analytics-next with the snippet, on a page of another origin, in a Chromium."""

    def __init__(
        self, browser: Browser, shop: str, collector: str, *, batching: bool = False, wait_ms: int = 200
    ) -> None:
        self.name = "browser, batching" if batching else "browser"
        self.answers: Counter[int] = Counter()
        self.hosts: set[str] = set()
        self._accepted = 0
        strategy = {"deliveryStrategy": {"strategy": "batching", "config": {"size": 10, "timeout": wait_ms}}}
        options = {"integrations": {"Segment.io": strategy}} if batching else {}
        config = {"collector": collector, "writeKey": WRITE_KEY, "options": options}
        self._shop = shop
        self.context = browser.new_context()
        self.context.add_init_script(f"window.config = {json.dumps(config)}")
        self.context.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        self.context.on("response", self._responded)
        self.context.on("requestfailed", self._failed)
        self.page = self.open()

    def open(self) -> Page:
        """The shop's page, with the SDK loaded, in a new tab."""
        page = self.context.new_page()
        page.goto(self._shop)
        page.wait_for_function("window.analytics.initialized", timeout=WITHIN_S * 1000)
        return page

    def _responded(self, response: Response) -> None:
        if response.request.method == "POST":
            self.answers[response.status] += 1
            if response.ok:
                self._accepted += events_of(response.request)

    def _failed(self, request: Request) -> None:
        if request.method == "POST":
            self.answers[UNREACHED] += 1

    def send(self, kind: str, numbers: Iterable[int]) -> None:
        self.page.evaluate(
            "([kind, numbers]) => { for (const number of numbers) send(kind, number); }", [kind, [*numbers]]
        )

    def made(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self.page.evaluate("made")
        return events

    def accepted(self) -> int:
        self.page.evaluate("0")  # Playwright tells what has happened while it is asked something
        return self._accepted

    def close(self) -> None:
        self.context.close()


def events_of(request: Request) -> int:
    """How many events a request to the collector holds; none in the SDK's own metrics."""
    body = request.post_data_json or {}
    return len(body["batch"]) if "batch" in body else int("messageId" in body)


class Shop(ThreadingHTTPServer):
    """Serves shop.html and the SDK on a port of its own."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Where its page is."""
        return f"http://127.0.0.1:{self.server_port}/"

    def close(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Page(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        file = STANDALONE if path == "/standalone.js" else HERE / "shop.html"
        body = file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if file is STANDALONE else "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: Any) -> None:
        """Quiet."""
