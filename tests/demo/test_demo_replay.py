import io
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import orjson
import pytest
from google.api_core import exceptions

from varde import timestamps
from varde.demo import progress, pubsub, replay, simulate
from varde.demo.messages import Message
from varde.demo.pubsub import Names

SEGMENT = (
    b'{"type":"track","event":"Product Viewed","userId":"u","timestamp":"2026-08-01T12:00:00Z",'
    b'"properties":{"product_id":"p%d"}}'
)


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


class Instant:
    """A publisher whose messages are confirmed at once, except that those named fail."""

    def __init__(self, clock: Callable[[], float], bad: bytes = b"none") -> None:
        self.times: list[float] = []
        self._clock, self._bad = clock, bad

    def publish(self, topic: str, data: bytes) -> Future[str]:
        self.times.append(self._clock())
        future: Future[str] = Future()
        if data == self._bad:
            future.set_exception(exceptions.PermissionDenied("no"))
        else:
            future.set_result("1")
        return future


@pytest.fixture
def ndjson(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join(SEGMENT % n for n in range(5)) + b"\nbroken\n")
    return path


def test_a_rate_is_kept_exactly() -> None:
    clock = Clock()
    publisher = Instant(clock)
    sent = replay.publish([Message(b"x", 0)] * 50, publisher, "t", 10, clock=clock, sleep=clock.sleep)
    assert publisher.times == pytest.approx([100 + n / 10 for n in range(50)])
    assert (sent.messages, sent.bytes) == (50, 50)
    assert sent.seconds == pytest.approx(4.9)


def test_a_refused_message_stops_the_run_with_its_error() -> None:
    clock = Clock()
    messages = [Message(b"fine", 0), Message(b"bad", 0), Message(b"fine", 0)]
    with pytest.raises(exceptions.PermissionDenied):
        replay.publish(messages, Instant(clock, b"bad"), "t")


def test_what_pubsub_cannot_carry_is_told_and_the_rest_arrives(
    standin: str, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    messages = [Message(b"1", 0), Message(b"", 0), Message(b"x" * 10_000_001, 0), Message(b"2", 0)]
    with pubsub.clients(standin) as (publisher, subscriber):
        pubsub.ensure(publisher, subscriber, names)
        sent = replay.publish(messages, publisher, names.topic)
        assert sorted(pubsub.drain(subscriber, names.subscription)) == [b"1", b"2"]
    assert (sent.messages, sent.unsendable) == (2, 2)
    assert [record.args[0] for record in caplog.records if record.args] == [2, 3]  # type: ignore[index]


def test_progress_counts_every_message() -> None:
    for count, rate in ((0, None), (1, None), (250, None), (7, 1000.0)):
        told: list[int] = []
        clock = Clock()
        replay.publish([Message(b"x", 0)] * count, Instant(clock), "t", rate, told.append, clock, clock.sleep)
        assert sum(told) == count


def test_thousands_arrive_whole(pubsub_host: str, names: Names) -> None:
    count = 5_000
    messages = [Message(b"%d" % n, 0) for n in range(count)]
    with pubsub.clients(pubsub_host) as (publisher, subscriber):
        pubsub.ensure(publisher, subscriber, names)
        sent = replay.publish(messages, publisher, names.topic)
        arrived = list(pubsub.drain(subscriber, names.subscription))
    assert sent.messages == count
    assert sorted(map(int, arrived)) == list(range(count))


def test_outstanding_messages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "OUTSTANDING", 10)
    pending: list[Future[str]] = []
    most = 0

    class Slow:
        def publish(self, topic: str, data: bytes) -> Future[str]:
            nonlocal most
            future: Future[str] = Future()
            pending.append(future)
            most = max(most, sum(not f.done() for f in pending))
            if most == 10:  # Pub/Sub confirms only now
                for waiting in pending:
                    if not waiting.done():
                        waiting.set_result("1")
            return future

    messages = iter([Message(b"x", 0)] * 10)
    assert replay.publish(messages, Slow(), "t").messages == 10
    assert most == 10


