"""`varde serve --processes 2` as it runs: one port, one dead process, one line, one sum, and an end without losses."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.conftest import free_port

DEADLINE_S = 30
CLOSING_S = 0.5


class Servers:
    """A `varde serve` of two processes; its lines on standard error as objects."""

    def __init__(self, url, *words, **environ):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VARDE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "varde.cli", "serve", "--processes", "2", *words],
            env={**kept, "VARDE_REDIS_URL": url, "VARDE_PORT": "0", "VARDE_DEADLINE_MS": "5000", **environ},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.lines = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(orjson.loads(line) if line.startswith(b"{") else {"message": line.decode().rstrip()})

    def said(self, pattern):
        return [found for line in list(self.lines) if (found := re.search(pattern, line["message"]))]

    def children(self):
        """Process ids by place, the latest."""
        return {found[1]: int(found[2]) for found in self.said(r"^process (\d) is (\d+)$")}

    @property
    def port(self):
        until(lambda: self.said("^listening on") or self.process.poll() is not None)
        (found,) = self.said(r"^listening on http://127\.0\.0\.1:(\d+)$")
        return int(found[1])

    def ended(self):
        code = self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()  # its children see the end of their line to it
        self.ended()
        self.process.stderr.close()


def until(condition, said=""):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, said
        time.sleep(0.02)  # a pause between two looks, not a wait for something


@pytest.fixture
def start(filled, tmp_path):
    with contextlib.ExitStack() as stack:

        def started(*words, url=filled.url, **environ):
            servers = Servers(url, *words, TMPDIR=str(tmp_path), **environ)  # a killed parent removes nothing
            stack.callback(servers.close)
            return servers

        yield started


class Caller(threading.Thread):
    """Asks on kept connections, and notes what became of each request: a status, or how its connection broke."""

    def __init__(self, port, stop, *, kept=True):
        super().__init__()
        self.port, self.stop, self.kept, self.seen, self.refused = port, stop, kept, [], threading.Event()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        since = None
        while not self.stop.is_set():
            try:
                if connection.sock is None:
                    connection.connect()
                since = None
            except OSError:
                # The kernel may just be taking its port from a process that has died; who is refused for longer counts.
                since = since or time.monotonic()
                if time.monotonic() - since < CLOSING_S:
                    continue
                self.refused.set()
                return
            mine = connection.sock.getsockname()
            try:
                connection.request("GET", "/v1/similar/tent", headers={} if self.kept else {"Connection": "close"})
                response = connection.getresponse()
                response.read()
                self.seen.append((mine, response.status))
                if response.will_close:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                self.seen.append((mine, type(error).__name__))
                connection.close()
        connection.close()


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert response.status == 200, body
    return body.decode()


def metrics(port):
    return {
        (
            sample.name,
            *(f"{name}={value}" for name, value in sorted(sample.labels.items()) if name != "le"),
        ): sample.value
        for family in text_string_to_metric_families(get(port, "/metrics"))
        for sample in family.samples
    }


def similar(port):
    return metrics(port).get(("varde_http_requests_total", "route=/v1/similar/{item}", "status=200"), 0)


def test_a_killed_process_is_replaced_and_takes_only_its_own_connections_along(start):
    servers = start()
    port = servers.port
    stop = threading.Event()
    callers = [Caller(port, stop) for _ in range(12)]  # the kernel spreads them by chance
    for caller in callers:
        caller.start()
    until(lambda: all(len(caller.seen) > 20 for caller in callers))
    before, victim = servers.children(), servers.children()["0"]
    os.kill(victim, signal.SIGKILL)
    until(lambda: servers.children()["0"] != victim, "it is not replaced")
    lengths = [len(caller.seen) for caller in callers]
    until(lambda: all(len(c.seen) > n + 20 or c.refused.is_set() for c, n in zip(callers, lengths, strict=True)))
    until(lambda: ("varde_items", "kind=known", "process=0") in metrics(port), "the new one says nothing")
    stop.set()
    for caller in callers:
        caller.join(DEADLINE_S)
    assert servers.children()["1"] == before["1"], "the other was left alone"
    broken = [(mine, what) for caller in callers for mine, what in caller.seen if what != 200]
    assert len({mine for mine, _ in broken}) == len(broken), "at most the last request of a connection to the dead one"
    # Who connects again may meet the dead one's port once more before the kernel closes it.
    whole = [caller for caller in callers if all(what == 200 for _, what in caller.seen)]
    assert whole, "those of the other went on"
    assert not any(isinstance(what, int) for _, what in broken)
    assert not any(caller.refused.is_set() for caller in callers), "the port was open all the time"
    assert servers.said("process 0 has ended with 137")


def test_one_port_gives_the_sum_and_it_never_falls(start):
    servers = start()
    port = servers.port
    for _ in range(60):
        get(port, "/v1/similar/tent")
    assert similar(port) <= 60
    until(lambda: similar(port) == 60, "the sum of both")
    seen = []
    for n in range(30):
        get(port, "/v1/similar/tent")
        seen.append(similar(port))
        if n == 10:
            until(lambda: similar(port) == 71)  # a killed process takes along at most its last second
            os.kill(servers.children()["0"], signal.SIGKILL)
            until(lambda: len(servers.said("^process 0 is")) == 2)
    assert seen == sorted(seen), "Prometheus would take a fall for a restart and count all of it again"
    until(lambda: similar(port) == 90, "the counts of the dead one are kept")
    until(lambda: {("varde_draining", f"process={n}") for n in "01"} <= set(metrics(port)))
    assert any(name[0] == "process_cpu_seconds_total" for name in metrics(port))


@pytest.mark.parametrize("kept", [True, False], ids=["kept connections", "a connection a request"])
def test_nothing_that_was_accepted_is_lost_at_the_end(start, kept):
    servers = start()
    port = servers.port
    stop = threading.Event()
    callers = [Caller(port, stop, kept=kept) for _ in range(8)]
    for caller in callers:
        caller.start()
    until(lambda: all(len(caller.seen) > 20 for caller in callers))
    servers.process.send_signal(signal.SIGTERM)
    assert servers.ended() == 0, servers.lines
    for caller in callers:
        caller.join(DEADLINE_S)
    assert {what for caller in callers for _, what in caller.seen} == {200}
    assert all(caller.refused.is_set() for caller in callers), "it did end"
    assert len(servers.said("^draining$")) == 2
    assert len(servers.said("^listening on")) == 1


def test_an_idle_connection_holds_nobody_up_and_readiness_says_so_first(start):
    servers = start()
    connections = [http.client.HTTPConnection("127.0.0.1", servers.port, timeout=DEADLINE_S) for _ in range(2)]
    for connection in connections:
        connection.request("GET", "/readyz")
        assert connection.getresponse().read()
    servers.process.send_signal(signal.SIGTERM)
    until(lambda: len(servers.said("^draining$")) == 2)
    connections[0].request("GET", "/readyz")
    response = connections[0].getresponse()
    assert (response.status, response.headers["Connection"]) == (503, "close")
    assert orjson.loads(response.read())["error"]["code"] == "draining"
    assert servers.ended() == 0
    for connection in connections:
        connection.close()


def test_children_end_with_their_parent(start):
    servers = start()
    port, children = servers.port, servers.children()
    servers.process.kill()
    until(lambda: not any(alive(pid) for pid in children.values()), "they would keep the port for ever")
    with pytest.raises(ConnectionRefusedError):
        get(port, "/healthz")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_taken_port_is_one_line_also_when_it_could_be_shared(start):
    first = start()
    second = start("--port", str(first.port))
    assert second.ended() == 1
    (line,) = second.lines
    assert line["message"].startswith(f"varde serve: cannot listen on 127.0.0.1 port {first.port}: ")


def test_processes_that_die_at_once_are_given_up(start, tmp_path):
    """Without the extra that an OTEL_ variable needs a process cannot start: nor could the next one."""
    broken = "import sys; sys.modules['opentelemetry.exporter.otlp.proto.http.trace_exporter'] = None"
    (tmp_path / "sitecustomize.py").write_text(broken)
    servers = start(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}", PYTHONPATH=str(tmp_path))
    assert servers.ended() == 2
    assert servers.said("dies at once: giving up")
    assert not servers.said("^listening on")


def test_a_process_that_dies_again_and_again_ends_the_others(start):
    """A supervisor above knows better what to do than one that starts for ever what cannot live."""
    servers = start()
    assert servers.port
    killed = set()
    while servers.process.poll() is None:
        pid = servers.children()["0"]
        if pid not in killed:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)  # a pause between two looks
    assert servers.ended() == 137
    assert len(killed) == 5
    assert servers.said("process 0 dies at once: giving up")
    assert not any(alive(pid) for pid in servers.children().values())
