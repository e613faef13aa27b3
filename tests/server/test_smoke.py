"""deploy/smoke --url against real server processes: one that works, and ones that do not."""

from __future__ import annotations

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .test_main import Process

SMOKE = Path(__file__).parents[2] / "deploy" / "smoke"


def smoke(url, *words, **environ):
    return subprocess.run(
        [SMOKE, "--url", url, "--tries", "0", *words],
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def start():
    """environment -> the URL of a server process with it."""
    running = []

    def started(**environ):
        running.append(Process(VARDE_PORT="0", VARDE_DEADLINE_MS="5000", **environ))
        return f"http://127.0.0.1:{running[-1].port}"

    yield started
    for process in running:
        process.close()


@pytest.fixture
def answers():
    """A server that says what a test wants: path -> (status, body)."""
    said = {
        "/healthz": (200, "{}"),
        "/readyz": (200, '{"status": "ready"}'),
        "/openapi.json": (200, '{"paths": {"/v1/similar/{item}": {}}}'),
        "/v1/similar/varde-smoke": (200, '{"request_id": "r", "stale": false, "items": [{"id": "mat"}]}'),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = said[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield said, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_works_passes(filled, start):
    url = start(VARDE_REDIS_URL=filled.url)
    run = smoke(url)
    assert (run.returncode, run.stderr) == (0, "")
    assert "It works" in run.stdout
    assert smoke(url, "--item", "tent").returncode == 0


def test_a_server_with_nothing_to_show_fails_unless_that_is_right(frail, start):
    url = start(VARDE_REDIS_URL=frail.url)
    run = smoke(url)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("smoke: /v1/similar/varde-smoke has no items: nothing is counted")
    assert smoke(url, "--empty").returncode == 0


def test_a_server_without_its_redis_is_not_ready(start):
    run = smoke(start(VARDE_REDIS_URL="redis://127.0.0.1:1/0"))
    assert run.returncode == 1
    assert "/readyz of http://127.0.0.1" in run.stderr.splitlines()[-1]


def test_no_server_at_all():
    run = smoke("http://127.0.0.1:1")
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == "smoke: /healthz of http://127.0.0.1:1 does not answer with 200"


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("/readyz", (200, '{"status": "starting"}'), '/readyz says {"status":"starting"}'),
        ("/openapi.json", (200, "{}"), "does not describe /v1/similar/{item}"),
        ("/openapi.json", (404, "{}"), "/openapi.json of http://"),
        ("/v1/similar/varde-smoke", (500, "oops"), "does not answer with 200"),
        ("/v1/similar/varde-smoke", (200, "<html>"), "answers no list: <html>"),
        (
            "/v1/similar/varde-smoke",
            (200, '{"request_id": "r", "stale": true, "items": [{"id": "mat"}]}'),
            "the server does not reach Redis in time",
        ),
    ],
)
def test_what_is_wrong_is_said(answers, path, answer, said):
    given, url = answers
    assert smoke(url).returncode == 0
    given[path] = answer
    run = smoke(url)
    assert run.returncode == 1
    assert said in run.stderr.splitlines()[-1]


def test_a_key_is_shown_and_stays_out_of_sight(answers):
    _, url = answers
    run = smoke(url, SMOKE_KEY="very-secret")
    assert run.returncode == 0
    assert "very-secret" not in run.stdout + run.stderr