def test_the_command_sends_a_file(standin: str, names: Names, ndjson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", standin)
    with pubsub.clients(standin) as (publisher, subscriber):
        pubsub.ensure(publisher, subscriber, names)
        assert replay.command([str(ndjson), "--format", "segment", "--topic", names.topic]) == 0
        arrived = list(pubsub.drain(subscriber, names.subscription))
    assert sorted(arrived) == sorted([*(SEGMENT % n for n in range(5)), b"broken"])


def varde(module: str, *words: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    code = f"import sys; from varde.demo.{module} import command; sys.exit(command(sys.argv[1:]))"
    clean = {name: value for name, value in os.environ.items() if name != "PUBSUB_EMULATOR_HOST"}
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, env=clean | env, timeout=60)


def test_to_standard_output_shifted_to_now(ndjson: Path) -> None:
    done = varde("replay", str(ndjson), "--format", "segment", "--stdout", "--to-now", "--limit", "3")
    assert done.returncode == 0, done.stderr
    first = orjson.loads(done.stdout.splitlines()[0])
    age = time.time() * 1000 - (timestamps.read(first["timestamp"]) or 0)
    assert -1_000 < age < 60_000
    assert len(done.stdout.splitlines()) == 3


def test_the_same_simulation_on_standard_output() -> None:
    words = ("--seed", "5", "--start", "2026-08-01T12:00:00Z", "--limit", "200", "--stdout")
    first, second = varde("simulate", *words), varde("simulate", *words)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert len(first.stdout.splitlines()) == 200


def test_a_duration_ends_the_simulation() -> None:
    done = varde("simulate", "--duration", "5", "--rate", "10", "--stdout")
    assert len(done.stdout.splitlines()) == 50


def test_the_simulation_reaches_pubsub(standin: str, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", standin)
    with pubsub.clients(standin) as (publisher, subscriber):
        pubsub.ensure(publisher, subscriber, names)
        words = ["--limit", "300", "--fast", "--topic", names.topic, "--start", "2026-08-01T12:00:00Z"]
        assert simulate.command(words) == 0
        arrived = list(pubsub.drain(subscriber, names.subscription))
    assert len(arrived) == 300


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no-such-file", "--format", "segment", "--stdout"], b"no-such-file"),
        ([__file__, "--format", "online-retail", "--stdout"], b"the first line is not InvoiceNo"),
        ([__file__, "--format", "segment", "--rate", "0"], b"argument --rate: must be a number above 0, not '0'"),
        (
            [__file__, "--format", "segment", "--limit", "x"],
            b"argument --limit: must be a whole number from 1, not 'x'",
        ),
        ([__file__, "--format", "nonsense"], b"invalid choice"),
        ([__file__, "--format", "segment", "--topic", "nonsense"], b"topic"),
    ],
)
def test_wrong_use_is_explained_without_a_traceback(standin: str, words: list[str], said: bytes) -> None:
    done = varde("replay", *words, PUBSUB_EMULATOR_HOST=standin)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--shoppers", "3"], "--shoppers: must be a whole number from 4, not '3'"),
        (["--shoppers", "many"], "--shoppers: must be a whole number from 4, not 'many'"),
        (["--seed", "x"], "--seed: must be a whole number, not 'x'"),
        (["--rate", "fast"], "--rate: must be a number above 0, not 'fast'"),
        (["--duration", "inf"], "--duration: must be a number above 0, not 'inf'"),
        (["--late", "2"], "--late: must be a number between 0 and 1, not '2'"),
        (["--erasures", "some"], "--erasures: must be a number between 0 and 1, not 'some'"),
        (["--start", "yesterday"], "--start: must be a time such as 2026-08-01T12:00:00Z, not 'yesterday'"),
    ],
)
def test_an_option_says_what_it_wants(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        simulate.command([*words, "--stdout"])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("listens", [False, True], ids=["nobody listens", "somebody never answers"])
def test_an_emulator_that_is_not_there_is_said_soon(
    listens: bool, ndjson: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
        monkeypatch.setattr(replay, "EMULATOR_WITHIN_S", 0.5)
        begun = time.monotonic()
        assert replay.command([str(ndjson), "--format", "segment"]) == 1
        assert simulate.command(["--limit", "1"]) == 1
        assert time.monotonic() - begun < 15  # Google's client would try on for a minute and more
    line = f"varde: PUBSUB_EMULATOR_HOST={host}: no Pub/Sub emulator answers there"
    assert capsys.readouterr().err.splitlines() == [line] * 2


def test_without_credentials_or_emulator_it_says_so(ndjson: Path, tmp_path: Path) -> None:
    nowhere = {"HOME": str(tmp_path), "NO_GCE_CHECK": "true", "GOOGLE_APPLICATION_CREDENTIALS": ""}
    done = varde("replay", str(ndjson), "--format", "segment", **nowhere)
    assert done.returncode == 1
    assert b"PUBSUB_EMULATOR_HOST is not set" in done.stderr


def test_a_closed_pipe_ends_it_quietly() -> None:
    code = "import sys; from varde.demo.simulate import command; sys.exit(command(['--stdout']))"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.readline()
    child.stdout.close()
    assert b"Traceback" not in child.stderr.read()
    assert child.wait(60) == 0
    child.stderr.close()


def test_without_a_terminal_progress_is_plain_lines(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with caplog.at_level(logging.INFO), progress.Meter("replay", clock) as meter:
        meter.count(10)
        clock.now += 6
        meter.part(0.5)
        meter.count(20)
    assert [record.getMessage() for record in caplog.records] == [
        "replay: 30 messages, 5/s, 50% read",
        "replay: done, 30 messages, 5/s, 50% read",
    ]


def test_ndjson_is_one_message_per_line() -> None:
    out = io.BytesIO()
    replay.write([Message(b'{"a":1}', 0), Message(b"{}", 0)], out)
    assert out.getvalue() == b'{"a":1}\n{}\n'
