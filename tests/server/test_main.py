"""The real process: `run(settings)` with signals, a chosen port, and what it writes."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

import orjson
import pytest

from varde.server.command import command
from varde.server.main import serve as serve_until
from varde.settings import Settings

DEADLINE_S = 60
CODE = "import os; from varde.server.main import run; from varde.settings import from_env; run(from_env(os.environ))"


class Process:
    """A server process on a free port; its two streams as lists of lines."""

    def __init__(self, **environ):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VARDE_")}
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-c", CODE],
            env={**kept, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._listening = threading.Event()
        self._streams = [self._process.stdout, self._process.stderr]
        self._readers = [
            threading.Thread(target=self._read, args=pair)
            for pair in zip(self._streams, (self.out, self.err), strict=True)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))
            if "listening on" in line:
                self._listening.set()

    @property
    def port(self):
        assert self._listening.wait(DEADLINE_S), self.err
        (line,) = [line for line in self.err if "listening on" in line]
        found = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)", orjson.loads(line)["message"])
        assert found, line
        return int(found[1])

    def signal(self, number):
        self._process.send_signal(number)

    def ended(self):
        code = self._process.wait(DEADLINE_S)
        for reader in self._readers:
            reader.join(DEADLINE_S)
        return code

    def close(self):
        if self._process.poll() is None:
            self._process.kill()
        self.ended()
        for stream in self._streams:
            if stream is not None:
                stream.close()


@pytest.fixture
def process(filled):
    process = Process(VARDE_REDIS_URL=filled.url, VARDE_PORT="0", VARDE_DEADLINE_MS="5000")
    yield process
    process.close()


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=DEADLINE_S) as response:
        return orjson.loads(response.read())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_until_it_is_told_to_stop(process, number):
    assert get(process.port, "/v1/similar/tent")["rung"] == "pairs"
    process.signal(number)
    assert process.ended() == 0, process.err
    assert "Traceback" not in "".join(process.err)
    with pytest.raises(OSError, match="refused"):
        get(process.port, "/healthz")


def refused(port, line):
    """The first bytes of the answer to a request line."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as connection:
        connection.sendall(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        return connection.recv(100)


def test_what_it_writes_holds_no_personal_id(process):
    get(process.port, "/v1/recommendations?uid=jane%40example.org")
    assert b" 400 " in refused(process.port, b"GET /v1/recommendations?n=0&uid=jane HTTP/1.1")
    for line in (
        b"GET /v1/recommendations?uid=jane\xff HTTP/1.1",
        b"GET /?uid=jane jane HTTP/1.1",
        b"jane",
        b"\x16\x03jane",
    ):
        assert b" 400 " in refused(process.port, line)
    with socket.create_connection(("127.0.0.1", process.port), timeout=DEADLINE_S) as connection:
        connection.sendall(b"GET /?uid=" + b"jane" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 400 " in connection.recv(100)
    process.signal(signal.SIGTERM)
    assert process.ended() == 0
    lines = [orjson.loads(line) for line in process.out]
    assert [(line["route"], line["status"]) for line in lines if line["route"] != "unmatched"] == [
        ("/v1/recommendations", 400)
    ], "what went well is not logged"
    assert [orjson.loads(line)["level"] for line in process.err], "one JSON object a line"
    assert "jane" not in "\n".join(process.out + process.err)
    assert "Traceback" not in "".join(process.err)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "99999"], "argument --port: must be between 0 and 65535, not 99999"),
        (["--port", "-1"], "argument --port: must be between 0 and 65535, not -1"),
        (["--port", "http"], "argument --port: not a number: 'http'"),
        (["--host", ""], "argument --host: must be a host name or an address, not ''"),
        (["--host", "a..b"], "argument --host: not a host name: 'a..b'"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        command(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_taken_port_is_one_line(filled):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "varde.cli", "serve", "--port", port],
            env={**os.environ, "VARDE_REDIS_URL": filled.url},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"varde serve: cannot listen on 127.0.0.1 port {port}: ")
    assert "in use" in line


async def test_a_taken_port_is_an_error_at_once(filled):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(redis_url=filled.url, port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            await asyncio.wait_for(serve_until(settings, asyncio.Event()), DEADLINE_S)
